//! Settings: the commented defaults below, then `countersign.toml`, then the environment, then flags.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use domain::crypto::public_key::PublicKey;
use domain::model::client::{DynamicRegistration, InitialAccessToken};
use domain::model::incident::Policy;
use domain::services::relying_party::Provider;
use domain::store::{DatabaseUrl, LedgerDurability, StoreOptions};
use ipnet::IpNet;
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use crate::egress::policy;
use crate::incident::report_policy::{LeakReports, read_github_keys};

/// The defaults, which are also the reference of the configuration file.
pub const DEFAULTS: &str = include_str!("../countersign.default.toml");
const FILE: &str = "countersign.toml";
/// Holds the initial access token itself, in place of the file.
const INITIAL_ACCESS_TOKEN: &str = "COUNTERSIGN_INITIAL_ACCESS_TOKEN";
const OPENID_SECRET_VARIABLE: &str = "COUNTERSIGN_OPENID_CLIENT_SECRET";
/// Longest name of an OpenID provider, in characters: it stands on a button.
const LONGEST_OPENID_NAME: usize = 60;

/// Settings as flags and environment variables give them. Also what the file holds.
#[derive(Args, Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address and port to listen on; port 0 picks a free one
    #[arg(long, global = true, env = "COUNTERSIGN_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The address people and programs use, without a trailing slash: the issuer of the tokens
    #[arg(long, global = true, env = "COUNTERSIGN_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// Folder of the database and the master key
    #[arg(long, global = true, env = "COUNTERSIGN_DATA_DIR", value_name = "FOLDER")]
    data_dir: Option<String>,
    /// sqlite://PATH or postgres://USER@HOST/DATABASE
    #[arg(long, global = true, env = "COUNTERSIGN_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Most connections to PostgreSQL
    #[arg(long, global = true, env = "COUNTERSIGN_DATABASE_CONNECTIONS", value_name = "NUMBER")]
    database_connections: Option<u32>,
    /// What an exchange survives: process (a killed server) or power (a power cut too)
    #[arg(long, global = true, env = "COUNTERSIGN_LEDGER_DURABILITY", value_name = "DURABILITY")]
    ledger_durability: Option<String>,
    /// File of the master key
    #[arg(long, global = true, env = "COUNTERSIGN_MASTER_KEY_FILE", value_name = "FILE")]
    master_key_file: Option<String>,
    /// Ranges of proxies whose X-Forwarded-For is believed, separated by commas
    #[arg(long, global = true, env = "COUNTERSIGN_TRUSTED_PROXIES", value_name = "CIDR,…")]
    trusted_proxies: Option<String>,
    /// Origins of web pages that may call the built-in MCP server, separated by commas
    #[arg(long, global = true, env = "COUNTERSIGN_ALLOWED_ORIGINS", value_name = "ORIGIN,…")]
    allowed_origins: Option<String>,
    /// Hosts of token issuers, and of the OpenID provider, that may be asked over http and at private addresses, separated by commas
    #[arg(long, global = true, env = "COUNTERSIGN_PRIVATE_ISSUERS", value_name = "HOST[:PORT],…")]
    private_issuers: Option<String>,
    /// Hosts of webhooks that may be sent to over http and at private addresses, separated by commas
    #[arg(long, global = true, env = "COUNTERSIGN_PRIVATE_WEBHOOKS", value_name = "HOST[:PORT],…")]
    private_webhooks: Option<String>,
    /// Address and port of /metrics; not served when empty
    #[arg(long, global = true, env = "COUNTERSIGN_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    metrics_listen: Option<String>,
    /// Seconds for which servers may keep a token status list: how soon a revocation reaches them
    #[arg(long, global = true, env = "COUNTERSIGN_STATUS_LIST_TTL", value_name = "SECONDS")]
    status_list_ttl: Option<u64>,
    /// Hosts of clients' metadata documents that may be at private addresses, separated by commas
    #[arg(long, global = true, env = "COUNTERSIGN_PRIVATE_CLIENTS", value_name = "HOST[:PORT],…")]
    private_clients: Option<String>,
    /// Which interactive clients may register themselves: off, loopback, on or token
    #[arg(long, global = true, env = "COUNTERSIGN_DYNAMIC_REGISTRATION", value_name = "MODE")]
    dynamic_registration: Option<String>,
    /// File of the token that clients must bring to register themselves, when dynamic_registration is token
    #[arg(long, global = true, env = "COUNTERSIGN_INITIAL_ACCESS_TOKEN_FILE", value_name = "FILE")]
    initial_access_token_file: Option<String>,
    /// Whether a client may be known by the address of a document that describes it: off or on
    #[arg(long, global = true, env = "COUNTERSIGN_CLIENT_ID_METADATA_DOCUMENTS", value_name = "SWITCH")]
    client_id_metadata_documents: Option<String>,
    /// What happens to a secret that is reported as leaked: revoke or alert
    #[arg(long, global = true, env = "COUNTERSIGN_LEAK_POLICY", value_name = "POLICY")]
    leak_policy: Option<String>,
    /// File of the keys that sign reports of GitHub's secret scanning
    #[arg(long, global = true, env = "COUNTERSIGN_GITHUB_KEYS_FILE", value_name = "FILE")]
    github_keys_file: Option<String>,
    /// OpenID provider that people may sign in with: its issuer
    #[arg(long, global = true, env = "COUNTERSIGN_OPENID_ISSUER", value_name = "URL")]
    openid_issuer: Option<String>,
    /// The client ID that the OpenID provider gave
    #[arg(long, global = true, env = "COUNTERSIGN_OPENID_CLIENT_ID", value_name = "ID")]
    openid_client_id: Option<String>,
    /// File of the client secret that the OpenID provider gave
    #[arg(long, global = true, env = "COUNTERSIGN_OPENID_CLIENT_SECRET_FILE", value_name = "FILE")]
    openid_client_secret_file: Option<String>,
    /// What people call the OpenID provider
    #[arg(long, global = true, env = "COUNTERSIGN_OPENID_NAME", value_name = "NAME")]
    openid_name: Option<String>,
    /// Whether a first sign-in with OpenID may be connected by a verified email address: true or false
    #[arg(long, global = true, env = "COUNTERSIGN_OPENID_LINK_BY_EMAIL", value_name = "BOOLEAN")]
    openid_link_by_email: Option<bool>,
    /// What is logged: error, warn, info, debug, trace, or a filter
    #[arg(long, global = true, env = "COUNTERSIGN_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// text or json
    #[arg(long, global = true, env = "COUNTERSIGN_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<String>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one object a line.
    Json,
}

