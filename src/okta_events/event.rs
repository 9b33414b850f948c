//! What a delivery of Okta's event hook says, as far as it concerns the hook.
//!
//! Sources: "Event hooks" and the catalogue of event types (Okta's developer documentation), `LogEvent` (Okta's
//! Management API), and rows of a real System Log.
//!
//! An event has a person's login, name, address and place, and some have the number. Nothing of that leaves this room but
//! the number's country, and Okta's id of the person, which [`UserId`] does not show; so no message of serde_json does
//! either, which may quote them.

use std::fmt;

use numbering::Region;
use serde::Deserialize;
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::method::Method;
use crate::date;
use crate::guard::What;
use crate::json::utf8;
use crate::message::Channel;
use crate::phone_number::PhoneNumber;
use crate::ports::milliseconds;
use crate::records::{CLOCKS_APART, Moment};

/// The most bytes of a body: 1 MiB. Okta names no maximum. The event that it documents has 2.2 KB, so this is over 450 of
/// them; an org has 400,000 a day at most ("Event hooks", its limits), five a second, and those that come within a short
/// time of each other come together.
pub const BODY_LIMIT: usize = 1 << 20;

/// The most events of a delivery: twice as many as a body has room for, if they are as Okta documents them.
pub const EVENTS_LIMIT: usize = 1000;

/// What a delivery says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// How many events there are.
    pub count: usize,
    /// Those that concern the hook.
    pub events: Vec<Event>,
    /// How many there are of other types, or that say nothing here.
    pub others: usize,
    /// Why events could not be read, each as often as it happened.
    pub bad: Vec<BadEvent>,
    /// When the newest event of any type was published.
    pub newest: Option<Moment>,
}

/// An event that concerns the hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Okta's id of the event, which is the same each time that it comes. Never empty.
    pub uuid: String,
    /// When it happened; now, if its date has yet to come.
    pub published: Moment,
    /// How the passcode was to reach the person, if the event says so.
    pub channel: Option<Channel>,
    /// What it says.
    pub said: Said,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Something of a person.
    Person {
        /// Of whom.
        user: UserId,
        /// What they did, or what was done to them.
        what: What,
    },
    /// Okta sent a passcode itself, since the hook failed.
    SentByOkta {
        /// To where.
        country: Option<Region>,
    },
    /// Okta refused to send a passcode, and did not ask the hook.
    RefusedByOkta {
        /// To where it was to go.
        country: Option<Region>,
    },
    /// Okta has given up on the hook: no answer in time, or none that it understands.
    HookGivenUp,
}

/// Okta's id of a person. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct UserId(String);

impl UserId {
    /// The id, of which only a keyed hash may be kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserId([redacted])")
    }
}

/// Why a body is no delivery. Never quotes the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotADelivery {
    /// It is not JSON.
    #[error("the body is not JSON: look at line {line}, column {column}")]
    NotJson {
        /// Where it stops being JSON, from 1.
        line: usize,
        /// The byte in that line, from 1 as a rule.
        column: usize,
    },
    /// It has no list `data.events`.
    #[error(
        "the body has no list data.events: is this the URL of Okta's event hook, and not of an inline hook?"
    )]
    NoEvents,
    /// It has more than [`EVENTS_LIMIT`] events.
    #[error("the body has more than {EVENTS_LIMIT} events")]
    TooMany,
}

/// Why an event can't be read. Never quotes the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum BadEvent {
    /// It is not an object, or can't be read as one.
    #[error("an event is not an object that can be read")]
    NotAnObject,
    /// It has no type.
    #[error("an event has no eventType")]
    NoType,
    /// It has no id.
    #[error("an event has no uuid")]
    NoUuid,
    /// It has no date, or one that can't be read.
    #[error("an event's published is no date")]
    Published,
    /// It does not say who the person is.
    #[error("an event has no id of a user, neither as its actor nor as its target")]
    NoUser,
}

/// Reads a delivery, which has arrived `now`. One event that can't be read costs no other.
pub fn parse(body: &[u8], now: Moment) -> Result<Delivery, NotADelivery> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        data: Data<'a>,
    }
    #[derive(Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        events: Vec<&'a RawValue>,
    }
    let body = utf8(body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body));
    let envelope: Envelope<'_> =
        serde_json::from_str(&body).map_err(|error| match error.classify() {
            Category::Data => NotADelivery::NoEvents,
            _ => NotADelivery::NotJson { line: error.line(), column: error.column() },
        })?;
    let events = envelope.data.events;
    if events.len() > EVENTS_LIMIT {
        return Err(NotADelivery::TooMany);
    }
    let mut delivery = Delivery { count: events.len(), ..Delivery::default() };
    for event in events {
        let event: Value = match serde_json::from_str(event.get()) {
            Ok(event @ Value::Object(_)) => event,
            _ => {
                delivery.bad.push(BadEvent::NotAnObject);
                continue;
            }
        };
        let published = published(&event, now);
        delivery.newest = delivery.newest.max(published);
        match read(&event, published) {
            Ok(Some(event)) => delivery.events.push(event),
            Ok(None) => delivery.others += 1,
            Err(bad) => delivery.bad.push(bad),
        }
    }
    Ok(delivery)
}

/// The text at a place of an event.
pub(super) fn text<'a>(event: &'a Value, at: &str) -> Option<&'a str> {
    event.pointer(at)?.as_str()
}

/// The first target of a type: "search for a given type rather than the array location" (`LogEvent`, `target`).
pub(super) fn target<'a>(event: &'a Value, kind: &str) -> Option<&'a Value> {
    let targets = event.get("target")?.as_array()?;
    targets.iter().find(|target| text(target, "/type") == Some(kind))
}

