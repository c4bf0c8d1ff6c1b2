//! Asking for a credential, where a policy lets a manager approve what members generate.
//!
//! A member sends the draft, a manager of the team approves or declines it, and the member generates the credential.
//! The secret exists only from then on, and only the member sees it.

use serde_json::json;

use crate::base::id::RequestId;
use crate::base::text::{check_length, printable};
use crate::credential::generate::{Generated, check_actor, check_policies, checked_with_keys, make};
use crate::credential::{CredentialError, Result, check_access, sent_before};
use crate::crypto::secret::without_secrets;
use crate::model::credential::draft::Draft;
use crate::model::credential::request::{GenerationRequest, LONGEST_WORDS, MOST_WAITING, RequestState};
use crate::model::person::authority::{Authority, Role};
use crate::prelude::{Action, Actor, AtField, Change, Context, Event, Fault, FieldError, Target, Timestamp};
use crate::store::credential::request;

/// How many requests a page lists.
const MOST_LISTED: i64 = 200;

impl GenerationRequest {
    /// An event about it. The team sees it, and so does who asked.
    fn event(&self, action: Action) -> Event {
        Event::new(action, Target::Request, self.id.as_str(), &self.name).also_seen_by(&self.team).about(&self.person)
    }
}

/// The requests of the teams that `authority` sees. What waits comes first.
///
/// # Errors
///
/// The database does not answer.
pub async fn list(context: &Context, authority: &Authority) -> Result<Vec<GenerationRequest>, Fault> {
    Ok(request::list(&context.store, authority.key(), MOST_LISTED).await?)
}

/// One request, if `authority` sees its team.
///
/// # Errors
///
/// The database does not answer.
pub async fn find(
    context: &Context,
    authority: &Authority,
    id: &RequestId,
) -> Result<Option<GenerationRequest>, Fault> {
    let found = request::find(&context.store, id).await?;
    Ok(found.filter(|found| authority.role_in(&found.team).is_some()))
}

/// Sends a draft to the managers of the team. A form that is sent twice makes one request.
///
/// # Errors
///
/// Those of [`generate`](super::generate), and an error at `main` when too many requests of the person wait.
pub async fn ask(
    context: &Context,
    actor: &Actor,
    draft: &Draft,
    reason: &str,
    form_token: Option<&str>,
) -> Result<RequestId> {
    let reason = checked_words(reason, "reason")?;
    let (checked, keys_at) = checked_with_keys(context, actor, draft).await?;
    let mut change = context.begin_change().await?;
    let team = check_actor(&mut change, actor, draft, &checked.scopes, keys_at.as_ref()).await?;
    let person = actor.person_id().ok_or(CredentialError::Forbidden)?;
    let servers: Vec<_> = checked.servers.iter().map(|server| server.id.clone()).collect();
    check_access(&mut change, &team, &servers, "server").await?;
    check_policies(&mut change, &team, &checked).await?;
    if request::waiting_of(&mut change, person).await? >= MOST_WAITING {
        let message = format!("{MOST_WAITING} of your requests wait. Withdraw one first.");
        return Err(FieldError::new("main", message).into());
    }
    let id = RequestId::generate(context.random.as_ref());
    if let Some(token) = form_token
        && let Some(earlier) = change.use_once(token, id.as_str()).await?
    {
        return match RequestId::parse(&earlier) {
            Some(earlier) => Ok(earlier),
            None => Err(sent_before(&earlier).unwrap_or(CredentialError::Fault(Fault::Damaged))),
        };
    }
    // What the manager reads is what is generated: a default that changes later decides nothing.
    let stored = Draft {
        team: Some(team.id.clone()),
        servers: servers.iter().map(ToString::to_string).collect(),
        scopes: checked.scopes.iter().map(str::to_owned).collect(),
        ..draft.clone()
    };
    request::insert(&mut change, &id, (&team.id, person), (&stored, &reason), context.now()).await?;
    let event = Event::new(Action::CredentialRequested, Target::Request, id.as_str(), &checked.name)
        .also_seen_by(&team.id)
        .about(person)
        .with(json!({
            "team": team.name,
            "reason": reason,
            "mcp_servers": checked.servers.iter().map(|server| &server.resource).collect::<Vec<_>>(),
            "scopes": checked.scopes.to_string(),
            "proof": checked.proof.method().as_str(),
            "expires_at": checked.expires_at.map(Timestamp::rfc3339),
        }));
    change.commit(actor, &event).await?;
    Ok(id)
}

