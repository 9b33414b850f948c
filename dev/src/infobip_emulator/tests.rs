//! The emulator over real sockets.

use super::*;
use crate::waiting::until;

use std::time::Duration;

use bytes::Bytes;
use http::header;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-03-26 16:06:51 UTC);
const ID: &str = "6f1c2f5e-0d0b-5b0f-9c0e-1b1f6d0f9a11";

async fn start() -> InfobipEmulator {
    start_with(|settings| settings).await
}

async fn start_with(change: impl FnOnce(Settings) -> Settings) -> InfobipEmulator {
    let settings = Settings {
        now: Arc::new(|| NOW),
        ..Settings::new(([127, 0, 0, 1], 0).into(), DEVELOPMENT_API_KEY)
    };
    InfobipEmulator::start(change(settings)).await.unwrap()
}

struct Answer {
    status: u16,
    retry_after: Option<String>,
    body: Value,
}

impl Answer {
    /// The id of the status of the one message.
    fn id(&self) -> u64 {
        self.body["messages"][0]["status"]["id"].as_u64().unwrap_or_else(|| panic!("{}", self.body))
    }
}

/// Everything that a request may have, to be spoilt by a test.
fn message() -> Value {
    json!({
        "messages": [{
            "sender": "InfoSMS",
            "destinations": [{ "to": "15550100199", "messageId": ID }],
            "content": { "text": "Your code is 123456" },
            "options": {
                "validityPeriod": { "amount": 5, "timeUnit": "MINUTES" },
                "regional": { "indiaDlt": { "principalEntityId": "1111111111111111112" } },
            },
            "webhooks": { "contentType": "application/json", "callbackData": "okta-event:1" },
        }],
        "options": { "includeSmsCountInResponse": true },
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut message = message();
    *message.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
    message
}

fn message_to(to: &str) -> Value {
    with("/messages/0/destinations/0/to", json!(to.trim_start_matches('+')))
}

async fn ask(
    emulator: &InfobipEmulator,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut request =
        http::Request::builder().method(method).uri(format!("http://{}{path}", emulator.address()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::from(Bytes::from(body.to_owned()))).unwrap();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    let retry_after = head.headers.get(header::RETRY_AFTER);
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: head.status.as_u16(),
        retry_after: retry_after.map(|value| value.to_str().unwrap().to_owned()),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}

async fn send_as(emulator: &InfobipEmulator, authorization: &str, body: &Value) -> Answer {
    let headers = [("authorization", authorization), ("content-type", "application/json")];
    ask(emulator, "POST", PATH, &headers, &body.to_string()).await
}

async fn send(emulator: &InfobipEmulator, body: &Value) -> Answer {
    send_as(emulator, &format!("App {DEVELOPMENT_API_KEY}"), body).await
}

#[tokio::test]
async fn a_conversion_is_taken_of_messages_that_are_tracked() {
    let emulator = start().await;
    let mut tracked = message_to("15550100198");
    tracked["options"]["conversionTracking"] = json!({ "useConversionTracking": true });
    tracked["messages"][0]["destinations"][0]["messageId"] = json!("tracked");
    for message in [message(), tracked] {
        assert_eq!(send(&emulator, &message).await.id(), 26);
    }
    let convert = async |id: &str, key: &str| {
        let authorization = format!("App {key}");
        let headers = [("authorization", &*authorization)];
        ask(&emulator, "POST", &format!("/ct/1/log/end/{id}"), &headers, "").await
    };
    for (id, key, status, said) in [
        ("tracked", "another", 401, "UNAUTHORIZED"),
        ("tracked", KEY_WITHOUT_SCOPE, 403, "FORBIDDEN"),
        (ID, DEVELOPMENT_API_KEY, 404, "NOT_FOUND"),
        ("none", DEVELOPMENT_API_KEY, 404, "NOT_FOUND"),
    ] {
        let answer = convert(id, key).await;
        let exception = &answer.body["requestError"]["serviceException"]["messageId"];
        assert_eq!((answer.status, exception), (status, &json!(said)), "{id} {key}");
    }
    assert!(emulator.messages().iter().all(|message| !message.used));
    let answer = convert("tracked", DEVELOPMENT_API_KEY).await;
    assert_eq!((answer.status, answer.body["processKey"].is_string()), (200, true));
    let used: Vec<_> = emulator.messages().iter().map(|message| message.used).collect();
    assert_eq!(used, [false, true]);
}

#[tokio::test]
async fn a_message_is_accepted_kept_and_shown() {
    let emulator = start().await;
    let answer = send(&emulator, &message()).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body["bulkId"].is_string());
    assert_eq!(
        answer.body["messages"],
        json!([{
            "messageId": ID,
            "status": {
                "groupId": 1,
                "groupName": "PENDING",
                "id": 26,
                "name": "PENDING_ACCEPTED",
                "description": "Message sent to next instance",
            },
            "destination": "15550100199",
            "details": { "messageCount": 1 },
        }])
    );
    let [message] = emulator.messages().try_into().unwrap();
    assert_eq!((&*message.id, message.provider, &*message.to), (ID, "Infobip", "+15550100199"));
    assert_eq!((&*message.from, message.tag.as_deref()), ("InfoSMS", Some("okta-event:1")));
    assert_eq!(message.expires, Some(NOW + time::Duration::minutes(5)));
    assert_eq!(message.details["regional"]["indiaDlt"]["principalEntityId"], "1111111111111111112");
    let listed = ask(&emulator, "GET", "/messages", &[], "").await.body;
    assert_eq!((&listed[0]["provider"], &listed[0]["id"]), (&json!("Infobip"), &json!(ID)));
    assert_eq!(listed[0]["expires"], "2026-03-26T16:11:51Z");
}

#[tokio::test]
async fn the_page_says_by_whom_a_message_came_and_until_when_it_holds() {
    let emulator = start().await;
    send(&emulator, &message()).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let page =
        client.get(format!("http://{}/", emulator.address()).parse().unwrap()).await.unwrap();
    let page = String::from_utf8(page.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    assert!(page.contains("by <b data-text=\"provider\">Infobip</b>"), "{page}");
    assert!(page.contains("until 16:11:51 UTC"), "{page}");
    for fault in FAULTS {
        assert!(page.contains(fault.number), "{}", fault.number);
    }
}

#[tokio::test]
async fn only_the_accounts_key_may_send() {
    let emulator = start().await;
    for (authorization, status) in [
        ("", 401),
        ("App ", 401),
        ("App another", 401),
        (DEVELOPMENT_API_KEY, 401),
        ("Basic YTpi", 401),
        ("App a-key-without-the-scope-to-send-messages", 403),
    ] {
        let answer = send_as(&emulator, authorization, &message()).await;
        assert_eq!(answer.status, status, "{authorization}");
        assert_eq!(answer.body["errorCode"], format!("E{status}"));
        let keys: Vec<_> = answer.body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["action", "description", "errorCode", "resources", "violations"]);
    }
    assert!(emulator.messages().is_empty());
    let requests = emulator.requests();
    assert!(requests[3].reasons[0].contains("does not begin with App"), "{requests:?}");
}

#[tokio::test]
async fn a_field_that_is_wrong_is_named() {
    let emulator = start().await;
    let long = |count| json!("x".repeat(count));
    for (pointer, value, property) in [
        ("/messages", json!([]), "messages"),
        ("/messages", json!({}), "messages"),
        ("/messages", Value::Null, "messages"),
        ("/messages/0/sender", json!(12345), "messages[0].sender"),
        ("/messages/0/destinations", json!([]), "messages[0].destinations"),
        ("/messages/0/destinations/0", json!({}), "messages[0].destinations[0].to"),
        ("/messages/0/destinations/0/to", json!(1), "messages[0].destinations[0].to"),
        ("/messages/0/destinations/0/to", long(65), "messages[0].destinations[0].to"),
        (
            "/messages/0/destinations/0/messageId",
            long(201),
            "messages[0].destinations[0].messageId",
        ),
        ("/messages/0/content", json!("text"), "messages[0].content"),
        ("/messages/0/content", json!({}), "messages[0].content.text"),
        (
            "/messages/0/options/validityPeriod",
            json!({}),
            "messages[0].options.validityPeriod.amount",
        ),
        (
            "/messages/0/options/validityPeriod/amount",
            json!(1.5),
            "messages[0].options.validityPeriod.amount",
        ),
        (
            "/messages/0/options/validityPeriod/amount",
            json!(4_000_000_000_u64),
            "messages[0].options.validityPeriod.amount",
        ),
        (
            "/messages/0/options/validityPeriod/timeUnit",
            json!("DAYS"),
            "messages[0].options.validityPeriod.timeUnit",
        ),
        (
            "/messages/0/options/regional/indiaDlt",
            json!({ "contentTemplateId": "1" }),
            "messages[0].options.regional.indiaDlt.principalEntityId",
        ),
        ("/messages/0/webhooks/contentType", json!("text"), "messages[0].webhooks.contentType"),
        ("/messages/0/webhooks/callbackData", long(4001), "messages[0].webhooks.callbackData"),
        ("/options/includeSmsCountInResponse", json!(1), "options.includeSmsCountInResponse"),
        ("", json!([]), "request"),
    ] {
        let answer = send(&emulator, &with(pointer, value.clone())).await;
        assert_eq!((answer.status, &answer.body["errorCode"]), (400, &json!("E400")), "{value}");
        assert_eq!(answer.body["violations"][0]["property"], property, "{value}");
    }
    assert!(emulator.messages().is_empty());
    // What the limits allow.
    for (pointer, value) in [
        ("/messages/0/webhooks/callbackData", long(4000)),
        ("/messages/0/options/regional", Value::Null),
        ("/messages/0/options", json!({ "somethingNew": 1 })),
        ("/options", Value::Null),
    ] {
        assert_eq!(send(&emulator, &with(pointer, value)).await.id(), 26, "{pointer}");
    }
}

#[tokio::test]
async fn what_is_no_request_to_send_is_refused() {
    let emulator = start().await;
    let key = format!("App {DEVELOPMENT_API_KEY}");
    let body = message().to_string();
    let text = [("authorization", &*key), ("content-type", "text/plain")];
    assert_eq!(ask(&emulator, "POST", PATH, &text, &body).await.status, 415);
    let long = " ".repeat(BODY_LIMIT + 1);
    assert_eq!(ask(&emulator, "POST", PATH, &text, &long).await.status, 413);
    for (method, path) in [("GET", PATH), ("GET", "/sms/2/text/advanced"), ("POST", "/sms")] {
        let answer = ask(&emulator, method, path, &text, "").await;
        assert_eq!(answer.status, 404, "{method} {path}");
        let id = &answer.body["requestError"]["serviceException"]["messageId"];
        assert_eq!(id, "NOT_FOUND");
    }
    let elsewhere = [("host", "rebound.example")];
    assert_eq!(ask(&emulator, "GET", "/messages", &elsewhere, "").await.status, 421);
}

#[tokio::test]
async fn a_message_that_cannot_be_sent_is_refused_inside_a_200() {
    let emulator = start().await;
    emulator.set_senders(Some(vec!["InfoSMS".into()]));
    let to = "/messages/0/destinations/0/to";
    let text = "/messages/0/content/text";
    for (pointer, value, id) in [
        (to, json!("15550100199"), 26),
        (to, json!("+15550100199"), 26),
        (to, json!("phone"), 52),
        (to, json!("1555010019912345"), 52),
        (to, json!("015550100199"), 8),
        (to, json!("155501"), 8),
        (to, json!(""), 8),
        ("/messages/0/sender", json!("OTHER"), 11),
        ("/messages/0/sender", Value::Null, 11),
        // 25 parts of 153 characters, and one more.
        (text, json!("x".repeat(25 * 153)), 26),
        (text, json!("x".repeat(25 * 153 + 1)), 25),
        (text, json!("é".repeat(2001)), 25),
    ] {
        let before = emulator.messages().len();
        let answer = send(&emulator, &with(pointer, value.clone())).await;
        assert_eq!((answer.status, answer.id()), (200, id), "{value}");
        assert_eq!(emulator.messages().len() - before, usize::from(id == 26), "{value}");
    }
}

#[tokio::test]
async fn a_repeat_is_a_second_message_unless_idempotency_is_on() {
    for (idempotent, second, messages) in [(false, 26, 2), (true, 23, 1)] {
        let emulator = start_with(|settings| Settings { idempotent, ..settings }).await;
        assert_eq!(send(&emulator, &message()).await.id(), 26);
        assert_eq!(send(&emulator, &message()).await.id(), second, "{idempotent}");
        assert_eq!(emulator.messages().len(), messages, "{idempotent}");
        // Without an id of the sender's there is nothing to know it by.
        let nameless = with("/messages/0/destinations/0", json!({ "to": "15550100199" }));
        for _ in 0..2 {
            assert_eq!(send(&emulator, &nameless).await.id(), 26);
        }
    }
}

#[tokio::test]
async fn a_fault_does_what_it_says() {
    for fault in FAULTS {
        let emulator = start().await;
        let body = message_to(fault.number);
        let said = |what: &str| fault.meaning.contains(what);
        let reason = format!("Fault: {}: {}", fault.number, fault.meaning);
        match fault.fault {
            Fault::RefuseRequest { status, retry_after, form, times } => {
                let answer = send(&emulator, &body).await;
                assert_eq!(answer.status, status, "{}", fault.number);
                assert!(said(&status.to_string()), "{}", fault.number);
                assert_eq!(answer.retry_after, retry_after.map(|it| it.to_string()));
                assert_eq!(answer.body.is_null(), form == ErrorForm::Empty, "{}", fault.number);
                assert!(emulator.messages().is_empty());
                assert_eq!(emulator.requests()[0].reasons, [reason]);
                let again = send(&emulator, &body).await.status;
                assert_eq!(again == 200, times == crate::reply::Times::First, "{}", fault.number);
            }
            Fault::RefuseMessage { status, times } => {
                assert_eq!(send(&emulator, &body).await.id(), u64::from(status));
                assert!(emulator.messages().is_empty());
                let again = send(&emulator, &body).await.id();
                assert_eq!(again == 26, times == crate::reply::Times::First, "{}", fault.number);
            }
            Fault::Accept(OddAnswer::NoMessages) => {
                assert_eq!(send(&emulator, &body).await.body["messages"], json!([]));
                assert_eq!(emulator.messages().len(), 1);
            }
            Fault::Accept(OddAnswer::NoMessageId) => {
                let answer = send(&emulator, &body).await;
                assert_eq!((answer.id(), answer.body["messages"][0].get("messageId")), (26, None));
            }
            Fault::Report(_) => assert_eq!(send(&emulator, &body).await.id(), 26),
            // What is done to a connection, the tests of the component's have.
            Fault::NeverAnswer | Fault::Cut | Fault::Accept(OddAnswer::Spoilt(_)) => {}
        }
    }
}

/// Who takes reports: the headers and the body of each request, and what it is answered.
struct Receiver {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<(http::HeaderMap, Value)>>>,
    answers: Arc<Mutex<Vec<u16>>>,
    _server: loopback::Server,
}

impl Receiver {
    /// Answers in this order, and with 200 from then on.
    async fn start(answers: &[u16]) -> Self {
        let listener =
            loopback::bind("127.0.0.1:0".parse().unwrap(), "the receiver").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(answers.iter().rev().copied().collect::<Vec<_>>()));
        let (into, from) = (seen.clone(), answers.clone());
        let router = Router::new().fallback(move |request: Request| async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let body = serde_json::from_slice(&body).unwrap();
            into.lock().unwrap().push((head.headers, body));
            StatusCode::from_u16(from.lock().unwrap().pop().unwrap_or(200)).unwrap()
        });
        let _server = loopback::Server::start(listener, router);
        Self { address, seen, answers, _server }
    }

    fn subscription(&self) -> ReportSubscription {
        let proof = Proof::Basic { user: "infobip".into(), secret: "secret".into() };
        ReportSubscription {
            delay: Duration::ZERO,
            back_off: vec![Duration::ZERO; 3],
            ..ReportSubscription::new(format!("http://{}/reports", self.address), proof)
        }
    }

    fn seen(&self) -> Vec<(http::HeaderMap, Value)> {
        self.seen.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn messages_are_reported_together_with_a_proof_and_without_a_colon_in_the_offset() {
    let receiver = Receiver::start(&[]).await;
    let emulator = start().await;
    emulator.subscribe_reports(receiver.subscription()).unwrap();
    let mut body = message();
    let second = json!({ "to": "15550107009", "messageId": "other" });
    body["messages"][0]["destinations"].as_array_mut().unwrap().push(second);
    send(&emulator, &body).await;
    let (headers, body) = until(|| receiver.seen().pop()).await;
    assert_eq!(headers["authorization"], "Basic aW5mb2JpcDpzZWNyZXQ=");
    assert_eq!(headers["content-type"], "application/json");
    let results = body["results"].as_array().unwrap();
    assert_eq!(results.len(), 2, "{body}");
    assert_eq!(
        results[0],
        json!({
            "bulkId": results[0]["bulkId"],
            "price": { "pricePerMessage": 0.01, "currency": "EUR" },
            "status": {
                "groupId": 3,
                "groupName": "DELIVERED",
                "id": 5,
                "name": "DELIVERED_TO_HANDSET",
                "description": "Message delivered to handset",
            },
            "error": {
                "groupId": 0,
                "groupName": "OK",
                "id": 0,
                "name": "NO_ERROR",
                "description": "No Error",
                "permanent": false,
            },
            "messageId": ID,
            "to": "15550100199",
            "sender": "InfoSMS",
            "sentAt": "2026-03-26T16:06:51.000+0000",
            "doneAt": "2026-03-26T16:06:51.000+0000",
            "messageCount": 1,
            "callbackData": "okta-event:1",
        })
    );
    assert_eq!(
        (&results[1]["status"]["id"], &results[1]["messageId"]),
        (&json!(9), &json!("other"))
    );
    let reports =
        until(|| Some(emulator.reports()).filter(|it| it.iter().all(|it| it.is_taken))).await;
    assert_eq!(reports.iter().map(|it| it.code).collect::<Vec<_>>(), [5, 9]);
}

#[tokio::test]
async fn a_report_that_is_not_taken_with_a_200_comes_again() {
    let receiver = Receiver::start(&[503, 204, 401]).await;
    let emulator = start().await;
    let proof = Proof::Header { name: "x-report-secret".into(), secret: "c0ffee".into() };
    let subscription = ReportSubscription { proof, ..receiver.subscription() };
    emulator.subscribe_reports(subscription).unwrap();
    send(&emulator, &message()).await;
    let answers = [503, 204, 401, 200].map(Some);
    until(|| (emulator.reports().first()?.answers == answers).then_some(())).await;
    assert!(receiver.answers.lock().unwrap().is_empty());
    assert!(receiver.seen().iter().all(|(headers, _)| headers["x-report-secret"] == "c0ffee"));
}

#[tokio::test]
async fn a_message_past_its_validity_is_reported_as_expired() {
    for (amount, unit, code) in [(1, "SECONDS", 15), (100, "HOURS", 5)] {
        let receiver = Receiver::start(&[]).await;
        let hours = Mutex::new(0);
        // An hour later whenever somebody looks.
        let now = move || {
            let mut hours = hours.lock().unwrap();
            *hours += 1;
            NOW + time::Duration::hours(*hours)
        };
        let emulator = start_with(|it| Settings { now: Arc::new(now), ..it }).await;
        emulator.subscribe_reports(receiver.subscription()).unwrap();
        let period = json!({ "amount": amount, "timeUnit": unit });
        send(&emulator, &with("/messages/0/options/validityPeriod", period)).await;
        let report = until(|| emulator.reports().pop()).await;
        assert_eq!(report.code, code, "{amount} {unit}");
    }
}

#[tokio::test]
async fn a_repeat_that_is_known_is_reported_as_that_and_changes_nothing_of_the_message() {
    let receiver = Receiver::start(&[]).await;
    let emulator = start_with(|settings| Settings { idempotent: true, ..settings }).await;
    emulator.subscribe_reports(receiver.subscription()).unwrap();
    send(&emulator, &message()).await;
    until(|| emulator.reports().pop()).await;
    send(&emulator, &message()).await;
    let seen = until(|| Some(receiver.seen()).filter(|seen| seen.len() == 2)).await;
    let status = &seen[1].1["results"][0]["status"];
    assert_eq!(
        (&status["id"], &status["name"]),
        (&json!(23), &json!("REJECTED_DUPLICATE_MESSAGE_ID"))
    );
    assert_eq!(seen[1].1["results"][0]["messageId"], ID);
    let codes: Vec<_> = emulator.reports().iter().map(|report| report.code).collect();
    assert_eq!(codes, [5]);
}

#[tokio::test]
async fn who_wants_no_report_gets_none() {
    let receiver = Receiver::start(&[]).await;
    let emulator = start().await;
    emulator.subscribe_reports(receiver.subscription()).unwrap();
    send(&emulator, &with("/messages/0/webhooks", json!({ "delivery": { "notify": false } })))
        .await;
    send(&emulator, &message_to("+15550106001")).await;
    let ordinary = with("/messages/0/destinations/0/messageId", json!("reported"));
    send(&emulator, &ordinary).await;
    until(|| receiver.seen().pop()).await;
    assert_eq!(emulator.reports().len(), 1);
    assert_eq!(emulator.reports()[0].message_id, "reported");
}

#[tokio::test]
async fn reports_stay_on_this_machine() {
    let emulator = start().await;
    let proof = || Proof::Header { name: "x-report-secret".into(), secret: "c0ffee".into() };
    for endpoint in ["http://example.com/reports", "https://127.0.0.1/reports"] {
        let subscription = ReportSubscription::new(endpoint, proof());
        let error = emulator.subscribe_reports(subscription).unwrap_err().to_string();
        assert!(error.contains("on this machine only"), "{error}");
    }
}
