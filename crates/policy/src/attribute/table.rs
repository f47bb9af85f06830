//! The table itself.

use super::fact::Fact;
use super::{Attribute, Kind, Supply, read};
use crate::condition::Scope;

/// Every attribute, in the order of the reference.
pub const ATTRIBUTES: &[Attribute] = &[
    line(
        "user.id",
        Kind::Text,
        Supply::Login,
        "stable identifier of the subject within its source",
        |s, _| read::subject(s, |u| read::word(&u.id)),
    ),
    line("user.name", Kind::Text, Supply::Login, "display or login name", |s, _| {
        read::subject(s, |u| Fact::text(u.name.as_deref()))
    }),
    line(
        "user.email",
        Kind::Text,
        Supply::Login,
        "verified address; its domain is in lower case",
        |s, _| read::subject(s, |u| Fact::text(u.email.as_deref())),
    ),
    line(
        "user.email_domain",
        Kind::Lower,
        Supply::Login,
        "the part of the address after `@`",
        |s, _| read::subject(s, read::email_domain),
    ),
    line(
        "user.groups",
        Kind::Texts,
        Supply::Login,
        "groups that the provider vouches for",
        |s, _| read::subject(s, |u| Fact::texts(u.groups.as_deref())),
    ),
    line(
        "user.roles",
        Kind::Texts,
        Supply::Login,
        "roles that the provider vouches for",
        |s, _| read::subject(s, |u| Fact::texts(u.roles.as_deref())),
    ),
    line(
        "user.kind",
        Kind::Word(&["human", "service"]),
        Supply::Login,
        "a person or a program",
        |s, _| read::subject(s, |u| read::word(read::kind(u.kind))),
    ),
    line("user.idp", Kind::Text, Supply::Login, "name of the provider that vouches", |s, _| {
        read::subject(s, |u| Fact::text(u.idp.as_deref()))
    }),
    family(
        ("user.claims", "path"),
        Kind::Any,
        Supply::Login,
        "a further claim, by its path with dots",
        |s, p| read::subject(s, |u| read::claim(u, p)),
    ),
    line(
        "user.anonymous",
        Kind::Bool,
        Supply::Login,
        "nobody proved an identity; always known",
        |s, _| Fact::Bool(s.facts.subject().is_none()),
    ),
    line(
        "auth.method",
        Kind::Word(&["oidc", "local", "jwt", "api-token", "client-certificate", "introspection"]),
        Supply::Login,
        "kind of credential",
        |s, _| read::auth(s, |a| read::word(read::method(a.method))),
    ),
    line("auth.mfa", Kind::Bool, Supply::StepUp, "more than one factor was used", |s, _| {
        read::auth(s, |a| Fact::bool(a.mfa))
    }),
    line("auth.acr", Kind::Text, Supply::StepUp, "authentication context class", |s, _| {
        read::auth(s, |a| Fact::text(a.acr.as_deref()))
    }),
    line("auth.amr", Kind::Texts, Supply::StepUp, "authentication methods (RFC 8176)", |s, _| {
        read::auth(s, |a| Fact::texts(a.amr.as_deref()))
    }),
    line("auth.age", Kind::Span, Supply::StepUp, "time since the person authenticated", |s, _| {
        read::auth(s, |a| read::age(s.now, a.authenticated_at))
    }),
    line("auth.session_age", Kind::Span, Supply::StepUp, "time since the session began", |s, _| {
        read::auth(s, |a| read::age(s.now, a.session_started_at))
    }),
    line(
        "auth.idle",
        Kind::Span,
        Supply::StepUp,
        "time since the session was last used",
        |s, _| read::auth(s, |a| read::age(s.now, a.last_seen_at)),
    ),
    line("auth.token.id", Kind::Text, Supply::Login, "identifier of the token", |s, _| {
        read::auth(s, |a| Fact::text(a.token_id.as_deref()))
    }),
    line("auth.token.scopes", Kind::Texts, Supply::Login, "scopes of the token", |s, _| {
        read::auth(s, |a| Fact::texts(a.token_scopes.as_deref()))
    }),
    line(
        "auth.bound",
        Kind::Word(&["none", "certificate", "key"]),
        Supply::Login,
        "what the credential is bound to",
        |s, _| read::auth(s, |a| read::word(read::binding(a.bound))),
    ),
    line(
        "cert.present",
        Kind::Bool,
        Supply::AnyDevice,
        "a verified client certificate was presented; always known",
        |s, _| Fact::Bool(s.facts.certificate().is_some()),
    ),
    line("cert.issuer", Kind::Text, Supply::AnyDevice, "issuer (RFC 4514)", |s, _| {
        read::cert(s, |c| read::word(&c.issuer))
    }),
    line("cert.subject", Kind::Text, Supply::Nothing, "subject (RFC 4514)", |s, _| {
        read::cert(s, |c| read::word(&c.subject))
    }),
    line(
        "cert.anchor",
        Kind::Lower,
        Supply::AnyDevice,
        "SHA-256 of the trust anchor, lower-case hex",
        |s, _| read::cert(s, |c| read::word(&c.anchor)),
    ),
    line(
        "cert.fingerprint",
        Kind::Lower,
        Supply::Nothing,
        "SHA-256 of the certificate, lower-case hex",
        |s, _| read::cert(s, |c| read::word(&c.fingerprint)),
    ),
    line(
        "cert.spki",
        Kind::Lower,
        Supply::Nothing,
        "SHA-256 of the public key, lower-case hex",
        |s, _| read::cert(s, |c| read::word(&c.spki)),
    ),
    line(
        "cert.serial",
        Kind::Lower,
        Supply::Nothing,
        "serial number, lower-case hex without leading zeros",
        |s, _| read::cert(s, |c| read::word(&c.serial)),
    ),
    line("cert.san_dns", Kind::Texts, Supply::Nothing, "DNS names", |s, _| {
        read::cert(s, |c| read::list(&c.san_dns))
    }),
    line("cert.san_email", Kind::Texts, Supply::Nothing, "mail addresses", |s, _| {
        read::cert(s, |c| read::list(&c.san_email))
    }),
    line("cert.san_uri", Kind::Texts, Supply::Nothing, "URIs", |s, _| {
        read::cert(s, |c| read::list(&c.san_uri))
    }),
    line("cert.san_upn", Kind::Texts, Supply::Nothing, "user principal names", |s, _| {
        read::cert(s, |c| read::list(&c.san_upn))
    }),
    line(
        "cert.spiffe_id",
        Kind::Text,
        Supply::Nothing,
        "SPIFFE id, where it is a valid X.509-SVID",
        |s, _| read::cert(s, |c| Fact::text(c.spiffe_id.as_deref())),
    ),
    line(
        "cert.trust_domain",
        Kind::Text,
        Supply::Nothing,
        "trust domain of the SPIFFE id",
        |s, _| read::cert(s, |c| Fact::text(c.trust_domain.as_deref())),
    ),
    line(
        "cert.expires_in",
        Kind::Span,
        Supply::AnyDevice,
        "time until the certificate ends; negative afterwards",
        |s, _| read::cert(s, |c| Fact::Span(c.not_after.duration_since(s.now))),
    ),
    line(
        "cert.revoked",
        Kind::Bool,
        Supply::Nothing,
        "revocation data says that it is revoked; unknown where none is configured",
        |s, _| read::cert(s, |c| c.revocation_data_at.map_or(Fact::Unknown, |_| Fact::Bool(false))),
    ),
    line(
        "cert.revocation_age",
        Kind::Span,
        Supply::Nothing,
        "age of the revocation data that was consulted",
        |s, _| read::cert(s, |c| read::age(s.now, c.revocation_data_at)),
    ),
    line(
        "device.id",
        Kind::Text,
        Supply::AnyDevice,
        "identifier in the inventory or in its certificate",
        |s, _| read::device(s, |d| Fact::text(d.id.as_deref())),
    ),
    line("device.known", Kind::Bool, Supply::Device, "a source knows it", |s, _| {
        read::device(s, |d| Fact::bool(d.known))
    }),
    line("device.managed", Kind::Bool, Supply::Device, "the organisation manages it", |s, _| {
        read::device(s, |d| Fact::bool(d.managed))
    }),
    line(
        "device.compliant",
        Kind::Bool,
        Supply::Device,
        "it meets the organisation's rules",
        |s, _| read::device(s, |d| Fact::bool(d.compliant)),
    ),
    line(
        "device.grace",
        Kind::Bool,
        Supply::AnyDevice,
        "a lack of compliance is still tolerated",
        |s, _| read::device(s, |d| Fact::bool(d.grace_until.map(|until| s.now < until))),
    ),
    line("device.owner", Kind::Text, Supply::AnyDevice, "whose it is", |s, _| {
        read::device(s, |d| Fact::text(d.owner.as_deref()))
    }),
    line(
        "device.user_is_owner",
        Kind::Bool,
        Supply::AnyDevice,
        "its owner is who asks, by id, name or address",
        |s, _| read::user_is_owner(s),
    ),
    line(
        "device.os",
        Kind::Word(&["windows", "macos", "linux", "ios", "android", "chromeos", "other"]),
        Supply::AnyDevice,
        "family of its operating system",
        |s, _| read::device(s, |d| d.os.map_or(Fact::Unknown, |os| read::word(read::os(os)))),
    ),
    line(
        "device.os_version",
        Kind::Version,
        Supply::Posture,
        "version of its operating system",
        |s, _| read::device(s, |d| Fact::text(d.os_version.as_deref())),
    ),
    line("device.encryption", Kind::Bool, Supply::Posture, "its disk is encrypted", |s, _| {
        read::device(s, |d| Fact::bool(d.encryption))
    }),
    line("device.screen_lock", Kind::Bool, Supply::Posture, "its screen locks", |s, _| {
        read::device(s, |d| Fact::bool(d.screen_lock))
    }),
    line("device.firewall", Kind::Bool, Supply::Posture, "its firewall is on", |s, _| {
        read::device(s, |d| Fact::bool(d.firewall))
    }),
    line("device.edr", Kind::Bool, Supply::Posture, "endpoint detection runs on it", |s, _| {
        read::device(s, |d| Fact::bool(d.edr))
    }),
    line("device.score", PERCENT, Supply::Posture, "a vendor's score, 0 to 100", |s, _| {
        read::device(s, |d| d.score.map_or(Fact::Unknown, |n| Fact::Number(n.into())))
    }),
    line("device.tags", Kind::Texts, Supply::AnyDevice, "tags of the inventory", |s, _| {
        read::device(s, |d| Fact::texts(d.tags.as_deref()))
    }),
    line(
        "device.posture_age",
        Kind::Span,
        Supply::Posture,
        "time since its posture was observed",
        |s, _| read::device(s, |d| read::age(s.now, d.observed_at)),
    ),
    line("device.posture_source", Kind::Text, Supply::AnyDevice, "which source said so", |s, _| {
        read::device(s, |d| Fact::text(d.source.as_deref()))
    }),
    line(
        "device.attested",
        Kind::Bool,
        Supply::Device,
        "the request proved that it comes from this device",
        |s, _| read::device(s, |d| Fact::Bool(d.attested)),
    ),
    line(
        "network.ip",
        Kind::Address,
        Supply::Nothing,
        "the client's address; IPv4-mapped addresses as IPv4",
        |s, _| read::network(s, |n| Fact::Address(n.ip.to_canonical())),
    ),
    line("network.country", Kind::Upper, Supply::Nothing, "ISO 3166-1 alpha-2", |s, _| {
        read::network(s, |n| Fact::text(n.country.as_deref()))
    }),
    line(
        "network.asn",
        Kind::Number { min: 0, max: 4_294_967_295 },
        Supply::Nothing,
        "autonomous system number",
        |s, _| read::network(s, |n| n.asn.map_or(Fact::Unknown, |n| Fact::Number(n.into()))),
    ),
    line(
        "network.list",
        Kind::Texts,
        Supply::Nothing,
        "named lists that hold the address; unknown without a source of lists",
        |_, _| Fact::Unknown,
    ),
    line(
        "network.direct",
        Kind::Bool,
        Supply::Nothing,
        "the client itself connected, rather than a trusted proxy for it",
        |s, _| read::network(s, |n| Fact::Bool(n.direct)),
    ),
    line(
        "network.tls_version",
        Kind::Version,
        Supply::Nothing,
        "version of TLS, `\"1.2\"` or `\"1.3\"`; unknown without TLS",
        |s, _| {
            read::network(s, |n| n.tls_version.map_or(Fact::Unknown, |v| read::word(read::tls(v))))
        },
    ),
    line("request.method", Kind::Upper, Supply::Nothing, "the method", |s, _| {
        read::word(s.action.method)
    }),
    line("request.host", Kind::Lower, Supply::Nothing, "the host, without port", |s, _| {
        read::word(s.action.host)
    }),
    line(
        "request.path",
        Kind::Text,
        Supply::Nothing,
        "the canonical path, as it is forwarded",
        |s, _| read::word(s.action.path),
    ),
    family(
        ("request.segment", "name"),
        Kind::Text,
        Supply::Nothing,
        "a segment of the path, decoded, named by the rule's template",
        |s, p| read::segment(s, p),
    ),
    family(
        ("request.query", "name"),
        Kind::Texts,
        Supply::Nothing,
        "every value of a query parameter, decoded",
        |s, p| read::query(s, p),
    ),
    family(
        ("request.header", "name"),
        Kind::Texts,
        Supply::Nothing,
        "every field line of a header; says what a client claims, never who it is",
        |s, p| read::header(s, p),
    ),
    line(
        "request.content_type",
        Kind::Lower,
        Supply::Nothing,
        "media type of the body, without parameters",
        |s, _| read::content_type(s),
    ),
    line(
        "request.websocket",
        Kind::Bool,
        Supply::Nothing,
        "it asks to become a WebSocket",
        |s, _| Fact::Bool(s.action.websocket),
    ),
    line("request.grpc", Kind::Bool, Supply::Nothing, "it is gRPC", |s, _| {
        Fact::Bool(s.action.grpc)
    }),
    line(
        "time",
        Kind::Window,
        Supply::Nothing,
        "windows of time: `days`, `between`, `zone`, `after`, `before`, `not_on`",
        |_, _| Fact::Unknown,
    ),
    line("risk.score", PERCENT, Supply::Login, "0 (as ever) to 100", |s, _| {
        read::risk(s, |r| Fact::Number(r.score.into()))
    }),
    line(
        "risk.level",
        Kind::Word(&["low", "medium", "high"]),
        Supply::Login,
        "`low` to 39, `medium` to 69, `high` from 70",
        |s, _| read::risk(s, |r| read::word(read::level(r.score))),
    ),
    line("risk.signals", Kind::Texts, Supply::Login, "what raised the score", |s, _| {
        read::risk(s, |r| read::list(&r.signals))
    }),
    line("route.name", Kind::Text, Supply::Nothing, "name of the route", |s, _| {
        read::word(&s.route.name)
    }),
    family(("route.labels", "key"), Kind::Text, Supply::Nothing, "a label of the route", |s, p| {
        read::label(s, p)
    }),
    line("upstream.name", Kind::Text, Supply::Nothing, "name of the upstream", |s, _| {
        read::word(&s.route.upstream)
    }),
    family(
        ("attr", "name"),
        Kind::Any,
        Supply::Nothing,
        "a fact that an added filter establishes",
        |s, p| read::custom(s, p),
    ),
];

const PERCENT: Kind = Kind::Number { min: 0, max: 100 };

type Read = for<'a> fn(&Scope<'a>, &'a str) -> Fact<'a>;

const fn line(
    name: &'static str,
    kind: Kind,
    supply: Supply,
    doc: &'static str,
    read: Read,
) -> Attribute {
    Attribute { name, parameter: None, kind, supply, doc, read }
}

const fn family(
    (name, parameter): (&'static str, &'static str),
    kind: Kind,
    supply: Supply,
    doc: &'static str,
    read: Read,
) -> Attribute {
    Attribute { name, parameter: Some(parameter), kind, supply, doc, read }
}
