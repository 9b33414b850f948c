use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::answer::{Means, Message as Taken, error_code};
use super::*;
use crate::message::{Passcode, Wording};
use crate::phone_number::PhoneNumber;
use crate::ports::SendError;
use crate::ports::fake::{FakeAnswer, FakeHost};
use crate::providers::repeatability::Repeatability;
use crate::providers::{Content, Message, Provider, Sending, candidates, send};
use crate::refusal::Reason;
use crate::sender::Senders;

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const KEY: &str = "SK0123456789abcdef0123456789abcdef";
const SERVICE: &str = "MG0123456789abcdef0123456789abcdef";

fn provider(sender: &str, change: impl FnOnce(&mut Twilio)) -> Provider {
    let mut api = Twilio {
        feedback: false,
        tls: true,
        authority: DEFAULT_AUTHORITY.into(),
        account_sid: ACCOUNT.into(),
        key_sid: KEY.into(),
        key_secret: Secret::from("secret:of+key"),
        auth_tokens: None,
        status_callback: Some("https://hook.example.com/api/delivery-reports/twilio".into()),
    };
    change(&mut api);
    Provider {
        name: "twilio".into(),
        api: Rc::new(api),
        senders: Senders::new([], Some(Sender::parse(sender).unwrap())),
        calls_from: None,
        countries: None,
        share: 0.0,
    }
}

fn send_with(providers: &[Provider], expires: Duration, host: &FakeHost) -> Sending {
    send_content(providers, Content::Text("Your code is \"1\"\n– & ok+"), expires, host)
}

fn send_content(
    providers: &[Provider],
    content: Content<'_>,
    expires: Duration,
    host: &FakeHost,
) -> Sending {
    let to = PhoneNumber::parse("+41793026727").unwrap();
    let message = Message {
        to: &to,
        content,
        repeatability: Repeatability::of(Some("event"), &to, None, host.now, host),
        tag: Some("okta:uS58"),
        expires: Some(host.now + expires),
        is_enrollment: false,
    };
    let until = host.instant.get().plus(Duration::from_millis(2450));
    let candidates =
        candidates(providers, content.channel(), to.plan().region, to.as_str()).unwrap();
    send(&candidates, &message, host.ports(), until)
}

fn send_one(host: &FakeHost) -> Sending {
    send_with(&[provider("+14155550000", |_| {})], Duration::from_secs(300), host)
}

fn taken() -> (Duration, Result<FakeAnswer, SendError>) {
    let body = json!({"account_sid": ACCOUNT, "body": "1", "error_code": null, "from": null, "num_segments": "2",
        "sid": "SM1", "status": "queued", "to": "+41793026727"});
    FakeAnswer::of(201, &body.to_string())
}

fn refused(status: u16, code: u32) -> (Duration, Result<FakeAnswer, SendError>) {
    let body =
        json!({"code": code, "message": "To +41793026727", "more_info": "x", "status": status});
    FakeAnswer::of(status, &body.to_string())
}

#[test]
fn the_request_is_the_one_of_the_rest_api() {
    let host = FakeHost::default().answering([taken()]);
    let sending = send_one(&host);
    assert_eq!((sending.result, sending.segments), (Ok(Some("SM1".into())), Some(2)));
    let sent = &host.sent.borrow()[0];
    let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json");
    assert_eq!(
        (sent.method, &*sent.authority, &*sent.path_and_query),
        ("POST", "api.twilio.com", &*path)
    );
    let headers: Vec<_> = sent.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(
        headers,
        [
            ("content-type", "application/x-www-form-urlencoded"),
            ("accept", "application/json"),
            (
                "authorization",
                "Basic U0swMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjpzZWNyZXQ6b2Yra2V5"
            )
        ]
    );
    assert_eq!(
        sent.body,
        "To=%2B41793026727&From=%2B14155550000&Body=Your+code+is+%221%22%0A%E2%80%93+%26+ok%2B&ValidityPeriod=300\
         &StatusCallback=https%3A%2F%2Fhook.example.com%2Fapi%2Fdelivery-reports%2Ftwilio%3Ftag%3Dokta%253AuS58%23rc%3D3%26rp%3D5xx%2Cct%2Crt"
    );
    // The account is not told.
    assert_eq!(sending.attempts[0].path, "/2010-04-01/Accounts/{AccountSid}/Messages.json");
}

#[test]
fn a_service_takes_the_place_of_the_sender_and_without_a_callback_there_is_none() {
    let host = FakeHost::default().answering([taken()]);
    let without = provider(SERVICE, |twilio| twilio.status_callback = None);
    send_with(&[without], Duration::from_secs(300), &host);
    let body = &host.sent.borrow()[0].body;
    assert!(body.contains(&format!("&MessagingServiceSid={SERVICE}&")), "{body}");
    assert!(!body.contains("From=") && !body.contains("StatusCallback"), "{body}");
}

