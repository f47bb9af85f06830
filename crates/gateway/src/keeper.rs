//! What is not on a request's way: reloads, background tasks, the audit file, the end.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use filter::BoxFuture;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Mutex, mpsc};

use crate::audit::Writer;
use crate::chain::Chain;
use crate::live::Live;
use crate::reload::Reloader;

/// How often the end of the last exchange is looked for while draining.
const DRAIN_LOOK_EVERY: Duration = Duration::from_millis(50);

/// Keeps what is not on a request's way: reloads, background tasks, the audit file, the end.
pub(crate) struct Keeper<C> {
    pub(crate) live: Arc<Live<C>>,
    pub(crate) writer: Arc<Mutex<Writer>>,
    pub(crate) drain: Duration,
    pub(crate) reloader: Mutex<Option<Reloader<C>>>,
    pub(crate) tasks: Mutex<Vec<(String, BoxFuture<'static, ()>)>>,
}

#[async_trait]
impl<C: Chain> BackgroundService for Keeper<C> {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let writer = Arc::clone(&self.writer);
        let writing = tokio::spawn(async move {
            writer.lock().await.run().await;
        });
        let (ask, asked) = mpsc::channel(1);
        let reloader = self.reloader.lock().await.take();
        let tasks = std::mem::take(&mut *self.tasks.lock().await);
        let reloading = tokio::spawn(async move {
            if let Some(mut reloader) = reloader {
                reloader.spawn(tasks);
                reloader.run(asked).await;
            }
        });
        tell_systemd(&[sd_notify::NotifyState::Ready]);
        let mut hangups = signal(SignalKind::hangup());
        loop {
            tokio::select! {
                _ = shutdown.changed() => if *shutdown.borrow() { break },
                () = hangup(&mut hangups) => {
                    log::info!("SIGHUP: the configuration is read anew");
                    self.live.audit.reopen();
                    if ask.send(()).await.is_err() {
                        log::error!("the reloader has ended: restart the gateway");
                    }
                }
            }
        }
        tell_systemd(&[sd_notify::NotifyState::Stopping]);
        self.live.drain();
        reloading.abort();
        self.end_when_idle().await;
        writing.abort();
    }
}

impl<C: Chain> Keeper<C> {
    /// Ends the process as soon as nothing is in flight; Pingora itself would sleep for the whole
    /// time, and ends what is left when that is over.
    async fn end_when_idle(&self) {
        let deadline = tokio::time::Instant::now() + self.drain;
        let mut look = tokio::time::interval(DRAIN_LOOK_EVERY);
        let mut idle_looks = 0_u32;
        while tokio::time::Instant::now() < deadline {
            look.tick().await;
            // A connection that was accepted a moment ago may be in its handshake still.
            idle_looks = if self.live.in_flight() == 0 { idle_looks + 1 } else { 0 };
            if idle_looks > 4 {
                self.live.audit.close().await;
                log::info!("nothing is in flight: the gateway ends");
                std::process::exit(0);
            }
        }
        log::warn!("{} exchanges are cut: `server.drain` is over", self.live.in_flight());
    }
}

async fn hangup(signals: &mut std::io::Result<Signal>) {
    let heard = match signals {
        Ok(signals) => signals.recv().await.is_some(),
        Err(_) => false,
    };
    if !heard {
        std::future::pending::<()>().await;
    }
}

fn tell_systemd(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::debug!("the service manager was not told: {error}");
    }
}
