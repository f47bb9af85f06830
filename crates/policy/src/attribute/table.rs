//! The table itself: name, type, what can supply it; what it means; how it is read.

use super::Kind::{
    Address, Any, Bool, Lower, Number, Span, Text, Texts, Upper, Version, Window, Word,
};
use super::Supply::{AnyDevice, Device, Login, Nothing, Posture, StepUp};
use super::fact::Fact;
use super::{Attribute, Kind, read};

macro_rules! table {
    ($($name:literal $(/ $parameter:literal)?, $kind:expr, $supply:expr, $doc:literal, $read:expr;)*) => {
        /// Every attribute, in the order of the reference.
        pub const ATTRIBUTES: &[Attribute] = &[$(Attribute {
            name: $name,
            parameter: parameter!($($parameter)?),
            kind: $kind,
            supply: $supply,
            doc: $doc,
            read: $read,
        }),*];
    };
}

macro_rules! parameter {
    () => {
        None
    };
    ($parameter:literal) => {
        Some($parameter)
    };
}

table! {
    "user.id", Text, Login,
        "stable identifier of the subject within its source",
        |s, _| read::subject(s, |u| read::word(&u.id));
    "user.name", Text, Login,
        "display or login name",
        |s, _| read::subject(s, |u| Fact::text(u.name.as_deref()));
    "user.email", Text, Login,
        "verified address; its domain is in lower case",
        |s, _| read::subject(s, |u| Fact::text(u.email.as_deref()));
    "user.email_domain", Lower, Login,
        "the part of the address after `@`",
        |s, _| read::subject(s, read::email_domain);
    "user.groups", Texts, Login,
        "groups that the provider vouches for",
        |s, _| read::subject(s, |u| Fact::texts(u.groups.as_deref()));
    "user.roles", Texts, Login,
        "roles that the provider vouches for",
        |s, _| read::subject(s, |u| Fact::texts(u.roles.as_deref()));
    "user.kind", USER_KIND, Login,
        "a person or a program",
        |s, _| read::subject(s, |u| read::word(read::kind(u.kind)));
    "user.idp", Text, Login,
        "name of the provider that vouches",
        |s, _| read::subject(s, |u| Fact::text(u.idp.as_deref()));
    "user.claims" / "path", Any, Login,
        "a further claim, by its path with dots",
        |s, p| read::subject(s, |u| read::claim(u, p));
    "user.anonymous", Bool, Login,
        "nobody proved an identity; always known",
        |s, _| Fact::Bool(s.facts.subject().is_none());
    "auth.method", METHOD, Login,
        "kind of credential",
        |s, _| read::auth(s, |a| read::word(read::method(a.method)));
    "auth.mfa", Bool, StepUp,
        "more than one factor was used",
        |s, _| read::auth(s, |a| Fact::bool(a.mfa));
    "auth.acr", Text, StepUp,
        "authentication context class",
        |s, _| read::auth(s, |a| Fact::text(a.acr.as_deref()));
    "auth.amr", Texts, StepUp,
        "authentication methods (RFC 8176)",
        |s, _| read::auth(s, |a| Fact::texts(a.amr.as_deref()));
    "auth.age", Span, StepUp,
        "time since the person authenticated",
        |s, _| read::auth(s, |a| read::age(s.now, a.authenticated_at));
    "auth.session_age", Span, StepUp,
        "time since the session began",
        |s, _| read::auth(s, |a| read::age(s.now, a.session_started_at));
    "auth.idle", Span, StepUp,
        "time since the session was last used",
        |s, _| read::auth(s, |a| read::age(s.now, a.last_seen_at));
    "auth.token.id", Text, Login,
        "identifier of the token",
        |s, _| read::auth(s, |a| Fact::text(a.token_id.as_deref()));
    "auth.token.scopes", Texts, Login,
        "scopes of the token",
        |s, _| read::auth(s, |a| Fact::texts(a.token_scopes.as_deref()));
    "auth.bound", BOUND, Login,
        "what the credential is bound to",
        |s, _| read::auth(s, |a| read::word(read::binding(a.bound)));
    "cert.present", Bool, AnyDevice,
        "a verified client certificate was presented; always known",
        |s, _| Fact::Bool(s.facts.certificate().is_some());
    "cert.issuer", Text, AnyDevice,
        "issuer (RFC 4514)",
        |s, _| read::cert(s, |c| read::word(&c.issuer));
    "cert.subject", Text, Nothing,
        "subject (RFC 4514)",
        |s, _| read::cert(s, |c| read::word(&c.subject));
    "cert.anchor", Lower, AnyDevice,
        "SHA-256 of the trust anchor, lower-case hex",
        |s, _| read::cert(s, |c| read::word(&c.anchor));
    "cert.fingerprint", Lower, Nothing,
        "SHA-256 of the certificate, lower-case hex",
        |s, _| read::cert(s, |c| read::word(&c.fingerprint));
    "cert.spki", Lower, Nothing,
        "SHA-256 of the public key, lower-case hex",
        |s, _| read::cert(s, |c| read::word(&c.spki));
    "cert.serial", Lower, Nothing,
        "serial number, lower-case hex without leading zeros",
        |s, _| read::cert(s, |c| read::word(&c.serial));
    "cert.san_dns", Texts, Nothing,
        "DNS names",
        |s, _| read::cert(s, |c| read::list(&c.san_dns));
    "cert.san_email", Texts, Nothing,
        "mail addresses",
        |s, _| read::cert(s, |c| read::list(&c.san_email));
    "cert.san_uri", Texts, Nothing,
        "URIs",
        |s, _| read::cert(s, |c| read::list(&c.san_uri));
    "cert.san_upn", Texts, Nothing,
        "user principal names",
        |s, _| read::cert(s, |c| read::list(&c.san_upn));
    "cert.spiffe_id", Text, Nothing,
        "SPIFFE id, where it is a valid X.509-SVID",
        |s, _| read::cert(s, |c| Fact::text(c.spiffe_id.as_deref()));
    "cert.trust_domain", Text, Nothing,
        "trust domain of the SPIFFE id",
        |s, _| read::cert(s, |c| Fact::text(c.trust_domain.as_deref()));
    "cert.expires_in", Span, AnyDevice,
        "time until the certificate ends; negative afterwards",
        |s, _| read::cert(s, |c| Fact::Span(c.not_after.duration_since(s.now)));
    "cert.revoked", Bool, Nothing,
        "revocation data says that it is revoked; unknown where none is configured",
        |s, _| read::cert(s, |c| c.revocation_data_at.map_or(Fact::Unknown, |_| Fact::Bool(false)));
    "cert.revocation_age", Span, Nothing,
        "age of the revocation data that was consulted",
        |s, _| read::cert(s, |c| read::age(s.now, c.revocation_data_at));
    "device.id", Text, AnyDevice,
        "identifier in the inventory or in its certificate",
        |s, _| read::device(s, |d| Fact::text(d.id.as_deref()));
    "device.known", Bool, Device,
        "a source knows it",
        |s, _| read::device(s, |d| Fact::bool(d.known));
    "device.managed", Bool, Device,
        "the organisation manages it",
        |s, _| read::device(s, |d| Fact::bool(d.managed));
    "device.compliant", Bool, Device,
        "it meets the organisation's rules",
        |s, _| read::device(s, |d| Fact::bool(d.compliant));
    "device.grace", Bool, AnyDevice,
        "a lack of compliance is still tolerated",
        |s, _| read::device(s, |d| Fact::bool(d.grace_until.map(|until| s.now < until)));
    "device.owner", Text, AnyDevice,
        "whose it is",
        |s, _| read::device(s, |d| Fact::text(d.owner.as_deref()));
    "device.user_is_owner", Bool, AnyDevice,
        "its owner is who asks, by id, name or address",
        |s, _| read::user_is_owner(s);
    "device.os", OS, AnyDevice,
        "family of its operating system",
        |s, _| read::device(s, |d| d.os.map_or(Fact::Unknown, |os| read::word(read::os(os))));
    "device.os_version", Version, Posture,
        "version of its operating system",
        |s, _| read::device(s, |d| Fact::text(d.os_version.as_deref()));
    "device.encryption", Bool, Posture,
        "its disk is encrypted",
        |s, _| read::device(s, |d| Fact::bool(d.encryption));
    "device.screen_lock", Bool, Posture,
        "its screen locks",
        |s, _| read::device(s, |d| Fact::bool(d.screen_lock));
    "device.firewall", Bool, Posture,
        "its firewall is on",
        |s, _| read::device(s, |d| Fact::bool(d.firewall));
    "device.edr", Bool, Posture,
        "endpoint detection runs on it",
        |s, _| read::device(s, |d| Fact::bool(d.edr));
    "device.score", PERCENT, Posture,
        "a vendor's score, 0 to 100",
        |s, _| read::device(s, |d| d.score.map_or(Fact::Unknown, |n| Fact::Number(n.into())));
    "device.tags", Texts, AnyDevice,
        "tags of the inventory",
        |s, _| read::device(s, |d| Fact::texts(d.tags.as_deref()));
    "device.posture_age", Span, Posture,
        "time since its posture was observed",
        |s, _| read::device(s, |d| read::age(s.now, d.observed_at));
    "device.posture_source", Text, AnyDevice,
        "which source said so",
        |s, _| read::device(s, |d| Fact::text(d.source.as_deref()));
    "device.attested", Bool, Device,
        "the request proved that it comes from this device",
        |s, _| read::device(s, |d| Fact::Bool(d.attested));
    "network.ip", Address, Nothing,
        "the client's address; IPv4-mapped addresses as IPv4",
        |s, _| read::network(s, |n| Fact::Address(n.ip.to_canonical()));
    "network.country", Upper, Nothing,
        "ISO 3166-1 alpha-2",
        |s, _| read::network(s, |n| Fact::text(n.country.as_deref()));
    "network.asn", ASN, Nothing,
        "autonomous system number",
        |s, _| read::network(s, |n| n.asn.map_or(Fact::Unknown, |n| Fact::Number(n.into())));
    "network.list", Texts, Nothing,
        "named lists that hold the address; unknown without a source of lists",
        |_, _| Fact::Unknown;
    "network.direct", Bool, Nothing,
        "the client itself connected, rather than a trusted proxy for it",
        |s, _| read::network(s, |n| Fact::Bool(n.direct));
    "network.tls_version", Version, Nothing,
        "version of TLS, `\"1.2\"` or `\"1.3\"`; unknown without TLS",
        |s, _| read::network(s, |n| n.tls_version.map_or(Fact::Unknown, |v| read::word(read::tls(v))));
    "request.method", METHODS, Nothing,
        "the method",
        |s, _| read::word(s.action.method);
    "request.host", Lower, Nothing,
        "the host, without port",
        |s, _| read::word(s.action.host);
    "request.path", Text, Nothing,
        "the canonical path, as it is forwarded",
        |s, _| read::word(s.action.path);
    "request.segment" / "name", Text, Nothing,
        "a segment of the path, decoded, named by the rule's template",
        read::segment;
    "request.query" / "name", Texts, Nothing,
        "every value of a query parameter, decoded",
        read::query;
    "request.header" / "name", Texts, Nothing,
        "every field line of a header; says what a client claims, never who it is",
        read::header;
    "request.content_type", Lower, Nothing,
        "media type of the body, without parameters",
        |s, _| read::content_type(s);
    "request.websocket", Bool, Nothing,
        "it asks to become a WebSocket",
        |s, _| Fact::Bool(s.action.websocket);
    "request.grpc", Bool, Nothing,
        "it is gRPC",
        |s, _| Fact::Bool(s.action.grpc);
    "time", Window, Nothing,
        "windows of time: `days`, `between`, `zone`, `after`, `before`, `not_on`",
        |_, _| Fact::Unknown;
    "risk.score", PERCENT, Login,
        "0 (as ever) to 100",
        |s, _| read::risk(s, |r| Fact::Number(r.score.into()));
    "risk.level", LEVEL, Login,
        "`low` to 39, `medium` to 69, `high` from 70",
        |s, _| read::risk(s, |r| read::word(read::level(r.score)));
    "risk.signals", Texts, Login,
        "what raised the score",
        |s, _| read::risk(s, |r| read::list(&r.signals));
    "route.name", Text, Nothing,
        "name of the route",
        |s, _| read::word(&s.route.name);
    "route.labels" / "key", Text, Nothing,
        "a label of the route",
        read::label;
    "upstream.name", Text, Nothing,
        "name of the upstream",
        |s, _| read::word(&s.route.upstream);
    "attr" / "name", Any, Nothing,
        "a fact that an added filter establishes",
        read::custom;
}

const METHODS: Kind = Word(&crate::method::NAMES);
const PERCENT: Kind = Number { min: 0, max: 100 };
const USER_KIND: Kind = Word(&["human", "service"]);
const METHOD: Kind =
    Word(&["oidc", "local", "jwt", "api-token", "client-certificate", "introspection"]);
const BOUND: Kind = Word(&["none", "certificate", "key"]);
const OS: Kind = Word(&["windows", "macos", "linux", "ios", "android", "chromeos", "other"]);
const ASN: Kind = Number { min: 0, max: 4_294_967_295 };
const LEVEL: Kind = Word(&["low", "medium", "high"]);
