//! Lengths of time on the command line, and the instant of a command.

use std::time::Duration;

use filter::Clock;
use jiff::Timestamp;

/// Reads `90d`, `12h`, `1h30m`; not nothing.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let document::Duration(duration) = text.parse()?;
    if duration.is_zero() {
        return Err("a lifetime of nothing; write something like `90d`".to_owned());
    }
    Ok(duration)
}

/// The instant of this command.
pub(super) fn now() -> Timestamp {
    filter::SystemClock.now()
}
