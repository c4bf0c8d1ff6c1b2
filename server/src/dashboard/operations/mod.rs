//! The instance.

pub mod overview;
pub mod settings;
pub mod signing_keys;
