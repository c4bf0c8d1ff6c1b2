//! `audit` and `audit_head`.

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::model::audit::{AuditEntry, Filter, Target};
use crate::store::columns::Columns;
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::error::StoreError;

/// The list of entries in `$from`, in the order of the number in `$by`.
macro_rules! list_from {
    ($from:literal) => {
        list_from!($from, "a.")
    };
    ($from:literal, $by:literal) => {
        concat!(
            "SELECT a.* FROM ",
            $from,
            " AND ($1 IS NULL OR ",
            $by,
            "seq < $1)
              AND ($2 IS NULL OR LOWER(a.actor_name) LIKE $2 ESCAPE '\\' OR a.actor_id = $3)
              AND ($4 IS NULL OR a.action = $4)
              AND ($5 IS NULL OR LOWER(a.target_name) LIKE $5 ESCAPE '\\' OR a.target_id = $6)
              AND ($7 IS NULL OR a.at >= $7)
              AND ($8 IS NULL OR a.at <= $8)
              ORDER BY ",
            $by,
            "seq DESC LIMIT $9"
        )
    };
}

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

pub(crate) async fn append(transaction: &mut Transaction, entry: &AuditEntry) -> Result<(), StoreError> {
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

/// Records who sees the entry besides administrators. The migration of the table describes this.
pub(crate) async fn add_readers(
    transaction: &mut Transaction,
    entry: &AuditEntry,
    also: [Option<&str>; 2],
) -> Result<(), StoreError> {
    if entry.target_kind == Target::Credential.as_str() {
        sqlx::query("INSERT INTO audit_readers (reader, seq) SELECT team_id, $1 FROM credentials WHERE client_id = $2")
            .bind(entry.seq)
            .bind(&entry.target_id)
            .execute(&mut **transaction)
            .await?;
    }
    let target = [Target::Team.as_str(), Target::Person.as_str()]
        .contains(&entry.target_kind.as_str())
        .then_some(entry.target_id.as_str());
    let person = (entry.actor_kind == "person").then_some(entry.actor_id.as_str());
    let readers: Vec<&str> = [target, person].into_iter().chain(also).flatten().collect();
    for reader in readers {
        sqlx::query("INSERT INTO audit_readers (reader, seq) VALUES ($1, $2) ON CONFLICT (reader, seq) DO NOTHING")
            .bind(reader)
            .bind(entry.seq)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// The list for readers who see everything, and the list for the reader `$10`. These are two statements, because a
/// condition that may be absent would keep the reader's index from being used.
pub(crate) const EVERYTHING: &str = list_from!("audit AS a WHERE $10 IS NULL");
pub(crate) const SEEN_BY_READER: &str =
    list_from!("audit_readers AS r JOIN audit AS a ON a.seq = r.seq WHERE r.reader = $10", "r.");

/// Entries, newest first, before `filter.before` if it is set. With a reader, only the entries that the reader sees.
pub(crate) async fn list(
    store: &Store,
    reader: Option<&str>,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<AuditEntry>, StoreError> {
    let sql = if reader.is_none() { EVERYTHING } else { SEEN_BY_READER };
    let rows = sqlx::query(sql)
        .bind(filter.before)
        .bind(filter.actor.as_deref().map(crate::store::credential::contains_pattern))
        .bind(filter.actor.as_deref())
        .bind(filter.action.as_deref())
        .bind(filter.target.as_deref().map(crate::store::credential::contains_pattern))
        .bind(filter.target.as_deref())
        .bind(crate::store::columns::millis(filter.from))
        .bind(crate::store::columns::millis(filter.until))
        .bind(limit)
        .bind(reader)
        .fetch_all(store.reads())
        .await?;
    entries(&rows)
}

/// The newest entries about `$1`, at most `$2`.
pub(crate) const OF_TARGET: &str = "SELECT * FROM audit WHERE target_id = $1 ORDER BY seq DESC LIMIT $2";

/// The newest entries about one thing.
pub(crate) async fn of_target(store: &Store, target_id: &str, limit: i64) -> Result<Vec<AuditEntry>, StoreError> {
    let rows = sqlx::query(OF_TARGET).bind(target_id).bind(limit).fetch_all(store.reads()).await?;
    entries(&rows)
}

/// Entries after the number `$1`, at most `$2`.
pub(crate) const WALK: &str = "SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2";

/// Entries, oldest first, from `after` on. Verification and export read the whole log with it.
pub(crate) async fn walk(store: &Store, after: i64, limit: i64) -> Result<Vec<AuditEntry>, StoreError> {
    let rows = sqlx::query(WALK).bind(after).bind(limit).fetch_all(store.reads()).await?;
    entries(&rows)
}

/// One entry by its number.
pub(crate) async fn find(store: &Store, seq: i64) -> Result<Option<AuditEntry>, StoreError> {
    sqlx::query("SELECT * FROM audit WHERE seq = $1")
        .bind(seq)
        .fetch_optional(store.reads())
        .await?
        .as_ref()
        .map(entry)
        .transpose()
}

fn entries(rows: &[AnyRow]) -> Result<Vec<AuditEntry>, StoreError> {
    rows.iter().map(entry).collect()
}

fn entry(row: &AnyRow) -> Result<AuditEntry, StoreError> {
    let columns = Columns::of("audit", row);
    Ok(AuditEntry {
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
