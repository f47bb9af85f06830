//! The gateway's process: found beside the test executable, started, watched, ended by its id.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use crate::wait::{DEADLINE, within};

/// A running program whose output is kept.
pub struct Process {
    child: Child,
    output: Arc<Mutex<Vec<u8>>>,
}

/// The path of a program of this workspace, built by `make test` before the scenarios run.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test executable has a path");
    // target/<profile>/deps/<test> -> target/<profile>/<name>
    let found =
        test.ancestors().skip(1).take(3).map(|dir| dir.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "`{name}` is not built: expected it near {}; run `make test`, or `cargo build -p {name}` first",
            test.display()
        )
    })
}

impl Process {
    /// Starts a program and keeps what it prints.
    pub fn start(program: &Path, args: &[&str], env: &[(String, String)]) -> Self {
        let mut child = Command::new(program)
            .args(args)
            .envs(env.iter().map(|(name, value)| (name, value)))
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let output = Arc::new(Mutex::new(Vec::new()));
        keep(child.stdout.take(), &output);
        keep(child.stderr.take(), &output);
        Self { child, output }
    }

    /// Everything that it printed so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap()).into_owned()
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `TERM`, `HUP`.
    pub fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "cannot signal the gateway");
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        within(DEADLINE, || self.child.try_wait().unwrap())
            .unwrap_or_else(|| panic!("the gateway did not end; it printed:\n{}", self.output()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already ended is as good as killed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn keep(pipe: Option<impl Read + Send + 'static>, output: &Arc<Mutex<Vec<u8>>>) {
    let (mut pipe, output) = (pipe.expect("a pipe was asked for"), Arc::clone(output));
    std::thread::spawn(move || {
        let mut chunk = [0; 8192];
        while let Ok(count) = pipe.read(&mut chunk)
            && count > 0
        {
            output.lock().unwrap().extend(&chunk[..count]);
        }
    });
}
