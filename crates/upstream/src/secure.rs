//! Whom an upstream trusts and expects, from its `tls:` and its `danger_` words.
//!
//! | `tls` | `danger_plaintext` | `danger_unverified` | |
//! |---|---|---|---|
//! | yes | no | no | verified TLS: `ca`, and `server_name` or `spiffe_id` with it, are needed |
//! | yes or no | no | yes | TLS with whoever answers; `ca`, `spiffe_id`, `crl` would be a lie |
//! | no | yes | no | no TLS |
//! | else | | | an error |

use std::sync::Arc;

use document::{At, Mistake, Mistakes};
use jiff::Timestamp;
use openssl::sha::Sha256;
use openssl::x509::X509;
use pingora::protocols::tls::{CaType, HandshakeCompleteHook};
use pingora::utils::tls::CertKey;

use crate::conf::TlsConf;
use crate::expected::Expected;
use crate::load::Loaded;
use crate::revocation::Revocation;
use crate::seen;
use crate::set::Expiry;
use crate::trust::{self, ClientIdentity};
use crate::verify::Demand;

/// What the operator gave up, where they did.
#[derive(Debug)]
pub(crate) struct Dangers {
    pub(crate) plaintext: Option<At<bool>>,
    pub(crate) unverified: Option<At<bool>>,
}

/// How connections of one upstream are made and judged.
#[derive(Debug)]
pub(crate) struct Secured {
    /// For the pool: two upstreams share connections only if this is equal.
    pub(crate) group: u64,
    /// What is sent as SNI.
    pub(crate) server_name: Option<Box<str>>,
    /// How a connection is judged.
    pub(crate) demand: Demand,
    /// How TLS is spoken, if it is.
    pub(crate) tls: Option<Tls>,
}

/// How TLS is spoken.
pub(crate) struct Tls {
    pub(crate) verify_cert: bool,
    pub(crate) verify_hostname: bool,
    pub(crate) ca: Option<Arc<CaType>>,
    pub(crate) client: Option<Arc<CertKey>>,
    pub(crate) hook: HandshakeCompleteHook,
}

/// Decides which of the three it is, or says what is wrong.
pub(crate) fn secure(
    name: &At<String>,
    tls: Option<At<TlsConf>>,
    dangers: &Dangers,
    now: Timestamp,
    loaded: &mut Loaded,
) -> Option<Secured> {
    let said = |danger: &Option<At<bool>>| danger.clone().filter(|at| at.value);
    let upstream = name.value.as_str();
    match (tls, said(&dangers.plaintext), said(&dangers.unverified)) {
        (Some(tls), None, None) => verified(upstream, &tls, now, loaded),
        (tls, None, Some(danger)) => {
            let text = format!("upstream `{upstream}` speaks TLS with whoever answers");
            let mistake = Mistake::warning("danger-unverified", &danger.place, text);
            let help =
                "give it a certificate of an internal authority and name that in `tls: {ca}`";
            loaded.mistakes.push(mistake.help(help));
            unverified(upstream, tls.as_ref(), now, loaded)
        }
        (None, Some(danger), None) => {
            let text = format!("upstream `{upstream}` is spoken to without TLS");
            let mistake = Mistake::warning("danger-plaintext", &danger.place, text);
            let help = "give it a certificate of an internal authority and write `tls:`";
            loaded.mistakes.push(mistake.help(help));
            let group = Identity { upstream, kind: "plaintext", ..Identity::default() }.group();
            Some(Secured { group, server_name: None, demand: Demand::Nothing, tls: None })
        }
        (None, None, None) => {
            let text = format!("upstream `{upstream}` does not say how its backend is verified");
            let help = "write `tls: {ca, cert, key, server_name}`, or say `danger_plaintext: true`";
            loaded.mistakes.push(Mistake::error("no-tls", &name.place, text).help(help));
            None
        }
        (_, Some(plaintext), _) => {
            let text = format!("upstream `{upstream}` asks for TLS and for none");
            let help = "keep `tls` and delete `danger_plaintext`";
            let mistake = Mistake::error("contradiction", &plaintext.place, text).help(help);
            loaded.mistakes.push(mistake);
            None
        }
    }
}

