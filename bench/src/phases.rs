//! What one hook computes, and how often it calls the host, between the calls for the host's services. It is
//! counted and not timed, so that it is the same on every machine.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use okta_telephony_dev::component;
use okta_telephony_dev::local_host::{Compiled, LocalHost, Manifest, Metered};
use tokio::time::{sleep, timeout};

use crate::contender::{Contender, Kind, settings};
use crate::guard::{Guard, bring_event};
use crate::load::{Connection, Hooks};
use crate::stand_in::{StandIn, Transport};

/// Sends one hook through the local host, which counts, and prints a table.
pub async fn print(guard: Guard) -> Result<()> {
    let transport = Transport::Tls;
    let hook = Contender { kind: Kind::Hook, environment: false, guard, transport };
    let acs = StandIn::start(transport).await?;
    let built = component::build(&Manifest::read(&hook.manifest())?)?;
    let mut settings = settings(&hook.manifest(), &acs.origin(), guard)?;
    let metered = Arc::new(Mutex::new(None));
    let observed = metered.clone();
    settings.stdout = Arc::new(|_| ());
    settings.meter = Some(Arc::new(move |metered: Metered| {
        *observed.lock().unwrap_or_else(PoisonError::into_inner) = Some(metered);
    }));
    let host = LocalHost::start(&Compiled::metered(&built.component)?, settings).await?;
    if guard != Guard::Off {
        bring_event(host.address()).await?;
        // It is counted, too, once its instance has ended.
        let counted = async {
            while metered.lock().unwrap_or_else(PoisonError::into_inner).take().is_none() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(10), counted).await.context("the event is still at work")?;
    }
    let mut connection = Connection::open(host.address()).await?;
    connection.send(&Hooks::new(hook.path(&acs.origin()))).await?;
    // The instance runs on after its answer; it ends before the host does.
    host.shutdown().await;
    let metered = metered.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Metered { instructions, host_calls, memory, marks } =
        metered.context("the instance has not ended")?;

    println!("| until | instructions | calls to the host |\n|---|---|---|");
    let mut before = (0, 0);
    let ends = marks.iter().map(|mark| (mark.call.as_str(), mark.instructions, mark.host_calls));
    for (until, instructions, host_calls) in ends.chain([("the end", instructions, host_calls)]) {
        println!("| {until} | {} | {} |", instructions - before.0, host_calls - before.1);
        before = (instructions, host_calls);
    }
    println!("| **all** | {instructions} | {host_calls} |\n");
    println!("{} bytes of memory, {} bytes of component.", memory, built.component.len());
    Ok(())
}
