//! The policy from outside: its semantics rule by rule, a corpus of cases, properties, and the
//! texts of its mistakes.

mod ask;
mod corpus;
mod mistakes;
mod properties;
mod semantics;
