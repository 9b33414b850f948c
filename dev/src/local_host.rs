//! A local host: it serves the component as Spin does, for who has no `spin` command.
//!
//! It is for development and tests. Production is Spin and SpinKube, which schedule, scale, keep
//! secrets and store; this host reads the same `spin.toml`, runs the same component bytes and
//! answers the same, and stops there.
//!
//! - [`Compiled`] is the component, compiled once and shared by any number of hosts.
//! - [`LocalHost::start`] takes it and [`Settings`], listens, and serves until [`LocalHost::shutdown`]
//!   or until it is dropped.
//!
//! Like Spin it makes a fresh instance for each request, at most 1000 at once, lets it call only
//! the hosts in `allowed_outbound_hosts`, answers an empty 500 where the guest fails, and lets the
//! guest run on after its answer. It keeps connections from request to request as Spin does. Unlike Spin it is
//! called without TLS only, and knows one component, variables and key-value stores (in memory and behind
//! Redis).
//!
//! ```no_run
//! # async fn example(component: &[u8]) -> anyhow::Result<()> {
//! use okta_telephony_dev::local_host::{Compiled, LocalHost, Settings};
//!
//! let compiled = Compiled::new(component)?;
//! let host = LocalHost::start(&compiled, Settings::new("spin.toml").variable("okta_user", "okta")).await?;
//! println!("{}", host.url());
//! host.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod allowed_hosts;
mod guest;
mod key_value;
mod manifest;
mod meter;
mod order;
mod outbound;
mod output;
mod routes;
mod serve;
mod variables;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use self::guest::Compiled;
pub use self::manifest::{Build, Component, Manifest, Variable};
pub use self::meter::{Mark, MeterObserver, Metered};
pub use self::order::{Direction, HandOver, HandOverObserver};
pub use self::output::Lines;
pub use self::variables::{expanded_in_dot_env, from_environment, read_dot_env};

use self::allowed_hosts::AllowedHosts;
use self::guest::Application;
use self::key_value::Stores;
use self::outbound::Outbound;
use self::routes::Routes;
use self::serve::{Phase, Server};
use self::variables::Values;

/// How long [`LocalHost::shutdown`] waits for requests and for what guests do after their answers.
pub const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);

/// How to serve an application.
#[derive(Clone)]
pub struct Settings {
    /// The path of its `spin.toml`.
    pub manifest: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Values of application variables, over the manifest's defaults. The process environment is
    /// not read: see [`from_environment`] and [`read_dot_env`].
    pub variables: BTreeMap<String, String>,
    /// The Redis URLs of key-value stores, by label. Those that are not in here are in memory.
    pub redis: BTreeMap<String, String>,
    /// Certificate authorities that it trusts besides those of the public, in PEM form.
    pub certificate_authorities: Vec<String>,
    /// Gets the guest's standard output.
    pub stdout: Lines,
    /// Gets the guest's standard error, and what the host has to say: refused hosts, failures.
    pub stderr: Lines,
    /// Is told whether a body was finished each time the guest hands over a head. Without it no
    /// body is looked at early.
    pub hand_over: Option<HandOverObserver>,
    /// Gets what each instance has cost; the component must be [`Compiled::metered`].
    pub meter: Option<MeterObserver>,
    /// The most memory that one instance may have, bytes. Growing beyond fails inside the guest.
    pub memory_limit: usize,
}

impl Settings {
    /// Serves the application at `manifest` on a free port of the loopback interface, with stores
    /// in memory, the process's own standard output and error, and 64 MiB an instance.
    pub fn new(manifest: impl Into<PathBuf>) -> Self {
        Self {
            manifest: manifest.into(),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            variables: BTreeMap::new(),
            redis: BTreeMap::new(),
            certificate_authorities: Vec::new(),
            // Who has stopped reading, as `| head` does, is no reason to stop serving.
            stdout: Arc::new(|line| _ = writeln!(std::io::stdout(), "{line}")),
            stderr: Arc::new(|line| _ = writeln!(std::io::stderr(), "{line}")),
            hand_over: None,
            meter: None,
            memory_limit: 64 << 20,
        }
    }

    /// What the guest reads: the component's variables.
    ///
    /// # Errors
    ///
    /// Those of [`LocalHost::start`].
    pub fn guest_variables(&self) -> Result<BTreeMap<String, String>> {
        Ok(self.meaning()?.variables)
    }

