//! A fake OAuth 2.0 authorization server, for development and tests.
//!
//! It stands for an Okta custom authorization server, or for Microsoft Entra ID: metadata, keys, and
//! access tokens for a client that shows its secret. Keys are rotated when asked, any endpoint can be
//! made to misbehave, and a test can have any token, however wrong, signed with any key. Everybody has
//! its keys: it listens on loopback addresses only, and what it signs is worth nothing.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use okta_telephony_dev::authorization_server::{AuthorizationServer, Endpoint, Settings};
//! use serde_json::json;
//!
//! let server = AuthorizationServer::start(Settings::new("127.0.0.1:0".parse()?)).await?;
//! let mut claims = server.claims();
//! claims["aud"] = json!("api://other");
//! let token = server.mint(&claims);
//! // … show it to something that should refuse it …
//! assert_eq!(server.requests(Endpoint::Keys), 1);
//! # Ok(())
//! # }
//! ```
//!
//! - `key` has the keys and seals tokens,
//! - `fault` names what can go wrong;
//!
//! this file has the documents and the tokens, and answers.

mod fault;
mod key;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::loopback;

pub use fault::{Endpoint, Fault, HUGE_BODY, TRICKLE_PAUSE};
pub use key::{Algorithm, Seal, SigningKey, seal};

/// The client that is there unless the settings have another. Its secret is the same on every machine
/// and no secret.
pub const DEVELOPMENT_CLIENT_ID: &str = "0oadevelopment";
pub const DEVELOPMENT_CLIENT_SECRET: &str = "this-secret-opens-nothing";
/// The `aud` of the tokens.
pub const DEVELOPMENT_AUDIENCE: &str = "api://default";
pub const DEVELOPMENT_SCOPE: &str = "telephony";

/// The longest body of a token request in bytes.
const BODY_LIMIT: usize = 64 * 1024;
/// In seconds.
const TOKEN_LIFETIME: i64 = 3600;
/// Where [`Fault::Redirect`] leads.
const ELSEWHERE: &str = "/elsewhere";
/// The object of Entra's service principal, which is not the application: another id.
const OBJECT_ID: &str = "0b1ec700-0000-4000-8000-000000000001";

/// How to run a server.
#[derive(Clone)]
pub struct Settings {
    /// A loopback address; port 0 takes any free port.
    pub listen: SocketAddr,
    pub flavour: Flavour,
    pub client_id: String,
    pub client_secret: String,
    /// Those that the client may ask for. With Entra, its roles.
    pub scopes: Vec<String>,
}

