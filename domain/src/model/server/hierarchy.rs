//! Scopes that imply others of the same MCP server: whoever may write documents may read them.

use std::collections::BTreeMap;

use crate::model::server::ScopeDescription;
use crate::model::server::scope::Scopes;

/// The scopes of an MCP server, and what each implies, over any number of steps.
///
/// A token carries the scopes that it was granted and all that they imply. So an MCP server that knows no hierarchy
/// finds each scope that it asks for.
#[derive(Debug, Clone)]
pub(crate) struct Hierarchy {
    /// The scopes of the server.
    names: Scopes,
    /// The scopes that imply others, with these others, in the server's order.
    implied: BTreeMap<String, Vec<String>>,
}

impl Hierarchy {
    /// The hierarchy of a server with these scopes. An implied scope that the server does not have means nothing.
    pub(crate) fn of(scopes: &[ScopeDescription]) -> Self {
        let names = scopes.iter().map(|scope| scope.name.as_str()).collect();
        let implied = scopes.iter().filter(|scope| !scope.implies.is_empty()).map(|scope| {
            let reached = reached(scopes, &scope.name);
            let others = scopes.iter().map(|other| other.name.as_str()).filter(|name| reached.contains(name));
            (scope.name.clone(), others.filter(|name| *name != scope.name).map(str::to_owned).collect())
        });
        Self { names, implied: implied.collect() }
    }

    /// The scopes of the server.
    pub(crate) fn names(&self) -> &Scopes {
        &self.names
    }

    /// Those of `held` that the server has, in their order, and after them the scopes that they imply.
    pub(crate) fn closure(&self, held: &Scopes) -> Scopes {
        let own = held.intersection(&self.names);
        if self.implied.is_empty() {
            return own;
        }
        let implied = own.iter().filter_map(|scope| self.implied.get(scope)).flatten().map(String::as_str);
        own.iter().chain(implied).collect()
    }

    /// The scopes that give `scope`: itself, and all that imply it, in the server's order.
    pub(crate) fn giving(&self, scope: &str) -> Scopes {
        let implies =
            |name: &&str| self.implied.get(*name).is_some_and(|implied| implied.iter().any(|one| one == scope));
        std::iter::once(scope).chain(self.names.iter().filter(implies)).collect()
    }
}

/// The scopes that can be reached from `start`: not `start` itself, unless it is in a circle.
fn reached(scopes: &[ScopeDescription], start: &str) -> Scopes {
    let implied_by = |name: &str| scopes.iter().find(|scope| scope.name == name).map(|scope| scope.implies.as_slice());
    let (mut found, mut open) = (Vec::new(), vec![start]);
    while let Some(name) = open.pop() {
        for implied in implied_by(name).unwrap_or_default() {
            if !found.contains(&implied.as_str()) {
                found.push(implied);
                open.push(implied);
            }
        }
    }
    found.into_iter().collect()
}

/// Checks what the scopes of a server imply.
///
/// # Errors
///
/// Which implied scope the server does not have, or which scope implies itself.
pub(crate) fn check(scopes: &[ScopeDescription]) -> Result<(), String> {
    let is_known = |name: &String| scopes.iter().any(|scope| scope.name == *name);
    for scope in scopes {
        if let Some(unknown) = scope.implies.iter().find(|name| !is_known(name)) {
            return Err(format!("{} implies {unknown}, which is none of these scopes.", scope.name));
        }
    }
    match scopes.iter().find(|scope| reached(scopes, &scope.name).contains(&scope.name)) {
        Some(scope) => Err(format!("{} implies itself. Take one of the implications in this circle out.", scope.name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(lines: &[&str]) -> Vec<ScopeDescription> {
        lines.iter().map(|line| ScopeDescription::parse(line)).collect()
    }

    fn closed(lines: &[&str], held: &str) -> String {
        Hierarchy::of(&scopes(lines)).closure(&Scopes::parse(held).expect("valid")).to_string()
    }

    #[test]
    fn the_closure_has_what_is_implied_over_several_steps() {
        let lines = ["read", "write (implies read)", "admin (implies write, share)", "share", "other"];
        for (held, expected) in [
            ("read", "read"),
            ("write", "write read"),
            ("admin", "admin read write share"),
            ("other write unknown", "other write read"),
            ("read admin", "read admin write share"),
            ("unknown", ""),
            ("", ""),
        ] {
            assert_eq!(closed(&lines, held), expected, "{held}");
        }
        assert_eq!(closed(&["a", "b"], "b c a"), "b a");
        // An earlier version may have removed the implied scope.
        assert_eq!(closed(&["write (implies read)"], "write"), "write");
        assert!(check(&scopes(&lines)).is_ok());
    }

    #[test]
    fn a_scope_is_given_by_all_that_imply_it() {
        let hierarchy =
            Hierarchy::of(&scopes(&["read", "write (implies read)", "admin (implies write, share)", "share", "other"]));
        for (scope, giving) in
            [("read", "read write admin"), ("share", "share admin"), ("admin", "admin"), ("unknown", "unknown")]
        {
            assert_eq!(hierarchy.giving(scope).to_string(), giving);
        }
    }

    #[test]
    fn circles_and_unknown_scopes_are_named() {
        for (lines, said) in [
            (&["a (implies a)"][..], "a implies itself"),
            (&["x", "a (implies b)", "b (implies c)", "c (implies a)"], "a implies itself"),
            (&["a (implies b)"], "a implies b, which is none"),
            // Without the bracket at the end, the words after it are no scopes.
            (&["a (implies b It writes.", "b"], "a implies It, which is none"),
        ] {
            assert!(check(&scopes(lines)).expect_err("refused").contains(said), "{lines:?}");
        }
        // A circle that got into a database ends.
        assert_eq!(closed(&["a (implies b)", "b (implies a)"], "a"), "a b");
    }
}
