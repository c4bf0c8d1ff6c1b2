//! The authorization server's endpoints, one module each: parse, ask the domain, encode.

pub mod authorize;
pub mod jwks;
pub mod metadata;
pub mod token;
