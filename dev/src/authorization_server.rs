//! A fake OAuth 2.0 authorization server, for development and tests.
//!
//! It stands for an Okta custom authorization server, or for Microsoft Entra ID: metadata, keys, and
//! access tokens for clients that show their credentials. Keys are rotated when asked, any endpoint
//! can be made to misbehave, and a test can have any token, however wrong, signed with any key.
//! Everybody has its keys: it listens on loopback addresses only, and what it signs is worth nothing.
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
//! - `token` decides who gets one,
//! - `fault` names what can go wrong;
//!
//! this file has the documents, and answers.

mod fault;
mod key;
mod token;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::loopback;

pub use fault::{Endpoint, Fault, HUGE_BODY, TRICKLE_PAUSE};
pub use key::{Algorithm, Seal, SigningKey, seal};

/// The client that is there unless the settings have others. Its secret is the same on every machine
/// and no secret, and so is its key, [`SigningKey::of_the_development_client`].
pub const DEVELOPMENT_CLIENT_ID: &str = "0oadevelopment";
pub const DEVELOPMENT_CLIENT_SECRET: &str = "this-secret-opens-nothing";
pub const DEVELOPMENT_AUDIENCE: &str = "api://default";
pub const DEVELOPMENT_SCOPE: &str = "telephony";

/// The longest body of a token request in bytes.
const BODY_LIMIT: usize = 64 * 1024;
/// Where [`Fault::Redirect`] leads.
const ELSEWHERE: &str = "/elsewhere";

/// Where the server gets the time from.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// How to run a server.
#[derive(Clone)]
pub struct Settings {
    /// A loopback address; port 0 takes any free port.
    pub listen: SocketAddr,
    pub flavour: Flavour,
    /// The `aud` of its tokens.
    pub audience: String,
    /// Those that a client may ask for. With Entra, the roles that every client has.
    pub scopes: Vec<String>,
    pub clients: Vec<Client>,
    /// What tokens are signed with.
    pub algorithm: Algorithm,
    pub token_lifetime: Duration,
    /// The `Cache-Control` header of the keys, at first.
    pub keys_cache_control: Option<String>,
    pub now: Clock,
}

