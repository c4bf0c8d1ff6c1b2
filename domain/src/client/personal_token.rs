//! Personal access tokens: for programs into which a person pastes a token, because they sign nobody in. Each is for
//! one MCP server, ends by itself, and can be ended before.
//!
//! They are opaque and looked up at every use, so one that was ended is refused at once: by the built-in MCP server,
//! and by others that ask the introspection endpoint. A signed token that lives for months was rejected: servers that
//! verify tokens by themselves would have to read a status list for as long.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;

use crate::base::cursor::Cursor;
use crate::base::id::{McpServerId, PersonId, PersonalTokenId};
use crate::context::Context;
use crate::crypto::secret::{PlainSecret, SecretKind};
use crate::error::{Fault, through_fault};
use crate::idempotency;
use crate::model::actor::Actor;
use crate::model::audit::{Action, Event, Target};
use crate::model::client::consent::EndCause;
use crate::model::client::personal_token::{ListedToken, PersonalToken};
use crate::model::credential::draft::check_name;
use crate::model::field_error::FieldError;
use crate::model::person::authority::Authority;
use crate::model::server::scope::Scopes;
use crate::model::server::{McpServer, SCOPE_INTROSPECT};
use crate::store::client::personal_token::PersonalTokenSelection;
use crate::store::{self, StoreError};

/// Longest life of a token.
pub const LONGEST_LIFE: Duration = Duration::from_secs(366 * 24 * 3600);
/// Most live tokens of a person: whoever needs more has programs that deserve credentials of their own.
pub const MOST_LIVE: i64 = 50;
/// A use is noted when the last one that was noted is this old: a token is used with every request.
const NOTE_AFTER: Duration = Duration::from_secs(60);

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct TokenDraft {
    /// What the token shall be called.
    pub name: String,
    /// Identifier of the MCP server it is for; empty: the built-in one.
    pub server: String,
    /// What it shall allow; empty: the server's default.
    pub scopes: Vec<String>,
    /// Days until it ends.
    pub days: u32,
}

