//! What happens in which order.

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::signal::unix::{SignalKind, signal};

use super::child::Gateway;
use super::trial::Trial;
use super::trouble::Trouble;
use super::world::World;
use super::{Ending, trials};
use crate::commands::say;

/// Starts the gateway, shows or tries what there is to try, ends the gateway.
pub(super) struct Director {
    world: World,
    attempt: bool,
    ending: Arc<Ending>,
}

impl Director {
    pub(super) fn new(world: World, attempt: bool, ending: Arc<Ending>) -> Self {
        Self { world, attempt, ending }
    }

    async fn direct(&self) -> Result<ExitCode, Trouble> {
        let trials = trials::all(&self.world)?;
        let mut gateway = Gateway::start(&self.world)?;
        let result = tokio::select! {
            result = self.show(&mut gateway, &trials) => result,
            result = interrupted() => result,
        };
        gateway.end().await?;
        result
    }

    async fn show(&self, gateway: &mut Gateway, trials: &[Trial]) -> Result<ExitCode, Trouble> {
        gateway.ready(&self.world).await?;
        if self.attempt {
            return Ok(attempt(&self.world, trials).await);
        }
        introduce(&self.world, trials);
        let status = gateway.wait().await?;
        Err(Trouble::Gateway(format!(
            "the gateway ended with {status}; see `{}`",
            self.world.path("gateway.log").display()
        )))
    }
}

#[async_trait]
impl BackgroundService for Director {
    async fn start(&self, _shutdown: ShutdownWatch) {
        let code = self.direct().await.unwrap_or_else(|trouble| trouble.report());
        self.ending.code.get_or_init(|| code);
        self.ending.happened.notify_one();
    }
}

/// Waits for an interrupt or SIGTERM.
async fn interrupted() -> Result<ExitCode, Trouble> {
    let deaf = |cause: std::io::Error| Trouble::Gateway(format!("cannot hear signals: {cause}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(deaf)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(deaf)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    say::note("ending the gateway and the backends");
    Ok(ExitCode::SUCCESS)
}

fn introduce(world: &World, trials: &[Trial]) {
    let addresses = &world.addresses;
    say::line(format_args!(
        "the gate stands on https://{}, its metrics on http://{}/metrics",
        addresses.gateway, addresses.admin
    ));
    say::line("paste into another terminal:");
    say::line("");
    say::line(format_args!("cd '{}'", world.directory.display()));
    for trial in trials {
        say::line("");
        say::line(trial);
    }
    say::line("");
    say::line("tail -n 1 audit.jsonl    # the last request, as the auditor sees it");
    say::line("");
    say::line("an interrupt (ctrl-c) ends the gateway and its backends; the files stay");
}

async fn attempt(world: &World, trials: &[Trial]) -> ExitCode {
    let mut failures = 0_usize;
    for trial in trials {
        match trial.attempt(&world.directory).await {
            Ok(()) => say::line(format_args!("ok    {}", trial.summary())),
            Err(difference) => {
                failures += 1;
                say::line(format_args!("FAIL  {}\n{trial}\n{difference}", trial.summary()));
            }
        }
    }
    say::line(format_args!("{} tried, {failures} behaved otherwise", trials.len()));
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
