//! The MCP server of this program, at `/mcp`: protected, streamable HTTP, both protocol eras, stateless.
//!
//! New users call it first, and it is the example of how an MCP server should check tokens. The 401 challenge comes
//! before everything else. Every request checks the state of the credential, so a revocation takes effect at once.

mod transport;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{MethodRouter, any_service};
use domain::base::clock::Timestamp;
use domain::base::id::ClientId;
use domain::context::Context;
use domain::credential::{self, list};
use domain::error::Fault;
use domain::model::actor::Actor;
use domain::model::credential::Status;
use domain::model::credential::query::Query;
use domain::model::server::scope::Scopes;
use domain::model::server::{SCOPE_CREDENTIALS_READ, SCOPE_CREDENTIALS_WRITE, SCOPE_READ};
use domain::person::authority;
use domain::token::verify::{Caller, Subject};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, ServerHandler};
use serde_json::{Value, json};

use crate::http::body::{self, LIMIT};
use crate::http::client_address::ClientAddress;
use crate::http::error;
use crate::http::{cors, text};
use crate::oauth::bearer::{self, ProtectedResource};
use crate::state::AppState;

/// The extension with which a server announces that machine clients may call it.
const EXTENSION: &str = "io.modelcontextprotocol/oauth-client-credentials";

/// The service behind the guard.
pub(crate) fn service(context: &Context) -> MethodRouter<AppState> {
    // The library does not know trusted proxies. The guard checks the Host.
    let mut config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .with_legacy_session_mode(false)
        .with_json_response(true);
    config.max_request_body_bytes = LIMIT;
    let server = McpTools { context: context.clone() };
    any_service(StreamableHttpService::new(
        move || Ok(server.clone()),
        Arc::new(NeverSessionManager::default()),
        config,
    ))
}

/// The guard. It checks host, origin, preflight, token and scope, in this order, before the protocol reads the request.
pub(crate) async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    surround(&state, request, async |request| authorized(&state, request, next).await.unwrap_or_else(|refusal| refusal))
        .await
}

/// What every MCP server of this process does around a request: it checks host and origin, and answers preflight
/// requests.
pub(crate) async fn surround(
    state: &AppState,
    request: Request,
    work: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    if let Some(refusal) = transport::refuse_host(state, &request) {
        return refusal;
    }
    // Programs send no Origin. Pages of another origin are refused unless the operator listed that origin.
    let origin = request.headers().get(header::ORIGIN).cloned();
    if origin.as_ref().is_some_and(|origin| !state.allows_origin(origin.as_bytes())) {
        return error::plain(StatusCode::FORBIDDEN);
    }
    let mut response =
        if request.method() == Method::OPTIONS { cors::preflight(request.headers()) } else { work(request).await };
    if let Some(origin) = origin {
        cors::allow(&mut response, origin);
    }
    response
}

async fn authorized(state: &AppState, request: Request, next: Next) -> Result<Response, Response> {
    let audience = state.context.settings.built_in_resource();
    let resource = resource(state, &audience);
    // A request without a token is refused before its body arrives. A token is checked after its body: the token may
    // end while the body arrives.
    let token = bearer::token_of(request.headers()).map_err(|invalid| resource.challenge(invalid))?;
    let (mut head, body) = body::split(request, LIMIT).await?;
    let caller = resource.authenticate(state, &token, ClientAddress::found(&head.extensions).0).await?;
    // A GET asks for the stream of the server's own messages. The library answers that there is none.
    if head.method == Method::POST
        && let Some(refusal) = transport::refuse_accept(&mut head.headers)
    {
        return Err(refusal);
    }
    let needed = needed_scopes(&body);
    if needed.iter().any(|scope| !caller.scopes.contains(scope)) {
        let needed: Scopes = caller.scopes.iter().chain(needed).collect();
        return Err(resource.insufficient_scope(&needed));
    }
    head.extensions.insert(caller);
    Ok(transport::in_json(next.run(Request::from_parts(head, Body::from(body))).await).await)
}

