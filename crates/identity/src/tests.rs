//! The filter from outside: a section of YAML, requests, and what became of them.

mod api_token;
mod certificate;
mod configuration;
mod fetched;
mod https;
mod jwt;
mod jwt_claims;
mod jwt_facts;
mod mutation;
mod world;
