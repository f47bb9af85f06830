//! Why: stable kebab-case words that reach the client, the audit record and the metrics.

use std::fmt;

/// The reason of an outcome. `Display` writes the word of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A rule allows it.
    Allowed,
    /// The request cannot be made unambiguous.
    Malformed(Malformed),
    /// It came in by a connection that was opened for another host.
    Misdirected,
    /// No route serves this host and path.
    NoRoute,
    /// A rule would allow an identity, and there is none.
    NoIdentity,
    /// The credential is wrong: `expired`, `signature`, `audience`, ...
    BadToken(&'static str),
    /// The session is over.
    SessionExpired,
    /// The session was not used for too long.
    SessionIdle,
    /// The session was ended.
    SessionRevoked,
    /// A stronger or fresher authentication would be allowed.
    StepUpRequired,
    /// No rule allows it.
    NoRuleAllows,
    /// A rule denies it.
    Denied(Box<str>),
    /// A `deny` rule could not be decided for want of this fact.
    Unknown(Box<str>),
    /// A known device would be allowed.
    DeviceUnknown,
    /// A managed device would be allowed.
    DeviceNotManaged,
    /// A compliant device would be allowed.
    DeviceNotCompliant,
    /// Fresher posture would be allowed.
    PostureStale,
    /// The client certificate is not valid at this time.
    CertificateExpired,
    /// The client certificate was revoked.
    CertificateRevoked,
    /// The client certificate does not chain to a configured authority or is not fit for clients.
    CertificateUntrusted,
    /// Too many requests.
    RateLimited,
    /// A body, header or target is larger than its limit.
    TooLarge,
    /// The backend could not be reached.
    UpstreamUnreachable,
    /// The backend is not who it should be.
    UpstreamUnverified,
    /// Something that the decision needs is out of reach: `jwks`, `sessions`, `crl`, ...
    DependencyDown(Box<str>),
    /// A fault of the gateway itself.
    Internal,
    /// A third-party filter's own word, kebab-case.
    Custom(&'static str),
}

/// What cannot be made unambiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// The target is not origin-form: no leading slash, absolute-form for another host, `*`.
    Target,
    /// A bad escape, an encoded separator or an encoded control byte.
    Escape,
    /// A control byte, a space or a byte outside ASCII.
    ControlByte,
    /// A backslash.
    Backslash,
    /// A path parameter (`;`).
    PathParameter,
    /// Dot segments that climb over the root.
    DotSegment,
    /// A fragment.
    Fragment,
    /// No host, two hosts, or one that is not a host.
    Host,
    /// An unknown method.
    Method,
    /// A name that only the gateway may set.
    ReservedHeader,
    /// A header name or value that is not one.
    Header,
    /// `Connection` nominates what it must not.
    Connection,
    /// More than one length, or a length and a coding.
    Framing,
    /// A version of HTTP that is not spoken.
    Version,
    /// `Expect` of something else than `100-continue`.
    Expect,
    /// Two credentials, or one that is not well-formed.
    Credential,
    /// An upgrade that is not a WebSocket handshake.
    Upgrade,
    /// The scheme is not the connection's.
    Scheme,
}

impl Malformed {
    /// The word after `malformed:`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Escape => "escape",
            Self::ControlByte => "control-byte",
            Self::Backslash => "backslash",
            Self::PathParameter => "path-parameter",
            Self::DotSegment => "dot-segment",
            Self::Fragment => "fragment",
            Self::Host => "host",
            Self::Method => "method",
            Self::ReservedHeader => "reserved-header",
            Self::Header => "header",
            Self::Connection => "connection",
            Self::Framing => "framing",
            Self::Version => "version",
            Self::Expect => "expect",
            Self::Credential => "credential",
            Self::Upgrade => "upgrade",
            Self::Scheme => "scheme",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "malformed:{}", what.word()),
            Self::BadToken(why) => write!(f, "bad-token:{why}"),
            Self::Denied(rule) => write!(f, "denied:{rule}"),
            Self::Unknown(attribute) => write!(f, "unknown:{attribute}"),
            Self::DependencyDown(which) => write!(f, "dependency-down:{which}"),
            Self::Allowed
            | Self::Misdirected
            | Self::NoRoute
            | Self::NoIdentity
            | Self::SessionExpired
            | Self::SessionIdle
            | Self::SessionRevoked
            | Self::StepUpRequired
            | Self::NoRuleAllows
            | Self::DeviceUnknown
            | Self::DeviceNotManaged
            | Self::DeviceNotCompliant
            | Self::PostureStale
            | Self::CertificateExpired
            | Self::CertificateRevoked
            | Self::CertificateUntrusted
            | Self::RateLimited
            | Self::TooLarge
            | Self::UpstreamUnreachable
            | Self::UpstreamUnverified
            | Self::Internal
            | Self::Custom(_) => f.write_str(self.class()),
        }
    }
}

impl Reason {
    /// The word without its particulars: bounded in number, fit for a metric's label.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Malformed(_) => "malformed",
            Self::Misdirected => "misdirected",
            Self::NoRoute => "no-route",
            Self::NoIdentity => "no-identity",
            Self::BadToken(_) => "bad-token",
            Self::SessionExpired => "session-expired",
            Self::SessionIdle => "session-idle",
            Self::SessionRevoked => "session-revoked",
            Self::StepUpRequired => "step-up-required",
            Self::NoRuleAllows => "no-rule-allows",
            Self::Denied(_) => "denied",
            Self::Unknown(_) => "unknown",
            Self::DeviceUnknown => "device-unknown",
            Self::DeviceNotManaged => "device-not-managed",
            Self::DeviceNotCompliant => "device-not-compliant",
            Self::PostureStale => "posture-stale",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateRevoked => "certificate-revoked",
            Self::CertificateUntrusted => "certificate-untrusted",
            Self::RateLimited => "rate-limited",
            Self::TooLarge => "too-large",
            Self::UpstreamUnreachable => "upstream-unreachable",
            Self::UpstreamUnverified => "upstream-unverified",
            Self::DependencyDown(_) => "dependency-down",
            Self::Internal => "internal",
            Self::Custom(word) => word,
        }
    }
}
