//! Addresses where nothing is. Programs get a JSON answer that names the address they probably mean; pages of any
//! origin may read it. Browsers get the designed page.
//!
//! Programs come to wrong addresses when they guess (some clients ask `/token` at the root when discovery failed) and
//! when a person typed the address. HTML tells such a program nothing, and a redirect of a POST is not followed.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::http::{cors, media_type};
use crate::oauth::{AUTHORIZE_PATH, introspect, metadata, register, revoke};
use crate::state::AppState;

/// The layer of the fallback. Nothing at these addresses takes a form, so a browser gets the page whatever it sent.
/// With the checks of a form it would read that its form was not accepted.
pub(crate) async fn fallback(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    if is_program(&request) {
        return answer(&state, request).await;
    }
    if *request.method() != Method::HEAD {
        *request.method_mut() = Method::GET;
    }
    *request.body_mut() = Body::empty();
    next.run(request).await
}

/// The answer for programs: 404 in JSON, or the answer to a preflight request.
pub(crate) async fn answer(state: &AppState, request: Request) -> Response {
    let hint = hint(state, request.uri().path());
    cors::public(request, |_| async {
        let body =
            json!({ "error": "Not Found", "error_description": format!("There is nothing at this address. {hint}") });
        (StatusCode::NOT_FOUND, Json(body)).into_response()
    })
    .await
}

/// Whether the request calls an MCP server at the root of this one: a person left out the path.
pub(crate) fn is_call_of_root(request: &Request) -> bool {
    request.uri().path() == "/" && !matches!(*request.method(), Method::GET | Method::HEAD) && is_program(request)
}

/// Whether a program sent the request. Browsers name HTML when they open an address or send a form. A request without
/// any sign, such as curl sends it, counts as one of a program where only programs go.
fn is_program(request: &Request) -> bool {
    let headers = request.headers();
    if media_type::names(headers, "text/html") {
        return false;
    }
    let first = request.uri().path().split('/').nth(1).unwrap_or_default();
    let for_programs = ["mcp", "oauth", "sse", "token", "register", "authorize", "messages", "api"].contains(&first);
    let by_method = !matches!(*request.method(), Method::GET | Method::HEAD | Method::POST);
    let is_form = |body: &str| [media_type::FORM, "multipart/form-data"].contains(&body);
    let body = media_type::of_body(headers);
    let by_body = !body.is_empty() && !is_form(&body);
    let by_accept = [media_type::JSON, "text/event-stream"].iter().any(|wanted| media_type::names(headers, wanted));
    for_programs || by_method || by_body || by_accept
}

/// What is probably meant. The text is made of our own addresses only.
fn hint(state: &AppState, path: &str) -> String {
    let settings = &state.context.settings;
    let at = |what: &str, path: &str| format!("{what} is at {}{path}.", settings.public_url);
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    match last {
        "token" => at("The token endpoint", crate::oauth::token::PATH),
        "authorize" => at("The authorization endpoint", AUTHORIZE_PATH),
        "register" => at("The registration endpoint", register::PATH),
        "introspect" | "introspection" => at("The introspection endpoint", introspect::PATH),
        "revoke" | "revocation" => at("The revocation endpoint", revoke::PATH),
        "jwks" | "jwks.json" | "keys" | "certs" => at("The set of signing keys", metadata::JWKS_PATH),
        "openid-configuration" => at("The metadata of the authorization server", metadata::AUTHORIZATION_SERVER_PATH),
        _ => {
            let metadata = at("The metadata of the authorization server", metadata::AUTHORIZATION_SERVER_PATH);
            format!("The MCP server is at {}. {metadata}", settings.built_in_resource())
        }
    }
}
