use super::*;
use proptest::prelude::*;
use time::macros::datetime;

const REPORT: &str = include_str!("../../../tests/data/event-grid/published-delivery-report.json");
const RECEIVED: &str = include_str!("../../../tests/data/event-grid/published-received.json");
const VALIDATION: &str = include_str!("../../../tests/data/event-grid/published-validation.json");
const SDK: [(&str, &str); 2] = [
    (
        include_str!("../../../tests/data/event-grid/sdk-event-grid-single.json"),
        include_str!("../../../tests/data/event-grid/sdk-event-grid-batch.json"),
    ),
    (
        include_str!("../../../tests/data/event-grid/sdk-cloud-events-single.json"),
        include_str!("../../../tests/data/event-grid/sdk-cloud-events-batch.json"),
    ),
];

fn ms(date: OffsetDateTime) -> Moment {
    (date.unix_timestamp_nanos() / 1_000_000).try_into().unwrap()
}

fn read(body: &str) -> Vec<Result<Event, BadEvent>> {
    parse(body.as_bytes()).unwrap_or_else(|e| panic!("{e:?}: {body}"))
}

/// The one event of a body.
fn one(body: &str) -> Result<Event, BadEvent> {
    let [event] = <[_; 1]>::try_from(read(body)).expect(body);
    event
}

fn report(body: &str) -> DeliveryReport {
    match one(body) {
        Ok(Event::Report(report)) => report,
        other => panic!("{other:?}: {body}"),
    }
}

fn received(body: &str) -> SmsReceived {
    match one(body) {
        Ok(Event::Received(received)) => received,
        other => panic!("{other:?}: {body}"),
    }
}

/// A report whose data has these members, in Event Grid's schema and as a CloudEvent.
fn reports(data: &str) -> [String; 2] {
    [
        format!(
            r#"{{"eventType":"Microsoft.Communication.SMSDeliveryReportReceived","eventTime":"2026-01-31T12:00:00Z","data":{{{data}}}}}"#
        ),
        format!(
            r#"{{"specversion":"1.0","type":"Microsoft.Communication.SMSDeliveryReportReceived","time":"2026-01-31T12:00:00Z","data":{{{data}}}}}"#
        ),
    ]
}

/// The members that a report must have.
const NEEDED: &str = r#""messageId":"a1","deliveryStatus":"Failed""#;

/// A report that has these members too.
fn with(members: &str) -> DeliveryReport {
    let [event_grid, cloud_event] = reports(&format!("{NEEDED},{members}"));
    assert_eq!(report(&event_grid), report(&cloud_event));
    report(&event_grid)
}

#[test]
fn microsofts_report_is_read() {
    assert_eq!(
        report(REPORT),
        DeliveryReport {
            message_id: Identifier::new("202009180022138813a09b-0cbf-4304-9b03-1546683bb910"),
            reported: Reported {
                at: ms(datetime!(2020-09-18 00:22:20.285 UTC)),
                delivered: true,
                code: None,
            },
            tag: Some(Identifier::new("Optional customer-tag set in the original message")),
        }
    );
}

#[test]
fn microsofts_reply_is_read_and_its_text_is_not_kept() {
    assert_eq!(
        received(RECEIVED),
        SmsReceived { opt_out: false, from: Some("+1********55".into()) }
    );
}

