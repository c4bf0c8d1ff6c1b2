//! HTTP and the command line of Countersign.
//!
//! # Layout
//!
//! | module | what it holds |
//! |---|---|
//! | [`audit_export`] | entries of the audit log as lines of JSON or CSV |
//! | [`cli`] | the commands, `serve` among them |
//! | `config` | settings: defaults, file, environment, flags |
//! | [`routes`] | the route table: one row a route, with the permission it needs |
//! | [`oauth`] | the authorization server: one module an endpoint |
//! | [`mcp`] | the protected MCP server of this program |
//! | [`dashboard`] | pages, forms, server functions, sessions |
//! | [`incident`] | `/leaks/report` and `/leaks/github` |
//! | [`health`], [`metrics`] | `/healthz` and `/readyz`; `/metrics` on its own address |
//! | [`egress`] | requests to other servers |
//! | [`http`](mod@http) | what every request passes: limits, addresses, headers, errors, the accept loop |
//! | [`state`] | what handlers share |
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
