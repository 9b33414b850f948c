//! Where an issuer's keys are, and the requests for them.
//!
//! Attack: metadata that is another issuer's, or names keys that lie elsewhere, would have the hook
//! take tokens that anybody signed. So the metadata's `issuer` must be the configured one to the
//! letter (OpenID Connect Discovery 1.0, section 4.3; RFC 8414, section 3.3), its `jwks_uri` of the
//! same origin, and no redirect is followed.

use std::fmt;

use serde::Deserialize;

use super::Issuer;
use crate::callers::bearer::token::Jwks;
use crate::json;
use crate::ports::{BodyError, Instant, OutboundMethod, OutboundRequest, Ports, SendError};
use crate::records::issuer_keys::Place;
use crate::url::Url;

/// The most bytes of metadata, and of keys. Okta's have about 3,000 and 1,000.
pub const DOCUMENT_LIMIT: usize = 64 * 1024;

/// How long keys hold at least, in seconds. What the issuer says may be less, or 0: then each hook would
/// ask.
pub const LEAST_LIFETIME: u64 = 5 * 60;

/// How long they hold at most: a key that the issuer has withdrawn must go some time.
pub const LONGEST_LIFETIME: u64 = 24 * 60 * 60;

/// Where an issuer's metadata is at this place. A slash at the end of the issuer is left out, as both
/// standards say.
fn url_of(place: Place, issuer: &Url) -> Url {
    let path = issuer.path_and_query.strip_suffix('/').unwrap_or(&issuer.path_and_query);
    let path_and_query = match place {
        Place::OpenId => [path, "/.well-known/openid-configuration"].concat(),
        Place::OAuth => [path, "/.well-known/oauth-authorization-server"].concat(),
        Place::Inserted => ["/.well-known/oauth-authorization-server", path].concat(),
    };
    Url { path_and_query, ..issuer.clone() }
}

/// What the hook asked an issuer for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// The metadata of the authorization server.
    Metadata,
    /// Its keys.
    Keys,
}

/// Why there are no keys. Says, for the log, what to do. Settings are named as in `oauth.issuer`, since there
/// is more than one section `oauth`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysUnavailable {
    /// The host may not call this one, which is `scheme://host[:port]`.
    NotAllowed(String),
    /// No connection came about.
    NotConnected,
    /// The certificate is not trusted.
    Untrusted,
    /// The connection broke.
    Broken,
    /// The answer had not come whole in time.
    Late,
    /// An answer other than 200; a redirect is one.
    Status(Document, u16),
    /// The answer is larger than [`DOCUMENT_LIMIT`].
    TooLarge(Document),
    /// The metadata is not JSON with an `issuer` and a `jwks_uri`, each once.
    NotMetadata,
    /// The metadata is another issuer's.
    OtherIssuer,
    /// The metadata's `jwks_uri` is no URL of the issuer's origin.
    KeysElsewhere,
    /// The keys are no JSON Web Key Set that the hook takes, or none of them is of use.
    NotKeys,
    /// The issuer failed a moment ago and was not asked.
    JustFailed,
}

