//! Delivery reports, to a webhook that plays the hook.

use super::*;

use std::collections::VecDeque;

use http::HeaderMap;

const SECRET: &str = "secret-of-the-reports";

/// A request that the webhook got.
#[derive(Clone, Debug)]
struct Delivery {
    method: Method,
    headers: HeaderMap,
    body: String,
}

impl Delivery {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn is_report(&self) -> bool {
        self.header("aeg-event-type") == "Notification"
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The one event, in either schema.
    fn event(&self) -> Value {
        match self.json() {
            Value::Array(events) if events.len() == 1 => events[0].clone(),
            event => event,
        }
    }
}

/// How the webhook answers a report.
#[derive(Clone, Copy)]
enum Reply {
    Status(u16),
    Cut,
    Hang,
}

/// It agrees to a subscription, and answers reports as it is told, or with 200.
struct Webhook {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _server: loopback::Server,
}

#[derive(Default)]
struct Seen {
    deliveries: Vec<Delivery>,
    replies: VecDeque<Reply>,
    /// Requests that were given up before they were answered.
    given_up: usize,
    /// What a handshake is answered, if not rightly.
    handshake: Option<(u16, &'static str, String)>,
}

/// Counts, unless it is forgotten.
struct Unanswered(Arc<Mutex<Seen>>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.0.lock().unwrap().given_up += 1;
    }
}

impl Webhook {
    async fn start() -> Webhook {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let listener = loopback::bind("127.0.0.1:0".parse().unwrap(), "the webhook").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(seen.clone());
        Webhook { address, seen, _server: loopback::Server::start(listener, router) }
    }

    fn subscription(&self) -> EventSubscription {
        EventSubscription {
            delay: Duration::ZERO,
            back_off: vec![Duration::ZERO; 3],
            ..EventSubscription::new(format!("http://{}/reports", self.address), SECRET)
        }
    }

    fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.seen.lock().unwrap().replies.extend(replies);
    }

    fn reports(&self) -> Vec<Delivery> {
        let seen = self.seen.lock().unwrap();
        seen.deliveries.iter().filter(|delivery| delivery.is_report()).cloned().collect()
    }

    async fn reports_until(&self, count: usize) -> Vec<Delivery> {
        until(|| Some(self.reports()).filter(|reports| reports.len() >= count)).await
    }
}

