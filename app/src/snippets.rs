//! The texts that connect a program to an MCP server, ready to paste. The programs are the README's, word for word;
//! the tests run them.

/// What the texts are filled with.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The credential.
    pub client_id: String,
    /// Its name, for file and object names.
    pub name: String,
    /// The secret, on the one page that shows it.
    pub secret: Option<String>,
    /// Where it is exchanged.
    pub token_endpoint: String,
    /// The MCP server to call.
    pub mcp_server: String,
    /// The issuer of the tokens.
    pub issuer: String,
    /// The granted scopes.
    pub scope: String,
}

/// One text.
#[derive(Debug, Clone)]
pub struct Snippet {
    /// Identifies it on the page.
    pub id: &'static str,
    /// Its tab.
    pub tab: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// The name of the file to download.
    pub file: &'static str,
    /// The text.
    pub text: String,
}

/// Stands in for the secret where it is not known any more.
pub const PLACEHOLDER: &str = "PASTE_THE_STORED_SECRET";

impl Connection {
    /// The secret, or what stands in for it.
    pub fn secret_or_placeholder(&self) -> &str {
        self.secret.as_deref().unwrap_or(PLACEHOLDER)
    }

    /// The command that proves the credential works: it reads the secret from the environment.
    pub fn try_it(&self) -> String {
        format!(
            "curl {} \\\n  -u \"{}:$MCP_CLIENT_SECRET\" \\\n  -d grant_type=client_credentials",
            self.token_endpoint, self.client_id
        )
    }

    /// Every text, in the order of the tabs.
    pub fn snippets(&self) -> Vec<Snippet> {
        let Self { client_id, token_endpoint, mcp_server, issuer, scope, .. } = self;
        let secret = self.secret_or_placeholder();
        let object = object_name(&self.name);
        let snippet = |id, tab, about, file, text: String| Snippet { id, tab, about, file, text };
        vec![
            snippet(
                "env",
                ".env",
                "Environment file",
                "countersign.env",
                format!(
                    "MCP_CLIENT_ID={client_id}\nMCP_CLIENT_SECRET={secret}\nMCP_TOKEN_URL={token_endpoint}\n\
                     MCP_SERVER_URL={mcp_server}\n"
                ),
            ),
            snippet(
                "json",
                "JSON",
                "JSON",
                "countersign.json",
                format!(
                    "{{\n  \"client_id\": \"{client_id}\",\n  \"client_secret\": \"{secret}\",\n  \
                     \"token_endpoint\": \"{token_endpoint}\",\n  \"issuer\": \"{issuer}\",\n  \
                     \"mcp_server\": \"{mcp_server}\",\n  \"scope\": \"{scope}\"\n}}\n"
                ),
            ),
            snippet(
                "curl",
                "curl",
                "Exchange the secret for a token",
                "exchange.sh",
                format!(
                    "curl {token_endpoint} \\\n  -u \"{client_id}:{secret}\" \\\n  \
                     -d grant_type=client_credentials \\\n  -d resource={mcp_server}\n"
                ),
            ),
            snippet(
                "python",
                "Python",
                "The official SDK (pip install mcp), with the variables of the .env tab",
                "client.py",
                include_str!("../snippets/client.py").to_owned(),
            ),
            snippet(
                "typescript",
                "TypeScript",
                "The official SDK (npm install @modelcontextprotocol/client), with the variables of the .env tab",
                "client.mjs",
                include_str!("../snippets/client.mjs").to_owned(),
            ),
            snippet(
                "actions",
                "GitHub Actions",
                "Store the secret as MCP_CLIENT_SECRET in the repository's settings",
                "countersign.yml",
                format!(
                    "env:\n  MCP_CLIENT_ID: {client_id}\n  MCP_CLIENT_SECRET: ${{{{ secrets.MCP_CLIENT_SECRET }}}}\n  \
                     MCP_TOKEN_URL: {token_endpoint}\n  MCP_SERVER_URL: {mcp_server}\n"
                ),
            ),
            snippet(
                "kubernetes",
                "Kubernetes",
                "kubectl apply -f secret.yaml",
                "secret.yaml",
                format!(
                    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {object}\nstringData:\n  \
                     MCP_CLIENT_ID: {client_id}\n  MCP_CLIENT_SECRET: {secret}\n  MCP_TOKEN_URL: {token_endpoint}\n  \
                     MCP_SERVER_URL: {mcp_server}\n"
                ),
            ),
            snippet(
                "desktop",
                "Claude, Cursor, VS Code",
                "Desktop clients, through mcp-remote, which exchanges the secret itself",
                "mcp.json",
                format!(
                    "{{\n  \"mcpServers\": {{\n    \"{object}\": {{\n      \"command\": \"npx\",\n      \
                     \"args\": [\"-y\", \"mcp-remote\", \"{mcp_server}\", \"--client-credentials\",\n        \
                     \"--static-oauth-client-info\",\n        \
                     \"{{\\\"client_id\\\":\\\"{client_id}\\\",\\\"client_secret\\\":\\\"${{MCP_CLIENT_SECRET}}\\\"}}\"],\n      \
                     \"env\": {{ \"MCP_CLIENT_SECRET\": \"{secret}\" }}\n    }}\n  }}\n}}\n"
                ),
            ),
        ]
    }
}

/// A name that Kubernetes and configuration files accept: lower-case letters, digits and single dashes.
fn object_name(name: &str) -> String {
    let mut object = String::new();
    for character in name.to_lowercase().chars().take(50) {
        if character.is_ascii_alphanumeric() {
            object.push(character);
        } else if !object.is_empty() && !object.ends_with('-') {
            object.push('-');
        }
    }
    let object = object.trim_matches('-');
    if object.is_empty() { "mcp-credential".to_owned() } else { object.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(name: &str) -> Connection {
        Connection {
            client_id: "csc_x".to_owned(),
            name: name.to_owned(),
            secret: Some("css_y".to_owned()),
            token_endpoint: "https://auth.example.com/mcp/oauth/token".to_owned(),
            mcp_server: "https://docs.example.com/mcp".to_owned(),
            issuer: "https://auth.example.com".to_owned(),
            scope: "mcp:read".to_owned(),
        }
    }

    #[test]
    fn names_become_object_names() {
        assert_eq!(object_name("Nightly index (EU)"), "nightly-index-eu");
        assert_eq!(object_name("\"}; DROP"), "drop");
        assert_eq!(object_name("日本"), "mcp-credential");
    }

    #[test]
    fn json_texts_are_json() {
        for snippet in connection("a\"b\n").snippets() {
            if snippet.file.ends_with(".json") {
                let parsed: Result<serde_json::Value, _> = serde_json::from_str(&snippet.text);
                assert!(parsed.is_ok(), "{}", snippet.text);
            }
        }
    }
}
