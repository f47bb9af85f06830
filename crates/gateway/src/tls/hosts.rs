//! Host names of a handshake: normal form, and tables of names and one-label wildcards.
//!
//! 1. Names compare in lower case and without a trailing dot, whatever the client wrote.
//! 2. An exact name wins over a wildcard; `*.example.com` stands for exactly one label.

use std::collections::HashMap;
use std::sync::Arc;

/// The normal form of a name that a client sent. Octets outside UTF-8 become U+FFFD, which no
/// configured name contains.
pub(super) fn normal(sent: &[u8]) -> Arc<str> {
    let text = String::from_utf8_lossy(sent).to_ascii_lowercase();
    text.strip_suffix('.').unwrap_or(&text).into()
}

/// A configured name in normal form; `None` where it is not a host name or a one-label wildcard.
pub(super) fn configured(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let name = lower.strip_suffix('.').unwrap_or(&lower);
    let host = name.strip_prefix("*.").unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    (host.len() <= 253 && host.split('.').all(label)).then(|| name.to_owned())
}

/// Values by name.
#[derive(Debug)]
pub(super) struct Hosts<T> {
    exact: HashMap<Box<str>, T>,
    wildcard: HashMap<Box<str>, T>,
}

impl<T: Copy> Hosts<T> {
    /// An empty table.
    pub(super) fn new() -> Self {
        Self { exact: HashMap::new(), wildcard: HashMap::new() }
    }

    /// Adds a name in normal form; the first of a name stays.
    pub(super) fn add(&mut self, name: &str, value: T) {
        let (table, key) = match name.strip_prefix("*.") {
            Some(suffix) => (&mut self.wildcard, suffix),
            None => (&mut self.exact, name),
        };
        table.entry(key.into()).or_insert(value);
    }

    /// The value of a name in normal form. A wildcard is covered by the same wildcard.
    pub(super) fn get(&self, name: &str) -> Option<T> {
        let suffix = || name.split_once('.').map(|(_, suffix)| suffix);
        self.exact.get(name).or_else(|| self.wildcard.get(suffix()?)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o8_exact_before_wildcard_before_nothing() {
        let mut hosts = Hosts::new();
        hosts.add("*.mtls.gw.test", 1);
        hosts.add("open.mtls.gw.test", 2);
        hosts.add("gw.test", 3);
        let get = |sent: &[u8]| hosts.get(&normal(sent));
        assert_eq!(get(b"x.mtls.gw.test"), Some(1));
        assert_eq!(get(b"X.MTLS.gw.test."), Some(1));
        assert_eq!(get(b"open.mtls.gw.test"), Some(2));
        assert_eq!(get(b"*.mtls.gw.test"), Some(1));
        assert_eq!(get(b"GW.test"), Some(3));
        for unknown in [
            &b"mtls.gw.test"[..],
            b"a.x.mtls.gw.test",
            b"",
            b".",
            b".gw.test",
            b"\xff.mtls",
            b"gw.test..",
        ] {
            assert_eq!(get(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn configured_names_are_names() {
        assert_eq!(configured("Pay.Example.COM.").as_deref(), Some("pay.example.com"));
        assert_eq!(configured("*.example.com").as_deref(), Some("*.example.com"));
        for bad in ["", "*", "a.*.com", "a b", "https://x", "a..b", "x:443", "*.", "é.test"] {
            assert_eq!(configured(bad), None, "{bad}");
        }
    }
}
