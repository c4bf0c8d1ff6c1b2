//! `usage_hours` and `refusal_hours`.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;

use crate::base::clock::Timestamp;
use crate::base::id::ClientId;
use crate::model::credential::usage::{Counted, Hour, Key, RefusalHour, RefusalSummary, Whose};
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
    let counted = store.engine().elements("$1", "counted");
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
        to_json(&rows)
    )
    .commit(store.begin_exchange().await?)
    .await
    .map(drop)
}

/// The condition for rows of credentials whose teams are behind `$2`. If the teams have few credentials, it goes from
/// the credentials to the rows. If they have many, it checks each row. Each way is slow in the other case.
async fn of_teams(store: &Store, key: Option<&str>) -> Result<&'static str> {
    const FEW: i64 = 2000;
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

/// Hours from `first` on that have exchanges or refusals.
pub(crate) async fn hours(store: &Store, whose: Whose<'_>, first: i64) -> Result<Vec<Hour>> {
    let (parameter, limit) = match whose {
        Whose::Credential(id) => (Some(id.as_str()), "client_id = $2"),
        Whose::All(authority) => match authority.key() {
            None => (None, "$2 IS NULL"),
            key => (key, of_teams(store, key).await?),
        },
    };
    let mut hours: BTreeMap<i64, Hour> = BTreeMap::new();
    for (column, table, refusals) in [("exchanges", "usage_hours", false), ("refusals", "refusal_hours", true)] {
        let rows: Vec<(i64, i64)> = composed_sql!(
            "SELECT hour, CAST(SUM({column}) AS BIGINT) AS n FROM {table} AS counted WHERE hour >= $1 AND {limit}
             GROUP BY hour";
            first, parameter
        )
        .all(store)
        .await?;
        for (hour, n) in rows {
            let entry = hours.entry(hour).or_insert(Hour { hour, ..Hour::default() });
            let count = if refusals { &mut entry.refusals } else { &mut entry.exchanges };
            *count = n;
        }
    }
    Ok(hours.into_values().collect())
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

/// The refusals of the credential `$1` from the hour `$2` on.
pub(crate) const REFUSALS_BY_HOUR: &str =
    "SELECT hour, cause, refusals FROM refusal_hours WHERE client_id = $1 AND hour >= $2
         ORDER BY hour DESC, refusals DESC, cause";

row! { "refusal_hours" => RefusalHour {
    hour: |columns| Ok(Timestamp::from_millis(columns.get::<i64>("hour")?.saturating_mul(3_600_000))), cause,
    count = "refusals"
} }

/// By hour from `first` on and by cause, newest first.
pub(crate) async fn refusals_by_hour(store: &Store, client_id: &ClientId, first: i64) -> Result<Vec<RefusalHour>> {
    sql!(REFUSALS_BY_HOUR; client_id, first).all(store).await
}
