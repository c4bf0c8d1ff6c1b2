//! Reads the data for the decisions of a batch of exchanges, and writes its entries.
//!
//! Each engine has its own implementation, because their costs differ. [`sqlite`] is called in the ledger's own thread,
//! where one statement for each row is cheapest. [`postgres`] is another process, so one statement reads a batch and
//! one writes it.

pub mod postgres;
pub mod sqlite;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::Deserialize;

use crate::base::clock::Timestamp;
use crate::base::id::{AuthenticatorId, ClientId, McpServerId, TeamId};
use crate::model::server::McpServer;
use crate::model::server::scope::Scopes;
use crate::model::token::{AuthenticatorState, ClientProof, IssuedToken, SingleUse};
use crate::store::connection::url::DatabaseUrl;
use crate::store::credential::authenticators::KeyRow;
use crate::store::{Engine, Result, Statement, Store, StoreError, Transaction, sql};

/// A table of authenticators.
struct AuthenticatorTable {
    table: &'static str,
    /// The column by which a row is found.
    key: &'static str,
    /// The columns that say when a row expires and when it retires.
    ends: &'static str,
}

const SECRETS: AuthenticatorTable =
    AuthenticatorTable { table: "client_secrets", key: "hash", ends: "a.expires_at, a.retires_at" };
const KEYS: AuthenticatorTable =
    AuthenticatorTable { table: "client_keys", key: "id", ends: "a.expires_at, a.retires_at" };
const IDENTITIES: AuthenticatorTable =
    AuthenticatorTable { table: "federated_identities", key: "id", ends: "CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)" };

impl AuthenticatorTable {
    /// The table in which a proof is looked up, and the key to look up.
    fn of(proof: &ClientProof) -> Option<(&'static Self, &str)> {
        match proof {
            ClientProof::Secret(hash) => Some((&SECRETS, hash.as_str())),
            ClientProof::Assertion { authenticator, .. } => match authenticator {
                // No assertion is made with a secret.
                AuthenticatorId::Secret(_) => None,
                AuthenticatorId::Key(id) => Some((&KEYS, id.as_str())),
                AuthenticatorId::Federated(id) => Some((&IDENTITIES, id.as_str())),
            },
        }
    }

    /// The columns of [`StateRow`], in its order. The authenticator is `a`, its credential `c`.
    fn columns(&self) -> String {
        format!(
            "a.id, c.client_id, a.status_index, {}, a.revoked_at, a.last_used_at, a.last_used_from, c.jwt_bearer_since,
             c.reusable_assertions_since, c.scopes, c.mcp_servers, c.token_lifetime, c.ip_ranges, c.expires_at,
             c.disabled_at, c.revoked_at, c.team_id",
            self.ends
        )
    }

    /// Reads `columns` of the authenticator whose key is `found`.
    fn select(&self, columns: &str, found: &str) -> String {
        let Self { table, key, .. } = self;
        format!(
            "SELECT {columns} FROM {table} AS a JOIN credentials AS c ON c.client_id = a.client_id
             WHERE a.{key} = {found}"
        )
    }
}

/// The state of one proof. A damaged row is an error of this proof alone: the other requests of the batch are decided.
pub(crate) type ProofState = Result<AuthenticatorState, StoreError>;

/// The fault of a row that cannot be read. It names the row by its identifier, if that can be read.
fn damaged(table: &'static str, row: &str, problem: impl std::fmt::Display) -> StoreError {
    StoreError::Inconsistent { table, detail: format!("{problem} (row {row:?})") }
}

/// The data for the decisions of a batch, as it was at one moment.
pub(crate) struct BatchState {
    /// The number of the newest audit entry. All data that changes only with an audit entry is as it was at that
    /// number.
    pub head: i64,
    /// The signing key in force, by algorithm.
    pub signing: HashMap<String, String>,
    /// The states of the presented proofs and their credentials, in the order of the batch; `None` is unknown.
    pub states: Vec<Option<ProofState>>,
}

