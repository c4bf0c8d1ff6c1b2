//! Who may call an MCP server, in numbers and page by page.

use std::collections::HashMap;
use std::time::Duration;

use crate::base::cursor::Cursor;
use crate::base::id::{McpServerId, TeamId};
use crate::model::client::consent::ListedConsent;
use crate::model::client::personal_token::ListedToken;
use crate::model::credential::Credential;
use crate::model::person::authority::Authority;
use crate::model::server::McpServer;
use crate::model::server::callers::{ArchiveFacts, CallerCounts, CallerCursor, Callers};
use crate::model::server::scope::Scopes;
use crate::prelude::{Context, Fault};
use crate::store::server::callers as rows;
use crate::store::{self, StoreError};

/// Who may call the server, of what `authority` sees. On a large instance the numbers of credentials may be some
/// seconds old.
pub async fn count(context: &Context, authority: &Authority, server: &McpServer) -> Result<Callers, Fault> {
    let giving: Vec<(String, Scopes)> =
        server.scopes.iter().map(|scope| (scope.name.clone(), server.giving(&scope.name))).collect();
    let (store, id, key) = (context.store.clone(), server.id.clone(), authority.key().map(str::to_owned));
    let name = format!("{id} {}", key.as_deref().unwrap_or_default());
    let asked = giving.clone();
    let credentials =
        recent(context, &name, async move { rows::count_by_scope(&store, &id, &asked, key.as_deref()).await }).await?;
    let of = |scope: &str| credentials.iter().find(|(name, _)| name == scope).map_or(0, |(_, count)| *count);
    let now = context.now();
    let (apps, tokens) = match authority.person() {
        Ok(person) => (
            rows::consents(&context.store, &server.id, person, now).await?,
            rows::personal_tokens(&context.store, &server.id, person, now).await?,
        ),
        Err(_) => (Vec::new(), Vec::new()),
    };
    let counts = |scope: Option<&str>| CallerCounts {
        credentials: of(scope.unwrap_or_default()),
        apps: holding(&apps, scope),
        personal_tokens: holding(&tokens, scope),
    };
    let by_scope = giving.iter().map(|(scope, _)| (scope.clone(), counts(Some(scope)))).collect();
    Ok(Callers { all: counts(None), by_scope })
}

/// How many hold the scope; without one, all. Consents and personal tokens hold what their scopes implied when a person
/// allowed them, and nothing that was implied later.
fn holding(groups: &[(Scopes, i64)], scope: Option<&str>) -> i64 {
    let holds = |held: &Scopes| scope.is_none_or(|scope| held.contains(scope));
    groups.iter().filter(|(held, _)| holds(held)).map(|(_, count)| count).sum()
}

/// Counts, or takes the counts of a moment ago when there are very many credentials.
async fn recent(
    context: &Context,
    name: &str,
    count: impl Future<Output = Result<Vec<(String, i64)>, StoreError>> + Send + 'static,
) -> Result<Vec<(String, i64)>, StoreError> {
    if store::credential::list::are_many(&context.store).await? {
        context.callers.get(name, context.now(), count).await
    } else {
        count.await
    }
}

/// The number of credentials that may call each of these servers, of those that `authority` sees.
pub async fn count_by_server(
    context: &Context,
    authority: &Authority,
    servers: &[McpServer],
) -> Result<HashMap<McpServerId, i64>, Fault> {
    let (store, key) = (context.store.clone(), authority.key().map(str::to_owned));
    let name = format!("all {}", key.as_deref().unwrap_or_default());
    let ids: Vec<McpServerId> = servers.iter().map(|server| server.id.clone()).collect();
    let counts =
        recent(context, &name, async move { rows::count_by_server(&store, &ids, key.as_deref()).await }).await?;
    Ok(counts.into_iter().filter_map(|(id, count)| Some((McpServerId::parse(&id)?, count))).collect())
}

/// A page of credentials.
#[derive(Debug)]
pub struct CallerPage {
    /// The credentials.
    pub credentials: Vec<Credential>,
    /// The cursor of the next page; `None` on the last one.
    pub next: Option<String>,
}

