//! Calls of MCP servers over streamable HTTP, for people who try a credential, and checks of how a server protects
//! itself.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use domain::model::ports::{McpAnswer, McpConnection, McpRequest, Probe, ProbeAnswer, ProbeMethod, ProbeRequest};
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use hyper::body::Bytes;
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use crate::egress::connector::Connector;
use crate::egress::event_stream::EventStream;
use crate::egress::policy::{CauseReader, Exceptions};
use crate::http::{media_type, text};

/// Deadline for one message: name lookup, connection and answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// Maximum size of an answer, in bytes. A list of tools describes each parameter of each tool.
const LONGEST_ANSWER: usize = 512 * 1024;
/// Maximum size of the metadata of a server, in bytes.
const LONGEST_METADATA: usize = 64 * 1024;
/// The first message of an MCP client.
const INITIALIZE: &str = concat!(
    r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"#,
    r#""clientInfo":{"name":"Countersign check","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}}}"#
);
/// The type of an event stream.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";
/// The header of the session.
pub(crate) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// Calls MCP servers that administrators added.
pub struct McpServers {
    exceptions: Exceptions,
    connector: Connector,
}

impl McpServers {
    /// Allows plain http and private addresses only for these hosts.
    pub fn new(private: Vec<String>) -> Self {
        // Checks of a server are for administrators, and a test of a credential withholds the cause from other people.
        let reader = CauseReader::Administrators;
        let exceptions = Exceptions { hosts: private, setting: "private_upstreams", reader };
        Self { exceptions, connector: Connector::default() }
    }

    async fn send(&self, request: &McpRequest) -> Result<McpAnswer, String> {
        let url = Url::parse(&request.url).map_err(|_| "not a URL")?;
        let body = Bytes::from(request.body.clone());
        let permission = self.exceptions.permission(&url);
        let mut answer = self.connector.ask(permission, &url, Method::POST, headers(request)?, body).await?;
        let message = match request.id {
            Some(id) => message(&answer.headers, &mut answer.body, id).await?,
            None => None,
        };
        let value = |name: HeaderName| text(&answer.headers, name).map(str::to_owned);
        Ok(McpAnswer {
            status: answer.status.as_u16(),
            challenge: value(header::WWW_AUTHENTICATE),
            session: value(SESSION),
            message,
        })
    }
}

impl McpConnection for McpServers {
    fn call<'call>(&'call self, request: &'call McpRequest) -> BoxFuture<'call, Result<McpAnswer, String>> {
        let late = || Err("no answer in time".to_owned());
        Box::pin(async move { tokio::time::timeout(DEADLINE, self.send(request)).await.unwrap_or_else(|_| late()) })
    }
}

impl McpServers {
    /// Looks at a server.
    async fn look(&self, request: &ProbeRequest) -> Result<ProbeAnswer, String> {
        let url = Url::parse(&request.url).map_err(|_| "not a URL")?;
        if url.scheme() != "https" && !self.exceptions.cover(&url) {
            return Err(format!("plain http is for hosts that the setting {} lists", self.exceptions.setting));
        }
        let mut headers = HeaderMap::from_iter([(header::USER_AGENT, USER_AGENT)]);
        if let Some(token) = &request.token {
            let bearer = Zeroizing::new(format!("Bearer {}", token.as_str()));
            let mut bearer = HeaderValue::from_str(&bearer).map_err(|_| "not a header")?;
            bearer.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, bearer);
        }
        let (method, body) = match request.method {
            ProbeMethod::Get => {
                headers.insert(header::ACCEPT, HeaderValue::from_static(media_type::JSON));
                (Method::GET, Bytes::new())
            }
            ProbeMethod::Initialize => {
                headers.insert(header::ACCEPT, JSON_OR_EVENTS);
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type::JSON));
                (Method::POST, Bytes::from_static(INITIALIZE.as_bytes()))
            }
        };
        let mut answer = self.connector.ask(self.exceptions.permission(&url), &url, method, headers, body).await?;
        let challenges = answer.headers.get_all(header::WWW_AUTHENTICATE).iter();
        let challenges: Vec<&str> = challenges.filter_map(|value| value.to_str().ok()).collect();
        let challenge = (!challenges.is_empty()).then(|| challenges.join(", "));
        let body = match request.method {
            ProbeMethod::Get => {
                let body = Limited::new(&mut answer.body, LONGEST_METADATA).collect().await;
                let problem = format!("the answer is longer than {} KiB or broken", LONGEST_METADATA / 1024);
                body.map_err(|_| problem)?.to_bytes().to_vec()
            }
            ProbeMethod::Initialize => Vec::new(),
        };
        Ok(ProbeAnswer { status: answer.status.as_u16(), challenge, body })
    }
}

