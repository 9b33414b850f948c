use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::answer::{Means, Said};
use super::*;
use crate::message::{Announcement, Channel, Language, Part, Speech};
use crate::phone_number::PhoneNumber;
use crate::ports::SendError;
use crate::ports::fake::{FakeAnswer, FakeHost, Sent};
use crate::providers::repeatability::Repeatability;
use crate::providers::{Content, Message, Provider, Sending, candidates, send};
use crate::records::health;
use crate::refusal::Reason;
use crate::sender::Senders;

const CUSTOMER: &str = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890";
const ID: &str = "0123456789ABCDEF0123456789ABCDEF";

type Answered = (Duration, Result<FakeAnswer, SendError>);

fn provider(change: impl FnOnce(&mut Telesign)) -> Provider {
    let mut api = Telesign {
        feedback: false,
        tls: true,
        authority: "rest-ww.telesign.com".into(),
        customer_id: CUSTOMER.into(),
        api_key: signature::key("VGVzdCBLZXk=").unwrap(),
        india_dlt: None,
    };
    change(&mut api);
    Provider {
        name: "telesign".into(),
        api: Rc::new(api),
        senders: Senders::new([], Some(Sender::parse("+447860099299").unwrap())),
        calls_from: None,
        countries: None,
        share: 0.0,
    }
}

fn send_with(providers: &[Provider], to: &str, is_enrollment: bool, host: &FakeHost) -> Sending {
    let to = PhoneNumber::parse(to).unwrap();
    let message = Message {
        to: &to,
        content: Content::Text("Your code is 1 & – ok"),
        repeatability: Repeatability::of(Some("event"), &to, None, host.now, host),
        tag: Some("okta:uS58"),
        expires: Some(host.now + Duration::from_secs(300)),
        is_enrollment,
    };
    let until = host.instant.get().plus(Duration::from_millis(2450));
    let candidates = candidates(providers, Channel::Sms, to.plan().region, to.as_str()).unwrap();
    send(&candidates, &message, host.ports(), until)
}

/// Calls a number, and says 12 in these languages: the person's, and English.
fn call(language: Language, from: Sender, host: &FakeHost) -> Sending {
    call_by(&[Provider { calls_from: Some(from), ..provider(|_| {}) }], language, host)
}

/// The same by these providers.
fn call_by(providers: &[Provider], language: Language, host: &FakeHost) -> Sending {
    let speech = |language, words: &str| Speech {
        language,
        parts: vec![
            Part::Words(words.into()),
            Part::LongPause,
            Part::Words("1".into()),
            Part::ShortPause,
            Part::Words("2".into()),
        ],
    };
    let announcement =
        Announcement::new(speech(language, "own:"), || speech(Language::English, "english:"));
    let to = PhoneNumber::parse("+41793026727").unwrap();
    let message = Message {
        to: &to,
        content: Content::Call(&announcement),
        repeatability: Repeatability::of(Some("event"), &to, None, host.now, host),
        tag: Some("okta:uS58"),
        expires: None,
        is_enrollment: false,
    };
    let candidates = candidates(providers, Channel::Call, None, to.as_str()).unwrap();
    let until = host.instant.get().plus(Duration::from_millis(2450));
    send(&candidates, &message, host.ports(), until)
}

#[test]
fn a_call_says_the_passcode_in_the_persons_language_once_a_key_is_pressed() {
    let number = Sender::parse("+447860099299").unwrap();
    for (language, from, voice, message, caller_id) in [
        (Language::German, number, "f-de-DE", "own:\n1, 2", Some("447860099299")),
        // Telesign has no voice for it, and chooses the number.
        (Language::Thai, Sender::of_provider(), "f-en-US", "english:\n1, 2", None),
    ] {
        let host = FakeHost::default().answering([answer(201, 103)]);
        assert_eq!(call(language, from, &host).result, Ok(Some(ID.into())));
        let sent = &host.sent.borrow()[0];
        assert_eq!(sent.path_and_query, "/v1/voice");
        let fields = fields(sent);
        assert_eq!((&*fields["voice"], &*fields["message"]), (voice, message));
        assert_eq!(fields.get("caller_id").map(String::as_str), caller_id);
        assert_eq!((&*fields["prompt_digit"], &*fields["external_id"]), ("1", "okta:uS58"));
        assert!(fields["prompt_message"].contains('1') && !fields.contains_key("sender_id"));
    }
}

