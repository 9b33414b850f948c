//! A phone that the emulators of providers share: what they have accepted or refused, and the page that shows it.
//!
//! - `journal` keeps what happened,
//! - `page` shows it;
//!
//! this file has the routes, which each emulator serves at its own address.

mod journal;
mod page;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, Query, Request, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use futures_util::stream;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use maud::Markup;
use serde::Deserialize;
use time::OffsetDateTime;
use tokio::sync::watch;
use tower_service::Service as _;

use self::journal::Journal;

pub use self::journal::{
    DeliveryStatus, Framing, Message, RawRequest, ReceivedRequest, Report, Voice,
};
pub(crate) use self::journal::{NewMessage, Newest};
pub(crate) use self::page::{Emulated, harden};

/// A drawn phone. Clones are the same one.
#[derive(Clone, Default)]
pub struct Phone(Arc<Shared>);

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    /// Changes whenever something arrives, or a report does: the number of the newest entry.
    newest: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    journal: Journal,
    /// The emulators whose messages end up here.
    emulated: Vec<Emulated>,
    panel: Option<Panel>,
}

/// What the page has besides the phone.
pub(crate) struct Panel {
    pub html: Box<dyn Fn() -> Markup + Send + Sync>,
    /// What serves `/okta` and all below it.
    pub routes: Router,
}

/// A request to an emulator, and what became of it.
pub(crate) struct Exchange<'a> {
    /// Which provider the emulator stands for.
    pub provider: &'static str,
    pub received: OffsetDateTime,
    pub head: &'a Parts,
    pub body: &'a [u8],
    pub status: Option<u16>,
    /// See [`ReceivedRequest::reasons`].
    pub reasons: Vec<String>,
    pub accepted: Vec<NewMessage>,
}

impl Phone {
    /// The newest 20,000 messages that a provider's emulator has accepted, oldest first.
    pub(crate) fn messages(&self, provider: &str) -> Vec<Message> {
        let inner = self.lock();
        let messages = inner.journal.messages();
        messages.filter(|message| message.provider == provider).cloned().collect()
    }

    /// A provider's newest message with this id.
    pub(crate) fn message(&self, provider: &str, id: &str) -> Option<Message> {
        let inner = self.lock();
        let mut messages = inner.journal.messages().rev();
        messages.find(|message| message.provider == provider && message.id == id).cloned()
    }

    /// The newest 20,000 requests to a provider's emulator, oldest first.
    pub(crate) fn requests(&self, provider: &str) -> Vec<ReceivedRequest> {
        let inner = self.lock();
        let requests = inner.journal.requests();
        requests.filter(|request| request.provider == provider).cloned().collect()
    }

    /// Has the page tell of an emulator.
    pub(crate) fn tell_of(&self, emulated: Emulated) {
        self.lock().emulated.push(emulated);
    }

    /// Puts a panel on the page, or takes it away.
    pub(crate) fn set_panel(&self, panel: Option<Panel>) {
        // A panel may be the last to know its phone, and what it knows goes when nobody holds the lock.
        let before = std::mem::replace(&mut self.lock().panel, panel);
        drop(before);
    }

    /// Whether a message whose text is such has come to a number, after the entry with this number.
    pub(crate) fn has_message(&self, after: u64, to: &str, is_it: impl Fn(&str) -> bool) -> bool {
        let inner = self.lock();
        let messages = inner.journal.messages().rev();
        messages.take_while(|it| it.number > after).any(|it| it.to == to && is_it(&it.text))
    }

    /// Writes down a request and the messages that it brought, which it gives back.
    pub(crate) fn add(&self, exchange: Exchange<'_>) -> Vec<Message> {
        let Exchange { provider, received, head, body, status, reasons, accepted } = exchange;
        let request = Arc::new(RawRequest::new(head, body));
        let mut inner = self.lock();
        let messages = accepted.into_iter().map(|new| {
            inner.journal.add_message(Message::new(new, provider, received, request.clone()))
        });
        let messages = messages.collect();
        inner.journal.add_request(ReceivedRequest {
            number: 0,
            provider,
            received,
            framing: Framing::of(&head.headers),
            status,
            reasons,
            request,
        });
        self.0.newest.send_replace(inner.journal.last());
        messages
    }

