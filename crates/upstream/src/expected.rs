//! Whom the gateway expects at the other end.
//!
//! 1. A DNS name is compared without regard to case with the DNS names of the certificate; a
//!    wildcard stands for exactly one whole left-most label (RFC 9525 §6.3). The common name is
//!    never looked at.
//! 2. An address is compared with the IP addresses of the certificate.
//! 3. A SPIFFE id is compared byte by byte with the certificate's URI, and there must be exactly
//!    one (X.509-SVID §2).

use std::fmt;
use std::net::IpAddr;

/// Whom the gateway expects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Expected {
    /// Whoever presents this DNS name.
    Name(Box<str>),
    /// Whoever presents this address.
    Address(IpAddr),
    /// Whoever presents this SPIFFE id.
    Spiffe(Box<str>),
    /// Whoever answers (`danger_unverified`).
    Anyone,
}

/// The names that a certificate carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) dns: Vec<String>,
    pub(crate) uris: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
}

impl Expected {
    /// A server name as the operator wrote it: an address, or a DNS name.
    pub(crate) fn server(text: &str) -> Result<Self, &'static str> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Address(address));
        }
        let name = text.to_ascii_lowercase();
        if name.is_empty() {
            return Err("it is empty: without a name nothing is verified");
        }
        if name.len() > 253 {
            return Err("a name has at most 253 characters");
        }
        // An underscore is refused because Pingora would accept the name with a hyphen as well.
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if !name.split('.').all(label) {
            return Err("a name is labels of letters, digits and hyphens with a dot between");
        }
        Ok(Self::Name(name.into()))
    }

    /// A SPIFFE id as the operator wrote it.
    pub(crate) fn spiffe(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix("spiffe://").ok_or("it begins with `spiffe://`")?;
        if text.len() > 2048 {
            return Err("a SPIFFE id has at most 2048 bytes");
        }
        let (domain, path) = rest.split_once('/').unwrap_or((rest, ""));
        let domain_byte =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
        if domain.is_empty() || domain.len() > 255 || !domain.bytes().all(domain_byte) {
            return Err("a trust domain is lower-case letters, digits, `.`, `-` and `_`");
        }
        let path_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        let segment = |s: &str| !matches!(s, "" | "." | "..") && s.bytes().all(path_byte);
        if path.is_empty() || !path.split('/').all(segment) {
            return Err("its path is segments of letters, digits, `.`, `-` and `_`");
        }
        Ok(Self::Spiffe(text.into()))
    }

    /// Whether a certificate with these names is the one.
    pub(crate) fn is_met_by(&self, names: &Names) -> bool {
        match self {
            Self::Name(name) => names.dns.iter().any(|offered| covers(offered, name)),
            Self::Address(address) => names.addresses.contains(address),
            Self::Spiffe(id) => matches!(names.uris.as_slice(), [only] if only.as_str() == &**id),
            Self::Anyone => true,
        }
    }
}

/// For the operator: `name`, `address` or `id` and what it is.
impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "name `{name}`"),
            Self::Address(address) => write!(f, "address `{address}`"),
            Self::Spiffe(id) => write!(f, "id `{id}`"),
            Self::Anyone => f.write_str("anyone"),
        }
    }
}

/// For the operator: every name, or that there is none.
impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = self.dns.clone();
        all.extend(self.uris.iter().cloned());
        all.extend(self.addresses.iter().map(ToString::to_string));
        if all.is_empty() {
            return f.write_str("no name at all");
        }
        write!(f, "`{}`", all.join("`, `"))
    }
}

fn covers(offered: &str, name: &str) -> bool {
    if let Some(parent) = offered.strip_prefix("*.") {
        return name
            .split_once('.')
            .is_some_and(|(_, rest)| rest.contains('.') && rest.eq_ignore_ascii_case(parent));
    }
    offered.eq_ignore_ascii_case(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dns: &[&str], uris: &[&str]) -> Names {
        let own = |all: &[&str]| all.iter().map(|s| (*s).to_owned()).collect();
        Names { dns: own(dns), uris: own(uris), addresses: vec![] }
    }

    #[test]
    fn dns_names() {
        let cases = [
            ("a.example.com", "a.example.com", true),
            ("A.Example.COM", "a.example.com", true),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.com", "example.com", false),
            ("a*.example.com", "ab.example.com", false),
            ("b.example.com", "a.example.com", false),
            ("a.example.com.evil.test", "a.example.com", false),
        ];
        for (offered, name, met) in cases {
            let expected = Expected::server(name).unwrap();
            assert_eq!(expected.is_met_by(&names(&[offered], &[])), met, "{offered} for {name}");
        }
    }

    #[test]
    fn an_address_is_met_by_an_address_alone() {
        let expected = Expected::server("10.0.0.5").unwrap();
        assert!(!expected.is_met_by(&names(&["10.0.0.5"], &[])));
        let good = Names { addresses: vec!["10.0.0.5".parse().unwrap()], ..Names::default() };
        assert!(expected.is_met_by(&good));
    }

    #[test]
    fn a_spiffe_id_is_met_by_exactly_one_uri() {
        let id = "spiffe://example.com/payroll";
        let expected = Expected::spiffe(id).unwrap();
        assert!(expected.is_met_by(&names(&[], &[id])));
        for uris in [&[] as &[&str], &["spiffe://example.com/payrol"], &[id, id], &[id, "x:y"]] {
            assert!(!expected.is_met_by(&names(&["payroll"], uris)), "{uris:?}");
        }
    }

    #[test]
    fn what_cannot_be_expected() {
        let long = "a".repeat(64);
        for text in ["", ".", "a..b", "a_b.test", "-a.test", "a b", "*.a.test", "a.test.", &long] {
            assert!(Expected::server(text).is_err(), "{text}");
        }
        for text in [
            "",
            "https://example.com/a",
            "spiffe://",
            "spiffe://Example.com/a",
            "spiffe://example.com",
            "spiffe://example.com/",
            "spiffe://example.com//a",
            "spiffe://example.com/../a",
            "spiffe://example.com:80/a",
            "spiffe://example.com/a?b",
            "spiffe://u@example.com/a",
        ] {
            assert!(Expected::spiffe(text).is_err(), "{text}");
        }
    }
}
