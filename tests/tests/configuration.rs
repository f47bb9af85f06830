//! F2, X9: a configuration that cannot be fully understood is not loaded. Each mistake is named
//! with its place and what to write instead; `run` ends with 78 and never half-open.

use std::net::TcpListener;
use std::path::Path;

use scenarios::certificates::Leaf;
use scenarios::plan::Ports;
use scenarios::verbs::{Done, portcullis};
use scenarios::{Plan, Recorder, gateway};

const ROUTES: &str = r#"
  - name: app
    hosts: [app.gw.test]
    upstream: app
    rules: [{id: everyone, allow: {}}]
"#;

/// A plan that is right.
fn plan() -> Plan {
    gateway().with_routes(ROUTES).with_upstream("app", "127.0.0.1:9".parse().unwrap(), "")
}

/// Writes a change of the configuration's text and asks `check` and `run`.
#[track_caller]
fn refuse(what: &str, plan: &Plan, change: impl FnOnce(String) -> String) -> Done {
    let ports = Ports::free();
    let before = plan.text(&ports);
    let after = change(before);
    plan.world.write("portcullis.yaml", &after);
    let checked = portcullis(plan.world.path(), &["check", "-c", "portcullis.yaml"]);
    assert!(
        matches!(checked.code, 1 | 78),
        "{what}: `check` ends with {}:\n{}",
        checked.code,
        checked.stderr
    );
    let mut process = plan.launch();
    let status = process.wait();
    let output = process.output();
    assert_eq!(status.code(), Some(78), "{what}: `run` printed\n{output}");
    assert!(!output.contains("panicked"), "{what}: {output}");
    for port in [ports.public, ports.admin] {
        assert!(std::net::TcpStream::connect(port).is_err(), "{what}: half-open on {port}");
    }
    checked
}

#[test]
fn a_right_configuration_is_checked_without_a_word_of_error() {
    let plan = plan();
    plan.write(&Ports::free());
    let done = portcullis(plan.world.path(), &["check", "-c", "portcullis.yaml"]).expect(0);
    assert!(!done.stderr.contains("error"), "{}", done.stderr);
}

/// What is wrong, the text that is replaced, by what, and what the message must say.
const MISTAKES: &[(&str, &str, &str, &[&str])] = &[
    ("an unknown section", "audit:\n", "audits:\n", &["audits", "audit", "portcullis.yaml:"]),
    (
        "an unknown key",
        "  state_dir:",
        "  state_dri:",
        &["state_dri", "state_dir", "portcullis.yaml:"],
    ),
    ("an unknown key of a rule", "allow: {}", "alow: {}", &["alow", "allow"]),
    (
        "an unknown attribute",
        "allow: {}}",
        "allow: {}, when: {user.gruops: eng}}",
        &["user.gruops", "user.groups"],
    ),
    (
        "an unknown condition",
        "allow: {}}",
        "allow: {}, when: {all: [strong]}}",
        &["strong", "portcullis.yaml:"],
    ),
    ("an upstream that is not there", "    upstream: app\n", "    upstream: ap\n", &["ap", "app"]),
    (
        "two rules of one id",
        "[{id: everyone, allow: {}}]",
        "[{id: a, allow: {}}, {id: a, deny: {}}]",
        &["portcullis.yaml:"],
    ),
    ("a host that is none", "[app.gw.test]", "[\"*\"]", &["*", "portcullis.yaml:"]),
    (
        "a wrong type",
        "  state_dir: state",
        "  state_dir: [state]",
        &["state_dir", "portcullis.yaml:"],
    ),
    ("a wrong version", "version: 1", "version: 2", &["version"]),
    ("no version", "version: 1\n", "", &["version"]),
    ("an unknown method", "allow: {}", "allow: {methods: [GETT]}", &["GETT"]),
    ("a path that is none", "allow: {}", "allow: {paths: [reports]}", &["reports"]),
    (
        "no authority for a backend",
        "ca: pki/backends-ca.crt, cert",
        "cert",
        &["ca", "portcullis.yaml:"],
    ),
    ("an empty server name", "server_name: app.internal", "server_name: \"\"", &["server_name"]),
    ("no TLS to a backend", "    tls: {ca: pki/backends", "    tlss: {ca: pki/backends", &["tls"]),
    (
        "a file that is not there",
        "cert: pki/gateway.crt",
        "cert: pki/nowhere.crt",
        &["pki/nowhere.crt"],
    ),
    (
        "a key that is not there",
        "key: pki/gateway.key",
        "key: pki/nowhere.key",
        &["pki/nowhere.key"],
    ),
    (
        "a key of another certificate",
        "key: pki/gateway.key",
        "key: pki/gateway-client.key",
        &["gateway"],
    ),
    (
        "an authority that is not there",
        "ca: pki/services-ca.crt",
        "ca: pki/nowhere.crt",
        &["pki/nowhere.crt"],
    ),
    ("a key set that is not there", "corp.jwks.json", "nowhere.json", &["nowhere.json"]),
    ("an inventory that is not there", "devices.yaml", "nowhere.yaml", &["nowhere.yaml"]),
    ("no issuer", "issuer: 'https://corp.gw.test', ", "", &["issuer"]),
    (
        "no audience",
        "audiences: [portcullis], jwks: {file: corp",
        "audiences: [], jwks: {file: corp",
        &["audience"],
    ),
    (
        "an admin listener for all",
        "admin: {address: \"127.0.0.1",
        "admin: {address: \"0.0.0.0",
        &["danger_public"],
    ),
    ("a text that is no YAML", "version: 1\n", "version: 1\n\t[\n", &["portcullis.yaml:"]),
    ("a key twice", "version: 1\n", "version: 1\nversion: 1\n", &["version"]),
];

