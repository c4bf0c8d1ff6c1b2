//! The instance: its overview, search, help and documents, its settings, its
//! signing keys, its policies, and what it is.

pub mod about;
pub mod checklist;
pub mod docs;
pub mod help;
pub mod overview;
pub mod policies;
pub mod search;
pub mod settings;
pub mod signing_keys;
