//! Everything that a configuration amounts to: built whole, swapped in one store, never changed.
//!
//! A request keeps the generation that it began with. What must outlive a generation (key sets,
//! resolved addresses, counters, the upstream pools) is handed in by [`Services`] and [`Kept`].
//! Building gathers every mistake of every section before it reports; a generation with a mistake
//! is never installed.

mod checks;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use document::{At, Document, FilePath, Level, Mistake, Mistakes, Node, Place};
use filter::setup::Gathered;
use filter::{BoxFuture, Directory, Endpoint, Services};
use policy::{PolicySet, Source};
use upstream::Upstreams;
use upstream::paths::PathProfile;

use crate::assembly::{Assembled, Assembly, Claimed, Site};
use crate::assertion::Signer;
use crate::chain::Chain;
use crate::conf::{AuditConf, ListenConf, ServerConf};
use crate::door::Limits;
use crate::own;
use crate::tls::TlsSnapshot;

/// Sections that the gateway itself reads; the others belong to filters.
const OWN_SECTIONS: [&str; 8] =
    ["version", "include", "server", "upstreams", "conditions", "rules", "routes", "audit"];

/// Builds chains: `main`'s closure.
pub(crate) type Assemble<C> =
    Arc<dyn for<'a> Fn(Assembly<'a, ()>) -> Assembly<'a, C> + Send + Sync>;

/// One configuration, ready to serve.
pub(crate) struct Generation<C> {
    /// Counts up from 1.
    pub(crate) number: u64,
    pub(crate) chain: C,
    pub(crate) policy: Arc<PolicySet>,
    pub(crate) upstreams: Upstreams,
    /// The weakest path profile of any upstream: what the door may let pass.
    pub(crate) widest: PathProfile,
    pub(crate) limits: Limits,
    pub(crate) server: ServerConf,
    /// `Strict-Transport-Security`, unless it is turned off.
    pub(crate) hsts: Option<http::HeaderValue>,
    pub(crate) signer: Arc<Signer>,
    /// Metrics of each route, parallel to [`PolicySet::routes`].
    pub(crate) routes: Vec<Arc<metrics::RouteMetrics>>,
    pub(crate) endpoints: HashMap<String, Arc<dyn Endpoint>>,
}

/// What is built beside a generation and installed with it.
pub(crate) struct Fresh<C> {
    pub(crate) generation: Generation<C>,
    /// One for each listener with TLS, by its position among `server.listen`.
    pub(crate) tls: Vec<Option<TlsSnapshot>>,
    /// Files whose change calls for a new generation.
    pub(crate) files: Vec<PathBuf>,
    /// Tasks that live as long as the generation.
    pub(crate) tasks: Vec<(String, BoxFuture<'static, ()>)>,
    /// Who knows devices by name, for `explain`.
    pub(crate) directories: Vec<Arc<dyn Directory>>,
    pub(crate) warnings: Mistakes,
}

/// The sections that must be read before there can be services: where state is, who listens.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    pub(crate) server: ServerConf,
    pub(crate) audit: PathBuf,
}

/// Reads `server:` and `audit:`.
///
/// # Errors
/// Every mistake in these sections.
pub(crate) fn ground(document: &Document) -> Result<Ground, Mistakes> {
    let mut mistakes = Mistakes::new();
    let server = section::<ServerConf>(document, "server", &mut mistakes);
    let audit = document
        .root
        .get("audit")
        .map(|node| document::parse::<AuditConf>(node).map_err(|found| mistakes.extend(found)));
    let Some(server) = server else {
        return Err(mistakes);
    };
    checks::check_server(&server, &mut mistakes);
    let audit = match audit {
        Some(Ok(AuditConf { file: At { value: FilePath(path), .. } })) => path,
        Some(Err(())) => PathBuf::new(),
        None => server.state_dir.value.0.join("audit.jsonl"),
    };
    if mistakes.is_empty() { Ok(Ground { server, audit }) } else { Err(mistakes) }
}

