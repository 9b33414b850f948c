//! Keeps requests away from what hangs or is down.
//!
//! Attack: nobody's, and yet the worst. An instance lives until its work ends, a host holds 1,000 of them
//! at once, and a call of a key-value store can't be given up. So a store or a sink that hangs, called by
//! each hook once its answer has left, fills the host within seconds, and from then on every sign-in is
//! answered with an empty 500.
//!
//! What has failed is left alone for [`BACKOFF`], and then tried by one. That something hangs is known by
//! a watcher: it writes into the local store that it goes in, and again that it has come out. At any time
//! one of those inside is it, and another one follows every [`WATCH_EVERY`]. Who finds that the watcher has
//! been inside for longer than [`PATIENCE`] goes not in, and nobody does for [`BACKOFF`]; nor do they where
//! somebody comes out as late as that. So of what hangs, those wait for it that came within [`WATCH_EVERY`]
//! and [`PATIENCE`], and then one every [`BACKOFF`].
//!
//! The store has no atomic change: at worst two watch, or try, at a time.

use std::cell::Cell;
use std::time::Duration;

use crate::ports::{Instant, Ports, Store, StoreUnavailable};

/// How long something may take before it is taken to hang.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// How often one of those that go in is watched.
pub const WATCH_EVERY: Duration = Duration::from_millis(200);

/// For how long what fails or hangs is left alone.
pub const BACKOFF: Duration = Duration::from_secs(30);

/// The first byte: another one is another format.
const VERSION: u8 = 1;

/// What those who came before have written down. Times are those of day, in milliseconds since 1970; 0 is
/// never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    /// When the one that is inside and watched went in.
    inside_since: u64,
    /// When the last one that was watched came out.
    watched: u64,
    /// Until when nobody goes in. Once that has passed, one tries.
    down_until: u64,
}

impl Mark {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (&VERSION, numbers) = bytes.split_first()? else { return None };
        let (numbers, []) = numbers.as_chunks() else { return None };
        let &[inside_since, watched, down_until] = numbers else { return None };
        let [inside_since, watched, down_until] =
            [inside_since, watched, down_until].map(u64::from_be_bytes);
        Some(Self { inside_since, watched, down_until })
    }

    fn bytes(self) -> [u8; 25] {
        let mut bytes = [VERSION; 25];
        for (place, number) in
            bytes[1..].chunks_exact_mut(8).zip([self.inside_since, self.watched, self.down_until])
        {
            place.copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }
}

/// Why there is no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped<E> {
    /// It was tried, and failed.
    Failed(E),
    /// It was not tried: it hangs or has failed, or the local store, which would tell, does.
    LeftAlone,
}

/// Nobody goes in.
struct Barred;

impl From<StoreUnavailable> for Barred {
    /// Without the mark nobody could tell.
    fn from(_: StoreUnavailable) -> Self {
        Self
    }
}

/// Stands before something that may hang or be down.
pub struct Breaker<'a> {
    /// Where the mark is kept.
    key: &'static str,
    ports: Ports<'a>,
    /// Until when what was read last is recent enough.
    known_until: Cell<Option<Instant>>,
    /// It has just become known that it is down: whoever finds that says so in the log.
    found_down: Cell<bool>,
}

impl<'a> Breaker<'a> {
    /// One whose mark has this key in the local store.
    pub fn new(key: &'static str, ports: Ports<'a>) -> Self {
        Self { key, ports, known_until: Cell::default(), found_down: Cell::default() }
    }

    /// Whether this one has found out that it hangs or fails.
    pub fn found_down(&self) -> bool {
        self.found_down.get()
    }

    /// Does the work, unless it is known to hang or fail.
    pub fn run<T, E>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, Stopped<E>> {
        let Ports { clock, .. } = self.ports;
        let now = clock.instant();
        let known = self.known_until.get().is_some_and(|until| now < until);
        let watched = !known && self.enter(now).map_err(|Barred| Stopped::LeftAlone)?;
        // The time that the local store has taken is not the work's.
        let started = if known { now } else { clock.instant() };
        let result = work();
        let ended = clock.instant();
        // Who comes out late was found to hang meanwhile, and must not say that all is well: what answers
        // after seconds fills the host as well as what never does.
        if result.is_err() || ended.since(started) >= PATIENCE {
            self.is_down(ended);
            return result.map_err(Stopped::Failed);
        }
        if !known {
            self.known_until.set(Some(ended.plus(WATCH_EVERY)));
        }
        if watched {
            let up = Mark { watched: clock.milliseconds_at(ended), ..Mark::default() };
            // What can't be written is found out by who comes next.
            let _ = self.write(up);
        }
        result.map_err(Stopped::Failed)
    }

