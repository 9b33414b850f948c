//! What a delivery of Azure Event Grid says, in either of its schemas: delivery reports and replies from ACS,
//! and Event Grid's own events about the subscription.
//!
//! Sources: "Azure Event Grid event schema", "CloudEvents v1.0 schema with Azure Event Grid", "Azure
//! Communication Services - SMS events" and "Endpoint validation with Event Grid event schema" (Azure
//! documentation).
//!
//! A report needs the message's id, to the letter, since a report on the wrong message is worse than none.
//! Nothing else is needed, and what is not needed refuses nothing, whatever it holds: Event Grid does not deliver
//! again what it is answered 400 for. No phone number, no text of a message and no explanation of a carrier leaves
//! this room, but for the masked number of [`SmsReceived`]; so no message of serde_json does either, which may quote
//! them.

mod object;

use std::fmt;

use serde_json::error::Category;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::{DeliveryReport, STATUS_LIMIT, utf8};
use crate::date;

use self::object::{Object, text, text_or_number};
use crate::identifier::Identifier;
use crate::phone_number::PhoneNumber;
use crate::ports::milliseconds;
use crate::records::code::Code;
use crate::records::{CLOCKS_APART, Moment, Reported, Said, canonical_id};

/// The most bytes of a body, for whoever reads it from the network: 1.5 MiB. Event Grid's arrays have 1 MB at
/// most ("Azure Event Grid event schema"). Half as much again, so that it does not matter whether that counts
/// what Event Grid itself adds, and whether a megabyte is 10⁶ or 2²⁰ bytes: what is refused for its length
/// is lost.
pub const BODY_LIMIT: usize = 1_572_864;

/// The most events of a delivery: the highest that a subscription's batch can be set to ("Event Grid message
/// delivery and retry").
pub const EVENTS_LIMIT: usize = 5000;

/// The longest validation code, in characters. Microsoft's sample has the 36 of a UUID.
pub const VALIDATION_CODE_LIMIT: usize = 256;

/// The texts by which a person opts out. ACS's SMS FAQ has only STOP, by which ACS and the carriers go. The
/// others count as much in the United States (47 CFR 64.1200(a)(10)), or by the carriers' custom (STOPALL).
pub const OPT_OUT_TEXTS: [&str; 8] =
    ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPT OUT"];

/// An event, as far as it concerns the hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// What a carrier says became of a message (`Microsoft.Communication.SMSDeliveryReportReceived`).
    Report(DeliveryReport),
    /// Somebody has written to one of the senders.
    Received(SmsReceived),
    /// Event Grid wants to have the code back, before it delivers anything to a new subscription.
    Validation {
        /// Printable ASCII, 1 to [`VALIDATION_CODE_LIMIT`] characters.
        code: String,
    },
    /// The subscription is gone: nothing will come any more.
    SubscriptionDeleted,
    /// An event of another type. Nothing but its type was read.
    Other,
}

/// What somebody has written to one of the senders (`Microsoft.Communication.SMSReceived`). The text is not
/// kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsReceived {
    /// The text is one of [`OPT_OUT_TEXTS`] and nothing else, in any case, with any spaces, punctuation and emoji.
    pub opt_out: bool,
    /// The writer's number as [`PhoneNumber::masked`] shows it; `None` for a short code, or what else is no
    /// number.
    pub from: Option<String>,
}

/// Why a body has no events to read. Never quotes the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotEvents {
    /// It is not JSON in UTF-8. Bytes that are not UTF-8 may be within its texts.
    NotJson {
        /// Where it stops being JSON, from 1.
        line: usize,
        /// The byte in that line, from 1 as a rule.
        column: usize,
    },
    /// It is JSON, but neither an event nor an array.
    NotAnArray,
    /// It has more than [`EVENTS_LIMIT`] events.
    TooMany,
}

/// Why an event cannot be taken. Never quotes the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadEvent {
    /// It is not an object.
    NotAnObject,
    /// It has no type, and its data is not that of a report.
    NoType,
    /// Its `data` is missing, or not an object.
    Data,
    /// `data.messageId` is missing, empty or not text.
    NoMessageId,
    /// `data.messageId` is longer than 64 characters, or has others than ACS's ids. A cleaned one would
    /// match nothing.
    MessageId,
    /// `data.validationCode` is missing, or not as [`Event::Validation`] has it.
    ValidationCode,
}

impl fmt::Display for NotEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson { line, column } => {
                write!(f, "the body is not JSON in UTF-8: look at line {line}, column {column}")
            }
            Self::NotAnArray => f.write_str("the body is neither an object nor an array"),
            Self::TooMany => write!(f, "the body has more than {EVENTS_LIMIT} events"),
        }
    }
}