#[test]
fn a_call_that_may_have_been_made_is_not_made_again() {
    for first in [FakeAnswer::of(500, ""), (Duration::from_millis(1), Err(SendError::Broken))] {
        let host = FakeHost::default().answering([first, answer(201, 103)]);
        let sending = call(Language::English, Sender::of_provider(), &host);
        assert_eq!((sending.attempts.len(), sending.result.is_ok()), (1, false));
    }
}

#[test]
fn an_account_that_may_not_call_takes_the_provider_down_for_nobody() {
    const BACKUP: &str = "rest-api.telesign.com";
    for (refused, is_down) in [
        (answer(401, 10011), false),
        (answer(200, 501), false),
        (answer(400, -20004), false),
        (FakeAnswer::of(403, ""), false),
        (FakeAnswer::of(404, ""), false),
        (answer(401, 10010), true),
        (answer(401, 10022), true),
        (FakeAnswer::of(500, ""), true),
    ] {
        let label = format!("{refused:?}");
        let host = FakeHost::default()
            .answering_at("rest-ww.telesign.com", vec![refused; health::FAILURES])
            .answering_at(BACKUP, vec![answer(201, 103); health::FAILURES]);
        let providers = [("telesign", "rest-ww.telesign.com"), ("backup", BACKUP)];
        let providers = providers.map(|(name, authority)| Provider {
            name: name.into(),
            calls_from: Some(Sender::of_provider()),
            ..provider(|it| it.authority = authority.into())
        });
        for _ in 0..health::FAILURES {
            let sending = call_by(&providers, Language::English, &host);
            assert_eq!((&*sending.provider, sending.result.is_ok()), ("backup", true), "{label}");
        }
        let known = health::read(&host).unwrap();
        assert_eq!(known.of("telesign").is_down(), is_down, "{label}");
    }
}

#[test]
fn what_to_do_about_a_call_is_about_calls() {
    for (refused, key) in [
        (answer(401, 10011), "voice = false"),
        (answer(200, 501), "voice = false"),
        (answer(400, 11009), "voice.templates"),
        (answer(400, 11013), "voice_from"),
    ] {
        let host = FakeHost::default().answering([refused]);
        let refusal = call(Language::English, Sender::of_provider(), &host).result.unwrap_err();
        assert!(refusal.fix.contains(key) && !refusal.fix.contains("SMS"), "{}", refusal.fix);
    }
}

fn send_one(host: &FakeHost) -> Sending {
    send_with(&[provider(|_| {})], "+41793026727", false, host)
}

fn answer(status: u16, code: i32) -> Answered {
    let body = json!({"reference_id": ID, "external_id": "okta:uS58",
        "status": {"code": code, "description": "X", "updated_on": "2022-31-03T14:51:28.709526Z"}});
    FakeAnswer::of(status, &body.to_string())
}

/// The fields of a request's form.
fn fields(sent: &Sent) -> BTreeMap<String, String> {
    form_urlencoded::parse(sent.body.as_bytes()).into_owned().collect()
}

fn header<'a>(sent: &'a Sent, name: &str) -> &'a str {
    let (_, value) = sent.headers.iter().find(|(of, _)| of == name).unwrap();
    value
}

#[test]
fn the_request_is_the_one_of_the_rest_api() {
    let host = FakeHost::default().answering([answer(200, 290)]);
    let sending = send_one(&host);
    assert_eq!((sending.result, sending.segments), (Ok(Some(ID.into())), None));
    let sent = &host.sent.borrow()[0];
    assert_eq!(
        (sent.method, &*sent.authority, &*sent.path_and_query),
        ("POST", "rest-ww.telesign.com", "/v1/messaging")
    );
    let names: Vec<_> = sent.headers.iter().map(|(name, _)| &**name).collect();
    assert_eq!(
        names,
        ["content-type", "accept", "date", "x-ts-auth-method", "x-ts-nonce", "authorization"]
    );
    assert_eq!(header(sent, "date"), "Sat, 31 Jan 2026 12:00:00 GMT");
    assert_eq!(header(sent, "x-ts-nonce").len(), 36);
    let expected = "phone_number=41793026727&message_type=OTP&account_lifecycle_event=sign-in&external_id=okta%3AuS58&\
                    message=Your+code+is+1+%26+%E2%80%93+ok&sender_id=447860099299";
    assert_eq!(sent.body, expected);
}

