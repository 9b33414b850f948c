//! What a normal hook sees while others misbehave, on Spin by itself and on Spin as the samples have it:
//! `cargo bench -p bench -- neighbours`.
//!
//! Each case is a fresh Spin. A client sends hooks at a steady pace, each over a connection of its own, and gives up
//! after Okta's 3 seconds. Those who misbehave come from other addresses of this machine. Linux only.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use okta_telephony_dev::nginx;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use crate::compare::circumstances;
use crate::deployment::{Deployment, SetUp, prepare};
use crate::load::{self, Hooks, Outcome};
use crate::raise_descriptors;
use crate::stand_in::{StandIn, Transport};

/// For how long all is well at first.
const BEFORE: Duration = Duration::from_secs(2);

/// How long Spin has, once the neighbours are gone, before it is looked at again.
const AFTER: Duration = Duration::from_secs(3);

/// How long a silent neighbour waits before the next connection.
const PAUSE: Duration = Duration::from_millis(100);

/// The normal client's address.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// How many connections say nothing.
const SILENT: u16 = 2000;

/// How many hooks come at once, of four orgs that each have 75 transactions at a time, and how often.
const AT_ONCE: u16 = 300;
const ORG: u16 = 75;
const EVERY: Duration = Duration::from_secs(5);

/// How long a stranger without credentials waits before the next request.
const STRANGERS_PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Args)]
pub struct Neighbours {
    /// What the neighbours do, between commas
    #[arg(long, value_name = "SCENARIOS", value_enum, value_delimiter = ',', default_values = ["nobody", "silent", "hung-provider", "hung-first-provider", "stopped-reader", "silent-tls"])]
    only: Vec<Scenario>,
    /// How Spin is served, between commas
    #[arg(long, value_name = "SET-UPS", value_enum, value_delimiter = ',', default_values = ["alone", "samples"])]
    set_ups: Vec<SetUp>,
    /// How many seconds hooks are sent; the neighbours begin after two
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(5..=600))]
    seconds: u64,
    /// How many hooks are sent each second
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=200))]
    hooks: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// There are none
    Nobody,
    /// 2,000 connections say nothing
    Silent,
    /// 300 hooks come at once, every 5 seconds, and the only provider takes requests and never answers
    HungProvider,
    /// The same with a second provider, which answers
    HungFirstProvider,
    /// What reads Spin's output stops, and strangers without credentials ask 50 times a second
    StoppedReader,
    /// One connection says nothing where TLS is spoken; without nginx it is Spin that speaks it
    SilentTls,
}

impl Scenario {
    /// Its name in the table.
    fn name(self) -> &'static str {
        match self {
            Self::Nobody => "no neighbours",
            Self::Silent => "2,000 silent connections",
            Self::HungProvider => "300 hooks at once, the provider hangs",
            Self::HungFirstProvider => "300 hooks at once, the first of two providers hangs",
            Self::StoppedReader => "the log's reader stops, 50 refused requests a second",
            Self::SilentTls => "one silent connection where TLS is spoken",
        }
    }
}

/// Measures and prints.
///
/// # Errors
///
/// Commands that are missing, and what does not start.
pub async fn run(neighbours: &Neighbours) -> Result<()> {
    for set_up in &neighbours.set_ups {
        set_up.check()?;
    }
    raise_descriptors()?;
    println!("{}.\n", circumstances(&[prepare()?]));
    println!(
        "| neighbours | Spin | hooks | SUCCESSFUL | FAILED | lost | p50 ms | slowest ms | Spin at the end | descriptors, most | MiB before | most | after |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for &scenario in &neighbours.only {
        for &set_up in &neighbours.set_ups {
            eprintln!("{} s: {}, {}", neighbours.seconds, scenario.name(), set_up.name());
            println!("{}", measure(scenario, set_up, neighbours).await?);
        }
    }
    Ok(())
}

