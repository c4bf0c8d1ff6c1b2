//! The live tokens of a credential, and how a person ends one token.

use serde_json::json;

use crate::base::id::{ClientId, TokenId};
use crate::client::consent::{self, ConsentError};
use crate::credential::update_ends;
use crate::model::credential::Credential;
use crate::model::person::authority::Role;
use crate::model::server::LONGEST_TOKEN_LIFETIME;
use crate::prelude::{Action, Actor, Context, Fault, operation_error, through_denied};
use crate::store;

pub use crate::store::token::ledger::LedgerToken;

operation_error! {
    /// Why a token was not ended.
    pub enum TokenError {
        /// There is no such token, or the actor may not see it.
        #[error("there is no such token")]
        NotFound,
        /// The actor may see the token, but does not have the role to end it.
        #[error("the role does not allow it")]
        Forbidden,
    }
}

through_denied!(TokenError);

impl From<ConsentError> for TokenError {
    fn from(error: ConsentError) -> Self {
        match error {
            ConsentError::NotFound => Self::NotFound,
            ConsentError::Fault(fault) => Self::Fault(fault),
        }
    }
}

/// The live tokens of a credential, newest first, at most `limit` that are older than the token `before`. A credential
/// that is stopped or has ended has none.
pub async fn list(
    context: &Context,
    credential: &Credential,
    before: Option<&TokenId>,
    limit: u16,
) -> Result<Vec<LedgerToken>, Fault> {
    let now = context.now();
    let is_over = credential.expires_at.is_some_and(|end| end <= now);
    if is_over || credential.revoked_at.is_some() || credential.disabled_at.is_some() {
        return Ok(Vec::new());
    }
    context.rollup.flush().await;
    let since = now.minus(LONGEST_TOKEN_LIFETIME);
    let id = &credential.client_id;
    Ok(store::token::ledger::live_tokens(&context.store, id, since, before, now, i64::from(limit)).await?)
}

/// Ends one token of a credential, for a member of its team, or one token of a client that acts for people, for the
/// person or an administrator. Returns the credential. To end a token that has ended before is no error.
///
/// When this returns, introspection and the built-in MCP server refuse the token. MCP servers that check only the
/// signature, or read the status list, accept it until it expires: a bit of the list stands for a secret and not for a
/// token.
pub async fn end(context: &Context, actor: &Actor, jti: &TokenId) -> Result<Option<ClientId>, TokenError> {
    let mut change = context.begin_change().await?;
    let Some(token) = store::token::ledger::find_token(&mut change, jti).await? else {
        drop(change);
        consent::end_one_token(context, actor, jti).await?;
        return Ok(None);
    };
    let credential = store::credential::find(&mut change, &token.client_id).await?.ok_or(Fault::Damaged)?;
    change.authority(actor).await?.require(&credential.team, Role::Member)?;
    let now = change.now();
    if store::token::ledger::revoke_token(&mut change, jti, now).await? {
        update_ends(&mut change, &credential).await?;
        let event = credential.event(Action::TokenRevoked).with(json!({ "jti": jti.as_str() }));
        change.commit(actor, &event).await?;
    }
    Ok(Some(credential.client_id))
}