/// A reason or an answer. It stands in the audit log for good, so it must hold no secret.
fn checked_words(text: &str, field: &'static str) -> Result<String> {
    let text = text.trim().replace("\r\n", "\n");
    check_length(&text, LONGEST_WORDS).at(field)?;
    if without_secrets(&text) != text {
        return Err(FieldError::new(field, "This text holds a secret or a token. Remove it.").into());
    }
    Ok(text.lines().map(printable).collect::<Vec<_>>().join("\n"))
}

/// Reads a request inside a change.
async fn find_in(change: &mut Change<'_>, id: &RequestId) -> Result<GenerationRequest> {
    request::find(&mut *change, id).await?.ok_or(CredentialError::NotFound)
}

/// Approves or declines a request that waits, as a manager of its team. `answer` is for the member.
///
/// # Errors
///
/// An error at `main` when the request does not wait any more.
pub async fn decide(
    context: &Context,
    actor: &Actor,
    id: &RequestId,
    approves: bool,
    answer: &str,
) -> Result<GenerationRequest> {
    let answer = checked_words(answer, "answer")?;
    let mut change = context.begin_change().await?;
    let found = find_in(&mut change, id).await?;
    change.authority(actor).await?.require(&found.team, Role::Manager)?;
    let to = if approves { RequestState::Approved } else { RequestState::Declined };
    let by = (actor.id(), actor.name());
    if !request::decide(&mut change, id, (RequestState::Waiting, to), by, &answer, context.now()).await? {
        return Err(FieldError::new("main", "Somebody has decided already, or it was withdrawn.").into());
    }
    let details = json!({ "decision": to.as_str(), "answer": answer });
    change.commit(actor, &found.event(Action::CredentialRequestDecided).with(details)).await?;
    Ok(found)
}

/// Withdraws a request that waits or is approved. Who asked may do so, and so may a manager of the team.
///
/// # Errors
///
/// An error at `main` when it does not wait and is not approved.
pub async fn withdraw(context: &Context, actor: &Actor, id: &RequestId) -> Result<GenerationRequest> {
    let mut change = context.begin_change().await?;
    let found = find_in(&mut change, id).await?;
    let authority = change.authority(actor).await?;
    let is_own = actor.person_id() == Some(&found.person);
    authority.require(&found.team, if is_own { Role::Viewer } else { Role::Manager })?;
    let is_open = matches!(found.state, RequestState::Waiting | RequestState::Approved);
    let states = (found.state, RequestState::Withdrawn);
    let (by, answer) = ((actor.id(), actor.name()), found.answer.as_deref().unwrap_or_default());
    if !is_open || !request::decide(&mut change, id, states, by, answer, context.now()).await? {
        return Err(FieldError::new("main", "It was decided, withdrawn or used already.").into());
    }
    change.commit(actor, &found.event(Action::CredentialRequestWithdrawn)).await?;
    Ok(found)
}

/// Generates the credential of an approved request. Only who asked may do so.
///
/// # Errors
///
/// [`CredentialError::NotFound`] for anybody else, an error at `main` when the request is not approved or its time is
/// over, and those of [`generate`](super::generate): what the draft names may be gone by now.
pub async fn generate(context: &Context, actor: &Actor, id: &RequestId, form_token: Option<&str>) -> Result<Generated> {
    let found = request::find(&context.store, id).await?;
    let found = found.filter(|found| Some(&found.person) == actor.person_id()).ok_or(CredentialError::NotFound)?;
    if found.state == RequestState::Used
        && let Some(client_id) = found.client_id
    {
        return Err(CredentialError::AlreadySubmitted(client_id));
    }
    if !found.is_open(context.now()) {
        let message = "This request is not approved, or its time is over. Ask again.";
        return Err(FieldError::new("main", message).into());
    }
    make(context, actor, &found.draft, form_token, Some(&found)).await
}
