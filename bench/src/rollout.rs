//! How many hooks are lost when pods are replaced: `cargo bench -p bench -- rollout`.
//!
//! Three Spins are the pods, nginx is the way in, and this program does what Kubernetes does: it starts pods, ends
//! them, and tells nginx of both, as late as a cluster does. Spin ends as soon as it gets SIGTERM, and SpinKube's shim
//! does the same. Linux only; it needs `spin` and `nginx`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use okta_telephony_dev::acs_emulator::{
    self, AcsEmulator, DEVELOPMENT_ACCESS_KEY, Fault, FaultNumber, OddAnswer, Spoilt,
};
use okta_telephony_dev::tls;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use crate::compare::circumstances;
use crate::deployment::{SetUp, free_address, prepare, spin_of_the_samples};
use crate::folders::{checkout, target};
use crate::load::{self, Connection, Hooks, Outcome};
use crate::process::Running;
use crate::stand_in::authorities;

/// As many as deploy/spinkube has.
const PODS: usize = 3;

/// How long after a pod has begun to listen its readiness probe sees it, with that of deploy/spinkube: at most 2 seconds.
const READINESS: Duration = Duration::from_secs(2);

/// For how long all is well, before and after.
const CALM: Duration = Duration::from_secs(3);

/// The provider sends a message at once and says so 200 ms later, so a pod that ends meanwhile leaves a message that is
/// sent and a hook that is not answered.
static PROVIDER: FaultNumber = FaultNumber {
    number: "",
    fault: Fault::Accept(OddAnswer::Spoilt(Spoilt::Late(Duration::from_millis(200)))),
    meaning: "accepted, answered 200 ms late",
};

#[derive(Debug, Clone, Args)]
pub struct Rollout {
    /// What happens to the pods, between commas
    #[arg(long, value_name = "EVENTS", value_enum, value_delimiter = ',', default_values = ["rollout", "drain", "crash"])]
    only: Vec<Event>,
    /// How many seconds a pod that is told to end still serves (`preStop.sleep`), between commas
    #[arg(long, value_name = "SECONDS", value_delimiter = ',', default_values = ["0", "15"], value_parser = clap::value_parser!(u64).range(0..=60))]
    pre_stop: Vec<u64>,
    /// What the proxy sends to another pod, between commas
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',', default_values = ["nothing", "unsent", "all"])]
    retry: Vec<Retry>,
    /// How many milliseconds pass until the proxy knows of a pod that has come or that ends
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(0..=30_000))]
    propagation: u64,
    /// How many hooks are sent each second
    #[arg(long, value_name = "NUMBER", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=200))]
    hooks: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Event {
    /// Each pod is told to end once its successor is ready
    Rollout,
    /// Each pod is told to end before it has a successor, and the next one once that is ready
    Drain,
    /// Each pod ends by SIGKILL, and the next one once its successor is ready
    Crash,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Retry {
    /// Nothing
    Nothing,
    /// A hook of which nothing was sent, since the connection did not come about
    Unsent,
    /// Every hook that is not answered
    All,
}

impl Retry {
    /// In the words of nginx.
    fn next_upstream(self) -> &'static str {
        match self {
            Self::Nothing => "off",
            Self::Unsent => "error timeout",
            Self::All => "error timeout non_idempotent",
        }
    }
}

/// Measures and prints.
///
/// # Errors
///
/// Commands that are missing, and what does not start.
pub async fn run(rollout: &Rollout) -> Result<()> {
    SetUp::Samples.check()?;
    println!("{}.\n", circumstances(&[prepare()?]));
    println!(
        "| three pods, one after the other | wait before SIGTERM | sent again | hooks | lost | of these sent | asked for twice | p50 ms | p99 ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for &event in &rollout.only {
        // A pod that crashes is told nothing before.
        let pre_stop = if event == Event::Crash { &[0][..] } else { &rollout.pre_stop };
        for &pre_stop in pre_stop {
            for &retry in &rollout.retry {
                println!("{}", measure(event, pre_stop, retry, rollout).await?);
            }
        }
    }
    Ok(())
}

