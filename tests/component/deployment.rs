//! The files of sample/ that an owner puts in front of Spin and around it, with the real programs: nginx, Spin and
//! logrotate. Only the certificate, addresses and paths are others.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use okta_telephony_dev::nginx::{self, NAME};
use okta_telephony_dev::tls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::{
    HOOK_PATH, Hook, SECRET, basic, component, envelope, event_id, skipped, until, until_told,
    within,
};
use crate::host::needs_spin;
use crate::okta_events;
use crate::reports::{self, REPORT_SECRET};

const ONE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const ANOTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Replaces texts, each of which must be there.
fn with(text: &str, replacements: &[(&str, &str)]) -> String {
    replacements.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in {text}");
        text.replace(from, to)
    })
}

/// A folder of a test's own.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(event_id());
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

/// A program that is asked to end with this: it has processes of its own to end.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let end = Instant::now() + Duration::from_secs(10);
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// nginx with sample/nginx.conf in front of a hook.
struct Nginx {
    address: SocketAddr,
    tls: TlsConnector,
    // Ends before its folder goes.
    _program: Program,
    folder: Folder,
}

impl Nginx {
    /// `None` where there is no nginx.
    async fn start(hook: &Hook) -> Option<Self> {
        Self::before(hook.host.address()).await
    }

    async fn before(spin: SocketAddr) -> Option<Self> {
        let folder = Folder::new();
        // Free now; nobody else is told of it.
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let mut command = nginx::command(&folder.0, address, spin).unwrap();
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(program) = command.spawn() else {
            skipped("nothing was in front of the hook, since nginx is not installed");
            return None;
        };
        let tls = tls::client(&[tls::certificate_authority()]).unwrap();
        let nginx = Self { address, tls: Arc::new(tls).into(), _program: Program(program), folder };
        until_told(async || {
            let told = |error| format!("{error}: {}", nginx.folder.read("error.log"));
            TcpStream::connect(address).await.map(drop).map_err(told)
        })
        .await;
        Some(nginx)
    }

    async fn connect(&self, from: Ipv4Addr, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        let stream = socket.connect(self.address).await?;
        self.tls.connect(name.to_owned().try_into().unwrap(), stream).await
    }

