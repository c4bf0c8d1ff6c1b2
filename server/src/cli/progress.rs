//! A line that tells people how far a long command is.

use std::io::{IsTerminal, Write};

/// Shown on standard error, when somebody watches it.
pub struct Progress {
    is_watched: bool,
    was_shown: bool,
}

impl Progress {
    pub fn new() -> Self {
        Self { is_watched: std::io::stderr().is_terminal(), was_shown: false }
    }

    /// Replaces what was shown before.
    pub fn show(&mut self, what: &str, count: i64) {
        if self.is_watched {
            eprint!("\r\x1b[K{what}: {count}");
            // A terminal that went away is no reason to stop.
            let _ = std::io::stderr().flush();
            self.was_shown = true;
        }
    }

    /// Leaves nothing behind.
    pub fn end(&mut self) {
        if self.was_shown {
            eprint!("\r\x1b[K");
            self.was_shown = false;
        }
    }
}
