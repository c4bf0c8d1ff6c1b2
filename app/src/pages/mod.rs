//! The pages, one folder for each room. `domain` and the server's dashboard have the same rooms. Each page is one
//! module with its component, its server functions and its view types.

pub mod audit;
pub mod client;
pub mod credential;
pub mod incident;
pub mod message;
pub mod operations;
pub mod person;
pub mod server;
pub mod team;
pub mod token;
pub mod webhook;
