//! Cross-origin access (Fetch Standard) for browser-based MCP clients. The OAuth endpoints use no cookie, so pages of
//! any origin may read their answers. The MCP server accepts the origins that the operator listed.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Answers preflight requests. Pages of any origin may read the answer of `work`.
pub async fn public<Work: Future<Output = Response>>(request: Request, work: impl FnOnce(Request) -> Work) -> Response {
    let mut response =
        if request.method() == Method::OPTIONS { preflight(request.headers()) } else { work(request).await };
    allow(&mut response, HeaderValue::from_static("*"));
    response
}

/// Allows pages of `origin` to read the answer.
pub fn allow(response: &mut Response, origin: HeaderValue) {
    let headers = response.headers_mut();
    if origin != "*" {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("WWW-Authenticate, Retry-After, MCP-Protocol-Version, Mcp-Session-Id"),
    );
    // Pages of other origins may read these answers. The general headers make all other answers same-origin.
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
}

/// The answer to a preflight request, which comes before any check of a token. `Authorization` must be named, because
/// `*` does not include it.
pub fn preflight(headers: &HeaderMap) -> Response {
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let allowed = asked.unwrap_or_else(|| HeaderValue::from_static("authorization, content-type"));
    (
        StatusCode::NO_CONTENT,
        [
            (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, DELETE, OPTIONS")),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, allowed),
            (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
        ],
    )
        .into_response()
}