/// [`AuthenticatorTable::columns`].
#[derive(Deserialize)]
struct StateRow<'row> {
    #[serde(borrow)]
    id: Cow<'row, str>,
    #[serde(borrow)]
    client_id: Cow<'row, str>,
    status_index: i64,
    expires_at: Option<i64>,
    retires_at: Option<i64>,
    authenticator_revoked_at: Option<i64>,
    last_used_at: Option<i64>,
    last_used_from: Option<String>,
    jwt_bearer_since: Option<i64>,
    reusable_assertions_since: Option<i64>,
    #[serde(borrow)]
    scopes: Cow<'row, str>,
    #[serde(borrow)]
    mcp_servers: Cow<'row, str>,
    token_lifetime: Option<i64>,
    #[serde(borrow)]
    ip_ranges: Cow<'row, str>,
    hard_end_at: Option<i64>,
    disabled_at: Option<i64>,
    revoked_at: Option<i64>,
    #[serde(borrow)]
    team: Cow<'row, str>,
}

impl<'row> StateRow<'row> {
    /// Reads the row from a JSON list.
    fn parse(json: &'row str, table: &'static str) -> ProofState {
        let row: Self = serde_json::from_str(json).map_err(|error| {
            let id = serde_json::from_str::<Vec<serde_json::Value>>(json).ok().and_then(|row| row.into_iter().next());
            damaged(table, id.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default(), error)
        })?;
        row.state(table)
    }

    /// The state that the row of `table` and the row of its credential describe.
    ///
    /// # Errors
    ///
    /// Which row makes no sense, and in which column.
    fn state(self, table: &'static str) -> ProofState {
        let wrong = |column: &str| damaged(table, &self.id, format_args!("{column} makes no sense"));
        let wrong_credential =
            |column: &str| damaged("credentials", &self.client_id, format_args!("{column} makes no sense"));
        let moment = |millis: Option<i64>| millis.map(Timestamp::from_millis);
        let list =
            |json: &str, column: &str| serde_json::from_str::<Vec<String>>(json).map_err(|_| wrong_credential(column));
        let last_used_from = self.last_used_from.as_deref().map(str::parse).transpose();
        let token_lifetime = self.token_lifetime.map(u64::try_from).transpose();
        Ok(AuthenticatorState {
            id: AuthenticatorId::parse(&self.id).ok_or_else(|| wrong("id"))?,
            client_id: ClientId::parse(&self.client_id).ok_or_else(|| wrong_credential("client_id"))?,
            status_index: self.status_index,
            expires_at: moment(self.expires_at),
            retires_at: moment(self.retires_at),
            authenticator_revoked_at: moment(self.authenticator_revoked_at),
            last_used_at: moment(self.last_used_at),
            last_used_from: last_used_from.map_err(|_| wrong("last_used_from"))?,
            jwt_bearer: self.jwt_bearer_since.is_some(),
            reusable_assertions: self.reusable_assertions_since.is_some(),
            scopes: Scopes::parse(&self.scopes).ok_or_else(|| wrong_credential("scopes"))?,
            servers: list(&self.mcp_servers, "mcp_servers")?
                .iter()
                .map(|id| McpServerId::parse(id).ok_or_else(|| wrong_credential("mcp_servers")))
                .collect::<Result<_, _>>()?,
            token_lifetime: token_lifetime.map_err(|_| wrong_credential("token_lifetime"))?.map(Duration::from_secs),
            // A range that cannot be read must not have the meaning "from anywhere".
            ip_ranges: list(&self.ip_ranges, "ip_ranges")?
                .iter()
                .map(|range| range.parse().map_err(|_| wrong_credential("ip_ranges")))
                .collect::<Result<_, _>>()?,
            hard_end_at: moment(self.hard_end_at),
            disabled_at: moment(self.disabled_at),
            revoked_at: moment(self.revoked_at),
            team: TeamId::parse(&self.team).ok_or_else(|| wrong_credential("team_id"))?,
        })
    }
}

/// One exchange to write.
pub(crate) struct LedgerEntry<'batch> {
    /// The issued token to record.
    pub issued: &'batch IssuedToken,
    /// The assertion that it uses up. No two entries of a batch use the same assertion.
    pub single_use: Option<&'batch SingleUse>,
}

/// The result of writing the entries.
pub(crate) enum BatchOutcome {
    /// The entries are committed, except the entries whose assertion is not in this set (client and `jti`): such an
    /// assertion was used before.
    Committed(HashSet<(String, String)>),
    /// A change happened since the batch was read: nothing is written.
    Outdated,
}

/// A connection that reads and writes batches.
pub(crate) enum BatchConnection {
    Sqlite(sqlite::Batches),
    Postgres(postgres::Batches),
}

