//! How commands print what was asked for.

use clap::ValueEnum;

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
