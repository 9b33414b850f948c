//! The emulator over real sockets, by a client that is small enough to send anything.

mod reports;
mod telemetry;

use super::*;
use crate::waiting::{BOUND, until};

use std::time::{Duration, Instant};

use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::macros::datetime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const NOW: OffsetDateTime = datetime!(2026-03-26 16:06:51 UTC);
const NOW_TEXT: &str = "Thu, 26 Mar 2026 16:06:51 GMT";
const TARGET: &str = "/sms?api-version=2021-03-07";
const ID: &str = "fda6d242-46aa-4247-8bf6-619a1206f9c3";

async fn start() -> AcsEmulator {
    start_at(Arc::new(|| NOW)).await
}

async fn start_at(now: Clock) -> AcsEmulator {
    let settings =
        Settings { now, ..Settings::new(([127, 0, 0, 1], 0).into(), DEVELOPMENT_ACCESS_KEY) };
    AcsEmulator::start(settings).await.unwrap()
}

/// A request before it is written out, for a test to spoil.
struct Draft {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Draft {
    fn get(emulator: &AcsEmulator, target: &str) -> Draft {
        Draft {
            method: "GET",
            target: target.to_owned(),
            headers: vec![("host", emulator.address.to_string())],
            body: Vec::new(),
        }
    }

    /// Signed as Microsoft's page says.
    fn post(emulator: &AcsEmulator, target: &str, body: impl Into<Vec<u8>>) -> Draft {
        Self::signed(emulator, "POST", target, body.into())
    }

    fn signed(emulator: &AcsEmulator, method: &'static str, target: &str, body: Vec<u8>) -> Draft {
        let host = emulator.address.to_string();
        let hash = BASE64.encode(Sha256::digest(&body));
        let key = BASE64.decode(DEVELOPMENT_ACCESS_KEY).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{method}\n{target}\n{NOW_TEXT};{host};{hash}").as_bytes());
        let signature = BASE64.encode(mac.finalize().into_bytes());
        Draft {
            method,
            target: target.to_owned(),
            headers: vec![
                ("host", host),
                ("content-type", "application/json".into()),
                ("x-ms-date", NOW_TEXT.into()),
                ("x-ms-content-sha256", hash),
                (
                    "authorization",
                    format!(
                        "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256\
                         &Signature={signature}"
                    ),
                ),
                ("content-length", body.len().to_string()),
            ],
            body,
        }
    }

    fn without(mut self, name: &str) -> Draft {
        self.headers.retain(|(other, _)| *other != name);
        self
    }

    fn with(self, name: &'static str, value: impl Into<String>) -> Draft {
        let mut draft = self.without(name);
        draft.headers.push((name, value.into()));
        draft
    }

    fn head(&self) -> String {
        let headers = self.headers.iter();
        let headers: String = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{} {} HTTP/1.1\r\n{headers}\r\n", self.method, self.target)
    }

    /// Sends it and leaves the connection to be read from.
    async fn connect(&self, emulator: &AcsEmulator) -> TcpStream {
        let mut stream = TcpStream::connect(emulator.address).await.unwrap();
        let request = [self.head().as_bytes(), &self.body].concat();
        stream.write_all(&request).await.unwrap();
        stream
    }

    /// Everything until the emulator closes the connection.
    async fn exchange(self, emulator: &AcsEmulator) -> Vec<u8> {
        let mut stream = self.with("connection", "close").connect(emulator).await;
        read_to_end(&mut stream).await
    }

    async fn send(self, emulator: &AcsEmulator) -> Answer {
        Answer::parse(&self.exchange(emulator).await)
    }
}

async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    tokio::time::timeout(BOUND, read).await.expect("an end").unwrap();
    bytes
}

/// What comes until it contains `mark`.
async fn read_until(stream: &mut TcpStream, mark: &str) -> String {
    let mut bytes = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&bytes).contains(mark) {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "ended before {mark}");
        }
    };
    if tokio::time::timeout(BOUND, reading).await.is_err() {
        panic!("no {mark} in {:?}", String::from_utf8_lossy(&bytes));
    }
    String::from_utf8(bytes).unwrap()
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Answer {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    fn item(&self) -> Value {
        assert_eq!(self.status, 202, "{self:?}");
        self.json()["value"][0].clone()
    }
}

