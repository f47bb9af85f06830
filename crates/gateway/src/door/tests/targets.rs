//! P: targets.

use super::*;

#[test]
fn p_targets_on_both_versions() {
    let cases: &[(&str, &str, u16, &str)] = &[
        ("P1", "/public/../admin/x", 200, "/admin/x"),
        ("P1", "/../x", 400, ""),
        ("P2", "/public/%2e%2e/admin", 200, "/admin"),
        ("P3", "/public/..%2fadmin", 400, ""),
        ("P4", "/public/..;/admin", 400, ""),
        ("P5", "//admin", 200, "/admin"),
        ("P5", "/public//../admin", 400, ""),
        ("P6", "/\\admin", 400, ""),
        ("P7", "/admin%00", 400, ""),
        ("P7", "/a\tb", 400, ""),
        ("P7", "/admin\x0b", 400, ""),
        ("P7", "/a b", 400, ""),
        ("P8", "/%61dmin?a=%61", 200, "/admin?a=%61"),
        ("P9", "/%2561dmin", 200, "/%2561dmin"),
        ("P11", "/admin?x=/public", 200, "/admin?x=/public"),
        ("P11", "/admin?/public/", 200, "/admin?/public/"),
        ("P11", "/public?/../admin", 200, "/public?/../admin"),
        ("P11", "/a/../b?", 200, "/b?"),
        ("P12", "/admin%3f/public", 200, "/admin%3F/public"),
        ("P14", "/admin/.", 200, "/admin/"),
        ("P16", "*", 400, ""),
        ("P16", "?x", 400, ""),
        ("P17", "/%zz", 400, ""),
        ("P17", "/%", 400, ""),
        ("P17", "/%c0%ae", 400, ""),
        ("P17", "/?a=%zz", 400, ""),
        ("P17", "/?a=%", 400, ""),
        ("P17", "/?\u{e9}", 400, ""),
        ("P18", "/\u{ff41}dmin", 400, ""),
        ("query", "/?a=\\..;|{}[]^`'", 200, "/?a=\\..;|{}[]^`'"),
    ];
    for (case, target, expected, canonical) in cases {
        for outcome in [h1("GET", target, ""), h2("GET", Some(HOST), target, &[])] {
            assert_eq!(status(&outcome), *expected, "{case} {target:?} {outcome:?}");
            if let Ok(request) = outcome {
                assert_eq!(request.target.as_str(), *canonical, "{case} {target:?}");
            }
        }
    }
}

#[test]
fn p10_a_fragment_is_refused_where_it_can_be_seen_and_goes_nowhere_where_it_cannot() {
    for target in ["/admin#", "/admin#/public", "/public#/../admin", "/a?b#c", "/#?/admin"] {
        let outcome = h1("GET", target, "");
        assert_eq!(reason(&outcome), Some(Reason::Malformed(Malformed::Fragment)), "{target}");
    }
    let request = h2("GET", Some(HOST), "/public#/../admin", &[]).unwrap();
    assert_eq!(request.target.as_str(), "/public");
}

#[test]
fn p15_p16_o4_absolute_form_names_the_same_host_or_nothing() {
    for target in
        ["http://app.gw.test/admin", "https://app.gw.test/a/../admin", "HTTP://app.gw.test/admin"]
    {
        let request = h1("GET", target, "").unwrap();
        assert_eq!(request.target.as_str(), "/admin", "{target}");
        assert_eq!(&*request.host, HOST);
    }
    assert_eq!(h1("GET", "http://app.gw.test", "").unwrap().target.as_str(), "/");
    assert_eq!(h1("GET", "http://app.gw.test?q", "").unwrap().target.as_str(), "/?q");
    for target in [
        "http://open.gw.test/",
        "http://app.gw.test:81/",
        "http://a@app.gw.test/",
        "http:///x",
        "ftp://app.gw.test/",
        "ws://app.gw.test/",
        "http:/app.gw.test/",
        "http:app.gw.test/",
        "http://app.gw.test\\@b/",
        "admin",
        "\\admin",
        "!",
        "app.gw.test:80",
        "//",
        "x:/y",
    ] {
        let expected = if target == "//" { 200 } else { 400 };
        let outcome = h1("GET", target, "");
        assert_eq!(status(&outcome), expected, "{target} {outcome:?}");
        if target != "//" {
            assert_eq!(status(&h2("GET", Some(HOST), target, &[])), 400, "{target}");
        }
    }
    assert_eq!(status(&h1("OPTIONS", "*", "")), 400);
    assert_eq!(status(&h2("OPTIONS", Some(HOST), "*", &[])), 400);
    let bare = b"GET http://app.gw.test/admin HTTP/1.1\r\n\r\n";
    assert_eq!(status(&send(bare, None)), 400, "absolute-form without Host");
}

#[test]
fn p19_long_targets_are_414() {
    let path = format!("/{}", "a".repeat(8192));
    let segments = "/a".repeat(2000);
    let query = format!("/?{}", "a".repeat(32 << 10));
    for target in [&path, &segments, &query] {
        assert_eq!(status(&h1("GET", target, "")), 414);
        assert_eq!(status(&h2("GET", Some(HOST), target, &[])), 414);
    }
}

#[test]
fn p4_the_widest_profile_is_what_the_door_asks_with() {
    let head = stream("GET", Some(HOST), "/a;x=1/%2f", &[]).unwrap();
    let tls = handshake(Some(HOST));
    let arrival = Arrival { head: &head, raw: None, tls: Some(&tls) };
    let wide = PathProfile { parameters: true, danger_encoded_slash: true, ..Default::default() };
    assert!(enter(&arrival, &limits(), PathProfile::default()).is_err());
    assert!(enter(&arrival, &limits(), wide).is_err(), "nothing before the slash");
    let head = stream("GET", Some(HOST), "/a;x=1/b%2fc", &[]).unwrap();
    let arrival = Arrival { head: &head, raw: None, tls: Some(&tls) };
    assert_eq!(enter(&arrival, &limits(), wide).unwrap().path(), "/a;x=1/b%2Fc");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn i3_p21_what_passes_is_the_same_on_both_versions_and_comes_back(
        target in "/([a-c./;%\\\\?#]|%2[eEfF5]|%[0-9a-f]{2}|//|\\.\\.|[!-~]){0,12}",
    ) {
        let first = h1("GET", &target, "");
        let second = h2("GET", Some(HOST), &target, &[]);
        let Ok(first) = first else {
            // A fragment never reaches anyone on HTTP/2; everything else is refused there too.
            prop_assert!(second.is_err() || target.contains('#'), "{target}");
            return Ok(());
        };
        let second = second.map_err(|stop| TestCaseError::fail(format!("{target} {stop:?}")))?;
        prop_assert_eq!(&first.target, &second.target);
        let again = h1("GET", first.target.as_str(), "").map_err(|stop| {
            TestCaseError::fail(format!("{target} {stop:?}"))
        })?;
        prop_assert_eq!(first.target, again.target);
    }

    #[test]
    fn any_bytes_are_a_request_or_refused(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
        let stop = unheard(&raw, &limits());
        prop_assert!(matches!(stop, Stop::Refuse(_)));
        let whole = [&b"GET / HTTP/1.1\r\nHost: app.gw.test\r\n"[..], &raw, b"\r\n\r\n"].concat();
        let _passed = send(&whole, None).is_ok();
    }
}