impl Settings {
    /// Okta's flavour, RS256, the development client, and the machine's clock.
    pub fn new(listen: SocketAddr) -> Settings {
        Settings {
            listen,
            flavour: Flavour::Okta,
            audience: DEVELOPMENT_AUDIENCE.into(),
            scopes: vec![DEVELOPMENT_SCOPE.into()],
            clients: vec![Client::development()],
            algorithm: Algorithm::Rs256,
            token_lifetime: Duration::from_secs(3600),
            keys_cache_control: Some("max-age=86400, must-revalidate".into()),
            now: Arc::new(OffsetDateTime::now_utc),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// An Okta custom authorization server, the issuer being `ORIGIN/oauth2/default`.
    Okta,
    /// Microsoft Entra ID v2.0, the issuer being `ORIGIN/TENANT/v2.0`: metadata in one place, keys
    /// without `alg`, roles instead of scopes.
    Entra {
        /// A GUID, or any other segment of a path.
        tenant: String,
    },
}

/// Who may ask for tokens, and how it authenticates: in any way that is set.
#[derive(Clone, Debug)]
pub struct Client {
    pub id: String,
    /// For client_secret_basic and client_secret_post.
    pub secret: Option<String>,
    /// For private_key_jwt: a public RSA key.
    pub jwk: Option<Value>,
}

impl Client {
    pub fn development() -> Client {
        Client {
            id: DEVELOPMENT_CLIENT_ID.into(),
            secret: Some(DEVELOPMENT_CLIENT_SECRET.into()),
            jwk: Some(SigningKey::of_the_development_client().public_jwk()),
        }
    }
}

/// A running server. It stops when this is dropped.
pub struct AuthorizationServer {
    server: Arc<Server>,
    /// Dropping it is what tells the sockets to close.
    stop: oneshot::Sender<Infallible>,
    sockets: JoinHandle<()>,
}

impl AuthorizationServer {
    /// Listens, and serves on the current Tokio runtime.
    pub async fn start(settings: Settings) -> anyhow::Result<AuthorizationServer> {
        if let Flavour::Entra { tenant } = &settings.flavour {
            anyhow::ensure!(
                !tenant.is_empty()
                    && tenant.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
                "the tenant {tenant:?} is no segment of a path; pass a GUID"
            );
        }
        let listener = loopback::bind(settings.listen, "the authorization server").await?;
        let address = listener.local_addr()?;
        let origin = format!("http://{address}");
        let issuer = format!("{origin}{}", issuer_path(&settings.flavour));
        let server = Arc::new(Server {
            address,
            origin,
            issuer,
            inner: Mutex::new(Inner {
                current: SigningKey::of_a_server(settings.algorithm, 0),
                previous: None,
                rotations: 0,
                published: Vec::new(),
                keys_cache_control: settings.keys_cache_control.clone(),
                faults: HashMap::new(),
                requests: HashMap::new(),
                assertions: HashMap::new(),
            }),
            settings,
        });
        let (stop, stopped) = oneshot::channel();
        let router = Router::new().fallback(answer).with_state(server.clone());
        let sockets = tokio::spawn(loopback::serve(listener, router, stopped));
        Ok(AuthorizationServer { server, stop, sockets })
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
        self.server.jwks_uri()
    }

    /// What a good token of the first client, for all scopes, says now.
    pub fn claims(&self) -> Value {
        let settings = &self.server.settings;
        let client = settings.clients.first().map_or(DEVELOPMENT_CLIENT_ID, |client| &client.id);
        self.server.claims(client, &settings.scopes)
    }

    /// What a good token has before its first dot now.
    pub fn header(&self) -> Value {
        self.server.header()
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
    pub fn rotate(&self) -> SigningKey {
        self.server.rotate()
    }

    /// Has the JWKS contain this too, first: a key of another curve, or what is no key at all.
    pub fn publish(&self, jwk: Value) {
        self.server.lock().published.push(jwk);
    }

    pub fn set_keys_cache_control(&self, value: Option<&str>) {
        self.server.lock().keys_cache_control = value.map(str::to_owned);
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
        drop(self.stop);
        // It can't have panicked, and if it did it has stopped all the same.
        let _ = self.sockets.await;
    }
}

/// What the requests share.
struct Server {
    address: SocketAddr,
    origin: String,
    issuer: String,
    settings: Settings,
    inner: Mutex<Inner>,
}

struct Inner {
    current: SigningKey,
    previous: Option<SigningKey>,
    rotations: usize,
    /// What a test has the JWKS contain as well.
    published: Vec<Value>,
    keys_cache_control: Option<String>,
    faults: HashMap<Endpoint, Fault>,
    requests: HashMap<Endpoint, usize>,
    /// Client and `jti` of assertions that were used, with their `exp`.
    assertions: HashMap<(String, String), i64>,
}

impl Server {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock; were it so, all that is in there are whole entries.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn token_endpoint(&self) -> String {
        match &self.settings.flavour {
            Flavour::Okta => format!("{}/v1/token", self.issuer),
            Flavour::Entra { tenant } => format!("{}/{tenant}/oauth2/v2.0/token", self.origin),
        }
    }

    fn jwks_uri(&self) -> String {
        match &self.settings.flavour {
            Flavour::Okta => format!("{}/v1/keys", self.issuer),
            Flavour::Entra { tenant } => format!("{}/{tenant}/discovery/v2.0/keys", self.origin),
        }
    }

    fn endpoint(&self, path: &str) -> Endpoint {
        const OPENID: &str = "/.well-known/openid-configuration";
        const OAUTH: &str = "/.well-known/oauth-authorization-server";
        let url = format!("{}{path}", self.origin);
        let issuer_path = issuer_path(&self.settings.flavour);
        let below_issuer = path.strip_prefix(&issuer_path);
        if path.starts_with(ELSEWHERE) {
            Endpoint::Elsewhere
        } else if url == self.token_endpoint() {
            Endpoint::Token
        } else if url == self.jwks_uri() {
            Endpoint::Keys
        } else if below_issuer == Some(OPENID) {
            Endpoint::OpenidConfiguration
        } else if below_issuer == Some(OAUTH) {
            Endpoint::OauthMetadata
        } else if path.strip_prefix(OAUTH) == Some(&issuer_path) {
            Endpoint::OauthMetadataInserted
        } else {
            Endpoint::Unknown
        }
    }

    fn claims(&self, client: &str, granted: &[String]) -> Value {
        token::claims(&self.settings, &self.issuer, client, granted)
    }

    fn header(&self) -> Value {
        self.header_for(&self.lock().current)
    }

    fn header_for(&self, key: &SigningKey) -> Value {
        match self.settings.flavour {
            Flavour::Okta => json!({ "kid": key.kid(), "alg": key.algorithm().name() }),
            Flavour::Entra { .. } => {
                json!({ "typ": "JWT", "alg": key.algorithm().name(), "kid": key.kid() })
            }
        }
    }

    fn mint(&self, claims: &Value) -> String {
        let key = self.lock().current.clone();
        seal(&self.header_for(&key), claims, Seal::Key(&key))
    }

    fn rotate(&self) -> SigningKey {
        let mut inner = self.lock();
        inner.rotations += 1;
        let next = SigningKey::of_a_server(self.settings.algorithm, inner.rotations);
        inner.previous = Some(std::mem::replace(&mut inner.current, next.clone()));
        next
    }

    /// Whether this assertion is used for the first time. It is used now.
    fn first_use(&self, client: &str, jti: &str, expiry: i64) -> bool {
        let now = (self.settings.now)().unix_timestamp();
        let mut inner = self.lock();
        // What is expired is refused anyway.
        inner.assertions.retain(|_, expiry| *expiry > now);
        inner.assertions.insert((client.to_owned(), jti.to_owned()), expiry).is_none()
    }

    fn metadata(&self) -> Value {
        let methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
        json!({
            "issuer": self.issuer,
            "token_endpoint": self.token_endpoint(),
            "jwks_uri": self.jwks_uri(),
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "scopes_supported": self.settings.scopes,
            "token_endpoint_auth_methods_supported": methods,
            "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.settings.algorithm.name()],
        })
    }

    fn keys(&self) -> Value {
        let inner = self.lock();
        let ours = [Some(&inner.current), inner.previous.as_ref()].into_iter().flatten();
        let ours = ours.map(|key| {
            let mut jwk = key.public_jwk();
            if let (Flavour::Entra { .. }, Some(jwk)) =
                (&self.settings.flavour, jwk.as_object_mut())
            {
                jwk.remove("alg");
            }
            jwk
        });
        json!({ "keys": inner.published.iter().cloned().chain(ours).collect::<Vec<_>>() })
    }

    /// What an endpoint answers where nothing is wrong with it.
    fn respond(&self, endpoint: Endpoint, head: &http::request::Parts, body: &[u8]) -> Reply {
        let entra = matches!(self.settings.flavour, Flavour::Entra { .. });
        match endpoint {
            Endpoint::Token => {
                let mut reply = match token::answer(self, head, body) {
                    Ok(body) => Reply::new(StatusCode::OK, body),
                    Err(refusal) => {
                        let mut reply = Reply::new(refusal.status, refusal.body());
                        if refusal.challenge {
                            let challenge = HeaderValue::from_static("Basic realm=\"token\"");
                            reply.headers.push((header::WWW_AUTHENTICATE, challenge));
                        }
                        reply
                    }
                };
                let no_store = HeaderValue::from_static("no-store");
                reply.headers.push((header::CACHE_CONTROL, no_store));
                reply.headers.push((header::PRAGMA, HeaderValue::from_static("no-cache")));
                reply
            }
            _ if head.method != Method::GET && head.method != Method::HEAD => {
                Reply::error(StatusCode::METHOD_NOT_ALLOWED)
            }
            Endpoint::Keys => {
                let mut reply = Reply::new(StatusCode::OK, self.keys());
                let cache_control = self.lock().keys_cache_control.clone();
                // What is no header's value can't be sent.
                if let Some(Ok(value)) = cache_control.map(HeaderValue::try_from) {
                    reply.headers.push((header::CACHE_CONTROL, value));
                }
                reply
            }
            Endpoint::OauthMetadata | Endpoint::OauthMetadataInserted if entra => {
                Reply::error(StatusCode::NOT_FOUND)
            }
            endpoint if endpoint.is_metadata() => Reply::new(StatusCode::OK, self.metadata()),
            _ => Reply::error(StatusCode::NOT_FOUND),
        }
    }
}

fn issuer_path(flavour: &Flavour) -> String {
    match flavour {
        Flavour::Okta => "/oauth2/default".into(),
        Flavour::Entra { tenant } => format!("/{tenant}/v2.0"),
    }
}

/// An answer before it is written out, for a fault to spoil.
struct Reply {
    status: StatusCode,
    headers: Vec<(header::HeaderName, HeaderValue)>,
    body: Value,
}

impl Reply {
    fn new(status: StatusCode, body: Value) -> Reply {
        Reply { status, headers: Vec::new(), body }
    }

    fn error(status: StatusCode) -> Reply {
        let error = status.canonical_reason().unwrap_or("error").to_lowercase().replace(' ', "_");
        Reply::new(status, json!({ "error": error }))
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = json_response(Body::from(self.body.to_string()));
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        response
    }
}

fn json_response(body: Body) -> Response {
    let mut response = Response::new(body);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    // Else a page on the internet could give its own name this machine's address.
    if !loopback::is_named(request.headers(), server.address.port()) {
        let text = format!(
            "The Host header is not a name of this machine, and the authorization server serves no \
             other. Use {} instead.\n",
            server.origin
        );
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    // Beside the issuer, whose paths are Okta's.
    if path == "/rotate" {
        if head.method != Method::POST {
            return Reply::error(StatusCode::METHOD_NOT_ALLOWED).into_response();
        }
        let kid = server.rotate().kid().to_owned();
        return Reply::new(StatusCode::OK, json!({ "kid": kid })).into_response();
    }
    let asked = server.endpoint(path);
    let fault = {
        let mut inner = server.lock();
        *inner.requests.entry(asked).or_default() += 1;
        inner.faults.get(&asked).cloned()
    };
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return Reply::error(StatusCode::PAYLOAD_TOO_LARGE).into_response();
    };
    let meant = match path.strip_prefix(ELSEWHERE) {
        Some(path) => server.endpoint(path),
        None => asked,
    };
    let right = || server.respond(meant, &head, &body.to_bytes());
    match fault {
        None => right().into_response(),
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Reply::error(status).into_response()
        }
        Some(Fault::Redirect) => {
            let to = format!("{}{ELSEWHERE}{path}", server.origin);
            (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
        }
        Some(Fault::Slow(delay)) => {
            tokio::time::sleep(delay).await;
            right().into_response()
        }
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Cut) => {
            let mut response = Response::default();
            response.extensions_mut().insert(loopback::CutConnection);
            response
        }
        Some(Fault::Trickle) => json_response(trickle()),
        Some(Fault::Garbage) => json_response(Body::from("<!doctype html><title>Sign in</title>")),
        Some(Fault::Huge) => {
            let mut reply = right();
            reply.body["padding"] = "x".repeat(HUGE_BODY).into();
            reply.into_response()
        }
        Some(Fault::Member(name, value)) => {
            let mut reply = right();
            match (value, reply.body.as_object_mut()) {
                (Value::Null, Some(members)) => _ = members.remove(name),
                (value, _) => reply.body[name] = value,
            }
            reply.into_response()
        }
    }
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
