//! Why the command ends, and which addresses it may use.

use url::Url;

use crate::config::is_loopback;

/// Tokens and secrets go over https only, except on this machine.
pub(super) fn check_scheme(url: &Url) -> Result<(), String> {
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        _ => Err(format!("{url} must be https: only this machine may use http")),
    }
}

/// Why the command ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// An argument or a variable is wrong.
    #[error("{0}")]
    Usage(String),
    /// The connection cannot be made, or it broke.
    #[error("{0}")]
    Failed(String),
}
