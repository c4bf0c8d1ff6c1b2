//! The instance: its overview, its settings, its signing keys, and what it is.

pub mod about;
pub mod overview;
pub mod settings;
pub mod signing_keys;
