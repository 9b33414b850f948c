//! What is blocked: a pure function of what was sent and used, and of what was blocked before.

use std::collections::{BTreeMap, BTreeSet};

use numbering::Region;

use super::blocks::{BestDay, Blocks, Entry, Key, MOST_ENTRIES, MOST_EXEMPT, PROBES, State};
use super::ledger::{DAY, Feed, HOUR, Whole};
use super::rules::{Rules, Tally};
use super::{Fate, Hash8, Sent};
use crate::records::Moment;

/// How long ago a passcode must have been used at most for anything to be blocked anew: else Okta's event hook may leave out
/// those that tell of it.
const USED_WITHIN: u64 = 7 * DAY;

/// For how many days the best one of a country is known.
const BEST_OF: u64 = 14;

/// Of the passcodes used on a country's best day, so many must be unused before the country is blocked: a share.
const OF_BEST_DAY: f64 = 0.3;

/// How many passcodes must be used on a country's best day for it to be a home without being said to be one.
const HOME: u32 = 20;

/// How many sends of an hour tell an outage, all of them to numbers that have used a passcode.
const OUTAGE_SENDS: u32 = 20;

/// Which share of them is used at most in an outage.
const OUTAGE_USED: f64 = 0.2;

/// What a judgement changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub what: Changed,
    /// To what; `None` of an outage.
    pub key: Option<Key>,
    /// The country, of a block of numbers too, if it is known.
    pub region: Option<Region>,
    /// Why.
    pub tally: Tally,
    /// Until when it is blocked, where it is.
    pub until: Option<Moment>,
}

impl Change {
    /// The name of the block of numbers, by which it can be lifted; `None` of a country.
    pub fn block(&self) -> Option<String> {
        self.key.filter(|key| matches!(key, Key::Block(_))).map(|key| key.to_string())
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is blocked.
    Blocked,
    /// The block is over, and few passcodes are sent to find out whether they are used again.
    Probing,
    /// Passcodes are used again, or it turned out that they had been.
    Cleared,
    /// The operator lifted the block.
    Lifted,
    /// Passcodes are used nowhere. Nothing is blocked anew.
    Outage,
}

impl Changed {
    /// The name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Probing => "probing",
            Self::Cleared => "cleared",
            Self::Lifted => "lifted",
            Self::Outage => "outage",
        }
    }
}

/// Judges: what is blocked now, and what changed.
///
/// Only sends that have [matured](Rules::matures_after) count as unused, so that events which are late block nothing; and a
/// stale feed, on which nothing matures, blocks nothing anew.
pub fn judge(
    rules: &Rules,
    whole: &Whole,
    feed: &Feed,
    former: &Blocks,
    now: Moment,
) -> (Blocks, Vec<Change>) {
    let counted = Counted::of(rules, whole, feed, now);
    let mut blocks = Blocks {
        judged: now,
        newest: feed.newest,
        best_days: best_days(&former.best_days, whole, now),
        ..Blocks::default()
    };
    blocks.is_outage = counted.is_outage();
    let mut changes = Vec::new();
    if blocks.is_outage && !former.is_outage {
        let tally = tally(counted.last_hour_of_known());
        changes.push(Change { what: Changed::Outage, key: None, region: None, tally, until: None });
    }
    let hears_of_uses = feed.last_use != 0 && now.saturating_sub(feed.last_use) <= USED_WITHIN;
    let may_block = hears_of_uses && !blocks.is_outage && !blocks.is_stale(now);
    for entry in &former.entries {
        let (entry, change) = counted.go_on(rules, entry.clone(), &former.exempt, may_block, now);
        changes.extend(change);
        blocks.entries.extend(entry);
    }
    if may_block {
        for (key, sends) in &counted.by_key {
            let known = blocks.entries.iter().position(|entry| entry.key == *key);
            let entry = known.map(|at| &blocks.entries[at]);
            let is_open = entry.is_none_or(|entry| entry.state(now) == State::Open);
            let is_spared = match key {
                Key::Country(region) => is_home(rules, &blocks, *region),
                Key::Block(_) => false,
            };
            if !is_open || is_spared || rules.lift(*key) {
                continue;
            }
            let since = entry.map_or(0, Entry::counts_since);
            let tally = tally(sends.iter().filter(|it| it.is_mature && it.send.at > since));
            if !tally.breaks(rules.of(*key)) || is_usual(&blocks, *key, tally) {
                continue;
            }
            let entry = Entry {
                key: *key,
                region: sends.first().and_then(|it| it.send.region),
                rung: entry.map_or(0, |entry| entry.rung.saturating_add(1)),
                counts_from: since,
                since: now,
                tally,
                cleared: None,
                has_ended: false,
            };
            if let Some(at) = known {
                changes.push(entry.change(Changed::Blocked));
                blocks.entries[at] = entry;
            } else if blocks.entries.len() < MOST_ENTRIES {
                changes.push(entry.change(Changed::Blocked));
                blocks.entries.push(entry);
            }
        }
    }
    blocks.exempt = exempt(&blocks, whole, now);
    (blocks, changes)
}

