//! The receiver of delivery reports: who may deliver, what is taken, what is answered, and whether Event
//! Grid comes again after that.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Method, Request};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::{Answer, Form, Hook, SECRET, Setup, basic, envelope, until_told};

pub const PATH: &str = "/api/delivery-reports";
pub const INFOBIP_PATH: &str = "/api/delivery-reports/infobip";
pub const TELESIGN_PATH: &str = "/api/delivery-reports/telesign";
pub const REPORT_SECRET: &str = "report-secret-c0ffee";
pub const OPERATOR_SECRET: &str = "operator-secret-c0ffee";

/// Takes reports, and shows what became of messages.
pub fn setup() -> Setup {
    Setup::new().secrets(&format!(
        "reports.secret = '{REPORT_SECRET}'
         operator.secret = '{OPERATOR_SECRET}'"
    ))
}

/// A hook that takes reports and shows what became of messages.
pub async fn start() -> Hook {
    Hook::with(setup()).await
}

/// Sends a request to the receiver or to one of the operator's pages.
pub async fn ask(
    hook: &Hook,
    method: Method,
    target: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(target);
    request = request.header(HOST, hook.host.address().to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    hook.send(request.body(Full::new(body.into())).unwrap()).await
}

/// Delivers a body as Event Grid does.
pub async fn deliver(hook: &Hook, body: &Value) -> Answer {
    let headers = [("x-report-secret", REPORT_SECRET), ("content-type", "application/json")];
    ask(hook, Method::POST, PATH, &headers, body.to_string()).await
}

/// A page of the operator's.
pub async fn look_up(hook: &Hook, target: &str) -> Answer {
    let authorization = basic("operator", OPERATOR_SECRET);
    ask(hook, Method::GET, target, &[("authorization", &authorization)], "").await
}

/// What the look-up has of a message, once it is there.
pub async fn delivery(hook: &Hook, message_id: &str) -> Value {
    until_told(async || {
        let answer = look_up(hook, &format!("/api/deliveries/{message_id}")).await;
        match answer.status {
            200 => Ok(serde_json::from_str(&answer.text).unwrap()),
            404 => Err(format!("there is no record of {message_id}")),
            _ => panic!("{answer:?}"),
        }
    })
    .await
}

/// A report in Event Grid's schema.
pub fn report(message_id: &str, status: &str, details: &str, received: &str) -> Value {
    json!({
        "id": "event-1",
        "topic": "/subscriptions/s/resourceGroups/g/providers/microsoft.communication/communicationservices/contoso",
        "subject": "/phonenumber/15555555555",
        "data": {
            "messageId": message_id,
            "from": "15555555555",
            "to": "+15555555555",
            "deliveryStatus": status,
            "deliveryStatusDetails": details,
            "receivedTimestamp": received,
            "deliveryAttempts": [],
        },
        "eventType": "Microsoft.Communication.SMSDeliveryReportReceived",
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "eventTime": received,
    })
}

/// Whether Event Grid delivers again after an answer ("Azure Event Grid delivery and retry").
fn comes_again(status: u16) -> bool {
    !matches!(status, 200..=204 | 400 | 401 | 403 | 413)
}

#[tokio::test]
async fn bad_deliveries_are_answered_so_that_event_grid_comes_again_only_where_that_can_help() {
    let hook = start().await;
    let right = ("x-report-secret", REPORT_SECRET);
    let good = report("id-1", "Delivered", "No error.", "2026-11-24T12:00:00Z");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut event = good.clone();
        change(&mut event);
        json!([event]).to_string()
    };
    let good = json!([good]).to_string();
    let large = format!("[{}]", " ".repeat(1_572_864));
    let deep = "[".repeat(100_000);
    let many = format!("[{}]", vec!["{}"; 5001].join(","));
    let cloud = |specversion: &str| {
        json!({
            "specversion": specversion, "type": "Microsoft.Communication.SMSDeliveryReportReceived",
            "source": "/s", "id": "1", "time": "2026-11-24T12:00:00Z",
            "data": { "messageId": "id-2", "deliveryStatus": "Delivered" },
        })
        .to_string()
    };
    let hooks_credentials = basic("okta", SECRET);
    let operators_credentials = basic("operator", OPERATOR_SECRET);
    let query = format!("{PATH}?code={REPORT_SECRET}");
    let twice = format!("{PATH}?code={REPORT_SECRET}&code={REPORT_SECRET}");
    // What is wrong, the request, the answer, and why Event Grid should or should not come again.
    let post = Method::POST;
    type Row<'a> = (&'a str, &'a Method, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);
    #[rustfmt::skip]
    let rows: &[Row<'_>] = &[
        ("no secret", &post, PATH, &[], &good, 401, "a stranger stays one"),
        ("a wrong secret", &post, PATH, &[("x-report-secret", "wrong")], &good, 401, "a stranger stays one"),
        ("an empty secret", &post, PATH, &[("x-report-secret", "")], &good, 401, "a stranger stays one"),
        ("the right secret twice", &post, PATH, &[right, right], &good, 401, "somebody added one on the way"),
        ("a wrong secret in the query", &post, "/api/delivery-reports?code=wrong", &[], &good, 401, "a stranger stays one"),
        ("the right one in the query twice", &post, &twice, &[], &good, 401, "Event Grid sends it once"),
        ("a wrong header beside the right query", &post, &query, &[("x-report-secret", "wrong")], &good, 401, "the header goes first"),
        ("Okta's credentials", &post, PATH, &[("authorization", &hooks_credentials)], &good, 401, "they are for the hook"),
        ("the operator's credentials", &post, PATH, &[("authorization", &operators_credentials)], &good, 401, "they are for the pages"),
        ("a bearer token where none is taken", &post, PATH, &[("authorization", "Bearer a.b.c")], &good, 401, "a stranger stays one"),
        ("no body", &post, PATH, &[right], "", 400, "the same comes again"),
        ("no JSON", &post, PATH, &[right], "hello", 400, "the same comes again"),
        ("half of the JSON", &post, PATH, &[right], &good[..good.len() / 2], 400, "the same comes again"),
        ("a number", &post, PATH, &[right], "7", 400, "the same comes again"),
        ("JSON 100,000 deep", &post, PATH, &[right], &deep, 400, "the same comes again"),
        ("more than 1.5 MiB", &post, PATH, &[right], &large, 413, "it stays too large"),
        ("more events than Event Grid sends", &post, PATH, &[right], &many, 400, "it is not Event Grid's"),
        ("an event without a type", &post, PATH, &[right], r#"[{"data":{}}]"#, 400, "the same comes again"),
        ("an event that is text", &post, PATH, &[right], r#"["event"]"#, 400, "the same comes again"),
        ("an event without data", &post, PATH, &[right], &with(&|e| { e.as_object_mut().unwrap().remove("data"); }), 400, "the same comes again"),
        ("a report without an id", &post, PATH, &[right], &with(&|e| e["data"]["messageId"] = Value::Null), 400, "the same comes again"),
        ("a report with an id that is none", &post, PATH, &[right], &with(&|e| e["data"]["messageId"] = "<script>".into()), 400, "it would match nothing"),
        ("a validation without a code", &post, PATH, &[right], r#"[{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{}}]"#, 400, "the same comes again"),
        ("another method", &Method::GET, PATH, &[right], "", 405, "it is not Event Grid"),
        ("another method yet", &Method::PUT, PATH, &[right], &good, 405, "it is not Event Grid"),
        // And what is not bad.
        ("a report without a status", &post, PATH, &[right], &with(&|e| e["data"]["deliveryStatus"] = 1.into()), 200, "it is not needed"),
        ("a report with another status", &post, PATH, &[right], &with(&|e| e["data"]["deliveryStatus"] = "Expired".into()), 200, "it says something"),
        ("a report without a time", &post, PATH, &[right], &with(&|e| { e["data"]["receivedTimestamp"] = "now".into(); e["eventTime"] = "now".into(); }), 200, "it has just come"),
        ("CloudEvents of another version", &post, PATH, &[right], &cloud("0.3"), 200, "it says all that is needed"),
        ("an event of another type", &post, PATH, &[right], r#"[{"eventType":"Microsoft.Communication.ChatThreadDeleted","data":{}}]"#, 200, "nobody asked for it"),
        ("no events", &post, PATH, &[right], "[]", 200, "there is nothing to lose"),
        ("another content type", &post, PATH, &[right, ("content-type", "text/plain")], &good, 200, "it is what it is"),
        ("a slash too many", &post, "/api/delivery-reports/", &[right], &good, 200, "it is what it is"),
    ];
    println!("| what | answer | Event Grid | why |\n|---|---|---|---|");
    for (what, method, target, headers, body, expected, why) in rows {
        let answer = ask(&hook, (*method).clone(), target, headers, body.to_string()).await;
        assert_eq!(answer.status, *expected, "{what}: {}", answer.text);
        assert!(!answer.text.contains("c0ffee"), "{what}");
        if *expected == 401 {
            assert!(answer.headers.contains_key("www-authenticate"), "{what}");
        }
        let then = match expected {
            200..=204 => "is done",
            status if comes_again(*status) => "comes again",
            _ => "gives up, or keeps it as a dead letter",
        };
        println!("| {what} | {expected} | {then} | {why} |");
    }
    let lines = hook.log.lines();
    assert!(lines.iter().all(|line| !line.contains("c0ffee")), "a secret is in the log");
    assert!(lines.iter().all(|line| !line.contains("code=")), "a query is in the log");
}

#[tokio::test]
async fn who_is_not_configured_to_take_reports_says_come_again() {
    let hook = Hook::start().await;
    for method in [Method::POST, Method::OPTIONS] {
        let answer = ask(&hook, method, PATH, &[("x-report-secret", "")], "[]").await;
        assert_eq!(answer.status, 503);
    }
    let lines = hook.log.hooks(1).await;
    assert_eq!((&lines[0]["level"], &lines[0]["http_status"]), (&"warn".into(), &503.into()));
    assert!(lines[0]["fix"].as_str().unwrap().contains("reports.secret"), "{}", lines[0]);
    // The same where the secret is one that is in use elsewhere.
    let hook = Hook::with(Setup::new().secrets(&format!("reports.secret = '{SECRET}'"))).await;
    let answer = ask(&hook, Method::POST, PATH, &[("x-report-secret", SECRET)], "[]").await;
    assert_eq!(answer.status, 503);
}

#[tokio::test]
async fn a_secret_may_be_the_one_before_the_last_change_and_may_be_in_the_query() {
    let hook = Hook::with(setup().secrets("reports.secret_previous = 'the-old-one/+='")).await;
    let cases = [
        (PATH, REPORT_SECRET, "header"),
        (PATH, "the-old-one/+=", "header_previous"),
        ("/api/delivery-reports?code=report-secret-c0ffee", "", "query"),
        ("/api/delivery-reports?x=y&code=the-old-one%2F%2B%3D", "", "query_previous"),
    ];
    for (before, (target, header, credential)) in cases.into_iter().enumerate() {
        let headers = [("x-report-secret", header)];
        let headers = if header.is_empty() { &[][..] } else { &headers };
        let answer = ask(&hook, Method::POST, target, headers, "[]").await;
        assert_eq!(answer.status, 200, "{target}");
        let lines = hook.log.hooks(before + 1).await;
        assert_eq!(lines[before]["credential"], credential);
    }
}

#[tokio::test]
async fn both_handshakes_are_answered_and_repeat_nothing_that_was_said() {
    let hook = start().await;
    let code = "512d38b6-c7b8-40c8-89fe-f46f9e9622b6";
    let validation = json!([{
        "id": "1", "topic": "/subscriptions/s", "subject": "",
        "data": { "validationCode": code, "validationUrl": "http://127.0.0.1:9/" },
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "eventTime": "2026-11-24T12:00:00Z", "metadataVersion": "1", "dataVersion": "1",
    }]);
    let answer = deliver(&hook, &validation).await;
    assert_eq!(answer.status, 200);
    let body: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(body, json!({ "validationResponse": code }));
    let stranger = ask(&hook, Method::POST, PATH, &[], validation.to_string()).await;
    assert_eq!(stranger.status, 401, "the handshake needs the secret too");

    let asked = [
        ("webhook-request-origin", "evil.example"),
        ("webhook-request-callback", "http://127.0.0.1:9/"),
        ("webhook-request-rate", "120"),
    ];
    let answer = ask(&hook, Method::OPTIONS, PATH, &asked, "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["webhook-allowed-origin"], "eventgrid.azure.net");
    assert_eq!(answer.headers["webhook-allowed-rate"], "*");
    assert_eq!(answer.headers["allow"], "POST, OPTIONS");
}

#[tokio::test]
async fn what_the_sdk_builds_and_microsoft_publishes_is_taken_in_both_schemas() {
    let hook = start().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/event-grid");
    let mut taken = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let body: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let answer = deliver(&hook, &body).await;
        assert_eq!(answer.status, 200, "{}: {}", path.display(), answer.text);
        taken += 1;
    }
    assert!(taken >= 6, "{taken}");
    let lines = hook.log.hooks(taken).await;
    assert!(lines.iter().all(|line| line["bad_events"].is_null()), "{lines:?}");
    assert!(lines.iter().any(|line| line["event"] == "delivery_report"));
    assert!(lines.iter().any(|line| line["event"] == "sms_received"));
}

/// The line of a report, counted from 0.
async fn report_line(hook: &Hook, index: usize) -> Value {
    let is_report = |line: &Value| line["event"] == "delivery_report";
    crate::harness::until(|| {
        let lines = hook.log.lines();
        let lines = lines.iter().filter_map(|line| serde_json::from_str(line).ok());
        lines.filter(is_report).nth(index)
    })
    .await
}

#[tokio::test]
async fn a_message_goes_from_accepted_to_delivered_and_the_log_tells() {
    let hook = start().await;
    let envelope = envelope("+447400123456");
    let id = hook.post(envelope.to_string()).await.accepted(Form::Documented);
    let before = delivery(&hook, &id).await;
    assert_eq!((&before["status"], &before["country"]), (&"accepted".into(), &"GB".into()));
    assert_eq!(before["oktaEventId"], envelope["eventId"]);

    let reported = report(&id, "Delivered", "No error.", &crate::harness::from_now(2));
    for known in [false, true] {
        assert_eq!(deliver(&hook, &json!([reported])).await.status, 200);
        let line = report_line(&hook, usize::from(known)).await;
        assert_eq!(line["status"], "delivered");
        assert_eq!(line["event_id"], envelope["eventId"], "{line}");
        assert_eq!(line["known"].as_bool().unwrap_or_default(), known, "{line}");
    }
    // With or without what stands before it in reports.
    for id in [id.as_str(), id.strip_prefix("Outgoing_").unwrap()] {
        let after = delivery(&hook, id).await;
        assert_eq!(after["status"], "delivered");
        assert!(after["timeToReportMs"].as_u64().unwrap() <= 3000, "{after}");
    }
    let number = delivery(&hook, &id).await["numberHash"].as_str().unwrap().to_owned();
    assert_eq!(number.len(), 32);
    assert!(!delivery(&hook, &id).await.to_string().contains("7400123456"));
}

#[tokio::test]
async fn one_bad_event_does_not_lose_the_others_and_a_report_may_come_first() {
    let hook = start().await;
    let now = crate::harness::from_now(0);
    let batch = json!([
        report("id-1", "Delivered", "No error.", &now),
        { "eventType": "Microsoft.Communication.SMSDeliveryReportReceived", "data": 7 },
        "nonsense",
        report("Outgoing_id-2", "Failed", "4005: blocked", &now),
        report("id-3", "Failed", "5002: Carrier does not support delivery report", &now),
    ]);
    assert_eq!(deliver(&hook, &batch).await.status, 200);
    let lines = hook.log.hooks(4).await;
    assert_eq!((&lines[0]["events"], &lines[0]["bad_events"]), (&5.into(), &2.into()));
    for (id, status) in [("id-1", "delivered"), ("id-2", "failed"), ("id-3", "unconfirmed")] {
        assert_eq!(delivery(&hook, id).await["status"], status);
    }
    assert_eq!(delivery(&hook, "id-2").await["code"], 4005);
}

#[tokio::test]
async fn names_in_pascal_case_and_a_status_that_is_not_known_lose_no_report() {
    let hook = start().await;
    let now = crate::harness::from_now(0);
    let pascal = |id: &str, status: &str| {
        json!({
            "Id": "1", "EventType": "Microsoft.Communication.SMSDeliveryReportReceived", "EventTime": now,
            "Data": {
                "MessageId": id, "DeliveryStatus": status, "DeliveryStatusDetails": "4005: blocked",
                "DeliveryAttempts": "2", "ReceivedTimestamp": now, "Tag": "okta:uS58",
            },
        })
    };
    let cloud = json!({
        "SpecVersion": "1.0", "Type": "Microsoft.Communication.SMSDeliveryReportReceived", "Time": now,
        "Data": { "MessageId": "id-5", "DeliveryStatus": "Delivered" },
    });
    for body in [
        pascal("id-1", "Failed"),
        json!([pascal("id-2", "Failed")]),
        json!([report("id-3", "Delivered", "", &now), pascal("id-4", "Queued"), cloud]),
    ] {
        assert_eq!(deliver(&hook, &body).await.status, 200, "{body}");
    }
    for (id, status, code) in [
        ("id-1", "failed", json!(4005)),
        ("id-2", "failed", json!(4005)),
        ("id-3", "delivered", Value::Null),
        ("id-4", "unconfirmed", json!(4005)),
        ("id-5", "delivered", Value::Null),
    ] {
        let told = delivery(&hook, id).await;
        assert_eq!((&told["status"], &told["code"]), (&status.into(), &code), "{told}");
        assert!(told["reportedAt"].as_str().unwrap()[..19] == now[..19], "{told}");
    }
    assert_eq!(delivery(&hook, "id-4").await["reportedStatus"], "Queued");
    let line = report_line(&hook, 3).await;
    assert_eq!((&line["level"], &line["reported_status"]), (&"warn".into(), &"Queued".into()));
    assert_eq!(
        (&line["warnings"], &line["event_id"]),
        (&json!(["status_unknown"]), &"uS58".into())
    );
}

#[tokio::test]
async fn what_can_not_be_read_is_counted_and_shown_and_loses_no_other() {
    let hook = start().await;
    let unreadable = async || {
        let list = look_up(&hook, "/api/deliveries?format=json").await;
        let list: Value = serde_json::from_str(&list.text).unwrap();
        (list["count"].clone(), list["unreadable"].clone())
    };
    assert_eq!(unreadable().await, (0.into(), Value::Null));
    let now = crate::harness::from_now(0);
    let nameless = report("", "Failed", "4005: +15550100123", &now);
    let validation = json!({
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": { "validationCode": "c-1" },
    });
    let batch = json!([report("id-1", "Delivered", "", &now), nameless, 7, nameless, validation]);
    // A batch: the code, the report, and the rest counted.
    let answer = deliver(&hook, &batch).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, r#"{"validationResponse":"c-1"}"#));
    assert_eq!(delivery(&hook, "id-1").await["status"], "delivered");
    let (count, told) = unreadable().await;
    assert_eq!((&count, &told["count"]), (&1.into(), &3.into()), "{told}");
    let reason =
        "a report's data.messageId is missing, empty or not text; an event is not an object";
    assert_eq!(told["reason"], reason);
    // Nothing but such events, then no JSON: a comma too many in line 2.
    assert_eq!(deliver(&hook, &json!([nameless])).await.status, 400);
    let trailing_comma = format!("\u{feff}[{},\n]", report("id-2", "Delivered", "", &now));
    let headers = [("x-report-secret", REPORT_SECRET)];
    let answer = ask(&hook, Method::POST, PATH, &headers, trailing_comma).await;
    assert_eq!(answer.status, 400);
    let (_, told) = unreadable().await;
    assert_eq!(told["count"], 5, "{told}");
    assert!(told["reason"].as_str().unwrap().contains("line 2, column 1"), "{told}");
    // A stranger counts nothing.
    ask(&hook, Method::POST, PATH, &[], "x").await;
    assert_eq!(unreadable().await.1, told);
    let page = look_up(&hook, "/api/deliveries").await.text;
    assert!(page.contains("Could not be read: 5 of"), "{page}");
    let lines = hook.log.lines();
    let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = |fix: &str| {
        lines.iter().any(|line| line["fix"].as_str().is_some_and(|it| it.contains(fix)))
    };
    assert!(said(reason) && said("line 2, column 1"), "{lines:?}");
    assert!(!page.contains("5550100123") && !hook.log.lines().concat().contains("5550100123"));
}

#[tokio::test]
async fn a_byte_order_mark_before_a_delivery_is_taken() {
    let hook = start().await;
    let now = crate::harness::from_now(0);
    let body = format!("\u{feff}{}", json!([report("id-1", "Delivered", "", &now)]));
    let headers = [("x-report-secret", REPORT_SECRET)];
    assert_eq!(ask(&hook, Method::POST, PATH, &headers, body).await.status, 200);
    assert_eq!(delivery(&hook, "id-1").await["status"], "delivered");
}

#[tokio::test]
async fn a_stop_is_logged_as_an_opt_out_without_the_number_or_the_text() {
    let hook = start().await;
    let received = |text: &str| {
        json!([{
            "id": "1", "subject": "/phonenumber/15555555555",
            "data": {
                "messageId": "Incoming_1", "from": "14255550123", "to": "15555555555",
                "message": text, "receivedTimestamp": "2026-11-24T12:00:00.32Z", "segmentCount": 1,
            },
            "eventType": "Microsoft.Communication.SMSReceived",
            "dataVersion": "1.0", "metadataVersion": "1", "eventTime": "2026-11-24T12:00:00Z",
        }])
    };
    deliver(&hook, &received(" stop\n")).await;
    deliver(&hook, &received("my code is 246810")).await;
    let lines = hook.log.hooks(4).await;
    assert_eq!((&lines[1]["event"], &lines[1]["opt_out"]), (&"sms_received".into(), &true.into()));
    assert_eq!(lines[3]["opt_out"], false);
    for line in hook.log.lines() {
        assert!(!line.contains("4255550") && !line.contains("246810"), "{line}");
    }
}

/// One line of each kind that deliveries bring about, with all that they can hold.
pub async fn lines() -> Vec<Value> {
    let hook = start().await;
    let id = hook.post(envelope("+447400123456").to_string()).await.accepted(Form::Documented);
    delivery(&hook, &id).await;
    let failed = report(&id, "Failed", "4005: blocked", &crate::harness::from_now(2));
    let received = json!({
        "eventType": "Microsoft.Communication.SMSReceived", "eventTime": "2026-11-24T12:00:00Z",
        "data": { "from": "14255550123", "message": "STOP" },
    });
    let other = json!({ "eventType": "Microsoft.Communication.ChatThreadDeleted", "data": {} });
    let headers = [("x-report-secret", REPORT_SECRET), ("aeg-subscription-name", "OKTA-TELEPHONY")];
    let mut queued = report("id-1", "Queued", "", "");
    queued["eventTime"] = "".into();
    let body = json!([failed, failed, queued, received, other, 7]).to_string();
    assert_eq!(ask(&hook, Method::POST, PATH, &headers, body).await.status, 200);
    let is_ours = |line: &Value| line["event"] != "hook" && line["event"] != "operator";
    let lines = crate::harness::until(|| {
        let lines = hook.log.lines();
        let lines: Vec<Value> =
            lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let lines: Vec<_> = lines.into_iter().filter(is_ours).collect();
        (lines.len() >= 5).then_some(lines)
    });
    lines.await
}

#[tokio::test]
async fn a_token_of_entra_for_event_grid_delivers_and_one_for_okta_does_not() {
    use okta_telephony_dev::authorization_server::{
        AuthorizationServer, Flavour, Seal, Settings, seal,
    };
    let flavour = Flavour::Entra { tenant: "6f0d1f3e-0f0a-4c5e-9b59-3c3f0f4d8a21".into() };
    let settings = Settings { flavour, ..Settings::new("127.0.0.1:0".parse().unwrap()) };
    let server = AuthorizationServer::start(settings).await.unwrap();
    let audience = server.claims()["aud"].as_str().unwrap().to_owned();
    let issuer = server.issuer();
    let setup =
        Setup::from(format!("reports.oauth = {{ issuer = '{issuer}', audience = '{audience}' }}"));
    let hook = Hook::with(setup.variable("outbound_host2", server.url())).await;
    let token = |client: &str, role: &str| {
        let mut claims = server.claims();
        claims["azp"] = client.into();
        claims["roles"] = json!([role]);
        format!("Bearer {}", server.mint(&claims))
    };
    let (event_grid, role) =
        ("4962773b-9cdb-44cf-a8bf-237846a00ab7", "AzureEventGridSecureWebhookSubscriber");
    for (client, role, status) in [
        (event_grid, role, 200),
        ("0oadevelopment", role, 401),
        (event_grid, "Telephony.Send", 401),
    ] {
        let token = token(client, role);
        let answer = ask(&hook, Method::POST, PATH, &[("authorization", &token)], "[]").await;
        assert_eq!(answer.status, status, "{client} {role}: {:?}", hook.log.lines());
    }
    // A key that is not looked for yet: Event Grid has to come again.
    let key = server.current_key();
    let mut claims = server.claims();
    (claims["azp"], claims["roles"]) = (event_grid.into(), json!([role]));
    let header = json!({"alg": "RS256", "kid": "the-newest"});
    let newest = format!("Bearer {}", seal(&header, &claims, Seal::Key(&key)));
    let answer = ask(&hook, Method::POST, PATH, &[("authorization", &newest)], "[]").await;
    assert_eq!(answer.status, 503, "{:?}", hook.log.lines());
    // Event Grid's token opens nothing else.
    let token = token(event_grid, role);
    let request = hook.request().header("authorization", &token);
    let mut request =
        request.body(Full::new(envelope("+447400123456").to_string().into())).unwrap();
    request.headers_mut().insert("authorization", token.parse().unwrap());
    assert_eq!(hook.send(request).await.status, 401);
}

/// A result of Infobip's report, of the status with this group and id, and of the error with this one.
fn result(message_id: &str, status: (u16, u16), error: u16, done: &str) -> Value {
    json!({
        "bulkId": "BULK-1",
        "status": {"groupId": status.0, "groupName": "X", "id": status.1, "name": "X", "description": "x"},
        "error": {"groupId": u16::from(error > 0), "groupName": "X", "id": error, "name": "X", "permanent": false},
        "messageId": message_id,
        "to": "15555555555",
        "sender": "Contoso",
        "sentAt": "2026-11-24T12:00:00.000+0000",
        "doneAt": done,
        "messageCount": 1,
        "callbackData": "okta:event-of-infobip",
    })
}

fn results(results: &[Value]) -> String {
    json!({ "results": results }).to_string()
}

#[tokio::test]
async fn infobip_proves_itself_by_basic_or_by_the_header_and_comes_again_after_whatever_is_not_200()
{
    let hook = start().await;
    let basic_of_reports = basic("reports", REPORT_SECRET);
    let right = [("authorization", &*basic_of_reports)];
    let header = [("x-report-secret", REPORT_SECRET)];
    let hooks_credentials = basic("okta", SECRET);
    let wrong_user = basic("infobip", REPORT_SECRET);
    let good = results(&[result("id-1", (3, 5), 0, "2026-11-24T12:00:05.000+0000")]);
    let many = format!("{{\"results\":[{}]}}", vec!["{}"; 2001].join(","));
    let large = format!("{{\"results\":[{}]}}", " ".repeat(2 * 1024 * 1024));
    let bad = results(&[json!({})]);
    let post = Method::POST;
    type Row<'a> = (&'a Method, &'a [(&'a str, &'a str)], &'a str, u16);
    #[rustfmt::skip]
    let rows: &[Row<'_>] = &[
        (&post, &[], &good, 401),
        (&post, &[("authorization", &hooks_credentials)], &good, 401),
        (&post, &[("authorization", &wrong_user)], &good, 401),
        (&Method::GET, &right, "", 405),
        (&Method::OPTIONS, &right, "", 405),
        (&post, &right, "", 400),
        (&post, &right, "{", 400),
        (&post, &right, "[]", 400),
        (&post, &right, &many, 400),
        (&post, &right, &bad, 200),
        (&post, &right, &large, 413),
        (&post, &right, "{\"results\":[]}", 200),
        (&post, &right, &good, 200),
        (&post, &header, &good, 200),
    ];
    for (method, headers, body, status) in rows {
        let answer = ask(&hook, (*method).clone(), INFOBIP_PATH, headers, body.to_string()).await;
        assert_eq!(answer.status, *status, "{method} {headers:?} {body:.60}");
    }
    // Each that can't be read, once.
    let list = look_up(&hook, "/api/deliveries?format=json").await;
    let list: Value = serde_json::from_str(&list.text).unwrap();
    assert_eq!(list["unreadable"]["count"], 6, "{list}");
    // Nor does Event Grid's door take what is Infobip's way.
    assert_eq!(ask(&hook, post, PATH, &right, good).await.status, 401);
}

#[tokio::test]
async fn infobips_reports_are_kept_by_their_id_whatever_their_order_and_a_repeated_id_says_nothing()
{
    let hook = start().await;
    let deliver = async |of: &[Value]| {
        let authorization = basic("reports", REPORT_SECRET);
        let headers = [("authorization", &*authorization)];
        let answer = ask(&hook, Method::POST, INFOBIP_PATH, &headers, results(of)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    // The last first; one that can't be read beside others; the same again.
    let failed = result("id-1", (2, 9), 27, "2026-11-24T12:00:09.000+0000");
    deliver(&[
        failed.clone(),
        json!({}),
        result("id-2", (3, 5), 0, "2026-11-24T12:00:05.000+0000"),
    ])
    .await;
    deliver(&[result("id-1", (1, 7), 0, "2026-11-24T12:00:01.000+0000"), failed]).await;
    deliver(&[result("id-2", (5, 23), 0, "2026-11-24T12:00:59.000+0000")]).await;
    let one = delivery(&hook, "id-1").await;
    assert_eq!((&one["status"], &one["code"]), (&json!("failed"), &json!("infobip-27")));
    assert_eq!(one["meaning"], "the phone could not be reached");
    assert_eq!(one["reportedAt"], "2026-11-24T12:00:09.000Z");
    assert_eq!(delivery(&hook, "id-2").await["status"], "delivered");
    let mut lines = hook.log.hooks(7).await;
    lines.retain(|line| line["event"] == "delivery_report");
    let told = lines
        .iter()
        .map(|line| (line["message_id"].as_str().unwrap(), line.get("known").is_some()));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [("id-1", false), ("id-2", false), ("id-1", true), ("id-1", true)]
    );
    assert!(lines.iter().all(|line| line["event_id"] == "event-of-infobip"));
    // That a message is on its way is documented.
    assert!(lines.iter().all(|line| line.get("warnings").is_none()), "{lines:?}");
}

/// Keys of accounts at Telesign, in base64: two of one account, and that of another.
const TELESIGN_KEYS: [&str; 3] = ["VGVzdCBLZXk=", "b3RoZXIga2V5", "YW5vdGhlciBhY2NvdW50"];

/// Takes reports of two accounts at Telesign, the first of which has two keys.
fn setup_of_telesign() -> Setup {
    let names = ["one", "one-other", "two"];
    let customers = ["AAAA", "AAAA", "BBBB"];
    let entries = names.iter().zip(customers).map(|(name, customer_id)| {
        format!(
            "{{ kind = 'telesign', name = '{name}', base_url = 'https://rest-ww.telesign.com', \
             customer_id = '{customer_id}', senders = {{ default = 'CONTOSO' }} }}"
        )
    });
    let entries = entries.collect::<Vec<_>>().join(",");
    let secrets = names.iter().zip(TELESIGN_KEYS);
    let secrets = secrets.map(|(name, key)| format!("providers.{name}.api_key = '{key}'\n"));
    Setup::new()
        .settings(&format!("providers = [{entries}]"))
        .secrets(&secrets.collect::<String>())
        .secrets(&format!("operator.secret = '{OPERATOR_SECRET}'"))
        .variable("acs_connection_string", "")
        .variable("acs_from_shortcode", "")
}

/// What Telesign signs a body with.
fn signature(key: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&BASE64_STANDARD.decode(key).unwrap()).unwrap();
    mac.update(body.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// A report of Telesign's.
fn status(message_id: &str, code: u16, date: &str) -> String {
    json!({
        "reference_id": message_id,
        "status": {"code": code, "description": "X", "updated_on": date},
        "external_id": "okta:event-of-telesign",
    })
    .to_string()
}

#[tokio::test]
async fn telesign_proves_itself_by_a_signature_of_any_key_in_either_header() {
    let hook = Hook::with(setup_of_telesign()).await;
    let good = status("AB0000", 200, "2026-11-24T12:00:05.000Z");
    let right = signature(TELESIGN_KEYS[0], &good);
    let bare = |it: &str| ("x-ts-authorization", it.to_owned());
    let tsa = |it: &str| ("authorization", format!("TSA AAAA:{it}"));
    let other_body = signature(TELESIGN_KEYS[0], &good.replace("200", "211"));
    let strangers = signature("c3RyYW5nZXI=", &good);
    let large = " ".repeat(64 * 1024 + 1);
    let sign = |body: &str| bare(&signature(TELESIGN_KEYS[1], body));
    let post = Method::POST;
    type Row<'a> = (&'a Method, Vec<(&'a str, String)>, &'a str, u16);
    let rows: &[Row<'_>] = &[
        (&post, vec![], &good, 401),
        (&post, vec![bare(&other_body)], &good, 401),
        (&post, vec![bare(&strangers), tsa(&strangers)], &good, 401),
        (&post, vec![bare(&right), bare(&right)], &good, 401),
        (&post, vec![("x-report-secret", REPORT_SECRET.to_owned())], &good, 401),
        (&post, vec![("authorization", basic("okta", SECRET))], &good, 401),
        (&Method::GET, vec![bare(&right)], "", 405),
        (&Method::OPTIONS, vec![bare(&right)], "", 405),
        (&post, vec![sign("")], "", 400),
        (&post, vec![sign("{")], "{", 400),
        (&post, vec![sign("[]")], "[]", 400),
        (&post, vec![sign(&large)], &large, 413),
        // It would come again, and be the same.
        (&post, vec![sign("{}")], "{}", 200),
        (&post, vec![bare(&right), tsa(&right)], &good, 200),
        (&post, vec![bare(&right)], &good, 200),
        (&post, vec![tsa(&right)], &good, 200),
        (&post, vec![tsa(&strangers), bare(&right)], &good, 200),
        (&post, vec![bare(&signature(TELESIGN_KEYS[1], &good))], &good, 200),
        (&post, vec![bare(&signature(TELESIGN_KEYS[2], &good))], &good, 200),
    ];
    for (method, headers, body, expected) in rows {
        let headers: Vec<_> = headers.iter().map(|(name, it)| (*name, it.as_str())).collect();
        let answer = ask(&hook, (*method).clone(), TELESIGN_PATH, &headers, body.to_string()).await;
        assert_eq!(answer.status, *expected, "{method} {headers:?} {body:.60}");
        assert_eq!(answer.headers.contains_key("www-authenticate"), *expected == 401);
    }
    // Each that has proven itself and can't be read, once.
    let list = look_up(&hook, "/api/deliveries?format=json").await;
    let list: Value = serde_json::from_str(&list.text).unwrap();
    assert_eq!(list["unreadable"]["count"], 4, "{list}");
    let proven = |line: &Value| line["credential"] == "signature";
    until_told(async || {
        let lines = hook.log.lines();
        let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let count = lines.filter(proven).count();
        if count == 10 { Ok(()) } else { Err(format!("{count} lines")) }
    })
    .await;
    // Where nobody is asked with a key, nobody can prove himself.
    let without = start().await;
    let answer = ask(&without, post, TELESIGN_PATH, &[("x-ts-authorization", &right)], good).await;
    assert_eq!(answer.status, 503);
}

#[tokio::test]
async fn telesigns_reports_are_kept_by_their_id_whatever_their_order_and_their_dates() {
    let hook = Hook::with(setup_of_telesign()).await;
    let deliver = async |body: String| {
        let signature = signature(TELESIGN_KEYS[0], &body);
        let headers = [("x-ts-authorization", signature.as_str())];
        let answer = ask(&hook, Method::POST, TELESIGN_PATH, &headers, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    let delivered = status("AB0001", 200, "2026-11-24T12:00:05.000Z");
    for body in [
        // Delivered, the same again, then what the gateway said before that.
        delivered.clone(),
        delivered,
        status("AB0001", 203, "2026-11-24T12:00:09.000Z"),
        // No date that there is: the moment of arrival.
        status("AB0002", 203, "2026-24-11T12:00:05.000Z"),
        status("AB0002", 211, "soon"),
        status("AB0003", 10031, "Tue, 24 Nov 2026 12:00:05 GMT"),
        status("AB0004", 9999, "2026-11-24T12:00:05.000Z"),
    ] {
        deliver(body).await;
    }
    for (id, status, code) in [
        ("AB0001", "delivered", Value::Null),
        ("AB0002", "failed", json!("telesign-211")),
        ("AB0003", "failed", json!("telesign-10031")),
        ("AB0004", "unconfirmed", json!("telesign-9999")),
    ] {
        let told = delivery(&hook, id).await;
        assert_eq!((&told["status"], &told["code"]), (&json!(status), &code), "{told}");
    }
    assert_eq!(delivery(&hook, "AB0003").await["reportedAt"], "2026-11-24T12:00:05.000Z");
    let mut lines = hook.log.hooks(14).await;
    lines.retain(|line| line["event"] == "delivery_report");
    let known: Vec<_> = lines.iter().map(|line| line.get("known").is_some()).collect();
    assert_eq!(known, [false, true, true, false, false, false, false]);
    assert!(lines.iter().all(|line| line["event_id"] == "event-of-telesign"));
    let warnings: Vec<_> = lines.iter().map(|line| line["warnings"].clone()).collect();
    let time = json!(["time_unknown"]);
    let none = Value::Null;
    let status = json!(["status_unknown"]);
    assert_eq!(
        warnings,
        [none.clone(), none.clone(), none.clone(), time.clone(), time, none, status]
    );
}
