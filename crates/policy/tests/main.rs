//! The policy from outside: its semantics rule by rule, a corpus of cases, properties, and the
//! texts of its mistakes.

#[cfg(test)]
mod ask;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod semantics;
