//! What many messages come to.

use super::milliseconds_to_report;
use crate::records::{Delivery, Status, in_order};

/// How many messages became what, and how long the reports took.
pub(super) struct Tally {
    counts: [u64; Status::ALL.len()],
    /// In milliseconds, the shortest first.
    times: Vec<u64>,
}

impl Tally {
    pub(super) fn of<'a>(deliveries: impl Iterator<Item = &'a Delivery>) -> Self {
        let (mut counts, mut times) = ([0; _], Vec::new());
        for delivery in deliveries {
            counts[delivery.status() as usize] += 1;
            times.extend(milliseconds_to_report(delivery));
        }
        let times = in_order(&times).into_iter().map(|at| times[at]).collect();
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

/// The messages by a key that they share, most messages first, then by key; without those that have
/// none.
pub(super) fn groups(
    deliveries: &[Delivery],
    key: fn(&Delivery) -> Option<u32>,
) -> Vec<Vec<&Delivery>> {
    let (keys, keyed): (Vec<u64>, Vec<&Delivery>) = deliveries
        .iter()
        .filter_map(|delivery| Some((u64::from(key(delivery)?), delivery)))
        .unzip();
    let by_key = in_order(&keys);
    let runs: Vec<&[usize]> = by_key.chunk_by(|a, b| keys[*a] == keys[*b]).collect();
    // The longest first.
    let lengths: Vec<u64> = runs.iter().map(|run| u64::MAX - run.len() as u64).collect();
    let members = |run: &[usize]| run.iter().map(|&at| keyed[at]).collect();
    in_order(&lengths).into_iter().map(|run| members(runs[run])).collect()
}
