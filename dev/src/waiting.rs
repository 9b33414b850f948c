//! How the tests of the emulators wait.

use std::time::{Duration, Instant};

/// For what has to happen; generous, since no test waits for it unless it fails.
pub const BOUND: Duration = Duration::from_secs(20);

/// Waits for a condition.
pub async fn until<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + BOUND;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < end, "the condition did not come about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
