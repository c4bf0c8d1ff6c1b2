//! Statements of `people`, `setup_links` and `sign_in_failures`.
//!
//! | module | tables |
//! |---|---|
//! | [`session`] | `sessions` |
//! | [`second_factor`] | `authenticator_apps`, `recovery_codes`, `pending_sign_ins` |
//! | [`passkey`] | `passkeys` |
//! | [`openid`] | `openid_links`, `openid_attempts` |
//! | [`team`] | `teams`, `memberships` |
//! | [`invitation`] | `invitations` |

pub mod invitation;
pub mod openid;
pub mod passkey;
pub mod second_factor;
pub mod session;
pub mod team;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use crate::base::clock::Timestamp;
use crate::base::id::PersonId;
use crate::crypto::password::StoredPassword;
use crate::model::person::{Factors, Person};
use crate::store::columns::{Columns, millis};
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::engine::Engine;
use crate::store::error::StoreError;

pub(crate) async fn insert(transaction: &mut Transaction, person: &Person) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO people (id, email, name, password_hash, administrator_since, created_at, password_changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
    )
    .bind(person.id.as_str())
    .bind(&person.email)
    .bind(&person.name)
    .bind(person.password.as_str())
    .bind(millis(person.administrator_since))
    .bind(person.password_changed_at.millis())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

const COLUMNS: &str = "id, email, name, password_hash, password_changed_at, administrator_since, disabled_at,
    (SELECT COUNT(*) FROM authenticator_apps WHERE person_id = people.id AND confirmed_at IS NOT NULL) AS apps,
    (SELECT COUNT(*) FROM passkeys WHERE person_id = people.id AND removed_at IS NULL) AS passkeys";

pub(crate) async fn find(store: &Store, id: &PersonId) -> Result<Option<Person>, StoreError> {
    sqlx::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM people WHERE id = $1")))
        .bind(id.as_str())
        .fetch_optional(store.reads())
        .await?
        .as_ref()
        .map(person)
        .transpose()
}

pub(crate) async fn find_in(transaction: &mut Transaction, id: &PersonId) -> Result<Option<Person>, StoreError> {
    sqlx::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM people WHERE id = $1")))
        .bind(id.as_str())
        .fetch_optional(&mut **transaction)
        .await?
        .as_ref()
        .map(person)
        .transpose()
}

pub(crate) async fn find_by_email_in(transaction: &mut Transaction, email: &str) -> Result<Option<Person>, StoreError> {
    sqlx::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM people WHERE email = $1")))
        .bind(email)
        .fetch_optional(&mut **transaction)
        .await?
        .as_ref()
        .map(person)
        .transpose()
}

/// All people, by name, with the moment when each was last seen.
pub(crate) async fn list(store: &Store) -> Result<Vec<(Person, Option<Timestamp>)>, StoreError> {
    sqlx::query(AssertSqlSafe(format!(
        "SELECT {COLUMNS}, (SELECT MAX(seen_at) FROM sessions WHERE person_id = people.id) AS seen_at
         FROM people ORDER BY LOWER(name), id"
    )))
    .fetch_all(store.reads())
    .await?
    .iter()
    .map(|row| Ok((person(row)?, Columns::of("people", row).optional_moment("seen_at")?)))
    .collect()
}

/// How many people can administer the instance.
pub(crate) async fn active_administrators(transaction: &mut Transaction) -> Result<i64, StoreError> {
    let row =
        sqlx::query("SELECT COUNT(*) AS n FROM people WHERE administrator_since IS NOT NULL AND disabled_at IS NULL")
            .fetch_one(&mut **transaction)
            .await?;
    Ok(row.try_get("n")?)
}

