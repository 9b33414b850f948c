//! What is blocked, and what that says to one message.

use std::fmt;

use numbering::Region;
use serde::{Deserialize, Serialize};

use super::Hash8;
use super::ledger::{DAY, HOUR};
use super::rules::{Rules, Tally, length};
use crate::records::Moment;

/// The most keys that are blocked at once.
pub const MOST_ENTRIES: usize = 256;

/// The most numbers that are known as exempt. Those of the blocked keys only are needed.
pub const MOST_EXEMPT: usize = 2048;

/// How many passcodes are sent to find out whether they are used again: by each host, and again each hour until it is
/// known.
pub const PROBES: u32 = 3;

/// How long before now Okta's newest event may have happened: what nobody tells of looks unused.
pub const FEED_LIVES: u64 = HOUR / 2;

/// What the guard tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Key {
    /// The numbers that differ in their last four digits only.
    Block(Hash8),
    /// A country.
    Country(Region),
}

impl Key {
    /// The name of its kind in the log.
    pub const fn scope(self) -> &'static str {
        match self {
            Self::Block(_) => "block",
            Self::Country(_) => "country",
        }
    }
}

/// As the operator sees it, and lifts it: eight hexadecimal digits, or the country's two letters.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(hash) => hash.fmt(f),
            Self::Country(region) => region.fmt(f),
        }
    }
}

/// A key that is blocked, or was until lately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What is blocked.
    pub key: Key,
    /// The country, of a block of numbers too, if it is known.
    pub region: Option<Region>,
    /// How many blocks there were before.
    pub rung: u8,
    /// When it was blocked.
    pub since: Moment,
    /// Why: the sends until then, from [`counts_from`](Self::counts_from) on.
    pub tally: Tally,
    /// The end of the block before, before which no send counts; 0 of the first.
    pub counts_from: Moment,
    /// When a probe was used. The entry remains for a day, so that sends from before the end don't count again, and the next
    /// block is a longer one.
    pub cleared: Option<Moment>,
    /// That the block is over has been told.
    pub(super) has_ended: bool,
}

/// Where a blocked key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is sent.
    Blocked,
    /// The block is over, and few are sent to find out whether they are used again.
    Probing,
    /// All are sent.
    Open,
}

impl Entry {
    /// When the block is over.
    pub fn until(&self) -> Moment {
        self.since.saturating_add(length(self.rung))
    }

    /// Where it stands.
    pub fn state(&self, now: Moment) -> State {
        let until = self.until();
        match self.cleared {
            Some(_) => State::Open,
            None if now < until => State::Blocked,
            // A day without three probes that tell: what was blocked is nobody's any more.
            None if now < until.saturating_add(DAY) => State::Probing,
            None => State::Open,
        }
    }

    /// Since when sends count: from before its end none does.
    pub(super) fn counts_since(&self) -> Moment {
        self.cleared.unwrap_or_else(|| self.until())
    }
}

/// What is blocked, as it was judged last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocks {
    /// When it was judged; 0: never.
    pub judged: Moment,
    /// When Okta's newest event happened.
    pub newest: Moment,
    /// The keys.
    pub entries: Vec<Entry>,
    /// The numbers of the blocked keys that used a passcode within 90 days, sorted.
    pub exempt: Vec<Hash8>,
    /// The days of the last 14 on which the most passcodes of a country were used.
    pub(super) best_days: Vec<BestDay>,
    /// Everything fails, so nothing is blocked anew.
    pub is_outage: bool,
}

/// A day on which more passcodes of a country were used than on any since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BestDay {
    pub(super) region: Region,
    /// Counted from 1970 on.
    pub(super) day: u64,
    pub(super) used: u32,
}

/// To whom a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The number.
    pub number: Hash8,
    /// The block that it is in.
    pub block: Hash8,
    /// Its country.
    pub region: Option<Region>,
}

