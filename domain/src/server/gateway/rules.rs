//! Sets which scope allows which tool, prompt and resource.

use std::collections::BTreeSet;

use serde_json::json;

use crate::base::id::McpServerId;
use crate::model::server::ScopeDescription;
use crate::model::server::gateway::rules::{Rules, ScopeRule};
use crate::model::server::gateway::tools::{Hint, is_name};
use crate::prelude::{Action, Actor, AtField, Changes, Context, FieldError};
use crate::server::gateway::begin_for_gateway;
use crate::server::{McpServerError, check_scopes};
use crate::store;

/// The most names in one list of a rule.
const MOST_NAMES: usize = 1000;
/// The longest beginning of a URI, in bytes.
const LONGEST_BEGINNING: usize = 1000;

/// What is wrong with the rule of a scope.
fn check(scope: &str, rule: &ScopeRule) -> Result<(), FieldError> {
    let lists = [&rule.tools, &rule.prompts, &rule.resources];
    if lists.into_iter().flatten().any(|list| list.len() > MOST_NAMES) {
        let problem = format!("{scope} lists more than {MOST_NAMES} names. Let it allow all, or list fewer.");
        return Err(FieldError::new("rules", problem));
    }
    let names = [&rule.tools, &rule.prompts].into_iter().flatten().flatten();
    let wrong = names.into_iter().find(|name| !is_name(name));
    if let Some(name) = wrong {
        return Err(FieldError::new("rules", format!("{scope}: “{name}” cannot be the name of a tool or prompt.")));
    }
    let is_beginning = |uri: &String| !uri.is_empty() && uri.len() <= LONGEST_BEGINNING && uri.contains(':');
    match rule.resources.iter().flatten().find(|uri| !is_beginning(uri)) {
        Some(uri) => {
            let problem = format!("{scope}: “{uri}” is not the beginning of a URI, such as file:///docs/.");
            Err(FieldError::new("rules", problem))
        }
        None => Ok(()),
    }
}

/// Replaces the rules of these scopes. Returns whether anything changed. When this returns, each further call obeys
/// them, on every node. Only administrators may do this.
pub async fn set(
    context: &Context,
    actor: &Actor,
    id: &McpServerId,
    rules: &[(String, ScopeRule)],
) -> Result<bool, McpServerError> {
    let (mut change, server, gateway) = begin_for_gateway(context, actor, id).await?;
    let mut after = gateway.rules.clone();
    for (scope, rule) in rules {
        if !server.scopes.iter().any(|own| own.name == *scope) {
            let problem = format!("The server has no scope {scope} any more. Reload the page.");
            return Err(FieldError::new("rules", problem).into());
        }
        check(scope, rule)?;
        after.set(scope, rule.clone());
    }
    let mut changes = Changes::default();
    for scope in server.scopes.iter().map(|scope| scope.name.as_str()) {
        let (before, after) = (gateway.rules.of(scope), after.of(scope));
        let said = |list: &Option<BTreeSet<String>>| list.as_ref().map_or_else(|| json!("all"), |list| json!(list));
        changes.note(&format!("{scope}: tools"), said(&before.tools), said(&after.tools));
        changes.note(&format!("{scope}: prompts"), said(&before.prompts), said(&after.prompts));
        changes.note(&format!("{scope}: resources"), said(&before.resources), said(&after.resources));
    }
    if changes.is_empty() {
        return Ok(false);
    }
    store::server::gateway::set_rules(&mut change, id, &after).await?;
    change.commit(actor, &server.event(Action::McpServerRulesChanged).with(changes.into())).await?;
    Ok(true)
}

/// Whether some of these rules allow more than before: then the person is asked again who they are.
pub fn widen(before: &Rules, rules: &[(String, ScopeRule)]) -> bool {
    let is_wider = |before: &Option<BTreeSet<String>>, after: &Option<BTreeSet<String>>| match (before, after) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(before), Some(after)) => !after.is_subset(before),
    };
    rules.iter().any(|(scope, after)| {
        let before = before.of(scope);
        is_wider(&before.tools, &after.tools)
            || is_wider(&before.prompts, &after.prompts)
            || is_wider(&before.resources, &after.resources)
    })
}

/// Adds a scope that allows the tools that say that they only read, or all tools. It comes after the other scopes, so
/// the default scope stays. Only administrators may do this.
pub async fn add_ready_scope(
    context: &Context,
    actor: &Actor,
    id: &McpServerId,
    name: &str,
    only_reads: bool,
) -> Result<(), McpServerError> {
    let (mut change, mut server, gateway) = begin_for_gateway(context, actor, id).await?;
    let description = if only_reads { "Use the tools that only read." } else { "Use all tools." };
    let before: Vec<String> = server.scopes.iter().map(|scope| scope.name.clone()).collect();
    server.scopes.push(ScopeDescription {
        name: name.to_owned(),
        description: description.to_owned(),
        implies: Vec::new(),
    });
    check_scopes(&server.scopes).at("main")?;
    let mut rules = gateway.rules;
    let mut allowed = None;
    if only_reads {
        let tools = store::server::gateway::tools(&mut change, id).await?;
        let reading = tools.into_iter().filter(|tool| tool.hint() == Hint::Reads).map(|tool| tool.name);
        allowed = Some(reading.collect::<BTreeSet<_>>());
    }
    rules.set(name, ScopeRule { tools: allowed.clone(), ..ScopeRule::default() });
    let after: Vec<String> = server.scopes.iter().map(|scope| scope.name.clone()).collect();
    let mut changes = Changes::default();
    changes.note("scopes", before, after);
    changes.add("tools", allowed.map_or_else(|| json!("all"), |names| json!(names)));
    store::server::update(&mut change, &server).await?;
    store::server::gateway::set_rules(&mut change, id, &rules).await?;
    Ok(change.commit(actor, &server.event(Action::McpServerRulesChanged).with(changes.into())).await?)
}
