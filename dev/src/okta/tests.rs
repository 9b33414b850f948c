//! The stand-in against endpoints of the tests' own.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Request as Incoming, State as Shared};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::StatusCode;
use http::request::Parts;
use serde_json::json;

use super::*;
use crate::loopback::{self, Server};
use crate::phone::{Exchange, NewMessage};
use crate::waiting::until;

const CREDENTIAL: &str = "Basic dGVzdHM=";

/// The hook and its receiver of events.
struct Endpoint {
    phone: Phone,
    address: SocketAddr,
    inner: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    calls: Vec<Value>,
    /// All requests to the receiver, with their methods.
    requests: Vec<(String, Value)>,
    /// The answers of the receiver, the next one first; 204 when there are no more.
    answers: VecDeque<u16>,
    /// Why the hook refuses.
    refuses: Option<&'static str>,
}

impl Endpoint {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.inner.lock().unwrap()
    }

    /// The events of the deliveries so far, each with its type and what it came to.
    fn events(&self) -> Vec<Value> {
        let seen = self.seen();
        let posts = seen.requests.iter().filter(|(method, _)| method == "POST");
        posts.flat_map(|(_, body)| body["data"]["events"].as_array().unwrap().clone()).collect()
    }

    /// Those that say what became of a passcode.
    fn telling(&self) -> Vec<Value> {
        let is_password = |event: &Value| event["target"][1]["displayName"] == "Password";
        self.events().into_iter().filter(|event| !is_password(event)).collect()
    }
}

async fn answer(Shared(endpoint): Shared<Arc<Endpoint>>, request: Incoming) -> Response {
    let (head, body) = request.into_parts();
    assert_eq!(head.headers["authorization"], CREDENTIAL);
    let body = loopback::read_body(axum::body::Body::new(body), 1 << 20).await.unwrap();
    match head.uri.path() {
        "/hook" => call(&endpoint, &head, &body),
        _ => events(&endpoint, &head, &body),
    }
}

fn call(endpoint: &Endpoint, head: &Parts, body: &[u8]) -> Response {
    let call: Value = serde_json::from_slice(body).unwrap();
    let profile = call["data"]["messageProfile"].clone();
    let refuses = endpoint.seen().refuses;
    let message = NewMessage {
        id: "id".to_owned(),
        from: "12345".to_owned(),
        to: profile["phoneNumber"].as_str().unwrap().to_owned(),
        text: profile["msgTemplate"].as_str().unwrap().to_owned(),
        tag: None,
        expires: None,
        details: serde_json::Map::new(),
        voice: None,
        takes_feedback: false,
    };
    endpoint.phone.add(Exchange {
        provider: "test",
        received: OffsetDateTime::now_utc(),
        head,
        body,
        status: Some(200),
        reasons: Vec::new(),
        accepted: if refuses.is_some() { Vec::new() } else { vec![message] },
    });
    endpoint.seen().calls.push(call);
    let value = match refuses {
        None => json!({ "status": "SUCCESSFUL" }),
        Some(why) => json!({ "status": "FAILED", "transactionMetadata": why }),
    };
    axum::Json(json!({ "commands": [{ "value": [value] }] })).into_response()
}

fn events(endpoint: &Endpoint, head: &Parts, body: &[u8]) -> Response {
    let mut seen = endpoint.seen();
    let body = serde_json::from_slice(body).unwrap_or_default();
    seen.requests.push((head.method.to_string(), body));
    let status = seen.answers.pop_front().unwrap_or(204);
    match head.headers.get("x-okta-verification-challenge") {
        Some(challenge) if status == 204 => {
            let challenge = challenge.to_str().unwrap();
            axum::Json(json!({ "verification": challenge })).into_response()
        }
        _ => StatusCode::from_u16(status).unwrap().into_response(),
    }
}

async fn endpoint(answers: &[u16]) -> (Arc<Endpoint>, Server) {
    let listener = loopback::bind("127.0.0.1:0".parse().unwrap(), "the test").await.unwrap();
    let inner = Mutex::new(Seen { answers: answers.iter().copied().collect(), ..Seen::default() });
    let address = listener.local_addr().unwrap();
    let endpoint = Arc::new(Endpoint { phone: Phone::default(), address, inner });
    let routes = Router::new().fallback(any(answer)).with_state(endpoint.clone());
    (endpoint, Server::start(listener, routes))
}

async fn okta(endpoint: &Endpoint) -> Okta {
    let origin = format!("http://{}", endpoint.address);
    let settings = Settings::new(format!("{origin}/hook"), CREDENTIAL, endpoint.phone.clone());
    let event_hook = EventHook {
        together: Duration::from_millis(20),
        retry_after: Duration::from_millis(20),
        ..EventHook::new(format!("{origin}/events"), CREDENTIAL)
    };
    let settings = Settings {
        event_hook: Some(event_hook),
        pace: Duration::ZERO,
        typing_time: Duration::ZERO,
        others: Duration::from_secs(3600),
        ..settings
    };
    Okta::start(settings).await.unwrap()
}