impl fmt::Display for BadEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnObject => "an event is not an object",
            Self::NoType => "an event has neither eventType nor type",
            Self::Data => "an event's data is not an object",
            Self::NoMessageId => "a report's data.messageId is missing, empty or not text",
            Self::MessageId => {
                "a report's data.messageId is longer than 64 characters, or has characters that no id of ACS's has"
            }
            Self::ValidationCode => {
                "an event's data.validationCode is not text of 1 to 256 printable ASCII characters"
            }
        })
    }
}

/// Reads a body as events: an object, or an array of none to [`EVENTS_LIMIT`] of them, each in Event Grid's
/// own schema or in that of CloudEvents 1.0. An event that cannot be taken does not concern the others. A report
/// without a date counts as one of `now`.
///
/// A byte order mark before the JSON is skipped: it is allowed to (RFC 8259, section 8.1), and Event Grid
/// would not try again.
pub fn parse(body: &[u8], now: Moment) -> Result<Vec<Result<Event, BadEvent>>, NotEvents> {
    let body = utf8(body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body));
    let events: serde_json::Result<Vec<&RawValue>> = match body.trim_ascii_start().starts_with('{')
    {
        true => serde_json::from_str(&body).map(|event| vec![event]),
        false => serde_json::from_str(&body),
    };
    let events = events.map_err(|error| match error.classify() {
        Category::Data => NotEvents::NotAnArray,
        _ => NotEvents::NotJson { line: error.line(), column: error.column() },
    })?;
    if events.len() > EVENTS_LIMIT {
        return Err(NotEvents::TooMany);
    }
    Ok(events.into_iter().map(|it| event(it, now)).collect())
}

/// Reads what ACS answers when it is asked for a report (the REST API's `Delivery Reports - Get`): the same members as an
/// event has in its `data`.
pub fn answer(body: &[u8], now: Moment) -> Result<DeliveryReport, BadEvent> {
    let body = utf8(body);
    let report: Option<&RawValue> = serde_json::from_str(&body).ok();
    let report = report.and_then(Object::read).ok_or(BadEvent::NotAnObject)?;
    delivery_report(&report, &report, now)
}

/// Whether a text is an id that a report may have, to the letter.
pub fn is_message_id(text: &str) -> bool {
    !text.is_empty() && Identifier::of_message(text).as_str() == text
}

/// The events that concern the hook, by their types.
enum Kind {
    Report,
    Received,
    Validation,
    SubscriptionDeleted,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "microsoft.communication.smsdeliveryreportreceived" => Self::Report,
            "microsoft.communication.smsreceived" => Self::Received,
            "microsoft.eventgrid.subscriptionvalidationevent" => Self::Validation,
            "microsoft.eventgrid.subscriptiondeletedevent" => Self::SubscriptionDeleted,
            _ => return None,
        })
    }
}

/// Reads an event in either schema. The members that only one of them has have different names: Event Grid's has
/// `eventType` and `eventTime`, that of CloudEvents `type` and `time`.
fn event(event: &RawValue, now: Moment) -> Result<Event, BadEvent> {
    let event = Object::read(event).ok_or(BadEvent::NotAnObject)?;
    let data = event.find("data", Object::read).ok_or(BadEvent::Data);
    let kind = |name| event.find(name, |value| Kind::of(&text(value)?));
    let has_type = |name| event.find(name, text).is_some();
    let kind = match kind("eventType").or_else(|| kind("type")) {
        Some(kind) => kind,
        None if has_type("eventType") || has_type("type") => return Ok(Event::Other),
        // Without a type it is told by what no other event has.
        None => match &data {
            Ok(data) if data.find("deliveryStatus", Some).is_some() => Kind::Report,
            _ => return Err(BadEvent::NoType),
        },
    };
    match kind {
        Kind::Report => delivery_report(&event, &data?, now).map(Event::Report),
        Kind::Received => Ok(Event::Received(sms_received(&data?))),
        Kind::Validation => Ok(Event::Validation { code: validation_code(&data?)? }),
        Kind::SubscriptionDeleted => Ok(Event::SubscriptionDeleted),
    }
}

fn delivery_report(
    event: &Object<'_>,
    data: &Object<'_>,
    now: Moment,
) -> Result<DeliveryReport, BadEvent> {
    // One that is yet to come says nothing; and the newest report holds, so it would keep out those that follow.
    let has_come = |at: &Moment| *at <= now.saturating_add(CLOCKS_APART);
    let date = |of: &Object<'_>, name| {
        of.find(name, |value| moment(&text_or_number(value)?).filter(has_come))
    };
    // ACS's own date, or else the envelope's.
    let at = date(data, "receivedTimestamp")
        .or_else(|| date(event, "eventTime"))
        .or_else(|| date(event, "time"));
    let tag = data.find("tag", |value| text(value).filter(|tag| !tag.is_empty()));
    Ok(DeliveryReport {
        message_id: message_id(data)?,
        reported: Reported {
            at: at.unwrap_or(now),
            said: said(data),
            code: data.find("deliveryStatusDetails", |value| {
                code(&text_or_number(value)?).map(Code::Acs)
            }),
        },
        has_date: at.is_some(),
        tag: tag.map(|tag| Identifier::new(&tag)),
    })
}

