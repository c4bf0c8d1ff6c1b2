//! The HTTP side of the dashboard: who is signed in, which forms are valid, and one module per room with its pages and
//! forms. `routes/handler.rs` turns the functions of the rooms into handlers.

pub(crate) mod assets;
pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod client;
pub(crate) mod credential;
pub(crate) mod incident;
pub(crate) mod operations;
pub(crate) mod person;
pub(crate) mod respond;
pub(crate) mod server;
pub(crate) mod server_functions;
pub(crate) mod submit;
pub(crate) mod team;
pub(crate) mod webhook;

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
