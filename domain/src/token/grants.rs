//! Grant types, one module each.

pub mod client_credentials;

use super::error::{OAuthError, OAuthErrorCode};
use super::form::TokenForm;

/// The grants we offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// RFC 6749 §4.4.
    ClientCredentials,
}

impl Grant {
    /// Reads `grant_type`.
    ///
    /// # Errors
    ///
    /// `invalid_request` when it is absent, `unsupported_grant_type` when we do not offer it.
    pub fn of(form: &TokenForm) -> Result<Self, OAuthError> {
        match form.get("grant_type") {
            Some("client_credentials") => Ok(Self::ClientCredentials),
            Some(_) => Err(OAuthError::new(
                OAuthErrorCode::UnsupportedGrantType,
                "This server offers the grant type client_credentials.",
            )),
            None => Err(OAuthError::invalid_request("grant_type is missing.")),
        }
    }
}
