//! What a hook costs, beside the least that a component can cost its host and beside what people would use
//! instead: `cargo bench -p bench`. What came out, and what it says, is docs/performance.md's.

#![deny(unsafe_code)]

mod compare;
mod contender;
mod http1;
mod load;
mod native;
mod phases;
mod process;
mod size;
mod stand_in;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};

use self::compare::Plan;
use self::contender::Paths;

/// Measure the hook beside the host's floor, a native server and a Python function.
///
/// Servers and clients have half of the processors each; each round starts every contender anew, in turn.
/// What comes out is ratios: the machine's mood is in all of them.
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
    #[arg(long, value_name = "NUMBER", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How long each load lasts, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1500, value_parser = clap::value_parser!(u64).range(100..))]
    duration: u64,
    /// Only these contenders, between commas: hook, hook-without-limits, floor-constant, floor-relay,
    /// floor-relay-default-memory, floor-hook, native, python, and the first six with spin- before them
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Where to write all of it as JSON; target/bench/results.json where nothing is said
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Count the instructions and the calls to the host in each phase of one hook
    Phases,
    /// Print what the bytes of the component are for
    Sizes,
    /// Serve one contender
    #[command(hide = true)]
    Serve { name: String, listen: SocketAddr, acs: SocketAddr },
}

/// Does what the command line says.
pub fn main() -> Result<()> {
    let cli = Cli::parse();
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("bench/ is in the checkout")?;
    let paths = Paths { root: root.to_owned() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let work = async {
            match cli.command {
                Some(Command::Serve { name, listen, acs }) => {
                    contender::serve(&name, listen, acs, &paths).await
                }
                Some(Command::Phases) => phases::print(&paths).await,
                Some(Command::Sizes) => size::print(&paths.root),
                None => {
                    let plan = Plan {
                        rounds: cli.compare.rounds.into(),
                        duration: Duration::from_millis(cli.compare.duration),
                        only: cli.compare.only,
                        json: cli.compare.json,
                    };
                    compare::compare(&plan, &paths).await
                }
            }
        };
        tokio::select! {
            done = work => done,
            // What is dropped ends the contender that is running.
            _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        }
    })
}
