//! The address of the client, where proxies stand in front of the gateway.
//!
//! 1. `X-Forwarded-For` is read only if the peer is one of `trusted_proxies`; from anyone else it is
//!    a text like any other, and the peer is the client.
//! 2. All its lines are one list, walked from the right: each proxy appends whom it saw. The first
//!    address that is not a trusted proxy's is the client; if all are trusted, the last one reached.
//! 3. What is not a bare address (`unknown`, an empty item, brackets, a port) ends the walk at the
//!    last proxy that was reached. It is never a client.
//! 4. IPv4-mapped addresses are IPv4 addresses, here and in the lists.
//! 5. At most [`HOPS_MAX`] items are looked at.
//!
//! *Why no other header:* `Forwarded`, `X-Real-IP` and their like come from whoever sent them, and
//! one list with one reading is what can be trusted.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// Items of `X-Forwarded-For` that are looked at.
pub const HOPS_MAX: usize = 32;

/// The client's address, and whether the client itself connected rather than a trusted proxy.
pub fn client_address(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> (IpAddr, bool) {
    let peer = peer.ip().to_canonical();
    if !is_trusted(peer, trusted) {
        return (peer, true);
    }
    let mut hops = headers
        .get_all("x-forwarded-for")
        .iter()
        .rev()
        .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','))
        .take(HOPS_MAX)
        .peekable();
    let direct = hops.peek().is_none();
    let mut last = peer;
    for hop in hops {
        let Some(address) = address(hop) else { break };
        last = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    (last, direct)
}

fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop.trim_ascii()).ok()?;
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peer: &str, lines: &[&[u8]], expected: &str, direct: bool) {
        let trusted: Vec<IpNet> =
            ["10.0.0.0/8", "fd00::/8"].iter().map(|net| net.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", http::HeaderValue::from_bytes(line).unwrap());
        }
        let peer = SocketAddr::new(peer.parse().unwrap(), 40_000);
        let found = client_address(peer, &headers, &trusted);
        assert_eq!(found, (expected.parse().unwrap(), direct), "{lines:?}");
    }

    #[test]
    fn h9_an_untrusted_peer_is_the_client_whatever_it_says() {
        check("198.51.100.7", &[b"127.0.0.1"], "198.51.100.7", true);
        check("198.51.100.7", &[b"10.0.0.9"], "198.51.100.7", true);
        check("198.51.100.7", &[], "198.51.100.7", true);
    }

    #[test]
    fn h10_the_walk_is_from_the_right() {
        check("10.0.0.1", &[b"1.2.3.4, 10.0.0.9"], "1.2.3.4", false);
        check("10.0.0.1", &[b"6.6.6.6, 1.2.3.4"], "1.2.3.4", false);
        check("10.0.0.1", &[b"6.6.6.6", b"1.2.3.4", b"10.0.0.9,10.0.0.8"], "1.2.3.4", false);
        check("10.0.0.1", &[b"10.0.0.9"], "10.0.0.9", false);
        check("10.0.0.1", &[], "10.0.0.1", true);
        check("fd00::1", &[b"2001:db8::7"], "2001:db8::7", false);
    }

    #[test]
    fn h11_what_is_no_address_ends_the_walk_at_the_last_proxy() {
        let long = vec![b'1'; 10_240];
        for line in [
            &b"unknown"[..],
            b"[::1]:80",
            b"[::1]",
            b"127.0.0.1:80",
            b"1.2.3.4,",
            b"",
            b"127.1",
            b"127.0.0.1;",
            b"\"127.0.0.1\"",
            b"0x7f000001",
            b"127.0.0.01",
            b"::1%lo",
            b"_hidden",
            b"127.0.0.1\xff",
            &long,
        ] {
            check("10.0.0.1", &[line], "10.0.0.1", false);
        }
        check("10.0.0.1", &[b"127.0.0.1, unknown, 10.0.0.9"], "10.0.0.9", false);
        check("10.0.0.1", &[b"::ffff:127.0.0.1"], "127.0.0.1", false);
        check("10.0.0.1", &[b"1.2.3.4, ::ffff:10.0.0.9"], "1.2.3.4", false);
        check("::ffff:10.0.0.1", &[b"1.2.3.4"], "1.2.3.4", false);
        check("::ffff:198.51.100.7", &[b"1.2.3.4"], "198.51.100.7", true);
    }

    #[test]
    fn the_walk_is_bounded() {
        let many = vec!["10.0.0.9"; HOPS_MAX].join(",");
        check("10.0.0.1", &[format!("1.2.3.4,{many}").as_bytes()], "10.0.0.9", false);
    }
}
