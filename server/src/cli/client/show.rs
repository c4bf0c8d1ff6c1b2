//! `countersign client list` and `show`

use domain::base::clock::Timestamp;
use domain::client::{self, consent};
use domain::context::Context;
use domain::model::client::consent::ListedConsent;
use domain::model::client::keys::KeySource;
use domain::model::client::{AppClient, ClientQuery};
use domain::model::person::authority::Authority;
use domain::server;
use serde_json::{Value, json};

use crate::cli::shared::{CliError, Format, line};

/// Number of clients that are read at a time.
const PAGE: u16 = 500;
/// How many people's access `client show` names.
const NAMED: u16 = 100;

fn object(client: &AppClient) -> Value {
    let uris: Vec<&str> = client.redirect_uris.iter().map(|uri| uri.as_str()).collect();
    json!({
        "client_id": client.id.as_str(),
        "name": client.name,
        "kind": client.kind.as_str(),
        "confidential": client.is_confidential(),
        "jwks_uri": match client.key_source() {
            Some(KeySource::At(address)) => Some(address),
            _ => None,
        },
        "redirect_uris": uris,
        "device_grant": client.device_grant_since.is_some(),
        "created_at": client.created_at.rfc3339(),
        "created_by": client.created_by,
        "last_used_at": client.last_used_at.map(Timestamp::rfc3339),
        "disabled_at": client.disabled_at.map(Timestamp::rfc3339),
        "removed_at": client.removed_at.map(Timestamp::rfc3339),
    })
}

fn last_token(client: &AppClient) -> String {
    client.last_used_at.map_or_else(|| "never".to_owned(), Timestamp::rfc3339)
}

/// `client list`
pub(super) async fn list(context: &Context, search: Option<String>, format: Format) -> Result<(), CliError> {
    let mut query = ClientQuery { search, ..ClientQuery::default() };
    let mut clients: Vec<AppClient> = Vec::new();
    loop {
        let page = client::list(context, &query, PAGE).await?;
        query.after = page.last().filter(|_| page.len() == usize::from(PAGE)).map(AppClient::cursor);
        clients.extend(page);
        if query.after.is_none() {
            break;
        }
    }
    match format {
        Format::Json => println!("{:#}", json!(clients.iter().map(object).collect::<Vec<_>>())),
        Format::Text => {
            for client in &clients {
                let (kind, disabled) = (client.kind.as_str(), client.disabled_at.map_or("", |_| " (disabled)"));
                println!("{}  {kind:<10}  {:<20}  {}{disabled}", client.id, last_token(client), client.name);
            }
        }
    }
    Ok(())
}

/// `client show`
pub(super) async fn show(context: &Context, client: &AppClient, format: Format) -> Result<(), CliError> {
    let (grants, count) = consent::list_of_client(context, &Authority::Everything, &client.id, None, NAMED).await?;
    let servers = server::list(context).await?;
    let server_of = |listed: &ListedConsent| {
        let found = servers.iter().find(|server| server.id == listed.consent.server_id);
        found.map(|server| server.resource.clone()).unwrap_or_default()
    };
    match format {
        Format::Json => {
            let grant = |listed: &ListedConsent| {
                json!({
                    "person": listed.person_name,
                    "resource": server_of(listed),
                    "scope": listed.consent.scopes.to_string(),
                    "allowed_at": listed.consent.created_at.rfc3339(),
                    "last_used_at": listed.consent.last_used_at.rfc3339(),
                    "expires_at": listed.consent.expires_at.rfc3339(),
                })
            };
            let mut object = object(client);
            object["grants"] = json!(count);
            object["newest_grants"] = grants.iter().map(grant).collect();
            println!("{object:#}");
        }
        Format::Text => {
            print!("{}{}", line("Client ID", &client.id), line("Name", &client.name));
            print!("{}", line("Kind", client.kind.as_str()));
            client.redirect_uris.iter().for_each(|uri| print!("{}", line("Redirects to", uri.as_str())));
            if let Some(since) = client.device_grant_since {
                print!("{}", line("Device grant", format!("since {}", since.rfc3339())));
            }
            if let Some(since) = client.disabled_at {
                print!("{}", line("Disabled", format!("since {}", since.rfc3339())));
            }
            print!("{}", line("Created", format!("{} by {}", client.created_at.rfc3339(), client.created_by)));
            print!(
                "{}{}",
                line("Last token", last_token(client)),
                line("Access", format!("{count} people’s consents"))
            );
            for listed in &grants {
                println!(
                    "  {}  {}  {}  {}",
                    listed.consent.last_used_at.rfc3339(),
                    listed.person_name,
                    server_of(listed),
                    listed.consent.scopes
                );
            }
        }
    }
    Ok(())
}
