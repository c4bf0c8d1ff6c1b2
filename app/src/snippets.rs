//! The texts that connect a program to an MCP server, ready to paste. The programs are the same as in the README, word
//! for word. The tests run them. The files of `app/snippets` hold the texts, with marks such as `__CLIENT_ID__`.

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
    pub(crate) fn secret_or_placeholder(&self) -> &str {
        self.secret.as_deref().unwrap_or(PLACEHOLDER)
    }

    /// The message with which the curl lines call the MCP server. Only the built-in server is known to have a certain
    /// tool. Other servers answer `initialize`.
    fn call(&self) -> &'static str {
        if self.mcp_server.strip_prefix(&self.issuer) == Some("/mcp") {
            return r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}"#;
        }
        concat!(
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","#,
            r#""capabilities":{},"clientInfo":{"name":"curl","version":"8"}}}"#
        )
    }

    /// Every text, in the order of the tabs.
    pub(crate) fn snippets(&self) -> Vec<Snippet> {
        let texts = match self.method {
            AuthMethod::ClientSecret => SECRET_TEXTS,
            AuthMethod::PrivateKeyJwt => KEY_TEXTS,
            AuthMethod::Federated => FEDERATED_TEXTS,
        };
        texts.iter().map(|text| text.snippet(|text| self.filled(text))).collect()
    }

    fn filled(&self, text: &str) -> String {
        let values = [
            ("__CLIENT_ID__", self.client_id.as_str()),
            ("__SECRET__", self.secret_or_placeholder()),
            ("__TOKEN_URL__", &self.token_endpoint),
            ("__SERVER_URL__", &self.mcp_server),
            ("__ISSUER__", &self.issuer),
            ("__SCOPE__", &self.scope),
            ("__OBJECT__", &object_name(&self.name)),
            ("__ALGORITHM__", self.algorithm),
            ("__AUDIENCE__", &self.audience),
            ("__CALL__", self.call()),
        ];
        fill(text, &values)
    }
}

/// A text before it is filled.
struct Text {
    id: &'static str,
    tab: &'static str,
    file: &'static str,
    about: &'static str,
    text: &'static str,
}

impl Text {
    fn snippet(&self, fill: impl FnOnce(&str) -> String) -> Snippet {
        Snippet { id: self.id, tab: self.tab, about: self.about, file: self.file, text: fill(self.text) }
    }
}

/// Puts each value in place of its mark, in one pass: a value that looks like a mark stays as it is.
fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let (mut filled, mut rest) = (String::with_capacity(text.len()), text);
    let first = |rest: &str| {
        let found = values.iter().filter_map(|(mark, value)| Some((rest.find(mark)?, mark.len(), *value)));
        found.min_by_key(|(start, ..)| *start)
    };
    while let Some((start, length, value)) = first(rest) {
        filled += &rest[..start];
        filled += value;
        rest = &rest[start + length..];
    }
    filled + rest
}

/// Texts: the identifier, tab and file name of each, the file here that holds it, and what it is.
macro_rules! texts {
    ($($id:literal $tab:literal $file:literal $source:literal: $about:literal;)*) => {
        &[$(Text { id: $id, tab: $tab, file: $file, about: $about, text: include_str!(concat!("../snippets/", $source)) }),*]
    };
}

const SECRET_TEXTS: &[Text] = texts! {
    "curl" "curl" "call.sh" "connect/secret.sh": "Exchanges the secret for a token, and calls the MCP server";
    "env" ".env" "countersign.env" "connect/secret.env": "Environment file";
    "python" "Python" "client.py" "client.py": "pip install mcp, with the variables of the .env tab";
    "typescript" "TypeScript" "client.mjs" "client.mjs":
        "npm install @modelcontextprotocol/client, with the variables of the .env tab";
    "actions" "GitHub Actions" "countersign.yml" "connect/secret.yml":
        "Set the secret once, then call the MCP server in a job";
    "kubernetes" "Kubernetes" "secret.yaml" "connect/secret.yaml": "kubectl apply -f secret.yaml";
    "json" "JSON" "countersign.json" "connect/secret.json": "For a program that reads JSON";
    "claude" "Claude" "claude_desktop_config.json" "connect/desktop.json":
        "Settings, Developer, Edit config. The program countersign of this computer gets the tokens";
    "cursor" "Cursor" "mcp.json" "connect/desktop.json":
        "In .cursor/mcp.json. The program countersign of this computer gets the tokens";
    "vscode" "VS Code" "mcp.json" "connect/vscode.json":
        "In .vscode/mcp.json. The program countersign of this computer gets the tokens";
    "python-v1" "Python (mcp 1)" "client.py" "client_v1.py": "pip install 'mcp<2', with the variables of the .env tab";
    "typescript-v1" "TypeScript (sdk 1)" "client.mjs" "client_v1.mjs":
        "npm install @modelcontextprotocol/sdk, with the variables of the .env tab";
};

