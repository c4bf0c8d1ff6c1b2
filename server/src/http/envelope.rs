//! Around every request: basic hygiene, a deadline, a net under panics, the security headers, one log line.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;

use super::accept::{LONGEST_HEAD, MOST_HEADERS};
use super::client_address::ClientAddress;
use super::error;
use crate::state::AppState;

/// Time for an answer, from the end of the request's head.
const DEADLINE: Duration = Duration::from_secs(30);
/// Longest request target, in bytes.
const LONGEST_TARGET: usize = 8 * 1024;

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The outermost middleware.
pub async fn envelope(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let address = ClientAddress::of(&request, &state.trusted_proxies);
    request.extensions_mut().insert(address);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);

    let mut response = match refusal(&request) {
        Some(status) => close(error::plain(status)),
        None => answer(request, next).await,
    };
    // A request with both Content-Length and Transfer-Encoding reaches us with the former removed. Whoever put it there
    // may have hidden a second request behind the first, so nothing more is read from such a connection (RFC 9112 §6.1).
    if chunked {
        response = close(response);
    }
    secure(response.headers_mut(), state.is_https());
    let (status, milliseconds) = (response.status().as_u16(), started.elapsed().as_millis() as u64);
    // The query stays out: the setup link's token stands in one.
    tracing::debug!(%method, path, status, milliseconds, address = ?address.0, "request");
    response
}

/// What is wrong with a request before anybody looks at what it wants.
fn refusal(request: &Request) -> Option<StatusCode> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    let host_is_wrong = hosts > 1 || (hosts == 0 && request.version() >= Version::HTTP_11);
    let head: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if host_is_wrong {
        Some(StatusCode::BAD_REQUEST)
    } else if request.headers().len() > MOST_HEADERS || head > LONGEST_HEAD {
        // The parser stops reading at these limits, but lets through what arrived in one piece.
        Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    } else if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > LONGEST_TARGET) {
        Some(StatusCode::URI_TOO_LONG)
    } else {
        None
    }
}

async fn answer(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let work = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            // The panic's own message may hold anything; it went to standard error, not into the answer.
            tracing::error!(path, "a request ended in a panic");
            error::plain(StatusCode::INTERNAL_SERVER_ERROR)
        }
        Err(_) => {
            tracing::error!(path, "a request took too long");
            error::plain(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

fn close(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The headers of every answer. What a handler set already stays.
fn secure(headers: &mut HeaderMap, https: bool) {
    let defaults = [
        ("content-security-policy", CONTENT_SECURITY_POLICY),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ("cache-control", "no-store"),
    ];
    for (name, value) in defaults {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if https {
        headers
            .entry(header::STRICT_TRANSPORT_SECURITY)
            .or_insert(HeaderValue::from_static("max-age=63072000; includeSubDomains"));
    }
}

impl IntoResponse for super::body::BodyError {
    fn into_response(self) -> Response {
        error::plain(self.status())
    }
}
