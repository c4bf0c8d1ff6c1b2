//! The pace of a connection: how long it may be idle, and how long the head of a request may take.
//!
//! The HTTP library has one deadline from the end of one request to the end of the next head. An idle connection of a
//! load balancer must stay open for a minute, but a head that has begun must not take so long. So the deadline for
//! heads is here.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// No request has begun.
const IDLE: u8 = 0;
/// A head is being read.
const HEAD: u8 = 1;
/// A request is being answered.
const BUSY: u8 = 2;

/// What a connection is doing.
#[derive(Debug, Clone)]
pub(super) struct Phase(Arc<AtomicU8>);

impl Phase {
    /// The connection's first head has begun.
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU8::new(HEAD)))
    }

    /// A head is complete.
    pub(super) fn begin_answer(&self) {
        self.0.store(BUSY, Ordering::Relaxed);
    }

    /// The request was answered.
    pub(super) fn end_answer(&self) {
        self.0.store(IDLE, Ordering::Relaxed);
    }
}

/// A stream whose reads fail when a head takes too long.
pub(super) struct Paced<Stream> {
    stream: Pin<Box<Stream>>,
    phase: Phase,
    longest_head: Duration,
    deadline: Instant,
    /// Made when a head does not arrive in one piece.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<Stream> Paced<Stream> {
    /// The stream of a connection whose first head begins now.
    pub(super) fn new(stream: Stream, phase: Phase, longest_head: Duration) -> Self {
        Self { stream: Box::pin(stream), phase, longest_head, deadline: Instant::now() + longest_head, timer: None }
    }
}

impl<Stream: AsyncRead> AsyncRead for Paced<Stream> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Poll::Ready(read) = this.stream.as_mut().poll_read(context, buffer) {
            // The first bytes after an answer begin the next head.
            let phase = &this.phase.0;
            if phase.compare_exchange(IDLE, HEAD, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                this.deadline = Instant::now() + this.longest_head;
            }
            return Poll::Ready(read);
        }
        if this.phase.0.load(Ordering::Relaxed) != HEAD {
            return Poll::Pending;
        }
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(this.deadline)));
        if timer.deadline() != this.deadline {
            timer.as_mut().reset(this.deadline);
        }
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<Stream: AsyncWrite> AsyncWrite for Paced<Stream> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().stream.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream.as_mut().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream.as_mut().poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().stream.as_mut().poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