#[test]
fn where_feedback_is_given_twilio_is_told_so_of_each_message_and_of_no_call() {
    let passcode = Passcode { code: "1", minutes: None, okta_template: None, locale: None };
    let announcement = Wording::default().announcement(&passcode);
    for (content, feedback, told) in [
        (Content::Text("1"), false, false),
        (Content::Text("1"), true, true),
        (Content::Call(&announcement), true, false),
    ] {
        let host = FakeHost::default().answering([taken()]);
        let provider = Provider {
            calls_from: Some(Sender::parse("+14155550000").unwrap()),
            ..provider(SERVICE, |twilio| twilio.feedback = feedback)
        };
        send_content(&[provider], content, Duration::from_secs(300), &host);
        let sent = &host.sent.borrow()[0];
        assert_eq!(sent.body.contains("&ProvideFeedback=true&"), told, "{}", sent.body);
    }
}

#[test]
fn a_validity_is_one_that_twilio_takes() {
    for (expires, validity) in [
        (Duration::from_millis(300), 5),
        (Duration::from_secs(5), 5),
        (Duration::from_secs(90), 90),
        (Duration::from_secs(100 * 365 * 86_400), 36_000),
    ] {
        let host = FakeHost::default().answering([taken()]);
        send_with(&[provider(SERVICE, |_| {})], expires, &host);
        let body = &host.sent.borrow()[0].body;
        assert!(body.contains(&format!("&ValidityPeriod={validity}&")), "{body}");
    }
}

#[test]
fn what_may_have_been_taken_is_never_asked_again() {
    for first in [
        FakeAnswer::of(500, ""),
        FakeAnswer::of(503, ""),
        (Duration::from_millis(1), Err(SendError::Broken)),
    ] {
        let host = FakeHost::default().answering([first, taken()]);
        let sending = send_one(&host);
        assert_eq!(sending.attempts.len(), 1);
        let fix = sending.result.unwrap_err().fix;
        assert!(fix.ends_with("The message may have been sent."), "{fix}");
    }
    for first in [(Duration::from_millis(1), Err(SendError::NotConnected)), refused(400, 21_611)] {
        let host = FakeHost::default().answering([first, taken()]);
        let sending = send_one(&host);
        assert_eq!((sending.attempts.len(), sending.result.is_ok()), (2, true));
    }
}

#[test]
fn a_throttled_message_waits_only_if_it_is_told_how_long_and_that_fits() {
    for (retry_after, attempts) in [(None, 1), (Some("1"), 2), (Some("60"), 1), (Some("soon"), 1)] {
        let host = FakeHost::default().answering([FakeAnswer::throttled(retry_after), taken()]);
        assert_eq!(send_one(&host).attempts.len(), attempts, "{retry_after:?}");
    }
}

#[test]
fn two_accounts_are_two_and_two_keys_of_one_are_asked_in_turn_where_the_first_is_refused() {
    for (other_account, first, asked) in [
        (ACCOUNT, FakeAnswer::of(401, ""), 2),
        (ACCOUNT, refused(400, 21_606), 1),
        ("AC1", refused(400, 21_606), 2),
    ] {
        let host = FakeHost::default().answering([first, taken()]);
        let other = provider(SERVICE, |twilio| {
            twilio.account_sid = other_account.into();
            twilio.key_secret = Secret::from("other");
        });
        let providers = [provider(SERVICE, |_| {}), Provider { name: "other".into(), ..other }];
        let sending = send_with(&providers, Duration::from_secs(60), &host);
        assert_eq!(sending.attempts.len(), asked, "{other_account}");
    }
}

#[test]
fn each_error_code_is_what_its_documentation_makes_of_it() {
    use Means::*;
    use Reason::{ProviderRejected, ProviderThrottled, ProviderUnauthorized, ProviderUnavailable};
    for (code, means, reason, fix) in [
        (10_004, FullForNow, ProviderThrottled, "under way"),
        (21_210, RefusedHere, ProviderUnauthorized, "voice_from of the provider twilio"),
        (21_211, Refused, ProviderRejected, "the recipient's number (21211)"),
        (21_212, RefusedHere, ProviderUnauthorized, "the sender (21212)"),
        (21_214, RefusedHere, ProviderRejected, "give the country another one"),
        (21_215, RefusedHere, ProviderUnauthorized, "Voice Geographic Permissions"),
        (21_216, Refused, ProviderRejected, "look for fraud"),
        (21_217, Refused, ProviderRejected, "the recipient's number"),
        (21_219, Failed, ProviderUnauthorized, "a trial"),
        (21_408, RefusedHere, ProviderUnauthorized, "Geo Permissions"),
        (21_601, RefusedHere, ProviderUnauthorized, "the sender"),
        (21_602, Refused, ProviderRejected, "message.templates"),
        (21_603, RefusedHere, ProviderUnauthorized, "the sender"),
        (21_604, Refused, ProviderRejected, "the recipient's number"),
        (21_606, RefusedHere, ProviderUnauthorized, "providers.senders of the provider twilio"),
        (21_608, Failed, ProviderUnauthorized, "a trial"),
        (21_609, RefusedHere, ProviderRejected, "public_url"),
        (21_610, Refused, ProviderRejected, "send START"),
        (21_611, FullForNow, ProviderUnavailable, "wait at Twilio"),
        (21_612, RefusedHere, ProviderRejected, "give the country another one"),
        (21_614, Refused, ProviderRejected, "takes no SMS"),
        (21_617, Refused, ProviderRejected, "message.templates"),
        (21_703, RefusedHere, ProviderUnauthorized, "the sender"),
        (21_705, RefusedHere, ProviderUnauthorized, "the sender"),
        (30_002, Failed, ProviderUnauthorized, "suspended"),
        (30_450, Refused, ProviderRejected, "pumping"),
        (21_999, RefusedHere, ProviderRejected, "/docs/api/errors/21999"),
    ] {
        assert_eq!(Means::of(code), means, "{code}");
        let host = FakeHost::default().answering(vec![refused(400, code); 9]);
        let sending = send_one(&host);
        assert_eq!(sending.error_code, Some(code.to_string()));
        let refusal = sending.result.unwrap_err();
        assert_eq!(refusal.reason, reason, "{code}");
        assert!(refusal.fix.contains(fix), "{}", refusal.fix);
        assert!(!refusal.fix.contains("may have been sent"), "{}", refusal.fix);
    }
}

