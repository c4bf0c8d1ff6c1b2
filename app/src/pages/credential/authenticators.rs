//! Secrets, keys and identities of a credential: their tables, the pages that add them, the actions that remove them.
//!
//! Handlers of the server answer the forms that add, because these handlers ask for the password again when that is
//! due.

use domain::base::clock::Timestamp;
use domain::base::id::{ClientId, FederatedIdentityId, KeyId, SecretId};
use domain::credential::rotate::second::{self, MOST_SECRETS};
use domain::credential::{federated, keys};
use domain::crypto::public_key::PublicKey;
use domain::model::credential::federated::FederatedDraft;
use domain::model::credential::key::KeysDraft;
use domain::model::credential::{AuthMethod, AuthenticatorEnd, ClientSecret};
use domain::services::issuer_keys::ClientKeys;

use crate::components::form::proof::{IdentityFields, TypedIdentity, TypedKeys};
use crate::pages::credential::fields::{ExpiryChoice, ExpiryLimits, key_with_expiry};
use crate::pages::credential::find;
use crate::pages::credential::head::Shown;
use crate::pages::credential::list::has_only_archived_servers;
use crate::prelude::*;

/// Removes a secret.
#[server(prefix = "/fn", endpoint = "remove_secret")]
pub(crate) async fn remove_secret(client_id: String, id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let client_id = ClientId::parse(&client_id).ok_or(ActionError::NotFound)?;
    let id = SecretId::parse(&id).ok_or(ActionError::NotFound)?;
    second::remove(&visit.context, &visit.actor()?, &client_id, &id).await?;
    Ok(Done::CredentialSecretRemoved.at(links::secrets_of(&client_id)))
}

/// Removes a key.
#[server(prefix = "/fn", endpoint = "remove_key")]
pub(crate) async fn remove_key(client_id: String, id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let client_id = ClientId::parse(&client_id).ok_or(ActionError::NotFound)?;
    let id = KeyId::parse(&id).ok_or(ActionError::NotFound)?;
    keys::remove(&visit.context, &visit.actor()?, &client_id, &id).await?;
    Ok(Done::CredentialKeyRemoved.at(links::secrets_of(&client_id)))
}

/// Removes an identity.
#[server(prefix = "/fn", endpoint = "remove_identity")]
pub(crate) async fn remove_identity(client_id: String, id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let client_id = ClientId::parse(&client_id).ok_or(ActionError::NotFound)?;
    let id = FederatedIdentityId::parse(&id).ok_or(ActionError::NotFound)?;
    federated::remove(&visit.context, &visit.actor()?, &client_id, &id).await?;
    Ok(Done::CredentialIdentityRemoved.at(links::secrets_of(&client_id)))
}

/// Converts the typed keys to the input of the domain rules.
pub fn keys_draft(typed: &TypedKeys) -> KeysDraft {
    KeysDraft { text: typed.public_key.clone(), label: typed.label.clone(), algorithm: None }
}

/// Converts the typed identity to the input of the domain rules.
pub fn identity_draft(typed: &TypedIdentity) -> FederatedDraft {
    FederatedDraft {
        issuer: typed.issuer.clone(),
        subject: typed.subject.clone(),
        audience: typed.audience.clone(),
        claims: typed.conditions(),
        jwks: typed.jwks.clone(),
    }
}

/// What a person typed to get this draft.
pub(crate) fn typed_identity(draft: &FederatedDraft) -> TypedIdentity {
    TypedIdentity {
        issuer: draft.issuer.clone(),
        subject: draft.subject.clone(),
        audience: draft.audience.clone(),
        claims: draft.claims.iter().map(|(name, value)| format!("{name}={value}\n")).collect(),
        jwks: draft.jwks.clone(),
    }
}

/// The typed values of a new secret.
#[derive(Debug, Clone, Default)]
pub struct TypedSecret {
    /// The choice of an expiry: see [`read_expiry`](crate::pages::credential::fields::read_expiry).
    pub expiry: String,
    /// The day for `date`.
    pub expires_on: String,
}

