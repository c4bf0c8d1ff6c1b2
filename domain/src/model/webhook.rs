//! Webhooks and the events that they report.

use crate::base::clock::Timestamp;
use crate::base::id::WebhookId;

/// The destination of alerts. Its address and its secret are not here: they are opened only where they are used.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its identifier.
    pub id: WebhookId,
    /// Its name for people.
    pub name: String,
    /// The host of its address, with a port that is not the usual one.
    pub host: String,
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

/// The kinds of events that a webhook can report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A credential was generated.
    Generated,
    /// A secret or key of it was replaced, at once or with an overlap.
    Rotated,
    /// It was revoked. An emergency stop belongs here too.
    Revoked,
    /// A secret or token of it was reported as leaked.
    Leaked,
    /// It ends in 14, 3 or 1 days.
    Expiring,
    /// A client presented a secret or key that was revoked, replaced or expired.
    RetiredSecretTried,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Generated, Self::Rotated, Self::Revoked, Self::Leaked, Self::Expiring, Self::RetiredSecretTried];

    /// The name in messages and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generated => "credential.generated",
            Self::Rotated => "credential.rotated",
            Self::Revoked => "credential.revoked",
            Self::Leaked => "credential.leaked",
            Self::Expiring => "credential.expiring",
            Self::RetiredSecretTried => "credential.retired_secret_tried",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    pub(crate) fn names(kinds: &[Self]) -> Vec<&'static str> {
        kinds.iter().map(|kind| kind.as_str()).collect()
    }
}
