//! The local host as a whole, over real sockets, with a guest that does what a path says: see
//! `guest/src/lib.rs`. What has to happen is waited for, with a bound; nothing is timed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use okta_telephony_dev::component;
use okta_telephony_dev::local_host::{
    Compiled, Direction, HandOver, Lines, LocalHost, Manifest, SHUTDOWN_LIMIT, Settings,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::common::skipped;

mod common;

/// What takes longer than this doesn't happen. Less than a shutdown that gives up.
const BOUND: Duration = Duration::from_secs(8);
const _: () = assert!(BOUND.as_secs() < SHUTDOWN_LIMIT.as_secs());

#[tokio::test]
async fn a_guest_that_traps_is_an_empty_500_with_its_reason_on_stderr() {
    let (stderr, settings) = with_stderr(settings());
    let host = start(settings).await;
    let answer = get(&host, "/do/trap").await;
    assert_eq!((answer.status, answer.body.as_str()), (500, ""));
    // The guest's own last words, the trap, and what the client got.
    for part in ["as asked", "`guest` failed", "/do/trap is answered with an empty 500"] {
        stderr.until(part).await;
    }
    assert_eq!(get(&host, "/do/count").await.body, "1");
}

#[tokio::test]
async fn a_guest_that_gives_no_answer_is_an_empty_500_with_its_reason_on_stderr() {
    let (stderr, settings) = with_stderr(settings());
    let host = start(settings).await;
    for (deed, reason) in
        [("nothing", "without setting an answer"), ("error", "ConfigurationError")]
    {
        let answer = get(&host, &format!("/do/{deed}")).await;
        assert_eq!((answer.status, answer.body.as_str()), (500, ""), "{deed}");
        stderr.until(reason).await;
    }
    assert_eq!(get(&host, "/do/count").await.body, "1");
}

#[tokio::test]
async fn growing_beyond_the_memory_limit_fails_inside_the_guest() {
    let (stderr, mut settings) = with_stderr(settings());
    settings.memory_limit = 32 << 20;
    let host = start(settings).await;
    assert_eq!(get(&host, "/do/memory?16").await.body, (16 << 20).to_string());
    assert_eq!(get(&host, "/do/memory?32").await.status, 500);
    stderr.until("memory allocation of 33554432 bytes failed").await;
    assert_eq!(get(&host, "/do/memory?16").await.body, (16 << 20).to_string());
}

#[tokio::test]
async fn each_request_has_a_fresh_instance() {
    let host = start(settings()).await;
    for _ in 0..3 {
        assert_eq!(get(&host, "/do/count").await.body, "1");
    }
}

#[tokio::test]
async fn the_client_has_its_answer_before_the_guest_ends_and_shutdown_waits_for_that() {
    let server = Server::start().await;
    let mut settings = settings().variable("allowed_host", &server.origin);
    let stdout = Captured::default();
    settings.stdout = stdout.lines();
    let host = start(settings).await;
    let address = host.address();

    assert_eq!(get(&host, &format!("/do/later?{}", server.origin)).await.body, "answered");
    let called = server.called().await;
    assert_eq!(stdout.all(), [""; 0]);

    let shutdown = tokio::spawn(host.shutdown());
    // Once it listens no more, it waits for the guest, which waits for the server.
    within("the host stops listening", async {
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(!shutdown.is_finished());
    called.answer().await;
    within("shutdown", shutdown).await.unwrap();
    assert_eq!(stdout.all(), ["after the answer: 200"]);
}

#[tokio::test]
async fn health_is_the_hosts_and_a_path_without_a_route_is_a_404() {
    let host = start(settings()).await;
    let health = get(&host, "/.well-known/spin/health").await;
    assert_eq!((health.status, health.body.as_str()), (200, "OK"));
    for path in ["/", "/count", "/people/ada", "/.well-known/spin/other"] {
        let answer = get(&host, path).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, ""), "{path}");
    }
}

#[tokio::test]
async fn the_guest_sees_spins_headers_and_none_that_the_client_forged() {
    let host = start(settings()).await;
    let mut stream = TcpStream::connect(host.address()).await.unwrap();
    let client = stream.local_addr().unwrap().to_string();
    let forged = "spin-client-addr: 6.6.6.6:6\r\nSpin-Component-Route: /forged\r\nspin-path-match-id: 6\r\n\
                  spin-made-up: 6\r\nx-own: kept\r\n";
    let body = ask(&mut stream, "/do/deep/headers?x=1", forged).await.body;
    assert_eq!(
        spin_headers(&body),
        [
            ("spin-base-path", "/"),
            ("spin-client-addr", client.as_str()),
            ("spin-component-route", "/do"),
            ("spin-full-url", "http://guest.example/do/deep/headers?x=1"),
            ("spin-matched-route", "/do/..."),
            ("spin-path-info", "/deep/headers"),
            ("spin-raw-component-route", "/do/..."),
        ]
    );
    assert!(body.contains("x-own: kept\n"), "{body}");

    let body = get(&host, "/people/ada/headers").await.body;
    let seen = spin_headers(&body);
    for header in [
        ("spin-component-route", "/people/:Name/headers"),
        ("spin-matched-route", "/people/:Name/headers"),
        ("spin-path-info", ""),
        ("spin-path-match-name", "ada"),
    ] {
        assert!(seen.contains(&header), "{header:?} is not in {seen:?}");
    }
}

#[tokio::test]
async fn a_store_in_memory_is_one_hosts_own_and_shows_what_is_in_it() {
    let hosts = [start(settings()).await, start(settings()).await];
    assert_eq!(get(&hosts[0], "/do/kept").await.body, "Ok(None)");
    assert_eq!(get(&hosts[0], "/do/keep?something").await.body, "Ok(())");
    assert_eq!(get(&hosts[0], "/do/kept").await.body, r#"Ok(Some("something"))"#);
    assert_eq!(get(&hosts[1], "/do/kept").await.body, "Ok(None)");
    assert_eq!(hosts[0].stored("default")["kept"], b"something");
    assert!(hosts[1].stored("default").is_empty() && hosts[0].stored("other").is_empty());
    assert_eq!(get(&hosts[0], "/do/open?default").await.body, "Ok(())");
    assert_eq!(get(&hosts[0], "/do/open?other").await.body, "Err(Error::AccessDenied)");
}

#[tokio::test]
async fn hosts_with_one_redis_share_a_store_whose_keys_are_the_guests_own() {
    let Some(redis) = Redis::start().await else { return };
    let hosts = [start(behind(redis.address)).await, start(behind(redis.address)).await];
    assert_eq!(get(&hosts[0], "/do/kept").await.body, "Ok(None)");
    assert_eq!(get(&hosts[0], "/do/keep?something").await.body, "Ok(())");
    assert_eq!(get(&hosts[1], "/do/kept").await.body, r#"Ok(Some("something"))"#);
    assert_eq!(redis.say("GET kept").await, "$9\r\nsomething\r\n");
}

#[tokio::test]
async fn a_redis_that_is_silent_hangs_the_guest_that_calls_it_and_no_other() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = start(behind(silent.local_addr().unwrap())).await;
    let hanging = get(&host, "/do/kept");
    tokio::pin!(hanging);
    for _ in 0..3 {
        tokio::select! {
            answer = &mut hanging => panic!("{}", answer.body),
            other = get(&host, "/do/count") => assert_eq!(other.body, "1"),
        }
    }
}

#[tokio::test]
async fn a_url_that_is_not_rediss_is_refused_without_its_text() {
    let mut settings = settings();
    settings.redis.insert("default".into(), "http://user:secret@cache".into());
    let error = format!("{:#}", LocalHost::start(compiled(), settings).await.err().unwrap());
    assert!(error.contains("key_value_store.default") && error.contains("redis://"), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

#[tokio::test]
async fn a_host_that_is_not_allowed_is_denied_and_one_that_is_is_called() {
    let server = Server::start().await;
    let (stderr, denying) = with_stderr(settings());
    let host = start(denying).await;
    let target = format!("/do/call?{}", server.origin);
    assert!(get(&host, &target).await.body.contains("HttpRequestDenied"));
    let lines = stderr.all();
    let [line] = lines.as_slice() else { panic!("one line, not {lines:?}") };
    assert!(
        line.contains(&format!("add \"{}\" to allowed_outbound_hosts", server.origin)),
        "{line}"
    );

    let host = start(settings().variable("allowed_host", &server.origin)).await;
    let (answer, ()) =
        tokio::join!(get(&host, &target), async { server.called().await.answer().await });
    assert_eq!(answer.body, "200");
}

#[tokio::test]
async fn an_allowed_host_that_comes_out_empty_is_refused_with_its_key() {
    let settings = settings().variable("allowed_host", "");
    let error = format!("{:#}", LocalHost::start(compiled(), settings).await.err().unwrap());
    for part in ["component.guest.allowed_outbound_hosts", "{{ allowed_host }}", "may not be empty"]
    {
        assert!(error.contains(part), "{part} is not in {error}");
    }
}

#[tokio::test]
async fn a_head_handed_over_before_its_body_is_reported_both_ways() {
    let server = Server::start().await;
    let mut settings = settings().variable("allowed_host", &server.origin);
    let seen = Arc::new(Mutex::new(Vec::new()));
    settings.hand_over = Some(Arc::new({
        let seen = seen.clone();
        move |hand_over| seen.lock().unwrap().push(hand_over)
    }));
    let host = start(settings).await;
    let take = || std::mem::take(&mut *seen.lock().unwrap());
    let answer = |body_finished| HandOver { direction: Direction::Answer, body_finished };
    let outbound = |body_finished| HandOver { direction: Direction::Outbound, body_finished };

    assert_eq!(get(&host, "/do/count").await.body, "1");
    assert_eq!(take(), [answer(true)]);
    assert_eq!(get(&host, "/do/head-first").await.body, "late");
    assert_eq!(take(), [answer(false)]);
    for (deed, finished) in [("call", true), ("call-head-first", false)] {
        let target = format!("/do/{deed}?{}", server.origin);
        let (got, ()) =
            tokio::join!(get(&host, &target), async { server.called().await.answer().await });
        assert_eq!(got.body, "200");
        assert_eq!(take(), [outbound(finished), answer(true)]);
    }
}

#[tokio::test]
async fn a_client_that_sent_half_a_head_does_not_hold_up_shutdown() {
    const HALF: &[u8] = b"GET /do/count HTTP/1.1\r\nhost: gu";
    let host = start(settings()).await;
    let mut first = TcpStream::connect(host.address()).await.unwrap();
    first.write_all(HALF).await.unwrap();

    // And one whose second request is the half one.
    let mut second = TcpStream::connect(host.address()).await.unwrap();
    second.write_all(b"GET /do/count HTTP/1.1\r\nhost: guest.example\r\n\r\n").await.unwrap();
    until(&mut second, "\r\n\r\n1").await;
    second.write_all(HALF).await.unwrap();
    // By the time that this one has its answer, both halves have arrived.
    assert_eq!(get(&host, "/do/count").await.body, "1");

    within("shutdown", host.shutdown()).await;
    drop((first, second));
}

// -- The host.

fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest/spin.toml")
}

/// The guest, built and compiled once for all tests.
fn compiled() -> &'static Compiled {
    static COMPILED: OnceLock<Compiled> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let manifest = Manifest::read(&manifest()).expect("the guest's manifest reads");
        let built = component::build(&manifest).expect("the guest builds");
        Compiled::new(&built.component).expect("the guest compiles")
    })
}

