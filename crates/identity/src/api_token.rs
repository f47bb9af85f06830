//! API tokens: long random words that the gateway itself hands out to scripts.
//!
//! 1. A token is `pcl_<id>_<secret>`: `id` names it in logs and in the store, `secret` carries more
//!    than 256 random bits and ends in a checksum, so that a token that was cut or mistyped is told
//!    from one that is unknown. See [`Token`].
//! 2. The store keeps the SHA-256 of the secret, never the secret. A token is shown once, when it
//!    is made. A hash without salt or stretching is right here: nobody can guess 256 random bits.
//! 3. A token has a name, an owner, groups, scopes and an end. There is none without an end.
//! 4. Comparing takes the same time for a wrong secret and for an unknown id. See [`Book`].
//! 5. The store is one file of mode 0600 that is replaced as a whole; two commands that change it
//!    at once wait for each other. See [`Store`].

mod book;
mod record;
mod store;
mod text;

pub use book::{Book, Holder};
pub use record::{Kind, NewToken, NotAToken, Record};
pub use store::{Created, Store, StoreFault};
pub use text::{Id, Token};
