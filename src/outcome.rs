//! What became of one call of the hook: the one value of which the answer, the log line, telemetry and the
//! record are views. And, likewise, what is told of a delivery report, and of one of Okta's events.

use std::time::Duration;

use numbering::Region;
use time::OffsetDateTime;

use crate::callers::Proof;
use crate::callers::bearer::issuer::Warnings;
use crate::guard::Sent;
use crate::identifier::Identifier;
use crate::message::{Channel, Segments};
use crate::ports::Instant;
use crate::providers::Sending;
use crate::records::{Accepted, Moment, Reported};
use crate::refusal::{Fault, Reason, Refusal};
use crate::secret::Secret;

/// What became of one call of the hook. What is not known is `None`.
#[derive(Debug)]
pub struct Outcome {
    /// When the request arrived.
    pub arrived: Instant,
    /// When it was answered.
    pub answered: Instant,
    /// The same by the time of day.
    pub answered_at: OffsetDateTime,
    /// How the caller proved itself.
    pub credential: Option<Proof>,
    /// Okta's id of the hook call.
    pub event_id: Option<Identifier>,
    /// Which step asks, such as `com.okta.user.telephony.pre-enrollment`.
    pub request_type: Option<Identifier>,
    /// It is the preview of Okta's Admin Console.
    pub preview: bool,
    /// How the passcode was to reach the person.
    pub channel: Option<Channel>,
    /// The recipient: calling code and last two digits.
    pub masked_number: Option<String>,
    /// The recipient's number in its canonical form, whole, which only the key of a record is made of.
    pub number: Option<Secret>,
    /// The message is a canary's: it is in no ratio, and no rule about them refuses it.
    pub canary: bool,
    /// The recipient's country.
    pub country: Option<Region>,
    /// The length of the text, as it is billed.
    pub segments: Option<Segments>,
    /// What a policy or a guard that only observes would have refused this for.
    pub would_refuse: Option<Reason>,
    /// What the guard blocks, or would block, by its name for the operator.
    pub block: Option<String>,
    /// Okta is told of a refusal as of a success, so that it does not send the passcode itself.
    pub told_as_successful: bool,
    /// What the providers made of it, where one was asked.
    pub sending: Option<Sending>,
    /// What went wrong besides, each once.
    pub warnings: Vec<Warning>,
    /// The fields of the request that hold something of no use, by their path.
    pub ignored_fields: Vec<&'static str>,
    /// Why the message is not known to be sent, where it is not.
    pub refusal: Option<Refusal>,
}

/// What went wrong besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The message could not be counted, or the health of the providers not be read.
    StoreUnavailable,
    /// The caller's token was checked with keys that are older than the issuer said they should get.
    KeysStale,
    /// The store had keys that the hook did not write.
    KeysTampered,
    /// Two providers may have sent the message.
    MayBeDouble,
    /// A connection to the provider was silent, and the message went over another one.
    SilentConnection,
    /// A field of the request that the message can do without holds something of no use.
    FieldIgnored,
    /// Nothing has been heard from Okta's event hook for half an hour, so the guard refuses nothing.
    FeedStale,
}

impl Warning {
    /// The name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StoreUnavailable => "store_unavailable",
            Self::KeysStale => "keys_stale",
            Self::KeysTampered => "keys_tampered",
            Self::MayBeDouble => "may_be_double",
            Self::SilentConnection => "silent_connection",
            Self::FieldIgnored => "field_ignored",
            Self::FeedStale => "feed_stale",
        }
    }
}

/// What was not as it should be with the keys of a caller's issuer.
pub fn of_keys(warnings: &Warnings) -> impl Iterator<Item = Warning> {
    let warnings = [
        (warnings.stale, Warning::KeysStale),
        (warnings.tampered, Warning::KeysTampered),
        (warnings.store_failed, Warning::StoreUnavailable),
    ];
    warnings.into_iter().filter(|(is_so, _)| *is_so).map(|(_, warning)| warning)
}

