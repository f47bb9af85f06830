//! Why Pingora refused a head before any hook: it says only that it did, so the bytes are asked.

use policy::Malformed;

use super::fault::Fault;
use super::host;
use super::limits::Limits;
use super::wire::{NO_END, Wire};

pub(super) fn why(raw: &[u8], limits: &Limits) -> Fault {
    let wire = match Wire::read(raw) {
        Ok(wire) => wire,
        Err(fault) if fault == NO_END && raw.len() > limits.head_bytes => {
            return Fault::FieldsTooLarge("the head is longer than its limit");
        }
        Err(fault) => return fault,
    };
    if wire.method == b"CONNECT" {
        return Fault::Method("CONNECT opens no tunnel here");
    }
    if wire.target.len() > limits.path_bytes.saturating_add(limits.query_bytes) {
        return Fault::TargetTooLong("the target is longer than its limit");
    }
    if wire.fields > limits.header_count || wire.bytes > limits.head_bytes {
        return Fault::FieldsTooLarge("more header fields, or more bytes of them, than the limit");
    }
    let Some(named) = wire.host else {
        return Fault::Malformed(Malformed::Host, "not one host");
    };
    if let Err(fault) = host::check(named) {
        return fault;
    }
    if !wire.target.starts_with(b"/") {
        return Fault::Malformed(Malformed::Target, "a target that is not this host's");
    }
    Fault::Malformed(Malformed::Header, "the head could not be parsed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::LimitsConf;

    #[test]
    fn a_refusal_before_the_hooks_has_its_reason() {
        let limits = Limits::new(&LimitsConf::default()).unwrap();
        let many = "X: a\r\n".repeat(300);
        let long = "a".repeat(70_000);
        let malformed = |what| move |fault| matches!(fault, Fault::Malformed(w, _) if w == what);
        let check = |raw: &str, fits: &dyn Fn(Fault) -> bool| {
            let fault = why(raw.as_bytes(), &limits);
            assert!(fits(fault), "{raw:.60} {fault:?}");
        };
        let host = &malformed(Malformed::Host);
        let framing = &malformed(Malformed::Framing);
        let large = &|fault| matches!(fault, Fault::FieldsTooLarge(_));
        check("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", host);
        check("GET / HTTP/1.1\r\nHost: b@a\r\n\r\n", host);
        check("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", &malformed(Malformed::Target));
        check("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", framing);
        check("GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", framing);
        check("GET / HTTP/1.1\r\nHost: a\r\n\tb\r\n\r\n", framing);
        check("GET / HTTP/1.1\r\nHost: a\r\n", framing);
        check(&format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), large);
        check(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}"), large);
        check(&format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), &|fault| {
            matches!(fault, Fault::TargetTooLong(_))
        });
        check("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", &|fault| {
            matches!(fault, Fault::Method(_))
        });
        // What follows the head is no part of it.
        check(&format!("GET / HTTP/1.1\r\nHost: b@a\r\n\r\n{long}"), host);
    }
}