/// What the guard says to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing of it is blocked.
    Free,
    /// It begins with a prefix that the owner exempts.
    ExemptPrefix,
    /// It is blocked, and the number used a passcode lately.
    ExemptNumber,
    /// It is one of the few that are sent once a block is over; these keys count it.
    Probe(Vec<Key>),
    /// It is blocked.
    Blocked {
        /// What is.
        key: Key,
        /// Until when, or when the next few are sent.
        until: Moment,
    },
    /// Nothing has been heard from Okta for so long that nothing is known.
    FeedStale,
    /// This host knows nothing yet, or its store fails.
    Unknown,
}

impl Verdict {
    /// The name in the answer of explain.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::ExemptPrefix => "exempt_prefix",
            Self::ExemptNumber => "exempt_number",
            Self::Probe(_) => "probe",
            Self::Blocked { .. } => "blocked",
            Self::FeedStale => "feed_stale",
            Self::Unknown => "unknown",
        }
    }
}

/// The probes that a host has sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probes(Vec<(Key, u64, u32)>);

impl Probes {
    /// How many were sent to a key in a round.
    fn sent(&self, key: Key, round: u64) -> u32 {
        self.0.iter().find(|(of, at, _)| (*of, *at) == (key, round)).map_or(0, |it| it.2)
    }

    /// Counts one more to each of these keys. Keys that are blocked no longer are forgotten.
    pub fn count(&mut self, keys: &[Key], blocks: &Blocks, now: Moment) {
        let is_probing =
            |key: &Key| blocks.of(*key).is_some_and(|it| it.state(now) == State::Probing);
        self.0.retain(|(key, ..)| is_probing(key));
        for key in keys {
            let Some(round) = blocks.of(*key).map(|entry| round(entry, now)) else { continue };
            let sent = self.sent(*key, round);
            self.0.retain(|(of, ..)| of != key);
            self.0.push((*key, round, sent + 1));
        }
    }
}

/// The hour since a block's end, from 0 on.
fn round(entry: &Entry, now: Moment) -> u64 {
    now.saturating_sub(entry.until()) / HOUR
}

impl Blocks {
    /// What is said to a message. A number that begins with an exempt prefix is not asked about.
    pub fn check(&self, rules: &Rules, to: Target, probes: &Probes, now: Moment) -> Verdict {
        if self.is_stale(now) {
            return Verdict::FeedStale;
        }
        let keys = [Some(Key::Block(to.block)), to.region.map(Key::Country)];
        let entries = keys.into_iter().flatten().filter(|key| !rules.lift(*key));
        let mut probing = Vec::new();
        let mut blocked = None;
        for entry in entries.filter_map(|key| self.of(key)) {
            match entry.state(now) {
                State::Open => {}
                State::Blocked => blocked = blocked.or(Some((entry.key, entry.until()))),
                State::Probing => {
                    let round = round(entry, now);
                    match probes.sent(entry.key, round) < PROBES {
                        true => probing.push(entry.key),
                        false => {
                            let next = entry.until().saturating_add((round + 1) * HOUR);
                            blocked = blocked.or(Some((entry.key, next)));
                        }
                    }
                }
            }
        }
        match blocked {
            None if probing.is_empty() => Verdict::Free,
            _ if self.exempt.binary_search(&to.number).is_ok() => Verdict::ExemptNumber,
            None => Verdict::Probe(probing),
            Some((key, until)) => Verdict::Blocked { key, until },
        }
    }

    /// Whether nothing has been heard from Okta for so long that nothing is known.
    pub fn is_stale(&self, now: Moment) -> bool {
        now.saturating_sub(self.newest) > FEED_LIVES
    }

    /// What is known of a key.
    pub fn of(&self, key: Key) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The best day of a country.
    pub(super) fn best_day(&self, region: Region) -> u32 {
        let of_region = self.best_days.iter().filter(|it| it.region == region);
        of_region.map(|it| it.used).max().unwrap_or(0)
    }
}
