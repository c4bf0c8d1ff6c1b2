//! `POST /mcp/oauth/token`: the token endpoint (RFC 6749 §3.2).

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::token::access_token::AccessToken;
use domain::token::client_authentication::presented;
use domain::token::error::{OAuthError, OAuthErrorCode};
use domain::token::form::TokenForm;
use domain::token::grants::{Grant, client_credentials, jwt_bearer};
use serde::Serialize;

use crate::http::body::{self, BodyError, TOKEN_LIMIT};
use crate::http::client_address::ClientAddress;
use crate::http::error;
use crate::state::AppState;

/// A successful answer (RFC 6749 §5.1).
#[derive(Serialize)]
struct TokenResponse<'token> {
    access_token: &'token str,
    token_type: &'static str,
    expires_in: i64,
    scope: &'token str,
}

/// The endpoint. It takes every method, so that the wrong one gets an answer in JSON too.
pub async fn endpoint(
    State(state): State<AppState>,
    Extension(address): Extension<ClientAddress>,
    request: Request,
) -> Response {
    let basic = request.headers().contains_key(header::AUTHORIZATION);
    match exchange(&state, address, request).await {
        Ok(token) => success(&token),
        Err(Failure::Method) => {
            let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, "Use POST.");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            response
        }
        Err(Failure::Body(BodyError::TooLarge)) => {
            let mut response = refuse(StatusCode::PAYLOAD_TOO_LARGE, "The body is larger than 16 KiB.");
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
        Err(Failure::Body(error)) => refuse(error.status(), "The body did not arrive."),
        Err(Failure::OAuth(error)) => failure(&state, address, &error, basic),
    }
}

enum Failure {
    Method,
    Body(BodyError),
    OAuth(OAuthError),
}

impl From<OAuthError> for Failure {
    fn from(error: OAuthError) -> Self {
        Self::OAuth(error)
    }
}

/// The checks in the order of the error matrix: method, content type, query, size, decoding, mechanism, grant, client.
async fn exchange(state: &AppState, address: ClientAddress, request: Request) -> Result<AccessToken, Failure> {
    if request.method() != Method::POST {
        return Err(Failure::Method);
    }
    if !is_form(request.headers()) {
        return Err(OAuthError::invalid_request("The body must be application/x-www-form-urlencoded.").into());
    }
    // Whatever stands in an address ends up in logs and histories (OAuth 2.1 §2.4.1).
    if request.uri().query().is_some_and(|query| !query.is_empty()) {
        return Err(OAuthError::invalid_request("Send the parameters in the body, not in the address.").into());
    }
    let (head, body) = request.into_parts();
    let body = body::read(body, TOKEN_LIMIT).await.map_err(Failure::Body)?;
    let form = TokenForm::parse(&body)?;
    let authorization: Vec<&[u8]> =
        head.headers.get_all(header::AUTHORIZATION).iter().map(HeaderValue::as_bytes).collect();
    // A contradiction between mechanisms is a malformed request and comes first; a failed one waits for the grant.
    let presented = match presented(&authorization, &form) {
        Err(error) if error.code == OAuthErrorCode::InvalidRequest => return Err(error.into()),
        presented => presented,
    };
    match Grant::of(&form)? {
        Grant::ClientCredentials => {
            Ok(client_credentials::exchange(&state.context, presented?, &form, address.0).await?)
        }
        // The assertion says who the client is; a second proof beside it could only contradict it.
        Grant::JwtBearer
            if presented.is_ok() || !authorization.is_empty() || form.get("client_assertion").is_some() =>
        {
            Err(OAuthError::invalid_request("This grant takes no client authentication beside the assertion.").into())
        }
        Grant::JwtBearer => Ok(jwt_bearer::exchange(&state.context, &form, address.0).await?),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn success(token: &AccessToken) -> Response {
    let body = TokenResponse {
        access_token: &token.token,
        token_type: "Bearer",
        expires_in: token.expires_in,
        scope: &token.scope,
    };
    ([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(body)).into_response()
}

fn refuse(status: StatusCode, description: &'static str) -> Response {
    error::oauth_with_status(status, &OAuthError::invalid_request(description), false)
}

fn failure(state: &AppState, address: ClientAddress, error: &OAuthError, basic: bool) -> Response {
    match error.code {
        OAuthErrorCode::TemporarilyUnavailable | OAuthErrorCode::ServerError => {
            tracing::error!(detail = %error.detail, "an exchange could not be served");
        }
        code => tracing::debug!(error = code.as_str(), detail = %error.detail, address = ?address.0, "refused"),
    }
    let is_counted = matches!(
        error.code,
        OAuthErrorCode::InvalidClient | OAuthErrorCode::InvalidGrant | OAuthErrorCode::IssuerUnavailable
    );
    if is_counted && let Some(wait) = state.failures.count(address.0, state.context.now()) {
        let error = OAuthError::new(OAuthErrorCode::TemporarilyUnavailable, "Too many failed attempts. Wait a little.");
        let mut response = error::oauth_with_status(StatusCode::TOO_MANY_REQUESTS, &error, false);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        return response;
    }
    error::oauth(error, basic)
}
