//! Editing an MCP server. Its resource identifier is fixed: it is the audience of every token that was issued, and
//! programs and verifiers have it in their configuration.

use std::time::Duration;

use serde_json::{Value, json};

use crate::base::id::McpServerId;
use crate::crypto::keys::TokenAlgorithm;
use crate::model::credential::draft::{check_name, check_token_lifetime};
use crate::model::operations::policy::{Policy, PolicyMode, PolicyName, PolicyTerms, too_long_tokens};
use crate::model::server::callers::CallerCounts;
use crate::model::server::hierarchy::Hierarchy;
use crate::model::server::scope::Scopes;
use crate::model::server::{McpServer, ScopeDescription};
use crate::prelude::{Action, Actor, Change, Changes, Context, Errors, Fault, FieldError};
use crate::server::{McpServerError, begin_for, check_scopes};
use crate::store;
use crate::store::server::callers as rows;

/// The new values; what is absent stays as it is.
#[derive(Debug, Clone, Default)]
pub struct ServerEdit {
    /// Its name for people.
    pub name: Option<String>,
    /// Its scopes. The list replaces the present one.
    pub scopes: Option<Vec<ScopeDescription>>,
    /// How long its tokens live.
    pub token_lifetime: Option<Duration>,
    /// The signing algorithm of its tokens.
    pub alg: Option<TokenAlgorithm>,
    /// Whether scopes may be removed that credentials, apps or personal tokens hold.
    pub removes_held_scopes: bool,
}

impl ServerEdit {
    /// The server with these values. Returns everything that is wrong with them.
    fn apply(&self, server: &McpServer) -> Result<McpServer, Vec<FieldError>> {
        let mut errors = Errors::default();
        let mut after = server.clone();
        if let Some(name) = &self.name {
            after.name = errors.take("name", check_name(name)).unwrap_or_default();
        }
        if let Some(scopes) = &self.scopes {
            if server.built_in && *scopes != server.scopes {
                errors.push("scopes", "The scopes of the built-in server are fixed.");
            } else if !server.built_in {
                errors.take("scopes", check_scopes(scopes));
            }
            after.scopes.clone_from(scopes);
        }
        if let Some(lifetime) = errors.take("token_lifetime", check_token_lifetime(self.token_lifetime)).flatten() {
            after.token_lifetime = lifetime;
        }
        after.alg = self.alg.unwrap_or(after.alg);
        errors.none()?;
        Ok(after)
    }

    /// Whether the edit can let a program do more than before: with a further scope, with a scope that
    /// implies more, or with tokens that live longer.
    pub fn widens(&self, server: &McpServer) -> bool {
        let present = Hierarchy::of(&server.scopes);
        let has_more = |scopes: &Vec<ScopeDescription>| {
            let after = Hierarchy::of(scopes);
            let gains = |scope: &ScopeDescription| {
                let one: Scopes = [scope.name.as_str()].into_iter().collect();
                let before = present.closure(&one);
                after.closure(&one).iter().any(|scope| !before.contains(scope))
            };
            scopes.iter().any(gains)
        };
        self.scopes.as_ref().is_some_and(has_more)
            || self.token_lifetime.is_some_and(|lifetime| lifetime > server.token_lifetime)
    }
}

/// What gets scopes that an edit removes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemovedScopes {
    /// The removed scopes that a credential, an app or a personal token gets.
    pub scopes: Vec<String>,
    /// The scopes that stay and implied a removed one, if a credential, an app or a personal token holds them.
    pub through: Vec<String>,
    /// How many apps and personal tokens hold a removed scope, and how many credentials hold it or a scope that implies
    /// it.
    pub holders: CallerCounts,
    /// The credentials that hold no other scope of the server: their exchanges for it are refused.
    pub credentials_left_without: i64,
}

/// What gets the scopes that `edit` removes from the server. Nothing when nothing does.
pub async fn removed_scopes(context: &Context, server: &McpServer, edit: &ServerEdit) -> Result<RemovedScopes, Fault> {
    let Ok(after) = edit.apply(server) else { return Ok(RemovedScopes::default()) };
    let mut connection = context.store.begin_read().await?;
    Ok(removed(&mut connection, context, server, &after).await?)
}

