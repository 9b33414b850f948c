//! Who is measured, and how each is started.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use okta_telephony_dev::component;
use okta_telephony_dev::local_host::{Compiled, LocalHost, Manifest, Settings};
use tokio::process::{Child, Command};

use crate::load::SECRET;
use crate::native;

/// The access key that all of them sign with.
const ACCESS_KEY: &str = "YWNjZXNzLWtleS1vZi10aGUtc3RhbmQtaW4=";

/// What serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The hook, as it is shipped.
    Hook,
    /// The hook without its rate limits.
    HookWithoutLimits,
    /// The floor: a component that answers a constant.
    Constant,
    /// The floor: a component that makes one outbound request and answers a constant.
    Relay,
    /// The same with the memory that rustc gives every component, most of it stack.
    RelayDefaultMemory,
    /// The floor of the hook itself: a component that makes the calls of a hook without rate limits, and
    /// computes nothing.
    HookCalls,
    /// A native server that does what is essential of the hook.
    Native,
    /// The same as a Python function.
    Python,
}

/// What runs the components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// The local host of dev/.
    Local,
    /// `spin up`.
    Spin,
}

/// Somebody to be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contender {
    pub what: What,
    pub host: Host,
}

impl Contender {
    /// Those that this machine can run, with what to say of the others.
    pub fn all(python: bool) -> Vec<Self> {
        let components = [
            What::Hook,
            What::HookWithoutLimits,
            What::Constant,
            What::Relay,
            What::RelayDefaultMemory,
            What::HookCalls,
        ];
        let on = |host| move |what| Self { what, host };
        let mut all: Vec<_> = components.map(on(Host::Local)).into();
        if is_there("spin") {
            all.extend(components.map(on(Host::Spin)));
        } else {
            eprintln!("There is no `spin` command here: only the local host is measured.");
        }
        all.push(Self { what: What::Native, host: Host::Local });
        if python {
            all.push(Self { what: What::Python, host: Host::Local });
        }
        all
    }

    pub fn name(self) -> &'static str {
        match (self.host, self.what) {
            (Host::Local, What::Hook) => "hook",
            (Host::Local, What::HookWithoutLimits) => "hook-without-limits",
            (Host::Local, What::Constant) => "floor-constant",
            (Host::Local, What::Relay) => "floor-relay",
            (Host::Local, What::RelayDefaultMemory) => "floor-relay-default-memory",
            (Host::Local, What::HookCalls) => "floor-hook",
            (Host::Spin, What::Hook) => "spin-hook",
            (Host::Spin, What::HookWithoutLimits) => "spin-hook-without-limits",
            (Host::Spin, What::Constant) => "spin-floor-constant",
            (Host::Spin, What::Relay) => "spin-floor-relay",
            (Host::Spin, What::RelayDefaultMemory) => "spin-floor-relay-default-memory",
            (Host::Spin, What::HookCalls) => "spin-floor-hook",
            (_, What::Native) => "native",
            (_, What::Python) => "python",
        }
    }

    /// How many hooks it can have under way at once, of 100.
    pub fn at_once(self) -> usize {
        match self.what {
            What::Constant => 0,
            What::Python => PYTHON_WORKERS * PYTHON_THREADS,
            _ => 100,
        }
    }

    /// Starts it, on these processors.
    pub fn start(
        self,
        paths: &Paths,
        acs: SocketAddr,
        processors: Option<&str>,
    ) -> Result<Running> {
        // Freed again at once: gunicorn and Spin are told where to listen, and don't tell.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut words: Vec<String> = match (self.host, self.what) {
            (_, What::Python) => vec![
                path(&paths.venv().join("bin/gunicorn")),
                "--chdir".into(),
                path(&paths.root.join("bench/python")),
                "--bind".into(),
                address.to_string(),
                format!("--workers={PYTHON_WORKERS}"),
                format!("--threads={PYTHON_THREADS}"),
                "--keep-alive=60".into(),
                "--log-level=warning".into(),
                "function:app".into(),
            ],
            (Host::Spin, what) => {
                let mut words = vec![
                    "spin".to_owned(),
                    "up".into(),
                    "--quiet".into(),
                    "--from".into(),
                    path(&paths.manifest(what)),
                    "--listen".into(),
                    address.to_string(),
                    "--state-dir".into(),
                    path(&paths.target().join("spin")),
                ];
                if matches!(what, What::Hook | What::HookWithoutLimits | What::HookCalls) {
                    words.push("--runtime-config-file".into());
                    words.push(path(&paths.root.join("sample/runtime-config.toml")));
                }
                for (name, value) in variables(what, acs) {
                    words.extend(["--variable".into(), format!("{name}={value}")]);
                }
                words
            }
            (Host::Local, _) => vec![
                path(&std::env::current_exe()?),
                "serve".into(),
                self.name().into(),
                address.to_string(),
                acs.to_string(),
            ],
        };
        if let Some(processors) = processors {
            words.splice(0..0, ["taskset".into(), "--cpu-list".into(), processors.to_owned()]);
        }
        // A file, as what collects logs reads them: a terminal would be slower, /dev/null faster.
        let log = std::fs::File::create(paths.target().join(format!("{}.log", self.name())))?;
        let child = Command::new(&words[0])
            .args(&words[1..])
            .current_dir(&paths.root)
            .env("ACS_ENDPOINT", format!("http://{acs}"))
            .env("ACS_ACCESS_KEY", ACCESS_KEY)
            .env("OKTA_BASIC_SECRET", SECRET)
            // Who has it set for tests would have Spin trace the stack of each of its own errors.
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("`{}` can't be run", words[0]))?;
        Ok(Running { child, address })
    }
}

