//! The answer to "codes don't arrive", in a few sentences: what an operator reads first.

use super::day::{Day, HOURS, Hour, Lately, Share};
use super::guarded::{Feed, Guarded, Rate, Unsent};
use super::page::View;
use super::text::{clock, explained, messages, since, span};
use crate::records::{Moment, Status};

/// A message of which nothing is reported after this time, in milliseconds, is missed.
const PATIENCE: Moment = 600_000;

/// The fewest passcodes of which a share says something.
const ENOUGH: u64 = 10;

/// How it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Passcodes arrive.
    Good,
    /// Some don't, or nobody can tell.
    Unsure,
    /// They don't arrive.
    Bad,
}

impl Level {
    /// The name in JSON and in the page's style.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unsure => "unsure",
            Self::Bad => "bad",
        }
    }
}

/// What is said, the most important first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The worst that a sentence says.
    pub level: Level,
    /// The first is the headline.
    pub sentences: Vec<String>,
}

/// A sentence, and how it looks by that.
type Said = Option<(Level, String)>;

impl Verdict {
    pub(super) fn of(view: &View<'_>) -> Self {
        let of_guard = |guarded: &Guarded| {
            [
                unsent(guarded, view.day),
                feed(&guarded.feed, view.day.now),
                used(guarded),
                blocks(guarded),
            ]
        };
        let said = [
            configuration(view.problems.len()),
            delivery(view.day),
            commonest_failure(&view.day.lately),
            place_of_failures(&view.day.lately),
            canary(view.day),
        ];
        let said = said.into_iter().chain(view.guarded.ok().into_iter().flat_map(of_guard));
        let (levels, sentences): (Vec<_>, _) = said.flatten().unzip();
        Self { level: levels.into_iter().max().unwrap_or(Level::Good), sentences }
    }
}

fn configuration(problems: usize) -> Said {
    let said = "The configuration keeps messages from being sent: see below.";
    (problems > 0).then(|| (Level::Bad, said.into()))
}

/// How many of the messages arrived.
fn delivery(Day { now, lately, newest, .. }: &Day) -> Said {
    let [_, delivered, failed, _] = lately.messages;
    let (sent, known) = (lately.sent(), delivered + failed);
    let Some(newest) = newest else {
        return Some((Level::Unsure, "No messages are on record yet.".into()));
    };
    if sent == 0 {
        return Some((Level::Unsure, format!("Nothing was sent since {}.", since(*newest, *now))));
    }
    if known == 0 {
        let is_late = lately.oldest_open.is_none_or(|oldest| now - oldest >= PATIENCE);
        let report = if is_late { "no report says more" } else { "reports are still to come" };
        return Some((
            Level::Unsure,
            format!("In the last hour {} sent; {report}.", were(messages(sent), sent)),
        ));
    }
    let level = match failed {
        2.. if failed * 4 >= known => Level::Bad,
        _ if failed * 20 > known => Level::Unsure,
        _ => Level::Good,
    };
    let arrived = match (sent, delivered) {
        (1, 1) => "the one message was delivered".into(),
        (1, _) => "the one message failed".into(),
        _ => format!("{delivered} of {sent} messages were delivered"),
    };
    let others = match (failed, sent - known) {
        (0, 0) => String::new(),
        (_, 0) if sent == 1 => String::new(),
        (_, 0) => format!("; {failed} failed"),
        (0, open) => format!("; of {open} it is not known"),
        (_, open) => format!("; {failed} failed, and of {open} it is not known"),
    };
    Some((level, format!("In the last hour {arrived}{others}.")))
}

fn were(what: String, count: u64) -> String {
    format!("{what} {}", if count == 1 { "was" } else { "were" })
}

/// Why most of those that failed did, and what helps.
fn commonest_failure(lately: &Lately) -> Said {
    let failed = lately.messages[Status::Failed as usize];
    // Of two codes as frequent, the first in the order of codes.
    let (code, count) = lately.failures.iter().rev().max_by_key(|(_, count)| **count)?;
    let (meaning, fix) = explained(*code);
    let code = code.map_or("without a code".into(), |code| format!("with {code}"));
    let who = if failed == 1 { "It".into() } else { format!("{count} of {failed}") };
    Some((Level::Good, format!("{who} failed {code}: {meaning}. What helps: {fix}.")))
}