    /// A connection for more than one request.
    async fn client(&self, from: Ipv4Addr) -> SendRequest<Full<Bytes>> {
        let stream = self.connect(from, NAME).await.unwrap();
        let (client, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// The status and the text of the answer to a POST.
    async fn post(&self, from: Ipv4Addr, target: &str, body: impl Into<Bytes>) -> (u16, String) {
        Self::post_over(&mut self.client(from).await, target, body).await
    }

    async fn post_over(
        client: &mut SendRequest<Full<Bytes>>,
        target: &str,
        body: impl Into<Bytes>,
    ) -> (u16, String) {
        let request = Request::builder()
            .method(Method::POST)
            .uri(target)
            .header(HOST, NAME)
            .header(AUTHORIZATION, basic("okta", SECRET))
            .header(CONTENT_TYPE, "application/json");
        let request = request.body(Full::new(body.into())).unwrap();
        let (head, body) = client.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    }

    /// The answer to a request as it is written here. Clients would tidy its path up.
    async fn raw(&self, from: Ipv4Addr, line: &str) -> String {
        let mut stream = self.connect(from, NAME).await.unwrap();
        let credentials = basic("okta", SECRET);
        let request = format!(
            "{line} HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: {credentials}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    /// A request whose body is still to come.
    async fn begin(&self, from: Ipv4Addr, path: &str) -> TlsStream<TcpStream> {
        let mut stream = self.connect(from, NAME).await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 60000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        stream
    }

    /// Whether nginx refuses a request for its address.
    async fn is_refused(&self, from: Ipv4Addr, path: &str) -> Result<(), String> {
        match self.post(from, path, envelope("+15550100123").to_string()).await {
            // Its own answer: the hook has one of 503, too.
            (503, text) if text.contains("<html>") => Ok(()),
            (status, text) => Err(format!("{status} {text}")),
        }
    }

    /// A hook's answer, which must be that a message was taken.
    async fn is_answered(&self, from: Ipv4Addr) {
        let (status, text) = self.post(from, HOOK_PATH, envelope("+15550100123").to_string()).await;
        assert!(status == 200 && text.contains("SUCCESSFUL"), "{status} {text}");
    }
}

#[tokio::test]
async fn through_nginx_the_hook_the_events_and_the_reports_are_reached_and_nothing_else() {
    let hook = Hook::with(reports::setup()).await;
    let Some(nginx) = Nginx::start(&hook).await else { return };
    nginx.is_answered(ONE).await;
    let reports = format!("{}?code={REPORT_SECRET}", reports::PATH);
    assert_eq!(nginx.post(ONE, &reports, "[]").await.0, 200);
    // Its secret is not set: that is for the hook to say.
    for path in [okta_events::PATH, reports::INFOBIP_PATH, reports::TELESIGN_PATH] {
        assert_ne!(nginx.post(ONE, path, "").await.0, 404, "{path}");
    }
    for path in [
        "/",
        "/api/health",
        "/api/health/details",
        "/api/explain",
        "/api/deliveries",
        "/api/deliveries/x",
        "/.well-known/spin/health",
        "/api/okta-telephony/",
        "/api/okta-telephony/x",
        "/API/okta-telephony",
    ] {
        assert_eq!(nginx.post(ONE, path, "").await.0, 404, "{path}");
    }
    for name in ["other.example.com", "127.0.0.1"] {
        let told = nginx.connect(ONE, name).await.unwrap_err().to_string();
        assert!(told.contains("alert"), "{name} has a certificate: {told}");
    }
    // Who has the certificate by one name and asks for another.
    let mut stream = nginx.connect(ONE, NAME).await.unwrap();
    let request = format!("POST {HOOK_PATH} HTTP/1.1\r\nHost: other.example.com\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
}

/// nginx finds the location by the path that it has tidied up, so Spin must get that one.
#[tokio::test]
async fn no_spelling_of_a_path_leads_through_nginx_to_the_operators_pages() {
    let hook = Hook::with(reports::setup()).await;
    let Some(nginx) = Nginx::start(&hook).await else { return };
    let as_it_should_be = nginx.raw(ONE, &format!("GET {HOOK_PATH}")).await;
    assert!(as_it_should_be.starts_with("HTTP/1.1 405 "), "{as_it_should_be}");
    for page in ["health", "explain", "deliveries", "x"] {
        for path in [
            format!("/api/{page}/../okta-telephony"),
            format!("/api/{page}/%2e%2e/okta-telephony"),
            format!("/api/{page}/%2E./okta-telephony?x=/api/{page}"),
            format!("/{page}/..//api/./okta-telephony"),
            format!("//api/{page}/../okta-telephony"),
            format!("/api/{page}%2f..%2fokta-telephony"),
            format!("http://{NAME}/api/{page}/../okta-telephony"),
        ] {
            let answer = nginx.raw(ONE, &format!("GET {path}")).await;
            assert!(answer.starts_with("HTTP/1.1 405 "), "{path}: {answer}");
        }
        for path in [reports::PATH, reports::INFOBIP_PATH, reports::TELESIGN_PATH] {
            let answer = nginx.raw(ONE, &format!("GET /api/{page}/..{}", &path[4..])).await;
            assert!(answer.starts_with("HTTP/1.1 405 "), "{page}, {path}: {answer}");
        }
    }
}

#[tokio::test]
async fn nginx_takes_bodies_as_large_as_the_hook_does_and_no_larger() {
    let hook = Hook::with(reports::setup()).await;
    let Some(nginx) = Nginx::start(&hook).await else { return };
    let reports = format!("{}?code={REPORT_SECRET}", reports::PATH);
    for (target, limit, refused) in [
        (HOOK_PATH, 64 << 10, 400),
        (reports.as_str(), 1536 << 10, 400),
        // Their secret is not set.
        (okta_events::PATH, 1 << 20, 503),
    ] {
        let (status, text) = nginx.post(ONE, target, "[".repeat(limit)).await;
        let is_the_hooks = status == refused && !text.contains("<html>");
        assert!(is_the_hooks, "{target}: {status} {text}");
        let (status, text) = nginx.post(ONE, target, "[".repeat(limit + 1)).await;
        assert!(status == 413 && text.contains("<html>"), "{target}: {status} {text}");
    }
}

#[tokio::test]
async fn the_logs_of_nginx_have_no_query() {
    let hook = Hook::with(reports::setup()).await;
    let Some(nginx) = Nginx::start(&hook).await else { return };
    let wanted = [
        (reports::PATH, "[]".into(), 200),
        (reports::PATH, " ".repeat((1536 << 10) + 1), 413),
        ("/other", String::new(), 404),
    ];
    for (path, body, status) in &wanted {
        let target = format!("{path}?code={REPORT_SECRET}");
        assert_eq!(nginx.post(ONE, &target, body.clone()).await.0, *status, "{path}");
    }
    // While Spin is not there, which is an error of nginx's own.
    let path = reports::PATH;
    drop(hook);
    let log = until_told(async || {
        let (status, _) = nginx.post(ONE, &format!("{path}?code={REPORT_SECRET}"), "[]").await;
        assert_eq!(status, 502);
        let log = nginx.folder.read("access.log");
        if log.contains(&format!(" {path} 502 ")) { Ok(log) } else { Err(log) }
    })
    .await;
    assert!(log.contains(&format!(" {path} 200 ")), "{log}");
    for file in ["access.log", "error.log"] {
        assert!(!nginx.folder.read(file).contains(REPORT_SECRET), "{}", nginx.folder.read(file));
    }
}

#[tokio::test]
async fn a_stranger_has_a_line_a_second_in_the_logs_of_nginx_and_okta_has_each() {
    let hook = Hook::with("limits.per_number = ''").await;
    let Some(nginx) = Nginx::start(&hook).await else { return };
    let begun = Instant::now();
    let long = "x".repeat(7000);
    for _ in 0..10 {
        nginx.is_answered(ONE).await;
        for line in [
            format!("GET /{long}"),
            format!("GET {HOOK_PATH}?{long}"),
            format!("{} {HOOK_PATH}", "X".repeat(7000)),
            "GET".to_owned(),
        ] {
            nginx.raw(ANOTHER, &line).await;
        }
        // A record of TLS that is longer than they may be.
        let mut stream = TcpStream::connect(nginx.address).await.unwrap();
        stream.write_all(b"\x16\x03\x01\xff\xff----------------").await.unwrap();
        _ = stream.read_to_end(&mut Vec::new()).await;
    }
    let at_most = begun.elapsed().as_secs() as usize + 1;
    let log = until(|| {
        let log = nginx.folder.read("access.log");
        (log.matches(&format!(" {HOOK_PATH} 200 ")).count() == 10).then_some(log)
    })
    .await;
    let strangers = log.lines().filter(|line| line.starts_with(&ANOTHER.to_string()));
    let strangers: Vec<_> = strangers.collect();
    assert!(!strangers.is_empty(), "{log}");
    assert!(strangers.len() <= at_most, "{at_most}: {log}");
    assert!(log.lines().all(|line| line.len() < 150), "{log}");
    let errors = nginx.folder.read("error.log");
    assert!(!errors.contains("client: "), "{errors}");
}

/// A body of reports is kept in memory until it is whole, and can be 24 times as large as a hook's.
#[tokio::test]
async fn one_address_has_less_room_for_reports_than_for_hooks() {
    let hook = Hook::with(reports::setup()).await;
    let Some(nginx) = Nginx::start(&hook).await else { return };
    let (hooks, reports) = nginx_limits();
    assert!(reports < hooks / 2);
    let mut under_way = Vec::new();
    for _ in 1..reports {
        under_way.push(nginx.begin(ONE, reports::PATH).await);
        trickle(&mut under_way).await;
    }
    assert_eq!(nginx.post(ONE, reports::PATH, "").await.0, 401);
    until_told(async || {
        // Of two that come at once either can be the one too many.
        if under_way.len() < hooks / 2 {
            under_way.push(nginx.begin(ONE, reports::PATH).await);
        }
        trickle(&mut under_way).await;
        nginx.is_refused(ONE, reports::PATH).await
    })
    .await;
    nginx.is_answered(ONE).await;
}

/// Of a hook without an eventId the repeat would be a second message.
#[tokio::test]
async fn nginx_repeats_no_hook_that_spin_has_got() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let Some(nginx) = Nginx::before(listener.local_addr().unwrap()).await else { return };
    let got = Arc::new(AtomicUsize::new(0));
    let count = got.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let count = count.clone();
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let count = count.clone();
                async move {
                    request.into_body().collect().await.map_err(|_| "cut")?;
                    // The connection is kept after the first, and breaks at any other.
                    match count.fetch_add(1, Ordering::SeqCst) {
                        0 => Ok(Response::new(Full::<Bytes>::default())),
                        _ => Err("it ends"),
                    }
                }
            });
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
        }
    });
    // Over one connection, and so by one worker of nginx's, which keeps its own to Spin.
    let mut client = nginx.client(ONE).await;
    for status in [200, 502] {
        assert_eq!(Nginx::post_over(&mut client, HOOK_PATH, "{}").await.0, status);
    }
    assert_eq!(got.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn one_address_has_no_more_than_its_share_and_another_is_answered() {
    let hook = Hook::with("limits.per_number = ''").await;
    let Some(nginx) = Nginx::start(&hook).await else { return };
    let share = number(&read("sample/nginx.conf"), "limit_conn address ");
    let mut under_way = Vec::new();
    for _ in 1..share {
        under_way.push(nginx.begin(ONE, HOOK_PATH).await);
        trickle(&mut under_way).await;
    }
    nginx.is_answered(ONE).await;
    // One more: the share, and whatever nginx has let go of meanwhile.
    until_told(async || {
        under_way.push(nginx.begin(ONE, HOOK_PATH).await);
        trickle(&mut under_way).await;
        nginx.is_refused(ONE, HOOK_PATH).await
    })
    .await;
    nginx.is_answered(ANOTHER).await;
    drop(under_way);
    until_told(async || match nginx.is_refused(ONE, HOOK_PATH).await {
        Ok(()) => Err("they are still under way".into()),
        Err(_) => Ok(()),
    })
    .await;
}

/// Has bodies that are under way come on by a byte, so that nginx doesn't give them up.
async fn trickle(requests: &mut [TlsStream<TcpStream>]) {
    for request in requests {
        _ = request.write_all(b" ").await;
        _ = request.flush().await;
    }
}

#[tokio::test]
async fn who_connects_to_nginx_and_says_nothing_holds_nobody_up_and_is_let_go() {
    let hook = Hook::start().await;
    let Some(nginx) = Nginx::start(&hook).await else { return };
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(nginx.address).await.unwrap());
    }
    nginx.is_answered(ONE).await;
    let mut first = silent.swap_remove(0);
    let ended = tokio::time::timeout(Duration::from_secs(10), first.read(&mut [0])).await;
    assert!(!matches!(ended, Ok(Ok(1..))), "{ended:?}");
    assert!(ended.is_ok(), "a caller who says nothing keeps the connection");
}

