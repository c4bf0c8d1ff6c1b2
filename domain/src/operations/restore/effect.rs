//! What each kind of audit entry means for a restore of a backup that is older than the entry.

use serde_json::{Map, Value};

use crate::model::audit::AuditEntry;
use crate::model::operations::EndingKind;
use crate::prelude::Action;

/// The kinds of things that an action ends or narrows; the comparison looks for them in both databases. Empty: it
/// tells or gives something, or it is about sessions, consents, personal tokens or invitations, and every restore ends
/// all of those.
///
/// An edit of a credential may end live tokens. The lists of MCP servers lose a team that is removed. For a replaced
/// master key see `left`. The issuer, to which an MCP server moved, comes with the settings.
///
/// There is no arm for "all others": who adds an action says here what it ends, and `server/tests/it/restore.rs` says
/// with which test.
pub(super) fn ends(action: Action) -> &'static [EndingKind] {
    use EndingKind::{Clients, Credentials, People, Roles, Servers, SigningKeys, Tokens, Webhooks};
    match action {
        Action::CredentialRevoked
        | Action::CredentialDisabled
        | Action::CredentialSecretRemoved
        | Action::CredentialKeyRemoved
        | Action::CredentialIdentityRemoved
        | Action::CredentialRotationStarted
        | Action::CredentialRotationExtended
        | Action::CredentialRotationFinished
        | Action::CredentialRotationCancelled
        | Action::CredentialLeaked => &[Credentials],
        Action::CredentialEdited => &[Credentials, Tokens],
        Action::EmergencyStopped => &[Credentials, Clients],
        Action::PersonDisabled
        | Action::PersonAdministratorChanged
        | Action::PersonPasswordChanged
        | Action::PersonOpenIdConnected
        | Action::PersonOpenIdDisconnected
        | Action::SecondFactorAdded
        | Action::SecondFactorRemoved
        | Action::PasskeyAdded
        | Action::PasskeyRemoved
        | Action::RecoveryCodesReplaced
        | Action::RecoveryCodeUsed => &[People],
        Action::TeamRoleChanged => &[Roles],
        Action::TeamRemoved => &[Roles, Servers],
        Action::McpServerEdited
        | Action::McpServerArchived
        | Action::McpServerRemoved
        | Action::McpServerRulesChanged => &[Servers],
        Action::ClientChanged
        | Action::ClientSecretEnded
        | Action::ClientSecretReplaced
        | Action::ClientDisabled
        | Action::ClientRemoved
        | Action::LeakReported => &[Clients],
        Action::WebhookEdited | Action::WebhookPaused | Action::WebhookRemoved | Action::WebhookSecretReplaced => {
            &[Webhooks]
        }
        Action::TokenRevoked => &[Tokens],
        Action::SigningKeyRotated => &[SigningKeys],
        Action::PersonCreated
        | Action::PersonRenamed
        | Action::PersonEnabled
        | Action::TeamCreated
        | Action::TeamRenamed
        | Action::InvitationCreated
        | Action::InvitationAccepted
        | Action::InvitationWithdrawn
        | Action::SessionStarted
        | Action::SessionRefused
        | Action::SessionSecondStepAsked
        | Action::SessionEnded
        | Action::CredentialGenerated
        | Action::CredentialImported
        | Action::CredentialSecretAdded
        | Action::CredentialKeyAdded
        | Action::CredentialIdentityAdded
        | Action::CredentialEnabled
        | Action::CredentialExpiring
        | Action::CredentialsExported
        | Action::CredentialRetiredSecretTried
        | Action::InstanceRestored
        | Action::EmergencyUndone
        | Action::MasterKeyReplaced
        | Action::McpServerAdded
        | Action::McpServerMoved
        | Action::McpServerUnarchived
        | Action::McpServerChecked
        | Action::McpServerToolsChanged
        | Action::McpServerToolsAccepted
        | Action::DestructiveToolUsed
        | Action::WebhookAdded
        | Action::WebhookResumed
        | Action::ChecklistChanged
        | Action::GrantAllowed
        | Action::GrantDenied
        | Action::GrantEnded
        | Action::PersonalTokenGenerated
        | Action::PersonalTokenRevoked => &[],
        // Nobody used the clients that were pruned, and each may register again.
        Action::ClientAdded | Action::ClientEnabled | Action::ClientsPruned => &[],
    }
}

/// For an action that makes something: what it means that the backup does not have it.
pub(super) fn lost(action: Action) -> Option<&'static str> {
    Some(match action {
        Action::CredentialGenerated => "the credential is gone: its secret or key does not work",
        Action::CredentialImported => "imported credentials are gone: import them again",
        Action::CredentialRotationStarted => "the new secret or key is gone, and programs may have it: rotate again",
        Action::CredentialSecretAdded => "the added secret is gone: exchanges with it are refused",
        Action::CredentialKeyAdded => "the added key is gone: assertions with it are refused",
        Action::CredentialIdentityAdded => "the added identity is gone: its tokens are refused",
        Action::PersonCreated => "the person has no account: invite them again",
        Action::SecondFactorAdded => "this factor is gone: without another one, the password alone signs in",
        Action::PasskeyAdded => "this passkey is gone and does not sign in",
        Action::RecoveryCodesReplaced => "neither the old nor the new recovery codes work",
        Action::PersonOpenIdConnected => "this OpenID account is not connected any more",
        Action::TeamCreated => "the team is gone",
        Action::ClientAdded => "the client is gone: add it again, or let it register again",
        Action::ClientSecretReplaced => "neither the old nor the new secret works: replace it once more",
        Action::WebhookAdded => "the webhook is gone",
        Action::McpServerAdded => "the MCP server is not registered",
        Action::SigningKeyRotated => "the new signing key is gone, and its tokens are refused",
        _ => return None,
    })
}

/// For an action that cannot be carried over: what remains to be done after the restore.
pub(super) fn left(action: Action) -> Option<&'static str> {
    const REWRAP: &str = "the backup is wrapped under the master key of before: run countersign keys rewrap after it";
    (action == Action::MasterKeyReplaced).then_some(REWRAP)
}

/// The fields of an edit that the comparison does not know. Such a field may have narrowed something.
pub(super) fn unknown_fields(action: Action, entry: &AuditEntry) -> Vec<String> {
    const RESTORED: [&str; 3] = ["restored", "first_ended_at", "id"];
    // Of entries that count what strangers repeated.
    const REPEATED: [&str; 3] = ["repeats", "within_the_hour_from", "network"];
    let known: &[&str] = match action {
        Action::CredentialEdited => &[
            "name",
            "description",
            "notes",
            "owner",
            "tags",
            "mcp_servers",
            "scopes",
            "expires_at",
            "token_lifetime",
            "ip_ranges",
            "hard_end_at",
            "assertions",
            "team",
            "tokens_ended",
        ],
        Action::WebhookEdited => &["name", "host", "events", "address"],
        Action::ClientChanged => &["name", "redirect_uris", "keys", "device_grant", "by"],
        // The algorithm is no right: the one of the backup holds again.
        // How we prove ourselves to a server, and what it learns, are no rights of clients.
        Action::McpServerEdited => &[
            "teams",
            "name",
            "scopes",
            "token_lifetime",
            "alg",
            "upstream",
            "header",
            "identity",
            "on_change",
            "reports_destructive",
            "limits",
        ],
        _ => return Vec::new(),
    };
    let fields: Map<String, Value> = serde_json::from_str(&entry.details).unwrap_or_default();
    fields
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| ![known, &RESTORED, &REPEATED].iter().any(|fields| fields.contains(&&**name)))
        .collect()
}
