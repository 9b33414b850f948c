//! Where records are kept: a fixed number of buckets in the store `records`, which never grows.
//!
//! # What is stored
//!
//! Two values for each bucket, `okta-telephony-acs.accepted.1.N` and `okta-telephony-acs.reported.1.N`, with
//! at most 32 entries each. Hooks write the first and the receiver of reports the second, so that a report
//! that comes while its hook still writes is not lost. There is a bucket for each 32 of `record_slots`, and
//! a message's is told by a hash of its id. An entry has at most 300 bytes: 6 MB for 10,000 slots.
//!
//! # What makes room
//!
//! In a full bucket the oldest message makes room, by when ACS took it. Hashes fill buckets unevenly: of
//! the newest `record_slots` messages, 93 in 100 are there. What is older than `record_max_age` is not
//! shown, and goes with the next write to its bucket. Another number of slots makes other buckets: what is
//! in them already is listed, as far as they are the same, but found by its id no more.
//!
//! # What may be lost
//!
//! The store has no atomic change. Of two writes to one bucket in the same moment one is lost: with 10,000
//! slots, 300 messages a second and a store that takes a millisecond, 1 in 1,000. A hook's work after its
//! answer may be cut off by the host. A message that lacks its first half still has its second.

use std::borrow::Cow;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Accepted, Bounds, Delivery, Moment, Reported, Status, in_order};
use crate::ports::{Clock, Instant, Ports, Store, StoreUnavailable};
use crate::records::breaker::Guarded;

/// How many entries a bucket holds.
const ENTRIES: usize = 32;

/// The first byte of a value: another one is another format. A record has no names in it, so one with
/// another field, or with the same in another order, is another format, too.
const VERSION: u8 = 1;

/// The bytes of an entry before its record: its length without itself, whose it is, and when it was.
const HEAD: usize = 2 + TAG + 8;

/// The bytes of a hash by which messages in a bucket are told apart.
const TAG: usize = 16;

/// The time that all the buckets of a list or a batch may take. Event Grid waits 30 seconds.
const TIME: Duration = Duration::from_secs(15);

const DOWN: &str = "the key-value store records, or default, fails or hangs, and records are left alone for half \
     a minute: look at the stores that the host's runtime configuration gives them, or set record_slots to 0";

const SLOW: &str = "the key-value store records took longer than 15 seconds for all that one request needs of it: give \
     it a faster one, lower record_slots, or lower the event subscription's --max-events-per-batch";

/// The records, as one request sees them.
pub struct Records<'a> {
    store: Guarded<'a>,
    clock: &'a dyn Clock,
    /// Until when buckets are read one after the other.
    until: Instant,
    bounds: Bounds,
    now: Moment,
}

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What the hook saw of the message.
    pub accepted: Option<Accepted>,
    /// It says what was not known; otherwise it is a duplicate, or older than what is known.
    pub news: bool,
}

impl<'a> Records<'a> {
    /// The records within these bounds.
    pub fn new(bounds: Bounds, ports: Ports<'a>) -> Self {
        let now = ports.clock.instant();
        Self {
            store: Guarded::records(ports),
            clock: ports.clock,
            until: now.plus(TIME),
            bounds,
            now: ports.clock.milliseconds_at(now),
        }
    }

    /// Whether this request has found out that the store hangs or fails: it says so in the log.
    pub fn found_down(&self) -> bool {
        self.store.found_down()
    }

