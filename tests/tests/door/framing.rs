//! S1 to S13: one request is one request. (S14 and S15 are the backend's side: `upstream.rs`.)
//!
//! Oracle: the recorder reads strictly what the gateway wrote, and a request that a smuggler hid
//! has `smuggled` in its target.

use scenarios::frames::{END_HEADERS, END_STREAM, Frame, encode, kind};
use scenarios::h2::fields;
use scenarios::house::House;
use scenarios::reply::Outcome;

const HEAD: &str = "POST /public/s HTTP/1.1\r\nHost: app.gw.test\r\n";
const SMUGGLED: &str = "GET /public/smuggled HTTP/1.1\r\nHost: app.gw.test\r\n\r\n";

/// Id and what follows the first two lines of a POST: each is refused.
fn refused() -> Vec<(&'static str, String)> {
    let mut cases = vec![
        (
            "S1",
            format!("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"),
        ),
        (
            "S2",
            format!(
                "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n{SMUGGLED}0\r\n\r\n"
            ),
        ),
    ];
    for te in [
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding: chunked\x0b",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding:",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer_Encoding: chunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding:\r\n chunked",
        " Transfer-Encoding: chunked",
    ] {
        cases.push(("S3", format!("{te}\r\n\r\n0\r\n\r\n{SMUGGLED}")));
    }
    for cl in [
        "Content-Length: 3\r\nContent-Length: 3",
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: 3,3",
        "Content-Length: +3",
        "Content-Length: -1",
        "Content-Length: 0x3",
        "Content-Length: ",
        "Content-Length: 18446744073709551616",
        "Content-Length: 18446744073709551619",
        "Content-Length : 3",
        "Content-Length: 3 3",
        "Content_Length: 3",
        "Content-Length: 3\x0b",
        "Content-Length\x00: 3",
    ] {
        cases.push(("S4", format!("{cl}\r\n\r\nabc")));
    }
    for expect in ["y 100-continue", "100-continue, 100-continue", "200-ok"] {
        cases.push(("S5", format!("Expect: {expect}\r\nContent-Length: 3\r\n\r\nabc")));
    }
    for size in ["0x1", "1_0", "+1", "-1", "fffffffffffffffff", " 1", "g", "1\x0b"] {
        cases.push((
            "S6",
            format!("Transfer-Encoding: chunked\r\n\r\n{size}\r\na\r\n0\r\n\r\n{SMUGGLED}"),
        ));
    }
    for line in [
        "X: a\rb",
        "X: a\nY: b",
        "X: a\0b",
        "X\u{85}: a",
        "X: a\r\n\tfolded",
        "X: a\r\n folded",
        ": x",
        "X : a",
        "X\t: a",
        "X y: a",
        "\"X\": a",
        "X(: a",
        "X",
        "X: \x01",
    ] {
        cases.push(("S8/S9", format!("{line}\r\nContent-Length: 0\r\n\r\n")));
    }
    cases
}

