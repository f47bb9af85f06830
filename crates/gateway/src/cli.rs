//! The command line of every gateway that is assembled from this crate: `run`, `check`, `explain`
//! and `schema` need the chain and live here; a binary adds its own [`Verb`]s.
//!
//! Exit codes: 0 yes; 1 no; 64 usage; 78 configuration. Errors go to stderr, results to stdout.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use clap::{Arg, ArgMatches, Command, value_parser};
use document::{Document, Mistakes};
use filter::Purpose;

use crate::assembly::Assembly;
use crate::chain::Chain;
use crate::generation::{self, Assemble, Fresh};
use crate::{explain, schema, server};

/// A check that found errors, a failed case, an unmet expectation.
pub const EXIT_NO: u8 = 1;
/// The command line is wrong.
pub const EXIT_USAGE: u8 = 64;
/// The configuration is wrong.
pub const EXIT_CONFIG: u8 = 78;

/// What was built, for `--version` and the metrics.
pub(crate) const REVISION: &str = match option_env!("PORTCULLIS_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// A verb that a binary adds to the gateway's own.
pub trait Verb {
    /// How it is called.
    fn command(&self) -> Command;
    /// Does it.
    fn run(&self, matches: &ArgMatches, app: &dyn App) -> ExitCode;
}

/// What a verb may ask of the assembled gateway.
pub trait App {
    /// Loads everything that `run` would and changes nothing.
    ///
    /// # Errors
    /// Every mistake.
    fn check(&self, file: &Path) -> Result<(), Mistakes>;
}

/// Runs a gateway of these filters: the whole of a `main`.
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     gateway::run(|chain| chain)
/// }
/// ```
pub fn run<C: Chain>(
    assemble: impl for<'a> Fn(Assembly<'a, ()>) -> Assembly<'a, C> + Send + Sync + 'static,
) -> ExitCode {
    run_with(&[], assemble)
}

/// The same, with further verbs.
pub fn run_with<C: Chain>(
    verbs: &[Box<dyn Verb>],
    assemble: impl for<'a> Fn(Assembly<'a, ()>) -> Assembly<'a, C> + Send + Sync + 'static,
) -> ExitCode {
    let assemble: Assemble<C> = Arc::new(assemble);
    let mut command = command();
    for verb in verbs {
        command = command.subcommand(verb.command());
    }
    let matches = match command.try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return usage(&error),
    };
    start_log();
    let app = Assembled { assemble };
    match matches.subcommand() {
        Some(("run", matches)) => server::serve(&file(matches), &app.assemble),
        Some(("check", matches)) => app.check_verb(&file(matches), matches.get_flag("json")),
        Some(("explain", matches)) => explain::run(matches, &file(matches), &app.assemble),
        Some(("schema", _)) => print(&schema::whole(&generation::claimed(&app.assemble))),
        Some((name, matches)) => verbs
            .iter()
            .find(|verb| verb.command().get_name() == name)
            .map_or(ExitCode::from(EXIT_USAGE), |verb| verb.run(matches, &app)),
        None => ExitCode::from(EXIT_USAGE),
    }
}

struct Assembled<C> {
    assemble: Assemble<C>,
}

impl<C: Chain> Assembled<C> {
    fn load(&self, document: &Document) -> Result<Fresh<C>, Mistakes> {
        load(document, &self.assemble)
    }

    fn check_verb(&self, file: &Path, json: bool) -> ExitCode {
        let document = match generation::read(file) {
            Ok(document) => document,
            Err(mistakes) => return report(&mistakes, None, json),
        };
        match self.load(&document) {
            Ok(fresh) => {
                let code = report(&fresh.warnings, Some(&document), json);
                if !json {
                    let policy = &fresh.generation.policy;
                    eprint(&format!(
                        "{}: ok: {} routes, {} warnings, policy {}",
                        file.display(),
                        policy.routes().len(),
                        fresh.warnings.len(),
                        policy.hash()
                    ));
                }
                code
            }
            Err(mistakes) => report(&mistakes, Some(&document), json),
        }
    }
}

