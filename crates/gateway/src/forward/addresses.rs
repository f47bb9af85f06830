//! `X-Forwarded-For`, rebuilt.
//!
//! From a client that connected itself: its address, and nothing that it said. Through trusted
//! proxies: the client's address as the facts have it, what the proxies after it saw, and the
//! proxy that connected. What stood to the left of the client is not passed on.

use std::fmt::Write as _;
use std::net::IpAddr;

use filter::Context;
use http::{HeaderMap, HeaderValue};

/// Proxies between the client and the one that connected, as many as anyone looks at.
const HOPS_MAX: usize = 32;

/// The value for a request.
pub(super) fn chain(headers: &HeaderMap, cx: &Context) -> HeaderValue {
    let peer = cx.client().peer.ip().to_canonical();
    let client = cx.address();
    let direct = cx.facts().network().is_none_or(|network| network.direct);
    let mut text = String::with_capacity(48);
    push(&mut text, client);
    if !direct && client != peer {
        for hop in hops_after(headers, client).into_iter().rev() {
            push(&mut text, hop);
        }
        push(&mut text, peer);
    }
    HeaderValue::try_from(text).unwrap_or_else(|_e| HeaderValue::from_static("unknown"))
}

/// What trusted proxies said that they saw, from the last one back to the client.
fn hops_after(headers: &HeaderMap, client: IpAddr) -> Vec<IpAddr> {
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    let items = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let mut hops = Vec::new();
    for item in items.take(HOPS_MAX) {
        let address =
            std::str::from_utf8(item.trim_ascii()).ok().and_then(|text| text.parse().ok());
        match address.map(|address: IpAddr| address.to_canonical()) {
            Some(address) if address != client => hops.push(address),
            Some(_) | None => break,
        }
    }
    hops
}

fn push(text: &mut String, address: IpAddr) {
    let separator = if text.is_empty() { "" } else { ", " };
    // Writing to a `String` has no way to fail.
    if write!(text, "{separator}{address}").is_err() {
        text.clear();
    }
}
