//! The instance: its overview, search and help, its settings and its signing keys.

pub mod checklist;
pub mod help;
pub mod overview;
pub mod search;
pub mod settings;
pub mod signing_keys;
