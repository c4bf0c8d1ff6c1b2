//! From an entry of the audit log to the body of a message: which entries are sent, and in which words.

use serde_json::{Map, Value, json};

use crate::model::audit::AuditEntry;
use crate::model::settings::Settings;
use crate::model::webhook::{EventKind, Webhook, WebhookFormat};
use crate::prelude::{Action, Actor, Target, Timestamp};

/// The type of a test message, which a person sends to see whether messages arrive.
pub(crate) const TEST: &str = "webhook.test";

/// How one action of the audit log becomes a message.
struct Rule {
    kind: EventKind,
    /// The type of the message.
    name: &'static str,
    /// The details that are sent: they help the receiver and hold no secret.
    details: &'static [&'static str],
}

fn rule(action: Action) -> Option<Rule> {
    let of = |kind: EventKind, details| Some(Rule { kind, name: kind.as_str(), details });
    let under_own_name = |kind, details| Some(Rule { kind, name: action.as_str(), details });
    match action {
        Action::CredentialGenerated => of(EventKind::Generated, &["expires_at", "scopes", "mcp_servers"]),
        Action::CredentialRotationStarted => of(EventKind::Rotated, &["old", "old_works_until", "new"]),
        Action::CredentialRevoked => of(EventKind::Revoked, &["reason", "emergency"]),
        Action::CredentialLeaked => of(EventKind::Leaked, &["secret", "found_at", "revoked", "incident"]),
        Action::LeakReported => under_own_name(EventKind::Leaked, &["person", "found_at", "revoked", "incident"]),
        Action::IncidentOpened => under_own_name(EventKind::Incidents, &["source", "found_at"]),
        Action::IncidentContained | Action::IncidentReopened => under_own_name(EventKind::Incidents, &[]),
        Action::IncidentClosed => under_own_name(EventKind::Incidents, &["false_alarm"]),
        Action::CredentialSecretOpened => of(EventKind::Opened, &["secret", "for"]),
        Action::CredentialSecretUnopened => under_own_name(EventKind::Opened, &["secret", "for", "cause"]),
        Action::CredentialExpiring => of(EventKind::Expiring, &["days", "ends_at"]),
        Action::CredentialRetiredSecretTried => {
            of(EventKind::RetiredSecretTried, &["cause", "tried_at", "address", "agent"])
        }
        Action::McpServerToolsChanged => of(EventKind::ToolsChanged, &["changed", "new", "gone"]),
        Action::DestructiveToolUsed => of(EventKind::DestructiveTool, &["tool", "caller", "caller_name", "address"]),
        // A stop of very many credentials has no entry for each credential. The entry of the stop itself is sent
        // instead.
        Action::EmergencyStopped => under_own_name(
            EventKind::Revoked,
            &[
                "means",
                "credentials",
                "grants",
                "personal_tokens",
                "clients",
                "team",
                "made_by",
                "mcp_server",
                "created_before",
                "tag",
                "reason",
            ],
        ),
        _ => None,
    }
}

/// A message without an address.
pub(crate) struct EventMessage {
    /// The kind of event, to which webhooks subscribe.
    pub kind: EventKind,
    /// Its type.
    pub name: &'static str,
    /// The subject of the message, for people.
    pub subject: String,
    at: Timestamp,
    data: Value,
}

impl EventMessage {
    /// The JSON that is sent in this format.
    pub(crate) fn body(&self, format: WebhookFormat) -> String {
        match format {
            WebhookFormat::Standard => body(self.name, self.at, &self.data),
            WebhookFormat::Slack => slack(self.name, &self.data),
        }
    }
}