const PYTHON_WORKERS: usize = 2;
const PYTHON_THREADS: usize = 8;

/// A contender that serves, until it is dropped.
pub struct Running {
    child: Child,
    pub address: SocketAddr,
}

impl Running {
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it. gunicorn would leave its workers behind if it were killed.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(id) = self.child.id() {
            let asked = Command::new("kill").arg(id.to_string()).status().await;
            let end = std::time::Duration::from_secs(5);
            if asked.is_ok() && tokio::time::timeout(end, self.child.wait()).await.is_ok() {
                return Ok(());
            }
        }
        Ok(self.child.kill().await?)
    }
}

/// The application variables of a component.
pub fn variables(what: What, acs: SocketAddr) -> Vec<(&'static str, String)> {
    let host = format!("http://{acs}");
    match what {
        What::Hook | What::HookWithoutLimits | What::HookCalls => {
            let mut variables = vec![
                ("okta_basic_secret", SECRET.to_owned()),
                ("acs_connection_string", format!("endpoint={host}/;accesskey={ACCESS_KEY}")),
                ("acs_from_shortcode", "12345".into()),
                ("extra_outbound_host", host),
            ];
            if what != What::Hook {
                variables.push(("rate_limit_per_number", String::new()));
                variables.push(("rate_limit_per_prefix", String::new()));
            }
            variables
        }
        What::Relay | What::RelayDefaultMemory => vec![("acs", acs.to_string())],
        _ => Vec::new(),
    }
}

/// Where things are.
pub struct Paths {
    /// The checkout.
    pub root: PathBuf,
}

impl Paths {
    /// What the bench makes.
    pub fn target(&self) -> PathBuf {
        self.root.join("target/bench")
    }

    fn venv(&self) -> PathBuf {
        self.target().join("venv")
    }

    /// The module of a floor, with its manifest beside it; `None` for what is none.
    fn floor(&self, what: What) -> Option<PathBuf> {
        let name = match what {
            What::Constant => "floor-constant",
            What::Relay => "floor-relay",
            What::RelayDefaultMemory => "floor-relay-default-memory",
            What::HookCalls => "floor-hook",
            _ => return None,
        };
        Some(self.target().join(name).with_extension("wasm"))
    }

    /// The manifest of a contender.
    pub fn manifest(&self, what: What) -> PathBuf {
        match self.floor(what) {
            Some(module) => module.with_extension("toml"),
            None => self.root.join("spin.toml"),
        }
    }

    /// The encoded component of a contender.
    pub fn component(&self, what: What) -> Result<Vec<u8>> {
        let module = match self.floor(what) {
            Some(module) => module,
            None => Manifest::read(&self.manifest(what))?.source(),
        };
        let bytes = std::fs::read(&module).with_context(|| module.display().to_string())?;
        component::encode(&bytes)
    }

