//! Okta: clients that post hooks, and what they are answered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

/// Connections that stay open.
const CLIENTS: u32 = 32;
/// Okta gives up after 3 seconds; what comes later is waited for all the same, to be told as late.
const BOUND: Duration = Duration::from_secs(10);

/// What a hook came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Accepted,
    /// An answer in Okta's form, which says so.
    Failed,
    /// No answer, or none that Okta takes.
    Lost,
}

/// The clients.
#[derive(Clone)]
pub struct Okta {
    hook: SocketAddr,
    authorization: Arc<Mutex<String>>,
}

/// Hooks that have been posted.
#[derive(Default)]
pub struct Load {
    /// Ascending.
    pub times: Vec<Duration>,
    outcomes: Vec<Outcome>,
    said: BTreeMap<String, usize>,
}

impl Load {
    pub fn count(&self, outcome: Outcome) -> usize {
        self.outcomes.iter().filter(|it| **it == outcome).count()
    }

    /// What was said of those that were not accepted, and how often.
    pub fn said(&self) -> impl Iterator<Item = String> {
        self.said.iter().map(|(what, count)| format!("{count} × {what}"))
    }

    fn add(&mut self, time: Duration, outcome: Outcome, said: String) {
        self.times.push(time);
        self.outcomes.push(outcome);
        if outcome != Outcome::Accepted {
            *self.said.entry(said).or_default() += 1;
        }
    }
}

impl Okta {
    pub fn new(hook: SocketAddr, secret: &str) -> Self {
        let okta = Self { hook, authorization: Arc::default() };
        okta.use_secret(secret);
        okta
    }

    /// From now on hooks come with this secret.
    pub fn use_secret(&self, secret: &str) {
        let credentials = BASE64.encode(format!("okta:{secret}"));
        *self.authorization.lock().unwrap() = format!("Basic {credentials}");
    }

    /// Posts until a few are accepted, one after the other.
    pub async fn warm_up(&self) {
        let mut connection = None;
        for _ in 0..20 {
            self.post_one(&mut connection).await.expect("the hook answers");
        }
    }

    /// Has all clients post until they are stopped, so many hooks a second together. A client that waits for
    /// an answer posts no other meanwhile.
    pub async fn post(
        &self,
        a_second: u32,
        start: Instant,
        stopped: watch::Receiver<bool>,
    ) -> Load {
        let load = Arc::new(Mutex::new(Load::default()));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let (okta, load, stopped) = (self.clone(), load.clone(), stopped.clone());
            clients.spawn(async move {
                let between = Duration::from_secs(1) * CLIENTS / a_second;
                let mut tick = interval_at(start + between * client / CLIENTS, between);
                tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
                let mut connection = None;
                while !*stopped.borrow() {
                    tick.tick().await;
                    let posted = Instant::now();
                    let (outcome, said) = match okta.post_one(&mut connection).await {
                        Ok(said) => said,
                        Err(error) => {
                            connection = None;
                            (Outcome::Lost, format!("{error:#}"))
                        }
                    };
                    load.lock().unwrap().add(posted.elapsed(), outcome, said);
                }
            });
        }
        clients.join_all().await;
        let mut load = std::mem::take(&mut *load.lock().unwrap());
        load.times.sort_unstable();
        load
    }

    async fn post_one(
        &self,
        connection: &mut Option<SendRequest<Full<Bytes>>>,
    ) -> Result<(Outcome, String)> {
        let authorization = self.authorization.lock().unwrap().clone();
        let request = Request::post("/api/okta-telephony")
            .header(header::HOST, self.hook.to_string())
            .header(header::AUTHORIZATION, authorization)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(envelope().to_string()))?;
        let answer = timeout(BOUND, async {
            let sender = match connection.take().filter(|sender| !sender.is_closed()) {
                Some(sender) => connection.insert(sender),
                None => {
                    let stream = TcpStream::connect(self.hook).await?;
                    stream.set_nodelay(true)?;
                    let (sender, driver) = handshake(TokioIo::new(stream)).await?;
                    tokio::spawn(driver);
                    connection.insert(sender)
                }
            };
            sender.ready().await?;
            let (head, body) = sender.send_request(request).await?.into_parts();
            anyhow::Ok((head.status.as_u16(), body.collect().await?.to_bytes()))
        });
        let (status, body) = answer.await??;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let value = &body["commands"][0]["value"][0];
        if status != 200 || value["status"].is_null() {
            bail!("{status} {}", value["transactionMetadata"]);
        }
        let outcome =
            if value["status"] == "SUCCESSFUL" { Outcome::Accepted } else { Outcome::Failed };
        Ok((outcome, value["transactionMetadata"].to_string()))
    }
}

/// Okta's envelope, of an event and to a number of its own. The numbers are of Ofcom's range for drama.
fn envelope() -> Value {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let sample = include_str!("../../../sample/okta-envelope.json");
    let mut envelope: Value = serde_json::from_str(sample).unwrap();
    let from_now = |minutes| {
        let date = OffsetDateTime::now_utc() + time::Duration::minutes(minutes);
        json!(date.replace_millisecond(0).unwrap().format(&Rfc3339).unwrap())
    };
    envelope["eventId"] = format!("event-{}-{next}", std::process::id()).into();
    envelope["eventTime"] = from_now(0);
    let profile = &mut envelope["data"]["messageProfile"];
    profile["otpExpires"] = from_now(5);
    profile["phoneNumber"] = format!("+447400{:06}", next % 1_000_000).into();
    envelope
}

/// Waits for a condition.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < end, "{what} did not come about");
        sleep(Duration::from_millis(20)).await;
    }
}
