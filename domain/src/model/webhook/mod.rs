//! Webhooks and the events that they report, and e-mails to people.

pub mod mail;

use crate::base::clock::Timestamp;
use crate::base::id::WebhookId;
use crate::base::word_enum::word_enum;

/// The destination of alerts. Its address and its secret are not here: they are opened only where they are used.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its identifier.
    pub id: WebhookId,
    /// Its name for people.
    pub name: String,
    /// The host of its address, with a port that is not the usual one.
    pub host: String,
    /// What its messages look like.
    pub format: WebhookFormat,
    /// The events that it reports.
    pub events: Vec<EventKind>,
    /// When its signing secret was made.
    pub secret_made_at: Timestamp,
    /// Until when the secret before it signs too.
    pub previous_until: Option<Timestamp>,
    /// The number of the last audit entry that was checked for it.
    pub after_seq: i64,
    /// Name of who added it.
    pub created_by: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// Since when it is paused: no events are collected for it and no messages sent.
    pub paused_at: Option<Timestamp>,
    /// When its receiver answered that it is gone for good.
    pub gone_at: Option<Timestamp>,
    /// When a message was last sent, or an attempt failed.
    pub last_attempt_at: Option<Timestamp>,
    /// The status of that answer.
    pub last_status: Option<i64>,
    /// The problem of that attempt.
    pub last_problem: Option<String>,
    /// The first failure after the last success.
    pub failing_since: Option<Timestamp>,
}

word_enum! {
    /// What the messages of a webhook look like.
    #[derive(Default)]
    pub enum WebhookFormat {
        /// Signed JSON, as Standard Webhooks defines.
        #[default]
        Standard = "standard",
        /// A text in JSON, as the incoming webhooks of Slack take it. Slack checks no signature: its address is the
        /// secret.
        Slack = "slack",
    }
}

word_enum! {
    /// The kinds of events that a webhook can report, by their names in messages.
    pub enum EventKind {
        /// A credential was generated.
        Generated = "credential.generated",
        /// A secret or key of it was replaced, at once or with an overlap.
        Rotated = "credential.rotated",
        /// It was revoked. An emergency stop belongs here too.
        Revoked = "credential.revoked",
        /// A secret or token of it was reported as leaked.
        Leaked = "credential.leaked",
        /// An incident was opened, contained, closed or opened again. Each step has a type of its own.
        Incidents = "incident.opened",
        /// The receiver of a secret opened it. Whether nobody did in time belongs here too.
        Opened = "credential.secret_opened",
        /// It ends in 14, 3 or 1 days.
        Expiring = "credential.expiring",
        /// A client presented a secret or key that was revoked, replaced or expired.
        RetiredSecretTried = "credential.retired_secret_tried",
        /// An MCP server behind the gateway sends definitions of tools that nobody accepted.
        ToolsChanged = "server.tools_changed",
        /// A caller used a destructive tool behind the gateway for the first time.
        DestructiveTool = "server.destructive_tool_used",
    }
}

impl EventKind {
    pub(crate) fn names(kinds: &[Self]) -> Vec<&'static str> {
        kinds.iter().map(|kind| kind.as_str()).collect()
    }
}
