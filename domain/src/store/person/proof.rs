//! Whether the session or token of an actor still lives. Each change asks for it in its own transaction.

use crate::base::clock::Timestamp;
use crate::model::actor::{Actor, ActorProof};
use crate::model::person::session::IDLE_LIMIT;
use crate::store::client::consent;
use crate::store::token::ledger;
use crate::store::{Result, Transaction, sql};

/// Whether `proof`, with which `actor` acts, lives at `now`.
pub(crate) async fn is_live(
    transaction: &mut Transaction,
    actor: &Actor,
    proof: &ActorProof,
    now: Timestamp,
) -> Result<bool> {
    let person = actor.person_id();
    match proof {
        ActorProof::Session(id) => {
            let sql = "SELECT 1 FROM sessions WHERE person_id = $1 AND revoked_at IS NULL AND id = $2
                 AND expires_at > $3 AND seen_at > $4";
            sql!(sql; person, id, now, now.minus(IDLE_LIMIT)).exists(transaction).await
        }
        ActorProof::PersonalToken(id) => {
            // Each use asks whether the MCP server is archived or closed: see `personal_token::find_live`.
            let sql = "SELECT 1 FROM personal_tokens AS t JOIN mcp_servers AS s ON s.id = t.server_id
                 JOIN people AS p ON p.id = t.person_id
                 WHERE t.id = $1 AND t.person_id = $2 AND t.ended_at IS NULL AND t.expires_at > $3
                     AND s.archived_at IS NULL AND (s.limited_since IS NULL OR p.administrator_since IS NOT NULL OR EXISTS
                         (SELECT 1 FROM server_teams AS l JOIN memberships AS m ON m.team_id = l.team_id
                          WHERE l.server_id = s.id AND m.person_id = p.id))";
            sql!(sql; id, person, now).exists(transaction).await
        }
        ActorProof::CredentialToken(jti) => {
            let state = ledger::token_state(transaction, jti).await?;
            Ok(state.is_some_and(|state| state.end_cause(now).is_none()))
        }
        ActorProof::ConsentToken(jti) => {
            let state = consent::token_state(transaction, jti).await?;
            Ok(state.is_some_and(|state| state.end_cause().is_none()))
        }
    }
}
