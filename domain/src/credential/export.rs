//! The list as a file: who took it is in the audit log. The file holds no secret.

use serde_json::json;

use crate::prelude::{Action, Actor, Context, Event, Result};

/// Records that the actor takes a list as a file. `filter` says which credentials it has, as the address of the list
/// does; `credentials` is their number, when they were chosen one by one.
pub async fn record(
    context: &Context,
    actor: &Actor,
    format: &str,
    filter: &str,
    credentials: Option<usize>,
) -> Result<()> {
    let details = match credentials {
        Some(count) => json!({ "format": format, "credentials": count }),
        None => json!({ "format": format, "filter": filter }),
    };
    let change = context.begin_change().await?;
    change.commit(actor, &Event::of_instance(Action::CredentialsExported).with(details)).await
}
