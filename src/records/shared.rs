//! The store `records`, as one request uses it, for all that is kept there.

use std::borrow::Cow;
use std::cell::Cell;
use std::time::Duration;

use super::breaker::{Breaker, Stopped};
use super::{KEY_PREFIX, Moment};
use crate::ports::{Clock, Instant, Ports, Store, StoreUnavailable};

/// How long one request may read and write buckets one after the other. Event Grid waits 30 seconds.
pub(super) const TIME: Duration = Duration::from_secs(15);

const DOWN: &str = "the key-value store records, or default, fails or hangs, and records are left alone for half \
     a minute: look at the stores that the host's runtime configuration gives them (with a wrong password Redis seems to \
     hang, for minutes), or set records.slots to 0";

const NOT_GIVEN: &str = "the host gives the component no key-value store records, and records are left alone for half a \
     minute: have key_value_stores in spin.toml list it, and the host's runtime configuration have a section \
     [key_value_store.records]";

const UNAUTHORIZED: &str = "the key-value store records wants a user and a password, or does not take the host's, and \
     records are left alone for half a minute: look at what the host's runtime configuration has for that store, such as \
     the url, in which a password is percent-encoded";

pub(super) const SLOW: &str = "the key-value store records took longer than 15 seconds for all that one request needs of it: give \
     it a faster one, lower records.slots, or lower the event subscription's --max-events-per-batch";

/// The store `records`, which hosts may share, as one request uses it.
///
/// Two breakers stand before it. Writes may hang while reads do not, as with a Redis that fails over
/// (`CLIENT PAUSE … WRITE`), and those who only read would then keep telling the others that all is well.
pub struct Shared<'a> {
    store: &'a dyn Store,
    /// Before what only reads.
    reads: Breaker<'a, StoreUnavailable>,
    /// Before what writes, together with what it must read first.
    writes: Breaker<'a, StoreUnavailable>,
    /// How the store failed this request, or another one lately.
    failure: Cell<StoreUnavailable>,
    clock: &'a dyn Clock,
    /// When no more is read.
    until: Instant,
    now: Moment,
}

impl<'a> Shared<'a> {
    /// The store, for a request that begins to use it now.
    pub fn new(ports: Ports<'a>) -> Self {
        let now = ports.clock.instant();
        Self {
            store: ports.records,
            reads: Breaker::new("okta-telephony-acs/breaker/records/reads", ports),
            writes: Breaker::new("okta-telephony-acs/breaker/records/writes", ports),
            failure: Cell::default(),
            clock: ports.clock,
            until: now.plus(TIME),
            now: ports.clock.milliseconds_at(now),
        }
    }

    /// When the request began to use it.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Whether the request has used it for so long that it should stop.
    pub fn is_late(&self) -> bool {
        self.clock.instant() >= self.until
    }

    /// The value of a key, for who only reads it or has read it before writing.
    ///
    /// # Errors
    ///
    /// The store fails, or is known to fail or hang.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        self.run(&self.reads, || self.store.get(key))
    }

    /// Gives a key a value.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get).
    pub fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreUnavailable> {
        self.run(&self.writes, || self.store.set(key, value))
    }

    /// Gives a key a value that is made of the one it has.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get).
    pub fn change(
        &self,
        key: &str,
        change: impl FnOnce(Option<Vec<u8>>) -> Vec<u8>,
    ) -> Result<(), StoreUnavailable> {
        self.run(&self.writes, || self.store.set(key, &change(self.store.get(key)?)))
    }

    /// Does something with the store, and remembers how it failed.
    fn run<T>(
        &self,
        breaker: &Breaker<'_, StoreUnavailable>,
        work: impl FnOnce() -> Result<T, StoreUnavailable>,
    ) -> Result<T, StoreUnavailable> {
        breaker.run(work).map_err(|stopped| {
            let (Stopped::Failed(failure) | Stopped::LeftAlone(failure)) = stopped;
            self.failure.set(failure);
            failure
        })
    }

    /// Whether this request has found out that the store hangs or fails. Such a request says so in the log.
    pub fn found_down(&self) -> bool {
        self.reads.found_down() || self.writes.found_down()
    }

    /// What the operator can do if this request could not read or write all that it should.
    pub fn fix(&self) -> Cow<'static, str> {
        match self.failure.get() {
            StoreUnavailable::Down if self.is_late() && !self.found_down() => SLOW.into(),
            StoreUnavailable::Down => DOWN.into(),
            StoreUnavailable::NotGiven => NOT_GIVEN.into(),
            StoreUnavailable::Unauthorized => UNAUTHORIZED.into(),
            StoreUnavailable::Forbidden => format!(
                "the key-value store records refuses what the hook asks of it, since the host's user lacks the right, and \
                 records are left alone for half a minute: let it get and set the keys that begin with {KEY_PREFIX}, in \
                 Redis by ~{KEY_PREFIX}* +get +set; deploy/spinkube/README.md has the whole line"
            )
            .into(),
        }
    }
}
