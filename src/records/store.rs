//! Where the records are kept: a fixed number of buckets in the store `records`, which never grows.
//!
//! # What is stored
//!
//! Each bucket has two values, `okta-telephony-acs.accepted.1.N` and `okta-telephony-acs.reported.1.N`, with
//! at most 32 messages each. Hooks write the first and the receiver of reports writes the second, so that a
//! report which comes while its hook still writes is not lost. There is one bucket for each 32 of
//! `records.slots`, and a hash of the message's id says which one is the message's.
//!
//! A message takes at most 298 bytes of the first value and 116 of the second, and as Okta's and ACS's ids are
//! today about 144 and 68. For 10,000 slots that is at most 3.8 MB, and usually 2.1 MB.
//!
//! Beside the buckets there is one value that counts what could not be read of Event Grid's, so that the operator
//! sees it: `okta-telephony-acs.unreadable.1`.
//!
//! # What makes room
//!
//! In a full bucket the oldest message makes room, by the time at which ACS accepted it. Hashes fill buckets
//! unevenly: of the newest `records.slots` messages, 93 in 100 are there. What is older than
//! `records.max_age` is not shown, and goes with the next write to its bucket. Another number of slots means
//! another number of buckets: messages from before are still listed, as far as their buckets still exist,
//! but are no longer found by their ids.
//!
//! # What may be lost
//!
//! The store has no atomic change, so of two writes to one bucket at the same moment one is lost: with 10,000
//! slots, 300 messages a second and a store that takes a millisecond, 1 in 1,000. The host may also end a
//! hook before it has written its record, after the answer. A message that has lost its first half still has
//! its second.
//!
//! # What a hook costs
//!
//! After the answer: one read and one write of the store `records`, and one read of the local store, where
//! [`Breaker`](super::breaker::Breaker) keeps its mark. Every 200 ms, one hook also writes that mark twice.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::shared::Shared;
use super::{
    Accepted, Bounds, CLOCKS_APART, CanaryHashes, Delivery, KEY_PREFIX, Moment, Reported, Status,
    Unreadable, value,
};
use crate::ports::{Ports, StoreUnavailable};

/// How many messages a bucket holds.
const ENTRIES: usize = 32;

/// The version of what hooks write. Postcard writes no names, so a record with another field, or with the same
/// fields in another order, needs another version.
const VERSION: u8 = 2;

/// The version of what the receiver of reports writes.
const REPORTED_VERSION: u8 = 3;

/// The version of the count of what could not be read.
const UNREADABLE_VERSION: u8 = 1;

/// The most bytes of a reason.
const REASON_LIMIT: usize = 1024;

/// The records, as one request sees them.
pub struct Records<'a> {
    shared: Rc<Shared<'a>>,
    bounds: Bounds,
    canaries: CanaryHashes,
    now: Moment,
}

/// What the records say to a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What the hook saw of the message.
    pub accepted: Option<Accepted>,
    /// The report says something new. Otherwise it is a duplicate, or older than what is known.
    pub news: bool,
}

impl<'a> Records<'a> {
    /// The records within these bounds.
    pub fn new(bounds: Bounds, ports: Ports<'a>) -> Self {
        Self::over(bounds, Rc::new(Shared::new(ports)))
    }

    /// The same, in a store that this request uses for something else, too.
    pub fn over(bounds: Bounds, shared: Rc<Shared<'a>>) -> Self {
        let now = shared.now();
        Self { shared, bounds, canaries: CanaryHashes::default(), now }
    }

    /// The same, which tell these canaries from other messages.
    pub fn with_canaries(self, canaries: CanaryHashes) -> Self {
        Self { canaries, ..self }
    }

    /// How much the records remember.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Whether this request has found out that the store hangs or fails. Such a request says so in the log.
    pub fn found_down(&self) -> bool {
        self.shared.found_down()
    }

