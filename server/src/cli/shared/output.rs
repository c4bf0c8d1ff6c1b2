//! Who runs a command, and how commands print what was asked for.

use std::io::{IsTerminal, Write};
use std::time::Instant;

use clap::ValueEnum;
use domain::model::actor::Actor;

/// The actor of commands: the person who runs the command, identified by the name of their account on this machine.
pub(crate) fn operator() -> Actor {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    Actor::command_line(user.map_or_else(|_| "Command line".to_owned(), |user| format!("{user} (command line)")))
}

/// Text for people, or JSON for programs.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// The forms of something new that a program needs: also as environment variables.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum NewFormat {
    Text,
    Json,
    Env,
}

/// The last line of what holds a secret.
pub(crate) const SHOWN_ONCE: &str = "\nThe secret is shown this once. Store it now.\n";

/// A name and its value as a line, the values below each other.
pub(crate) fn line(name: &str, value: impl std::fmt::Display) -> String {
    format!("{:<15} {value}\n", format!("{name}:"))
}

/// A line that shows people the progress of a long command. It is on standard error, when that is a terminal, until
/// this value is dropped.
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

    /// Replaces the line. It also says how long the rest will take if it takes as long as what is done.
    pub(crate) fn show_of(&mut self, what: &str, count: i64, total: i64, since: Instant) {
        let left = since.elapsed().as_secs_f64() / count.max(1) as f64 * (total - count).max(0) as f64;
        self.show(&format!("about {} s left, {what} of {total}", left.ceil()), count);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.was_shown {
            eprint!("\r\x1b[K");
        }
    }
}
