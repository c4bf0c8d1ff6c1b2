//! Responding to an incident.

pub mod emergency_stop;
pub mod leaks;
