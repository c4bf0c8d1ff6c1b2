//! What people do when a secret leaked: report it, or stop many credentials at once.

pub mod emergency_stop;
pub mod leak;
