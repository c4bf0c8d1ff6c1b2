//! Credentials: OAuth clients for machines, from generation to revocation.
//!
//! | module | operation |
//! |---|---|
//! | [`generate`], [`import`] | a new credential, whose secret is shown once; credentials of another system |
//! | [`keys`], [`federated`] | public keys; identities of other issuers that stand for a credential |
//! | [`list`], [`inspect`], [`usage`] | search, filter and sort; one credential; its exchanges by the hour |
//! | [`edit`] | name, owner, tags, MCP servers, scopes, lifetimes, address ranges |
//! | [`rotate::second`] | a second secret without a rotation; removing one |
//! | [`rotate`] | a second secret or key beside the first, which gets a deadline |
//! | [`several`], [`several::renew`] | one action on several credentials; new secrets for several, after a leak |
//! | [`handover`] | a link with which somebody without an account opens a secret once |
//! | [`generate::request`] | asking a manager for a credential |
//! | [`disable`], [`revoke`] | stop a credential until it is enabled again; end it permanently |
//!
//! [`crate::model::credential::draft`] holds what a person may ask for in a new credential.

pub mod disable;
pub mod edit;
pub mod federated;
pub mod generate;
pub mod handover;
pub mod import;
pub mod inspect;
pub mod keys;
pub mod list;
pub mod revoke;
pub mod rotate;
pub mod several;
pub mod usage;

use serde_json::{Value, json};

use crate::base::id::{ClientId, McpServerId};
use crate::model::credential::{AuthMethod, Credential, Owner, end_of, leak_end_of};
use crate::model::operations::policy::CredentialFacts;
use crate::model::person::authority::Role;
use crate::model::person::team::Team;
use crate::model::server::McpServer;
use crate::prelude::{
    Action, Actor, Change, Changes, Context, Event, Fault, FieldError, Timestamp, operation_error, through_denied,
};
use crate::store;
use crate::store::credential::Ends;

operation_error! {
    /// Why an operation on a credential was not done.
    pub enum CredentialError: Invalid {
        /// The credential does not exist, or the actor may not see it.
        #[error("there is no such credential")]
        NotFound,
        /// The actor may see the credential, but does not have the role for this operation.
        #[error("the role does not allow it")]
        Forbidden,
        /// The credential uses another authentication method.
        #[error("the credential does not use this kind of authentication")]
        OtherMethod,
        /// A secret or key of the credential is being replaced already.
        #[error("a rotation is under way; finish or cancel it first")]
        RotationUnderWay,
        /// A policy lets a manager of the team approve what members generate.
        #[error("a manager of the team must approve it")]
        NeedsApproval,
        /// A revoked credential cannot be changed.
        #[error("the credential is revoked")]
        Revoked,
        /// The form was sent before, and made this credential at that time.
        #[error("the form was sent before")]
        AlreadySubmitted(ClientId),
    }
}

through_denied!(CredentialError);

/// What operations on credentials return.
pub type Result<T, E = CredentialError> = std::result::Result<T, E>;

/// Reads the credential inside a change by `actor`, who needs `role` in its team.
async fn find_for(change: &mut Change<'_>, actor: &Actor, client_id: &ClientId, role: Role) -> Result<Credential> {
    let credential = store::credential::find(&mut *change, client_id).await?.ok_or(CredentialError::NotFound)?;
    change.authority(actor).await?.require(&credential.team, role)?;
    Ok(credential)
}

/// Begins a change by `actor`, who needs `role` in the team of the credential. It must not be revoked.
async fn begin_for<'context>(
    context: &'context Context,
    actor: &Actor,
    client_id: &ClientId,
    role: Role,
) -> Result<(Change<'context>, Credential)> {
    let mut change = context.begin_change().await?;
    let credential = find_for(&mut change, actor, client_id, role).await?;
    if credential.revoked_at.is_some() { Err(CredentialError::Revoked) } else { Ok((change, credential)) }
}

/// Like `begin_for`, for a change of the authenticators: the credential must use `method`.
async fn begin_with<'context>(
    context: &'context Context,
    actor: &Actor,
    client_id: &ClientId,
    method: AuthMethod,
    role: Role,
) -> Result<(Change<'context>, Credential)> {
    let (change, credential) = begin_for(context, actor, client_id, role).await?;
    if credential.auth_method != method { Err(CredentialError::OtherMethod) } else { Ok((change, credential)) }
}

/// Checks that the credentials of `team` may use each of these MCP servers.
///
/// # Errors
///
/// An error at `field` that names the servers that are not open to the team.
async fn check_access(
    change: &mut Change<'_>,
    team: &Team,
    servers: &[McpServerId],
    field: &'static str,
) -> Result<()> {
    let mut closed = store::server::list(change).await?;
    closed.retain(|server| servers.contains(&server.id) && !server.access.admits_team(&team.id));
    if closed.is_empty() {
        return Ok(());
    }
    Err(FieldError::new(field, not_open(&closed, &team.name)).into())
}

