//! Errors that several areas share. Each area adds its own enum; `server` maps each to HTTP once.

use crate::keys::KeyError;
use crate::store::StoreError;

/// A fault of ours, not of the caller: answered with 503 or 500 and a log line, never with "wrong password".
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A stored row makes no sense. Which one stands in the log.
    #[error("a stored row is damaged")]
    Damaged,
    /// More work than can be done in time; the caller may try again soon.
    #[error("overloaded: {0}")]
    Overloaded(&'static str),
}

/// What is wrong with one field of a form, in words for the person who filled it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name on the wire.
    pub field: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

impl FieldError {
    /// An error at `field`.
    pub fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}