impl Outcome {
    /// That of a call of which nothing is known yet.
    pub fn begin(arrived: Instant) -> Self {
        Self {
            arrived,
            answered: arrived,
            answered_at: OffsetDateTime::UNIX_EPOCH,
            credential: None,
            event_id: None,
            request_type: None,
            preview: false,
            channel: None,
            masked_number: None,
            number: None,
            canary: false,
            country: None,
            segments: None,
            would_refuse: None,
            block: None,
            told_as_successful: false,
            sending: None,
            warnings: Vec::new(),
            ignored_fields: Vec::new(),
            refusal: None,
        }
    }

    /// Adds a warning, once.
    pub fn warn(&mut self, warning: Warning) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Accepted, refused or failed.
    pub fn name(&self) -> &'static str {
        match self.refusal.as_ref().map(|refusal| refusal.reason.fault()) {
            None => "accepted",
            Some(Fault::Request | Fault::Policy) => "refused",
            Some(Fault::Service) => "failed",
        }
    }

    /// `accepted`, or why not.
    pub fn reason(&self) -> &'static str {
        self.refusal.as_ref().map_or("accepted", |refusal| refusal.reason.code())
    }

    /// The HTTP status of the answer.
    pub fn http_status(&self) -> u16 {
        self.refusal.as_ref().map_or(200, |refusal| refusal.reason.http_status())
    }

    /// The provider's id of the message that it took, where it gave one: the same for Okta, log and record.
    pub fn message_id(&self) -> Option<Identifier> {
        self.sending.as_ref()?.result.as_ref().ok()?.as_deref().map(Identifier::of_message)
    }

    /// What Okta was told, where a refusal was told as a success.
    pub fn okta_status(&self) -> Option<&'static str> {
        (self.refusal.is_some() && self.told_as_successful).then_some("SUCCESSFUL")
    }

    /// How long it took to answer.
    pub fn elapsed(&self) -> Duration {
        self.answered.since(self.arrived)
    }
}

/// A delivery report that was taken, of which the log line and telemetry are views.
#[derive(Debug)]
pub struct TakenReport {
    /// The provider's id of the message, in its canonical form.
    pub message_id: Identifier,
    /// Okta's id of the hook call.
    pub event_id: Option<Identifier>,
    /// What it says.
    pub reported: Reported,
    /// It has a date that can be read and has come.
    pub has_date: bool,
    /// What the hook saw of the message.
    pub accepted: Option<Accepted>,
    /// The message was a canary's.
    pub canary: bool,
    /// It says what was not known.
    pub is_news: bool,
}

impl TakenReport {
    /// From the moment that the provider took the message, in milliseconds. None where that is not known, or
    /// where clocks that are apart make it negative.
    pub fn milliseconds_to_report(&self) -> Option<u64> {
        self.reported.milliseconds_since(self.accepted.as_ref()?)
    }
}

/// What one of Okta's events tells, of which the log line and telemetry are views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenEvent {
    /// What it tells.
    pub what: Happened,
    /// When it happened.
    pub published: Moment,
    /// How the passcode was to reach the person.
    pub channel: Option<Channel>,
    /// The recipient's country.
    pub country: Option<Region>,
    /// The passcode that was used, if it is known.
    pub converted: Option<Sent>,
}

impl TakenEvent {
    /// From the hook's answer until the passcode was used, in milliseconds.
    pub fn milliseconds_to_use(&self) -> Option<u64> {
        self.published.checked_sub(self.converted.as_ref()?.at)
    }
}

/// What one of Okta's events tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A person used a passcode that came to the phone.
    PasscodeUsed,
    /// A person typed a wrong one.
    PasscodeWrong,
    /// Okta sent one itself.
    SentByOkta,
    /// Okta refused to send one.
    RefusedByOkta,
    /// Okta gave up on the hook.
    HookGivenUp,
}

impl Happened {
    /// The name in the log and in telemetry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PasscodeUsed => "passcode_used",
            Self::PasscodeWrong => "passcode_wrong",
            Self::SentByOkta => "sent_by_okta",
            Self::RefusedByOkta => "refused_by_okta",
            Self::HookGivenUp => "hook_given_up",
        }
    }
}
