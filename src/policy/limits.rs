//! Limits on how many messages are sent: to a number, for a user, from an address, to a block of numbers,
//! and in total.
//!
//! Attack: SMS pumping and toll fraud. Whoever can make Okta call the hook, as with a sign-in page that is
//! open to everybody, has messages sent to numbers that earn them a share of the price, until the account is
//! empty.
//!
//! [`Counters`] has the steps: [`is_repeat`](Counters::is_repeat) and [`admits`](Counters::admits) while it is decided
//! whether the message is sent, and [`commit`](Counters::commit) once it is.
//!
//! # Enrolments and sign-ins have counters of their own
//!
//! Attack: a limit as a weapon. A stranger may enrol any number, and so could use up the limit of somebody else's, or
//! the total, and nobody could sign in. So no enrolment is counted where a sign-in is, nor the other way round: what
//! strangers ask for by the one refuses none of the other.
//!
//! Calls and text messages have counters of their own for the same reason. And since a call costs several times what a
//! text message does, and pays those who have numbers called, calls to a number and in total have limits of their own.
//!
//! # One event counts once
//!
//! Okta may call again for an event whose answer it did not get. So a message that is counted leaves a mark of its
//! event beside one of its counters, for five minutes. A call whose event has a mark passes all limits and is counted
//! nowhere: it takes no second place, and a limit that its own first call filled does not refuse it.
//!
//! - **Only what was counted leaves a mark.** An event that was refused may be refused again.
//! - **A mark is good for three repeats**, and the next one counts as a new event. Event ids come from a caller
//!   that has proven itself, and a provider should send a repeated message once. But should somebody have the caller's
//!   secret, and the provider send each time, the limits still hold, if only at four times what they say.
//! - **A bucket keeps the newest 32 marks.** A repeat of an event whose mark was displaced, or lost to a hook
//!   that overlaps, counts once more. So does one that reaches another process.
//!
//! # How exact a limit is
//!
//! A counter holds how many messages were counted in each of the 11 newest tenths of its window, by the
//! host's wall clock. A message counts as long as its tenth overlaps the last window: for one window at
//! least, and for less than 1.1 windows. So, as long as hooks do not overlap, a limit of N never admits more
//! than N messages in any window, and never refuses one while fewer than N were admitted in the last 1.1
//! windows. It is a bound, not a schedule: N messages may come at once. Repeats of an event are one message here.
//!
//! - **Hooks that overlap** lose each other's counts, since `fermyon:spin/key-value` has no atomic change: a
//!   hook writes what it has read, plus one. If at most *m* other hooks write a key between the get and the
//!   set of any one hook, a limit of N admits at most N × (*m* + 1) messages in a window. That includes
//!   writes that put an old count back: each write holds one more than the write that it has read, and that
//!   write lies at most *m* + 1 writes back. On a store in memory, *m* is about the number of the host's
//!   other worker threads. It is more where the system stops a thread between the two: then it is all that
//!   the others admit meanwhile. Each host process counts for itself.
//! - **Neighbours in a bucket** are written together. A hook for another subject that falls into the same one
//!   of 4096 buckets, and overlaps, may put an old count back: each such write loses at most the *m* messages
//!   that were counted between its get and its set. Without the key nobody can tell who shares a bucket.
//! - **A flood of subjects** displaces counters: a bucket holds eight, and a ninth takes the place of the one
//!   that has the least of its window left, whose subject then starts at 0. That has happened to 1 counter in
//!   2000 when 10,000 are live, to 1 in 50 when 20,000 are, and to half of 65,000. The totals are never
//!   displaced: set them.
//! - **A clock that is set back** by a window or less stands still for a counter until it has caught up, so
//!   the counter falls later. If the clock is set back by more, the counter starts afresh, lest a clock that
//!   was a year ahead locks everybody out for a year.
//! - **A refused message is counted nowhere**, so a flood locks nobody out for longer than 1.1 windows after
//!   the last message that was sent.
//! - **A failing store admits**: a sign-in is worth more than a limit. The caller warns.
//!
//! # What is stored
//!
//! One key for each bucket, `okta-telephony-acs/limit/000` to `…/fff`, and one for each total. A value has at
//! most eight counters and 32 marks. A bucket has at most 1139 bytes, and about 267 if no count is over 127 and
//! nothing was counted in the last five minutes, so the store never holds more than 4.7 MB. A keyed hash of scope, kind
//! of message, rate and subject ([`StoreKey`]) says whose a counter is and in which bucket it lies: a changed rate starts afresh.
//! Counters are told apart by 16 bytes of that hash, so no counter ever counts for another subject. A mark is 8 bytes of a keyed hash of event and number, and
//! the time. Expired counters and marks go with the next write.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::ports::{Store, StoreUnavailable, milliseconds};
use crate::records::store_key::StoreKey;
use crate::records::value;

/// At most so many messages in any window of that length.
///
/// ```
/// use okta_telephony_acs::policy::limits::Rate;
///
/// assert_eq!(Rate::parse(" 5 / 600s ").unwrap().to_string(), "5/10m");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    /// In seconds.
    window: u32,
}

/// Why a text is not a rate. Never says the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRate {
    /// It is not two parts with a `/` between them.
    #[error("must be COUNT/WINDOW such as 5/10m: one / between the two")]
    Form,
    /// The count is not a whole number from 1 to 4,294,967,295.
    #[error("must be COUNT/WINDOW such as 5/10m: COUNT is a whole number from 1 to 4294967295")]
    Count,
    /// The window is not a whole number with s, m, h or d, or is shorter than 1 second or longer than
    /// 7 days.
    #[error(
        "must be COUNT/WINDOW such as 5/10m: WINDOW is a whole number with s, m, h or d, from 1s to 7d"
    )]
    Window,
}

/// The units of a window, in seconds, the longest first.
const UNITS: [(&str, u32); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

/// The longest window, in seconds: 7 days.
const LONGEST_WINDOW: u32 = 7 * 86_400;

impl Rate {
    /// How many messages.
    pub fn count(self) -> u32 {
        self.count
    }

    /// Of a number where nothing is said: 5/10m.
    pub const PER_NUMBER: Self = Self { count: 5, window: 600 };

    /// Of calls to a number where nothing is said: 3/10m.
    pub const CALLS_PER_NUMBER: Self = Self { count: 3, window: 600 };

    /// Of all calls where nothing is said: 300/1h, for sign-ins and for enrolments alike.
    pub const CALLS_TOTAL: Self = Self { count: 300, window: 3600 };

    /// Of a block of numbers where nothing is said: 30/1h.
    pub const PER_PREFIX: Self = Self { count: 30, window: 3600 };

    /// The most messages that it admits in an hour.
    ///
    /// ```
    /// use okta_telephony_acs::policy::limits::Rate;
    ///
    /// let in_an_hour = |rate| Rate::parse(rate).unwrap().in_an_hour();
    /// assert_eq!(["5/10m", "5/1d", "5/45m"].map(in_an_hour), [30, 5, 10]);
    /// ```
    pub fn in_an_hour(self) -> u64 {
        u64::from(self.count) * 3600_u64.div_ceil(self.window.into())
    }

    /// Reads `COUNT/WINDOW`, such as `5/10m`: a count from 1 to 4,294,967,295, and a window from 1
    /// second to 7 days as a whole number with `s`, `m`, `h` or `d`. White space around the whole and
    /// around the `/` is tolerated.
    pub fn parse(text: &str) -> Result<Self, InvalidRate> {
        let (count, window) = text.split_once('/').ok_or(InvalidRate::Form)?;
        if window.contains('/') {
            return Err(InvalidRate::Form);
        }
        let count =
            whole_number(count.trim()).filter(|count| *count > 0).ok_or(InvalidRate::Count)?;
        let window = seconds(window.trim())
            .filter(|window| (1..=LONGEST_WINDOW).contains(window))
            .ok_or(InvalidRate::Window)?;
        Ok(Self { count, window })
    }
}

/// A whole number with `s`, `m`, `h` or `d`, in seconds.
pub(crate) fn seconds(text: &str) -> Option<u32> {
    UNITS
        .iter()
        .find_map(|(unit, seconds)| whole_number(text.strip_suffix(unit)?)?.checked_mul(*seconds))
}

/// Digits and nothing else; `str::parse` would take a `+` before them.
pub(crate) fn whole_number(text: &str) -> Option<u32> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, seconds) =
            UNITS.into_iter().find(|(_, s)| self.window.is_multiple_of(*s)).unwrap_or(("s", 1));
        write!(f, "{}/{}{unit}", self.count, self.window / seconds)
    }
}

