//! `portcullis pki` as scripts use it: arguments in, files, lines and exit codes out.

#![expect(clippy::unwrap_used, reason = "helpers of tests end the test")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::x509::{CrlStatus, X509, X509Crl, X509Req};
use serde_json::Value;
use tempfile::TempDir;

fn portcullis(dir: &TempDir, line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(line.split_whitespace())
        .current_dir(dir.path())
        .output()
        .unwrap()
}

/// Runs it and fails unless it ended with this code; both streams come back.
#[track_caller]
fn expect(dir: &TempDir, code: i32, line: &str) -> (String, String) {
    let output = portcullis(dir, line);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(code), "{line}\n{stdout}{stderr}");
    (stdout, stderr)
}

fn certificate(dir: &TempDir, name: &str) -> X509 {
    X509::from_pem(&std::fs::read(dir.path().join(name)).unwrap()).unwrap()
}

fn list(dir: &TempDir, name: &str) -> X509Crl {
    X509Crl::from_pem(&std::fs::read(dir.path().join(name)).unwrap()).unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn world() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (stdout, _) = expect(&dir, 0, "pki init --dir devices --name Devices");
    assert_eq!(stdout, "devices/ca.crt\n");
    dir
}

#[test]
fn an_authority_begins_with_an_empty_list_and_never_twice() {
    let dir = world();
    assert!(list(&dir, "devices/ca.crl").get_revoked().is_none());
    assert_eq!(mode(&dir.path().join("devices/ca.key")), 0o600);
    let (_, stderr) = expect(&dir, 1, "pki init --dir devices --name Again");
    assert!(stderr.contains("there already is an authority in `devices`"), "{stderr}");
}

#[test]
fn each_kind_is_issued_under_its_name() {
    let dir = world();
    let cases = [
        ("--device laptop-7", "laptop-7", "urn:device:laptop-7"),
        ("--service spiffe://example.com/api", "api", "spiffe://example.com/api"),
    ];
    for (whom, stem, uri) in cases {
        expect(&dir, 0, &format!("pki issue --dir devices {whom}"));
        let names = certificate(&dir, &format!("{stem}.crt")).subject_alt_names().unwrap();
        assert_eq!(names[0].uri(), Some(uri));
        assert_eq!(mode(&dir.path().join(format!("{stem}.key"))), 0o600);
    }
    let line = "pki issue --dir devices --server wiki.test --dns w.test --ip 10.0.0.1 --out srv.a";
    let (stdout, _) = expect(&dir, 0, line);
    assert_eq!(stdout, "srv.a.crt\nsrv.a.key\n");
    let names = certificate(&dir, "srv.a.crt").subject_alt_names().unwrap();
    assert_eq!(names[0].dnsname(), Some("wiki.test"));
    assert_eq!(names.len(), 3);
    let (stdout, _) = expect(&dir, 0, "pki list --dir devices --json");
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap().as_array().unwrap().len(), 3);
}

#[test]
fn a_request_is_certified_without_a_key_of_ours() {
    let dir = world();
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut request = X509Req::builder().unwrap();
    request.set_pubkey(&key).unwrap();
    request.sign(&key, MessageDigest::sha256()).unwrap();
    std::fs::write(dir.path().join("a.csr"), request.build().to_pem().unwrap()).unwrap();
    let line = "pki issue --dir devices --device a --csr a.csr --json";
    let receipt: Value = serde_json::from_str(&expect(&dir, 0, line).0).unwrap();
    assert_eq!((&receipt["certificate"], &receipt["key"]), (&"a.crt".into(), &Value::Null));
    assert!(certificate(&dir, "a.crt").public_key().unwrap().public_eq(&key));
    assert!(!dir.path().join("a.key").exists());
}

#[test]
fn a_revoked_certificate_is_on_the_list() {
    let dir = world();
    expect(&dir, 0, "pki issue --dir devices --device lost");
    expect(&dir, 0, "pki issue --dir devices --device kept");
    let line = "pki revoke --dir devices --cert lost.crt --reason key-compromise";
    assert_eq!(expect(&dir, 0, line).0, "devices/ca.crl\n");
    let revoked = list(&dir, "devices/ca.crl");
    let status = |name: &str| match revoked.get_by_cert(&certificate(&dir, name)) {
        CrlStatus::Revoked(_) => true,
        CrlStatus::NotRevoked | CrlStatus::RemoveFromCrl(_) => false,
    };
    assert!(status("lost.crt") && !status("kept.crt"));
    let (_, stderr) = expect(&dir, 1, line);
    assert!(stderr.contains("revoked already"), "{stderr}");
    let (stdout, _) = expect(&dir, 0, "pki list --dir devices --revoked");
    assert!(stdout.contains("revoked (key-compromise)") && stdout.lines().count() == 1, "{stdout}");
    expect(&dir, 0, "pki crl --dir devices --out other.crl --next-update 1h");
    assert_eq!(list(&dir, "other.crl").get_revoked().unwrap().len(), 1);
    expect(&dir, 1, "pki revoke --dir devices 0123");
}

#[test]
fn a_renewal_replaces_what_is_due() {
    let dir = world();
    expect(&dir, 0, "pki issue --dir devices --device a --lifetime 10d");
    let first = certificate(&dir, "a.crt");
    let (_, stderr) = expect(&dir, 0, "pki renew --dir devices --cert a.crt --before 5d");
    assert!(stderr.contains("left alone"), "{stderr}");
    assert_eq!(certificate(&dir, "a.crt").to_der().unwrap(), first.to_der().unwrap());
    expect(&dir, 0, "pki renew --dir devices --cert a.crt --before 30d --lifetime 90d");
    let second = certificate(&dir, "a.crt");
    assert!(second.not_after() > first.not_after());
    assert!(second.public_key().unwrap().public_eq(&first.public_key().unwrap()));
    expect(&dir, 0, "pki renew --dir devices --cert a.crt --key a.key --rekey");
    let third = certificate(&dir, "a.crt");
    let pem = std::fs::read(dir.path().join("a.key")).unwrap();
    let key = PKey::private_key_from_pem(&pem).unwrap();
    assert!(third.public_key().unwrap().public_eq(&key));
    assert!(!third.public_key().unwrap().public_eq(&second.public_key().unwrap()));
}

#[test]
fn a_command_that_is_written_wrongly_is_usage() {
    let dir = world();
    for line in [
        "pki",
        "pki issue --dir devices",
        "pki issue --dir devices --device a --server b",
        "pki issue --dir devices --service payroll",
        "pki issue --dir devices --device a --lifetime 30",
        "pki issue --dir devices --device a --lifetime 0s",
        "pki revoke --dir devices",
        "pki revoke --dir devices 1 --reason bored",
        "pki renew --dir devices --cert a.crt --rekey",
    ] {
        expect(&dir, 64, line);
    }
    let (_, stderr) = expect(&dir, 1, "pki list --dir nowhere");
    assert!(stderr.contains("`nowhere/ca.crt`"), "{stderr}");
}
