//! `invitations`.

use crate::base::clock::Timestamp;
use crate::base::id::{InvitationId, PersonId, TeamId};
use crate::model::person::team::{Invitation, InvitedRole};
use crate::store::{Columns, On, Result, Store, Transaction, composed_sql, row, sql};

const COLUMNS: &str = "id, email, team_id, role, invited_by_name, created_at, expires_at";
const OPEN: &str = "accepted_at IS NULL AND withdrawn_at IS NULL AND expires_at > $1";

row! { "invitations" => Invitation {
    id, email, role: invited_role, invited_by = "invited_by_name", created_at, expires_at
} }

fn invited_role(columns: &Columns<'_>) -> Result<InvitedRole> {
    Ok(match columns.get("team_id")? {
        None => InvitedRole::Administrator,
        Some(team) => InvitedRole::Team(team, columns.get("role")?),
    })
}

pub(crate) async fn insert(
    transaction: &mut Transaction,
    invitation: &Invitation,
    token_hash: &str,
    invited_by: &str,
) -> Result<()> {
    let (team, role) = match &invitation.role {
        InvitedRole::Administrator => (None, None),
        InvitedRole::Team(team, role) => (Some(team), Some(role)),
    };
    sql!(
        "INSERT INTO invitations
             (id, token_hash, email, team_id, role, invited_by, invited_by_name, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        invitation.id, token_hash, invitation.email, team, role, invited_by, invitation.invited_by,
        invitation.created_at, invitation.expires_at
    )
    .execute(transaction)
    .await
}

/// How many invitations for this address were made since a moment.
pub(crate) async fn count_since(store: &Store, email: &str, since: Timestamp) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM invitations WHERE email = $1 AND created_at > $2";
    sql!(sql; email, since).about("invitations").one(store).await
}

/// Open invitations, newest first: of a team, or all of them.
pub(crate) async fn list(store: &Store, team: Option<&TeamId>, now: Timestamp) -> Result<Vec<Invitation>> {
    composed_sql!("SELECT {COLUMNS} FROM invitations WHERE {OPEN} AND ($2 IS NULL OR team_id = $2)
         ORDER BY created_at DESC, id DESC LIMIT 500"; now, team)
    .all(store)
    .await
}

/// How many invitations into this team, or to the administration, are open.
pub(crate) async fn count_open(transaction: &mut Transaction, team: Option<&TeamId>, now: Timestamp) -> Result<i64> {
    composed_sql!(
        "SELECT COUNT(*) AS n FROM invitations WHERE {OPEN} AND COALESCE(team_id, '') = $2";
        now, team.map_or("", TeamId::as_str)
    )
    .one(transaction)
    .await
}

pub(crate) async fn find_in(
    transaction: &mut Transaction,
    id: &InvitationId,
    now: Timestamp,
) -> Result<Option<Invitation>> {
    composed_sql!("SELECT {COLUMNS} FROM invitations WHERE {OPEN} AND id = $2"; now, id).optional(transaction).await
}

/// The open invitation with this hash of its link's token.
pub(crate) async fn find_open(on: impl On<'_>, token_hash: &str, now: Timestamp) -> Result<Option<Invitation>> {
    composed_sql!("SELECT {COLUMNS} FROM invitations WHERE {OPEN} AND token_hash = $2"; now, token_hash)
        .optional(on)
        .await
}

/// Whether the person who sent the invitation administers the instance, or used the command line of the server.
pub(crate) async fn is_by_administrator(transaction: &mut Transaction, id: &InvitationId) -> Result<bool> {
    let sql = "SELECT 1 FROM invitations AS i WHERE i.id = $1 AND (i.invited_by = '' OR EXISTS (
             SELECT 1 FROM people AS a WHERE a.id = i.invited_by AND a.administrator_since IS NOT NULL))";
    sql!(sql; id).exists(transaction).await
}

/// Accepts the invitation; false when it was accepted or withdrawn meanwhile.
pub(crate) async fn accept(transaction: &mut Transaction, id: &InvitationId, now: Timestamp) -> Result<bool> {
    composed_sql!("UPDATE invitations SET accepted_at = $1 WHERE {OPEN} AND id = $2"; now, id)
        .changed(transaction)
        .await
}

pub(crate) async fn withdraw(transaction: &mut Transaction, id: &InvitationId, now: Timestamp) -> Result<()> {
    sql!("UPDATE invitations SET withdrawn_at = $1 WHERE id = $2"; now, id).execute(transaction).await
}

/// Withdraws open invitations for this person: into one team, to the administration, or all of them. Returns how many.
pub(crate) async fn withdraw_to(
    transaction: &mut Transaction,
    email: &str,
    what: Withdrawn<'_>,
    now: Timestamp,
) -> Result<u64> {
    let (limit, team) = match what {
        Withdrawn::All => ("$3 IS NULL", None),
        Withdrawn::Administration => ("$3 IS NULL AND team_id IS NULL", None),
        Withdrawn::Team(team) => ("team_id = $3", Some(team)),
    };
    composed_sql!("UPDATE invitations SET withdrawn_at = $1 WHERE {OPEN} AND email = $2 AND {limit}"; now, email, team)
        .affected(transaction)
        .await
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
) -> Result<u64> {
    composed_sql!(
        "UPDATE invitations SET withdrawn_at = $1
         WHERE {OPEN} AND invited_by = $2 AND ($3 IS NULL OR team_id = $3)";
        now, person, team
    )
    .affected(transaction)
    .await
}
