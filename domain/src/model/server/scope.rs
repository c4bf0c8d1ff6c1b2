//! OAuth scopes (RFC 6749 §3.3).

use std::fmt;

/// The scope with which OpenID Connect Core 1.0 §11 asks for a refresh token. Clients add it to the scopes of an MCP
/// server. Each consent brings a refresh token here, so the scope grants nothing.
pub const OFFLINE_ACCESS: &str = "offline_access";

/// A set of scope tokens, in the order they were given, without repetition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// Reads a space-separated list; more than one space between tokens is tolerated. `None` when a token has a
    /// character that RFC 6749 §3.3 does not allow (`"`, `\`, controls, anything that is not ASCII).
    pub fn parse(text: &str) -> Option<Self> {
        let mut scopes = Self::default();
        for token in text.split(' ').filter(|token| !token.is_empty()) {
            if !token.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)) {
                return None;
            }
            scopes.push(token);
        }
        Some(scopes)
    }

    /// The tokens that are in both sets, in this one's order.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|token| other.contains(token)).cloned().collect())
    }

    /// The scopes that a request for `asked`, the value of a `scope` parameter, gets of `grantable`; `by_default` if it
    /// asks for none. Scopes that cannot be granted are left out. `None` when `asked` is malformed.
    ///
    /// A request for [`OFFLINE_ACCESS`] alone asks for none, unless the server has a scope of this name.
    pub(crate) fn granted(asked: Option<&str>, grantable: &Self, by_default: Self) -> Option<Self> {
        let Some(asked) = asked else { return Some(by_default) };
        let asked = Self::parse(asked)?;
        let asks_for_none = asked.iter().all(|token| token == OFFLINE_ACCESS && !grantable.contains(token));
        Some(if asks_for_none { by_default } else { asked.intersection(grantable) })
    }

    /// Whether the set has `token`.
    pub fn contains(&self, token: &str) -> bool {
        self.0.iter().any(|own| own == token)
    }

    /// Whether the set has no token.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tokens.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    fn push(&mut self, token: &str) {
        if !self.contains(token) {
            self.0.push(token.to_owned());
        }
    }
}

impl<'token> FromIterator<&'token str> for Scopes {
    fn from_iter<I: IntoIterator<Item = &'token str>>(tokens: I) -> Self {
        let mut scopes = Self::default();
        tokens.into_iter().for_each(|token| scopes.push(token));
        scopes
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_rfc_6749_writes_them() {
        let scopes = Scopes::parse("mcp:read  mcp:write mcp:read").expect("valid");
        assert_eq!(scopes.to_string(), "mcp:read mcp:write");
        assert!(Scopes::parse("").expect("valid").is_empty());
        for wrong in ["a\"b", "a\\b", "a\tb", "ä", "a\u{7f}"] {
            assert_eq!(Scopes::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_request_without_a_scope_of_a_server_gets_the_default() {
        let read = |text: &str| Scopes::parse(text).expect("valid");
        let granted = |asked: Option<&str>, grantable: &str| {
            Scopes::granted(asked, &read(grantable), read("a")).map(|scopes| scopes.to_string())
        };
        for (asked, grantable, expected) in [
            (None, "a b", "a"),
            (Some(""), "a b", "a"),
            (Some("offline_access"), "a b", "a"),
            (Some("b offline_access x"), "a b", "b"),
            (Some("offline_access x"), "a b", ""),
            (Some("offline_access"), "a offline_access", "offline_access"),
        ] {
            assert_eq!(granted(asked, grantable).as_deref(), Some(expected), "{asked:?}");
        }
        assert_eq!(granted(Some("a\"b"), "a"), None);
    }

    #[test]
    fn the_intersection_keeps_what_both_have() {
        let left = Scopes::parse("a b c").expect("valid");
        let right = Scopes::parse("c a d").expect("valid");
        assert_eq!(left.intersection(&right).to_string(), "a c");
    }
}
