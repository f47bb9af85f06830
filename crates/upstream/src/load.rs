//! From the section to upstreams that cannot be wrong, with every mistake on the way.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use document::{At, Kind, Mistake, Mistakes, Node, Place};
use jiff::Timestamp;
use pingora::protocols::l4::ext::TcpKeepalive;
use pingora::upstreams::peer::{ALPN, HttpPeer, HttpUpstreamRequestPolicy};

use crate::conf::{Protocol, UpstreamConf};
use crate::kept::Kept;
use crate::paths::PathProfile;
use crate::peer::Upstream;
use crate::resolve::Endpoint;
use crate::secure::{self, Secured};
use crate::set::Expiry;

/// What a section holds, and all that is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) expiries: Vec<Expiry>,
    pub(crate) mistakes: Mistakes,
}

/// How long what may take.
struct Times {
    connect: Duration,
    response: Duration,
    stream: Duration,
    idle: Duration,
}

/// Reads the section: each upstream on its own, so that one mistake hides no other.
pub(crate) fn section(node: Option<&Node>, kept: &Kept, now: Timestamp) -> Loaded {
    let mut loaded = Loaded::default();
    let Some(node) = node else { return loaded };
    let Kind::List(entries) = &node.kind else {
        let text = format!("`upstreams` is {}, not a list", node.describe());
        let help = "write each upstream as an item: `- name: ...`";
        loaded.mistakes.push(Mistake::error("wrong-type", &node.place, text).help(help));
        return loaded;
    };
    let mut names: HashMap<String, Place> = HashMap::new();
    for entry in entries {
        let conf = match document::parse::<UpstreamConf>(entry) {
            Ok(conf) => conf,
            Err(mistakes) => {
                loaded.mistakes.extend(mistakes);
                continue;
            }
        };
        if let Some(first) = names.get(&conf.name.value) {
            let text = format!("two upstreams are called `{}`", conf.name.value);
            let mistake = Mistake::error("duplicate-name", &conf.name.place, text)
                .help("give one of them another name")
                .related(first, "the first");
            loaded.mistakes.push(mistake);
        } else {
            names.insert(conf.name.value.clone(), conf.name.place.clone());
        }
        upstream(conf, kept, now, &mut loaded);
    }
    loaded
}

fn upstream(conf: UpstreamConf, kept: &Kept, now: Timestamp, loaded: &mut Loaded) {
    let UpstreamConf {
        name,
        endpoints,
        tls,
        danger_plaintext,
        danger_unverified,
        protocol,
        connect_timeout,
        response_timeout,
        stream_timeout,
        idle_timeout,
        http2_streams_max,
        paths,
    } = conf;
    check_name(&name, &mut loaded.mistakes);
    let endpoints = endpoints_of(&name, &endpoints.0, &mut loaded.mistakes);
    let mut time =
        |at: Option<At<document::Duration>>, default| duration(at, default, &mut loaded.mistakes);
    let times = Times {
        connect: time(connect_timeout, 3),
        response: time(response_timeout, 60),
        stream: time(stream_timeout, 3600),
        idle: time(idle_timeout, 60),
    };
    let streams_max = http2_streams_max.map_or(100, |at| {
        if at.value == 0 {
            let text = "`http2_streams_max: 0` lets no request through";
            let mistake = Mistake::error("out-of-range", &at.place, text);
            loaded.mistakes.push(mistake.help("write a number from 1"));
        }
        at.value
    });
    let paths = profile(&name, paths, &mut loaded.mistakes);
    let dangers = secure::Dangers { plaintext: danger_plaintext, unverified: danger_unverified };
    let Some(secured) = secure::secure(&name, tls, &dangers, now, loaded) else { return };
    let mut mold = mold(&secured, protocol, &times);
    mold.options.max_h2_streams = streams_max;
    let Secured { demand, server_name, .. } = secured;
    loaded.upstreams.push(Arc::new(Upstream {
        metrics: kept.metrics().upstream(&name.value),
        turn: kept.turn(&name.value),
        name: name.value.into(),
        place: name.place,
        endpoints,
        mold,
        demand,
        protocol,
        stream_timeout: times.stream,
        server_name,
        paths,
        targets: ArcSwap::default(),
    }));
}

