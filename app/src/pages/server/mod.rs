//! MCP servers.

pub mod access;
pub mod archive;
mod callers;
pub mod check;
pub mod edit;
pub mod list;
pub mod new;
pub mod show;

pub use callers::CallersQuery;