/// The page that adds a secret, with the typed values and the errors.
pub async fn new_secret(client_id: String, form: Form<TypedSecret>) -> Result<Page, ActionError> {
    let Form { typed, errors, .. } = form;
    let limits = ExpiryLimits::of(&signed_in()?, AuthMethod::ClientSecret).await?;
    let fields = view! { <ExpiryChoice chosen=typed.expiry day=typed.expires_on errors=errors.clone() limits/> };
    let lead = "Both secrets work until you remove one or it expires. To replace a secret, rotate it instead.";
    let page = FormPage::new("Add a secret", links::new_secret(&client_id), "Add secret").lead(lead);
    added(&client_id, page.panel("Add a secret", fields), errors).await
}

/// The page that adds a key, with the typed values and the errors.
pub async fn new_key(client_id: String, form: Form<TypedKeys>) -> Result<Page, ActionError> {
    let Form { typed, errors, .. } = form;
    let page = FormPage::new("Add a key", links::new_key(&client_id), "Add key");
    let limits = ExpiryLimits::of(&signed_in()?, AuthMethod::PrivateKeyJwt).await?;
    added(&client_id, page.panel("Add a key", key_with_expiry(typed, &errors, limits)), errors).await
}

/// The page that adds an identity.
pub async fn new_identity(client_id: String, form: Form<TypedIdentity>) -> Result<Page, ActionError> {
    let Form { typed, errors, .. } = form;
    let action = links::new_identity(&client_id);
    let example = format!("{action}?example=");
    let fields = view! { <IdentityFields typed errors=errors.clone() example/> };
    let page = FormPage::new("Add an identity", action, "Add identity").panel("Add an identity", fields);
    added(&client_id, page, errors).await
}

async fn added(client_id: &str, page: FormPage, errors: Errors) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, client_id).await?;
    let page = page.back(links::secrets_of(client_id), credential.name);
    Ok(page.confirm(visit.must_confirm()).page(errors))
}

/// A button that removes something after a question: `what` is its name, `effect` what happens.
fn remove_button(action: &'static str, client_id: &str, id: String, what: &str, effect: &'static str) -> AnyView {
    let fields = [("client_id", client_id.to_owned()), ("id", id)];
    asking_button(action, fields, true, ("Remove", format!(" {what}")), effect)
}

/// The state of a secret, key or identity. It never reads better than the state of its credential.
fn state(shown: &Shown, end: AuthenticatorEnd, used: bool) -> AnyView {
    let (credential, now) = (&shown.credential, shown.now());
    let is_over = credential.revoked_at.is_some() || credential.expires_at.is_some_and(|last| last <= now);
    let (word, tone) = match (end.is_live(now), used) {
        _ if end.revoked || is_over => ("Ended", "idle"),
        (false, _) => ("Expired", "idle"),
        _ if end.leaked => ("Leaked", "danger"),
        _ if credential.disabled_at.is_some() => ("Disabled", "warn"),
        _ if end.retires_at.is_some() => ("Retiring", "warn"),
        _ if has_only_archived_servers(credential, &shown.servers, now) => ("No server", "idle"),
        (_, true) => ("In use", "ok"),
        _ => ("Unused", "idle"),
    };
    chip(word, tone)
}

/// When a secret or key ends, or when it ended.
fn end(end: AuthenticatorEnd, revoked_at: Option<Timestamp>, now: Timestamp) -> AnyView {
    match [revoked_at, end.moment()].into_iter().flatten().min() {
        None => muted("Never"),
        Some(at) if at <= now => html! { "Ended "{distance(at)} },
        Some(at) => html! { {distance(at)}{sub(moment(at))} },
    }
}

/// What the question says before a secret is removed.
fn effect(secret: &ClientSecret, others: bool, now: Timestamp) -> &'static str {
    match (secret.end().is_live(now), others) {
        (true, true) => "Exchanges and tokens of this secret are refused. The other secret stays.",
        (true, false) => {
            "This is the only secret that works: every exchange is refused until you add one. Its tokens end too."
        }
        (false, _) => "It does not work. Its tokens end now.",
    }
}

