//! The owner's rules for the guard, `[guard]` of the settings.

use numbering::Region;

use super::ledger::HOUR;
use super::{Hash8, Key};
use crate::phone_number::canonical_prefix;
use crate::records::Moment;

/// What the guard does with what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: no message is looked at, and none is remembered.
    Off,
    /// It tells what it would refuse.
    Shadow,
    /// It refuses.
    Enforce,
}

impl Mode {
    /// The name in the settings and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Shadow => "shadow",
            Self::Enforce => "enforce",
        }
    }
}

/// When passcodes to a block of numbers, or to a country, are no longer sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// What the guard does with what it finds.
    pub mode: Mode,
    /// How many sends of a day the guard has room for.
    pub slots: u32,
    /// How long after a send Okta's newest event must have happened before the send counts as unused, in milliseconds: the
    /// time in which a passcode is typed in, and the time by which events are late.
    pub matures_after: u64,
    /// Beginnings of numbers, `+` included, that are never refused.
    pub exempt_prefixes: Vec<String>,
    /// Countries that are never blocked as a whole. Without any, the one where most passcodes are used.
    pub home_countries: Vec<Region>,
    /// What the operator lifted, by the names of [`Key`].
    pub lifted: Vec<String>,
    /// When a block of numbers is blocked.
    pub block: Rule,
    /// When a country is.
    pub country: Rule,
}

/// When it is an attack: so many sends within a day, to so many numbers, and so few of them used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// How many sends there must be, at least.
    pub sends: u32,
    /// To how many numbers, at least.
    pub numbers: u32,
    /// Which share of them is used, at most: 0.05 is one in twenty.
    pub used: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            mode: Mode::Off,
            slots: 8192,
            matures_after: HOUR / 4,
            exempt_prefixes: Vec::new(),
            home_countries: Vec::new(),
            lifted: Vec::new(),
            block: Rule { sends: 10, numbers: 5, used: 0.05 },
            country: Rule { sends: 30, numbers: 5, used: 0.1 },
        }
    }
}

/// The longest time between two judgements, in milliseconds.
const JUDGES_EVERY: u64 = 30_000;

/// For how long a host goes by its copy of the blocks, in milliseconds.
const COPIES_EVERY: u64 = 15_000;

impl Rules {
    /// How long after a judgement there is another one, in milliseconds: 30 seconds, or as long as a send takes to mature
    /// if that is shorter.
    pub fn judges_every(&self) -> u64 {
        JUDGES_EVERY.min(self.matures_after)
    }

    /// For how long a host goes by its copy of the blocks, in milliseconds.
    pub fn copies_every(&self) -> u64 {
        COPIES_EVERY.min(self.matures_after)
    }

    /// Whether a number in its canonical form is never refused.
    pub fn exempt(&self, canonical: &str) -> bool {
        self.exempt_prefixes.iter().any(|prefix| canonical.starts_with(&*canonical_prefix(prefix)))
    }

    /// Whether the operator lifted it.
    pub fn lift(&self, key: Key) -> bool {
        !self.lifted.is_empty() && self.lifted.contains(&key.to_string())
    }

    /// The rule for it.
    pub(super) fn of(&self, key: Key) -> Rule {
        match key {
            Key::Block(_) => self.block,
            Key::Country(_) => self.country,
        }
    }
}

impl Rule {
    /// Whether so few were used of so many.
    pub(super) fn is_few(self, used: u32, sends: u32) -> bool {
        f64::from(used) <= self.used * f64::from(sends)
    }
}

/// How many sends there were, to how many numbers, and how many of them were used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tally {
    /// How many sends.
    pub sends: u32,
    /// To how many numbers.
    pub numbers: u32,
    /// How many were used.
    pub used: u32,
}

impl Tally {
    /// Of sends, each with its number and whether it was used.
    pub(super) fn of(sends: impl Iterator<Item = (Hash8, bool)>) -> Self {
        let mut numbers = std::collections::BTreeSet::new();
        let mut tally = Self::default();
        for (number, is_used) in sends {
            tally.sends += 1;
            tally.used += u32::from(is_used);
            numbers.insert(number);
        }
        tally.numbers = numbers.len() as u32;
        tally
    }

    /// How many were not used.
    pub fn unused(self) -> u32 {
        self.sends - self.used
    }

    /// Whether a rule holds.
    pub(super) fn breaks(self, rule: Rule) -> bool {
        self.sends >= rule.sends
            && self.numbers >= rule.numbers
            && rule.is_few(self.used, self.sends)
    }
}

/// How long the blocks of a key last that come one after the other, in milliseconds.
const LENGTHS: [u64; 4] = [12 * HOUR, 24 * HOUR, 48 * HOUR, 7 * 24 * HOUR];

/// How long a block lasts that comes after so many others.
pub(super) fn length(rung: u8) -> Moment {
    LENGTHS[usize::from(rung).min(LENGTHS.len() - 1)]
}
