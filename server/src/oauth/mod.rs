//! The endpoints of the authorization server: parse, call the domain, encode.

pub(crate) mod authorize;
pub(crate) mod bearer;
pub(crate) mod device_authorization;
pub(crate) mod introspect;
pub(crate) mod metadata;
pub(crate) mod register;
pub(crate) mod request;
pub(crate) mod revoke;
pub(crate) mod token;

use axum::extract::Request;
use axum::response::Response;

use crate::http::cors;
use crate::http::middleware::oauth_net;

/// The path to which a client sends a person. The person may have to sign in first.
pub(crate) const AUTHORIZE_PATH: &str = "/mcp/oauth/authorize";

/// The layer around every OAuth endpoint. Pages of any origin may read the answer, and an internal error has the format
/// that OAuth clients understand.
pub(crate) async fn surround<Work: Future<Output = Response>>(
    request: Request,
    work: impl FnOnce(Request) -> Work,
) -> Response {
    cors::public(request, |request| oauth_net(work(request))).await
}
