//! `teams` and `memberships`.

use std::collections::{BTreeMap, HashMap};

use crate::base::clock::Timestamp;
use crate::base::id::{PersonId, TeamId};
use crate::model::actor::Actor;
use crate::model::person::authority::{Authority, Role};
use crate::model::person::team::{Member, PersonsTeam, Team};
use crate::store::{Columns, FromRow, On, Result, Store, Transaction, row, sql};

/// A subquery for the team identifiers behind [`Authority::key`], which is this parameter. If the key is a person,
/// these are the person's teams. If the key is a team, it is that team.
macro_rules! of {
    ($parameter:literal) => {
        concat!(
            "(SELECT team_id FROM memberships WHERE person_id = ",
            $parameter,
            " UNION ALL SELECT id FROM teams WHERE id = ",
            $parameter,
            ")"
        )
    };
}
pub(crate) use of;

/// What the actor may see and do.
pub(crate) async fn authority(on: impl On<'_>, actor: &Actor) -> Result<Authority> {
    if let Some(id) = actor.client_id() {
        let team = sql!(
            "SELECT team_id FROM credentials WHERE client_id = $1 AND revoked_at IS NULL AND disabled_at IS NULL"; id
        );
        let team = team.about("credentials").optional(on).await?;
        return Ok(team.map_or_else(nobody, Authority::Team));
    }
    let Some(id) = actor.person_id() else { return Ok(Authority::Everything) };
    Ok(authority_of_person(on, id).await?.unwrap_or_else(nobody))
}

/// What the person may see and do; `None`: the person is disabled.
pub(crate) async fn authority_of_person(on: impl On<'_>, id: &PersonId) -> Result<Option<Authority>> {
    let sql = "SELECT p.administrator_since AS administrator_since, m.team_id AS team_id, m.role AS role
         FROM people AS p LEFT JOIN memberships AS m ON m.person_id = p.id AND p.administrator_since IS NULL
         WHERE p.id = $1 AND p.disabled_at IS NULL";
    let rows: Vec<(bool, Option<TeamId>, Option<Role>)> = sql!(sql; id).about("memberships").all(on).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    if rows.iter().any(|(is_administrator, ..)| *is_administrator) {
        return Ok(Some(Authority::Everything));
    }
    let roles = rows.into_iter().filter_map(|(_, team, role)| team.zip(role)).collect();
    Ok(Some(Authority::Person { id: id.clone(), roles }))
}

/// The authority of a stopped credential or a disabled person: a person without any team. A team's key cannot express
/// that.
fn nobody() -> Authority {
    Authority::Person { id: PersonId::nobody(), roles: BTreeMap::new() }
}

row! { "teams" => Team { id, name } }

/// The teams that `key` sees, by name.
pub(crate) async fn list(on: impl On<'_>, key: Option<&str>) -> Result<Vec<Team>> {
    let sql =
        concat!("SELECT id, name FROM teams WHERE ($1 IS NULL OR id IN ", of!("$1"), ") ORDER BY search_name, id");
    sql!(sql; key).all(on).await
}

