//! A bearer token of an authorization server that the owner trusts (OAuth 2.0, RFC 6750). Okta's hook may
//! show one, and so may Event Grid.
//!
//! [`token`] says what a token must say, [`issuer`] where the keys are by which it is known to be true.

pub mod issuer;
mod member;
pub mod servers;
pub mod token;

use std::fmt::Display;

use self::issuer::Issuer;
use self::token::{Expected, Jwks, Token, TokenFault};
use super::{Caller, Cause, Proof, credentials};
use crate::ports::{InboundRequest, Instant, Ports};
use crate::records::store_key::StoreKey;

/// Whose tokens, and what they must say.
#[derive(Clone, Debug)]
pub struct OAuth {
    /// The section of the settings that says so, as the log names it: `okta.oauth` or `reports.oauth`.
    pub section: &'static str,
    /// The authorization server.
    pub issuer: Issuer,
    /// The claims.
    pub expected: Expected,
}

impl OAuth {
    /// Checks a bearer token: what it says, and then, with the issuer's keys, whether that is true. Until
    /// it is, anybody may have written it. An error says for the log what to mend.
    pub(super) fn check(
        &self,
        token: &[u8],
        key: Option<&StoreKey>,
        ports: Ports<'_>,
        until: Instant,
    ) -> Result<Caller<'_>, (Cause, String)> {
        let refused = |cause, fault: &dyn Display| (cause, format!("{}: {fault}", self.section));
        let token = Token::check(token, &self.expected, ports.clock.now()).map_err(|fault| {
            let cause = match fault {
                TokenFault::Expired | TokenFault::NotYetValid => Cause::TokenUntimely,
                _ => Cause::Token,
            };
            refused(cause, &fault)
        })?;
        let Some(key) = key else {
            return Err(refused(
                Cause::NoStoreKey,
                &"no token is accepted without the store's key, which is not configured",
            ));
        };
        let wanted = |keys: &Jwks| token.has_its_key_among(keys);
        let keys = issuer::keys(&self.issuer, wanted, key, ports, until)
            .map_err(|unavailable| refused(Cause::KeysUnavailable, &unavailable))?;
        token.verify(&keys.jwks).map_err(|fault| {
            match (token.may_be_of_another_key(fault), &keys.warnings.fetch_failed) {
                (true, Some(unavailable)) => refused(Cause::KeysUnavailable, unavailable),
                (true, None) => refused(Cause::TokenKeyUnknown, &fault),
                (false, _) => refused(Cause::Token, &fault),
            }
        })?;
        let refresh = keys.refresh_due.then_some(&self.issuer);
        Ok(Caller { proof: Proof::OAuth, warnings: keys.warnings, refresh })
    }
}

/// The token of the one `Authorization` header, if it is of the Bearer scheme (RFC 6750, section 2.1).
pub(super) fn token_of(request: &dyn InboundRequest) -> Option<Vec<u8>> {
    let [value] = &request.header("authorization")[..] else { return None };
    credentials(value, "bearer").map(<[u8]>::to_vec)
}
