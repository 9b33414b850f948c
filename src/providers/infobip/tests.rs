use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::answer::{Means, Message as Taken, error_code};
use super::*;
use crate::message::{Language, Passcode, SpokenTemplates, Wording};
use crate::phone_number::PhoneNumber;
use crate::ports::SendError;
use crate::ports::fake::{FakeAnswer, FakeHost};
use crate::providers::repeatability::Repeatability;
use crate::providers::{Content, Message, Provider, Sending, candidates, send};
use crate::records::health;
use crate::refusal::Reason;
use crate::sender::Senders;

const HOST: &str = "abc12.api.infobip.com";

fn provider(change: impl FnOnce(&mut Infobip)) -> Provider {
    let mut api = Infobip {
        feedback: false,
        tls: true,
        authority: HOST.into(),
        api_key: Secret::from("0123456789abcdef"),
        idempotent: false,
        india_dlt: None,
    };
    change(&mut api);
    Provider {
        name: "infobip".into(),
        api: Rc::new(api),
        senders: Senders::new([], Some(Sender::parse("+447860099299").unwrap())),
        calls_from: None,
        countries: None,
        share: 0.0,
    }
}

fn send_to(to: &str, provider: Provider, host: &FakeHost) -> Sending {
    let to = PhoneNumber::parse(to).unwrap();
    let message = Message {
        to: &to,
        content: Content::Text("Your code is \"1\"\n– ok"),
        repeatability: Repeatability::of(Some("event"), &to, None, host.now, host),
        tag: Some("okta-event:uS58"),
        expires: Some(host.now + Duration::from_millis(299_500)),
        is_enrollment: false,
    };
    let until = host.instant.get().plus(Duration::from_millis(2450));
    let providers = [provider];
    let candidates = candidates(&providers, Channel::Sms, to.plan().region, to.as_str()).unwrap();
    send(&candidates, &message, host.ports(), until)
}

fn send_one(provider: Provider, host: &FakeHost) -> Sending {
    send_to("+41793026727", provider, host)
}

fn taken(group: u16, id: u16) -> (Duration, Result<FakeAnswer, SendError>) {
    let body = json!({"bulkId": "2034072219640523072", "messages": [{
        "messageId": "id-1",
        "status": {"groupId": group, "groupName": "X", "id": id, "name": "X", "description": "x"},
        "destination": "41793026727",
        "details": {"messageCount": 2},
    }]});
    FakeAnswer::of(200, &body.to_string())
}

#[test]
fn the_request_is_the_one_of_the_rest_api() {
    let host = FakeHost::default().answering([taken(1, 26)]);
    let sending = send_one(provider(|_| {}), &host);
    assert_eq!((sending.result, sending.segments), (Ok(Some("id-1".into())), Some(2)));
    let sent = &host.sent.borrow()[0];
    assert_eq!(
        (sent.method, &*sent.authority, &*sent.path_and_query),
        ("POST", HOST, "/sms/3/messages")
    );
    let headers: Vec<_> = sent.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(
        headers,
        [
            ("content-type", "application/json"),
            ("accept", "application/json"),
            ("authorization", "App 0123456789abcdef")
        ]
    );
    let to = PhoneNumber::parse("+41793026727").unwrap();
    let id = Repeatability::of(Some("event"), &to, None, host.now, &host).id.to_string();
    let expected = r#"{"messages":[{"sender":"447860099299","destinations":[{"to":"41793026727","messageId":"ID"}],"content":{"text":"Your code is \"1\"\n– ok"},"options":{"validityPeriod":{"amount":299,"timeUnit":"SECONDS"}},"webhooks":{"contentType":"application/json","callbackData":"okta-event:uS58"}}],"options":{"includeSmsCountInResponse":true}}"#;
    assert_eq!(sent.body, expected.replace("ID", &id));
}

