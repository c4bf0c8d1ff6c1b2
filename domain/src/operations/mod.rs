//! Keeping an instance: backup, restore, housekeeping, replacing keys.

pub mod backup;
pub mod housekeeping;
pub mod instance;
pub mod key_rotation;
pub mod master_key;
pub mod restore;