const KEY_TEXTS: &[Text] = texts! {
    "curl" "curl" "call.sh" "connect/key.sh":
        "With a signed assertion in the variable ASSERTION. The Python and TypeScript programs sign one themselves";
    "env" ".env" "countersign.env" "connect/key.env": "Environment file";
    "python" "Python" "client.py" "client_key.py": "pip install mcp, with the variables of the .env tab";
    "typescript" "TypeScript" "client.mjs" "client_key.mjs":
        "npm install @modelcontextprotocol/client, with the variables of the .env tab";
    "claude" "Claude" "claude_desktop_config.json" "connect/desktop_key.json":
        "Settings, Developer, Edit config. The program countersign of this computer signs, with the whole path of the key";
    "python-v1" "Python (mcp 1)" "client.py" "client_key_v1.py":
        "pip install 'mcp<2', with the variables of the .env tab";
    "typescript-v1" "TypeScript (sdk 1)" "client.mjs" "client_key_v1.mjs":
        "npm install @modelcontextprotocol/sdk, with the variables of the .env tab";
};

const FEDERATED_TEXTS: &[Text] = texts! {
    "curl" "curl" "call.sh" "connect/federated.sh": "With the issuer’s token in the variable IDENTITY_TOKEN";
    "env" ".env" "countersign.env" "connect/federated.env": "Environment file";
    "python" "Python" "client.py" "client_federated.py": "pip install mcp, with the variables of the .env tab";
    "typescript" "TypeScript" "client.mjs" "client_federated.mjs":
        "npm install @modelcontextprotocol/client, with the variables of the .env tab";
    "actions" "GitHub Actions" "countersign.yml" "connect/federated.yml": "In the job that calls the MCP server";
    "kubernetes" "Kubernetes" "identity.yaml" "connect/federated.yaml": "In the pod’s specification";
    "python-v1" "Python (mcp 1)" "client.py" "client_federated_v1.py":
        "pip install 'mcp<2', with the variables of the .env tab";
    "typescript-v1" "TypeScript (sdk 1)" "client.mjs" "client_federated_v1.mjs":
        "npm install @modelcontextprotocol/sdk, with the variables of the .env tab";
};

const PERSONAL_TOKEN_TEXTS: &[Text] = texts! {
    "curl" "curl" "tools.sh" "connect/token/personal.sh": "Lists the tools";
    "mcp-use" "mcp-use, Python" "client.py" "connect/token/personal.py": "With the token in the variable MCP_TOKEN";
    "servers" "mcp command line" "servers.json" "connect/token/personal.json":
        "Its file of servers, with the token in the variable MCP_TOKEN";
};

const VALIDATORS: &[Text] = texts! {
    "python" "Python" "verify.py" "server/verify.py": "The official SDK, version 1 or 2 (pip install mcp)";
    "typescript" "TypeScript" "verify.mjs" "server/verify.mjs": "npm install @modelcontextprotocol/sdk jose express";
    "rust" "Rust" "verify.rs" "server/verify.rs":
        "axum and rmcp, with base64, flate2, jsonwebtoken (aws_lc_rs), reqwest (json), serde (derive), serde_json, tokio (sync)";
};

const WEBHOOK_CHECKS: &[Text] = texts! {
    "python" "Python" "webhook.py" "server/webhook.py": "Standard library only";
    "typescript" "TypeScript" "webhook.mjs" "server/webhook.mjs": "Node, without packages";
};

/// The texts for programs that call the MCP server `resource` with this personal token.
pub fn personal_token(resource: &str, token: &str) -> Vec<Snippet> {
    let filled = |text: &str| fill(text, &[("__SERVER_URL__", resource), ("__TOKEN__", token)]);
    PERSONAL_TOKEN_TEXTS.iter().map(|text| text.snippet(filled)).collect()
}

/// What the operator of `server` installs: the RFC 9728 document that leads clients to `issuer`, and a token check for
/// each SDK.
pub fn validators(server: &McpServer, issuer: &str) -> Vec<Snippet> {
    let metadata = server.metadata_url();
    let path = metadata.find("/.well-known/").map_or("", |start| &metadata[start..]);
    let scopes: Vec<&str> = server.default_scope_names().collect();
    let document = serde_json::json!({
        "resource": server.resource,
        "authorization_servers": [issuer],
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
        "resource_name": server.name,
    });
    let document = Snippet {
        id: "metadata",
        tab: "Metadata",
        about: "What leads clients here (RFC 9728)",
        file: "metadata.json",
        text: format!("{document:#}\n"),
    };
    let values = [
        ("__ISSUER__", issuer),
        ("__RESOURCE__", &server.resource),
        ("__METADATA__", &metadata),
        ("__METADATA_PATH__", path),
        ("__SCOPE__", &scopes.join(" ")),
        ("__ALG__", server.alg.as_str()),
    ];
    let checks = VALIDATORS.iter().map(|text| text.snippet(|text| fill(text, &values)));
    [document].into_iter().chain(checks).collect()
}

/// The check that the receiver of a webhook makes.
pub(crate) fn webhook_verification() -> Vec<Snippet> {
    WEBHOOK_CHECKS.iter().map(|text| text.snippet(str::to_owned)).collect()
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
