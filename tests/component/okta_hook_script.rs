//! scripts/okta-hook.sh against a stand-in of Okta's API. Skipped where there is no bash, curl or jq. Its commands for the
//! event hook are in okta_events_script.rs.
//!
//! The stand-in checks what Okta's OpenAPI description demands. What the description leaves open, such
//! as the words with which a second active telephony hook is refused, is made up here.

use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::harness::skipped;
use crate::okta_events_script;

// What curl's configuration, JSON, base64 or a shell could garble.
pub const TOKEN: &str = "00api-t0ken \"of\\ $the tests";
pub const SECRET: &str = "s3cret \"of\\the' $hook & ü";
const URL: &str = "https://hook.example.com/api/okta-telephony";
const CREATE: [&str; 6] = ["create", "--name", "SMS \"through\" ACS", "--url", URL, "--auth"];
const BASIC: [(&str, &str); 1] = [("OKTA_BASIC_SECRET", SECRET)];
const CLIENT: [(&str, &str); 3] = [
    ("TOKEN_URL", "https://your-org.okta.com/oauth2/default/v1/token"),
    ("CLIENT_ID", "0oaj43vkrq7wKxZSI5e6"),
    ("SCOPE", "telephony"),
];

/// Okta's API for inline hooks and event hooks, as much as the script needs.
pub struct Okta {
    pub url: String,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    /// As they were sent, with their secrets, and with id and status.
    hooks: Vec<Value>,
    event_hooks: Vec<Value>,
    requests: Vec<String>,
    executed: Vec<Value>,
    /// What the next call is answered, whatever it is.
    next: Option<(u16, String)>,
    /// What the hook answers.
    hook_says: Value,
}

impl Drop for Okta {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Okta {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let accepted = json!({"commands": [{"type": "com.okta.telephony.action",
            "value": [{"status": "SUCCESSFUL", "provider": "ACS", "transactionId": "Outgoing_1"}]}]});
        let state = Arc::new(Mutex::new(State { hook_says: accepted, ..State::default() }));
        let shared = state.clone();
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = shared.clone();
                let service = service_fn(move |request| serve(shared.clone(), request));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self { url, state, server }
    }

    /// Runs the script against this org; `None` where it can't.
    pub async fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Option<Run> {
        let token = ("OKTA_API_TOKEN", TOKEN);
        run(arguments, &[&[("OKTA_ORG_URL", &*self.url), token], environment].concat()).await
    }

    /// Adds an active hook and gives its id; `None` where the script can't run.
    async fn with_hook(&self) -> Option<String> {
        let created = self.run(&[&CREATE[..], &["basic", "--send"]].concat(), &BASIC).await?;
        assert_eq!(created.code, 0, "{created:?}");
        Some(self.hooks().last().unwrap()["id"].as_str().unwrap().to_owned())
    }

    fn hooks(&self) -> Vec<Value> {
        self.state.lock().unwrap().hooks.clone()
    }

    pub fn event_hooks(&self) -> Vec<Value> {
        self.state.lock().unwrap().event_hooks.clone()
    }

    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    pub fn answer_next(&self, status: u16, body: &str) {
        self.state.lock().unwrap().next = Some((status, body.to_owned()));
    }
}

async fn serve(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let path = head.uri.path_and_query().unwrap().as_str();
    let (status, body) =
        state.lock().unwrap().answer(head.method.as_str(), path, &head.headers, &body);
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status.try_into().unwrap();
    response.headers_mut().insert(CONTENT_TYPE, "application/json".parse().unwrap());
    Ok(response)
}

/// An error in Okta's words.
pub fn error(status: u16, code: &str, summary: &str, causes: &[&str]) -> (u16, String) {
    let causes: Vec<_> = causes.iter().map(|cause| json!({ "errorSummary": cause })).collect();
    let body = json!({"errorCode": code, "errorSummary": summary, "errorLink": code,
        "errorId": "oaeSample1", "errorCauses": causes});
    (status, body.to_string())
}

pub fn invalid(what: &str, cause: &str) -> (u16, String) {
    error(400, "E0000001", &format!("Api validation failed: {what}"), &[cause])
}

/// A hook as Okta shows it: without its secrets.
pub fn shown(hook: &Value) -> Value {
    let mut hook = hook.clone();
    let config = hook["channel"]["config"].as_object_mut().unwrap();
    config.remove("clientSecret");
    match config.get_mut("authScheme") {
        Some(scheme) => drop(scheme.as_object_mut().unwrap().remove("value")),
        None => drop(config.insert("authScheme".to_owned(), Value::Null)),
    }
    hook
}

