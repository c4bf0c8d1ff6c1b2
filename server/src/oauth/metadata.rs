//! The documents that anybody may fetch: for clients the discovery documents, RFC 8414 for the authorization server and
//! RFC 9728 for the MCP server; for those who verify tokens the signing keys and the status lists.
//!
//! Every URL begins with the configured public address, never with the Host header of a request.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::crypto::keys::signing::TokenAlgorithm;
use domain::crypto::public_key::KeyAlgorithm;
use domain::model::client::DynamicRegistration;
use domain::model::server::SCOPE_READ;
use domain::model::server::scope::OFFLINE_ACCESS;
use domain::token::grants::GrantType;
use serde_json::json;

use crate::http::error::{self, unavailable};
use crate::http::not_found;
use crate::oauth::{AUTHORIZE_PATH, introspect, revoke};
use crate::state::AppState;

/// Path of the metadata of the authorization server (RFC 8414 §3).
pub(crate) const AUTHORIZATION_SERVER_PATH: &str = "/.well-known/oauth-authorization-server";
/// Path of the signing keys.
pub(crate) const JWKS_PATH: &str = "/mcp/oauth/jwks";

const MAX_AGE: &str = "public, max-age=60";
/// The header that says how long verifiers may keep the keys. A new key is published longer than this before it signs.
const JWKS_AGE: &str = "public, max-age=300";

/// `GET /.well-known/oauth-authorization-server` and `/.well-known/openid-configuration`: the metadata of the
/// authorization server (RFC 8414 §3). Gateways and some clients read the document where OpenID Connect Discovery 1.0
/// (§4) puts it (RFC 8414 §5). Clients that take the address of the built-in MCP server for the issuer insert the
/// well-known part before its path, or append it. The document names the same issuer at each path.
///
/// Real clients require `authorization_endpoint`, `response_types_supported` and PKCE even when they use only client
/// credentials. Without these members they reject the whole document. Readers of the OpenID paths require
/// `subject_types_supported` and `id_token_signing_alg_values_supported` (OpenID Connect Discovery 1.0, §3). There are
/// no ID tokens, because the scope `openid` is not offered. The algorithms are those of access tokens.
pub(crate) async fn authorization_server(State(state): State<AppState>) -> Response {
    let issuer = &state.context.settings.public_url;
    let methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
    let algorithms = KeyAlgorithm::ALL.map(KeyAlgorithm::as_str);
    let with_none = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
    let with_devices = state.context.settings.device_grant;
    let grants = GrantType::ALL.into_iter().filter(|grant| with_devices || *grant != GrantType::DeviceCode);
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}{}", AUTHORIZE_PATH),
        "token_endpoint": state.context.settings.token_endpoint(),
        "jwks_uri": format!("{issuer}{JWKS_PATH}"),
        "response_types_supported": ["code"],
        "grant_types_supported": grants.map(GrantType::as_str).collect::<Vec<_>>(),
        "token_endpoint_auth_methods_supported": with_none,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint": format!("{issuer}{}", introspect::PATH),
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint": format!("{issuer}{}", revoke::PATH),
        "revocation_endpoint_auth_methods_supported": with_none,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "scopes_supported": [SCOPE_READ, OFFLINE_ACCESS],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": TokenAlgorithm::ALL.map(TokenAlgorithm::as_str),
    });
    if state.context.settings.dynamic_registration != DynamicRegistration::Off {
        document["registration_endpoint"] = json!(state.context.settings.registration_endpoint());
    }
    if with_devices {
        document["device_authorization_endpoint"] = json!(state.context.settings.device_authorization_endpoint());
    }
    if state.context.settings.client_id_metadata_documents {
        document["client_id_metadata_document_supported"] = json!(true);
        // `token_endpoint_auth_methods_supported` is the list for all clients, and has methods with a secret too. A
        // document cannot hold one.
        document["client_id_metadata_document_auth_methods_supported"] = json!(["none", "private_key_jwt"]);
    }
    ([(header::CACHE_CONTROL, MAX_AGE)], Json(document)).into_response()
}

/// `GET /.well-known/oauth-protected-resource` and `…/mcp` (RFC 9728 §3): the built-in MCP server.
pub(crate) async fn protected_resource(State(state): State<AppState>) -> Response {
    let settings = &state.context.settings;
    let document = json!({
        "resource": settings.built_in_resource(),
        "authorization_servers": [settings.public_url],
        "scopes_supported": [SCOPE_READ],
        "bearer_methods_supported": ["header"],
        "resource_name": "Countersign",
    });
    ([(header::CACHE_CONTROL, MAX_AGE)], Json(document)).into_response()
}

/// Every other `/.well-known/` path: 404 in JSON. An HTML page here makes client libraries give up.
pub(crate) async fn unknown(State(state): State<AppState>, request: Request) -> Response {
    not_found::answer(&state, request).await
}

/// `GET /mcp/oauth/jwks`: the public signing keys (RFC 7517).
pub(crate) async fn jwks(State(state): State<AppState>) -> Response {
    let context = &state.context;
    match context.keys.signing.jwks(&context.store, context.now()).await {
        Ok(jwks) => ([(header::CACHE_CONTROL, JWKS_AGE)], Json(jwks)).into_response(),
        Err(error) => unavailable!(%error, "the signing keys cannot be published"),
    }
}

/// `GET /mcp/oauth/status/{number}`: a token status list, signed (draft-ietf-oauth-status-list §8). The list contains
/// no names, so it needs no authentication.
pub(crate) async fn status_list(
    State(state): State<AppState>,
    Path(number): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(number) = number.parse().ok().filter(|parsed: &i64| parsed.to_string() == number) else {
        return error::plain(StatusCode::NOT_FOUND);
    };
    let list = match state.context.status_lists.publish(number, state.context.now()).await {
        Ok(Some(list)) => list,
        Ok(None) => return error::plain(StatusCode::NOT_FOUND),
        Err(fault) => return unavailable!(%fault, "a token status list cannot be published"),
    };
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == list.etag.as_bytes());
    let age = format!("public, max-age={}", state.context.settings.status_list_ttl.as_secs());
    let validators = [(header::CACHE_CONTROL, age), (header::ETAG, list.etag.clone())];
    if known {
        return (StatusCode::NOT_MODIFIED, validators).into_response();
    }
    let mut response = (validators, list.token.clone()).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/statuslist+jwt"));
    response
}
