//! The operator's side: reload, drain, health, metrics, the audit, and what is in no log.

#[path = "operations/admin.rs"]
mod admin;
#[path = "operations/audit.rs"]
mod audit;
#[path = "operations/life.rs"]
mod life;
#[path = "operations/tls.rs"]
mod tls;

/// An open path and one for people.
const ROUTES: &str = r#"
  - name: app
    hosts: [app.gw.test]
    upstream: app
    rules:
      - {id: public, allow: {paths: ["/public", "/public/**"]}}
      - {id: staff, allow: {}, when: {user.anonymous: false}}
"#;
