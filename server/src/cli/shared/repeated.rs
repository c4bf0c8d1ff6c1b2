//! The same error again and again: the log has its first line, and then one line a minute with the count.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

/// How long the same line is held back after it was written.
pub(crate) const INTERVAL: Duration = Duration::from_secs(60);
/// How many different lines are remembered. Beyond it the memory begins from nothing, and lines are written.
const MOST_LINES: usize = 256;

/// Holds back errors and warnings that are equal but for their numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Repeated {
    lines: Arc<Mutex<HashMap<u64, Line>>>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Line {
    message: String,
    written_at: Instant,
    held_back: u64,
}

impl Repeated {
    /// Whether this line is to be written. Otherwise it is counted.
    fn admits(&self, text: &LineText, place: &Metadata<'_>) -> bool {
        let key = self.hasher.hash_one((place.file(), place.line(), &text.message, &text.fields));
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get_mut(&key)
            && line.written_at.elapsed() < INTERVAL
        {
            line.held_back += 1;
            return false;
        }
        if lines.len() >= MOST_LINES {
            lines.clear();
        }
        let line = Line { message: text.message.clone(), written_at: Instant::now(), held_back: 0 };
        lines.insert(key, line);
        true
    }

    /// Writes how many lines were held back since the last call. Call it once an [`INTERVAL`].
    pub(crate) fn report(&self) {
        let mut counts: Vec<(String, u64)> = Vec::new();
        {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            for line in lines.values_mut().filter(|line| line.held_back > 0) {
                counts.push((line.message.clone(), std::mem::take(&mut line.held_back)));
                // While it goes on, only the counts are written.
                line.written_at = Instant::now();
            }
            lines.retain(|_, line| line.written_at.elapsed() < INTERVAL);
        }
        for (line, times) in counts {
            tracing::info!(times, line, "a line of the log was repeated");
        }
    }
}

impl<S: Subscriber> Filter<S> for Repeated {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        if *event.metadata().level() > Level::WARN {
            return true;
        }
        let mut text = LineText::default();
        event.record(&mut text);
        self.admits(&text, event.metadata())
    }
}

/// The texts of a line, without its numbers: a count or a port that differs makes no other line.
#[derive(Debug, Default)]
struct LineText {
    message: String,
    fields: String,
}

impl Visit for LineText {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = if field.name() == "message" { &mut self.message } else { &mut self.fields };
        // Writing to a string cannot fail.
        let _ = write!(text, "{value:?} ");
    }

    fn record_i64(&mut self, _: &Field, _: i64) {}

    fn record_u64(&mut self, _: &Field, _: u64) {}
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::Layer;
    use tracing_subscriber::prelude::*;

    use super::*;

    /// Collects the messages that are written.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Written {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let mut text = LineText::default();
            event.record(&mut text);
            self.0.lock().expect("one thread").push(format!("{}{}", text.message, text.fields).trim().to_owned());
        }
    }

    #[test]
    fn an_error_that_repeats_is_written_once_and_then_counted() {
        let (written, repeated) = (Written::default(), Repeated::default());
        let layer = written.clone().with_filter(repeated.clone());
        let _log = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        for (requests, cause) in [(1, "disk full"), (7, "disk full"), (7, "disk full"), (2, "locked")] {
            tracing::error!(requests, cause, "not written");
        }
        for _ in 0..3 {
            tracing::info!("as often as it comes");
        }
        repeated.report();
        repeated.report();
        let lines = written.0.lock().expect("one thread").clone();
        let info = "as often as it comes";
        let count = "a line of the log was repeated \"not written \"";
        assert_eq!(lines, ["not written \"disk full\"", "not written \"locked\"", info, info, info, count]);
    }
}