/// Whose messages a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The text messages to a number. The subject is the number in E.164 form.
    Number,
    /// The calls to a number. The subject is the same.
    CallsPerNumber,
    /// The messages for a user. The subject is Okta's user id.
    User,
    /// The messages asked for from an address. The subject is what [`address`] makes of it.
    Ip,
    /// The enrolments of a block of numbers. The subject is the number without its last four digits.
    Prefix,
    /// All text messages that enrol no number. The subject is empty.
    Total,
    /// All text messages that enrol one. The subject is empty.
    EnrollmentTotal,
    /// All calls: those that enrol a number, and those that don't, each for themselves. The subject is empty.
    CallsTotal,
}

impl Scope {
    /// Each of them, the totals last.
    pub const ALL: [Self; 8] = [
        Self::Number,
        Self::CallsPerNumber,
        Self::User,
        Self::Ip,
        Self::Prefix,
        Self::Total,
        Self::EnrollmentTotal,
        Self::CallsTotal,
    ];

    /// The limit's key in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "limits.per_number",
            Self::CallsPerNumber => "limits.calls_per_number",
            Self::User => "limits.per_user",
            Self::Ip => "limits.per_ip",
            Self::Prefix => "limits.per_prefix",
            Self::Total => "limits.total",
            Self::EnrollmentTotal => "limits.enrollment_total",
            Self::CallsTotal => "limits.calls_total",
        }
    }
}

/// The part of an IP address that is counted: an IPv4 address as a whole, even inside an IPv6 one, but only
/// the first 64 bits of an IPv6 address, as whoever has one has at least all addresses that share
/// those. `None` if the text is no address.
pub fn address(text: &str) -> Option<String> {
    Some(match text.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & u128::MAX << 64).to_string() + "/64"
        }
    })
}

/// A limit that a message must keep. It has no `Debug`: the subject may not reach a log.
pub struct Limit {
    /// Whose messages are counted.
    pub scope: Scope,
    /// How many in which time.
    pub rate: Rate,
    /// The message enrols a number, and is counted with others that do.
    pub is_enrollment: bool,
    /// The message is a call, and is counted with other calls.
    pub is_call: bool,
    /// Who is counted, in the form that [`Scope`] says.
    pub subject: String,
    /// For how many messages this one counts.
    pub weight: u32,
    /// This one is counted, once it is sent. Otherwise it must find room all the same.
    pub is_counted: bool,
}

/// How many keys there are besides the total's. The number of hexadecimal digits in a key follows from it.
const BUCKETS: u16 = 1 << 12;

/// How many counters a bucket holds.
const COUNTERS: usize = 8;

/// How many marks of events a bucket holds.
const MARKS: usize = 32;

/// For how long the mark of an event holds, in milliseconds: as long as ACS knows a repeated message, and as Okta's
/// passcodes hold.
const MEMORY: u64 = 5 * 60 * 1000;

/// For how many repeats the mark of an event is good. Okta's documentation speaks of one; two more are for what stands
/// between Okta and the hook.
const REPEATS: u8 = 3;

/// The version of a bucket's value.
const VERSION: u8 = 2;

/// The counters of one message: first what they stand at, then the message counted in them.
///
/// A bucket is read once, when one of its counters is asked for the first time, and written once.
pub struct Counters<'a> {
    key: StoreKey,
    store: &'a dyn Store,
    /// In milliseconds since 1970.
    now: u64,
    /// What is alive in the buckets that were read, by the buckets' keys.
    buckets: BTreeMap<String, Bucket>,
    /// The mark that the message leaves once it is counted, and the key of its bucket.
    mark: Option<(String, Mark)>,
}

impl<'a> Counters<'a> {
    /// The counters as they are in the store. Reads nothing yet.
    pub fn new(key: StoreKey, store: &'a dyn Store, now: OffsetDateTime) -> Self {
        Self { key, store, now: milliseconds(now), buckets: BTreeMap::new(), mark: None }
    }

    /// Whether the message of this event to this number was counted against these limits before. If it was, no limit
    /// is to be asked for; if not, [`commit`](Self::commit) leaves the mark by which a repeat is known.
    pub fn is_repeat(
        &mut self,
        event_id: &str,
        number: &str,
        limits: &[Limit],
    ) -> Result<bool, StoreUnavailable> {
        if limits.is_empty() {
            return Ok(false);
        }
        let hash = self.key.hash("counted event", &[event_id.as_bytes(), number.as_bytes()]);
        let [tag @ .., low, high] = *hash.first_chunk::<10>().expect("a hash is longer");
        // In a bucket that is read and written anyway; but not in one where the marks of many people would be, as
        // of all who share an address.
        let is_one_person = |limit: &&Limit| {
            matches!(limit.scope, Scope::Number | Scope::CallsPerNumber | Scope::User)
        };
        let key = match limits.iter().find(is_one_person) {
            Some(limit) => place(limit, &self.key).0,
            None => bucket_key(u16::from_le_bytes([low, high])),
        };
        let now = self.now;
        let bucket = self.bucket(key.clone())?;
        let is_it = |mark: &&mut Mark| mark.tag == tag && mark.repeats < REPEATS;
        if let Some(mark) = bucket.marks.iter_mut().find(is_it) {
            mark.repeats += 1;
            bucket.is_marked = true;
            return Ok(true);
        }
        self.mark = Some((key, Mark { tag, at: now, repeats: 0 }));
        Ok(false)
    }

    /// Whether a limit has room for the message.
    pub fn admits(&mut self, limit: &Limit) -> Result<bool, StoreUnavailable> {
        let with_it = self.used(limit)?.checked_add(limit.weight);
        Ok(with_it.is_some_and(|count| count <= limit.rate.count))
    }

    /// How many messages a limit counts at this moment.
    pub fn used(&mut self, limit: &Limit) -> Result<u32, StoreUnavailable> {
        let (key, tag) = place(limit, &self.key);
        let to_add = if limit.is_counted { limit.weight } else { 0 };
        self.used_at(key, tag, limit.rate.window, to_add)
    }

    fn used_at(
        &mut self,
        key: String,
        tag: [u8; 16],
        window: u32,
        to_add: u32,
    ) -> Result<u32, StoreUnavailable> {
        let now = self.now;
        let counters = &mut self.bucket(key)?.counters;
        let counter = match counters.iter_mut().find(|counter| counter.tag == tag) {
            Some(counter) => counter,
            None => counters.push_mut(Counter::new(tag, window, now)),
        };
        counter.advance(now);
        counter.to_add = to_add;
        Ok(counter.used())
    }

