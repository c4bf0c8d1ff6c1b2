//! The ID of the request that is being answered. Each log line of the request begins with it.
//!
//! The ID is a task-local value and not a span around the request. Nearly all requests log nothing, and making and
//! entering a span costs as much as reading a request's head.

use std::fmt;

use tokio::task::futures::TaskLocalFuture;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// Identifies a request: a random number per start of the server, and a counter per request.
#[derive(Debug, Clone, Copy)]
pub struct RequestId {
    /// Identifies this start of the server.
    pub start: u32,
    /// Number of this request.
    pub number: u64,
}

impl RequestId {
    /// The request whose work runs now.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.try_with(|id| *id).ok()
    }

    /// Runs `work` as the work of this request.
    pub(crate) fn around<Work: Future>(self, work: Work) -> TaskLocalFuture<Self, Work> {
        CURRENT.scope(self, work)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:08x}-{}", self.start, self.number)
    }
}

/// The format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Text: the ID stands in front.
    Text,
    /// A JSON object: the ID is its first member, `request`.
    Json,
}

/// Writes log lines with the ID of their request.
pub struct WithRequestId<Format> {
    /// Writes the rest of the line.
    pub format: Format,
    /// The format of that line.
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt;
    use tracing_subscriber::prelude::*;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("one thread").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Written {
        fn lines(&self) -> Vec<String> {
            let bytes = self.0.lock().expect("one thread").clone();
            String::from_utf8(bytes).expect("text").lines().map(str::to_owned).collect()
        }
    }

    async fn log() {
        tracing::info!("outside");
        RequestId { start: 0xab, number: 7 }.around(async { tracing::info!(count = 3, "inside") }).await;
    }

    #[tokio::test]
    async fn lines_of_json_name_their_request() {
        let written = Written::default();
        let writer = written.clone();
        let format = WithRequestId { format: fmt::format().json().flatten_event(true), line: Line::Json };
        let layer = fmt::layer().json().event_format(format).with_writer(move || writer.clone());
        let _log = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        log().await;
        let lines: Vec<serde_json::Value> =
            written.lines().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].get("request"), &lines[0]["message"]), (None, &"outside".into()));
        assert_eq!((&lines[1]["request"], &lines[1]["message"]), (&"000000ab-7".into(), &"inside".into()));
        assert_eq!(lines[1]["count"], 3);
    }

    #[tokio::test]
    async fn lines_of_text_begin_with_their_request() {
        let written = Written::default();
        let writer = written.clone();
        let format = WithRequestId { format: fmt::format(), line: Line::Text };
        let layer = fmt::layer().event_format(format).with_ansi(false).with_writer(move || writer.clone());
        let _log = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        log().await;
        let lines = written.lines();
        assert!(lines[0].ends_with("outside") && !lines[0].contains("000000ab"), "{}", lines[0]);
        assert!(lines[1].starts_with("000000ab-7 ") && lines[1].ends_with("inside count=3"), "{}", lines[1]);
    }
}
