//! What a hook costs, beside the least that a component with one outbound call costs, and beside a Python function:
//! `cargo bench -p bench`. And what a hook holds of the machine, and what becomes of it beside neighbours who misbehave.
//! docs/contributing/performance.md says what came out.

#![deny(unsafe_code)]

mod compare;
mod contender;
mod deployment;
mod drops;
mod folders;
mod guard;
mod http1;
mod load;
mod memory;
mod neighbours;
mod phases;
mod process;
mod rollout;
mod spin;
mod stand_in;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use rustix::process::{Resource, Rlimit};

use self::compare::Plan;
use self::contender::{Contender, Kind};
use self::drops::Drops;
use self::guard::Guard;
use self::memory::Memory;
use self::neighbours::Neighbours;
use self::rollout::Rollout;
use self::stand_in::Transport;

/// Measure the hook beside the relay floor and a Python function.
///
/// The first two run on Spin where there is a `spin` command, else on the local host. Each round starts every
/// contender anew, in turn. Ratios are made within each round, so that they depend less on how busy the machine is.
#[derive(Debug, Parser)]
#[command(
    name = "cargo bench -p bench --",
    bin_name = "cargo bench -p bench --",
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    compare: Compare,
    /// What cargo adds.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Debug, Args)]
struct Compare {
    /// How often each contender has its turn
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How many seconds each load lasts; a turn has two and a second of warming up
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    duration: u64,
    /// How many connections the first load has; the second has one
    #[arg(long, value_name = "NUMBER", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Only these contenders, between commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "hook,relay,python")]
    only: Vec<Kind>,
    /// How Spin gets the hook's application variables
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Variables::Flags)]
    variables: Variables,
    /// How ACS is spoken to, between commas; each contender has a turn in each round with each of them
    #[arg(long, value_name = "HOW", value_enum, value_delimiter = ',', default_value = "tls")]
    transport: Vec<Transport>,
    /// What the hook's guard does, between commas; the hook has a turn in each round with each of them
    #[arg(long, value_name = "MODES", value_enum, value_delimiter = ',', default_value = "off")]
    guard: Vec<Guard>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Variables {
    /// By `spin up --variable`
    Flags,
    /// In the environment, as SpinKube has them
    Environment,
    /// The hook has two turns in each round, one with either
    Both,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Count the instructions and the calls to the host of one hook
    Phases {
        /// What the guard does
        #[arg(long, value_name = "MODE", value_enum, default_value_t = Guard::Off)]
        guard: Guard,
    },
    /// Let a kept connection to a provider die without a word, in a network namespace, and tell what becomes of hooks
    Drops(Drops),
    /// Send hooks while others misbehave, and tell what becomes of them, of Spin's memory and of its descriptors
    Neighbours(Neighbours),
    /// Tell the memory and descriptors that Spin takes for hooks that wait, for reports and for silent connections
    Memory(Memory),
    /// Replace pods behind a proxy while hooks come in, and tell how many are lost
    Rollout(Rollout),
    /// Serve a component on the local host
    #[command(hide = true)]
    Serve { manifest: PathBuf, listen: SocketAddr, acs: String, guard: Guard },
    /// Run an emulator of ACS
    #[command(hide = true)]
    Emulator { listen: SocketAddr, authority: PathBuf },
}

impl Compare {
    fn plan(&self) -> Plan {
        let environments = match self.variables {
            Variables::Flags => &[false][..],
            Variables::Environment => &[true],
            Variables::Both => &[false, true],
        };
        let mut contenders = Vec::new();
        for &kind in &self.only {
            // Only the hook has variables, and a guard.
            let is_hook = kind == Kind::Hook;
            let environments = if is_hook { environments } else { &[false] };
            let guards = if is_hook { &self.guard[..] } else { &[Guard::Off] };
            for &environment in environments {
                for &guard in guards {
                    let of = |&transport| Contender { kind, environment, guard, transport };
                    contenders.extend(self.transport.iter().map(of));
                }
            }
        }
        Plan {
            contenders,
            rounds: self.rounds.into(),
            duration: Duration::from_secs(self.duration),
            connections: self.connections.into(),
        }
    }
}

/// Does what the command line says.
pub fn main() -> Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let work = async {
            match cli.command {
                Some(Command::Serve { manifest, listen, acs, guard }) => {
                    contender::serve(&manifest, listen, &acs, guard).await
                }
                Some(Command::Drops(drops)) => drops::run(&drops).await,
                Some(Command::Neighbours(neighbours)) => neighbours::run(&neighbours).await,
                Some(Command::Memory(memory)) => memory::run(&memory).await,
                Some(Command::Rollout(rollout)) => rollout::run(&rollout).await,
                Some(Command::Emulator { listen, authority }) => {
                    drops::emulate(listen, authority).await
                }
                Some(Command::Phases { guard }) => phases::print(guard).await,
                None => compare::compare(&cli.compare.plan()).await,
            }
        };
        tokio::select! {
            done = work => done,
            // What is dropped ends the contender that is running.
            _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        }
    })
}

/// Lets this process have as many descriptors as it has a right to: it is the callers of all of a case.
fn raise_descriptors() -> Result<()> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    Ok(())
}