/// The built-in server as a protected resource.
fn resource<'of>(state: &AppState, audience: &'of str) -> ProtectedResource<'of> {
    let metadata_url = format!("{}/.well-known/oauth-protected-resource/mcp", state.context.settings.public_url);
    ProtectedResource { audience, metadata_url, scope: SCOPE_READ.into() }
}

/// The scopes that the tool calls in the body need.
fn needed_scopes(body: &Bytes) -> Vec<&'static str> {
    let Ok(message) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    // One old revision of the protocol allowed batches. Each call in a batch needs its scope.
    let messages = match &message {
        Value::Array(messages) => messages.as_slice(),
        message => std::slice::from_ref(message),
    };
    messages
        .iter()
        .filter(|message| message["method"] == "tools/call")
        .filter_map(|message| scope_of(message["params"]["name"].as_str()?))
        .collect()
}

/// The scope that a tool needs besides a valid token.
fn scope_of(tool: &str) -> Option<&'static str> {
    match tool {
        "list_credentials" => Some(SCOPE_CREDENTIALS_READ),
        "revoke_credential" => Some(SCOPE_CREDENTIALS_WRITE),
        _ => None,
    }
}

/// The tools.
#[derive(Clone)]
struct McpTools {
    context: Context,
}

impl ServerHandler for McpTools {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::builder().enable_tools().build();
        capabilities.extensions = Some([(EXTENSION.to_owned(), JsonObject::new())].into());
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("countersign", env!("CARGO_PKG_VERSION")))
            .with_instructions("Call whoami to see which credential, app or personal token is in use.")
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        request: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let (caller, _) = caller(&request)?;
        let allowed = |tool: &Tool| scope_of(&tool.name).is_none_or(|scope| caller.scopes.contains(scope));
        Ok(ListToolsResult::with_all_items(tools().into_iter().filter(allowed).collect()))
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let (caller, actor) = caller(&request)?;
        // The guard has already answered with 403. This second check protects against a way around the guard.
        if scope_of(&call.name).is_some_and(|scope| !caller.scopes.contains(scope)) {
            return Err(ErrorData::invalid_request("The token lacks a scope.", None));
        }
        let arguments = call.arguments.unwrap_or_default();
        let argument = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
        let result = match call.name.as_ref() {
            "whoami" => Ok(whoami(&caller)),
            "list_credentials" => self.list_credentials(&actor, argument("search")).await,
            "revoke_credential" => self.revoke_credential(&actor, argument("client_id"), argument("reason")).await,
            _ => return Err(ErrorData::invalid_params("There is no such tool.", None)),
        };
        Ok(match result {
            Ok(value) => answer(value).into(),
            Err(problem) => CallToolResult::error(vec![ContentBlock::text(problem)]).into(),
        })
    }
}

/// A result as structured content and as text, because some clients read only one of them.
fn answer(value: Value) -> CallToolResult {
    let mut result = CallToolResult::structured(value.clone());
    result.content = vec![ContentBlock::text(serde_json::to_string_pretty(&value).unwrap_or_default())];
    result
}

/// The caller that the guard let in, and the actor of its changes.
fn caller(request: &RequestContext<RoleServer>) -> Result<(Caller, Actor), ErrorData> {
    let head = request.extensions.get::<axum::http::request::Parts>();
    let caller = head
        .and_then(|head| head.extensions.get::<Caller>())
        .cloned()
        .ok_or_else(|| ErrorData::internal_error("The caller is not known.", None))?;
    let address = head.and_then(|head| ClientAddress::found(&head.extensions).0);
    let agent = head.and_then(|head| text(&head.headers, header::USER_AGENT));
    let actor = caller.actor().at(address, agent);
    Ok((caller, actor))
}

