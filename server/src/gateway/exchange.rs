//! One request with a valid token, and its answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::model::server::gateway::IDENTITY_HEADER;
use domain::model::server::gateway::call::CallOutcome;
use domain::model::server::gateway::rules::Item;
use domain::model::server::scope::Scopes;
use domain::server::gateway::identity;
use domain::token::verify::{Caller, is_live};
use http_body::Body as _;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::Value;

use crate::egress::mcp::{EVENT_STREAM, SESSION};
use crate::gateway::answers::{problem, rpc_error, rpc_problem, unanswered};
use crate::gateway::filter::{Filter, Unreadable};
use crate::gateway::message::{Message, MessageError, Messages};
use crate::gateway::record::Record;
use crate::gateway::relay::{Mode, Relay, over};
use crate::gateway::{find, headers, news, resource, session};
use crate::http::error::{self, unavailable};
use crate::http::{body, media_type, text};
use crate::state::AppState;

/// A body that took longer than this to arrive: the token and the rules are looked at once more.
const SLOW_BODY: Duration = Duration::from_millis(50);
/// The first version of the protocol over streamable HTTP, and the only one with batches.
const WITH_BATCHES: &str = "2025-03-26";

/// One request with a valid token.
pub(super) struct Exchange<'of> {
    pub(super) state: &'of AppState,
    pub(super) filter: Filter,
    pub(super) caller: Caller,
    pub(super) address: Option<IpAddr>,
    pub(super) started: Instant,
}