impl Entry {
    fn change(&self, what: Changed) -> Change {
        let until = matches!(what, Changed::Blocked).then(|| self.until());
        let Self { key, region, tally, .. } = *self;
        Change { what, key: Some(key), region, tally, until }
    }
}

/// A send that counts.
#[derive(Clone, Copy)]
struct Count<'a> {
    send: &'a Sent,
    is_used: bool,
    /// It was used, or is old enough to count as unused.
    is_mature: bool,
}

/// The sends that count.
struct Counted<'a> {
    all: Vec<Count<'a>>,
    by_key: BTreeMap<Key, Vec<Count<'a>>>,
    /// The numbers that have used a passcode.
    known: BTreeSet<Hash8>,
    /// From when on sends are of the last hour in which they mature.
    hour_ago: Moment,
}

impl<'a> Counted<'a> {
    fn of(rules: &Rules, whole: &'a Whole, feed: &Feed, now: Moment) -> Self {
        let is_mature = |send: &Sent| send.at.saturating_add(rules.matures_after) < feed.newest;
        let count = |(send, fate): &'a (Sent, Fate)| {
            let is_used = match fate {
                Fate::Used(_) => true,
                Fate::Unused => false,
                Fate::Superseded | Fate::Excused => return None,
            };
            let is_of_last_day = now.saturating_sub(send.at) <= DAY;
            (is_of_last_day && !send.is_recovery).then(|| Count {
                send,
                is_used,
                is_mature: is_used || is_mature(send),
            })
        };
        let all: Vec<_> = whole.sends.iter().filter_map(count).collect();
        let mut by_key = BTreeMap::<Key, Vec<Count<'a>>>::new();
        for it in &all {
            by_key.entry(Key::Block(it.send.block)).or_default().push(*it);
            if let Some(region) = it.send.region {
                by_key.entry(Key::Country(region)).or_default().push(*it);
            }
        }
        let hour_ago = feed.newest.saturating_sub(rules.matures_after + HOUR);
        let known = whole.numbers.iter().map(|it| it.number).collect();
        Self { all, by_key, known, hour_ago }
    }

    fn of_key(&self, key: Key) -> &[Count<'a>] {
        self.by_key.get(&key).map(Vec::as_slice).unwrap_or_default()
    }

    /// The newest sends that have matured, those of an hour, to numbers that have used a passcode.
    fn last_hour_of_known(&self) -> impl Iterator<Item = &Count<'a>> {
        let is_of_hour = |it: &&Count<'_>| it.is_mature && it.send.at >= self.hour_ago;
        self.all.iter().filter(is_of_hour).filter(|it| self.known.contains(&it.send.number))
    }

    /// Whether passcodes are used nowhere: few even of those to numbers that have used one before. An attack's numbers are not
    /// among those, so that nobody can make an attack look like an outage by spreading it.
    fn is_outage(&self) -> bool {
        let tally = tally(self.last_hour_of_known());
        tally.sends >= OUTAGE_SENDS && f64::from(tally.used) < OUTAGE_USED * f64::from(tally.sends)
    }

    /// What becomes of an entry, and the change that is told.
    fn go_on(
        &self,
        rules: &Rules,
        mut entry: Entry,
        exempt: &[Hash8],
        may_block: bool,
        now: Moment,
    ) -> (Option<Entry>, Option<Change>) {
        if rules.lift(entry.key) {
            let change = entry.cleared.is_none().then(|| entry.change(Changed::Lifted));
            return (None, change);
        }
        let is_exempt = |number: &Hash8| exempt.binary_search(number).is_ok();
        let sends = self.of_key(entry.key).iter();
        let until = entry.until();
        match entry.state(now) {
            State::Blocked => {
                // Uses that were told of late. After probes those of exempt numbers, which all pass, say nothing.
                let counts = |it: &&Count<'_>| {
                    (entry.counts_from.saturating_add(1)..=entry.since).contains(&it.send.at)
                        && (entry.rung == 0 || !is_exempt(&it.send.number))
                };
                let used = sends.filter(counts).filter(|it| it.is_used).count() as u32;
                // Those that have grown too old since are still in the tally.
                entry.tally.used = entry.tally.used.max(used).min(entry.tally.sends);
                if rules.of(entry.key).is_few(entry.tally.used, entry.tally.sends) {
                    return (Some(entry), None);
                }
                let change = entry.change(Changed::Cleared);
                // Sends of before the former block must not count again.
                let has_former = entry.rung > 0;
                entry.cleared = Some(now);
                (Some(entry).filter(|_| has_former), Some(change))
            }
            State::Probing => {
                let probes: Vec<_> =
                    sends.filter(|it| it.send.at > until && !is_exempt(&it.send.number)).collect();
                if probes.iter().any(|it| it.is_used) {
                    entry.cleared = Some(now);
                    let change = entry.change(Changed::Cleared);
                    return (Some(entry), Some(change));
                }
                let tally = tally(probes.into_iter().filter(|it| it.is_mature));
                if tally.sends >= PROBES && may_block {
                    entry.rung = entry.rung.saturating_add(1);
                    (entry.counts_from, entry.since) = (until, now);
                    (entry.tally, entry.has_ended) = (tally, false);
                    let change = entry.change(Changed::Blocked);
                    return (Some(entry), Some(change));
                }
                let change = (!entry.has_ended).then(|| entry.change(Changed::Probing));
                entry.has_ended = true;
                (Some(entry), change)
            }
            State::Open => match entry.cleared {
                None => (None, Some(entry.change(Changed::Cleared))),
                Some(at) => (Some(entry).filter(|_| now.saturating_sub(at) < DAY), None),
            },
        }
    }
}

