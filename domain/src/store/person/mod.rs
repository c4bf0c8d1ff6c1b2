//! Statements of `people`, `setup_links` and `sign_in_failures`.
//!
//! | module | tables |
//! |---|---|
//! | [`session`] | `sessions` |
//! | [`second_factor`] | `authenticator_apps`, `recovery_codes`, `pending_sign_ins` |
//! | [`passkey`] | `passkeys` |
//! | [`openid`] | `openid_links`, `openid_attempts` |
//! | `proof` | reads `sessions`, `personal_tokens` and the tables of access tokens |
//! | [`team`] | `teams`, `memberships` |
//! | [`invitation`], [`password_link`] | tables of the same names |

pub mod invitation;
pub mod openid;
pub mod passkey;
pub mod password_link;
pub(crate) mod proof;
pub mod second_factor;
pub mod session;
pub mod team;

use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::id::PersonId;
use crate::crypto::password::StoredPassword;
use crate::model::person::{Factors, Person};
use crate::store::credential::contains_pattern;
use crate::store::{Columns, Engine, FromRow, On, Result, Store, Transaction, composed_sql, row, sql};

pub(crate) async fn insert(transaction: &mut Transaction, person: &Person) -> Result<()> {
    sql!(
        "INSERT INTO people
             (id, email, name, password_hash, administrator_since, created_at, password_changed_at, address_proven_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $7)";
        person.id, person.email, person.name, person.password, person.administrator_since, person.password_changed_at,
        person.address_proven_at
    )
    .execute(transaction)
    .await
}

const COLUMNS: &str = "id, email, name, password_hash, password_changed_at, address_proven_at,
    administrator_since, disabled_at,
    (SELECT COUNT(*) FROM authenticator_apps WHERE person_id = people.id AND confirmed_at IS NOT NULL) AS apps,
    (SELECT COUNT(*) FROM passkeys WHERE person_id = people.id AND removed_at IS NULL) AS passkeys";

pub(crate) async fn find(on: impl On<'_>, id: &PersonId) -> Result<Option<Person>> {
    composed_sql!("SELECT {COLUMNS} FROM people WHERE id = $1"; id).optional(on).await
}

pub(crate) async fn find_by_email(on: impl On<'_>, email: &str) -> Result<Option<Person>> {
    composed_sql!("SELECT {COLUMNS} FROM people WHERE email = $1"; email).optional(on).await
}

/// All people, by name, with the moment when each was last seen.
pub(crate) async fn list(store: &Store) -> Result<Vec<(Person, Option<Timestamp>)>> {
    composed_sql!(
        "SELECT {COLUMNS}, (SELECT MAX(seen_at) FROM sessions WHERE person_id = people.id) AS seen_at
         FROM people ORDER BY LOWER(name), id"
    )
    .all(store)
    .await
}

/// People whose name or email address contains `text`, by name.
pub(crate) async fn search(store: &Store, text: &str, limit: i64) -> Result<Vec<Person>> {
    composed_sql!(
        "SELECT {COLUMNS} FROM people WHERE LOWER(name) LIKE $1 ESCAPE '\\' OR LOWER(email) LIKE $1 ESCAPE '\\'
         ORDER BY LOWER(name), id LIMIT $2";
        contains_pattern(text), limit
    )
    .all(store)
    .await
}

/// How many people can administer the instance.
pub(crate) async fn active_administrators(transaction: &mut Transaction) -> Result<i64> {
    sql!("SELECT COUNT(*) AS n FROM people WHERE administrator_since IS NOT NULL AND disabled_at IS NULL")
        .one(transaction)
        .await
}

pub(crate) async fn set_administrator(
    transaction: &mut Transaction,
    id: &PersonId,
    since: Option<Timestamp>,
) -> Result<()> {
    sql!("UPDATE people SET administrator_since = $1 WHERE id = $2"; since, id).execute(transaction).await
}

pub(crate) async fn set_disabled(transaction: &mut Transaction, id: &PersonId, at: Option<Timestamp>) -> Result<()> {
    sql!("UPDATE people SET disabled_at = $1 WHERE id = $2"; at, id).execute(transaction).await
}

impl FromRow for (Person, Option<Timestamp>) {
    fn from_row(columns: &Columns<'_>) -> Result<Self> {
        Ok((Person::from_row(columns)?, columns.get("seen_at")?))
    }
}

fn factors(columns: &Columns<'_>) -> Result<Factors> {
    Ok(Factors { app: columns.get::<i64>("apps")? > 0, passkeys: columns.get::<i64>("passkeys")? > 0 })
}

row! { "people" => Person {
    id, name, email, password = "password_hash", password_changed_at, address_proven_at, administrator_since, disabled_at,
    factors: factors
} }

pub(crate) async fn administrators(store: &Store) -> Result<i64> {
    sql!("SELECT COUNT(*) AS n FROM people WHERE administrator_since IS NOT NULL").one(store).await
}

