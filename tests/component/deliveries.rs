//! What became of messages, from Okta's call to the carrier's report: the records, the operator's list and
//! page, and Application Insights.

use std::collections::BTreeSet;
use std::time::Duration;

use hyper::Method;
use okta_telephony_dev::acs_emulator::{EventSchema, EventSubscription, SECRET_HEADER, TrackFault};
use okta_telephony_dev::infobip_emulator::{Proof, ReportSubscription};
use okta_telephony_dev::telesign_emulator;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::harness::{
    Answer, Form, Hook, SECRET, Setup, basic, envelope, from_now, skipped, until, until_told,
};
use crate::infobip_request;
use crate::reports::{
    INFOBIP_PATH, OPERATOR_SECRET, PATH, REPORT_SECRET, TELESIGN_PATH, ask, deliver, delivery,
    look_up, report, setup, start,
};
use crate::telesign_request;

/// A hook that sends its telemetry to the emulator.
pub async fn start_with_telemetry(more: impl Into<Setup>) -> Hook {
    Hook::with_acs(|acs| {
        let sink = acs.application_insights_connection_string();
        setup().secrets(&format!("application_insights.connection_string = '{sink}'")).and(more)
    })
    .await
}

/// The items of telemetry once there are `count`.
pub async fn telemetry(hook: &Hook, count: usize) -> Vec<Value> {
    until(|| Some(hook.acs.telemetry()).filter(|items| items.len() >= count)).await
}

fn page(hook: &Hook) -> impl Future<Output = Answer> {
    let authorization = basic("operator", OPERATOR_SECRET);
    async move {
        let headers = [("authorization", authorization.as_str())];
        ask(hook, Method::GET, "/api/deliveries", &headers, "").await
    }
}

#[tokio::test]
async fn a_message_is_seen_from_accepted_to_delivered_in_both_schemas() {
    for schema in [EventSchema::EventGrid, EventSchema::CloudEvents] {
        let hook = start_with_telemetry(Setup::new()).await;
        let endpoint = format!("{}{PATH}", hook.host.url());
        let subscription = EventSubscription {
            schema,
            delay: Duration::ZERO,
            copies: 2,
            ..EventSubscription::new(endpoint, REPORT_SECRET)
        };
        hook.acs.subscribe_reports(subscription).await.unwrap();
        let mut envelope = envelope("+447400123456");
        let id = hook.post(envelope.to_string()).await.accepted(Form::Documented);
        let failed_id = {
            envelope["eventId"] = "event-2".into();
            envelope["data"]["messageProfile"]["phoneNumber"] = "+15550104005".into();
            hook.post(envelope.to_string()).await.accepted(Form::Documented)
        };
        for (id, status) in [(&id, "delivered"), (&failed_id, "failed")] {
            let delivery = until_told(async || {
                let delivery = delivery(&hook, id).await;
                let reported =
                    delivery["status"] != "accepted" && !delivery["acceptedAt"].is_null();
                if reported { Ok(delivery) } else { Err(delivery.to_string()) }
            })
            .await;
            assert_eq!(delivery["status"], status, "{delivery}");
        }
        let failed = delivery(&hook, &failed_id).await;
        assert_eq!((&failed["code"], &failed["oktaEventId"]), (&4005.into(), &"event-2".into()));
        assert!(failed["fix"].as_str().unwrap().contains("registration with the carrier"));

        // Two hooks with a request and a dependency each, and two events, however often each report came.
        assert_eq!(telemetry(&hook, 6).await.len(), 6);
        let listed = look_up(&hook, "/api/deliveries?status=failed&format=json").await;
        let listed: Value = serde_json::from_str(&listed.text).unwrap();
        assert_eq!(listed["count"], 1);
        // Of both messages, whichever are listed.
        assert_eq!(
            listed["verdict"]["sentences"][0],
            "In the last hour 1 of 2 messages were delivered; 1 failed."
        );
        let of_hours = |field: &str| {
            let hours = listed["hours"].as_array().unwrap().iter();
            hours.map(|hour| hour[field].as_u64().unwrap()).sum::<u64>()
        };
        assert_eq!(["sent", "delivered", "failed", "notKnown"].map(of_hours), [2, 1, 1, 0]);
        let page = page(&hook).await.text;
        assert!(page.contains("50.0") && page.contains("blocked by the carrier"), "{page}");
        assert!(!page.contains("7400123456"));
    }
}

