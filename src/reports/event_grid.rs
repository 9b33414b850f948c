//! What a delivery of Azure Event Grid says, in either of its schemas: delivery reports and replies of ACS,
//! and Event Grid's own events about the subscription.
//!
//! Sources: "Azure Event Grid event schema", "CloudEvents v1.0 schema with Azure Event Grid", "Azure
//! Communication Services - SMS events" and "Endpoint validation with Event Grid event schema" (Azure
//! documentation).
//!
//! What is needed is taken strictly, since a report on the wrong message is worse than none. What is not
//! needed refuses nothing: Event Grid drops for good what it is answered 400 for. No number, text or
//! explanation gets out but as [`SmsReceived`] says.

use std::fmt;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::json::read::{Json, Unfit};
use crate::phone_number::PhoneNumber;
use crate::records::{Moment, Reported, canonical_id};
use crate::telemetry::Identifier;

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

/// The texts by which a person opts out. ACS's SMS FAQ has only STOP, by which ACS and the carriers go; the
/// others count as much in the United States (47 CFR 64.1200(a)(10)), or by the carriers' custom (STOPALL).
pub const OPT_OUT_TEXTS: [&str; 6] = ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"];

/// An event that concerns the hook, or that it is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A carrier says what became of a message.
    Report(DeliveryReport),
    /// Somebody wrote to one of the senders.
    Received(SmsReceived),
    /// Event Grid wants to have the code back, before it delivers anything to a new subscription.
    Validation {
        /// Printable ASCII, 1 to [`VALIDATION_CODE_LIMIT`] characters.
        code: String,
    },
    /// The subscription is gone: nothing will come any more.
    SubscriptionDeleted,
    /// Of a type that nobody here asks for. Nothing else of it was read.
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

/// Somebody wrote to one of the senders (`Microsoft.Communication.SMSReceived`). What they wrote is not
/// kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsReceived {
    /// The text is one of [`OPT_OUT_TEXTS`], in any case, with any space around it.
    pub opt_out: bool,
    /// The writer's number as [`PhoneNumber::masked`] shows it; `None` for a short code, or what else is no
    /// number.
    pub from: Option<String>,
}

/// Why a body has no events to read. Never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotEvents {
    /// It is not JSON in UTF-8.
    NotJson,
    /// It is JSON, but neither an event nor an array.
    NotAnArray,
    /// It has more than [`EVENTS_LIMIT`] events.
    TooMany,
}

/// Why an event can't be taken. Never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadEvent {
    /// It is not an object.
    NotAnObject,
    /// One of the members that are read is there twice: of the two, who wrote the event may mean the other.
    MemberTwice,
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
            Self::NotJson => f.write_str("the body is not JSON in UTF-8"),
            Self::NotAnArray => f.write_str("the body is neither an object nor an array"),
            Self::TooMany => write!(f, "the body has more than {EVENTS_LIMIT} events"),
        }
    }
}

impl fmt::Display for BadEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnObject => "the event is not an object",
            Self::MemberTwice => "a member is there twice",
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

/// The events of a body in their order, each read when it is asked for. `Debug` shows how many are left.
pub struct Events<'a>(std::vec::IntoIter<Json<'a>>);

impl fmt::Debug for Events<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Events({})", self.len())
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Event, BadEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(event)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Events<'_> {}

/// Reads a body as events: an object, or an array of none to [`EVENTS_LIMIT`] of them, each in Event Grid's
/// own schema or in that of CloudEvents 1.0. An event that can't be taken does not concern the others.
///
/// A byte order mark before the JSON is skipped: it is allowed to (RFC 8259, section 8.1), and Event Grid
/// would not try again.
pub fn parse(body: &[u8]) -> Result<Events<'_>, NotEvents> {
    let text = str::from_utf8(body).map_err(|_| NotEvents::NotJson)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let whole = Json::parse(text.as_bytes()).map_err(|_| NotEvents::NotJson)?;
    if whole.is_object() {
        return Ok(Events(vec![whole].into_iter()));
    }
    let elements = whole.elements().ok_or(NotEvents::NotAnArray)?;
    let events: Vec<_> = elements.take(EVENTS_LIMIT + 1).collect();
    if events.len() > EVENTS_LIMIT {
        return Err(NotEvents::TooMany);
    }
    Ok(Events(events.into_iter()))
}