impl Exchange<'_> {
    pub(super) async fn post(mut self, head: Parts, body: Body) -> Result<Response, Response> {
        let state = self.state;
        if media_type::of_body(&head.headers) != media_type::JSON {
            return Err(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body must be application/json."));
        }
        let body = body::read(body, state.gateway.message_limit).await.map_err(|refused| match refused {
            body::BodyError::TooLarge => {
                let words = format!("A message has at most {} bytes here.", state.gateway.message_limit);
                problem(StatusCode::PAYLOAD_TOO_LARGE, &words)
            }
            refused => refused.into(),
        })?;
        if self.started.elapsed() > SLOW_BODY {
            self.require_live().await?;
            self.filter.snapshot = find(state, &self.filter.snapshot.gateway.slug).await?;
        }
        let messages = Messages::parse(&body).map_err(|refused| match refused {
            MessageError::NotMessage(words) => rpc_problem(-32700, words),
            MessageError::NoName => rpc_problem(-32602, "The parameters do not say what the message is for."),
        })?;
        if let Some(refusal) = contradiction(&head.headers, &messages) {
            return Err(refusal);
        }
        if let Some(refusal) = self.forbidden(&messages) {
            return Err(refusal);
        }
        let at = state.context.now();
        let snapshot = &self.filter.snapshot;
        let mut record =
            Record::of(state, snapshot, self.caller.key(), self.address, &messages.list, (at, self.started));
        if let Some(refusal) = self.blocked(&messages, &mut record) {
            return Err(refusal);
        }
        if record.calls() > 0 {
            let limits = &snapshot.gateway.limits;
            let counters = &state.gateway.counters;
            let (begun, reached) = counters.begin(&snapshot.server.id, &self.caller.key(), limits, record.calls(), at);
            match (begun, reached) {
                (Some(begun), reached) => {
                    if reached.is_some() {
                        state.context.metrics.over_limit(record.calls());
                    }
                    record.hold(begun);
                }
                (None, reached) => {
                    record.end(CallOutcome::Limited);
                    return Err(error::too_many(reached.map_or(Duration::from_secs(1), |reached| reached.wait)));
                }
            }
        }
        for message in &messages.list {
            if let Ok(Some(Item::Tool(tool))) = message.item() {
                news::note_destructive(state, &self.filter, &self.caller, tool, self.address);
            }
        }
        let has_list = messages.list.iter().any(Message::is_list);
        self.pass(&head, body, record, has_list).await
    }

    pub(super) async fn bare(self, head: Parts) -> Result<Response, Response> {
        let at = self.state.context.now();
        let record =
            Record::of(self.state, &self.filter.snapshot, self.caller.key(), self.address, &[], (at, self.started));
        self.pass(&head, Bytes::new(), record, false).await
    }

    /// Whether the token is still valid. A request may take long before it reaches the server.
    async fn require_live(&self) -> Result<(), Response> {
        match is_live(&self.state.context, &self.caller).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(resource(self.state, &self.filter.snapshot).challenge(true)),
            Err(fault) => Err(unavailable!(%fault, "a token could not be checked")),
        }
    }

    /// The refusal of messages that the token has no scope for: of all of them or of none.
    fn forbidden(&self, messages: &Messages) -> Option<Response> {
        let snapshot = &self.filter.snapshot;
        let items: Vec<Item<'_>> = messages.list.iter().flat_map(Message::items).collect();
        let forbidden: Vec<Item<'_>> = items.into_iter().filter(|item| !self.filter.allows(*item)).collect();
        if forbidden.is_empty() {
            return None;
        }
        let at = self.state.context.now();
        let mut record =
            Record::of(self.state, snapshot, self.caller.key(), self.address, &messages.list, (at, self.started));
        record.end(CallOutcome::Forbidden);
        let mut needed: Scopes = self.filter.scopes.clone();
        for item in forbidden {
            needed = snapshot.gateway.rules.needed(&snapshot.server.scopes, &needed, item).unwrap_or(needed);
        }
        Some(resource(self.state, snapshot).insufficient_scope(&needed))
    }

    /// The refusal of calls of tools whose definition must be accepted first.
    fn blocked(&self, messages: &Messages, record: &mut Record) -> Option<Response> {
        let blocked = messages.list.iter().find(
            |message| matches!(message.item(), Ok(Some(Item::Tool(name))) if self.filter.snapshot.is_blocked(name)),
        )?;
        record.end(CallOutcome::Blocked);
        let words = "The definition of this tool changed. It is blocked until an administrator accepts the change.";
        let answer = |id: &Value| rpc_error(id, -32_000, words);
        let id = blocked.id.clone().unwrap_or_default();
        let body = if messages.is_batch {
            let ids = messages.list.iter().filter_map(|message| message.id.as_ref());
            Value::Array(ids.map(answer).collect())
        } else {
            answer(&id)
        };
        Some(Json(body).into_response())
    }

    /// Sends the request on, and the answer back.
    async fn pass(self, head: &Parts, body: Bytes, mut record: Record, has_list: bool) -> Result<Response, Response> {
        let state = self.state;
        let snapshot = Arc::clone(&self.filter.snapshot);
        let request = self.request(head, body).await?;
        let sent = state.gateway.upstreams.send(request, state.gateway.first_byte);
        let answered = tokio::select! {
            answered = sent => answered,
            () = over(state.clone(), self.caller.clone()) => {
                record.end(CallOutcome::Cut);
                return Err(resource(state, &snapshot).challenge(true));
            }
        };
        let answer = answered.map_err(|refused| {
            record.end(CallOutcome::Unreachable);
            unanswered(&snapshot, &refused)
        })?;
        news::note_status(state, &self.filter, answer.status().as_u16());
        let (mut answer, upstream) = self
            .head(&head.method, &answer, &mut record)
            .map(|head| (head, answer.into_body()))
            .map_err(|refusal| *refusal)?;
        let is_stream = media_type::of_body(&answer.headers) == EVENT_STREAM;
        let is_json = media_type::of_body(&answer.headers) == media_type::JSON;
        if !is_stream && !is_json {
            // There is no body that a client would read.
            record.end(if answer.status.is_success() { CallOutcome::Ok } else { CallOutcome::Error });
            let body = if answer.status.is_success() { Body::empty() } else { error::plain(answer.status).into_body() };
            if !answer.status.is_success() {
                answer.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type::JSON));
            }
            return Ok(answer.with(body));
        }
        if !answer.status.is_success() {
            record.end(CallOutcome::Error);
        }
        // A list can come in any answer: the client finds it by its identifier.
        let is_filtered = has_list || self.filter.is_needed();
        if is_json && is_filtered {
            let whole = self.whole(upstream, &mut record).await?;
            let filtered = self.filter.filtered(&whole).map_err(|Unreadable| {
                record.end(CallOutcome::Unreachable);
                tracing::warn!(server = %snapshot.server.id, "an answer of an MCP server cannot be read, so not be filtered");
                problem(
                    StatusCode::BAD_GATEWAY,
                    "The MCP server behind the gateway answered with something that is not JSON.",
                )
            })?;
            if let Ok(text) = std::str::from_utf8(&whole) {
                record.note(text);
            }
            record.end(CallOutcome::Ok);
            let Some((message, sent)) = filtered else { return Ok(answer.with(Body::from(whole))) };
            news::note(state, &self.filter, sent);
            return Ok(answer.with(Body::from(message)));
        }
        let mode = match (is_filtered, is_stream) {
            (true, true) => {
                Mode::Filtered(Default::default(), Box::new(self.filter.clone()), state.gateway.message_limit)
            }
            (false, true) => Mode::Stream(Some(Default::default())),
            (_, false) => Mode::Document(Vec::new()),
        };
        if is_stream {
            answer.headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        }
        let relay = Relay::new(upstream, mode, record, state.clone(), self.caller);
        Ok(answer.with(Body::new(relay)))
    }

    /// The request to the server.
    async fn request(&self, head: &Parts, body: Bytes) -> Result<Request<Full<Bytes>>, Response> {
        let (state, snapshot) = (self.state, &self.filter.snapshot);
        let mut passed = headers::to_server(&head.headers, head.method == Method::POST);
        if let Some(session) = self.session(&head.headers).map_err(NoSuchSession::answer)? {
            passed.insert(SESSION, session);
        }
        if let Some((name, value)) = &snapshot.header {
            let name = HeaderName::try_from(name);
            let value = HeaderValue::from_str(value);
            let (Ok(name), Ok(mut value)) = (name, value) else {
                return Err(unavailable!(server = %snapshot.server.id, "the stored header of a server is no header"));
            };
            value.set_sensitive(true);
            passed.insert(name, value);
        }
        if snapshot.gateway.sends_identity {
            let identity = identity::token(&state.context, snapshot, &self.caller).await;
            let identity = identity.map_err(|fault| unavailable!(%fault, "no identity could be signed"))?;
            let value = HeaderValue::from_str(&identity);
            let mut value = value.map_err(|_| error::plain(StatusCode::INTERNAL_SERVER_ERROR))?;
            value.set_sensitive(true);
            passed.insert(IDENTITY_HEADER, value);
        }
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = head.method.clone();
        *request.uri_mut() =
            snapshot.gateway.upstream.parse().map_err(
                |_| unavailable!(server = %snapshot.server.id, "the stored address of a server is no address"),
            )?;
        *request.headers_mut() = passed;
        Ok(request)
    }

    /// The session of the request, as the server knows it. The session of another client is not found.
    fn session(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, NoSuchSession> {
        let mut values = headers.get_all(SESSION).iter();
        let (first, second) = (values.next(), values.next());
        let Some(bound) = first else { return Ok(None) };
        let key = &self.state.context.keys.forms;
        let server = &self.filter.snapshot.server.id;
        let bound = bound.to_str().ok().filter(|_| second.is_none());
        let caller = self.caller.key();
        let session = bound.and_then(|bound| session::unbind(key, server, &caller, bound));
        match session.map(HeaderValue::from_str) {
            Some(Ok(session)) => Ok(Some(session)),
            _ => Err(NoSuchSession),
        }
    }

    /// The head of the answer to the client, or what stands in its place.
    fn head(
        &self,
        method: &Method,
        answer: &axum::http::Response<Incoming>,
        record: &mut Record,
    ) -> Result<Head, Box<Response>> {
        let (snapshot, status) = (&self.filter.snapshot, answer.status());
        let mut refuse = |detail: &str, words: &str| {
            record.end(CallOutcome::Unreachable);
            tracing::warn!(server = %snapshot.server.id, status = status.as_u16(), detail, "an MCP server behind the gateway");
            Box::new(problem(StatusCode::BAD_GATEWAY, words))
        };
        if matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED
        ) {
            let words =
                "The MCP server behind the gateway refuses the gateway. An administrator must check its header.";
            return Err(refuse("it refused our header", words));
        }
        if status.is_informational() || status.is_redirection() {
            return Err(refuse(
                "it redirects",
                "The MCP server behind the gateway redirects. The gateway does not follow.",
            ));
        }
        let encoding = text(answer.headers(), header::CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
            let words =
                "The MCP server behind the gateway compresses answers although the gateway does not accept that.";
            return Err(refuse("it compresses", words));
        }
        let media_type = media_type::of_body(answer.headers());
        // Nothing reads what a server says when a session ends.
        let is_empty = matches!(status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT)
            || answer.body().is_end_stream()
            || *method == Method::DELETE;
        let is_known = [media_type::JSON, EVENT_STREAM].contains(&media_type.as_str());
        if status.is_success() && !is_empty && !is_known {
            let words = "The MCP server behind the gateway answered with something that is no MCP message.";
            return Err(refuse(&format!("its answer is {media_type:?}"), words));
        }
        let mut headers = headers::to_client(answer.headers());
        if !is_known || is_empty {
            headers.remove(header::CONTENT_TYPE);
        }
        if let Some(session) = text(answer.headers(), SESSION) {
            let key = &self.state.context.keys.forms;
            let bound = session::bind(key, &snapshot.server.id, &self.caller.key(), session);
            let bound = bound.and_then(|bound| HeaderValue::from_str(&bound).ok()).ok_or_else(|| {
                refuse(
                    "its session has a wrong identifier",
                    "The MCP server behind the gateway began a session that is none.",
                )
            })?;
            headers.insert(SESSION, bound);
        }
        Ok(Head { status, headers })
    }

    /// A whole answer, which must be filtered.
    async fn whole(&self, body: Incoming, record: &mut Record) -> Result<Bytes, Response> {
        let limit = self.state.gateway.message_limit;
        let collected = tokio::time::timeout(self.state.gateway.first_byte, Limited::new(body, limit).collect());
        let collected = tokio::select! {
            collected = collected => collected,
            () = over(self.state.clone(), self.caller.clone()) => {
                record.end(CallOutcome::Cut);
                return Err(resource(self.state, &self.filter.snapshot).challenge(true));
            }
        };
        let (status, words) = match collected {
            Ok(Ok(whole)) => return Ok(whole.to_bytes()),
            Ok(Err(_)) => {
                (StatusCode::BAD_GATEWAY, "The answer of the MCP server behind the gateway is too long, or broke off.")
            }
            Err(_) => {
                (StatusCode::GATEWAY_TIMEOUT, "The MCP server behind the gateway did not finish its answer in time.")
            }
        };
        record.end(CallOutcome::Unreachable);
        tracing::warn!(server = %self.filter.snapshot.server.id, limit, "an MCP server sent no complete answer");
        Err(problem(status, words))
    }
}

