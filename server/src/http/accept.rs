//! The accept loop: bounded connections, bounded heads, and deadlines for clients that are slow on purpose.
//!
//! `axum::serve` has neither a limit of connections nor a time limit for request heads. HTTP/2 is left to the proxy in
//! front: its resets and continuations are a class of attacks of their own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tower::{Service, ServiceExt};

/// Connections served at a time; further ones are told to come back.
const MOST_CONNECTIONS: usize = 16_384;
/// Connections that are being told so; further ones are closed without a word.
const MOST_REFUSALS: usize = 512;
/// Time to hear it.
const REFUSAL_DEADLINE: Duration = Duration::from_secs(1);
/// What they are told, whatever they were about to ask.
const REFUSAL: &str = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\ncache-control: no-store\r\n\
    content-type: application/json\r\ncontent-length: 103\r\nconnection: close\r\n\r\n\
    {\"error\":\"temporarily_unavailable\",\"error_description\":\"Too many connections at once. Come back soon.\"}";

/// Time for a new connection to begin its first request.
const FIRST_DEADLINE: Duration = Duration::from_secs(5);
/// Time for a request's head, and for an idle connection to send its next one.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// Time for a client that reads nothing before its connection is given up.
const WRITE_DEADLINE: Duration = Duration::from_secs(15);
/// Header fields of a request.
pub(super) const MOST_HEADERS: usize = 64;
/// Bytes of a request's head.
pub(super) const LONGEST_HEAD: usize = 32 * 1024;
/// Time for requests under way after the signal to stop.
const DRAIN_DEADLINE: Duration = Duration::from_secs(15);

/// The address of the other end of the connection, as an extension of its requests.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// What answers requests: a router, or what stands before one.
pub trait Answers:
    Service<Request<Body>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S> Answers for S where
    S: Service<Request<Body>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

/// Serves with `service` until `stop` resolves, then lets requests under way finish.
pub async fn serve(listener: TcpListener, service: impl Answers, stop: impl Future<Output = ()>) {
    serve_at_most(MOST_CONNECTIONS, listener, service, stop).await;
}

/// The same with at most this many connections at a time.
pub async fn serve_at_most(most: usize, listener: TcpListener, service: impl Answers, stop: impl Future<Output = ()>) {
    let connections = Arc::new(Semaphore::new(most));
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
                // Out of file descriptors, mostly: give the connections that are open a moment to end.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&connections).try_acquire_owned() else {
            // Left in the system's queue it would wait for as long as those who came first like to stay.
            if let Ok(place) = Arc::clone(&refusals).try_acquire_owned() {
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(REFUSAL_DEADLINE, refuse(stream)).await;
                    drop(place);
                });
            }
            continue;
        };
        let (service, watcher, stopping) = (service.clone(), graceful.watcher(), stopping.clone());
        tokio::spawn(async move {
            // Until it asks for something a connection costs a socket and a small task.
            if begins(&stream, stopping).await {
                answer(stream, peer, service, watcher).await;
            }
            drop(place);
        });
    }
    drop((listener, going));
    if tokio::time::timeout(DRAIN_DEADLINE, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were still under way and were cut off");
    }
}

/// Waits for a new connection's first request; false when none comes in time, or the server stops.
async fn begins(stream: &TcpStream, mut stopping: watch::Receiver<()>) -> bool {
    let mut first = [0];
    tokio::select! {
        // What has arrived is answered, also when the server stops at the same moment.
        biased;
        // Not `readable`, which may be wrong.
        peeked = tokio::time::timeout(FIRST_DEADLINE, stream.peek(&mut first)) => matches!(peeked, Ok(Ok(1))),
        _ = stopping.changed() => false,
    }
}

/// Answers a connection's requests until it ends. The future is on the heap: ten kilobytes that a task would keep ready
/// from its beginning.
fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    service: impl Answers,
    watcher: Watcher,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let connection = watcher.watch(connection(stream, peer, service));
    Box::pin(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    })
}

/// Tells a client to come back, and reads what it sends until it has: closed with bytes unread, the connection would be
/// reset and the answer lost.
async fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(REFUSAL.as_bytes()).await?;
    stream.shutdown().await?;
    let mut sink = [0; 1024];
    while stream.read(&mut sink).await? > 0 {}
    Ok(())
}

/// A connection that is given up when its other end reads nothing.
type Stream = TokioIo<Pin<Box<TimeoutStream<TcpStream>>>>;

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    service: impl Answers,
) -> http1::Connection<
    Stream,
    impl hyper::service::HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send>,
> {
    // Answers are written at once and small: waiting to fill a packet would only add delay.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_DEADLINE));
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        service.clone().oneshot(request.map(Body::new))
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_headers(MOST_HEADERS)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(Box::pin(stream)), service)
}
