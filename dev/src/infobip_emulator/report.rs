//! Delivery reports: what they say, and how they arrive.
//!
//! The sources are the webhook `receive-outbound-sms-message-reports-v3` of Infobip's OpenAPI specification of SMS
//! (version 3.210.0) and the profiles of its subscriptions. Here one subscription of the account's has all reports; the
//! URL that a request may name for its own is checked, and not called.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderName, HeaderValue, Request, header};
use serde_json::{Value, json};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Emulator;
use super::fault::OddReport;
use super::status::{self, Status};
use crate::phone::{DeliveryStatus, Message, Report};
use crate::segments::segments;
use crate::webhook::{Delivery, Webhook};

/// `2019-11-09T16:00:00.000+0100`: without a colon in the offset.
const MOMENT: &[BorrowedFormatItem<'_>] = format_description!(
    "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3][offset_hour sign:mandatory][offset_minute]"
);
/// "maxBucketSize" unless a profile says otherwise.
const REPORTS_AT_ONCE: usize = 100;

/// Who gets the delivery reports.
#[derive(Clone)]
pub struct ReportSubscription {
    /// A URL of plain HTTP on this machine, `http://127.0.0.1:3000/api/delivery-reports/infobip`.
    pub endpoint: String,
    pub proof: Proof,
    /// How long after its message a report comes. Those that are due by then come with it.
    pub delay: Duration,
    /// How often each request with reports is made: nothing promises that they come once.
    pub copies: u32,
    /// The pauses between the attempts of a delivery. After the last one it is given up.
    pub back_off: Vec<Duration>,
}

/// What shows that reports are Infobip's.
#[derive(Clone)]
pub enum Proof {
    /// The profile's security of the type BASIC.
    Basic { user: String, secret: String },
    /// One of the profile's own headers.
    Header { name: String, secret: String },
}

impl ReportSubscription {
    /// Reports once and 2 seconds after their message, and attempts after 1, 5 and 15 more seconds: Infobip itself takes
    /// 1, 2, 5, 10 … minutes.
    pub fn new(endpoint: impl Into<String>, proof: Proof) -> Self {
        Self {
            endpoint: endpoint.into(),
            proof,
            delay: Duration::from_secs(2),
            copies: 1,
            back_off: [1, 5, 15].map(Duration::from_secs).into(),
        }
    }
}

/// A subscription that is in order.
pub(super) struct Subscription {
    said: ReportSubscription,
    webhook: Webhook,
    proof: (HeaderName, HeaderValue),
}

impl Subscription {
    pub fn new(said: ReportSubscription) -> anyhow::Result<Self> {
        let webhook = Webhook::new(&said.endpoint)?;
        let (name, value) = match &said.proof {
            Proof::Basic { user, secret } => {
                let credentials = BASE64.encode(format!("{user}:{secret}"));
                (header::AUTHORIZATION, format!("Basic {credentials}"))
            }
            Proof::Header { name, secret } => {
                ensure!(!secret.is_empty(), "the secret of the delivery reports is empty");
                let name = HeaderName::try_from(name).context("no header can have this name")?;
                (name, secret.clone())
            }
        };
        let mut value = HeaderValue::try_from(value).context(
            "the secret of the delivery reports has a character that no header can have",
        )?;
        value.set_sensitive(true);
        Ok(Self { said, webhook, proof: (name, value) })
    }
}

/// A message that is to be reported.
pub(super) struct Job {
    pub message: Message,
    pub what: What,
}

/// What is to be reported of it.
pub(super) enum What {
    /// What became of it.
    Delivery(Option<OddReport>),
    /// That it came again. The message that there is keeps its reports.
    Repeat,
}

/// Does the jobs that come, until it is dropped: no delivery goes on then.
pub(super) async fn run(emulator: Arc<Emulator>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut running = JoinSet::new();
    while let Some(first) = jobs.recv().await {
        let Some(subscription) = emulator.lock().subscription.clone() else { continue };
        tokio::time::sleep(subscription.said.delay).await;
        let mut due = vec![first];
        while let Ok(job) = jobs.try_recv() {
            due.push(job);
        }
        let now = (emulator.now)();
        let mut reports: Vec<_> = due.into_iter().flat_map(|job| job.reports(now)).collect();
        while !reports.is_empty() {
            let rest = reports.split_off(reports.len().min(REPORTS_AT_ONCE));
            let batch = std::mem::replace(&mut reports, rest);
            running.spawn(deliver(emulator.clone(), subscription.clone(), batch));
        }
        while running.try_join_next().is_some() {}
    }
}

/// A report, and the message that it is of.
struct Reported {
    message: Message,
    report: Report,
    status: Status,
    /// Its place among the message's reports, where it is one of them.
    place: Option<usize>,
}

