//! Keeps requests away from a store or a service that hangs or is down. Providers are [`health`](super::health)'s.
//!
//! An instance lives until its work ends, a host holds 1,000 instances at once, and a call of a key-value
//! store cannot be given up. So if each hook called a store or a sink that hangs, after its answer, the host
//! would be full within seconds, and from then on every sign-in would be answered with an empty 500.
//!
//! What has failed is left alone for [`BACKOFF`], and then tried by one request. What hangs is noticed
//! through a watched request: it writes into the local store that it goes in, and afterwards that it has come
//! out. Of those inside, one is watched at any time, and another one follows every [`WATCH_EVERY`]. Whoever
//! finds that the watched one has been inside for longer than [`PATIENCE`] does not go in, and nobody does for
//! [`BACKOFF`]. The same holds if anybody comes out that late. So those who wait for something that hangs
//! are those who came within [`WATCH_EVERY`] and [`PATIENCE`], and then one every [`BACKOFF`].
//!
//! A request reads its mark once each [`WATCH_EVERY`], so a hook reads it once. Each breaker has a value of
//! its own: the store has no atomic change, and a breaker that wrote another one's mark back could declare
//! what works to be down. Within one mark the worst is that two are watched, or try, at a time.

use std::cell::Cell;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::value;
use crate::ports::{Instant, Ports, StoreUnavailable};

/// How long the work may take before it is taken to hang.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// How often one of those who go in is watched.
pub const WATCH_EVERY: Duration = Duration::from_millis(200);

/// For how long what fails or hangs is left alone.
pub const BACKOFF: Duration = Duration::from_secs(30);

/// The version of [`Mark`] in the store.
const VERSION: u8 = 2;

/// What those who came before have written down. Times are milliseconds since 1970; 0 is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Mark<F> {
    /// When the watched one went in that is still inside.
    inside_since: u64,
    /// When the last watched one came out.
    watched: u64,
    /// Until when nobody goes in. Once that has passed, one tries.
    down_until: u64,
    /// Why not.
    failure: F,
}

/// Why the work brought no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped<F> {
    /// It was tried, and failed.
    Failed(F),
    /// It was not tried: it hangs, or has failed like this lately; or the local store, which would tell, fails.
    LeftAlone(F),
}

/// Stands before something that may hang or be down. `F` is how it fails; its default stands for hanging, and for
/// whatever nobody can tell.
pub struct Breaker<'a, F> {
    /// Where the mark is kept.
    key: &'static str,
    ports: Ports<'a>,
    /// Until when the mark need not be read again.
    known_until: Cell<Option<Instant>>,
    /// This request has found out that it is down.
    found_down: Cell<bool>,
    failure: PhantomData<F>,
}

impl<'a, F: Copy + Default + PartialEq + Serialize + DeserializeOwned> Breaker<'a, F> {
    /// One whose mark has this key in the local store.
    pub fn new(key: &'static str, ports: Ports<'a>) -> Self {
        Self {
            key,
            ports,
            known_until: Cell::default(),
            found_down: Cell::default(),
            failure: PhantomData,
        }
    }

    /// Whether this request has found out that it hangs or fails, or that it fails otherwise than was known. Such a
    /// request says so in the log.
    pub fn found_down(&self) -> bool {
        self.found_down.get()
    }

    /// Does the work, unless it is known to hang or fail.
    pub fn run<T>(&self, work: impl FnOnce() -> Result<T, F>) -> Result<T, Stopped<F>> {
        let Ports { clock, .. } = self.ports;
        let now = clock.instant();
        let known = self.known_until.get().is_some_and(|until| now < until);
        let watched = !known && self.enter(now).map_err(Stopped::LeftAlone)?;
        // The time that the local store has taken is not the work's.
        let started = if known { now } else { clock.instant() };
        let result = work();
        let ended = clock.instant();
        // Work that took too long was taken to hang meanwhile, and is no sign that all is well: what answers
        // after seconds fills the host as much as what never does.
        if result.is_err() || ended.since(started) >= PATIENCE {
            self.is_down(ended, result.as_ref().err().copied().unwrap_or_default());
            return result.map_err(Stopped::Failed);
        }
        if !known {
            self.known_until.set(Some(ended.plus(WATCH_EVERY)));
        }
        if watched {
            let up = Mark { watched: clock.milliseconds_at(ended), ..Mark::default() };
            // A mark that cannot be written is found out by whoever comes next.
            let _ = self.write(up);
        }
        result.map_err(Stopped::Failed)
    }