/// Requests at once from one address, and the fewer that may be reports.
fn nginx_limits() -> (usize, usize) {
    let text = read("sample/nginx.conf");
    let (hooks, reports) = text.split_once("location = /api/delivery-reports {").unwrap();
    (number(hooks, "limit_conn address "), number(reports, "limit_conn address "))
}

/// What a shell writes that runs in a network of its own, behind sample/okta-telephony.nft with these replacements, and
/// with nginx. `None` where that can't be had.
fn behind_the_firewall(replacements: &[(&str, &str)], script: &str) -> Option<String> {
    let network = ["unshare", "--net", "--pid", "--fork", "--kill-child"];
    let as_root =
        |words: &[&str]| words.iter().chain(&network).map(|word| word.to_string()).collect();
    let ways: [Vec<String>; 2] = [as_root(&[]), as_root(&["sudo", "--non-interactive"])];
    let run =
        |way: &[String], words: &[&str]| Command::new(&way[0]).args(&way[1..]).args(words).output();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample/okta-telephony.nft");
    let works = |way: &&Vec<String>| {
        let taken = run(way, &["nft", "--file", &sample.display().to_string()]);
        taken.is_ok_and(|output| output.status.success())
    };
    let is_there = |tool: &&str| {
        let found = Command::new("bash").args(["-c", &format!("command -v {tool}")]).output();
        found.is_ok_and(|output| output.status.success())
    };
    if !["nft", "nginx", "ip", "curl"].iter().all(is_there) {
        skipped("no firewall was tried, since nftables, nginx, iproute2 or curl is not installed");
        return None;
    }
    let Some(way) = ways.iter().find(works) else {
        // A container may not be given them, whoever installs what.
        eprintln!(
            "SKIPPED: no firewall was tried: a network of one's own and its rules take root's rights"
        );
        return None;
    };
    let folder = Folder::new();
    folder.write("rules", &with(&read("sample/okta-telephony.nft"), replacements));
    let command =
        nginx::command(&folder.0, "127.0.0.1:443".parse().unwrap(), ([127, 0, 0, 1], 1).into())
            .unwrap();
    let script = format!(
        "set -e
         ip link set lo up
         nft --file {rules}
         status() {{
           curl --silent --insecure --output /dev/null --write-out '%{{http_code}}' --interface \"$1\" \
             --resolve {NAME}:443:127.0.0.1 https://{NAME}/ || true
         }}
         \"$@\" >{output} 2>&1 &
         for ((i = 0; i < 1000; i++)); do
           [ \"$(status 127.0.0.1)\" = 000 ] || break
           sleep 0.02
         done
         {script}",
        rules = folder.path("rules"),
        output = folder.path("output"),
    );
    let program = command.get_program().to_str().unwrap();
    let mut words = vec!["bash", "-c", &script, "bash", program];
    words.extend(command.get_args().map(|word| word.to_str().unwrap()));
    let output = run(way, &words).unwrap();
    assert!(output.status.success(), "{output:?} {}", folder.read("output"));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Opens connections from one address until one is refused, and says how many there were, and what then the same and
/// another address are answered.
const UNTIL_REFUSED: &str = "
    for ((held = 0; held < 400; held++)); do
      { exec {fd}<>/dev/tcp/127.0.0.1/443; } 2>/dev/null || break
    done
    echo $held $(status 127.0.0.1) $(status 127.0.0.2)";

#[test]
fn the_firewall_refuses_one_address_the_connections_that_nginx_does_not_count() {
    let rules = read("sample/okta-telephony.nft");
    let share = number(&rules, "ct count over ");
    let Some(told) = behind_the_firewall(&[], UNTIL_REFUSED) else { return };
    let told: Vec<_> = told.split_whitespace().collect();
    // nginx lets go of some meanwhile where the machine is slow.
    let held: usize = told[0].parse().unwrap();
    assert!((share..400).contains(&held), "{told:?}");
    assert_eq!(told[1..], ["000", "404"]);
}

#[test]
fn the_firewall_counts_no_connection_of_those_who_are_to_call_and_can_let_in_nobody_else() {
    let callers = (
        "# elements = { 192.0.2.0/24, 198.51.100.0/24 }",
        "elements = { 127.0.0.1/32, 192.0.2.0/24 }",
    );
    let Some(told) = behind_the_firewall(&[callers], UNTIL_REFUSED) else { return };
    assert_eq!(told.trim(), "400 404 404");
    let nobody_else =
        ("    # tcp dport 443 ct state new drop", "    tcp dport 443 ct state new drop");
    let at_once = "status() { curl --silent --insecure --connect-timeout 1 --interface $1 https://127.0.0.1/ || echo $?; }
        status 127.0.0.2";
    let told = behind_the_firewall(&[callers, nobody_else], at_once).unwrap();
    assert_eq!(told.trim(), "28", "it is to time out");
}

/// The whole number that follows a text, which must be there.
fn number(text: &str, before: &str) -> usize {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("{before} is not there"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("{before}{rest:.9} has no number"))
}

/// What Spin serves at once, by its own default (`SPIN_MAX_INSTANCE_COUNT`).
const REQUESTS: usize = 1000;
/// The caller, the provider, and two for each of the two files of the log.
const DESCRIPTORS: usize = 6;

#[test]
fn all_that_nginx_lets_through_leaves_spin_descriptors_and_memory() {
    let (nginx, service) = (read("sample/nginx.conf"), read("sample/okta-telephony.service"));
    let at_once = number(&nginx, "max_conns=");
    assert!(at_once < REQUESTS, "Spin needs room for those that write records after the answer");
    let kept = number(&nginx, "worker_processes ") * number(&nginx, "keepalive ");
    let needed = REQUESTS * DESCRIPTORS + kept + 100;
    assert!(number(&service, "\nLimitNOFILE=") >= needed, "{needed}");
    assert!(service.contains(&format!("that is {},{:03}.", needed / 1000, needed % 1000)));
    // Okta has 75 of an org under way.
    assert!((76..at_once).contains(&number(&nginx, "limit_conn address ")));
    let connections = number(&nginx, "worker_connections ");
    assert!(number(&nginx, "worker_rlimit_nofile ") > connections);
    // What is let through has two connections of a worker's.
    assert!(connections > 2 * at_once);
    let (rules, unit) = (read("sample/okta-telephony.nft"), read("sample/nginx.service.conf"));
    let of_one = number(&rules, "ct count over ");
    let addresses = number(&nginx, "so there are enough for ");
    assert!(connections > addresses * of_one && of_one >= nginx_limits().0);
    assert_eq!(addresses, number(&rules, "nginx has room for "));
    let taken = number(&unit, "does not go on takes ") * addresses * of_one / 1024;
    assert!(number(&unit, "\nMemoryMax=") > taken);
    assert!(
        unit.contains(&format!("so {addresses} addresses with {of_one} each take {taken} MiB")),
        "{taken}"
    );
    let memory = number(&service, "\nMemoryMax=");
    let measured = number(&service, "that wait at once take ") + number(&service, "reports take ");
    assert!(memory > measured, "{memory} {measured}");
}

/// The settings of a configuration of nginx that begin with a word, each once.
fn settings(text: &str, word: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with(word));
    let mut settings: Vec<_> = lines.map(str::to_owned).collect();
    settings.sort();
    settings.dedup();
    settings
}

/// That one has two hosts behind it and no TLS. What it passes on must be the same, but that with nobody to repeat at nginx
/// waits longer, and repeats nothing that was sent.
#[test]
fn nginx_in_front_of_one_host_passes_on_as_the_one_that_was_tried_with_two() {
    let (ours, tried) = (read("sample/nginx.conf"), read("dev/tests/scale/nginx.conf"));
    let is_another = |line: &str| {
        let of_two = ["proxy_read_timeout", "proxy_next_upstream ", "proxy_next_upstream_timeout"];
        let of_its_own = ["$http_host", "_temp_path", "proxy_pass"];
        of_two.iter().chain(&of_its_own).any(|it| line.contains(it))
    };
    for setting in settings(&tried, "proxy_").iter().filter(|line| !is_another(line)) {
        assert!(settings(&ours, "proxy_").contains(setting), "{setting}");
    }
    assert!(settings(&ours, "proxy_next_upstream ") == ["proxy_next_upstream error timeout;"]);
    // Where there is another host, a hook that one has got goes to it too, if there is time.
    assert!(tried.contains("proxy_next_upstream error timeout non_idempotent;"));
    let [read, next] =
        ["proxy_read_timeout ", "proxy_next_upstream_timeout "].map(|it| number(&tried, it));
    assert!(read < next && next < 3000);
}

/// The commands of a page that begin with `spin up`, or set a variable of the environment for it.
fn spin_ups(page: &str) -> Vec<String> {
    let page = page.replace("\\\n", " ");
    let lines = page.lines().map(str::trim);
    let is_one = |line: &&str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let at = words.iter().position(|word| !word.contains('=')).unwrap_or(0);
        words[at..].starts_with(&["spin", "up"]) && words.len() > at + 2
    };
    lines.filter(is_one).map(str::to_owned).collect()
}

