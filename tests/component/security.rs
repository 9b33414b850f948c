//! What SECURITY.md claims: each claim has a test, each test is there, and the doors are apart.

use std::fs;
use std::path::Path;

use http_body_util::Full;
use hyper::Method;
use hyper::header::AUTHORIZATION;

use crate::harness::{Hook, SECRET, basic, envelope};
use crate::okta_events::{self, EVENT_SECRET};
use crate::reports::{self, OPERATOR_SECRET, REPORT_SECRET};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The tests that a text names: paths in backticks, as `cargo test` prints them.
fn named(text: &str) -> Vec<&str> {
    let spans = text.split('`').skip(1).step_by(2);
    spans
        .filter(|span| {
            let is_word = |word: &str| {
                !word.is_empty()
                    && word
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            };
            span.contains("::") && span.split("::").all(is_word)
        })
        .collect()
}

/// The files that a module's tests may be in: `a::b::tests` is src/a/b.rs, or src/a/b/tests.rs, and `a` is
/// tests/component/a.rs, or src/a.rs where that has nothing but tests.
fn files(module: &str) -> Vec<String> {
    let path = module.replace("::", "/");
    match path.strip_suffix("/tests") {
        Some(tested) => vec![format!("src/{tested}.rs"), format!("src/{path}.rs")],
        None => vec![format!("tests/component/{path}.rs"), format!("src/{path}.rs")],
    }
}

/// Whether a file has a test of that name that runs each time.
fn has_test(text: &str, name: &str) -> bool {
    let start = format!("fn {name}(");
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let is_it =
        |line: &str| line.split_once(&start).is_some_and(|(before, _)| !before.contains("//"));
    let Some(at) = lines.iter().position(|line| is_it(line)) else { return false };
    let above = lines[..at].iter().rev();
    let attributes: Vec<_> =
        above.take_while(|line| line.starts_with("#[") || line.starts_with("//")).collect();
    attributes.iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
        && !attributes.iter().any(|line| line.starts_with("#[ignore"))
}

#[test]
fn each_test_that_the_threat_model_names_exists() {
    let page = read("SECURITY.md");
    let named = named(&page);
    let missing: Vec<_> = named
        .iter()
        .filter(|test| {
            let (module, name) = test.rsplit_once("::").unwrap();
            !files(module).iter().any(|file| {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
                fs::read_to_string(path).is_ok_and(|text| has_test(&text, name))
            })
        })
        .collect();
    assert!(missing.is_empty(), "SECURITY.md names what is no test: {missing:#?}");
    assert!(named.len() > 40, "only {} tests were recognised", named.len());
}

#[test]
fn each_claim_of_the_threat_model_names_its_test() {
    let page = read("SECURITY.md");
    let model = page.split("## What stops whom").nth(1).unwrap().split("\n## ").next().unwrap();
    let claims: Vec<_> = model
        .lines()
        .filter(|line| line.starts_with("| ") && !line.ends_with("| held by |"))
        .collect();
    let unproven: Vec<_> = claims
        .iter()
        .filter(|row| named(row.trim_end_matches(" |").rsplit(" | ").next().unwrap()).is_empty())
        .collect();
    assert!(unproven.is_empty(), "without a test: {unproven:#?}");
    assert!(claims.len() > 15, "only {} claims were found", claims.len());
}

#[test]
fn a_test_that_is_not_there_or_does_not_run_is_found() {
    let text = "#[test]\nfn runs() {}\n#[test]\n#[ignore = \"slow\"]\nfn waits() {}\nfn helps() {}\n\
                // fn told() {}\n#[tokio::test(flavor = \"multi_thread\")]\n/// Why.\nasync fn runs_too() {}\n";
    assert!(has_test(text, "runs") && has_test(text, "runs_too"));
    for name in ["waits", "helps", "told", "run", "gone"] {
        assert!(!has_test(text, name), "{name}");
    }
    assert_eq!(
        named("`a::b`, `A::b`, `a::b()`, `a`, a::c, `a::tests::d_1`"),
        ["a::b", "a::tests::d_1"]
    );
}

/// The secrets of Okta's two hooks, the operator's and Event Grid's, each at each door, in each place where that door looks.
#[tokio::test]
async fn each_secret_opens_its_own_door_and_no_other() {
    let header_secret = "header-secret-c0ffee";
    let hook = Hook::with(
        okta_events::setup()
            .settings("okta.header_name = 'x-hook-secret'")
            .secrets(&format!("okta.header_secret = '{header_secret}'")),
    )
    .await;
    let secrets = [SECRET, header_secret, OPERATOR_SECRET, REPORT_SECRET, EVENT_SECRET];
    for secret in secrets {
        for user in ["okta", "operator", "events"] {
            let mut request = hook
                .request()
                .body(Full::new(envelope("+15550100123").to_string().into()))
                .unwrap();
            request.headers_mut().insert(AUTHORIZATION, basic(user, secret).parse().unwrap());
            let status = hook.send(request).await.status;
            assert_eq!(
                status == 200,
                user == "okta" && secret == SECRET,
                "{user} {secret}: {status}"
            );

            let credentials = basic(user, secret);
            let headers = [("authorization", credentials.as_str())];
            for page in ["/api/health/details", "/api/deliveries"] {
                let status = reports::ask(&hook, Method::GET, page, &headers, "").await.status;
                let opens = user == "operator" && secret == OPERATOR_SECRET;
                assert_eq!(status == 200, opens, "{page} {user} {secret}: {status}");
            }
            let opens = user == "events" && secret == EVENT_SECRET;
            assert_eq!(takes_events(&hook, &credentials).await, opens, "{user} {secret}");
        }
        let mut request =
            hook.request().body(Full::new(envelope("+15550100123").to_string().into())).unwrap();
        request.headers_mut().remove(AUTHORIZATION);
        request.headers_mut().insert("x-hook-secret", secret.parse().unwrap());
        let status = hook.send(request).await.status;
        assert_eq!(status == 200, secret == header_secret, "x-hook-secret {secret}: {status}");

        assert_eq!(takes_events(&hook, secret).await, secret == EVENT_SECRET, "{secret}");
        let opens = secret == REPORT_SECRET;
        for (path, headers) in [
            (reports::PATH.to_owned(), vec![("x-report-secret", secret)]),
            (format!("{}?code={secret}", reports::PATH), vec![]),
        ] {
            let status = reports::ask(&hook, Method::POST, &path, &headers, "[]").await.status;
            assert_eq!(status == 200, opens, "{path} {secret}: {status}");
        }
    }
    assert_eq!(hook.acs.messages().len(), 2);
}

/// Whether events are taken with this value of `Authorization`.
async fn takes_events(hook: &Hook, authorization: &str) -> bool {
    let headers = [("authorization", authorization)];
    let delivery = okta_events::delivery(&[]);
    reports::ask(hook, Method::POST, okta_events::PATH, &headers, delivery).await.status == 204
}
