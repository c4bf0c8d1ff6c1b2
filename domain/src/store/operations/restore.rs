//! The statements of a restore. They find what ended after the backup was made, and keep it from working again.

use std::collections::{HashMap, HashSet};

use sqlx::AssertSqlSafe;

use crate::base::clock::Timestamp;
use crate::base::id::{AppClientId, ClientId, PersonId};
use crate::model::client::consent::EndCause;
use crate::model::operations::{Ended, How};
use crate::model::person::authority::Role;
use crate::store::client::consent::{self, ConsentSelection};
use crate::store::client::personal_token;
use crate::store::columns::{Columns, to_json};
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::error::StoreError;

/// The tables of what proves a client.
const AUTHENTICATORS: [&str; 3] = ["client_secrets", "client_keys", "federated_identities"];
/// Rows that are compared at once.
const PAGE: usize = 1000;

/// What has ended in `former` and still works in `backup`.
pub(crate) async fn ended_since(former: &Store, backup: &Store) -> Result<Vec<Ended>, StoreError> {
    let mut ended = Vec::new();
    for (column, how) in [("revoked_at", How::Revoked), ("disabled_at", How::Disabled)] {
        // A credential that was revoked need not be disabled as well.
        let unless = if column == "disabled_at" { "AND revoked_at IS NULL" } else { "" };
        let sql = format!(
            "SELECT client_id, name, client_id AS id, {column} AS at FROM credentials
             WHERE {column} IS NOT NULL {unless} ORDER BY client_id"
        );
        let found = rows(former, &sql, how).await?;
        let going = format!("SELECT client_id AS id FROM credentials WHERE {column} IS NULL");
        ended.extend(still(backup, &going, "client_id", found).await?);
    }
    let gone: HashSet<ClientId> =
        ended.iter().filter(|one| one.how == How::Revoked).filter_map(|one| one.client_id.clone()).collect();
    for table in AUTHENTICATORS {
        let sql = format!(
            "SELECT c.client_id AS client_id, c.name AS name, a.id AS id, a.revoked_at AS at
             FROM {table} AS a JOIN credentials AS c ON c.client_id = a.client_id
             WHERE a.revoked_at IS NOT NULL ORDER BY a.id"
        );
        let found = rows(former, &sql, How::AuthenticatorRevoked(table)).await?;
        let going = format!("SELECT id FROM {table} WHERE revoked_at IS NULL");
        let still = still(backup, &going, "id", found).await?;
        // A revoked credential ends with everything that proves it, so these rows need no entry of their own.
        ended.extend(still.into_iter().filter(|one| one.client_id.as_ref().is_none_or(|id| !gone.contains(id))));
    }
    let people =
        "SELECT '' AS client_id, name, id, disabled_at AS at FROM people WHERE disabled_at IS NOT NULL ORDER BY id";
    let found = rows(former, people, How::PersonDisabled).await?;
    ended.extend(still(backup, "SELECT id FROM people WHERE disabled_at IS NULL", "id", found).await?);
    let clients = "SELECT '' AS client_id, name, client_id AS id, removed_at AS at FROM clients
         WHERE removed_at IS NOT NULL ORDER BY client_id";
    let found = rows(former, clients, How::ClientRemoved).await?;
    let going = "SELECT client_id AS id FROM clients WHERE removed_at IS NULL";
    ended.extend(still(backup, going, "client_id", found).await?);
    let documents = "SELECT '' AS client_id, name, client_id AS id, removed_at AS at FROM clients
         WHERE removed_at IS NOT NULL AND kind = 'document' ORDER BY client_id";
    let found = rows(former, documents, How::DocumentRemoved).await?;
    let known = "SELECT client_id AS id FROM clients WHERE kind = 'document'";
    let known = still(backup, known, "client_id", found.clone()).await?;
    ended.extend(found.into_iter().filter(|one| !known.contains(one)));
    ended.extend(ended_client_secrets(former, backup).await?);
    let links = "SELECT '' AS client_id, p.name AS name, l.id AS id, l.removed_at AS at
         FROM openid_links AS l JOIN people AS p ON p.id = l.person_id WHERE l.removed_at IS NOT NULL ORDER BY l.id";
    let found = rows(former, links, How::OpenIdDisconnected).await?;
    ended.extend(still(backup, "SELECT id FROM openid_links WHERE removed_at IS NULL", "id", found).await?);
    let passkeys =
        "SELECT '' AS client_id, name, id, removed_at AS at FROM passkeys WHERE removed_at IS NOT NULL ORDER BY id";
    let found = rows(former, passkeys, How::PasskeyRemoved).await?;
    ended.extend(still(backup, "SELECT id FROM passkeys WHERE removed_at IS NULL", "id", found).await?);
    ended.extend(removed_apps(former, backup).await?);
    let taken = "SELECT '' AS client_id, name, id, COALESCE((SELECT MAX(at) FROM audit
             WHERE target_id = people.id AND action = 'person.administrator_changed'), created_at) AS at
         FROM people WHERE administrator_since IS NULL ORDER BY id";
    let found = rows(former, taken, How::AdministrationTaken).await?;
    let going = "SELECT id FROM people WHERE administrator_since IS NOT NULL";
    ended.extend(still(backup, going, "id", found).await?);
    ended.extend(taken_roles(former, backup).await?);
    Ok(ended)
}

