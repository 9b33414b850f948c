//! The two documents: how they may be written, and what whoever made a mistake is told. docs/settings.md is
//! the table of what they may hold.

use hyper::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Form, Hook, SECRET, Setup, basic, envelope, from_now, until};
use crate::host::is_spin;
use crate::reports::{self, OPERATOR_SECRET, PATH, REPORT_SECRET, deliver, look_up, report};

const NUMBER: &str = "+447400123456";

/// The operator's and the reports' secrets, as lines of a document.
const DOORS: &str = "[operator]
secret = 'operator-secret-c0ffee'
[reports]
secret = 'report-secret-c0ffee'
";

/// A hook of these two documents, to the letter.
async fn with_documents(settings: &str, secrets: &str) -> Hook {
    Hook::with(Setup::new().variable("settings", settings).variable("secrets", secrets)).await
}

async fn post(hook: &Hook) -> Answer {
    hook.post(envelope(NUMBER).to_string()).await
}

async fn details(hook: &Hook) -> Value {
    let answer = look_up(hook, "/api/health/details").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    serde_json::from_str(&answer.text).unwrap()
}

async fn explanation(hook: &Hook) -> Value {
    let authorization = basic("operator", OPERATOR_SECRET);
    let headers = [("authorization", authorization.as_str())];
    let question = json!({ "phoneNumber": NUMBER }).to_string();
    let answer = reports::ask(hook, Method::POST, "/api/explain", &headers, question).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    serde_json::from_str(&answer.text).unwrap()
}

#[tokio::test]
async fn a_mistake_is_told_with_its_line_and_fix_in_the_answer_the_log_and_on_the_operators_pages()
{
    for (settings, document, line, key, fix) in [
        (
            "[okta]\n# Soon.\ndeadline = 900\n",
            "settings",
            3,
            "okta.deadline",
            "is no setting: did you mean okta.deadline_ms?",
        ),
        (
            "\n[polices]\nsending = false\n",
            "settings",
            2,
            "polices",
            "is no setting: did you mean policy?",
        ),
        (
            "[okta]\ndeadline_ms = \"2500\"\n",
            "settings",
            2,
            "okta.deadline_ms",
            "must be a whole number from 500 to 2800, without quotes",
        ),
        (
            "policy = { sending = false, allowed_countries = [\n'US',\n'UK'] }",
            "settings",
            3,
            "policy.allowed_countries[2]",
            "is no country: it must have two letters, such as \"US\" (Great Britain is \"GB\")",
        ),
    ] {
        let hook = with_documents(settings, DOORS).await;
        let answer = post(&hook).await;
        answer.failed(Form::Documented, 200, "misconfigured");
        let told = format!("{document} line {line}: {key} {fix}");
        let answer: Value = serde_json::from_str(&answer.text).unwrap();
        let log = hook.log.hooks(1).await.remove(0);
        for fix in [&answer["debugContext"]["fix"], &log["fix"], &explanation(&hook).await["fix"]] {
            assert!(fix.as_str().unwrap().contains(&told), "{fix}, not {told}");
        }
        let finding = json!({ "document": document, "key": key, "line": line, "fix": fix });
        assert_eq!(details(&hook).await["problems"], json!([finding]));
        assert!(hook.acs.requests().is_empty(), "nothing was sent");
    }
}