/// What the description says of a hook that is sent.
fn check(hook: &Value) -> Result<(), String> {
    let text = |value: &Value, what: &str| match value.as_str() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("{what}: The field cannot be left blank")),
    };
    let demand = |fulfilled: bool, what: &str| fulfilled.then_some(()).ok_or(what.to_owned());
    demand(text(&hook["name"], "name")?.len() <= 255, "name: too long")?;
    demand(hook["version"] == "1.0.0", "version: must be 1.0.0")?;
    let (channel, config) = (&hook["channel"], &hook["channel"]["config"]);
    demand(channel["version"] == "1.0.0", "channel.version: must be 1.0.0")?;
    demand(config["method"] == "POST", "method: must be POST")?;
    demand(config["headers"].is_array(), "headers: must be a list")?;
    let uri = text(&config["uri"], "uri")?;
    let fits = uri.starts_with("https://") && uri.len() <= 1024 && !uri.contains(' ');
    demand(fits, "uri: must be https")?;
    let scheme = &config["authScheme"];
    if channel["type"] == "HTTP" {
        demand(scheme["type"] == "HEADER", "authScheme: The field cannot be left blank")?;
        text(&scheme["key"], "authScheme.key")?;
        text(&scheme["value"], "authScheme.value")?;
        return demand(config.get("authType").is_none(), "authType: not with HTTP");
    }
    demand(channel["type"] == "OAUTH", "channel.type: must be HTTP or OAUTH")?;
    demand(scheme.is_null(), "authScheme: must be null")?;
    text(&config["clientId"], "clientId")?;
    text(&config["scope"], "scope")?;
    demand(text(&config["tokenUrl"], "tokenUrl")?.starts_with("https://"), "tokenUrl: https")?;
    let of = |this: &str, other: &str| {
        text(&config[this], this)?;
        demand(config.get(other).is_none(), other)
    };
    match config["authType"].as_str() {
        Some("client_secret_post") => of("clientSecret", "hookKeyId"),
        Some("private_key_jwt") => of("hookKeyId", "clientSecret"),
        _ => Err("authType: must be client_secret_post or private_key_jwt".to_owned()),
    }
}

