//! What pages show is loaded and run.

use std::fmt::Write as _;
use std::path::Path;

use super::page;

/// What an example of rules needs around it.
const BASE: &str = "version: 1
server:
  listen:
    - address: 127.0.0.1:8443
      tls: {certificates: [{cert: pki/app.crt, key: pki/app.key}]}
  state_dir: state
upstreams:
  - name: app
    endpoints: [\"127.0.0.1:9\"]
    tls: {ca: pki/backends/ca.crt, cert: pki/backends/gateway.crt, key: pki/backends/gateway.key, server_name: app.internal}
audit: {file: audit.jsonl}
";

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}

/// Runs each command of the page's `console` blocks and compares what it prints.
#[track_caller]
fn compare_output(dir: &Path, name: &str) {
    let mut wrong = String::new();
    for block in page::blocks(&page::text(name)) {
        if block.language != "console" {
            continue;
        }
        for part in block.text.split("$ ").skip(1) {
            let (command, told) = part.split_once('\n').unwrap_or((part, ""));
            let printed = page::shell(dir, command).stdout;
            if printed.trim_end() != told.trim_end() {
                let _ = writeln!(wrong, "{name}:{}: `{command}` prints\n{printed}", block.line);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_examples_of_the_configuration_page_are_one_configuration() {
    let dir = page::copy_of_conf();
    page::make(dir.path(), "Stage");
    std::fs::create_dir(dir.path().join("conf.d")).unwrap();
    page::shell(dir.path(), "portcullis pki init --dir pki/services --name 'Services CA'")
        .expect(0);
    let blocks = page::blocks(&page::text("docs/configuration.md"));
    let yaml = blocks.iter().filter(|block| block.language == "yaml");
    let mut names = Vec::new();
    for (number, block) in yaml.enumerate() {
        let name = format!("part-{number:02}.yaml");
        write(dir.path(), &name, &block.text);
        names.push(name);
    }
    assert!(names.len() > 8, "{names:?}");
    write(dir.path(), "whole.yaml", &format!("version: 1\ninclude: [{}]\n", names[1..].join(", ")));
    page::shell(dir.path(), "portcullis check -c whole.yaml").expect(0).says("0 warnings");
    compare_output(dir.path(), "docs/configuration.md");
}

#[test]
fn the_examples_of_the_policy_page_load_and_its_commands_print_what_it_says() {
    let dir = page::copy_of_conf();
    page::make(dir.path(), "Stage");
    std::fs::copy(dir.path().join("5-devices.yaml"), dir.path().join("portcullis.yaml")).unwrap();
    write(dir.path(), "base.yaml", BASE);
    let names = "--server app.example.com --dns '*.app.example.com'";
    page::shell(
        dir.path(),
        &format!("portcullis pki issue --dir pki/gateway {names} --out pki/app"),
    )
    .expect(0);
    let mut loaded = 0;
    for block in page::blocks(&page::text("docs/policy.md")) {
        if block.language != "yaml" {
            continue;
        }
        if let Some(rest) = block.text.strip_prefix("# ") {
            let (name, _) = rest.split_once('\n').expect("a name");
            write(dir.path(), name, &block.text);
            continue;
        }
        write(dir.path(), "example.yaml", &block.text);
        write(dir.path(), "whole.yaml", "version: 1\ninclude: [base.yaml, example.yaml]\n");
        let done = page::shell(dir.path(), "portcullis check -c whole.yaml");
        assert!(
            done.code == 0 && !done.stdout.contains("warning:"),
            "docs/policy.md:{}: {}",
            block.line,
            done.stdout
        );
        loaded += 1;
    }
    assert!(loaded > 4, "{loaded} examples");
    compare_output(dir.path(), "docs/policy.md");
}

#[test]
fn the_readme_shows_a_configuration_that_loads() {
    let dir = page::copy_of_conf();
    page::make(dir.path(), "Stage");
    let same = [
        ("gateway/gateway.crt", "gateway.crt"),
        ("gateway/gateway.key", "gateway.key"),
        ("devices/ca.crt", "devices-ca.crt"),
        ("devices/ca.crl", "devices-ca.crl"),
        ("backends/ca.crt", "backends-ca.crt"),
        ("backends/gateway.crt", "gateway-client.crt"),
        ("backends/gateway.key", "gateway-client.key"),
    ];
    for (from, to) in same {
        std::fs::copy(dir.path().join("pki").join(from), dir.path().join("pki").join(to)).unwrap();
    }
    let blocks = page::blocks(&page::text("README.md"));
    let shown = blocks.iter().find(|block| block.language == "yaml").expect("a configuration");
    write(dir.path(), "portcullis.yaml", &shown.text);
    page::shell(dir.path(), "portcullis check -c portcullis.yaml").expect(0).says("0 warnings");
    let commands = blocks.iter().filter(|block| block.text.contains("portcullis explain"));
    for command in commands.flat_map(|block| block.text.lines()) {
        if let Some(command) = command.strip_prefix("$ portcullis explain") {
            page::shell(dir.path(), &format!("portcullis explain{command}")).expect(0);
        }
    }
}