    /// The bucket with this key, read when it is asked for the first time.
    fn bucket(&mut self, key: String) -> Result<&mut Bucket, StoreUnavailable> {
        Ok(match self.buckets.entry(key) {
            Entry::Occupied(bucket) => bucket.into_mut(),
            Entry::Vacant(bucket) => {
                let value = self.store.get(bucket.key())?.unwrap_or_default();
                bucket.insert(Bucket::read(&value, self.now))
            }
        })
    }

    /// Counts the message against every limit that was asked for, and leaves its mark. To be
    /// called for a message that is sent, and after no limit was reached.
    ///
    /// On an error the message may be counted against some of the limits. It is to be sent all the same, with
    /// a warning.
    pub fn commit(mut self) -> Result<(), StoreUnavailable> {
        if let Some((key, mark)) = self.mark.take() {
            let bucket = self.bucket(key)?;
            bucket.marks.retain(|other| other.tag != mark.tag);
            bucket.marks.insert(0, mark);
            bucket.is_marked = true;
        }
        for (key, mut bucket) in self.buckets {
            let counters = &mut bucket.counters;
            // Written as it was read, it would lose what others have counted meanwhile.
            if !bucket.is_marked && counters.iter().all(|counter| counter.to_add == 0) {
                continue;
            }
            for counter in counters.iter_mut() {
                counter.counts[0] = counter.counts[0].saturating_add(counter.to_add);
            }
            // The message's own counters never make room for each other.
            counters.sort_by_key(|counter| Reverse((counter.to_add > 0, counter.left(self.now))));
            counters.truncate(COUNTERS);
            bucket.marks.truncate(MARKS);
            self.store.set(&key, &value::write(VERSION, &bucket))?;
        }
        Ok(())
    }
}

/// The key of the bucket that a limit's counter is in, and the hash by which it is told from the others there.
fn place(limit: &Limit, key: &StoreKey) -> (String, [u8; 16]) {
    let hash = key.hash(
        "limit",
        &[
            limit.scope.name().as_bytes(),
            &[u8::from(limit.is_enrollment) | u8::from(limit.is_call) << 1],
            &limit.rate.count.to_le_bytes(),
            &limit.rate.window.to_le_bytes(),
            limit.subject.as_bytes(),
        ],
    );
    let [tag @ .., low, high] = *hash.first_chunk::<18>().expect("a hash is longer");
    let key = match limit.scope {
        Scope::Total => "okta-telephony-acs/limit/total".to_owned(),
        Scope::EnrollmentTotal => "okta-telephony-acs/limit/enrollment-total".to_owned(),
        Scope::CallsTotal if limit.is_enrollment => {
            "okta-telephony-acs/limit/calls-enrollment-total".to_owned()
        }
        Scope::CallsTotal => "okta-telephony-acs/limit/calls-total".to_owned(),
        _ => bucket_key(u16::from_le_bytes([low, high])),
    };
    (key, tag)
}

fn bucket_key(hash: u16) -> String {
    format!("okta-telephony-acs/limit/{:03x}", hash % BUCKETS)
}

/// The value of a key.
#[derive(Default, Serialize, Deserialize)]
struct Bucket {
    counters: Vec<Counter>,
    /// The newest first.
    marks: Vec<Mark>,
    /// A mark is another one than in the store.
    #[serde(skip)]
    is_marked: bool,
}

impl Bucket {
    /// What has not expired of a value. A value that cannot be read, or that has too much, has nothing.
    fn read(value: &[u8], now: u64) -> Self {
        let mut bucket: Self = value::read(VERSION, value)
            .filter(|it: &Self| it.counters.len() <= COUNTERS && it.marks.len() <= MARKS)
            .unwrap_or_default();
        bucket.counters.retain(|counter| counter.is_live(now));
        // One that is ahead was written by another clock.
        bucket.marks.retain(|mark| mark.at.abs_diff(now) < MEMORY);
        bucket
    }
}

/// What a counted message leaves of its event.
#[derive(Serialize, Deserialize)]
struct Mark {
    /// Of which event, and to which number, as a keyed hash.
    tag: [u8; 8],
    /// When it was counted, in milliseconds since 1970.
    at: u64,
    /// How many repeats there were.
    repeats: u8,
}

/// How many tenths of a window a counter holds: so many overlap the last window.
const SLICES: usize = 11;

/// A counter. Points in time are tenths of its window since 1970, called slices.
#[derive(Serialize, Deserialize)]
struct Counter {
    /// Whose it is, as a keyed hash.
    tag: [u8; 16],
    /// The window in seconds, from 1 to [`LONGEST_WINDOW`] if the counter is live.
    window: u32,
    /// The newest slice that is counted.
    newest: u64,
    /// The messages in each slice, the newest first.
    counts: [u32; SLICES],
    /// For how many messages this one counts here; 0 if none of its limits counts it here.
    #[serde(skip)]
    to_add: u32,
}

impl Counter {
    fn new(tag: [u8; 16], window: u32, now: u64) -> Self {
        Self { tag, window, newest: now / slice(window), counts: [0; SLICES], to_add: 0 }
    }

    /// Whether its newest slice still counts, and is not ahead by more than a window, as it is where
    /// another clock wrote it.
    fn is_live(&self, now: u64) -> bool {
        if !(1..=LONGEST_WINDOW).contains(&self.window) {
            return false;
        }
        let now = now / slice(self.window);
        let window = SLICES as u64 - 1;
        now <= self.newest.saturating_add(window) && self.newest <= now + window
    }

    /// Goes on to a later moment. A clock that has been set back stands still.
    fn advance(&mut self, now: u64) {
        let now = (now / slice(self.window)).max(self.newest);
        let passed = usize::try_from(now - self.newest).unwrap_or(SLICES).min(SLICES);
        self.counts.rotate_right(passed);
        self.counts[..passed].fill(0);
        self.newest = now;
    }

    fn used(&self) -> u32 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// How long its newest slice still counts, in thousandths of a slice: by it, a counter with a short
    /// window is worth as much as one with a long window.
    fn left(&self, now: u64) -> u64 {
        let slice = slice(self.window);
        let end = (self.newest + SLICES as u64) * slice;
        end.saturating_sub(now).saturating_mul(1000) / slice
    }
}

