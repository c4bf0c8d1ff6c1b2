//! `countersign connect` as a program, between a client and servers that behave badly.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const SECRET: &str = "the-secret-of-the-client";

/// What the servers of one test share: an MCP server at `/mcp`, and authorization servers at `/one` and `/two`.
struct Servers {
    origin: String,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    /// The authorization server that the MCP server names.
    issuer: &'static str,
    /// What its answers with a token hold besides.
    answer: Value,
    /// The token that the MCP server takes.
    accepted: Option<String>,
    /// The scope that the MCP server demands of each call.
    demanded: Option<&'static str>,
    /// The bodies of token requests, by authorization server.
    asked: Vec<(String, HashMap<String, String>)>,
}

impl Servers {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Mutex::new(Shared {
            issuer: "one",
            answer: json!({ "token_type": "Bearer", "expires_in": 3600 }),
            accepted: None,
            demanded: None,
            asked: Vec::new(),
        }));
        let (own, state) = (origin.clone(), Arc::clone(&shared));
        let handler = async move |request: Request| {
            let (head, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("a body");
            let authorization = head.headers.get("authorization").map(|value| value.to_str().expect("text").to_owned());
            answer(&own, &mut state.lock().expect("a lock"), head.uri.path(), authorization, &body)
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        Self { origin, shared }
    }

    fn change(&self, change: impl FnOnce(&mut Shared)) {
        change(&mut self.shared.lock().expect("a lock"));
    }

    /// The issuers that were asked for a token since the last question, with the scope of each request.
    fn asked(&self) -> Vec<(String, Option<String>)> {
        let asked = std::mem::take(&mut self.shared.lock().expect("a lock").asked);
        asked.into_iter().map(|(issuer, mut form)| (issuer, form.remove("scope"))).collect()
    }

    fn connect(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.arg("connect").args(arguments).arg(format!("{}/mcp", self.origin)).env_clear();
        command.env("MCP_CLIENT_ID", "job").env("MCP_CLIENT_SECRET", SECRET);
        command
    }
}

