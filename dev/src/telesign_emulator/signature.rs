//! Who signs what, and how: requests by the hook, and delivery reports by Telesign.
//!
//! The sources are `python/rest/shared/ts_auth.py` of Telesign's sample code, the tests of its clients for Python and
//! Node.js, and its page "Authenticate callbacks". It shares nothing with the component, whose own code may be wrong.

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use ring::hmac;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::send::{Account, Record, Refusal};

/// How far a date may be off. No page says; this is the emulator's.
const CLOCKS_APART: time::Duration = time::Duration::minutes(15);

/// How long a nonce may be. No page says; this is the emulator's.
const NONCE_MAX: usize = 64;

/// An API key that signs.
pub(super) struct Key(hmac::Key);

impl Key {
    pub fn new(base64: &str) -> anyhow::Result<Self> {
        let key = BASE64.decode(base64).context("the API key is no base64")?;
        ensure!(!key.is_empty(), "the API key is empty");
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// In base64.
    pub fn sign(&self, signed: &[u8]) -> String {
        BASE64.encode(hmac::sign(&self.0, signed))
    }

    fn has_signed(&self, signed: &[u8], signature: &str) -> bool {
        let signature = BASE64.decode(signature);
        signature.is_ok_and(|it| hmac::verify(&self.0, signed, &it).is_ok())
    }
}

/// Whether a request is the account's. A nonce that it shows is used from then on.
pub(super) fn check(
    head: &Parts,
    body: &[u8],
    account: &Account<'_>,
    record: &mut Record,
    now: OffsetDateTime,
) -> Result<(), Refusal> {
    let unauthorized = |code, reason: &str| Refusal::new(StatusCode::UNAUTHORIZED, code, reason);
    let said = header(&head.headers, AUTHORIZATION.as_str())
        .ok_or_else(|| unauthorized(10009, "the header Authorization is missing"))?;
    if let Some(credentials) = said.strip_prefix("Basic ") {
        let right = format!("{}:{}", account.customer_id, account.api_key);
        return match BASE64.decode(credentials).is_ok_and(|it| it == right.as_bytes()) {
            true => Ok(()),
            false => Err(unauthorized(10022, "the API key is another one")),
        };
    }
    let (customer_id, signature) =
        said.strip_prefix("TSA ").and_then(|it| it.split_once(':')).ok_or_else(|| {
            unauthorized(10028, "Authorization is neither Basic nor TSA ID:SIGNATURE")
        })?;
    if customer_id != account.customer_id {
        return Err(unauthorized(10015, "the Customer ID is another one"));
    }
    if header(&head.headers, "x-ts-auth-method") != Some("HMAC-SHA256") {
        return Err(unauthorized(10006, "x-ts-auth-method is not HMAC-SHA256"));
    }
    let date = header(&head.headers, "x-ts-date").or(header(&head.headers, DATE.as_str()));
    let date = date.ok_or_else(|| unauthorized(10007, "there is neither Date nor x-ts-date"))?;
    let date = OffsetDateTime::parse(date, &Rfc2822)
        .map_err(|_| unauthorized(10005, "the date is not one of RFC 2822"))?;
    if (now - date).abs() > CLOCKS_APART {
        return Err(unauthorized(10004, "the date is more than 15 minutes off"));
    }
    let nonce = header(&head.headers, "x-ts-nonce").unwrap_or_default();
    if !(1..=NONCE_MAX).contains(&nonce.len()) {
        return Err(unauthorized(10003, "x-ts-nonce is missing or too long"));
    }
    let signed = string_to_sign(head, body);
    if !account.key.has_signed(&signed, signature) {
        let refusal = unauthorized(10008, "the signature is another one");
        return Err(refusal.giving_back(&String::from_utf8_lossy(&signed)));
    }
    match record.is_new_nonce(nonce) {
        true => Ok(()),
        false => Err(unauthorized(10002, "x-ts-nonce has been used")),
    }
}

/// What a request with these headers and this body has to sign.
fn string_to_sign(head: &Parts, body: &[u8]) -> Vec<u8> {
    let value = |name| header(&head.headers, name);
    let has_own_date = value("x-ts-date").is_some();
    let date = value(DATE.as_str()).filter(|_| !has_own_date).unwrap_or_default();
    let mut lines = vec![
        head.method.as_str().to_owned(),
        value(CONTENT_TYPE.as_str()).unwrap_or_default().to_owned(),
        date.to_owned(),
    ];
    for name in ["x-ts-auth-method", "x-ts-date", "x-ts-nonce"] {
        lines.extend(value(name).map(|value| format!("{name}:{value}")));
    }
    let mut signed = lines.join("\n").into_bytes();
    for part in [body, head.uri.path().as_bytes()] {
        if !part.is_empty() {
            signed.push(b'\n');
            signed.extend_from_slice(part);
        }
    }
    signed
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const K1: &str = "VGVzdCBLZXk=";

    #[test]
    fn a_request_is_signed_as_telesigns_clients_sign_it() {
        for (method, body, signature) in [
            ("POST", "test=param", "vXw/XzywdhgfEG2/zWLaFp7oXmjLB8iJDMndvDbZMjk="),
            ("POST", "test=%CF%BF", "lPpGXw4jTRdaEp2obzYAD5rR+2aWDInJ8ThLbq0nTGU="),
            ("GET", "", "wscyrZZtA7kdXu0i4D5KXyDmBcwH52JF1feiEKp+ir0="),
        ] {
            let mut request = http::Request::builder()
                .method(method)
                .uri("/v1/resource")
                .header("date", "Wed, 14 Dec 2016 18:20:12 GMT")
                .header("x-ts-auth-method", "HMAC-SHA256")
                .header("x-ts-nonce", "A1592C6F-E384-4CDB-BC42-C3AB970369E9");
            if !body.is_empty() {
                request = request.header("content-type", "application/x-www-form-urlencoded");
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            let signed = string_to_sign(&head, body.as_bytes());
            assert_eq!(Key::new(K1).unwrap().sign(&signed), signature, "{method} {body}");
        }
    }

    #[test]
    fn a_report_is_signed_by_its_body() {
        let signature = Key::new(K1).unwrap().sign(b"{'test': 123}");
        assert_eq!(signature, "OoFizkYAubl6u9jwcHz759EFupbpKcpb4LBmK5xMJX4=");
    }
}
