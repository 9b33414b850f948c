//! All contenders, in turn, round after round; medians of the rounds, and of the ratios within each round.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::contender::{Contender, Host, Paths, What, is_there};
use crate::load::{self, Connection, Hooks};
use crate::process::usage;
use crate::stand_in::StandIn;

/// How to compare.
pub struct Plan {
    pub rounds: usize,
    /// Of each load.
    pub duration: Duration,
    /// Names of contenders; all where it is empty.
    pub only: Vec<String>,
    pub json: Option<PathBuf>,
}

const CONNECTIONS: [usize; 3] = [1, 16, 64];

/// Before what is measured: connections, caches and branch predictors.
const WARM_UP: Duration = Duration::from_millis(400);

/// The time in which a contender must give its first answer: Cranelift may have to compile first.
const START_LIMIT: Duration = Duration::from_secs(60);

/// One contender in one round.
struct Turn {
    /// By the number of connections, as in [`CONNECTIONS`].
    loads: [Load; 3],
    /// Milliseconds from the process's start to its first answer.
    start: f64,
    /// Microseconds of its CPU for each hook at 16 connections.
    cpu: Option<f64>,
    /// Pages for each hook at 16 connections.
    page_faults: Option<f64>,
    /// Bytes in memory without any hook.
    resident: Option<f64>,
    /// Bytes more for each hook under way.
    per_hook: Option<f64>,
}

struct Load {
    per_second: f64,
    p50: f64,
    p99: f64,
    p999: f64,
}

pub async fn compare(plan: &Plan, paths: &Paths) -> Result<()> {
    let python = paths.install_python().await;
    let contenders = chosen(Contender::all(python), &plan.only)?;
    paths.build().await?;
    let pinning = Pinning::of_this_machine();
    pinning.pin_this_process();

    let acs = StandIn::start().await?;
    let mut turns: Vec<Vec<Turn>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 1..=plan.rounds {
        let names: Vec<_> = contenders.iter().map(|it| it.name()).collect();
        eprintln!("Round {round} of {}: {}", plan.rounds, names.join(", "));
        for (contender, turns) in contenders.iter().zip(&mut turns) {
            let turn = take_turn(*contender, plan, paths, &acs, &pinning).await;
            turns.push(turn.with_context(|| {
                let log = paths.target().join(format!("{}.log", contender.name()));
                format!("{} failed: see {}", contender.name(), log.display())
            })?);
        }
    }
    let mut sizes = Vec::new();
    for contender in &contenders {
        sizes.push(match contender.what {
            What::Native | What::Python => None,
            what => Some(paths.component(what)?.len()),
        });
    }
    print!("{}", report(&contenders, &turns, &sizes, &pinning));
    let results = results(&contenders, &turns, &sizes);
    let file = plan.json.clone().unwrap_or_else(|| paths.target().join("results.json"));
    std::fs::write(&file, serde_json::to_string_pretty(&results)? + "\n")
        .with_context(|| file.display().to_string())?;
    println!("\nAll of it, round by round: {}", file.display());
    Ok(())
}

/// Those that `only` names, all where it names none. A name that is misspelt would go unmeasured.
fn chosen(mut all: Vec<Contender>, only: &[String]) -> Result<Vec<Contender>> {
    let names: Vec<_> = all.iter().map(|it| it.name()).collect();
    if let Some(unknown) = only.iter().find(|only| !names.contains(&only.as_str())) {
        bail!("there is no contender {unknown} here, only {}", names.join(", "));
    }
    all.retain(|it| only.is_empty() || only.iter().any(|only| only == it.name()));
    Ok(all)
}

async fn take_turn(
    contender: Contender,
    plan: &Plan,
    paths: &Paths,
    acs: &StandIn,
    pinning: &Pinning,
) -> Result<Turn> {
    let hooks = Hooks::new();
    let started = Instant::now();
    let running = contender.start(paths, acs.address, pinning.servers.as_deref())?;
    load::first_answer(running.address, &hooks, START_LIMIT).await?;
    let start = started.elapsed().as_secs_f64() * 1000.0;
    let used = || running.id().and_then(usage);

    let idle = used();
    let mut per_hook = None;
    if contender.at_once() > 0 {
        acs.hold();
        let mut hung = Vec::new();
        for _ in 0..contender.at_once() {
            let mut connection = Connection::open(running.address).await?;
            let hooks = hooks.clone();
            hung.push(tokio::spawn(async move { connection.send(&hooks).await }));
        }
        // gunicorn's workers take connections as they please: one may have more than it has threads for.
        let end = Instant::now() + Duration::from_secs(1);
        while acs.waiting() < contender.at_once() && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let under_way = acs.waiting();
        let busy = used();
        acs.release();
        for hook in hung {
            hook.await??;
        }
        ensure!(under_way > 0, "no hook came to ACS");
        per_hook = idle.zip(busy).map(|(idle, busy)| {
            busy.resident.saturating_sub(idle.resident) as f64 / under_way as f64
        });
    }

    load::run(running.address, &hooks, 16, WARM_UP).await?;
    let mut costs = None;
    let mut loads = Vec::new();
    for connections in CONNECTIONS {
        let before = used();
        let measured = load::run(running.address, &hooks, connections, plan.duration).await?;
        if connections == 16 {
            costs = before.zip(used()).map(|(before, after)| {
                let requests = measured.requests() as f64;
                let each = |from: u64, to: u64| (to - from) as f64 / requests;
                (each(before.cpu, after.cpu), each(before.page_faults, after.page_faults))
            });
        }
        loads.push(Load {
            per_second: measured.per_second(),
            p50: measured.quantile(0.5),
            p99: measured.quantile(0.99),
            p999: measured.quantile(0.999),
        });
    }
    running.stop().await?;
    let Ok(loads) = loads.try_into() else { unreachable!("one load for each number") };
    Ok(Turn {
        loads,
        start,
        cpu: costs.map(|(cpu, _)| cpu),
        page_faults: costs.map(|(_, page_faults)| page_faults),
        resident: idle.map(|idle| idle.resident as f64),
        per_hook,
    })
}