/// What stands beside the heading of a panel: in the view of its own how to add one, in the overview the way to that
/// view.
fn beside(shown: &Shown, whole: bool, add: Option<AnyView>) -> Option<AnyView> {
    let href = shown.list.view(&shown.credential, "secrets");
    if whole { add } else { Some(html! { <a class="muted" href=href>"Manage"</a> }) }
}

/// The secrets of a credential. `whole`: with everything about them, and their actions.
pub(crate) fn secrets_panel(shown: &Shown, whole: bool) -> AnyView {
    let now = shown.now();
    let client_id = shown.credential.client_id.as_str();
    let revoked = shown.credential.revoked_at;
    let changeable = revoked.is_none() && shown.is_member();
    let live = shown.live_proofs();
    let rows = shown.secrets.iter().map(|secret| {
        let ends = AuthenticatorEnd { revoked: secret.revoked_at.is_some() || revoked.is_some(), ..secret.end() };
        // A secret of another system has no end that people could know it by.
        let name = match secret.hint.as_str() {
            "" => "Imported secret".to_owned(),
            hint => format!("css_…{hint}"),
        };
        let remove = (changeable && !ends.revoked).then(|| {
            let effect = effect(secret, live > 1, now);
            remove_button(links::REMOVE_SECRET, client_id, secret.id.to_string(), &name, effect)
        });
        let leaked = secret.leaked_at.map(|at| view! { <div class="sub">"Leaked, reported "{distance(at)}</div> });
        cells![
            html! { <code>{name.clone()}</code>{leaked} },
            distance(secret.created_at),
            last_use(secret.last_used_at, secret.last_used_from),
            end(ends, secret.revoked_at.or(revoked), now),
            state(shown, ends, secret.last_used_at.is_some()),
            remove,
        ]
    });
    let columns = [
        "Secret".into(),
        Column::when("Generated", whole),
        "Last used".into(),
        "End".into(),
        "State".into(),
        Column::when("", whole),
    ];
    let rows = table(columns, rows);
    let may_add = changeable && live < MOST_SECRETS && !shown.credential.is_rotating(now);
    let add = match may_add {
        true => Some(small_link(links::new_secret(client_id), "Add a secret")),
        false if whole && changeable && live >= MOST_SECRETS => {
            Some(muted("At most two secrets. Remove one to add another."))
        }
        false => None,
    };
    panel("secrets", "Secrets", beside(shown, whole, add), rows)
}

/// The keys of a credential. `whole`: as for [`secrets_panel`].
pub(crate) fn keys_panel(shown: &Shown, whole: bool) -> AnyView {
    let (now, changeable) = (shown.now(), shown.may_change());
    let client_id = shown.credential.client_id.as_str();
    let only = shown.live_proofs() < 2;
    let rows = shown.keys.iter().map(|key| {
        let ends = key.end();
        let remove = (changeable && !ends.revoked).then(|| {
            let effect = match only && ends.is_live(now) {
                true => "This is the only key that works: every request is refused until you add one.",
                false => "Requests signed with this key are refused, and its tokens end.",
            };
            remove_button(links::REMOVE_KEY, client_id, key.id.to_string(), &key.label, effect)
        });
        let print: String = key.key.thumbprint().chars().take(12).collect();
        cells![
            html! { {key.label.clone()}<div class="sub"><code>{format!("{print}…")}</code></div> },
            html! { {key.key.algorithm().as_str()}{sub(key.key.kind())} },
            distance(key.created_at),
            last_use(key.last_used_at, key.last_used_from),
            end(ends, key.revoked_at, now),
            state(shown, ends, key.last_used_at.is_some()),
            remove,
        ]
    });
    let keys_at = shown.credential.keys_at.as_ref();
    let add = (changeable && keys_at.is_none()).then(|| small_link(links::new_key(client_id), "Add a key"));
    let source = keys_at.filter(|_| whole).map(|keys_at| {
        let known = published_keys(&ClientKeys::of_credential(keys_at));
        let also = keys_at.document().map(|_| {
            sub("An administrator approved this client ID metadata document. The program may use its address as client ID.")
        });
        view! { <div class="body"><p>"The program publishes its keys. A new key counts when it is published."</p>{known}{also}</div> }
    });
    let columns = [
        "Key".into(),
        Column::when("Algorithm", whole),
        Column::when("Added", whole),
        "Last used".into(),
        "End".into(),
        "State".into(),
        Column::when("", whole),
    ];
    panel("keys", "Public keys", beside(shown, whole, add), view! { {source}{table(columns, rows)} })
}

