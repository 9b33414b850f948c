//! What ACS can do to a hook. Whatever it is, Okta has an answer within its three seconds.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use okta_telephony_dev::acs_emulator::{self, AcsEmulator};
use tokio::io::AsyncWriteExt;

use crate::harness::{ACCESS_KEY, Answer, Form, Hook, Setup, bare, envelope};

/// "Okta waits 3 seconds" (Okta's "Inline hooks" concept page).
const OKTA_WAITS: Duration = Duration::from_secs(3);

/// What becomes of a message to one of the emulator's magic numbers.
pub struct Row {
    pub number: &'static str,
    /// `None`: accepted.
    pub reason: Option<&'static str>,
    /// Requests that arrive, and messages that are sent.
    requests: std::ops::RangeInclusive<usize>,
    messages: usize,
}

const fn row(
    number: &'static str,
    reason: Option<&'static str>,
    requests: std::ops::RangeInclusive<usize>,
    messages: usize,
) -> Row {
    Row { number, reason, requests, messages }
}

pub const FAULTS: [Row; 53] = [
    // The whole request.
    row("+15550100400", Some("provider_rejected"), 1..=1, 0),
    row("+15550102400", Some("provider_rejected"), 1..=1, 0),
    row("+15550103400", Some("provider_rejected"), 1..=1, 0),
    row("+15550100401", Some("provider_unauthorized"), 1..=1, 0),
    row("+15550101401", Some("provider_unauthorized"), 1..=1, 0),
    row("+15550100403", Some("provider_unauthorized"), 1..=1, 0),
    row("+15550100404", Some("provider_rejected"), 1..=1, 0),
    row("+15550101404", Some("provider_rejected"), 1..=1, 0),
    row("+15550100429", None, 2..=2, 1),
    row("+15550101429", Some("provider_throttled"), 1..=1, 0),
    row("+15550102429", Some("provider_throttled"), 1..=1, 0),
    row("+15550100500", Some("provider_unavailable"), 2..=5, 0),
    row("+15550100502", Some("provider_unavailable"), 2..=5, 0),
    row("+15550100503", Some("provider_unavailable"), 2..=5, 0),
    row("+15550100504", Some("provider_unavailable"), 2..=5, 0),
    row("+15550102500", None, 2..=2, 1),
    // The recipient, in a 202.
    row("+15550101400", Some("provider_rejected"), 1..=1, 0),
    row("+15550104400", Some("provider_rejected"), 1..=1, 0),
    row("+15550101503", Some("provider_unavailable"), 2..=5, 0),
    row("+15550102503", None, 2..=2, 1),
    row("+15550103503", Some("provider_unavailable"), 2..=5, 0),
    // The connection. What has no answer is sent over another one, too.
    row("+15550103001", Some("deadline_exceeded"), 2..=2, 0),
    row("+15550103002", None, 2..=2, 1),
    row("+15550103003", Some("provider_unavailable"), 2..=5, 0),
    row("+15550103004", None, 2..=2, 1),
    // The answer. The emulator has taken the message in all of these.
    row("+15550103005", Some("provider_unexpected_answer"), 1..=1, 1),
    row("+15550103006", Some("provider_unexpected_answer"), 1..=1, 1),
    row("+15550103007", Some("deadline_exceeded"), 1..=1, 1),
    row("+15550103008", Some("provider_unexpected_answer"), 1..=1, 1),
    row("+15550103009", None, 1..=1, 1),
    row("+15550101202", None, 1..=1, 1),
    row("+15550102202", None, 1..=1, 1),
    row("+15550103202", None, 1..=1, 1),
    // The delivery report, which comes later: the answer is right.
    row("+15550104000", None, 1..=1, 1),
    row("+15550104001", None, 1..=1, 1),
    row("+15550104002", None, 1..=1, 1),
    row("+15550104003", None, 1..=1, 1),
    row("+15550104004", None, 1..=1, 1),
    row("+15550104005", None, 1..=1, 1),
    row("+15550104006", None, 1..=1, 1),
    row("+15550104007", None, 1..=1, 1),
    row("+15550104008", None, 1..=1, 1),
    row("+15550104009", None, 1..=1, 1),
    row("+15550104010", None, 1..=1, 1),
    row("+15550104020", None, 1..=1, 1),
    row("+15550105000", None, 1..=1, 1),
    row("+15550105001", None, 1..=1, 1),
    row("+15550105002", None, 1..=1, 1),
    row("+15550109999", None, 1..=1, 1),
    row("+15550106001", None, 1..=1, 1),
    row("+15550106002", None, 1..=1, 1),
    // No fault.
    row("+15550100123", None, 1..=1, 1),
    row("+447700900123", None, 1..=1, 1),
];

/// Answers 2 s late: with the longest deadline, so that a slow machine makes no difference.
const LATE: &str = "+15550103002";

