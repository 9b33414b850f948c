//! An emulator of Telesign's APIs of SMS and voice, for development and tests.
//!
//! It checks a request as the service does (signature, nonce, date, fields, sender), answers in the service's words, keeps
//! what arrived, and shows it on a page with a drawn phone. Sending to one of [`FAULTS`] makes it misbehave in a chosen
//! way. It reports the delivery of messages to who has subscribed, signed. Nothing leaves the machine: it listens on
//! loopback addresses, and calls no others.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use okta_telephony_dev::telesign_emulator::{Settings, TelesignEmulator};
//!
//! let emulator = TelesignEmulator::start(Settings::new("127.0.0.1:0".parse()?)).await?;
//! println!("{}", emulator.origin());
//! // … send something …
//! assert_eq!(emulator.messages()[0].to, "+15550100199");
//! # Ok(())
//! # }
//! ```
//!
//! - `signature` has who signs what, and how,
//! - `fields` has what each field of a request may be,
//! - `send` decides what a request is answered, with `status` and `fault`,
//! - `report` has what a delivery report says, and delivers it;
//!
//! this file has the routes, but for those of the [phone](crate::phone).

mod fault;
mod fields;
mod report;
mod send;
mod signature;
mod status;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use http::StatusCode;
use http::request::Parts;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::acs_emulator::Clock;
use crate::loopback;
use crate::phone::{Emulated, Exchange, Message, Phone, ReceivedRequest, Report};
use crate::reply::Reply;

pub use fault::{ErrorForm, FAULTS, Fault, FaultNumber, OddAnswer, OddReport, lookup as fault_of};
pub use report::ReportSubscription;
use report::{Job, Subscription};
use send::{Account, Record, Refusal, Verdict};

/// The provider that it stands for.
pub const PROVIDER: &str = "Telesign";

/// A Customer ID for who needs no other.
pub const DEVELOPMENT_CUSTOMER_ID: &str = "00000000-DEAD-4BEE-8000-000000000000";

/// Its API key: the same on every machine and no secret.
pub const DEVELOPMENT_API_KEY: &str =
    "dGhpcyBrZXkgb3BlbnMgbm90aGluZzogaXQgaXMgZm9yIHRoZSBlbXVsYXRvciBvbmx5";

/// Where messages are posted.
const PATH: &str = "/v1/messaging";

/// Where calls are.
const CALLS_PATH: &str = "/v1/voice";

/// The longest body of a request in bytes.
const BODY_LIMIT: usize = 256 * 1024;

/// How to run an emulator.
pub struct Settings {
    /// A loopback address; port 0 takes any free port.
    pub listen: SocketAddr,
    pub customer_id: String,
    /// In base64.
    pub api_key: String,
    pub now: Clock,
    /// Where its messages end up.
    pub phone: Phone,
}

impl Settings {
    /// With the account for development, the machine's clock and a phone of its own.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            customer_id: DEVELOPMENT_CUSTOMER_ID.to_owned(),
            api_key: DEVELOPMENT_API_KEY.to_owned(),
            now: Arc::new(OffsetDateTime::now_utc),
            phone: Phone::default(),
        }
    }
}

/// A running emulator. It stops when this is dropped.
pub struct TelesignEmulator {
    address: SocketAddr,
    state: Arc<Emulator>,
    server: loopback::Server,
    /// Dropping it ends the deliveries of reports.
    deliveries: JoinSet<()>,
}

impl TelesignEmulator {
    /// Listens, and serves on the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// An address that can't be listened on, or a key that is not base64.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        let Settings { listen, customer_id, api_key, now, phone } = settings;
        let key = signature::Key::new(&api_key)?;
        let listener = loopback::bind(listen, "the Telesign emulator").await?;
        let address = listener.local_addr()?;
        phone.tell_of(Emulated {
            provider: PROVIDER,
            address,
            also: &[],
            faults: FAULTS.iter().map(|fault| (fault.number, fault.meaning)).collect(),
            repeats_by: "body, to the letter",
        });
        let (jobs, received_jobs) = mpsc::unbounded_channel();
        let inner =
            Inner { record: Record::default(), fault: None, senders: None, subscription: None };
        let state = Arc::new(Emulator {
            address,
            customer_id,
            api_key,
            key,
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

    /// Its address as a URL without a path: `https://127.0.0.1:…`. The certificate is one of
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
    /// An endpoint that is not on this machine.
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
    customer_id: String,
    api_key: String,
    key: signature::Key,
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
            customer_id: &self.customer_id,
            api_key: &self.api_key,
            key: &self.key,
            senders,
            fault,
        }
    }

