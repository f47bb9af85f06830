//! The gateway, as a child of the demo.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::trouble::Trouble;
use super::world::World;

/// A gateway that runs.
#[derive(Debug)]
pub(super) struct Gateway {
    child: Child,
}

const LOOK_EVERY: Duration = Duration::from_millis(50);
const START_TIME_MAX: Duration = Duration::from_secs(30);
const END_TIME_MAX: Duration = Duration::from_secs(15);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);

impl Gateway {
    /// Starts it; what it prints goes to `gateway.log`.
    pub(super) fn start(world: &World) -> Result<Self, Trouble> {
        let log = world.path("gateway.log");
        let program = std::env::current_exe().map_err(Trouble::file(Path::new("portcullis")))?;
        let output = File::create(&log).map_err(Trouble::file(&log))?;
        let errors = output.try_clone().map_err(Trouble::file(&log))?;
        let child = Command::new(&program)
            .arg("run")
            .arg("-c")
            .arg(world.path("portcullis.yaml"))
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(Trouble::file(&program))?;
        Ok(Self { child })
    }

    /// Waits until it says of itself that it is ready.
    pub(super) async fn ready(&mut self, world: &World) -> Result<(), Trouble> {
        let log = world.path("gateway.log");
        let failed = |what: &str| {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            Trouble::Gateway(format!("{what}; it said (`{}`):\n{said}", log.display()))
        };
        let begun = Instant::now();
        while !says_ready(world.addresses.admin).await {
            if let Some(status) = self.ended()? {
                return Err(failed(&format!("the gateway ended with {status}")));
            }
            if begun.elapsed() > START_TIME_MAX {
                return Err(failed("the gateway is not ready after 30 seconds"));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Waits until it ends by itself.
    pub(super) async fn wait(&mut self) -> Result<ExitStatus, Trouble> {
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Ends it: asks first, insists later.
    pub(super) async fn end(mut self) -> Result<(), Trouble> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        let asked = kill_process(Pid::from_child(&self.child), Signal::TERM).is_ok();
        if asked && timeout(END_TIME_MAX, self.wait()).await.is_ok() {
            return Ok(());
        }
        let gone = Trouble::file(Path::new("gateway"));
        self.child.kill().and_then(|()| self.child.wait()).map(drop).map_err(gone)
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>, Trouble> {
        self.child.try_wait().map_err(Trouble::file(Path::new("gateway")))
    }
}

/// Whether `/readyz` answers 200.
async fn says_ready(admin: SocketAddr) -> bool {
    let asked = timeout(ANSWER_TIME_MAX, ask(admin)).await;
    asked.is_ok_and(|answer| answer.is_ok_and(|head| head.starts_with(b"HTTP/1.1 200")))
}

async fn ask(admin: SocketAddr) -> std::io::Result<[u8; 12]> {
    let mut stream = TcpStream::connect(admin).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    Ok(head)
}
