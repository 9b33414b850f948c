//! What outlives a request. Above all, what became of each message: what the hook saw when ACS accepted it,
//! and what the carrier reported later.

pub mod breaker;
pub mod code;
pub mod health;
pub mod issuer_keys;
pub mod shared;
pub mod store;
pub mod store_key;
pub mod value;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::code::Code;
use self::store_key::StoreKey;
use crate::message::Channel;
use crate::sender::SenderKind;
use crate::trace_context::Trace;
use numbering::Region;

/// What every key in the store `records` begins with: the right to read and write those is all that the component
/// needs there. With a dot, since Azure Cosmos DB takes no `/` in an item's id. Keys in the store `default`, which is
/// the host's own, have a `/` in its place.
pub const KEY_PREFIX: &str = "okta-telephony-acs.";

/// Milliseconds since 1970.
pub type Moment = u64;

/// By how many milliseconds the clocks of those who share the store, and of those who date reports, may be apart.
pub const CLOCKS_APART: u64 = 60_000;

/// How much the records remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many messages there is room for. Never 0.
    pub slots: u32,
    /// How long a message is remembered, in seconds.
    pub max_age: u32,
}

/// The beginning of a message's tag, before Okta's id of the hook call. ACS reports the messages of everybody
/// who sends through the resource, and the tag of somebody else's message may be anything, such as a login.
pub const EVENT_TAG: &str = "okta:";

/// ACS's message id in the one form in which an answer and its report have the same: without the `Outgoing_`
/// that reports put before it ("Azure Communication Services - SMS events") and the published answers to a
/// send do not, and without the region that some answers put behind it, as in `_noam`.
///
/// ```
/// use okta_telephony_acs::records::canonical_id;
///
/// let id = "20200610203725bfd4ba70-70bf-4f77-925d-c0bdb5161bb3";
/// for form in [id, &format!("Outgoing_{id}"), &format!("Outgoing_{id}_noam"), &format!("{id}_noam")] {
///     assert_eq!(canonical_id(form), id);
/// }
/// assert_eq!(canonical_id("my_id"), "my_id");
/// ```
pub fn canonical_id(id: &str) -> &str {
    /// The shortest id that is published. What is shorter is not ACS's, and all of it may matter.
    const LENGTH: usize = 46;
    let id = id.strip_prefix("Outgoing_").unwrap_or(id);
    match id.rsplit_once('_') {
        Some((bare, region))
            if bare.len() >= LENGTH
                && !region.is_empty()
                && region.bytes().all(|b| b.is_ascii_lowercase()) =>
        {
            bare
        }
        _ => id,
    }
}

/// What the hook saw of a message that a provider accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// When the hook that sent it was answered.
    pub at: Moment,
    /// Okta's id of the hook call.
    pub event_id: Option<String>,
    /// Okta's name of the step that asked for the passcode.
    pub request_type: Option<String>,
    /// The recipient's region.
    pub region: Option<Region>,
    /// The name of the provider.
    pub provider: String,
    /// The kind of sender.
    pub sender_type: SenderKind,
    /// How many requests it took to send the message.
    pub attempts: u32,
    /// How many segments the text has; [`OF_A_CALL`] of a call.
    pub segments: u32,
    /// The [`number_hash`] of the number.
    pub number: [u8; 16],
    /// The trace of the hook call, if telemetry is on.
    pub trace: Option<Trace>,
}

/// The segments of a call, which has none, while every text has one at least.
pub const OF_A_CALL: u32 = 0;

/// The hash of a number in its canonical form by which messages to one number are known.
pub fn number_hash(key: &StoreKey, canonical: &[u8]) -> [u8; 16] {
    let hash = key.hash("number of a message", &[canonical]);
    *hash.first_chunk().expect("a hash is longer")
}

/// The [`number_hash`]es of the numbers that canary messages go to. By them a record needs no mark of its own, and
/// messages from before a number was listed are canaries, too.
#[derive(Debug, Default)]
pub struct CanaryHashes(pub Vec<[u8; 16]>);

impl CanaryHashes {
    /// Whether the message was a canary's.
    pub fn contain(&self, accepted: &Accepted) -> bool {
        self.0.contains(&accepted.number)
    }
}

impl Accepted {
    /// How the message reaches the person.
    pub fn channel(&self) -> Channel {
        match self.segments {
            OF_A_CALL => Channel::Call,
            _ => Channel::Sms,
        }
    }
}

