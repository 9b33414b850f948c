//! What becomes of hooks when a kept connection to a provider dies without a word: `cargo bench -p bench -- drops`.
//!
//! All of it runs in a network namespace of its own, where nftables can drop the packets of one connection and let
//! new connections pass. Spin sends, over TLS with HTTP/2, to emulators of ACS that are processes of their own.
//! Linux only; it needs `unshare`, `ip`, `ss` and `nft`, and either root or unprivileged user namespaces.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use okta_telephony_dev::acs_emulator::{self, AcsEmulator, DEVELOPMENT_ACCESS_KEY};
use okta_telephony_dev::component;
use okta_telephony_dev::local_host::Manifest;
use okta_telephony_dev::tls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::folders::{checkout, target};
use crate::load::{Connection, Hooks};
use crate::process::Running;
use crate::spin;

/// The two providers.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Their emulators, by address and port, and a second one of the first provider, which takes its new connections
/// once the other one is frozen.
const EMULATORS: [(Ipv4Addr, u16); 3] = [(FIRST, 443), (SECOND, 443), (FIRST, 444)];

/// Where the hook listens.
const HOOK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);

/// For how long all is well at first.
const BEFORE: Duration = Duration::from_secs(3);

/// When a client gives up: Okta does after 3 s.
const OKTA_WAITS: Duration = Duration::from_secs(3);

/// What takes longer is not well.
const WELL: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Args)]
pub struct Drops {
    /// What happens to the connection, between commas
    #[arg(long, value_name = "KINDS", value_delimiter = ',', default_values = ["packets", "answers", "frozen", "unreachable"])]
    kinds: Vec<Kind>,
    /// How many providers there are, between commas
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_values = ["1", "2"], value_parser = clap::value_parser!(u8).range(1..=2))]
    providers: Vec<u8>,
    /// How many seconds to look after the drop
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..=600))]
    seconds: u64,
    /// How many hooks are sent each second
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=200))]
    hooks: u16,
    /// What tcp_retries2 of the namespace is, if not the system's own
    #[arg(long, value_name = "NUMBER")]
    tcp_retries2: Option<u8>,
    /// No connection is kept from hook to hook
    #[arg(long)]
    no_pooling: bool,
    /// In the namespace.
    #[arg(long, hide = true)]
    inside: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The packets of the connection are dropped, both ways
    Packets,
    /// Those of the provider are dropped, those to it arrive
    Answers,
    /// The provider's process is stopped; its kernel acknowledges what comes, and another process takes new connections
    Frozen,
    /// A router answers that the provider's address is unreachable
    Unreachable,
}

/// Measures and prints.
///
/// # Errors
///
/// Commands that are missing, no right to a namespace, and what does not start.
pub async fn run(drops: &Drops) -> Result<()> {
    if !drops.inside {
        component::build(&Manifest::read(&checkout().join("spin.toml"))?)?;
        return enter_namespace();
    }
    if let Some(retries) = drops.tcp_retries2 {
        std::fs::write("/proc/sys/net/ipv4/tcp_retries2", retries.to_string())?;
    }
    ip(&["link", "set", "lo", "up"])?;
    println!(
        "| the connection | providers | hooks after it | over 3 s | lost | doubled | slowest ms | well again after s |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for &kind in &drops.kinds {
        for &providers in &drops.providers {
            println!("{}", measure(kind, providers, drops).await?);
        }
    }
    Ok(())
}

/// Runs this program once more, with the same arguments, in a network namespace.
fn enter_namespace() -> Result<()> {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "--kill-child"]);
    command.arg(std::env::current_exe()?).args(std::env::args_os().skip(1)).arg("--inside");
    let status = command.status().context("`unshare` of util-linux can't be run")?;
    ensure!(status.success(), "in the network namespace something failed: {status}");
    Ok(())
}

