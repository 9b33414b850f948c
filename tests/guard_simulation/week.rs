//! A week with the guard: what it sends, refuses and learns.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use okta_telephony_acs::guard::blocks::{Probes, Target, Verdict};
use okta_telephony_acs::guard::ledger::{Converted, DAY as DAY_MS, Feed, Whole};
use okta_telephony_acs::guard::{Blocks, Fate, Hash8, Rules, Sent, Use, What, fates, judge};
use okta_telephony_acs::message::Channel;
use okta_telephony_acs::phone_number::PhoneNumber;
use okta_telephony_acs::records::Moment;
use okta_telephony_acs::records::store_key::StoreKey;

use super::traffic::{Asked, By, MINUTE, WEEK};

/// What goes wrong in a week besides.
#[derive(Clone, Debug, Default)]
pub struct Weather {
    /// No message arrives.
    pub outage: Option<Range<u32>>,
    /// Okta's events don't come; all of them come at its end.
    pub silence: Option<Range<u32>>,
}

/// How often the guard judges here. Every 30 seconds in truth: so it finds an attack later here than it would.
const JUDGES_EVERY: u32 = 10 * MINUTE;

/// When the week begins: any time, far from 1970.
const BEGIN: Moment = 1_767_571_200_000;

/// What came of a week.
#[derive(Clone, Debug, Default)]
pub struct Week {
    /// Messages to attackers.
    pub to_attackers: u32,
    /// Messages to attackers that were refused.
    pub attackers_refused: u32,
    /// Messages to people that were refused.
    pub people_refused: u32,
    /// People who got at least one of those.
    pub people_blocked: BTreeSet<String>,
    /// When something was blocked first, in seconds.
    pub first_blocked: Option<u32>,
    /// Messages to attackers by hour.
    pub by_hour: Vec<u32>,
}

/// Lives through a week. Whoever is refused asks no further for the same sign-in.
pub fn live(asked: &[Asked], rules: &Rules, weather: &Weather) -> Week {
    let mut asked: Vec<_> = asked.iter().collect();
    asked.sort_by_key(|it| it.at);
    let mut guard = Guard::new(rules);
    let mut week = Week { by_hour: vec![0; (WEEK / 3600) as usize], ..Week::default() };
    let mut asked = asked.into_iter().peekable();
    for now in (0..WEEK).step_by(JUDGES_EVERY as usize) {
        let is_silent = weather.silence.as_ref().is_some_and(|it| it.contains(&now));
        if !is_silent && guard.judge(now) {
            week.first_blocked = week.first_blocked.or(Some(now));
        }
        while let Some(it) = asked.next_if(|it| it.at < now + JUDGES_EVERY) {
            let is_sent = guard.ask(it);
            match (it.by, is_sent) {
                (By::Attacker, true) => {
                    week.to_attackers += 1;
                    week.by_hour[(it.at / 3600) as usize] += 1;
                }
                (By::Attacker, false) => week.attackers_refused += 1,
                (By::Person, true) => {}
                (By::Person, false) => {
                    week.people_refused += 1;
                    week.people_blocked.insert(it.user.clone());
                }
            }
            let arrives = !weather.outage.as_ref().is_some_and(|outage| outage.contains(&it.at));
            if let (true, true, Some(after)) = (is_sent, arrives, it.typed_in) {
                guard.typed_in(it, it.at + after);
            }
        }
    }
    week
}

/// The guard as hooks and the receiver of events have it, with one host.
struct Guard<'a> {
    rules: &'a Rules,
    key: StoreKey,
    sends: Vec<Sent>,
    /// Those that have come, and those that have yet to.
    uses: Vec<Use>,
    numbers: BTreeMap<Hash8, Converted>,
    blocks: Blocks,
    probes: Probes,
}

impl<'a> Guard<'a> {
    fn new(rules: &'a Rules) -> Self {
        Self {
            rules,
            key: StoreKey::derive(b"simulation"),
            sends: Vec::new(),
            uses: Vec::new(),
            numbers: BTreeMap::new(),
            blocks: Blocks::default(),
            probes: Probes::default(),
        }
    }

    /// Whether the message is sent.
    fn ask(&mut self, it: &Asked) -> bool {
        let now = moment(it.at);
        let number = PhoneNumber::parse(&it.number).expect("traffic has numbers");
        let canonical = number.canonical();
        let to = Target {
            number: Hash8::of_number(&self.key, &canonical),
            block: Hash8::of_block(&self.key, &canonical),
            region: number.plan().region,
        };
        match self.blocks.check(self.rules, to, &self.probes, now) {
            Verdict::Blocked { .. } => return false,
            Verdict::Probe(keys) => self.probes.count(&keys, &self.blocks, now),
            Verdict::Free
            | Verdict::ExemptPrefix
            | Verdict::ExemptNumber
            | Verdict::FeedStale
            | Verdict::Unknown => {}
        }
        self.sends.push(Sent {
            at: now,
            expires: now + 300_000,
            user: Hash8::of_user(&self.key, &it.user),
            number: to.number,
            block: to.block,
            region: to.region,
            channel: Channel::Sms,
            is_enrollment: it.is_enrollment,
            is_recovery: false,
            would_refuse: false,
            provider: String::new(),
            message_id: None,
        });
        true
    }

    fn typed_in(&mut self, it: &Asked, at: u32) {
        let uuid = format!("{} {at}", it.user);
        let what = if it.is_enrollment { What::Activated } else { What::Phone(Some(Channel::Sms)) };
        let (id, user) = (Hash8::of_event(&self.key, &uuid), Hash8::of_user(&self.key, &it.user));
        self.uses.push(Use { id, user, at: moment(at), what });
    }

    /// Judges by all events until now, and says whether something was blocked anew.
    fn judge(&mut self, now: u32) -> bool {
        let now = moment(now);
        self.sends.retain(|it| now - it.at <= DAY_MS);
        self.uses.retain(|it| now.saturating_sub(it.at) <= DAY_MS);
        let come: Vec<_> = self.uses.iter().filter(|it| it.at <= now).cloned().collect();
        let fates = fates(&self.sends, &come);
        let mut feed = Feed::default();
        // Somebody signs in every minute, be it with a password.
        feed.newest = now;
        for (send, fate) in self.sends.iter().zip(&fates) {
            let Fate::Used(at) = fate else { continue };
            feed.last_use = feed.last_use.max(*at);
            let Sent { user, number, block, region, .. } = *send;
            let it = Converted { user, number, block, region, day: at / DAY_MS };
            self.numbers.insert(number, it);
        }
        let whole = Whole {
            sends: self.sends.iter().cloned().zip(fates).collect(),
            numbers: self.numbers.values().copied().collect(),
            ..Whole::default()
        };
        let before = self.blocks.entries.len();
        (self.blocks, _) = judge(self.rules, &whole, &feed, &self.blocks, now);
        self.blocks.entries.len() > before
    }
}

fn moment(seconds: u32) -> Moment {
    BEGIN + u64::from(seconds) * 1000
}
