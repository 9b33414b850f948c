//! `cargo run`, as a person sees it: the process, its output, and how it ends.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A running `cargo run`, whose standard output is read line by line.
struct Running {
    process: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Running {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let folder = folder(name);
        let mut command = command(&folder);
        command.args(["--from", MANIFEST, "--listen", "127.0.0.1:0"]).args(arguments);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { process, lines, seen: Vec::new() }
    }

    /// Waits for a line that has `label`, unless there was one, and gives what follows it. The
    /// component may have to be built first.
    fn line(&mut self, label: &str) -> String {
        let rest = |line: &String| Some(line.split_once(label)?.1.trim().to_owned());
        if let Some(rest) = self.seen.iter().find_map(rest) {
            return rest;
        }
        let end = Instant::now() + Duration::from_secs(400);
        loop {
            let line = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|e| panic!("no `{label}` ({e}) after {:#?}", self.seen));
            self.seen.push(line);
            if let Some(rest) = self.seen.last().and_then(rest) {
                return rest;
            }
        }
    }

    /// Ends it as Ctrl-C does, and gives whether it ended well.
    fn interrupt(mut self) -> bool {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        self.process.wait().unwrap().success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../spin.toml");

/// An empty folder for a test, with a `.env` of its own: what the repository's holds is not meant
/// here.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(".env"), "").unwrap();
    folder
}

/// The program, with nothing set.
fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_okta-telephony-dev"));
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SPIN_VARIABLE_") {
            command.env_remove(name);
        }
    }
    command
}

