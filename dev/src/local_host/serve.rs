//! The HTTP side: connections in, one instance for each request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderName, HeaderValue};
use http::uri::{Authority, Scheme};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use wasmtime_wasi_http::p2::bindings::http::types;
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

use super::guest::{Application, Compiled, Guest, MAX_INSTANCES};
use super::order::{Direction, observe};
use super::routes::{Match, Routes};

/// The path that the host answers itself.
const HEALTH: &str = "/.well-known/spin/health";

/// Where a host is in its life. Each task holds a receiver, so that the sender sees the last one
/// go; and the sender's own end counts as the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Serving,
    /// No new connections; requests and what guests do after their answers run to their end.
    Draining,
}

/// Everything that serves requests.
pub(super) struct Server {
    pub application: Arc<Application>,
    pub compiled: Compiled,
    pub routes: Routes,
}

impl Server {
    pub async fn accept(self: Arc<Self>, listener: TcpListener, mut phase: watch::Receiver<Phase>) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = phase.wait_for(|phase| *phase >= Phase::Draining) => return,
            };
            match accepted {
                Ok((stream, client)) => {
                    tokio::spawn(self.clone().connection(stream, client, phase.clone()));
                }
                Err(error) => {
                    // Out of file descriptors, most likely: others are about to be closed.
                    self.note(&format!("A connection could not be accepted: {error}"));
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        client: SocketAddr,
        mut phase: watch::Receiver<Phase>,
    ) {
        // Without it a small answer waits for the client's delayed acknowledgement.
        _ = stream.set_nodelay(true);
        let guests = phase.clone();
        let asked = AtomicBool::new(false);
        let service = service_fn(|request| {
            asked.store(true, Ordering::Relaxed);
            self.clone().answer(request, client, guests.clone())
        });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
        );
        // An error is a client that went away or spoke no HTTP: nothing to be done about it here.
        tokio::select! {
            _ = connection.as_mut() => return,
            reached = phase.wait_for(|phase| *phase >= Phase::Draining) => if reached.is_err() { return },
        }
        // Hyper closes a connection that waits for its next request, but not one on which half of
        // the first one's head has arrived: that one it would wait for.
        if !asked.load(Ordering::Relaxed) {
            return;
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            _ = connection => {}
            () = ended(&mut phase) => {}
        }
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        client: SocketAddr,
        phase: watch::Receiver<Phase>,
    ) -> Result<Response<WasiBody>, Infallible> {
        let path = request.uri().path().to_string();
        if path == HEALTH {
            let body = Full::new(Bytes::from_static(b"OK")).map_err(|never| match never {});
            return Ok(Response::new(body.boxed_unsync()));
        }
        let Some(found) = self.routes.find(&path) else {
            return Ok(empty(StatusCode::NOT_FOUND));
        };
        let answered = match prepare(request, client, &found) {
            Ok(request) => self.run(request, phase).await,
            Err(error) => Err(error),
        };
        Ok(answered.unwrap_or_else(|error| {
            self.note(&format!("{path} is answered with an empty 500: {error:#}"));
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }))
    }

    /// Runs one instance on one request, and returns once there is an answer; the instance goes on.
    async fn run(
        self: &Arc<Self>,
        request: Request<Incoming>,
        mut phase: watch::Receiver<Phase>,
    ) -> Result<Response<WasiBody>> {
        let place = self.compiled.places.clone().try_acquire_owned().map_err(|_| {
            anyhow!("{MAX_INSTANCES} instances are running, which is the limit; those waiting for something after their answer count too")
        })?;
        let mut store = Guest::store(self.compiled.proxy.engine(), self.application.clone())?;
        let request = store.data_mut().http().new_incoming_request(types::Scheme::Http, request)?;
        let (sender, receiver) = oneshot::channel();
        let hand_over = self.application.hand_over.clone();
        let meter = store.data().meter.clone();
        let outparam =
            store.data_mut().http().new_response_outparam_from_callback(move |answer| {
                if let Some(meter) = meter {
                    meter.mark("response-outparam.set");
                }
                let answer = match hand_over {
                    Some(observer) => answer.map(|answer| {
                        answer.map(|body| observe(&observer, Direction::Answer, body))
                    }),
                    None => answer,
                };
                // Nobody listens where the client has gone; the guest need not know.
                _ = sender.send(answer);
            })?;

        let server = self.clone();
        let instance = tokio::spawn(async move {
            // Locals end in reverse: the place is free only after what takes it in the pool.
            let _place = place;
            let mut store = store;
            let handle = async {
                let proxy = server.compiled.proxy.instantiate_async(&mut store).await?;
                proxy.wasi_http_incoming_handler().call_handle(&mut store, request, outparam).await
            };
            let handled = tokio::select! {
                handled = handle => handled.map_err(anyhow::Error::from),
                () = ended(&mut phase) => Err(anyhow!("the host ended while it ran")),
            };
            if let (Some(observer), Some(meter)) = (&server.application.meter, &store.data().meter)
            {
                observer(meter.read(store.get_fuel().unwrap_or(0), store.data().memory.size));
            }
            if let Err(error) = &handled {
                server
                    .note(&format!("The component `{}` failed: {error:#}", server.application.id));
            }
            handled.is_ok()
        });
        match receiver.await {
            Ok(answer) => {
                answer.map_err(|code| anyhow!("the component answered with the error {code:?}"))
            }
            // The sender went with the store, so the instance has ended or is about to.
            Err(_) => Err(match instance.await {
                Ok(true) => anyhow!("the component returned without setting an answer"),
                _ => anyhow!("the component failed before it set an answer"),
            }),
        }
    }

    fn note(&self, line: &str) {
        (self.application.stderr)(line);
    }
}