fn tools() -> Vec<Tool> {
    let tool = |name: &'static str, description: &'static str, properties: Value, required: &[&str]| {
        let schema = json!({ "type": "object", "properties": properties, "required": required });
        Tool::new(name, description, schema.as_object().cloned().unwrap_or_default())
    };
    let text = |description: &str| json!({ "type": "string", "description": description });
    let read_only = || ToolAnnotations::new().read_only(true).open_world(false);
    vec![
        tool(
            "whoami",
            "Tells which credential, or which app and person, the token in use belongs to, what it allows and when it ends.",
            json!({}),
            &[],
        )
        .with_annotations(read_only()),
        tool(
            "list_credentials",
            "Lists the newest credentials that the caller may see, at most 100, with their status. Never their secrets.",
            json!({ "search": text("Part of a name or a client ID.") }),
            &[],
        )
        .with_annotations(read_only()),
        tool(
            "revoke_credential",
            "Revokes a credential that the caller may revoke. This is final: its secret stops working and its live tokens are refused.",
            json!({
                "client_id": text("The credential to revoke."),
                "reason": text("Why; kept in the audit log."),
            }),
            &["client_id"],
        )
        .with_annotations(ToolAnnotations::new().read_only(false).destructive(true).idempotent(true).open_world(false)),
    ]
}

fn whoami(caller: &Caller) -> Value {
    let mut who = json!({
        "name": caller.name,
        "scope": caller.scopes.to_string(),
        "expires_at": Timestamp::from_millis(caller.expires_at * 1000).rfc3339(),
    });
    match &caller.subject {
        Subject::Credential(client_id) => who["client_id"] = json!(client_id.as_str()),
        Subject::Person { id, name, client_id } => {
            who["client_id"] = json!(client_id.as_str());
            who["person"] = json!({ "id": id.as_str(), "name": name });
        }
        Subject::PersonalToken { person, person_name, id } => {
            who["personal_token"] = json!(id.as_str());
            who["person"] = json!({ "id": person.as_str(), "name": person_name });
        }
    }
    who
}

const FAULT: &str = "The server cannot answer now. Try again soon.";

impl McpTools {
    async fn list_credentials(&self, actor: &Actor, search: &str) -> Result<Value, String> {
        let query = Query { search: Some(search.to_owned()), ..Query::default() };
        let listed = async {
            let authority = authority::of(&self.context, actor).await?;
            list::list(&self.context, &authority, &query, 100).await
        };
        let page = listed.await.map_err(|error| {
            tracing::error!(%error, "the credentials could not be listed");
            FAULT.to_owned()
        })?;
        let now = self.context.now();
        let rows: Vec<Value> = page
            .credentials
            .iter()
            .map(|credential| {
                json!({
                    "client_id": credential.client_id.as_str(),
                    "name": credential.name,
                    "status": status_word(credential.status(now)),
                    "scope": credential.scopes.to_string(),
                    "expires_at": credential.ends_at.map(Timestamp::rfc3339),
                    "last_used_at": credential.last_used_at.map(Timestamp::rfc3339),
                })
            })
            .collect();
        Ok(json!({ "credentials": rows, "more": page.next.is_some() }))
    }

    async fn revoke_credential(&self, actor: &Actor, client_id: &str, reason: &str) -> Result<Value, String> {
        let id = ClientId::parse(client_id).ok_or("client_id is not the identifier of a credential.")?;
        match credential::revoke::revoke(&self.context, actor, &id, reason).await {
            Ok(_) => Ok(json!({ "client_id": id.as_str(), "status": "revoked" })),
            Err(credential::CredentialError::Fault(Fault::ActorEnded)) => {
                Err("The token has ended. Nothing was changed.".to_owned())
            }
            Err(credential::CredentialError::Fault(fault)) => {
                tracing::error!(%fault, "a credential could not be revoked");
                Err(FAULT.to_owned())
            }
            Err(credential::CredentialError::Invalid(errors)) => {
                Err(errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join(" "))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A status for programs.
pub(crate) fn status_word(status: Status) -> &'static str {
    match status {
        Status::Leaked => "leaked",
        Status::Unverified => "unverified",
        Status::InUse => "in_use",
        Status::Expiring => "expiring",
        Status::Disabled => "disabled",
        Status::Expired => "expired",
        Status::Revoked => "revoked",
    }
}