/// The row of one case.
async fn measure(event: Event, pre_stop: u64, retry: Retry, rollout: &Rollout) -> Result<String> {
    std::fs::write(authorities(), tls::certificate_authority())?;
    let settings = acs_emulator::Settings::new(([127, 0, 0, 1], 0).into(), DEVELOPMENT_ACCESS_KEY);
    let provider = AcsEmulator::start(settings).await?;
    provider.set_fault(Some(&PROVIDER));
    let propagation = Duration::from_millis(rollout.propagation);
    let mut cluster = Cluster::start(provider.origin(), retry, propagation).await?;

    let (stop, stopped) = watch::channel(false);
    let load = tokio::spawn(send_steadily(cluster.proxy.address, rollout.hooks, stopped));
    sleep(CALM).await;
    cluster.replace_all(event, Duration::from_secs(pre_stop)).await?;
    sleep(CALM).await;
    stop.send_replace(true);
    let outcomes = load.await?;

    let of = |what: fn(&Outcome) -> bool| outcomes.iter().filter(|it| what(it)).count();
    let failed = of(|it| matches!(it, Outcome::Failed(_)));
    ensure!(failed == 0, "{failed} hooks were answered FAILED: no pod's end does that");
    let successful = of(|it| matches!(it, Outcome::Successful(_)));
    let requests = provider.requests();
    let repeated = |reason: &String| reason.starts_with("Repeated");
    let twice = requests.iter().filter(|it| it.reasons.iter().any(repeated)).count();
    Ok(format!(
        "| {} | {} | {} | {} | {} | {} | {twice} | {} | {} |",
        name(&event),
        if event == Event::Crash { "–".into() } else { format!("{pre_stop} s") },
        name(&retry),
        outcomes.len(),
        outcomes.len() - successful,
        provider.messages().len().saturating_sub(successful),
        load::quantile(&outcomes, 0.5),
        load::quantile(&outcomes, 0.99),
    ))
}

/// Its name on the command line.
fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// Sends hooks at a steady pace, each over a connection of its own, until it is told to stop.
async fn send_steadily(
    to: SocketAddr,
    a_second: u16,
    stopped: watch::Receiver<bool>,
) -> Vec<Outcome> {
    let hooks = Hooks::new("/api/okta-telephony".into());
    let mut ticks = interval(Duration::from_secs(1) / u32::from(a_second));
    let mut sent = JoinSet::new();
    while !*stopped.borrow() {
        ticks.tick().await;
        let request = hooks.next();
        sent.spawn(async move { load::post(Connection::open(to), &request).await });
    }
    sent.join_all().await
}

/// Pods that are ready, and the proxy before them.
struct Cluster {
    provider: String,
    pods: Vec<Running>,
    proxy: Arc<Proxy>,
    propagation: Duration,
}

impl Cluster {
    async fn start(provider: String, retry: Retry, propagation: Duration) -> Result<Self> {
        let mut pods = Vec::new();
        for _ in 0..PODS {
            pods.push(spin_of_the_samples(&[&provider], None).await?);
        }
        let addresses = pods.iter().map(|pod| pod.address).collect();
        let proxy = Arc::new(Proxy::start(addresses, retry).await?);
        Ok(Self { provider, pods, proxy, propagation })
    }

