//! The event hook: its one-time verification, and deliveries of events.
//!
//! Source: "Event hooks" (Okta's developer documentation). An answer has to come within 3 seconds, and there is "at most
//! one retry. Responses with a 4xx status code aren't retried. Response with a 5xx status code are retried".

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use http::request::Builder;
use http::{HeaderValue, Method, Request, StatusCode, header};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{State, TIMEOUT, Toggle, event, sensitive};
use crate::webhook::{self, Webhook};

/// The header of the verification.
const CHALLENGE: &str = "x-okta-verification-challenge";
/// The most events of a delivery. Okta names no maximum.
const EVENTS_AT_ONCE: usize = 100;

/// Who gets the events.
pub struct EventHook {
    /// A URL of plain HTTP on this machine, `http://127.0.0.1:3000/api/okta-events`.
    pub endpoint: String,
    /// The one header that proves who calls: the value of `Authorization`.
    pub authorization: String,
    /// "Events that occur within a short time of each other are amalgamated": how short.
    pub together: Duration,
    /// From an attempt that failed to the retry. Okta names no time.
    pub retry_after: Duration,
}

impl EventHook {
    /// Delivers the events of a second together, and tries again after another one.
    pub fn new(endpoint: impl Into<String>, authorization: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            authorization: authorization.into(),
            together: Duration::from_secs(1),
            retry_after: Duration::from_secs(1),
        }
    }
}

/// What became of events.
#[derive(Default)]
pub(super) struct Deliveries {
    /// Why nothing is delivered.
    pub not_verified: Option<String>,
    /// Events that were taken, each as often as it was.
    pub taken: usize,
    /// Deliveries that were not, the retry included.
    pub failed: usize,
    /// Events that never left, since the feed is off.
    pub lost: usize,
    /// The last answer to a delivery; `None` of none.
    pub last: Option<Option<u16>>,
}

/// An event hook that is in order.
pub(super) struct Feed {
    webhook: Webhook,
    authorization: HeaderValue,
    together: Duration,
    retry_after: Duration,
}

impl Feed {
    pub fn new(said: EventHook) -> anyhow::Result<Self> {
        let EventHook { endpoint, authorization, together, retry_after } = said;
        Ok(Self {
            webhook: Webhook::new(&endpoint)?.with_timeout(TIMEOUT),
            authorization: sensitive(&authorization)?,
            together,
            retry_after,
        })
    }

    /// The one-time verification: the hook has to send the challenge back. "One retry is attempted after a timeout or
    /// error response."
    ///
    /// # Errors
    ///
    /// What the hook answered to the retry.
    pub async fn verify(&self) -> anyhow::Result<()> {
        let challenge = Uuid::new_v4().simple().to_string();
        if self.challenge(&challenge).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(self.retry_after).await;
        self.challenge(&challenge).await
    }

    async fn challenge(&self, challenge: &str) -> anyhow::Result<()> {
        let request = self.request(Method::GET).header(CHALLENGE, challenge);
        let answer = self.webhook.send(request, String::new()).await?;
        ensure!(
            answer.status == StatusCode::OK,
            "the verification was answered {}",
            answer.status.as_u16()
        );
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        ensure!(
            body["verification"] == challenge,
            "the verification was answered without its challenge"
        );
        Ok(())
    }

    /// Delivers a body, with one retry where there is one, and gives the last answer.
    async fn deliver(&self, body: String) -> Option<u16> {
        let last = Mutex::new(None);
        let delivery = webhook::Delivery {
            back_off: &[self.retry_after],
            is_over: |status| status < 500,
            body,
        };
        let request =
            |_| self.request(Method::POST).header(header::CONTENT_TYPE, "application/json");
        let answered = |status| *last.lock().unwrap_or_else(PoisonError::into_inner) = status;
        self.webhook.deliver(delivery, request, answered).await;
        last.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn request(&self, method: Method) -> Builder {
        Request::builder()
            .method(method)
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::ACCEPT, "application/json")
    }
}

/// Delivers the events that come, until it is dropped.
pub(super) async fn run(state: Arc<State>, feed: Feed, mut events: mpsc::UnboundedReceiver<Value>) {
    // What waits for the next delivery, since events come out of order.
    let mut held = Vec::new();
    loop {
        let first = match held.is_empty() {
            true => events.recv().await,
            false => match tokio::time::timeout(feed.together, events.recv()).await {
                Ok(first) => first,
                Err(_) => {
                    deliver(&state, &feed, std::mem::take(&mut held)).await;
                    continue;
                }
            },
        };
        // The other end is in the state, which is right here.
        let Some(first) = first else { return };
        tokio::time::sleep(feed.together).await;
        let mut new = vec![first];
        while new.len() < EVENTS_AT_ONCE
            && let Ok(event) = events.try_recv()
        {
            new.push(event);
        }
        let is_mixed = state.lock().switches.out_of_order == Toggle::On;
        let before = std::mem::take(&mut held);
        if is_mixed {
            (new, held) = every_second(new);
            new.reverse();
        }
        new.extend(before);
        deliver(&state, &feed, new).await;
    }
}

/// The first, the third and so on, and the others.
fn every_second(events: Vec<Value>) -> (Vec<Value>, Vec<Value>) {
    let (mut odd, mut even) = (Vec::new(), Vec::new());
    for (place, event) in events.into_iter().enumerate() {
        if place % 2 == 0 { odd.push(event) } else { even.push(event) }
    }
    (odd, even)
}

async fn deliver(state: &State, feed: &Feed, events: Vec<Value>) {
    let now = OffsetDateTime::now_utc();
    let body = event::envelope(&events, now);
    let bodies = match state.lock().switches.repeats {
        Toggle::Off => vec![body],
        Toggle::On => vec![body.clone(), body, event::envelope(&events, now)],
    };
    for body in bodies {
        let answer = feed.deliver(body).await;
        let mut inner = state.lock();
        inner.deliveries.last = Some(answer);
        match answer {
            Some(200 | 204) => inner.deliveries.taken += events.len(),
            _ => inner.deliveries.failed += 1,
        }
    }
}
