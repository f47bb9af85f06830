//! Any text is a configuration or a list of mistakes.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use policy::{PolicySet, Source};

fuzz_target!(|text: &str| {
    // Nothing may be read from the machine that fuzzes.
    if text.contains("include") {
        return;
    }
    match document::load_text(Path::new("fuzz.yaml"), text) {
        Ok(document) => {
            let source = Source {
                conditions: document.root.get("conditions"),
                rules: document.root.get("rules"),
                routes: document.root.get("routes"),
            };
            if let Err(mistakes) = PolicySet::compile(source) {
                assert!(!mistakes.is_empty(), "a refusal without a reason");
            }
        }
        Err(mistakes) => assert!(!mistakes.is_empty(), "a refusal without a reason"),
    }
});
