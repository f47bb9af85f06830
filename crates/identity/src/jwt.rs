//! x

pub mod compact;
