//! A conversation with an MCP server, for people who try a credential, and for administrators who look at the server
//! behind a gateway.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::base::text::printable;
use crate::model::ports::{McpAnswer, McpConnection, McpRequest};

/// The version of the protocol that a session begins with. Servers of every version since understand it.
const SESSION_VERSION: &str = "2025-11-25";
/// The first version without sessions, for a server that knows no `initialize`.
const SESSIONLESS_VERSION: &str = "2026-07-28";
/// The most pages of a list that are read.
const MOST_PAGES: usize = 20;
/// The longest text of a server that is kept, in characters.
const LONGEST_TEXT: usize = 200;

/// What an MCP server says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Its name and version.
    pub name: String,
    /// The version of the protocol.
    pub protocol: String,
}

/// Why a call of an MCP server failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallProblem {
    /// No answer; the text says why.
    Unreachable(String),
    /// An HTTP status that is no success.
    Status {
        /// The status.
        status: u16,
        /// What the server demands (`WWW-Authenticate`).
        challenge: Option<String>,
    },
    /// The answer holds no message of the protocol.
    NotMcp,
    /// An error of the protocol.
    Refused {
        /// Its number.
        code: i64,
        /// Its text.
        message: String,
    },
    /// The server did not answer as an MCP server. Only administrators read why.
    Withheld,
}

/// The messages to one MCP server.
pub(crate) struct Conversation<'servers> {
    servers: &'servers dyn McpConnection,
    url: &'servers str,
    header: Option<(String, Zeroizing<String>)>,
    version: Option<String>,
    session: Option<String>,
    /// Whether each message says by itself what it needs, because there is no session.
    is_sessionless: bool,
    asked: i64,
}

impl<'servers> Conversation<'servers> {
    /// A conversation in which this header proves us.
    pub(crate) fn new(
        servers: &'servers dyn McpConnection,
        url: &'servers str,
        header: Option<(String, Zeroizing<String>)>,
    ) -> Self {
        Self { servers, url, header, version: None, session: None, is_sessionless: false, asked: 0 }
    }

    /// Begins a session. A server that knows no sessions is asked about itself in the way of later versions.
    pub(crate) async fn begin(&mut self) -> Result<Greeting, CallProblem> {
        let client = json!({ "name": "Countersign", "version": env!("CARGO_PKG_VERSION") });
        let hello = json!({ "protocolVersion": SESSION_VERSION, "capabilities": {}, "clientInfo": client });
        match self.ask("initialize", hello).await {
            Ok(result) => {
                let protocol = text(&result["protocolVersion"]);
                self.version = Some(protocol.clone());
                self.send("notifications/initialized", None, json!({})).await?;
                Ok(Greeting { name: name_of(&result), protocol })
            }
            Err(CallProblem::Refused { .. } | CallProblem::Status { status: 400, .. }) => {
                (self.is_sessionless, self.session) = (true, None);
                self.version = Some(SESSIONLESS_VERSION.to_owned());
                let result = self.ask("server/discover", json!({})).await?;
                Ok(Greeting { name: name_of(&result), protocol: SESSIONLESS_VERSION.to_owned() })
            }
            Err(problem) => Err(problem),
        }
    }

    /// The entries of a list, such as the `tools` of `tools/list`: at most `most`. A server that gives the same cursor
    /// again and again is asked no more.
    pub(crate) async fn list(
        &mut self,
        method: &'static str,
        member: &str,
        most: usize,
    ) -> Result<Vec<Value>, CallProblem> {
        let (mut entries, mut parameters) = (Vec::new(), json!({}));
        for _ in 0..MOST_PAGES {
            let mut result = self.ask(method, parameters).await?;
            let Value::Array(page) = result[member].take() else { return Err(CallProblem::NotMcp) };
            entries.extend(page);
            let next = result["nextCursor"].take();
            if entries.len() >= most || !next.is_string() {
                break;
            }
            parameters = json!({ "cursor": next });
        }
        entries.truncate(most);
        Ok(entries)
    }

    /// The result of a request.
    async fn ask(&mut self, method: &'static str, mut parameters: Value) -> Result<Value, CallProblem> {
        if self.is_sessionless {
            parameters["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": SESSIONLESS_VERSION,
                "io.modelcontextprotocol/clientInfo": { "name": "Countersign", "version": env!("CARGO_PKG_VERSION") },
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        self.asked += 1;
        let answer = self.send(method, Some(self.asked), parameters).await?;
        let message = answer.message.ok_or(CallProblem::NotMcp)?;
        match &message["result"] {
            Value::Object(_) => Ok(message["result"].clone()),
            _ => Err(CallProblem::NotMcp),
        }
    }

    /// Sends a message. An answer that is an error becomes the problem.
    async fn send(
        &mut self,
        method: &'static str,
        id: Option<i64>,
        parameters: Value,
    ) -> Result<McpAnswer, CallProblem> {
        let mut message = json!({ "jsonrpc": "2.0", "method": method, "params": parameters });
        if let Some(id) = id {
            message["id"] = json!(id);
        }
        let request = McpRequest {
            url: self.url.to_owned(),
            header: self.header.clone(),
            method,
            version: self.version.clone(),
            session: self.session.clone(),
            id,
            body: message.to_string(),
        };
        let answer = self.servers.call(&request).await.map_err(CallProblem::Unreachable)?;
        if self.session.is_none() && !self.is_sessionless {
            self.session.clone_from(&answer.session);
        }
        let error = answer.message.as_ref().map(|message| &message["error"]).filter(|error| error.is_object());
        if let Some(error) = error {
            let code = error["code"].as_i64().unwrap_or_default();
            return Err(CallProblem::Refused { code, message: text(&error["message"]) });
        }
        match answer.status {
            200..=299 => Ok(answer),
            status => {
                let challenge = answer.challenge.as_deref().map(shortened);
                Err(CallProblem::Status { status, challenge })
            }
        }
    }
}

/// A text of a server as people may see it.
pub(crate) fn text(value: &Value) -> String {
    shortened(value.as_str().unwrap_or_default())
}

fn shortened(text: &str) -> String {
    printable(&text.chars().take(LONGEST_TEXT).collect::<String>())
}

fn name_of(result: &Value) -> String {
    let [name, version] = ["name", "version"].map(|part| text(&result["serverInfo"][part]));
    format!("{name} {version}").trim().to_owned()
}
