//! The guard at work: what a hook asks it before a message, what it writes down after the answer, and how it judges once
//! the receiver of events has answered.
//!
//! What is blocked is in one value of the store `records`, `okta-telephony-acs.guard.blocks.1`, and each host has a copy of
//! it in its local store: that is all that a hook reads before its message. What has blocked nothing yet has some 20 bytes,
//! and a full one, of 256 keys and 2048 numbers, 32 KB.

use std::rc::Rc;

use numbering::Region;
use serde::{Deserialize, Serialize};

use super::blocks::{Blocks, Probes, Target, Verdict};
use super::judge::{Change, judge};
use super::ledger::Ledger;
use super::{Hash8, NotSent, Rules, Sent};
use crate::ports::{Store, StoreUnavailable};
use crate::records::shared::Shared;
use crate::records::store_key::StoreKey;
use crate::records::{CLOCKS_APART, KEY_PREFIX, Moment, value};

/// The key of the host's copy, in its local store.
const COPY_KEY: &str = "okta-telephony-acs/guard/blocks";

/// The version of both values.
const VERSION: u8 = 1;

/// The guard, while it is on.
pub struct Guard<'a> {
    /// The owner's rules.
    pub rules: &'a Rules,
    /// The key under which people and numbers are hashed.
    pub key: StoreKey,
}

/// A host's copy of what is blocked.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Copy {
    blocks: Blocks,
    /// When it was copied.
    copied: Moment,
    /// What the host has sent since.
    probes: Probes,
}

/// What the guard says to a message before it is sent.
#[derive(Debug)]
pub struct Look {
    /// To whom it is.
    pub to: Target,
    /// What it says.
    pub verdict: Verdict,
    /// The host's store could not be read.
    pub store_failed: bool,
    /// The copy that says so; `None` where there is none.
    copy: Option<Copy>,
}

/// What became of a message, for the guard.
#[derive(Debug)]
pub enum Told {
    /// A provider took it.
    Sent(Box<Sent>),
    /// It was not sent to this person.
    NotSent(Hash8, NotSent),
}

impl Guard<'_> {
    /// Looks at a message to a number in its canonical form. One get of the host's store.
    pub fn look(
        &self,
        canonical: &str,
        region: Option<Region>,
        store: &dyn Store,
        now: Moment,
    ) -> Look {
        let to = Target {
            number: Hash8::of_number(&self.key, canonical),
            block: Hash8::of_block(&self.key, canonical),
            region,
        };
        let value = store.get(COPY_KEY);
        let store_failed = value.is_err();
        let copy = value.ok().flatten().and_then(|it| value::read::<Copy>(VERSION, &it));
        // What has yet to come was written before the clock went back; or by a hook that began a moment later.
        let copy = copy.filter(|copy| copy.copied <= now.saturating_add(CLOCKS_APART));
        let verdict = match &copy {
            _ if self.rules.exempt(canonical) => Verdict::ExemptPrefix,
            Some(copy) => copy.blocks.check(self.rules, to, &copy.probes, now),
            None => Verdict::Unknown,
        };
        Look { to, verdict, store_failed, copy }
    }

    /// Writes down what became of a message, and renews the host's copy if it is old. At most two reads and two writes,
    /// one of which is of the host's store.
    ///
    /// # Errors
    ///
    /// One of the stores fails. The rest is done, as far as it can be.
    pub fn tell(
        &self,
        look: Option<Look>,
        told: Option<Told>,
        shared: &Rc<Shared<'_>>,
        store: &dyn Store,
    ) -> Result<(), StoreUnavailable> {
        let written = told.map_or(Ok(()), |told| {
            let ledger = Ledger::new(self.rules.slots, Rc::clone(shared));
            match told {
                Told::Sent(send) => ledger.sent(*send),
                Told::NotSent(user, why) => ledger.not_sent(user, why),
            }
        });
        written.and(look.map_or(Ok(()), |look| self.renew(look.copy, shared, store)))
    }

    fn renew(
        &self,
        copy: Option<Copy>,
        shared: &Shared<'_>,
        store: &dyn Store,
    ) -> Result<(), StoreUnavailable> {
        let now = shared.now();
        let copy = copy.unwrap_or_default();
        if now.saturating_sub(copy.copied) < self.rules.copies_every() {
            return Ok(());
        }
        let copy = Copy { blocks: blocks(shared)?, copied: now, ..copy };
        store.set(COPY_KEY, &value::write(VERSION, &copy))
    }

    /// Judges if it is time to, and gives what changed. Reads all that the ledger has.
    ///
    /// # Errors
    ///
    /// The store fails. What was blocked still is.
    pub fn judge(&self, shared: &Rc<Shared<'_>>) -> Result<Vec<Change>, StoreUnavailable> {
        let (former, now) = (blocks(shared)?, shared.now());
        if now.abs_diff(former.judged) < self.rules.judges_every() {
            return Ok(Vec::new());
        }
        let ledger = Ledger::new(self.rules.slots, Rc::clone(shared));
        let (whole, feed) = (ledger.whole()?, ledger.feed()?);
        let (blocks, changes) = judge(self.rules, &whole, &feed, &former, now);
        shared.set(&blocks_key(), &value::write(VERSION, &blocks))?;
        Ok(changes)
    }
}

