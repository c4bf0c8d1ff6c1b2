//! `invitations`.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::base::clock::Timestamp;
use crate::base::id::{InvitationId, PersonId, TeamId};
use crate::model::person::authority::Role;
use crate::model::person::team::{Invitation, InvitedRole};
use crate::store::columns::Columns;
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::error::StoreError;

const COLUMNS: &str = "id, email, team_id, role, invited_by_name, created_at, expires_at";
const OPEN: &str = "accepted_at IS NULL AND withdrawn_at IS NULL AND expires_at > $1";

fn invitation(row: &AnyRow) -> Result<Invitation, StoreError> {
    let columns = Columns::of("invitations", row);
    let grant = match columns.optional_text("team_id")? {
        None => InvitedRole::Administrator,
        Some(_) => InvitedRole::Team(columns.parsed("team_id", TeamId::parse)?, columns.parsed("role", Role::parse)?),
    };
    Ok(Invitation {
        id: columns.parsed("id", InvitationId::parse)?,
        email: columns.text("email")?,
        grant,
        invited_by: columns.text("invited_by_name")?,
        created_at: columns.moment("created_at")?,
        expires_at: columns.moment("expires_at")?,
    })
}

pub(crate) async fn insert(
    transaction: &mut Transaction,
    invitation: &Invitation,
    token_hash: &str,
    invited_by: &str,
) -> Result<(), StoreError> {
    let (team, role) = match &invitation.grant {
        InvitedRole::Administrator => (None, None),
        InvitedRole::Team(team, role) => (Some(team.as_str()), Some(role.as_str())),
    };
    sqlx::query(
        "INSERT INTO invitations (id, token_hash, email, team_id, role, invited_by, invited_by_name, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(invitation.id.as_str())
    .bind(token_hash)
    .bind(&invitation.email)
    .bind(team)
    .bind(role)
    .bind(invited_by)
    .bind(&invitation.invited_by)
    .bind(invitation.created_at.millis())
    .bind(invitation.expires_at.millis())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Open invitations, newest first: of a team, or all of them.
pub(crate) async fn list(store: &Store, team: Option<&TeamId>, now: Timestamp) -> Result<Vec<Invitation>, StoreError> {
    let sql = AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM invitations WHERE {OPEN} AND ($2 IS NULL OR team_id = $2)
         ORDER BY created_at DESC, id DESC LIMIT 500"
    ));
    sqlx::query(sql)
        .bind(now.millis())
        .bind(team.map(TeamId::as_str))
        .fetch_all(store.reads())
        .await?
        .iter()
        .map(invitation)
        .collect()
}

/// How many invitations into this team, or to the administration, are open.
pub(crate) async fn count_open(
    transaction: &mut Transaction,
    team: Option<&TeamId>,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let sql =
        AssertSqlSafe(format!("SELECT COUNT(*) AS n FROM invitations WHERE {OPEN} AND COALESCE(team_id, '') = $2"));
    let team = team.map_or("", TeamId::as_str);
    let row = sqlx::query(sql).bind(now.millis()).bind(team).fetch_one(&mut **transaction).await?;
    Columns::of("invitations", &row).number("n")
}

pub(crate) async fn find_in(
    transaction: &mut Transaction,
    id: &InvitationId,
    now: Timestamp,
) -> Result<Option<Invitation>, StoreError> {
    let sql = AssertSqlSafe(format!("SELECT {COLUMNS} FROM invitations WHERE {OPEN} AND id = $2"));
    let row = sqlx::query(sql).bind(now.millis()).bind(id.as_str()).fetch_optional(&mut **transaction).await?;
    row.as_ref().map(invitation).transpose()
}

/// The open invitation with this hash of its link's token.
pub(crate) async fn find_open<'connection>(
    connection: impl sqlx::Executor<'connection, Database = sqlx::Any>,
    token_hash: &str,
    now: Timestamp,
) -> Result<Option<Invitation>, StoreError> {
    let sql = AssertSqlSafe(format!("SELECT {COLUMNS} FROM invitations WHERE {OPEN} AND token_hash = $2"));
    let row = sqlx::query(sql).bind(now.millis()).bind(token_hash).fetch_optional(connection).await?;
    row.as_ref().map(invitation).transpose()
}

/// Accepts the invitation; false when it was accepted or withdrawn meanwhile.
pub(crate) async fn accept(
    transaction: &mut Transaction,
    id: &InvitationId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = AssertSqlSafe(format!("UPDATE invitations SET accepted_at = $1 WHERE {OPEN} AND id = $2"));
    let result = sqlx::query(sql).bind(now.millis()).bind(id.as_str()).execute(&mut **transaction).await?;
    Ok(result.rows_affected() == 1)
}

pub(crate) async fn withdraw(
    transaction: &mut Transaction,
    id: &InvitationId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE invitations SET withdrawn_at = $1 WHERE id = $2")
        .bind(now.millis())
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Withdraws open invitations for this person: into one team, to the administration, or all of them. Returns how many.
pub(crate) async fn withdraw_to(
    transaction: &mut Transaction,
    email: &str,
    what: Withdrawn<'_>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let limit = match what {
        Withdrawn::All => "$3 IS NULL",
        Withdrawn::Administration => "$3 IS NULL AND team_id IS NULL",
        Withdrawn::Team(_) => "team_id = $3",
    };
    let team = match what {
        Withdrawn::Team(team) => Some(team.as_str()),
        Withdrawn::All | Withdrawn::Administration => None,
    };
    let sql =
        AssertSqlSafe(format!("UPDATE invitations SET withdrawn_at = $1 WHERE {OPEN} AND email = $2 AND {limit}"));
    let result = sqlx::query(sql).bind(now.millis()).bind(email).bind(team).execute(&mut **transaction).await?;
    Ok(result.rows_affected())
}

/// Which invitations are withdrawn.
#[derive(Clone, Copy)]
pub(crate) enum Withdrawn<'team> {
    /// All of them.
    All,
    /// Invitations to the administration.
    Administration,
    /// Invitations into a team.
    Team(&'team TeamId),
}

/// Withdraws the open invitations that this person sent, into one team or all of them: the person has lost the right to
/// invite. Returns how many.
pub(crate) async fn withdraw_of(
    transaction: &mut Transaction,
    person: &PersonId,
    team: Option<&TeamId>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let sql = AssertSqlSafe(format!(
        "UPDATE invitations SET withdrawn_at = $1 WHERE {OPEN} AND invited_by = $2 AND ($3 IS NULL OR team_id = $3)"
    ));
    let result = sqlx::query(sql)
        .bind(now.millis())
        .bind(person.as_str())
        .bind(team.map(TeamId::as_str))
        .execute(&mut **transaction)
        .await?;
    Ok(result.rows_affected())
}
