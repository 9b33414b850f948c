//! The files of sample/ that an owner puts in front of Spin and around it, with the real programs: nginx, Spin and
//! logrotate. Only the certificate, addresses and paths are others.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
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
        let folder = Folder::new();
        // Free now; nobody else is told of it.
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let mut command = nginx::command(&folder.0, address, hook.host.address()).unwrap();
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

    /// The status and the text of the answer to a POST.
    async fn post(&self, from: Ipv4Addr, target: &str, body: impl Into<Bytes>) -> (u16, String) {
        let stream = self.connect(from, NAME).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::builder()
            .method(Method::POST)
            .uri(target)
            .header(HOST, NAME)
            .header(AUTHORIZATION, basic("okta", SECRET))
            .header(CONTENT_TYPE, "application/json");
        let request = request.body(Full::new(body.into())).unwrap();
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    }

    /// The answer to a request as it is written here. Clients would tidy its path up.
    async fn raw(&self, line: &str) -> String {
        let mut stream = self.connect(ONE, NAME).await.unwrap();
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
    async fn begin(&self, from: Ipv4Addr) -> TlsStream<TcpStream> {
        let mut stream = self.connect(from, NAME).await.unwrap();
        let head =
            format!("POST {HOOK_PATH} HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 60000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        stream
    }

    /// Whether nginx refuses a hook for its address.
    async fn is_refused(&self, from: Ipv4Addr) -> Result<(), String> {
        match self.post(from, HOOK_PATH, envelope("+15550100123").to_string()).await {
            (503, _) => Ok(()),
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
async fn through_nginx_the_hook_and_the_reports_are_reached_and_nothing_else() {
    let hook = Hook::with(reports::setup()).await;
    let Some(nginx) = Nginx::start(&hook).await else { return };
    nginx.is_answered(ONE).await;
    let reports = format!("{}?code={REPORT_SECRET}", reports::PATH);
    assert_eq!(nginx.post(ONE, &reports, "[]").await.0, 200);
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
    let as_it_should_be = nginx.raw(&format!("GET {HOOK_PATH}")).await;
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
            let answer = nginx.raw(&format!("GET {path}")).await;
            assert!(answer.starts_with("HTTP/1.1 405 "), "{path}: {answer}");
        }
        let reports = nginx.raw(&format!("GET /api/{page}/../delivery-reports")).await;
        assert!(reports.starts_with("HTTP/1.1 405 "), "{page}: {reports}");
    }
}

#[tokio::test]
async fn nginx_takes_bodies_as_large_as_the_hook_does_and_no_larger() {
    let hook = Hook::with(reports::setup()).await;
    let Some(nginx) = Nginx::start(&hook).await else { return };
    let reports = format!("{}?code={REPORT_SECRET}", reports::PATH);
    for (target, limit) in [(HOOK_PATH, 64 << 10), (reports.as_str(), 1536 << 10)] {
        let (status, text) = nginx.post(ONE, target, "[".repeat(limit)).await;
        let is_the_hooks = status == 400 && !text.contains("<html>");
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
    let (status, _) = nginx.post(ONE, &format!("{path}?code={REPORT_SECRET}"), "[]").await;
    assert_eq!(status, 502);
    let log = until(|| {
        let log = nginx.folder.read("access.log");
        (log.lines().count() > wanted.len()).then_some(log)
    })
    .await;
    assert!(log.contains(&format!("\"POST {path}\" 200 ")), "{log}");
    for file in ["access.log", "error.log"] {
        assert!(!nginx.folder.read(file).contains(REPORT_SECRET), "{}", nginx.folder.read(file));
    }
}

#[tokio::test]
async fn one_address_has_no_more_than_its_share_and_another_is_answered() {
    let hook = Hook::with("limits.per_number = ''").await;
    let Some(nginx) = Nginx::start(&hook).await else { return };
    let share = number(&read("sample/nginx.conf"), "limit_conn address ");
    let mut under_way = Vec::new();
    for _ in 1..share {
        under_way.push(nginx.begin(ONE).await);
        trickle(&mut under_way).await;
    }
    nginx.is_answered(ONE).await;
    // One more: the share, and whatever nginx has let go of meanwhile.
    until_told(async || {
        under_way.push(nginx.begin(ONE).await);
        trickle(&mut under_way).await;
        nginx.is_refused(ONE).await
    })
    .await;
    nginx.is_answered(ANOTHER).await;
    drop(under_way);
    until_told(async || match nginx.is_refused(ONE).await {
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

/// That one has two hosts behind it and no TLS; what becomes of a hook whose host fails must be the same, but that with
/// nobody to repeat at it waits longer.
#[test]
fn nginx_in_front_of_one_host_repeats_as_the_one_that_was_tried_with_two() {
    let (ours, tried) = (read("sample/nginx.conf"), read("dev/tests/scale/nginx.conf"));
    let is_another = |line: &str| {
        ["$http_host", "_temp_path", "proxy_read_timeout"].iter().any(|it| line.contains(it))
    };
    for setting in settings(&tried, "proxy_").iter().filter(|line| !is_another(line)) {
        assert!(settings(&ours, "proxy_").contains(setting), "{setting}");
    }
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

    async fn status(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
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
    let pages = ["README.md", "docs/settings.md", "docs/observability.md", "docs/policy.md"];
    let lines: Vec<_> = pages.iter().flat_map(|page| spin_ups(&read(page))).collect();
    assert!(lines.len() >= 5, "{lines:?}");
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
    // Each is answered 401, and has a line of the log.
    for _ in 0..3 {
        assert_eq!(spin.status("/api/deliveries").await, "401");
    }
    until(|| (lines("log/okta-telephony_stdout.txt") == 3).then_some(())).await;
    let moved = Command::new("logrotate")
        .args(["--force", "--state", &folder.path("state-of-logrotate"), &folder.path("rotation")])
        .output()
        .unwrap();
    assert!(moved.status.success(), "{moved:?}");
    for _ in 0..2 {
        assert_eq!(spin.status("/api/deliveries").await, "401");
    }
    until(|| (lines("log/okta-telephony_stdout.txt") == 2).then_some(())).await;
    assert_eq!(lines("log/okta-telephony_stdout.txt.1"), 3);
    // None of them is in what Spin itself says.
    assert!(!folder.read("output").contains("\"event\":"), "{}", folder.read("output"));
}

#[test]
fn systemd_takes_the_service() {
    let folder = Folder::new();
    // Spin is not there.
    let unit =
        with(&read("sample/okta-telephony.service"), &[("/usr/local/bin/spin", "/bin/true")]);
    folder.write("okta-telephony.service", &unit);
    let unit = folder.path("okta-telephony.service");
    let Ok(output) = Command::new("systemd-analyze").args(["verify", &unit]).output() else {
        return skipped("no service was looked at, since systemd-analyze is not installed");
    };
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !told.contains("okta-telephony.service:"), "{told}");
}

/// Whoever is on a machine sees the arguments of each process there.
#[test]
fn no_command_of_the_pages_has_the_secret_of_reports_in_its_arguments() {
    let page = read("docs/delivery-reports.md").replace("\\\n", " ");
    let used: Vec<_> = page.lines().filter(|line| line.contains("$secret")).collect();
    assert!(!used.is_empty());
    // The shell's own, which is no process.
    let of_printf = |line: &&&str| line.starts_with("printf '%s' \"$secret\" | az ");
    let once = |line: &&&str| line.matches("$secret").count() == 1;
    assert_eq!(used.iter().filter(of_printf).filter(once).count(), used.len(), "{used:?}");
}
