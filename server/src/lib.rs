//! HTTP and the command line of Countersign.
//!
//! `ARCHITECTURE.md` has the map.
//!
//! A request: [`http::accept`] → [`http::middleware`] → the row of [`routes`] (an exchange goes straight to
//! [`oauth::token`]) → parse → `domain` → encode.

#![recursion_limit = "256"]

mod audit_export;
pub mod cli;
mod config;
mod connect;
mod credential_export;
mod dashboard;
pub mod egress;
mod gateway;
mod health;
pub mod http;
pub mod incident;
mod mcp;
pub mod metrics;
mod oauth;
pub mod routes;
pub mod state;

pub use routes::Service;
