//! `countersign credential`

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use domain::base::clock::Timestamp;
use domain::base::id::{ClientId, KeyId, TeamId};
use domain::context::Context;
use domain::credential::federated;
use domain::credential::generate::{Generated, generate};
use domain::credential::keys;
use domain::credential::list;
use domain::credential::rotate::{self, Overlap};
use domain::credential::{CredentialError, Outcome, disable, inspect, revoke};
use domain::crypto::public_key::KeyAlgorithm;
use domain::crypto::secret::PlainSecret;
use domain::model::authority::Authority;
use domain::model::credential::draft::{Draft, DraftProof, Expiry};
use domain::model::credential::federated::FederatedDraft;
use domain::model::credential::key::KeysDraft;
use domain::model::credential::query::Query;
use domain::model::credential::{AssertionRules, Credential};
use domain::model::team::Team;
use domain::person::team;
use domain::server;
use serde_json::json;

use super::admin::operator;
use super::{CliError, instance};
use crate::config::{Config, ConfigError};
use crate::mcp::status_word;

#[derive(Subcommand)]
pub enum Command {
    /// Generate a credential and print its secret, once
    Create(Box<Create>),
    /// List the credentials, newest first
    List {
        /// text or json
        #[arg(long, value_enum, default_value_t = ListFormat::Text)]
        format: ListFormat,
    },
    /// Show one credential
    Show {
        /// The credential
        client_id: String,
        /// text or json
        #[arg(long, value_enum, default_value_t = ListFormat::Text)]
        format: ListFormat,
    },
    /// Generate a second secret, print it once, and let the old one work for a while
    Rotate {
        /// The credential
        client_id: String,
        /// The new public key (PEM, JWK or JWKS), for a credential that has keys
        #[arg(long, value_name = "FILE")]
        public_key: Option<PathBuf>,
        /// How long the old secret goes on working: 15m, 24h, 7d; 0s ends it now
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = parse_duration)]
        overlap: Duration,
        /// How long the new secret works: 12h, 90d, never; as long as the old one when not given
        #[arg(long, value_name = "TIME", value_parser = parse_expiry)]
        expires_in: Option<Expiry>,
        /// text, json or env
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Give the old secret of a rotation another deadline
    ExtendRotation {
        /// The credential
        client_id: String,
        /// How long it goes on working from now: 24h, 7d
        #[arg(long, value_name = "TIME", value_parser = parse_duration)]
        overlap: Duration,
    },
    /// End the old secret of a rotation now
    FinishRotation {
        /// The credential
        client_id: String,
    },
    /// End the new secret of a rotation, and let the old one go on
    CancelRotation {
        /// The credential
        client_id: String,
    },
    /// Add a public key to a credential that has keys
    AddKey(AddKey),
    /// Remove a public key from a credential
    RemoveKey {
        /// The credential
        client_id: String,
        /// The key: key_ and 22 characters, as `show` prints it
        key_id: String,
    },
    /// Stop a credential, reversibly
    Disable {
        /// The credential
        client_id: String,
    },
    /// Let a disabled credential go on
    Enable {
        /// The credential
        client_id: String,
    },
    /// End a credential for ever
    Revoke {
        /// The credential
        client_id: String,
        /// Why; kept in the audit log
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Args)]
pub struct Create {
    /// The job or service that will use it
    #[arg(long)]
    name: String,
    /// What runs with it and whom to ask
    #[arg(long, default_value = "")]
    description: String,
    /// Name of the team that owns it; the first team when not given
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    /// Resource identifier of an MCP server; the built-in one when not given
    #[arg(long = "mcp-server", value_name = "URI")]
    mcp_servers: Vec<String>,
    /// A scope; the server's default when not given
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// How long the secret works: 12h, 90d, never
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = parse_expiry)]
    expires_in: Expiry,
    /// How long tokens live: 10m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    token_lifetime: Option<Duration>,
    /// From where it may be exchanged: a range such as 10.0.0.0/8
    #[arg(long = "allow-ip", value_name = "CIDR")]
    allow_ip: Vec<String>,
    /// A public key (PEM, JWK or JWKS): the program signs with the private half, and no secret is made
    #[arg(long, value_name = "FILE", conflicts_with = "federated_issuer")]
    public_key: Option<PathBuf>,
    /// The issuer of tokens that stand for the credential; no secret is made
    #[arg(long, value_name = "URL", requires = "federated_subject")]
    federated_issuer: Option<String>,
    /// Their subject; * stands for any text
    #[arg(long, value_name = "SUBJECT", requires = "federated_issuer")]
    federated_subject: Option<String>,
    /// Their audience; the address of this server when not given
    #[arg(long, value_name = "AUDIENCE", requires = "federated_issuer")]
    federated_audience: Option<String>,
    /// A further condition on them: claim=value
    #[arg(long = "federated-claim", value_name = "CLAIM=VALUE", requires = "federated_issuer")]
    federated_claims: Vec<String>,
    /// The issuer's keys (JWKS); fetched from the issuer when not given
    #[arg(long, value_name = "FILE", requires = "federated_issuer")]
    federated_jwks: Option<PathBuf>,
    /// Accept the token endpoint as audience of assertions, besides the issuer
    #[arg(long)]
    accept_token_endpoint_audience: bool,
    /// Accept the same assertion until it expires
    #[arg(long)]
    allow_reused_assertions: bool,
    /// Accept an assertion as the grant itself (RFC 7523)
    #[arg(long)]
    allow_jwt_bearer: bool,
    /// text, json or env
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Args)]
pub struct AddKey {
    /// The credential
    client_id: String,
    /// The key: PEM, JWK or JWKS
    #[arg(long, value_name = "FILE")]
    public_key: PathBuf,
    /// What to call it
    #[arg(long, default_value = "")]
    label: String,
    /// The algorithm to pin an RSA key to: RS256 (default), RS384, RS512 or PS256
    #[arg(long, value_name = "ALG", value_parser = parse_algorithm)]
    alg: Option<KeyAlgorithm>,
    /// How long the key works: 12h, 90d, never
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = parse_expiry)]
    expires_in: Expiry,
}

