//! Requests from a stand-in to a webhook on this machine: how delivery reports arrive, and Okta's calls and events.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::request::Builder;
use http::{HeaderMap, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::Semaphore;

/// "Event Grid waits 30 seconds for a response after delivering a message", and nobody else says how long.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024;
/// Requests at once, since a process can't have any number of sockets.
const REQUESTS_AT_ONCE: usize = 128;

/// A webhook on this machine.
pub(crate) struct Webhook {
    pub endpoint: Uri,
    client: Client<HttpConnector, Full<Bytes>>,
    at_once: Semaphore,
    timeout: Duration,
}

pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// How a delivery goes on.
pub(crate) struct Delivery<'a> {
    /// The pauses between its attempts. After the last one it is given up.
    pub back_off: &'a [Duration],
    /// The answers after which it is not tried again.
    pub is_over: fn(u16) -> bool,
    pub body: String,
}

impl Webhook {
    /// # Errors
    ///
    /// An endpoint that is not on this machine.
    pub fn new(endpoint: &str) -> anyhow::Result<Self> {
        Ok(Self {
            endpoint: loopback_endpoint(endpoint)?,
            client: Client::builder(TokioExecutor::new()).build_http(),
            at_once: Semaphore::new(REQUESTS_AT_ONCE),
            timeout: TIMEOUT,
        })
    }

    /// Waits for so long for an answer: 30 seconds unless that is said.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    pub async fn send(&self, request: Builder, body: String) -> anyhow::Result<Answer> {
        let request = request.uri(&self.endpoint).body(Full::from(body))?;
        let exchange = async {
            let (head, body) = self.client.request(request).await?.into_parts();
            // The status is what counts; a body that is too long or breaks off takes nothing from it.
            let body = Limited::new(body, ANSWER_LIMIT).collect().await;
            let body = body.map(|body| body.to_bytes()).unwrap_or_default();
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        let timeout = self.timeout;
        tokio::time::timeout(timeout, exchange)
            .await
            .with_context(|| format!("there was no answer within {timeout:?}"))?
    }

    /// Delivers a body. `request` makes the request of an attempt by its number, from 0; `answered` is told each
    /// answer, of which `None` is none.
    pub async fn deliver(
        &self,
        delivery: Delivery<'_>,
        request: impl Fn(usize) -> Builder,
        answered: impl Fn(Option<u16>),
    ) {
        let Delivery { back_off, is_over, body } = delivery;
        let pauses = back_off.iter().copied().map(Some).chain([None]);
        for (count, pause) in pauses.enumerate() {
            let answer = {
                // Nobody closes it.
                let _turn = self.at_once.acquire().await;
                self.send(request(count), body.clone()).await
            };
            let status = answer.ok().map(|answer| answer.status.as_u16());
            answered(status);
            if status.is_some_and(is_over) {
                return;
            }
            let Some(pause) = pause else { return };
            tokio::time::sleep(pause).await;
        }
    }
}

/// Requests have numbers of people, and nothing leaves this machine.
fn loopback_endpoint(endpoint: &str) -> anyhow::Result<Uri> {
    let uri: Uri = endpoint
        .parse()
        .with_context(|| format!("{endpoint} is no URL; pass one as http://127.0.0.1:3000/path"))?;
    let host = uri.host().unwrap_or_default();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ensure!(
        uri.scheme_str() == Some("http")
            && (host.eq_ignore_ascii_case("localhost")
                || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())),
        "nothing is sent to {endpoint}: the emulator's requests go by plain HTTP, and on this machine only; pass a URL \
         such as http://127.0.0.1:3000/api/delivery-reports"
    );
    Ok(uri)
}
