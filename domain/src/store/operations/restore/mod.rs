//! The statements of a restore. They find what ended after the backup was made, and keep it from working again.
//! [`narrowed`] compares single columns.

mod narrowed;

use std::collections::{HashMap, HashSet};

use crate::base::clock::Timestamp;
use crate::base::id::{AppClientId, ClientId};
use crate::model::client::consent::EndCause;
use crate::model::operations::{Ended, EndingKind, How, LaterValue, SinceBackup};
use crate::model::person::authority::Role;
use crate::store::client::consent::{self, ConsentSelection};
use crate::store::client::personal_token::{self, PersonalTokenSelection};
use crate::store::credential::authenticators;
use crate::store::operations::keys::signing_key_states;
use crate::store::{Result, Statement, Store, Transaction, composed_sql, sql, to_json};

/// Rows that are compared at once.
const PAGE: usize = 1000;
/// How many bits of the status lists may have been given out since the backup, when no database says it. A bit that is
/// given out twice would revoke a token of something else. Bits cost nothing while nobody has them.
const UNKNOWN_BITS: i64 = 1_000_000;

/// What has ended or lost rights in `former`, and still works or has them in `backup`. Only kinds of things that the
/// audit log of `former` names are compared.
pub(crate) async fn ended_since(former: &Store, backup: &Store, since: &SinceBackup) -> Result<Vec<Ended>> {
    let stores = (former, backup);
    let mut ended = Vec::new();
    for kind in &since.kinds {
        match kind {
            EndingKind::Credentials => {
                let gone = ended_credentials(stores).await?;
                let narrowed = narrowed::credentials(stores, since, &gone).await?;
                ended.extend(gone.into_iter().chain(narrowed));
            }
            EndingKind::People => ended.extend(ended_of_people(stores).await?),
            EndingKind::Roles => ended.extend(taken_roles(former, backup).await?),
            EndingKind::Clients => {
                ended.extend(only_in_backup(stores, How::ClientRemoved, REMOVED_CLIENTS, PRESENT_CLIENTS).await?);
                ended.extend(only_in_backup(stores, How::ClientDisabled, DISABLED_CLIENTS, ENABLED_CLIENTS).await?);
                for (gone, how) in UNKNOWN_DOCUMENTS {
                    ended.extend(unknown_documents(stores, gone, how).await?);
                }
                for (column, how) in CLIENT_PROOFS {
                    ended.extend(ended_client_proofs(stores, column, how).await?);
                }
                ended.extend(narrowed::clients(stores, since).await?);
            }
            EndingKind::Webhooks => ended.extend(narrowed::webhooks(stores, since).await?),
            EndingKind::Servers => ended.extend(narrowed::servers(stores, since).await?),
            EndingKind::Tokens => ended.extend(revoked_tokens(stores).await?),
            // See `dropped_algorithms`.
            EndingKind::SigningKeys => {}
        }
    }
    Ok(ended)
}

/// People whose password was changed in `former`, with the later password.
pub(crate) async fn changed_passwords(former: &Store, backup: &Store, since: &SinceBackup) -> Result<Vec<Ended>> {
    narrowed::passwords((former, backup), since).await
}

const REMOVED_CLIENTS: &str = "SELECT '' AS client_id, name, client_id AS id, removed_at AS at FROM clients
     WHERE removed_at IS NOT NULL ORDER BY client_id";
const PRESENT_CLIENTS: &str = "SELECT client_id AS id FROM clients WHERE removed_at IS NULL";
const DISABLED_CLIENTS: &str = "SELECT '' AS client_id, name, client_id AS id, disabled_at AS at FROM clients
     WHERE disabled_at IS NOT NULL AND removed_at IS NULL ORDER BY client_id";
const ENABLED_CLIENTS: &str = "SELECT client_id AS id FROM clients WHERE removed_at IS NULL AND disabled_at IS NULL";

