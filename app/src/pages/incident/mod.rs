//! Responding to an incident: leaks, reports of them by anybody, and the emergency stop.

pub(crate) mod alerts;
pub mod emergency_stop;
pub mod leaks;
pub mod report;
