//! A week of an organisation's passcodes, and attacks on it. Always the same week: the randomness has a fixed seed.

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

pub const MINUTE: u32 = 60;
pub const HOUR: u32 = 60 * MINUTE;
pub const DAY: u32 = 24 * HOUR;
pub const WEEK: u32 = 7 * DAY;

/// A passcode that somebody asks for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Seconds from the beginning of the week, which is midnight before Monday.
    pub at: u32,
    pub user: String,
    pub number: String,
    pub is_enrollment: bool,
    /// After how many seconds the right passcode is typed in, if the message arrives.
    pub typed_in: Option<u32>,
    pub by: By,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Person,
    Attacker,
}

/// An organisation of 1,000 people in Germany, with a site in Poland and a few people in other countries. Three new ones
/// enrol a phone each day.
pub fn organisation() -> Vec<Asked> {
    let mut random = Random::new(1);
    let people: Vec<_> = (0..1000).map(|n| Person::new(n, &mut random)).collect();
    let mut asked = Vec::new();
    for day in 0..7 {
        let is_weekend = day >= 5;
        for person in &people {
            let comes = match (person.shift, is_weekend) {
                (Shift::Office, true) => 2,
                (Shift::Office, false) => 60,
                (_, _) => 55,
            };
            if !random.percent(comes) {
                continue;
            }
            let start = day * DAY + person.shift.starts_at() * HOUR;
            // Most of a shift sign in within 20 minutes.
            let at = start + random.below(20 * MINUTE) + random.below(20 * MINUTE);
            person.signs_in(at, &mut random, &mut asked);
            if random.percent(15) {
                person.signs_in(at + HOUR + random.below(6 * HOUR), &mut random, &mut asked);
            }
        }
        // New people, in office hours.
        for n in 0..3 {
            let person = Person::new(10_000 + (day * 3 + n) * 33, &mut random);
            let at = day * DAY + 9 * HOUR + random.below(6 * HOUR);
            let first = asked.len();
            person.signs_in(at, &mut random, &mut asked);
            asked[first..].iter_mut().for_each(|it| it.is_enrollment = true);
        }
    }
    asked.retain(|it| it.at < WEEK);
    asked
}

/// Sent to 100 numbers of one block, one a minute, from Tuesday 2:00 on, and to the end.
pub fn attack_on_one_block() -> Vec<Asked> {
    attack(DAY + 2 * HOUR, 6000, MINUTE, |n, _| format!("+2169812{:04}", n % 100))
}

/// Sent to numbers of 400 blocks of one country, two a minute, from Tuesday 2:00 on.
pub fn attack_on_many_blocks() -> Vec<Asked> {
    attack(DAY + 2 * HOUR, 9000, MINUTE / 2, |n, random| {
        format!("+99450{:03}{:04}", 200 + n % 400, random.below(10_000))
    })
}

/// Two an hour to one block, all week.
pub fn slow_attack() -> Vec<Asked> {
    attack(HOUR, 330, HOUR / 2, |_, random| format!("+2169813{:04}", random.below(2_000)))
}

/// Each message is for another user and of an enrolment: a sign-up that is open to everybody.
fn attack(
    from: u32,
    count: u32,
    every: u32,
    number: impl Fn(u32, &mut Random) -> String,
) -> Vec<Asked> {
    let mut random = Random::new(2);
    let asked = |n| Asked {
        at: from + n * every + random.below(every),
        user: format!("attacker-{n}"),
        number: number(n, &mut random),
        is_enrollment: true,
        typed_in: None,
        by: By::Attacker,
    };
    (0..count).map(asked).filter(|it| it.at < WEEK).collect()
}

#[derive(Clone, Copy)]
enum Shift {
    Early,
    Office,
    Late,
    Night,
}

impl Shift {
    fn starts_at(self) -> u32 {
        match self {
            Self::Early => 6,
            Self::Office => 8,
            Self::Late => 14,
            Self::Night => 22,
        }
    }
}

struct Person {
    id: u32,
    number: String,
    shift: Shift,
    /// Of a hundred passcodes, how many are typed in.
    care: u32,
}

impl Person {
    fn new(id: u32, random: &mut Random) -> Self {
        let number = match id % 100 {
            // Company phones, bought in one block.
            0..=14 => format!("+49170123{:04}", id % 10_000),
            15..=89 => format!("+4915{}{:07}", 1 + random.below(2), random.below(10_000_000)),
            // The site in Poland.
            90..=95 => format!("+485{:08}", random.below(100_000_000)),
            96 => format!("+3361{:07}", random.below(10_000_000)),
            97 => format!("+43664{:07}", random.below(10_000_000)),
            // Few people are in the countries that are attacked, some of them in the very block.
            98 => format!("+99450{:07}", 2_000_000 + random.below(4_000_000)),
            _ => format!("+2169812{:04}", random.below(10_000)),
        };
        let shift = match random.below(10) {
            0 | 1 => Shift::Early,
            2..=6 => Shift::Office,
            7 | 8 => Shift::Late,
            _ => Shift::Night,
        };
        let care = if random.percent(2) { 20 } else { 93 };
        Self { id, number, shift, care }
    }

    /// Asks for a passcode, and for another one if the first is not typed in, as often as it takes, up to three times.
    fn signs_in(&self, at: u32, random: &mut Random, asked: &mut Vec<Asked>) {
        let mut at = at;
        for _ in 0..3 {
            let typed_in = random.percent(self.care).then(|| 6 + random.below(50));
            asked.push(Asked {
                at,
                user: format!("person-{}", self.id),
                number: self.number.clone(),
                is_enrollment: false,
                typed_in,
                by: By::Person,
            });
            if typed_in.is_some() || random.percent(30) {
                return;
            }
            at += 45 + random.below(90);
        }
    }
}

struct Random(TestRng);

impl Random {
    fn new(seed: u8) -> Self {
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]))
    }

    fn below(&mut self, end: u32) -> u32 {
        self.0.next_u32() % end
    }

    fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }
}
