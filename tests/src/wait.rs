//! Waiting for something to become true, with an end.

use std::time::{Duration, Instant};

/// How long the scenarios wait for what must happen: long, because machines are shared.
pub const PATIENCE: Duration = Duration::from_secs(30);

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Waits until `check` holds.
///
/// # Panics
/// If it does not within [`PATIENCE`].
pub fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    eventually_some(what, || check().then_some(()));
}

/// Waits until `find` finds something.
///
/// # Panics
/// If it does not within [`PATIENCE`].
pub fn eventually_some<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "after {PATIENCE:?} still not: {what}"
        );
        std::thread::sleep(LOOK_AGAIN);
    }
}
