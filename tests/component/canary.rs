//! Canaries: messages to numbers of the owner's, which are told from everybody's.

use std::path::Path;
use std::process::Output;

use hyper::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::deliveries::{start_with_telemetry, telemetry};
use crate::harness::{Form, Hook, basic, envelope, from_now, skipped};
use crate::reports::{OPERATOR_SECRET, ask, deliver, delivery, look_up, report, setup};

const CANARY: &str = "+447400123456";
const PERSON: &str = "+447400123457";

/// Has that number be a canary's, as people write it.
const SETTINGS: &str = "canary.numbers = ['+44 7400 123456']";

/// The line of a canary.
pub async fn line() -> Value {
    let hook = Hook::with(SETTINGS).await;
    hook.post(envelope(CANARY).to_string()).await.accepted(Form::Documented);
    hook.log.hooks(1).await.remove(0)
}

#[tokio::test]
async fn a_canary_is_told_from_a_persons_message_in_log_telemetry_records_and_explain() {
    let hook = start_with_telemetry(SETTINGS).await;
    for (number, canary) in [(CANARY, true), (PERSON, false)] {
        let authorization = basic("operator", OPERATOR_SECRET);
        let headers = [("authorization", authorization.as_str())];
        let question = json!({ "phoneNumber": number }).to_string();
        let explained = ask(&hook, Method::POST, "/api/explain", &headers, question).await;
        let explained: Value = serde_json::from_str(&explained.text).unwrap();
        assert_eq!((&explained["verdict"], &explained["canary"]), (&"sent".into(), &is(canary)));

        let id = hook.post(envelope(number).to_string()).await.accepted(Form::Documented);
        // A report that came before the record could not know whose it is.
        assert_eq!(delivery(&hook, &id).await["canary"], is(canary));
        deliver(&hook, &json!([report(&id, "Delivered", "No error.", &from_now(1))])).await;
    }
    let list = look_up(&hook, "/api/deliveries?format=json").await;
    let list: Value = serde_json::from_str(&list.text).unwrap();
    let list = list["deliveries"].as_array().unwrap();
    let canaries = list.iter().filter(|it| it["canary"] == true).count();
    assert_eq!((list.len(), canaries), (2, 1), "{list:?}");

    let lines: Vec<Value> =
        hook.log.lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for event in ["hook", "delivery_report"] {
        let of_event: Vec<_> = lines.iter().filter(|line| line["event"] == event).collect();
        let marks: Vec<_> = of_event.iter().map(|line| line["canary"].clone()).collect();
        assert_eq!(marks, [is(true), is(false)], "{of_event:?}");
    }
    // A request, a dependency and a report each.
    let items = telemetry(&hook, 6).await;
    for kind in ["RequestData", "EventData"] {
        let of_kind = items.iter().filter(|item| item["data"]["baseType"] == kind);
        let marks = of_kind.map(|item| &item["data"]["baseData"]["properties"]["canary"]);
        let canaries = marks.clone().filter(|mark| *mark == "true").count();
        assert_eq!((marks.count(), canaries), (2, 1), "{kind}");
    }
}

/// How a message is marked.
fn is(canary: bool) -> Value {
    if canary { true.into() } else { Value::Null }
}

/// Okta's secret, with what a configuration of curl's must quote.
const HOOK_SECRET: &str = "supersecret-c0ffee \"of\\ the tests";

/// Runs scripts/canary.sh against a hook; `None` where it can't.
async fn canary_sh(hook: &Hook, environment: &[(&str, &str)]) -> Option<Output> {
    for tool in ["sh", "curl"] {
        // dash has no --version.
        if Command::new(tool).args(["-c", ":"]).output().await.is_err() {
            skipped(&format!("scripts/canary.sh was not run, since {tool} is not installed"));
            return None;
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/canary.sh");
    let mut command = Command::new("sh");
    command.arg(script).arg(hook.host.url()).env_remove("OKTA_USER").env_remove("OPERATOR_URL");
    command.env("OKTA_BASIC_SECRET", HOOK_SECRET).env("OPERATOR_SECRET", OPERATOR_SECRET);
    command.env("TO", CANARY).env("WAIT", "9").envs(environment.iter().copied());
    let output = command.output().await.unwrap();
    let shown = [output.stdout.clone(), output.stderr.clone()].concat();
    let shown = String::from_utf8(shown).unwrap();
    for hidden in [HOOK_SECRET, OPERATOR_SECRET, &CANARY[1..]] {
        assert!(!shown.contains(hidden), "{hidden} in {shown}");
    }
    for message in hook.acs.messages() {
        let code: String = message.text.chars().filter(char::is_ascii_digit).collect();
        assert!(code.len() >= 6 && !shown.contains(&code[..6]), "{code} in {shown}");
    }
    Some(output)
}

#[tokio::test]
async fn the_script_sends_a_canary_waits_for_its_report_and_says_what_failed() {
    let setup = setup()
        .variable("okta_basic_secret", HOOK_SECRET)
        .settings("reports.ask_acs = true\npolicy.blocked_countries = ['FR']");
    let hook = Hook::with(setup.settings(SETTINGS)).await;
    for (environment, code, told) in [
        (&[][..], 0, "canary: delivered"),
        (&[("WAIT", "0"), ("OPERATOR_SECRET", "")], 0, "canary: taken by ACS"),
        (
            &[("TO", "+33612345678")],
            1,
            "nothing was sent: country_not_allowed. The number is of FR",
        ),
        (&[("TO", "+15550100401")], 1, "nothing was sent: provider_unauthorized"),
        (&[("TO", "0155")], 2, "set TO to"),
        (&[("OKTA_BASIC_SECRET", "")], 2, "set OKTA_BASIC_SECRET"),
        (&[("OPERATOR_SECRET", "")], 2, "set OPERATOR_SECRET"),
        (&[("OPERATOR_URL", "http://hook.example/.svc.cluster.local")], 2, "by https only"),
        (&[("OKTA_BASIC_SECRET", "wrong")], 3, "another OKTA_BASIC_SECRET"),
        (&[("OPERATOR_SECRET", "wrong")], 3, "another OPERATOR_SECRET"),
        (&[("TO", "+15550106001"), ("WAIT", "1")], 4, "no delivery report after 1 s"),
        (&[("TO", "+15550104005")], 5, "blocked by the carrier. "),
    ] {
        let Some(output) = canary_sh(&hook, environment).await else { return };
        let told_by = [&output.stdout[..], &output.stderr].concat();
        let shown = String::from_utf8_lossy(&told_by);
        assert_eq!(output.status.code(), Some(code), "{environment:?}: {shown}");
        assert!(shown.contains(told), "{environment:?}: {shown}");
    }
    let lines = hook.log.lines();
    let canaries = lines.iter().filter(|line| line.contains(r#""event":"hook""#));
    let canaries = canaries.filter(|line| line.contains(r#""canary":true"#)).count();
    assert_eq!(canaries, 3, "{lines:?}");
}
