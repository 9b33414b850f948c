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
//! - `application_insights` checks telemetry,
//! - `journal` keeps what happened,
//! - `page` shows it;
//!
//! this file has the routes.

mod application_insights;
mod event_grid;
mod fault;
mod imf_fixdate;
mod journal;
mod page;
mod repeatability;
mod report;
mod send;
mod signature;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::stream;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::loopback;

pub use application_insights::{DEVELOPMENT_INSTRUMENTATION_KEY, TrackFault};
pub use event_grid::{EventSubscription, SECRET_HEADER};
use event_grid::{Job, Subscription};
pub use fault::{
    FAULTS, Fault, FaultNumber, HUGE_BODY, OddAnswer, OddItem, OddReport, RefusalBody,
    TRICKLE_PAUSE, Times, lookup as fault_of,
};
pub use journal::{Framing, Message, RawRequest, ReceivedRequest};
use journal::{Journal, Newest};
use repeatability::Record;
use report::Sent;
pub use report::{DeliveryStatus, EventSchema, Report};
use send::{Reply, ReplyBody, Verdict};

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
}

impl Settings {
    /// With the machine's clock.
    pub fn new(listen: SocketAddr, access_key: impl Into<String>) -> Settings {
        Settings { listen, access_key: access_key.into(), now: Arc::new(OffsetDateTime::now_utc) }
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
        let Settings { listen, access_key, now } = settings;
        let key = BASE64
            .decode(&access_key)
            .context("the ACS emulator's access key is not base64; pass one that is")?;
        anyhow::ensure!(
            !key.is_empty(),
            "the ACS emulator's access key is empty; pass some bytes in base64"
        );
        let listener = loopback::bind(listen, "the ACS emulator").await?;
        let address = listener.local_addr()?;

        let (jobs, received_jobs) = mpsc::unbounded_channel();
        let state = Arc::new(Emulator {
            address,
            key,
            now,
            inner: Mutex::new(Inner {
                record: Record::default(),
                journal: Journal::new(),
                fault: None,
                senders: None,
                subscription: None,
                telemetry: Newest::default(),
                track_requests: 0,
                track_fault: None,
            }),
            newest: watch::Sender::new(0),
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
        self.state.lock().journal.messages().cloned().collect()
    }

    /// The newest 20,000 `POST /sms`, whether accepted or not, oldest first. A request is in here before
    /// it is answered.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.state.lock().journal.requests().cloned().collect()
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
        let inner = self.state.lock();
        inner.journal.messages().flat_map(|message| &message.reports).cloned().collect()
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
    /// Changes whenever something arrives, or a report does: the number of the newest entry.
    newest: watch::Sender<u64>,
    jobs: mpsc::UnboundedSender<Job>,
}

struct Inner {
    record: Record,
    journal: Journal,
    /// What every message meets, whatever its number.
    fault: Option<&'static FaultNumber>,
    /// Those of the resource; without them it has every one.
    senders: Option<Vec<String>>,
    /// Who gets the delivery reports.
    subscription: Option<Arc<Subscription>>,
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
        let request = Arc::new(RawRequest::new(head, body));
        let mut inner = self.lock();
        let Verdict { reply, accepted, reasons } = verdict(&mut inner.record, now);
        for accepted in accepted {
            let mut message = Message {
                number: 0,
                id: accepted.message_id,
                received: now,
                from: accepted.from,
                to: accepted.to,
                text: accepted.text,
                tag: accepted.tag,
                repeatability_request_id: accepted.repeatability_request_id,
                repeatability_first_sent: accepted.repeatability_first_sent,
                delivery_report: accepted.delivery_report,
                reports: Vec::new(),
                odd_report: accepted.odd_report,
                reported_by_event: accepted.delivery_report && inner.subscription.is_some(),
                request: request.clone(),
                changed: 0,
            };
            message.number = inner.journal.add_message(message.clone());
            if let Some(subscription) =
                inner.subscription.clone().filter(|_| message.delivery_report)
            {
                // The other end is gone only when the emulator is.
                _ = self.jobs.send(Job { message, subscription });
            }
        }
        inner.journal.add_request(ReceivedRequest {
            number: 0,
            received: now,
            framing: Framing::of(&head.headers),
            status: reply.status(),
            reasons,
            request,
        });
        self.newest.send_replace(inner.journal.last());
        reply
    }

    /// Changes the reports of the message with this number, and tells who is watching.
    fn change_reports(&self, number: u64, change: impl FnOnce(&mut Vec<Report>)) {
        let mut inner = self.lock();
        inner.journal.change_reports(number, change);
        self.newest.send_replace(inner.journal.last());
    }
}

fn router(state: Arc<Emulator>) -> Router {
    Router::new()
        .route("/", get(phone))
        .route("/phone.css", get(page::css))
        .route("/phone.js", get(page::script))
        .route("/events", get(events))
        .route("/messages", get(list_messages).delete(clear_messages))
        .route("/messages/{id}/raw", get(raw_message))
        .route("/requests/{number}/raw", get(raw_request))
        .route("/telemetry", get(list_telemetry))
        .layer(middleware::map_response(page::harden))
        .route("/sms", post(send_sms))
        .route("/deliveryReports/{id}", get(delivery_report))
        .route("/v2.1/track", post(track))
        .layer(middleware::from_fn_with_state(state.clone(), loopback_names_only))
        .with_state(state)
}

/// A page on the internet can give its own name this machine's address (DNS rebinding), and would
/// then be of one origin with the emulator in a browser's eyes. The name gives it away.
async fn loopback_names_only(
    State(emulator): State<Arc<Emulator>>,
    request: Request,
    next: Next,
) -> Response {
    if loopback::is_named(request.headers()) {
        return next.run(request).await;
    }
    let status = StatusCode::MISDIRECTED_REQUEST;
    if request.method() == Method::POST && request.uri().path() == "/sms" {
        let (head, _) = request.into_parts();
        emulator.decide(&head, b"", |_, _| {
            Verdict::refused(status, "the Host header is not a name of this machine")
        });
    }
    let text = format!(
        "The Host header is not a name of this machine, and the emulator serves no other. \
         Use http://{}/ instead.\n",
        emulator.address
    );
    (status, text).into_response()
}

async fn send_sms(State(emulator): State<Arc<Emulator>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            let (status, reason) = if error.is::<LengthLimitError>() {
                let reason = format!("the body is longer than {BODY_LIMIT} bytes");
                (StatusCode::PAYLOAD_TOO_LARGE, reason)
            } else {
                let reason = format!("the body broke off: {error}");
                (StatusCode::BAD_REQUEST, reason)
            };
            let reply = emulator.decide(&head, b"", |_, _| Verdict::refused(status, reason));
            return respond(reply).await;
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
    let mut response = respond(reply).await;
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
        return respond(verdict.reply).await;
    }
    let inner = emulator.lock();
    let message = inner.journal.messages().rev().find(|message| message.id == id);
    let report = message.and_then(|it| Some(it.report_for_who_asks(now)?.answer(&Sent::of(it))));
    match report {
        Some(report) => Json(report).into_response(),
        None => (StatusCode::NOT_FOUND, Json(send::no_report())).into_response(),
    }
}

