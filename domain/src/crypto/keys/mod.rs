//! Everything secret that the instance itself holds.
//!
//! One [`MasterKey`], kept outside the database, wraps what is inside it: the pepper of client secrets, the audit key,
//! the key of form tokens and the private signing keys. Each wrapped value names the master key that wrapped it. So a
//! wrong master key is distinguished from a damaged row, and the master key can be replaced.

pub mod master;
pub mod purpose;
pub mod signing;

use aws_lc_rs::{constant_time, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::text::debug_as;

pub use master::MasterKey;
pub use signing::{SigningKey, TokenAlgorithm};

/// Why the instance's keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The database was written under another master key.
    #[error("the master key does not belong to this database (the database needs key {expected}, this is {found})")]
    WrongMasterKey {
        /// Identifier of the master key that wrapped the database's keys.
        expected: String,
        /// Identifier of the master key that was given.
        found: String,
    },
    /// A wrapped value cannot be opened although it names the right master key.
    #[error("the stored {0} is damaged")]
    Damaged(&'static str),
    /// The stored public half of a signing key is not that of its private half. Something else than Countersign has
    /// written to the database.
    #[error("the stored public half of the signing key {kid} does not belong to its private half")]
    ForeignPublicHalf {
        /// The key's identifier.
        kid: String,
    },
    /// The database has been initialised, but a key is missing; a new one is never made silently, because every
    /// verifier trusts the old one.
    #[error("the stored {0} is missing")]
    Missing(&'static str),
    /// The cryptographic library refused an operation.
    #[error("{0} failed")]
    Crypto(&'static str),
}

/// A key of HMAC-SHA-256. Stored values refer to it by its identifier.
pub struct MacKey {
    key_id: String,
    key: hmac::Key,
}

impl MacKey {
    pub(crate) fn new(key_id: String, bytes: &[u8]) -> Self {
        Self { key_id, key: hmac::Key::new(hmac::HMAC_SHA256, bytes) }
    }

    /// The identifier by which stored values refer to the key.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// HMAC-SHA-256 of `message`, 32 bytes.
    pub fn mac(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.key, message).as_ref().to_vec()
    }

    /// HMAC-SHA-256 over `parts`, each preceded by its length, 32 bytes: two different lists of parts never give the
    /// same message.
    pub(crate) fn mac_of(&self, parts: &[&str]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        context.sign().as_ref().to_vec()
    }

    /// The same as base64url.
    pub fn mac_parts(&self, parts: &[&str]) -> String {
        URL_SAFE_NO_PAD.encode(self.mac_of(parts))
    }

    /// Whether `mac` is what [`MacKey::mac_parts`] gives for `parts`, in constant time.
    pub fn verify_parts(&self, parts: &[&str], mac: &str) -> bool {
        constant_time::verify_slices_are_equal(self.mac_parts(parts).as_bytes(), mac.as_bytes()).is_ok()
    }
}

debug_as!(MacKey, |value| "MacKey({})", value.key_id);
