//! One credential, looked at closely.

use std::time::Duration;

use super::{ClientSecret, Credential};
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::error::Fault;
use crate::id::ClientId;
use crate::mcp_server::LONGEST_TOKEN_LIFETIME;
use crate::store;

/// The credential with this client ID, for those who see its team.
pub async fn find(context: &Context, authority: &Authority, client_id: &ClientId) -> Result<Option<Credential>, Fault> {
    context.filing.settle().await;
    let found = store::credentials::find(&context.store, client_id).await?;
    Ok(found.filter(|credential| authority.role_in(&credential.team).is_some()))
}

/// Its secrets, newest first.
pub async fn secrets(context: &Context, client_id: &ClientId) -> Result<Vec<ClientSecret>, Fault> {
    context.filing.settle().await;
    Ok(store::credentials::secrets(context.store.reads(), client_id).await?)
}

/// What hangs on a credential: the facts to read before stopping it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Impact {
    /// Exchanges in the last 24 hours.
    pub exchanges: i64,
    /// Different addresses they came from.
    pub addresses: i64,
    /// Tokens that would still be accepted.
    pub live_tokens: i64,
    /// When the last of them ends by itself.
    pub last_token_ends_at: Option<Timestamp>,
}

/// The facts about `credential`, as of when it was found.
pub async fn impact(context: &Context, credential: &Credential) -> Result<Impact, Fault> {
    let now = context.now();
    let day_ago = now.minus(Duration::from_secs(24 * 3600));
    let mut impact =
        store::ledger::impact(&context.store, &credential.client_id, now, day_ago, now.minus(LONGEST_TOKEN_LIFETIME))
            .await?;
    if credential.revoked_at.is_some() || credential.disabled_at.is_some() {
        impact.live_tokens = 0;
        impact.last_token_ends_at = None;
    }
    Ok(impact)
}
