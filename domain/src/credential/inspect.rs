//! Details of one credential.

use std::time::Duration;

use crate::base::id::{ClientId, PersonId};
use crate::model::credential::{ClientSecret, Credential, Impact};
use crate::model::person::authority::Authority;
use crate::model::server::LONGEST_TOKEN_LIFETIME;
use crate::prelude::{Context, Fault};
use crate::store;

/// The credential with this client ID, when `authority` sees its team.
pub async fn find(context: &Context, authority: &Authority, client_id: &ClientId) -> Result<Option<Credential>, Fault> {
    context.rollup.flush().await;
    let found = store::credential::find(&context.store, client_id).await?;
    Ok(found.filter(|credential| authority.role_in(&credential.team).is_some()))
}

/// The credentials that a person owns and that are not revoked, newest first: at most `limit`, and how many there are.
pub async fn owned_by(context: &Context, owner: &PersonId, limit: u16) -> Result<(Vec<Credential>, i64), Fault> {
    let total = store::credential::count_owned(&context.store, owner).await?;
    Ok((store::credential::owned(&context.store, owner, i64::from(limit)).await?, total))
}

/// Its secrets, newest first.
pub async fn secrets(context: &Context, client_id: &ClientId) -> Result<Vec<ClientSecret>, Fault> {
    context.rollup.flush().await;
    Ok(store::credential::secrets(&context.store, client_id).await?)
}

/// The facts about `credential`. Values of the credential itself are from the moment at which it was read.
pub async fn impact(context: &Context, credential: &Credential) -> Result<Impact, Fault> {
    let now = context.now();
    let day_ago = now.minus(Duration::from_secs(24 * 3600));
    let (id, longest_ago) = (&credential.client_id, now.minus(LONGEST_TOKEN_LIFETIME));
    let mut impact = store::token::ledger::impact(&context.store, id, now, day_ago, longest_ago).await?;
    if credential.revoked_at.is_some() || credential.disabled_at.is_some() {
        impact.live_tokens = 0;
        impact.last_token_ends_at = None;
    }
    Ok(impact)
}
