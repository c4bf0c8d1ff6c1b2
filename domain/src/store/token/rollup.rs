//! The statements of the roll-up, which runs in the services. `pending_exchanges` holds exchanges that are not rolled
//! up, `credential_exchanges` holds exchanges that are.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;

use crate::base::clock::Timestamp;
use crate::base::id::AuthenticatorId;
use crate::model::token::LAST_USE_INTERVAL;
use crate::store::columns::{list, millis};
use crate::store::credential::authenticators;
use crate::store::{Engine, Result, Store, StoreError, Transaction, composed_sql, row, to_json};

/// An exchange that was recorded and is not rolled up.
#[derive(Debug, Deserialize)]
pub(crate) struct PendingExchange {
    pub client_id: String,
    pub jti: String,
    authenticator_id: String,
    server_id: String,
    /// In milliseconds since the epoch.
    issued_at: i64,
    address: Option<String>,
    agent: Option<String>,
    /// The team that owns the credential; none if the credential does not exist.
    team_id: Option<String>,
}

impl PendingExchange {
    /// The hour of the exchange, since the epoch.
    fn hour(&self) -> i64 {
        Timestamp::from_millis(self.issued_at).hour()
    }
}

/// One row of JSON.
struct Entries {
    entries: Vec<PendingExchange>,
}

row! { "pending_exchanges" => Entries { entries: |columns| columns.json("entries") } }

/// The oldest exchanges that are not rolled up, at most `most`, in the order of time.
pub(crate) async fn pending(store: &Store, most: usize) -> Result<Vec<PendingExchange>> {
    let columns = "l.client_id, l.jti, l.authenticator_id, l.server_id, l.issued_at, l.address, u.agent, c.team_id";
    let list = list(store.engine(), columns);
    // The answer is one row of JSON: to fetch thousands of rows of columns takes several times as long.
    let Entries { mut entries } = composed_sql!(
        "SELECT {list} AS entries FROM (SELECT jti, agent FROM pending_exchanges ORDER BY jti LIMIT $1) AS u
         JOIN ledger AS l ON l.jti = u.jti LEFT JOIN credentials AS c ON c.client_id = l.client_id";
        i64::try_from(most).unwrap_or(i64::MAX)
    )
    .one(store)
    .await?;
    entries.sort_by(|left, right| left.jti.cmp(&right.jti));
    Ok(entries)
}

/// Lists the entries under their credentials, counts them in their hours and records the last uses. Entries that were
/// rolled up before stay as they are, so a repetition does no harm.
pub(crate) async fn roll_up(store: &Store, entries: &[&PendingExchange]) -> Result<()> {
    let names = names(entries);
    let mut transaction = store.begin_rollup().await?;
    if insert(&mut transaction, store.engine(), &names).await? == entries.len() {
        return note_and_commit(transaction, store.engine(), entries).await;
    }
    // Some entries were rolled up before, by another process or by this one before it was killed. That is rare, so only
    // now a statement asks which entries they are.
    drop(transaction);
    let mut transaction = store.begin_rollup().await?;
    let done = rolled_up(&mut transaction, store.engine(), &names).await?;
    let new: Vec<&PendingExchange> = entries.iter().copied().filter(|entry| !done.contains(&entry.jti)).collect();
    insert(&mut transaction, store.engine(), &self::names(&new)).await?;
    note_and_commit(transaction, store.engine(), &new).await
}

/// Credentials and exchanges as one parameter.
fn names(entries: &[&PendingExchange]) -> String {
    to_json(&entries.iter().map(|entry| (&entry.client_id, &entry.jti)).collect::<Vec<_>>())
}

/// Lists the entries under their credentials. Returns how many were not listed before.
async fn insert(transaction: &mut Transaction, engine: Engine, names: &str) -> Result<usize> {
    let entries = engine.elements("$1", "entry");
    let inserted = composed_sql!(
        "INSERT INTO credential_exchanges (client_id, jti) SELECT value ->> 0, value ->> 1 FROM {entries} WHERE 1 = 1
         ON CONFLICT (client_id, jti) DO NOTHING";
        names
    )
    .affected(transaction)
    .await?;
    Ok(usize::try_from(inserted).unwrap_or(usize::MAX))
}

