//! `credentials`, `client_secrets` and `form_submissions`.

use std::net::IpAddr;
use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{Columns, Store, StoreError, Transaction, millis, status_lists, teams, to_json};
use crate::clock::Timestamp;
use crate::credential::list::{Counts, Cursor, Moments, Show, Sort};
use crate::credential::{AssertionRules, AuthMethod, AuthenticatorEnd, ClientSecret, Credential};
use crate::id::{ClientId, McpServerId, SecretId, TeamId};
use crate::scope::Scopes;
use crate::secret::SecretHash;

const COLUMNS: &str = "client_id, team_id, name, description, auth_method, token_endpoint_audience_since,
    reusable_assertions_since, jwt_bearer_since, scopes, mcp_servers, token_lifetime, ip_ranges, created_by,
    created_at, hard_end_at, ends_at, disabled_at, revoked_at, revoke_reason, verified_at, last_used_at,
    last_used_from, last_used_agent, rotation_ends_at";

fn credential(row: &AnyRow) -> Result<Credential, StoreError> {
    let columns = Columns::of("credentials", row);
    let servers: Vec<String> = columns.json("mcp_servers")?;
    let ip_ranges: Vec<String> = columns.json("ip_ranges")?;
    let wrong = |column: &str| StoreError::Inconsistent { table: "credentials", detail: column.to_owned() };
    Ok(Credential {
        client_id: columns.parsed("client_id", ClientId::parse)?,
        team: columns.parsed("team_id", TeamId::parse)?,
        name: columns.text("name")?,
        description: columns.text("description")?,
        auth_method: columns.parsed("auth_method", AuthMethod::parse)?,
        assertions: AssertionRules {
            token_endpoint_audience: columns.optional_moment("token_endpoint_audience_since")?.is_some(),
            reusable: columns.optional_moment("reusable_assertions_since")?.is_some(),
            jwt_bearer: columns.optional_moment("jwt_bearer_since")?.is_some(),
        },
        scopes: columns.parsed("scopes", Scopes::parse)?,
        servers: servers
            .iter()
            .map(|id| McpServerId::parse(id).ok_or_else(|| wrong("mcp_servers")))
            .collect::<Result<_, _>>()?,
        token_lifetime: row
            .try_get::<Option<i64>, _>("token_lifetime")?
            .map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0))),
        ip_ranges: ip_ranges
            .iter()
            .map(|range| range.parse().map_err(|_| wrong("ip_ranges")))
            .collect::<Result<_, _>>()?,
        created_by: columns.text("created_by")?,
        created_at: columns.moment("created_at")?,
        hard_end_at: columns.optional_moment("hard_end_at")?,
        ends_at: columns.optional_moment("ends_at")?,
        disabled_at: columns.optional_moment("disabled_at")?,
        revoked_at: columns.optional_moment("revoked_at")?,
        revoke_reason: columns.optional_text("revoke_reason")?,
        verified_at: columns.optional_moment("verified_at")?,
        last_used_at: columns.optional_moment("last_used_at")?,
        last_used_from: address(&columns, "last_used_from")?,
        last_used_agent: columns.optional_text("last_used_agent")?,
        rotation_ends_at: columns.optional_moment("rotation_ends_at")?,
    })
}

fn address(columns: &Columns<'_>, column: &str) -> Result<Option<IpAddr>, StoreError> {
    Ok(columns.optional_text(column)?.and_then(|address| address.parse().ok()))
}

/// What the list searches and sorts by: name and client ID, lower case.
pub(crate) fn search_text(credential: &Credential) -> String {
    format!("{} {}", credential.name.to_lowercase(), credential.client_id.as_str().to_lowercase())
}

