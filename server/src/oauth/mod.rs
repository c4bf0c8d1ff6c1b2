//! The authorization server's endpoints, one module each: parse, ask the domain, encode.

pub mod authorize;
pub mod introspect;
pub mod jwks;
pub mod metadata;
pub mod register;
pub mod request;
pub mod revoke;
pub mod status;
pub mod token;

use axum::extract::Request;
use axum::response::Response;

use crate::http::cors;
use crate::http::middleware::oauth_net;

/// Where a client sends a person, who may have to sign in on the way.
pub const AUTHORIZE_PATH: &str = "/mcp/oauth/authorize";

/// What stands around every OAuth endpoint: pages of any origin may read the answer, and a fault of ours has a form
/// that clients understand.
pub async fn surround<Work: Future<Output = Response>>(
    request: Request,
    work: impl FnOnce(Request) -> Work,
) -> Response {
    cors::public(request, |request| oauth_net(work(request))).await
}
