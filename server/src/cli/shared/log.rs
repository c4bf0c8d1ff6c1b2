//! The log of the program.

use std::io::IsTerminal;

use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

use super::error::CliError;
use super::repeated::Repeated;
use crate::config::{Config, ConfigError};
use crate::http::request_id::{Line, WithRequestId};

/// What commands log. A change is logged, whether the server or a command makes it.
const OF_COMMANDS: &str = "warn,domain::services::audit_log=info";

/// The part of the database driver that logs each connection that could not be made ready.
const POOL_OF_DRIVER: &str = "sqlx_core::pool::inner";

/// Starts the log on standard error. Standard output is for the command's result.
///
/// For the crates that we use, only warnings are logged at any level. Their finer levels print tokens and cookies that
/// pass through them.
///
/// Commands that end at once report their work themselves. They log warnings and the audit entries that they write,
/// unless another level is set.
pub(crate) fn start(config: &Config, is_server: bool) -> Result<Repeated, CliError> {
    let ours = filter_fn(|metadata| {
        let crate_name = metadata.target().split("::").next().unwrap_or_default();
        // The store says itself, and once, why there is no connection.
        let is_said_elsewhere = metadata.target() == POOL_OF_DRIVER && *metadata.level() == tracing::Level::ERROR;
        let is_warning = *metadata.level() <= tracing::Level::WARN && !is_said_elsewhere;
        matches!(crate_name, "server" | "app" | "domain") || is_warning
    });
    let wanted = if !is_server && config.log.log == "info" { OF_COMMANDS } else { &config.log.log };
    let filter = EnvFilter::try_new(wanted).map_err(|error| ConfigError::new("log", error.to_string()))?.and(ours);
    let (layer, line) = (fmt::layer().with_writer(std::io::stderr), config.log.log_format);
    let layer = match line {
        Line::Text => {
            let layer = layer.with_ansi(std::io::stderr().is_terminal());
            layer.event_format(WithRequestId { format: fmt::format(), line }).boxed()
        }
        Line::Json => {
            let format = fmt::format().json().flatten_event(true);
            layer.json().event_format(WithRequestId { format, line }).boxed()
        }
    };
    let repeated = Repeated::default();
    tracing_subscriber::registry().with(layer.with_filter(filter).with_filter(repeated.clone())).init();
    Ok(repeated)
}