impl Look {
    /// Whether it is known that nothing was heard from Okta for long. A copy that has grown old knows nothing.
    pub fn feed_is_stale(&self) -> bool {
        self.verdict == Verdict::FeedStale
            && self.copy.as_ref().is_some_and(|copy| copy.blocks.is_stale(copy.copied))
    }

    /// Counts the message if it is a probe: before it is sent, since a hundred hooks at once would all find room
    /// otherwise. One set of the host's store, and none of other messages.
    ///
    /// # Errors
    ///
    /// The host's store fails. The probe is not counted.
    pub fn count_probe(&mut self, store: &dyn Store, now: Moment) -> Result<(), StoreUnavailable> {
        let (Verdict::Probe(keys), Some(copy)) = (&self.verdict, &mut self.copy) else {
            return Ok(());
        };
        copy.probes.count(keys, &copy.blocks, now);
        store.set(COPY_KEY, &value::write(VERSION, copy))
    }
}

/// What is blocked, as it was judged last. A value that can't be read blocks nothing.
///
/// # Errors
///
/// The store fails.
pub fn blocks(shared: &Shared<'_>) -> Result<Blocks, StoreUnavailable> {
    let value = shared.get(&blocks_key())?;
    let blocks: Option<Blocks> = value.and_then(|it| value::read(VERSION, &it));
    Ok(blocks.unwrap_or_default())
}

fn blocks_key() -> String {
    format!("{KEY_PREFIX}guard.blocks.1")
}

#[cfg(test)]
mod tests {
    use super::super::fate::tests::send;
    use super::super::ledger::{DAY, HOUR};
    use super::super::{Mode, Use, What};
    use super::*;
    use crate::ports::fake::FakeHost;
    use crate::ports::milliseconds;
    use std::time::Duration;

    fn rules() -> Rules {
        Rules { mode: Mode::Enforce, ..Rules::default() }
    }