/// Secrets of clients that work in `backup` and ended in `former`, or were replaced there. The moment comes from the
/// audit log of `former`.
async fn ended_client_secrets(former: &Store, backup: &Store) -> Result<Vec<Ended>, StoreError> {
    let working = "SELECT client_id AS id, secret_hash FROM clients WHERE secret_hash IS NOT NULL";
    let mut in_backup = HashMap::new();
    for row in &sqlx::query(working).fetch_all(backup.reads()).await? {
        let columns = Columns::of("the backup", row);
        in_backup.insert(columns.text("id")?, columns.text("secret_hash")?);
    }
    let secrets = "SELECT client_id AS id, name, secret_hash, COALESCE((SELECT MAX(at) FROM audit
             WHERE target_id = client_id AND action IN ('client.secret_ended', 'client.secret_replaced')), created_at) AS at
         FROM clients WHERE removed_at IS NULL AND secret_hint IS NOT NULL ORDER BY client_id";
    let mut ended = Vec::new();
    for row in &sqlx::query(secrets).fetch_all(former.reads()).await? {
        let columns = Columns::of("the former database", row);
        let (id, present) = (columns.text("id")?, columns.optional_text("secret_hash")?);
        if in_backup.get(&id).is_some_and(|working| present.as_ref() != Some(working)) {
            let (name, at) = (columns.text("name")?, columns.moment("at")?);
            ended.push(Ended { client_id: None, name, id, at, how: How::ClientSecretEnded });
        }
    }
    Ok(ended)
}

/// Authenticator apps that are confirmed in `backup` and are gone from `former`, or were replaced there. Rows of
/// removed apps are deleted, so the moment comes from the audit log of `former`.
async fn removed_apps(former: &Store, backup: &Store) -> Result<Vec<Ended>, StoreError> {
    let apps = "SELECT p.id AS id, p.name AS name, a.created_at AS at
         FROM people AS p LEFT JOIN authenticator_apps AS a ON a.person_id = p.id AND a.confirmed_at IS NOT NULL
         ORDER BY p.id";
    let mut present = HashMap::new();
    for row in &sqlx::query(apps).fetch_all(former.reads()).await? {
        let columns = Columns::of("the former database", row);
        present.insert(columns.text("id")?, columns.optional_moment("at")?);
    }
    let mut removed = Vec::new();
    for row in &sqlx::query(apps).fetch_all(backup.reads()).await? {
        let columns = Columns::of("the backup", row);
        let (id, Some(begun)) = (columns.text("id")?, columns.optional_moment("at")?) else { continue };
        // If the former database does not know the person, it does not say that their app ended.
        if present.get(&id).is_none_or(|app| *app == Some(begun)) {
            continue;
        }
        let last = "SELECT MAX(at) AS at FROM audit WHERE target_id = $1 AND action = 'second_factor.removed'";
        let last = sqlx::query(last).bind(id.as_str()).fetch_one(former.reads()).await?;
        let at = Columns::of("the former database", &last).optional_moment("at")?.unwrap_or(begun);
        removed.push(Ended { client_id: None, name: columns.text("name")?, id, at, how: How::AppRemoved });
    }
    Ok(removed)
}

