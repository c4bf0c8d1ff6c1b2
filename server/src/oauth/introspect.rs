//! `POST /mcp/oauth/introspect`: the present state of a token (RFC 7662).

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::model::token::claims::Claims;
use domain::model::token::oauth_error::OAuthError;
use domain::token::client_authentication::{ServedClients, authenticate};
use domain::token::introspect::introspect;
use serde_json::{Value, json};

use crate::http::client_address::ClientAddress;
use crate::oauth::request::{self, OAuthRequest};
use crate::state::AppState;

/// Path of the endpoint.
pub(crate) const PATH: &str = "/mcp/oauth/introspect";

/// The endpoint. The client must authenticate. It learns only about tokens for its own MCP servers.
pub(crate) async fn endpoint(State(state): State<AppState>, address: ClientAddress, request: Request) -> Response {
    request::serve(&state, address, request, async |OAuthRequest { form, presented, origin }| {
        let token = form.get("token").ok_or(OAuthError::invalid_request("token is missing."))?;
        let client = authenticate(&state.context, presented, &form, ServedClients::Credentials).await?;
        let claims = introspect(&state.context, client, &form, token, &origin).await?;
        Ok(([(header::CACHE_CONTROL, "no-store")], Json(body(claims))).into_response())
    })
    .await
}

/// The answer for a token that is not active contains nothing else (§2.2).
fn body(claims: Option<Claims>) -> Value {
    match claims {
        None => json!({ "active": false }),
        Some(claims) => json!({
            "active": true,
            "token_type": "Bearer",
            "iss": claims.iss,
            "sub": claims.sub,
            "aud": claims.aud,
            "client_id": claims.client_id,
            "scope": claims.scope,
            "jti": claims.jti,
            "iat": claims.iat,
            "exp": claims.exp,
        }),
    }
}