fn tally<'a>(sends: impl Iterator<Item = &'a Count<'a>>) -> Tally {
    Tally::of(sends.map(|it| (it.send.number, it.is_used)))
}

/// Whether so many unused ones are usual in a country: fewer than a share of what is used there on a good day.
fn is_usual(blocks: &Blocks, key: Key, tally: Tally) -> bool {
    let Key::Country(region) = key else { return false };
    f64::from(tally.unused()) <= OF_BEST_DAY * f64::from(blocks.best_day(region))
}

/// Whether a country is never blocked as a whole.
fn is_home(rules: &Rules, blocks: &Blocks, region: Region) -> bool {
    if !rules.home_countries.is_empty() {
        return rules.home_countries.contains(&region);
    }
    let best = blocks.best_days.iter().max_by_key(|it| it.used);
    best.is_some_and(|it| it.region == region && it.used >= HOME)
}

/// The best days of 14: those that no later one of the same country was as good as.
fn best_days(former: &[BestDay], whole: &Whole, now: Moment) -> Vec<BestDay> {
    let mut days = BTreeMap::<(Region, u64), u32>::new();
    for (send, fate) in &whole.sends {
        if let (Some(region), Fate::Used(at)) = (send.region, fate) {
            *days.entry((region, at / DAY)).or_default() += 1;
        }
    }
    // Of a day that has left the ledger in part, more was known before.
    for BestDay { region, day, used } in former {
        let known = days.entry((*region, *day)).or_default();
        *known = (*known).max(*used);
    }
    let today = now / DAY;
    let mut best = Vec::<BestDay>::new();
    for ((region, day), used) in days.into_iter().rev() {
        let is_of_last_days = (today.saturating_sub(BEST_OF - 1)..=today + 1).contains(&day);
        let is_better = best.iter().all(|it| it.region != region || it.used < used);
        if is_of_last_days && is_better {
            best.push(BestDay { region, day, used });
        }
    }
    best
}