impl Settings {
    /// Okta's flavour, and the development client.
    pub fn new(listen: SocketAddr) -> Settings {
        Settings {
            listen,
            flavour: Flavour::Okta,
            client_id: DEVELOPMENT_CLIENT_ID.into(),
            client_secret: DEVELOPMENT_CLIENT_SECRET.into(),
            scopes: vec![DEVELOPMENT_SCOPE.into()],
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// An Okta custom authorization server, the issuer being `ORIGIN/oauth2/default`.
    Okta,
    /// Microsoft Entra ID v2.0, the issuer being `ORIGIN/TENANT/v2.0`: metadata in one place, keys
    /// without `alg`, roles instead of scopes. Its tokens are minted; it has no token endpoint.
    Entra {
        /// A GUID.
        tenant: String,
    },
}

/// A running server. It stops when this is dropped.
pub struct AuthorizationServer {
    server: Arc<Server>,
    sockets: loopback::Server,
}

impl AuthorizationServer {
    /// Listens, and serves on the current Tokio runtime.
    pub async fn start(settings: Settings) -> anyhow::Result<AuthorizationServer> {
        let listener = loopback::bind(settings.listen, "the authorization server").await?;
        let address = listener.local_addr()?;
        let origin = format!("http://{address}");
        let (issuer, jwks_uri) = match &settings.flavour {
            Flavour::Okta => {
                let issuer = format!("{origin}/oauth2/default");
                (issuer.clone(), issuer + "/v1/keys")
            }
            Flavour::Entra { tenant } => (
                format!("{origin}/{tenant}/v2.0"),
                format!("{origin}/{tenant}/discovery/v2.0/keys"),
            ),
        };
        let server = Arc::new(Server {
            address,
            origin,
            issuer,
            jwks_uri,
            inner: Mutex::new(Inner {
                current: SigningKey::of_a_server(0),
                previous: None,
                rotations: 0,
                published: Vec::new(),
                faults: HashMap::new(),
                requests: HashMap::new(),
            }),
            settings,
        });
        let router = Router::new().fallback(answer).with_state(server.clone());
        Ok(AuthorizationServer { server, sockets: loopback::Server::start(listener, router) })
    }

    /// Where it listens, with the port that it got.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// The origin: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.server.origin
    }

    pub fn issuer(&self) -> &str {
        &self.server.issuer
    }

    pub fn token_endpoint(&self) -> String {
        self.server.token_endpoint()
    }

    pub fn jwks_uri(&self) -> String {
        self.server.jwks_uri.clone()
    }

    /// What a good token of the client, for all scopes, says now.
    pub fn claims(&self) -> Value {
        self.server.claims(&self.server.settings.scopes)
    }

    /// What a good token has before its first dot now.
    pub fn header(&self) -> Value {
        self.server.header(&self.current_key())
    }

    /// A token of these claims, and good in all else. [`seal`] makes tokens that are not.
    pub fn mint(&self, claims: &Value) -> String {
        self.server.mint(claims)
    }

    /// A good token.
    pub fn token(&self) -> String {
        self.mint(&self.claims())
    }

    /// What signs now.
    pub fn current_key(&self) -> SigningKey {
        self.server.lock().current.clone()
    }

    /// From now on another key signs. The one before it stays published, those before that one do
    /// not: rotate twice to withdraw a key.
    pub fn rotate(&self) {
        let mut inner = self.server.lock();
        inner.rotations += 1;
        let next = SigningKey::of_a_server(inner.rotations);
        inner.previous = Some(std::mem::replace(&mut inner.current, next));
    }

    /// Has the JWKS contain this too, first: a key of another curve, or what is no key at all.
    pub fn publish(&self, jwk: Value) {
        self.server.lock().published.push(jwk);
    }

    /// From now on the endpoint misbehaves in this way, or no more.
    pub fn set_fault(&self, endpoint: Endpoint, fault: Option<Fault>) {
        let mut inner = self.server.lock();
        match fault {
            Some(fault) => inner.faults.insert(endpoint, fault),
            None => inner.faults.remove(&endpoint),
        };
    }

    /// How many requests the endpoint has got, whatever they were answered. A request counts before
    /// it is answered.
    pub fn requests(&self, endpoint: Endpoint) -> usize {
        self.server.lock().requests.get(&endpoint).copied().unwrap_or_default()
    }

    /// Closes all connections, whatever they are at, and frees the port.
    pub async fn shutdown(self) {
        self.sockets.shutdown().await;
    }
}

/// What the requests share.
struct Server {
    address: SocketAddr,
    origin: String,
    issuer: String,
    jwks_uri: String,
    settings: Settings,
    inner: Mutex<Inner>,
}

struct Inner {
    current: SigningKey,
    previous: Option<SigningKey>,
    rotations: usize,
    /// What a test has the JWKS contain as well.
    published: Vec<Value>,
    faults: HashMap<Endpoint, Fault>,
    requests: HashMap<Endpoint, usize>,
}

impl Server {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock; were it so, all that is in there are whole entries.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_entra(&self) -> bool {
        self.settings.flavour != Flavour::Okta
    }

    fn token_endpoint(&self) -> String {
        format!("{}/v1/token", self.issuer)
    }

