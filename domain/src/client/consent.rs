//! Consents: what people have allowed. Each consent has a client, an MCP server and scopes. It ends by time, by its
//! person, or by an administrator.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::base::cursor::Cursor;
use crate::base::id::{AppClientId, ConsentId, PersonId, TokenId};
use crate::model::client::AppClient;
use crate::model::client::consent::{ConsentQuery, EndCause, ListedConsent};
use crate::model::person::authority::Authority;
use crate::prelude::{Action, Actor, Change, Context, Event, Fault, Result, Target, operation_error};
use crate::store;
use crate::store::client::consent::{ConsentOwner, ConsentSelection, TokenState};

operation_error! {
    /// Why a consent was not ended.
    pub enum ConsentError {
        /// There is no live consent with this identifier, or it belongs to another person.
        #[error("there is no such grant")]
        NotFound,
    }
}

/// The live consents of a query that `authority` sees, newest first, at most `limit`. A person sees their own consents.
/// Administrators, and actors with the same authority, see all of them.
pub async fn list(
    context: &Context,
    authority: &Authority,
    query: &ConsentQuery,
    limit: u16,
) -> Result<Vec<ListedConsent>> {
    let Ok(person) = authority.person() else { return Ok(Vec::new()) };
    Ok(store::client::consent::search(&context.store, query, person, context.now(), i64::from(limit)).await?)
}

/// The live consents for a client, newest first, at most `limit` after a cursor, and how many there are. Only
/// administrators may see them.
pub async fn list_of_client(
    context: &Context,
    authority: &Authority,
    client: &AppClientId,
    after: Option<&Cursor>,
    limit: u16,
) -> Result<(Vec<ListedConsent>, i64)> {
    if !authority.is_administrator() {
        return Ok((Vec::new(), 0));
    }
    let (now, owner) = (context.now(), ConsentOwner::Client(client));
    let listed = store::client::consent::list(&context.store, owner, after, now, i64::from(limit)).await?;
    Ok((listed, store::client::consent::count_live_of_client(&context.store, client, now).await?))
}

/// A consent that has ended.
#[derive(Debug, Clone)]
pub struct EndedConsent {
    /// The consent.
    pub listed: ListedConsent,
    /// The audit entry of its end, and who ended it. `None` when time ended it, when something ended more than this
    /// consent, or when very many entries came later.
    pub entry: Option<(i64, String)>,
}

/// The consents for a client that have ended, the latest first, at most `limit`. Consents are kept for 90 days after
/// they are over. Only administrators may see them.
pub async fn list_ended_of_client(
    context: &Context,
    authority: &Authority,
    client: &AppClientId,
    limit: u16,
) -> Result<Vec<EndedConsent>> {
    /// How many entries about the client are searched.
    const SEARCHED: i64 = 500;
    if !authority.is_administrator() {
        return Ok(Vec::new());
    }
    let ended = store::client::consent::list_ended(&context.store, client, context.now(), i64::from(limit)).await?;
    if ended.is_empty() {
        return Ok(Vec::new());
    }
    let mut entries: HashMap<String, (i64, String)> = HashMap::new();
    for entry in store::audit::of_target(&context.store, None, client.as_str(), SEARCHED).await? {
        if entry.action == Action::GrantEnded.as_str()
            && let Ok(details) = serde_json::from_str::<Value>(&entry.details)
            && let Some(id) = details["grant"].as_str()
        {
            entries.insert(id.to_owned(), (entry.seq, entry.actor_name));
        }
    }
    let with_entry = |listed: ListedConsent| EndedConsent { entry: entries.remove(listed.consent.id.as_str()), listed };
    Ok(ended.into_iter().map(with_entry).collect())
}

/// How many live consents each of these clients has. A client without one is left out.
pub async fn count_by_client(context: &Context, clients: &[AppClient]) -> Result<HashMap<String, i64>> {
    let ids: Vec<&AppClientId> = clients.iter().map(|client| &client.id).collect();
    let counts = store::client::consent::count_live_by_client(&context.store, &ids, context.now()).await?;
    Ok(counts.into_iter().collect())
}

/// The live consents of a person, newest first, at most `limit`. Only administrators see those of other people.
pub async fn list_of_person(
    context: &Context,
    authority: &Authority,
    person: &PersonId,
    limit: u16,
) -> Result<Vec<ListedConsent>> {
    if !authority.is_administrator() {
        return Ok(Vec::new());
    }
    let owner = ConsentOwner::Person(person);
    Ok(store::client::consent::list(&context.store, owner, None, context.now(), i64::from(limit)).await?)
}

