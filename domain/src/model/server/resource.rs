//! Resource indicators (RFC 8707): they name the MCP server for which a client requests a token.

use url::Url;

use crate::model::server::McpServer;

/// The form in which two resource identifiers are compared: scheme and host in lower case, no default port, and no
/// difference between an empty path and `/`. Compare with [`find`]. `None` when it is no absolute http(s) URI, or has
/// a fragment.
///
/// Only the comparison uses it; a token's audience is the identifier as it was registered.
pub(crate) fn canonical(resource: &str) -> Option<String> {
    let url = Url::parse(resource).ok()?;
    let usable = matches!(url.scheme(), "http" | "https") && url.has_host() && url.fragment().is_none();
    usable.then(|| url.into())
}

/// The candidate whose identifier is `asked`, both in canonical form. One slash at the end of the path makes no
/// difference, because people type it in one place and not in the other. If both spellings are candidates, the exact
/// one counts: earlier versions registered both.
pub(crate) fn find<'own, T>(asked: &str, mut candidates: impl Iterator<Item = (&'own str, T)> + Clone) -> Option<T> {
    let exact = candidates.clone().find(|(own, _)| *own == asked);
    exact.or_else(|| candidates.find(|(own, _)| is_same(own, asked))).map(|(_, found)| found)
}

/// The server that `asked` names, by the rule of [`find`].
pub(crate) fn server<'servers>(asked: &str, servers: &'servers [McpServer]) -> Option<&'servers McpServer> {
    let asked = canonical(asked)?;
    let exact = servers.iter().find(|server| canonical(&server.resource).as_ref() == Some(&asked));
    exact.or_else(|| servers.iter().find(|server| names(&asked, &server.resource)))
}

/// Whether two identifiers, as people write them, name the same server.
pub(crate) fn names(left: &str, right: &str) -> bool {
    matches!((canonical(left), canonical(right)), (Some(left), Some(right)) if is_same(&left, &right))
}

/// Whether two identifiers in canonical form name the same server.
fn is_same(left: &str, right: &str) -> bool {
    without_slash(left) == without_slash(right)
}

/// The identifier without one slash at the end of its path.
fn without_slash(form: &str) -> &str {
    // A slash at the end of a query is no part of the path.
    if form.contains('?') { form } else { form.strip_suffix('/').unwrap_or(form) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_resources_have_one_form() {
        let form = canonical("https://mcp.example.com/");
        assert!(form.is_some());
        for same in ["https://mcp.example.com", "HTTPS://MCP.example.COM/", "https://mcp.example.com:443/"] {
            assert_eq!(canonical(same), form, "{same}");
        }
        for wrong in ["/mcp", "mcp.example.com", "https://mcp.example.com/#x", "urn:x:y", "https://", ""] {
            assert_eq!(canonical(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn one_slash_at_the_end_names_the_same_server() {
        assert!(names("https://mcp.example.com/mcp/", "https://mcp.example.com/mcp"));
        assert!(names("https://mcp.example.com/mcp", "https://MCP.example.com:443/mcp/"));
        assert!(names("https://mcp.example.com", "https://mcp.example.com/"));
        assert!(!names("https://mcp.example.com/mcp//", "https://mcp.example.com/mcp"));
        assert!(!names("https://mcp.example.com/mcp?a=/", "https://mcp.example.com/mcp?a="));
        assert!(!names("https://mcp.example.com/mcp/x", "https://mcp.example.com/mcp"));
        let both = [("https://a.example/mcp/", 1), ("https://a.example/mcp", 2)];
        assert_eq!(find("https://a.example/mcp", both.into_iter()), Some(2));
        assert_eq!(find("https://a.example/mcp/", both.into_iter()), Some(1));
        assert_eq!(find("https://a.example/mcp/", both[1..].iter().copied()), Some(2));
        assert_eq!(find("https://a.example/", both.into_iter()), None);
    }
}