impl Probe for McpServers {
    fn probe<'call>(&'call self, request: &'call ProbeRequest) -> BoxFuture<'call, Result<ProbeAnswer, String>> {
        let late = || Err("no answer in time".to_owned());
        Box::pin(async move { tokio::time::timeout(DEADLINE, self.look(request)).await.unwrap_or_else(|_| late()) })
    }
}

/// The formats in which an MCP server may answer.
const JSON_OR_EVENTS: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("Countersign/", env!("CARGO_PKG_VERSION")));

/// The headers of a message.
pub(crate) fn headers(request: &McpRequest) -> Result<HeaderMap, String> {
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| "not a header".to_owned());
    let mut headers = HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type::JSON)),
        (header::ACCEPT, JSON_OR_EVENTS),
        (header::USER_AGENT, USER_AGENT),
        (HeaderName::from_static("mcp-method"), HeaderValue::from_static(request.method)),
    ]);
    if let Some((name, secret)) = &request.header {
        let name = HeaderName::try_from(name).map_err(|_| "not a header".to_owned())?;
        let mut secret = value(secret)?;
        secret.set_sensitive(true);
        headers.insert(name, secret);
    }
    if let Some(version) = &request.version {
        headers.insert("mcp-protocol-version", value(version)?);
    }
    if let Some(session) = &request.session {
        headers.insert(SESSION, value(session)?);
    }
    Ok(headers)
}

/// The message with this identifier. A server may leave an event stream open behind it.
pub(crate) async fn message<B>(headers: &HeaderMap, mut body: B, id: i64) -> Result<Option<Value>, String>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let is_stream = media_type::of_body(headers) == EVENT_STREAM;
    let (mut length, mut document, mut events) = (0, Vec::new(), EventStream::default());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("the answer broke off: {error}"))?;
        let piece = frame.data_ref().map_or(&[][..], |data| data);
        length += piece.len();
        if length > LONGEST_ANSWER {
            return Err(format!("the answer is longer than {} KiB", LONGEST_ANSWER / 1024));
        }
        if !is_stream {
            document.extend_from_slice(piece);
        } else if let Some(found) = events.read(piece, id) {
            return Ok(Some(found));
        }
    }
    Ok(serde_json::from_slice(&document).ok())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn request(url: &str) -> McpRequest {
        McpRequest {
            url: url.to_owned(),
            header: Some(("authorization".to_owned(), "Bearer token".to_owned().into())),
            method: "tools/list",
            version: Some("2025-11-25".to_owned()),
            session: Some("s1".to_owned()),
            id: Some(7),
            body: "{}".to_owned(),
        }
    }

    #[tokio::test]
    async fn only_public_and_listed_servers_are_called() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        for url in [format!("http://127.0.0.1:{port}/mcp"), format!("https://localhost:{port}/mcp")] {
            let problem = McpServers::new(Vec::new()).call(&request(&url)).await.err().expect("refused");
            assert!(problem.contains("only https") || problem.contains("private_upstreams"), "{problem}");
        }
        let asked = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(asked.is_err(), "no connection was made");
    }

    #[tokio::test]
    async fn an_answer_is_found_in_an_event_stream_that_stays_open() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut head = vec![0; 2048];
            let length = stream.read(&mut head).await.expect("a request");
            let events = "data: {\"id\":1}\n\ndata: {\"id\":7,\ndata: \"result\":{}}\n\ndata: {\"id\":7";
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nmcp-session-id: s2\r\ncontent-length: 9999\r\n\r\n{events}"
            );
            stream.write_all(answer.as_bytes()).await.expect("sent");
            (String::from_utf8_lossy(&head[..length]).into_owned(), stream)
        });
        let answer = McpServers::new(vec![host.clone()]).call(&request(&format!("http://{host}/mcp"))).await;
        let answer = answer.expect("an answer");
        assert_eq!((answer.status, answer.session.as_deref()), (200, Some("s2")));
        assert_eq!(answer.message, Some(serde_json::json!({ "id": 7, "result": {} })));
        let (head, _stream) = server.await.expect("one request");
        for line in ["authorization: Bearer token", "mcp-session-id: s1", "mcp-protocol-version: 2025-11-25"] {
            assert!(head.contains(line), "{line}: {head}");
        }
    }
}