/// Who runs on which processors.
struct Pinning {
    servers: Option<String>,
    clients: Option<String>,
}

impl Pinning {
    /// Servers get one half, clients and the stand-in for ACS the other.
    fn of_this_machine() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        if processors < 2 || !is_there("taskset") {
            eprintln!("Nothing is pinned: that takes two processors and the command taskset.");
            return Self { servers: None, clients: None };
        }
        let half = processors / 2;
        let range = |from: usize, to: usize| Some(format!("{from}-{}", to - 1));
        Self { servers: range(0, half), clients: range(half, processors) }
    }

    fn pin_this_process(&self) {
        let Some(clients) = &self.clients else { return };
        let id = std::process::id().to_string();
        let pinned = std::process::Command::new("taskset")
            .args(["--all-tasks", "--cpu-list", "--pid", clients, &id])
            .stdout(std::process::Stdio::null())
            .status();
        if !pinned.is_ok_and(|status| status.success()) {
            eprintln!("The clients could not be pinned.");
        }
    }
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

/// The median of what some of the turns know.
fn known(turns: &[Turn], of: impl Fn(&Turn) -> Option<f64>) -> Option<f64> {
    let values: Vec<_> = turns.iter().filter_map(of).collect();
    if values.is_empty() { None } else { Some(median(values.into_iter())) }
}

fn report(
    contenders: &[Contender],
    turns: &[Vec<Turn>],
    sizes: &[Option<usize>],
    pinning: &Pinning,
) -> String {
    let rounds = turns.first().map_or(0, Vec::len);
    let mut text = format!(
        "Medians of {rounds} rounds{}.\n\n",
        match (&pinning.servers, &pinning.clients) {
            (Some(servers), Some(clients)) =>
                format!("; servers on processors {servers}, clients and ACS on {clients}"),
            _ => String::new(),
        }
    );
    text += "| | connections | hooks/s | p50 ms | p99 ms | p99.9 ms |\n|---|---|---|---|---|---|\n";
    for (at, connections) in CONNECTIONS.iter().enumerate() {
        for (contender, turns) in contenders.iter().zip(turns) {
            let of =
                |part: fn(&Load) -> f64| median(turns.iter().map(|turn| part(&turn.loads[at])));
            _ = writeln!(
                text,
                "| {} | {connections} | {:.0} | {:.3} | {:.3} | {:.3} |",
                contender.name(),
                of(|load| load.per_second),
                of(|load| load.p50),
                of(|load| load.p99),
                of(|load| load.p999),
            );
        }
    }
    text += "\n| | CPU µs a hook | page faults a hook | KiB in memory | KiB a hook under way | start to first answer ms | component bytes |\n|---|---|---|---|---|---|---|\n";
    let told = |value: Option<f64>, places: usize| match value {
        Some(value) => format!("{value:.places$}"),
        None => "–".into(),
    };
    for ((contender, turns), size) in contenders.iter().zip(turns).zip(sizes) {
        _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {:.0} | {} |",
            contender.name(),
            told(known(turns, |turn| turn.cpu), 0),
            told(known(turns, |turn| turn.page_faults), 1),
            told(known(turns, |turn| turn.resident.map(|bytes| bytes / 1024.0)), 0),
            told(known(turns, |turn| turn.per_hook.map(|bytes| bytes / 1024.0)), 0),
            median(turns.iter().map(|turn| turn.start)),
            told(size.map(|bytes| bytes as f64), 0),
        );
    }
    let ratios = ratios(contenders, turns);
    if !ratios.is_empty() {
        text +=
            "\n| ratio, the median of those within each round | is | should be |\n|---|---|---|\n";
        for (what, ratio, should) in ratios {
            _ = writeln!(text, "| {what} | {ratio:.2} | {should} |");
        }
    }
    text
}