/// The numbers of blocked keys that used a passcode lately: the newest first to stay, sorted in the end.
fn exempt(blocks: &Blocks, whole: &Whole, now: Moment) -> Vec<Hash8> {
    let is_blocked = |key| blocks.of(key).is_some_and(|entry| entry.state(now) != State::Open);
    let mut numbers: Vec<_> = whole
        .numbers
        .iter()
        .filter(|it| {
            is_blocked(Key::Block(it.block))
                || it.region.is_some_and(|region| is_blocked(Key::Country(region)))
        })
        .map(|it| (it.day, it.number))
        .collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    let mut numbers: Vec<_> = numbers.into_iter().map(|(_, number)| number).collect();
    let mut seen = BTreeSet::new();
    numbers.retain(|number| seen.insert(*number));
    numbers.truncate(MOST_EXEMPT);
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests {
    use super::super::blocks::{FEED_LIVES, Probes, Target, Verdict};
    use super::super::fate::tests::send;
    use super::super::ledger::Converted;
    use super::super::rules::length;
    use super::*;
    use proptest::prelude::*;

    const MINUTE: u64 = 60_000;
    const NOW: Moment = 400 * DAY;

    fn hash(kind: u8, number: usize) -> Hash8 {
        let [low, high] = (number as u16).to_le_bytes();
        Hash8::from_bytes([kind, low, high, 0, 0, 0, 0, 0])
    }

    fn region(code: &str) -> Region {
        Region::parse(code).unwrap()
    }

    /// Sends to a block of a country, each to a number of its own, an hour before `at`; the first `used` are used.
    fn sends(at: Moment, code: &str, block: u8, count: usize, used: usize) -> Vec<(Sent, Fate)> {
        let one = |n| {
            let at = at - HOUR + n as u64;
            let sent = Sent {
                at,
                expires: at + 5 * MINUTE,
                user: hash(0, n),
                number: hash(block, n),
                block: hash(100, block.into()),
                region: Some(region(code)),
                ..send(1, 1, 0)
            };
            (sent, if n < used { Fate::Used(at + 1) } else { Fate::Unused })
        };
        (0..count).map(one).collect()
    }

    fn block(number: u8) -> Key {
        Key::Block(hash(100, number.into()))
    }

    fn feed(now: Moment) -> Feed {
        let mut feed = Feed::default();
        (feed.newest, feed.last_use) = (now, now);
        feed
    }

    fn whole(sends: impl IntoIterator<Item = Vec<(Sent, Fate)>>) -> Whole {
        Whole { sends: sends.into_iter().flatten().collect(), ..Whole::default() }
    }

    fn first(whole: &Whole) -> (Blocks, Vec<Change>) {
        judge(&Rules::default(), whole, &feed(NOW), &Blocks::default(), NOW)
    }

    fn blocked(whole: &Whole) -> Vec<String> {
        first(whole).0.entries.iter().map(|it| it.key.scope().to_owned()).collect()
    }

    /// Somebody uses passcodes, so that there is no outage.
    fn ordinary() -> Vec<(Sent, Fate)> {
        sends(NOW, "DE", 99, 100, 90)
    }

    #[test]
    fn a_block_of_numbers_is_blocked_from_ten_sends_to_five_numbers_on_of_which_one_in_twenty_is_used()
     {
        for (count, used, is_blocked) in [
            (9, 0, false),
            (10, 0, true),
            (10, 1, false),
            (20, 1, true),
            (39, 2, false),
            (40, 2, true),
        ] {
            let attack = sends(NOW, "TN", 1, count, used);
            let keys = blocked(&whole([ordinary(), attack]));
            assert_eq!(keys.contains(&"block".to_owned()), is_blocked, "{count} {used}");
        }
        let mut few = sends(NOW, "TN", 1, 20, 0);
        few.iter_mut()
            .for_each(|(send, _)| send.number = hash(1, usize::from(send.number.spread(4) as u16)));
        assert!(Tally::of(few.iter().map(|(send, _)| (send.number, false))).numbers < 5);
        assert!(blocked(&whole([ordinary(), few])).is_empty());
    }

    #[test]
    fn a_country_is_blocked_from_thirty_sends_on_of_which_one_in_ten_is_used_and_a_home_never() {
        let spread = |code, count: u8, used: u8| {
            (0..count)
                .flat_map(move |n| sends(NOW, code, n, 1, usize::from(n < used)))
                .collect::<Vec<_>>()
        };
        for (code, count, used, is_blocked) in [
            ("TN", 29, 0, false),
            ("TN", 30, 0, true),
            ("TN", 30, 3, true),
            ("TN", 30, 4, false),
            ("DE", 90, 0, false),
        ] {
            let keys = blocked(&whole([ordinary(), spread(code, count, used)]));
            assert_eq!(keys, vec!["country"; usize::from(is_blocked)], "{code} {count} {used}");
        }
        let rules = Rules { home_countries: vec![region("TN")], ..Rules::default() };
        let whole = whole([ordinary(), spread("TN", 30, 0)]);
        let (blocks, _) = judge(&rules, &whole, &feed(NOW), &Blocks::default(), NOW);
        assert!(blocks.entries.is_empty());
    }

    #[test]
    fn a_country_with_good_days_is_blocked_only_if_as_much_is_unused_as_is_unusual_there() {
        let day = |used| BestDay { region: region("TN"), day: NOW / DAY - 3, used };
        let attack = (0..90).flat_map(|n| sends(NOW, "TN", n, 1, 0)).collect();
        let whole = whole([ordinary(), attack]);
        for (used, is_blocked) in [(0, true), (299, true), (300, false)] {
            let rules = Rules { home_countries: vec![region("DE")], ..Rules::default() };
            let former = Blocks { best_days: vec![day(used)], ..Blocks::default() };
            let (blocks, _) = judge(&rules, &whole, &feed(NOW), &former, NOW);
            assert_eq!(blocks.entries.len(), usize::from(is_blocked), "{used}");
            // It is forgotten after 14 days.
            let (blocks, _) = judge(
                &rules,
                &whole,
                &feed(NOW),
                &Blocks { best_days: vec![BestDay { day: NOW / DAY - 14, ..day(used) }], ..former },
                NOW,
            );
            assert_eq!(blocks.entries.len(), 1, "{used}");
        }
    }

    #[test]
    fn what_says_nothing_of_an_attack_is_in_no_ratio() {
        type Change = fn(&mut (Sent, Fate));
        for (what, change) in [
            ("superseded", (|it| it.1 = Fate::Superseded) as Change),
            ("excused", |it| it.1 = Fate::Excused),
            ("of a recovery", |it| it.0.is_recovery = true),
            ("not mature", |it| it.0.at = NOW - 15 * MINUTE),
            ("of yesterday", |it| it.0.at = NOW - DAY - 1),
        ] {
            let mut attack = sends(NOW, "TN", 1, 100, 0);
            attack.iter_mut().for_each(change);
            assert!(blocked(&whole([ordinary(), attack])).is_empty(), "{what}");
        }
    }

    #[test]
    fn a_feed_that_is_stale_or_tells_of_no_use_blocks_nothing_anew() {
        let whole = whole([ordinary(), sends(NOW, "TN", 1, 20, 0)]);
        for (newest, last_use, count) in [
            (NOW, NOW, 1),
            (NOW - FEED_LIVES, NOW, 1),
            (NOW - FEED_LIVES - 1, NOW, 0),
            (NOW, NOW - 7 * DAY, 1),
            (NOW, NOW - 7 * DAY - 1, 0),
            (NOW, 0, 0),
            (0, 0, 0),
        ] {
            let mut feed = Feed::default();
            (feed.newest, feed.last_use) = (newest, last_use);
            let (blocks, _) = judge(&Rules::default(), &whole, &feed, &Blocks::default(), NOW);
            assert_eq!(blocks.entries.len(), count, "{newest} {last_use}");
        }
    }

    #[test]
    fn an_outage_blocks_nothing_and_is_told_once_and_an_attack_is_none() {
        let everywhere: Vec<_> = (0..60).flat_map(|n| sends(NOW, "DE", n, 12, 0)).collect();
        let known = |(send, _): &(Sent, Fate)| {
            let Sent { user, number, block, region, .. } = *send;
            Converted { user, number, block, region, day: NOW / DAY - 1 }
        };
        let numbers = everywhere.iter().map(known).collect();
        let rules = Rules { home_countries: vec![region("DE")], ..Rules::default() };
        let outage = Whole { numbers, ..whole([everywhere]) };
        let (blocks, changes) = judge(&rules, &outage, &feed(NOW), &Blocks::default(), NOW);
        assert!(blocks.entries.is_empty() && blocks.is_outage);
        assert_eq!(changes.iter().map(|it| it.what).collect::<Vec<_>>(), [Changed::Outage]);
        let (_, again) = judge(&rules, &outage, &feed(NOW), &blocks, NOW);
        assert!(again.is_empty());

        let attack: Vec<_> = (0..60).flat_map(|n| sends(NOW, "TN", n, 12, 0)).collect();
        let (blocks, _) = judge(&rules, &whole([attack]), &feed(NOW), &Blocks::default(), NOW);
        assert!(!blocks.is_outage);
        assert_eq!(blocks.entries.len(), 61, "60 blocks and their country");
        // Nor is one that is spread over countries.
        let spread = ["TN", "AZ", "SN", "LK", "ML"].map(|country| sends(NOW, country, 7, 40, 0));
        let (blocks, _) = judge(&rules, &whole(spread), &feed(NOW), &Blocks::default(), NOW);
        assert!(!blocks.is_outage && !blocks.entries.is_empty());
    }

    /// One block after the other, as long as no probe is used.
    #[test]
    fn blocks_last_longer_each_time_that_three_probes_are_not_used_and_one_that_is_ends_them() {
        let rules = Rules::default();
        let (mut blocks, _) = first(&whole([ordinary(), sends(NOW, "TN", 1, 20, 0)]));
        for (rung, hours) in [(0, 12), (1, 24), (2, 48), (3, 168), (4, 168)] {
            let entry = blocks.of(block(1)).unwrap();
            assert_eq!((entry.rung, entry.until() - entry.since), (rung, hours * HOUR));
            let end = entry.until();
            assert_eq!(entry.state(end - 1), State::Blocked);
            let probe = |count, used| whole([sends(end + 2 * HOUR, "TN", 1, count, used)]);
            let go_on = |whole: &Whole, at| judge(&rules, whole, &feed(at), &blocks, at);

            let (probing, changes) = go_on(&Whole::default(), end + 1);
            assert_eq!(changes[0].what, Changed::Probing);
            let (_, changes) = judge(&rules, &Whole::default(), &feed(end + 2), &probing, end + 2);
            assert!(changes.is_empty(), "it is told once");
            assert!(go_on(&probe(2, 0), end + 2 * HOUR).0.of(block(1)).unwrap().rung == rung);

            let (cleared, changes) = go_on(&probe(3, 1), end + 2 * HOUR);
            assert_eq!(changes[0].what, Changed::Cleared);
            assert_eq!(cleared.of(block(1)).unwrap().state(end + 3 * HOUR), State::Open);
            let (_, changes) = go_on(&Whole::default(), end + DAY);
            assert_eq!(changes[0].what, Changed::Cleared, "nobody asks any more");

            let (again, changes) = go_on(&probe(3, 0), end + 2 * HOUR);
            assert_eq!(changes[0].what, Changed::Blocked);
            blocks = again;
        }
    }

    #[test]
    fn after_a_block_only_sends_since_its_end_count() {
        let rules = Rules::default();
        let entry = |cleared| Entry {
            key: block(1),
            region: None,
            rung: 0,
            since: cleared - 13 * HOUR,
            tally: Tally::default(),
            counts_from: 0,
            cleared: Some(cleared),
            has_ended: true,
        };
        for (cleared, rung) in [(NOW - 2 * HOUR, Some(1)), (NOW - HOUR + 11, None)] {
            let former = Blocks { entries: vec![entry(cleared)], ..Blocks::default() };
            let whole = whole([ordinary(), sends(NOW, "TN", 1, 20, 0)]);
            let (blocks, changes) = judge(&rules, &whole, &feed(NOW), &former, NOW);
            assert_eq!(changes.iter().any(|it| it.what == Changed::Blocked), rung.is_some());
            assert_eq!(blocks.of(block(1)).unwrap().rung, rung.unwrap_or(0));
        }
    }

    #[test]
    fn uses_that_are_told_of_late_end_a_block_and_so_does_the_operator() {
        let (blocks, _) = first(&whole([ordinary(), sends(NOW, "TN", 1, 20, 0)]));
        let now = NOW + HOUR;
        for (used, is_over) in [(1, false), (2, true)] {
            let late = whole([sends(NOW, "TN", 1, 20, used)]);
            let (after, changes) = judge(&Rules::default(), &late, &feed(now), &blocks, now);
            assert_eq!(after.entries.is_empty(), is_over);
            assert_eq!(changes.len(), usize::from(is_over));
        }
        let rules = Rules { lifted: vec![block(1).to_string()], ..Rules::default() };
        let same = whole([ordinary(), sends(NOW, "TN", 1, 20, 0)]);
        let (after, changes) = judge(&rules, &same, &feed(now), &blocks, now);
        assert!(after.entries.is_empty());
        assert_eq!(changes[0].what, Changed::Lifted);
    }

    fn check(blocks: &Blocks, rules: &Rules, number: Hash8, now: Moment) -> Verdict {
        let to = Target { number, block: hash(100, 1), region: Some(region("TN")) };
        blocks.check(rules, to, &Probes::default(), now)
    }

    #[test]
    fn a_blocked_number_is_told_until_when_and_one_that_used_a_passcode_is_exempt() {
        let mut whole = whole([ordinary(), sends(NOW, "TN", 1, 20, 0)]);
        let exempt = Converted {
            user: hash(0, 1),
            number: hash(1, 1),
            block: hash(100, 1),
            region: None,
            day: NOW / DAY - 80,
        };
        let elsewhere = Converted { number: hash(2, 1), block: hash(100, 2), ..exempt };
        whole.numbers = vec![exempt, elsewhere];
        let (blocks, _) = first(&whole);
        assert_eq!(blocks.exempt, [hash(1, 1)]);
        let rules = Rules::default();
        let until = NOW + length(0);
        assert_eq!(
            check(&blocks, &rules, hash(1, 2), NOW),
            Verdict::Blocked { key: block(1), until }
        );
        assert_eq!(check(&blocks, &rules, hash(1, 1), NOW), Verdict::ExemptNumber);
        let lifted = Rules { lifted: vec![block(1).to_string()], ..Rules::default() };
        assert_eq!(check(&blocks, &lifted, hash(1, 2), NOW), Verdict::Free);
        assert_eq!(check(&blocks, &rules, hash(1, 2), NOW + FEED_LIVES + 1), Verdict::FeedStale);
        assert_eq!(check(&Blocks::default(), &rules, hash(1, 2), NOW), Verdict::FeedStale);
    }

    #[test]
    fn three_probes_an_hour_are_sent_once_a_block_is_over() {
        let (mut blocks, _) = first(&whole([ordinary(), sends(NOW, "TN", 1, 20, 0)]));
        let end = blocks.of(block(1)).unwrap().until();
        blocks.newest = end + 2 * HOUR;
        let to = Target { number: hash(1, 7), block: hash(100, 1), region: None };
        let mut probes = Probes::default();
        for hour in 0..2 {
            let now = end + hour * HOUR;
            for _ in 0..PROBES {
                let verdict = blocks.check(&Rules::default(), to, &probes, now);
                assert_eq!(verdict, Verdict::Probe(vec![block(1)]));
                probes.count(&[block(1)], &blocks, now);
            }
            let verdict = blocks.check(&Rules::default(), to, &probes, now);
            let until = now + HOUR;
            assert_eq!(verdict, Verdict::Blocked { key: block(1), until });
        }
        probes.count(&[], &Blocks::default(), end);
        assert_eq!(probes, Probes::default());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn more_uses_never_block_more_and_what_is_kept_is_bounded(
            counts in prop::collection::vec((1..40_usize, 0..40_usize), 1..30), numbers in 0..3000_usize
        ) {
            let ordinary = || sends(NOW, "DE", 99, 3000, 2700);
            let attack = |more: usize| {
                let all = counts.iter().zip(0..).map(|((count, used), n)| {
                    sends(NOW, "TN", n, *count, (used + more).min(*count))
                });
                let exempt = (0..numbers).map(|n| Converted {
                    user: hash(0, n), number: hash(1, n), block: hash(100, 0), region: Some(region("TN")), day: NOW / DAY,
                });
                Whole { numbers: exempt.collect(), ..whole(all.chain([ordinary()])) }
            };
            let (some, _) = first(&attack(0));
            let (fewer, _) = first(&attack(3));
            for entry in &fewer.entries {
                prop_assert!(some.of(entry.key).is_some(), "{:?}", entry);
            }
            prop_assert!(some.exempt.len() <= MOST_EXEMPT && some.entries.len() <= MOST_ENTRIES);
            prop_assert!(some.exempt.is_sorted());
        }
    }
}
