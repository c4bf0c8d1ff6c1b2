//! The HTTP side of the dashboard: who is signed in, which forms are valid, and one folder per topic with its pages and
//! forms. A module has the name of the page that it answers with. The handler of a form is in the module of the form's
//! page.

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
