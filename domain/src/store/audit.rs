//! `audit` and `audit_head`.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Columns, Store, StoreError, Transaction, teams};
use crate::audit::{Entry, Filter};

/// The newest link of the chain: its number and its MAC. The row stays locked until the transaction ends.
pub(crate) async fn head_in(transaction: &mut Transaction) -> Result<(i64, String), StoreError> {
    // The UPDATE takes the row's lock where transactions can run side by side.
    sqlx::query("UPDATE audit_head SET seq = seq WHERE id = 1").execute(&mut **transaction).await?;
    let row = sqlx::query("SELECT seq, mac FROM audit_head WHERE id = 1").fetch_one(&mut **transaction).await?;
    Ok((row.try_get("seq")?, row.try_get("mac")?))
}

/// The newest link of the chain, read outside a change.
pub(crate) async fn head(store: &Store) -> Result<(i64, String), StoreError> {
    let row = sqlx::query("SELECT seq, mac FROM audit_head WHERE id = 1").fetch_one(store.reads()).await?;
    Ok((row.try_get("seq")?, row.try_get("mac")?))
}

pub(crate) async fn append(transaction: &mut Transaction, entry: &Entry) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO audit (seq, at, actor_kind, actor_id, actor_name, action, target_kind, target_id, target_name,
                            address, agent, details, previous, mac)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(entry.seq)
    .bind(entry.at.millis())
    .bind(&entry.actor_kind)
    .bind(&entry.actor_id)
    .bind(&entry.actor_name)
    .bind(&entry.action)
    .bind(&entry.target_kind)
    .bind(&entry.target_id)
    .bind(&entry.target_name)
    .bind(&entry.address)
    .bind(&entry.agent)
    .bind(&entry.details)
    .bind(&entry.previous)
    .bind(&entry.mac)
    .execute(&mut **transaction)
    .await?;
    sqlx::query("UPDATE audit_head SET seq = $1, mac = $2 WHERE id = 1")
        .bind(entry.seq)
        .bind(&entry.mac)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Entries newest first, those before `filter.before` when it is set.
pub(crate) async fn list(
    store: &Store,
    key: Option<&str>,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<Entry>, StoreError> {
    sqlx::query(concat!(
        "SELECT * FROM audit
         WHERE ($1 IS NULL OR seq < $1)
           AND ($2 IS NULL OR LOWER(actor_name) LIKE $2 ESCAPE '\\' OR actor_id = $3)
           AND ($4 IS NULL OR action = $4)
           AND ($5 IS NULL OR LOWER(target_name) LIKE $5 ESCAPE '\\' OR target_id = $6)
           AND ($7 IS NULL OR at >= $7)
           AND ($8 IS NULL OR at <= $8)
           AND ($10 IS NULL OR actor_id = $10
                OR (target_kind = 'credential'
                    AND target_id IN (SELECT client_id FROM credentials WHERE team_id IN ",
        teams::of!("$10"),
        "))
                OR (target_kind = 'team' AND target_id IN ",
        teams::of!("$10"),
        "))
         ORDER BY seq DESC LIMIT $9",
    ))
    .bind(filter.before)
    .bind(filter.actor.as_deref().map(super::credentials::contains_pattern))
    .bind(filter.actor.as_deref())
    .bind(filter.action.as_deref())
    .bind(filter.target.as_deref().map(super::credentials::contains_pattern))
    .bind(filter.target.as_deref())
    .bind(super::millis(filter.from))
    .bind(super::millis(filter.until))
    .bind(limit)
    .bind(key)
    .fetch_all(store.reads())
    .await?
    .iter()
    .map(entry)
    .collect()
}

/// Entries oldest first from `after` on: what verification and export walk through.
pub(crate) async fn walk(store: &Store, after: i64, limit: i64) -> Result<Vec<Entry>, StoreError> {
    sqlx::query("SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2")
        .bind(after)
        .bind(limit)
        .fetch_all(store.reads())
        .await?
        .iter()
        .map(entry)
        .collect()
}

/// One entry by its number.
pub(crate) async fn find(store: &Store, seq: i64) -> Result<Option<Entry>, StoreError> {
    sqlx::query("SELECT * FROM audit WHERE seq = $1")
        .bind(seq)
        .fetch_optional(store.reads())
        .await?
        .as_ref()
        .map(entry)
        .transpose()
}

fn entry(row: &AnyRow) -> Result<Entry, StoreError> {
    let columns = Columns::of("audit", row);
    Ok(Entry {
        seq: columns.number("seq")?,
        at: columns.moment("at")?,
        actor_kind: columns.text("actor_kind")?,
        actor_id: columns.text("actor_id")?,
        actor_name: columns.text("actor_name")?,
        action: columns.text("action")?,
        target_kind: columns.text("target_kind")?,
        target_id: columns.text("target_id")?,
        target_name: columns.text("target_name")?,
        address: columns.optional_text("address")?,
        agent: columns.optional_text("agent")?,
        details: columns.text("details")?,
        previous: columns.text("previous")?,
        mac: columns.text("mac")?,
    })
}
