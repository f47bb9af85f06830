//! The hosts of a route: exact names, or `*.` and a name for one label in its place.

use std::net::{Ipv4Addr, Ipv6Addr};

use document::{At, Mistake, Mistakes, OneOrMany, Place};

/// Bytes that a name may have (RFC 1035).
const HOST_BYTES_MAX: usize = 253;
/// Bytes that one label may have (RFC 1035).
const LABEL_BYTES_MAX: usize = 63;

/// The hosts in lower case, each with its place; what is no host is a mistake.
pub(super) fn read(
    hosts: &At<OneOrMany<At<String>>>,
    mistakes: &mut Mistakes,
) -> Vec<(Box<str>, Place)> {
    let OneOrMany(list) = &hosts.value;
    if list.is_empty() {
        let message = "the list of hosts is empty: nothing reaches the route";
        let help = "name a host";
        mistakes.push(Mistake::error("empty-list", &hosts.place, message).help(help));
    }
    let mut good: Vec<(Box<str>, Place)> = Vec::new();
    for host in list {
        let name = host.value.to_ascii_lowercase();
        match fault(&name) {
            Some(help) => {
                let message = format!("`{}` is no host", host.value);
                mistakes.push(Mistake::error("bad-host", &host.place, message).help(help));
            }
            None if good.iter().any(|(other, _)| **other == *name) => {
                let message = format!("the host `{name}` is named twice");
                mistakes.push(Mistake::error("duplicate-host", &host.place, message));
            }
            None => good.push((name.into(), host.place.clone())),
        }
    }
    good
}

/// What to write instead, where this is no host.
fn fault(name: &str) -> Option<&'static str> {
    if name == "*" {
        return Some("name each host; `*.example.com` stands for one label");
    }
    if let Some(v6) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return v6.parse::<Ipv6Addr>().is_err().then_some("write an IPv6 address in brackets");
    }
    let bare = name.strip_prefix("*.").unwrap_or(name);
    if bare.contains('*') {
        return Some("only the first label can be `*`, as in `*.example.com`");
    }
    if name.contains("://") || name.contains('/') {
        return Some("write the name alone, without scheme and path");
    }
    if name.contains(':') {
        return Some("write the name alone, without a port");
    }
    if name.ends_with('.') {
        return Some("write it without a dot at the end");
    }
    if !name.is_ascii() {
        return Some("write names outside of ASCII in their `xn--` form");
    }
    let whole = bare.len() <= HOST_BYTES_MAX && bare.split('.').all(is_label);
    let digits = bare.rsplit('.').next().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
    if !whole || (digits && bare.parse::<Ipv4Addr>().is_err()) {
        return Some("labels are letters, digits and `-`, at most 63 of them, with dots between");
    }
    None
}

fn is_label(label: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    !label.is_empty()
        && label.len() <= LABEL_BYTES_MAX
        && label.bytes().all(fits)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn hosts() {
        for good in
            ["a", "a.example.com", "*.example.com", "10.0.0.1", "[::1]", "x_y.test", "4me.io"]
        {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in [
            "",
            "*",
            "a.*.com",
            "**.com",
            "https://a.com",
            "a.com:443",
            "a.com.",
            ".a.com",
            "a..com",
            "-a.com",
            "größe.de",
            "a b",
            "[::1",
            "[x]",
            "1.2.3",
            "256.1.1.1",
            "a.com/x",
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }
}
