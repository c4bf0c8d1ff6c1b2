//! The instance: its overview, its settings and its signing keys.

pub mod checklist;
pub mod overview;
pub mod settings;
pub mod signing_keys;
