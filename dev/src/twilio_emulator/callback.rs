//! Status callbacks: what they say, how they are signed, and how they arrive.
//!
//! The sources are Twilio's pages "Track the Message Status of Outbound Messages", "Webhooks security" and "Webhooks (HTTP
//! callbacks): connection overrides". As Twilio does, it adds parameters that nobody knows yet, signs the URL with its port
//! or without, and keeps no order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use form_urlencoded::Serializer;
use hmac::{Hmac, Mac};
use http::uri::PathAndQuery;
use http::{HeaderName, Request, Uri, header};
use sha1::Sha1;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::fault::OddReport;
use super::{DEVELOPMENT_ACCOUNT_SID, Emulator};
use crate::phone::{DeliveryStatus, Message, Report};
use crate::webhook::{Delivery, Webhook};

/// `YYMMDDhhmm`, of no zone.
const DONE: &[BorrowedFormatItem<'_>] =
    format_description!("[year repr:last_two][month][day][hour][minute]");
/// Twilio's "message did not leave in time".
const EXPIRED: u16 = 30_036;

/// How callbacks go out.
#[derive(Clone)]
pub struct Callbacks {
    /// Where the host of each callback's URL leads, as a proxy of that name would: a URL of plain HTTP on this machine,
    /// such as `http://127.0.0.1:3000`. Without it, callbacks go to URLs of this machine only.
    pub to: Option<String>,
    /// How long after its message the first one comes.
    pub delay: Duration,
    /// How often each one comes: nothing promises that it comes once.
    pub copies: u32,
    /// The pause before it is tried again, for as often as the URL asks for.
    pub back_off: Duration,
}

impl Default for Callbacks {
    /// Once, 2 seconds after their message, and again a second later where one fails.
    fn default() -> Self {
        Self {
            to: None,
            delay: Duration::from_secs(2),
            copies: 1,
            back_off: Duration::from_secs(1),
        }
    }
}

impl Callbacks {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.to.as_deref().map_or(Ok(()), |to| Webhook::new(to).map(drop))
    }
}

/// Where the status of a message is called back to.
#[derive(Debug)]
pub(super) struct Callback {
    /// Without the fragment.
    pub url: Uri,
    /// How often it is tried again.
    retries: usize,
    /// Whether an answer of 5xx has it tried again.
    after_5xx: bool,
    /// What is odd about it.
    pub odd: Option<OddReport>,
}

impl Callback {
    /// By a URL and the overrides in its fragment, as in `rc=3&rp=5xx,ct,rt`; `None` for overrides that there are not.
    pub fn new(url: Uri, overrides: &str) -> Option<Self> {
        let mut callback = Self { url, retries: 1, after_5xx: false, odd: None };
        for item in overrides.split('&').filter(|it| !it.is_empty()) {
            let (name, value) = item.split_once('=')?;
            match name {
                "rc" => callback.retries = value.parse().ok().filter(|count| *count <= 5)?,
                "rp" => {
                    let known = ["4xx", "5xx", "ct", "rt", "all"];
                    value.split(',').all(|it| known.contains(&it)).then_some(())?;
                    callback.after_5xx = value.split(',').any(|it| matches!(it, "5xx" | "all"));
                }
                "ct" | "rt" | "tt" => drop(value.parse::<u32>().ok()?),
                "e" => {}
                _ => return None,
            }
        }
        Some(callback)
    }

    /// What the URL brings back.
    pub fn tag(&self) -> Option<String> {
        let query = self.url.query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == "tag").map(|(_, tag)| tag.into_owned())
    }
}

/// A message whose status is to be called back.
pub(super) struct Job {
    pub message: Message,
    pub callback: Callback,
}

/// Does the jobs that come, until it is dropped: no delivery goes on then.
pub(super) async fn run(emulator: Arc<Emulator>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut running = JoinSet::new();
    while let Some(job) = jobs.recv().await {
        running.spawn(call_back(emulator.clone(), job));
        while running.try_join_next().is_some() {}
    }
}

