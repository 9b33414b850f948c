//! OAuth 2.0: which tokens open the hook, and what an issuer can do to it. The tokens are signed by
//! other code than the component checks them with.

use std::time::Duration;

use futures_util::future::join_all;
use http_body_util::Full;
use hyper::header::AUTHORIZATION;
use okta_telephony_dev::authorization_server::{
    Algorithm, AuthorizationServer, DEVELOPMENT_CLIENT_ID, Endpoint, Fault, Flavour, Seal,
    Settings, SigningKey, seal,
};
use serde_json::{Value, json};

use crate::harness::{Answer, Form, Hook, SECRET, Setup, basic, envelope, until};

/// "Okta waits 3 seconds" (Okta's "Inline hooks" concept page).
const OKTA_WAITS: Duration = Duration::from_secs(3);

/// Takes the tokens of this server, and nothing else.
pub fn tokens_of(server: &AuthorizationServer) -> Setup {
    Setup::from(format!(
        "okta.oauth.issuer = '{}'
         okta.oauth.client_id = '{DEVELOPMENT_CLIENT_ID}'",
        server.issuer()
    ))
    .variable("okta_basic_secret", "")
    .variable("outbound_host2", server.url())
}

/// A hook that takes the tokens of this server.
struct WithIssuer {
    server: AuthorizationServer,
    hook: Hook,
}

impl WithIssuer {
    async fn start(flavour: Flavour, more: impl Into<Setup>) -> Self {
        let loopback = "127.0.0.1:0".parse().unwrap();
        let settings = Settings { flavour, ..Settings::new(loopback) };
        let server = AuthorizationServer::start(settings).await.unwrap();
        let own = tokens_of(&server)
            .settings("okta.oauth.scope = 'telephony'")
            // What is shown here is not how often a number may be tried.
            .settings("limits.per_number = ''");
        let hook = Hook::with(own.and(more)).await;
        Self { server, hook }
    }

    async fn okta() -> Self {
        Self::start(Flavour::Okta, Setup::new()).await
    }

    async fn post(&self, token: &str) -> Answer {
        self.post_as(&format!("Bearer {token}")).await
    }

    async fn post_as(&self, authorization: &str) -> Answer {
        let body = Full::new(envelope("+15550100123").to_string().into());
        let mut request = self.hook.request().body(body).unwrap();
        request.headers_mut().insert(AUTHORIZATION, authorization.parse().unwrap());
        self.hook.send(request).await
    }

    fn fetches(&self) -> usize {
        self.server.requests(Endpoint::Keys)
    }

    /// The server's own claims with a change.
    fn claims(&self, change: Value) -> Value {
        changed(self.server.claims(), change)
    }

    /// The server's own header with a change.
    fn header(&self, change: Value) -> Value {
        changed(self.server.header(), change)
    }

    /// Asserts that no part of a token is in the log, which tells of each mistake and of each call that was let in.
    async fn assert_unlogged(&self, tokens: &[String]) {
        let last = self.post(&self.server.token()).await.accepted(Form::Documented);
        until(|| self.hook.log.lines().iter().any(|line| line.contains(&last)).then_some(())).await;
        let log = self.hook.log.lines().join("\n");
        assert!(!log.contains(DEVELOPMENT_CLIENT_ID) && !log.contains("0oaother"));
        for part in tokens.iter().flat_map(|token| token.split('.')) {
            let part = part.get(..16).unwrap_or(part);
            assert!(part.is_empty() || !log.contains(part), "{part}");
        }
    }

    fn now(&self) -> i64 {
        self.server.claims()["iat"].as_i64().unwrap()
    }
}

/// An object with other members, or without those that are null.
fn changed(mut object: Value, change: Value) -> Value {
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => drop(object.as_object_mut().unwrap().remove(name)),
            value => object[name] = value.clone(),
        }
    }
    object
}

