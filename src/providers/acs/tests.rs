use super::*;
use crate::phone_number::PhoneNumber;
use crate::ports::SendError;
use crate::ports::fake::{FakeAnswer, FakeHost};
use crate::providers::repeatability::Repeatability;
use crate::providers::tests::provider;
use crate::providers::{Content, Provider, Sending, candidates, send};
use crate::refusal::Reason;
use proptest::prelude::*;
use std::time::Duration;

/// Sends one message with 2,450 ms to go.
fn send_one(host: &FakeHost) -> Sending {
    send_within(host, Duration::from_millis(2450))
}

fn send_within(host: &FakeHost, time: Duration) -> Sending {
    let providers = [provider(
        DEFAULT_NAME,
        "contoso.communication.azure.com",
        "pw==",
        &[("default", "12345")],
    )];
    send_with(&providers, host, time)
}

fn send_with(providers: &[Provider], host: &FakeHost, time: Duration) -> Sending {
    let candidates = candidates(providers, Channel::Sms, None, "+15550100123").unwrap();
    let to = PhoneNumber::parse("+15550100123").unwrap();
    let repeatability = Repeatability::of(Some("event"), &to, None, host.now, host);
    let message = Message {
        to: &to,
        content: Content::Text("Your code is \"1\"\n– ok"),
        repeatability,
        tag: Some("uS58"),
        expires: None,
        is_enrollment: false,
    };
    send(&candidates, &message, host.ports(), host.instant.get().plus(time))
}

fn reason(sending: &Sending) -> Reason {
    sending.result.as_ref().unwrap_err().reason
}

const GONE: (Duration, Result<FakeAnswer, SendError>) =
    (Duration::from_millis(1), Err(SendError::NotConnected));

#[test]
fn the_request_is_the_one_of_the_rest_api() {
    let host = FakeHost::default();
    let sending = send_one(&host);
    assert_eq!(sending.result, Ok(Some("id-1".into())));
    assert_eq!((sending.attempts.len(), sending.status), (1, Some(202)));
    let sent = host.sent.borrow();
    assert_eq!(sent[0].method, "POST");
    assert_eq!(sent[0].authority, "contoso.communication.azure.com");
    assert_eq!(sent[0].path_and_query, "/sms?api-version=2021-03-07");
    let to = PhoneNumber::parse("+15550100123").unwrap();
    let id = Repeatability::of(Some("event"), &to, None, host.now, &host).id.to_string();
    let expected = r#"{"from":"12345","smsRecipients":[{"to":"+15550100123","repeatabilityRequestId":"ID","repeatabilityFirstSent":"Sat, 31 Jan 2026 12:00:00 GMT"}],"message":"Your code is \"1\"\n– ok","smsSendOptions":{"enableDeliveryReport":true,"tag":"uS58"}}"#;
    assert_eq!(sent[0].body, expected.replace("ID", &id));
    let names: Vec<_> = sent[0].headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["content-type", "x-ms-date", "x-ms-content-sha256", "authorization"]);
}

