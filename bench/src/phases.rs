//! What a hook computes, and how often it calls the host, by phase. Counted, so the same everywhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use okta_telephony_dev::local_host::{Compiled, LocalHost, Metered, Settings};

use crate::contender::{Paths, What, variables};
use crate::load::{self, Hooks};
use crate::stand_in::StandIn;

/// The phases of a hook, each with the call to the host with which it ends and how often that has been by
/// then.
const PHASES: [(&str, &str, usize); 7] = [
    ("start, route", "variables.get", 1),
    ("who calls; read and parse the body", "variables.get", 2),
    ("policy, senders, id and text of the message, key of the counters", "key-value.get", 1),
    ("count", "key-value.set", 1),
    ("make and sign the request to ACS", "outgoing-handler.handle", 1),
    ("read ACS's answer, answer Okta", "response-outparam.set", 1),
    ("log", "stdout.write", 1),
];

pub async fn print(paths: &Paths) -> Result<()> {
    paths.build().await?;
    let metered = meter(What::Hook, paths).await?;
    println!("| phase | instructions | calls to the host |\n|---|---|---|");
    let (mut instructions, mut host_calls) = (0, 0);
    let mut row = |phase: &str, instructions_then: u64, host_calls_then: u64| {
        println!(
            "| {phase} | {} | {} |",
            instructions_then - instructions,
            host_calls_then - host_calls
        );
        (instructions, host_calls) = (instructions_then, host_calls_then);
    };
    for (phase, call, time) in PHASES {
        let mut marks = metered.marks.iter().filter(|mark| mark.call.starts_with(call));
        let mark = marks.nth(time - 1).with_context(|| format!("the hook made no {call}"))?;
        row(phase, mark.instructions, mark.host_calls);
    }
    row("records, once the answer has left", metered.instructions, metered.host_calls);
    println!("| **all** | {} | {} |", metered.instructions, metered.host_calls);
    println!("\nLinear memory: {} bytes.", metered.memory);
    let [without_limits, floor] = [What::HookWithoutLimits, What::HookCalls];
    println!(
        "Calls to the host without limits: {}; of floor-hook: {}.",
        meter(without_limits, paths).await?.host_calls,
        meter(floor, paths).await?.host_calls,
    );
    Ok(())
}

/// Sends one hook through a host that counts.
async fn meter(what: What, paths: &Paths) -> Result<Metered> {
    let acs = StandIn::start().await?;
    let compiled = Compiled::metered(&paths.component(what)?)?;
    let metered = Arc::new(Mutex::new(None));
    let observed = metered.clone();
    let mut settings = Settings::new(paths.manifest(what));
    for (name, value) in variables(what, acs.address) {
        settings = settings.variable(name, value);
    }
    settings.stdout = Arc::new(|_| ());
    settings.meter = Some(Arc::new(move |metered| {
        *observed.lock().unwrap_or_else(PoisonError::into_inner) = Some(metered);
    }));
    let host = LocalHost::start(&compiled, settings).await?;
    let hooks = Hooks::new();
    load::first_answer(host.address(), &hooks, Duration::from_secs(10)).await?;
    host.shutdown().await;
    let metered = metered.lock().unwrap_or_else(PoisonError::into_inner).take();
    metered.context("the instance has not ended")
}
