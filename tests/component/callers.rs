//! Who may call: every way to prove it, over real headers.

use http_body_util::Full;
use hyper::header::{AUTHORIZATION, HeaderName};

use crate::harness::{Answer, Form, Hook, SECRET, Setup, basic, envelope};

const HEADER_SECRET: &str = "Header secret, 0123456789abcdef=";

/// Posts a hook with these headers and no other credentials.
async fn post(hook: &Hook, headers: &[(&str, &str)]) -> Answer {
    let body = Full::new(envelope("+15550100123").to_string().into());
    let mut request = hook.request().body(body).unwrap();
    request.headers_mut().remove(AUTHORIZATION);
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    hook.send(request).await
}

fn challenges(answer: &Answer) -> Vec<String> {
    let values = answer.headers.get_all("www-authenticate").iter();
    values.map(|value| value.to_str().unwrap().split(' ').next().unwrap().to_owned()).collect()
}

async fn credential(hook: &Hook) -> String {
    hook.log.hooks(1).await[0]["credential"].as_str().unwrap().to_owned()
}

/// Takes `HEADER_SECRET` in this header, beside Basic credentials.
fn with_header(name: &str) -> Setup {
    Setup::from(format!("okta.header_name = '{name}'"))
        .secrets(&format!("okta.header_secret = '{HEADER_SECRET}'"))
}

#[tokio::test]
async fn each_secret_opens_the_hook_and_the_log_says_which_one_it_was() {
    let previous_basic = basic("okta", "previous-secret-c0ffee");
    for (setup, header, proof) in [
        (Setup::new(), ("authorization", basic("okta", SECRET)), "basic"),
        (
            Setup::new().secrets("okta.basic_secret_previous = 'previous-secret-c0ffee'"),
            ("authorization", previous_basic.clone()),
            "basic_previous",
        ),
        (
            Setup::new()
                .secrets(&format!("okta.basic_secret = '{SECRET}'"))
                .variable("okta_basic_secret", ""),
            ("authorization", basic("okta", SECRET)),
            "basic",
        ),
        (
            with_header("Authorization").variable("okta_basic_secret", ""),
            ("authorization", HEADER_SECRET.to_owned()),
            "header",
        ),
        (with_header("X-Okta-Key"), ("x-okta-key", HEADER_SECRET.to_owned()), "header"),
        (
            Setup::from("okta.header_name = 'auth_secret'").secrets(&format!(
                "okta.header_secret = 'new-secret-c0ffee'
                 okta.header_secret_previous = '{HEADER_SECRET}'"
            )),
            ("auth_secret", HEADER_SECRET.to_owned()),
            "header_previous",
        ),
    ] {
        let hook = Hook::with(setup).await;
        post(&hook, &[(header.0, &header.1)]).await.accepted(Form::Documented);
        assert_eq!(credential(&hook).await, proof);
    }
}

#[tokio::test]
async fn what_is_not_configured_or_not_right_is_401_with_a_challenge_for_each_way_that_is_on() {
    let right = basic("okta", SECRET);
    let basic_only = Setup::new();
    let both = with_header("x-key");
    let header_only = both.clone().variable("okta_basic_secret", "");
    let with_previous =
        Setup::new().secrets("okta.basic_secret_previous = 'previous-secret-c0ffee'");
    for (setup, headers, expected) in [
        (&basic_only, &[][..], &["Basic"][..]),
        (&basic_only, &[("x-key", HEADER_SECRET)], &["Basic"]),
        (&basic_only, &[("authorization", "Bearer x.y.z")], &["Basic"]),
        (&header_only, &[("authorization", right.as_str())], &["Secret"]),
        (&header_only, &[("x-key", "header secret, 0123456789abcdef=")], &["Secret"]),
        (&header_only, &[("x-key", HEADER_SECRET), ("x-key", HEADER_SECRET)], &["Secret"]),
        (&both, &[("x-key", "")], &["Basic", "Secret"]),
        (&with_previous, &[("authorization", "Basic b2t0YTo=")], &["Basic"]),
    ] {
        let hook = Hook::with(setup.clone()).await;
        let answer = post(&hook, headers).await;
        answer.failed(Form::Documented, 401, "unauthorized");
        assert_eq!(challenges(&answer), expected, "{headers:?}");
        assert!(hook.acs.requests().is_empty());
    }
}

#[tokio::test]
async fn with_no_way_on_nothing_is_sent_whatever_is_presented() {
    // A previous secret alone is none: it is for the time of a change.
    let previous = format!(
        "okta.basic_secret_previous = '{SECRET}'
         okta.header_secret_previous = '{HEADER_SECRET}'"
    );
    let hook = Hook::with(Setup::new().secrets(&previous).variable("okta_basic_secret", "")).await;
    for headers in
        [[("authorization", basic("okta", SECRET))], [("authorization", HEADER_SECRET.to_owned())]]
    {
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        post(&hook, &headers).await.failed(Form::Documented, 200, "misconfigured");
    }
    assert!(hook.acs.requests().is_empty());
}

#[tokio::test]
async fn a_secret_is_changed_without_a_gap() {
    let old = basic("okta", SECRET);
    let new = basic("okta", "new-secret-c0ffee");
    // Before, while Okta still has the old one, while it has the new one, and after.
    let before = Setup::new();
    let after = Setup::new().variable("okta_basic_secret", "new-secret-c0ffee");
    let during = after.clone().secrets(&format!("okta.basic_secret_previous = '{SECRET}'"));
    for (setup, presented, accepted) in [
        (&before, &old, true),
        (&during, &old, true),
        (&during, &new, true),
        (&after, &new, true),
        (&after, &old, false),
    ] {
        let hook = Hook::with(setup.clone()).await;
        let answer = post(&hook, &[("authorization", presented)]).await;
        match accepted {
            true => drop(answer.accepted(Form::Documented)),
            false => answer.failed(Form::Documented, 401, "unauthorized"),
        }
    }
}

#[tokio::test]
async fn a_previous_secret_that_is_wrong_locks_nobody_out_and_lets_nobody_in_and_the_log_says_so() {
    let previous = r#"okta.basic_secret_previous = "old-secret-c0ffee\n""#;
    let hook = Hook::with(Setup::new().secrets(previous)).await;
    post(&hook, &[("authorization", &basic("okta", SECRET))]).await.accepted(Form::Documented);
    let answer = post(&hook, &[("authorization", &basic("okta", "old-secret-c0ffee"))]).await;
    answer.failed(Form::Documented, 401, "unauthorized");
    assert!(!answer.text.contains("previous"), "{}", answer.text);
    let fix =
        hook.log.hooks(2).await.into_iter().find_map(|line| Some(line.get("fix")?.to_string()));
    assert!(fix.unwrap().contains("okta.basic_secret_previous"));
}
