//! An emulator of Infobip's APIs of SMS and voice, for development and tests.
//!
//! It checks a request as the service does (key, fields, numbers, sender, length), answers in the service's words, keeps
//! what arrived, and shows it on a page with a drawn phone. Sending to one of [`FAULTS`] makes it misbehave in a chosen
//! way. It reports the delivery of messages to who has subscribed. Nothing leaves the machine: it listens on loopback
//! addresses, and calls no others.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use okta_telephony_dev::infobip_emulator::{DEVELOPMENT_API_KEY, InfobipEmulator, Settings};
//!
//! let listen = "127.0.0.1:0".parse()?;
//! let emulator = InfobipEmulator::start(Settings::new(listen, DEVELOPMENT_API_KEY)).await?;
//! println!("{}", emulator.origin());
//! // … send something …
//! assert_eq!(emulator.messages()[0].to, "+15550100199");
//! # Ok(())
//! # }
//! ```
//!
//! - `fields` has what each field of a request may be,
//! - `send` decides what a request is answered, with `status` and `fault`,
//! - `report` has what a delivery report says, and delivers it;
//!
//! this file has the routes, but for those of the [phone](crate::phone).

mod fault;
mod fields;
mod report;
mod send;
mod status;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::StatusCode;
use http::request::Parts;
use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::acs_emulator::Clock;
use crate::loopback;
use crate::phone::{Emulated, Exchange, Message, Phone, ReceivedRequest, Report};
use crate::reply::Reply;

pub use fault::{ErrorForm, FAULTS, Fault, FaultNumber, OddAnswer, OddReport, lookup as fault_of};
use report::{Job, Subscription, What};
pub use report::{Proof, ReportSubscription};
use send::{Account, Operation, Record, Refusal, Verdict};

/// The provider that it stands for.
pub const PROVIDER: &str = "Infobip";

/// An API key for who needs no other: the same on every machine and no secret.
pub const DEVELOPMENT_API_KEY: &str = "this-key-opens-nothing-it-is-for-the-emulator-only";

/// A key that is valid and may not send.
pub const KEY_WITHOUT_SCOPE: &str = "a-key-without-the-scope-to-send-messages";

/// Where messages are posted.
const PATH: &str = "/sms/3/messages";

/// Where calls are.
const CALLS_PATH: &str = "/tts/3/advanced";

/// The longest body of a request in bytes.
const BODY_LIMIT: usize = 256 * 1024;

/// How to run an emulator.
pub struct Settings {
    /// A loopback address; port 0 takes any free port.
    pub listen: SocketAddr,
    pub api_key: String,
    /// Infobip has switched idempotency on for the account: a message that comes again with its id is sent once.
    pub idempotent: bool,
    pub now: Clock,
    /// Where its messages end up.
    pub phone: Phone,
}

impl Settings {
    /// With the machine's clock, a phone of its own, and without idempotency.
    pub fn new(listen: SocketAddr, api_key: impl Into<String>) -> Self {
        Self {
            listen,
            api_key: api_key.into(),
            idempotent: false,
            now: Arc::new(OffsetDateTime::now_utc),
            phone: Phone::default(),
        }
    }
}

/// A running emulator. It stops when this is dropped.
pub struct InfobipEmulator {
    address: SocketAddr,
    state: Arc<Emulator>,
    server: loopback::Server,
    /// Dropping it ends the deliveries of reports.
    deliveries: JoinSet<()>,
}

impl InfobipEmulator {
    /// Listens, and serves on the current Tokio runtime.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        let Settings { listen, api_key, idempotent, now, phone } = settings;
        let listener = loopback::bind(listen, "the Infobip emulator").await?;
        let address = listener.local_addr()?;
        phone.tell_of(Emulated {
            provider: PROVIDER,
            address,
            also: &[],
            faults: FAULTS.iter().map(|fault| (fault.number, fault.meaning)).collect(),
            repeats_by: "messageId",
        });
        let (jobs, received_jobs) = mpsc::unbounded_channel();
        let inner =
            Inner { record: Record::default(), fault: None, senders: None, subscription: None };
        let state = Arc::new(Emulator {
            address,
            api_key,
            idempotent,
            now,
            inner: Mutex::new(inner),
            phone,
            jobs,
        });
        let mut deliveries = JoinSet::new();
        deliveries.spawn(report::run(state.clone(), received_jobs));
        let server = loopback::Server::start(listener, router(state.clone()));
        Ok(Self { address, state, server, deliveries })
    }

    /// Where it listens, with the port that it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a URL without a path, the account's base URL: `https://127.0.0.1:…`. The certificate is one of
    /// [`tls::certificate_authority`](crate::tls::certificate_authority)'s. The same port also speaks HTTP without TLS,
    /// for browsers, which don't trust that.
    pub fn origin(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The newest accepted messages, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.state.phone.messages(PROVIDER)
    }

    /// The newest requests to send messages, whether accepted or not, oldest first. A request is in here before it is
    /// answered.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.state.phone.requests(PROVIDER)
    }

    /// From now on every message meets this fault, or again only those of [`FAULTS`].
    pub fn set_fault(&self, fault: Option<&'static FaultNumber>) {
        self.state.lock().fault = fault;
    }

    /// From now on the account has these senders only, or again every one.
    pub fn set_senders(&self, senders: Option<Vec<String>>) {
        self.state.lock().senders = senders;
    }

    /// From now on messages are reported there, and no more to who had subscribed before.
    ///
    /// # Errors
    ///
    /// An endpoint that is not on this machine, or a secret that no header can have.
    pub fn subscribe_reports(&self, subscription: ReportSubscription) -> anyhow::Result<()> {
        let subscription = Subscription::new(subscription)?;
        self.state.lock().subscription = Some(Arc::new(subscription));
        Ok(())
    }

    /// The delivery reports of [`Self::messages`], by message and then in the order of delivery. A report is in here
    /// before it is delivered, with no answers yet.
    pub fn reports(&self) -> Vec<Report> {
        self.messages().into_iter().flat_map(|message| message.reports).collect()
    }

    /// Closes all connections, whatever they are at, and frees the port.
    pub async fn shutdown(self) {
        drop(self.deliveries);
        self.server.shutdown().await;
    }
}

