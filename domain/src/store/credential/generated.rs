//! Credentials by the person who generated them.

use crate::base::clock::Timestamp;
use crate::base::id::{ClientId, PersonId};
use crate::model::credential::Credential;
use crate::store::credential::COLUMNS;
use crate::store::{Result, Store, composed_sql, sql};

/// The number of credentials that the person `$1` generated, counted up to `$2`.
pub(crate) const COUNT: &str =
    "SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM credentials WHERE created_by_id = $1 LIMIT $2) AS generated";

/// The newest credentials that the person `$1` generated, at most `$2`.
pub(crate) fn newest_sql() -> String {
    format!("SELECT {COLUMNS} FROM credentials WHERE created_by_id = $1 ORDER BY created_at DESC LIMIT $2")
}

/// The newest credentials that a person generated.
pub(crate) async fn newest(store: &Store, person: &PersonId, limit: i64) -> Result<Vec<Credential>> {
    let sql = newest_sql();
    composed_sql!("{sql}"; person, limit).all(store).await
}

/// The credentials of which the person `$1` has seen a secret that works at the moment `$2`, and until when it works if
/// it is being replaced. At most `$3`.
pub(crate) const KNOWN: &str = "SELECT s.client_id AS client_id, s.retires_at AS retires_at FROM client_secrets AS s
     JOIN credentials AS c ON c.client_id = s.client_id
     WHERE s.created_by_id = $1 AND s.revoked_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > $2)
         AND (s.retires_at IS NULL OR s.retires_at > $2) AND c.revoked_at IS NULL LIMIT $3";

/// See [`KNOWN`].
pub(crate) async fn known_to(
    store: &Store,
    person: &PersonId,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(ClientId, Option<Timestamp>)>> {
    sql!(KNOWN; person, now, limit).about("client_secrets").all(store).await
}

/// The newest of these credentials.
pub(crate) async fn newest_known(
    store: &Store,
    person: &PersonId,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Credential>> {
    composed_sql!(
        "SELECT {COLUMNS} FROM credentials WHERE revoked_at IS NULL AND client_id IN
             (SELECT client_id FROM client_secrets WHERE created_by_id = $1 AND revoked_at IS NULL
                  AND (expires_at IS NULL OR expires_at > $2) AND (retires_at IS NULL OR retires_at > $2))
         ORDER BY created_at DESC LIMIT $3"; person, now, limit
    )
    .all(store)
    .await
}

/// How many credentials a person generated, counted up to `most`.
pub(crate) async fn count(store: &Store, person: &PersonId, most: i64) -> Result<i64> {
    sql!(COUNT; person, most).about("credentials").one(store).await
}
