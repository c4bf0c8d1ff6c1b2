//! The sections of the settings, except the OpenID provider.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};
use domain::crypto::public_key::PublicKey;
use domain::model::client::{DynamicRegistration, InitialAccessToken};
use domain::model::incident::Policy;
use domain::store::{DatabaseUrl, LedgerDurability, StoreOptions};
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::error::ConfigError;
use super::values::{List, address, choice, hosts, is_loopback, list, number, path, seconds, secret};
use crate::egress::policy::PrivateHosts;
use crate::http::request_id::Line;
use crate::incident::read_github_keys;
use crate::state::LeakReports;

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
    /// Addresses of the proxies whose X-Forwarded-For is believed, separated by commas: the proxies, not their network
    #[arg(long, value_name = "ADDRESS,…", value_parser = ranges)]
    pub(crate) trusted_proxies: List<IpNet>,
    /// Origins of web pages that may call the built-in MCP server, separated by commas
    #[arg(long, value_name = "ORIGIN,…", value_parser = origins)]
    pub(crate) allowed_origins: List<String>,
    /// Address and port of /metrics; not served when not set
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Seconds for which a connection may be idle (1 to 3600): longer than the load balancer keeps it
    #[arg(long, value_name = "SECONDS", value_parser = keep_alive)]
    pub(crate) keep_alive: Duration,
    /// Seconds for which the server goes on after SIGTERM (0 to 300), while /readyz says 503 and each answer closes its
    /// connection
    #[arg(long, value_name = "SECONDS", value_parser = drain_delay)]
    pub(crate) drain_delay: Duration,
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
pub(crate) fn public_url(text: &str) -> Result<String, String> {
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

fn keep_alive(text: &str) -> Result<Duration, String> {
    seconds(text, 1..=3600)
}

fn drain_delay(text: &str) -> Result<Duration, String> {
    seconds(text, 0..=300)
}

fn ranges(text: &str) -> Result<List<IpNet>, String> {
    list(text, |range| {
        let parsed = range.parse::<IpNet>().or_else(|_| range.parse::<IpAddr>().map(IpNet::from));
        parsed.map_err(|_| format!("“{range}” is not the address of a proxy, such as 10.0.3.7"))
    })
}

fn origins(text: &str) -> Result<List<String>, String> {
    list(text, |origin| match Url::parse(origin) {
        // The comparison with the browser's Origin header is byte for byte.
        Ok(url) if url.origin().ascii_serialization() == origin => Ok(origin.to_owned()),
        _ => Err(format!("“{origin}” is not an origin such as https://app.example.com")),
    })
}

/// The data folder, the database and the master key.
#[derive(Args, Debug, Clone)]
pub(crate) struct Storage {
    /// Folder of the database and the master key
    #[arg(long, value_name = "FOLDER", value_parser = path)]
    pub(crate) data_dir: PathBuf,
    /// sqlite://PATH or postgres://USER@HOST/DATABASE; countersign.db in the data folder when not set
    #[arg(long, value_name = "URL", hide_env_values = true, value_parser = DatabaseUrl::parse)]
    database_url: Option<DatabaseUrl>,
    /// Most connections to PostgreSQL
    #[arg(long, value_name = "NUMBER", value_parser = connections)]
    database_connections: u32,
    /// What an exchange survives: process (a killed server) or power (a power cut too)
    #[arg(long, value_name = "DURABILITY",
        value_parser = choice(&[("process", LedgerDurability::Process), ("power", LedgerDurability::Power)]))]
    ledger_durability: LedgerDurability,
    /// File of the master key; master.key in the data folder when not set
    #[arg(long, value_name = "FILE")]
    master_key_file: Option<PathBuf>,
    /// Whether other users may read the file that master_key_file names, as in a mount of Kubernetes: true or false
    #[arg(long, value_name = "BOOLEAN", action = ArgAction::Set,
        value_parser = choice(&[("true", true), ("false", false)]))]
    pub(crate) master_key_shared: bool,
}

