//! What serves the component: the local host, or Spin itself where `TEST_HOST=spin` asks for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use okta_telephony_dev::local_host::{Compiled, LocalHost, Settings};
use okta_telephony_dev::tls;

use crate::harness::{Log, component, event_id, within};

/// Whether the hooks of this run are served by Spin.
pub fn is_spin() -> bool {
    static SPIN: OnceLock<bool> = OnceLock::new();
    *SPIN.get_or_init(|| match std::env::var("TEST_HOST").as_deref() {
        Err(_) | Ok("local") => false,
        Ok("spin") => {
            let there = Command::new("spin").arg("--version").output();
            there.expect(
                "TEST_HOST=spin needs the `spin` command: install Spin, and put it on the PATH",
            );
            true
        }
        Ok(other) => panic!("TEST_HOST is {other}: leave it away, or set it to local or spin"),
    })
}

/// Whether a test must be left out, since it needs what only the local host has.
pub fn needs_the_local_host(what: &str) -> bool {
    if is_spin() {
        // Past the test runner, which keeps the output of what passes.
        _ = writeln!(std::io::stderr(), "SKIPPED: Spin has nothing for {what}");
    }
    is_spin()
}

/// Whether a test must be left out, since it is of what only Spin has.
pub fn needs_spin(what: &str) -> bool {
    if !is_spin() {
        _ = writeln!(std::io::stderr(), "SKIPPED: {what} needs Spin: TEST_HOST=spin");
    }
    !is_spin()
}

/// A running host. Dropping it ends it.
pub enum Host {
    Local(LocalHost),
    Spin(Spin),
}

impl Host {
    /// Serves the component.
    pub async fn start(settings: Settings) -> Self {
        if is_spin() {
            return Self::Spin(Spin::start(&settings).await);
        }
        Self::Local(LocalHost::start(compiled(), settings).await.unwrap())
    }

    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Local(host) => host.address(),
            Self::Spin(spin) => spin.address,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// What the component has stored, as text: each entry of both stores, its key and its value.
    pub fn stored(&self) -> Vec<String> {
        let Self::Local(host) = self else { panic!("Spin does not show it") };
        let entries = ["default", "records"].into_iter().flat_map(|label| host.stored(label));
        entries.map(|(key, value)| format!("{key} {}", String::from_utf8_lossy(&value))).collect()
    }
}

fn compiled() -> &'static Compiled {
    static COMPILED: OnceLock<Compiled> = OnceLock::new();
    COMPILED.get_or_init(|| Compiled::new(component()).expect("the component compiles"))
}

/// A `spin up` with stores in memory, and with no variables but the test's.
pub struct Spin {
    child: Child,
    address: SocketAddr,
    state: PathBuf,
}

