//! Exchanges and refusals by the hour: `exchange_hours` and `refusal_hours` by credential, `team_exchange_hours` and
//! `team_refusal_hours` by team. `usage_hours` holds what an earlier version counted.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;

use crate::base::clock::Timestamp;
use crate::base::id::{ClientId, McpServerId};
use crate::model::credential::usage::{
    AuthenticatorBar, Bar, Counted, Key, RefusalSummary, RefusedCredential, UsedCredential, Whose,
};
use crate::model::person::authority::Authority;
use crate::model::token::Refusal;
use crate::store::person::team;
use crate::store::{Result, Store, composed_sql, row, sql, to_json};

/// Adds counted refusals. Refusals of clients that do not exist are left out.
pub(crate) async fn count_refusals(store: &Store, counted: &HashMap<Key, Counted>) -> Result<()> {
    let rows: Vec<_> = counted
        .iter()
        .map(|((client_id, hour, refusal), counted)| {
            json!([
                client_id.as_str(),
                hour,
                refusal.as_str(),
                counted.count,
                counted.last_at.millis(),
                counted.last_origin.address.map(|address| address.to_string()),
                counted.last_detail.text,
                counted.last_origin.agent,
                counted.last_detail.received,
            ])
        })
        .collect();
    // This uses the ledger's connection: these counts need not survive a power cut.
    let mut transaction = store.begin_exchange().await?;
    let (counted, rows) = (store.engine().elements("$1", "counted"), to_json(&rows));
    composed_sql!(
        "INSERT INTO refusal_hours (client_id, hour, cause, refusals, last_at, last_address, last_detail, last_agent,
                                    last_received)
         SELECT value ->> 0, CAST(value ->> 1 AS BIGINT), value ->> 2, CAST(value ->> 3 AS BIGINT),
                CAST(value ->> 4 AS BIGINT), value ->> 5, value ->> 6, value ->> 7, value ->> 8
         FROM {counted}
         WHERE EXISTS (SELECT 1 FROM credentials WHERE client_id = value ->> 0) ORDER BY 1, 2, 3
         ON CONFLICT (client_id, hour, cause) DO UPDATE SET
            refusals = refusal_hours.refusals + excluded.refusals,
            last_at = excluded.last_at, last_address = excluded.last_address, last_detail = excluded.last_detail,
            last_agent = excluded.last_agent, last_received = excluded.last_received";
        rows
    )
    .execute(&mut transaction)
    .await?;
    composed_sql!(
        "INSERT INTO team_refusal_hours (hour, team_id, cause, refusals)
         SELECT n.hour, c.team_id, n.cause, CAST(SUM(n.refusals) AS BIGINT)
         FROM (SELECT value ->> 0 AS client_id, CAST(value ->> 1 AS BIGINT) AS hour, value ->> 2 AS cause,
                      CAST(value ->> 3 AS BIGINT) AS refusals FROM {counted}) AS n
              JOIN credentials AS c ON c.client_id = n.client_id
         GROUP BY n.hour, c.team_id, n.cause ORDER BY 1, 2, 3
         ON CONFLICT (hour, team_id, cause) DO UPDATE SET refusals = team_refusal_hours.refusals + excluded.refusals";
        rows
    )
    .execute(&mut transaction)
    .await?;
    transaction.commit().await
}

/// The condition for rows of credentials whose teams are behind `$2`. If the teams have few credentials, it goes from
/// the credentials to the rows. If they have many, it checks each row. Each way is slow in the other case.
async fn of_teams(store: &Store, key: Option<&str>) -> Result<&'static str> {
    const FEW: i64 = 2000;
    if key.is_none() {
        return Ok("$2 IS NULL");
    }
    let more = concat!("SELECT 1 FROM credentials WHERE team_id IN ", team::of!("$1"), " LIMIT 1 OFFSET $2");
    Ok(if !sql!(more; key, FEW).exists(store).await? {
        concat!("client_id IN (SELECT client_id FROM credentials WHERE team_id IN ", team::of!("$2"), ")")
    } else {
        concat!(
            "EXISTS (SELECT 1 FROM credentials AS c WHERE c.client_id = counted.client_id AND c.team_id IN ",
            team::of!("$2"),
            ")"
        )
    })
}

