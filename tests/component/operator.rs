//! The operator's pages: who may see them, what they say, and that they send nothing.

use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use serde_json::{Value, json};

use crate::harness::{ACCESS_KEY, Answer, Form, Hook, SECRET, Setup, basic, envelope};

const OPERATOR_SECRET: &str = "operator-5ecret-of-the-tests";

/// Shows the operator's pages.
fn setup() -> Setup {
    Setup::new().secrets(&format!("operator.secret = '{OPERATOR_SECRET}'"))
}

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
    for setup in [
        Setup::new().variable("okta_basic_secret", ""),
        Setup::new().variable("acs_connection_string", "endpoint=x"),
        Setup::new().variable("settings", "settings.toml"),
        Setup::new().variable("secrets", "{}"),
        "polices.sending = false".into(),
        "policy.allowed_countries = ['UK']".into(),
        "policy.blocked_prefixes = ['881']".into(),
        "policy.mode = 'lenient'".into(),
        "limits.total = 'many'".into(),
        "message.templates.default = 'Welcome!'".into(),
        "message.web_otp_domain = 'https://contoso.example'".into(),
        "providers = [{ kind = 'acs', senders = { US = '?' } }]".into(),
    ] {
        let answer = health(&Hook::with(setup).await).await;
        assert_eq!((answer.status, &*answer.text), (503, r#"{"status":"misconfigured"}"#));
    }
    // Messages go by the first one still.
    let second = "providers = [{ kind = 'acs' }, { kind = 'acs', name = 'acs-secondary' }]";
    assert_eq!(health(&Hook::with(second).await).await.status, 200);
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
async fn only_the_operator_sees_the_pages_and_who_tries_is_logged() {
    let hook = Hook::with(setup()).await;
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
    let lines = hook.log.hooks(1).await;
    for line in lines {
        assert_eq!((&line["event"], &line["level"]), (&json!("operator"), &json!("warn")));
        assert_eq!(line["http_status"], 401);
    }
}

#[tokio::test]
async fn operators_credentials_that_are_not_in_order_stop_no_message_and_the_log_says_why() {
    for (secret, fix) in [
        (SECRET, "operator.secret must not be the same as okta_basic_secret"),
        ("operator-5ecret-of-the-tests\\n", "operator.secret begins or ends with white space"),
    ] {
        let secrets = format!("operator.secret = \"{secret}\"");
        let hook = Hook::with(Setup::new().secrets(&secrets)).await;
        assert_eq!(health(&hook).await.status, 200, "{fix}");
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
    let secrets = format!(
        "operator.secret = 'new-operator-5ecret'
         operator.secret_previous = '{OPERATOR_SECRET}'"
    );
    let hook = Hook::with(Setup::new().secrets(&secrets)).await;
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
    let hook = Hook::with(setup().secrets(r#"operator.secret_previous = "old\n""#)).await;
    let answer =
        ask(&hook, Method::GET, "/api/health/details", &basic("operator", "old"), "").await;
    assert_eq!(answer.status, 401);
    let line = hook.log.hooks(1).await.remove(0);
    let fix = line["fix"].as_str().unwrap();
    assert!(fix.contains("operator.secret_previous") && fix.contains("white space"), "{line}");
}

#[tokio::test]
async fn the_operator_cannot_send() {
    let hook = Hook::with(setup()).await;
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
    let hook = Hook::with(setup()).await;
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
    let settings = "[okta]
deadline_ms = 'hook-secret-c0ffee'

[[providers]]
kind = 'acs'
[providers.senders]
US = 'hook-secret-c0ffee'
";
    let hook =
        Hook::with(setup().secrets("store.secret = '5tore-5ecret'").variable("settings", settings))
            .await;
    let details = details(&hook).await;
    assert_eq!(details["status"], "misconfigured");
    let text = details.to_string();
    for secret in [SECRET, ACCESS_KEY, OPERATOR_SECRET, "5tore-5ecret"] {
        assert!(!text.contains(secret), "{secret}");
    }
    let finding = |list: &str, key: &str| {
        let found = details[list].as_array().unwrap().iter().find(|it| it["key"] == key);
        found.unwrap_or_else(|| panic!("{key} is not in {list}: {details:#}")).clone()
    };
    for (key, line) in [("okta.deadline_ms", 2), ("providers[1].senders.US", 7)] {
        let problem = finding("problems", key);
        assert_eq!((&problem["document"], &problem["line"]), (&json!("settings"), &json!(line)));
        assert!(problem["fix"].as_str().unwrap().starts_with("must be "), "{problem}");
    }
    // What is not there has no line.
    for key in ["policy.allowed_countries", "limits.total"] {
        let warning = finding("warnings", key);
        assert_eq!((&warning["document"], warning.get("line")), (&json!("settings"), None));
        assert!(warning["fix"].as_str().unwrap().starts_with("is not set"), "{warning}");
    }
    let short = finding("warnings", "store.secret");
    assert_eq!((&short["document"], &short["line"]), (&json!("secrets"), &json!(5)), "{short}");
}

#[tokio::test]
async fn an_explanation_is_what_the_hook_then_does() {
    let hook = Hook::with(setup().variable("acs_from_shortcode", "").settings(
        "policy.allowed_countries = ['GB', 'US']
         message.templates.pt = 'Código ${code} ($${minutes} min)'
         [[providers]]
         kind = 'acs'
         senders = { GB = 'CONTOSO', default = '+18005551234' }",
    ))
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
        (
            "providers",
            json!([{"provider": "acs", "sender": "CONTOSO", "sender_type": "alphanumeric"}]),
        ),
        ("text", json!("Código 123456 ($5 min)")),
        ("segments", json!(1)),
        ("limits", json!([{"limit": "limits.per_number", "rate": "5/10m", "used": 0}])),
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
    let no_secret = Setup::new().variable("okta_basic_secret", "");
    let no_provider = Setup::new().variable("acs_connection_string", "");
    for (wrong, number) in [
        ("okta.deadline_ms = 'soon'".into(), "+447400123456"),
        (no_secret, "+447400123456"),
        (no_provider.clone().settings("policy.blocked_countries = ['GB']"), "+447400123456"),
        (no_provider.settings("policy.sending = false"), "+1555010"),
        (
            "message.templates.default = 'x'\npolicy.blocked_countries = ['GB']".into(),
            "+447400123456",
        ),
        ("policy.sending = false".into(), "+447400123456"),
        ("policy.mode = 'observe'\npolicy.sending = false".into(), "+1555010"),
        ("policy.refusal_status = '?'\npolicy.sending = false".into(), "+447400123456"),
    ] {
        let hook = Hook::with(setup().and(wrong)).await;
        let explanation = explain(&hook, json!({"phoneNumber": number})).await;
        let answer = hook.post(envelope(number).to_string()).await;
        let told = answer.value(Form::Documented);
        assert_eq!(explanation["verdict"], "refused", "{explanation}");
        assert_eq!(explanation["reason"], told["transactionMetadata"], "{explanation}");
        assert_eq!(explanation["okta_status"], told["status"], "{explanation}");
    }
}

#[tokio::test]
async fn an_explanation_tells_what_okta_would_be_told() {
    for (mode, refusal_status, verdict, told) in [
        ("enforce", "failed", "refused", "FAILED"),
        ("enforce", "successful", "refused", "SUCCESSFUL"),
        ("observe", "failed", "sent", "SUCCESSFUL"),
    ] {
        let policy = format!(
            "policy = {{ mode = '{mode}', refusal_status = '{refusal_status}', blocked_countries = ['GB'] }}"
        );
        let hook = Hook::with(setup().settings(&policy)).await;
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
