//! Resource indicators (RFC 8707): they name the MCP server for which a client requests a token.

use url::Url;

/// The form in which two resource identifiers are compared: scheme and host in lower case, no default port, and no
/// difference between an empty path and `/`. `None` when it is no absolute http(s) URI, or has a fragment.
///
/// Only the comparison uses it; a token's audience is the identifier as it was registered.
pub(crate) fn canonical(resource: &str) -> Option<String> {
    let url = Url::parse(resource).ok()?;
    let usable = matches!(url.scheme(), "http" | "https") && url.has_host() && url.fragment().is_none();
    usable.then(|| url.into())
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
        assert_ne!(canonical("https://mcp.example.com/mcp/"), canonical("https://mcp.example.com/mcp"));
        for wrong in ["/mcp", "mcp.example.com", "https://mcp.example.com/#x", "urn:x:y", "https://", ""] {
            assert_eq!(canonical(wrong), None, "{wrong}");
        }
    }
}
