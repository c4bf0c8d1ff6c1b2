//! Prints a credential that was just generated, or its new secret. The secret is printed only this once.

use domain::base::clock::Timestamp;
use domain::context::Context;
use domain::credential::generate::Generated;
use domain::crypto::secret::PlainSecret;
use serde_json::json;

use crate::cli::shared::output::{NewFormat, SHOWN_ONCE, line};

/// Prints it. The output contains the secret, if there is one.
pub(super) fn print(context: &Context, generated: &Generated, format: NewFormat) {
    print!("{}", text(context, generated, format));
}

fn text(context: &Context, generated: &Generated, format: NewFormat) -> String {
    let id = &generated.credential.client_id;
    let secret = generated.secret.as_ref().map(PlainSecret::expose);
    let (endpoint, server) = (context.settings.token_endpoint(), &generated.server.resource);
    let scopes = &generated.credential.scopes;
    let expires_at = generated.expires_at.map(Timestamp::rfc3339);
    match format {
        NewFormat::Json => {
            let mut object = json!({
                "client_id": id.as_str(),
                "token_endpoint": endpoint,
                "issuer": context.settings.public_url,
                "mcp_server": server,
                "scope": scopes.to_string(),
                "expires_at": expires_at,
            });
            if let Some(secret) = secret {
                object["client_secret"] = json!(secret);
            }
            format!("{object:#}\n")
        }
        NewFormat::Env => {
            let secret = secret.map(|secret| format!("MCP_CLIENT_SECRET={secret}\n")).unwrap_or_default();
            format!("MCP_CLIENT_ID={id}\n{secret}MCP_TOKEN_URL={endpoint}\nMCP_SERVER_URL={server}\n")
        }
        NewFormat::Text => [
            line("Client ID", id),
            secret.map(|secret| line("Client secret", secret)).unwrap_or_default(),
            line("Token endpoint", endpoint),
            line("MCP server", server),
            line("Scopes", scopes),
            line("Expires", expires_at.as_deref().unwrap_or("never")),
            secret.map_or("", |_| SHOWN_ONCE).to_owned(),
        ]
        .concat(),
    }
}