    /// What the operator can do if this request could not read or write all that it should.
    pub fn fix(&self) -> Cow<'static, str> {
        self.shared.fix()
    }

    /// Remembers what the hook saw of a message.
    pub fn accept(&self, message_id: &str, accepted: &Accepted) -> Result<(), StoreUnavailable> {
        let key = key(Half::Accepted, self.bucket_of(message_id));
        self.shared.change(&key, |value| {
            let mut bucket: Bucket<Accepted> = self.bucket(Half::Accepted, value);
            // A hook that Okta calls twice has one message, which ACS accepted the first time.
            let known = bucket.get(message_id).map(|entry| entry.record.at);
            let at = known.map_or(accepted.at, |known| known.min(accepted.at));
            put(&mut bucket, message_id, at, Accepted { at, ..accepted.clone() });
            value::write(VERSION, &bucket)
        })
    }

    /// Remembers what reports say of messages, each by the message's id. For each report, `None` means that
    /// it is not remembered, because the store failed or the time was over.
    ///
    /// A bucket is read and written once, however many of the reports belong to it.
    pub fn report(&self, reports: &[(&str, Reported)]) -> Vec<Option<Told>> {
        self.report_where(reports, Reported::supersedes)
    }

    /// The same of reports that say nothing of when.
    pub fn report_undated(&self, reports: &[(&str, Reported)]) -> Vec<Option<Told>> {
        self.report_where(reports, Reported::supersedes_undated)
    }

    fn report_where(
        &self,
        reports: &[(&str, Reported)],
        supersedes: fn(&Reported, &Reported) -> bool,
    ) -> Vec<Option<Told>> {
        let mut by_bucket = BTreeMap::<u32, Vec<usize>>::new();
        for (at, (message_id, _)) in reports.iter().enumerate() {
            by_bucket.entry(self.bucket_of(message_id)).or_default().push(at);
        }
        let mut by_bucket: Vec<_> = by_bucket.into_iter().collect();
        // Each time another bucket is the first: if the time is too short for all, repeats get to the rest.
        let first = self.now % by_bucket.len().max(1) as u64;
        by_bucket.rotate_left(first as usize);
        let mut told = vec![None; reports.len()];
        for (bucket, of_bucket) in by_bucket {
            if self.shared.is_late() {
                break;
            }
            let these = of_bucket.iter().map(|&at| &reports[at]);
            let Ok(answers) = self.report_to(bucket, these, supersedes) else { break };
            for (at, answer) in of_bucket.into_iter().zip(answers) {
                told[at] = Some(answer);
            }
        }
        told
    }

    /// Remembers what reports say of the messages of one bucket.
    fn report_to<'r>(
        &self,
        bucket: u32,
        reports: impl Iterator<Item = &'r (&'r str, Reported)>,
        supersedes: fn(&Reported, &Reported) -> bool,
    ) -> Result<Vec<Told>, StoreUnavailable> {
        let accepted: Bucket<Accepted> = self.read(Half::Accepted, bucket)?;
        let mut reported: Bucket<Reported> = self.read(Half::Reported, bucket)?;
        let mut told = Vec::new();
        for (message_id, report) in reports {
            let accepted = accepted.get(*message_id).map(|entry| entry.record.clone());
            let known = reported.get(*message_id);
            let news = known.is_none_or(|known| {
                self.is_to_come(known.record.at) || supersedes(report, &known.record)
            });
            if news {
                // By the time of the message, so that both halves make room together.
                let when = accepted.as_ref().map_or(report.at, |accepted| accepted.at);
                put(&mut reported, message_id, when, report.clone());
            }
            told.push(Told { accepted, news });
        }
        if told.iter().any(|told| told.news) {
            let key = key(Half::Reported, bucket);
            let value = value::write(REPORTED_VERSION, &reported);
            self.shared.set(&key, &value)?;
        }
        Ok(told)
    }

    /// What is known of a message.
    pub fn find(&self, message_id: &str) -> Result<Option<Delivery>, StoreUnavailable> {
        let bucket = self.bucket_of(message_id);
        let accepted = self.read(Half::Accepted, bucket)?.remove(message_id);
        let reported = self.read(Half::Reported, bucket)?.remove(message_id);
        let known = accepted.is_some() || reported.is_some();
        Ok(known.then(|| self.delivery(message_id.to_owned(), accepted, reported)))
    }

    /// The newest messages, the newest first. Reads all buckets, and shows `look` each message in them.
    pub fn newest(
        &self,
        limit: usize,
        status: Option<Status>,
        mut look: impl FnMut(&Delivery),
    ) -> Result<Vec<Delivery>, StoreUnavailable> {
        let keep_newest = |newest: &mut Vec<Delivery>| {
            newest.sort_by_key(|delivery| Reverse(delivery.at()));
            newest.truncate(limit);
        };
        let mut newest = Vec::new();
        for bucket in 0..self.buckets() {
            if self.shared.is_late() {
                return Err(StoreUnavailable::Down);
            }
            let accepted = self.read(Half::Accepted, bucket)?;
            let mut reported = self.read(Half::Reported, bucket)?;
            let mut of_bucket: Vec<_> = accepted
                .into_iter()
                .map(|(id, entry)| {
                    let report = reported.remove(&id);
                    self.delivery(id, Some(entry), report)
                })
                .collect();
            of_bucket.extend(
                reported.into_iter().map(|(id, entry)| self.delivery(id, None, Some(entry))),
            );
            of_bucket.iter().for_each(&mut look);
            of_bucket.retain(|delivery| status.is_none_or(|status| delivery.status() == status));
            newest.append(&mut of_bucket);
            if newest.len() > 2 * limit {
                keep_newest(&mut newest);
            }
        }
        keep_newest(&mut newest);
        Ok(newest)
    }

    fn delivery(
        &self,
        message_id: String,
        accepted: Option<Entry<Accepted>>,
        reported: Option<Entry<Reported>>,
    ) -> Delivery {
        let accepted = accepted.map(|entry| entry.record);
        let canary = accepted.as_ref().is_some_and(|accepted| self.canaries.contain(accepted));
        Delivery { message_id, accepted, reported: reported.map(|entry| entry.record), canary }
    }

    /// Counts what Event Grid brought and could not be read. `reason` is why, and quotes nothing of it.
    pub fn count_unreadable(&self, count: u64, mut reason: String) -> Result<(), StoreUnavailable> {
        reason.truncate(reason.floor_char_boundary(REASON_LIMIT));
        let key = unreadable_key();
        self.shared.change(&key, |value| {
            let known = self.recent(value);
            let (before, since) = known.map_or((0, self.now), |known| (known.count, known.since));
            let count = before.saturating_add(count);
            let value = Unreadable { count, since, last: self.now, reason };
            value::write(UNREADABLE_VERSION, &value)
        })
    }

    /// What Event Grid brought and could not be read, if there was any lately.
    pub fn unreadable(&self) -> Result<Option<Unreadable>, StoreUnavailable> {
        let key = unreadable_key();
        let value = self.shared.get(&key)?;
        Ok(self.recent(value))
    }

    /// What could not be read, unless all of it is too old.
    fn recent(&self, value: Option<Vec<u8>>) -> Option<Unreadable> {
        value
            .and_then(|value| value::read(UNREADABLE_VERSION, &value))
            .filter(|it: &Unreadable| it.last >= self.oldest())
    }

    /// Half of a bucket, for a request that only reads it or has read it before it writes.
    fn read<T: DeserializeOwned>(
        &self,
        half: Half,
        bucket: u32,
    ) -> Result<Bucket<T>, StoreUnavailable> {
        let key = key(half, bucket);
        let value = self.shared.get(&key)?;
        Ok(self.bucket(half, value))
    }

    /// The messages of a value that are not too old. A value that cannot be read has none.
    fn bucket<T: DeserializeOwned>(&self, half: Half, value: Option<Vec<u8>>) -> Bucket<T> {
        let mut bucket: Bucket<T> = value
            .and_then(|value| value::read(half.version(), &value))
            .filter(|bucket: &Bucket<T>| bucket.len() <= ENTRIES)
            .unwrap_or_default();
        bucket.retain(|_, entry| entry.when >= self.oldest());
        // It makes room like the others from now on.
        bucket.values_mut().for_each(|entry| entry.when = entry.when.min(self.now));
        bucket
    }

    /// Whether a time is one that no clock has had: it was written before a clock went back. Another host's may be
    /// ahead of this one's a little.
    fn is_to_come(&self, at: Moment) -> bool {
        at > self.now.saturating_add(CLOCKS_APART)
    }

    /// What is from before this is too old to be shown.
    fn oldest(&self) -> Moment {
        self.now.saturating_sub(u64::from(self.bounds.max_age) * 1000)
    }

    fn buckets(&self) -> u32 {
        self.bounds.slots.div_ceil(ENTRIES as u32)
    }

    fn bucket_of(&self, message_id: &str) -> u32 {
        let hash = Sha256::digest(message_id.as_bytes());
        u32::from_be_bytes(*hash.first_chunk().expect("a hash is longer")) % self.buckets()
    }
}

