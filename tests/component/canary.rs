//! Canaries: messages to numbers of the owner's, which are told from everybody's.

use hyper::Method;
use serde_json::{Value, json};

use crate::deliveries::{start_with_telemetry, telemetry};
use crate::harness::{Form, Hook, basic, envelope, from_now};
use crate::reports::{OPERATOR_SECRET, ask, deliver, delivery, look_up, report};

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