/// Settings, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The issuer, when it was set. Otherwise it follows from the port.
    pub public_url: Option<String>,
    /// Folder of the database and the master key.
    pub data_dir: PathBuf,
    /// Address of the database.
    pub database_url: DatabaseUrl,
    /// How the database is used.
    pub store: StoreOptions,
    /// File of the master key.
    pub master_key_file: PathBuf,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins of pages that may call the built-in MCP server.
    pub allowed_origins: Vec<String>,
    /// Hosts of issuers that may be asked over http and at private addresses.
    pub private_issuers: Vec<String>,
    /// Hosts of webhooks that may be sent to over http and at private addresses.
    pub private_webhooks: Vec<String>,
    /// Where to serve `/metrics`, if anywhere.
    pub metrics_listen: Option<SocketAddr>,
    /// How long servers may keep a token status list.
    pub status_list_ttl: Duration,
    /// Hosts of clients' documents that may be at private addresses.
    pub private_clients: Vec<String>,
    /// Which interactive clients may register themselves.
    pub dynamic_registration: DynamicRegistration,
    /// What they must bring.
    pub initial_access_token: Option<InitialAccessToken>,
    /// Whether a client may be known by the address of a document that describes it.
    pub client_id_metadata_documents: bool,
    /// What is done with reports of leaks.
    pub leak_reports: LeakReports,
    /// The OpenID provider that people may sign in with.
    pub openid: Option<OpenId>,
    /// Filter of the log.
    pub log: String,
    /// Form of the log.
    pub log_format: LogFormat,
}

