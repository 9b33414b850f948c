//! The table of answers, row by row, in both forms.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use hyper::{Method, Request};
use serde_json::{Value, json};

use crate::harness::{Answer, Form, Hook, Setup, bare, basic, envelope, from_now};

const NUMBER: &str = "+15550100123";

/// A payload in one dialect, with one change to its message profile.
fn payload(form: Form, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut payload = match form {
        Form::Documented => envelope(NUMBER),
        Form::Classic => bare(NUMBER),
    };
    change(&mut payload["data"]["messageProfile"]);
    payload.to_string().into_bytes()
}

#[tokio::test]
async fn an_accepted_message_is_told_in_the_callers_dialect_and_arrives_once() {
    let hook = Hook::start().await;
    for form in [Form::Documented, Form::Classic] {
        let answer = hook.post(payload(form, |_| ())).await;
        let id = answer.accepted(form);
        assert_eq!(answer.value(form)["transactionMetadata"], "shortcode");
        let message = hook.acs.messages().pop().unwrap();
        assert_eq!((message.id, message.to.as_str(), message.from.as_str()), (id, NUMBER, "12345"));
        assert_eq!(message.details["enableDeliveryReport"], true);
    }
    assert_eq!(hook.acs.messages().len(), 2);
    assert_eq!(hook.acs.messages()[0].text, "Your code is 246810");
    assert_eq!(hook.acs.messages()[1].text, "Your verification code is 123456");
}

#[tokio::test]
async fn the_metadata_of_an_accepted_message_is_the_type_of_its_sender() {
    for (sender, kind) in [
        ("12345", "shortcode"),
        ("+18005551234", "tollfree"),
        ("+15550100199", "longcode"),
        ("CONTOSO", "alphanumeric"),
    ] {
        let hook = Hook::with(Setup::new().variable("acs_from_shortcode", sender)).await;
        let answer = hook.post(payload(Form::Documented, |_| ())).await;
        assert_eq!(answer.value(Form::Documented)["transactionMetadata"], kind);
        assert_eq!(hook.acs.messages()[0].from, sender);
    }
}

#[tokio::test]
async fn a_forced_form_is_kept_whatever_the_caller_speaks() {
    let hook = Hook::with("okta.response_format = 'classic'").await;
    hook.post(payload(Form::Documented, |_| ())).await.accepted(Form::Classic);
    hook.post("no json").await.failed(Form::Classic, 400, "invalid_json");
    let hook = Hook::with("okta.response_format = 'documented'").await;
    hook.post(payload(Form::Documented, |_| ())).await.accepted(Form::Documented);
    hook.post(payload(Form::Classic, |_| ())).await.failed(
        Form::Documented,
        400,
        "not_an_envelope",
    );
}

/// Requests that are refused before their dialect is known: documented, or classic if forced.
#[tokio::test]
async fn what_is_refused_unread_is_answered_documented_or_as_forced() {
    type Change = fn(&mut Request<Full<Bytes>>);
    let rows: [(&str, Change, u16, &str); 9] = [
        ("no credentials", |r| drop(r.headers_mut().remove(AUTHORIZATION)), 401, "unauthorized"),
        ("wrong secret", |r| authorize(r, &basic("okta", "guess")), 401, "unauthorized"),
        (
            "wrong user",
            |r| authorize(r, &basic("root", crate::harness::SECRET)),
            401,
            "unauthorized",
        ),
        ("bare secret", |r| authorize(r, crate::harness::SECRET), 401, "unauthorized"),
        (
            "credentials twice",
            |r| {
                let value = r.headers()[AUTHORIZATION].clone();
                r.headers_mut().append(AUTHORIZATION, value);
            },
            401,
            "unauthorized",
        ),
        ("another method", |r| *r.method_mut() = Method::PUT, 405, "method_not_allowed"),
        (
            "another type",
            |r| drop(r.headers_mut().insert(CONTENT_TYPE, "text/plain".parse().unwrap())),
            415,
            "unsupported_media_type",
        ),
        (
            "too large",
            |r| *r.body_mut() = Full::new(vec![b' '; 64 * 1024 + 1].into()),
            413,
            "body_too_large",
        ),
        ("not JSON", |r| *r.body_mut() = Full::new("{".into()), 400, "invalid_json"),
    ];
    for (format, form) in [("auto", Form::Documented), ("classic", Form::Classic)] {
        let hook = Hook::with(format!("okta.response_format = '{format}'")).await;
        for (label, change, status, reason) in rows {
            let body = Full::new(payload(Form::Documented, |_| ()).into());
            let mut request = hook.request().body(body).unwrap();
            change(&mut request);
            let answer = hook.send(request).await;
            eprintln!("{label}: {} {}", answer.status, answer.text);
            answer.failed(form, status, reason);
            match status {
                401 => assert_eq!(
                    answer.headers[WWW_AUTHENTICATE],
                    r#"Basic realm="okta-telephony", charset="UTF-8""#
                ),
                405 => assert_eq!(answer.headers[ALLOW], "POST"),
                _ => {}
            }
        }
        assert!(hook.acs.requests().is_empty(), "nothing was sent");
    }
}