/// Credentials that were revoked or disabled, and secrets, keys and identities that were revoked.
async fn ended_credentials(stores: (&Store, &Store)) -> Result<Vec<Ended>> {
    let mut ended = Vec::new();
    for (column, how) in [("revoked_at", How::Revoked), ("disabled_at", How::Disabled)] {
        // A credential that was revoked need not be disabled as well.
        let unless = if column == "disabled_at" { "AND revoked_at IS NULL" } else { "" };
        let gone = format!(
            "SELECT client_id, name, client_id AS id, {column} AS at FROM credentials
             WHERE {column} IS NOT NULL {unless} ORDER BY client_id"
        );
        let going = format!("SELECT client_id AS id FROM credentials WHERE {column} IS NULL");
        ended.extend(only_in_backup(stores, how, &gone, &going).await?);
    }
    let revoked: HashSet<ClientId> =
        ended.iter().filter(|one| one.how == How::Revoked).filter_map(|one| one.client_id.clone()).collect();
    for table in authenticators::TABLES {
        let gone = format!(
            "SELECT c.client_id AS client_id, c.name AS name, a.id AS id, a.revoked_at AS at
             FROM {table} AS a JOIN credentials AS c ON c.client_id = a.client_id
             WHERE a.revoked_at IS NOT NULL ORDER BY a.id"
        );
        let going = format!("SELECT id FROM {table} WHERE revoked_at IS NULL");
        let found = only_in_backup(stores, How::AuthenticatorRevoked(table), &gone, &going).await?;
        // A revoked credential ends with everything that proves it, so these rows need no entry of their own.
        ended.extend(found.into_iter().filter(|one| one.client_id.as_ref().is_none_or(|id| !revoked.contains(id))));
    }
    Ok(ended)
}

/// People who were disabled or lost the administration, and ways to sign in that were removed.
async fn ended_of_people(stores: (&Store, &Store)) -> Result<Vec<Ended>> {
    let mut ended = Vec::new();
    for (how, gone, going) in [
        (
            How::PersonDisabled,
            "SELECT '' AS client_id, name, id, disabled_at AS at FROM people WHERE disabled_at IS NOT NULL ORDER BY id",
            "SELECT id FROM people WHERE disabled_at IS NULL",
        ),
        (
            How::OpenIdDisconnected,
            "SELECT '' AS client_id, p.name AS name, l.id AS id, l.removed_at AS at FROM openid_links AS l
             JOIN people AS p ON p.id = l.person_id WHERE l.removed_at IS NOT NULL ORDER BY l.id",
            "SELECT id FROM openid_links WHERE removed_at IS NULL",
        ),
        (
            How::PasskeyRemoved,
            "SELECT '' AS client_id, name, id, removed_at AS at FROM passkeys WHERE removed_at IS NOT NULL ORDER BY id",
            "SELECT id FROM passkeys WHERE removed_at IS NULL",
        ),
        (
            How::AdministrationTaken,
            "SELECT '' AS client_id, name, id, COALESCE((SELECT MAX(at) FROM audit
                 WHERE target_id = people.id AND action = 'person.administrator_changed'), created_at) AS at
             FROM people WHERE administrator_since IS NULL ORDER BY id",
            "SELECT id FROM people WHERE administrator_since IS NOT NULL",
        ),
    ] {
        ended.extend(only_in_backup(stores, how, gone, going).await?);
        if how == How::PasskeyRemoved {
            ended.extend(removed_apps(stores.0, stores.1).await?);
        }
    }
    Ok(ended)
}

/// Access tokens of credentials that were revoked one by one. Tokens of consents end with their consents.
async fn revoked_tokens(stores: (&Store, &Store)) -> Result<Vec<Ended>> {
    let gone = "SELECT l.client_id AS client_id, c.name AS name, l.jti AS id, l.revoked_at AS at
         FROM ledger AS l JOIN credentials AS c ON c.client_id = l.client_id
         WHERE l.revoked_at IS NOT NULL ORDER BY l.jti";
    only_in_backup(stores, How::TokenRevoked, gone, "SELECT jti AS id FROM ledger WHERE revoked_at IS NULL").await
}

/// Rows that `gone` selects in `former` although `going` still selects them in `backup`. `gone` reads the client ID (of
/// a credential, or an empty text), the name, the identifier and the moment; `going` reads identifiers.
async fn only_in_backup((former, backup): (&Store, &Store), how: How, gone: &str, going: &str) -> Result<Vec<Ended>> {
    still(backup, going, rows(former, gone, how).await?).await
}

async fn rows(store: &Store, sql: &str, how: How) -> Result<Vec<Ended>> {
    let rows: Vec<(String, String, String, Timestamp)> = Statement::composed(sql).all(store).await?;
    let ended = rows.into_iter().map(|(client_id, name, id, at)| {
        let client_id = ClientId::parse(&client_id);
        Ended { client_id, name, id, at, how, later: Vec::new() }
    });
    Ok(ended.collect())
}

