//! The name of the request that is being answered, at the beginning of each line of the log that belongs to it.
//!
//! Known by the task, not by a span around the request: nearly all requests log nothing, and to make and enter a span cost as much as
//! reading their head.

use std::fmt;

use tokio::task::futures::TaskLocalFuture;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// Names a request: a number that differs from start to start, and one that differs from request to request.
#[derive(Debug, Clone, Copy)]
pub struct RequestId {
    /// Of this start of the server.
    pub start: u32,
    /// Of this request.
    pub number: u64,
}

impl RequestId {
    /// Does the work of this request.
    pub fn around<Work: Future>(self, work: Work) -> TaskLocalFuture<Self, Work> {
        CURRENT.scope(self, work)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:08x}-{}", self.start, self.number)
    }
}

/// The form of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Text: the name stands before it.
    Text,
    /// A JSON object: the name is its first member, `request`.
    Json,
}

/// Writes lines with the name of the request that they belong to.
pub struct WithRequestId<Format> {
    /// Writes the rest of them.
    pub format: Format,
    /// What it writes.
    pub line: Line,
}

impl<S, Fields, Format> FormatEvent<S, Fields> for WithRequestId<Format>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    Fields: for<'writer> FormatFields<'writer> + 'static,
    Format: FormatEvent<S, Fields>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, Fields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Ok(id) = CURRENT.try_with(|id| *id) else {
            return self.format.format_event(context, writer, event);
        };
        match self.line {
            Line::Text => {
                write!(writer, "{id} ")?;
                self.format.format_event(context, writer, event)
            }
            Line::Json => {
                let mut line = String::new();
                self.format.format_event(context, Writer::new(&mut line), event)?;
                let members = line.strip_prefix('{').unwrap_or(&line);
                write!(writer, "{{\"request\":\"{id}\",{members}")
            }
        }
    }
}