#[test]
fn where_feedback_is_given_each_messages_conversion_is_tracked() {
    let host = FakeHost::default().answering([taken(1, 26)]);
    send_one(provider(|infobip| infobip.feedback = true), &host);
    let tracked = r#","conversionTracking":{"useConversionTracking":true,"conversionTrackingName":"ONE_TIME_PIN"}}}"#;
    assert!(host.sent.borrow()[0].body.ends_with(tracked));
}

fn call(code: &str, locale: &str, provider: Provider, host: &FakeHost) -> Sending {
    call_by(&[provider], code, locale, host)
}

/// Has this passcode announced.
fn call_by(providers: &[Provider], code: &str, locale: &str, host: &FakeHost) -> Sending {
    let to = PhoneNumber::parse("+41793026727").unwrap();
    let passcode = Passcode { code, minutes: None, okta_template: None, locale: Some(locale) };
    let announcement = Wording::default().announcement(&passcode);
    let message = Message {
        to: &to,
        is_enrollment: false,
        content: Content::Call(&announcement),
        repeatability: Repeatability::of(Some("event"), &to, None, host.now, host),
        tag: Some("okta-event:uS58"),
        expires: Some(host.now + Duration::from_millis(299_500)),
    };
    let until = host.instant.get().plus(Duration::from_millis(2450));
    let calls_from = Some(Sender::parse("+447860099299").unwrap());
    let calling = |it: &Provider| Provider { calls_from: calls_from.clone(), ..it.clone() };
    let providers: Vec<_> = providers.iter().map(calling).collect();
    let region = to.plan().region;
    let candidates = candidates(&providers, Channel::Call, region, to.as_str()).unwrap();
    send(&candidates, &message, host.ports(), until)
}

/// Infobip's own answer to a call, with this status.
fn called(group: u16, id: u16, name: &str) -> (Duration, Result<FakeAnswer, SendError>) {
    let body = json!({"bulkId": "4fda521a-c680-470c-b134-83d468f7dd80", "messages": [{
        "to": "41793026727",
        "status": {"groupId": group, "groupName": "X", "id": id, "name": name, "description": "x"},
        "messageId": "id-1",
    }]});
    FakeAnswer::of(200, &body.to_string())
}

#[test]
fn a_call_is_the_one_of_the_rest_api() {
    let host = FakeHost::default().answering([called(1, 26, "PENDING_ACCEPTED")]);
    let sending = call("01a", "de-AT", provider(|_| {}), &host);
    assert_eq!((sending.result, sending.segments), (Ok(Some("id-1".into())), None));
    assert_eq!(sending.attempts[0].path, "/tts/3/advanced");
    let sent = &host.sent.borrow()[0];
    assert_eq!((sent.method, &*sent.path_and_query), ("POST", "/tts/3/advanced"));
    let to = PhoneNumber::parse("+41793026727").unwrap();
    let id = Repeatability::of(Some("event"), &to, None, host.now, &host).id.to_string();
    let once = "Guten Tag. Ihr Bestätigungscode lautet:,, 0,, 1,, A";
    let text = format!("{once},,,, {once},,,, Um dies noch einmal zu hören, drücken Sie die 1.");
    let expected = r#"{"messages":[{"from":"447860099299","destinations":[{"to":"41793026727","messageId":"ID"}],"text":"TEXT","language":"de","notifyContentType":"application/json","notifyContentVersion":2,"callbackData":"okta-event:uS58","validityPeriod":4,"pause":1,"ringTimeout":25,"repeatDtmf":"1","maxDtmf":1,"dtmfTimeout":5}]}"#;
    assert_eq!(sent.body, expected.replace("ID", &id).replace("TEXT", &text));
}