/// The entries that were rolled up before.
async fn rolled_up(transaction: &mut Transaction, engine: Engine, names: &str) -> Result<HashSet<String>> {
    let entries = engine.elements("$1", "entry");
    composed_sql!(
        "SELECT f.jti AS jti FROM {entries} JOIN credential_exchanges AS f
             ON f.client_id = entry.value ->> 0 AND f.jti = entry.value ->> 1";
        names
    )
    .collect(transaction)
    .await
}

async fn note_and_commit(mut transaction: Transaction, engine: Engine, entries: &[&PendingExchange]) -> Result<()> {
    count(&mut transaction, engine, entries).await?;
    note_uses(engine, &mut transaction, entries).await?;
    transaction.commit().await
}

/// Counts the entries in their hours. A credential that uses one secret for one MCP server has one row an hour.
async fn count(transaction: &mut Transaction, engine: Engine, entries: &[&PendingExchange]) -> Result<()> {
    let mut hours: BTreeMap<(&str, i64, &str, &str), i64> = BTreeMap::new();
    for entry in entries {
        *hours.entry((&entry.client_id, entry.hour(), &entry.authenticator_id, &entry.server_id)).or_default() += 1;
    }
    let row = |((client_id, hour, authenticator, server), count)| (client_id, hour, authenticator, server, count);
    let (rows, counted) = (hours.into_iter().map(row).collect::<Vec<_>>(), engine.elements("$1", "counted"));
    composed_sql!(
        "INSERT INTO exchange_hours (client_id, hour, authenticator_id, server_id, exchanges)
         SELECT value ->> 0, CAST(value ->> 1 AS BIGINT), value ->> 2, value ->> 3, CAST(value ->> 4 AS BIGINT)
         FROM {counted} WHERE 1 = 1
         ON CONFLICT (client_id, hour, authenticator_id, server_id)
         DO UPDATE SET exchanges = exchange_hours.exchanges + excluded.exchanges";
        to_json(&rows)
    )
    .execute(transaction)
    .await
}

/// Removes these exchanges from the list of pending exchanges, and counts them in the hours of the teams. Only one
/// process removes an exchange from the list, so it is counted once. To count with the credentials would write the same
/// few rows for each batch of credentials.
pub(crate) async fn forget(store: &Store, entries: &[PendingExchange]) -> Result<()> {
    let names = to_json(&entries.iter().map(|entry| [&entry.jti]).collect::<Vec<_>>());
    let listed = store.engine().elements("$1", "entry");
    let delete = format!("DELETE FROM pending_exchanges WHERE jti IN (SELECT value ->> 0 FROM {listed})");
    let mut transaction = store.begin_rollup().await?;
    let all: Vec<&PendingExchange> = entries.iter().collect();
    if composed_sql!("{delete}"; names).affected(&mut transaction).await? == all.len() as u64 {
        count_of_teams(&mut transaction, store.engine(), &all).await?;
        return transaction.commit().await;
    }
    // Another process removed some of them. That is rare, so only now the statement tells which ones this one removes.
    drop(transaction);
    let mut transaction = store.begin_rollup().await?;
    let removed: HashSet<String> = composed_sql!("{delete} RETURNING jti"; names).collect(&mut transaction).await?;
    let own: Vec<&PendingExchange> = entries.iter().filter(|entry| removed.contains(&entry.jti)).collect();
    count_of_teams(&mut transaction, store.engine(), &own).await?;
    transaction.commit().await
}

async fn count_of_teams(transaction: &mut Transaction, engine: Engine, entries: &[&PendingExchange]) -> Result<()> {
    let mut hours: BTreeMap<(i64, &str, &str), i64> = BTreeMap::new();
    for entry in entries {
        if let Some(team) = &entry.team_id {
            *hours.entry((entry.hour(), team, &entry.server_id)).or_default() += 1;
        }
    }
    let row = |((hour, team, server), count)| (hour, team, server, count);
    let (rows, counted) = (hours.into_iter().map(row).collect::<Vec<_>>(), engine.elements("$1", "counted"));
    composed_sql!(
        "INSERT INTO team_exchange_hours (hour, team_id, server_id, exchanges)
         SELECT CAST(value ->> 0 AS BIGINT), value ->> 1, value ->> 2, CAST(value ->> 3 AS BIGINT)
         FROM {counted} WHERE 1 = 1 ORDER BY 1, 2, 3
         ON CONFLICT (hour, team_id, server_id)
         DO UPDATE SET exchanges = team_exchange_hours.exchanges + excluded.exchanges";
        to_json(&rows)
    )
    .execute(transaction)
    .await
}

