//! scripts/curl-test.sh against the hook. Skipped where there is no bash or no curl.

use std::path::Path;
use std::process::Output;

use okta_telephony_dev::authorization_server::{self, AuthorizationServer};
use tokio::process::Command;

use crate::harness::{Form, Hook, SECRET, Setup, envelope, skipped};
use crate::infobip_request;
use crate::oauth::tokens_of;

/// Runs the script; `None` where it can't.
async fn curl_test(url: &str, environment: &[(&str, &str)]) -> Option<Output> {
    curl_test_with(&[url], environment).await
}

async fn curl_test_with(arguments: &[&str], environment: &[(&str, &str)]) -> Option<Output> {
    for tool in ["bash", "curl"] {
        if Command::new(tool).arg("--version").output().await.is_err() {
            skipped(&format!("scripts/curl-test.sh was not run, since {tool} is not installed"));
            return None;
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/curl-test.sh");
    let mut command = Command::new("bash");
    command.arg(script).args(arguments).env_remove("TO").env_remove("OKTA_USER");
    command.env("OKTA_BASIC_SECRET", "").envs(environment.iter().copied());
    Some(command.output().await.unwrap())
}

#[tokio::test]
async fn both_samples_are_accepted_and_two_runs_make_four_messages() {
    let hook = Hook::start().await;
    for run in 1..=2 {
        let Some(output) = curl_test(&hook.host.url(), &[("OKTA_BASIC_SECRET", SECRET)]).await
        else {
            return;
        };
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(stdout.lines().filter(|line| *line == "accepted").count(), 2, "{stdout}");
        assert_eq!(hook.acs.messages().len(), 2 * run);
    }
}

#[tokio::test]
async fn with_voice_it_asks_for_a_call_wherever_the_flag_stands() {
    let infobip = infobip_request::start().await;
    let entry = "senders = { default = 'InfoSMS' }, voice = true, voice_from = '+447860099299'";
    let hook = Hook::with(infobip_request::sent_by(&infobip, entry)).await;
    let url = hook.host.url();
    for (run, arguments) in [["--voice", &url], [&url, "--voice"]].iter().enumerate() {
        let ours = [("OKTA_BASIC_SECRET", SECRET)];
        let Some(output) = curl_test_with(arguments, &ours).await else { return };
        assert!(output.status.success(), "{output:?}");
        let messages = infobip.messages();
        assert_eq!(messages.len(), run + 1);
        assert!(messages.iter().all(|message| message.voice.is_some()));
    }
}

#[tokio::test]
async fn a_recipient_of_ones_own_is_written_into_both_samples() {
    let hook = Hook::start().await;
    let own = [("OKTA_BASIC_SECRET", SECRET), ("TO", "+447700900123")];
    let Some(output) = curl_test(&hook.host.url(), &own).await else { return };
    assert!(output.status.success(), "{output:?}");
    let messages = hook.acs.messages();
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().all(|message| message.to == "+447700900123"));
}

#[tokio::test]
async fn where_countries_are_allowed_a_recipient_of_one_must_be_given() {
    let hook = Hook::with("policy.allowed_countries = ['US', 'CA']").await;
    let mut environment = vec![("OKTA_BASIC_SECRET", SECRET)];
    let Some(output) = curl_test(&hook.host.url(), &environment).await else { return };
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("country_not_allowed"), "{output:?}");
    environment.push(("TO", "+14255550123"));
    let output = curl_test(&hook.host.url(), &environment).await.unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn where_only_okta_calls_the_bare_payload_is_refused() {
    let hook = Hook::with("okta.response_format = 'documented'").await;
    let ours = [("OKTA_BASIC_SECRET", SECRET)];
    let Some(output) = curl_test(&hook.host.url(), &ours).await else { return };
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stdout.contains("not_an_envelope"), "{stdout}");
    assert_eq!(hook.acs.messages().len(), 1);
}

