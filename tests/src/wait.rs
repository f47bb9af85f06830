//! Waiting for something that another process does: ask again, a little later each time, until a
//! deadline that only a broken gateway meets.

use std::time::{Duration, Instant};

/// How long anything may take before a scenario gives up on it. Generous: two busy cores.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Asks until there is an answer, or fails with what was waited for.
#[track_caller]
pub fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(DEADLINE, ask).unwrap_or_else(|| panic!("waited {DEADLINE:?} in vain for {what}"))
}

/// Asks until there is an answer or the time is over.
pub fn within<T>(time: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + time;
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}
