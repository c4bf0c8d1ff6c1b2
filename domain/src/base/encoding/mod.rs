//! Encodings of random bytes as text that people can copy.

pub mod base32;
pub mod base62;
