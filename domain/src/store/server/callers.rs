//! Who may call an MCP server: `credential_access`, which triggers keep, and the live consents and personal tokens of
//! the server. Every statement reads along an index.

use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::id::{McpServerId, PersonId, TeamId};
use crate::model::client::consent::IDLE_LIMIT;
use crate::model::credential::Credential;
use crate::model::server::callers::CallerCursor;
use crate::model::server::scope::Scopes;
use crate::store::credential::COLUMNS;
use crate::store::person::team;
use crate::store::token::ledger::first_jti;
use crate::store::{Engine, On, Result, Store, composed_sql, sql, to_elements, to_json};

/// The rows for the server itself, whatever the scopes. Only these rows have revoked credentials too.
const ANY_SCOPE: &str = "";
/// How many exchanges of the last day are read to find those of one server.
pub(crate) const MOST_EXCHANGES: i64 = 200_000;

fn owned(key: Option<&str>) -> &'static str {
    if key.is_none() { "$3 IS NULL" } else { concat!("team_id IN ", team::of!("$3")) }
}

/// The statement that counts the credentials of the server `$1` for each scope of the list `$2`.
pub(crate) fn by_scope_sql(engine: Engine, key: Option<&str>) -> String {
    let asked = engine.elements("$2", "asked");
    format!(
        "SELECT scope, COUNT(*) AS n FROM credential_access
         WHERE server_id = $1 AND scope IN (SELECT asked.value ->> 0 FROM {asked}) AND revoked = 0 AND {}
         GROUP BY scope",
        owned(key)
    )
}

/// The statement that counts the credentials of the server `$1` that hold a scope of the list `$2`, each credential
/// once. With a million credentials in SQLite, `COUNT(DISTINCT client_id)` took five times as long.
pub(crate) fn by_giving_sql(engine: Engine, key: Option<&str>) -> String {
    let asked = engine.elements("$2", "asked");
    format!(
        "SELECT COUNT(*) AS n FROM
             (SELECT client_id FROM credential_access
              WHERE server_id = $1 AND scope IN (SELECT asked.value ->> 0 FROM {asked}) AND revoked = 0 AND {}
              GROUP BY team_id, created_at, client_id) AS holding",
        owned(key)
    )
}

/// The number of credentials for each of these scopes, with the scopes that give it, and for the server itself. A scope
/// without a credential may be left out.
pub(crate) async fn count_by_scope(
    store: &Store,
    id: &McpServerId,
    giving: &[(String, Scopes)],
    key: Option<&str>,
) -> Result<Vec<(String, i64)>> {
    // Only for a scope that others imply, equal credentials must be found.
    let (implied, plain): (Vec<_>, Vec<_>) = giving.iter().partition(|(_, giving)| giving.iter().count() > 1);
    let asked = std::iter::once([ANY_SCOPE]).chain(plain.into_iter().map(|(scope, _)| [scope.as_str()]));
    let sql = by_scope_sql(store.engine(), key);
    let asked = to_json(&asked.collect::<Vec<_>>());
    let mut counts: Vec<(String, i64)> =
        composed_sql!("{sql}"; id, asked, key).about("credential_access").all(store).await?;
    for (scope, giving) in implied {
        let sql = by_giving_sql(store.engine(), key);
        counts.push((scope.clone(), composed_sql!("{sql}"; id, to_elements(giving), key).one(store).await?));
    }
    Ok(counts)
}

/// The statement that counts the credentials of each server of the list `$1`.
pub(crate) fn by_server_sql(engine: Engine, key: Option<&str>) -> String {
    let asked = engine.elements("$1", "asked");
    format!(
        "SELECT server_id, COUNT(*) AS n FROM credential_access
         WHERE server_id IN (SELECT asked.value ->> 0 FROM {asked}) AND scope = $2 AND revoked = 0 AND {}
         GROUP BY server_id",
        owned(key)
    )
}

