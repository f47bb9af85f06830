//! `explain`: the live engine's decision for one request that is described on the command line.
//!
//! The target goes through the same door as a request from the socket, the device comes from the
//! same inventory, the certificate is read by the same code; only the proof is taken on trust.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use document::{Document, Mistake, Mistakes};
use filter::{Canonical, Clock as _, Directory, SystemClock};
use jiff::Timestamp;
use pingora_http::RequestHeader;
use policy::{
    Auth, AuthMethod, Binding, Certificate, Device, Facts, Network, Os, Risk, Subject, SubjectKind,
    TlsVersion,
};

use crate::chain::Chain;
use crate::cli::{EXIT_NO, EXIT_USAGE, eprint, load, print, refuse};
use crate::door::{self, Arrival};
use crate::generation::{self, Assemble, Fresh};

/// The verb and its arguments.
pub(crate) fn command() -> Command {
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let many = |arg: Arg| arg.action(ArgAction::Append);
    Command::new("explain")
        .about("Explain the decision for one request: every rule, and the fact that decided it")
        .arg(value("url", "URL", "The address, as a client would ask it").required(true))
        .arg(value("method", "M", "The method").default_value("GET"))
        .arg(many(value("header", "NAME: VALUE", "A header of the request")))
        .arg(value("user", "ID", "Who asks; nobody where absent"))
        .arg(value("email", "ADDRESS", "The address of whoever asks"))
        .arg(many(value("groups", "A,B", "Groups of whoever asks").value_delimiter(',')))
        .arg(many(value("roles", "A,B", "Roles of whoever asks").value_delimiter(',')))
        .arg(many(value("claim", "K=V", "A further claim")))
        .arg(Arg::new("service").long("service").num_args(0).help("Whoever asks is a program"))
        .arg(
            value("auth-method", "M", "jwt, oidc, local, api-token, client-certificate")
                .default_value("jwt"),
        )
        .arg(Arg::new("mfa").long("mfa").num_args(0).help("More than one factor was used"))
        .arg(value("auth-age", "15m", "How long ago the person authenticated"))
        .arg(value("acr", "CLASS", "Authentication context class"))
        .arg(many(value("scope", "S", "Scopes of the token").value_delimiter(',')))
        .arg(value("device", "ID", "The device, as the inventory knows it"))
        .arg(many(value(
            "device-fact",
            "K=V",
            "managed, compliant, encryption, os, os_version, ...",
        )))
        .arg(
            value("cert", "FILE", "The client certificate (PEM), taken as verified")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            value("from", "IP", "The client's address")
                .default_value("127.0.0.1")
                .value_parser(value_parser!(IpAddr)),
        )
        .arg(value("at", "TIME", "The instant (RFC 9557 or RFC 3339); now where absent"))
        .arg(
            value("risk", "N", "Risk score, 0 to 100")
                .value_parser(value_parser!(u8).range(0..=100)),
        )
        .arg(value("expect", "OUTCOME", "Exit 1 unless this is the outcome").value_parser([
            "allow",
            "challenge",
            "deny",
        ]))
        .arg(Arg::new("json").long("json").num_args(0).help("Print JSON"))
}

