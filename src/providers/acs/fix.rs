//! What to do where ACS does not take a message: the most likely cause first.
//!
//! Its causes can look alike. The live recordings of Microsoft's SDK tests (azure-sdk-for-js, azure-sdk-for-python)
//! have a sender that the resource does not own refused with 401 and the code `Unauthorized` with an empty message;
//! older ones (azure-sdk-for-net) with an empty 404. What a wrong signature is told is 401 and the code `Denied`
//! (REST specification 2026-01-23). Where ACS says what is wrong, as in the name of a field, that is followed.

use std::time::Duration;

use time::OffsetDateTime;

use super::{DEFAULT_NAME, NEWEST_API_VERSION};
use crate::providers::{Candidate, Provider};
use crate::refusal::{Reason, Refusal};
use crate::sender::SenderKind;

/// A refusal, as ACS says it.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    /// The status: the recipient's own where there is one.
    pub status: u16,
    /// The error code of the whole request, or the name of the field that is wrong: letters only.
    pub code: Option<&'a str>,
    /// It is about the recipient, in an answer that has taken the request: its signature was right.
    pub of_recipient: bool,
    /// What makes all attempts one message is wrong.
    pub rejected: bool,
    /// The clock of the hook's host is not ACS's.
    pub clock_off: Option<ClockOff>,
}

impl Said<'_> {
    /// That of a whole request, of which only the status is known.
    pub fn whole(status: u16) -> Self {
        Self { status, code: None, of_recipient: false, rejected: false, clock_off: None }
    }

    /// Whether the resource most likely does not own the sender, or can't send to this recipient with it. To
    /// others it may: the provider is well.
    pub fn is_most_likely_the_sender(&self) -> bool {
        match self.status {
            401 => self.of_recipient || self.has_code("unauthorized"),
            403 => self.of_recipient,
            404 => !self.of_recipient,
            _ => false,
        }
    }

    fn has_code(&self, code: &str) -> bool {
        self.code.is_some_and(|said| said.eq_ignore_ascii_case(code))
    }

    /// Whether the name of the field that is wrong, such as `SmsRecipients` or `SmsRecipientsTo`, has this in it.
    fn names(&self, field: &str) -> bool {
        self.code.is_some_and(|code| code.to_ascii_lowercase().contains(field))
    }

    /// Whether ACS did not like when the message was sent first, by which it knows a repeat.
    fn is_first_sent(&self) -> bool {
        self.status == 412 || self.rejected || self.status == 400 && self.names("repeatability")
    }
}

/// How far the clock of the hook's host is from that of ACS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClockOff {
    by: Duration,
    ahead: bool,
}

impl ClockOff {
    /// A clock that is off by less is no cause. An answer takes seconds at most, and its date has no fractions.
    const TOLERANCE: Duration = Duration::from_secs(60);

    /// What the header `Date` of an answer says of the clock that says that it is `now`.
    pub fn by(date: &str, now: OffsetDateTime) -> Option<Self> {
        let date = OffsetDateTime::from(httpdate::parse_http_date(date.trim()).ok()?);
        let by = (now - date).unsigned_abs();
        (by >= Self::TOLERANCE).then_some(Self { by, ahead: now > date })
    }

    fn fix(self) -> String {
        let rounded = |seconds: u64, unit: u64| (seconds + unit / 2) / unit;
        let (amount, unit) = match self.by.as_secs() {
            seconds @ ..120 => (seconds, "seconds"),
            seconds @ ..7_200 => (rounded(seconds, 60), "minutes"),
            seconds @ ..172_800 => (rounded(seconds, 3_600), "hours"),
            seconds => (rounded(seconds, 86_400), "days"),
        };
        let side = if self.ahead { "ahead of" } else { "behind" };
        format!(
            "The clock of the hook's host is {amount} {unit} {side} that of ACS: set it right first. "
        )
    }
}

