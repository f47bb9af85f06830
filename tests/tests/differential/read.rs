//! How backends of several kinds read a target, and which rule guards what they read.

/// The readings of a target: (which kind of backend, the path that it serves). `lax` is a backend
/// that announced that it cuts parameters and decodes slashes.
pub(crate) fn readings(target: &str, lax: bool) -> Vec<(&'static str, String)> {
    let raw = target.split('?').next().unwrap_or_default();
    let mut readings = vec![
        ("one that does nothing", raw.to_owned()),
        ("one that decodes and resolves", resolve(&decode(raw))),
        ("one that resolves and decodes", decode(&resolve(raw))),
        ("one that stops at #", resolve(&decode(raw.split('#').next().unwrap_or_default()))),
        ("one that takes a backslash for a slash", resolve(&decode(&raw.replace('\\', "/")))),
    ];
    if lax {
        // What the operator was warned of (`danger_encoded_slash`) is the operator's; parameters
        // alone must be safe.
        let cut: Vec<_> = raw.split('/').map(|s| s.split(';').next().unwrap_or_default()).collect();
        let cut = cut.join("/");
        readings.clear();
        readings.push(("one that cuts parameters", resolve(&cut)));
        readings.push(("one that does nothing", raw.to_owned()));
    }
    readings
}

/// The rule that guards a path, where it is in one of the areas.
pub(crate) fn area(path: &str) -> Option<&'static str> {
    let below = |top: &str| path == top || path.starts_with(&format!("{top}/"));
    if below("/admin") {
        Some("admins-only")
    } else if below("/users/ana") {
        Some("ana's own")
    } else if below("/public") {
        Some("public")
    } else if below("/users/ben") {
        Some("own")
    } else {
        None
    }
}

/// Whether both versions of HTTP can carry a target as it is: absolute-form is HTTP/1's, and an
/// HTTP/2 library drops a fragment.
pub(crate) fn both_can_say(target: &str) -> bool {
    target.starts_with('/') && !target.contains('#')
}

fn decode(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let code = hex
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(code) => {
                out.push(code);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// RFC 3986, 5.2.4, with empty segments merged.
fn resolve(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}
