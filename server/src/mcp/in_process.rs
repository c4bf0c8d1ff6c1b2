//! Calls of the built-in MCP server without the network. Every check that a call from outside meets runs here too.

use std::net::IpAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use domain::model::ports::{McpAnswer, McpConnection, McpRequest};
use futures::future::BoxFuture;
use tower::ServiceExt;
use url::Url;

use crate::egress::mcp::{SESSION, headers};
use crate::http::body::LIMIT;
use crate::http::client_address::ClientAddress;
use crate::http::text;
use crate::state::AppState;

/// The built-in MCP server, called for somebody at this address.
pub(crate) struct BuiltIn {
    pub(crate) state: AppState,
    pub(crate) address: Option<IpAddr>,
}

impl BuiltIn {
    async fn send(&self, request: &McpRequest) -> Result<McpAnswer, String> {
        let mut call = Request::post("/mcp").body(Body::from(request.body.clone())).map_err(|_| "not a request")?;
        *call.headers_mut() = headers(request)?;
        let public = Url::parse(&self.state.context.settings.public_url).map_err(|_| "not a URL")?;
        let host = HeaderValue::from_str(&public[url::Position::BeforeHost..url::Position::AfterPort]);
        call.headers_mut().insert(header::HOST, host.map_err(|_| "not a host")?);
        call.extensions_mut().insert(ClientAddress(self.address));
        let guard = from_fn_with_state(self.state.clone(), super::guard);
        let router = Router::new().route("/mcp", super::service(&self.state.context)).layer(guard);
        let response = router.with_state(self.state.clone()).oneshot(call).await.into_response();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, LIMIT).await.map_err(|error| error.to_string())?;
        let value = |name| text(&head.headers, name).map(str::to_owned);
        Ok(McpAnswer {
            status: head.status.as_u16(),
            challenge: value(header::WWW_AUTHENTICATE),
            session: value(SESSION),
            message: serde_json::from_slice(&body).ok(),
        })
    }
}

impl McpConnection for BuiltIn {
    fn call<'call>(&'call self, request: &'call McpRequest) -> BoxFuture<'call, Result<McpAnswer, String>> {
        Box::pin(self.send(request))
    }
}
