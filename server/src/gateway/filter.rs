//! Takes out of an answer what the token may not use, and finds the definitions of tools in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::model::server::gateway::ChangePolicy;
use domain::model::server::gateway::rules::Item;
use domain::model::server::gateway::tools::Definition;
use domain::model::server::scope::Scopes;
use domain::services::gateways::Snapshot;
use serde_json::Value;

use crate::gateway::shape::Shape;

/// What a token may use of a server.
#[derive(Clone)]
pub(super) struct Filter {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) scopes: Scopes,
}

/// A message that holds a list, or may hold one, and that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// The definitions of tools in an answer.
pub(super) type Sent = BTreeMap<String, Definition>;

impl Filter {
    /// Whether something may have to be taken out.
    pub(super) fn is_needed(&self) -> bool {
        !self.snapshot.gateway.rules.allow_all(&self.scopes) || self.snapshot.gateway.on_change == ChangePolicy::Block
    }

    /// Whether the token may use the item.
    pub(super) fn allows(&self, item: Item<'_>) -> bool {
        self.snapshot.gateway.rules.allow(&self.scopes, item)
    }

    /// A message or a batch without what the token may not use, and the definitions of tools in it. `None`: it passes
    /// as it is.
    pub(super) fn filtered(&self, text: &[u8]) -> Result<Option<(String, Sent)>, Unreadable> {
        match Shape::of(text) {
            Shape::NoList => return Ok(None),
            // A token that may use everything gets what its reader can make of it.
            Shape::Unclear if !self.is_needed() => return Ok(None),
            Shape::Unclear => return Err(Unreadable),
            Shape::List => {}
        }
        let mut message: Value = serde_json::from_slice(text).map_err(|_| Unreadable)?;
        let sent = self.apply(&mut message).unwrap_or_default();
        Ok(Some((message.to_string(), sent)))
    }

    /// Takes out of a message, or of a list of messages, what the token may not use. Returns the definitions of tools
    /// in it, also of tools that were taken out.
    fn apply(&self, message: &mut Value) -> Option<Sent> {
        if let Value::Array(messages) = message {
            return messages.iter_mut().fold(None, |found, message| self.apply(message).or(found));
        }
        let result = message.get_mut("result")?.as_object_mut()?;
        let by_name = |entry: &Value, item: fn(&str) -> Item<'_>| {
            entry["name"].as_str().is_some_and(|name| self.allows(item(name)))
        };
        let by_uri =
            |entry: &Value, member: &str| entry[member].as_str().is_some_and(|uri| self.allows(Item::Resource(uri)));
        if let Some(Value::Array(prompts)) = result.get_mut("prompts") {
            prompts.retain(|prompt| by_name(prompt, |name| Item::Prompt(name)));
        }
        if let Some(Value::Array(resources)) = result.get_mut("resources") {
            resources.retain(|resource| by_uri(resource, "uri"));
        }
        if let Some(Value::Array(templates)) = result.get_mut("resourceTemplates") {
            templates.retain(|template| by_uri(template, "uriTemplate"));
        }
        let Some(Value::Array(tools)) = result.get_mut("tools") else { return None };
        let mut sent = BTreeMap::new();
        tools.retain(|tool| {
            // Without a usable name nobody could call it.
            let Some((name, definition)) = Definition::of(tool) else { return false };
            let is_allowed = self.allows(Item::Tool(&name)) && !self.blocks(&name, &definition);
            sent.insert(name, definition);
            is_allowed
        });
        Some(sent)
    }

    /// Whether a tool with this definition must be accepted first.
    fn blocks(&self, name: &str, definition: &Definition) -> bool {
        let accepted = self.snapshot.tools.get(name).and_then(|tool| tool.accepted.as_ref());
        self.snapshot.gateway.on_change == ChangePolicy::Block
            && accepted.is_some_and(|accepted| accepted != definition)
    }

    /// The tools whose definition is news.
    pub(super) fn news<'of>(&self, sent: &'of Sent) -> impl Iterator<Item = &'of String> {
        let known = |name: &String| self.snapshot.tools.get(name).and_then(|tool| tool.seen.as_ref());
        sent.iter().filter(move |(name, definition)| known(name) != Some(*definition)).map(|(name, _)| name)
    }
}
