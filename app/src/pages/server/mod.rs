//! MCP servers.

pub mod access;
pub mod list;
pub mod new;
pub mod show;
