use std::borrow::Cow;
use std::cell::Cell;

use proptest::prelude::*;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;

use super::*;
use crate::json::write::Thousandths;
use crate::ports::fake::{FakeAnswer, FakeHost};
use crate::ports::{Answer, Body, HttpClient};

const KEY: &str = "0a1b2c3d-0000-4000-8000-0000000000ef";
const TRACE_ID: [u8; 16] = [0xab; 16];
const SPAN_ID: [u8; 8] = [0xcd; 8];

fn sink() -> Sink {
    Sink::parse(&format!("InstrumentationKey={KEY};IngestionEndpoint=https://insights.example/"))
        .unwrap()
}

fn item(data: Data<'_>) -> Item<'_> {
    Item {
        time: datetime!(2026-01-31 12:00:00 UTC),
        trace_id: Some(TRACE_ID),
        parent_id: Some(SPAN_ID),
        operation_name: Some(REQUEST_NAME),
        data,
        properties: Vec::new(),
        measurements: Vec::new(),
    }
}

fn event() -> Item<'static> {
    item(Data::Event { name: EVENT_NAME })
}

/// One of these for each kind.
fn one_of_each() -> [Item<'static>; 4] {
    let request = Data::Request {
        id: SPAN_ID,
        name: REQUEST_NAME,
        duration: Duration::from_micros(123_456),
        response_code: 200,
        success: true,
        url: "https://hook.example/api/okta-telephony",
    };
    let dependency = Data::Dependency {
        id: [0xef; 8],
        name: DEPENDENCY_NAME,
        target: "contoso.communication.azure.com",
        url: "https://contoso.communication.azure.com/sms?api-version=2021-03-07",
        result_code: Some(202),
        duration: Duration::from_millis(87),
        success: true,
    };
    [
        Item {
            parent_id: None,
            properties: vec![("country", "US".into()), ("reason", "\"quoted\"".into())],
            measurements: vec![("segments", Thousandths(1000)), ("acs_ms", Thousandths(87_500))],
            ..item(request)
        },
        Item { operation_name: None, ..item(dependency) },
        Item { measurements: vec![("seconds", Thousandths::whole(2))], ..event() },
        Item {
            trace_id: None,
            parent_id: None,
            operation_name: None,
            properties: vec![("k", "v".into())],
            ..item(Data::Message { text: "hello w", severity: Severity::Warning })
        },
    ]
}

fn text(item: &Item<'_>) -> String {
    let mut text = String::new();
    item.write(&sink(), &mut text);
    text
}

fn parsed(item: &Item<'_>) -> Value {
    serde_json::from_str(&text(item)).unwrap()
}

fn taken(received: u32) -> (Duration, Result<FakeAnswer, SendError>) {
    FakeAnswer::of(
        200,
        &json!({ "itemsReceived": received, "itemsAccepted": received, "errors": [] }).to_string(),
    )
}

/// The answer that takes all but these, each with its index and status.
fn partly(received: usize, errors: &[(usize, u16)]) -> (Duration, Result<FakeAnswer, SendError>) {
    let list: Vec<_> = errors
        .iter()
        .map(|(index, status)| json!({ "index": index, "statusCode": status, "message": "no" }))
        .collect();
    let accepted = received - errors.len();
    let body = json!({ "itemsReceived": received, "itemsAccepted": accepted, "errors": list });
    FakeAnswer::of(206, &body.to_string())
}

fn sent(accepted: u32, refused: u32) -> Sent {
    Sent { accepted, refused }
}

/// How many items each request had.
fn counts(host: &FakeHost) -> Vec<usize> {
    let count = |body: &str| serde_json::from_str::<Vec<Value>>(body).unwrap().len();
    host.sent.borrow().iter().map(|sent| count(&sent.body)).collect()
}