/// The row of one case.
async fn measure(kind: Kind, providers: u8, drops: &Drops) -> Result<String> {
    // The chain for addresses has the kernel follow connections from their first packet on.
    nft("flush ruleset
         add table ip drops
         add chain ip drops addresses { type nat hook output priority -100; }
         add chain ip drops packets { type filter hook input priority 0; }")?;
    let mut emulators = Vec::new();
    for emulator in EMULATORS {
        emulators.push(start_emulator(emulator.into()).await?);
    }
    let _spin = start_spin(providers, drops).await?;

    let hooks = Hooks::new("/api/okta-telephony".into());
    let pause = Duration::from_secs(1) / u32::from(drops.hooks);
    let after = Duration::from_secs(drops.seconds);
    let started = Instant::now();
    let mut dropped = None;
    let mut sent = Vec::new();
    while started.elapsed() < BEFORE + after {
        let hooks = hooks.clone();
        sent.push((Instant::now(), tokio::spawn(async move { post(&hooks).await })));
        if dropped.is_none() && started.elapsed() >= BEFORE {
            drop_connections(kind, &emulators[0])?;
            dropped = Some(Instant::now());
        }
        tokio::time::sleep(pause).await;
    }
    let dropped = dropped.context("nothing was dropped")?;

    let (mut count, mut late, mut lost) = (0, 0, 0);
    let (mut slowest, mut last_unwell) = (Duration::ZERO, None);
    for (at, hook) in sent {
        let (took, successful) = hook.await??;
        // Those before it that had their answer are not asked about.
        if at + took < dropped {
            ensure!(successful, "before anything was dropped, a hook failed");
            continue;
        }
        count += 1;
        late += usize::from(took >= OKTA_WAITS);
        lost += usize::from(!successful);
        slowest = slowest.max(took);
        if !successful || took > WELL {
            last_unwell = Some(at.saturating_duration_since(dropped));
        }
    }
    let well_again = match last_unwell {
        None => "0".into(),
        Some(last) if last + Duration::from_secs(1) > after => format!("not in {}", drops.seconds),
        Some(last) => format!("{:.1}", (last + pause).as_secs_f64()),
    };
    emulators[0].signal("CONT");
    // The first one is to be asked itself, and to have read what had come.
    nft("flush chain ip drops addresses")?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut taken = [BTreeSet::new(), BTreeSet::new()];
    for emulator in EMULATORS {
        taken[usize::from(emulator.0 == SECOND)].extend(taken_by(emulator.into()).await?);
    }
    let doubled = taken[0].intersection(&taken[1]).count();
    let kind = kind.to_possible_value().context("none is hidden")?;
    Ok(format!(
        "| {} | {providers} | {count} | {late} | {lost} | {doubled} | {} | {well_again} |",
        kind.get_name(),
        slowest.as_millis()
    ))
}

/// Sends one hook over a connection of its own: how long it took, and whether the message was taken.
async fn post(hooks: &Hooks) -> Result<(Duration, bool)> {
    let started = Instant::now();
    let mut connection = Connection::open(HOOK).await?;
    let answer = tokio::time::timeout(2 * OKTA_WAITS, connection.exchange(&hooks.next())).await;
    let successful = match answer {
        Ok(answer) => answer?.contains("SUCCESSFUL"),
        Err(_) => false,
    };
    Ok((started.elapsed(), successful))
}

/// Lets the connections to the first provider that there are now die.
fn drop_connections(kind: Kind, first: &Running) -> Result<()> {
    let provider = FIRST.to_string();
    let found =
        Command::new("ss").args(["-Htn", "state", "established", "dst", &provider]).output();
    let found = String::from_utf8(found.context("`ss` of iproute2 can't be run")?.stdout)?;
    let ports = found.lines().filter_map(|line| line.split_whitespace().nth(2)?.rsplit(':').next());
    let ports = ports.collect::<Vec<_>>().join(", ");
    ensure!(!ports.is_empty(), "there is no connection to the provider that could be dropped");
    let to = format!("add rule ip drops packets ip daddr {FIRST} tcp sport {{ {ports} }}");
    let from = format!("add rule ip drops packets ip saddr {FIRST} tcp dport {{ {ports} }}");
    match kind {
        Kind::Packets => nft(&format!("{to} drop\n{from} drop")),
        Kind::Answers => nft(&format!("{from} drop")),
        Kind::Unreachable => {
            nft(&format!("{to} reject with icmp type host-unreachable\n{from} drop"))
        }
        Kind::Frozen => {
            nft(&format!(
                "add rule ip drops addresses ip daddr {FIRST} tcp dport 443 dnat to {FIRST}:444"
            ))?;
            first.signal("STOP");
            Ok(())
        }
    }
}

/// The ids of the messages that an emulator has taken.
async fn taken_by(address: SocketAddr) -> Result<BTreeSet<String>> {
    // It comes from another port than the hook's connections.
    let mut stream = TcpStream::connect(address).await?;
    let head = format!("GET /messages HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let ids = answer.split("\"repeatabilityRequestId\":\"").skip(1);
    Ok(ids.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect())
}

/// Starts an emulator and waits until it listens.
async fn start_emulator(address: SocketAddr) -> Result<Running> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["emulator", &address.to_string()]).arg(authority(address));
    Running::start(&mut command, address, &target().join(format!("{address}.log"))).await
}

