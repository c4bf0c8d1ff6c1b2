//! Answers of the gateway itself: errors of requests, and what stands in the place of an answer of a server.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::services::gateways::Snapshot;
use serde_json::{Value, json};

use crate::egress::upstream::UpstreamError;
use crate::http::error;

/// An error of the request, in the words of JSON-RPC.
pub(super) fn rpc_problem(code: i64, words: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(rpc_error(&Value::Null, code, words))).into_response()
}

pub(super) fn rpc_error(id: &Value, code: i64, words: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": words } })
}

/// An error with words for the person who reads the log of the client.
pub(super) fn problem(status: StatusCode, words: &str) -> Response {
    let body = json!({ "error": status.canonical_reason().unwrap_or("Error"), "error_description": words });
    let mut response = (status, Json(body)).into_response();
    error::retry_if_unavailable(&mut response);
    response
}

/// The answer when the server gave none. The cause tells of the inner network, so only the log has it.
pub(super) fn unanswered(snapshot: &Snapshot, cause: &UpstreamError) -> Response {
    tracing::warn!(server = %snapshot.server.id, %cause, "an MCP server behind the gateway gave no answer");
    match cause {
        UpstreamError::Unreachable(_) => {
            problem(StatusCode::BAD_GATEWAY, "The MCP server behind the gateway cannot be reached.")
        }
        UpstreamError::Late => {
            problem(StatusCode::GATEWAY_TIMEOUT, "The MCP server behind the gateway did not answer in time.")
        }
        UpstreamError::Broken(_) => {
            problem(StatusCode::BAD_GATEWAY, "The MCP server behind the gateway broke off, or its answer is not HTTP.")
        }
    }
}
