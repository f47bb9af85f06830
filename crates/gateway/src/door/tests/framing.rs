//! S: lines, lengths, sizes.

use super::*;

#[test]
fn s1_to_s4_framing() {
    for (case, fields) in [
        ("S1", "Content-Length: 13\r\nTransfer-Encoding: chunked\r\n"),
        ("S2", "Transfer-Encoding: chunked\r\nContent-Length: 13\r\n"),
        ("S3", "Transfer-Encoding : chunked\r\n"),
        ("S3", "Transfer-Encoding: \tchunked\r\n"),
        ("S3", "Transfer-Encoding: chunked\x0b\r\n"),
        ("S3", "Transfer-Encoding: xchunked\r\n"),
        ("S3", "Transfer-Encoding: chunked, identity\r\n"),
        ("S3", "Transfer-Encoding: identity, chunked\r\n"),
        ("S3", "Transfer-Encoding: ,chunked\r\n"),
        ("S3", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        ("S3", "Transfer_Encoding: chunked\r\n"),
        ("S3", "Transfer.Encoding: chunked\r\n"),
        ("S4", "Content_Length: 5\r\n"),
        ("S4", "Content-Length: 5\r\nContent-Length: 5\r\n"),
        ("S4", "Content-Length: 5\r\nContent-Length: 6\r\n"),
        ("S4", "Content-Length: 5,5\r\n"),
        ("S4", "Content-Length: +5\r\n"),
        ("S4", "Content-Length: -1\r\n"),
        ("S4", "Content-Length: 0x5\r\n"),
        ("S4", "Content-Length: 5 \r\n"),
        ("S4", "Content-Length: \r\n"),
        ("S4", "Content-Length: 00005\r\n"),
        ("S4", "Content-Length: 18446744073709551616\r\n"),
        ("S4", "Content-Length : 5\r\n"),
        ("S9", "Content-Length\0: 5\r\n"),
    ] {
        let outcome = h1("POST", "/", fields);
        assert_eq!(status(&outcome), 400, "{case} {fields:?} {outcome:?}");
    }
    for fields in
        ["Transfer-Encoding: CHUNKED\r\n", "Content-Length: 5\r\n", "Content-Length: 0\r\n"]
    {
        assert_eq!(status(&h1("POST", "/", fields)), 200, "{fields:?}");
    }
    let old = format!("POST / HTTP/1.0\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(status(&send(old.as_bytes(), None)), 400, "S10");
    let streams: &[&[(&str, &[u8])]] = &[
        &[("transfer-encoding", b"chunked")],
        &[("content-length", b"5"), ("content-length", b"5")],
        &[("content-length", b"5,5")],
        &[("content-length", b"+5")],
        &[("content_length", b"5")],
    ];
    for fields in streams {
        assert_eq!(status(&h2("POST", Some(HOST), "/", fields)), 400, "S13 {fields:?}");
    }
}

#[test]
fn s5_expectations() {
    assert_eq!(status(&h1("POST", "/", "Expect: 100-continue\r\nContent-Length: 5\r\n")), 200);
    for fields in [
        "Expect: y 100-continue\r\n",
        "Expect: 200-ok\r\n",
        "Expect: 100-continue, x\r\n",
        "Expect: 100-continue\r\nExpect: 100-continue\r\n",
        "Expect: \r\n",
    ] {
        let outcome = h1("POST", "/", fields);
        assert_eq!(status(&outcome), 417, "{fields:?}");
        assert_eq!(reason(&outcome), Some(Reason::Malformed(Malformed::Expect)));
    }
    assert_eq!(status(&h2("POST", Some(HOST), "/", &[("expect", b"y")])), 417);
}

#[test]
fn s8_s9_s10_heads_that_pingora_takes_and_the_door_does_not() {
    for (case, raw) in [
        ("S8", "GET / HTTP/1.1\nHost: app.gw.test\n\n"),
        ("S8", "GET / HTTP/1.1\r\nHost: app.gw.test\nX: a\r\n\r\n"),
        ("S8", "\r\n\r\nGET / HTTP/1.1\r\nHost: app.gw.test\r\n\r\n"),
        ("S8", "GET / HTTP/1.1\r\nHost: app.gw.test\r\nX: a\r\n b\r\n\r\n"),
        ("S8", "GET / HTTP/1.1\r\nHost: app.gw.test\r\nX: a\rb\r\n\r\n"),
        ("S9", "GET / HTTP/1.1\r\nHost: app.gw.test\r\n: a\r\n\r\n"),
        ("S10", "GET / HTTP/1.2\r\nHost: app.gw.test\r\n\r\n"),
        ("S10", "GET / HTTP/1.1 \r\nHost: app.gw.test\r\n\r\n"),
        ("S10", "GET /x HTTP/1.1 HTTP/1.1\r\nHost: app.gw.test\r\n\r\n"),
        ("S10", "GET /\r\n"),
    ] {
        assert_eq!(status(&send(raw.as_bytes(), None)), 400, "{case} {raw:?}");
    }
    assert_eq!(
        status(&send(b"\r\nGET / HTTP/1.1\r\nX: 1\r\nHost: app.gw.test\r\n\r\n", None)),
        200
    );
}

#[test]
fn s11_what_follows_the_head_is_not_judged() {
    let raw = b"POST / HTTP/1.1\r\nHost: app.gw.test\r\nContent-Length: 20\r\n\r\nGET /admin HTTP/1.1\n\n";
    assert_eq!(send(raw, None).unwrap().path(), "/");
}

#[test]
fn s9_counts_and_sizes_are_431() {
    let fields = |count| (0..count).map(|n| format!("X-{n}: a\r\n")).collect::<Vec<_>>().concat();
    let many = fields(100);
    assert_eq!(status(&h1("GET", "/", &many)), 431);
    let fits = fields(99);
    assert_eq!(status(&h1("GET", "/", &fits)), 200);
    let wide = format!("X: {}\r\n", "a".repeat(32 << 10));
    assert_eq!(status(&h1("GET", "/", &wide)), 431);
    let crumbs: Vec<(&str, &[u8])> = (0..101).map(|_| ("cookie", &b"a=b"[..])).collect();
    assert_eq!(status(&h2("GET", Some(HOST), "/", &crumbs)), 431);
    let big = vec![b'a'; 32 << 10];
    assert_eq!(status(&h2("GET", Some(HOST), "/", &[("x", &big)])), 431);
}

#[test]
fn a_head_without_its_bytes_does_not_pass() {
    let mut head = RequestHeader::build("GET", b"/", None).unwrap();
    head.insert_header("Host", HOST).unwrap();
    head.set_version(Version::HTTP_11);
    let arrival = Arrival { head: &head, raw: None, tls: None };
    assert_eq!(status(&enter(&arrival, &limits(), PathProfile::default())), 400);
    head.set_version(Version::HTTP_3);
    let arrival = Arrival { head: &head, raw: None, tls: None };
    let outcome = enter(&arrival, &limits(), PathProfile::default());
    assert_eq!(reason(&outcome), Some(Reason::Malformed(Malformed::Version)));
}
