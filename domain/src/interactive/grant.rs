//! What people have allowed: each grant has a client, an MCP server and scopes, and ends by itself, by its person, or by an
//! administrator.

use std::time::Duration;

use serde_json::json;

use super::client::ClientKind;
use crate::actor::Actor;
use crate::audit::Event;
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::error::Fault;
use crate::id::{GrantId, InteractiveClientId, McpServerId, PersonId, TokenId};
use crate::place::Place;
use crate::scope::Scopes;
use crate::store::grants::Which;
use crate::store::{self, Transaction};

/// A grant that was not used for so long is over.
pub const IDLE_LIMIT: Duration = Duration::from_secs(30 * 24 * 3600);
/// A grant that is this old is over, however much it is used.
pub const ABSOLUTE_LIMIT: Duration = Duration::from_secs(90 * 24 * 3600);

/// What a person lets a client do.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Identifier.
    pub id: GrantId,
    /// Who allowed it.
    pub person: PersonId,
    /// Who acts.
    pub client_id: InteractiveClientId,
    /// The MCP server its tokens are for.
    pub server_id: McpServerId,
    /// What its tokens may do at most.
    pub scopes: Scopes,
    /// Where the person was sent back to: a host, or a scheme.
    pub redirect_host: String,
    /// The bit of its tokens in the token status lists.
    pub status_index: i64,
    /// When the client got its first token.
    pub created_at: Timestamp,
    /// When it is over at the latest.
    pub ends_at: Timestamp,
    /// When the client last got a token.
    pub last_used_at: Timestamp,
    /// From where.
    pub last_used_from: Option<String>,
    /// When a token of it was first reported as leaked, where that did not end it.
    pub leaked_at: Option<Timestamp>,
    /// When it was ended.
    pub ended_at: Option<Timestamp>,
    /// By what: `person`, `administrator`, `client`, `client_removed`, `person_disabled`, `code_reused`, `token_reused`,
    /// `leaked`, `emergency`, `restored`.
    pub end_cause: Option<String>,
}

impl Grant {
    /// Whether tokens may be had of it at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && self.ends_at > now && now.since(self.last_used_at) < IDLE_LIMIT
    }
}

/// A grant with the names of what it is about.
#[derive(Debug, Clone)]
pub struct ListedGrant {
    /// The grant.
    pub grant: Grant,
    /// Who allowed it.
    pub person_name: String,
    /// Who acts.
    pub client_name: String,
    /// Who says that it is called so.
    pub client_kind: ClientKind,
}

impl ListedGrant {
    /// Its place in the list.
    pub fn place(&self) -> Place {
        Place { at: self.grant.created_at, id: self.grant.id.to_string() }
    }
}

/// Why a grant was not ended.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// There is no such live grant, or it is somebody else's.
    #[error("there is no such grant")]
    NotFound,
    /// A fault of ours.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<store::StoreError> for GrantError {
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
) -> Result<Vec<ListedGrant>, Fault> {
    let person = match authority {
        Authority::Everything => None,
        Authority::Person { id, .. } => Some(id),
        Authority::Team(_) => return Ok(Vec::new()),
    };
    Ok(store::grants::list(&context.store, person, after, context.now(), i64::from(limit)).await?)
}

/// Ends a grant of the actor's own, or anybody's if the actor administers. From the moment this returns its refresh tokens and its
/// access tokens are refused, by whoever asks us or reads the status list.
pub async fn end(context: &Context, actor: &Actor, id: &GrantId) -> Result<(), GrantError> {
    let mut change = context.begin_change().await?;
    let authority = change.authority(actor).await?;
    let now = change.now();
    let found = store::grants::find_listed(change.transaction(), id).await?.ok_or(GrantError::NotFound)?;
    let cause = match actor.person_id() {
        Some(person) if *person == found.grant.person => "person",
        _ if authority.is_administrator() => "administrator",
        _ => return Err(GrantError::NotFound),
    };
    if store::grants::end(change.transaction(), Which::One(id), now, cause).await? == 0 {
        return Err(GrantError::NotFound);
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
    if !store::grants::revoke_token(change.transaction(), jti, now).await? {
        return Ok(false);
    }
    let Some(state) = store::grants::token_state(&context.store, jti).await? else { return Err(Fault::Damaged) };
    let event = Event::new("token.revoked", "client", state.client_id.as_str(), &state.client_name)
        .with(json!({ "jti": jti.as_str(), "person": state.person.as_str(), "found_at": place }));
    change.commit(actor, &event).await?;
    Ok(true)
}

/// Ends a grant of which somebody found a token at `place` and reports it.
pub(crate) async fn end_leaked(
    context: &Context,
    actor: &Actor,
    listed: &ListedGrant,
    place: Option<&str>,
) -> Result<(), Fault> {
    let mut change = context.begin_change().await?;
    let now = change.now();
    if store::grants::end(change.transaction(), Which::One(&listed.grant.id), now, "leaked").await? > 0 {
        change.commit(actor, &ended(listed, "leaked", place)).await?;
    }
    Ok(())
}

/// The audit event of a grant that ended, and where a token of it was found if it leaked.
fn ended(listed: &ListedGrant, cause: &str, place: Option<&str>) -> Event {
    Event::new("grant.ended", "client", listed.grant.client_id.as_str(), &listed.client_name)
        .with(json!({
            "grant": listed.grant.id.as_str(),
            "person": listed.grant.person.as_str(),
            "cause": cause,
            "found_at": place,
        }))
        .about(&listed.grant.person)
}

/// Ends the grant in a transaction that has begun, and commits it: for a code or token that was used twice, and for a client that
/// ends its own grant.
pub(super) async fn end_and_commit(
    context: &Context,
    mut transaction: Transaction,
    actor: &Actor,
    id: &GrantId,
    cause: &str,
) -> Result<(), Fault> {
    let now = context.now();
    let Some(found) = store::grants::find_listed(&mut transaction, id).await? else { return Err(Fault::Damaged) };
    if store::grants::end(&mut transaction, Which::One(id), now, cause).await? == 0 {
        return Ok(());
    }
    let entry = crate::audit::append(context, &mut transaction, actor, &ended(&found, cause, None), now).await?;
    transaction.commit().await.map_err(store::StoreError::from)?;
    crate::audit::log(&entry);
    Ok(())
}
