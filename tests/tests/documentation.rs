//! The documentation says what the code does: its tables are compared with the code's own, its
//! examples are loaded, its commands are run and their output is compared.
//!
//! 1. Every key of the schema stands in a table of `docs/configuration.md`, with the default that
//!    its description gives, and every key of these tables is in the schema.
//! 2. The families of `docs/metrics.md` are those that the gateway registers.
//! 3. The attributes of `docs/policy.md` are those of the policy.
//! 4. The examples of a page load, and the commands of a page print what the page says.
//! 5. The configurations in `conf/` have exactly the warnings that their guide promises.
//! 6. A link leads to a file, and to a heading of it.

#[path = "documentation/adoption.rs"]
mod adoption;
#[path = "documentation/examples.rs"]
mod examples;
#[path = "documentation/keys.rs"]
mod keys;
#[path = "documentation/links.rs"]
mod links;
#[path = "documentation/page.rs"]
mod page;
#[path = "documentation/tables.rs"]
mod tables;
