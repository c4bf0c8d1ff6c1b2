//! What people have allowed: each grant has a client, an MCP server and scopes, and ends by itself, by its person, or by an
//! administrator.

use serde_json::json;

use crate::base::cursor::Place;
use crate::base::id::{GrantId, TokenId};
use crate::change::Change;
use crate::context::Context;
use crate::error::Fault;
use crate::model::actor::Actor;
use crate::model::audit::Event;
use crate::model::authority::Authority;
use crate::model::consent::ListedConsent;
use crate::store;
use crate::store::client::consent::Which;

/// Why a grant was not ended.
#[derive(Debug, thiserror::Error)]
pub enum ConsentError {
    /// There is no such live grant, or it is somebody else's.
    #[error("there is no such grant")]
    NotFound,
    /// A fault of ours.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<store::StoreError> for ConsentError {
    fn from(error: store::StoreError) -> Self {
        Self::Fault(error.into())
    }
}

/// The live grants that `authority` sees, newest first, at most `limit` after a place: a person's own; to administrators, and
/// whoever is as good as one, everybody's.
pub async fn list(
    context: &Context,
    authority: &Authority,
    after: Option<&Place>,
    limit: u16,
) -> Result<Vec<ListedConsent>, Fault> {
    let person = match authority {
        Authority::Everything => None,
        Authority::Person { id, .. } => Some(id),
        Authority::Team(_) => return Ok(Vec::new()),
    };
    Ok(store::client::consent::list(&context.store, person, after, context.now(), i64::from(limit)).await?)
}

/// Ends a grant of the actor's own, or anybody's if the actor administers. From the moment this returns its refresh tokens and its
/// access tokens are refused, by whoever asks us or reads the status list.
pub async fn end(context: &Context, actor: &Actor, id: &GrantId) -> Result<(), ConsentError> {
    let mut change = context.begin_change().await?;
    let authority = change.authority(actor).await?;
    let now = change.now();
    let found = store::client::consent::find_listed(change.transaction(), id).await?.ok_or(ConsentError::NotFound)?;
    let cause = match actor.person_id() {
        Some(person) if *person == found.grant.person => "person",
        _ if authority.is_administrator() => "administrator",
        _ => return Err(ConsentError::NotFound),
    };
    if store::client::consent::end(change.transaction(), Which::One(id), now, cause).await? == 0 {
        return Err(ConsentError::NotFound);
    }
    let event = ended(&found, cause, None);
    change.commit(actor, &event).await?;
    Ok(())
}

/// Ends one access token, whose ever it is: for whoever proves to have it, or found it at `place`. False when it has ended before.
pub(crate) async fn end_token(
    context: &Context,
    actor: &Actor,
    jti: &TokenId,
    place: Option<&str>,
) -> Result<bool, Fault> {
    let mut change = context.begin_change().await?;
    let now = change.now();
    if !store::client::consent::revoke_token(change.transaction(), jti, now).await? {
        return Ok(false);
    }
    let Some(state) = store::client::consent::token_state(&context.store, jti).await? else {
        return Err(Fault::Damaged);
    };
    let event = Event::new("token.revoked", "client", state.client_id.as_str(), &state.client_name)
        .with(json!({ "jti": jti.as_str(), "person": state.person.as_str(), "found_at": place }));
    change.commit(actor, &event).await?;
    Ok(true)
}

/// Ends a grant of which somebody found a token at `place` and reports it.
pub(crate) async fn end_leaked(
    context: &Context,
    actor: &Actor,
    listed: &ListedConsent,
    place: Option<&str>,
) -> Result<(), Fault> {
    let mut change = context.begin_change().await?;
    let now = change.now();
    if store::client::consent::end(change.transaction(), Which::One(&listed.grant.id), now, "leaked").await? > 0 {
        change.commit(actor, &ended(listed, "leaked", place)).await?;
    }
    Ok(())
}

/// The audit event of a grant that ended, and where a token of it was found if it leaked.
fn ended(listed: &ListedConsent, cause: &str, place: Option<&str>) -> Event {
    Event::new("grant.ended", "client", listed.grant.client_id.as_str(), &listed.client_name)
        .with(json!({
            "grant": listed.grant.id.as_str(),
            "person": listed.grant.person.as_str(),
            "cause": cause,
            "found_at": place,
        }))
        .about(&listed.grant.person)
}

/// Ends the grant in a change that has begun, and commits it: for a code or token that was used twice, whose request
/// fails all the same, and for a client that ends its own grant.
pub(crate) async fn end_and_commit(
    mut change: Change<'_>,
    actor: &Actor,
    id: &GrantId,
    cause: &str,
) -> Result<(), Fault> {
    let now = change.now();
    let found = store::client::consent::find_listed(change.transaction(), id).await?.ok_or(Fault::Damaged)?;
    if store::client::consent::end(change.transaction(), Which::One(id), now, cause).await? > 0 {
        change.commit(actor, &ended(&found, cause, None)).await?;
    }
    Ok(())
}
