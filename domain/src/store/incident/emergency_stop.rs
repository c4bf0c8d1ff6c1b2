//! The statements of the emergency stop. Each works on many rows at once.

use crate::base::clock::Timestamp;
use crate::base::id::{ClientId, McpServerId};
use crate::model::client::consent::{CODE_LIFETIME, EndCause, IDLE_LIMIT};
use crate::model::incident::{DelegatedCounts, Means, Preview, Selection};
use crate::model::server::gateway::call::{CallSum, CalledFrom};
use crate::store::columns::millis;
use crate::store::credential::authenticators;
use crate::store::server::calls::{BY_ADDRESS, CALLED_FROM, REACHED, SUMS};
use crate::store::token::ledger;
use crate::store::{Result, Statement, Store, Transaction, sql};

/// The credentials of a selection that can still be stopped, in the parameters that [`query`] binds. Secrets, keys and
/// identities that an earlier statement of this stop revoked, at `$5`, count as not revoked.
fn condition(selection: &Selection, means: Means) -> String {
    let stoppable = match means {
        Means::Disable => "revoked_at IS NULL AND disabled_at IS NULL",
        Means::Revoke => "revoked_at IS NULL",
    };
    // Without a person this condition is left out. With one, the indexes of the columns `created_by_id` are used.
    let made = match selection.made_by {
        None => "$4 IS NULL".to_owned(),
        Some(_) => {
            let made = "created_by_id = $4 AND (revoked_at IS NULL OR revoked_at = $5)";
            let lasting = "(expires_at IS NULL OR expires_at > $5) AND (retires_at IS NULL OR retires_at > $5)";
            format!(
                "client_id IN (
                     SELECT client_id FROM credentials WHERE created_by_id = $4
                     UNION ALL SELECT client_id FROM client_secrets WHERE {made} AND {lasting}
                     UNION ALL SELECT client_id FROM client_keys WHERE {made} AND {lasting}
                     UNION ALL SELECT client_id FROM federated_identities WHERE {made})"
            )
        }
    };
    format!(
        "{stoppable} AND ($1 IS NULL OR mcp_servers LIKE $1 ESCAPE '\\') AND ($2 IS NULL OR created_at < $2)
         AND ($3 IS NULL OR team_id = $3)
         AND ($6 IS NULL OR client_id IN (SELECT client_id FROM credential_tags WHERE tag = $6)) AND {made}"
    )
}

/// A statement with the parameters of a selection, `$1` to `$6`.
fn query(sql: &str, selection: &Selection, now: Timestamp) -> Statement {
    let Selection { server, created_before, team, made_by, tag } = selection;
    let statement = Statement::composed(sql).bind(&pattern(server.as_ref())).bind(created_before).bind(team);
    statement.bind(made_by).bind(&now).bind(tag)
}

/// The list of servers is JSON; an identifier in it stands between quotes.
fn pattern(server: Option<&McpServerId>) -> Option<String> {
    server.map(|server| format!("%\"{}\"%", server.as_str().replace('_', "\\_")))
}

pub(crate) async fn preview(
    store: &Store,
    selection: &Selection,
    means: Means,
    now: Timestamp,
    longest_ago: Timestamp,
) -> Result<Preview> {
    let condition = condition(selection, means);
    let credentials = query(&format!("SELECT COUNT(*) AS n FROM credentials WHERE {condition}"), selection, now);
    let is_of_live_authenticator = ledger::is_of_live_authenticator!("$5");
    let tokens = format!(
        "SELECT COUNT(*) AS n FROM ledger AS l WHERE l.jti >= $7 AND l.expires_at > $5 AND l.revoked_at IS NULL
         AND l.client_id IN (SELECT client_id FROM credentials WHERE disabled_at IS NULL AND {condition})
         AND {is_of_live_authenticator}"
    );
    let tokens = query(&tokens, selection, now).bind(&ledger::first_jti(longest_ago));
    let DelegatedCounts { grants, personal_tokens, clients } = count_of_people(store, selection, now).await?;
    Ok(Preview {
        credentials: credentials.one(store).await?,
        live_tokens: tokens.one(store).await?,
        grants,
        personal_tokens,
        clients,
    })
}

/// What the credentials of a selection called through the gateway from the hour `since` on.
pub(crate) async fn calls(
    store: &Store,
    selection: &Selection,
    means: Means,
    now: Timestamp,
    since: i64,
) -> Result<Vec<CallSum>> {
    let condition = condition(selection, means);
    let sql = format!(
        "SELECT server_id, kind, name, outcome, {SUMS} FROM call_hours
         WHERE hour >= $7 AND caller IN (SELECT client_id FROM credentials WHERE {condition})
         GROUP BY server_id, kind, name, outcome ORDER BY n DESC, server_id, kind, name, outcome"
    );
    query(&sql, selection, now).bind(&since).all(store).await
}

