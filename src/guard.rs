//! A guard against SMS pumping that learns from whether passcodes are used.
//!
//! Attack: whoever can make Okta ask for passcodes has them sent to numbers that earn with each message. Limits slow that
//! down, and can't tell it from a Monday morning. What tells them apart is whether the passcodes are typed in, which Okta's
//! events say.
//!
//! Two logs are kept, and all else is a function of them: what was [sent](Sent), written by hooks after their answers, and
//! what was [used](Use), written by the receiver of Okta's events. [`fates()`] puts them together, [`judge`] says by that what
//! is blocked, and [`Blocks::check`] what that is for one message. The [`ledger`] keeps both in the store `records`, and has
//! hashes only. [`Guard`] is what hooks and the receiver use of it.

pub mod blocks;
mod fate;
mod hash8;
mod judge;
pub mod ledger;
mod local;
mod rules;

use numbering::Region;
use serde::{Deserialize, Serialize};

pub use self::blocks::{Blocks, Key};
pub use self::fate::{Fate, OF_ONE_ENROLMENT, fates};
pub use self::hash8::Hash8;
pub use self::judge::{Change, Changed, judge};
pub use self::local::{Guard, Look, Told, blocks};
pub use self::rules::{Mode, Rule, Rules, Tally};
use crate::message::Channel;
use crate::records::Moment;

/// A passcode that a provider took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// When the hook was answered.
    pub at: Moment,
    /// When the passcode expires.
    pub expires: Moment,
    /// For whom.
    pub user: Hash8,
    /// To which number.
    pub number: Hash8,
    /// In which block of numbers it is.
    pub block: Hash8,
    /// In which country.
    pub region: Option<Region>,
    /// How it reaches the person.
    pub channel: Channel,
    /// It enrols the number.
    pub is_enrollment: bool,
    /// It is for a password that is forgotten, or an account that is locked. No event that Okta delivers says that one was
    /// used, as far as is known, so none is in a ratio.
    pub is_recovery: bool,
    /// The guard would have refused it, if it did more than observe.
    pub would_refuse: bool,
    /// The name of the provider.
    pub provider: String,
    /// The provider's id of the message, where it wants to know whether the passcode was used.
    pub message_id: Option<String>,
}

/// What an event of Okta's says of a person's passcode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// The event.
    pub id: Hash8,
    /// The person.
    pub user: Hash8,
    /// When it happened.
    pub at: Moment,
    /// What happened.
    pub what: What,
}

/// What a person did with a passcode, or instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// Signed in by a passcode that came to the phone, by this channel if the event says so.
    Phone(Option<Channel>),
    /// Enrolled the phone by one.
    Activated,
    /// Typed a wrong one. That converts nothing: a robot can do it.
    WrongCode,
    /// Signed in by another method, which an attacker has to work for.
    OtherMethod,
    /// Has the phone no more.
    Removed,
}

/// A message that was not sent, for the counters of its hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// The guard refused it.
    ByGuard,
    /// The policy refused it for another reason.
    ByPolicy,
    /// It failed.
    Failed,
}
