//! `audit`, `audit_head` and `repeated_events`.

use crate::model::audit::{AuditEntry, Filter, RepeatedEvent, Target};
use crate::store::credential::contains_pattern;
use crate::store::{On, Result, Store, Transaction, row, sql};

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
              AND ($4 IS NULL OR $4 LIKE '%,' || a.action || ',%')
              AND ($5 IS NULL OR LOWER(a.target_name) LIKE $5 ESCAPE '\\' OR a.target_id = $6)
              AND ($7 IS NULL OR a.at >= $7)
              AND ($8 IS NULL OR a.at <= $8)
              ORDER BY ",
            $by,
            "seq DESC LIMIT $9"
        )
    };
}

/// Reads [`head`] inside a change. The row stays locked until the transaction ends.
pub(crate) async fn head_in(transaction: &mut Transaction) -> Result<(i64, String)> {
    // The UPDATE takes the row's lock where transactions can run side by side.
    sql!("UPDATE audit_head SET seq = seq WHERE id = 1").execute(&mut *transaction).await?;
    head(transaction).await
}

/// The newest link of the chain: its number and its MAC.
pub(crate) async fn head(on: impl On<'_>) -> Result<(i64, String)> {
    sql!("SELECT seq, mac FROM audit_head WHERE id = 1").by_key().one(on).await
}

pub(crate) async fn append(transaction: &mut Transaction, entry: &AuditEntry) -> Result<()> {
    sql!(
        "INSERT INTO audit (seq, at, actor_kind, actor_id, actor_name, action, target_kind, target_id, target_name,
                            address, agent, details, previous, mac)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        entry.seq, entry.at, entry.actor_kind, entry.actor_id, entry.actor_name, entry.action, entry.target_kind,
        entry.target_id, entry.target_name, entry.address, entry.agent, entry.details, entry.previous, entry.mac
    )
    .execute(&mut *transaction)
    .await?;
    sql!("UPDATE audit_head SET seq = $1, mac = $2 WHERE id = 1"; entry.seq, entry.mac).execute(transaction).await
}

/// Records who sees the entry besides administrators. The migration of the table describes this.
pub(crate) async fn add_readers(
    transaction: &mut Transaction,
    entry: &AuditEntry,
    also: [Option<&str>; 2],
) -> Result<()> {
    if entry.target_kind == Target::Credential.as_str() {
        let sql = "INSERT INTO audit_readers (reader, seq) SELECT team_id, $1 FROM credentials WHERE client_id = $2";
        sql!(sql; entry.seq, entry.target_id).execute(&mut *transaction).await?;
    }
    // An incident is seen by the teams and people of what leaked.
    if entry.target_kind == Target::Incident.as_str()
        && let Ok(number) = entry.target_id.parse::<i64>()
    {
        let sql = "INSERT INTO audit_readers (reader, seq)
             SELECT c.team_id, $1 FROM incident_items AS i JOIN credentials AS c ON c.client_id = i.id
             WHERE i.incident = $2 AND i.kind = 'credential'
             UNION SELECT i.person_id, $1 FROM incident_items AS i
             WHERE i.incident = $2 AND i.person_id IS NOT NULL";
        sql!(sql; entry.seq, number).execute(&mut *transaction).await?;
    }
    let target = [Target::Team.as_str(), Target::Person.as_str()]
        .contains(&entry.target_kind.as_str())
        .then_some(entry.target_id.as_str());
    let person = (entry.actor_kind == "person").then_some(entry.actor_id.as_str());
    let [first, second] = also;
    for reader in [target, person, first, second].into_iter().flatten() {
        let sql = "INSERT INTO audit_readers (reader, seq) VALUES ($1, $2) ON CONFLICT (reader, seq) DO NOTHING";
        sql!(sql; reader, entry.seq).execute(&mut *transaction).await?;
    }
    Ok(())
}

/// The list for readers who see everything, and the list for the reader `$10`. These are two statements, because a
/// condition that may be absent would keep the reader's index from being used.
pub(crate) const EVERYTHING: &str = list_from!("audit AS a WHERE $10 IS NULL");
pub(crate) const SEEN_BY_READER: &str =
    list_from!("audit_readers AS r JOIN audit AS a ON a.seq = r.seq WHERE r.reader = $10", "r.");