impl fmt::Display for KeysUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |document: &Document| match document {
            Document::Metadata => "metadata",
            Document::Keys => "keys",
        };
        match self {
            Self::NotAllowed(origin) => write!(
                f,
                "the host does not let the hook call the authorization server: set one of the variables outbound_host1 \
                 to outbound_host3 to {origin}, and look at the networks that the host blocks"
            ),
            Self::NotConnected => f.write_str(
                "no connection to the authorization server came about: look at oauth.issuer and \
                 oauth.jwks_uri, and at the server's status",
            ),
            Self::Untrusted => f.write_str(
                "the hook's host does not trust the certificate of the authorization server: give the host current \
                 CA certificates (on SpinKube, the executor's installDefaultCACerts)",
            ),
            Self::Broken => f.write_str(
                "the connection to the authorization server broke before it had answered: look at its status",
            ),
            Self::Late => f.write_str(
                "the authorization server had not answered in time: look at its status; oauth.jwks_uri saves \
                 the request for its metadata",
            ),
            Self::Status(document, status) => write!(
                f,
                "the authorization server answered {status} to the request for its {}: look at oauth.issuer and \
                 oauth.jwks_uri, which must lead there without a redirect",
                name(document)
            ),
            Self::TooLarge(document) => write!(
                f,
                "the {} of the authorization server have more than {DOCUMENT_LIMIT} bytes: look at what answers there",
                name(document)
            ),
            Self::NotMetadata => f.write_str(
                "the metadata of the authorization server is not JSON with one issuer and one jwks_uri: look at \
                 oauth.issuer, or set oauth.jwks_uri",
            ),
            Self::OtherIssuer => f.write_str(
                "the metadata of the authorization server is another issuer's: set oauth.issuer to the issuer \
                 that it names, to the letter",
            ),
            Self::KeysElsewhere => f.write_str(
                "the metadata of the authorization server has a jwks_uri that is not on the issuer's scheme, host and \
                 port: set oauth.jwks_uri if that is right",
            ),
            Self::NotKeys => f.write_str(
                "the keys of the authorization server are no JSON Web Key Set of at most 32 keys, one of them RSA of \
                 2048 to 4096 bits or P-256 for signatures: look at oauth.jwks_uri, or at the jwks_uri in the \
                 server's metadata",
            ),
            Self::JustFailed => f.write_str(
                "the authorization server failed a few seconds ago and is left alone: the log said then why",
            ),
        }
    }
}

/// Keys, and where they were.
pub(super) struct Found {
    pub place: Option<Place>,
    pub jwks: Jwks,
    /// The same, as they came.
    pub text: String,
    /// How long they hold, in seconds.
    pub lifetime: u64,
}

/// Asks for an issuer's keys, at `first` before all other places, until `until` at the latest.
///
/// The metadata has two thirds of the time, whatever the number of places. A host that can't be
/// reached, or is late, is not asked for the next place: all of them are on the same host.
pub(super) fn find(
    issuer: &Issuer,
    first: Option<Place>,
    ports: Ports<'_>,
    until: Instant,
) -> Result<Found, KeysUnavailable> {
    let (place, jwks_uri) = match &issuer.jwks_uri {
        Some(jwks_uri) => (None, jwks_uri.clone()),
        None => {
            let now = ports.clock.instant();
            let (place, jwks_uri) =
                discover(issuer, first, ports, now.plus(until.since(now) / 3 * 2))?;
            (Some(place), jwks_uri)
        }
    };
    let (bytes, cache_control) = get(&jwks_uri, Document::Keys, ports, until)?;
    // An issuer that has nothing of use to say has failed: what it said before holds.
    let jwks = Jwks::parse(&bytes).filter(Jwks::is_of_use).ok_or(KeysUnavailable::NotKeys)?;
    let text = String::from_utf8(bytes).map_err(|_| KeysUnavailable::NotKeys)?;
    Ok(Found { place, jwks, text, lifetime: lifetime(cache_control.as_deref()) })
}

/// The first place that has the issuer's metadata, and the URL of the keys in it.
fn discover(
    issuer: &Issuer,
    first: Option<Place>,
    ports: Ports<'_>,
    until: Instant,
) -> Result<(Place, Url), KeysUnavailable> {
    let mut asked = Vec::new();
    let mut failure = None;
    for place in first.into_iter().chain(Place::ALL) {
        let url = url_of(place, &issuer.endpoint);
        // The remembered place, or an issuer without a path.
        if asked.contains(&url) {
            continue;
        }
        let found = get(&url, Document::Metadata, ports, until)
            .and_then(|(metadata, _)| Ok((place, jwks_uri(&metadata, issuer)?)));
        asked.push(url);
        match found {
            Ok(found) => return Ok(found),
            Err(
                error @ (KeysUnavailable::NotAllowed(_)
                | KeysUnavailable::NotConnected
                | KeysUnavailable::Untrusted
                | KeysUnavailable::Broken
                | KeysUnavailable::Late),
            ) => return Err(error),
            // The first that tells more than that there is none.
            Err(error) => {
                if matches!(failure, None | Some(KeysUnavailable::Status(_, 404))) {
                    failure = Some(error);
                }
            }
        }
    }
    Err(failure.unwrap_or(KeysUnavailable::NotMetadata))
}

