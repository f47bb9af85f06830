//! The backend's side: only a verified backend is spoken to, and what a bad one does stays its own
//! trouble. A client learns 502 or 504 and nothing more; the audit says why.

#[path = "upstream/answers.rs"]
mod answers;
#[path = "upstream/pool.rs"]
mod pool;
#[path = "upstream/streams.rs"]
mod streams;
#[path = "upstream/trust.rs"]
mod trust;

use scenarios::Reply;

/// One open host in front of one backend.
const ROUTES: &str = r#"
  - name: app
    hosts: [app.gw.test]
    upstream: app
    rules: [{id: everyone, allow: {}}]
"#;

/// Fails if an answer tells a client what only the operator may know.
#[track_caller]
fn assert_tells_nothing(reply: &Reply) {
    let text = reply.picture().to_lowercase();
    for inner in
        ["127.0.0.1", "app.internal", "openssl", "certificate", "pingora", "recorder", "spiffe"]
    {
        assert!(!text.contains(inner), "`{inner}` leaks: {text}");
    }
    assert_eq!(reply.header("server"), None, "{text}");
}
