//! The bridge from standard input and output: one JSON-RPC message a line, as MCP clients speak with a command. Only
//! messages of the protocol go to standard output; everything for people goes to standard error.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Stdout};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use url::Url;

use crate::connect::client::{Client, whole};
use crate::connect::discovery::{challenge_of, parameter};
use crate::connect::problem::ConnectError;
use crate::connect::tokens::Tokens;
use crate::egress::mcp::{EVENT_STREAM, SESSION};
use crate::gateway::events::Splitter;
use crate::gateway::headers;
use crate::http::media_type::{self, JSON};

/// The longest event of a stream, in bytes.
const LONGEST_EVENT: usize = 64 * 1024 * 1024;
/// How long the bridge waits before it opens a stream again.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest such pause after many failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often a stream that broke before its answer is opened again.
const MOST_RESUMPTIONS: usize = 20;
/// How long requests under way may take after standard input has ended.
const LAST_ANSWERS: Duration = Duration::from_secs(30);
/// The code of an error that is ours (JSON-RPC 2.0 §5.1).
const OWN_ERROR: i64 = -32_000;

/// What all messages share.
struct Bridge {
    client: Client,
    tokens: Arc<Tokens>,
    resource: Url,
    output: Mutex<Stdout>,
    session: Mutex<Session>,
}

/// The session with the MCP server.
#[derive(Default)]
struct Session {
    id: Option<HeaderValue>,
    version: Option<HeaderValue>,
    /// The message that began it: with it, the bridge begins another one when the server has forgotten the session.
    hello: Option<Bytes>,
    /// How many sessions there were.
    number: u64,
}

/// Runs the bridge until standard input ends.
pub(super) async fn run(client: Client, tokens: Arc<Tokens>, resource: Url) -> Result<(), ConnectError> {
    // Whoever starts the command reads at once why it cannot work.
    tokens.get(None).await.map_err(ConnectError::Failed)?;
    let bridge = Arc::new(Bridge {
        client,
        tokens,
        resource,
        output: Mutex::new(tokio::io::stdout()),
        session: Mutex::default(),
    });
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut requests = JoinSet::new();
    let mut listener = JoinSet::new();
    loop {
        while requests.try_join_next().is_some() {}
        let line = match lines.next_line().await {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(error) => return Err(ConnectError::Failed(format!("standard input: {error}"))),
        };
        if line.trim().is_empty() {
            continue;
        }
        let message: Value = match serde_json::from_str(&line) {
            Ok(message) => message,
            Err(_) => {
                bridge.complain(&Value::Null, -32_700, "The line is no JSON.").await;
                continue;
            }
        };
        let method = message["method"].as_str().unwrap_or_default().to_owned();
        let is_request = message.is_array() || (!method.is_empty() && !message["id"].is_null());
        let body = Bytes::from(line);
        if is_request && method != "initialize" {
            let bridge = Arc::clone(&bridge);
            requests.spawn(async move { bridge.pass(&message, body).await });
        } else {
            // The order of a greeting and of notifications matters.
            bridge.pass(&message, body).await;
        }
        if method == "notifications/initialized" {
            let bridge = Arc::clone(&bridge);
            listener.abort_all();
            listener.spawn(async move { bridge.listen().await });
        }
    }
    let last = async { while requests.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_ANSWERS, last).await.is_err() {
        eprintln!("countersign: some requests had no answer when the input ended");
    }
    listener.abort_all();
    bridge.end().await;
    Ok(())
}

/// The headers that repeat what a message of 2026-07-28 says (SEP-2243). Earlier messages state no version.
fn stated(message: &Value) -> HeaderMap {
    let params = &message["params"];
    let version = params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str();
    let (Some(version), Some(method)) = (version, message["method"].as_str()) else { return HeaderMap::new() };
    let name = match method {
        "tools/call" | "prompts/get" => params["name"].as_str(),
        "resources/read" => params["uri"].as_str(),
        _ => None,
    };
    let headers = [("mcp-protocol-version", Some(version)), ("mcp-method", Some(method)), ("mcp-name", name)];
    let value = |text: &str| HeaderValue::from_str(&headers::saying(text)).ok();
    let found = headers.into_iter().filter_map(|(name, text)| Some((HeaderName::from_static(name), value(text?)?)));
    found.collect()
}

impl Bridge {
    /// Passes a message on, and its answer back.
    async fn pass(&self, message: &Value, body: Bytes) {
        // Only requests are answered: notifications have no identifier, and answers to the server have no method.
        let id = if message["method"].is_string() { message["id"].clone() } else { Value::Null };
        let is_hello = message["method"] == "initialize";
        if let Err(problem) = self.exchange(&id, body, stated(message), is_hello).await {
            eprintln!("countersign: {problem}");
            if !id.is_null() {
                self.complain(&id, OWN_ERROR, &problem).await;
            }
        }
    }