/// Entries, newest first, before `filter.before` if it is set. With a reader, only the entries that the reader sees.
pub(crate) async fn list(store: &Store, reader: Option<&str>, filter: &Filter, limit: i64) -> Result<Vec<AuditEntry>> {
    let sql = if reader.is_none() { EVERYTHING } else { SEEN_BY_READER };
    let pattern = |part: &Option<String>| part.as_deref().map(contains_pattern);
    let actions = filter.action.as_deref().map(|actions| format!(",{actions},"));
    sql!(
        sql; filter.before, pattern(&filter.actor), filter.actor, actions, pattern(&filter.target),
        filter.target, filter.from, filter.until, limit, reader
    )
    .all(store)
    .await
}

/// The newest entries about `$1`, at most `$2`.
pub(crate) const OF_TARGET: &str = "SELECT * FROM audit WHERE target_id = $1 ORDER BY seq DESC LIMIT $2";

/// The newest entries about `$1` that the reader `$3` sees, at most `$2`.
pub(crate) const OF_TARGET_SEEN_BY_READER: &str = "SELECT a.* FROM audit AS a WHERE a.target_id = $1
     AND EXISTS (SELECT 1 FROM audit_readers AS r WHERE r.reader = $3 AND r.seq = a.seq) ORDER BY a.seq DESC LIMIT $2";

/// The newest entries about one thing. With a reader, only the entries that the reader sees.
pub(crate) async fn of_target(
    store: &Store,
    reader: Option<&str>,
    target_id: &str,
    limit: i64,
) -> Result<Vec<AuditEntry>> {
    match reader {
        None => sql!(OF_TARGET; target_id, limit).all(store).await,
        Some(reader) => sql!(OF_TARGET_SEEN_BY_READER; target_id, limit, reader).all(store).await,
    }
}

/// Entries after the number `$1`, at most `$2`.
pub(crate) const WALK: &str = "SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2";

/// Entries, oldest first, from `after` on. Verification and export read the whole log with it.
pub(crate) async fn walk(store: &Store, after: i64, limit: i64) -> Result<Vec<AuditEntry>> {
    sql!(WALK; after, limit).all(store).await
}

/// One entry by its number.
pub(crate) async fn find(store: &Store, seq: i64) -> Result<Option<AuditEntry>> {
    sql!("SELECT * FROM audit WHERE seq = $1"; seq).optional(store).await
}

row! { "audit" => AuditEntry {
    seq, at, actor_kind, actor_id, actor_name, action, target_kind, target_id, target_name, address, agent, details,
    previous, mac
} }

/// The hour in which these events are counted, and how often they were repeated in it.
pub(crate) async fn repeats(transaction: &mut Transaction, event: &RepeatedEvent) -> Result<Option<(i64, i64)>> {
    sql!("SELECT hour, repeats FROM repeated_events WHERE event = $1"; event.as_str())
        .about("repeated_events")
        .optional(transaction)
        .await
}

/// Begins to count these events in `hour`: the first one is in the audit log.
pub(crate) async fn begin_repeats(transaction: &mut Transaction, event: &RepeatedEvent, hour: i64) -> Result<()> {
    let sql = "INSERT INTO repeated_events (event, hour, repeats) VALUES ($1, $2, 0)
         ON CONFLICT (event) DO UPDATE SET hour = $2, repeats = 0";
    sql!(sql; event.as_str(), hour).execute(transaction).await
}

/// Counts one more.
pub(crate) async fn count_repeat(transaction: &mut Transaction, event: &RepeatedEvent) -> Result<()> {
    let sql = "UPDATE repeated_events SET repeats = repeats + 1 WHERE event = $1";
    sql!(sql; event.as_str()).execute(transaction).await
}

/// Events that were counted in an hour before `hour`, or later than in the next hour by a clock that was wrong, at most
/// `limit`.
pub(crate) async fn due_repeats(
    transaction: &mut Transaction,
    hour: i64,
    limit: i64,
) -> Result<Vec<(RepeatedEvent, i64, i64)>> {
    let sql =
        "SELECT event, hour, repeats FROM repeated_events WHERE hour < $1 OR hour > $2 ORDER BY hour, event LIMIT $3";
    let rows: Vec<(String, i64, i64)> =
        sql!(sql; hour, hour + 1, limit).about("repeated_events").all(transaction).await?;
    Ok(rows.into_iter().map(|(event, hour, repeats)| (RepeatedEvent::from_text(event), hour, repeats)).collect())
}

/// Forgets the count of these events.
pub(crate) async fn forget_repeats(transaction: &mut Transaction, event: &RepeatedEvent) -> Result<()> {
    sql!("DELETE FROM repeated_events WHERE event = $1"; event.as_str()).execute(transaction).await
}
