//! What is told, and in which words: from an entry of the audit log to the body of a message.

use serde_json::{Map, Value, json};

use crate::actor::Actor;
use crate::audit::Entry;
use crate::clock::Timestamp;
use crate::context::Settings;

/// What a webhook can be told of.
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
    /// Somebody tried a secret or key that had been revoked, replaced or had expired.
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

    pub(super) fn names(kinds: &[Self]) -> Vec<&'static str> {
        kinds.iter().map(|kind| kind.as_str()).collect()
    }
}

/// The type of a message that tells of an emergency stop.
const STOPPED: &str = "emergency.stopped";
/// The type of a message that tells of a leak of what acts for a person, or of an app's secret.
const LEAK_OF_PEOPLE: &str = "leak.reported";
/// The type of a message that somebody sends to see whether it arrives.
pub(super) const TEST: &str = "webhook.test";

/// How one kind of audit entry is told.
struct Rule {
    kind: EventKind,
    /// The type of the message.
    name: &'static str,
    /// The details that are passed on: what helps the receiver and holds nothing secret.
    details: &'static [&'static str],
}

fn rule(action: &str) -> Option<Rule> {
    let of = |kind: EventKind, details| Some(Rule { kind, name: kind.as_str(), details });
    match action {
        "credential.generated" => of(EventKind::Generated, &["expires_at", "scopes", "mcp_servers"]),
        "credential.rotation_started" => of(EventKind::Rotated, &["old", "old_works_until", "new"]),
        "credential.revoked" => of(EventKind::Revoked, &["reason", "emergency"]),
        "credential.leaked" => of(EventKind::Leaked, &["secret", "found_at", "revoked"]),
        LEAK_OF_PEOPLE => {
            Some(Rule { kind: EventKind::Leaked, name: LEAK_OF_PEOPLE, details: &["person", "found_at", "revoked"] })
        }
        "credential.expiring" => of(EventKind::Expiring, &["days", "ends_at"]),
        "credential.retired_secret_tried" => {
            of(EventKind::RetiredSecretTried, &["cause", "tried_at", "address", "agent"])
        }
        // A stop of very many credentials has no entry for each: its own one stands for them.
        STOPPED => Some(Rule {
            kind: EventKind::Revoked,
            name: STOPPED,
            details: &[
                "means",
                "credentials",
                "grants",
                "personal_tokens",
                "clients",
                "team",
                "made_by",
                "mcp_server",
                "created_before",
                "reason",
            ],
        }),
        _ => None,
    }
}

/// A message before it is addressed.
pub(super) struct Told {
    /// Who wants to hear it.
    pub kind: EventKind,
    /// Its type.
    pub name: &'static str,
    /// What it is about, for people.
    pub subject: String,
    /// The JSON that is sent.
    pub body: String,
}

/// What an entry of the audit log has to tell, if anything. `team` is the name of the one that owns its target.
pub(super) fn told(settings: &Settings, entry: &Entry, team: Option<&str>) -> Option<Told> {
    let Rule { kind, name, details } = rule(&entry.action)?;
    let all: Map<String, Value> = serde_json::from_str(&entry.details).unwrap_or_default();
    let mut data = Map::new();
    let url = if entry.target_kind == "credential" {
        data.insert("client_id".to_owned(), json!(entry.target_id));
        data.insert("name".to_owned(), json!(entry.target_name));
        data.insert("team".to_owned(), json!(team));
        format!("{}/credentials/{}", settings.public_url, entry.target_id)
    } else if entry.action == LEAK_OF_PEOPLE {
        data.insert("kind".to_owned(), json!(entry.target_kind));
        data.insert("name".to_owned(), json!(entry.target_name));
        format!("{}/apps", settings.public_url)
    } else {
        format!("{}/activity", settings.public_url)
    };
    data.insert("url".to_owned(), json!(url));
    data.insert("actor".to_owned(), json!({ "kind": entry.actor_kind, "name": entry.actor_name }));
    data.insert("entry".to_owned(), json!(entry.seq));
    for detail in details {
        if let Some(value) = all.get(*detail) {
            data.insert((*detail).to_owned(), value.clone());
        }
    }
    Some(Told { kind, name, subject: entry.target_name.clone(), body: body(name, entry.at, Value::Object(data)) })
}

/// The body of a test.
pub(super) fn test(settings: &Settings, actor: &Actor, webhook: &super::Webhook, now: Timestamp) -> String {
    let data = json!({
        "name": webhook.name,
        "url": format!("{}/settings/webhooks/{}", settings.public_url, webhook.id),
        "actor": { "kind": actor.kind(), "name": actor.name() },
    });
    body(TEST, now, data)
}

fn body(name: &str, at: Timestamp, data: Value) -> String {
    json!({ "type": name, "timestamp": at.rfc3339(), "data": data }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::ACTIONS;

    #[test]
    fn every_kind_has_an_action_that_is_recorded() {
        let told: Vec<EventKind> = ACTIONS.iter().filter_map(|action| rule(action)).map(|rule| rule.kind).collect();
        for kind in EventKind::ALL {
            assert!(told.contains(&kind), "{kind:?}");
            assert_eq!(EventKind::parse(kind.as_str()), Some(kind));
        }
    }
}