/// Whether a change of the credential complies with the policies. `servers` are all MCP servers.
async fn complies(
    change: &mut Change<'_>,
    before: &Credential,
    after: &Credential,
    servers: &[McpServer],
) -> Result<bool> {
    let policies = store::operations::policy::all(change).await?;
    let (before, after) = (CredentialFacts::of(before, servers), CredentialFacts::of(after, servers));
    Ok(policies.check(&after, Some(&before)).is_ok())
}

/// Checks, against the policies, the end of a secret or key that the credential gets now. A whole credential that ends
/// earlier ends it too.
async fn check_life(change: &mut Change<'_>, credential: &Credential, expires_at: Option<Timestamp>) -> Result<()> {
    let end = [expires_at, credential.expires_at].into_iter().flatten().min();
    let policies = store::operations::policy::all(&mut *change).await?;
    Ok(policies.check_life(credential.auth_method, change.now(), end)?)
}

/// What a form or a line of an import says when these MCP servers are not open to the team.
fn not_open(servers: &[McpServer], team: &str) -> String {
    let names: Vec<&str> = servers.iter().map(|server| server.name.as_str()).collect();
    let is = if names.len() == 1 { "is" } else { "are" };
    format!("{} {is} not open to the team {team}. Choose other MCP servers or another team.", names.join(", "))
}

/// The event that the credential `before` moves to the team `to`. People of the old team read it too, so it says
/// nothing else: the other changes of the same edit are a second event.
fn moved_event(before: &Credential, from: Option<Team>, to: &Team) -> Event {
    let team = json!({
        "before": from.map(|team| team.name), "after": to.name,
        "before_id": before.team.as_str(), "after_id": to.id.as_str(),
    });
    before.event(Action::CredentialEdited).with(json!({ "team": team })).also_seen_by(&before.team)
}

/// The detail of an event that says who owned the credential, and who does. The identifiers are for reversing it.
fn owner_change(before: Option<&Owner>, after: Option<&Owner>) -> Value {
    let (name, id) = (|owner: &Owner| owner.name.clone(), |owner: &Owner| owner.id.to_string());
    json!({
        "before": before.map(name), "after": after.map(name),
        "before_id": before.map(id), "after_id": after.map(id),
    })
}

/// The event with the changes that led to the credential `after`; `None` when there are none.
fn changed_event(after: &Credential, changes: Changes) -> Option<Event> {
    (!changes.is_empty()).then(|| after.event(Action::CredentialEdited).with(changes.into()))
}

/// Why a form that was sent before is refused: it made or changed this credential.
fn sent_before(client_id: &str) -> Option<CredentialError> {
    ClientId::parse(client_id).map(CredentialError::AlreadySubmitted)
}

/// Stores the moments that follow from the authenticators: when the last one ends, when the current rotation ends, and
/// until when a leaked secret or token works.
pub(crate) async fn update_ends(change: &mut Change<'_>, credential: &Credential) -> Result<(), Fault> {
    let now = change.now();
    let ends = store::credential::authenticator_ends_in(change, &credential.client_id).await?;
    let leaked_tokens = store::incident::leak::tokens_end(change, &credential.client_id, now).await?;
    let end = end_of(credential.auth_method, credential.expires_at, &ends, now);
    // What has ended does not end a second time.
    let ended = credential.ends_at.filter(|earlier| *earlier <= now && end == Some(now));
    let moments = Ends {
        ends_at: ended.or(end),
        rotation_ends_at: ends.iter().filter(|end| end.is_live(now)).filter_map(|end| end.retires_at).max(),
        leak_ends_at: leak_end_of(&ends).max(leaked_tokens),
    };
    Ok(store::credential::set_ends(change, &credential.client_id, moments).await?)
}

/// Does the same for the credential with this identifier, if it exists.
pub(crate) async fn update_ends_of(change: &mut Change<'_>, client_id: &ClientId) -> Result<(), Fault> {
    match store::credential::find(&mut *change, client_id).await? {
        Some(credential) => update_ends(change, &credential).await,
        None => Ok(()),
    }
}

/// Whether an operation changed anything. Both are success: it is no error to ask twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The operation changed something. This is the number of the audit entry.
    Changed(i64),
    /// Nothing had to be changed.
    Unchanged,
}

impl Outcome {
    /// The outcome of a change whose events have these numbers.
    fn of(numbers: &[i64]) -> Self {
        numbers.last().map_or(Self::Unchanged, |number| Self::Changed(*number))
    }

    /// Commits a change with its event.
    async fn committed(change: Change<'_>, actor: &Actor, event: Event) -> Result<Self> {
        Ok(Self::of(&change.commit_all(actor, &[event]).await?))
    }
}