/// What a delivery report says of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// When the report was made or, where it does not say so, when the hook got it.
    pub at: Moment,
    /// What it says.
    pub said: Said,
    /// Why, if it says so.
    pub code: Option<Code>,
}

/// What a report says of its message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// It was not delivered.
    Failed,
    /// It was.
    Delivered,
    /// What is not documented, such as `Queued`: some letters of it, fit for a log. `None` where it says
    /// nothing.
    Other(Option<String>),
    /// What is documented and neither, such as `PENDING_ENROUTE`.
    Unconfirmed(Option<String>),
}

/// A message with both halves of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// ACS's message id in the form of [`canonical_id`].
    pub message_id: String,
    /// What the hook saw. `None` if the report came first, or if this half has been displaced.
    pub accepted: Option<Accepted>,
    /// What the carrier reported. `None` until it has.
    pub reported: Option<Reported>,
    /// It was a canary's, and is in no success rate.
    pub canary: bool,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// ACS accepted it, and nothing has been reported yet.
    Accepted,
    /// The carrier delivered it.
    Delivered,
    /// The carrier did not deliver it.
    Failed,
    /// It may have been delivered: the carrier gives no reports (code 5002, "Troubleshooting in Azure
    /// Communication Services"), or the report says something that is not known.
    Unconfirmed,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Delivered, Self::Failed, Self::Unconfirmed];

    /// The name in the log, in telemetry and on the operator's pages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

impl Reported {
    /// Whether this report replaces another one of the same message. The newer report does; of two from the
    /// same moment, the one that says that the message was delivered. One that says neither that it was nor that it failed
    /// replaces none that does.
    pub fn supersedes(&self, known: &Self) -> bool {
        let rank = |it: &Self| {
            let (is_known, delivered) =
                (matches!(it.said, Said::Failed | Said::Delivered), it.said == Said::Delivered);
            (is_known, it.at, delivered, it.code)
        };
        rank(self) > rank(known)
    }

    /// The same of a report that says nothing of when, whose time is that of its arrival: one that says what is known is
    /// a repeat.
    pub fn supersedes_undated(&self, known: &Self) -> bool {
        (&self.said, self.code) != (&known.said, known.code) && self.supersedes(known)
    }

    /// What became of the message.
    pub fn status(&self) -> Status {
        match (&self.said, self.code) {
            (Said::Delivered, _) => Status::Delivered,
            (Said::Failed, Some(code::NO_REPORTS)) | (Said::Other(_) | Said::Unconfirmed(_), _) => {
                Status::Unconfirmed
            }
            (Said::Failed, _) => Status::Failed,
        }
    }

    /// The letters of a status that is neither delivered nor failed.
    pub fn unconfirmed_status(&self) -> Option<&str> {
        match &self.said {
            Said::Other(status) | Said::Unconfirmed(status) => status.as_deref(),
            Said::Failed | Said::Delivered => None,
        }
    }

    /// The time from ACS's acceptance to the report, in milliseconds. `None` if two clocks disagree so much
    /// that it would be negative.
    pub fn milliseconds_since(&self, accepted: &Accepted) -> Option<u64> {
        self.at.checked_sub(accepted.at)
    }
}

/// What Event Grid brought that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// How many events, each time that one came. A body that could not be read at all counts as one.
    pub count: u64,
    /// When the first of them came.
    pub since: Moment,
    /// When the last of them came.
    pub last: Moment,
    /// Why the last could not be read, in words of the hook's own.
    pub reason: String,
}

impl Delivery {
    /// What became of the message.
    pub fn status(&self) -> Status {
        self.reported.as_ref().map_or(Status::Accepted, Reported::status)
    }

    /// The time from ACS's acceptance to the carrier's report. `None` if one of the two is not known, or if
    /// two clocks disagree so much that it would be negative.
    pub fn time_to_report(&self) -> Option<Duration> {
        let milliseconds = self.reported.as_ref()?.milliseconds_since(self.accepted.as_ref()?)?;
        Some(Duration::from_millis(milliseconds))
    }

    /// When ACS accepted the message or, if that is not known, when ACS received the report. Lists are
    /// sorted by it.
    pub fn at(&self) -> Moment {
        let accepted = self.accepted.as_ref().map(|accepted| accepted.at);
        accepted.or(self.reported.as_ref().map(|reported| reported.at)).unwrap_or(0)
    }
}
