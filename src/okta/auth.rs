//! Who calls: HTTP Basic in the `Authorization` header of Okta's hook.
//!
//! The attack this stops: whoever finds the endpoint sends messages at the owner's cost. It fails
//! closed (no credential configured: nobody passes) and runs before the body is read. User and
//! secret are compared as SHA-256 digests in constant time, and both always, so that the time taken
//! tells neither their lengths nor which of them was wrong.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::refusal::{Reason, Refusal};
use crate::secret::Secret;

/// The value of `WWW-Authenticate` beside a 401.
pub const CHALLENGE: &str = r#"Basic realm="okta-telephony", charset="UTF-8""#;

/// User and secret that Okta must send.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user: not a secret, but not told either.
    pub user: String,
    /// The secret, never empty.
    pub secret: Secret,
}

/// Senders of Basic credentials differ in whether they pad.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Lets the caller pass, or says in the log why not. The caller is told one thing in all cases.
///
/// `values` are all values of the `Authorization` header.
pub fn check(values: &[Vec<u8>], credentials: &Credentials) -> Result<(), Refusal> {
    let value = match values {
        [] => return Err(unauthorized("there is no Authorization header")),
        [value] => value,
        _ => return Err(unauthorized("there is more than one Authorization header")),
    };
    let Some(encoded) = after_basic(value) else {
        return Err(unauthorized(
            "the Authorization header is not of the Basic scheme: the secret in Okta's hook must be `Basic ` \
             followed by base64 of user:secret",
        ));
    };
    let Ok(decoded) = BASE64.decode(encoded) else {
        return Err(unauthorized("what follows `Basic ` is not base64 of user:secret"));
    };
    let (user, secret) = match decoded.iter().position(|b| *b == b':') {
        Some(colon) => (&decoded[..colon], &decoded[colon + 1..]),
        None => return Err(unauthorized("what follows `Basic ` is not base64 of user:secret")),
    };
    let same = same(user, credentials.user.as_bytes()) & same(secret, credentials.secret.reveal());
    if same.into() {
        Ok(())
    } else {
        Err(unauthorized(
            "the user or the secret is not the one in okta_user and okta_basic_secret",
        ))
    }
}

/// What follows the scheme, whose name is case-insensitive (RFC 9110, section 11.1).
fn after_basic(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(6)?;
    scheme.eq_ignore_ascii_case(b"basic ").then(|| rest.trim_ascii())
}

fn same(given: &[u8], expected: &[u8]) -> subtle::Choice {
    Sha256::digest(given).ct_eq(&Sha256::digest(expected))
}

fn unauthorized(log_fix: &'static str) -> Refusal {
    Refusal::new(
        Reason::Unauthorized,
        "The Authorization header is not the one that the hook expects: see the hook's log.",
    )
    .with_log_fix(log_fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    fn credentials() -> Credentials {
        Credentials { user: "okta".into(), secret: "supersecret".into() }
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
            assert_eq!(check(&[value.into()], &credentials()), Ok(()), "{value}");
        }
    }

    #[test]
    fn a_secret_may_hold_colons() {
        let credentials = Credentials { user: "okta".into(), secret: "a:b".into() };
        assert_eq!(check(&[basic("okta:a:b")], &credentials), Ok(()));
    }

    #[test]
    fn all_else_is_refused_and_the_caller_is_told_one_thing() {
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
            let refusal = check(&values, &credentials()).unwrap_err();
            assert_eq!(refusal.reason, Reason::Unauthorized, "{values:?}");
            assert_eq!(refusal.fix, unauthorized("").fix);
        }
    }

    #[test]
    fn a_bare_secret_makes_the_log_say_what_oktas_form_must_hold() {
        let refusal = check(&[b"supersecret".to_vec()], &credentials()).unwrap_err();
        let log_fix = refusal.log_fix.unwrap();
        assert!(log_fix.contains("must be `Basic ` followed by base64 of user:secret"));
    }

    proptest! {
        #[test]
        fn no_bytes_pass(value in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(check(&[value], &credentials()).is_err());
        }

        #[test]
        fn no_other_user_and_secret_pass(user in "[okta]{3,5}|\\PC*", secret in "[super]{4,6}[secret]{5,6}|\\PC*") {
            prop_assume!((user.as_str(), secret.as_str()) != ("okta", "supersecret"));
            let value = basic(&format!("{user}:{secret}"));
            prop_assert!(check(&[value], &credentials()).is_err());
        }
    }
}