/// A `spin up` as somebody types it, in a folder with what the pages say is there.
struct SpinUp {
    address: SocketAddr,
    _program: Program,
}

impl SpinUp {
    async fn start(line: &str, folder: &Folder) -> Self {
        let line = if line.contains("--listen") {
            line.to_owned()
        } else {
            format!("{line} --listen 127.0.0.1:0")
        };
        let output = fs::File::create(folder.0.join("output")).unwrap();
        let mut command = Command::new("bash");
        command.args(["-c", &format!("exec env {line}")]).current_dir(&folder.0);
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        for name in std::env::vars_os().map(|(name, _)| name) {
            if name.to_string_lossy().starts_with("SPIN_VARIABLE_") {
                command.env_remove(name);
            }
        }
        let mut program = Program(command.spawn().unwrap());
        let address = within(Duration::from_secs(60), || {
            let output = folder.read("output");
            let ended = program.0.try_wait().unwrap();
            assert!(ended.is_none(), "{line}: {output}");
            output.lines().find_map(|line| line.strip_prefix("Serving http://")?.parse().ok())
        })
        .await;
        Self { address, _program: program }
    }

    /// The status of what the operator is answered.
    async fn status(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nConnection: close\r\n\r\n",
            self.address,
            basic("operator", "operator-c0ffee")
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.split_whitespace().nth(1).unwrap_or_default().to_owned()
    }
}

