//! The page's data as JSON, for scripts. What is not known is left out.

use serde::Serialize;
use serde_with::skip_serializing_none;

use super::OneDelivery;
use super::day::Hour;
use super::guarded::{Block, Guarded, Rate};
use super::page::View;
use super::text::rfc3339;
use super::verdict::Verdict;

#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct List<'a> {
    verdict: OneVerdict,
    hours: Vec<OneHour>,
    guard: Option<Guard<'a>>,
    /// Why there is no `guard`.
    no_guard: Option<&'a str>,
    deliveries: Vec<OneDelivery<'a>>,
    count: usize,
    unreadable: Option<NotRead<'a>>,
}

#[derive(Serialize)]
struct OneVerdict {
    level: &'static str,
    sentences: Vec<String>,
}

#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneHour {
    from: String,
    sent: u64,
    delivered: u64,
    failed: u64,
    not_known: u64,
    used: Option<u64>,
    refused_by_policy: Option<u64>,
    refused_by_guard: Option<u64>,
    not_taken: Option<u64>,
}

#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Guard<'a> {
    enforces: bool,
    feed_is_alive: bool,
    newest_event_at: Option<String>,
    is_outage: bool,
    stopped: u64,
    newest: OneRate<'a>,
    countries: Vec<OneRate<'a>>,
    providers: Vec<OneRate<'a>>,
    blocks: Vec<OneBlock<'a>>,
}

#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneRate<'a> {
    name: Option<&'a str>,
    used: u64,
    unused: u64,
    left_out: u64,
}

#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneBlock<'a> {
    id: &'a str,
    scope: &'static str,
    country: Option<&'a str>,
    since: String,
    until: String,
    is_probing: bool,
    sends: u32,
    used: u32,
    numbers: u32,
    would_have_stopped: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NotRead<'a> {
    count: u64,
    since: String,
    last_at: String,
    reason: &'a str,
}

impl<'a> List<'a> {
    pub(super) fn of(view: &View<'a>) -> Self {
        let verdict = Verdict::of(view);
        Self {
            verdict: OneVerdict { level: verdict.level.name(), sentences: verdict.sentences },
            hours: hours(view),
            guard: view.guarded.ok().map(Guard::of),
            no_guard: view.guarded.err(),
            deliveries: view.deliveries.iter().map(OneDelivery::of).collect(),
            count: view.deliveries.len(),
            unreadable: view.unreadable.map(|it| NotRead {
                count: it.count,
                since: rfc3339(it.since),
                last_at: rfc3339(it.last),
                reason: &it.reason,
            }),
        }
    }
}

fn hours(view: &View<'_>) -> Vec<OneHour> {
    let guarded = view.guarded.ok();
    let hour = |(index, hour): (usize, &Hour)| {
        let unsent = guarded.map(|it| it.unsent[index]);
        OneHour {
            from: rfc3339(hour.begins),
            sent: hour.sent(),
            delivered: hour.delivered(),
            failed: hour.failed(),
            not_known: hour.open(),
            used: guarded.map(|it| it.used[index]),
            refused_by_policy: unsent.map(|it| it.by_policy),
            refused_by_guard: unsent.map(|it| it.by_guard),
            not_taken: unsent.map(|it| it.failed),
        }
    };
    view.day.hours.iter().enumerate().map(hour).collect()
}

impl<'a> Guard<'a> {
    fn of(guarded: &'a Guarded) -> Self {
        let rates = |rates: &'a [(String, Rate)]| {
            rates.iter().map(|(name, rate)| OneRate::of(Some(name), *rate)).collect()
        };
        Self {
            enforces: guarded.enforces,
            feed_is_alive: guarded.feed.is_alive,
            newest_event_at: guarded.feed.newest.map(rfc3339),
            is_outage: guarded.is_outage,
            stopped: guarded.stopped,
            newest: OneRate::of(None, guarded.newest),
            countries: rates(&guarded.countries),
            providers: rates(&guarded.providers),
            blocks: guarded.blocks.iter().map(OneBlock::of).collect(),
        }
    }
}

impl<'a> OneRate<'a> {
    fn of(name: Option<&'a str>, Rate { used, unused, left_out }: Rate) -> Self {
        Self { name, used, unused, left_out }
    }
}

impl<'a> OneBlock<'a> {
    fn of(block: &'a Block) -> Self {
        Self {
            id: &block.id,
            scope: if block.is_country { "country" } else { "block" },
            country: block.country.as_deref(),
            since: rfc3339(block.since),
            until: rfc3339(block.until),
            sends: block.sends,
            used: block.used,
            numbers: block.numbers,
            is_probing: block.is_probing,
            would_have_stopped: block.would_have_stopped,
        }
    }
}