async fn removed(
    transaction: &mut store::Transaction,
    context: &Context,
    before: &McpServer,
    after: &McpServer,
) -> store::Result<RemovedScopes> {
    let kept = after.scope_names();
    let gone: Scopes = before.scopes.iter().map(|one| one.name.as_str()).filter(|name| !kept.contains(name)).collect();
    if gone.is_empty() {
        return Ok(RemovedScopes::default());
    }
    let giving: Vec<(&str, Scopes)> = gone.iter().map(|scope| (scope, before.giving(scope))).collect();
    let all: Scopes = giving.iter().flat_map(|(_, giving)| giving.iter()).collect();
    let (engine, now) = (context.store.engine(), context.now());
    let apps = rows::consents(&mut *transaction, &before.id, None, now).await?;
    let tokens = rows::personal_tokens(&mut *transaction, &before.id, None, now).await?;
    let (credentials, credentials_left_without) =
        rows::holders(&mut *transaction, engine, &before.id, &all, &kept).await?;
    let mut held: Vec<&str> = Vec::new();
    for scope in all.iter() {
        let one: Scopes = [scope].into_iter().collect();
        // Consents and personal tokens hold what their scopes implied when a person allowed them.
        let is_held = gone.contains(scope) && apps.iter().chain(&tokens).any(|(held, _)| held.contains(scope))
            || rows::holders(&mut *transaction, engine, &before.id, &one, &kept).await?.0 > 0;
        if is_held {
            held.push(scope);
        }
    }
    let is_got = |giving: &Scopes| held.iter().any(|scope| giving.contains(scope));
    let holding = |groups: &[(Scopes, i64)]| {
        groups.iter().filter(|(held, _)| !held.intersection(&gone).is_empty()).map(|(_, count)| count).sum()
    };
    Ok(RemovedScopes {
        scopes: giving.iter().filter(|(_, giving)| is_got(giving)).map(|(scope, _)| (*scope).to_owned()).collect(),
        through: held.iter().filter(|scope| kept.contains(scope)).map(|scope| (*scope).to_owned()).collect(),
        holders: CallerCounts { credentials, apps: holding(&apps), personal_tokens: holding(&tokens) },
        credentials_left_without,
    })
}

/// Applies `edit`. Returns whether anything changed. Tokens that were issued before stay as they are; the next exchange
/// obeys the new values. Only administrators may do this.
///
/// A scope that is removed stays in the lists of the credentials that hold it, and no token gets it: each exchange
/// compares with the scopes of the server. To rewrite the lists was the rejected alternative: it can be a million rows
/// in one transaction, and a scope that was removed by mistake could not be given back.
pub async fn edit(
    context: &Context,
    actor: &Actor,
    id: &McpServerId,
    edit: &ServerEdit,
) -> Result<bool, McpServerError> {
    let (mut change, before) = begin_for(context, actor, id).await?;
    let after = edit.apply(&before)?;
    if !edit.removes_held_scopes {
        refuse_held(&mut change, &before, &after).await?;
    }
    check_policies(&mut change, &before, &after).await?;
    let mut changes = Changes::default();
    changes.note("name", &before.name, &after.name);
    changes.note("token_lifetime", before.token_lifetime.as_secs(), after.token_lifetime.as_secs());
    changes.note("alg", before.alg.as_str(), after.alg.as_str());
    let described = |server: &McpServer| server.scopes.iter().map(audited).collect::<Vec<_>>();
    changes.note("scopes", described(&before), described(&after));
    if changes.is_empty() {
        return Ok(false);
    }
    let now = change.now();
    context.keys.signing.ensure(&mut change, after.alg, now, context.random.as_ref()).await?;
    store::server::update(&mut change, &after).await?;
    change.commit(actor, &after.event(Action::McpServerEdited).with(changes.into())).await?;
    Ok(true)
}

/// Refuses what would give credentials, without a change of them, what a policy does not allow: longer tokens, or a
/// scope that needs address ranges.
async fn check_policies(change: &mut Change<'_>, before: &McpServer, after: &McpServer) -> Result<(), McpServerError> {
    let policies = store::operations::policy::all(&mut *change).await?;
    let grows = after.token_lifetime > before.token_lifetime;
    if let Some(most) = policies.longest_token().filter(|most| grows && after.token_lifetime > *most) {
        return Err(FieldError::new("token_lifetime", too_long_tokens(most)).into());
    }
    let policy = policies.get(PolicyName::AddressRanges);
    if policy.mode != PolicyMode::Enforce {
        return Ok(());
    }
    for word in &policy.terms.words {
        let (old, new) = (before.giving(word), after.giving(word));
        let words = new.iter().filter(|scope| !old.contains(scope)).map(str::to_owned).collect();
        let asked = Policy { terms: PolicyTerms { words, ..policy.terms.clone() }, ..policy.clone() };
        let (context, now) = (change.context(), change.now());
        if !asked.terms.words.is_empty()
            && store::operations::policy::affected(&context.store, &asked, now, 1).await?.1 > 0
        {
            let problem = format!(
                "A policy needs address ranges for the scope {word}, and credentials without any would get it. Give them \
                 address ranges first."
            );
            return Err(FieldError::new("scopes", problem).into());
        }
    }
    Ok(())
}

/// A scope as the audit log says it.
fn audited(scope: &ScopeDescription) -> Value {
    let mut said = json!({ "name": scope.name, "allows": scope.description });
    if !scope.implies.is_empty() {
        said["implies"] = json!(scope.implies);
    }
    said
}

/// # Errors
///
/// An error at the confirmation that names the removed scopes that something gets.
async fn refuse_held(change: &mut Change<'_>, before: &McpServer, after: &McpServer) -> Result<(), McpServerError> {
    let context = change.context();
    let removed = removed(change, context, before, after).await?;
    if removed.holders.is_empty() {
        return Ok(());
    }
    let (is, them) = if removed.scopes.len() == 1 { ("is", "it") } else { ("are", "them") };
    let problem = format!("{} {is} in use. Confirm that you want to remove {them}.", removed.scopes.join(", "));
    Err(FieldError::new("removes", problem).into())
}
