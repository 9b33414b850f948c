use super::*;
use proptest::prelude::*;
use serde_json::json;
use time::macros::datetime;

const DELIVERY: &str = include_str!("../../../tests/data/okta-events/delivery.json");
const DOCUMENTED: &str = include_str!("../../../tests/data/okta-events/documented.json");
const WRONG_CODE: &str = include_str!("../../../tests/data/okta-events/wrong-code.json");
const SENT_BY_OKTA: &str = include_str!("../../../tests/data/okta-events/sent-by-okta.json");
const REFUSED_BY_OKTA: &str = include_str!("../../../tests/data/okta-events/refused-by-okta.json");
const HOOK_GIVEN_UP: &str = include_str!("../../../tests/data/okta-events/hook-given-up.json");
const REMOVED_AND_ABANDONED: &str =
    include_str!("../../../tests/data/okta-events/removed-and-abandoned.json");

/// When the deliveries arrive.
const NOW: time::OffsetDateTime = datetime!(2026-11-29 12:00 UTC);

fn parse(body: &str) -> Result<Delivery, NotADelivery> {
    super::parse(body.as_bytes(), milliseconds(NOW))
}

/// The delivery of these events.
fn deliver(events: Value) -> Delivery {
    parse(&json!({"data": {"events": events}}).to_string()).unwrap()
}

/// What one event says.
fn read(event: &Value) -> Result<Option<Event>, BadEvent> {
    let Delivery { count, mut events, others, mut bad, .. } = deliver(json!([event]));
    assert_eq!((count, events.len() + others + bad.len()), (1, 1));
    match bad.pop() {
        Some(bad) => Err(bad),
        None => Ok(events.pop()),
    }
}

/// What one event says, in short: its channel, and what was done or happened.
fn said(event: &Value) -> Option<(Option<Channel>, String)> {
    let Event { channel, said, .. } = read(event).unwrap()?;
    let said = match said {
        Said::Person { user, what } => {
            // The channel is the event's, too.
            let what =
                if let What::Phone(_) = what { "Phone".to_owned() } else { format!("{what:?}") };
            format!("{} {what}", user.as_str())
        }
        said => format!("{said:?}"),
    };
    Some((channel, said))
}

