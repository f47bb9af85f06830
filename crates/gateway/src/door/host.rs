//! Which host a request is for.
//!
//! 1. On HTTP/1 the one `Host`; on HTTP/2 `:authority`, or the one `host` where there is none. Where
//!    there are both, and where the target is in absolute-form, they name the same host and port.
//! 2. A name is labels of 1 to 63 letters, digits and inner hyphens, at most 253 bytes, with at most
//!    one trailing dot, which is removed. A name whose last label is a number is an IPv4 address in
//!    four decimal parts, or nothing (`127.1` and `0x7f.1` are addresses to some resolvers).
//! 3. An IPv6 address stands in brackets, without a zone.
//! 4. A port is 1 to 65535 without leading zeros; a colon without one is refused.
//! 5. The canonical host is lower case. Where it is what the handshake asked for, that text is
//!    shared and nothing is allocated.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use filter::{RequestHeader, Tls};
use http::{Version, header};
use policy::Malformed;

use super::fault::Fault;

const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// The canonical host and the port that was named.
pub(super) fn of(
    head: &RequestHeader,
    absolute: Option<&str>,
    tls: Option<&Tls>,
) -> Result<(Arc<str>, Option<u16>), Fault> {
    let field = host_field(head)?;
    let authority = head.uri.authority().filter(|_| head.version == Version::HTTP_2);
    let named = match (authority, field) {
        (Some(authority), field) => {
            let named = Named::parse(authority.as_str().as_bytes())?;
            agree(&named, field)?;
            named
        }
        (None, Some(field)) => Named::parse(field)?,
        (None, None) => return Err(host("no host")),
    };
    agree(&named, absolute.map(str::as_bytes))?;
    let sni = tls.and_then(|tls| tls.sni.as_ref());
    Ok((named.canonical(sni), named.port))
}

/// Whether a text is a host.
pub(super) fn check(text: &[u8]) -> Result<(), Fault> {
    Named::parse(text).map(|_| ())
}

/// The value of the only `Host`.
fn host_field(head: &RequestHeader) -> Result<Option<&[u8]>, Fault> {
    let mut fields = head.headers.get_all(header::HOST).iter();
    match (fields.next(), fields.next()) {
        (_, Some(_)) => Err(host("more than one host")),
        (field, None) => Ok(field.map(http::HeaderValue::as_bytes)),
    }
}

fn agree(named: &Named<'_>, other: Option<&[u8]>) -> Result<(), Fault> {
    let Some(other) = other else { return Ok(()) };
    if Named::parse(other)?.same(named) {
        return Ok(());
    }
    Err(host("two hosts that differ"))
}

/// A well-formed host and port.
#[derive(Debug)]
struct Named<'a> {
    /// Without trailing dot; may hold capitals. Of an IPv6 address, what is in its brackets.
    text: &'a str,
    v6: Option<Ipv6Addr>,
    port: Option<u16>,
}

impl<'a> Named<'a> {
    fn parse(text: &'a [u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(text).or(Err(host("a host that is not ASCII")))?;
        if let Some(rest) = text.strip_prefix('[') {
            let (inside, after) = rest.split_once(']').ok_or(host("an open bracket"))?;
            let v6 = inside.parse().or(Err(host("no IPv6 address in brackets")))?;
            let port = match after {
                "" => None,
                _ => Some(port(after.strip_prefix(':').ok_or(host("text after a bracket"))?)?),
            };
            return Ok(Self { text: inside, v6: Some(v6), port });
        }
        let (name, port) = match text.split_once(':') {
            Some((name, written)) => (name, Some(port(written)?)),
            None => (text, None),
        };
        let text = name.strip_suffix('.').unwrap_or(name);
        check_name(text)?;
        Ok(Self { text, v6: None, port })
    }

    fn same(&self, other: &Self) -> bool {
        let text = self.v6.is_some() || self.text.eq_ignore_ascii_case(other.text);
        text && self.v6 == other.v6 && self.port == other.port
    }

    fn canonical(&self, sni: Option<&Arc<str>>) -> Arc<str> {
        match (self.v6, sni) {
            (Some(v6), _) => format!("[{v6}]").into(),
            (None, Some(sni)) if sni.eq_ignore_ascii_case(self.text) && is_lower(sni) => {
                Arc::clone(sni)
            }
            (None, _) => self.text.to_ascii_lowercase().into(),
        }
    }
}

