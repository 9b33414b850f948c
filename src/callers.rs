//! Who calls: HTTP Basic, a header's secret, or an OAuth 2.0 bearer token; for Okta's hook, for
//! delivery reports, Okta's events and the operator's pages alike.
//!
//! Attack: whoever finds the endpoint sends messages at the owner's cost, tells the operator that messages
//! arrived which did not, or reads what is remembered of them. It fails closed (no credential configured:
//! nobody passes) and runs before the body is read.
//!
//! Of the ways that are on, any will do. What costs nothing is looked at first: the header, Basic, and then
//! the token.

pub mod basic;
pub mod bearer;
pub mod header;

use self::basic::Basic;
use self::bearer::OAuth;
use self::bearer::issuer::{Issuer, Warnings};
use self::header::HeaderSecret;
use crate::pasted::oddity;
use crate::ports::{InboundRequest, Instant, Ports};
use crate::records::store_key::StoreKey;
use crate::secret::Secret;

/// The realm of Okta's hook.
pub const OKTA_REALM: &str = "okta-telephony";

/// The realm of delivery reports.
pub const REPORTS_REALM: &str = "okta-telephony-reports";

/// The realm of Okta's event hook.
pub const EVENTS_REALM: &str = "okta-telephony-events";

/// The realm of the operator's pages.
pub const OPERATOR_REALM: &str = "okta-telephony-operator";

/// Who may call, be it the hook, with reports, or for the operator's pages: the ways in which a caller may
/// prove itself. Where none is on, nobody may.
#[derive(Clone, Debug, Default)]
pub struct Callers {
    /// The realm in the challenges of a refusal (RFC 9110, section 11.5).
    pub realm: &'static str,
    /// HTTP Basic.
    pub basic: Option<Basic>,
    /// A header with a secret.
    pub header: Option<HeaderSecret>,
    /// A bearer token.
    pub oauth: Option<OAuth>,
}

/// A secret that callers present, and the one before it.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// The setting that holds it, as the log names it, such as `okta.header_secret`.
    pub setting: &'static str,
    /// The secret, never empty.
    pub current: Secret,
    /// The one that was valid until the last change, which is accepted while the two sides change one after
    /// the other; or what is wrong with it, for the log. A faulty one locks nobody out and lets nobody in.
    pub previous: Result<Option<Secret>, String>,
}

/// How a caller has proven itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By Basic credentials.
    Basic,
    /// By Basic credentials with the previous secret.
    BasicPrevious,
    /// By the header's secret.
    Header,
    /// By the header's previous secret.
    HeaderPrevious,
    /// By the header's secret, in the query.
    Query,
    /// By the header's previous secret, in the query.
    QueryPrevious,
    /// By a bearer token.
    OAuth,
    /// By the signature of what it brings.
    Signature,
    /// By a signature with the previous secret.
    SignaturePrevious,
}

/// A caller that has proven itself.
#[derive(Debug)]
pub struct Caller<'a> {
    /// How.
    pub proof: Proof,
    /// What was not as it should be with the issuer's keys.
    pub warnings: Warnings,
    /// The issuer whose keys are worth asking for once the answer has left, by
    /// [`bearer::issuer::refresh`].
    pub refresh: Option<&'a Issuer>,
}

/// A caller that has not proven itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why not.
    pub cause: Cause,
    /// What is wrong and how to mend it. For the log only: the caller is told one thing in all cases.
    pub fix: String,
    /// It presents a secret that may be a previous one, which is faulty: `fix` says so.
    pub may_be_previous: bool,
    /// The values of `WWW-Authenticate`, of which a 401 must have one at least (RFC 9110, section 11.6.1).
    pub challenges: Vec<String>,
}

