//! Upstreams against real backends: who is spoken to, who is not, and who shares a connection.

#[cfg(test)]
mod authority;
#[cfg(test)]
mod backend;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod pool;
#[cfg(test)]
mod site;

/// The present: certificates are made for it, and handshakes ask the system themselves.
#[cfg(test)]
fn now() -> jiff::Timestamp {
    #[expect(clippy::disallowed_methods, reason = "OpenSSL looks at the same clock")]
    jiff::Timestamp::now()
}
