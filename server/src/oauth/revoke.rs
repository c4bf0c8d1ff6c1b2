//! `POST /mcp/oauth/revoke`: a client ends one of its own tokens (RFC 7009).

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::model::token::oauth_error::OAuthError;
use domain::token::client_authentication::{ServedClients, authenticate};
use domain::token::revoke::revoke;

use crate::http::client_address::ClientAddress;
use crate::oauth::request::{self, OAuthRequest};
use crate::state::AppState;

/// Path of the endpoint.
pub(crate) const PATH: &str = "/mcp/oauth/revoke";

/// The endpoint. The answer for an unknown token, or for another client's token, is the same as for a token that was
/// ended (§2.2). `token_type_hint` is not needed and not read.
pub(crate) async fn endpoint(State(state): State<AppState>, address: ClientAddress, request: Request) -> Response {
    request::serve(&state, address, request, async |OAuthRequest { form, presented, origin }| {
        let token = form.get("token").ok_or(OAuthError::invalid_request("token is missing."))?;
        let client = authenticate(&state.context, presented, &form, ServedClients::Interactive).await?;
        revoke(&state.context, client, &form, token, &origin).await?;
        Ok((StatusCode::OK, [(header::CACHE_CONTROL, "no-store")]).into_response())
    })
    .await
}
