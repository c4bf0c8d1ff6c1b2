//! `POST /mcp/oauth/token`: the token endpoint (RFC 6749 §3.2).

use std::time::Instant;

use axum::Json;
use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::base::form_body::TokenForm;
use domain::context::Context;
use domain::crypto::secret::PlainSecret;
use domain::model::origin::Origin;
use domain::model::token::oauth_error::Result;
use domain::token::access_token::AccessToken;
use domain::token::client_authentication::presented::Presented;
use domain::token::client_authentication::{ServedClients, authenticate};
use domain::token::grants::{
    GrantType, authorization_code, client_credentials, count_refusal, device_code, jwt_bearer, refresh_token,
};
use serde::Serialize;

use crate::http::client_address::ClientAddress;
use crate::oauth::request::{self, OAuthRequest};
use crate::state::AppState;

/// A successful answer (RFC 6749 §5.1).
#[derive(Serialize)]
struct TokenResponse<'token> {
    access_token: &'token str,
    token_type: &'static str,
    expires_in: i64,
    scope: &'token str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'token str>,
}

/// Path of the endpoint.
pub(crate) const PATH: &str = "/mcp/oauth/token";

/// The endpoint. It accepts every method, so that a wrong method also gets an answer in JSON.
pub(crate) async fn endpoint(state: &AppState, address: ClientAddress, request: Request) -> Response {
    let started = Instant::now();
    let context = &state.context;
    let answer = request::serve(state, address, request, async |OAuthRequest { form, presented, origin }| {
        Ok(success(&exchange(context, presented, &form, &origin).await?))
    });
    let answer = answer.await;
    context.metrics.answered(started.elapsed());
    answer
}

/// Exchanges what the request presents. The refusal of a client that acts for people is counted for its page.
async fn exchange(context: &Context, presented: Presented, form: &TokenForm, origin: &Origin) -> Result<AccessToken> {
    let grant = GrantType::of(form)?;
    let named = match grant {
        GrantType::ClientCredentials | GrantType::JwtBearer => None,
        GrantType::AuthorizationCode | GrantType::RefreshToken | GrantType::DeviceCode => presented.named_app(form),
    };
    let token = match grant {
        GrantType::JwtBearer => jwt_bearer::exchange(context, &presented, form, origin).await,
        GrantType::DeviceCode => device_code::exchange(context, presented, form, origin).await,
        GrantType::ClientCredentials => {
            let client = authenticate(context, presented, form, ServedClients::Credentials).await?;
            client_credentials::exchange(context, client, form, origin).await
        }
        GrantType::AuthorizationCode | GrantType::RefreshToken => {
            match authenticate(context, presented, form, ServedClients::Interactive).await {
                Err(error) => Err(error),
                Ok(client) if grant == GrantType::RefreshToken => {
                    refresh_token::exchange(context, client, form, origin).await
                }
                Ok(client) => authorization_code::exchange(context, client, form, origin).await,
            }
        }
    };
    token.inspect_err(|error| count_refusal(context, named, error, origin))
}

fn success(token: &AccessToken) -> Response {
    let body = TokenResponse {
        access_token: &token.token,
        token_type: "Bearer",
        expires_in: token.expires_in,
        scope: &token.scope,
        refresh_token: token.refresh_token.as_ref().map(PlainSecret::expose),
    };
    ([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(body)).into_response()
}
