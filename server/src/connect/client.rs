//! Requests over HTTP, to the MCP server and to its authorization server.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use serde_json::Value;
use url::Url;

use crate::connect::problem::check_scheme;
use crate::egress::upstream::Upstreams;

/// Deadline for documents and tokens.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);
/// Deadline for the beginning of an answer to a message: tools may take long.
const LONGEST_CALL: Duration = Duration::from_secs(3600);
/// Maximum size of a document, in bytes.
const LONGEST_DOCUMENT: usize = 1024 * 1024;
/// Maximum size of an answer that is one document, in bytes.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("countersign-connect/", env!("CARGO_PKG_VERSION")));

/// Sends requests. Cheap to clone.
#[derive(Clone)]
pub(super) struct Client(Upstreams);

/// An answer that was read.
pub(super) struct Document {
    pub(super) status: StatusCode,
    /// The JSON of the body; null when it is none.
    pub(super) json: Value,
}

impl Client {
    pub(super) fn new() -> Self {
        Self(Upstreams::to_any_address())
    }

    /// Sends a request, and returns the answer before its body is read. Redirects are not followed: a token must not go
    /// where somebody else leads it.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &Url,
        mut headers: HeaderMap,
        body: Bytes,
        deadline: Option<Duration>,
    ) -> Result<Response<Incoming>, String> {
        check_scheme(url)?;
        headers.insert(header::USER_AGENT, USER_AGENT);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = url.as_str().parse().map_err(|_| format!("{url} is not a URL"))?;
        *request.headers_mut() = headers;
        let sent = self.0.send(request, deadline.unwrap_or(LONGEST_CALL)).await;
        sent.map_err(|error| format!("{}: {error}", url.origin().ascii_serialization()))
    }

    /// Sends a request and reads the answer.
    pub(super) async fn document(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Document, String> {
        let answer = self.send(method, url, headers, body, Some(DEADLINE)).await?;
        let (head, body) = answer.into_parts();
        let read = Limited::new(body, LONGEST_DOCUMENT).collect();
        let body = match tokio::time::timeout(DEADLINE, read).await {
            Ok(Ok(body)) => body.to_bytes(),
            _ => return Err(format!("{url}: its answer is too long, or broke off")),
        };
        let json = serde_json::from_slice(&body).unwrap_or_default();
        Ok(Document { status: head.status, json })
    }
}

/// Reads an answer that is one document.
pub(super) async fn whole(body: Incoming) -> Result<Bytes, String> {
    let read = Limited::new(body, LONGEST_ANSWER).collect().await;
    read.map(|body| body.to_bytes()).map_err(|_| "its answer is too long, or broke off".to_owned())
}
