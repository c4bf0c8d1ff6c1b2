//! What of an MCP server's credentials, consents and personal tokens belongs to teams that may use the server. Every
//! statement reads along an index of the server.

use crate::base::clock::Timestamp;
use crate::base::id::{McpServerId, PersonId, TeamId};
use crate::model::client::consent::IDLE_LIMIT;
use crate::model::server::access::ServerAccess;
use crate::store::{Engine, On, Result, Transaction, composed_sql, sql, to_json};

/// The statement of [`count_by_team`]. Its parameters are the server, the scope of the rows, and the moment. It counts
/// in the index, and takes off the credentials that are over: to look at each credential takes ten times as long.
pub(crate) const COUNT_BY_TEAM: &str = "SELECT team_id, CAST(SUM(n) AS BIGINT) AS n FROM (
         SELECT team_id, COUNT(*) AS n FROM credential_access
         WHERE server_id = $1 AND scope = $2 AND revoked = 0 GROUP BY team_id
         UNION ALL
         SELECT c.team_id, -1 AS n FROM credentials AS c
         WHERE COALESCE(c.ends_at, 9223372036854775807) <= $3 AND c.revoked_at IS NULL
             AND EXISTS (SELECT 1 FROM credential_access AS a
                         WHERE a.server_id = $1 AND a.scope = $2 AND a.revoked = 0 AND a.team_id = c.team_id
                             AND a.created_at = c.created_at AND a.client_id = c.client_id)
     ) AS counted GROUP BY team_id HAVING SUM(n) > 0";

/// The credentials of the server that are neither revoked nor over, by team. A team without one is left out.
pub(crate) async fn count_by_team(on: impl On<'_>, id: &McpServerId, now: Timestamp) -> Result<Vec<(TeamId, i64)>> {
    sql!(COUNT_BY_TEAM; id, "", now).about("credential_access").all(on).await
}

/// The teams of a list, as a parameter.
fn teams_json(access: &ServerAccess) -> String {
    match access {
        ServerAccess::All => "[]".to_owned(),
        ServerAccess::Teams(teams) => to_json(&teams.iter().map(|team| [team.as_str()]).collect::<Vec<_>>()),
    }
}

/// Whether the person `person` may use a server with `access`, whose teams are in `parameter`.
fn admits(engine: Engine, access: &ServerAccess, person: &str, parameter: &str, name: &str) -> String {
    match access {
        // The parameter is named, so that the database knows its type.
        ServerAccess::All => format!("CAST({parameter} AS TEXT) IS NOT NULL"),
        ServerAccess::Teams(_) => format!(
            "EXISTS (SELECT 1 FROM memberships AS m WHERE m.person_id = {person}
                     AND m.team_id IN (SELECT {name}.value ->> 0 FROM {}))",
            engine.elements(parameter, name)
        ),
    }
}

/// The live personal tokens and the live consents of people who may use the server with `before` and not with `after`.
pub(crate) async fn of_people_shut_out(
    transaction: &mut Transaction,
    engine: Engine,
    id: &McpServerId,
    before: &ServerAccess,
    after: &ServerAccess,
    now: Timestamp,
) -> Result<(i64, i64)> {
    let [tokens, apps] = shut_out_sql(engine, before, after);
    let (present, chosen) = (teams_json(before), teams_json(after));
    let tokens = composed_sql!("{tokens}"; id, now, present, chosen).one(&mut *transaction).await?;
    let apps = composed_sql!("{apps}"; id, now, present, chosen, now.minus(IDLE_LIMIT)).one(transaction).await?;
    Ok((tokens, apps))
}

/// The statements of [`of_people_shut_out`]. Their parameters are the server, the moment, the present teams and the
/// chosen teams; for the consents also the moment since which a consent must have been used.
pub(crate) fn shut_out_sql(engine: Engine, before: &ServerAccess, after: &ServerAccess) -> [String; 2] {
    let admitted = admits(engine, before, "t.person_id", "$3", "present");
    let stays = admits(engine, after, "t.person_id", "$4", "chosen");
    let lost = format!(
        "t.server_id = $1 AND t.ended_at IS NULL AND t.expires_at > $2 AND {admitted} AND NOT {stays}
         AND NOT EXISTS (SELECT 1 FROM people AS p WHERE p.id = t.person_id
                         AND (p.administrator_since IS NOT NULL OR p.disabled_at IS NOT NULL))"
    );
    [
        format!("SELECT COUNT(*) AS n FROM personal_tokens AS t WHERE {lost}"),
        format!("SELECT COUNT(*) AS n FROM consents AS t WHERE {lost} AND t.last_used_at > $5"),
    ]
}

/// Those of `people` who may use a server with `access`.
pub(crate) async fn admitted(
    on: impl On<'_>,
    engine: Engine,
    access: &ServerAccess,
    people: &[PersonId],
) -> Result<Vec<PersonId>> {
    let asked: Vec<[&str; 1]> = people.iter().map(|id| [id.as_str()]).collect();
    let (elements, admits) = (engine.elements("$1", "asked"), admits(engine, access, "p.id", "$2", "chosen"));
    composed_sql!(
        "SELECT p.id AS id FROM people AS p WHERE p.id IN (SELECT asked.value ->> 0 FROM {elements})
             AND p.disabled_at IS NULL AND (p.administrator_since IS NOT NULL OR {admits})";
        to_json(&asked), teams_json(access)
    )
    .about("people")
    .all(on)
    .await
}