/// An OpenID provider.
#[derive(Debug, Clone)]
pub struct OpenId {
    /// Who it is, and who we are there.
    pub provider: Provider,
    /// Hosts that may be asked over http and at private addresses on its behalf.
    pub private_hosts: Vec<String>,
}

/// A setting that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    setting: String,
    problem: String,
}

impl ConfigError {
    /// A problem with `setting`.
    pub fn new(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { setting: setting.into(), problem: problem.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.setting, self.problem)
    }
}

impl std::error::Error for ConfigError {}

impl Settings {
    /// Puts flags and environment over the file over the defaults, and checks the result.
    ///
    /// `file` is the one that was asked for; without it `countersign.toml` in the working directory is read if it is
    /// there.
    ///
    /// # Errors
    ///
    /// Names the setting and says what is wrong with it.
    pub fn resolve(self, file: Option<&Path>) -> Result<Config, ConfigError> {
        let defaults: Self = parse(DEFAULTS, "the defaults")?;
        let file = match file {
            Some(path) => Some((path.to_owned(), read(path)?)),
            None if Path::new(FILE).exists() => Some((PathBuf::from(FILE), read(Path::new(FILE))?)),
            None => None,
        };
        let from_file = match file {
            Some((path, text)) => parse(&text, &path.display().to_string())?,
            None => Self::default(),
        };
        let layered = self.over(from_file).over(defaults);
        layered.check()
    }

    fn over(self, lower: Self) -> Self {
        Self {
            listen: self.listen.or(lower.listen),
            public_url: self.public_url.or(lower.public_url),
            data_dir: self.data_dir.or(lower.data_dir),
            database_url: self.database_url.or(lower.database_url),
            database_connections: self.database_connections.or(lower.database_connections),
            ledger_durability: self.ledger_durability.or(lower.ledger_durability),
            master_key_file: self.master_key_file.or(lower.master_key_file),
            trusted_proxies: self.trusted_proxies.or(lower.trusted_proxies),
            allowed_origins: self.allowed_origins.or(lower.allowed_origins),
            private_issuers: self.private_issuers.or(lower.private_issuers),
            private_webhooks: self.private_webhooks.or(lower.private_webhooks),
            metrics_listen: self.metrics_listen.or(lower.metrics_listen),
            status_list_ttl: self.status_list_ttl.or(lower.status_list_ttl),
            private_clients: self.private_clients.or(lower.private_clients),
            dynamic_registration: self.dynamic_registration.or(lower.dynamic_registration),
            initial_access_token_file: self.initial_access_token_file.or(lower.initial_access_token_file),
            client_id_metadata_documents: self.client_id_metadata_documents.or(lower.client_id_metadata_documents),
            leak_policy: self.leak_policy.or(lower.leak_policy),
            github_keys_file: self.github_keys_file.or(lower.github_keys_file),
            openid_issuer: self.openid_issuer.or(lower.openid_issuer),
            openid_client_id: self.openid_client_id.or(lower.openid_client_id),
            openid_client_secret_file: self.openid_client_secret_file.or(lower.openid_client_secret_file),
            openid_name: self.openid_name.or(lower.openid_name),
            openid_link_by_email: self.openid_link_by_email.or(lower.openid_link_by_email),
            log: self.log.or(lower.log),
            log_format: self.log_format.or(lower.log_format),
        }
    }