/// Has people sign in and do this, and gives the events that tell of it, of which there are so many.
async fn told(change: Change, sign_ins: SignIns, count: usize) -> Vec<Value> {
    let (endpoint, _server) = endpoint(&[]).await;
    let okta = okta(&endpoint).await;
    okta.switch(change);
    okta.sign_in(sign_ins).unwrap();
    until(|| Some(endpoint.telling()).filter(|events| events.len() >= count)).await
}

#[tokio::test]
async fn who_types_the_code_in_is_told_of_with_the_same_id_as_the_hook_was_called_with() {
    let (endpoint, _server) = endpoint(&[]).await;
    let okta = okta(&endpoint).await;
    assert_eq!(okta.not_verified(), None);
    let id = okta.sign_in(SignIns { people: 3, ..SignIns::default() }).unwrap();
    let events = until(|| Some(endpoint.telling()).filter(|events| events.len() >= 3)).await;
    let users = |of: Vec<&Value>| {
        let mut users: Vec<_> = of.iter().map(|user| user.as_str().unwrap().to_owned()).collect();
        users.sort();
        users
    };
    for event in &events {
        assert_eq!(event["eventType"], "user.authentication.auth_via_mfa");
        assert_eq!(event["outcome"]["result"], "SUCCESS");
        assert_eq!(event["debugContext"]["debugData"]["factor"], "SMS_FACTOR");
    }
    let calls = endpoint.seen().calls.clone();
    let called = users(calls.iter().map(|call| &call["data"]["userProfile"]["userId"]).collect());
    assert_eq!(called, users(events.iter().map(|event| &event["actor"]["id"]).collect()));
    let traffic = okta.traffic(id).unwrap();
    assert_eq!((traffic.asked, traffic.arrived, traffic.used), (3, 3, 3));
}

#[tokio::test]
async fn people_may_do_something_else_with_a_passcode() {
    let change = |typing| Change { typing: Some(typing), ..Change::default() };
    let one = SignIns::default();
    let wrong = told(change(Typing::Wrong), one.clone(), 1).await.remove(0);
    assert_eq!(wrong["outcome"]["reason"], "INVALID_CREDENTIALS");
    assert_eq!(wrong["target"][1]["displayName"], "Phone");
    let other = told(change(Typing::AnotherMethod), one, 1).await.remove(0);
    assert_eq!(other["outcome"]["result"], "SUCCESS");
    assert_eq!(other["target"][1]["displayName"], "Okta Verify");
}

#[tokio::test]
async fn an_enrolment_is_told_of_as_a_message_and_twice_as_a_factor() {
    let enrolment = SignIns { step: Step::Enrolment, ..SignIns::default() };
    let events = told(Change::default(), enrolment, 3).await;
    let kinds: Vec<_> = events.iter().map(|event| event["eventType"].as_str().unwrap()).collect();
    let activated = "user.mfa.factor.activate";
    assert_eq!(kinds, ["system.sms.send_phone_verification_message", activated, activated]);
    assert_eq!(events[1]["published"], events[2]["published"]);
    assert_eq!(events[0]["debugContext"]["debugData"]["isSmsHookFailover"], "false");
}

#[tokio::test]
async fn an_attacker_types_nothing_and_what_is_refused_is_counted_by_its_reason() {
    let (endpoint, _server) = endpoint(&[]).await;
    let okta = okta(&endpoint).await;
    let sent = okta.attack(20).unwrap();
    until(|| okta.traffic(sent).filter(|it| it.arrived == 20)).await;
    endpoint.seen().refuses = Some("conversion_too_low");
    let refused = okta.attack(20).unwrap();
    let traffic = until(|| okta.traffic(refused).filter(|it| it.asked == 20)).await;
    assert_eq!(traffic.refused["conversion_too_low"], 20);
    assert_eq!((traffic.arrived, traffic.used), (0, 0));
    // Somebody else signs in after them, so that all that was to be told is.
    endpoint.seen().refuses = None;
    okta.sign_in(SignIns::default()).unwrap();
    let told = until(|| Some(endpoint.telling()).filter(|events| !events.is_empty())).await;
    assert_eq!(told.len(), 1);
    assert!(okta.attack(AREA_SIZE + 1).is_err() && okta.attack(0).is_err());
}

#[tokio::test]
async fn with_the_fall_back_okta_sends_what_the_hook_did_not() {
    let (endpoint, _server) = endpoint(&[]).await;
    let okta = okta(&endpoint).await;
    endpoint.seen().refuses = Some("paused");
    okta.switch(Change { fallback: Some(Toggle::On), ..Change::default() });
    okta.sign_in(SignIns { step: Step::Enrolment, ..SignIns::default() }).unwrap();
    let events = until(|| Some(endpoint.telling()).filter(|events| events.len() >= 3)).await;
    assert_eq!(events[0]["debugContext"]["debugData"]["isSmsHookFailover"], "true");
}

