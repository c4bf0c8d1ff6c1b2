//! Statements of leaks and of the emergency stop.

pub mod emergency_stop;
pub mod leak;
