//! An emulator of Azure Communication Services' SMS REST API, for development and tests.
//!
//! It checks a request as the service does (signature, version, schema, repeatability), answers in
//! the service's words, keeps what arrived, and shows it on a page with a drawn phone. Sending to
//! one of [`FAULTS`] makes it misbehave in a chosen way. It reports the delivery of a message to who
//! has subscribed, as Azure Event Grid does, or who asks for it, and takes the telemetry that is meant for Application
//! Insights. Nothing leaves the machine: it listens on loopback addresses, and calls no others.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use okta_telephony_dev::acs_emulator::{AcsEmulator, DEVELOPMENT_ACCESS_KEY, Settings};
//!
//! let listen = "127.0.0.1:0".parse()?;
//! let emulator = AcsEmulator::start(Settings::new(listen, DEVELOPMENT_ACCESS_KEY)).await?;
//! println!("{}", emulator.connection_string());
//! // … send something …
//! assert_eq!(emulator.messages()[0].to, "+15550100199");
//! # Ok(())
//! # }
//! ```
//!
//! - `signature` decides whether a request is authentic,
//! - `send` what it is answered, with `repeatability` and `fault`,
//! - `report` has what a delivery report says, and `event_grid` delivers it,
//! - `application_insights` checks telemetry;
//!
//! this file has the routes, but for those of the [phone].

mod application_insights;
mod event_grid;
mod fault;
mod imf_fixdate;
mod repeatability;
mod report;
mod send;
mod signature;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use axum::Json;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::request::Parts;
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::loopback;
use crate::phone::{self, Emulated, Exchange, Newest, Phone};
use crate::reply::{Reply, cut};

pub use application_insights::{DEVELOPMENT_INSTRUMENTATION_KEY, TrackFault};
pub use event_grid::{EventSubscription, SECRET_HEADER};
use event_grid::{Job, Subscription};
pub use fault::{
    FAULTS, Fault, FaultNumber, OddAnswer, OddItem, OddReport, RefusalBody, lookup as fault_of,
};
use repeatability::Record;
pub use report::EventSchema;
use report::Owed;
use send::Verdict;

pub use crate::phone::{DeliveryStatus, Framing, Message, RawRequest, ReceivedRequest, Report};
pub use crate::reply::{HUGE_BODY, Spoilt, TRICKLE_PAUSE, Times};

/// The provider that it stands for.
pub const PROVIDER: &str = "ACS";

/// An access key for who needs no other: the same on every machine and no secret.
pub const DEVELOPMENT_ACCESS_KEY: &str =
    "VGhpcyBrZXkgb3BlbnMgbm90aGluZy4gSXQgaXMgZm9yIHRoZSBlbXVsYXRvciBvbmx5Lg==";

/// The longest body of a request in bytes. The longest one that the schema allows, with 100
/// recipients, stays below 64 KiB.
const BODY_LIMIT: usize = 256 * 1024;

/// Where the emulator gets the time from.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// How to run an emulator.
pub struct Settings {
    /// A loopback address; port 0 takes any free port.
    pub listen: SocketAddr,
    /// As in a connection string: base64, not empty.
    pub access_key: String,
    pub now: Clock,
    /// Where its messages end up.
    pub phone: Phone,
}

impl Settings {
    /// With the machine's clock, and a phone of its own.
    pub fn new(listen: SocketAddr, access_key: impl Into<String>) -> Settings {
        Settings {
            listen,
            access_key: access_key.into(),
            now: Arc::new(OffsetDateTime::now_utc),
            phone: Phone::default(),
        }
    }
}

/// A running emulator. It stops when this is dropped.
pub struct AcsEmulator {
    address: SocketAddr,
    access_key: String,
    state: Arc<Emulator>,
    server: loopback::Server,
    /// Dropping it ends the deliveries of reports.
    deliveries: JoinSet<()>,
}

impl AcsEmulator {
    /// Listens, and serves on the current Tokio runtime.
    pub async fn start(settings: Settings) -> anyhow::Result<AcsEmulator> {
        let Settings { listen, access_key, now, phone } = settings;
        let key = BASE64
            .decode(&access_key)
            .context("the ACS emulator's access key is not base64; pass one that is")?;
        anyhow::ensure!(
            !key.is_empty(),
            "the ACS emulator's access key is empty; pass some bytes in base64"
        );
        let listener = loopback::bind(listen, "the ACS emulator").await?;
        let address = listener.local_addr()?;

        phone.tell_of(Emulated {
            provider: PROVIDER,
            address,
            also: &[("/telemetry", "Telemetry as JSON, as it is posted to /v2.1/track")],
            faults: FAULTS.iter().map(|fault| (fault.number, fault.meaning)).collect(),
            repeats_by: "repeatabilityRequestId",
        });
        let (jobs, received_jobs) = mpsc::unbounded_channel();
        let state = Arc::new(Emulator {
            address,
            key,
            now,
            inner: Mutex::new(Inner {
                record: Record::default(),
                fault: None,
                senders: None,
                subscription: None,
                owed: Newest::default(),
                telemetry: Newest::default(),
                track_requests: 0,
                track_fault: None,
            }),
            phone,
            jobs,
        });
        let mut deliveries = JoinSet::new();
        deliveries.spawn(event_grid::run(state.clone(), received_jobs));
        let server = loopback::Server::start(listener, router(state.clone()));
        Ok(AcsEmulator { address, access_key, state, server, deliveries })
    }

