//! A hook of its own for each test: an emulator, a host, and the log of both.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use okta_telephony_dev::acs_emulator::{self, AcsEmulator};
use okta_telephony_dev::component;
use okta_telephony_dev::local_host::{Manifest, Settings};
use okta_telephony_dev::tls;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpStream;
use toml::Table;

use crate::host::Host;

pub const SECRET: &str = "hook-secret-c0ffee";
pub const ACCESS_KEY: &str = "YWNjZXNzLWtleS1vZi10aGUtZW11bGF0b3I=";
pub const HOOK_PATH: &str = "/api/okta-telephony";
/// The `requestType` of a person who enrols a phone.
pub const ENROLLMENT: &str = "com.okta.user.telephony.pre-enrollment";

/// The manifest of this checkout.
pub fn manifest() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("spin.toml")
}

/// The encoded component, built once with the manifest's own command.
pub fn component() -> &'static [u8] {
    static COMPONENT: OnceLock<Vec<u8>> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        let manifest = Manifest::read(&manifest()).expect("spin.toml is in order");
        component::build(&manifest).expect("the component builds").component
    })
}

/// A host that serves the component, and the emulator that it sends to.
pub struct Hook {
    pub acs: AcsEmulator,
    pub host: Host,
    pub log: Log,
}

/// What the component and the host have printed.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn sink(&self) -> Arc<dyn Fn(&str) + Send + Sync> {
        let lines = self.0.clone();
        Arc::new(move |line| lines.lock().unwrap().push(line.to_owned()))
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// The hooks' lines once there are `count`: a line is printed after the answer has left.
    pub async fn hooks(&self, count: usize) -> Vec<Value> {
        let json = |line: &String| serde_json::from_str::<Value>(line).ok();
        until(|| {
            let lines: Vec<_> = self.lines().iter().filter_map(json).collect();
            (lines.len() >= count).then_some(lines)
        })
        .await
    }
}

/// Says that a test was skipped, past the test runner, which keeps the output of what passes. Where
/// all must be proven (`CI` is set) nothing may be skipped.
pub fn skipped(what: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
    assert!(std::env::var_os("CI").is_none(), "skipped although CI is set: {what}");
}

/// Waits for a condition, ten seconds at most.
pub async fn until<T>(condition: impl FnMut() -> Option<T>) -> T {
    within(Duration::from_secs(10), condition).await
}

/// Waits for a condition.
pub async fn within<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < end, "the condition did not come about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Asks until the answer is what is waited for, ten seconds at most; what it is before that is an `Err`.
pub async fn until_told<T>(mut ask: impl AsyncFnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let told = match ask().await {
            Ok(value) => return value,
            Err(told) => told,
        };
        assert!(Instant::now() < end, "what was waited for did not come about: {told}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How a hook is set up: what is different from a hook that works, which has four variables and two empty
/// documents. A text alone is what the document `settings` has.
///
/// ```
/// Hook::with("policy.sending = false");
/// Hook::with(Setup::new().settings("okta.header_name = 'x-key'").secrets("okta.header_secret = 'c0ffee'"));
/// ```
#[derive(Clone, Default)]
pub struct Setup {
    settings: Table,
    secrets: Table,
    variables: BTreeMap<&'static str, String>,
}

impl Setup {
    pub fn new() -> Self {
        Self::default()
    }

    /// Merges lines of TOML into the document `settings`, key by key.
    pub fn settings(mut self, lines: &str) -> Self {
        merge(&mut self.settings, lines.parse().unwrap_or_else(|error| panic!("{lines}: {error}")));
        self
    }

    /// Merges lines of TOML into the document `secrets`, key by key.
    pub fn secrets(mut self, lines: &str) -> Self {
        merge(&mut self.secrets, lines.parse().unwrap_or_else(|error| panic!("{lines}: {error}")));
        self
    }

    /// Gives a variable this value, to the letter; `settings` and `secrets` as well, which are then what is
    /// not merged with anything.
    pub fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.insert(name, value.into());
        self
    }

    /// Adds what is different in another setup.
    pub fn and(mut self, more: impl Into<Self>) -> Self {
        let Self { settings, secrets, variables } = more.into();
        merge(&mut self.settings, settings);
        merge(&mut self.secrets, secrets);
        self.variables.extend(variables);
        self
    }

    /// All nine variables, of a hook that sends to this emulator.
    fn all_variables(self, acs: &AcsEmulator) -> BTreeMap<&'static str, String> {
        let nothing = "https://*.communication.azure.com";
        let mut all = BTreeMap::from([
            ("okta_user", "okta".to_owned()),
            ("okta_basic_secret", SECRET.to_owned()),
            ("acs_connection_string", acs.connection_string()),
            ("acs_from_shortcode", "12345".to_owned()),
            ("settings", self.settings.to_string()),
            ("secrets", self.secrets.to_string()),
            ("outbound_host1", acs.origin()),
            ("outbound_host2", nothing.to_owned()),
            ("outbound_host3", nothing.to_owned()),
        ]);
        all.extend(self.variables);
        assert_eq!(all.len(), 9, "{:?}", all.keys());
        all
    }
}

impl From<&str> for Setup {
    fn from(settings: &str) -> Self {
        Self::new().settings(settings)
    }
}

impl From<String> for Setup {
    fn from(settings: String) -> Self {
        Self::new().settings(&settings)
    }
}

/// Merges a document into another one, key by key.
pub fn merge(document: &mut Table, more: Table) {
    for (key, value) in more {
        match (document.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(more)) => merge(inner, more),
            (_, value) => drop(document.insert(key, value)),
        }
    }
}