fn message_to(to: &str) -> Value {
    json!({
        "from": "+18001110000",
        "smsRecipients": [{
            "to": to,
            "repeatabilityRequestId": ID,
            "repeatabilityFirstSent": NOW_TEXT,
        }],
        "message": "Your code is 123456",
        "smsSendOptions": { "enableDeliveryReport": true, "tag": "sign-in" },
    })
}

async fn send(emulator: &AcsEmulator, body: &Value) -> Answer {
    Draft::post(emulator, TARGET, body.to_string()).send(emulator).await
}

fn last_request(emulator: &AcsEmulator) -> ReceivedRequest {
    emulator.requests().pop().expect("a request")
}

#[tokio::test]
async fn a_signed_message_is_accepted_and_kept() {
    let emulator = start().await;
    let body = message_to("+15550100199");
    let answer = send(&emulator, &body).await;

    let [message] = emulator.messages().try_into().unwrap();
    assert_eq!(
        answer.json(),
        json!({ "value": [{
            "to": "+15550100199",
            "messageId": message.id,
            "httpStatusCode": 202,
            "repeatabilityResult": "accepted",
            "successful": true,
        }]})
    );
    assert!(answer.head.contains("content-type: application/json"));
    let (start, uuid) = message.id.split_at("Outgoing_20260326160651".len());
    assert_eq!(start, "Outgoing_20260326160651");
    assert!(uuid::Uuid::try_parse(uuid).is_ok());
    assert_eq!(message.received, NOW);
    assert_eq!(message.from, "+18001110000");
    assert_eq!(message.to, "+15550100199");
    assert_eq!(message.text, "Your code is 123456");
    assert_eq!(message.tag.as_deref(), Some("sign-in"));
    assert_eq!(message.details["repeatabilityRequestId"], ID);
    assert_eq!(message.details["repeatabilityFirstSent"], NOW_TEXT);
    assert_eq!(message.details["enableDeliveryReport"], true);
    assert_eq!(message.request.request_line, format!("POST {TARGET} HTTP/1.1"));
    assert_eq!(message.request.body, body.to_string().into_bytes());

    let request = last_request(&emulator);
    assert_eq!(request.status, Some(202));
    assert_eq!(request.reasons, [""; 0]);
    let length = body.to_string().len() as u64;
    assert_eq!(request.framing, Framing::ContentLength(length));
}

#[tokio::test]
async fn a_chunked_body_is_accepted_and_told_apart() {
    let emulator = start().await;
    let body = message_to("+15550100199").to_string();
    let mut draft = Draft::post(&emulator, TARGET, body.clone())
        .without("content-length")
        .with("transfer-encoding", "chunked");
    draft.body = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).into_bytes();

    assert_eq!(draft.send(&emulator).await.status, 202);
    assert_eq!(last_request(&emulator).framing, Framing::Chunked);
    assert_eq!(last_request(&emulator).request.body, body.into_bytes());
}

#[tokio::test]
async fn who_is_not_authentic_is_denied_and_the_developer_has_the_reason() {
    let emulator = start().await;
    let body = message_to("+15550100199").to_string();
    let post = || Draft::post(&emulator, TARGET, body.clone());
    let mut other_body = post();
    other_body.body[10] ^= 1;
    let denied = "Denied by the resource provider.";
    let other_host = format!("localhost:{}", emulator.address.port());
    for (draft, message, reason) in [
        (post().without("authorization"), denied, "the authorization header is missing"),
        (post().without("x-ms-date"), denied, "the x-ms-date header is missing"),
        (post().with("host", other_host), denied, "signature does not match"),
        (
            other_body,
            "Request 'x-ms-content-sha256' differs from generated content hash.",
            "x-ms-content-sha256 is",
        ),
    ] {
        let answer = draft.send(&emulator).await;
        assert_eq!(answer.status, 401);
        let expected = json!({ "error": { "code": "Denied", "message": message } });
        assert_eq!(answer.json(), expected);
        let request = last_request(&emulator);
        assert_eq!(request.status, Some(401));
        assert!(request.reasons[0].starts_with(&format!("Refused: {reason}")), "{request:?}");
    }
    assert!(emulator.messages().is_empty());
}