#[tokio::test]
async fn tokens_by_what_they_claim() {
    let it = WithIssuer::okta().await;
    let now = it.now();
    let mut posted = Vec::new();
    for (change, accepted) in [
        (json!({}), true),
        // Time.
        (json!({"exp": now - 60}), true),
        (json!({"exp": now - 180}), false),
        (json!({"exp": null}), false),
        (json!({"exp": now as f64 + 300.5}), true),
        (json!({"exp": "soon"}), false),
        (json!({"exp": 1e300}), false),
        (json!({"exp": -1}), false),
        (json!({"nbf": now + 60}), true),
        (json!({"nbf": now + 180}), false),
        (json!({"iat": now + 180}), false),
        (json!({"iat": null}), true),
        // Issuer and audience.
        (json!({"iss": "https://example.com"}), false),
        (json!({"iss": format!("{}/", it.server.issuer())}), false),
        (json!({"iss": null}), false),
        (json!({"aud": "api://other"}), false),
        (json!({"aud": ["api://other", "api://default"]}), true),
        (json!({"aud": []}), false),
        (json!({"aud": null}), false),
        // Client.
        (json!({"cid": "0oaother"}), false),
        (json!({"cid": null}), false),
        (
            json!({"cid": null, "azp": DEVELOPMENT_CLIENT_ID, "idtyp": "app", "scp": null, "roles": ["telephony"]}),
            true,
        ),
        (json!({"azp": "0oaother"}), false),
        (json!({"appid": "0oaother"}), false),
        (json!({"uid": "00uperson"}), false),
        (json!({"cnf": {"jkt": "x"}}), false),
        // Scope.
        (json!({"scp": ["other"]}), false),
        (json!({"scp": "other telephony"}), true),
        (json!({"scp": null, "scope": "telephony"}), true),
        (json!({"scp": null, "roles": ["telephony"]}), true),
        (json!({"scp": null}), false),
        (json!({"scp": ["telephony.read"]}), false),
        // What does not matter.
        (json!({"jti": null}), true),
        (json!({"ver": null, "x": {"y": [1, null]}}), true),
    ] {
        let token = it.server.mint(&it.claims(change.clone()));
        let answer = it.post(&token).await;
        posted.push(token);
        match accepted {
            true => drop(answer.accepted(Form::Documented)),
            false => answer.failed(Form::Documented, 401, "unauthorized"),
        }
        println!("| {change} | {} |", if accepted { "accepted" } else { "401" });
    }
    assert!(posted.len() > 30);
    assert_eq!(it.fetches(), 1, "the keys are kept");
    it.assert_unlogged(&posted).await;
}