    fn check(self) -> Result<Config, ConfigError> {
        let private_issuers = check_hosts("private_issuers", self.private_issuers.as_deref().unwrap_or_default())?;
        let openid = self.check_openid(&private_issuers)?;
        let listen = check_address("listen", &self.listen.unwrap_or_default())?;
        let metrics_listen = self.metrics_listen.filter(|address| !address.is_empty());
        let metrics_listen = metrics_listen.map(|address| check_address("metrics_listen", &address)).transpose()?;
        let public_url = self.public_url.filter(|url| !url.is_empty()).map(|url| check_public_url(&url)).transpose()?;
        if public_url.is_none() && !is_loopback_address(&listen) {
            return Err(ConfigError::new(
                "public_url",
                format!("must be set when {listen} is listened on: others reach it, and need an https address"),
            ));
        }
        let data_dir = PathBuf::from(self.data_dir.unwrap_or_default());
        let database_url = self
            .database_url
            .filter(|url| !url.is_empty())
            .unwrap_or_else(|| format!("sqlite://{}", data_dir.join("countersign.db").display()));
        let database_url =
            DatabaseUrl::parse(&database_url).map_err(|problem| ConfigError::new("database_url", problem))?;
        let store = StoreOptions {
            ledger_durability: match self.ledger_durability.as_deref() {
                Some("process") => LedgerDurability::Process,
                Some("power") => LedgerDurability::Power,
                _ => return Err(ConfigError::new("ledger_durability", "must be process or power")),
            },
            connections: match self.database_connections.unwrap_or_default() {
                connections @ StoreOptions::FEWEST_CONNECTIONS.. => connections,
                connections => {
                    let least = StoreOptions::FEWEST_CONNECTIONS;
                    let problem = format!("{connections} is not enough: a server needs at least {least}");
                    return Err(ConfigError::new("database_connections", problem));
                }
            },
            is_server: false,
        };
        let status_list_ttl = match self.status_list_ttl.unwrap_or_default() {
            seconds @ 1..=300 => Duration::from_secs(seconds),
            seconds => {
                return Err(ConfigError::new("status_list_ttl", format!("{seconds} is not between 1 and 300 seconds")));
            }
        };
        let dynamic_registration = DynamicRegistration::parse(&self.dynamic_registration.unwrap_or_default())
            .ok_or_else(|| ConfigError::new("dynamic_registration", "must be off, loopback, on or token"))?;
        let initial_access_token = initial_access_token(&self.initial_access_token_file.unwrap_or_default())?;
        if dynamic_registration == DynamicRegistration::Token && initial_access_token.is_none() {
            let problem =
                "must name a file when dynamic_registration is token, unless COUNTERSIGN_INITIAL_ACCESS_TOKEN is set";
            return Err(ConfigError::new("initial_access_token_file", problem));
        }
        let client_id_metadata_documents = match self.client_id_metadata_documents.as_deref() {
            Some("on") => true,
            Some("off") => false,
            _ => return Err(ConfigError::new("client_id_metadata_documents", "must be off or on")),
        };
        let leak_reports = LeakReports {
            policy: match self.leak_policy.as_deref() {
                Some("revoke") => Policy::Revoke,
                Some("alert") => Policy::Alert,
                _ => return Err(ConfigError::new("leak_policy", "must be revoke or alert")),
            },
            github_keys: check_github_keys(&self.github_keys_file.unwrap_or_default())?,
        };
        let log_format = match self.log_format.as_deref() {
            Some("text") => LogFormat::Text,
            Some("json") => LogFormat::Json,
            _ => return Err(ConfigError::new("log_format", "must be text or json")),
        };
        let log = self.log.unwrap_or_default();
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&log) {
            return Err(ConfigError::new("log", format!("“{log}” is not a filter: {error}")));
        }
        Ok(Config {
            listen,
            public_url,
            database_url,
            store,
            master_key_file: match self.master_key_file.filter(|file| !file.is_empty()) {
                Some(file) => PathBuf::from(file),
                None => data_dir.join("master.key"),
            },
            trusted_proxies: check_proxies(&self.trusted_proxies.unwrap_or_default())?,
            allowed_origins: check_origins(&self.allowed_origins.unwrap_or_default())?,
            private_issuers,
            private_webhooks: check_hosts("private_webhooks", &self.private_webhooks.unwrap_or_default())?,
            metrics_listen,
            status_list_ttl,
            private_clients: check_hosts("private_clients", &self.private_clients.unwrap_or_default())?,
            dynamic_registration,
            initial_access_token,
            client_id_metadata_documents,
            leak_reports,
            openid,
            data_dir,
            log,
            log_format,
        })
    }
}

