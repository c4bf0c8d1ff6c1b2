//! `unfiled_exchanges` and `filed_exchanges`: the statements of [`crate::token::filing`].

use std::collections::BTreeMap;

use serde::Deserialize;
use sqlx::AssertSqlSafe;

use super::{Columns, Engine, Store, StoreError, Transaction, to_json};
use crate::clock::Timestamp;
use crate::id::AuthenticatorId;
use crate::token::filing::LAST_USE_INTERVAL;

/// An exchange that was recorded and is not filed.
#[derive(Debug, Deserialize)]
pub(crate) struct Unfiled {
    pub client_id: String,
    pub jti: String,
    authenticator_id: String,
    /// In milliseconds since the epoch.
    issued_at: i64,
    address: Option<String>,
    agent: Option<String>,
}

/// The oldest exchanges that are not filed, at most `most`, in the order of time.
pub(crate) async fn unfiled(store: &Store, most: usize) -> Result<Vec<Unfiled>, StoreError> {
    let columns = "l.client_id, l.jti, l.authenticator_id, l.issued_at, l.address, u.agent";
    let list = super::list(store.engine(), columns);
    // One row of JSON: thousands of rows of columns take several times as long to fetch.
    let sql = AssertSqlSafe(format!(
        "SELECT {list} AS entries FROM (SELECT jti, agent FROM unfiled_exchanges ORDER BY jti LIMIT $1) AS u
         JOIN ledger AS l ON l.jti = u.jti"
    ));
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let row = sqlx::query(sql).bind(most).fetch_one(store.reads()).await?;
    let mut entries: Vec<Unfiled> = Columns::of("unfiled_exchanges", &row).json("entries")?;
    entries.sort_by(|left, right| left.jti.cmp(&right.jti));
    Ok(entries)
}

/// Files the entries under their credentials and notes the last uses. It changes nothing to do it again.
pub(crate) async fn file(store: &Store, entries: &[&Unfiled]) -> Result<(), StoreError> {
    let engine = store.engine();
    let mut transaction = store.begin_filing().await?;
    let names: Vec<_> = entries.iter().map(|entry| (&entry.client_id, &entry.jti)).collect();
    let sql = format!(
        "INSERT INTO filed_exchanges (client_id, jti) SELECT value ->> 0, value ->> 1 FROM {} WHERE 1 = 1
         ON CONFLICT (client_id, jti) DO NOTHING",
        engine.elements("$1", "entry")
    );
    sqlx::query(AssertSqlSafe(sql)).bind(to_json(&names)).execute(&mut *transaction).await?;
    note_uses(engine, &mut transaction, entries).await?;
    transaction.commit().await?;
    Ok(())
}

/// Counts entries that are filed in their hours, forgets that they were not, and returns true; false, with nothing done, when
/// another process has done so with some of them.
pub(crate) async fn count(store: &Store, entries: &[Unfiled]) -> Result<bool, StoreError> {
    let engine = store.engine();
    let mut hours: BTreeMap<(&str, i64), i64> = BTreeMap::new();
    for entry in entries {
        *hours.entry((&entry.client_id, Timestamp::from_millis(entry.issued_at).hour())).or_default() += 1;
    }
    let rows: Vec<_> = hours.into_iter().map(|((client_id, hour), exchanges)| (client_id, hour, exchanges)).collect();
    let names: Vec<_> = entries.iter().map(|entry| [&entry.jti]).collect();

    let mut transaction = store.begin_filing().await?;
    let sql = format!(
        "DELETE FROM unfiled_exchanges WHERE jti IN (SELECT value ->> 0 FROM {})",
        engine.elements("$1", "entry")
    );
    let deleted = sqlx::query(AssertSqlSafe(sql)).bind(to_json(&names)).execute(&mut *transaction).await?;
    if deleted.rows_affected() != entries.len() as u64 {
        return Ok(false);
    }
    let sql = format!(
        "INSERT INTO usage_hours (client_id, hour, exchanges)
         SELECT value ->> 0, CAST(value ->> 1 AS BIGINT), CAST(value ->> 2 AS BIGINT) FROM {} WHERE 1 = 1
         ON CONFLICT (client_id, hour) DO UPDATE SET exchanges = usage_hours.exchanges + excluded.exchanges",
        engine.elements("$1", "counted")
    );
    sqlx::query(AssertSqlSafe(sql)).bind(to_json(&rows)).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(true)
}