fn check_name(name: &At<String>, mistakes: &mut Mistakes) {
    let byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if name.value.is_empty() || name.value.len() > 64 || !name.value.bytes().all(byte) {
        let text = format!("`{}` is no name for an upstream", name.value);
        let help = "use 1 to 64 letters, digits, `-`, `_` and `.`";
        mistakes.push(Mistake::error("bad-name", &name.place, text).help(help));
    }
}

fn endpoints_of(name: &At<String>, texts: &[At<String>], mistakes: &mut Mistakes) -> Vec<Endpoint> {
    if texts.is_empty() {
        let text = format!("upstream `{}` has no endpoint", name.value);
        let help = "write `endpoints: [\"host:port\"]`";
        mistakes.push(Mistake::error("no-endpoint", &name.place, text).help(help));
    }
    let mut all = Vec::new();
    for at in texts {
        match Endpoint::parse(&at.value) {
            Ok(endpoint) if all.contains(&endpoint) => {
                let text = format!("endpoint `{}` is named twice", at.value);
                let mistake = Mistake::error("duplicate-endpoint", &at.place, text);
                mistakes.push(mistake.help("name it once: endpoints take turns"));
            }
            Ok(endpoint) => all.push(endpoint),
            Err(why) => {
                let text = format!("`{}` is no endpoint: {why}", at.value);
                let help = "write `host:port`, `address:port` or `[v6]:port`";
                mistakes.push(Mistake::error("bad-endpoint", &at.place, text).help(help));
            }
        }
    }
    all
}

fn profile(name: &At<String>, at: Option<At<PathProfile>>, mistakes: &mut Mistakes) -> PathProfile {
    let Some(at) = at else { return PathProfile::default() };
    let PathProfile { parameters: _, danger_encoded_slash, danger_encoded_backslash } = at.value;
    for (said, word) in [
        (danger_encoded_slash, "danger_encoded_slash"),
        (danger_encoded_backslash, "danger_encoded_backslash"),
    ] {
        if said {
            let text =
                format!("upstream `{}` says `{word}`: rules may read other paths", name.value);
            let help = "write rules for its routes that do not rest on path prefixes";
            mistakes.push(Mistake::warning("danger-paths", &at.place, text).help(help));
        }
    }
    at.value
}

fn duration(
    at: Option<At<document::Duration>>,
    default_seconds: u64,
    mistakes: &mut Mistakes,
) -> Duration {
    let Some(at) = at else { return Duration::from_secs(default_seconds) };
    if at.value.0.is_zero() {
        let mistake = Mistake::error("out-of-range", &at.place, "no time at all is not enough");
        mistakes.push(mistake.help("write a length of time above zero, such as `3s`"));
    }
    at.value.0
}

/// The settings of a connection, all but its address.
fn mold(secured: &Secured, protocol: Protocol, times: &Times) -> HttpPeer {
    // Parsing an address cannot block: names never come this far.
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let tls = secured.tls.is_some();
    let server_name = secured.server_name.as_deref().unwrap_or_default().to_owned();
    let mut http = HttpPeer::new(nowhere, tls, server_name);
    http.group_key = secured.group;
    let options = &mut http.options;
    options.alpn = match protocol {
        Protocol::Auto if tls => ALPN::H2H1,
        Protocol::Auto | Protocol::Http1 => ALPN::H1,
        Protocol::Http2 => ALPN::H2,
    };
    options.connection_timeout = Some(times.connect);
    options.total_connection_timeout = Some(times.connect);
    options.read_timeout = Some(times.response);
    options.write_timeout = Some(times.response);
    options.idle_timeout = Some(times.idle);
    options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
    options.tcp_keepalive = Some(TcpKeepalive {
        idle: Duration::from_mins(1),
        interval: Duration::from_secs(10),
        count: 3,
        user_timeout: Duration::ZERO,
    });
    options.h2_ping_interval = Some(Duration::from_secs(30));
    match &secured.tls {
        None => {}
        Some(tls) => {
            options.verify_cert = tls.verify_cert;
            options.verify_hostname = tls.verify_hostname;
            options.ca.clone_from(&tls.ca);
            options.upstream_tls_handshake_complete_hook = Some(Arc::clone(&tls.hook));
            http.client_cert_key.clone_from(&tls.client);
        }
    }
    http
}
