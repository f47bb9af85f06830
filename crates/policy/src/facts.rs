//! What filters establish about a request, typed, append-only.
//!
//! A fact that nobody established is *unknown*. Nothing here has a default that stands for
//! something: an inventory that does not say whether a disk is encrypted leaves it unknown.
//! The groups of facts are behind `Arc`s so that what is true of a token, of a connection or of an
//! inventory entry is built once and shared by every request.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

/// Everything that is known about one request.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    subject: Option<Arc<Subject>>,
    auth: Option<Arc<Auth>>,
    certificate: Option<Arc<Certificate>>,
    device: Option<Arc<Device>>,
    network: Option<Network>,
    risk: Option<Arc<Risk>>,
    custom: Vec<(Box<str>, Value)>,
}

/// A fact was established twice: a filter may add knowledge, never replace it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed(
    /// The group of facts: `subject`, `device`, ...
    pub &'static str,
);

/// Who asks. Absent from [`Facts`]: nobody proved an identity (`user.anonymous` is true).
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// Stable identifier within its source; never an address that can be given to another person.
    pub id: Box<str>,
    /// Display or login name.
    pub name: Option<Box<str>>,
    /// One well-formed, verified address, its domain in lower case.
    pub email: Option<Box<str>>,
    /// Groups, sorted; `None` is unknown, an empty list is known to be none.
    pub groups: Option<Box<[Box<str>]>>,
    /// Roles, sorted; unknown and empty as for groups.
    pub roles: Option<Box<[Box<str>]>>,
    /// A person or a program.
    pub kind: SubjectKind,
    /// The name of the provider that vouches.
    pub idp: Option<Box<str>>,
    /// Further claims by name.
    pub claims: serde_json::Map<String, serde_json::Value>,
}

/// A person or a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectKind {
    /// A person.
    Human,
    /// A program.
    Service,
}

/// How the subject proved it.
#[derive(Clone, Debug, PartialEq)]
pub struct Auth {
    /// The kind of credential.
    pub method: AuthMethod,
    /// Whether more than one factor was used.
    pub mfa: Option<bool>,
    /// Authentication context class.
    pub acr: Option<Box<str>>,
    /// Authentication methods (RFC 8176), sorted.
    pub amr: Option<Box<[Box<str>]>>,
    /// When the person last authenticated (`auth.age`).
    pub authenticated_at: Option<Timestamp>,
    /// When the session began (`auth.session_age`).
    pub session_started_at: Option<Timestamp>,
    /// When the session was last used (`auth.idle`).
    pub last_seen_at: Option<Timestamp>,
    /// Hashed session identifier, for the audit record.
    pub session_id: Option<Box<str>>,
    /// Identifier of the token, for audit and revocation.
    pub token_id: Option<Box<str>>,
    /// Scopes of the token, sorted.
    pub token_scopes: Option<Box<[Box<str>]>>,
    /// What the credential is bound to.
    pub bound: Binding,
    /// When the credential itself ends.
    pub expires_at: Option<Timestamp>,
}

/// The kind of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    /// A session from an OpenID provider.
    Oidc,
    /// A session from a local account.
    Local,
    /// A bearer JWT.
    Jwt,
    /// An API token of ours.
    ApiToken,
    /// A TLS client certificate.
    ClientCertificate,
    /// An opaque token that its issuer vouched for (RFC 7662).
    Introspection,
}

/// What a credential is bound to, so that a thief cannot use it elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Whoever has it may use it.
    None,
    /// A client certificate (RFC 8705).
    Certificate,
    /// A key (RFC 9449).
    Key,
}

/// A client certificate that was verified: chain, purpose, validity and revocation.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// Subject, RFC 4514.
    pub subject: Box<str>,
    /// Issuer, RFC 4514.
    pub issuer: Box<str>,
    /// SHA-256 of the trust anchor's DER that the chain ended in, lower-case hex.
    pub anchor: Box<str>,
    /// DNS names.
    pub san_dns: Box<[Box<str>]>,
    /// Mail addresses.
    pub san_email: Box<[Box<str>]>,
    /// URIs.
    pub san_uri: Box<[Box<str>]>,
    /// User principal names (Microsoft's otherName).
    pub san_upn: Box<[Box<str>]>,
    /// The SPIFFE id, where the certificate is a valid X.509-SVID.
    pub spiffe_id: Option<Box<str>>,
    /// Trust domain of the SPIFFE id.
    pub trust_domain: Option<Box<str>>,
    /// SHA-256 of the certificate's DER, lower-case hex.
    pub fingerprint: Box<str>,
    /// SHA-256 of the public key's DER (SPKI), lower-case hex.
    pub spki: Box<str>,
    /// Serial number, lower-case hex without leading zeros.
    pub serial: Box<str>,
    /// Not valid before.
    pub not_before: Timestamp,
    /// Not valid after.
    pub not_after: Timestamp,
    /// When the revocation data that was consulted was issued; `None` where none is configured.
    pub revocation_data_at: Option<Timestamp>,
}

