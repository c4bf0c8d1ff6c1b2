//! `mails`, and who gets one.

use crate::base::clock::Timestamp;
use crate::base::id::{PersonId, TeamId};
use crate::model::person::authority::Role;
use crate::store::{On, Result, Store, Transaction, row, sql};

/// The kind of an e-mail with a link for a person who forgot the password.
pub(crate) const PASSWORD: &str = "password";

/// An e-mail that waits.
pub(crate) struct WaitingMail {
    pub person: PersonId,
    pub kind: String,
    pub seq: i64,
    pub attempts: i64,
    pub created_at: Timestamp,
    pub next_attempt_at: Timestamp,
}

row! { "mails" => WaitingMail { person = "person_id", kind, seq, attempts, created_at, next_attempt_at } }

/// The number of the last audit entry of which e-mails were made; `None`: none ever were.
pub(crate) async fn cursor(store: &Store) -> Result<Option<i64>> {
    sql!("SELECT value FROM counters WHERE name = 'mails_after'").about("counters").optional(store).await
}

/// Stores that number for the first time.
pub(crate) async fn begin(transaction: &mut Transaction, seq: i64) -> Result<()> {
    let sql = "INSERT INTO counters (name, value) VALUES ('mails_after', $1) ON CONFLICT (name) DO NOTHING";
    sql!(sql; seq).execute(transaction).await
}

/// Moves on; false when another server has moved on already.
pub(crate) async fn advance(transaction: &mut Transaction, from: i64, to: i64) -> Result<bool> {
    let sql = "UPDATE counters SET value = $1 WHERE name = 'mails_after' AND value = $2";
    sql!(sql; to, from).changed(transaction).await
}

/// Adds an e-mail; false when there is one already.
pub(crate) async fn insert(
    transaction: &mut Transaction,
    person: &PersonId,
    kind: &str,
    seq: i64,
    now: Timestamp,
) -> Result<bool> {
    let sql = "INSERT INTO mails (person_id, kind, seq, created_at, next_attempt_at) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (person_id, kind, seq) DO NOTHING";
    sql!(sql; person, kind, seq, now).changed(transaction).await
}

/// Lets an e-mail that waits for another attempt be sent now: its person asked again.
pub(crate) async fn try_again(
    transaction: &mut Transaction,
    person: &PersonId,
    kind: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE mails SET created_at = $1, next_attempt_at = $1
         WHERE person_id = $2 AND kind = $3 AND problem IS NOT NULL AND next_attempt_at > $1";
    sql!(sql; now, person, kind).execute(transaction).await
}

/// Forgets that a person asked for a password link: they have another password, or an administrator decided.
pub(crate) async fn forget_requests(transaction: &mut Transaction, person: &PersonId) -> Result<()> {
    sql!("DELETE FROM mails WHERE person_id = $1 AND kind = $2"; person, PASSWORD).execute(transaction).await
}

/// Takes the e-mail that is due and has waited longest, links for passwords first. Until `lease` no other server takes
/// it.
pub(crate) async fn claim(store: &Store, now: Timestamp, lease: Timestamp) -> Result<Option<WaitingMail>> {
    let due = "SELECT person_id, kind, seq, attempts, created_at, next_attempt_at FROM mails
         WHERE next_attempt_at <= $1
         ORDER BY CASE WHEN kind = $2 THEN 0 ELSE 1 END, next_attempt_at, person_id, kind, seq LIMIT 1";
    let Some(mail) = sql!(due; now, PASSWORD).optional::<WaitingMail>(store).await? else { return Ok(None) };
    let take = "UPDATE mails SET next_attempt_at = $1, attempts = attempts + 1
         WHERE person_id = $2 AND kind = $3 AND seq = $4 AND next_attempt_at = $5";
    let taken = sql!(take; lease, mail.person, mail.kind, mail.seq, mail.next_attempt_at);
    let is_ours = taken.commit(store.begin().await?).await?;
    Ok(is_ours.then_some(WaitingMail { attempts: mail.attempts + 1, ..mail }))
}

