//! Any text is a path template or a mistake; asking it about any canonical path ends in a decision,
//! and without a rule that allows there is no permit.

#![no_main]

use std::path::Path;

use fuzz::{LIMITS, STRICT};
use gateway::door::canonical_path;
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use policy::{Action, Facts, Outcome, PolicySet, Source};

fuzz_target!(|input: (&str, &str, bool)| {
    let (template, path, denies) = input;
    let Ok(template) = serde_json::to_string(template) else { return };
    let verb = if denies { "deny" } else { "allow" };
    let text = format!(
        r#"{{"version": 1, "routes": [{{"name": "r", "hosts": ["a.test"], "upstream": "u",
            "rules": [{{"id": "rule", "{verb}": {{"paths": [{template}]}}}}]}}]}}"#
    );
    let Ok(document) = document::load_text(Path::new("fuzz.yaml"), &text) else { return };
    let routes = document.root.get("routes");
    let Ok((set, _)) = PolicySet::compile(Source { routes, ..Source::default() }) else { return };
    let Ok(path) = canonical_path(path, &LIMITS, STRICT) else { return };
    let headers = HeaderMap::new();
    let action = Action {
        method: "GET",
        host: "a.test",
        path: &path,
        query: None,
        headers: &headers,
        websocket: false,
        grpc: false,
    };
    let facts = Facts::default();
    let now = "2026-01-01T00:00:00Z".parse().expect("an instant");
    let decision = set.decide(&facts, &action, now);
    assert!(!denies || !matches!(decision.outcome, Outcome::Allow(_)), "a denial allowed");
});