#[test]
fn the_newest_version_says_how_long_a_report_may_take_and_what_the_partner_wants_to_know() {
    let of_partner = || MessagingConnect {
        partner: "infobip".into(),
        parameters: [("servicePlanId", "p\"1"), ("apiKey", "k")]
            .map(|(name, value)| (name.to_owned(), Secret::from(value)))
            .into(),
    };
    for (report_timeout, messaging_connect, options) in [
        (None, None, ""),
        (Some(300), None, r#","deliveryReportTimeoutInSeconds":300"#),
        (
            Some(60),
            Some(of_partner()),
            r#","deliveryReportTimeoutInSeconds":60,"messagingConnect":{"partner":"infobip","partnerParams":{"apiKey":"k","servicePlanId":"p\"1"}}"#,
        ),
    ] {
        let [first] = [provider("acs", "a.example", "pw==", &[("default", "12345")])];
        let resource = ConnectionString::parse("endpoint=https://a.example/;accesskey=pw==");
        let api = Acs {
            resource: resource.unwrap(),
            api_version: NEWEST_API_VERSION.into(),
            messaging_connect,
            report_timeout,
        };
        assert!(!format!("{api:?}").contains("p\\\"1"), "a parameter is a secret");
        let host = FakeHost::default();
        let provider = Provider { api: std::rc::Rc::new(api), ..first };
        send_with(&[provider], &host, Duration::from_secs(2)).result.unwrap();
        let sent = host.sent.borrow();
        assert_eq!(sent[0].path_and_query, "/sms?api-version=2026-01-23");
        let end =
            format!(r#""smsSendOptions":{{"enableDeliveryReport":true,"tag":"uS58"{options}}}}}"#);
        assert!(sent[0].body.ends_with(&end), "{}", sent[0].body);
    }
}

#[test]
fn what_may_pass_is_tried_again_with_the_same_request() {
    let recipient_503 = r#"{"value":[{"to":"+1","httpStatusCode":503,"successful":false}]}"#;
    for first in [
        GONE,
        (Duration::from_millis(1), Err(SendError::Broken)),
        FakeAnswer::of(500, ""),
        FakeAnswer::of(502, ""),
        FakeAnswer::of(503, ""),
        FakeAnswer::of(504, ""),
        FakeAnswer::of(408, ""),
        FakeAnswer::of(409, ""),
        FakeAnswer::of(202, recipient_503),
        FakeAnswer::throttled(Some("1")),
    ] {
        let label = format!("{first:?}");
        let host = FakeHost::default().answering([first, FakeAnswer::accepted("id-2")]);
        let sending = send_one(&host);
        assert_eq!(sending.result, Ok(Some("id-2".into())), "{label}");
        assert_eq!(sending.attempts.len(), 2);
        let sent = host.sent.borrow();
        assert_eq!((&sent[0].body, &sent[0].headers), (&sent[1].body, &sent[1].headers));
    }
}

#[test]
fn attempts_are_spaced_ever_wider_and_end_before_the_deadline() {
    let host = FakeHost::default().answering(std::iter::repeat_n(GONE, 20));
    let sending = send_one(&host);
    assert_eq!(reason(&sending), Reason::ProviderUnavailable);
    let sent = host.sent.borrow();
    let waits: Vec<_> =
        sent.windows(2).map(|pair| pair[1].at.since(pair[0].at).as_millis()).collect();
    assert_eq!(waits, [101, 201, 401, 801]);
    assert!(sending.elapsed < Duration::from_millis(2450));
}

#[test]
fn a_503_waits_for_as_long_as_it_says_and_without_a_word_not_long() {
    let date = Some("Sat, 31 Jan 2026 12:10:00 GMT");
    for (retry_after, attempts) in
        [(Some("1"), vec![1020]), (Some("60"), vec![]), (date, vec![]), (None, vec![120])]
    {
        let (takes, answer) = FakeAnswer::throttled(retry_after);
        let busy = (takes, answer.map(|answer| FakeAnswer { status: 503, ..answer }));
        let host = FakeHost::default().answering([busy, FakeAnswer::accepted("id-2")]);
        send_one(&host);
        let sent = host.sent.borrow();
        let waits: Vec<_> =
            sent[1..].iter().map(|it| it.at.since(sent[0].at).as_millis()).collect();
        assert_eq!(waits, attempts, "{retry_after:?}");
    }
}

#[test]
fn a_redirect_is_no_answer_of_acs_and_sends_nothing() {
    let host = FakeHost::default().answering([FakeAnswer::of(302, "")]);
    let sending = send_one(&host);
    assert_eq!(reason(&sending), Reason::ProviderUnexpectedAnswer);
    assert!(!sending.result.unwrap_err().fix.contains("may have been sent"));
}

#[test]
fn a_throttled_message_waits_only_if_it_is_told_how_long_and_that_fits() {
    for retry_after in
        [None, Some("60"), Some("3"), Some("soon"), Some("-1"), Some("99999999999999999999")]
    {
        let host = FakeHost::default().answering([FakeAnswer::throttled(retry_after)]);
        let sending = send_one(&host);
        assert_eq!(reason(&sending), Reason::ProviderThrottled, "{retry_after:?}");
        assert_eq!((sending.attempts.len(), sending.elapsed.as_millis()), (1, 20));
    }
    let host = FakeHost::default().answering(vec![FakeAnswer::throttled(Some("0")); 9]);
    assert_eq!(reason(&send_one(&host)), Reason::ProviderThrottled);
    assert_eq!(host.sent.borrow().len(), 5, "a Retry-After of 0 still backs off");
}

#[test]
fn what_cannot_pass_is_not_tried_again() {
    let recipient =
        |status| format!(r#"{{"value":[{{"httpStatusCode":{status},"successful":false}}]}}"#);
    for (answer, expected) in [
        (FakeAnswer::of(400, ""), Reason::ProviderRejected),
        (FakeAnswer::of(404, ""), Reason::ProviderRejected),
        (FakeAnswer::of(412, ""), Reason::ProviderRejected),
        (FakeAnswer::of(401, ""), Reason::ProviderUnauthorized),
        (FakeAnswer::of(403, ""), Reason::ProviderUnauthorized),
        (FakeAnswer::of(501, ""), Reason::ProviderUnavailable),
        (FakeAnswer::of(200, ""), Reason::ProviderUnexpectedAnswer),
        (FakeAnswer::of(301, ""), Reason::ProviderUnexpectedAnswer),
        (FakeAnswer::of(202, "no json"), Reason::ProviderUnexpectedAnswer),
        (FakeAnswer::of(202, r#"{"value":[]}"#), Reason::ProviderUnexpectedAnswer),
        (
            FakeAnswer::of(202, &"x".repeat(crate::providers::api::ANSWER_LIMIT + 1)),
            Reason::ProviderUnexpectedAnswer,
        ),
        (FakeAnswer::of(202, &recipient(400)), Reason::ProviderRejected),
        (FakeAnswer::of(202, &recipient(429)), Reason::ProviderThrottled),
        (FakeAnswer::of(202, &recipient(202)), Reason::ProviderUnexpectedAnswer),
        ((Duration::ZERO, Err(SendError::NotAllowed)), Reason::Misconfigured),
        ((Duration::from_secs(9), Err(SendError::Broken)), Reason::DeadlineExceeded),
    ] {
        let label = format!("{answer:?}");
        let host = FakeHost::default().answering([answer]);
        assert_eq!(reason(&send_one(&host)), expected, "{label}");
    }
}

#[test]
fn a_message_that_may_have_been_sent_is_said_to_whatever_came_after() {
    let broken = (Duration::from_millis(1), Err(SendError::Broken));
    let broken_at_the_end = (Duration::from_millis(2400), Err(SendError::Broken));
    let late = (Duration::from_secs(9), Err(SendError::Broken));
    for (answers, may_be_sent) in [
        (vec![late.clone()], true),
        (vec![broken_at_the_end], true),
        (vec![FakeAnswer::of(202, "?")], true),
        (vec![FakeAnswer::of(504, ""); 9], true),
        (vec![broken.clone(), FakeAnswer::throttled(None)], true),
        (vec![broken, FakeAnswer::of(401, "")], true),
        (vec![GONE, late], true),
        (vec![GONE; 9], false),
        (vec![FakeAnswer::of(503, ""); 9], false),
        (vec![FakeAnswer::of(400, "")], false),
        (vec![FakeAnswer::throttled(None)], false),
    ] {
        let label = format!("{answers:?}");
        let refusal = send_one(&FakeHost::default().answering(answers)).result.unwrap_err();
        assert_eq!(refusal.fix.contains("may have been sent"), may_be_sent, "{label}");
    }
}

#[test]
fn without_the_time_to_hear_of_it_nothing_is_sent() {
    let host = FakeHost::default();
    let sending = send_within(&host, Duration::from_millis(99));
    assert_eq!((reason(&sending), sending.attempts.len()), (Reason::DeadlineExceeded, 0));
    assert!(sending.result.unwrap_err().fix.contains("Nothing was sent."));
    assert!(host.sent.borrow().is_empty());
    assert!(send_within(&host, Duration::from_millis(100)).result.is_ok());
}

#[test]
fn a_certificate_that_is_not_trusted_is_not_asked_for_again() {
    let host = FakeHost::default().answering([(Duration::ZERO, Err(SendError::Untrusted))]);
    let sending = send_one(&host);
    assert_eq!((reason(&sending), sending.attempts.len()), (Reason::ProviderUnavailable, 1));
    assert!(sending.result.unwrap_err().fix.contains("CA certificates"));
}

#[test]
fn a_host_that_may_not_be_called_is_named_in_the_log_with_the_fix() {
    let host = FakeHost::default().answering([(Duration::ZERO, Err(SendError::NotAllowed))]);
    let refusal = send_one(&host).result.unwrap_err();
    let log_fix = refusal.log_fix.unwrap();
    assert!(
        log_fix.contains(
            "set outbound_host1, outbound_host2 or outbound_host3 to https://contoso.communication.azure.com"
        )
    );
}

#[test]
fn an_accepted_message_may_lack_its_id() {
    let body = r#"{"value":[{"to":"+1","httpStatusCode":202,"successful":true}]}"#;
    let host = FakeHost::default().answering([FakeAnswer::of(202, body)]);
    assert_eq!(send_one(&host).result, Ok(None));
}

/// The answer of ACS that takes a request whose one recipient has these members.
fn item(members: &str) -> (Duration, Result<FakeAnswer, SendError>) {
    FakeAnswer::of(202, &format!(r#"{{"value":[{{"to":"+1",{members}}}]}}"#))
}

fn error(status: u16, code: &str) -> (Duration, Result<FakeAnswer, SendError>) {
    FakeAnswer::of(status, &format!(r#"{{"error":{{"code":"{code}","message":""}}}}"#))
}

/// Asserts that a text has these in it, in their order.
#[track_caller]
fn assert_names(text: &str, causes: &[&str], label: &str) {
    let mut rest = text;
    for cause in causes {
        let at = rest.find(cause).unwrap_or_else(|| panic!("{label}: {cause:?} in {text}"));
        rest = &rest[at + cause.len()..];
    }
}

#[test]
fn a_fix_names_what_most_likely_helps_first() {
    const KEY: &str = "acs_connection_string or providers.acs.connection_string of the secrets";
    const SENDER: &str = "acs_from_shortcode or providers.senders of the provider acs";
    const API_VERSION: &str = "api_version of the provider acs";
    const CLOCK: &str = "clock of the hook's host";
    const NUMBER: &str = "recipient's number";
    const COUNTRY: &str = "reach";
    let invalid = |field: &str| {
        FakeAnswer::of(400, &format!(r#"{{"status":400,"errors":{{"{field}":["Invalid."]}}}}"#))
    };
    let refused = |status: u16| item(&format!(r#""httpStatusCode":{status},"successful":false"#));
    let rejected = |status: u16, result: &str| {
        item(&format!(
            r#""httpStatusCode":{status},"successful":false,"repeatabilityResult":"{result}""#
        ))
    };
    for (answer, causes) in [
        // Of the whole request, by the code where there is one.
        (error(401, "Unauthorized"), &["(401)", SENDER, COUNTRY, KEY][..]),
        (error(401, "unauthorized"), &[SENDER, KEY]),
        (error(401, "Denied"), &["(401)", "key and endpoint", KEY, CLOCK, "proxy"]),
        (error(401, "denied"), &["key and endpoint", CLOCK]),
        (error(401, "AuthenticationFailed"), &["key and endpoint", KEY, CLOCK, SENDER]),
        (FakeAnswer::of(401, ""), &["key and endpoint", KEY, CLOCK, SENDER]),
        (FakeAnswer::of(403, ""), &["(403)", "disableLocalAuth", SENDER]),
        (FakeAnswer::of(404, ""), &["(404)", SENDER, COUNTRY, KEY, API_VERSION]),
        (
            FakeAnswer::of(404, r#"{"title":"Not Found","status":404,"traceId":"00"}"#),
            &[SENDER, KEY],
        ),
        (error(404, "ResourceNotFound"), &[SENDER, KEY]),
        (error(400, "ApiVersionUnspecified"), &["(400)", API_VERSION]),
        (error(400, "UnsupportedApiVersion"), &[API_VERSION]),
        (
            error(400, "MessagingConnectOptionMissing"),
            &["Messaging Connect", "messaging_connect of the provider acs", SENDER],
        ),
        (
            invalid("SmsSendOptions.MessagingConnect.PartnerParams"),
            &["providers.acs.messaging_connect of the secrets", SENDER],
        ),
        (
            invalid("SmsSendOptions.DeliveryReportTimeoutInSeconds"),
            &["(400)", "delivery_report_timeout of the provider acs"],
        ),
        (invalid("SmsRecipients"), &[NUMBER, "(400)", SENDER]),
        (invalid("SmsRecipients[0].To"), &[NUMBER, SENDER]),
        (invalid("To"), &[NUMBER, SENDER]),
        (FakeAnswer::of(400, r#"{"SmsRecipients":["Max of 100 phone …"]}"#), &[NUMBER, SENDER]),
        (invalid("From"), &["(400)", SENDER]),
        (error(400, "InvalidSender"), &[SENDER]),
        (invalid("Message"), &["text", "message.templates"]),
        (invalid("SmsRecipients[0].RepeatabilityFirstSent"), &["date", CLOCK]),
        (invalid("Other"), &["(400)", SENDER, COUNTRY, NUMBER]),
        (FakeAnswer::of(400, ""), &["(400)", SENDER, COUNTRY, NUMBER]),
        (FakeAnswer::of(405, ""), &["(405)", "endpoint", KEY, API_VERSION, "proxy"]),
        (FakeAnswer::of(413, ""), &["(413)", KEY, "proxy"]),
        (FakeAnswer::of(415, ""), &["(415)", KEY, API_VERSION]),
        (FakeAnswer::of(421, ""), &["(421)", KEY]),
        (FakeAnswer::of(412, ""), &["date", "(412)", CLOCK]),
        (FakeAnswer::of(422, ""), &["(422)", SENDER, NUMBER]),
        (FakeAnswer::throttled(None), &["(429)", "more senders", "higher limit"]),
        (FakeAnswer::of(408, ""), &["(408)", "network", "Azure's status"]),
        (FakeAnswer::of(409, ""), &["(409)", "Azure's status"]),
        (FakeAnswer::of(500, ""), &["(500)", "Azure's status"]),
        (FakeAnswer::of(501, ""), &["(501)", API_VERSION, "retired"]),
        (FakeAnswer::of(503, ""), &["(503)", "Azure's status"]),
        (FakeAnswer::of(302, ""), &["(302)", "endpoint", KEY, "proxies"]),
        (FakeAnswer::of(200, ""), &["(200)", API_VERSION, KEY, "proxies"]),
        (FakeAnswer::of(202, "?"), &["(202)", API_VERSION, KEY, "proxies"]),
        // Of its recipient, where the signature was right.
        (refused(400), &[NUMBER, "(400)", SENDER, COUNTRY]),
        (rejected(400, "accepted"), &[NUMBER, SENDER]),
        (rejected(400, "rejected"), &["date", "(400)", CLOCK, "same event"]),
        (rejected(400, "Rejected"), &["date", CLOCK]),
        (rejected(412, "rejected"), &["date", "(412)", CLOCK]),
        (refused(412), &["date", "(412)", CLOCK]),
        (refused(401), &["(401)", SENDER, COUNTRY]),
        (refused(403), &["(403)", SENDER, COUNTRY]),
        (refused(404), &["(404)", SENDER, COUNTRY]),
        (refused(429), &["(429)", "more senders"]),
        (refused(500), &["(500)", "Azure's status"]),
        (refused(503), &["(503)", "Azure's status"]),
        (refused(202), &["(202)", "SMS logs"]),
        // No answer.
        (GONE, &["endpoint", KEY, "firewall", "Azure's status"]),
        ((Duration::ZERO, Err(SendError::Untrusted)), &["CA certificates", "proxy"]),
        ((Duration::ZERO, Err(SendError::Broken)), &["broke", "Azure's status", "firewalls"]),
        ((Duration::from_secs(9), Err(SendError::Broken)), &["Azure's status", "network"]),
    ] {
        let label = format!("{answer:?}");
        let refusal = send_one(&FakeHost::default().answering(vec![answer; 9])).result.unwrap_err();
        assert_names(&refusal.fix, causes, &label);
        let misled = refusal.fix.contains("sender") && !causes.join(" ").contains("sender");
        assert!(!misled, "{label}: {}", refusal.fix);
    }
}

#[test]
fn whatever_the_status_the_fix_has_it_and_says_what_to_look_at() {
    for status in 100..600 {
        for answer in [
            FakeAnswer::of(status, ""),
            item(&format!(r#""httpStatusCode":{status},"successful":false"#)),
        ] {
            let label = format!("{answer:?}");
            let host = FakeHost::default().answering(vec![answer; 9]);
            let fix = send_one(&host).result.unwrap_err().fix;
            assert!(fix.contains(&format!("({status})")), "{label}: {fix}");
            assert!(fix.contains("look at") || fix.contains("higher limit"), "{label}: {fix}");
        }
    }
}

#[test]
fn what_a_resource_limits_for_all_names_together_is_not_helped_by_more_of_them() {
    let name =
        [provider("acs", "contoso.communication.azure.com", "pw==", &[("default", "CONTOSO")])];
    let host = FakeHost::default().answering([FakeAnswer::throttled(None)]);
    let fix = send_with(&name, &host, Duration::from_secs(2)).result.unwrap_err().fix;
    assert_names(&fix, &["alphanumeric", "higher limit"], "429");
    assert!(!fix.contains("more senders"), "{fix}");
}

#[test]
fn a_clock_that_is_off_is_told_first_where_a_date_is_part_of_what_was_refused() {
    let with_date = |(takes, answer): (Duration, Result<FakeAnswer, SendError>), date| {
        (takes, answer.map(|it| FakeAnswer { headers: vec![("date", date)], ..it }))
    };
    let rejected = r#""httpStatusCode":400,"successful":false,"repeatabilityResult":"rejected""#;
    let late = "Sat, 31 Jan 2026 12:17:10 GMT";
    for (answer, told) in [
        (error(401, "Denied"), true),
        (error(401, "Unauthorized"), true),
        (FakeAnswer::of(401, ""), true),
        (FakeAnswer::of(403, ""), true),
        (FakeAnswer::of(412, ""), true),
        (item(rejected), true),
        (item(r#""httpStatusCode":412,"successful":false"#), true),
        (FakeAnswer::of(404, ""), false),
        (FakeAnswer::of(400, ""), false),
        (item(r#""httpStatusCode":400,"successful":false"#), false),
        (FakeAnswer::of(503, ""), false),
    ] {
        let label = format!("{answer:?}");
        let host = FakeHost::default().answering(vec![with_date(answer, late); 9]);
        let fix = send_one(&host).result.unwrap_err().fix;
        let start = "The clock of the hook's host is 17 minutes behind that of ACS: set it right first. ACS ";
        assert_eq!(fix.starts_with(start), told, "{label}: {fix}");
        assert_eq!(fix.contains("17 minutes"), told, "{label}: {fix}");
    }

    for (date, told) in [
        ("Sat, 31 Jan 2026 12:00:59 GMT", None),
        ("Sat, 31 Jan 2026 11:59:01 GMT", None),
        ("Sat, 31 Jan 2026 12:01:00 GMT", Some("60 seconds behind that of ACS")),
        ("Sat, 31 Jan 2026 11:58:30 GMT", Some("90 seconds ahead of that of ACS")),
        ("Sat, 31 Jan 2026 12:09:31 GMT", Some("10 minutes behind that of ACS")),
        ("Sat, 31 Jan 2026 06:10:00 GMT", Some("6 hours ahead of that of ACS")),
        ("Thu, 31 Jan 2019 12:00:00 GMT", Some("2557 days ahead of that of ACS")),
        // The two older forms (RFC 9110, section 5.6.7).
        ("Saturday, 31-Jan-26 12:20:00 GMT", Some("20 minutes behind that of ACS")),
        ("Sat Jan 31 12:20:00 2026", Some("20 minutes behind that of ACS")),
        // A date of none says nothing.
        ("2026-01-31T12:20:00Z", None),
        ("Sat, 31 Jan 10000 12:20:00 GMT", None),
        ("", None),
        ("Ω", None),
    ] {
        let host = FakeHost::default().answering([with_date(error(401, "Denied"), date)]);
        let fix = send_one(&host).result.unwrap_err().fix;
        assert_eq!(fix.contains("that of ACS"), told.is_some(), "{date}: {fix}");
        assert!(fix.contains(told.unwrap_or_default()), "{date}: {fix}");
    }
}

#[test]
fn an_answer_that_contradicts_itself_is_never_a_plain_refusal() {
    const ID: &str = "Outgoing_20220405090741f93d37f5-1fe1-4a4c-ba2e-2b4f1d1ad7b8_noam";
    let with_id = |members: &str| item(&format!(r#""messageId":"{ID}",{members}"#));
    // Recorded in April 2022.
    let recorded = r#""httpStatusCode":202,"repeatabilityResult":"accepted","successful":false"#;
    for (answer, taken) in [
        (with_id(recorded), true),
        (with_id(r#""httpStatusCode":202,"successful":false"#), true),
        (with_id(r#""httpStatusCode":200,"successful":false"#), true),
        (with_id(r#""httpStatusCode":202,"successful":false,"errorMessage":"?""#), true),
        (item(r#""httpStatusCode":202,"successful":false"#), false),
        (item(r#""httpStatusCode":202,"successful":false,"messageId":null"#), false),
        (item(r#""httpStatusCode":202,"successful":false,"messageId":"""#), false),
        (item(r#""httpStatusCode":400,"successful":true"#), false),
        (with_id(r#""httpStatusCode":400,"successful":false"#), false),
        (with_id(r#""httpStatusCode":401,"successful":false"#), false),
        (with_id(r#""httpStatusCode":429,"successful":false"#), false),
        (with_id(r#""httpStatusCode":500,"successful":false"#), false),
        (with_id(r#""httpStatusCode":503,"successful":false"#), false),
        (with_id(r#""httpStatusCode":503,"successful":true"#), false),
    ] {
        let label = format!("{answer:?}");
        match send_one(&FakeHost::default().answering(vec![answer; 9])).result {
            Ok(id) => assert_eq!((id.as_deref(), taken), (Some(ID), true), "{label}"),
            Err(refusal) => {
                assert!(!taken, "{label}");
                assert!(refusal.fix.ends_with(" The message may have been sent."), "{label}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_answer_is_understood(status in 100u16..600, body in "\\PC*|[\\[\\]{}\":,a-zA-Z0-9]*") {
        let host = FakeHost::default().answering(vec![FakeAnswer::of(status, &body); 9]);
        prop_assert!(send_one(&host).result.is_err());
    }

    #[test]
    fn only_a_successful_recipient_with_a_2xx_is_accepted(status in -1i32..70000, successful: bool) {
        let body = format!(r#"{{"value":[{{"httpStatusCode":{status},"successful":{successful}}}]}}"#);
        let host = FakeHost::default().answering(vec![FakeAnswer::of(202, &body); 9]);
        prop_assert_eq!(send_one(&host).result.is_ok(), successful && (200..300).contains(&status));
    }
}

#[test]
fn an_api_version_changes_nothing_else_of_the_target() {
    assert!([DEFAULT_API_VERSION, "2025-05-29-preview"].into_iter().all(is_api_version));
    for text in ["", "2021-03-07&a=b", "2021 03 07", "2021-03-07\n", &"1".repeat(33)] {
        assert!(!is_api_version(text), "{text:?}");
    }
}