impl Settings {
    /// The OpenID provider; none without an issuer, and then nothing else about one either.
    fn check_openid(&self, private_issuers: &[String]) -> Result<Option<OpenId>, ConfigError> {
        let set = |setting: &Option<String>| setting.clone().filter(|text| !text.is_empty());
        let (client_id, name) = (set(&self.openid_client_id), set(&self.openid_name));
        let secret_file = set(&self.openid_client_secret_file);
        let link_by_email = self.openid_link_by_email.unwrap_or_default();
        let Some(issuer) = set(&self.openid_issuer) else {
            let others = [
                ("openid_client_id", client_id.is_some()),
                ("openid_client_secret_file", secret_file.is_some()),
                ("openid_name", name.is_some()),
                ("openid_link_by_email", link_by_email),
            ];
            return match others.iter().find(|(_, is_set)| *is_set) {
                Some((other, _)) => Err(ConfigError::new("openid_issuer", format!("must be set with {other}"))),
                None => Ok(None),
            };
        };
        let (host, private_hosts) = check_openid_issuer(&issuer, private_issuers)?;
        let Some(client_id) = client_id else {
            return Err(ConfigError::new("openid_client_id", "must be set with openid_issuer"));
        };
        let name = name.unwrap_or(host);
        if name.chars().count() > LONGEST_OPENID_NAME || name.chars().any(char::is_control) {
            let problem = format!("must be at most {LONGEST_OPENID_NAME} printable characters");
            return Err(ConfigError::new("openid_name", problem));
        }
        let client_secret = openid_client_secret(secret_file)?;
        let provider = Provider { issuer, client_id, client_secret, name, link_by_email };
        Ok(Some(OpenId { provider, private_hosts }))
    }
}

/// The issuer's host, and the hosts that may be asked over http and at private addresses on its behalf.
fn check_openid_issuer(issuer: &str, private_issuers: &[String]) -> Result<(String, Vec<String>), ConfigError> {
    let wrong = |problem: &str| ConfigError::new("openid_issuer", format!("“{issuer}” {problem}"));
    let url = Url::parse(issuer).map_err(|_| wrong("is not a URL, such as https://login.example.com"))?;
    let Some(host) = url.host_str() else { return Err(wrong("has no host")) };
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("must be the issuer alone: no query, no fragment, no user"));
    }
    let mut private_hosts = private_issuers.to_vec();
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {
            private_hosts.push(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")));
        }
        "http" if policy::cover(private_issuers, &url) => {}
        "http" => return Err(wrong("must be https; list its host in private_issuers to allow http")),
        _ => return Err(wrong("must be https")),
    }
    Ok((host.to_owned(), private_hosts))
}

/// The client secret from the environment or the file; none: a public client.
fn openid_client_secret(file: Option<String>) -> Result<Option<Zeroizing<String>>, ConfigError> {
    let (setting, text) = match (std::env::var(OPENID_SECRET_VARIABLE), file) {
        (Ok(text), _) if !text.is_empty() => (OPENID_SECRET_VARIABLE, Zeroizing::new(text)),
        (_, Some(file)) => {
            let problem = |error| ConfigError::new("openid_client_secret_file", format!("{file}: {error}"));
            ("openid_client_secret_file", Zeroizing::new(std::fs::read_to_string(&file).map_err(problem)?))
        }
        (_, None) => return Ok(None),
    };
    match text.trim() {
        "" => Err(ConfigError::new(setting, "holds no secret")),
        secret => Ok(Some(Zeroizing::new(secret.to_owned()))),
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| ConfigError::new(path.display().to_string(), error.to_string()))
}

fn parse(text: &str, name: &str) -> Result<Settings, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        ConfigError::new(name, format!("line {line}: {}", error.message().replace('\n', " ")))
    })
}

