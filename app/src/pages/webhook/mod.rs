//! Webhooks.

pub mod edit;
pub mod list;
pub mod show;
