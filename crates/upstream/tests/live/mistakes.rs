//! What an operator may write wrongly: each a mistake with a place and a remedy, all at once.

use std::path::Path;

use document::Level;

use super::authority::{DAY, Leaf, Pair};
use super::site::{dir, kept, load};

/// A directory with everything that could be named.
fn files(dir: &Path) {
    let root = Pair::root("root");
    root.write(dir, "ca");
    root.issue(&Leaf::nameless("gateway")).write(dir, "gateway");
    root.issue(&Leaf::nameless("another")).write(dir, "another");
    root.issue(&Leaf { to: -DAY, from: -9 * DAY, ..Leaf::nameless("old") }).write(dir, "old");
    root.issue(&Leaf { to: DAY, ..Leaf::nameless("soon") }).write(dir, "soon");
    std::fs::write(dir.join("empty.crt"), "").unwrap();
    std::fs::write(dir.join("noise.crt"), "no certificate").unwrap();
    std::fs::write(dir.join("ca.crl"), root.crl(&[], DAY)).unwrap();
    std::fs::write(dir.join("old.crl"), root.crl(&[], -DAY)).unwrap();
    std::fs::write(dir.join("other.crl"), Pair::root("other").crl(&[], DAY)).unwrap();
}

/// `error` or `warning` with its code and line, in the order found.
fn found(dir: &Path, text: &str) -> Vec<String> {
    let (kept, _) = kept();
    let mistakes = match load(dir, text, &kept) {
        Ok((_, warnings)) => warnings,
        Err(mistakes) => mistakes,
    };
    mistakes
        .iter()
        .map(|mistake| {
            let line = mistake.place.as_ref().map_or(0, |place| place.line);
            assert!(mistake.help.is_some(), "{mistake}");
            let level = match mistake.level {
                Level::Error => "",
                Level::Warning => "warning ",
            };
            format!("{level}{} at {line}", mistake.code)
        })
        .collect()
}

#[test]
fn each_has_its_place() {
    let dir = dir();
    files(dir.path());
    let good = "tls: {ca: ca.crt, server_name: a.internal}";
    let cases: [(&str, &[&str]); 28] = [
        (good, &[]),
        ("tls: {ca: ca.crt, server_name: \"\"}", &["bad-identity at 5"]),
        ("tls: {ca: ca.crt, server_name: a_b.internal}", &["bad-identity at 5"]),
        ("tls: {ca: ca.crt}", &["no-server-name at 5"]),
        ("tls: {server_name: a.internal}", &["no-ca at 5"]),
        ("tls: {ca: empty.crt, server_name: a.internal}", &["file-empty at 5"]),
        ("tls: {ca: noise.crt, server_name: a.internal}", &["certificate-unreadable at 5"]),
        ("tls: {ca: absent.crt, server_name: a.internal}", &["file-unreadable at 5"]),
        ("tls: {ca: gateway.crt, server_name: a.internal}", &["ca-without-root at 5"]),
        (
            "tls: {ca: ca.crt, server_name: a.b, spiffe_id: \"spiffe://X/a\"}",
            &["bad-identity at 5"],
        ),
        ("tls: {ca: ca.crt, server_name: a.b, cert: gateway.crt}", &["half-identity at 5"]),
        (
            "tls: {ca: ca.crt, server_name: a.b, cert: gateway.crt, key: another.key}",
            &["key-mismatch at 5"],
        ),
        (
            "tls: {ca: ca.crt, server_name: a.b, cert: gateway.crt, key: noise.crt}",
            &["key-unreadable at 5"],
        ),
        (
            "tls: {ca: ca.crt, server_name: a.b, cert: gateway.crt, key: absent.key}",
            &["file-unreadable at 5"],
        ),
        (
            "tls: {ca: ca.crt, server_name: a.b, cert: old.crt, key: old.key}",
            &["certificate-expired at 5"],
        ),
        (
            "tls: {ca: ca.crt, server_name: a.b, cert: soon.crt, key: soon.key}",
            &["warning certificate-ends at 5"],
        ),
        ("tls: {ca: ca.crt, server_name: a.b, crl: ca.crl}", &[]),
        ("tls: {ca: ca.crt, server_name: a.b, crl: old.crl}", &["warning crl-overdue at 5"]),
        ("tls: {ca: ca.crt, server_name: a.b, crl: other.crl}", &["crl-untrusted at 5"]),
        ("tls: {ca: ca.crt, server_name: a.b, crl: noise.crt}", &["crl-unreadable at 5"]),
        ("protocol: http1", &["no-tls at 3"]),
        ("danger_plaintext: true", &["warning danger-plaintext at 5"]),
        ("danger_plaintext: false", &["no-tls at 3"]),
        ("danger_unverified: true", &["warning danger-unverified at 5"]),
        (
            "tls: {ca: ca.crt, server_name: a.b}\n    danger_plaintext: true",
            &["contradiction at 6"],
        ),
        (
            "tls: {ca: ca.crt, server_name: a.b}\n    danger_unverified: true",
            &["warning danger-unverified at 6", "contradiction at 5"],
        ),
        (
            "danger_plaintext: true\n    paths: {danger_encoded_slash: true}",
            &["warning danger-paths at 6", "warning danger-plaintext at 5"],
        ),
        (
            "danger_plaintext: true\n    connect_timeout: 0s",
            &["out-of-range at 6", "warning danger-plaintext at 5"],
        ),
    ];
    for (keys, expected) in cases {
        let text =
            format!("upstreams:\n  - name: a\n    endpoints: [\"127.0.0.1:9\"]\n    {keys}\n");
        assert_eq!(found(dir.path(), &text), expected, "{keys}");
    }
}

