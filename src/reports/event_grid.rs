//! What a delivery of Azure Event Grid says, in either of its schemas: delivery reports and replies from ACS,
//! and Event Grid's own events about the subscription.
//!
//! Sources: "Azure Event Grid event schema", "CloudEvents v1.0 schema with Azure Event Grid", "Azure
//! Communication Services - SMS events" and "Endpoint validation with Event Grid event schema" (Azure
//! documentation).
//!
//! What is needed is taken strictly, since a report on the wrong message is worse than none. What is not
//! needed refuses nothing: Event Grid does not deliver again what it is answered 400 for. No phone number, no
//! text of a message and no explanation of a carrier leaves this room, but for the masked number of
//! [`SmsReceived`]; so no message of serde_json does either, which may quote them.

use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::identifier::Identifier;
use crate::json::{self, Unreadable};
use crate::phone_number::PhoneNumber;
use crate::records::{Moment, Reported, canonical_id};

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
    /// What a carrier says became of a message.
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

/// What became of a message (`Microsoft.Communication.SMSDeliveryReportReceived`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryReport {
    /// ACS's message id in the form of [`canonical_id`], to the letter.
    pub message_id: Identifier,
    /// What the carrier says.
    pub reported: Reported,
    /// The tag that was sent with the message.
    pub tag: Option<Identifier>,
}

/// What somebody has written to one of the senders (`Microsoft.Communication.SMSReceived`). The text is not
/// kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsReceived {
    /// The text is one of [`OPT_OUT_TEXTS`], in any case, with any spaces and punctuation.
    pub opt_out: bool,
    /// The writer's number as [`PhoneNumber::masked`] shows it; `None` for a short code, or what else is no
    /// number.
    pub from: Option<String>,
}

/// Why a body has no events to read. Never quotes the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotEvents {
    /// It is not JSON in UTF-8.
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
    /// A member that is read is there twice, so that nobody knows which of the two its author means. Or the
    /// name of some member is no text.
    Members,
    /// It has a `specversion`, which is not `1.0`.
    SpecVersion,
    /// It has no type.
    NoType,
    /// Its `data` is missing, or not an object.
    Data,
    /// `data.messageId` is missing, empty or not text.
    NoMessageId,
    /// `data.messageId` is longer than 64 characters, or has others than ACS's ids. A cleaned one would
    /// match nothing.
    MessageId,
    /// `data.deliveryStatus` is neither `Delivered` nor `Failed`.
    DeliveryStatus,
    /// Neither `data.receivedTimestamp` nor the event's own time is a date since 1970.
    NoTime,
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
            Self::NotAnObject => "the event is not an object",
            Self::Members => "a member is there twice, or has a name that is no text",
            Self::SpecVersion => "specversion is not 1.0",
            Self::NoType => "neither eventType nor, beside specversion, type is text",
            Self::Data => "data is not an object",
            Self::NoMessageId => "data.messageId is missing, empty or not text",
            Self::MessageId => {
                "data.messageId is longer than 64 characters, or has characters that no id of ACS's has"
            }
            Self::DeliveryStatus => "data.deliveryStatus is neither Delivered nor Failed",
            Self::NoTime => {
                "neither data.receivedTimestamp nor the event's time is a date since 1970 of the form 2026-01-31T12:00:00Z"
            }
            Self::ValidationCode => {
                "data.validationCode is not text of 1 to 256 printable ASCII characters"
            }
        })
    }
}

/// Reads a body as events: an object, or an array of none to [`EVENTS_LIMIT`] of them, each in Event Grid's
/// own schema or in that of CloudEvents 1.0. An event that cannot be taken does not concern the others.
///
/// A byte order mark before the JSON is skipped: it is allowed to (RFC 8259, section 8.1), and Event Grid
/// would not try again.
pub fn parse(body: &[u8]) -> Result<Vec<Result<Event, BadEvent>>, NotEvents> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let events: serde_json::Result<Vec<&RawValue>> = match body.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(body).map(|event| vec![event]),
        _ => serde_json::from_slice(body),
    };
    let events = events.map_err(|error| match error.classify() {
        Category::Data => NotEvents::NotAnArray,
        _ => NotEvents::NotJson { line: error.line(), column: error.column() },
    })?;
    if events.len() > EVENTS_LIMIT {
        return Err(NotEvents::TooMany);
    }
    Ok(events.into_iter().map(event).collect())
}

/// An event in either schema. The members that only one of them has have different names.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Envelope<'a> {
    event_type: Text,
    event_time: Text,
    specversion: Option<Text>,
    r#type: Text,
    time: Text,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// The data of a delivery report. Microsoft's page has shown the names in PascalCase for years, and people
/// have built senders by it.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ReportData {
    #[serde(alias = "MessageId")]
    message_id: Text,
    #[serde(alias = "DeliveryStatus")]
    delivery_status: Text,
    #[serde(alias = "DeliveryStatusDetails")]
    delivery_status_details: Text,
    #[serde(alias = "ReceivedTimestamp")]
    received_timestamp: Text,
    /// As the models of Microsoft's SDKs have it.
    tag: Text,
    /// As Microsoft's sample has it.
    #[serde(rename = "Tag")]
    pascal_tag: Text,
    #[serde(rename = "TAG")]
    upper_tag: Text,
}

