//! Access tokens of requests to a protected resource (RFC 6750), and what the resource answers without one.

use std::borrow::Cow;
use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use domain::model::server::scope::Scopes;
use domain::token::verify::{Caller, VerifyError, verify};

use crate::http::error::{self, unavailable};
use crate::state::AppState;

/// A protected resource of this process.
pub(crate) struct ProtectedResource<'of> {
    /// Its identifier: the audience of its tokens.
    pub(crate) audience: &'of str,
    /// Where its metadata is (RFC 9728).
    pub(crate) metadata_url: String,
    /// The scopes that a client without a token should ask for, separated by spaces.
    pub(crate) scope: Cow<'of, str>,
}

/// The token of the request. The error says whether the request has the header of a token (RFC 6750 §3).
pub(crate) fn token_of(headers: &HeaderMap) -> Result<String, bool> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let token = match (values.next(), values.next()) {
        (None, _) => return Err(false),
        (Some(value), None) => bearer_of(value),
        (Some(_), Some(_)) => None,
    };
    token.map(str::to_owned).ok_or(true)
}

fn bearer_of(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

impl ProtectedResource<'_> {
    /// The caller with this token, or the challenge.
    pub(crate) async fn authenticate(
        &self,
        state: &AppState,
        token: &str,
        address: Option<IpAddr>,
    ) -> Result<Caller, Response> {
        match verify(&state.context, token, self.audience, address).await {
            Ok(caller) => Ok(caller),
            Err(VerifyError::Invalid(reason)) => {
                tracing::debug!(reason, "a token was refused");
                Err(self.challenge(true))
            }
            Err(VerifyError::Foreign(reason)) => {
                tracing::debug!(reason, "a token was refused that is not ours");
                Err(match state.failures.count(address, state.context.now()) {
                    Some(wait) => error::too_many(wait),
                    None => self.challenge(true),
                })
            }
            Err(VerifyError::Fault(fault)) => Err(unavailable!(%fault, "a token could not be checked")),
        }
    }

    /// 401, with the address of the metadata. For a bad token it says that the token is bad, never why.
    pub(crate) fn challenge(&self, invalid: bool) -> Response {
        let error =
            if invalid { r#", error="invalid_token", error_description="The token is not valid.""# } else { "" };
        let scope = &self.scope;
        let value = format!(r#"Bearer resource_metadata="{}", scope="{scope}"{error}"#, self.metadata_url);
        with_challenge(StatusCode::UNAUTHORIZED, &value)
    }

    /// 403, with every scope that the next token needs (RFC 6750 §3.1). The list includes the scopes that the token
    /// has, because clients ask for exactly the scopes in the challenge.
    pub(crate) fn insufficient_scope(&self, needed: &Scopes) -> Response {
        let value = format!(
            r#"Bearer error="insufficient_scope", scope="{needed}", resource_metadata="{}", error_description="The token lacks a scope.""#,
            self.metadata_url
        );
        with_challenge(StatusCode::FORBIDDEN, &value)
    }
}

fn with_challenge(status: StatusCode, value: &str) -> Response {
    let mut response = error::plain(status);
    // The parts are our own URL and scope tokens. Both are visible ASCII, so a header can hold them.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}