fn parse_algorithm(text: &str) -> Result<KeyAlgorithm, String> {
    KeyAlgorithm::parse(text)
        .ok_or_else(|| format!("write one of {}", KeyAlgorithm::ALL.map(KeyAlgorithm::as_str).join(", ")))
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    Text,
    Json,
    Env,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum ListFormat {
    Text,
    Json,
}

pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number and a unit: s, m, h or d, such as 90d".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return Err(wrong()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

fn parse_expiry(text: &str) -> Result<Expiry, String> {
    if text == "never" { Ok(Expiry::Never) } else { parse_duration(text).map(Expiry::After) }
}

pub async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    let context = instance::open(config).await?;
    let result = run_with(&context, command).await;
    context.close().await;
    result
}

async fn run_with(context: &Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::Create(arguments) => create(context, *arguments).await,
        Command::List { format } => list_all(context, format).await,
        Command::Show { client_id, format } => show(context, &client_id, format).await,
        Command::Rotate { client_id, public_key: Some(file), overlap, expires_in, .. } => {
            let id = parse_id(&client_id)?;
            let draft = KeysDraft { text: read_file("--public-key", &file)?, ..KeysDraft::default() };
            let (overlap, expiry) = (Overlap::For(overlap), expires_in.unwrap_or_default());
            for key in rotate::key(context, &operator(), &id, &draft, overlap, expiry).await.map_err(failure)? {
                println!("Added {key} to {id}; the others retire");
            }
            Ok(())
        }
        Command::Rotate { client_id, public_key: None, overlap, expires_in, format } => {
            let id = parse_id(&client_id)?;
            let overlap = Overlap::For(overlap);
            let generated = rotate::secret(context, &operator(), &id, overlap, expires_in, None).await;
            print!("{}", shown_once(context, &generated.map_err(failure)?, format));
            Ok(())
        }
        Command::ExtendRotation { client_id, overlap } => {
            let id = parse_id(&client_id)?;
            let result = rotate::extend(context, &operator(), &id, Overlap::For(overlap)).await;
            report(&id, "Changed the deadline of", result)
        }
        Command::FinishRotation { client_id } => {
            let id = parse_id(&client_id)?;
            report(&id, "Finished the rotation of", rotate::finish(context, &operator(), &id).await)
        }
        Command::CancelRotation { client_id } => {
            let id = parse_id(&client_id)?;
            report(&id, "Cancelled the rotation of", rotate::cancel(context, &operator(), &id).await)
        }
        Command::AddKey(arguments) => add_key(context, arguments).await,
        Command::RemoveKey { client_id, key_id } => {
            let id = parse_id(&client_id)?;
            let key = KeyId::parse(&key_id)
                .ok_or_else(|| ConfigError::new("KEY_ID", format!("“{key_id}” is not key_ and 22 characters")))?;
            keys::remove(context, &operator(), &id, &key).await.map_err(failure)?;
            println!("Removed {key} from {id}");
            Ok(())
        }
        Command::Disable { client_id } => {
            let id = parse_id(&client_id)?;
            report(&id, "Disabled", disable::disable(context, &operator(), &id).await)
        }
        Command::Enable { client_id } => {
            let id = parse_id(&client_id)?;
            report(&id, "Enabled", disable::enable(context, &operator(), &id).await)
        }
        Command::Revoke { client_id, reason } => {
            let id = parse_id(&client_id)?;
            report(&id, "Revoked", revoke::revoke(context, &operator(), &id, &reason).await)
        }
    }
}