impl Spin {
    async fn start(settings: &Settings) -> Self {
        let unusual = settings.hand_over.is_some() || settings.meter.is_some();
        assert!(!unusual, "Spin can't do what these settings ask for: see needs_the_local_host");
        // Spin loads the module, and makes its own component of it.
        component();
        let state = std::env::temp_dir().join(event_id());
        let manifest = manifest_in(&state, &settings.manifest);
        let mut command = Command::new("spin");
        command.arg("up").arg("--from").arg(manifest);
        command.args(["--listen", "127.0.0.1:0"]).arg("--state-dir").arg(&state);
        command.arg("--runtime-config-file").arg(runtime_config_in(&state, settings));
        for (name, value) in &settings.variables {
            let value = match name.as_str() {
                "settings" | "secrets" => {
                    let file = state.join(name).with_extension("toml");
                    std::fs::write(&file, value).unwrap();
                    format!("@{}", file.display())
                }
                _ => value.clone(),
            };
            command.arg("--variable").arg(format!("{name}={value}"));
        }
        for name in std::env::vars_os().map(|(name, _)| name) {
            if name.to_string_lossy().starts_with("SPIN_VARIABLE_") {
                command.env_remove(name);
            }
        }
        // With it Spin would trace the stack of each error of its own into the log.
        command.env_remove("RUST_BACKTRACE");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("is_spin has found it");
        // From here on it is ended whatever happens.
        let mut spin = Self { child, address: ([127, 0, 0, 1], 0).into(), state };
        // What the guest prints is JSON. The rest is Spin's own, as is all that comes before it serves.
        let own = Log::default();
        let (stdout, own_stdout) = (settings.stdout.clone(), own.sink());
        copy_lines(spin.child.stdout.take().unwrap(), move |line| match line.starts_with('{') {
            true => stdout(line),
            false => own_stdout(line),
        });
        let serving = Arc::new(AtomicBool::new(false));
        let (stderr, own_stderr, begun) = (settings.stderr.clone(), own.sink(), serving.clone());
        copy_lines(spin.child.stderr.take().unwrap(), move |line| {
            match begun.load(Ordering::SeqCst) {
                true => stderr(line),
                false => own_stderr(line),
            }
        });
        // It compiles the component first, several of them at once.
        spin.address = within(Duration::from_secs(60), || {
            let ended = spin.child.try_wait().unwrap();
            assert!(ended.is_none(), "Spin has ended with {ended:?}: {:?}", own.lines());
            own.lines().iter().find_map(|line| line.strip_prefix("Serving http://")?.parse().ok())
        })
        .await;
        serving.store(true, Ordering::SeqCst);
        spin
    }
}

/// A copy of the manifest in a new folder, where no `.env` of the developer's lies beside it.
fn manifest_in(folder: &Path, original: &Path) -> PathBuf {
    let source = "target/wasm32-wasip1/release/okta_telephony_acs.wasm";
    let text = std::fs::read_to_string(original).unwrap();
    assert_eq!(text.matches(source).count(), 1, "{}", original.display());
    let there = checkout().join(source);
    std::fs::create_dir_all(folder).unwrap();
    let copy = folder.join("spin.toml");
    std::fs::write(&copy, text.replace(source, there.to_str().unwrap())).unwrap();
    copy
}

/// The sample's runtime configuration with the certificate authorities and the Redis of a test, in the same folder.
fn runtime_config_in(folder: &Path, settings: &Settings) -> PathBuf {
    let authorities = folder.join("authorities.pem");
    std::fs::write(&authorities, settings.certificate_authorities.concat()).unwrap();
    let sample = std::fs::read_to_string(checkout().join("sample/runtime-config.toml")).unwrap();
    let mut config: toml::Table = sample.parse().unwrap();
    for (label, url) in &settings.redis {
        let store = format!("type = 'redis'\nurl = '{url}'");
        config["key_value_store"][label] = store.parse::<toml::Table>().unwrap().into();
    }
    let client_tls = tls::spins_client_tls("okta-telephony", &["127.0.0.1"], &authorities);
    let file = folder.join("runtime-config.toml");
    std::fs::write(&file, [config.to_string(), client_tls].concat()).unwrap();
    file
}

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Passes on the lines of a stream until it ends.
fn copy_lines(from: impl Read + Send + 'static, to: impl Fn(&str) + Send + 'static) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            to(&line);
        }
    });
}

impl Drop for Spin {
    fn drop(&mut self) {
        let ended = |child: &mut Child| !matches!(child.try_wait(), Ok(None));
        if !ended(&mut self.child) {
            // Asked, not killed: it has the trigger's own process to end.
            _ = Command::new("kill").arg(self.child.id().to_string()).status();
            let end = Instant::now() + Duration::from_secs(10);
            while !ended(&mut self.child) && Instant::now() < end {
                thread::sleep(Duration::from_millis(5));
            }
            _ = self.child.kill();
            _ = self.child.wait();
        }
        _ = std::fs::remove_dir_all(&self.state);
    }
}
