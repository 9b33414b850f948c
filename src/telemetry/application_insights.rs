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

use crate::json::read::Json;
use crate::ports::{BodyError, Instant, OutboundMethod, OutboundRequest, Ports, SendError};

pub use item::{Data, Item, Severity};
pub use sink::{InvalidSink, Sink};

/// The name of the request: a hook call.
pub const REQUEST_NAME: &str = "POST /api/okta-telephony";

/// The name of the dependency: a message handed to ACS.
pub const DEPENDENCY_NAME: &str = "POST /sms";

/// The name of the event: what the carrier reported.
pub const EVENT_NAME: &str = "SMS delivery report";

/// The time that sending takes at most, with all pieces and answers: less than what the breaker takes
/// for hanging, so that a large batch of reports does not bar the hooks.
pub const TIME: Duration = Duration::from_millis(450);

/// The most items that are posted at once: one hook has two or three, a batch of delivery reports may
/// have more than this.
const MOST_ITEMS: usize = 500;

/// The most bytes that are posted at once, save where one item alone has more.
const MOST_BYTES: usize = 512 * 1024;

/// The most bytes of an answer that are read. One without errors has about 50, each error some 100.
const ANSWER_LIMIT: usize = 64 * 1024;

/// How many items Application Insights took, and how many it did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Taken.
    pub accepted: u32,
    /// Not taken: each was refused for good, or twice.
    pub refused: u32,
}

/// Why items could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason.
    pub cause: Cause,
    /// The status of the answer, where there was one.
    pub status: Option<u16>,
    /// What became of the items that were sent before. Of those that are in neither number, it is
    /// not known whether they were taken.
    pub sent: Sent,
}

/// The reason why items could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The host may not call the endpoint.
    NotAllowed,
    /// No connection came about.
    NotConnected,
    /// The endpoint's certificate is not trusted.
    Untrusted,
    /// The connection broke before the answer had ended.
    Broken,
    /// The answer had not ended within [`TIME`].
    Late,
    /// The instrumentation key is not known, or no item is valid: 400.
    Rejected,
    /// The resource takes no instrumentation keys, as with `disableLocalAuth`: 401, 403.
    Unauthorized,
    /// The resource's quota is used up: 402 and, from older endpoints, 439.
    OverQuota,
    /// Too many items at once: 429.
    Throttled,
    /// The resource's items are taken elsewhere: 307, 308, and 404 ("ingestion is allowed only from
    /// stamp specific endpoint", as the exporters have it).
    Elsewhere,
    /// Application Insights has a fault: 408, 5xx.
    Unavailable,
    /// What answered is not Application Insights.
    Unexpected,
}

impl Failure {
    /// What the log says: what happened, and what to do. It has neither the instrumentation key nor
    /// anything that came from outside.
    pub fn log_fix(&self, sink: &Sink) -> String {
        let copy = "copy the connection string from the resource's Overview page, with the \
                    IngestionEndpoint of its region, into applicationinsights_connection_string";
        let allow = ["set applicationinsights_host to ", &sink.origin()].concat();
        let (what, fix) = match self.cause {
            Cause::NotAllowed => ("may not be called by the hook", allow.as_str()),
            Cause::NotConnected => (
                "could not be reached",
                "look at the IngestionEndpoint in applicationinsights_connection_string, and at \
                 Azure's status",
            ),
            Cause::Untrusted => (
                "has a certificate that the host does not trust",
                "give the host current CA certificates (on SpinKube, the executor's \
                 installDefaultCACerts)",
            ),
            Cause::Broken => (
                "broke the connection",
                "look at Azure's status, and at what is between it and the host",
            ),
            Cause::Late => (
                "had not answered within 450 ms",
                "use a resource in a region near the hook, and look at Azure's status",
            ),
            Cause::Rejected => ("does not know the instrumentation key, or no item is valid", copy),
            Cause::Unauthorized => (
                "takes no instrumentation keys for this resource",
                "turn its local authentication on (disableLocalAuth: false), or empty \
                 applicationinsights_connection_string: the hook has no other way",
            ),
            Cause::OverQuota => (
                "takes no more telemetry for now",
                "raise the resource's daily cap, or wait until it is reset",
            ),
            Cause::Throttled => (
                "gets too much telemetry at once",
                "let the resource's other senders send less, or give the hook one of its own",
            ),
            Cause::Elsewhere => ("takes this resource's telemetry at another endpoint only", copy),
            Cause::Unavailable => {
                ("is not able to take telemetry right now", "look at Azure's status")
            }
            Cause::Unexpected => (
                "gave an answer that it does not give",
                "look at whether the IngestionEndpoint in applicationinsights_connection_string is \
                 one of Application Insights",
            ),
        };
        let status = match self.status {
            Some(status) => [" (", &status.to_string(), ")"].concat(),
            None => String::new(),
        };
        ["Application Insights ", what, &status, ": ", fix, "."].concat()
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
        let mut rest = todo.as_slice();
        while !rest.is_empty() {
            if ports.clock.instant() >= until {
                // A sink that has taken some of a large batch is not down.
                if first && sent == Sent::default() {
                    return Err(Failure { cause: Cause::Late, status: None, sent });
                }
                sent.refused += rest.len() as u32;
                break;
            }
            let (body, count) = piece(sink, rest);
            let (these, others) = rest.split_at(count);
            rest = others;
            let tracked = match post(sink, &body, until, ports) {
                Ok(tracked) => tracked,
                Err((Cause::Late, _)) if sent.accepted > 0 => {
                    sent.refused += (count + rest.len()) as u32;
                    break;
                }
                Err((cause, status)) => return Err(Failure { cause, status, sent }),
            };
            let mut settled = count as u32;
            for (at, item) in these.iter().enumerate() {
                if first && tracked.may_be_repeated(at) {
                    again.push(*item);
                    settled -= 1;
                }
            }
            // What a server says of itself may not add up to more than it was sent.
            let accepted = tracked.items_accepted.min(settled);
            sent.accepted += accepted;
            sent.refused += settled - accepted;
        }
        todo = again;
    }
    Ok(sent)
}