/// Why a caller has not proven itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// It presents no credentials, or none of a form that is taken.
    Credentials,
    /// It presents a secret, and not the one, as Okta does where only one side has the new one.
    Secret,
    /// Its token is wrong.
    Token,
    /// Its token has expired, or is not valid yet: the next one may be in time, or a clock mended by then.
    TokenUntimely,
    /// Its token's key is not among the issuer's, as far as they are known: they are asked for once a minute
    /// at most, by one request of many.
    TokenKeyUnknown,
    /// The issuer's keys, without which its token can't be checked, could not be fetched.
    KeysUnavailable,
    /// Its token can't be checked, because there is no key of the store.
    NoStoreKey,
}

/// Why one way has proven nothing.
#[derive(Debug, PartialEq, Eq)]
struct Unproven {
    /// What is wrong, for the log.
    why: String,
    /// A secret is presented, and is not the one.
    is_secret: bool,
    /// What is wrong with the previous secret, which may be the one that is presented.
    faulty_previous: Option<String>,
}

impl Unproven {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_secret: false, faulty_previous: None }
    }
}

impl Proof {
    /// The name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::BasicPrevious => "basic_previous",
            Self::Header => "header",
            Self::HeaderPrevious => "header_previous",
            Self::Query => "query",
            Self::QueryPrevious => "query_previous",
            Self::OAuth => "oauth",
            Self::Signature => "signature",
            Self::SignaturePrevious => "signature_previous",
        }
    }
}

impl Secrets {
    /// Which of the two `is_it` finds, as the proof that it is; otherwise `why`, and what is odd about what is
    /// `presented` or about the secret itself.
    fn find(
        &self,
        is_it: impl Fn(&Secret) -> bool,
        [current, previous]: [Proof; 2],
        presented: &[u8],
        why: impl FnOnce() -> String,
    ) -> Result<Proof, Unproven> {
        if is_it(&self.current) {
            return Ok(current);
        }
        let faulty_previous = match &self.previous {
            Ok(Some(secret)) if is_it(secret) => return Ok(previous),
            Ok(_) => None,
            Err(fault) => Some(fault.clone()),
        };
        let why = [why(), odd_encoding(presented), self.odd_ends(presented)].concat();
        Err(Unproven { why, is_secret: true, faulty_previous })
    }

    /// What is odd at the ends of what is presented, or of the secret itself.
    fn odd_ends(&self, presented: &[u8]) -> String {
        let odd = |text| str::from_utf8(text).ok().and_then(oddity);
        let of_presented = odd(presented).map(|it| format!("; what is presented {it}"));
        let of_secret = odd(self.current.reveal()).map(|it| format!("; {} {it}", self.setting));
        of_presented.into_iter().chain(of_secret).collect()
    }
}