fn answer(own: &str, shared: &mut Shared, path: &str, authorization: Option<String>, body: &[u8]) -> Response {
    if let Some(place) = path.strip_prefix("/.well-known/oauth-protected-resource") {
        assert_eq!(place, "/mcp");
        let servers = [format!("{own}/{}", shared.issuer)];
        return Json(json!({ "resource": format!("{own}/mcp"), "authorization_servers": servers })).into_response();
    }
    if let Some(issuer) = path.strip_prefix("/.well-known/oauth-authorization-server/") {
        let issuer = format!("{own}/{issuer}");
        return Json(json!({ "issuer": issuer, "token_endpoint": format!("{issuer}/token") })).into_response();
    }
    if let Some(issuer) = path.strip_suffix("/token") {
        let form = url::form_urlencoded::parse(body).into_owned().collect();
        shared.asked.push((issuer.trim_start_matches('/').to_owned(), form));
        let token = format!("token-{}", shared.asked.len());
        shared.accepted = Some(token.clone());
        let mut answer = shared.answer.clone();
        answer["access_token"] = token.into();
        return Json(answer).into_response();
    }
    if path != "/mcp" {
        return StatusCode::NOT_FOUND.into_response();
    }
    if authorization.is_none() || authorization != shared.accepted.as_ref().map(|token| format!("Bearer {token}")) {
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", "Bearer")]).into_response();
    }
    if let Some(scope) = shared.demanded {
        let challenge = format!(r#"Bearer error="insufficient_scope", scope="{scope}""#);
        return (StatusCode::FORBIDDEN, [("www-authenticate", challenge)]).into_response();
    }
    let message: Value = serde_json::from_slice(body).expect("a message");
    Json(json!({ "jsonrpc": "2.0", "id": message["id"], "result": {} })).into_response()
}

/// The command, with its standard input and output.
struct Bridge {
    child: Child,
    input: ChildStdin,
    output: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Bridge {
    fn start(mut command: Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("starts");
        let input = child.stdin.take().expect("its input");
        let output = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self { child, input, output }
    }

    /// Sends a call, and returns its answer.
    async fn call(&mut self, id: i64) -> Value {
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": "x" } });
        writeln!(self.input, "{message}").expect("it reads");
        // The servers of this test need the thread meanwhile.
        let line = tokio::task::block_in_place(|| self.output.next()).expect("a line").expect("text");
        let answer: Value = serde_json::from_str(&line).expect("a message");
        assert_eq!(answer["id"], id);
        answer
    }

    /// Ends the input. Returns what stood on standard error.
    fn end(self) -> String {
        drop(self.input);
        let output = tokio::task::block_in_place(|| self.child.wait_with_output()).expect("ends");
        assert!(output.status.success());
        String::from_utf8(output.stderr).expect("text")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_secret_goes_to_one_authorization_server_only() {
    let servers = Servers::start().await;
    let mut bridge = Bridge::start(servers.connect(&[]));
    assert_eq!(bridge.call(1).await["result"], json!({}));
    assert_eq!(servers.asked(), [("one".to_owned(), None)]);

    // The MCP server refuses the token, and names another authorization server, which would get the secret.
    servers.change(|shared| (shared.issuer, shared.accepted) = ("two", None));
    let refused = bridge.call(2).await;
    servers.change(|shared| shared.accepted = None);
    let asked = servers.asked();
    assert!(asked.iter().all(|(issuer, _)| issuer == "one"), "{asked:?} after {refused}");
    let said = bridge.end();
    assert!(!said.contains(SECRET), "{said}");

    // A person can name the only authorization server that may see it.
    let named = format!("{}/one", servers.origin);
    let output = servers.connect(&[]).env("MCP_ISSUER", &named).stdin(Stdio::null()).output();
    let output = tokio::task::block_in_place(|| output).expect("ends");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success() && said.contains("/two") && said.contains("MCP_ISSUER"), "{said}");
    assert!(servers.asked().is_empty(), "no authorization server saw the secret");
    for wrong in ["", "nonsense", "http://auth.example.com"] {
        let output = servers.connect(&[]).env("MCP_ISSUER", wrong).stdin(Stdio::null()).output();
        let output = tokio::task::block_in_place(|| output).expect("ends");
        assert_eq!(output.status.code(), Some(2), "{wrong}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("MCP_ISSUER"), "{wrong}");
    }
    assert!(servers.asked().is_empty());
    servers.change(|shared| shared.issuer = "one");
    let mut command = servers.connect(&[]);
    command.env("MCP_ISSUER", named);
    let mut bridge = Bridge::start(command);
    assert_eq!(bridge.call(3).await["result"], json!({}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_wider_scopes_are_asked_for_than_the_person_named() {
    let servers = Servers::start().await;
    let mut bridge = Bridge::start(servers.connect(&["--scope", "docs:read"]));
    servers.change(|shared| shared.demanded = Some("docs:write"));
    let refused = bridge.call(1).await;
    assert!(refused["error"]["message"].as_str().is_some_and(|words| words.contains("docs:write")), "{refused}");
    assert_eq!(servers.asked(), [("one".to_owned(), Some("docs:read".to_owned()))]);
    servers.change(|shared| shared.demanded = None);
    assert_eq!(bridge.call(2).await["result"], json!({}));

    let mut bridge = Bridge::start(servers.connect(&[]));
    servers.change(|shared| shared.demanded = Some("docs:write"));
    bridge.call(1).await;
    let asked: Vec<Option<String>> = servers.asked().into_iter().map(|(_, scope)| scope).collect();
    assert_eq!(asked, [None, Some("docs:write".to_owned())], "without --scope, the server says which");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_lifetime_of_a_token_works() {
    for lifetime in [json!(u64::MAX), json!(0), json!(-1), json!("3600"), json!(1.5), Value::Null] {
        let servers = Servers::start().await;
        servers.change(|shared| shared.answer = json!({ "token_type": "Bearer", "expires_in": lifetime }));
        let mut bridge = Bridge::start(servers.connect(&[]));
        for id in 1..=3 {
            assert_eq!(bridge.call(id).await["result"], json!({}), "{lifetime}");
        }
        let said = bridge.end();
        assert!(said.is_empty(), "{lifetime}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn web_pages_cannot_use_an_address_of_the_bridge() {
    let servers = Servers::start().await;
    let mut bridge = Bridge::start(servers.connect(&["--listen", "127.0.0.1:0"]));
    let line = tokio::task::block_in_place(|| bridge.output.next()).expect("a line").expect("text");
    let url = line.strip_prefix("Connected: ").expect("its address").to_owned();
    let host = url.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/mcp")).expect("a host");
    let port = host.rsplit(':').next().expect("a port");
    let status = async |headers: &[(&str, &str)]| {
        let mut stream = tokio::net::TcpStream::connect(host).await.expect("connects");
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let request = format!(
            "POST /mcp HTTP/1.1\r\n{lines}Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        answer.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok()).expect("a status")
    };
    let (named, own) = (format!("localhost:{port}"), format!("http://{host}"));
    for headers in [
        &[("Host", host)][..],
        &[("Host", &named)],
        &[("Host", host), ("Origin", &own)],
        &[("Host", host), ("Sec-Fetch-Site", "none")],
        &[("Host", host), ("Origin", &own), ("Sec-Fetch-Site", "same-origin")],
    ] {
        assert_eq!(status(headers).await, 200, "{headers:?}");
    }
    for headers in [
        &[("Host", "evil.example")][..],
        &[("Host", &format!("evil.example:{port}"))],
        &[("Host", host), ("Origin", "https://evil.example")],
        &[("Host", host), ("Origin", "null")],
        &[("Host", host), ("Origin", "http://127.0.0.1:1")],
        &[("Host", host), ("Sec-Fetch-Site", "cross-site")],
        &[("Host", host), ("Sec-Fetch-Site", "same-site")],
        &[("Host", "localhost.evil.example")],
        &[],
    ] {
        let status = status(headers).await;
        assert!([400, 403].contains(&status), "{headers:?}: {status}");
    }
    bridge.child.kill().expect("ends");
    bridge.child.wait().expect("ends");
}
