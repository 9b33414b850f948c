//! What the stand-ins that serve on this machine only have in common: their sockets, and whom they
//! serve.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::future::{Either, select};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::tls;

/// An error ends with what to give `who`, so that a caller can add how.
pub(crate) async fn bind(listen: SocketAddr, who: &str) -> anyhow::Result<TcpListener> {
    anyhow::ensure!(
        listen.ip().is_loopback(),
        "{listen} can be reached from other machines: give {who} an address such as 127.0.0.1:{}",
        listen.port()
    );
    TcpListener::bind(listen).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("{listen} is already in use: give {who} another address")
        }
        _ => anyhow::anyhow!("can't listen on {listen} ({error}): give {who} another address"),
    })
}

/// What a TLS connection begins with, and no request of HTTP: a record with a handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// A running server. It stops when this is dropped.
pub(crate) struct Server {
    /// Dropping it is what tells the server to stop.
    stop: oneshot::Sender<Infallible>,
    frozen: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves on the current Tokio runtime. Who begins with TLS is spoken to over TLS: see [`tls`].
    pub fn start(listener: TcpListener, router: Router) -> Self {
        let (stop, stopped) = oneshot::channel();
        let frozen = watch::Sender::new(());
        let task = tokio::spawn(serve(listener, router, stopped, frozen.clone()));
        Self { stop, frozen, task }
    }

    /// From now on nobody reads or writes the connections that there are, and they stay open.
    pub fn freeze_connections(&self) {
        self.frozen.send_replace(());
    }

    /// Closes all connections, whatever they are at, and frees the port.
    pub async fn shutdown(self) {
        drop(self.stop);
        // It can't have panicked, and if it did it has stopped all the same.
        let _ = self.task.await;
    }
}

/// Serves until `stopped` resolves, and does not wait for anybody then: some connections are never
/// done.
async fn serve(
    listener: TcpListener,
    router: Router,
    mut stopped: oneshot::Receiver<Infallible>,
    frozen: watch::Sender<()>,
) {
    let address = listener.local_addr().map(|address| address.ip().to_string());
    let names = ["localhost", address.as_deref().unwrap_or("127.0.0.1")];
    let tls = TlsAcceptor::from(tls::server(&names).expect("the names are in order"));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let connection = serve_connection(stream, tls.clone(), router.clone());
                    connections.spawn(until_frozen(connection, frozen.subscribe()));
                }
                // Out of file descriptors, mostly: better when some connections are done.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// Serves a connection until it ends, or keeps it from its being frozen on.
async fn until_frozen(connection: impl Future<Output = ()>, mut frozen: watch::Receiver<()>) {
    let (connection, changed) = (pin!(connection), pin!(frozen.changed()));
    if let Either::Right((Ok(()), _kept)) = select(connection, changed).await {
        std::future::pending().await
    }
}

async fn serve_connection(stream: TcpStream, tls: TlsAcceptor, router: Router) {
    // Without it, answers may be late by the other side's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let mut first = [0];
    // Whatever ends a connection, the other side knows.
    match stream.peek(&mut first).await {
        Ok(1) if first == [HANDSHAKE] => {
            if let Ok(stream) = tls.accept(stream).await {
                serve_http(stream, router).await;
            }
        }
        _ => serve_http(stream, router).await,
    }
}

/// In the extensions of a response: end the connection instead; over HTTP/2, where others share it, the stream.
#[derive(Clone)]
pub(crate) struct CutConnection;

// `axum::serve` has no way to close a connection without an answer; hyper closes it when its
// service fails.
async fn serve_http(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let routes = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        let answer = routes.call(as_http1_has_it(request));
        async {
            let response = answer.await.unwrap_or_else(|never: Infallible| match never {});
            match response.extensions().get::<CutConnection>() {
                Some(CutConnection) => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
                None => Ok(response),
            }
        }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

/// With a `Host` header, and a path alone as its target: HTTP/2 has `:authority` and `:path` (RFC 9113, section
/// 8.3.1).
fn as_http1_has_it(mut request: Request<Incoming>) -> Request<Incoming> {
    let mut parts = request.uri().clone().into_parts();
    let host = parts.authority.take().and_then(|it| HeaderValue::from_str(it.as_str()).ok());
    if let Some(host) = host {
        request.headers_mut().entry(header::HOST).or_insert(host);
    }
    parts.scheme = None;
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

/// The body of a request, or the status of its refusal and the reason.
pub(crate) async fn read_body(body: Body, limit: usize) -> Result<Bytes, (StatusCode, String)> {
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err((StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {limit} bytes")))
        }
        Err(error) => Err((StatusCode::BAD_REQUEST, format!("the body broke off: {error}"))),
    }
}

/// What a request is answered that is not [meant for](is_named) this machine. A page on the internet can give its own
/// name this machine's address (DNS rebinding), and would then be of one origin with the emulator in a browser's eyes.
/// The name gives it away.
pub(crate) fn misdirected(address: SocketAddr) -> Response {
    let text = format!(
        "The Host header is not a name of this machine, and the emulator serves no other. \
         Use http://{address}/ instead.\n"
    );
    (StatusCode::MISDIRECTED_REQUEST, text).into_response()
}

/// Middleware that lets a stand-in at this address have only the requests that are [meant for](is_named) this machine.
pub(crate) async fn names_only(
    State(address): State<SocketAddr>,
    request: axum::extract::Request,
    next: Next,
) -> Response {
    match is_named(request.headers()) {
        true => next.run(request).await,
        false => misdirected(address),
    }
}

/// Whether a request's Host header is a name of this machine, whatever its port.
pub(crate) fn is_named(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok(host) = Authority::try_from(host.as_bytes()) else {
        return false;
    };
    let name = host.host();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}