    fn endpoint(&self, path: &str) -> Endpoint {
        const OPENID: &str = "/.well-known/openid-configuration";
        const OAUTH: &str = "/.well-known/oauth-authorization-server";
        let url = format!("{}{path}", self.origin);
        let issuer_path = &self.issuer[self.origin.len()..];
        match url.strip_prefix(&self.issuer) {
            _ if path.starts_with(ELSEWHERE) => Endpoint::Elsewhere,
            _ if url == self.jwks_uri => Endpoint::Keys,
            Some("/v1/token") => Endpoint::Token,
            Some(OPENID) => Endpoint::OpenidConfiguration,
            Some(OAUTH) => Endpoint::OauthMetadata,
            _ if path.strip_prefix(OAUTH) == Some(issuer_path) => Endpoint::OauthMetadataInserted,
            _ => Endpoint::Unknown,
        }
    }

    /// What a token says that has these scopes, or roles.
    fn claims(&self, granted: &[String]) -> Value {
        let issued = OffsetDateTime::now_utc().unix_timestamp();
        let expires = issued + TOKEN_LIFETIME;
        let unique = Uuid::new_v4().simple().to_string();
        let client = &self.settings.client_id;
        match &self.settings.flavour {
            Flavour::Okta => json!({
                "ver": 1, "jti": format!("AT.{unique}"), "iss": self.issuer,
                "aud": DEVELOPMENT_AUDIENCE, "iat": issued, "exp": expires, "cid": client,
                "scp": granted, "sub": client,
            }),
            Flavour::Entra { tenant } => json!({
                "aud": DEVELOPMENT_AUDIENCE, "iss": self.issuer, "iat": issued, "nbf": issued,
                "exp": expires, "azp": client, "azpacr": "1", "oid": OBJECT_ID, "roles": granted,
                "sub": OBJECT_ID, "tid": tenant, "uti": unique, "ver": "2.0",
            }),
        }
    }

    fn header(&self, key: &SigningKey) -> Value {
        let mut header = json!({ "kid": key.kid(), "alg": key.algorithm().name() });
        if self.is_entra() {
            header["typ"] = "JWT".into();
        }
        header
    }

    fn mint(&self, claims: &Value) -> String {
        let key = self.lock().current.clone();
        seal(&self.header(&key), claims, Seal::Key(&key))
    }