    /// Goes in, watched or not, or finds the way barred.
    fn enter(&self, at: Instant) -> Result<bool, Barred> {
        let now = self.ports.clock.milliseconds_at(at);
        let mark = self.read()?;
        let within =
            |time: u64, limit: Duration| u128::from(now.abs_diff(time)) < limit.as_millis();
        let barred = Mark { down_until: now + BACKOFF.as_millis() as u64, ..mark };
        if mark.down_until != 0 {
            // What lies further ahead was written before the clock went back.
            if now < mark.down_until && within(mark.down_until, BACKOFF + PATIENCE) {
                return Err(Barred);
            }
            // The others stay out until this one is through.
            self.write(barred)?;
            return Ok(true);
        }
        if mark.inside_since != 0 {
            if within(mark.inside_since, PATIENCE) {
                return Ok(false);
            }
            self.found_down.set(true);
            self.write(Mark { inside_since: 0, ..barred })?;
            return Err(Barred);
        }
        let watched = !within(mark.watched, WATCH_EVERY);
        if watched {
            self.write(Mark { inside_since: now, ..mark })?;
        }
        Ok(watched)
    }

    /// Writes down that nobody goes in.
    fn is_down(&self, at: Instant) {
        let was_up = self.read().is_ok_and(|mark| mark.down_until == 0);
        self.found_down.set(self.found_down.get() || was_up);
        self.known_until.set(None);
        let now = self.ports.clock.milliseconds_at(at);
        let _ =
            self.write(Mark { down_until: now + BACKOFF.as_millis() as u64, ..Mark::default() });
    }

    fn read(&self) -> Result<Mark, StoreUnavailable> {
        let value = self.ports.store.get(self.key)?;
        Ok(value.and_then(|value| Mark::parse(&value)).unwrap_or_default())
    }

    fn write(&self, mark: Mark) -> Result<(), StoreUnavailable> {
        self.ports.store.set(self.key, &mark.bytes())
    }
}

/// A store behind a breaker. Or two: writes may hang while reads do not, as with a Redis that fails over
/// (`CLIENT PAUSE … WRITE`), and by what is read nobody would ever find that out.
pub struct Guarded<'a> {
    store: &'a dyn Store,
    reads: Breaker<'a>,
    writes: Breaker<'a>,
}

impl<'a> Guarded<'a> {
    /// The store `records`.
    pub fn records(ports: Ports<'a>) -> Self {
        Self {
            store: ports.records,
            reads: Breaker::new("okta-telephony-acs/breaker/records/reads", ports),
            writes: Breaker::new("okta-telephony-acs/breaker/records/writes", ports),
        }
    }

    /// Whether this one has found out that the store hangs or fails.
    pub fn found_down(&self) -> bool {
        self.reads.found_down() || self.writes.found_down()
    }
}

