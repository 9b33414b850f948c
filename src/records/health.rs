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

/// The health of the providers of which anything is known, that which changed last at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known(Vec<(String, Health)>);

/// How many providers' health is kept: of more, one that has not changed for longest is forgotten, and counts as well.
const KEPT: usize = 8;

impl Known {
    /// The health of the provider with this name. One of which nothing is known is well.
    pub fn of(&self, name: &str) -> Health {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, health)| *health)
            .unwrap_or_default()
    }

    /// Changes the health of the provider with this name.
    pub fn change(&mut self, name: &str, change: impl FnOnce(&mut Health)) {
        let mut health = self.of(name);
        change(&mut health);
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), health));
        self.0.drain(..self.0.len().saturating_sub(KEPT));
    }
}

/// Reads what is known. What can't be read is as if nothing were.
pub fn read(store: &dyn Store) -> Result<Known, StoreUnavailable> {
    let value = store.get(KEY)?;
    Ok(value.and_then(|value| value::read(VERSION, &value)).unwrap_or_default())
}

/// Writes what is known.
pub fn write(store: &dyn Store, known: &Known) -> Result<(), StoreUnavailable> {
    store.set(KEY, &value::write(VERSION, known))
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

    #[test]
    fn a_provider_that_takes_anothers_place_does_not_inherit_its_failures() {
        let mut known = Known::default();
        known.change("a", |health| health.fail(1_000_000));
        assert!(known.of("a").has_failed());
        assert!(!known.of("b").has_failed());
    }

    #[test]
    fn what_is_known_of_others_stays_until_eight_of_them_have_changed_since() {
        let mut known = Known::default();
        for name in ["a", "b", "c", "d", "e", "f", "g", "h", "a", "i"] {
            known.change(name, |health| health.fail(1_000_000));
        }
        let kept = ["a", "b", "c", "h", "i"].map(|name| known.of(name).has_failed());
        assert_eq!(kept, [true, false, true, true, true]);
    }

    #[test]
    fn the_other_connection_is_used_for_two_minutes_and_not_after_the_clock_went_back() {
        let mut health = Health::default();
        health.set_other_connection(true, 1_000_000);
        for (now, is_on_it) in
            [(999_999, false), (1_000_000, true), (1_119_999, true), (1_120_000, false)]
        {
            assert_eq!(health.is_on_other_connection(now), is_on_it, "{now}");
        }
        health.set_other_connection(false, 1_000_000);
        assert!(!health.is_on_other_connection(1_000_000));
    }

    fn any_health() -> impl Strategy<Value = Health> {
        any::<([u64; FAILURES], u64, u64)>().prop_map(
            |(failures, next_probe, other_connection_until)| Health {
                failures,
                next_probe,
                other_connection_until,
            },
        )
    }

    proptest! {
        #[test]
        fn any_stored_bytes_are_read_and_what_is_read_can_fail(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..120),
                prop::collection::vec(any::<u8>(), 0..120)
                    .prop_map(|rest| [&[VERSION], &b"\x01\x01a"[..], &rest].concat()),
            ],
            now: u64,
        ) {
            let mut health = read(&store(bytes)).unwrap().of("a");
            let _ = (health.probe_is_due(now), health.is_on_other_connection(now));
            health.fail(now);
            health.put_probe_off(now);
            prop_assert!(health.is_down());
            health.recover();
            prop_assert!(!health.has_failed());
        }

        #[test]
        fn what_is_written_is_read(health in any_health()) {
            let store = store(Vec::new());
            let mut known = Known::default();
            known.change("b", |it| *it = health);
            write(&store, &known).unwrap();
            prop_assert_eq!(read(&store).unwrap().of("b"), health);
        }
    }
}