    /// Goes in, watched or not, or is told why nobody does.
    fn enter(&self, at: Instant) -> Result<bool, F> {
        // Without the mark nobody could tell.
        let untold = |_: StoreUnavailable| F::default();
        let now = self.ports.clock.milliseconds_at(at);
        let mark = self.read().map_err(untold)?;
        let within =
            |time: u64, limit: Duration| u128::from(now.abs_diff(time)) < limit.as_millis();
        let barred = Mark { down_until: now + BACKOFF.as_millis() as u64, ..mark };
        if mark.down_until != 0 {
            // What lies further ahead was written before the clock went back.
            if now < mark.down_until && within(mark.down_until, BACKOFF + PATIENCE) {
                return Err(mark.failure);
            }
            // The others stay out until this one is through.
            self.write(barred).map_err(untold)?;
            return Ok(true);
        }
        if mark.inside_since != 0 {
            if within(mark.inside_since, PATIENCE) {
                return Ok(false);
            }
            self.found_down.set(true);
            self.write(Mark { inside_since: 0, ..barred }).map_err(untold)?;
            return Err(F::default());
        }
        let watched = !within(mark.watched, WATCH_EVERY);
        if watched {
            self.write(Mark { inside_since: now, ..mark }).map_err(untold)?;
        }
        Ok(watched)
    }

    /// Writes down that nobody goes in, and why.
    fn is_down(&self, at: Instant, failure: F) {
        let known = self.read();
        let is_news = known.is_ok_and(|it| it.down_until == 0 || it.failure != failure);
        self.found_down.set(self.found_down.get() || is_news);
        self.known_until.set(None);
        let down_until = self.ports.clock.milliseconds_at(at) + BACKOFF.as_millis() as u64;
        let _ = self.write(Mark { down_until, failure, ..Mark::default() });
    }

    fn read(&self) -> Result<Mark<F>, StoreUnavailable> {
        let value = self.ports.store.get(self.key)?;
        Ok(value.and_then(|value| value::read(VERSION, &value)).unwrap_or_default())
    }

