//! The receiver of Okta's events: who may deliver, what is taken, what is answered, whether Okta comes again after that, and
//! that nothing of a person gets out.

use hyper::Method;
use serde_json::{Value, json};

use crate::deliveries::telemetry;
use crate::harness::{
    Answer, Form, Hook, SECRET, Setup, basic, envelope, from_now, until, until_told,
};
use crate::host::is_spin;
use crate::reports::{OPERATOR_SECRET, REPORT_SECRET, ask, look_up};

pub const PATH: &str = "/api/okta-events";
pub const EVENT_SECRET: &str = "event-secret-c0ffee";

/// A sign-in by SMS and an enrolment by a call.
pub const DELIVERY: &str = include_str!("../data/okta-events/delivery.json");
const DOCUMENTED: &str = include_str!("../data/okta-events/documented.json");

/// The other samples, each of one event or a list of them.
const EVENTS: [&str; 5] = [
    include_str!("../data/okta-events/wrong-code.json"),
    include_str!("../data/okta-events/sent-by-okta.json"),
    include_str!("../data/okta-events/refused-by-okta.json"),
    include_str!("../data/okta-events/hook-given-up.json"),
    include_str!("../data/okta-events/removed-and-abandoned.json"),
];

/// What a person is known by, in the samples: logins, names, numbers, addresses, places, and Okta's ids of them.
const PERSONAL: [&str; 22] = [
    "ada@",
    "bo@",
    "cy@",
    "admin@",
    "example.com",
    "Ada",
    "Admin Example",
    "Bo Example",
    "Cy Example",
    "447700900123",
    "447700900124",
    "7700900",
    "203.0.113",
    "198.51.100",
    "192.0.2",
    "Utrecht",
    "Netherlands",
    "3511",
    "52.09",
    "00u1fictional",
    "Mozilla",
    "idxFictional",
];

/// Takes events, and has the secrets of all doors.
pub fn setup() -> Setup {
    Setup::new().secrets(&format!(
        "reports.secret = '{REPORT_SECRET}'
         operator.secret = '{OPERATOR_SECRET}'
         events.secret = '{EVENT_SECRET}'
         events.secret_previous = 'event-secret-before-c0ffee'"
    ))
}

/// Delivers a body as Okta does.
pub async fn deliver(hook: &Hook, body: impl Into<String>) -> Answer {
    let authorization = basic("events", EVENT_SECRET);
    let headers = [
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("authorization", &*authorization),
    ];
    ask(hook, Method::POST, PATH, &headers, body.into()).await
}

/// The delivery of these events.
pub fn delivery(events: &[Value]) -> String {
    let mut delivery: Value = serde_json::from_str(DOCUMENTED).unwrap();
    delivery["data"]["events"] = events.into();
    delivery.to_string()
}

/// Each of the samples as a delivery.
fn samples() -> Vec<String> {
    let events = EVENTS.iter().map(|text| match serde_json::from_str(text).unwrap() {
        Value::Array(events) => delivery(&events),
        event => delivery(&[event]),
    });
    [DELIVERY, DOCUMENTED].map(str::to_owned).into_iter().chain(events).collect()
}

/// The lines about whoever has proven to be Okta, once there are `count`.
async fn lines(hook: &Hook, count: usize) -> Vec<Value> {
    until(|| {
        let lines = hook.log.lines();
        let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines: Vec<_> = lines.filter(|line| line.get("sampled").is_none()).collect();
        (lines.len() >= count).then_some(lines)
    })
    .await
}

/// The lines about all the samples, delivered to a fresh hook, and about one that comes again.
pub async fn lines_of_the_samples() -> Vec<Value> {
    let hook = Hook::with(setup()).await;
    let again = delivery(&[serde_json::from_str(EVENTS[3]).unwrap()]);
    let deliveries = [samples(), vec![again]].concat();
    let count = deliveries.len();
    for delivery in deliveries {
        assert_eq!(deliver(&hook, delivery).await.status, 204);
    }
    lines(&hook, count + 6).await
}