fn authorize(request: &mut Request<Full<Bytes>>, value: &str) {
    request.headers_mut().insert(AUTHORIZATION, value.parse().unwrap());
}

/// Requests whose fields are refused: in the caller's dialect.
#[tokio::test]
async fn what_is_refused_for_a_field_is_answered_in_the_callers_dialect() {
    type Change = fn(&mut Value);
    let rows: [(&str, Change, u16, &str); 8] = [
        (
            "no number",
            |p| drop(p.as_object_mut().unwrap().remove("phoneNumber")),
            400,
            "missing_phone_number",
        ),
        (
            "no passcode",
            |p| drop(p.as_object_mut().unwrap().remove("otpCode")),
            400,
            "missing_otp_code",
        ),
        ("passcode of the wrong type", |p| p["otpCode"] = json!(["1"]), 400, "invalid_otp_code"),
        ("voice", |p| p["deliveryChannel"] = json!("voice call"), 200, "unsupported_channel"),
        ("expired", |p| p["otpExpires"] = json!(from_now(-1)), 200, "otp_expired"),
        ("no plus", |p| p["phoneNumber"] = json!("15550100123"), 200, "invalid_phone_number"),
        ("JSON number", |p| p["phoneNumber"] = json!(15550100123_u64), 200, "invalid_phone_number"),
        (
            "control character",
            |p| p["phoneNumber"] = json!("+1555010\n0123"),
            200,
            "invalid_phone_number",
        ),
    ];
    let hook = Hook::start().await;
    for form in [Form::Documented, Form::Classic] {
        for (label, change, status, reason) in rows {
            let answer = hook.post(payload(form, change)).await;
            eprintln!("{label}: {} {}", answer.status, answer.text);
            answer.failed(form, status, reason);
        }
    }
    assert!(hook.acs.requests().is_empty(), "nothing was sent");
}

/// Requests that people and Okta's pages write otherwise than Okta does.
#[tokio::test]
async fn what_is_written_in_another_way_is_sent_with_a_warning_where_something_is_ignored() {
    type Change = fn(&mut Value);
    let rows: [(Change, Option<&str>); 7] = [
        (|p| p["phoneNumber"] = json!("+1\u{a0}555\u{2011}010\u{200b}0123\n"), None),
        (|p| p["otpExpires"] = json!(from_now(300).replace('Z', "+0000")), None),
        (|p| p["otpExpires"] = json!(from_now(300).replace('T', " ")), None),
        (|p| p["otpExpires"] = json!("soon"), Some("data.messageProfile.otpExpires")),
        (|p| p["otpExpires"] = json!({}), Some("data.messageProfile.otpExpires")),
        (|p| p["msgTemplate"] = json!(5), Some("data.messageProfile.msgTemplate")),
        (|p| p["locale"] = json!(["en"]), Some("data.messageProfile.locale")),
    ];
    let hook = Hook::with("limits.per_number = ''").await;
    for (count, (change, ignored)) in (1..).zip(rows) {
        hook.post(payload(Form::Documented, change)).await.accepted(Form::Documented);
        assert_eq!(hook.acs.messages().pop().unwrap().to, NUMBER);
        let line = hook.log.hooks(count).await.pop().unwrap();
        match ignored {
            Some(field) => assert_eq!(
                (&line["warnings"], &line["ignored_fields"]),
                (&json!(["field_ignored"]), &json!([field]))
            ),
            None => assert_eq!(line.get("warnings"), None, "{line}"),
        }
    }
    let body = ["\u{feff}".as_bytes(), &payload(Form::Documented, |_| ())].concat();
    hook.post(body).await.accepted(Form::Documented);
}

#[tokio::test]
async fn a_preview_with_the_placeholder_says_what_to_edit_and_with_a_number_sends() {
    const URL: &str = "/api/internal/v1/inlineHooks/com.okta.telephony.provider/generatePreview";
    let hook = Hook::start().await;
    let mut preview = envelope("9876543210");
    preview["data"]["context"]["request"]["url"]["value"] = URL.into();
    let answer = hook.post(preview.to_string()).await;
    answer.failed(Form::Documented, 200, "preview_number");
    assert!(answer.text.contains("put your own number, with + and the country code"));
    // As Okta's documentation prints it.
    let mut sample = preview.clone();
    sample["eventTime"] = "2022-01-28T21:43:40.000Z".into();
    sample["data"]["messageProfile"]["otpExpires"] = "2022-01-28T21:48:34.321Z".into();
    hook.post(sample.to_string()).await.failed(Form::Documented, 200, "preview_number");
    sample["data"]["messageProfile"]["phoneNumber"] = NUMBER.into();
    let answer = hook.post(sample.to_string()).await;
    answer.failed(Form::Documented, 200, "otp_expired");
    assert!(answer.text.contains("put a later one into data.messageProfile.otpExpires"));
    preview["data"]["messageProfile"]["phoneNumber"] = NUMBER.into();
    hook.post(preview.to_string()).await.accepted(Form::Documented);
    let lines = hook.log.hooks(4).await;
    assert!(lines.iter().all(|line| line["preview"] == true), "{lines:?}");
}