fn parse_id(text: &str) -> Result<ClientId, CliError> {
    ClientId::parse(text)
        .ok_or_else(|| ConfigError::new("CLIENT_ID", format!("“{text}” is not the identifier of a credential")).into())
}

fn failure(error: CredentialError) -> CliError {
    match error {
        CredentialError::Invalid(errors) => {
            let problems: Vec<String> = errors
                .into_iter()
                .map(|error| format!("--{}: {}", error.field.replace('_', "-"), error.message))
                .collect();
            ConfigError::new("credential", problems.join(" ")).into()
        }
        error => CliError::failed(error),
    }
}

fn report(id: &ClientId, done: &str, result: Result<Outcome, CredentialError>) -> Result<(), CliError> {
    match result.map_err(failure)? {
        Outcome::Changed(seq) => println!("{done} {id} (audit entry {seq})"),
        Outcome::Unchanged => println!("{id} was so already; nothing was changed"),
    }
    Ok(())
}

fn read_file(setting: &str, path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path)
        .map_err(|error| ConfigError::new(setting, format!("{}: {error}", path.display())).into())
}

async fn add_key(context: &Context, arguments: AddKey) -> Result<(), CliError> {
    let id = parse_id(&arguments.client_id)?;
    let text = read_file("--public-key", &arguments.public_key)?;
    let draft = KeysDraft { text, label: arguments.label, algorithm: arguments.alg };
    for key in keys::add(context, &operator(), &id, &draft, arguments.expires_in).await.map_err(failure)? {
        println!("Added {key} to {id}");
    }
    Ok(())
}

/// How the new credential proves itself.
fn proof(arguments: &Create) -> Result<DraftProof, CliError> {
    if let Some(path) = &arguments.public_key {
        let text = read_file("--public-key", path)?;
        return Ok(DraftProof::Keys(KeysDraft { text, ..KeysDraft::default() }));
    }
    let (Some(issuer), Some(subject)) = (&arguments.federated_issuer, &arguments.federated_subject) else {
        return Ok(DraftProof::Secret);
    };
    let jwks = match &arguments.federated_jwks {
        Some(path) => read_file("--federated-jwks", path)?,
        None => String::new(),
    };
    let split = |claim: &String| {
        let (name, value) = claim.split_once('=').unwrap_or((claim, ""));
        (name.to_owned(), value.to_owned())
    };
    Ok(DraftProof::Federated(FederatedDraft {
        issuer: issuer.clone(),
        subject: subject.clone(),
        audience: arguments.federated_audience.clone().unwrap_or_default(),
        claims: arguments.federated_claims.iter().map(split).collect(),
        jwks,
    }))
}

async fn create(context: &Context, arguments: Create) -> Result<(), CliError> {
    let proof = proof(&arguments)?;
    let team = match &arguments.team {
        Some(name) => Some(team_named(context, name).await?),
        None => None,
    };
    let draft = Draft {
        team,
        proof,
        assertions: AssertionRules {
            token_endpoint_audience: arguments.accept_token_endpoint_audience,
            reusable: arguments.allow_reused_assertions,
            jwt_bearer: arguments.allow_jwt_bearer,
        },
        name: arguments.name,
        description: arguments.description,
        servers: arguments.mcp_servers,
        scopes: arguments.scopes,
        expiry: arguments.expires_in,
        token_lifetime: arguments.token_lifetime,
        ip_ranges: arguments.allow_ip,
    };
    let generated = generate(context, &operator(), &draft, None).await.map_err(failure)?;
    print!("{}", shown_once(context, &generated, arguments.format));
    Ok(())
}