impl State {
    fn answer(
        &mut self,
        method: &str,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> (u16, String) {
        self.requests.push(format!("{method} {path}"));
        if let Some(next) = self.next.take() {
            return next;
        }
        if headers.get(AUTHORIZATION).map(|value| value.as_bytes())
            != Some(format!("SSWS {TOKEN}").as_bytes())
        {
            return error(401, "E0000011", "Invalid token provided", &[]);
        }
        assert_eq!(headers[ACCEPT], "application/json");
        if matches!(method, "POST" | "PUT") {
            assert_eq!(headers[CONTENT_TYPE], "application/json");
        } else {
            assert!(body.is_empty() && !headers.contains_key(CONTENT_TYPE));
        }
        if let Some(path) = path.strip_prefix("/api/v1/eventHooks") {
            return okta_events_script::answer(&mut self.event_hooks, method, path, body);
        }
        let path = path.strip_prefix("/api/v1/inlineHooks").expect("the path is of inline hooks");
        let parts: Vec<_> = path.split('/').skip(1).collect();
        match (method, path, parts.as_slice()) {
            ("GET", "?type=com.okta.telephony.provider", _) => {
                (200, Value::from_iter(self.hooks.iter().map(shown)).to_string())
            }
            ("POST", "", _) => self.create(body),
            (_, _, [id, action @ ..]) => {
                let Some(at) = self.hooks.iter().position(|hook| hook["id"] == *id) else {
                    let summary = format!("Not found: Resource not found: {id} (InlineHook)");
                    return error(404, "E0000007", &summary, &[]);
                };
                self.one(method, at, action, body)
            }
            _ => error(405, "E0000022", "The endpoint does not support the method", &[]),
        }
    }

    fn create(&mut self, body: &[u8]) -> (u16, String) {
        let Ok(mut hook) = serde_json::from_slice::<Value>(body) else {
            return error(400, "E0000003", "The request body was not well-formed.", &[]);
        };
        if let Err(cause) = check(&hook) {
            return invalid("inlineHook", &cause);
        }
        assert_eq!(hook["type"], "com.okta.telephony.provider");
        if self.hooks.iter().any(|hook| hook["status"] == "ACTIVE") {
            return invalid("type", "Only one active telephony hook is allowed");
        }
        hook["id"] = format!("cal{}", self.hooks.len() + 1).into();
        hook["status"] = "ACTIVE".into();
        self.hooks.push(hook);
        (200, shown(self.hooks.last().unwrap()).to_string())
    }

    fn one(&mut self, method: &str, at: usize, action: &[&str], body: &[u8]) -> (u16, String) {
        let status = match (method, action) {
            ("GET", []) => self.hooks[at]["status"].clone(),
            ("DELETE", []) if self.hooks[at]["status"] == "ACTIVE" => {
                return error(403, "E0000006", "You can't delete an active hook", &[]);
            }
            ("DELETE", []) => {
                self.hooks.remove(at);
                return (204, String::new());
            }
            ("PUT", []) => {
                let mut new: Value = serde_json::from_slice(body).unwrap();
                if let Err(cause) = check(&new) {
                    return invalid("inlineHook", &cause);
                }
                for kept in ["id", "type", "status"] {
                    assert!(new.get(kept).is_none(), "{kept} can't be replaced");
                    new[kept] = self.hooks[at][kept].clone();
                }
                self.hooks[at] = new;
                self.hooks[at]["status"].clone()
            }
            ("POST", ["execute"]) => {
                self.executed.push(serde_json::from_slice(body).unwrap());
                return (200, self.hook_says.to_string());
            }
            ("POST", ["lifecycle", "activate"])
                if self.hooks.iter().any(|hook| hook["status"] == "ACTIVE") =>
            {
                return invalid("type", "Only one active telephony hook is allowed");
            }
            ("POST", ["lifecycle", "activate"]) => "ACTIVE".into(),
            ("POST", ["lifecycle", "deactivate"]) => "INACTIVE".into(),
            _ => return error(405, "E0000022", "The endpoint does not support the method", &[]),
        };
        self.hooks[at]["status"] = status;
        (200, shown(&self.hooks[at]).to_string())
    }
}

#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the script with these variables and none of the developer's; `None` where it can't.
async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Option<Run> {
    for tool in ["bash", "curl", "jq"] {
        if Command::new(tool).arg("--version").output().await.is_err() {
            skipped(&format!("scripts/okta-hook.sh was not run, since {tool} is not installed"));
            return None;
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/okta-hook.sh");
    let mut command = Command::new("bash");
    command.arg(script).args(arguments).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap()).envs(environment.iter().copied());
    let Output { status, stdout, stderr } = command.output().await.unwrap();
    let run = Run {
        code: status.code().unwrap(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    };
    for secret in [TOKEN, SECRET] {
        // In JSON, the quote and the backslash look different.
        let escaped = json!(secret).to_string();
        for form in [secret, escaped.trim_matches('"')] {
            assert!(!run.stdout.contains(form) && !run.stderr.contains(form), "{run:?}");
        }
    }
    Some(run)
}

type Environment = Vec<(&'static str, &'static str)>;

/// Each way of proving that it is Okta: option, environment, and what the stand-in then has.
fn proofs() -> [(&'static str, Environment, Value); 4] {
    let header = json!({"type": "HEADER", "key": "X-Telephony-Key", "value": SECRET});
    // base64 of `okta:` and the secret.
    let basic = crate::harness::basic("okta", SECRET);
    let basic = json!({"type": "HEADER", "key": "Authorization", "value": basic});
    let oauth = |more: Value| {
        let mut config = json!({"clientId": "0oaj43vkrq7wKxZSI5e6", "scope": "telephony",
            "tokenUrl": "https://your-org.okta.com/oauth2/default/v1/token"});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    [
        ("basic", BASIC.to_vec(), json!({ "authScheme": basic })),
        (
            "header",
            vec![("OKTA_HEADER_NAME", "X-Telephony-Key"), ("OKTA_HEADER_SECRET", SECRET)],
            json!({ "authScheme": header }),
        ),
        (
            "oauth",
            [&CLIENT[..], &[("CLIENT_SECRET", SECRET)]].concat(),
            oauth(json!({"authType": "client_secret_post", "clientSecret": SECRET})),
        ),
        (
            "oauth",
            [&CLIENT[..], &[("HOOK_KEY_ID", "HKYj4ft1a3fjmwZg05e6")]].concat(),
            oauth(json!({"authType": "private_key_jwt", "hookKeyId": "HKYj4ft1a3fjmwZg05e6"})),
        ),
    ]
}

#[tokio::test]
async fn a_hook_is_created_with_each_proof_and_shown_without_its_secret() {
    for (auth, environment, expected) in proofs() {
        let okta = Okta::start().await;
        let arguments = [&CREATE[..], &[auth, "--send"]].concat();
        let Some(created) = okta.run(&arguments, &environment).await else { return };
        assert_eq!(created.code, 0, "{created:?}");
        let hook = okta.hooks().pop().expect("it was created");
        assert_eq!(hook["name"], "SMS \"through\" ACS");
        assert_eq!(hook["type"], "com.okta.telephony.provider");
        let channel = if auth == "oauth" { "OAUTH" } else { "HTTP" };
        assert_eq!(hook["channel"]["type"], channel);
        let mut config = json!({"uri": URL, "method": "POST", "headers": []});
        config.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
        assert_eq!(hook["channel"]["config"], config);

        let proof = match expected["authType"].as_str() {
            Some(kind) => kind.to_owned(),
            None => format!("header {}", expected["authScheme"]["key"].as_str().unwrap()),
        };
        let line = format!("cal1  ACTIVE  {proof}  SMS \"through\" ACS  {URL}\n");
        assert_eq!(created.stdout, line);
        let listed = okta.run(&["list", "--send"], &[]).await.unwrap();
        assert_eq!((listed.code, listed.stdout), (0, line));
        let shown = okta.run(&["show", "cal1", "--send"], &[]).await.unwrap();
        let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!((&shown["id"], &shown["status"]), (&"cal1".into(), &"ACTIVE".into()));
    }
}

#[tokio::test]
async fn without_send_nothing_is_sent_and_no_secret_is_shown() {
    let okta = Okta::start().await;
    for (auth, environment, _) in proofs() {
        let arguments = [&CREATE[..], &[auth]].concat();
        let Some(shown) = okta.run(&arguments, &environment).await else { return };
        assert_eq!(shown.code, 0, "{shown:?}");
        let first = format!("POST {}/api/v1/inlineHooks\n", okta.url);
        let json = shown.stdout.strip_prefix(&first).expect("method and URL come first");
        let json = json.strip_suffix("Nothing was sent. Add --send to send it.\n").unwrap();
        let body: Value = serde_json::from_str(json).unwrap();
        assert_eq!(check(&body), Ok(()), "what is shown is what would be sent");
        let secret = environment.iter().any(|(_, value)| *value == SECRET);
        assert_eq!(json.contains("\"[redacted]\""), secret, "{json}");
        let basic = crate::harness::basic("okta", SECRET);
        assert!(!json.contains(&basic), "{json}");
    }
    let to = [("TO", "+14255550123")];
    for (arguments, line) in [
        (&["list"][..], "GET /api/v1/inlineHooks?type=com.okta.telephony.provider"),
        (&["show", "cal1"], "GET /api/v1/inlineHooks/cal1"),
        (&["preview", "cal1"], "POST /api/v1/inlineHooks/cal1/execute"),
        (&["activate", "cal1"], "POST /api/v1/inlineHooks/cal1/lifecycle/activate"),
        (&["deactivate", "cal1"], "POST /api/v1/inlineHooks/cal1/lifecycle/deactivate"),
        (&["delete", "cal1"], "DELETE /api/v1/inlineHooks/cal1"),
    ] {
        let shown = okta.run(arguments, &to).await.unwrap();
        let line = line.replacen(' ', &format!(" {}", okta.url), 1);
        assert_eq!(shown.code, 0, "{shown:?}");
        assert_eq!(shown.stdout.lines().next(), Some(&*line));
        assert_eq!(shown.stdout.lines().last(), Some("Nothing was sent. Add --send to send it."));
    }
    assert!(okta.requests().is_empty(), "{:?}", okta.requests());
    // To look at a request takes no token.
    let shown = run(&["list"], &[("OKTA_ORG_URL", "https://your-org.okta.com")]).await.unwrap();
    assert_eq!(shown.code, 0, "{shown:?}");
}

#[tokio::test]
async fn neither_token_nor_secret_is_in_any_command_line() {
    let okta = Okta::start().await;
    let directory = std::env::temp_dir().join(format!("okta-hook-script-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let record = directory.join("arguments");
    let path = std::env::var("PATH").unwrap();
    let find = |tool: &str| -> Option<PathBuf> {
        path.split(':').map(|folder| Path::new(folder).join(tool)).find(|tool| tool.is_file())
    };
    for tool in ["curl", "jq", "sed", "tr"] {
        let Some(real) = find(tool) else { continue };
        let wrapper = directory.join(tool);
        let text = format!(
            "#!/usr/bin/env bash\nprintf '%s\\n' \"$@\" >>'{}'\nexec '{}' \"$@\"\n",
            record.display(),
            real.display()
        );
        fs::write(&wrapper, text).unwrap();
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{path}", directory.display());
    for (auth, environment, _) in proofs() {
        okta.state.lock().unwrap().hooks.clear();
        let environment = [&environment[..], &[("PATH", &path)]].concat();
        let arguments = [&CREATE[..], &[auth, "--send"]].concat();
        let Some(created) = okta.run(&arguments, &environment).await else { return };
        assert_eq!(created.code, 0, "{created:?}");
    }
    let arguments = fs::read_to_string(&record).unwrap();
    fs::remove_dir_all(&directory).unwrap();
    assert!(arguments.contains("--config"), "the wrappers were in use");
    for secret in ["s3cret", "t0ken", "b2t0YTp"] {
        assert!(!arguments.contains(secret), "{secret} in {arguments}");
    }
}

#[tokio::test]
async fn a_hook_goes_through_its_life() {
    let okta = Okta::start().await;
    let Some(id) = okta.with_hook().await else { return };
    for (command, code, expected) in [
        ("delete", 1, "deactivate the hook first"),
        ("deactivate", 0, "cal1  INACTIVE  header Authorization"),
        ("activate", 0, "cal1  ACTIVE  header Authorization"),
        ("deactivate", 0, "cal1  INACTIVE  "),
        ("delete", 0, "deleted cal1"),
        ("show", 1, "list --send"),
    ] {
        let run = okta.run(&[command, &id, "--send"], &[]).await.unwrap();
        assert_eq!(run.code, code, "{command}: {run:?}");
        let said = if code == 0 { &run.stdout } else { &run.stderr };
        assert!(said.contains(expected), "{command}: {run:?}");
    }
    assert!(okta.hooks().is_empty());
    let listed = okta.run(&["list", "--send"], &[]).await.unwrap();
    assert_eq!((listed.code, &*listed.stdout), (0, ""));
}

#[tokio::test]
async fn a_secret_is_rotated_in_the_hook_that_is_there() {
    let okta = Okta::start().await;
    let Some(id) = okta.with_hook().await else { return };
    let update = ["update", &id, "--name", "New", "--url", URL, "--auth", "header", "--send"];
    let new = [("OKTA_HEADER_NAME", "X-Telephony-Key"), ("OKTA_HEADER_SECRET", "an0ther-secret")];
    let updated = okta.run(&update, &new).await.unwrap();
    assert_eq!(updated.stdout, format!("cal1  ACTIVE  header X-Telephony-Key  New  {URL}\n"));
    let hooks = okta.hooks();
    assert_eq!(hooks.len(), 1);
    assert_eq!(hooks[0]["channel"]["config"]["authScheme"]["value"], "an0ther-secret");
    assert_eq!(okta.requests().pop().unwrap(), "PUT /api/v1/inlineHooks/cal1");
}

#[tokio::test]
async fn a_preview_has_fresh_dates_and_the_number_and_fails_unless_accepted() {
    let okta = Okta::start().await;
    let Some(id) = okta.with_hook().await else { return };
    let preview = ["preview", &id, "--send"];
    let without = okta.run(&preview, &[]).await.unwrap();
    assert_eq!(without.code, 2, "{without:?}");
    assert!(without.stderr.contains("set TO"), "{without:?}");

    let to = [("TO", "+14255550123")];
    let run = okta.run(&preview, &to).await.unwrap();
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.stdout.lines().last(), Some("accepted"));
    let payload = okta.state.lock().unwrap().executed.pop().unwrap();
    assert_eq!(payload["eventType"], "com.okta.telephony.provider");
    assert_eq!(payload["source"], format!("{}/api/v1/inlineHooks/{id}", okta.url));
    let message = &payload["data"]["messageProfile"];
    assert_eq!(message["phoneNumber"], "+14255550123");
    let seconds = |date: &Value| {
        let date = OffsetDateTime::parse(date.as_str().unwrap(), &Rfc3339).unwrap();
        (date - OffsetDateTime::from(SystemTime::now())).whole_seconds()
    };
    assert!((-60..=1).contains(&seconds(&payload["eventTime"])), "{payload}");
    assert!((240..=301).contains(&seconds(&message["otpExpires"])), "{payload}");

    let failed = json!({"commands": [{"type": "com.okta.telephony.action",
        "value": [{"status": "FAILED", "transactionMetadata": "provider_rejected"}]}]});
    let refused = json!({"commands": [{"type": "com.okta.telephony.action",
        "value": [{"status": "SUCCESSFUL", "transactionMetadata": "rate_limited"}]}],
        "debugContext": {"reason": "rate_limited"}});
    for says in [failed, refused, json!({}), json!({"commands": []})] {
        okta.state.lock().unwrap().hook_says = says.clone();
        let run = okta.run(&preview, &to).await.unwrap();
        assert_eq!(run.code, 1, "{says}: {run:?}");
        assert_eq!(run.stdout.lines().last(), Some("NOT accepted"), "{run:?}");
    }
    okta.answer_next(
        400,
        &error(400, "E0000135", "An inline hook responded with an error.", &[]).1,
    );
    let run = okta.run(&preview, &to).await.unwrap();
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("look into the hook's log"), "{run:?}");
}

#[tokio::test]
async fn a_second_active_hook_is_refused_with_oktas_words_and_the_fix() {
    let okta = Okta::start().await;
    let Some(_) = okta.with_hook().await else { return };
    let second = okta.run(&[&CREATE[..], &["basic", "--send"]].concat(), &BASIC).await.unwrap();
    assert_eq!(second.code, 1, "{second:?}");
    for expected in [
        "HTTP 400: Api validation failed: type; Only one active telephony hook is allowed",
        "(E0000001, errorId oaeSample1)",
        "deactivate it first",
    ] {
        assert!(second.stderr.contains(expected), "{expected}: {second:?}");
    }
    assert_eq!(okta.hooks().len(), 1);
}

#[tokio::test]
async fn each_refusal_of_oktas_names_its_fix() {
    let okta = Okta::start().await;
    let error = |status, code, summary| error(status, code, summary, &[]).1;
    for (status, body, code, said, fix) in [
        (
            401,
            error(401, "E0000011", "Invalid token provided"),
            2,
            "Invalid token provided",
            "set OKTA_API_TOKEN",
        ),
        (
            403,
            error(403, "E0000006", "You do not have permission to perform the requested action"),
            1,
            "You do not have permission",
            "as an administrator who may manage inline hooks",
        ),
        (
            429,
            error(429, "E0000047", "API call exceeded rate limit due to too many requests."),
            1,
            "exceeded rate limit",
            "wait a minute",
        ),
        (500, error(500, "E0000009", "Internal Server Error"), 1, "E0000009", "try again"),
        (502, "<html>\u{1b}[31mBad gateway".to_owned(), 1, "<html> [31mBad gateway", "try again"),
        (302, String::new(), 1, "HTTP 302", "OKTA_ORG_URL"),
        (200, "<html>".to_owned(), 2, "not Okta's", "OKTA_ORG_URL"),
    ] {
        okta.answer_next(status, &body);
        let Some(run) = okta.run(&["list", "--send"], &[]).await else { return };
        assert_eq!(run.code, code, "{status}: {run:?}");
        assert!(run.stderr.contains(said) && run.stderr.contains(fix), "{status}: {run:?}");
        assert_eq!(run.stdout, "", "{status}");
    }
}

#[tokio::test]
async fn credentials_go_in_clear_to_loopback_only() {
    let token = ("OKTA_API_TOKEN", TOKEN);
    for url in ["http://your-org.okta.com", "http://127.0.0.1.example.com", "ftp://localhost"] {
        let Some(run) = run(&["list", "--send"], &[("OKTA_ORG_URL", url), token]).await else {
            return;
        };
        assert_eq!(run.code, 2, "{url}: {run:?}");
        assert!(run.stderr.contains("https"), "{url}: {run:?}");
    }
    // The stand-in is on loopback, by http.
    let okta = Okta::start().await;
    assert_eq!(okta.run(&["list", "--send"], &[]).await.unwrap().code, 0);
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_told_before_okta_is_asked() {
    let okta = Okta::start().await;
    let secret = ("CLIENT_SECRET", SECRET);
    let key = ("HOOK_KEY_ID", "HKY1");
    let own = ("TOKEN_URL", "https://your-org.okta.com/oauth2/v1/token");
    let header = ("OKTA_HEADER_SECRET", SECRET);
    let create = |auth: &'static str| [&CREATE[..], &[auth, "--send"]].concat();
    let at = |url: &'static str| {
        vec!["create", "--name", "n", "--url", url, "--auth", "basic", "--send"]
    };
    let basic = BASIC[0];
    for (arguments, environment, expected) in [
        (create("basic"), vec![], "set OKTA_BASIC_SECRET"),
        (create("basic"), vec![("OKTA_BASIC_SECRET", "secret\n")], "has a line feed"),
        (create("basic"), vec![basic, ("OKTA_USER", "a:b")], "can't have a colon"),
        (create("header"), vec![header], "set OKTA_HEADER_NAME"),
        (create("header"), vec![header, ("OKTA_HEADER_NAME", "a b")], "name of a header"),
        (create("header"), vec![("OKTA_HEADER_NAME", "x")], "set OKTA_HEADER_SECRET"),
        (create("oauth"), vec![secret], "set TOKEN_URL"),
        (create("oauth"), CLIENT.to_vec(), "or set CLIENT_SECRET"),
        (create("oauth"), [&CLIENT[..], &[secret, key]].concat(), "not both"),
        (create("oauth"), [&CLIENT[..], &[secret, own]].concat(), "/oauth2/default/v1/token"),
        (create("oauth"), [&CLIENT[..2], &[secret]].concat(), "set SCOPE"),
        (create("oauth"), vec![("TOKEN_URL", "http://a.example/t"), CLIENT[1], CLIENT[2]], "https"),
        (at("http://hook.example.com/api/okta-telephony"), vec![basic], "--url must be"),
        (at("https://hook.example.com"), vec![basic], "--url must be"),
        (at("https://hook.example.com/a b"), vec![basic], "--url must be"),
        (vec!["list", "--send"], vec![("OKTA_API_TOKEN", "")], "set OKTA_API_TOKEN"),
        (vec!["list"], vec![("OKTA_ORG_URL", "")], "set OKTA_ORG_URL"),
        (
            vec!["list"],
            vec![("OKTA_ORG_URL", "https://your-org-admin.okta.com")],
            "leave out -admin",
        ),
        (vec!["show", "../users", "--send"], vec![], "the id must be"),
        (vec!["preview", "cal1"], vec![("TO", "4255550123")], "TO must be"),
        (vec![], vec![], "okta-hook.sh: say what to do."),
        (vec!["erase", "cal1"], vec![], "okta-hook.sh: there is no such command."),
        (vec!["show"], vec![], "okta-hook.sh: show needs the hook's ID"),
        (vec!["list", "cal1"], vec![], "okta-hook.sh: list takes no ID"),
        (vec!["list", "--name", "n"], vec![], "okta-hook.sh: list takes no --name"),
        (vec!["verify", "cal1"], vec![], "there is no such command"),
        (vec!["show", "cal1", "--filter"], vec![], "show takes no"),
        (vec!["create", "--name"], vec![], "okta-hook.sh: --name needs a value"),
        (vec!["create", "--name", "n"], vec![], "create needs --name, --url and --auth.\n\nUsage:"),
        (vec!["list", "--secret=s"], vec![], "there is no option --secret.\n"),
        (create("digest"), vec![], "--auth must be basic, header or oauth.\n\nUsage:"),
    ] {
        let Some(run) = okta.run(&arguments, &environment).await else { return };
        assert_eq!(run.code, 2, "{arguments:?}: {run:?}");
        assert!(run.stderr.contains(expected), "{arguments:?}, {expected}: {run:?}");
        assert_eq!(run.stdout, "", "{arguments:?}");
    }
    assert!(okta.requests().is_empty(), "{:?}", okta.requests());
    let help = okta.run(&["--help"], &[]).await.unwrap();
    assert_eq!(help.code, 0);
    assert!(help.stdout.starts_with("Usage: scripts/okta-hook.sh create"));
}

#[tokio::test]
async fn an_org_that_does_not_answer_is_told_of() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let environment = [("OKTA_ORG_URL", &*url), ("OKTA_API_TOKEN", TOKEN)];
    let Some(run) = run(&["list", "--send"], &environment).await else { return };
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("no answer from"), "{run:?}");
}
