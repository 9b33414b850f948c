//! What a bearer token must say: the JSON Web Token that a caller gets from an authorization server, as Okta
//! does for its hook ("Inline hooks", Okta). The server is an Okta custom one, or Microsoft Entra ID.
//!
//! The attacks this stops: a token that nobody signed, or that the caller signed (RFC 8725, section
//! 2.1), and a good token that was not meant for this hook: for another service, for another client,
//! for a user, or bound to a key that the caller does not show. It fails closed: what is missing,
//! there twice, or of another type is refused.
//!
//! It goes in two steps, so that keys are fetched, and a signature computed, only for a token whose
//! claims are right: [`Token::check`] first, [`Token::verify`] then. Only a token that has passed both
//! says anything. No text made here holds a part of a token.

mod keys;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use time::OffsetDateTime;

pub use keys::{Jwks, KEY_LIMIT, SignatureFault};

use super::member::Member;
use super::servers::{is_entra_v1, is_entra_v2, is_okta_org, is_spelt_otherwise};
use crate::json::{self, Unreadable};

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

    /// Whether the key that it names, or, where it names none, the one that made its signature, is among
    /// these: if not, the issuer may have newer ones.
    pub fn has_its_key_among(&self, keys: &Jwks) -> bool {
        match &self.key_id {
            Some(key_id) => keys.has(key_id),
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
        keys.verify(self.key_id.as_deref(), self.algorithm, self.signed, &self.signature)
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

/// What is read of a token's header. `jku`, `jwk`, `x5u` and `x5c` offer keys of the sender's choice: they
/// are not even read (RFC 8725, section 3.10).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Header {
    alg: Member,
    kid: Member,
    crit: Member,
}

/// What is read of its claims: those of RFC 7519 and RFC 9068, and of Okta and Entra.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    iss: Member,
    aud: Member,
    exp: Member,
    nbf: Member,
    iat: Member,
    scp: Member,
    scope: Member,
    roles: Member,
    cid: Member,
    azp: Member,
    appid: Member,
    uid: Member,
    idtyp: Member,
    sub: Member,
    oid: Member,
    tid: Member,
    cnf: Member,
}

fn check_header(header: &[u8]) -> Result<(Algorithm, Option<String>), TokenFault> {
    let header: Header = json::read(header)?;
    // Whatever it lists, `b64` among it, is not understood here (RFC 7515, section 4.1.11).
    if !header.crit.is_missing() {
        return Err(TokenFault::CriticalHeader);
    }
    let algorithm = match header.alg.text() {
        Some("RS256") => Algorithm::Rs256,
        Some("ES256") => Algorithm::Es256,
        _ => return Err(TokenFault::Algorithm),
    };
    match header.kid {
        Member::Missing => Ok((algorithm, None)),
        Member::Text(kid) => Ok((algorithm, Some(kid))),
        _ => Err(TokenFault::NotAToken),
    }
}

fn check_claims(
    payload: &[u8],
    expected: &Expected,
    now: OffsetDateTime,
) -> Result<(), TokenFault> {
    let claims: Claims = json::read(payload)?;

    if !claims.iss.is(&expected.issuer) {
        return Err(issuer_fault(claims.iss.text().unwrap_or_default(), &expected.issuer));
    }
    if !claims.aud.is(&expected.audience) && !claims.aud.lists(&expected.audience) {
        return Err(audience_fault(&claims, expected));
    }

    let now = now.unix_timestamp() as f64;
    if now >= date(&claims.exp)?.ok_or(TokenFault::NoExpiry)? + SKEW {
        return Err(TokenFault::Expired);
    }
    for start in [date(&claims.nbf)?, date(&claims.iat)?].into_iter().flatten() {
        if start > now + SKEW {
            return Err(TokenFault::NotYetValid);
        }
    }

    // The attack: RFC 9449 binds a token to a key because bearers lose tokens. Okta's hook shows no
    // proof, so nobody could tell it from a thief.
    if !claims.cnf.is_missing() {
        return Err(TokenFault::BoundToKey);
    }

    let clients = [&claims.cid, &claims.azp, &claims.appid];
    let mut clients = clients.into_iter().filter(|claim| !claim.is_missing()).peekable();
    if clients.peek().is_none() {
        return Err(TokenFault::NoClient);
    }
    if !clients.all(|claim| claim.is(&expected.client_id)) {
        return Err(TokenFault::Client);
    }
    if is_of_a_user(&claims) {
        let is_of_okta = claims.azp.is_missing() && claims.appid.is_missing();
        return Err(if is_of_okta || is_of_entra(&claims, expected) {
            TokenFault::User
        } else {
            TokenFault::OtherServer
        });
    }

    let Claims { scp, scope, roles, .. } = &claims;
    match &expected.scope {
        Some(wanted)
            if !(scp.lists(wanted)
                || scp.has_word(wanted)
                || scope.has_word(wanted)
                || roles.lists(wanted)) =>
        {
            Err(scope_fault(&claims, expected, wanted))
        }
        _ => Ok(()),
    }
}

