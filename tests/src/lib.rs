//! Black-box scenarios: the real binary, driven as its clients, backends and operators drive it.
//!
//! 1. [`gateway()`] writes a configuration into a directory of its own, starts `portcullis run`
//!    on ports that the system chose, and waits until `/readyz` says so.
//! 2. A request is made in the words of the domain:
//!    `gw.get("https://wiki.gw.test/x").as_user("ana").on_device("laptop").expect(200)`.
//! 3. A backend is a [`Recorder`]: it keeps the raw bytes of each request that reached it and
//!    answers by script, so that "not reached" is a count and not a guess.
//! 4. A check that fails prints the reply, the audit record and what the gateway wrote to stderr.
//! 5. Nothing sleeps to synchronise: [`until`] asks again until a deadline.
//!
//! Every key, certificate and token is made for the run, in a directory that ends with it.

pub mod audit;
pub mod certificates;
pub mod frames;
pub mod gateway;
pub mod h1;
pub mod h2;
pub mod house;
pub mod plan;
pub mod process;
pub mod recorder;
pub mod reply;
pub mod request;
pub mod tls;
pub mod tokens;
pub mod verbs;
pub mod wait;
pub mod world;

pub use gateway::Gateway;
pub use plan::{Plan, gateway};
pub use recorder::{Recorder, Script};
pub use reply::{Outcome, Reply};
pub use request::Request;
pub use wait::until;
pub use world::World;
