//! Responding to an incident: leaks, and the emergency stop.

pub(crate) mod alerts;
pub mod emergency_stop;
pub mod leaks;
