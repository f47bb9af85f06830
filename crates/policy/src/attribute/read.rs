//! How each attribute is read. Every function is total: what is not there is unknown or absent.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};

use super::fact::{Fact, Query};
use crate::condition::Scope;
use crate::facts::{
    Auth, AuthMethod, Binding, Certificate, Device, Network, Os, Risk, Subject, SubjectKind,
    TlsVersion, Value,
};
use crate::template::{Segments, decode};

/// How far another clock may run ahead: an instant that lies further in the future is no fact.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

pub(super) fn subject<'a>(
    scope: &Scope<'a>,
    read: impl FnOnce(&'a Subject) -> Fact<'a>,
) -> Fact<'a> {
    scope.facts.subject().map_or(Fact::Unknown, |subject| read(subject))
}

pub(super) fn auth<'a>(scope: &Scope<'a>, read: impl FnOnce(&'a Auth) -> Fact<'a>) -> Fact<'a> {
    scope.facts.auth().map_or(Fact::Unknown, |auth| read(auth))
}

pub(super) fn cert<'a>(
    scope: &Scope<'a>,
    read: impl FnOnce(&'a Certificate) -> Fact<'a>,
) -> Fact<'a> {
    scope.facts.certificate().map_or(Fact::Unknown, |certificate| read(certificate))
}

pub(super) fn device<'a>(scope: &Scope<'a>, read: impl FnOnce(&'a Device) -> Fact<'a>) -> Fact<'a> {
    scope.facts.device().map_or(Fact::Unknown, |device| read(device))
}

pub(super) fn network<'a>(
    scope: &Scope<'a>,
    read: impl FnOnce(&'a Network) -> Fact<'a>,
) -> Fact<'a> {
    scope.facts.network().map_or(Fact::Unknown, read)
}

pub(super) fn risk<'a>(scope: &Scope<'a>, read: impl FnOnce(&'a Risk) -> Fact<'a>) -> Fact<'a> {
    scope.facts.risk().map_or(Fact::Unknown, |risk| read(risk))
}

pub(super) fn word(word: &str) -> Fact<'_> {
    Fact::Text(Cow::Borrowed(word))
}

pub(super) fn list(values: &[Box<str>]) -> Fact<'_> {
    Fact::Texts(values)
}

/// The part after the last `@`, in lower case as established.
pub(super) fn email_domain(subject: &Subject) -> Fact<'_> {
    Fact::text(subject.email.as_deref().and_then(|email| email.rsplit_once('@')).map(|(_, d)| d))
}

/// A claim by its path: at each level the whole rest as a name first, so that names with dots can
/// be reached, then the part before each dot.
pub(super) fn claim<'a>(subject: &'a Subject, path: &str) -> Fact<'a> {
    claim_in(&subject.claims, path).map_or(Fact::Unknown, Fact::claim)
}

fn claim_in<'a>(
    claims: &'a serde_json::Map<String, serde_json::Value>,
    path: &str,
) -> Option<&'a serde_json::Value> {
    claims.get(path).or_else(|| {
        path.match_indices('.').find_map(|(at, _)| {
            let (name, rest) = path.split_at_checked(at)?;
            claim_in(claims.get(name)?.as_object()?, rest.strip_prefix('.')?)
        })
    })
}

/// How long ago something was. An instant in the future beyond the skew of clocks is no fact: it
/// would make an authentication fresh for ever.
pub(super) fn age<'a>(now: Timestamp, then: Option<Timestamp>) -> Fact<'a> {
    match then.map(|then| now.duration_since(then)) {
        Some(age) if age >= SignedDuration::ZERO => Fact::Span(age),
        Some(age) if age >= -SKEW => Fact::Span(SignedDuration::ZERO),
        Some(_) | None => Fact::Unknown,
    }
}

/// Known only where somebody is known and the inventory names an owner.
pub(super) fn user_is_owner<'a>(scope: &Scope<'a>) -> Fact<'a> {
    let owner = scope.facts.device().and_then(|device| device.owner.as_deref());
    let (Some(subject), Some(owner)) = (scope.facts.subject(), owner) else { return Fact::Unknown };
    let names = [Some(&*subject.id), subject.name.as_deref(), subject.email.as_deref()];
    Fact::Bool(names.into_iter().flatten().any(|name| name == owner))
}

