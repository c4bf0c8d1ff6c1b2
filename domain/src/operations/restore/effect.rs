//! What each kind of audit entry means for a restore of a backup that is older than the entry.

use serde_json::{Map, Value};

use crate::model::audit::AuditEntry;
use crate::model::operations::EndingKind;
use crate::prelude::Action;

macro_rules! ends {
    ($(#[$doc:meta])* $($action:ident: $($kind:ident)*;)*) => {
        $(#[$doc])*
        pub(super) fn ends(action: Action) -> &'static [EndingKind] {
            match action {
                $(Action::$action => &[$(EndingKind::$kind),*],)*
            }
        }
    };
}

ends! {
    /// The kinds of things that an action ends or narrows; the comparison looks for them in both databases. Empty: it
    /// tells or gives something, or it is about sessions, consents, personal tokens, invitations or password links, and
    /// every restore ends all of those.
    ///
    /// An edit of a credential may end live tokens. The lists of MCP servers lose a team that is removed. For a
    /// replaced master key see `left`. The issuer, to which an MCP server moved, comes with the settings. Nobody used
    /// the clients that were pruned, and each may register again.
    ///
    /// There is no row for "all others": who adds an action says here what it ends, and `server/tests/it/restore.rs`
    /// says with which test.
    CredentialRevoked: Credentials;
    CredentialDisabled: Credentials;
    CredentialSecretRemoved: Credentials;
    CredentialKeyRemoved: Credentials;
    CredentialIdentityRemoved: Credentials;
    CredentialRotationStarted: Credentials;
    CredentialRotationExtended: Credentials;
    CredentialRotationFinished: Credentials;
    CredentialRotationCancelled: Credentials;
    CredentialLeaked: Credentials;
    CredentialEdited: Credentials Tokens;
    EmergencyStopped: Credentials Clients;
    PersonDisabled: People;
    PersonAdministratorChanged: People;
    PersonPasswordChanged: People;
    PersonOpenIdConnected: People;
    PersonOpenIdDisconnected: People;
    SecondFactorAdded: People;
    SecondFactorRemoved: People;
    PasskeyAdded: People;
    PasskeyRemoved: People;
    RecoveryCodesReplaced: People;
    RecoveryCodeUsed: People;
    TeamRoleChanged: Roles;
    TeamRemoved: Roles Servers;
    McpServerEdited: Servers;
    McpServerArchived: Servers;
    McpServerRemoved: Servers;
    McpServerRulesChanged: Servers;
    ClientChanged: Clients;
    ClientSecretEnded: Clients;
    ClientSecretReplaced: Clients;
    ClientDisabled: Clients;
    ClientRemoved: Clients;
    LeakReported: Clients;
    WebhookEdited: Webhooks;
    WebhookPaused: Webhooks;
    WebhookRemoved: Webhooks;
    WebhookSecretReplaced: Webhooks;
    TokenRevoked: Tokens;
    SigningKeyRotated: SigningKeys;
    PersonPasswordLinkCreated:;
    PersonMailChosen:;
    PersonPasswordLinkWithdrawn:;
    PersonCreated:;
    PersonRenamed:;
    PersonEnabled:;
    TeamCreated:;
    TeamRenamed:;
    InvitationCreated:;
    InvitationAccepted:;
    InvitationWithdrawn:;
    SessionStarted:;
    SessionRefused:;
    SessionSecondStepAsked:;
    SessionEnded:;
    CredentialGenerated:;
    CredentialImported:;
    CredentialSecretAdded:;
    CredentialHandoverCreated:;
    CredentialSecretOpened:;
    CredentialSecretUnopened:;
    CredentialKeyAdded:;
    CredentialIdentityAdded:;
    CredentialEnabled:;
    CredentialExpiring:;
    CredentialConfirmed:;
    CredentialRequested:;
    CredentialRequestDecided:;
    CredentialRequestWithdrawn:;
    PolicyChanged:;
    CredentialsExported:;
    CredentialRetiredSecretTried:;
    InstanceRestored:;
    EmergencyUndone:;
    MasterKeyReplaced:;
    McpServerAdded:;
    McpServerMoved:;
    McpServerUnarchived:;
    McpServerChecked:;
    McpServerToolsChanged:;
    McpServerToolsAccepted:;
    DestructiveToolUsed:;
    WebhookAdded:;
    WebhookResumed:;
    ChecklistChanged:;
    GrantAllowed:;
    GrantDenied:;
    GrantEnded:;
    PersonalTokenGenerated:;
    PersonalTokenRevoked:;
    IncidentOpened:;
    IncidentEdited:;
    IncidentNoted:;
    IncidentContained:;
    IncidentClosed:;
    IncidentReopened:;
    ClientAdded:;
    ClientEnabled:;
    ClientsPruned:;
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
        Action::IncidentOpened => "the record of this leak is gone: the next incident gets its number",
        Action::ClientAdded => "the client is gone: add it again, or let it register again",
        Action::ClientSecretReplaced => "neither the old nor the new secret works: replace it once more",
        Action::WebhookAdded => "the webhook is gone",
        Action::McpServerAdded => "the MCP server is not registered",
        Action::PolicyChanged => "the policy is as it was in the backup: set it again",
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
