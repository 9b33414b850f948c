//! An emulator of Twilio's API for messages and calls, for development and tests.
//!
//! It checks a request as the service does (key, account, numbers, sender, lengths, validity, callback), answers in the
//! service's words, keeps what arrived, and shows it on a page with a drawn phone. Sending to one of [`FAULTS`] makes it
//! misbehave in a chosen way, and the account of Twilio's test credentials knows Twilio's own magic numbers. It calls the
//! `StatusCallback` of messages, signed. Nothing leaves the machine: it listens on loopback addresses, and calls no others.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use okta_telephony_dev::twilio_emulator::{Settings, TwilioEmulator};
//!
//! let emulator = TwilioEmulator::start(Settings::new("127.0.0.1:0".parse()?)).await?;
//! println!("{}", emulator.origin());
//! // … send something …
//! assert_eq!(emulator.messages()[0].to, "+15550100199");
//! # Ok(())
//! # }
//! ```
//!
//! - `send` decides what a request is answered, with `fault` and, for test credentials, `magic`,
//! - `feedback` decides the same of feedback on a passcode that was used,
//! - `callback` has what a status callback says, signs it, and delivers it;
//!
//! this file has the routes, but for those of the [phone](crate::phone).

mod callback;
mod fault;
mod feedback;
mod magic;
mod send;
mod twiml;

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
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::acs_emulator::Clock;
use crate::loopback;
use crate::phone::{Emulated, Exchange, Message, Phone, ReceivedRequest, Report};
use crate::reply::Reply;

pub use callback::Callbacks;
use callback::Job;
pub use fault::{FAULTS, Fault, FaultNumber, OddAnswer, OddReport, lookup as fault_of};
use send::{Account, ErrorForm, Record, Refusal, Verdict};

/// The provider that it stands for.
pub const PROVIDER: &str = "Twilio";

/// The account, the same on every machine, as what follows: no secrets.
pub const DEVELOPMENT_ACCOUNT_SID: &str = "AC0000000000000000000000000000de50";

/// An API key of the account.
pub const DEVELOPMENT_KEY_SID: &str = "SK0000000000000000000000000000de50";

/// The secret of the API key.
pub const DEVELOPMENT_KEY_SECRET: &str = "this-secret-opens-nothing-it-is-for-the-emulator-only";

/// The account's primary auth token, with which callbacks are signed.
pub const DEVELOPMENT_AUTH_TOKEN: &str = "0000000000000000000000000000de50";

/// The account of the test credentials, with which nothing is sent.
pub const TEST_ACCOUNT_SID: &str = "AC0000000000000000000000000000ee57";

/// The auth token of the test credentials.
pub const TEST_AUTH_TOKEN: &str = "0000000000000000000000000000ee57";

/// What is made by a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    Messages,
    Calls,
}

/// The longest body of a request in bytes.
const BODY_LIMIT: usize = 256 * 1024;

/// How to run an emulator.
pub struct Settings {
    /// A loopback address; port 0 takes any free port.
    pub listen: SocketAddr,
    pub now: Clock,
    /// Where its messages end up.
    pub phone: Phone,
}

impl Settings {
    /// With the machine's clock and a phone of its own.
    pub fn new(listen: SocketAddr) -> Self {
        Self { listen, now: Arc::new(OffsetDateTime::now_utc), phone: Phone::default() }
    }
}

/// A running emulator. It stops when this is dropped.
pub struct TwilioEmulator {
    address: SocketAddr,
    state: Arc<Emulator>,
    server: loopback::Server,
    /// Dropping it ends the callbacks.
    deliveries: JoinSet<()>,
}

impl TwilioEmulator {
    /// Listens, and serves on the current Tokio runtime.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        let Settings { listen, now, phone } = settings;
        let listener = loopback::bind(listen, "the Twilio emulator").await?;
        let address = listener.local_addr()?;
        phone.tell_of(Emulated {
            provider: PROVIDER,
            address,
            also: &[],
            faults: FAULTS.iter().map(|fault| (fault.number, fault.meaning)).collect(),
            repeats_by: "To with the same Body",
        });
        let (jobs, received_jobs) = mpsc::unbounded_channel();
        let inner = Inner {
            record: Record::default(),
            fault: None,
            senders: None,
            callbacks: Callbacks::default(),
            auth_token: DEVELOPMENT_AUTH_TOKEN.to_owned(),
        };
        let state = Arc::new(Emulator { address, now, inner: Mutex::new(inner), phone, jobs });
        let mut deliveries = JoinSet::new();
        deliveries.spawn(callback::run(state.clone(), received_jobs));
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

    /// From now on the callbacks of messages go out in this way.
    ///
    /// # Errors
    ///
    /// Another machine that they would go to.
    pub fn set_callbacks(&self, callbacks: Callbacks) -> anyhow::Result<()> {
        callbacks.check()?;
        self.state.lock().callbacks = callbacks;
        Ok(())
    }

