//! The pages, in one room for each thing that they are about: the same rooms as in `domain` and in the server's
//! dashboard. A page is one module with its component, its server functions and its view types.

pub mod audit;
pub mod client;
pub mod credential;
pub mod incident;
pub mod message;
pub mod operations;
pub mod person;
pub mod server;
pub mod team;
pub mod webhook;
