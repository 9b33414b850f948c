//! The guard against SMS pumping, in the whole component: an attack on one block of numbers is told in shadow and stopped in
//! enforce, ordinary traffic beside it is not touched, and nothing that is stored says who or to which number.

use std::net::TcpListener;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Form, Hook, SECRET, Setup, basic, envelope, from_now, until_told};
use crate::host::needs_the_local_host;
use crate::okta_events::{self, deliver, delivery};
use crate::reports::{OPERATOR_SECRET, ask, look_up};

/// A hook whose guard takes a second for what it takes a quarter of an hour for otherwise.
fn setup(mode: &str) -> Setup {
    okta_events::setup().settings(&format!(
        "guard.mode = '{mode}'
         guard.matures_after = '1s'
         limits.per_number = ''
         limits.per_prefix = ''"
    ))
}

/// Asks for a passcode, as Okta does for a person.
async fn ask_for(hook: &Hook, user: &str, number: &str) -> Answer {
    let mut request = envelope(number);
    request["data"]["userProfile"] =
        json!({"userId": user, "login": format!("{user}@example.com")});
    hook.post(request.to_string()).await
}

/// Okta's event that somebody signed in by SMS now.
fn signed_in(user: &str) -> Value {
    json!({
        "uuid": crate::harness::event_id(),
        "eventType": "user.authentication.auth_via_mfa",
        "published": from_now(0),
        "actor": {"id": user, "type": "User", "alternateId": format!("{user}@example.com")},
        "outcome": {"result": "SUCCESS"},
        "debugContext": {"debugData": {"factor": "SMS_FACTOR"}},
    })
}

fn lines(hook: &Hook, event: &str) -> Vec<Value> {
    let lines = hook.log.lines();
    let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["event"] == event).collect()
}

const PERSON: &str = "+447400123401";

/// An attack on one block, beside a person who uses the passcode; and the guard's line about it.
async fn attack(hook: &Hook) -> Value {
    ask_for(hook, "00uperson", PERSON).await.accepted(Form::Documented);
    for n in 0..12 {
        let (user, number) = (format!("00uattack{n}"), format!("+21698123{n:03}"));
        ask_for(hook, &user, &number).await.accepted(Form::Documented);
    }
    // The events come once all of it has matured, one after the other until the guard has judged.
    until_told(async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(deliver(hook, delivery(&[signed_in("00uperson")])).await.status, 204);
        let blocked = lines(hook, "guard").into_iter().find(|line| line["what"] == "blocked");
        blocked.ok_or_else(|| hook.log.lines().join("\n"))
    })
    .await
}

/// Asks for a passcode to the block until the hook knows that it is blocked: the copy of another moment is good for a second.
async fn until_known(hook: &Hook) -> (Answer, Value) {
    until_told(async || {
        let count = lines(hook, "hook").len();
        let answer = ask_for(hook, "00uattack99", "+21698123099").await;
        let line =
            until_told(async || lines(hook, "hook").get(count).cloned().ok_or_else(String::new))
                .await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        if line.get("block").is_some() { Ok((answer, line)) } else { Err(line.to_string()) }
    })
    .await
}

/// The guard's line about an attack, and a hook's about a message to what is blocked.
pub async fn lines_of_an_attack() -> [Value; 2] {
    let hook = Hook::with(setup("shadow")).await;
    [attack(&hook).await, until_known(&hook).await.1]
}

async fn deliveries(hook: &Hook) -> Value {
    let answer = look_up(hook, "/api/deliveries?format=json").await;
    serde_json::from_str(&answer.text).unwrap()
}

async fn explain(hook: &Hook, number: &str) -> Value {
    let operator = basic("operator", OPERATOR_SECRET);
    let headers = [("authorization", &*operator), ("content-type", "application/json")];
    let question = json!({ "phoneNumber": number }).to_string();
    let answer = ask(hook, Method::POST, "/api/explain", &headers, question).await;
    serde_json::from_str(&answer.text).unwrap()
}

