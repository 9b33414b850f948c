//! The guest's requests to elsewhere, over connections that are kept as Spin keeps them
//! (`crates/factor-outbound-http/src/wasi.rs`): over TLS with HTTP/2, where the other side speaks it, one for
//! all requests to an authority; with HTTP/1.1 as many as there are requests at once. An authority whose
//! port is written in another way has connections of its own. Like Spin it leaves Nagle's algorithm on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Result;
use http::{Request, Response, Uri, header};
use http_body_util::BodyExt as _;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use crate::tls;

/// What a host waits for that is told no limit.
const NO_LIMIT: Duration = Duration::from_secs(600);

tokio::task_local! {
    /// The limit of the request for which a connection is made: the client knows none.
    static CONNECT_TIMEOUT: Duration;
}

/// The connections of one host.
#[derive(Clone)]
pub(super) struct Outbound(Client<HttpsConnector<Tcp>, WasiBody>);

impl Outbound {
    /// With no connection yet. Besides those of the public it trusts these certificate authorities, in PEM form.
    ///
    /// # Errors
    ///
    /// A certificate authority that is none.
    pub fn new(authorities: &[String]) -> Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client(authorities)?)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(Tcp);
        // The idle limit of 90 s is the client's default, as it is Spin's.
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn send(
        self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<WasiBody>, Error> {
        let limit =
            |of: fn(RequestOptions) -> Option<Duration>| options.and_then(of).unwrap_or(NO_LIMIT);
        request.headers_mut().remove(header::HOST);
        let answer = CONNECT_TIMEOUT.scope(limit(|it| it.connect_timeout), self.0.request(request));
        let answer = timeout(limit(|it| it.first_byte_timeout), answer);
        let response = answer.await.map_err(|_| Error::ConnectionReadTimeout)?;
        let response = response.map_err(|error| cause(&error))?;
        Ok(response.map(|body| body.map_err(Error::from).boxed_unsync()))
    }
}

/// Why there is no answer.
fn cause(error: &hyper_util::client::legacy::Error) -> Error {
    let mut sources = std::iter::successors(std::error::Error::source(error), |it| it.source());
    match sources.find_map(|source| source.downcast_ref::<NotConnected>()) {
        Some(NotConnected::Late) => Error::ConnectionTimeout,
        Some(NotConnected::NoAddress) => Error::DnsError { rcode: None, info_code: None },
        Some(NotConnected::Refused(_)) => Error::ConnectionRefused,
        // There is a connection, and the other side can't be trusted.
        None if error.is_connect() => Error::TlsProtocolError,
        None => Error::HttpProtocolError,
    }
}

#[derive(Debug)]
enum NotConnected {
    Late,
    NoAddress,
    Refused(io::Error),
}

impl std::fmt::Display for NotConnected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Late => f.write_str("no connection in time"),
            Self::NoAddress => f.write_str("the name has no address"),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NotConnected {}

/// Makes TCP connections.
#[derive(Clone)]
struct Tcp;

impl Service<Uri> for Tcp {
    type Response = TokioIo<TcpStream>;
    type Error = NotConnected;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // Now, as the client may go on with the connection in a task of its own.
        let limit = CONNECT_TIMEOUT.get();
        Box::pin(async move {
            let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
            let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
            let addresses =
                tokio::net::lookup_host((host, uri.port_u16().unwrap_or(default))).await;
            let addresses: Vec<_> = addresses.map_err(|_| NotConnected::NoAddress)?.collect();
            let connected = timeout(limit, TcpStream::connect(&*addresses)).await;
            let stream =
                connected.map_err(|_| NotConnected::Late)?.map_err(NotConnected::Refused)?;
            Ok(TokioIo::new(stream))
        })
    }
}