/// Which rows are counted: those of teams, of a credential, for an MCP server. An owned [`Whose`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    key: Option<String>,
    credential: Option<ClientId>,
    server: Option<McpServerId>,
}

impl From<Whose<'_>> for Selection {
    fn from(whose: Whose<'_>) -> Self {
        let key = |authority: &Authority| authority.key().map(str::to_owned);
        match whose {
            Whose::Credential(id) => Self { credential: Some(id.clone()), ..Self::default() },
            Whose::All(authority) => Self { key: key(authority), ..Self::default() },
            // The key of a team selects this team.
            Whose::Team(team) => Self { key: Some(team.to_string()), ..Self::default() },
            Whose::Server(id, authority) => Self { key: key(authority), server: Some(id.clone()), ..Self::default() },
        }
    }
}

impl Selection {
    /// Whether rows of many credentials are read.
    pub(crate) fn is_wide(&self) -> bool {
        self.credential.is_none()
    }

    /// A text that differs for each selection.
    pub(crate) fn name(&self) -> String {
        format!("{self:?}")
    }

    /// The condition for the tables of teams, with the parameters `$2` and `$3`.
    fn of_tables_of_teams(&self) -> String {
        let teams = if self.key.is_none() { "$2 IS NULL" } else { concat!("team_id IN ", team::of!("$2")) };
        format!("{teams} AND {}", self.of_server())
    }

    fn of_server(&self) -> &'static str {
        if self.server.is_none() { "$3 IS NULL" } else { "server_id = $3" }
    }
}

/// The exchanges of the credential `$2` from the hour `$1` on, with those that an earlier version counted.
const OF_CREDENTIAL: &str = "(SELECT hour, exchanges FROM exchange_hours WHERE client_id = $2 AND hour >= $1
      UNION ALL SELECT hour, exchanges FROM usage_hours WHERE client_id = $2 AND hour >= $1) AS counted";

/// The exchanges of one credential, by bars.
pub(crate) fn exchanges_of_credential(length: i64) -> String {
    format!(
        "SELECT hour / {length} * {length} AS bar, CAST(SUM(exchanges) AS BIGINT) AS n FROM {OF_CREDENTIAL}
         WHERE $3 IS NULL GROUP BY 1"
    )
}

/// The sum of a column of a table, by bars.
pub(crate) fn sums(length: i64, table: &str, column: &str, condition: &str) -> String {
    format!(
        "SELECT hour / {length} * {length} AS bar, CAST(SUM({column}) AS BIGINT) AS n FROM {table}
         WHERE hour >= $1 AND {condition} GROUP BY 1"
    )
}

/// Exchanges and refusals from the hour `first` on, by bars of `length` hours. Empty bars are left out.
pub(crate) async fn bars(store: &Store, of: &Selection, first: i64, length: i64) -> Result<Vec<Bar>> {
    let (exchanges, refusals) = if of.is_wide() {
        let condition = of.of_tables_of_teams();
        let refusals = of.server.is_none().then(|| sums(length, "team_refusal_hours", "refusals", &condition));
        (sums(length, "team_exchange_hours", "exchanges", &condition), refusals)
    } else {
        let refusals = sums(length, "refusal_hours", "refusals", "client_id = $2 AND $3 IS NULL");
        (exchanges_of_credential(length), Some(refusals))
    };
    let key = of.credential.as_ref().map(ClientId::as_str).or(of.key.as_deref());
    let rows = async |sql: String| -> Result<Vec<(i64, i64)>> {
        composed_sql!("{sql}"; first, key, of.server).all(store).await
    };
    let mut bars: BTreeMap<i64, Bar> = BTreeMap::new();
    for (hour, exchanges) in rows(exchanges).await? {
        bars.insert(hour, Bar { hour, exchanges, refusals: 0 });
    }
    if let Some(refusals) = refusals {
        for (hour, refusals) in rows(refusals).await? {
            bars.entry(hour).or_insert(Bar { hour, ..Bar::default() }).refusals = refusals;
        }
    }
    Ok(bars.into_values().collect())
}

