//! What a hook costs, counted: no machine is fast or slow enough to change it.

use std::sync::{Arc, Mutex};

use okta_telephony_dev::local_host::Metered;
use serde_json::Value;

use crate::harness::{Hook, component, envelope, until};
use crate::host::needs_the_local_host;

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

/// A hook in a host that counts, with where the figures of each request come.
async fn metered() -> (Hook, Arc<Mutex<Option<Metered>>>) {
    let figures = Arc::new(Mutex::new(None));
    let observed = figures.clone();
    let hook = Hook::with_settings(&[], |mut settings| {
        settings.meter = Some(Arc::new(move |metered: Metered| {
            *observed.lock().unwrap() = Some(metered);
        }));
        settings
    })
    .await;
    (hook, figures)
}

/// What one hook with this body takes.
async fn spent(hook: &Hook, figures: &Mutex<Option<Metered>>, body: &Value) -> Metered {
    let answer = hook.post(body.to_string()).await;
    assert!(answer.text.contains("SUCCESSFUL"), "{}", answer.text);
    until(|| figures.lock().unwrap().take()).await
}

#[tokio::test]
async fn a_hook_takes_what_is_recorded_of_instructions_calls_to_the_host_and_memory() {
    if needs_the_local_host("counting what a hook takes") {
        return;
    }
    let mut least: Option<Metered> = None;
    // A body that comes later than its head is waited for, with four calls more. So the least of some counts,
    // each on a host of its own, since the first hook of a host is what is recorded.
    for _ in 0..5 {
        let (hook, figures) = metered().await;
        let one = spent(&hook, &figures, &envelope("+14255550123")).await;
        if least.as_ref().is_none_or(|least| one.host_calls < least.host_calls) {
            least = Some(one);
        }
        if least.as_ref().is_some_and(|it| it.host_calls as f64 <= recorded("calls to the host")) {
            break;
        }
    }
    let least = least.unwrap();
    hold("instructions of a hook", least.instructions as f64);
    hold("calls to the host", least.host_calls as f64);
    hold("bytes of a hook's memory", least.memory as f64);
    // It is what it is said to be: the variables are read in two groups, the body goes out once.
    let calls: Vec<_> = least.marks.iter().map(|mark| mark.call.as_str()).collect();
    let count = |call: &str| calls.iter().filter(|it| it.starts_with(call)).count();
    assert_eq!((count("variables.get"), count("outgoing-handler.handle")), (2, 1), "{calls:?}");
}

#[tokio::test]
async fn a_hook_with_the_largest_body_takes_no_more_than_2_mebibytes() {
    if needs_the_local_host("counting what a hook takes") {
        return;
    }
    let (hook, figures) = metered().await;
    let mut body = envelope("+14255550123");
    body["padding"] = "x".repeat(65_536 - 14 - body.to_string().len()).into();
    let spent = spent(&hook, &figures, &body).await;
    assert!(spent.memory <= 2 << 20, "{} bytes", spent.memory);
}