/// Builds a generation.
///
/// # Errors
/// Every mistake of every section, in the order of the files.
pub(crate) fn build<C: Chain>(
    number: u64,
    document: &Document,
    services: &Services,
    assemble: &Assemble<C>,
) -> Result<Fresh<C>, Mistakes> {
    let mut mistakes = Mistakes::new();
    let mut warnings = Mistakes::new();
    let parts = parts(document, services, &mut mistakes, &mut warnings);
    // Filters are built even where the policy has mistakes, so that theirs are told too.
    let policy = parts.policy.clone().map_or_else(empty_policy, Ok);
    let gathered = RefCell::default();
    let chain = take(policy, &mut mistakes).and_then(|policy| {
        let site = Site::Document { document, services, policy: &policy, gathered: &gathered };
        let Assembled { chain, claimed, mistakes: found } =
            assemble(Assembly::begin(site)).finish();
        mistakes.extend(found);
        checks::unclaimed(document, &claimed, &mut mistakes);
        chain
    });
    let mut gathered: Gathered = gathered.into_inner();
    gathered.warnings.extend(warnings);
    checks::dangers(&document.root, &mut gathered.warnings);
    match (parts.whole(), chain) {
        (Some(whole), Some(chain)) if mistakes.is_empty() => {
            Ok(whole.join(number, (document, services), chain, gathered))
        }
        _ => {
            mistakes.extend(gathered.warnings);
            Err(sorted(mistakes))
        }
    }
}

/// What the gateway itself reads, as far as it could be read.
struct Parts {
    ground: Option<Ground>,
    tls: Option<Vec<Option<TlsSnapshot>>>,
    upstreams: Option<Upstreams>,
    policy: Option<Arc<PolicySet>>,
    limits: Option<Limits>,
    signer: Option<Arc<Signer>>,
}

/// The same, all of it.
struct Whole {
    ground: Ground,
    tls: Vec<Option<TlsSnapshot>>,
    upstreams: Upstreams,
    policy: Arc<PolicySet>,
    limits: Limits,
    signer: Arc<Signer>,
}

fn parts(
    document: &Document,
    services: &Services,
    mistakes: &mut Mistakes,
    warnings: &mut Mistakes,
) -> Parts {
    let now = services.clock.now();
    let ground = take(ground(document), mistakes);
    let listen = ground
        .as_ref()
        .map_or_else(|| listen_alone(document), |ground| Some(ground.server.listen.clone()));
    let tls = listen.map(|listen| listeners(&listen, now, mistakes, warnings));
    let metrics = Arc::clone(&services.metrics);
    let kept = services.survivors.keep("upstreams", || upstream::Kept::new(metrics));
    let loaded = Upstreams::load(document.root.get("upstreams"), &kept, now);
    let upstreams = warned(loaded, mistakes, warnings);
    let limits = ground.as_ref().and_then(|ground| take(limits(ground, document), mistakes));
    let policy = warned(PolicySet::compile(source(document)), mistakes, warnings);
    checks::check_routes(document, mistakes);
    if let (Some(policy), Some(tls)) = (&policy, &tls) {
        checks::check_names(policy, tls, warnings);
    }
    let signer = ground
        .as_ref()
        .and_then(|_| take(Signer::load(services, now).map_err(|mistake| vec![mistake]), mistakes));
    Parts { ground, tls, upstreams, policy, limits, signer }
}

impl Parts {
    fn whole(self) -> Option<Whole> {
        let Self { ground, tls, upstreams, policy, limits, signer } = self;
        Some(Whole {
            ground: ground?,
            tls: tls?,
            upstreams: upstreams?,
            policy: policy?,
            limits: limits?,
            signer: signer?,
        })
    }
}

impl Whole {
    fn join<C>(
        self,
        number: u64,
        (document, services): (&Document, &Services),
        chain: C,
        gathered: Gathered,
    ) -> Fresh<C> {
        let Self { ground: Ground { server, audit: _ }, tls, upstreams, policy, limits, signer } =
            self;
        let Gathered { warnings, mut files, mut tasks, endpoints, directories } = gathered;
        files.extend(document.files.iter().map(|(path, _)| path.to_path_buf()));
        files.extend(upstreams.files().iter().cloned());
        files.extend(tls.iter().flatten().flat_map(TlsSnapshot::files).map(PathBuf::from));
        tasks.push(("resolver".to_owned(), Box::pin(upstreams.resolver())));
        tasks.push(("assertion-keys".to_owned(), Box::pin(signer.tend(services))));
        let metrics = |route: &policy::Route| services.metrics.route(&route.name);
        let generation = Generation {
            number,
            chain,
            widest: upstreams.widest_profile(),
            limits,
            routes: policy.routes().iter().map(metrics).collect(),
            endpoints: own::endpoints(&signer).into_iter().chain(endpoints).collect(),
            policy,
            upstreams,
            hsts: hsts(&server),
            server,
            signer,
        };
        Fresh { generation, tls, files, tasks, directories, warnings: sorted(warnings) }
    }
}