    fn metadata(&self) -> Value {
        json!({
            "issuer": self.issuer,
            "token_endpoint": self.token_endpoint(),
            "jwks_uri": self.jwks_uri,
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "scopes_supported": self.settings.scopes,
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
    }

    fn keys(&self) -> Value {
        let inner = self.lock();
        let ours = [Some(&inner.current), inner.previous.as_ref()].into_iter().flatten();
        let ours = ours.map(|key| {
            let mut jwk = key.public_jwk();
            if let Some(jwk) = jwk.as_object_mut().filter(|_| self.is_entra()) {
                jwk.remove("alg");
            }
            jwk
        });
        json!({ "keys": inner.published.iter().cloned().chain(ours).collect::<Vec<_>>() })
    }

    /// A token for who shows the client's secret in a form (RFC 6749 sections 2.3.1, 4.4 and 5).
    fn grant(&self, body: &[u8]) -> Reply {
        let form: BTreeMap<_, _> = form_urlencoded::parse(body).collect();
        let parameter = |name: &str| form.get(name).map(|value| &**value).unwrap_or_default();
        let Settings { client_id, client_secret, scopes, .. } = &self.settings;
        if parameter("client_id") != client_id || parameter("client_secret") != client_secret {
            return Reply::error(StatusCode::UNAUTHORIZED, "invalid_client");
        }
        if parameter("grant_type") != "client_credentials" {
            return Reply::error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
        }
        let granted: Vec<_> = parameter("scope").split(' ').map(str::to_owned).collect();
        if !granted.iter().all(|scope| scopes.contains(scope)) {
            return Reply::error(StatusCode::BAD_REQUEST, "invalid_scope");
        }
        let body = json!({
            "token_type": "Bearer", "expires_in": TOKEN_LIFETIME,
            "access_token": self.mint(&self.claims(&granted)), "scope": granted.join(" "),
        });
        Reply { cache_control: "no-store", ..Reply::new(StatusCode::OK, body) }
    }

    /// What an endpoint answers where nothing is wrong with it.
    fn respond(&self, endpoint: Endpoint, method: &Method, body: &[u8]) -> Reply {
        let expected = if endpoint == Endpoint::Token { Method::POST } else { Method::GET };
        match endpoint {
            Endpoint::Unknown | Endpoint::Elsewhere => {
                Reply::error(StatusCode::NOT_FOUND, "not_found")
            }
            Endpoint::OauthMetadata | Endpoint::OauthMetadataInserted | Endpoint::Token
                if self.is_entra() =>
            {
                Reply::error(StatusCode::NOT_FOUND, "not_found")
            }
            _ if *method != expected => {
                Reply::error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
            }
            Endpoint::Token => self.grant(body),
            Endpoint::Keys => Reply {
                cache_control: "max-age=86400, must-revalidate",
                ..Reply::new(StatusCode::OK, self.keys())
            },
            _ => Reply::new(StatusCode::OK, self.metadata()),
        }
    }
}

/// An answer before it is written out, for a fault to spoil.
struct Reply {
    status: StatusCode,
    cache_control: &'static str,
    body: Value,
}

impl Reply {
    fn new(status: StatusCode, body: Value) -> Reply {
        Reply { status, cache_control: "no-cache", body }
    }

    fn error(status: StatusCode, error: &str) -> Reply {
        Reply::new(status, json!({ "error": error }))
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let headers = [(header::CACHE_CONTROL, HeaderValue::from_static(self.cache_control)), JSON];
        (self.status, headers, self.body.to_string()).into_response()
    }
}

const JSON: (HeaderName, HeaderValue) =
    (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    // Else a page on the internet could give its own name this machine's address.
    if !loopback::is_named(request.headers()) {
        let text = format!(
            "The Host header is not a name of this machine, and the authorization server serves no \
             other. Use {} instead.\n",
            server.origin
        );
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let asked = server.endpoint(path);
    let fault = {
        let mut inner = server.lock();
        *inner.requests.entry(asked).or_default() += 1;
        inner.faults.get(&asked).cloned()
    };
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return Reply::error(StatusCode::PAYLOAD_TOO_LARGE, "too_large").into_response();
    };
    let meant = path.strip_prefix(ELSEWHERE).map_or(asked, |path| server.endpoint(path));
    let mut right = server.respond(meant, &head.method, &body.to_bytes());
    match fault {
        None => {}
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            right = Reply::error(status, "server_error");
        }
        Some(Fault::Redirect) => {
            let to = format!("{}{ELSEWHERE}{path}", server.origin);
            return (StatusCode::FOUND, [(header::LOCATION, to)]).into_response();
        }
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Cut) => {
            let mut response = Response::default();
            response.extensions_mut().insert(loopback::CutConnection);
            return response;
        }
        Some(Fault::Trickle) => return ([JSON], trickle()).into_response(),
        Some(Fault::Garbage) => {
            return ([JSON], "<!doctype html><title>Sign in</title>").into_response();
        }
        Some(Fault::Huge) => right.body["padding"] = "x".repeat(HUGE_BODY).into(),
        Some(Fault::Member(name, value)) => right.body[name] = value,
    }
    right.into_response()
}

/// White space, which any JSON may begin with, so that only a time limit protects the reader.
fn trickle() -> Body {
    Body::from_stream(stream::unfold((), async |()| {
        tokio::time::sleep(TRICKLE_PAUSE).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
    }))
}

#[cfg(test)]
mod tests;