fn settings() -> Settings {
    Settings::new(manifest())
}

fn with_stderr(mut settings: Settings) -> (Captured, Settings) {
    let stderr = Captured::default();
    settings.stderr = stderr.lines();
    (stderr, settings)
}

async fn start(settings: Settings) -> LocalHost {
    LocalHost::start(compiled(), settings).await.unwrap()
}

/// With the guest's store behind Redis.
fn behind(redis: SocketAddr) -> Settings {
    let mut settings = settings();
    settings.redis.insert("default".into(), format!("redis://{redis}"));
    settings
}

/// A Redis server of a test's own, which keeps nothing and ends with this.
struct Redis {
    address: SocketAddr,
    _process: Child,
}

impl Redis {
    /// `None` where there is no `redis-server`.
    async fn start() -> Option<Self> {
        // Free now; nobody else is told of it.
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--dir", env!("CARGO_TARGET_TMPDIR")]);
        let process = command.stdout(Stdio::null()).kill_on_drop(true).spawn();
        let Ok(process) = process else {
            skipped("no store was behind Redis, since redis-server is not installed");
            return None;
        };
        let up = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        within("redis-server", up).await;
        Some(Self { address, _process: process })
    }

    /// What it answers to a line.
    async fn say(&self, line: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        let mut answer = vec![0; 256];
        let length = within(line, stream.read(&mut answer)).await.unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }
}

