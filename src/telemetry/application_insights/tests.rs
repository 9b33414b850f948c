use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;

use super::*;
use crate::ports::fake::{AtOnce, FakeAnswer, FakeHost};
use crate::ports::{Answer, Body, OutboundRequest};

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
        data,
        properties: BTreeMap::new(),
        measurements: BTreeMap::new(),
    }
}

fn event() -> Item<'static> {
    item(Data::Event { name: EVENT_NAME })
}

/// One of these for each kind.
fn one_of_each() -> [Item<'static>; 4] {
    let request = Data::Request {
        id: "cdcdcdcdcdcdcdcd".into(),
        name: REQUEST_NAME,
        duration: time_span(Duration::from_micros(123_456)),
        success: true,
        response_code: "200".into(),
        url: REQUEST_URL,
    };
    let dependency = Data::Dependency {
        id: "efefefefefefefef".into(),
        name: DEPENDENCY_NAME,
        duration: time_span(Duration::from_millis(87)),
        success: true,
        r#type: "HTTP",
        target: "contoso.communication.azure.com",
        data: "/sms",
        result_code: Some("202".into()),
    };
    [
        Item {
            parent_id: None,
            properties: [("reason", "\"quoted\"".into()), ("country", "US".into())].into(),
            measurements: [("provider_ms", 87.5), ("segments", 1.0)].into(),
            ..item(request)
        },
        item(dependency),
        Item { measurements: [("seconds", 2.0)].into(), ..event() },
        Item {
            trace_id: None,
            parent_id: None,
            properties: [("k", "v".into())].into(),
            ..item(Data::Message { message: "hello w", severity_level: ERROR })
        },
    ]
}

fn text(item: &Item<'_>) -> String {
    serde_json::to_string(&item.envelope(&sink())).unwrap()
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
            + r#"},"data":{"baseType":"RequestData","baseData":{"ver":2,"id":"cdcdcdcdcdcdcdcd","name":"POST /api/okta-telephony","duration":"0.00:00:00.123","success":true,"responseCode":"200","url":"/api/okta-telephony","properties":{"country":"US","reason":"\"quoted\""},"measurements":{"provider_ms":87.5,"segments":1.0}}}}"#
    );
    assert_eq!(
        dependency,
        begins("RemoteDependency")
            + trace
            + parent
            + name
            + r#"},"data":{"baseType":"RemoteDependencyData","baseData":{"ver":2,"id":"efefefefefefefef","name":"send message","duration":"0.00:00:00.087","success":true,"type":"HTTP","target":"contoso.communication.azure.com","data":"/sms","resultCode":"202","properties":{},"measurements":{}}}}"#
    );
    assert_eq!(
        event,
        begins("Event")
            + trace
            + parent
            + name
            + r#"},"data":{"baseType":"EventData","baseData":{"ver":2,"name":"SMS delivery report","properties":{},"measurements":{"seconds":2.0}}}}"#
    );
    assert_eq!(
        message,
        begins("Message")
            + r#"},"data":{"baseType":"MessageData","baseData":{"ver":2,"message":"hello w","severityLevel":3,"properties":{"k":"v"},"measurements":{}}}}"#
    );
}