/// Waits until the sender is gone.
async fn ended(phase: &mut watch::Receiver<Phase>) {
    while phase.changed().await.is_ok() {}
}

/// The request as the guest gets it: the URI made whole, and Spin's headers added, whatever the
/// client sent under their names.
fn prepare(
    mut request: Request<Incoming>,
    client: SocketAddr,
    found: &Match<'_>,
) -> Result<Request<Incoming>> {
    let headers = request.headers_mut();
    // It is about this connection only.
    headers.remove(CONNECTION);
    let forged: Vec<_> =
        headers.keys().filter(|name| name.as_str().starts_with("spin-")).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
    let uri = absolute(&request)?;
    let mut set = |name: &str, value: &str| -> Result<()> {
        let name = HeaderName::try_from(name)?;
        request.headers_mut().insert(name, HeaderValue::from_bytes(value.as_bytes())?);
        Ok(())
    };
    set("spin-full-url", &uri.to_string())?;
    set("spin-path-info", &found.path_info)?;
    set("spin-matched-route", found.route)?;
    set("spin-raw-component-route", found.route)?;
    set("spin-component-route", found.prefix)?;
    set("spin-base-path", "/")?;
    set("spin-client-addr", &client.to_string())?;
    for (name, value) in &found.named {
        set(&format!("spin-path-match-{}", name.to_ascii_lowercase()), value)?;
    }
    *request.uri_mut() = uri;
    Ok(request)
}

/// The request's URI with scheme and authority, the latter from the Host header.
fn absolute(request: &Request<Incoming>) -> Result<Uri> {
    let host = request.headers().get(HOST);
    let host = host
        .map(|host| Authority::try_from(host.as_bytes()))
        .transpose()
        .context("the Host header is no authority")?;
    let mut parts = request.uri().clone().into_parts();
    if let (Some(host), Some(authority)) = (&host, &parts.authority) {
        ensure!(
            host == authority,
            "the Host header `{host}` and the request's URI `{authority}` differ"
        );
    }
    parts.authority = Some(host.or(parts.authority).context("the request has no Host header")?);
    parts.scheme = Some(Scheme::HTTP);
    Ok(Uri::from_parts(parts)?)
}

fn empty(status: StatusCode) -> Response<WasiBody> {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Mutex;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::component;
    use crate::local_host::{LocalHost, Manifest, Settings};

    #[tokio::test]
    async fn an_instances_place_is_free_only_after_the_instance_is_gone() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest/spin.toml");
        let built = component::build(&Manifest::read(&path).unwrap()).unwrap();
        let compiled = Compiled::new(&built.component).unwrap();
        // This guest's line has no end: it comes while the instance is taken down.
        let seen = Arc::new(Mutex::new(None));
        let mut settings = Settings::new(path);
        settings.stderr = Arc::new({
            let (seen, places) = (seen.clone(), compiled.places.clone());
            move |line| *seen.lock().unwrap() = Some((line.to_string(), places.available_permits()))
        });
        let host = LocalHost::start(&compiled, settings).await.unwrap();

        let mut stream = TcpStream::connect(host.address()).await.unwrap();
        let request = b"GET /do/unended HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        host.shutdown().await;

        let seen = seen.lock().unwrap().take();
        assert_eq!(seen, Some(("no line break".to_string(), MAX_INSTANCES as usize - 1)));
        assert_eq!(compiled.places.available_permits(), MAX_INSTANCES as usize);
    }
}
