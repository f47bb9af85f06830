//! Upstreams against real backends: who is spoken to, who is not, and who shares a connection.

mod authority;
mod backend;
mod identity;
mod mistakes;
mod pool;
mod site;

/// The present: certificates are made for it, and handshakes ask the system themselves.
fn now() -> jiff::Timestamp {
    #[expect(clippy::disallowed_methods, reason = "OpenSSL looks at the same clock")]
    jiff::Timestamp::now()
}
