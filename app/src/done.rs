//! What was done: a word in the address of the page that is shown afterwards, and the receipt that the page shows.

macro_rules! receipts {
    ($($on:ident $page:literal { $($done:ident = $word:literal: $receipt:literal;)* })*) => {
        /// The page that shows a receipt.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum On {
            $(#[doc = $page] $on,)*
        }

        /// What was done. The name begins with the page that says it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Done {
            $($(#[doc = $receipt] $done,)*)*
        }

        const RECEIPTS: &[(Done, On, &str, &str)] = &[$($((Done::$done, On::$on, $word, $receipt),)*)*];
    };
}

// A page completes a receipt that contains numbers. The text here is the beginning of that receipt.
receipts! {
    Account "The account of the signed-in person." {
        AccountName = "name": "Name saved.";
        AccountPassword = "password": "Password changed. Your other sessions have ended.";
        AccountMail = "mail": "Emails chosen.";
        AccountSessionEnded = "ended": "Session ended.";
        AccountConnected = "connected": "OpenID account connected.";
        AccountDisconnected = "disconnected": "OpenID account disconnected. Your other sessions have ended.";
        AccountAppAdded = "app-added": "Authenticator app added. Your recovery codes still work.";
        AccountAppRemoved = "app-removed": "Authenticator app removed.";
        AccountPasskeyAdded = "passkey-added": "Passkey added.";
        AccountPasskeyRemoved = "passkey-removed": "Passkey removed. Remove it from your device too.";
    }
    Apps "Connected apps." {
        AppsAccessEnded = "ended": "Access ended. Its tokens no longer work.";
        AppsAppTokenRevoked = "token-revoked":
            "Token revoked. The app can get another one: to stop the app, end its access.";
    }
    Client "A client." {
        ClientAdded = "added": "Client added.";
        ClientEdited = "edited": "Changes saved.";
        ClientDisabled = "disabled":
            "Disabled. The app cannot ask for access, and gets no tokens. Its tokens are refused until you enable it again.";
        ClientEnabled = "enabled": "Enabled. The app can ask for access, and what people allowed works again.";
        ClientAccessEnded = "ended": "Access ended. Its tokens no longer work.";
    }
    Clients "The list of clients." {
        ClientsRemoved = "removed": "Client removed. Access that people gave it has ended: ";
    }
    Credential "A credential." {
        CredentialEnabled = "enabled": "Enabled. Exchanges are accepted again.";
        CredentialDisabled = "disabled": "Disabled. Exchanges and live tokens are refused until you enable it again.";
        CredentialRevoked = "revoked": "Revoked. Exchanges are refused and its live tokens have ended.";
        CredentialSaved = "saved": "Changes saved. They count from the next exchange.";
        CredentialGenerated = "generated": "Generated. There is no secret to store: connect the program as shown below.";
        CredentialKeyAdded = "key_added": "Key added. Requests signed with it are accepted.";
        CredentialIdentityAdded = "identity_added": "Identity added. Its tokens are accepted.";
        CredentialRotated = "rotated": "Rotation started. The new key works now.";
        CredentialRotationFinished = "rotation_finished": "Rotation finished. The old secret or key no longer works.";
        CredentialRotationCancelled = "rotation_cancelled":
            "Rotation cancelled. The new secret or key no longer works, the old one stays.";
        CredentialKeyRemoved = "key_removed": "Key removed. Requests signed with it are refused.";
        CredentialIdentityRemoved = "identity_removed": "Identity removed. Its tokens are refused.";
        CredentialSecretRemoved = "secret_removed": "Secret removed. The secret and its tokens are refused.";
        CredentialTokenRevoked = "token-revoked":
            "Token revoked. Introspection and the built-in MCP server refuse it now.";
    }
    Emergency "The emergency stop." {
        EmergencyDisabled = "disabled": "Stopped: ";
        EmergencyRevoked = "revoked": "Revoked: ";
        EmergencyUndone = "undone": "Enabled again: ";
    }
    Incident "An incident." {
        IncidentStopped = "stopped": "Revoked. What leaked is refused, and so are its tokens.";
        IncidentSaved = "saved": "Changes saved.";
        IncidentNoted = "noted": "Note added.";
        IncidentTold = "told": "Noted: the owner of the server was told.";
        IncidentClosed = "closed": "Incident closed.";
        IncidentDismissed = "false-alarm": "Closed as a false alarm. The marks of the leak are taken back.";
        IncidentReopened = "reopened": "Incident opened again.";
    }
    Overview "The overview." {
        OverviewBackupTicked = "backup": "Ticked: the master key and a backup are kept elsewhere.";
        OverviewBackupUnticked = "no-backup": "The tick of the backup is gone.";
        OverviewDismissed = "dismissed": "Checklist dismissed.";
        OverviewShown = "checklist": "The checklist is shown again.";
    }
    People "The list of people." {
        PeopleWithdrawn = "withdrawn": "Invitation withdrawn. Its link no longer works.";
    }
    Person "A person." {
        PersonDisabled = "disabled":
            "Disabled. Their sessions, connected apps and personal tokens have ended, and they cannot sign in.";
        PersonEnabled = "enabled": "Enabled. They can sign in again.";
        PersonAdministrator = "administrator": "Administrator added. They can see and change everything.";
        PersonNoAdministrator = "person": "Administrator removed. Their roles in teams stay.";
        PersonAppEnded = "app-ended": "Access ended. The app and its tokens no longer work.";
        PersonTokenRevoked = "token-revoked": "Token revoked. It no longer works.";
        PersonNamed = "name": "Name saved.";
        PersonRole = "role": "Added to the team.";
        PersonSessionsEnded = "ended": "Sessions ended.";
        PersonLinkWithdrawn = "link-withdrawn": "Password link withdrawn. It no longer works.";
        PersonSecondFactorRemoved = "second-factor-removed":
            "Second factor removed. Their sessions have ended, and their password alone signs them in.";
        PersonDisconnected = "openid-disconnected":
            "OpenID account disconnected. Their sessions have ended, and their password signs them in.";
    }
    Rotation "A rotation." {
        RotationExtended = "extended": "The deadline is changed.";
    }
    Server "An MCP server." {
        ServerAdded = "added": "MCP server added.";
        ServerAccessSaved = "access": "Access saved. It counts from the next token on.";
        ServerEdited = "edited": "Changes saved. They count from the next token on.";
        ServerArchived = "archived": "Archived. The server gets no new tokens.";
        ServerUnarchived = "unarchived": "Unarchived. The server gets tokens again.";
        ServerAppEnded = "app-ended": "Access ended. The app and its tokens no longer work.";
        ServerTokenRevoked = "token-revoked": "Token revoked. It no longer works.";
        ServerChecked = "checked": "Check finished.";
        ServerLookedAt = "looked-at": "The server answered.";
        ServerRulesSaved = "rules": "Rules saved. They count from the next call.";
        ServerToolsAccepted = "accepted": "Definitions accepted. Clients see and call these tools.";
        ServerScopeAdded = "scope": "Scope added. Credentials can get it now.";
        ServerGatewaySaved = "gateway": "Changes saved. They count from the next call.";
    }
    Servers "The list of MCP servers." {
        ServersRemoved = "removed": "MCP server removed.";
    }
    Policies "The policies." {
        PolicySaved = "saved": "Policy saved.";
        PolicyUnchanged = "unchanged": "The policy was so already.";
    }
    Reviews "Credentials to confirm." {
        ReviewConfirmed = "confirmed": "Confirmed: ";
    }
    Request "A credential that a member asks for." {
        RequestSent = "sent": "Request sent. A manager of the team decides.";
        RequestApproved = "approved": "Approved. The member can generate it for 7 days.";
        RequestDeclined = "declined": "Declined.";
        RequestWithdrawn = "withdrawn": "Withdrawn.";
    }
    Settings "The settings." {
        SettingsKeyRotated = "rotated":
            "The new key is published and used after 24 hours. The current key is removed when its last token has expired.";
        SettingsKeyReplaced = "replaced":
            "The key is replaced. The old key is removed from the JWKS, and the tokens that it signed are refused.";
    }
    Team "A team." {
        TeamCreated = "created": "Team created. Invite people, or generate its first credential.";
        TeamName = "name": "Name saved.";
        TeamRole = "role": "Role saved.";
        TeamMemberAdded = "added": "Added. ";
        TeamMemberRemoved = "removed": "Removed from the team. Credentials they generated stay with the team.";
        TeamWithdrawn = "withdrawn": "Invitation withdrawn. Its link no longer works.";
        TeamJoined = "joined": "You joined the team.";
    }
    Teams "The list of teams." {
        TeamsRemoved = "removed": "Team removed.";
    }
    Tokens "The personal tokens." {
        TokensRevoked = "revoked": "Token revoked. It no longer works.";
    }
    Webhook "A webhook." {
        WebhookTested = "tested": "Test delivered. Receiver returned ";
        WebhookSaved = "saved": "Changes saved. They apply to the next message.";
        WebhookPaused = "paused": "Paused. Nothing is sent until you resume.";
        WebhookResumed = "resumed": "Resumed. New events are sent.";
        WebhookSentAgain = "again": "The delivery is sent again in a moment. Reload the page to see the result.";
    }
    Webhooks "The list of webhooks." {
        WebhooksRemoved = "removed": "Webhook removed, with its deliveries.";
    }
}

impl Done {
    /// The receipt that the word in this page's address means, if any.
    pub fn read(on: On, word: Option<&str>) -> Option<Self> {
        RECEIPTS.iter().find(|(_, page, own, _)| *page == on && Some(*own) == word).map(|(done, ..)| *done)
    }

    /// The address of the page that shows the receipt.
    pub fn at(self, address: impl AsRef<str>) -> String {
        let address = address.as_ref();
        let separator = if address.contains('?') { '&' } else { '?' };
        format!("{address}{separator}done={}", self.row().0)
    }

    /// The text of the receipt.
    pub fn receipt(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> (&'static str, &'static str) {
        let row = RECEIPTS.iter().find(|(done, ..)| *done == self);
        row.map_or(("", ""), |(_, _, word, receipt)| (*word, *receipt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_each_word_once() {
        for (done, on, word, receipt) in RECEIPTS {
            assert_eq!(Done::read(*on, Some(word)), Some(*done));
            assert_eq!((done.at("/x"), done.receipt()), (format!("/x?done={word}"), *receipt));
        }
    }
}
