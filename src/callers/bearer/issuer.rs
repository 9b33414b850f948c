//! The keys of the authorization server whose tokens are accepted: found, kept, and asked for again.
//!
//! Attack: a token is worth what the keys are worth. Whoever can have the hook take other keys, by
//! metadata, by a redirect or through the store, signs his own tokens. And whoever can have each hook
//! wait for the issuer, as with tokens that name keys that do not exist, stops all sign-ins.
//!
//! # Where the keys come from
//!
//! From the setting `oauth.jwks_uri` where that is set, else from the `jwks_uri` in the issuer's metadata,
//! which is looked for at each [`Place`](crate::records::issuer_keys::Place). The place that answered is remembered, and asked first.
//!
//! # How long they are kept
//!
//! | the keys | then |
//! |---|---|
//! | as long as `Cache-Control: max-age` says, but 5 minutes at least and 24 hours at most | used as they are |
//! | in the last tenth of that time | used, and fetched anew once the answer has left, at most once a minute |
//! | up to 24 hours older | fetched anew in half of the time; used as they are, with a warning, if that fails |
//! | older, or not there | fetched; the hook fails if that fails |
//! | do not have the key of a token | fetched anew, at most once a minute |
//!
//! An issuer that failed is left alone for 5 seconds, and then asked by one hook every 5 seconds: the
//! others go on with what is there, or fail at once. A token whose key is there never waits because of one whose key is not.
//!
//! That a hook asks is written down before it asks, so that those beside it do not. The store has no
//! atomic change: hooks that read before that was written ask too. While there are no keys at all
//! and no failure is known of the last minute, all hooks ask, since they could but fail otherwise.
//! A key that the issuer has just begun to use may be refused for a minute, if somebody had the hook
//! ask just before.
//!
//! They are kept as [`IssuerKeys`], under a name that is hashed with the store's key. A value that this
//! key did not write is not used, and the caller warns.

pub mod discovery;

use std::fmt;
use std::time::Duration;

use crate::callers::bearer::token::Jwks;
use crate::ports::{Instant, Ports};
use crate::records::issuer_keys::{IssuerId, IssuerKeys, Unread};
use crate::records::store_key::StoreKey;
use crate::url::{InvalidUrl, Url};
use discovery::Found;
pub use discovery::KeysUnavailable;

/// The least time that asking is worth starting with.
const SHORTEST_FETCH: Duration = Duration::from_millis(100);

/// How long a refresh takes at most, after the answer has left.
const REFRESH_TIME: Duration = Duration::from_secs(2);

/// The authorization server whose tokens the hook accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// What a token's `iss` must be, to the letter.
    pub url: String,
    /// The same, read.
    endpoint: Url,
    /// Where its keys are, if that is configured.
    jwks_uri: Option<Url>,
}

/// What is wrong with an issuer. Says what to do, never what the value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidIssuer {
    /// It is the address of the keys, not the issuer itself.
    pub of_jwks_uri: bool,
    /// What is wrong with the URL; `None` where it has a query.
    error: Option<InvalidUrl>,
}

impl fmt::Display for InvalidIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error {
            Some(error) => error.fmt(f),
            None => f.write_str("must have no query"),
        }
    }
}

impl Issuer {
    /// Reads the URL of an issuer, and that of its keys, which may be empty.
    ///
    /// ```
    /// use okta_telephony_acs::callers::bearer::issuer::Issuer;
    ///
    /// let issuer = Issuer::parse("https://contoso.okta.com/oauth2/default", "").unwrap();
    /// assert_eq!(issuer.url, "https://contoso.okta.com/oauth2/default");
    /// let error = Issuer::parse("http://contoso.okta.com", "").unwrap_err();
    /// assert!(!error.of_jwks_uri);
    /// ```
    pub fn parse(url: &str, jwks_uri: &str) -> Result<Self, InvalidIssuer> {
        let parse = |of_jwks_uri, text| {
            let invalid = |error| InvalidIssuer { of_jwks_uri, error };
            let url = Url::parse(text).map_err(|error| invalid(Some(error)))?;
            if url.path_and_query.contains('?') { Err(invalid(None)) } else { Ok(url) }
        };
        let endpoint = parse(false, url)?;
        let jwks_uri = match jwks_uri {
            "" => None,
            jwks_uri => Some(parse(true, jwks_uri)?),
        };
        Ok(Self { url: url.to_owned(), endpoint, jwks_uri })
    }

    /// The origin that is asked first for its keys, and whether that is the one of the
    /// configured address of its keys.
    pub fn origin(&self) -> (bool, String) {
        let jwks_uri = self.jwks_uri.as_ref();
        (jwks_uri.is_some(), jwks_uri.unwrap_or(&self.endpoint).origin())
    }
}

/// Keys that a token may be checked against.
#[derive(Debug)]
pub struct Keys {
    /// The keys. Whether the wanted one is among them is not said.
    pub jwks: Jwks,
    /// What the log must say.
    pub warnings: Warnings,
    /// Whether [`refresh`] has something to do once the answer has left.
    pub refresh_due: bool,
}

/// What was not as it should be, although there are keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warnings {
    /// The keys are older than the issuer said they should get.
    pub stale: bool,
    /// The store could not be read or written.
    pub store_failed: bool,
    /// The store had a value that this hook's key did not write, or that is not whole.
    pub tampered: bool,
    /// The issuer was asked, in vain.
    pub fetch_failed: Option<KeysUnavailable>,
}

