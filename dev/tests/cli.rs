//! `cargo run`, as a person sees it: the process, its output, and how it ends.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
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
    fn start(arguments: &[&str]) -> Self {
        let state = format!("{}/state-{}", env!("CARGO_TARGET_TMPDIR"), arguments.len());
        let mut process = command()
            .args(["--listen", "127.0.0.1:0", "--state-dir", &state])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { process, lines, seen: Vec::new() }
    }

    /// Waits for a line that has `label`, and gives what follows it. The component may have to be
    /// built first.
    fn line(&mut self, label: &str) -> String {
        let end = Instant::now() + Duration::from_secs(400);
        loop {
            let line = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|e| panic!("no `{label}` ({e}) after {:#?}", self.seen));
            self.seen.push(line.clone());
            if let Some((_, rest)) = line.split_once(label) {
                return rest.trim().to_owned();
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

/// The program, in the repository's folder and with nothing set.
fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_okta-telephony-dev"));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
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

#[test]
fn without_arguments_the_hook_sends_to_the_emulator_and_ctrl_c_ends_both() {
    let mut running = Running::start(&["--emulator-listen", "127.0.0.1:0"]);
    let hook = running.line("Okta hook");
    running.line("Phone page");
    let authorization = running.line("Authorization");
    assert_eq!(authorization, "Basic b2t0YTpzdXBlcnNlY3JldA==");
    running.line("curl -i");
    running.line("Stop with Ctrl-C.");
    let answer = post(&hook, &authorization);
    assert!(answer.contains(r#""status":"SUCCESS""#), "{answer}");
    let line = running.line(r#""event":"hook""#);
    assert!(line.contains(r#""outcome":"accepted""#), "{line}");
    assert!(running.interrupt());
}

#[test]
fn with_an_acs_of_ones_own_there_is_no_emulator_and_the_built_in_secret_is_not_the_hooks() {
    let acs =
        "acs_connection_string=endpoint=https://contoso.communication.azure.com/;accesskey=a2V5";
    let mut running = Running::start(&["--variable", acs]);
    let hook = running.line("Okta hook");
    let named = running.line("ACS");
    assert!(named.contains("contoso.communication.azure.com"), "{named}");
    let authorization = running.line("Authorization");
    assert!(authorization.len() > 40 && authorization != "Basic b2t0YTpzdXBlcnNlY3JldA==");
    running.line("Stop with Ctrl-C.");
    assert!(!running.seen.iter().any(|line| line.contains("Phone page") || line.contains("a2V5")));
    let answer = post(&hook, "Basic b2t0YTpzdXBlcnNlY3JldA==");
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(running.interrupt());
}

#[test]
fn what_can_not_work_is_said_with_its_fix_before_anything_is_built() {
    for (arguments, fix) in [
        (&["--variable", "acs_conection_string=x"][..], "acs_conection_string"),
        (&["--listen", "0.0.0.0:0", "--variable", "okta_basic_secret=supersecret"], "supersecret"),
        (&["--from", "/nowhere/spin.toml"], "/nowhere/spin.toml"),
        (&["--tls-cert", "x.pem"], "--tls-key"),
    ] {
        let output = command().args(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(error.contains(fix), "{arguments:?}: {error}");
    }
}
