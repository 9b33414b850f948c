//! What became of the newest messages: as JSON for a script, as a page for a person. The same data
//! either way, and nothing here asks the store: it is handed what it shows.

mod ask;
mod html;
mod page;
mod tally;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use self::ask::{Filter, filter, wants_html};
pub use self::page::{View, page};
use crate::handled::Response;
use crate::numbering::Region;
use crate::records::code::{self, Code};
use crate::records::{Delivery, Moment, Status};
use crate::telemetry::trace_context::hex;

/// The newest messages. One of them is below it, by its id.
pub const PATH: &str = "/api/deliveries";

/// One message.
pub fn json_one(delivery: &Delivery) -> Response {
    super::json(200, &LookUp::of(delivery))
}

/// Messages, in the order in which they are given: the newest first.
pub fn json_list(deliveries: &[Delivery]) -> Response {
    #[derive(Serialize)]
    struct List<'a> {
        deliveries: Vec<LookUp<'a>>,
        count: usize,
    }
    let list = deliveries.iter().map(LookUp::of).collect();
    let mut response = super::json(200, &List { deliveries: list, count: deliveries.len() });
    response.headers.push((VARY.0, VARY.1.into()));
    response
}

/// The page is at the same address.
const VARY: (&str, &str) = ("vary", "Accept");

/// A message in JSON. What is not known is left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LookUp<'a> {
    message_id: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reported_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_to_report_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    okta_event_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<Region>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

impl<'a> LookUp<'a> {
    fn of(delivery: &'a Delivery) -> Self {
        let (accepted, reported) = (delivery.accepted.as_ref(), delivery.reported.as_ref());
        let trouble = trouble(delivery);
        Self {
            message_id: &delivery.message_id,
            status: delivery.status().name(),
            accepted_at: accepted.and_then(|accepted| rfc3339(accepted.at)),
            reported_at: reported.and_then(|reported| rfc3339(reported.at)),
            time_to_report_ms: milliseconds_to_report(delivery),
            code: reported.and_then(|reported| reported.code),
            meaning: trouble.map(|code| code.meaning),
            fix: trouble.map(|code| code.fix),
            okta_event_id: accepted.and_then(|accepted| accepted.event_id.as_deref()),
            request_type: accepted.and_then(|accepted| accepted.request_type.as_deref()),
            country: accepted.and_then(|accepted| accepted.region),
            sender_type: accepted.map(|accepted| accepted.sender_type.name()),
            attempts: accepted.map(|accepted| accepted.attempts),
            segments: accepted.map(|accepted| accepted.segments),
            number_hash: accepted.map(|accepted| hex(&accepted.number)),
            trace_id: accepted.and_then(|accepted| Some(hex(&accepted.trace?.trace_id))),
        }
    }
}

/// The code of a message that was not delivered, or may not have been, where the code is documented.
fn trouble(delivery: &Delivery) -> Option<&'static Code> {
    let reported = delivery.reported.as_ref()?;
    let troubled = matches!(reported.status(), Status::Failed | Status::Unconfirmed);
    if troubled { code::look_up(reported.code?) } else { None }
}

fn milliseconds_to_report(delivery: &Delivery) -> Option<u64> {
    // It is the difference of two of these.
    delivery.time_to_report().map(|time| time.as_millis() as u64)
}

/// In UTC, and always with milliseconds, so that text sorts by time. None after the year 9999.
fn rfc3339(moment: Moment) -> Option<String> {
    let seconds = i64::try_from(moment / 1000).ok()?;
    let seconds = OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(&Rfc3339).ok()?;
    Some(format!("{}.{:03}Z", seconds.strip_suffix('Z')?, moment % 1000))
}

#[cfg(test)]
mod tests;