impl BatchConnection {
    pub(crate) fn new(store: Store) -> Self {
        match store.url().clone() {
            DatabaseUrl::Sqlite(path) => Self::Sqlite(sqlite::Batches::new(store, path)),
            DatabaseUrl::Postgres(_) => Self::Postgres(postgres::Batches::new(store)),
        }
    }

    /// Returns to the pool the connection that is kept only while requests wait.
    pub(crate) fn release(&mut self) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(batches) => batches.release(),
        }
    }

    /// Reads the data for the decisions. [`BatchConnection::write`] or [`BatchConnection::roll_back`] must follow.
    ///
    /// `held`: no change happens from here to the end of the batch. On PostgreSQL this costs two more round trips. It
    /// is for a batch that was read and then overtaken by a change: without it, changes could overtake the batch again
    /// and again.
    pub(crate) async fn read(
        &mut self,
        proofs: &[&ClientProof],
        now: Timestamp,
        held: bool,
    ) -> Result<BatchState, StoreError> {
        match self {
            Self::Sqlite(batches) => batches.read(proofs, now).await,
            Self::Postgres(batches) => batches.read(proofs, now, held).await,
        }
    }

    /// The MCP servers at this moment of the batch.
    pub(crate) async fn mcp_servers(&mut self) -> Result<Vec<McpServer>, StoreError> {
        match self {
            Self::Sqlite(batches) => batches.mcp_servers(),
            Self::Postgres(batches) => batches.mcp_servers().await,
        }
    }

    /// Writes the entries and commits. `head` is [`BatchState::head`].
    pub(crate) async fn write(&mut self, head: i64, entries: &[LedgerEntry<'_>]) -> Result<BatchOutcome, StoreError> {
        match self {
            Self::Sqlite(batches) => batches.write(entries),
            Self::Postgres(batches) => batches.write(head, entries).await,
        }
    }

    /// Ends the batch and leaves nothing behind.
    pub(crate) async fn roll_back(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(batches) => batches.roll_back(),
            Self::Postgres(batches) => batches.roll_back().await,
        }
    }
}

/// Finds the keys of clients, on another connection than that of the batches.
pub(crate) enum KeyLookups {
    Sqlite(sqlite::KeyLookups),
    Postgres(Store),
}

impl KeyLookups {
    pub(crate) fn new(store: Store) -> Self {
        match store.url().clone() {
            DatabaseUrl::Sqlite(path) => Self::Sqlite(sqlite::KeyLookups::new(path)),
            DatabaseUrl::Postgres(_) => Self::Postgres(store),
        }
    }

    /// The rows of each client's keys that work, or stopped working after the moment beside the client.
    pub(crate) async fn keys(&mut self, asked: &[(&ClientId, Timestamp)]) -> Result<Vec<Vec<KeyRow>>, StoreError> {
        match self {
            Self::Sqlite(lookups) => lookups.keys(asked),
            Self::Postgres(store) => postgres::keys(store, asked).await,
        }
    }
}

/// The state of one proof and its credential, outside of a batch.
pub(crate) async fn authenticator_state(
    transaction: &mut Transaction,
    engine: Engine,
    proof: &ClientProof,
) -> Result<Option<ProofState>, StoreError> {
    let Some((kind, found)) = AuthenticatorTable::of(proof) else { return Ok(None) };
    let list = match engine {
        Engine::Sqlite => "json_array",
        Engine::Postgres => "json_build_array",
    };
    let sql = kind.select(&format!("CAST({list}({}) AS TEXT)", kind.columns()), "$1");
    let state: Option<String> = Statement::composed(sql).bind(found).optional(transaction).await?;
    Ok(state.map(|state| StateRow::parse(&state, kind.table)))
}

/// Uses one assertion up, outside of a batch; false when it was used before.
pub(crate) async fn use_assertion(
    transaction: &mut Transaction,
    client_id: &str,
    once: &SingleUse,
) -> Result<bool, StoreError> {
    sql!(USE_ASSERTION; client_id, once.jti, once.until).changed(transaction).await
}

/// Uses the assertion `$2` of the client `$1` up, which must be remembered until `$3`; changes nothing when it was used
/// before.
const USE_ASSERTION: &str = "INSERT INTO used_assertions (client_id, jti, expires_at) VALUES ($1, $2, $3)
                             ON CONFLICT (client_id, jti) DO NOTHING";

/// The columns of an exchange.
const LEDGER_COLUMNS: &str = "jti, client_id, authenticator_id, server_id, scope, issued_at, expires_at, address";
