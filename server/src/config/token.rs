//! Settings: access tokens.

use std::time::Duration;

use clap::Args;

use super::values::number;

/// Access tokens.
#[derive(Args, Debug, Clone)]
pub(crate) struct Token {
    /// Seconds for which MCP servers may keep a token status list (1 to 300): how soon a revocation reaches them
    #[arg(long, value_name = "SECONDS", value_parser = status_list_ttl)]
    pub(crate) status_list_ttl: Duration,
}

fn status_list_ttl(text: &str) -> Result<Duration, String> {
    match number(text)? {
        seconds @ 1..=300 => Ok(Duration::from_secs(seconds)),
        seconds => Err(format!("{seconds} is not between 1 and 300 seconds")),
    }
}
