//! Where the guard's two logs are kept: a fixed number of buckets in the store `records`, which never grows.
//!
//! # What is stored
//!
//! A hash of Okta's user id says which bucket is a person's. Each has two values: hooks write
//! `okta-telephony-acs.guard.sent.1.N`, the receiver of events `okta-telephony-acs.guard.used.1.N`, so that a use which comes
//! while a hook writes is not lost. Beside them are the feed's, `okta-telephony-acs.guard.feed.1`: when the newest event
//! happened, and which were told of.
//!
//! A send takes some 60 bytes, a use 24 and a number 31, so that a full bucket has at most 14 KB and 25 KB, and usually a
//! few hundred bytes.
//!
//! # What makes room
//!
//! Sends and uses are kept for a day, the numbers that used a passcode for 90 days. In a full bucket the oldest makes room.
//! Where a use made room, sends from before it are in no ratio: they would look unused.
//!
//! # What may be lost
//!
//! The store has no atomic change: of two writes to one value at the same moment one is lost. A lost send lets the guard
//! see less, and refuse less. A lost use makes a send look unused; the receiver is the only one that writes them, so that takes
//! two deliveries at once for the same bucket.

use std::collections::BTreeMap;
use std::rc::Rc;

use numbering::Region;
use serde::{Deserialize, Serialize};

use super::{Fate, Hash8, NotSent, Sent, Use, What, fates};
use crate::ports::StoreUnavailable;
use crate::records::shared::Shared;
use crate::records::{CLOCKS_APART, KEY_PREFIX, Moment, value};

/// How many sends a bucket holds.
const SENDS: usize = 128;

/// How many uses a bucket holds.
const USES: usize = 384;

/// How many numbers a bucket holds that used a passcode.
const NUMBERS: usize = 512;

/// How many of the newest events are known that make a line and nothing else.
const SEEN: usize = 1024;

/// An hour in milliseconds.
pub const HOUR: u64 = 60 * 60 * 1000;

/// A day in milliseconds.
pub const DAY: u64 = 24 * HOUR;

/// For how many days a number is known that used a passcode.
const NUMBER_DAYS: u64 = 90;

/// The version of the values.
const VERSION: u8 = 1;

/// The guard's two logs, as one request sees them.
pub struct Ledger<'a> {
    shared: Rc<Shared<'a>>,
    buckets: u32,
    now: Moment,
}

/// What the ledger says to a batch of events.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// What it says to each use, in their order.
    pub uses: Vec<KeptUse>,
    /// Whether each of the others is news, in their order.
    pub others: Vec<bool>,
}

/// What the ledger says to a use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptUse {
    /// It was not known.
    pub is_news: bool,
    /// The send that it used, if it used one.
    pub converted: Option<Sent>,
}

/// How Okta's events come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// When the newest event happened that has come.
    pub newest: Moment,
    /// When a passcode of ours was last used.
    pub last_use: Moment,
    /// Events that were told of, the oldest first.
    seen: Vec<Hash8>,
}

/// The messages of an hour that were not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hour {
    /// The hour, counted from 1970 on.
    pub hour: u64,
    /// Refused by the guard.
    pub by_guard: u32,
    /// Refused by the policy for another reason.
    pub by_policy: u32,
    /// Failed.
    pub failed: u32,
}

/// A number that used a passcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Converted {
    /// Who used it.
    pub user: Hash8,
    /// The number.
    pub number: Hash8,
    /// In which block of numbers it is.
    pub block: Hash8,
    /// In which country.
    pub region: Option<Region>,
    /// The last day on which it was, counted from 1970 on.
    pub day: u64,
}

/// All that the ledger knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    /// The sends of the last day, with what became of each. Those of which that can't be known are left out.
    pub sends: Vec<(Sent, Fate)>,
    /// What was not sent in the last day, by hours.
    pub hours: Vec<Hour>,
    /// The numbers that used a passcode in the last 90 days.
    pub numbers: Vec<Converted>,
}

/// What hooks write.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct SentHalf {
    sends: Vec<Sent>,
    hours: Vec<Hour>,
}

/// What the receiver writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct UsedHalf {
    uses: Vec<Use>,
    numbers: Vec<Converted>,
    /// Since when no use had to make room for another.
    whole_since: Moment,
}