/// The refusals from the hour `first` on by cause, the most frequent first.
pub(crate) async fn causes(store: &Store, of: &Selection, first: i64) -> Result<Vec<(Refusal, i64)>> {
    let (table, condition) = match &of.credential {
        Some(_) => ("refusal_hours", "client_id = $2 AND $3 IS NULL".to_owned()),
        None => ("team_refusal_hours", of.of_tables_of_teams()),
    };
    let key = of.credential.as_ref().map(ClientId::as_str).or(of.key.as_deref());
    composed_sql!(
        "SELECT cause, CAST(SUM(refusals) AS BIGINT) AS n FROM {table} WHERE hour >= $1 AND {condition}
         GROUP BY cause ORDER BY 2 DESC, 1";
        first, key, of.server
    )
    .about("refusal_hours")
    .all(store)
    .await
}

/// The exchanges from the hour `first` on by MCP server, the most frequent first.
pub(crate) async fn servers(store: &Store, of: &Selection, first: i64) -> Result<Vec<(McpServerId, i64)>> {
    let condition = of.of_tables_of_teams();
    composed_sql!(
        "SELECT server_id, CAST(SUM(exchanges) AS BIGINT) AS n FROM team_exchange_hours
         WHERE hour >= $1 AND server_id <> '' AND {condition} GROUP BY server_id ORDER BY 2 DESC, 1";
        first, of.key, of.server
    )
    .about("team_exchange_hours")
    .all(store)
    .await
}

/// The exchanges of the credential `$1` from the hour `$2` on, by hour and authenticator.
pub(crate) const BY_AUTHENTICATOR: &str =
    "SELECT hour, authenticator_id, CAST(SUM(exchanges) AS BIGINT) AS exchanges FROM exchange_hours
         WHERE client_id = $1 AND hour >= $2 GROUP BY hour, authenticator_id ORDER BY hour";

row! { "exchange_hours" => AuthenticatorBar { hour, authenticator = "authenticator_id", exchanges } }

/// By hour and authenticator, oldest first.
pub(crate) async fn by_authenticator(store: &Store, client_id: &ClientId, first: i64) -> Result<Vec<AuthenticatorBar>> {
    sql!(BY_AUTHENTICATOR; client_id, first).all(store).await
}

