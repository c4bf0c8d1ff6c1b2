//! The dashboard's side of HTTP: who is signed in, which forms are believed, and a room for each thing with its pages
//! and forms. A room's module is named after the page that it answers with; the handler of a form stands beside that of
//! its page.

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
