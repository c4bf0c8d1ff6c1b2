//! Signing in with an account elsewhere: Countersign as relying party of one OpenID provider (OpenID Connect Core 1.0,
//! authorization code flow with PKCE).
//!
//! | module | step |
//! |---|---|
//! | [`attempt`] | a browser goes to the provider, and comes back with a code for an ID token |
//! | `discovery` | where the provider's endpoints are |
//! | `id_token` | whom the ID token proves |
//! | [`link`] | which person that is: connecting, disconnecting, signing in |
//!
//! The provider proves who somebody is, by whatever factors it asks for; what they may do here is decided here. A
//! password stays with every person: it is what a sensitive action asks for, and it works when the provider does not.
//!
//! Only reading of tokens is our own, and shared with assertions (`token/jws.rs`, `issuer_keys.rs`). The ready-made
//! client brings a second set of cryptography for what that does, and its own idea of a request.

pub mod attempt;
pub mod discovery;
pub mod id_token;
pub mod link;

use std::time::Duration;

use crate::error::{Fault, through_fault};
use crate::person::sign_in::SignInError;
use crate::store::StoreError;

pub use id_token::Identity;

/// Where the provider sends browsers back to: the path of our redirect URI.
pub const RETURN_PATH: &str = "/login/openid/return";

/// Why nobody is signed in or connected.
#[derive(Debug, thiserror::Error)]
pub enum OpenIdError {
    /// The provider does not answer, or not as OpenID Connect demands.
    #[error("the provider is not available: {0}")]
    Unavailable(String),
    /// The attempt was not begun in this browser and session, is over, or came back before.
    #[error("there is no such attempt")]
    NoAttempt,
    /// The person said no there.
    #[error("it was cancelled at the provider")]
    Cancelled,
    /// The provider said no: its error code (RFC 6749 §4.1.2.1), or nothing when that is none.
    #[error("the provider refused it: {0}")]
    Refused(String),
    /// What came back proves nothing: names of claims and what was expected, nothing of what was sent.
    #[error("what the provider sent is not accepted: {0}")]
    NotProved(String),
    /// Nobody here is connected to the account.
    #[error("nobody is connected to the account")]
    NotConnected,
    /// The person who is connected to it is disabled.
    #[error("the person is disabled")]
    Disabled,
    /// Another person is connected to it.
    #[error("another person is connected to the account")]
    Taken,
    /// The person is connected to another account there.
    #[error("the person is connected to another account")]
    OtherAccount,
    /// Too many attempts; nothing was begun.
    #[error("too many attempts")]
    Throttled {
        /// When to try again.
        retry_after: Duration,
    },
    /// A fault of ours.
    #[error(transparent)]
    Fault(#[from] Fault),
}

through_fault!(OpenIdError: StoreError);

impl From<SignInError> for OpenIdError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Throttled { retry_after } | SignInError::TooManyCodes { retry_after } => {
                Self::Throttled { retry_after }
            }
            // Counting refuses nobody; here for the day on which it does.
            SignInError::Refused | SignInError::WrongCode | SignInError::WrongPasskey | SignInError::TooLate => {
                Self::NotConnected
            }
            SignInError::Fault(fault) => Self::Fault(fault),
        }
    }
}