impl Callers {
    /// How a caller has proven itself, in one of the ways that are on.
    ///
    /// `key` is the store's, without which no token is accepted. Asking the issuer for its keys takes until
    /// `keys_until` at the latest.
    pub fn identify(
        &self,
        request: &dyn InboundRequest,
        key: Option<&StoreKey>,
        ports: Ports<'_>,
        keys_until: Instant,
    ) -> Result<Caller<'_>, Refused> {
        let mut cause = Cause::Credentials;
        let mut fix = match self.oauth {
            Some(_) => "there is no Authorization header with one bearer token".to_owned(),
            None => "no way to prove who calls is configured".to_owned(),
        };
        let mut faulty = Vec::new();
        let by_header = self.header.as_ref().map(|header| header.check(request));
        let by_basic = self.basic.as_ref().map(|basic| basic.check(request));
        for checked in [by_header, by_basic].into_iter().flatten() {
            match checked {
                Ok(proof) => {
                    return Ok(Caller { proof, warnings: Warnings::default(), refresh: None });
                }
                Err(Unproven { why, is_secret, faulty_previous }) => {
                    fix = why;
                    if is_secret {
                        cause = Cause::Secret;
                    }
                    faulty.extend(faulty_previous);
                }
            }
        }
        if let Some(oauth) = &self.oauth
            && let Some(token) = bearer::token_of(request)
        {
            match oauth.check(&token, key, ports, keys_until) {
                Ok(caller) => return Ok(caller),
                Err(refused) => (cause, fix) = refused,
            }
        }
        let may_be_previous = !faulty.is_empty();
        if may_be_previous {
            fix = [&faulty.join("; "), "; besides, ", &fix].concat();
        }
        Err(Refused { cause, fix, may_be_previous, challenges: self.challenges(cause) })
    }

    /// One for each way that is on. Of a token that is refused it says so, whatever is wrong with it (RFC
    /// 6750, section 3.1): that only the scope is missing would tell of an unsigned one that the rest is
    /// right.
    fn challenges(&self, cause: Cause) -> Vec<String> {
        let realm = self.realm;
        let error = match cause {
            Cause::Token | Cause::TokenUntimely | Cause::TokenKeyUnknown => {
                r#", error="invalid_token""#
            }
            Cause::Credentials | Cause::Secret | Cause::KeysUnavailable | Cause::NoStoreKey => "",
        };
        let oauth = self.oauth.as_ref().map(|_| format!(r#"Bearer realm="{realm}"{error}"#));
        let basic =
            self.basic.as_ref().map(|_| format!(r#"Basic realm="{realm}", charset="UTF-8""#));
        // The scheme is no registered one: that of a secret in a header has no name.
        let header = self.header.as_ref().map(|_| format!(r#"Secret realm="{realm}""#));
        oauth.into_iter().chain(basic).chain(header).collect()
    }
}

/// What is odd about the bytes of what is presented.
fn odd_encoding(presented: &[u8]) -> String {
    let odd = if presented.contains(&0) {
        "; what is presented is UTF-16, as PowerShell's [Text.Encoding]::Unicode makes it: encode it as UTF-8"
    } else if str::from_utf8(presented).is_err() {
        "; what is presented is not UTF-8, as where letters such as \u{e4} are encoded as Latin-1: encode it as UTF-8, \
         or take a secret of ASCII letters and digits"
    } else {
        ""
    };
    odd.to_owned()
}

/// What follows the scheme in a value of `Authorization`. The scheme's name is case-insensitive (RFC 9110,
/// section 11.1).
fn credentials<'a>(value: &'a [u8], scheme: &str) -> Option<&'a [u8]> {
    let (name, rest) = value.split_at_checked(scheme.len())?;
    let rest = rest.strip_prefix(b" ")?;
    name.eq_ignore_ascii_case(scheme.as_bytes()).then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::{FakeHost, FakeRequest};

    const RIGHT_BASIC: (&str, &str) = ("authorization", "Basic b2t0YTpzdXBlcnNlY3JldA==");
    const WRONG_BASIC: (&str, &str) = ("authorization", "Basic b2t0YTpzdXBlcnNlY3JldDI=");

    fn secrets(current: &str, previous: Result<Option<&str>, &str>) -> Secrets {
        let previous = previous.map(|it| it.map(Secret::from)).map_err(str::to_owned);
        Secrets { setting: "the.setting", current: current.into(), previous }
    }

    fn basic() -> Option<Basic> {
        Some(Basic { user: "okta".into(), secrets: secrets("supersecret", Ok(None)) })
    }

    fn header(name: &str) -> Option<HeaderSecret> {
        let secrets = secrets("Shared secret=", Ok(None));
        Some(HeaderSecret { name: name.into(), parameter: None, secrets })
    }

    fn callers(basic: Option<Basic>, header: Option<HeaderSecret>) -> Callers {
        Callers { realm: OKTA_REALM, basic, header, oauth: None }
    }

    fn identify(callers: &Callers, headers: &[(&'static str, &str)]) -> Result<Proof, Refused> {
        let host = FakeHost::default();
        let mut request = FakeRequest::hook("");
        request.headers = headers.iter().map(|(n, v)| (*n, v.as_bytes().to_vec())).collect();
        let until = host.instant.get();
        callers.identify(&request, None, host.ports(), until).map(|caller| caller.proof)
    }

    #[test]
    fn either_way_that_is_on_will_do_and_neither_that_is_off() {
        let right_header = ("x-key", "Shared secret=");
        let wrong_header = ("x-key", "shared secret=");
        for (callers, headers, proof) in [
            (callers(basic(), None), &[RIGHT_BASIC][..], Some(Proof::Basic)),
            (callers(basic(), None), &[right_header], None),
            (callers(None, header("x-key")), &[right_header], Some(Proof::Header)),
            (callers(None, header("x-key")), &[RIGHT_BASIC], None),
            (callers(None, header("x-key")), &[wrong_header], None),
            (callers(None, header("x-key")), &[right_header, right_header], None),
            (callers(None, header("x-key")), &[], None),
            (callers(basic(), header("x-key")), &[RIGHT_BASIC, wrong_header], Some(Proof::Basic)),
            (callers(basic(), header("x-key")), &[WRONG_BASIC, right_header], Some(Proof::Header)),
            (callers(basic(), header("x-key")), &[WRONG_BASIC], None),
            (
                callers(basic(), header("authorization")),
                &[("authorization", "Shared secret=")],
                Some(Proof::Header),
            ),
            (callers(basic(), header("authorization")), &[RIGHT_BASIC], Some(Proof::Basic)),
            (Callers::default(), &[RIGHT_BASIC, right_header], None),
        ] {
            let identified = identify(&callers, headers);
            assert_eq!(identified.as_ref().ok().copied(), proof, "{callers:?} {headers:?}");
            if let Err(refused) = identified {
                assert!(matches!(refused.cause, Cause::Credentials | Cause::Secret));
            }
        }
    }

    #[test]
    fn a_previous_secret_is_accepted_and_a_faulty_one_locks_nobody_out_and_lets_nobody_in() {
        let callers = |previous| {
            let basic = Basic { user: "okta".into(), secrets: secrets("new", previous) };
            callers(Some(basic), None)
        };
        let old = ("authorization", "Basic b2t0YTpvbGQ=");
        let new = ("authorization", "Basic b2t0YTpuZXc=");
        assert_eq!(identify(&callers(Ok(Some("old"))), &[old]), Ok(Proof::BasicPrevious));
        assert_eq!(identify(&callers(Ok(Some("old"))), &[new]), Ok(Proof::Basic));
        assert!(!identify(&callers(Ok(None)), &[old]).unwrap_err().may_be_previous);
        assert_eq!(identify(&callers(Err("it is faulty")), &[new]), Ok(Proof::Basic));
        let refused = identify(&callers(Err("it is faulty")), &[old]).unwrap_err();
        assert!(refused.may_be_previous);
        assert!(refused.fix.starts_with("it is faulty; besides, "), "{}", refused.fix);
        let refused = identify(&callers(Err("it is faulty")), &[]).unwrap_err();
        assert!(!refused.may_be_previous, "nothing is presented");
    }

    #[test]
    fn a_challenge_names_each_way_that_is_on() {
        let both = callers(basic(), header("x-key"));
        let refused = identify(&both, &[]).unwrap_err();
        assert_eq!(
            refused.challenges,
            [
                r#"Basic realm="okta-telephony", charset="UTF-8""#,
                r#"Secret realm="okta-telephony""#
            ]
        );
        let refused = identify(&callers(None, header("x-key")), &[]).unwrap_err();
        assert_eq!(refused.challenges, [r#"Secret realm="okta-telephony""#]);
    }

    #[test]
    fn what_is_wrong_names_the_setting_and_nothing_that_is_presented() {
        let both = callers(basic(), header("x-key"));
        for headers in [&[WRONG_BASIC][..], &[("x-key", "supersecret")]] {
            let text = format!("{:?} {both:?}", identify(&both, headers));
            assert!(text.contains("the.setting") || text.contains("Authorization"), "{text}");
            for secret in ["supersecret", "Shared secret="] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }
}