/// What the hook is held to.
fn ratios(contenders: &[Contender], turns: &[Vec<Turn>]) -> Vec<(String, f64, &'static str)> {
    let find = |what, host| {
        let at = contenders.iter().position(|it| *it == Contender { what, host });
        at.map(|at| &turns[at])
    };
    let mut ratios = Vec::new();
    for (host, prefix) in [(Host::Local, ""), (Host::Spin, "spin: ")] {
        let mut add = |one, other: Option<&Vec<Turn>>, what: &str, of: fn(&Turn) -> f64, should| {
            if let (Some(one), Some(other)) = (find(one, host), other) {
                let within = one.iter().zip(other).map(|(one, other)| of(one) / of(other));
                ratios.push((format!("{prefix}{what}"), median(within), should));
            }
        };
        let python = find(What::Python, Host::Local);
        let native = find(What::Native, Host::Local);
        let throughput: fn(&Turn) -> f64 = |turn| turn.loads[1].per_second;
        let p50: fn(&Turn) -> f64 = |turn| turn.loads[0].p50;
        let without_limits = What::HookWithoutLimits;
        for (relay, of) in
            [(What::Relay, ""), (What::RelayDefaultMemory, " with rustc's default memory")]
        {
            let relay = find(relay, host);
            let mut add_to = |one, what: &str, ratio, should| {
                add(one, relay, &format!("{what}, to the relay floor{of}"), ratio, should);
            };
            add_to(without_limits, "throughput at 16, without limits", throughput, "≥ 0.75");
            add_to(without_limits, "p50 at 1, without limits", p50, "≤ 1.20");
            add_to(What::Hook, "throughput at 16, with the default limits", throughput, "≥ 0.65");
            // What is left of it where nothing is computed.
            add_to(What::HookCalls, "throughput at 16 of floor-hook", throughput, "–");
            add_to(What::HookCalls, "p50 at 1 of floor-hook", p50, "–");
        }
        let calls = find(What::HookCalls, host);
        add(
            without_limits,
            calls,
            "throughput at 16, without limits, to floor-hook",
            throughput,
            "–",
        );
        add(without_limits, calls, "p50 at 1, without limits, to floor-hook", p50, "–");
        add(What::Hook, python, "throughput at 16 to the Python function", throughput, "≥ 3.5");
        add(
            What::Hook,
            python,
            "p99 at 16 to the Python function",
            |turn| turn.loads[1].p99,
            "≤ 0.20",
        );
        add(What::Hook, native, "throughput at 16 to the native server", throughput, "–");
    }
    ratios
}

fn results(contenders: &[Contender], turns: &[Vec<Turn>], sizes: &[Option<usize>]) -> Value {
    let of = |turn: &Turn| {
        let loads = CONNECTIONS.iter().zip(&turn.loads).map(|(connections, load)| {
            json!({
                "connections": connections,
                "per_second": load.per_second,
                "p50_ms": load.p50,
                "p99_ms": load.p99,
                "p99.9_ms": load.p999,
            })
        });
        json!({
            "loads": loads.collect::<Vec<_>>(),
            "start_to_first_answer_ms": turn.start,
            "cpu_us_per_hook": turn.cpu,
            "page_faults_per_hook": turn.page_faults,
            "resident_bytes": turn.resident,
            "resident_bytes_per_hook_under_way": turn.per_hook,
        })
    };
    let contenders_json: Vec<_> = contenders
        .iter()
        .zip(turns)
        .zip(sizes)
        .map(|((contender, turns), size)| {
            let rounds: Vec<_> = turns.iter().map(of).collect();
            json!({ "name": contender.name(), "component_bytes": size, "rounds": rounds })
        })
        .collect();
    let ratios: Vec<_> = ratios(contenders, turns)
        .into_iter()
        .map(|(what, ratio, should)| json!({ "what": what, "ratio": ratio, "should_be": should }))
        .collect();
    json!({ "contenders": contenders_json, "ratios": ratios })
}

#[cfg(test)]
mod tests {
    use super::{Contender, chosen, median};

    #[test]
    fn a_contender_that_is_misspelt_is_refused_beside_one_that_is_not() {
        let chosen = |only: &[&str]| {
            let only: Vec<_> = only.iter().map(|name| (*name).to_owned()).collect();
            chosen(Contender::all(true), &only)
                .map(|chosen| chosen.iter().map(|it| it.name()).collect::<Vec<_>>())
        };
        assert_eq!(chosen(&["native", "hook"]).unwrap(), ["hook", "native"]);
        assert_eq!(chosen(&[]).unwrap().len(), Contender::all(true).len());
        let error = chosen(&["hook", "naitve"]).unwrap_err().to_string();
        assert!(error.contains("naitve") && error.contains("hook, "), "{error}");
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
    }
}