/// Checks the issuer: an origin, https unless it is this machine. It is used byte for byte in every document and token,
/// so what would be normalised away is refused.
fn check_public_url(text: &str) -> Result<String, ConfigError> {
    let wrong = |problem: &str| ConfigError::new("public_url", format!("“{text}” {problem}"));
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

fn check_address(setting: &str, text: &str) -> Result<SocketAddr, ConfigError> {
    text.replacen("localhost:", "127.0.0.1:", 1).parse().map_err(|_| {
        ConfigError::new(setting, format!("“{text}” is not an address and a port, such as 127.0.0.1:8080"))
    })
}

fn is_loopback_address(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(domain)) => domain == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn check_proxies(text: &str) -> Result<Vec<IpNet>, ConfigError> {
    text.split(',')
        .map(str::trim)
        .filter(|range| !range.is_empty())
        .map(|range| {
            range
                .parse::<IpNet>()
                .or_else(|_| range.parse().map(|address: std::net::IpAddr| IpNet::from(address)))
                .map_err(|_| {
                    ConfigError::new("trusted_proxies", format!("“{range}” is not a range such as 10.0.0.0/8"))
                })
        })
        .collect()
}

fn check_origins(text: &str) -> Result<Vec<String>, ConfigError> {
    text.split(',')
        .map(str::trim)
        .filter(|origin| !origin.is_empty())
        .map(|origin| match Url::parse(origin) {
            // Compared byte for byte with what browsers send.
            Ok(url) if url.origin().ascii_serialization() == origin => Ok(origin.to_owned()),
            _ => Err(ConfigError::new(
                "allowed_origins",
                format!("“{origin}” is not an origin such as https://app.example.com"),
            )),
        })
        .collect()
}

fn check_github_keys(file: &str) -> Result<Vec<(String, PublicKey)>, ConfigError> {
    if file.is_empty() {
        return Ok(Vec::new());
    }
    let problem = |problem: String| ConfigError::new("github_keys_file", format!("{file}: {problem}"));
    let text = std::fs::read_to_string(file).map_err(|error| problem(error.to_string()))?;
    read_github_keys(&text).map_err(problem)
}

/// The token in this file, or in the environment, where operators keep secrets that come from elsewhere.
fn initial_access_token(file: &str) -> Result<Option<InitialAccessToken>, ConfigError> {
    let (setting, text) = match std::env::var(INITIAL_ACCESS_TOKEN) {
        Ok(text) if !text.is_empty() => (INITIAL_ACCESS_TOKEN, text),
        _ if file.is_empty() => return Ok(None),
        _ => {
            let setting = "initial_access_token_file";
            let read = std::fs::read_to_string(file);
            (setting, read.map_err(|error| ConfigError::new(setting, format!("{file}: {error}")))?)
        }
    };
    let token = InitialAccessToken::parse(Zeroizing::new(text).trim());
    let problem = format!("needs at least {} characters, without spaces", InitialAccessToken::SHORTEST);
    token.map(Some).ok_or_else(|| ConfigError::new(setting, problem))
}

fn check_hosts(setting: &str, text: &str) -> Result<Vec<String>, ConfigError> {
    text.split(',')
        .map(str::trim)
        .filter(|host| !host.is_empty())
        .map(|host| match Url::parse(&format!("http://{host}/")) {
            Ok(url) if url.path() == "/" && url.username().is_empty() => Ok(host.to_ascii_lowercase()),
            _ => Err(ConfigError::new(setting, format!("“{host}” is not a host such as gitlab.internal:8443"))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut Settings)) -> Result<Config, String> {
        let mut settings: Settings = parse(DEFAULTS, "the defaults").expect("the defaults parse");
        change(&mut settings);
        settings.check().map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let config = with(|_| {}).expect("valid");
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.public_url, None);
        assert_eq!(config.database_url.to_string(), "sqlite://./data/countersign.db");
        assert_eq!(config.store.ledger_durability, LedgerDurability::Process);
        assert_eq!(config.store.connections, StoreOptions::default().connections);
        assert_eq!(config.master_key_file, Path::new("./data/master.key"));
        assert_eq!((config.log.as_str(), config.log_format), ("info", LogFormat::Text));
        assert!(config.trusted_proxies.is_empty());
        assert_eq!(config.status_list_ttl, domain::model::settings::DEFAULT_STATUS_LIST_TTL);
    }

    #[test]
    fn the_issuer_is_an_origin_on_https_or_this_machine() {
        for good in
            ["https://auth.example.com", "https://auth.example.com:8443", "http://localhost:8080", "http://127.0.0.1"]
        {
            assert_eq!(
                with(|settings| settings.public_url = Some(good.into())).expect(good).public_url.as_deref(),
                Some(good)
            );
        }
        for wrong in [
            "auth.example.com",
            "http://auth.example.com",
            "https://auth.example.com/",
            "https://auth.example.com/mcp",
            "https://AUTH.example.com",
            "https://auth.example.com:443",
            "https://user@auth.example.com",
            "ftp://auth.example.com",
        ] {
            let error = with(|settings| settings.public_url = Some(wrong.into())).expect_err(wrong);
            assert!(error.starts_with("public_url: "), "{error}");
        }
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let error = with(|settings| settings.listen = Some("8080".into())).expect_err("no address");
        assert!(error.starts_with("listen: "), "{error}");
        let error = with(|settings| settings.listen = Some("0.0.0.0:8080".into())).expect_err("others reach it");
        assert!(error.starts_with("public_url: "), "{error}");
        let error = with(|settings| settings.log_format = Some("xml".into())).expect_err("no format");
        assert!(error.starts_with("log_format: "), "{error}");
        let error = with(|settings| settings.trusted_proxies = Some("10.0.0.0/8, proxy".into())).expect_err("no range");
        assert!(error.starts_with("trusted_proxies: "), "{error}");
        let error = with(|settings| settings.private_webhooks = Some("http://a".into())).expect_err("no host");
        assert!(error.starts_with("private_webhooks: "), "{error}");
        let error = with(|settings| settings.status_list_ttl = Some(0)).expect_err("no time");
        assert!(error.starts_with("status_list_ttl: "), "{error}");
        let error = with(|settings| settings.ledger_durability = Some("disk".into())).expect_err("no durability");
        assert!(error.starts_with("ledger_durability: "), "{error}");
        let error = with(|settings| settings.database_connections = Some(2)).expect_err("too few");
        assert!(error.starts_with("database_connections: "), "{error}");
        let error = with(|settings| settings.openid_issuer = Some("https://login.example".into())).expect_err("half");
        assert!(error.starts_with("openid_client_id: "), "{error}");
        for half in [
            |settings: &mut Settings| settings.openid_client_id = Some("us".into()),
            |settings: &mut Settings| settings.openid_client_secret_file = Some("secret".into()),
            |settings: &mut Settings| settings.openid_name = Some("Login".into()),
            |settings: &mut Settings| settings.openid_link_by_email = Some(true),
        ] {
            let error = with(half).expect_err("half");
            assert!(error.starts_with("openid_issuer: "), "{error}");
        }
        let error = parse("listne = \"x\"\n", "countersign.toml").expect_err("unknown").to_string();
        assert!(error.contains("line 1") && error.contains("listne"), "{error}");
    }

    #[test]
    fn an_openid_provider_is_on_https_on_this_machine_or_listed() {
        let openid = |issuer: &str| {
            with(|settings| {
                settings.openid_issuer = Some(issuer.into());
                settings.openid_client_id = Some("us".into());
                settings.private_issuers = Some("sso.internal:8443".into());
            })
            .map(|config| config.openid.expect("a provider"))
        };
        let public = openid("https://login.example.com/tenant/").expect("usable");
        assert_eq!(public.provider.issuer, "https://login.example.com/tenant/", "byte for byte");
        assert_eq!(public.provider.name, "login.example.com");
        assert_eq!(
            (public.private_hosts, public.provider.link_by_email),
            (vec!["sso.internal:8443".to_owned()], false)
        );
        let local = openid("http://127.0.0.1:9000").expect("this machine");
        assert_eq!(local.private_hosts, ["sso.internal:8443", "127.0.0.1:9000"]);
        assert!(openid("http://sso.internal:8443").is_ok());
        for wrong in [
            "login.example.com",
            "http://login.example.com",
            "http://sso.internal",
            "ftp://login.example.com",
            "https://login.example.com/?tenant=a",
            "https://login.example.com/#a",
            "https://us@login.example.com",
        ] {
            let error = openid(wrong).expect_err(wrong);
            assert!(error.starts_with("openid_issuer: "), "{error}");
        }
    }
}
