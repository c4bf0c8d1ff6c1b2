//! The vocabulary: types, states, transitions and checks. Nothing here does I/O or SQL.
//!
//! Each room has a module of its name. Besides them:
//!
//! | module | what it holds |
//! |---|---|
//! | [`actor`], [`authority`], [`origin`] | who acts, what they may do, where a request came from |
//! | [`consent`], [`personal_token`] | what acts for people |
//! | [`scope`], [`resource`], [`redirect_uri`] | parameters of OAuth, and how they are compared |
//! | [`field_error`], [`oauth_error`] | errors of forms, and of OAuth endpoints |
//! | [`ports`] | what the domain asks of the outside: fetch a document, post a message |
//! | [`settings`] | what the operator chose |
//! | [`usage`] | counts by the hour |

pub mod actor;
pub mod audit;
pub mod authority;
pub mod client;
pub mod consent;
pub mod credential;
pub mod field_error;
pub mod incident;
pub mod oauth_error;
pub mod operations;
pub mod origin;
pub mod person;
pub mod personal_token;
pub mod ports;
pub mod redirect_uri;
pub mod resource;
pub mod scope;
pub mod server;
pub mod session;
pub mod settings;
pub mod team;
pub mod token;
pub mod usage;
pub mod webhook;