/// A page of the credentials that may call the server and that `authority` sees: at most `limit`, after a cursor. With
/// `scope`, the page has only credentials that get this scope, also through a scope that implies it. The credentials
/// are grouped by team, the newest of each team first. A cursor that cannot be read means the first page.
pub async fn credentials(
    context: &Context,
    authority: &Authority,
    server: &McpServer,
    scope: Option<&str>,
    cursor: Option<&str>,
    limit: u16,
) -> Result<CallerPage, Fault> {
    let after = cursor.and_then(CallerCursor::parse);
    let (limit, giving) = (usize::from(limit), scope.map(|scope| server.giving(scope)));
    context.rollup.flush().await;
    let mut found: Vec<Credential> = Vec::new();
    // Each team is read along the index. All teams of a person in one statement would be sorted first.
    for team in teams(authority) {
        let after = match (&team, &after) {
            (Some(team), Some(after)) if *team > after.team => continue,
            (Some(team), Some(after)) if *team < after.team => None,
            (_, after) => after.as_ref(),
        };
        let rest = (limit + 1).saturating_sub(found.len());
        if rest == 0 {
            break;
        }
        found.extend(rows::page(&context.store, &server.id, giving.as_ref(), team.as_ref(), after, rest as i64).await?);
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| CallerCursor::after(last).to_text());
    Ok(CallerPage { credentials: found, next })
}

/// The teams whose credentials are listed, in the order of the list; `None` is all teams.
fn teams(authority: &Authority) -> Vec<Option<TeamId>> {
    match authority {
        Authority::Everything => vec![None],
        Authority::Person { roles, .. } => roles.keys().rev().cloned().map(Some).collect(),
        Authority::Team(team) => vec![Some(team.clone())],
    }
}

/// At most `limit` live consents for the server, newest first: of all people for administrators, else one's own. With
/// `scope`, only consents that hold it.
pub async fn apps(
    context: &Context,
    authority: &Authority,
    server: &McpServer,
    scope: Option<&str>,
    after: Option<&Cursor>,
    limit: u16,
) -> Result<Vec<ListedConsent>, Fault> {
    let Ok(person) = authority.person() else { return Ok(Vec::new()) };
    let (store, now, held) =
        (&context.store, context.now(), scope.map(|scope| [scope].into_iter().collect::<Scopes>()));
    let (giving, limit) = (held.as_ref(), i64::from(limit));
    Ok(store::client::consent::list_of_server(store, &server.id, person, giving, after, now, limit).await?)
}

/// The same for personal tokens.
pub async fn personal_tokens(
    context: &Context,
    authority: &Authority,
    server: &McpServer,
    scope: Option<&str>,
    after: Option<&Cursor>,
    limit: u16,
) -> Result<Vec<ListedToken>, Fault> {
    let Ok(person) = authority.person() else { return Ok(Vec::new()) };
    let (store, now, held) =
        (&context.store, context.now(), scope.map(|scope| [scope].into_iter().collect::<Scopes>()));
    let (giving, limit) = (held.as_ref(), i64::from(limit));
    Ok(store::client::personal_token::list_of_server(store, &server.id, person, giving, after, now, limit).await?)
}

/// The facts that a person should know before the server is archived.
pub async fn archive_facts(context: &Context, server: &McpServer) -> Result<ArchiveFacts, Fault> {
    let callers = count(context, &Authority::Everything, server).await?.all;
    let day_ago = context.now().minus(Duration::from_secs(24 * 3600));
    let (exchanges, read) = rows::exchanges(&context.store, &server.id, day_ago).await?;
    Ok(ArchiveFacts {
        callers,
        credentials_only_for_it: rows::count_only_for(&context.store, &server.id).await?,
        longest_lifetime: longest_lifetime(context, server).await?,
        exchanges,
        is_at_least: read >= rows::MOST_EXCHANGES,
    })
}

/// The longest lifetime of a token for the server: its own, or that of a credential with a longer one.
async fn longest_lifetime(context: &Context, server: &McpServer) -> Result<Duration, Fault> {
    let own = rows::longest_own_lifetime(&context.store, &server.id).await?;
    Ok(own.map_or(server.token_lifetime, |own| own.max(server.token_lifetime)))
}
