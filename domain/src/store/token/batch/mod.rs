//! The reads and writes of the issuing transaction: what a batch of exchanges is decided on, and what is left of it.
//!
//! Each engine has its own way, since what costs is different: [`sqlite`] is called in the ledger's own thread, where a statement
//! a row is cheapest; [`postgres`] is another process, so a batch is one text that reads and one that writes.

pub mod postgres;
pub mod sqlite;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::Deserialize;
use sqlx::{AssertSqlSafe, Row};

use crate::base::clock::Timestamp;
use crate::base::id::{AuthenticatorId, ClientId, McpServerId};
use crate::model::scope::Scopes;
use crate::model::server::McpServer;
use crate::model::token::{AuthenticatorState, Issued, Proof, SingleUse};
use crate::store::credential::authenticators::KeyRow;
use crate::store::{DatabaseUrl, Engine, Store, StoreError, Transaction};

/// A table of authenticators.
struct Kind {
    table: &'static str,
    /// Finds a row by what is presented.
    key: &'static str,
    /// When a row expires and when it retires, as columns.
    ends: &'static str,
}

const SECRETS: Kind = Kind { table: "client_secrets", key: "hash", ends: "a.expires_at, a.retires_at" };
const KEYS: Kind = Kind { table: "client_keys", key: "id", ends: "a.expires_at, a.retires_at" };
const IDENTITIES: Kind =
    Kind { table: "federated_identities", key: "id", ends: "CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)" };

impl Kind {
    /// Where a proof is looked up, and as what.
    fn of(proof: &Proof) -> Option<(&'static Self, &str)> {
        match proof {
            Proof::Secret(hash) => Some((&SECRETS, hash.as_str())),
            Proof::Assertion { authenticator, .. } => match authenticator {
                // No assertion is made with one.
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
             c.disabled_at, c.revoked_at",
            self.ends
        )
    }

    /// Reads `columns` of the authenticator that `found` is the key of.
    fn select(&self, columns: &str, found: &str) -> String {
        let Self { table, key, .. } = self;
        format!(
            "SELECT {columns} FROM {table} AS a JOIN credentials AS c ON c.client_id = a.client_id WHERE a.{key} = {found}"
        )
    }
}

/// The state of one proof: an error when its row makes no sense, which must not refuse its neighbours.
type State = Result<AuthenticatorState, String>;

/// What a batch is decided on, as it was at one moment.
pub(crate) struct BatchState {
    /// The number of the newest audit entry: whatever is only changed with one is as it was at that number.
    pub head: i64,
    /// The signing key in force, by algorithm.
    pub signing: HashMap<String, String>,
    /// The state of what is presented and of its credentials, in the order of the batch; `None` is unknown.
    pub states: Vec<Option<State>>,
}

/// Of the keys that are in force the newest signs, of each algorithm: moment, algorithm, name.
fn newest(mut keys: Vec<(i64, String, String)>) -> HashMap<String, String> {
    keys.sort();
    keys.into_iter().map(|(_, alg, kid)| (alg, kid)).collect()
}

/// [`Kind::columns`].
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
}

impl StateRow<'_> {
    /// # Errors
    ///
    /// Which column makes no sense.
    fn state(self) -> State {
        let wrong = |column: &str| format!("{column} of {} makes no sense", self.client_id);
        let moment = |millis: Option<i64>| millis.map(Timestamp::from_millis);
        let servers: Vec<Cow<'_, str>> = serde_json::from_str(&self.mcp_servers).map_err(|_| wrong("mcp_servers"))?;
        let ip_ranges: Vec<Cow<'_, str>> = serde_json::from_str(&self.ip_ranges).map_err(|_| wrong("ip_ranges"))?;
        Ok(AuthenticatorState {
            id: AuthenticatorId::parse(&self.id).ok_or_else(|| wrong("id"))?,
            client_id: ClientId::parse(&self.client_id).ok_or_else(|| wrong("client_id"))?,
            status_index: self.status_index,
            expires_at: moment(self.expires_at),
            retires_at: moment(self.retires_at),
            authenticator_revoked_at: moment(self.authenticator_revoked_at),
            last_used_at: moment(self.last_used_at),
            last_used_from: self.last_used_from.as_deref().and_then(|address| address.parse().ok()),
            jwt_bearer: self.jwt_bearer_since.is_some(),
            reusable_assertions: self.reusable_assertions_since.is_some(),
            scopes: Scopes::parse(&self.scopes).ok_or_else(|| wrong("scopes"))?,
            servers: servers.iter().filter_map(|id| McpServerId::parse(id)).collect(),
            token_lifetime: self.token_lifetime.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0))),
            // A range that cannot be read must not turn into "from anywhere".
            ip_ranges: ip_ranges
                .iter()
                .map(|range| range.parse().map_err(|_| wrong("ip_ranges")))
                .collect::<Result<_, _>>()?,
            hard_end_at: moment(self.hard_end_at),
            disabled_at: moment(self.disabled_at),
            revoked_at: moment(self.revoked_at),
        })
    }
}

