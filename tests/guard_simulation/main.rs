//! What the guard is worth, and what it costs people: weeks of an organisation with and without an attack.
//! `cargo test --test guard_simulation -- --nocapture` prints the tables of docs/guard.md, and draws the attacks.

mod plot;
mod traffic;
mod week;

use std::fmt::Write;
use std::sync::LazyLock;

use okta_telephony_acs::guard::{Mode, Rule, Rules};

use self::traffic::{
    Asked, By, DAY, HOUR, attack_on_many_blocks, attack_on_one_block, organisation, slow_attack,
};
use self::week::{Weather, Week, live};

/// What a message to an attacker's number costs, in cents: some that are pumped cost 10, some 40.
const CENTS: u32 = 20;

/// A week, and what it is called.
struct Scenario {
    name: &'static str,
    attack: fn() -> Vec<Asked>,
    weather: Weather,
}

fn scenarios() -> [Scenario; 8] {
    let calm = Weather::default;
    // Wednesday, when two shifts begin.
    let outage = || Weather { outage: Some(2 * DAY + 6 * HOUR..2 * DAY + 9 * HOUR), ..calm() };
    let silence = || Weather { silence: Some(2 * DAY + 5 * HOUR..2 * DAY + 17 * HOUR), ..calm() };
    let all = || [attack_on_one_block(), attack_on_many_blocks(), slow_attack()].concat();
    [
        Scenario { name: "no attack", attack: Vec::new, weather: calm() },
        Scenario { name: "one block, one a minute", attack: attack_on_one_block, weather: calm() },
        Scenario {
            name: "400 blocks, two a minute",
            attack: attack_on_many_blocks,
            weather: calm(),
        },
        Scenario { name: "one block, two an hour", attack: slow_attack, weather: calm() },
        Scenario { name: "all three at once", attack: all, weather: calm() },
        Scenario { name: "no message arrives for 3 h", attack: Vec::new, weather: outage() },
        Scenario { name: "no event comes for 12 h", attack: Vec::new, weather: silence() },
        Scenario {
            name: "one block, no event for 12 h",
            attack: attack_on_one_block,
            weather: silence(),
        },
    ]
}

fn rules() -> Rules {
    Rules { mode: Mode::Enforce, ..Rules::default() }
}

/// The settings that were compared. The first are the defaults.
fn settings() -> [(&'static str, Rules); 7] {
    let block = |rule| Rules { block: rule, ..rules() };
    let country = |rule| Rules { country: rule, ..rules() };
    let Rules { block: of_block, country: of_country, .. } = rules();
    [
        ("the defaults", rules()),
        ("5 sends to a block", block(Rule { sends: 5, ..of_block })),
        ("20 sends to a block", block(Rule { sends: 20, ..of_block })),
        ("half of a block used", block(Rule { used: 0.5, ..of_block })),
        ("10 sends to a country", country(Rule { sends: 10, ..of_country })),
        ("mature after 5 min", Rules { matures_after: 5 * 60_000, ..rules() }),
        ("mature after 60 min", Rules { matures_after: 60 * 60_000, ..rules() }),
    ]
}

static ORGANISATION: LazyLock<Vec<Asked>> = LazyLock::new(organisation);

fn week(rules: &Rules, scenario: &Scenario) -> Week {
    live(&[&ORGANISATION[..], &(scenario.attack)()].concat(), rules, &scenario.weather)
}

/// Does the same with each, all at once.
fn with_each<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = items.iter().map(|it| scope.spawn(move || work(it))).collect();
        running.into_iter().map(|it| it.join().expect("a week does not panic")).collect()
    })
}

fn hours_and_minutes(seconds: u32) -> String {
    format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60)
}

/// The table of the weeks with the defaults, and the weeks.
fn of_weeks() -> (String, Vec<Week>) {
    let scenarios = scenarios();
    let rules = rules();
    let weeks = with_each(&scenarios, |it| week(&rules, it));
    let mut table = "| a week | the attacker's messages without the guard | with it | money saved | first blocked after | people's messages refused |\n|---|---|---|---|---|---|\n".to_owned();
    for (scenario, week) in scenarios.iter().zip(&weeks) {
        let attack = (scenario.attack)();
        let begin = attack.iter().map(|it| it.at).min();
        let after = week.first_blocked.zip(begin).map(|(at, begin)| hours_and_minutes(at - begin));
        let saved = attack.len() as u32 - week.to_attackers;
        let figures = match attack.len() {
            0 => "– | – | –".to_owned(),
            without => format!("{without} | {} | {} €", week.to_attackers, saved * CENTS / 100),
        };
        let after = after.unwrap_or("–".into());
        writeln!(table, "| {} | {figures} | {after} | {} |", scenario.name, week.people_refused)
            .expect("a text");
    }
    (table, weeks)
}

/// The table of the settings.
fn of_settings() -> String {
    let scenarios = scenarios();
    let rows = with_each(&settings(), |(name, rules)| {
        let weeks: Vec<_> = scenarios[..6].iter().map(|it| week(rules, it)).collect();
        let refused: u32 = weeks.iter().map(|it| it.people_refused).sum();
        let [one, many, slow] = [1, 2, 3].map(|at| weeks[at].to_attackers);
        format!("| {name} | {one} | {many} | {slow} | {refused} |\n")
    });
    "| with | one block | 400 blocks | slow | people's messages refused in six weeks |\n|---|---|---|---|---|\n".to_owned()
        + &rows.join("")
}

#[test]
fn the_organisation_asks_for_some_thousand_passcodes_of_which_most_are_typed_in() {
    let all = ORGANISATION.len();
    let typed_in = ORGANISATION.iter().filter(|it| it.typed_in.is_some()).count();
    println!("{all} passcodes in a week, {typed_in} typed in");
    assert!((3_000..6_000).contains(&all), "{all}");
    assert!((80..95).contains(&(100 * typed_in / all)), "{typed_in}");
    assert!(ORGANISATION.iter().all(|it| it.by == By::Person));
}

/// The tables and what they rest on, as docs/guard.md has them.
#[test]
fn the_guard_stops_attacks_of_three_kinds_and_nobody_who_used_a_passcode_before() {
    let (table, weeks) = of_weeks();
    let of_settings = of_settings();
    println!("{table}\n{of_settings}");
    let [quiet, one_block, many_blocks, slow, all, outage, silence, silent_attack] = &weeks[..]
    else {
        unreachable!()
    };
    plot::draw(&[
        ("One block of numbers, one message a minute", attack_on_one_block(), one_block),
        ("400 blocks of one country, two a minute", attack_on_many_blocks(), many_blocks),
        ("One block, two an hour", slow_attack(), slow),
    ]);
    for week in [quiet, outage, silence] {
        assert_eq!((week.people_refused, week.first_blocked), (0, None));
    }
    for (week, most) in [(one_block, 150), (many_blocks, 150), (slow, 40), (all, 300)] {
        assert!(week.to_attackers < most, "{} messages", week.to_attackers);
    }
    // New people in a country that is blocked.
    for week in &weeks {
        assert!(week.people_refused < 30, "{:?}", week.people_blocked);
    }
    // A feed that is stale opens the guard, and the limits alone are left.
    assert!(silent_attack.to_attackers > 500);
    held_by_the_page(&table);
    held_by_the_page(&of_settings);
}

fn held_by_the_page(table: &str) {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guard.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    assert!(page.contains(table), "docs/guard.md must have this table:\n{table}");
}