fn event(event: Json<'_>) -> Result<Event, BadEvent> {
    let names = ["specversion", "type", "time", "eventType", "eventTime", "data"];
    let [specversion, cloud_type, cloud_time, event_type, event_time, data] =
        members(event, names, BadEvent::NotAnObject)?;
    let (name, time) = match specversion.map(Json::text) {
        None => (event_type, event_time),
        Some(version) if version.as_deref() == Some("1.0") => (cloud_type, cloud_time),
        Some(_) => return Err(BadEvent::SpecVersion),
    };
    let name = name.and_then(Json::text).ok_or(BadEvent::NoType)?;
    let is = |other| name.eq_ignore_ascii_case(other);
    if is("Microsoft.Communication.SMSDeliveryReportReceived") {
        delivery_report(data.ok_or(BadEvent::Data)?, time).map(Event::Report)
    } else if is("Microsoft.Communication.SMSReceived") {
        sms_received(data.ok_or(BadEvent::Data)?).map(Event::Received)
    } else if is("Microsoft.EventGrid.SubscriptionValidationEvent") {
        validation_code(data.ok_or(BadEvent::Data)?).map(|code| Event::Validation { code })
    } else if is("Microsoft.EventGrid.SubscriptionDeletedEvent") {
        Ok(Event::SubscriptionDeleted)
    } else {
        Ok(Event::Other)
    }
}

fn delivery_report(data: Json<'_>, time: Option<Json<'_>>) -> Result<DeliveryReport, BadEvent> {
    let names = [
        "messageId",
        "deliveryStatus",
        "deliveryStatusDetails",
        "receivedTimestamp",
        // As the models of Microsoft's SDK have it, as its sample has it, and to be sure.
        "tag",
        "Tag",
        "TAG",
    ];
    let [id, status, details, received, tags @ ..] = members(data, names, BadEvent::Data)?;
    let id = id.and_then(Json::text).ok_or(BadEvent::NoMessageId)?;
    let status = status.and_then(Json::text).ok_or(BadEvent::DeliveryStatus)?;
    let delivered = status.eq_ignore_ascii_case("Delivered");
    if !delivered && !status.eq_ignore_ascii_case("Failed") {
        return Err(BadEvent::DeliveryStatus);
    }
    Ok(DeliveryReport {
        message_id: message_id(&id)?,
        reported: Reported {
            at: moment(received, time)?,
            delivered,
            code: details.and_then(Json::text).and_then(|details| code(&details)),
        },
        tag: tags
            .into_iter()
            .find_map(|tag| tag?.text().filter(|tag| !tag.is_empty()))
            .map(|tag| Identifier::new(&tag)),
    })
}

fn sms_received(data: Json<'_>) -> Result<SmsReceived, BadEvent> {
    let [message, from] = members(data, ["message", "from"], BadEvent::Data)?;
    let message = message.and_then(Json::text);
    let message = message.as_deref().unwrap_or("").trim();
    Ok(SmsReceived {
        opt_out: OPT_OUT_TEXTS.iter().any(|text| text.eq_ignore_ascii_case(message)),
        from: from.and_then(Json::text).and_then(|from| masked(&from)),
    })
}

/// `validationUrl` is another way to prove the same, for whoever can't answer. Never asked: a request to an
/// address out of a body is what the attacker would want.
fn validation_code(data: Json<'_>) -> Result<String, BadEvent> {
    let [code] = members(data, ["validationCode"], BadEvent::Data)?;
    let code = code.and_then(Json::text).ok_or(BadEvent::ValidationCode)?;
    let fits = (1..=VALIDATION_CODE_LIMIT).contains(&code.len())
        && code.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if fits { Ok(code.into_owned()) } else { Err(BadEvent::ValidationCode) }
}

fn message_id(id: &str) -> Result<Identifier, BadEvent> {
    match canonical_id(id) {
        "" => Err(BadEvent::NoMessageId),
        id => {
            let identifier = Identifier::of_message(id);
            if identifier.as_str() == id { Ok(identifier) } else { Err(BadEvent::MessageId) }
        }
    }
}

/// When it happened: ACS's own date, or else the envelope's.
fn moment(received: Option<Json<'_>>, time: Option<Json<'_>>) -> Result<Moment, BadEvent> {
    [received, time]
        .into_iter()
        .find_map(|date| milliseconds(&date?.text()?))
        .ok_or(BadEvent::NoTime)
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

/// The members of an object with these names; one that is `null` is as if not there, but for being there
/// twice.
fn members<'a, const N: usize>(
    object: Json<'a>,
    names: [&'static str; N],
    not_an_object: BadEvent,
) -> Result<[Option<Json<'a>>; N], BadEvent> {
    object.given(names).map_err(|unfit| match unfit {
        Unfit::NotAnObject => not_an_object,
        Unfit::Twice(_) => BadEvent::MemberTwice,
    })
}

#[cfg(test)]
mod tests;