async fn team_named(context: &Context, name: &str) -> Result<TeamId, CliError> {
    let teams = team::list(context, &Authority::Everything).await.map_err(CliError::failed)?;
    let is_meant = |team: &&Team| team.name.to_lowercase() == name.to_lowercase();
    let found = teams.iter().find(is_meant).map(|team| team.id.clone());
    found.ok_or_else(|| {
        let names: Vec<&str> = teams.iter().map(|team| team.name.as_str()).collect();
        ConfigError::new("--team", format!("there is no team {name}; there is {}", names.join(", "))).into()
    })
}

/// What is printed of a new credential: with its secret, if it has one, this once.
fn shown_once(context: &Context, generated: &Generated, format: Format) -> String {
    let id = &generated.credential.client_id;
    let secret = generated.secret.as_ref().map(PlainSecret::expose);
    let (endpoint, server) = (context.settings.token_endpoint(), &generated.server.resource);
    let expires_at = generated.expires_at.map(Timestamp::rfc3339);
    match format {
        Format::Json => {
            let mut object = json!({
                "client_id": id.as_str(),
                "token_endpoint": endpoint,
                "issuer": context.settings.public_url,
                "mcp_server": server,
                "scope": generated.credential.scopes.to_string(),
                "expires_at": expires_at,
            });
            if let Some(secret) = secret {
                object["client_secret"] = json!(secret);
            }
            format!("{object:#}\n")
        }
        Format::Env => {
            let secret = secret.map(|secret| format!("MCP_CLIENT_SECRET={secret}\n")).unwrap_or_default();
            format!("MCP_CLIENT_ID={id}\n{secret}MCP_TOKEN_URL={endpoint}\nMCP_SERVER_URL={server}\n")
        }
        Format::Text => {
            let line = secret.map(|secret| format!("Client secret:  {secret}\n")).unwrap_or_default();
            let last = secret.map_or("", |_| "\nThe secret is shown this once. Store it now.\n");
            format!(
                "Client ID:      {id}\n{line}Token endpoint: {endpoint}\nMCP server:     {server}\n\
                 Scopes:         {}\nExpires:        {}\n{last}",
                generated.credential.scopes,
                expires_at.as_deref().unwrap_or("never"),
            )
        }
    }
}

