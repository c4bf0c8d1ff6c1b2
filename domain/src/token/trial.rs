//! A trial of a credential: an exchange as its program makes it, and then calls of the MCP server with the token.
//!
//! The exchange takes the way of the token endpoint, so the same rules decide and it counts like any other. The token
//! leaves this module only to the MCP server that it is for.

use serde_json::{Value, json};
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use crate::base::form_body::TokenForm;
use crate::base::id::ClientId;
use crate::base::text::printable;
use crate::model::origin::Origin;
use crate::model::person::authority::Authority;
use crate::model::ports::{McpAnswer, McpConnection, McpRequest};
use crate::model::token::oauth_error::{OAuthError, Result};
use crate::prelude::Context;
use crate::token::access_token::AccessToken;
use crate::token::client_authentication::presented::Presented;
use crate::token::client_authentication::{ServedClients, authenticate};
use crate::token::grants::client_credentials;
use crate::token::verify::{SignatureCheck, check_signature, if_valid};

/// The version of the protocol that a session begins with. Servers of every version since understand it.
const SESSION_VERSION: &str = "2025-11-25";
/// The first version without sessions, for a server that knows no `initialize`.
const SESSIONLESS_VERSION: &str = "2026-07-28";
/// The most tools whose names are kept.
const MOST_TOOLS: usize = 200;
/// The longest text of a server that is kept, in characters.
const LONGEST_TEXT: usize = 200;
/// The type of an assertion that proves a client (RFC 7523 §2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What proves the credential.
pub enum TrialProof {
    /// Its secret.
    Secret(Zeroizing<String>),
    /// An assertion that its key signed, or a token of its issuer.
    Assertion(Zeroizing<String>),
}

/// The result of a trial.
pub struct Trial {
    /// The token without its signature, or why there is none.
    pub exchange: Result<SignatureCheck>,
    /// What the MCP server says about itself. `None` when there was no token.
    pub greeting: Option<Result<Greeting, CallProblem>>,
    /// The tools that it offers with this token. `None` when it was not asked.
    pub tools: Option<Result<Vec<String>, CallProblem>>,
}

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

impl CallProblem {
    /// The problem as `authority` may read it. Why no MCP server answers tells whether an internal name exists, and
    /// which addresses and ports answer. That is for administrators; the log has it too. What an MCP server says about
    /// the token is for everybody who may test the credential.
    fn for_reader(self, authority: &Authority, resource: &str) -> Self {
        let cause = match &self {
            _ if authority.is_administrator() => return self,
            Self::Status { status: 401 | 403 | 429, .. } | Self::Refused { .. } | Self::Withheld => return self,
            Self::Unreachable(cause) => cause.clone(),
            Self::Status { status, .. } => format!("answered {status}"),
            Self::NotMcp => "answered without a message of the protocol".to_owned(),
        };
        tracing::info!(resource, cause, "an MCP server did not answer a test of a credential");
        Self::Withheld
    }
}

impl Trial {
    /// Whether each step worked.
    pub fn works(&self) -> bool {
        self.exchange.is_ok() && matches!(self.greeting, Some(Ok(_))) && matches!(self.tools, Some(Ok(_)))
    }
}

/// Tries the credential at the MCP server `resource`. The result holds what `authority` may read.
pub async fn run(
    context: &Context,
    servers: &dyn McpConnection,
    authority: &Authority,
    client_id: &ClientId,
    resource: &str,
    proof: &TrialProof,
    origin: &Origin,
) -> Trial {
    match exchange(context, client_id, resource, proof, origin).await {
        Ok((token, check)) => {
            let mut conversation = Conversation::new(servers, resource, token.token);
            let readable = |problem: CallProblem| problem.for_reader(authority, resource);
            let greeting = conversation.begin().await.map_err(readable);
            let tools = if greeting.is_ok() { Some(conversation.tools().await.map_err(readable)) } else { None };
            Trial { exchange: Ok(check), greeting: Some(greeting), tools }
        }
        Err(error) => Trial { exchange: Err(error), greeting: None, tools: None },
    }
}

async fn exchange(
    context: &Context,
    client_id: &ClientId,
    resource: &str,
    proof: &TrialProof,
    origin: &Origin,
) -> Result<(AccessToken, SignatureCheck)> {
    let body = body(client_id, resource, proof);
    let form = TokenForm::parse(body.as_bytes())?;
    let presented = Presented::read(&[], &form)?;
    let client = authenticate(context, presented, &form, ServedClients::Credentials).await?;
    let token = client_credentials::exchange(context, client, &form, origin).await?;
    let check = if_valid(check_signature(context, &token.token).await)?;
    let check = check.ok_or(OAuthError::fault(500))?;
    Ok((token, check))
}

/// The body of the request, as the program of the credential sends it.
fn body(client_id: &ClientId, resource: &str, proof: &TrialProof) -> Zeroizing<String> {
    let mut fields = Serializer::new(String::new());
    fields.append_pair("grant_type", "client_credentials");
    fields.append_pair("client_id", client_id.as_str()).append_pair("resource", resource);
    match proof {
        TrialProof::Secret(secret) => fields.append_pair("client_secret", secret),
        TrialProof::Assertion(assertion) => {
            fields.append_pair("client_assertion_type", ASSERTION_TYPE).append_pair("client_assertion", assertion)
        }
    };
    Zeroizing::new(fields.finish())
}

/// The messages to one MCP server.
struct Conversation<'servers> {
    servers: &'servers dyn McpConnection,
    url: &'servers str,
    token: Zeroizing<String>,
    version: Option<String>,
    session: Option<String>,
    /// Whether each message says by itself what it needs, because there is no session.
    is_sessionless: bool,
    asked: i64,
}

impl<'servers> Conversation<'servers> {
    fn new(servers: &'servers dyn McpConnection, url: &'servers str, token: String) -> Self {
        let token = Zeroizing::new(token);
        Self { servers, url, token, version: None, session: None, is_sessionless: false, asked: 0 }
    }

    /// Begins a session. A server that knows no sessions is asked about itself in the way of later versions.
    async fn begin(&mut self) -> Result<Greeting, CallProblem> {
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

    /// The names of the tools, of the first page of the list.
    async fn tools(&mut self) -> Result<Vec<String>, CallProblem> {
        let result = self.ask("tools/list", json!({})).await?;
        let tools = result["tools"].as_array().ok_or(CallProblem::NotMcp)?;
        Ok(tools.iter().take(MOST_TOOLS).map(|tool| text(&tool["name"])).collect())
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
            token: self.token.clone(),
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
fn text(value: &Value) -> String {
    shortened(value.as_str().unwrap_or_default())
}

fn shortened(text: &str) -> String {
    printable(&text.chars().take(LONGEST_TEXT).collect::<String>())
}

fn name_of(result: &Value) -> String {
    let [name, version] = ["name", "version"].map(|part| text(&result["serverInfo"][part]));
    format!("{name} {version}").trim().to_owned()
}

/// The scope that a challenge demands (RFC 6750 §3).
pub fn demanded_scope(challenge: &str) -> Option<&str> {
    let (_, rest) = challenge.split_once("scope=\"")?;
    Some(rest.split_once('"')?.0).filter(|scope| !scope.is_empty())
}