impl Storage {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.master_key_shared && self.master_key_file.is_none() {
            let problem = "is for a file that master_key_file names: the one in data_dir is ours alone";
            return Err(ConfigError::new("master_key_shared", problem));
        }
        Ok(())
    }

    /// Whether the address of the database follows from `data_dir`.
    pub(crate) fn is_in_data_dir(&self) -> bool {
        self.database_url.is_none()
    }

    /// The address of the database.
    pub(crate) fn database_url(&self) -> DatabaseUrl {
        let in_folder = || DatabaseUrl::Sqlite(self.data_dir.join("countersign.db"));
        self.database_url.clone().unwrap_or_else(in_folder)
    }

    /// The file of the master key. It is not used when the environment holds the key.
    pub(crate) fn master_key_file(&self) -> PathBuf {
        self.master_key_file.clone().unwrap_or_else(|| self.data_dir.join("master.key"))
    }

    /// The options with which a command opens the database.
    pub(crate) fn options(&self) -> StoreOptions {
        StoreOptions {
            ledger_durability: self.ledger_durability,
            connections: self.database_connections,
            is_server: false,
        }
    }
}

fn connections(text: &str) -> Result<u32, String> {
    let least = StoreOptions::FEWEST_CONNECTIONS;
    match number(text)? {
        connections if connections >= least => Ok(connections),
        connections => Err(format!("{connections} is not enough: a server needs at least {least}")),
    }
}

/// Access tokens.
#[derive(Args, Debug, Clone)]
pub(crate) struct Token {
    /// Seconds for which MCP servers may keep a token status list (1 to 300): how soon a revocation reaches them
    #[arg(long, value_name = "SECONDS", value_parser = status_list_ttl)]
    pub(crate) status_list_ttl: Duration,
}

fn status_list_ttl(text: &str) -> Result<Duration, String> {
    seconds(text, 1..=300)
}

/// Whether the address of a document may be a client ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentClients {
    /// No.
    Off,
    /// Yes.
    On,
    /// Yes, unless the instance was made when “no” was the default.
    Auto,
}

/// Which clients may register themselves.
#[derive(Args, Debug, Clone)]
pub(crate) struct Client {
    /// Which clients may register themselves: off, loopback, on or token
    #[arg(long, value_name = "MODE", value_parser = registration)]
    pub(crate) dynamic_registration: DynamicRegistration,
    /// File of the token that clients must bring to register themselves, when dynamic_registration is token
    #[arg(long, value_name = "FILE")]
    initial_access_token_file: Option<PathBuf>,
    /// That token.
    #[arg(skip)]
    pub(crate) initial_access_token: Option<InitialAccessToken>,
    /// Whether the address of a document that describes a client may be its client ID: off, on or auto
    #[arg(long, value_name = "SWITCH", value_parser = choice(&[
        ("off", DocumentClients::Off), ("on", DocumentClients::On), ("auto", DocumentClients::Auto)
    ]))]
    pub(crate) client_id_metadata_documents: DocumentClients,
    /// Whether programs without a browser may ask for a code that a person enters (RFC 8628): true or false
    #[arg(long, value_name = "BOOLEAN", action = ArgAction::Set,
        value_parser = choice(&[("true", true), ("false", false)]))]
    pub(crate) device_grant: bool,
    /// The resource of the MCP server for clients whose requests name none; the person chooses when not set
    #[arg(long, value_name = "URI", value_parser = resource)]
    pub(crate) default_resource: Option<String>,
}

impl Client {
    pub(super) fn check(&mut self) -> Result<(), ConfigError> {
        const SETTING: &str = "initial_access_token_file";
        if let Some((text, place)) = secret(SETTING, self.initial_access_token_file.as_deref())? {
            let problem = format!("needs at least {} characters, without spaces", InitialAccessToken::SHORTEST);
            let token = InitialAccessToken::parse(&text);
            self.initial_access_token = Some(token.ok_or_else(|| ConfigError::new(place, problem))?);
        }
        if self.dynamic_registration == DynamicRegistration::Token && self.initial_access_token.is_none() {
            let problem =
                "must name a file when dynamic_registration is token, unless COUNTERSIGN_INITIAL_ACCESS_TOKEN is set";
            return Err(ConfigError::new(SETTING, problem));
        }
        Ok(())
    }
}

