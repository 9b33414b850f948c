//! The emulator over real sockets.

use super::*;
use crate::phone::DeliveryStatus;
use crate::waiting::until;

use std::collections::HashMap;
use std::time::Duration;

use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use form_urlencoded::Serializer;
use http::header;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// Where messages are posted, of the account for development.
const PATH: &str = "/2010-04-01/Accounts/AC0000000000000000000000000000de50/Messages.json";

const SERVICE: &str = "MG0123456789abcdef0123456789abcdef";

async fn start() -> TwilioEmulator {
    TwilioEmulator::start(Settings::new(([127, 0, 0, 1], 0).into())).await.unwrap()
}

struct Answer {
    status: u16,
    retry_after: Option<String>,
    body: Value,
}

impl Answer {
    fn error(&self) -> (u16, u64) {
        (self.status, self.body["code"].as_u64().unwrap_or_default())
    }
}

/// Everything that a request may have, to be spoilt by a test.
fn message() -> HashMap<&'static str, String> {
    HashMap::from([
        ("To", "+15550100199".to_owned()),
        ("From", "+15550100100".to_owned()),
        ("Body", "Your code is 123456".to_owned()),
        ("ValidityPeriod", "300".to_owned()),
        ("StatusCallback", "https://hook.example.com/r?tag=okta%3A1#rc=3&rp=5xx,ct,rt".to_owned()),
    ])
}