#[test]
fn an_enrolment_is_an_update_of_the_account() {
    for (is_enrollment, event) in [(true, "update"), (false, "sign-in")] {
        let host = FakeHost::default().answering([answer(200, 290)]);
        send_with(&[provider(|_| {})], "+41793026727", is_enrollment, &host);
        assert_eq!(fields(&host.sent.borrow()[0])["account_lifecycle_event"], event);
    }
}

#[test]
fn indias_carriers_get_what_they_want_to_know_and_others_do_not() {
    let dlt = IndiaDlt {
        principal_entity_id: "1111111111111111112".into(),
        content_template_id: Some("1111111111111111111".into()),
        telemarketer_id: None,
    };
    for (to, is_indian) in [("+919876543210", true), ("+41793026727", false)] {
        let host = FakeHost::default().answering([answer(200, 290)]);
        send_with(&[provider(|it| it.india_dlt = Some(dlt.clone()))], to, false, &host);
        let fields = fields(&host.sent.borrow()[0]);
        let ids = ["dlt_entity_id", "dlt_template_id"].map(|name| fields.get(name).cloned());
        let expected = [&dlt.principal_entity_id, dlt.content_template_id.as_ref().unwrap()];
        assert_eq!(ids, expected.map(|id| is_indian.then(|| id.clone())), "{to}");
    }
}

#[test]
fn whatever_is_sent_again_is_signed_anew_and_is_the_same_message() {
    let not_connected = (Duration::from_millis(1), Err(SendError::NotConnected));
    for first in
        [not_connected, FakeAnswer::throttled(Some("1")), answer(200, 505), answer(400, 500)]
    {
        let label = format!("{first:?}");
        let host = FakeHost::default().answering([first, answer(200, 290)]);
        let sending = send_one(&host);
        assert_eq!((sending.attempts.len(), sending.result.is_ok()), (2, true), "{label}");
        let sent = host.sent.borrow();
        assert_eq!(sent[0].body, sent[1].body);
        for name in ["x-ts-nonce", "authorization"] {
            assert_ne!(header(&sent[0], name), header(&sent[1], name), "{label}");
        }
    }
    // A hook that Okta calls again.
    let mut host = FakeHost::default().answering([answer(200, 290), answer(200, 290)]);
    send_one(&host);
    host.now += Duration::from_nanos(1);
    send_one(&host);
    let sent = host.sent.borrow();
    assert_ne!(header(&sent[0], "x-ts-nonce"), header(&sent[1], "x-ts-nonce"));
}

#[test]
fn what_may_have_been_taken_is_not_asked_again() {
    for first in [
        FakeAnswer::of(500, ""),
        answer(503, 10000),
        // Something on the way has sent the request twice.
        answer(401, 10002),
        answer(200, 599),
        FakeAnswer::of(200, "?"),
        (Duration::from_millis(1), Err(SendError::Broken)),
        (Duration::from_secs(60), Err(SendError::Broken)),
    ] {
        let label = format!("{first:?}");
        let host = FakeHost::default().answering([first, answer(200, 290)]);
        let sending = send_one(&host);
        assert_eq!((sending.attempts.len(), host.sent.borrow().len()), (1, 1), "{label}");
        let fix = sending.result.unwrap_err().fix;
        assert!(fix.ends_with("The message may have been sent."), "{label}: {fix}");
    }
}