#[test]
fn each_kind_is_written_to_the_letter() {
    let [request, dependency, event, message] = one_of_each().map(|item| text(&item));
    let tags = concat!(
        r#""tags":{"ai.cloud.role":"okta-telephony-acs","ai.internal.sdkVersion":"okta-telephony-acs:"#,
        env!("CARGO_PKG_VERSION"),
        r#"""#,
    );
    let begins = |name: &str| {
        format!(
            r#"{{"name":"Microsoft.ApplicationInsights.{name}","iKey":"{KEY}","time":"2026-01-31T12:00:00Z",{tags}"#
        )
    };
    let trace = r#","ai.operation.id":"abababababababababababababababab""#;
    let parent = r#","ai.operation.parentId":"cdcdcdcdcdcdcdcd""#;
    let name = r#","ai.operation.name":"POST /api/okta-telephony""#;
    assert_eq!(
        request,
        begins("Request")
            + trace
            + name
            + r#"},"data":{"baseType":"RequestData","baseData":{"ver":2,"id":"cdcdcdcdcdcdcdcd","name":"POST /api/okta-telephony","duration":"0.00:00:00.123","success":true,"responseCode":"200","url":"https://hook.example/api/okta-telephony","properties":{"country":"US","reason":"\"quoted\""},"measurements":{"segments":1.0,"acs_ms":87.5}}}}"#
    );
    assert_eq!(
        dependency,
        begins("RemoteDependency")
            + trace
            + parent
            + r#"},"data":{"baseType":"RemoteDependencyData","baseData":{"ver":2,"id":"efefefefefefefef","name":"POST /sms","duration":"0.00:00:00.087","success":true,"type":"HTTP","target":"contoso.communication.azure.com","data":"https://contoso.communication.azure.com/sms?api-version=2021-03-07","resultCode":"202"}}}"#
    );
    assert_eq!(
        event,
        begins("Event")
            + trace
            + parent
            + name
            + r#"},"data":{"baseType":"EventData","baseData":{"ver":2,"name":"SMS delivery report","measurements":{"seconds":2.0}}}}"#
    );
    assert_eq!(
        message,
        begins("Message")
            + r#"},"data":{"baseType":"MessageData","baseData":{"ver":2,"message":"hello w","severityLevel":2,"properties":{"k":"v"}}}}"#
    );
}

/// What Microsoft's exporter for Python sends, with this room's values.
#[test]
fn each_kind_has_what_microsofts_exporter_sends() {
    let captured = [
        r#"{"name":"Microsoft.ApplicationInsights.Request","iKey":"<uuid>","time":"2026-11-24T06:13:01.330723Z","tags":{"ai.cloud.role":"gw","ai.operation.id":"<traceid 32hex>","ai.operation.name":"POST /okta/telephony","ai.internal.sdkVersion":"..."},"data":{"baseType":"RequestData","baseData":{"ver":2,"id":"<spanid 16hex>","name":"POST /okta/telephony","duration":"0.00:00:00.000","responseCode":"200","success":true,"url":"https://gw/okta/telephony","properties":{},"measurements":{}}}}"#,
        r#"{"name":"Microsoft.ApplicationInsights.RemoteDependency","tags":{"ai.operation.id":"<traceid>","ai.operation.parentId":"<parent spanid>"},"data":{"baseType":"RemoteDependencyData","baseData":{"ver":2,"id":"<spanid>","name":"POST /sms","type":"HTTP","target":"contoso.communication.azure.com","data":"https://contoso.communication.azure.com/sms?api-version=2021-03-07","resultCode":"202","duration":"0.00:00:00.000","success":true}}}"#,
        r#"{"name":"Microsoft.ApplicationInsights.Event","data":{"baseType":"EventData","baseData":{"ver":2,"name":"otp_sent","measurements":{}}}}"#,
        r#"{"name":"Microsoft.ApplicationInsights.Message","data":{"baseType":"MessageData","baseData":{"ver":2,"message":"hello w","severityLevel":2,"properties":{"k":"v"}}}}"#,
    ];
    /// Every member of the one is in the other, with the same type and, where it is one of the
    /// protocol's words, the same value.
    fn is_within(captured: &Value, ours: &Value, at: &str) {
        match (captured, ours) {
            (Value::Object(captured), Value::Object(ours)) => {
                for (name, captured) in captured {
                    let ours = ours.get(name).unwrap_or_else(|| panic!("{at} has no {name}"));
                    is_within(captured, ours, name);
                }
            }
            (captured, ours) if ["ver", "baseType", "type", "severityLevel"].contains(&at) => {
                assert_eq!(captured, ours, "{at}");
            }
            (captured, ours) => {
                assert_eq!(std::mem::discriminant(captured), std::mem::discriminant(ours), "{at}");
            }
        }
    }
    for (captured, item) in captured.iter().zip(one_of_each()) {
        let captured: Value = serde_json::from_str(captured).unwrap();
        let ours = parsed(&item);
        assert_eq!(captured["name"], ours["name"]);
        is_within(&captured, &ours, "");
    }
}

