//! Where a request came from, as far as that is known.

use std::net::IpAddr;

use crate::base::text::is_unprintable;
use crate::crypto::secret::SecretKind;

/// The longest user agent that is kept, in characters.
const LONGEST_AGENT: usize = 256;

/// The address and the program that a request came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The address, as far as it can be trusted.
    pub address: Option<IpAddr>,
    /// The `User-Agent`, as the program says.
    pub agent: Option<String>,
}

impl Origin {
    /// An origin. Characters that cannot be shown are removed from the agent. An agent that holds a secret is not kept
    /// at all.
    pub fn new(address: Option<IpAddr>, agent: Option<&str>) -> Self {
        let holds_secret = |agent: &&str| SecretKind::ALL.iter().any(|kind| agent.contains(kind.prefix()));
        Self { address, agent: agent.filter(|agent| !holds_secret(agent)).map(shown) }
    }
}

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        Self { address: Some(address), agent: None }
    }
}

/// The agent as people may see it.
pub(crate) fn shown(agent: &str) -> String {
    agent.chars().filter(|character| !is_unprintable(*character)).take(LONGEST_AGENT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_kept_as_it_can_be_shown() {
        let agent = |text: &str| Origin::new(None, Some(text)).agent;
        assert_eq!(agent("python-httpx/0.28\u{202E}\n"), Some("python-httpx/0.28".to_owned()));
        assert_eq!(agent("css_in-the-wrong-header"), None);
        assert_eq!(agent("csp_in-the-wrong-header"), None);
        assert_eq!(agent(&"x".repeat(1000)).map(|agent| agent.len()), Some(LONGEST_AGENT));
    }
}
