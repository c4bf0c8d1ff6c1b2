//! Records of calls through the gateway. Arguments and results are never recorded.

use crate::base::clock::Timestamp;
use crate::base::id::McpServerId;
use crate::base::word_enum::word_enum;

word_enum! {
    /// What a call was for.
    pub enum CallKind {
        /// `tools/call`.
        Tool = "tool",
        /// `prompts/get`.
        Prompt = "prompt",
        /// `resources/read`. Its URI is not recorded: it may hold data, and there is no end of different ones.
        Resource = "resource",
    }
}

word_enum! {
    /// How a call ended.
    pub enum CallOutcome {
        /// The server answered with a result.
        Ok = "ok",
        /// The tool answered that it failed (`isError`).
        ToolError = "tool_error",
        /// The server answered with an error of the protocol, or refused the request.
        Error = "error",
        /// The token had no scope for it. The server was not called.
        Forbidden = "forbidden",
        /// The definition of the tool is not the accepted one. The server was not called.
        Blocked = "blocked",
        /// A limit was reached. The server was not called.
        Limited = "limited",
        /// The server could not be reached, gave no answer in time, or gave one that is none.
        Unreachable = "unreachable",
        /// The client hung up before the answer was complete.
        Cancelled = "cancelled",
        /// The token ended, or was revoked, before the answer was complete.
        Cut = "cut",
    }
}

impl CallOutcome {
    /// Whether the call reached the server behind the gateway, as far as is known.
    pub fn reached(self) -> bool {
        !matches!(self, Self::Forbidden | Self::Blocked | Self::Limited)
    }

    /// Whether it worked.
    pub fn is_ok(self) -> bool {
        self == Self::Ok
    }
}

/// The name under which calls of tools are counted that are in no list of the server: a caller can invent any number of
/// names.
pub const OTHER: &str = "(other)";

/// Whose calls are counted together: a credential, a personal token, or an app of one person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallerKey {
    /// The client ID of the credential or of the app, or the identifier of the personal token.
    pub id: String,
    /// The person for whom an app acts; otherwise empty.
    pub person: String,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who called.
    pub caller: CallerKey,
    /// The server.
    pub server: McpServerId,
    /// What was called.
    pub kind: CallKind,
    /// The name of the tool or prompt; empty for a resource.
    pub name: String,
    /// When the request came.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: CallOutcome,
    /// How long it took, in milliseconds.
    pub milliseconds: i64,
    /// The identifier of the request in the log.
    pub request_id: String,
    /// The address of the client, if it is known.
    pub address: Option<String>,
}

/// Calls of one thing that ended in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSum {
    /// The server.
    pub server: McpServerId,
    /// What was called.
    pub kind: CallKind,
    /// The name of the tool or prompt; empty for resources.
    pub name: String,
    /// How the calls ended.
    pub outcome: CallOutcome,
    /// How many there were.
    pub calls: i64,
    /// How long they took together, in milliseconds.
    pub total_ms: i64,
    /// How long the longest took, in milliseconds.
    pub longest_ms: i64,
    /// When the first of them came, to the hour.
    pub first_at: Timestamp,
    /// When the last of them came.
    pub last_at: Timestamp,
}

/// How much one server was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerCalls {
    /// The server.
    pub server: McpServerId,
    /// How many calls there were.
    pub calls: i64,
    /// How many of them did not work.
    pub failed: i64,
}

/// The calls of one caller at one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerSum {
    /// The client ID of the credential or of the app, or the identifier of the personal token.
    pub caller: String,
    /// The person for whom an app acts; otherwise empty.
    pub person: String,
    /// The present name of the credential, the app or the personal token; `None` when it is gone.
    pub name: Option<String>,
    /// The present name of the person behind an app or a personal token.
    pub person_name: Option<String>,
    /// How many calls there were.
    pub calls: i64,
    /// How many of them did not work.
    pub failed: i64,
    /// When the last one came.
    pub last_at: Timestamp,
}

/// What was called from one address, among the latest calls of a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalledFrom {
    /// The address of the client; empty when it is not known.
    pub address: String,
    /// The server.
    pub server: McpServerId,
    /// What was called.
    pub kind: CallKind,
    /// The name of the tool or prompt; empty for resources.
    pub name: String,
    /// How many calls there were.
    pub calls: i64,
    /// When the first of them came.
    pub first_at: Timestamp,
    /// When the last of them came.
    pub last_at: Timestamp,
}

/// One call that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCall {
    /// When the request came.
    pub at: Timestamp,
    /// The server.
    pub server: McpServerId,
    /// What was called.
    pub kind: CallKind,
    /// The name of the tool or prompt; empty for a resource.
    pub name: String,
    /// How it ended.
    pub outcome: CallOutcome,
    /// How long it took, in milliseconds.
    pub milliseconds: i64,
    /// The identifier of the request in the log.
    pub request_id: String,
    /// The address of the client, if it is known.
    pub address: Option<String>,
}
