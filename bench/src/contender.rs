//! What is measured, and how each contender is built and started.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use okta_telephony_dev::acs_emulator::DEVELOPMENT_ACCESS_KEY;
use okta_telephony_dev::component;
use okta_telephony_dev::local_host::{Compiled, LocalHost, Manifest, Settings};

use crate::folders::{checkout, target};
use crate::guard::{Guard, bring_event};
use crate::load::SECRET;
use crate::process::Running;
use crate::spin;
use crate::stand_in::{Transport, authorities};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The hook as it is shipped.
    Hook,
    /// The relay floor: one outbound call and no variables.
    Relay,
    /// What is essential of the hook as a Python function, under gunicorn.
    Python,
}

/// Somebody to be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contender {
    pub kind: Kind,
    /// Spin has all application variables in its environment, as SpinKube has them, instead of by `--variable`.
    pub environment: bool,
    /// What its guard does.
    pub guard: Guard,
    /// How it speaks to ACS.
    pub transport: Transport,
}

impl Contender {
    /// Its name in tables.
    pub fn name(self) -> String {
        let kind = self.kind.to_possible_value().expect("none is hidden");
        let environment = if self.environment { "-environment" } else { "" };
        let transport = match self.transport {
            Transport::Tls => "",
            Transport::TlsDelayed => "-tls-delayed",
            Transport::Plain => "-plain",
        };
        let guard = match self.guard {
            Guard::Off => "",
            Guard::Shadow => "-shadow",
            Guard::Enforce => "-enforce",
        };
        format!("{}{environment}{guard}{transport}", kind.get_name())
    }

    /// The manifest of a component.
    pub fn manifest(self) -> PathBuf {
        match self.kind {
            Kind::Relay => checkout().join("bench/floor/spin.toml"),
            _ => checkout().join("spin.toml"),
        }
    }

    /// The path to which hooks are posted. The relay sends its message to where the path says.
    pub fn path(self, acs: &str) -> String {
        match self.kind {
            Kind::Relay => format!("/{}", acs.replacen("://", "/", 1)),
            _ => "/api/okta-telephony".into(),
        }
    }

    /// The file with all that it prints.
    pub fn log(self) -> PathBuf {
        target().join(self.name() + ".log")
    }

    /// Builds what it needs to start, and returns the version of what runs it.
    ///
    /// # Errors
    ///
    /// A build that fails; for Python, also packages that can't be installed.
    pub fn prepare(self, spin: Option<&str>) -> Result<String> {
        std::fs::create_dir_all(target())?;
        if self.kind == Kind::Python {
            return install_python();
        }
        component::build(&Manifest::read(&self.manifest())?)?;
        Ok(spin.unwrap_or("the local host").into())
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    ///
    /// A command that can't be run, ends early, or does not listen within a minute.
    pub async fn start(self, acs: &str, on_spin: bool) -> Result<Running> {
        // Freed at once. gunicorn and Spin are told where to listen, since they don't tell it in the same way.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = match self.kind {
            Kind::Python => gunicorn(address, acs),
            _ if on_spin => self.spin_up(address, acs)?,
            _ => self.serve_locally(address, acs)?,
        };
        let running = Running::start(&mut command, address, &self.log()).await?;
        if self.guard != Guard::Off {
            bring_event(address).await?;
        }
        Ok(running)
    }

    fn spin_up(self, address: SocketAddr, acs: &str) -> Result<Command> {
        let manifest = Manifest::read(&self.manifest())?;
        let runtime_config = spin::runtime_config(&manifest, &["127.0.0.1"], &authorities())?;
        let mut command = spin::up(&self.manifest(), &runtime_config, address)?;
        // Spin has its own file for the guest's output. With --quiet it is the only place.
        command.arg("--quiet");
        let mut variables = spin::variables(&manifest, &[acs])?;
        self.guard.set(&mut variables);
        for (name, value) in variables {
            match self.environment {
                true => command.env(format!("SPIN_VARIABLE_{}", name.to_uppercase()), value),
                false => command.arg("--variable").arg(format!("{name}={value}")),
            };
        }
        Ok(command)
    }

    /// This program as the local host: see [`serve`].
    fn serve_locally(self, address: SocketAddr, acs: &str) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("serve")
            .arg(self.manifest())
            .args([&address.to_string(), acs])
            .arg(self.guard.name());
        Ok(command)
    }
}

/// Serves a component in this process, on the local host, until the process is ended.
///
/// # Errors
///
/// A component or settings that the local host can't use.
pub async fn serve(manifest: &Path, listen: SocketAddr, acs: &str, guard: Guard) -> Result<()> {
    let module = std::fs::read(Manifest::read(manifest)?.source())?;
    let compiled = Compiled::new(&component::encode(&module)?)?;
    let _host =
        LocalHost::start(&compiled, Settings { listen, ..settings(manifest, acs, guard)? }).await?;
    std::future::pending().await
}

/// The local host's settings for a component, with stores in memory, as sample/runtime-config.toml has them.
///
/// # Errors
///
/// A manifest that can't be read or lacks a variable.
pub fn settings(manifest: &Path, acs: &str, guard: Guard) -> Result<Settings> {
    let mut settings = Settings::new(manifest);
    settings.variables = spin::variables(&Manifest::read(manifest)?, &[acs])?;
    guard.set(&mut settings.variables);
    settings.certificate_authorities.push(std::fs::read_to_string(authorities())?);
    Ok(settings)
}

fn gunicorn(address: SocketAddr, acs: &str) -> Command {
    let mut command = Command::new(venv().join("bin/gunicorn"));
    command.arg("--chdir").arg(checkout().join("bench/python"));
    command.args(["--bind", &address.to_string(), "--workers=2", "--threads=8"]);
    command.args(["--keep-alive=60", "--log-level=warning", "function:app"]);
    command.env("ACS_ENDPOINT", acs).env("REQUESTS_CA_BUNDLE", authorities());
    command.env("ACS_ACCESS_KEY", DEVELOPMENT_ACCESS_KEY).env("OKTA_BASIC_SECRET", SECRET);
    command
}

/// Installs the Python function's packages, unless they are there, and returns Python's version.
fn install_python() -> Result<String> {
    let python = venv().join("bin/python");
    if !venv().join("bin/gunicorn").exists() {
        let steps = [
            Command::new("python3").args(["-m", "venv"]).arg(venv()).status(),
            Command::new(&python)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .arg("--requirement")
                .arg(checkout().join("bench/python/requirements.txt"))
                .status(),
        ];
        let done = steps.iter().all(|step| step.as_ref().is_ok_and(|status| status.success()));
        ensure!(done, "python3 with its module venv, or its packages, can't be had here");
    }
    version(&mut Command::new(python)).context("Python has no version")
}

/// What `COMMAND --version` prints, where the command is there.
pub fn version(command: &mut Command) -> Option<String> {
    let output = command.arg("--version").output().ok().filter(|it| it.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn venv() -> PathBuf {
    target().join("venv")
}