/// The line of the use of a passcode that the hook has sent.
pub async fn line_of_a_use() -> Value {
    let hook = Hook::with(setup()).await;
    let mut call = envelope("+447400123456");
    call["data"]["userProfile"]["userId"] = "00u1fictionaluser01d7".into();
    hook.post(call.to_string()).await.accepted(Form::Documented);
    let mut sign_in = serde_json::from_str::<Value>(DELIVERY).unwrap()["data"]["events"][0].clone();
    // The hook writes down what it has sent once its answer has left.
    until_told(async || {
        sign_in["published"] = from_now(1).into();
        deliver(&hook, fresh(&delivery(&[sign_in.clone()]))).await;
        let log = hook.log.lines();
        let lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut used = lines.filter(|line| line.get("used_ms").is_some());
        used.next().ok_or_else(|| format!("no use of what was sent is in {log:?}"))
    })
    .await
}

/// Those of single events.
fn of_events(lines: &[Value]) -> impl Iterator<Item = &Value> {
    lines.iter().filter(|line| line["event"] == "okta_event")
}

#[tokio::test]
async fn okta_is_told_that_it_has_reached_the_hook_if_it_has_the_secret() {
    let hook = Hook::with(setup()).await;
    let challenge = ("x-okta-verification-challenge", "4c1f9b7d2e6a4a0f9d3e");
    let right = basic("events", EVENT_SECRET);
    let previous = basic("events", "event-secret-before-c0ffee");
    let long = "a".repeat(257);
    for (headers, status) in [
        (vec![challenge, ("authorization", &*right)], 200),
        (vec![challenge, ("authorization", EVENT_SECRET)], 200),
        (vec![challenge, ("authorization", &previous)], 200),
        (vec![challenge], 401),
        (vec![challenge, ("authorization", "wrong")], 401),
        (vec![("authorization", &right)], 400),
        (vec![challenge, challenge, ("authorization", &right)], 400),
        (vec![("x-okta-verification-challenge", ""), ("authorization", &right)], 400),
        (vec![("x-okta-verification-challenge", "a b"), ("authorization", &right)], 400),
        (vec![("x-okta-verification-challenge", &long), ("authorization", &right)], 400),
    ] {
        let answer = ask(&hook, Method::GET, PATH, &headers, "").await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text);
        if status == 200 {
            assert_eq!(answer.headers["content-type"], "application/json");
            assert_eq!(answer.text, r#"{"verification":"4c1f9b7d2e6a4a0f9d3e"}"#);
        } else {
            assert!(!answer.text.contains("4c1f9b7d"), "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn bad_deliveries_are_answered_so_that_okta_comes_again_only_where_that_can_help() {
    let hook = Hook::with(setup()).await;
    let authorization = basic("events", EVENT_SECRET);
    let right = ("authorization", &*authorization);
    let (okta, operator) = (basic("okta", SECRET), basic("operator", OPERATOR_SECRET));
    let (reports, other) = (basic("reports", REPORT_SECRET), basic("event", EVENT_SECRET));
    let sign_in = serde_json::from_str::<Value>(DELIVERY).unwrap()["data"]["events"][0].clone();
    let with = |at: &str, value: Value| {
        let mut event = sign_in.clone();
        *event.pointer_mut(at).unwrap() = value;
        delivery(&[event])
    };
    let beside = |event: Value| delivery(&[event, sign_in.clone()]);
    let large = format!("{}{}", " ".repeat(1 << 20), DELIVERY);
    let deep = "[".repeat(100_000);
    let deep_event =
        delivery(&[]).replace("[]", &format!("[{}{}]", "[".repeat(5000), "]".repeat(5000)));
    let many = delivery(&vec![json!({}); 1001]);
    let (no_user, nobody) = (json!([]), json!({"id": "s", "type": "SystemPrincipal"}));
    let mut stranger = sign_in.clone();
    stranger["target"] = no_user;
    stranger["actor"] = nobody;
    let post = Method::POST;
    let query = format!("{PATH}?code={EVENT_SECRET}");
    // What is wrong, the request, the answer, how many events are told of as used, not readable and of no use, and why Okta
    // should or should not come again.
    type Row<'a> =
        (&'a str, &'a Method, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, [u64; 3], &'a str);
    #[rustfmt::skip]
    let rows: &[Row<'_>] = &[
        ("no secret", &post, PATH, &[], DELIVERY, 401, [0, 0, 0], "a stranger stays one"),
        ("a wrong secret", &post, PATH, &[("authorization", "wrong")], DELIVERY, 401, [0, 0, 0], "a stranger stays one"),
        ("an empty secret", &post, PATH, &[("authorization", "")], DELIVERY, 401, [0, 0, 0], "a stranger stays one"),
        ("the secret of another user", &post, PATH, &[("authorization", &other)], DELIVERY, 401, [0, 0, 0], "a stranger stays one"),
        ("the secret twice", &post, PATH, &[right, right], DELIVERY, 401, [0, 0, 0], "somebody added one on the way"),
        ("the secret in the query", &post, &query, &[], DELIVERY, 401, [0, 0, 0], "Okta sends a header"),
        ("the hook's credentials", &post, PATH, &[("authorization", &okta)], DELIVERY, 401, [0, 0, 0], "they are for the hook"),
        ("the operator's credentials", &post, PATH, &[("authorization", &operator)], DELIVERY, 401, [0, 0, 0], "they are for the pages"),
        ("the credentials for reports", &post, PATH, &[("authorization", &reports)], DELIVERY, 401, [0, 0, 0], "they are for reports"),
        ("a bearer token", &post, PATH, &[("authorization", "Bearer a.b.c")], DELIVERY, 401, [0, 0, 0], "Okta has none for events"),
        ("no body", &post, PATH, &[right], "", 400, [0, 0, 0], "the same would come again"),
        ("no JSON", &post, PATH, &[right], "hello", 400, [0, 0, 0], "the same would come again"),
        ("half of the JSON", &post, PATH, &[right], &DELIVERY[..DELIVERY.len() / 2], 400, [0, 0, 0], "the same would come again"),
        ("a list", &post, PATH, &[right], "[]", 400, [0, 0, 0], "it is no delivery"),
        ("no data", &post, PATH, &[right], r#"{"eventType":"com.okta.event_hook"}"#, 400, [0, 0, 0], "it is no delivery"),
        ("events that are no list", &post, PATH, &[right], r#"{"data":{"events":{}}}"#, 400, [0, 0, 0], "it is no delivery"),
        ("a call of the telephony hook", &post, PATH, &[right], include_str!("../../sample/okta-envelope.json"), 400, [0, 0, 0], "its URL is in the wrong hook"),
        ("JSON 100,000 deep", &post, PATH, &[right], &deep, 400, [0, 0, 0], "the same would come again"),
        ("more than 1 MiB", &post, PATH, &[right], &large, 413, [0, 0, 0], "it stays too large"),
        ("more than 1,000 events", &post, PATH, &[right], &many, 400, [0, 0, 0], "it is not Okta's"),
        ("another method", &Method::PUT, PATH, &[right], DELIVERY, 405, [0, 0, 0], "it is not Okta"),
        ("another method yet", &Method::DELETE, PATH, &[right], "", 405, [0, 0, 0], "it is not Okta"),
        // Of these the rest is taken.
        ("an event that is text", &post, PATH, &[right], &beside("event".into()), 204, [1, 1, 0], "the other is kept"),
        ("an event that is null", &post, PATH, &[right], &beside(Value::Null), 204, [1, 1, 0], "the other is kept"),
        ("an event without a type", &post, PATH, &[right], &beside(json!({"uuid": "u"})), 204, [1, 1, 0], "the other is kept"),
        ("an event of another type", &post, PATH, &[right], &beside(json!({"eventType": "user.session.start"})), 204, [1, 0, 1], "nobody asked for it"),
        ("an event 5,000 deep", &post, PATH, &[right], &deep_event, 204, [0, 1, 0], "the same would come again"),
        ("an event without uuid", &post, PATH, &[right], &with("/uuid", Value::Null), 204, [0, 1, 0], "the same would come again"),
        ("an event without a date", &post, PATH, &[right], &with("/published", "soon".into()), 204, [0, 1, 0], "the same would come again"),
        ("an event without a person", &post, PATH, &[right], &beside(stranger), 204, [1, 1, 0], "the other is kept"),
        ("an event without a result", &post, PATH, &[right], &with("/outcome", Value::Null), 204, [0, 0, 1], "it says nothing"),
        ("an unknown factor", &post, PATH, &[right], &with("/debugContext/debugData/factor", "CARRIER_PIGEON".into()), 204, [1, 0, 0], "other members say SMS"),
        ("debugData that is a text", &post, PATH, &[right], &with("/debugContext/debugData", "SMS_FACTOR".into()), 204, [1, 0, 0], "other members say SMS"),
        ("a target that is no list", &post, PATH, &[right], &with("/target", json!({})), 204, [1, 0, 0], "the actor is the person"),
        ("a date of the year 9999", &post, PATH, &[right], &with("/published", "9999-12-31T23:59:59Z".into()), 204, [1, 0, 0], "it counts as now"),
        ("no events", &post, PATH, &[right], &delivery(&[]), 204, [0, 0, 0], "there is nothing to lose"),
        ("another content type", &post, PATH, &[right, ("content-type", "text/plain")], DELIVERY, 204, [2, 0, 0], "it is what it is"),
        ("the secret itself", &post, PATH, &[("authorization", EVENT_SECRET)], DELIVERY, 204, [2, 0, 0], "Okta sends what it is given"),
        ("a slash too many", &post, "/api/okta-events/", &[right], DELIVERY, 204, [2, 0, 0], "it is what it is"),
    ];
    println!("| what | answer | used, bad, others | Okta | why |\n|---|---|---|---|---|");
    let mut told = 0;
    for (what, method, target, headers, body, expected, effect, why) in rows {
        let answer = ask(&hook, (*method).clone(), target, headers, fresh(body)).await;
        assert_eq!(answer.status, *expected, "{what}: {}", answer.text);
        assert!(!answer.text.contains("c0ffee"), "{what}");
        match expected {
            204 => {
                assert_eq!(answer.text, "", "{what}");
                assert!(!answer.headers.contains_key("content-length"), "{what}");
            }
            401 => assert!(answer.headers.contains_key("www-authenticate"), "{what}"),
            405 => assert_eq!(answer.headers["allow"], "GET, POST", "{what}"),
            _ => {}
        }
        let then = if *expected < 500 { "does not come again" } else { "comes once more" };
        println!("| {what} | {expected} | {effect:?} | {then} | {why} |");
        // A stranger's line is one of many.
        if matches!(expected, 401 | 405) {
            continue;
        }
        let [used, bad, others] = *effect;
        told += 1 + used as usize;
        let log = lines(&hook, told).await;
        let delivery = log.iter().rev().find(|line| line["event"] == "okta_events").unwrap();
        assert_eq!(delivery["http_status"], *expected, "{what}: {delivery}");
        let count = |name: &str| delivery.get(name).map_or(0, |count| count.as_u64().unwrap());
        assert_eq!(
            [count("bad_events"), count("other_events")],
            [bad, others],
            "{what}: {delivery}"
        );
        assert_eq!(
            delivery.get("fix").is_some(),
            *expected != 204 || bad > 0,
            "{what}: {delivery}"
        );
    }
    let used: u64 = rows.iter().map(|row| row.6[0]).sum();
    assert_eq!(of_events(&lines(&hook, told).await).count() as u64, used);
    let text = hook.log.lines().concat();
    for secret in PERSONAL.iter().chain(&["c0ffee", "code="]) {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}

/// The body with ids that no other delivery has.
fn fresh(body: &str) -> String {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    body.replace("-cd01-11f1-", &format!("-cd{next:02}-11f1-"))
}

#[tokio::test]
async fn who_is_not_configured_to_take_events_says_come_again() {
    let same = Setup::new().secrets(&format!("events.secret = '{SECRET}'"));
    for (setup, fix) in [
        (Setup::new(), "events.secret is not set"),
        (same, "events.secret must not be the same as okta_basic_secret"),
    ] {
        let hook = Hook::with(setup).await;
        for method in [Method::POST, Method::GET] {
            let credentials = basic("events", SECRET);
            let headers = [("authorization", &*credentials)];
            assert_eq!(ask(&hook, method, PATH, &headers, "{}").await.status, 503);
        }
        let lines = hook.log.hooks(1).await;
        assert_eq!((&lines[0]["level"], &lines[0]["http_status"]), (&"warn".into(), &503.into()));
        assert!(lines[0]["fix"].as_str().unwrap().contains(fix), "{}", lines[0]);
    }
}

#[tokio::test]
async fn each_sample_is_told_and_nothing_of_a_person_gets_out() {
    let log = lines_of_the_samples().await;
    let told: Vec<_> = of_events(&log)
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
            [text("what"), text("channel"), text("country"), text("level")].join(" ")
        })
        .collect();
    assert_eq!(
        told,
        [
            "passcode_used sms - info",
            "passcode_used - - info",
            "passcode_wrong sms - info",
            "sent_by_okta sms GB warn",
            "refused_by_okta call - warn",
            "hook_given_up - - warn",
        ]
    );
    let text = Value::from(log).to_string();
    for personal in PERSONAL {
        assert!(!text.contains(personal), "{personal} is in the log");
    }
}

/// A delivery whose events have just happened.
fn of_now(delivery: &str) -> String {
    let mut delivery: Value = serde_json::from_str(delivery).unwrap();
    for event in delivery["data"]["events"].as_array_mut().unwrap() {
        event["published"] = from_now(0).into();
    }
    delivery.to_string()
}

#[tokio::test]
async fn of_all_deliveries_nothing_of_a_person_is_in_log_store_or_telemetry() {
    let hook = Hook::with_acs(|acs| {
        let sink = acs.application_insights_connection_string();
        setup().secrets(&format!("application_insights.connection_string = '{sink}'"))
    })
    .await;
    // Bodies that can't be read have the same in them, and so have events that can't.
    let broken = DELIVERY.replace("\"uuid\"", "\"id\"").replace("\"published\"", "\"at\"");
    let unread = [&DELIVERY[..DELIVERY.len() - 3], &DELIVERY.replace("events", "event"), &broken];
    for delivery in unread {
        deliver(&hook, delivery).await;
    }
    for delivery in samples() {
        assert_eq!(deliver(&hook, of_now(&delivery)).await.status, 204);
    }
    let told = lines(&hook, unread.len() + samples().len() + 6).await;
    let telemetry = telemetry(&hook, 6).await;
    assert!(
        of_events(&told).count() == 6
            && telemetry.iter().all(|item| item.to_string().contains("Okta event"))
    );
    let stored = if is_spin() { Vec::new() } else { hook.host.stored() };
    assert!(is_spin() || stored.iter().any(|it| it.contains(".guard.used.")), "{stored:?}");
    let left = [hook.log.lines(), stored, telemetry.iter().map(Value::to_string).collect()];
    for (place, texts) in ["log", "store", "telemetry"].iter().zip(&left) {
        for personal in PERSONAL {
            assert!(
                !texts.iter().any(|text| text.contains(personal)),
                "{personal} is in the {place}"
            );
        }
    }
}

#[tokio::test]
async fn the_operator_sees_where_okta_is_to_deliver_once_events_are_taken() {
    for (setup, expected) in [
        (setup(), json!("https://hook.example.com/api/okta-events")),
        (Setup::new().secrets(&format!("operator.secret = '{OPERATOR_SECRET}'")), Value::Null),
    ] {
        let hook = Hook::with(setup.settings("public_url = 'https://hook.example.com'")).await;
        let details = look_up(&hook, "/api/health/details").await;
        let details: Value = serde_json::from_str(&details.text).unwrap();
        assert_eq!(details["webhooks"]["okta_events"], expected, "{details}");
    }
}

#[tokio::test]
async fn a_passcode_that_the_hook_has_sent_is_told_as_used_with_its_country_and_provider() {
    let line = line_of_a_use().await;
    let facts = ["what", "channel", "country", "provider"].map(|it| line[it].as_str().unwrap());
    assert_eq!(facts, ["passcode_used", "sms", "GB", "acs"]);
    assert!(line["used_ms"].as_u64().unwrap() < 60_000, "{line}");
}