#[test]
fn a_call_is_within_infobips_limits_in_every_language_and_its_text_is_no_markup() {
    let org = "<speak>&".repeat(40);
    for language in Language::ALL {
        let host = FakeHost::default().answering([called(1, 26, "PENDING_ACCEPTED")]);
        let code = "12-#".repeat(8);
        call(&code, language.tag(), provider(|_| {}), &host).result.unwrap();
        let body: Value = serde_json::from_str(&host.sent.borrow()[0].body).unwrap();
        let text = body["messages"][0]["text"].as_str().unwrap();
        assert!(text.chars().count() <= 1400, "{language:?} {}", text.chars().count());
    }
    let mut spoken = SpokenTemplates::default();
    spoken.add("en", &format!("{org}${{code}}")).unwrap_or_else(|error| panic!("{error}"));
    let wording = Wording { spoken, ..Wording::default() };
    let passcode = Passcode { code: "1", minutes: None, okta_template: None, locale: None };
    let speech = wording.announcement(&passcode);
    assert!(!call::text(speech.for_voices(|_| true)).contains(['<', '>', '&']));
}

#[test]
fn each_status_of_a_call_is_what_its_documentation_makes_of_it() {
    for (group, id, name, reason) in [
        (1, 26, "PENDING_ACCEPTED", None),
        (5, 54, "REJECTED_UNSUPPORTED_LANGUAGE", Some(Reason::ProviderRejected)),
        (5, 87, "REJECTED_INVALID_DELIVERY_TIME_WINDOW", Some(Reason::ProviderRejected)),
        (5, 87, "SIGNALS_BLOCKED", Some(Reason::ProviderRejected)),
        (5, 91, "REJECTED_INVALID_SSML", Some(Reason::ProviderRejected)),
        (5, 11, "REJECTED_SOURCE", Some(Reason::ProviderUnauthorized)),
        (5, 12, "REJECTED_NOT_ENOUGH_CREDITS", Some(Reason::ProviderUnauthorized)),
    ] {
        let host = FakeHost::default().answering([called(group, id, name)]);
        let sending = call("1", "en", provider(|_| {}), &host);
        assert_eq!(sending.result.as_ref().err().map(|refusal| refusal.reason), reason, "{name}");
        if let Err(refusal) = sending.result {
            assert_eq!(refusal.fix.contains("fraud"), name == "SIGNALS_BLOCKED", "{}", refusal.fix);
        }
    }
}

#[test]
fn a_call_is_never_asked_for_twice_and_its_scope_is_named() {
    let idempotent = |infobip: &mut Infobip| infobip.idempotent = true;
    let host = FakeHost::default().answering([FakeAnswer::of(500, "")]);
    let sending = call("1", "en", provider(idempotent), &host);
    assert_eq!(sending.attempts.len(), 1);
    let host = FakeHost::default().answering([FakeAnswer::of(403, "")]);
    let refusal = call("1", "en", provider(|_| {}), &host).result.unwrap_err();
    assert!(refusal.fix.contains("voice-message:message:send"), "{}", refusal.fix);
}

#[test]
fn a_key_that_may_not_call_takes_the_provider_down_for_nobody() {
    for (status, is_down) in [(403, false), (401, true), (500, true)] {
        let backup = |infobip: &mut Infobip| infobip.authority = "b.api.infobip.com".into();
        let answers = vec![FakeAnswer::of(status, ""); health::FAILURES];
        let taken = vec![called(1, 26, "PENDING_ACCEPTED"); health::FAILURES];
        let host = FakeHost::default()
            .answering_at(HOST, answers)
            .answering_at("b.api.infobip.com", taken);
        for _ in 0..health::FAILURES {
            let backup = Provider { name: "backup".into(), ..provider(backup) };
            let sending = call_by(&[provider(|_| {}), backup], "1", "en", &host);
            assert_eq!(sending.provider, "backup", "{status}");
        }
        let known = health::read(&host).unwrap();
        assert_eq!(known.of("infobip").is_down(), is_down, "{status}");
    }
}

