//! The texts that connect a program to an MCP server, ready to paste. The programs are the same as in the README, word
//! for word. The tests run them.

use domain::model::credential::AuthMethod;
use domain::model::server::McpServer;

/// The values that fill the texts.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The credential.
    pub client_id: String,
    /// Its name, for file and object names.
    pub name: String,
    /// The secret. It is known only on the one page that shows it.
    pub secret: Option<String>,
    /// The token endpoint.
    pub token_endpoint: String,
    /// The MCP server to call.
    pub mcp_server: String,
    /// The issuer of the tokens.
    pub issuer: String,
    /// The scopes that the credential may use.
    pub scope: String,
    /// How the program proves itself.
    pub method: AuthMethod,
    /// The algorithm of its key.
    pub algorithm: &'static str,
    /// The audience that its issuer's tokens are asked for.
    pub audience: String,
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

/// Placeholder for the secret when it is no longer known.
pub const PLACEHOLDER: &str = "PASTE_THE_STORED_SECRET";

impl Connection {
    /// The secret, or its placeholder.
    pub fn secret_or_placeholder(&self) -> &str {
        self.secret.as_deref().unwrap_or(PLACEHOLDER)
    }

    /// Says which environment variable [`Connection::try_it`] reads.
    pub fn try_it_needs(&self) -> &'static str {
        match self.method {
            AuthMethod::ClientSecret => "With the secret in the variable MCP_CLIENT_SECRET:",
            AuthMethod::PrivateKeyJwt => {
                "With a signed assertion in the variable ASSERTION (the Python and TypeScript texts sign one themselves):"
            }
            AuthMethod::Federated => "With the issuer’s token in the variable IDENTITY_TOKEN:",
        }
    }

    /// The command that proves that the credential works. It reads the secret, assertion or token from the environment.
    pub fn try_it(&self) -> String {
        let Self { token_endpoint, client_id, .. } = self;
        match self.method {
            AuthMethod::ClientSecret => format!(
                "curl {token_endpoint} \\\n  -u \"{client_id}:$MCP_CLIENT_SECRET\" \\\n  -d grant_type=client_credentials"
            ),
            AuthMethod::PrivateKeyJwt => self.curl("ASSERTION"),
            AuthMethod::Federated => self.curl("IDENTITY_TOKEN"),
        }
    }

    fn curl(&self, variable: &str) -> String {
        format!(
            "curl {} \\\n  -d grant_type=client_credentials \\\n  -d client_id={} \\\n  \
             -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \\\n  \
             -d \"client_assertion=${variable}\"",
            self.token_endpoint, self.client_id
        )
    }

    /// Every text, in the order of the tabs.
    pub fn snippets(&self) -> Vec<Snippet> {
        match self.method {
            AuthMethod::ClientSecret => self.secret_snippets(),
            AuthMethod::PrivateKeyJwt => self.key_snippets(),
            AuthMethod::Federated => self.federated_snippets(),
        }
    }

    fn key_snippets(&self) -> Vec<Snippet> {
        let Self { client_id, token_endpoint, mcp_server, algorithm, .. } = self;
        let env = format!(
            "MCP_CLIENT_ID={client_id}\nMCP_PRIVATE_KEY_FILE=private-key.pem\nMCP_KEY_ALGORITHM={algorithm}\n\
             MCP_TOKEN_URL={token_endpoint}\nMCP_SERVER_URL={mcp_server}\n"
        );
        let mut all = vec![snippet("env", ".env", "Environment file", "countersign.env", env)];
        all.extend(KEY_PROGRAMS.snippets());
        all.push(snippet("curl", "curl", "Exchange a signed assertion", "exchange.sh", self.curl("ASSERTION") + "\n"));
        all
    }

    fn federated_snippets(&self) -> Vec<Snippet> {
        let Self { client_id, token_endpoint, mcp_server, audience, .. } = self;
        let env = format!(
            "MCP_CLIENT_ID={client_id}\nMCP_IDENTITY_TOKEN_FILE=identity-token\nMCP_TOKEN_URL={token_endpoint}\n\
             MCP_SERVER_URL={mcp_server}\n"
        );
        let actions = format!(
            "permissions:\n  id-token: write\nsteps:\n  - name: Get an access token\n    run: |\n      \
             IDENTITY_TOKEN=$(curl -sS -H \"Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN\" \\\n        \
             \"$ACTIONS_ID_TOKEN_REQUEST_URL&audience={audience}\" | sed 's/.*\"value\" *: *\"\\([^\"]*\\)\".*/\\1/')\n      {}\n",
            self.curl("IDENTITY_TOKEN").replace('\n', "\n      ")
        );
        let kubernetes = format!(
            "volumes:\n  - name: identity\n    projected:\n      sources:\n        - serviceAccountToken:\n            \
             audience: {audience}\n            expirationSeconds: 3600\n            path: identity-token\n"
        );
        let mut all = vec![
            snippet("env", ".env", "Environment file", "countersign.env", env),
            snippet("curl", "curl", "Exchange the issuer’s token", "exchange.sh", self.curl("IDENTITY_TOKEN") + "\n"),
            snippet("actions", "GitHub Actions", "In the job that needs the token", "countersign.yml", actions),
            snippet("kubernetes", "Kubernetes", "In the pod’s specification", "identity.yaml", kubernetes),
        ];
        all.splice(2..2, FEDERATED_PROGRAMS.snippets());
        all
    }

    fn secret_snippets(&self) -> Vec<Snippet> {
        let Self { client_id, token_endpoint, mcp_server, issuer, scope, .. } = self;
        let secret = self.secret_or_placeholder();
        let object = object_name(&self.name);
        let mut all = vec![
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
                     -d grant_type=client_credentials \\\n  \
                     --data-urlencode \"resource={mcp_server}\"\n"
                ),
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
        ];
        all.splice(3..3, SECRET_PROGRAMS.snippets());
        all
    }
}