#[tokio::test]
async fn a_message_by_infobip_is_seen_from_accepted_to_delivered_however_its_reports_prove_themselves()
 {
    let infobip = infobip_request::start().await;
    let account = infobip_request::sent_by(
        &infobip,
        "senders = { default = 'InfoSMS' }, voice = true, voice_from = '+447860099299'",
    );
    let hook = Hook::with(setup().and(account)).await;
    let secret = REPORT_SECRET.to_owned();
    for proof in [
        Proof::Header { name: SECRET_HEADER.to_owned(), secret: secret.clone() },
        Proof::Basic { user: "reports".to_owned(), secret },
    ] {
        let endpoint = format!("{}{INFOBIP_PATH}", hook.host.url());
        let subscription = ReportSubscription {
            delay: Duration::ZERO,
            copies: 2,
            ..ReportSubscription::new(endpoint, proof)
        };
        infobip.subscribe_reports(subscription).unwrap();
        for (number, channel, status, code) in [
            ("+447400123456", "sms", "delivered", Value::Null),
            ("+15550107009", "sms", "failed", json!("infobip-27")),
            ("+442079460958", "call", "delivered", Value::Null),
        ] {
            let mut envelope = envelope(number);
            envelope["data"]["messageProfile"]["deliveryChannel"] = channel.into();
            let id = hook.post(envelope.to_string()).await.accepted(Form::Documented);
            let delivery = until_told(async || {
                let delivery = delivery(&hook, &id).await;
                let both = !delivery["reportedAt"].is_null() && !delivery["acceptedAt"].is_null();
                if both { Ok(delivery) } else { Err(delivery.to_string()) }
            })
            .await;
            assert_eq!((&delivery["status"], &delivery["code"]), (&json!(status), &code));
            assert_eq!(
                (&delivery["provider"], &delivery["channel"]),
                (&json!("infobip"), &json!(channel))
            );
            assert_eq!(delivery["oktaEventId"], envelope["eventId"]);
        }
    }
    let taken = || infobip.reports().into_iter().all(|it| it.answers == [Some(200); 2]);
    until(|| taken().then_some(())).await;
    assert_eq!(infobip.reports().len(), 6);
}

#[tokio::test]
async fn a_message_by_telesign_is_seen_from_accepted_to_its_end_and_no_late_gateway_undoes_it() {
    let telesign = telesign_request::start().await;
    let account = telesign_request::sent_by(&telesign, "senders = { default = 'CONTOSO' }");
    // Telesign signs its reports: they need no secret of their own.
    let operator = Setup::new().secrets(&format!("operator.secret = '{OPERATOR_SECRET}'"));
    let hook = Hook::with(operator.and(account)).await;
    telesign
        .subscribe_reports(telesign_emulator::ReportSubscription {
            delay: Duration::ZERO,
            copies: 2,
            ..telesign_emulator::ReportSubscription::new(format!(
                "{}{TELESIGN_PATH}",
                hook.host.url()
            ))
        })
        .unwrap();
    for (number, status, code) in [
        ("+447400123456", "delivered", Value::Null),
        // The same form the other way round.
        ("+447400123457", "delivered", Value::Null),
        ("+15550106002", "delivered", Value::Null),
        ("+15550107201", "delivered", json!("telesign-201")),
        ("+15550107207", "failed", json!("telesign-207")),
        ("+15550107131", "failed", json!("telesign-10031")),
        ("+15550107251", "unconfirmed", json!("telesign-251")),
    ] {
        let before = telesign.reports().len();
        let envelope = envelope(number);
        let id = hook.post(envelope.to_string()).await.accepted(Form::Documented);
        let taken = || {
            let reports = telesign.reports();
            let is_told = reports.iter().all(|it| it.answers == [Some(200); 2]);
            (reports.len() == before + 2 && is_told).then_some(())
        };
        until(taken).await;
        let delivery = until_told(async || {
            let delivery = delivery(&hook, &id).await;
            let both = !delivery["reportedAt"].is_null() && !delivery["acceptedAt"].is_null();
            if both { Ok(delivery) } else { Err(delivery.to_string()) }
        })
        .await;
        assert_eq!((&delivery["status"], &delivery["code"]), (&json!(status), &code), "{number}");
        assert_eq!(delivery["provider"], "telesign");
        assert_eq!(delivery["oktaEventId"], envelope["eventId"]);
    }
    let page = page(&hook).await.text;
    assert!(page.contains("blocked by a rule of yours at Telesign"), "{page}");
}