#[tokio::test]
async fn every_fault_has_its_answer_in_time_and_sends_no_message_twice() {
    for form in [Form::Documented, Form::Classic] {
        let hook = Hook::start().await;
        let patient = Hook::with("okta.deadline_ms = 2800").await;
        let answers = join_all(FAULTS.iter().map(async |row| {
            let hook = if row.number == LATE { &patient } else { &hook };
            let payload = match form {
                Form::Documented => envelope(row.number),
                Form::Classic => bare(row.number),
            };
            (row, hook, hook.post(payload.to_string()).await)
        }));
        for (row, hook, answer) in answers.await {
            let outcome = row.reason.unwrap_or("accepted");
            println!("| {} | {outcome} | {} ms |", row.number, answer.elapsed.as_millis());
            check(row, &answer, form);
            let to = format!("\"to\":\"{}\"", row.number);
            let requests = hook.acs.requests().into_iter();
            let requests = requests
                .filter(|request| String::from_utf8_lossy(&request.request.body).contains(&to))
                .count();
            assert!(row.requests.contains(&requests), "{}: {requests} requests", row.number);
            let messages = hook.acs.messages().into_iter();
            let messages = messages.filter(|message| message.to == row.number).count();
            assert_eq!(messages, row.messages, "{}: messages", row.number);
        }
    }
}

fn check(row: &Row, answer: &Answer, form: Form) {
    assert!(answer.elapsed < OKTA_WAITS, "{}: {:?}", row.number, answer.elapsed);
    match row.reason {
        Some(reason) => answer.failed(form, 200, reason),
        // ACS may leave out the id of a message that it has accepted.
        None if row.number == "+15550103009" => {
            assert_eq!(answer.value(form).get("transactionId"), None);
        }
        None => drop(answer.accepted(form)),
    }
}

/// An ACS of this origin.
fn at(origin: &str) -> Setup {
    Setup::new()
        .variable("acs_connection_string", format!("endpoint={origin};accesskey=a2V5"))
        .variable("outbound_host1", origin)
}

#[tokio::test]
async fn an_acs_that_is_not_there_is_told_within_the_deadline() {
    // A port that was free a moment ago.
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let hook = Hook::with(at(&format!("http://127.0.0.1:{port}"))).await;
    let answer = hook.post(envelope("+15550100123").to_string()).await;
    answer.failed(Form::Documented, 200, "provider_unavailable");
    assert!(answer.elapsed < OKTA_WAITS, "{:?}", answer.elapsed);
    assert!(hook.log.hooks(1).await[0]["attempts"].as_u64().unwrap() > 1);
}

#[tokio::test]
async fn an_acs_whose_tls_fails_is_asked_once() {
    // A server that speaks no TLS: it answers the hello with plain text.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let hook = Hook::with(at(&format!("https://{address}"))).await;
    let answer = hook.post(envelope("+15550100123").to_string()).await;
    answer.failed(Form::Documented, 200, "provider_unavailable");
    assert!(answer.text.contains("CA certificates"), "{}", answer.text);
    assert_eq!(hook.log.hooks(1).await[0]["attempts"], 1);
}

#[tokio::test]
async fn a_shorter_deadline_is_kept() {
    let hook = Hook::with("okta.deadline_ms = 500").await;
    let answer = hook.post(envelope("+15550103001").to_string()).await;
    answer.failed(Form::Documented, 200, "deadline_exceeded");
    // The default would take five times as long.
    assert!(answer.elapsed < Duration::from_millis(2400), "{:?}", answer.elapsed);
}

#[tokio::test]
async fn a_lost_answer_may_mean_a_sent_message_and_okta_is_told_so() {
    let hook = Hook::with("okta.deadline_ms = 500").await;
    for number in ["+15550103001", "+15550103005", "+15550103503"] {
        let answer = hook.post(envelope(number).to_string()).await;
        assert!(answer.text.contains("The message may have been sent."), "{}", answer.text);
    }
}

#[tokio::test]
async fn the_fix_names_the_most_likely_cause_first() {
    let hook = Hook::start().await;
    for (number, causes) in [
        ("+15550100400", &["recipient's number", "providers.senders"][..]),
        ("+15550102400", &["recipient's number", "providers.senders"]),
        ("+15550103400", &["api_version"]),
        ("+15550100401", &["key and endpoint", "acs_connection_string", "clock"]),
        ("+15550101401", &["acs_from_shortcode", "connection string"]),
        ("+15550101404", &["acs_from_shortcode", "acs_connection_string"]),
        ("+15550104400", &["date", "clock"]),
    ] {
        let answer = hook.post(envelope(number).to_string()).await;
        let body: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
        let fix = body["debugContext"]["fix"].as_str().unwrap();
        let mut rest = fix;
        for cause in causes {
            let at = rest.find(cause).unwrap_or_else(|| panic!("{number}: {cause} in {fix}"));
            rest = &rest[at + cause.len()..];
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_not_acs_is_told_with_how_far_it_is_off() {
    for (minutes, told) in [
        (20, "The clock of the hook's host is 20 minutes behind that of ACS"),
        (-20, "The clock of the hook's host is 20 minutes ahead of that of ACS"),
    ] {
        let acs = acs_whose_clock_is_off(minutes).await;
        let there = Setup::new()
            .variable("acs_connection_string", acs.connection_string())
            .variable("outbound_host1", acs.origin());
        let answer = Hook::with(there).await.post(envelope("+15550100123").to_string()).await;
        answer.failed(Form::Documented, 200, "provider_unauthorized");
        assert!(answer.text.contains(told), "{}", answer.text);
    }
}

/// An ACS whose clock is so many minutes ahead.
async fn acs_whose_clock_is_off(minutes: i64) -> AcsEmulator {
    let now = move || time::OffsetDateTime::now_utc() + time::Duration::minutes(minutes);
    let settings = acs_emulator::Settings {
        now: Arc::new(now),
        ..acs_emulator::Settings::new("127.0.0.1:0".parse().unwrap(), ACCESS_KEY)
    };
    AcsEmulator::start(settings).await.unwrap()
}
