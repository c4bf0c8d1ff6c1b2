//! What people do after a secret leaked: report the leak, handle its incident, or stop many credentials at once.

pub mod emergency_stop;
pub mod leak;
pub mod record;
