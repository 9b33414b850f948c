//! What a hook computes between its calls to the host, by phase. Counted, so the same everywhere.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use okta_telephony_dev::local_host::{Compiled, LocalHost, Metered, Settings};

use crate::contender::{Paths, What};
use crate::load::{self, Hooks};
use crate::stand_in::StandIn;

/// The phases of a hook. Each ends with the first call to the host that belongs to the next one.
const PHASES: [(&str, &str); 7] = [
    ("start, route", "variables.get okta_response_format"),
    ("who calls", "variables.get sending"),
    ("policy, senders, wording", "outgoing-handler.handle"),
    ("", ""),
    ("", ""),
    ("", ""),
    ("", ""),
];

pub async fn print(paths: &Paths) -> Result<()> {
    let _ = PHASES;
    paths.build().await?;
    let acs = StandIn::start().await?;
    let compiled = Compiled::metered(&paths.component(What::Hook)?)?;
    let metered = Arc::new(Mutex::new(None));
    let observed = metered.clone();
    let mut settings = Settings::new(paths.root.join("spin.toml"));
    for (name, value) in crate::contender::variables(What::Hook, acs.address) {
        settings = settings.variable(name, value);
    }
    settings.stdout = Arc::new(|_| ());
    settings.meter = Some(Arc::new(move |metered: Metered| {
        *observed.lock().unwrap_or_else(|broken| broken.into_inner()) = Some(metered);
    }));
    let host = LocalHost::start(&compiled, settings).await?;
    let hooks = Hooks::new("/api/okta-telephony");
    load::first_answer(host.address(), &hooks, Duration::from_secs(10)).await?;
    host.shutdown().await;
    let metered = metered.lock().unwrap_or_else(|broken| broken.into_inner()).take();
    let metered = metered.context("the instance has not ended")?;
    let mut last = (0, 0);
    for mark in &metered.marks {
        println!(
            "{:>8} +{:>6}  {:>4} +{:>3}  {}",
            mark.instructions,
            mark.instructions - last.0,
            mark.host_calls,
            mark.host_calls - last.1,
            mark.call
        );
        last = (mark.instructions, mark.host_calls);
    }
    println!(
        "{} instructions, {} host calls, {} bytes of memory",
        metered.instructions, metered.host_calls, metered.memory
    );
    Ok(())
}
