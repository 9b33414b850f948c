//! The way of a call from end to end, over ports that are values.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::callers::bearer::token::tests::token_and_keys;
use crate::ports::SendError;
use crate::ports::fake::{FakeAnswer, FakeHost, FakeRequest};
use crate::records::{Bounds, Delivery, Status};
use crate::{After, Handled, finish as finish_any, handle as handle_any};

const BARE: &str =
    r#"{"data":{"messageProfile":{"phoneNumber":"+15550100123","otpCode":"123456"}}}"#;

fn handle(host: &FakeHost, mut request: FakeRequest) -> Handled {
    handle_any(&mut request, host.ports())
}

/// Handles a request, and what is done after.
fn handle_and_finish(host: &FakeHost, request: FakeRequest) {
    let handled = handle(host, request);
    finish_any(&handled.log, handled.stranger, handled.after, host.ports());
}

fn line(handled: &Handled) -> Value {
    serde_json::from_str(&handled.log).unwrap()
}

fn reason(handled: &Handled) -> String {
    line(handled)["reason"].as_str().unwrap().to_owned()
}

#[test]
fn a_hook_sends_and_answers_and_tells() {
    let handled = handle(&FakeHost::default(), FakeRequest::hook(BARE));
    assert_eq!(handled.response.status, 200);
    assert_eq!(
        handled.log,
        concat!(
            r#"{"v":1,"time":"2026-01-31T12:00:00Z","level":"info","event":"hook","outcome":"accepted","#,
            r#""reason":"accepted","http_status":200,"credential":"basic","preview":false,"channel":"sms","number":"+1********23","#,
            r#""segments":1,"encoding":"gsm7","provider":"acs","sender_type":"shortcode","provider_status":202,"#,
            r#""message_id":"id-1","attempts":1,"provider_ms":20.0,"ms":20.0}"#,
            "\n"
        )
    );
    assert_eq!(
        String::from_utf8(handled.response.body).unwrap(),
        r#"{"commands":[{"type":"com.okta.telephony.action","value":{"status":"SUCCESS","provider":"ACS","transactionId":"id-1","transactionMetadata":"shortcode"}}],"debugContext":{"segments":1,"encoding":"gsm7"}}"#
    );
}

#[test]
fn a_stranger_costs_no_body() {
    let host = FakeHost::default();
    let mut request = FakeRequest::hook(BARE);
    request.headers.retain(|(name, _)| *name != "authorization");
    let handled = handle_any(&mut request, host.ports());
    assert_eq!(handled.response.status, 401);
    let challenge = r#"Basic realm="okta-telephony", charset="UTF-8""#;
    assert!(handled.response.headers.contains(&("www-authenticate", challenge.into())));
    assert!(!request.body_was_read);
    assert_eq!(*host.store_calls.borrow(), [""; 0]);
}

#[test]
fn without_credentials_configured_nothing_is_read_or_sent() {
    let host = FakeHost::default().with("okta_basic_secret", "");
    let mut request = FakeRequest::hook(BARE);
    request.headers[0].1 = b"Basic b2t0YTo=".to_vec();
    let handled = handle_any(&mut request, host.ports());
    assert_eq!((handled.response.status, reason(&handled).as_str()), (200, "misconfigured"));
    assert!(!request.body_was_read);
    assert!(host.sent.borrow().is_empty());
}

#[test]
fn what_a_rule_refuses_costs_no_call_of_the_store() {
    let host = FakeHost::default()
        .with_settings("limits.per_number = \"5/10m\"\npolicy.allowed_countries = [\"US\"]");
    let handled = handle(&host, FakeRequest::hook(BARE));
    assert_eq!(reason(&handled), "country_not_allowed");
    assert_eq!(*host.store_calls.borrow(), [""; 0]);
    assert!(host.sent.borrow().is_empty());
}

#[test]
fn a_limit_costs_one_read_and_one_write_and_the_health_of_the_provider_one_read() {
    let health = format!("get {}", crate::records::health::KEY);
    let host = FakeHost::default();
    assert_eq!(handle(&host, FakeRequest::hook(BARE)).response.status, 200);
    assert_eq!(*host.store_calls.borrow(), [&*health]);
    let host =
        FakeHost::default().with_settings("limits = { per_number = \"5/10m\", per_prefix = \"\" }");
    handle(&host, FakeRequest::hook(BARE));
    let calls = host.store_calls.borrow();
    assert!(calls[0].starts_with("get ") && calls[1].starts_with("set "), "{calls:?}");
    assert_eq!(calls[2..], [&*health]);
}