impl Job {
    /// In the order of their delivery.
    fn reports(self, now: OffsetDateTime) -> Vec<Reported> {
        let Self { message, what } = self;
        let is_over = message.expires.is_some_and(|expires| expires <= now);
        let good = if is_over { status::EXPIRED } else { status::DELIVERED };
        let before = now - time::Duration::seconds(1);
        let (reports, is_of_message) = match what {
            What::Delivery(None) => (vec![(good, now)], true),
            What::Delivery(Some(OddReport::Status(id))) => (vec![(id, now)], true),
            What::Delivery(Some(OddReport::Never)) => (vec![], true),
            What::Delivery(Some(OddReport::DeliveredOverFailed)) => {
                (vec![(good, now), (9, before)], true)
            }
            What::Repeat => (vec![(status::DUPLICATE_ID, now)], false),
        };
        let reported = |(id, received)| {
            let status = Status::of(id);
            let report = Report {
                message_id: message.id.clone(),
                status: match status.is_delivered() {
                    true => DeliveryStatus::Delivered,
                    false => DeliveryStatus::Failed,
                },
                code: id,
                details: format!("{id}: {}", status.name),
                received,
                answers: Vec::new(),
                is_taken: false,
            };
            let place = is_of_message.then_some(0);
            Reported { message: message.clone(), report, status, place }
        };
        reports.into_iter().map(reported).collect()
    }
}

/// Delivers reports in one request.
async fn deliver(
    emulator: Arc<Emulator>,
    subscription: Arc<Subscription>,
    mut batch: Vec<Reported>,
) {
    let results: Vec<_> = batch.iter().map(Reported::result).collect();
    let body = json!({ "results": results }).to_string();
    for reported in &mut batch {
        if let Some(place) = &mut reported.place {
            emulator.phone.change_reports(reported.message.number, |reports| {
                *place = reports.len();
                reports.push(reported.report.clone());
            });
        }
    }
    for _ in 0..subscription.said.copies {
        let delivery = Delivery {
            back_off: &subscription.said.back_off,
            is_over: is_taken,
            body: body.clone(),
        };
        let (name, value) = &subscription.proof;
        let request = |_| {
            Request::post("/").header(name, value).header(header::CONTENT_TYPE, "application/json")
        };
        let answered = |status: Option<u16>| {
            for Reported { message, place, .. } in &batch {
                let Some(place) = *place else { continue };
                emulator.phone.change_reports(message.number, |reports| {
                    if let Some(report) = reports.get_mut(place) {
                        report.answers.push(status);
                        report.is_taken = status.is_some_and(is_taken);
                    }
                });
            }
        };
        subscription.webhook.deliver(delivery, request, answered).await;
    }
}

/// "Your server returns this code if it accepts the callback."
fn is_taken(status: u16) -> bool {
    status == 200
}

impl Reported {
    fn result(&self) -> Value {
        let Self { message, report, status, .. } = self;
        let mut result = json!({
            "bulkId": format!("bulk-{}", message.number),
            "price": { "pricePerMessage": 0.01, "currency": "EUR" },
            "status": status.json(),
            "error": status.error(),
            "messageId": message.id,
            "to": message.to.trim_start_matches('+'),
            "sender": message.from,
            "sentAt": moment(message.received),
            "doneAt": moment(report.received),
            "messageCount": segments(&message.text),
        });
        if message.voice.is_some() {
            self.make_of_call(&mut result);
        }
        if let Some(tag) = &message.tag {
            result["callbackData"] = json!(tag);
        }
        result
    }
}

impl Reported {
    /// What the report of a call has instead: version 2 of the voice report.
    fn make_of_call(&self, result: &mut Value) {
        let Self { message, report, status, .. } = self;
        if let Some(result) = result.as_object_mut() {
            for name in ["doneAt", "messageCount", "sender", "platform"] {
                result.remove(name);
            }
        }
        let ended = moment(report.received);
        result["from"] = json!(message.from);
        result["price"] = json!({ "pricePerSecond": 0.01, "currency": "EUR" });
        result["voiceCall"] = json!({
            "feature": "Voice-message",
            "startTime": moment(message.received),
            "answerTime": status.is_delivered().then(|| ended.clone()),
            "endTime": ended,
            "duration": 10,
            "chargedDuration": 30,
        });
        if status.is_delivered() {
            result["error"] = json!({
                "groupId": 0, "groupName": "OK", "id": 5000, "name": "VOICE_ANSWERED",
                "description": "Call answered by human", "permanent": true,
            });
        }
    }
}

fn moment(moment: OffsetDateTime) -> String {
    // Formatting fails only for what a moment lacks, and this one has a date, a time and an offset.
    moment.to_offset(UtcOffset::UTC).format(MOMENT).unwrap_or_default()
}