async fn answer(State(seen): State<Arc<Mutex<Seen>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let delivery = Delivery {
        method: head.method,
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    let (reply, handshake) = {
        let mut seen = seen.lock().unwrap();
        seen.deliveries.push(delivery.clone());
        let reply = if delivery.is_report() { seen.replies.pop_front() } else { None };
        (reply.unwrap_or(Reply::Status(200)), seen.handshake.clone())
    };
    if !delivery.is_report() {
        let code = delivery.body.split("\"validationCode\":\"").nth(1);
        let code = code.and_then(|rest| rest.split('"').next()).unwrap_or_default();
        let right = (200, "eventgrid.azure.net", format!("{{\"validationResponse\":\"{code}\"}}"));
        let (status, origin, body) = handshake.unwrap_or(right);
        let status = StatusCode::from_u16(status).unwrap();
        return (status, [("webhook-allowed-origin", origin)], body).into_response();
    }
    match reply {
        Reply::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Reply::Cut => cut(),
        Reply::Hang => {
            let _unanswered = Unanswered(seen);
            std::future::pending().await
        }
    }
}

/// An emulator whose reports go to the webhook.
async fn start_with(subscription: EventSubscription) -> AcsEmulator {
    let emulator = start().await;
    emulator.subscribe_reports(subscription).await.unwrap();
    emulator
}

async fn send_to(emulator: &AcsEmulator, to: &str) {
    assert_eq!(send(emulator, &json_without_repeatability(to)).await.status, 202);
}

/// The reports once each has this many answers.
async fn answered(emulator: &AcsEmulator, answers: usize) -> Vec<Report> {
    until(|| {
        let reports = emulator.reports();
        let done = |report: &Report| report.answers.len() >= answers;
        (!reports.is_empty() && reports.iter().all(done)).then_some(reports)
    })
    .await
}

#[tokio::test]
async fn event_grid_shakes_hands_and_then_reports_in_its_schema() {
    let webhook = Webhook::start().await;
    let emulator = start_with(webhook.subscription()).await;
    let handshake = webhook.seen.lock().unwrap().deliveries[0].clone();
    assert_eq!(handshake.method, Method::POST);
    assert_eq!(handshake.header("aeg-event-type"), "SubscriptionValidation");
    assert_eq!(handshake.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(handshake.header(SECRET_HEADER), SECRET);
    let event = handshake.event();
    assert_eq!(event["eventType"], "Microsoft.EventGrid.SubscriptionValidationEvent");
    assert_eq!(event["eventTime"], "2026-03-26T16:06:51Z");
    assert!(event["data"]["validationCode"].is_string());

    send_to(&emulator, "+15550100199").await;
    let [report] = webhook.reports_until(1).await.try_into().unwrap();
    for (name, value) in [
        ("content-type", "application/json; charset=utf-8"),
        (SECRET_HEADER, SECRET),
        ("aeg-subscription-name", "EMULATOR"),
        ("aeg-delivery-count", "0"),
        ("aeg-event-type", "Notification"),
        ("aeg-metadata-version", "1"),
        ("aeg-data-version", "1.0"),
    ] {
        assert_eq!(report.header(name), value, "{name}");
    }
    let id = emulator.messages()[0].id.clone();
    assert_eq!(
        report.json(),
        json!([{
            "id": id,
            "topic": event["topic"],
            "subject": "/phonenumber/18001110000",
            "data": {
                "messageId": id,
                "from": "18001110000",
                "to": "+15550100199",
                "deliveryStatus": "Delivered",
                "deliveryStatusDetails": "No error.",
                "receivedTimestamp": "2026-03-26T16:06:51.0000000Z",
                "deliveryAttempts": [{
                    "timestamp": "2026-03-26T16:06:51.0000000Z",
                    "segmentsSucceeded": 1,
                    "segmentsFailed": 0,
                }],
                "Tag": "sign-in",
            },
            "eventType": "Microsoft.Communication.SMSDeliveryReportReceived",
            "dataVersion": "1.0",
            "metadataVersion": "1",
            "eventTime": "2026-03-26T16:06:51Z",
        }])
    );
    let [report] = answered(&emulator, 1).await.try_into().unwrap();
    assert_eq!(report.message_id, id);
    assert_eq!((report.status, report.code), (DeliveryStatus::Delivered, 2000));
    assert_eq!(report.answers, [Some(200)]);
}

#[tokio::test]
async fn cloud_events_ask_for_permission_and_have_another_envelope() {
    let webhook = Webhook::start().await;
    let schema = EventSchema::CloudEvents;
    let emulator = start_with(EventSubscription { schema, ..webhook.subscription() }).await;
    let handshake = webhook.seen.lock().unwrap().deliveries[0].clone();
    assert_eq!(handshake.method, Method::OPTIONS);
    assert_eq!(handshake.header("webhook-request-origin"), "eventgrid.azure.net");
    assert_eq!(handshake.header("webhook-request-rate"), "120");

    send_to(&emulator, "+15550104005").await;
    let [report] = webhook.reports_until(1).await.try_into().unwrap();
    assert_eq!(report.header("content-type"), "application/cloudevents+json; charset=utf-8");
    assert_eq!(report.header("aeg-event-type"), "Notification");
    assert_eq!(report.header("aeg-delivery-count"), "0");
    assert_eq!(report.header("aeg-data-version"), "");
    let event = report.json();
    let id = emulator.messages()[0].id.clone();
    for (name, value) in [
        ("specversion", "1.0"),
        ("type", "Microsoft.Communication.SMSDeliveryReportReceived"),
        ("source", report::TOPIC),
        ("id", &id),
        ("time", "2026-03-26T16:06:51.0000000Z"),
        ("subject", "/phonenumber/18001110000"),
    ] {
        assert_eq!(event[name], value, "{name}");
    }
    assert_eq!(event["data"]["tag"], "sign-in");
    assert_eq!(event["data"]["deliveryStatusDetails"], "4005: Message blocked by the carrier");
}

#[tokio::test]
async fn only_a_new_message_that_asks_for_a_report_gets_one() {
    let webhook = Webhook::start().await;
    let emulator = start_with(webhook.subscription()).await;
    let mut quiet = json_without_repeatability("+15550100198");
    quiet["smsSendOptions"] = json!({ "enableDeliveryReport": false });
    let mut untagged = message_to("+15550100199");
    untagged["smsSendOptions"] = json!({ "enableDeliveryReport": true });
    for body in [&quiet, &untagged, &untagged] {
        assert_eq!(send(&emulator, body).await.status, 202);
    }
    assert_eq!(send(&emulator, &json_without_repeatability("+15550100500")).await.status, 500);
    answered(&emulator, 1).await;
    let [report] = webhook.reports().try_into().unwrap();
    assert_eq!(report.event()["data"]["to"], "+15550100199");
    assert_eq!(report.event()["data"].get("Tag"), None);
}

#[tokio::test]
async fn an_answer_decides_whether_a_report_is_delivered_again() {
    for (replies, answers) in [
        (vec![Reply::Status(200)], vec![Some(200)]),
        (vec![Reply::Status(202)], vec![Some(202)]),
        (vec![Reply::Status(204)], vec![Some(204)]),
        (vec![Reply::Status(400)], vec![Some(400)]),
        (vec![Reply::Status(401)], vec![Some(401)]),
        (vec![Reply::Status(403)], vec![Some(403)]),
        (vec![Reply::Status(413)], vec![Some(413)]),
        (vec![Reply::Status(404)], vec![Some(404), Some(200)]),
        (vec![Reply::Status(205), Reply::Cut], vec![Some(205), None, Some(200)]),
        (vec![Reply::Status(302), Reply::Status(401)], vec![Some(302), Some(401)]),
        // One attempt, and one after each pause.
        (vec![Reply::Status(503); 9], vec![Some(503); 4]),
    ] {
        let webhook = Webhook::start().await;
        let emulator = start_with(webhook.subscription()).await;
        webhook.reply(replies);
        send_to(&emulator, "+15550100199").await;
        let [report] = answered(&emulator, answers.len()).await.try_into().unwrap();
        assert_eq!(report.answers, answers);

        // A report after it, so that one more attempt would have been seen.
        webhook.seen.lock().unwrap().replies.clear();
        send_to(&emulator, "+15550100198").await;
        let reports = webhook.reports_until(answers.len() + 1).await;
        let counts = reports.iter().map(|report| report.header("aeg-delivery-count"));
        let expected = (0..answers.len()).chain([0]).map(|count| count.to_string());
        assert_eq!(counts.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        let ids: Vec<_> = reports.iter().map(|report| report.event()["id"].clone()).collect();
        assert!(ids[..answers.len()].iter().all(|id| *id == ids[0]), "{ids:?}");
    }
}

#[tokio::test]
async fn at_least_once_can_be_more_than_once() {
    let webhook = Webhook::start().await;
    let emulator = start_with(EventSubscription { copies: 3, ..webhook.subscription() }).await;
    send_to(&emulator, "+15550100199").await;
    answered(&emulator, 3).await;
    let reports = webhook.reports();
    assert_eq!(reports.len(), 3);
    assert!(reports.iter().all(|report| report.body == reports[0].body));
}

#[tokio::test]
async fn a_number_decides_what_becomes_of_the_report() {
    let webhook = Webhook::start().await;
    let emulator = start_with(webhook.subscription()).await;
    let failures = FAULTS.iter().filter_map(|fault| match fault.fault {
        Fault::Report(OddReport::Failed(code)) => Some((fault, code)),
        _ => None,
    });
    for (index, (fault, code)) in failures.enumerate() {
        send_to(&emulator, fault.number).await;
        let data = webhook.reports_until(index + 1).await[index].event()["data"].clone();
        assert_eq!(data["to"], fault.number);
        assert_eq!(data["deliveryStatus"], "Failed");
        let details = data["deliveryStatusDetails"].as_str().unwrap();
        assert!(details.starts_with(&format!("{code}: ")), "{details}");
        assert_eq!(data["deliveryAttempts"][0]["segmentsSucceeded"], 0);
        assert_eq!(data["deliveryAttempts"][0]["segmentsFailed"], 1);
    }
}

#[tokio::test]
async fn reports_may_come_in_the_wrong_order_and_the_newer_one_counts() {
    let webhook = Webhook::start().await;
    let emulator = start_with(webhook.subscription()).await;
    send_to(&emulator, "+15550106002").await;
    let [newer, older] = webhook.reports_until(2).await.try_into().unwrap();
    let (newer, older) = (newer.event(), older.event());
    assert_ne!(newer["id"], older["id"]);
    let (newer, older) = (&newer["data"], &older["data"]);
    assert_eq!(newer["messageId"], older["messageId"]);
    assert_eq!(newer["deliveryStatus"], "Delivered");
    assert_eq!(newer["receivedTimestamp"], "2026-03-26T16:06:51.0000000Z");
    assert_eq!(older["deliveryStatusDetails"], "5001: Temporarily unavailable");
    assert_eq!(older["receivedTimestamp"], "2026-03-26T16:06:50.0000000Z");
    let [message] = emulator.messages().try_into().unwrap();
    assert_eq!(message.reports.len(), 2);
    assert_eq!(message.report().unwrap().status, DeliveryStatus::Delivered);
}

#[tokio::test]
async fn a_report_that_never_comes_does_not_come() {
    let webhook = Webhook::start().await;
    let emulator = start_with(webhook.subscription()).await;
    send_to(&emulator, "+15550106001").await;
    // The report after it comes, and had to wait no less.
    send_to(&emulator, "+15550100199").await;
    let [report] = webhook.reports_until(1).await.try_into().unwrap();
    assert_eq!(report.event()["data"]["to"], "+15550100199");
    assert_eq!(answered(&emulator, 1).await.len(), 1);
}

#[tokio::test]
async fn a_fault_for_every_message_may_be_one_of_its_report() {
    let webhook = Webhook::start().await;
    let emulator = start_with(webhook.subscription()).await;
    emulator.set_fault(fault_of("+15550104007"));
    send_to(&emulator, "+15550100199").await;
    assert_eq!(answered(&emulator, 1).await[0].code, 4007);
}

#[tokio::test]
async fn who_does_not_agree_gets_no_reports_and_the_error_says_what_to_look_at() {
    let webhook = Webhook::start().await;
    let emulator = start().await;
    for (schema, handshake, words) in [
        (EventSchema::EventGrid, (401, "", "who?\n"), &["401", "who?, and", "secret"][..]),
        (EventSchema::EventGrid, (404, "", ""), &["404", "an empty body", "the path"]),
        (EventSchema::EventGrid, (202, "", ""), &["202", "200 only"]),
        (EventSchema::EventGrid, (200, "", "{}"), &["validationResponse"]),
        (EventSchema::EventGrid, (200, "", "{\"validationResponse\":\"x\"}"), &["\"x\""]),
        (EventSchema::CloudEvents, (200, "other", ""), &["WebHook-Allowed-Origin", "other"]),
        (EventSchema::CloudEvents, (204, "*", ""), &["204", "200 only"]),
    ] {
        let (status, origin, body) = handshake;
        webhook.seen.lock().unwrap().handshake = Some((status, origin, body.to_owned()));
        let subscription = EventSubscription { schema, ..webhook.subscription() };
        let error = emulator.subscribe_reports(subscription).await.unwrap_err();
        let error = format!("{error:#}");
        for word in words.iter().chain(&["/reports"]) {
            assert!(error.contains(word), "{word}: {error}");
        }
        assert!(!error.contains(SECRET), "{error}");
    }
    send_to(&emulator, "+15550100199").await;
    assert!(emulator.reports().is_empty());

    // Any origin includes Event Grid's.
    webhook.seen.lock().unwrap().handshake = Some((200, "*", String::new()));
    let schema = EventSchema::CloudEvents;
    let subscription = EventSubscription { schema, ..webhook.subscription() };
    emulator.subscribe_reports(subscription).await.unwrap();
}

#[tokio::test]
async fn reports_leave_neither_the_machine_nor_plain_http() {
    let emulator = start().await;
    for (endpoint, words) in [
        ("https://127.0.0.1:3000/reports", "plain HTTP"),
        ("http://192.0.2.1/reports", "on this machine only"),
        ("http://localhost.example/reports", "on this machine only"),
        ("http://127.0.0.1.example/reports", "on this machine only"),
        ("/reports", "on this machine only"),
        ("no url", "is no URL"),
        // Nobody listens there.
        ("http://127.0.0.1:1/reports", "look whether something listens there"),
    ] {
        let subscription = EventSubscription::new(endpoint, SECRET);
        let error = emulator.subscribe_reports(subscription).await.unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(words) && error.contains(endpoint), "{error}");
    }
    let unsaid = EventSubscription::new("http://127.0.0.1:1/reports", "");
    let error = emulator.subscribe_reports(unsaid).await.unwrap_err().to_string();
    assert!(error.contains("secret"), "{error}");
}

#[tokio::test]
async fn deliveries_end_with_the_emulator() {
    let webhook = Webhook::start().await;
    for shut_down in [true, false] {
        let given_up = webhook.seen.lock().unwrap().given_up;
        let emulator = start_with(webhook.subscription()).await;
        webhook.reply([Reply::Hang]);
        let deliveries = webhook.reports().len();
        send_to(&emulator, "+15550100199").await;
        webhook.reports_until(deliveries + 1).await;
        if shut_down {
            let shutdown = tokio::time::timeout(BOUND, emulator.shutdown());
            shutdown.await.expect("a shutdown");
        } else {
            drop(emulator);
        }
        until(|| (webhook.seen.lock().unwrap().given_up > given_up).then_some(())).await;
        // It is not tried again.
        assert_eq!(webhook.reports().len(), deliveries + 1);
    }
}

#[tokio::test]
async fn the_phone_and_the_list_show_what_became_of_a_message() {
    let webhook = Webhook::start().await;
    let emulator = start_with(webhook.subscription()).await;
    let mut events = Draft::get(&emulator, "/events").connect(&emulator).await;
    read_until(&mut events, "\r\n\r\n").await;
    let page = async || Draft::get(&emulator, "/").send(&emulator).await.body;
    let list = async || Draft::get(&emulator, "/messages").send(&emulator).await.json();

    send_to(&emulator, "+15550106001").await;
    let event = read_until(&mut events, "\n\n").await;
    assert!(event.contains("event: sms\n"), "{event}");
    assert!(event.contains(r#""state":"Accepted""#), "{event}");
    assert!(page().await.contains(">Accepted</span>"));
    assert_eq!(list().await[0]["report"], Value::Null);

    send_to(&emulator, "+15550104005").await;
    let state = "Failed 4005: Message blocked by the carrier";
    read_until(&mut events, &format!("\"state\":\"{state}\"")).await;
    answered(&emulator, 1).await;
    assert!(page().await.contains(&format!(">{state}</span>")));
    assert_eq!(list().await[1]["report"], json!({ "status": "Failed", "code": 4005 }));

    webhook.reply([Reply::Status(401)]);
    send_to(&emulator, "+15550100199").await;
    read_until(&mut events, "Delivered (the report was answered 401)").await;
    assert_eq!(list().await[2]["report"], json!({ "status": "Delivered", "code": 2000 }));
}

#[tokio::test]
async fn who_was_away_hears_of_reports_on_messages_that_it_knows() {
    let webhook = Webhook::start().await;
    let emulator = start_with(webhook.subscription()).await;
    send_to(&emulator, "+15550104005").await;
    let number = emulator.messages()[0].number;
    answered(&emulator, 1).await;
    let again = Draft::get(&emulator, "/events").with("last-event-id", number.to_string());
    let mut events = again.connect(&emulator).await;
    let text = read_until(&mut events, "\n\n").await;
    let event = text.split("\r\n\r\n").nth(1).unwrap();
    assert!(event.contains("event: report\n"), "{event}");
    assert!(event.contains(&format!("\"number\":{number}")), "{event}");
    assert!(event.contains("Failed 4005"), "{event}");
}

#[tokio::test]
async fn who_asks_for_a_report_is_told_what_became_of_the_message_or_that_there_is_none() {
    let emulator = start().await;
    let ask = async |id: &str, version: &str| {
        let target = format!("/deliveryReports/{id}?api-version={version}");
        Draft::signed(&emulator, "GET", &target, Vec::new()).send(&emulator).await
    };
    for (to, status, details) in [
        ("+15550100199", "Delivered", "2000: No Error"),
        ("+15550104005", "Failed", "4005: Message blocked by the carrier"),
        ("+15550106001", "", ""),
    ] {
        let mut body = message_to(to);
        body["smsRecipients"][0]["repeatabilityRequestId"] =
            json!(uuid::Uuid::new_v4().to_string());
        let id = send(&emulator, &body).await.item()["messageId"].as_str().unwrap().to_owned();
        let answer = ask(&id, "2026-01-23").await;
        if status.is_empty() {
            assert_eq!((answer.status, &answer.json()["title"]), (404, &json!("Not Found")));
            continue;
        }
        let (succeeded, failed) = if status == "Delivered" { (1, 0) } else { (0, 1) };
        let expected = json!({
            "deliveryStatus": status,
            "deliveryStatusDetails": details,
            "deliveryAttempts": [{
                "timestamp": "2026-03-26T16:06:51Z",
                "segmentsSucceeded": succeeded,
                "segmentsFailed": failed,
            }],
            "receivedTimestamp": "2026-03-26T16:06:51Z",
            "tag": "sign-in",
            "messageId": id,
            "from": "+18001110000",
            "to": to,
        });
        assert_eq!((answer.status, answer.json()), (200, expected));
        // An id in another form, a version that does not have it, a signature of something else.
        assert_eq!(ask(id.trim_start_matches("Outgoing_"), "2026-01-23").await.status, 404);
        let older = ask(&id, "2021-03-07").await;
        assert_eq!(older.json()["error"]["code"], "UnsupportedApiVersion");
        let target = format!("/deliveryReports/{id}?api-version=2026-01-23");
        let unsigned = Draft::get(&emulator, &target).send(&emulator).await;
        assert_eq!((unsigned.status, &unsigned.json()["error"]["code"]), (401, &json!("Denied")));
    }
}
