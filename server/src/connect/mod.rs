//! `countersign connect`: a bridge for MCP clients that know only a command or a fixed header. It gets tokens, renews
//! them, and passes messages on to an MCP server over streamable HTTP. It works with any authorization server that
//! follows the specification, and needs no database and no settings.
//!
//! | module | what it does |
//! |---|---|
//! | [`discovery`] | finds the authorization server of an MCP server |
//! | [`proof`] | what proves the client: a secret, a key, a token of the platform |
//! | [`tokens`] | gets access tokens, and renews them |
//! | [`client`] | requests over HTTP |
//! | [`problem`] | why the command ends |
//! | [`stdio`] | the bridge from standard input and output |
//! | [`listen`] | the bridge from an address of this machine |

mod client;
mod discovery;
mod listen;
pub(crate) mod problem;
mod proof;
mod stdio;
mod tokens;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, value_parser};
use url::Url;

use crate::connect::client::Client;
use crate::connect::problem::{ConnectError, check_scheme};
use crate::connect::proof::Proof;
use crate::connect::tokens::Tokens;

const ISSUER: &str = "MCP_ISSUER";

/// The arguments of the command.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The address of the MCP server
    #[arg(value_name = "RESOURCE", value_parser = resource)]
    resource: Url,
    /// Offer the MCP server at this address of this machine, over HTTP, for clients that know only an address. Without
    /// it, messages come from standard input
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = value_parser!(OsString))]
    pub(crate) listen: Option<OsString>,
    /// File of the private key (PEM) that proves the client MCP_CLIENT_ID
    #[arg(long, value_name = "FILE", conflicts_with = "identity_token_file")]
    key: Option<PathBuf>,
    /// File of a token of the platform, as Kubernetes and CI systems make one. It is read again for each new token
    #[arg(long, value_name = "FILE")]
    identity_token_file: Option<PathBuf>,
    /// A scope to ask for; the MCP server says which ones when none is given
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
}

fn resource(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .map_err(|_| format!("“{text}” is not a URL, such as https://auth.example.com/gateway/docs"))?;
    if !url.has_host() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err("write the URL of the MCP server without user name, password and #".to_owned());
    }
    check_scheme(&url)?;
    Ok(url)
}

/// The only authorization server that may see what proves the client, if a person named it. It comes from the
/// environment like the secret that it protects.
fn issuer() -> Result<Option<Url>, ConnectError> {
    // An empty variable is a mistake, not a choice: it would take the protection away without a word.
    let Some(text) = std::env::var_os(ISSUER) else { return Ok(None) };
    let text = text.to_string_lossy().trim().to_owned();
    let problem = || ConnectError::Usage(format!("{ISSUER}: “{text}” is not a URL, such as https://auth.example.com"));
    let url = Url::parse(&text).map_err(|_| problem())?;
    check_scheme(&url).map_err(|problem| ConnectError::Usage(format!("{ISSUER}: {problem}")))?;
    Ok(Some(url))
}

/// Runs the command until its standard input ends, or until it is interrupted.
pub(crate) async fn run(arguments: Arguments) -> Result<(), ConnectError> {
    let proof = Proof::read(arguments.key.as_deref(), arguments.identity_token_file.as_deref())?;
    let address = arguments.listen.map(|text| local_address(&text)).transpose()?;
    let client = Client::new();
    let scopes = arguments.scopes;
    let tokens = Tokens::new(client.clone(), arguments.resource.clone(), proof, issuer()?, scopes);
    let tokens = Arc::new(tokens);
    match address {
        Some(address) => listen::run(client, tokens, arguments.resource, address).await,
        None => stdio::run(client, tokens, arguments.resource).await,
    }
}

/// The address to offer the server at. Whoever reaches it can call the server, so it is of this machine.
fn local_address(text: &OsString) -> Result<SocketAddr, ConnectError> {
    let address = text.to_str().and_then(|text| text.parse::<SocketAddr>().ok());
    let problem = "--listen: write an address of this machine and a port, such as 127.0.0.1:9000";
    address.filter(|address| address.ip().is_loopback()).ok_or_else(|| ConnectError::Usage(problem.to_owned()))
}
