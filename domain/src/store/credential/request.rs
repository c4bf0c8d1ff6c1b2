//! `generation_requests`.

use crate::base::clock::Timestamp;
use crate::base::id::{ClientId, PersonId, RequestId, TeamId};
use crate::model::credential::draft::Draft;
use crate::model::credential::request::{GenerationRequest, RequestState};
use crate::store::person::team;
use crate::store::{Columns, On, Result, Transaction, composed_sql, row, sql, to_json};

row! { "generation_requests" => GenerationRequest {
    id, team = "team_id", team_name, person = "person_id", person_name, name, draft: draft, reason, state,
    created_at, decided_at, decided_by = "decided_by_name", answer, client_id
} }

fn draft(columns: &Columns<'_>) -> Result<Draft> {
    columns.json("draft")
}

const SELECT: &str = "SELECT q.id AS id, q.team_id AS team_id, t.name AS team_name, q.person_id AS person_id,
            p.name AS person_name, q.name AS name, q.draft AS draft, q.reason AS reason, q.state AS state,
            q.created_at AS created_at, q.decided_at AS decided_at, q.decided_by_name AS decided_by_name,
            q.answer AS answer, q.client_id AS client_id
     FROM generation_requests AS q JOIN teams AS t ON t.id = q.team_id JOIN people AS p ON p.id = q.person_id";

/// The teams that the key `$1` sees.
const SEEN: &str = concat!("(CAST($1 AS TEXT) IS NULL OR q.team_id IN ", team::of!("$1"), ")");

/// Stores a request that waits.
pub(crate) async fn insert(
    transaction: &mut Transaction,
    id: &RequestId,
    (team, person): (&TeamId, &PersonId),
    (draft, reason): (&Draft, &str),
    now: Timestamp,
) -> Result<()> {
    sql!(
        "INSERT INTO generation_requests (id, team_id, person_id, name, draft, reason, state, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        id, team, person, draft.name.trim(), to_json(draft), reason, RequestState::Waiting, now
    )
    .execute(transaction)
    .await
}

pub(crate) async fn find(on: impl On<'_>, id: &RequestId) -> Result<Option<GenerationRequest>> {
    composed_sql!("{SELECT} WHERE q.id = $1"; id).optional(on).await
}

/// The requests of the teams that `key` sees. Waiting requests come first, then approved ones, then the others. Within
/// each group the newest comes first.
pub(crate) async fn list(on: impl On<'_>, key: Option<&str>, most: i64) -> Result<Vec<GenerationRequest>> {
    composed_sql!(
        "{SELECT} WHERE {SEEN} ORDER BY CASE q.state WHEN 'waiting' THEN 0 WHEN 'approved' THEN 1 ELSE 2 END,
                  q.created_at DESC, q.id LIMIT $2"; key, most
    )
    .all(on)
    .await
}

/// How many requests of one person wait.
pub(crate) async fn waiting_of(on: impl On<'_>, person: &PersonId) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM generation_requests WHERE person_id = $1 AND state = 'waiting'";
    sql!(sql; person).about("generation_requests").one(on).await
}

/// Decides a request that is in `from`; false when it is not. `by` is the identifier and the name of who decides.
pub(crate) async fn decide(
    transaction: &mut Transaction,
    id: &RequestId,
    (from, to): (RequestState, RequestState),
    (by, by_name): (&str, &str),
    answer: &str,
    now: Timestamp,
) -> Result<bool> {
    sql!(
        "UPDATE generation_requests SET state = $1, decided_at = $2, decided_by = $3, decided_by_name = $4, answer = $5
         WHERE id = $6 AND state = $7";
        to, now, by, by_name, answer, id, from
    )
    .changed(transaction)
    .await
}

/// Notes which credential was generated; false when the request is not approved any more.
pub(crate) async fn used(transaction: &mut Transaction, id: &RequestId, client_id: &ClientId) -> Result<bool> {
    sql!(
        "UPDATE generation_requests SET state = $1, client_id = $2 WHERE id = $3 AND state = $4";
        RequestState::Used, client_id, id, RequestState::Approved
    )
    .changed(transaction)
    .await
}
