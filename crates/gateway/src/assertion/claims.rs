//! The claims of an assertion, and values that can stand in a header.

use http::HeaderValue;
use jiff::Timestamp;
use policy::{Auth, AuthMethod, Device, Os, Subject};
use serde::Serialize;

use super::{LIFE, Spoken};

/// RFC 7519 section 4, RFC 9068 section 2.2 where it has a name for a thing.
#[derive(Serialize)]
pub(super) struct Claims<'a> {
    iss: String,
    aud: &'a str,
    iat: i64,
    exp: i64,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<&'a [Box<str>]>,
    #[serde(flatten)]
    auth: Option<AuthClaims<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceClaims<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk: Option<u8>,
    rule: &'a str,
}

#[derive(Serialize)]
struct AuthClaims<'a> {
    auth_method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amr: Option<&'a [Box<str>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
}

#[derive(Serialize)]
struct DeviceClaims<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    managed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compliant: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    os: Option<&'static str>,
    attested: bool,
}

/// The claims of what is spoken of.
pub(super) fn of<'a>(spoken: &Spoken<'a>) -> Claims<'a> {
    let Spoken { permit, subject, auth, device, risk, host, port, now } = *spoken;
    let Subject { id, email, groups, name: _, roles: _, kind: _, idp: _, claims: _ } = &**subject;
    let port = port.filter(|port| *port != 443).map(|port| format!(":{port}"));
    Claims {
        iss: format!("https://{host}{}", port.unwrap_or_default()),
        aud: &permit.route().name,
        iat: now.as_second(),
        exp: (now + LIFE).as_second(),
        sub: id,
        email: email.as_deref(),
        groups: groups.as_deref(),
        auth: auth.map(|auth| auth_claims(auth)),
        device: device.map(|device| device_claims(device)),
        risk,
        rule: permit.rule(),
    }
}

/// A value whose octets are visible ASCII already, or become so here.
pub(super) fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_e| HeaderValue::from_static(""))
}

/// One value: what could end a header, be trimmed from it, or be taken for an escape, is
/// percent-encoded, so that two values are never one.
pub(super) fn plain(text: &str) -> String {
    escaped(text, |byte| byte.is_ascii_graphic() && byte != b'%')
}

/// Several values joined by commas: a comma in a value is percent-encoded too, so that no value can
/// be read as two.
pub(super) fn joined(values: &[Box<str>]) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'%' && byte != b',';
    let mut joined = String::new();
    for value in values {
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(&escaped(value, plain));
    }
    joined
}

fn escaped(text: &str, stays: impl Fn(u8) -> bool) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if stays(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 0x0f] {
                out.extend(DIGITS.get(usize::from(nibble)).copied().map(char::from));
            }
        }
    }
    out
}

fn auth_claims(auth: &Auth) -> AuthClaims<'_> {
    AuthClaims {
        auth_method: match auth.method {
            AuthMethod::Oidc => "oidc",
            AuthMethod::Local => "local",
            AuthMethod::Jwt => "jwt",
            AuthMethod::ApiToken => "api-token",
            AuthMethod::ClientCertificate => "client-certificate",
            AuthMethod::Introspection => "introspection",
        },
        acr: auth.acr.as_deref(),
        amr: auth.amr.as_deref(),
        auth_time: auth.authenticated_at.map(Timestamp::as_second),
    }
}

fn device_claims(device: &Device) -> DeviceClaims<'_> {
    let os = device.os.map(|os| match os {
        Os::Windows => "windows",
        Os::Macos => "macos",
        Os::Linux => "linux",
        Os::Ios => "ios",
        Os::Android => "android",
        Os::Chromeos => "chromeos",
        Os::Other => "other",
    });
    DeviceClaims {
        id: device.id.as_deref(),
        managed: device.managed,
        compliant: device.compliant,
        os,
        attested: device.attested,
    }
}
