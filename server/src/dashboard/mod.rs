//! The HTTP side of the dashboard: who is signed in, which forms are valid, and one module per room with its pages and
//! forms. `routes/handler.rs` turns the functions of the rooms
//! into handlers.

pub mod assets;
pub mod audit;
pub mod auth;
pub mod client;
pub mod credential;
pub mod incident;
pub mod operations;
pub mod person;
pub mod respond;
pub mod server;
pub mod server_functions;
pub mod submit;
pub mod team;
pub mod webhook;

/// What most rooms need.
pub(crate) mod prelude {
    pub(crate) use app::done::Done;
    pub(crate) use app::error::ActionError;
    pub(crate) use app::form::{Form, Refused};
    pub(crate) use app::links;
    pub(crate) use axum::response::Response;

    pub(crate) use crate::dashboard::respond::{PageResult, refuse, respond};
    pub(crate) use crate::dashboard::submit::{Answer, Submission};
    pub(crate) use crate::http::fields::{Fields, read};
}