/// A LIKE pattern (escape character `\`) for texts that contain `part`, lower case.
pub(crate) fn contains_pattern(part: &str) -> String {
    let mut pattern = String::from("%");
    for character in part.to_lowercase().chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

pub(crate) async fn insert(
    transaction: &mut Transaction,
    credential: &Credential,
    maker: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO credentials (client_id, name, search_text, description, auth_method, scopes, mcp_servers,
                                  token_lifetime, ip_ranges, created_by, created_at, hard_end_at, ends_at,
                                  token_endpoint_audience_since, reusable_assertions_since, jwt_bearer_since,
                                  team_id, created_by_id)
         VALUES ($1, $2, $3, $4, $13, $5, $6, $7, $8, $9, $10, $11, $12, $14, $15, $16, $17, $18)",
    )
    .bind(credential.client_id.as_str())
    .bind(&credential.name)
    .bind(search_text(credential))
    .bind(&credential.description)
    .bind(credential.scopes.to_string())
    .bind(to_json(&credential.servers.iter().map(McpServerId::as_str).collect::<Vec<_>>()))
    .bind(seconds(credential.token_lifetime))
    .bind(to_json(&credential.ip_ranges.iter().map(ToString::to_string).collect::<Vec<_>>()))
    .bind(&credential.created_by)
    .bind(credential.created_at.millis())
    .bind(millis(credential.hard_end_at))
    .bind(millis(credential.ends_at))
    .bind(credential.auth_method.as_str())
    .bind(credential.assertions.token_endpoint_audience.then(|| credential.created_at.millis()))
    .bind(credential.assertions.reusable.then(|| credential.created_at.millis()))
    .bind(credential.assertions.jwt_bearer.then(|| credential.created_at.millis()))
    .bind(credential.team.as_str())
    .bind(maker)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

pub(super) fn seconds(lifetime: Option<Duration>) -> Option<i64> {
    lifetime.map(|lifetime| i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX))
}