/// Explains.
pub(crate) fn run<C: Chain>(
    matches: &ArgMatches,
    config: &Path,
    assemble: &Assemble<C>,
) -> ExitCode {
    let document = match generation::read(config) {
        Ok(document) => document,
        Err(mistakes) => return refuse(&mistakes, None),
    };
    let fresh = match load(&document, assemble) {
        Ok(fresh) => fresh,
        Err(mistakes) => return refuse(&mistakes, Some(&document)),
    };
    let asked = match Asked::read(matches, &fresh, &document) {
        Ok(asked) => asked,
        Err(mistakes) => {
            for mistake in &mistakes {
                eprint(&mistake.to_string());
            }
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let policy = &fresh.generation.policy;
    let action = asked.request.action(&asked.head.headers);
    let explanation = policy.explain(&asked.facts, &action, asked.at);
    let text = if matches.get_flag("json") {
        serde_json::to_string_pretty(&explanation).unwrap_or_default()
    } else {
        explanation.to_string()
    };
    let expected = matches.get_one::<String>("expect");
    let met = expected.is_none_or(|expected| *expected == explanation.outcome);
    match (print(text.trim_end()), met) {
        (code, true) => code,
        (_, false) => ExitCode::from(EXIT_NO),
    }
}

/// A request that is only described.
struct Asked {
    head: RequestHeader,
    request: Canonical,
    facts: Facts,
    at: Timestamp,
}

impl Asked {
    fn read<C: Chain>(
        matches: &ArgMatches,
        fresh: &Fresh<C>,
        _document: &Document,
    ) -> Result<Self, Mistakes> {
        let at = instant(matches).map_err(|mistake| vec![mistake])?;
        let (head, request) = request(matches, fresh).map_err(|mistake| vec![mistake])?;
        let facts = facts(matches, fresh, at).map_err(|mistake| vec![mistake])?;
        Ok(Self { head, request, facts, at })
    }
}

fn wrong(argument: &str, message: impl std::fmt::Display) -> Mistake {
    Mistake::without_place("argument", format!("--{argument}: {message}"))
}

fn instant(matches: &ArgMatches) -> Result<Timestamp, Mistake> {
    let Some(text) = matches.get_one::<String>("at") else {
        return Ok(SystemClock.now());
    };
    text.parse::<Timestamp>()
        .or_else(|_| text.parse::<jiff::Zoned>().map(|zoned| zoned.timestamp()))
        .map_err(|error| {
            wrong("at", format!("`{text}` is no instant: {error}"))
                .help("write `2026-11-23T22:00:00Z` or `2026-11-23T22:00[Asia/Taipei]`")
        })
}

/// Through the door, as a request from the socket would go.
fn request<C: Chain>(
    matches: &ArgMatches,
    fresh: &Fresh<C>,
) -> Result<(RequestHeader, Canonical), Mistake> {
    let url = matches.get_one::<String>("url").map(String::as_str).unwrap_or_default();
    let method = matches.get_one::<String>("method").map(String::as_str).unwrap_or_default();
    let rest = url.strip_prefix("https://").ok_or_else(|| {
        wrong("url", format!("`{url}` is not an https address")).help("write `https://host/path`")
    })?;
    let (host, target) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let target = if target.starts_with('?') { format!("/{target}") } else { target.to_owned() };
    let unreadable = |error| wrong("url", format!("`{url}` cannot be asked: {error}"));
    let mut head = RequestHeader::build(method, target.as_bytes(), None).map_err(unreadable)?;
    head.insert_header(http::header::HOST, host).map_err(unreadable)?;
    for header in matches.get_many::<String>("header").into_iter().flatten() {
        let (name, value) = header
            .split_once(':')
            .ok_or_else(|| wrong("header", format!("`{header}` is not `NAME: VALUE`")))?;
        head.append_header(name.trim().to_owned(), value.trim())
            .map_err(|error| wrong("header", format!("`{header}`: {error}")))?;
    }
    let generation = &fresh.generation;
    let raw = wire(method, &target, &head);
    let arrival = Arrival { head: &head, raw: Some(&raw), tls: None };
    let request = door::enter(&arrival, &generation.limits, generation.widest).map_err(|stop| {
        let reason = stop.reason().map(|reason| reason.to_string()).unwrap_or_default();
        wrong("url", format!("the door refuses this request: {reason}"))
    })?;
    Ok((head, request))
}

/// The head as a client would send it: the door judges bytes.
fn wire(method: &str, target: &str, head: &RequestHeader) -> Vec<u8> {
    let mut raw = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
    for (name, value) in &head.headers {
        raw.extend_from_slice(name.as_str().as_bytes());
        raw.extend_from_slice(b": ");
        raw.extend_from_slice(value.as_bytes());
        raw.extend_from_slice(b"\r\n");
    }
    raw.extend_from_slice(b"\r\n");
    raw
}

fn facts<C: Chain>(
    matches: &ArgMatches,
    fresh: &Fresh<C>,
    at: Timestamp,
) -> Result<Facts, Mistake> {
    let mut facts = Facts::default();
    let ip = matches.get_one::<IpAddr>("from").copied().unwrap_or(IpAddr::from([127, 0, 0, 1]));
    let network = Network {
        ip: ip.to_canonical(),
        direct: true,
        tls_version: Some(TlsVersion::Tls13),
        country: None,
        asn: None,
    };
    let mut fixed = facts.establish_network(network);
    if let Some(id) = matches.get_one::<String>("user") {
        fixed = fixed
            .and(facts.establish_subject(Arc::new(subject(matches, id)?)))
            .and(facts.establish_auth(Arc::new(auth(matches, at)?)));
    }
    if let Some(device) = device(matches, &fresh.directories)? {
        fixed = fixed.and(facts.establish_device(device));
    }
    if let Some(file) = matches.get_one::<PathBuf>("cert") {
        fixed = fixed.and(facts.establish_certificate(Arc::new(certificate(file)?)));
    }
    if let Some(score) = matches.get_one::<u8>("risk") {
        let risk = Risk { score: *score, signals: Box::new([]) };
        fixed = fixed.and(facts.establish_risk(Arc::new(risk)));
    }
    fixed.map_err(|fixed| wrong("user", format!("{} is given twice", fixed.0)))?;
    Ok(facts)
}

fn subject(matches: &ArgMatches, id: &str) -> Result<Subject, Mistake> {
    let mut claims = serde_json::Map::new();
    for claim in matches.get_many::<String>("claim").into_iter().flatten() {
        let (key, value) = pair("claim", claim)?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        claims.insert(key.to_owned(), value);
    }
    let kind = if matches.get_flag("service") { SubjectKind::Service } else { SubjectKind::Human };
    Ok(Subject {
        id: id.into(),
        name: Some(id.into()),
        email: matches.get_one::<String>("email").map(|email| email.to_lowercase().into()),
        groups: Some(list(matches, "groups")),
        roles: Some(list(matches, "roles")),
        kind,
        idp: None,
        claims,
    })
}

fn auth(matches: &ArgMatches, at: Timestamp) -> Result<Auth, Mistake> {
    let method = match matches.get_one::<String>("auth-method").map_or("jwt", String::as_str) {
        "jwt" => AuthMethod::Jwt,
        "oidc" => AuthMethod::Oidc,
        "local" => AuthMethod::Local,
        "api-token" => AuthMethod::ApiToken,
        "client-certificate" => AuthMethod::ClientCertificate,
        "introspection" => AuthMethod::Introspection,
        other => return Err(wrong("auth-method", format!("`{other}` is no kind of credential"))),
    };
    let age = match matches.get_one::<String>("auth-age") {
        None => Some(Duration::ZERO),
        Some(text) => {
            Some(text.parse::<document::Duration>().map_err(|error| wrong("auth-age", error))?.0)
        }
    };
    Ok(Auth {
        method,
        mfa: Some(matches.get_flag("mfa")),
        acr: matches.get_one::<String>("acr").map(|acr| acr.as_str().into()),
        amr: None,
        authenticated_at: age.and_then(|age| at.checked_sub(age).ok()),
        session_started_at: None,
        last_seen_at: None,
        session_id: None,
        token_id: None,
        token_scopes: Some(list(matches, "scope")),
        bound: Binding::None,
        expires_at: None,
    })
}

fn device(
    matches: &ArgMatches,
    directories: &[Arc<dyn Directory>],
) -> Result<Option<Arc<Device>>, Mistake> {
    let named = matches.get_one::<String>("device");
    let mut stated = matches.get_many::<String>("device-fact").into_iter().flatten().peekable();
    if named.is_none() && stated.peek().is_none() {
        return Ok(None);
    }
    let mut device = match named {
        Some(id) => directories
            .iter()
            .find_map(|directory| directory.device(id))
            .map_or_else(|| unknown_device(id), |device| Device::clone(&device)),
        None => Device::default(),
    };
    for fact in stated {
        let (key, value) = pair("device-fact", fact)?;
        state(&mut device, key, value)?;
    }
    device.attested = true;
    Ok(Some(Arc::new(device)))
}

fn unknown_device(id: &str) -> Device {
    Device { id: Some(id.into()), known: Some(false), ..Device::default() }
}

fn state(device: &mut Device, key: &str, value: &str) -> Result<(), Mistake> {
    let truth = || {
        value.parse::<bool>().map(Some).map_err(|error| {
            wrong("device-fact", format!("`{key}` is true or false, not `{value}`: {error}"))
        })
    };
    match key {
        "id" => device.id = Some(value.into()),
        "known" => device.known = truth()?,
        "managed" => device.managed = truth()?,
        "compliant" => device.compliant = truth()?,
        "encryption" => device.encryption = truth()?,
        "screen_lock" => device.screen_lock = truth()?,
        "firewall" => device.firewall = truth()?,
        "edr" => device.edr = truth()?,
        "owner" => device.owner = Some(value.into()),
        "os_version" => device.os_version = Some(value.into()),
        "os" => device.os = Some(os(value)?),
        "score" => {
            let score = value
                .parse()
                .map_err(|error| wrong("device-fact", format!("`score` is 0 to 100: {error}")))?;
            device.score = Some(score);
        }
        other => {
            return Err(wrong("device-fact", format!("`{other}` is no fact of a device"))
                .help("known, managed, compliant, encryption, screen_lock, firewall, edr, owner, os, os_version, score"));
        }
    }
    Ok(())
}

fn os(value: &str) -> Result<Os, Mistake> {
    Ok(match value {
        "windows" => Os::Windows,
        "macos" => Os::Macos,
        "linux" => Os::Linux,
        "ios" => Os::Ios,
        "android" => Os::Android,
        "chromeos" => Os::Chromeos,
        "other" => Os::Other,
        _ => {
            return Err(wrong("device-fact", format!("`{value}` is no operating system"))
                .help("windows, macos, linux, ios, android, chromeos, other"));
        }
    })
}

fn certificate(file: &Path) -> Result<Certificate, Mistake> {
    let bytes = std::fs::read(file)
        .map_err(|error| wrong("cert", format!("cannot read `{}`: {error}", file.display())))?;
    crate::tls::described(&bytes)
        .map_err(|fault| wrong("cert", format!("`{}`: {fault}", file.display())))
}

fn list(matches: &ArgMatches, name: &str) -> Box<[Box<str>]> {
    let mut all: Vec<Box<str>> = matches
        .get_many::<String>(name)
        .into_iter()
        .flatten()
        .map(|value| value.as_str().into())
        .collect();
    all.sort();
    all.into()
}

fn pair<'a>(argument: &str, text: &'a str) -> Result<(&'a str, &'a str), Mistake> {
    text.split_once('=').ok_or_else(|| wrong(argument, format!("`{text}` is not `K=V`")))
}