    /// Where it listens, with the port that it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its messages end up.
    pub fn phone(&self) -> Phone {
        self.state.phone.clone()
    }

    /// Its address as a URL without a path: `https://127.0.0.1:…`. The certificate is one of
    /// [`tls::certificate_authority`](crate::tls::certificate_authority)'s. The same port also speaks HTTP without TLS,
    /// for browsers, which don't trust that.
    pub fn origin(&self) -> String {
        format!("https://{}", self.address)
    }

    /// In the form of the Azure portal: `endpoint=https://127.0.0.1:…/;accesskey=…`.
    pub fn connection_string(&self) -> String {
        format!("endpoint={}/;accesskey={}", self.origin(), self.access_key)
    }

    /// The newest 20,000 accepted messages, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.state.phone.messages(PROVIDER)
    }

    /// The newest 20,000 `POST /sms`, whether accepted or not, oldest first. A request is in here before
    /// it is answered.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.state.phone.requests(PROVIDER)
    }

    /// From now on every message meets this fault, or again only those of [`FAULTS`].
    pub fn set_fault(&self, fault: Option<&'static FaultNumber>) {
        self.state.lock().fault = fault;
    }

    /// From now on the resource owns these senders only, or again every one.
    pub fn set_senders(&self, senders: Option<Vec<String>>) {
        self.state.lock().senders = senders;
    }

    /// From now on the delivery of each message whose request asks for a report is reported there,
    /// and no more to who had subscribed before.
    ///
    /// # Errors
    ///
    /// An endpoint that is not on this machine, or that does not agree as Event Grid wants it to; the
    /// message says what it answered, and what to look at.
    pub async fn subscribe_reports(&self, subscription: EventSubscription) -> anyhow::Result<()> {
        let validation_url = format!("http://{}/validate", self.address);
        let now = (self.state.now)();
        let subscription = Subscription::agree(subscription, &validation_url, now).await?;
        self.state.lock().subscription = Some(Arc::new(subscription));
        Ok(())
    }

    /// The delivery reports of [`Self::messages`], by message and then in the order of delivery. A
    /// report is in here before it is delivered, with no answers yet.
    pub fn reports(&self) -> Vec<Report> {
        self.messages().into_iter().flat_map(|message| message.reports).collect()
    }

    /// As Azure shows it for an Application Insights resource:
    /// `InstrumentationKey=…;IngestionEndpoint=https://127.0.0.1:…/`.
    pub fn application_insights_connection_string(&self) -> String {
        format!(
            "InstrumentationKey={DEVELOPMENT_INSTRUMENTATION_KEY};IngestionEndpoint={}/",
            self.origin()
        )
    }

    /// The newest 20,000 items of telemetry that were accepted, oldest first.
    pub fn telemetry(&self) -> Vec<Value> {
        self.state.lock().telemetry.iter().cloned().collect()
    }

    /// How many requests with telemetry have come, whatever they were answered. A request counts
    /// before it is answered.
    pub fn track_requests(&self) -> usize {
        self.state.lock().track_requests
    }

    /// From now on every request with telemetry meets this fault, or none.
    pub fn set_track_fault(&self, fault: Option<TrackFault>) {
        self.state.lock().track_fault = fault;
    }

    /// From now on nobody reads or writes the connections that there are, and they stay open: what a client sees of a
    /// network that drops them without a word. New ones are served.
    pub fn freeze_connections(&self) {
        self.server.freeze_connections();
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
    key: Vec<u8>,
    now: Clock,
    inner: Mutex<Inner>,
    phone: Phone,
    jobs: mpsc::UnboundedSender<Job>,
}

struct Inner {
    record: Record,
    /// What every message meets, whatever its number.
    fault: Option<&'static FaultNumber>,
    /// Those of the resource; without them it has every one.
    senders: Option<Vec<String>>,
    /// Who gets the delivery reports.
    subscription: Option<Arc<Subscription>>,
    /// Those of the messages that have been accepted.
    owed: Newest<Owed>,
    telemetry: Newest<Value>,
    track_requests: usize,
    track_fault: Option<TrackFault>,
}

