//! From a [`policy::Permit`] to a connection: who the backend must be, and who the gateway is to it.
//!
//! 1. There is no way to a backend but [`Upstreams::peer`], and it takes a permit.
//! 2. A backend is reached over TLS under the authorities that its upstream names, with the name or
//!    the SPIFFE id that its upstream names; `danger_plaintext` and `danger_unverified` are the only
//!    ways down, and each is warned of at every load.
//! 3. [`Upstreams::verify`] is asked on *every* request before its first byte goes out, on a kept
//!    connection as on a new one: identity, TLS 1.2 with forward secrecy and AEAD at least, still
//!    valid at this instant, not revoked by a list that is current.
//! 4. Two upstreams share a connection only if they agree in everything that identity rests on:
//!    name, authorities, revocation lists, client certificate, expected identity. The number that
//!    stands for all of these is part of the pool's key *and* is written into each connection at its
//!    handshake, so that a connection that was opened for another identity is refused.
//! 5. Nothing here waits on a request's way: names are resolved at load and by
//!    [`Upstreams::resolver`] in the background, and the last good addresses are kept.
//! 6. Endpoints take turns. One that cannot be reached is passed over for its next
//!    [`PASSED_OVER_TURNS`] turns, as long as another is left.
//!
//! *Why a number of turns and not a time:* it needs no clock on a request's way, and an endpoint that
//! is down costs a fixed share of the requests of a busy gateway as of an idle one.

pub mod conf;
pub mod kept;
pub mod paths;
pub mod peer;
pub mod verify;

mod expected;
mod load;
mod resolve;
mod revocation;
mod secure;
mod seen;
mod set;
mod trust;

pub use kept::Kept;
pub use peer::{PASSED_OVER_TURNS, Peer, PeerFault, Pick, Traffic};
pub use set::{Expiry, Upstreams};
pub use verify::Unverified;
