//! Load as a closed loop: each connection sends its next hook once it has the answer to its last.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use okta_telephony_dev::nginx;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::http1;

/// The secret of Okta's Basic credentials.
pub const SECRET: &str = "bench-secret";

/// The Basic credentials `okta:bench-secret`.
const AUTHORIZATION: &str = "Basic b2t0YTpiZW5jaC1zZWNyZXQ=";

/// When a client gives up.
const OKTA_WAITS: Duration = Duration::from_secs(3);

/// Makes hooks, each to another number, since the limit for one number would refuse the sixth.
#[derive(Clone)]
pub struct Hooks {
    path: String,
    made: Arc<AtomicU64>,
}

impl Hooks {
    /// Hooks to this path.
    pub fn new(path: String) -> Self {
        Self { path, made: Arc::default() }
    }

    /// The next hook, a whole request as Okta sends it, its passcode good for five minutes.
    pub fn next(&self) -> String {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let now = OffsetDateTime::now_utc();
        let date = |date: OffsetDateTime| date.format(&Rfc3339).unwrap_or_default();
        let (time, expires) = (date(now), date(now + Duration::from_secs(300)));
        // As many as an organisation has.
        let person = number % 3000;
        let number_in_seattle = 2_000_000 + number % 8_000_000;
        let body = format!(
            r#"{{"eventId":"bench{number:020}","eventTime":"{time}","eventType":"com.okta.telephony.provider","eventTypeVersion":"1.0","contentType":"application/json","cloudEventVersion":"0.1","source":"https://example.okta.com/api/v1/inlineHooks/calz6lVQA77AwFeEe0g3","requestType":"com.okta.user.telephony.mfa-verification","data":{{"context":{{"request":{{"id":"reqRgSk8IBBRhuo0YdlEDTmUw","method":"POST","url":{{"value":"/idp/idx/challenge"}},"ipAddress":"192.0.2.1"}}}},"userProfile":{{"firstName":"Test","lastName":"User","login":"test.user@example.com","userId":"00ubench{person:012}"}},"messageProfile":{{"msgTemplate":"Your code is 246810","phoneNumber":"+1425{number_in_seattle}","otpExpires":"{expires}","deliveryChannel":"SMS","otpCode":"246810","locale":"EN-US"}}}}}}"#
        );
        format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\nauthorization: {AUTHORIZATION}\r\n\
             content-type: application/json\r\naccept: */*\r\nuser-agent: Okta\r\ncontent-length: {}\r\n\r\n{body}",
            self.path,
            nginx::NAME,
            body.len(),
        )
    }
}

/// A kept connection.
pub struct Connection<S = TcpStream> {
    stream: S,
    answer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// One that is open already.
    pub fn over(stream: S) -> Self {
        Self { stream, answer: Vec::new() }
    }

    /// Sends one hook and returns how long the answer took. An answer that tells of no message sent is an
    /// error: what fails fast would look fast.
    pub async fn send(&mut self, hooks: &Hooks) -> Result<Duration> {
        let request = hooks.next();
        let started = Instant::now();
        let answer = self.exchange(&request).await?;
        let took = started.elapsed();
        ensure!(answer.contains("SUCCESSFUL"), "an answer is no success: {answer}");
        Ok(took)
    }

    /// Sends a whole request and returns the answer, head and body.
    pub async fn exchange(&mut self, request: &str) -> Result<Cow<'_, str>> {
        self.answer.clear();
        self.stream.write_all(request.as_bytes()).await?;
        while http1::message_length(&self.answer).is_none() {
            ensure!(self.stream.read_buf(&mut self.answer).await? > 0, "the connection was closed");
        }
        Ok(String::from_utf8_lossy(&self.answer))
    }
}

/// What became of a hook.
pub enum Outcome {
    /// A provider has taken the message.
    Successful(Duration),
    /// The answer says that none has, so that Okta sends the code itself.
    Failed(Duration),
    /// No answer within 3 seconds, or none of the hook's: Okta has waited, and then sends the code itself.
    Lost,
}

impl Outcome {
    fn took(&self) -> Option<Duration> {
        match self {
            Self::Successful(took) | Self::Failed(took) => Some(*took),
            Self::Lost => None,
        }
    }
}

/// Connects and sends one request. The client gives up after 3 seconds, as Okta does.
pub async fn post<S: AsyncRead + AsyncWrite + Unpin>(
    connect: impl Future<Output = Result<Connection<S>>>,
    request: &str,
) -> Outcome {
    let started = Instant::now();
    let exchange = async {
        let mut connection = connect.await.ok()?;
        let answer = connection.exchange(request).await.ok()?;
        match (answer.contains("SUCCESSFUL"), answer.contains("FAILED")) {
            (true, _) => Some(Outcome::Successful(started.elapsed())),
            (false, true) => Some(Outcome::Failed(started.elapsed())),
            (false, false) => None,
        }
    };
    timeout(OKTA_WAITS, exchange).await.ok().flatten().unwrap_or(Outcome::Lost)
}

/// The milliseconds that this part of the hooks that were answered stays within, for a table.
pub fn quantile(outcomes: &[Outcome], part: f64) -> String {
    let mut times: Vec<_> = outcomes.iter().filter_map(Outcome::took).collect();
    times.sort_unstable();
    let at = ((times.len() as f64 * part).ceil() as usize).saturating_sub(1);
    times.get(at).map_or("–".into(), |time| format!("{:.0}", time.as_secs_f64() * 1000.0))
}

/// What a load has shown.
pub struct Measured {
    /// Sorted.
    latencies: Vec<Duration>,
    elapsed: Duration,
}

impl Measured {
    /// How many hooks were answered.
    pub fn hooks(&self) -> f64 {
        self.latencies.len() as f64
    }

    /// How many hooks were answered each second.
    pub fn per_second(&self) -> f64 {
        self.hooks() / self.elapsed.as_secs_f64()
    }

    /// The latency that this part of all hooks stays within, in milliseconds.
    pub fn quantile(&self, part: f64) -> f64 {
        let at = ((self.hooks() * part).ceil() as usize).saturating_sub(1);
        self.latencies.get(at).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1000.0)
    }
}

/// Sends hooks over so many connections for so long.
///
/// # Errors
///
/// The first connection that fails, and the first answer that is no success.
pub async fn run(
    to: SocketAddr,
    hooks: &Hooks,
    connections: usize,
    duration: Duration,
) -> Result<Measured> {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(to).await?);
    }
    let started = Instant::now();
    let tasks: Vec<_> = open
        .into_iter()
        .map(|mut connection| {
            let hooks = hooks.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while started.elapsed() < duration {
                    latencies.push(connection.send(&hooks).await?);
                }
                anyhow::Ok(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    let elapsed = started.elapsed();
    latencies.sort_unstable();
    Ok(Measured { latencies, elapsed })
}
