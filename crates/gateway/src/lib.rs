//! The assembly: the only crate that implements Pingora's `ProxyHttp` or writes to a client.

pub mod answer;
pub mod assertion;
pub mod conf;
pub mod door;
pub mod forward;
pub mod tls;