async fn list_all(context: &Context, format: ListFormat) -> Result<(), CliError> {
    let mut query = Query::default();
    let mut rows = Vec::new();
    loop {
        let page = list::list(context, &Authority::Everything, &query, 500).await.map_err(CliError::failed)?;
        rows.extend(page.credentials);
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    let now = context.now();
    match format {
        ListFormat::Json => {
            let objects: Vec<_> = rows.iter().map(|row| summary(row, now)).collect();
            println!("{:#}", json!(objects));
        }
        ListFormat::Text if rows.is_empty() => println!("No credentials yet."),
        ListFormat::Text => {
            for row in &rows {
                println!(
                    "{}  {:<10}  {:<20}  {}",
                    row.client_id,
                    status_word(row.status(now)),
                    row.last_used_at.map_or_else(|| "never used".to_owned(), Timestamp::rfc3339),
                    row.name
                );
            }
        }
    }
    Ok(())
}

fn summary(credential: &Credential, now: Timestamp) -> serde_json::Value {
    json!({
        "client_id": credential.client_id.as_str(),
        "name": credential.name,
        "status": status_word(credential.status(now)),
        "scope": credential.scopes.to_string(),
        "created_at": credential.created_at.rfc3339(),
        "expires_at": credential.ends_at.map(Timestamp::rfc3339),
        "last_used_at": credential.last_used_at.map(Timestamp::rfc3339),
        "last_used_from": credential.last_used_from.map(|address| address.to_string()),
        "last_used_agent": credential.last_used_agent,
    })
}

async fn show(context: &Context, client_id: &str, format: ListFormat) -> Result<(), CliError> {
    let id = parse_id(client_id)?;
    let credential = inspect::find(context, &Authority::Everything, &id)
        .await
        .map_err(CliError::failed)?
        .ok_or_else(|| CliError::failed(CredentialError::NotFound))?;
    let secrets = inspect::secrets(context, &id).await.map_err(CliError::failed)?;
    let servers = server::list(context).await.map_err(CliError::failed)?;
    let mut object = summary(&credential, context.now());
    object["description"] = json!(credential.description);
    let teams = team::list(context, &Authority::Everything).await.map_err(CliError::failed)?;
    object["team"] = json!(teams.iter().find(|team| team.id == credential.team).map(|team| &team.name));
    object["created_by"] = json!(credential.created_by);
    object["mcp_servers"] = json!(
        servers
            .iter()
            .filter(|server| credential.servers.contains(&server.id))
            .map(|server| &server.resource)
            .collect::<Vec<_>>()
    );
    object["token_lifetime"] = json!(credential.token_lifetime.map(|lifetime| lifetime.as_secs()));
    object["ip_ranges"] = json!(credential.ip_ranges.iter().map(ToString::to_string).collect::<Vec<_>>());
    object["revoke_reason"] = json!(credential.revoke_reason);
    object["secrets"] = json!(
        secrets
            .iter()
            .map(|secret| {
                json!({
                    "id": secret.id.as_str(),
                    "hint": format!("css_…{}", secret.hint),
                    "created_at": secret.created_at.rfc3339(),
                    "expires_at": secret.end().moment().map(Timestamp::rfc3339),
                    "revoked_at": secret.revoked_at.map(Timestamp::rfc3339),
                    "last_used_at": secret.last_used_at.map(Timestamp::rfc3339),
                })
            })
            .collect::<Vec<_>>()
    );
    object["auth_method"] = json!(credential.auth_method.as_str());
    let keys = keys::list(context, &id).await.map_err(CliError::failed)?;
    object["keys"] = json!(
        keys.iter()
            .map(|key| {
                json!({
                    "id": key.id.as_str(),
                    "label": key.label,
                    "alg": key.key.algorithm().as_str(),
                    "thumbprint": key.key.thumbprint(),
                    "created_at": key.created_at.rfc3339(),
                    "expires_at": key.end().moment().map(Timestamp::rfc3339),
                    "removed_at": key.revoked_at.map(Timestamp::rfc3339),
                    "last_used_at": key.last_used_at.map(Timestamp::rfc3339),
                })
            })
            .collect::<Vec<_>>()
    );
    let identities = federated::list(context, &id).await.map_err(CliError::failed)?;
    object["identities"] = json!(
        identities
            .iter()
            .map(|identity| {
                json!({
                    "id": identity.id.as_str(),
                    "issuer": identity.issuer,
                    "subject": identity.subject,
                    "audience": identity.audience,
                    "claims": identity.claims,
                    "removed_at": identity.revoked_at.map(Timestamp::rfc3339),
                    "last_used_at": identity.last_used_at.map(Timestamp::rfc3339),
                })
            })
            .collect::<Vec<_>>()
    );
    match format {
        ListFormat::Json => println!("{object:#}"),
        ListFormat::Text => print_text(&object),
    }
    Ok(())
}

/// An object as aligned lines; lists of objects as one line each.
fn print_text(object: &serde_json::Value) {
    use serde_json::Value;
    let plain = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    for (name, value) in object.as_object().into_iter().flatten() {
        if !matches!(name.as_str(), "secrets" | "keys" | "identities") {
            println!("{:<16}{}", format!("{}:", name.replace('_', " ")), plain(value));
        }
    }
    for secret in object["secrets"].as_array().into_iter().flatten() {
        println!("secret:         {} {}", plain(&secret["hint"]), plain(&secret["id"]));
    }
    for key in object["keys"].as_array().into_iter().flatten() {
        println!("key:            {} {} {}", plain(&key["id"]), plain(&key["alg"]), plain(&key["label"]));
    }
    for identity in object["identities"].as_array().into_iter().flatten() {
        println!("identity:       {} {}", plain(&identity["issuer"]), plain(&identity["subject"]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(parse_duration("90d"), Ok(Duration::from_secs(90 * 86_400)));
        assert_eq!(parse_duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse_expiry("never"), Ok(Expiry::Never));
        for wrong in ["", "d", "90", "-1d", "1y", "1.5h", "99999999999999999999d", "9ü"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