impl<'a> Ledger<'a> {
    /// The ledger with room for so many sends, in buckets of 128.
    pub fn new(slots: u32, shared: Rc<Shared<'a>>) -> Self {
        let now = shared.now();
        Self { shared, buckets: slots.div_ceil(SENDS as u32).max(1), now }
    }

    /// Remembers a passcode that was sent.
    pub fn sent(&self, send: Sent) -> Result<(), StoreUnavailable> {
        self.change_sent(send.user, |half| {
            half.sends.push(send);
            if half.sends.len() > SENDS {
                half.sends.sort_by_key(|it| it.at);
                half.sends.remove(0);
            }
        })
    }

    /// Counts a message to a person that was not sent.
    pub fn not_sent(&self, user: Hash8, why: NotSent) -> Result<(), StoreUnavailable> {
        let now = self.now / HOUR;
        self.change_sent(user, |half| {
            let at = half.hours.iter().position(|it| it.hour == now).unwrap_or_else(|| {
                half.hours.push(Hour { hour: now, ..Hour::default() });
                half.hours.len() - 1
            });
            let hour = &mut half.hours[at];
            let count = match why {
                NotSent::ByGuard => &mut hour.by_guard,
                NotSent::ByPolicy => &mut hour.by_policy,
                NotSent::Failed => &mut hour.failed,
            };
            *count = count.saturating_add(1);
        })
    }

    fn change_sent(
        &self,
        user: Hash8,
        change: impl FnOnce(&mut SentHalf),
    ) -> Result<(), StoreUnavailable> {
        let key = sent_key(user.spread(self.buckets));
        self.shared.change(&key, |value| {
            let mut half = self.sent_half(value);
            change(&mut half);
            value::write(VERSION, &half)
        })
    }

    /// Keeps a batch of events: all of it, or an error, upon which it is to come again. `others` are those that only make
    /// lines; `newest` is when the newest of any kind happened.
    ///
    /// The feed is written last: as long as it is not, the batch comes again, and brings nothing twice.
    pub fn keep(
        &self,
        uses: &[Use],
        others: &[Hash8],
        newest: Option<Moment>,
    ) -> Result<Kept, StoreUnavailable> {
        let mut by_bucket = BTreeMap::<u32, Vec<usize>>::new();
        for (at, it) in uses.iter().enumerate() {
            by_bucket.entry(it.user.spread(self.buckets)).or_default().push(at);
        }
        let mut kept = Kept { uses: vec![KeptUse::default(); uses.len()], others: Vec::new() };
        for (bucket, of_bucket) in by_bucket {
            let sent = self.sent_half(self.shared.get(&sent_key(bucket))?);
            let key = used_key(bucket);
            let known = self.used_half(self.shared.get(&key)?);
            let mut half = known.clone();
            for &at in &of_bucket {
                kept.uses[at].is_news = half.add(&uses[at], &sent.sends);
            }
            let fates = fates(&sent.sends, &half.uses);
            half.learn_numbers(&sent.sends, &fates);
            half.make_room(&sent.sends);
            if half != known {
                self.shared.set(&key, &value::write(VERSION, &half))?;
            }
            for at in of_bucket {
                let (it, kept) = (&uses[at], &mut kept.uses[at]);
                let is_its = |(send, fate): &(&Sent, &Fate)| {
                    send.user == it.user && **fate == Fate::Used(it.at)
                };
                let uses_one = matches!(it.what, What::Phone(_) | What::Activated);
                let its = sent.sends.iter().zip(&fates).find(is_its).filter(|_| uses_one);
                kept.converted = its.map(|(send, _)| send.clone());
            }
        }
        let mut feed = self.feed()?;
        let known = feed.clone();
        for id in others {
            let is_news = !feed.seen.contains(id);
            if is_news {
                feed.seen.push(*id);
            }
            kept.others.push(is_news);
        }
        feed.seen.drain(..feed.seen.len().saturating_sub(SEEN));
        // A date that has yet to come would say for days that the feed lives.
        let newest = newest.map(|at| at.min(self.now.saturating_add(CLOCKS_APART)));
        feed.newest = feed.newest.max(newest.unwrap_or_default());
        let used = kept.uses.iter().zip(uses).filter(|(kept, _)| kept.converted.is_some());
        feed.last_use = feed.last_use.max(used.map(|(_, it)| it.at).max().unwrap_or_default());
        if feed != known {
            self.shared.set(&feed_key(), &value::write(VERSION, &feed))?;
        }
        Ok(kept)
    }

