//! The signature of a webhook of Twilio's, the header `X-Twilio-Signature` ("Webhooks security", Twilio).
//!
//! Attack: whoever finds the receiver tells the operator that messages arrived which did not. So nothing of a request is
//! believed before its signature is right. No time is signed: a request that somebody has recorded is right for ever, and
//! says of its message what Twilio said once.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::secret::Secret;

/// The header.
pub const HEADER: &str = "x-twilio-signature";

/// The parameter of the query that has the hash of a body which is no form.
const BODY_HASH: &str = "bodySHA256";

/// A signature as a request has it: the 20 bytes of an HMAC-SHA1.
#[derive(Clone, Copy, Debug)]
pub struct Signature([u8; 20]);

impl Signature {
    /// Reads the header's value; `None` where it can't be one, for which no body needs to be read.
    pub fn parse(value: &[u8]) -> Option<Self> {
        BASE64_STANDARD.decode(value.trim_ascii()).ok()?.try_into().ok().map(Self)
    }

    /// Whether the holder of an auth token has signed this body for one of these URLs, all of which are tried.
    pub fn is_of(&self, token: &Secret, urls: &[String], body: &[u8]) -> bool {
        let mut is_right = false;
        for url in urls {
            let mut mac = Hmac::<Sha1>::new_from_slice(token.reveal()).expect("keys of any length");
            mac.update(&signed(url, body));
            // In constant time.
            is_right |= mac.verify_slice(&self.0).is_ok();
        }
        is_right
    }
}

/// What is signed: the URL, and the names and values of a form, which are sorted, each value of a name once. Where the URL
/// has the hash of the body, that stands for it, if it is right.
pub fn signed(url: &str, body: &[u8]) -> Vec<u8> {
    let mut signed = url.as_bytes().to_vec();
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let said = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == BODY_HASH);
    if let Some((_, said)) = said {
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(body));
        if bool::from(hash.as_bytes().ct_eq(said.as_bytes())) {
            return signed;
        }
    }
    let mut values = BTreeMap::<_, BTreeSet<_>>::new();
    for (name, value) in form_urlencoded::parse(body) {
        values.entry(name).or_default().insert(value);
    }
    for (name, value) in values.iter().flat_map(|(name, of)| of.iter().map(move |it| (name, it))) {
        signed.extend_from_slice(name.as_bytes());
        signed.extend_from_slice(value.as_bytes());
    }
    signed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::public_url::PublicUrl;
    use proptest::prelude::*;

    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const FORM: &str = "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309";

    fn is_right(signature: &str, url: &str, body: &str) -> bool {
        let signature = Signature::parse(signature.as_bytes()).unwrap();
        signature.is_of(&Secret::from("12345"), &[url.to_owned()], body.as_bytes())
    }

    /// Of the tests of Twilio's client for Python (tests/unit/test_request_validator.py).
    #[test]
    fn the_published_signatures_are_right() {
        let json = r#"{"property": "value", "boolean": true}"#;
        let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
        let of_json = format!("{URL}&bodySHA256={hash}");
        let twice = "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234";
        for (signature, url, body) in [
            ("RSOYDt4T1cUTdK1PDd93/VVr8B8=", URL, FORM),
            (
                "kvajT1Ptam85bY51eRf/AJRuM3w=",
                "https://mycompany.com:443/myapp.php?foo=1&bar=2",
                FORM,
            ),
            ("0ZXoZLH/DfblKGATFgpif+LLRf4=", "http://mycompany.com:80/myapp.php?foo=1&bar=2", FORM),
            (
                "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=",
                "http://mycompany.com:1234/myapp.php?foo=1&bar=2",
                FORM,
            ),
            ("IK+Dwps556ElfBT0I3Rgjkr1wJU=", URL, twice),
            ("a9nBmqA0ju/hNViExpshrM61xv4=", &of_json, json),
        ] {
            assert!(is_right(signature, url, body), "{signature}");
            assert!(!is_right(signature, url, &format!("{body}&a=b")), "{signature}");
            assert!(!is_right(signature, &url.replace("foo=1", "foo=2"), body), "{signature}");
        }
    }

    #[test]
    fn the_port_of_the_scheme_may_be_in_the_url_or_not() {
        let urls =
            PublicUrl::parse("https://mycompany.com").unwrap().both_ways("/myapp.php?foo=1&bar=2");
        for signature in ["RSOYDt4T1cUTdK1PDd93/VVr8B8=", "kvajT1Ptam85bY51eRf/AJRuM3w="] {
            let signature = Signature::parse(signature.as_bytes()).unwrap();
            assert!(signature.is_of(&Secret::from("12345"), &urls, FORM.as_bytes()));
            assert!(!signature.is_of(&Secret::from("54321"), &urls, FORM.as_bytes()));
        }
    }

    #[test]
    fn what_can_be_no_signature_is_none() {
        for value in ["", "RSOYDt4T1cUTdK1PDd93/VVr8B8", "RSOY", "!", &"A".repeat(40)] {
            assert!(Signature::parse(value.as_bytes()).is_none(), "{value}");
        }
    }

    #[test]
    fn the_hash_of_another_body_stands_for_none() {
        let url = format!("{URL}&bodySHA256={}", "0".repeat(64));
        assert_ne!(signed(&url, b"a=b"), url.as_bytes());
    }

    proptest! {
        #[test]
        fn the_order_of_the_form_and_repeats_make_no_difference(
            mut pairs in prop::collection::vec(("[A-Za-z]{1,8}", "\\PC{0,8}"), 0..8),
        ) {
            let form = |pairs: &[(String, String)]| {
                form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
            };
            let before = signed(URL, form(&pairs).as_bytes());
            pairs.reverse();
            let repeated: Vec<_> = pairs.iter().chain(pairs.first()).cloned().collect();
            prop_assert_eq!(before, signed(URL, form(&repeated).as_bytes()));
        }

        #[test]
        fn no_bytes_are_signed_by_chance(signature in any::<[u8; 20]>(), body in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(!Signature(signature).is_of(&Secret::from("12345"), &[URL.to_owned()], &body));
        }
    }
}