    /// Gives one variable a value.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }
}

/// What settings mean, together with the manifest.
struct Meaning {
    manifest: Manifest,
    variables: BTreeMap<String, String>,
    allowed_hosts: AllowedHosts,
    routes: Routes,
}

impl Settings {
    fn meaning(&self) -> Result<Meaning> {
        let manifest = Manifest::read(&self.manifest)?;
        let Manifest { component, .. } = &manifest;
        let file = manifest.path.display();

        let values = Values::new(&manifest, &self.variables)?;
        let mut variables = BTreeMap::new();
        for (name, template) in &component.variables {
            let key = format!("component.{}.variables.{name}", component.id);
            variables.insert(name.clone(), values.expand(&key, template)?);
        }
        let mut allowed_hosts = AllowedHosts::default();
        for template in &component.allowed_outbound_hosts {
            let key = format!("component.{}.allowed_outbound_hosts", component.id);
            let entry = values.expand(&key, template)?;
            allowed_hosts.add(&entry).with_context(|| match *template == entry {
                true => format!("{file}: {key}"),
                false => format!("{file}: {key}: `{template}` stands for `{entry}`"),
            })?;
        }
        let routes = Routes::new(manifest.routes.iter().map(String::as_str))
            .with_context(|| file.to_string())?;
        Ok(Meaning { manifest, variables, allowed_hosts, routes })
    }
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::AddrInUse => anyhow!("{address} is already in use: give another with --listen"),
        _ => anyhow!("can't listen on {address} ({error}): give another address with --listen"),
    }
}

/// A running host. Dropping it ends it at once.
pub struct LocalHost {
    address: SocketAddr,
    routes: Vec<String>,
    stores: Stores,
    phase: watch::Sender<Phase>,
}

impl LocalHost {
    /// Finds what [`LocalHost::start`] would find wrong with the settings, without a component: for
    /// who has to build one first.
    ///
    /// # Errors
    ///
    /// Those of [`LocalHost::start`].
    pub fn check(settings: &Settings) -> Result<()> {
        settings.meaning()?;
        std::net::TcpListener::bind(settings.listen)
            .map(drop)
            .map_err(|error| cannot_listen(settings.listen, &error))
    }

    /// Starts to serve, on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// A manifest, variable, host, store or address that can't be used; the message names it
    /// and the fix.
    pub async fn start(compiled: &Compiled, settings: Settings) -> Result<Self> {
        let Meaning { manifest, variables, allowed_hosts, routes } = settings.meaning()?;
        let stores = Stores::open(&manifest.component.key_value_stores, &settings.redis)?;
        let listener = TcpListener::bind(settings.listen)
            .await
            .map_err(|error| cannot_listen(settings.listen, &error))?;
        let address = listener.local_addr()?;

        let (phase, receiver) = watch::channel(Phase::Serving);
        let server = Server {
            application: Arc::new(Application {
                id: manifest.component.id.clone(),
                variables,
                allowed_hosts,
                stores: stores.clone(),
                outbound: Outbound::new(&settings.certificate_authorities)?,
                stdout: settings.stdout,
                stderr: settings.stderr,
                hand_over: settings.hand_over,
                meter: settings.meter,
                memory_limit: settings.memory_limit,
            }),
            compiled: compiled.clone(),
            routes,
        };
        tokio::spawn(Arc::new(server).accept(listener, receiver));
        Ok(Self { address, routes: manifest.routes, stores, phase })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address, as this machine reaches it, as a URL without a path: `http://127.0.0.1:3000`.
    pub fn url(&self) -> String {
        let mut address = self.address;
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("http://{address}")
    }

    /// The routes it serves, as the manifest has them.
    pub fn routes(&self) -> &[String] {
        &self.routes
    }

    /// The entries of the key-value store of this label, by key; none where it is behind Redis.
    pub fn stored(&self, label: &str) -> BTreeMap<String, Vec<u8>> {
        self.stores.in_memory(label)
    }

    /// Stops listening, lets requests and what guests do after their answers run to their end, and
    /// ends what is left after [`SHUTDOWN_LIMIT`].
    pub async fn shutdown(self) {
        self.phase.send_replace(Phase::Draining);
        _ = tokio::time::timeout(SHUTDOWN_LIMIT, self.phase.closed()).await;
    }
}
