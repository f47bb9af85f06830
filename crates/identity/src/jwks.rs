//! The public keys of a provider, and how they are kept fresh.
//!
//! 1. A key set is an object with `keys`, at most [`set::KEYS_MAX`] of them and [`fetch::BODY_BYTES_MAX`]
//!    bytes, JSON by the rules of [`strict`](crate::strict). An entry that is no usable key is left
//!    out and named in a warning; it never spoils the others. See [`Key`].
//! 2. Two entries of one `kid` are both left out: which one is meant cannot be known.
//! 3. An algorithm is bound to the type of the key, and to the key's `alg` where it has one. A
//!    token's header chooses among what the key allows, never the other way around.
//! 4. A token without a `kid` is verified only where exactly one key fits. See [`KeySet::find`].
//! 5. A set from a file is read with the configuration. A set from an address is fetched in the
//!    background and outlives generations. See [`Cell`].

mod alg;
mod cell;
pub mod fetch;
pub(crate) mod keeper;
mod key;
pub mod set;
mod weak;

pub use alg::{Alg, KeyType};
pub use cell::{Cell, Loaded, Now};
pub use key::{Key, Unfit};
pub use set::{KeySet, Skipped};
