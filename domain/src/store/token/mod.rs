//! Statements of the token endpoint: the ledger, its batches, what is counted of it.

pub mod batch;
pub mod ledger;
pub mod rollup;
pub mod status_list;
pub mod usage;
