//! The audit log.

pub mod activity;