#[test]
fn indias_carriers_get_what_they_want_to_know_and_others_do_not() {
    let dlt = IndiaDlt {
        principal_entity_id: "1111111111111111112".into(),
        content_template_id: Some("1111111111111111111".into()),
        telemarketer_id: None,
    };
    for (to, regional) in [
        (
            "+919876543210",
            json!({"indiaDlt": {"contentTemplateId": "1111111111111111111", "principalEntityId": "1111111111111111112"}}),
        ),
        ("+41793026727", Value::Null),
    ] {
        let host = FakeHost::default().answering([taken(1, 26)]);
        send_to(to, provider(|infobip| infobip.india_dlt = Some(dlt.clone())), &host);
        let body: Value = serde_json::from_str(&host.sent.borrow()[0].body).unwrap();
        assert_eq!(body["messages"][0]["options"]["regional"], regional, "{to}");
    }
}

#[test]
fn what_may_have_been_taken_is_asked_again_only_where_infobip_knows_repeats() {
    for first in [
        FakeAnswer::of(500, ""),
        FakeAnswer::of(503, ""),
        (Duration::from_millis(1), Err(SendError::Broken)),
    ] {
        for (idempotent, attempts) in [(false, 1), (true, 2)] {
            let label = format!("{first:?} {idempotent}");
            let host = FakeHost::default().answering([first.clone(), taken(5, 23)]);
            let sending = send_one(provider(|infobip| infobip.idempotent = idempotent), &host);
            assert_eq!(sending.attempts.len(), attempts, "{label}");
            assert_eq!(sending.result.is_ok(), idempotent, "{label}");
            if !idempotent {
                let fix = sending.result.unwrap_err().fix;
                assert!(fix.ends_with("The message may have been sent."), "{fix}");
            }
        }
    }
    // What was surely not taken is asked again in any case.
    for first in [(Duration::from_millis(1), Err(SendError::NotConnected)), taken(5, 21)] {
        let host = FakeHost::default().answering([first, taken(1, 26)]);
        let sending = send_one(provider(|_| {}), &host);
        assert_eq!((sending.attempts.len(), sending.result.is_ok()), (2, true));
    }
}

#[test]
fn a_known_id_is_a_message_that_was_taken_unless_it_was_surely_refused_just_before() {
    let [refused, known] = [taken(5, 21), taken(5, 23)];
    for (answers, is_taken) in [
        (vec![known.clone()], true),
        (vec![FakeAnswer::of(500, ""), known.clone()], true),
        (vec![refused, known], false),
    ] {
        let host = FakeHost::default().answering(answers);
        let sending = send_one(provider(|infobip| infobip.idempotent = true), &host);
        assert_eq!(sending.result.is_ok(), is_taken, "{:?}", sending.attempts);
    }
}

#[test]
fn the_other_key_is_asked_only_where_the_first_is_refused() {
    for (first, asked) in [
        (FakeAnswer::of(401, ""), 2),
        (FakeAnswer::of(403, ""), 2),
        (taken(5, 11), 1),
        (taken(5, 12), 1),
        (FakeAnswer::of(429, ""), 1),
    ] {
        let label = format!("{first:?}");
        let host = FakeHost::default().answering([first, taken(1, 26)]);
        let other = |infobip: &mut Infobip| infobip.api_key = Secret::from("fedcba9876543210");
        let providers = [provider(|_| {}), Provider { name: "other".into(), ..provider(other) }];
        let to = PhoneNumber::parse("+41793026727").unwrap();
        let candidates =
            candidates(&providers, Channel::Sms, to.plan().region, to.as_str()).unwrap();
        let message = Message {
            to: &to,
            content: Content::Text("1"),
            repeatability: Repeatability::of(None, &to, None, host.now, &host),
            tag: None,
            expires: None,
            is_enrollment: false,
        };
        let until = host.instant.get().plus(Duration::from_millis(2450));
        let sending = send(&candidates, &message, host.ports(), until);
        assert_eq!(sending.attempts.len(), asked, "{label}");
    }
}

