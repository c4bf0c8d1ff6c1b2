//! Reports of leaks from outside.

pub mod leak_reports;
pub mod report_policy;