/// A folder with what the pages have made by the time that they say `spin up`.
fn checkout_with_documents() -> Folder {
    let folder = Folder::new();
    let module = "target/wasm32-wasip1/release/okta_telephony_acs.wasm";
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join(module);
    folder.write("spin.toml", &with(&read("spin.toml"), &[(module, built.to_str().unwrap())]));
    fs::create_dir(folder.0.join("sample")).unwrap();
    let in_memory = read("sample/runtime-config.toml");
    for file in ["runtime-config.toml", "sample/runtime-config.toml"] {
        folder.write(file, &in_memory);
    }
    folder.write("settings.toml", "[limits]\nper_number = '9/1h'\n");
    folder.write(
        "secrets.toml",
        "[okta]\nbasic_secret = 'hook-secret-c0ffee'\n[operator]\nsecret = 'operator-c0ffee'\n\
         [providers.acs]\nconnection_string = 'endpoint=https://contoso.communication.azure.com/;accesskey=c2VjcmV0'\n",
    );
    folder
}

#[tokio::test]
async fn spin_takes_every_line_that_the_pages_have_for_it() {
    let pages = ["README.md", "docs/settings.md", "docs/monitoring.md"];
    for page in pages {
        assert!(!spin_ups(&read(page)).is_empty(), "{page}");
    }
    let lines: Vec<_> = pages.iter().flat_map(|page| spin_ups(&read(page))).collect();
    if needs_spin("each documented `spin up`") {
        return;
    }
    component();
    for line in lines {
        let folder = checkout_with_documents();
        // The component is built, and may not be built here.
        let spin = SpinUp::start(&line.replace(" --build", ""), &folder).await;
        assert_eq!(spin.status("/.well-known/spin/health").await, "200", "{line}");
    }
}