/// Calls back what becomes of a message.
async fn call_back(emulator: Arc<Emulator>, job: Job) {
    let callbacks = emulator.lock().callbacks.clone();
    tokio::time::sleep(callbacks.delay).await;
    let Job { message, callback } = job;
    // A URL of another machine that nothing here stands for is called by nobody.
    let Ok(webhook) = endpoint(&callback.url, callbacks.to.as_deref())
        .and_then(|endpoint| Webhook::new(&endpoint))
    else {
        return;
    };
    let now = (emulator.now)();
    let is_over = message.expires.is_some_and(|expires| expires <= now);
    let delivered = State { status: "delivered", code: None };
    let sent = State { status: "sent", code: None };
    let failed = |code| State { status: "failed", code: Some(code) };
    let is_call = message.id.starts_with("CA");
    let states = match callback.odd {
        // Unless a request asks for more there is one, at the end.
        None | Some(OddReport::SentAfterDelivered) if is_call => {
            vec![State { status: "completed", code: None }]
        }
        Some(OddReport::Undelivered(code)) if is_call => {
            vec![State { status: "no-answer", code: Some(code) }]
        }
        Some(OddReport::SentOnly) if is_call => Vec::new(),
        None if is_over => vec![failed(EXPIRED)],
        None => vec![sent, delivered],
        Some(OddReport::Undelivered(code)) => {
            vec![sent, State { status: "undelivered", code: Some(code) }]
        }
        Some(OddReport::Failed(code)) => vec![failed(code)],
        Some(OddReport::SentOnly) => vec![sent],
        Some(OddReport::SentAfterDelivered) => vec![delivered, sent],
    };
    for state in states {
        let place = state.is_final().then(|| {
            let mut place = 0;
            emulator.phone.change_reports(message.number, |reports| {
                place = reports.len();
                reports.push(state.report(&message, now));
            });
            place
        });
        for _ in 0..callbacks.copies {
            let token = emulator.lock().auth_token.clone();
            let form = state.form(&message, now);
            // Now with the port, now without.
            let signature = signature(&token, &callback.url, state.status == "sent", &form);
            let delivery = Delivery {
                back_off: &vec![callbacks.back_off; callback.retries],
                is_over: if callback.after_5xx { |status| status < 500 } else { |_| true },
                body: form,
            };
            let repeat = Uuid::new_v4().to_string();
            let request = |attempt| {
                let form = "application/x-www-form-urlencoded; charset=utf-8";
                let request = Request::post("/")
                    .header(header::CONTENT_TYPE, form)
                    .header(HeaderName::from_static("x-twilio-signature"), &signature);
                match attempt {
                    0 => request,
                    _ => request.header("i-twilio-idempotency-token", &repeat),
                }
            };
            let answered = |status: Option<u16>| {
                let Some(place) = place else { return };
                emulator.phone.change_reports(message.number, |reports| {
                    if let Some(report) = reports.get_mut(place) {
                        report.answers.push(status);
                        report.is_taken = status.is_some_and(|status| (200..300).contains(&status));
                    }
                });
            };
            webhook.deliver(delivery, request, answered).await;
        }
    }
}

/// Where a URL is called: at the place that stands for its host, if one does.
fn endpoint(url: &Uri, to: Option<&str>) -> anyhow::Result<String> {
    let Some(to) = to else { return Ok(url.to_string()) };
    let path = url.path_and_query().map_or("/", PathAndQuery::as_str);
    let to: Uri = to.parse().context("no URL")?;
    Ok(format!("http://{}{path}", to.authority().context("no host")?))
}

/// What became of a message.
#[derive(Clone, Copy)]
struct State {
    status: &'static str,
    code: Option<u16>,
}

impl State {
    fn is_final(self) -> bool {
        self.status != "sent"
    }

    fn report(self, message: &Message, now: OffsetDateTime) -> Report {
        Report {
            message_id: message.id.clone(),
            status: match self.code {
                None => DeliveryStatus::Delivered,
                Some(_) => DeliveryStatus::Failed,
            },
            code: self.code.unwrap_or_default(),
            details: self.status.to_owned(),
            received: now,
            answers: Vec::new(),
            is_taken: false,
        }
    }

    fn form(self, message: &Message, now: OffsetDateTime) -> String {
        let mut form = Serializer::new(String::new());
        if message.id.starts_with("CA") {
            form.append_pair("CallSid", &message.id)
                .append_pair("AccountSid", DEVELOPMENT_ACCOUNT_SID)
                .append_pair("From", &message.from)
                .append_pair("To", &message.to)
                .append_pair("CallStatus", self.status)
                .append_pair("CallDuration", "30")
                .append_pair("SequenceNumber", "0")
                .append_pair("CallbackSource", "call-progress-events")
                .append_pair("ApiVersion", "2010-04-01");
            return form.finish();
        }
        form.append_pair("SmsSid", &message.id)
            .append_pair("SmsStatus", self.status)
            .append_pair("MessageStatus", self.status)
            .append_pair("To", &message.to)
            .append_pair("MessageSid", &message.id)
            .append_pair("AccountSid", DEVELOPMENT_ACCOUNT_SID)
            .append_pair("From", &message.from)
            .append_pair("ApiVersion", "2010-04-01")
            // "The set of parameters … is subject to change".
            .append_pair("AddedLater", "é & +");
        if let Some(code) = self.code {
            form.append_pair("ErrorCode", &code.to_string());
        }
        if self.status == "delivered" {
            form.append_pair("RawDlrDoneDate", &now.format(DONE).unwrap_or_default());
        }
        form.finish()
    }
}

/// The signature of a form, for a URL that has the port of its scheme, or has it not.
fn signature(token: &str, url: &Uri, with_port: bool, form: &str) -> String {
    let host = url.host().unwrap_or_default();
    let scheme = url.scheme_str().unwrap_or("https");
    let port = match (url.port_u16(), with_port) {
        (Some(port), _) => format!(":{port}"),
        (None, true) if scheme == "https" => ":443".to_owned(),
        (None, true) => ":80".to_owned(),
        (None, false) => String::new(),
    };
    let path = url.path_and_query().map_or("/", PathAndQuery::as_str);
    let mut signed = format!("{scheme}://{host}{port}{path}");
    let mut values = BTreeMap::<_, BTreeSet<_>>::new();
    for (name, value) in form_urlencoded::parse(form.as_bytes()) {
        values.entry(name).or_default().insert(value);
    }
    for (name, value) in values.iter().flat_map(|(name, of)| of.iter().map(move |it| (name, it))) {
        signed.push_str(name);
        signed.push_str(value);
    }
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("keys of any length");
    mac.update(signed.as_bytes());
    BASE64.encode(mac.finalize().into_bytes())
}