    /// Builds the components.
    pub async fn build(&self) -> Result<()> {
        std::fs::create_dir_all(self.target())?;
        component::build(&Manifest::read(&self.root.join("spin.toml"))?)?;
        // What they do takes some hundred bytes of stack, and with this much all of their memory is one page.
        let small = ["--", "-C", "link-arg=-zstack-size=16384"];
        for (what, example, link) in [
            (What::Constant, "constant", &small[..]),
            (What::Relay, "relay", &small),
            (What::RelayDefaultMemory, "relay", &[]),
            (What::HookCalls, "hook", &small),
        ] {
            let target = self.target().join("floor");
            let status = Command::new(env!("CARGO"))
                .args(["rustc", "--quiet", "--locked", "--release", "--target", "wasm32-wasip1"])
                .args(["--example", example, "--target-dir", &path(&target)])
                .args(link)
                .current_dir(self.root.join("bench/floor"))
                .status()
                .await?;
            ensure!(status.success(), "the floors don't build: see above");
            let source = self.floor(what).context("this is a floor")?;
            let built = format!("wasm32-wasip1/release/examples/{example}.wasm");
            std::fs::copy(target.join(built), &source)?;
            let manifest = match what {
                // The hook's, so that the host has as many variables to find.
                What::HookCalls => self.hook_manifest(&source)?,
                _ => relay_manifest(&source),
            };
            std::fs::write(self.manifest(what), manifest)?;
        }
        Ok(())
    }

    /// The hook's manifest with another module.
    fn hook_manifest(&self, module: &Path) -> Result<String> {
        let text = std::fs::read_to_string(self.root.join("spin.toml"))?;
        let lines = text.lines().map(|line| match line.starts_with("source = ") {
            true => format!("source = {module:?}\n"),
            false => format!("{line}\n"),
        });
        Ok(lines.collect())
    }

    /// Installs the Python function's packages; `false`, with a line that says so, where that can't be.
    pub async fn install_python(&self) -> bool {
        let venv = self.venv();
        if venv.join("bin/gunicorn").exists() {
            return true;
        }
        eprintln!("Installing bench/python/requirements.txt into {}", venv.display());
        let made = Command::new("python3").args(["-m", "venv"]).arg(&venv).status().await;
        let installed = Command::new(venv.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(self.root.join("bench/python/requirements.txt"))
            .status()
            .await;
        let done = [made, installed].iter().all(|step| step.as_ref().is_ok_and(|it| it.success()));
        if !done {
            eprintln!("The Python function can't be installed: it is not measured.");
        }
        done
    }
}

fn relay_manifest(module: &Path) -> String {
    format!(
        "spin_manifest_version = 2\n\n[application]\nname = \"floor\"\nversion = \"0.1.0\"\n\n\
         [variables]\nacs = {{ default = \"127.0.0.1:1\" }}\n\n\
         [[trigger.http]]\nroute = \"/...\"\ncomponent = \"floor\"\n\n\
         [component.floor]\nsource = {module:?}\nallowed_outbound_hosts = [\"http://{{{{ acs }}}}\"]\n\n\
         [component.floor.variables]\nacs = \"{{{{ acs }}}}\"\n"
    )
}

/// Serves a contender in this process until it is ended.
pub async fn serve(name: &str, listen: SocketAddr, acs: SocketAddr, paths: &Paths) -> Result<()> {
    if name == "native" {
        return native::serve(listen, acs, ACCESS_KEY).await;
    }
    let contender = Contender::all(false).into_iter().find(|contender| contender.name() == name);
    let what = contender.with_context(|| format!("there is no contender {name}"))?.what;
    let mut settings = Settings::new(paths.manifest(what));
    settings.listen = listen;
    for (name, value) in variables(what, acs) {
        settings = settings.variable(name, value);
    }
    let compiled = Compiled::new(&paths.component(what)?)?;
    let _host = LocalHost::start(&compiled, settings).await?;
    std::future::pending().await
}

/// Whether a command can be run.
pub fn is_there(command: &str) -> bool {
    std::process::Command::new(command)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
