//! Counts, success rate and times of many messages.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::milliseconds_to_report;
use crate::records::{Delivery, Status};

/// How many messages have each status, and how long their reports took. Canaries are in none of it.
pub(super) struct Tally {
    counts: [u64; Status::ALL.len()],
    /// In milliseconds, the shortest first.
    times: Vec<u64>,
}

impl Tally {
    pub(super) fn of<'a>(deliveries: impl IntoIterator<Item = &'a Delivery>) -> Self {
        let (mut counts, mut times) = ([0; _], Vec::new());
        for delivery in deliveries.into_iter().filter(|delivery| !delivery.canary) {
            counts[delivery.status() as usize] += 1;
            times.extend(milliseconds_to_report(delivery));
        }
        times.sort_unstable();
        Self { counts, times }
    }

    pub(super) fn count(&self, status: Status) -> u64 {
        self.counts[status as usize]
    }

    /// The delivered out of the delivered and the failed, in thousandths, and rounded down, so that it
    /// is 1000 only if none failed. What is not known to be either is in neither.
    pub(super) fn success(&self) -> Option<u64> {
        let delivered = self.count(Status::Delivered);
        (delivered * 1000).checked_div(delivered + self.count(Status::Failed))
    }

    /// A percentile of the times to report by nearest rank: the shortest time that at least so many
    /// percent of the messages did not exceed. Always the time of one of them: of two, the median is the
    /// shorter.
    pub(super) fn percentile(&self, percent: usize) -> Option<u64> {
        let rank = (self.times.len() * percent).div_ceil(100);
        self.times.get(rank.checked_sub(1)?).copied()
    }
}

/// The messages by a key that they share: the key with most messages first, then by key.
pub(super) fn groups<'a, K: Ord>(
    deliveries: impl IntoIterator<Item = &'a Delivery>,
    key: impl Fn(&'a Delivery) -> K,
) -> Vec<(K, Vec<&'a Delivery>)> {
    let mut by_key: BTreeMap<K, Vec<&Delivery>> = BTreeMap::new();
    for delivery in deliveries {
        by_key.entry(key(delivery)).or_default().push(delivery);
    }
    let mut groups: Vec<_> = by_key.into_iter().collect();
    groups.sort_by_key(|(_, members)| Reverse(members.len()));
    groups
}
