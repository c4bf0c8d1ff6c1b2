//! Connects in one way with the official SDK for Rust, and prints the tools and what one of them answers: `whoami`, or
//! the one that `MCP_TOOL` names. It asks for the scope `mcp:read`, or for the one of `MCP_SCOPE`.

use std::env::var;

use anyhow::{Context, bail};
use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{AuthClient, ClientCredentialsConfig, JwtSigningAlgorithm, OAuthState};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let way = std::env::args().nth(1).context("a way")?;
    let (url, client_id) = (var("MCP_SERVER_URL")?, var("MCP_CLIENT_ID")?);
    let scopes = vec![var("MCP_SCOPE").unwrap_or_else(|_| "mcp:read".to_owned())];
    let tool = var("MCP_TOOL").unwrap_or_else(|_| "whoami".to_owned());
    let resource = Some(url.clone());
    let config = match way.as_str() {
        "secret" => {
            let client_secret = var("MCP_CLIENT_SECRET")?;
            ClientCredentialsConfig::ClientSecret { client_id, client_secret, scopes, resource }
        }
        "key ES256" | "key RS256" => ClientCredentialsConfig::PrivateKeyJwt {
            client_id,
            signing_key: std::fs::read(var("MCP_PRIVATE_KEY_FILE")?)?,
            signing_algorithm: if way.ends_with("ES256") {
                JwtSigningAlgorithm::ES256
            } else {
                JwtSigningAlgorithm::RS256
            },
            token_endpoint_audience: None,
            scopes,
            resource,
        },
        other => bail!("no way {other}"),
    };
    let mut state = OAuthState::new(&url, None).await?;
    state.authenticate_client_credentials(config).await?;
    let manager = state.into_authorization_manager().context("authorized")?;
    let client = AuthClient::new(reqwest::Client::new(), manager);
    let transport =
        StreamableHttpClientTransport::with_client(client, StreamableHttpClientTransportConfig::with_uri(url));
    let client = ().serve(transport).await?;
    let tools = client.list_all_tools().await?;
    println!("{:?}", tools.iter().map(|tool| &tool.name).collect::<Vec<_>>());
    println!("{:?}", client.call_tool(CallToolRequestParams::new(tool)).await?);
    client.cancel().await?;
    Ok(())
}