    fn guard(rules: &Rules) -> Guard<'_> {
        Guard { rules, key: StoreKey::derive(b"secret") }
    }

    fn shared(host: &FakeHost) -> Rc<Shared<'_>> {
        Rc::new(Shared::new(host.ports()))
    }

    fn look(host: &FakeHost, number: &str) -> Look {
        let rules = rules();
        guard(&rules).look(number, None, host, milliseconds(host.now))
    }

    /// Tells of sends to `count` numbers of one block an hour ago, of which none is used, beside one elsewhere that is; and
    /// judges.
    fn attack(host: &FakeHost, count: u8) -> Vec<Change> {
        let (rules, shared, now) = (rules(), shared(host), milliseconds(host.now));
        let guard = guard(&rules);
        let told = |user: u8, canonical: &str| {
            let at = now - HOUR;
            let number = Hash8::of_number(&guard.key, canonical);
            let block = Hash8::of_block(&guard.key, canonical);
            let send = Sent { at, expires: at + HOUR / 12, number, block, ..send(user, 1, 0) };
            guard.tell(None, Some(Told::Sent(Box::new(send))), &shared, host).unwrap();
        };
        (0..count).for_each(|n| told(n, &format!("+2169812345{n:02}")));
        told(200, "+491701234567");
        let id = Hash8::from_bytes([1; 8]);
        let it = Use {
            id,
            user: Hash8::from_bytes([200; 8]),
            at: now - HOUR + 1,
            what: What::Phone(None),
        };
        Ledger::new(rules.slots, Rc::clone(&shared)).keep(&[it], &[], Some(now)).unwrap();
        guard.judge(&shared).unwrap()
    }

    /// Has the host copy what is blocked.
    fn renew(host: &FakeHost) {
        let rules = rules();
        guard(&rules).tell(Some(look(host, "+491")), None, &shared(host), host).unwrap();
    }

    #[test]
    fn a_host_that_knows_nothing_refuses_nothing_and_learns_it_after_its_first_hook() {
        let host = FakeHost::default();
        attack(&host, 20);
        assert_eq!(look(&host, "+216981234500").verdict, Verdict::Unknown);
        renew(&host);
        let Look { verdict, .. } = look(&host, "+216981234500");
        assert!(matches!(verdict, Verdict::Blocked { .. }), "{verdict:?}");
        assert_eq!(look(&host, "+216981300000").verdict, Verdict::Free);
        let exempt = Rules { exempt_prefixes: vec!["+2169812".into()], ..rules() };
        let look = guard(&exempt).look("+216981234500", None, &host, milliseconds(host.now));
        assert_eq!(look.verdict, Verdict::ExemptPrefix);
    }

    #[test]
    fn a_hook_reads_one_value_before_its_message_and_renews_the_copy_every_fifteen_seconds() {
        let mut host = FakeHost::default();
        attack(&host, 20);
        let rules = rules();
        let calls = |host: &FakeHost| {
            host.store_calls.borrow_mut().clear();
            let look = look(host, "+216981234500");
            let before = host.store_calls.take();
            guard(&rules).tell(Some(look), None, &shared(host), host).unwrap();
            let is_of_guard = |call: &String| call.contains("guard");
            (before, host.store_calls.take().into_iter().filter(is_of_guard).collect::<Vec<_>>())
        };
        let get = vec![format!("get {COPY_KEY}")];
        let set = vec![format!("set {COPY_KEY}")];
        assert_eq!(calls(&host), (get.clone(), set.clone()));
        assert_eq!(calls(&host), (get.clone(), vec![]));
        host.now += Duration::from_secs(15);
        assert_eq!(calls(&host), (get, set));
    }

    #[test]
    fn what_fails_refuses_nothing() {
        let mut host = FakeHost::default();
        attack(&host, 20);
        renew(&host);
        let stored = host.stored.take();
        assert!(look(&host, "+216981234500").store_failed);
        assert_eq!(look(&host, "+216981234500").verdict, Verdict::Unknown);
        host.stored.replace(stored);
        host.records.0.take();
        assert!(matches!(look(&host, "+216981234500").verdict, Verdict::Blocked { .. }));
        assert!(!look(&host, "+216981234500").feed_is_stale());
        // Without news of the records for half an hour nothing is known, which is not the feed's fault.
        host.now += Duration::from_secs(1801);
        assert_eq!(look(&host, "+216981234500").verdict, Verdict::FeedStale);
        assert!(!look(&host, "+216981234500").feed_is_stale());
        host.now -= Duration::from_secs(3600);
        assert_eq!(
            look(&host, "+216981234500").verdict,
            Verdict::Unknown,
            "a clock that went back"
        );
    }

    #[test]
    fn a_feed_that_is_silent_is_told() {
        let mut host = FakeHost::default();
        renew(&host);
        assert!(look(&host, "+216981234500").feed_is_stale(), "nothing has ever come");
        attack(&host, 20);
        host.now += Duration::from_secs(1801);
        renew(&host);
        assert!(look(&host, "+216981234500").feed_is_stale());
    }

    #[test]
    fn it_judges_every_thirty_seconds_at_most_and_tells_of_each_block_once() {
        let mut host = FakeHost::default();
        let rules = rules();
        let judge = |host: &FakeHost| guard(&rules).judge(&shared(host)).unwrap();
        assert_eq!(attack(&host, 20).len(), 1);
        assert!(judge(&host).is_empty());
        let judged = |host: &FakeHost| blocks(&shared(host)).unwrap().judged;
        let first = judged(&host);
        host.now += Duration::from_millis(29_999);
        judge(&host);
        assert_eq!(judged(&host), first);
        host.now += Duration::from_millis(1);
        assert!(judge(&host).is_empty(), "what is blocked is told of once");
        assert_eq!(judged(&host), milliseconds(host.now));
        host.now -= Duration::from_millis(DAY);
        judge(&host);
        assert_eq!(judged(&host), milliseconds(host.now), "a clock that went back");
    }

    #[test]
    fn three_probes_are_counted_before_they_are_sent() {
        let mut host = FakeHost::default();
        attack(&host, 20);
        host.now += Duration::from_secs(12 * 3600);
        let rules = rules();
        // Somebody signs in elsewhere, so that the feed is not stale.
        let now = milliseconds(host.now);
        Ledger::new(rules.slots, shared(&host)).keep(&[], &[], Some(now)).unwrap();
        guard(&rules).judge(&shared(&host)).unwrap();
        renew(&host);
        for _ in 0..3 {
            let mut look = look(&host, "+216981234500");
            assert!(matches!(look.verdict, Verdict::Probe(_)), "{:?}", look.verdict);
            look.count_probe(&host, now).unwrap();
        }
        assert!(matches!(look(&host, "+216981234500").verdict, Verdict::Blocked { .. }));
        host.now += Duration::from_secs(15);
        renew(&host);
        let verdict = look(&host, "+216981234500").verdict;
        assert!(matches!(verdict, Verdict::Blocked { .. }), "a new copy keeps what was counted");
    }

    #[test]
    fn any_bytes_in_the_stores_block_nothing() {
        let host = FakeHost::default();
        for bytes in [vec![], vec![VERSION], [&[VERSION][..], &[0xff; 40]].concat()] {
            host.stored.borrow_mut().as_mut().unwrap().insert(COPY_KEY.into(), bytes.clone());
            host.records.0.borrow_mut().as_mut().unwrap().insert(blocks_key(), bytes);
            assert_eq!(look(&host, "+216981234500").verdict, Verdict::Unknown);
            assert_eq!(blocks(&shared(&host)), Ok(Blocks::default()));
        }
    }

    #[test]
    fn a_full_value_is_as_small_as_is_written_above() {
        let entry = |n: u64| super::super::blocks::Entry {
            key: super::super::Key::Block(Hash8::from_bytes(n.to_le_bytes())),
            region: Region::parse("TN"),
            rung: 3,
            since: 1 << 41,
            tally: super::super::Tally { sends: 9999, numbers: 9999, used: 9 },
            counts_from: 1 << 41,
            cleared: Some(1 << 41),
            has_ended: true,
        };
        let blocks = Blocks {
            entries: (0..256).map(entry).collect(),
            exempt: vec![Hash8::from_bytes([0xff; 8]); 2048],
            ..Blocks::default()
        };
        let size = value::write(VERSION, &blocks).len();
        assert!((24_000..32_000).contains(&size), "{size}");
        assert!(value::write(VERSION, &Blocks::default()).len() < 20);
    }
}
