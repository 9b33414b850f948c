use super::*;
use proptest::prelude::*;
use time::OffsetDateTime;
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

/// When the bodies arrive.
const NOW: Moment = 1_769_947_200_000;

fn ms(date: OffsetDateTime) -> Moment {
    (date.unix_timestamp_nanos() / 1_000_000).try_into().unwrap()
}

fn read(body: &str) -> Vec<Result<Event, BadEvent>> {
    parse(body.as_bytes(), NOW).unwrap_or_else(|e| panic!("{e:?}: {body}"))
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
                said: Said::Delivered,
                code: None,
            },
            has_date: true,
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
    for (id, is_one) in [(id, true), (&id[id.len() - 31..], false), ("+15550100123", false)] {
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
        reported: Reported { at, said: Said::Delivered, code: Some(Code::Acs(2000)) },
        has_date: true,
        tag: Some(Identifier::new("hook")),
    }));
    let blocked = Ok(Event::Report(DeliveryReport {
        message_id: id("a2"),
        reported: Reported { at, said: Said::Failed, code: Some(Code::Acs(4005)) },
        has_date: true,
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
    let [bad, _] = reports(r#""deliveryStatus":"Failed""#);
    let body = format!(" [{event_grid}, {bad},7,{{}} ,{cloud_event}]\n");
    let events = read(&body);
    assert!(matches!(events[0], Ok(Event::Report(_))));
    assert_eq!(events[1], Err(BadEvent::NoMessageId));
    assert_eq!(events[2], Err(BadEvent::NotAnObject));
    assert_eq!(events[3], Err(BadEvent::NoType));
    assert_eq!(events[4], events[0]);
    assert_eq!(events.len(), 5);
}

#[test]
fn a_byte_order_mark_is_skipped_once_and_only_before_the_json() {
    assert_eq!(one(&format!("\u{feff}{REPORT}")), one(REPORT));
    for body in [format!("\u{feff}\u{feff}{REPORT}"), format!(" \u{feff}{REPORT}")] {
        assert!(matches!(parse(body.as_bytes(), NOW).err(), Some(NotEvents::NotJson { .. })));
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
        (b"{\"a\":\"\xff\xff\"]", at(1, 10)),
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
        assert_eq!(parse(body, NOW).err(), Some(expected), "{shown}");
    }
    assert_eq!(read("[]"), []);
    assert_eq!(read(&many(EVENTS_LIMIT)).len(), EVENTS_LIMIT);
    assert_eq!(parse(many(3).as_bytes(), NOW).unwrap().len(), 3);
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
        (r#"{"specversion":"1.0"}"#, NoType),
        (r#"{"data":{"messageId":"a1"}}"#, NoType),
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
        (r#""messageId":"a 1","deliveryStatus":"Failed""#.to_owned(), MessageId),
        (r#""messageId":" \u200b","deliveryStatus":"Failed""#.to_owned(), NoMessageId),
        (r#""messageId":"tel:+15550100123","deliveryStatus":"Failed""#.to_owned(), MessageId),
        (r#""messageId":"<script>","deliveryStatus":"Failed""#.to_owned(), MessageId),
        (r#""messageId":"+15550100123","deliveryStatus":"Failed""#.to_owned(), MessageId),
        (r#""messageId":"15550100123","deliveryStatus":"Failed""#.to_owned(), MessageId),
        (r#""messageId":"ä1","deliveryStatus":"Failed""#.to_owned(), MessageId),
        (format!(r#""messageId":"{long}","deliveryStatus":"Failed""#), MessageId),
        (format!(r#""messageId":"Outgoing_{long}{long}","deliveryStatus":"Failed""#), MessageId),
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
    }

    let code = r#""512d38b6-c7b8-40c8-89fe-f46f9e9622b6""#;
    let long = format!("\"{}\"", "1".repeat(VALIDATION_CODE_LIMIT + 1));
    for other in ["null", "7", "[]", r#""""#, r#""\n""#, r#""ä""#, r#""\u007f""#, &long] {
        assert_eq!(one(&VALIDATION.replace(code, other)), Err(ValidationCode), "{other}");
    }
    let longest = format!("\"{}\"", "~".repeat(VALIDATION_CODE_LIMIT));
    assert!(one(&VALIDATION.replace(code, &longest)).is_ok());
}

/// Values that no field should have, as JSON.
const ODD: [&str; 24] = [
    "null",
    "true",
    "7",
    "-0.5",
    "1e999",
    "[]",
    "[[[]]]",
    "{}",
    r#"{"a":"b","a":"b"}"#,
    r#""""#,
    r#"" ""#,
    r#""\ud800""#,
    r#""\u0000""#,
    r#""\u200b\ufeff""#,
    r#""Queued""#,
    r#""<script>""#,
    r#""2026-13-45T99:99:99Z""#,
    r#""1969-12-31T23:59:59Z""#,
    r#""soon""#,
    r#""jane.doe@contoso.com""#,
    r#""+15550100123""#,
    "15550100123",
    r#""4005""#,
    r#""🛑é""#,
];

/// The members of an object as JSON, but for one, whatever the case of its name.
fn members_without(object: &serde_json::Map<String, serde_json::Value>, without: &str) -> String {
    let others = object.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(without));
    others.map(|(name, value)| format!("\"{name}\":{value}")).collect::<Vec<_>>().join(",")
}

#[test]
fn whatever_a_field_holds_a_report_with_an_id_is_kept_and_so_are_its_neighbours() {
    const OF_DATA: [&str; 8] = [
        "messageId",
        "from",
        "to",
        "deliveryStatus",
        "deliveryStatusDetails",
        "deliveryAttempts",
        "receivedTimestamp",
        "tag",
    ];
    const OF_ENVELOPE: [&str; 9] = [
        "id",
        "topic",
        "source",
        "subject",
        "eventTime",
        "time",
        "specversion",
        "dataVersion",
        "metadataVersion",
    ];
    let mut tried = 0;
    let mut keeps = |event: String| {
        let [neighbour, _] = reports(r#""messageId":"a2","deliveryStatus":"Delivered""#);
        let events = read(&format!("[{neighbour},{event},{neighbour}]"));
        let kept = |at: usize, id: &str| match &events[at] {
            Ok(Event::Report(report)) => {
                let status = report.reported.unconfirmed_status().unwrap_or_default();
                assert!(!status.contains(|c: char| c.is_ascii_digit()), "{event}");
                report.message_id.as_str() == id
            }
            _ => false,
        };
        let id = "20260131120000000000a1-0cbf-4304-9b03-1546683bb910";
        assert!(kept(0, "a2") && kept(1, id) && kept(2, "a2"), "{event}: {events:?}");
        tried += 1;
    };
    for (event, _) in SDK {
        let event: serde_json::Map<_, _> = serde_json::from_str(event).unwrap();
        let data = event["data"].as_object().unwrap();
        let envelope = members_without(&event, "data");
        for name in OF_DATA {
            let (all, others) = (members_without(data, ""), members_without(data, name));
            if name != "messageId" {
                keeps(format!("{{{envelope},\"data\":{{{others}}}}}"));
            }
            for odd in ODD {
                if name != "messageId" {
                    keeps(format!("{{{envelope},\"data\":{{{others},\"{name}\":{odd}}}}}"));
                }
                for again in cases(name) {
                    keeps(format!("{{{envelope},\"data\":{{\"{again}\":{odd},{all}}}}}"));
                }
            }
        }
        for (name, odd) in OF_ENVELOPE.iter().flat_map(|name| ODD.map(|odd| (name, odd))) {
            let others = members_without(&event, name);
            keeps(format!("{{{others}}}"));
            keeps(format!("{{\"{name}\":{odd},{others}}}"));
        }
    }
    assert!(tried > 2000, "{tried}");
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
        r#""receivedTimestamp":"2026-01-31 12:00:00+0000""#,
        r#""tag":null"#,
        r#""tag":"""#,
        r#""tag":{"a":"b"}"#,
        r#""from":[[[]]],"to":{"a":{}}"#,
        r#""deliveryAttempts":"2""#,
        r#""x":1,"x":2"#,
        r#""x":1e999"#,
        r#""\ud800":1"#,
        r#""messageId":"a1""#,
        r#""MESSAGEID":"other""#,
        r#""deliveryStatus":"Delivered""#,
        r#""DeliveryStatus":"Delivered""#,
    ] {
        assert_eq!(with(member), plain, "{member}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(with(&format!(r#""x":{deep}{}"#, deep.replace('[', "]"))), plain);
    assert_eq!(plain.reported.at, ms(datetime!(2026-01-31 12:00 UTC)));
}

#[test]
fn a_date_that_is_yet_to_come_counts_only_as_far_as_clocks_are_apart() {
    let latest = NOW + CLOCKS_APART;
    for (date, at, has_date) in [(latest, latest, true), (latest + 1, NOW, false)] {
        for body in reports(NEEDED) {
            let report = report(&body.replace("\"2026-01-31T12:00:00Z\"", &date.to_string()));
            assert_eq!((report.reported.at, report.has_date), (at, has_date));
        }
    }
    // The envelope's is the next best.
    for body in reports(&format!(r#"{NEEDED},"receivedTimestamp":"9999-12-31T23:59:59Z""#)) {
        let report = report(&body);
        assert_eq!(
            (report.reported.at, report.has_date),
            (ms(datetime!(2026-01-31 12:00 UTC)), true)
        );
    }
}

#[test]
fn a_report_without_a_date_is_of_the_moment_that_it_arrives() {
    for body in reports(NEEDED) {
        for time in ["", "soon", "1969-12-31T23:59:59.999Z", "2026-01-31", "2026-13-01T00:00:00Z"] {
            let report = report(&body.replace("2026-01-31T12:00:00Z", time));
            assert_eq!((report.reported.at, report.has_date), (NOW, false), "{time}");
        }
        // The time of either schema will do.
        for other in ["time", "Time", "eventTime", "EVENTTIME"] {
            let time = if body.contains("eventTime") { "\"eventTime\"" } else { "\"time\"" };
            let other = body.replace(time, &format!("\"{other}\""));
            assert_eq!(report(&other), report(&body), "{other}");
        }
    }
}

#[test]
fn a_report_is_told_by_its_type_in_either_schema_or_by_its_data() {
    let [event_grid, cloud_event] = reports(NEEDED);
    let expected = report(&event_grid);
    for body in [
        cloud_event.replace("1.0", "0.3"),
        cloud_event.replace(r#""1.0""#, "1"),
        cloud_event.replace(r#""specversion":"1.0","#, ""),
        event_grid.replace("Microsoft.Comm", " microsoft.comm"),
        event_grid.replace("eventType", "type"),
        cloud_event.replace("\"type\"", "\"TYPE\""),
        event_grid.replace(r#""eventType""#, r#""eventType":null,"x""#),
        event_grid.replace(r#""eventType""#, r#""type":"other","eventType""#),
        event_grid.replace(r#""data""#, r#""data":null,"Data":[],"data""#),
    ] {
        assert_eq!(report(&body), expected, "{body}");
    }
}

#[test]
fn a_status_that_is_not_known_is_kept_by_its_letters() {
    let long = format!("\"{}\"", "Queued".repeat(20));
    let other = |status: &str| Said::Other(Some(status.to_owned()));
    for (status, expected) in [
        (r#""Delivered""#, Said::Delivered),
        (r#""DELIVERED""#, Said::Delivered),
        (r#"" Delivered\n""#, Said::Delivered),
        (r#""\u200bDelivered\u00a0""#, Said::Delivered),
        (r#""Delivered.""#, Said::Delivered),
        (r#""Failed""#, Said::Failed),
        (r#""failed ""#, Said::Failed),
        (r#""Queued""#, other("Queued")),
        (r#"" Expired ""#, other("Expired")),
        (r#""NotDelivered""#, other("NotDelivered")),
        (r#""to+15550100123""#, other("to____________")),
        (r#""to +15550100123""#, Said::Other(None)),
        (r#""<b>""#, other("_b_")),
        (&long, other("QueuedQueuedQueuedQueuedQueuedQu")),
        (r#""""#, Said::Other(None)),
        (r#"" \u200b""#, Said::Other(None)),
        ("null", Said::Other(None)),
        ("1", Said::Other(None)),
        (r#"{"status":"Delivered"}"#, Said::Other(None)),
    ] {
        for body in reports(&format!(r#""messageId":"a1","deliveryStatus":{status}"#)) {
            assert_eq!(report(&body).reported.said, expected, "{status}");
        }
    }
    for body in reports(r#""messageId":"a1""#) {
        assert_eq!(report(&body).reported.said, Said::Other(None));
    }
    // One that is known goes before one that is not.
    let [body, _] =
        reports(r#""messageId":"a1","deliveryStatus":"Queued","DeliveryStatus":"Failed""#);
    assert_eq!(report(&body).reported.said, Said::Failed);
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
        assert_eq!(report(&body).reported.said == Said::Delivered, delivered, "{status}");
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
fn an_id_is_read_without_what_stands_around_it() {
    let id = "202009180022138813a09b-0cbf-4304-9b03-1546683bb910";
    for written in [
        format!(" {id}\\n"),
        format!("\u{200b}{id}\u{feff}"),
        format!("\u{201c}{id}\u{201d}"),
        format!("Outgoing_{id}_noam"),
        format!("{id}_emea "),
    ] {
        let [body, _] = reports(&format!(r#""messageId":"{written}","deliveryStatus":"Failed""#));
        assert_eq!(report(&body).message_id.as_str(), id, "{written}");
    }
    // An id in another case is taken where the one in the usual case is none.
    let [body, _] = reports(r#""messageId":7,"MESSAGEID":"a2","MessageId":"a1""#);
    assert_eq!(report(&body).message_id.as_str(), "a1");
}

#[test]
fn bytes_that_are_not_utf_8_lose_no_report() {
    let [body, _] = reports(&format!(r#"{NEEDED},"to":"M?ller","tag":"okta:?""#));
    let bytes: Vec<u8> = body.bytes().map(|byte| if byte == b'?' { 0xfc } else { byte }).collect();
    let [Ok(Event::Report(report))] = &parse(&bytes, NOW).unwrap()[..] else { panic!() };
    assert_eq!(report.tag.as_ref().unwrap().as_str(), "okta:_");
}

#[test]
fn the_time_is_acss_own_to_the_millisecond() {
    for (date, expected) in [
        ("2020-09-18T00:22:20.2855749Z", datetime!(2020-09-18 00:22:20.285 UTC)),
        ("2020-09-18T02:22:20.2855749+02:00", datetime!(2020-09-18 00:22:20.285 UTC)),
        ("2020-09-17T19:22:20-05:00", datetime!(2020-09-18 00:22:20 UTC)),
        ("1970-01-01T00:00:00Z", datetime!(1970-01-01 00:00:00 UTC)),
        ("2026-02-01T12:00:59.9999999Z", datetime!(2026-02-01 12:00:59.999 UTC)),
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
        assert_eq!(report.reported.code, expected.map(Code::Acs), "{details}");
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
        (r#""tAG":"a""#, Some("a")),
        (r#""Tag":7"#, None),
    ] {
        let tag = with(members).tag;
        assert_eq!(tag.as_ref().map(Identifier::as_str), expected, "{members}");
    }
}

/// A name in PascalCase, in capitals, in lower case, and in a mix of them.
fn cases(name: &str) -> [String; 4] {
    let mixed = name.char_indices().map(|(at, c)| match at % 2 {
        0 => c.to_ascii_uppercase(),
        _ => c.to_ascii_lowercase(),
    });
    [
        [&name[..1].to_uppercase(), &name[1..]].concat(),
        name.to_uppercase(),
        name.to_lowercase(),
        mixed.collect(),
    ]
}

#[test]
fn every_name_that_is_read_is_read_in_any_case_alone_and_in_a_batch() {
    let names = [
        "eventType",
        "eventTime",
        "type",
        "time",
        "data",
        "messageId",
        "deliveryStatus",
        "deliveryStatusDetails",
        "receivedTimestamp",
        "tag",
        "message",
        "from",
        "validationCode",
    ];
    let reply =
        RECEIVED.replace("Great to connect with Azure Communication Services events", "Stop");
    let [(event, events), (cloud_event, cloud_events)] = SDK;
    for body in [REPORT, &reply, VALIDATION, event, events, cloud_event, cloud_events] {
        let right = read(body);
        assert!(right.iter().all(|event| !matches!(event, Ok(Event::Other) | Err(_))), "{body}");
        for case in 0..4 {
            let renamed = |body: String, name: &&str| {
                body.replace(&format!("\"{name}\""), &format!("\"{}\"", cases(name)[case]))
            };
            let all = names.iter().fold(body.to_owned(), renamed);
            assert_eq!(read(&all), right, "{all}");
            for name in &names {
                assert_eq!(read(&renamed(body.to_owned(), name)), right, "{name} {case}: {body}");
            }
        }
    }
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
        ("revoke", true),
        ("OPTOUT", true),
        ("Opt  Out!", true),
        ("opt\u{2011}out", true),
        ("\u{201c}stop\u{201d}", true),
        ("\u{ab} Stop \u{bb}", true),
        ("(stop)", true),
        ("S T O P", true),
        ("*STOP*", true),
        ("STOP\u{a0}", true),
        ("\u{200b}STOP\u{200d}\u{feff}", true),
        ("ST\u{ad}OP\u{fe0f}", true),
        ("STOP\u{3164}", true),
        ("Stop \u{1f6d1}", true),
        ("Stop \u{270b}\u{1f3fd}", true),
        ("Stop \u{2139}\u{fe0f}\u{24c2}\u{1f17e}\u{1f1fa}\u{1f1f8}", true),
        ("stop all", true),
        ("UNSUBSCRIBE.", true),
        ("cancel!", true),
        ("end...", true),
        ("quit \\n", true),
        ("stop it", false),
        ("please stop", false),
        ("stop stop", false),
        ("STOP 2", false),
        ("I opt out", false),
        ("revoked", false),
        ("The end", false),
        ("My code is 246810", false),
        ("\u{1f6d1}", false),
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
        ("15550100123", Some("+1********23")),
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
        format!("{:?}", parse(reply.as_bytes(), NOW)),
        format!("{:?}", parse(b"secret 15550100", NOW).err()),
    ] {
        assert!(!shown.contains("secret") && !shown.contains("5550100"), "{shown}");
    }
}

/// What is promised of any body.
fn keeps_its_promises(body: &[u8]) {
    let is_fit = |report: DeliveryReport| {
        let id = report.message_id.as_str();
        assert!((1..=64).contains(&id.len()) && Identifier::of_message(id).as_str() == id);
        let is_code = |code| matches!(code, Code::Acs(1000..=9999));
        assert!(report.reported.code.is_none_or(is_code));
        let status = report.reported.unconfirmed_status().unwrap_or("none");
        assert!((1..=STATUS_LIMIT).contains(&status.len()));
        assert!(status.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_'));
    };
    if let Ok(report) = answer(body, NOW) {
        is_fit(report);
    }
    let Ok(events) = parse(body, NOW) else { return };
    assert!(events.len() <= EVENTS_LIMIT);
    for event in events {
        match event {
            Ok(Event::Report(report)) => is_fit(report),
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

#[test]
fn what_acs_answers_to_a_question_is_a_report() {
    // The example of the REST specification 2026-01-23.
    let body = r#"{"deliveryStatus":"Delivered","deliveryStatusDetails":"2000: No Error",
        "deliveryAttempts":[{"timestamp":"2025-08-12T14:40:00Z","segmentsSucceeded":2,"segmentsFailed":0},
                            {"timestamp":"2025-08-12T14:35:00Z","segmentsSucceeded":1,"segmentsFailed":1}],
        "receivedTimestamp":"2025-08-12T14:40:00Z","tag":"customer-tag","messageId":"abc123-message-id",
        "from":"+1234567890","to":"+0987654321"}"#;
    let report = answer(body.as_bytes(), NOW).unwrap();
    assert_eq!(report.message_id.as_str(), "abc123-message-id");
    let at = ms(datetime!(2025-08-12 14:40:00 UTC));
    assert_eq!(
        report.reported,
        Reported { at, said: Said::Delivered, code: Some(Code::Acs(2000)) }
    );
    assert!(report.has_date);
    assert_eq!(report.tag.unwrap().as_str(), "customer-tag");
    for (body, fault) in [
        ("", BadEvent::NotAnObject),
        ("[]", BadEvent::NotAnObject),
        ("{}", BadEvent::NoMessageId),
        (r#"{"messageId":"+15550100123"}"#, BadEvent::MessageId),
    ] {
        assert_eq!(answer(body.as_bytes(), NOW), Err(fault), "{body}");
    }
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
            Ok(Event::Report(report)) => prop_assert_eq!(report.message_id.as_str(), canonical_id(trimmed(&id))),
            refused => prop_assert!(matches!(refused, Err(BadEvent::NoMessageId | BadEvent::MessageId))),
        }
    }
}
