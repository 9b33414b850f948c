//! The server over real sockets, by a client that is small enough to send anything. Signatures are
//! verified by other crates than the one that signs.

use super::*;

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL};
use rsa::BigUint;
use rsa::signature::Verifier as _;
use sha2::Sha256;
use time::macros::datetime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// For what has to happen; generous, since no test waits for it unless it fails.
const BOUND: Duration = Duration::from_secs(20);
/// For what must not happen.
const MOMENT: Duration = Duration::from_millis(300);

const OPENID: &str = "/oauth2/default/.well-known/openid-configuration";
const OAUTH: &str = "/oauth2/default/.well-known/oauth-authorization-server";
const INSERTED: &str = "/.well-known/oauth-authorization-server/oauth2/default";
const KEYS: &str = "/oauth2/default/v1/keys";
const TOKEN: &str = "/oauth2/default/v1/token";

fn settings() -> Settings {
    Settings::new(([127, 0, 0, 1], 0).into())
}

async fn start() -> AuthorizationServer {
    AuthorizationServer::start(settings()).await.unwrap()
}

fn entra() -> Settings {
    let tenant = "11111111-2222-4333-8444-555555555555".to_owned();
    Settings {
        flavour: Flavour::Entra { tenant },
        audience: "api-of-the-hook".into(),
        scopes: vec!["Telephony.Send".into()],
        ..settings()
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

async fn send(server: &AuthorizationServer, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn exchange(server: &AuthorizationServer, start: &str, headers: &str, body: &str) -> Answer {
    let mut stream = send(
        server,
        &format!(
            "{start} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n\
             {body}",
            server.address(),
            body.len()
        ),
    )
    .await;
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    tokio::time::timeout(BOUND, read).await.expect("an end").unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

async fn get(server: &AuthorizationServer, path: &str) -> Answer {
    exchange(server, &format!("GET {path}"), "", "").await
}

const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";
const GRANT: &str = "grant_type=client_credentials&scope=telephony";

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

async fn ask(server: &AuthorizationServer, headers: &str, body: &str) -> Answer {
    let path = server.token_endpoint().strip_prefix(server.url()).unwrap().to_owned();
    exchange(server, &format!("POST {path}"), &format!("{FORM}{headers}"), body).await
}

fn basic(id: &str, secret: &str) -> String {
    format!("authorization: Basic {}\r\n", BASE64.encode(format!("{id}:{secret}")))
}

fn good_basic() -> String {
    basic(DEVELOPMENT_CLIENT_ID, DEVELOPMENT_CLIENT_SECRET)
}

fn assert_refused(answer: &Answer, status: u16, error: &str, description: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["error"], error, "{answer:?}");
    let said = body["error_description"].as_str().unwrap();
    assert!(said.contains(description), "{said:?} has no {description:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

fn decoded(part: &str) -> Vec<u8> {
    BASE64URL.decode(part).unwrap()
}

fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(decoded);
    let mut next = || serde_json::from_slice(&parts.next().unwrap()).unwrap();
    (next(), next())
}

/// Whether the key of this JWK has signed the token, by the RustCrypto crates.
fn verifies(token: &str, jwk: &Value) -> bool {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = decoded(signature);
    let member = |name: &str| decoded(jwk[name].as_str().unwrap());
    match jwk["kty"].as_str().unwrap() {
        "RSA" => {
            let [n, e] = ["n", "e"].map(|name| BigUint::from_bytes_be(&member(name)));
            let key = rsa::RsaPublicKey::new(n, e).unwrap();
            let key = rsa::pkcs1v15::VerifyingKey::<Sha256>::new(key);
            let signature = rsa::pkcs1v15::Signature::try_from(&*signature).unwrap();
            key.verify(signed.as_bytes(), &signature).is_ok()
        }
        "EC" => {
            assert_eq!(jwk["crv"], "P-256");
            let point = [vec![4], member("x"), member("y")].concat();
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).unwrap();
            let signature = p256::ecdsa::Signature::from_slice(&signature).unwrap();
            key.verify(signed.as_bytes(), &signature).is_ok()
        }
        other => panic!("{other}"),
    }
}

/// The published key that the token's header names.
async fn published(server: &AuthorizationServer, token: &str) -> Option<Value> {
    let path = server.jwks_uri().strip_prefix(server.url()).unwrap().to_owned();
    let kid = parts(token).0["kid"].clone();
    let keys = get(server, &path).await.json()["keys"].take();
    keys.as_array().unwrap().iter().find(|jwk| jwk["kid"] == kid).cloned()
}

#[tokio::test]
async fn oktas_metadata_is_in_three_places_and_leads_to_the_rest() {
    let server = start().await;
    let origin = format!("http://{}", server.address());
    assert_eq!(server.issuer(), format!("{origin}/oauth2/default"));
    for (path, endpoint) in [
        (OPENID, Endpoint::OpenidConfiguration),
        (OAUTH, Endpoint::OauthMetadata),
        (INSERTED, Endpoint::OauthMetadataInserted),
    ] {
        let answer = get(&server, path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let metadata = answer.json();
        assert_eq!(metadata["issuer"], server.issuer());
        assert_eq!(metadata["jwks_uri"], format!("{origin}{KEYS}"));
        assert_eq!(metadata["token_endpoint"], format!("{origin}{TOKEN}"));
        assert_eq!(server.requests(endpoint), 1);
    }
}

#[tokio::test]
async fn entras_metadata_is_in_one_place() {
    let server = AuthorizationServer::start(entra()).await.unwrap();
    let tenant = "/11111111-2222-4333-8444-555555555555";
    assert_eq!(server.issuer(), format!("{}{tenant}/v2.0", server.url()));
    let metadata = get(&server, &format!("{tenant}/v2.0/.well-known/openid-configuration")).await;
    assert_eq!(metadata.json()["issuer"], server.issuer());
    assert_eq!(metadata.json()["jwks_uri"], server.jwks_uri());
    for (path, endpoint) in [
        (format!("{tenant}/v2.0/.well-known/oauth-authorization-server"), Endpoint::OauthMetadata),
        (
            format!("/.well-known/oauth-authorization-server{tenant}/v2.0"),
            Endpoint::OauthMetadataInserted,
        ),
        (OPENID.to_owned(), Endpoint::Unknown),
    ] {
        assert_eq!(get(&server, &path).await.status, 404, "{path}");
        assert_eq!(server.requests(endpoint), 1, "{path}");
    }
}

#[tokio::test]
async fn the_keys_say_how_long_they_may_be_kept() {
    let server = start().await;
    let answer = get(&server, KEYS).await;
    assert_eq!(answer.header("cache-control"), Some("max-age=86400, must-revalidate"));
    server.set_keys_cache_control(Some("max-age=7"));
    assert_eq!(get(&server, KEYS).await.header("cache-control"), Some("max-age=7"));
    server.set_keys_cache_control(None);
    assert_eq!(get(&server, KEYS).await.header("cache-control"), None);
}

#[tokio::test]
async fn okta_names_a_keys_algorithm_and_entra_does_not() {
    for (settings, alg) in [(settings(), json!("RS256")), (entra(), Value::Null)] {
        let server = AuthorizationServer::start(settings).await.unwrap();
        let jwk = published(&server, &server.token()).await.unwrap();
        assert_eq!(jwk["alg"], alg);
        assert_eq!([&jwk["kty"], &jwk["use"], &jwk["e"]], ["RSA", "sig", "AQAB"]);
        // 2048 bits, without a leading zero.
        assert_eq!(decoded(jwk["n"].as_str().unwrap()).len(), 256);
        assert_eq!(jwk.get("d"), None);
    }
}

#[tokio::test]
async fn what_a_test_publishes_is_among_the_keys() {
    let server = start().await;
    let wrong_curve = SigningKey::new(Algorithm::Es384);
    server.publish(wrong_curve.public_jwk());
    let keys = get(&server, KEYS).await.json();
    assert_eq!(keys["keys"][0]["crv"], "P-384");
    assert_eq!(keys["keys"][0]["kid"], wrong_curve.kid());
    assert_eq!(keys["keys"][1]["kid"], server.current_key().kid());
}

#[tokio::test]
async fn other_paths_and_other_methods_are_refused() {
    let server = start().await;
    assert_eq!(get(&server, "/oauth2/other/v1/keys").await.status, 404);
    assert_eq!(get(&server, "/").await.status, 404);
    assert_eq!(server.requests(Endpoint::Unknown), 2);
    for (start, status) in
        [(format!("POST {KEYS}"), 405), (format!("GET {TOKEN}"), 405), ("GET /rotate".into(), 405)]
    {
        assert_eq!(exchange(&server, &start, "", "").await.status, status, "{start}");
    }
}

#[tokio::test]
async fn a_name_that_is_not_this_machines_is_not_served() {
    let server = start().await;
    let request = format!("GET {KEYS} HTTP/1.0\r\nhost: attacker.example\r\n\r\n");
    let mut stream = send(&server, &request).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 421"), "{answer}");
    assert_eq!(server.requests(Endpoint::Keys), 0);
}

#[tokio::test]
async fn only_loopback_is_listened_on_and_a_taken_port_is_said() {
    let refused = |settings| async {
        format!("{:#}", AuthorizationServer::start(settings).await.err().unwrap())
    };
    let open = refused(Settings::new(([0, 0, 0, 0], 0).into())).await;
    assert!(open.contains("an address such as 127.0.0.1"), "{open}");
    let server = start().await;
    let taken = refused(Settings::new(server.address())).await;
    assert!(taken.contains("another address"), "{taken}");
    let tenant = Flavour::Entra { tenant: "a/b".into() };
    let odd = refused(Settings { flavour: tenant, ..settings() }).await;
    assert!(odd.contains("pass a GUID"), "{odd}");
    let address = server.address();
    server.shutdown().await;
    AuthorizationServer::start(Settings::new(address)).await.unwrap();
}

#[tokio::test]
async fn oktas_token_is_what_okta_answers() {
    let now = datetime!(2026-03-26 16:06:51 UTC);
    let server = AuthorizationServer::start(Settings { now: Arc::new(move || now), ..settings() })
        .await
        .unwrap();
    let answer = ask(&server, &good_basic(), GRANT).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let mut body = answer.json();
    let token = body["access_token"].take();
    let token = token.as_str().unwrap();
    assert_eq!(
        body,
        json!({
            "token_type": "Bearer", "expires_in": 3600, "access_token": null, "scope": "telephony",
        })
    );
    let (header, mut claims) = parts(token);
    assert_eq!(header, json!({ "kid": server.current_key().kid(), "alg": "RS256" }));
    assert!(claims["jti"].take().as_str().unwrap().starts_with("AT."));
    let issued = now.unix_timestamp();
    assert_eq!(
        claims,
        json!({
            "ver": 1, "jti": null, "iss": server.issuer(), "aud": "api://default",
            "iat": issued, "exp": issued + 3600, "cid": "0oadevelopment",
            "scp": ["telephony"], "sub": "0oadevelopment",
        })
    );
    assert!(verifies(token, &published(&server, token).await.unwrap()));
}

#[tokio::test]
async fn entras_token_is_what_entra_answers() {
    let server = AuthorizationServer::start(entra()).await.unwrap();
    let all = "grant_type=client_credentials&scope=api-of-the-hook/.default";
    let answer = ask(&server, &good_basic(), all).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["ext_expires_in"], 3600);
    assert_eq!(body.get("scope"), None);
    let token = body["access_token"].as_str().unwrap();
    let (header, claims) = parts(token);
    assert_eq!(header["typ"], "JWT");
    assert_eq!(claims["iss"], server.issuer());
    assert_eq!(claims["aud"], "api-of-the-hook");
    assert_eq!(claims["azp"], "0oadevelopment");
    assert_eq!(claims["roles"], json!(["Telephony.Send"]));
    assert_eq!(claims["oid"], claims["sub"]);
    assert_eq!(claims["tid"], "11111111-2222-4333-8444-555555555555");
    assert_eq!(claims["ver"], "2.0");
    assert_eq!([claims.get("scp"), claims.get("cid")], [None, None]);
    assert!(verifies(token, &published(&server, token).await.unwrap()));

    let one = "grant_type=client_credentials&scope=Telephony.Send";
    let answer = ask(&server, &good_basic(), one).await;
    assert_refused(&answer, 400, "invalid_scope", "api-of-the-hook/.default");
}

#[tokio::test]
async fn an_elliptic_key_signs_as_well() {
    let settings = Settings { algorithm: Algorithm::Es256, ..settings() };
    let server = AuthorizationServer::start(settings).await.unwrap();
    let token = server.token();
    assert_eq!(parts(&token).0["alg"], "ES256");
    let jwk = published(&server, &token).await.unwrap();
    assert!(verifies(&token, &jwk));
    server.rotate();
    assert!(!verifies(&server.token(), &jwk));
}

#[tokio::test]
async fn several_scopes_are_granted_in_the_order_of_asking() {
    let scopes = vec!["telephony".into(), "voice".into()];
    let server = AuthorizationServer::start(Settings { scopes, ..settings() }).await.unwrap();
    let body = "grant_type=client_credentials&scope=voice+telephony";
    let answer = ask(&server, &good_basic(), body).await.json();
    assert_eq!(answer["scope"], "voice telephony");
    let claims = parts(answer["access_token"].as_str().unwrap()).1;
    assert_eq!(claims["scp"], json!(["voice", "telephony"]));
}

#[tokio::test]
async fn what_is_no_request_for_client_credentials_is_refused_in_the_standards_words() {
    let server = start().await;
    let no_scope = "grant_type=client_credentials";
    let other_scope = "grant_type=client_credentials&scope=telephony+other";
    for (body, error, description) in [
        ("grant_type=password&scope=telephony", "unsupported_grant_type", "client_credentials"),
        ("scope=telephony", "invalid_request", "grant_type is missing"),
        (no_scope, "invalid_scope", "must be provided"),
        (other_scope, "invalid_scope", "\"other\""),
        ("grant_type=a&grant_type=b", "invalid_request", "grant_type is there twice"),
    ] {
        let answer = ask(&server, &good_basic(), body).await;
        assert_refused(&answer, 400, error, description);
    }
    let start = format!("POST {TOKEN}");
    let json = "content-type: application/json\r\n";
    let answer = exchange(&server, &start, json, "{}").await;
    assert_refused(&answer, 400, "invalid_request", "must be a form");
    assert_eq!(server.requests(Endpoint::Token), 6);
}

#[tokio::test]
async fn a_secret_is_taken_in_the_header_or_in_the_body() {
    let secret = "a:b&c=d%+é";
    let jwk = None;
    let client = Client { id: "a client".into(), secret: Some(secret.into()), jwk };
    let clients = vec![client];
    let server = AuthorizationServer::start(Settings { clients, ..settings() }).await.unwrap();

    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let header = basic(&encoded("a client"), &encoded(secret));
    assert_eq!(ask(&server, &header, GRANT).await.status, 200);
    let with_id = format!("{GRANT}&client_id=a+client");
    assert_eq!(ask(&server, &header, &with_id).await.status, 200);

    let credentials = form(&[("client_id", "a client"), ("client_secret", secret)]);
    let answer = ask(&server, "", &format!("{GRANT}&{credentials}")).await;
    assert_eq!(answer.status, 200);
    let claims = parts(answer.json()["access_token"].as_str().unwrap()).1;
    assert_eq!(claims["cid"], "a client");
}

#[tokio::test]
async fn wrong_credentials_in_the_header_are_challenged() {
    let server = start().await;
    for (header, description) in [
        (basic(DEVELOPMENT_CLIENT_ID, "wrong"), "secret supplied"),
        (basic("nobody", DEVELOPMENT_CLIENT_SECRET), "\"nobody\" is no client"),
        ("authorization: Bearer x\r\n".into(), "not Basic"),
        ("authorization: Basic !\r\n".into(), "not Basic"),
        (format!("authorization: Basic {}\r\n", BASE64.encode("id")), "not Basic"),
    ] {
        let answer = ask(&server, &header, GRANT).await;
        assert_refused(&answer, 401, "invalid_client", description);
        assert!(answer.header("www-authenticate").is_some_and(|it| it.starts_with("basic ")));
    }
    let answer = ask(&server, &good_basic(), &format!("{GRANT}&client_id=other")).await;
    assert_refused(&answer, 400, "invalid_request", "another than the one in the Authorization");
}

#[tokio::test]
async fn wrong_credentials_in_the_body_are_refused_and_so_are_none_and_two_kinds() {
    let server = start().await;
    let secret = DEVELOPMENT_CLIENT_SECRET;
    for (pairs, description) in [
        (
            &[("client_id", DEVELOPMENT_CLIENT_ID), ("client_secret", "wrong")][..],
            "secret supplied",
        ),
        (&[("client_id", "nobody"), ("client_secret", secret)], "no client"),
        (&[("client_secret", secret)], "client_id is missing"),
        (&[("client_id", DEVELOPMENT_CLIENT_ID)], "there are none"),
        (&[], "there are none"),
    ] {
        let answer = ask(&server, "", &format!("{GRANT}&{}", form(pairs))).await;
        assert_refused(&answer, 401, "invalid_client", description);
    }
    let both = form(&[("client_id", DEVELOPMENT_CLIENT_ID), ("client_secret", secret)]);
    let answer = ask(&server, &good_basic(), &format!("{GRANT}&{both}")).await;
    assert_refused(&answer, 400, "invalid_request", "multiple client credentials");
}

fn assertion_claims(server: &AuthorizationServer, jti: &str) -> Value {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    json!({
        "iss": DEVELOPMENT_CLIENT_ID, "sub": DEVELOPMENT_CLIENT_ID,
        "aud": server.token_endpoint(), "exp": now + 300, "jti": jti,
    })
}

async fn ask_with(server: &AuthorizationServer, assertion: &str) -> Answer {
    let credentials = form(&[
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ]);
    ask(server, "", &format!("{GRANT}&{credentials}")).await
}

#[tokio::test]
async fn a_client_may_sign_an_assertion_once() {
    let server = start().await;
    let key = SigningKey::of_the_development_client();
    let header = json!({ "alg": "RS256" });
    let audiences =
        [json!(server.token_endpoint()), json!(server.issuer()), json!(["other", server.issuer()])];
    for (number, audience) in audiences.into_iter().enumerate() {
        let mut claims = assertion_claims(&server, &number.to_string());
        claims["aud"] = audience;
        let assertion = seal(&header, &claims, Seal::Key(&key));
        assert_eq!(ask_with(&server, &assertion).await.status, 200);
        let answer = ask_with(&server, &assertion).await;
        assert_refused(&answer, 401, "invalid_client", "used before");
    }
}

#[tokio::test]
async fn an_assertion_that_is_not_right_is_refused_for_what_is_wrong() {
    let server = start().await;
    let key = SigningKey::of_the_development_client();
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let header = json!({ "alg": "RS256" });
    for (member, value, description) in [
        ("iss", json!("other"), "iss and sub differ"),
        ("sub", Value::Null, "no subject"),
        ("aud", json!("https://other.example"), "aud must be"),
        ("aud", json!([]), "aud must be"),
        ("exp", json!(now - 1), "expired"),
        ("exp", json!(now + 3700), "more than an hour"),
        ("exp", json!("soon"), "no exp"),
        ("jti", Value::Null, "no jti"),
    ] {
        let mut claims = assertion_claims(&server, "j");
        claims[member] = value;
        let answer = ask_with(&server, &seal(&header, &claims, Seal::Key(&key))).await;
        assert_refused(&answer, 401, "invalid_client", description);
    }

    let claims = assertion_claims(&server, "j");
    let others = SigningKey::new(Algorithm::Rs256);
    let secret = key.public_pem();
    for (header, sealed_by, description) in [
        (json!({ "alg": "RS256" }), Seal::Key(&others), "signature is invalid"),
        (json!({ "alg": "RS256" }), Seal::Bytes(b""), "signature is invalid"),
        (json!({ "alg": "none" }), Seal::Bytes(b""), "RS256"),
        (json!({ "alg": "HS256" }), Seal::Hmac(secret.as_bytes()), "RS256"),
    ] {
        let answer = ask_with(&server, &seal(&header, &claims, sealed_by)).await;
        assert_refused(&answer, 401, "invalid_client", description);
    }
    for text in ["x", "a.b.c", "e30.e30"] {
        assert_refused(&ask_with(&server, text).await, 401, "invalid_client", "no JWT");
    }
    let good = seal(&header, &claims, Seal::Key(&key));
    let answer = ask(&server, "", &format!("{GRANT}&client_assertion={good}")).await;
    assert_refused(&answer, 400, "invalid_request", "client_assertion_type must be");
    // None of all this has used its jti up.
    assert_eq!(ask_with(&server, &good).await.status, 200);
}

#[tokio::test]
async fn a_client_authenticates_only_in_the_ways_that_it_has() {
    let only_secret = Client { jwk: None, ..Client::development() };
    let only_key = Client { secret: None, id: "keyed".into(), ..Client::development() };
    let clients = vec![only_secret, only_key];
    let server = AuthorizationServer::start(Settings { clients, ..settings() }).await.unwrap();
    let key = SigningKey::of_the_development_client();
    let claims = assertion_claims(&server, "j");
    let assertion = seal(&json!({ "alg": "RS256" }), &claims, Seal::Key(&key));
    assert_refused(&ask_with(&server, &assertion).await, 401, "invalid_client", "has no key");
    let answer = ask(&server, &basic("keyed", ""), GRANT).await;
    assert_refused(&answer, 401, "invalid_client", "has no secret");
}

#[tokio::test]
async fn a_replaced_key_stays_published_until_the_next_one_is_replaced() {
    let server = start().await;
    let old = server.token();
    let first = server.current_key();

    let answer = exchange(&server, "POST /rotate", "", "").await;
    let new = server.token();
    assert_eq!(answer.json()["kid"], parts(&new).0["kid"]);
    assert_eq!(parts(&old).0["kid"], first.kid());
    for token in [&old, &new] {
        assert!(verifies(token, &published(&server, token).await.unwrap()));
    }
    let (old_jwk, new_jwk) = (first.public_jwk(), server.current_key().public_jwk());
    assert!(!verifies(&old, &new_jwk) && !verifies(&new, &old_jwk));

    server.rotate();
    assert_eq!(published(&server, &old).await, None);
    assert!(published(&server, &new).await.is_some());
    // The administrator's path is not the issuer's.
    assert_eq!(server.requests(Endpoint::Unknown), 0);
}

#[tokio::test]
async fn any_header_and_any_claims_are_sealed_in_any_way() {
    let server = start().await;
    let mut claims = server.claims();
    claims["aud"] = json!("api://other");
    let token = server.mint(&claims);
    assert_eq!(parts(&token).1["aud"], "api://other");
    assert!(verifies(&token, &published(&server, &token).await.unwrap()));

    let key = server.current_key();
    let none = seal(&json!({ "alg": "none" }), &claims, Seal::Bytes(b""));
    assert!(none.ends_with('.'), "{none}");
    let no_kid = seal(&json!({ "alg": "RS256" }), &claims, Seal::Key(&key));
    assert_eq!(parts(&no_kid).0, json!({ "alg": "RS256" }));
    assert!(verifies(&no_kid, &key.public_jwk()));
    let wrong_curve =
        seal(&server.header(), &claims, Seal::Key(&SigningKey::new(Algorithm::Es384)));
    assert_eq!(decoded(wrong_curve.rsplit_once('.').unwrap().1).len(), 96);
}

#[tokio::test]
async fn a_strangers_key_verifies_nothing_of_a_servers() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let settings = Settings { algorithm, ..settings() };
        let server = AuthorizationServer::start(settings).await.unwrap();
        let stranger = SigningKey::new(algorithm);
        for _ in 0..4 {
            assert!(!verifies(&server.token(), &stranger.public_jwk()));
            let forged = seal(&server.header(), &server.claims(), Seal::Key(&stranger));
            assert!(!verifies(&forged, &published(&server, &forged).await.unwrap()));
            server.rotate();
        }
    }
}

#[test]
fn an_hmac_is_that_of_the_whole_text_before_it() {
    use hmac::{Hmac, Mac as _};
    let token = seal(&json!({ "alg": "HS256" }), &json!({}), Seal::Hmac(b"secret"));
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
    mac.update(signed.as_bytes());
    mac.verify_slice(&decoded(signature)).unwrap();
}

#[test]
fn a_public_key_in_pem_is_the_key_of_the_jwk() {
    use rsa::pkcs8::DecodePublicKey as _;
    let key = SigningKey::new(Algorithm::Rs256);
    let read = rsa::RsaPublicKey::from_public_key_pem(&key.public_pem()).unwrap();
    let n = rsa::traits::PublicKeyParts::n(&read).to_bytes_be();
    assert_eq!(key.public_jwk()["n"], BASE64URL.encode(n));
    let key = SigningKey::new(Algorithm::Es256);
    let read = p256::PublicKey::from_public_key_pem(&key.public_pem()).unwrap();
    let verifying = p256::ecdsa::VerifyingKey::from(read);
    let x = verifying.to_encoded_point(false).x().unwrap().to_vec();
    assert_eq!(key.public_jwk()["x"], BASE64URL.encode(x));
}

#[tokio::test]
async fn an_endpoint_can_be_missing_or_broken_while_the_others_are_right() {
    let server = start().await;
    for status in [404, 500, 503] {
        server.set_fault(Endpoint::OpenidConfiguration, Some(Fault::Status(status)));
        assert_eq!(get(&server, OPENID).await.status, status);
        for path in [OAUTH, INSERTED, KEYS] {
            assert_eq!(get(&server, path).await.status, 200, "{path}");
        }
    }
    server.set_fault(Endpoint::OpenidConfiguration, None);
    assert_eq!(get(&server, OPENID).await.status, 200);
    server.set_fault(Endpoint::Token, Some(Fault::Status(500)));
    assert_eq!(ask(&server, &good_basic(), GRANT).await.status, 500);
    assert_eq!(server.requests(Endpoint::OpenidConfiguration), 4);
}

#[tokio::test]
async fn metadata_can_name_another_issuer_or_another_origin_or_lack_a_member() {
    let server = start().await;
    let other = json!("https://other.example/oauth2/default");
    let keys = json!(format!("http://localhost:{}{KEYS}", server.address().port()));
    for (name, value) in [("issuer", other), ("jwks_uri", keys)] {
        server.set_fault(Endpoint::OauthMetadata, Some(Fault::Member(name, value.clone())));
        let mut expected = get(&server, OPENID).await.json();
        expected[name] = value;
        assert_eq!(get(&server, OAUTH).await.json(), expected);
    }
    server.set_fault(Endpoint::OauthMetadata, Some(Fault::Member("jwks_uri", Value::Null)));
    assert_eq!(get(&server, OAUTH).await.json().get("jwks_uri"), None);
}

#[tokio::test]
async fn a_redirect_leads_to_the_right_answer_and_who_follows_is_counted() {
    let server = start().await;
    for (endpoint, path) in [(Endpoint::Keys, KEYS), (Endpoint::OauthMetadataInserted, INSERTED)] {
        let right = get(&server, path).await.body;
        server.set_fault(endpoint, Some(Fault::Redirect));
        let answer = get(&server, path).await;
        assert_eq!(answer.status, 302);
        let to = answer.header("location").unwrap().strip_prefix(server.url()).unwrap().to_owned();
        let before = server.requests(Endpoint::Elsewhere);
        assert_eq!(get(&server, &to).await.body, right);
        assert_eq!(server.requests(Endpoint::Elsewhere), before + 1);
        assert_eq!(server.requests(endpoint), 2);
    }
}

#[tokio::test]
async fn an_answer_can_be_late() {
    let server = start().await;
    server.set_fault(Endpoint::Keys, Some(Fault::Slow(MOMENT)));
    let before = Instant::now();
    assert_eq!(get(&server, KEYS).await.status, 200);
    assert!(before.elapsed() >= MOMENT);
}

#[tokio::test]
async fn an_answer_can_be_no_json_or_far_too_long() {
    let server = start().await;
    let right = get(&server, KEYS).await.json();
    server.set_fault(Endpoint::Keys, Some(Fault::Garbage));
    let garbage = get(&server, KEYS).await;
    assert_eq!(garbage.status, 200);
    assert_eq!(garbage.header("content-type"), Some("application/json"));
    assert!(serde_json::from_str::<Value>(&garbage.body).is_err());

    server.set_fault(Endpoint::Keys, Some(Fault::Huge));
    let huge = get(&server, KEYS).await;
    assert!(huge.body.len() > HUGE_BODY);
    assert_eq!(huge.json()["keys"], right["keys"]);
}

#[tokio::test]
async fn a_hung_endpoint_answers_nothing_and_keeps_the_connection() {
    let server = start().await;
    server.set_fault(Endpoint::Keys, Some(Fault::Hang));
    let request = format!("GET {KEYS} HTTP/1.1\r\nhost: {}\r\n\r\n", server.address());
    let mut stream = send(&server, &request).await;
    let read = stream.read_u8();
    assert!(tokio::time::timeout(MOMENT, read).await.is_err());
    assert_eq!(server.requests(Endpoint::Keys), 1);
    // And it does not keep the server from stopping.
    tokio::time::timeout(BOUND, server.shutdown()).await.unwrap();
}

#[tokio::test]
async fn a_trickle_begins_at_once_and_goes_on() {
    let server = start().await;
    server.set_fault(Endpoint::Keys, Some(Fault::Trickle));
    let request = format!("GET {KEYS} HTTP/1.1\r\nhost: {}\r\n\r\n", server.address());
    let mut stream = send(&server, &request).await;
    let mut bytes = Vec::new();
    let reading = async {
        // A chunk of one space.
        while String::from_utf8_lossy(&bytes).matches("\r\n1\r\n ").count() < 3 {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0);
        }
    };
    tokio::time::timeout(BOUND, reading).await.expect("three bytes");
    assert!(bytes.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_connection_can_be_cut() {
    let server = start().await;
    server.set_fault(Endpoint::Keys, Some(Fault::Cut));
    let request = format!("GET {KEYS} HTTP/1.1\r\nhost: {}\r\n\r\n", server.address());
    let mut bytes = Vec::new();
    let _ = send(&server, &request).await.read_to_end(&mut bytes).await;
    assert_eq!(bytes, b"");
    assert_eq!(server.requests(Endpoint::Keys), 1);
}