#[test]
fn s1_to_s9_ambiguous_framing_is_refused() {
    let house = House::start();
    for (id, rest) in refused() {
        let mut connection = house.h1("app.gw.test").unwrap();
        let outcome = connection.ask(format!("{HEAD}{rest}").as_bytes());
        let status = outcome.status();
        // A bad chunk is only seen when the head has passed: then the exchange is cut.
        let fits = match id {
            "S6" => matches!(status, Some(400) | None),
            "S5" => matches!(status, Some(400 | 417)),
            _ => status == Some(400),
        };
        assert!(fits, "{id} {rest:?}: {outcome:?}");
        assert!(connection.is_closed(), "{id} {rest:?}: the connection goes on");
    }
    for (id, head) in [
        ("S8", "GET /public/s HTTP/1.1\nHost: app.gw.test\n\n"),
        ("S8", "GET /public/s HTTP/1.1\r\nHost: app.gw.test\n\r\n"),
        ("S8", "\r\n\r\n\r\nGET /public/s HTTP/1.1\r\nHost: app.gw.test\r\n\r\n"),
        ("S10", "GET /public/s HTTP/1.2\r\nHost: app.gw.test\r\n\r\n"),
        ("S10", "GET /public/s HTTP/2.0\r\nHost: app.gw.test\r\n\r\n"),
        ("S10", "GET /public/s HTTP/1.1 \r\nHost: app.gw.test\r\n\r\n"),
        ("S10", "GET /public/s http/1.1\r\nHost: app.gw.test\r\n\r\n"),
        (
            "S10",
            "POST /public/s HTTP/1.0\r\nHost: app.gw.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
    ] {
        let outcome = house.raw(head.as_bytes());
        assert!(matches!(outcome.status(), Some(400 | 505) | None), "{id} {head:?}: {outcome:?}");
    }
    let hits: Vec<_> = house.app.seen().into_iter().map(|seen| seen.raw).collect();
    assert!(hits.is_empty(), "no refused request reached the backend: {hits:?}");
    house.sound();
}

#[test]
fn s3_s5_s6_plain_framing_passes() {
    let house = House::start();
    for (id, rest, body) in [
        ("S3", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "abc"),
        ("S3", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "abc"),
        ("S6", "Transfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n0\r\n\r\n", "abc"),
        ("S6", "Transfer-Encoding: chunked\r\n\r\n0003\r\nabc\r\n0\r\n\r\n", "abc"),
        ("S5", "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", "abc"),
        ("S4", "Content-Length: 3\r\n\r\nabc", "abc"),
    ] {
        let outcome = house.raw(format!("{HEAD}{rest}").as_bytes());
        let reply = outcome.expect_reply();
        assert_eq!(reply.status, 200, "{id} {rest:?}: {}", reply.picture());
        let seen = house.app.last();
        assert_eq!(seen.body, body.as_bytes(), "{id} {rest:?}");
        assert_eq!(seen.header("expect"), None, "{id}: `Expect` was forwarded");
    }
    // CL.0 and its kin: a body that looks like a request is a body.
    let body = SMUGGLED;
    let bytes = format!(
        "GET /public/s5 HTTP/1.1\r\nHost: app.gw.test\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let outcome = house.raw(bytes.as_bytes());
    assert!(matches!(outcome.status(), Some(200 | 400)), "S5: {outcome:?}");
    house.sound();
}

#[test]
fn s6_an_empty_chunk_size_hides_nothing() {
    // Pingora reads it as 0 before anyone else sees it: the body ends there, and what follows is
    // a request with a decision of its own, or none.
    let house = House::start();
    let rest = format!("Transfer-Encoding: chunked\r\n\r\n\r\na\r\n0\r\n\r\n{SMUGGLED}");
    let mut connection = house.h1("app.gw.test").unwrap();
    let outcome = connection.ask(format!("{HEAD}{rest}").as_bytes());
    assert!(matches!(outcome.status(), Some(200 | 400) | None), "S6: {outcome:?}");
    assert!(connection.read(false).status() != Some(200), "S6: a second answer");
    assert!(house.hits() <= 1, "S6");
    house.sound();
}

#[test]
fn s7_trailers_never_become_headers() {
    let house = House::start();
    for (trailer, may_pass) in [
        ("X-Trailer: 1\r\n\r\n", true),
        ("Content-Length: 5\r\n\r\n", true),
        ("X-Portcullis-User: ada\r\n\r\n", true),
        ("Host: open.gw.test\r\n\r\n", true),
    ] {
        let bytes = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n{trailer}");
        let outcome = house.raw(bytes.as_bytes());
        let fits = matches!(outcome.status(), Some(400) | None)
            || (may_pass && outcome.status() == Some(200));
        assert!(fits, "S7 {trailer:?}: {outcome:?}");
    }
    // A chunk that does not end where it says.
    for body in [
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nab\r\n0\r\n\r\n",
    ] {
        let outcome =
            house.raw(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{body}").as_bytes());
        assert!(matches!(outcome.status(), Some(400) | None), "S7 {body:?}: {outcome:?}");
    }
    for seen in house.app.seen() {
        for name in ["x-trailer", "x-portcullis-user"] {
            assert!(
                seen.header(name) != Some("1") && seen.header(name) != Some("ada"),
                "S7: {seen:?}"
            );
        }
        assert_eq!(seen.all("host"), ["app.gw.test"], "S7");
    }
    house.sound();
}

#[test]
fn s11_s12_each_pipelined_request_has_its_own_decision() {
    let house = House::start();
    let ada = scenarios::tokens::CORP.bearer("ada");
    let mut bytes = Vec::new();
    for n in 0..10 {
        let credential =
            if n % 2 == 0 { format!("Authorization: Bearer {ada}\r\n") } else { String::new() };
        bytes.extend(
            format!("GET /admin/s11/{n} HTTP/1.1\r\nHost: app.gw.test\r\n{credential}\r\n")
                .into_bytes(),
        );
    }
    let mut connection = house.h1("app.gw.test").unwrap();
    connection.send(&bytes).unwrap();
    // A gateway may close instead of serving what was pipelined; it may not mix the answers up.
    for n in 0..10 {
        match connection.read(false) {
            Outcome::Answer(reply) if n % 2 == 0 => {
                assert_eq!(reply.status, 200, "S11 {n}: {}", reply.picture());
                assert_eq!(reply.json()["target"], format!("/admin/s11/{n}"), "S11");
            }
            Outcome::Answer(reply) => assert_eq!(reply.status, 401, "S11 {n}: {}", reply.picture()),
            Outcome::Reset(_) | Outcome::Closed(_) => break,
        }
    }
    for seen in house.app.seen() {
        let n: usize = seen.target.rsplit('/').next().unwrap().parse().unwrap();
        assert_eq!(n % 2, 0, "S11: {} passed without a credential", seen.target);
    }

    // S12: refused before its body was read; what follows is never a request.
    let hits = house.hits();
    let mut connection = house.h1("app.gw.test").unwrap();
    let length = SMUGGLED.len() + 100_000;
    let head =
        format!("POST /s12 HTTP/1.1\r\nHost: app.gw.test\r\nContent-Length: {length}\r\n\r\n");
    let outcome = connection.ask(format!("{head}{SMUGGLED}").as_bytes());
    assert_eq!(outcome.status(), Some(401), "S12: {outcome:?}");
    drop(connection.send(SMUGGLED.as_bytes()));
    assert!(connection.is_closed(), "S12: the connection goes on");
    assert_eq!(house.hits(), hits, "S12");
    house.sound();
}

#[test]
fn s13_h2_says_one_request_or_none() {
    let house = House::start();
    let bad: &[(&str, &str, &str)] = &[
        ("transfer-encoding", "chunked", "te"),
        ("connection", "close", "connection"),
        ("keep-alive", "5", "keep-alive"),
        ("upgrade", "websocket", "upgrade"),
        ("te", "gzip", "te gzip"),
        ("x-a", "a\r\nb: c", "CRLF"),
        ("x-a", "a\nb", "LF"),
        ("x-a", "a\0b", "NUL"),
        ("X-A", "a", "upper case"),
        ("x a", "b", "space in name"),
        ("x-a: b\r\nx", "c", "CRLF in name"),
        ("", "x", "empty name"),
        (":path", "/public/smuggled", "second path"),
        (":unknown", "x", "unknown pseudo-header"),
        ("content-length", "5", "length without a body"),
        ("content-length", "+0", "a length with a sign"),
    ];
    for (name, value, what) in bad {
        let mut all = fields("GET", "app.gw.test", "/public/s13");
        all.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        let outcome = house.raw_h2(&all, None);
        let refused = matches!(outcome, Outcome::Reset(_)) || outcome.status() == Some(400);
        assert!(refused, "S13 {what}: {outcome:?}");
    }
    for (method, path) in [
        ("GET / HTTP/1.1\r\nHost: app.gw.test\r\n\r\nGET", "/public/smuggled"),
        ("GET", "/public/s HTTP/1.1\r\nHost: x\r\n\r\nGET /public/smuggled"),
        ("G ET", "/public/s13"),
        ("GET", ""),
    ] {
        let outcome = house.raw_h2(&fields(method, "app.gw.test", path), None);
        let refused =
            matches!(outcome, Outcome::Reset(_)) || matches!(outcome.status(), Some(400 | 405));
        assert!(refused, "S13 {method:?} {path:?}: {outcome:?}");
    }
    // A length that its data contradicts.
    for (length, data) in [("5", &b"abc"[..]), ("1", b"abc")] {
        let mut all = fields("POST", "app.gw.test", "/public/s13");
        all.push((b"content-length".to_vec(), length.into()));
        let outcome = house.raw_h2(&all, Some(data));
        assert!(outcome.status() != Some(200), "S13 CL {length}: {outcome:?}");
    }
    // Empty pieces between the others end nothing.
    let mut connection = house.h2("app.gw.test").unwrap();
    let stream = connection.start(&fields("POST", "app.gw.test", "/public/pieces"), false).unwrap();
    for piece in ["", "abc", "", "", SMUGGLED, ""] {
        connection.data(stream, piece.as_bytes(), false).unwrap();
    }
    connection.data(stream, b"", true).unwrap();
    assert_eq!(connection.finish(stream).status(), Some(200));
    assert_eq!(house.app.last().body, format!("abc{SMUGGLED}").as_bytes());
    // END_STREAM twice: the second belongs to nothing.
    let mut connection = house.h2("app.gw.test").unwrap();
    let stream = connection.start(&fields("GET", "app.gw.test", "/public/twice"), true).unwrap();
    let block = encode(&fields("GET", "app.gw.test", "/public/smuggled"));
    let again = Frame::new(kind::HEADERS, END_STREAM | END_HEADERS, stream, block);
    connection.frame(&again).unwrap();
    drop(connection.finish(stream));
    house.sound();
}
