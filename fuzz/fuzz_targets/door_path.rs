//! Any text is a path with one canonical form, or refused; the form is its own canonical form.

#![no_main]

use fuzz::{LIMITS, STRICT, WIDE, assert_canonical};
use gateway::door::canonical_path;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|path: &str| {
    for profile in [STRICT, WIDE] {
        let Ok(form) = canonical_path(path, &LIMITS, profile) else { continue };
        assert_canonical(&form);
        profile.admits(&form).expect("the profile admits what passed under it");
        let again = canonical_path(&form, &LIMITS, profile).expect("a canonical path passes");
        assert_eq!(form, again);
    }
    if let Ok(strict) = canonical_path(path, &LIMITS, STRICT) {
        let wide = canonical_path(path, &LIMITS, WIDE).expect("a wider profile admits no less");
        assert_eq!(strict, wide, "a profile changes what passes, not what it means");
    }
});