    /// Makes another auth token the primary one, with which callbacks are signed from now on.
    pub fn promote_auth_token(&self, token: &str) {
        self.state.lock().auth_token = token.to_owned();
    }

    /// The last callbacks of [`Self::messages`], by message and then in the order of delivery. One is in here before it is
    /// delivered, with no answers yet.
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
    /// How callbacks go out.
    callbacks: Callbacks,
    /// What they are signed with.
    auth_token: String,
}

impl Emulator {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock; were it so, all that is in there are whole entries.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides what becomes of a request and writes it down, all before the answer starts: who has an answer finds its
    /// message on the phone.
    fn decide(
        &self,
        resource: Resource,
        account_sid: &str,
        head: &Parts,
        body: Result<&[u8], (StatusCode, String)>,
    ) -> Reply {
        let now = (self.now)();
        let mut inner = self.lock();
        let Inner { record, fault, senders, auth_token, .. } = &mut *inner;
        let account = Account { auth_token, senders: senders.as_deref(), fault: *fault };
        let read = body.clone().map_err(|(status, reason)| Refusal::new(status, 0, reason));
        let checked =
            read.and_then(|body| send::check(resource, account_sid, &head.headers, body, &account));
        let verdict = match checked {
            Ok(request) => request.execute(&account, record, now),
            Err(refusal) => Verdict::refused(&refusal),
        };
        let Verdict { reply, accepted, reasons } = verdict;
        let (callbacks, messages) = accepted.map(|it| (it.callback, it.message)).unzip();
        let messages = self.phone.add(Exchange {
            provider: PROVIDER,
            received: now,
            head,
            body: body.unwrap_or_default(),
            status: reply.status(),
            reasons,
            accepted: messages.into_iter().collect(),
        });
        for (callback, message) in callbacks.flatten().into_iter().zip(messages) {
            // The other end is gone only when the emulator is.
            _ = self.jobs.send(Job { message, callback });
        }
        reply
    }

    /// Takes feedback on a message or refuses it, and writes it down.
    fn take_feedback(
        &self,
        account_sid: &str,
        message_sid: &str,
        head: &Parts,
        body: Result<&[u8], (StatusCode, String)>,
    ) -> Reply {
        let now = (self.now)();
        let inner = self.lock();
        let Inner { senders, fault, auth_token, .. } = &*inner;
        let account = Account { auth_token, senders: senders.as_deref(), fault: *fault };
        let message = self.phone.message(PROVIDER, message_sid);
        let read = body.clone().map_err(|(status, reason)| Refusal::new(status, 0, reason));
        let checked = read.and_then(|body| {
            feedback::check(account_sid, message.as_ref(), &head.headers, body, &account)
        });
        let (reply, reasons) = match &checked {
            Ok(feedback) => (feedback.answer(now), Vec::new()),
            Err(refusal) => {
                let Verdict { reply, reasons, .. } = Verdict::refused(refusal);
                (reply, reasons)
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
        if let (Ok(feedback), Some(message)) = (&checked, &message)
            && feedback.is_confirmed
        {
            self.phone.set_used(message.number);
        }
        reply
    }
}

fn router(state: Arc<Emulator>) -> Router {
    Router::new()
        .merge(state.phone.routes())
        .route("/2010-04-01/Accounts/{account}/Messages.json", post(send_message))
        .route("/2010-04-01/Accounts/{account}/Calls.json", post(make_call))
        .route(
            "/2010-04-01/Accounts/{account}/Messages/{message}/Feedback.json",
            post(take_feedback),
        )
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_path)
        .layer(middleware::from_fn_with_state(state.address, loopback::names_only))
        .with_state(state)
}

async fn send_message(
    State(emulator): State<Arc<Emulator>>,
    Path(account): Path<String>,
    request: Request,
) -> Response {
    create(Resource::Messages, &emulator, &account, request).await
}

async fn make_call(
    State(emulator): State<Arc<Emulator>>,
    Path(account): Path<String>,
    request: Request,
) -> Response {
    create(Resource::Calls, &emulator, &account, request).await
}

async fn create(
    resource: Resource,
    emulator: &Emulator,
    account: &str,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let body = loopback::read_body(body, BODY_LIMIT).await;
    let reply = emulator.decide(resource, account, &head, body.as_deref().map_err(Clone::clone));
    reply.respond().await
}

async fn take_feedback(
    State(emulator): State<Arc<Emulator>>,
    Path((account, message)): Path<(String, String)>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let body = loopback::read_body(body, BODY_LIMIT).await;
    let body = body.as_deref().map_err(Clone::clone);
    emulator.take_feedback(&account, &message, &head, body).respond().await
}

async fn no_such_path() -> Response {
    let status = StatusCode::NOT_FOUND;
    (status, Json(send::error(status, 20_404, ErrorForm::Older))).into_response()
}

#[cfg(test)]
mod tests;