/// Writes what an edit may change.
pub(crate) async fn update(
    transaction: &mut Transaction,
    credential: &Credential,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE credentials SET name = $1, search_text = $2, description = $3, scopes = $4, token_lifetime = $5,
                ip_ranges = $6, hard_end_at = $7, ends_at = $8, token_endpoint_audience_since = $10,
                reusable_assertions_since = $11, jwt_bearer_since = $12, team_id = $13 WHERE client_id = $9",
    )
    .bind(&credential.name)
    .bind(search_text(credential))
    .bind(&credential.description)
    .bind(credential.scopes.to_string())
    .bind(seconds(credential.token_lifetime))
    .bind(to_json(&credential.ip_ranges.iter().map(ToString::to_string).collect::<Vec<_>>()))
    .bind(millis(credential.hard_end_at))
    .bind(millis(credential.ends_at))
    .bind(credential.client_id.as_str())
    .bind(credential.assertions.token_endpoint_audience.then(|| now.millis()))
    .bind(credential.assertions.reusable.then(|| now.millis()))
    .bind(credential.assertions.jwt_bearer.then(|| now.millis()))
    .bind(credential.team.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

pub(crate) async fn set_disabled(
    transaction: &mut Transaction,
    client_id: &ClientId,
    disabled_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE credentials SET disabled_at = $1 WHERE client_id = $2")
        .bind(millis(disabled_at))
        .bind(client_id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

pub(crate) async fn revoke(
    transaction: &mut Transaction,
    client_id: &ClientId,
    now: Timestamp,
    reason: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE credentials SET revoked_at = $1, revoke_reason = $2 WHERE client_id = $3")
        .bind(now.millis())
        .bind(reason)
        .bind(client_id.as_str())
        .execute(&mut **transaction)
        .await?;
    for sql in [
        "UPDATE client_secrets SET revoked_at = $1 WHERE client_id = $2 AND revoked_at IS NULL",
        "UPDATE client_keys SET revoked_at = $1 WHERE client_id = $2 AND revoked_at IS NULL",
        "UPDATE federated_identities SET revoked_at = $1 WHERE client_id = $2 AND revoked_at IS NULL",
    ] {
        sqlx::query(sql).bind(now.millis()).bind(client_id.as_str()).execute(&mut **transaction).await?;
    }
    Ok(())
}

pub(crate) async fn find(store: &Store, client_id: &ClientId) -> Result<Option<Credential>, StoreError> {
    let sql = AssertSqlSafe(format!("SELECT {COLUMNS} FROM credentials WHERE client_id = $1"));
    let row = sqlx::query(sql).bind(client_id.as_str()).fetch_optional(store.reads()).await?;
    row.as_ref().map(credential).transpose()
}

pub(crate) async fn find_in(
    transaction: &mut Transaction,
    client_id: &ClientId,
) -> Result<Option<Credential>, StoreError> {
    let sql = AssertSqlSafe(format!("SELECT {COLUMNS} FROM credentials WHERE client_id = $1"));
    let row = sqlx::query(sql).bind(client_id.as_str()).fetch_optional(&mut **transaction).await?;
    row.as_ref().map(credential).transpose()
}

const WORKING: &str = "revoked_at IS NULL AND disabled_at IS NULL AND (ends_at IS NULL OR ends_at > $2)";

/// Whose credentials: a part of a statement with the parameters `$8` (see [`Authority::key`](crate::authority::Authority)) and `$9` (a team). What is not
/// limited is left out, so that the index of what is can be used.
fn owned(key: Option<&str>, team: Option<&TeamId>) -> &'static str {
    match (key, team) {
        (None, None) => "$8 IS NULL AND $9 IS NULL",
        (Some(_), None) => concat!("$9 IS NULL AND team_id IN ", teams::of!("$8")),
        (None, Some(_)) => "$8 IS NULL AND team_id = $9",
        (Some(_), Some(_)) => concat!("team_id = $9 AND team_id IN ", teams::of!("$8")),
    }
}

/// What [`list`] lists.
pub(crate) struct Selected<'query> {
    pub key: Option<&'query str>,
    pub team: Option<&'query TeamId>,
    pub search: Option<&'query str>,
    pub show: Show,
    pub sort: Sort,
    pub after: Option<&'query Cursor>,
}

/// With more credentials than this a search compares beginnings, which an index finds. Below, any part of a name is found.
const SEARCHED_EVERYWHERE: i64 = 20_000;
/// What matches at most this often is found by the index of the condition and sorted. What matches more often is met soon
/// enough along the index of the order. Either alone reads everything in the case of the other.
const FEW: i64 = 2000;

/// A condition in two forms.
struct Condition {
    /// Along an index of the condition; [`None`] when there is none.
    indexed: Option<String>,
    /// As a filter of rows that come in the order of the list. Written so that the planner does not take it for more.
    filter: String,
}

impl Condition {
    /// Which credentials, at `$2`, `$3` and `$4`: see [`Moments`].
    fn of_show(show: Show) -> Self {
        const NOT_STOPPED: &str = "revoked_at IS NULL AND disabled_at IS NULL";
        let indexed = |text: String| Some(text);
        let (indexed, filter) = match show {
            Show::All => (None, "1 = 1".to_owned()),
            Show::InUse => (None, format!("{WORKING} AND verified_at IS NOT NULL")),
            Show::Unverified => (None, format!("{WORKING} AND verified_at IS NULL")),
            Show::Expiring => (
                indexed(format!("{NOT_STOPPED} AND {END} > $2 AND {END} <= $3")),
                format!("{WORKING} AND ends_at <= $3"),
            ),
            Show::Rotating => (
                indexed(format!("{WORKING} AND rotation_ends_at > $2")),
                format!("{WORKING} AND COALESCE(rotation_ends_at, 0) > $2"),
            ),
            Show::NeverExpires => {
                (indexed(format!("{NOT_STOPPED} AND {END} = {NEVER}")), format!("{WORKING} AND ends_at IS NULL"))
            }
            Show::Idle => (
                indexed(format!("{WORKING} AND {LAST_USE} < $4")),
                format!("{WORKING} AND (last_used_at IS NULL OR last_used_at < $4)"),
            ),
            Show::Disabled => (
                None,
                "revoked_at IS NULL AND disabled_at IS NOT NULL AND (ends_at IS NULL OR ends_at > $2)".to_owned(),
            ),
            Show::Expired => (
                indexed(format!("revoked_at IS NULL AND {END} <= $2")),
                "revoked_at IS NULL AND ends_at <= $2".to_owned(),
            ),
            Show::Revoked => (None, "revoked_at IS NOT NULL".to_owned()),
        };
        Self { indexed, filter }
    }

    /// Names that begin with `$1` (and so are before `$10`), and client IDs that do.
    fn of_beginning() -> Self {
        Self {
            indexed: Some(
                "((search_text >= $1 AND search_text < $10) OR (client_id >= $11 AND client_id < $12))".to_owned(),
            ),
            filter: "((search_text || '' >= $1 AND search_text || '' < $10)
                      OR (client_id || '' >= $11 AND client_id || '' < $12))"
                .to_owned(),
        }
    }
}

const NEVER: &str = "9223372036854775807";
const END: &str = "COALESCE(ends_at, 9223372036854775807)";
const LAST_USE: &str = "COALESCE(last_used_at, 0)";

