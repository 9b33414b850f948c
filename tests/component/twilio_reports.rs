//! Twilio's status callbacks: whose are taken, what is answered, and what becomes of a message by them.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use hyper::Method;
use okta_telephony_dev::twilio_emulator::{Callbacks, DEVELOPMENT_ACCOUNT_SID};
use serde_json::{Value, json};
use sha1::Sha1;

use crate::harness::{Answer, Form, Hook, Setup, envelope, until, until_told};
use crate::reports::{REPORT_SECRET, ask, delivery, look_up, setup};
use crate::twilio_request;

pub const PATH: &str = "/api/delivery-reports/twilio";
const PUBLIC: &str = "https://hook.example.com/okta/api/delivery-reports/twilio";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const OTHER_TOKEN: &str = "fedcba9876543210fedcba9876543210";
const SID: &str = "SM0123456789abcdef0123456789abcdef";

/// The signature of what these texts are together.
fn sign(token: &str, signed: &[&str]) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap();
    signed.iter().for_each(|text| mac.update(text.as_bytes()));
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// A hook of an account that nothing is sent with here.
fn of_account(secrets: &str) -> Setup {
    setup()
        .settings("public_url = 'https://hook.example.com/okta'")
        .settings(&format!(
            "providers = [{{ kind = 'twilio', account_sid = '{DEVELOPMENT_ACCOUNT_SID}', senders = {{ default = '12345' }} }}]"
        ))
        .secrets(&format!(
            "providers.twilio = {{ api_key_sid = 'SK0123456789abcdef0123456789abcdef', api_key_secret = 'k', {secrets} }}"
        ))
        .variable("acs_connection_string", "")
        .variable("acs_from_shortcode", "")
}

async fn start() -> Hook {
    let tokens = format!("auth_token = '{TOKEN}', auth_token_previous = '{OTHER_TOKEN}'");
    Hook::with(of_account(&tokens)).await
}

async fn deliver(hook: &Hook, target: &str, signature: &str, body: &str) -> Answer {
    let headers = [
        ("x-twilio-signature", signature),
        ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
    ];
    ask(hook, Method::POST, target, &headers, body.to_owned()).await
}

/// A callback, in the order of names in which it is signed.
fn form(status: &str) -> (String, String) {
    (
        format!("MessageSid={SID}&MessageStatus={status}&To=%2B14155552345"),
        format!("MessageSid{SID}MessageStatus{status}To+14155552345"),
    )
}

