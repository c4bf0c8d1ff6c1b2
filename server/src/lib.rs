//! HTTP and the command line of Countersign.
//!
//! `ARCHITECTURE.md` has the map.
//!
//! A request: [`http::accept`] → [`http::middleware`] → the row of [`routes`] (an exchange goes straight to
//! [`oauth::token`]) → parse → `domain` → encode.

#![recursion_limit = "256"]

pub mod audit_export;
pub mod cli;
mod config;
pub mod dashboard;
pub mod egress;
pub mod health;
pub mod http;
pub mod incident;
pub mod mcp;
pub mod metrics;
pub mod oauth;
pub mod routes;
pub mod state;

pub use routes::Service;
