//! Limits on how many messages are sent: to a number, for a user, an address, a block of numbers,
//! and in total.
//!
//! Attack: SMS pumping and toll fraud. Whoever can make Okta call the hook, as with a sign-in page
//! that is open to all, has messages sent to numbers that earn him a share of the price, until the
//! account is empty.
//!
//! # How exact a limit is
//!
//! A counter holds how many messages were admitted in each of the 11 newest tenths of its window, on
//! the host's wall clock. A message counts as long as its tenth overlaps the last window: for a window
//! at least, and less than 1.1 windows. So, as long as hooks don't overlap, a limit of N never admits
//! more than N messages in any window, and never refuses one while fewer than N were admitted in the
//! last 1.1 windows. It is a bound, not a schedule: N messages may come at once.
//!
//! - **Hooks that overlap** lose each other's counts, since `fermyon:spin/key-value` has no atomic change: a hook
//!   writes what it read, plus one. Where at most *m* other hooks write a key between the get and the
//!   set of any one hook, a limit of N admits at most N × (*m* + 1) messages in a window, stale writes
//!   that put an old count back included: each write holds one more than the write that it read, and
//!   that lies at most *m* + 1 writes back. On a store in memory, *m* is about the number of the host's
//!   other worker threads. It is more where the system stops a thread between the two: then it is all
//!   that the others admit meanwhile. Each host process counts for itself.
//! - **Neighbours in a bucket** are written together. A hook for another subject, if it falls into the
//!   same one of 4096 buckets and overlaps, may put an old count back: each such write loses at most
//!   the *m* messages counted between its get and its set. Without the key nobody can tell who is whose
//!   neighbour.
//! - **A flood of subjects** displaces counters: a bucket holds eight, and a ninth takes the place of
//!   the one that has the least of its window left, whose subject then starts at 0. It has met 1
//!   counter in 2000 when 10,000 are live, 1 in 50 when 20,000 are, and half of 65,000.
//!   `rate_limit_total` is never displaced: set it.
//! - **A clock that is set back** by a window or less stands still for a counter until it has caught
//!   up: places come free later. If set back by more, the counter starts afresh, lest a clock that was
//!   a year ahead locks everybody out for a year.
//! - **A refused message counts nowhere**, so that a flood locks nobody out for longer than 1.1 windows
//!   after the last message that went out.
//! - **A failing store admits**: a sign-in is worth more than a limit. The caller warns.
//!
//! # What is stored
//!
//! One key per bucket, `okta-telephony-acs/limit/000` to `…/fff`, and one for the total. A value is a
//! version byte and at most eight entries of 72 bytes, 577 bytes in all, so the store never holds more
//! than 2.4 MB. Whose an entry is, and in which bucket it lies, is a keyed hash of scope, rate and
//! subject ([`StoreKey`]): a changed rate starts afresh. Finding an entry compares 16 bytes of that
//! hash, so that no counter ever counts for another subject. Expired entries go with the next write.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use time::OffsetDateTime;

use crate::ports::{Store, StoreUnavailable, milliseconds};
use crate::records::store_key::StoreKey;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidRate {
    /// It is not two parts with a `/` between them.
    Form,
    /// The count is not a whole number from 1 to 4,294,967,295.
    Count,
    /// The window is not a whole number with s, m, h or d, or is shorter than 1 second or longer than
    /// 7 days.
    Window,
}

impl fmt::Display for InvalidRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be COUNT/WINDOW such as 5/10m: ")?;
        f.write_str(match self {
            Self::Form => "one / between the two",
            Self::Count => "COUNT is a whole number from 1 to 4294967295",
            Self::Window => "WINDOW is a whole number with s, m, h or d, from 1s to 7d",
        })
    }
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
    /// Those to a number. The subject is the number in E.164 form.
    Number,
    /// Those for a user. The subject is Okta's user id.
    User,
    /// Those asked for from an address. The subject is what [`address`] makes of it.
    Ip,
    /// Those to a block of numbers. The subject is the number without its last four digits.
    Prefix,
    /// All. The subject is empty.
    Total,
}

impl Scope {
    /// Each of them, the total last.
    pub const ALL: [Self; 5] = [Self::Number, Self::User, Self::Ip, Self::Prefix, Self::Total];

    /// The name of the variable that holds the limit.
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "rate_limit_per_number",
            Self::User => "rate_limit_per_user",
            Self::Ip => "rate_limit_per_ip",
            Self::Prefix => "rate_limit_per_prefix",
            Self::Total => "rate_limit_total",
        }
    }
}