#[test]
fn f2_every_mistake_has_a_place_and_a_remedy() {
    let mut told = Vec::new();
    for (what, from, to, says) in MISTAKES {
        let plan = plan();
        let done = refuse(what, &plan, |text| {
            assert!(text.contains(from), "{what}: {from:?} is not in\n{text}");
            text.replacen(from, to, 1)
        });
        let all = format!("{}{}", done.stdout, done.stderr);
        for word in *says {
            if !all.contains(word) {
                told.push(format!("{what}: no {word:?} in\n{all}"));
            }
        }
        for inner in ["panicked", "Error(", "struct ", "serde", "RUST_BACKTRACE"] {
            if all.contains(inner) {
                told.push(format!("{what}: {inner:?} in\n{all}"));
            }
        }
    }
    assert!(told.is_empty(), "{}", told.join("\n---\n"));
}

#[test]
fn several_mistakes_are_told_at_once() {
    // What is wrong in itself, in every section.
    let words = [
        ("  state_dir:", "  state_dri:", "state_dri"),
        ("    endpoints:", "    endpoint:", "endpoint"),
        ("  api_tokens:", "  api_token:", "api_token"),
        ("  inventory:", "  inventry:", "inventry"),
        ("allow: {}", "alow: {}", "alow"),
        ("  file: audit.jsonl", "  fiel: audit.jsonl", "fiel"),
    ];
    all_told(&words);
    // What is wrong with what it names.
    let names = [
        ("    upstream: app\n", "    upstream: nowhere\n", "nowhere"),
        ("cert: pki/gateway.crt", "cert: pki/missing.crt", "missing.crt"),
        ("corp.jwks.json", "missing.json", "missing.json"),
        ("devices.yaml", "missing.yaml", "missing.yaml"),
    ];
    all_told(&names);
}

#[track_caller]
fn all_told(changes: &[(&str, &str, &str)]) {
    let done = refuse("several", &plan(), |text| {
        changes.iter().fold(text, |text, (from, to, _)| {
            assert!(text.contains(from), "{from:?} is not in\n{text}");
            text.replacen(from, to, 1)
        })
    });
    for (_, _, word) in changes {
        assert!(done.stderr.contains(word), "{word} is missing in\n{}", done.stderr);
    }
}

#[test]
fn x9_files_that_are_empty_cut_or_closed_are_refused() {
    let spoil: &[(&str, &str, &str)] = &[
        ("an empty authority", "services-ca.crt", ""),
        ("an empty listener authority", "devices-ca.crt", ""),
        ("an empty backend authority", "backends-ca.crt", ""),
        ("an empty certificate", "gateway.crt", ""),
        ("an empty key", "gateway.key", ""),
        ("a cut authority", "backends-ca.crt", "-----BEGIN CERTIFICATE-----\nMIIB\n"),
        (
            "a key that is none",
            "gateway-client.key",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ),
    ];
    for (what, file, content) in spoil {
        let plan = plan();
        plan.world.write(&format!("pki/{file}"), content);
        refuse(what, &plan, |text| text).says(file);
    }
    let plan = plan();
    plan.world
        .front
        .issue(&Leaf::server(&["gw.test", "*.gw.test"]).valid(-7200, -3600))
        .write(&plan.world.pki(), "gateway");
    refuse("an expired certificate", &plan, |text| text).says("gateway.crt").says("expired");
    let plan = self::plan();
    plan.world.write("corp.jwks.json", "{\"keys\": []}");
    refuse("an empty key set", &plan, |text| text).says("corp.jwks.json");
    // Root reads everything: a directory is what it cannot read as a file.
    let plan = self::plan();
    std::fs::remove_file(plan.world.pki().join("gateway.key")).unwrap();
    std::fs::create_dir(plan.world.pki().join("gateway.key")).unwrap();
    refuse("an unreadable key", &plan, |text| text).says("gateway.key");
}

