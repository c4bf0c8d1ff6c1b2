//! Which scope allows which tool, prompt and resource.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::server::ScopeDescription;
use crate::model::server::scope::Scopes;

/// What a message asks the server for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item<'message> {
    /// A tool, by its name.
    Tool(&'message str),
    /// A prompt, by its name.
    Prompt(&'message str),
    /// A resource, by its URI.
    Resource(&'message str),
}

/// What one scope allows. An absent list allows all, also what the server adds later. An empty list allows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeRule {
    /// Names of tools.
    pub tools: Option<BTreeSet<String>>,
    /// Names of prompts.
    pub prompts: Option<BTreeSet<String>>,
    /// Beginnings of the URIs of resources.
    pub resources: Option<BTreeSet<String>>,
}

impl ScopeRule {
    /// Whether it allows everything.
    pub(crate) fn allows_all(&self) -> bool {
        *self == Self::default()
    }

    /// What both rules allow.
    pub(crate) fn in_both(&self, other: &Self) -> Self {
        let names = |one: &Option<BTreeSet<String>>, other: &Option<BTreeSet<String>>| match (one, other) {
            (Some(one), Some(other)) => Some(one.intersection(other).cloned().collect()),
            (only, None) | (None, only) => only.clone(),
        };
        let beginnings = match (&self.resources, &other.resources) {
            (Some(one), Some(other)) => {
                let within =
                    |all: &BTreeSet<String>, uri: &&String| all.iter().any(|wide| uri.starts_with(wide.as_str()));
                let (first, second) =
                    (one.iter().filter(|uri| within(other, uri)), other.iter().filter(|uri| within(one, uri)));
                Some(first.chain(second).cloned().collect())
            }
            (only, None) | (None, only) => only.clone(),
        };
        Self {
            tools: names(&self.tools, &other.tools),
            prompts: names(&self.prompts, &other.prompts),
            resources: beginnings,
        }
    }

    fn allows(&self, item: Item<'_>) -> bool {
        match item {
            Item::Tool(name) => self.tools.as_ref().is_none_or(|names| names.contains(name)),
            Item::Prompt(name) => self.prompts.as_ref().is_none_or(|names| names.contains(name)),
            Item::Resource(uri) => self.resources.as_ref().is_none_or(|beginnings| {
                !climbs(uri) && beginnings.iter().any(|beginning| uri.starts_with(beginning.as_str()))
            }),
        }
    }
}

/// Whether a URI may lead out of the folder that it begins with. The server behind the gateway may resolve it.
fn climbs(uri: &str) -> bool {
    let plain = uri.replace("%2e", ".").replace("%2E", ".").replace("%2f", "/").replace("%2F", "/");
    let plain = plain.replace("%5c", "/").replace("%5C", "/").replace('\\', "/");
    // Readers of URLs leave out tabs and line ends, also between two dots. A server that decodes twice finds an escaped
    // escape.
    plain.bytes().any(|byte| byte <= b' ' || byte == 0x7f)
        || plain.contains("%25")
        || plain.split(['/', '?', '#']).any(|part| part == "..")
}

/// What the scopes of one server allow. A scope without a rule allows everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rules(BTreeMap<String, ScopeRule>);

impl Rules {
    /// The rule of a scope.
    pub fn of(&self, scope: &str) -> ScopeRule {
        self.0.get(scope).cloned().unwrap_or_default()
    }

    /// Replaces the rule of a scope.
    pub fn set(&mut self, scope: &str, rule: ScopeRule) {
        if rule.allows_all() {
            self.0.remove(scope);
        } else {
            self.0.insert(scope.to_owned(), rule);
        }
    }

    /// What both allow.
    pub(crate) fn in_both(&self, other: &Self) -> Self {
        let mut both = Self::default();
        for scope in self.0.keys().chain(other.0.keys()) {
            both.set(scope, self.of(scope).in_both(&other.of(scope)));
        }
        both
    }

    /// Whether the scope allows the item.
    pub fn scope_allows(&self, scope: &str, item: Item<'_>) -> bool {
        self.0.get(scope).is_none_or(|rule| rule.allows(item))
    }

    /// Whether a token with the scopes `held` may use the item.
    pub fn allow(&self, held: &Scopes, item: Item<'_>) -> bool {
        held.iter().any(|scope| self.scope_allows(scope, item))
    }

    /// Whether a token with the scopes `held` may use everything of the server, so that nothing of an answer must be
    /// left out.
    pub fn allow_all(&self, held: &Scopes) -> bool {
        held.iter().any(|scope| !self.0.contains_key(scope))
    }

    /// The scopes that a token needs for the item: its present scopes, and the scope of the server that allows the item
    /// and the fewest others. `None` when no scope of the server allows it.
    pub fn needed(&self, scopes: &[ScopeDescription], held: &Scopes, item: Item<'_>) -> Option<Scopes> {
        let width = |scope: &&str| match (self.0.get(*scope), item) {
            (None, _) => usize::MAX,
            (Some(rule), Item::Tool(_)) => rule.tools.as_ref().map_or(usize::MAX, BTreeSet::len),
            (Some(rule), Item::Prompt(_)) => rule.prompts.as_ref().map_or(usize::MAX, BTreeSet::len),
            (Some(rule), Item::Resource(_)) => rule.resources.as_ref().map_or(usize::MAX, BTreeSet::len),
        };
        let allowing = scopes.iter().map(|scope| scope.name.as_str()).filter(|scope| self.scope_allows(scope, item));
        let least = allowing.min_by_key(width)?;
        Some(held.iter().chain([least]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(items: &[&str]) -> Option<BTreeSet<String>> {
        Some(items.iter().map(|item| (*item).to_owned()).collect())
    }

    fn scopes(names: &[&str]) -> Scopes {
        names.iter().copied().collect()
    }

    fn described(names: &[&str]) -> Vec<ScopeDescription> {
        names.iter().map(|name| ScopeDescription::parse(name)).collect()
    }

    fn rules() -> Rules {
        let mut rules = Rules::default();
        rules.set("read", ScopeRule { tools: set(&["search"]), prompts: set(&[]), resources: set(&["file:///docs/"]) });
        rules.set("write", ScopeRule { tools: set(&["search", "update"]), ..ScopeRule::default() });
        rules
    }

    #[test]
    fn a_scope_allows_what_its_rule_lists_and_without_a_rule_everything() {
        let rules = rules();
        let held = scopes(&["read"]);
        assert!(rules.allow(&held, Item::Tool("search")) && !rules.allow(&held, Item::Tool("update")));
        assert!(!rules.allow(&held, Item::Prompt("greet")));
        assert!(rules.allow(&scopes(&["read", "write"]), Item::Prompt("greet")));
        assert!(rules.allow(&scopes(&["admin"]), Item::Tool("delete")));
        assert!(!rules.allow(&scopes(&[]), Item::Tool("search")), "a token without a scope of the server");
        assert!(rules.allow_all(&scopes(&["read", "admin"])) && !rules.allow_all(&scopes(&["read", "write"])));
        assert!(!rules.allow_all(&scopes(&[])));
    }

    #[test]
    fn a_refusal_names_the_scopes_held_and_the_narrowest_that_helps() {
        let (rules, all) = (rules(), described(&["admin", "write", "read"]));
        let needed = |held: &[&str], item| rules.needed(&all, &scopes(held), item).map(|needed| needed.to_string());
        assert_eq!(needed(&["read"], Item::Tool("update")).as_deref(), Some("read write"));
        assert_eq!(needed(&[], Item::Tool("search")).as_deref(), Some("read"));
        assert_eq!(needed(&["read"], Item::Tool("delete")).as_deref(), Some("read admin"));
        let narrow = described(&["write", "read"]);
        assert_eq!(rules.needed(&narrow, &scopes(&["read"]), Item::Tool("delete")), None);
    }

    #[test]
    fn what_two_rules_allow_is_what_both_allow() {
        let rule = |tools: Option<&[&str]>, resources: Option<&[&str]>| ScopeRule {
            tools: tools.and_then(set),
            prompts: None,
            resources: resources.and_then(set),
        };
        let one = rule(Some(&["a", "b"]), Some(&["file:///docs/", "file:///x/y/"]));
        let other = rule(Some(&["b", "c"]), Some(&["file:///docs/a/", "file:///x/", "file:///z/"]));
        let both = rule(Some(&["b"]), Some(&["file:///docs/a/", "file:///x/y/"]));
        assert_eq!((one.in_both(&other), other.in_both(&one)), (both.clone(), both));
        assert_eq!((one.in_both(&ScopeRule::default()), ScopeRule::default().in_both(&one)), (one.clone(), one));
    }

    #[test]
    fn a_resource_does_not_climb_out_of_its_folder() {
        let (rules, held) = (rules(), scopes(&["read"]));
        for allowed in
            ["file:///docs/a.md", "file:///docs/", "file:///docs/a..b", "file:///docs/...", "file:///docs/a%20b"]
        {
            assert!(rules.allow(&held, Item::Resource(allowed)), "{allowed}");
        }
        for refused in [
            "file:///secret",
            "FILE:///docs/a",
            "file:///docs/../secret",
            "file:///docs/..",
            "file:///docs/%2e%2E/secret",
            "file:///docs/..%2Fsecret",
            "file:///docs/a/..\\..\\secret",
            "file:///docs/%5c..%5csecret",
            "file:///docs/%252e%252e/secret",
        ] {
            assert!(!rules.allow(&held, Item::Resource(refused)), "{refused}");
        }
    }
}
