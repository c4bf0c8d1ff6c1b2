//! Statements that keep an instance running.
//!
//! | module | what it does |
//! |---|---|
//! | [`checklist`] | what a person ticked in the list on the overview |
//! | [`copy`] | copies a whole database |
//! | [`restore`] | compares a backup with the database that it replaces |
//! | [`housekeeping`] | removes rows that no decision can need |
//! | [`keys`], [`wrapped`] | instance keys and signing keys; every value that is wrapped under the master key |
//! | [`policy`] | what the installation allows |
//! | [`size`] | the size of the database |
//! | [`idempotency`] | tokens of forms that were sent |

pub mod checklist;
pub mod copy;
pub mod housekeeping;
pub mod idempotency;
pub mod keys;
pub(crate) mod policy;
pub mod restore;
pub(crate) mod size;
pub mod wrapped;
