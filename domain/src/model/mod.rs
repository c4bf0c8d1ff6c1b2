//! The vocabulary: types, states, transitions and checks. Pure: no I/O, no SQL.

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