/// Lines that the host has let out.
#[derive(Default)]
struct Captured(Arc<Mutex<Vec<String>>>);

impl Captured {
    fn lines(&self) -> Lines {
        let lines = self.0.clone();
        Arc::new(move |line| lines.lock().unwrap().push(line.to_string()))
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    async fn until(&self, part: &str) {
        within(&format!("a line with {part:?}"), async {
            while !self.all().iter().any(|line| line.contains(part)) {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(BOUND, future).await.unwrap_or_else(|_| panic!("{what} doesn't come"))
}

// -- The client.

struct Answer {
    status: u16,
    body: String,
}

async fn get(host: &LocalHost, target: &str) -> Answer {
    let mut stream = TcpStream::connect(host.address()).await.unwrap();
    ask(&mut stream, target, "").await
}

/// Sends one request, its further headers as written, and reads until the host closes.
async fn ask(stream: &mut TcpStream, target: &str, headers: &str) -> Answer {
    let request = format!(
        "GET {target} HTTP/1.1\r\nhost: guest.example\r\nconnection: close\r\n{headers}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    within("the answer", stream.read_to_end(&mut bytes)).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, body: body.to_string() }
}

/// Reads until `part` has come.
async fn until(stream: &mut TcpStream, part: &str) {
    let mut bytes = Vec::new();
    within(part, async {
        while !String::from_utf8_lossy(&bytes).contains(part) {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "closed before {part:?}");
        }
    })
    .await;
}

/// Spin's headers of the answer to `…/headers`, by name.
fn spin_headers(body: &str) -> Vec<(&str, &str)> {
    let mut headers: Vec<_> = body
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(name, _)| name.starts_with("spin-"))
        .collect();
    headers.sort_unstable();
    headers
}

// -- The server that the guest calls.

struct Server {
    listener: TcpListener,
    origin: String,
}

/// A request that has come whole and waits for its answer.
struct Called(TcpStream);

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        Self { listener, origin }
    }

    async fn called(&self) -> Called {
        let (mut stream, _) = within("the guest's call", self.listener.accept()).await.unwrap();
        until(&mut stream, "hello").await;
        Called(stream)
    }
}

impl Called {
    async fn answer(mut self) {
        self.0.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    }
}