/// Posts the sample, and gives the whole answer.
fn post(hook: &str, authorization: &str) -> String {
    let address = hook.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let body = include_str!("../../sample/request.json");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /api/okta-telephony HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Authorization: {authorization}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A page, whole.
fn get(url: &str) -> String {
    let address = url.strip_prefix("http://").unwrap().trim_end_matches('/');
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

#[test]
fn without_arguments_the_hook_sends_to_the_emulator_and_hears_of_the_delivery() {
    let mut running = Running::start("emulator", &["--emulator-listen", "127.0.0.1:0"]);
    let hook = running.line("Okta hook");
    running.line("Phone page");
    let origin = hook.strip_suffix("/api/okta-telephony").unwrap();
    let reports = format!("delivered to {origin}/api/delivery-reports");
    assert_eq!(running.line("Reports"), reports);
    let events = format!("delivered to {origin}/api/okta-events");
    assert_eq!(running.line("Okta events"), events);
    assert_eq!(running.line("Deliveries"), format!("{origin}/api/deliveries"));
    assert_eq!(running.line("Operator"), "operator / look-only");
    let authorization = running.line("Authorization");
    assert_eq!(authorization, "Basic b2t0YTpzdXBlcnNlY3JldA==");
    running.line("curl -i");
    running.line("Stop with Ctrl-C.");
    let answer = post(&hook, &authorization);
    assert!(answer.contains(r#""status":"SUCCESS""#), "{answer}");
    let line = running.line(r#""event":"hook""#);
    assert!(line.contains(r#""outcome":"accepted""#), "{line}");
    let line = running.line(r#""event":"delivery_report""#);
    assert!(line.contains(r#""status":"delivered""#), "{line}");
    assert!(running.interrupt());
}

#[test]
fn acs_that_hangs_leaves_the_message_to_infobip() {
    let mut running = Running::start(
        "two-providers",
        &[
            "--emulator-listen",
            "127.0.0.1:0",
            "--provider",
            "acs",
            "--provider",
            "infobip",
            "--fault",
            "+15550103001",
        ],
    );
    let hook = running.line("Okta hook");
    assert_eq!(running.line("  Infobip "), "the emulator: no message is sent");
    assert!(running.line("Fault").contains("of every message to ACS: never answered"));
    let page = running.line("Phone page");
    let origin = hook.strip_suffix("/api/okta-telephony").unwrap();
    for path in ["/api/delivery-reports", "/api/delivery-reports/infobip"] {
        assert_eq!(running.line(&format!("delivered to {origin}{path}")), "");
    }
    let authorization = running.line("Authorization");
    running.line("Stop with Ctrl-C.");
    let answer = post(&hook, &authorization);
    assert!(answer.contains(r#""status":"SUCCESS""#), "{answer}");
    let line = running.line(r#""event":"hook""#);
    assert!(line.contains(r#""provider":"infobip""#), "{line}");
    assert!(line.contains(r#""failed_over":"deadline_exceeded""#), "{line}");
    // One phone for both.
    let page = get(&page);
    assert!(page.contains(r#"by <b data-text="provider">Infobip</b>"#), "{page}");
    assert!(page.contains("Fault: +15550103001"), "{page}");
    let line = running.line(r#""event":"delivery_report""#);
    assert!(line.contains(r#""status":"delivered""#), "{line}");
    assert!(running.interrupt());
}

#[test]
fn twilio_reports_to_the_hook_that_runs() {
    let more = ["--emulator-listen", "127.0.0.1:0", "--provider", "twilio", "--report-delay", "0"];
    let mut running = Running::start("twilio", &more);
    let hook = running.line("Okta hook");
    assert_eq!(running.line("  Twilio "), "the emulator: no message is sent");
    let origin = hook.strip_suffix("/api/okta-telephony").unwrap();
    assert_eq!(running.line(&format!("delivered to {origin}/api/delivery-reports/twilio")), "");
    let authorization = running.line("Authorization");
    running.line("Stop with Ctrl-C.");
    let answer = post(&hook, &authorization);
    assert!(answer.contains(r#""status":"SUCCESS""#), "{answer}");
    running.line(r#""reported_status":"sent""#);
    running.line(r#""event":"delivery_report","status":"delivered""#);
    assert!(running.interrupt());
}

#[test]
fn with_an_acs_of_ones_own_there_is_no_emulator_and_the_built_in_secret_is_not_the_hooks() {
    let acs =
        "acs_connection_string=endpoint=https://contoso.communication.azure.com/;accesskey=a2V5";
    let mut running = Running::start("acs", &["--variable", acs]);
    let hook = running.line("Okta hook");
    let named = running.line("Provider");
    assert!(named.contains("contoso.communication.azure.com"), "{named}");
    let authorization = running.line("Authorization");
    // `okta:` and 32 hexadecimal digits.
    assert_eq!(authorization.len(), "Basic ".len() + 52, "{authorization}");
    assert!(authorization.starts_with("Basic b2t0YT"), "{authorization}");
    // The sample's number belongs to nobody, and a real resource charges for it all the same.
    let trial = running.line("OKTA_BASIC_SECRET=");
    assert!(trial.contains("TO=+") && trial.contains("scripts/curl-test.sh http://"), "{trial}");
    running.line("Stop with Ctrl-C.");
    let absent =
        ["Phone page", "a2V5", "curl -i", "Reports", "Okta events", "Deliveries", "Operator"];
    let seen = |text: &&str| running.seen.iter().any(|line| line.contains(*text));
    assert_eq!(absent.iter().find(|text| seen(text)), None, "{:#?}", running.seen);
    let answer = post(&hook, "Basic b2t0YTpzdXBlcnNlY3JldA==");
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(running.interrupt());
}

/// A webhook that is not ready at first, and then agrees to a subscription of its secret's.
fn webhook() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (attempt, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let mut request = BufReader::new(stream);
            let (mut length, mut secret, mut line) = (0, String::new(), String::new());
            while request.read_line(&mut line).unwrap() > 2 {
                let (name, value) = line.trim_end().split_once(": ").unwrap_or_default();
                match name {
                    "content-length" => length = value.parse().unwrap(),
                    "x-report-secret" => secret = value.to_owned(),
                    _ => {}
                }
                line.clear();
            }
            let mut body = vec![0; length];
            request.read_exact(&mut body).unwrap();
            let body = String::from_utf8(body).unwrap();
            let code =
                body.split("\"validationCode\":\"").nth(1).unwrap().split('"').next().unwrap();
            let answer = format!("{{\"validationResponse\":\"{code}\"}}");
            let status = match attempt {
                0 => "503 Service Unavailable",
                _ if secret == "of-the-webhook" => "200 OK",
                _ => "401 Unauthorized",
            };
            write!(
                request.get_mut(),
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{answer}",
                answer.len()
            )
            .unwrap();
        }
    });
    address
}

#[test]
fn the_emulator_alone_asks_a_webhook_until_it_agrees() {
    let folder = folder("reports");
    let url = format!("http://{}/api/delivery-reports", webhook());
    let mut emulator = command(&folder);
    emulator.args(["emulator", "--listen", "127.0.0.1:0", "--reports-to", &url]);
    emulator.args(["--report-secret", "of-the-webhook"]);
    let mut running = Running::spawn(emulator);
    assert!(running.line("acs_connection_string").starts_with("endpoint=http://127.0.0.1:"));
    let telemetry = running.line("connection_string = ");
    assert!(telemetry.starts_with("\"InstrumentationKey="), "{telemetry}");
    let first = running.line("No delivery reports yet");
    assert!(first.contains(&url) && first.contains("503"), "{first}");
    assert_eq!(running.line("Delivery reports go to"), url);
    assert!(running.interrupt());
}

#[test]
fn reports_that_would_leave_the_machine_are_refused_at_once() {
    let output = command(&folder("reports-elsewhere"))
        .args(["emulator", "--listen", "127.0.0.1:0", "--report-secret", "s"])
        .args(["--reports-to", "https://contoso.example/api/delivery-reports"])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(error.contains("on this machine only"), "{error}");
}

#[test]
fn what_can_not_work_is_said_with_its_fix_before_anything_is_built() {
    let folder = folder("unbuilt");
    let manifest = fs::read_to_string(MANIFEST).unwrap();
    let command_line = manifest.lines().find(|line| line.starts_with("command = ")).unwrap();
    let manifest = manifest.replace(command_line, "command = \"touch built\"");
    fs::write(folder.join("spin.toml"), manifest).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (arguments, fix) in [
        (&["--variable", "acs_conection_string=x"][..], "acs_conection_string"),
        (&["--listen", "0.0.0.0:0", "--variable", "okta_basic_secret=supersecret"], "supersecret"),
        (
            &["--listen", "0.0.0.0:0", "--variable", "secrets=operator.secret='look-only'"],
            "look-only",
        ),
        (&["--listen", "192.0.2.1:1"], "--listen"),
        (&["--listen", &address], "already in use"),
        (&["--from", "/nowhere/spin.toml"], "/nowhere/spin.toml"),
    ] {
        let output = command(&folder).args(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(error.contains(fix), "{arguments:?}: {error}");
        assert!(!folder.join("built").exists(), "{arguments:?}");
    }
    command(&folder).args(["--listen", "127.0.0.1:0"]).output().unwrap();
    assert!(folder.join("built").exists(), "what can work is built");
}

#[test]
fn a_line_of_dot_env_that_is_none_is_told_without_its_text() {
    let folder = folder("dot-env");
    fs::write(folder.join(".env"), "SPIN_VARIABLE_OKTA_BASIC_SECRET=top secret\n").unwrap();
    let output = command(&folder).args(["--from", MANIFEST]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(error.contains(".env") && !error.contains("top"), "{error}");
}

#[test]
fn a_configuration_is_checked_before_anything_is_deployed() {
    let folder = folder("check");
    fs::write(folder.join("settings.toml"), "[okta]\n\ndeadline_ms = 5\n").unwrap();
    let check = |arguments: &[&str]| {
        let output = command(&folder).args(["check", "--from", MANIFEST]).args(arguments).output();
        let output = output.unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), stdout, String::from_utf8(output.stderr).unwrap())
    };
    let (code, stdout, _) = check(&["--variable", "settings=@settings.toml"]);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("PROBLEM  settings line 3: okta.deadline_ms "), "{stdout}");
    let (code, stdout, _) = check(&[
        "--variable",
        "okta_basic_secret=of-the-tests-0123456789",
        "--variable",
        "acs_connection_string=endpoint=https://contoso.communication.azure.com/;accesskey=a2V5",
        "--variable",
        "acs_from_shortcode=12345",
    ]);
    assert_eq!((code, stdout.lines().last()), (Some(0), Some("ok")), "{stdout}");
    assert!(stdout.contains("WARNING  settings"), "{stdout}");
    let (code, _, stderr) = check(&["--variable", "setings=x"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("there is no variable `setings`"), "{stderr}");
}

#[test]
fn an_emulators_port_that_is_taken_is_said_once_with_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = command(&folder("taken")).args(["emulator", "--listen", &address]).output();
    let error = String::from_utf8(output.unwrap().stderr).unwrap();
    let fix = "is already in use: give the ACS emulator another address with --listen";
    assert_eq!(error, format!("error: {address} {fix}\n"));
}

#[test]
fn who_stops_reading_does_not_stop_the_hook() {
    let mut running = Running::start("unread", &["--emulator-listen", "127.0.0.1:0"]);
    let hook = running.line("Okta hook");
    let authorization = running.line("Authorization");
    running.line("Stop with Ctrl-C.");
    // Drops the receiver: the thread that reads ends at the next line, and closes the pipe.
    running.lines = channel().1;
    for _ in 0..4 {
        assert!(post(&hook, &authorization).contains(r#""status":"SUCCESS""#));
    }
    assert!(running.interrupt());
}

#[test]
fn the_emulator_alone_says_how_spin_comes_to_trust_it() {
    let folder = folder("ca-file");
    let file = folder.join("ca.pem");
    let mut emulator = command(&folder);
    emulator.args(["emulator", "--listen", "127.0.0.1:0", "--ca-file"]).arg(&file);
    let mut running = Running::spawn(emulator);
    assert!(running.line("acs_connection_string").starts_with("endpoint=https://127.0.0.1:"));
    assert_eq!(running.line("hosts = "), r#"["127.0.0.1"]"#);
    assert_eq!(running.line("ca_roots_file = "), format!("{file:?}"));
    assert!(fs::read_to_string(&file).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    running.line("Stop with Ctrl-C.");
    assert!(running.interrupt());
}