#[tokio::test]
async fn a_sender_that_the_resource_does_not_own_is_unauthorized_without_a_word() {
    let emulator = start().await;
    for (senders, status) in [(["12345"], 401), (["+18001110000"], 202)] {
        emulator.set_senders(Some(senders.map(str::to_owned).into()));
        let answer = send(&emulator, &message_to("+15550100199")).await;
        assert_eq!(answer.status, status, "{senders:?}");
        if status == 401 {
            let expected = json!({ "error": { "code": "Unauthorized", "message": "" } });
            assert_eq!(answer.json(), expected);
            assert!(last_request(&emulator).reasons[0].contains("is no sender of the resource"));
        }
    }
}

#[tokio::test]
async fn an_answer_has_the_date_of_the_emulators_own_clock() {
    let emulator = start().await;
    for to in ["+15550100199", "+15550101401"] {
        let answer = send(&emulator, &message_to(to)).await;
        let dates: Vec<_> = answer.head.lines().filter(|line| line.starts_with("date:")).collect();
        assert_eq!(dates, [format!("date: {}", NOW_TEXT.to_ascii_lowercase())], "{to}");
    }
}

#[tokio::test]
async fn what_is_no_request_to_send_is_refused_by_its_status() {
    let emulator = start().await;
    let body = message_to("+15550100199").to_string();
    let post = |target| Draft::post(&emulator, target, body.clone());
    let long = vec![b' '; BODY_LIMIT + 1];
    for (draft, status, reason) in [
        (post("/sms"), 400, "Refused: the api-version query parameter is missing"),
        (post("/sms?api-version=2021-03-08"), 400, "Refused: the api-version \"2021-03-08\""),
        (
            post("/sms?api-version=2021-03-07&api-version=2021-03-07"),
            400,
            "Refused: the api-version query parameter is repeated",
        ),
        (post(TARGET).with("content-type", "text/plain"), 415, "Refused: the content type"),
        (Draft::post(&emulator, TARGET, long), 413, "Refused: the body is longer"),
    ] {
        let answer = draft.send(&emulator).await;
        assert_eq!(answer.status, status);
        assert!(answer.json()["error"]["code"].is_string());
        let reasons = last_request(&emulator).reasons;
        assert!(reasons[0].starts_with(reason), "{reasons:?}");
    }

    let mut put = post(TARGET);
    put.method = "PUT";
    let answer = put.send(&emulator).await;
    assert_eq!(answer.status, 405);
    assert!(answer.head.contains("allow: post"), "{answer:?}");
    assert!(emulator.messages().is_empty());
}

#[tokio::test]
async fn a_repeat_is_answered_as_before_and_is_no_second_message() {
    let emulator = start().await;
    let first = send(&emulator, &message_to("+15550100199")).await;
    let second = send(&emulator, &message_to("+15550100199")).await;
    assert_eq!(first.json(), second.json());
    assert_eq!(emulator.messages().len(), 1);
    assert!(last_request(&emulator).reasons[0].starts_with("Repeated: "));
}

