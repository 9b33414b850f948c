//! What became of the newest messages: as JSON for a script, as a page for a person. The same data
//! either way, and nothing here asks the store: it is handed what it shows.

mod ask;
mod html;
mod page;
mod tally;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use self::ask::{Filter, filter, wants_html};
pub use self::page::{View, page};
use crate::handled::Response;
use crate::json::write::{Object, digits};
use crate::numbering::Region;
use crate::records::code::{self, Code};
use crate::records::{Delivery, Moment, Status};
use crate::trace_context::hex;

/// The newest messages. One of them is below it, by its id.
pub const PATH: &str = "/api/deliveries";

/// One message.
pub fn json_one(delivery: &Delivery) -> Response {
    let mut body = String::new();
    look_up(delivery, Object::new(&mut body));
    super::json(200, body)
}

/// Messages, in the order in which they are given: the newest first.
pub fn json_list(deliveries: &[Delivery]) -> Response {
    let mut body = String::new();
    let mut answer = Object::new(&mut body);
    let mut list = answer.list("deliveries");
    for delivery in deliveries {
        look_up(delivery, list.object());
    }
    drop(list);
    answer.number("count", deliveries.len() as u64);
    drop(answer);
    let mut response = super::json(200, body);
    response.headers.push((VARY.0, VARY.1.into()));
    response
}

/// The page is at the same address.
const VARY: (&str, &str) = ("vary", "Accept");

/// A message in JSON. What is not known is left out.
#[inline(never)]
fn look_up(delivery: &Delivery, mut to: Object<'_>) {
    let (accepted, reported) = (delivery.accepted.as_ref(), delivery.reported.as_ref());
    let trouble = trouble(delivery);
    let accepted_at = accepted.and_then(|accepted| rfc3339(accepted.at));
    let reported_at = reported.and_then(|reported| rfc3339(reported.at));
    let trace = accepted.and_then(|accepted| accepted.trace);
    to.text("messageId", delivery.message_id.as_str())
        .text("status", delivery.status().name())
        .text("acceptedAt", accepted_at.as_deref())
        .text("reportedAt", reported_at.as_deref())
        .number("timeToReportMs", milliseconds_to_report(delivery))
        .number("code", reported.and_then(|reported| reported.code).map(u64::from))
        .text("meaning", trouble.map(|code| code.meaning))
        .text("fix", trouble.map(|code| code.fix));
    if let Some(accepted) = accepted {
        to.text("oktaEventId", accepted.event_id.as_deref())
            .text("requestType", accepted.request_type.as_deref())
            .text("country", accepted.region.as_ref().map(Region::code))
            .text("senderType", accepted.sender_type.name())
            .number("attempts", u64::from(accepted.attempts))
            .number("segments", u64::from(accepted.segments))
            .text("numberHash", hex(&accepted.number).as_str())
            .text("traceId", trace.map(|trace| hex(&trace.trace_id)).as_deref());
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
    let mut text = seconds.strip_suffix('Z')?.to_owned();
    text.push('.');
    digits(&mut text, moment % 1000, 3);
    text.push('Z');
    Some(text)
}

#[cfg(test)]
mod tests;