/// What the latest calls of these credentials called from the moment `since` on, by address, most calls first, at most
/// `limit` rows. Calls that did not reach a server are left out.
pub(crate) async fn calls_by_address(
    store: &Store,
    selection: &Selection,
    means: Means,
    now: Timestamp,
    since: Timestamp,
    limit: i64,
) -> Result<Vec<CalledFrom>> {
    let condition = condition(selection, means);
    let sql = format!(
        "SELECT {CALLED_FROM} FROM calls
         WHERE at >= $7 AND {REACHED} AND caller IN (SELECT client_id FROM credentials WHERE {condition})
         {BY_ADDRESS} LIMIT $8"
    );
    query(&sql, selection, now).bind(&since).bind(&limit).all(store).await
}

/// The tables of what acts for people.
const DELEGATED_TABLES: [&str; 2] = ["consents", "personal_tokens"];

/// Rows of `table` that act for people, have not ended and are in the selection, in the parameters `$1` to `$4`. No
/// team owns such rows.
fn delegated_condition(table: &str) -> String {
    let selected = "(CAST($2 AS TEXT) IS NULL OR server_id = $2) AND (CAST($3 AS BIGINT) IS NULL OR created_at < $3)
        AND (CAST($4 AS TEXT) IS NULL OR person_id = $4)";
    // The consents that other people gave a client end with the client.
    let made = match table {
        "consents" => format!("OR client_id IN (SELECT client_id FROM clients WHERE {MADE_CLIENTS})"),
        _ => String::new(),
    };
    format!("ended_at IS NULL AND expires_at > $1 AND ({selected} {made})")
}

/// Clients that the person of the selection made, in the same parameters. A client is for every MCP server, so a stop
/// for one server does not remove clients.
const MADE_CLIENTS: &str = "removed_at IS NULL AND $1 > 0 AND created_by_id = $4 AND created_by_id <> ''
    AND CAST($2 AS TEXT) IS NULL AND (CAST($3 AS BIGINT) IS NULL OR created_at < $3)";

fn delegated_query(sql: &str, selection: &Selection, now: Timestamp) -> Statement {
    let Selection { server, created_before, made_by, .. } = selection;
    Statement::composed(sql).bind(&now).bind(server).bind(created_before).bind(made_by)
}

async fn count_of_people(store: &Store, selection: &Selection, now: Timestamp) -> Result<DelegatedCounts> {
    if selection.is_of_credentials() {
        return Ok(DelegatedCounts::default());
    }
    let mut counts = [0; 2];
    for (table, count) in DELEGATED_TABLES.into_iter().zip(&mut counts) {
        // A consent that was idle for too long has ended, although its row does not say so.
        let idle = if table == "consents" { "AND last_used_at > $1 - $5" } else { "AND $5 > 0" };
        let sql = format!("SELECT COUNT(*) AS n FROM {table} WHERE {} {idle}", delegated_condition(table));
        *count = delegated_query(&sql, selection, now).bind(&millis(IDLE_LIMIT)).one(store).await?;
    }
    let [grants, personal_tokens] = counts;
    let sql = format!("SELECT COUNT(*) AS n FROM clients WHERE {MADE_CLIENTS}");
    let clients = delegated_query(&sql, selection, now).one(store).await?;
    Ok(DelegatedCounts { grants, personal_tokens, clients })
}

/// Identifiers and names of the clients that a stop removes.
pub(crate) async fn made_clients(
    transaction: &mut Transaction,
    selection: &Selection,
    now: Timestamp,
) -> Result<Vec<(String, String)>> {
    if selection.is_of_credentials() {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT client_id, name FROM clients WHERE {MADE_CLIENTS} ORDER BY client_id");
    delegated_query(&sql, selection, now).all(transaction).await
}

/// Ends consents, personal tokens and clients in the selection, for good. People can consent again in a minute, as soon
/// as they know what happened.
pub(crate) async fn end_delegated(
    transaction: &mut Transaction,
    selection: &Selection,
    now: Timestamp,
) -> Result<DelegatedCounts> {
    if selection.is_of_credentials() {
        return Ok(DelegatedCounts::default());
    }
    let mut counts = [0; 2];
    for (table, count) in DELEGATED_TABLES.into_iter().zip(&mut counts) {
        let (condition, cause) = (delegated_condition(table), EndCause::Emergency.as_str());
        let sql = format!("UPDATE {table} SET ended_at = $1, end_cause = '{cause}' WHERE {condition}");
        let ended = delegated_query(&sql, selection, now).affected(&mut *transaction).await?;
        *count = i64::try_from(ended).unwrap_or(i64::MAX);
    }
    let [grants, personal_tokens] = counts;
    let sql = format!("UPDATE clients SET removed_at = $1, secret_hash = NULL WHERE {MADE_CLIENTS}");
    let removed = delegated_query(&sql, selection, now).affected(&mut *transaction).await?;
    // Authorization codes that were just issued and are not redeemed yet.
    let sql = "DELETE FROM authorization_codes WHERE consent_id IS NULL AND expires_at > $1
        AND (CAST($2 AS TEXT) IS NULL OR server_id = $2) AND (CAST($3 AS BIGINT) IS NULL OR expires_at - $5 < $3)
        AND (CAST($4 AS TEXT) IS NULL OR person_id = $4)";
    delegated_query(sql, selection, now).bind(&millis(CODE_LIFETIME)).execute(&mut *transaction).await?;
    // The same for devices. A request that nobody answered has no person, and a server only if it names one.
    let sql = "UPDATE device_codes SET denied_at = $1 WHERE consent_id IS NULL AND denied_at IS NULL
        AND expires_at > $1 AND (CAST($2 AS TEXT) IS NULL OR COALESCE(server_id, asked_server) = $2)
        AND (CAST($3 AS BIGINT) IS NULL OR created_at < $3) AND (CAST($4 AS TEXT) IS NULL OR person_id = $4)";
    delegated_query(sql, selection, now).execute(transaction).await?;
    Ok(DelegatedCounts { grants, personal_tokens, clients: i64::try_from(removed).unwrap_or(i64::MAX) })
}

/// A part of a stop: it begins after the credential with which the part before ended.
pub(crate) struct Part<'part> {
    pub selection: &'part Selection,
    pub means: Means,
    /// The moment of the stop.
    pub now: Timestamp,
    pub after: Option<&'part ClientId>,
}

