//! Commands for an incident.

pub(super) mod emergency_stop;
pub(super) mod leak;