#[test]
fn microsofts_validation_is_read_in_both_schemas() {
    let code = "512d38b6-c7b8-40c8-89fe-f46f9e9622b6".to_owned();
    assert_eq!(one(VALIDATION), Ok(Event::Validation { code: code.clone() }));
    let cloud_event = VALIDATION
        .replace(r#""metadataVersion": "1""#, r#""specversion": "1.0""#)
        .replace("eventType", "type")
        .replace("eventTime", "time");
    assert_eq!(one(&cloud_event), Ok(Event::Validation { code }));
}

#[test]
fn an_id_that_has_no_letter_by_chance_is_an_id() {
    let id = "2020061020372512345678-7890-4123-9012-345678901234";
    for (id, is_one) in [(id, true), (&id[1..], false), ("+15550100123", false)] {
        let [body, _] = reports(&format!(r#""messageId":"{id}","deliveryStatus":"Failed""#));
        match one(&body) {
            Ok(Event::Report(report)) => {
                assert!(is_one && report.message_id.as_str() == id, "{id}")
            }
            refused => assert!(!is_one && refused == Err(BadEvent::MessageId), "{id}"),
        }
    }
}

#[test]
fn what_microsofts_sdk_publishes_is_read_in_both_schemas_single_and_batched() {
    let id = |number| {
        Identifier::new(&format!("20260131120000000000{number}-0cbf-4304-9b03-1546683bb910"))
    };
    let at = ms(datetime!(2026-01-31 12:00:03.285 UTC));
    let delivered = Ok(Event::Report(DeliveryReport {
        message_id: id("a1"),
        reported: Reported { at, delivered: true, code: Some(2000) },
        tag: Some(Identifier::new("hook")),
    }));
    let blocked = Ok(Event::Report(DeliveryReport {
        message_id: id("a2"),
        reported: Reported { at, delivered: false, code: Some(4005) },
        tag: None,
    }));
    let stop =
        Ok(Event::Received(SmsReceived { opt_out: true, from: Some("+1********23".into()) }));
    for (single, batch) in SDK {
        assert_eq!(one(single), delivered);
        assert_eq!(read(batch), [delivered.clone(), blocked.clone(), stop.clone()]);
    }
}

#[test]
fn schemas_may_be_mixed_and_a_bad_event_loses_no_other() {
    let [event_grid, cloud_event] = reports(NEEDED);
    let [bad, _] = reports(r#""messageId":"a1""#);
    let body = format!(" [{event_grid}, {bad},7,{{}} ,{cloud_event}]\n");
    let events = read(&body);
    assert!(matches!(events[0], Ok(Event::Report(_))));
    assert_eq!(events[1], Err(BadEvent::DeliveryStatus));
    assert_eq!(events[2], Err(BadEvent::NotAnObject));
    assert_eq!(events[3], Err(BadEvent::NoType));
    assert_eq!(events[4], events[0]);
    assert_eq!(events.len(), 5);
}

#[test]
fn a_byte_order_mark_is_skipped_once_and_only_before_the_json() {
    assert_eq!(one(&format!("\u{feff}{REPORT}")), one(REPORT));
    for body in [format!("\u{feff}\u{feff}{REPORT}"), format!(" \u{feff}{REPORT}")] {
        assert!(matches!(parse(body.as_bytes()).err(), Some(NotEvents::NotJson { .. })));
    }
}

#[test]
fn what_is_not_events_says_why() {
    use NotEvents::*;
    let at = |line, column| NotJson { line, column };
    let many = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
    for (body, expected) in [
        (b"".as_slice(), at(1, 0)),
        (b" ", at(1, 1)),
        (b"x", at(1, 1)),
        (b"{", at(1, 1)),
        (b"[{}", at(1, 3)),
        (b"[{},]", at(1, 5)),
        (b"{}{}", at(1, 3)),
        (b"[]\n x", at(2, 2)),
        (b"{\"a\":\"\xff\"}", at(1, 7)),
        (b"\xff\xfe[\0]\0", at(1, 1)),
        (b"{'a':1}", at(1, 2)),
        (b"null", NotAnArray),
        (b"7", NotAnArray),
        (b"\"[]\"", NotAnArray),
        (b"true", NotAnArray),
        (many(EVENTS_LIMIT + 1).as_bytes(), TooMany),
        (format!("[0{}]", ",0".repeat(BODY_LIMIT / 2 - 2)).as_bytes(), TooMany),
        ("[".repeat(BODY_LIMIT).as_bytes(), at(1, BODY_LIMIT)),
        ("{\"a\":".repeat(BODY_LIMIT / 5).as_bytes(), at(1, BODY_LIMIT / 5 * 5)),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]);
        assert_eq!(parse(body).err(), Some(expected), "{shown}");
    }
    assert_eq!(read("[]"), []);
    assert_eq!(read(&many(EVENTS_LIMIT)).len(), EVENTS_LIMIT);
    assert_eq!(parse(many(3).as_bytes()).unwrap().len(), 3);
}

#[test]
fn each_event_of_the_largest_body_of_bad_ones_is_told() {
    let filling = " ".repeat(BODY_LIMIT / EVENTS_LIMIT - 20);
    for event in ["[]", r#"{"data":7,"data":7}"#] {
        let events = vec![[filling.as_str(), event].concat(); EVENTS_LIMIT].join(",");
        let read = read(&format!("[{events}]"));
        assert!(read.len() == EVENTS_LIMIT && read.iter().all(Result::is_err), "{event}");
    }
}

#[test]
fn a_bad_event_says_what_is_wrong() {
    use BadEvent::*;
    let long = "a".repeat(65);
    for (event, expected) in [
        ("7", NotAnObject),
        ("null", NotAnObject),
        ("[{}]", NotAnObject),
        (r#""Microsoft.Communication.SMSReceived""#, NotAnObject),
        ("{}", NoType),
        (r#"{"eventType":null}"#, NoType),
        (r#"{"eventType":7}"#, NoType),
        (r#"{"eventType":{"a":"b"}}"#, NoType),
        (r#"{"eventType":"\ud800"}"#, NoType),
        (r#"{"type":"a"}"#, NoType),
        (r#"{"specversion":"1.0"}"#, NoType),
        (r#"{"specversion":"1.0","eventType":"a"}"#, NoType),
        (r#"{"specversion":"0.3","type":"a"}"#, SpecVersion),
        (r#"{"specversion":1.0,"type":"a"}"#, SpecVersion),
        (r#"{"specversion":"","eventType":"a"}"#, SpecVersion),
        (r#"{"eventType":"a","eventType":"a"}"#, Members),
        (r#"{"eventType":"a","event\u0054ype":"b"}"#, Members),
        (r#"{"eventType":"a","data":null,"data":{}}"#, Members),
        (r#"{"specversion":"1.0","specversion":"1.0","type":"a"}"#, Members),
    ] {
        assert_eq!(read(&format!("[{event}]")), [Err(expected)], "{event}");
    }
    for (data, expected) in [
        (r#""#.to_owned(), NoMessageId),
        (r#""deliveryStatus":"Failed""#.to_owned(), NoMessageId),
        (r#""messageId":"","deliveryStatus":"Failed""#.to_owned(), NoMessageId),
        (r#""messageId":"Outgoing_","deliveryStatus":"Failed""#.to_owned(), NoMessageId),
        (r#""messageId":null,"deliveryStatus":"Failed""#.to_owned(), NoMessageId),
        (r#""messageId":7,"deliveryStatus":"Failed""#.to_owned(), NoMessageId),
        (r#""messageId":["a1"],"deliveryStatus":"Failed""#.to_owned(), NoMessageId),
        (r#""messageId":"\ud800a","deliveryStatus":"Failed""#.to_owned(), NoMessageId),
        (r#""messageID":"a1","deliveryStatus":"Failed""#.to_owned(), NoMessageId),
        (r#""messageId":"a 1","deliveryStatus":"Failed""#.to_owned(), MessageId),
        (r#""messageId":" a1","deliveryStatus":"Failed""#.to_owned(), MessageId),
        (r#""messageId":"a1\n","deliveryStatus":"Failed""#.to_owned(), MessageId),
        (r#""messageId":"+15550100123","deliveryStatus":"Failed""#.to_owned(), MessageId),
        (r#""messageId":"15550100123","deliveryStatus":"Failed""#.to_owned(), MessageId),
        (r#""messageId":"ä1","deliveryStatus":"Failed""#.to_owned(), MessageId),
        (format!(r#""messageId":"{long}","deliveryStatus":"Failed""#), MessageId),
        (format!(r#""messageId":"Outgoing_{long}{long}","deliveryStatus":"Failed""#), MessageId),
        (r#""messageId":"a1""#.to_owned(), DeliveryStatus),
        (r#""messageId":"a1","deliveryStatus":"""#.to_owned(), DeliveryStatus),
        (r#""messageId":"a1","deliveryStatus":"Sent""#.to_owned(), DeliveryStatus),
        (r#""messageId":"a1","deliveryStatus":true"#.to_owned(), DeliveryStatus),
        (r#""messageId":"a1","messageId":"a1","deliveryStatus":"Failed""#.into(), Members),
        (format!(r#"{NEEDED},"deliveryStatus":"Delivered""#), Members),
        (format!(r#"{NEEDED},"DeliveryStatus":"Failed""#), Members),
        (format!(r#"{NEEDED},"\ud800":1"#), Members),
        (format!(r#"{NEEDED},"Tag":"a","Tag":"a""#), Members),
    ] {
        for body in reports(&data) {
            assert_eq!(one(&body), Err(expected), "{body}");
        }
    }
    let [event_grid, cloud_event] = reports(NEEDED);
    let object = format!("{{{NEEDED}}}");
    for body in [&event_grid, &cloud_event] {
        for data in ["null", "[]", "\"{}\"", "7", &format!("[{object}]")] {
            assert_eq!(one(&body.replace(&object, data)), Err(Data), "{data}");
        }
        assert_eq!(one(&body.replace(r#""data""#, r#""data_base64""#)), Err(Data));
        for time in ["", "soon", "1969-12-31T23:59:59.999Z", "2026-01-31", "2026-13-01T00:00:00Z"] {
            assert_eq!(one(&body.replace("2026-01-31T12:00:00Z", time)), Err(NoTime), "{time}");
        }
    }
    // Each schema has its own time.
    assert_eq!(one(&event_grid.replace("eventTime", "time")), Err(NoTime));
    assert_eq!(one(&cloud_event.replace(r#""time""#, r#""eventTime""#)), Err(NoTime));

    let code = r#""512d38b6-c7b8-40c8-89fe-f46f9e9622b6""#;
    let long = format!("\"{}\"", "1".repeat(VALIDATION_CODE_LIMIT + 1));
    for other in ["null", "7", "[]", r#""""#, r#""\n""#, r#""ä""#, r#""\u007f""#, &long] {
        assert_eq!(one(&VALIDATION.replace(code, other)), Err(ValidationCode), "{other}");
    }
    let longest = format!("\"{}\"", "~".repeat(VALIDATION_CODE_LIMIT));
    assert!(one(&VALIDATION.replace(code, &longest)).is_ok());
}

#[test]
fn what_is_not_needed_refuses_no_report() {
    let plain = with(r#""x":0"#);
    for member in [
        r#""deliveryStatusDetails":7"#,
        r#""deliveryStatusDetails":null"#,
        r#""deliveryStatusDetails":"\ud800""#,
        r#""receivedTimestamp":null"#,
        r#""receivedTimestamp":1769860800"#,
        r#""receivedTimestamp":"soon""#,
        r#""receivedTimestamp":"1969-12-31T23:59:59Z""#,
        r#""receivedTimestamp":"2026-01-31T12:00:00""#,
        r#""tag":null"#,
        r#""tag":"""#,
        r#""tag":{"a":"b"}"#,
        r#""from":[[[]]],"to":{"a":{}}"#,
        r#""x":1,"x":2"#,
        r#""x":1e999"#,
    ] {
        assert_eq!(with(member), plain, "{member}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(with(&format!(r#""x":{deep}{}"#, deep.replace('[', "]"))), plain);
    assert_eq!(plain.reported.at, ms(datetime!(2026-01-31 12:00 UTC)));
}

#[test]
fn the_types_and_the_status_are_told_in_any_case() {
    for name in [
        "Microsoft.Communication.SMSDeliveryReportReceived",
        "Microsoft.Communication.SMSReceived",
        "Microsoft.EventGrid.SubscriptionValidationEvent",
        "Microsoft.EventGrid.SubscriptionDeletedEvent",
    ] {
        for name in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
            let event = one(&format!(
                r#"{{"eventType":"{name}","eventTime":"2026-01-31T12:00:00Z","data":{{"messageId":"a1","deliveryStatus":"DELIVERED","validationCode":"c"}}}}"#
            ));
            assert!(!matches!(event, Ok(Event::Other) | Err(_)), "{name}: {event:?}");
        }
    }
    for (status, delivered) in
        [("Delivered", true), ("DELIVERED", true), ("Failed", false), ("failed", false)]
    {
        let [body, _] = reports(&format!(r#""messageId":"a1","deliveryStatus":"{status}""#));
        assert_eq!(report(&body).reported.delivered, delivered, "{status}");
    }
}

#[test]
fn other_events_are_left_alone_whatever_is_in_them() {
    for body in [
        r#"{"eventType":"Microsoft.Communication.CallStarted"}"#,
        r#"{"eventType":"","data":7}"#,
        r#"{"specversion":"1.0","type":"com.example.x","data":[]}"#,
    ] {
        assert_eq!(one(body), Ok(Event::Other), "{body}");
    }
    let gone = r#"{"eventType":"Microsoft.EventGrid.SubscriptionDeletedEvent","data":null}"#;
    assert_eq!(one(gone), Ok(Event::SubscriptionDeleted));
}

#[test]
fn an_id_meets_the_one_that_acs_answered_and_is_kept_to_the_letter() {
    let id = "202009180022138813a09b-0cbf-4304-9b03-1546683bb910";
    let prefixed = format!("Outgoing_{id}");
    assert_eq!(prefixed.len(), 59);
    for written in [id, &prefixed] {
        let [body, _] = reports(&format!(r#""messageId":"{written}","deliveryStatus":"Failed""#));
        assert_eq!(report(&body).message_id.as_str(), id);
    }
    let longest = "a".repeat(64);
    let [body, _] = reports(&format!(r#""messageId":"{longest}","deliveryStatus":"Failed""#));
    assert_eq!(report(&body).message_id.as_str(), longest);
}

#[test]
fn the_time_is_acss_own_to_the_millisecond() {
    for (date, expected) in [
        ("2020-09-18T00:22:20.2855749Z", datetime!(2020-09-18 00:22:20.285 UTC)),
        ("2020-09-18T02:22:20.2855749+02:00", datetime!(2020-09-18 00:22:20.285 UTC)),
        ("2020-09-17T19:22:20-05:00", datetime!(2020-09-18 00:22:20 UTC)),
        ("1970-01-01T00:00:00Z", datetime!(1970-01-01 00:00:00 UTC)),
        ("9999-12-31T23:59:59.9999999Z", datetime!(9999-12-31 23:59:59.999 UTC)),
    ] {
        let report = with(&format!(r#""receivedTimestamp":"{date}""#));
        assert_eq!(report.reported.at, ms(expected), "{date}");
    }
}

#[test]
fn the_code_is_the_four_digits_that_the_details_begin_with() {
    for (details, expected) in [
        ("2000: No Error", Some(2000)),
        ("4007", Some(4007)),
        (" 5002 - Carrier does not support delivery report", Some(5002)),
        ("9999.", Some(9999)),
        ("No error.", None),
        ("Sender blocked for given recipient.", None),
        ("", None),
        ("200", None),
        ("20000", None),
        ("0000", None),
        ("4005x", None),
        ("2026-01-31 12:00", None),
        ("+15550100123", None),
        ("４００５", None),
        ("400５", None),
        ("ää", None),
    ] {
        assert_eq!(code(details), expected, "{details}");
        let report = with(&format!(r#""deliveryStatusDetails":"{details}""#));
        assert_eq!(report.reported.code, expected, "{details}");
    }
}

#[test]
fn the_tag_is_read_in_the_sdks_case_before_the_samples() {
    for (members, expected) in [
        (r#""tag":"a""#, Some("a")),
        (r#""Tag":"a""#, Some("a")),
        (r#""TAG":"a""#, Some("a")),
        (r#""Tag":"a","tag":"a""#, Some("a")),
        (r#""Tag":"b","tag":"a""#, Some("a")),
        (r#""tag":"a","Tag":"b""#, Some("a")),
        (r#""TAG":"b","Tag":"a""#, Some("a")),
        (r#""Tag":"a","tag":null"#, Some("a")),
        (r#""Tag":"a","tag":7"#, Some("a")),
        (r#""Tag":"a","tag":"""#, Some("a")),
        (r#""Tag":"a b+c""#, Some("a_b_c")),
        (r#""tAG":"a""#, None),
        (r#""Tag":7"#, None),
    ] {
        let tag = with(members).tag;
        assert_eq!(tag.as_ref().map(Identifier::as_str), expected, "{members}");
    }
}

#[test]
fn data_in_pascal_case_is_read() {
    let pascal = r#""MessageId":"a1","DeliveryStatus":"Failed","DeliveryStatusDetails":"4005","ReceivedTimestamp":"2026-01-31T11:00:00Z","Tag":"a""#;
    let camel = r#""messageId":"a1","deliveryStatus":"Failed","deliveryStatusDetails":"4005","receivedTimestamp":"2026-01-31T11:00:00Z","tag":"a""#;
    for (pascal, camel) in reports(pascal).iter().zip(reports(camel)) {
        assert_eq!(report(pascal), report(&camel));
    }
    let reply = RECEIVED.replace(r#""message""#, r#""Message""#).replace(r#""from""#, r#""From""#);
    assert_eq!(received(&reply), received(RECEIVED));
    let validation = VALIDATION.replace("validationCode", "ValidationCode");
    assert_eq!(one(&validation), one(VALIDATION));
}

#[test]
fn a_reply_needs_no_date() {
    let reply = r#"{"eventType":"Microsoft.Communication.SMSReceived","data":{"message":"STOP"}}"#;
    assert!(received(reply).opt_out);
}

#[test]
fn an_opt_out_is_nothing_but_its_words_in_any_case_with_any_punctuation() {
    for (message, opt_out) in [
        ("STOP", true),
        ("stop", true),
        ("  Stop\\r\\n", true),
        ("StopAll", true),
        ("unsubscribe", true),
        ("Cancel", true),
        ("END", true),
        ("quit", true),
        ("\\u0073top", true),
        ("STOP.", true),
        ("\\\"Stop!\\\"", true),
        ("Revoke", true),
        ("opt-out", true),
        ("Opt out", true),
        ("stop it", false),
        ("don't stop", false),
        ("UNSTOP", false),
        ("START", false),
        ("", false),
    ] {
        let text = "Great to connect with Azure Communication Services events";
        let received = received(&RECEIVED.replace(text, message));
        assert_eq!(received.opt_out, opt_out, "{message}");
    }
    let received = received(&RECEIVED.replace(r#""message""#, r#""text""#));
    assert!(!received.opt_out);
}

#[test]
fn a_writers_number_is_masked_and_what_is_none_is_left_out() {
    for (from, expected) in [
        (r#""15550100123""#, Some("+1********23")),
        (r#""+15550100123""#, Some("+1********23")),
        (r#""442079460958""#, Some("+44********58")),
        (r#""12345""#, None),
        (r#""++15550100123""#, None),
        (r#""""#, None),
        (r#""CONTOSO""#, None),
        ("15550100123", None),
        ("null", None),
    ] {
        let received =
            received(&RECEIVED.replace(r#""from": "15555555555""#, &format!(r#""from": {from}"#)));
        assert_eq!(received.from.as_deref(), expected, "{from}");
    }
}

#[test]
fn no_number_no_text_and_no_explanation_gets_out() {
    let details =
        with(r#""deliveryStatusDetails":"4007 secret","from":"15550100","to":"15550100""#);
    let [bad, _] = reports(r#""messageId":"15550100 secret""#);
    let reply = RECEIVED.replace("Great", "secret").replace("15555555555", "15550100123");
    for shown in [
        format!("{details:?}"),
        format!("{:?}", one(&bad)),
        one(&bad).unwrap_err().to_string(),
        format!("{:?}", one(&reply)),
        format!("{:?}", parse(reply.as_bytes())),
        format!("{:?}", parse(b"secret 15550100").err()),
    ] {
        assert!(!shown.contains("secret") && !shown.contains("5550100"), "{shown}");
    }
}

/// What is promised of any body.
fn keeps_its_promises(body: &[u8]) {
    let Ok(events) = parse(body) else { return };
    assert!(events.len() <= EVENTS_LIMIT);
    for event in events {
        match event {
            Ok(Event::Report(report)) => {
                let id = report.message_id.as_str();
                assert!((1..=64).contains(&id.len()) && Identifier::of_message(id).as_str() == id);
                assert!(report.reported.code.is_none_or(|code| (1000..=9999).contains(&code)));
            }
            Ok(Event::Received(received)) => {
                let shown = |from: &str| from.bytes().filter(u8::is_ascii_digit).count();
                assert!(received.from.is_none_or(|from| shown(&from) <= 5));
            }
            Ok(Event::Validation { code }) => {
                assert!((1..=VALIDATION_CODE_LIMIT).contains(&code.len()) && code.is_ascii());
            }
            Ok(Event::SubscriptionDeleted | Event::Other) | Err(_) => {}
        }
    }
}

/// JSON of any kind, with the names that are read at any place.
fn json() -> impl Strategy<Value = String> {
    let name = proptest::sample::select(vec![
        "eventType",
        "type",
        "specversion",
        "eventTime",
        "time",
        "data",
        "messageId",
        "deliveryStatus",
        "deliveryAttempts",
        "segmentsFailed",
        "Tag",
        "message",
        "from",
    ]);
    let leaf = prop_oneof![
        proptest::sample::select(vec![
            "null",
            "true",
            "7",
            "-1e400",
            "\"1.0\"",
            "\"Failed\"",
            "\"\\ud800\"",
            "\"a1\"",
            "\"2026-01-31T12:00:00Z\"",
            "\"15550100123\"",
            "\"Microsoft.Communication.SMSDeliveryReportReceived\"",
            "\"Microsoft.Communication.SMSReceived\"",
            "\"Microsoft.EventGrid.SubscriptionValidationEvent\"",
        ])
        .prop_map(str::to_owned),
        "[a-z ]{0,9}".prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5)
                .prop_map(|values| format!("[{}]", values.join(","))),
            proptest::collection::vec((name.clone(), inner), 0..8).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_events_or_not(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        keeps_its_promises(&body);
    }

    #[test]
    fn any_json_is_events_or_not(body in json()) {
        keeps_its_promises(body.as_bytes());
    }

    #[test]
    fn any_damage_to_an_event_is_told_or_does_no_harm(
        which in 0..5usize, at in any::<proptest::sample::Index>(), byte in any::<u8>(),
        cut in any::<proptest::sample::Index>(), twice in any::<proptest::sample::Index>(),
    ) {
        let body = [REPORT, RECEIVED, VALIDATION, SDK[0].1, SDK[1].1][which].as_bytes();
        let mut damaged = body.to_vec();
        damaged[at.index(body.len())] = byte;
        keeps_its_promises(&damaged);
        keeps_its_promises(&damaged[..cut.index(body.len())]);
        damaged.remove(cut.index(body.len()));
        keeps_its_promises(&damaged);
        let (before, after) = body.split_at(twice.index(body.len()));
        keeps_its_promises(&[before, before, after].concat());
    }

    #[test]
    fn any_text_is_an_id_to_the_letter_or_refused(id in "(Outgoing_)?[a-z0-9._:\\-\"\\\\ äß€]{0,140}") {
        let quoted = serde_json::to_string(&id).unwrap();
        let [body, _] = reports(&format!(r#""messageId":{quoted},"deliveryStatus":"Failed""#));
        match one(&body) {
            Ok(Event::Report(report)) => prop_assert_eq!(report.message_id.as_str(), canonical_id(&id)),
            refused => prop_assert!(matches!(refused, Err(BadEvent::NoMessageId | BadEvent::MessageId))),
        }
    }
}
