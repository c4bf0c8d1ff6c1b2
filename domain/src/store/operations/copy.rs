//! Copies of a whole database: into a file (a backup), from a file to a server, from one kind to the other.

use std::path::Path;

use sqlx::AnyConnection;

use crate::base::private_file;
use crate::store::connection::sqlite;
use crate::store::connection::url::DatabaseUrl;
use crate::store::connection::{LedgerDurability, StoreOptions};
use crate::store::operations::keys;
use crate::store::{Engine, Result, Statement, Store, StoreError, Transaction, composed_sql, row, sql};

/// Every table, in an order in which each row comes after the rows that it refers to.
const TABLES: [&str; 70] = [
    "instance_keys",
    "signing_keys",
    "people",
    "setup_links",
    "sessions",
    "sign_in_failures",
    "known_networks",
    "form_submissions",
    "teams",
    "memberships",
    "invitations",
    "password_links",
    "mcp_servers",
    "server_teams",
    "server_checks",
    "server_gateways",
    "gateway_tools",
    // Before the credentials: triggers add what is missing as they arrive, and rows that are there already stay.
    "credential_access",
    "credentials",
    "credential_tags",
    "client_secrets",
    "client_keys",
    "federated_identities",
    "used_assertions",
    "counters",
    "usage_hours",
    "refusal_hours",
    "exchange_hours",
    "team_exchange_hours",
    "team_refusal_hours",
    "call_hours",
    "calls",
    "destructive_uses",
    "audit",
    "audit_head",
    "audit_readers",
    "webhooks",
    "webhook_deliveries",
    "alerts",
    "ledger",
    "pending_exchanges",
    "credential_exchanges",
    "clients",
    "client_refusal_hours",
    "consents",
    "authorization_codes",
    "device_codes",
    "refresh_tokens",
    "consent_tokens",
    "personal_tokens",
    "openid_links",
    "openid_attempts",
    "authenticator_apps",
    "recovery_codes",
    "pending_sign_ins",
    "passkeys",
    "write_probe",
    "reported_tokens",
    "handovers",
    "incidents",
    "incident_items",
    "incident_marks",
    "incident_notes",
    "mails",
    "repeated_events",
    "checklist",
    "policies",
    "credential_reviews",
    "generation_requests",
    "earlier_defaults",
];
/// How many rows are read and written at once.
const PAGE: i64 = 2000;