pub(crate) async fn set_administrator(
    transaction: &mut Transaction,
    id: &PersonId,
    since: Option<Timestamp>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE people SET administrator_since = $1 WHERE id = $2")
        .bind(millis(since))
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

pub(crate) async fn set_disabled(
    transaction: &mut Transaction,
    id: &PersonId,
    at: Option<Timestamp>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE people SET disabled_at = $1 WHERE id = $2")
        .bind(millis(at))
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

pub(crate) async fn find_by_email(store: &Store, email: &str) -> Result<Option<Person>, StoreError> {
    sqlx::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM people WHERE email = $1")))
        .bind(email)
        .fetch_optional(store.reads())
        .await?
        .as_ref()
        .map(person)
        .transpose()
}

fn person(row: &AnyRow) -> Result<Person, StoreError> {
    let columns = Columns::of("people", row);
    Ok(Person {
        id: columns.parsed("id", PersonId::parse)?,
        name: columns.text("name")?,
        email: columns.text("email")?,
        password: StoredPassword::from_stored(columns.text("password_hash")?),
        password_changed_at: columns.moment("password_changed_at")?,
        administrator_since: columns.optional_moment("administrator_since")?,
        disabled_at: columns.optional_moment("disabled_at")?,
        factors: Factors { app: columns.number("apps")? > 0, passkeys: columns.number("passkeys")? > 0 },
    })
}

pub(crate) async fn administrators(store: &Store) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT COUNT(*) AS n FROM people WHERE administrator_since IS NOT NULL")
        .fetch_one(store.reads())
        .await?;
    Ok(row.try_get("n")?)
}

pub(crate) async fn set_name(transaction: &mut Transaction, id: &PersonId, name: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE people SET name = $1 WHERE id = $2")
        .bind(name)
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

pub(crate) async fn set_password(
    transaction: &mut Transaction,
    id: &PersonId,
    password: &StoredPassword,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE people SET password_hash = $1, password_changed_at = $2 WHERE id = $3")
        .bind(password.as_str())
        .bind(now.millis())
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Stores a setup link. A server that runs alone replaces the links of its earlier starts. If several servers share the
/// database, each has printed its own link, and all of them work until the first is used.
pub(crate) async fn insert_setup_link(
    store: &Store,
    token_hash: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    if store.engine() == Engine::Sqlite {
        sqlx::query("DELETE FROM setup_links WHERE used_at IS NULL").execute(&mut *transaction).await?;
    }
    sqlx::query("INSERT INTO setup_links (token_hash, created_at, expires_at) VALUES ($1, $2, $3)")
        .bind(token_hash)
        .bind(now.millis())
        .bind(expires_at.millis())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

const USABLE_SETUP_LINK: &str = "token_hash = $1 AND used_at IS NULL AND expires_at > $2
    AND NOT EXISTS (SELECT 1 FROM people WHERE administrator_since IS NOT NULL)";

pub(crate) async fn setup_link_is_usable(store: &Store, token_hash: &str, now: Timestamp) -> Result<bool, StoreError> {
    let sql = AssertSqlSafe(format!("SELECT COUNT(*) AS n FROM setup_links WHERE {USABLE_SETUP_LINK}"));
    let row = sqlx::query(sql).bind(token_hash).bind(now.millis()).fetch_one(store.reads()).await?;
    Ok(row.try_get::<i64, _>("n")? == 1)
}

/// Marks the link as used; false when it was used, has expired, or never existed.
pub(crate) async fn consume_setup_link(
    transaction: &mut Transaction,
    token_hash: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = AssertSqlSafe(format!("UPDATE setup_links SET used_at = $2 WHERE {USABLE_SETUP_LINK}"));
    let result = sqlx::query(sql).bind(token_hash).bind(now.millis()).execute(&mut **transaction).await?;
    Ok(result.rows_affected() == 1)
}

/// The failures counted in `bucket` since `since`, and when the count began.
pub(crate) async fn sign_in_count(
    store: &Store,
    bucket: &str,
    since: Timestamp,
) -> Result<Option<(i64, Timestamp)>, StoreError> {
    sqlx::query("SELECT failures, started_at FROM sign_in_failures WHERE bucket = $1 AND started_at > $2")
        .bind(bucket)
        .bind(since.millis())
        .fetch_optional(store.reads())
        .await?
        .map(|row| {
            let columns = Columns::of("sign_in_failures", &row);
            Ok((columns.number("failures")?, columns.moment("started_at")?))
        })
        .transpose()
}

/// Counts one more failure in `bucket`, from zero when the count is older than `since`; returns the count.
pub(crate) async fn count_sign_in(
    transaction: &mut Transaction,
    bucket: &str,
    now: Timestamp,
    since: Timestamp,
) -> Result<(i64, Timestamp), StoreError> {
    let row = sqlx::query(
        "INSERT INTO sign_in_failures (bucket, failures, started_at) VALUES ($1, 1, $2)
         ON CONFLICT (bucket) DO UPDATE SET
            failures = CASE WHEN sign_in_failures.started_at <= $3 THEN 1 ELSE sign_in_failures.failures + 1 END,
            started_at = CASE WHEN sign_in_failures.started_at <= $3 THEN $2 ELSE sign_in_failures.started_at END
         RETURNING failures, started_at",
    )
    .bind(bucket)
    .bind(now.millis())
    .bind(since.millis())
    .fetch_one(&mut **transaction)
    .await?;
    let columns = Columns::of("sign_in_failures", &row);
    Ok((columns.number("failures")?, columns.moment("started_at")?))
}

pub(crate) async fn forget_sign_in_failures(transaction: &mut Transaction, bucket: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM sign_in_failures WHERE bucket = $1").bind(bucket).execute(&mut **transaction).await?;
    Ok(())
}

/// Undoes what [`count_sign_in`] added, because the attempt succeeded.
pub(crate) async fn uncount_sign_in(transaction: &mut Transaction, bucket: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE sign_in_failures SET failures = failures - 1 WHERE bucket = $1 AND failures > 0")
        .bind(bucket)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