/// Where all failures are, if others fare better.
fn place_of_failures(lately: &Lately) -> Said {
    let failed = lately.messages[Status::Failed as usize];
    let region = holder(lately.regions.iter(), failed);
    let provider = holder(lately.providers.iter(), failed);
    let place = match (region, provider) {
        (Some(region), Some(provider)) => format!("to {region}, by {provider}"),
        (Some(region), None) => format!("to {region}"),
        (None, Some(provider)) => format!("by {provider}"),
        (None, None) => return None,
    };
    Some((Level::Good, format!("All that failed were sent {place}.")))
}

/// The one that has all failures, where there are enough to say so, and others had none.
fn holder<'a, K>(
    mut shares: impl Iterator<Item = (&'a K, &'a Share)> + Clone,
    failed: u64,
) -> Option<&'a K> {
    /// Two of the same kind may be chance.
    const FEW: u64 = 3;
    let there_are_others = shares.clone().any(|(_, share)| share.failed == 0);
    let holder = shares.find(|(_, share)| share.failed == failed && failed >= FEW);
    holder.filter(|_| there_are_others).map(|(name, _)| name)
}

/// What became of the newest canary, which goes the whole way also while nobody signs in.
fn canary(Day { now, lately, .. }: &Day) -> Said {
    let (at, status) = lately.canary?;
    let (level, became) = match status {
        Status::Delivered => (Level::Good, "was delivered"),
        Status::Failed => (Level::Bad, "failed"),
        Status::Accepted if now - at < PATIENCE => (Level::Good, "has no report yet"),
        Status::Accepted => (Level::Unsure, "has no report"),
        Status::Unconfirmed => (Level::Unsure, "may have been delivered"),
    };
    Some((level, format!("The canary from {} {became}.", clock(at))))
}

/// What was not sent at all.
fn unsent(guarded: &Guarded, day: &Day) -> Said {
    // The counters are of hours by the clock, and an hour that has just begun says too little.
    let (hours, unsent) = (&day.hours[HOURS - 2..], &guarded.unsent[HOURS - 2..]);
    let sent: u64 = hours.iter().map(Hour::sent).sum();
    let counts =
        Unsent::CAUSES.map(|(_, words, count)| (unsent.iter().map(count).sum::<u64>(), words));
    let told: Vec<_> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    if told.is_empty() {
        return None;
    }
    let failed: u64 = unsent.iter().map(|it| it.failed).sum();
    let level = if failed > 1 && failed * 4 >= sent { Level::Bad } else { Level::Unsure };
    let fix = if failed > 0 { " The log has the fix." } else { "" };
    Some((level, format!("Not sent since {}: {}.{fix}", clock(hours[0].begins), told.join(", "))))
}

/// Whether Okta's events come, without which nobody knows what was used.
fn feed(feed: &Feed, now: Moment) -> Said {
    let said = match feed.newest {
        _ if feed.is_alive => return None,
        None => "Okta’s events have never come, so nobody knows which passcodes were used.".into(),
        Some(newest) => {
            let time = span(now.saturating_sub(newest));
            format!(
                "Okta’s events have not come for {time}, so the guard lets all messages through."
            )
        }
    };
    Some((Level::Unsure, said))
}

/// Whether people use what arrives.
fn used(guarded: &Guarded) -> Said {
    let Rate { used, unused, .. } = guarded.newest;
    let all = used + unused;
    if all < ENOUGH {
        return None;
    }
    let said = format!("People used {used} of the last {all} passcodes that they had time for");
    if used * 5 >= all && !guarded.is_outage {
        return Some((Level::Good, said + "."));
    }
    let why = match guarded.is_outage {
        true => "few arrive anywhere, whatever carriers say, and the guard stops nothing new",
        false => "they don’t arrive, whatever carriers say, or it is SMS pumping",
    };
    Some((Level::Bad, format!("{said}: {why}.")))
}

