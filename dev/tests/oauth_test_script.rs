//! scripts/oauth-test.sh against the authorization server, and something that takes the hook's place
//! and whatever token it is shown. Skipped where there is no bash or no curl.

use std::path::Path;
use std::process::Output;

use okta_telephony_dev::authorization_server::{AuthorizationServer, Endpoint, Fault, Settings};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::common::skipped;

mod common;

/// Runs the script; `None` where it can't.
async fn oauth_test(hook: &str, environment: &[(&str, &str)]) -> Option<Output> {
    for tool in ["bash", "curl"] {
        if Command::new(tool).arg("--version").output().await.is_err() {
            skipped(&format!("scripts/oauth-test.sh was not run, since {tool} is not installed"));
            return None;
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/oauth-test.sh");
    let mut command = Command::new("bash");
    for name in ["TO", "TOKEN_URL", "CLIENT_ID", "CLIENT_SECRET", "SCOPE"] {
        command.env_remove(name);
    }
    command.arg(script).arg(hook).envs(environment.iter().copied());
    Some(command.output().await.unwrap())
}

async fn start() -> AuthorizationServer {
    AuthorizationServer::start(Settings::new(([127, 0, 0, 1], 0).into())).await.unwrap()
}

/// Gives the URL of a hook that gives this one answer, and what it was asked.
async fn stub_hook(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        // The sample's last line.
        while !request.ends_with(b"\n}") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
        }
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
        stream.write_all([head.as_bytes(), answer.as_bytes()].concat().as_slice()).await.unwrap();
        String::from_utf8(request).unwrap()
    });
    (url, asked)
}

#[tokio::test]
async fn the_token_goes_to_the_hook_and_not_to_the_screen() {
    let server = start().await;
    let (hook, asked) = stub_hook(r#"{"commands":[{"value":[{"status":"SUCCESSFUL"}]}]}"#).await;
    let token_url = server.token_endpoint();
    let Some(output) = oauth_test(&hook, &[("TOKEN_URL", &token_url)]).await else { return };
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(stdout.lines().last(), Some("accepted"));
    assert!(stdout.contains("token_type") && stdout.contains("\"…\""), "{stdout}");
    let request = asked.await.unwrap();
    assert!(request.starts_with("POST /api/okta-telephony HTTP/1.1\r\n"), "{request}");
    let token = request.split_once("Authorization: Bearer ").unwrap().1.split_once("\r\n").unwrap();
    assert_eq!(token.0.split('.').count(), 3, "{request}");
    assert!(token.0.split('.').all(|part| !stdout.contains(part)), "{stdout}");
    assert!(!request.contains("2026-01-31T12:00:00.000Z"), "the dates are fresh: {request}");
}

#[tokio::test]
async fn a_client_of_ones_own_may_have_any_characters() {
    let secret = "a\\b\"c&d=e%f+g h";
    let settings = Settings {
        client_id: "me".into(),
        client_secret: secret.into(),
        scopes: vec!["a".into(), "b".into()],
        ..Settings::new(([127, 0, 0, 1], 0).into())
    };
    let server = AuthorizationServer::start(settings).await.unwrap();
    let token_url = server.token_endpoint();
    let own = [
        ("TOKEN_URL", token_url.as_str()),
        ("CLIENT_ID", "me"),
        ("CLIENT_SECRET", secret),
        ("SCOPE", "a b"),
    ];
    // Nothing is a hook there.
    let Some(output) = oauth_test(server.url(), &own).await else { return };
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stdout.contains("HTTP 200") && stdout.contains("a b"), "{stdout}");
    assert_eq!(stdout.lines().last(), Some("NOT accepted"));
    assert!(!stdout.contains("eyJ"), "{stdout}");
    assert_eq!(server.requests(Endpoint::Unknown), 1);
}

#[tokio::test]
async fn without_a_token_no_hook_is_asked() {
    let server = start().await;
    let token_url = server.token_endpoint();
    let wrong = [("TOKEN_URL", token_url.as_str()), ("CLIENT_SECRET", "wrong")];
    let Some(output) = oauth_test(server.url(), &wrong).await else { return };
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stdout.contains("HTTP 401") && stdout.contains("invalid_client"), "{stdout}");

    // Nor is one asked with what is no token, whatever it may do to curl's configuration.
    let odd = Fault::Member("access_token", json!("a\nurl = b"));
    for fault in [Fault::Garbage, Fault::Status(500), odd] {
        server.set_fault(Endpoint::Token, Some(fault));
        let output = oauth_test(server.url(), &[("TOKEN_URL", &token_url)]).await.unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(stdout.lines().last(), Some("NO token"));
    }
    assert_eq!(server.requests(Endpoint::Unknown), 0);
}

#[tokio::test]
async fn beyond_loopback_it_demands_https_credentials_and_a_recipient_and_sends_nothing() {
    for (hook, environment, said) in [
        ("http://hook.example", &[][..], "use https"),
        ("https://hook.example", &[], "set TO"),
        ("http://127.0.0.1:9", &[("TOKEN_URL", "http://login.example/token")], "use https"),
        ("http://127.0.0.1:9", &[("TOKEN_URL", "https://login.example/token")], "set CLIENT_ID"),
        (
            "http://127.0.0.1:9",
            &[("TOKEN_URL", "https://login.example/token"), ("CLIENT_ID", "me")],
            "set CLIENT_SECRET",
        ),
    ] {
        let Some(output) = oauth_test(hook, environment).await else { return };
        assert_eq!(output.status.code(), Some(2), "{environment:?}: {output:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(said), "{environment:?}: {stderr}");
    }
}