/// The items of `ended` that the statement `going` selects in `backup`, because they still work there.
async fn still(backup: &Store, going: &str, ended: Vec<Ended>) -> Result<Vec<Ended>> {
    let asked = backup.engine().elements("$1", "asked");
    let mut found: HashSet<String> = HashSet::new();
    for page in ended.chunks(PAGE) {
        let ids: Vec<[&str; 1]> = page.iter().map(|one| [one.id.as_str()]).collect();
        let sql = composed_sql!(
            "SELECT id FROM ({going}) AS going WHERE id IN (SELECT asked.value ->> 0 FROM {asked})"; to_json(&ids)
        );
        found.extend(sql.all::<String>(backup).await?);
    }
    Ok(ended.into_iter().filter(|one| found.contains(&one.id)).collect())
}

/// The columns that keep a document out, each with its condition.
const UNKNOWN_DOCUMENTS: [(&str, How); 2] = [
    ("removed_at AS at FROM clients WHERE removed_at IS NOT NULL", How::DocumentRemoved),
    ("disabled_at AS at FROM clients WHERE disabled_at IS NOT NULL AND removed_at IS NULL", How::DocumentDisabled),
];

/// Documents of clients that `gone` selects in `former` and that `backup` does not know.
async fn unknown_documents((former, backup): (&Store, &Store), gone: &str, how: How) -> Result<Vec<Ended>> {
    let documents =
        format!("SELECT '' AS client_id, name, client_id AS id, {gone} AND kind = 'document' ORDER BY client_id");
    let mut found = rows(former, &documents, how).await?;
    let known = "SELECT client_id AS id FROM clients WHERE kind = 'document'";
    let known = still(backup, known, found.clone()).await?;
    found.retain(|one| !known.contains(one));
    Ok(found)
}

/// The columns with what a client proves itself with.
const CLIENT_PROOFS: [(&str, How); 2] =
    [("secret_hash", How::ClientSecretEnded), ("registration_hash", How::ClientRegistrationEnded)];

/// Secrets of clients, or the tokens that manage their registrations, that work in `backup` and ended in `former`, or
/// were replaced there. The moment comes from the audit log of `former`.
async fn ended_client_proofs((former, backup): (&Store, &Store), column: &str, how: How) -> Result<Vec<Ended>> {
    let working = format!("SELECT client_id, {column} FROM clients WHERE {column} IS NOT NULL");
    let in_backup: HashMap<String, String> = composed_sql!("{working}").collect(backup).await?;
    let proofs = composed_sql!(
        "SELECT client_id, name, {column}, COALESCE((SELECT MAX(at) FROM audit WHERE target_id = client_id
             AND action IN ('client.secret_ended', 'client.secret_replaced')), created_at) AS at
         FROM clients WHERE removed_at IS NULL ORDER BY client_id"
    );
    let mut ended = Vec::new();
    for (id, name, present, at) in proofs.all::<(String, String, Option<String>, Timestamp)>(former).await? {
        if in_backup.get(&id).is_some_and(|working| present.as_ref() != Some(working)) {
            ended.push(Ended { client_id: None, name, id, at, how, later: Vec::new() });
        }
    }
    Ok(ended)
}

/// When this last happened to the thing, as the audit log says.
async fn last(store: &Store, target: &str, action: &str) -> Result<Option<Timestamp>> {
    sql!("SELECT MAX(at) AS at FROM audit WHERE target_id = $1 AND action = $2"; target, action).one(store).await
}

/// Authenticator apps that are confirmed in `backup` and are gone from `former`, or were replaced there. Rows of
/// removed apps are deleted, so the moment comes from the audit log of `former`.
async fn removed_apps(former: &Store, backup: &Store) -> Result<Vec<Ended>> {
    let apps = "SELECT p.id AS id, a.created_at AS at, p.name AS name
         FROM people AS p LEFT JOIN authenticator_apps AS a ON a.person_id = p.id AND a.confirmed_at IS NOT NULL
         ORDER BY p.id";
    let present: HashMap<String, Option<Timestamp>> = sql!(apps).collect(former).await?;
    let mut removed = Vec::new();
    for (id, begun, name) in sql!(apps).all::<(String, Option<Timestamp>, String)>(backup).await? {
        // If the former database does not know the person, it does not say that their app ended.
        let is_same = present.get(&id).is_none_or(|app| *app == begun);
        let Some(begun) = begun.filter(|_| !is_same) else { continue };
        let at = last(former, &id, "second_factor.removed").await?.unwrap_or(begun);
        removed.push(Ended { client_id: None, name, id, at, how: How::AppRemoved, later: Vec::new() });
    }
    Ok(removed)
}

