//! Generating a credential. Only here does its secret, if it has one, exist in clear.

pub mod request;

use serde_json::{Value, json};

use crate::base::id::{AppClientId, ClientId, PersonId, SecretId, TeamId};
use crate::credential::{CredentialError, Result, check_access, edit, federated, keys, sent_before};
use crate::crypto::secret::PlainSecret;
use crate::model::credential::draft::{Checked, CheckedProof, Draft};
use crate::model::credential::key::KeysAt;
use crate::model::credential::request::GenerationRequest;
use crate::model::credential::{AuthMethod, Credential, Owner};
use crate::model::operations::policy::{CredentialFacts, Policies};
use crate::model::person::authority::{Authority, Role};
use crate::model::person::team::Team;
use crate::model::server::scope::Scopes;
use crate::model::server::{McpServer, PRIVILEGED_SCOPES};
use crate::prelude::{Action, Actor, Change, Context, Event, Fault, FieldError, Timestamp};
use crate::{idempotency, store};

/// A new credential with its secret, if it has one. The secret is shown in one answer and then dropped.
#[derive(Debug)]
pub struct Generated {
    /// The credential.
    pub credential: Credential,
    /// Its secret. `None` when the credential authenticates with keys or with another issuer's tokens.
    pub secret: Option<PlainSecret>,
    /// When the secret, keys or identity stop working; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// The MCP server its tokens are for by default.
    pub server: McpServer,
}

/// The credential that the form with this one-use token made when it was sent before.
pub async fn made_by_form(context: &Context, form_token: &str) -> Result<Option<ClientId>> {
    Ok(idempotency::result_of(context, form_token).await?.as_deref().and_then(ClientId::parse))
}

/// What is wrong with a draft, as far as its values alone tell it. A form that cannot be read as a whole says this
/// together with its own errors.
pub async fn problems(context: &Context, draft: &Draft) -> Result<Vec<FieldError>, Fault> {
    let known = store::server::list(&context.store).await?;
    Ok(draft.check(&context.settings, &known, context.now()).err().unwrap_or_default())
}

/// Generates a credential.
///
/// `form_token` is the one-use token of the form. A form that is sent twice makes one credential, and the second answer
/// is [`CredentialError::AlreadySubmitted`].
///
/// # Errors
///
/// [`CredentialError::NeedsApproval`] when a policy lets a manager of the team approve it first.
pub async fn generate(context: &Context, actor: &Actor, draft: &Draft, form_token: Option<&str>) -> Result<Generated> {
    make(context, actor, draft, form_token, None).await
}

/// The draft, checked, with the keys that its program publishes; and where it publishes them.
async fn checked_with_keys(context: &Context, actor: &Actor, draft: &Draft) -> Result<(Checked, Option<KeysAt>)> {
    let known = store::server::list(&context.store).await?;
    let mut checked = draft.check(&context.settings, &known, context.now())?;
    let mut keys_at = None;
    if let CheckedProof::KeysAt(source) = checked.proof {
        // Before anything is fetched, and again in the change that follows: the answer may take a while.
        let mut change = context.begin_change().await?;
        check_actor(&mut change, actor, draft, &checked.scopes, Some(&source)).await?;
        drop(change);
        checked.proof = CheckedProof::Keys(keys::published(context, actor, &source).await?);
        keys_at = Some(source);
    }
    if let CheckedProof::Federated(identity) = &checked.proof {
        federated::check_issuer(context, identity)?;
    }
    Ok((checked, keys_at))
}

/// Generates a credential, of an approved request if there is one.
async fn make(
    context: &Context,
    actor: &Actor,
    draft: &Draft,
    form_token: Option<&str>,
    request: Option<&GenerationRequest>,
) -> Result<Generated> {
    let now = context.now();
    let (checked, keys_at) = checked_with_keys(context, actor, draft).await?;
    let mut change = context.begin_change().await?;
    let team = check_actor(&mut change, actor, draft, &checked.scopes, keys_at.as_ref()).await?;
    let policies = check_policies(&mut change, &team, &checked).await?;
    if request.is_none() && policies.needs_approval(&change.authority(actor).await?, &team.id) {
        return Err(CredentialError::NeedsApproval);
    }
    let owner = match &draft.owner {
        Some(chosen) => Some(owner(&mut change, &team, chosen).await?),
        None => default_owner(&mut change, actor).await?,
    };
    let auth_method = checked.proof.method();
    // Keys that the program publishes later have no end of their own, so the whole credential ends where ends are
    // required.
    let ends = auth_method == AuthMethod::Federated || (keys_at.is_some() && policies.must_end());
    let credential = Credential {
        auth_method,
        keys_at,
        assertions: draft.assertions,
        expires_at: checked.expires_at.filter(|_| ends),
        owner,
        ..checked.credential(ClientId::generate(context.random.as_ref()), team.id.clone(), actor.name(), now)
    };
    check_access(&mut change, &team, &credential.servers, "server").await?;
    if let CheckedProof::Federated(identity) = &checked.proof {
        federated::check_no_document(&mut change, &identity.issuer).await?;
    }
    change.use_form_token(form_token, credential.client_id.as_str(), sent_before).await?;
    if let Some(request) = request
        && !store::credential::request::used(&mut change, &request.id, &credential.client_id).await?
    {
        return Err(FieldError::new("main", "This request was used or withdrawn a moment ago.").into());
    }
    store::credential::insert(&mut change, &credential, actor.id()).await?;
    let Checked { proof, expires_at, servers, .. } = checked;
    let (secret, proof) = add_proof(&mut change, actor, &credential, proof, expires_at).await?;
    note_replaced(&mut change, actor, draft, &credential).await?;
    let event = generated_event(&credential, &team, &servers, expires_at).and(json!({ "proof": proof }));
    let event = match request {
        Some(request) => event.and(json!({ "request": request.id.as_str(), "approved_by": request.decided_by })),
        None => event,
    };
    change.commit(actor, &event).await?;

    // A checked draft names at least one server.
    let server = servers.into_iter().next().ok_or(CredentialError::NotFound)?;
    Ok(Generated { credential, secret, expires_at, server })
}

