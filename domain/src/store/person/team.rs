//! `teams` and `memberships`.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;

use crate::base::clock::Timestamp;
use crate::base::id::{PersonId, TeamId};
use crate::model::actor::Actor;
use crate::model::person::authority::{Authority, Role};
use crate::model::person::team::{Member, PersonsTeam, Summary, Team};
use crate::store::columns::Columns;
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::error::StoreError;

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
pub(crate) async fn authority<'connection>(
    connection: impl sqlx::Executor<'connection, Database = sqlx::Any>,
    actor: &Actor,
) -> Result<Authority, StoreError> {
    if let Some(id) = actor.client_id() {
        let row = sqlx::query(
            "SELECT team_id FROM credentials WHERE client_id = $1 AND revoked_at IS NULL AND disabled_at IS NULL",
        )
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?;
        let team = row.map(|row| Columns::of("credentials", &row).parsed("team_id", TeamId::parse)).transpose()?;
        return Ok(team.map_or_else(nobody, Authority::Team));
    }
    let Some(id) = actor.person_id() else { return Ok(Authority::Everything) };
    let rows = sqlx::query(
        "SELECT p.administrator_since AS administrator_since, m.team_id AS team_id, m.role AS role
         FROM people AS p LEFT JOIN memberships AS m ON m.person_id = p.id WHERE p.id = $1 AND p.disabled_at IS NULL",
    )
    .bind(id.as_str())
    .fetch_all(connection)
    .await?;
    let mut roles = BTreeMap::new();
    for row in &rows {
        let columns = Columns::of("memberships", row);
        if columns.optional_moment("administrator_since")?.is_some() {
            return Ok(Authority::Everything);
        }
        if columns.optional_text("team_id")?.is_some() {
            roles.insert(columns.parsed("team_id", TeamId::parse)?, columns.parsed("role", Role::parse)?);
        }
    }
    Ok(if rows.is_empty() { nobody() } else { Authority::Person { id: id.clone(), roles } })
}

/// The authority of a stopped credential or a disabled person: a person without any team. A team's key cannot express
/// that.
fn nobody() -> Authority {
    Authority::Person { id: PersonId::nobody(), roles: BTreeMap::new() }
}

fn team(row: &AnyRow) -> Result<Team, StoreError> {
    let columns = Columns::of("teams", row);
    Ok(Team { id: columns.parsed("id", TeamId::parse)?, name: columns.text("name")? })
}

/// The teams that `key` sees, by name.
pub(crate) async fn list<'connection>(
    connection: impl sqlx::Executor<'connection, Database = sqlx::Any>,
    key: Option<&str>,
) -> Result<Vec<Team>, StoreError> {
    let sql =
        concat!("SELECT id, name FROM teams WHERE ($1 IS NULL OR id IN ", of!("$1"), ") ORDER BY search_name, id");
    sqlx::query(sql).bind(key).fetch_all(connection).await?.iter().map(team).collect()
}

