//! Who asks: credentials in, `facts.subject` and `facts.auth` out.

pub mod api_token;
pub mod fault;

mod text;
