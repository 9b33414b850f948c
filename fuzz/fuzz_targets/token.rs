//! Any bytes are a token, or its parts and the issuer's keys: each is taken or refused, within its limit.
#![no_main]

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use okta_telephony_acs::callers::bearer::token::{Expected, Jwks, TOKEN_LIMIT, Token};
use time::OffsetDateTime;

fuzz_target!(|input: (&[u8], &[u8], &[u8], &[u8])| {
    let (header, payload, signature, keys) = input;
    let expected = Expected {
        issuer: "i".into(),
        audience: "a".into(),
        scope: Some("s".into()),
        client_id: "c".into(),
    };
    let now = OffsetDateTime::from_unix_timestamp(1_769_860_800).expect("in 2026");
    let _ = Token::check(payload, &expected, now);

    let parts = [header, payload, signature].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
    let token = parts.join(".");
    let keys = Jwks::parse(keys);
    if let Ok(token) = Token::check(token.as_bytes(), &expected, now) {
        assert!(parts.iter().map(String::len).sum::<usize>() < TOKEN_LIMIT);
        let _ = keys.map(|keys| token.verify(&keys));
    }
});
