//! Shared by the endpoints where clients authenticate: how a request is read, how it is refused, and the limit of
//! failed authentications by address.

use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use domain::base::form_body::TokenForm;
use domain::model::origin::Origin;
use domain::model::token::oauth_error::{OAuthError, OAuthErrorCode};
use domain::token::client_authentication::presented::Presented;

use crate::http::body::{self, BodyError, TOKEN_LIMIT};
use crate::http::client_address::ClientAddress;
use crate::http::{error, media_type, text};
use crate::state::AppState;

/// A request that was read.
pub(crate) struct OAuthRequest {
    /// Its parameters.
    pub form: TokenForm,
    /// The client authentication. A request with contradicting mechanisms is malformed and was refused before.
    pub presented: Presented,
    /// Where it came from.
    pub origin: Origin,
}

/// Why a request is refused.
pub(crate) enum Failure {
    /// The method is not POST.
    Method,
    /// The body did not arrive.
    Body(BodyError),
    /// Every other reason.
    OAuth(OAuthError),
}

impl From<OAuthError> for Failure {
    fn from(error: OAuthError) -> Self {
        Self::OAuth(error)
    }
}

/// Serves a request of an endpoint: reads it, and answers it with the result of `work` or with its refusal.
pub(crate) async fn serve(
    state: &AppState,
    address: ClientAddress,
    request: Request,
    work: impl AsyncFnOnce(OAuthRequest) -> Result<Response, Failure>,
) -> Response {
    let basic = request.headers().contains_key(header::AUTHORIZATION);
    let answer = match read(request, address).await {
        Ok(request) => work(request).await,
        Err(failure) => Err(failure),
    };
    answer.unwrap_or_else(|failure| refusal(state, address, failure, basic))
}

/// Reads a request. The checks follow the order of the error matrix: method, content type, query, size, decoding,
/// mechanism.
async fn read(request: Request, address: ClientAddress) -> Result<OAuthRequest, Failure> {
    if request.method() != Method::POST {
        return Err(Failure::Method);
    }
    if media_type::of_body(request.headers()) != media_type::FORM {
        return Err(OAuthError::invalid_request("The body must be application/x-www-form-urlencoded.").into());
    }
    // Parameters in a URL end up in logs and browser histories (OAuth 2.1 §2.4.1).
    if request.uri().query().is_some_and(|query| !query.is_empty()) {
        return Err(OAuthError::invalid_request("Send the parameters in the body, not in the address.").into());
    }
    let (head, body) = body::split(request, TOKEN_LIMIT).await.map_err(Failure::Body)?;
    let form = TokenForm::parse(&body).map_err(OAuthError::from)?;
    let authorization: Vec<&[u8]> =
        head.headers.get_all(header::AUTHORIZATION).iter().map(HeaderValue::as_bytes).collect();
    let presented = Presented::read(&authorization, &form)?;
    let origin = Origin::new(address.0, text(&head.headers, header::USER_AGENT));
    Ok(OAuthRequest { form, presented, origin })
}

/// The answer to a request that is refused. `basic` says whether the request had an `Authorization` header.
fn refusal(state: &AppState, address: ClientAddress, failure: Failure, basic: bool) -> Response {
    match failure {
        Failure::Method => {
            let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, "Use POST.");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            response
        }
        Failure::Body(BodyError::TooLarge) => {
            let mut response = refuse(StatusCode::PAYLOAD_TOO_LARGE, "The body is larger than 16 KiB.");
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
        Failure::Body(error) => refuse(error.status(), "The body did not arrive."),
        Failure::OAuth(error) => oauth(state, address, &error, basic),
    }
}

fn refuse(status: StatusCode, description: &'static str) -> Response {
    error::oauth_with_status(status, &OAuthError::invalid_request(description), false)
}

fn oauth(state: &AppState, address: ClientAddress, error: &OAuthError, basic: bool) -> Response {
    match error.code {
        OAuthErrorCode::TemporarilyUnavailable | OAuthErrorCode::ServerError => {
            tracing::error!(detail = %error.detail, "a client could not be served");
        }
        code => tracing::debug!(error = code.as_str(), detail = %error.detail, address = ?address.0, "refused"),
    }
    let is_counted = matches!(
        error.code,
        OAuthErrorCode::InvalidClient
            | OAuthErrorCode::InvalidGrant
            | OAuthErrorCode::IssuerUnavailable
            | OAuthErrorCode::SlowDown
            | OAuthErrorCode::TooManyGuesses { .. }
    );
    if is_counted && let Some(wait) = state.failures.count(address.0, state.context.now()) {
        let error = OAuthError::new(OAuthErrorCode::TemporarilyUnavailable, "Too many failed attempts. Wait a little.");
        let mut response = error::oauth_with_status(StatusCode::TOO_MANY_REQUESTS, &error, false);
        error::retry_after(&mut response, wait.as_secs().max(1));
        return response;
    }
    let mut response = error::oauth(error, basic);
    if let OAuthErrorCode::TooManyGuesses { seconds } | OAuthErrorCode::TooManyRequests { seconds } = error.code {
        error::retry_after(&mut response, seconds);
    }
    response
}