/// Roles in teams of `backup` that are missing or lesser in `former`. If `former` never knew the team or the person, it
/// does not say that a role was taken away.
async fn taken_roles(former: &Store, backup: &Store) -> Result<Vec<Ended>> {
    let known = "SELECT id FROM teams UNION ALL SELECT id FROM people
         UNION ALL SELECT target_id AS id FROM audit WHERE action = 'team.removed'";
    let known: HashSet<String> = sql!(known).collect(former).await?;
    let roles = "SELECT t.id || '/' || p.id AS id, m.role AS role, t.id AS team, p.id AS person,
             p.name || ' in ' || t.name AS name
         FROM memberships AS m JOIN teams AS t ON t.id = m.team_id JOIN people AS p ON p.id = m.person_id
         ORDER BY t.id, p.id";
    let present: HashMap<String, Role> = sql!(roles).about("the former database").collect(former).await?;
    let in_backup = sql!(roles).about("the backup").all::<(String, Role, String, String, String)>(backup).await?;
    let mut taken = Vec::new();
    for (id, role, team, person, name) in in_backup {
        let now = present.get(&id).copied();
        if known.contains(&team) && known.contains(&person) && now < Some(role) {
            let changed = last(former, &team, "team.role_changed").await?;
            let at = last(former, &team, "team.removed").await?.or(changed).unwrap_or(Timestamp::from_millis(0));
            taken.push(Ended { client_id: None, name, id, at, how: How::RoleTaken(now), later: Vec::new() });
        }
    }
    Ok(taken)
}

/// The hashes of recovery codes that work in `backup` and were used or replaced in `former`.
pub(crate) async fn spent_codes(former: &Store, backup: &Store) -> Result<Vec<String>> {
    let known: HashSet<String> = sql!("SELECT id FROM people").collect(former).await?;
    let codes = "SELECT code_hash, person_id FROM recovery_codes WHERE used_at IS NULL";
    let working: HashMap<String, String> = sql!(codes).collect(former).await?;
    let codes: Vec<(String, String)> = sql!(codes).all(backup).await?;
    let spent = codes.into_iter().filter(|(hash, person)| known.contains(person) && !working.contains_key(hash));
    Ok(spent.map(|(hash, _)| hash).collect())
}

