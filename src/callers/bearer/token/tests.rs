use super::*;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use proptest::prelude::*;
use rsa::{BigUint, Pkcs1v15Sign, RsaPrivateKey};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use time::Duration;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-01-31 12:00 UTC);

/// The keys, the payload and the signatures of RFC 7515, appendices A.2 and A.3.
mod rfc7515 {
    pub const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    pub const D: &str = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ";
    pub const P: &str = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
    pub const Q: &str = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";
    pub const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    pub const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    pub const EC_D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
    pub const RS256: (&str, &str) = (
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
    pub const ES256: (&str, &str) = (
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );
}

fn bytes(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn rs256(signed: &str) -> Vec<u8> {
    let number = |text| BigUint::from_bytes_be(&bytes(text));
    let primes = vec![number(rfc7515::P), number(rfc7515::Q)];
    let key = RsaPrivateKey::from_components(
        number(rfc7515::N),
        65537u32.into(),
        number(rfc7515::D),
        primes,
    );
    key.unwrap().sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(signed)).unwrap()
}

fn es256(signed: &str) -> Vec<u8> {
    let key = p256::ecdsa::SigningKey::from_slice(&bytes(rfc7515::EC_D)).unwrap();
    let signature: p256::ecdsa::Signature = key.sign_prehash(&Sha256::digest(signed)).unwrap();
    signature.to_bytes().to_vec()
}

fn token_of(header: &str, payload: &str, sign: fn(&str) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", base64(header), base64(payload));
    let signature = base64(sign(&signed));
    format!("{signed}.{signature}")
}

fn unsigned(_: &str) -> Vec<u8> {
    Vec::new()
}

fn rsa_key(kid: &str) -> Json {
    json!({"kty": "RSA", "kid": kid, "alg": "RS256", "use": "sig", "n": rfc7515::N, "e": "AQAB"})
}

fn p256_key(kid: &str) -> Json {
    json!({"kty": "EC", "kid": kid, "crv": "P-256", "x": rfc7515::X, "y": rfc7515::Y})
}

fn key_set(keys: &[Json]) -> Jwks {
    Jwks::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

/// The same with some members other, or without them.
fn with(object: Json, changes: &[(&str, Option<Json>)]) -> Json {
    let mut object = object;
    for (name, value) in changes {
        match value {
            Some(value) => {
                drop(object.as_object_mut().unwrap().insert((*name).into(), value.clone()))
            }
            None => drop(object.as_object_mut().unwrap().remove(*name).unwrap()),
        }
    }
    object
}

fn seconds_from_now(seconds: i64) -> Json {
    json!(NOW.unix_timestamp() + seconds)
}

/// As Okta's custom authorization server makes it.
fn okta() -> Json {
    json!({
        "ver": 1, "jti": "AT.x", "iss": "https://example.okta.com/oauth2/default",
        "aud": "api://telephony", "iat": seconds_from_now(-5), "exp": seconds_from_now(3600),
        "cid": "0oaclient", "scp": ["send"], "sub": "0oaclient",
    })
}

/// A token that holds at [`crate::ports::fake::FakeHost`]'s time, and the key set that it is signed by.
pub(crate) fn token_and_keys() -> (String, String) {
    token_of_scope("send")
}

/// The same with another scope.
pub(crate) fn token_of_scope(scope: &str) -> (String, String) {
    let keys = json!({ "keys": [rsa_key("one")] });
    let mut claims = okta();
    claims["scp"] = json!([scope]);
    (token_of(HEADER, &claims.to_string(), rs256), keys.to_string())
}

fn okta_expected() -> Expected {
    Expected {
        issuer: "https://example.okta.com/oauth2/default".into(),
        audience: "api://telephony".into(),
        scope: Some("send".into()),
        client_id: "0oaclient".into(),
    }
}

/// As Entra makes it, in version 2.
fn entra() -> Json {
    json!({
        "aud": "the-api", "iss": "https://login.microsoftonline.com/tenant/v2.0",
        "iat": seconds_from_now(-5), "nbf": seconds_from_now(-5), "exp": seconds_from_now(3600),
        "azp": "the-client", "azpacr": "1", "oid": "principal", "sub": "principal",
        "roles": ["Send"], "idtyp": "app", "tid": "tenant", "ver": "2.0",
    })
}

fn entra_expected() -> Expected {
    Expected {
        issuer: "https://login.microsoftonline.com/tenant/v2.0".into(),
        audience: "the-api".into(),
        scope: Some("Send".into()),
        client_id: "the-client".into(),
    }
}

const HEADER: &str = r#"{"kid":"one","alg":"RS256"}"#;

fn check(header: &str, claims: &str, expected: &Expected) -> Result<(), TokenFault> {
    Token::check(token_of(header, claims, unsigned).as_bytes(), expected, NOW).map(drop)
}

#[test]
fn tokens_of_okta_and_of_entra_pass_both_steps() {
    let keys = key_set(&[rsa_key("one"), p256_key("two")]);
    for (claims, expected) in [(okta(), okta_expected()), (entra(), entra_expected())] {
        for (header, sign) in [
            (HEADER, rs256 as fn(&str) -> Vec<u8>),
            (r#"{"alg":"RS256"}"#, rs256),
            (r#"{"kid":"two","alg":"ES256","typ":"at+jwt","jku":"https://evil.example"}"#, es256),
        ] {
            let token = token_of(header, &claims.to_string(), sign);
            let token = Token::check(token.as_bytes(), &expected, NOW).unwrap();
            assert_eq!(token.verify(&keys), Ok(()), "{header}");
        }
    }
    let token = token_of(HEADER, &okta().to_string(), rs256);
    assert_eq!(
        Token::check(token.as_bytes(), &okta_expected(), NOW).unwrap().key_id.as_deref(),
        Some("one")
    );
}

#[test]
fn each_claim_of_okta_is_held_to_its_rule() {
    let some = |value| Some(value);
    let at = |seconds| Some(seconds_from_now(seconds));
    let text = |value: &str| Some(json!(value));
    for (name, value, expected) in [
        ("iss", None, Err(TokenFault::Issuer)),
        ("iss", text("https://example.okta.com/oauth2/default/"), Err(TokenFault::IssuerSpelling)),
        ("iss", text("https://EXAMPLE.okta.com/oauth2/default"), Err(TokenFault::IssuerSpelling)),
        ("iss", text("https://example.okta.com/oauth2/other"), Err(TokenFault::Issuer)),
        ("iss", text("https://sts.windows.net/tenant/"), Err(TokenFault::Issuer)),
        ("iss", some(json!(["https://example.okta.com/oauth2/default"])), Err(TokenFault::Issuer)),
        ("iss", some(json!(null)), Err(TokenFault::Issuer)),
        ("aud", None, Err(TokenFault::Audience)),
        ("aud", text("api://other"), Err(TokenFault::Audience)),
        ("aud", text("api://other api://telephony"), Err(TokenFault::Audience)),
        ("aud", some(json!([])), Err(TokenFault::Audience)),
        ("aud", some(json!(["api://other", "api://telephony"])), Ok(())),
        ("aud", some(json!(["api://telephony", 1])), Err(TokenFault::Audience)),
        ("aud", some(json!([["api://telephony"]])), Err(TokenFault::Audience)),
        ("aud", some(json!({"api://telephony": true})), Err(TokenFault::Audience)),
        ("exp", None, Err(TokenFault::NoExpiry)),
        ("exp", at(0), Ok(())),
        ("exp", at(-119), Ok(())),
        ("exp", at(-120), Err(TokenFault::Expired)),
        ("exp", some(json!(NOW.unix_timestamp() as f64 - 119.5)), Ok(())),
        ("exp", some(json!(NOW.unix_timestamp() as f64 - 120.5)), Err(TokenFault::Expired)),
        ("exp", some(json!(0)), Err(TokenFault::Expired)),
        ("exp", some(json!(-1)), Err(TokenFault::NotADate)),
        ("exp", some(json!(1e300)), Err(TokenFault::NotADate)),
        ("exp", some(json!(u64::MAX)), Err(TokenFault::NotADate)),
        ("exp", some(json!(i64::MIN)), Err(TokenFault::NotADate)),
        ("exp", some(json!(253_402_300_799_u64)), Ok(())),
        ("exp", text("253402300799"), Err(TokenFault::NotADate)),
        ("exp", some(json!(null)), Err(TokenFault::NotADate)),
        ("nbf", at(0), Ok(())),
        ("nbf", at(120), Ok(())),
        ("nbf", at(121), Err(TokenFault::NotYetValid)),
        ("nbf", some(json!(false)), Err(TokenFault::NotADate)),
        ("iat", None, Ok(())),
        ("iat", at(120), Ok(())),
        ("iat", at(121), Err(TokenFault::NotYetValid)),
        ("iat", some(json!([])), Err(TokenFault::NotADate)),
        ("cnf", some(json!({"jkt": "x"})), Err(TokenFault::BoundToKey)),
        ("cnf", some(json!(null)), Err(TokenFault::BoundToKey)),
        ("cid", None, Err(TokenFault::NoClient)),
        ("cid", text("0oaother"), Err(TokenFault::Client)),
        ("cid", text(""), Err(TokenFault::Client)),
        ("cid", some(json!(["0oaclient"])), Err(TokenFault::Client)),
        ("cid", some(json!(null)), Err(TokenFault::Client)),
        ("azp", text("0oaother"), Err(TokenFault::Client)),
        ("appid", text("0oaother"), Err(TokenFault::Client)),
        ("uid", text("00uuser"), Err(TokenFault::User)),
        ("uid", some(json!(null)), Err(TokenFault::User)),
        ("idtyp", text("user"), Err(TokenFault::User)),
        ("scp", None, Err(TokenFault::Scope)),
        ("scp", some(json!(["other"])), Err(TokenFault::Scope)),
        ("scp", some(json!(["sender", "SEND"])), Err(TokenFault::Scope)),
        ("scp", some(json!(["other", "send"])), Ok(())),
        ("scp", text("other send"), Ok(())),
        ("scp", text("sender"), Err(TokenFault::Scope)),
        ("scp", some(json!(["other send"])), Err(TokenFault::Scope)),
        ("scp", some(json!({"send": 1})), Err(TokenFault::Scope)),
        ("unknown", some(json!({"a": [[], {"b": null}]})), Ok(())),
    ] {
        let claims = with(okta(), &[(name, value)]).to_string();
        assert_eq!(check(HEADER, &claims, &okta_expected()), expected, "{claims}");
    }
}

#[test]
fn a_token_of_entra_must_be_known_to_be_an_applications() {
    let text = |value: &str| Some(json!(value));
    for (changes, expected) in [
        (vec![], Ok(())),
        // Without the optional claim, one identifier for the subject says the same.
        (vec![("idtyp", None)], Ok(())),
        (vec![("idtyp", text("user"))], Err(TokenFault::User)),
        (vec![("idtyp", text(""))], Err(TokenFault::User)),
        (vec![("idtyp", Some(json!(null)))], Err(TokenFault::User)),
        (vec![("idtyp", None), ("sub", text("pairwise"))], Err(TokenFault::User)),
        (vec![("idtyp", None), ("oid", None)], Err(TokenFault::User)),
        (vec![("idtyp", None), ("sub", None)], Err(TokenFault::User)),
        (vec![("idtyp", None), ("sub", None), ("oid", None)], Err(TokenFault::User)),
        (vec![("idtyp", None), ("sub", text("")), ("oid", text(""))], Err(TokenFault::User)),
        (vec![("scp", text("Send"))], Err(TokenFault::User)),
        (vec![("idtyp", None), ("scp", text("Send"))], Err(TokenFault::User)),
        (vec![("azp", None), ("appid", text("the-client"))], Ok(())),
        (vec![("appid", text("the-client"))], Ok(())),
        (vec![("appid", text("another"))], Err(TokenFault::Client)),
        (vec![("azp", None)], Err(TokenFault::NoClient)),
        (vec![("roles", None)], Err(TokenFault::NoRoles)),
        (vec![("roles", text("Send"))], Err(TokenFault::Scope)),
        (vec![("roles", Some(json!(["Read"])))], Err(TokenFault::Scope)),
        (vec![("roles", None), ("scope", text("Read Send"))], Ok(())),
        (vec![("roles", None), ("scope", Some(json!(["Send"])))], Err(TokenFault::Scope)),
        (vec![("iss", text("https://sts.windows.net/tenant/"))], Err(TokenFault::EntraVersion)),
        (vec![("iss", text("https://sts.windows.net.evil/"))], Err(TokenFault::Issuer)),
    ] {
        let claims = with(entra(), &changes).to_string();
        assert_eq!(check(HEADER, &claims, &entra_expected()), expected, "{claims}");
    }
}

/// What was set up, what is in the token, and what is wrong between them.
#[test]
fn each_mistake_that_people_make_has_a_fault_of_its_own() {
    use TokenFault::*;
    let text = |value: &str| Some(json!(value));
    let okta_of = |issuer: &str| Expected { issuer: issuer.into(), ..okta_expected() };
    let entra_of = |issuer: &str| Expected { issuer: issuer.into(), ..entra_expected() };
    let api = |audience: &str| Expected { audience: audience.into(), ..entra_expected() };
    let role = |role: &str| Expected { scope: Some(role.into()), ..entra_expected() };
    let (new, old) = ("AzureEventGridSecureWebhookSubscriber", "AzureEventGridSecureWebhook");
    let default = "https://example.okta.com/oauth2/default";
    let v2 = "https://login.microsoftonline.com/tenant/v2.0";
    for (base, claim, value, expected, fault) in [
        // Issuers.
        (okta(), "iss", text(default), okta_of(&[default, "/"].concat()), IssuerSpelling),
        (okta(), "iss", text(&[default, "//"].concat()), okta_expected(), IssuerSpelling),
        (okta(), "iss", text("https://example.okta.com"), okta_expected(), OktaOrg),
        (okta(), "iss", text("https://example.okta.com/"), okta_expected(), OktaOrg),
        (okta(), "iss", text("https://other.oktapreview.com"), okta_expected(), OktaOrg),
        (
            okta(),
            "iss",
            text("https://login.contoso.com"),
            okta_of("https://login.contoso.com/oauth2/default"),
            OktaOrg,
        ),
        (
            with(okta(), &[("iss", text("https://example.okta.com"))]),
            "aud",
            text("https://example.okta.com"),
            okta_of("https://example.okta.com"),
            OktaOrg,
        ),
        (okta(), "iss", text("https://login.contoso.com"), okta_expected(), Issuer),
        (entra(), "iss", text(v2), entra_of(&[v2, "/"].concat()), IssuerSpelling),
        (
            entra(),
            "iss",
            text(v2),
            entra_of("https://login.microsoftonline.com/common/v2.0"),
            EntraTenant,
        ),
        (
            entra(),
            "iss",
            text(v2),
            entra_of("https://login.microsoftonline.com/tenant"),
            EntraTenant,
        ),
        (entra(), "iss", text(v2), entra_of("https://sts.windows.net/tenant/"), NewerEntraVersion),
        (entra(), "iss", text("https://sts.windows.net/tenant/"), entra_expected(), EntraVersion),
        (
            entra(),
            "iss",
            text("https://sts.windows.net/tenant/"),
            entra_of("https://sts.windows.net/tenant"),
            IssuerSpelling,
        ),
        // Audiences.
        (entra(), "aud", text("api://the-api"), entra_expected(), AudienceUri),
        (entra(), "aud", Some(json!(["x", "api://the-api"])), entra_expected(), AudienceUri),
        (entra(), "aud", text("the-api"), api("api://the-api"), AudienceId),
        (entra(), "aud", text("THE-API"), entra_expected(), AudienceSpelling),
        (okta(), "aud", text("api://telephony/"), okta_expected(), AudienceSpelling),
        (okta(), "aud", text("telephony"), okta_expected(), AudienceId),
        (entra(), "aud", text("api://another"), entra_expected(), Audience),
        // Roles.
        (entra(), "roles", Some(json!([old])), role(new), EventGridRole),
        (entra(), "roles", Some(json!([new])), role(old), EventGridRole),
        (entra(), "roles", None, role(new), NoRoles),
        (entra(), "roles", Some(json!([])), role(new), Scope),
        (entra(), "roles", Some(json!([old])), role("Send"), Scope),
        (okta(), "scp", None, okta_expected(), Scope),
    ] {
        let claims = with(base, &[(claim, value)]).to_string();
        assert_eq!(check(HEADER, &claims, &expected), Err(fault), "{claims} {expected:?}");
    }
}

/// As Auth0 and Keycloak make them for client credentials.
#[test]
fn machine_tokens_of_other_servers_are_refused_without_a_word_of_entra() {
    let of = |issuer: &str| {
        json!({
            "iss": issuer, "aud": "https://hook.example.com", "azp": "the-client",
            "iat": seconds_from_now(-5), "exp": seconds_from_now(3600), "scope": "send",
        })
    };
    let auth0 = with(
        of("https://contoso.eu.auth0.com/"),
        &[("sub", Some(json!("the-client@clients"))), ("gty", Some(json!("client-credentials")))],
    );
    let keycloak = with(
        of("https://id.contoso.com/realms/contoso"),
        &[
            ("sub", Some(json!("0b1ec700-0000-4000-8000-000000000002"))),
            ("clientId", Some(json!("the-client"))),
            ("preferred_username", Some(json!("service-account-the-client"))),
        ],
    );
    for claims in [auth0, keycloak] {
        let expected = Expected {
            issuer: claims["iss"].as_str().unwrap().into(),
            audience: "https://hook.example.com".into(),
            scope: Some("send".into()),
            client_id: "the-client".into(),
        };
        let fault = check(HEADER, &claims.to_string(), &expected).unwrap_err();
        assert_eq!(fault, TokenFault::OtherServer);
        let fix = fault.to_string();
        assert!(fix.contains("Auth0 and Keycloak") && !fix.contains("idtyp"), "{fix}");
    }
}

#[test]
fn where_no_scope_is_asked_for_none_is_needed() {
    let claims = with(okta(), &[("scp", None)]).to_string();
    let expected = Expected { scope: None, ..okta_expected() };
    assert_eq!(check(HEADER, &claims, &expected), Ok(()));
}

#[test]
fn what_is_not_configured_is_met_by_nothing() {
    let empty = |name: &str| with(okta(), &[(name, Some(json!("")))]).to_string();
    for (claims, expected, fault) in [
        (empty("iss"), Expected { issuer: "".into(), ..okta_expected() }, TokenFault::Issuer),
        (empty("aud"), Expected { audience: "".into(), ..okta_expected() }, TokenFault::Audience),
        (empty("cid"), Expected { client_id: "".into(), ..okta_expected() }, TokenFault::Client),
        (empty("scp"), Expected { scope: Some("".into()), ..okta_expected() }, TokenFault::Scope),
    ] {
        assert_eq!(check(HEADER, &claims, &expected), Err(fault), "{claims}");
    }
}

#[test]
fn each_header_is_held_to_its_rule() {
    for (header, expected) in [
        (r#"{"alg":"none"}"#, Err(TokenFault::Algorithm)),
        (r#"{"alg":"None"}"#, Err(TokenFault::Algorithm)),
        (r#"{"alg":""}"#, Err(TokenFault::Algorithm)),
        (r#"{"alg":"HS256"}"#, Err(TokenFault::Algorithm)),
        (r#"{"alg":"RS512"}"#, Err(TokenFault::Algorithm)),
        (r#"{"alg":"PS256"}"#, Err(TokenFault::Algorithm)),
        (r#"{"alg":"ES384"}"#, Err(TokenFault::Algorithm)),
        (r#"{"alg":"ES256K"}"#, Err(TokenFault::Algorithm)),
        (r#"{"alg":"EdDSA"}"#, Err(TokenFault::Algorithm)),
        (r#"{"alg":"rs256"}"#, Err(TokenFault::Algorithm)),
        (r#"{"alg":["RS256"]}"#, Err(TokenFault::Algorithm)),
        (r#"{"alg":null}"#, Err(TokenFault::Algorithm)),
        (r#"{"kid":"one"}"#, Err(TokenFault::Algorithm)),
        (r#"{}"#, Err(TokenFault::Algorithm)),
        (r#"{"alg":"none","alg":"RS256"}"#, Err(TokenFault::DuplicateMember)),
        (r#"{"alg":"RS256","\u0061lg":"RS256"}"#, Err(TokenFault::DuplicateMember)),
        (r#"{"alg":"RS256","kid":"one","kid":"two"}"#, Err(TokenFault::DuplicateMember)),
        (r#"{"alg":"RS256","kid":null,"kid":"two"}"#, Err(TokenFault::DuplicateMember)),
        (r#"{"alg":"RS256","x":1,"x":2}"#, Ok(())),
        (r#"{"alg":"RS256","kid":1}"#, Err(TokenFault::NotAToken)),
        (r#"{"alg":"RS256","crit":["exp"]}"#, Err(TokenFault::CriticalHeader)),
        (r#"{"alg":"RS256","crit":["b64"],"b64":false}"#, Err(TokenFault::CriticalHeader)),
        (r#"{"alg":"RS256","crit":[]}"#, Err(TokenFault::CriticalHeader)),
        (r#"{"alg":"RS256","crit":null}"#, Err(TokenFault::CriticalHeader)),
        (r#"{"alg":"RS256","jku":"https://evil.example","jwk":{},"x5u":"","x5c":[]}"#, Ok(())),
        (r#"{"alg":"RS256","typ":"JOSE"}"#, Ok(())),
        (r#"["RS256"]"#, Err(TokenFault::NotAToken)),
        (r#" ["RS256","one"]"#, Err(TokenFault::NotAToken)),
        (r#"{"alg":"RS256"} {}"#, Err(TokenFault::NotAToken)),
        (r#"{"alg":"RS256""#, Err(TokenFault::NotAToken)),
        ("null", Err(TokenFault::NotAToken)),
        ("", Err(TokenFault::NotAToken)),
    ] {
        assert_eq!(check(header, &okta().to_string(), &okta_expected()), expected, "{header}");
    }
}

#[test]
fn a_payload_that_two_readers_could_read_differently_is_refused() {
    let claims = okta().to_string();
    for (claims, expected) in [
        (claims.replace(r#""cid":"#, r#""cid":"0oaother","cid":"#), TokenFault::DuplicateMember),
        (claims.replace(r#""aud":"#, r#""\u0061ud":[],"aud":"#), TokenFault::DuplicateMember),
        (claims.replace(r#""exp":"#, r#""exp":null,"exp":"#), TokenFault::DuplicateMember),
        (claims.replace(r#""exp":"#, r#""exp":1e999,"x":"#), TokenFault::NotAToken),
        (claims.replace(r#""ver":1"#, r#""ver":NaN"#), TokenFault::NotAToken),
        (claims.replace("0oaclient", r"\ud800"), TokenFault::NotAToken),
        (claims.clone() + "x", TokenFault::NotAToken),
        (format!("[{claims}]"), TokenFault::NotAToken),
    ] {
        assert_eq!(check(HEADER, &claims, &okta_expected()), Err(expected), "{claims}");
    }
    let mut not_utf8 = base64(HEADER).into_bytes();
    not_utf8.extend(b".");
    not_utf8.extend(base64([&b"{\"x\":\"\xff\","[..], &claims.as_bytes()[1..]].concat()).bytes());
    not_utf8.extend(b".");
    assert_eq!(
        Token::check(&not_utf8, &okta_expected(), NOW).map(drop),
        Err(TokenFault::NotAToken)
    );
}

#[test]
fn what_is_not_three_parts_of_strict_base64url_is_no_token() {
    let good = token_of(HEADER, &okta().to_string(), es256);
    let [header, payload, signature] = parts(good.as_bytes()).unwrap();
    let [header, payload, signature] =
        [header, payload, signature].map(|p| str::from_utf8(p).unwrap());
    // 64 bytes leave 4 bits over in their last character.
    let last = signature.bytes().last().unwrap() + 1;
    let other_end = format!("{}{}", &signature[..signature.len() - 1], last as char);
    for token in [
        String::new(),
        ".".into(),
        "..".into(),
        "opaque".into(),
        format!("{header}.{payload}"),
        format!("{good}."),
        format!("{header}.{payload}..{signature}"),
        format!("{good}.{payload}.{signature}"),
        format!(" {good}"),
        format!("{good} "),
        format!("{good}\n"),
        format!("{good}=="),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}.{signature}AAA"),
        format!("{header}.{payload}.+{}", &signature[1..]),
        format!("{header}.{payload}./{}", &signature[1..]),
        format!("{header}.{payload}.{other_end}"),
        format!("{header}.{}.{signature}", &payload[..payload.len() - 1]),
    ] {
        let fault = Token::check(token.as_bytes(), &okta_expected(), NOW).map(drop);
        assert_eq!(fault, Err(TokenFault::NotAToken), "{token}");
    }
}

#[test]
fn a_token_may_have_8_kib_and_not_one_byte_more() {
    let padded = |length: usize| {
        let claims = with(okta(), &[("x", Some(json!("x".repeat(length))))]);
        token_of(HEADER, &claims.to_string(), unsigned)
    };
    let longest = (0..TOKEN_LIMIT).map(padded).take_while(|t| t.len() <= TOKEN_LIMIT).last();
    assert_eq!(Token::check(longest.unwrap().as_bytes(), &okta_expected(), NOW).map(drop), Ok(()));
    for length in [TOKEN_LIMIT + 1, 1 << 20] {
        let token = vec![b'a'; length];
        assert_eq!(Token::check(&token, &okta_expected(), NOW).map(drop), Err(TokenFault::TooLong));
    }
    let nested = format!(r#"{{"x":{}"#, "[".repeat(5_000));
    assert_eq!(check(HEADER, &nested, &okta_expected()), Err(TokenFault::NotAToken));
    let nested = format!(r#"{{"aud":{}"#, "[".repeat(5_000));
    assert_eq!(check(HEADER, &nested, &okta_expected()), Err(TokenFault::NotAToken));
}

/// What is signed, by hand: the vectors' claims are not ours.
fn signed_token(algorithm: Algorithm, (signed, signature): (&'static str, &str)) -> Token<'static> {
    Token { algorithm, key_id: None, signed: signed.as_bytes(), signature: bytes(signature) }
}

#[test]
fn the_examples_of_rfc_7515_are_verified_and_any_other_bytes_are_not() {
    let keys = key_set(&[rsa_key("one"), p256_key("two")]);
    for (algorithm, example) in
        [(Algorithm::Rs256, rfc7515::RS256), (Algorithm::Es256, rfc7515::ES256)]
    {
        assert_eq!(signed_token(algorithm, example).verify(&keys), Ok(()));
        let wrong = |change: fn(&mut Token<'static>)| {
            let mut token = signed_token(algorithm, example);
            change(&mut token);
            assert_eq!(token.verify(&keys), Err(SignatureFault::WrongSignature), "{token:?}");
        };
        wrong(|token| token.signed = &token.signed[1..]);
        wrong(|token| token.signed = b"");
        wrong(|token| token.signature.clear());
        wrong(|token| token.signature.truncate(token.signature.len() - 1));
        wrong(|token| token.signature.push(0));
        wrong(|token| token.signature.insert(0, 0));
        wrong(|token| token.signature.reverse());
        wrong(|token| token.signature.fill(0));
        wrong(|token| token.signature.fill(0xff));
        wrong(|token| token.signature = vec![1]);
        wrong(|token| token.signature = vec![1; 8 * 1024]);
    }
}

#[test]
fn a_signature_of_rsa_has_no_second_form() {
    // s + n is the same number modulo n (RFC 8017, section 5.2.2, step 1).
    let keys = key_set(&[rsa_key("one")]);
    let mut token = signed_token(Algorithm::Rs256, rfc7515::RS256);
    let sum = BigUint::from_bytes_be(&token.signature) + BigUint::from_bytes_be(&bytes(rfc7515::N));
    token.signature = sum.to_bytes_be();
    assert_eq!(token.verify(&keys), Err(SignatureFault::WrongSignature));
}

#[test]
fn an_es256_signature_holds_with_either_s_and_not_in_der() {
    let keys = key_set(&[p256_key("two")]);
    let mut token = signed_token(Algorithm::Es256, rfc7515::ES256);
    let given = p256::ecdsa::Signature::from_slice(&token.signature).unwrap();
    let (r, s) = given.split_scalars();
    let other = p256::ecdsa::Signature::from_scalars(r, -s).unwrap();
    token.signature = other.to_bytes().to_vec();
    assert_eq!(token.verify(&keys), Ok(()));
    assert_ne!(given.normalize_s().is_some(), other.normalize_s().is_some(), "one of them is high");
    token.signature = given.to_der().as_bytes().to_vec();
    assert_eq!(token.verify(&keys), Err(SignatureFault::WrongSignature));
    // r = s = 0, and r or s at the order of the group and beyond (CVE-2022-21449).
    for (r, s) in [([0; 32], [0; 32]), ([0xff; 32], [0xff; 32])] {
        token.signature = [r, s].concat();
        assert_eq!(token.verify(&keys), Err(SignatureFault::WrongSignature));
    }
}

/// The answer of a set of keys to a token of RS256 with a `kid`, or without one.
fn rs256_verdict(kid: Option<&str>, keys: &[Json]) -> Result<(), SignatureFault> {
    let mut token = signed_token(Algorithm::Rs256, rfc7515::RS256);
    token.key_id = kid.map(str::to_owned);
    token.verify(&key_set(keys))
}

fn modulus(bits: usize) -> Json {
    json!(base64(((BigUint::from(1u32) << (bits - 1)) + 1u32).to_bytes_be()))
}

#[test]
fn a_key_is_used_for_what_it_is_for_only() {
    use SignatureFault::{UnusableKey, WrongSignature};
    let text = |value: &str| Some(json!(value));
    for (changes, expected) in [
        (vec![], Ok(())),
        (vec![("alg", None)], Ok(())),
        (vec![("alg", text("RS512"))], Err(UnusableKey)),
        (vec![("alg", text("RSA-OAEP"))], Err(UnusableKey)),
        (vec![("alg", Some(json!(1)))], Err(UnusableKey)),
        (vec![("use", None)], Ok(())),
        (vec![("use", text("enc"))], Err(UnusableKey)),
        (vec![("use", Some(json!(null)))], Err(UnusableKey)),
        (vec![("key_ops", Some(json!(["verify"])))], Ok(())),
        (vec![("key_ops", Some(json!(["sign", "verify"])))], Ok(())),
        (vec![("key_ops", Some(json!(["encrypt"])))], Err(UnusableKey)),
        (vec![("key_ops", Some(json!([])))], Err(UnusableKey)),
        (vec![("key_ops", text("verify"))], Err(UnusableKey)),
        (vec![("kty", text("EC"))], Err(UnusableKey)),
        (vec![("kty", text("oct")), ("k", text("AA"))], Err(UnusableKey)),
        (vec![("kty", None)], Err(UnusableKey)),
        (vec![("n", None)], Err(UnusableKey)),
        (vec![("n", text(""))], Err(UnusableKey)),
        (vec![("n", text("AA"))], Err(UnusableKey)),
        (vec![("n", Some(modulus(1024)))], Err(UnusableKey)),
        (vec![("n", Some(modulus(2047)))], Err(UnusableKey)),
        (vec![("n", Some(modulus(2048)))], Err(WrongSignature)),
        (vec![("n", Some(modulus(4096)))], Err(WrongSignature)),
        (vec![("n", Some(modulus(4097)))], Err(UnusableKey)),
        (vec![("n", text(&(rfc7515::N[..340].to_owned() + "oA")))], Err(UnusableKey)),
        (vec![("n", text(&format!("{}=", rfc7515::N)))], Err(UnusableKey)),
        (vec![("e", None)], Err(UnusableKey)),
        (vec![("e", text("AQ"))], Err(UnusableKey)),
        (vec![("e", text("Aw"))], Err(UnusableKey)),
        (vec![("e", text("AQAA"))], Err(UnusableKey)),
        (vec![("e", text("AQAC"))], Err(UnusableKey)),
        (vec![("e", text(rfc7515::N))], Err(UnusableKey)),
        (vec![("e", text("AQAD"))], Err(WrongSignature)),
        (vec![("x5c", Some(json!(["AA"])))], Ok(())),
    ] {
        let key = with(rsa_key("one"), &changes);
        assert_eq!(rs256_verdict(Some("one"), std::slice::from_ref(&key)), expected, "{key}");
    }
    for (changes, expected) in [
        (vec![], Ok(())),
        (vec![("alg", text("ES256"))], Ok(())),
        (vec![("alg", text("ES384"))], Err(UnusableKey)),
        (vec![("alg", text("RS256"))], Err(UnusableKey)),
        (vec![("use", text("enc"))], Err(UnusableKey)),
        (vec![("kty", text("OKP"))], Err(UnusableKey)),
        (vec![("crv", None)], Err(UnusableKey)),
        (vec![("crv", text("P-384"))], Err(UnusableKey)),
        (vec![("crv", text("secp256k1"))], Err(UnusableKey)),
        (vec![("y", None)], Err(UnusableKey)),
        // Off the curve.
        (vec![("y", text(rfc7515::X))], Err(UnusableKey)),
        (
            vec![("x", Some(json!(base64([0; 32])))), ("y", Some(json!(base64([0; 32]))))],
            Err(UnusableKey),
        ),
        (vec![("x", Some(json!(base64([0xff; 32]))))], Err(UnusableKey)),
        (vec![("x", Some(json!(base64([0; 33]))))], Err(UnusableKey)),
        (vec![("x", Some(json!(base64([1; 31]))))], Err(UnusableKey)),
    ] {
        let key = with(p256_key("two"), &changes);
        let mut token = signed_token(Algorithm::Es256, rfc7515::ES256);
        token.key_id = Some("two".into());
        assert_eq!(token.verify(&key_set(std::slice::from_ref(&key))), expected, "{key}");
    }
}

#[test]
fn a_token_without_a_kid_has_its_key_where_one_of_these_has_signed_it() {
    let (old, new) = (with(rsa_key("old"), &[("n", Some(modulus(2048)))]), rsa_key("new"));
    let token = signed_token(Algorithm::Rs256, rfc7515::RS256);
    for (keys, has_its_key) in
        [(vec![new.clone()], true), (vec![old.clone()], false), (vec![old, new], false)]
    {
        assert_eq!(token.has_its_key_among(&key_set(&keys)), has_its_key, "{keys:?}");
    }
}

#[test]
fn a_token_is_verified_by_the_key_it_names() {
    use SignatureFault::{AmbiguousKey, UnknownKey, UnusableKey, WrongSignature};
    let right = rsa_key;
    let wrong = |kid: &str| with(rsa_key(kid), &[("n", Some(modulus(2048)))]);
    let nameless = with(rsa_key(""), &[("kid", None)]);
    for (kid, keys, expected) in [
        (Some("one"), vec![], Err(UnknownKey)),
        (Some("one"), vec![right("two")], Err(UnknownKey)),
        (Some("one"), vec![right("ONE")], Err(UnknownKey)),
        (Some("one"), vec![nameless.clone()], Err(UnknownKey)),
        (Some("one"), vec![with(right("one"), &[("kid", Some(json!(1)))])], Err(UnknownKey)),
        (Some("one"), vec![wrong("one"), right("two")], Err(WrongSignature)),
        (Some("one"), vec![p256_key("one"), right("two")], Err(UnusableKey)),
        (Some("one"), vec![wrong("one"), right("one")], Ok(())),
        (Some("one"), vec![p256_key("one"), right("one")], Ok(())),
        (Some("one"), [vec![wrong("one"); 3], vec![right("one")]].concat(), Ok(())),
        (Some("one"), [vec![wrong("one"); 4], vec![right("one")]].concat(), Err(WrongSignature)),
        (None, vec![], Err(UnknownKey)),
        (None, vec![p256_key("one")], Err(UnknownKey)),
        (None, vec![right("one")], Ok(())),
        (None, vec![nameless.clone()], Ok(())),
        (None, vec![wrong("one")], Err(WrongSignature)),
        (None, vec![p256_key("one"), right("two")], Ok(())),
        (None, vec![right("one"), right("two")], Err(AmbiguousKey)),
        (None, vec![right("one"), with(right("two"), &[("use", Some(json!("enc")))])], Ok(())),
    ] {
        assert_eq!(rs256_verdict(kid, &keys), expected, "{kid:?} {keys:?}");
    }
}

#[test]
fn the_public_key_as_an_hmac_key_and_no_signature_at_all_are_refused() {
    let keys = key_set(&[with(rsa_key("one"), &[("alg", None)])]);
    let claims = okta().to_string();
    for alg in ["HS256", "none"] {
        let header = json!({"alg": alg, "kid": "one"}).to_string();
        assert_eq!(check(&header, &claims, &okta_expected()), Err(TokenFault::Algorithm));
    }
    for (header, sign) in [
        (r#"{"alg":"RS256","kid":"one"}"#, unsigned as fn(&str) -> Vec<u8>),
        (r#"{"alg":"RS256","kid":"one"}"#, es256),
        (r#"{"alg":"ES256","kid":"one"}"#, rs256),
        (r#"{"alg":"ES256","kid":"one"}"#, es256),
    ] {
        let token = token_of(header, &claims, sign);
        let token = Token::check(token.as_bytes(), &okta_expected(), NOW).unwrap();
        assert!(token.verify(&keys).is_err(), "{header}");
    }
}

#[test]
fn a_key_set_that_is_none_or_is_too_large_is_refused() {
    let full = |count: usize| json!({"keys": vec![p256_key("one"); count]}).to_string();
    let beside = |key: &str| full(1).replace(r#""keys":["#, &[r#""keys":["#, key, ","].concat());
    for (json, taken) in [
        (full(1), true),
        (full(KEY_LIMIT), true),
        (full(KEY_LIMIT + 1), false),
        (full(KEY_LIMIT + 40), false),
        (beside("{}"), true),
        (beside(r#"{"d":"","d":""}"#), true),
        (beside(r#"{"n":"","n":""}"#), false),
        (beside("1"), false),
        (beside("[]"), false),
        (beside(r#"["one","RSA"]"#), false),
        (full(0), true),
        ("".into(), false),
        ("{}".into(), false),
        ("[]".into(), false),
        ("<html>".into(), false),
        (r#"{"keys":null}"#.into(), false),
        (r#"{"keys":{}}"#.into(), false),
        (full(1) + " x", false),
        (full(1).replacen('{', r#"{"keys":[],"#, 1), false),
    ] {
        assert_eq!(Jwks::parse(json.as_bytes()).is_some(), taken, "{json:.80}");
    }
    for (json, of_use) in [
        (full(1), true),
        (beside("{}"), true),
        (full(0), false),
        (full(1).replace("P-256", "P-384"), false),
    ] {
        assert_eq!(Jwks::parse(json.as_bytes()).unwrap().is_of_use(), of_use, "{json:.80}");
    }
    let no_utf8 = [&full(1).as_bytes()[..full(1).len() - 1], b",\"\xff\":1}"].concat();
    assert!(Jwks::parse(&no_utf8).is_none());
}

#[test]
fn no_text_shows_a_part_of_a_token_or_of_a_key() {
    let token = token_of(HEADER, &okta().to_string(), rs256);
    let token = Token::check(token.as_bytes(), &okta_expected(), NOW).unwrap();
    assert_eq!(format!("{token:?}"), "Token { algorithm: Rs256, .. }");
    assert_eq!(format!("{:?}", key_set(&[rsa_key("one")])), "Jwks(1)");
}

#[test]
fn every_fault_of_the_configuration_names_the_setting_that_mends_it() {
    for (fault, name) in [
        (TokenFault::Issuer, "oauth.issuer"),
        (TokenFault::EntraVersion, "requestedAccessTokenVersion: 2"),
        (TokenFault::IssuerSpelling, "oauth.issuer"),
        (TokenFault::OktaOrg, "oauth.issuer"),
        (TokenFault::EntraTenant, "oauth.issuer"),
        (TokenFault::NewerEntraVersion, "oauth.issuer"),
        (TokenFault::AudienceUri, "oauth.audience"),
        (TokenFault::AudienceId, "oauth.audience"),
        (TokenFault::AudienceSpelling, "oauth.audience"),
        (TokenFault::EventGridRole, "oauth.scope"),
        (TokenFault::NoRoles, "oauth.scope"),
        (TokenFault::OtherServer, "Basic"),
        (TokenFault::Audience, "oauth.audience"),
        (TokenFault::NoClient, "oauth.client_id"),
        (TokenFault::Client, "oauth.client_id"),
        (TokenFault::Scope, "oauth.scope"),
        (TokenFault::BoundToKey, "Require Demonstrating Proof of Possession (DPoP) header"),
        (TokenFault::User, "idtyp"),
    ] {
        assert!(fault.to_string().contains(name), "{fault:?}");
    }
    for fault in TokenFault::ALL {
        assert!(!fault.to_string().contains("  "), "{fault:?}: broken over two lines");
    }
}

/// RUSTSEC-2023-0071 is about operations with a private RSA key.
#[test]
fn the_component_has_no_use_for_a_private_key() {
    fn sources(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if !path.ends_with("tests.rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    sources(concat!(env!("CARGO_MANIFEST_DIR"), "/src").as_ref(), &mut found);
    let mut uses = Vec::new();
    for path in found {
        let source = std::fs::read_to_string(path).unwrap();
        let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
        uses.extend(
            code.lines()
                .filter(|line| line.contains("rsa::") || line.contains("p256::"))
                .map(|line| line.trim().to_owned()),
        );
    }
    assert_eq!(
        uses,
        [
            "use p256::EncodedPoint;",
            "use p256::ecdsa::signature::hazmat::PrehashVerifier;",
            "use p256::ecdsa::{Signature, VerifyingKey};",
            "use rsa::{BigUint, Pkcs1v15Sign, RsaPublicKey};",
        ],
        "whatever else is used, it must do nothing with a private key (docs/contributing/decisions.md)"
    );
}

/// Base64url without padding gives each string of bytes one text, so there are no bits that don't
/// matter.
#[test]
fn a_token_with_any_bit_flipped_is_refused() {
    let keys = key_set(&[p256_key("one")]);
    let header = r#"{"alg":"ES256","kid":"one"}"#;
    let token = token_of(header, &okta().to_string(), es256).into_bytes();
    let verdict = |token: &[u8]| match Token::check(token, &okta_expected(), NOW) {
        Ok(token) => token.verify(&keys).is_ok(),
        Err(_) => false,
    };
    assert!(verdict(&token));
    for place in 0..token.len() {
        for bit in 0..8 {
            let mut flipped = token.clone();
            flipped[place] ^= 1 << bit;
            assert!(!verdict(&flipped), "bit {bit} of byte {place}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_are_a_token(token in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Token::check(&token, &okta_expected(), NOW).is_err());
    }

    #[test]
    fn no_header_and_payload_make_it_panic(
        header in "[{]\"(alg|kid|crit)\":(\"RS256\"|\"ES256\"|1e9|null|[\\[\\{\"]*)[}]|\\PC*",
        payload in "[{](\"(iss|aud|exp|cid|uid)\":(\"\\PC*\"|-?[0-9]{1,400}|[\\[\\{\"]*),?){0,4}[}]|\\PC*",
    ) {
        prop_assert!(check(&header, &payload, &okta_expected()).is_err());
    }

    #[test]
    fn no_time_makes_it_panic(
        exp in any::<f64>(),
        now in -377_705_116_800_i64..=253_402_300_799,
    ) {
        let claims = with(okta(), &[("exp", Some(json!(exp))), ("iat", None)]).to_string();
        let token = token_of(HEADER, &claims, unsigned);
        let now = OffsetDateTime::from_unix_timestamp(now).unwrap();
        let passes = Token::check(token.as_bytes(), &okta_expected(), now).is_ok();
        prop_assert_eq!(
            passes,
            (0.0..END_OF_TIME).contains(&exp) && (now.unix_timestamp() as f64) < exp + SKEW
        );
    }

    #[test]
    fn no_bytes_are_a_signature(
        signature in proptest::collection::vec(any::<u8>(), 0..300),
        rs256 in any::<bool>(),
    ) {
        let algorithm = if rs256 { Algorithm::Rs256 } else { Algorithm::Es256 };
        let token = Token { algorithm, key_id: None, signed: b"a.b", signature };
        let keys = key_set(&[rsa_key("one"), p256_key("two")]);
        prop_assert_eq!(token.verify(&keys), Err(SignatureFault::WrongSignature));
    }

    #[test]
    fn no_key_set_makes_it_panic(
        n in proptest::collection::vec(any::<u8>(), 0..520),
        e in proptest::collection::vec(any::<u8>(), 0..10),
        x in any::<[u8; 32]>(),
        any in "\\PC*",
    ) {
        let keys = json!({"keys": [
            {"kty": "RSA", "n": base64(n), "e": base64(e)},
            {"kty": "EC", "crv": "P-256", "x": base64(x), "y": rfc7515::Y},
        ]});
        let keys = Jwks::parse(keys.to_string().as_bytes()).unwrap();
        for (algorithm, example) in
            [(Algorithm::Rs256, rfc7515::RS256), (Algorithm::Es256, rfc7515::ES256)]
        {
            prop_assert!(signed_token(algorithm, example).verify(&keys).is_err());
        }
        let _ = Jwks::parse(any.as_bytes());
    }
}

/// A clock that is right on the second has room on both sides.
#[test]
fn a_token_holds_from_two_minutes_before_it_to_two_minutes_after_it() {
    let claims = with(okta(), &[("exp", Some(seconds_from_now(60)))]).to_string();
    let token = token_of(HEADER, &claims, unsigned);
    for (seconds, expected) in [
        (-126, Err(TokenFault::NotYetValid)),
        (-125, Ok(())),
        (0, Ok(())),
        (179, Ok(())),
        (180, Err(TokenFault::Expired)),
    ] {
        let now = NOW + Duration::seconds(seconds);
        let verdict = Token::check(token.as_bytes(), &okta_expected(), now).map(drop);
        assert_eq!(verdict, expected, "{seconds}");
    }
}
