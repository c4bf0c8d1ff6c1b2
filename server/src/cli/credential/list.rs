//! `countersign credential list`

use domain::base::clock::Timestamp;
use domain::context::Context;
use domain::credential::list;
use domain::model::credential::Credential;
use domain::model::credential::query::Query;
use domain::model::person::authority::Authority;
use serde_json::{Value, json};

use crate::cli::shared::error::CliError;
use crate::cli::shared::output::Format;
use crate::mcp::status_word;

/// Number of credentials that are read at a time.
const PAGE: u16 = 500;

pub(super) async fn run(context: &Context, format: Format) -> Result<(), CliError> {
    let mut query = Query::default();
    let mut rows = Vec::new();
    loop {
        let page = list::list(context, &Authority::Everything, &query, PAGE).await.map_err(CliError::failed)?;
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

/// The fields of a credential in a list.
pub(super) fn summary(credential: &Credential, now: Timestamp) -> Value {
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