fn with(name: &'static str, value: &str) -> HashMap<&'static str, String> {
    let mut message = message();
    message.insert(name, value.to_owned());
    message
}

async fn ask(
    emulator: &TwilioEmulator,
    path: &str,
    (user, secret): (&str, &str),
    content_type: &str,
    form: &HashMap<&str, String>,
) -> Answer {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let body = Serializer::new(String::new()).extend_pairs(form).finish();
    let request = http::Request::post(format!("http://{}{path}", emulator.address()))
        .header(
            header::AUTHORIZATION,
            format!("Basic {}", BASE64.encode(format!("{user}:{secret}"))),
        )
        .header(header::CONTENT_TYPE, content_type)
        .body(Full::from(body))
        .unwrap();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    let retry_after = head.headers.get(header::RETRY_AFTER);
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: head.status.as_u16(),
        retry_after: retry_after.map(|value| value.to_str().unwrap().to_owned()),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

async fn send(emulator: &TwilioEmulator, form: &HashMap<&str, String>) -> Answer {
    ask(emulator, PATH, (DEVELOPMENT_KEY_SID, DEVELOPMENT_KEY_SECRET), FORM, form).await
}

#[tokio::test]
async fn feedback_is_taken_of_the_accounts_messages_that_were_sent_with_it() {
    let emulator = start().await;
    let right = (DEVELOPMENT_KEY_SID, DEVELOPMENT_KEY_SECRET);
    send(&emulator, &message()).await;
    send(&emulator, &with("ProvideFeedback", "true")).await;
    let [without, message] = emulator.messages().try_into().unwrap();
    let give = async |sid: &str, credentials, outcome: &str| {
        let path = PATH.replace(".json", &format!("/{sid}/Feedback.json"));
        let form = HashMap::from([("Outcome", outcome.to_owned())]);
        ask(&emulator, &path, credentials, FORM, &form).await
    };
    let used = || emulator.messages().into_iter().filter(|it| it.used).count();
    let wrong = (DEVELOPMENT_KEY_SID, "another");
    assert_eq!(give(&message.id, wrong, "confirmed").await.error(), (401, 20_003));
    let test = (TEST_ACCOUNT_SID, TEST_AUTH_TOKEN);
    assert_eq!(give(&message.id, test, "confirmed").await.error(), (404, 20_404));
    assert_eq!(give(&without.id, right, "confirmed").await.error(), (404, 20_404));
    assert_eq!(give("SM1", right, "confirmed").await.error(), (404, 20_404));
    assert_eq!(give(&message.id, right, "yes").await.error(), (400, 20_001));
    assert_eq!(give(&message.id, right, "unconfirmed").await.status, 201);
    assert_eq!(used(), 0);
    for _ in 0..2 {
        let answer = give(&message.id, right, "confirmed").await;
        assert_eq!((answer.status, &answer.body["outcome"]), (201, &json!("confirmed")));
        assert_eq!(used(), 1);
    }
}

#[tokio::test]
async fn a_message_is_accepted_and_kept_and_a_repeat_is_another_one() {
    let emulator = start().await;
    let answer = send(&emulator, &message()).await;
    assert_eq!(answer.status, 201);
    assert_eq!(
        (&answer.body["status"], &answer.body["num_segments"]),
        (&json!("queued"), &json!("1"))
    );
    let again = send(&emulator, &message()).await;
    let [first, second] = emulator.messages().try_into().unwrap();
    assert_eq!(answer.body["sid"], *first.id);
    assert_eq!(again.body["sid"], *second.id);
    assert_ne!(first.id, second.id);
    assert_eq!((&*first.from, &*first.to), ("+15550100100", "+15550100199"));
    assert_eq!(first.tag.as_deref(), Some("okta:1"));
    assert_eq!(first.expires, Some(first.received + time::Duration::minutes(5)));
}

#[tokio::test]
async fn a_service_picks_its_sender_later() {
    let emulator = start().await;
    let mut message = with("MessagingServiceSid", SERVICE);
    message.remove("From");
    let answer = send(&emulator, &message).await;
    assert_eq!(answer.status, 201);
    for (name, value) in [
        ("status", json!("accepted")),
        ("from", Value::Null),
        ("num_segments", json!("0")),
        ("messaging_service_sid", json!(SERVICE)),
    ] {
        assert_eq!(answer.body[name], value, "{name}");
    }
}

#[tokio::test]
async fn what_the_service_would_refuse_is_refused_by_its_code() {
    let emulator = start().await;
    let without = |name| {
        let mut message = message();
        message.remove(name);
        message
    };
    for (form, code) in [
        (without("To"), 21_604),
        (with("To", "15550100199"), 21_211),
        (with("To", " 15550100199"), 21_211),
        (without("From"), 21_603),
        (with("From", "Contoso!"), 21_212),
        (with("MessagingServiceSid", "MG1"), 21_705),
        (without("Body"), 21_602),
        (with("Body", &"é".repeat(1601)), 21_617),
        (with("ValidityPeriod", "0"), 20_001),
        (with("ValidityPeriod", "36001"), 20_001),
        (with("ValidityPeriod", "5.5"), 20_001),
        (with("StatusCallback", "/r"), 21_609),
        (with("StatusCallback", "https://my_hook.example.com/r"), 21_609),
        (with("StatusCallback", "https://hook.example.com/r#rc=9"), 21_609),
    ] {
        assert_eq!(send(&emulator, &form).await.error(), (400, code), "{form:?}");
    }
    // Names are case-sensitive, and of another type nothing is read.
    let mut lower = without("To");
    lower.insert("to", "+15550100199".into());
    assert_eq!(send(&emulator, &lower).await.error(), (400, 21_604));
    let key = (DEVELOPMENT_KEY_SID, DEVELOPMENT_KEY_SECRET);
    let json = ask(&emulator, PATH, key, "application/json", &message()).await;
    assert_eq!(json.error(), (400, 21_604));
    assert!(emulator.messages().is_empty());
}

#[tokio::test]
async fn who_is_not_the_account_is_refused() {
    let emulator = start().await;
    let other = PATH.replace(DEVELOPMENT_ACCOUNT_SID, TEST_ACCOUNT_SID);
    for (path, user, secret, error) in [
        (PATH, DEVELOPMENT_KEY_SID, "wrong", (401, 20_003)),
        (PATH, "SK1", DEVELOPMENT_KEY_SECRET, (401, 20_003)),
        (PATH, DEVELOPMENT_KEY_SID, DEVELOPMENT_AUTH_TOKEN, (401, 20_003)),
        (PATH, DEVELOPMENT_ACCOUNT_SID, DEVELOPMENT_AUTH_TOKEN, (201, 0)),
        (&*other, DEVELOPMENT_KEY_SID, DEVELOPMENT_KEY_SECRET, (404, 20_404)),
        ("/2010-04-01/Messages.json", DEVELOPMENT_KEY_SID, DEVELOPMENT_KEY_SECRET, (404, 20_404)),
    ] {
        let answer = ask(&emulator, path, (user, secret), FORM, &message()).await;
        assert_eq!(answer.error(), error, "{path} {user}");
    }
    emulator.set_senders(Some(vec!["+15550100101".into()]));
    assert_eq!(send(&emulator, &message()).await.error(), (400, 21_606));
}

/// The tables of Twilio's page "Test credentials".
#[tokio::test]
async fn test_credentials_know_twilios_magic_numbers_and_send_nothing() {
    let emulator = start().await;
    let path = PATH.replace(DEVELOPMENT_ACCOUNT_SID, TEST_ACCOUNT_SID);
    for (from, to, error) in [
        ("+15005550001", "+15550100199", (400, 21_212)),
        ("+15005550007", "+15550100199", (400, 21_606)),
        ("+15005550008", "+15550100199", (400, 21_611)),
        ("+15550100100", "+15550100199", (400, 21_606)),
        ("+15005550006", "+15550100199", (201, 0)),
        ("+15005550006", "+15005550001", (400, 21_211)),
        ("+15005550006", "+15005550002", (400, 21_612)),
        ("+15005550006", "+15005550003", (400, 21_408)),
        ("+15005550006", "+15005550004", (400, 21_610)),
        ("+15005550006", "+15005550009", (400, 21_614)),
        ("+15005550006", "+15550100401", (201, 0)),
    ] {
        let mut form = with("From", from);
        form.insert("To", to.to_owned());
        let answer = ask(&emulator, &path, (TEST_ACCOUNT_SID, TEST_AUTH_TOKEN), FORM, &form).await;
        assert_eq!(answer.error(), error, "{from} {to}");
    }
    let calls = path.replace("Messages", "Calls");
    for (from, to, error) in [
        ("+15005550001", "+15550100199", (400, 21_212)),
        ("+15550100100", "+15550100199", (400, 21_210)),
        ("+15005550006", "+15005550001", (400, 21_217)),
        ("+15005550006", "+15005550002", (400, 21_214)),
        ("+15005550006", "+15005550003", (400, 21_215)),
        ("+15005550006", "+15005550004", (400, 21_216)),
        ("+15005550006", "+15550100199", (201, 0)),
    ] {
        let mut form = with("From", from);
        form.insert("To", to.to_owned());
        form.insert("Twiml", "<Response><Say>1</Say></Response>".to_owned());
        let answer = ask(&emulator, &calls, (TEST_ACCOUNT_SID, TEST_AUTH_TOKEN), FORM, &form).await;
        assert_eq!(answer.error(), error, "{from} {to}");
    }
    assert!(emulator.messages().is_empty());
    let mut service = with("MessagingServiceSid", SERVICE);
    service.remove("From");
    let answer = ask(&emulator, &path, (TEST_ACCOUNT_SID, TEST_AUTH_TOKEN), FORM, &service).await;
    assert_eq!(answer.error(), (400, 21_705));
}

#[tokio::test]
async fn faults_come_when_they_are_asked_for_and_both_forms_of_errors_have_the_code() {
    let emulator = start().await;
    for (to, error) in [
        ("+15550100400", (400, 21_211)),
        ("+15550102400", (400, 21_614)),
        ("+15550100503", (503, 20_503)),
        ("+15550100502", (502, 0)),
        ("+15550108408", (400, 21_408)),
    ] {
        assert_eq!(send(&emulator, &with("To", to)).await.error(), error, "{to}");
    }
    let newer = send(&emulator, &with("To", "+15550102400")).await.body;
    assert!(newer["type"].is_string() && newer.get("more_info").is_none(), "{newer}");
    let throttled = send(&emulator, &with("To", "+15550100429")).await;
    assert_eq!((throttled.status, throttled.retry_after.as_deref()), (429, Some("1")));
    assert_eq!(send(&emulator, &with("To", "+15550100429")).await.status, 201);
    emulator.set_fault(fault_of("+15550103009"));
    let answer = send(&emulator, &message()).await;
    assert_eq!((answer.status, answer.body.get("sid")), (201, None));
}

/// A webhook that gives these answers, and then 200, and keeps what came.
async fn webhook(
    answers: Vec<u16>,
) -> (String, Arc<Mutex<Vec<(String, HashMap<String, String>)>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let came = Arc::new(Mutex::new(Vec::new()));
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    let kept = came.clone();
    let take = move |request: Request| async move {
        let target = request.uri().to_string();
        let signature = request.headers()["x-twilio-signature"].to_str().unwrap().to_owned();
        let token = request.headers().contains_key("i-twilio-idempotency-token");
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let mut form: HashMap<String, String> =
            form_urlencoded::parse(&body).into_owned().collect();
        form.insert("signature".into(), signature);
        form.insert("is_repeat".into(), token.to_string());
        kept.lock().unwrap().push((target, form));
        StatusCode::from_u16(answers.lock().unwrap().next().unwrap_or(200)).unwrap()
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(take))).await });
    (url, came)
}