impl Part<'_> {
    /// A statement with the parameters of the selection and, at `$7`, the client ID after which the part begins.
    fn query(&self, sql: &str) -> Statement {
        query(sql, self.selection, self.now).bind(self.after.map_or("", ClientId::as_str))
    }
}

/// Identifiers and names of the credentials, at most `limit`, in the order of the identifiers.
pub(crate) async fn list(
    transaction: &mut Transaction,
    part: &Part<'_>,
    limit: i64,
) -> Result<Vec<(ClientId, String)>> {
    let sql = format!(
        "SELECT client_id, name FROM credentials WHERE client_id > $7 AND {} ORDER BY client_id LIMIT $8",
        condition(part.selection, part.means)
    );
    part.query(&sql).bind(&limit).about("credentials").all(transaction).await
}

/// Stops the credentials of the part, up to this one.
pub(crate) async fn stop(
    transaction: &mut Transaction,
    part: &Part<'_>,
    up_to: &ClientId,
    reason: Option<&str>,
) -> Result<()> {
    let condition = format!("client_id > $7 AND client_id <= $8 AND {}", condition(part.selection, part.means));
    if part.means == Means::Disable {
        let sql = format!("UPDATE credentials SET disabled_at = $5 WHERE {condition}");
        return part.query(&sql).bind(up_to).execute(transaction).await;
    }
    for table in authenticators::TABLES {
        let sql = format!(
            "UPDATE {table} SET revoked_at = $5 WHERE revoked_at IS NULL
             AND client_id IN (SELECT client_id FROM credentials WHERE {condition})"
        );
        part.query(&sql).bind(up_to).execute(&mut *transaction).await?;
    }
    // This statement is the last, because the condition selects credentials that are not revoked.
    let sql = format!("UPDATE credentials SET revoked_at = $5, revoke_reason = $9 WHERE {condition}");
    part.query(&sql).bind(up_to).bind(&reason).execute(transaction).await
}

/// The details of the newest stops, at most `$1`.
pub(crate) const RECORDED: &str =
    "SELECT at, actor_name, details FROM audit WHERE action = 'emergency.stopped' ORDER BY seq DESC LIMIT $1";

/// The details of the newest entries of the audit log about stops.
pub(crate) async fn recorded(store: &Store, limit: i64) -> Result<Vec<(Timestamp, String, String)>> {
    sql!(RECORDED; limit).about("audit").all(store).await
}

/// How many credentials were disabled at exactly the moment `$1` and still are.
pub(crate) const STOPPED_AT: &str =
    "SELECT COUNT(*) AS n FROM credentials WHERE disabled_at = $1 AND revoked_at IS NULL";

/// How many credentials were disabled at exactly this moment and still are.
pub(crate) async fn stopped_at(store: &Store, moment: Timestamp) -> Result<i64> {
    sql!(STOPPED_AT; moment).one(store).await
}

/// Identifiers and names of the credentials that were disabled at exactly this moment and still are, at most `limit`,
/// in the order of the identifiers.
pub(crate) async fn stopped(
    transaction: &mut Transaction,
    moment: Timestamp,
    limit: i64,
) -> Result<Vec<(ClientId, String)>> {
    let sql = "SELECT client_id, name FROM credentials WHERE disabled_at = $1 AND revoked_at IS NULL
        ORDER BY client_id LIMIT $2";
    sql!(sql; moment, limit).about("credentials").all(transaction).await
}

/// Enables the credentials that were disabled at exactly this moment, up to this one.
pub(crate) async fn undo(transaction: &mut Transaction, stopped_at: Timestamp, up_to: &ClientId) -> Result<()> {
    let sql = "UPDATE credentials SET disabled_at = NULL
        WHERE disabled_at = $1 AND revoked_at IS NULL AND client_id <= $2";
    sql!(sql; stopped_at, up_to).execute(transaction).await
}