    /// Decides what becomes of a request and writes it down, all before the answer starts: who has an answer finds its
    /// message on the phone.
    fn decide(&self, head: &Parts, body: Result<&[u8], (StatusCode, String)>) -> Reply {
        let now = (self.now)();
        let mut inner = self.lock();
        let Inner { record, fault, senders, .. } = &mut *inner;
        let account = self.account(senders.as_deref(), *fault);
        let read = body.clone().map_err(|(status, reason)| Refusal::without_code(status, reason));
        let verdict = match read.and_then(|body| send::check(head, body, &account, record, now)) {
            Ok(request) => request.execute(&account, now),
            Err(refusal) => Verdict::refused(&refusal, now),
        };
        let Verdict { reply, accepted, reasons } = verdict;
        let (odd_report, message) = match accepted {
            Some(accepted) => (accepted.odd_report, Some(accepted.message)),
            None => (None, None),
        };
        let messages = self.phone.add(Exchange {
            provider: PROVIDER,
            received: now,
            head,
            body: body.unwrap_or_default(),
            status: reply.status(),
            reasons,
            accepted: message.into_iter().collect(),
        });
        for message in messages {
            // The other end is gone only when the emulator is.
            _ = self.jobs.send(Job { message, odd_report });
        }
        reply
    }

    /// Takes it that the passcode of a message was used, or refuses it, and writes it down:
    /// `PUT /v1/verify/completion/{reference_id}`.
    fn report_completion(
        &self,
        reference_id: &str,
        head: &Parts,
        body: Result<&[u8], (StatusCode, String)>,
    ) -> Reply {
        let now = (self.now)();
        let mut inner = self.lock();
        let account = self.account(None, None);
        let read = body.clone().map_err(|(status, _)| (status, -10_001));
        let checked = read
            .and_then(|body| {
                let signed = signature::check(head, body, &account, &mut inner.record, now);
                signed.map_err(|refusal| refusal.older())
            })
            .and_then(|()| {
                let message = self.phone.message(PROVIDER, reference_id);
                let message = message.ok_or((StatusCode::NOT_FOUND, -10_001))?;
                let is_sms = message.takes_feedback;
                is_sms.then_some(message).ok_or((StatusCode::UNAUTHORIZED, -30_013))
            });
        let (reply, reasons) = match &checked {
            Ok(_) => (send::completed(reference_id, now), Vec::new()),
            Err((status, code)) => {
                let reply = Reply::json(*status, send::older_error(reference_id, *code));
                (reply, vec![format!("Refused: {code}")])
            }
        };
        self.phone.add(Exchange {
            provider: PROVIDER,
            received: now,
            head,
            body: body.unwrap_or_default(),
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
        .route(PATH, post(send_message))
        .route(CALLS_PATH, post(send_message))
        .route("/v1/verify/completion/{message}", put(report_completion))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_path)
        .layer(middleware::from_fn_with_state(state.address, loopback::names_only))
        .with_state(state)
}

async fn send_message(State(emulator): State<Arc<Emulator>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = loopback::read_body(body, BODY_LIMIT).await;
    let reply = emulator.decide(&head, body.as_deref().map_err(Clone::clone));
    reply.respond().await
}

async fn report_completion(
    State(emulator): State<Arc<Emulator>>,
    Path(message): Path<String>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let body = loopback::read_body(body, BODY_LIMIT).await;
    let body = body.as_deref().map_err(Clone::clone);
    emulator.report_completion(&message, &head, body).respond().await
}

async fn no_such_path() -> Response {
    StatusCode::NOT_FOUND.into_response()
}

#[cfg(test)]
mod tests;