/// Greater than every text that begins with `part`.
fn after_beginning(part: &str) -> String {
    format!("{part}{}", char::MAX)
}

/// One page. The statements are put together from the constants here alone; every value is a parameter.
pub(crate) async fn list(
    store: &Store,
    selected: &Selected<'_>,
    moments: &Moments,
    limit: i64,
) -> Result<Vec<Credential>, StoreError> {
    let by_beginning = selected.search.is_some() && is_large(store).await?;
    let shown = Condition::of_show(selected.show);
    let searched = match selected.search {
        None => Condition { indexed: None, filter: "$1 IS NULL".to_owned() },
        Some(_) if by_beginning => Condition::of_beginning(),
        Some(_) => Condition { indexed: None, filter: "search_text LIKE $1 ESCAPE '\\'".to_owned() },
    };
    let list = List { store, selected, moments, limit, by_beginning };
    let indexed = match (&searched.indexed, &shown.indexed) {
        (Some(searched), _) => Some(format!("{searched} AND {}", shown.filter)),
        (None, Some(shown)) => Some(format!("{shown} AND {}", searched.filter)),
        (None, None) => None,
    };
    if let Some(indexed) = indexed {
        let owned = owned(selected.key, selected.team);
        let found =
            list.run(&format!("SELECT client_id FROM credentials WHERE {indexed} AND {owned} LIMIT {FEW} + 1")).await?;
        if found.len() as i64 <= FEW {
            let found = found
                .iter()
                .map(|row| Ok([Columns::of("credentials", row).text("client_id")?]))
                .collect::<Result<Vec<_>, StoreError>>()?;
            let from =
                format!("{} JOIN credentials ON client_id = found.value ->> 0", store.engine().elements("$1", "found"));
            return list.page(&from, "1 = 1", Some(to_json(&found))).await;
        }
    }
    list.page("credentials", &format!("{} AND {}", searched.filter, shown.filter), list.first_parameter()).await
}

/// Whether there are so many credentials that a search cannot read them all.
async fn is_large(store: &Store) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT COUNT(*) AS n FROM (SELECT 1 FROM credentials LIMIT $1) AS counted")
        .bind(SEARCHED_EVERYWHERE + 1)
        .fetch_one(store.reads())
        .await?;
    Ok(Columns::of("credentials", &row).number("n")? > SEARCHED_EVERYWHERE)
}

/// The statements of one list, which share their parameters.
struct List<'query> {
    store: &'query Store,
    selected: &'query Selected<'query>,
    moments: &'query Moments,
    limit: i64,
    by_beginning: bool,
}

impl List<'_> {
    /// A page of the rows of `from` that meet `condition`, whose parameter `$1` is `first`.
    async fn page(&self, from: &str, condition: &str, first: Option<String>) -> Result<Vec<Credential>, StoreError> {
        let (key, comparison, direction) = match self.selected.sort {
            Sort::Created => ("created_at", "<", "DESC"),
            Sort::Name => ("search_text", ">", "ASC"),
            Sort::LastUsed => (LAST_USE, "<", "DESC"),
            Sort::Ends => (END, ">", "ASC"),
        };
        // Left out on the first page: a condition that may be absent would keep an index from being used.
        let after = match self.selected.after {
            Some(_) => format!("({key}, client_id) {comparison} ($5, $6)"),
            None => "$6 IS NULL".to_owned(),
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM {from} WHERE {condition} AND {} AND {after}
             ORDER BY {key} {direction}, client_id {direction} LIMIT $7",
            owned(self.selected.key, self.selected.team)
        );
        self.query(&sql, first).await?.iter().map(credential).collect()
    }

    async fn run(&self, sql: &str) -> Result<Vec<AnyRow>, StoreError> {
        self.query(sql, self.first_parameter()).await
    }

    /// What is searched for, as the condition of the search compares it.
    fn first_parameter(&self) -> Option<String> {
        self.selected.search.map(|search| match self.by_beginning {
            true => search.to_lowercase(),
            false => contains_pattern(search),
        })
    }

    async fn query(&self, sql: &str, first: Option<String>) -> Result<Vec<AnyRow>, StoreError> {
        let Selected { key: whose, team, search, sort, after, .. } = *self.selected;
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(first)
            .bind(self.moments.now.millis())
            .bind(self.moments.soon.millis())
            .bind(self.moments.idle_since.millis());
        let query = match (sort, after) {
            (Sort::Name, after) => query.bind(after.map(|cursor| cursor.key.as_str())),
            (_, after) => query.bind(after.and_then(|cursor| cursor.key.parse::<i64>().ok())),
        };
        Ok(query
            .bind(after.map(|cursor| cursor.client_id.as_str()))
            .bind(self.limit)
            .bind(whose)
            .bind(team.map(TeamId::as_str))
            .bind(search.map(|search| after_beginning(&search.to_lowercase())))
            .bind(search)
            .bind(search.map(after_beginning))
            .fetch_all(self.store.reads())
            .await?)
    }
}