fn event(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The event with these values in place of its own.
fn with(event: &Value, changes: &[(&str, Value)]) -> Value {
    let mut event = event.clone();
    for (at, value) in changes {
        *event.pointer_mut(at).unwrap_or_else(|| panic!("{at}")) = value.clone();
    }
    event
}

/// A sign-in by SMS.
fn sign_in() -> Value {
    event(DELIVERY)["data"]["events"][0].clone()
}

/// An enrolment by a call.
fn enrolment() -> Value {
    event(DELIVERY)["data"]["events"][1].clone()
}

const SMS: Option<Channel> = Some(Channel::Sms);
const CALL: Option<Channel> = Some(Channel::Call);

#[test]
fn a_sign_in_by_sms_and_an_enrolment_by_a_call_are_read() {
    let by = |user: &str, what| Said::Person { user: UserId(user.to_owned()), what };
    let events = [
        Event {
            uuid: "a1000001-cd01-11f1-8000-0a1b2c3d4e01".to_owned(),
            published: milliseconds(datetime!(2026-11-29 10:15:16.286 UTC)),
            channel: SMS,
            said: by("00u1fictionaluser01d7", What::Phone(SMS)),
        },
        Event {
            uuid: "a1000002-cd01-11f1-8000-0a1b2c3d4e01".to_owned(),
            published: milliseconds(datetime!(2026-11-29 10:13:06.115 UTC)),
            channel: None,
            said: by("00u1fictionaluser02d7", What::Activated),
        },
    ];
    let newest = Some(events[0].published);
    let delivery = Delivery { count: 2, events: events.into(), newest, ..Delivery::default() };
    assert_eq!(parse(DELIVERY), Ok(delivery));
}

#[test]
fn the_documented_delivery_says_nothing_but_that_the_feed_lives() {
    let newest = Some(milliseconds(datetime!(2026-11-27 22:23:07.777 UTC)));
    let delivery = Delivery { count: 1, others: 1, newest, ..Delivery::default() };
    assert_eq!(parse(DOCUMENTED), Ok(delivery));
}

#[test]
fn each_of_the_other_samples_says_what_it_is_for() {
    for (text, expected) in [
        (WRONG_CODE, Some((SMS, "00u1fictionaluser01d7 WrongCode".to_owned()))),
        (SENT_BY_OKTA, Some((SMS, "SentByOkta { country: Some(GB) }".to_owned()))),
        (REFUSED_BY_OKTA, Some((CALL, "RefusedByOkta { country: None }".to_owned()))),
        (HOOK_GIVEN_UP, Some((None, "HookGivenUp".to_owned()))),
    ] {
        assert_eq!(said(&event(text)), expected, "{text}");
    }
    let removed_and_abandoned = event(REMOVED_AND_ABANDONED);
    let removed = Some((None, "00u1fictionaluser01d7 Removed".to_owned()));
    assert_eq!(said(&removed_and_abandoned[0]), removed, "by an administrator");
    assert_eq!(said(&removed_and_abandoned[1]), None, "an abandoned sign-in is no use");
}

#[test]
fn only_a_passcode_of_a_phone_counts_as_used_and_only_what_costs_something_as_another_method() {
    const RESULT: &str = "/outcome/result";
    const REASON: &str = "/outcome/reason";
    const FACTOR: &str = "/debugContext/debugData/factor";
    let phone = "00u1fictionaluser01d7 Phone";
    let other = "00u1fictionaluser01d7 OtherMethod";
    let wrong = "00u1fictionaluser01d7 WrongCode";
    for (result, reason, factor, expected) in [
        ("SUCCESS", Value::Null, "SMS_FACTOR", Some((SMS, phone))),
        ("SUCCESS", Value::Null, "CALL_FACTOR", Some((CALL, phone))),
        ("SUCCESS", Value::Null, "OKTA_VERIFY_PUSH", Some((None, other))),
        ("SUCCESS", Value::Null, "FIDO_WEBAUTHN", Some((None, other))),
        ("SUCCESS", Value::Null, "PASSWORD_AS_FACTOR", None),
        ("SUCCESS", Value::Null, "EMAIL_FACTOR", None),
        ("SUCCESS", Value::Null, "SECURITY_QUESTION", None),
        ("FAILURE", "INVALID_CREDENTIALS".into(), "CALL_FACTOR", Some((CALL, wrong))),
        ("FAILURE", "INVALID_CREDENTIALS".into(), "PASSWORD_AS_FACTOR", None),
        ("FAILURE", "LOCKED_OUT".into(), "SMS_FACTOR", None),
        ("ABANDONED", "Authenticator method abandoned".into(), "SMS_FACTOR", None),
        ("UNANSWERED", Value::Null, "SMS_FACTOR", Some((SMS, other))),
        ("UNANSWERED", Value::Null, "PASSWORD_AS_FACTOR", Some((None, other))),
        ("DENY", Value::Null, "SMS_FACTOR", None),
        ("success", Value::Null, "SMS_FACTOR", None),
    ] {
        let changes = [(RESULT, result.into()), (REASON, reason), (FACTOR, factor.into())];
        let event = with(&sign_in(), &changes);
        let expected = expected.map(|(channel, said)| (channel, said.to_owned()));
        assert_eq!(said(&event), expected, "{result} {factor}");
    }
}

#[test]
fn an_event_of_classic_has_the_factor_in_its_debug_data_alone() {
    let classic = json!({
        "uuid": "u1", "published": "2026-11-29T10:15:16.286Z",
        "eventType": "user.authentication.auth_via_mfa", "outcome": {"result": "SUCCESS"},
        "actor": {"id": "00u1", "type": "User"}, "target": [{"id": "00u1", "type": "User"}],
        "debugContext": {"debugData": {"factor": "SMS_FACTOR"}},
        "authenticationContext": {"externalSessionId": "102fictional"},
    });
    assert_eq!(said(&classic), Some((SMS, "00u1 Phone".to_owned())));
}

#[test]
fn a_phone_is_enrolled_or_removed_by_the_reason_and_no_other_factor_is() {
    for (kind, result, reason, expected) in [
        ("activate", "SUCCESS", "User set up CALL_FACTOR factor", Some("Activated")),
        ("activate", "SUCCESS", "User set up SMS_FACTOR factor", Some("Activated")),
        ("activate", "FAILURE", "User set up SMS_FACTOR factor", None),
        ("activate", "SUCCESS", "User set up OKTA_VERIFY_PUSH factor", None),
        ("activate", "SUCCESS", "User set up something", None),
        ("deactivate", "SUCCESS", "User reset SMS_FACTOR factor", Some("Removed")),
        ("deactivate", "SUCCESS", "User reset OKTA_SOFT_TOKEN factor", None),
    ] {
        let kind = format!("user.mfa.factor.{kind}");
        let changes = [
            ("/eventType", kind.as_str().into()),
            ("/outcome/result", result.into()),
            ("/outcome/reason", reason.into()),
        ];
        let expected = expected.map(|did| (None, format!("00u1fictionaluser02d7 {did}")));
        assert_eq!(said(&with(&enrolment(), &changes)), expected, "{kind} {reason}");
    }
}

#[test]
fn a_person_is_who_acted_and_of_an_enrolment_whom_it_was_done_to() {
    let system = json!({"id": "sys1", "type": "SystemPrincipal"});
    let admin = json!({"id": "00uadmin", "type": "User"});
    let did = |event: Value| said(&event).unwrap().1;
    let target = "00u1fictionaluser01d7 Phone";
    assert_eq!(did(with(&sign_in(), &[("/actor", system.clone())])), target);
    assert_eq!(did(with(&sign_in(), &[("/actor", admin.clone())])), "00uadmin Phone");
    let enrolled = "00u1fictionaluser02d7 Activated";
    assert_eq!(did(with(&enrolment(), &[("/actor", admin)])), enrolled);
    let nobody = [("/actor", system), ("/target", json!([]))];
    assert_eq!(read(&with(&sign_in(), &nobody)), Err(BadEvent::NoUser));
    assert_eq!(read(&with(&enrolment(), &[("/target", json!([]))])), Err(BadEvent::NoUser));
}

#[test]
fn what_okta_sent_itself_is_told_by_a_text_or_a_boolean() {
    const FAILOVER: &str = "/debugContext/debugData/isSmsHookFailover";
    for (value, is_told) in [
        (json!("true"), true),
        (json!("True"), true),
        (json!(true), true),
        (json!("false"), false),
        (json!(false), false),
        (json!(1), false),
        (Value::Null, false),
    ] {
        let said = said(&with(&event(SENT_BY_OKTA), &[(FAILOVER, value.clone())]));
        assert_eq!(said.is_some(), is_told, "{value}");
    }
}

#[test]
fn the_country_is_that_of_the_number_wherever_it_is_or_the_one_that_okta_names() {
    const NUMBER: &str = "/debugContext/debugData/phoneNumber";
    const ISO: &str = "/debugContext/debugData/countryCodeIso2";
    let classic = json!([{"id": "mbl1", "type": "MobilePhone", "alternateId": "+4915112345678"}]);
    for (number, iso, target, expected) in [
        (json!("+4915112345678"), json!("US"), json!([]), Some("DE")),
        (Value::Null, Value::Null, classic.clone(), Some("DE")),
        (Value::Null, json!("nl"), json!([]), Some("NL")),
        (json!("unknown"), json!("NL"), json!([]), Some("NL")),
        (json!("+999456789012"), json!("ZZ"), json!([]), None),
        (json!(447700900123_u64), json!(44), json!([]), None),
    ] {
        let changes = [(NUMBER, number), (ISO, iso), ("/target", target)];
        let event = read(&with(&event(SENT_BY_OKTA), &changes)).unwrap().unwrap();
        let Said::SentByOkta { country } = event.said else { panic!() };
        assert_eq!(country.as_ref().map(Region::code), expected);
    }
}

#[test]
fn a_hook_of_another_kind_that_failed_is_nobody_elses() {
    const KIND: &str = "/debugContext/debugData/inlineHookType";
    let given_up = event(HOOK_GIVEN_UP);
    for changes in [
        (KIND, json!("com.okta.oauth2.tokens.transform")),
        (KIND, Value::Null),
        ("/outcome/result", json!("SUCCESS")),
    ] {
        assert_eq!(said(&with(&given_up, std::slice::from_ref(&changes))), None, "{changes:?}");
    }
}

#[test]
fn an_event_that_can_not_be_read_costs_no_other() {
    let without = |member: &str| {
        let mut event = sign_in();
        event.as_object_mut().unwrap().remove(member).unwrap();
        event
    };
    let at = |published: &str| with(&sign_in(), &[("/published", published.into())]);
    let bad = [
        (json!("event"), BadEvent::NotAnObject),
        (json!([sign_in()]), BadEvent::NotAnObject),
        (Value::Null, BadEvent::NotAnObject),
        (json!({}), BadEvent::NoType),
        (with(&sign_in(), &[("/eventType", 7.into())]), BadEvent::NoType),
        (without("uuid"), BadEvent::NoUuid),
        (with(&sign_in(), &[("/uuid", "".into())]), BadEvent::NoUuid),
        (without("published"), BadEvent::Published),
        (at("yesterday"), BadEvent::Published),
        (at("1969-12-31T23:59:59Z"), BadEvent::Published),
    ];
    let mut events: Vec<_> = bad.iter().map(|(event, _)| event.clone()).collect();
    events.insert(5, sign_in());
    let delivery = deliver(events.into());
    assert_eq!(delivery.bad, bad.map(|(_, bad)| bad));
    assert_eq!((delivery.events.len(), delivery.others), (1, 0));

    // Half of a surrogate pair, which no text can hold, is in one event.
    let broken = sign_in().to_string().replace("Utrecht", "\\ud800");
    let body = format!("{{\"data\":{{\"events\":[{broken},{}]}}}}", sign_in());
    let delivery = parse(&body).unwrap();
    assert_eq!((delivery.events.len(), &*delivery.bad), (1, &[BadEvent::NotAnObject][..]));
}

#[test]
fn what_is_not_known_or_has_another_type_refuses_nothing() {
    let mut odd = sign_in();
    odd["new"] = json!({"member": [1e300, null]});
    odd["client"] = json!("a text");
    odd["debugContext"]["debugData"]["threatSuspected"] = json!(false);
    odd["target"][1]["detailEntry"] = Value::Null;
    assert_eq!(said(&odd), said(&sign_in()));
    let others =
        json!([{"eventType": "user.session.start"}, {"eventType": "brand.new", "uuid": 1}]);
    let Delivery { count, events, others, bad, newest } = deliver(others);
    assert_eq!((count, events.len(), others, bad.len(), newest), (2, 0, 2, 0, None));
}

#[test]
fn an_event_of_the_future_was_published_now_and_moves_the_watermark_no_further() {
    for (published, expected) in [
        ("2026-11-29T12:00:59Z", datetime!(2026-11-29 12:00:59 UTC)),
        ("2026-11-29T12:01:01Z", NOW),
        ("9999-12-31T23:59:59Z", NOW),
        ("2026-11-29T13:00:00+02:00", datetime!(2026-11-29 11:00 UTC)),
    ] {
        let delivery = deliver(json!([with(&sign_in(), &[("/published", published.into())])]));
        let expected = milliseconds(expected);
        assert_eq!((delivery.events[0].published, delivery.newest), (expected, Some(expected)));
    }
}

#[test]
fn a_body_of_another_form_is_refused_by_its_cause() {
    let too_many = json!({"data": {"events": vec![json!({}); EVENTS_LIMIT + 1]}}).to_string();
    let deep = "[".repeat(100_000);
    for (body, cause) in [
        ("", NotADelivery::NotJson { line: 1, column: 0 }),
        ("{\"data\":\n{]}", NotADelivery::NotJson { line: 2, column: 2 }),
        ("7", NotADelivery::NoEvents),
        ("[]", NotADelivery::NoEvents),
        ("{}", NotADelivery::NoEvents),
        ("{\"data\":{}}", NotADelivery::NoEvents),
        ("{\"data\":{\"events\":{}}}", NotADelivery::NoEvents),
        ("{\"data\":{\"userProfile\":{}}}", NotADelivery::NoEvents),
        (&too_many, NotADelivery::TooMany),
    ] {
        assert_eq!(parse(body), Err(cause), "{body:.40}");
    }
    assert!(parse(&deep).is_err());
    // What is not UTF-8, in a text that nobody reads, and a byte order mark.
    let mut body = ["\u{feff}", DELIVERY].concat().into_bytes();
    let at = body.windows(7).position(|text| text == b"Utrecht").unwrap();
    body[at] = 0xe9;
    assert_eq!(super::parse(&body, milliseconds(NOW)), parse(DELIVERY));
}

#[test]
fn no_debug_shows_who_it_was() {
    let shown = format!("{:?}", [parse(DELIVERY), parse(DOCUMENTED)]);
    for personal in ["00u1", "ada", "Ada", "bo@", "203.0.113", "Utrecht", "admin"] {
        assert!(!shown.contains(personal), "{personal}: {shown}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_events_or_not(
        body in prop_oneof![prop::collection::vec(any::<u8>(), 0..300), "[\\[\\]{}\":,a-zA-Z0-9]*".prop_map(String::into_bytes)]
    ) {
        let _ = super::parse(&body, 0);
    }

    /// Whatever stands in the place of any member, nothing traps, and the other event is read.
    #[test]
    fn any_value_in_any_place_costs_no_other_event(
        at in prop::sample::select(vec!["/eventType", "/uuid", "/published", "/actor", "/actor/id", "/target", "/target/1", "/outcome", "/debugContext", "/debugContext/debugData", "/authenticationContext"]),
        value in prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from), "\\PC*".prop_map(Value::from), Just(json!([])), Just(json!({}))],
    ) {
        let delivery = deliver(json!([with(&sign_in(), &[(at, value)]), enrolment()]));
        prop_assert_eq!(delivery.count, delivery.events.len() + delivery.others + delivery.bad.len());
        let did = |event: &Event| matches!(event.said, Said::Person { what: What::Activated, .. });
        prop_assert!(delivery.events.last().is_some_and(did));
    }
}