    /// How Okta's events come. Nothing has come where the newest is 0.
    pub fn feed(&self) -> Result<Feed, StoreUnavailable> {
        let value = self.shared.get(&feed_key())?;
        let feed: Feed = value.and_then(|it| value::read(VERSION, &it)).unwrap_or_default();
        // Written before a clock went back.
        let newest = feed.newest.min(self.now.saturating_add(CLOCKS_APART));
        Ok(Feed { newest, ..feed })
    }

    /// All that the ledger knows. Reads all buckets, twice as many values as there are of them.
    pub fn whole(&self) -> Result<Whole, StoreUnavailable> {
        let mut whole = Whole::default();
        let mut hours = BTreeMap::<u64, Hour>::new();
        for bucket in 0..self.buckets {
            if self.shared.is_late() {
                return Err(StoreUnavailable::Down);
            }
            let sent = self.sent_half(self.shared.get(&sent_key(bucket))?);
            let used = self.used_half(self.shared.get(&used_key(bucket))?);
            let fates = fates(&sent.sends, &used.uses);
            let known = sent.sends.into_iter().zip(fates);
            whole.sends.extend(known.filter(|(send, _)| send.at >= used.whole_since));
            whole.numbers.extend(used.numbers);
            for it in sent.hours {
                let hour =
                    hours.entry(it.hour).or_insert(Hour { hour: it.hour, ..Hour::default() });
                hour.by_guard = hour.by_guard.saturating_add(it.by_guard);
                hour.by_policy = hour.by_policy.saturating_add(it.by_policy);
                hour.failed = hour.failed.saturating_add(it.failed);
            }
        }
        whole.hours = hours.into_values().collect();
        Ok(whole)
    }

    /// What is not too old of it. A value that can't be read has nothing.
    fn sent_half(&self, value: Option<Vec<u8>>) -> SentHalf {
        let mut half: SentHalf = value.and_then(|it| value::read(VERSION, &it)).unwrap_or_default();
        half.sends.retain(|it| self.is_of_last_day(it.at));
        let hours = (self.now.saturating_sub(DAY) / HOUR)..=(self.now / HOUR);
        half.hours.retain(|it| hours.contains(&it.hour));
        half
    }

    fn used_half(&self, value: Option<Vec<u8>>) -> UsedHalf {
        let mut half: UsedHalf = value.and_then(|it| value::read(VERSION, &it)).unwrap_or_default();
        half.uses.retain(|it| self.is_of_last_day(it.at));
        let today = self.now / DAY;
        half.numbers
            .retain(|it| it.day.saturating_add(NUMBER_DAYS) >= today && it.day <= today + 1);
        half.whole_since = half.whole_since.min(self.now);
        half
    }

    /// Not older than a day; nor to come, as what was written before a clock went back.
    fn is_of_last_day(&self, at: Moment) -> bool {
        (self.now.saturating_sub(DAY)..=self.now.saturating_add(CLOCKS_APART)).contains(&at)
    }
}

impl UsedHalf {
    /// Adds a use, unless it is known, and says whether it was news. Of other methods only those of people are kept who
    /// were sent a passcode: everybody signs in by them.
    fn add(&mut self, it: &Use, sends: &[Sent]) -> bool {
        if self.uses.iter().any(|known| known.id == it.id) {
            return false;
        }
        let is_known_person = sends.iter().any(|send| send.user == it.user);
        if matches!(it.what, What::Phone(_) | What::Activated | What::WrongCode) || is_known_person
        {
            self.uses.push(it.clone());
        }
        if it.what == What::Removed {
            self.numbers.retain(|number| number.user != it.user || number.day > it.at / DAY);
        }
        true
    }

