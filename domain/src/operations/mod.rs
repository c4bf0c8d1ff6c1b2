//! Keeping an instance running.
//!
//! | module | operation |
//! |---|---|
//! | [`instance`] | opening the instance in a database |
//! | [`backup`], [`restore`] | verified copies; replacing a database with one |
//! | [`facts`] | what administrators are told about the instance |
//! | [`housekeeping`] | removal of rows that no decision can need any more |
//! | [`checklist`] | what a person ticks in the list on the overview |
//! | [`key_rotation`] | replacing signing keys, and the master key |
//! | [`policy`] | what the installation allows, and the review of credentials |

pub mod backup;
pub mod checklist;
pub mod facts;
pub mod housekeeping;
pub mod instance;
pub mod key_rotation;
pub mod policy;
pub mod restore;