pub(crate) async fn counts(store: &Store, key: Option<&str>, moments: &Moments) -> Result<Counts, StoreError> {
    let count = |condition: &str| format!("CAST(COALESCE(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END), 0) AS BIGINT)");
    let sql = AssertSqlSafe(format!(
        "SELECT COUNT(*) AS everything, {} AS working, {} AS expiring, {} AS idle, {} AS never_expires,
                {} AS unverified, {} AS rotating FROM credentials WHERE $2 > 0 AND {}",
        count(WORKING),
        count(&format!("{WORKING} AND ends_at <= $3")),
        count(&format!("{WORKING} AND (last_used_at IS NULL OR last_used_at < $4)")),
        count(&format!("{WORKING} AND ends_at IS NULL")),
        count(&format!("{WORKING} AND verified_at IS NULL")),
        count(&format!("{WORKING} AND rotation_ends_at > $2")),
        match key {
            None => "$1 IS NULL",
            Some(_) => concat!("team_id IN ", teams::of!("$1")),
        }
    ));
    let row = sqlx::query(sql)
        .bind(key)
        .bind(moments.now.millis())
        .bind(moments.soon.millis())
        .bind(moments.idle_since.millis())
        .fetch_one(store.reads())
        .await?;
    let columns = Columns::of("credentials", &row);
    Ok(Counts {
        all: columns.number("everything")?,
        working: columns.number("working")?,
        expiring: columns.number("expiring")?,
        idle: columns.number("idle")?,
        never_expires: columns.number("never_expires")?,
        unverified: columns.number("unverified")?,
        rotating: columns.number("rotating")?,
    })
}

/// A secret to store: its hash, never itself.
pub(crate) struct NewSecret {
    pub id: SecretId,
    pub client_id: ClientId,
    pub hash: SecretHash,
    pub hint: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// Who made it, and so has seen it.
    pub maker: String,
}

pub(crate) async fn insert_secret(transaction: &mut Transaction, secret: &NewSecret) -> Result<(), StoreError> {
    let status_index = status_lists::next_index(transaction).await?;
    sqlx::query(
        "INSERT INTO client_secrets (id, client_id, hash, hint, created_at, expires_at, status_index, created_by_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(secret.id.as_str())
    .bind(secret.client_id.as_str())
    .bind(secret.hash.as_str())
    .bind(&secret.hint)
    .bind(secret.created_at.millis())
    .bind(millis(secret.expires_at))
    .bind(status_index)
    .bind(&secret.maker)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Every secret, ended ones too, newest first.
pub(crate) async fn secrets<'connection>(
    connection: impl sqlx::Executor<'connection, Database = sqlx::Any>,
    client_id: &ClientId,
) -> Result<Vec<ClientSecret>, StoreError> {
    sqlx::query(
        "SELECT id, hint, created_at, expires_at, retires_at, revoked_at, last_used_at, last_used_from, leaked_at,
                leaked_where
         FROM client_secrets WHERE client_id = $1 ORDER BY created_at DESC, id DESC",
    )
    .bind(client_id.as_str())
    .fetch_all(connection)
    .await?
    .iter()
    .map(client_secret)
    .collect()
}

fn client_secret(row: &AnyRow) -> Result<ClientSecret, StoreError> {
    let columns = Columns::of("client_secrets", row);
    Ok(ClientSecret {
        id: columns.parsed("id", SecretId::parse)?,
        hint: columns.text("hint")?,
        created_at: columns.moment("created_at")?,
        expires_at: columns.optional_moment("expires_at")?,
        retires_at: columns.optional_moment("retires_at")?,
        revoked_at: columns.optional_moment("revoked_at")?,
        last_used_at: columns.optional_moment("last_used_at")?,
        last_used_from: address(&columns, "last_used_from")?,
        leaked_at: columns.optional_moment("leaked_at")?,
        leaked_where: columns.optional_text("leaked_where")?,
    })
}

/// The secret with this hash, and whose it is.
pub(crate) async fn secret_by_hash<'connection>(
    connection: impl sqlx::Executor<'connection, Database = sqlx::Any>,
    hash: &SecretHash,
) -> Result<Option<(ClientId, ClientSecret)>, StoreError> {
    sqlx::query(
        "SELECT client_id, id, hint, created_at, expires_at, retires_at, revoked_at, last_used_at, last_used_from,
                leaked_at, leaked_where
         FROM client_secrets WHERE hash = $1",
    )
    .bind(hash.as_str())
    .fetch_optional(connection)
    .await?
    .map(|row| {
        let client_id = Columns::of("client_secrets", &row).parsed("client_id", ClientId::parse)?;
        Ok((client_id, client_secret(&row)?))
    })
    .transpose()
}

