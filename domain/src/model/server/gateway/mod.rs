//! MCP servers behind the gateway: clients call us, we check the token and the message, and call the server.
//!
//! | module | what it holds |
//! |---|---|
//! | this one | the gateway of one MCP server: its address, its limits |
//! | [`rules`] | which scope allows which tool, prompt and resource |
//! | [`tools`] | definitions of tools, as they were accepted and as they are now |
//! | [`call`] | records of calls |

pub mod call;
pub mod rules;
pub mod tools;

use crate::base::clock::Timestamp;
use crate::base::word_enum::word_enum;
use crate::model::server::gateway::rules::Rules;

word_enum! {
    /// What happens to a tool whose definition is no longer the accepted one.
    pub enum ChangePolicy {
        /// The page and the webhooks say so. The tool stays in use.
        Warn = "warn",
        /// Besides that, clients neither see nor call the tool until an administrator accepts the definition.
        Block = "block",
    }
}

/// How much the server may be called. An absent number is no limit. Each node of an instance counts for itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallLimits {
    /// Calls a minute, of all callers together.
    pub per_minute: Option<u32>,
    /// Calls under way at the same time, of all callers together.
    pub concurrent: Option<u32>,
    /// Calls a minute of each caller.
    pub per_minute_each: Option<u32>,
    /// Calls under way at the same time of each caller.
    pub concurrent_each: Option<u32>,
    /// Whether a call over a limit is refused. Otherwise it is only counted, to find out what a limit would do.
    pub is_enforced: bool,
}

/// The gateway of one MCP server. The value of its header is not here: it is opened only where it is sent.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// The last part of its address: `/gateway/{slug}`.
    pub slug: String,
    /// The address of the MCP server behind it.
    pub upstream: String,
    /// The header with which we prove ourselves to that server, if there is one.
    pub header: Option<String>,
    /// Whether the server is told who calls, in a signed header.
    pub sends_identity: bool,
    /// What happens to a tool whose definition changed.
    pub on_change: ChangePolicy,
    /// Whether webhooks are told when a caller uses a destructive tool for the first time.
    pub reports_destructive: bool,
    /// Its limits.
    pub limits: CallLimits,
    /// What its scopes allow.
    pub rules: Rules,
    /// The names of the prompts that the server had when an administrator last looked.
    pub prompts: Vec<String>,
    /// What the server said about itself when an administrator last looked.
    pub greeting: Option<UpstreamGreeting>,
    /// The last answer with which the server refused our header, if no later call worked.
    pub refusal: Option<UpstreamRefusal>,
}

/// What an MCP server says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamGreeting {
    /// Its name and version.
    pub name: String,
    /// The version of the protocol.
    pub protocol: String,
    /// When it said so.
    pub at: Timestamp,
}

/// The server behind the gateway refused our header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamRefusal {
    /// 401 or 403.
    pub status: i64,
    /// When it did.
    pub at: Timestamp,
}

/// The header that carries the identity of the caller to the server behind the gateway.
pub const IDENTITY_HEADER: &str = "Countersign-Identity";

/// The path of the gateway. The slug of a server follows.
pub const PATH: &str = "/gateway/";

/// The longest slug, in characters.
const LONGEST_SLUG: usize = 60;

/// The slug in a resource identifier of this issuer, if it is one of the gateway.
pub(crate) fn slug_of<'resource>(issuer: &str, resource: &'resource str) -> Option<&'resource str> {
    resource.strip_prefix(issuer)?.strip_prefix(PATH)
}

/// Checks a slug: it is part of an address, and people type it.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn check_slug(slug: &str) -> Result<(), String> {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_outer = |byte: Option<u8>| byte.is_some_and(|byte| byte != b'-');
    let bytes = slug.as_bytes();
    if slug.len() <= LONGEST_SLUG
        && bytes.iter().copied().all(is_inner)
        && is_outer(bytes.first().copied())
        && is_outer(bytes.last().copied())
    {
        return Ok(());
    }
    Err(format!("Use lower-case letters, digits and hyphens, such as docs: at most {LONGEST_SLUG} characters."))
}

/// The slug that a server of this name gets unless another one is chosen: its letters and digits, with hyphens between
/// the words. Empty when the name has none of them.
pub(crate) fn suggested_slug(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.chars() {
        match letter.to_ascii_lowercase() {
            letter if letter.is_ascii_alphanumeric() => slug.push(letter),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
        if slug.len() == LONGEST_SLUG {
            break;
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// Headers that the gateway itself sets, and headers that belong to one connection (RFC 9110 §7.6.1). None of them can
/// prove us to a server.
const TAKEN_HEADERS: [&str; 18] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "countersign-identity",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];

/// Checks the header with which we prove ourselves.
///
/// # Errors
///
/// What is wrong with its name, and what is wrong with its value.
pub(crate) fn check_header(name: &str, value: &str) -> (Result<(), String>, Result<(), String>) {
    const LONGEST: usize = 8 * 1024;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let lower = name.to_ascii_lowercase();
    let name = if name.is_empty() || name.len() > 100 || !name.bytes().all(is_token) {
        Err("Enter the name of a header, such as Authorization.".to_owned())
    } else if TAKEN_HEADERS.contains(&lower.as_str()) || lower.starts_with("mcp-") {
        Err(format!("The gateway sets {name} itself. Choose the header that the server expects a key in."))
    } else {
        Ok(())
    };
    let value = if value.is_empty() || value.len() > LONGEST || !value.bytes().all(|byte| (0x20..0x7F).contains(&byte))
    {
        Err("Enter the value as the server expects it, such as Bearer and the key: visible ASCII, one line.".to_owned())
    } else {
        Ok(())
    };
    (name, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_plain_and_made_of_the_name() {
        for (name, slug) in
            [("Docs", "docs"), ("  Our Docs (EU) ", "our-docs-eu"), ("Größe 2", "gr-e-2"), ("文書", ""), ("--", "")]
        {
            assert_eq!(suggested_slug(name), slug, "{name}");
        }
        assert_eq!(check_slug(&suggested_slug(&"a ".repeat(80))), Ok(()));
        for wrong in ["", "-a", "a-", "A", "a/b", "a.b", "a b", "ä", "%41", &"a".repeat(61)] {
            assert!(check_slug(wrong).is_err(), "{wrong}");
        }
        assert_eq!(slug_of("https://a.example", "https://a.example/gateway/docs"), Some("docs"));
        assert_eq!(slug_of("https://a.example", "https://a.example.org/gateway/docs"), None);
        assert_eq!(slug_of("https://a.example", "https://a.example/mcp"), None);
    }

    #[test]
    fn a_header_cannot_change_the_message() {
        let checked = |name, value| {
            let (name, value) = check_header(name, value);
            (name.is_ok(), value.is_ok())
        };
        assert_eq!(checked("Authorization", "Bearer abc"), (true, true));
        assert_eq!(checked("X-Api-Key", "a b"), (true, true));
        for name in ["", "a b", "a:b", "Host", "Content-Length", "Transfer-Encoding", "Mcp-Session-Id", "a\r\nb", "ä"]
        {
            assert!(!checked(name, "x").0, "{name:?}");
        }
        for value in ["", "a\r\nb", "a\tb", "ä", "\u{7f}"] {
            assert!(!checked("Authorization", value).1, "{value:?}");
        }
    }
}