#[test]
fn the_names_are_those_of_what_they_name() {
    assert_eq!(REQUEST_NAME, ["POST ", crate::hook::HOOK_PATH].concat());
    assert_eq!(EVENT_NAME, "SMS delivery report");
}

#[test]
fn times_are_utc_with_seven_digits_at_most() {
    for (time, expected) in [
        (datetime!(2026-01-31 12:00:00 UTC), "2026-01-31T12:00:00Z"),
        (datetime!(2026-01-31 12:00:00.123_456_789 UTC), "2026-01-31T12:00:00.1234567Z"),
        (datetime!(2026-01-31 12:00:00.000_000_099 UTC), "2026-01-31T12:00:00Z"),
        (datetime!(2026-01-31 12:00:00.5 +02:00), "2026-01-31T10:00:00.5Z"),
        (OffsetDateTime::UNIX_EPOCH, "1970-01-01T00:00:00Z"),
    ] {
        assert_eq!(parsed(&Item { time, ..event() })["time"], expected);
    }
    // Neither may panic.
    for time in [datetime!(9999-12-31 23:59:59 -12:00), datetime!(-9999-01-01 0:00 +12:00)] {
        text(&Item { time, ..event() });
    }
}

#[test]
fn durations_are_days_and_a_time_to_the_millisecond() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    for (duration, expected) in [
        (Duration::ZERO, "0.00:00:00.000"),
        (Duration::from_micros(499), "0.00:00:00.000"),
        (Duration::from_micros(500), "0.00:00:00.001"),
        (Duration::from_micros(999_500), "0.00:00:01.000"),
        (Duration::from_millis(2_500), "0.00:00:02.500"),
        (Duration::from_secs(3_599), "0.00:59:59.000"),
        (Duration::from_secs(3_600), "0.01:00:00.000"),
        (DAY, "1.00:00:00.000"),
        (DAY * 12 + Duration::from_secs(86_399), "12.23:59:59.000"),
        (DAY * 123, "123.00:00:00.000"),
        (DAY * 1000, "999.23:59:59.999"),
        (Duration::MAX, "999.23:59:59.999"),
    ] {
        let mut item = one_of_each()[1].clone();
        let Data::Dependency { duration: taken, .. } = &mut item.data else { unreachable!() };
        *taken = duration;
        assert_eq!(parsed(&item)["data"]["baseData"]["duration"], expected);
    }
}

#[test]
fn without_an_answer_there_is_no_result_code() {
    let mut item = one_of_each()[1].clone();
    let Data::Dependency { result_code, success, .. } = &mut item.data else { unreachable!() };
    (*result_code, *success) = (None, false);
    let base = &parsed(&item)["data"]["baseData"];
    assert_eq!((base.get("resultCode"), &base["success"]), (None, &Value::Bool(false)));
}