/// Roles in teams of `backup` that are missing or lesser in `former`. If `former` does not know the team or the person,
/// it does not say that a role was taken away.
async fn taken_roles(former: &Store, backup: &Store) -> Result<Vec<Ended>, StoreError> {
    let mut known = HashSet::new();
    for row in &sqlx::query("SELECT id FROM teams UNION ALL SELECT id FROM people").fetch_all(former.reads()).await? {
        known.insert(Columns::of("the former database", row).text("id")?);
    }
    let roles = "SELECT t.id AS team, p.id AS person, t.name AS team_name, p.name AS name, m.role AS role
         FROM memberships AS m JOIN teams AS t ON t.id = m.team_id JOIN people AS p ON p.id = m.person_id ORDER BY t.id, p.id";
    let mut present = HashMap::new();
    for row in &sqlx::query(roles).fetch_all(former.reads()).await? {
        let columns = Columns::of("the former database", row);
        present.insert((columns.text("team")?, columns.text("person")?), columns.parsed("role", Role::parse)?);
    }
    let mut taken = Vec::new();
    for row in &sqlx::query(roles).fetch_all(backup.reads()).await? {
        let columns = Columns::of("the backup", row);
        let (team, person) = (columns.text("team")?, columns.text("person")?);
        if !known.contains(&team) || !known.contains(&person) {
            continue;
        }
        let id = format!("{team}/{person}");
        let now = present.get(&(team, person)).copied();
        if now >= Some(columns.parsed("role", Role::parse)?) {
            continue;
        }
        let last = "SELECT MAX(at) AS at FROM audit WHERE target_id = $1 AND action = 'team.role_changed'";
        let last = sqlx::query(last).bind(id.split('/').next()).fetch_one(former.reads()).await?;
        let at = Columns::of("the former database", &last).optional_moment("at")?;
        taken.push(Ended {
            client_id: None,
            name: format!("{} in {}", columns.text("name")?, columns.text("team_name")?),
            id,
            at: at.unwrap_or(Timestamp::from_millis(0)),
            how: How::RoleTaken(now),
        });
    }
    Ok(taken)
}

/// The hashes of recovery codes that work in `backup` and were used or replaced in `former`.
pub(crate) async fn spent_codes(former: &Store, backup: &Store) -> Result<Vec<String>, StoreError> {
    let mut known = HashSet::new();
    for row in &sqlx::query("SELECT id FROM people").fetch_all(former.reads()).await? {
        known.insert(Columns::of("the former database", row).text("id")?);
    }
    let codes = "SELECT code_hash, person_id FROM recovery_codes WHERE used_at IS NULL";
    let mut working = HashSet::new();
    for row in &sqlx::query(codes).fetch_all(former.reads()).await? {
        working.insert(Columns::of("the former database", row).text("code_hash")?);
    }
    let mut spent = Vec::new();
    for row in &sqlx::query(codes).fetch_all(backup.reads()).await? {
        let columns = Columns::of("the backup", row);
        let hash = columns.text("code_hash")?;
        if known.contains(&columns.text("person_id")?) && !working.contains(&hash) {
            spent.push(hash);
        }
    }
    Ok(spent)
}