#[tokio::test]
async fn bytes_that_make_no_sense_leave_the_emulator_running() {
    let emulator = start().await;
    for bytes in [&b"\0\0\0\0"[..], b"GET", b"POST /sms HTTP/1.1\r\n\r\n", b"\xff\xfe /\r\n\r\n"] {
        let mut stream = TcpStream::connect(emulator.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        read_to_end(&mut stream).await;
    }
    for body in [&b""[..], b"[]", b"{", b"\xff", &b"[".repeat(100_000)] {
        let answer = Draft::post(&emulator, TARGET, body).send(&emulator).await;
        assert_eq!(answer.status, 400);
        assert!(answer.json()["$"].is_array());
    }
    assert_eq!(Draft::get(&emulator, "/messages").send(&emulator).await.status, 200);
}

#[tokio::test]
async fn a_fault_of_the_whole_request_has_its_status_and_accepts_nothing() {
    for (number, status, retry_after) in [
        ("+15550100400", 400, None),
        ("+15550100401", 401, None),
        ("+15550100403", 403, None),
        ("+15550100404", 404, None),
        ("+15550101429", 429, Some("60")),
        ("+15550102429", 429, None),
        ("+15550100500", 500, None),
        ("+15550100502", 502, None),
        ("+15550100503", 503, None),
        ("+15550100504", 504, None),
    ] {
        let emulator = start().await;
        for _ in 0..2 {
            let answer = send(&emulator, &message_to(number)).await;
            assert_eq!(answer.status, status);
            let said = answer.head.lines().find_map(|line| line.strip_prefix("retry-after: "));
            assert_eq!(said, retry_after, "{number}");
            let key = if status == 400 { "errors" } else { "error" };
            assert!(answer.json()[key].is_object(), "{answer:?}");
        }
        assert!(emulator.messages().is_empty());
        assert!(last_request(&emulator).reasons[0].starts_with(&format!("Fault: {number}")));
    }
}

#[tokio::test]
async fn a_refusal_has_each_of_the_bodies_that_the_service_was_seen_to_have() {
    let sent = async |number| {
        let emulator = start().await;
        let answer = send(&emulator, &message_to(number)).await;
        assert!(emulator.messages().is_empty(), "{number}");
        answer
    };
    let error =
        |code: &str, message: &str| json!({ "error": { "code": code, "message": message } });
    let invalid = "Invalid recipient phone number format.";
    for (number, status, body) in [
        ("+15550102400", 400, Some(json!({ "SmsRecipients": [invalid] }))),
        (
            "+15550103400",
            400,
            Some(error(
                "ApiVersionUnspecified",
                "An API version is required, but was not specified.",
            )),
        ),
        ("+15550100401", 401, Some(error("Denied", "Denied by the resource provider."))),
        ("+15550101401", 401, Some(error("Unauthorized", ""))),
        ("+15550101404", 404, None),
    ] {
        let answer = sent(number).await;
        assert_eq!(answer.status, status, "{number}");
        let said = (!answer.body.is_empty()).then(|| answer.json());
        assert_eq!(said, body, "{number}");
    }
    let problem = sent("+15550100400").await.json();
    assert_eq!(problem["errors"], json!({ "SmsRecipients": [invalid] }));
    let item = sent("+15550104400").await.item();
    assert_eq!(item["repeatabilityResult"], "rejected");
    assert_eq!((&item["httpStatusCode"], &item["successful"]), (&json!(400), &json!(false)));
    let item = sent("+15550103503").await.item();
    assert!(item["messageId"].as_str().unwrap().starts_with("Outgoing_"));
    assert_eq!((&item["httpStatusCode"], &item["successful"]), (&json!(503), &json!(false)));
}

#[tokio::test]
async fn a_fault_of_the_first_time_is_over_at_the_second() {
    for (number, status) in [("+15550100429", 429), ("+15550102500", 500)] {
        let emulator = start().await;
        let answer = send(&emulator, &message_to(number)).await;
        assert_eq!(answer.status, status);
        let retry_after = answer.head.contains("retry-after: 1\r\n");
        assert_eq!(retry_after, status == 429, "{answer:?}");
        assert_eq!(send(&emulator, &message_to(number)).await.status, 202);
        assert_eq!(emulator.messages().len(), 1);
    }
}

#[tokio::test]
async fn a_connection_is_cut_without_an_answer() {
    let emulator = start().await;
    for _ in 0..2 {
        let body = message_to("+15550103003").to_string();
        let cut = Draft::post(&emulator, TARGET, body).exchange(&emulator).await;
        assert_eq!(cut, b"");
    }
    assert!(emulator.messages().is_empty());
    assert_eq!(last_request(&emulator).status, None);
}

#[tokio::test]
async fn a_message_is_accepted_and_the_connection_cut_but_a_repeat_is_answered() {
    let emulator = start().await;
    let body = message_to("+15550103004");
    let cut = Draft::post(&emulator, TARGET, body.to_string()).exchange(&emulator).await;
    assert_eq!(cut, b"");
    let [message] = emulator.messages().try_into().unwrap();
    assert_eq!(send(&emulator, &body).await.item()["messageId"], message.id);
    assert_eq!(emulator.messages().len(), 1);
}

#[tokio::test]
async fn who_is_never_answered_does_not_hold_up_the_shutdown() {
    let emulator = start().await;
    let mut newest = emulator.state.phone.newest();
    let body = message_to("+15550103001").to_string();
    let mut stream = Draft::post(&emulator, TARGET, body).connect(&emulator).await;
    newest.changed().await.unwrap();
    assert_eq!(last_request(&emulator).status, None);
    assert!(emulator.messages().is_empty());

    let address = emulator.address();
    let shutdown = tokio::time::timeout(BOUND, emulator.shutdown());
    shutdown.await.expect("a shutdown");
    assert_eq!(read_to_end(&mut stream).await, b"");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn dropping_the_emulator_stops_it() {
    let emulator = start().await;
    let body = message_to("+15550103001").to_string();
    let mut stream = Draft::post(&emulator, TARGET, body).connect(&emulator).await;
    drop(emulator);
    // Closed or reset, depending on whether the request had been read; not held open.
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(BOUND, stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("an end");
    assert_eq!(bytes, b"");
}

#[tokio::test]
async fn odd_answers_are_odd_in_their_own_way() {
    let emulator = start().await;
    let not_json = send(&emulator, &json_without_repeatability("+15550103005")).await;
    assert_eq!(not_json.status, 202);
    assert!(serde_json::from_str::<Value>(&not_json.body).is_err());

    let no_items = send(&emulator, &json_without_repeatability("+15550103008")).await;
    assert_eq!(no_items.status, 202);
    assert_eq!(no_items.json(), json!({ "value": [] }));

    let no_id = send(&emulator, &json_without_repeatability("+15550103009")).await.item();
    assert_eq!(no_id["successful"], true);
    assert_eq!(no_id.get("messageId"), None);

    let huge = send(&emulator, &json_without_repeatability("+15550103006")).await;
    assert_eq!(huge.status, 202);
    assert!(huge.body.len() > HUGE_BODY);

    let no_success = send(&emulator, &json_without_repeatability("+15550101202")).await.item();
    assert_eq!(
        (&no_success["httpStatusCode"], &no_success["successful"]),
        (&json!(202), &json!(false))
    );
    assert!(no_success["messageId"].is_string());

    assert_eq!(emulator.messages().len(), 5);
}

#[tokio::test]
async fn an_answers_id_may_lack_what_the_reports_has_and_have_what_it_lacks() {
    let emulator = start().await;
    for (number, before, behind) in
        [("+15550102202", "Outgoing_", ""), ("+15550103202", "", "_noam")]
    {
        let item = send(&emulator, &json_without_repeatability(number)).await.item();
        let id = emulator.messages().pop().unwrap().id;
        let told = item["messageId"].as_str().unwrap();
        assert_eq!(format!("{before}{told}"), format!("{id}{behind}"));
    }
}

#[tokio::test]
async fn a_late_answer_is_late_but_right() {
    let emulator = start().await;
    let asked = Instant::now();
    let answer = send(&emulator, &message_to("+15550103002")).await;
    assert!(asked.elapsed() >= Duration::from_secs(2));
    assert_eq!(answer.item()["messageId"], emulator.messages()[0].id);
}

#[tokio::test]
async fn a_trickling_answer_has_its_head_at_once_and_goes_on() {
    let emulator = start().await;
    let body = message_to("+15550103007").to_string();
    let mut stream = Draft::post(&emulator, TARGET, body).connect(&emulator).await;
    let head = read_until(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 202 "), "{head}");
    for _ in 0..3 {
        read_until(&mut stream, "1\r\n \r\n").await;
    }
}

fn json_without_repeatability(to: &str) -> Value {
    let mut body = message_to(to);
    body["smsRecipients"] = json!([{ "to": to }]);
    body
}

#[tokio::test]
async fn only_names_of_this_machine_are_served() {
    let emulator = start().await;
    let port = emulator.address.port();
    let get = || Draft::get(&emulator, "/messages");
    for host in ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"] {
        for host in [host.to_owned(), format!("{host}:{port}"), format!("{host}:0{port}")] {
            assert_eq!(get().with("host", &*host).send(&emulator).await.status, 200, "{host}");
        }
    }
    for host in [
        "rebound.example".to_owned(),
        format!("rebound.example:{port}"),
        format!("localhost.rebound.example:{port}"),
        "192.0.2.1".to_owned(),
        String::new(),
    ] {
        let answer = get().with("host", &*host).send(&emulator).await;
        assert_eq!(answer.status, 421, "{host}");
        assert!(answer.body.contains(&format!("http://127.0.0.1:{port}/")));
    }
    assert_eq!(get().without("host").send(&emulator).await.status, 421);

    let body = message_to("+15550100199").to_string();
    let rebound = Draft::post(&emulator, TARGET, body).with("host", "rebound.example");
    assert_eq!(rebound.send(&emulator).await.status, 421);
    assert_eq!(last_request(&emulator).status, Some(421));
    assert!(emulator.messages().is_empty());
}

#[tokio::test]
async fn no_other_site_may_clear_the_messages() {
    let emulator = start().await;
    send(&emulator, &message_to("+15550100199")).await;

    let mut preflight = Draft::get(&emulator, "/messages")
        .with("origin", "https://other.example")
        .with("access-control-request-method", "DELETE");
    preflight.method = "OPTIONS";
    let answer = preflight.send(&emulator).await;
    assert!(!answer.head.contains("access-control-allow"), "{answer:?}");
    assert_eq!(emulator.messages().len(), 1);

    let mut delete = Draft::get(&emulator, "/messages");
    delete.method = "DELETE";
    assert_eq!(delete.send(&emulator).await.status, 204);
    assert!(emulator.messages().is_empty());
    assert!(emulator.requests().is_empty());
}

#[tokio::test]
async fn messages_can_be_listed_by_scripts() {
    let emulator = start().await;
    send(&emulator, &json_without_repeatability("+15550100198")).await;
    send(&emulator, &message_to("+15550100199")).await;
    let [first, second] = emulator.messages().try_into().unwrap();

    let all = Draft::get(&emulator, "/messages").send(&emulator).await.json();
    assert_eq!(all.as_array().unwrap().len(), 2);
    let rest = format!("/messages?after={}", first.number);
    let rest = Draft::get(&emulator, &rest).send(&emulator).await.json();
    assert_eq!(rest.as_array().unwrap().len(), 1);
    assert_eq!(rest[0]["id"], second.id);
    assert_eq!(rest[0]["time"], "2026-03-26T16:06:51Z");
    assert_eq!(rest[0]["from"], "+18001110000");
    assert_eq!(rest[0]["to"], "+15550100199");
    assert_eq!(rest[0]["message"], "Your code is 123456");
    assert_eq!(rest[0]["tag"], "sign-in");
    assert_eq!(rest[0]["repeatabilityRequestId"], ID);
}

#[tokio::test]
async fn the_page_shows_messages_refusals_and_faults_without_a_script() {
    let emulator = start().await;
    let mut body = message_to("+15550100199");
    body["message"] = json!("<img src=x onerror=alert(1)> & <!--faults-->");
    send(&emulator, &body).await;
    let unsigned = Draft::post(&emulator, TARGET, body.to_string()).without("authorization");
    unsigned.send(&emulator).await;

    let page = Draft::get(&emulator, "/").send(&emulator).await;
    assert_eq!(page.status, 200);
    assert!(page.head.contains("content-type: text/html; charset=utf-8"));
    assert!(page.head.contains("content-security-policy: default-src 'none';"));
    let escaped = "&lt;img src=x onerror=alert(1)&gt; &amp; &lt;!--faults--&gt;";
    assert!(page.body.contains(escaped), "{}", page.body);
    assert!(!page.body.contains("<img"));
    assert!(page.body.contains("Refused: the authorization header is missing"));
    for fault in FAULTS {
        assert!(page.body.contains(fault.number));
    }
    assert!(!page.body.contains("<!--"), "a mark is left: {}", page.body);
    for (file, content_type) in [("/phone.css", "text/css"), ("/phone.js", "text/javascript")] {
        assert!(page.body.contains(&format!("\"{file}\"")));
        let answer = Draft::get(&emulator, file).send(&emulator).await;
        assert!(answer.head.contains(&format!("content-type: {content_type}")));
    }
}

#[tokio::test]
async fn the_raw_request_is_one_click_away_and_plain_text() {
    let emulator = start().await;
    let body = message_to("+15550100199").to_string();
    Draft::post(&emulator, TARGET, body.clone()).send(&emulator).await;
    let message = &emulator.messages()[0];
    let request = last_request(&emulator);
    for path in
        [format!("/messages/{}/raw", message.id), format!("/requests/{}/raw", request.number)]
    {
        let raw = Draft::get(&emulator, &path).send(&emulator).await;
        assert_eq!(raw.status, 200);
        assert!(raw.head.contains("content-type: text/plain; charset=utf-8"));
        assert!(raw.head.contains("x-content-type-options: nosniff"));
        assert!(raw.body.starts_with(&format!("POST {TARGET} HTTP/1.1\r\nhost: ")));
        assert!(raw.body.contains("&Signature="));
        assert!(raw.body.contains(&body));
    }
    for path in ["/messages/none/raw", "/requests/0/raw"] {
        assert_eq!(Draft::get(&emulator, path).send(&emulator).await.status, 404);
    }
}

#[tokio::test]
async fn events_come_as_they_happen() {
    let emulator = start().await;
    let mut events = Draft::get(&emulator, "/events").connect(&emulator).await;
    let head = read_until(&mut events, "\r\n\r\n").await;
    assert!(head.to_ascii_lowercase().contains("content-type: text/event-stream"), "{head}");

    send(&emulator, &message_to("+15550100199")).await;
    let event = read_until(&mut events, "\n\n").await;
    assert!(event.contains("event: sms\n"), "{event}");
    assert!(event.contains(r#""message":"Your code is 123456""#), "{event}");

    let unsigned = Draft::post(&emulator, TARGET, "{}").without("authorization");
    unsigned.send(&emulator).await;
    let event = read_until(&mut events, "\n\n").await;
    assert!(event.contains("event: request\n"), "{event}");
    assert!(event.contains("the authorization header is missing"), "{event}");

    let mut delete = Draft::get(&emulator, "/messages");
    delete.method = "DELETE";
    delete.send(&emulator).await;
    let event = read_until(&mut events, "\n\n").await;
    assert!(event.contains("event: cleared\n"), "{event}");
}

#[tokio::test]
async fn who_was_away_gets_the_missed_events_and_no_others() {
    let emulator = start().await;
    for to in ["+15550100197", "+15550100198", "+15550100199"] {
        send(&emulator, &json_without_repeatability(to)).await;
    }
    let [first, _, third] = emulator.messages().try_into().unwrap();

    let again = Draft::get(&emulator, "/events").with("last-event-id", first.number.to_string());
    let mut events = again.connect(&emulator).await;
    let text = read_until(&mut events, "+15550100199").await;
    assert!(!text.contains("+15550100197"), "{text}");
    assert!(text.contains("+15550100198"), "{text}");
    assert!(text.contains(&format!("id: {}\n", third.number)), "{text}");

    // From before a restart: the numbers began again.
    let stale = Draft::get(&emulator, "/events").with("last-event-id", "1000");
    let mut events = stale.connect(&emulator).await;
    read_until(&mut events, "+15550100197").await;
}

#[tokio::test]
async fn a_connection_string_names_the_port_and_the_key() {
    let emulator = start().await;
    assert_ne!(emulator.address().port(), 0);
    assert_eq!(
        emulator.connection_string(),
        format!(
            "endpoint=https://127.0.0.1:{}/;accesskey={DEVELOPMENT_ACCESS_KEY}",
            emulator.address().port()
        )
    );
}

#[tokio::test]
async fn what_cannot_be_started_says_what_to_do() {
    let running = start().await;
    let local = "127.0.0.1:0".parse().unwrap();
    for (settings, words) in [
        (
            Settings::new("0.0.0.0:4443".parse().unwrap(), DEVELOPMENT_ACCESS_KEY),
            "give the ACS emulator an address such as 127.0.0.1:4443",
        ),
        (
            Settings::new(running.address(), DEVELOPMENT_ACCESS_KEY),
            "already in use: give the ACS emulator another address",
        ),
        (Settings::new(local, "not base64"), "not base64"),
        (Settings::new(local, ""), "empty"),
    ] {
        let error = AcsEmulator::start(settings).await.err().expect("an error");
        assert!(format!("{error:#}").contains(words), "{error:#}");
    }
}
