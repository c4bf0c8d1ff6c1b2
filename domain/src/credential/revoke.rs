//! Ending a credential for ever, with every secret it has.

use serde_json::json;

use super::draft::check_reason;
use super::{CredentialError, Outcome};
use crate::actor::Actor;
use crate::audit::Event;
use crate::context::Context;
use crate::error::FieldError;
use crate::id::ClientId;
use crate::store;

/// Revokes the credential. When this returns the change is on disk: no exchange that begins later succeeds, and
/// the built-in MCP server refuses every token of it.
pub async fn revoke(
    context: &Context,
    actor: &Actor,
    client_id: &ClientId,
    reason: &str,
) -> Result<Outcome, CredentialError> {
    let reason = check_reason(reason)
        .map_err(|message| CredentialError::Invalid(vec![FieldError { field: "reason", message }]))?;
    let now = context.now();
    let mut change = context.begin_change().await?;
    let credential =
        store::credentials::find_in(change.transaction(), client_id).await?.ok_or(CredentialError::NotFound)?;
    if credential.revoked_at.is_some() {
        return Ok(Outcome::Unchanged);
    }
    store::credentials::revoke(change.transaction(), client_id, now, reason.as_deref()).await?;
    let event = Event::new("credential.revoked", "credential", client_id.as_str(), &credential.name)
        .with(json!({ "reason": reason }));
    Ok(Outcome::Changed(change.commit(actor, &event).await?))
}
