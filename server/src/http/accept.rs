//! The accept loop: limited connections, limited heads, and deadlines against clients that are slow on purpose.
//!
//! `axum::serve` has neither a limit of connections nor a deadline for request heads. The proxy in front handles
//! HTTP/2: its resets and continuations are attack classes of their own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use ipnet::IpNet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

use super::connections::Shares;
use super::pace::{Paced, Phase};

/// Connections that are served at the same time. Further connections get an answer that says to come back later.
const MOST_CONNECTIONS: usize = 16_384;
/// How many of them one source may have.
const MOST_OF_A_SOURCE: usize = MOST_CONNECTIONS / 8;
/// Connections that are getting that answer at the same time. Further connections are closed without an answer.
const MOST_REFUSALS: usize = 512;
/// Deadline for a client to receive that answer.
const REFUSAL_DEADLINE: Duration = Duration::from_secs(1);
/// The answer. It does not depend on the request.
const REFUSAL: &str = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\ncache-control: no-store\r\n\
    content-type: application/json\r\ncontent-length: 103\r\nconnection: close\r\n\r\n\
    {\"error\":\"temporarily_unavailable\",\"error_description\":\"Too many connections at once. Come back soon.\"}";

/// Deadline for a new connection to begin its first request.
const FIRST_DEADLINE: Duration = Duration::from_secs(5);
/// Deadline for a request's head, from its first byte.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// Deadline for a client that reads nothing. After it the connection is closed.
const WRITE_DEADLINE: Duration = Duration::from_secs(15);
/// Maximum number of header fields in a request.
pub(super) const MOST_HEADERS: usize = 64;
/// Maximum number of bytes in a request's head.
pub(super) const LONGEST_HEAD: usize = 32 * 1024;
/// Deadline for running requests after the signal to stop.
const DRAIN_DEADLINE: Duration = Duration::from_secs(15);

/// The peer address of the connection, as an extension of its requests.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// What answers requests: a router, or a layer in front of one. It is one type, so that the code of a connection is
/// compiled once.
#[derive(Clone)]
pub struct Answers(pub Arc<dyn Fn(Request<Body>) -> Answered + Send + Sync>);

/// An answer that is being made.
pub type Answered = BoxFuture<'static, Result<Response, Infallible>>;

impl From<Router> for Answers {
    fn from(router: Router) -> Self {
        Self(Arc::new(move |request| Box::pin(router.clone().oneshot(request))))
    }
}

/// Limits of connections.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How many are served at the same time.
    pub connections: usize,
    /// How many of them one source may have.
    pub per_source: usize,
    /// Sources that may have more: proxies that stand for many clients.
    pub proxies: Arc<[IpNet]>,
    /// How long a connection may be idle between two requests. Load balancers keep connections open. If the server
    /// closes such a connection first, the request that the balancer sends at this moment is lost.
    pub keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: MOST_CONNECTIONS,
            per_source: MOST_OF_A_SOURCE,
            proxies: Arc::new([]),
            keep_alive: Duration::from_secs(75),
        }
    }
}

/// Serves with `answers` until `stop` resolves. Then running requests may finish.
pub async fn serve(limits: Limits, listener: TcpListener, answers: impl Into<Answers>, stop: impl Future<Output = ()>) {
    let answers = answers.into();
    let connections = Arc::new(Semaphore::new(limits.connections));
    let shares = Shares::new(limits.per_source, limits.proxies);
    let refusals = Arc::new(Semaphore::new(MOST_REFUSALS));
    let graceful = GracefulShutdown::new();
    let (going, stopping) = watch::channel(());
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // The usual cause is that file descriptors ran out. This pause gives open connections time to end.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let places = Arc::clone(&connections).try_acquire_owned().ok();
        let Some(place) = places.and_then(|place| Some((place, shares.take(peer.ip())?))) else {
            // In the system's queue the connection would wait until earlier clients close their connections.
            if let Ok(place) = Arc::clone(&refusals).try_acquire_owned() {
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(REFUSAL_DEADLINE, refuse(stream)).await;
                    drop(place);
                });
            }
            continue;
        };
        let (answers, watcher, stopping) = (answers.clone(), graceful.watcher(), stopping.clone());
        tokio::spawn(async move {
            // Until the first request arrives, a connection costs only a socket and a small task.
            if begins(&stream, stopping).await {
                answer(stream, peer, limits.keep_alive, answers, watcher).await;
            }
            drop(place);
        });
    }
    drop((listener, going));
    if tokio::time::timeout(DRAIN_DEADLINE, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were still under way and were cut off");
    }
}

/// Waits for a new connection's first request. Returns false when no request arrives in time or the server stops.
async fn begins(stream: &TcpStream, mut stopping: watch::Receiver<()>) -> bool {
    let mut first = [0];
    tokio::select! {
        // A request that has arrived is answered, even when the server stops at the same moment.
        biased;
        // Not `readable`, which may report data that is not there.
        peeked = tokio::time::timeout(FIRST_DEADLINE, stream.peek(&mut first)) => matches!(peeked, Ok(Ok(1))),
        _ = stopping.changed() => false,
    }
}

/// Answers a connection's requests until it ends. The future is boxed: otherwise each task would hold its ten kilobytes
/// from its start.
fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    keep_alive: Duration,
    answers: Answers,
    watcher: Watcher,
) -> BoxFuture<'static, ()> {
    let connection = watcher.watch(connection(stream, peer, keep_alive, answers));
    Box::pin(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    })
}

/// Tells a client to come back later, and reads what the client sends until the client has the answer. If the server
/// closed the connection with unread bytes, the connection would be reset and the answer lost.
async fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(REFUSAL.as_bytes()).await?;
    stream.shutdown().await?;
    let mut sink = [0; 1024];
    while stream.read(&mut sink).await? > 0 {}
    Ok(())
}

/// A connection that is closed when the peer reads nothing.
type Stream = TokioIo<Paced<TimeoutStream<TcpStream>>>;

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    keep_alive: Duration,
    answers: Answers,
) -> http1::Connection<
    Stream,
    impl hyper::service::HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send>,
> {
    // Answers are small and written at once. To wait until a packet is full would only add delay.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_DEADLINE));
    let phase = Phase::new();
    let stream = Paced::new(stream, phase.clone(), HEAD_DEADLINE);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        phase.begin_answer();
        request.extensions_mut().insert(Peer(peer));
        let phase = phase.clone();
        // Not an async block: the answer is a large future, which an async block would hold twice and move once more.
        (answers.0)(request.map(Body::new)).inspect(move |_| phase.end_answer())
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(keep_alive)
        .max_headers(MOST_HEADERS)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
}