#[test]
fn all_are_told_at_once() {
    let dir = dir();
    files(dir.path());
    let text = "upstreams:
  - {name: a, endpoints: [], danger_plaintext: true}
  - {name: b, endpoints: [\"x\", \"127.0.0.1:9\", \"127.0.0.1:9\"], danger_plaintext: true}
  - {name: b, endpoint: [\"127.0.0.1:9\"], danger_plaintext: true}
  - {name: b, endpoints: [\"127.0.0.1:9\"], danger_plaintext: true}
  - {name: \"c d\", endpoints: [\"127.0.0.1:9\"], tls: {ca: empty.crt, server_name: c}}
";
    let all = found(dir.path(), text);
    for expected in [
        "no-endpoint at 3",
        "bad-endpoint at 4",
        "duplicate-endpoint at 4",
        "unknown-key at 5",
        "duplicate-name at 6",
        "bad-name at 7",
        "file-empty at 7",
    ] {
        assert!(all.iter().any(|one| one == expected), "{expected} in {all:#?}");
    }
}

#[test]
fn files_and_ends_are_told() {
    let dir = dir();
    files(dir.path());
    let text = "upstreams:
  - name: a
    endpoints: [\"127.0.0.1:9\"]
    tls: {ca: ca.crt, server_name: a.b, cert: gateway.crt, key: gateway.key, crl: ca.crl}
";
    let (kept, _) = kept();
    let (upstreams, warnings) = load(dir.path(), text, &kept).unwrap();
    assert_eq!(warnings, []);
    let mut names: Vec<_> =
        upstreams.files().iter().filter_map(|file| file.file_name()?.to_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["ca.crl", "ca.crt", "gateway.crt", "gateway.key"]);
    let mut ends: Vec<_> =
        upstreams.expiries().iter().map(|expiry| (expiry.role, &*expiry.name)).collect();
    ends.sort_unstable();
    assert_eq!(ends, [("upstream-ca", "a"), ("upstream-client", "a")]);
    assert_eq!(
        upstreams.revocation_lists().map(|(issuer, _)| issuer).collect::<Vec<_>>(),
        ["root"]
    );
}