    async fn exchange(&self, id: &Value, body: Bytes, stated: HeaderMap, is_hello: bool) -> Result<(), String> {
        if is_hello {
            let mut session = self.session.lock().await;
            *session = Session { hello: Some(body.clone()), number: session.number + 1, ..Session::default() };
        }
        let number = self.session.lock().await.number;
        let mut answer = self.post(body.clone(), &stated).await?;
        if answer.status() == StatusCode::NOT_FOUND && !is_hello && self.begin_again(number).await? {
            answer = self.post(body, &stated).await?;
        }
        if is_hello && answer.status().is_success() {
            self.session.lock().await.id = answer.headers().get(SESSION).cloned();
        }
        self.deliver(id, answer, is_hello).await
    }

    /// The headers of each request, with the token.
    async fn headers(&self, token: &HeaderValue) -> HeaderMap {
        let session = self.session.lock().await;
        let mut headers = HeaderMap::from_iter([
            (header::AUTHORIZATION, token.clone()),
            (header::CONTENT_TYPE, HeaderValue::from_static(JSON)),
            (header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream")),
        ]);
        if let Some(id) = &session.id {
            headers.insert(SESSION, id.clone());
        }
        if let Some(version) = &session.version {
            headers.insert("mcp-protocol-version", version.clone());
        }
        headers
    }

    async fn post(&self, body: Bytes, stated: &HeaderMap) -> Result<Response<Incoming>, String> {
        self.send(Method::POST, body, stated, None).await
    }

    /// Sends a request. When the server refuses the token, once more with another one.
    async fn send(
        &self,
        method: Method,
        body: Bytes,
        stated: &HeaderMap,
        last_event: Option<&HeaderValue>,
    ) -> Result<Response<Incoming>, String> {
        let mut token = self.tokens.get(None).await?;
        let (mut is_renewed, mut is_stepped_up) = (false, false);
        loop {
            let mut headers = self.headers(&token).await;
            if method == Method::GET {
                headers.remove(header::CONTENT_TYPE);
                headers.insert(header::ACCEPT, HeaderValue::from_static(EVENT_STREAM));
            }
            for (name, value) in stated {
                headers.insert(name, value.clone());
            }
            if let Some(last_event) = last_event {
                headers.insert("last-event-id", last_event.clone());
            }
            let answer = self.client.send(method.clone(), &self.resource, headers, body.clone(), None).await?;
            match answer.status() {
                StatusCode::UNAUTHORIZED if !is_renewed => {
                    is_renewed = true;
                    token = self.tokens.get(Some(&token)).await?;
                }
                StatusCode::UNAUTHORIZED => {
                    return Err(
                        "The MCP server refuses the tokens of this client. Is the credential still enabled?".to_owned()
                    );
                }
                StatusCode::FORBIDDEN if !is_stepped_up => {
                    let challenge = challenge_of(answer.headers()).unwrap_or_default();
                    let Some(scope) = parameter(&challenge, "scope") else { return Err(forbidden("")) };
                    is_stepped_up = true;
                    token = self.tokens.step_up(&scope, &token).await.map_err(|_| forbidden(&scope))?;
                }
                StatusCode::FORBIDDEN => {
                    let challenge = challenge_of(answer.headers()).unwrap_or_default();
                    return Err(forbidden(&parameter(&challenge, "scope").unwrap_or_default()));
                }
                _ => return Ok(answer),
            }
        }
    }

    /// Begins another session in place of one that the server has forgotten. Returns whether there is one now.
    async fn begin_again(&self, number: u64) -> Result<bool, String> {
        let hello = {
            let mut session = self.session.lock().await;
            if session.number != number {
                // Another message has done it.
                return Ok(true);
            }
            let Some(hello) = session.hello.clone().filter(|_| session.id.is_some()) else { return Ok(false) };
            session.number += 1;
            session.id = None;
            hello
        };
        let answer = self.post(hello, &HeaderMap::new()).await?;
        if !answer.status().is_success() {
            return Ok(false);
        }
        self.session.lock().await.id = answer.headers().get(SESSION).cloned();
        drop(answer);
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string();
        self.post(Bytes::from(initialized), &HeaderMap::new()).await.map(|answer| answer.status().is_success())
    }

    /// Writes the messages of an answer. `id` is the identifier of the request, whose answer must come.
    async fn deliver(&self, id: &Value, answer: Response<Incoming>, is_hello: bool) -> Result<(), String> {
        let status = answer.status();
        let media_type = media_type::of_body(answer.headers());
        if media_type == EVENT_STREAM && status.is_success() {
            return self.deliver_stream(id, answer.into_body(), is_hello).await;
        }
        let body = whole(answer.into_body()).await.map_err(|problem| format!("{}: {problem}", self.resource))?;
        let message: Option<Value> = serde_json::from_slice(&body).ok().filter(|_| media_type == JSON);
        match message {
            Some(message) if status.is_success() || message["jsonrpc"] == "2.0" => {
                self.write(&message, is_hello).await;
                Ok(())
            }
            _ if status.is_success() && id.is_null() => Ok(()),
            message => {
                let words = message.as_ref().and_then(|message| message["error_description"].as_str());
                let words = words.map(|words| format!(": {words}")).unwrap_or_default();
                Err(format!("The MCP server answered {status}{words}"))
            }
        }
    }

    /// Writes the messages of a stream until the answer has come. A stream that breaks before is opened again, if its
    /// events have identifiers.
    async fn deliver_stream(&self, id: &Value, body: Incoming, is_hello: bool) -> Result<(), String> {
        let mut stream = EventReader::new(body);
        for attempt in 0..=MOST_RESUMPTIONS {
            loop {
                match stream.next().await {
                    Some(message) => {
                        let is_answer = !id.is_null() && &message["id"] == id && message["method"].is_null();
                        self.write(&message, is_hello && is_answer).await;
                        if is_answer {
                            return Ok(());
                        }
                    }
                    None if id.is_null() => return Ok(()),
                    None => break,
                }
            }
            let Some(last) = stream.last_event.clone() else { break };
            tokio::time::sleep(stream.pause.unwrap_or(PAUSE)).await;
            let answer = self.send(Method::GET, Bytes::new(), &HeaderMap::new(), Some(&last)).await?;
            if !answer.status().is_success() || attempt == MOST_RESUMPTIONS {
                break;
            }
            stream = EventReader { last_event: Some(last), ..EventReader::new(answer.into_body()) };
        }
        Err("The MCP server ended the stream before it answered.".to_owned())
    }

    /// Writes the server's own messages, as long as the bridge runs.
    async fn listen(&self) {
        let (mut last_event, mut pause) = (None, PAUSE);
        loop {
            match self.send(Method::GET, Bytes::new(), &HeaderMap::new(), last_event.as_ref()).await {
                Ok(answer) if answer.status().is_success() && media_type::of_body(answer.headers()) == EVENT_STREAM => {
                    pause = PAUSE;
                    let mut stream = EventReader::new(answer.into_body());
                    while let Some(message) = stream.next().await {
                        self.write(&message, false).await;
                    }
                    last_event = stream.last_event.or(last_event);
                }
                // The server has no such stream.
                Ok(answer) if answer.status() == StatusCode::METHOD_NOT_ALLOWED => return,
                Ok(_) | Err(_) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Ends the session.
    async fn end(&self) {
        if self.session.lock().await.id.is_some() {
            // The server forgets the session sooner or later anyway.
            let nothing = HeaderMap::new();
            let end = self.send(Method::DELETE, Bytes::new(), &nothing, None);
            let _ = tokio::time::timeout(PAUSE * 2, end).await;
        }
    }

    /// Writes a message. A greeting says which version of the protocol both sides speak.
    async fn write(&self, message: &Value, is_greeting: bool) {
        if is_greeting && let Some(version) = message["result"]["protocolVersion"].as_str() {
            self.session.lock().await.version = HeaderValue::from_str(version).ok();
        }
        let mut line = message.to_string();
        line.push('\n');
        let mut output = self.output.lock().await;
        if output.write_all(line.as_bytes()).await.is_err() || output.flush().await.is_err() {
            eprintln!("countersign: standard output is closed");
        }
    }

    async fn complain(&self, id: &Value, code: i64, words: &str) {
        let error = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": words } });
        self.write(&error, false).await;
    }
}

fn forbidden(scope: &str) -> String {
    match scope {
        "" => "The MCP server forbids this.".to_owned(),
        scope => format!("The MCP server forbids this. It demands the scopes {scope}, which the client does not have."),
    }
}

/// Reads the messages of an event stream.
struct EventReader {
    body: Incoming,
    splitter: Splitter,
    ready: std::collections::VecDeque<Value>,
    /// The identifier of the last event.
    last_event: Option<HeaderValue>,
    /// How long the server wants a client to wait before it opens the stream again.
    pause: Option<Duration>,
}

impl EventReader {
    fn new(body: Incoming) -> Self {
        Self { body, splitter: Splitter::default(), ready: Default::default(), last_event: None, pause: None }
    }

    /// The next message; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            let Ok(frame) = self.body.frame().await? else { return None };
            let Ok(piece) = frame.into_data() else { continue };
            for event in self.splitter.read(&piece, LONGEST_EVENT).ok()? {
                if let Some(id) = event.field("id") {
                    self.last_event = HeaderValue::from_str(id).ok();
                }
                if let Some(pause) = event.field("retry").and_then(|pause| pause.parse().ok()) {
                    self.pause = Some(Duration::from_millis(pause).min(LONGEST_PAUSE));
                }
                self.ready.extend(event.data.and_then(|data| serde_json::from_str(&data).ok()));
            }
        }
    }
}