async fn respond(reply: Reply) -> Response {
    let (status, retry_after, body, delay) = match reply {
        Reply::Silence => std::future::pending().await,
        Reply::Cut => return cut(),
        Reply::Answer { status, retry_after, body, delay } => (status, retry_after, body, delay),
    };
    tokio::time::sleep(delay).await;
    let body = match body {
        ReplyBody::Json(value) => Body::from(value.to_string()),
        ReplyBody::Empty => Body::empty(),
        ReplyBody::NotJson => Body::from("<!doctype html><title>Accepted</title>"),
        ReplyBody::Huge => huge(),
        ReplyBody::Trickle => trickle(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, json);
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn cut() -> Response {
    let mut response = Response::default();
    response.extensions_mut().insert(loopback::CutConnection);
    response
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

/// JSON that is right but for its length, so that only a limit protects the reader.
fn huge() -> Body {
    const CHUNK: usize = 64 * 1024;
    let padding = Bytes::from(vec![b'x'; CHUNK]);
    let chunks = [Bytes::from_static(br#"{"value":[],"padding":""#)]
        .into_iter()
        .chain(std::iter::repeat_n(padding, fault::HUGE_BODY / CHUNK))
        .chain([Bytes::from_static(br#""}"#)]);
    Body::from_stream(stream::iter(chunks.map(Ok::<_, Infallible>)))
}

/// White space, which any JSON may begin with, so that only a time limit protects the reader.
fn trickle() -> Body {
    Body::from_stream(stream::unfold((), async |()| {
        tokio::time::sleep(fault::TRICKLE_PAUSE).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
    }))
}

async fn phone(State(emulator): State<Arc<Emulator>>) -> Response {
    let (entries, last) = {
        let inner = emulator.lock();
        let entries = inner.journal.entries_after(0, page::ENTRIES_MAX);
        (entries, inner.journal.last())
    };
    page::render(&entries, last, emulator.address)
}

#[derive(Deserialize)]
struct After {
    /// Only what has a greater number.
    #[serde(default)]
    after: u64,
}

/// Server-sent events. A browser that was away names the last one that it has seen and gets the
/// rest.
async fn events(
    State(emulator): State<Arc<Emulator>>,
    Query(After { after }): Query<After>,
    headers: HeaderMap,
) -> Response {
    let seen =
        headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok()).unwrap_or(after);
    // A greater number than there is comes from an emulator that ran here before: all is new then.
    let seen = if seen > emulator.lock().journal.last() { 0 } else { seen };
    let mut newest = emulator.newest.subscribe();
    newest.mark_changed();
    let batches = stream::unfold((emulator, newest, seen), async |(emulator, mut newest, seen)| {
        // The sender is part of the emulator, which is right here.
        newest.changed().await.ok()?;
        let last = *newest.borrow_and_update();
        let entries = emulator.lock().journal.entries_after(seen, page::ENTRIES_MAX);
        let last = entries.last().map_or(last, journal::Entry::number).max(last);
        Some((entries, (emulator, newest, last)))
    });
    page::event_stream(batches)
}

async fn list_messages(
    State(emulator): State<Arc<Emulator>>,
    Query(After { after }): Query<After>,
) -> Response {
    let inner = emulator.lock();
    let messages = inner.journal.messages();
    let messages = messages.filter(|message| message.number > after);
    Json(messages.map(page::message_json).collect::<Vec<_>>()).into_response()
}

/// Clears the messages and the requests, not the record of what may be repeated: that one is the
/// service's, not the developer's.
async fn clear_messages(State(emulator): State<Arc<Emulator>>) -> StatusCode {
    let mut inner = emulator.lock();
    inner.journal.clear();
    emulator.newest.send_replace(inner.journal.last());
    StatusCode::NO_CONTENT
}

async fn raw_message(State(emulator): State<Arc<Emulator>>, Path(id): Path<String>) -> Response {
    let inner = emulator.lock();
    let found = inner.journal.messages().rev().find(|message| message.id == id);
    raw(found.map(|message| &*message.request))
}

async fn raw_request(State(emulator): State<Arc<Emulator>>, Path(number): Path<u64>) -> Response {
    let inner = emulator.lock();
    let mut requests = inner.journal.requests().rev();
    let found = requests.find(|request| request.number == number);
    raw(found.map(|request| &*request.request))
}

fn raw(request: Option<&RawRequest>) -> Response {
    match request {
        Some(request) => request.to_string().into_response(),
        None => {
            let text = "There is no such request, or no more.\n";
            (StatusCode::NOT_FOUND, text).into_response()
        }
    }
}

#[cfg(test)]
mod tests;
