//! The bearer token that a caller gets from an authorization server, as Okta does for its hook ("Inline
//! hooks", Okta). The server is an Okta custom one, or Microsoft Entra ID.
//!
//! The attacks this stops: a token that nobody signed, or that the caller signed (RFC 8725, section
//! 2.1), and a good token that was not meant for this hook: for another service, for another client,
//! for a user, or bound to a key that the caller does not show. It fails closed: what is missing,
//! there twice, or of another type is refused.
//!
//! It goes in two steps, so that keys are fetched, and a signature computed, only for a token whose
//! claims are right: [`Token::check`] first, [`Token::verify`] then. Only a token that has passed both
//! says anything. No text made here holds a part of a token.

mod json;
mod keys;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use time::OffsetDateTime;

use json::{Unreadable, members, parse};
pub use keys::{Jwks, KEY_LIMIT, SignatureFault};

use crate::json::read::Json;

/// The most bytes of a token. Okta's and Entra's have one to two thousand.
pub const TOKEN_LIMIT: usize = 8 * 1024;

/// How far the clocks of issuer and host may be apart, in seconds: "no more than a few minutes"
/// (RFC 7519, section 4.1.4).
const SKEW: f64 = 120.0;

/// The first second of the year 10000. Later ones are no dates, but mistakes or infinities.
const END_OF_TIME: f64 = 253_402_300_800.0;

/// What a token must say. An empty text is met by none.
#[derive(Clone, Debug)]
pub struct Expected {
    /// `iss`, to the letter.
    pub issuer: String,
    /// One of `aud`.
    pub audience: String,
    /// One of `scp`, `scope` or `roles`, where the owner asks for one.
    pub scope: Option<String>,
    /// The client to which the token was given: Okta's, and nobody else's.
    pub client_id: String,
}

/// The algorithms that a token may be signed with. Never `none` and never an HMAC, whose key would be
/// the public one (RFC 8725, sections 2.1 and 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Rs256,
    Es256,
}

/// A token that says what it must. Whether it is true is for [`Token::verify`] to find out.
pub struct Token<'a> {
    algorithm: Algorithm,
    key_id: Option<String>,
    signed: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Checks everything but the signature. `token` is what follows `Bearer `.
    pub fn check(
        token: &'a [u8],
        expected: &Expected,
        now: OffsetDateTime,
    ) -> Result<Self, TokenFault> {
        if token.len() > TOKEN_LIMIT {
            return Err(TokenFault::TooLong);
        }
        let [header, payload, signature] = parts(token).ok_or(TokenFault::NotAToken)?;
        let (algorithm, key_id) = check_header(&decode(header)?)?;
        check_claims(&decode(payload)?, expected, now)?;
        Ok(Self {
            algorithm,
            key_id,
            signed: &token[..header.len() + 1 + payload.len()],
            signature: decode(signature)?,
        })
    }

    /// Which of the issuer's keys the token says it is signed with.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Whether the key that it names, or, where it names none, the one that made its signature, is among
    /// these: if not, the issuer may have newer ones.
    pub fn has_its_key_among(&self, keys: &Jwks) -> bool {
        match self.key_id() {
            Some(_) => {
                let fitting = keys.fitting(self.key_id(), self.algorithm);
                !matches!(fitting.err(), Some(SignatureFault::UnknownKey))
            }
            None => self.verify(keys).is_ok(),
        }
    }

    /// Whether keys other than those that found this fault may verify it: of a token that names no key,
    /// nobody can tell a wrong signature from a newer key's.
    pub fn may_be_of_another_key(&self, fault: SignatureFault) -> bool {
        fault == SignatureFault::UnknownKey || self.key_id.is_none()
    }

    /// Checks the signature by the issuer's keys.
    pub fn verify(&self, keys: &Jwks) -> Result<(), SignatureFault> {
        keys.verify(self.key_id(), self.algorithm, self.signed, &self.signature)
    }
}

impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// Header, payload and signature (RFC 7515, section 3.1). An encrypted token has five parts, an opaque
/// one has one.
fn parts(token: &[u8]) -> Option<[&[u8]; 3]> {
    let mut parts = token.split(|byte| *byte == b'.');
    let three = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(three)
}

/// Without padding, and without bits that mean nothing: one token has one text (RFC 7515, section 2).
fn decode(part: &[u8]) -> Result<Vec<u8>, TokenFault> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::NotAToken)
}