/// Which half of the records.
#[derive(Clone, Copy)]
enum Half {
    Accepted,
    Reported,
}

impl Half {
    fn version(self) -> u8 {
        match self {
            Self::Accepted => VERSION,
            Self::Reported => REPORTED_VERSION,
        }
    }
}

/// Where half of a bucket is.
fn key(half: Half, bucket: u32) -> String {
    let half = match half {
        Half::Accepted => "accepted",
        Half::Reported => "reported",
    };
    format!("{KEY_PREFIX}{half}.1.{bucket}")
}

/// Where what could not be read is counted.
fn unreadable_key() -> String {
    format!("{KEY_PREFIX}unreadable.1")
}

/// Half of a bucket: records by message id.
type Bucket<T> = BTreeMap<String, Entry<T>>;

/// Half of the record of a message.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry<T> {
    /// The message's age, by which it makes room.
    when: Moment,
    record: T,
}

/// Puts a record in the place of the message's former one. In a full bucket the oldest record makes room,
/// which may be this one.
fn put<T>(bucket: &mut Bucket<T>, message_id: &str, when: Moment, record: T) {
    bucket.insert(message_id.to_owned(), Entry { when, record });
    if bucket.len() > ENTRIES {
        let oldest = bucket.iter().min_by_key(|(_, entry)| entry.when).map(|(id, _)| id.clone());
        oldest.map(|id| bucket.remove(&id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::FakeHost;
    use crate::ports::{Clock, Store};
    use crate::records::Said;
    use crate::records::shared::{SLOW, TIME};
    use crate::sender::SenderKind;
    use numbering::Region;
    use proptest::prelude::*;
    use std::collections::HashSet;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::time::Duration;

    use crate::records::code::Code;

    const BOUNDS: Bounds = Bounds { slots: 100, max_age: 3600 };

    fn accepted(at: Moment) -> Accepted {
        Accepted {
            at,
            event_id: Some("uS58_71kJ".into()),
            request_type: Some("com.okta.user.telephony.mfa-verification".into()),
            region: Region::parse("GB"),
            provider: "acs".into(),
            sender_type: SenderKind::Alphanumeric,
            attempts: 2,
            segments: 1,
            number: [7; 16],
            trace: None,
        }
    }

    fn delivered(at: Moment) -> Reported {
        Reported { at, said: Said::Delivered, code: Some(Code::Acs(2000)) }
    }

    fn failed(at: Moment, code: u16) -> Reported {
        Reported { at, said: Said::Failed, code: Some(Code::Acs(code)) }
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
    fn of_two_reports_from_one_moment_the_delivered_one_holds() {
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
    fn a_report_whose_status_is_not_known_replaces_none_whose_status_is() {
        let queued = |at| Reported { said: Said::Other(Some("Queued".into())), ..failed(at, 4006) };
        let host = FakeHost::default();
        let records = Records::new(BOUNDS, host.ports());
        let now = records.now;
        for (report, news, status) in [
            (queued(now + 10), true, Status::Unconfirmed),
            (queued(now + 10), false, Status::Unconfirmed),
            (queued(now + 20), true, Status::Unconfirmed),
            (failed(now, 4005), true, Status::Failed),
            (queued(now + 30), false, Status::Failed),
            (delivered(now + 5), true, Status::Delivered),
        ] {
            let told = records.report(&[("a", report)]);
            assert_eq!(told[0].as_ref().unwrap().news, news);
            assert_eq!(records.find("a").unwrap().unwrap().status(), status);
        }
    }

    #[test]
    fn a_report_without_a_date_that_says_what_is_known_is_a_repeat() {
        let host = FakeHost::default();
        let records = Records::new(BOUNDS, host.ports());
        let now = records.now;
        let sent = Reported { said: Said::Unconfirmed(Some("sent".into())), ..delivered(now) };
        for (report, news, status) in [
            (sent.clone(), true, Status::Unconfirmed),
            (Reported { at: now + 10, ..sent.clone() }, false, Status::Unconfirmed),
            (delivered(now + 20), true, Status::Delivered),
            (delivered(now + 30), false, Status::Delivered),
            (Reported { at: now + 40, ..sent }, false, Status::Delivered),
            (failed(now + 50, 4005), true, Status::Failed),
            (failed(now + 60, 4006), true, Status::Failed),
        ] {
            let told = records.report_undated(&[("a", report)]);
            assert_eq!(told[0].as_ref().unwrap().news, news);
            assert_eq!(records.find("a").unwrap().unwrap().status(), status);
        }
    }

    #[test]
    fn what_was_written_before_the_clock_went_back_keeps_out_no_report_and_makes_room() {
        let mut host = FakeHost::default();
        let bounds = Bounds { slots: 1, max_age: 3600 };
        host.now += Duration::from_secs(365 * 86_400);
        let records = Records::new(bounds, host.ports());
        records.accept("a", &accepted(records.now)).unwrap();
        records.report(&[("a", failed(records.now, 4005))]);

        host.now -= Duration::from_secs(365 * 86_400);
        let records = Records::new(bounds, host.ports());
        let told = records.report(&[("a", delivered(records.now))]);
        assert!(told[0].as_ref().unwrap().news);
        assert_eq!(records.find("a").unwrap().unwrap().status(), Status::Delivered);
        for at in 0..ENTRIES {
            host.now += Duration::from_secs(1);
            let records = Records::new(bounds, host.ports());
            records.accept(&format!("id-{at}"), &accepted(records.now)).unwrap();
        }
        let found = Records::new(bounds, host.ports()).find("a").unwrap().unwrap();
        assert_eq!(found.accepted, None, "it was the oldest");
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
        assert_eq!(
            Records::new(bounds, ports).newest(10, None, |_| ()),
            Err(StoreUnavailable::Down)
        );
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
        assert_eq!(records.newest(10, None, |_| ()), Ok(Vec::new()));
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
            let newest = records.newest(limit, status, |_| ()).unwrap();
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
    fn a_store_that_fails_is_told() {
        let host = FakeHost::default();
        let records = Records::new(BOUNDS, host.ports());
        host.records.0.replace(None);
        assert_eq!(records.accept("a", &accepted(1)), Err(StoreUnavailable::Down));
        assert_eq!(records.report(&[("a", delivered(1))]), [None]);
        assert!(records.found_down());
        assert_eq!(records.find("a"), Err(StoreUnavailable::Down));
    }

    #[test]
    fn a_store_that_refuses_the_hook_is_told_as_one_until_it_does_not() {
        struct Refusing(StoreUnavailable);
        impl Store for Refusing {
            fn get(&self, _: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
                Err(self.0)
            }
            fn set(&self, _: &str, _: &[u8]) -> Result<(), StoreUnavailable> {
                Err(self.0)
            }
        }
        let mut host = FakeHost::default();
        for (failure, fix) in [
            (StoreUnavailable::Down, "fails or hangs"),
            (StoreUnavailable::NotGiven, "key_value_stores in spin.toml"),
            (StoreUnavailable::Unauthorized, "wants a user and a password"),
            (StoreUnavailable::Forbidden, "~okta-telephony-acs.* +get +set"),
        ] {
            let store = Refusing(failure);
            let ports = Ports { records: &store, ..host.ports() };
            for found_down in [true, false] {
                let records = Records::new(BOUNDS, ports);
                assert_eq!(records.accept("a", &accepted(records.now)), Err(failure));
                assert_eq!(records.find("a"), Err(failure));
                assert_eq!(records.found_down(), found_down, "{failure:?}");
                assert!(records.fix().contains(fix), "{}", records.fix());
            }
            host.now += Duration::from_secs(30);
        }
        let records = Records::new(BOUNDS, host.ports());
        assert_eq!(records.accept("a", &accepted(records.now)), Ok(()));
        assert!(records.find("a").unwrap().is_some());
    }

    #[test]
    fn every_key_begins_with_the_prefix_that_a_stores_rights_are_given_for() {
        let host = FakeHost::default();
        let records = Records::new(BOUNDS, host.ports());
        records.accept("a", &accepted(records.now)).unwrap();
        records.report(&[("a", delivered(records.now))]);
        records.count_unreadable(1, String::new()).unwrap();
        let stored = host.records.0.borrow();
        let keys: Vec<_> = stored.as_ref().unwrap().keys().collect();
        assert_eq!(keys.len(), 3);
        assert!(keys.iter().all(|key| key.starts_with(KEY_PREFIX)), "{keys:?}");
    }

    #[test]
    fn the_format_does_not_change_without_its_version() {
        let trace = Some(crate::trace_context::Trace { trace_id: [8; 16], span_id: [9; 8] });
        let accepted =
            Accepted { event_id: Some("e".into()), request_type: None, trace, ..accepted(300) };
        let bucket = Bucket::from([("a".to_owned(), Entry { when: 6, record: accepted })]);
        let record = b"\x01\x01a\x06\xac\x02\x01\x01e\x00\x01\x02GB\x03acs\x03\x02\x01";
        let expected = [&[VERSION], &record[..], &[7; 16], b"\x01", &[8; 16], &[9; 8]].concat();
        assert_eq!((VERSION, value::write(VERSION, &bucket)), (2, expected));
        for (said, bytes) in [
            (Said::Failed, &b"\x00"[..]),
            (Said::Delivered, b"\x01"),
            (Said::Other(None), b"\x02\x00"),
            (Said::Other(Some("Sent".into())), b"\x02\x01\x04Sent"),
            (Said::Unconfirmed(Some("Sent".into())), b"\x03\x01\x04Sent"),
        ] {
            let record = Reported { said, ..failed(300, 4005) };
            let bucket = Bucket::from([("a".to_owned(), Entry { when: 6, record })]);
            let expected = [b"\x03\x01\x01a\x06\xac\x02", bytes, b"\x01\x00\xa5\x1f"].concat();
            assert_eq!(value::write(REPORTED_VERSION, &bucket), expected);
        }
        let unreadable =
            Unreadable { count: 3, since: 300, last: 301, reason: "no object".to_owned() };
        let expected = b"\x01\x03\xac\x02\xad\x02\x09no object";
        assert_eq!(value::write(UNREADABLE_VERSION, &unreadable), expected);
    }

    #[test]
    fn what_could_not_be_read_is_counted_until_all_of_it_is_too_old() {
        let mut host = FakeHost::default();
        let bounds = Bounds { max_age: 60, ..BOUNDS };
        let count = |host: &FakeHost, count, reason: &str| {
            Records::new(bounds, host.ports()).count_unreadable(count, reason.to_owned()).unwrap();
        };
        let counted = |host: &FakeHost| Records::new(bounds, host.ports()).unreadable().unwrap();
        assert_eq!(counted(&host), None);
        let since = host.clock_milliseconds();
        count(&host, 2, "first");
        host.now += Duration::from_secs(60);
        count(&host, u64::MAX, &"\u{fc}".repeat(REASON_LIMIT));
        let known = counted(&host).unwrap();
        assert_eq!((known.count, known.since, known.last), (u64::MAX, since, since + 60_000));
        assert_eq!(known.reason, "\u{fc}".repeat(REASON_LIMIT / 2));
        assert_eq!(host.records.0.borrow().as_ref().unwrap().len(), 1);
        host.now += Duration::from_millis(60_001);
        assert_eq!(counted(&host), None);
        count(&host, 1, "anew");
        assert_eq!(counted(&host).unwrap().count, 1);
        // A value that can't be read is none.
        for value in [&b""[..], b"\x01", b"\x02\x01\x01\x01\x00"] {
            Store::set(&host.records, &unreadable_key(), value).unwrap();
            assert_eq!(counted(&host), None);
        }
        host.records.0.replace(None);
        let records = Records::new(bounds, host.ports());
        assert_eq!(records.count_unreadable(1, String::new()), Err(StoreUnavailable::Down));
        assert_eq!(records.unreadable(), Err(StoreUnavailable::Down));
    }

    #[test]
    fn a_message_takes_as_many_bytes_as_the_documentation_says() {
        // 64 characters are the most of an identifier, and 42 bits of milliseconds last until 2109.
        let (id, at) = ("a".repeat(64), (1 << 42) - 1);
        let largest = Accepted {
            at,
            event_id: Some(id.clone()),
            request_type: Some(id.clone()),
            provider: "a".repeat(32),
            attempts: u32::MAX,
            segments: u32::MAX,
            trace: Some(crate::trace_context::Trace { trace_id: [255; 16], span_id: [255; 8] }),
            ..accepted(at)
        };
        let size = |bytes: Vec<u8>| bytes.len() - value::write(VERSION, &Bucket::<u8>::new()).len();
        let accepted_size = |id: &str, record| {
            size(value::write(
                VERSION,
                &Bucket::from([(id.to_owned(), Entry { when: at, record })]),
            ))
        };
        let reported_size = |id: &str, record| {
            size(value::write(
                VERSION,
                &Bucket::from([(id.to_owned(), Entry { when: at, record })]),
            ))
        };
        let longest = Said::Other(Some("a".repeat(32)));
        let usual = "20261124092252f6fa287e-9087-4137-a6ef-123456789012";
        assert_eq!(
            [
                accepted_size(&id, largest),
                reported_size(&id, Reported { said: longest, ..failed(at, 9999) }),
                accepted_size(usual, accepted(at)),
                reported_size(usual, delivered(at)),
            ],
            [298, 116, 144, 68]
        );
    }

    #[test]
    fn a_value_that_can_not_be_read_or_has_too_many_messages_is_empty_and_is_replaced() {
        let host = FakeHost::default();
        let records = Records::new(BOUNDS, host.ports());
        let key = key(Half::Accepted, records.bucket_of("a"));
        let bucket = |messages: usize| -> Bucket<Accepted> {
            let entry = |at| Entry { when: records.now, record: accepted(at) };
            ["a".to_owned()]
                .into_iter()
                .chain((1..messages).map(|at| format!("id-{at}")))
                .map(|id| (id, entry(records.now)))
                .collect()
        };
        let another_type = Bucket::from([("a".to_owned(), Entry { when: records.now, record: 7 })]);
        for (value, known) in [
            (value::write(VERSION, &bucket(ENTRIES)), true),
            (value::write(VERSION, &bucket(ENTRIES + 1)), false),
            (value::write(VERSION + 1, &bucket(1)), false),
            (value::write(VERSION, &another_type), false),
            (Vec::new(), false),
        ] {
            Store::set(&host.records, &key, &value).unwrap();
            assert_eq!(records.find("a").unwrap().is_some(), known);
            assert_eq!(records.newest(99, None, |_| ()).unwrap().is_empty(), !known);
            records.accept("a", &accepted(records.now)).unwrap();
            assert!(records.find("a").unwrap().is_some());
        }
    }

    #[test]
    fn a_hooks_record_costs_three_store_calls_and_five_if_it_is_watched() {
        let host = FakeHost::default();
        let local_calls = || {
            host.store_calls.take();
            let records = Records::new(BOUNDS, host.ports());
            records.accept("a", &accepted(records.now)).unwrap();
            host.store_calls.borrow().iter().map(|call| call[..3].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(local_calls(), ["get", "set", "set"], "besides a get and a set of records");
        assert_eq!(local_calls(), ["get"]);
    }

    /// A store whose writes never come back.
    struct WritesHang;

    impl Store for WritesHang {
        fn get(&self, _: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
            Ok(None)
        }

        fn set(&self, _: &str, _: &[u8]) -> Result<(), StoreUnavailable> {
            // As far as the caller can tell: nothing after it is done.
            resume_unwind(Box::new(()))
        }
    }

    #[test]
    fn of_writes_that_hang_few_wait_although_others_read_and_come_back() {
        let mut host = FakeHost::default();
        let mut inside = 0;
        for _ in 0..300 * 5 {
            host.now += Duration::from_micros(3333);
            let ports = Ports { records: &WritesHang, ..host.ports() };
            assert_eq!(Records::new(BOUNDS, ports).find("a"), Ok(None));
            let records = Records::new(BOUNDS, ports);
            let accept = AssertUnwindSafe(|| records.accept("a", &accepted(records.now)));
            inside += usize::from(catch_unwind(accept).is_err());
        }
        assert!((100..=215).contains(&inside), "{inside}");
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
        let survivors = records.newest(usize::MAX >> 2, None, |_| ()).unwrap();
        let mut seen = HashSet::new();
        let mut oldest_of_bucket: BTreeMap<u32, Moment> = BTreeMap::new();
        for delivery in &survivors {
            let at = (delivery.accepted.as_ref().unwrap().at - start) / 10;
            assert!(seen.insert(at));
            assert_eq!(delivery.message_id, id(at));
            assert_eq!(delivery.accepted, Some(accepted(start + at * 10)));
            assert_eq!(delivery.reported, Some(report_of(at)));
            assert_eq!(records.find(&id(at)).unwrap().as_ref(), Some(delivery));
            let bucket = oldest_of_bucket.entry(records.bucket_of(&id(at))).or_insert(at);
            *bucket = at.min(*bucket);
        }
        // Whatever is gone is older than all that its bucket still holds.
        for at in (0..MESSAGES).filter(|at| !seen.contains(at)) {
            assert!(at < oldest_of_bucket[&records.bucket_of(&id(at))], "{at}");
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
            let host = FakeHost::default();
            let records = Records::new(Bounds { slots: 1, max_age: u32::MAX }, host.ports());
            for half in [Half::Accepted, Half::Reported] {
                let bytes = [&[half.version()][..], &bytes[..]].concat();
                Store::set(&host.records, &key(half, 0), &bytes).unwrap();
            }
            prop_assert!(records.newest(99, None, |_| ()).unwrap().len() <= 2 * ENTRIES);
            records.accept("a", &accepted(records.now)).unwrap();
            records.report(&[("a", delivered(records.now))]);
            let found = records.find("a").unwrap().unwrap();
            prop_assert!(found.accepted.is_some() && found.reported.is_some());
        }
    }
}
