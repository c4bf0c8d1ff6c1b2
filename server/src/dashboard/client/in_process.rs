//! Calls of MCP servers that this program answers itself, without the network: the built-in one, and those behind the
//! gateway. Every check that a call from outside meets runs here too. Over the network the program would have to reach
//! its own public address, which many firewalls do not allow.

use std::net::IpAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::any;
use domain::model::ports::{McpAnswer, McpConnection, McpRequest};
use domain::model::server::gateway;
use futures::future::BoxFuture;
use tower::ServiceExt;
use url::Url;

use crate::egress::mcp::{SESSION, headers, message};
use crate::gateway::{ROUTE, endpoint};
use crate::http::client_address::ClientAddress;
use crate::http::text;
use crate::mcp;
use crate::state::AppState;

/// Deadline for one message, as for calls over the network.
const DEADLINE: Duration = Duration::from_secs(5);

/// Calls MCP servers for somebody at this address.
pub(super) struct InProcess {
    pub(super) state: AppState,
    pub(super) address: Option<IpAddr>,
}

impl InProcess {
    /// The path of a server that this program answers.
    fn own_path<'url>(&self, url: &'url str) -> Option<&'url str> {
        let path = url.strip_prefix(self.state.context.settings.public_url.as_str())?;
        (path == "/mcp" || path.starts_with(gateway::PATH)).then_some(path)
    }

    async fn send(&self, path: &str, request: &McpRequest) -> Result<McpAnswer, String> {
        let mut call = Request::post(path).body(Body::from(request.body.clone())).map_err(|_| "not a request")?;
        *call.headers_mut() = headers(request)?;
        let public = Url::parse(&self.state.context.settings.public_url).map_err(|_| "not a URL")?;
        let host = HeaderValue::from_str(&public[url::Position::BeforeHost..url::Position::AfterPort]);
        call.headers_mut().insert(header::HOST, host.map_err(|_| "not a host")?);
        call.extensions_mut().insert(ClientAddress(self.address));
        let guard = from_fn_with_state(self.state.clone(), mcp::guard);
        let built_in = Router::new().route("/mcp", mcp::service(&self.state.context)).layer(guard);
        let router = built_in.route(ROUTE, any(endpoint)).with_state(self.state.clone());
        let (head, body) = router.oneshot(call).await.into_response().into_parts();
        let message = match request.id {
            Some(id) => message(&head.headers, body, id).await?,
            None => None,
        };
        let value = |name| text(&head.headers, name).map(str::to_owned);
        Ok(McpAnswer {
            status: head.status.as_u16(),
            challenge: value(header::WWW_AUTHENTICATE),
            session: value(SESSION),
            message,
        })
    }
}

impl McpConnection for InProcess {
    fn call<'call>(&'call self, request: &'call McpRequest) -> BoxFuture<'call, Result<McpAnswer, String>> {
        let Some(path) = self.own_path(&request.url) else { return self.state.mcp_servers.call(request) };
        let late = || Err("no answer in time".to_owned());
        Box::pin(
            async move { tokio::time::timeout(DEADLINE, self.send(path, request)).await.unwrap_or_else(|_| late()) },
        )
    }
}
