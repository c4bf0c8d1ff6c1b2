//! The statements of the emergency stop: whole sets at once.

use sqlx::AssertSqlSafe;

use super::{Columns, Store, StoreError, Transaction, millis};
use crate::clock::Timestamp;
use crate::credential::emergency::{Means, Preview, Selection};
use crate::id::{ClientId, McpServerId};

/// The credentials of a selection that can still be stopped. `$1` and `$2` are its parts.
fn condition(means: Means) -> &'static str {
    match means {
        Means::Disable => {
            "revoked_at IS NULL AND disabled_at IS NULL AND ($1 IS NULL OR mcp_servers LIKE $1 ESCAPE '\\')
             AND ($2 IS NULL OR created_at < $2)"
        }
        Means::Revoke => {
            "revoked_at IS NULL AND ($1 IS NULL OR mcp_servers LIKE $1 ESCAPE '\\')
             AND ($2 IS NULL OR created_at < $2)"
        }
    }
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
) -> Result<Preview, StoreError> {
    let condition = condition(means);
    let sql = format!("SELECT COUNT(*) AS n FROM credentials WHERE {condition}");
    let credentials = sqlx::query(AssertSqlSafe(sql))
        .bind(pattern(selection.server.as_ref()))
        .bind(millis(selection.created_before))
        .fetch_one(store.reads())
        .await?;
    let sql = format!(
        "SELECT COUNT(*) AS n FROM ledger AS l WHERE l.jti >= $3 AND l.expires_at > $4 AND l.revoked_at IS NULL
         AND l.client_id IN (SELECT client_id FROM credentials WHERE disabled_at IS NULL AND {condition}) AND {}",
        super::ledger::is_of_live_authenticator!("$4")
    );
    let tokens = sqlx::query(AssertSqlSafe(sql))
        .bind(pattern(selection.server.as_ref()))
        .bind(millis(selection.created_before))
        .bind(super::ledger::first_jti(longest_ago))
        .bind(now.millis())
        .fetch_one(store.reads())
        .await?;
    Ok(Preview {
        credentials: Columns::of("credentials", &credentials).number("n")?,
        live_tokens: Columns::of("ledger", &tokens).number("n")?,
    })
}

/// Identifiers and names, at most `limit`.
pub(crate) async fn list(
    transaction: &mut Transaction,
    selection: &Selection,
    means: Means,
    limit: i64,
) -> Result<Vec<(ClientId, String)>, StoreError> {
    let sql = format!("SELECT client_id, name FROM credentials WHERE {} ORDER BY client_id LIMIT $3", condition(means));
    sqlx::query(AssertSqlSafe(sql))
        .bind(pattern(selection.server.as_ref()))
        .bind(millis(selection.created_before))
        .bind(limit)
        .fetch_all(&mut **transaction)
        .await?
        .iter()
        .map(|row| {
            let columns = Columns::of("credentials", row);
            Ok((columns.parsed("client_id", ClientId::parse)?, columns.text("name")?))
        })
        .collect()
}

/// Stops them all; returns how many.
pub(crate) async fn stop(
    transaction: &mut Transaction,
    selection: &Selection,
    means: Means,
    now: Timestamp,
    reason: Option<&str>,
) -> Result<u64, StoreError> {
    let condition = condition(means);
    let mut statements = Vec::new();
    match means {
        Means::Disable => statements.push(format!("UPDATE credentials SET disabled_at = $3 WHERE {condition}")),
        Means::Revoke => {
            for table in ["client_secrets", "client_keys", "federated_identities"] {
                statements.push(format!(
                    "UPDATE {table} SET revoked_at = $3 WHERE revoked_at IS NULL
                     AND client_id IN (SELECT client_id FROM credentials WHERE {condition})"
                ));
            }
            // Last: the condition asks for what is not revoked.
            statements.push(format!("UPDATE credentials SET revoked_at = $3, revoke_reason = $4 WHERE {condition}"));
        }
    }
    let mut count = 0;
    for sql in statements {
        let with_reason = sql.contains("$4");
        let mut query = sqlx::query(AssertSqlSafe(sql))
            .bind(pattern(selection.server.as_ref()))
            .bind(millis(selection.created_before))
            .bind(now.millis());
        if with_reason {
            query = query.bind(reason);
        }
        count = query.execute(&mut **transaction).await?.rows_affected();
    }
    Ok(count)
}

/// How many were disabled at exactly this moment and still are.
pub(crate) async fn stopped_at(store: &Store, moment: Timestamp) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT COUNT(*) AS n FROM credentials WHERE disabled_at = $1 AND revoked_at IS NULL")
        .bind(moment.millis())
        .fetch_one(store.reads())
        .await?;
    Columns::of("credentials", &row).number("n")
}

/// Lets go on what was disabled at exactly this moment.
pub(crate) async fn undo(transaction: &mut Transaction, stopped_at: Timestamp) -> Result<u64, StoreError> {
    let result = sqlx::query("UPDATE credentials SET disabled_at = NULL WHERE disabled_at = $1 AND revoked_at IS NULL")
        .bind(stopped_at.millis())
        .execute(&mut **transaction)
        .await?;
    Ok(result.rows_affected())
}
