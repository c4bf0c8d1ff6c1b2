//! Responding to an incident: leaks, and the emergency stop.

pub mod emergency_stop;
pub mod leaks;