/// The data of a reply.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ReplyData {
    #[serde(alias = "Message")]
    message: Text,
    #[serde(alias = "From")]
    from: Text,
}

/// The data of the event by which Event Grid validates a subscription.
///
/// `validationUrl` is another way to prove the same, for whoever cannot answer. It is never asked: a request to
/// an address out of a body is what an attacker would want.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ValidationData {
    #[serde(alias = "ValidationCode")]
    validation_code: Text,
}

/// The text of a member. `None` if the member is missing, null, or anything but text.
#[derive(Default)]
struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(value.get()).ok()))
    }
}

fn event(event: &RawValue) -> Result<Event, BadEvent> {
    let event: Envelope<'_> = object(event, BadEvent::NotAnObject)?;
    let (name, time) = match event.specversion {
        None => (event.event_type, event.event_time),
        Some(Text(Some(version))) if version == "1.0" => (event.r#type, event.time),
        Some(_) => return Err(BadEvent::SpecVersion),
    };
    let name = name.0.ok_or(BadEvent::NoType)?;
    let data = event.data.ok_or(BadEvent::Data);
    match name.to_ascii_lowercase().as_str() {
        "microsoft.communication.smsdeliveryreportreceived" => {
            delivery_report(object(data?, BadEvent::Data)?, time).map(Event::Report)
        }
        "microsoft.communication.smsreceived" => {
            Ok(Event::Received(sms_received(object(data?, BadEvent::Data)?)))
        }
        "microsoft.eventgrid.subscriptionvalidationevent" => {
            let code = validation_code(object(data?, BadEvent::Data)?)?;
            Ok(Event::Validation { code })
        }
        "microsoft.eventgrid.subscriptiondeletedevent" => Ok(Event::SubscriptionDeleted),
        _ => Ok(Event::Other),
    }
}

fn object<'a, T: Deserialize<'a>>(
    value: &'a RawValue,
    not_an_object: BadEvent,
) -> Result<T, BadEvent> {
    json::read_text(value.get()).map_err(|unreadable| match unreadable {
        Unreadable::NotAnObject => not_an_object,
        // It is JSON, no member has to be there, and `Text` takes any type.
        _ => BadEvent::Members,
    })
}

fn delivery_report(data: ReportData, time: Text) -> Result<DeliveryReport, BadEvent> {
    let id = data.message_id.0.ok_or(BadEvent::NoMessageId)?;
    let status = data.delivery_status.0.ok_or(BadEvent::DeliveryStatus)?;
    let delivered = status.eq_ignore_ascii_case("Delivered");
    if !delivered && !status.eq_ignore_ascii_case("Failed") {
        return Err(BadEvent::DeliveryStatus);
    }
    // ACS's own date, or else the envelope's.
    let dates = [data.received_timestamp, time];
    let tags = [data.tag, data.pascal_tag, data.upper_tag];
    Ok(DeliveryReport {
        message_id: message_id(&id)?,
        reported: Reported {
            at: dates
                .into_iter()
                .find_map(|date| milliseconds(&date.0?))
                .ok_or(BadEvent::NoTime)?,
            delivered,
            code: data.delivery_status_details.0.and_then(|details| code(&details)),
        },
        tag: tags
            .into_iter()
            .find_map(|tag| tag.0.filter(|tag| !tag.is_empty()))
            .map(|tag| Identifier::new(&tag)),
    })
}

fn sms_received(data: ReplyData) -> SmsReceived {
    let message = data.message.0.unwrap_or_default();
    SmsReceived { opt_out: opts_out(&message), from: data.from.0.and_then(|from| masked(&from)) }
}

/// Whether a text is one of [`OPT_OUT_TEXTS`], but for case, spaces and punctuation.
fn opts_out(message: &str) -> bool {
    let letters = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect()
    };
    let message = letters(message);
    OPT_OUT_TEXTS.iter().any(|text| letters(text) == message)
}

fn validation_code(data: ValidationData) -> Result<String, BadEvent> {
    let code = data.validation_code.0.ok_or(BadEvent::ValidationCode)?;
    let fits = (1..=VALIDATION_CODE_LIMIT).contains(&code.len())
        && code.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if fits { Ok(code) } else { Err(BadEvent::ValidationCode) }
}

fn message_id(id: &str) -> Result<Identifier, BadEvent> {
    let id = canonical_id(id);
    if id.is_empty() {
        return Err(BadEvent::NoMessageId);
    }
    let identifier = Identifier::of_message(id);
    if identifier.as_str() == id { Ok(identifier) } else { Err(BadEvent::MessageId) }
}

fn milliseconds(date: &str) -> Option<Moment> {
    let date = OffsetDateTime::parse(date, &Rfc3339).ok()?;
    let seconds = Moment::try_from(date.unix_timestamp()).ok()?;
    Some(seconds * 1000 + Moment::from(date.millisecond()))
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