impl Hook {
    /// A hook that is configured and works.
    pub async fn start() -> Self {
        Self::with(Setup::new()).await
    }

    /// A hook with these differences.
    pub async fn with(setup: impl Into<Setup>) -> Self {
        Self::with_host(setup, |host| host).await
    }

    /// A hook whose differences depend on the emulator.
    pub async fn with_acs(setup: impl FnOnce(&AcsEmulator) -> Setup) -> Self {
        let acs = start_acs().await;
        let setup = setup(&acs);
        Self::serve(acs, setup, |host| host).await
    }

    /// A hook in a host with other settings.
    pub async fn with_host(
        setup: impl Into<Setup>,
        change: impl FnOnce(Settings) -> Settings,
    ) -> Self {
        Self::serve(start_acs().await, setup.into(), change).await
    }

    async fn serve(
        acs: AcsEmulator,
        setup: Setup,
        change: impl FnOnce(Settings) -> Settings,
    ) -> Self {
        let log = Log::default();
        let mut settings = Settings::new(manifest());
        settings.certificate_authorities.push(tls::certificate_authority());
        for (name, value) in setup.all_variables(&acs) {
            settings = settings.variable(name, value);
        }
        settings.stdout = log.sink();
        settings.stderr = log.sink();
        let host = Host::start(change(settings)).await;
        Self { acs, host, log }
    }

    /// A request as Okta sends it, its body still to come.
    pub fn request(&self) -> hyper::http::request::Builder {
        Request::builder()
            .method(Method::POST)
            .uri(HOOK_PATH)
            .header(HOST, self.host.address().to_string())
            .header(AUTHORIZATION, basic("okta", SECRET))
            .header(CONTENT_TYPE, "application/json")
    }

    /// Posts a body as Okta does.
    pub async fn post(&self, body: impl Into<Bytes>) -> Answer {
        self.send(self.request().body(Full::new(body.into())).unwrap()).await
    }

    pub async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let started = Instant::now();
        let stream = TcpStream::connect(self.host.address()).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let response = sender.send_request(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
            elapsed: started.elapsed(),
        }
    }
}

async fn start_acs() -> AcsEmulator {
    let loopback = "127.0.0.1:0".parse().unwrap();
    AcsEmulator::start(acs_emulator::Settings::new(loopback, ACCESS_KEY)).await.unwrap()
}

pub fn basic(user: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{secret}")))
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub elapsed: Duration,
}

/// How an answer is worded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Documented,
    Classic,
}

impl Answer {
    /// The one command's value, which must be of this form, and all of it in order.
    pub fn value(&self, form: Form) -> Value {
        let body: Value = serde_json::from_str(&self.text).expect("the answer is JSON");
        let commands = body["commands"].as_array().expect("there are commands");
        assert_eq!(commands.len(), 1, "{body}");
        assert_eq!(commands[0]["type"], "com.okta.telephony.action");
        let value = match (&commands[0]["value"], form) {
            (Value::Array(values), Form::Documented) if values.len() == 1 => values[0].clone(),
            (Value::Object(value), Form::Classic) => value.clone().into(),
            _ => panic!("the answer is not of the {form:?} form: {body}"),
        };
        let provider = value["provider"].as_str().unwrap();
        assert!(["ACS", "Infobip", "Telesign", "Twilio", "none"].contains(&provider), "{provider}");
        assert_eq!(self.headers["content-type"], "application/json");
        assert_eq!(self.headers["content-length"], self.text.len().to_string().as_str());
        value
    }

    /// Asserts that a message was accepted, and gives its id.
    #[track_caller]
    pub fn accepted(&self, form: Form) -> String {
        let value = self.value(form);
        let status = if form == Form::Documented { "SUCCESSFUL" } else { "SUCCESS" };
        assert_eq!((self.status, &value["status"]), (200, &status.into()), "{}", self.text);
        value["transactionId"].as_str().expect("an accepted message has an id").to_owned()
    }

    /// Asserts that nothing was accepted, for this reason.
    #[track_caller]
    pub fn failed(&self, form: Form, status: u16, reason: &str) {
        let value = self.value(form);
        assert_eq!(value["status"], "FAILED", "{}", self.text);
        assert_eq!(
            (self.status, &value["transactionMetadata"]),
            (status, &reason.into()),
            "{}",
            self.text
        );
        let body: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(body["debugContext"]["reason"], reason);
        assert!(!body["debugContext"]["fix"].as_str().unwrap().is_empty());
    }
}

/// Okta's envelope for a number, fresh, with an event id of its own.
pub fn envelope(number: &str) -> Value {
    let sample = include_str!("../../sample/okta-envelope.json");
    let mut envelope: Value = serde_json::from_str(sample).unwrap();
    envelope["eventId"] = event_id().into();
    envelope["eventTime"] = from_now(0).into();
    let profile = &mut envelope["data"]["messageProfile"];
    profile["otpExpires"] = from_now(300).into();
    profile["phoneNumber"] = number.into();
    envelope
}

/// The bare payload for a number.
pub fn bare(number: &str) -> Value {
    let sample = include_str!("../../sample/request.json");
    let mut payload: Value = serde_json::from_str(sample).unwrap();
    payload["data"]["messageProfile"]["phoneNumber"] = number.into();
    payload
}

/// An event id that no other test has.
pub fn event_id() -> String {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("event-{}-{next}", std::process::id())
}

/// A date so many seconds from now, as Okta writes it.
pub fn from_now(seconds: i64) -> String {
    let date = OffsetDateTime::from(SystemTime::now()) + time::Duration::seconds(seconds);
    date.replace_millisecond(0).unwrap().format(&Rfc3339).unwrap()
}