/// Ends a consent of the actor, or any consent when the actor is an administrator. When this returns, its refresh
/// tokens and access tokens are refused: by this server at once, and by servers that read the status list. Returns the
/// client.
pub async fn end(context: &Context, actor: &Actor, id: &ConsentId) -> Result<AppClientId, ConsentError> {
    let mut change = context.begin_change().await?;
    let authority = change.authority(actor).await?;
    let now = change.now();
    let found = store::client::consent::find_listed(&mut change, id).await?.ok_or(ConsentError::NotFound)?;
    let cause = authority.end_cause(actor, &found.consent.person).ok_or(ConsentError::NotFound)?;
    if store::client::consent::end(&mut change, ConsentSelection::One(id), now, cause).await? == 0 {
        return Err(ConsentError::NotFound);
    }
    change.commit(actor, &ended(&found, cause, None)).await?;
    Ok(found.consent.client_id)
}

/// Ends one access token of any person. The caller has proved that it holds the token, or found it at `place`. Returns
/// false when the token had ended before.
pub(crate) async fn end_token(context: &Context, actor: &Actor, jti: &TokenId, place: Option<&str>) -> Result<bool> {
    let mut change = context.begin_change().await?;
    let now = change.now();
    if !store::client::consent::revoke_token(&mut change, jti, now).await? {
        return Ok(false);
    }
    let state = store::client::consent::token_state(&context.store, jti).await?.ok_or(Fault::Damaged)?;
    change.commit(actor, &token_ended(&state, jti, place)).await?;
    Ok(true)
}

/// Ends one access token that acts for the actor, or any such token when the actor is an administrator. The consent
/// stays, so the client can get another token.
pub(crate) async fn end_one_token(context: &Context, actor: &Actor, jti: &TokenId) -> Result<(), ConsentError> {
    let mut change = context.begin_change().await?;
    let authority = change.authority(actor).await?;
    let now = change.now();
    let found = store::client::consent::token_state(&mut change, jti).await?;
    let state = found.filter(|state| authority.end_cause(actor, &state.person).is_some());
    let state = state.ok_or(ConsentError::NotFound)?;
    if store::client::consent::revoke_token(&mut change, jti, now).await? {
        change.commit(actor, &token_ended(&state, jti, None)).await?;
    }
    Ok(())
}

/// The audit event of one access token that ended. It says where the token was found, if it leaked.
fn token_ended(state: &TokenState, jti: &TokenId, place: Option<&str>) -> Event {
    Event::new(Action::TokenRevoked, Target::Client, state.client_id.as_str(), &state.client_name)
        .with(json!({ "jti": jti.as_str(), "person": state.person.as_str(), "found_at": place }))
}

/// Ends a consent after one of its tokens was found at `place` and reported.
pub(crate) async fn end_leaked(
    context: &Context,
    actor: &Actor,
    listed: &ListedConsent,
    place: Option<&str>,
) -> Result<()> {
    end_found(context.begin_change().await?, actor, listed, EndCause::Leaked, place).await
}

/// Ends the consent in a change that has begun, and commits the change if the consent was live.
async fn end_found(
    mut change: Change<'_>,
    actor: &Actor,
    listed: &ListedConsent,
    cause: EndCause,
    place: Option<&str>,
) -> Result<()> {
    let (now, one) = (change.now(), ConsentSelection::One(&listed.consent.id));
    if store::client::consent::end(&mut change, one, now, cause).await? > 0 {
        change.commit(actor, &ended(listed, cause, place)).await?;
    }
    Ok(())
}

/// The audit event of a consent that ended. It says where a token of the consent was found, if one leaked.
fn ended(listed: &ListedConsent, cause: EndCause, place: Option<&str>) -> Event {
    Event::new(Action::GrantEnded, Target::Client, listed.consent.client_id.as_str(), &listed.client_name)
        .with(json!({
            "grant": listed.consent.id.as_str(),
            "person": listed.consent.person.as_str(),
            "person_name": listed.person_name,
            "cause": cause.as_str(),
            "found_at": place,
        }))
        .about(&listed.consent.person)
}

/// Ends the consent in a change that has begun, and commits the change. Two cases need this: a code or token was used
/// twice, and its request still fails; or a client ends its own consent.
pub(crate) async fn end_and_commit(
    mut change: Change<'_>,
    actor: &Actor,
    id: &ConsentId,
    cause: EndCause,
) -> Result<()> {
    let found = store::client::consent::find_listed(&mut change, id).await?.ok_or(Fault::Damaged)?;
    end_found(change, actor, &found, cause, None).await
}