    /// What the operator does where this request has not read or written all that it should.
    pub fn fix(&self) -> &'static str {
        let late = self.clock.instant() >= self.until;
        if late && !self.found_down() { SLOW } else { DOWN }
    }

    /// Remembers what the hook saw of a message.
    pub fn accept(&self, message_id: &str, accepted: &Accepted) -> Result<(), StoreUnavailable> {
        let place = self.place(message_id);
        let key = key(Half::Accepted, place.bucket);
        let value = self.store.get(&key)?.unwrap_or_default();
        let mut bucket = Bucket::parse(&value, self.oldest());
        // A hook that Okta calls twice has one message, which ACS took the first time.
        let known = bucket.find(place.tag).and_then(Entry::record::<Accepted>);
        let at = known.map_or(accepted.at, |known| known.at.min(accepted.at));
        let accepted = Accepted { at, ..accepted.clone() };
        bucket.put(Entry::new(place.tag, at, message_id, &accepted));
        self.store.set(&key, &bucket.bytes())
    }

    /// Remembers what reports say of messages, each by its id, and says what became of each: `None` where the
    /// store failed, or the time was over, before it was written down. A bucket is read and written once, however many of them are
    /// for it.
    pub fn report(&self, reports: &[(&str, Reported)]) -> Vec<Option<Told>> {
        let places: Vec<_> = reports.iter().map(|(message_id, _)| self.place(message_id)).collect();
        let buckets: Vec<_> = places.iter().map(|place| place.bucket.into()).collect();
        let by_bucket = in_order(&buckets);
        let mut groups: Vec<_> =
            by_bucket.chunk_by(|a, b| places[*a].bucket == places[*b].bucket).collect();
        // Begun elsewhere each time: if the time is too short for all, repeats get to the rest.
        let begin = self.now % groups.len().max(1) as u64;
        groups.rotate_left(begin as usize);
        let mut told = vec![None; reports.len()];
        for group in groups {
            if self.clock.instant() >= self.until {
                break;
            }
            let of_bucket = group.iter().map(|&at| (places[at].tag, &reports[at]));
            let Ok(of_bucket) = self.report_to(places[group[0]].bucket, of_bucket) else { break };
            for (&at, this) in group.iter().zip(of_bucket) {
                told[at] = Some(this);
            }
        }
        told
    }

    /// Remembers what reports say of messages of one bucket.
    fn report_to<'r>(
        &self,
        bucket: u32,
        reports: impl Iterator<Item = ([u8; TAG], &'r (&'r str, Reported))>,
    ) -> Result<Vec<Told>, StoreUnavailable> {
        let value = self.store.get(&key(Half::Accepted, bucket))?.unwrap_or_default();
        let accepted = Bucket::parse(&value, self.oldest());
        let key = key(Half::Reported, bucket);
        let value = self.store.get(&key)?.unwrap_or_default();
        let mut reported = Bucket::parse(&value, self.oldest());
        let mut told = Vec::new();
        for (tag, (message_id, report)) in reports {
            let known = reported.find(tag).and_then(Entry::record::<Reported>);
            let accepted = accepted.find(tag).and_then(Entry::record::<Accepted>);
            let news = known.is_none_or(|known| report.goes_over(&known));
            if news {
                // By when its message was taken, so that both halves make room together; never by a
                // date that is still to come, or it would never make room.
                let when = accepted.as_ref().map_or(report.at, |accepted| accepted.at);
                reported.put(Entry::new(tag, when.min(self.now), message_id, report));
            }
            told.push(Told { accepted, news });
        }
        if told.iter().any(|told| told.news) {
            self.store.set(&key, &reported.bytes())?;
        }
        Ok(told)
    }

    /// What is known of a message.
    pub fn find(&self, message_id: &str) -> Result<Option<Delivery>, StoreUnavailable> {
        let place = self.place(message_id);
        let half = |half| -> Result<_, StoreUnavailable> {
            let value = self.store.get(&key(half, place.bucket))?.unwrap_or_default();
            let bucket = Bucket::parse(&value, self.oldest());
            Ok(bucket.find(place.tag).map(|entry| entry.record.clone().into_owned()))
        };
        let (accepted, reported) = (half(Half::Accepted)?, half(Half::Reported)?);
        let delivery = Delivery {
            message_id: message_id.to_owned(),
            accepted: accepted.as_deref().and_then(record),
            reported: reported.as_deref().and_then(record),
        };
        let known = delivery.accepted.is_some() || delivery.reported.is_some();
        Ok(known.then_some(delivery))
    }

    /// The newest messages, the newest first. Reads all buckets.
    pub fn newest(
        &self,
        limit: usize,
        status: Option<Status>,
    ) -> Result<Vec<Delivery>, StoreUnavailable> {
        let mut newest = Vec::new();
        let keep_newest = |newest: &mut Vec<Delivery>| {
            let keys: Vec<_> = newest.iter().map(|delivery| u64::MAX - delivery.at()).collect();
            let mut rest: Vec<_> = std::mem::take(newest).into_iter().map(Some).collect();
            let kept = in_order(&keys).into_iter().take(limit);
            newest.extend(kept.filter_map(|at| rest[at].take()));
        };
        for bucket in 0..self.buckets() {
            if self.clock.instant() >= self.until {
                return Err(StoreUnavailable);
            }
            let [accepted, reported] = [Half::Accepted, Half::Reported]
                .map(|half| Ok(self.store.get(&key(half, bucket))?.unwrap_or_default()));
            let (accepted, reported) = (accepted?, reported?);
            let accepted = Bucket::parse(&accepted, self.oldest());
            let mut reported = Bucket::parse(&reported, self.oldest());
            let mut deliveries = Vec::with_capacity(accepted.0.len());
            for entry in &accepted.0 {
                let other = reported.take(entry.tag);
                deliveries.push(Delivery {
                    message_id: entry.message_id().unwrap_or_default(),
                    accepted: entry.record(),
                    reported: other.as_ref().and_then(Entry::record),
                });
            }
            for entry in &reported.0 {
                deliveries.push(Delivery {
                    message_id: entry.message_id().unwrap_or_default(),
                    accepted: None,
                    reported: entry.record(),
                });
            }
            newest.extend(deliveries.into_iter().filter(|delivery| {
                // What can't be read is as if it were not there.
                !delivery.message_id.is_empty()
                    && (delivery.accepted.is_some() || delivery.reported.is_some())
                    && status.is_none_or(|status| delivery.status() == status)
            }));
            if newest.len() > 2 * limit {
                keep_newest(&mut newest);
            }
        }
        keep_newest(&mut newest);
        Ok(newest)
    }

    /// The moment before which everything is forgotten.
    fn oldest(&self) -> Moment {
        self.now.saturating_sub(u64::from(self.bounds.max_age) * 1000)
    }

    fn buckets(&self) -> u32 {
        self.bounds.slots.div_ceil(ENTRIES as u32)
    }

    fn place(&self, message_id: &str) -> Place {
        let hash = Sha256::digest(message_id.as_bytes());
        // A hash has 32 bytes.
        let (tag, rest) = hash.split_first_chunk().expect("a hash is longer");
        let bucket = rest.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        Place { tag: *tag, bucket: bucket % self.buckets() }
    }
}

