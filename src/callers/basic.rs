//! HTTP Basic (RFC 7617).
//!
//! User and secret are always compared both, in one go, so that the time taken does not tell which of them
//! was wrong.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Proof, Secrets, Unproven, credentials};
use crate::ports::InboundRequest;
use crate::secret::Secret;

/// Senders of Basic credentials differ in whether they pad.
const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);

/// What is taken for the other by mistake.
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);

/// The user and the secret that a caller must present.
#[derive(Clone, Debug)]
pub struct Basic {
    /// The user, without a colon: not a secret, but not told either.
    pub user: String,
    /// The secret.
    pub secrets: Secrets,
}

impl Basic {
    /// Whether a request presents them.
    pub(super) fn check(&self, request: &dyn InboundRequest) -> Result<Proof, Unproven> {
        let values = request.header("authorization");
        let value = match &values[..] {
            [] => return Err(Unproven::new("there is no Authorization header")),
            [value] => value,
            _ => return Err(Unproven::new("there is more than one Authorization header")),
        };
        let Some(encoded) = credentials(value, "basic") else {
            return Err(Unproven::new(
                "the Authorization header is not of the Basic scheme: all of it, such as the secret in Okta's hook, \
                 must be `Basic ` followed by base64 of user:secret, without quotes",
            ));
        };
        let decoded = BASE64.decode(encoded).ok().filter(|decoded| decoded.contains(&b':'));
        let Some(decoded) = decoded else {
            return Err(Unproven::new(not_credentials(encoded)));
        };
        // No user has a colon in it, so that there is one way to part them.
        let is_it = |secret: &Secret| {
            Secret::from([self.user.as_bytes(), b":", secret.reveal()].concat()).is(&decoded)
        };
        self.secrets.find(is_it, [Proof::Basic, Proof::BasicPrevious], &decoded, || {
            format!("the user or the secret is not the one of {}", self.secrets.setting)
        })
    }
}

