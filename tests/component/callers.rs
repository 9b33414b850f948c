//! Who may call: every way to prove it, over real headers.

use http_body_util::Full;
use hyper::header::{AUTHORIZATION, HeaderName};
use okta_telephony_acs::config::GROUPS;

use crate::harness::{Answer, Form, Hook, SECRET, basic, envelope};

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

#[tokio::test]
async fn each_secret_opens_the_hook_and_the_log_says_which_one_it_was() {
    let previous_basic = basic("okta", "previous-secret-c0ffee");
    for (variables, header, proof) in [
        (&[][..], ("authorization", basic("okta", SECRET)), "basic"),
        (
            &[("okta_basic_secret_previous", "previous-secret-c0ffee")],
            ("authorization", previous_basic.clone()),
            "basic_previous",
        ),
        (
            &[("okta_header_secret", HEADER_SECRET), ("okta_basic_secret", "")],
            ("authorization", HEADER_SECRET.to_owned()),
            "header",
        ),
        (
            &[("okta_header_secret", HEADER_SECRET), ("okta_header_name", "X-Okta-Key")],
            ("x-okta-key", HEADER_SECRET.to_owned()),
            "header",
        ),
        (
            &[
                ("okta_header_secret", "new-secret-c0ffee"),
                ("okta_header_secret_previous", HEADER_SECRET),
                ("okta_header_name", "auth_secret"),
            ],
            ("auth_secret", HEADER_SECRET.to_owned()),
            "header_previous",
        ),
    ] {
        let hook = Hook::with(variables).await;
        post(&hook, &[(header.0, &header.1)]).await.accepted(Form::Documented);
        assert_eq!(credential(&hook).await, proof);
    }
}

#[tokio::test]
async fn what_is_not_configured_or_not_right_is_401_with_a_challenge_for_each_way_that_is_on() {
    let right = basic("okta", SECRET);
    let header_only = [
        ("okta_basic_secret", ""),
        ("okta_header_secret", HEADER_SECRET),
        ("okta_header_name", "x-key"),
    ];
    let both = [("okta_header_secret", HEADER_SECRET), ("okta_header_name", "x-key")];
    let no_current = [("okta_basic_secret_previous", "previous-secret-c0ffee")];
    for (variables, headers, expected) in [
        (&[][..], &[][..], &["Basic"][..]),
        (&[], &[("x-key", HEADER_SECRET)], &["Basic"]),
        (&[], &[("authorization", "Bearer x.y.z")], &["Basic"]),
        (&header_only, &[("authorization", right.as_str())], &["Secret"]),
        (&header_only, &[("x-key", "header secret, 0123456789abcdef=")], &["Secret"]),
        (&header_only, &[("x-key", HEADER_SECRET), ("x-key", HEADER_SECRET)], &["Secret"]),
        (&both, &[("x-key", "")], &["Basic", "Secret"]),
        (&no_current, &[("authorization", "Basic b2t0YTo=")], &["Basic"]),
    ] {
        let hook = Hook::with(variables).await;
        let answer = post(&hook, headers).await;
        answer.failed(Form::Documented, 401, "unauthorized");
        assert_eq!(challenges(&answer), expected, "{variables:?} {headers:?}");
        assert!(hook.acs.requests().is_empty());
    }
}

#[tokio::test]
async fn with_no_way_on_nothing_is_sent_whatever_is_presented() {
    // A previous secret alone is none: it is for the time of a change.
    let hook = Hook::with(&[
        ("okta_basic_secret", ""),
        ("okta_basic_secret_previous", SECRET),
        ("okta_header_secret_previous", HEADER_SECRET),
    ])
    .await;
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
    let before: &[(&str, &str)] = &[];
    let during =
        &[("okta_basic_secret", "new-secret-c0ffee"), ("okta_basic_secret_previous", SECRET)];
    let after = &[("okta_basic_secret", "new-secret-c0ffee")];
    for (variables, presented, accepted) in [
        (before, &old, true),
        (during, &old, true),
        (during, &new, true),
        (after, &new, true),
        (after, &old, false),
    ] {
        let hook = Hook::with(variables).await;
        let answer = post(&hook, &[("authorization", presented)]).await;
        match accepted {
            true => drop(answer.accepted(Form::Documented)),
            false => answer.failed(Form::Documented, 401, "unauthorized"),
        }
    }
}

#[tokio::test]
async fn a_value_that_looks_like_the_next_variable_lets_nobody_in() {
    assert_eq!(GROUPS[0].variables[1..3], ["okta_basic_secret", "okta_header_secret"]);
    let value = format!("{SECRET}\u{1e}okta_header_secret=guessed");
    let hook = Hook::with(&[("okta_basic_secret", &value)]).await;
    let basics = [SECRET, "guessed", &value].map(|secret| basic("okta", secret));
    for authorization in basics.iter().map(String::as_str).chain(["guessed"]) {
        let answer = post(&hook, &[("authorization", authorization)]).await;
        answer.failed(Form::Documented, 200, "misconfigured");
    }
    assert!(hook.acs.requests().is_empty());
    let line = &hook.log.hooks(1).await[0];
    assert!(line["fix"].as_str().unwrap().contains("U+001E"), "{line}");
}

#[tokio::test]
async fn a_previous_secret_that_cannot_be_read_lets_nobody_in_and_the_log_says_so() {
    let hook = Hook::with(&[("okta_basic_secret_previous", "old\u{1e}")]).await;
    post(&hook, &[("authorization", &basic("okta", SECRET))]).await.accepted(Form::Documented);
    let answer = post(&hook, &[("authorization", &basic("okta", "old"))]).await;
    answer.failed(Form::Documented, 401, "unauthorized");
    assert!(!answer.text.contains("U+001E"), "{}", answer.text);
    let fix =
        hook.log.hooks(2).await.into_iter().find_map(|line| Some(line.get("fix")?.to_string()));
    assert!(fix.unwrap().contains("okta_basic_secret_previous"));
}