    fn write(&self, mark: Mark<F>) -> Result<(), StoreUnavailable> {
        self.ports.store.set(self.key, &value::write(VERSION, &mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::FakeHost;
    use crate::ports::{Clock, Store};

    const KEY: &str = "breaker";

    /// Tries, and says what came of it.
    fn try_it(host: &FakeHost, result: Result<(), u8>) -> Result<(), Stopped<u8>> {
        Breaker::<u8>::new(KEY, host.ports()).run(|| result)
    }

    /// Goes in and stays there.
    fn hang(host: &FakeHost) -> bool {
        Breaker::<u8>::new(KEY, host.ports()).enter(host.instant()).is_ok()
    }

    #[test]
    fn those_who_are_kept_away_are_told_how_it_failed_and_another_failure_is_news() {
        let mut host = FakeHost::default();
        let fail = |host: &FakeHost, failure: u8| {
            let breaker = Breaker::<u8>::new(KEY, host.ports());
            assert_eq!(breaker.run(|| Err::<(), _>(failure)), Err(Stopped::Failed(failure)));
            assert_eq!(try_it(host, Ok(())), Err(Stopped::LeftAlone(failure)));
            breaker.found_down()
        };
        for (failure, is_news) in [(7, true), (7, false), (8, true), (8, false), (7, true)] {
            assert_eq!(fail(&host, failure), is_news);
            host.now += BACKOFF;
        }
        assert!(hang(&host), "one tries");
        assert_eq!(try_it(&host, Ok(())), Err(Stopped::LeftAlone(7)), "the others know as before");
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
        let breaker = Breaker::<u8>::new(KEY, host.ports());
        assert_eq!(breaker.run(|| Err::<(), _>(1)), Err(Stopped::Failed(1)));
        assert!(breaker.found_down());
        assert_eq!(try_it(&host, Ok(())), Err(Stopped::LeftAlone(1)));
        host.now += BACKOFF;
        assert!(hang(&host), "one tries");
        assert_eq!(try_it(&host, Ok(())), Err(Stopped::LeftAlone(1)), "the others don't");
        host.now += BACKOFF;
        let breaker = Breaker::<u8>::new(KEY, host.ports());
        assert_eq!(breaker.run(|| Err::<(), _>(1)), Err(Stopped::Failed(1)));
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
        let breaker = Breaker::<u8>::new(KEY, host.ports());
        assert_eq!(breaker.run(|| Ok::<_, u8>(())), Err(Stopped::LeftAlone(0)));
        assert!(breaker.found_down());
        assert_eq!(try_it(&host, Ok(())), Err(Stopped::LeftAlone(0)));
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
            let breaker = Breaker::<u8>::new(KEY, host.ports());
            let work = || {
                host.sleep(host.instant().plus(PATIENCE));
                Ok::<_, u8>(())
            };
            assert_eq!(breaker.run(work), Ok(()), "what it brought is good");
            assert_eq!(breaker.run(work), Err(Stopped::LeftAlone(0)), "by the same one, too");
            breaker.found_down()
        };
        assert!(slow(&host));
        assert_eq!(try_it(&host, Ok(())), Err(Stopped::LeftAlone(0)));
        host.now += BACKOFF;
        assert!(!slow(&host), "it was known");
        assert_eq!(try_it(&host, Ok(())), Err(Stopped::LeftAlone(0)));
        host.now += BACKOFF;
        assert_eq!(try_it(&host, Ok(())), Ok(()));
        assert_eq!(try_it(&host, Ok(())), Ok(()));
    }

    #[test]
    fn without_the_local_store_nobody_goes_in() {
        let host = FakeHost::default();
        host.stored.replace(None);
        assert_eq!(try_it(&host, Ok(())), Err(Stopped::LeftAlone(0)));
    }

    #[test]
    fn a_clock_that_goes_back_bars_nobody_for_long() {
        let mut host = FakeHost::default();
        assert_eq!(try_it(&host, Err(1)), Err(Stopped::Failed(1)));
        host.now -= Duration::from_secs(3600);
        assert_eq!(try_it(&host, Ok(())), Ok(()));
        host.now += WATCH_EVERY;
        assert!(hang(&host));
        host.now -= Duration::from_secs(3600);
        assert_eq!(try_it(&host, Ok(())), Err(Stopped::LeftAlone(0)));
        host.now += BACKOFF;
        assert_eq!(try_it(&host, Ok(())), Ok(()));
    }

    #[test]
    fn within_one_instance_the_mark_is_not_read_for_each_call() {
        let host = FakeHost::default();
        let breaker = Breaker::<u8>::new(KEY, host.ports());
        for _ in 0..100 {
            assert_eq!(breaker.run(|| Ok::<_, u8>(())), Ok(()));
        }
        assert_eq!(host.store_calls.borrow().len(), 3);
        let later = host.instant().plus(WATCH_EVERY);
        host.sleep(later);
        assert_eq!(breaker.run(|| Ok::<_, u8>(())), Ok(()));
        assert_eq!(host.store_calls.borrow().len(), 4);
    }

    #[test]
    fn a_mark_that_cannot_be_read_bars_nobody_and_is_replaced() {
        let host = FakeHost::default();
        for value in [vec![], vec![VERSION], vec![VERSION + 1, 1, 1, 1], vec![0xff; 25]] {
            Store::set(&host, KEY, &value).unwrap();
            assert_eq!(try_it(&host, Ok(())), Ok(()));
            assert!(Breaker::<u8>::new(KEY, host.ports()).read().unwrap().watched > 0);
        }
    }
}
