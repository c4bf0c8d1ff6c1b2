//! Errors that several areas share. Each area adds its own enum; `server` maps each to HTTP once.

use crate::crypto::keys::KeyError;
use crate::crypto::password::HashError;
use crate::model::token::oauth_error::OAuthError;
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
    /// A stored row makes no sense. The log names the row.
    #[error("a stored row is damaged")]
    Damaged,
    /// More work than can be done in time; the caller may try again soon.
    #[error("overloaded: {0}")]
    Overloaded(&'static str),
}

/// Lets `?` turn these errors into the [`Fault`] of an operation's error, which has a variant of that name.
macro_rules! through_fault {
    ($error:ty: $($cause:ty),+) => {
        $(
            impl From<$cause> for $error {
                fn from(cause: $cause) -> Self {
                    Self::Fault($crate::error::Fault::from(cause))
                }
            }
        )+
    };
}

/// Lets `?` turn a refused authority into an operation's error. A thing that the actor does not see becomes "not
/// found". A thing that the actor sees becomes "forbidden".
macro_rules! through_denied {
    ($error:ty) => {
        impl From<$crate::model::person::authority::Denied> for $error {
            fn from(denied: $crate::model::person::authority::Denied) -> Self {
                match denied {
                    $crate::model::person::authority::Denied::Unseen => Self::NotFound,
                    $crate::model::person::authority::Denied::TooLittle => Self::Forbidden,
                }
            }
        }
    };
}

pub(crate) use {through_denied, through_fault};

impl From<HashError> for Fault {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Overloaded(what) => Self::Overloaded(what),
            HashError::Damaged => Self::Damaged,
        }
    }
}

impl From<Fault> for OAuthError {
    fn from(fault: Fault) -> Self {
        Self::unavailable(fault.to_string())
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        Fault::from(error).into()
    }
}
