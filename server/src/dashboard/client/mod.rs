//! Clients that act for people, and personal tokens.

pub mod connected_apps;
pub mod edit;
pub mod list;
pub mod new;
pub mod personal_tokens;
pub mod secret;
pub mod show;