/// The row of one case.
async fn measure(scenario: Scenario, set_up: SetUp, neighbours: &Neighbours) -> Result<String> {
    let answers = StandIn::start(Transport::Tls).await?.origin();
    let hangs = StandIn::start_hung(Transport::Tls).await?.origin();
    let providers = match scenario {
        Scenario::HungProvider => &[hangs.as_str()][..],
        Scenario::HungFirstProvider => &[hangs.as_str(), answers.as_str()],
        _ => &[answers.as_str()],
    };
    let deployment = Deployment::start(set_up, providers, scenario == Scenario::SilentTls).await?;
    let deployment = Arc::new(deployment);
    let before = deployment.spin.held();

    let hooks = Hooks::new("/api/okta-telephony".into());
    let mut most = before;
    let outcomes = tokio::select! {
        // Who is dropped closes all connections.
        never = misbehave(scenario, &deployment, &hooks) => match never {},
        never = deployment.spin.watch(&mut most) => match never {},
        outcomes = send_steadily(&deployment, &hooks, neighbours) => outcomes,
    };
    sleep(AFTER).await;
    let after = deployment.spin.held();
    let answered = !matches!(send(&deployment, CLIENT, &hooks.next()).await, Outcome::Lost);
    let mut deployment = Arc::into_inner(deployment).context("nobody else has it by now")?;
    let at_the_end = match (deployment.spin.has_ended(), answered) {
        (true, _) => "has ended",
        (false, false) => "hangs",
        (false, true) => "answers",
    };

    let count = |of: fn(&Outcome) -> bool| outcomes.iter().filter(|it| of(it)).count();
    let at = |part| load::quantile(&outcomes, part);
    Ok(format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {at_the_end} | {} | {} | {} | {} |",
        scenario.name(),
        set_up.name(),
        outcomes.len(),
        count(|it| matches!(it, Outcome::Successful(_))),
        count(|it| matches!(it, Outcome::Failed(_))),
        count(|it| matches!(it, Outcome::Lost)),
        at(0.5),
        at(1.0),
        most.descriptors,
        before.mebibytes(),
        most.mebibytes(),
        after.mebibytes(),
    ))
}

/// Sends one request over a connection of its own.
async fn send(deployment: &Deployment, from: IpAddr, request: &str) -> Outcome {
    load::post(deployment.connect(from), request).await
}

/// The normal client.
async fn send_steadily(
    deployment: &Arc<Deployment>,
    hooks: &Hooks,
    neighbours: &Neighbours,
) -> Vec<Outcome> {
    let mut ticks = interval(Duration::from_secs(1) / u32::from(neighbours.hooks));
    let mut sent = JoinSet::new();
    for _ in 0..neighbours.seconds * u64::from(neighbours.hooks) {
        ticks.tick().await;
        let (deployment, request) = (deployment.clone(), hooks.next());
        sent.spawn(async move { send(&deployment, CLIENT, &request).await });
    }
    sent.join_all().await
}

/// What the neighbours do, for as long as this is polled.
async fn misbehave(scenario: Scenario, deployment: &Arc<Deployment>, hooks: &Hooks) -> Infallible {
    sleep(BEFORE).await;
    let mut neighbours = JoinSet::new();
    match scenario {
        Scenario::Nobody => {}
        Scenario::Silent => {
            for stranger in 0..SILENT {
                neighbours.spawn(stay_silent(deployment.clone(), address(2, stranger % 200)));
            }
        }
        Scenario::SilentTls => {
            neighbours.spawn(stay_silent(deployment.clone(), address(2, 0)));
        }
        Scenario::HungProvider | Scenario::HungFirstProvider => {
            let mut ticks = interval(EVERY);
            loop {
                ticks.tick().await;
                for hook in 0..AT_ONCE {
                    let (deployment, request) = (deployment.clone(), hooks.next());
                    let org = address(1, hook / ORG);
                    neighbours.spawn(async move {
                        send(&deployment, org, &request).await;
                    });
                }
            }
        }
        Scenario::StoppedReader => {
            if let Some(reader) = &deployment.reader {
                reader.stop();
            }
            let request = format!(
                "POST /api/okta-telephony HTTP/1.1\r\nhost: {}\r\ncontent-length: 2\r\n\r\n{{}}",
                nginx::NAME
            );
            let mut ticks = interval(STRANGERS_PAUSE);
            loop {
                ticks.tick().await;
                let (deployment, request) = (deployment.clone(), request.clone());
                neighbours.spawn(async move {
                    send(&deployment, address(2, 0), &request).await;
                });
            }
        }
    }
    std::future::pending().await
}

/// Connects, says nothing, and connects anew when the connection is closed.
async fn stay_silent(deployment: Arc<Deployment>, from: IpAddr) {
    loop {
        if let Ok(mut stream) = deployment.connect_in_clear(from).await {
            // Until the other end has had enough.
            _ = stream.read_u8().await;
        }
        sleep(PAUSE).await;
    }
}

/// One of the neighbours' addresses.
fn address(who: u8, number: u16) -> IpAddr {
    let [_, number] = number.to_be_bytes();
    Ipv4Addr::new(127, 0, who, 1 + number).into()
}
