//! What hooks tell those after them of the providers: when each failed, whether it is down, and over which of its
//! connections it is asked.
//! Times are those of day, in milliseconds since 1970: an instance lives for one request, and its
//! monotonic clock with it.
//!
//! Each provider's health is kept by its name, so that one that takes another's place does not
//! inherit its failures.

use serde::{Deserialize, Serialize};

use super::value;
use crate::ports::{Store, StoreUnavailable};

/// How many failures put a provider down.
pub const FAILURES: usize = 5;

/// The time within which they must come, in milliseconds.
pub const FAILURE_WINDOW_MS: u64 = 30_000;

/// For how long a provider that is down, or fails as it is probed, is left alone, in milliseconds.
pub const PROBE_EVERY_MS: u64 = 5_000;

/// For how long a provider is asked over its other connection once the usual one has been silent, in milliseconds.
/// Spin gives up a connection that nobody has used for 90 s (the idle timeout of hyper-util's client).
pub const OTHER_CONNECTION_MS: u64 = 120_000;

/// Where the health of all is kept.
pub(crate) const KEY: &str = "okta-telephony-acs/health";

/// The version of the format. It changes with [`Health`].
const VERSION: u8 = 2;

/// The health of one provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// When it failed last, oldest first; 0 where it did not.
    failures: [u64; FAILURES],
    /// When a provider that is down may be probed; 0 where it is up.
    next_probe: u64,
    /// Until when it is asked over its other connection; 0 where it is the usual one.
    other_connection_until: u64,
}

impl Health {
    /// It has failed, and no attempt has succeeded since.
    pub fn has_failed(&self) -> bool {
        self.failures != [0; FAILURES] || self.is_down()
    }

    /// Forgets its failures.
    pub fn recover(&mut self) {
        (self.failures, self.next_probe) = ([0; FAILURES], 0);
    }

    /// Whether it is asked over its other connection. What lies further ahead than that ever does was written
    /// before the clock went back.
    pub fn is_on_other_connection(&self, now: u64) -> bool {
        (1..=OTHER_CONNECTION_MS).contains(&self.other_connection_until.saturating_sub(now))
    }

    /// Has it asked over its other connection from now on, or over the usual one again.
    pub fn set_other_connection(&mut self, other: bool, now: u64) {
        self.other_connection_until =
            if other { now.saturating_add(OTHER_CONNECTION_MS) } else { 0 };
    }

    /// The provider has failed too often, and no attempt has succeeded since.
    pub fn is_down(&self) -> bool {
        self.next_probe != 0
    }

    /// Whether the next hook is the probe of a provider that is down. A probe that is further off
    /// than probes are apart was set before the clock went back, and is due.
    pub fn probe_is_due(&self, now: u64) -> bool {
        now >= self.next_probe || self.next_probe - now > PROBE_EVERY_MS
    }

    /// Puts the next probe off.
    pub fn put_probe_off(&mut self, now: u64) {
        self.next_probe = now.saturating_add(PROBE_EVERY_MS);
    }

    /// Adds a failure.
    pub fn fail(&mut self, now: u64) {
        self.failures.rotate_left(1);
        self.failures[FAILURES - 1] = now;
        // To either side: a clock that went back a little forgets no failure.
        let recent = |time: &u64| now.abs_diff(*time) <= FAILURE_WINDOW_MS;
        if self.is_down() || self.failures.iter().all(recent) {
            self.put_probe_off(now);
        }
    }
}

/// Reads the health of the providers with these names. One of which nothing is known, or nothing
/// that can be read, is well.
pub fn read<const N: usize>(
    store: &dyn Store,
    names: [&str; N],
) -> Result<[Health; N], StoreUnavailable> {
    let value = store.get(KEY)?;
    let known: Vec<(String, Health)> =
        value.and_then(|value| value::read(VERSION, &value)).unwrap_or_default();
    let of = |name| known.iter().find(|(known, _)| *known == name).map(|(_, health)| *health);
    Ok(names.map(|name| of(name).unwrap_or_default()))
}

/// Writes the health of the providers with these names, in the place of all that was known.
pub fn write<const N: usize>(
    store: &dyn Store,
    names: [&str; N],
    healths: [Health; N],
) -> Result<(), StoreUnavailable> {
    let known: Vec<_> = names.into_iter().zip(healths).collect();
    store.set(KEY, &value::write(VERSION, &known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::FakeStore;
    use proptest::prelude::*;
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    fn store(bytes: Vec<u8>) -> FakeStore {
        FakeStore(RefCell::new(Some(BTreeMap::from([(KEY.into(), bytes)]))))
    }

    fn failed() -> Health {
        let mut health = Health::default();
        health.fail(1_000_000);
        health
    }

    #[test]
    fn a_provider_that_takes_anothers_place_does_not_inherit_its_failures() {
        let store = store(Vec::new());
        write(&store, ["a", "b"], [failed(), Health::default()]).unwrap();
        assert_eq!(read(&store, ["a", "b"]), Ok([failed(), Health::default()]));
        assert_eq!(read(&store, ["b", "a"]), Ok([Health::default(), failed()]));
        assert_eq!(read(&store, ["c", "b"]), Ok([Health::default(); 2]));
    }

    proptest! {
        #[test]
        fn any_stored_bytes_are_read_and_what_is_read_can_fail(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..120),
                prop::collection::vec(any::<u8>(), 0..120).prop_map(|rest| [b"\x01\x01\x01a", &*rest].concat()),
            ],
            now: u64,
        ) {
            for mut health in read(&store(bytes), ["a", "b"]).unwrap() {
                let _ = health.probe_is_due(now);
                health.fail(now);
                health.put_probe_off(now);
                prop_assert!(health.is_down());
            }
        }

        #[test]
        fn what_is_written_is_read(failures: [u64; FAILURES], next_probe: u64, other_connection_until: u64) {
            let health = Health { failures, next_probe, other_connection_until };
            let store = store(Vec::new());
            write(&store, ["a", "b"], [Health::default(), health]).unwrap();
            prop_assert_eq!(read(&store, ["a", "b"]), Ok([Health::default(), health]));
        }
    }
}
