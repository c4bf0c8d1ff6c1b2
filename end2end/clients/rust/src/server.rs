//! An MCP server of the official SDK behind the program that the dashboard shows for Rust servers. The argument is the
//! address that it listens on.

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, ServerHandler};

mod verify {
    include!(concat!(env!("OUT_DIR"), "/verify.rs"));
}

#[derive(Clone)]
struct Tools;

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let nothing = JsonObject::from_iter([("type".to_owned(), "object".into())]);
        let whoami = Tool::new("whoami", "Who calls.", Arc::new(nothing));
        Ok(ListToolsResult::with_all_items(vec![whoami]))
    }

    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let claims = context.extensions.get::<axum::http::request::Parts>();
        let claims = claims.and_then(|parts| parts.extensions.get::<verify::Claims>());
        let claims = claims.ok_or_else(|| ErrorData::internal_error("no claims", None))?;
        Ok(CallToolResult::success(vec![ContentBlock::text(&claims.client_id)]).into())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).context("an address")?;
    let config = StreamableHttpServerConfig::default().with_legacy_session_mode(false).with_json_response(true);
    let service = StreamableHttpService::new(|| Ok(Tools), Arc::new(NeverSessionManager::default()), config);
    let app = verify::protect(Router::new().nest_service("/mcp", service));
    axum::serve(tokio::net::TcpListener::bind(address).await?, app).await?;
    Ok(())
}