#[test]
fn a_validity_is_never_longer_than_infobip_takes() {
    let host = FakeHost::default().answering([taken(1, 26)]);
    let mut far = host;
    far.now -= Duration::from_secs(100 * 365 * 86_400);
    send_one(provider(|_| {}), &far);
    let body: Value = serde_json::from_str(&far.sent.borrow()[0].body).unwrap();
    let validity = &body["messages"][0]["options"]["validityPeriod"]["amount"];
    assert!(validity.as_i64().unwrap() <= 48 * 3600, "{validity}");
}

#[test]
fn a_silent_connection_has_another_only_where_infobip_knows_repeats() {
    for (idempotent, requests) in [(false, 1), (true, 2)] {
        let hung = || (Duration::from_secs(60), Err(SendError::Broken));
        let by_port = format!("{HOST}:443");
        let host =
            FakeHost::default().answering_at(HOST, [hung()]).answering_at(&by_port, [hung()]);
        let sending = send_one(provider(|infobip| infobip.idempotent = idempotent), &host);
        assert_eq!((sending.attempts.len(), host.sent.borrow().len()), (requests, requests));
        assert_eq!(sending.result.unwrap_err().reason, Reason::DeadlineExceeded);
    }
}

#[test]
fn each_status_inside_a_200_is_what_its_documentation_makes_of_it() {
    use Means::*;
    for (group, id, means) in [
        (1, 26, Taken),
        (1, 7, Taken),
        (3, 5, Taken),
        (0, 0, Taken),
        (5, 23, Taken),
        (5, 8, Refused),
        (5, 52, Refused),
        (5, 51, Refused),
        (5, 10, Refused),
        (5, 14, Refused),
        (5, 25, Refused),
        (5, 87, Refused),
        (4, 87, Refused),
        (5, 11, RefusedHere),
        (5, 13, RefusedHere),
        (5, 20, RefusedHere),
        (2, 4, RefusedHere),
        (2, 9, RefusedHere),
        (2, 31, RefusedHere),
        (5, 12, Failed),
        (5, 17, Failed),
        (5, 18, Failed),
        (5, 19, RefusedHere),
        (5, 6, RefusedHere),
        (5, 21, FailedForNow),
        (2, 100, FailedForNow),
        (4, 29, InDoubt),
        (4, 15, InDoubt),
        (1, 9999, Taken),
        (2, 9999, RefusedHere),
        (5, 9999, RefusedHere),
        (9, 9999, InDoubt),
    ] {
        let status = answer::Status { group_id: group, id, name: None };
        assert_eq!(status.verdict(), means, "{group} {id}");
        let host = FakeHost::default().answering(vec![taken(group, id); 9]);
        let sending = send_one(provider(|_| {}), &host);
        assert_eq!(sending.result.is_ok(), means == Taken, "{group} {id}");
        if let Err(refusal) = sending.result {
            assert_eq!(sending.error_code, Some(id.to_string()));
            let in_doubt = refusal.fix.contains("may have been sent");
            assert_eq!(in_doubt, means == InDoubt, "{}", refusal.fix);
        }
    }
}

