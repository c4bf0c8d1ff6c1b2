//! The body of an answer on its way to the client: as it comes, or event by event if something must be taken out of it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use domain::model::server::gateway::call::CallOutcome;
use domain::token::verify::{Caller, is_live};
use futures::future::BoxFuture;
use http_body::{Body, Frame};
use hyper::body::Incoming;

use crate::gateway::events::Splitter;
use crate::gateway::filter::{Filter, Unreadable};
use crate::gateway::news;
use crate::gateway::record::Record;
use crate::state::AppState;

/// How often a token is looked at while an answer is under way. Revocation cuts a stream within this time.
const LOOK_INTERVAL: Duration = Duration::from_secs(3);
/// The longest document, and the longest event, whose outcome is looked for, in bytes.
const LONGEST_LOOK: usize = 256 * 1024;

/// What happens to the pieces of a body.
pub(super) enum Mode {
    /// A document passes as it comes. Its beginning is kept, to see how the call ended.
    Document(Vec<u8>),
    /// A stream passes as it comes. `None`: an event was too long to look for an outcome.
    Stream(Option<Splitter>),
    /// A stream passes event by event. The number is the longest event, in bytes.
    Filtered(Splitter, Box<Filter>, usize),
}

impl Mode {
    /// Whether the body is a stream of events.
    fn is_stream(&self) -> bool {
        !matches!(self, Self::Document(_))
    }
}

/// The body of an answer.
pub(super) struct Relay {
    body: Incoming,
    mode: Mode,
    /// Events that were read and not passed on yet.
    ready: VecDeque<Bytes>,
    record: Record,
    state: AppState,
    caller: Caller,
    /// Ends when the token has ended, or the server stops. Made as soon as the answer makes the client wait.
    over: Option<BoxFuture<'static, ()>>,
    is_over: bool,
}

impl Relay {
    pub(super) fn new(body: Incoming, mode: Mode, record: Record, state: AppState, caller: Caller) -> Self {
        Self { body, mode, ready: VecDeque::new(), record, state, caller, over: None, is_over: false }
    }

    /// Reads a piece. Returns what is passed on at once.
    fn take(&mut self, piece: Bytes) -> Result<Option<Bytes>, BrokenOff> {
        match &mut self.mode {
            Mode::Document(beginning) => {
                // Only a whole document can be read.
                if self.record.is_open() && beginning.len() <= LONGEST_LOOK {
                    beginning.extend_from_slice(&piece);
                }
                Ok(Some(piece))
            }
            Mode::Stream(splitter) => {
                if let Some(reader) = splitter.as_mut().filter(|_| self.record.is_open()) {
                    match reader.read(&piece, LONGEST_LOOK) {
                        Ok(events) => events.iter().filter_map(|event| event.data.as_ref()).for_each(|data| {
                            self.record.note(data);
                        }),
                        Err(_) => *splitter = None,
                    }
                }
                Ok(Some(piece))
            }
            Mode::Filtered(splitter, filter, longest) => {
                let events = splitter.read(&piece, *longest).map_err(|_| {
                    tracing::warn!(longest, "an event of an MCP server is too long to be filtered");
                    BrokenOff("an event is too long")
                })?;
                for mut event in events {
                    if let Some(data) = event.data.as_mut() {
                        self.record.note(data);
                        match filter.filtered(data.as_bytes()) {
                            Ok(None) => {}
                            Ok(Some((message, sent))) => {
                                *data = message;
                                news::note(&self.state, filter, sent);
                            }
                            Err(Unreadable) => {
                                let server = &filter.snapshot.server.id;
                                tracing::warn!(%server, "an event of an MCP server cannot be read, so not be filtered");
                                return Err(BrokenOff("an event cannot be read"));
                            }
                        }
                    }
                    self.ready.push_back(event.to_text().into());
                }
                Ok(self.ready.pop_front())
            }
        }
    }

    /// The body has come to its end.
    fn finish(&mut self) {
        if let Mode::Document(whole) = &self.mode
            && whole.len() <= LONGEST_LOOK
            && let Ok(text) = std::str::from_utf8(whole)
        {
            self.record.note(text);
        }
        self.record.end(CallOutcome::Ok);
        self.is_over = true;
    }
}

/// The answer ends before its end.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct BrokenOff(&'static str);

impl Body for Relay {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Ready(None);
        }
        if let Some(event) = this.ready.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(event))));
        }
        if let Some(over) = &mut this.over
            && over.as_mut().poll(context).is_ready()
        {
            this.record.end(CallOutcome::Cut);
            this.is_over = true;
            // The end of a stream can come at any moment. A document without its end must not look complete.
            let cut = BrokenOff("the token has ended");
            return Poll::Ready((!this.mode.is_stream()).then_some(Err(cut)));
        }
        loop {
            let frame = match Pin::new(&mut this.body).poll_frame(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    if this.over.is_none() {
                        let (state, caller) = (this.state.clone(), this.caller.clone());
                        let mut over: BoxFuture<'static, ()> = Box::pin(over(state, caller));
                        // So that it wakes this task.
                        let _ = over.as_mut().poll(context);
                        this.over = Some(over);
                    }
                    return Poll::Pending;
                }
            };
            let piece = match frame {
                None => {
                    this.finish();
                    return Poll::Ready(None);
                }
                Some(Err(error)) => {
                    tracing::info!(%error, "an answer of an MCP server broke off");
                    this.record.end(CallOutcome::Unreachable);
                    this.is_over = true;
                    return Poll::Ready(Some(Err(BrokenOff("the server broke off"))));
                }
                Some(Ok(frame)) => frame.into_data(),
            };
            // Fields behind the body are not passed on.
            let Ok(piece) = piece else { continue };
            match this.take(piece) {
                Ok(Some(piece)) => return Poll::Ready(Some(Ok(Frame::data(piece)))),
                Ok(None) => {}
                Err(error) => {
                    this.record.end(CallOutcome::Unreachable);
                    this.is_over = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

/// Resolves when the token of this caller has ended or was revoked, and when the server stops.
pub(super) async fn over(state: AppState, caller: Caller) {
    loop {
        let left = caller.expires_at.saturating_sub(state.context.now().seconds());
        let left = Duration::from_secs(u64::try_from(left).unwrap_or(0).max(1));
        tokio::time::sleep(left.min(LOOK_INTERVAL)).await;
        if state.is_draining() {
            return;
        }
        match is_live(&state.context, &caller).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(fault) => tracing::warn!(%fault, "a token could not be looked at while an answer is under way"),
        }
    }
}