/// The first of these items as the body of a post, and how many they are: one at least.
fn piece(sink: &Sink, items: &[&Item<'_>]) -> (Vec<u8>, usize) {
    let mut body = String::new();
    let mut count = 0;
    for item in items.iter().take(MOST_ITEMS) {
        let end = body.len();
        body.push(if count == 0 { '[' } else { ',' });
        item.write(sink, &mut body);
        if count > 0 && body.len() >= MOST_BYTES {
            body.truncate(end);
            break;
        }
        count += 1;
    }
    body.push(']');
    (body.into_bytes(), count)
}

/// Posts one piece.
fn post(
    sink: &Sink,
    body: &[u8],
    until: Instant,
    ports: Ports<'_>,
) -> Result<Tracked, (Cause, Option<u16>)> {
    let request = OutboundRequest {
        method: OutboundMethod::Post(body),
        tls: sink.track.tls,
        authority: &sink.track.authority,
        path_and_query: &sink.track.path_and_query,
        headers: &[("content-type", "application/json")],
    };
    let mut answer = ports.http.send(&request, until).map_err(|error| {
        let cause = match error {
            SendError::NotAllowed => Cause::NotAllowed,
            SendError::NotConnected => Cause::NotConnected,
            SendError::Untrusted => Cause::Untrusted,
            SendError::Broken => Cause::Broken,
            SendError::Late => Cause::Late,
        };
        (cause, None)
    })?;
    let status = answer.status();
    let cause = match status {
        200 | 206 => match answer.read(ANSWER_LIMIT, until) {
            Ok(body) => match Tracked::parse(&body) {
                Some(tracked) => return Ok(tracked),
                None => Cause::Unexpected,
            },
            // It has an error for nearly each of hundreds of items.
            Err(BodyError::TooLarge) if status == 206 => return Ok(Tracked::default()),
            Err(BodyError::TooLarge) => Cause::Unexpected,
            Err(BodyError::Late) => Cause::Late,
            Err(BodyError::Broken) => Cause::Broken,
        },
        307 | 308 | 404 => Cause::Elsewhere,
        400 => Cause::Rejected,
        401 | 403 => Cause::Unauthorized,
        402 | 439 => Cause::OverQuota,
        429 => Cause::Throttled,
        408 | 500..=599 => Cause::Unavailable,
        _ => Cause::Unexpected,
    };
    Err((cause, Some(status)))
}

/// The answer's body: `{"itemsReceived":2,"itemsAccepted":1,"errors":[{"index":0,"statusCode":400,"message":"…"}]}`.
#[derive(Default)]
struct Tracked {
    items_accepted: u32,
    errors: Vec<ItemError>,
}

/// Why an item was not taken.
struct ItemError {
    index: u32,
    status_code: u16,
}

impl ItemError {
    fn read(error: Json<'_>) -> Option<Self> {
        let [index, status_code] = error.given(["index", "statusCode"]).ok()?;
        Some(Self {
            index: index?.whole()?.try_into().ok()?,
            status_code: status_code?.whole()?.try_into().ok()?,
        })
    }
}

impl Tracked {
    fn parse(body: &[u8]) -> Option<Self> {
        let names = ["itemsAccepted", "errors"];
        let [items_accepted, errors] = Json::parse(body).ok()?.given(names).ok()?;
        Some(Self {
            items_accepted: items_accepted?.whole()?.try_into().ok()?,
            errors: match errors {
                Some(errors) => errors.elements()?.map(ItemError::read).collect::<Option<_>>()?,
                None => Vec::new(),
            },
        })
    }

    /// Whether the item at this place of the piece may be taken if it is sent once more: the statuses
    /// after which Microsoft's exporters do so (`_RETRYABLE_STATUS_CODES`), but 401 and 403, which
    /// half a second does not change.
    fn may_be_repeated(&self, at: usize) -> bool {
        self.errors.iter().any(|error| {
            error.index as usize == at
                && matches!(error.status_code, 408 | 429 | 500 | 502 | 503 | 504)
        })
    }
}

#[cfg(test)]
mod tests;
