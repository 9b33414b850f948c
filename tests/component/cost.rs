//! What a hook costs, counted: no machine is fast or slow enough to change it.

use std::sync::{Arc, Mutex};

use okta_telephony_dev::local_host::Metered;

use crate::harness::{Hook, component, envelope, until};

/// A figure in docs/performance.md's table of what is recorded.
fn recorded(what: &str) -> f64 {
    let text = include_str!("../../docs/performance.md");
    let row = text.lines().find_map(|line| line.strip_prefix(&format!("| {what} | ")));
    let figure = row.unwrap_or_else(|| panic!("{what} is not recorded")).split(' ').next().unwrap();
    figure.replace(',', "").parse().unwrap()
}

/// Fails if a cost has grown by more than a twentieth.
fn hold(what: &str, cost: f64) {
    let recorded = recorded(what);
    assert!(
        cost <= recorded * 1.05,
        "{what}: {cost}, and docs/performance.md has {recorded}. If it is worth it, say there what for."
    );
}

#[test]
fn the_component_is_as_small_as_is_recorded_and_below_450_kilobytes() {
    hold("bytes of the component", component().len() as f64);
    assert!(component().len() <= 450_000, "{} bytes", component().len());
}

#[tokio::test]
async fn a_hook_takes_what_is_recorded_of_instructions_calls_to_the_host_and_memory() {
    let metered = Arc::new(Mutex::new(None));
    let observed = metered.clone();
    let hook = Hook::with_settings(&[], |mut settings| {
        settings.meter = Some(Arc::new(move |metered: Metered| {
            *observed.lock().unwrap() = Some(metered);
        }));
        settings
    })
    .await;
    let mut body = envelope("+14255550123");
    let answer = hook.post(body.to_string()).await;
    assert!(answer.text.contains("SUCCESSFUL"), "{}", answer.text);
    let spent = until(|| metered.lock().unwrap().take()).await;
    // The largest that is taken.
    body["padding"] = "x".repeat(65_536 - 14 - body.to_string().len()).into();
    let answer = hook.post(body.to_string()).await;
    assert!(answer.text.contains("SUCCESSFUL"), "{}", answer.text);
    let largest = until(|| metered.lock().unwrap().take()).await;
    assert!(largest.memory <= 2 << 20, "{} bytes", largest.memory);

    let metered = spent;
    hold("instructions of a hook", metered.instructions as f64);
    hold("calls to the host", metered.host_calls as f64);
    // It is what it is said to be: the variables are read in two groups, the body goes out once.
    let calls: Vec<_> = metered.marks.iter().map(|mark| mark.call.as_str()).collect();
    let count = |call: &str| calls.iter().filter(|it| it.starts_with(call)).count();
    assert_eq!((count("variables.get"), count("outgoing-handler.handle")), (2, 1), "{calls:?}");
}
