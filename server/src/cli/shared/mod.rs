//! Code that several commands need.

pub(super) mod arguments;
pub(super) mod error;
pub(super) mod files;
pub(super) mod instance;
pub(super) mod log;
pub(super) mod master_key;
pub(super) mod output;