/// What to do about a refusal.
pub(super) fn refusal(said: Said<'_>, candidate: Candidate<'_>) -> Refusal {
    let reason = match said.status {
        401 | 403 => Reason::ProviderUnauthorized,
        429 => Reason::ProviderThrottled,
        408 | 409 | 500.. => Reason::ProviderUnavailable,
        // A success that is none.
        200..=299 => Reason::ProviderUnexpectedAnswer,
        _ => Reason::ProviderRejected,
    };
    let mut fix =
        if said.of_recipient { of_recipient(said, candidate) } else { of_request(said, candidate) };
    // The signature and the first sending have a date in them.
    let clock_matters = matches!(said.status, 401 | 403) || said.is_first_sent();
    if let Some(clock_off) = said.clock_off.filter(|_| clock_matters) {
        fix.insert_str(0, &clock_off.fix());
    }
    Refusal::new(reason, fix)
}

/// What to do where the whole request is refused.
fn of_request(said: Said<'_>, candidate: Candidate<'_>) -> String {
    let provider = candidate.provider;
    let (name, status) = (&provider.name, said.status);
    let (key, senders) = (connection_string_of(&provider.name), senders_of(provider));
    match status {
        401 if said.has_code("unauthorized") => format!(
            "ACS refused the sender or the key (401): look at whether the sender, in {senders}, belongs to the \
             resource and can reach the recipient's country; then put the resource's current connection string into \
             {key}."
        ),
        401 => {
            let sender = match said.has_code("denied") {
                true => String::new(),
                false => {
                    format!("; then at whether the sender, in {senders}, belongs to the resource")
                }
            };
            format!(
                "ACS refused the signature (401): put the resource's current connection string, with key and \
                 endpoint, into {key}, and look at the clock of the hook's host, and at whether a proxy changes \
                 requests{sender}."
            )
        }
        403 => format!(
            "ACS refused the right to send (403): look at whether the resource of the provider {name} takes access \
             keys (disableLocalAuth) and is not suspended, and at whether the sender, in {senders}, belongs to it."
        ),
        404 => format!(
            "ACS does not know the sender or the resource (404): look at whether the sender, in {senders}, belongs \
             to the resource and can reach the recipient's country; then at the key and the endpoint in {key}, and \
             at the api_version of the provider {name}."
        ),
        400 if said.names("apiversion") => {
            format!(
                "ACS does not know the api-version (400): look at the api_version of the provider {name}."
            )
        }
        400 if said.names("messagingconnect") || said.names("partner") => format!(
            "ACS refused what it is told of the sender's partner, Messaging Connect (400): look at messaging_connect \
             of the provider {name}, at providers.{name}.messaging_connect of the secrets, and at whether the sender, \
             in {senders}, is leased from that partner."
        ),
        400 if said.names("deliveryreporttimeout") => format!(
            "ACS refused the time to wait for a report (400): look at delivery_report_timeout of the provider {name}."
        ),
        400 if said.is_first_sent() => first_sent(status),
        400 if said.names("recipient") || said.has_code("to") => recipient(status, &senders),
        400 if said.names("from") || said.names("sender") => format!(
            "ACS refused the sender (400): look at whether it is written as the resource has it, in {senders}, and \
             belongs to the resource."
        ),
        400 if said.names("message") => format!(
            "ACS refused the text ({status}): look at the templates in message.templates. It takes 2,048 characters."
        ),
        405 | 411 | 413..=417 | 421 | 426 | 431 => format!(
            "ACS refused the form of the request ({status}): look at the endpoint in {key}, at the api_version of \
             the provider {name}, and at whether a proxy changes requests."
        ),
        _ => of_either(said, candidate),
    }
}

/// What to do where the request was taken, and its recipient refused.
fn of_recipient(said: Said<'_>, candidate: Candidate<'_>) -> String {
    let status = said.status;
    let senders = senders_of(candidate.provider);
    match status {
        200..=299 => format!(
            "ACS says that it took the message ({status}), and that this was no success: look at the resource's SMS \
             logs in Azure."
        ),
        401 | 403 | 404 => format!(
            "ACS does not let the sender send to this recipient ({status}): look at whether it, in {senders}, \
             belongs to the resource and can reach the recipient's country."
        ),
        400 if !said.rejected => recipient(status, &senders),
        _ => of_either(said, candidate),
    }
}