fn check_name(name: &str) -> Result<(), Fault> {
    if name.is_empty() || name.len() > HOST_BYTES_MAX {
        return Err(host("a host that is empty or longer than 253 bytes"));
    }
    let mut last = "";
    for label in name.split('.') {
        last = label;
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if label.is_empty()
            || label.len() > LABEL_BYTES_MAX
            || label.starts_with('-')
            || label.ends_with('-')
            || !label.bytes().all(inner)
        {
            return Err(host("a label that is not letters, digits and inner hyphens"));
        }
    }
    if is_number(last) && name.parse::<Ipv4Addr>().is_err() {
        return Err(host("a name that ends in a number and is no IPv4 address"));
    }
    Ok(())
}

/// Whether some resolver reads a label as a number: decimal, octal, or hexadecimal with `0x`.
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn is_lower(text: &str) -> bool {
    !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn port(written: &str) -> Result<u16, Fault> {
    let digits = !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_digit());
    match written.parse() {
        Ok(port) if digits && port > 0 && !written.starts_with('0') => Ok(port),
        _ => Err(host("a port that is not 1 to 65535")),
    }
}

fn host(detail: &'static str) -> Fault {
    Fault::Malformed(Malformed::Host, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Option<(String, Option<u16>)> {
        let named = Named::parse(text).ok()?;
        Some((named.canonical(None).to_string(), named.port))
    }

    #[test]
    fn o1_o2_hosts_have_one_form() {
        for (text, host, port) in [
            ("app.gw.test", "app.gw.test", None),
            ("APP.gw.TEST", "app.gw.test", None),
            ("a.B.gw.test", "a.b.gw.test", None),
            ("app.gw.test.", "app.gw.test", None),
            ("app.gw.test:443", "app.gw.test", Some(443)),
            ("app.gw.test.:65535", "app.gw.test", Some(65535)),
            ("localhost", "localhost", None),
            ("xn--bcher-kva.example", "xn--bcher-kva.example", None),
            ("127.0.0.1:8443", "127.0.0.1", Some(8443)),
            ("[::1]:80", "[::1]", Some(80)),
            ("[2001:DB8:0::1]", "[2001:db8::1]", None),
        ] {
            assert_eq!(parse(text.as_bytes()), Some((host.to_owned(), port)), "{text}");
        }
    }

    #[test]
    fn o2_o3_what_is_no_host() {
        let long = format!("{}.test", "a".repeat(64));
        let longer = ["abcdefgh"; 32].join(".");
        for text in [
            "",
            ".",
            "..",
            "a..b",
            "app.gw.test..",
            ":",
            ":80",
            "a.test:",
            "a.test:0",
            "a.test:0443",
            "a.test:99999",
            "a.test:x",
            "a.test:+80",
            "a.test: 80",
            "a.test:80:80",
            "a.test/x",
            "a.test?x",
            "a.test#x",
            "a.test, b.test",
            "a b",
            " a.test",
            "user@app.gw.test",
            "app.gw.test%00",
            "%61.test",
            "a_b.test",
            "-a.test",
            "a-.test",
            "a\\b",
            "127.1",
            "127.0.0.1.1",
            "0x7f.1",
            "a.0x7f",
            "1",
            "127.0.0.01",
            "[::1",
            "::1",
            "[::1]x",
            "[::1]:",
            "[::1%25eth0]",
            "[127.0.0.1]",
            "[]",
            "*",
            "*.gw.test",
            "a\x00",
            "é.test",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"\xff.test"), None);
        assert_eq!((parse(long.as_bytes()), parse(longer.as_bytes())), (None, None));
    }

    #[test]
    fn the_name_of_the_handshake_is_shared() {
        let sni: Arc<str> = "app.gw.test".into();
        for text in ["app.gw.test", "APP.gw.test.:443"] {
            let host = Named::parse(text.as_bytes()).unwrap().canonical(Some(&sni));
            assert!(Arc::ptr_eq(&host, &sni), "{text}");
        }
        let other = Named::parse(b"b.gw.test").unwrap().canonical(Some(&sni));
        assert_eq!(&*other, "b.gw.test");
    }
}