/// Forgets an e-mail: it was sent, or it never will be.
pub(crate) async fn remove(store: &Store, mail: &WaitingMail) -> Result<()> {
    let sql = "DELETE FROM mails WHERE person_id = $1 AND kind = $2 AND seq = $3";
    sql!(sql; mail.person, mail.kind, mail.seq).commit(store.begin().await?).await.map(drop)
}

/// Stores why an attempt failed, and when the next one is made.
pub(crate) async fn retry(store: &Store, mail: &WaitingMail, problem: &str, at: Timestamp) -> Result<()> {
    let sql = "UPDATE mails SET problem = $1, next_attempt_at = $2 WHERE person_id = $3 AND kind = $4 AND seq = $5";
    sql!(sql; problem, at, mail.person, mail.kind, mail.seq).commit(store.begin().await?).await.map(drop)
}

/// Notes that an e-mail was sent.
pub(crate) async fn note_sent(store: &Store, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO counters (name, value) VALUES ('mail_sent_at', $1)
         ON CONFLICT (name) DO UPDATE SET value = $1";
    sql!(sql; now).commit(store.begin().await?).await.map(drop)
}

/// When the last e-mail was sent, how many e-mails wait, and the latest problem of the waiting e-mails.
pub(crate) async fn health(store: &Store) -> Result<(Option<Timestamp>, i64, Option<String>)> {
    let sql = "SELECT (SELECT value FROM counters WHERE name = 'mail_sent_at') AS sent_at,
                (SELECT COUNT(*) FROM mails) AS waiting,
                (SELECT problem FROM mails WHERE problem IS NOT NULL ORDER BY next_attempt_at DESC LIMIT 1) AS problem";
    sql!(sql).about("mails").one(store).await
}

/// The words of the kinds that a person wants; `None`: they chose nothing.
pub(crate) async fn choice(on: impl On<'_>, person: &PersonId) -> Result<Option<String>> {
    let found: Option<Option<String>> =
        sql!("SELECT mail_choice FROM people WHERE id = $1"; person).about("people").optional(on).await?;
    Ok(found.flatten())
}

pub(crate) async fn set_choice(transaction: &mut Transaction, person: &PersonId, choice: &str) -> Result<()> {
    sql!("UPDATE people SET mail_choice = $1 WHERE id = $2"; choice, person).execute(transaction).await
}

/// The enabled people of a team with one of these roles.
pub(crate) async fn of_team(store: &Store, team: &TeamId, least: Role) -> Result<Vec<PersonId>> {
    let (manager, least) = (Role::Manager, least);
    let sql = "SELECT p.id AS id FROM memberships AS m JOIN people AS p ON p.id = m.person_id
         WHERE m.team_id = $1 AND p.disabled_at IS NULL AND m.role IN ($2, $3) ORDER BY p.id";
    sql!(sql; team, manager, least).about("memberships").all(store).await
}

/// The enabled administrators.
pub(crate) async fn administrators(store: &Store) -> Result<Vec<PersonId>> {
    let sql = "SELECT id FROM people WHERE administrator_since IS NOT NULL AND disabled_at IS NULL ORDER BY id";
    sql!(sql).about("people").all(store).await
}

/// The teams, and the people, of what leaked in an incident.
pub(crate) async fn of_incident(store: &Store, number: i64) -> Result<(Vec<TeamId>, Vec<PersonId>)> {
    let teams =
        "SELECT DISTINCT c.team_id AS team_id FROM incident_items AS i JOIN credentials AS c ON c.client_id = i.id
         WHERE i.incident = $1 AND i.kind = 'credential' ORDER BY 1";
    let people = "SELECT DISTINCT p.id AS id FROM incident_items AS i JOIN people AS p ON p.id = i.person_id
         WHERE i.incident = $1 AND p.disabled_at IS NULL ORDER BY 1";
    let teams = sql!(teams; number).about("credentials").all(store).await?;
    Ok((teams, sql!(people; number).about("people").all(store).await?))
}
