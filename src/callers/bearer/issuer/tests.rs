use std::collections::BTreeMap;

use proptest::prelude::*;
use time::macros::datetime;

use super::discovery::{DOCUMENT_LIMIT, Document};
use super::*;
use crate::ports::fake::{AtOnce, FakeAnswer, FakeHost, ReadOnly};
use crate::ports::{BodyError, HttpClient, OutboundRequest, SendError};

type Outcome = (Duration, Result<FakeAnswer, SendError>);

const ISSUER: &str = "https://contoso.okta.com/oauth2/default";
const OPENID: &str = "https://contoso.okta.com/oauth2/default/.well-known/openid-configuration";
const OAUTH: &str =
    "https://contoso.okta.com/oauth2/default/.well-known/oauth-authorization-server";
const INSERTED: &str =
    "https://contoso.okta.com/.well-known/oauth-authorization-server/oauth2/default";
const KEYS: &str = "https://contoso.okta.com/oauth2/default/v1/keys";
const TIME: Duration = Duration::from_millis(2000);

fn issuer() -> Issuer {
    Issuer::parse(ISSUER, "").unwrap()
}

fn store_key() -> StoreKey {
    StoreKey::derive(b"secret")
}

fn metadata(issuer: &str, jwks_uri: &str) -> Outcome {
    FakeAnswer::of(200, &format!(r#"{{"issuer":"{issuer}","x":[{{}}],"jwks_uri":"{jwks_uri}"}}"#))
}

fn jwks(kid: &str) -> String {
    // The key of RFC 7515, appendix A.3.
    let [x, y] = [
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    ];
    format!(r#"{{"keys":[{{"kid":"{kid}","kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}]}}"#)
}

/// Keys with a `Cache-Control`.
fn key_set(kid: &str, cache_control: &'static str) -> Outcome {
    let (takes, answer) = FakeAnswer::of(200, &jwks(kid));
    let answer = answer
        .map(|answer| FakeAnswer { headers: vec![("cache-control", cache_control)], ..answer });
    (takes, answer)
}

fn hung() -> Outcome {
    (Duration::from_secs(60), Err(SendError::Broken))
}

fn not_found() -> Outcome {
    FakeAnswer::of(404, "")
}

/// A host on which the issuer has a key `a` that holds an hour.
fn host() -> FakeHost {
    FakeHost::default()
        .answering([])
        .answering_to(OPENID, [metadata(ISSUER, KEYS)])
        .answering_to(KEYS, [key_set("a", "max-age=3600")])
}

/// The same, an hour's keys being in the store since its `now`.
fn with_keys() -> FakeHost {
    let host = host();
    assert!(ask(&host, "a").is_ok());
    host.sent.borrow_mut().clear();
    host
}

/// The host, some seconds later.
fn later(mut host: FakeHost, seconds: i64) -> FakeHost {
    host.now += time::Duration::seconds(seconds);
    host.sent.borrow_mut().clear();
    host
}

/// The host, whose issuer does nothing else from now on.
fn always(host: FakeHost, outcome: Outcome) -> FakeHost {
    [OPENID, OAUTH, INSERTED, KEYS]
        .into_iter()
        .fold(host, |host, url| host.answering_to(url, [outcome.clone()]))
}

fn ask_through(issuer: &Issuer, kid: &str, ports: Ports<'_>) -> Result<Keys, KeysUnavailable> {
    let until = ports.clock.instant().plus(TIME);
    keys(issuer, |jwks| jwks.has(kid), &store_key(), ports, until)
}

fn ask(host: &FakeHost, kid: &str) -> Result<Keys, KeysUnavailable> {
    ask_through(&issuer(), kid, host.ports())
}

fn has(keys: &Keys, kid: &str) -> bool {
    keys.jwks.has(kid)
}

/// The URLs that were asked for, in order.
fn asked(host: &FakeHost) -> Vec<String> {
    let sent = host.sent.borrow();
    sent.iter().map(|sent| format!("https://{}{}", sent.authority, sent.path_and_query)).collect()
}

#[test]
fn an_issuer_is_kept_to_the_letter() {
    for (url, jwks_uri) in [
        ("https://contoso.okta.com", ""),
        ("https://Contoso.okta.com/", ""),
        ("https://login.microsoftonline.com/x/v2.0", "https://keys.example/k"),
        ("http://localhost:3000/a", "http://127.0.0.1/k"),
    ] {
        assert_eq!(Issuer::parse(url, jwks_uri).unwrap().url, url);
    }
}

#[test]
fn what_is_no_issuer_names_its_variable_and_the_fix_and_quotes_nothing() {
    for (url, jwks_uri, of_jwks_uri, fix) in [
        ("http://secret.example", "", false, "https://"),
        ("", "", false, "https://"),
        ("https://user:secret@a.example", "", false, "no user"),
        ("https://a.example/?secret", "", false, "no query"),
        ("https://a.example/#secret", "", false, "fragment"),
        ("https://secret..example/", "", false, "host"),
        ("https://a.example/secret path", "", false, "percent-encoded"),
        ("https://a.example", "http://secret.example", true, "https://"),
        ("https://a.example", "https://a.example?secret", true, "no query"),
    ] {
        let error = Issuer::parse(url, jwks_uri).unwrap_err();
        assert_eq!(error.of_jwks_uri, of_jwks_uri, "{url}");
        let (text, debug) = (error.to_string(), format!("{error:?}"));
        assert!(text.contains(fix) && !text.contains("secret"), "{url}: {text}");
        assert!(!debug.contains("secret"), "{debug}");
    }
}

#[test]
fn the_three_places_are_asked_in_order_with_get_and_the_one_that_answers_is_remembered() {
    let host = FakeHost::default()
        .answering_to(OPENID, [not_found()])
        .answering_to(OAUTH, [not_found()])
        .answering_to(INSERTED, [metadata(ISSUER, KEYS)])
        .answering_to(KEYS, [key_set("a", "max-age=3600")]);
    assert!(has(&ask(&host, "a").unwrap(), "a"));
    assert_eq!(asked(&host), [OPENID, OAUTH, INSERTED, KEYS]);
    for sent in &*host.sent.borrow() {
        assert_eq!((sent.method, sent.body.as_str()), ("GET", ""));
        assert_eq!(sent.headers, [("accept".to_owned(), "application/json".to_owned())]);
    }
    let host = later(host, 3600);
    assert!(!ask(&host, "a").unwrap().warnings.stale);
    assert_eq!(asked(&host), [INSERTED, KEYS]);
    // The place is not for ever.
    let host = later(host, 3600)
        .answering_to(INSERTED, [not_found()])
        .answering_to(OPENID, [metadata(ISSUER, KEYS)]);
    assert!(!ask(&host, "a").unwrap().warnings.stale);
    assert_eq!(asked(&host), [INSERTED, OPENID, KEYS]);
}

#[test]
fn an_issuers_last_slash_matters_to_iss_and_not_to_the_places() {
    let url = "https://contoso.okta.com/";
    let openid = "https://contoso.okta.com/.well-known/openid-configuration";
    let oauth = "https://contoso.okta.com/.well-known/oauth-authorization-server";
    for (said, taken) in [(url, true), ("https://contoso.okta.com", false)] {
        let host = FakeHost::default()
            .answering_to(openid, [metadata(said, KEYS)])
            .answering_to(oauth, [not_found()])
            .answering_to(KEYS, [key_set("a", "")]);
        let issuer = Issuer::parse(url, "").unwrap();
        assert_eq!(ask_through(&issuer, "a", host.ports()).is_ok(), taken, "{said}");
        // Without a path, the last two places are one.
        assert_eq!(asked(&host)[1], if taken { KEYS } else { oauth });
        assert_eq!(asked(&host).len(), 2);
    }
}

#[test]
fn a_configured_jwks_uri_saves_the_search() {
    let host = FakeHost::default().answering_to("https://keys.example/", [key_set("a", "")]);
    let issuer = Issuer::parse(ISSUER, "https://keys.example").unwrap();
    assert!(has(&ask_through(&issuer, "a", host.ports()).unwrap(), "a"));
    assert_eq!(asked(&host), ["https://keys.example/"]);
}

#[test]
fn metadata_that_is_another_issuers_or_leads_elsewhere_is_refused() {
    use KeysUnavailable::*;
    let elsewhere = |jwks_uri| (metadata(ISSUER, jwks_uri), KeysElsewhere);
    for (answer, error) in [
        (metadata("https://contoso.okta.com/oauth2/default/", KEYS), OtherIssuer),
        (metadata("https://CONTOSO.okta.com/oauth2/default", KEYS), OtherIssuer),
        (metadata("", KEYS), OtherIssuer),
        elsewhere("https://evil.example/keys"),
        elsewhere("http://contoso.okta.com/oauth2/default/v1/keys"),
        elsewhere("https://contoso.okta.com:8443/keys"),
        elsewhere("https://contoso.okta.com@evil.example/keys"),
        elsewhere("https://contoso.okta.com.evil.example/keys"),
        elsewhere("//contoso.okta.com/keys"),
        elsewhere("/keys"),
        (FakeAnswer::of(200, ""), NotMetadata),
        (FakeAnswer::of(200, "{}"), NotMetadata),
        (FakeAnswer::of(200, &format!(r#"["{ISSUER}","{KEYS}"]"#)), NotMetadata),
        (
            FakeAnswer::of(
                200,
                &format!(r#"{{"issuer":"x","issuer":"{ISSUER}","jwks_uri":"{KEYS}"}}"#),
            ),
            NotMetadata,
        ),
        (
            FakeAnswer::of(
                200,
                &format!(r#"{{"issuer":"{ISSUER}","jwks_uri":"{KEYS}","jwks_ur\u0069":"{KEYS}"}}"#),
            ),
            NotMetadata,
        ),
        (FakeAnswer::of(200, &"[".repeat(DOCUMENT_LIMIT)), NotMetadata),
        (FakeAnswer::of(200, &" ".repeat(DOCUMENT_LIMIT + 1)), TooLarge(Document::Metadata)),
        (FakeAnswer::of(302, ""), Status(Document::Metadata, 302)),
        (FakeAnswer::of(500, ""), Status(Document::Metadata, 500)),
    ] {
        let label = format!("{answer:?}");
        // The next places have none: what the first said is told.
        let host = always(host(), not_found()).answering_to(OPENID, [answer]);
        assert_eq!(ask(&host, "a").unwrap_err(), error, "{label}");
        assert_eq!(asked(&host), [OPENID, OAUTH, INSERTED], "{label}");
    }
}

#[test]
fn the_same_origin_may_be_written_otherwise_and_the_keys_may_have_a_query() {
    for jwks_uri in ["https://CONTOSO.okta.com:443/keys?p=1", "https://contoso.okta.com/keys?p=1"] {
        let host = host()
            .answering_to(OPENID, [metadata(ISSUER, jwks_uri)])
            .answering_to("https://contoso.okta.com/keys?p=1", [key_set("b", "")]);
        assert!(has(&ask(&host, "b").unwrap(), "b"), "{jwks_uri}");
    }
}

#[test]
fn keys_that_are_none_are_refused() {
    use KeysUnavailable::*;
    let many: Vec<_> = (0..33).map(|kid| format!(r#"{{"kid":"{kid}"}}"#)).collect();
    for (answer, error) in [
        (FakeAnswer::of(200, "garbage"), NotKeys),
        (FakeAnswer::of(200, &format!(r#"{{"keys":[{}]}}"#, many.join(","))), NotKeys),
        (FakeAnswer::of(200, &"x".repeat(1024 * 1024)), TooLarge(Document::Keys)),
        (FakeAnswer::of(301, &jwks("a")), Status(Document::Keys, 301)),
        (FakeAnswer::of(204, ""), Status(Document::Keys, 204)),
    ] {
        let host = host().answering_to(KEYS, [answer]);
        assert_eq!(ask(&host, "a").unwrap_err(), error);
    }
}

#[test]
fn a_host_that_can_not_be_reached_is_asked_once_and_the_log_says_what_to_do() {
    for (error, fix) in [
        (SendError::NotAllowed, "outbound_host3 to https://contoso.okta.com, and"),
        (SendError::NotConnected, "look at oauth.issuer"),
        (SendError::Untrusted, "CA certificates"),
        (SendError::Broken, "status"),
        (SendError::Late, "in time"),
    ] {
        let host = always(host(), (Duration::from_millis(1), Err(error)));
        let text = ask(&host, "a").unwrap_err().to_string();
        assert!(text.contains(fix), "{text}");
        assert_eq!(asked(&host), [OPENID]);
    }
}

#[test]
fn a_hung_or_trickling_issuer_ends_in_time() {
    let start = host().instant.get();
    // Two thirds for the metadata, all the rest for the keys.
    let host = always(host(), hung());
    assert_eq!(ask(&host, "a").unwrap_err(), KeysUnavailable::Late);
    assert_eq!(host.instant.get().since(start), TIME / 3 * 2);
    let host = self::host().answering_to(KEYS, [hung()]);
    assert_eq!(ask(&host, "a").unwrap_err(), KeysUnavailable::Late);
    assert_eq!(host.instant.get().since(start), TIME);
    for error in [BodyError::Late, BodyError::Broken] {
        let answer = FakeAnswer { status: 200, headers: Vec::new(), body: Err(error) };
        let host = self::host().answering_to(KEYS, [(Duration::ZERO, Ok(answer))]);
        assert!(ask(&host, "a").is_err());
    }
}

#[test]
fn without_the_time_to_hear_of_it_nobody_is_asked_and_nobody_is_blamed() {
    let host = host();
    let until = host.instant.get().plus(SHORTEST_FETCH - Duration::from_millis(1));
    let late = keys(&issuer(), |_| true, &store_key(), host.ports(), until);
    assert_eq!(late.unwrap_err(), KeysUnavailable::Late);
    assert!(host.sent.borrow().is_empty());
    assert!(ask(&host, "a").is_ok());
}

#[test]
fn kept_keys_are_used_until_they_expire_and_one_read_is_all() {
    let mut host = with_keys();
    for (seconds, due, requests) in [(0, false, 0), (3239, false, 0), (1, true, 0), (360, false, 2)]
    {
        host = later(host, seconds);
        host.store_calls.borrow_mut().clear();
        let keys = ask(&host, "a").unwrap();
        assert_eq!((keys.warnings, keys.refresh_due), (Warnings::default(), due), "{seconds}");
        assert_eq!(asked(&host).len(), requests, "{seconds}");
        // Told before it was asked, then written.
        assert_eq!(host.store_calls.borrow().len(), if requests == 0 { 1 } else { 3 });
    }
}

#[test]
fn a_store_key_names_and_guards_one_issuer_only() {
    let host = with_keys();
    let (name, value) = host.stored.borrow().clone().unwrap().pop_first().unwrap();
    let hash = name.strip_prefix("okta-telephony-acs/keys/").unwrap();
    assert!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
    // Whoever can write to the store moves one issuer's keys to another.
    let other = Issuer::parse(ISSUER, KEYS).unwrap();
    assert!(ask_through(&other, "a", host.ports()).is_ok());
    let stored = || host.stored.borrow().clone().unwrap();
    assert_eq!(stored().len(), 2);
    let names: Vec<_> = stored().into_keys().filter(|other| *other != name).collect();
    host.stored.borrow_mut().as_mut().unwrap().insert(names[0].clone(), value);
    assert!(ask_through(&other, "a", host.ports()).unwrap().warnings.tampered);
}

#[test]
fn a_tampered_value_is_a_miss_and_a_warning() {
    let host = with_keys();
    let (name, value) = host.stored.borrow().clone().unwrap().pop_first().unwrap();
    let mut values = vec![vec![], vec![1], value[..60].to_vec(), [&value[..], b" "].concat()];
    for at in [0, 1, 40, 50, value.len() - 1] {
        let mut changed = value.clone();
        changed[at] ^= 1;
        values.push(changed);
    }
    for changed in values {
        host.stored.borrow_mut().as_mut().unwrap().insert(name.clone(), changed);
        host.sent.borrow_mut().clear();
        let keys = ask(&host, "a").unwrap();
        assert_eq!(keys.warnings, Warnings { tampered: true, ..Warnings::default() });
        assert_eq!(asked(&host), [OPENID, KEYS]);
    }
    assert_eq!(ask(&host, "a").unwrap().warnings, Warnings::default());
}

#[test]
fn keys_that_the_issuer_had_a_day_ago_are_gone_on_with_and_older_ones_are_not() {
    let mut host = always(with_keys(), FakeAnswer::of(503, ""));
    for (seconds, there) in [(3600, true), (86_390, true), (10, false)] {
        host = later(host, seconds);
        match ask(&host, "a") {
            Ok(keys) => {
                let failed = KeysUnavailable::Status(Document::Metadata, 503);
                assert!(there && has(&keys, "a") && keys.warnings.stale && !keys.refresh_due);
                assert_eq!(keys.warnings.fetch_failed, Some(failed));
            }
            Err(_) => assert!(!there, "{seconds}"),
        }
        assert_eq!(asked(&host).len(), 3);
        host.sent.borrow_mut().clear();
        assert_eq!(ask(&host, "a").is_ok(), there);
        assert!(asked(&host).is_empty(), "an issuer that just failed is left alone");
    }
}

#[test]
fn a_hook_with_stale_keys_leaves_half_of_the_time_for_its_message() {
    let host = later(always(with_keys(), hung()), 3600);
    let start = host.instant.get();
    assert!(ask(&host, "a").unwrap().warnings.stale);
    assert!(host.instant.get().since(start) <= TIME / 2);
}

#[test]
fn a_dead_issuer_is_asked_every_five_seconds_and_all_else_fails_at_once() {
    let mut host = always(host(), hung());
    assert_eq!(ask(&host, "a").unwrap_err(), KeysUnavailable::Late);
    for (seconds, requests) in [(0, 0), (4, 0), (1, 1), (4, 0), (1, 1)] {
        host = later(host, seconds);
        let start = host.instant.get();
        let error = ask(&host, "a").unwrap_err();
        assert_eq!(asked(&host).len(), requests);
        if requests == 0 {
            assert_eq!(error, KeysUnavailable::JustFailed);
            assert_eq!(host.instant.get(), start);
        }
    }
    let host = later(host, 5)
        .answering_to(OPENID, [metadata(ISSUER, KEYS)])
        .answering_to(KEYS, [key_set("a", "")]);
    assert!(ask(&host, "a").is_ok());
}

#[test]
fn hooks_beside_the_one_that_asks_a_dead_issuer_fail_at_once_and_at_a_cold_start_they_ask_too() {
    let (issuer, key) = (issuer(), store_key());
    let announce = |host: &FakeHost| Cache::read(&issuer, &key, host.ports()).announce();
    let cold = host();
    assert!(announce(&cold));
    assert!(ask(&cold, "a").is_ok());
    let dead = always(host(), hung());
    assert!(ask(&dead, "a").is_err());
    let dead = later(dead, 5);
    assert!(announce(&dead));
    assert_eq!(ask(&dead, "a").unwrap_err(), KeysUnavailable::JustFailed);
    assert!(asked(&dead).is_empty());
    // A failure of long ago is no reason.
    let dead = later(dead, 55);
    assert!(announce(&dead));
    assert_eq!(ask(&dead, "a").unwrap_err(), KeysUnavailable::Late);
}

#[test]
fn a_thousand_invented_kids_are_one_fetch_a_minute_and_hold_nobody_up() {
    let mut host = later(with_keys(), 60);
    let mut requests = 0;
    for n in 0..1000 {
        host = later(host, i64::from(n % 10 == 0));
        let keys = ask(&host, &format!("forged-{n}")).unwrap();
        assert!(has(&keys, "a") && keys.warnings == Warnings::default());
        let start = host.instant.get();
        requests += asked(&host).len();
        host.sent.borrow_mut().clear();
        assert!(has(&ask(&host, "a").unwrap(), "a"));
        assert_eq!((asked(&host).len(), host.instant.get()), (0, start));
    }
    // In 100 seconds.
    assert_eq!(requests, 2 * 2);
}

#[test]
fn a_new_key_is_found_by_the_first_token_that_names_it() {
    let host = later(with_keys(), 60).answering_to(KEYS, [key_set("b", "max-age=3600")]);
    assert!(has(&ask(&host, "b").unwrap(), "b"));
    assert_eq!(asked(&host), [OPENID, KEYS]);
    // If somebody had it asked within the minute, after that.
    let host = later(host, 59).answering_to(KEYS, [key_set("c", "max-age=3600")]);
    assert!(!has(&ask(&host, "c").unwrap(), "c"));
    assert!(asked(&host).is_empty());
    assert!(has(&ask(&later(host, 1), "c").unwrap(), "c"));
}

#[test]
fn keys_of_no_use_replace_none_that_are_held() {
    let empty = || FakeAnswer::of(200, r#"{"keys":[]}"#);
    let host = later(with_keys(), 3600 - 100).answering_to(KEYS, [empty()]);
    refresh(&issuer(), &store_key(), host.ports());
    assert_eq!(asked(&host), [OPENID, KEYS]);
    let keys = ask(&host, "a").unwrap();
    assert!(has(&keys, "a"));
    let keys = ask(&later(host, 60), "invented").unwrap();
    assert!(has(&keys, "a"));
    assert_eq!(keys.warnings.fetch_failed, Some(KeysUnavailable::NotKeys));
}

#[test]
fn a_failed_search_for_a_new_key_costs_no_other_token_its_key() {
    let host = later(always(with_keys(), hung()), 60);
    let keys = ask(&host, "b").unwrap();
    assert_eq!(keys.warnings.fetch_failed, Some(KeysUnavailable::Late));
    assert!(!keys.warnings.stale && has(&keys, "a"));
    host.sent.borrow_mut().clear();
    assert_eq!(ask(&host, "a").unwrap().warnings, Warnings::default());
    assert!(ask(&host, "b").is_ok() && asked(&host).is_empty());
}

#[test]
fn that_a_hook_asks_is_known_to_the_others_before_it_does() {
    for (seconds, kid) in [(3600, "a"), (3600, "b"), (60, "b")] {
        let host = later(with_keys(), seconds);
        let asked = std::cell::Cell::new(0);
        // Another hook, while the issuer is being asked.
        let http = AtOnce(|request: &OutboundRequest<'_>, until| {
            let before = host.sent.borrow().len();
            let keys = ask(&host, kid).unwrap();
            assert!(has(&keys, "a") && keys.warnings.fetch_failed.is_none());
            assert_eq!(host.sent.borrow().len(), before);
            asked.set(asked.get() + 1);
            HttpClient::send(&host, request, until)
        });
        assert!(ask_through(&issuer(), kid, Ports { http: &http, ..host.ports() }).is_ok());
        assert_eq!(asked.get(), 2, "{seconds} {kid}");
    }
}

#[test]
fn keys_that_another_hook_brought_meanwhile_are_not_lost_by_a_failure() {
    let host = host();
    // An issuer that breaks for one hook when another one has its keys.
    let broken = AtOnce(|_: &OutboundRequest<'_>, _| {
        assert!(ask(&host, "a").is_ok());
        Err(SendError::Broken)
    });
    let ports = Ports { http: &broken, ..host.ports() };
    assert_eq!(ask_through(&issuer(), "a", ports).unwrap_err(), KeysUnavailable::Broken);
    host.sent.borrow_mut().clear();
    assert!(has(&ask(&host, "a").unwrap(), "a"));
    assert!(asked(&host).is_empty());
}

#[test]
fn a_store_that_fails_has_each_hook_ask_and_is_told() {
    let host = host();
    host.stored.replace(None);
    for _ in 0..2 {
        host.sent.borrow_mut().clear();
        host.store_calls.borrow_mut().clear();
        let keys = ask(&host, "a").unwrap();
        assert!(has(&keys, "a") && keys.warnings.store_failed && !keys.refresh_due);
        assert_eq!(asked(&host).len(), 2);
        assert_eq!(host.store_calls.borrow().len(), 1, "a store that fails is not asked again");
    }
    assert_eq!(ask(&always(host, hung()), "a").unwrap_err(), KeysUnavailable::Late);
}

#[test]
fn a_store_that_can_not_be_written_lets_no_invented_kid_ask() {
    let host = later(with_keys(), 60);
    let ports = Ports { store: &ReadOnly(&host), ..host.ports() };
    let keys = ask_through(&issuer(), "b", ports).unwrap();
    assert!(has(&keys, "a") && keys.warnings.store_failed);
    assert!(asked(&host).is_empty());
    // Stale keys are asked for, for this hook only.
    let host = later(host, 3600);
    let ports = Ports { store: &ReadOnly(&host), ..host.ports() };
    let keys = ask_through(&issuer(), "a", ports).unwrap();
    assert!(keys.warnings.store_failed && !keys.warnings.stale);
    assert_eq!(asked(&host).len(), 2);
}

#[test]
fn a_clock_that_goes_back_makes_hooks_ask_and_locks_nobody_out() {
    for back in [1, 3600, 70 * 365 * 86_400] {
        let host = later(with_keys(), -back);
        let keys = ask(&host, "a").unwrap();
        assert_eq!((keys.warnings, asked(&host).len()), (Warnings::default(), 2), "{back}");
        let host = later(always(with_keys(), hung()), -back);
        assert!(ask(&host, "a").unwrap().warnings.stale);
        // A failure in the future is none.
        let dead = always(self::host(), hung());
        assert!(ask(&dead, "a").is_err());
        let dead = later(dead, -back);
        assert_eq!(ask(&dead, "a").unwrap_err(), KeysUnavailable::Late, "{back}");
    }
}

#[test]
fn a_clock_before_1970_still_asks() {
    let host = FakeHost { now: datetime!(1960-01-01 00:00 UTC), ..host() };
    assert!(ask(&host, "a").is_ok());
}

#[test]
fn a_refresh_in_the_last_tenth_keeps_hooks_from_ever_asking() {
    let host = later(with_keys(), 3239);
    refresh(&issuer(), &store_key(), host.ports());
    assert!(asked(&host).is_empty(), "not due");
    let host = later(host, 1);
    assert!(ask(&host, "a").unwrap().refresh_due);
    refresh(&issuer(), &store_key(), host.ports());
    assert_eq!(asked(&host), [OPENID, KEYS]);
    let host = later(host, 3239);
    let keys = ask(&host, "a").unwrap();
    assert_eq!((keys.warnings, keys.refresh_due), (Warnings::default(), false));
    assert!(asked(&host).is_empty());
}

#[test]
fn a_refresh_ends_after_two_seconds_and_its_failure_is_nobodys() {
    let host =
        later(always(with_keys(), hung()), 3240).answering_to(OPENID, [metadata(ISSUER, KEYS)]);
    let start = host.instant.get();
    refresh(&issuer(), &store_key(), host.ports());
    assert_eq!(host.instant.get().since(start), REFRESH_TIME);
    let keys = ask(&host, "a").unwrap();
    assert_eq!((keys.warnings, keys.refresh_due), (Warnings::default(), false));
    // Once a minute.
    assert!(!ask(&later(shared(&host), 59), "a").unwrap().refresh_due);
    assert!(ask(&later(host, 60), "a").unwrap().refresh_due);
}

/// Another host with the same time and store.
fn shared(host: &FakeHost) -> FakeHost {
    FakeHost { now: host.now, stored: host.stored.clone(), ..self::host() }
}

#[test]
fn a_refresh_without_a_store_asks_nobody() {
    let host = later(with_keys(), 3240);
    refresh(&issuer(), &store_key(), Ports { store: &ReadOnly(&host), ..host.ports() });
    host.stored.replace(None);
    refresh(&issuer(), &store_key(), host.ports());
    assert!(asked(&host).is_empty());
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let answer = prop_oneof![
        Just(metadata(ISSUER, KEYS)),
        Just(key_set("a", "max-age=3600")),
        Just(key_set("b", "no-store")),
        "\\PC{0,40}|[\\[\\]{}\":,a-z]{0,40}".prop_map(|body| FakeAnswer::of(200, &body)),
        (100u16..600).prop_map(|status| FakeAnswer::of(status, "{}")),
        prop::sample::select(vec![
            SendError::NotAllowed,
            SendError::NotConnected,
            SendError::Untrusted,
            SendError::Broken,
            SendError::Late,
        ])
        .prop_map(|error| (Duration::ZERO, Err(error))),
    ];
    (0u64..3000, answer).prop_map(|(takes, (_, answer))| (Duration::from_millis(takes), answer))
}

proptest! {
    #[test]
    fn whatever_is_stored_and_answered_the_time_is_kept_and_no_foreign_key_gets_in(
        outcomes in prop::collection::vec(any_outcome(), 4),
        stored in prop::option::of(prop::collection::vec(any::<u8>(), 0..120)),
        seconds in prop::option::of(-100_000i64..200_000),
        left in 0u64..2500,
        kid in "[ab]",
    ) {
        let host = match seconds {
            Some(seconds) => later(with_keys(), seconds),
            None => host(),
        };
        let (name, _) = with_keys().stored.take().unwrap().pop_first().unwrap();
        if let Some(stored) = &stored {
            host.stored.borrow_mut().as_mut().unwrap().insert(name, stored.clone());
        }
        host.answers_to.replace(BTreeMap::new());
        let host = [OPENID, OAUTH, INSERTED, KEYS]
            .into_iter()
            .zip(outcomes)
            .fold(host, |host, (url, outcome)| host.answering_to(url, [outcome]));
        let (start, left) = (host.instant.get(), Duration::from_millis(left));
        let wanted = |jwks: &Jwks| jwks.has(&kid);
        let found = keys(&issuer(), wanted, &store_key(), host.ports(), start.plus(left));
        prop_assert!(host.instant.get().since(start) <= left);
        prop_assert!(host.sent.borrow().len() <= 4);
        match found {
            Ok(keys) => prop_assert_eq!(keys.warnings.tampered, stored.is_some()),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
        let start = host.instant.get();
        refresh(&issuer(), &store_key(), host.ports());
        prop_assert!(host.instant.get().since(start) <= REFRESH_TIME);
    }

    #[test]
    fn any_metadata_leads_to_the_issuers_own_host_or_nowhere(
        jwks_uri in "(https?://)?(contoso.okta.com|evil.example|[a-z@:/.#?\\\\]){0,4}",
    ) {
        let text = format!(r#"{{"issuer":"{ISSUER}","jwks_uri":{}}}"#, serde_json::json!(jwks_uri));
        if let Ok(url) = discovery::jwks_uri(text.as_bytes(), &issuer()) {
            prop_assert_eq!(url.origin(), "https://contoso.okta.com");
        }
    }

    #[test]
    fn any_text_is_an_issuer_or_not(url in "\\PC*|https://[a-z.:/?#@]{0,20}", jwks_uri in "\\PC*") {
        if let Ok(issuer) = Issuer::parse(&url, &jwks_uri) {
            prop_assert_eq!(&issuer.url, &url);
        }
    }
}