/// What of an IP address is counted: an IPv4 address as a whole, even inside an IPv6 one, but only
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
pub struct Limit<'a> {
    /// Whose messages are counted.
    pub scope: Scope,
    /// How many in which time.
    pub rate: Rate,
    /// Who it is, in the form that [`Scope`] says.
    pub subject: Cow<'a, str>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Counted {
    /// Every limit admits it, and it is counted.
    Admitted,
    /// This limit is reached, and the message is counted nowhere. Where several are, it is the first
    /// in the order in which they were given.
    Reached {
        /// Whose limit.
        scope: Scope,
        /// Which limit.
        rate: Rate,
    },
    /// The store failed before a limit was found reached, and the message is not counted everywhere,
    /// if at all. It is to be sent, with a warning.
    StoreFailed,
}

/// Counts one message against all limits, at most eight and no two the same, or counts nothing and
/// tells which limit is reached. All are read before the first is written; limits in the same bucket
/// are read and written together, once.
pub fn count(
    limits: &[Limit<'_>],
    key: &StoreKey,
    store: &dyn Store,
    now: OffsetDateTime,
) -> Counted {
    let mut counters = Counters::new(key, store, now);
    for limit in limits {
        match counters.read(limit) {
            Ok(counter) if counter.used() >= limit.rate.count => {
                return Counted::Reached { scope: limit.scope, rate: limit.rate };
            }
            Ok(counter) => counter.add(),
            Err(StoreUnavailable) => return Counted::StoreFailed,
        }
    }
    match counters.write() {
        Ok(()) => Counted::Admitted,
        Err(StoreUnavailable) => Counted::StoreFailed,
    }
}

/// How many messages each limit counts at this moment, in the order of the limits, of which no two
/// may be the same. Writes nothing.
pub fn used(
    limits: &[Limit<'_>],
    key: &StoreKey,
    store: &dyn Store,
    now: OffsetDateTime,
) -> Result<Vec<u32>, StoreUnavailable> {
    let mut counters = Counters::new(key, store, now);
    limits.iter().map(|limit| Ok(counters.read(limit)?.used())).collect()
}

/// How many keys there are, but for the total's. The number of hexadecimal digits in a key follows
/// from it.
const BUCKETS: u16 = 1 << 12;

/// How many entries a bucket holds.
const ENTRIES: usize = 8;

/// The first byte of a value. Another layout of what follows takes another number.
const VERSION: u8 = 1;

/// The counters of one message, with the buckets that they are in.
struct Counters<'a> {
    key: &'a StoreKey,
    store: &'a dyn Store,
    /// In milliseconds since 1970.
    now: u64,
    buckets: Vec<Bucket>,
}

struct Bucket {
    key: String,
    /// The entries of this message. They never make room for each other.
    own: Vec<Entry>,
    /// The other live entries.
    others: Vec<Entry>,
}

impl<'a> Counters<'a> {
    fn new(key: &'a StoreKey, store: &'a dyn Store, now: OffsetDateTime) -> Self {
        Self { key, store, now: milliseconds(now), buckets: Vec::new() }
    }

    /// The counter of a limit, as it stands now; one that is not in the store stands at 0.
    fn read(&mut self, limit: &Limit<'_>) -> Result<&mut Entry, StoreUnavailable> {
        let (key, tag) = place(limit, self.key);
        self.read_at(key, tag, limit.rate.window)
    }

    fn read_at(
        &mut self,
        key: String,
        tag: [u8; 16],
        window: u32,
    ) -> Result<&mut Entry, StoreUnavailable> {
        let bucket = match self.buckets.iter().position(|bucket| bucket.key == key) {
            Some(index) => &mut self.buckets[index],
            None => {
                let value = self.store.get(&key)?.unwrap_or_default();
                let others = live_entries(&value, self.now);
                self.buckets.push_mut(Bucket { key, own: Vec::new(), others })
            }
        };
        let entry = match bucket.others.iter().position(|entry| entry.tag == tag) {
            Some(index) => bucket.others.swap_remove(index).at(self.now),
            None => Entry::new(tag, window, self.now),
        };
        Ok(bucket.own.push_mut(entry))
    }

    fn write(self) -> Result<(), StoreUnavailable> {
        self.buckets.into_iter().try_for_each(|mut bucket| {
            let room = ENTRIES.saturating_sub(bucket.own.len());
            while bucket.others.len() > room {
                let left = bucket.others.iter().map(|entry| entry.left(self.now)).enumerate();
                let least = left.min_by_key(|(_, left)| *left);
                bucket.others.swap_remove(least.map_or(0, |(index, _)| index));
            }
            let mut value = Vec::with_capacity(1 + ENTRIES * Entry::BYTES);
            value.push(VERSION);
            for entry in bucket.own.iter().chain(&bucket.others).take(ENTRIES) {
                entry.encode(&mut value);
            }
            self.store.set(&bucket.key, &value)
        })
    }
}

/// The key under which a limit's counter lies, and by what it is told from the others there.
fn place(limit: &Limit<'_>, key: &StoreKey) -> (String, [u8; 16]) {
    let hash = key.hash(
        "limit",
        &[
            limit.scope.name().as_bytes(),
            &limit.rate.count.to_le_bytes(),
            &limit.rate.window.to_le_bytes(),
            limit.subject.as_bytes(),
        ],
    );
    let [tag @ .., low, high] = *hash.first_chunk::<18>().expect("a hash is longer");
    let mut key = String::from("okta-telephony-acs/limit/");
    if limit.scope == Scope::Total {
        key.push_str("total");
    } else {
        let bucket = u16::from_le_bytes([low, high]) % BUCKETS;
        key.extend(
            [8, 4, 0].map(|bits| char::from(b"0123456789abcdef"[usize::from(bucket >> bits & 15)])),
        );
    }
    (key, tag)
}

/// The entries of a value that are not expired. A value that can't be read has none.
fn live_entries(value: &[u8], now: u64) -> Vec<Entry> {
    let Some((&VERSION, rest)) = value.split_first() else { return Vec::new() };
    let (entries, rest) = rest.as_chunks();
    if !rest.is_empty() || entries.len() > ENTRIES {
        return Vec::new();
    }
    entries.iter().map(Entry::decode).filter(|entry| entry.is_live(now)).collect()
}

/// How many tenths of a window a counter holds: the last window overlaps so many.
const SLICES: usize = 11;

/// A counter. Points in time are tenths of its window since 1970, called slices.
struct Entry {
    /// Whose it is, as a keyed hash.
    tag: [u8; 16],
    /// The window, in seconds, from 1 to [`LONGEST_WINDOW`] if it is live.
    window: u32,
    /// The newest slice that is counted.
    newest: u64,
    /// The messages in each slice, the newest first.
    counts: [u32; SLICES],
}

impl Entry {
    /// The length in bytes: the fields in their order, little-endian.
    const BYTES: usize = 16 + 4 + 8 + 4 * SLICES;

    fn new(tag: [u8; 16], window: u32, now: u64) -> Self {
        Self { tag, window, newest: now / slice(window), counts: [0; SLICES] }
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

    /// The same counter at a later moment. A clock that has been set back stands still.
    fn at(mut self, now: u64) -> Self {
        let now = (now / slice(self.window)).max(self.newest);
        let passed = usize::try_from(now - self.newest).unwrap_or(SLICES).min(SLICES);
        self.counts.rotate_right(passed);
        self.counts[..passed].fill(0);
        self.newest = now;
        self
    }

    fn used(&self) -> u32 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    fn add(&mut self) {
        self.counts[0] = self.counts[0].saturating_add(1);
    }

    /// How long its newest slice still counts, in thousandths of a slice: by it, a counter with a short
    /// window is worth as much as one with a long window.
    fn left(&self, now: u64) -> u64 {
        let slice = slice(self.window);
        let end = (self.newest + SLICES as u64) * slice;
        end.saturating_sub(now).saturating_mul(1000) / slice
    }

    fn encode(&self, value: &mut Vec<u8>) {
        value.extend_from_slice(&self.tag);
        value.extend_from_slice(&self.window.to_le_bytes());
        value.extend_from_slice(&self.newest.to_le_bytes());
        for count in self.counts {
            value.extend_from_slice(&count.to_le_bytes());
        }
    }

    fn decode(bytes: &[u8; Self::BYTES]) -> Self {
        let (tag, rest) = bytes.split_first_chunk().expect("the first field");
        let (window, rest) = rest.split_first_chunk().expect("the second field");
        let (newest, rest) = rest.split_first_chunk().expect("the third field");
        let mut counts = [0; SLICES];
        for (count, bytes) in counts.iter_mut().zip(rest.as_chunks().0) {
            *count = u32::from_le_bytes(*bytes);
        }
        Self {
            tag: *tag,
            window: u32::from_le_bytes(*window),
            newest: u64::from_le_bytes(*newest),
            counts,
        }
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

    fn key() -> StoreKey {
        StoreKey::derive(b"secret")
    }

    fn limit<'a>(scope: Scope, rate: &str, subject: &'a str) -> Limit<'a> {
        Limit { scope, rate: Rate::parse(rate).unwrap(), subject: subject.into() }
    }

    fn count_one(host: &FakeHost, limit: Limit<'_>, now: OffsetDateTime) -> bool {
        match count(&[limit], &key(), host, now) {
            Counted::Admitted => true,
            Counted::Reached { .. } => false,
            Counted::StoreFailed => panic!("the store does not fail"),
        }
    }

    fn used_one(store: &dyn Store, limit: Limit<'_>, now: OffsetDateTime) -> u32 {
        used(&[limit], &key(), store, now).unwrap()[0]
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
    fn a_scope_is_named_like_its_variable() {
        assert_eq!(Scope::Number.name(), "rate_limit_per_number");
        assert_eq!(Scope::User.name(), "rate_limit_per_user");
        assert_eq!(Scope::Ip.name(), "rate_limit_per_ip");
        assert_eq!(Scope::Prefix.name(), "rate_limit_per_prefix");
        assert_eq!(Scope::Total.name(), "rate_limit_total");
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
        let count = |user| count(&limits(user), &key(), &host, NOW);
        let reached = |scope, rate| Counted::Reached { scope, rate: Rate::parse(rate).unwrap() };
        let used = |user| used(&limits(user), &key(), &host, NOW).unwrap();
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
        assert_eq!(count(&[], &key(), &host, NOW), Counted::Admitted);
        assert!(host.store_calls.borrow().is_empty());
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
        assert_eq!(used(&limits, &key(), &host, NOW), Ok(vec![0, 0, 0]));
        assert_eq!(
            host.store_calls.take(),
            [format!("get {bucket}"), "get okta-telephony-acs/limit/total".into()]
        );
        assert_eq!(count(&limits, &key(), &host, NOW), Counted::Admitted);
        assert_eq!(
            host.store_calls.take(),
            [
                format!("get {bucket}"),
                "get okta-telephony-acs/limit/total".into(),
                format!("set {bucket}"),
                "set okta-telephony-acs/limit/total".into(),
            ]
        );
        assert_eq!(used(&limits, &key(), &host, NOW), Ok(vec![1, 1, 1]));
        host.store_calls.take();
        for limits in [&limits[..], &limits[1..2]] {
            assert!(matches!(count(limits, &key(), &host, NOW), Counted::Reached { .. }));
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
        let _ = count(&limits, &key(), &host, NOW);
        let stored = host.stored.take().unwrap();
        assert_eq!(stored.len(), 4);
        for (key, value) in stored {
            let bucket = key.strip_prefix("okta-telephony-acs/limit/").unwrap();
            assert!(bucket.len() == 3 && u16::from_str_radix(bucket, 16).unwrap() < BUCKETS);
            assert_eq!(value.len(), 73);
            for limit in &limits {
                assert!(!value.windows(4).any(|part| limit.subject.as_bytes().starts_with(part)));
            }
        }
        let (_, tag) = place(&limits[0], &key());
        assert_ne!(tag, place(&limits[0], &StoreKey::derive(b"another")).1);
    }

    // A value once written must be read by later versions, or its version byte must change.
    #[test]
    fn a_value_is_a_version_and_entries_in_little_endian() {
        let host = FakeHost::default();
        let total = || limit(Scope::Total, "300/10s", "");
        for seconds in [-1, 0, 0] {
            assert!(count_one(&host, total(), NOW + Duration::seconds(seconds)));
        }
        let value = host.stored.take().unwrap().remove("okta-telephony-acs/limit/total").unwrap();
        let mut expected = vec![1];
        expected.extend(place(&total(), &key()).1);
        expected.extend([10, 0, 0, 0]);
        expected.extend(NOW.unix_timestamp().to_le_bytes());
        expected.extend([2, 0, 0, 0, 1, 0, 0, 0]);
        expected.resize(73, 0);
        assert_eq!(value, expected);
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
        assert_eq!(stored.values().map(Vec::len).collect::<Vec<_>>(), [577]);
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
        assert_eq!(count(&limits(), &key(), &host, NOW), Counted::Admitted);
        assert_eq!(used(&limits(), &key(), &host, NOW), Ok(vec![1, 2, 1]));
        assert_eq!(host.stored.take().unwrap()[&bucket].len(), 577);
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
    fn a_store_that_fails_admits_and_says_so() {
        let limits = || [limit(Scope::User, "1/1h", "u"), limit(Scope::Total, "1/1h", "")];
        let broken = FakeHost { stored: RefCell::new(None), ..FakeHost::default() };
        assert_eq!(count(&limits(), &key(), &broken, NOW), Counted::StoreFailed);
        assert_eq!(used(&limits(), &key(), &broken, NOW), Err(StoreUnavailable));

        let host = FakeHost::default();
        assert_eq!(count(&limits(), &key(), &ReadOnly(&host), NOW), Counted::StoreFailed);
        assert_eq!(used(&limits(), &key(), &host, NOW), Ok(vec![0, 0]));
        assert_eq!(count(&limits(), &key(), &host, NOW), Counted::Admitted);
        assert!(matches!(count(&limits(), &key(), &ReadOnly(&host), NOW), Counted::Reached { .. }));
    }

    #[test]
    fn a_value_that_is_cut_or_of_another_version_counts_as_empty() {
        let host = FakeHost::default();
        let number = || limit(Scope::Number, "1/1h", "n");
        assert!(count_one(&host, number(), NOW));
        let value = host.stored.borrow().as_ref().unwrap().values().next().unwrap().clone();
        let entry = &value[1..];
        for unreadable in [
            vec![],
            vec![VERSION],
            value[..value.len() - 1].to_vec(),
            [&value[..], &[0]].concat(),
            [&[VERSION + 1], entry].concat(),
            [&[VERSION][..], &entry.repeat(9)].concat(),
        ] {
            overwrite(&host, &unreadable);
            assert_eq!(used_one(&host, number(), NOW), 0);
            assert!(count_one(&host, number(), NOW));
            assert!(!count_one(&host, number(), NOW));
        }
    }

    #[test]
    fn entries_that_no_clock_and_no_rate_can_have_made_take_no_place() {
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
            let mut value = vec![VERSION];
            for _ in 0..ENTRIES {
                Entry { tag, window, newest, counts: [u32::MAX; SLICES] }.encode(&mut value);
            }
            let host = FakeHost::default();
            host.set(&bucket, &value).unwrap();
            assert!(count_one(&host, number(), NOW), "{window} {newest}");
            assert_eq!(host.get(&bucket).unwrap().unwrap().len(), 73);
        }
    }

    #[test]
    fn counts_do_not_overflow() {
        let number = || limit(Scope::Number, "4294967295/1h", "n");
        let (bucket, tag) = place(&number(), &key());
        let newest = NOW.unix_timestamp().unsigned_abs() / 360;
        let host = FakeHost::default();
        let mut value = vec![VERSION];
        Entry { tag, window: 3600, newest, counts: [u32::MAX; SLICES] }.encode(&mut value);
        host.set(&bucket, &value).unwrap();
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
        limit: &'a dyn Fn() -> Limit<'a>,
        admitted: Cell<u32>,
    }

    impl Interleaved<'_> {
        fn hook(&self) -> bool {
            let admitted = match count(&[(self.limit)()], &key(), self, NOW) {
                Counted::Admitted => true,
                Counted::Reached { .. } => false,
                Counted::StoreFailed => panic!("the store does not fail"),
            };
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
        assert_eq!(count(&neighbour(), &key(), &hooks, NOW), Counted::Admitted);
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
        let places = u32::from(BUCKETS) * ENTRIES as u32;
        let count = |n: u32| {
            let number = format!("+1555{n:07}");
            let number = limit(Scope::Number, "1/1h", &number);
            count(&[number], &key, &shelf, NOW + Duration::milliseconds(10) * n)
        };
        // Anybody else's counter would be at its limit.
        for n in 0..places {
            assert_eq!(count(n), Counted::Admitted);
        }
        assert_ne!(count(places - 1), Counted::Admitted);
        // The other nine tenths without their hashes, which would take ten seconds.
        for n in places..places * 10 {
            let mut counters = Counters::new(&key, &shelf, NOW + Duration::milliseconds(10) * n);
            let bucket = format!("okta-telephony-acs/limit/{:03x}", n % u32::from(BUCKETS));
            let mut tag = [0; 16];
            tag[..4].copy_from_slice(&n.to_le_bytes());
            let counter = counters.read_at(bucket, tag, 3600).unwrap();
            assert_eq!(counter.used(), 0);
            counter.add();
            counters.write().unwrap();
        }
        // The victim was displaced, and starts at 0.
        assert_eq!(count(0), Counted::Admitted);
        let stored = shelf.0.take();
        assert_eq!(stored.len(), usize::from(BUCKETS));
        assert!(stored.values().all(|value| value.len() == 577));
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
                prop::collection::vec(any::<u8>(), 0..9).prop_map(|v| v.repeat(Entry::BYTES)),
                prop::collection::vec(any::<u8>(), 72 * 8),
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
            prop_assert!(stored.values().all(|value| value.len() <= 577));
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
                    scope: Scope::Number,
                    rate: Rate { count: most, window },
                    subject: ["a", "b", "c"][who].into(),
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