#[tokio::test]
async fn it_fails_unless_both_are_accepted() {
    let hook = Hook::start().await;
    let Some(output) = curl_test(&hook.host.url(), &[]).await else { return };
    assert_eq!(output.status.code(), Some(1), "supersecret is not this hook's: {output:?}");
    let throttled = [("OKTA_BASIC_SECRET", SECRET), ("TO", "+15550101429")];
    let output = curl_test(&hook.host.url(), &throttled).await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[tokio::test]
async fn beyond_loopback_it_demands_https_a_secret_and_a_recipient_and_sends_nothing() {
    for url in ["http://hook.example", "http://127.0.0.1.example", "http://localhost.example:80"] {
        let Some(output) = curl_test(url, &[("OKTA_BASIC_SECRET", SECRET)]).await else { return };
        assert_eq!(output.status.code(), Some(2), "{url}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("use https"));
        let url = url.replace("http", "https");
        let output = curl_test(&url, &[]).await.unwrap();
        assert_eq!(output.status.code(), Some(2), "{url}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("set OKTA_BASIC_SECRET"));
        let output = curl_test(&url, &[("OKTA_BASIC_SECRET", SECRET)]).await.unwrap();
        assert_eq!(output.status.code(), Some(2), "{url}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("set TO"));
    }
}

/// Runs one of the operator's scripts; `None` where it can't.
async fn operator_script(name: &str, arguments: &[&str], hook: &Hook) -> Option<Output> {
    for tool in ["bash", "curl", "jq"] {
        if Command::new(tool).arg("--version").output().await.is_err() {
            skipped(&format!("scripts/{name} was not run, since {tool} is not installed"));
            return None;
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name);
    let mut command = Command::new("bash");
    command.arg(script).args(arguments);
    command.env("HOOK_URL", hook.host.url()).env("OPERATOR_SECRET", OPERATOR_SECRET);
    Some(command.output().await.unwrap())
}

const OPERATOR_SECRET: &str = "operator-5ecret \"of\\ the tests";

fn with_operator() -> Setup {
    Setup::new().secrets(&format!("operator.secret = '{OPERATOR_SECRET}'"))
}

#[tokio::test]
async fn a_configuration_is_checked_readably() {
    let hook = Hook::with(with_operator()).await;
    let Some(output) = operator_script("check-config.sh", &[], &hook).await else { return };
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(
        stdout.contains("WARNING  settings: policy.allowed_countries is not set, which"),
        "{stdout}"
    );
    assert_eq!(stdout.lines().last(), Some("ok"));
    assert!(!stdout.contains("WEBHOOK"), "{stdout}");

    let hook =
        Hook::with(with_operator().settings("public_url = 'https://hook.example.com/a'")).await;
    let output = operator_script("check-config.sh", &[], &hook).await.unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    for webhook in [
        "okta  https://hook.example.com/a/api/okta-telephony",
        "event_grid  https://hook.example.com/a/api/delivery-reports",
    ] {
        assert!(stdout.contains(&format!("WEBHOOK  {webhook}\n")), "{stdout}");
    }
    assert!(!stdout.contains("infobip"), "{stdout}");

    let wrong = "[okta]\n\ndeadline_ms = '2500'";
    let wrong = with_operator().variable("settings", wrong).variable("acs_from_shortcode", "");
    let hook = Hook::with(wrong).await;
    let output = operator_script("check-config.sh", &[], &hook).await.unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    for problem in ["settings line 3: okta.deadline_ms must be", "acs_from_shortcode is not set"] {
        assert!(stdout.contains(&format!("PROBLEM  {problem}")), "{stdout}");
    }
    assert_eq!(stdout.lines().last(), Some("misconfigured"));
}

#[tokio::test]
async fn a_number_is_explained_readably() {
    let hook = Hook::with(with_operator().settings("policy.allowed_countries = ['GB']")).await;
    for (arguments, code, expected) in [
        (&["+447400123456", "en-GB"][..], 0, "country          GB"),
        (&["+447400123456"], 0, "acs              from 12345, shortcode"),
        (&["+447400123456"], 0, "limits.per_number         0 used of 5/10m"),
        (&["--enrollment", "+447400123456"], 0, "limits.per_prefix         0 used of 30/1h"),
        (&["+33612345678"], 1, "reason           country_not_allowed"),
        (&["07400123456"], 1, "reason           invalid_phone_number"),
    ] {
        let Some(output) = operator_script("explain.sh", arguments, &hook).await else { return };
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert!(stdout.contains(expected), "{arguments:?}: {stdout}");
    }
    assert!(hook.acs.requests().is_empty());
}

#[tokio::test]
async fn what_became_of_a_message_is_told_readably() {
    let hook = Hook::with(with_operator().settings("reports.ask_acs = true")).await;
    for (number, code, expected) in [
        ("+447400123456", 0, "status           delivered"),
        ("+15550104005", 1, "meaning          blocked by the carrier"),
        ("+15550106001", 1, "noReport         ACS has no report of this message"),
    ] {
        let id = hook.post(envelope(number).to_string()).await.accepted(Form::Documented);
        let Some(output) = operator_script("delivery.sh", &[&id], &hook).await else { return };
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(stdout.contains(expected), "{number}: {output:?}");
        assert_eq!(output.status.code(), Some(code), "{number}: {output:?}");
    }
    for (id, expected) in [
        ("20260131120000b5d9f6a2-70bf-4f77-925d-c0bdb5161bb3", "No message with this id"),
        ("../health", "the id must be one of a message"),
    ] {
        let output = operator_script("delivery.sh", &[id], &hook).await.unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && stderr.contains(expected), "{output:?}");
    }
}

#[tokio::test]
async fn a_hook_without_the_operators_secret_is_told_of() {
    let hook = Hook::start().await;
    for (script, arguments) in [
        ("check-config.sh", &[][..]),
        ("explain.sh", &["+447400123456"]),
        ("delivery.sh", &["20260131120000b5d9f6a2"]),
    ] {
        let Some(output) = operator_script(script, arguments, &hook).await else { return };
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("set operator.secret"));
    }
}

#[tokio::test]
async fn a_token_is_got_and_a_hook_posted_with_it() {
    let loopback = "127.0.0.1:0".parse().unwrap();
    let server = AuthorizationServer::start(authorization_server::Settings::new(loopback)).await;
    let server = server.unwrap();
    let scope = format!("okta.oauth.scope = '{}'", authorization_server::DEVELOPMENT_SCOPE);
    let hook = Hook::with(tokens_of(&server).settings(&scope)).await;
    for (secret, code) in [(authorization_server::DEVELOPMENT_CLIENT_SECRET, 0), ("wrong", 1)] {
        for tool in ["bash", "curl"] {
            if Command::new(tool).arg("--version").output().await.is_err() {
                return skipped(&format!("scripts/oauth-test.sh: {tool} is not installed"));
            }
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/oauth-test.sh");
        let mut command = Command::new("bash");
        command.arg(script).arg(hook.host.url()).env_remove("TO");
        command.env("TOKEN_URL", server.token_endpoint()).env("CLIENT_SECRET", secret);
        let output = command.output().await.unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(!String::from_utf8_lossy(&output.stdout).contains("eyJ"), "no token is shown");
    }
    assert_eq!(hook.acs.messages().len(), 1);
}