/// The command of sample/okta-telephony.service, in a folder.
fn service_in(folder: &Folder) -> String {
    let unit = read("sample/okta-telephony.service").replace("\\\n", " ");
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let here = folder.0.to_str().unwrap();
    with(
        command,
        &[
            ("/usr/local/bin/spin", "spin"),
            ("ghcr.io/OWNER/REPOSITORY@sha256:DIGEST", "spin.toml"),
            ("127.0.0.1:3000", "127.0.0.1:0"),
            ("${CREDENTIALS_DIRECTORY}", here),
            ("/etc/okta-telephony", here),
            ("/var/lib/okta-telephony", &folder.path("state")),
            ("/var/log/okta-telephony", &folder.path("log")),
        ],
    )
}

#[tokio::test]
async fn the_service_serves_and_its_log_is_moved_away_without_a_line_lost() {
    if needs_spin("the service") {
        return;
    }
    if Command::new("logrotate").arg("--version").output().is_err() {
        return skipped("no log was moved away, since logrotate is not installed");
    }
    component();
    let folder = checkout_with_documents();
    let spin = SpinUp::start(&service_in(&folder), &folder).await;
    assert_eq!(spin.status("/api/health").await, "200");
    let rotation = with(
        &read("sample/okta-telephony.logrotate"),
        &[
            ("/var/log/okta-telephony-spin.log", &folder.path("output")),
            ("/var/log/okta-telephony", &folder.path("log")),
            // The user of the service, who is not here.
            ("  su okta-telephony okta-telephony\n", ""),
        ],
    );
    folder.write("rotation", &rotation);
    let lines = |name: &str| folder.read(name).lines().count();
    // Each has a line of the log: it is the operator who asks.
    for _ in 0..3 {
        assert_eq!(spin.status("/api/deliveries").await, "200");
    }
    until(|| (lines("log/okta-telephony_stdout.txt") == 3).then_some(())).await;
    let moved = Command::new("logrotate")
        .args(["--force", "--state", &folder.path("state-of-logrotate"), &folder.path("rotation")])
        .output()
        .unwrap();
    assert!(moved.status.success(), "{moved:?}");
    for _ in 0..2 {
        assert_eq!(spin.status("/api/deliveries").await, "200");
    }
    until(|| (lines("log/okta-telephony_stdout.txt") == 2).then_some(())).await;
    assert_eq!(lines("log/okta-telephony_stdout.txt.1"), 3);
    // None of them is in what Spin itself says.
    assert!(!folder.read("output").contains("\"event\":"), "{}", folder.read("output"));
}