async fn start_with_webhook(
    answers: Vec<u16>,
) -> (TwilioEmulator, Arc<Mutex<Vec<(String, HashMap<String, String>)>>>) {
    let emulator = start().await;
    let (url, came) = webhook(answers).await;
    let callbacks = Callbacks {
        to: Some(url),
        delay: Duration::ZERO,
        copies: 1,
        back_off: Duration::from_millis(5),
    };
    emulator.set_callbacks(callbacks).unwrap();
    (emulator, came)
}

#[tokio::test]
async fn a_message_is_sent_and_then_delivered_and_each_callback_is_signed() {
    let (emulator, came) = start_with_webhook(Vec::new()).await;
    send(&emulator, &message()).await;
    let came = until(|| Some(came.lock().unwrap().clone()).filter(|it| it.len() == 2)).await;
    let statuses: Vec<_> = came.iter().map(|(_, form)| &*form["MessageStatus"]).collect();
    assert_eq!(statuses, ["sent", "delivered"]);
    for (target, form) in &came {
        assert_eq!(target, "/r?tag=okta%3A1");
        assert_eq!(BASE64.decode(&form["signature"]).unwrap().len(), 20);
        assert!(form.contains_key("AddedLater") && form["MessageSid"] == form["SmsSid"]);
    }
    assert!(came[1].1.contains_key("RawDlrDoneDate"));
    let [report] = until(|| emulator.reports().try_into().ok()).await;
    assert_eq!((report.status, report.is_taken), (DeliveryStatus::Delivered, true));
}