/// Removes these recovery codes.
pub(crate) async fn remove_codes(transaction: &mut Transaction, hashes: &[String]) -> Result<()> {
    for hash in hashes {
        sql!("DELETE FROM recovery_codes WHERE code_hash = $1"; hash).execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Removes the recovery codes of people who have no second factor. Such codes would replace nothing.
pub(crate) async fn remove_codes_of_nothing(transaction: &mut Transaction) -> Result<()> {
    sql!(
        "DELETE FROM recovery_codes WHERE
            person_id NOT IN (SELECT person_id FROM authenticator_apps WHERE confirmed_at IS NOT NULL)
            AND person_id NOT IN (SELECT person_id FROM passkeys WHERE removed_at IS NULL)"
    )
    .execute(transaction)
    .await
}

/// The algorithms of signing keys that sign or will sign in `backup` and have left the JWKS in `former`.
pub(crate) async fn dropped_algorithms(former: &Store, backup: &Store, now: Timestamp) -> Result<HashSet<String>> {
    let left: HashSet<String> = signing_key_states(former, Timestamp::from_millis(0))
        .await?
        .into_iter()
        .filter(|key| key.retired_at.is_some_and(|at| at <= now))
        .map(|key| key.kid)
        .collect();
    let here = signing_key_states(backup, now).await?;
    Ok(here.into_iter().filter(|key| left.contains(&key.kid)).map(|key| key.alg).collect())
}

/// Ends all sessions and consents, and records the moment of the restore. No bit of a status list is given out a second
/// time.
pub(crate) async fn reset_after_restore(
    transaction: &mut Transaction,
    now: Timestamp,
    taken_bits: Option<i64>,
) -> Result<u64> {
    let ended =
        sql!("UPDATE sessions SET revoked_at = $1 WHERE revoked_at IS NULL"; now).affected(&mut *transaction).await?;
    // The database does not know which refresh tokens were used since the backup.
    consent::end(transaction, ConsentSelection::All, now, EndCause::Restored).await?;
    personal_token::end(transaction, PersonalTokenSelection::All, now, EndCause::Restored).await?;
    // The database does not know which invitations were accepted or withdrawn since the backup.
    let sql = "UPDATE invitations SET withdrawn_at = $1 WHERE accepted_at IS NULL AND withdrawn_at IS NULL";
    sql!(sql; now).execute(&mut *transaction).await?;
    // Nor which requests were withdrawn or used.
    let sql = "UPDATE generation_requests SET state = 'withdrawn', decided_at = $1, decided_by_name = 'a restore'
         WHERE state IN ('waiting', 'approved')";
    sql!(sql; now).execute(&mut *transaction).await?;
    // Nor what teams confirmed: they get the days of grace once more.
    let sql = "UPDATE policies SET enforced_at = $1 WHERE name = 'review' AND enforced_at IS NOT NULL";
    sql!(sql; now).execute(&mut *transaction).await?;
    for table in [
        "authorization_codes",
        "device_codes",
        "openid_attempts",
        "pending_sign_ins",
        "password_links",
        "handovers",
        "mails",
    ] {
        composed_sql!("DELETE FROM {table}").execute(&mut *transaction).await?;
    }
    let sql = "INSERT INTO counters (name, value)
         VALUES ('restored_at', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    sql!(sql; now).execute(&mut *transaction).await?;
    let sql = match taken_bits {
        Some(_) => "UPDATE counters SET value = $1 WHERE name = 'status_index' AND value < $1",
        None => "UPDATE counters SET value = value + $1 WHERE name = 'status_index'",
    };
    sql!(sql; taken_bits.unwrap_or(UNKNOWN_BITS)).execute(&mut *transaction).await?;
    Ok(ended)
}

/// Ends one authenticator.
pub(crate) async fn revoke_authenticator(
    transaction: &mut Transaction,
    table: &'static str,
    id: &str,
    at: Timestamp,
) -> Result<()> {
    composed_sql!("UPDATE {table} SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL"; at, id)
        .execute(transaction)
        .await
}

/// Writes a value of the former database.
pub(crate) async fn write_later(transaction: &mut Transaction, later: &LaterValue) -> Result<()> {
    let LaterValue { table, key, id, column, value, is_number } = later;
    if let Some(values) = value.as_array() {
        composed_sql!("DELETE FROM {table} WHERE {key} = $1"; id).execute(&mut *transaction).await?;
        for value in values {
            let sql = format!("INSERT INTO {table} ({key}, {column}) VALUES ($1, $2)");
            Statement::composed(sql).bind(id).bind(&value.as_str()).execute(&mut *transaction).await?;
        }
        return Ok(());
    }
    let sql = format!("UPDATE {table} SET {column} = $1 WHERE {key} = $2");
    let statement = match is_number {
        true => Statement::composed(sql).bind(&value.as_i64()),
        false => Statement::composed(sql).bind(&value.as_str()),
    };
    statement.bind(id).execute(transaction).await
}

/// Ends one access token.
pub(crate) async fn revoke_token(transaction: &mut Transaction, jti: &str, at: Timestamp) -> Result<()> {
    sql!("UPDATE ledger SET revoked_at = $1 WHERE jti = $2 AND revoked_at IS NULL"; at, jti).execute(transaction).await
}

/// Removes a passkey.
pub(crate) async fn remove_passkey(transaction: &mut Transaction, id: &str, at: Timestamp) -> Result<()> {
    sql!("UPDATE passkeys SET removed_at = $1 WHERE id = $2 AND removed_at IS NULL"; at, id).execute(transaction).await
}

/// Records that the client with this document was removed.
pub(crate) async fn keep_document_out(
    transaction: &mut Transaction,
    id: &AppClientId,
    name: &str,
    at: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO clients (client_id, kind, name, redirect_uris, metadata, created_by, created_at, removed_at)
         VALUES ($1, 'document', $2, '[]', '{}', '', $3, $3) ON CONFLICT DO NOTHING";
    sql!(sql; id, name, at).execute(transaction).await
}

/// Records that the client with this document is stopped.
pub(crate) async fn keep_document_stopped(
    transaction: &mut Transaction,
    id: &AppClientId,
    name: &str,
    at: Timestamp,
) -> Result<()> {
    let sql =
        "INSERT INTO clients (client_id, kind, name, redirect_uris, metadata, created_by, created_at, disabled_at)
         VALUES ($1, 'document', $2, '[]', '{}', '', $3, $3) ON CONFLICT DO NOTHING";
    sql!(sql; id, name, at).execute(transaction).await
}