/// What Microsoft's exporter for Python sends, with this room's values.
#[test]
fn each_kind_has_what_microsofts_exporter_sends() {
    let captured = [
        r#"{"name":"Microsoft.ApplicationInsights.Request","iKey":"<uuid>","time":"2026-11-24T06:13:01.330723Z","tags":{"ai.cloud.role":"gw","ai.operation.id":"<traceid 32hex>","ai.operation.name":"POST /okta/telephony","ai.internal.sdkVersion":"..."},"data":{"baseType":"RequestData","baseData":{"ver":2,"id":"<spanid 16hex>","name":"POST /okta/telephony","duration":"0.00:00:00.000","responseCode":"200","success":true,"url":"https://gw/okta/telephony","properties":{},"measurements":{}}}}"#,
        r#"{"name":"Microsoft.ApplicationInsights.RemoteDependency","tags":{"ai.operation.id":"<traceid>","ai.operation.parentId":"<parent spanid>"},"data":{"baseType":"RemoteDependencyData","baseData":{"ver":2,"id":"<spanid>","name":"send message","type":"HTTP","target":"contoso.communication.azure.com","data":"https://contoso.communication.azure.com/sms?api-version=2021-03-07","resultCode":"202","duration":"0.00:00:00.000","success":true}}}"#,
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
            (captured, ours) if ["ver", "baseType", "type"].contains(&at) => {
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
fn times_have_six_digits_at_most() {
    for (time, expected) in [
        (datetime!(2026-01-31 12:00:00 UTC), "2026-01-31T12:00:00Z"),
        (datetime!(2026-01-31 12:00:00.123_456_789 UTC), "2026-01-31T12:00:00.123456Z"),
        (datetime!(2026-01-31 12:00:00.5 UTC), "2026-01-31T12:00:00.5Z"),
        (OffsetDateTime::UNIX_EPOCH, "1970-01-01T00:00:00Z"),
    ] {
        assert_eq!(parsed(&Item { time, ..event() })["time"], expected);
    }
    // It may not panic.
    text(&Item { time: datetime!(-9999-01-01 0:00 UTC), ..event() });
}

#[test]
fn durations_are_days_and_a_time_to_the_millisecond() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    for (duration, expected) in [
        (Duration::ZERO, "0.00:00:00.000"),
        (Duration::from_micros(999), "0.00:00:00.000"),
        (Duration::from_micros(1000), "0.00:00:00.001"),
        (Duration::from_millis(2_500), "0.00:00:02.500"),
        (Duration::from_secs(3_599), "0.00:59:59.000"),
        (Duration::from_secs(3_600), "0.01:00:00.000"),
        (DAY, "1.00:00:00.000"),
        (DAY * 12 + Duration::from_secs(86_399), "12.23:59:59.000"),
    ] {
        assert_eq!(time_span(duration), expected);
    }
    // It may not panic.
    time_span(Duration::MAX);
}

#[test]
fn without_an_answer_there_is_no_result_code() {
    let mut item = one_of_each()[1].clone();
    let Data::Dependency { result_code, .. } = &mut item.data else { unreachable!() };
    *result_code = None;
    assert_eq!(parsed(&item)["data"]["baseData"].get("resultCode"), None);
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
    let numbered = |n: usize| Item { properties: [("n", n.to_string().into())].into(), ..event() };
    let items: Vec<_> = (0..14).map(numbered).collect();
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
fn every_answer_names_its_fix_and_never_the_key() {
    let reads = |status, body| {
        (Duration::ZERO, Ok(FakeAnswer { status, headers: Vec::new(), body: Err(body) }))
    };
    let fails = |error| (Duration::ZERO, Err(error));
    let string = "application_insights.connection_string";
    use Failure::{Answer, NoAnswer};
    for (answer, expected, fix) in [
        (
            fails(SendError::NotAllowed),
            NoAnswer(SendError::NotAllowed),
            "set one of outbound_host1 to outbound_host3 to https://insights.example.",
        ),
        (fails(SendError::NotConnected), NoAnswer(SendError::NotConnected), string),
        (fails(SendError::Untrusted), NoAnswer(SendError::Untrusted), "CA certificates"),
        (fails(SendError::Broken), NoAnswer(SendError::Broken), "Azure's status"),
        (fails(SendError::Late), NoAnswer(SendError::Late), "450 ms"),
        (reads(200, BodyError::Late), NoAnswer(SendError::Late), "450 ms"),
        (reads(206, BodyError::Broken), NoAnswer(SendError::Broken), "Azure's status"),
        (reads(200, BodyError::TooLarge), Answer(200), string),
        (FakeAnswer::of(200, ""), Answer(200), string),
        (FakeAnswer::of(200, "<html>"), Answer(200), string),
        (FakeAnswer::of(206, "{}"), Answer(206), string),
        (FakeAnswer::of(202, ""), Answer(202), string),
        (FakeAnswer::of(204, ""), Answer(204), string),
        (FakeAnswer::of(301, ""), Answer(301), string),
        (FakeAnswer::of(307, ""), Answer(307), "IngestionEndpoint of its region"),
        (FakeAnswer::of(308, ""), Answer(308), "IngestionEndpoint of its region"),
        (FakeAnswer::of(404, ""), Answer(404), "IngestionEndpoint of its region"),
        (FakeAnswer::of(400, KEY), Answer(400), string),
        (FakeAnswer::of(401, ""), Answer(401), "disableLocalAuth: false"),
        (FakeAnswer::of(403, ""), Answer(403), "disableLocalAuth: false"),
        (FakeAnswer::of(402, ""), Answer(402), "daily cap"),
        (FakeAnswer::of(439, ""), Answer(439), "daily cap"),
        (FakeAnswer::of(429, ""), Answer(429), "send less"),
        (FakeAnswer::of(408, ""), Answer(408), "Azure's status"),
        (FakeAnswer::of(500, ""), Answer(500), "Azure's status"),
        (FakeAnswer::of(503, ""), Answer(503), "Azure's status"),
        (FakeAnswer::of(599, ""), Answer(599), "Azure's status"),
        (FakeAnswer::of(413, ""), Answer(413), string),
    ] {
        let label = format!("{answer:?}");
        let host = FakeHost::default().answering([answer]);
        let failure = send(&sink(), &[event()], host.ports()).unwrap_err();
        assert_eq!(failure, expected, "{label}");
        let log = failure.log_fix(&sink());
        assert!(log.contains(fix), "{label}: {log}");
        if let Answer(status) = failure {
            assert!(log.contains(&format!("({status})")), "{log}");
        }
        assert!(!log.contains(KEY) && !format!("{failure:?}").contains(KEY), "{log}");
    }
}

#[test]
fn a_sink_that_fails_after_it_has_taken_some_has_failed() {
    let host = FakeHost::default().answering([taken(500), FakeAnswer::of(503, "")]);
    let failure = send(&sink(), &vec![event(); 501], host.ports());
    assert_eq!(failure, Err(Failure::Answer(503)));
}

#[test]
fn all_pieces_and_answers_have_the_one_time_limit() {
    let after = |milliseconds, (_, answer)| (Duration::from_millis(milliseconds), answer);
    const LATE: Result<Sent, Failure> = Err(Failure::NoAnswer(SendError::Late));
    let took = |host: &FakeHost| host.instant.get().since(Instant(Duration::from_secs(1000)));

    // A sink that hangs.
    let host = FakeHost::default().answering([(Duration::from_secs(600), Err(SendError::Broken))]);
    assert_eq!(send(&sink(), &[event()], host.ports()), LATE);
    assert_eq!(took(&host), TIME);

    // One that is slow.
    let host = FakeHost::default().answering(vec![after(200, taken(500)); 3]);
    let sent_by = send(&sink(), &vec![event(); 1500], host.ports());
    assert_eq!(sent_by, Ok(sent(1000, 500)), "what has taken something is not down");
    assert_eq!((took(&host), host.sent.borrow().len()), (TIME, 3));

    // One that has taken all that it may yet take when the time is up.
    let retried = after(200, partly(1, &[(0, 503)]));
    let host = FakeHost::default().answering([retried.clone(), after(600, taken(1))]);
    assert_eq!(send(&sink(), &[event()], host.ports()), LATE);
    assert_eq!(took(&host), TIME);

    // Slow bodies, which end just in time.
    let send_slowly = |host: &FakeHost, items: &[_], (_, answer): (_, Result<FakeAnswer, _>)| {
        let posts = Cell::new(0);
        let http = AtOnce(|_: &OutboundRequest<'_>, until| {
            posts.set(posts.get() + 1);
            assert_eq!(until, Instant(Duration::from_secs(1000)).plus(TIME));
            host.instant.set(until);
            answer.clone().map(|answer| Box::new(SlowBody(answer, until)) as Box<dyn Answer>)
        });
        (send(&sink(), items, Ports { http: &http, ..host.ports() }), posts.get())
    };
    let host = FakeHost::default();
    let sent_by = send_slowly(&host, &[event()], partly(1, &[(0, 503)]));
    assert_eq!(sent_by, (LATE, 1), "no time was left for the second");
    assert_eq!(took(&host), TIME);

    let host = FakeHost::default();
    let sent_by = send_slowly(&host, &vec![event(); 501], taken(500));
    assert_eq!(sent_by, (Ok(sent(500, 1)), 1), "no piece is begun after the time");
    assert_eq!(took(&host), TIME);
}

struct SlowBody(FakeAnswer, Instant);

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
    fn any_text_is_read_back_as_it_was(text in any::<String>(), microseconds in 0..1_u64 << 50) {
        let number = microseconds as f64 / 1e3;
        let item = Item {
            properties: [("k", text.as_str().into())].into(),
            measurements: [("m", number)].into(),
            ..item(Data::Message { message: &text, severity_level: ERROR })
        };
        let base = &parsed(&item)["data"]["baseData"];
        prop_assert_eq!(base["message"].as_str(), Some(text.as_str()));
        prop_assert_eq!(base["properties"]["k"].as_str(), Some(text.as_str()));
        prop_assert_eq!(base["measurements"]["m"].as_f64(), Some(number));
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
        let _ = serde_json::from_slice::<Tracked>(&bytes);
    }
}
