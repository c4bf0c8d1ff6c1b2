//! `countersign credential`

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use domain::clock::Timestamp;
use domain::context::Context;
use domain::credential::draft::{Draft, Expiry};
use domain::credential::generate::{Generated, generate};
use domain::credential::list::{self, Query};
use domain::credential::{Credential, CredentialError, Outcome, disable, inspect, revoke};
use domain::id::ClientId;
use domain::mcp_server;
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
    /// text, json or env
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
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

fn parse_duration(text: &str) -> Result<Duration, String> {
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
        .ok_or_else(|| ConfigError::new("CLIENT_ID", format!("“{text}” is not csc_ and 22 letters or digits")).into())
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

async fn create(context: &Context, arguments: Create) -> Result<(), CliError> {
    let draft = Draft {
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

/// What is printed of a new credential: with its secret, this once.
fn shown_once(context: &Context, generated: &Generated, format: Format) -> String {
    let (id, secret) = (&generated.credential.client_id, generated.secret.expose());
    let (endpoint, server) = (context.settings.token_endpoint(), &generated.server.resource);
    let expires_at = generated.expires_at.map(Timestamp::rfc3339);
    match format {
        Format::Json => {
            let object = json!({
                "client_id": id.as_str(),
                "client_secret": secret,
                "token_endpoint": endpoint,
                "issuer": context.settings.public_url,
                "mcp_server": server,
                "scope": generated.credential.scopes.to_string(),
                "expires_at": expires_at,
            });
            format!("{object:#}\n")
        }
        Format::Env => format!(
            "MCP_CLIENT_ID={id}\nMCP_CLIENT_SECRET={secret}\nMCP_TOKEN_URL={endpoint}\nMCP_SERVER_URL={server}\n"
        ),
        Format::Text => format!(
            "Client ID:      {id}\nClient secret:  {secret}\nToken endpoint: {endpoint}\nMCP server:     {server}\n\
             Scopes:         {}\nExpires:        {}\n\nThe secret is shown this once. Store it now.\n",
            generated.credential.scopes,
            expires_at.as_deref().unwrap_or("never"),
        ),
    }
}

async fn list_all(context: &Context, format: ListFormat) -> Result<(), CliError> {
    let mut query = Query::default();
    let mut rows = Vec::new();
    loop {
        let page = list::list(context, &query, 500).await.map_err(CliError::failed)?;
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
    })
}

async fn show(context: &Context, client_id: &str, format: ListFormat) -> Result<(), CliError> {
    let id = parse_id(client_id)?;
    let credential = inspect::find(context, &id)
        .await
        .map_err(CliError::failed)?
        .ok_or_else(|| CliError::failed(CredentialError::NotFound))?;
    let secrets = inspect::secrets(context, &id).await.map_err(CliError::failed)?;
    let servers = mcp_server::list(context).await.map_err(CliError::failed)?;
    let mut object = summary(&credential, context.now());
    object["description"] = json!(credential.description);
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
                    "expires_at": secret.expires_at.map(Timestamp::rfc3339),
                    "revoked_at": secret.revoked_at.map(Timestamp::rfc3339),
                    "last_used_at": secret.last_used_at.map(Timestamp::rfc3339),
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
        if name != "secrets" {
            println!("{:<16}{}", format!("{}:", name.replace('_', " ")), plain(value));
        }
    }
    for secret in object["secrets"].as_array().into_iter().flatten() {
        println!("secret:         {} {}", plain(&secret["hint"]), plain(&secret["id"]));
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
