//! Settings: where the server listens, and who may reach it how.

use std::net::{IpAddr, SocketAddr};

use clap::Args;
use ipnet::IpNet;
use url::Url;

use super::error::ConfigError;
use super::values::{List, address, is_loopback, list};

/// Where the server listens, and who may reach it how.
#[derive(Args, Debug, Clone)]
pub(crate) struct Network {
    /// Address and port to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// The address that people and programs use, without a slash at the end: the issuer of the tokens.
    /// http://localhost:PORT when not set
    #[arg(long, value_name = "URL", value_parser = public_url)]
    pub(crate) public_url: Option<String>,
    /// Ranges of proxies whose X-Forwarded-For is believed, separated by commas
    #[arg(long, value_name = "CIDR,…", value_parser = ranges)]
    pub(crate) trusted_proxies: List<IpNet>,
    /// Origins of web pages that may call the built-in MCP server, separated by commas
    #[arg(long, value_name = "ORIGIN,…", value_parser = origins)]
    pub(crate) allowed_origins: List<String>,
    /// Address and port of /metrics; not served when not set
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub(crate) metrics_listen: Option<SocketAddr>,
}

impl Network {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let listen = self.listen;
        if self.public_url.is_none() && !listen.ip().to_canonical().is_loopback() {
            let problem =
                format!("must be set when {listen} is listened on: others reach it, and need an https address");
            return Err(ConfigError::new("public_url", problem));
        }
        Ok(())
    }
}

/// Checks the issuer: an origin, and https unless the host is this machine. Documents and tokens contain it byte for
/// byte. So a value that URL normalisation would change is refused.
fn public_url(text: &str) -> Result<String, String> {
    let wrong = |problem: &str| format!("“{text}” {problem}");
    let url = Url::parse(text).map_err(|_| wrong("is not a URL, such as https://auth.example.com"))?;
    if url.origin().ascii_serialization() != text {
        return Err(wrong("must be a scheme, a host and maybe a port: lower case, no path, no slash at the end"));
    }
    match (url.scheme(), is_loopback(&url)) {
        ("https", _) | ("http", true) => Ok(text.to_owned()),
        ("http", false) => Err(wrong("must be https: only localhost may use http")),
        _ => Err(wrong("must be https")),
    }
}

fn ranges(text: &str) -> Result<List<IpNet>, String> {
    list(text, |range| {
        let parsed = range.parse::<IpNet>().or_else(|_| range.parse::<IpAddr>().map(IpNet::from));
        parsed.map_err(|_| format!("“{range}” is not a range such as 10.0.0.0/8"))
    })
}

fn origins(text: &str) -> Result<List<String>, String> {
    list(text, |origin| match Url::parse(origin) {
        // The comparison with the browser's Origin header is byte for byte.
        Ok(url) if url.origin().ascii_serialization() == origin => Ok(origin.to_owned()),
        _ => Err(format!("“{origin}” is not an origin such as https://app.example.com")),
    })
}