/// `jku`, `jwk`, `x5u` and `x5c` offer keys of the sender's choice: they are not even read (RFC 8725,
/// section 3.10).
fn check_header(header: &[u8]) -> Result<(Algorithm, Option<String>), TokenFault> {
    let [alg, kid, crit] = members(parse(header)?, ["alg", "kid", "crit"])?;
    // Whatever it lists, `b64` among it, is not understood here (RFC 7515, section 4.1.11).
    if crit.is_some() {
        return Err(TokenFault::CriticalHeader);
    }
    let algorithm = match alg.and_then(Json::text).as_deref() {
        Some("RS256") => Algorithm::Rs256,
        Some("ES256") => Algorithm::Es256,
        _ => return Err(TokenFault::Algorithm),
    };
    match kid.map(Json::text) {
        None => Ok((algorithm, None)),
        Some(Some(kid)) => Ok((algorithm, Some(kid.into_owned()))),
        Some(None) => Err(TokenFault::NotAToken),
    }
}

fn check_claims(
    payload: &[u8],
    expected: &Expected,
    now: OffsetDateTime,
) -> Result<(), TokenFault> {
    let [iss, aud, exp, nbf, iat, scp, scope, roles, cid, azp, appid, uid, idtyp, sub, oid, cnf] =
        members(
            parse(payload)?,
            [
                "iss", "aud", "exp", "nbf", "iat", "scp", "scope", "roles", "cid", "azp", "appid",
                "uid", "idtyp", "sub", "oid", "cnf",
            ],
        )?;

    if !is(iss, &expected.issuer) {
        return Err(if is_of_entra_v1(iss, &expected.issuer) {
            TokenFault::EntraVersion
        } else {
            TokenFault::Issuer
        });
    }
    if !is(aud, &expected.audience) && !lists(aud, &expected.audience) {
        return Err(TokenFault::Audience);
    }

    let now = now.unix_timestamp() as f64;
    if now >= date(exp)?.ok_or(TokenFault::NoExpiry)? + SKEW {
        return Err(TokenFault::Expired);
    }
    for start in [date(nbf)?, date(iat)?].into_iter().flatten() {
        if start > now + SKEW {
            return Err(TokenFault::NotYetValid);
        }
    }

    // The attack: RFC 9449 binds a token to a key because bearers lose tokens. Okta's hook shows no
    // proof, so nobody could tell it from a thief.
    if cnf.is_some() {
        return Err(TokenFault::BoundToKey);
    }

    let mut clients = [cid, azp, appid].into_iter().filter(Option::is_some).peekable();
    if clients.peek().is_none() {
        return Err(TokenFault::NoClient);
    }
    if !clients.all(|claim| is(claim, &expected.client_id)) {
        return Err(TokenFault::Client);
    }

    // The attack: a user signs in to the client and takes the token along. Okta's is known by `uid`
    // ("not included in the access token if there is no user bound to it", OpenID Connect & OAuth 2.0
    // API). Entra's has `azp` or `appid` in both cases, and is an application's only if it says so:
    // by `idtyp`, which is optional, or by having one identifier for its subject ("Verify scopes and
    // app roles protected web API", Microsoft), and never with `scp` ("only included for user
    // tokens", Access token claims reference).
    let of_application = match &idtyp {
        Some(_) => is(idtyp, "app"),
        None if azp.is_some() || appid.is_some() => match oid.and_then(Json::text) {
            Some(oid) => is(sub, &oid),
            None => false,
        },
        None => true,
    };
    let delegated = scp.is_some() && (azp.is_some() || appid.is_some());
    if uid.is_some() || delegated || !of_application {
        return Err(TokenFault::User);
    }

    match &expected.scope {
        Some(wanted)
            if !(lists(scp, wanted)
                || spaced(scp, wanted)
                || spaced(scope, wanted)
                || lists(roles, wanted)) =>
        {
            Err(TokenFault::Scope)
        }
        _ => Ok(()),
    }
}

/// The claim is this text.
fn is(claim: Option<Json<'_>>, expected: &str) -> bool {
    !expected.is_empty() && claim.and_then(Json::text).as_deref() == Some(expected)
}

/// The claim is a list, and this text is in it.
fn lists(claim: Option<Json<'_>>, expected: &str) -> bool {
    !expected.is_empty() && claim.is_some_and(|claim| json::lists(claim, expected))
}

/// The claim is words with spaces between (RFC 6749, section 3.3), and this text is one of them.
fn spaced(claim: Option<Json<'_>>, expected: &str) -> bool {
    let text = claim.and_then(Json::text).unwrap_or_default();
    !expected.is_empty() && text.split(' ').any(|word| word == expected)
}

