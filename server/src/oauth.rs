//! The authorization server's endpoints, one module each: parse, ask the domain, encode.

pub mod authorize;
pub mod introspect;
pub mod jwks;
pub mod metadata;
pub mod request;
pub mod revoke;
pub mod status;
pub mod token;
