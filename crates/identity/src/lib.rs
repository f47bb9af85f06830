//! Who asks: credentials in, `facts.subject` and `facts.auth` out.

pub mod api_token;
pub mod fault;
pub mod jwks;
pub mod jwt;
pub mod strict;

mod text;

#[cfg(test)]
mod testing;