#[tokio::test]
async fn a_message_and_its_report_meet_whatever_the_answer_puts_around_its_id() {
    let hook = start().await;
    let endpoint = format!("{}{PATH}", hook.host.url());
    let subscription = EventSubscription {
        delay: Duration::ZERO,
        ..EventSubscription::new(endpoint, REPORT_SECRET)
    };
    hook.acs.subscribe_reports(subscription).await.unwrap();
    for number in ["+15550101202", "+15550102202", "+15550103202"] {
        let id = hook.post(envelope(number).to_string()).await.accepted(Form::Documented);
        until_told(async || {
            let delivery = delivery(&hook, &id).await;
            let both = delivery["status"] == "delivered" && !delivery["acceptedAt"].is_null();
            if both { Ok(()) } else { Err(format!("{number}: {delivery}")) }
        })
        .await;
    }
}

#[tokio::test]
async fn without_event_grid_acs_is_asked_for_the_report_of_a_message_that_is_looked_at() {
    let hook = start_with_telemetry("reports.ask_acs = true").await;
    for (number, status) in [
        ("+447400123456", "delivered"),
        ("+15550104005", "failed"),
        // Their answers have the id without Outgoing_, and with a region.
        ("+15550102202", "delivered"),
        ("+15550103202", "delivered"),
        ("+15550106001", "accepted"),
    ] {
        let id = hook.post(envelope(number).to_string()).await.accepted(Form::Documented);
        // The record is written once the answer has left: before that, the report has no first half.
        let delivery = until_told(async || {
            let delivery = delivery(&hook, &id).await;
            if delivery["acceptedAt"].is_null() { Err(delivery.to_string()) } else { Ok(delivery) }
        })
        .await;
        assert_eq!(delivery["status"], status, "{number}: {delivery}");
        let told = delivery["noReport"].as_str();
        assert_eq!(told.is_some(), status == "accepted", "{delivery}");
        assert!(told.unwrap_or("never will").contains("never will"), "{delivery}");
    }
    // A request and a dependency of each hook, and an event of each report, once.
    assert_eq!(telemetry(&hook, 14).await.len(), 14);
    let lines = hook.log.lines().join("");
    assert_eq!(lines.matches(r#""event":"delivery_report""#).count(), 4, "{lines}");
    assert!(!lines.contains("7400123456") && !lines.contains("5550104005"), "{lines}");
    // The same through the list, whose links have the ids in their canonical form.
    let page = page(&hook).await.text;
    assert!(!page.contains("look at the event subscription"), "{page}");
}

#[tokio::test]
async fn that_a_resource_can_not_be_asked_is_told_with_its_fix() {
    // Nobody listens there.
    let nowhere = "http://127.0.0.1:1";
    let second =
        format!("providers.second.connection_string = 'endpoint={nowhere}/;accesskey=c2Vjb25k'");
    let both = "reports.ask_acs = true
                providers = [{ kind = 'acs' }, { kind = 'acs', name = 'second' }]";
    let hook =
        Hook::with(setup().secrets(&second).variable("outbound_host2", nowhere).and(both)).await;
    // Of a message that is not remembered each of them is asked.
    let told = look_up(&hook, "/api/deliveries/20261124092252f6fa287e-9087-4137-a6ef-29781f9386bb");
    let told = told.await;
    assert_eq!(told.status, 404);
    assert!(told.text.contains("providers.second.connection_string"), "{told:?}");
    assert!(hook.log.lines().join("").contains("providers.second.connection_string"));
}

#[tokio::test]
async fn the_items_of_a_message_are_of_one_operation_which_is_the_callers_if_it_has_one() {
    let hook = start_with_telemetry(Setup::new()).await;
    let mut operations = Vec::new();
    for traceparent in ["", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"] {
        let request = hook.request().header("traceparent", traceparent);
        let body = envelope("+447400123456").to_string();
        let answer = hook.send(request.body(http_body_util::Full::new(body.into())).unwrap()).await;
        let id = answer.accepted(Form::Documented);
        // A report that came before the record could not know the operation.
        delivery(&hook, &id).await;
        deliver(&hook, &json!([report(&id, "Delivered", "No error.", &from_now(1))])).await;
        let items =
            telemetry(&hook, 3 * (operations.len() + 1)).await.split_off(3 * operations.len());
        // The report's may come before the hook's: each takes a connection of its own.
        let kinds: BTreeSet<_> =
            items.iter().map(|item| item["data"]["baseType"].as_str()).collect();
        let expected = ["RequestData", "RemoteDependencyData", "EventData"];
        assert_eq!(kinds, expected.map(Some).into());
        let operation = |item: &Value| item["tags"]["ai.operation.id"].as_str().unwrap().to_owned();
        let ids: BTreeSet<_> = items.iter().map(operation).collect();
        assert_eq!(ids.len(), 1, "{items:#?}");
        operations.extend(ids);
    }
    assert_ne!(operations[0], operations[1]);
    assert_eq!(operations[1], "0af7651916cd43dd8448eb211c80319c");
}

#[tokio::test]
async fn telemetry_has_the_keys_that_the_operators_queries_go_by() {
    let schema = include_str!("../../deploy/azure-monitor/schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let hook = start_with_telemetry(
        "policy.allowed_countries = ['GB', 'US']
         policy.mode = 'observe'
         canary.numbers = ['+447400123456']
         providers = [{ kind = 'acs', senders = { GB = 'CONTOSO' } }]",
    )
    .await;
    for number in ["+447400123456", "+491701234567", "+15550100401", "no number"] {
        hook.post(envelope(number).to_string()).await;
    }
    hook.post("{}").await;
    ask(&hook, Method::POST, "/api/okta-telephony", &[], "{}").await;
    let failed = report("id-9", "Failed", "4005: blocked", &from_now(0));
    deliver(&hook, &json!([failed])).await;
    let items = telemetry(&hook, 11).await;
    let mut seen = BTreeSet::new();
    for item in &items {
        let (table, name) = match item["data"]["baseType"].as_str().unwrap() {
            "RequestData" => ("AppRequests", "POST /api/okta-telephony"),
            "RemoteDependencyData" => ("AppDependencies", "send message"),
            "EventData" => ("AppEvents", "SMS delivery report"),
            "MessageData" => ("AppTraces", ""),
            other => panic!("{other}"),
        };
        seen.insert(table);
        let data = &item["data"]["baseData"];
        assert_eq!(data["name"].as_str().unwrap_or_default(), name);
        let table = &schema["tables"][table];
        for key in data["properties"].as_object().into_iter().flat_map(|it| it.keys()) {
            assert!(table["properties"].get(key).is_some(), "{key} is not in schema.json: {item}");
        }
        for key in data["measurements"].as_object().into_iter().flat_map(|it| it.keys()) {
            let keys = table["measurements"].as_array().unwrap();
            assert!(keys.iter().any(|it| it == key), "{key} is not in schema.json: {item}");
        }
        let text = item.to_string();
        assert!(!text.contains("7400123456") && !text.contains(SECRET), "{text}");
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[tokio::test]
async fn a_sink_that_hangs_or_breaks_costs_no_answer_and_is_left_alone() {
    for fault in [TrackFault::Hang, TrackFault::Cut, TrackFault::Status(500)] {
        let hook = start_with_telemetry("limits.per_number = ''").await;
        hook.acs.set_track_fault(Some(fault));
        for _ in 0..5 {
            let body = envelope("+447400123456").to_string();
            hook.post(body).await.accepted(Form::Documented);
        }
        let told = until(|| {
            let lines = hook.log.lines();
            lines.into_iter().find(|line| line.contains(r#""event":"telemetry""#))
        });
        let told: Value = serde_json::from_str(&told.await).unwrap();
        assert_eq!(told["level"], "warn", "{told}");
        let before = hook.acs.track_requests();
        hook.post(envelope("+447400123456").to_string()).await.accepted(Form::Documented);
        hook.log.hooks(7).await;
        assert_eq!(hook.acs.track_requests(), before, "it is left alone");
    }
}

#[tokio::test]
async fn items_that_are_refused_for_now_are_sent_once_more() {
    let hook = start_with_telemetry(Setup::new()).await;
    hook.acs.set_track_fault(Some(TrackFault::PartialFirst(503)));
    hook.post(envelope("+447400123456").to_string()).await.accepted(Form::Documented);
    until(|| (hook.acs.track_requests() == 2).then_some(())).await;
}

#[tokio::test]
async fn the_operators_pages_need_the_operators_credentials_and_are_not_there_without_any() {
    let hook = start().await;
    for target in ["/api/deliveries", "/api/deliveries/id-1"] {
        for credentials in [("okta", SECRET), ("operator", "wrong"), ("operator", REPORT_SECRET)] {
            let authorization = basic(credentials.0, credentials.1);
            let headers = [("authorization", authorization.as_str())];
            let answer = ask(&hook, Method::GET, target, &headers, "").await;
            assert_eq!(answer.status, 401, "{target}");
        }
        let authorization = basic("operator", OPERATOR_SECRET);
        let headers = [("authorization", authorization.as_str())];
        let answer = ask(&hook, Method::POST, target, &headers, "").await;
        assert_eq!((answer.status, &answer.headers["allow"]), (405, &"GET".parse().unwrap()));
    }
    assert_eq!(look_up(&hook, "/api/deliveries/id-1").await.status, 404);
    let without_guard = look_up(&hook, "/api/deliveries").await.text;
    assert!(without_guard.contains("set events.secret and register"), "{without_guard}");
    assert_eq!(look_up(&hook, "/api/deliveries?limit=0").await.status, 400);
    assert_eq!(look_up(&hook, "/api/deliveries?secret=x").await.status, 400);
    let hook = Hook::start().await;
    assert_eq!(look_up(&hook, "/api/deliveries").await.status, 404);
    let hook = Hook::with(setup().settings("records.slots = 0")).await;
    assert_eq!(look_up(&hook, "/api/deliveries").await.status, 404);
}

#[tokio::test]
async fn a_thousand_messages_come_whole_in_a_list_and_in_a_page() {
    let hook = start().await;
    let now = from_now(0);
    let id = |at: usize| format!("20261124144757b7b2efa9-9fcb-41cb-98c7-{at:012}");
    let batch: Vec<_> =
        (0..1000).map(|at| report(&id(at), "Failed", "4006: unreachable", &now)).collect();
    assert_eq!(deliver(&hook, &json!(batch)).await.status, 200);
    let answer = look_up(&hook, "/api/deliveries?limit=1000&format=json").await;
    let list: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(list["count"], 1000);
    assert!(answer.text.len() > 200_000, "{}", answer.text.len());
    let answer = page(&hook).await;
    assert!(answer.text.ends_with("</html>") && answer.text.len() > 20_000);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_fits_a_phone_and_runs_no_script() {
    let hook = start().await;
    let id = hook.post(envelope("+447400123456").to_string()).await.accepted(Form::Documented);
    delivery(&hook, &id).await;
    deliver(&hook, &json!([report(&id, "Failed", "4005: blocked", &from_now(1))])).await;
    let url = format!("http://operator:{OPERATOR_SECRET}@{}/api/deliveries", hook.host.address());
    let browser = tokio::task::spawn_blocking(move || {
        let mut browser = Browser::start()?;
        browser.open(&url);
        browser.wait_until("document.querySelector('h1')?.textContent === 'Deliveries'");
        for width in [360, 1280] {
            browser.set_width(width);
            browser.wait_until(&format!("innerWidth === {width}"));
            browser.wait_until("document.documentElement.scrollWidth <= innerWidth");
        }
        browser.wait_until("document.body.innerText.includes('blocked by the carrier')");
        // The style is the one that the policy allows: without it the font would be the browser's.
        browser.wait_until("getComputedStyle(document.body).fontFamily.includes('system-ui')");
        browser.wait_until("document.scripts.length === 0");
        // The chart is drawn in the style's colours, as wide as the page.
        browser.wait_until("getComputedStyle(document.querySelector('.hours rect.failed')).fill.includes('stripes')");
        browser.wait_until(
            "document.querySelector('.hours rect.failed').getBoundingClientRect().height > 100",
        );
        browser.set_width(360);
        browser.wait_until(
            "document.querySelector('.hours .now').getBoundingClientRect().right <= 360",
        );
        Some(())
    });
    if browser.await.unwrap().is_none() {
        skipped("the deliveries page was not looked at, since there is no Chromium that starts");
    }
}

/// 300 hooks a second, in turn for two seconds at a hook whose telemetry goes to a sink that hangs and that
/// keeps records, and at one without either: a minute each. Not part of `cargo test`:
/// `cargo test --release --test component deliveries::two_minutes -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes two minutes"]
async fn two_minutes_with_and_without_records_and_a_sink_that_hangs() {
    let on = start_with_telemetry("limits.per_number = ''").await;
    on.acs.set_track_fault(Some(TrackFault::Hang));
    let off = Hook::with("limits.per_number = ''\nrecords.slots = 0").await;
    let hooks = [std::sync::Arc::new(on), std::sync::Arc::new(off)];
    let mut times = [Vec::new(), Vec::new()];
    for turn in 0..60 {
        let hook = &hooks[turn % 2];
        let mut tasks = tokio::task::JoinSet::new();
        let mut tick = tokio::time::interval(Duration::from_micros(1_000_000 / 300));
        for _ in 0..600 {
            tick.tick().await;
            let hook = hook.clone();
            tasks.spawn(async move { hook.post(envelope("+447400123456").to_string()).await });
        }
        for answer in tasks.join_all().await {
            answer.accepted(Form::Documented);
            times[turn % 2].push(answer.elapsed);
        }
    }
    let [on, off] = times.map(|mut times| {
        times.sort();
        [times.len() / 2, times.len() * 99 / 100, times.len() - 1].map(|at| times[at])
    });
    println!(
        "36,000 hooks, all accepted; median, p99, worst: with {on:?}, without {off:?}; ratio of the medians {:.3}; \
         {} posts to the sink that hangs",
        on[0].as_secs_f64() / off[0].as_secs_f64(),
        hooks[0].acs.track_requests()
    );
}
