//! Where an issuer's keys are, and the requests for them.
//!
//! Attack: metadata that is another issuer's, or names keys that lie elsewhere, would have the hook
//! take tokens that anybody signed. So the metadata's `issuer` must be the configured one to the
//! letter (OpenID Connect Discovery 1.0, section 4.3; RFC 8414, section 3.3), its `jwks_uri` of the
//! same origin, and no redirect is followed.

use std::fmt;

use super::Issuer;
use crate::callers::bearer::token::Jwks;
use crate::json::read::Json;
use crate::ports::{BodyError, Instant, OutboundMethod, OutboundRequest, Ports, SendError};
use crate::url::Url;

/// The most bytes of metadata, and of keys. Okta's have about 3,000 and 1,000.
pub const DOCUMENT_LIMIT: usize = 64 * 1024;

/// A well-known place of metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// OpenID Connect Discovery 1.0, section 4: `{issuer}/.well-known/openid-configuration`.
    OpenId = 1,
    /// What Okta has beside it: `{issuer}/.well-known/oauth-authorization-server`.
    OAuth = 2,
    /// RFC 8414, section 3.1: the same before the issuer's path.
    Inserted = 3,
}

impl Place {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::OpenId, Self::OAuth, Self::Inserted];

    /// Where that is for an issuer. A slash at the end of the issuer is left out, as both standards
    /// say.
    fn of(self, issuer: &Url) -> Url {
        let path = issuer.path_and_query.strip_suffix('/').unwrap_or(&issuer.path_and_query);
        let path_and_query = match self {
            Self::OpenId => [path, "/.well-known/openid-configuration"].concat(),
            Self::OAuth => [path, "/.well-known/oauth-authorization-server"].concat(),
            Self::Inserted => ["/.well-known/oauth-authorization-server", path].concat(),
        };
        Url { path_and_query, ..issuer.clone() }
    }
}

/// What the hook asked an issuer for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// The metadata of the authorization server.
    Metadata,
    /// Its keys.
    Keys,
}

/// Why there are no keys. Says, for the log, what to do.
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
                "the host does not let the hook call the authorization server: set okta_oauth_host to {origin}, and \
                 look at the networks that the host blocks"
            ),
            Self::NotConnected => f.write_str(
                "no connection to the authorization server came about: look at okta_oauth_issuer and \
                 okta_oauth_jwks_uri, and at the server's status",
            ),
            Self::Untrusted => f.write_str(
                "the hook's host does not trust the certificate of the authorization server: give the host current \
                 CA certificates (on SpinKube, the executor's installDefaultCACerts)",
            ),
            Self::Broken => f.write_str(
                "the connection to the authorization server broke before it had answered: look at its status",
            ),
            Self::Late => f.write_str(
                "the authorization server had not answered in time: look at its status; okta_oauth_jwks_uri saves \
                 the request for its metadata",
            ),
            Self::Status(document, status) => write!(
                f,
                "the authorization server answered {status} to the request for its {}: look at okta_oauth_issuer and \
                 okta_oauth_jwks_uri, which must lead there without a redirect",
                name(document)
            ),
            Self::TooLarge(document) => write!(
                f,
                "the {} of the authorization server have more than {DOCUMENT_LIMIT} bytes: look at what answers there",
                name(document)
            ),
            Self::NotMetadata => f.write_str(
                "the metadata of the authorization server is not JSON with one issuer and one jwks_uri: look at \
                 okta_oauth_issuer, or set okta_oauth_jwks_uri",
            ),
            Self::OtherIssuer => f.write_str(
                "the metadata of the authorization server is another issuer's: set okta_oauth_issuer to the issuer \
                 that it names, to the letter",
            ),
            Self::KeysElsewhere => f.write_str(
                "the metadata of the authorization server has a jwks_uri that is not on the issuer's scheme, host and \
                 port: set okta_oauth_jwks_uri if that is right",
            ),
            Self::NotKeys => f.write_str(
                "the keys of the authorization server are no JSON Web Key Set of at most 32 keys, one of them RSA of \
                 2048 to 4096 bits or P-256 for signatures: look at okta_oauth_jwks_uri, or at the jwks_uri in the \
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
    pub bytes: Vec<u8>,
    /// The `Cache-Control` that they came with.
    pub cache_control: Option<String>,
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
    Ok(Found { place, jwks, bytes, cache_control })
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
        let url = place.of(&issuer.endpoint);
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
    let names = ["issuer", "jwks_uri"];
    let members = Json::parse(metadata).ok().and_then(|metadata| metadata.named(names).ok());
    let [Some(url), Some(jwks_uri)] =
        members.unwrap_or_default().map(|member| member.and_then(Json::text))
    else {
        return Err(KeysUnavailable::NotMetadata);
    };
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
        path_and_query: match url.path_and_query.as_str() {
            "" => "/",
            path_and_query => path_and_query,
        },
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
