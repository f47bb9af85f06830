//! Time is an argument; this is where it is asked for.

use jiff::Timestamp;

/// Tells the time. One request has one instant: filters take it from
/// [`Context::now`](crate::Context::now); background tasks ask the clock of their
/// [`Services`](crate::Services).
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