/// What is known of the device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Device {
    /// Identifier in the inventory, or the one that its certificate names.
    pub id: Option<Box<str>>,
    /// Whether a source knows it. `None`: no source could be asked.
    pub known: Option<bool>,
    /// Whether the organisation manages it.
    pub managed: Option<bool>,
    /// Whether it meets the organisation's rules.
    pub compliant: Option<bool>,
    /// Until when a lack of compliance is tolerated.
    pub grace_until: Option<Timestamp>,
    /// Whose it is (a subject's id, name or e-mail).
    pub owner: Option<Box<str>>,
    /// Operating system.
    pub os: Option<Os>,
    /// Version of the operating system, compared as a version.
    pub os_version: Option<Box<str>>,
    /// Whether its disk is encrypted.
    pub encryption: Option<bool>,
    /// Whether its screen locks.
    pub screen_lock: Option<bool>,
    /// Whether its firewall is on.
    pub firewall: Option<bool>,
    /// Whether endpoint detection runs on it.
    pub edr: Option<bool>,
    /// A vendor's score, 0 to 100.
    pub score: Option<u8>,
    /// Tags, sorted.
    pub tags: Option<Box<[Box<str>]>>,
    /// When its posture was observed (`device.posture_age`).
    pub observed_at: Option<Timestamp>,
    /// Which source said so.
    pub source: Option<Box<str>>,
    /// Whether the request proved that it comes from this device (`device.attested`).
    pub attested: bool,
}

/// Operating system families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Os {
    /// Windows.
    Windows,
    /// macOS.
    Macos,
    /// Linux.
    Linux,
    /// iOS and iPadOS.
    Ios,
    /// Android.
    Android,
    /// `ChromeOS`.
    Chromeos,
    /// Anything else.
    Other,
}

/// Where the request comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// The client's address; IPv4-mapped addresses as IPv4.
    pub ip: IpAddr,
    /// Whether the client itself connected, rather than a trusted proxy for it.
    pub direct: bool,
    /// Version of TLS; `None` for a listener without TLS.
    pub tls_version: Option<TlsVersion>,
    /// ISO 3166-1 alpha-2, upper case.
    pub country: Option<Box<str>>,
    /// Autonomous system number.
    pub asn: Option<u32>,
}

/// Versions of TLS that a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// Behaviour of this identity against its own past.
#[derive(Clone, Debug, PartialEq)]
pub struct Risk {
    /// 0 (as ever) to 100.
    pub score: u8,
    /// Which signals raised it, sorted.
    pub signals: Box<[Box<str>]>,
}

/// The value of a fact that a third-party filter establishes (`attr.<name>`).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// Text.
    Text(Box<str>),
    /// Several texts.
    Texts(Box<[Box<str>]>),
}

macro_rules! group {
    ($(#[$doc:meta])* $field:ident: $ty:ty, $establish:ident, $word:literal) => {
        $(#[$doc])*
        pub fn $field(&self) -> Option<&$ty> {
            self.$field.as_ref()
        }

        /// Establishes this group, once.
        ///
        /// # Errors
        /// It was established already.
        pub fn $establish(&mut self, value: $ty) -> Result<(), Fixed> {
            if self.$field.is_some() {
                return Err(Fixed($word));
            }
            self.$field = Some(value);
            Ok(())
        }
    };
}

impl Facts {
    group!(/// Who asks, if anyone proved it.
        subject: Arc<Subject>, establish_subject, "subject");
    group!(/// How they proved it.
        auth: Arc<Auth>, establish_auth, "auth");
    group!(/// The verified client certificate.
        certificate: Arc<Certificate>, establish_certificate, "certificate");
    group!(/// The device.
        device: Arc<Device>, establish_device, "device");
    group!(/// Where it comes from.
        network: Network, establish_network, "network");
    group!(/// Behaviour.
        risk: Arc<Risk>, establish_risk, "risk");

    /// A fact of a third-party filter.
    pub fn custom(&self, name: &str) -> Option<&Value> {
        self.custom.iter().find(|(n, _)| &**n == name).map(|(_, v)| v)
    }

    /// Establishes `attr.<name>`, once.
    ///
    /// # Errors
    /// It was established already.
    pub fn establish_custom(&mut self, name: &str, value: Value) -> Result<(), Fixed> {
        if self.custom(name).is_some() {
            return Err(Fixed("attr"));
        }
        self.custom.push((name.into(), value));
        Ok(())
    }
}