/// Where a message's record is.
struct Place {
    bucket: u32,
    tag: [u8; TAG],
}

/// Which half of the records.
#[derive(Clone, Copy)]
enum Half {
    Accepted,
    Reported,
}

/// With dots: Azure Cosmos DB takes no `/` in an item's id.
fn key(half: Half, bucket: u32) -> String {
    let half = match half {
        Half::Accepted => "accepted",
        Half::Reported => "reported",
    };
    ["okta-telephony-acs.", half, ".1.", &bucket.to_string()].concat()
}

/// The entries of a bucket that are not too old.
struct Bucket<'a>(Vec<Entry<'a>>);

impl<'a> Bucket<'a> {
    /// Reads what [`Bucket::bytes`] wrote, as far as it can be read.
    fn parse(bytes: &'a [u8], oldest: Moment) -> Self {
        let mut entries = Vec::new();
        let Some((&VERSION, mut rest)) = bytes.split_first() else { return Self(entries) };
        while let Some((entry, after)) = Entry::parse(rest)
            && entries.len() < ENTRIES
        {
            if entry.when >= oldest {
                entries.push(entry);
            }
            rest = after;
        }
        Self(entries)
    }

    fn find(&self, tag: [u8; TAG]) -> Option<&Entry<'a>> {
        self.0.iter().find(|entry| entry.tag == tag)
    }

    fn take(&mut self, tag: [u8; TAG]) -> Option<Entry<'a>> {
        let at = self.0.iter().position(|entry| entry.tag == tag)?;
        Some(self.0.swap_remove(at))
    }

    /// Puts an entry in, in the place of its message's old one. In a full bucket the oldest one makes room,
    /// be it this one.
    fn put(&mut self, entry: Entry<'a>) {
        self.take(entry.tag);
        self.0.push(entry);
        if self.0.len() > ENTRIES {
            let oldest = self.0.iter().enumerate().min_by_key(|(_, entry)| entry.when);
            let oldest = oldest.map_or(0, |(at, _)| at);
            self.0.swap_remove(oldest);
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let length = self.0.iter().map(|entry| HEAD + entry.record.len()).sum::<usize>();
        let mut bytes = Vec::with_capacity(1 + length);
        bytes.push(VERSION);
        for entry in &self.0 {
            // 300 bytes at most.
            let length = u16::try_from(TAG + 8 + entry.record.len()).unwrap_or(0);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&entry.tag);
            bytes.extend_from_slice(&entry.when.to_be_bytes());
            bytes.extend_from_slice(&entry.record);
        }
        bytes
    }
}

