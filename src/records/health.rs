//! What hooks tell those after them of the two roads: when each failed, and whether it is down.
//! Times are those of day, in milliseconds since 1970: an instance lives for one request, and its
//! monotonic clock with it.

use crate::providers::acs::sms::Road;

/// How many failures put a road down.
pub const FAILURES: usize = 5;

/// The time within which they must come, in milliseconds.
pub const FAILURE_WINDOW_MS: u64 = 30_000;

/// For how long a road that is down, or fails as it is probed, is left alone, in milliseconds.
pub const PROBE_EVERY_MS: u64 = 5_000;

/// The first byte: another one is another format.
const VERSION: u8 = 1;

/// The numbers of one road.
const NUMBERS: usize = FAILURES + 1;

/// The record of one road.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// When it failed last, oldest first; 0 where it did not.
    failures: [u64; FAILURES],
    /// When a road that is down may be probed; 0 where it is up.
    next_probe: u64,
}

impl Record {
    /// The road has failed too often, and no attempt has succeeded since.
    pub fn is_down(&self) -> bool {
        self.next_probe != 0
    }

    /// Whether the next hook is the probe of a road that is down. A probe that is further off than
    /// probes are apart was set before the clock went back, and is due.
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

/// The records of both roads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Records([Record; 2]);

impl Records {
    /// Reads what [`Records::bytes`] wrote. What is anything else is empty.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut records = Self::default();
        if bytes.len() != Self::LENGTH || bytes[0] != VERSION {
            return records;
        }
        for (record, bytes) in records.0.iter_mut().zip(bytes[1..].chunks_exact(8 * NUMBERS)) {
            let numbers = record.failures.iter_mut().chain([&mut record.next_probe]);
            for (number, bytes) in numbers.zip(bytes.chunks_exact(8)) {
                *number = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
            }
        }
        records
    }

    /// For the store: the version, then of each road its failures and its next probe, big-endian.
    pub fn bytes(&self) -> Vec<u8> {
        let numbers =
            self.0.iter().flat_map(|record| record.failures.iter().chain([&record.next_probe]));
        let mut bytes = Vec::with_capacity(Self::LENGTH);
        bytes.push(VERSION);
        for number in numbers {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    const LENGTH: usize = 1 + 2 * 8 * NUMBERS;

    /// The record of a road.
    pub fn of(&mut self, road: Road) -> &mut Record {
        &mut self.0[road as usize]
    }
}