#[tokio::test]
async fn tokens_by_how_they_are_signed() {
    let it = WithIssuer::okta().await;
    let key = it.server.current_key();
    let claims = it.server.claims();
    let sealed = |header: Value, by: Seal<'_>| seal(&it.header(header), &claims, by);
    let stranger = SigningKey::new(Algorithm::Rs256);
    let good = it.server.token();
    let parts: Vec<_> = good.split('.').collect();
    let other_payload = it.server.mint(&it.claims(json!({"sub": "x"})));
    let other_payload = other_payload.split('.').nth(1).unwrap();
    let wrong_curve = SigningKey::new(Algorithm::Es384);
    let mut posted = Vec::new();
    for (what, token, accepted) in [
        ("as it should be", good.clone(), true),
        ("typ at+jwt", sealed(json!({"typ": "application/at+jwt"}), Seal::Key(&key)), true),
        (
            "jku, jwk and x5u ignored",
            sealed(
                json!({"jku": "https://example.com", "jwk": stranger.public_jwk(), "x5u": "https://example.com"}),
                Seal::Key(&key),
            ),
            true,
        ),
        (
            "a stranger's jwk in the header",
            sealed(json!({"jwk": stranger.public_jwk()}), Seal::Key(&stranger)),
            false,
        ),
        ("alg none", sealed(json!({"alg": "none"}), Seal::Bytes(b"")), false),
        ("alg none in capitals", sealed(json!({"alg": "None"}), Seal::Bytes(b"")), false),
        ("no alg", sealed(json!({"alg": null}), Seal::Key(&key)), false),
        (
            "HS256 with the public key as its secret",
            sealed(json!({"alg": "HS256"}), Seal::Hmac(key.public_pem().as_bytes())),
            false,
        ),
        (
            "RS256 said, HMAC made",
            sealed(json!({}), Seal::Hmac(key.public_pem().as_bytes())),
            false,
        ),
        ("RS512", sealed(json!({"alg": "RS512"}), Seal::Key(&key)), false),
        ("crit", sealed(json!({"crit": ["exp"]}), Seal::Key(&key)), false),
        ("no kid, and one key that fits", sealed(json!({"kid": null}), Seal::Key(&key)), true),
        ("an unknown kid", sealed(json!({"kid": "nobody's"}), Seal::Key(&key)), false),
        ("another's signature", sealed(json!({}), Seal::Key(&stranger)), false),
        ("ES256 said of an RSA key", sealed(json!({"alg": "ES256"}), Seal::Key(&key)), false),
        (
            "a wrong curve",
            seal(
                &json!({"alg": "ES256", "kid": wrong_curve.kid()}),
                &claims,
                Seal::Key(&wrong_curve),
            ),
            false,
        ),
        ("another payload", format!("{}.{other_payload}.{}", parts[0], parts[2]), false),
        ("truncated", good[..good.len() - 8].to_owned(), false),
        ("without a signature", format!("{}.{}.", parts[0], parts[1]), false),
        ("two parts", format!("{}.{}", parts[0], parts[1]), false),
        ("an opaque one", "00opaque-token".to_owned(), false),
        ("over 8 KiB", it.server.mint(&it.claims(json!({"x": "x".repeat(9000)}))), false),
    ] {
        let answer = it.post(&token).await;
        posted.push(token);
        match accepted {
            true => drop(answer.accepted(Form::Documented)),
            false => answer.failed(Form::Documented, 401, "unauthorized"),
        }
        println!("| {what} | {} |", if accepted { "accepted" } else { "401" });
    }
    it.assert_unlogged(&posted).await;
}