    /// Puts a new pod into the place of each, and returns when the old ones have ended.
    async fn replace_all(&mut self, event: Event, pre_stop: Duration) -> Result<()> {
        // What goes on beside the next step: pods that end, and what the proxy is told late.
        let mut beside = JoinSet::new();
        for _ in 0..self.pods.len() {
            let old = self.pods.remove(0);
            let address = old.address;
            if event == Event::Rollout {
                self.add_pod(&mut beside).await?;
            }
            match event {
                Event::Crash => old.kill(),
                Event::Rollout | Event::Drain => {
                    beside.spawn(async move {
                        sleep(pre_stop).await;
                        // To drop it is to send it SIGTERM, and to wait.
                        Ok(tokio::task::spawn_blocking(|| drop(old)).await?)
                    });
                }
            }
            self.tell_late(&mut beside, move |pods| pods.retain(|pod| *pod != address));
            if event != Event::Rollout {
                self.add_pod(&mut beside).await?;
            }
        }
        while let Some(done) = beside.join_next().await {
            done??;
        }
        Ok(())
    }

    async fn add_pod(&mut self, beside: &mut JoinSet<Result<()>>) -> Result<()> {
        let pod = spin_of_the_samples(&[&self.provider], None).await?;
        sleep(READINESS).await;
        let address = pod.address;
        self.pods.push(pod);
        self.tell_late(beside, move |pods| pods.push(address));
        Ok(())
    }

    /// Tells the proxy as late as the news takes.
    fn tell_late(
        &self,
        beside: &mut JoinSet<Result<()>>,
        change: impl FnOnce(&mut Vec<SocketAddr>) + Send + 'static,
    ) {
        let (proxy, propagation) = (self.proxy.clone(), self.propagation);
        beside.spawn(async move {
            sleep(propagation).await;
            proxy.change(change)
        });
    }
}

/// nginx, which keeps connections to the pods open.
struct Proxy {
    pods: Mutex<Vec<SocketAddr>>,
    retry: Retry,
    address: SocketAddr,
    nginx: Running,
}

impl Proxy {
    async fn start(pods: Vec<SocketAddr>, retry: Retry) -> Result<Self> {
        let address = free_address()?;
        let folder = folder();
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("nginx.conf"), configuration(&pods, retry, address)?)?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&folder).arg("-c").arg(folder.join("nginx.conf"));
        command.args(["-e", "nginx.log"]);
        let nginx = Running::start(&mut command, address, &folder.join("output.log")).await;
        let nginx = nginx.with_context(|| format!("nginx: {} says why", folder.display()))?;
        Ok(Self { pods: Mutex::new(pods), retry, address, nginx })
    }

    /// Has it use other pods from now on. What it has sent to those that it had it still waits for.
    fn change(&self, change: impl FnOnce(&mut Vec<SocketAddr>)) -> Result<()> {
        let mut pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut pods);
        let configuration = configuration(&pods, self.retry, self.address)?;
        std::fs::write(folder().join("nginx.conf"), configuration)?;
        self.nginx.signal("HUP");
        Ok(())
    }
}

/// What nginx reads and writes.
fn folder() -> PathBuf {
    target().join("rollout")
}

/// The configuration of the scale test's nginx, for these pods.
fn configuration(pods: &[SocketAddr], retry: Retry, listen: SocketAddr) -> Result<String> {
    let file = checkout().join("dev/tests/scale/nginx.conf");
    let mut text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let pods: String = pods.iter().map(|pod| format!("    server {pod} max_fails=0;\n")).collect();
    for (theirs, ours) in [
        ("    # HOSTS\n", pods.as_str()),
        ("ADDRESS", &listen.to_string()),
        // Only a master can change the pods without a break.
        ("master_process off;\n", ""),
        ("error timeout non_idempotent", retry.next_upstream()),
    ] {
        ensure!(text.contains(theirs), "{} has no {theirs:?}", file.display());
        text = text.replace(theirs, ours);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_has_these_pods_and_sends_again_what_it_is_told_to() {
        let pods = ["127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap()];
        let text = configuration(&pods, Retry::Unsent, "127.0.0.1:3".parse().unwrap()).unwrap();
        for line in [
            "    server 127.0.0.1:1 max_fails=0;",
            "    server 127.0.0.1:2 max_fails=0;",
            "    listen 127.0.0.1:3;",
            "      proxy_next_upstream error timeout;",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}: {text}");
        }
    }
}
