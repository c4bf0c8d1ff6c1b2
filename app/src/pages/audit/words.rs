//! What was done, in words, and the kinds of actions.

use domain::model::audit::Action;

use crate::prelude::*;

macro_rules! texts {
    ($($action:ident $text:literal;)*) => {
        /// The name of an action on the page. A new action does not compile without a text here.
        pub(super) fn text(action: Action) -> &'static str {
            match action {
                $(Action::$action => $text,)*
            }
        }
    };
}

texts! {
    PersonCreated "Account created";
    PersonDisabled "Person disabled";
    PersonEnabled "Person enabled";
    PersonAdministratorChanged "Administration changed";
    SecondFactorAdded "Second factor added";
    SecondFactorRemoved "Second factor removed";
    RecoveryCodeUsed "Recovery code used";
    RecoveryCodesReplaced "Recovery codes replaced";
    PasskeyAdded "Passkey added";
    PasskeyRemoved "Passkey removed";
    TeamCreated "Team created";
    TeamRenamed "Team renamed";
    TeamRemoved "Team removed";
    TeamRoleChanged "Role changed";
    InvitationCreated "Invited";
    InvitationAccepted "Invitation accepted";
    InvitationWithdrawn "Invitation withdrawn";
    PersonRenamed "Name changed";
    PersonPasswordChanged "Password changed";
    PersonMailChosen "E-mails chosen";
    PersonPasswordLinkCreated "Password link made";
    PersonPasswordLinkWithdrawn "Password link withdrawn";
    PersonOpenIdConnected "OpenID account connected";
    PersonOpenIdDisconnected "OpenID account disconnected";
    SessionStarted "Signed in";
    SessionRefused "Sign-in refused";
    SessionSecondStepAsked "Second factor asked";
    SessionEnded "Session ended";
    CredentialGenerated "Credential generated";
    CredentialsExported "Credentials exported";
    CredentialImported "Credentials imported";
    CredentialEdited "Credential changed";
    CredentialSecretAdded "Secret added";
    CredentialSecretRemoved "Secret removed";
    CredentialHandoverCreated "Link made to hand a secret over";
    CredentialSecretOpened "Secret opened by its receiver";
    CredentialSecretUnopened "Secret not opened in time";
    CredentialKeyAdded "Key added";
    CredentialKeyRemoved "Key removed";
    CredentialIdentityAdded "Identity added";
    CredentialIdentityRemoved "Identity removed";
    CredentialRotationStarted "Rotation started";
    CredentialRotationExtended "Rotation deadline changed";
    CredentialRotationFinished "Rotation finished";
    CredentialRotationCancelled "Rotation cancelled";
    CredentialLeaked "Reported as leaked";
    CredentialDisabled "Credential disabled";
    CredentialEnabled "Credential enabled";
    CredentialRevoked "Credential revoked";
    CredentialExpiring "Credential expires soon";
    CredentialConfirmed "Credential confirmed in a review";
    CredentialRequested "Credential asked for";
    CredentialRequestDecided "Request for a credential decided";
    CredentialRequestWithdrawn "Request for a credential withdrawn";
    CredentialRetiredSecretTried "Secret tried after its end";
    InstanceRestored "Backup restored";
    SigningKeyRotated "Signing key rotated";
    MasterKeyReplaced "Master key replaced";
    EmergencyStopped "Emergency stop";
    EmergencyUndone "Emergency stop undone";
    TokenRevoked "Token revoked";
    McpServerAdded "MCP server added";
    McpServerEdited "MCP server changed";
    McpServerArchived "MCP server archived";
    McpServerUnarchived "MCP server unarchived";
    McpServerRemoved "MCP server removed";
    McpServerChecked "MCP server checked";
    McpServerRulesChanged "Tool rules changed";
    McpServerToolsChanged "Tool definitions changed";
    McpServerToolsAccepted "Tool definitions accepted";
    DestructiveToolUsed "Destructive tool used for the first time";
    McpServerMoved "MCP server moved";
    WebhookAdded "Webhook added";
    WebhookEdited "Webhook changed";
    WebhookPaused "Webhook paused";
    WebhookResumed "Webhook resumed";
    WebhookSecretReplaced "Signing secret of a webhook replaced";
    WebhookRemoved "Webhook removed";
    ClientAdded "Client added";
    ClientSecretReplaced "Client secret replaced";
    ClientChanged "Client changed";
    ClientSecretEnded "Client’s secret ended";
    ClientDisabled "Client disabled";
    ClientEnabled "Client enabled";
    ClientRemoved "Client removed";
    ChecklistChanged "Checklist changed";
    PolicyChanged "Policy changed";
    ClientsPruned "Unused clients removed";
    GrantAllowed "Access allowed";
    GrantDenied "Access denied";
    GrantEnded "Access ended";
    PersonalTokenGenerated "Personal token generated";
    PersonalTokenRevoked "Personal token revoked";
    LeakReported "Leak reported";
    IncidentOpened "Incident opened";
    IncidentEdited "Incident changed";
    IncidentNoted "Note added to an incident";
    IncidentContained "Incident contained";
    IncidentClosed "Incident closed";
    IncidentReopened "Incident opened again";
}