/// Starts Spin and waits until it listens.
async fn start_spin(providers: u8, drops: &Drops) -> Result<Running> {
    let mut authorities = String::new();
    for emulator in EMULATORS {
        authorities += &std::fs::read_to_string(authority(emulator.into()))?;
    }
    let file = target().join("drops.pem");
    std::fs::write(&file, authorities)?;
    let manifest = Manifest::read(&checkout().join("spin.toml"))?;
    let hosts = [FIRST.to_string(), SECOND.to_string()];
    let hosts = hosts.each_ref().map(String::as_str);
    let mut runtime_config = spin::runtime_config(&manifest, &hosts, &file)?;
    if drops.no_pooling {
        runtime_config =
            runtime_config.replace("connection_pooling = true", "connection_pooling = false");
    }
    let mut command = spin::up(&checkout().join("spin.toml"), &runtime_config, HOOK)?;
    command.arg("--quiet");
    let origins = hosts.map(|host| format!("https://{host}"));
    let origins = origins.each_ref().map(String::as_str);
    for (name, value) in spin::variables(&manifest, &origins[..providers.into()])? {
        command.arg("--variable").arg(format!("{name}={value}"));
    }
    Running::start(&mut command, HOOK, &target().join("drops.log")).await
}

/// The file with the certificate authority of the emulator at an address.
fn authority(address: SocketAddr) -> PathBuf {
    target().join(format!("{address}.pem"))
}

/// Runs an emulator of ACS until the process is ended, and writes its certificate authority to a file.
///
/// # Errors
///
/// An address that can't be listened on, or a file that can't be written.
pub async fn emulate(listen: SocketAddr, authority: PathBuf) -> Result<()> {
    std::fs::write(authority, tls::certificate_authority())?;
    let settings = acs_emulator::Settings::new(listen, DEVELOPMENT_ACCESS_KEY);
    let _emulator = AcsEmulator::start(settings).await?;
    std::future::pending().await
}

fn ip(arguments: &[&str]) -> Result<()> {
    let status = Command::new("ip").args(arguments).status();
    ensure!(status.context("`ip` of iproute2 can't be run")?.success(), "ip {arguments:?} failed");
    Ok(())
}

/// Runs commands of nftables.
fn nft(commands: &str) -> Result<()> {
    let child = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn();
    let mut child = child.context("`nft` of nftables can't be run")?;
    child.stdin.take().context("it is piped")?.write_all(commands.as_bytes())?;
    ensure!(child.wait()?.success(), "nft failed: {commands}");
    Ok(())
}