/// Removes these recovery codes.
pub(crate) async fn remove_codes(transaction: &mut Transaction, hashes: &[String]) -> Result<(), StoreError> {
    for hash in hashes {
        sqlx::query("DELETE FROM recovery_codes WHERE code_hash = $1").bind(hash).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Removes the recovery codes of people who have no second factor. Such codes would replace nothing.
pub(crate) async fn remove_codes_of_nothing(transaction: &mut Transaction) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM recovery_codes WHERE
            person_id NOT IN (SELECT person_id FROM authenticator_apps WHERE confirmed_at IS NOT NULL)
            AND person_id NOT IN (SELECT person_id FROM passkeys WHERE removed_at IS NULL)",
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn rows(store: &Store, sql: &str, how: How) -> Result<Vec<Ended>, StoreError> {
    sqlx::query(AssertSqlSafe(sql))
        .fetch_all(store.reads())
        .await?
        .iter()
        .map(|row| {
            let columns = Columns::of("the former database", row);
            Ok(Ended {
                client_id: ClientId::parse(&columns.text("client_id")?),
                name: columns.text("name")?,
                id: columns.text("id")?,
                at: columns.moment("at")?,
                how,
            })
        })
        .collect()
}

/// The items of `ended` that the statement `going` selects in `backup`, because they still work there.
async fn still(backup: &Store, going: &str, key: &str, ended: Vec<Ended>) -> Result<Vec<Ended>, StoreError> {
    let sql =
        format!("{going} AND {key} IN (SELECT asked.value ->> 0 FROM {})", backup.engine().elements("$1", "asked"));
    let mut found = HashSet::new();
    for page in ended.chunks(PAGE) {
        let ids: Vec<[&str; 1]> = page.iter().map(|one| [one.id.as_str()]).collect();
        for row in &sqlx::query(AssertSqlSafe(sql.as_str())).bind(to_json(&ids)).fetch_all(backup.reads()).await? {
            found.insert(Columns::of("the backup", row).text("id")?);
        }
    }
    Ok(ended.into_iter().filter(|one| found.contains(&one.id)).collect())
}

/// The algorithms of signing keys that sign or will sign in `backup` and have left the JWKS in `former`.
pub(crate) async fn dropped_algorithms(
    former: &Store,
    backup: &Store,
    now: Timestamp,
) -> Result<HashSet<String>, StoreError> {
    let left = crate::store::operations::keys::signing_key_states(former.reads(), Timestamp::from_millis(0)).await?;
    let left: HashSet<String> =
        left.into_iter().filter(|key| key.retired_at.is_some_and(|at| at <= now)).map(|key| key.kid).collect();
    let here = crate::store::operations::keys::signing_key_states(backup.reads(), now).await?;
    Ok(here.into_iter().filter(|key| left.contains(&key.kid)).map(|key| key.alg).collect())
}

/// Ends all sessions and consents, and records the moment of the restore. No bit of a status list is given out a second
/// time.
pub(crate) async fn begin_anew(
    transaction: &mut Transaction,
    now: Timestamp,
    taken_bits: Option<i64>,
) -> Result<u64, StoreError> {
    let ended = sqlx::query("UPDATE sessions SET revoked_at = $1 WHERE revoked_at IS NULL")
        .bind(now.millis())
        .execute(&mut **transaction)
        .await?
        .rows_affected();
    // The database does not know which refresh tokens were used since the backup.
    consent::end(transaction, ConsentSelection::All, now, EndCause::Restored).await?;
    personal_token::end(transaction, personal_token::PersonalTokenSelection::All, now, EndCause::Restored).await?;
    // The database does not know which invitations were accepted or withdrawn since the backup.
    sqlx::query("UPDATE invitations SET withdrawn_at = $1 WHERE accepted_at IS NULL AND withdrawn_at IS NULL")
        .bind(now.millis())
        .execute(&mut **transaction)
        .await?;
    for table in ["authorization_codes", "openid_attempts", "pending_sign_ins"] {
        sqlx::query(AssertSqlSafe(format!("DELETE FROM {table}"))).execute(&mut **transaction).await?;
    }
    sqlx::query(
        "INSERT INTO counters (name, value) VALUES ('restored_at', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(now.millis())
    .execute(&mut **transaction)
    .await?;
    if let Some(taken) = taken_bits {
        sqlx::query("UPDATE counters SET value = $1 WHERE name = 'status_index' AND value < $1")
            .bind(taken)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(ended)
}

/// Ends one authenticator.
pub(crate) async fn revoke_authenticator(
    transaction: &mut Transaction,
    table: &'static str,
    id: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(AssertSqlSafe(format!("UPDATE {table} SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")))
        .bind(at.millis())
        .bind(id)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Removes a passkey.
pub(crate) async fn remove_passkey(transaction: &mut Transaction, id: &str, at: Timestamp) -> Result<(), StoreError> {
    sqlx::query("UPDATE passkeys SET removed_at = $1 WHERE id = $2 AND removed_at IS NULL")
        .bind(at.millis())
        .bind(id)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Records that the client with this document was removed.
pub(crate) async fn keep_document_out(
    transaction: &mut Transaction,
    id: &AppClientId,
    name: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO clients (client_id, kind, name, redirect_uris, metadata, created_by, created_at, removed_at)
         VALUES ($1, 'document', $2, '[]', '{}', '', $3, $3) ON CONFLICT DO NOTHING",
    )
    .bind(id.as_str())
    .bind(name)
    .bind(at.millis())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Disables a person.
pub(crate) async fn disable_person(
    transaction: &mut Transaction,
    id: &PersonId,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE people SET disabled_at = $1 WHERE id = $2")
        .bind(at.millis())
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