impl Emulator {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock; were it so, all that is in there are whole entries.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides what becomes of a request and writes it down, all before the answer starts: who has
    /// an answer finds its message in the journal.
    fn decide(
        &self,
        head: &Parts,
        body: &[u8],
        verdict: impl FnOnce(&mut Record, OffsetDateTime) -> Verdict,
    ) -> Reply {
        let now = (self.now)();
        let mut inner = self.lock();
        let Verdict { reply, accepted, reasons } = verdict(&mut inner.record, now);
        let mut reported = Vec::new();
        let accepted = accepted.into_iter().map(|accepted| {
            reported.push((accepted.delivery_report, accepted.odd_report));
            accepted.message
        });
        let messages = self.phone.add(Exchange {
            provider: PROVIDER,
            received: now,
            head,
            body,
            status: reply.status(),
            reasons,
            accepted: accepted.collect(),
        });
        for (message, (delivery_report, odd)) in messages.into_iter().zip(reported) {
            if !delivery_report {
                continue;
            }
            let subscription = inner.subscription.clone();
            let message_id = message.id.clone();
            inner.owed.push(Owed { message_id, odd, by_event: subscription.is_some() });
            if let Some(subscription) = subscription {
                // The other end is gone only when the emulator is.
                _ = self.jobs.send(Job { message, odd, subscription });
            }
        }
        reply
    }
}

fn router(state: Arc<Emulator>) -> Router {
    Router::new()
        .route("/telemetry", get(list_telemetry))
        .layer(middleware::map_response(phone::harden))
        .merge(state.phone.routes())
        .route("/sms", post(send_sms))
        .route("/deliveryReports/{id}", get(delivery_report))
        .route("/v2.1/track", post(track))
        .layer(middleware::from_fn_with_state(state.clone(), loopback_names_only))
        .with_state(state)
}

async fn loopback_names_only(
    State(emulator): State<Arc<Emulator>>,
    request: Request,
    next: Next,
) -> Response {
    if loopback::is_named(request.headers()) {
        return next.run(request).await;
    }
    if request.method() == Method::POST && request.uri().path() == "/sms" {
        let (head, _) = request.into_parts();
        emulator.decide(&head, b"", |_, _| {
            let status = StatusCode::MISDIRECTED_REQUEST;
            Verdict::refused(status, "the Host header is not a name of this machine")
        });
    }
    loopback::misdirected(emulator.address)
}

async fn send_sms(State(emulator): State<Arc<Emulator>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = match loopback::read_body(body, BODY_LIMIT).await {
        Ok(body) => body,
        Err((status, reason)) => {
            let reply = emulator.decide(&head, b"", |_, _| Verdict::refused(status, reason));
            return reply.respond().await;
        }
    };
    let request = send::check(&head, &body, &emulator.key, (emulator.now)());
    let (fault, senders) = {
        let inner = emulator.lock();
        (inner.fault, inner.senders.clone())
    };
    let request = match (request, fault) {
        (Ok(request), Some(fault)) => Ok(request.with_fault(fault)),
        (request, _) => request,
    };
    let reply = emulator.decide(&head, &body, |record, now| match request {
        Ok(request) => request.execute(senders.as_deref(), record, now),
        Err(refusal) => refusal,
    });
    let mut response = reply.respond().await;
    // The date that the service has, which hyper would take from the machine's clock.
    let date = imf_fixdate::format((emulator.now)()).and_then(|date| date.parse().ok());
    if let Some(date) = date {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// `GET /deliveryReports/{outgoingMessageId}`. Whether the service wants the id with its `Outgoing_` is not documented. The
/// emulator wants it as it made it, so that who has it in another form must try.
async fn delivery_report(
    State(emulator): State<Arc<Emulator>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (head, _) = request.into_parts();
    let now = (emulator.now)();
    if let Err(verdict) = send::check_question(&head, &emulator.key, now) {
        return verdict.reply.respond().await;
    }
    let message = emulator.phone.message(PROVIDER, &id);
    let answer = message.and_then(|message| {
        let inner = emulator.lock();
        let owed = inner.owed.iter().rev().find(|owed| owed.message_id == id)?;
        owed.answer(&message, now)
    });
    match answer {
        Some(report) => Json(report).into_response(),
        None => (StatusCode::NOT_FOUND, Json(send::no_report())).into_response(),
    }
}

async fn track(State(emulator): State<Arc<Emulator>>, request: Request) -> Response {
    let fault = {
        let mut inner = emulator.lock();
        inner.track_requests += 1;
        inner.track_fault
    };
    match fault {
        Some(TrackFault::Hang) => std::future::pending().await,
        Some(TrackFault::Cut) => return cut(),
        _ => {}
    }
    let (head, body) = request.into_parts();
    let verdict = match Limited::new(body, application_insights::BODY_LIMIT).collect().await {
        Ok(body) => {
            let content_type = head.headers.get(header::CONTENT_TYPE);
            let content_type = content_type.and_then(|value| value.to_str().ok());
            let content_type = content_type.unwrap_or_default();
            application_insights::judge(content_type, &body.to_bytes(), fault)
        }
        Err(error) => {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            application_insights::Verdict::refused(status, &error.to_string())
        }
    };
    let mut inner = emulator.lock();
    verdict.accepted.into_iter().for_each(|item| inner.telemetry.push(item));
    (verdict.status, Json(verdict.body)).into_response()
}

async fn list_telemetry(State(emulator): State<Arc<Emulator>>) -> Response {
    Json(emulator.lock().telemetry.iter().collect::<Vec<_>>()).into_response()
}

#[cfg(test)]
mod tests;
