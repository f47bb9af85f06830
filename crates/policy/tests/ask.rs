//! Policies, facts and requests as data, for every test of this crate.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use document::{Document, Duration, Mistake, Node, OneOrMany};
use jiff::{SignedDuration, Timestamp};
use policy::{
    Action, Auth, AuthMethod, Binding, Certificate, Decision, Device, Explanation, Facts, Network,
    Os, PolicySet, Risk, Source, Subject, SubjectKind, TlsVersion, Value,
};
use serde::Deserialize;

/// A request of a case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    #[serde(default = "get")]
    pub(crate) method: String,
    /// `https://host/path?query`.
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, OneOrMany<String>>,
    #[serde(default)]
    pub(crate) websocket: bool,
    #[serde(default)]
    pub(crate) grpc: bool,
}

/// The facts of a case; what is left out is unknown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Known {
    pub(crate) user: Option<User>,
    pub(crate) auth: Option<How>,
    pub(crate) cert: Option<Cert>,
    pub(crate) device: Option<Machine>,
    pub(crate) network: Option<From>,
    pub(crate) risk: Option<Behaviour>,
    pub(crate) attr: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) groups: Option<Vec<String>>,
    pub(crate) roles: Option<Vec<String>>,
    pub(crate) kind: Option<String>,
    pub(crate) idp: Option<String>,
    #[serde(default)]
    pub(crate) claims: serde_json::Map<String, serde_json::Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct How {
    pub(crate) method: Option<String>,
    pub(crate) mfa: Option<bool>,
    pub(crate) acr: Option<String>,
    pub(crate) amr: Option<Vec<String>>,
    pub(crate) age: Option<Duration>,
    /// How far `authenticated_at` lies ahead of now.
    pub(crate) ahead: Option<Duration>,
    pub(crate) session_age: Option<Duration>,
    pub(crate) idle: Option<Duration>,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) bound: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Cert {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) fingerprint: String,
    pub(crate) serial: String,
    pub(crate) san_dns: Vec<String>,
    pub(crate) san_email: Vec<String>,
    pub(crate) san_uri: Vec<String>,
    pub(crate) spiffe_id: Option<String>,
    pub(crate) trust_domain: Option<String>,
    pub(crate) expires_in: Option<Duration>,
    pub(crate) revocation_age: Option<Duration>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Machine {
    pub(crate) id: Option<String>,
    pub(crate) known: Option<bool>,
    pub(crate) managed: Option<bool>,
    pub(crate) compliant: Option<bool>,
    /// How long a lack of compliance is still tolerated.
    pub(crate) grace: Option<Duration>,
    pub(crate) owner: Option<String>,
    pub(crate) os: Option<String>,
    pub(crate) os_version: Option<String>,
    pub(crate) encryption: Option<bool>,
    pub(crate) firewall: Option<bool>,
    pub(crate) score: Option<u8>,
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) posture_age: Option<Duration>,
    pub(crate) attested: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct From {
    pub(crate) ip: String,
    #[serde(default)]
    pub(crate) direct: bool,
    pub(crate) tls: Option<String>,
    pub(crate) country: Option<String>,
    pub(crate) asn: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Behaviour {
    pub(crate) score: u8,
    #[serde(default)]
    pub(crate) signals: Vec<String>,
}

fn get() -> String {
    "GET".to_owned()
}

/// Reads a document; the version of the format is put in front, on the first line.
pub(crate) fn document(name: &str, text: &str) -> Document {
    let text = format!("version: 1\n{text}");
    document::load_text(Path::new(name), &text)
        .unwrap_or_else(|mistakes| panic!("{}", told(&mistakes)))
}

/// Compiles the sections of a mapping.
pub(crate) fn compile(root: &Node) -> Result<(Arc<PolicySet>, Vec<Mistake>), Vec<Mistake>> {
    PolicySet::compile(Source {
        conditions: root.get("conditions"),
        rules: root.get("rules"),
        routes: root.get("routes"),
    })
}

/// Compiles a policy that must be good; line 1 of the text is line 2 of the file.
#[track_caller]
pub(crate) fn policy(text: &str) -> Arc<PolicySet> {
    match compile(&document("policy.yaml", text).root) {
        Ok((set, _)) => set,
        Err(mistakes) => panic!("{}", told(&mistakes)),
    }
}

/// Every mistake on a line.
pub(crate) fn told(mistakes: &[Mistake]) -> String {
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Asks a policy.
pub(crate) fn decide(
    set: &Arc<PolicySet>,
    known: &Known,
    request: &Request,
    now: Timestamp,
) -> Decision {
    asked(request, |action| set.decide(&known.facts(now), action, now))
}

/// Asks a policy why.
pub(crate) fn explain(
    set: &Arc<PolicySet>,
    known: &Known,
    request: &Request,
    now: Timestamp,
) -> Explanation {
    asked(request, |action| set.explain(&known.facts(now), action, now))
}

fn asked<T>(request: &Request, ask: impl FnOnce(&Action<'_>) -> T) -> T {
    let rest = request.url.strip_prefix("https://").expect("an https URL");
    let (host, target) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let mut headers = http::HeaderMap::new();
    for (name, OneOrMany(values)) in &request.headers {
        for value in values {
            let name: http::HeaderName = name.parse().expect("a header's name");
            headers.append(name, value.parse().expect("a header's value"));
        }
    }
    let Request { method, websocket, grpc, .. } = request;
    ask(&Action {
        method,
        host,
        path,
        query,
        headers: &headers,
        websocket: *websocket,
        grpc: *grpc,
    })
}

impl Request {
    /// `GET https://...`
    pub(crate) fn new(line: &str) -> Self {
        let (method, url) = line.split_once(' ').expect("a method and a URL");
        Self {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: BTreeMap::new(),
            websocket: false,
            grpc: false,
        }
    }
}

impl Known {
    /// Facts written as YAML.
    pub(crate) fn of(text: &str) -> Self {
        let text = format!("facts: {{{text}}}");
        document::parse(document("facts.yaml", &text).root.get("facts").expect("facts"))
            .unwrap_or_else(|mistakes| panic!("{}", told(&mistakes)))
    }

    /// The same as the filters would establish them.
    pub(crate) fn facts(&self, now: Timestamp) -> Facts {
        let mut facts = Facts::default();
        let Self { user, auth, cert, device, network, risk, attr } = self.clone();
        if let Some(user) = user {
            facts.establish_subject(Arc::new(user.into())).expect("once");
        }
        if let Some(auth) = auth {
            facts.establish_auth(Arc::new(auth.at(now))).expect("once");
        }
        if let Some(cert) = cert {
            facts.establish_certificate(Arc::new(cert.at(now))).expect("once");
        }
        if let Some(device) = device {
            facts.establish_device(Arc::new(device.at(now))).expect("once");
        }
        if let Some(network) = network {
            facts.establish_network(network.into()).expect("once");
        }
        if let Some(Behaviour { score, signals }) = risk {
            let risk = Risk { score, signals: boxed(signals) };
            facts.establish_risk(Arc::new(risk)).expect("once");
        }
        for (name, value) in attr {
            facts.establish_custom(&name, custom(&value)).expect("once");
        }
        facts
    }
}

impl std::convert::From<User> for Subject {
    fn from(user: User) -> Self {
        let User { id, name, email, groups, roles, kind, idp, claims } = user;
        Self {
            id: id.into(),
            name: text(name),
            email: text(email),
            groups: groups.map(boxed),
            roles: roles.map(boxed),
            kind: match kind.as_deref() {
                Some("service") => SubjectKind::Service,
                _ => SubjectKind::Human,
            },
            idp: text(idp),
            claims,
        }
    }
}

impl How {
    fn at(self, now: Timestamp) -> Auth {
        let Self { method, mfa, acr, amr, age, ahead, session_age, idle, scopes, bound } = self;
        Auth {
            method: match method.as_deref() {
                Some("local") => AuthMethod::Local,
                Some("jwt") => AuthMethod::Jwt,
                Some("api-token") => AuthMethod::ApiToken,
                Some("client-certificate") => AuthMethod::ClientCertificate,
                Some("introspection") => AuthMethod::Introspection,
                _ => AuthMethod::Oidc,
            },
            mfa,
            acr: text(acr),
            amr: amr.map(boxed),
            authenticated_at: ago(now, age).or(in_future(now, ahead)),
            session_started_at: ago(now, session_age),
            last_seen_at: ago(now, idle),
            session_id: None,
            token_id: None,
            token_scopes: scopes.map(boxed),
            bound: match bound.as_deref() {
                Some("certificate") => Binding::Certificate,
                Some("key") => Binding::Key,
                _ => Binding::None,
            },
            expires_at: None,
        }
    }
}

impl Cert {
    fn at(self, now: Timestamp) -> Certificate {
        let Self { subject, issuer, fingerprint, serial, san_dns, san_email, san_uri, .. } = self;
        Certificate {
            subject: subject.into(),
            issuer: issuer.into(),
            anchor: Box::default(),
            san_dns: boxed(san_dns),
            san_email: boxed(san_email),
            san_uri: boxed(san_uri),
            san_upn: Box::default(),
            spiffe_id: text(self.spiffe_id),
            trust_domain: text(self.trust_domain),
            fingerprint: fingerprint.into(),
            spki: Box::default(),
            serial: serial.into(),
            not_before: now,
            not_after: in_future(now, self.expires_in).unwrap_or(now),
            revocation_data_at: ago(now, self.revocation_age),
        }
    }
}

impl Machine {
    fn at(self, now: Timestamp) -> Device {
        Device {
            id: text(self.id),
            known: self.known,
            managed: self.managed,
            compliant: self.compliant,
            grace_until: in_future(now, self.grace),
            owner: text(self.owner),
            os: self.os.as_deref().map(|os| match os {
                "windows" => Os::Windows,
                "macos" => Os::Macos,
                "linux" => Os::Linux,
                "ios" => Os::Ios,
                "android" => Os::Android,
                "chromeos" => Os::Chromeos,
                _ => Os::Other,
            }),
            os_version: text(self.os_version),
            encryption: self.encryption,
            screen_lock: None,
            firewall: self.firewall,
            edr: None,
            score: self.score,
            tags: self.tags.map(boxed),
            observed_at: ago(now, self.posture_age),
            source: None,
            attested: self.attested,
        }
    }
}

impl std::convert::From<From> for Network {
    fn from(from: From) -> Self {
        let From { ip, direct, tls, country, asn } = from;
        Self {
            ip: ip.parse().expect("an address"),
            direct,
            tls_version: tls.map(|tls| match tls.as_str() {
                "1.2" => TlsVersion::Tls12,
                _ => TlsVersion::Tls13,
            }),
            country: text(country),
            asn,
        }
    }
}

fn custom(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(value) => Value::Number(value.as_i64().expect("a whole number")),
        serde_json::Value::String(text) => Value::Text(text.as_str().into()),
        serde_json::Value::Array(all) => {
            Value::Texts(all.iter().map(|v| v.as_str().expect("text").into()).collect())
        }
        _ => panic!("no value of a fact"),
    }
}

fn text(text: Option<String>) -> Option<Box<str>> {
    text.map(Into::into)
}

fn boxed(texts: Vec<String>) -> Box<[Box<str>]> {
    texts.into_iter().map(Into::into).collect()
}

fn ago(now: Timestamp, span: Option<Duration>) -> Option<Timestamp> {
    span.map(|span| now - signed(span))
}

fn in_future(now: Timestamp, span: Option<Duration>) -> Option<Timestamp> {
    span.map(|span| now + signed(span))
}

fn signed(Duration(span): Duration) -> SignedDuration {
    SignedDuration::try_from(span).expect("a span")
}