/// A NumericDate (RFC 7519, section 2): seconds since 1970, which may have a fraction.
fn date(claim: Option<Json<'_>>) -> Result<Option<f64>, TokenFault> {
    match claim.map(Json::number) {
        None => Ok(None),
        Some(Some(date)) if (0.0..END_OF_TIME).contains(&date) => Ok(Some(date)),
        Some(_) => Err(TokenFault::NotADate),
    }
}

/// Entra makes tokens of its older form for an API that does not ask for the newer, whichever endpoint
/// they come from ("Access tokens", Microsoft identity platform).
fn is_of_entra_v1(iss: Option<Json<'_>>, expected: &str) -> bool {
    let iss = iss.and_then(Json::text).unwrap_or_default();
    iss.starts_with("https://sts.windows.net/")
        && expected.starts_with("https://login.microsoftonline.")
}

/// Declares [`TokenFault`] with the text of each.
macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        /// Why a token is refused before its signature is looked at. Its text is for the log: it says
        /// what is wrong and how to mend it, and holds nothing of the token.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum TokenFault { $($(#[$doc])* $name,)+ }

        impl TokenFault {
            /// Every fault.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }

        impl fmt::Display for TokenFault {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => $text,)+ })
            }
        }
    };
}

faults! {
    /// More bytes than [`TOKEN_LIMIT`].
    TooLong = "the bearer token has more than 8 KiB: leave claims out at the authorization server";
    /// Not three parts of base64url, the first two JSON objects.
    NotAToken = "the bearer token is not a signed JWT: the authorization server must be an Okta custom one or \
        Microsoft Entra ID, and its tokens neither opaque nor encrypted";
    /// A member of header or payload that is read is there twice.
    DuplicateMember = "the bearer token has a header or claim twice";
    /// An `alg` that is not on the list.
    Algorithm = "the bearer token is not signed with RS256 or ES256: choose one of them at the authorization server";
    /// A `crit` header.
    CriticalHeader = "the bearer token has a crit header, and no extension is understood";
    /// Another `iss`.
    Issuer = "the bearer token is of another issuer: okta_oauth_issuer must be its iss claim to the letter, which is \
        the Issuer URI of Okta's authorization server, or https://login.microsoftonline.com/TENANT/v2.0";
    /// An Entra token of version 1 where one of version 2 is expected.
    EntraVersion = "the bearer token is of Entra's version 1, and okta_oauth_issuer is the issuer of version 2: set \
        requestedAccessTokenVersion: 2 in the manifest of the API's app registration";
    /// `aud` does not hold the audience.
    Audience = "the bearer token is for another audience: okta_oauth_audience must be its aud claim, which is the \
        Audience of Okta's authorization server, or the client ID of the API's app registration in Entra";
    /// No `exp`.
    NoExpiry = "the bearer token has no exp claim";
    /// `exp`, `nbf` or `iat` is no date.
    NotADate = "the exp, nbf or iat claim of the bearer token is not a date";
    /// `exp` has passed.
    Expired = "the bearer token has expired: if it is new, the clocks of the issuer and of this host differ by more \
        than 2 minutes";
    /// `nbf` or `iat` is to come.
    NotYetValid = "the bearer token is not valid yet: the clocks of the issuer and of this host differ by more than 2 \
        minutes";
    /// A `cnf` claim.
    BoundToKey = "the bearer token is bound to a key: uncheck 'Require Demonstrating Proof of Possession (DPoP) header \
        in token requests' in Okta's app";
    /// None of `cid`, `azp` and `appid`.
    NoClient = "the bearer token has none of the claims cid, azp and appid, so okta_oauth_client_id can't be checked";
    /// `cid`, `azp` or `appid` is of another client.
    Client = "the bearer token was given to another client: okta_oauth_client_id must be the client ID of the \
        caller, which is the one in Okta's hook, or Event Grid's application";
    /// A user's token, or one that is not known to be an application's.
    User = "the bearer token is not known to be an application's: the caller must use client credentials, and for \
        Entra the API's app registration should add the optional claim idtyp";
    /// The scope is neither in `scp` nor in `scope` nor in `roles`.
    Scope = "the bearer token lacks the scope: okta_oauth_scope must be one that the authorization server grants to \
        the client, or with Entra an app role of the API";
}

impl From<Unreadable> for TokenFault {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::NotAnObject => Self::NotAToken,
            Unreadable::DuplicateMember => Self::DuplicateMember,
        }
    }
}