#[tokio::test]
async fn okta_says_that_it_has_given_up_on_a_hook_that_does_not_answer() {
    let (endpoint, _server) = endpoint(&[]).await;
    let origin = format!("http://{}", endpoint.address);
    let event_hook = EventHook::new(format!("{origin}/events"), CREDENTIAL);
    let nobody = "http://127.0.0.1:1/hook";
    let settings = Settings::new(nobody, CREDENTIAL, endpoint.phone.clone());
    let settings = Settings { event_hook: Some(event_hook), ..settings };
    let okta = Okta::start(settings).await.unwrap();
    let id = okta.sign_in(SignIns::default()).unwrap();
    let event = until(|| endpoint.telling().pop()).await;
    assert_eq!(event["eventType"], "inline_hook.executed");
    assert_eq!(okta.traffic(id).unwrap().refused["no answer"], 1);
}

#[tokio::test]
async fn a_delivery_comes_once_more_after_5xx_and_no_more_after_4xx() {
    for (answers, posts) in [(&[204, 503, 503][..], 2), (&[204, 503, 204], 2), (&[204, 401], 1)] {
        let (endpoint, _server) = endpoint(answers).await;
        let okta = okta(&endpoint).await;
        okta.sign_in(SignIns::default()).unwrap();
        let answered = || endpoint.seen().answers.is_empty().then_some(());
        until(answered).await;
        // The next one is another delivery.
        okta.sign_in(SignIns::default()).unwrap();
        until(|| (okta.events_taken() >= 2).then_some(())).await;
        let seen = endpoint.seen();
        let first = &seen.requests[1].1["eventId"];
        let same = seen.requests.iter().filter(|(_, body)| body["eventId"] == *first).count();
        assert_eq!(same, posts, "{answers:?}");
    }
}

#[tokio::test]
async fn an_event_hook_that_does_not_send_the_challenge_back_gets_no_events() {
    let (endpoint, _server) = endpoint(&[500, 404]).await;
    let okta = okta(&endpoint).await;
    let why = okta.not_verified().unwrap();
    assert!(why.contains("404"), "{why}");
    let id = okta.sign_in(SignIns::default()).unwrap();
    until(|| okta.traffic(id).filter(|it| it.used == 1)).await;
    assert!(endpoint.events().is_empty());
    // One that is asked again, and is ready then, gets them.
    let (endpoint, _server) = self::endpoint(&[503]).await;
    assert_eq!(self::okta(&endpoint).await.not_verified(), None);
}

#[tokio::test]
async fn events_come_out_of_order_and_twice_where_that_is_asked_for() {
    let messy =
        Change { out_of_order: Some(Toggle::On), repeats: Some(Toggle::On), ..Change::default() };
    let people = SignIns { people: 10, ..SignIns::default() };
    // Each three times.
    let events = told(messy, people, 30).await;
    let published: Vec<_> = events.iter().map(|it| it["published"].as_str().unwrap()).collect();
    assert!(!published.is_sorted(), "{published:?}");
    let mut ids: Vec<_> = events.iter().map(|event| event["uuid"].as_str().unwrap()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 10);
}

#[tokio::test]
async fn a_feed_that_is_off_loses_what_happens() {
    let (endpoint, _server) = endpoint(&[]).await;
    let okta = okta(&endpoint).await;
    let feed = |toggle| Change { feed: Some(toggle), ..Change::default() };
    okta.switch(feed(Toggle::Off));
    let lost = okta.sign_in(SignIns::default()).unwrap();
    until(|| okta.traffic(lost).filter(|it| it.used == 1)).await;
    okta.switch(feed(Toggle::On));
    okta.sign_in(SignIns::default()).unwrap();
    until(|| (!endpoint.telling().is_empty()).then_some(())).await;
    assert_eq!(endpoint.telling().len(), 1);
}

#[tokio::test]
async fn nobody_else_may_press_the_buttons() {
    let (endpoint, _server) = endpoint(&[]).await;
    let _okta = okta(&endpoint).await;
    let listener = loopback::bind("127.0.0.1:0".parse().unwrap(), "the test").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let _page = Server::start(listener, endpoint.phone.routes());
    let post = async |path: &str, site: &str, accept: &str, body: &str| {
        let webhook = Webhook::new(&format!("{origin}{path}")).unwrap();
        let kind = if body.starts_with('{') { "json" } else { "x-www-form-urlencoded" };
        let request = Request::builder()
            .method("POST")
            .header("sec-fetch-site", site)
            .header("accept", accept)
            .header("content-type", format!("application/{kind}"));
        webhook.send(request, body.to_owned()).await.unwrap().status.as_u16()
    };
    for (path, body) in [
        ("/okta/sign-ins", "people=2"),
        ("/okta/attacks", "numbers=1"),
        ("/okta/switches", "typing=no"),
    ] {
        assert_eq!(post(path, "cross-site", "text/html", body).await, 403, "{path}");
        assert_eq!(post(path, "same-origin", "text/html", body).await, 303, "{path}");
        assert_eq!(post(path, "none", "*/*", body).await, 202, "{path}");
    }
    assert_eq!(post("/okta/sign-ins", "none", "*/*", r#"{"people":0}"#).await, 400);
    assert_eq!(post("/okta/switches", "none", "*/*", r#"{"typing":"maybe"}"#).await, 422);
    assert_eq!(post("/okta/switches", "none", "*/*", r#"{"feed":"off"}"#).await, 202);
}