#[tokio::test]
async fn a_mistake_in_the_secrets_is_told_and_no_value_is_shown_anywhere() {
    const VALUE: &str = "s3cret-that-nobody-must-see";
    for (secrets, line, key) in [
        // A secret with a name that does not exist, one of the wrong type, a wrong one, and no TOML at all.
        (format!("{DOORS}[okta]\nheader_secrt = '{VALUE}'\n"), 6, "okta.header_secrt"),
        (format!("{DOORS}[store]\nsecret = ['{VALUE}']\n"), 6, "store.secret"),
        (
            format!("{DOORS}[providers.acs]\nconnection_string = 'endpoint={VALUE}'\n"),
            6,
            "providers.acs.connection_string",
        ),
        (format!("{DOORS}[store]\nsecret = {VALUE}\n"), 6, ""),
        (format!("{DOORS}[{VALUE}]\nsecret = '{VALUE}'\n[{VALUE}]\n"), 0, ""),
    ] {
        let setup = Setup::new().variable("secrets", &*secrets);
        let hook = Hook::with(match key.starts_with("providers") {
            true => setup.variable("acs_connection_string", ""),
            false => setup,
        })
        .await;
        let mut shown = vec![post(&hook).await.text, explain_or_not(&hook).await];
        for target in ["/api/health", "/api/health/details", "/api/deliveries"] {
            shown.push(look_up(&hook, target).await.text);
        }
        shown.push(deliver(&hook, &json!([])).await.text);
        // A line follows its answer, so those of the pages may come before it.
        let log = until(|| {
            let lines = hook.log.lines();
            let mut lines = lines.iter().filter_map(|it| serde_json::from_str::<Value>(it).ok());
            lines.find(|line| line["reason"] == "misconfigured")
        })
        .await;
        let place = format!("secrets line {line}: {key}");
        let told = log["fix"].as_str().unwrap();
        assert!(line == 0 || told.contains(place.trim_end()), "{told}, not {place}");
        shown.extend(hook.log.lines());
        if !is_spin() {
            shown.extend(hook.host.stored());
        }
        for text in shown {
            for secret in [VALUE, SECRET, OPERATOR_SECRET, REPORT_SECRET] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
        assert!(hook.acs.requests().is_empty(), "nothing was sent");
    }
}

/// What is answered to a question for an explanation, if the page is there.
async fn explain_or_not(hook: &Hook) -> String {
    let authorization = basic("operator", OPERATOR_SECRET);
    let headers = [("authorization", authorization.as_str())];
    let question = json!({ "phoneNumber": NUMBER }).to_string();
    reports::ask(hook, Method::POST, "/api/explain", &headers, question).await.text
}

#[tokio::test]
async fn a_stranger_is_told_nothing_of_a_mistake() {
    for (settings, secrets, status) in [
        ("[limits]\ntotal = 'many'", "", 401),
        ("[message]\ntemplate = 'x'", "", 401),
        // Who may call is not known.
        ("[okta]\nheader_name = 'x y'", "[okta]\nheader_secret = 'header-secret-c0ffee'", 200),
        ("", "[okta]\nheader_secret = 7", 200),
        ("limits", "", 200),
        ("", "limits", 200),
    ] {
        let hook = with_documents(settings, secrets).await;
        for authorization in ["", &basic("okta", "guess")] {
            let mut request = hook.request().body(http_body_util::Full::default()).unwrap();
            request.headers_mut().insert("authorization", authorization.parse().unwrap());
            let answer = hook.send(request).await;
            let reason = if status == 401 { "unauthorized" } else { "misconfigured" };
            answer.failed(Form::Documented, status, reason);
            for word in ["line", "settings", "secrets", "limits", "message", "header_", "TOML"] {
                assert!(!answer.text.contains(word), "{word} in {}", answer.text);
            }
        }
    }
}

#[tokio::test]
async fn a_document_may_be_written_on_any_system_and_by_any_shell() {
    let lines = "[policy]\nblocked_countries = ['GB']\n";
    for (settings, blocks) in [
        (lines.to_owned(), true),
        (lines.trim_end().to_owned(), true),
        (format!("{lines}\n\n"), true),
        (lines.replace('\n', "\r\n"), true),
        (format!("\u{feff}{}", lines.replace('\n', "\r\n")), true),
        (String::new(), false),
        ("\n".to_owned(), false),
        ("\u{feff}".to_owned(), false),
        // What is left where a shell or an `.env` file does not take the quotes away.
        ("\"\"".to_owned(), false),
        ("''\n".to_owned(), false),
        ("# Nothing yet.".to_owned(), false),
    ] {
        let secrets = if blocks { "" } else { &settings };
        let hook = with_documents(&settings, secrets).await;
        let answer = post(&hook).await;
        match blocks {
            true => answer.failed(Form::Documented, 200, "country_not_allowed"),
            false => drop(answer.accepted(Form::Documented)),
        }
    }
}

#[tokio::test]
async fn what_is_no_toml_is_told_with_its_line_or_with_what_it_is_instead() {
    for (settings, told) in [
        ("[policy]\r\nsending = off\r\n", "settings line 2: is not TOML here"),
        ("[policy]\nsending = false\nsending = true\n", "settings line 3: is not TOML here"),
        (
            "settings.toml",
            "is the name of a file, not what is in it: give it as --variable settings=@FILE",
        ),
        ("{\"policy\": {\"sending\": false}}", "is JSON, and must be TOML"),
    ] {
        let hook = with_documents(settings, "").await;
        post(&hook).await.failed(Form::Documented, 200, "misconfigured");
        let log = hook.log.hooks(1).await.remove(0);
        assert!(log["fix"].as_str().unwrap().contains(told), "{log}, not {told}");
    }
}

#[tokio::test]
async fn a_mistake_stops_only_who_needs_its_table() {
    // No messages; but reports, and what is remembered of messages.
    let hook = Hook::with(reports::setup().settings("message.org_nam = 'Contoso'")).await;
    post(&hook).await.failed(Form::Documented, 200, "misconfigured");
    let reported = report("id-1", "Delivered", "No error.", &from_now(0));
    assert_eq!(deliver(&hook, &json!([reported])).await.status, 200);
    assert_eq!(look_up(&hook, "/api/deliveries/id-1").await.status, 200);

    // No reports, and nothing remembered; but messages. A probe must not take the hook away for it.
    for (wrong, what) in [
        (reports::setup().secrets("reports.secret = 7"), "reports.secret"),
        (reports::setup().settings("reports.oauth.issuer = 'contoso'"), "reports.oauth.issuer"),
        (reports::setup().settings("records.max_age = '10y'"), "records.max_age"),
    ] {
        let hook = Hook::with(wrong).await;
        post(&hook).await.accepted(Form::Documented);
        let health = reports::ask(&hook, Method::GET, "/api/health", &[], "").await;
        assert_eq!(health.status, 200);
        let details = details(&hook).await;
        let warnings = details["warnings"].as_array().unwrap();
        assert!(warnings.iter().any(|warning| warning["key"] == what), "{what}: {details:#}");
        if what.starts_with("reports") {
            let headers = [("x-report-secret", REPORT_SECRET)];
            assert_eq!(reports::ask(&hook, Method::POST, PATH, &headers, "[]").await.status, 503);
        }
    }
}

#[tokio::test]
async fn what_a_variable_and_a_document_both_say_is_told_unless_it_is_said_once() {
    let secret = format!("okta.basic_secret = '{SECRET}'");
    for (setup, told) in [
        (Setup::new().secrets(&secret), "okta.basic_secret is there twice"),
        (
            "providers = [{ kind = 'acs', senders = { default = 'CONTOSO' } }]".into(),
            "providers[1].senders.default is there twice",
        ),
        (
            Setup::new().secrets(
                "providers.acs.connection_string = 'endpoint=https://a.b/;accesskey=cHc='",
            ),
            "providers.acs.connection_string is there twice",
        ),
    ] {
        let hook = Hook::with(setup).await;
        post(&hook).await.failed(Form::Documented, 200, "misconfigured");
        let log = hook.log.hooks(1).await.remove(0);
        assert!(log["fix"].as_str().unwrap().contains(told), "{log}, not {told}");
    }
    let moved = Setup::new().secrets(&secret).variable("okta_basic_secret", "");
    post(&Hook::with(moved).await).await.accepted(Form::Documented);
}

#[tokio::test]
async fn a_previous_secret_that_is_wrong_is_a_warning_and_no_problem() {
    let secrets = format!("{DOORS}[okta]\nbasic_secret_previous = \" old-secret-c0ffee\"\n");
    let hook = with_documents("", &secrets).await;
    post(&hook).await.accepted(Form::Documented);
    let details = details(&hook).await;
    assert_eq!((&details["status"], &details["problems"]), (&json!("ok"), &json!([])));
    let warnings = details["warnings"].as_array().unwrap();
    let warning = warnings.iter().find(|it| it["key"] == "okta.basic_secret_previous").unwrap();
    assert_eq!((&warning["document"], &warning["line"]), (&json!("secrets"), &json!(6)));
}