/// What the guard stops.
fn blocks(Guarded { enforces, blocks, stopped, .. }: &Guarded) -> Said {
    let countries = blocks.iter().filter(|block| block.is_country).count();
    let counted = |count, one: &str, more: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{count} {more}")),
    };
    let ranges = counted(blocks.len() - countries, "block of numbers", "blocks of numbers");
    let what = match (ranges, counted(countries, "country", "countries")) {
        (Some(ranges), Some(countries)) => format!("{ranges} and {countries}"),
        (ranges, countries) => ranges.or(countries)?,
    };
    let stopped = messages(*stopped);
    let said = match enforces {
        true => format!("The guard stops what goes to {what}: {stopped} in 24 hours."),
        false => format!(
            "The guard is in shadow. It would stop what goes to {what}: {stopped} in 24 hours."
        ),
    };
    Some((Level::Unsure, said))
}

#[cfg(test)]
mod tests {
    use super::super::guarded::Block;
    use super::super::tests::{
        MINUTE, NOW_MS, accepted, delivered, delivery, failed, finding, view,
    };
    use super::*;
    use crate::records::{Accepted, Delivery};
    use crate::settings::Place;
    use numbering::Region;

    fn told(view: &View<'_>) -> (Level, String) {
        let Verdict { level, sentences } = Verdict::of(view);
        (level, sentences.join(" "))
    }

    /// So many messages with this report, a minute ago.
    fn some(count: usize, reported: Option<crate::records::Reported>) -> Vec<Delivery> {
        vec![delivery(Some(accepted(NOW_MS - MINUTE)), reported); count]
    }

    #[test]
    fn the_headline_says_how_many_of_the_last_hour_arrived() {
        use Level::{Bad, Good, Unsure};
        for (delivered_ones, failed_ones, open, level, expected) in [
            (0, 0, 0, Unsure, "No messages are on record yet."),
            (40, 0, 0, Good, "In the last hour 40 of 40 messages were delivered."),
            (1, 0, 0, Good, "In the last hour the one message was delivered."),
            (0, 1, 0, Unsure, "In the last hour the one message failed."),
            (40, 1, 0, Good, "In the last hour 40 of 41 messages were delivered; 1 failed."),
            (19, 1, 0, Good, "In the last hour 19 of 20 messages were delivered; 1 failed."),
            (18, 1, 0, Unsure, "In the last hour 18 of 19 messages were delivered; 1 failed."),
            (3, 1, 0, Unsure, "In the last hour 3 of 4 messages were delivered; 1 failed."),
            (7, 2, 0, Unsure, "In the last hour 7 of 9 messages were delivered; 2 failed."),
            (6, 2, 0, Bad, "In the last hour 6 of 8 messages were delivered; 2 failed."),
            (0, 2, 0, Bad, "In the last hour 0 of 2 messages were delivered; 2 failed."),
            (
                5,
                0,
                2,
                Good,
                "In the last hour 5 of 7 messages were delivered; of 2 it is not known.",
            ),
            (
                40,
                1,
                2,
                Good,
                "In the last hour 40 of 43 messages were delivered; 1 failed, and of 2 it is not known.",
            ),
            (0, 0, 3, Unsure, "In the last hour 3 messages were sent; reports are still to come."),
            (0, 0, 1, Unsure, "In the last hour 1 message was sent; reports are still to come."),
        ] {
            let deliveries = [
                some(delivered_ones, Some(delivered(NOW_MS))),
                some(failed_ones, Some(failed(NOW_MS, None))),
                some(open, None),
            ];
            let verdict = Verdict::of(&view(&deliveries.concat()));
            assert_eq!((verdict.level, &*verdict.sentences[0]), (level, expected));
            assert_eq!(verdict.sentences.len() > 1, failed_ones > 0);
        }
    }

    #[test]
    fn what_is_older_than_an_hour_only_says_since_when_nothing_was_sent() {
        for (minutes, level, expected) in [
            (59, Level::Unsure, "In the last hour 1 message was sent; no report says more."),
            (10, Level::Unsure, "In the last hour 1 message was sent; no report says more."),
            (9, Level::Unsure, "In the last hour 1 message was sent; reports are still to come."),
            // A clock that is ahead.
            (-1, Level::Unsure, "In the last hour 1 message was sent; reports are still to come."),
            (60, Level::Unsure, "Nothing was sent since 13:06."),
            (244, Level::Unsure, "Nothing was sent since 10:02."),
            (24 * 60, Level::Unsure, "Nothing was sent since 2026-11-23 14:06."),
        ] {
            let at = NOW_MS.saturating_add_signed(-minutes * MINUTE as i64);
            let deliveries = [delivery(Some(accepted(at)), None)];
            assert_eq!(told(&view(&deliveries)), (level, expected.into()), "{minutes}");
        }
        // One that nobody can tell of, whatever time has passed.
        let unconfirmed = some(2, Some(failed(NOW_MS, Some(5002))));
        let expected = "In the last hour 2 messages were sent; no report says more.";
        assert_eq!(told(&view(&unconfirmed)).1, expected);
    }