/// The names of published keys.
pub(crate) fn key_names(keys: &[PublicKey]) -> AnyView {
    let name = |key: &PublicKey| format!("{}, {}", key.kid().unwrap_or("without kid"), key.algorithm().as_str());
    let names = keys.iter().map(name).map(|name| view! { <div><code>{name}</code></div> });
    names.collect_view().into_any()
}

/// The keys at an address, as they are known to this server: the keys, the last fetch, the next one, and what went
/// wrong.
pub(crate) fn published_keys(keys: &ClientKeys) -> AnyView {
    let visit = Visit::current();
    let state = match visit.context.issuer_keys.known_of_client(keys, visit.now()) {
        None => sub("Not fetched since this server started: the next request fetches them."),
        Some(known) => {
            let next = moment(known.next_at);
            let fetched = match known.fetched_at {
                Some(at) => html! { "Fetched "{distance(at)}". Next fetch: not before "{next}"." },
                None => html! { "Never fetched. Next try: not before "{next}"." },
            };
            let problem = known.problem.map(|problem| {
                html! { <div>{chip("The last fetch failed", "warn")}{sub(problem)}</div> }
            });
            html! { {key_names(&known.keys)}{sub(fetched)}{problem} }
        }
    };
    html! { {address(keys.address())}{state} }
}

/// The identities that stand for a credential. `whole`: as for [`secrets_panel`].
pub(crate) fn identities_panel(shown: &Shown, shared: bool, whole: bool) -> AnyView {
    let changeable = shown.may_change();
    let client_id = shown.credential.client_id.as_str();
    let rows = shown.identities.iter().map(|identity| {
        let ends = AuthenticatorEnd { revoked: identity.revoked_at.is_some(), ..AuthenticatorEnd::default() };
        let remove = (changeable && !ends.revoked).then(|| {
            let effect = "Tokens of this identity are refused, and so are the tokens that were issued for it.";
            remove_button(links::REMOVE_IDENTITY, client_id, identity.id.to_string(), &identity.subject, effect)
        });
        let conditions: Vec<String> = identity.claims.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let conditions = if conditions.is_empty() { "None".to_owned() } else { conditions.join(", ") };
        cells![
            html! { <span class="lines">{identity.subject.clone()}</span>{sub(identity.issuer.clone())} },
            html! { <span class="lines">{conditions}</span>{sub(format!("aud={}", identity.audience))} },
            if identity.jwks.is_some() { "Entered by hand" } else { "Fetched" },
            last_use(identity.last_used_at, identity.last_used_from),
            state(shown, ends, identity.last_used_at.is_some()),
            remove,
        ]
    });
    let columns = [
        "Subject and issuer".into(),
        Column::when("Conditions", whole),
        Column::when("Keys", whole),
        "Last used".into(),
        "State".into(),
        Column::when("", whole),
    ];
    let rows = table(columns, rows);
    let note = "Another credential has the same issuer and subject: programs must send the client ID.";
    let add = changeable.then(|| small_link(links::new_identity(client_id), "Add an identity"));
    panel(
        "identities",
        "Federated identities",
        beside(shown, whole, add),
        view! { {shared.then(|| empty(note))}{rows} },
    )
}
