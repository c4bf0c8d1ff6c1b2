//! MCP servers.

pub mod access;
pub mod archive;
mod callers;
pub(crate) mod calls;
pub mod check;
pub mod edit;
pub mod gateway;
pub mod list;
pub mod new;
pub mod show;
pub mod tools;

pub use callers::CallersQuery;