/// The event that a credential was generated, without what proves it.
fn generated_event(
    credential: &Credential,
    team: &Team,
    servers: &[McpServer],
    expires_at: Option<Timestamp>,
) -> Event {
    credential.event(Action::CredentialGenerated).with(json!({
        "team": team.name,
        "owner": credential.owner.as_ref().map(|owner| &owner.name),
        "tags": credential.tags,
        "scopes": credential.scopes.to_string(),
        "mcp_servers": servers.iter().map(|server| &server.resource).collect::<Vec<_>>(),
        "expires_at": expires_at.map(Timestamp::rfc3339),
        "keys_at": credential.keys_at.as_ref().map(KeysAt::as_str),
        "assertions": edit::rules(credential.assertions),
        "token_lifetime": credential.token_lifetime.map(|lifetime| lifetime.as_secs()),
        "ip_ranges": credential.ip_ranges.iter().map(ToString::to_string).collect::<Vec<_>>(),
    }))
}

/// Refuses a draft that does not comply with a policy that is enforced. Returns the policies.
async fn check_policies(change: &mut Change<'_>, team: &Team, checked: &Checked) -> Result<Policies> {
    let now = change.now();
    let policies = store::operations::policy::all(&mut *change).await?;
    let method = checked.proof.method();
    // Which identifier it gets, and from whom, decides nothing here.
    let meant = checked.credential(ClientId::generate(change.context().random.as_ref()), team.id.clone(), "", now);
    let meant = Credential { auth_method: method, ..meant };
    let mut errors = policies.check(&CredentialFacts::of(&meant, &checked.servers), None).err().unwrap_or_default();
    errors.extend(policies.check_life(method, now, checked.expires_at).err());
    if errors.is_empty() { Ok(policies) } else { Err(errors.into()) }
}

/// Remembers, in the incidents of the credential that it replaces, what replaces it. The actor needs the right to
/// change that one too.
async fn note_replaced(change: &mut Change<'_>, actor: &Actor, draft: &Draft, credential: &Credential) -> Result<()> {
    let Some(old) = &draft.replaces else { return Ok(()) };
    let Some(replaced) = store::credential::find(&mut *change, old).await? else { return Ok(()) };
    if change.authority(actor).await?.require(&replaced.team, Role::Member).is_ok() {
        store::incident::record::replaced(change, old, &credential.client_id).await?;
    }
    Ok(())
}

/// Checks that the actor may generate this credential. Returns the team that will own it.
///
/// Only administrators approve a document: it stands for one credential in the whole installation, so a team must not
/// take the document of another team's program.
async fn check_actor(
    change: &mut Change<'_>,
    actor: &Actor,
    draft: &Draft,
    scopes: &Scopes,
    keys_at: Option<&KeysAt>,
) -> Result<Team> {
    let authority = change.authority(actor).await?;
    check_privileges(&authority, scopes, None)?;
    let team = owning_team(change, &authority, draft.team.as_ref()).await?;
    if let Some(KeysAt::Document(id)) = keys_at {
        if !authority.is_administrator() {
            let message = "Only an administrator approves a document. Name the address of the keys instead.";
            return Err(FieldError::new("document", message).into());
        }
        check_unused(change, id).await?;
    }
    Ok(team)
}

/// Checks that no credential that may work again has the document.
async fn check_unused(change: &mut Change<'_>, id: &AppClientId) -> Result<()> {
    if store::credential::authenticators::is_issuer(&mut *change, id.as_str()).await? {
        let message = "This address is the issuer of a federated identity. Remove that identity first.";
        return Err(FieldError::new("document", message).into());
    }
    let Some(credential) = keys::approved(change, id).await? else { return Ok(()) };
    let message = format!("The credential {} has this document already. Revoke it first.", credential.name);
    Err(FieldError::new("document", message).into())
}