/// The number of credentials of each of these servers. A server without one is left out.
pub(crate) async fn count_by_server(
    store: &Store,
    servers: &[McpServerId],
    key: Option<&str>,
) -> Result<Vec<(String, i64)>> {
    let asked: Vec<[&str; 1]> = servers.iter().map(|id| [id.as_str()]).collect();
    let sql = by_server_sql(store.engine(), key);
    composed_sql!("{sql}"; to_json(&asked), ANY_SCOPE, key).about("credential_access").all(store).await
}

/// Whether a credential that is not revoked may call the server.
pub(crate) async fn has_credentials(on: impl On<'_>, id: &McpServerId) -> Result<bool> {
    let sql = "SELECT 1 FROM credential_access WHERE server_id = $1 AND scope = $2 AND revoked = 0 LIMIT 1";
    sql!(sql; id, ANY_SCOPE).exists(on).await
}

/// The credentials of a server that hold one of the scopes `$2`, and the number of those that hold none of the scopes
/// `$3`.
pub(crate) async fn holders(
    on: impl On<'_>,
    engine: Engine,
    id: &McpServerId,
    removed: &Scopes,
    kept: &Scopes,
) -> Result<(i64, i64)> {
    let holds = |parameter: &str, name: &str| {
        format!(
            "EXISTS (SELECT 1 FROM credential_access AS b WHERE b.server_id = a.server_id
                     AND b.scope IN (SELECT {name}.value ->> 0 FROM {}) AND b.revoked = 0
                     AND b.team_id = a.team_id AND b.created_at = a.created_at AND b.client_id = a.client_id)",
            engine.elements(parameter, name)
        )
    };
    let (removing, keeping) = (holds("$3", "removed"), holds("$4", "kept"));
    composed_sql!(
        "SELECT COUNT(*) AS holders, CAST(COALESCE(SUM(CASE WHEN {keeping} THEN 0 ELSE 1 END), 0) AS BIGINT) AS bare
         FROM credential_access AS a WHERE a.server_id = $1 AND a.scope = $2 AND a.revoked = 0 AND {removing}";
        id, ANY_SCOPE, to_elements(removed), to_elements(kept)
    )
    .about("credential_access")
    .one(on)
    .await
}

/// The credentials of a server that have no other one.
pub(crate) async fn count_only_for(store: &Store, id: &McpServerId) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM credential_access AS a JOIN credentials AS c ON c.client_id = a.client_id
         WHERE a.server_id = $1 AND a.scope = $2 AND a.revoked = 0 AND c.mcp_servers = $3";
    sql!(sql; id, ANY_SCOPE, to_json(&[id.as_str()])).one(store).await
}

/// The statement of [`longest_own_lifetime`]. Its parameters are the server and the scope of the rows.
pub(crate) const LONGEST_OWN_LIFETIME: &str = "SELECT MAX(c.token_lifetime) AS longest
     FROM credential_access AS a JOIN credentials AS c ON c.client_id = a.client_id
     WHERE a.server_id = $1 AND a.scope = $2 AND a.revoked = 0";

/// The longest lifetime of tokens that a credential of the server has of its own.
pub(crate) async fn longest_own_lifetime(store: &Store, id: &McpServerId) -> Result<Option<Duration>> {
    sql!(LONGEST_OWN_LIFETIME; id, ANY_SCOPE).one(store).await
}