/// The segment that the rule's template captured; unknown where the template does not match.
pub(super) fn segment<'a>(scope: &Scope<'a>, name: &str) -> Fact<'a> {
    let segment = scope
        .template
        .and_then(|template| template.position(name))
        .and_then(|at| Segments::of(scope.action.path)?.nth(at));
    segment.and_then(decode).map_or(Fact::Unknown, Fact::Text)
}

pub(super) fn query<'a>(scope: &Scope<'a>, name: &'a str) -> Fact<'a> {
    match scope.action.query.map(|query| Query::new(query, name)) {
        Some(query) if !query.is_empty() => Fact::Query(query),
        Some(_) | None => Fact::Absent,
    }
}

pub(super) fn header<'a>(scope: &Scope<'a>, name: &str) -> Fact<'a> {
    let lines = scope.action.headers.get_all(name);
    if lines.iter().next().is_none() { Fact::Absent } else { Fact::Headers(lines) }
}

/// The media type without its parameters, in lower case.
pub(super) fn content_type<'a>(scope: &Scope<'a>) -> Fact<'a> {
    let mut lines = scope.action.headers.get_all(http::header::CONTENT_TYPE).iter();
    let (first, second) = (lines.next(), lines.next());
    match (first.map(|line| line.to_str()), second) {
        (None, _) => Fact::Absent,
        (Some(Ok(line)), None) => {
            let media = line.split(';').next().unwrap_or_default().trim();
            if media.bytes().any(|byte| byte.is_ascii_uppercase()) {
                Fact::Text(Cow::Owned(media.to_ascii_lowercase()))
            } else {
                Fact::Text(Cow::Borrowed(media))
            }
        }
        (Some(_), _) => Fact::Unknown,
    }
}

pub(super) fn label<'a>(scope: &Scope<'a>, name: &str) -> Fact<'a> {
    let label = scope.route.labels.iter().find(|(key, _)| **key == *name);
    label.map_or(Fact::Absent, |(_, value)| word(value))
}

pub(super) fn custom<'a>(scope: &Scope<'a>, name: &str) -> Fact<'a> {
    match scope.facts.custom(name) {
        None => Fact::Unknown,
        Some(Value::Bool(value)) => Fact::Bool(*value),
        Some(Value::Number(value)) => Fact::Number(*value),
        Some(Value::Text(text)) => word(text),
        Some(Value::Texts(texts)) => Fact::Texts(texts),
    }
}

pub(super) fn kind(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Human => "human",
        SubjectKind::Service => "service",
    }
}

pub(super) fn method(method: AuthMethod) -> &'static str {
    match method {
        AuthMethod::Oidc => "oidc",
        AuthMethod::Local => "local",
        AuthMethod::Jwt => "jwt",
        AuthMethod::ApiToken => "api-token",
        AuthMethod::ClientCertificate => "client-certificate",
        AuthMethod::Introspection => "introspection",
    }
}

pub(super) fn binding(binding: Binding) -> &'static str {
    match binding {
        Binding::None => "none",
        Binding::Certificate => "certificate",
        Binding::Key => "key",
    }
}

pub(super) fn os(os: Os) -> &'static str {
    match os {
        Os::Windows => "windows",
        Os::Macos => "macos",
        Os::Linux => "linux",
        Os::Ios => "ios",
        Os::Android => "android",
        Os::Chromeos => "chromeos",
        Os::Other => "other",
    }
}

pub(super) fn tls(version: TlsVersion) -> &'static str {
    match version {
        TlsVersion::Tls12 => "1.2",
        TlsVersion::Tls13 => "1.3",
    }
}

/// 0 to 39, 40 to 69, 70 to 100.
pub(super) fn level(score: u8) -> &'static str {
    match score {
        0..40 => "low",
        40..70 => "medium",
        70.. => "high",
    }
}
