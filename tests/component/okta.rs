//! The whole of it, with the stand-in for Okta that `cargo run` has: people sign in and type their passcodes in, an attacker
//! asks for a hundred of one block, and the guard learns from Okta's events which is which.

use std::time::Duration;

use okta_telephony_dev::okta::{EventHook, Okta, Settings, SignIns, Traffic};
use serde_json::Value;

use crate::harness::{HOOK_PATH, Hook, SECRET, Setup, basic, within};
use crate::okta_events;

/// For what a machine under load takes its time for.
const BOUND: Duration = Duration::from_secs(60);

/// A hook whose guard takes a second for what it takes a quarter of an hour for otherwise. All numbers are American.
fn setup(mode: &str) -> Setup {
    okta_events::setup().settings(&format!(
        "guard.mode = '{mode}'
         guard.matures_after = '1s'
         guard.home_countries = ['US']
         limits.per_number = ''"
    ))
}

/// Stands in for Okta, in a hurry.
pub async fn stand_in(hook: &Hook) -> Okta {
    let url = |path: &str| format!("{}{path}", hook.host.url());
    let credential = basic("events", okta_events::EVENT_SECRET);
    let event_hook = EventHook {
        together: Duration::from_millis(50),
        ..EventHook::new(url(okta_events::PATH), credential)
    };
    let credential = basic("okta", SECRET);
    let settings = Settings::new(url(HOOK_PATH), credential, hook.acs.phone());
    let okta = Okta::start(Settings {
        event_hook: Some(event_hook),
        pace: Duration::ZERO,
        typing_time: Duration::ZERO,
        others: Duration::from_millis(250),
        ..settings
    })
    .await
    .unwrap();
    assert_eq!(okta.not_verified(), None);
    okta
}

fn sign_in(okta: &Okta, people: usize) -> usize {
    okta.sign_in(SignIns { people, ..SignIns::default() }).unwrap()
}

/// Waits until traffic has come to this.
async fn until_it(okta: &Okta, id: usize, is_so: impl Fn(&Traffic) -> bool) -> Traffic {
    within(BOUND, || okta.traffic(id).filter(&is_so)).await
}

fn lines(hook: &Hook, event: &str) -> Vec<Value> {
    let lines = hook.log.lines();
    let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["event"] == event).collect()
}

/// Waits until so many hooks have been logged, which they are after the answer, and gives the last one's line.
async fn logged(hook: &Hook, count: usize) -> Value {
    let enough = || Some(lines(hook, "hook")).filter(|lines| lines.len() >= count);
    within(BOUND, enough).await.swap_remove(count - 1)
}

/// An attack that nobody knows yet, beside people who sign in; and then until the hook knows of the block, which takes it
/// as long as a copy of the blocks is good. Gives the guard's line, and how many hooks there were.
async fn until_blocked(hook: &Hook, okta: &Okta) -> (Value, usize) {
    let people = sign_in(okta, 30);
    let attack = okta.attack(100).unwrap();
    until_it(okta, people, |it| it.used == 30).await;
    until_it(okta, attack, |it| it.arrived == 100).await;
    let guard = || lines(hook, "guard").into_iter().find(|line| line["what"] == "blocked");
    let blocked = within(BOUND, guard).await;
    let mut count = 130;
    loop {
        count += 1;
        let one = okta.attack(1).unwrap();
        until_it(okta, one, |it| it.asked == 1).await;
        let line = logged(hook, count).await;
        if line.get("block").is_some() {
            assert_eq!(line["block"], blocked["block"]);
            return (blocked, count);
        }
    }
}

/// A second attack, with people beside it who have used no passcode before.
async fn once_more(okta: &Okta) -> (usize, Traffic) {
    let attack = okta.attack(100).unwrap();
    let people = sign_in(okta, 30);
    let people = until_it(okta, people, |it| it.used == 30).await;
    (attack, people)
}

#[tokio::test]
async fn an_attack_on_a_hundred_numbers_of_one_block_is_seen_in_shadow() {
    let hook = Hook::with(setup("shadow")).await;
    let okta = stand_in(&hook).await;
    let (blocked, before) = until_blocked(&hook, &okta).await;
    assert_eq!((&blocked["scope"], &blocked["mode"]), (&"block".into(), &"shadow".into()));
    let (attack, people) = once_more(&okta).await;
    let attack = until_it(&okta, attack, |it| it.arrived == 100).await;
    assert!(attack.refused.is_empty() && people.refused.is_empty(), "{attack:?} {people:?}");
    logged(&hook, before + 130).await;
    let lines = lines(&hook, "hook");
    let seen = lines[before..].iter().filter(|it| it["would_refuse"] == "conversion_too_low");
    assert_eq!(seen.count(), 100, "those of the attack, and nobody else");
}

#[tokio::test]
async fn an_attack_on_a_hundred_numbers_of_one_block_is_stopped_in_enforce() {
    let hook = Hook::with(setup("enforce")).await;
    let okta = stand_in(&hook).await;
    until_blocked(&hook, &okta).await;
    let messages = hook.acs.messages().len();
    let (attack, people) = once_more(&okta).await;
    let attack = until_it(&okta, attack, |it| it.asked == 100).await;
    assert_eq!(attack.refused.get("conversion_too_low"), Some(&100), "{attack:?}");
    assert!(people.refused.is_empty() && people.arrived == 30, "{people:?}");
    assert_eq!(hook.acs.messages().len(), messages + 30, "only those of the people");
}
