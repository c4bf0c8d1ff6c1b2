//! A line that shows people the progress of a long command.

use std::io::{IsTerminal, Write};

/// The line. It is on standard error, when that is a terminal, until this value is dropped.
pub(crate) struct Progress {
    is_watched: bool,
    was_shown: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { is_watched: std::io::stderr().is_terminal(), was_shown: false }
    }

    /// The progress beside an output. It is not shown when the output also goes to a terminal, where both would mix.
    pub(crate) fn beside_output() -> Self {
        Self { is_watched: std::io::stderr().is_terminal() && !std::io::stdout().is_terminal(), was_shown: false }
    }

    /// Replaces the line.
    pub(crate) fn show(&mut self, what: &str, count: i64) {
        if self.is_watched {
            eprint!("\r\x1b[K{what}: {count}");
            // A closed terminal is no reason to stop the command.
            let _ = std::io::stderr().flush();
            self.was_shown = true;
        }
    }
}

impl Drop for Progress {
    /// Erases the line.
    fn drop(&mut self) {
        if self.was_shown {
            eprint!("\r\x1b[K");
        }
    }
}
