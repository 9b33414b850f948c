//! The last 24 hours: what became of the messages of each hour, and of those of the last 60 minutes.

use std::collections::BTreeMap;

use numbering::Region;

use crate::records::code::Code;
use crate::records::{Delivery, Moment, Status};

/// How many hours the page shows: the one that runs, and those before it.
pub(super) const HOURS: usize = 24;

/// An hour in milliseconds.
pub(super) const HOUR: Moment = 3_600_000;

/// One hour by the clock, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hour {
    /// When it begins.
    pub begins: Moment,
    /// Messages that a provider took in this hour, by what has become of them, in the order of [`Status::ALL`].
    pub messages: [u64; Status::ALL.len()],
}

/// A part of an hour: the class of its bar in the chart, the words for it, and how many messages there are.
pub(super) type Part<T> = (&'static str, &'static str, fn(&T) -> u64);

impl Hour {
    /// What becomes of messages that a provider took, in the order of the bars, from below.
    pub(super) const OUTCOMES: [Part<Self>; 3] = [
        ("delivered", "delivered", Self::delivered),
        ("open", "not known", Self::open),
        ("failed", "failed", Self::failed),
    ];

    /// The messages that a provider took.
    pub(super) fn sent(&self) -> u64 {
        self.messages.iter().sum()
    }

    pub(super) fn delivered(&self) -> u64 {
        self.messages[Status::Delivered as usize]
    }

    pub(super) fn failed(&self) -> u64 {
        self.messages[Status::Failed as usize]
    }

    /// The messages of which nobody knows whether they arrived.
    pub(super) fn open(&self) -> u64 {
        self.sent() - self.delivered() - self.failed()
    }
}

/// What became of the messages of the last 24 hours.
#[derive(Clone, Debug)]
pub struct Day {
    /// When it was looked at.
    pub(super) now: Moment,
    /// The oldest first.
    pub(super) hours: [Hour; HOURS],
    /// The last 60 minutes.
    pub(super) lately: Lately,
    /// When the newest message on record was taken, however old it is.
    pub(super) newest: Option<Moment>,
}

/// What became of the messages of the last 60 minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lately {
    /// By what has become of them, in the order of [`Status::ALL`].
    pub messages: [u64; Status::ALL.len()],
    /// When the oldest was taken of which nothing is reported.
    pub oldest_open: Option<Moment>,
    /// The failures by their code.
    pub failures: BTreeMap<Option<Code>, u64>,
    /// The messages of each region, and how many of them failed.
    pub regions: BTreeMap<Region, Share>,
    /// The messages of each provider, and how many of them failed.
    pub providers: BTreeMap<String, Share>,
    /// When the newest canary was taken, and what became of it.
    pub canary: Option<(Moment, Status)>,
}

/// How many of something failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub all: u64,
    pub failed: u64,
}

impl Day {
    /// The 24 hours before now, in milliseconds since 1970, without any message.
    pub fn new(now: Moment) -> Self {
        let last = now - now % HOUR;
        let begins = |index: usize| last.saturating_sub((HOURS - 1 - index) as Moment * HOUR);
        let hours = std::array::from_fn(|index| Hour { begins: begins(index), ..Hour::default() });
        Self { now, hours, lately: Lately::default(), newest: None }
    }

    /// Counts a message, if it is of these 24 hours and no canary's.
    pub fn count(&mut self, delivery: &Delivery) {
        // Another host's clock may be ahead.
        let at = delivery.at().min(self.now);
        if delivery.canary {
            if self.now - at < HOUR {
                self.lately.canary = self.lately.canary.max(Some((at, delivery.status())));
            }
            return;
        }
        self.newest = self.newest.max(Some(at));
        let status = delivery.status();
        if let Some(hour) = self.index(at) {
            self.hours[hour].messages[status as usize] += 1;
        }
        if self.now - at < HOUR {
            self.lately.count(delivery, at);
        }
    }

    /// There were so many messages in these hours that a store with so many slots has lost some of them.
    pub(super) fn fills(&self, slots: u32) -> bool {
        // As many as there are slots leave 93 in 100: some buckets are full, and others are not.
        self.hours.iter().map(Hour::sent).sum::<u64>() * 10 >= u64::from(slots) * 9
    }

    /// Which of the hours a moment is in; the last, if it has yet to come.
    pub(super) fn index(&self, at: Moment) -> Option<usize> {
        self.hours.iter().rposition(|hour| hour.begins <= at)
    }
}

impl Lately {
    fn count(&mut self, delivery: &Delivery, at: Moment) {
        let status = delivery.status();
        self.messages[status as usize] += 1;
        match status {
            Status::Accepted => {
                self.oldest_open = Some(self.oldest_open.map_or(at, |oldest| oldest.min(at)));
            }
            Status::Failed => {
                let code = delivery.reported.as_ref().and_then(|reported| reported.code);
                *self.failures.entry(code).or_default() += 1;
            }
            Status::Delivered | Status::Unconfirmed => {}
        }
        let Some(accepted) = &delivery.accepted else { return };
        let region = accepted.region.map(|region| self.regions.entry(region).or_default());
        let provider = match self.providers.get_mut(&accepted.provider) {
            Some(provider) => provider,
            None => self.providers.entry(accepted.provider.clone()).or_default(),
        };
        for share in region.into_iter().chain([provider]) {
            share.all += 1;
            share.failed += u64::from(status == Status::Failed);
        }
    }

    /// The messages that a provider took.
    pub(super) fn sent(&self) -> u64 {
        self.messages.iter().sum()
    }
}
