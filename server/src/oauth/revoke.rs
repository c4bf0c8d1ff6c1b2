//! `POST /mcp/oauth/revoke`: a client ends one of its own tokens (RFC 7009).

use axum::extract::{Extension, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::model::token::oauth_error::OAuthError;
use domain::token::client_authentication::{ServedClients, authenticate};
use domain::token::revoke::revoke;

use crate::http::client_address::ClientAddress;
use crate::oauth::request::{self, Failure};
use crate::state::AppState;

/// The endpoint. The answer for an unknown token, or for another client's token, is the same as for a token that was
/// ended (§2.2). `token_type_hint` is not needed and not read.
pub async fn endpoint(
    State(state): State<AppState>,
    Extension(address): Extension<ClientAddress>,
    request: Request,
) -> Response {
    let basic = request.headers().contains_key(header::AUTHORIZATION);
    match end(&state, address, request).await {
        Ok(()) => (StatusCode::OK, [(header::CACHE_CONTROL, "no-store")]).into_response(),
        Err(failure) => request::refusal(&state, address, failure, basic),
    }
}

async fn end(state: &AppState, address: ClientAddress, request: Request) -> Result<(), Failure> {
    let request = request::read(request, address).await?;
    let token = request.form.get("token").ok_or(OAuthError::invalid_request("token is missing."))?;
    let client = authenticate(&state.context, request.presented, &request.form, ServedClients::Interactive).await?;
    Ok(revoke(&state.context, client, &request.form, token, &request.origin).await?)
}