/// The teams that `key` sees, with the numbers of people and working credentials.
pub(crate) async fn summaries(store: &Store, key: Option<&str>, now: Timestamp) -> Result<Vec<Summary>, StoreError> {
    let sql = concat!(
        "SELECT t.id AS id, t.name AS name,
                (SELECT COUNT(*) FROM memberships AS m WHERE m.team_id = t.id) AS people,
                (SELECT COUNT(*) FROM credentials AS c WHERE c.team_id = t.id AND c.revoked_at IS NULL
                    AND c.disabled_at IS NULL AND (c.ends_at IS NULL OR c.ends_at > $2)) AS credentials
         FROM teams AS t WHERE ($1 IS NULL OR t.id IN ",
        of!("$1"),
        ") ORDER BY t.search_name, t.id"
    );
    sqlx::query(sql)
        .bind(key)
        .bind(now.millis())
        .fetch_all(store.reads())
        .await?
        .iter()
        .map(|row| {
            let columns = Columns::of("teams", row);
            Ok(Summary {
                team: team(row)?,
                people: columns.number("people")?,
                credentials: columns.number("credentials")?,
            })
        })
        .collect()
}

pub(crate) async fn find<'connection>(
    connection: impl sqlx::Executor<'connection, Database = sqlx::Any>,
    id: &TeamId,
) -> Result<Option<Team>, StoreError> {
    sqlx::query("SELECT id, name FROM teams WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(team)
        .transpose()
}

/// The name of the team that owns this credential.
pub(crate) async fn name_of_owner(store: &Store, client_id: &str) -> Result<Option<String>, StoreError> {
    sqlx::query(
        "SELECT t.name AS name FROM credentials AS c JOIN teams AS t ON t.id = c.team_id WHERE c.client_id = $1",
    )
    .bind(client_id)
    .fetch_optional(store.reads())
    .await?
    .map(|row| Columns::of("teams", &row).text("name"))
    .transpose()
}

pub(crate) async fn insert(transaction: &mut Transaction, team: &Team, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO teams (id, name, search_name, created_at) VALUES ($1, $2, $3, $4)")
        .bind(team.id.as_str())
        .bind(&team.name)
        .bind(team.name.to_lowercase())
        .bind(now.millis())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

pub(crate) async fn set_name(transaction: &mut Transaction, id: &TeamId, name: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE teams SET name = $1, search_name = $2 WHERE id = $3")
        .bind(name)
        .bind(name.to_lowercase())
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Whether a credential, working or ended, belongs to the team.
pub(crate) async fn owns_any(transaction: &mut Transaction, id: &TeamId) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT COUNT(*) AS n FROM (SELECT 1 FROM credentials WHERE team_id = $1 LIMIT 1) AS one")
        .bind(id.as_str())
        .fetch_one(&mut **transaction)
        .await?;
    Ok(Columns::of("credentials", &row).number("n")? > 0)
}

/// Removes the team, its memberships and its invitations.
pub(crate) async fn remove(transaction: &mut Transaction, id: &TeamId) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM invitations WHERE team_id = $1",
        "DELETE FROM memberships WHERE team_id = $1",
        "DELETE FROM teams WHERE id = $1",
    ] {
        sqlx::query(sql).bind(id.as_str()).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// The people in the team, by name.
pub(crate) async fn members(store: &Store, id: &TeamId) -> Result<Vec<Member>, StoreError> {
    sqlx::query(
        "SELECT p.id AS id, p.name AS name, p.email AS email, p.disabled_at AS disabled_at, m.role AS role
         FROM memberships AS m JOIN people AS p ON p.id = m.person_id WHERE m.team_id = $1 ORDER BY LOWER(p.name), p.id",
    )
    .bind(id.as_str())
    .fetch_all(store.reads())
    .await?
    .iter()
    .map(|row| {
        let columns = Columns::of("memberships", row);
        Ok(Member {
            person: columns.parsed("id", PersonId::parse)?,
            name: columns.text("name")?,
            email: columns.text("email")?,
            role: columns.parsed("role", Role::parse)?,
            disabled: columns.optional_moment("disabled_at")?.is_some(),
        })
    })
    .collect()
}

/// The teams of each person, by the team's name.
pub(crate) async fn of_people(store: &Store) -> Result<Vec<(PersonId, PersonsTeam)>, StoreError> {
    sqlx::query(
        "SELECT m.person_id AS person_id, m.role AS role, t.id AS id, t.name AS name
         FROM memberships AS m JOIN teams AS t ON t.id = m.team_id ORDER BY t.search_name, t.id",
    )
    .fetch_all(store.reads())
    .await?
    .iter()
    .map(|row| {
        let columns = Columns::of("memberships", row);
        let role = columns.parsed("role", Role::parse)?;
        Ok((columns.parsed("person_id", PersonId::parse)?, PersonsTeam { team: team(row)?, role }))
    })
    .collect()
}

pub(crate) async fn role(
    transaction: &mut Transaction,
    team: &TeamId,
    person: &PersonId,
) -> Result<Option<Role>, StoreError> {
    sqlx::query("SELECT role FROM memberships WHERE team_id = $1 AND person_id = $2")
        .bind(team.as_str())
        .bind(person.as_str())
        .fetch_optional(&mut **transaction)
        .await?
        .map(|row| Columns::of("memberships", &row).parsed("role", Role::parse))
        .transpose()
}

pub(crate) async fn set_role(
    transaction: &mut Transaction,
    team: &TeamId,
    person: &PersonId,
    role: Role,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO memberships (team_id, person_id, role, since) VALUES ($1, $2, $3, $4)
         ON CONFLICT (team_id, person_id) DO UPDATE SET role = excluded.role",
    )
    .bind(team.as_str())
    .bind(person.as_str())
    .bind(role.as_str())
    .bind(now.millis())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

pub(crate) async fn remove_member(
    transaction: &mut Transaction,
    team: &TeamId,
    person: &PersonId,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM memberships WHERE team_id = $1 AND person_id = $2")
        .bind(team.as_str())
        .bind(person.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
