//! Statements of `client_refusal_hours`: why clients that act for people got no token.

use std::collections::HashMap;

use serde_json::json;

use crate::base::id::AppClientId;
use crate::model::client::refusal::{AppKey, AppRefusalSummary};
use crate::model::credential::usage::Counted;
use crate::store::{Result, Store, composed_sql, row, sql, to_json};

/// Adds counted refusals. Refusals of clients that do not exist are left out.
pub(crate) async fn count(store: &Store, counted: &HashMap<AppKey, Counted>) -> Result<()> {
    let rows = counted.iter().map(|((id, hour, cause), counted)| {
        json!([
            id.as_str(),
            hour,
            cause.as_str(),
            counted.count,
            counted.last_at.millis(),
            counted.last_origin.address.map(|address| address.to_string()),
            counted.last_origin.agent,
            counted.last_detail.text,
        ])
    });
    let rows = to_json(&rows.collect::<Vec<_>>());
    // This uses the ledger's connection: these counts need not survive a power cut.
    let mut transaction = store.begin_exchange().await?;
    let counted = store.engine().elements("$1", "counted");
    composed_sql!(
        "INSERT INTO client_refusal_hours (client_id, hour, cause, refusals, last_at, last_address, last_agent,
                                           last_detail)
         SELECT value ->> 0, CAST(value ->> 1 AS BIGINT), value ->> 2, CAST(value ->> 3 AS BIGINT),
                CAST(value ->> 4 AS BIGINT), value ->> 5, value ->> 6, value ->> 7
         FROM {counted}
         WHERE EXISTS (SELECT 1 FROM clients WHERE client_id = value ->> 0 AND removed_at IS NULL) ORDER BY 1, 2, 3
         ON CONFLICT (client_id, hour, cause) DO UPDATE SET
            refusals = client_refusal_hours.refusals + excluded.refusals, last_at = excluded.last_at,
            last_address = excluded.last_address, last_agent = excluded.last_agent,
            last_detail = excluded.last_detail";
        rows
    )
    .execute(&mut transaction)
    .await?;
    transaction.commit().await
}

row! { "client_refusal_hours" => AppRefusalSummary {
    cause, count = "n", last_at, last_address, last_agent, last_detail
} }

/// The refusals of a client from the hour `since` on by cause, the latest first.
pub(crate) async fn list(store: &Store, id: &AppClientId, since: i64) -> Result<Vec<AppRefusalSummary>> {
    // The address and the details come from the newest row. Bare columns beside MAX would work on SQLite only.
    sql!(
        "SELECT r.cause AS cause, r.n AS n, l.last_at AS last_at, l.last_address AS last_address,
                l.last_agent AS last_agent, l.last_detail AS last_detail
         FROM (SELECT cause, CAST(SUM(refusals) AS BIGINT) AS n, MAX(hour) AS hour FROM client_refusal_hours
               WHERE client_id = $1 AND hour >= $2 GROUP BY cause) AS r
              JOIN client_refusal_hours AS l ON l.client_id = $1 AND l.cause = r.cause AND l.hour = r.hour
         ORDER BY l.last_at DESC, r.cause"; id, since
    )
    .all(store)
    .await
}
