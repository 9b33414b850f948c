//! Application Insights: what the hook did, as items that the operator's queries find.
//!
//! Attack: whoever makes this wait stops the hook. A host keeps each instance of the component until
//! [`send`] returns, and holds a bounded number of them at once (Spin: 1,000); with a sink that hangs
//! and no limit here, 155,345 of 156,095 hooks were answered with 500. Hence [`TIME`], for
//! everything, and nothing is kept to be sent later.
//!
//! The protocol is that of Microsoft's exporters (Python's azure-monitor-opentelemetry-exporter
//! 1.0.0b58, Node's applicationinsights 2.9.6): an array of items is posted to `/v2.1/track`, and the
//! answer says which of them were not taken.

mod item;
mod sink;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ports::{BodyError, Instant, OutboundMethod, OutboundRequest, Ports, SendError};

use self::item::Envelope;
pub use self::item::{Data, ERROR, Item, MESSAGE_LIMIT, time_span};
pub use self::sink::{InvalidSink, Sink};

/// The name of the request: a hook call.
pub const REQUEST_NAME: &str = "POST /api/okta-telephony";

/// The URL of the request.
pub const REQUEST_URL: &str = "/api/okta-telephony";

/// The name of the dependency: a message handed to a provider.
pub const DEPENDENCY_NAME: &str = "send message";

/// The name of the event: what the carrier reported.
pub const EVENT_NAME: &str = "SMS delivery report";

/// The name of the event: what Okta told.
pub const OKTA_EVENT_NAME: &str = "Okta event";

/// The name of the event: what the guard changed.
pub const GUARD_NAME: &str = "Guard";

/// The time that sending takes at most, with all pieces and answers: less than what the breaker takes
/// for hanging, so that a large batch of reports does not bar the hooks.
pub const TIME: Duration = Duration::from_millis(450);

/// The most items that are posted at once: one hook has two or three, of less than a kilobyte each but for a
/// message; a batch of delivery reports may have more than this.
const MOST_ITEMS: usize = 500;

/// The most bytes of an answer that are read. One without errors has about 50, each error some 100.
const ANSWER_LIMIT: usize = 256 * 1024;

/// How many items Application Insights took, and how many it did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Taken.
    pub accepted: u32,
    /// Not taken: each was refused for good, or twice, or there was no time left for it.
    pub refused: u32,
}

/// Why items could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// There was no answer, or it did not end. With [`SendError::Late`], not within [`TIME`].
    NoAnswer(SendError),
    /// The answer had this status and, if it is 200 or 206, a body that Application Insights does not write.
    Answer(u16),
}

impl Default for Failure {
    /// The sink hangs.
    fn default() -> Self {
        Self::NoAnswer(SendError::Late)
    }
}

impl Failure {
    /// What the log says: what happened, and what to do. It has neither the instrumentation key nor
    /// anything that came from outside.
    pub fn log_fix(&self, sink: &Sink) -> String {
        let copy = "copy the connection string from the resource's Overview page, with the \
                    IngestionEndpoint of its region, into application_insights.connection_string";
        let allow = format!("set one of outbound_host1 to outbound_host3 to {}", sink.origin());
        let (what, fix) = match self {
            Self::NoAnswer(SendError::NotAllowed) => {
                ("may not be called by the hook", allow.as_str())
            }
            Self::NoAnswer(SendError::NotConnected) => (
                "could not be reached",
                "look at the IngestionEndpoint in application_insights.connection_string, and at \
                 Azure's status",
            ),
            Self::NoAnswer(SendError::Untrusted) => (
                "has a certificate that the host does not trust",
                "give the host current CA certificates (on SpinKube, the executor's \
                 installDefaultCACerts)",
            ),
            Self::NoAnswer(SendError::Broken) => (
                "broke the connection",
                "look at Azure's status, and at what is between it and the host",
            ),
            Self::NoAnswer(SendError::Late) => (
                "had not answered within 450 ms",
                "use a resource in a region near the hook, and look at Azure's status",
            ),
            // The exporters have it of 404: "ingestion is allowed only from stamp specific endpoint".
            Self::Answer(307 | 308 | 404) => {
                ("takes this resource's telemetry at another endpoint only", copy)
            }
            Self::Answer(400) => {
                ("does not know the instrumentation key, or no item is valid", copy)
            }
            Self::Answer(401 | 403) => (
                "takes no instrumentation keys for this resource",
                "turn its local authentication on (disableLocalAuth: false), or empty \
                 application_insights.connection_string: the hook has no other way",
            ),
            // 439 is older endpoints'.
            Self::Answer(402 | 439) => (
                "takes no more telemetry for now",
                "raise the resource's daily cap, or wait until it is reset",
            ),
            Self::Answer(429) => (
                "gets too much telemetry at once",
                "let the resource's other senders send less, or give the hook one of its own",
            ),
            Self::Answer(408 | 500..=599) => {
                ("is not able to take telemetry right now", "look at Azure's status")
            }
            Self::Answer(_) => (
                "gave an answer that it does not give",
                "look at whether the IngestionEndpoint in application_insights.connection_string is \
                 one of Application Insights",
            ),
        };
        let status = match self {
            Self::NoAnswer(_) => String::new(),
            Self::Answer(status) => format!(" ({status})"),
        };
        format!("Application Insights {what}{status}: {fix}.")
    }
}

