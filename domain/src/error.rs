//! Errors that several areas share. Each area adds its own enum.

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
    /// No fault, but any change can meet it: the session or token of the request ended before the change was made.
    /// Nothing was changed. People are asked to sign in.
    #[error("the session or token of the request has ended")]
    ActorEnded,
}

/// What operations return that can fail only by a fault of ours.
pub type Result<T, E = Fault> = std::result::Result<T, E>;

/// Lets `?` turn each fault of ours into the variant `Fault` of an error.
macro_rules! through_fault {
    ($error:ty) => {
        impl<Error: Into<$crate::error::Fault>> From<Error> for $error {
            fn from(fault: Error) -> Self {
                Self::Fault(fault.into())
            }
        }
    };
}

/// Defines why an operation was not done, besides a fault of ours. With `: Invalid` the input may be wrong too, and `?`
/// turns what is wrong with its fields into the error.
macro_rules! operation_error {
    ($(#[$of_enum:meta])* pub enum $name:ident: Invalid { $($reasons:tt)* }) => {
        operation_error! {
            $(#[$of_enum])*
            pub enum $name {
                /// The input is wrong; nothing was changed.
                #[error("the input is not valid")]
                Invalid(Vec<$crate::model::field_error::FieldError>),
                $($reasons)*
            }
        }

        impl From<Vec<$crate::model::field_error::FieldError>> for $name {
            fn from(errors: Vec<$crate::model::field_error::FieldError>) -> Self {
                Self::Invalid(errors)
            }
        }

        impl From<$crate::model::field_error::FieldError> for $name {
            fn from(error: $crate::model::field_error::FieldError) -> Self {
                Self::Invalid(vec![error])
            }
        }
    };
    ($(#[$of_enum:meta])* pub enum $name:ident { $($reasons:tt)* }) => {
        $(#[$of_enum])*
        #[derive(Debug, thiserror::Error)]
        pub enum $name {
            $($reasons)*
            /// A fault of ours.
            #[error(transparent)]
            Fault($crate::error::Fault),
        }

        $crate::error::through_fault!($name);
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

pub(crate) use {operation_error, through_denied, through_fault};

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
