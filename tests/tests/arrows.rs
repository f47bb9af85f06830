//! The arrows between the crates: who may know whom. A crate exists where an arrow must be
//! forbidden, so a forbidden arrow is a failed test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What each crate may depend on, of ours. Tests are free in what they use.
const ARROWS: &[(&str, &[&str])] = &[
    ("document", &[]),
    ("metrics", &[]),
    ("pki", &[]),
    ("policy", &["document"]),
    ("filter", &["document", "policy", "metrics"]),
    ("identity", &["filter", "document", "policy", "metrics"]),
    ("posture", &["filter", "document", "policy", "metrics"]),
    ("authorization", &["filter", "policy", "metrics"]),
    ("upstream", &["document", "policy", "metrics"]),
    ("gateway", &["filter", "document", "policy", "upstream", "metrics"]),
    (
        "portcullis",
        &[
            "authorization",
            "document",
            "filter",
            "gateway",
            "identity",
            "metrics",
            "pki",
            "policy",
            "posture",
        ],
    ),
    ("geofence", &["document", "filter", "policy", "metrics"]),
    ("extended-gateway", &["authorization", "gateway", "geofence", "identity", "posture"]),
    ("scenarios", &["pki"]),
    ("floor", &[]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(args).current_dir(root()).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), {
        // Of stderr only what is no progress report.
        let errors = String::from_utf8_lossy(&output.stderr);
        errors.lines().filter(|line| line.starts_with("error")).collect::<String>()
    })
}

fn packages() -> Vec<Value> {
    let text = cargo(&["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let metadata: Value = serde_json::from_str(&text).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Name to the crates of ours that it depends on outside its tests.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let mut arrows = BTreeMap::new();
    for package in &packages {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let names = dependencies
            .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
            .filter_map(|dependency| dependency["name"].as_str())
            .filter(|name| ours.contains(name))
            .map(str::to_owned);
        arrows.insert(package["name"].as_str().unwrap().to_owned(), names.collect());
    }
    arrows
}

#[test]
fn every_arrow_is_allowed() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    for (from, to) in arrows() {
        let Some(allowed) = allowed.get(from.as_str()) else {
            panic!("`{from}` is new: say in this test what it may depend on");
        };
        let forbidden: Vec<_> =
            to.iter().filter(|name| !allowed.contains(&name.as_str())).collect();
        assert!(forbidden.is_empty(), "`{from}` must not depend on {forbidden:?}");
    }
}

#[test]
fn the_policy_has_no_io_no_async_and_no_pingora() {
    let tree = cargo(&["tree", "-p", "policy", "-e", "normal", "--prefix", "none", "--offline"]);
    let has = |name: &str| tree.lines().any(|line| line.split(' ').next() == Some(name));
    assert!(has("jiff"), "the tree could not be read: {tree}");
    for name in ["tokio", "pingora", "pingora-core", "pingora-http", "openssl", "reqwest", "mio"] {
        assert!(!has(name), "`policy` must not depend on `{name}`");
    }
}

#[test]
fn there_is_one_tls_stack() {
    for name in ["rustls", "ring"] {
        let tree = cargo(&["tree", "--workspace", "-i", name, "--offline"]);
        let found = !tree.is_empty() && !tree.contains("did not match any packages");
        let found = found && !tree.contains("nothing to print");
        assert!(!found, "`{name}` is in the tree:\n{tree}");
    }
}

#[test]
fn every_crate_is_on_the_map() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let listed = map.lines().any(|line| line.trim_start().starts_with(&format!("{name}/")))
            || map.contains(&format!("`{name}`"))
            || map.contains(&format!("crates/{name}"));
        assert!(listed, "`crates/{name}` is not on the map in ARCHITECTURE.md");
    }
}

#[test]
fn no_file_is_longer_than_a_person_reads() {
    let mut long = Vec::new();
    for top in ["bin", "crates", "tests", "load-tests"] {
        visit(&root().join(top), &mut |path| {
            let lines = std::fs::read_to_string(path).unwrap().lines().count();
            // A table of cases may be longer than code.
            let most =
                if path.components().any(|part| part.as_os_str() == "tests") { 500 } else { 400 };
            if lines > most {
                long.push(format!("{} ({lines} lines)", path.display()));
            }
        });
    }
    assert!(long.is_empty(), "too long: {long:#?}");
}

fn visit(dir: &Path, look: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            visit(&path, look);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            look(&path);
        }
    }
}
