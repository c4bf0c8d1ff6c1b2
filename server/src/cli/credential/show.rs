//! `countersign credential list` and `show`

use domain::base::clock::Timestamp;
use domain::base::id::ClientId;
use domain::context::Context;
use domain::credential::{CredentialError, federated, inspect, keys, list};
use domain::model::credential::Credential;
use domain::model::credential::query::Query;
use domain::model::person::authority::Authority;
use domain::person::team;
use domain::server;
use serde_json::{Value, json};

use crate::cli::shared::{CliError, Format, line};
use crate::mcp::status_word;

/// Number of credentials that are read at a time.
const PAGE: u16 = 500;

/// `credential list`
pub(super) async fn list(context: &Context, format: Format) -> Result<(), CliError> {
    let mut query = Query::default();
    let mut rows = Vec::new();
    loop {
        let page = list::list(context, &Authority::Everything, &query, PAGE).await?;
        rows.extend(page.credentials);
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    let now = context.now();
    match format {
        Format::Json => {
            let objects: Vec<_> = rows.iter().map(|row| summary(row, now)).collect();
            println!("{:#}", json!(objects));
        }
        Format::Text if rows.is_empty() => println!("No credentials yet."),
        Format::Text => {
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

fn summary(credential: &Credential, now: Timestamp) -> Value {
    json!({
        "client_id": credential.client_id.as_str(),
        "name": credential.name,
        "status": status_word(credential.status(now)),
        "scope": credential.scopes.to_string(),
        "owner": credential.owner.as_ref().map(|owner| &owner.name),
        "owner_id": credential.owner.as_ref().map(|owner| owner.id.as_str()),
        "tags": credential.tags,
        "created_at": credential.created_at.rfc3339(),
        "expires_at": credential.ends_at.map(Timestamp::rfc3339),
        "last_used_at": credential.last_used_at.map(Timestamp::rfc3339),
        "last_used_from": credential.last_used_from.map(|address| address.to_string()),
        "last_used_agent": credential.last_used_agent,
    })
}

/// `credential show`
pub(super) async fn show(context: &Context, id: &ClientId, format: Format) -> Result<(), CliError> {
    let credential = inspect::find(context, &Authority::Everything, id).await?.ok_or(CredentialError::NotFound)?;
    let mut object = summary(&credential, context.now());
    object["description"] = json!(credential.description);
    object["notes"] = json!(credential.notes);
    object["team"] = team_name(context, &credential).await?;
    object["created_by"] = json!(credential.created_by);
    object["mcp_servers"] = resources(context, &credential).await?;
    object["token_lifetime"] = json!(credential.token_lifetime.map(|lifetime| lifetime.as_secs()));
    object["ip_ranges"] = credential.ip_ranges.iter().map(ToString::to_string).collect();
    object["revoke_reason"] = json!(credential.revoke_reason);
    object["secrets"] = secrets(context, id).await?;
    object["auth_method"] = json!(credential.auth_method.as_str());
    object["keys"] = public_keys(context, id).await?;
    object["identities"] = identities(context, id).await?;
    match format {
        Format::Json => println!("{object:#}"),
        Format::Text => print!("{}", text(&object)),
    }
    Ok(())
}

async fn team_name(context: &Context, credential: &Credential) -> Result<Value, CliError> {
    let teams = team::list(context, &Authority::Everything).await?;
    Ok(json!(teams.iter().find(|team| team.id == credential.team).map(|team| &team.name)))
}

async fn resources(context: &Context, credential: &Credential) -> Result<Value, CliError> {
    let servers = server::list(context).await?;
    let own = servers.into_iter().filter(|server| credential.servers.contains(&server.id));
    Ok(own.map(|server| server.resource).collect())
}

async fn secrets(context: &Context, id: &ClientId) -> Result<Value, CliError> {
    let rows = inspect::secrets(context, id).await?.into_iter().map(|secret| {
        json!({
            "id": secret.id.as_str(),
            "hint": format!("css_…{}", secret.hint),
            "created_at": secret.created_at.rfc3339(),
            "expires_at": secret.end().moment().map(Timestamp::rfc3339),
            "revoked_at": secret.revoked_at.map(Timestamp::rfc3339),
            "last_used_at": secret.last_used_at.map(Timestamp::rfc3339),
            "last_used_from": secret.last_used_from.map(|address| address.to_string()),
        })
    });
    Ok(rows.collect())
}

async fn public_keys(context: &Context, id: &ClientId) -> Result<Value, CliError> {
    let rows = keys::list(context, id).await?.into_iter().map(|key| {
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
    });
    Ok(rows.collect())
}

async fn identities(context: &Context, id: &ClientId) -> Result<Value, CliError> {
    let rows = federated::list(context, id).await?.into_iter().map(|identity| {
        json!({
            "id": identity.id.as_str(),
            "issuer": identity.issuer,
            "subject": identity.subject,
            "audience": identity.audience,
            "claims": identity.claims,
            "removed_at": identity.revoked_at.map(Timestamp::rfc3339),
            "last_used_at": identity.last_used_at.map(Timestamp::rfc3339),
        })
    });
    Ok(rows.collect())
}

/// Lists of the credential, printed in text with one row a line, and the text of a row.
const LISTS: [(&str, &str, &[&str]); 3] = [
    ("secrets", "secret", &["hint", "id"]),
    ("keys", "key", &["id", "alg", "label"]),
    ("identities", "identity", &["issuer", "subject"]),
];

/// Prints an object as aligned lines, then its lists.
fn text(object: &Value) -> String {
    let plain = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    let is_list = |name: &str| LISTS.iter().any(|(list, ..)| *list == name);
    let fields = object.as_object().into_iter().flatten().filter(|(name, _)| !is_list(name));
    let mut lines: Vec<String> = fields.map(|(name, value)| line(&name.replace('_', " "), plain(value))).collect();
    for (list, name, columns) in LISTS {
        for row in object[list].as_array().into_iter().flatten() {
            let cells: Vec<String> = columns.iter().map(|column| plain(&row[*column])).collect();
            lines.push(line(name, cells.join(" ")));
        }
    }
    lines.concat()
}
