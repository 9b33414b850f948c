//! Who calls: a header with a secret, HTTP Basic, or an OAuth 2.0 bearer token ([`crate::callers::bearer`]).
//!
//! The attack this stops: whoever finds the endpoint sends messages at the owner's cost. It fails
//! closed (no credential configured: nobody passes) and runs before the body is read. What is secret is
//! compared as SHA-256 digests in constant time, and user and secret always both, so that the time
//! taken tells neither their lengths nor which of them was wrong.
//!
//! Of the ways that are on, any will do. What costs nothing is looked at first: the header, Basic, the
//! secrets before the last change, and then the token.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::callers::bearer::OAuth;
use crate::ports::InboundRequest;
use crate::refusal::{Reason, Refusal};
use crate::secret::Secret;

/// The ways in which a caller may prove itself; at least one of them is on.
#[derive(Clone, Debug, Default)]
pub struct Callers {
    /// HTTP Basic.
    pub basic: Option<Credentials>,
    /// A header with a secret.
    pub header: Option<HeaderSecret>,
    /// A bearer token.
    pub oauth: Option<OAuth>,
}

/// User and secret that Okta must send.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user: not a secret, but not told either.
    pub user: String,
    /// The secret, never empty.
    pub secret: Secret,
}

/// A header and the value that Okta must send in it.
#[derive(Clone, Debug)]
pub struct HeaderSecret {
    /// The header's name, in lower case.
    pub name: String,
    /// The value to the letter, never empty.
    pub secret: Secret,
}

/// How a caller has proven itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By Basic credentials.
    Basic,
    /// By the header's secret.
    Header,
    /// By a bearer token.
    OAuth,
}

/// What a caller is told that presents no token.
pub const BEARER: &str = r#"Bearer realm="okta-telephony""#;

/// What a caller is told whose token is refused, whatever is wrong with it (RFC 6750, section 3.1): that
/// only the scope is missing would tell of an unsigned one that the rest is right.
pub const INVALID_TOKEN: &str = r#"Bearer realm="okta-telephony", error="invalid_token""#;

impl Proof {
    /// The name in the log; of a secret that is on its way out, if `previous`.
    pub const fn name(self, previous: bool) -> &'static str {
        match (self, previous) {
            (Self::Basic, false) => "basic",
            (Self::Basic, true) => "basic_previous",
            (Self::Header, false) => "header",
            (Self::Header, true) => "header_previous",
            (Self::OAuth, _) => "oauth",
        }
    }
}

impl Callers {
    /// The values of `WWW-Authenticate` beside a 401 (RFC 9110, section 11.6.1, demands one at least).
    pub fn challenges(&self) -> impl Iterator<Item = &'static str> {
        let basic = self.basic.as_ref().map(|_| r#"Basic realm="okta-telephony", charset="UTF-8""#);
        // The scheme is no registered one: that of a secret in a header has no name.
        let header = self.header.as_ref().map(|_| r#"Secret realm="okta-telephony""#);
        let oauth = self.oauth.as_ref().map(|_| BEARER);
        oauth.into_iter().chain(basic).chain(header)
    }

    /// The bearer token that a caller presents, where tokens are taken.
    pub fn token(&self, request: &dyn InboundRequest) -> Option<(&OAuth, Vec<u8>)> {
        Some((self.oauth.as_ref()?, bearer_token(request)?))
    }

    /// Lets the caller pass, or says in the log why not. The caller is told one thing in all cases.
    pub fn identify(&self, request: &dyn InboundRequest) -> Result<Proof, Refusal> {
        let by_header = match &self.header {
            Some(expected) => match &request.header(&expected.name)[..] {
                [] => Err("the header that okta_header_name names is not there"),
                [value] if bool::from(same(value, expected.secret.reveal())) => {
                    return Ok(Proof::Header);
                }
                [_] => {
                    Err("the header that okta_header_name names does not hold okta_header_secret")
                }
                _ => Err("the header that okta_header_name names is there more than once"),
            },
            None => Ok(()),
        };
        match (&self.basic, by_header) {
            (Some(credentials), _) => {
                check(&request.header("authorization"), credentials).map(|()| Proof::Basic)
            }
            (None, Err(fault)) => Err(unauthorized(fault)),
            (None, Ok(())) => Err(unauthorized(match self.oauth {
                Some(_) => "there is no Authorization header with one bearer token",
                None => "no way to prove who calls is configured",
            })),
        }
    }
}

/// The token of the one `Authorization` header, if it is of the Bearer scheme (RFC 6750, section 2.1).
pub fn bearer_token(request: &dyn InboundRequest) -> Option<Vec<u8>> {
    let [value] = &request.header("authorization")[..] else { return None };
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii().to_vec())
}

