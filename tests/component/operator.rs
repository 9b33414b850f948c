//! The operator's pages: who may see them, what they say, and that they send nothing.

use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use serde_json::{Value, json};

use crate::harness::{ACCESS_KEY, Answer, Form, Hook, SECRET, basic, envelope};

const OPERATOR_SECRET: &str = "operator-5ecret-of-the-tests";

const WITH_OPERATOR: (&str, &str) = ("operator_secret", OPERATOR_SECRET);

async fn ask(hook: &Hook, method: Method, path: &str, authorization: &str, body: &str) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, hook.host.address().to_string())
        .header(CONTENT_TYPE, "application/json");
    if !authorization.is_empty() {
        request = request.header(AUTHORIZATION, authorization);
    }
    hook.send(request.body(Full::new(body.to_owned().into())).unwrap()).await
}

async fn health(hook: &Hook) -> Answer {
    ask(hook, Method::GET, "/api/health", "", "").await
}

async fn details(hook: &Hook) -> Value {
    let operator = basic("operator", OPERATOR_SECRET);
    let answer = ask(hook, Method::GET, "/api/health/details", &operator, "").await;
    assert_eq!(answer.status, 200);
    serde_json::from_str(&answer.text).unwrap()
}

async fn explain(hook: &Hook, question: Value) -> Value {
    let operator = basic("operator", OPERATOR_SECRET);
    let question = question.to_string();
    let answer = ask(hook, Method::POST, "/api/explain", &operator, &question).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    serde_json::from_str(&answer.text).unwrap()
}

