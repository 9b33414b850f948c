//! Telesign's digest, which proves both sides: a request by what `sign` makes of it, and a delivery report by what
//! [`is_of`] checks.
//!
//! Facts are from Telesign's pages "Digest authentication" and "Authenticate callbacks", and from the tests of its clients
//! for Python (`tests/test_rest.py`, `tests/test_util.py`) and Node.js (`test/RestClient.test.js`).

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::secret::Secret;

/// The header that says how a request is signed.
pub(super) const METHOD: (&str, &str) = ("x-ts-auth-method", "HMAC-SHA256");

/// The type of a request's body.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// Base64 whose end is as people copy it: with its padding or without.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A request, as far as it is signed.
pub(super) struct Signed<'a> {
    pub method: &'a str,
    /// The header `Date`.
    pub date: &'a str,
    /// The header `x-ts-nonce`.
    pub nonce: &'a str,
    /// As it is sent. Without one there is no type either.
    pub body: &'a [u8],
    /// Without the query.
    pub path: &'a str,
}

/// The API key of its text, which is base64. Characters that base64 does not have are passed over, as Telesign's own
/// clients do: a key that they test with has some. `None` where nothing is left.
pub fn key(text: &str) -> Option<Secret> {
    let fits = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
    let text: Vec<u8> = text.bytes().filter(fits).collect();
    let key = LENIENT.decode(text).ok()?;
    (!key.is_empty()).then(|| key.into())
}

/// The value of `Authorization` for a request.
pub(super) fn sign(customer_id: &str, key: &Secret, request: &Signed<'_>) -> String {
    let signature =
        BASE64_STANDARD.encode(mac(key, &string_to_sign(request)).finalize().into_bytes());
    format!("TSA {customer_id}:{signature}")
}

/// Line feeds between the lines, and none at the end. The names of headers are in lower case, without a space behind the
/// colon.
fn string_to_sign(request: &Signed<'_>) -> Vec<u8> {
    let Signed { method, date, nonce, body, path } = *request;
    let content_type = if body.is_empty() { "" } else { FORM };
    let (name, value) = METHOD;
    let head = format!("{method}\n{content_type}\n{date}\n{name}:{value}\nx-ts-nonce:{nonce}\n");
    let separator: &[u8] = if body.is_empty() { b"" } else { b"\n" };
    [head.as_bytes(), body, separator, path.as_bytes()].concat()
}

/// Whether this is the signature of a delivery report with this body, by this key. It takes the same time whatever is
/// wrong with it.
pub fn is_of(body: &[u8], key: &Secret, signature: &[u8]) -> bool {
    mac(key, body).verify_slice(signature).is_ok()
}

fn mac(key: &Secret, signed: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length (RFC 2104, section 2).
    let mut mac = Hmac::new_from_slice(key.reveal()).expect("any length is a key");
    mac.update(signed);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CUSTOMER: &str = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890";
    const K1: &str = "VGVzdCBLZXk=";
    const K2: &str =
        "EXAMPLE----TE8sTgg45yusumoN6BYsBVkh+yRJ5czgsnCehZaOYldPJdmFh6NeX8kunZ2zU1YWaUw/0wV6xfw==";

    #[test]
    fn requests_are_signed_as_telesigns_clients_sign_them() {
        for (text, method, body, signature) in [
            (K1, "POST", "test=param", "vXw/XzywdhgfEG2/zWLaFp7oXmjLB8iJDMndvDbZMjk="),
            (K1, "POST", "test=%CF%BF", "lPpGXw4jTRdaEp2obzYAD5rR+2aWDInJ8ThLbq0nTGU="),
            (K1, "GET", "", "wscyrZZtA7kdXu0i4D5KXyDmBcwH52JF1feiEKp+ir0="),
            (K2, "POST", "test=param", "2xVlmbrxLjYrrPun3G3WMNG6Jon4yKcTeOoK9DjXJ/Q="),
            (K2, "POST", "test=%CF%BF", "h8d4I0RTxErbxYXuzCOtNqb/f0w3Ck8e5SEkGNj01+8="),
            (K2, "GET", "", "aUm7I+9GKl3ww7PNeeJntCT0iS7b+EmRKEE4LnRzChQ="),
        ] {
            let request = Signed {
                method,
                date: "Wed, 14 Dec 2016 18:20:12 GMT",
                nonce: "A1592C6F-E384-4CDB-BC42-C3AB970369E9",
                body: body.as_bytes(),
                path: "/v1/resource",
            };
            let expected = format!("TSA {CUSTOMER}:{signature}");
            assert_eq!(sign(CUSTOMER, &key(text).unwrap(), &request), expected, "{method} {body}");
        }
    }

    #[test]
    fn reports_are_proven_as_telesigns_client_proves_them_and_nothing_else_is() {
        // The first is published, the second made with another implementation of HMAC.
        let body = b"{'test': 123}";
        let signatures = [
            (K2, "B97g3N9lPdVaptvifxRau7bzVAC5hhRBZ6HKXABN744="),
            (K1, "OoFizkYAubl6u9jwcHz759EFupbpKcpb4LBmK5xMJX4="),
        ];
        for (text, signature) in signatures {
            let right = BASE64_STANDARD.decode(signature).unwrap();
            for other in [K1, K2] {
                assert_eq!(is_of(body, &key(other).unwrap(), &right), other == text, "{signature}");
            }
            let key = key(text).unwrap();
            assert!(!is_of(b"{'test': 124}", &key, &right));
            assert!(!is_of(body, &key, &right[..31]));
            assert!(!is_of(body, &key, b""));
        }
    }

    #[test]
    fn a_key_is_read_as_telesigns_client_for_python_reads_it() {
        let length = |text: &str| key(text).map(|key| key.reveal().len());
        assert_eq!(key(K1).unwrap().reveal(), b"Test Key");
        for (text, expected) in [
            (K2, Some(61)),
            ("VGVzdCBLZXk", Some(8)),
            ("VGVz dCBL\nZXk=", Some(8)),
            ("", None),
            ("----", None),
            ("A", None),
            ("A=B=", None),
        ] {
            assert_eq!(length(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_key_or_none(text in "\\PC*") {
            let _ = key(&text);
        }
    }
}