/// The authenticators' tables, each with a condition under which every use is recorded: while a secret is being
/// replaced, people watch whether the old one is still used.
const AUTHENTICATORS: [(&str, &str); 3] = [
    ("client_secrets", "client_secrets.retires_at IS NOT NULL"),
    ("client_keys", "client_keys.retires_at IS NOT NULL"),
    ("federated_identities", "1 = 0"),
];

/// The table of the authenticator that an exchange was made with. A damaged row is logged and skipped. Otherwise the
/// roll-up would fail at it again and again, and never reach the other rows.
fn table_of(entry: &PendingExchange) -> Option<&'static str> {
    let id = AuthenticatorId::parse(&entry.authenticator_id);
    if id.is_none() {
        let detail = format!("authenticator_id makes no sense (row {:?})", entry.jti);
        let error = StoreError::Inconsistent { table: "ledger", detail };
        tracing::error!(%error, "the use of an authenticator could not be noted");
    }
    id.as_ref().map(authenticators::table)
}

/// Records the last use of each authenticator and each credential, if the recorded use is older than
/// `LAST_USE_INTERVAL`, came from another address, or the secret or key is being replaced.
async fn note_uses(engine: Engine, transaction: &mut Transaction, entries: &[&PendingExchange]) -> Result<()> {
    let (interval, used) = (millis(LAST_USE_INTERVAL), engine.elements("$1", "used"));
    let mut last: BTreeMap<&str, &PendingExchange> = BTreeMap::new();
    // The entries of one credential are in the order of time, so the map keeps the last one.
    last.extend(entries.iter().map(|entry| (entry.authenticator_id.as_str(), *entry)));
    let last: Vec<_> = last.into_values().filter_map(|entry| Some((table_of(entry)?, entry))).collect();
    for (table, always) in AUTHENTICATORS {
        let rows: Vec<_> = last
            .iter()
            .filter(|(of, _)| *of == table)
            .map(|(_, entry)| (&entry.authenticator_id, entry.issued_at, &entry.address))
            .collect();
        if rows.is_empty() {
            continue;
        }
        composed_sql!(
            "UPDATE {table} SET last_used_at = u.at, last_used_from = u.address
             FROM (SELECT value ->> 0 AS id, CAST(value ->> 1 AS BIGINT) AS at, value ->> 2 AS address FROM {used}) AS u
             WHERE {table}.id = u.id AND COALESCE({table}.last_used_at, 0) < u.at
               AND ({always} OR COALESCE({table}.last_used_at, 0) <= u.at - $2
                    OR {table}.last_used_from IS DISTINCT FROM u.address)";
            to_json(&rows), interval
        )
        .execute(&mut *transaction)
        .await?;
    }
    let rows: Vec<_> = entries
        .chunk_by(|left, right| left.client_id == right.client_id)
        .filter_map(|of_one| Some((of_one.first()?, of_one.last()?)))
        .map(|(first, last)| (&last.client_id, last.issued_at, &last.address, &last.agent, first.issued_at))
        .collect();
    composed_sql!(
        "UPDATE credentials SET last_used_at = u.at, last_used_from = u.address, last_used_agent = u.agent,
                verified_at = COALESCE(credentials.verified_at, u.first_at)
         FROM (SELECT value ->> 0 AS client_id, CAST(value ->> 1 AS BIGINT) AS at, value ->> 2 AS address,
                      value ->> 3 AS agent, CAST(value ->> 4 AS BIGINT) AS first_at FROM {used}) AS u
         WHERE credentials.client_id = u.client_id AND COALESCE(credentials.last_used_at, 0) < u.at
           AND (COALESCE(credentials.last_used_at, 0) <= u.at - $2
                OR credentials.last_used_from IS DISTINCT FROM u.address)";
        to_json(&rows), interval
    )
    .execute(transaction)
    .await
}