#[test]
fn each_status_of_http_has_its_reason_and_its_fix() {
    let failed = json!({"sid": "SM1", "status": "failed", "error_code": 21610}).to_string();
    for (answer, reason, fix) in [
        (FakeAnswer::of(400, ""), Reason::ProviderRejected, "the form of the request (400)"),
        (refused(401, 20_003), Reason::ProviderUnauthorized, "providers.twilio of the secrets"),
        (refused(403, 20_008), Reason::ProviderUnauthorized, "the right to send (403)"),
        (refused(403, 21_408), Reason::ProviderUnauthorized, "Geo Permissions"),
        (refused(404, 20_404), Reason::ProviderRejected, "account_sid"),
        (refused(429, 20_429), Reason::ProviderThrottled, "no more requests"),
        (refused(500, 20_500), Reason::ProviderUnavailable, "Twilio's status page"),
        (FakeAnswer::of(302, ""), Reason::ProviderUnexpectedAnswer, "sent the request elsewhere"),
        (FakeAnswer::of(201, "?"), Reason::ProviderUnexpectedAnswer, "may have been sent"),
        (FakeAnswer::of(201, "{}"), Reason::ProviderUnexpectedAnswer, "may have been sent"),
        (FakeAnswer::of(201, &failed), Reason::ProviderRejected, "send START"),
    ] {
        let label = format!("{answer:?}");
        let host = FakeHost::default().answering([answer]);
        let refusal = send_one(&host).result.unwrap_err();
        assert_eq!(refusal.reason, reason, "{label}");
        assert!(refusal.fix.contains(fix), "{label}: {}", refusal.fix);
    }
}

#[test]
fn a_message_that_was_taken_needs_no_id_and_no_count() {
    for (more, sid, segments) in [
        (r#","sid":"SM1","num_segments":"2""#, Some("SM1"), Some(2)),
        (r#","sid":"SM1","num_segments":"0""#, Some("SM1"), None),
        (r#","sid":"SM1","num_segments":2"#, Some("SM1"), None),
        (r#","sid":" ","num_segments":null"#, None, None),
        ("", None, None),
    ] {
        let body = format!(r#"{{"status":"accepted"{more}}}"#);
        let host = FakeHost::default().answering([FakeAnswer::of(201, &body)]);
        let sending = send_one(&host);
        assert_eq!(sending.result, Ok(sid.map(str::to_owned)), "{body}");
        assert_eq!(sending.segments, segments, "{body}");
    }
}

#[test]
fn an_errors_code_is_found_in_both_of_twilios_forms_and_quotes_nobody() {
    for (body, code) in [
        (r#"{"code":21211,"message":"x","more_info":"x","status":400}"#, Some(21_211)),
        (
            r#"{"type":"https://www.twilio.com/docs/api/errors/20001","title":"Invalid parameter","status":400,"code":20001,
                "errors":[{"detail":"must be a positive integer","pointer":"/age"}]}"#,
            Some(20_001),
        ),
        (r#"{"code":41793026727}"#, None),
        (r#"{"code":"21211"}"#, None),
        (r#"{"code":7}"#, None),
        ("[]", None),
        ("", None),
    ] {
        assert_eq!(error_code(body.as_bytes()), code, "{body}");
    }
}

proptest! {
    #[test]
    fn any_body_is_read_or_not(body in "\\PC*|[\\[\\]{}\":,a-zA-Z0-9]*") {
        let _ = Taken::parse(body.as_bytes());
        if let Some(code) = error_code(body.as_bytes()) {
            prop_assert!((10_000..100_000).contains(&code));
        }
    }
}