/// Sends items, in as many pieces as it takes, within [`TIME`]. Those that may be taken at a second
/// attempt are sent once more, if there is time. For after the answer has left.
pub fn send(sink: &Sink, items: &[Item<'_>], ports: Ports<'_>) -> Result<Sent, Failure> {
    let until = ports.clock.instant().plus(TIME);
    let mut sent = Sent::default();
    let mut todo: Vec<&Item<'_>> = items.iter().collect();
    for first in [true, false] {
        let mut again = Vec::new();
        for piece in todo.chunks(MOST_ITEMS) {
            let tracked = match post(sink, piece, until, ports) {
                Ok(tracked) => tracked,
                // A sink that has taken some of a large batch is not down.
                Err(Failure::NoAnswer(SendError::Late)) if sent.accepted > 0 => Tracked::default(),
                Err(failure) => return Err(failure),
            };
            let repeated = if first { tracked.to_repeat(piece) } else { Vec::new() };
            let settled = (piece.len() - repeated.len()) as u32;
            // What a server says of itself may not add up to more than it was sent.
            let accepted = tracked.items_accepted.min(settled);
            sent.accepted += accepted;
            sent.refused += settled - accepted;
            again.extend(repeated);
        }
        todo = again;
    }
    Ok(sent)
}

/// Posts one piece, if there is time.
fn post(
    sink: &Sink,
    items: &[&Item<'_>],
    until: Instant,
    ports: Ports<'_>,
) -> Result<Tracked, Failure> {
    if ports.clock.instant() >= until {
        return Err(Failure::NoAnswer(SendError::Late));
    }
    let envelopes: Vec<Envelope<'_>> = items.iter().map(|item| item.envelope(sink)).collect();
    let body = serde_json::to_vec(&envelopes).expect("text is the key of every member");
    let request = OutboundRequest {
        method: OutboundMethod::Post(&body),
        tls: sink.track.tls,
        authority: &sink.track.authority,
        path_and_query: &sink.track.path_and_query,
        headers: &[("content-type", "application/json")],
    };
    let mut answer = ports.http.send(&request, until).map_err(Failure::NoAnswer)?;
    let status = answer.status();
    if !matches!(status, 200 | 206) {
        return Err(Failure::Answer(status));
    }
    let body = answer.read(ANSWER_LIMIT, until).map_err(|error| match error {
        BodyError::TooLarge => Failure::Answer(status),
        BodyError::Late => Failure::NoAnswer(SendError::Late),
        BodyError::Broken => Failure::NoAnswer(SendError::Broken),
    })?;
    serde_json::from_slice(&body).map_err(|_| Failure::Answer(status))
}

/// The answer's body: `{"itemsReceived":2,"itemsAccepted":1,"errors":[{"index":0,"statusCode":400,"message":"…"}]}`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tracked {
    items_accepted: u32,
    /// It may be missing or null.
    errors: Option<Vec<ItemError>>,
}

/// Why an item was not taken.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemError {
    index: u32,
    status_code: u16,
}

impl Tracked {
    /// Those of the piece's items that may be taken if they are sent once more: the statuses after which
    /// Microsoft's exporters do so (`_RETRYABLE_STATUS_CODES`), but 401 and 403, which half a second does not
    /// change.
    fn to_repeat<'a, T>(&self, piece: &[&'a T]) -> Vec<&'a T> {
        let is_named = |at: usize| {
            self.errors.iter().flatten().any(|error| {
                error.index as usize == at
                    && matches!(error.status_code, 408 | 429 | 500 | 502 | 503 | 504)
            })
        };
        piece.iter().enumerate().filter(|(at, _)| is_named(*at)).map(|(_, item)| *item).collect()
    }
}

#[cfg(test)]
mod tests;
