//! What the guard's ledger adds to the page: what was used, what was not sent, and what is blocked.

use super::day::{HOURS, Part};
use crate::records::Moment;

/// What the guard knows, as the page shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guarded {
    /// It refuses messages. Otherwise it only says what it would refuse.
    pub enforces: bool,
    /// Okta's events.
    pub feed: Feed,
    /// How many of the messages that were sent in each hour of the day were used.
    pub used: [u64; HOURS],
    /// What was not sent in each hour of the day.
    pub unsent: [Unsent; HOURS],
    /// Of the newest passcodes that people had time to use.
    pub lately: Rate,
    /// By the region's code.
    pub countries: Vec<(String, Rate)>,
    /// By the provider's name.
    pub providers: Vec<(String, Rate)>,
    /// What is blocked, and what was until lately.
    pub blocks: Vec<Block>,
}

/// Whether Okta's events come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feed {
    /// When Okta published the newest that has come.
    pub newest: Option<Moment>,
    /// Some came lately, so that what was not used can be told from what nobody has heard of.
    pub alive: bool,
}

/// The messages of an hour that no provider took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsent {
    /// The policy or a limit refused them.
    pub by_policy: u64,
    /// The guard refused them.
    pub by_guard: u64,
    /// They failed, as when no provider can be reached.
    pub failed: u64,
}

/// How many passcodes were used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Passcodes that were used.
    pub used: u64,
    /// Passcodes that were not, although there was time.
    pub unused: u64,
    /// Passcodes that tell nothing: too young, followed by another one, or not needed any more.
    pub left_out: u64,
}

/// Numbers to which messages are stopped, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What `guard.lifted` takes.
    pub id: String,
    /// All numbers of a country. Otherwise those that share all but their last four digits.
    pub is_country: bool,
    /// The region's code, if it is known.
    pub country: Option<String>,
    /// When it began.
    pub since: Moment,
    /// When it ends. After that, a few messages are let through to see whether they are used.
    pub until: Moment,
    /// Messages on which it was decided.
    pub sends: u64,
    /// How many of them were used.
    pub used: u64,
    /// To how many numbers they went.
    pub numbers: u64,
    /// Messages that it has stopped, or would have, in the last 24 hours.
    pub stopped: u64,
}

impl Unsent {
    /// Why messages were not sent.
    pub(super) const CAUSES: [Part<Self>; 3] = [
        ("policy", "refused by the policy", |it| it.by_policy),
        ("guard", "refused by the guard", |it| it.by_guard),
        ("failed", "taken by no provider", |it| it.failed),
    ];

    pub(super) fn all(&self) -> u64 {
        self.by_policy + self.by_guard + self.failed
    }
}

impl Rate {
    /// The used out of the used and the unused, in thousandths, rounded down.
    pub(super) fn thousandths(self) -> Option<u64> {
        (self.used * 1000).checked_div(self.used + self.unused)
    }
}