/// Two providers, the second with these senders.
fn with_second(connection_string: &str, senders: &str) -> FakeHost {
    FakeHost::default()
        .with_settings(&format!(
            "[[providers]]\nkind = \"acs\"\n[[providers]]\nkind = \"acs\"\nname = \"second\"\nsenders = {{ {senders} }}"
        ))
        .with_secrets(&format!("[providers.second]\nconnection_string = \"{connection_string}\""))
}

#[test]
fn the_other_key_of_a_resource_has_the_senders_of_the_first() {
    let other_key = "endpoint=https://contoso.communication.azure.com/;accesskey=b3RoZXI=";
    let host = with_second(other_key, "GB = \"CONTOSO\"")
        .answering([FakeAnswer::of(401, ""), FakeAnswer::accepted("id-2")]);
    assert_eq!(reason(&handle(&host, FakeRequest::hook(BARE))), "accepted");
    let sent = host.sent.borrow();
    assert_eq!(sent.len(), 2);
    assert!(sent[1].body.contains(r#""from":"12345""#), "{}", sent[1].body);
}

const OTHER: &str = "endpoint=https://b.example/;accesskey=pw==";

#[test]
fn a_message_that_fails_over_is_told_with_its_provider_and_its_sender() {
    let host = with_second(OTHER, "default = \"CONTOSO\"")
        .answering([FakeAnswer::of(401, ""), FakeAnswer::accepted("id-2")]);
    let line = line(&handle(&host, FakeRequest::hook(BARE)));
    for (name, value) in [
        ("outcome", "accepted"),
        ("provider", "second"),
        ("failed_over", "provider_unauthorized"),
        ("sender_type", "alphanumeric"),
    ] {
        assert_eq!(line[name], value, "{line}");
    }
}

#[test]
fn a_country_without_a_sender_at_the_second_provider_has_no_second_provider() {
    let host = with_second(OTHER, "GB = \"CONTOSO\"").answering([FakeAnswer::of(401, "")]);
    assert_eq!(reason(&handle(&host, FakeRequest::hook(BARE))), "provider_unauthorized");
    assert_eq!(host.sent.borrow().len(), 1);
}

#[test]
fn a_store_that_fails_stops_nobody_and_is_told_of_once() {
    let host = FakeHost::default().with_settings("limits.per_number = \"5/10m\"");
    host.stored.replace(None);
    let line = line(&handle(&host, FakeRequest::hook(BARE)));
    assert_eq!((&line["outcome"], &line["level"]), (&"accepted".into(), &"warn".into()));
    assert_eq!(line["warnings"], json!(["store_unavailable"]));
    assert_eq!(host.sent.borrow().len(), 1);
}

const OPENID: &str = "https://example.okta.com/oauth2/default/.well-known/openid-configuration";
const KEYS: &str = "https://example.okta.com/keys";

const OAUTH: &str = "[okta.oauth]\nissuer = \"https://example.okta.com/oauth2/default\"\n\
                     audience = \"api://telephony\"\nclient_id = \"0oaclient\"\n";

/// A host that takes tokens, whose issuer has these keys.
fn with_issuer(keys: &str) -> FakeHost {
    let metadata = r#"{"issuer":"https://example.okta.com/oauth2/default","jwks_uri":"https://example.okta.com/keys"}"#;
    FakeHost::default()
        .with("okta_basic_secret", "")
        .with_settings(OAUTH)
        .answering_to(OPENID, [FakeAnswer::of(200, metadata)])
        .answering_to(KEYS, [FakeAnswer::of(200, keys)])
}

fn refreshes(handled: Handled) -> bool {
    matches!(handled.after, After::Hook(answered) if answered.refresh_due)
}

/// Posts a hook with a token, and gives its line.
fn post(host: &FakeHost, token: &str) -> (Handled, Value) {
    let mut request = FakeRequest::hook(BARE);
    request.headers[0].1 = format!("Bearer {token}").into_bytes();
    let handled = handle(host, request);
    let line = line(&handled);
    (handled, line)
}

#[test]
fn a_token_is_judged_by_the_keys_that_the_issuer_has_now() {
    let (token, keys) = token_and_keys();
    let mut host = with_issuer(&keys);
    let (_, line) = post(&host, &token);
    assert_eq!((&line["reason"], &line["credential"]), (&"accepted".into(), &"oauth".into()));
    // The keys hold for five minutes, and the issuer has taken this one back.
    host.now += Duration::from_secs(301);
    let host = host.answering_to(KEYS, [FakeAnswer::of(200, &keys.replace("one", "two"))]);
    let (handled, _) = post(&host, &token);
    assert_eq!(handled.response.status, 401);
}

#[test]
fn keys_are_renewed_after_the_answer_in_their_last_tenth_and_used_while_the_issuer_is_down() {
    let (token, keys) = token_and_keys();
    let mut host = with_issuer(&keys).answering(["1", "2", "3"].map(FakeAnswer::accepted));
    assert!(!refreshes(post(&host, &token).0));
    host.now += Duration::from_secs(280);
    assert!(refreshes(post(&host, &token).0));
    host.now += Duration::from_secs(60);
    let host = host.answering_to(OPENID, [(Duration::ZERO, Err(SendError::NotConnected))]);
    let (_, line) = post(&host, &token);
    assert_eq!(line["reason"], "accepted", "{line}");
    assert_eq!(line["warnings"], json!(["keys_stale"]));
}

#[test]
fn a_key_that_could_not_be_looked_for_is_no_fault_of_the_token() {
    let (token, keys) = token_and_keys();
    let mut host = with_issuer(&keys.replace("one", "two"));
    let (handled, _) = post(&host, &token);
    assert_eq!(handled.response.status, 401, "the issuer has no such key");
    host.now += Duration::from_secs(61);
    let host = host.answering_to(OPENID, [(Duration::ZERO, Err(SendError::NotConnected))]);
    let (handled, line) = post(&host, &token);
    assert_eq!((handled.response.status, &line["reason"]), (200, &"issuer_unavailable".into()));
    let fix = line["fix"].as_str().unwrap();
    assert!(fix.contains("no connection to the authorization server"), "{line}");
}

#[test]
fn a_stranger_with_a_token_is_told_nothing_of_the_configuration() {
    let (token, keys) = token_and_keys();
    let host = with_issuer(&keys).with("acs_connection_string", "");
    let (handled, line) = post(&host, &token);
    assert_eq!(line["reason"], "misconfigured");
    let told = String::from_utf8(handled.response.body).unwrap();
    assert!(!told.contains("acs_"), "{told}");
}

#[test]
fn a_previous_secret_holds_beside_anybodys_token_and_a_faulty_one_is_told_in_the_log() {
    let header = [OAUTH, "[okta]\nheader_name = \"x-key\"\n"].concat();
    let secrets = |previous| {
        format!("[okta]\nheader_secret = \"new\"\nheader_secret_previous = \"{previous}\"")
    };
    let host = with_issuer("{}").with_settings(&header).with_secrets(&secrets("old"));
    let request = || {
        let mut request = FakeRequest::hook(BARE);
        request.headers[0].1 = b"Bearer of-the-gateway".to_vec();
        request.headers.push(("x-key", b"old".to_vec()));
        request
    };
    assert_eq!(handle(&host, request()).response.status, 200);
    let host = host.with_secrets(&secrets("old\\n"));
    let handled = handle(&host, request());
    assert_eq!(handled.response.status, 401);
    for fix in ["okta.header_secret_previous begins or ends with white space", "not a signed JWT"] {
        assert!(handled.log.contains(fix), "{}", handled.log);
    }
}

#[test]
fn a_call_that_is_repeated_makes_the_same_message_of_the_event() {
    let mut host = FakeHost::default()
        .with_settings("message.templates.default = \"${code} holds for ${minutes} minutes\"")
        .answering(["1", "2"].map(FakeAnswer::accepted));
    // Of the host's time, to the second; it expires 302 seconds later.
    let envelope = include_str!("../../sample/okta-envelope.json").replace("12:05:00", "12:05:02");
    for _ in 0..2 {
        let handled = handle(&host, FakeRequest::hook(&*envelope));
        assert_eq!(handled.response.status, 200);
        host.now += Duration::from_secs(3);
    }
    let sent = host.sent.borrow();
    assert!(sent[0].body.contains("holds for 6 minutes"));
    assert_eq!(sent[0].body, sent[1].body);
}

#[test]
fn a_repeat_of_an_event_is_sent_and_counted_once_by_a_limit() {
    let host = FakeHost::default()
        .with_settings("limits.per_number = \"2/10m\"")
        .answering(["1", "2", "3", "4", "5"].map(FakeAnswer::accepted));
    let call = |event: &str| {
        let envelope = include_str!("../../sample/okta-envelope.json");
        let envelope = envelope.replace("uS5871kJThSsU8qlA1LTcg", event);
        reason(&handle(&host, FakeRequest::hook(envelope)))
    };
    for (event, expected) in [
        ("a", "accepted"),
        ("a", "accepted"),
        ("a", "accepted"),
        ("b", "accepted"),
        ("c", "rate_limited"),
        ("a", "accepted"),
        ("c", "rate_limited"),
    ] {
        assert_eq!(call(event), expected, "{event}");
    }
}

#[test]
fn what_is_ignored_is_told_by_its_name_and_the_message_goes_out() {
    let envelope = include_str!("../../sample/okta-envelope.json")
        .replace("\"2026-01-31T12:05:00.000Z\"", "\"at five past\"")
        .replace("\"EN-US\"", "7");
    let line = line(&handle(&FakeHost::default(), FakeRequest::hook(envelope)));
    assert_eq!((&line["outcome"], &line["level"]), (&"accepted".into(), &"warn".into()));
    assert_eq!(line["warnings"], json!(["field_ignored"]));
    let fields = ["data.messageProfile.otpExpires", "data.messageProfile.locale"];
    assert_eq!(line["ignored_fields"], json!(fields));
}

#[test]
fn acs_message_id_without_a_letter_is_told_to_the_letter() {
    let id = "2020061020372512345678-7890-4123-9012-345678901234";
    let host = FakeHost::default().answering([FakeAnswer::accepted(id)]);
    let handled = handle(&host, FakeRequest::hook(BARE));
    assert_eq!(line(&handled)["message_id"], id);
    assert!(String::from_utf8(handled.response.body).unwrap().contains(id));
}

#[test]
fn what_would_be_refused_counts_nowhere() {
    let host = FakeHost::default().with_settings(
        "policy = { mode = \"observe\", allowed_countries = [\"US\"] }\nlimits.per_number = \"5/10m\"",
    );
    let handled = handle(&host, FakeRequest::hook(BARE));
    assert_eq!(line(&handled)["would_refuse"], "country_not_allowed");
    assert_eq!(host.sent.borrow().len(), 1);
    let calls = host.store_calls.borrow();
    assert!(calls.iter().all(|call| call.ends_with(crate::records::health::KEY)), "{calls:?}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let host = FakeHost::default()
        .with_settings("policy.allowed_countries = [\"UK\"]\nokta.deadline_ms = \"soon\"")
        .with("acs_from_shortcode", "nothing!");
    let handled = handle(&host, FakeRequest::hook(BARE));
    assert_eq!(reason(&handled), "misconfigured");
    for key in
        ["policy.allowed_countries[1] is", "okta.deadline_ms must be", "acs_from_shortcode must be"]
    {
        assert!(handled.log.contains(key), "{key}: {}", handled.log);
    }
    assert!(!handled.log.contains("soon") && !handled.log.contains("nothing!"));
}

#[test]
fn other_methods_are_told_which_one_to_use() {
    for method in ["GET", "HEAD", "PUT", "post", "BREW"] {
        let mut request = FakeRequest::hook(BARE);
        request.method = method;
        let handled = handle(&FakeHost::default(), request);
        assert_eq!(handled.response.status, 405, "{method}");
        assert!(handled.response.headers.contains(&("allow", "POST".into())));
    }
}

#[test]
fn bodies_that_are_not_json_or_too_large_or_late_are_refused_unparsed() {
    let host = FakeHost::default();
    let refused = |request: &mut FakeRequest| {
        let handled = handle_any(request, host.ports());
        (handled.response.status, reason(&handled))
    };
    for content_type in ["text/plain", "", "application/jsonp", "application/x-www-form-urlencoded"]
    {
        let mut request = FakeRequest::hook(BARE);
        request.headers[1].1 = content_type.into();
        assert_eq!(refused(&mut request), (415, "unsupported_media_type".into()));
        assert!(!request.body_was_read);
    }
    let mut request = FakeRequest::hook(BARE);
    request.headers.push(("content-length", b"65537".to_vec()));
    assert_eq!(refused(&mut request), (413, "body_too_large".into()));
    assert!(!request.body_was_read);
    let mut request = FakeRequest::hook(vec![b' '; BODY_LIMIT + 1]);
    assert_eq!(refused(&mut request), (413, "body_too_large".into()));
    for (error, expected) in [
        (BodyError::Late, (408, "request_timeout".into())),
        (BodyError::Broken, (400, "incomplete_body".into())),
    ] {
        let mut request = FakeRequest::hook(BARE);
        request.body = Err(error);
        assert_eq!(refused(&mut request), expected);
    }
    assert!(host.sent.borrow().is_empty());
}

#[test]
fn json_may_have_parameters() {
    let mut request = FakeRequest::hook(BARE);
    request.headers[1].1 = b"Application/JSON; charset=utf-8".to_vec();
    assert_eq!(handle(&FakeHost::default(), request).response.status, 200);
}

#[test]
fn documented_refuses_a_bare_payload() {
    let host = FakeHost::default().with_settings("okta.response_format = \"documented\"");
    let handled = handle(&host, FakeRequest::hook(BARE));
    assert_eq!((handled.response.status, reason(&handled).as_str()), (400, "not_an_envelope"));
    assert!(host.sent.borrow().is_empty());
}

#[test]
fn a_slash_at_the_end_makes_no_difference() {
    let mut request = FakeRequest::hook(BARE);
    request.path = "/api/okta-telephony/";
    assert_eq!(handle(&FakeHost::default(), request).response.status, 200);
}

#[test]
fn no_answer_is_taken_for_what_it_is_not() {
    let host = FakeHost::default().with_secrets("operator.secret = \"0123456789abcdef\"");
    for (path, method) in [
        (HOOK_PATH, "POST"),
        (HOOK_PATH, "GET"),
        ("/api/delivery-reports", "POST"),
        ("/api/delivery-reports", "OPTIONS"),
        ("/api/delivery-reports", "PUT"),
        ("/api/health", "GET"),
        ("/api/health", "POST"),
        ("/api/health/details", "GET"),
        ("/api/explain", "POST"),
        ("/api/deliveries", "GET"),
        ("/api/deliveries/id-1", "GET"),
        ("/", "GET"),
    ] {
        for authorization in
            ["Basic b2t0YTpzdXBlcnNlY3JldA==", "Basic b3BlcmF0b3I6MDEyMzQ1Njc4OWFiY2RlZg=="]
        {
            let mut request = FakeRequest::hook(BARE);
            (request.path, request.method) = (path, method);
            request.headers.retain(|(name, _)| *name != "authorization");
            request.headers.push(("authorization", authorization.into()));
            let headers = handle(&host, request).response.headers;
            let nosniff = headers
                .iter()
                .filter(|(name, value)| (*name, &**value) == ("x-content-type-options", "nosniff"));
            assert_eq!(nosniff.count(), 1, "{method} {path}: {headers:?}");
        }
    }
}

#[test]
fn elsewhere_there_is_nothing() {
    let mut request = FakeRequest::hook(BARE);
    request.path = "/api/okta-telephony/x";
    let handled = handle(&FakeHost::default(), request);
    assert_eq!(handled.response.status, 404);
    assert!(handled.log.is_empty());
}

const TRACK: &str = "https://dc.example/v2.1/track";

const SINK: &str = "[application_insights]\nconnection_string = \
                    \"InstrumentationKey=0f3b0c5e-9d0a-4e0f-8d4e-0a8d0f6c1b2a;IngestionEndpoint=https://dc.example/\"\n";

/// A host with a sink that takes everything.
fn with_sink() -> FakeHost {
    let taken = FakeAnswer::of(200, r#"{"itemsReceived":9,"itemsAccepted":9,"errors":[]}"#);
    FakeHost::default().with_secrets(SINK).answering_to(TRACK, [taken])
}

fn british() -> FakeRequest {
    FakeRequest::hook(
        r#"{"data":{"messageProfile":{"phoneNumber":"+447400123456","otpCode":"123456"}}}"#,
    )
}

/// The items of each post to the sink.
fn posted(host: &FakeHost) -> Vec<Vec<Value>> {
    let sent = host.sent.borrow();
    let posts = sent.iter().filter(|sent| sent.authority == "dc.example");
    posts.map(|post| serde_json::from_str(&post.body).unwrap()).collect()
}

fn kinds(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["data"]["baseType"].as_str().unwrap()).collect()
}

fn delivery(host: &FakeHost) -> Delivery {
    let bounds = Bounds { slots: 10_000, max_age: 30 * 86_400 };
    Records::new(bounds, host.ports()).find("id-1").unwrap().unwrap()
}

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn a_message_has_a_record_and_all_of_its_telemetry_has_the_callers_trace() {
    let host = with_sink();
    let mut request = british();
    request.headers.push(("traceparent", TRACEPARENT.into()));
    handle_and_finish(&host, request);

    let accepted = delivery(&host).accepted.unwrap();
    assert_eq!(accepted.region.unwrap().code(), "GB");
    assert_eq!(accepted.trace.unwrap().trace_id[..2], [0x0a, 0xf7]);
    let posts = posted(&host);
    assert_eq!(kinds(&posts[0]), ["RequestData", "RemoteDependencyData"]);
    for item in &posts[0] {
        assert_eq!(item["tags"]["ai.operation.id"], "0af7651916cd43dd8448eb211c80319c");
    }
    let [request, dependency] = &posts[0][..] else { panic!() };
    assert_eq!(request["tags"]["ai.operation.parentId"], "b7ad6b7169203331");
    let id = &request["data"]["baseData"]["id"];
    assert_eq!(&dependency["tags"]["ai.operation.parentId"], id);
    assert_eq!(dependency["data"]["baseData"]["target"], "contoso.communication.azure.com");
    assert!(!host.sent.borrow().last().unwrap().body.contains("7400123456"));

    // The report joins them.
    let report = r#"{"eventType":"Microsoft.Communication.SMSDeliveryReportReceived",
        "data":{"messageId":"Outgoing_id-1","deliveryStatus":"Delivered","receivedTimestamp":"2026-01-31T12:00:02Z"}}"#;
    let host = host.with_secrets(&[SINK, "[reports]\nsecret = \"report\""].concat());
    for _ in 0..2 {
        let mut request = FakeRequest::hook(report);
        request.path = crate::reports::REPORTS_PATH;
        request.headers = vec![("x-report-secret", b"report".to_vec())];
        handle_and_finish(&host, request);
    }
    assert_eq!(delivery(&host).status(), Status::Delivered);
    let posts = self::posted(&host);
    assert_eq!(posts.len(), 2, "a duplicate is not told again");
    assert_eq!(kinds(&posts[1]), ["EventData"]);
    let tags = &posts[1][0]["tags"];
    assert_eq!(tags["ai.operation.id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(&tags["ai.operation.parentId"], id);
    let event = &posts[1][0]["data"]["baseData"];
    assert_eq!(event["measurements"]["deliveryMs"], 2000.0);
}

#[test]
fn the_request_in_telemetry_has_the_name_of_the_route() {
    use crate::telemetry::application_insights::{REQUEST_NAME, REQUEST_URL};
    assert_eq!(REQUEST_NAME, format!("POST {HOOK_PATH}"));
    assert_eq!(REQUEST_URL, HOOK_PATH);
}

#[test]
fn without_a_sink_there_is_no_trace_and_without_slots_no_record() {
    let host = FakeHost::default();
    handle_and_finish(&host, british());
    assert_eq!(delivery(&host).accepted.unwrap().trace, None);
    let host = FakeHost::default().with_settings("records.slots = 0");
    handle_and_finish(&host, british());
    assert!(host.records.0.borrow().as_ref().unwrap().is_empty());
}

#[test]
fn what_fails_for_the_service_is_a_message_too_and_what_is_refused_is_not() {
    let host = with_sink().answering([FakeAnswer::of(401, "")]);
    handle_and_finish(&host, british());
    let posts = posted(&host);
    assert_eq!(kinds(&posts[0]), ["RequestData", "RemoteDependencyData", "MessageData"]);
    assert_eq!(posts[0][0]["data"]["baseData"]["success"], false);
    assert_eq!(posts[0][2]["data"]["baseData"]["severityLevel"], 3);
    let host = with_sink().with_settings("policy.sending = false");
    handle_and_finish(&host, british());
    let posts = self::posted(&host);
    assert_eq!(kinds(&posts[0]), ["RequestData"]);
    assert_eq!(posts[0][0]["data"]["baseData"]["properties"]["reason"], "paused");
}

#[test]
fn of_those_who_show_no_credentials_one_a_second_is_told() {
    let mut host = with_sink();
    let stranger = || {
        let mut request = british();
        request.headers.remove(0);
        request.headers.push(("traceparent", TRACEPARENT.into()));
        request
    };
    for _ in 0..5 {
        handle_and_finish(&host, stranger());
    }
    assert_eq!((posted(&host).len(), host.printed.borrow().len()), (1, 1));
    assert!(host.printed.borrow()[0].contains(r#""sampled":"one a second""#));
    let properties = &posted(&host)[0][0]["data"]["baseData"]["properties"];
    assert_eq!(properties["sampled"], "one a second");
    let trace = &posted(&host)[0][0]["tags"]["ai.operation.id"];
    assert_ne!(trace, "0af7651916cd43dd8448eb211c80319c", "nobody joins traces without proof");
    let mut mistaken = stranger();
    mistaken.headers.push(("authorization", b"Basic b2t0YTpvbGQ=".to_vec()));
    handle_and_finish(&host, mistaken);
    assert_eq!((posted(&host).len(), host.printed.borrow().len()), (1, 2), "another kind");
    host.now += Duration::from_secs(1);
    handle_and_finish(&host, stranger());
    assert_eq!((posted(&host).len(), host.printed.borrow().len()), (2, 3));
}

#[test]
fn a_caller_with_credentials_is_always_told_and_costs_the_store_nothing_for_that() {
    let host = FakeHost::default().with_settings("records.slots = 0");
    let host = host.answering(["id-1", "id-2", "id-3"].map(FakeAnswer::accepted));
    for _ in 0..3 {
        handle_and_finish(&host, british());
    }
    assert_eq!(host.printed.borrow().len(), 3);
    let calls = host.store_calls.borrow();
    assert!(calls.iter().all(|call| !call.contains("strangers")), "{calls:?}");
}

/// The lines of a host that are about no request.
fn trouble(host: &FakeHost) -> Vec<String> {
    let printed = host.printed.borrow();
    printed.iter().filter(|line| !line.contains(r#""event":"hook""#)).cloned().collect()
}

#[test]
fn a_sink_that_hangs_takes_half_a_second_once_and_the_log_says_so_once() {
    const TIME: Duration = Duration::from_secs(60);
    let host = with_sink().answering_to(TRACK, [(TIME, Err(SendError::Late))]);
    let host = host.answering(["id-1", "id-2", "id-3"].map(FakeAnswer::accepted));
    for _ in 0..3 {
        handle_and_finish(&host, british());
    }
    assert_eq!(posted(&host).len(), 1);
    let printed = trouble(&host);
    assert_eq!(printed.len(), 1, "{printed:?}");
    assert!(printed[0].contains(r#""event":"telemetry""#) && printed[0].contains("450 ms"));
}

#[test]
fn a_store_of_records_that_fails_is_told_once_and_left_alone() {
    let host = FakeHost::default();
    let host = host.answering(["id-1", "id-2"].map(FakeAnswer::accepted));
    host.records.0.replace(None);
    for _ in 0..2 {
        handle_and_finish(&host, british());
    }
    let printed = trouble(&host);
    assert_eq!(printed.len(), 1, "{printed:?}");
    assert!(printed[0].contains(r#""event":"records""#) && printed[0].contains("records.slots"));
}

#[test]
fn what_is_still_to_be_done_shows_neither_the_number_nor_a_secret() {
    let text = format!("{:?}", handle(&FakeHost::default(), british()));
    assert!(text.contains("Answered"), "{text}");
    for hidden in ["7400123456", "supersecret", "pw=="] {
        assert!(!text.contains(hidden), "{text}");
    }
}

#[test]
fn messages_to_one_number_have_one_hash_and_to_another_another() {
    let number = |request: FakeRequest| {
        let host = FakeHost::default();
        handle_and_finish(&host, request);
        delivery(&host).accepted.unwrap().number
    };
    assert_eq!(number(british()), number(british()));
    let other = r#"{"data":{"messageProfile":{"phoneNumber":"+447400123457","otpCode":"123456"}}}"#;
    assert_ne!(number(british()), number(FakeRequest::hook(other)));
}

/// A hook with a guard, and a call of it for a person.
fn guarded(mode: &str) -> (FakeHost, FakeRequest) {
    let host = FakeHost::default()
        .with_settings(&format!("guard.mode = \"{mode}\""))
        .with_secrets("events.secret = \"0123456789abcdej\"");
    let payload = json!({"data": {
        "messageProfile": {"phoneNumber": "+21698123450", "otpCode": "123456"},
        "userProfile": {"userId": "00u1"},
    }});
    (host, FakeRequest::hook(payload.to_string()))
}

/// What was called of a store.
#[derive(Default)]
struct Counting(std::cell::RefCell<Vec<String>>);

impl crate::ports::Store for Counting {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, crate::ports::StoreUnavailable> {
        self.0.borrow_mut().push(format!("get {key}"));
        Ok(None)
    }

    fn set(&self, key: &str, _: &[u8]) -> Result<(), crate::ports::StoreUnavailable> {
        self.0.borrow_mut().push(format!("set {key}"));
        Ok(())
    }
}

/// The calls of both stores before the message, and after the answer but for those of the list and the breakers.
fn calls_of_guard(mode: &str) -> (Vec<String>, Vec<String>) {
    let (host, mut request) = guarded(mode);
    let records = Counting::default();
    let ports = Ports { records: &records, ..host.ports() };
    let handled = handle_any(&mut request, ports);
    assert_eq!(reason(&handled), "accepted");
    let before = host.store_calls.take();
    assert!(records.0.borrow().is_empty());
    finish_any(&handled.log, handled.stranger, handled.after, ports);
    let all = records.0.take().into_iter().chain(host.store_calls.take());
    let of_guard = all.filter(|call| call.contains("guard"));
    // Without the number of the bucket.
    (before, of_guard.map(|call| call.trim_end_matches(char::is_numeric).to_owned()).collect())
}

#[test]
fn a_guard_costs_one_read_before_the_message_and_two_reads_and_writes_after_it_and_none_while_off()
{
    let health = format!("get {}", crate::records::health::KEY);
    assert_eq!(calls_of_guard("off"), (vec![health.clone()], vec![]));
    for mode in ["shadow", "enforce"] {
        let (before, after) = calls_of_guard(mode);
        assert_eq!(before, ["get okta-telephony-acs/guard/blocks", &*health]);
        let expected = [
            "get okta-telephony-acs.guard.sent.1.",
            "set okta-telephony-acs.guard.sent.1.",
            "get okta-telephony-acs.guard.blocks.",
            "set okta-telephony-acs/guard/blocks",
        ];
        assert_eq!(after, expected);
    }
}

/// Has everything to the number's block be blocked, by sends to it of which none was used.
fn block(host: &mut FakeHost) -> String {
    host.now += Duration::from_secs(3600);
    let host = &*host;
    let settings = Settings::read(host);
    let guard = settings.guard().unwrap();
    let shared = Rc::new(Shared::new(host.ports()));
    let now = milliseconds(host.now);
    let at = now - 3_600_000;
    let user = |n: u8| Hash8::of_user(&guard.key, &format!("00u{n}"));
    for n in 0..20 {
        let number = format!("+2169812345{n}");
        let look = guard.look(&number, None, host, now);
        let send = Sent {
            at,
            expires: at + 300_000,
            user: user(n),
            number: look.to.number,
            block: if n < 19 {
                Hash8::of_block(&guard.key, "+21698123450")
            } else {
                look.to.number
            },
            region: None,
            channel: Channel::Sms,
            is_enrollment: false,
            is_recovery: false,
            would_refuse: false,
            provider: "acs".into(),
            message_id: None,
        };
        guard.tell(None, Some(Told::Sent(Box::new(send))), &shared, host).unwrap();
    }
    let what = crate::guard::What::Phone(None);
    let used = crate::guard::Use { id: user(0), user: user(19), at: at + 1000, what };
    settings.ledger(&shared).keep(&[used], &[], Some(now)).unwrap();
    let changes = guard.judge(&shared).unwrap();
    // Of which the host has a copy.
    let look = guard.look("+21698123450", None, host, now);
    guard.tell(Some(look), None, &shared, host).unwrap();
    changes[0].block().unwrap()
}

#[test]
fn what_is_blocked_is_refused_and_in_shadow_sent_and_told_and_counted_by_limits_as_ever() {
    for (mode, refused) in [("enforce", true), ("shadow", false)] {
        let (mut host, request) = guarded(mode);
        let name = block(&mut host);
        let handled = handle(&host, request);
        let line = line(&handled);
        assert_eq!(line["block"], name.as_str(), "{line}");
        let (reason, would_refuse) = match refused {
            true => ("conversion_too_low", Value::Null),
            false => ("accepted", json!("conversion_too_low")),
        };
        assert_eq!((&line["reason"], &line["would_refuse"]), (&json!(reason), &would_refuse));
        assert_eq!(refused, line["fix"].as_str().is_some_and(|fix| fix.contains(&name)));
        finish_any(&handled.log, handled.stranger, handled.after, host.ports());
        let settings = Settings::read(&host);
        let whole = settings.ledger(&Rc::new(Shared::new(host.ports()))).whole().unwrap();
        let by_guard: u32 = whole.hours.iter().map(|hour| hour.by_guard).sum();
        assert_eq!(by_guard, u32::from(refused));
        assert_eq!(
            whole.sends.iter().filter(|(send, _)| send.would_refuse).count(),
            usize::from(!refused)
        );
    }
}

#[test]
fn the_guard_refuses_what_is_blocked_to_whom_it_does_not_know_too() {
    let (mut host, _) = guarded("enforce");
    block(&mut host);
    let payload = r#"{"data":{"messageProfile":{"phoneNumber":"+21698123450","otpCode":"1"}}}"#;
    let handled = handle(&host, FakeRequest::hook(payload));
    assert_eq!(reason(&handled), "conversion_too_low");
}

#[test]
fn the_guard_neither_refuses_a_canary_nor_keeps_it() {
    let (mut host, request) = guarded("enforce");
    block(&mut host);
    let before = host.variables["settings"].clone();
    let host = host.with_settings(&[&before, "\ncanary.numbers = ['+21698123450']"].concat());
    let sends = || {
        let ledger = Rc::new(Shared::new(host.ports()));
        let whole = Settings::read(&host).ledger(&ledger).whole().unwrap();
        (whole.sends.len(), whole.hours.len())
    };
    let kept = sends();
    let handled = handle(&host, request);
    let line = line(&handled);
    let told = (&line["reason"], &line["canary"], &line["block"]);
    assert_eq!(told, (&json!("accepted"), &json!(true), &Value::Null), "{line}");
    finish_any(&handled.log, handled.stranger, handled.after, host.ports());
    assert_eq!(sends(), kept);
    // Nor is one counted that fails.
    host.answers.borrow_mut().push_back(FakeAnswer::of(401, ""));
    handle_and_finish(&host, guarded("enforce").1);
    assert_eq!(sends(), kept);
}
