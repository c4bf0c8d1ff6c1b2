//! A line that tells people how far a long command is.

use std::io::{IsTerminal, Write};

/// Shown on standard error, when that is a terminal, until it is dropped.
pub(crate) struct Progress {
    is_watched: bool,
    was_shown: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { is_watched: std::io::stderr().is_terminal(), was_shown: false }
    }

    /// The same beside an output: not shown when the output goes to a terminal too, where both would mix.
    pub(crate) fn beside_output() -> Self {
        Self { is_watched: std::io::stderr().is_terminal() && !std::io::stdout().is_terminal(), was_shown: false }
    }

    /// Replaces what was shown before.
    pub(crate) fn show(&mut self, what: &str, count: i64) {
        if self.is_watched {
            eprint!("\r\x1b[K{what}: {count}");
            // A terminal that went away is no reason to stop.
            let _ = std::io::stderr().flush();
            self.was_shown = true;
        }
    }
}

impl Drop for Progress {
    /// Leaves nothing behind.
    fn drop(&mut self) {
        if self.was_shown {
            eprint!("\r\x1b[K");
        }
    }
}