/// A message in a bucket.
struct Entry<'a> {
    tag: [u8; TAG],
    when: Moment,
    /// The message's id and its record, in postcard's format.
    record: Cow<'a, [u8]>,
}

#[derive(Serialize, Deserialize)]
struct Record<T> {
    message_id: String,
    record: T,
}

impl<'a> Entry<'a> {
    fn new(tag: [u8; TAG], when: Moment, message_id: &str, record: &impl Serialize) -> Self {
        let record = Record { message_id: message_id.to_owned(), record };
        // Texts, numbers and options: nothing in them can fail to serialize.
        Self { tag, when, record: Cow::Owned(postcard::to_allocvec(&record).unwrap_or_default()) }
    }

    fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (length, rest) = bytes.split_first_chunk()?;
        let (entry, after) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let (tag, entry) = entry.split_first_chunk()?;
        let (when, record) = entry.split_first_chunk()?;
        let when = u64::from_be_bytes(*when);
        Some((Self { tag: *tag, when, record: Cow::Borrowed(record) }, after))
    }

    fn message_id(&self) -> Option<String> {
        // It comes first, and what follows it is left alone.
        postcard::take_from_bytes(&self.record).ok().map(|(message_id, _)| message_id)
    }

    fn record<T: DeserializeOwned>(&self) -> Option<T> {
        record(&self.record)
    }
}

