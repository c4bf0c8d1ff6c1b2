//! What a change of the teams of an MCP server shuts out, and for whom the server works.

use std::collections::HashSet;

use crate::base::id::{McpServerId, PersonId, TeamId};
use crate::model::server::McpServer;
use crate::model::server::access::{Closing, ServerAccess, ShutOut};
use crate::prelude::{Change, Context, Fault, FieldError};
use crate::server::McpServerError;
use crate::store;
use crate::store::server::access as rows;

/// What gets tokens for the server now, and none when `after` says which teams may use it. Nothing gets tokens for an
/// archived server.
pub async fn closing(context: &Context, server: &McpServer, after: &ServerAccess) -> Result<Closing, Fault> {
    if server.is_archived() {
        return Ok(Closing::default());
    }
    let mut connection = context.store.begin_read().await?;
    Ok(between(&mut connection, context, &server.id, &server.access, after).await?)
}

/// What exists for the server and gets no new tokens, because the server is not open to its team.
pub async fn shut_out(context: &Context, server: &McpServer) -> Result<ShutOut, Fault> {
    let mut connection = context.store.begin_read().await?;
    let closed = between(&mut connection, context, &server.id, &ServerAccess::All, &server.access).await?;
    Ok(closed.shut_out)
}

/// What gets tokens with `before` and none with `after`.
async fn between(
    transaction: &mut store::Transaction,
    context: &Context,
    id: &McpServerId,
    before: &ServerAccess,
    after: &ServerAccess,
) -> store::Result<Closing> {
    if before.is_within(after) {
        return Ok(Closing::default());
    }
    let (engine, now) = (context.store.engine(), context.now());
    let mut teams = rows::count_by_team(&mut *transaction, id, now).await?;
    teams.retain(|(team, _)| before.admits_team(team) && !after.admits_team(team));
    let (personal_tokens, apps) = rows::of_people_shut_out(transaction, engine, id, before, after, now).await?;
    let credentials = teams.iter().map(|(_, count)| count).sum();
    Ok(Closing { teams, shut_out: ShutOut { credentials, personal_tokens, apps } })
}

/// Refuses a choice that shuts something out.
///
/// # Errors
///
/// An error at the confirmation when `after` shuts out something that gets tokens now.
pub(super) async fn refuse_closing(
    change: &mut Change<'_>,
    server: &McpServer,
    after: &ServerAccess,
) -> Result<(), McpServerError> {
    if server.is_archived() {
        return Ok(());
    }
    let context = change.context();
    let closing = between(change, context, &server.id, &server.access, after).await?;
    if closing.is_empty() {
        return Ok(());
    }
    let problem = "Credentials, connected apps or personal tokens would lose access. Confirm that you want this.";
    Err(FieldError::new("closes", problem).into())
}

/// The credentials of the server that are neither revoked nor over, by team.
pub async fn credentials_by_team(context: &Context, server: &McpServer) -> Result<Vec<(TeamId, i64)>, Fault> {
    Ok(rows::count_by_team(&context.store, &server.id, context.now()).await?)
}

/// Those of `people` whose apps and personal tokens may use the server now.
pub async fn admitted(context: &Context, server: &McpServer, people: &[PersonId]) -> Result<HashSet<PersonId>, Fault> {
    if server.is_archived() || people.is_empty() {
        return Ok(HashSet::new());
    }
    let engine = context.store.engine();
    Ok(rows::admitted(&context.store, engine, &server.access, people).await?.into_iter().collect())
}