#[test]
fn systemd_takes_the_service_and_what_is_added_to_nginxs() {
    let folder = Folder::new();
    // Neither Spin nor nftables need be there.
    let add = |name: &str, sample: &str, program: &str| {
        folder.write(name, &with(&read(sample), &[(program, "/bin/true")]));
    };
    add("okta-telephony.service", "sample/okta-telephony.service", "/usr/local/bin/spin");
    folder.write("nginx.service", "[Service]\nExecStart=/bin/true\n");
    fs::create_dir(folder.0.join("nginx.service.d")).unwrap();
    add("nginx.service.d/okta-telephony.conf", "sample/nginx.service.conf", "/usr/sbin/nft");
    for unit in ["okta-telephony.service", "nginx.service"] {
        let verified =
            Command::new("systemd-analyze").args(["verify", &folder.path(unit)]).output();
        let Ok(output) = verified else {
            return skipped("no service was looked at, since systemd-analyze is not installed");
        };
        let told = String::from_utf8_lossy(&output.stderr);
        let of_ours = told.contains("okta-telephony.service:") || told.contains("nginx.service");
        assert!(output.status.success() && !of_ours, "{told}");
    }
}

/// logrotate comes once a day by itself, and `maxsize` counts only when it comes.
#[test]
fn logrotate_that_comes_each_hour_moves_away_a_log_that_has_grown() {
    let folder = Folder::new();
    let rotation = with(
        &read("sample/okta-telephony.logrotate"),
        &[
            ("/var/log/okta-telephony-spin.log", &folder.path("spin.log")),
            ("/var/log/okta-telephony", &folder.path("log")),
            ("  su okta-telephony okta-telephony\n", ""),
        ],
    );
    // As some distributions have it, where the second log of a day would find the first one's name taken.
    folder.write("rotation", &format!("dateext\n{rotation}"));
    fs::create_dir(folder.0.join("log")).unwrap();
    let comes = || {
        let mut command = Command::new("logrotate");
        command.args(["--state", &folder.path("state"), &folder.path("rotation")]);
        let output = command.output().ok()?;
        assert!(output.status.success(), "{output:?}");
        Some(())
    };
    for time in 1..=3 {
        for log in ["log/hook.txt", "spin.log"] {
            let file = fs::File::create(folder.0.join(log)).unwrap();
            file.set_len(100 << 20).unwrap();
            if comes().is_none() {
                return skipped("no log was rotated, since logrotate is not installed");
            }
            let left = fs::metadata(folder.0.join(log)).map_or(0, |file| file.len());
            assert_eq!(left, 100 << 20, "{log} has not grown enough");
            file.set_len((100 << 20) + 1).unwrap();
            comes();
            let left = fs::metadata(folder.0.join(log)).map_or(0, |file| file.len());
            assert_eq!(left, 0, "{log}, time {time}");
        }
    }
    let page = read("docs/alternatives/spin.md");
    assert!(page.contains("OnCalendar=hourly"));
}

/// Whoever is on a machine sees the arguments of each process there.
#[test]
fn no_command_of_the_pages_has_the_secret_of_reports_in_its_arguments() {
    let page = read("docs/delivery-reports.md");
    // jq has it from the environment.
    assert!(page.contains("password: env.secret"));
    let of_the_shell = |line: &&str| !line.contains("$secret") && !line.contains("${secret");
    assert!(page.lines().all(|line| of_the_shell(&line)));
}