fn resource(text: &str) -> Result<String, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.fragment().is_none() => Ok(text.to_owned()),
        _ => Err(format!("“{text}” is not the resource of an MCP server, such as https://docs.example.com/mcp")),
    }
}

fn registration(text: &str) -> Result<DynamicRegistration, String> {
    DynamicRegistration::parse(text).ok_or_else(|| "must be off, loopback, on or token".to_owned())
}

/// Exceptions to the rule that only public addresses are asked, over https.
#[derive(Args, Debug, Clone)]
pub(crate) struct Egress {
    /// Hosts of token issuers, and of the OpenID provider, that may be asked over http and at private addresses,
    /// separated by commas
    #[arg(long, value_name = "HOST[:PORT],…", value_parser = hosts)]
    pub(super) private_issuers: List<String>,
    /// Hosts of webhooks that may be sent to over http and at private addresses, separated by commas
    #[arg(long, value_name = "HOST[:PORT],…", value_parser = hosts)]
    private_webhooks: List<String>,
    /// Hosts of clients' metadata documents that may be at private addresses, separated by commas
    #[arg(long, value_name = "HOST[:PORT],…", value_parser = hosts)]
    private_clients: List<String>,
    /// Hosts of MCP servers that may be called over http and at private addresses, separated by commas
    #[arg(long, value_name = "HOST[:PORT],…", value_parser = hosts)]
    private_upstreams: List<String>,
}

impl Egress {
    /// The exceptions, by the purpose of the requests.
    pub(crate) fn private_hosts(&self) -> PrivateHosts {
        PrivateHosts {
            issuers: self.private_issuers.clone(),
            webhooks: self.private_webhooks.clone(),
            clients: self.private_clients.clone(),
            upstreams: self.private_upstreams.clone(),
        }
    }
}

/// The gateway in front of MCP servers.
#[derive(Args, Debug, Clone)]
pub(crate) struct Gateway {
    /// Maximum size of a message to an MCP server behind the gateway, in bytes (1024 to 67108864)
    #[arg(long, value_name = "BYTES", value_parser = message_limit)]
    pub(crate) gateway_message_limit: usize,
    /// Seconds for which the gateway waits until an MCP server begins its answer (1 to 3600)
    #[arg(long, value_name = "SECONDS", value_parser = keep_alive)]
    pub(crate) gateway_first_byte: Duration,
}

fn message_limit(text: &str) -> Result<usize, String> {
    match number(text)? {
        bytes @ 1024..=67_108_864 => Ok(bytes),
        bytes => Err(format!("{bytes} is not between 1024 and 67108864 bytes")),
    }
}

/// Reports of leaked secrets.
#[derive(Args, Debug, Clone)]
pub(crate) struct Incident {
    /// What happens to a secret that is reported as leaked: revoke or alert
    #[arg(long, value_name = "POLICY", value_parser = choice(&[("revoke", Policy::Revoke), ("alert", Policy::Alert)]))]
    leak_policy: Policy,
    /// File of the keys that sign reports of GitHub's secret scanning; its reports are not taken when not set
    #[arg(long, value_name = "FILE", value_parser = github_keys)]
    github_keys_file: List<(String, PublicKey)>,
}

impl Incident {
    /// The policy for reports.
    pub(crate) fn leak_reports(&self) -> LeakReports {
        LeakReports { policy: self.leak_policy, github_keys: self.github_keys_file.clone() }
    }
}

fn github_keys(file: &str) -> Result<List<(String, PublicKey)>, String> {
    if file.is_empty() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    read_github_keys(&text).map_err(|problem| format!("{file}: {problem}"))
}

/// The log.
#[derive(Args, Debug, Clone)]
pub(crate) struct Log {
    /// What is logged: error, warn, info, debug, trace, or a filter
    #[arg(long, value_name = "FILTER", value_parser = filter)]
    pub(crate) log: String,
    /// How log lines look: text or json
    #[arg(long, value_name = "FORMAT", value_parser = choice(&[("text", Line::Text), ("json", Line::Json)]))]
    pub(crate) log_format: Line,
}

fn filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map_err(|error| format!("“{text}” is not a filter: {error}"))?;
    Ok(text.to_owned())
}
