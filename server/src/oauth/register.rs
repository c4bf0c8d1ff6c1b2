//! `/mcp/oauth/register`: a client makes itself known (RFC 7591), and manages its registration (RFC 7592).

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::client::registered;
use domain::client::registration::{RegistrationError, register};
use domain::error::Fault;
use domain::model::origin::Origin;
use domain::model::token::oauth_error::{OAuthError, OAuthErrorCode};
use hyper::body::Bytes;
use serde_json::json;

use crate::dashboard::auth::form_token::Sender;
use crate::http::body::{self, TOKEN_LIMIT};
use crate::http::client_address::ClientAddress;
use crate::http::{error, media_type, text};
use crate::state::AppState;

/// Path of the endpoint.
pub(crate) const PATH: &str = "/mcp/oauth/register";

/// Path of a client's own registration.
pub(crate) const MANAGED_PATH: &str = "/mcp/oauth/register/{client_id}";

/// The endpoint. It needs no authentication, so the number of registrations per source is limited. Pages of all origins
/// may register their programs, but only with the media type of RFC 7591 §3.1: for others a browser asks nobody. They
/// have limits of their own: a page must not use up what programs at the address of its visitor may do.
pub(crate) async fn endpoint(
    State(state): State<AppState>,
    address: ClientAddress,
    request: Request,
) -> Result<Response, Response> {
    if request.method() != Method::POST {
        return Err(wrong_method("POST"));
    }
    let (bearer, metadata, origin) = read(&state, address, request).await?;
    let client = register(&state.context, &metadata, bearer.as_deref(), &origin).await.map_err(refusal)?;
    Ok((StatusCode::CREATED, UNCACHED, Json(client)).into_response())
}

/// A client reads, changes or removes its own registration (RFC 7592). Attempts count as registrations.
pub(crate) async fn manage(
    State(state): State<AppState>,
    Path(id): Path<String>,
    address: ClientAddress,
    request: Request,
) -> Result<Response, Response> {
    let (method, context) = (request.method().clone(), &state.context);
    if ![Method::GET, Method::PUT, Method::DELETE].contains(&method) {
        return Err(wrong_method("GET, PUT, DELETE"));
    }
    let (bearer, metadata, origin) = read(&state, address, request).await?;
    let bearer = bearer.as_deref();
    let client = match method {
        Method::PUT => registered::update(context, &id, bearer, &metadata, &origin).await,
        Method::DELETE => {
            registered::remove(context, &id, bearer, &origin).await.map_err(refusal)?;
            return Ok((StatusCode::NO_CONTENT, UNCACHED).into_response());
        }
        _ => registered::inspect(context, &id, bearer).await,
    };
    Ok((UNCACHED, Json(client.map_err(refusal)?)).into_response())
}

const UNCACHED: [(HeaderName, &str); 2] = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];

/// Counts a request and reads it: the bearer token, the body, and where it came from. Only a body of POST or PUT is
/// metadata.
async fn read(
    state: &AppState,
    address: ClientAddress,
    request: Request,
) -> Result<(Option<String>, Bytes, Origin), Response> {
    let has_metadata = matches!(*request.method(), Method::POST | Method::PUT);
    if has_metadata && media_type::of_body(request.headers()) != media_type::JSON {
        let problem = "Send the metadata as application/json.";
        return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_client_metadata", problem));
    }
    let now = state.context.now();
    let limits = match Sender::of(request.headers(), &state.context.settings.public_url) {
        Sender::AnotherSite => &state.registrations_by_pages,
        Sender::Ours | Sender::Unknown => &state.registrations,
    };
    if let Some(wait) = limits.count(address.0, now) {
        let code = "temporarily_unavailable";
        let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, code, "Too many registrations. Wait a little.");
        error::retry_after(&mut response, wait.as_secs().max(1));
        return Err(response);
    }
    let (head, metadata) = body::split(request, TOKEN_LIMIT)
        .await
        .map_err(|error| refuse(error.status(), "invalid_client_metadata", "The body did not arrive."))?;
    let origin = Origin::new(address.0, text(&head.headers, header::USER_AGENT));
    let bearer = text(&head.headers, header::AUTHORIZATION).and_then(|value| value.split_once(' '));
    let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    Ok((bearer.map(|(_, token)| token.trim().to_owned()), metadata, origin))
}

fn wrong_method(allowed: &'static str) -> Response {
    let mut response =
        refuse(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", &format!("Use one of these methods: {allowed}."));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

fn unauthorized(problem: &str) -> Response {
    let mut response = refuse(StatusCode::UNAUTHORIZED, "invalid_token", problem);
    let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

fn refusal(error: RegistrationError) -> Response {
    match error {
        RegistrationError::Off => {
            let denied = OAuthErrorCode::AccessDenied;
            refuse(error::status_of(denied), denied.as_str(), "Clients cannot register themselves here.")
        }
        // RFC 7591 §3.2.2 does not define this refusal; RFC 6750 §3 does.
        RegistrationError::Unauthorized => {
            unauthorized("Send the initial access token of this server as a bearer token.")
        }
        RegistrationError::NotManaged => {
            unauthorized("Send the registration_access_token of this client as a bearer token.")
        }
        RegistrationError::RedirectUri(problem) => refuse(StatusCode::BAD_REQUEST, "invalid_redirect_uri", &problem),
        RegistrationError::Metadata(problem) => refuse(StatusCode::BAD_REQUEST, "invalid_client_metadata", &problem),
        RegistrationError::Fault(fault) => {
            tracing::error!(%fault, "a client could not be registered");
            error::oauth(&OAuthError::from(Fault::Overloaded("registration")), false)
        }
    }
}

fn refuse(status: StatusCode, code: &str, description: &str) -> Response {
    let body = json!({ "error": code, "error_description": description });
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
