//! What the guard's ledger adds to the page: what was used, what was not sent, and what is blocked.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::day::{Day, HOUR, HOURS, Part};
use super::text::UNKNOWN;
use crate::guard::blocks::{Entry, FEED_LIVES, State};
use crate::guard::ledger::{self, Whole};
use crate::guard::{Blocks, Fate, Key, Mode, Rules, Sent};
use crate::records::Moment;

/// How many of the newest passcodes say how it is now.
const NEWEST: usize = 50;

/// What the guard knows, as the page shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guarded {
    /// It refuses messages. Otherwise it only says what it would refuse.
    pub enforces: bool,
    /// Okta's events.
    pub feed: Feed,
    /// How many of the messages that were sent in each hour of the day were used.
    pub used: [u64; HOURS],
    /// What was not sent in each hour of the day.
    pub unsent: [Unsent; HOURS],
    /// Of the newest passcodes that people had time to use.
    pub newest: Rate,
    /// By the region's code.
    pub countries: Vec<(String, Rate)>,
    /// By the provider's name.
    pub providers: Vec<(String, Rate)>,
    /// Passcodes are used nowhere, so nothing is blocked anew.
    pub is_outage: bool,
    /// What is blocked, the newest first.
    pub blocks: Vec<Block>,
    /// Messages that the guard has refused in the last 24 hours, or would have.
    pub stopped: u64,
}

/// Whether Okta's events come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feed {
    /// When the newest happened that has come.
    pub newest: Option<Moment>,
    /// Some came lately, so that what was not used can be told from what nobody has heard of.
    pub is_alive: bool,
}

/// The messages of an hour that no provider took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsent {
    /// The policy or a limit refused them.
    pub by_policy: u64,
    /// The guard refused them.
    pub by_guard: u64,
    /// They failed, as when no provider can be reached.
    pub failed: u64,
}

/// How many passcodes were used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Passcodes that were used.
    pub used: u64,
    /// Passcodes that were not, although there was time.
    pub unused: u64,
    /// Passcodes that tell nothing: too young, followed by another one, or not needed any more.
    pub left_out: u64,
}

/// Numbers to which messages are stopped, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What `guard.lifted` takes.
    pub id: String,
    /// All numbers of a country. Otherwise those that share all but their last four digits.
    pub is_country: bool,
    /// The region's code, if it is known.
    pub country: Option<String>,
    /// When it began.
    pub since: Moment,
    /// When it ends.
    pub until: Moment,
    /// It is over, and a few messages are let through to see whether they are used.
    pub is_probing: bool,
    /// Messages on which it was decided.
    pub sends: u32,
    /// How many of them were used.
    pub used: u32,
    /// To how many numbers they went.
    pub numbers: u32,
    /// Messages that it would have stopped in the last 24 hours. `None` while it stops them: of those there is only a
    /// count of all.
    pub would_have_stopped: Option<u64>,
}

impl Guarded {
    /// What the page shows of all that the guard knows.
    pub fn of(
        rules: &Rules,
        whole: &Whole,
        feed: &ledger::Feed,
        blocks: &Blocks,
        day: &Day,
    ) -> Self {
        let enforces = rules.mode == Mode::Enforce;
        let unsent = unsent(whole, day);
        let would_be = || whole.sends.iter().filter(|(send, _)| send.would_refuse).count() as u64;
        // Other fates are in no ratio, and neither is what has not grown old enough by what is heard from Okta.
        let counts = |(send, fate): &(Sent, Fate)| {
            let is_mature = send.at.saturating_add(rules.matures_after) < feed.newest;
            let told = matches!(fate, Fate::Used(_) | Fate::Unused);
            is_mature && told && !send.is_recovery
        };
        let mut counted: Vec<_> = whole.sends.iter().map(|it| (it, counts(it))).collect();
        counted.sort_by_key(|((send, _), _)| Reverse(send.at));
        let newest = counted.iter().filter(|(_, counts)| *counts).take(NEWEST);
        let entries = blocks
            .entries
            .iter()
            .filter(|it| it.state(day.now) != State::Open && !rules.lift(it.key));
        let mut blocked: Vec<_> =
            entries.map(|entry| Block::of(entry, whole, enforces, day.now)).collect();
        blocked.sort_by_key(|block| Reverse(block.since));
        Self {
            enforces,
            feed: Feed {
                newest: Some(feed.newest).filter(|newest| *newest != 0),
                is_alive: day.now.saturating_sub(feed.newest) <= FEED_LIVES,
            },
            used: used(whole, day),
            stopped: if enforces { unsent.iter().map(|it| it.by_guard).sum() } else { would_be() },
            unsent,
            newest: Rate::of(newest),
            countries: rates(&counted, |send| send.region.map(|it| it.to_string())),
            providers: rates(&counted, |send| Some(send.provider.clone())),
            is_outage: blocks.is_outage,
            blocks: blocked,
        }
    }
}