    #[test]
    fn the_commonest_failure_is_told_with_its_fix_and_where_all_of_them_are() {
        let to = |region, provider: &str, code| {
            let accepted = Accepted {
                region: Region::parse(region),
                provider: provider.into(),
                ..accepted(NOW_MS - MINUTE)
            };
            let report = match code {
                None => delivered(NOW_MS),
                code => failed(NOW_MS, code),
            };
            delivery(Some(accepted), Some(report))
        };
        let phone = "the phone could not be reached. What helps: have the person try again: it is off or without network.";
        for (deliveries, expected) in [
            (vec![to("US", "acs", Some(4006))], format!("It failed with 4006: {phone}")),
            (
                vec![
                    to("US", "acs", Some(4006)),
                    to("US", "acs", Some(4005)),
                    to("US", "acs", Some(4006)),
                ],
                format!("2 of 3 failed with 4006: {phone}"),
            ),
            (
                [vec![to("DE", "acs", Some(4006)); 3], vec![to("US", "acs", None)]].concat(),
                format!("3 of 3 failed with 4006: {phone} All that failed were sent to DE."),
            ),
            (
                [vec![to("DE", "acs", Some(4006)); 3], vec![to("DE", "infobip", None)]].concat(),
                format!("3 of 3 failed with 4006: {phone} All that failed were sent by acs."),
            ),
            (
                [vec![to("DE", "acs", Some(4006)); 3], vec![to("US", "infobip", None)]].concat(),
                format!(
                    "3 of 3 failed with 4006: {phone} All that failed were sent to DE, by acs."
                ),
            ),
            // Two may be chance.
            (
                [vec![to("DE", "acs", Some(4006)); 2], vec![to("US", "acs", None)]].concat(),
                format!("2 of 2 failed with 4006: {phone}"),
            ),
            // Nothing else was sent.
            (vec![to("DE", "acs", Some(4006)); 3], format!("3 of 3 failed with 4006: {phone}")),
            (
                [vec![to("DE", "acs", Some(4006)); 3], vec![to("US", "acs", Some(4006))]].concat(),
                format!("4 of 4 failed with 4006: {phone}"),
            ),
        ] {
            let verdict = Verdict::of(&view(&deliveries));
            assert_eq!(verdict.sentences[1..].join(" "), expected);
        }
    }

