//! From a changed file or SIGHUP to a new generation: built whole in the background, installed in
//! one store, or refused whole while the old one goes on.
//!
//! 1. Every file that the configuration names is watched, through its directory: editors rename,
//!    and Kubernetes swaps a symbolic link. Whatever the event says, contents are compared.
//! 2. Where events are lost, a poll every [`POLL_EVERY`] finds the change.
//! 3. A change is taken when files have been quiet for [`QUIET_FOR`].
//! 4. The addresses that are listened on change only at a restart; that is said as a warning.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use document::{Mistake, Mistakes};
use jiff::Timestamp;
use notify::Watcher as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::chain::Chain;
use crate::generation::{self, Assemble, Fresh};
use crate::live::Live;
use crate::tls::TlsSnapshot;

/// How often contents are compared without an event.
const POLL_EVERY: Duration = Duration::from_secs(30);
/// How long files must be quiet before a change is taken.
const QUIET_FOR: Duration = Duration::from_millis(100);
/// How long that is waited for: a directory that is always written to must not starve a reload.
const QUIET_WITHIN: Duration = Duration::from_secs(1);

/// How the last reload went, for `/v1/config` and the metrics.
#[derive(Debug, Default)]
pub(crate) struct Reloads(ArcSwap<Last>);

/// The last reload.
#[derive(Clone, Debug, Default)]
pub(crate) struct Last {
    /// When it was tried; `None` before the first.
    pub(crate) at: Option<Timestamp>,
    /// What was wrong; empty if it was installed.
    pub(crate) mistakes: Vec<String>,
    /// What the operator should know of the one that was installed.
    pub(crate) warnings: Vec<String>,
}

impl Reloads {
    pub(crate) fn last(&self) -> Arc<Last> {
        self.0.load_full()
    }
}

/// Watches files and installs generations.
pub(crate) struct Reloader<C> {
    pub(crate) live: Arc<Live<C>>,
    pub(crate) assemble: Assemble<C>,
    pub(crate) config: PathBuf,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) tasks: JoinSet<()>,
}

impl<C: Chain> Reloader<C> {
    /// Runs for as long as the gateway; `asked` tells of SIGHUP.
    pub(crate) async fn run(mut self, mut asked: mpsc::Receiver<()>) {
        let (tell, mut told) = mpsc::channel(1);
        let mut watch = Watch::begin(&self.files, &tell);
        let mut known = fingerprint(&self.files).await;
        let mut poll = tokio::time::interval(POLL_EVERY);
        loop {
            let forced = tokio::select! {
                _ = told.recv() => false,
                // A file that a refused configuration names is in no list: it is tried again.
                _ = poll.tick() => !self.live.reloads.last().mistakes.is_empty(),
                asked = asked.recv() => match asked {
                    Some(()) => true,
                    None => return drop(watch),
                },
            };
            quiet(&mut told).await;
            let found = fingerprint(&self.files).await;
            if found == known && !forced {
                continue;
            }
            self.reload().await;
            watch = Watch::begin(&self.files, &tell);
            let after = fingerprint(&self.files).await;
            let seen = |(file, now): (&PathBuf, &Option<u64>)| {
                (file.clone(), *found.get(file).unwrap_or(now))
            };
            known = after.iter().map(seen).collect();
            if known != after && tell.try_send(()).is_err() {
                log::debug!("what changed during the reload is noticed already");
            }
        }
    }

    /// Reads everything anew and installs it, or says why not.
    async fn reload(&mut self) {
        let (live, assemble, config) =
            (Arc::clone(&self.live), Arc::clone(&self.assemble), self.config.clone());
        let number = live.generation().number + 1;
        let built = tokio::task::spawn_blocking(move || {
            let document = generation::read(&config)?;
            generation::build(number, &document, &live.services, &assemble)
        })
        .await;
        let now = self.live.services.clock.now();
        match built {
            Ok(Ok(fresh)) => {
                let warnings = self.install(fresh);
                let last = Last { at: Some(now), mistakes: Vec::new(), warnings };
                self.live.reloads.0.store(Arc::new(last));
                self.live.services.metrics.reloaded(true, number, now.as_second());
                log::info!("configuration generation {number} is installed");
            }
            Ok(Err(mistakes)) => self.refuse(now, &mistakes),
            Err(panic) => {
                let mistake =
                    Mistake::without_place("internal", format!("loading panicked: {panic}"));
                self.refuse(now, &vec![mistake]);
            }
        }
    }

    fn refuse(&self, now: Timestamp, mistakes: &Mistakes) {
        let texts: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        let number = self.live.generation().number;
        let news = self.live.reloads.last().mistakes != texts;
        if news {
            for text in &texts {
                log::error!("configuration refused: {text}");
            }
            log::error!("the configuration is refused whole; generation {number} goes on");
        }
        self.live.services.metrics.reloaded(false, number, now.as_second());
        self.live.reloads.0.store(Arc::new(Last {
            at: Some(now),
            mistakes: texts,
            warnings: Vec::new(),
        }));
    }