/// A tenth of a window of so many seconds, in milliseconds.
fn slice(window: u32) -> u64 {
    u64::from(window) * 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::{FakeHost, ReadOnly};
    use proptest::prelude::*;
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;
    use time::Duration;
    use time::macros::datetime;

    /// The beginning of a slice of every window here.
    const NOW: OffsetDateTime = datetime!(2026-01-31 12:00:00 UTC);

    /// The most bytes of a bucket, and the most if no count is over 127.
    const LARGEST: usize = 1139;
    const LARGEST_USUAL: usize = 267;

    fn key() -> StoreKey {
        StoreKey::derive(b"secret")
    }

    fn limit(scope: Scope, rate: &str, subject: &str) -> Limit {
        let rate = Rate::parse(rate).unwrap();
        Limit {
            scope,
            rate,
            is_enrollment: false,
            is_call: false,
            subject: subject.into(),
            weight: 1,
            is_counted: true,
        }
    }

    /// What becomes of a message.
    #[derive(Debug, PartialEq)]
    enum Counted {
        Admitted,
        Reached { scope: Scope, rate: Rate },
    }

    /// Decides as the hook does, and counts the message if it is admitted.
    fn count_with(
        key: &StoreKey,
        store: &dyn Store,
        limits: &[Limit],
        now: OffsetDateTime,
    ) -> Result<Counted, StoreUnavailable> {
        let mut counters = Counters::new(key.clone(), store, now);
        for limit in limits {
            if !counters.admits(limit)? {
                return Ok(Counted::Reached { scope: limit.scope, rate: limit.rate });
            }
        }
        counters.commit()?;
        Ok(Counted::Admitted)
    }

    fn count(
        store: &dyn Store,
        limits: &[Limit],
        now: OffsetDateTime,
    ) -> Result<Counted, StoreUnavailable> {
        count_with(&key(), store, limits, now)
    }

    /// The same of an event, of which only the number makes another message.
    fn count_event(
        store: &dyn Store,
        event: (&str, &str),
        limits: &[Limit],
        now: OffsetDateTime,
    ) -> bool {
        let mut counters = Counters::new(key(), store, now);
        if !counters.is_repeat(event.0, event.1, limits).unwrap()
            && !limits.iter().all(|limit| counters.admits(limit).unwrap())
        {
            return false;
        }
        counters.commit().unwrap();
        true
    }

    fn used(
        store: &dyn Store,
        limits: &[Limit],
        now: OffsetDateTime,
    ) -> Result<Vec<u32>, StoreUnavailable> {
        let key = key();
        let mut counters = Counters::new(key.clone(), store, now);
        limits.iter().map(|limit| counters.used(limit)).collect()
    }

    fn count_one(host: &FakeHost, limit: Limit, now: OffsetDateTime) -> bool {
        count(host, &[limit], now).unwrap() == Counted::Admitted
    }

    fn used_one(store: &dyn Store, limit: Limit, now: OffsetDateTime) -> u32 {
        used(store, &[limit], now).unwrap()[0]
    }

    /// Users whose counters of a rate fall into one bucket.
    fn neighbours(rate: &str, wanted: usize) -> Vec<String> {
        let mut buckets = BTreeMap::<String, Vec<String>>::new();
        for user in (0..).map(|n| format!("user {n}")) {
            let (bucket, _) = place(&limit(Scope::User, rate, &user), &key());
            let users = buckets.entry(bucket).or_default();
            users.push(user);
            if users.len() == wanted {
                return users.clone();
            }
        }
        unreachable!()
    }

    /// The value of a bucket with these counters.
    fn written(counters: Vec<Counter>) -> Vec<u8> {
        value::write(VERSION, &Bucket { counters, ..Bucket::default() })
    }

    /// Puts a value in the place of every value.
    fn overwrite(host: &FakeHost, value: &[u8]) {
        for stored in host.stored.borrow_mut().as_mut().unwrap().values_mut() {
            *stored = value.to_vec();
        }
    }

    #[test]
    fn a_rate_is_read_with_spaces_and_printed_in_its_shortest_form() {
        for (text, printed) in [
            ("5/10m", "5/10m"),
            (" 5 / 10m\n", "5/10m"),
            ("5/600s", "5/10m"),
            ("1/1s", "1/1s"),
            ("1/90s", "1/90s"),
            ("1/60m", "1/1h"),
            ("1/36h", "1/36h"),
            ("1/24h", "1/1d"),
            ("1/7d", "1/7d"),
            ("1/604800s", "1/7d"),
            ("4294967295/1d", "4294967295/1d"),
            ("007/007s", "7/7s"),
        ] {
            assert_eq!(Rate::parse(text).unwrap().to_string(), printed, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_a_rate_is_refused_and_not_repeated() {
        use InvalidRate::*;
        for (text, cause) in [
            ("", Form),
            ("5", Form),
            ("10m", Form),
            ("5 per 10m", Form),
            ("5/10m/", Form),
            ("5/10m/3", Form),
            ("//", Form),
            ("/", Count),
            ("/10m", Count),
            ("0/10m", Count),
            ("-5/10m", Count),
            ("+5/10m", Count),
            ("5.0/10m", Count),
            ("5 0/10m", Count),
            ("5_000/10m", Count),
            ("４/10m", Count),
            ("4294967296/10m", Count),
            ("five/10m", Count),
            ("5/", Window),
            ("5/10", Window),
            ("5/m", Window),
            ("5/0m", Window),
            ("5/-1m", Window),
            ("5/+1m", Window),
            ("5/1.5m", Window),
            ("5/10 m", Window),
            ("5/10M", Window),
            ("5/10min", Window),
            ("5/10ms", Window),
            ("5/1w", Window),
            ("5/1h30m", Window),
            ("5/8d", Window),
            ("5/604801s", Window),
            ("5/10081m", Window),
            ("5/169h", Window),
            ("5/49711d", Window),
            ("5/4294967296s", Window),
            ("5/１0m", Window),
        ] {
            assert_eq!(Rate::parse(text), Err(cause), "{text:?}");
        }
        for cause in [Form, Count, Window] {
            assert!(cause.to_string().starts_with("must be COUNT/WINDOW such as 5/10m: "));
        }
    }

    #[test]
    fn a_scope_is_named_like_its_key_in_the_settings() {
        assert_eq!(Scope::Number.name(), "limits.per_number");
        assert_eq!(Scope::User.name(), "limits.per_user");
        assert_eq!(Scope::Ip.name(), "limits.per_ip");
        assert_eq!(Scope::Prefix.name(), "limits.per_prefix");
        assert_eq!(Scope::Total.name(), "limits.total");
    }

    #[test]
    fn an_address_is_counted_as_ipv4_or_as_the_64_bits_that_one_attacker_has() {
        for (text, counted) in [
            ("192.0.2.7", Some("192.0.2.7")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("::FFFF:C000:207", Some("192.0.2.7")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::/64")),
            ("2001:DB8:1:2:ffff::1", Some("2001:db8:1:2::/64")),
            ("2001:db8:1:3:3:4:5:6", Some("2001:db8:1:3::/64")),
            ("::1", Some("::/64")),
            ("", None),
            ("192.0.2", None),
            ("192.0.2.07", None),
            ("192.0.2.7:443", None),
            (" 192.0.2.7", None),
            ("[2001:db8::1]", None),
            ("fe80::1%eth0", None),
            ("unknown", None),
        ] {
            assert_eq!(address(text).as_deref(), counted, "{text:?}");
        }
    }

    #[test]
    fn no_more_than_the_limit_is_admitted_and_a_place_comes_free_within_a_tenth_of_a_window() {
        let host = FakeHost::default();
        let at = |seconds| count_one(&host, limit(Scope::Number, "3/100s", "n"), NOW + seconds);
        assert!(at(Duration::seconds(9)));
        assert!(at(Duration::seconds(10)));
        assert!(at(Duration::seconds(95)));
        assert!(!at(Duration::milliseconds(109_999)));
        assert!(at(Duration::milliseconds(110_000)));
        assert!(!at(Duration::milliseconds(119_999)));
        assert!(at(Duration::milliseconds(120_000)));
        assert!(!at(Duration::milliseconds(199_999)));
        assert!(at(Duration::milliseconds(200_000)));
    }

    #[test]
    fn a_message_is_counted_against_every_limit_and_the_first_that_is_reached_is_told() {
        let host = FakeHost::default();
        let limits = |user| {
            [
                limit(Scope::Number, "4/1h", "n"),
                limit(Scope::User, "2/1h", user),
                limit(Scope::Total, "3/1d", ""),
            ]
        };
        let count = |user| count(&host, &limits(user), NOW).unwrap();
        let reached = |scope, rate| Counted::Reached { scope, rate: Rate::parse(rate).unwrap() };
        let used = |user| used(&host, &limits(user), NOW).unwrap();
        assert_eq!(count("a"), Counted::Admitted);
        assert_eq!(count("a"), Counted::Admitted);
        assert_eq!(used("a"), [2, 2, 2]);
        assert_eq!(count("a"), reached(Scope::User, "2/1h"));
        assert_eq!(count("b"), Counted::Admitted);
        assert_eq!(used("b"), [3, 1, 3]);
        assert_eq!(count("b"), reached(Scope::Total, "3/1d"));
        assert_eq!(count("a"), reached(Scope::User, "2/1h"));
        assert_eq!(used("b"), [3, 1, 3]);
    }

    #[test]
    fn without_a_limit_nothing_is_asked_of_the_store() {
        let host = FakeHost::default();
        assert_eq!(count(&host, &[], NOW), Ok(Counted::Admitted));
        assert!(host.store_calls.borrow().is_empty());
    }

    const TO: &str = "+15550100123";

    #[test]
    fn a_repeat_of_a_counted_event_takes_no_place_and_is_not_refused() {
        for scope in Scope::ALL {
            let host = FakeHost::default();
            let at = |event, seconds| {
                let limits = [limit(scope, "2/1h", "s")];
                count_event(&host, (event, TO), &limits, NOW + Duration::seconds(seconds))
            };
            assert!(at("a", 0) && at("a", 1) && at("a", 2), "{scope:?}");
            assert!(at("b", 3), "one place of two is left: {scope:?}");
            assert!(!at("c", 4), "{scope:?}");
            assert!(at("a", 5) && at("b", 6), "they filled the limit themselves: {scope:?}");
            assert!(!at("c", 7), "what was refused may be refused again: {scope:?}");
            assert_eq!(used_one(&host, limit(scope, "2/1h", "s"), NOW), 2);
        }
    }

    #[test]
    fn an_event_with_another_number_and_a_call_without_an_event_count_each_time() {
        let host = FakeHost::default();
        let limits = [limit(Scope::Total, "9/1h", "")];
        for number in [TO, "+15550100124"] {
            assert!(count_event(&host, ("a", number), &limits, NOW));
        }
        assert_eq!(used(&host, &limits, NOW), Ok(vec![2]));
        for _ in 0..2 {
            assert_eq!(count(&host, &limits, NOW), Ok(Counted::Admitted));
        }
        assert_eq!(used(&host, &limits, NOW), Ok(vec![4]));
    }

    #[test]
    fn an_event_is_forgotten_after_five_minutes_and_after_three_repeats() {
        let number = || limit(Scope::Number, "1/1h", "n");
        let at = |host: &FakeHost, milliseconds| {
            let now = NOW + Duration::milliseconds(milliseconds);
            count_event(host, ("a", TO), &[number()], now)
        };
        let host = FakeHost::default();
        assert!(at(&host, 0));
        assert!(at(&host, 299_999));
        assert!(!at(&host, 300_000), "a repeat does not renew it");
        // By a clock that is set back it is no older.
        let host = FakeHost::default();
        assert!(at(&host, 0) && at(&host, -299_999));

        let host = FakeHost::default();
        for call in 0..=3 {
            assert!(at(&host, call), "{call}");
        }
        assert!(!at(&host, 4));
        let host = FakeHost::default();
        let limits = [limit(Scope::Number, "2/1h", "n")];
        let sent = (0..99).filter(|_| count_event(&host, ("a", TO), &limits, NOW)).count();
        assert_eq!(sent, 2 * 4);
    }

    #[test]
    fn a_bucket_remembers_the_newest_events() {
        let host = FakeHost::default();
        let limits = [limit(Scope::Number, "33/1h", "n")];
        let call = |event: u32| count_event(&host, (&event.to_string(), TO), &limits, NOW);
        for event in 0..=MARKS as u32 {
            assert!(call(event));
        }
        assert!(!call(0), "the oldest made room");
        for event in 1..=MARKS as u32 {
            assert!(call(event), "{event}");
        }
        let stored = host.stored.take().unwrap();
        assert!(stored.values().all(|value| value.len() <= LARGEST));
    }

    #[test]
    fn whoever_shares_an_address_displaces_nobodys_event() {
        let host = FakeHost::default();
        let limits = [limit(Scope::Ip, "99/1h", "192.0.2.1")];
        let call = |event: u32| count_event(&host, (&event.to_string(), TO), &limits, NOW);
        assert!((0..99).all(call));
        assert!((0..99).all(call), "none of them counts again");
        assert!(!call(99));
    }

    #[test]
    fn a_repeat_costs_no_call_of_the_store_more_where_there_is_another_limit_than_the_total() {
        let host = FakeHost::default();
        let number = || limit(Scope::Number, "5/10m", "n");
        let total = || limit(Scope::Total, "1/1h", "");
        for (limits, calls) in [
            (vec![], [0, 0]),
            (vec![number()], [2, 2]),
            (vec![number(), total()], [4, 2]),
            // The mark is in a bucket of its own.
            (vec![total()], [4, 2]),
        ] {
            host.stored.replace(Some(BTreeMap::new()));
            for calls in calls {
                assert!(count_event(&host, ("a", TO), &limits, NOW));
                assert_eq!(host.store_calls.take().len(), calls);
            }
        }
    }

    #[test]
    fn a_mark_tells_neither_event_nor_number() {
        let host = FakeHost::default();
        let limits = [limit(Scope::Number, "5/10m", TO)];
        assert!(count_event(&host, ("uS5871kJThSsU8qlA1LTcg", TO), &limits, NOW));
        let stored = host.stored.take().unwrap();
        let value = stored.values().next().unwrap();
        assert_eq!(value.len(), 2 + 33 + 1 + 8 + 6 + 1);
        for told in [TO, "uS5871kJThSsU8qlA1LTcg"] {
            assert!(!value.windows(4).any(|part| told.as_bytes().windows(4).any(|it| it == part)));
        }
    }

    #[test]
    fn scopes_rates_and_subjects_count_apart() {
        let host = FakeHost::default();
        let limits = [
            limit(Scope::Number, "1/1h", "a"),
            limit(Scope::User, "1/1h", "a"),
            limit(Scope::User, "1/1h", "b"),
            limit(Scope::User, "1/2h", "b"),
            limit(Scope::Total, "1/1h", ""),
            limit(Scope::Total, "2/1h", ""),
        ];
        for limit in limits {
            assert!(count_one(&host, limit, NOW));
        }
        assert!(!count_one(&host, limit(Scope::User, "1/1h", "b"), NOW));
        assert!(!count_one(&host, limit(Scope::Total, "1/1h", ""), NOW));
    }

    #[test]
    fn each_key_is_read_once_then_written_once_and_a_refused_message_writes_nothing() {
        let host = FakeHost::default();
        let users = neighbours("1/1h", 2);
        let limits = [
            limit(Scope::User, "1/1h", &users[0]),
            limit(Scope::Total, "1/1h", ""),
            limit(Scope::User, "1/1h", &users[1]),
        ];
        let (bucket, _) = place(&limits[0], &key());
        assert_eq!(used(&host, &limits, NOW), Ok(vec![0, 0, 0]));
        assert_eq!(
            host.store_calls.take(),
            [format!("get {bucket}"), "get okta-telephony-acs/limit/total".into()]
        );
        assert_eq!(count(&host, &limits, NOW), Ok(Counted::Admitted));
        assert_eq!(
            host.store_calls.take(),
            [
                format!("get {bucket}"),
                "get okta-telephony-acs/limit/total".into(),
                format!("set {bucket}"),
                "set okta-telephony-acs/limit/total".into(),
            ]
        );
        assert_eq!(used(&host, &limits, NOW), Ok(vec![1, 1, 1]));
        host.store_calls.take();
        for limits in [&limits[..], &limits[1..2]] {
            assert!(matches!(count(&host, limits, NOW), Ok(Counted::Reached { .. })));
        }
        assert!(host.store_calls.take().iter().all(|call| call.starts_with("get ")));
    }

    #[test]
    fn neither_keys_nor_values_tell_whose_they_are() {
        let host = FakeHost::default();
        let limits = [
            limit(Scope::Number, "5/10m", "+15550100123"),
            limit(Scope::User, "5/10m", "00u1234567890"),
            limit(Scope::Ip, "5/10m", "192.0.2.7"),
            limit(Scope::Prefix, "5/10m", "+1555010"),
        ];
        count(&host, &limits, NOW).unwrap();
        let stored = host.stored.take().unwrap();
        assert_eq!(stored.len(), 4);
        for (key, value) in stored {
            let bucket = key.strip_prefix("okta-telephony-acs/limit/").unwrap();
            assert!(bucket.len() == 3 && u16::from_str_radix(bucket, 16).unwrap() < BUCKETS);
            assert_eq!(value.len(), 2 + 33 + 1);
            for limit in &limits {
                assert!(!value.windows(4).any(|part| limit.subject.as_bytes().starts_with(part)));
            }
        }
        let (_, tag) = place(&limits[0], &key());
        assert_ne!(tag, place(&limits[0], &StoreKey::derive(b"another")).1);
    }

    // A value once written must be read by later versions, or its version must change.
    #[test]
    fn the_format_does_not_change_without_its_version() {
        let host = FakeHost::default();
        let total = || limit(Scope::Total, "300/10s", "");
        for seconds in [-1, 0, 0] {
            assert!(count_one(&host, total(), NOW + Duration::seconds(seconds)));
        }
        let value = host.stored.take().unwrap().remove("okta-telephony-acs/limit/total").unwrap();
        // The version, one counter, its hash, its window, its newest slice, and its counts; no mark.
        let mut expected = vec![2, 1];
        expected.extend(place(&total(), &key()).1);
        expected.push(10);
        expected.extend([0xc0, 0xdd, 0xf7, 0xcb, 0x06]);
        expected.extend([2, 1]);
        expected.extend([0; 9]);
        expected.push(0);
        assert_eq!(value, expected);
    }

    #[test]
    fn a_bucket_takes_as_many_bytes_as_the_documentation_says() {
        let size = |window, now, count| {
            let counter = || Counter {
                counts: [count; SLICES],
                ..Counter::new([255; 16], window, milliseconds(now))
            };
            let counters: Vec<_> = (0..COUNTERS).map(|_| counter()).collect();
            written(counters).len()
        };
        assert_eq!(size(3600, NOW, 127), LARGEST_USUAL);
        let windows = [1, 127, 128, 16_383, 16_384, LONGEST_WINDOW];
        let far = datetime!(9999-12-31 23:59:59 UTC);
        let largest = windows.map(|window| size(window, far, u32::MAX)).into_iter().max();
        let mark = || Mark { tag: [255; 8], at: milliseconds(far), repeats: REPEATS };
        let marks = value::write(VERSION, &(0..MARKS).map(|_| mark()).collect::<Vec<_>>());
        // The version, and the count of no marks.
        assert_eq!(largest.unwrap() + marks.len() - 2, LARGEST);
    }

    #[test]
    fn a_ninth_counter_displaces_an_expired_one_or_else_the_one_with_the_least_left() {
        let users = neighbours("9/100s", 11);
        let host = FakeHost::default();
        let user = |n: usize| limit(Scope::User, "9/100s", &users[n]);
        let at = |n: usize, seconds| {
            assert!(count_one(&host, user(n), NOW + Duration::seconds(seconds)));
        };
        let live = |seconds| -> Vec<usize> {
            let now = NOW + Duration::seconds(seconds);
            (0..11).filter(|n| used_one(&host, user(*n), now) > 0).collect()
        };
        for (n, seconds) in [(0, 0), (1, 20), (2, 10), (3, 30), (4, 40), (5, 50), (6, 60), (7, 70)]
        {
            at(n, seconds);
        }
        // Its own entry is taken, and so expires later.
        at(0, 71);
        assert_eq!(live(71), [0, 1, 2, 3, 4, 5, 6, 7]);
        at(8, 72);
        assert_eq!(live(72), [0, 1, 3, 4, 5, 6, 7, 8]);
        // The entry of user 1 expires at 130.
        at(9, 130);
        assert_eq!(live(130), [0, 3, 4, 5, 6, 7, 8, 9]);
        at(10, 139);
        assert_eq!(live(139), [0, 4, 5, 6, 7, 8, 9, 10]);
        let stored = host.stored.take().unwrap();
        let counters =
            stored.values().map(|value| Bucket::read(value, milliseconds(NOW) + 139_000).counters);
        assert_eq!(counters.map(|counters| counters.len()).collect::<Vec<_>>(), [COUNTERS]);
    }

    #[test]
    fn a_long_window_does_not_displace_a_short_one_that_is_fresher() {
        let long = neighbours("9/1h", 9);
        let host = FakeHost::default();
        let (bucket, _) = place(&limit(Scope::User, "9/1h", &long[0]), &key());
        let short = (0..)
            .map(|n| format!("user {n}"))
            .find(|user| place(&limit(Scope::User, "9/10m", user), &key()).0 == bucket)
            .unwrap();
        let later = NOW + Duration::minutes(30);
        for user in &long[..7] {
            assert!(count_one(&host, limit(Scope::User, "9/1h", user), NOW));
        }
        assert!(count_one(&host, limit(Scope::User, "9/10m", &short), later));
        assert!(count_one(&host, limit(Scope::User, "9/1h", &long[7]), later));
        assert_eq!(used_one(&host, limit(Scope::User, "9/10m", &short), later), 1);
        assert_eq!(used_one(&host, limit(Scope::User, "9/1h", &long[7]), later), 1);
    }

    #[test]
    fn the_counters_of_one_message_do_not_displace_each_other() {
        let long = neighbours("9/1h", 9);
        let host = FakeHost::default();
        let (bucket, _) = place(&limit(Scope::User, "9/1h", &long[0]), &key());
        // Their own window is so short that they expire before all others.
        let short: Vec<_> = (0..)
            .map(|n| format!("user {n}"))
            .filter(|user| place(&limit(Scope::User, "9/1s", user), &key()).0 == bucket)
            .take(2)
            .collect();
        for user in &long {
            assert!(count_one(&host, limit(Scope::User, "9/1h", user), NOW));
        }
        let limits = || {
            [
                limit(Scope::User, "9/1s", &short[0]),
                limit(Scope::User, "9/1h", &long[8]),
                limit(Scope::User, "9/1s", &short[1]),
            ]
        };
        assert_eq!(count(&host, &limits(), NOW), Ok(Counted::Admitted));
        assert_eq!(used(&host, &limits(), NOW), Ok(vec![1, 2, 1]));
        let value = &host.stored.take().unwrap()[&bucket];
        assert_eq!(Bucket::read(value, milliseconds(NOW)).counters.len(), COUNTERS);
    }

    #[test]
    fn a_clock_that_is_set_back_by_a_window_stands_still_until_it_has_caught_up() {
        let host = FakeHost::default();
        let at = |seconds| {
            let now = NOW + Duration::seconds(seconds);
            count_one(&host, limit(Scope::Number, "2/100s", "n"), now)
        };
        assert!(at(0));
        assert!(at(-100));
        assert!(!at(-100));
        assert!(!at(-1));
        assert!(!at(109));
        assert!(at(110));
    }

    #[test]
    fn a_clock_that_is_set_back_by_more_than_a_window_locks_nobody_out() {
        let host = FakeHost::default();
        let number = || limit(Scope::Number, "1/100s", "n");
        assert!(count_one(&host, number(), datetime!(2099-01-01 0:00 UTC)));
        assert!(count_one(&host, number(), NOW));
        assert!(!count_one(&host, number(), NOW));
        assert!(count_one(&host, number(), datetime!(1960-01-01 0:00 UTC)));
        assert!(!count_one(&host, number(), datetime!(1970-01-01 0:00 UTC)));
        assert!(count_one(&host, number(), datetime!(9999-12-31 23:59:59.999 UTC)));
        assert!(count_one(&host, number(), datetime!(-9999-01-01 0:00 UTC)));
    }

    #[test]
    fn a_store_that_fails_says_so_and_a_limit_that_is_reached_goes_before_a_failed_write() {
        let limits = || [limit(Scope::User, "1/1h", "u"), limit(Scope::Total, "1/1h", "")];
        let broken = FakeHost { stored: RefCell::new(None), ..FakeHost::default() };
        assert_eq!(count(&broken, &limits(), NOW), Err(StoreUnavailable::Down));

        let host = FakeHost::default();
        assert_eq!(count(&ReadOnly(&host), &limits(), NOW), Err(StoreUnavailable::Down));
        assert_eq!(used(&host, &limits(), NOW), Ok(vec![0, 0]));
        assert_eq!(count(&host, &limits(), NOW), Ok(Counted::Admitted));
        let reached = count(&ReadOnly(&host), &limits(), NOW);
        assert!(matches!(reached, Ok(Counted::Reached { .. })));
    }

    #[test]
    fn a_value_that_is_cut_or_of_another_version_counts_as_empty() {
        let host = FakeHost::default();
        let number = || limit(Scope::Number, "1/1h", "n");
        assert!(count_one(&host, number(), NOW));
        let value = host.stored.borrow().as_ref().unwrap().values().next().unwrap().clone();
        let counter = &value[2..value.len() - 1];
        let nine = [&[VERSION, 9], &counter.repeat(9)[..], &[0]].concat();
        for unreadable in [
            vec![],
            vec![VERSION],
            vec![VERSION, 0],
            value[..value.len() - 1].to_vec(),
            [&value[..], &[0]].concat(),
            [&[VERSION + 1], &value[1..]].concat(),
            [&[VERSION, 2], counter, &[0]].concat(),
            [&[VERSION, 1], counter, &[33], &[0; 10 * 33][..]].concat(),
            nine,
        ] {
            overwrite(&host, &unreadable);
            assert_eq!(used_one(&host, number(), NOW), 0);
            assert!(count_one(&host, number(), NOW));
            assert!(!count_one(&host, number(), NOW));
        }
    }

    #[test]
    fn counters_that_no_clock_and_no_rate_can_have_made_take_no_place() {
        let number = || limit(Scope::Number, "1/1h", "n");
        let (bucket, tag) = place(&number(), &key());
        let now = NOW.unix_timestamp().unsigned_abs();
        for (window, newest) in [
            (0, now * 10),
            (LONGEST_WINDOW + 1, now / u64::from(LONGEST_WINDOW / 10)),
            (u32::MAX, 0),
            (u32::MAX, u64::MAX),
            (3600, u64::MAX),
            (3600, now / 360 + 11),
            (3600, now / 360 - 11),
        ] {
            let counter = || Counter { tag, window, newest, counts: [u32::MAX; SLICES], to_add: 0 };
            let counters: Vec<_> = (0..COUNTERS).map(|_| counter()).collect();
            let host = FakeHost::default();
            host.set(&bucket, &written(counters)).unwrap();
            assert!(count_one(&host, number(), NOW), "{window} {newest}");
            let value = host.get(&bucket).unwrap().unwrap();
            assert_eq!(Bucket::read(&value, milliseconds(NOW)).counters.len(), 1);
        }
    }

    #[test]
    fn counts_do_not_overflow() {
        let number = || limit(Scope::Number, "4294967295/1h", "n");
        let (bucket, tag) = place(&number(), &key());
        let newest = NOW.unix_timestamp().unsigned_abs() / 360;
        let host = FakeHost::default();
        let counter = Counter { tag, window: 3600, newest, counts: [u32::MAX; SLICES], to_add: 0 };
        host.set(&bucket, &written(vec![counter])).unwrap();
        assert_eq!(used_one(&host, number(), NOW), u32::MAX);
        assert!(!count_one(&host, number(), NOW));
    }

    /// Hooks that overlap: whenever one is about to set, others run from their get to their set.
    struct Interleaved<'a> {
        host: &'a FakeHost,
        /// How many run before each set, the last first.
        script: RefCell<Vec<u8>>,
        /// How many may still run before the outermost hook sets.
        left: Cell<u32>,
        /// What every hook counts, and how many were admitted.
        limit: &'a dyn Fn() -> Limit,
        admitted: Cell<u32>,
    }

    impl Interleaved<'_> {
        fn hook(&self) -> bool {
            let admitted = count(self, &[(self.limit)()], NOW).unwrap() == Counted::Admitted;
            self.admitted.set(self.admitted.get() + u32::from(admitted));
            admitted
        }
    }

    impl Store for Interleaved<'_> {
        fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
            self.host.get(key)
        }

        fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreUnavailable> {
            let others = self.script.borrow_mut().pop().unwrap_or(1);
            for _ in 0..others {
                if let Some(left) = self.left.get().checked_sub(1) {
                    self.left.set(left);
                    self.hook();
                }
            }
            self.host.set(key, value)
        }
    }

    /// How many of 5 messages a window are admitted, if `m` hooks set between the get and the set of
    /// each outermost one.
    fn admitted_overlapping(m: u32, script: Vec<u8>) -> u32 {
        let host = FakeHost::default();
        let hooks = Interleaved {
            host: &host,
            script: RefCell::new(script),
            left: Cell::new(0),
            limit: &|| limit(Scope::Total, "5/1h", ""),
            admitted: Cell::new(0),
        };
        loop {
            hooks.left.set(m);
            if !hooks.hook() {
                return hooks.admitted.get();
            }
        }
    }

    #[test]
    fn hooks_that_all_read_before_the_first_writes_admit_the_limit_times_their_number() {
        for m in [0, 1, 3, 15] {
            assert_eq!(admitted_overlapping(m, vec![]), 5 * (m + 1));
        }
    }

    #[test]
    fn a_stale_write_of_a_neighbour_takes_back_what_was_counted_meanwhile_and_no_more() {
        let users = neighbours("5/1h", 2);
        let host = FakeHost::default();
        let hooks = Interleaved {
            host: &host,
            script: RefCell::new(vec![]),
            left: Cell::new(0),
            limit: &|| limit(Scope::User, "5/1h", &users[0]),
            admitted: Cell::new(0),
        };
        assert!(hooks.hook());
        hooks.left.set(1);
        let neighbour = || [limit(Scope::User, "5/1h", &users[1])];
        assert_eq!(count(&hooks, &neighbour(), NOW), Ok(Counted::Admitted));
        while hooks.hook() {}
        assert_eq!(hooks.admitted.get(), 5 + 1);
    }

    /// A store with room for millions of calls.
    #[derive(Default)]
    struct Shelf(RefCell<BTreeMap<String, Vec<u8>>>);

    impl Store for Shelf {
        fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
            Ok(self.0.borrow().get(key).cloned())
        }

        fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreUnavailable> {
            self.0.borrow_mut().insert(key.to_owned(), value.to_owned());
            Ok(())
        }
    }

    #[test]
    fn a_flood_of_ten_times_as_many_subjects_as_places_fills_a_bounded_store_and_blames_nobody() {
        let shelf = Shelf::default();
        let key = key();
        let places = u32::from(BUCKETS) * COUNTERS as u32;
        let count = |n: u32| {
            let number = format!("+1555{n:07}");
            let number = limit(Scope::Number, "1/1h", &number);
            count_with(&key, &shelf, &[number], NOW + Duration::milliseconds(10) * n).unwrap()
        };
        // Anybody else's counter would be at its limit.
        for n in 0..places {
            assert_eq!(count(n), Counted::Admitted);
        }
        assert_ne!(count(places - 1), Counted::Admitted);
        // The other nine tenths without their hashes, which would take ten seconds.
        for n in places..places * 10 {
            let mut counters =
                Counters::new(key.clone(), &shelf, NOW + Duration::milliseconds(10) * n);
            let bucket = format!("okta-telephony-acs/limit/{:03x}", n % u32::from(BUCKETS));
            let mut tag = [0; 16];
            tag[..4].copy_from_slice(&n.to_le_bytes());
            assert_eq!(counters.used_at(bucket, tag, 3600, 1), Ok(0));
            counters.commit().unwrap();
        }
        // The victim was displaced, and starts at 0.
        assert_eq!(count(0), Counted::Admitted);
        let stored = shelf.0.take();
        assert_eq!(stored.len(), usize::from(BUCKETS));
        assert!(stored.values().all(|value| value.len() == LARGEST_USUAL));
    }

    proptest! {
        #[test]
        fn any_text_is_a_rate_that_prints_itself_or_is_refused(
            text in prop_oneof!["\\PC*", " ?[0-9]{0,11} ?/ ?[0-9]{0,7}[smhdw]? ?"]
        ) {
            if let Ok(rate) = Rate::parse(&text) {
                prop_assert!(rate.count > 0 && (1..=LONGEST_WINDOW).contains(&rate.window));
                prop_assert_eq!(Rate::parse(&rate.to_string()), Ok(rate));
            }
        }

        #[test]
        fn however_hooks_overlap_no_more_than_the_stated_bound_is_admitted(
            m in 0..12_u32, script in prop::collection::vec(0..6_u8, 0..200)
        ) {
            let admitted = admitted_overlapping(m, script);
            prop_assert!((5..=5 * (m + 1)).contains(&admitted), "{} with {}", admitted, m);
        }

        #[test]
        fn any_stored_bytes_count_as_empty_and_go(
            version in prop_oneof![Just(VERSION), any::<u8>()],
            mut value in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..600),
                prop::collection::vec(any::<u8>(), 0..9).prop_map(|bytes| bytes.repeat(33)),
                prop::collection::vec(any::<u8>(), 33 * 8),
            ],
        ) {
            value.insert(0, version);
            let host = FakeHost::default();
            let number = || limit(Scope::Number, "1/1h", "n");
            host.set(&place(&number(), &key()).0, &value).unwrap();
            prop_assert_eq!(used_one(&host, number(), NOW), 0);
            prop_assert!(count_one(&host, number(), NOW));
            prop_assert!(!count_one(&host, number(), NOW));
            let stored = host.stored.take().unwrap();
            prop_assert!(stored.values().all(|value| value.len() <= LARGEST));
        }

        // Against a list of the events that were admitted, each with its moment and its repeats.
        #[test]
        fn no_window_holds_more_events_than_the_limit_and_no_repeat_is_refused_that_is_remembered(
            scope in prop::sample::select(Scope::ALL.to_vec()),
            most in 1..6_u32,
            window in 1..900_u32,
            steps in prop::collection::vec((0..9_usize, 0..400_u64), 1..150),
        ) {
            struct Event {
                at: u64,
                repeats: u8,
            }
            let host = FakeHost::default();
            let mut now = 0;
            let mut admitted = Vec::<u64>::new();
            let mut events: [Option<Event>; 9] = Default::default();
            for (event, step) in steps {
                // Thousandths of a window, or of the time that an event is remembered.
                now += step * u64::from(window).min(300);
                let limits =
                    [Limit { rate: Rate { count: most, window }, ..limit(scope, "1/1s", "s") }];
                let clock = NOW + Duration::milliseconds(now as i64);
                let is_sent = count_event(&host, (&event.to_string(), TO), &limits, clock);
                let remembered = events[event]
                    .as_mut()
                    .filter(|it| now - it.at < MEMORY && it.repeats < REPEATS);
                if let Some(event) = remembered {
                    prop_assert!(is_sent, "a repeat was refused");
                    event.repeats += 1;
                } else if is_sent {
                    let since = now.saturating_sub(u64::from(window) * 1000);
                    let in_window = admitted.iter().filter(|at| **at > since || since == 0).count();
                    prop_assert!(in_window < most as usize, "one too many");
                    admitted.push(now);
                    events[event] = Some(Event { at: now, repeats: 0 });
                }
            }
        }

        // Against a list of the moments at which messages were admitted.
        #[test]
        fn no_window_holds_more_than_the_limit_and_nobody_is_refused_who_sent_less(
            rates in prop::collection::vec((1..6_u32, prop_oneof![1..20_u32, Just(LONGEST_WINDOW)]), 3),
            steps in prop::collection::vec((0..3_usize, prop_oneof![0..40_u64, 0..1200_u64]), 1..120),
        ) {
            let host = FakeHost::default();
            let mut now = 1_769_860_800_000_u64;
            let mut admitted = vec![Vec::<u64>::new(); rates.len()];
            for (who, step) in steps {
                let (most, window) = rates[who];
                // Thousandths of a window, so that every window sees its edges.
                now += step * u64::from(window);
                let limit = Limit {
                    rate: Rate { count: most, window },
                    ..limit(Scope::Number, "1/1s", ["a", "b", "c"][who])
                };
                let clock = NOW - Duration::milliseconds(NOW.unix_timestamp() * 1000)
                    + Duration::milliseconds(now as i64);
                let last = |thousandths: u64| {
                    let since = now - u64::from(window) * thousandths;
                    admitted[who].iter().filter(|at| **at >= since).count() as u32
                };
                let (in_window, a_tenth_longer) = (last(1000), last(1100));
                if count_one(&host, limit, clock) {
                    prop_assert!(in_window < most, "one too many");
                    admitted[who].push(now);
                } else {
                    prop_assert!(a_tenth_longer >= most, "refused too early");
                }
            }
        }
    }
}