#[test]
fn what_is_too_long_is_cut_between_characters() {
    // Two UTF-16 units each, so that an odd limit falls within one.
    let long = "\u{1f600}".repeat(40_000);
    let key: &'static str = "k".repeat(151).leak();
    let units = |value: &Value| value.as_str().unwrap().encode_utf16().count();
    let base = |item: &Item<'_>| parsed(item)["data"]["baseData"].clone();

    let properties = vec![(key, Cow::from(&long)), ("odd", Cow::from(["x", &long].concat()))];
    let event = base(&Item {
        properties,
        measurements: vec![(key, Thousandths::whole(1))],
        ..item(Data::Event { name: &long })
    });
    assert_eq!(units(&event["name"]), 512);
    assert_eq!(units(&event["properties"][&key[..150]]), 8192);
    assert_eq!(units(&event["properties"]["odd"]), 8191);
    assert_eq!(event["measurements"][&key[..150]], 1.0);

    let message = item(Data::Message { text: &long, severity: Severity::Error });
    assert_eq!(units(&base(&message)["message"]), 32768);

    let request = Data::Request {
        id: SPAN_ID,
        name: &long,
        duration: Duration::ZERO,
        response_code: 200,
        success: true,
        url: &long,
    };
    let request = Item { operation_name: Some(&long), ..item(request) };
    assert_eq!(units(&parsed(&request)["tags"]["ai.operation.name"]), 1024);
    let request = base(&request);
    assert_eq!((units(&request["name"]), units(&request["url"])), (1024, 2048));

    let dependency = base(&item(Data::Dependency {
        id: SPAN_ID,
        name: &long,
        target: &long,
        url: &long,
        result_code: None,
        duration: Duration::ZERO,
        success: true,
    }));
    assert_eq!(["name", "target", "data"].map(|name| units(&dependency[name])), [1024, 1024, 8192]);
}

#[test]
fn all_items_go_in_one_post() {
    let host = FakeHost::default().answering([taken(4)]);
    let items = one_of_each();
    assert_eq!(send(&sink(), &items, host.ports()), Ok(sent(4, 0)));
    let posts = host.sent.borrow();
    assert_eq!(posts.len(), 1);
    assert_eq!((posts[0].method, posts[0].authority.as_str()), ("POST", "insights.example"));
    assert_eq!(posts[0].path_and_query, "/v2.1/track");
    assert_eq!(posts[0].headers, [("content-type".to_owned(), "application/json".to_owned())]);
    assert_eq!(posts[0].body, format!("[{}]", items.map(|item| text(&item)).join(",")));
}

#[test]
fn nothing_is_posted_where_there_is_nothing_to_tell() {
    let host = FakeHost::default();
    assert_eq!(send(&sink(), &[], host.ports()), Ok(sent(0, 0)));
    assert!(host.sent.borrow().is_empty());
}

#[test]
fn many_items_go_in_pieces() {
    let host = FakeHost::default().answering([taken(500), taken(500), taken(1)]);
    assert_eq!(send(&sink(), &vec![event(); 1001], host.ports()), Ok(sent(1001, 0)));
    assert_eq!(counts(&host), [500, 500, 1]);
}

#[test]
fn long_items_go_in_more_pieces_and_none_is_too_long_to_go() {
    // About 200 KB of JSON each: a control character is six bytes of it.
    let long = "\u{1}".repeat(32_768);
    let message = || item(Data::Message { text: &long, severity: Severity::Error });
    let host = FakeHost::default().answering([taken(2), taken(2), taken(1)]);
    assert_eq!(send(&sink(), &[(); 5].map(|()| message()), host.ports()), Ok(sent(5, 0)));
    assert_eq!(counts(&host), [2, 2, 1]);
    assert!(host.sent.borrow().iter().all(|post| post.body.len() <= MOST_BYTES));

    let keys = (0..20).map(|n| &*format!("k{n}").leak());
    let huge = Item { properties: keys.map(|key| (key, Cow::from(&long))).collect(), ..message() };
    let host = FakeHost::default().answering([taken(1), taken(1), taken(1)]);
    assert_eq!(send(&sink(), &[huge.clone(), event(), huge], host.ports()), Ok(sent(3, 0)));
    assert_eq!(counts(&host), [1, 1, 1]);
}

#[test]
fn of_a_part_only_what_may_yet_be_taken_is_sent_once_more() {
    let errors = [
        (0, 400),
        (1, 408),
        (2, 429),
        (3, 500),
        (4, 502),
        (5, 503),
        (6, 504),
        (7, 401),
        (8, 403),
        (9, 402),
        (10, 439),
        (11, 404),
    ];
    let named = |n: usize| item(Data::Event { name: format!("event {n}").leak() });
    let items: Vec<_> = (0..14).map(named).collect();
    let host =
        FakeHost::default().answering([partly(14, &errors), partly(6, &[(0, 500), (5, 400)])]);
    assert_eq!(send(&sink(), &items, host.ports()), Ok(sent(2 + 4, 6 + 2)));
    let again: Vec<_> = items[1..7].iter().map(text).collect();
    assert_eq!(host.sent.borrow()[1].body, format!("[{}]", again.join(",")));
    assert_eq!(host.sent.borrow().len(), 2, "and no third time");
}