/// The programs of one way to authenticate, for the two maintained versions of the official SDKs.
struct Programs {
    python: &'static str,
    typescript: &'static str,
    python_v1: &'static str,
    typescript_v1: &'static str,
}

const SECRET_PROGRAMS: Programs = Programs {
    python: include_str!("../snippets/client.py"),
    typescript: include_str!("../snippets/client.mjs"),
    python_v1: include_str!("../snippets/client_v1.py"),
    typescript_v1: include_str!("../snippets/client_v1.mjs"),
};

const KEY_PROGRAMS: Programs = Programs {
    python: include_str!("../snippets/client_key.py"),
    typescript: include_str!("../snippets/client_key.mjs"),
    python_v1: include_str!("../snippets/client_key_v1.py"),
    typescript_v1: include_str!("../snippets/client_key_v1.mjs"),
};

const FEDERATED_PROGRAMS: Programs = Programs {
    python: include_str!("../snippets/client_federated.py"),
    typescript: include_str!("../snippets/client_federated.mjs"),
    python_v1: include_str!("../snippets/client_federated_v1.py"),
    typescript_v1: include_str!("../snippets/client_federated_v1.mjs"),
};

impl Programs {
    fn snippets(&self) -> [Snippet; 4] {
        let program = |id, tab, about, file, text: &str| snippet(id, tab, about, file, text.to_owned());
        [
            program(
                "python",
                "Python",
                "pip install mcp, with the variables of the .env tab",
                "client.py",
                self.python,
            ),
            program(
                "typescript",
                "TypeScript",
                "npm install @modelcontextprotocol/client, with the variables of the .env tab",
                "client.mjs",
                self.typescript,
            ),
            program(
                "python-v1",
                "Python SDK 1",
                "pip install 'mcp<2', with the variables of the .env tab",
                "client.py",
                self.python_v1,
            ),
            program(
                "typescript-v1",
                "TypeScript SDK 1",
                "npm install @modelcontextprotocol/sdk, with the variables of the .env tab",
                "client.mjs",
                self.typescript_v1,
            ),
        ]
    }
}

fn snippet(id: &'static str, tab: &'static str, about: &'static str, file: &'static str, text: String) -> Snippet {
    Snippet { id, tab, about, file, text }
}

/// The RFC 9728 document that `server` publishes, so that clients find `issuer`.
pub fn resource_metadata(server: &McpServer, issuer: &str) -> String {
    let scopes: Vec<&str> = server.default_scope_names().collect();
    let document = serde_json::json!({
        "resource": server.resource,
        "authorization_servers": [issuer],
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
        "resource_name": server.name,
    });
    format!("{document:#}\n")
}

/// What the operator of `server` installs: the document, and a token check for each SDK.
pub fn validators(server: &McpServer, issuer: &str, document: String) -> Vec<Snippet> {
    let metadata = server.metadata_url();
    let path = metadata.find("/.well-known/").map_or("", |start| &metadata[start..]);
    let scopes: Vec<&str> = server.default_scope_names().collect();
    let check = |id, tab, about, file, text: &str| {
        let filled = text
            .replace("__ISSUER__", issuer)
            .replace("__RESOURCE__", &server.resource)
            .replace("__METADATA__", &metadata)
            .replace("__METADATA_PATH__", path)
            .replace("__SCOPE__", &scopes.join(" "))
            .replace("__ALG__", server.alg.as_str());
        snippet(id, tab, about, file, filled)
    };
    vec![
        snippet("metadata", "Metadata", "What leads clients here (RFC 9728)", "metadata.json", document),
        check(
            "python",
            "Python",
            "The official SDK, version 1 or 2 (pip install mcp)",
            "verify.py",
            include_str!("../snippets/server/verify.py"),
        ),
        check(
            "typescript",
            "TypeScript",
            "npm install @modelcontextprotocol/sdk jose express",
            "verify.mjs",
            include_str!("../snippets/server/verify.mjs"),
        ),
        check(
            "rust",
            "Rust",
            "axum and rmcp, with base64, flate2, jsonwebtoken (aws_lc_rs), reqwest (json), serde (derive), serde_json, tokio (sync)",
            "verify.rs",
            include_str!("../snippets/server/verify.rs"),
        ),
    ]
}

/// The check that the receiver of a webhook makes.
pub fn webhook_verification() -> Vec<Snippet> {
    let (python, node) =
        (include_str!("../snippets/server/webhook.py"), include_str!("../snippets/server/webhook.mjs"));
    vec![
        snippet("python", "Python", "Standard library only", "webhook.py", python.to_owned()),
        snippet("typescript", "TypeScript", "Node, without packages", "webhook.mjs", node.to_owned()),
    ]
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
            method: AuthMethod::ClientSecret,
            algorithm: "ES256",
            audience: "https://auth.example.com".to_owned(),
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