#[tokio::test]
async fn a_refused_token_is_told_so_and_a_missing_one_is_not() {
    let it = WithIssuer::okta().await;
    let challenge =
        |answer: &Answer| answer.headers["www-authenticate"].to_str().unwrap().to_owned();
    let realm = r#"Bearer realm="okta-telephony""#;
    assert_eq!(challenge(&it.post_as("").await), realm);
    assert_eq!(challenge(&it.post_as(&basic("okta", SECRET)).await), realm);
    assert_eq!(challenge(&it.post("x.y.z").await), format!(r#"{realm}, error="invalid_token""#));
    let narrow = it.server.mint(&it.claims(json!({"scp": ["other"]})));
    assert_eq!(challenge(&it.post(&narrow).await), format!(r#"{realm}, error="invalid_token""#));
    let forged = seal(&it.server.header(), &it.server.claims(), Seal::Bytes(b"forged"));
    assert_eq!(challenge(&it.post(&forged).await), format!(r#"{realm}, error="invalid_token""#));
}

#[tokio::test]
async fn the_log_says_of_each_mistake_in_a_set_up_what_it_is() {
    let it = WithIssuer::okta().await;
    let [with_slash, org] =
        [format!("{}/", it.server.issuer()), it.server.issuer().replace("/oauth2/default", "")];
    let auth0 = json!({
        "azp": DEVELOPMENT_CLIENT_ID, "sub": format!("{DEVELOPMENT_CLIENT_ID}@clients"), "scope": "telephony",
        "gty": "client-credentials", "cid": null, "scp": null,
    });
    let mistakes = [
        (json!({"iss": with_slash}), "differ in nothing but a slash"),
        (json!({"iss": org, "aud": org}), "the server that each Okta org has"),
        (json!({"aud": "default"}), "without its api://"),
        (auth0, "as Auth0 and Keycloak do not"),
    ];
    for (change, _) in &mistakes {
        let token = it.server.mint(&it.claims(change.clone()));
        it.post(&token).await.failed(Form::Documented, 401, "unauthorized");
    }
    // A line follows its answer, so the next one may come before it.
    let lines = it.hook.log.hooks(mistakes.len()).await;
    let fixes: Vec<_> = lines.iter().map(|line| line["fix"].as_str().unwrap()).collect();
    for (change, told) in &mistakes {
        let fix = fixes.iter().find(|fix| fix.contains(told));
        assert!(fix.is_some_and(|fix| !fix.contains("idtyp")), "{change}: {fixes:?}");
    }
}

#[tokio::test]
async fn es256_and_entra_work_too() {
    let it = WithIssuer::okta().await;
    let key = SigningKey::new(Algorithm::Es256);
    it.server.publish(key.public_jwk());
    let header = json!({"alg": "ES256", "kid": key.kid()});
    it.post(&seal(&header, &it.server.claims(), Seal::Key(&key))).await.accepted(Form::Documented);

    let entra = Flavour::Entra { tenant: "6f0d1f3e-0f0a-4c5e-9b59-3c3f0f4d8a21".into() };
    let it = WithIssuer::start(entra, Setup::new()).await;
    it.post(&it.server.token()).await.accepted(Form::Documented);
    let v1 = it.claims(json!({"iss": "https://sts.windows.net/x/", "azp": null, "appid": DEVELOPMENT_CLIENT_ID, "ver": "1.0"}));
    it.post(&it.server.mint(&v1)).await.failed(Form::Documented, 401, "unauthorized");
    let user = it.claims(json!({"scp": "telephony", "roles": null, "sub": "somebody"}));
    it.post(&it.server.mint(&user)).await.failed(Form::Documented, 401, "unauthorized");
}

#[tokio::test]
async fn a_key_that_is_on_its_way_out_still_holds_beside_the_new_one() {
    let it = WithIssuer::okta().await;
    let old = it.server.token();
    it.server.rotate();
    it.post(&it.server.token()).await.accepted(Form::Documented);
    it.post(&old).await.accepted(Form::Documented);
    assert_eq!(it.fetches(), 1);
}

#[tokio::test]
async fn of_two_keys_of_one_name_each_is_tried() {
    let it = WithIssuer::okta().await;
    let namesake = SigningKey::new(Algorithm::Rs256);
    let mut jwk = namesake.public_jwk();
    jwk["kid"] = it.server.current_key().kid().into();
    it.server.publish(jwk);
    it.post(&it.server.token()).await.accepted(Form::Documented);
    let claims = it.server.claims();
    let by_namesake = seal(&it.server.header(), &claims, Seal::Key(&namesake));
    it.post(&by_namesake).await.accepted(Form::Documented);
}

#[tokio::test]
async fn a_thousand_forged_key_ids_cost_no_fetch_each() {
    let it = WithIssuer::okta().await;
    it.post(&it.server.token()).await.accepted(Form::Documented);
    let key = it.server.current_key();
    let claims = it.server.claims();
    let forged: Vec<_> = (0..1000)
        .map(|n| seal(&it.header(json!({"kid": format!("forged-{n}")})), &claims, Seal::Key(&key)))
        .collect();
    for some in forged.chunks(50) {
        for answer in join_all(some.iter().map(|token| it.post(token))).await {
            answer.failed(Form::Documented, 401, "unauthorized");
        }
    }
    it.post(&it.server.token()).await.accepted(Form::Documented);
    println!("1000 forged kids: {} fetches", it.fetches());
    // The first token's, and one a minute on a slow machine.
    assert!(it.fetches() <= 3, "{}", it.fetches());
}

#[tokio::test]
async fn an_issuer_that_cannot_be_heard_is_told_in_time_and_with_its_cause() {
    let metadata =
        [Endpoint::OpenidConfiguration, Endpoint::OauthMetadata, Endpoint::OauthMetadataInserted];
    let keys = [Endpoint::Keys];
    for (endpoints, fault, cause) in [
        (&keys[..], Fault::Status(500), "answered 500 to the request for its keys"),
        (&keys, Fault::Redirect, "answered 302 to the request for its keys"),
        (&keys, Fault::Hang, "had not answered in time"),
        (&keys, Fault::Cut, "broke before it had answered"),
        (&keys, Fault::Trickle, "had not answered in time"),
        (&keys, Fault::Garbage, "keys"),
        (&keys, Fault::Huge, "have more than"),
        (&metadata, Fault::Hang, "had not answered in time"),
        (&metadata, Fault::Status(404), "answered 404 to the request for its metadata"),
        (&metadata, Fault::Member("issuer", json!("https://example.com")), "another issuer"),
        (&metadata, Fault::Member("jwks_uri", json!("https://example.com/keys")), "jwks_uri"),
        (&metadata, Fault::Garbage, "not JSON with one issuer"),
    ] {
        let it = WithIssuer::okta().await;
        let label = format!("{} {fault:?}", endpoints.len());
        for endpoint in endpoints {
            it.server.set_fault(*endpoint, Some(fault.clone()));
        }
        let answer = it.post(&it.server.token()).await;
        println!("| {label} | {} ms |", answer.elapsed.as_millis());
        assert!(answer.elapsed < OKTA_WAITS, "{label}: {:?}", answer.elapsed);
        answer.failed(Form::Documented, 200, "issuer_unavailable");
        let line = it.hook.log.hooks(1).await.remove(0);
        assert!(line["fix"].as_str().unwrap().contains(cause), "{label}: {line}");
        assert_eq!(it.server.requests(Endpoint::Elsewhere), 0, "no redirect is followed");
    }
}

#[tokio::test]
async fn metadata_is_found_in_each_of_its_places() {
    for missing in [
        &[][..],
        &[Endpoint::OpenidConfiguration],
        &[Endpoint::OpenidConfiguration, Endpoint::OauthMetadata],
    ] {
        let it = WithIssuer::okta().await;
        for endpoint in missing {
            it.server.set_fault(*endpoint, Some(Fault::Status(404)));
        }
        it.post(&it.server.token()).await.accepted(Form::Documented);
    }
    let it = WithIssuer::okta().await;
    let server = it.server;
    let keys = format!("okta.oauth.jwks_uri = '{}'", server.jwks_uri());
    let hook = Hook::with(tokens_of(&server).settings(&keys)).await;
    let it = WithIssuer { server, hook };
    it.post(&it.server.token()).await.accepted(Form::Documented);
    assert_eq!(it.server.requests(Endpoint::OpenidConfiguration), 0);
}

#[tokio::test]
async fn basic_works_beside_tokens_and_no_token_reaches_the_log() {
    let it =
        WithIssuer::start(Flavour::Okta, Setup::new().variable("okta_basic_secret", SECRET)).await;
    it.post_as(&basic("okta", SECRET)).await.accepted(Form::Documented);
    assert_eq!(it.fetches(), 0);
    let token = it.server.token();
    it.post(&token).await.accepted(Form::Documented);
    let forged = format!("{}x", &token[..token.len() - 1]);
    it.post(&forged).await;
    let lines = it.hook.log.hooks(3).await;
    assert_eq!(
        (&lines[0]["credential"], &lines[1]["credential"]),
        (&json!("basic"), &json!("oauth"))
    );
    let text = it.hook.log.lines().join("\n");
    for part in token.split('.') {
        assert!(!text.contains(&part[..20]), "{text}");
    }
    assert!(!text.contains(DEVELOPMENT_CLIENT_ID));
}

#[tokio::test]
async fn a_host_that_may_not_be_asked_is_named() {
    let elsewhere = Setup::new().variable("outbound_host2", "https://example.com");
    let it = WithIssuer::start(Flavour::Okta, elsewhere).await;
    let answer = it.post(&it.server.token()).await;
    answer.failed(Form::Documented, 200, "issuer_unavailable");
    let line = it.hook.log.hooks(1).await.remove(0);
    let allow = format!("outbound_host3 to {}", it.server.url());
    assert!(line["fix"].as_str().unwrap().contains(&allow), "{line}");
    assert!(!answer.text.contains("outbound_host"), "{}", answer.text);
}
