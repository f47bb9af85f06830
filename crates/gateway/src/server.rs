//! From a loaded configuration to a running process, and from SIGTERM to its end.
//!
//! SIGTERM: listeners close, `/readyz` turns 503, exchanges in flight may end within
//! `server.drain`, the audit is flushed, the process ends; sooner if nothing is in flight.
//! SIGHUP: the configuration is read anew and the audit file reopened.

use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use document::{At, Document, Mistake, Mistakes};
use filter::{HealthBoard, Purpose, Services, Survivors, SystemClock};
use pingora::server::configuration::ServerConf as PingoraConf;
use pingora::server::{RunArgs, Server};
use pingora::services::background::background_service;
use pingora::services::listening::Service;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::admin::Admin;
use crate::audit::{Sink, Writer};
use crate::chain::Chain;
use crate::cli;
use crate::conf::{AdminConf, ServerConf};
use crate::front::Front;
use crate::gate::{self, Gate};
use crate::generation::{self, Assemble, Fresh, Ground};
use crate::keeper::Keeper;
use crate::live::Live;
use crate::redirect::Redirect;
use crate::reload::Reloader;
use crate::tls::{Handshake, ListenerTls};

/// Idle connections to backends that are kept.
const UPSTREAM_POOL_SIZE: usize = 4096;
/// How long requests in flight may take after SIGTERM where the operator does not say.
const DRAIN_DEFAULT: Duration = Duration::from_secs(30);

/// Runs the gateway until it is told to end.
pub(crate) fn serve<C: Chain>(config: &Path, assemble: &Assemble<C>) -> ExitCode {
    let document = match generation::read(config) {
        Ok(document) => document,
        Err(mistakes) => return cli::refuse(&mistakes, None),
    };
    match prepare(&document, assemble) {
        Ok(prepared) => prepared.run(config, assemble),
        Err(mistakes) => cli::refuse(&mistakes, Some(&document)),
    }
}

/// Everything but threads and sockets.
struct Prepared<C> {
    live: Arc<Live<C>>,
    fresh: Leftovers,
    writer: Writer,
}