/// The URL of the keys in an issuer's metadata.
pub fn jwks_uri(metadata: &[u8], issuer: &Issuer) -> Result<Url, KeysUnavailable> {
    #[derive(Deserialize)]
    struct Metadata {
        issuer: String,
        jwks_uri: String,
    }
    let Metadata { issuer: url, jwks_uri } =
        json::read(metadata).map_err(|_| KeysUnavailable::NotMetadata)?;
    if url != issuer.url {
        return Err(KeysUnavailable::OtherIssuer);
    }
    let jwks_uri = Url::parse(&jwks_uri).map_err(|_| KeysUnavailable::KeysElsewhere)?;
    if jwks_uri.origin() != issuer.endpoint.origin() {
        return Err(KeysUnavailable::KeysElsewhere);
    }
    Ok(jwks_uri)
}

/// A document, with its `Cache-Control`.
fn get(
    url: &Url,
    document: Document,
    ports: Ports<'_>,
    until: Instant,
) -> Result<(Vec<u8>, Option<String>), KeysUnavailable> {
    let request = OutboundRequest {
        method: OutboundMethod::Get,
        tls: url.tls,
        authority: &url.authority,
        path_and_query: &url.path_and_query,
        headers: &[("accept", "application/json")],
    };
    let mut answer = ports.http.send(&request, until).map_err(|error| match error {
        SendError::NotAllowed => KeysUnavailable::NotAllowed(url.origin()),
        SendError::NotConnected => KeysUnavailable::NotConnected,
        SendError::Untrusted => KeysUnavailable::Untrusted,
        SendError::Broken => KeysUnavailable::Broken,
        SendError::Late => KeysUnavailable::Late,
    })?;
    if answer.status() != 200 {
        return Err(KeysUnavailable::Status(document, answer.status()));
    }
    let cache_control = answer.header("cache-control");
    let body = answer.read(DOCUMENT_LIMIT, until).map_err(|error| match error {
        BodyError::TooLarge => KeysUnavailable::TooLarge(document),
        BodyError::Late => KeysUnavailable::Late,
        BodyError::Broken => KeysUnavailable::Broken,
    })?;
    Ok((body, cache_control))
}

/// How long keys hold by the `Cache-Control` they came with (RFC 9111, section 5.2.2), in seconds.
/// An issuer that says nothing of use gets the least.
pub fn lifetime(cache_control: Option<&str>) -> u64 {
    let mut longest = None;
    for directive in cache_control.unwrap_or_default().split(',') {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let (name, value) = (name.trim(), value.trim().trim_matches('"'));
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return LEAST_LIFETIME;
        }
        let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        if name.eq_ignore_ascii_case("max-age") && digits {
            // What has too many digits is long.
            let seconds = value.parse().unwrap_or(u64::MAX);
            longest = Some(longest.map_or(seconds, |longest: u64| longest.min(seconds)));
        }
    }
    longest.unwrap_or(0).clamp(LEAST_LIFETIME, LONGEST_LIFETIME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_hold_as_long_as_cache_control_says_between_five_minutes_and_a_day() {
        for (said, expected) in [
            (None, 300),
            (Some(""), 300),
            (Some("max-age=3600"), 3600),
            (Some("private, Max-Age=\"3600\" , must-revalidate"), 3600),
            (Some("max-age=7200, max-age=3600"), 3600),
            (Some("max-age=0"), 300),
            (Some("max-age=299"), 300),
            (Some("max-age=5184000"), 86_400),
            (Some("max-age=99999999999999999999999"), 86_400),
            (Some("max-age=-1"), 300),
            (Some("max-age=+3600"), 300),
            (Some("max-age"), 300),
            (Some("s-maxage=3600"), 300),
            (Some("max-age=3600, no-store"), 300),
            (Some("NO-CACHE, max-age=3600"), 300),
        ] {
            assert_eq!(lifetime(said), expected, "{said:?}");
        }
    }

    proptest! {
        #[test]
        fn any_cache_control_is_within_the_bounds(said in "\\PC*|(max-age=|no-|[0-9]{1,25}|[,\" ])*") {
            prop_assert!((LEAST_LIFETIME..=LONGEST_LIFETIME).contains(&lifetime(Some(&said))));
        }
    }
}
