//! Connections to a provider that are kept from hook to hook.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Answer, Form, Hook, envelope};

/// What is answered sooner has not waited for a silent connection.
const AT_ONCE: Duration = Duration::from_millis(700);

async fn post(hook: &Hook) -> Answer {
    hook.post(envelope("+15550100123").to_string()).await
}

#[tokio::test]
async fn a_connection_that_falls_silent_costs_the_hooks_on_it_half_of_their_time_and_those_after_it_none()
 {
    let hook = Hook::with("limits.per_number = \"\"").await;
    for _ in 0..2 {
        assert!(post(&hook).await.elapsed < AT_ONCE);
    }
    hook.acs.freeze_connections();
    let answer = post(&hook).await;
    answer.accepted(Form::Documented);
    assert!((1200..2400).contains(&answer.elapsed.as_millis()), "{:?}", answer.elapsed);
    for _ in 0..3 {
        let answer = post(&hook).await;
        answer.accepted(Form::Documented);
        assert!(answer.elapsed < AT_ONCE, "{:?}", answer.elapsed);
    }
    assert_eq!(hook.acs.messages().len(), 6, "each once");
    let lines = hook.log.hooks(6).await;
    assert_eq!(
        (&lines[2]["warnings"], &lines[2]["attempts"]),
        (&json!(["silent_connection"]), &2.into())
    );
    for line in &lines[3..] {
        assert_eq!((line.get("warnings"), &line["attempts"]), (None, &1.into()));
    }
}