/// How many of the messages of each hour were used.
fn used(whole: &Whole, day: &Day) -> [u64; HOURS] {
    let mut used = [0; HOURS];
    for (send, fate) in &whole.sends {
        if let (Fate::Used(_), Some(hour)) = (fate, day.index(send.at)) {
            used[hour] += 1;
        }
    }
    used
}

fn unsent(whole: &Whole, day: &Day) -> [Unsent; HOURS] {
    let mut unsent = [Unsent::default(); HOURS];
    for hour in &whole.hours {
        if let Some(index) = day.index(hour.hour * HOUR) {
            unsent[index] = Unsent {
                by_policy: hour.by_policy.into(),
                by_guard: hour.by_guard.into(),
                failed: hour.failed.into(),
            };
        }
    }
    unsent
}

/// How many were used of those that share a name: first where most were not.
fn rates(
    sends: &[(&(Sent, Fate), bool)],
    name: impl Fn(&Sent) -> Option<String>,
) -> Vec<(String, Rate)> {
    let mut by_name = BTreeMap::<String, Vec<_>>::new();
    for it in sends {
        let name = name(&it.0.0).unwrap_or(UNKNOWN.into());
        by_name.entry(name).or_default().push(it);
    }
    let rates = by_name.into_iter().map(|(name, sends)| (name, Rate::of(sends.into_iter())));
    let mut rates: Vec<_> = rates.collect();
    rates.sort_by_key(|(_, rate)| Reverse((rate.unused, rate.used)));
    rates
}

impl Block {
    fn of(entry: &Entry, whole: &Whole, enforces: bool, now: Moment) -> Self {
        let is_its = |send: &Sent| match entry.key {
            Key::Block(block) => send.block == block,
            Key::Country(region) => send.region == Some(region),
        };
        let would_have = || {
            let would = |(send, _): &&(Sent, Fate)| {
                send.would_refuse && is_its(send) && send.at >= entry.since
            };
            whole.sends.iter().filter(would).count() as u64
        };
        Self {
            id: entry.key.to_string(),
            is_country: matches!(entry.key, Key::Country(_)),
            country: entry.region.map(|region| region.to_string()),
            since: entry.since,
            until: entry.until(),
            is_probing: entry.state(now) == State::Probing,
            sends: entry.tally.sends,
            used: entry.tally.used,
            numbers: entry.tally.numbers,
            would_have_stopped: (!enforces).then(would_have),
        }
    }
}

impl Unsent {
    /// Why messages were not sent.
    pub(super) const CAUSES: [Part<Self>; 3] = [
        ("policy", "refused by the policy", |it| it.by_policy),
        ("guard", "refused by the guard", |it| it.by_guard),
        ("failed", "taken by no provider", |it| it.failed),
    ];

    pub(super) fn all(&self) -> u64 {
        self.by_policy + self.by_guard + self.failed
    }
}

impl Rate {
    /// Of these sends, each with whether it counts.
    fn of<'a>(sends: impl Iterator<Item = &'a (&'a (Sent, Fate), bool)>) -> Self {
        let mut rate = Self::default();
        for ((_, fate), counts) in sends {
            let count = match fate {
                _ if !counts => &mut rate.left_out,
                Fate::Used(_) => &mut rate.used,
                _ => &mut rate.unused,
            };
            *count += 1;
        }
        rate
    }