fn verified(
    upstream: &str,
    tls: &At<TlsConf>,
    now: Timestamp,
    loaded: &mut Loaded,
) -> Option<Secured> {
    let TlsConf { ca, cert, key, server_name, spiffe_id, crl } = &tls.value;
    let mistakes = &mut loaded.mistakes;
    loaded.files.extend(ca.0.iter().chain(&crl.0).map(|file| file.value.0.clone()));
    if ca.0.is_empty() {
        let text = format!("upstream `{upstream}` names no authority to trust");
        let help = "write `ca:` with the PEM file of the authority that issued the backend's \
                    certificate";
        mistakes.push(Mistake::error("no-ca", &tls.place, text).help(help));
    }
    let authorities = trust::authorities(&ca.0, now, mistakes);
    let revocation = Revocation::load(&crl.0, &authorities, now, mistakes);
    let server = needed_server_name(upstream, tls, server_name.as_ref(), mistakes);
    let spiffe = spiffe_id.as_ref().map(|id| expected(id, Expected::spiffe, "SPIFFE id", mistakes));
    let client = client(upstream, cert.as_ref(), key.as_ref(), now, loaded).ok()?;
    note_authorities(upstream, &authorities, &mut loaded.expiries);
    let server = server?;
    let expected = match spiffe {
        None => server.clone(),
        Some(spiffe) => spiffe?,
    };
    let server_name = sni(&server);
    let group = Identity {
        upstream,
        kind: "verified",
        authorities: &trust::bundle_digest(&authorities),
        client: client.as_ref().map_or(&[], |client| client.digest.as_slice()),
        server_name: &server_name,
        expected: &expected.to_string(),
        revocation: revocation.digest(),
    }
    .group();
    let tls = Tls {
        verify_cert: true,
        // OpenSSL compares DNS names alone: ids and addresses are compared with the record.
        verify_hostname: matches!(expected, Expected::Name(_)),
        ca: Some(Arc::new(authorities.into_boxed_slice())),
        client: client.map(|client| Arc::new(client.cert_key)),
        hook: seen::hook(group),
    };
    let demand = Demand::Tls { group, expected, revocation };
    Some(Secured { group, server_name: Some(server_name), demand, tls: Some(tls) })
}

fn unverified(
    upstream: &str,
    tls: Option<&At<TlsConf>>,
    now: Timestamp,
    loaded: &mut Loaded,
) -> Option<Secured> {
    let mut server = None;
    let mut identity = None;
    if let Some(at) = tls {
        let TlsConf { ca, cert, key, server_name, spiffe_id, crl } = &at.value;
        let unused = [
            ("ca", ca.0.first().map(|at| &at.place)),
            ("spiffe_id", spiffe_id.as_ref().map(|at| &at.place)),
            ("crl", crl.0.first().map(|at| &at.place)),
        ];
        for (key, place) in unused {
            let Some(place) = place else { continue };
            let text =
                format!("upstream `{upstream}` names `{key}` and says that nothing is verified");
            let mistake = Mistake::error("contradiction", place, text);
            loaded.mistakes.push(mistake.help("delete `danger_unverified`"));
        }
        server = match server_name {
            None => None,
            Some(name) => {
                Some(expected(name, Expected::server, "server name", &mut loaded.mistakes)?)
            }
        };
        identity = client(upstream, cert.as_ref(), key.as_ref(), now, loaded).ok()?;
    }
    let server_name = server.as_ref().map(sni);
    let group = Identity {
        upstream,
        kind: "unverified",
        client: identity.as_ref().map_or(&[], |client| client.digest.as_slice()),
        server_name: server_name.as_deref().unwrap_or_default(),
        ..Identity::default()
    }
    .group();
    let tls = Tls {
        verify_cert: false,
        verify_hostname: false,
        ca: None,
        client: identity.map(|client| Arc::new(client.cert_key)),
        hook: seen::hook(group),
    };
    let expected = Expected::Anyone;
    let demand = Demand::Tls { group, expected, revocation: Revocation::default() };
    Some(Secured { group, server_name, demand, tls: Some(tls) })
}