impl<C: Chain> App for Assembled<C> {
    fn check(&self, file: &Path) -> Result<(), Mistakes> {
        self.load(&generation::read(file)?).map(|_| ())
    }
}

/// Loads what a document says, without starting anything.
pub(crate) fn load<C: Chain>(
    document: &Document,
    assemble: &Assemble<C>,
) -> Result<Fresh<C>, Mistakes> {
    let services = server::services(generation::ground(document).ok().as_ref(), Purpose::Look)?;
    generation::build(1, document, &services, assemble)
}

/// Prints mistakes and says that the configuration is wrong.
pub(crate) fn refuse(mistakes: &Mistakes, document: Option<&Document>) -> ExitCode {
    for mistake in mistakes {
        eprint(&mistake.render(document));
    }
    ExitCode::from(EXIT_CONFIG)
}

/// Prints one result.
pub(crate) fn print(text: &str) -> ExitCode {
    use std::io::Write as _;
    // A reader that went away (`| head`) is no fault.
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(EXIT_NO),
    }
}

/// Prints one message for a person.
#[expect(clippy::print_stderr, reason = "the one place that speaks to a person at a terminal")]
pub(crate) fn eprint(text: &str) {
    eprintln!("{text}");
}

fn report(mistakes: &Mistakes, document: Option<&Document>, json: bool) -> ExitCode {
    if json {
        let all: Vec<_> = mistakes.iter().map(mistake_json).collect();
        if print(&serde_json::Value::from(all).to_string()) != ExitCode::SUCCESS {
            return ExitCode::from(EXIT_NO);
        }
    } else {
        for mistake in mistakes {
            eprint(&mistake.render(document));
        }
    }
    if generation::fatal(mistakes) { ExitCode::from(EXIT_NO) } else { ExitCode::SUCCESS }
}

fn mistake_json(mistake: &document::Mistake) -> serde_json::Value {
    serde_json::json!({
        "level": mistake.level,
        "code": mistake.code,
        "file": mistake.place.as_ref().map(|place| place.file.display().to_string()),
        "line": mistake.place.as_ref().map(|place| place.line),
        "column": mistake.place.as_ref().map(|place| place.column),
        "message": mistake.message,
        "help": mistake.help,
    })
}

fn command() -> Command {
    let config = || {
        Arg::new("config")
            .short('c')
            .long("config")
            .value_name("FILE")
            .required(true)
            .value_parser(value_parser!(PathBuf))
            .help("The configuration")
    };
    let json = Arg::new("json").long("json").num_args(0).help("Print JSON");
    Command::new("portcullis")
        .about("A zero-trust access gateway")
        .version(version())
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("run").about("Run the gateway in the foreground").arg(config()))
        .subcommand(
            Command::new("check")
                .about("Load everything that `run` would, print every mistake, change nothing")
                .arg(config())
                .arg(json),
        )
        .subcommand(explain::command().arg(config()))
        .subcommand(Command::new("schema").about("Print the JSON Schema of the configuration"))
}

/// This build, and the TLS library that it runs with: what to look for in advisories.
fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let (own, tls) = (env!("CARGO_PKG_VERSION"), openssl::version::version());
        format!("{own} ({REVISION}), {tls}")
    });
    &VERSION
}

fn file(matches: &ArgMatches) -> PathBuf {
    matches.get_one::<PathBuf>("config").cloned().unwrap_or_default()
}

fn usage(error: &clap::Error) -> ExitCode {
    let asked = matches!(
        error.kind(),
        clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion
    );
    if error.print().is_err() {
        return ExitCode::from(EXIT_NO);
    }
    if asked { ExitCode::SUCCESS } else { ExitCode::from(EXIT_USAGE) }
}

/// Logs go to stderr. Pingora reports failed handshakes and races for a pooled connection as errors,
/// with nothing that an operator could do: scanners would fill the disk.
fn start_log() {
    let filter = "info,pingora_core::services::listening=off,pingora_core::connectors=off,\
                  pingora_core::server=warn,pingora_proxy=warn";
    let started =
        env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(filter))
            .format_timestamp_millis()
            .try_init();
    if started.is_err() {
        eprint("a logger is installed already: its settings are kept");
    }
}