/// Senders of Basic credentials differ in whether they pad.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Holds Basic credentials to the expected ones.
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
    if !decoded.contains(&b':') {
        return Err(unauthorized("what follows `Basic ` is not base64 of user:secret"));
    }
    // Both at once. No user has a colon in it, so that there is one way to part them.
    let expected = [credentials.user.as_bytes(), b":", credentials.secret.reveal()].concat();
    if same(&decoded, &expected).into() {
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

/// Whether both are the same, in a time that tells nothing of either.
pub(crate) fn same(given: &[u8], expected: &[u8]) -> subtle::Choice {
    Sha256::digest(given).ct_eq(&Sha256::digest(expected))
}

/// The refusal of a caller that has not proven itself, with what only the log is told.
pub fn unauthorized(log_fix: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(
        Reason::Unauthorized,
        "The caller's credentials are not those that the hook expects: see the hook's log.",
    )
    .with_log_fix(log_fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::FakeRequest;
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

    fn with_headers(headers: &[(&'static str, &str)]) -> FakeRequest {
        let mut request = FakeRequest::hook("");
        request.headers = headers.iter().map(|(n, v)| (*n, v.as_bytes().to_vec())).collect();
        request
    }

    #[test]
    fn either_way_that_is_on_will_do_and_neither_that_is_off() {
        let basic = || Some(credentials());
        let header =
            |name: &str| Some(HeaderSecret { name: name.into(), secret: "Shared secret=".into() });
        let right_basic = ("authorization", "Basic b2t0YTpzdXBlcnNlY3JldA==");
        let wrong_basic = ("authorization", "Basic b2t0YTpzdXBlcnNlY3JldDI=");
        let right_header = ("x-key", "Shared secret=");
        let wrong_header = ("x-key", "shared secret=");
        for (callers, headers, proof) in [
            (
                Callers { basic: basic(), header: None, oauth: None },
                &[right_basic][..],
                Some(Proof::Basic),
            ),
            (Callers { basic: basic(), header: None, oauth: None }, &[right_header], None),
            (
                Callers { basic: None, header: header("x-key"), oauth: None },
                &[right_header],
                Some(Proof::Header),
            ),
            (Callers { basic: None, header: header("x-key"), oauth: None }, &[right_basic], None),
            (Callers { basic: None, header: header("x-key"), oauth: None }, &[wrong_header], None),
            (
                Callers { basic: None, header: header("x-key"), oauth: None },
                &[right_header, right_header],
                None,
            ),
            (Callers { basic: None, header: header("x-key"), oauth: None }, &[], None),
            (
                Callers { basic: basic(), header: header("x-key"), oauth: None },
                &[right_basic, wrong_header],
                Some(Proof::Basic),
            ),
            (
                Callers { basic: basic(), header: header("x-key"), oauth: None },
                &[wrong_basic, right_header],
                Some(Proof::Header),
            ),
            (
                Callers { basic: basic(), header: header("x-key"), oauth: None },
                &[wrong_basic],
                None,
            ),
            (
                Callers { basic: basic(), header: header("authorization"), oauth: None },
                &[("authorization", "Shared secret=")],
                Some(Proof::Header),
            ),
            (
                Callers { basic: basic(), header: header("authorization"), oauth: None },
                &[right_basic],
                Some(Proof::Basic),
            ),
            (Callers::default(), &[right_basic, right_header], None),
        ] {
            let identified = callers.identify(&with_headers(headers));
            assert_eq!(identified.as_ref().ok().copied(), proof, "{callers:?} {headers:?}");
            if let Err(refusal) = identified {
                assert_eq!(
                    (refusal.reason, refusal.fix),
                    (Reason::Unauthorized, unauthorized("").fix)
                );
            }
        }
    }

    #[test]
    fn a_challenge_names_each_way_that_is_on() {
        let header = || Some(HeaderSecret { name: "x-key".into(), secret: "s".into() });
        let both = Callers { basic: Some(credentials()), header: header(), oauth: None };
        let schemes = |callers: &Callers| -> Vec<_> {
            callers.challenges().map(|c| c.split(' ').next().unwrap().to_owned()).collect()
        };
        assert_eq!(schemes(&both), ["Basic", "Secret"]);
        assert_eq!(schemes(&Callers { basic: None, header: header(), oauth: None }), ["Secret"]);
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