/// The message as a text: what happened, to what, by whom, and the link to it.
fn slack(name: &str, data: &Value) -> String {
    let text = |member: &str| data[member].as_str().map(escaped);
    let what = name.replace(['.', '_'], " ");
    let mut line = format!("*{}{}*", what[..1].to_uppercase(), &what[1..]);
    if let Some(subject) = text("name").or_else(|| text("title")) {
        line += &format!(": {subject}");
    }
    for (before, member) in [(", team ", "team"), (", found at ", "found_at"), (", from ", "address")] {
        if let Some(value) = text(member) {
            line += &format!("{before}{value}");
        }
    }
    if let Some(actor) = data["actor"]["name"].as_str() {
        line += &format!(", by {}", escaped(actor));
    }
    if let Some(url) = text("url") {
        line += &format!(". <{url}|Open>");
    }
    json!({ "text": line }).to_string()
}

/// A text without the characters that begin links and mentions.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The message for an entry of the audit log, if the entry is one that is sent. `team` is the name of the team that
/// owns the target.
pub(crate) fn message_of(settings: &Settings, entry: &AuditEntry, team: Option<&str>) -> Option<EventMessage> {
    let Rule { kind, name, details } = rule(Action::parse(&entry.action)?)?;
    let all: Map<String, Value> = serde_json::from_str(&entry.details).unwrap_or_default();
    let (mut data, path) = if entry.target_kind == Target::Credential.as_str() {
        let data = json!({ "client_id": entry.target_id, "name": entry.target_name, "team": team });
        (data, format!("credentials/{}", entry.target_id))
    } else if entry.target_kind == Target::McpServer.as_str() {
        (json!({ "id": entry.target_id, "name": entry.target_name }), format!("servers/{}", entry.target_id))
    } else if entry.target_kind == Target::Incident.as_str() {
        let number = entry.target_id.parse::<i64>().ok();
        let data = json!({ "number": number, "title": entry.target_name });
        (data, format!("incidents/{}", entry.target_id))
    } else if entry.action == Action::LeakReported.as_str() {
        (json!({ "kind": entry.target_kind, "name": entry.target_name }), "apps".to_owned())
    } else {
        (json!({}), "activity".to_owned())
    };
    data["url"] = json!(format!("{}/{path}", settings.public_url));
    data["actor"] = json!({ "kind": entry.actor_kind, "name": entry.actor_name });
    data["entry"] = json!(entry.seq);
    for detail in details {
        if let Some(value) = all.get(*detail) {
            data[*detail] = value.clone();
        }
    }
    Some(EventMessage { kind, name, subject: entry.target_name.clone(), at: entry.at, data })
}

/// The body of a test message.
pub(crate) fn test(settings: &Settings, actor: &Actor, webhook: &Webhook, now: Timestamp) -> String {
    let data = json!({
        "name": webhook.name,
        "url": format!("{}/settings/webhooks/{}", settings.public_url, webhook.id),
        "actor": { "kind": actor.kind(), "name": actor.name() },
    });
    match webhook.format {
        WebhookFormat::Standard => body(TEST, now, &data),
        WebhookFormat::Slack => slack(TEST, &data),
    }
}

fn body(name: &str, at: Timestamp, data: &Value) -> String {
    json!({ "type": name, "timestamp": at.rfc3339(), "data": data }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_for_slack_holds_no_link_but_ours() {
        let data = json!({
            "name": "<!channel> a & b", "team": "Ops", "url": "https://auth.example/credentials/csc_1",
            "actor": { "name": "Ada" },
        });
        let text: Value = serde_json::from_str(&slack("credential.retired_secret_tried", &data)).expect("JSON");
        assert_eq!(
            text["text"],
            "*Credential retired secret tried*: &lt;!channel&gt; a &amp; b, team Ops, by Ada. \
             <https://auth.example/credentials/csc_1|Open>"
        );
    }

    #[test]
    fn every_kind_has_an_action_that_is_recorded() {
        let told: Vec<EventKind> =
            Action::ALL.iter().filter_map(|action| rule(*action)).map(|rule| rule.kind).collect();
        for kind in EventKind::ALL {
            assert!(told.contains(&kind), "{kind:?}");
            assert_eq!(EventKind::parse(kind.as_str()), Some(kind));
        }
    }
}