#[tokio::test]
async fn what_is_misconfigured_is_answered_in_the_callers_dialect_and_named_in_the_log() {
    let variable = |name, value: &str| Setup::new().variable(name, value);
    for (setup, key) in [
        (variable("acs_connection_string", ""), "acs_connection_string is not set"),
        (
            variable("acs_connection_string", "endpoint=https://contoso.example/;accesskey=?"),
            "acs_connection_string",
        ),
        (variable("acs_from_shortcode", ""), "acs_from_shortcode is not set"),
        (variable("acs_from_shortcode", "123"), "acs_from_shortcode must be"),
        ("okta.deadline_ms = 2801".into(), "okta.deadline_ms must be"),
        ("okta.response_format = 'xml'".into(), "okta.response_format must be"),
        (
            "providers = [{ kind = 'acs', api_version = 'latest/../' }]".into(),
            "providers[1].api_version must be",
        ),
    ] {
        let hook = Hook::with(setup).await;
        for form in [Form::Documented, Form::Classic] {
            hook.post(payload(form, |_| ())).await.failed(form, 200, "misconfigured");
        }
        for line in hook.log.hooks(1).await {
            assert!(line["fix"].as_str().unwrap().contains(key), "{line}");
            assert_eq!(line["level"], "error");
        }
        assert!(hook.acs.requests().is_empty(), "nothing was sent");
    }
}

#[tokio::test]
async fn what_the_request_or_the_policy_says_is_told_before_what_is_misconfigured() {
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 5] = [
        (|_| (), "misconfigured"),
        (|profile| profile["otpExpires"] = json!(from_now(-1)), "otp_expired"),
        (|profile| profile["phoneNumber"] = json!("15550100123"), "invalid_phone_number"),
        (|profile| profile["deliveryChannel"] = json!("pigeon"), "unsupported_channel"),
        (|profile| profile["phoneNumber"] = json!("+88123456789"), "prefix_blocked"),
    ];
    let hook = Hook::with("message.org_nmae = 'Contoso'").await;
    for (change, reason) in changes {
        let answer = hook.post(payload(Form::Documented, change)).await;
        answer.failed(Form::Documented, 200, reason);
    }
}

#[tokio::test]
async fn without_a_secret_nothing_is_sent_and_nobody_but_the_log_is_told_which_variable_to_set() {
    for (format, form) in [("auto", Form::Documented), ("classic", Form::Classic)] {
        let setup = Setup::from(format!("okta.response_format = '{format}'"));
        let hook = Hook::with(setup.variable("okta_basic_secret", "")).await;
        for secret in ["", crate::harness::SECRET] {
            let mut request = hook.request().body(Full::new(payload(form, |_| ()).into())).unwrap();
            authorize(&mut request, &basic("okta", secret));
            let answer: Answer = hook.send(request).await;
            answer.failed(form, 200, "misconfigured");
            assert!(!answer.text.contains("okta_basic_secret"));
        }
        for line in hook.log.hooks(1).await {
            assert!(line["fix"].as_str().unwrap().starts_with("okta_basic_secret is not set"));
        }
        assert!(hook.acs.requests().is_empty(), "nothing was sent");
    }
}

#[tokio::test]
async fn a_host_that_is_not_allowed_is_not_called_and_the_log_says_how_to_allow_it() {
    let nothing = "https://*.communication.azure.com";
    let hook = Hook::with(Setup::new().variable("outbound_host1", nothing)).await;
    for form in [Form::Documented, Form::Classic] {
        hook.post(payload(form, |_| ())).await.failed(form, 200, "misconfigured");
    }
    let fix = format!("outbound_host3 to {}", hook.acs.origin());
    for line in hook.log.hooks(2).await {
        assert!(line["fix"].as_str().unwrap().contains(&fix), "{line}");
    }
    assert!(hook.acs.requests().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn an_event_that_comes_again_counts_once_and_is_one_message() {
    let hook = Hook::with("limits.per_number = '2/10m'").await;
    let event = payload(Form::Documented, |_| ());
    for _ in 0..3 {
        hook.post(event.clone()).await.accepted(Form::Documented);
    }
    hook.post(payload(Form::Documented, |_| ())).await.accepted(Form::Documented);
    let refused = payload(Form::Documented, |_| ());
    for _ in 0..2 {
        hook.post(refused.clone()).await.failed(Form::Documented, 200, "rate_limited");
    }
    hook.post(event).await.accepted(Form::Documented);
    assert_eq!(hook.acs.messages().len(), 2);
}

#[tokio::test]
async fn an_event_that_comes_twice_is_one_message_and_a_bare_payload_that_comes_twice_is_two() {
    let hook = Hook::start().await;
    let event = payload(Form::Documented, |_| ());
    let first = hook.post(event.clone()).await.accepted(Form::Documented);
    let second = hook.post(event).await.accepted(Form::Documented);
    assert_eq!(first, second);
    assert_eq!(hook.acs.messages().len(), 1);
    for _ in 0..2 {
        hook.post(payload(Form::Classic, |_| ())).await.accepted(Form::Classic);
    }
    assert_eq!(hook.acs.messages().len(), 3);
}
