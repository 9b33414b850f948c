//! Who calls, by OAuth 2.0: a bearer token of an authorization server that the owner trusts (RFC 6750).
//! Okta's hook may show one, and so may Event Grid.
//!
//! [`token`] says what a token must say, [`issuer`] where the keys are by which it is known to be true.

pub mod issuer;
pub mod token;

use self::issuer::{Issuer, KeysUnavailable, Warnings};
use self::token::{Expected, Jwks, Token, TokenFault};
use crate::ports::{Instant, Ports};
use crate::records::store_key::StoreKey;

/// Whose tokens, and what they must say.
#[derive(Clone, Debug)]
pub struct OAuth {
    /// The authorization server.
    pub issuer: Issuer,
    /// The claims.
    pub expected: Expected,
    /// What the names of the variables that configure this begin with: `okta_oauth` or `report_oauth`.
    pub variables: &'static str,
}

/// A token that is right and true.
#[derive(Debug)]
pub struct Checked {
    /// What the log must say.
    pub warnings: Warnings,
    /// The key of the store, which it took.
    pub key: StoreKey,
    /// The keys of the issuer are worth asking for once the answer has left.
    pub refresh_due: bool,
}

/// Why a token is not accepted. The texts are for the log.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused<E> {
    /// The token is wrong.
    Token(String),
    /// The token has expired, or is not valid yet: the next one may be in time, or a clock mended by then.
    Untimely(String),
    /// The token's key is not among the issuer's, as far as they are known: they are asked for once a minute
    /// at most, by one hook of many.
    UnknownKey(String),
    /// The keys by which it could be told are not to be had.
    KeysUnavailable(String),
    /// The key of the store is not to be had.
    NoStoreKey(E),
}

impl OAuth {
    /// Checks a bearer token: what it says, and then, with the issuer's keys, whether that is true. Until
    /// it is, anybody may have written it. `key` reads the key of the store.
    pub fn check<E>(
        &self,
        token: &[u8],
        key: impl FnOnce() -> Result<StoreKey, E>,
        ports: Ports<'_>,
        until: Instant,
    ) -> Result<Checked, Refused<E>> {
        // The texts name the variables as Okta's hook has them.
        let text = |fault: String| renamed(&fault, self.variables);
        let unavailable =
            |cause: KeysUnavailable| Refused::KeysUnavailable(text(cause.to_string()));
        let token = Token::check(token, &self.expected, ports.clock.now()).map_err(|fault| {
            let refused = match fault {
                TokenFault::Expired | TokenFault::NotYetValid => Refused::Untimely,
                _ => Refused::Token,
            };
            refused(text(fault.to_string()))
        })?;
        let key = key().map_err(Refused::NoStoreKey)?;
        let wanted = |keys: &Jwks| token.has_its_key_among(keys);
        let keys = issuer::keys(&self.issuer, wanted, &key, ports, until).map_err(unavailable)?;
        token.verify(&keys.jwks).map_err(|fault| {
            match (token.may_be_of_another_key(fault), &keys.warnings.fetch_failed) {
                (true, Some(cause)) => unavailable(cause.clone()),
                (true, None) => Refused::UnknownKey(text(fault.to_string())),
                (false, _) => Refused::Token(text(fault.to_string())),
            }
        })?;
        Ok(Checked { warnings: keys.warnings, key, refresh_due: keys.refresh_due })
    }
}

/// The text with `variables` in the place of each `okta_oauth`.
fn renamed(text: &str, variables: &str) -> String {
    const OKTAS: &str = "okta_oauth";
    let mut renamed = String::with_capacity(text.len());
    let mut rest = text;
    // A search for a text would bring 3 KB more, which are for longer ones.
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix(OKTAS) {
            renamed.push_str(variables);
            rest = after;
        } else {
            renamed.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    renamed
}
