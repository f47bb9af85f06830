//! `portcullis demo`: everything on one machine, with nothing installed.
//!
//! 1. What it makes stays in one directory and is made only where it is missing: change any file
//!    and start it again. Tokens, revocation lists and the age of the inventory are made new at
//!    each start, because they end.
//! 2. Two backends run in this process behind mutual TLS; the gateway is a child, the same program
//!    with `run -c DIR/portcullis.yaml`.
//! 3. It prints commands to paste, each with what it will answer. `--try` runs exactly these
//!    commands and ends with 0 only if each answered so.
//! 4. An interrupt, SIGTERM and a gateway that ends by itself end all of it.

mod addresses;
mod authorities;
mod backend;
mod child;
mod director;
mod issuer;
mod trial;
mod trials;
mod trouble;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use clap::Args;
use pingora::server::configuration::ServerConf;
use pingora::server::{RunArgs, Server, ShutdownSignal, ShutdownSignalWatch};
use pingora::services::background::background_service;
use tokio::sync::Notify;

use self::director::Director;
use self::trouble::Trouble;
use self::world::World;
use super::{Run, lifetime};

/// The arguments of `portcullis demo`.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where its files are
    #[arg(long, default_value = "portcullis-demo")]
    dir: PathBuf,
    /// Port of the gateway on 127.0.0.1, when the directory is new; 0 takes a free one
    #[arg(long, default_value_t = 8443)]
    port: u16,
    /// Run the printed commands and end; needs curl
    #[arg(long = "try")]
    attempt: bool,
}

impl Run for Demo {
    const NAME: &'static str = "demo";
    const ABOUT: &'static str = "Everything on one machine: backends, people, devices, a policy";

    fn run(self) -> ExitCode {
        match self.start() {
            Ok(code) => code,
            Err(trouble) => trouble.report(),
        }
    }
}

impl Demo {
    fn start(self) -> Result<ExitCode, Trouble> {
        let world = World::make(&self.dir, self.port, lifetime::now())?;
        let conf = ServerConf {
            threads: 1,
            grace_period_seconds: Some(0),
            graceful_shutdown_timeout_seconds: Some(1),
            ..ServerConf::default()
        };
        let mut server = Server::new_with_opt_and_conf(None, conf);
        server.bootstrap();
        for service in backend::services(&world)? {
            server.add_service(service);
        }
        let ending = Arc::new(Ending::default());
        let director = Director::new(world, self.attempt, Arc::clone(&ending));
        server.add_service(background_service("demo", director));
        server.run(RunArgs { shutdown_signal: Box::new(Ended(Arc::clone(&ending))) });
        Ok(ending.code.get().copied().unwrap_or(ExitCode::FAILURE))
    }
}

/// How the demo ended, and the word that it did.
#[derive(Debug, Default)]
struct Ending {
    code: OnceLock<ExitCode>,
    happened: Notify,
}

/// Ends the backends when the director has ended the gateway: the director hears the signals.
struct Ended(Arc<Ending>);

#[async_trait]
impl ShutdownSignalWatch for Ended {
    async fn recv(&self) -> ShutdownSignal {
        self.0.happened.notified().await;
        ShutdownSignal::FastShutdown
    }
}
