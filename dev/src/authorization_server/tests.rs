//! The server over real sockets, by a client that is small enough to send anything. Signatures are
//! verified by other crates than the one that signs.

use super::*;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use rsa::BigUint;
use rsa::signature::Verifier as _;
use sha2::Sha256;
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
    Settings { flavour: Flavour::Entra { tenant }, ..settings() }
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

async fn exchange(server: &AuthorizationServer, start: &str, body: &str) -> Answer {
    let mut stream = send(
        server,
        &format!(
            "{start} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
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
    exchange(server, &format!("GET {path}"), "").await
}

/// Asks for a token with this form.
async fn ask(server: &AuthorizationServer, pairs: &[(&str, &str)]) -> Answer {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    exchange(server, &format!("POST {TOKEN}"), &form).await
}

/// The form that gets a token, with one value changed.
async fn ask_with(server: &AuthorizationServer, name: &str, value: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", DEVELOPMENT_CLIENT_ID),
        ("client_secret", DEVELOPMENT_CLIENT_SECRET),
        ("scope", DEVELOPMENT_SCOPE),
    ];
    ask(server, &form.map(|(key, good)| (key, if key == name { value } else { good }))).await
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
    assert_eq!(exchange(&server, &format!("POST {KEYS}"), "").await.status, 405);
    assert_eq!(get(&server, TOKEN).await.status, 405);
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
    let address = server.address();
    server.shutdown().await;
    AuthorizationServer::start(Settings::new(address)).await.unwrap();
}

#[tokio::test]
async fn oktas_token_is_what_okta_answers() {
    let server = start().await;
    let answer = ask_with(&server, "", "").await;
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
    let issued = claims["iat"].take().as_i64().unwrap();
    assert!((OffsetDateTime::now_utc().unix_timestamp() - issued).abs() < 20, "{issued}");
    assert_eq!(
        claims,
        json!({
            "ver": 1, "jti": null, "iss": server.issuer(), "aud": "api://default",
            "iat": null, "exp": issued + 3600, "cid": "0oadevelopment",
            "scp": ["telephony"], "sub": "0oadevelopment",
        })
    );
    assert!(verifies(token, &published(&server, token).await.unwrap()));
}

#[tokio::test]
async fn entras_token_has_roles_and_verifies() {
    let server = AuthorizationServer::start(entra()).await.unwrap();
    let token = server.token();
    let (header, claims) = parts(&token);
    assert_eq!(header["typ"], "JWT");
    assert_eq!(
        (&claims["roles"], &claims["azp"]),
        (&json!(["telephony"]), &"0oadevelopment".into())
    );
    assert_eq!((&claims["ver"], claims.get("scp")), (&"2.0".into(), None));
    assert!(verifies(&token, &published(&server, &token).await.unwrap()));
}

#[tokio::test]
async fn who_asks_wrongly_gets_no_token() {
    let server = start().await;
    for (name, value, status, error) in [
        ("client_id", "nobody", 401, "invalid_client"),
        ("client_secret", "wrong", 401, "invalid_client"),
        ("client_secret", "", 401, "invalid_client"),
        ("grant_type", "password", 400, "unsupported_grant_type"),
        ("scope", "telephony other", 400, "invalid_scope"),
        ("scope", "", 400, "invalid_scope"),
    ] {
        let answer = ask_with(&server, name, value).await;
        assert_eq!((answer.status, answer.json()), (status, json!({ "error": error })), "{name}");
    }
    assert_eq!(ask(&server, &[]).await.status, 401);
}

#[tokio::test]
async fn a_replaced_key_stays_published_until_the_next_one_is_replaced() {
    let server = start().await;
    let old = server.token();
    let first = server.current_key();
    server.rotate();
    let new = server.token();
    assert_eq!(parts(&old).0["kid"], first.kid());
    for token in [&old, &new] {
        assert!(verifies(token, &published(&server, token).await.unwrap()));
    }
    let (old_jwk, new_jwk) = (first.public_jwk(), server.current_key().public_jwk());
    assert!(!verifies(&old, &new_jwk) && !verifies(&new, &old_jwk));

    server.rotate();
    assert_eq!(published(&server, &old).await, None);
    assert!(published(&server, &new).await.is_some());
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
    let server = start().await;
    let stranger = SigningKey::new(Algorithm::Rs256);
    for _ in 0..3 {
        assert!(!verifies(&server.token(), &stranger.public_jwk()));
        let forged = seal(&server.header(), &server.claims(), Seal::Key(&stranger));
        assert!(!verifies(&forged, &published(&server, &forged).await.unwrap()));
        server.rotate();
    }
    let elliptic = SigningKey::new(Algorithm::Es256);
    let token = seal(&json!({ "alg": "ES256" }), &server.claims(), Seal::Key(&elliptic));
    assert!(verifies(&token, &elliptic.public_jwk()));
    assert!(!verifies(&token, &SigningKey::new(Algorithm::Es256).public_jwk()));
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
    assert_eq!(ask_with(&server, "", "").await.status, 500);
    assert_eq!(server.requests(Endpoint::OpenidConfiguration), 4);
}

#[tokio::test]
async fn metadata_can_name_another_issuer_or_another_origin() {
    let server = start().await;
    let other = json!("https://other.example/oauth2/default");
    let keys = json!(format!("http://localhost:{}{KEYS}", server.address().port()));
    for (name, value) in [("issuer", other), ("jwks_uri", keys)] {
        server.set_fault(Endpoint::OauthMetadata, Some(Fault::Member(name, value.clone())));
        let mut expected = get(&server, OPENID).await.json();
        expected[name] = value;
        assert_eq!(get(&server, OAUTH).await.json(), expected);
    }
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