/// What is wrong with another `iss`. What few texts are by mistake comes before what any may be.
fn issuer_fault(iss: &str, expected: &str) -> TokenFault {
    if is_entra_v1(iss) && is_entra_v2(expected) {
        TokenFault::EntraVersion
    } else if is_entra_v2(iss) && is_entra_v1(expected) {
        TokenFault::NewerEntraVersion
    } else if is_spelt_otherwise(iss, expected) {
        TokenFault::IssuerSpelling
    } else if is_entra_v2(iss) && is_entra_v2(expected) {
        TokenFault::EntraTenant
    } else if is_okta_org(iss, expected) {
        TokenFault::OktaOrg
    } else {
        TokenFault::Issuer
    }
}

/// What is wrong where `aud` does not hold the audience.
fn audience_fault(claims: &Claims, expected: &Expected) -> TokenFault {
    const URI: &str = "api://";
    let audience = &*expected.audience;
    let any = |is_it: &dyn Fn(&str) -> bool| claims.aud.texts().iter().any(|aud| is_it(aud));
    if is_okta_org(&expected.issuer, "") {
        TokenFault::OktaOrg
    } else if any(&|aud| aud.strip_prefix(URI) == Some(audience)) {
        TokenFault::AudienceUri
    } else if any(&|aud| audience.strip_prefix(URI) == Some(aud)) {
        TokenFault::AudienceId
    } else if any(&|aud| is_spelt_otherwise(aud, audience)) {
        TokenFault::AudienceSpelling
    } else {
        TokenFault::Audience
    }
}

/// The names of the role that Event Grid needs: the one that Microsoft's script gives it, and the one that an older
/// script gave it.
const EVENT_GRID_ROLES: [&str; 2] =
    ["AzureEventGridSecureWebhookSubscriber", "AzureEventGridSecureWebhook"];

/// What is wrong where the scope or role is not there.
fn scope_fault(claims: &Claims, expected: &Expected, wanted: &str) -> TokenFault {
    if EVENT_GRID_ROLES.contains(&wanted)
        && EVENT_GRID_ROLES.iter().any(|it| claims.roles.lists(it))
    {
        TokenFault::EventGridRole
    } else if is_of_entra(claims, expected)
        && claims.roles.is_missing()
        && claims.scope.is_missing()
    {
        TokenFault::NoRoles
    } else {
        TokenFault::Scope
    }
}

/// Whether the token is Entra's: all of theirs have `tid`, and other servers' have none of the three.
fn is_of_entra(claims: &Claims, expected: &Expected) -> bool {
    let Claims { tid, oid, idtyp, .. } = claims;
    let has_its_claims = [tid, oid, idtyp].into_iter().any(|claim| !claim.is_missing());
    has_its_claims || is_entra_v1(&expected.issuer) || is_entra_v2(&expected.issuer)
}

/// Whether the token may be a user's.
///
/// The attack: a user signs in to the client and takes the token along. Okta's is known by `uid` ("not
/// included in the access token if there is no user bound to it", OpenID Connect & OAuth 2.0 API). Entra's
/// has `azp` or `appid` in both cases, and is an application's only if it says so: by `idtyp`, which is
/// optional, or by having one identifier for its subject ("Verify scopes and app roles protected web API",
/// Microsoft), and never with `scp` ("only included for user tokens", Access token claims reference).
fn is_of_a_user(claims: &Claims) -> bool {
    let Claims { scp, azp, appid, uid, idtyp, sub, oid, .. } = claims;
    let of_entra = !azp.is_missing() || !appid.is_missing();
    let of_application = match idtyp {
        Member::Missing if of_entra => oid.text().is_some_and(|oid| sub.is(oid)),
        Member::Missing => true,
        idtyp => idtyp.is("app"),
    };
    !uid.is_missing() || of_entra && !scp.is_missing() || !of_application
}

/// A NumericDate (RFC 7519, section 2): seconds since 1970, which may have a fraction.
fn date(claim: &Member) -> Result<Option<f64>, TokenFault> {
    match claim {
        Member::Missing => Ok(None),
        Member::Number(date) if (0.0..END_OF_TIME).contains(date) => Ok(Some(*date)),
        _ => Err(TokenFault::NotADate),
    }
}

