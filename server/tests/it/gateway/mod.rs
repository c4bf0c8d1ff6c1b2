//! The gateway, between a client and an MCP server that listens on this machine.

mod access;
mod definitions;
mod faults;
mod record;
mod revocation;
mod setup;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::server::egress::mcp::McpServers;
use ::server::state::AppState;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::base::id::McpServerId;
use domain::credential::generate::{Generated, generate};
use domain::model::credential::draft::Draft;
use domain::model::person::authority::Authority;
use domain::model::server::gateway::rules::ScopeRule;
use domain::model::server::{McpServer, ScopeDescription};
use domain::server::ServerDraft;
use domain::server::gateway::{self, GatewayDraft, GatewayEdit, UpstreamHeader, rules, tools};
use domain::testing::Instance;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::roles::operator;
use crate::support::{self, Answer, App, basic};

const KEY: &str = "upstream-key";

/// What an MCP server received.
#[derive(Debug, Clone)]
struct Received {
    method: Method,
    headers: HeaderMap,
    body: Bytes,
}

impl Received {
    fn message(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

type Answering = Arc<dyn Fn(&Received) -> Response + Send + Sync>;

/// An MCP server on this machine, which keeps what it received.
struct Upstream {
    host: String,
    received: Arc<Mutex<Vec<Received>>>,
    answering: Arc<Mutex<Answering>>,
}

impl Upstream {
    async fn start(answering: impl Fn(&Received) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let answering: Arc<Mutex<Answering>> = Arc::new(Mutex::new(Arc::new(answering)));
        let (kept, answers) = (Arc::clone(&received), Arc::clone(&answering));
        let handler = async move |request: axum::extract::Request| {
            let (head, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("a body");
            let one = Received { method: head.method, headers: head.headers, body };
            kept.lock().expect("a lock").push(one.clone());
            let answering = Arc::clone(&answers.lock().expect("a lock"));
            answering(&one)
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        Self { host, received, answering }
    }

    fn answers(&self, answering: impl Fn(&Received) -> Response + Send + Sync + 'static) {
        *self.answering.lock().expect("a lock") = Arc::new(answering);
    }

    fn url(&self) -> String {
        format!("http://{}/mcp", self.host)
    }

    /// What it received since this was asked last.
    fn taken(&self) -> Vec<Received> {
        std::mem::take(&mut self.received.lock().expect("a lock"))
    }
}

fn tool(name: &str, description: &str, hint: &str) -> Value {
    json!({
        "name": name,
        "description": description,
        "inputSchema": { "type": "object" },
        "annotations": { hint: true },
    })
}

fn usual_tools() -> Value {
    json!([
        tool("search", "Searches.", "readOnlyHint"),
        tool("update", "Updates.", "idempotentHint"),
        tool("delete", "Deletes.", "destructiveHint"),
    ])
}

/// The answers of a server with these tools.
fn serving(tools: Value) -> impl Fn(&Received) -> Response + Send + Sync + 'static {
    move |received| {
        let message = received.message();
        let of = |one: &Value| {
            let result = match one["method"].as_str().unwrap_or_default() {
                "initialize" => json!({
                    "protocolVersion": "2025-11-25",
                    "capabilities": {},
                    "serverInfo": { "name": "docs", "version": "3" },
                }),
                "tools/list" => json!({ "tools": tools }),
                "prompts/list" => json!({ "prompts": [{ "name": "greet" }, { "name": "part" }] }),
                "resources/list" => {
                    json!({ "resources": [{ "uri": "file:///docs/a" }, { "uri": "file:///secret" }] })
                }
                "resources/templates/list" => json!({
                    "resourceTemplates": [{ "uriTemplate": "file:///docs/{x}" }, { "uriTemplate": "file:///{x}" }],
                }),
                _ => json!({ "content": [{ "type": "text", "text": "done" }] }),
            };
            json!({ "jsonrpc": "2.0", "id": one["id"], "result": result })
        };
        match &message {
            Value::Array(all) => axum::Json(all.iter().map(of).collect::<Value>()).into_response(),
            one if one["id"].is_null() => StatusCode::ACCEPTED.into_response(),
            one => ([("mcp-session-id", "s-1")], axum::Json(of(one))).into_response(),
        }
    }
}

/// The answer as an event stream, as most servers send it.
fn as_stream(message: &Value) -> Response {
    let events = format!("id: 7\r\ndata: \r\n\r\n: hi\r\n\r\nevent: message\r\nid: 8\r\ndata: {message}\r\n\r\n");
    ([(header::CONTENT_TYPE, "text/event-stream")], events).into_response()
}

/// A Countersign with a server behind its gateway.
struct Stage {
    app: App,
    upstream: Upstream,
    server: McpServer,
}

fn scope(name: &str) -> ScopeDescription {
    ScopeDescription { name: name.to_owned(), description: format!("Allows {name}."), implies: Vec::new() }
}

impl Stage {
    async fn new() -> Self {
        Self::with(64 * 1024, Duration::from_secs(10)).await
    }

    async fn with(message_limit: usize, first_byte: Duration) -> Self {
        let upstream = Upstream::start(serving(usual_tools())).await;
        let instance = Instance::new().await;
        let state = AppState::new(instance.context.clone(), vec![], vec!["https://app.example".to_owned()])
            .with_gateway(vec![upstream.host.clone()], message_limit, first_byte)
            .with_mcp_servers(Arc::new(McpServers::new(vec![upstream.host.clone()])));
        let app = App { router: support::router(state), instance };
        let draft = ServerDraft {
            name: "Docs".to_owned(),
            scopes: vec![scope("docs:read"), scope("docs:write"), scope("docs:all")],
            ..ServerDraft::default()
        };
        let behind = GatewayDraft {
            upstream: upstream.url(),
            slug: None,
            header: UpstreamHeader::parse(&format!("Authorization: Bearer {KEY}")),
        };
        let context = &app.instance.context;
        let server = gateway::add(context, &operator(), &draft, &behind).await.expect("added");
        let stage = Self { app, upstream, server };
        stage.look().await;
        stage.allow("docs:read", Some(&["search"])).await;
        stage.allow("docs:write", Some(&["search", "update"])).await;
        stage.upstream.taken();
        stage
    }

    fn context(&self) -> &domain::context::Context {
        &self.app.instance.context
    }

    fn id(&self) -> &McpServerId {
        &self.server.id
    }

    async fn look(&self) {
        let servers = McpServers::new(vec![self.upstream.host.clone()]);
        let look = tools::look(self.context(), &servers, &operator(), self.id()).await.expect("looks");
        assert_eq!(look.expect("an answer").greeting.name, "docs 3");
    }

    async fn allow(&self, scope: &str, tools: Option<&[&str]>) {
        let tools = tools.map(|names| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>());
        let rule = ScopeRule { tools, ..ScopeRule::default() };
        rules::set(self.context(), &operator(), self.id(), &[(scope.to_owned(), rule)]).await.expect("set");
    }

    async fn edit(&self, edit: GatewayEdit) {
        gateway::edit(self.context(), &operator(), self.id(), &edit).await.expect("edited");
    }

    async fn credential(&self, scopes: &[&str]) -> Generated {
        let draft = Draft {
            name: "job".to_owned(),
            servers: vec![self.server.resource.clone()],
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            ..Draft::default()
        };
        generate(self.context(), &operator(), &draft, None).await.expect("generates")
    }

    async fn exchange(&self, credential: &Generated) -> String {
        let answer = self.app.token(&[("authorization", &basic(credential))], "grant_type=client_credentials").await;
        answer.json()["access_token"].as_str().expect("a token").to_owned()
    }

    async fn token(&self, scopes: &[&str]) -> String {
        self.exchange(&self.credential(scopes).await).await
    }

    async fn send(&self, token: &str, body: impl Into<Body>, headers: &[(&str, &str)]) -> Answer {
        self.app.send(request(Method::POST, token, body, headers)).await
    }

    async fn call(&self, token: &str, tool: &str) -> Answer {
        self.send(token, call(1, tool).to_string(), &[]).await
    }

    /// What is recorded, as `kind name outcome`, with the number of calls.
    async fn recorded(&self) -> Vec<(String, i64)> {
        self.context().calls.flush().await;
        let usage = gateway::usage::by_name(self.context(), &Authority::Everything, self.id(), 0).await;
        let mut lines: Vec<(String, i64)> = usage
            .expect("reads")
            .into_iter()
            .map(|row| (format!("{} {} {}", row.kind.as_str(), row.name, row.outcome.as_str()), row.calls))
            .collect();
        lines.sort();
        lines
    }
}

fn request(method: Method, token: &str, body: impl Into<Body>, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri("/gateway/docs");
    let own = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
    for (name, value) in own.iter().filter(|(name, _)| headers.iter().all(|(other, _)| other != name)) {
        request = request.header(*name, *value);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(body.into()).expect("a request")
}

fn message(id: i64, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn call(id: i64, tool: &str) -> Value {
    message(id, "tools/call", json!({ "name": tool, "arguments": { "secret": "argument" } }))
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|one| one["name"].as_str().expect("a name")).collect()
}

fn with_peer(mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().insert(header::HOST, "localhost:8080".parse().expect("a host"));
    request
}