    /// Changes the reports of the message with this number, and tells who is watching.
    pub(crate) fn change_reports(&self, number: u64, change: impl FnOnce(&mut Vec<Report>)) {
        self.change(number, |message| change(&mut message.reports));
    }

    /// Writes down that the provider was told that the passcode of the message with this number was used.
    pub(crate) fn set_used(&self, number: u64) {
        self.change(number, |message| message.used = true);
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut Message)) {
        let mut inner = self.lock();
        inner.journal.change(number, change);
        self.0.newest.send_replace(inner.journal.last());
    }

    /// The number of the newest entry, whenever it changes.
    pub(crate) fn newest(&self) -> watch::Receiver<u64> {
        self.0.newest.subscribe()
    }

    /// The page, and what it is made of.
    pub(crate) fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        Router::new()
            .route("/", get(phone))
            .route("/phone.css", get(page::css))
            .route("/phone.js", get(page::script))
            .route("/events", get(events))
            .route("/messages", get(list_messages).delete(clear_messages))
            .route("/messages/{id}/raw", get(raw_message))
            .route("/requests/{number}/raw", get(raw_request))
            .route("/okta", any(panel))
            .route("/okta/{*rest}", any(panel))
            .layer(middleware::map_response(page::harden))
            .with_state(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock; were it so, all that is in there are whole entries.
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn phone(State(phone): State<Phone>) -> Response {
    let inner = phone.lock();
    let entries = inner.journal.entries_after(0, page::ENTRIES_MAX);
    let panel = inner.panel.as_ref().map(|panel| (panel.html)());
    page::render(&entries, inner.journal.last(), &inner.emulated, panel)
}

async fn panel(State(phone): State<Phone>, request: Request) -> Response {
    let routes = phone.lock().panel.as_ref().map(|panel| panel.routes.clone());
    match routes {
        Some(mut routes) => routes.call(request).await.unwrap_or_else(|never| match never {}),
        None => (StatusCode::NOT_FOUND, "No stand-in for Okta runs here.\n").into_response(),
    }
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
    State(phone): State<Phone>,
    Query(After { after }): Query<After>,
    headers: HeaderMap,
) -> Response {
    let seen =
        headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok()).unwrap_or(after);
    // A greater number than there is comes from an emulator that ran here before: all is new then.
    let seen = if seen > phone.lock().journal.last() { 0 } else { seen };
    let mut newest = phone.newest();
    newest.mark_changed();
    let batches = stream::unfold((phone, newest, seen), async |(phone, mut newest, seen)| {
        // The sender is part of the phone, which is right here.
        newest.changed().await.ok()?;
        let last = *newest.borrow_and_update();
        let entries = phone.lock().journal.entries_after(seen, page::ENTRIES_MAX);
        let last = entries.last().map_or(last, journal::Entry::number).max(last);
        Some((entries, (phone, newest, last)))
    });
    page::event_stream(batches)
}

async fn list_messages(
    State(phone): State<Phone>,
    Query(After { after }): Query<After>,
) -> Response {
    let inner = phone.lock();
    let messages = inner.journal.messages();
    let messages = messages.filter(|message| message.number > after);
    Json(messages.map(page::message_json).collect::<Vec<_>>()).into_response()
}

/// Clears the messages and the requests, not what an emulator knows of repeats: that is the
/// service's, not the developer's.
async fn clear_messages(State(phone): State<Phone>) -> StatusCode {
    let mut inner = phone.lock();
    inner.journal.clear();
    phone.0.newest.send_replace(inner.journal.last());
    StatusCode::NO_CONTENT
}

async fn raw_message(State(phone): State<Phone>, Path(id): Path<String>) -> Response {
    let inner = phone.lock();
    let found = inner.journal.messages().rev().find(|message| message.id == id);
    raw(found.map(|message| &*message.request))
}

async fn raw_request(State(phone): State<Phone>, Path(number): Path<u64>) -> Response {
    let inner = phone.lock();
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
