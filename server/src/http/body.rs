//! Request bodies: each is read whole, within a size limit and a deadline, and to its end whether or not it is needed.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header;
use axum::http::request::Parts;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// Maximum body size of the token endpoint, in bytes.
pub(crate) const TOKEN_LIMIT: usize = 16 * 1024;
/// Maximum body size elsewhere, in bytes.
pub(crate) const LIMIT: usize = 64 * 1024;
const DEADLINE: Duration = Duration::from_secs(10);

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// The body is too large, according to its Content-Length or as it arrived.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// The connection broke off.
    Broken,
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, BodyError> {
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge);
    }
    match tokio::time::timeout(DEADLINE, Limited::new(body, limit).collect()).await {
        Err(_) => Err(BodyError::TooSlow),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Ok(Err(_)) => Err(BodyError::Broken),
    }
}

/// Reads the body of a request, of at most `limit` bytes.
pub async fn split(request: Request, limit: usize) -> Result<(Parts, Bytes), BodyError> {
    let (head, body) = request.into_parts();
    Ok((head, read(body, limit).await?))
}

/// The rest of a request's body, when the handler answered without reading it. A request without a token is such a
/// case. If nothing read this rest, the connection would be closed, and a client that sends head and body separately
/// would lose its next request.
pub struct Remainder {
    left: Arc<Mutex<Option<Body>>>,
    /// Whether the client sends the body only when it is asked to (RFC 9110 §10.1.1).
    waits: bool,
}

/// Keeps the part of the body that the handler does not read. [`None`] when the request has no body.
pub(crate) fn with_remainder(request: Request) -> (Request, Option<Remainder>) {
    if request.body().is_end_stream() {
        return (request, None);
    }
    let left = Arc::new(Mutex::new(None));
    let remainder = Remainder { left: Arc::clone(&left), waits: request.headers().contains_key(header::EXPECT) };
    let request = request.map(|body| Body::new(DrainedBody { body, left }));
    (request, Some(remainder))
}

impl Remainder {
    /// Reads the part that the handler left. Returns whether the body has ended: then the connection can take another
    /// request.
    pub async fn drain(self) -> bool {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(body) = left else { return true };
        if self.waits || body.size_hint().upper().is_none_or(|upper| upper > LIMIT as u64) {
            return false;
        }
        read(body, LIMIT).await.is_ok()
    }
}

/// The body that the handler gets. If the handler drops it before its end, it goes back to [`Remainder`].
struct DrainedBody {
    body: Body,
    left: Arc<Mutex<Option<Body>>>,
}

impl http_body::Body for DrainedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for DrainedBody {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            let body = std::mem::take(&mut self.body);
            *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}
