//! Personal access tokens: for programs that cannot sign a person in, so that the person pastes a token into them. Each
//! token is for one MCP server, has an expiry, and can be ended earlier.
//!
//! Personal tokens are opaque and looked up at every use. So the built-in MCP server, and servers that ask the
//! introspection endpoint, refuse an ended token at once. A signed token that lives for months was rejected: servers
//! that verify tokens by themselves would have to read a status list for as long.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;

use crate::base::cursor::Cursor;
use crate::base::id::{McpServerId, PersonId, PersonalTokenId};
use crate::crypto::secret::{PlainSecret, SecretKind};
use crate::idempotency;
use crate::model::client::consent::EndCause;
use crate::model::client::personal_token::{ListedToken, PersonalToken};
use crate::model::credential::draft::check_name;
use crate::model::person::authority::Authority;
use crate::model::server::access::ServerAccess;
use crate::model::server::scope::Scopes;
use crate::model::server::{McpServer, SCOPE_INTROSPECT};
use crate::prelude::{Action, Actor, Context, Errors, Event, FieldError, Result, operation_error};
use crate::store;
use crate::store::client::personal_token::PersonalTokenSelection;

/// Longest life of a token.
pub(crate) const LONGEST_LIFE: Duration = Duration::from_secs(366 * 24 * 3600);
/// Most live tokens of a person. A person who needs more has programs that should have credentials of their own.
pub(crate) const MOST_LIVE: i64 = 50;
/// A use is stored only when the last stored one is this old: a program may use its token in every request.
const NOTE_AFTER: Duration = Duration::from_secs(60);

/// What a person asks for.
#[derive(Debug, Clone, Default)]
pub struct TokenDraft {
    /// The name of the token.
    pub name: String,
    /// Identifier or resource identifier of the MCP server that the token is for; empty: the built-in one.
    pub server: String,
    /// The scopes of the token; empty: the server's default.
    pub scopes: Vec<String>,
    /// Days until it ends.
    pub days: u32,
}

operation_error! {
    /// Why no token was generated or ended.
    pub enum PersonalTokenError: Invalid {
        /// There is no live token with this identifier, or it belongs to another person.
        #[error("there is no such token")]
        NotFound,
        /// The form was sent before, and made a token at that time.
        #[error("this form was sent before")]
        AlreadySubmitted,
    }
}

/// The scopes of `server` that a personal token may have. Only machines may ask about other people's tokens.
pub fn grantable(server: &McpServer) -> Scopes {
    server.scopes.iter().map(|scope| scope.name.as_str()).filter(|name| *name != SCOPE_INTROSPECT).collect()
}

impl TokenDraft {
    fn check(
        &self,
        servers: &[McpServer],
        authority: &Authority,
    ) -> Result<(String, McpServerId, Scopes, Duration), Vec<FieldError>> {
        let mut errors = Errors::default();
        let name = errors.take("name", check_name(&self.name));
        let chosen = servers.iter().filter(|server| !server.is_archived()).find(|server| match self.server.as_str() {
            "" => server.built_in,
            id => server.id.as_str() == id || server.resource == id,
        });
        let Some(server) = chosen else {
            errors.push("server", "Choose one of the MCP servers.");
            return Err(errors.0);
        };
        if !server.access.admits(authority) {
            errors.push("server", not_open(&server.name));
        }
        let scopes: Scopes = match self.scopes.as_slice() {
            [] => server.default_scope_names().collect(),
            asked => asked.iter().map(String::as_str).collect(),
        };
        if scopes.is_empty() || scopes.intersection(&grantable(server)) != scopes {
            errors.push("scopes", format!("Choose scopes of {}.", server.name));
        }
        let life = Duration::from_secs(24 * 3600) * self.days;
        if life.is_zero() || life > LONGEST_LIFE {
            errors.push("expiry", "Choose one of the times.");
        }
        match name {
            // With all that they imply now: a scope never grows in a person's hands.
            Some(name) if errors.0.is_empty() => Ok((name, server.id.clone(), server.closure(&scopes), life)),
            _ => Err(errors.0),
        }
    }
}

/// What the form says when the person's teams may not use the MCP server of this name.
fn not_open(server: &str) -> String {
    format!("{server} is not open to your teams. Choose another MCP server, or ask an administrator to add your team.")
}

/// Whether the form with this one-use token made a token when it was sent before.
pub async fn was_made_by_form(context: &Context, form_token: &str) -> Result<bool> {
    Ok(idempotency::result_of(context, form_token).await?.is_some())
}