/// What an event says; `None` where that concerns nobody here.
fn read(event: &Value, published: Option<Moment>) -> Result<Option<Event>, BadEvent> {
    let kind = text(event, "/eventType").ok_or(BadEvent::NoType)?;
    let (channel, said) = match kind {
        "user.authentication.auth_via_mfa" => {
            let method = Method::of(event);
            let Some(what) = signed_in(event, method) else { return Ok(None) };
            (channel(method), by_person(actor(event).or_else(|| user(event)), what)?)
        }
        "user.mfa.factor.activate" | "user.mfa.factor.deactivate" => {
            let method = Method::of(event);
            if !matches!(method, Some(Method::Phone(_))) || result(event) != "SUCCESS" {
                return Ok(None);
            }
            let what = match kind {
                "user.mfa.factor.activate" => What::Activated,
                _ => What::Removed,
            };
            // The actor may be an administrator. And the reason does not tell the channel: of one passcode Okta may tell an
            // event for each channel of the phone.
            (None, by_person(user(event), what)?)
        }
        "system.sms.send_phone_verification_message" => {
            let Some(said) = sent(event, "isSmsHookFailover") else { return Ok(None) };
            (Some(Channel::Sms), said)
        }
        "system.voice.send_phone_verification_call" => {
            let Some(said) = sent(event, "isCallHookFailover") else { return Ok(None) };
            (Some(Channel::Call), said)
        }
        "inline_hook.executed" => {
            // Hooks of other kinds, such as for tokens, are told of by the same type.
            let is_ours = debug(event, "inlineHookType").and_then(Value::as_str)
                == Some("com.okta.telephony.provider");
            if !is_ours || result(event) != "FAILURE" {
                return Ok(None);
            }
            (None, Said::HookGivenUp)
        }
        _ => return Ok(None),
    };
    let uuid = text(event, "/uuid").filter(|uuid| !uuid.is_empty()).ok_or(BadEvent::NoUuid)?;
    let published = published.ok_or(BadEvent::Published)?;
    Ok(Some(Event { uuid: uuid.to_owned(), published, channel, said }))
}

/// What became of a sign-in. Nothing that was given up is a use, nor a failure of another method.
fn signed_in(event: &Value, method: Option<Method>) -> Option<What> {
    match (result(event), method) {
        ("SUCCESS", Some(Method::Phone(channel))) => Some(What::Phone(channel)),
        ("SUCCESS", Some(Method::Strong)) => Some(What::OtherMethod),
        // "The user ignored some available security methods, but satisfied assurance requirements with other options"
        // (Okta's help, "MFA abandonment").
        ("UNANSWERED", _) => Some(What::OtherMethod),
        ("FAILURE", Some(Method::Phone(_)))
            if text(event, "/outcome/reason") == Some("INVALID_CREDENTIALS") =>
        {
            Some(What::WrongCode)
        }
        _ => None,
    }
}

/// What an event about a message that enrols a phone says. That the hook was asked for it, and did it, says nothing new.
fn sent(event: &Value, failover: &str) -> Option<Said> {
    match result(event) {
        "DENY" => Some(Said::RefusedByOkta { country: country(event) }),
        "SUCCESS" if debug(event, failover).is_some_and(is_true) => {
            Some(Said::SentByOkta { country: country(event) })
        }
        _ => None,
    }
}

fn channel(method: Option<Method>) -> Option<Channel> {
    match method {
        Some(Method::Phone(channel)) => channel,
        _ => None,
    }
}

fn result(event: &Value) -> &str {
    text(event, "/outcome/result").unwrap_or_default()
}

/// A value of `debugData`. The catalogue writes its names in snake_case, events have them in camelCase.
fn debug<'a>(event: &'a Value, name: &str) -> Option<&'a Value> {
    event.pointer("/debugContext/debugData")?.get(name)
}

/// The catalogue says that it is a Boolean, and events have texts.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(is_so) => *is_so,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

fn by_person(user: Option<UserId>, what: What) -> Result<Said, BadEvent> {
    Ok(Said::Person { user: user.ok_or(BadEvent::NoUser)?, what })
}

/// The person who acted, if it was a person.
fn actor(event: &Value) -> Option<UserId> {
    let actor = event.get("actor")?;
    if text(actor, "/type") != Some("User") {
        return None;
    }
    user_id(actor)
}

/// The person to whom it was done.
fn user(event: &Value) -> Option<UserId> {
    user_id(target(event, "User")?)
}

fn user_id(of: &Value) -> Option<UserId> {
    text(of, "/id").filter(|id| !id.is_empty()).map(|id| UserId(id.to_owned()))
}

/// The country of the number: it is in `debugData`, or the alternate id of a target, as in Classic and at times in Identity
/// Engine, too.
fn country(event: &Value) -> Option<Region> {
    let number = debug(event, "phoneNumber").and_then(Value::as_str);
    let number = number.or_else(|| text(target(event, "MobilePhone")?, "/alternateId"));
    let number = number.and_then(|number| PhoneNumber::parse(number).ok());
    let of_number = number.and_then(|number| number.plan().region);
    of_number.or_else(|| Region::parse(debug(event, "countryCodeIso2")?.as_str()?))
}

/// When an event was published. One that is yet to come was published now: a clock may be wrong, and no event that follows
/// may look old for it.
fn published(event: &Value, now: Moment) -> Option<Moment> {
    let date = date::read(text(event, "/published")?)?;
    if date.unix_timestamp() < 0 {
        return None;
    }
    let published = milliseconds(date);
    Some(if published <= now.saturating_add(CLOCKS_APART) { published } else { now })
}

#[cfg(test)]
mod tests;