#[tokio::test]
async fn a_callback_comes_again_as_its_url_asks_for() {
    for (url, answers, count) in [
        ("https://a.example/r#rc=3&rp=5xx,ct,rt", vec![503, 503], 3),
        ("https://a.example/r#rc=1&rp=5xx", vec![503, 503, 503], 2),
        ("https://a.example/r", vec![503], 1),
        ("https://a.example/r#rc=3&rp=5xx,ct,rt", vec![401], 1),
    ] {
        let (emulator, came) = start_with_webhook(answers).await;
        let mut form = with("StatusCallback", url);
        form.insert("To", "+15550107036".into());
        send(&emulator, &form).await;
        until(|| {
            let answers = emulator.reports().first().map(|report| report.answers.len());
            (answers == Some(count)).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let came = came.lock().unwrap().clone();
        let repeats: Vec<_> = came.iter().map(|(_, form)| form["is_repeat"] == "true").collect();
        assert_eq!(repeats.len(), count, "{url}");
        assert!(repeats.iter().skip(1).all(|it| *it) && !repeats[0], "{url}: {repeats:?}");
        assert_eq!((&*came[0].1["MessageStatus"], &*came[0].1["ErrorCode"]), ("failed", "30036"));
    }
}

#[tokio::test]
async fn callbacks_leave_this_machine_for_nobody() {
    let emulator = start().await;
    let to = |to: &str| Callbacks { to: Some(to.to_owned()), ..Callbacks::default() };
    assert!(emulator.set_callbacks(to("http://192.0.2.1")).is_err());
    let nowhere = Callbacks { delay: Duration::ZERO, ..Callbacks::default() };
    emulator.set_callbacks(nowhere).unwrap();
    send(&emulator, &message()).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(emulator.reports().is_empty());
}