/// What to do where it makes no difference whether it is said of the request or of its recipient.
fn of_either(said: Said<'_>, candidate: Candidate<'_>) -> String {
    let status = said.status;
    if said.is_first_sent() {
        return first_sent(status);
    }
    match status {
        408 => "ACS got no whole request in time (408): look at the network to it, and at Azure's status.".into(),
        409 => "ACS was still at work on an earlier attempt (409): look at Azure's status.".into(),
        // Of names the resource has a limit for all of them together; any other sender has its own ("Service
        // limits").
        429 if candidate.sender.kind == SenderKind::Alphanumeric => {
            "ACS takes no more messages from the resource's alphanumeric senders for now (429): ask for a higher \
             limit, or use a number."
                .into()
        }
        429 => "ACS takes no more messages from this sender for now (429): spread them over more senders, or ask for \
                a higher limit."
            .into(),
        501 => format!(
            "ACS does not do this (501): look at the api_version of the provider {}, and at whether the resource's \
             SMS has been retired.",
            candidate.provider.name
        ),
        500.. => format!("ACS is not able to send right now ({status}): look at Azure's status."),
        _ => format!(
            "ACS refused the message ({status}): look at whether its sender, in {}, belongs to the resource and can \
             reach the recipient's country, and at the recipient's number.",
            senders_of(candidate.provider)
        ),
    }
}

fn recipient(status: u16, senders: &str) -> String {
    format!(
        "ACS refused the recipient's number ({status}): look at it in the person's profile, and at whether the \
         sender, in {senders}, can reach its country."
    )
}

fn first_sent(status: u16) -> String {
    format!(
        "ACS refused the date at which the message was first sent ({status}): look at the clock of the hook's host, \
         and at whether the same event has come before with another date or text."
    )
}

/// What to do about an answer that ACS's documentation does not know.
pub(super) fn not_understood(status: u16, provider: &Provider) -> Refusal {
    let key = connection_string_of(&provider.name);
    let fix = match status {
        300..=399 => format!(
            "ACS sent the request elsewhere ({status}): look at the endpoint in {key}, and at the proxies on the way \
             to it."
        ),
        _ => format!(
            "ACS gave an answer that its documentation does not know ({status}): look at the api_version of the \
             provider {}, at the endpoint in {key}, and at the proxies on the way to it.",
            provider.name
        ),
    };
    Refusal::new(Reason::ProviderUnexpectedAnswer, fix)
}

/// What to do where ACS does not say what has been reported of a message.
pub(super) fn of_question(status: u16, name: &str, clock_off: Option<ClockOff>) -> String {
    match status {
        401 | 403 => format!(
            "{}ACS refused to say what became of the message ({status}): look at the key and the endpoint in {}, and at \
             the clock of the hook's host.",
            clock_off.map(ClockOff::fix).unwrap_or_default(),
            connection_string_of(name)
        ),
        429 => "ACS takes no more questions for now (429): look again in a minute.".into(),
        500.. => format!(
            "ACS is not able to say what became of the message right now ({status}): look at Azure's status."
        ),
        _ => format!(
            "ACS does not say what became of the message ({status}), for which it must have the api-version \
             {NEWEST_API_VERSION}: have Event Grid bring the reports, and take reports.ask_acs out."
        ),
    }
}

/// Where a provider's connection string is set.
pub(super) fn connection_string_of(name: &str) -> String {
    let variable = if name == DEFAULT_NAME { "acs_connection_string or " } else { "" };
    format!("{variable}providers.{name}.connection_string of the secrets")
}

/// Where its senders are set.
fn senders_of(provider: &Provider) -> String {
    let name = &provider.name;
    let variable = if name == DEFAULT_NAME { "acs_from_shortcode or " } else { "" };
    format!("{variable}providers.senders of the provider {name}")
}
