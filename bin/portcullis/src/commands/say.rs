//! The one place that prints.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

/// A command that was written wrongly.
const USAGE: u8 = 64;
/// A configuration that is wrong.
const CONFIGURATION: u8 = 78;

/// A line of the result.
pub(super) fn line(text: impl Display) {
    // A reader that has gone away (`| head`) is no failure of ours.
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

/// A result for scripts.
pub(super) fn json(value: &impl serde::Serialize) -> ExitCode {
    match serde_json::to_string_pretty(value) {
        Ok(text) => {
            line(text);
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

/// A remark that is not part of the result.
pub(super) fn note(text: impl Display) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// It could not be done.
pub(super) fn failed(error: &dyn Display) -> ExitCode {
    note(format_args!("error: {error}"));
    ExitCode::FAILURE
}

/// It was asked for wrongly.
pub(super) fn usage(error: &dyn Display) -> ExitCode {
    note(error);
    ExitCode::from(USAGE)
}

/// The configuration is wrong.
pub(super) fn misconfigured(mistakes: &[document::Mistake]) -> ExitCode {
    for mistake in mistakes {
        note(mistake.render(None));
    }
    ExitCode::from(CONFIGURATION)
}
