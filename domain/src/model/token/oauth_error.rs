//! The errors of the token endpoint (RFC 6749 §5.2, RFC 8707 §2) and of the authorization endpoint (§4.1.2.1).

use std::borrow::Cow;

use crate::base::form_body::FormError;
use crate::model::client::refusal::AppRefusal;
use crate::model::server::scope::Scopes;
use crate::model::token::Refusal;

/// The `error` values we answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OAuthErrorCode {
    /// Malformed, repeated or missing parameters.
    InvalidRequest,
    /// Client authentication failed.
    InvalidClient,
    /// The assertion, code or token that is the grant is not valid (RFC 6749 §5.2, RFC 7523 §3.1).
    InvalidGrant,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// We do not offer this grant.
    UnsupportedGrantType,
    /// We do not offer this kind of answer (§4.1.2.1).
    UnsupportedResponseType,
    /// The person does not allow it (§4.1.2.1).
    AccessDenied,
    /// The person has not answered yet (RFC 8628 §3.5).
    AuthorizationPending,
    /// The program asks too often, and waits five seconds longer from now on (RFC 8628 §3.5).
    SlowDown,
    /// The time of the device code is over (RFC 8628 §3.5).
    ExpiredToken,
    /// A person denied the device, or its request was ended (RFC 8628 §3.5). On the wire it is the same as
    /// [`Self::AccessDenied`], but the token endpoint answers it like its other errors.
    DeviceDenied,
    /// The scope is malformed, or none of it may be granted.
    InvalidScope,
    /// Unknown or forbidden resource (RFC 8707 §2).
    InvalidTarget,
    /// The client may not do this (RFC 6750 §3.1).
    InsufficientScope,
    /// The server is too busy or broken now. The value is registered for the authorization endpoint. It is the only one
    /// for this case after which client libraries do not throw their credentials away.
    TemporarilyUnavailable,
    /// The keys of another issuer are not available. On the wire it is the same as [`Self::TemporarilyUnavailable`].
    /// But any client can cause it by naming such an issuer, so it is counted like a failed authentication.
    IssuerUnavailable,
    /// Too many wrong guesses at a secret that a person may have chosen. Nothing was evaluated. On the wire it is the
    /// same as [`Self::TemporarilyUnavailable`], with status 429.
    TooManyGuesses {
        /// How long to wait.
        seconds: u64,
    },
    /// Too many requests from one address, or too many of one client that wait. On the wire it is the same as
    /// [`Self::TemporarilyUnavailable`], with status 429.
    TooManyRequests {
        /// How long to wait.
        seconds: u64,
    },
    /// A defect in our code.
    ServerError,
}

impl OAuthErrorCode {
    /// The value on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::AccessDenied | Self::DeviceDenied => "access_denied",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InsufficientScope => "insufficient_scope",
            Self::TemporarilyUnavailable
            | Self::IssuerUnavailable
            | Self::TooManyGuesses { .. }
            | Self::TooManyRequests { .. } => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }
}

/// An error: `description` is sent, `detail` is logged and never sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthError {
    /// The kind.
    pub code: OAuthErrorCode,
    /// What the developer of the client should read. ASCII without quotes and backslashes (RFC 6749 §5.2).
    pub description: Cow<'static, str>,
    /// What the operator should read.
    pub detail: Cow<'static, str>,
    /// The cause, for people who may see the credential. It is never sent to the client.
    pub refusal: Option<Refusal>,
    /// The same for a client that acts for people.
    pub of_app: Option<AppRefusal>,
}

/// What the steps of an answer to a client return.
pub type Result<T, E = OAuthError> = std::result::Result<T, E>;

const UNAVAILABLE: &str = "The server cannot answer now. Try again soon.";

impl OAuthError {
    /// An error whose detail is its description.
    pub const fn new(code: OAuthErrorCode, description: &'static str) -> Self {
        let (sent, logged) = (Cow::Borrowed(description), Cow::Borrowed(description));
        Self { code, description: sent, detail: logged, refusal: None, of_app: None }
    }

    /// A malformed request.
    pub const fn invalid_request(description: &'static str) -> Self {
        Self::new(OAuthErrorCode::InvalidRequest, description)
    }

    /// The error for a client that proved itself and may not use this endpoint or grant, with any parameters.
    pub(crate) const fn unauthorized_client() -> Self {
        Self::new(OAuthErrorCode::UnauthorizedClient, "This client may not use this grant type.")
    }

    /// The error when nothing is left of the requested scopes. `offered` are the scopes of the server, for a caller who
    /// may know them.
    pub(crate) fn no_scope(offered: Option<&Scopes>) -> Self {
        let problem = "None of the requested scopes may be granted.";
        let description = match offered.filter(|offered| !offered.is_empty()) {
            Some(offered) => Cow::Owned(format!("{problem} The scopes of this server are: {offered}.")),
            None => Cow::Borrowed(problem),
        };
        Self { description, ..Self::new(OAuthErrorCode::InvalidScope, problem) }
    }

    /// A fault of ours. The HTTP status says which.
    pub const fn fault(status: u16) -> Self {
        match status {
            503 => Self::new(OAuthErrorCode::TemporarilyUnavailable, UNAVAILABLE),
            _ => Self::new(OAuthErrorCode::ServerError, "The server met a defect. Its operator finds it in the log."),
        }
    }

    /// A failed client authentication. The answer is the same for every cause; only the log says which cause it was.
    pub(crate) fn invalid_client(detail: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: detail.into(), ..Self::new(OAuthErrorCode::InvalidClient, "Client authentication failed.") }
    }

    /// The same error with its cause.
    pub(crate) fn because_of(self, refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), ..self }
    }

    /// The same error with its cause, of a client that acts for people.
    pub(crate) fn of_app(self, cause: AppRefusal) -> Self {
        Self { of_app: Some(cause), ..self }
    }

    /// A fault after which the client may try again. `detail` is for the log.
    pub(crate) fn unavailable(detail: String) -> Self {
        Self { detail: detail.into(), ..Self::new(OAuthErrorCode::TemporarilyUnavailable, UNAVAILABLE) }
    }
}

impl From<FormError> for OAuthError {
    fn from(error: FormError) -> Self {
        Self::invalid_request(match error {
            FormError::Malformed => "The body must be form-urlencoded UTF-8 without control characters.",
            FormError::Repeated => "A parameter is repeated.",
        })
    }
}
