//! Settings: the log.

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::values::choice;

/// The log.
#[derive(Args, Debug, Clone)]
pub(crate) struct Log {
    /// What is logged: error, warn, info, debug, trace, or a filter
    #[arg(long, value_name = "FILTER", value_parser = filter)]
    pub(crate) log: String,
    /// How log lines look: text or json
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    pub(crate) log_format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs: one object a line.
    Json,
}

fn filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map_err(|error| format!("“{text}” is not a filter: {error}"))?;
    Ok(text.to_owned())
}

fn format(text: &str) -> Result<LogFormat, String> {
    choice(text, &[("text", LogFormat::Text), ("json", LogFormat::Json)])
}