#[test]
fn the_code_decides_and_not_the_status_of_http() {
    use Means::*;
    for (status, code, means) in [
        (201, 103, Taken),
        (200, 100, Taken),
        // The end of a call, in a 200.
        (200, 101, Refused),
        (200, 107, Refused),
        (200, 130, Refused),
        (200, 106, RefusedHere),
        (400, 10034, RefusedHere),
        (200, 290, Taken),
        (201, 290, Taken),
        (202, 203, Taken),
        (503, 290, Taken),
        (200, 200, Taken),
        (200, 251, Taken),
        (200, 11000, Refused),
        (400, 11000, Refused),
        (400, 12009, Refused),
        (200, 233, Refused),
        (200, 510, Refused),
        (400, -10001, Refused),
        // One number, two meanings.
        (401, 10031, Failed),
        (200, 10031, Refused),
        (400, 10031, Refused),
        (200, 521, RefusedHere),
        (400, 11013, RefusedHere),
        (400, 11035, RefusedHere),
        (200, 220, RefusedHere),
        (401, 10008, KeyRefused),
        (200, 10022, KeyRefused),
        (401, -30006, KeyRefused),
        (401, 10004, Failed),
        (401, 10033, Failed),
        (401, 10035, Failed),
        (402, 10030, Failed),
        (429, 10020, Failed),
        (401, -30000, Failed),
        (429, 10019, Throttled),
        (200, 10019, Throttled),
        (400, 500, FailedForNow),
        (200, 503, RefusedHereForNow),
        (200, 505, RefusedHereForNow),
        // As Twilio's 21408 and 21215 are.
        (200, 237, RefusedHere),
        (200, 238, Refused),
        (503, 10000, MayBeTaken),
        (500, 10000, MayBeTaken),
        (401, 10002, MayBeTaken),
        (200, 599, MostLikelyTaken),
        (200, 9999, MostLikelyTaken),
        (400, 9999, Refused),
        (401, 9999, KeyRefused),
        (404, 9999, Failed),
        (500, 9999, MayBeTaken),
    ] {
        let label = format!("{status} {code}");
        assert_eq!(Means::of(status, Some(code)), means, "{label}");
        let host = FakeHost::default().answering(vec![answer(status, code); 9]);
        let sending = send_one(&host);
        assert_eq!(sending.result.is_ok(), means == Taken, "{label}");
        if let Err(refusal) = sending.result {
            assert_eq!(sending.error_code, Some(code.to_string()));
            let told = format!("({status}, {code})");
            assert!(refusal.fix.contains(&told), "{label}: {}", refusal.fix);
            let in_doubt = refusal.fix.contains("may have been sent");
            assert_eq!(in_doubt, matches!(means, MayBeTaken | MostLikelyTaken), "{label}");
        }
    }
}

#[test]
fn the_other_key_is_asked_only_where_the_first_is_refused() {
    for (first, asked) in [
        (answer(401, 10008), 2),
        (answer(401, 10022), 2),
        (FakeAnswer::of(401, ""), 2),
        (answer(401, 10004), 1),
        (answer(401, 10013), 1),
        (answer(200, 521), 1),
    ] {
        let label = format!("{first:?}");
        let host = FakeHost::default().answering([first, answer(200, 290)]);
        let other = |it: &mut Telesign| it.api_key = signature::key("b3RoZXI=").unwrap();
        let providers = [provider(|_| {}), Provider { name: "other".into(), ..provider(other) }];
        let sending = send_with(&providers, "+41793026727", false, &host);
        assert_eq!(sending.attempts.len(), asked, "{label}");
    }
}

#[test]
fn another_customer_at_the_same_host_is_another_account() {
    let other = |it: &mut Telesign| it.customer_id = "another".into();
    let [one, two] = [provider(|_| {}), Provider { name: "other".into(), ..provider(other) }];
    assert!(one.is_same_account(&one) && !one.is_same_account(&two));
    let host = FakeHost::default().answering([answer(401, 10010), answer(200, 290)]);
    let sending = send_with(&[one, two], "+41793026727", false, &host);
    assert_eq!((sending.provider.as_str(), sending.result.is_ok()), ("other", true));
}