    /// Remembers the numbers that used a passcode, unless the person had one to another number open: then nobody knows
    /// which of the two it was.
    fn learn_numbers(&mut self, sends: &[Sent], fates: &[Fate]) {
        for (send, fate) in sends.iter().zip(fates) {
            let Fate::Used(at) = fate else { continue };
            let removed =
                |it: &Use| it.user == send.user && it.what == What::Removed && it.at >= *at;
            let is_another = |it: &Sent| {
                (it.user == send.user && it.number != send.number)
                    && (it.at..=it.expires).contains(at)
            };
            if self.uses.iter().any(removed) || sends.iter().any(is_another) {
                continue;
            }
            let Sent { user, number, block, region, .. } = *send;
            let it = Converted { user, number, block, region, day: at / DAY };
            let same = |known: &&mut Converted| (known.user, known.number) == (it.user, it.number);
            match self.numbers.iter_mut().find(same) {
                Some(known) => known.day = known.day.max(it.day),
                None => self.numbers.push(it),
            }
        }
    }

    fn make_room(&mut self, sends: &[Sent]) {
        if self.uses.len() > USES {
            // First those of people to whom nothing was sent, which tell of nobody, and wrong passcodes, which change
            // nothing: who types many of them would displace others' uses.
            let is_needed = |it: &Use| {
                it.what != What::WrongCode && sends.iter().any(|send| send.user == it.user)
            };
            self.uses.sort_by_key(|it| (is_needed(it), it.at));
            let gone: Vec<_> = self.uses.drain(..self.uses.len() - USES).collect();
            let newest = gone.iter().filter(|it| is_needed(it)).map(|it| it.at).max();
            // A send may be used some minutes later: by one that is gone.
            self.whole_since = self.whole_since.max(newest.map_or(0, |at| at + 1));
        }
        if self.numbers.len() > NUMBERS {
            self.numbers.sort_by_key(|it| it.day);
            self.numbers.drain(..self.numbers.len() - NUMBERS);
        }
    }
}

fn sent_key(bucket: u32) -> String {
    format!("{KEY_PREFIX}guard.sent.1.{bucket}")
}

fn used_key(bucket: u32) -> String {
    format!("{KEY_PREFIX}guard.used.1.{bucket}")
}

fn feed_key() -> String {
    format!("{KEY_PREFIX}guard.feed.1")
}

#[cfg(test)]
mod tests {
    use super::super::fate::tests::{it, send, sends, uses};
    use super::*;
    use crate::ports::fake::FakeHost;
    use proptest::prelude::*;