/// Whether so many credentials were used or refused from the hour `first` on that a page does not wait for a list of
/// the first of them.
pub(crate) async fn are_many(store: &Store, first: i64) -> Result<bool> {
    const MANY: i64 = 5000;
    for table in ["exchange_hours", "refusal_hours"] {
        if composed_sql!("SELECT 1 FROM {table} WHERE hour >= $1 LIMIT 1 OFFSET $2"; first, MANY).exists(store).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

row! { "exchange_hours" => UsedCredential { client_id, name, exchanges } }

/// The credentials with the most exchanges from the hour `$1` on, at most `$4`. The groups are of an expression,
/// because SQLite would read the whole table in the order of its key to group by a column of the key.
pub(crate) fn most_used_sql(teams: &str, server: &str) -> String {
    format!(
        "SELECT t.client_id AS client_id, c.name AS name, t.n AS exchanges
         FROM (SELECT client_id || '' AS client_id, CAST(SUM(exchanges) AS BIGINT) AS n FROM exchange_hours AS counted
               WHERE hour >= $1 AND {teams} AND {server} GROUP BY client_id || '' ORDER BY 2 DESC, 1 LIMIT $4) AS t
              JOIN credentials AS c ON c.client_id = t.client_id ORDER BY t.n DESC, c.name"
    )
}

/// The credentials with the most exchanges from the hour `first` on.
pub(crate) async fn most_used(store: &Store, of: &Selection, first: i64, limit: i64) -> Result<Vec<UsedCredential>> {
    let sql = most_used_sql(of_teams(store, of.key.as_deref()).await?, of.of_server());
    composed_sql!("{sql}"; first, of.key, of.server, limit).all(store).await
}

row! { "refusal_hours" => RefusedCredential {
    client_id, name, cause, count = "n", last_at, last_address, last_agent, last_detail
} }

/// The refusals of each credential and cause from the hour `$1` to the hour before `$3`, at most `$4`.
pub(crate) fn most_refused_sql(whose: &str) -> String {
    // The address and the details come from the newest row.
    let latest = |column: &str| {
        format!(
            "(SELECT n.{column} FROM refusal_hours AS n WHERE n.client_id = t.client_id AND n.cause = t.cause
              AND n.hour >= $1 AND n.hour < $3 ORDER BY n.last_at DESC LIMIT 1) AS {column}"
        )
    };
    let [address, agent, detail] = ["last_address", "last_agent", "last_detail"].map(latest);
    format!(
        "SELECT t.client_id AS client_id, c.name AS name, t.cause AS cause, t.n AS n, t.last_at AS last_at,
                {address}, {agent}, {detail}
         FROM (SELECT client_id || '' AS client_id, cause, CAST(SUM(refusals) AS BIGINT) AS n, MAX(last_at) AS last_at
               FROM refusal_hours AS counted WHERE hour >= $1 AND hour < $3 AND {whose}
               GROUP BY client_id || '', cause ORDER BY 3 DESC, 4 DESC LIMIT $4) AS t
              JOIN credentials AS c ON c.client_id = t.client_id ORDER BY t.n DESC, t.last_at DESC"
    )
}

/// The refusals of each credential and cause from the hour `first` to the hour before `end`, the most frequent first.
pub(crate) async fn most_refused(
    store: &Store,
    of: &Selection,
    (first, end): (i64, i64),
    limit: i64,
) -> Result<Vec<RefusedCredential>> {
    let (key, whose) = match &of.credential {
        Some(id) => (Some(id.as_str()), "client_id = $2"),
        None => (of.key.as_deref(), of_teams(store, of.key.as_deref()).await?),
    };
    let sql = most_refused_sql(whose);
    composed_sql!("{sql}"; first, key, end, limit).all(store).await
}

/// The refusals of the credential `$1` from the hour `$2` on, by cause.
pub(crate) const REFUSALS: &str =
    "SELECT r.cause AS cause, CAST(SUM(r.refusals) AS BIGINT) AS n, MAX(r.last_at) AS last_at,
                (SELECT n.last_address FROM refusal_hours AS n WHERE n.client_id = $1 AND n.cause = r.cause
                 ORDER BY n.last_at DESC LIMIT 1) AS last_address,
                (SELECT n.last_detail FROM refusal_hours AS n WHERE n.client_id = $1 AND n.cause = r.cause
                 ORDER BY n.last_at DESC LIMIT 1) AS last_detail,
                (SELECT n.last_agent FROM refusal_hours AS n WHERE n.client_id = $1 AND n.cause = r.cause
                 ORDER BY n.last_at DESC LIMIT 1) AS last_agent,
                (SELECT n.last_received FROM refusal_hours AS n WHERE n.client_id = $1 AND n.cause = r.cause
                 ORDER BY n.last_at DESC LIMIT 1) AS last_received
         FROM refusal_hours AS r WHERE r.client_id = $1 AND r.hour >= $2 GROUP BY r.cause ORDER BY MAX(r.last_at) DESC";

row! { "refusal_hours" => RefusalSummary { cause, count = "n", last_at, last_address, last_agent, last_detail, last_received } }

pub(crate) async fn refusals(store: &Store, client_id: &ClientId, since: i64) -> Result<Vec<RefusalSummary>> {
    // The address and the details come from the newest row. Bare columns beside MAX would work on SQLite only.
    sql!(REFUSALS; client_id, since).all(store).await
}

/// How often retired secrets of a credential were refused from the hour of the moment `since` on, and the last time.
/// The refusals of an hour are one count: those of the first hour may lie before the moment.
pub(crate) async fn retired_tried(
    store: &Store,
    client_id: &ClientId,
    since: Timestamp,
    causes: &[Refusal],
) -> Result<(i64, Option<RetiredTry>)> {
    let causes = to_json(&causes.iter().map(|cause| [cause.as_str()]).collect::<Vec<_>>());
    let elements = store.engine().elements("$3", "wanted");
    let rows: Vec<RetiredTry> = composed_sql!(
        "SELECT refusals, last_at, last_address, last_agent FROM refusal_hours
         WHERE client_id = $1 AND hour >= $2 AND cause IN (SELECT value ->> 0 FROM {elements}) AND last_at >= $4
         ORDER BY last_at DESC";
        client_id, since.hour(), causes, since
    )
    .all(store)
    .await?;
    Ok((rows.iter().map(|row| row.refusals).sum(), rows.into_iter().next()))
}

/// The last of some refusals.
pub(crate) struct RetiredTry {
    pub refusals: i64,
    pub last_at: Timestamp,
    pub last_address: Option<String>,
    pub last_agent: Option<String>,
}

row! { "refusal_hours" => RetiredTry { refusals, last_at, last_address, last_agent } }