/// What is wrong with what should be base64 of user:secret.
fn not_credentials(encoded: &[u8]) -> &'static str {
    let is_in_one_line = !encoded.contains(&b' ') && !encoded.contains(&b'\t');
    if encoded.is_empty() {
        "nothing follows `Basic `: base64 of user:secret must"
    } else if BASE64.decode(encoded).is_ok() {
        "what follows `Basic ` is not base64 of user:secret, but of a text without a colon: it must have both, with a \
         colon between them"
    } else if credentials(encoded, "basic").is_some() {
        "`Basic ` is there twice: it must stand once in the secret in Okta's hook"
    } else if encoded.contains(&b':') {
        "what follows `Basic ` is not base64 of user:secret, but has a colon, as user:secret itself has: encode it"
    } else if !encoded.is_ascii() {
        "what follows `Basic ` has characters that are none of base64, such as typographic quotes: copy it anew"
    } else if !is_in_one_line {
        "what follows `Basic ` is base64 in several lines or with a space in it: encode user:secret in one line, as \
         with base64 | tr -d '\\n'"
    } else if BASE64_URL.decode(encoded).is_ok() {
        "what follows `Basic ` is base64url, which has - and _: encode user:secret as plain base64, which has + and /"
    } else {
        "what follows `Basic ` is not base64 of user:secret"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::FakeRequest;
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    /// What comes of a request with these values of `Authorization`, where this is the secret.
    fn check_by(secret: &str, values: &[Vec<u8>]) -> Result<Proof, Unproven> {
        let setting = "okta_basic_secret";
        let secrets = Secrets { setting, current: secret.into(), previous: Ok(None) };
        let mut request = FakeRequest::hook("");
        request.headers = values.iter().map(|value| ("authorization", value.clone())).collect();
        Basic { user: "okta".into(), secrets }.check(&request)
    }

    fn check(values: &[Vec<u8>]) -> Result<Proof, Unproven> {
        check_by("supersecret", values)
    }

    fn basic(text: &str) -> Vec<u8> {
        format!("Basic {}", BASE64_STANDARD.encode(text)).into_bytes()
    }

    #[test]
    fn the_right_user_and_secret_pass_whatever_the_case_of_the_scheme() {
        for value in [
            "Basic b2t0YTpzdXBlcnNlY3JldA==",
            "basic b2t0YTpzdXBlcnNlY3JldA==",
            "BASIC  b2t0YTpzdXBlcnNlY3JldA",
        ] {
            assert_eq!(check(&[value.as_bytes().to_vec()]), Ok(Proof::Basic), "{value}");
        }
    }

    #[test]
    fn a_secret_may_hold_colons() {
        assert_eq!(check_by("a:b", &[basic("okta:a:b")]), Ok(Proof::Basic));
    }

    #[test]
    fn all_else_is_refused() {
        for values in [
            vec![],
            vec![b"".to_vec()],
            vec![b"Basic".to_vec()],
            vec![b"Basic ".to_vec()],
            vec![b"Basic !!!".to_vec()],
            vec![b"Bearer b2t0YTpzdXBlcnNlY3JldA==".to_vec()],
            vec![b"b2t0YTpzdXBlcnNlY3JldA==".to_vec()],
            vec![b"supersecret".to_vec()],
            vec![vec![0xff; 20]],
            vec![basic("okta")],
            vec![basic("okta:")],
            vec![basic(":supersecret")],
            vec![basic("okta:supersecre")],
            vec![basic("okta:supersecret2")],
            vec![basic("Okta:supersecret")],
            vec![basic("okta:supersecret"), basic("okta:supersecret")],
        ] {
            assert!(check(&values).is_err(), "{values:?}");
        }
    }

    #[test]
    fn a_bare_secret_makes_the_log_say_what_oktas_form_must_hold() {
        let Unproven { why, .. } = check(&[b"supersecret".to_vec()]).unwrap_err();
        assert!(why.contains("must be `Basic ` followed by base64 of user:secret"), "{why}");
    }

    #[test]
    fn the_log_says_what_is_off_about_what_is_presented_and_shows_nothing_of_it() {
        let of_bytes =
            |bytes: &[u8]| format!("Basic {}", BASE64_STANDARD.encode(bytes)).into_bytes();
        let utf16: Vec<u8> = "okta:supersecret".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (value, told) in [
            (of_bytes(b"okta:s\xfcpersecret"), "Latin-1"),
            (of_bytes(&utf16), "UTF-16"),
            (basic("okta:supersecret\n"), "ends with a line feed"),
            (basic("okta:supersecret\r\n"), "ends with a line feed"),
            (basic("\u{feff}okta:supersecret"), "begins with a byte order mark"),
            (basic("okta:supersecret\u{200b}"), "ends with the character U+200B"),
            (basic("'okta:supersecret'"), "begins with a quotation mark"),
            (basic("okta:“supersecret”"), "ends with a typographic quotation mark"),
            (basic("supersecret"), "a text without a colon"),
            (b"Basic".to_vec(), "must be `Basic ` followed by"),
            (b"Basic ".to_vec(), "nothing follows"),
            (b"Basic okta:supersecret".to_vec(), "has a colon"),
            (b"Basic Basic b2t0YTpzdXBlcnNlY3JldA==".to_vec(), "there twice"),
            (b"Basic b2t0YTpzdXBl cnNlY3JldA==".to_vec(), "in several lines"),
            (b"Basic b2t0YTpz_3BlcnNlY3JldA==".to_vec(), "base64url"),
            ("Basic “b2t0YTpzdXBlcnNlY3JldA==”".into(), "typographic quotes"),
            (b"\"Basic b2t0YTpzdXBlcnNlY3JldA==\"".to_vec(), "without quotes"),
            (b"Bearer supersecret".to_vec(), "not of the Basic scheme"),
            (b"Basic !!!".to_vec(), "is not base64 of user:secret"),
        ] {
            let Unproven { why, .. } = check(std::slice::from_ref(&value)).unwrap_err();
            let shown = String::from_utf8_lossy(&value);
            assert!(why.contains(told), "{shown}: {why}");
            assert!(!why.contains("supersecret") && !why.contains("b2t0"), "{why}");
        }
    }

    #[test]
    fn the_log_names_what_is_odd_about_the_secret_itself() {
        for (secret, told) in [
            ("\u{feff}supersecret", "okta_basic_secret begins with a byte order mark"),
            ("'supersecret'", "okta_basic_secret begins with a quotation mark"),
        ] {
            let Unproven { why, .. } = check_by(secret, &[basic("okta:supersecret")]).unwrap_err();
            assert!(why.contains(told), "{why}");
            let as_set = basic(&format!("okta:{secret}"));
            assert_eq!(check_by(secret, &[as_set]), Ok(Proof::Basic), "it may be meant");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_pass(value in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(check(&[value]).is_err());
        }

        #[test]
        fn no_other_user_and_secret_pass(user in "[okta]{3,5}|\\PC*", secret in "[super]{4,6}[secret]{5,6}|\\PC*") {
            prop_assume!((user.as_str(), secret.as_str()) != ("okta", "supersecret"));
            let value = basic(&format!("{user}:{secret}"));
            prop_assert!(check(&[value]).is_err());
        }
    }
}
