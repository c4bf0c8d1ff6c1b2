//! Commands that copy, replace and move the whole database.

pub(super) mod backup;
pub(super) mod migrate;
pub(super) mod restore;
