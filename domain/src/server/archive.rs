//! The end of an MCP server. An archived server gets no new tokens, and can be taken back. Only an archived server can
//! be removed, and only when nothing refers to it.

use serde_json::json;

use crate::base::id::McpServerId;
use crate::model::person::authority::Authority;
use crate::model::server::McpServer;
use crate::model::server::callers::CallerCounts;
use crate::prelude::{Action, Actor, Change, Context, Fault, FieldError};
use crate::server::{McpServerError, begin_for, callers};
use crate::store;
use crate::store::server::callers as rows;

/// The error of the form as a whole.
fn problem(words: &str) -> McpServerError {
    FieldError::new("main", words).into()
}

/// Archives the server. When this returns, exchanges, refreshes, new consents and uses of personal tokens for it are
/// refused. Access tokens that were issued before live until they end or are revoked: a program in the middle of its
/// work finishes it, and whoever must stop it at once revokes the credential. Does nothing when the server is archived
/// already. Only administrators may do this.
pub async fn archive(context: &Context, actor: &Actor, id: &McpServerId) -> Result<(), McpServerError> {
    let (mut change, server) = begin_for(context, actor, id).await?;
    if server.built_in {
        return Err(problem("The built-in server is part of Countersign. It cannot be archived."));
    }
    if server.is_archived() {
        return Ok(());
    }
    let now = change.now();
    store::server::set_archived(&mut change, id, Some(now)).await?;
    Ok(change.commit(actor, &server.event(Action::McpServerArchived)).await?)
}

/// Takes the server back: it gets tokens again. Only administrators may do this.
pub async fn unarchive(context: &Context, actor: &Actor, id: &McpServerId) -> Result<(), McpServerError> {
    let (mut change, server) = begin_for(context, actor, id).await?;
    if !server.is_archived() {
        return Ok(());
    }
    store::server::set_archived(&mut change, id, None).await?;
    Ok(change.commit(actor, &server.event(Action::McpServerUnarchived)).await?)
}

/// What keeps an archived server from being removed.
pub async fn obstacles(context: &Context, server: &McpServer) -> Result<CallerCounts, Fault> {
    Ok(callers::count(context, &Authority::Everything, server).await?.all)
}

/// Removes the server for good. It must be archived, and no credential that is not revoked, no live consent and no live
/// personal token may refer to it: the identifiers that they hold would mean nothing. Entries of the audit log and of
/// the ledger stay. Only administrators may do this.
pub async fn remove(context: &Context, actor: &Actor, id: &McpServerId) -> Result<(), McpServerError> {
    let (mut change, server) = begin_for(context, actor, id).await?;
    if !server.is_archived() {
        return Err(problem("Archive the server first. Only an archived server can be removed."));
    }
    if is_referred_to(&mut change, id).await? {
        return Err(problem("Credentials, apps or personal tokens still refer to this server. End them first."));
    }
    store::server::remove(&mut change, id).await?;
    let event = server.event(Action::McpServerRemoved).with(json!({ "resource": server.resource }));
    Ok(change.commit(actor, &event).await?)
}

async fn is_referred_to(change: &mut Change<'_>, id: &McpServerId) -> Result<bool, Fault> {
    let now = change.now();
    Ok(rows::has_credentials(&mut *change, id).await?
        || !rows::consents(&mut *change, id, None, now).await?.is_empty()
        || !rows::personal_tokens(&mut *change, id, None, now).await?.is_empty())
}
