//! Statements that keep an instance running: keys, backups, restores, housekeeping.

pub mod copy;
pub mod housekeeping;
pub mod idempotency;
pub mod keys;
pub mod restore;
pub mod wrapped;