/// The authenticators' tables, and when every use of theirs is news: while a secret is being replaced people watch whether
/// the old one is still used.
const AUTHENTICATORS: [(&str, &str); 3] = [
    ("client_secrets", "client_secrets.retires_at IS NOT NULL"),
    ("client_keys", "client_keys.retires_at IS NOT NULL"),
    ("federated_identities", "1 = 0"),
];

/// The table of an authenticator.
fn table_of(id: &str) -> Option<&'static str> {
    AuthenticatorId::parse(id).map(|id| match id {
        AuthenticatorId::Secret(_) => "client_secrets",
        AuthenticatorId::Key(_) => "client_keys",
        AuthenticatorId::Federated(_) => "federated_identities",
    })
}

/// Notes the last use of each authenticator and each credential, where it is news.
async fn note_uses(engine: Engine, transaction: &mut Transaction, entries: &[&Unfiled]) -> Result<(), StoreError> {
    let interval = i64::try_from(LAST_USE_INTERVAL.as_millis()).unwrap_or(i64::MAX);
    let mut last: BTreeMap<&str, &Unfiled> = BTreeMap::new();
    // Those of one credential are in the order of time, so the last one stays.
    last.extend(entries.iter().map(|entry| (entry.authenticator_id.as_str(), *entry)));
    for (table, always) in AUTHENTICATORS {
        let rows: Vec<_> = last
            .iter()
            .filter(|(id, _)| table_of(id) == Some(table))
            .map(|(id, entry)| (id, entry.issued_at, &entry.address))
            .collect();
        if rows.is_empty() {
            continue;
        }
        let sql = format!(
            "UPDATE {table} SET last_used_at = u.at, last_used_from = u.address
             FROM (SELECT value ->> 0 AS id, CAST(value ->> 1 AS BIGINT) AS at, value ->> 2 AS address FROM {}) AS u
             WHERE {table}.id = u.id AND COALESCE({table}.last_used_at, 0) < u.at
               AND ({always} OR COALESCE({table}.last_used_at, 0) <= u.at - $2
                    OR {table}.last_used_from IS DISTINCT FROM u.address)",
            engine.elements("$1", "used")
        );
        sqlx::query(AssertSqlSafe(sql)).bind(to_json(&rows)).bind(interval).execute(&mut **transaction).await?;
    }
    let rows: Vec<_> = entries
        .chunk_by(|left, right| left.client_id == right.client_id)
        .filter_map(|of_one| Some((of_one.first()?, of_one.last()?)))
        .map(|(first, last)| (&last.client_id, last.issued_at, &last.address, &last.agent, first.issued_at))
        .collect();
    let sql = format!(
        "UPDATE credentials SET last_used_at = u.at, last_used_from = u.address, last_used_agent = u.agent,
                verified_at = COALESCE(credentials.verified_at, u.first_at)
         FROM (SELECT value ->> 0 AS client_id, CAST(value ->> 1 AS BIGINT) AS at, value ->> 2 AS address,
                      value ->> 3 AS agent, CAST(value ->> 4 AS BIGINT) AS first_at FROM {}) AS u
         WHERE credentials.client_id = u.client_id AND COALESCE(credentials.last_used_at, 0) < u.at
           AND (COALESCE(credentials.last_used_at, 0) <= u.at - $2
                OR credentials.last_used_from IS DISTINCT FROM u.address)",
        engine.elements("$1", "used")
    );
    sqlx::query(AssertSqlSafe(sql)).bind(to_json(&rows)).bind(interval).execute(&mut **transaction).await?;
    Ok(())
}
