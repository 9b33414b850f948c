//! What became of the newest messages: as JSON for a script, as a page for a person. The same data
//! either way, and nothing here asks the store: it is handed what it shows.

mod ask;
mod chart;
mod day;
mod guarded;
mod list;
mod page;
mod tally;
mod text;
mod verdict;

use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_with::skip_serializing_none;

pub use self::ask::Query;
pub use self::day::Day;
pub use self::guarded::{Block, Feed, Guarded, Rate, Unsent};
pub use self::page::{View, page};
use self::text::rfc3339;
use super::json;
use crate::ports::Response;
use crate::records::code::{self, Code, Known};
use crate::records::{Accepted, Delivery, OF_A_CALL, Status};

/// The newest messages. One of them is below it, by its id.
pub const PATH: &str = "/api/deliveries";

/// One message; and why a provider that was asked for its report has brought none, if it was.
pub fn json_one(delivery: &Delivery, no_report: Option<&str>) -> Response {
    json(200, &OneDelivery { no_report, ..OneDelivery::of(delivery) })
}

/// The page's data: the messages in the order in which they are given, and what the page says of the last 24 hours.
pub fn json_list(view: &View<'_>) -> Response {
    json(200, &list::List::of(view))
}

/// A message in JSON. What is not known is left out.
#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneDelivery<'a> {
    message_id: &'a str,
    status: &'static str,
    reported_status: Option<&'a str>,
    accepted_at: Option<String>,
    reported_at: Option<String>,
    time_to_report_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "Code::serialize")]
    code: Option<Code>,
    meaning: Option<&'static str>,
    fix: Option<&'static str>,
    no_report: Option<&'a str>,
    canary: Option<bool>,
    #[serde(flatten)]
    sent: Option<Sent<'a>>,
}

/// What the hook saw of a message.
#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sent<'a> {
    okta_event_id: Option<&'a str>,
    request_type: Option<&'a str>,
    channel: &'static str,
    country: Option<&'a str>,
    provider: &'a str,
    sender_type: &'static str,
    attempts: u32,
    segments: Option<u32>,
    number_hash: String,
    trace_id: Option<String>,
}

impl<'a> OneDelivery<'a> {
    fn of(delivery: &'a Delivery) -> Self {
        let (accepted, reported) = (delivery.accepted.as_ref(), delivery.reported.as_ref());
        let trouble = trouble(delivery);
        Self {
            message_id: &delivery.message_id,
            status: delivery.status().name(),
            reported_status: reported.and_then(|reported| reported.unconfirmed_status()),
            accepted_at: accepted.map(|accepted| rfc3339(accepted.at)),
            reported_at: reported.map(|reported| rfc3339(reported.at)),
            time_to_report_ms: milliseconds_to_report(delivery),
            code: reported.and_then(|reported| reported.code),
            meaning: trouble.map(|code| code.meaning),
            fix: trouble.map(|code| code.fix),
            no_report: None,
            canary: delivery.canary.then_some(true),
            sent: accepted.map(Sent::of),
        }
    }
}

impl<'a> Sent<'a> {
    fn of(accepted: &'a Accepted) -> Self {
        Self {
            okta_event_id: accepted.event_id.as_deref(),
            request_type: accepted.request_type.as_deref(),
            channel: accepted.channel().name(),
            country: accepted.region.as_ref().map(|region| region.code()),
            provider: &accepted.provider,
            sender_type: accepted.sender_type.name(),
            attempts: accepted.attempts,
            segments: Some(accepted.segments).filter(|count| *count != OF_A_CALL),
            number_hash: HEXLOWER.encode(&accepted.number),
            trace_id: accepted.trace.map(|trace| HEXLOWER.encode(&trace.trace_id)),
        }
    }
}

/// The code of a message that was not delivered, or may not have been, where the code is documented.
fn trouble(delivery: &Delivery) -> Option<&'static Known> {
    let reported = delivery.reported.as_ref()?;
    let troubled = matches!(reported.status(), Status::Failed | Status::Unconfirmed);
    if troubled { code::look_up(reported.code?) } else { None }
}

fn milliseconds_to_report(delivery: &Delivery) -> Option<u64> {
    // It is the difference of two of these.
    delivery.time_to_report().map(|time| time.as_millis() as u64)
}

#[cfg(test)]
mod tests;
