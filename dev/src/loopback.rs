//! What the stand-ins that serve on this machine only have in common: their sockets, and whom they
//! serve.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::Router;
use http::{HeaderMap, header};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

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

/// Serves until `stopped` resolves, and does not wait for anybody then: some connections are never
/// done.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    mut stopped: oneshot::Receiver<Infallible>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_connection(stream, router.clone()));
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

/// In the extensions of a response: close the connection instead.
#[derive(Clone)]
pub(crate) struct CutConnection;

// `axum::serve` has no way to close a connection without an answer; hyper closes it when its
// service fails.
async fn serve_connection(stream: TcpStream, router: Router) {
    // Without it, answers may be late by the other side's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let routes = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        let answer = routes.call(request);
        async {
            let response = answer.await.unwrap_or_else(|never: Infallible| match never {});
            match response.extensions().get::<CutConnection>() {
                Some(CutConnection) => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
                None => Ok(response),
            }
        }
    });
    // Whatever ends a connection, the other side knows.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Whether a request's Host header is a name of this machine.
pub(crate) fn is_named(headers: &HeaderMap, port: u16) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok(host) = host.to_str() else {
        return false;
    };
    let name = host.strip_suffix(&format!(":{port}")).unwrap_or(host);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}