fn record<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok().map(|Record { record, .. }| record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbering::Region;
    use crate::ports::fake::FakeHost;
    use crate::sender::SenderType;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, HashSet};

    const BOUNDS: Bounds = Bounds { slots: 100, max_age: 3600 };

    fn accepted(at: Moment) -> Accepted {
        Accepted {
            at,
            event_id: Some("uS58_71kJ".into()),
            request_type: Some("com.okta.user.telephony.mfa-verification".into()),
            region: Region::parse("GB"),
            sender_type: SenderType::Alphanumeric,
            attempts: 2,
            segments: 1,
            number: [7; 16],
            trace: None,
        }
    }

    fn delivered(at: Moment) -> Reported {
        Reported { at, delivered: true, code: Some(2000) }
    }

    fn failed(at: Moment, code: u16) -> Reported {
        Reported { at, delivered: false, code: Some(code) }
    }

    #[test]
    fn a_message_is_found_with_both_halves_whichever_came_first() {
        let host = FakeHost::default();
        let records = Records::new(BOUNDS, host.ports());
        let now = records.now;
        assert_eq!(records.find("a"), Ok(None));

        records.accept("a", &accepted(now)).unwrap();
        assert_eq!(records.find("a").unwrap().unwrap().status(), Status::Accepted);
        let told = records.report(&[("a", delivered(now + 2500))]);
        assert_eq!(told, [Some(Told { accepted: Some(accepted(now)), news: true })]);
        let found = records.find("a").unwrap().unwrap();
        assert_eq!(found.time_to_report(), Some(Duration::from_millis(2500)));

        let told = records.report(&[("b", failed(now, 4005))]);
        assert_eq!(told, [Some(Told { accepted: None, news: true })]);
        assert_eq!(records.find("b").unwrap().unwrap().status(), Status::Failed);
        records.accept("b", &accepted(now)).unwrap();
        let found = records.find("b").unwrap().unwrap();
        assert_eq!((found.status(), found.accepted), (Status::Failed, Some(accepted(now))));
    }

    #[test]
    fn the_newest_report_holds_in_whatever_order_and_however_often_they_come() {
        let reports = [failed(10, 5001), delivered(20), failed(15, 4006)];
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        for order in orders {
            let host = FakeHost::default();
            let records = Records::new(Bounds { max_age: u32::MAX, ..BOUNDS }, host.ports());
            for at in order.into_iter().chain(order) {
                records.report(&[("a", reports[at].clone())]);
            }
            let again = records.report(&[("a", reports[1].clone())]);
            assert!(!again[0].as_ref().unwrap().news, "{order:?}");
            let found = records.find("a").unwrap().unwrap();
            assert_eq!(found.reported, Some(delivered(20)), "{order:?}");
            // In one batch it is no different.
            let host = FakeHost::default();
            let records = Records::new(Bounds { max_age: u32::MAX, ..BOUNDS }, host.ports());
            let batch: Vec<_> = order.iter().map(|at| ("a", reports[*at].clone())).collect();
            records.report(&batch);
            assert_eq!(records.find("a").unwrap().unwrap().reported, Some(delivered(20)));
        }
    }

    #[test]
    fn at_one_moment_delivered_goes_over_failed() {
        let host = FakeHost::default();
        let records = Records::new(BOUNDS, host.ports());
        let now = records.now;
        for (first, second) in
            [(failed(now, 5002), delivered(now)), (delivered(now), failed(now, 5002))]
        {
            records.report(&[("a", first), ("a", second)]);
            assert_eq!(records.find("a").unwrap().unwrap().status(), Status::Delivered);
        }
    }

    #[test]
    fn a_hook_that_okta_calls_twice_has_the_time_of_the_first() {
        let host = FakeHost::default();
        let records = Records::new(BOUNDS, host.ports());
        let now = records.now;
        records.accept("a", &accepted(now)).unwrap();
        records.accept("a", &accepted(now + 700)).unwrap();
        assert_eq!(records.find("a").unwrap().unwrap().accepted, Some(accepted(now)));
    }

    #[test]
    fn a_store_that_is_slow_with_each_bucket_is_not_read_for_ever() {
        struct Slow<'a>(&'a FakeHost);
        impl Store for Slow<'_> {
            fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
                self.0.sleep(self.0.instant().plus(Duration::from_millis(400)));
                self.0.records.get(key)
            }
            fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreUnavailable> {
                self.0.records.set(key, value)
            }
        }
        let host = FakeHost::default();
        let bounds = Bounds { slots: 10_000, max_age: 3600 };
        let store = Slow(&host);
        let ports = Ports { records: &store, ..host.ports() };
        let started = host.instant();
        assert_eq!(Records::new(bounds, ports).newest(10, None), Err(StoreUnavailable));
        assert!(host.instant().since(started) < TIME + Duration::from_secs(1));
        let records = Records::new(bounds, ports);
        let ids: Vec<_> = (0..1000).map(|id| format!("id-{id}")).collect();
        let batch: Vec<_> = ids.iter().map(|id| (id.as_str(), delivered(records.now))).collect();
        let mut told = records.report(&batch);
        assert!(told.iter().any(Option::is_some) && told.iter().any(Option::is_none));
        assert_eq!(records.fix(), SLOW);
        // Event Grid brings them again, at another time of day.
        for minutes in 1..60 {
            let later = FakeHost::default();
            let later = FakeHost {
                now: later.now + time::Duration::milliseconds(minutes * 60_007),
                ..later
            };
            let store = Slow(&later);
            let ports = Ports { records: &store, ..later.ports() };
            let again = Records::new(bounds, ports).report(&batch);
            for (told, again) in told.iter_mut().zip(again) {
                *told = told.take().or(again);
            }
        }
        assert!(told.iter().all(Option::is_some));
    }

    #[test]
    fn a_batch_reads_and_writes_each_bucket_once() {
        struct Counting<'a>(&'a dyn Store, std::cell::Cell<usize>);
        impl Store for Counting<'_> {
            fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
                self.1.update(|calls| calls + 1);
                self.0.get(key)
            }
            fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreUnavailable> {
                self.1.update(|calls| calls + 1);
                self.0.set(key, value)
            }
        }
        let host = FakeHost::default();
        let store = Counting(&host.records, Default::default());
        let ports = Ports { records: &store, ..host.ports() };
        let records = Records::new(BOUNDS, ports);
        let ids: Vec<_> = (0..1000).map(|id| format!("id-{id}")).collect();
        let batch: Vec<_> = ids.iter().map(|id| (id.as_str(), delivered(records.now))).collect();
        records.report(&batch);
        assert_eq!(store.1.get(), 4 * 3, "four buckets, two gets and a set each");
    }

    #[test]
    fn what_is_too_old_is_not_shown_and_goes_with_the_next_write() {
        let mut host = FakeHost::default();
        let bounds = Bounds { slots: 1, max_age: 60 };
        let records = Records::new(bounds, host.ports());
        records.accept("old", &accepted(records.now)).unwrap();
        let size = |host: &FakeHost| {
            host.records.0.borrow().as_ref().unwrap().values().map(Vec::len).sum::<usize>()
        };
        let one = size(&host);
        host.now += Duration::from_secs(60);
        let records = Records::new(bounds, host.ports());
        assert!(records.find("old").unwrap().is_some());
        host.now += Duration::from_millis(1);
        let records = Records::new(bounds, host.ports());
        assert_eq!(records.find("old"), Ok(None));
        assert_eq!(records.newest(10, None), Ok(Vec::new()));
        records.accept("new", &accepted(records.now)).unwrap();
        assert_eq!(size(&host), one);
    }

    #[test]
    fn the_newest_are_listed_newest_first_and_by_status() {
        let host = FakeHost::default();
        let records = Records::new(BOUNDS, host.ports());
        let now = records.now;
        for at in 0..30 {
            records.accept(&format!("id-{at}"), &accepted(now + at)).unwrap();
        }
        records.report(&[
            ("id-3", delivered(now + 50)),
            ("id-4", failed(now + 50, 4005)),
            ("id-5", failed(now + 50, 5002)),
            ("other", delivered(now + 100)),
        ]);
        let ids = |limit, status| -> Vec<_> {
            let newest = records.newest(limit, status).unwrap();
            newest.into_iter().map(|delivery| delivery.message_id).collect()
        };
        assert_eq!(ids(3, None), ["other", "id-29", "id-28"]);
        assert_eq!(ids(100, None).len(), 31);
        assert_eq!(ids(100, Some(Status::Delivered)), ["other", "id-3"]);
        assert_eq!(ids(100, Some(Status::Failed)), ["id-4"]);
        assert_eq!(ids(100, Some(Status::Unconfirmed)), ["id-5"]);
        assert_eq!(ids(100, Some(Status::Accepted)).len(), 27);
    }

    #[test]
    fn a_store_that_fails_is_told_and_another_format_is_empty() {
        let host = FakeHost::default();
        let records = Records::new(BOUNDS, host.ports());
        records.accept("a", &accepted(records.now)).unwrap();
        for value in host.records.0.borrow_mut().as_mut().unwrap().values_mut() {
            value[0] = VERSION + 1;
        }
        assert_eq!(records.find("a"), Ok(None));
        host.records.0.replace(None);
        assert_eq!(records.accept("a", &accepted(1)), Err(StoreUnavailable));
        assert_eq!(records.report(&[("a", delivered(1))]), [None]);
        assert!(records.found_down());
        assert_eq!(records.find("a"), Err(StoreUnavailable));
    }

    #[test]
    fn the_format_does_not_change_without_its_version() {
        let trace = Some(crate::trace_context::Trace { trace_id: [8; 16], span_id: [9; 8] });
        let accepted =
            Accepted { event_id: Some("e".into()), request_type: None, trace, ..accepted(300) };
        let entry = Entry::new([5; TAG], 6, "a", &accepted);
        let record = [
            &b"\x01a\xac\x02\x01\x01e\x00\x01\x02GB\x03\x02\x01"[..],
            &[7; 16],
            b"\x01",
            &[8; 16],
            &[9; 8],
        ]
        .concat();
        let length = [0, (TAG + 8 + record.len()) as u8];
        let when = 6u64.to_be_bytes();
        let value = [&[VERSION][..], &length, &[5; TAG], &when, &record].concat();
        assert_eq!((VERSION, Bucket(vec![entry]).bytes()), (1, value));
        let entry = Entry::new([5; TAG], 6, "a", &failed(300, 4005));
        assert_eq!(*entry.record, *b"\x01a\xac\x02\x00\x01\xa5\x1f");
    }

    #[test]
    fn a_record_that_can_not_be_read_is_not_there() {
        let host = FakeHost::default();
        let records = Records::new(BOUNDS, host.ports());
        let place = records.place("a");
        let bucket = Bucket(vec![Entry::new(place.tag, records.now, "a", &records.now)]);
        Store::set(&host.records, &key(Half::Accepted, place.bucket), &bucket.bytes()).unwrap();
        assert_eq!(records.find("a"), Ok(None));
        assert_eq!(records.newest(10, None), Ok(Vec::new()));
    }

    /// 50,000 messages and as many reports, each report 40 messages after its own, through 1,000 slots.
    #[test]
    fn the_store_stays_flat_and_what_survives_is_right_and_newer_than_what_went() {
        const MESSAGES: u64 = 50_000;
        let mut host = FakeHost::default();
        let bounds = Bounds { slots: 1000, max_age: 30 * 86_400 };
        let start = host.clock_milliseconds();
        let id = |at: u64| format!("20261124092252f6fa287e-9087-4137-a6ef-{at:012}");
        let report_of = |at: u64| match at % 10 {
            0 => failed(start + at * 10 + 400, 4005),
            _ => delivered(start + at * 10 + 400),
        };
        let (mut largest, mut keys) = (0, 0);
        for at in 0..MESSAGES + 40 {
            host.now += Duration::from_millis(10);
            let records = Records::new(bounds, host.ports());
            if at < MESSAGES {
                records.accept(&id(at), &accepted(start + at * 10)).unwrap();
            }
            if let Some(at) = at.checked_sub(40) {
                records.report(&[(&id(at), report_of(at))]);
            }
            if at % 1000 == 999 {
                let stored = host.records.0.borrow();
                let stored = stored.as_ref().unwrap();
                largest = largest.max(stored.values().map(Vec::len).sum());
                keys = keys.max(stored.len());
            }
        }
        assert_eq!(keys, 2 * 32);
        assert!(largest < 32 * 32 * 2 * 200, "{largest} bytes");

        let records = Records::new(bounds, host.ports());
        let survivors = records.newest(usize::MAX >> 2, None).unwrap();
        let mut seen = HashSet::new();
        let mut oldest_of_bucket: BTreeMap<u32, Moment> = BTreeMap::new();
        for delivery in &survivors {
            let at = (delivery.accepted.as_ref().unwrap().at - start) / 10;
            assert!(seen.insert(at));
            assert_eq!(delivery.message_id, id(at));
            assert_eq!(delivery.accepted, Some(accepted(start + at * 10)));
            assert_eq!(delivery.reported, Some(report_of(at)));
            assert_eq!(records.find(&id(at)).unwrap().as_ref(), Some(delivery));
            let bucket = oldest_of_bucket.entry(records.place(&id(at)).bucket).or_insert(at);
            *bucket = at.min(*bucket);
        }
        // Whatever is gone is older than all that its bucket still holds.
        for at in (0..MESSAGES).filter(|at| !seen.contains(at)) {
            assert!(at < oldest_of_bucket[&records.place(&id(at)).bucket], "{at}");
        }
        let share = (MESSAGES - 1000..MESSAGES).filter(|at| seen.contains(at)).count();
        println!("{largest} bytes; of the newest 1,000 messages {share} are there");
        assert!(share > 880, "{share}");
    }

    impl FakeHost {
        fn clock_milliseconds(&self) -> Moment {
            crate::ports::Clock::milliseconds(self)
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_bucket(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let bytes = [vec![VERSION], bytes].concat();
            let bucket = Bucket::parse(&bytes, 0);
            for entry in &bucket.0 {
                let _ = (entry.message_id(), entry.record::<Accepted>(), entry.record::<Reported>());
            }
            let again = bucket.bytes();
            prop_assert_eq!(Bucket::parse(&again, 0).bytes(), again);
        }
    }
}
