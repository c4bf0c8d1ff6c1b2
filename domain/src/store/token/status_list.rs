//! The bits of the token status lists: each secret, key, identity and consent has its own bit.

use crate::base::clock::Timestamp;
use crate::store::{Result, Store, Transaction, composed_sql, sql};

/// Takes the next free bits, `count` of them, and returns the first.
pub(crate) async fn take(transaction: &mut Transaction, count: i64) -> Result<i64> {
    let sql = "UPDATE counters SET value = value + $1 WHERE name = 'status_index' RETURNING value - $1 AS taken";
    sql!(sql; count).one(transaction).await
}

/// How many bits are taken.
pub(crate) async fn taken(store: &Store) -> Result<i64> {
    sql!("SELECT value FROM counters WHERE name = 'status_index'").one(store).await
}

/// The next moment after `now` at which a bit from `first` up to `end` changes because of the time.
pub(crate) async fn next_change(store: &Store, first: i64, end: i64, now: Timestamp) -> Result<Option<Timestamp>> {
    let sql = "SELECT MIN(moment) AS moment FROM (
             SELECT MIN(retires_at) AS moment FROM client_secrets
             WHERE status_index >= $1 AND status_index < $2 AND retires_at > $3
             UNION ALL SELECT MIN(retires_at) FROM client_keys
             WHERE status_index >= $1 AND status_index < $2 AND retires_at > $3
             UNION ALL SELECT MIN(expires_at) FROM credentials WHERE expires_at > $3) AS moments";
    sql!(sql; first, end, now).one(store).await
}

/// The bits from `first` up to but not including `end` whose tokens are not valid at `now`. For a token of a
/// credential: the authenticator was revoked, its retirement is over, or the credential is stopped or ended. For a
/// token of a consent: the consent has ended, or its client is stopped.
pub(crate) async fn invalid(store: &Store, first: i64, end: i64, now: Timestamp) -> Result<Vec<i64>> {
    let of_credential = |table: &str, retired: &str| {
        format!(
            "SELECT a.status_index AS status_index FROM {table} AS a JOIN credentials AS c ON c.client_id = a.client_id
             WHERE a.status_index >= $1 AND a.status_index < $2
               AND (a.revoked_at IS NOT NULL OR c.revoked_at IS NOT NULL OR c.disabled_at IS NOT NULL
                    OR c.expires_at <= $3 {retired})"
        )
    };
    let secrets = of_credential("client_secrets", "OR a.retires_at <= $3");
    let keys = of_credential("client_keys", "OR a.retires_at <= $3");
    let identities = of_credential("federated_identities", "");
    composed_sql!(
        "{secrets} UNION ALL {keys} UNION ALL {identities}
         UNION ALL SELECT g.status_index AS status_index
         FROM consents AS g JOIN clients AS c ON c.client_id = g.client_id
         WHERE g.status_index >= $1 AND g.status_index < $2 AND (g.ended_at IS NOT NULL OR c.disabled_at IS NOT NULL)";
        first, end, now
    )
    .all(store)
    .await
}
