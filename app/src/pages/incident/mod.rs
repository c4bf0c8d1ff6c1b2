//! Responding to an incident: leaks, their incidents, reports by anybody, and the emergency stop.

pub(crate) mod alerts;
pub mod emergency_stop;
mod leaked;
pub mod leaks;
pub mod list;
pub mod record;
pub mod report;