#[tokio::test]
async fn health_is_200_or_503_by_configuration_alone_and_tells_strangers_nothing_else() {
    let hook = Hook::start().await;
    let answer = health(&hook).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, r#"{"status":"ok"}"#));
    for variable in [
        ("okta_basic_secret", ""),
        ("acs_connection_string", "endpoint=x"),
        ("acs_senders", "US=?"),
        ("allowed_countries", "UK"),
        ("blocked_prefixes", "881"),
        ("rate_limit_total", "many"),
        ("policy_mode", "lenient"),
        ("message_template", "Welcome!"),
        ("message_templates", "{"),
        ("web_otp_domain", "https://contoso.example"),
        ("acs_secondary_connection_string", "x"),
    ] {
        let answer = health(&Hook::with(&[variable]).await).await;
        assert_eq!(answer.text, r#"{"status":"misconfigured"}"#, "{variable:?}");
        assert_eq!(answer.status, 503);
    }
}

#[tokio::test]
async fn health_asks_neither_acs_nor_the_store() {
    let hook = Hook::start().await;
    for _ in 0..3 {
        assert_eq!(health(&hook).await.status, 200);
    }
    assert!(hook.acs.requests().is_empty());
    assert!(hook.log.lines().is_empty(), "a probe each second is nothing to log");
}

#[tokio::test]
async fn without_a_secret_of_the_operators_there_are_no_pages() {
    let hook = Hook::start().await;
    for authorization in ["", &basic("operator", ""), &basic("okta", SECRET)] {
        let answer = ask(&hook, Method::GET, "/api/health/details", authorization, "").await;
        assert_eq!(answer.status, 404);
        let answer = ask(&hook, Method::POST, "/api/explain", authorization, "{}").await;
        assert_eq!(answer.status, 404);
    }
}

#[tokio::test]
async fn only_the_operator_sees_the_pages_and_each_try_is_logged() {
    let hook = Hook::with(&[WITH_OPERATOR]).await;
    let strangers = [String::new(), basic("okta", SECRET), basic("operator", "guess")];
    for authorization in &strangers {
        for (method, path) in [(Method::GET, "/api/health/details"), (Method::POST, "/api/explain")]
        {
            let answer = ask(&hook, method, path, authorization, "{}").await;
            assert_eq!(answer.status, 401);
            assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Basic "));
        }
    }
    let answer = ask(&hook, Method::DELETE, "/api/explain", "", "").await;
    assert_eq!(answer.status, 401, "strangers are not told which methods there are");
    let lines = hook.log.hooks(7).await;
    for line in lines {
        assert_eq!((&line["event"], &line["level"]), (&json!("operator"), &json!("warn")));
        assert_eq!(line["http_status"], 401);
    }
}

#[tokio::test]
async fn operators_credentials_that_are_not_in_order_stop_no_message_and_the_log_says_why() {
    for (variable, fix) in [
        (("operator_secret", SECRET), "must not be the same as okta_basic_secret"),
        (("operator_secret", "operator-5ecret-of-the-tests\n"), "white space"),
        (("operator_user", "a:b"), "colon"),
    ] {
        let hook = Hook::with(&[WITH_OPERATOR, variable]).await;
        assert_eq!(health(&hook).await.status, 200, "{variable:?}");
        hook.post(envelope("+15550100123").to_string()).await.accepted(Form::Documented);
        let operator = basic("operator", OPERATOR_SECRET);
        let answer = ask(&hook, Method::GET, "/api/health/details", &operator, "").await;
        assert_eq!(answer.status, 404);
        let line = hook.log.hooks(2).await.remove(1);
        assert!(line["fix"].as_str().unwrap().contains(fix), "{line}");
    }
}

#[tokio::test]
async fn the_operators_secret_before_the_last_change_is_accepted_and_told() {
    let hook = Hook::with(&[
        ("operator_secret", "new-operator-5ecret"),
        ("operator_secret_previous", OPERATOR_SECRET),
    ])
    .await;
    for (secret, credential) in
        [("new-operator-5ecret", "basic"), (OPERATOR_SECRET, "basic_previous")]
    {
        let operator = basic("operator", secret);
        let answer = ask(&hook, Method::GET, "/api/health/details", &operator, "").await;
        assert_eq!(answer.status, 200);
        let lines = hook.log.hooks(1 + usize::from(credential != "basic")).await;
        assert_eq!(lines.last().unwrap()["credential"], credential);
    }
}

#[tokio::test]
async fn an_operators_secret_of_before_that_is_not_in_order_lets_nobody_in_and_the_log_says_so() {
    let hook = Hook::with(&[WITH_OPERATOR, ("operator_secret_previous", "old\n")]).await;
    let answer =
        ask(&hook, Method::GET, "/api/health/details", &basic("operator", "old"), "").await;
    assert_eq!(answer.status, 401);
    let line = hook.log.hooks(1).await.remove(0);
    let fix = line["fix"].as_str().unwrap();
    assert!(fix.contains("operator_secret_previous") && fix.contains("white space"), "{line}");
}

#[tokio::test]
async fn the_operator_cannot_send() {
    let hook = Hook::with(&[WITH_OPERATOR]).await;
    let request = hook.request().body(Full::new(envelope("+15550100123").to_string().into()));
    let mut request = request.unwrap();
    let operator = basic("operator", OPERATOR_SECRET);
    request.headers_mut().insert(AUTHORIZATION, operator.parse().unwrap());
    hook.send(request).await.failed(Form::Documented, 401, "unauthorized");
    explain(&hook, json!({"phoneNumber": "+15550100123"})).await;
    assert!(hook.acs.requests().is_empty());
}

#[tokio::test]
async fn each_page_has_its_method_and_each_body_its_form() {
    let hook = Hook::with(&[WITH_OPERATOR]).await;
    let operator = basic("operator", OPERATOR_SECRET);
    for (method, path, allow) in [
        (Method::POST, "/api/health", "GET, HEAD"),
        (Method::POST, "/api/health/details", "GET"),
        (Method::GET, "/api/explain", "POST"),
    ] {
        let answer = ask(&hook, method, path, &operator, "").await;
        assert_eq!((answer.status, answer.headers["allow"].to_str().unwrap()), (405, allow));
    }
    let long = "x".repeat(9000);
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("{}", 400),
        (r#"{"phoneNumber":15550100123}"#, 400),
        (r#"{"phoneNumber":"+15550100123","to":"x"}"#, 400),
        (long.as_str(), 413),
    ] {
        let answer = ask(&hook, Method::POST, "/api/explain", &operator, body).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(!answer.text.contains("5550100"), "{}", answer.text);
    }
}

#[tokio::test]
async fn the_details_name_what_is_wrong_and_hold_no_secret() {
    let hook = Hook::with(&[
        WITH_OPERATOR,
        ("acs_senders", "US=hook-secret-c0ffee"),
        ("rate_limit_per_number", "hook-secret-c0ffee"),
        ("store_secret", "5tore-5ecret"),
    ])
    .await;
    let details = details(&hook).await;
    assert_eq!(details["status"], "misconfigured");
    let text = details.to_string();
    for secret in [SECRET, ACCESS_KEY, OPERATOR_SECRET, "5tore-5ecret"] {
        assert!(!text.contains(secret), "{secret}");
    }
    let variable = |name: &str| {
        let variables = details["variables"].as_array().unwrap();
        variables.iter().find(|variable| variable["name"] == name).unwrap().clone()
    };
    assert_eq!(variable("okta_user"), json!({"name": "okta_user", "ok": true}));
    for name in ["acs_senders", "rate_limit_per_number"] {
        assert_eq!(variable(name)["ok"], false, "{name}");
        assert!(!variable(name)["problems"][0].as_str().unwrap().is_empty());
    }
    for name in ["allowed_countries", "rate_limit_total", "store_secret"] {
        assert_eq!(variable(name)["ok"], true, "{name}");
        assert!(!variable(name)["warnings"][0].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_explanation_is_what_the_hook_then_does() {
    let hook = Hook::with(&[
        WITH_OPERATOR,
        ("acs_senders", "GB=CONTOSO,*=+18005551234"),
        ("message_templates", r#"{"pt":"Código ${code} ($${minutes} min)"}"#),
        ("allowed_countries", "GB,US"),
    ])
    .await;
    let question = json!({"phoneNumber": "+447400123456", "locale": "pt-BR"});
    let explanation = explain(&hook, question.clone()).await;
    for (name, value) in [
        ("verdict", json!("sent")),
        ("reason", json!("accepted")),
        ("okta_status", json!("SUCCESSFUL")),
        ("number", json!("+44********56")),
        ("country", json!("GB")),
        ("takes_sms", json!(true)),
        ("sender", json!("CONTOSO")),
        ("sender_type", json!("alphanumeric")),
        ("text", json!("Código 123456 ($5 min)")),
        ("segments", json!(1)),
        ("limits", json!([{"limit": "rate_limit_per_number", "rate": "5/10m", "used": 0}])),
    ] {
        assert_eq!(explanation[name], value, "{name}: {explanation}");
    }
    for _ in 0..5 {
        hook.post(envelope("+447400123456").to_string()).await.accepted(Form::Documented);
    }
    let explanation = explain(&hook, question).await;
    assert_eq!(explanation["verdict"], "refused", "{explanation}");
    assert_eq!(explanation["reason"], "rate_limited");
    assert_eq!(explanation["limits"][0]["used"], 5);
    hook.post(envelope("+447400123456").to_string()).await.failed(
        Form::Documented,
        200,
        "rate_limited",
    );

    let explanation = explain(&hook, json!({"phoneNumber": "+33612345678"})).await;
    assert_eq!(
        (&explanation["verdict"], &explanation["reason"], &explanation["country"]),
        (&json!("refused"), &json!("country_not_allowed"), &json!("FR"))
    );
    let explanation = explain(&hook, json!({"phoneNumber": "07400123456"})).await;
    assert_eq!(explanation["reason"], "invalid_phone_number");
}

#[tokio::test]
async fn an_explanation_refuses_what_the_hook_refuses_whatever_is_wrong() {
    for (variables, number) in [
        (&[("hook_deadline_ms", "soon")][..], "+447400123456"),
        (&[("okta_basic_secret", "")], "+447400123456"),
        (&[("message_template", "x"), ("blocked_countries", "GB")], "+447400123456"),
        (&[("acs_connection_string", ""), ("blocked_countries", "GB")], "+447400123456"),
        (
            &[("acs_connection_string", ""), ("policy_mode", "observe"), ("sending", "off")],
            "+1555010",
        ),
        (
            &[("policy_mode", "observe"), ("blocked_countries", "GB"), ("acs_senders", "?")],
            "+447400123456",
        ),
        (&[("sending", "off")], "+447400123456"),
        (&[("policy_refusal_status", "?"), ("sending", "off")], "+447400123456"),
    ] {
        let hook = Hook::with(&[&[WITH_OPERATOR], variables].concat()).await;
        let explanation = explain(&hook, json!({"phoneNumber": number})).await;
        let answer = hook.post(envelope(number).to_string()).await;
        let told = answer.value(Form::Documented);
        assert_eq!(explanation["verdict"], "refused", "{variables:?}: {explanation}");
        assert_eq!(explanation["reason"], told["transactionMetadata"], "{variables:?}");
        assert_eq!(explanation["okta_status"], told["status"], "{variables:?}");
    }
}

#[tokio::test]
async fn an_explanation_tells_what_okta_would_be_told() {
    for (variables, verdict, told) in [
        ([("policy_mode", "enforce"), ("policy_refusal_status", "failed")], "refused", "FAILED"),
        (
            [("policy_mode", "enforce"), ("policy_refusal_status", "successful")],
            "refused",
            "SUCCESSFUL",
        ),
        ([("policy_mode", "observe"), ("policy_refusal_status", "failed")], "sent", "SUCCESSFUL"),
    ] {
        let hook =
            Hook::with(&[&[WITH_OPERATOR, ("blocked_countries", "GB")], &variables[..]].concat())
                .await;
        let explanation = explain(&hook, json!({"phoneNumber": "+447400123456"})).await;
        let reason = if verdict == "sent" { "accepted" } else { "country_not_allowed" };
        let would_refuse = (verdict == "sent").then_some("country_not_allowed");
        for (name, value) in [
            ("verdict", json!(verdict)),
            ("reason", json!(reason)),
            ("would_refuse", json!(would_refuse)),
            ("okta_status", json!(told)),
        ] {
            assert_eq!(explanation[name], value, "{name}: {explanation}");
        }
    }
}
