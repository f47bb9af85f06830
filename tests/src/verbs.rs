//! The other verbs of `portcullis`: run to their end, with what they printed.

use std::path::Path;
use std::process::Command;

use crate::process::program;

/// How a command ended.
#[derive(Clone, Debug)]
pub struct Done {
    /// Its exit code.
    pub code: i32,
    /// What it printed as its result.
    pub stdout: String,
    /// What it printed as its complaints.
    pub stderr: String,
}

/// Runs `portcullis` with these arguments in this directory.
pub fn portcullis(dir: &Path, args: &[&str]) -> Done {
    run(&program("portcullis"), dir, args)
}

/// Runs any program.
pub fn run(program: &Path, dir: &Path, args: &[&str]) -> Done {
    let output = Command::new(program)
        .args(args)
        .current_dir(dir)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()));
    Done {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Done {
    /// Fails unless it ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails unless it found the configuration wrong.
    #[track_caller]
    pub fn refused(self) -> Self {
        assert!(matches!(self.code, 1 | 78), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails unless its complaints hold this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let all = format!("{}{}", self.stdout, self.stderr);
        assert!(all.contains(text), "expected {text:?} in:\n{all}");
        self
    }
}
