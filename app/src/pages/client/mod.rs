//! Clients that act for people: connected apps, consent, personal tokens, and the clients themselves.

pub mod connected_apps;
pub mod consent;
pub mod edit;
pub mod list;
pub mod new;
pub mod personal_tokens;
pub mod secret;
pub mod show;
