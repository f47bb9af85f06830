//! The assembly: the only crate that implements Pingora's `ProxyHttp` or writes to a client.
//!
//! A request's way, room by room:
//!
//! | step | room |
//! | --- | --- |
//! | connection | [`tls`]: handshake, client certificate, once per connection |
//! | before the hooks | `front`: raw head, its deadline, Pingora's own refusals |
//! | `request_filter` | [`door`]: one host, one path; [`origin`]: whose address; joined by `admission`; then the [`chain`] |
//! | `upstream_peer`, `connected_to_upstream` | crate `upstream`: only with a permit, only if verified |
//! | `upstream_request_filter` | [`forward`] and [`assertion`] |
//! | refusals | [`answer`], and nowhere else |
//! | the end | `passage` and `audit`: exactly one record |
//!
//! What is loaded is a `generation`, built whole by `generation`, watched and swapped by `reload`.

pub mod answer;
pub mod assembly;
pub mod assertion;
pub mod chain;
pub mod cli;
pub mod conf;
pub mod door;
pub mod forward;
pub mod origin;
pub mod tls;

mod admin;
mod admission;
mod audit;
mod explain;
mod front;
mod gate;
mod generation;
mod keeper;
mod live;
mod own;
mod passage;
mod proxy;
mod redirect;
mod reload;
mod schema;
mod server;
mod trail;

pub use assembly::Assembly;
pub use cli::{App, Verb, run, run_with};