/// A date since 1970.
fn moment(text: &str) -> Option<Moment> {
    date::read(text).filter(|date| *date >= OffsetDateTime::UNIX_EPOCH).map(milliseconds)
}

/// What became of the message. A status that is not documented is kept by its letters alone, since whatever a
/// sender puts there may be a number or a passcode.
fn said(data: &Object<'_>) -> Said {
    let status = |value| text(value).filter(|status| !letters(status).is_empty());
    let known = |value| match letters(&status(value)?).as_str() {
        "DELIVERED" => Some(Said::Delivered),
        "FAILED" => Some(Said::Failed),
        _ => None,
    };
    data.find("deliveryStatus", known).unwrap_or_else(|| {
        let status = data.find("deliveryStatus", status);
        // Several words may be about a person.
        let status = status.filter(|status| !trimmed(status).contains(char::is_whitespace));
        Said::Other(status.map(|status| {
            let letter = |c: char| if c.is_ascii_alphabetic() { c } else { '_' };
            trimmed(&status).chars().take(STATUS_LIMIT).map(letter).collect()
        }))
    })
}

fn sms_received(data: &Object<'_>) -> SmsReceived {
    let message = data.find("message", text).unwrap_or_default();
    SmsReceived {
        opt_out: opts_out(&message),
        from: data.find("from", |value| masked(&text_or_number(value)?)),
    }
}

/// Whether a text is one of [`OPT_OUT_TEXTS`], but for case, spaces, punctuation and whatever else is no letter. A
/// sentence with such a word in it is not one: "don't stop" is no wish to opt out.
fn opts_out(message: &str) -> bool {
    let message = letters(message);
    OPT_OUT_TEXTS.iter().any(|text| letters(text) == message)
}

/// The letters and digits of a text, in upper case: what is left of it without spaces, punctuation, emoji and
/// characters that nobody sees.
fn letters(text: &str) -> String {
    // Unicode has these among the letters and digits: invisible fillers of Hangul, signs, and letters in circles
    // and squares, which phones offer as emoji.
    let is_sign = |c: char| {
        matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2100}'..='\u{214f}'
            | '\u{2460}'..='\u{24ff}' | '\u{1f100}'..='\u{1f1ff}')
    };
    let letters = text.chars().filter(|c| c.is_alphanumeric() && !is_sign(*c));
    letters.flat_map(char::to_uppercase).collect()
}

/// `validationUrl` is another way to prove the same, for whoever cannot answer. It is never asked: a request to
/// an address out of a body is what an attacker would want.
fn validation_code(data: &Object<'_>) -> Result<String, BadEvent> {
    let fits = |code: &String| {
        (1..=VALIDATION_CODE_LIMIT).contains(&code.len())
            && code.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    };
    data.find("validationCode", |value| text(value).filter(fits)).ok_or(BadEvent::ValidationCode)
}

/// The message's id to the letter, without the blanks and quotes around it.
fn message_id(data: &Object<'_>) -> Result<Identifier, BadEvent> {
    let id = |text: &str| {
        let id = canonical_id(trimmed(text));
        is_message_id(id).then(|| Identifier::of_message(id))
    };
    data.find("messageId", |value| id(&text(value)?)).ok_or_else(|| {
        let is_there = |value| text(value).is_some_and(|id| !canonical_id(trimmed(&id)).is_empty());
        match data.find("messageId", |value| is_there(value).then_some(())) {
            Some(()) => BadEvent::MessageId,
            None => BadEvent::NoMessageId,
        }
    })
}

/// A text without the blanks, the invisible characters and the typographic quotes around it.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace() || c.is_control() || !(c.is_ascii() || c.is_alphanumeric())
    })
}

/// The number that the details begin with: four digits that are not a part of something longer, such as of
/// a date. The rest is anybody's text, and left.
fn code(details: &str) -> Option<u16> {
    let (digits, rest) = details.trim_start().split_at_checked(4)?;
    let longer = rest.starts_with(|c: char| c.is_alphanumeric() || "-/_".contains(c));
    if longer || !digits.bytes().all(|byte| byte.is_ascii_digit()) || digits.starts_with('0') {
        return None;
    }
    digits.parse().ok()
}

/// A number as the log may have it. ACS writes the sender of a reply without `+`.
fn masked(number: &str) -> Option<String> {
    let digits = number.strip_prefix('+').unwrap_or(number);
    PhoneNumber::parse(&format!("+{digits}")).ok().map(|number| number.masked())
}

#[cfg(test)]
mod tests;