/// What is wrong was told already.
struct Told;

/// The certificate and key: both or none.
fn client(
    upstream: &str,
    cert: Option<&At<document::FilePath>>,
    key: Option<&At<document::FilePath>>,
    now: Timestamp,
    loaded: &mut Loaded,
) -> Result<Option<ClientIdentity>, Told> {
    let (cert, key) = match (cert, key) {
        (Some(cert), Some(key)) => (cert, key),
        (None, None) => return Ok(None),
        (Some(alone), None) | (None, Some(alone)) => {
            let text = "`cert` and `key` belong together: one of them is missing";
            let mistake = Mistake::error("half-identity", &alone.place, text);
            loaded.mistakes.push(mistake.help("name both, or neither"));
            return Err(Told);
        }
    };
    loaded.files.extend([cert.value.0.clone(), key.value.0.clone()]);
    let identity = trust::client_identity(cert, key, now, &mut loaded.mistakes).ok_or(Told)?;
    let ends = identity.ends;
    loaded.expiries.push(Expiry { role: "upstream-client", name: upstream.into(), ends });
    Ok(Some(identity))
}

fn needed_server_name(
    upstream: &str,
    tls: &At<TlsConf>,
    name: Option<&At<String>>,
    mistakes: &mut Mistakes,
) -> Option<Expected> {
    let Some(name) = name else {
        let text = format!("upstream `{upstream}` does not name its backend");
        let help = "write `server_name:` with a DNS name of the backend's certificate; with \
                    `spiffe_id` it is sent as SNI alone";
        mistakes.push(Mistake::error("no-server-name", &tls.place, text).help(help));
        return None;
    };
    expected(name, Expected::server, "server name", mistakes)
}

fn expected(
    at: &At<String>,
    parse: impl Fn(&str) -> Result<Expected, &'static str>,
    what: &str,
    mistakes: &mut Mistakes,
) -> Option<Expected> {
    parse(&at.value)
        .map_err(|why| {
            let text = format!("`{}` is no {what}: {why}", at.value);
            let help = format!("write the {what} that the backend's certificate carries");
            mistakes.push(Mistake::error("bad-identity", &at.place, text).help(help));
        })
        .ok()
}

fn note_authorities(upstream: &str, authorities: &[X509], expiries: &mut Vec<Expiry>) {
    let ends = authorities.iter().filter_map(|ca| trust::timestamp(ca.not_after())).min();
    expiries.extend(ends.map(|ends| Expiry { role: "upstream-ca", name: upstream.into(), ends }));
}

fn sni(server: &Expected) -> Box<str> {
    match server {
        Expected::Name(name) | Expected::Spiffe(name) => name.clone(),
        Expected::Address(address) => address.to_string().into(),
        Expected::Anyone => Box::default(),
    }
}

/// Everything that the identity of a connection rests on.
#[derive(Default)]
struct Identity<'a> {
    upstream: &'a str,
    kind: &'a str,
    authorities: &'a [u8],
    client: &'a [u8],
    server_name: &'a str,
    expected: &'a str,
    revocation: &'a [u8],
}

impl Identity<'_> {
    /// One number for all of it. Pingora's pool knows neither authorities nor hooks, and of client
    /// certificates the serial number alone: without this, other identities share connections.
    fn group(&self) -> u64 {
        let Self { upstream, kind, authorities, client, server_name, expected, revocation } = self;
        let mut hasher = Sha256::new();
        for part in [
            upstream.as_bytes(),
            kind.as_bytes(),
            authorities,
            client,
            server_name.as_bytes(),
            expected.as_bytes(),
            revocation,
        ] {
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part);
        }
        let digest = hasher.finish();
        digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("verify_cert", &self.verify_cert).finish_non_exhaustive()
    }
}