#[test]
fn the_second_time_is_for_all_pieces_together() {
    let first = [partly(500, &[(499, 503)]), partly(2, &[(0, 503), (1, 400)])];
    let host = FakeHost::default().answering(first.into_iter().chain([taken(2)]));
    assert_eq!(send(&sink(), &vec![event(); 502], host.ports()), Ok(sent(501, 1)));
    assert_eq!(counts(&host), [500, 2, 2]);
}

#[test]
fn an_answer_that_does_not_add_up_counts_no_item_twice() {
    for (body, expected) in [
        (json!({ "itemsAccepted": u32::MAX, "errors": [] }), sent(3, 0)),
        (json!({ "itemsAccepted": 3, "errors": null }), sent(3, 0)),
        (json!({ "itemsAccepted": 1 }), sent(1, 2)),
        (json!({ "itemsAccepted": 0, "errors": [] }), sent(0, 3)),
        (json!({ "itemsAccepted": 2, "errors": [{ "index": 3, "statusCode": 503 }] }), sent(2, 1)),
        (
            json!({ "itemsAccepted": 2, "errors": [{ "index": u32::MAX, "statusCode": 503 }] }),
            sent(2, 1),
        ),
    ] {
        let host = FakeHost::default().answering([FakeAnswer::of(206, &body.to_string())]);
        assert_eq!(send(&sink(), &vec![event(); 3], host.ports()), Ok(expected), "{body}");
    }
    let twice = json!({ "index": 0, "statusCode": 503 });
    let body = json!({ "itemsAccepted": 3, "errors": [twice, twice] }).to_string();
    let host = FakeHost::default().answering([FakeAnswer::of(200, &body), taken(1)]);
    assert_eq!(send(&sink(), &vec![event(); 3], host.ports()), Ok(sent(3, 0)));
    assert_eq!(counts(&host), [3, 1]);
}

#[test]
fn a_list_of_errors_that_is_too_long_to_read_refuses_all() {
    let long = "x".repeat(ANSWER_LIMIT + 1);
    let host = FakeHost::default().answering([FakeAnswer::of(206, &long)]);
    assert_eq!(send(&sink(), &vec![event(); 3], host.ports()), Ok(sent(0, 3)));
}