#[tokio::test]
async fn an_attack_on_a_block_is_stopped_in_enforce_and_the_person_beside_it_is_not() {
    let hook = Hook::with(setup("enforce")).await;
    let blocked = attack(&hook).await;
    assert_eq!(
        ["scope", "country", "used", "mode"].map(|it| blocked[it].clone()),
        [json!("block"), json!("TN"), json!(0), json!("enforce")],
        "{blocked}"
    );
    // Each matures for itself, and ten are enough.
    assert!((10..=12).contains(&blocked["sends"].as_u64().unwrap()), "{blocked}");
    assert_eq!(blocked["numbers"], blocked["sends"]);
    let (answer, line) = until_known(&hook).await;
    answer.failed(Form::Documented, 200, "conversion_too_low");
    assert_eq!(line["block"], blocked["block"]);
    let fix = line["fix"].as_str().unwrap();
    for told in [&blocked["block"], &blocked["until"]] {
        assert!(fix.contains(told.as_str().unwrap()), "{fix}");
    }
    assert!(
        !answer.text.contains(blocked["block"].as_str().unwrap()),
        "Okta's log is not told how to lift it"
    );
    ask_for(&hook, "00uperson", PERSON).await.accepted(Form::Documented);

    let explained = explain(&hook, "+21698123077").await;
    assert_eq!(explained["reason"], "conversion_too_low", "{explained}");
    assert_eq!((&explained["guard"], &explained["block"]), (&json!("blocked"), &blocked["block"]));
    assert_eq!(explained["block_until"], blocked["until"]);
    assert_eq!(explain(&hook, PERSON).await["guard"], "free");

    let shown = deliveries(&hook).await;
    let (guard, block) = (&shown["guard"], &shown["guard"]["blocks"][0]);
    assert_eq!((&guard["enforces"], &block["id"]), (&json!(true), &blocked["block"]), "{shown}");
    let refused =
        shown["hours"].as_array().unwrap().iter().filter_map(|it| it["refusedByGuard"].as_u64());
    assert_eq!(guard["stopped"], refused.sum::<u64>());
    assert_ne!(guard["stopped"], 0, "{shown}");
}

#[tokio::test]
async fn in_shadow_an_attack_is_told_and_everything_is_sent() {
    let hook = Hook::with(setup("shadow")).await;
    let blocked = attack(&hook).await;
    assert_eq!(blocked["mode"], "shadow");
    let (answer, line) = until_known(&hook).await;
    answer.accepted(Form::Documented);
    assert_eq!(line["would_refuse"], "conversion_too_low");
    assert_eq!(line["block"], blocked["block"]);

    let shown = until_told(async || {
        let shown = deliveries(&hook).await;
        // The hook writes it down once it has answered.
        if shown["guard"]["stopped"] == 0 { Err(shown.to_string()) } else { Ok(shown) }
    })
    .await;
    let block = &shown["guard"]["blocks"][0];
    assert_eq!(
        ["id", "country", "sends", "used", "numbers"].map(|it| block[it].clone()),
        [blocked["block"].clone(), json!("TN"), json!(12), json!(0), json!(12)],
        "{shown}"
    );
    assert_eq!(block["until"], blocked["until"]);
    assert_eq!(block["wouldHaveStopped"], shown["guard"]["stopped"]);
    let used = shown["hours"].as_array().unwrap().iter().filter_map(|it| it["used"].as_u64());
    assert_eq!(used.sum::<u64>(), 1, "that of the person");
    let of = |country| {
        shown["guard"]["countries"].as_array().unwrap().iter().find(|it| it["name"] == country)
    };
    assert_eq!(of("GB").unwrap()["used"], 1);
    assert_eq!(of("TN").unwrap()["unused"], 12);
    let page = look_up(&hook, "/api/deliveries").await.text;
    for told in [blocked["block"].as_str().unwrap(), "The guard is in shadow", "guard.lifted"] {
        assert!(page.contains(told), "{told}: {page}");
    }
}

#[tokio::test]
async fn without_the_secret_of_events_the_guard_is_off_and_with_it_in_shadow() {
    let hook = Hook::start().await;
    ask_for(&hook, "00uperson", PERSON).await.accepted(Form::Documented);
    hook.log.hooks(1).await;
    assert!(!hook.log.lines().join("").contains("feed_stale"));

    let hook = Hook::with(okta_events::setup()).await;
    // The second, as the first knows nothing.
    for _ in 0..2 {
        ask_for(&hook, "00uperson", PERSON).await.accepted(Form::Documented);
        hook.log.hooks(1).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let last = hook.log.hooks(2).await.pop().unwrap();
    assert_eq!(last["warnings"], json!(["feed_stale"]), "nothing has ever come from Okta: {last}");
}

#[tokio::test]
async fn nothing_that_is_stored_says_who_or_to_which_number() {
    if needs_the_local_host("what is stored was not looked at") {
        return;
    }
    let hook = Hook::with(setup("enforce")).await;
    attack(&hook).await;
    until_known(&hook).await;
    let stored = hook.host.stored();
    for key in ["guard.sent.1.", "guard.used.1.", "guard.feed.1", "guard.blocks.1", "guard/blocks"]
    {
        assert!(stored.iter().any(|entry| entry.contains(key)), "{key}: {stored:?}");
    }
    for entry in stored {
        for personal in ["00uattack", "00uperson", "@example", "98123", "7400123401", SECRET] {
            assert!(!entry.contains(personal), "{personal}: {entry}");
        }
    }
}

#[tokio::test]
async fn records_that_hang_delay_no_answer() {
    if needs_the_local_host("no store hung") {
        return;
    }
    // It takes connections, and never says anything.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let hook = Hook::with_host(setup("enforce"), |mut host| {
        host.redis.insert("records".into(), url);
        host
    })
    .await;
    for n in 0..4 {
        let answer = ask_for(&hook, "00uperson", &format!("+44740012340{n}")).await;
        answer.accepted(Form::Documented);
        assert!(answer.elapsed < Duration::from_millis(2500), "{:?}", answer.elapsed);
    }
}
