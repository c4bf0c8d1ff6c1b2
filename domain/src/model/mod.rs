//! The vocabulary: types, states, transitions and checks. Nothing here does I/O or SQL.
//!
//! Each room has a module of its name. Besides them:
//!
//! | module | what it holds |
//! |---|---|
//! | [`actor`], [`person::authority`], [`origin`] | who acts, what they may do, where a request came from |
//! | [`client::consent`], [`client::personal_token`] | what acts for people |
//! | [`server::scope`], [`server::resource`], [`client::redirect_uri`] | parameters of OAuth and their comparison |
//! | [`field_error`], [`token::oauth_error`] | errors of forms, and of OAuth endpoints |
//! | [`ports`] | what the domain asks of the outside: fetch a document, post a message |
//! | [`settings`] | what the operator chose |
//! | [`credential::usage`] | counts by the hour |

pub mod actor;
pub mod audit;
pub mod client;
pub mod credential;
pub mod field_error;
pub mod incident;
pub mod operations;
pub mod origin;
pub mod person;
pub mod ports;
pub mod server;
pub mod settings;
pub mod token;
pub mod webhook;
