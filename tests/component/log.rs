//! The log line: what docs/monitoring.md says is in it, and nothing that must not be.

use std::collections::BTreeSet;
use std::time::Instant;

use futures_util::future::join_all;
use http_body_util::Full;
use hyper::Method;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::harness::{ACCESS_KEY, Hook, SECRET, Setup, bare, basic, envelope, from_now, until};
use crate::host::is_spin;
use crate::markdown::Page;
use crate::{canary, failover, guard, okta_events, reports};

/// What must never show: in no log, and in no answer.
const PASSCODE: &str = "86420975";
const NAMES: [&str; 4] = ["Zebedee", "Quartermain", "z.quartermain@example.net", "00uZQ4242"];

/// An envelope that holds all of them.
fn personal(number: &str) -> Value {
    let mut payload = envelope(number);
    payload["data"]["userProfile"] = json!({
        "firstName": NAMES[0], "lastName": NAMES[1], "login": NAMES[2], "userId": NAMES[3],
    });
    let profile = &mut payload["data"]["messageProfile"];
    profile["otpCode"] = PASSCODE.into();
    profile["msgTemplate"] = format!("Hi {}, your code is {PASSCODE}", NAMES[0]).into();
    payload
}

/// Every way that a hook can go, with all that is secret in it.
async fn run_all_cases(hook: &Hook) -> Vec<String> {
    let mut bodies: Vec<String> = [
        "+15550142123",
        "+15550100400",
        "+15550100401",
        "+15550100403",
        "+15550100404",
        "+15550100429",
        "+15550101429",
        "+15550102429",
        "+15550100500",
        "+15550102500",
        "+15550101400",
        "+15550101503",
        "+15550103001",
        "+15550103003",
        "+15550103004",
        "+15550103005",
        "+15550103006",
        "+15550103007",
        "+15550103008",
        "+15550103009",
        "15550142123",
        "+1555014212x",
        "0015550142123",
        "9876543210",
    ]
    .iter()
    .map(|number| personal(number).to_string())
    .collect();
    let changes: [fn(&mut Value); 12] = [
        |p| p["eventId"] = json!("+15550142123"),
        |p| p["requestType"] = json!(PASSCODE),
        |p| p["data"]["messageProfile"]["phoneNumber"] = json!(15550142123_u64),
        |p| p["data"]["messageProfile"]["deliveryChannel"] = json!("call +15550142123"),
        |p| p["data"]["messageProfile"]["otpExpires"] = json!(from_now(-9)),
        |p| p["data"]["messageProfile"]["otpExpires"] = json!(PASSCODE),
        |p| p["data"]["messageProfile"]["otpCode"] = json!([PASSCODE]),
        |p| p["data"]["messageProfile"]["msgTemplate"] = json!({ "x": PASSCODE }),
        |p| p["data"]["messageProfile"] = json!(PASSCODE),
        |p| p["data"] = json!("+15550142123"),
        |p| p["eventType"] = json!(NAMES[2]),
        |p| p["data"]["context"]["request"]["url"]["value"] = json!("/x/generatePreview"),
    ];
    bodies.extend(changes.iter().map(|change| {
        let mut payload = personal("+15550142123");
        change(&mut payload);
        payload.to_string()
    }));
    bodies.push(bare("+15550142123").to_string().replace("123456", PASSCODE));
    bodies.push(format!("{{\"otpCode\":\"{PASSCODE}\",\"phoneNumber\":\"+15550142123\""));
    bodies.push(format!("{PASSCODE} +15550142123"));
    let answers = join_all(bodies.into_iter().map(|body| hook.post(body))).await;
    let mut texts: Vec<String> = answers.into_iter().map(|answer| answer.text).collect();

    for authorization in ["", SECRET, &basic("okta", "guess-5ecret"), &format!("Bearer {SECRET}")] {
        let body = Full::new(personal("+15550142123").to_string().into());
        let mut request = hook.request().body(body).unwrap();
        request.headers_mut().insert(AUTHORIZATION, authorization.parse().unwrap());
        texts.push(hook.send(request).await.text);
    }
    let mut request = hook.request().body(Full::new("".into())).unwrap();
    *request.method_mut() = Method::DELETE;
    texts.push(hook.send(request).await.text);
    let mut request = hook.request().body(Full::new("".into())).unwrap();
    request.headers_mut().insert(CONTENT_TYPE, PASSCODE.parse().unwrap());
    texts.push(hook.send(request).await.text);
    texts
}

