//! Layers around every request: basic checks, a deadline, a panic handler, the security headers, one log line.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use app::links;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use axum::response::Response;
use domain::model::server::gateway::PATH;
use domain::model::token::oauth_error::OAuthError;
use futures::FutureExt;

use crate::http::accept::{LONGEST_HEAD, MOST_HEADERS};
use crate::http::client_address::ClientAddress;
use crate::http::request_id::RequestId;
use crate::http::{body, error};
use crate::state::AppState;

/// Deadline for an answer, from the end of the request's head.
const DEADLINE: Duration = Duration::from_secs(30);
/// The deadline for OAuth endpoints. They have a panic and deadline handler of their own inside the general one.
const OAUTH_DEADLINE: Duration = Duration::from_secs(29);
/// Maximum length of a request target, in bytes.
const LONGEST_TARGET: usize = 8 * 1024;
/// The same for pages of the sign-in. They carry the request of a client, and characters of it that a browser left as
/// they are take three bytes there.
const LONGEST_TARGET_OF_SIGN_IN: usize = 3 * LONGEST_TARGET;

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The content security policy of a page whose form is answered with a redirect to a client. Browsers apply
/// `form-action` to every redirect after a form. The client may redirect further, to addresses and schemes that the
/// server cannot know.
pub(crate) const POLICY_OF_LEADING_ON: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
     frame-ancestors 'none'",
);

/// The headers of every answer, parsed once.
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

/// All layers around a request, and the request's work.
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
            let deadline = deadline(state, request.uri().path());
            let response = caught(deadline, work(request, address)).await.unwrap_or_else(error::plain);
            let is_over = match remainder {
                Some(remainder) => remainder.drain().await,
                None => true,
            };
            if is_over { response } else { close(response) }
        }
    };
    // A person who reports an error can quote this ID, so that the log lines are found.
    if response.status().is_server_error()
        && let Ok(id) = HeaderValue::from_str(&id.to_string())
    {
        response.headers_mut().insert("x-request-id", id);
    }
    // When a request has both Content-Length and Transfer-Encoding, the HTTP library removes Content-Length before we
    // see the request. The sender may have hidden a second request behind the first. So nothing more is read from such
    // a connection (RFC 9112 §6.1).
    //
    // While the server stops, each connection ends with an answer. A proxy that keeps connections open would otherwise
    // lose the request that it sends at the moment at which the server closes the connection.
    if chunked || state.is_draining() {
        response = close(response);
    }
    secure(response.headers_mut(), state.is_https());
    let (status, milliseconds) = (response.status().as_u16(), started.elapsed().as_millis() as u64);
    // The log line omits the query, because the setup link has its token there.
    tracing::debug!(%method, path, status, milliseconds, address = ?address.0, "request");
    response
}

/// Checks the request before any handler looks at it. Returns what is wrong.
fn refusal(request: &Request) -> Option<StatusCode> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    let host_is_wrong = hosts > 1 || (hosts == 0 && request.version() >= Version::HTTP_11);
    let head: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if host_is_wrong {
        Some(StatusCode::BAD_REQUEST)
    } else if request.headers().len() > MOST_HEADERS || head > LONGEST_HEAD {
        // The parser stops reading at these limits, but accepts a larger head that arrived in one piece.
        Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    } else if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > longest_target(target.path()))
    {
        Some(StatusCode::URI_TOO_LONG)
    } else {
        None
    }
}

/// The deadline for the answer to a request of this path. The gateway waits for another server, and limits that itself.
fn deadline(state: &AppState, path: &str) -> Duration {
    if path.starts_with(PATH) { DEADLINE + state.gateway.first_byte * 2 } else { DEADLINE }
}

/// The longest target of this path. The log never has the query, so a long one costs its memory only.
fn longest_target(path: &str) -> usize {
    match path {
        links::SIGN_IN | links::SECOND_STEP => LONGEST_TARGET_OF_SIGN_IN,
        _ => LONGEST_TARGET,
    }
}

/// Catches panics and applies the deadline, for OAuth endpoints. Their errors have the format that OAuth clients
/// understand.
pub async fn oauth_net(work: impl Future<Output = Response>) -> Response {
    caught(OAUTH_DEADLINE, work).await.unwrap_or_else(|status| error::oauth(&OAuthError::fault(status.as_u16()), false))
}

/// The answer. It is 500 after a panic, and 503 when no answer came in time.
async fn caught(deadline: Duration, work: impl Future<Output = Response>) -> Result<Response, StatusCode> {
    match tokio::time::timeout(deadline, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(response)) => Ok(response),
        // The panic hook has logged where it happened.
        Ok(Err(_)) => Err(StatusCode::INTERNAL_SERVER_ERROR),
        Err(_) => {
            tracing::error!("a request took too long");
            Err(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

/// Logs the place of a panic as one line. It omits the message, because the message may contain any data of the
/// request.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "a defect: the work under way was given up");
    }));
}

fn close(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The security headers of every answer. A header that the handler has set stays.
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