#[test]
fn each_status_of_http_has_its_reason_and_its_fix() {
    let property = |name: &str| {
        json!({"errorCode": "E400", "violations": [{"property": name, "violation": "x"}]})
            .to_string()
    };
    for (status, body, reason, fix) in [
        (400, property("messages[0].sender"), Reason::ProviderRejected, "the sender (400)"),
        (
            400,
            property("messages[0].destinations[0].to"),
            Reason::ProviderRejected,
            "the recipient's number",
        ),
        (400, property("messages[0].content.text"), Reason::ProviderRejected, "the text (400)"),
        (
            400,
            property("options.regional.indiaDlt.principalEntityId"),
            Reason::ProviderRejected,
            "india_dlt",
        ),
        (400, String::new(), Reason::ProviderRejected, "the form of the request (400)"),
        (
            401,
            String::new(),
            Reason::ProviderUnauthorized,
            "providers.infobip.api_key of the secrets",
        ),
        (403, String::new(), Reason::ProviderUnauthorized, "sms:message:send"),
        (404, String::new(), Reason::ProviderRejected, "base_url of the provider infobip"),
        (429, String::new(), Reason::ProviderThrottled, "no more messages"),
        (500, String::new(), Reason::ProviderUnavailable, "Infobip's status page"),
        (302, String::new(), Reason::ProviderUnexpectedAnswer, "sent the request elsewhere"),
        (200, "?".into(), Reason::ProviderUnexpectedAnswer, "may have been sent"),
        (200, r#"{"messages":[]}"#.into(), Reason::ProviderUnexpectedAnswer, "may have been sent"),
    ] {
        let host = FakeHost::default().answering([FakeAnswer::of(status, &body)]);
        let refusal = send_one(provider(|_| {}), &host).result.unwrap_err();
        assert_eq!(refusal.reason, reason, "{status} {body}");
        assert!(refusal.fix.contains(fix), "{status} {body}: {}", refusal.fix);
    }
}

#[test]
fn a_message_that_was_taken_needs_no_id_and_no_count() {
    for (more, id, segments) in [
        (r#""messageId":"id-1","details":{"messageCount":2}"#, Some("id-1"), Some(2)),
        (r#""messageId":"id-1","details":{"messageCount":"2"}"#, Some("id-1"), None),
        (r#""messageId":"id-1","details":[]"#, Some("id-1"), None),
        (r#""messageId":1,"details":null"#, None, None),
        (r#""messageId":" ""#, None, None),
        (r#""bulkId":"1""#, None, None),
    ] {
        let body = format!(r#"{{"messages":[{{"status":{{"groupId":1,"id":26}},{more}}}]}}"#);
        let host = FakeHost::default().answering([FakeAnswer::of(200, &body)]);
        let sending = send_one(provider(|_| {}), &host);
        assert_eq!(sending.result, Ok(id.map(str::to_owned)), "{body}");
        assert_eq!(sending.segments, segments, "{body}");
    }
}

#[test]
fn a_throttled_message_waits_only_if_it_is_told_how_long_and_that_fits() {
    for (retry_after, attempts) in [(None, 1), (Some("1"), 2), (Some("60"), 1), (Some("soon"), 1)] {
        let host =
            FakeHost::default().answering([FakeAnswer::throttled(retry_after), taken(1, 26)]);
        assert_eq!(send_one(provider(|_| {}), &host).attempts.len(), attempts, "{retry_after:?}");
    }
}

#[test]
fn an_errors_code_is_found_in_both_of_infobips_shapes_and_quotes_nobody() {
    for (body, code) in [
        (r#"{"errorCode":"E401","description":"x","violations":[],"resources":[]}"#, Some("E401")),
        (
            r#"{"errorCode":"E400","violations":[{"property":"messages[0].destinations[0].to","violation":"41793026727"}]}"#,
            Some("messages[0].destinations[0].to"),
        ),
        (
            r#"{"requestError":{"serviceException":{"messageId":"UNAUTHORIZED","text":"x"}}}"#,
            Some("UNAUTHORIZED"),
        ),
        (r#"{"errorCode":"to 41793026727"}"#, Some("to")),
        (r#"{"errorCode":7}"#, None),
        ("[]", None),
        ("", None),
    ] {
        assert_eq!(error_code(body.as_bytes()).as_deref(), code, "{body}");
    }
}

proptest! {
    #[test]
    fn any_body_is_read_or_not(body in "\\PC*|[\\[\\]{}\":,a-zA-Z0-9]*") {
        let _ = Taken::parse(body.as_bytes());
        if let Some(code) = error_code(body.as_bytes()) {
            prop_assert!((1..=64).contains(&code.len()));
            prop_assert!(code.bytes().filter(u8::is_ascii_digit).count() <= 4);
        }
    }
}