/// The keys of an issuer, asked for if need be, until `until` at the latest. `wanted` says whether
/// they have what a token needs.
pub fn keys(
    issuer: &Issuer,
    wanted: impl Fn(&Jwks) -> bool,
    key: &StoreKey,
    ports: Ports<'_>,
    until: Instant,
) -> Result<Keys, KeysUnavailable> {
    let mut cache = Cache::read(issuer, key, ports);
    let now = cache.now();
    let Some(held) = cache.held(now) else {
        if !cache.kept.may_be_needed(now) {
            return Err(KeysUnavailable::JustFailed);
        }
        cache.announce();
        let jwks = cache.fetch(until)?;
        return Ok(Keys { jwks, warnings: cache.warnings, refresh_due: false });
    };

    let fresh = cache.kept.is_fresh(now);
    let has_key = wanted(&held);
    // Who has keys to go on with leaves time for the message.
    let start = ports.clock.instant();
    let until = if has_key { start.plus(until.since(start) / 2) } else { until };
    let may_ask = if fresh {
        !has_key && cache.kept.may_be_asked_again(now)
    } else {
        cache.kept.may_be_renewed(now)
    };
    // Fresh keys are not asked for where nothing would keep the next invented `kid` from it.
    let asks = may_ask && start.plus(SHORTEST_FETCH) <= until && (cache.announce() || !fresh);
    let (jwks, fetch_failed) = match asks.then(|| cache.fetch(until)) {
        Some(Ok(jwks)) => {
            return Ok(Keys { jwks, warnings: cache.warnings, refresh_due: false });
        }
        Some(Err(error)) => (held, Some(error)),
        None => (held, None),
    };
    let refresh_due = cache.kept.refresh_is_due(now);
    Ok(Keys {
        jwks,
        warnings: Warnings { stale: !fresh, fetch_failed, ..cache.warnings },
        refresh_due,
    })
}

/// Asks for the keys before they grow stale, where that is due. For after the answer has left: nothing
/// is lost where the host ends it. It takes 2 seconds at most, and a failure is found again by
/// the hooks that meet stale keys.
pub fn refresh(issuer: &Issuer, key: &StoreKey, ports: Ports<'_>) {
    let mut cache = Cache::read(issuer, key, ports);
    if cache.kept.refresh_is_due(cache.now()) && cache.announce() {
        let _ = cache.fetch(ports.clock.instant().plus(REFRESH_TIME));
    }
}

/// What the store knows of an issuer, as one hook sees it.
struct Cache<'a> {
    issuer: &'a Issuer,
    /// The configured address of its keys, which may be empty.
    jwks_uri: String,
    key: &'a StoreKey,
    ports: Ports<'a>,
    kept: IssuerKeys,
    warnings: Warnings,
}

impl<'a> Cache<'a> {
    fn read(issuer: &'a Issuer, key: &'a StoreKey, ports: Ports<'a>) -> Self {
        let (kept, warnings) = (IssuerKeys::default(), Warnings::default());
        let jwks_uri = issuer.jwks_uri.as_ref();
        let jwks_uri =
            jwks_uri.map(|url| url.origin() + url.path_and_query.as_str()).unwrap_or_default();
        let mut cache = Self { issuer, jwks_uri, key, ports, kept, warnings };
        cache.kept = cache.stored();
        cache
    }

    /// Seconds since 1970; none before.
    fn now(&self) -> u64 {
        self.ports.clock.milliseconds() / 1000
    }

    /// What the store knows the issuer by.
    fn id(&self) -> IssuerId<'_> {
        IssuerId(&self.issuer.url, &self.jwks_uri)
    }

    fn stored(&mut self) -> IssuerKeys {
        let stored = IssuerKeys::read(self.id(), self.key, self.ports.store);
        stored.unwrap_or_else(|unread| {
            match unread {
                Unread::Tampered => self.warnings.tampered = true,
                Unread::StoreUnavailable => self.warnings.store_failed = true,
            }
            IssuerKeys::default()
        })
    }

    /// Writes down what is known; a store that has failed is not asked again. Whether it is written.
    fn write(&mut self) -> bool {
        if !self.warnings.store_failed {
            let written = self.kept.write(self.id(), self.key, self.ports.store);
            self.warnings.store_failed = written.is_err();
        }
        !self.warnings.store_failed
    }

    /// The keys that were kept, if they are better than none.
    fn held(&self, now: u64) -> Option<Jwks> {
        // Authentic keys that can't be read are those of a version that took others.
        self.kept.is_usable(now).then(|| Jwks::parse(self.kept.jwks.as_bytes())).flatten()
    }

    /// Tells other hooks that this one asks; whether they will know.
    fn announce(&mut self) -> bool {
        self.kept.asked = self.now();
        self.write()
    }

    /// Asks for the keys, and writes down what came of it.
    fn fetch(&mut self, until: Instant) -> Result<Jwks, KeysUnavailable> {
        // A hook that is late itself says nothing of the issuer.
        if self.ports.clock.instant().plus(SHORTEST_FETCH) > until {
            return Err(KeysUnavailable::Late);
        }
        let found = discovery::find(self.issuer, self.kept.place, self.ports, until);
        let now = self.now();
        match found {
            Ok(Found { place, jwks, text, lifetime }) => {
                self.kept = IssuerKeys {
                    fetched: now,
                    fresh_until: now.saturating_add(lifetime),
                    asked: self.kept.asked,
                    failed: 0,
                    place,
                    jwks: text,
                };
                self.write();
                Ok(jwks)
            }
            Err(error) => {
                // Read again: another hook may have brought keys meanwhile.
                if !self.warnings.store_failed {
                    self.kept = self.stored();
                }
                self.kept.failed = now;
                self.write();
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests;