#[test]
fn each_answer_has_its_reason_and_its_fix() {
    use Reason::*;
    for (answer, reason, fix) in [
        (answer(400, 11000), ProviderRejected, "the recipient's number (400, 11000)"),
        (answer(200, 107), ProviderRejected, "Nobody answered"),
        (answer(400, 10034), ProviderRejected, "may not call the recipient's country"),
        (answer(400, 11009), ProviderRejected, "message.templates"),
        (answer(200, 521), ProviderUnauthorized, "providers.senders of the provider telesign"),
        (answer(400, 11034), ProviderRejected, "india_dlt"),
        (answer(401, 10008), ProviderUnauthorized, "providers.telesign.api_key of the secrets"),
        (answer(401, 10004), ProviderUnauthorized, "set the clock"),
        (answer(401, 10015), ProviderUnauthorized, "customer_id of the provider telesign"),
        (answer(401, 10031), ProviderUnauthorized, "https://rest-api.telesign.com"),
        (answer(200, 10031), ProviderRejected, "your blocklist"),
        (answer(401, 10035), ProviderUnauthorized, "https://rest-ww.telesign.com"),
        (answer(401, 10033), ProviderUnauthorized, "a trial"),
        (answer(401, 10009), ProviderUnauthorized, "a proxy changes the headers"),
        (FakeAnswer::of(403, ""), ProviderUnauthorized, "refused the account (403)"),
        (answer(402, 10030), ProviderUnauthorized, "no credit left"),
        (answer(429, 10020), ProviderThrottled, "a higher limit"),
        (FakeAnswer::of(429, ""), ProviderThrottled, "a higher limit"),
        (answer(503, 10000), ProviderUnavailable, "Telesign's status page"),
        (FakeAnswer::of(502, ""), ProviderUnavailable, "Telesign's status page"),
        (FakeAnswer::of(408, ""), ProviderUnavailable, "did not arrive whole"),
        (FakeAnswer::of(302, ""), ProviderUnexpectedAnswer, "sent the request elsewhere"),
        (FakeAnswer::of(404, ""), ProviderRejected, "base_url of the provider telesign"),
        (FakeAnswer::of(400, ""), ProviderRejected, "the form of the request (400)"),
        (FakeAnswer::of(200, "{}"), ProviderUnexpectedAnswer, "may have been sent"),
        (answer(401, 10002), ProviderUnexpectedAnswer, "sends requests twice"),
    ] {
        let label = format!("{answer:?}");
        let host = FakeHost::default().answering([answer]);
        let refusal = send_one(&host).result.unwrap_err();
        assert_eq!(refusal.reason, reason, "{label}");
        assert!(refusal.fix.contains(fix), "{label}: {}", refusal.fix);
    }
}

#[test]
fn nothing_of_a_body_that_gives_the_request_back_is_told() {
    let body = json!({"reference_id": ID, "status": {"code": 10008, "description": "Invalid Signature. code is 246810"},
        "signature_string": "POST\n\n\nmessage=Your+code+is+246810&phone_number=41793026727"});
    let host = FakeHost::default().answering([FakeAnswer::of(401, &body.to_string())]);
    let told = format!("{:?}", send_one(&host));
    assert!(!told.contains("246810") && !told.contains("3026727"), "{told}");
    // No code has so many digits; a passcode has.
    let host = FakeHost::default().answering([answer(400, 246_810)]);
    let told = format!("{:?}", send_one(&host));
    assert!(!told.contains("246810"), "{told}");
}

#[test]
fn a_body_says_a_code_an_id_both_or_nothing() {
    let said = |code, id: Option<&str>| Said { code, reference_id: id.map(str::to_owned) };
    for (body, expected) in [
        (r#"{"reference_id":"A","status":{"code":290}}"#, said(Some(290), Some("A"))),
        (r#"{"reference_id":" ","status":{"code":"290"}}"#, said(Some(290), None)),
        (r#"{"status":{"code":500},"errors":[{"code":-30006}]}"#, said(Some(-30006), None)),
        (r#"{"status":{"code":501},"errors":[]}"#, said(Some(501), None)),
        (r#"{"status":{"code":290},"errors":[{"code":-1}]}"#, said(Some(290), None)),
        (r#"{"reference_id":7,"status":{"code":1.5}}"#, said(None, None)),
        (r#"{"status":{"code":99999999999}}"#, said(None, None)),
        ("[]", said(None, None)),
        ("", said(None, None)),
    ] {
        assert_eq!(Said::parse(body.as_bytes()), expected, "{body}");
    }
}

proptest! {
    #[test]
    fn any_answer_is_understood_and_tells_no_more_than_a_number(
        status in 200_u16..600,
        body in "\\PC*|[\\[\\]{}\":,a-zA-Z0-9]*|\\{\"status\":\\{\"code\":-?[0-9]{1,6}\\}\\}",
    ) {
        let host = FakeHost::default().answering(vec![FakeAnswer::of(status, &body); 9]);
        let sending = send_one(&host);
        if let Some(code) = sending.error_code {
            prop_assert!(code.parse::<i32>().is_ok(), "{}", code);
        }
    }
}
