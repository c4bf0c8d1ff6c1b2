//! The discovery documents for clients: RFC 8414 for the authorization server, RFC 9728 for the MCP server.
//!
//! Every URL begins with the configured public address, never with the Host header of a request.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::crypto::public_key::KeyAlgorithm;
use domain::model::client::DynamicRegistration;
use domain::model::server::SCOPE_READ;
use domain::token::grants::GrantType;
use serde_json::json;

use crate::http::error;
use crate::oauth::{AUTHORIZE_PATH, register};
use crate::state::AppState;

const MAX_AGE: &str = "public, max-age=60";

/// `GET /.well-known/oauth-authorization-server` (RFC 8414 §3).
///
/// Real clients require `authorization_endpoint`, `response_types_supported` and PKCE even when they use only client
/// credentials. Without these members they reject the whole document.
pub async fn authorization_server(State(state): State<AppState>) -> Response {
    let issuer = &state.context.settings.public_url;
    let methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
    let algorithms = KeyAlgorithm::ALL.map(KeyAlgorithm::as_str);
    let with_none = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}{}", AUTHORIZE_PATH),
        "token_endpoint": state.context.settings.token_endpoint(),
        "jwks_uri": format!("{issuer}/mcp/oauth/jwks"),
        "response_types_supported": ["code"],
        "grant_types_supported": GrantType::ALL.map(GrantType::as_str),
        "token_endpoint_auth_methods_supported": with_none,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint": format!("{issuer}/mcp/oauth/introspect"),
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint": format!("{issuer}/mcp/oauth/revoke"),
        "revocation_endpoint_auth_methods_supported": with_none,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "scopes_supported": [SCOPE_READ],
    });
    if state.context.settings.dynamic_registration != DynamicRegistration::Off {
        document["registration_endpoint"] = json!(format!("{issuer}{}", register::PATH));
    }
    if state.context.settings.client_id_metadata_documents {
        document["client_id_metadata_document_supported"] = json!(true);
    }
    ([(header::CACHE_CONTROL, MAX_AGE)], Json(document)).into_response()
}

/// `GET /.well-known/oauth-protected-resource` and `…/mcp` (RFC 9728 §3): the built-in MCP server.
pub async fn protected_resource(State(state): State<AppState>) -> Response {
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
pub async fn unknown() -> Response {
    error::plain(StatusCode::NOT_FOUND)
}