#[test]
fn a_key_that_others_can_read_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let plan = plan();
    let key = plan.world.pki().join("gateway.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    plan.write(&Ports::free());
    let done = portcullis(plan.world.path(), &["check", "-c", "portcullis.yaml"]);
    let all = format!("{}{}", done.stdout, done.stderr);
    assert!(all.contains("gateway.key"), "a key with mode 0644 goes unsaid:\n{all}");
}

#[test]
fn a_certificate_for_another_host_is_told() {
    let plan = plan();
    plan.world.front.issue(&Leaf::server(&["elsewhere.test"])).write(&plan.world.pki(), "gateway");
    plan.write(&Ports::free());
    let done = portcullis(plan.world.path(), &["check", "-c", "portcullis.yaml"]);
    assert!(format!("{}{}", done.stdout, done.stderr).contains("app.gw.test"), "{done:?}");
}

#[test]
fn a_port_in_use_is_named() {
    for which in ["public", "admin"] {
        let plan = plan();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let mut ports = Ports::free();
        if which == "public" {
            ports.public = address
        } else {
            ports.admin = address
        }
        plan.write(&ports);
        let mut process = plan.launch();
        let status = process.wait();
        let output = process.output();
        assert!(!status.success(), "{which}: {output}");
        assert!(
            output.contains(&address.port().to_string()),
            "{which}: the port is not named: {output}"
        );
        assert!(output.contains("in use"), "{which}: {output}");
        assert!(!output.contains("panicked"), "{which}: {output}");
        let other = if which == "public" { ports.admin } else { ports.public };
        assert!(std::net::TcpStream::connect(other).is_err(), "{which}: half-open");
    }
}

#[test]
fn what_weakens_a_default_is_named_each_time() {
    let plan = gateway().with_routes(ROUTES).with_upstream_text(
        "  - {name: app, endpoints: [\"127.0.0.1:9\"], danger_plaintext: true}\n",
    );
    plan.write(&Ports::free());
    let done = portcullis(plan.world.path(), &["check", "-c", "portcullis.yaml"]).expect(0);
    assert!(format!("{}{}", done.stdout, done.stderr).contains("danger_plaintext"), "{done:?}");
}

#[test]
fn an_empty_policy_allows_nobody() {
    for routes in [
        "  - {name: app, hosts: [app.gw.test], upstream: app, rules: []}\n",
        "  - {name: app, hosts: [app.gw.test], upstream: app, rules: [{id: a, allow: {methods: []}}]}\n",
        "  - {name: app, hosts: [app.gw.test], upstream: app, rules: [{id: a, allow: {}, when: {user.groups: []}}]}\n",
    ] {
        let plan = gateway().with_routes(routes);
        let app = Recorder::start(&plan.world, "app");
        let plan = plan.with_backend("app", &app);
        plan.write(&Ports::free());
        let done = portcullis(plan.world.path(), &["check", "-c", "portcullis.yaml"]);
        if done.code != 0 {
            continue;
        }
        let gw = plan.start();
        let status = gw.get("https://app.gw.test/x").as_user("ada").send().status();
        assert!(matches!(status, Some(403)), "{routes}: {status:?}");
        assert_eq!(app.hits(), 0);
    }
}

#[test]
fn secrets_and_files_are_found_beside_the_file_that_names_them() {
    let plan = plan();
    plan.write(&Ports::free());
    // From another directory, by an absolute name: paths are relative to the file.
    let file = plan.file().display().to_string();
    portcullis(Path::new("/"), &["check", "-c", &file]).expect(0);
    portcullis(Path::new("/"), &["check", "-c", "/nowhere/portcullis.yaml"])
        .says("/nowhere/portcullis.yaml");
}
