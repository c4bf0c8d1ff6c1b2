//! The instance: its overview, search and help, its settings, its signing keys, and what it is.

pub mod about;
pub mod checklist;
pub mod help;
pub mod overview;
pub mod search;
pub mod settings;
pub mod signing_keys;