/// The hashes of a credential's secrets that were not revoked.
pub(crate) async fn secret_hashes(store: &Store, client_id: &ClientId) -> Result<Vec<(SecretId, String)>, StoreError> {
    sqlx::query("SELECT id, hash FROM client_secrets WHERE client_id = $1 AND revoked_at IS NULL")
        .bind(client_id.as_str())
        .fetch_all(store.reads())
        .await?
        .iter()
        .map(|row| {
            let columns = Columns::of("client_secrets", row);
            Ok((columns.parsed("id", SecretId::parse)?, columns.text("hash")?))
        })
        .collect()
}

/// Puts our hash in the place of another system's.
pub(crate) async fn replace_hash(
    transaction: &mut Transaction,
    id: &SecretId,
    hash: &SecretHash,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE client_secrets SET hash = $1 WHERE id = $2")
        .bind(hash.as_str())
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Notes that a secret was found somewhere; what was noted first stays.
pub(crate) async fn mark_leaked(
    transaction: &mut Transaction,
    id: &SecretId,
    found: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE client_secrets SET leaked_where = COALESCE(leaked_where, $2), leaked_at = COALESCE(leaked_at, $1)
         WHERE id = $3",
    )
    .bind(now.millis())
    .bind(found)
    .bind(id.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Stores what follows from the ends of a credential's authenticators.
pub(crate) async fn set_ends(
    transaction: &mut Transaction,
    client_id: &ClientId,
    ends_at: Option<Timestamp>,
    rotation_ends_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE credentials SET ends_at = $1, rotation_ends_at = $2 WHERE client_id = $3")
        .bind(millis(ends_at))
        .bind(millis(rotation_ends_at))
        .bind(client_id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// The ends of each secret and key.
pub(crate) async fn authenticator_ends_in(
    transaction: &mut Transaction,
    client_id: &ClientId,
) -> Result<Vec<AuthenticatorEnd>, StoreError> {
    sqlx::query(
        "SELECT expires_at, retires_at, revoked_at FROM client_secrets WHERE client_id = $1
         UNION ALL SELECT expires_at, retires_at, revoked_at FROM client_keys WHERE client_id = $1",
    )
    .bind(client_id.as_str())
    .fetch_all(&mut **transaction)
    .await?
    .iter()
    .map(|row| {
        let columns = Columns::of("client_secrets", row);
        Ok(AuthenticatorEnd {
            expires_at: columns.optional_moment("expires_at")?,
            retires_at: columns.optional_moment("retires_at")?,
            revoked: columns.optional_moment("revoked_at")?.is_some(),
        })
    })
    .collect()
}

/// What an earlier submission of the same form made.
pub(crate) async fn find_submission<'connection>(
    connection: impl sqlx::Executor<'connection, Database = sqlx::Any>,
    token_hash: &str,
) -> Result<Option<ClientId>, StoreError> {
    sqlx::query("SELECT client_id FROM form_submissions WHERE token_hash = $1")
        .bind(token_hash)
        .fetch_optional(connection)
        .await?
        .map(|row| Columns::of("form_submissions", &row).parsed("client_id", ClientId::parse))
        .transpose()
}

pub(crate) async fn insert_submission(
    transaction: &mut Transaction,
    token_hash: &str,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO form_submissions (token_hash, client_id, submitted_at) VALUES ($1, $2, $3)")
        .bind(token_hash)
        .bind(client_id.as_str())
        .bind(now.millis())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