/// Kinds of actions: the word in the address, the name, and how the names of the actions begin.
const KINDS: [(&str, &str, &[&str]); 8] = [
    ("sign-in", "Sign-in", &["session.", "second_factor.", "recovery_code", "passkey."]),
    ("credentials", "Credentials", &["credential.", "credentials.", "token."]),
    ("incidents", "Leaks and stops", &["credential.leaked", "credential.retired", "leak.", "incident.", "emergency."]),
    ("people", "People and teams", &["person.", "team.", "invitation."]),
    ("apps", "Apps and clients", &["client", "grant.", "personal_token."]),
    ("servers", "MCP servers", &["mcp_server."]),
    ("webhooks", "Webhooks", &["webhook."]),
    ("instance", "Keys, backups, policies", &["signing_key.", "master_key.", "instance.", "checklist.", "policy."]),
];

fn of_kind(beginnings: &'static [&'static str]) -> impl Iterator<Item = Action> {
    let belongs = |action: &Action| beginnings.iter().any(|beginning| action.as_str().starts_with(beginning));
    Action::ALL.into_iter().filter(belongs)
}

/// The choice of a kind or of one action.
pub(super) fn action_options() -> Vec<(String, String)> {
    let choices = KINDS.into_iter().flat_map(|(kind, name, beginnings)| {
        let actions = of_kind(beginnings).map(|action| (action.as_str(), format!("\u{2003}{}", text(action))));
        [(kind, name.to_owned())].into_iter().chain(actions)
    });
    options_after("Everything", choices.map(|(value, words)| (value.to_owned(), words)))
}

/// The actions of a kind, as a filter has them. Any other word is one action.
pub(super) fn actions_of(word: &str) -> String {
    let kind = KINDS.into_iter().find(|(kind, ..)| *kind == word);
    let actions = |beginnings| of_kind(beginnings).map(Action::as_str).collect::<Vec<_>>().join(",");
    kind.map_or_else(|| word.to_owned(), |(_, _, beginnings)| actions(beginnings))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_action_has_a_text_of_its_own_and_a_kind() {
        let texts: HashSet<&str> = Action::ALL.iter().map(|action| text(*action)).collect();
        assert_eq!(texts.len(), Action::ALL.len());
        for action in Action::ALL {
            assert!(text(action).starts_with(char::is_uppercase), "{action:?}");
            assert_eq!(Action::parse(action.as_str()), Some(action));
            assert!(KINDS.iter().any(|(_, _, beginnings)| of_kind(beginnings).any(|own| own == action)), "{action:?}");
        }
    }
}
