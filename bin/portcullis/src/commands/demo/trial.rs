//! One command to paste, and what it answers.

use std::fmt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// A command and its answer.
#[derive(Debug)]
pub(super) struct Trial {
    title: &'static str,
    command: String,
    expect: Expect,
}

/// What a command answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expect {
    /// This status, and an answer with this text.
    Status(u16, &'static str),
    /// The connection is refused in the handshake.
    NoConnection,
    /// It ends well and prints this.
    Prints(&'static str),
}

const LOOK_EVERY: Duration = Duration::from_millis(10);
const TIME_MAX: Duration = Duration::from_secs(20);

impl Trial {
    pub(super) fn new(title: &'static str, command: String, expect: Expect) -> Self {
        Self { title, command, expect }
    }

    /// What is tried and what it answers, in one line.
    pub(super) fn summary(&self) -> String {
        let title = self.title;
        match self.expect {
            Expect::Status(status, text) => format!("{title}: {status}, `{text}`"),
            Expect::NoConnection => format!("{title}: no connection"),
            Expect::Prints(text) => format!("{title}: `{text}`"),
        }
    }

    /// Runs the command in a directory, as a person would.
    ///
    /// # Errors
    /// What was answered instead.
    pub(super) async fn attempt(&self, directory: &Path) -> Result<(), String> {
        let output = self.output(directory).await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let good = match self.expect {
            Expect::Status(status, text) => status_of(&said) == Some(status) && said.contains(text),
            Expect::NoConnection => !output.status.success() && status_of(&said).is_none(),
            Expect::Prints(text) => output.status.success() && said.contains(text),
        };
        let errors = String::from_utf8_lossy(&output.stderr);
        if good { Ok(()) } else { Err(format!("answered ({}):\n{said}{errors}", output.status)) }
    }

    async fn output(&self, directory: &Path) -> Result<Output, String> {
        // `exec` makes the shell's process the command's, so that ending it ends the command.
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(format!("exec {}", self.command))
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot be run: {error}"))?;
        let begun = Instant::now();
        while child.try_wait().map_err(|error| error.to_string())?.is_none() {
            if begun.elapsed() > TIME_MAX {
                child.kill().map_err(|error| error.to_string())?;
                return Err(format!("no answer after {} seconds", TIME_MAX.as_secs()));
            }
            sleep(LOOK_EVERY).await;
        }
        child.wait_with_output().map_err(|error| error.to_string())
    }
}

/// A comment that says what to expect, then the command: all of it can be pasted.
impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "# {}\n{}", self.summary(), self.command)
    }
}

/// The status of an answer that curl printed with its head.
fn status_of(said: &str) -> Option<u16> {
    let rest = said.strip_prefix("HTTP/")?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read_from_the_head() {
        assert_eq!(status_of("HTTP/2 403 \r\nserver: x\r\n"), Some(403));
        assert_eq!(status_of("HTTP/1.1 200 OK\r\n"), Some(200));
        assert_eq!(status_of(""), None);
        assert_eq!(status_of("curl: (56) ..."), None);
    }

    #[tokio::test]
    async fn a_trial_succeeds_only_as_expected() {
        let here = Path::new("/");
        let says = |text: &str, expect| Trial::new("t", format!("printf '{text}'"), expect);
        let head = "HTTP/2 403 \\r\\n\\r\\nno-rule";
        says(head, Expect::Status(403, "no-rule")).attempt(here).await.unwrap();
        says(head, Expect::Status(200, "no-rule")).attempt(here).await.unwrap_err();
        says(head, Expect::Status(403, "other")).attempt(here).await.unwrap_err();
        says(head, Expect::NoConnection).attempt(here).await.unwrap_err();
        Trial::new("t", "false".into(), Expect::NoConnection).attempt(here).await.unwrap();
        Trial::new("t", "false".into(), Expect::Prints("")).attempt(here).await.unwrap_err();
    }
}