/// The teams that the key `$1` sees, with the numbers of people.
const PEOPLE: &str = concat!(
    "SELECT t.id AS id, t.name AS name,
            (SELECT COUNT(*) FROM memberships AS m WHERE m.team_id = t.id) AS people
     FROM teams AS t WHERE ($1 IS NULL OR t.id IN ",
    of!("$1"),
    ") ORDER BY t.search_name, t.id"
);

/// The teams that `key` sees, by name, with the numbers of people.
pub(crate) async fn with_people(store: &Store, key: Option<&str>) -> Result<Vec<(Team, i64)>> {
    let rows: Vec<(TeamId, String, i64)> = sql!(PEOPLE; key).about("teams").all(store).await?;
    Ok(rows.into_iter().map(|(id, name, people)| (Team { id, name }, people)).collect())
}

/// The teams that the key `$1` sees, with the numbers of credentials that work at the moment `$2`.
pub(crate) const WORKING: &str = concat!(
    "SELECT t.id AS id,
            (SELECT COUNT(*) FROM credentials AS c WHERE c.team_id = t.id AND c.revoked_at IS NULL
                AND c.disabled_at IS NULL AND (c.ends_at IS NULL OR c.ends_at > $2)) AS credentials
     FROM teams AS t WHERE $1 IS NULL OR t.id IN ",
    of!("$1")
);

/// How many credentials of each team work, of the teams that `key` sees.
pub(crate) async fn working(store: &Store, key: Option<&str>, now: Timestamp) -> Result<HashMap<TeamId, i64>> {
    let rows: Vec<(TeamId, i64)> = sql!(WORKING; key, now).about("teams").all(store).await?;
    Ok(rows.into_iter().collect())
}

pub(crate) async fn find(on: impl On<'_>, id: &TeamId) -> Result<Option<Team>> {
    sql!("SELECT id, name FROM teams WHERE id = $1"; id).optional(on).await
}

/// The name of the team that owns this credential.
pub(crate) async fn name_of_owner(store: &Store, client_id: &str) -> Result<Option<String>> {
    let sql = "SELECT t.name AS name FROM credentials AS c JOIN teams AS t ON t.id = c.team_id WHERE c.client_id = $1";
    sql!(sql; client_id).optional(store).await
}

pub(crate) async fn insert(transaction: &mut Transaction, team: &Team, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO teams (id, name, search_name, created_at) VALUES ($1, $2, $3, $4)";
    sql!(sql; team.id, team.name, team.name.to_lowercase(), now).execute(transaction).await
}

pub(crate) async fn set_name(transaction: &mut Transaction, id: &TeamId, name: &str) -> Result<()> {
    let sql = "UPDATE teams SET name = $1, search_name = $2 WHERE id = $3";
    sql!(sql; name, name.to_lowercase(), id).execute(transaction).await
}

/// Whether a credential, working or ended, belongs to the team.
pub(crate) async fn owns_any(transaction: &mut Transaction, id: &TeamId) -> Result<bool> {
    sql!("SELECT 1 FROM credentials WHERE team_id = $1 LIMIT 1"; id).exists(transaction).await
}

/// Removes the team, its memberships, its invitations and its requests. The lists of MCP servers lose it.
pub(crate) async fn remove(transaction: &mut Transaction, id: &TeamId) -> Result<()> {
    for sql in [
        "DELETE FROM generation_requests WHERE team_id = $1",
        "DELETE FROM invitations WHERE team_id = $1",
        "DELETE FROM memberships WHERE team_id = $1",
        "DELETE FROM server_teams WHERE team_id = $1",
        "DELETE FROM teams WHERE id = $1",
    ] {
        sql!(sql; id).execute(&mut *transaction).await?;
    }
    Ok(())
}

row! { "memberships" => Member { person = "id", name, email, role, disabled = "disabled_at" } }

/// The people in the team, by name.
pub(crate) async fn members(store: &Store, id: &TeamId) -> Result<Vec<Member>> {
    let sql = "SELECT p.id AS id, p.name AS name, p.email AS email, p.disabled_at AS disabled_at, m.role AS role
         FROM memberships AS m JOIN people AS p ON p.id = m.person_id WHERE m.team_id = $1
         ORDER BY LOWER(p.name), p.id";
    sql!(sql; id).all(store).await
}

impl FromRow for (PersonId, PersonsTeam) {
    const TABLE: Option<&'static str> = Some("memberships");

    fn from_row(columns: &Columns<'_>) -> Result<Self> {
        let (team, role) = (Team::from_row(columns)?, columns.get("role")?);
        Ok((columns.get("person_id")?, PersonsTeam { team, role }))
    }
}

/// The teams of each person, by the team's name.
pub(crate) async fn of_people(store: &Store) -> Result<Vec<(PersonId, PersonsTeam)>> {
    sql!(
        "SELECT m.person_id AS person_id, m.role AS role, t.id AS id, t.name AS name
         FROM memberships AS m JOIN teams AS t ON t.id = m.team_id ORDER BY t.search_name, t.id"
    )
    .all(store)
    .await
}

pub(crate) async fn role(transaction: &mut Transaction, team: &TeamId, person: &PersonId) -> Result<Option<Role>> {
    let sql = "SELECT role FROM memberships WHERE team_id = $1 AND person_id = $2";
    sql!(sql; team, person).about("memberships").optional(transaction).await
}

pub(crate) async fn set_role(
    transaction: &mut Transaction,
    team: &TeamId,
    person: &PersonId,
    role: Role,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO memberships (team_id, person_id, role, since) VALUES ($1, $2, $3, $4)
         ON CONFLICT (team_id, person_id) DO UPDATE SET role = excluded.role";
    sql!(sql; team, person, role, now).execute(transaction).await
}

pub(crate) async fn remove_member(transaction: &mut Transaction, team: &TeamId, person: &PersonId) -> Result<()> {
    sql!("DELETE FROM memberships WHERE team_id = $1 AND person_id = $2"; team, person).execute(transaction).await
}