/// Whether a hook with this answer has a line of its own at any rate. What a stranger brings about has not, and with
/// credentials that are misconfigured everybody is one.
fn is_told_each_time(answer: &str) -> bool {
    let of_strangers = ["unauthorized", "method_not_allowed", "misconfigured"];
    !of_strangers.iter().any(|reason| answer.contains(&format!(r#""reason":"{reason}""#)))
}

#[tokio::test]
async fn no_secret_and_nothing_personal_reaches_the_log_or_an_answer() {
    let basic_credentials = basic("okta", SECRET);
    let guess = basic("okta", "guess-5ecret");
    let mut forbidden = vec![
        PASSCODE,
        "5550142",
        "5550100",
        "9876543210",
        SECRET,
        "guess-5ecret",
        ACCESS_KEY,
        &basic_credentials[6..],
        &guess[6..],
        "Signature=",
    ];
    forbidden.extend(NAMES);

    let variable = |name, value: &str| Setup::new().variable(name, value);
    for setup in [
        Setup::new(),
        variable("outbound_host1", "https://*.communication.azure.com"),
        variable(
            "acs_connection_string",
            &format!("endpoint=https://u:{SECRET}@contoso.example/;accesskey={ACCESS_KEY}"),
        ),
        variable("acs_from_shortcode", SECRET),
        variable("okta_user", &format!("{SECRET}:")),
        variable("settings", SECRET),
        variable("secrets", &format!("okta.header_secret = {SECRET}")),
        format!("providers = [{{ kind = 'acs', api_version = '{SECRET}/' }}]").into(),
        format!("okta.deadline_ms = '{SECRET}'").into(),
        format!("okta.response_format = '{SECRET}'").into(),
        format!("okta.header_name = '{SECRET}:'").into(),
        Setup::from("okta.header_name = 'x-key'")
            .secrets(&format!("okta.header_secret = '{SECRET}'")),
    ] {
        let hook = Hook::with(Setup::from("okta.deadline_ms = 500").and(setup)).await;
        let answers = run_all_cases(&hook).await;
        let count = answers.iter().filter(|answer| is_told_each_time(answer)).count();
        hook.log.hooks(count + 1).await;
        let stored = if is_spin() { Vec::new() } else { hook.host.stored() };
        for text in hook.log.lines().iter().chain(&answers).chain(&stored) {
            for secret in &forbidden {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
    }
}

/// Names and types of the fields, from the table in docs/monitoring.md.
fn documented() -> Vec<(String, String)> {
    let page = Page::read(include_str!("../../docs/monitoring.md"));
    let tables = page.tables.iter().filter(|table| table.header[..2] == ["field", "type"]);
    let rows = tables.flat_map(|table| &table.rows);
    rows.map(|row| (row[0].text.clone(), row[1].text.clone())).collect()
}

/// What a policy that observes, or whose refusals are told as successful, writes.
async fn policy_lines() -> Vec<Value> {
    let mut lines = Vec::new();
    for line in ["policy.mode = 'observe'", "policy.refusal_status = 'successful'"] {
        let hook = Hook::with(Setup::from("policy.blocked_countries = ['GB']").and(line)).await;
        hook.post(personal("+447400123456").to_string()).await;
        lines.extend(hook.log.hooks(1).await);
    }
    lines
}

async fn operator_line() -> Value {
    let hook = Hook::with(Setup::new().secrets("operator.secret = 'operator-5ecret'")).await;
    let mut request = hook.request().body(Full::default()).unwrap();
    *request.uri_mut() = "/api/explain".parse().unwrap();
    hook.send(request).await;
    hook.log.hooks(1).await.remove(0)
}

#[tokio::test]
async fn every_line_has_the_fields_that_are_documented_and_each_of_them_occurs() {
    let documented = documented();
    let hook = Hook::start().await;
    let answers = run_all_cases(&hook).await;
    let count = answers.iter().filter(|answer| is_told_each_time(answer)).count();
    let is_let_in = |line: &&Value| line.get("credential").is_some();
    let mut lines = until(|| {
        let lines: Vec<Value> =
            hook.log.lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let enough = lines.iter().filter(is_let_in).count() >= count;
        (enough && lines.iter().any(|line| line.get("sampled").is_some())).then_some(lines)
    })
    .await;
    assert_eq!(lines.iter().filter(is_let_in).count(), count, "one line per hook that is let in");
    lines.extend(policy_lines().await);
    lines.push(operator_line().await);
    lines.push(failover::late_line().await);
    lines.push(canary::line().await);
    lines.extend(guard::lines_of_an_attack().await);
    lines.extend(reports::lines().await);
    lines.extend(okta_events::lines_of_the_samples().await);
    lines.push(okta_events::line_of_a_use().await);
    let mut seen = BTreeSet::new();
    for line in &lines {
        for (name, value) in line.as_object().unwrap() {
            let documented = documented.iter().find(|(n, _)| n == name);
            let (_, kind) =
                documented.unwrap_or_else(|| panic!("{name} is not documented: {line}"));
            let fits = kind.split(", or ").any(|kind| match kind {
                "text" => value.is_string(),
                "integer" => value.is_u64(),
                "number" => value.is_number(),
                "boolean" => value.is_boolean(),
                "list" => value.is_array(),
                kind => panic!("{kind} is no type"),
            });
            assert!(fits, "{name} is not {kind}: {line}");
            seen.insert(name.clone());
        }
        // They are of the provider that was asked, if one was.
        let of_a_provider = ["provider", "sender_type", "attempts", "provider_ms"];
        let there: Vec<_> = of_a_provider.into_iter().filter(|it| line.get(it).is_some()).collect();
        if line["event"] == "hook" {
            assert!(there.is_empty() || there == of_a_provider, "{line}");
        }
        let always = match line["event"].as_str() {
            Some("hook") => {
                &["v", "time", "level", "event", "outcome", "reason", "http_status", "ms"][..]
            }
            Some("operator") => &["v", "time", "level", "event", "path", "http_status", "ms"],
            Some("delivery_reports" | "okta_events") => {
                &["v", "time", "level", "event", "http_status", "events", "ms"]
            }
            Some("delivery_report") => &["v", "time", "level", "event", "status", "message_id"],
            Some("okta_event") => &["v", "time", "level", "event", "what"],
            Some("guard") => &["v", "time", "level", "event", "what", "mode"],
            Some("sms_received") => &["v", "time", "level", "event", "opt_out"],
            event => panic!("{event:?} is no event"),
        };
        for always in always {
            assert!(line.get(always).is_some(), "{always} is missing: {line}");
        }
    }
    let names: BTreeSet<_> = documented.into_iter().map(|(name, _)| name).collect();
    assert_eq!(seen, names, "each documented field occurs");
}

#[tokio::test]
async fn a_stranger_fills_no_log_and_hides_no_secret_that_is_no_longer_valid() {
    let hook = Hook::with(reports::setup()).await;
    let knock = async |target: &str, authorization: String| {
        let headers = [("authorization", authorization.as_str())];
        reports::ask(&hook, Method::POST, target, &headers, "{}").await.status
    };
    let began = Instant::now();
    for _ in 0..50 {
        for target in ["/api/okta-telephony", "/api/delivery-reports", "/api/explain"] {
            assert_eq!(knock(target, String::new()).await, 401);
        }
    }
    // As many malformed ones as anybody can think of crowd it out of no second.
    for malformed in [
        "Bearer",
        "Bearer x",
        "Basic",
        "Basic !",
        "Basic b2t0YQ==",
        "Basic Basic b2t0YTp4",
        "okta:x",
        "Basic okta:x",
    ] {
        knock("/api/okta-telephony", malformed.to_owned()).await;
        knock("/api/okta-telephony", format!("{malformed} \u{fc}")).await;
    }
    knock("/api/okta-telephony", basic("okta", "the-secret-of-before")).await;
    hook.post(envelope("+15550100123").to_string()).await;
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 2;
    let lines = until(|| {
        let lines = hook.log.lines();
        let lines: Vec<Value> =
            lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        lines.iter().any(|line| line["outcome"] == "accepted").then_some(lines)
    })
    .await;
    for event in ["hook", "delivery_reports", "operator"] {
        let of_strangers =
            lines.iter().filter(|line| line["event"] == event && line["http_status"] == 401);
        assert!(of_strangers.clone().all(|line| line["sampled"] == "one a second"), "{lines:?}");
        let is_known = |line: &&Value| {
            line["fix"]
                .as_str()
                .is_some_and(|fix| fix.contains("is not the one of okta_basic_secret"))
        };
        let knocks = of_strangers.clone().filter(|line| !is_known(line)).count();
        let kinds = if event == "hook" { 8 } else { 1 };
        assert!((1..=seconds * kinds).contains(&knocks), "{event}: {knocks} in {seconds} seconds");
        assert_eq!(
            of_strangers.filter(is_known).count(),
            usize::from(event == "hook"),
            "{lines:?}"
        );
    }
    let proven = lines.iter().find(|line| line["outcome"] == "accepted").unwrap();
    assert_eq!(proven.get("sampled"), None);
}

#[tokio::test]
async fn a_sent_message_is_told_with_all_that_helps_to_find_it() {
    let hook = Hook::start().await;
    let payload = envelope("+15550100123");
    hook.post(payload.to_string()).await;
    let line = hook.log.hooks(1).await.remove(0);
    for (name, value) in [
        ("v", json!(1)),
        ("level", json!("info")),
        ("event", json!("hook")),
        ("outcome", json!("accepted")),
        ("reason", json!("accepted")),
        ("http_status", json!(200)),
        ("event_id", payload["eventId"].clone()),
        ("request_type", json!("com.okta.user.telephony.mfa-verification")),
        ("preview", json!(false)),
        ("number", json!("+1********23")),
        ("provider", json!("acs")),
        ("sender_type", json!("shortcode")),
        ("provider_status", json!(202)),
        ("message_id", json!(hook.acs.messages()[0].id)),
        ("attempts", json!(1)),
    ] {
        assert_eq!(line[name], value, "{name}: {line}");
    }
    assert!(line["ms"].as_f64() >= line["provider_ms"].as_f64(), "{line}");
}