#[tokio::test]
async fn only_who_has_an_auth_token_delivers_and_what_comes_again_is_a_503() {
    let hook = start().await;
    let (good, signed) = form("delivered");
    let right = sign(TOKEN, &[PUBLIC, &signed]);
    let with_port = PUBLIC.replace(".com/", ".com:443/");
    let of_query = sign(TOKEN, &[PUBLIC, "?tag=okta%3A1", &signed]);
    let bad = "MessageStatus=sent";
    let json = "{\"a\":1}";
    let hash = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";
    let of_json = format!("{PATH}?bodySHA256={hash}");
    let large = format!("a={}", "b".repeat(64 * 1024));
    #[rustfmt::skip]
    let rows: &[(&str, String, &str, u16, &str)] = &[
        (PATH, right.clone(), &good, 200, "signature"),
        (PATH, sign(TOKEN, &[&with_port, &signed]), &good, 200, "signature"),
        (PATH, sign(OTHER_TOKEN, &[PUBLIC, &signed]), &good, 200, "signature_previous"),
        ("/api/delivery-reports/twilio?tag=okta%3A1", of_query.clone(), &good, 200, "signature"),
        (PATH, sign(TOKEN, &[PUBLIC, "MessageStatussent"]), bad, 400, "signature"),
        (&of_json, sign(TOKEN, &[PUBLIC, "?bodySHA256=", hash]), json, 400, "signature"),
        (PATH, right.clone(), &large, 413, ""),
        // Of another body, another query, another URL, another token, and none.
        (PATH, right.clone(), bad, 401, ""),
        ("/api/delivery-reports/twilio?tag=okta%3A2", of_query, &good, 401, ""),
        (PATH, sign(TOKEN, &["https://hook.example.com", PATH, &signed]), &good, 401, ""),
        (PATH, sign(TOKEN, &["http://hook.example.com/okta", PATH, &signed]), &good, 401, ""),
        (PATH, sign(REPORT_SECRET, &[PUBLIC, &signed]), &good, 401, ""),
        (PATH, String::new(), &good, 401, ""),
        (PATH, "x".repeat(28), &good, 401, ""),
    ];
    for (target, signature, body, status, credential) in rows {
        let before = hook.log.lines().len();
        let answer = deliver(&hook, target, signature, body).await;
        assert_eq!(answer.status, *status, "{target} {signature} {body:.40}");
        if !credential.is_empty() {
            let line = until(|| hook.log.lines().get(before).cloned()).await;
            assert!(line.contains(&format!(r#""credential":"{credential}""#)), "{line}");
        }
    }
    let secret = [("x-report-secret", REPORT_SECRET)];
    assert_eq!(ask(&hook, Method::POST, PATH, &secret, good.clone()).await.status, 401);
    let answer = ask(&hook, Method::GET, PATH, &[], "").await;
    assert_eq!((answer.status, &answer.headers["allow"]), (405, &"POST".parse().unwrap()));
    // What a stranger brings is not counted.
    let list = look_up(&hook, "/api/deliveries?format=json").await;
    let list: Value = serde_json::from_str(&list.text).unwrap();
    assert_eq!((&list["unreadable"]["count"], &list["count"]), (&json!(2), &json!(1)), "{list}");
    assert!(hook.log.lines().iter().all(|line| !line.contains("4155552345")));

    let without = Hook::with(of_account("")).await;
    assert_eq!(deliver(&without, PATH, &right, &good).await.status, 503);
    let told = until(|| without.log.lines().pop()).await;
    assert!(told.contains("auth_token of a provider"), "{told}");
}

#[tokio::test]
async fn sent_does_not_undo_delivered_and_what_is_known_is_no_news() {
    let hook = start().await;
    // A name that nobody knows yet, and two values of one.
    let more = "&AddedLater=%C3%A9&AddedLater=a";
    for (status, is_signed_more) in [
        ("sent", false),
        ("delivered", true),
        ("sent", false),
        ("delivered", false),
        ("queued", false),
    ] {
        let (body, signed) = form(status);
        let (body, added) = match is_signed_more {
            true => (body + more, "AddedLateraAddedLateré"),
            false => (body, ""),
        };
        let answer = deliver(&hook, PATH, &sign(TOKEN, &[PUBLIC, added, &signed]), &body).await;
        assert_eq!(answer.status, 200, "{status}");
    }
    assert_eq!(delivery(&hook, SID).await["status"], "delivered");
    let mut lines = hook.log.hooks(9).await;
    lines.retain(|line| line["event"] == "delivery_report");
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line["status"].as_str().unwrap(), line.get("known").is_some()))
        .collect();
    let expected =
        [("unconfirmed", false), ("delivered", false), ("unconfirmed", true), ("delivered", true)];
    assert_eq!(told, expected);
    // That a message is on its way is documented, and that no date comes with it.
    assert!(lines.iter().all(|line| line.get("warnings").is_none()), "{lines:?}");
}

#[tokio::test]
async fn a_message_by_twilio_is_seen_from_accepted_to_delivered_while_the_token_is_changed() {
    let emulator = twilio_request::start().await;
    let account = twilio_request::sent_by(&emulator, "senders = { default = '+15550100100' }")
        .secrets(&format!("providers.twilio.auth_token_previous = '{OTHER_TOKEN}'"));
    let hook = Hook::with(setup().and(account)).await;
    let callbacks = Callbacks {
        to: Some(hook.host.url()),
        delay: Duration::ZERO,
        copies: 2,
        ..Callbacks::default()
    };
    emulator.set_callbacks(callbacks).unwrap();
    for (number, status, code) in [
        ("+447400123456", "delivered", Value::Null),
        ("+15550106002", "delivered", Value::Null),
        ("+15550106001", "unconfirmed", Value::Null),
        ("+15550107003", "failed", json!("twilio-30003")),
    ] {
        let envelope = envelope(number);
        let id = hook.post(envelope.to_string()).await.accepted(Form::Documented);
        let delivery = until_told(async || {
            let delivery = delivery(&hook, &id).await;
            let is_there = delivery["status"] == status && !delivery["acceptedAt"].is_null();
            if is_there { Ok(delivery) } else { Err(delivery.to_string()) }
        })
        .await;
        assert_eq!((&delivery["provider"], &delivery["code"]), (&json!("twilio"), &code));
        assert_eq!(delivery["oktaEventId"], envelope["eventId"]);
        // The secondary token becomes the primary one.
        emulator.promote_auth_token(OTHER_TOKEN);
    }
    until(|| emulator.reports().iter().all(|it| it.answers == [Some(200); 2]).then_some(())).await;
    let lines = hook.log.lines().concat();
    assert!(lines.contains(r#""credential":"signature""#), "{lines}");
    assert!(lines.contains(r#""credential":"signature_previous""#), "{lines}");
    for secret in [DEVELOPMENT_ACCOUNT_SID, "7400123456", OTHER_TOKEN] {
        assert!(!lines.contains(secret), "{lines}");
    }
}

#[tokio::test]
async fn what_became_of_a_call_is_seen_too() {
    let emulator = twilio_request::start().await;
    let entry = "senders = { default = '+15550100100' }, voice = true, voice_from = '+15550100100'";
    let hook = Hook::with(setup().and(twilio_request::sent_by(&emulator, entry))).await;
    let callbacks =
        Callbacks { to: Some(hook.host.url()), delay: Duration::ZERO, ..Callbacks::default() };
    emulator.set_callbacks(callbacks).unwrap();
    for (number, status) in [("+447400123456", "delivered"), ("+15550107003", "failed")] {
        let mut envelope = envelope(number);
        envelope["data"]["messageProfile"]["deliveryChannel"] = "voice call".into();
        let id = hook.post(envelope.to_string()).await.accepted(Form::Documented);
        assert!(id.starts_with("CA"), "{id}");
        until_told(async || {
            let delivery = delivery(&hook, &id).await;
            let is_there = delivery["status"] == status && !delivery["acceptedAt"].is_null();
            if is_there { Ok(()) } else { Err(delivery.to_string()) }
        })
        .await;
    }
}

#[tokio::test]
async fn the_account_is_not_in_telemetry_either() {
    let emulator = twilio_request::start().await;
    let hook = Hook::with_acs(|acs| {
        let sink = acs.application_insights_connection_string();
        twilio_request::sent_by(&emulator, "senders = { default = '+15550100100' }")
            .secrets(&format!("application_insights.connection_string = '{sink}'"))
            .variable("outbound_host2", acs.origin())
    })
    .await;
    hook.post(envelope("+447400123456").to_string()).await.accepted(Form::Documented);
    let items = until(|| Some(hook.acs.telemetry()).filter(|items| items.len() >= 2)).await;
    let items = json!(items).to_string();
    assert!(items.contains("/2010-04-01/Accounts/{AccountSid}/Messages.json"), "{items}");
    assert!(!items.contains(DEVELOPMENT_ACCOUNT_SID), "{items}");
}