    /// The used out of the used and the unused, in thousandths, rounded down.
    pub(super) fn thousandths(self) -> Option<u64> {
        (self.used * 1000).checked_div(self.used + self.unused)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{MINUTE, NOW_MS};
    use super::*;
    use crate::guard::{Hash8, judge};
    use crate::message::Channel;
    use numbering::Region;

    const RULES: fn() -> Rules = || Rules { mode: Mode::Shadow, ..Rules::default() };

    fn sent(minutes_ago: u64, region: &str) -> Sent {
        let at = NOW_MS - minutes_ago * MINUTE;
        Sent {
            at,
            expires: at + 5 * MINUTE,
            user: Hash8::from_bytes([1; 8]),
            number: Hash8::from_bytes([2; 8]),
            block: Hash8::from_bytes([3; 8]),
            region: Region::parse(region),
            channel: Channel::Sms,
            is_enrollment: false,
            is_recovery: false,
            would_refuse: false,
            provider: "acs".into(),
            message_id: None,
        }
    }

    fn feed(minutes_ago: u64) -> ledger::Feed {
        let mut feed = ledger::Feed::default();
        feed.newest = NOW_MS - minutes_ago * MINUTE;
        feed.last_use = feed.newest;
        feed
    }

    fn of(
        rules: &Rules,
        sends: Vec<(Sent, Fate)>,
        feed: &ledger::Feed,
        blocks: &Blocks,
    ) -> Guarded {
        let whole = Whole { sends, ..Whole::default() };
        Guarded::of(rules, &whole, feed, blocks, &Day::new(NOW_MS))
    }

    fn rate(used: u64, unused: u64, left_out: u64) -> Rate {
        Rate { used, unused, left_out }
    }

    #[test]
    fn only_what_people_had_time_for_is_in_a_rate() {
        let used = Fate::Used(NOW_MS);
        for (send, fate, expected) in [
            (sent(60, "DE"), used, rate(1, 0, 0)),
            (sent(60, "DE"), Fate::Unused, rate(0, 1, 0)),
            (sent(60, "DE"), Fate::Superseded, rate(0, 0, 1)),
            (sent(60, "DE"), Fate::Excused, rate(0, 0, 1)),
            // The newest event is two minutes old, and a send counts 15 minutes before it.
            (sent(18, "DE"), Fate::Unused, rate(0, 1, 0)),
            (sent(17, "DE"), Fate::Unused, rate(0, 0, 1)),
            // Those that are used at once would else be alone.
            (sent(17, "DE"), used, rate(0, 0, 1)),
            (Sent { is_recovery: true, ..sent(60, "DE") }, Fate::Unused, rate(0, 0, 1)),
        ] {
            let guarded = of(&RULES(), vec![(send, fate)], &feed(2), &Blocks::default());
            assert_eq!(guarded.countries, [("DE".into(), expected)], "{fate:?}");
            assert_eq!(guarded.providers, [("acs".into(), expected)]);
            assert_eq!(guarded.newest, Rate { left_out: 0, ..expected });
        }
    }

    #[test]
    fn rates_are_by_country_and_provider_and_the_one_with_most_unused_is_first() {
        let by = |provider: &str, send| Sent { provider: provider.into(), ..send };
        let sends = vec![
            (sent(60, "DE"), Fate::Used(NOW_MS)),
            (by("infobip", sent(61, "DE")), Fate::Used(NOW_MS)),
            (sent(62, "ZA"), Fate::Unused),
            (sent(63, ""), Fate::Used(NOW_MS)),
        ];
        let guarded = of(&RULES(), sends, &feed(0), &Blocks::default());
        let expected = [("ZA", rate(0, 1, 0)), ("DE", rate(2, 0, 0)), ("–", rate(1, 0, 0))];
        assert_eq!(guarded.countries, expected.map(|(name, rate)| (name.into(), rate)));
        let expected = [("acs", rate(2, 1, 0)), ("infobip", rate(1, 0, 0))];
        assert_eq!(guarded.providers, expected.map(|(name, rate)| (name.into(), rate)));
    }

    #[test]
    fn the_newest_fifty_say_how_it_is_now() {
        let unused = (60..110).map(|ago| (sent(ago, "DE"), Fate::Unused));
        let used = (200..300).map(|ago| (sent(ago, "DE"), Fate::Used(NOW_MS)));
        // In no order.
        let sends = used.chain(unused).collect();
        let guarded = of(&RULES(), sends, &feed(0), &Blocks::default());
        assert_eq!(guarded.newest, rate(0, 50, 0));
    }

    #[test]
    fn hours_are_those_of_the_day() {
        let used = Fate::Used(NOW_MS);
        let sends = vec![
            // At 14:05, 14:00 and 13:59, and a day ago.
            (sent(1, "DE"), used),
            (sent(6, "DE"), used),
            (sent(7, "DE"), used),
            (sent(23 * 60 + 6, "DE"), used),
            (sent(23 * 60 + 7, "DE"), used),
        ];
        let hour = |ago, by_guard| ledger::Hour {
            hour: NOW_MS / HOUR - ago,
            by_guard,
            by_policy: 2,
            failed: 3,
        };
        let hours = vec![hour(24, 9), hour(23, 7), hour(0, 5)];
        let whole = Whole { sends, hours, ..Whole::default() };
        let day = Day::new(NOW_MS);
        let of = |mode| {
            let rules = Rules { mode, ..Rules::default() };
            Guarded::of(&rules, &whole, &feed(0), &Blocks::default(), &day)
        };
        let guarded = of(Mode::Enforce);
        let mut expected = [0; HOURS];
        (expected[0], expected[22], expected[23]) = (1, 1, 2);
        assert_eq!(guarded.used, expected);
        let unsent = |by_guard| Unsent { by_policy: 2, by_guard, failed: 3 };
        assert_eq!((guarded.unsent[0], guarded.unsent[23]), (unsent(7), unsent(5)));
        assert_eq!(guarded.unsent[1..23], [Unsent::default(); 22]);
        assert_eq!((guarded.stopped, of(Mode::Shadow).stopped), (12, 0));
    }

    #[test]
    fn the_feed_lives_for_half_an_hour_after_the_newest_event() {
        for (minutes, is_alive) in [(0, true), (30, true), (31, false)] {
            let guarded = of(&RULES(), vec![], &feed(minutes), &Blocks::default());
            let newest = Some(NOW_MS - minutes * MINUTE);
            assert_eq!(guarded.feed, Feed { newest, is_alive }, "{minutes}");
        }
        let guarded = of(&RULES(), vec![], &ledger::Feed::default(), &Blocks::default());
        assert_eq!(guarded.feed, Feed { newest: None, is_alive: false });
    }

    #[test]
    fn a_block_is_shown_with_why_and_what_it_would_have_stopped_until_it_is_over_or_lifted() {
        let to = |index: u8, minutes_ago, would_refuse| {
            let number = Hash8::from_bytes([index; 8]);
            (Sent { number, would_refuse, ..sent(minutes_ago, "ZA") }, Fate::Unused)
        };
        let attack: Vec<_> = (0..20).map(|index| to(index, 120, false)).collect();
        let whole = Whole { sends: attack.clone(), ..Whole::default() };
        let judged_at = NOW_MS - 60 * MINUTE;
        let (blocks, _) = judge(&RULES(), &whole, &feed(61), &Blocks::default(), judged_at);
        let block = Key::Block(sent(0, "").block).to_string();
        let expected = Block {
            id: block.clone(),
            is_country: false,
            country: Some("ZA".into()),
            since: judged_at,
            until: judged_at + 12 * HOUR,
            is_probing: false,
            sends: 20,
            used: 0,
            numbers: 20,
            would_have_stopped: Some(3),
        };
        // Three more since, and one to another block.
        let mut elsewhere = to(9, 20, true);
        elsewhere.0.block = Hash8::from_bytes([4; 8]);
        let more = [to(1, 30, true), to(2, 30, true), to(3, 20, true), elsewhere];
        let sends = [attack, more.to_vec()].concat();
        let shown = |rules: &Rules| of(rules, sends.clone(), &feed(0), &blocks);
        assert_eq!(shown(&RULES()).blocks[..], *std::slice::from_ref(&expected));
        assert_eq!(shown(&RULES()).stopped, 4);

        let enforced = shown(&Rules { mode: Mode::Enforce, ..RULES() });
        assert_eq!(enforced.blocks, [Block { would_have_stopped: None, ..expected }]);

        assert_eq!(shown(&Rules { lifted: vec![block], ..RULES() }).blocks, []);

        for (hours, is_probing) in [(12, Some(true)), (11, Some(false)), (37, None)] {
            let whole = Whole::default();
            let day = Day::new(judged_at + hours * HOUR);
            let guarded = Guarded::of(&RULES(), &whole, &feed(0), &blocks, &day);
            let shown = guarded.blocks.first().map(|block| block.is_probing);
            assert_eq!(shown, is_probing, "{hours}");
        }
    }
}