    #[test]
    fn the_guard_adds_what_was_not_sent_not_used_and_is_blocked() {
        let block = |is_country| Block {
            id: "b3f9a1c2".into(),
            is_country,
            country: None,
            since: NOW_MS,
            until: NOW_MS,
            is_probing: false,
            sends: 60,
            used: 0,
            numbers: 60,
            would_have_stopped: None,
        };
        let alive = Feed { newest: Some(NOW_MS - MINUTE), is_alive: true };
        let well = Guarded { feed: alive, ..Guarded::default() };
        let unsent = |by_policy, by_guard, failed| {
            let mut guarded = well.clone();
            // What was before the last two hours is no news.
            guarded.unsent[HOURS - 3] = Unsent { by_policy: 9, by_guard: 9, failed: 99 };
            guarded.unsent[HOURS - 2] = Unsent { by_policy, by_guard: 0, failed };
            guarded.unsent[HOURS - 1] = Unsent { by_policy, by_guard, failed: 0 };
            guarded
        };
        let rate =
            |used, unused| Guarded { newest: Rate { used, unused, left_out: 9 }, ..well.clone() };
        for (guarded, level, expected) in [
            (well.clone(), Level::Good, ""),
            (unsent(0, 0, 0), Level::Good, ""),
            (unsent(2, 0, 0), Level::Unsure, "Not sent since 13:00: 4 refused by the policy."),
            (
                unsent(1, 3, 1),
                Level::Unsure,
                "Not sent since 13:00: 2 refused by the policy, 3 refused by the guard, 1 taken by no provider. The log has the fix.",
            ),
            // A quarter of the 40 that were sent.
            (
                unsent(0, 0, 9),
                Level::Unsure,
                "Not sent since 13:00: 9 taken by no provider. The log has the fix.",
            ),
            (
                unsent(0, 0, 10),
                Level::Bad,
                "Not sent since 13:00: 10 taken by no provider. The log has the fix.",
            ),
            (
                Guarded::default(),
                Level::Unsure,
                "Okta’s events have never come, so nobody knows which passcodes were used.",
            ),
            (
                Guarded {
                    feed: Feed { newest: Some(NOW_MS - 120 * MINUTE), is_alive: false },
                    ..well.clone()
                },
                Level::Unsure,
                "Okta’s events have not come for 2 h 0 min, so the guard lets all messages through.",
            ),
            (rate(9, 0), Level::Good, ""),
            (
                rate(10, 0),
                Level::Good,
                "People used 10 of the last 10 passcodes that they had time for.",
            ),
            (
                rate(2, 8),
                Level::Good,
                "People used 2 of the last 10 passcodes that they had time for.",
            ),
            (
                rate(1, 9),
                Level::Bad,
                "People used 1 of the last 10 passcodes that they had time for: they don’t arrive, whatever carriers say, \
                 or it is SMS pumping.",
            ),
            (
                Guarded { is_outage: true, ..rate(2, 8) },
                Level::Bad,
                "People used 2 of the last 10 passcodes that they had time for: few arrive anywhere, whatever carriers say, \
                 and the guard stops nothing new.",
            ),
            (
                Guarded { enforces: true, stopped: 1, blocks: vec![block(false)], ..well.clone() },
                Level::Unsure,
                "The guard stops what goes to 1 block of numbers: 1 message in 24 hours.",
            ),
            (
                Guarded {
                    stopped: 14,
                    blocks: vec![block(false), block(true), block(true), block(false)],
                    ..well.clone()
                },
                Level::Unsure,
                "The guard is in shadow. It would stop what goes to 2 blocks of numbers and 2 countries: 14 messages in 24 hours.",
            ),
        ] {
            let deliveries = some(40, Some(delivered(NOW_MS)));
            let verdict = Verdict::of(&View { guarded: Ok(&guarded), ..view(&deliveries) });
            assert_eq!((verdict.level, verdict.sentences[1..].join(" ")), (level, expected.into()));
        }
    }

    #[test]
    fn the_newest_canary_of_the_last_hour_tells_of_the_whole_way() {
        use Level::{Bad, Good, Unsure};
        for (minutes, reported, level, expected) in [
            (59, Some(delivered(NOW_MS)), Good, "The canary from 13:07 was delivered."),
            (60, Some(delivered(NOW_MS)), Good, ""),
            (20, Some(failed(NOW_MS, Some(4006))), Bad, "The canary from 13:46 failed."),
            (20, None, Unsure, "The canary from 13:46 has no report."),
            (9, None, Good, "The canary from 13:57 has no report yet."),
            (
                9,
                Some(failed(NOW_MS, Some(5002))),
                Unsure,
                "The canary from 13:57 may have been delivered.",
            ),
        ] {
            let canary = |minutes: u64, reported| Delivery {
                canary: true,
                ..delivery(Some(accepted(NOW_MS - minutes * MINUTE)), reported)
            };
            let older = canary(minutes.max(59), Some(failed(NOW_MS, None)));
            let mut deliveries = some(40, Some(delivered(NOW_MS)));
            deliveries.extend([canary(minutes, reported)]);
            if minutes < 59 {
                deliveries.push(older);
            }
            let verdict = Verdict::of(&view(&deliveries));
            assert_eq!((verdict.level, verdict.sentences[1..].join(" ")), (level, expected.into()));
            assert_eq!(verdict.sentences[0], "In the last hour 40 of 40 messages were delivered.");
        }
    }

    #[test]
    fn a_fault_of_the_configuration_comes_first() {
        let problems = [finding(Place::Settings, "acs", "is not set")];
        let deliveries = some(40, Some(delivered(NOW_MS)));
        let (level, sentences) = told(&View { problems: &problems, ..view(&deliveries) });
        assert_eq!(level, Level::Bad);
        assert!(sentences.starts_with(
            "The configuration keeps messages from being sent: see below. In the last hour 40"
        ));
    }
}
