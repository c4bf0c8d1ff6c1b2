//! `countersign credential show`

use domain::base::clock::Timestamp;
use domain::base::id::ClientId;
use domain::context::Context;
use domain::credential::{CredentialError, federated, inspect, keys};
use domain::model::credential::usage::Period;
use domain::model::person::authority::Authority;
use domain::server::{self, gateway};
use serde_json::{Value, json};

use crate::cli::shared::{CliError, Format, call_objects, line};
use crate::credential_export::Names;

/// `credential show`
pub(super) async fn show(context: &Context, id: &ClientId, format: Format) -> Result<(), CliError> {
    let credential = inspect::find(context, &Authority::Everything, id).await?.ok_or(CredentialError::NotFound)?;
    let mut object = Names::read(context, &Authority::Everything).await?.object(&credential, context.now());
    object["description"] = json!(credential.description);
    object["notes"] = json!(credential.notes);
    object["token_lifetime"] = json!(credential.token_lifetime.map(|lifetime| lifetime.as_secs()));
    object["ip_ranges"] = credential.ip_ranges.iter().map(ToString::to_string).collect();
    object["revoke_reason"] = json!(credential.revoke_reason);
    object["secrets"] = secrets(context, id).await?;
    object["keys"] = public_keys(context, id).await?;
    object["identities"] = identities(context, id).await?;
    object["calls"] = calls(context, id).await?;
    match format {
        Format::Json => println!("{object:#}"),
        Format::Text => print!("{}", text(&object)),
    }
    Ok(())
}

/// What the credential called through the gateway in 90 days.
async fn calls(context: &Context, id: &ClientId) -> Result<Value, CliError> {
    let since = Period::Quarter.first_hour(context.now());
    let calls = gateway::usage::of_caller(context, id.as_str(), "", since).await?;
    Ok(call_objects(&calls, &server::list(context).await?))
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
const LISTS: [(&str, &str, &[&str]); 4] = [
    ("secrets", "secret", &["hint", "id"]),
    ("keys", "key", &["id", "alg", "label"]),
    ("identities", "identity", &["issuer", "subject"]),
    ("calls", "called", &["calls", "name", "mcp_server", "outcome", "last_at"]),
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
