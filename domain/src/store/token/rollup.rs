//! `pending_exchanges` and `credential_exchanges`: the statements of [`crate::services::rollup`].

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use sqlx::AssertSqlSafe;

use crate::base::clock::Timestamp;
use crate::base::id::AuthenticatorId;
use crate::model::token::LAST_USE_INTERVAL;
use crate::store::{Columns, Engine, Store, StoreError, Transaction, to_json};

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
    let list = crate::store::list(store.engine(), columns);
    // One row of JSON: thousands of rows of columns take several times as long to fetch.
    let sql = AssertSqlSafe(format!(
        "SELECT {list} AS entries FROM (SELECT jti, agent FROM pending_exchanges ORDER BY jti LIMIT $1) AS u
         JOIN ledger AS l ON l.jti = u.jti"
    ));
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let row = sqlx::query(sql).bind(most).fetch_one(store.reads()).await?;
    let mut entries: Vec<Unfiled> = Columns::of("pending_exchanges", &row).json("entries")?;
    entries.sort_by(|left, right| left.jti.cmp(&right.jti));
    Ok(entries)
}

/// Files the entries under their credentials, counts them in their hours and notes the last uses. What was filed before stays as
/// it is, so it may be done again.
pub(crate) async fn file(store: &Store, entries: &[&Unfiled]) -> Result<(), StoreError> {
    let names = names(entries);
    let mut transaction = store.begin_filing().await?;
    if insert(&mut transaction, store.engine(), &names).await? == entries.len() {
        return note_and_commit(transaction, store.engine(), entries).await;
    }
    // Another process has filed some of them, or this one before it was killed. Which, need not be asked every time.
    drop(transaction);
    let mut transaction = store.begin_filing().await?;
    let filed = filed(&mut transaction, store.engine(), &names).await?;
    let new: Vec<&Unfiled> = entries.iter().copied().filter(|entry| !filed.contains(&entry.jti)).collect();
    insert(&mut transaction, store.engine(), &self::names(&new)).await?;
    note_and_commit(transaction, store.engine(), &new).await
}

/// Credentials and exchanges as one parameter.
fn names(entries: &[&Unfiled]) -> String {
    to_json(&entries.iter().map(|entry| (&entry.client_id, &entry.jti)).collect::<Vec<_>>())
}

/// How many were not there.
async fn insert(transaction: &mut Transaction, engine: Engine, names: &str) -> Result<usize, StoreError> {
    let sql = format!(
        "INSERT INTO credential_exchanges (client_id, jti) SELECT value ->> 0, value ->> 1 FROM {} WHERE 1 = 1
         ON CONFLICT (client_id, jti) DO NOTHING",
        engine.elements("$1", "entry")
    );
    let inserted = sqlx::query(AssertSqlSafe(sql)).bind(names).execute(&mut **transaction).await?;
    Ok(usize::try_from(inserted.rows_affected()).unwrap_or(usize::MAX))
}

/// Those of the entries that are there.
async fn filed(transaction: &mut Transaction, engine: Engine, names: &str) -> Result<HashSet<String>, StoreError> {
    let sql = format!(
        "SELECT f.jti AS jti FROM {} JOIN credential_exchanges AS f
             ON f.client_id = entry.value ->> 0 AND f.jti = entry.value ->> 1",
        engine.elements("$1", "entry")
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(names).fetch_all(&mut **transaction).await?;
    rows.iter().map(|row| Columns::of("credential_exchanges", row).text("jti")).collect()
}

async fn note_and_commit(mut transaction: Transaction, engine: Engine, entries: &[&Unfiled]) -> Result<(), StoreError> {
    count(&mut transaction, engine, entries).await?;
    note_uses(engine, &mut transaction, entries).await?;
    transaction.commit().await?;
    Ok(())
}

/// Counts the entries in their hours.
async fn count(transaction: &mut Transaction, engine: Engine, entries: &[&Unfiled]) -> Result<(), StoreError> {
    let mut hours: BTreeMap<(&str, i64), i64> = BTreeMap::new();
    for entry in entries {
        *hours.entry((&entry.client_id, Timestamp::from_millis(entry.issued_at).hour())).or_default() += 1;
    }
    let rows: Vec<_> = hours.into_iter().map(|((client_id, hour), exchanges)| (client_id, hour, exchanges)).collect();
    let sql = format!(
        "INSERT INTO usage_hours (client_id, hour, exchanges)
         SELECT value ->> 0, CAST(value ->> 1 AS BIGINT), CAST(value ->> 2 AS BIGINT) FROM {} WHERE 1 = 1
         ON CONFLICT (client_id, hour) DO UPDATE SET exchanges = usage_hours.exchanges + excluded.exchanges",
        engine.elements("$1", "counted")
    );
    sqlx::query(AssertSqlSafe(sql)).bind(to_json(&rows)).execute(&mut **transaction).await?;
    Ok(())
}

/// Forgets that these are to be filed.
pub(crate) async fn forget(store: &Store, entries: &[Unfiled]) -> Result<(), StoreError> {
    let names: Vec<_> = entries.iter().map(|entry| [&entry.jti]).collect();
    let sql = format!(
        "DELETE FROM pending_exchanges WHERE jti IN (SELECT value ->> 0 FROM {})",
        store.engine().elements("$1", "entry")
    );
    let mut transaction = store.begin_filing().await?;
    sqlx::query(AssertSqlSafe(sql)).bind(to_json(&names)).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
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
