//! The emulator over real sockets.

use super::*;
use crate::waiting::until;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-03-26 16:06:51 UTC);
const DATE: &str = "Thu, 26 Mar 2026 16:06:51 GMT";
const FORM: &str = "application/x-www-form-urlencoded";

async fn start() -> TelesignEmulator {
    let settings = Settings { now: Arc::new(|| NOW), ..Settings::new(([127, 0, 0, 1], 0).into()) };
    TelesignEmulator::start(settings).await.unwrap()
}

struct Answer {
    status: u16,
    retry_after: Option<String>,
    body: Value,
}

impl Answer {
    fn code(&self) -> u64 {
        self.body["status"]["code"].as_u64().unwrap_or_else(|| panic!("{}", self.body))
    }
}

/// Everything that a request may have, to be spoilt by a test.
const FIELDS: [(&str, &str); 8] = [
    ("phone_number", "15550100199"),
    ("message", "Your code is 123456"),
    ("message_type", "OTP"),
    ("account_lifecycle_event", "sign-in"),
    ("sender_id", "CONTOSO"),
    ("external_id", "okta:1"),
    ("dlt_entity_id", "1111111111111111112"),
    ("dlt_template_id", "1111111111111111111"),
];

fn form(change: &[(&str, &str)]) -> String {
    let mut fields = std::collections::BTreeMap::from(FIELDS);
    fields.extend(change.iter().copied());
    fields.retain(|_, value| !value.is_empty());
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

async fn ask(
    emulator: &TelesignEmulator,
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

/// A nonce that no other test has.
fn nonce() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The headers of a request that is signed over these bytes.
fn signed(body: &str, date: &str, nonce: &str) -> Vec<(&'static str, String)> {
    let signed = format!(
        "POST\n{FORM}\n{date}\nx-ts-auth-method:HMAC-SHA256\nx-ts-nonce:{nonce}\n{body}\n{PATH}"
    );
    let signature = signature::Key::new(DEVELOPMENT_API_KEY).unwrap().sign(signed.as_bytes());
    vec![
        ("content-type", FORM.to_owned()),
        ("date", date.to_owned()),
        ("x-ts-auth-method", "HMAC-SHA256".to_owned()),
        ("x-ts-nonce", nonce.to_owned()),
        ("authorization", format!("TSA {DEVELOPMENT_CUSTOMER_ID}:{signature}")),
    ]
}

async fn post(emulator: &TelesignEmulator, headers: &[(&str, String)], body: &str) -> Answer {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    ask(emulator, "POST", PATH, &headers, body).await
}

async fn send(emulator: &TelesignEmulator, change: &[(&str, &str)]) -> Answer {
    let body = form(change);
    post(emulator, &signed(&body, DATE, &nonce()), &body).await
}

#[tokio::test]
async fn a_completion_is_taken_of_text_messages_and_signed_without_a_type_and_a_body() {
    let emulator = start().await;
    send(&emulator, &[]).await;
    let call = form(&[("sender_id", ""), ("dlt_entity_id", ""), ("dlt_template_id", "")]);
    let basic = format!("{DEVELOPMENT_CUSTOMER_ID}:{DEVELOPMENT_API_KEY}");
    let basic = format!("Basic {}", BASE64.encode(basic));
    let headers = [("content-type", FORM), ("authorization", &*basic)];
    assert_eq!(ask(&emulator, "POST", CALLS_PATH, &headers, &call).await.status, 201);
    let [message, call] = emulator.messages().try_into().unwrap();
    let complete = async |id: &str, key: &str, nonce: &str| {
        let path = format!("/v1/verify/completion/{id}");
        let signed =
            format!("PUT\n\n{DATE}\nx-ts-auth-method:HMAC-SHA256\nx-ts-nonce:{nonce}\n{path}");
        let signature = signature::Key::new(key).unwrap().sign(signed.as_bytes());
        let authorization = format!("TSA {DEVELOPMENT_CUSTOMER_ID}:{signature}");
        let headers = [
            ("date", DATE),
            ("x-ts-auth-method", "HMAC-SHA256"),
            ("x-ts-nonce", nonce),
            ("authorization", &authorization),
        ];
        ask(&emulator, "PUT", &path, &headers, "").await
    };
    let nonce = nonce();
    for (id, key, status, code) in [
        (&*message.id, "b3RoZXI=", 401, -30006),
        ("0123456789ABCDEF0123456789ABCDEF", DEVELOPMENT_API_KEY, 404, -10001),
        (&*call.id, DEVELOPMENT_API_KEY, 401, -30013),
    ] {
        let answer = complete(id, key, &self::nonce()).await;
        let told = &answer.body["errors"][0]["code"];
        assert_eq!((answer.status, told), (status, &json!(code)), "{id}");
    }
    assert!(emulator.messages().iter().all(|message| !message.used));
    let answer = complete(&message.id, DEVELOPMENT_API_KEY, &nonce).await;
    assert_eq!((answer.status, &answer.body["status"]["code"]), (200, &json!("1900")));
    assert!(emulator.messages()[0].used);
    let again = complete(&message.id, DEVELOPMENT_API_KEY, &nonce).await;
    assert_eq!(again.body["errors"][0]["code"], -30012);
}

#[tokio::test]
async fn a_message_is_accepted_kept_and_shown() {
    let emulator = start().await;
    let answer = send(&emulator, &[]).await;
    let id = answer.body["reference_id"].as_str().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    assert_eq!(
        (answer.status, &answer.body),
        (
            200,
            &json!({
                "reference_id": id,
                "external_id": "okta:1",
                // As in Telesign's examples.
                "status": { "code": 290, "description": "Message in progress", "updated_on": "2026-26-03T16:06:51.000000Z" },
            })
        )
    );
    let [message] = emulator.messages().try_into().unwrap();
    assert_eq!((&*message.id, message.provider, &*message.to), (id, "Telesign", "+15550100199"));
    assert_eq!((&*message.from, message.tag.as_deref()), ("CONTOSO", Some("okta:1")));
    assert_eq!(message.details["account_lifecycle_event"], "sign-in");
    let listed = ask(&emulator, "GET", "/messages", &[], "").await.body;
    assert_eq!((&listed[0]["provider"], &listed[0]["id"]), (&json!("Telesign"), &json!(id)));
}

#[tokio::test]
async fn only_the_account_may_send_by_either_way_and_each_nonce_once() {
    let emulator = start().await;
    let body = form(&[]);
    let basic =
        |key: &str| format!("Basic {}", BASE64.encode(format!("{DEVELOPMENT_CUSTOMER_ID}:{key}")));
    let content_type = ("content-type", FORM.to_owned());
    let with_basic = |key| vec![content_type.clone(), ("authorization", basic(key))];
    assert_eq!(post(&emulator, &with_basic(DEVELOPMENT_API_KEY), &body).await.code(), 290);
    assert_eq!(post(&emulator, &with_basic("other"), &body).await.code(), 10022);
    assert_eq!(post(&emulator, std::slice::from_ref(&content_type), &body).await.code(), 10009);

    let right = signed(&body, DATE, &nonce());
    let other = |at: usize, value: &str| {
        let mut headers = signed(&body, DATE, &nonce());
        headers[at].1 = value.to_owned();
        headers
    };
    for (headers, code) in [
        (right.clone(), 290),
        (right, 10002),
        (other(0, "text/plain"), 10008),
        (other(1, "Thu, 26 Mar 2026 16:06:52 GMT"), 10008),
        (other(1, "2026-03-26T16:06:51Z"), 10005),
        (signed(&body, "Thu, 26 Mar 2026 15:51:50 GMT", &nonce()), 10004),
        (other(2, "HMAC-MD5"), 10006),
        (other(3, "another"), 10008),
        (signed(&body, DATE, &"n".repeat(65)), 10003),
        (other(4, "TSA nobody:c2lnbmF0dXJl"), 10015),
        (other(4, "Bearer token"), 10028),
        (signed(&body.replace("123456", "123457"), DATE, &nonce()), 10008),
    ] {
        let answer = post(&emulator, &headers, &body).await;
        assert_eq!(answer.code(), code, "{headers:?}");
        assert_eq!(answer.status, if code == 290 { 200 } else { 401 });
        // A wrong signature is told what should have been signed: all of the request.
        let echoed = answer.body["signature_string"].as_str();
        assert_eq!(echoed.is_some_and(|it| it.contains("123456")), code == 10008, "{echoed:?}");
    }
    assert_eq!(emulator.messages().len(), 2);
}

#[tokio::test]
async fn a_field_that_is_wrong_has_its_code() {
    let emulator = start().await;
    let long = "x".repeat(1601);
    for (name, value, code) in [
        ("phone_number", "", 12000),
        ("phone_number", "+15550100199", 11000),
        ("phone_number", "155501", 11000),
        ("phone_number", "1555010019912345", 11000),
        ("message", "", 12009),
        ("message", &long, 11009),
        ("message", &long[1..], 290),
        ("message_type", "", 12017),
        ("message_type", "SMS", 11017),
        ("account_lifecycle_event", "login", 11003),
        ("sender_id", &long[..21], 11013),
        ("sender_id", &long[..20], 290),
        ("external_id", "é", 11016),
        ("external_id", &long[..101], 11016),
        ("external_id", &long[..100], 290),
        ("originating_ip", "somewhere", 11010),
        ("callback_url", "http://example.com/", 11004),
        ("callback_url", "https://example.com/", 290),
        ("dlt_template_id", &long[..41], 11034),
        ("dlt_entity_id", &long[..41], 11035),
        ("something_new", "1", 290),
    ] {
        let before = emulator.messages().len();
        let answer = send(&emulator, &[(name, value)]).await;
        assert_eq!(answer.code(), code, "{name} {value}");
        assert_eq!(answer.status, if code == 290 { 200 } else { 400 });
        assert_eq!(emulator.messages().len() - before, usize::from(code == 290));
    }
}

#[tokio::test]
async fn what_is_no_request_to_send_is_refused() {
    let emulator = start().await;
    let long = " ".repeat(BODY_LIMIT + 1);
    assert_eq!(ask(&emulator, "POST", PATH, &[], &long).await.status, 413);
    for (method, path) in [("GET", PATH), ("GET", "/v1/verify/sms"), ("POST", "/sms")] {
        assert_eq!(ask(&emulator, method, path, &[], "").await.status, 404, "{method} {path}");
    }
    let elsewhere = [("host", "rebound.example")];
    assert_eq!(ask(&emulator, "GET", "/messages", &elsewhere, "").await.status, 421);
}

#[tokio::test]
async fn a_repeat_is_a_second_message_with_an_id_of_its_own() {
    let emulator = start().await;
    let [one, two] = [send(&emulator, &[]).await, send(&emulator, &[]).await];
    assert_ne!(one.body["reference_id"], two.body["reference_id"]);
    assert_eq!(emulator.messages().len(), 2);
}

#[tokio::test]
async fn a_sender_that_the_account_does_not_have_is_refused_inside_a_200() {
    let emulator = start().await;
    emulator.set_senders(Some(vec!["CONTOSO".into()]));
    for (sender, code) in [("CONTOSO", 290), ("OTHER", 521), ("", 521)] {
        let answer = send(&emulator, &[("sender_id", sender)]).await;
        assert_eq!((answer.status, answer.code()), (200, code), "{sender}");
    }
}

#[tokio::test]
async fn a_fault_does_what_it_says() {
    for fault in FAULTS {
        let emulator = start().await;
        let to = [("phone_number", fault.number.trim_start_matches('+'))];
        let reason = format!("Fault: {}: {}", fault.number, fault.meaning);
        match fault.fault {
            Fault::RefuseRequest { status, code, retry_after, form, times } => {
                let answer = send(&emulator, &to).await;
                assert_eq!(answer.status, status, "{}", fault.number);
                assert!(fault.meaning.contains(&status.to_string()), "{}", fault.number);
                assert_eq!(answer.retry_after, retry_after.map(|it| it.to_string()));
                match form {
                    ErrorForm::Envelope => assert_eq!(answer.code(), u64::from(code)),
                    ErrorForm::Older => {
                        assert_eq!(answer.body["errors"][0]["code"], -i32::from(code));
                        assert_eq!(answer.code(), 500);
                    }
                    ErrorForm::Empty => assert!(answer.body.is_null()),
                }
                assert!(emulator.messages().is_empty());
                assert_eq!(emulator.requests()[0].reasons, [reason]);
                let again = send(&emulator, &to).await.status;
                assert_eq!(again == 200, times == crate::reply::Times::First, "{}", fault.number);
            }
            Fault::RefuseMessage { code, times } => {
                let answer = send(&emulator, &to).await;
                assert_eq!((answer.status, answer.code()), (200, u64::from(code)));
                assert!(emulator.messages().is_empty());
                let again = send(&emulator, &to).await.code();
                assert_eq!(again == 290, times == crate::reply::Times::First, "{}", fault.number);
            }
            Fault::Accept(OddAnswer::Nothing) => {
                assert_eq!(send(&emulator, &to).await.body, json!({}));
                assert_eq!(emulator.messages().len(), 1);
            }
            Fault::Accept(OddAnswer::NoReferenceId) => {
                let answer = send(&emulator, &to).await;
                assert_eq!((answer.code(), answer.body.get("reference_id")), (290, None));
            }
            Fault::Accept(OddAnswer::Unavailable) => {
                let answer = send(&emulator, &to).await;
                assert_eq!((answer.status, answer.code()), (503, 290));
                assert_eq!(emulator.messages().len(), 1);
            }
            Fault::Report(_) => assert_eq!(send(&emulator, &to).await.code(), 290),
            // What is done to a connection, the tests of the component's have.
            Fault::NeverAnswer | Fault::Cut | Fault::Accept(OddAnswer::Spoilt(_)) => {}
        }
    }
}

/// Who takes reports: the headers and the body of each request, and what it is answered.
struct Receiver {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<(http::HeaderMap, Bytes)>>>,
    _server: loopback::Server,
}

impl Receiver {
    /// Answers in this order, and with 200 from then on.
    async fn start(answers: &[u16]) -> Self {
        let listener =
            loopback::bind("127.0.0.1:0".parse().unwrap(), "the receiver").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let answers = Mutex::new(answers.iter().rev().copied().collect::<Vec<_>>());
        let (into, from) = (seen.clone(), Arc::new(answers));
        let router = Router::new().fallback(move |request: Request| async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            into.lock().unwrap().push((head.headers, body));
            StatusCode::from_u16(from.lock().unwrap().pop().unwrap_or(200)).unwrap()
        });
        let _server = loopback::Server::start(listener, router);
        Self { address, seen, _server }
    }

    fn subscription(&self) -> ReportSubscription {
        ReportSubscription {
            delay: Duration::ZERO,
            back_off: vec![Duration::ZERO; 3],
            ..ReportSubscription::new(format!("http://{}/reports", self.address))
        }
    }

    /// Once there are so many.
    async fn seen(&self, count: usize) -> Vec<(http::HeaderMap, Value)> {
        let seen = until(|| {
            let seen = self.seen.lock().unwrap();
            (seen.len() >= count).then(|| seen.clone())
        });
        let json = |body: Bytes| serde_json::from_slice(&body).unwrap();
        seen.await.into_iter().map(|(headers, body)| (headers, json(body))).collect()
    }
}

#[tokio::test]
async fn a_message_is_reported_by_the_gateway_and_then_the_handset_signed_and_in_both_forms() {
    let receiver = Receiver::start(&[]).await;
    let emulator = start().await;
    emulator.subscribe_reports(receiver.subscription()).unwrap();
    send(&emulator, &[]).await;
    let seen = receiver.seen(2).await;
    let codes: Vec<_> = seen.iter().map(|(_, body)| &body["status"]["code"]).collect();
    assert_eq!(codes, [203, 200]);
    let mut dates: Vec<_> =
        seen.iter().map(|(_, body)| body["status"]["updated_on"].as_str().unwrap()).collect();
    dates.sort_unstable();
    assert_eq!(dates, ["2026-03-26T16:06:49Z", DATE]);
    let is_page = |body: &Value| body["sub_resource"] == "sms" && body["errors"] == json!([]);
    assert_eq!(seen.iter().filter(|(_, body)| is_page(body)).count(), 1);
    let key = signature::Key::new(DEVELOPMENT_API_KEY).unwrap();
    for (headers, body) in &*receiver.seen.lock().unwrap() {
        let signature = key.sign(body);
        assert_eq!(headers["x-ts-authorization"], signature);
        let authorization = format!("TSA {DEVELOPMENT_CUSTOMER_ID}:{signature}");
        assert_eq!(headers["authorization"], authorization);
    }
    assert!(seen.iter().all(|(_, body)| body["external_id"] == "okta:1"));
}

#[tokio::test]
async fn a_report_that_is_not_taken_with_a_200_comes_again_three_times() {
    let receiver = Receiver::start(&[503, 204, 401, 500]).await;
    let emulator = start().await;
    emulator.subscribe_reports(receiver.subscription()).unwrap();
    send(&emulator, &[]).await;
    let told = || emulator.reports().into_iter().map(|it| it.answers).collect::<Vec<_>>();
    let expected = [[503, 204, 401, 500].map(Some).to_vec(), vec![Some(200)]];
    until(|| (told() == expected).then_some(())).await;
}

#[tokio::test]
async fn odd_reports_are_as_they_are_said_to_be() {
    for (number, codes) in
        [("15550107207", &[203, 207][..]), ("15550106002", &[200, 203]), ("15550106001", &[])]
    {
        let receiver = Receiver::start(&[]).await;
        let emulator = start().await;
        emulator.subscribe_reports(receiver.subscription()).unwrap();
        send(&emulator, &[("phone_number", number)]).await;
        // Of another message, which comes later.
        send(&emulator, &[("external_id", "another")]).await;
        let seen = receiver.seen(codes.len() + 2).await;
        let of_it = seen.iter().filter(|(_, body)| body["external_id"] == "okta:1");
        assert_eq!(of_it.map(|(_, body)| &body["status"]["code"]).collect::<Vec<_>>(), codes);
    }
}

#[tokio::test]
async fn reports_stay_on_this_machine() {
    let emulator = start().await;
    for endpoint in ["http://example.com/reports", "https://127.0.0.1/reports"] {
        let subscription = ReportSubscription::new(endpoint);
        let error = emulator.subscribe_reports(subscription).unwrap_err().to_string();
        assert!(error.contains("on this machine only"), "{error}");
    }
}

#[tokio::test]
async fn a_call_is_taken_with_a_201_and_reported_as_answered() {
    let receiver = Receiver::start(&[]).await;
    let emulator = start().await;
    emulator.subscribe_reports(receiver.subscription()).unwrap();
    let call = async |voice: &str| {
        let body = form(&[("sender_id", ""), ("voice", voice), ("prompt_digit", "1")]);
        let signed = format!(
            "POST\n{FORM}\n{DATE}\nx-ts-auth-method:HMAC-SHA256\nx-ts-nonce:{voice}\n{body}\n{CALLS_PATH}"
        );
        let signature = signature::Key::new(DEVELOPMENT_API_KEY).unwrap().sign(signed.as_bytes());
        let authorization = format!("TSA {DEVELOPMENT_CUSTOMER_ID}:{signature}");
        let headers = [
            ("content-type", FORM),
            ("date", DATE),
            ("x-ts-auth-method", "HMAC-SHA256"),
            ("x-ts-nonce", voice),
            ("authorization", &authorization),
        ];
        ask(&emulator, "POST", CALLS_PATH, &headers, &body).await
    };
    let answer = call("m-de-DE").await;
    assert_eq!((answer.status, answer.code()), (400, 11018));
    let answer = call("f-de-DE").await;
    assert_eq!((answer.status, answer.code()), (201, 103));
    let [message] = emulator.messages().try_into().unwrap();
    assert_eq!(message.voice.unwrap().language, "de-DE");
    let seen = receiver.seen(2).await;
    let codes: Vec<_> = seen.iter().map(|(_, body)| &body["status"]["code"]).collect();
    assert_eq!(codes, [103, 100]);
}