/// The statement of a page. Its parameters are the server, a team, and the cursor: a team, a moment and a client ID;
/// then the limit, and `scopes` scopes. Each scope is read along the key of the table, and not further than the page
/// goes.
pub(crate) fn page_sql(of_team: bool, is_later: bool, scopes: usize) -> String {
    const ORDER: &str = "ORDER BY team_id DESC, created_at DESC, client_id DESC";
    let team = if of_team { "team_id = $2" } else { "$2 IS NULL" };
    let after = if is_later {
        "(team_id, created_at, client_id) < ($3, $4, $5)"
    } else {
        "CAST($3 AS TEXT) IS NULL AND CAST($4 AS BIGINT) IS NULL AND CAST($5 AS TEXT) IS NULL"
    };
    let held = |place: usize| {
        format!(
            "SELECT * FROM (SELECT team_id, created_at, client_id FROM credential_access
             WHERE server_id = $1 AND scope = ${} AND revoked = 0 AND {team} AND {after} {ORDER} LIMIT $6) AS held{place}",
            place + 7
        )
    };
    // A union has a credential that holds several of the scopes once.
    let held = (0..scopes).map(held).collect::<Vec<_>>().join(" UNION ");
    format!(
        "SELECT {COLUMNS} FROM credentials WHERE client_id IN
             (SELECT client_id FROM ({held}) AS listed {ORDER} LIMIT $6)
         {ORDER}"
    )
}

/// A page of the credentials of a server: at most `limit`, after a cursor, of one team or of all teams. With `giving`,
/// the page has only credentials that hold one of these scopes. The credentials are grouped by team, the newest of each
/// team first.
pub(crate) async fn page(
    store: &Store,
    id: &McpServerId,
    giving: Option<&Scopes>,
    team: Option<&TeamId>,
    after: Option<&CallerCursor>,
    limit: i64,
) -> Result<Vec<Credential>> {
    let scopes: Vec<&str> = giving.map_or_else(|| vec![ANY_SCOPE], |giving| giving.iter().collect());
    let sql = page_sql(team.is_some(), after.is_some(), scopes.len());
    let (last_team, last_at) = (after.map(|cursor| &cursor.team), after.map(|cursor| cursor.created_at));
    let last = after.map(|cursor| cursor.client_id.as_str());
    let statement = composed_sql!("{sql}"; id, team, last_team, last_at, last, limit);
    scopes.into_iter().fold(statement, |statement, scope| statement.bind(scope)).all(store).await
}

/// The scopes of the live consents of a server, and the number of consents with each. `person`: of this person only.
pub(crate) async fn consents(
    on: impl On<'_>,
    id: &McpServerId,
    person: Option<&PersonId>,
    now: Timestamp,
) -> Result<Vec<(Scopes, i64)>> {
    let sql = "SELECT scopes, COUNT(*) AS n FROM consents WHERE server_id = $1 AND ended_at IS NULL AND expires_at > $2
             AND last_used_at > $3 AND (CAST($4 AS TEXT) IS NULL OR person_id = $4) GROUP BY scopes";
    sql!(sql; id, now, now.minus(IDLE_LIMIT), person).about("consents").all(on).await
}

/// The same for personal tokens.
pub(crate) async fn personal_tokens(
    on: impl On<'_>,
    id: &McpServerId,
    person: Option<&PersonId>,
    now: Timestamp,
) -> Result<Vec<(Scopes, i64)>> {
    let sql = "SELECT scopes, COUNT(*) AS n FROM personal_tokens WHERE server_id = $1 AND ended_at IS NULL
             AND expires_at > $2 AND (CAST($3 AS TEXT) IS NULL OR person_id = $3) GROUP BY scopes";
    sql!(sql; id, now, person).about("personal_tokens").all(on).await
}

/// The exchanges for a server since a moment among the newest [`MOST_EXCHANGES`], and how many were read.
pub(crate) async fn exchanges(store: &Store, id: &McpServerId, since: Timestamp) -> Result<(i64, i64)> {
    let sql =
        "SELECT CAST(COALESCE(SUM(CASE WHEN server_id = $1 THEN 1 ELSE 0 END), 0) AS BIGINT) AS n, COUNT(*) AS read
         FROM (SELECT server_id FROM ledger WHERE jti >= $2 ORDER BY jti DESC LIMIT $3) AS newest";
    sql!(sql; id, first_jti(since), MOST_EXCHANGES).about("ledger").one(store).await
}