pub(crate) async fn set_name(transaction: &mut Transaction, id: &PersonId, name: &str) -> Result<()> {
    sql!("UPDATE people SET name = $1 WHERE id = $2"; name, id).execute(transaction).await
}

/// Records that the address is proven, and removes the password that somebody else may have chosen.
pub(crate) async fn prove_address(transaction: &mut Transaction, id: &PersonId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE people SET address_proven_at = $1, password_hash = $2, password_changed_at = $1 WHERE id = $3";
    sql!(sql; now, StoredPassword::none(), id).execute(transaction).await
}

/// Sets the password, unless it is no longer the one that `person` was read with. Returns whether it was set.
pub(crate) async fn set_password(
    transaction: &mut Transaction,
    person: &Person,
    password: &StoredPassword,
    now: Timestamp,
) -> Result<bool> {
    let sql =
        "UPDATE people SET password_hash = $1, password_changed_at = $2 WHERE id = $3 AND password_changed_at = $4";
    sql!(sql; password, now, person.id, person.password_changed_at).changed(transaction).await
}

/// Stores a setup link. A server that runs alone replaces the links of its earlier starts. If several servers share the
/// database, each has printed its own link, and all of them work until the first is used.
pub(crate) async fn insert_setup_link(
    store: &Store,
    token_hash: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    let mut transaction = store.begin().await?;
    if store.engine() == Engine::Sqlite {
        sql!("DELETE FROM setup_links WHERE used_at IS NULL").execute(&mut transaction).await?;
    }
    let sql = "INSERT INTO setup_links (token_hash, created_at, expires_at) VALUES ($1, $2, $3)";
    sql!(sql; token_hash, now, expires_at).commit(transaction).await.map(drop)
}

const USABLE_SETUP_LINK: &str = "token_hash = $1 AND used_at IS NULL AND expires_at > $2
    AND NOT EXISTS (SELECT 1 FROM people WHERE administrator_since IS NOT NULL)";

pub(crate) async fn setup_link_is_usable(store: &Store, token_hash: &str, now: Timestamp) -> Result<bool> {
    composed_sql!("SELECT 1 FROM setup_links WHERE {USABLE_SETUP_LINK}"; token_hash, now).exists(store).await
}

/// Marks the link as used; false when it was used, has expired, or never existed.
pub(crate) async fn consume_setup_link(
    transaction: &mut Transaction,
    token_hash: &str,
    now: Timestamp,
) -> Result<bool> {
    composed_sql!("UPDATE setup_links SET used_at = $2 WHERE {USABLE_SETUP_LINK}"; token_hash, now)
        .changed(transaction)
        .await
}

/// How far ahead a count may have begun. Clocks of servers differ by seconds. A count that began later was written by a
/// clock that was wrong, and would otherwise keep people out until that moment.
const SKEW: Duration = Duration::from_secs(60);

/// The failures counted in `bucket` in the last `window`, and when the count began.
pub(crate) async fn sign_in_count(
    store: &Store,
    bucket: &str,
    now: Timestamp,
    window: Duration,
) -> Result<Option<(i64, Timestamp)>> {
    let sql = "SELECT failures, started_at FROM sign_in_failures
         WHERE bucket = $1 AND started_at > $2 AND started_at <= $3";
    sql!(sql; bucket, now.minus(window), now.plus(SKEW)).optional(store).await
}

/// Counts one more failure in `bucket`, from zero when the count is older than `window`; returns the count.
pub(crate) async fn count_sign_in(
    transaction: &mut Transaction,
    bucket: &str,
    now: Timestamp,
    window: Duration,
) -> Result<(i64, Timestamp)> {
    let sql = "INSERT INTO sign_in_failures (bucket, failures, started_at) VALUES ($1, 1, $2)
         ON CONFLICT (bucket) DO UPDATE SET
            failures = CASE WHEN sign_in_failures.started_at <= $3 OR sign_in_failures.started_at > $4
                THEN 1 ELSE sign_in_failures.failures + 1 END,
            started_at = CASE WHEN sign_in_failures.started_at <= $3 OR sign_in_failures.started_at > $4
                THEN $2 ELSE sign_in_failures.started_at END
         RETURNING failures, started_at";
    sql!(sql; bucket, now, now.minus(window), now.plus(SKEW)).one(transaction).await
}

pub(crate) async fn forget_sign_in_failures(transaction: &mut Transaction, bucket: &str) -> Result<()> {
    sql!("DELETE FROM sign_in_failures WHERE bucket = $1"; bucket).execute(transaction).await
}

/// Undoes what [`count_sign_in`] added, because the attempt succeeded.
pub(crate) async fn uncount_sign_in(transaction: &mut Transaction, bucket: &str) -> Result<()> {
    let sql = "UPDATE sign_in_failures SET failures = failures - 1 WHERE bucket = $1 AND failures > 0";
    sql!(sql; bucket).execute(transaction).await
}
