//! The gateway: MCP servers that check no tokens themselves. The order is: token, message, server. Nothing reaches the
//! server before the token is accepted and the message is allowed.
//!
//! | module | what it does |
//! |---|---|
//! | this one | the address, its metadata, the token |
//! | [`exchange`] | one request with a valid token, step by step |
//! | [`parts`] | what the gateway of this process has |
//! | [`message`] | reads messages |
//! | [`headers`] | which headers pass |
//! | [`session`] | binds sessions to clients |
//! | [`limits`] | limits calls |
//! | [`shape`] | whether a message may hold a list |
//! | [`filter`] | takes out of an answer what the token may not use |
//! | [`events`] | reads event streams |
//! | [`relay`] | the body of an answer |
//! | [`answers`] | errors |
//! | [`record`], [`news`], [`remembered`] | what is recorded of calls, and of definitions that changed |

mod answers;
pub(crate) mod events;
mod exchange;
mod filter;
pub(crate) mod headers;
mod limits;
mod message;
mod news;
pub(crate) mod parts;
mod record;
mod relay;
mod remembered;
mod session;
mod shape;

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::error::Fault;
use domain::model::server::gateway::PATH;
use domain::services::gateways::Snapshot;
use serde_json::json;

use crate::gateway::answers::problem;
use crate::gateway::exchange::Exchange;
use crate::gateway::filter::Filter;
use crate::http::client_address::ClientAddress;
use crate::http::error::{self, unavailable};
use crate::mcp;
use crate::oauth::bearer::{self, ProtectedResource};
use crate::state::AppState;

/// The route of the gateway.
pub(crate) const ROUTE: &str = "/gateway/{slug}";

/// The server behind the gateway as a protected resource.
fn resource<'of>(state: &AppState, snapshot: &'of Snapshot) -> ProtectedResource<'of> {
    let (public_url, slug) = (&state.context.settings.public_url, &snapshot.gateway.slug);
    ProtectedResource {
        audience: &snapshot.server.resource,
        metadata_url: format!("{public_url}/.well-known/oauth-protected-resource{PATH}{slug}"),
        // All of them: clients ask for what the challenge names, and a credential gets the part that it has. With the
        // first scope alone, an SDK with a credential for another scope would get no token.
        scope: snapshot.server.scopes.iter().map(|scope| scope.name.as_str()).collect::<Vec<_>>().join(" ").into(),
    }
}

/// The server with this slug, or the answer that there is none.
async fn find(state: &AppState, slug: &str) -> Result<Arc<Snapshot>, Response> {
    found(state.context.gateways.find(slug, state.context.now())).await
}

async fn found(
    snapshot: impl Future<Output = Result<Option<Arc<Snapshot>>, Fault>>,
) -> Result<Arc<Snapshot>, Response> {
    match snapshot.await {
        Ok(Some(snapshot)) => Ok(snapshot),
        Ok(None) => Err(problem(StatusCode::NOT_FOUND, "No MCP server is behind the gateway at this address.")),
        Err(fault) => Err(unavailable!(%fault, "a server behind the gateway could not be read")),
    }
}

/// `GET /.well-known/oauth-protected-resource/gateway/{slug}` (RFC 9728 §3).
pub(crate) async fn metadata(State(state): State<AppState>, Path(slug): Path<String>) -> Response {
    let snapshot = match find(&state, &slug).await {
        Ok(snapshot) => snapshot,
        Err(refusal) => return refusal,
    };
    let scopes: Vec<&str> = snapshot.server.scopes.iter().map(|scope| scope.name.as_str()).collect();
    let document = json!({
        "resource": snapshot.server.resource,
        "authorization_servers": [state.context.settings.public_url],
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
        "resource_name": snapshot.server.name,
    });
    Json(document).into_response()
}

/// `/gateway/{slug}`: streamable HTTP.
pub(crate) async fn endpoint(State(state): State<AppState>, Path(slug): Path<String>, request: Request) -> Response {
    mcp::surround(&state, request, async |request| {
        serve(&state, &slug, request).await.unwrap_or_else(|refusal| refusal)
    })
    .await
}

async fn serve(state: &AppState, slug: &str, request: Request) -> Result<Response, Response> {
    let started = Instant::now();
    // A request without a token is refused before its body arrives.
    let token = match bearer::token_of(request.headers()) {
        Ok(token) => token,
        Err(invalid) => return Err(resource(state, &*find(state, slug).await?).challenge(invalid)),
    };
    let snapshot = match state.context.gateways.recent(slug, state.context.now()) {
        Some(snapshot) => snapshot,
        None => find(state, slug).await?,
    };
    let address = ClientAddress::found(request.extensions()).0;
    let caller = resource(state, &snapshot).authenticate(state, &token, address).await?;
    let snapshot = found(state.context.gateways.current(snapshot, caller.seq, state.context.now())).await?;
    let (head, body) = request.into_parts();
    let exchange =
        Exchange { state, filter: Filter { snapshot, scopes: caller.scopes.clone() }, caller, address, started };
    match head.method {
        Method::POST => exchange.post(head, body).await,
        // The stream of the server's own messages, and the end of a session.
        Method::GET | Method::DELETE => exchange.bare(head).await,
        _ => {
            let mut response = error::plain(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, POST, DELETE"));
            Err(response)
        }
    }
}