/// Why no token was generated or ended.
#[derive(Debug, thiserror::Error)]
pub enum PersonalTokenError {
    /// The input is wrong; nothing was changed.
    #[error("the input is not valid")]
    Invalid(Vec<FieldError>),
    /// There is no such live token, or it is somebody else's.
    #[error("there is no such token")]
    NotFound,
    /// The form was sent before, and made a token.
    #[error("this form was sent before")]
    AlreadySubmitted,
    /// A fault of ours.
    #[error(transparent)]
    Fault(#[from] Fault),
}

through_fault!(PersonalTokenError: StoreError);

/// The scopes of `server` that a personal token may have: to ask about other people's tokens is for machines.
pub fn grantable(server: &McpServer) -> Scopes {
    server.scopes.iter().map(|scope| scope.name.as_str()).filter(|name| *name != SCOPE_INTROSPECT).collect()
}

impl TokenDraft {
    fn check(&self, servers: &[McpServer]) -> Result<(String, McpServerId, Scopes, Duration), Vec<FieldError>> {
        let mut errors = Vec::new();
        let name = check_name(&self.name).map_err(|message| errors.push(FieldError::new("name", message)));
        let chosen = servers.iter().find(|server| match self.server.as_str() {
            "" => server.built_in,
            id => server.id.as_str() == id,
        });
        let Some(server) = chosen else {
            errors.push(FieldError::new("server", "Choose one of the MCP servers."));
            return Err(errors);
        };
        let scopes: Scopes = match self.scopes.as_slice() {
            [] => server.default_scope_names().collect(),
            asked => asked.iter().map(String::as_str).collect(),
        };
        if scopes.is_empty() || scopes.intersection(&grantable(server)) != scopes {
            errors.push(FieldError::new("scopes", format!("Choose scopes of {}.", server.name)));
        }
        let life = Duration::from_secs(24 * 3600) * self.days;
        if life.is_zero() || life > LONGEST_LIFE {
            errors.push(FieldError::new("expiry", "Choose one of the times."));
        }
        match name {
            Ok(name) if errors.is_empty() => Ok((name, server.id.clone(), scopes, life)),
            _ => Err(errors),
        }
    }
}

/// Whether the form with this one-use token made a token when it was sent before.
pub async fn was_made_by_form(context: &Context, form_token: &str) -> Result<bool, Fault> {
    Ok(idempotency::result_of(context, form_token).await?.is_some())
}

/// Generates a token of `person`, who asks for it. It is in the answer and nowhere else.
pub async fn generate(
    context: &Context,
    actor: &Actor,
    person: &PersonId,
    draft: &TokenDraft,
    form_token: &str,
) -> Result<(PersonalToken, PlainSecret), PersonalTokenError> {
    let servers = store::server::list(&context.store).await?;
    let (name, server_id, scopes, life) = draft.check(&servers).map_err(PersonalTokenError::Invalid)?;
    let secret = PlainSecret::generate_of(SecretKind::PersonalToken, context.random.as_ref());
    let mut change = context.begin_change().await?;
    let now = change.now();
    let owner = store::person::find_in(change.transaction(), person).await?;
    if owner.is_none_or(|owner| owner.disabled_at.is_some()) {
        return Err(PersonalTokenError::NotFound);
    }
    if store::client::personal_token::count_live(change.transaction(), person, now).await? >= MOST_LIVE {
        let problem = format!("You have {MOST_LIVE} tokens. Revoke one that is not needed any more.");
        return Err(PersonalTokenError::Invalid(vec![FieldError::new("name", problem)]));
    }
    let token = PersonalToken {
        id: PersonalTokenId::generate(context.random.as_ref()),
        person: person.clone(),
        name,
        server_id,
        scopes,
        hint: secret.hint(),
        created_at: now,
        expires_at: now.plus(life),
        last_used_at: None,
        last_used_from: None,
        leaked_at: None,
        ended_at: None,
        end_cause: None,
    };
    if change.use_form_token(Some(form_token), token.id.as_str()).await?.is_some() {
        return Err(PersonalTokenError::AlreadySubmitted);
    }
    store::client::personal_token::insert(change.transaction(), &token, &secret.hash(&context.keys.pepper)).await?;
    let event =
        Event::new(Action::PersonalTokenGenerated, Target::PersonalToken, token.id.as_str(), &token.name).with(json!({
            "mcp_server": token.server_id.as_str(),
            "scope": token.scopes.to_string(),
            "ends_at": token.expires_at.rfc3339(),
        }));
    change.commit(actor, &event).await?;
    Ok((token, secret))
}

/// The live tokens of `person`, newest first.
pub async fn list_own(context: &Context, person: &PersonId) -> Result<Vec<ListedToken>, Fault> {
    Ok(store::client::personal_token::list(&context.store, Some(person), None, context.now(), MOST_LIVE).await?)
}

/// The live tokens that `authority` sees, newest first, at most `limit` after a place: a person's own; to
/// administrators everybody's.
pub async fn list(
    context: &Context,
    authority: &Authority,
    after: Option<&Cursor>,
    limit: u16,
) -> Result<Vec<ListedToken>, Fault> {
    let person = match authority {
        Authority::Everything => None,
        Authority::Person { id, .. } => Some(id),
        Authority::Team(_) => return Ok(Vec::new()),
    };
    Ok(store::client::personal_token::list(&context.store, person, after, context.now(), i64::from(limit)).await?)
}

/// Ends a token of the actor's own, or anybody's if the actor administers. From the moment this returns it is refused.
pub async fn end(context: &Context, actor: &Actor, id: &PersonalTokenId) -> Result<(), PersonalTokenError> {
    let mut change = context.begin_change().await?;
    let authority = change.authority(actor).await?;
    let found = store::client::personal_token::find_in(change.transaction(), id).await?;
    let token = found.ok_or(PersonalTokenError::NotFound)?;
    let cause = match actor.person_id() {
        Some(person) if *person == token.person => EndCause::Person,
        _ if authority.is_administrator() => EndCause::Administrator,
        _ => return Err(PersonalTokenError::NotFound),
    };
    let now = change.now();
    if store::client::personal_token::end(change.transaction(), PersonalTokenSelection::One(id), now, cause).await? == 0
    {
        return Err(PersonalTokenError::NotFound);
    }
    change.commit(actor, &ended(&token, cause, None)).await?;
    Ok(())
}

/// Ends a token that somebody found at `place` and reports.
pub(crate) async fn end_leaked(
    context: &Context,
    actor: &Actor,
    token: &PersonalToken,
    place: Option<&str>,
) -> Result<(), Fault> {
    let mut change = context.begin_change().await?;
    let now = change.now();
    if store::client::personal_token::end(
        change.transaction(),
        PersonalTokenSelection::One(&token.id),
        now,
        EndCause::Leaked,
    )
    .await?
        > 0
    {
        change.commit(actor, &ended(token, EndCause::Leaked, place)).await?;
    }
    Ok(())
}

/// The audit event of a token that was ended, and where it was found if it leaked.
fn ended(token: &PersonalToken, cause: EndCause, place: Option<&str>) -> Event {
    Event::new(Action::PersonalTokenRevoked, Target::PersonalToken, token.id.as_str(), &token.name)
        .with(json!({ "person": token.person.as_str(), "cause": cause.as_str(), "found_at": place }))
        .about(&token.person)
}

/// The token that `secret` is, if it is accepted now, and the server it is for.
pub(crate) async fn find_live(
    context: &Context,
    secret: &PlainSecret,
) -> Result<Option<(ListedToken, McpServer)>, Fault> {
    let now = context.now();
    let hash = secret.hash(&context.keys.pepper);
    let found = store::client::personal_token::find_by_hash(&context.store, &hash).await?;
    let Some(found) = found.filter(|found| found.token.is_live(now) && !found.is_person_disabled) else {
        return Ok(None);
    };
    let servers = store::server::list(&context.store).await?;
    let server = servers.into_iter().find(|server| server.id == found.token.server_id);
    Ok(server.map(|server| (found, server)))
}

/// Notes that the token was used, from `address` where that is known, unless that was noted a moment ago.
pub(crate) async fn note_use(context: &Context, token: &PersonalToken, address: Option<IpAddr>) {
    let now = context.now();
    if token.last_used_at.is_some_and(|at| now.since(at) < NOTE_AFTER) {
        return;
    }
    let address = address.map(|address| address.to_string());
    // Whoever may use the token may do so when this cannot be written.
    if let Err(error) =
        store::client::personal_token::mark_used(&context.store, &token.id, now, address.as_deref()).await
    {
        tracing::warn!(%error, "the use of a personal token was not noted");
    }
}