/// What the routes share.
struct Emulator {
    address: SocketAddr,
    api_key: String,
    idempotent: bool,
    now: Clock,
    inner: Mutex<Inner>,
    phone: Phone,
    jobs: mpsc::UnboundedSender<Job>,
}

struct Inner {
    record: Record,
    /// What every message meets, whatever its number.
    fault: Option<&'static FaultNumber>,
    /// Those of the account; without them it has every one.
    senders: Option<Vec<String>>,
    /// Who gets the delivery reports.
    subscription: Option<Arc<Subscription>>,
}

impl Emulator {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock; were it so, all that is in there are whole entries.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn account<'a>(
        &'a self,
        senders: Option<&'a [String]>,
        fault: Option<&'static FaultNumber>,
    ) -> Account<'a> {
        Account {
            api_key: &self.api_key,
            key_without_scope: KEY_WITHOUT_SCOPE,
            senders,
            idempotent: self.idempotent,
            fault,
        }
    }

    /// Decides what becomes of a request and writes it down, all before the answer starts: who has an answer finds its
    /// message on the phone.
    fn decide(&self, head: &Parts, body: Result<&[u8], (StatusCode, String)>) -> Reply {
        let operation = match head.uri.path() {
            CALLS_PATH => Operation::Voice,
            _ => Operation::Sms,
        };
        let now = (self.now)();
        let mut inner = self.lock();
        let Inner { record, fault, senders, .. } = &mut *inner;
        let account = self.account(senders.as_deref(), *fault);
        let read = body.clone().map_err(|(status, reason)| Refusal::new(status, reason));
        let request = read.and_then(|body| send::check(operation, &head.headers, body, &account));
        let verdict = match request {
            Ok(request) => request.execute(&account, record, now),
            Err(refusal) => Verdict::refused(operation, refusal),
        };
        let Verdict { reply, accepted, repeated, reasons } = verdict;
        let (whats, accepted): (Vec<_>, Vec<_>) = accepted
            .into_iter()
            .map(|it| (it.is_reported.then_some(What::Delivery(it.odd_report)), it.message))
            .unzip();
        let messages = self.phone.add(Exchange {
            provider: PROVIDER,
            received: now,
            head,
            body: body.unwrap_or_default(),
            status: reply.status(),
            reasons,
            accepted,
        });
        let reported = whats.into_iter().zip(messages).filter_map(|(what, it)| Some((what?, it)));
        let again = repeated
            .into_iter()
            .filter_map(|id| Some((What::Repeat, self.phone.message(PROVIDER, &id)?)));
        for (what, message) in reported.chain(again) {
            // The other end is gone only when the emulator is.
            _ = self.jobs.send(Job { message, what });
        }
        reply
    }

    /// Takes it that a message has converted, or refuses it, and writes it down: `POST /ct/1/log/end/{messageId}`. The
    /// specification does not say what is answered of a message that is not tracked; here that is a 404, so that it is
    /// noticed.
    fn confirm_conversion(&self, message_id: &str, head: &Parts) -> Reply {
        let key = send::check_key(&head.headers, &self.account(None, None));
        let message = self.phone.message(PROVIDER, message_id);
        let checked = key.and_then(|()| {
            let not_found = |why| Refusal::new(StatusCode::NOT_FOUND, why);
            let message = message.ok_or_else(|| not_found("there is no such message"))?;
            let is_tracked = message.takes_feedback;
            is_tracked
                .then_some(message)
                .ok_or_else(|| not_found("the message was sent without useConversionTracking"))
        });
        let (reply, reasons) = match &checked {
            Ok(_) => {
                let key = Uuid::new_v4().simple().to_string().to_uppercase();
                (Reply::json(StatusCode::OK, json!({ "processKey": key })), Vec::new())
            }
            Err(Refusal { status, reason, .. }) => {
                let reply = Reply::json(*status, send::request_error(*status));
                (reply, vec![format!("Refused: {reason}")])
            }
        };
        self.phone.add(Exchange {
            provider: PROVIDER,
            received: (self.now)(),
            head,
            body: &[],
            status: reply.status(),
            reasons,
            accepted: Vec::new(),
        });
        if let Ok(message) = checked {
            self.phone.set_used(message.number);
        }
        reply
    }
}

fn router(state: Arc<Emulator>) -> Router {
    Router::new()
        .merge(state.phone.routes())
        .route(PATH, post(send_messages))
        .route(CALLS_PATH, post(send_messages))
        .route("/ct/1/log/end/{message}", post(confirm_conversion))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_path)
        .layer(middleware::from_fn_with_state(state.address, loopback::names_only))
        .with_state(state)
}

async fn send_messages(State(emulator): State<Arc<Emulator>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = loopback::read_body(body, BODY_LIMIT).await;
    let reply = emulator.decide(&head, body.as_deref().map_err(Clone::clone));
    reply.respond().await
}

async fn confirm_conversion(
    State(emulator): State<Arc<Emulator>>,
    Path(message): Path<String>,
    request: Request,
) -> Response {
    let (head, _) = request.into_parts();
    emulator.confirm_conversion(&message, &head).respond().await
}

async fn no_such_path() -> Response {
    let status = StatusCode::NOT_FOUND;
    (status, Json(send::request_error(status))).into_response()
}

#[cfg(test)]
mod tests;