/// One exchange to write.
pub(crate) struct NewEntry<'batch> {
    /// What is written.
    pub issued: &'batch Issued,
    /// The assertion that it uses up. Of a batch no two entries use the same.
    pub single_use: Option<&'batch SingleUse>,
}

/// What became of the entries.
pub(crate) enum Written {
    /// They are committed, but for those whose assertion is not among these (client and `jti`): it was used before.
    Committed(HashSet<(String, String)>),
    /// Something was changed since the batch was read: nothing is written.
    Outdated,
}

/// A connection for batches.
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

    /// Gives up what is only kept while requests wait.
    pub(crate) fn release(&mut self) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(batches) => batches.release(),
        }
    }

    /// Reads what the requests are decided on. [`BatchConnection::write`] or [`BatchConnection::leave`] must follow.
    ///
    /// `held`: nothing changes from here to the end of the batch, on PostgreSQL for two more words to the database. For a batch
    /// that changes overtook before: others could go on doing so.
    pub(crate) async fn read(
        &mut self,
        proofs: &[&Proof],
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
    pub(crate) async fn write(&mut self, head: i64, entries: &[NewEntry<'_>]) -> Result<Written, StoreError> {
        match self {
            Self::Sqlite(batches) => batches.write(entries),
            Self::Postgres(batches) => batches.write(head, entries).await,
        }
    }

    /// Ends the batch and leaves nothing behind.
    pub(crate) async fn leave(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(batches) => batches.leave(),
            Self::Postgres(batches) => batches.leave().await,
        }
    }
}

/// What finds the keys of clients, beside the batches.
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

    /// The rows of each client's keys, of those that work or stopped working after the moment beside it.
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
    proof: &Proof,
) -> Result<Option<State>, StoreError> {
    let Some((kind, found)) = Kind::of(proof) else { return Ok(None) };
    let list = match engine {
        Engine::Sqlite => "json_array",
        Engine::Postgres => "json_build_array",
    };
    let sql = kind.select(&format!("CAST({list}({}) AS TEXT)", kind.columns()), "$1");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(found).fetch_optional(&mut **transaction).await?;
    let Some(row) = row else { return Ok(None) };
    let state: String = row.try_get(0)?;
    let state = serde_json::from_str(&state).map_err(|error| error.to_string()).and_then(StateRow::state);
    Ok(Some(state))
}

/// Uses one assertion up, outside of a batch; false when it was used before.
pub(crate) async fn use_assertion(
    transaction: &mut Transaction,
    client_id: &ClientId,
    once: &SingleUse,
) -> Result<bool, StoreError> {
    let used = sqlx::query(USE_ASSERTION)
        .bind(client_id.as_str())
        .bind(&once.jti)
        .bind(once.until.millis())
        .execute(&mut **transaction)
        .await?;
    Ok(used.rows_affected() > 0)
}

/// Uses the assertion `$2` of the client `$1` up, which must be remembered until `$3`; changes nothing when it was used before.
const USE_ASSERTION: &str = "INSERT INTO used_assertions (client_id, jti, expires_at) VALUES ($1, $2, $3)
                             ON CONFLICT (client_id, jti) DO NOTHING";

/// The columns of an exchange.
const LEDGER_COLUMNS: &str = "jti, client_id, authenticator_id, server_id, scope, issued_at, expires_at, address";