impl Store for Guarded<'_> {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        self.reads.run(|| self.store.get(key)).map_err(|_| StoreUnavailable)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreUnavailable> {
        self.writes.run(|| self.store.set(key, value)).map_err(|_| StoreUnavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Clock;
    use crate::ports::fake::FakeHost;

    const KEY: &str = "breaker";

    /// Tries, and says what came of it.
    fn try_it(host: &FakeHost, result: Result<(), ()>) -> Result<(), Stopped<()>> {
        Breaker::new(KEY, host.ports()).run(|| result)
    }

    /// Goes in and stays there.
    fn hang(host: &FakeHost) -> bool {
        Breaker::new(KEY, host.ports()).enter(host.instant()).is_ok()
    }

    #[test]
    fn what_works_is_let_through_and_watched_now_and_then() {
        let mut host = FakeHost::default();
        assert_eq!(try_it(&host, Ok(())), Ok(()));
        let writes = |host: &FakeHost| {
            host.store_calls.borrow().iter().filter(|call| call.starts_with("set")).count()
        };
        assert_eq!(writes(&host), 2, "in and out");
        for _ in 0..10 {
            assert_eq!(try_it(&host, Ok(())), Ok(()));
        }
        assert_eq!(writes(&host), 2);
        host.now += WATCH_EVERY;
        assert_eq!(try_it(&host, Ok(())), Ok(()));
        assert_eq!(writes(&host), 4);
    }

    #[test]
    fn what_fails_is_left_alone_and_then_tried_by_one() {
        let mut host = FakeHost::default();
        let breaker = Breaker::new(KEY, host.ports());
        assert_eq!(breaker.run(|| Err::<(), _>(())), Err(Stopped::Failed(())));
        assert!(breaker.found_down());
        assert_eq!(try_it(&host, Ok(())), Err(Stopped::LeftAlone));
        host.now += BACKOFF;
        assert!(hang(&host), "one tries");
        assert_eq!(try_it(&host, Ok(())), Err(Stopped::LeftAlone), "the others don't");
        host.now += BACKOFF;
        let breaker = Breaker::new(KEY, host.ports());
        assert_eq!(breaker.run(|| Err::<(), _>(())), Err(Stopped::Failed(())));
        assert!(!breaker.found_down(), "it was known");
        host.now += BACKOFF;
        assert_eq!(try_it(&host, Ok(())), Ok(()));
        assert_eq!(try_it(&host, Ok(())), Ok(()), "it is up again");
    }

    #[test]
    fn what_hangs_is_found_out_by_who_comes_after_its_patience() {
        let mut host = FakeHost::default();
        assert!(hang(&host));
        host.now += PATIENCE - Duration::from_millis(1);
        assert!(hang(&host));
        host.now += Duration::from_millis(1);
        let breaker = Breaker::new(KEY, host.ports());
        assert_eq!(breaker.run(|| Ok::<_, ()>(())), Err(Stopped::LeftAlone));
        assert!(breaker.found_down());
        assert_eq!(try_it(&host, Ok(())), Err(Stopped::LeftAlone));
        host.now += BACKOFF;
        assert_eq!(try_it(&host, Ok(())), Ok(()));
        assert_eq!(try_it(&host, Ok(())), Ok(()));
    }

    #[test]
    fn of_what_hangs_few_wait() {
        let mut host = FakeHost::default();
        // One at a time, then all at once: 300 a second for a minute.
        let mut inside = 0;
        for _ in 0..300 * 60 {
            host.now += Duration::from_micros(3333);
            inside += usize::from(hang(&host));
        }
        assert!((100..=215).contains(&inside), "{inside}");
    }

    #[test]
    fn what_comes_back_after_its_patience_is_left_alone() {
        let mut host = FakeHost::default();
        let slow = |host: &FakeHost| {
            let breaker = Breaker::new(KEY, host.ports());
            let work = || {
                host.sleep(host.instant().plus(PATIENCE));
                Ok::<_, ()>(())
            };
            assert_eq!(breaker.run(work), Ok(()), "what it brought is good");
            assert_eq!(breaker.run(work), Err(Stopped::LeftAlone), "by the same one, too");
            breaker.found_down()
        };
        assert!(slow(&host));
        assert_eq!(try_it(&host, Ok(())), Err(Stopped::LeftAlone));
        host.now += BACKOFF;
        assert!(!slow(&host), "it was known");
        assert_eq!(try_it(&host, Ok(())), Err(Stopped::LeftAlone));
        host.now += BACKOFF;
        assert_eq!(try_it(&host, Ok(())), Ok(()));
        assert_eq!(try_it(&host, Ok(())), Ok(()));
    }

    /// A store that can be read, and whose writes never come back.
    struct WritesHang;

    impl Store for WritesHang {
        fn get(&self, _: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
            Ok(None)
        }

        fn set(&self, _: &str, _: &[u8]) -> Result<(), StoreUnavailable> {
            // As far as the caller can tell: nothing after it is done.
            std::panic::resume_unwind(Box::new(()))
        }
    }

    #[test]
    fn of_writes_that_hang_few_wait_although_reads_come_back() {
        let mut host = FakeHost::default();
        let mut inside = 0;
        for _ in 0..300 * 5 {
            host.now += Duration::from_micros(3333);
            let store = Guarded::records(Ports { records: &WritesHang, ..host.ports() });
            assert_eq!(store.get("a"), Ok(None));
            let set = std::panic::AssertUnwindSafe(|| store.set("a", b""));
            inside += usize::from(std::panic::catch_unwind(set).is_err());
        }
        assert!((100..=215).contains(&inside), "{inside}");
    }

    #[test]
    fn without_the_local_store_nobody_goes_in() {
        let host = FakeHost::default();
        host.stored.replace(None);
        assert_eq!(try_it(&host, Ok(())), Err(Stopped::LeftAlone));
    }

    #[test]
    fn a_clock_that_goes_back_bars_nobody_for_long() {
        let mut host = FakeHost::default();
        assert_eq!(try_it(&host, Err(())), Err(Stopped::Failed(())));
        host.now -= Duration::from_secs(3600);
        assert_eq!(try_it(&host, Ok(())), Ok(()));
        host.now += WATCH_EVERY;
        assert!(hang(&host));
        host.now -= Duration::from_secs(3600);
        assert_eq!(try_it(&host, Ok(())), Err(Stopped::LeftAlone));
        host.now += BACKOFF;
        assert_eq!(try_it(&host, Ok(())), Ok(()));
    }

    #[test]
    fn within_one_instance_the_mark_is_not_read_for_each_call() {
        let host = FakeHost::default();
        let breaker = Breaker::new(KEY, host.ports());
        for _ in 0..100 {
            assert_eq!(breaker.run(|| Ok::<_, ()>(())), Ok(()));
        }
        assert_eq!(host.store_calls.borrow().len(), 3);
        let later = host.instant().plus(WATCH_EVERY);
        host.sleep(later);
        assert_eq!(breaker.run(|| Ok::<_, ()>(())), Ok(()));
        assert_eq!(host.store_calls.borrow().len(), 4);
    }

    #[test]
    fn a_mark_is_read_as_it_was_written_and_nothing_else_is() {
        let mark = Mark { inside_since: 1, watched: 2, down_until: u64::MAX };
        let bytes = mark.bytes();
        assert_eq!(Mark::parse(&bytes), Some(mark));
        for end in 0..bytes.len() {
            assert_eq!(Mark::parse(&bytes[..end]), None);
        }
        assert_eq!(Mark::parse(&[2; 25]), None);
        assert_eq!(Mark::parse(&[1; 33]), None);
    }
}
