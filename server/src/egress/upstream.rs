//! Connections to the MCP servers behind the gateway. They stay open, and each carries many requests one after another.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use url::Url;

use crate::egress::connector::{Connector, Stream};
use crate::egress::policy::{CauseReader, Exceptions};

/// Deadline for name lookup, connection and TLS.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// How long an idle connection is kept. Many servers close theirs after five seconds, and a request that meets this
/// moment is lost.
const KEEP_IDLE: Duration = Duration::from_secs(4);
/// The most idle connections to one server.
const MOST_IDLE: usize = 256;
/// Maximum size of the head of an answer, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;
/// Maximum number of header fields in an answer.
const MOST_HEADERS: usize = 100;

/// Why there is no answer. The text is for the log.
#[derive(Debug)]
pub(crate) enum UpstreamError {
    /// No connection was made.
    Unreachable(String),
    /// The connection was made, and no answer came in time.
    Late,
    /// What came is not an answer of HTTP, or the connection broke off.
    Broken(String),
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(cause) => write!(formatter, "no connection: {cause}"),
            Self::Late => formatter.write_str("no answer in time"),
            Self::Broken(cause) => write!(formatter, "no answer: {cause}"),
        }
    }
}

/// Sends requests to the servers behind the gateway. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Upstreams {
    client: legacy::Client<Connect, Full<Bytes>>,
}

impl Upstreams {
    /// Allows plain http and private addresses only for these hosts.
    pub(crate) fn new(private: Vec<String>) -> Self {
        Self::with(Connect { shared: Arc::new((exceptions(private), Connector::default())), is_everywhere: false })
    }

    fn with(connect: Connect) -> Self {
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_IDLE)
            .pool_max_idle_per_host(MOST_IDLE)
            .http1_max_buf_size(LONGEST_HEAD)
            .http1_max_headers(MOST_HEADERS)
            .build(connect);
        Self { client }
    }

    /// The same for a command that a person runs: it reaches each address that the machine reaches.
    pub(crate) fn to_any_address() -> Self {
        Self::with(Connect { shared: Arc::new((exceptions(Vec::new()), Connector::default())), is_everywhere: true })
    }

    /// Sends a request and returns the answer, whose body was not read yet. The body ends the request when it is
    /// dropped.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        first_byte: Duration,
    ) -> Result<Response<Incoming>, UpstreamError> {
        match tokio::time::timeout(first_byte, self.client.request(request)).await {
            Err(_) => Err(UpstreamError::Late),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() => Err(UpstreamError::Unreachable(cause_of(&error))),
            Ok(Err(error)) => Err(UpstreamError::Broken(cause_of(&error))),
        }
    }
}

/// The innermost cause of an error: the outer ones say only that there is one.
fn cause_of(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Makes connections, to checked addresses only.
#[derive(Clone)]
struct Connect {
    shared: Arc<(Exceptions, Connector)>,
    /// Whether private addresses may be reached too.
    is_everywhere: bool,
}

fn exceptions(private: Vec<String>) -> Exceptions {
    Exceptions { hosts: private, setting: "private_upstreams", reader: CauseReader::Administrators }
}

impl tower::Service<Uri> for Connect {
    type Response = TokioIo<UpstreamStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<UpstreamStream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { shared, is_everywhere } = self.clone();
        Box::pin(async move {
            let (exceptions, connector) = &*shared;
            let url = Url::parse(&uri.to_string()).map_err(|_| io::Error::other("not a URL"))?;
            let mut permission = exceptions.permission(&url);
            permission.is_private |= is_everywhere;
            let connected = connector.connect(&permission, &url);
            match tokio::time::timeout(CONNECT_DEADLINE, connected).await {
                Ok(Ok(stream)) => Ok(TokioIo::new(UpstreamStream(stream))),
                Ok(Err(cause)) => Err(io::Error::other(cause)),
                Err(_) => Err(io::Error::other("the connection took too long")),
            }
        })
    }
}

/// A connection to a server behind the gateway.
struct UpstreamStream(Pin<Box<dyn Stream>>);

impl Connection for UpstreamStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for UpstreamStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_read(context, buffer)
    }
}

impl AsyncWrite for UpstreamStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}