#[test]
fn every_answer_names_its_fix_and_never_the_key() {
    let reads = |status, body| {
        (Duration::ZERO, Ok(FakeAnswer { status, headers: Vec::new(), body: Err(body) }))
    };
    let fails = |error| (Duration::ZERO, Err(error));
    let string = "applicationinsights_connection_string";
    for (answer, cause, status, fix) in [
        (
            fails(SendError::NotAllowed),
            Cause::NotAllowed,
            None,
            "set applicationinsights_host to https://insights.example.",
        ),
        (fails(SendError::NotConnected), Cause::NotConnected, None, string),
        (fails(SendError::Untrusted), Cause::Untrusted, None, "CA certificates"),
        (fails(SendError::Broken), Cause::Broken, None, "Azure's status"),
        (fails(SendError::Late), Cause::Late, None, "450 ms"),
        (reads(200, BodyError::Late), Cause::Late, Some(200), "(200)"),
        (reads(206, BodyError::Broken), Cause::Broken, Some(206), "Azure's status"),
        (reads(200, BodyError::TooLarge), Cause::Unexpected, Some(200), string),
        (FakeAnswer::of(200, ""), Cause::Unexpected, Some(200), string),
        (FakeAnswer::of(200, "<html>"), Cause::Unexpected, Some(200), string),
        (FakeAnswer::of(206, "{}"), Cause::Unexpected, Some(206), string),
        (FakeAnswer::of(202, ""), Cause::Unexpected, Some(202), string),
        (FakeAnswer::of(204, ""), Cause::Unexpected, Some(204), string),
        (FakeAnswer::of(301, ""), Cause::Unexpected, Some(301), string),
        (FakeAnswer::of(307, ""), Cause::Elsewhere, Some(307), "IngestionEndpoint of its region"),
        (FakeAnswer::of(308, ""), Cause::Elsewhere, Some(308), "IngestionEndpoint of its region"),
        (FakeAnswer::of(404, ""), Cause::Elsewhere, Some(404), "IngestionEndpoint of its region"),
        (FakeAnswer::of(400, KEY), Cause::Rejected, Some(400), string),
        (FakeAnswer::of(401, ""), Cause::Unauthorized, Some(401), "disableLocalAuth: false"),
        (FakeAnswer::of(403, ""), Cause::Unauthorized, Some(403), "disableLocalAuth: false"),
        (FakeAnswer::of(402, ""), Cause::OverQuota, Some(402), "daily cap"),
        (FakeAnswer::of(439, ""), Cause::OverQuota, Some(439), "daily cap"),
        (FakeAnswer::of(429, ""), Cause::Throttled, Some(429), "send less"),
        (FakeAnswer::of(408, ""), Cause::Unavailable, Some(408), "Azure's status"),
        (FakeAnswer::of(500, ""), Cause::Unavailable, Some(500), "Azure's status"),
        (FakeAnswer::of(503, ""), Cause::Unavailable, Some(503), "Azure's status"),
        (FakeAnswer::of(599, ""), Cause::Unavailable, Some(599), "Azure's status"),
        (FakeAnswer::of(413, ""), Cause::Unexpected, Some(413), string),
    ] {
        let label = format!("{answer:?}");
        let host = FakeHost::default().answering([answer]);
        let failure = send(&sink(), &[event()], host.ports()).unwrap_err();
        assert_eq!((failure.cause, failure.status), (cause, status), "{label}");
        assert_eq!(failure.sent, sent(0, 0));
        let log = failure.log_fix(&sink());
        assert!(log.contains(fix), "{label}: {log}");
        assert!(status.is_none_or(|status| log.contains(&format!("({status})"))), "{log}");
        assert!(!log.contains(KEY) && !format!("{failure:?}").contains(KEY), "{log}");
    }
}

#[test]
fn a_failure_says_what_had_been_taken_before() {
    let host = FakeHost::default().answering([taken(500), FakeAnswer::of(503, "")]);
    let failure = send(&sink(), &vec![event(); 501], host.ports()).unwrap_err();
    assert_eq!((failure.cause, failure.sent), (Cause::Unavailable, sent(500, 0)));
}

#[test]
fn all_pieces_and_answers_have_the_one_time_limit() {
    let after = |milliseconds, (_, answer)| (Duration::from_millis(milliseconds), answer);
    let took = |host: &FakeHost| host.instant.get().since(Instant(Duration::from_secs(1000)));

    // A sink that hangs.
    let host = FakeHost::default().answering([(Duration::from_secs(600), Err(SendError::Broken))]);
    assert_eq!(send(&sink(), &[event()], host.ports()).unwrap_err().cause, Cause::Late);
    assert_eq!(took(&host), TIME);

    // One that is slow.
    let host = FakeHost::default().answering(vec![after(200, taken(500)); 3]);
    let sent_by = send(&sink(), &vec![event(); 1500], host.ports());
    assert_eq!(sent_by, Ok(sent(1000, 500)), "what has taken something is not down");
    assert_eq!((took(&host), host.sent.borrow().len()), (TIME, 3));

    // One that has taken all that it may yet take when the time is up.
    let retried = after(200, partly(1, &[(0, 503)]));
    let host = FakeHost::default().answering([retried.clone(), after(600, taken(1))]);
    assert_eq!(send(&sink(), &[event()], host.ports()).unwrap_err().cause, Cause::Late);
    assert_eq!(took(&host), TIME);

    // Slow bodies.
    let slow = SlowBodies {
        host: FakeHost::default(),
        posts: Cell::new(0),
        answer: partly(1, &[(0, 503)]),
    };
    let ports = Ports { http: &slow, ..slow.host.ports() };
    assert_eq!(send(&sink(), &[event()], ports), Ok(sent(0, 1)), "no time was left for the second");
    assert_eq!((took(&slow.host), slow.posts.get()), (TIME, 1));

    let slow = SlowBodies { host: FakeHost::default(), posts: Cell::new(0), answer: taken(500) };
    let ports = Ports { http: &slow, ..slow.host.ports() };
    assert_eq!(send(&sink(), &vec![event(); 501], ports), Ok(sent(500, 1)));
    assert_eq!((took(&slow.host), slow.posts.get()), (TIME, 1), "no piece is begun after the time");
}