/// The names and schemas of the sections that the chain's filters read.
pub(crate) fn claimed<C>(assemble: &Assemble<C>) -> Vec<Claimed> {
    assemble(Assembly::begin(Site::Schema)).finish().claimed
}

/// The policy's three sections.
pub(crate) fn source(document: &Document) -> Source<'_> {
    Source {
        conditions: document.root.get("conditions"),
        rules: document.root.get("rules"),
        routes: document.root.get("routes"),
    }
}

/// Mistakes in the order of the files, errors and warnings together.
pub(crate) fn sorted(mut mistakes: Mistakes) -> Mistakes {
    mistakes.sort_by(|a, b| a.place.cmp(&b.place));
    mistakes
}

/// The file as it is now, read whole.
pub(crate) fn read(path: &Path) -> Result<Document, Mistakes> {
    document::load(path)
}

fn section<T: serde::de::DeserializeOwned>(
    document: &Document,
    name: &'static str,
    mistakes: &mut Mistakes,
) -> Option<T> {
    let Some(node) = document.root.get(name) else {
        mistakes.push(
            Mistake::error("missing-section", &document.root.place, format!("no `{name}` section"))
                .help(format!("add `{name}:`")),
        );
        return None;
    };
    take(document::parse(node), mistakes)
}

/// The listeners of a `server:` that has a mistake elsewhere: their files are looked at all the same.
fn listen_alone(document: &Document) -> Option<Vec<At<ListenConf>>> {
    document::parse(document.root.get("server")?.get("listen")?).ok()
}

fn listeners(
    listen: &[At<ListenConf>],
    now: jiff::Timestamp,
    mistakes: &mut Mistakes,
    warnings: &mut Mistakes,
) -> Vec<Option<TlsSnapshot>> {
    let load = |tls| warned(TlsSnapshot::load(tls, now), mistakes, warnings);
    let mut load = load;
    listen.iter().map(|at| at.value.tls.as_ref().and_then(&mut load)).collect()
}

fn limits(ground: &Ground, document: &Document) -> Result<Limits, Mistakes> {
    let server = document.root.get("server");
    let place = place_of(server.and_then(|server| server.get("limits")).or(server), document);
    Limits::new(&ground.server.limits).map_err(|texts| {
        texts.into_iter().map(|text| Mistake::error("limits", &place, text)).collect()
    })
}

/// A year where the operator does not say; nothing where they say `0s`.
fn hsts(server: &ServerConf) -> Option<http::HeaderValue> {
    const YEAR_S: u64 = 365 * 24 * 60 * 60;
    let seconds = server.hsts.map_or(YEAR_S, |duration| duration.0.as_secs());
    (seconds > 0).then(|| format!("max-age={seconds}").parse().ok()).flatten()
}

fn empty_policy() -> Result<Arc<PolicySet>, Mistakes> {
    PolicySet::compile(Source::default()).map(|(policy, _)| policy)
}

fn take<T>(result: Result<T, Mistakes>, mistakes: &mut Mistakes) -> Option<T> {
    result.map_err(|found| mistakes.extend(found)).ok()
}

fn warned<T>(
    result: Result<(T, Mistakes), Mistakes>,
    mistakes: &mut Mistakes,
    warnings: &mut Mistakes,
) -> Option<T> {
    let (value, found) = take(result, mistakes)?;
    warnings.extend(found);
    Some(value)
}

impl Ground {
    /// Makes the state directory, for its owner alone.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn make_state_dir(&self) -> Result<(), Mistake> {
        use std::os::unix::fs::DirBuilderExt as _;
        let At { value: FilePath(path), place } = &self.server.state_dir;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
            let message = format!("cannot make the state directory `{}`: {error}", path.display());
            Mistake::error("state-dir", place, message)
                .help("name a directory that the gateway may write to")
        })
    }
}

/// Whether there is an error among them.
pub(crate) fn fatal(mistakes: &[Mistake]) -> bool {
    mistakes.iter().any(|mistake| mistake.level == Level::Error)
}

/// A node's place or the document's, for what has no better.
pub(crate) fn place_of(node: Option<&Node>, document: &Document) -> Place {
    node.map_or_else(|| document.root.place.clone(), |node| node.place.clone())
}