/// Generates a token for `person`, who asks for it. Only the answer holds it.
pub async fn generate(
    context: &Context,
    actor: &Actor,
    person: &PersonId,
    draft: &TokenDraft,
    form_token: &str,
) -> Result<(PersonalToken, PlainSecret), PersonalTokenError> {
    let secret = PlainSecret::generate_of(SecretKind::PersonalToken, context.random.as_ref());
    let mut change = context.begin_change().await?;
    let now = change.now();
    let authority = store::person::team::authority_of_person(&mut change, person).await?;
    let authority = authority.ok_or(PersonalTokenError::NotFound)?;
    let servers = store::server::list(&mut change).await?;
    let (name, server_id, scopes, life) = draft.check(&servers, &authority)?;
    if store::client::personal_token::count_live(&mut change, person, now).await? >= MOST_LIVE {
        let problem = format!("You have {MOST_LIVE} tokens. Revoke one that is not needed any more.");
        return Err(FieldError::new("name", problem).into());
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
    let sent_before = |_: &str| Some(PersonalTokenError::AlreadySubmitted);
    change.use_form_token(Some(form_token), token.id.as_str(), sent_before).await?;
    store::client::personal_token::insert(&mut change, &token, &secret.hash(&context.keys.pepper)).await?;
    let event = token.event(Action::PersonalTokenGenerated).with(json!({
        "mcp_server": token.server_id.as_str(),
        "scope": token.scopes.to_string(),
        "ends_at": token.expires_at.rfc3339(),
    }));
    change.commit(actor, &event).await?;
    Ok((token, secret))
}

/// The live tokens that `authority` sees, newest first, at most `limit` after a cursor. A person sees their own tokens.
/// Administrators see all of them.
pub async fn list(
    context: &Context,
    authority: &Authority,
    after: Option<&Cursor>,
    limit: u16,
) -> Result<Vec<ListedToken>> {
    let Ok(person) = authority.person() else { return Ok(Vec::new()) };
    Ok(store::client::personal_token::list(&context.store, person, after, context.now(), i64::from(limit)).await?)
}

/// The live tokens of a person, newest first, at most `limit`. Only administrators see them here.
pub async fn list_of_person(
    context: &Context,
    authority: &Authority,
    person: &PersonId,
    limit: u16,
) -> Result<Vec<ListedToken>> {
    if !authority.is_administrator() {
        return Ok(Vec::new());
    }
    let now = context.now();
    Ok(store::client::personal_token::list(&context.store, Some(person), None, now, i64::from(limit)).await?)
}

/// Ends a token of the actor, or any token when the actor is an administrator. When this returns, the token is refused.
pub async fn end(context: &Context, actor: &Actor, id: &PersonalTokenId) -> Result<(), PersonalTokenError> {
    let mut change = context.begin_change().await?;
    let authority = change.authority(actor).await?;
    let found = store::client::personal_token::find_in(&mut change, id).await?;
    let token = found.ok_or(PersonalTokenError::NotFound)?;
    let cause = authority.end_cause(actor, &token.person).ok_or(PersonalTokenError::NotFound)?;
    let now = change.now();
    if store::client::personal_token::end(&mut change, PersonalTokenSelection::One(id), now, cause).await? == 0 {
        return Err(PersonalTokenError::NotFound);
    }
    Ok(change.commit(actor, &ended(&token, cause, None)).await?)
}

/// Ends a token after it was found at `place` and reported.
pub(crate) async fn end_leaked(
    context: &Context,
    actor: &Actor,
    token: &PersonalToken,
    place: Option<&str>,
) -> Result<()> {
    let mut change = context.begin_change().await?;
    let (now, one) = (change.now(), PersonalTokenSelection::One(&token.id));
    if store::client::personal_token::end(&mut change, one, now, EndCause::Leaked).await? > 0 {
        change.commit(actor, &ended(token, EndCause::Leaked, place)).await?;
    }
    Ok(())
}

/// The audit event of a token that was ended. It says where the token was found, if it leaked.
fn ended(token: &PersonalToken, cause: EndCause, place: Option<&str>) -> Event {
    token
        .event(Action::PersonalTokenRevoked)
        .with(json!({ "person": token.person.as_str(), "cause": cause.as_str(), "found_at": place }))
        .about(&token.person)
}

/// The token with this `secret`, if it is accepted now, and its MCP server. The server must not be archived, and must
/// be open to a team of the token's person.
pub(crate) async fn find_live(context: &Context, secret: &PlainSecret) -> Result<Option<(ListedToken, McpServer)>> {
    let now = context.now();
    let hash = secret.hash(&context.keys.pepper);
    let found = store::client::personal_token::find_by_hash(&context.store, &hash).await?;
    let Some(found) = found.filter(|found| found.token.is_live(now) && !found.is_person_disabled) else {
        return Ok(None);
    };
    let servers = store::server::list(&context.store).await?;
    let Some(server) = servers.into_iter().find(|server| server.id == found.token.server_id) else { return Ok(None) };
    if server.is_archived() {
        return Ok(None);
    }
    if server.access != ServerAccess::All {
        let authority = store::person::team::authority_of_person(&context.store, &found.token.person).await?;
        if !authority.is_some_and(|authority| server.access.admits(&authority)) {
            return Ok(None);
        }
    }
    Ok(Some((found, server)))
}

/// Stores the use of the token, from `address` where that is known, unless a recent use is stored already.
pub(crate) async fn note_use(context: &Context, token: &PersonalToken, address: Option<IpAddr>) {
    let now = context.now();
    if token.last_used_at.is_some_and(|at| at.is_recent(now, NOTE_AFTER)) {
        return;
    }
    let address = address.map(|address| address.to_string());
    // A failed write does not refuse the token: its holder has the right to use it.
    if let Err(error) =
        store::client::personal_token::mark_used(&context.store, &token.id, now, address.as_deref()).await
    {
        tracing::warn!(%error, "the use of a personal token was not noted");
    }
}
