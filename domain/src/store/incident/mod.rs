//! Statements of leaks, of their incidents, and of the emergency stop.

pub mod emergency_stop;
pub mod leak;
pub mod record;