    fn ledger(host: &FakeHost) -> Ledger<'_> {
        Ledger::new(8192, Rc::new(Shared::new(host.ports())))
    }

    /// Moves what happened after 1970 began to the last hour.
    fn lately(host: &FakeHost, at: Moment) -> Moment {
        crate::ports::milliseconds(host.now) - HOUR + at
    }

    fn sent(host: &FakeHost, send: Sent) -> Sent {
        Sent { at: lately(host, send.at), expires: lately(host, send.expires), ..send }
    }

    fn used(host: &FakeHost, it: Use) -> Use {
        Use { at: lately(host, it.at), ..it }
    }

    #[test]
    fn a_use_finds_the_send_that_it_used_once() {
        let host = FakeHost::default();
        let send = sent(&host, send(1, 1, 0));
        ledger(&host).sent(send.clone()).unwrap();
        let it = used(&host, it(1, 1, 1, What::Phone(None)));
        let other = Hash8::from_bytes([9; 8]);
        let keep = || ledger(&host).keep(std::slice::from_ref(&it), &[other], Some(it.at)).unwrap();
        let news = KeptUse { is_news: true, converted: Some(send.clone()) };
        assert_eq!(keep(), Kept { uses: vec![news], others: vec![true] });
        let known = KeptUse { is_news: false, converted: Some(send.clone()) };
        assert_eq!(keep(), Kept { uses: vec![known], others: vec![false] });
        let whole = ledger(&host).whole().unwrap();
        assert_eq!(whole.sends, [(send.clone(), Fate::Used(it.at))]);
        let Converted { user, number, .. } = whole.numbers[0];
        assert_eq!((user, number), (send.user, send.number));
        let feed = ledger(&host).feed().unwrap();
        assert_eq!((feed.newest, feed.last_use), (it.at, it.at));
    }

    #[test]
    fn a_number_is_not_exempt_that_may_not_be_the_one_whose_passcode_was_used() {
        let host = FakeHost::default();
        ledger(&host).sent(sent(&host, send(1, 1, 0))).unwrap();
        ledger(&host).sent(sent(&host, send(1, 2, 0))).unwrap();
        let it = used(&host, it(1, 1, 1, What::Phone(None)));
        ledger(&host).keep(&[it], &[], None).unwrap();
        assert!(ledger(&host).whole().unwrap().numbers.is_empty());
    }

    #[test]
    fn a_number_is_forgotten_with_the_phone() {
        let host = FakeHost::default();
        ledger(&host).sent(sent(&host, send(1, 1, 0))).unwrap();
        let keep = |it| ledger(&host).keep(&[used(&host, it)], &[], None).unwrap();
        keep(it(1, 1, 1, What::Phone(None)));
        keep(it(2, 1, 2, What::Removed));
        assert!(ledger(&host).whole().unwrap().numbers.is_empty());
    }

    #[test]
    fn a_date_that_has_yet_to_come_moves_the_feed_by_a_minute_at_most() {
        let host = FakeHost::default();
        ledger(&host).keep(&[], &[], Some(Moment::MAX)).unwrap();
        let now = crate::ports::milliseconds(host.now);
        assert_eq!(ledger(&host).feed().unwrap().newest, now + CLOCKS_APART);
    }

    #[test]
    fn what_was_not_sent_is_counted_by_hours_and_displaces_nothing() {
        let host = FakeHost::default();
        let user = Hash8::from_bytes([1; 8]);
        ledger(&host).sent(sent(&host, send(1, 1, 0))).unwrap();
        for _ in 0..200 {
            ledger(&host).not_sent(user, NotSent::ByGuard).unwrap();
        }
        ledger(&host).not_sent(Hash8::from_bytes([2; 8]), NotSent::ByPolicy).unwrap();
        let whole = ledger(&host).whole().unwrap();
        assert_eq!(whole.sends.len(), 1);
        let hour = crate::ports::milliseconds(host.now) / HOUR;
        assert_eq!(whole.hours, [Hour { hour, by_guard: 200, by_policy: 1, failed: 0 }]);
    }

    #[test]
    fn where_a_use_made_room_sends_from_before_it_are_in_no_ratio() {
        let host = FakeHost::default();
        let mut half = UsedHalf::default();
        let sends: Vec<_> = (0..2).map(|minute| send(1, 1, 50 * minute)).collect();
        for n in 0..=USES {
            let [low, high] = (n as u16).to_le_bytes();
            let id = Hash8::from_bytes([low, high, 0, 0, 0, 0, 0, 0]);
            half.add(&Use { id, at: n as u64, ..it(0, 1, 0, What::OtherMethod) }, &sends);
        }
        half.make_room(&sends);
        assert_eq!((half.uses.len(), half.whole_since), (USES, 1));
        assert!(half.uses.iter().all(|it| it.at > 0));
        drop(host);
    }

    #[test]
    fn a_store_that_fails_keeps_nothing_and_says_so() {
        let host = FakeHost::default();
        host.records.0.replace(None);
        let it = it(1, 1, 1, What::Phone(None));
        assert!(ledger(&host).keep(&[it], &[], None).is_err());
        assert!(ledger(&host).sent(send(1, 1, 0)).is_err());
        assert!(ledger(&host).whole().is_err());
    }

    #[test]
    fn any_bytes_in_the_store_are_as_nothing() {
        let host = FakeHost::default();
        let bytes = [&[VERSION][..], &[0xff; 40]].concat();
        for key in [sent_key(0), used_key(0), feed_key()] {
            host.records.0.borrow_mut().as_mut().unwrap().insert(key, bytes.clone());
        }
        assert_eq!(ledger(&host).whole(), Ok(Whole::default()));
        assert_eq!(ledger(&host).feed(), Ok(Feed::default()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn however_events_are_split_into_batches_the_ledger_knows_the_same(
            sends in sends(), uses in uses(), size in 1..6_usize
        ) {
            let whole = |size: usize| {
                let host = FakeHost::default();
                for it in &sends {
                    ledger(&host).sent(sent(&host, it.clone())).unwrap();
                }
                let uses: Vec<_> = uses.iter().map(|it| used(&host, it.clone())).collect();
                for batch in uses.chunks(size) {
                    ledger(&host).keep(batch, &[], None).unwrap();
                    ledger(&host).keep(batch, &[], None).unwrap();
                }
                ledger(&host).whole().unwrap().sends
            };
            prop_assert_eq!(whole(size), whole(usize::MAX));
        }
    }
}
