//! What many messages come to.

use super::milliseconds_to_report;
use crate::records::{Delivery, Status};

/// How many messages became what, and how long the reports took.
pub(super) struct Tally {
    counts: [u64; Status::ALL.len()],
    /// In milliseconds, the shortest first.
    times: Vec<u64>,
}

impl Tally {
    pub(super) fn of<'a>(deliveries: impl Iterator<Item = &'a Delivery>) -> Self {
        let mut tally = Self { counts: [0; _], times: Vec::new() };
        for delivery in deliveries {
            tally.counts[delivery.status() as usize] += 1;
            tally.times.extend(milliseconds_to_report(delivery));
        }
        tally.times.sort_unstable();
        tally
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
///
/// Numbers are all that is sorted here: every type that is sorted has a sort of its own in the component.
pub(super) fn groups(
    deliveries: &[Delivery],
    key: fn(&Delivery) -> Option<u32>,
) -> Vec<Vec<&Delivery>> {
    let in_order = |numbers: &mut dyn Iterator<Item = (u32, usize)>| -> Vec<u64> {
        let mut numbers: Vec<u64> =
            numbers.map(|(first, index)| u64::from(first) << 32 | index as u64).collect();
        numbers.sort_unstable();
        numbers
    };
    let keys = deliveries.iter().enumerate();
    let keys = in_order(&mut keys.filter_map(|(index, delivery)| Some((key(delivery)?, index))));
    let runs: Vec<&[u64]> = keys.chunk_by(|a, b| a >> 32 == b >> 32).collect();
    let sizes = runs.iter().enumerate();
    let sizes = in_order(&mut sizes.map(|(index, run)| (u32::MAX - run.len() as u32, index)));
    let index = |number: u64| (number & u64::from(u32::MAX)) as usize;
    let members = |run: &[u64]| run.iter().map(|&key| &deliveries[index(key)]).collect();
    sizes.into_iter().map(|size| members(runs[index(size)])).collect()
}