/// The team that will own the credential: the chosen one, or the only team that the actor may choose. When an
/// administrator chooses none, the first team owns it.
async fn owning_team(change: &mut Change<'_>, authority: &Authority, chosen: Option<&TeamId>) -> Result<Team> {
    let id = match (chosen, authority) {
        (Some(team), _) => team.clone(),
        (None, Authority::Everything) => TeamId::first(),
        (None, Authority::Team(team)) => team.clone(),
        (None, Authority::Person { roles, .. }) => {
            let mut own = roles.iter().filter(|(_, role)| **role >= Role::Member).map(|(team, _)| team.clone());
            match (own.next(), own.next()) {
                (None, _) => return Err(CredentialError::Forbidden),
                (Some(team), None) => team,
                (Some(_), Some(_)) => return Err(FieldError::new("team", "Choose the team that owns it.").into()),
            }
        }
    };
    authority.require(&id, Role::Member)?;
    store::person::team::find(&mut *change, &id).await?.ok_or(CredentialError::NotFound)
}

/// The person who shall answer for a credential of the team: somebody who sees the team.
pub(crate) async fn owner(change: &mut Change<'_>, team: &Team, chosen: &PersonId) -> Result<Owner> {
    let authority = store::person::team::authority_of_person(&mut *change, chosen).await?;
    let sees_team = authority.is_some_and(|authority| authority.role_in(&team.id).is_some());
    let person = store::person::find(change, chosen).await?.filter(|_| sees_team);
    let message = || FieldError::new("owner", format!("Choose a person of the team {}.", team.name));
    let person = person.ok_or_else(message)?;
    Ok(Owner { id: person.id, name: person.name, disabled: false })
}

/// The person who generates the credential. The command line and credentials choose nobody.
async fn default_owner(change: &mut Change<'_>, actor: &Actor) -> Result<Option<Owner>> {
    let Some(id) = actor.person_id() else { return Ok(None) };
    let person = store::person::find(change, id).await?;
    Ok(person.map(|person| Owner { id: person.id, name: person.name, disabled: false }))
}

/// Only administrators grant scopes that reach other credentials. Such scopes may stay when the credential has them
/// already.
pub(crate) fn check_privileges(authority: &Authority, scopes: &Scopes, before: Option<&Scopes>) -> Result<()> {
    let is_new = |scope: &&str| scopes.contains(scope) && !before.is_some_and(|before| before.contains(scope));
    match PRIVILEGED_SCOPES.iter().find(|scope| is_new(scope)) {
        Some(scope) if !authority.is_administrator() => {
            Err(FieldError::new("scopes", format!("Only an administrator grants {scope}.")).into())
        }
        _ => Ok(()),
    }
}

/// Generates a secret for the credential and stores its hash.
pub(crate) async fn add_secret(
    change: &mut Change<'_>,
    actor: &Actor,
    client_id: &ClientId,
    expires_at: Option<Timestamp>,
) -> Result<(SecretId, PlainSecret)> {
    let context = change.context();
    let secret = PlainSecret::generate(context.random.as_ref());
    let row = store::credential::NewSecret {
        id: SecretId::generate(context.random.as_ref()),
        client_id: client_id.clone(),
        hash: secret.hash(&context.keys.pepper),
        hint: secret.hint(),
        created_at: change.now(),
        expires_at,
        maker: actor.id().to_owned(),
    };
    store::credential::insert_secret(change, &row).await?;
    Ok((row.id, secret))
}

/// The new secret of a credential that exists, with what programs need to use it.
pub(crate) async fn with_secret(
    context: &Context,
    credential: Credential,
    secret: PlainSecret,
    expires_at: Option<Timestamp>,
) -> Result<Generated> {
    let servers = store::server::list(&context.store).await?;
    let server = servers.into_iter().find(|server| credential.servers.first() == Some(&server.id));
    // A credential has at least one server, and a server that a credential refers to is not removed.
    let server = server.ok_or(CredentialError::NotFound)?;
    Ok(Generated { credential, secret: Some(secret), expires_at, server })
}

/// Stores the authenticators of the new credential. Returns the secret, if there is one, and the details for the audit
/// entry.
async fn add_proof(
    change: &mut Change<'_>,
    actor: &Actor,
    credential: &Credential,
    proof: CheckedProof,
    expires_at: Option<Timestamp>,
) -> Result<(Option<PlainSecret>, Value)> {
    let client_id = &credential.client_id;
    match proof {
        CheckedProof::Secret => {
            let (id, secret) = add_secret(change, actor, client_id, expires_at).await?;
            Ok((Some(secret), json!({ "secret": id.as_str() })))
        }
        // The keys of an address were fetched before.
        CheckedProof::KeysAt(_) => Ok((None, json!({}))),
        CheckedProof::Keys(checked) => {
            let added = keys::insert(change, actor, client_id, checked, expires_at).await?;
            Ok((None, json!({ "keys": added.iter().map(keys::describe).collect::<Vec<_>>() })))
        }
        CheckedProof::Federated(checked) => {
            let identity = checked.into_identity(client_id, change.now(), change.context().random.as_ref());
            store::credential::authenticators::insert_identity(change, &identity, actor.id()).await?;
            Ok((None, federated::describe(&identity)))
        }
    }
}