/// Declares [`TokenFault`] with the text of each.
macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        /// Why a token is refused before its signature is looked at. Its text is for the log: it says
        /// what is wrong and how to mend it, and holds nothing of the token. Settings are named as in
        /// `oauth.issuer`, since there is more than one section `oauth`.
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
    Issuer = "the bearer token is of another issuer: oauth.issuer must be its iss claim to the letter, which is \
        the Issuer URI of Okta's authorization server, or https://login.microsoftonline.com/TENANT/v2.0";
    /// An `iss` that is nearly the right one.
    IssuerSpelling = "the bearer token's iss claim and oauth.issuer differ in nothing but a slash at the end or the case \
        of letters: write oauth.issuer to the letter as the claim has it, as Okta and Entra's version 2 do without a slash \
        at the end, and Entra's version 1 with one";
    /// A token of the server that each Okta org has, which nobody but Okta can check.
    OktaOrg = "the bearer token is of the server that each Okta org has, whose tokens are for Okta alone to check: set \
        the token URL in Okta's hook to that of a custom authorization server, as in \
        https://YOUR-ORG.okta.com/oauth2/default/v1/token, and oauth.issuer to its Issuer URI";
    /// A token of another of Entra's tenants, or an issuer that is written in another way than in tokens.
    EntraTenant = "the bearer token is of Entra ID, but of another issuer: oauth.issuer must be \
        https://login.microsoftonline.com/TENANT/v2.0 with the tenant's ID for TENANT, not its domain, common or \
        organizations; or the token is of another tenant";
    /// An Entra token of version 2 where one of version 1 is expected.
    NewerEntraVersion = "the bearer token is of Entra's version 2, and oauth.issuer is the issuer of version 1: set \
        oauth.issuer to https://login.microsoftonline.com/TENANT/v2.0";
    /// An Entra token of version 1 where one of version 2 is expected.
    // Entra makes tokens of its older form for an API that does not ask for the newer, whichever endpoint they come
    // from ("Access tokens", Microsoft identity platform).
    EntraVersion = "the bearer token is of Entra's version 1, and oauth.issuer is the issuer of version 2: set \
        requestedAccessTokenVersion: 2 in the manifest of the API's app registration";
    /// `aud` does not hold the audience.
    Audience = "the bearer token is for another audience: oauth.audience must be its aud claim, which is the \
        Audience of Okta's authorization server, or the client ID of the API's app registration in Entra";
    /// `aud` is `api://` and the audience.
    AudienceUri = "the bearer token's aud claim is oauth.audience with api:// before it, as in Entra's tokens of version \
        1: set requestedAccessTokenVersion: 2 in the manifest of the API's app registration, or write oauth.audience with \
        api://, as the claim has it";
    /// The audience is `api://` and what is in `aud`.
    AudienceId = "the bearer token's aud claim is oauth.audience without its api://, as in Entra's tokens of version 2: \
        set oauth.audience to the client ID of the API's app registration, without api://";
    /// An `aud` that is nearly the right one.
    AudienceSpelling = "the bearer token's aud claim and oauth.audience differ in nothing but a slash at the end or the \
        case of letters: write oauth.audience to the letter as the claim has it";
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
    NoClient = "the bearer token has none of the claims cid, azp and appid, so oauth.client_id can't be checked: the \
        authorization server must be an Okta custom one or Microsoft Entra ID";
    /// `cid`, `azp` or `appid` is of another client.
    Client = "the bearer token was given to another client: oauth.client_id must be the client ID of the \
        caller, which is the one in Okta's hook, or Event Grid's application";
    /// A user's token, or one that is not known to be an application's.
    User = "the bearer token is not known to be an application's: the caller must use client credentials, and for \
        Entra the API's app registration should add the optional claim idtyp";
    /// A token with `azp` that is not Entra's, as Auth0's and Keycloak's.
    OtherServer = "the bearer token is of an authorization server that does not say, in a way that is understood here, \
        whether a token is an application's or a person's, as Auth0 and Keycloak do not: it must be an Okta custom one or \
        Microsoft Entra ID; or let Okta's hook use Basic";
    /// Both have a name of Event Grid's role, and not the same.
    EventGridRole = "the bearer token has Event Grid's app role by another name than oauth.scope: older scripts of \
        Microsoft's made AzureEventGridSecureWebhook, newer ones AzureEventGridSecureWebhookSubscriber; set oauth.scope to \
        the one that the app registration has";
    /// An Entra token without `roles`.
    NoRoles = "the bearer token has no roles claim, so the client has no app role of the API: give the API's app \
        registration the app role that oauth.scope names, assign it to the client's service principal, and grant admin \
        consent";
    /// The scope is neither in `scp` nor in `scope` nor in `roles`.
    Scope = "the bearer token lacks the scope: oauth.scope must be one that the authorization server grants to \
        the client, or with Entra an app role of the API";
}

impl From<Unreadable> for TokenFault {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::NotUtf8 | Unreadable::NotJson { .. } | Unreadable::NotAnObject => {
                Self::NotAToken
            }
            // None has to be there, and `Member` takes any type.
            Unreadable::Members { .. } => Self::DuplicateMember,
        }
    }
}
