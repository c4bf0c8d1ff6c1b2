//! Around every request: basic hygiene, a deadline, a net under panics, the security headers, one log line.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use domain::model::token::oauth_error::OAuthError;
use futures::FutureExt;

use crate::http::accept::{LONGEST_HEAD, MOST_HEADERS};
use crate::http::client_address::ClientAddress;
use crate::http::request_id::RequestId;
use crate::http::{body, error};
use crate::state::AppState;

/// Time for an answer, from the end of the request's head.
const DEADLINE: Duration = Duration::from_secs(30);
/// The same for endpoints of OAuth, which have a net of their own inside that one.
const OAUTH_DEADLINE: Duration = Duration::from_secs(29);
/// Longest request target, in bytes.
const LONGEST_TARGET: usize = 8 * 1024;

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The policy of a page whose form is answered with a redirect to a client. Browsers hold every redirect of a form to
/// `form-action`, also those that the client makes from there on, to addresses and schemes that nobody here can know.
pub const POLICY_OF_LEADING_ON: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
     frame-ancestors 'none'",
);

/// The headers of every answer, read once.
static DEFAULTS: [(HeaderName, HeaderValue); 8] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// What is around every request, and its work.
pub async fn wrap<Work: Future<Output = Response>>(
    state: &AppState,
    request: Request,
    work: impl FnOnce(Request, ClientAddress) -> Work,
) -> Response {
    let id = state.request_id();
    id.around(wrapped(state, id, request, work)).await
}

async fn wrapped<Work: Future<Output = Response>>(
    state: &AppState,
    id: RequestId,
    mut request: Request,
    work: impl FnOnce(Request, ClientAddress) -> Work,
) -> Response {
    let started = Instant::now();
    let address = ClientAddress::of(&request, &state.trusted_proxies);
    request.extensions_mut().insert(address);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);

    let mut response = match refusal(&request) {
        Some(status) => close(error::plain(status)),
        None => {
            let (request, remainder) = body::with_remainder(request);
            let response = net(work(request, address)).await;
            let is_over = match remainder {
                Some(remainder) => remainder.drain().await,
                None => true,
            };
            if is_over { response } else { close(response) }
        }
    };
    // Whoever reports a fault can name the lines of the log that belong to it.
    if response.status().is_server_error()
        && let Ok(id) = HeaderValue::from_str(&id.to_string())
    {
        response.headers_mut().insert("x-request-id", id);
    }
    // A request with both Content-Length and Transfer-Encoding reaches us with the former removed. Whoever put it there
    // may have hidden a second request behind the first, so nothing more is read from such a connection (RFC 9112
    // §6.1).
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

/// The net under everything.
async fn net(work: impl Future<Output = Response>) -> Response {
    caught(DEADLINE, work).await.unwrap_or_else(error::plain)
}

/// The net under the endpoints of OAuth: their faults have the form that clients of OAuth understand.
pub async fn oauth_net(work: impl Future<Output = Response>) -> Response {
    caught(OAUTH_DEADLINE, work).await.unwrap_or_else(|status| error::oauth(&OAuthError::fault(status.as_u16()), false))
}

/// The answer; 500 when there was a panic instead, 503 when none came in time.
async fn caught(deadline: Duration, work: impl Future<Output = Response>) -> Result<Response, StatusCode> {
    match tokio::time::timeout(deadline, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(response)) => Ok(response),
        // The hook has logged where.
        Ok(Err(_)) => Err(StatusCode::INTERNAL_SERVER_ERROR),
        Err(_) => {
            tracing::error!("a request took too long");
            Err(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

/// Logs where a panic happened, as one line. Its message stays out: it may hold whatever was being worked on.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "a defect: the work under way was given up");
    }));
}

fn close(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The headers of every answer. What a handler set already stays.
fn secure(headers: &mut HeaderMap, https: bool) {
    headers.reserve(DEFAULTS.len() + 2);
    for (name, value) in &DEFAULTS {
        headers.entry(name).or_insert_with(|| value.clone());
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