/// What of a fresh generation goes to the background.
struct Leftovers {
    files: Vec<std::path::PathBuf>,
    tasks: Vec<(String, filter::BoxFuture<'static, ()>)>,
}

/// Builds the services that outlive generations. Without a ground there is nothing to serve from,
/// and the rest of the configuration can still be looked at for its mistakes.
///
/// # Errors
/// The state directory cannot be made, or a metric cannot be registered.
pub(crate) fn services(ground: Option<&Ground>, purpose: Purpose) -> Result<Services, Mistakes> {
    let state_dir = ground.map(|ground| ground.server.state_dir.value.0.clone());
    if let (Some(ground), Purpose::Serve) = (ground, purpose) {
        ground.make_state_dir().map_err(|mistake| vec![mistake])?;
    }
    let metrics = metrics::Metrics::new(env!("CARGO_PKG_VERSION"), cli::REVISION)
        .map_err(|error| vec![Mistake::without_place("metrics", error.to_string())])?;
    Ok(Services {
        clock: Arc::new(SystemClock),
        metrics: Arc::new(metrics),
        state_dir: state_dir.unwrap_or_default(),
        health: HealthBoard::default(),
        survivors: Survivors::default(),
        purpose,
    })
}

fn prepare<C: Chain>(document: &Document, assemble: &Assemble<C>) -> Result<Prepared<C>, Mistakes> {
    let Ok(ground) = generation::ground(document) else {
        // The sections that stand are asked for their mistakes too.
        return Err(cli::load(document, assemble).err().unwrap_or_default());
    };
    let services = services(Some(&ground), Purpose::Serve)?;
    let Fresh { generation, tls, files, tasks, directories: _, warnings } =
        generation::build(1, document, &services, assemble)?;
    for warning in &warnings {
        log::warn!("{warning}");
    }
    free_addresses(&generation.server)?;
    let (sink, writer) = Sink::open(&ground.audit).map_err(|error| {
        let message = format!("cannot open the audit file `{}`: {error}", ground.audit.display());
        let place = generation::place_of(document.root.get("audit"), document);
        vec![Mistake::error("audit-file", &place, message).help("name a file that can be written")]
    })?;
    let listeners = tls
        .into_iter()
        .zip(&generation.server.listen)
        .map(|(snapshot, listen)| {
            let address = listen.value.address.value;
            let observe = observe(&services, &address.to_string());
            let clock = Arc::clone(&services.clock);
            (address, snapshot.map(|snapshot| ListenerTls::new(snapshot, clock, observe)))
        })
        .collect();
    services.metrics.reloaded(true, 1, services.clock.now().as_second());
    let live = Arc::new(Live::new(services, generation, listeners, sink));
    Ok(Prepared { live, fresh: Leftovers { files, tasks }, writer })
}

/// Counts the handshakes of one listener.
fn observe(services: &Services, listener: &str) -> crate::tls::Observe {
    let metrics = Arc::clone(&services.metrics);
    let listener = listener.to_owned();
    Arc::new(move |handshake: &Handshake| {
        let Handshake { version, result, client_certificate } = *handshake;
        metrics.handshake(&listener, version, result, client_certificate);
    })
}

/// Tries every address first, so that one in use is a named error and not a panic of a thread.
fn free_addresses(server: &ServerConf) -> Result<(), Mistakes> {
    let listen = server.listen.iter().map(|at| &at.value.address);
    let admin = server.admin.iter().map(|at| &at.value.address);
    let mistakes: Mistakes = listen
        .chain(admin)
        .filter_map(|address| {
            let error = TcpListener::bind(address.value).err()?;
            let message = format!("cannot listen on `{}`: {error}", address.value);
            Some(
                Mistake::error("address-in-use", &address.place, message)
                    .help("end the process that listens there, or choose another port"),
            )
        })
        .collect();
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
}

impl<C: Chain> Prepared<C> {
    fn run(self, config: &Path, assemble: &Assemble<C>) -> ExitCode {
        let Self { live, fresh, writer } = self;
        let conf = live.generation().server.clone();
        let drain = conf.drain.map_or(DRAIN_DEFAULT, |duration| duration.0);
        let mut server = Server::new_with_opt_and_conf(None, pingora_conf(&conf, drain));
        server.bootstrap();
        let writer = Arc::new(Mutex::new(writer));
        let keeper = Keeper {
            live: Arc::clone(&live),
            writer: Arc::clone(&writer),
            drain,
            reloader: Mutex::new(Some(Reloader {
                live: Arc::clone(&live),
                assemble: Arc::clone(assemble),
                config: config.to_owned(),
                files: fresh.files,
                tasks: JoinSet::new(),
            })),
            tasks: Mutex::new(fresh.tasks),
        };
        server.add_service(background_service("keeper", keeper));
        if let Err(mistake) = add_listeners(&mut server, &live, &conf) {
            return cli::refuse(&vec![mistake], None);
        }
        log::info!(
            "portcullis {} serves {} routes",
            env!("CARGO_PKG_VERSION"),
            live.generation().policy.routes().len()
        );
        server.run(RunArgs::default());
        // Exchanges that were cut by the end left their records while the runtimes were dropped.
        if let Ok(mut writer) = writer.try_lock() {
            writer.finish();
        }
        ExitCode::SUCCESS
    }
}

fn pingora_conf(conf: &ServerConf, drain: Duration) -> PingoraConf {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let state = &conf.state_dir.value.0;
    PingoraConf {
        threads: conf.threads.unwrap_or(cores),
        grace_period_seconds: Some(drain.as_secs()),
        graceful_shutdown_timeout_seconds: Some(1),
        upstream_keepalive_pool_size: UPSTREAM_POOL_SIZE,
        pid_file: state.join("portcullis.pid").to_string_lossy().into_owned(),
        upgrade_sock: state.join("upgrade.sock").to_string_lossy().into_owned(),
        ..PingoraConf::default()
    }
}

fn add_listeners<C: Chain>(
    server: &mut Server,
    live: &Arc<Live<C>>,
    conf: &ServerConf,
) -> Result<(), Mistake> {
    let gate = Gate::new(live, &server.configuration, conf);
    let mut public = Service::new("gateway".to_owned(), Front::new(gate, gate::refusal(live)));
    for (At { value: listen, .. }, (_, tls)) in conf.listen.iter().zip(&live.listeners) {
        let address = listen.address.value.to_string();
        if let Some(tls) = tls {
            let settings = tls.settings().map_err(|error| {
                let message = format!("TLS cannot be set up: {error}");
                Mistake::error("tls", &listen.address.place, message)
            })?;
            public.add_tls_with_settings(&address, None, settings);
        } else {
            let redirect = Redirect::new(Arc::clone(live), listen.redirect_port.unwrap_or(443));
            let mut plain = Service::new("redirect".to_owned(), redirect);
            plain.add_tcp(&address);
            server.add_service(plain);
        }
    }
    server.add_service(public);
    if let Some(At { value: AdminConf { address, .. }, .. }) = &conf.admin {
        let mut admin = Service::new("admin".to_owned(), Admin::new(Arc::clone(live)));
        admin.threads = Some(1);
        admin.add_tcp(&address.value.to_string());
        server.add_service(admin);
    }
    Ok(())
}
