//! The audit log.

pub mod activity;
pub mod entry;
pub mod receipt;
mod words;
