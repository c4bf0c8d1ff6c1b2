//! Sign-in with an account at an OpenID provider: Countersign is the relying party of one provider (OpenID Connect Core
//! 1.0, authorization code flow with PKCE).
//!
//! | module | step |
//! |---|---|
//! | [`attempt`] | a browser goes to the provider, and comes back with a code for an ID token |
//! | `discovery` | where the provider's endpoints are |
//! | `id_token` | which account the ID token proves |
//! | [`link`] | which person the account belongs to: connecting, disconnecting, signing in |
//!
//! The provider proves the identity of a person, with the factors that the provider asks for. Countersign decides what
//! the person may do. Each person keeps a password: sensitive actions ask for it, and it works when the provider does
//! not.
//!
//! Only the reading of tokens is our own code, and it is shared with assertions (`crypto/jws.rs`,
//! `services/issuer_keys.rs`). The ready-made client was rejected: it brings a second cryptography library for the same
//! work, and its own type for requests.

pub mod attempt;
pub mod discovery;
pub mod id_token;
pub mod link;

use std::time::Duration;

use crate::error::operation_error;
use crate::person::sign_in::SignInError;

pub use id_token::Identity;

/// The path of our redirect URI, to which the provider sends browsers back.
pub const RETURN_PATH: &str = "/login/openid/return";

operation_error! {
    /// Why no person was signed in or connected.
    pub enum OpenIdError {
        /// The provider does not answer, or its answer does not follow OpenID Connect.
        #[error("the provider is not available: {0}")]
        Unavailable(String),
        /// The attempt was not begun in this browser and session, has expired, or came back before.
        #[error("there is no such attempt")]
        NoAttempt,
        /// The person cancelled at the provider.
        #[error("it was cancelled at the provider")]
        Cancelled,
        /// The provider refused: its error code (RFC 6749 §4.1.2.1), or an empty text when the code is not valid.
        #[error("the provider refused it: {0}")]
        Refused(String),
        /// The answer proves nothing. The text has names of claims and the expected values, but nothing of the answer
        /// itself.
        #[error("what the provider sent is not accepted: {0}")]
        NotProved(String),
        /// No person here is connected to the account.
        #[error("nobody is connected to the account")]
        NotConnected,
        /// The person who is connected to the account is disabled.
        #[error("the person is disabled")]
        Disabled,
        /// Another person is connected to the account.
        #[error("another person is connected to the account")]
        Taken,
        /// The person is connected to another account at the provider.
        #[error("the person is connected to another account")]
        OtherAccount,
        /// Too many attempts; nothing was begun.
        #[error("too many attempts")]
        Throttled {
            /// When to try again.
            retry_after: Duration,
        },
    }
}

/// What the steps of such a sign-in return.
pub type Result<T, E = OpenIdError> = std::result::Result<T, E>;

impl From<SignInError> for OpenIdError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Throttled { retry_after } | SignInError::TooManyCodes { retry_after } => {
                Self::Throttled { retry_after }
            }
            // Counting an attempt never returns these errors. This arm keeps the match complete and safe if that
            // changes.
            SignInError::Refused | SignInError::WrongCode | SignInError::WrongPasskey | SignInError::TooLate => {
                Self::NotConnected
            }
            SignInError::Fault(fault) => Self::Fault(fault),
        }
    }
}
