//! What ACS can do to a hook besides what any [provider](crate::providers) can.

use std::sync::Arc;
use std::time::Duration;

use okta_telephony_dev::acs_emulator::{self, AcsEmulator};
use tokio::io::AsyncWriteExt;

use crate::harness::{ACCESS_KEY, Form, Hook, Setup, envelope};

/// An ACS of this origin.
fn at(origin: &str) -> Setup {
    Setup::new()
        .variable("acs_connection_string", format!("endpoint={origin};accesskey=a2V5"))
        .variable("outbound_host1", origin)
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
