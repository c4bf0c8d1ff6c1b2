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
            let sql = "SELECT 1 FROM personal_tokens
                 WHERE id = $1 AND person_id = $2 AND ended_at IS NULL AND expires_at > $3";
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
