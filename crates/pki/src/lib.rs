//! The internal certificate authority: issue, renew, revoke, list.
//!
//! Ground floor: OpenSSL and files, nothing of ours, no network, no clock (`now` is an argument).
//! The command line, the demo and the tests are its users; the gateway itself never holds a key of
//! an authority.
//!
//! 1. A certificate is written into the index, and the index is on the disk, before the
//!    certificate leaves this crate: what is not listed was not issued.
//! 2. Names come from the operator. A signing request brings a key and the proof of owning it;
//!    the names that it asks for are ignored.
//! 3. A leaf has version 3, `CA:FALSE`, a key usage of `digitalSignature`, an explicit extended
//!    key usage, at least one subject alternative name, and ends no later than its authority.
//! 4. A serial number is 159 random bits; it is never given twice.
//! 5. Private keys are written with mode 0600 in a directory of mode 0700, whole or not at all.
//! 6. [`Template`] can make what rule 3 forbids, for tests; it is signed by a method that says
//!    `danger`, and it enters no index.

mod authority;
mod der;
mod error;
mod files;
mod index;
mod key;
mod leaf;
mod renewal;
mod revocation;
mod serial;
mod template;

pub use authority::{Authority, Options};
pub use error::Error;
pub use files::{write_private, write_public};
pub use index::{Entry, Revoked};
pub use key::KeyType;
pub use leaf::{Issued, Leaf, Names, Purpose, Signed, private_key_pem};
pub use renewal::{ends_at, serial_of};
pub use revocation::Reason;
pub use serial::Serial;
pub use template::{Constraints, Digest, ExtendedUse, NameConstraints, Template, Use, Version};