/// Answers at once, with bodies that end just in time.
struct SlowBodies {
    host: FakeHost,
    posts: Cell<u32>,
    answer: (Duration, Result<FakeAnswer, SendError>),
}

struct SlowBody(FakeAnswer, Instant);

impl HttpClient for SlowBodies {
    fn send(&self, _: &OutboundRequest<'_>, until: Instant) -> Result<Box<dyn Answer>, SendError> {
        self.posts.set(self.posts.get() + 1);
        assert_eq!(until, Instant(Duration::from_secs(1000)).plus(TIME));
        self.host.instant.set(until);
        self.answer.1.clone().map(|answer| Box::new(SlowBody(answer, until)) as Box<dyn Answer>)
    }
}

impl Answer for SlowBody {
    fn status(&self) -> u16 {
        self.0.status
    }

    fn header(&self, _: &'static str) -> Option<String> {
        None
    }
}

impl Body for SlowBody {
    fn read(&mut self, limit: usize, until: Instant) -> Result<Vec<u8>, BodyError> {
        assert_eq!((limit, until), (ANSWER_LIMIT, self.1));
        self.0.read(limit, until)
    }
}

proptest! {
    #[test]
    fn any_text_is_read_back_as_it_was(text in any::<String>(), number in 0..1_u64 << 50) {
        let dependency = Data::Dependency {
            id: SPAN_ID,
            name: &text,
            target: &text,
            url: &text,
            result_code: None,
            duration: Duration::ZERO,
            success: false,
        };
        let kinds = [
            Data::Event { name: &text },
            Data::Message { text: &text, severity: Severity::Information },
            dependency,
        ];
        for data in kinds {
            let fields = match &data {
                Data::Event { .. } => vec!["name"],
                Data::Message { .. } => vec!["message"],
                _ => vec!["name", "target", "data"],
            };
            let item = Item {
                operation_name: Some(&text),
                properties: vec![("k", Cow::from(&text))],
                measurements: vec![("m", Thousandths(number))],
                ..item(data)
            };
            let value = parsed(&item);
            let base = &value["data"]["baseData"];
            for field in fields {
                prop_assert_eq!(base[field].as_str(), Some(text.as_str()));
            }
            prop_assert_eq!(base["properties"]["k"].as_str(), Some(text.as_str()));
            prop_assert_eq!(value["tags"]["ai.operation.name"].as_str(), Some(text.as_str()));
            prop_assert_eq!(base["measurements"]["m"].as_f64(), Some(number as f64 / 1000.0));
        }
    }

    #[test]
    fn any_long_text_is_read_back_from_its_beginning(text in "\\PC{500,700}|[\\x00-\\x1f]{500,700}|\u{1f600}{250,300}") {
        let value = parsed(&item(Data::Event { name: &text }));
        let name = value["data"]["baseData"]["name"].as_str().unwrap();
        prop_assert!(text.starts_with(name));
        let units = name.encode_utf16().count();
        prop_assert!(name == text || units == 511 || units == 512);
    }

    #[test]
    fn any_answer_is_understood_or_refused(
        status in any::<u16>(),
        body in "\\PC*|\\{(\"itemsAccepted\":|\"errors\":|\"index\":|\"statusCode\":|[\\[\\]{},0-9.e-]|503)*\\}",
    ) {
        for status in [200, 206, status] {
            let answers = [FakeAnswer::of(status, &body), taken(3)];
            let host = FakeHost::default().answering(answers);
            if let Ok(sent) = send(&sink(), &vec![event(); 3], host.ports()) {
                prop_assert_eq!(sent.accepted + sent.refused, 3);
            }
        }
    }

    #[test]
    fn any_bytes_of_an_answer_are_read_or_refused(bytes: Vec<u8>) {
        let _ = Tracked::parse(&bytes);
    }
}