/// How many rows each table has.
pub type Counts = Vec<(&'static str, i64)>;

/// The callback for progress: a table, and how many of its rows are copied.
pub type Progress<'watcher> = &'watcher mut (dyn FnMut(&'static str, i64) + Send);

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The target is not empty.
    #[error("the target is not empty")]
    NotEmpty,
    /// The number of rows in the copy differs from the original; the copy was undone.
    #[error("the copy has {found} rows in {table} where the original has {expected}")]
    Incomplete {
        /// The table.
        table: &'static str,
        /// Rows of the original.
        expected: i64,
        /// Rows of the copy.
        found: i64,
    },
    /// A database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Copies everything, as it is at one moment, to `target`: all of it or nothing. The schema of `target` must be up
    /// to date, and `target` must hold no data. Returns the number of rows of each table, which is the same in both.
    pub(crate) async fn copy_to(&self, target: &Self, progress: Progress<'_>) -> Result<Counts, CopyError> {
        if !keys::is_new_database(target).await? {
            return Err(CopyError::NotEmpty);
        }
        // A file must not change during the copy: later changes would be lost without any message.
        let still = match self.engine {
            Engine::Sqlite => Some(self.begin().await?),
            Engine::Postgres => None,
        };
        let mut source = self.snapshot().await?;
        let mut sink = target.begin().await?;
        target.take_its_time(&mut sink).await?;
        for table in ["instance_keys", "people", "audit", "credentials"] {
            if count(&mut sink, table).await? > 0 {
                return Err(CopyError::NotEmpty);
            }
        }
        // A new schema has rows already: counters, the first team, the head of the audit log.
        for table in TABLES.iter().rev().filter(|table| **table != "audit") {
            composed_sql!("DELETE FROM {table}").execute(&mut sink).await?;
        }
        let mut counts = Counts::new();
        for table in TABLES {
            // Both have the same schema. SQLite describes its own schema in one statement.
            let description = match self.engine {
                Engine::Sqlite => describe(&mut source, table).await?,
                Engine::Postgres => describe(&mut sink, table).await?,
            };
            let copy = TableCopy { table, description, from: self.engine, to: target.engine };
            copy.run(&mut source, &mut sink, progress).await?;
            let (expected, found) = (count(&mut source, table).await?, count(&mut sink, table).await?);
            if expected != found {
                return Err(CopyError::Incomplete { table, expected, found });
            }
            counts.push((table, found));
        }
        sink.commit().await?;
        drop(still);
        if target.engine == Engine::Postgres {
            target.analyze().await;
        }
        Ok(counts)
    }

    /// Lets PostgreSQL count its rows now. Until it has done so, it plans as if the tables were empty. It would count
    /// them by itself, but later.
    async fn analyze(&self) {
        for table in TABLES {
            if let Err(error) = composed_sql!("ANALYZE {table}").execute(&self.changes).await {
                tracing::warn!(%error, table, "could not be analysed");
            }
        }
    }

    /// Removes the time limits from a transaction that reads or writes everything.
    async fn take_its_time(&self, transaction: &mut Transaction) -> Result<()> {
        if self.engine == Engine::Postgres {
            for sql in ["SET LOCAL statement_timeout = 0", "SET LOCAL idle_in_transaction_session_timeout = 0"] {
                sql!(sql).execute(&mut *transaction).await?;
            }
            transaction.be_patient();
        }
        Ok(())
    }

    /// Writes a consistent copy to `target` and checks the file. `target` is a path that must not exist yet. The copy
    /// is a file of SQLite (mode 0600), also when this database is PostgreSQL. A copy that fails the check is deleted.
    pub async fn backup(&self, target: &Path, progress: Progress<'_>) -> Result<Counts, CopyError> {
        private_file::open(target, true).map_err(StoreError::File)?;
        let result = match self.engine {
            Engine::Sqlite => self.copy_file(target).await,
            Engine::Postgres => self.copy_into(target, progress).await,
        };
        if result.is_err() {
            // The first error is reported; an error here would hide it.
            let _ = std::fs::remove_file(target);
        }
        result
    }

    async fn copy_file(&self, target: &Path) -> Result<Counts, CopyError> {
        let before = self.counts().await?;
        let name = target.to_str().ok_or_else(|| StoreError::Address("the path is not valid UTF-8".to_owned()))?;
        sql!("VACUUM INTO $1"; name).execute(&self.changes).await?;
        let after = self.counts().await?;
        let counts = check(target).await?;
        // The file was copied at a moment between the two counts. Rows of these tables are never deleted, so the copy's
        // number must lie between them.
        for table in ["audit", "credentials", "client_secrets", "client_keys", "federated_identities", "people"] {
            let of = |counts: &Counts| counts.iter().find(|(name, _)| *name == table).map_or(0, |(_, rows)| *rows);
            let (expected, found) = (of(&before), of(&counts));
            if found < expected || found > of(&after) {
                return Err(CopyError::Incomplete { table, expected, found });
            }
        }
        Ok(counts)
    }

    async fn copy_into(&self, target: &Path, progress: Progress<'_>) -> Result<Counts, CopyError> {
        let options = StoreOptions { ledger_durability: LedgerDurability::Power, ..StoreOptions::default() };
        let copy = Self::open(&DatabaseUrl::Sqlite(target.to_owned()), &options).await?;
        let result = match copy.migrate().await {
            Ok(()) => self.copy_to(&copy, progress).await,
            Err(error) => Err(error.into()),
        };
        copy.close().await;
        let _ = std::fs::remove_file(target.with_added_extension("migration"));
        result?;
        check(target).await
    }

    /// How many rows each table has, as they are at one moment.
    pub async fn counts(&self) -> Result<Counts, CopyError> {
        Ok(count_all(&mut *self.snapshot().await?).await?)
    }

    /// A transaction that reads the database as it is at one moment.
    async fn snapshot(&self) -> Result<Transaction> {
        let mut snapshot: Transaction = match self.engine {
            Engine::Sqlite => self.begin_read().await?,
            Engine::Postgres => self.reads.begin("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", None).await?,
        };
        self.take_its_time(&mut snapshot).await?;
        Ok(snapshot)
    }
}

/// Checks that the file is intact. Returns how many rows its tables have.
async fn check(file: &Path) -> Result<Counts, CopyError> {
    let copy = sqlite::pool(file, 1, "PRAGMA query_only = ON;".to_owned()).await?;
    let verdict: String = sql!("PRAGMA integrity_check").one(&copy).await?;
    if verdict != "ok" {
        return Err(StoreError::Inconsistent { table: "the copy", detail: verdict }.into());
    }
    let counts = count_all(&mut *copy.acquire().await?).await;
    copy.close().await;
    Ok(counts?)
}

async fn count_all(connection: &mut AnyConnection) -> Result<Counts> {
    let mut counts = Counts::new();
    for table in TABLES {
        counts.push((table, count(&mut *connection, table).await?));
    }
    Ok(counts)
}

async fn count(connection: &mut AnyConnection, table: &'static str) -> Result<i64> {
    composed_sql!("SELECT COUNT(*) AS n FROM {table}").one(connection).await
}

/// A column.
struct Column {
    name: String,
    is_number: bool,
    /// Its position in the primary key, from 1; 0 when it is not part of the key.
    key: i64,
}

row! { "the schema" => Column {
    name, is_number: |columns| Ok(columns.get::<String>("type")? == "BIGINT"), key = "pk"
} }

/// The columns of a table of SQLite, the columns of the primary key first.
async fn describe(connection: &mut AnyConnection, table: &'static str) -> Result<Vec<Column>> {
    let mut columns: Vec<Column> =
        sql!("SELECT name, type, CAST(pk AS BIGINT) AS pk FROM pragma_table_info($1)"; table).all(connection).await?;
    columns.sort_by_key(|column| if column.key == 0 { i64::MAX } else { column.key });
    Ok(columns)
}

/// The copy of one table.
struct TableCopy {
    table: &'static str,
    description: Vec<Column>,
    from: Engine,
    to: Engine,
}

impl TableCopy {
    async fn run(&self, source: &mut AnyConnection, sink: &mut AnyConnection, progress: Progress<'_>) -> Result<()> {
        let (first, next, insert) = (self.select(false), self.select(true), self.insert());
        let mut after: Option<String> = None;
        let mut copied = 0;
        loop {
            let sql = if after.is_some() { &next } else { &first };
            let texts: Vec<String> =
                Statement::composed(sql).bind(&PAGE).bind(after.as_deref().unwrap_or("[]")).all(&mut *source).await?;
            if let Some(last) = texts.last() {
                let page = format!("[{}]", texts.join(","));
                Statement::composed(&insert).bind(&page).execute(&mut *sink).await?;
                after = Some(last.clone());
                copied += i64::try_from(texts.len()).unwrap_or(i64::MAX);
                progress(self.table, copied);
            }
            if texts.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    fn names(&self) -> String {
        self.description.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// A page of rows, each a JSON list. With `after`, the page begins after the row in `$2`.
    fn select(&self, after: bool) -> String {
        let (list, parameter) = match self.from {
            Engine::Sqlite => ("json_array", "$2"),
            Engine::Postgres => ("json_build_array", "CAST($2 AS JSON)"),
        };
        let key: Vec<&Column> = self.description.iter().filter(|column| column.key > 0).collect();
        let names = key.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
        let last = key.iter().enumerate().map(|(place, column)| element(parameter, place, column));
        let condition = match after {
            true => format!("({names}) > ({})", last.collect::<Vec<_>>().join(", ")),
            false => "$2 = $2".to_owned(),
        };
        format!(
            "SELECT CAST({list}({}) AS TEXT) AS value FROM {} WHERE {condition} ORDER BY {names} LIMIT $1",
            self.names(),
            self.table
        )
    }

    fn insert(&self) -> String {
        let values = self.description.iter().enumerate().map(|(place, column)| element("row.value", place, column));
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {}",
            self.table,
            self.names(),
            values.collect::<Vec<_>>().join(", "),
            self.to.elements("$1", "row")
        )
    }
}

/// A value in a JSON list.
fn element(list: &str, place: usize, column: &Column) -> String {
    if column.is_number { format!("CAST({list} ->> {place} AS BIGINT)") } else { format!("{list} ->> {place}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Instance;

    #[tokio::test]
    async fn every_table_is_copied() {
        let instance = Instance::new().await;
        let sql = match instance.context.store.engine() {
            Engine::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'"
            }
            Engine::Postgres => {
                "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables
                 WHERE table_schema = current_schema() AND table_name NOT LIKE '\\_%'"
            }
        };
        let mut found: Vec<String> = sql!(sql).all(&instance.context.store).await.expect("reads");
        found.sort();
        let mut expected = TABLES.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}