    /// Swaps everything in; what the old generation ran in the background ends.
    fn install(&mut self, fresh: Fresh<C>) -> Vec<String> {
        let Fresh { generation, tls, files, tasks, directories: _, warnings } = fresh;
        let mut warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        let listen = generation.server.listen.iter().map(|at| at.value.address.value);
        warnings.extend(self.install_tls(listen.zip(tls).collect()));
        for warning in &warnings {
            log::warn!("{warning}");
        }
        let names: Vec<_> = generation.policy.routes().iter().map(|route| &*route.name).collect();
        self.live.services.metrics.retain_routes(&names);
        self.live.install(generation);
        self.files = files;
        self.spawn(tasks);
        warnings
    }

    /// Gives each listener what its own address has now, wherever in the list it stands; tells what
    /// only a restart can do.
    fn install_tls(&self, mut fresh: Vec<(SocketAddr, Option<TlsSnapshot>)>) -> Vec<String> {
        let mut warnings = Vec::new();
        for (address, listener) in &self.live.listeners {
            let found = fresh.iter().position(|(other, _)| other == address);
            let snapshot = found.map(|at| fresh.swap_remove(at).1);
            match (listener, snapshot) {
                (Some(listener), Some(Some(snapshot))) => {
                    if let Err(mistake) = listener.install(snapshot) {
                        warnings.push(mistake.to_string());
                    }
                }
                (None, Some(None)) => {}
                (Some(_), Some(None)) | (None, Some(Some(_))) => warnings.push(format!(
                    "`{address}` has TLS in only one of the two configurations: restart to change it"
                )),
                (_, None) => warnings.push(format!(
                    "`{address}` is not in `server.listen` any more: restart to stop listening on it"
                )),
            }
        }
        let new = fresh.iter().map(|(address, _)| {
            format!("`{address}` is new in `server.listen`: restart to listen on it")
        });
        warnings.extend(new);
        warnings
    }

    /// Replaces the background tasks by those of the present generation.
    pub(crate) fn spawn(&mut self, tasks: Vec<(String, filter::BoxFuture<'static, ()>)>) {
        self.tasks.abort_all();
        self.tasks = JoinSet::new();
        for (name, task) in tasks {
            self.tasks.spawn(async move {
                task.await;
                log::debug!("background task `{name}` ended");
            });
        }
    }
}

/// Waits until nothing was told for a while, but not for ever.
async fn quiet(told: &mut mpsc::Receiver<()>) {
    let wait =
        async { while let Ok(Some(())) = tokio::time::timeout(QUIET_FOR, told.recv()).await {} };
    if tokio::time::timeout(QUIET_WITHIN, wait).await.is_err() {
        log::debug!("files go on changing: what is there now is taken");
    }
}

/// What stands in each file: a hash, or nothing where it cannot be read.
async fn fingerprint(files: &[PathBuf]) -> BTreeMap<PathBuf, Option<u64>> {
    let files = files.to_vec();
    let hashed = tokio::task::spawn_blocking(move || {
        files.into_iter().map(|file| (file.clone(), hash_of(&file))).collect()
    });
    hashed.await.unwrap_or_default()
}

fn hash_of(file: &Path) -> Option<u64> {
    let bytes = std::fs::read(file).ok()?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Some(hasher.finish())
}

/// Watches the directories of files, for as long as it lives.
struct Watch {
    _watcher: Option<notify::RecommendedWatcher>,
}

impl Watch {
    fn begin(files: &[PathBuf], tell: &mpsc::Sender<()>) -> Self {
        let tell = tell.clone();
        let watched = files.to_vec();
        let made = notify::recommended_watcher(move |event| {
            // A full channel holds a notice already.
            if concerns(&event, &watched) && tell.try_send(()).is_err() {
                log::trace!("a change is noticed already");
            }
        });
        let mut watcher = match made {
            Ok(watcher) => watcher,
            Err(error) => {
                log::warn!("files are only polled every {} s: {error}", POLL_EVERY.as_secs());
                return Self { _watcher: None };
            }
        };
        for directory in directories(files) {
            if let Err(error) = watcher.watch(&directory, notify::RecursiveMode::NonRecursive) {
                log::warn!("cannot watch `{}`: {error}; it is polled", directory.display());
            }
        }
        Self { _watcher: Some(watcher) }
    }
}

/// Whether an event may have changed a watched file. Appending to a file that is not watched does
/// not (the audit file often lies beside the configuration); anything that makes, renames or
/// removes an entry may, since links are followed.
fn concerns(event: &notify::Result<notify::Event>, watched: &[PathBuf]) -> bool {
    let Ok(event) = event else { return true };
    match event.kind {
        notify::EventKind::Access(_) => false,
        notify::EventKind::Modify(
            notify::event::ModifyKind::Data(_) | notify::event::ModifyKind::Metadata(_),
        ) => event
            .paths
            .iter()
            .any(|path| watched.iter().any(|file| file.file_name() == path.file_name())),
        notify::EventKind::Any
        | notify::EventKind::Create(_)
        | notify::EventKind::Modify(_)
        | notify::EventKind::Remove(_)
        | notify::EventKind::Other => true,
    }
}

/// The directory that holds each file, and the one that its link leads to.
fn directories(files: &[PathBuf]) -> Vec<PathBuf> {
    let parent = |file: &Path| match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut all: Vec<PathBuf> = files
        .iter()
        .flat_map(|file| [Some(parent(file)), file.canonicalize().ok().map(|real| parent(&real))])
        .flatten()
        .collect();
    all.sort();
    all.dedup();
    all
}
