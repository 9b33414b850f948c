//! All contenders in turn, round after round; medians of the rounds, and of the ratios within each round.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::contender::{Contender, Kind, version};
use crate::folders::checkout;
use crate::guard::Guard;
use crate::load::{self, Hooks};
use crate::stand_in::{StandIn, Transport};

/// How to compare.
pub struct Plan {
    pub contenders: Vec<Contender>,
    pub rounds: usize,
    /// Of each load.
    pub duration: Duration,
    pub connections: usize,
}

/// Load before that which is measured, for connections, caches and branch predictors.
const WARM_UP: Duration = Duration::from_secs(1);

/// The figures of one contender in one round. Those that are not known are NaN.
struct Turn {
    /// Microseconds of CPU for each hook, at many connections.
    cpu: f64,
    /// Hooks each second, at many connections.
    per_second: f64,
    /// Milliseconds, at many connections.
    p50: f64,
    /// Milliseconds, at many connections.
    p99: f64,
    /// Milliseconds, at one connection.
    p50_alone: f64,
}

/// A contender with its turns, one for each round.
struct Measured {
    contender: Contender,
    turns: Vec<Turn>,
}

/// Measures and prints.
///
/// # Errors
///
/// A contender that can't be built or started, or that answers anything but success. Python is left out, and said
/// to be, where it can't be had.
pub async fn compare(plan: &Plan) -> Result<()> {
    let spin = version(&mut Command::new("spin"));
    let needs_spin = plan.contenders.iter().any(|it| it.environment);
    ensure!(spin.is_some() || !needs_spin, "variables in the environment need the command `spin`");
    let mut versions = Vec::new();
    let mut measured = Vec::new();
    for &contender in &plan.contenders {
        match contender.prepare(spin.as_deref()) {
            Ok(version) if versions.contains(&version) => {}
            Ok(version) => versions.push(version),
            Err(error) if contender.kind == Kind::Python => {
                eprintln!("The Python function is left out: {error:#}");
                continue;
            }
            Err(error) => return Err(error),
        }
        measured.push(Measured { contender, turns: Vec::new() });
    }

    let mut acs = Vec::new();
    for &transport in Transport::value_variants() {
        acs.push(StandIn::start(transport).await?);
    }
    for round in 1..=plan.rounds {
        for Measured { contender, turns } in &mut measured {
            let acs = acs.iter().find(|it| it.transport == contender.transport);
            let acs = acs.context("there is one for each transport")?.origin();
            let turn = take_turn(*contender, plan, &acs, spin.is_some()).await;
            let turn = turn.with_context(|| {
                format!("{}: what it printed is in {}", contender.name(), contender.log().display())
            })?;
            eprintln!(
                "round {round} of {}: {}",
                plan.rounds,
                row(&contender.name(), |of| of(&turn))
            );
            turns.push(turn);
        }
    }
    print(plan, &measured, &versions);
    Ok(())
}

async fn take_turn(contender: Contender, plan: &Plan, acs: &str, on_spin: bool) -> Result<Turn> {
    let running = contender.start(acs, on_spin).await?;
    let hooks = Hooks::new(contender.path(acs));
    load::run(running.address, &hooks, plan.connections, WARM_UP).await?;
    let before = running.cpu();
    let many = load::run(running.address, &hooks, plan.connections, plan.duration).await?;
    let cpu = running.cpu().zip(before).map(|(after, before)| after.saturating_sub(before));
    let alone = load::run(running.address, &hooks, 1, plan.duration).await?;
    Ok(Turn {
        cpu: cpu.map_or(f64::NAN, |cpu| cpu.as_secs_f64() * 1e6 / many.hooks()),
        per_second: many.per_second(),
        p50: many.quantile(0.5),
        p99: many.quantile(0.99),
        p50_alone: alone.quantile(0.5),
    })
}

/// Of what, with what and on what was measured.
pub fn circumstances(versions: &[String]) -> String {
    let git = ["describe", "--always", "--dirty"];
    let commit = Command::new("git").args(git).current_dir(checkout()).output();
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let versions = versions.join("; ");
    format!("Commit {}; {versions}; {processors} processors", commit.unwrap_or_default())
}

fn print(plan: &Plan, measured: &[Measured], versions: &[String]) {
    println!(
        "{}; medians of {} rounds of {} s a load.\n",
        circumstances(versions),
        plan.rounds,
        plan.duration.as_secs(),
    );
    let many = plan.connections;
    println!(
        "| | CPU µs a hook | hooks/s at {many} | p50 ms at {many} | p99 ms at {many} | p50 ms at 1 |"
    );
    println!("|---|---|---|---|---|---|");
    for Measured { contender, turns } in measured {
        println!("{}", row(&contender.name(), |of| median(turns.iter().map(of))));
    }
    println!(
        "\n| ratio | CPU | hooks/s at {many} | p99 at {many} | p50 at 1 |\n|---|---|---|---|---|"
    );
    for (it, other) in pairs(measured) {
        let ratio = |of: fn(&Turn) -> f64| {
            let turns = it.turns.iter().zip(&other.turns);
            figure(median(turns.map(|(it, other)| of(it) / of(other))), 2)
        };
        println!(
            "| {} to {} | {} | {} | {} | {} |",
            it.contender.name(),
            other.contender.name(),
            ratio(|it| it.cpu),
            ratio(|it| it.per_second),
            ratio(|it| it.p99),
            ratio(|it| it.p50_alone),
        );
    }
}

/// Whom to compare: each hook with those that are none and speak as it does, and everybody with who is the same
/// without TLS, or without the guard.
fn pairs(measured: &[Measured]) -> Vec<(&Measured, &Measured)> {
    let mut pairs = Vec::new();
    for it in measured {
        let Contender { kind, transport, .. } = it.contender;
        pairs.extend(measured.iter().filter_map(|other| {
            let is_plain_twin = transport != Transport::Plain
                && other.contender == Contender { transport: Transport::Plain, ..it.contender };
            let is_unguarded_twin = it.contender.guard != Guard::Off
                && other.contender == Contender { guard: Guard::Off, ..it.contender };
            let is_floor = kind == Kind::Hook
                && other.contender.kind != Kind::Hook
                && other.contender.transport == transport;
            (is_plain_twin || is_unguarded_twin || is_floor).then_some((it, other))
        }));
    }
    pairs
}

/// A row of the first table.
fn row(name: &str, value: impl Fn(fn(&Turn) -> f64) -> f64) -> String {
    format!(
        "| {name} | {} | {} | {} | {} | {} |",
        figure(value(|it| it.cpu), 0),
        figure(value(|it| it.per_second), 0),
        figure(value(|it| it.p50), 2),
        figure(value(|it| it.p99), 2),
        figure(value(|it| it.p50_alone), 2),
    )
}

fn figure(value: f64, places: usize) -> String {
    if value.is_nan() { "–".into() } else { format!("{value:.places$}") }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[length / 2],
        length => f64::midpoint(values[length / 2 - 1], values[length / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
    }
}