/// The head of an answer.
struct Head {
    status: StatusCode,
    headers: HeaderMap,
}

impl Head {
    fn with(self, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// A session that does not exist, or that another client began.
struct NoSuchSession;

impl NoSuchSession {
    fn answer(self) -> Response {
        problem(StatusCode::NOT_FOUND, "There is no such session. Begin a new one.")
    }
}

/// The refusal of headers that say something else than the body. Proxies and rules of operators may believe them.
fn contradiction(headers: &HeaderMap, messages: &Messages) -> Option<Response> {
    let version = text(headers, "mcp-protocol-version");
    if messages.is_batch && version.is_some_and(|version| version != WITH_BATCHES) {
        return Some(rpc_problem(-32600, "This version of the protocol has no batches. Send one message."));
    }
    let message = messages.list.first().filter(|_| !messages.is_batch);
    for (header, stated) in [
        ("mcp-method", message.and_then(|message| message.method.as_deref())),
        ("mcp-name", message.and_then(Message::header_name)),
    ] {
        let values: Vec<&HeaderValue> = headers.get_all(header).iter().collect();
        let is_right = match values.as_slice() {
            [] => true,
            [value] => stated.is_some_and(|stated| headers::says(value, stated)),
            _ => false,
        };
        if !is_right {
            return Some(rpc_problem(-32600, "Mcp-Method or Mcp-Name says something else than the body."));
        }
    }
    None
}
