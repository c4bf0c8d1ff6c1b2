//! The story of an incident, as pages and exports show it.

use crate::base::clock::Timestamp;
use crate::base::id::{ClientId, McpServerId};
use crate::model::incident::record::Note;
use crate::model::server::gateway::call::CalledFrom;

/// What happened, who used what leaked, and what is left to do.
#[derive(Debug, Clone, Default)]
pub struct Story {
    /// What happened, in the order of time.
    pub moments: Vec<Moment>,
    /// Who used it while it was exposed: new addresses first.
    pub used: Vec<Used>,
    /// Exchanges while it was exposed.
    pub exchanges: i64,
    /// How many of them came from new addresses.
    pub exchanges_from_new: i64,
    /// Tokens that lived when the incident was contained, and are refused since.
    pub tokens_ended: i64,
    /// How often what leaked was tried since the hour in which it ended, and refused.
    pub tried: i64,
    /// What is to be done.
    pub tasks: Vec<Task>,
    /// What people wrote down, oldest first.
    pub notes: Vec<Note>,
    /// Names of the MCP servers.
    pub(crate) servers: Vec<(McpServerId, String)>,
    /// When the first of the credentials that leaked was generated; `None`: something else leaked.
    pub born_at: Option<Timestamp>,
    /// Whether there is more than the lists of the story tell of: credentials, addresses, or calls. Sums are whole.
    pub is_cut: bool,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// What.
    pub words: String,
    /// The name of the thing, when several leaked.
    pub subject: Option<String>,
    /// How it is marked.
    pub tone: Tone,
}

/// Whether something made matters worse or better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Neither.
    Neutral,
    /// Others could use what leaked, or did.
    Danger,
    /// It asks for attention.
    Warn,
    /// It ended something that leaked.
    Ok,
}

impl Tone {
    /// The word that the style sheet knows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Neutral => "idle",
            Self::Danger => "danger",
            Self::Warn => "warn",
            Self::Ok => "ok",
        }
    }
}

/// The use of a credential from one address while it was exposed.
#[derive(Debug, Clone)]
pub struct Used {
    /// The name of the credential.
    pub credential: String,
    /// The address; empty when it is not known.
    pub address: String,
    /// Its first exchange before the exposure; `None`: the address is new.
    pub known_since: Option<Timestamp>,
    /// Exchanges while it was exposed.
    pub exchanges: i64,
    /// The servers that the tokens were for.
    pub servers: Vec<McpServerId>,
    /// What was called through the gateway, among the latest calls.
    pub calls: Vec<CalledFrom>,
    /// The first use while it was exposed.
    pub first_at: Timestamp,
    /// The last one.
    pub last_at: Timestamp,
}

impl Used {
    /// Whether nothing came from this address before the exposure.
    pub fn is_new(&self) -> bool {
        self.known_since.is_none()
    }

    /// The address, in words.
    pub(crate) fn shown_address(&self) -> &str {
        if self.address.is_empty() { "an unknown address" } else { &self.address }
    }

    /// What was called, most calls first: `search ×4, export ×2`.
    pub fn called(&self) -> String {
        let mut sums: Vec<(&str, i64)> = Vec::new();
        for call in &self.calls {
            let name = if call.name.is_empty() { call.kind.as_str() } else { call.name.as_str() };
            match sums.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += call.calls,
                None => sums.push((name, call.calls)),
            }
        }
        sums.sort_by_key(|(_, sum)| std::cmp::Reverse(*sum));
        sums.iter().map(|(name, sum)| format!("{name} \u{d7}{sum}")).collect::<Vec<_>>().join(", ")
    }
}

/// Something to do, or done.
#[derive(Debug, Clone)]
pub struct Task {
    /// Whether it is done.
    pub done: bool,
    /// What, in words that fit its state.
    pub words: String,
    /// How it is done.
    pub kind: TaskKind,
}

/// How a task is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskKind {
    /// Stop what works.
    Stop,
    /// Generate a replacement of this credential.
    Replace(ClientId),
    /// Look at this credential.
    Look(ClientId),
    /// Tell the owner of this MCP server.
    Tell(McpServerId),
    /// Say who handles it.
    Assign,
    /// Say since when others could read what leaked.
    Expose,
}

impl Story {
    /// The name of an MCP server.
    pub fn server_name(&self, id: &McpServerId) -> String {
        let found = self.servers.iter().find(|(known, _)| known == id);
        found.map_or_else(|| "a removed server".to_owned(), |(_, name)| name.clone())
    }

    /// The names of the servers that were reached while it was exposed.
    pub fn servers_reached(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.used.iter().flat_map(|used| &used.servers).map(|id| self.server_name(id)).collect();
        names.sort();
        names.dedup();
        names
    }
}
