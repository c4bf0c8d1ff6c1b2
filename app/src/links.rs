//! Addresses of the dashboard. Every page, form and action has its name here once. The paths are those of the route
//! table.

use std::fmt::Display;

/// Builds a constant for each address without parameters, a function for each address with parameters, and the list of
/// all addresses.
macro_rules! links {
    (
        pages { $($(#[$page_doc:meta])* $page:ident = $page_path:literal;)* }
        things { $($(#[$doc:meta])* $name:ident($($parameter:ident),+) = $path:literal;)* }
    ) => {
        $($(#[$page_doc])* pub const $page: &str = $page_path;)*

        $(
            $(#[$doc])*
            pub fn $name($($parameter: impl Display),+) -> String {
                format!($path, $($parameter = percent_encoded(&$parameter.to_string())),+)
            }
        )*

        /// Every address; parameters are in braces.
        pub const ALL: &[&str] = &[$($page_path,)* $($path,)*];
    };
}

links! {
    pages {
        /// The overview.
        OVERVIEW = "/";
        /// Creating the first administrator.
        SETUP = "/setup";
        /// What an invitation's link opens.
        INVITATION = "/invitation";
        /// Signing in.
        SIGN_IN = "/login";
        /// Signing in with an OpenID provider.
        SIGN_IN_WITH_OPENID = "/login/openid";
        /// Signing in with a passkey, and what it is to sign.
        SIGN_IN_WITH_PASSKEY = "/login/passkey";
        /// The second step of a sign-in.
        SECOND_STEP = "/login/second-factor";
        /// Signing out.
        SIGN_OUT = "/logout";
        /// The list of credentials.
        CREDENTIALS = "/credentials";
        /// Generating a credential.
        NEW_CREDENTIAL = "/credentials/new";
        /// Revoking several credentials.
        REVOKE_CREDENTIALS = "/credentials/revoke";
        /// The list of MCP servers.
        SERVERS = "/servers";
        /// Registering an MCP server.
        NEW_SERVER = "/servers/new";
        /// Responding to a leak.
        LEAKS = "/leaks";
        /// New secrets for several credentials.
        RENEW = "/leaks/renew";
        /// The audit log.
        ACTIVITY = "/activity";
        /// The audit log as a file.
        EXPORT_ACTIVITY = "/activity/export";
        /// The list of teams.
        TEAMS = "/teams";
        /// Making a team.
        NEW_TEAM = "/teams/new";
        /// The list of people.
        PEOPLE = "/people";
        /// Inviting a person, into any team.
        INVITE = "/people/invite";
        /// The settings.
        SETTINGS = "/settings";
        /// Replacing a signing key.
        SIGNING_KEYS = "/settings/keys";
        /// The emergency stop.
        STOP = "/settings/stop";
        /// The list of webhooks.
        WEBHOOKS = "/settings/webhooks";
        /// Adding a webhook.
        NEW_WEBHOOK = "/settings/webhooks/new";
        /// Connected apps.
        APPS = "/apps";
        /// The list of clients.
        CLIENTS = "/apps/clients";
        /// The account of the signed-in person.
        NEW_CLIENT = "/apps/clients/new";
        /// Changing the name of that account.
        ACCOUNT = "/account";
        /// Changing the password of that account.
        ACCOUNT_NAME = "/account/name";
        /// The personal tokens of the signed-in person.
        ACCOUNT_PASSWORD = "/account/password";
        /// One's personal tokens.
        PERSONAL_TOKENS = "/account/tokens";
        /// Connecting an OpenID account.
        CONNECT_OPENID = "/account/openid";
        /// Disconnecting it.
        DISCONNECT_OPENID = "/account/openid/disconnect";
        /// Setting up an authenticator app.
        AUTHENTICATOR = "/account/authenticator";
        /// Its first code.
        CONFIRM_AUTHENTICATOR = "/account/authenticator/confirm";
        /// Removing it.
        REMOVE_AUTHENTICATOR = "/account/authenticator/remove";
        /// New recovery codes.
        RECOVERY_CODES = "/account/recovery-codes";
        /// The challenge for a passkey of the signed-in person.
        NEW_PASSKEY = "/account/passkeys/new";
        /// A client's request for a person's consent.
        PASSKEY_CHALLENGE = "/account/passkeys/challenge";
        /// A client's request of a person.
        AUTHORIZE = "/mcp/oauth/authorize";
        /// The public keys.
        JWKS = "/mcp/oauth/jwks";

        /// See [`crate::pages::credential::show::first_exchange`].
        FIRST_EXCHANGE = "/fn/first_exchange";
        /// See [`crate::pages::credential::stop::enable_credential`].
        ENABLE_CREDENTIAL = "/fn/enable_credential";
        /// See [`crate::pages::credential::stop::disable_credential`].
        DISABLE_CREDENTIAL = "/fn/disable_credential";
        /// See [`crate::pages::credential::stop::revoke_credentials`].
        REVOKE_CREDENTIALS_NOW = "/fn/revoke_credentials";
        /// See [`crate::pages::credential::authenticators::remove_key`].
        REMOVE_KEY = "/fn/remove_key";
        /// See [`crate::pages::credential::authenticators::remove_identity`].
        REMOVE_IDENTITY = "/fn/remove_identity";
        /// See [`crate::pages::team::invite::withdraw_invitation`].
        WITHDRAW_INVITATION = "/fn/withdraw_invitation";
        /// See [`crate::pages::team::member::remove_member`].
        REMOVE_MEMBER = "/fn/remove_member";
        /// See [`crate::pages::team::show::remove_team`].
        REMOVE_TEAM = "/fn/remove_team";
        /// See [`crate::pages::person::people::end_sessions_of`].
        END_SESSIONS_OF = "/fn/end_sessions_of";
        /// See [`crate::pages::incident::emergency_stop::undo_emergency_stop`].
        UNDO_STOP = "/fn/undo_emergency_stop";
        /// See [`crate::pages::webhook::show::test_webhook`].
        TEST_WEBHOOK = "/fn/test_webhook";
        /// See [`crate::pages::webhook::show::pause_webhook`].
        PAUSE_WEBHOOK = "/fn/pause_webhook";
        /// See [`crate::pages::webhook::show::resume_webhook`].
        RESUME_WEBHOOK = "/fn/resume_webhook";
        /// See [`crate::pages::webhook::show::remove_webhook`].
        REMOVE_WEBHOOK = "/fn/remove_webhook";
        /// See [`crate::pages::webhook::show::send_delivery_again`].
        SEND_DELIVERY_AGAIN = "/fn/send_delivery_again";
        /// See [`crate::pages::client::show::remove_client`].
        REMOVE_CLIENT = "/fn/remove_client";
        /// See [`crate::pages::person::account::end_session`].
        END_SESSION = "/fn/end_session";
        /// See [`crate::pages::client::connected_apps::end_grant`].
        END_ACCESS = "/fn/end_grant";
        /// See [`crate::pages::client::personal_tokens::revoke_personal_token`].
        REVOKE_PERSONAL_TOKEN = "/fn/revoke_personal_token";
    }
    things {
        /// A credential.
        credential(client_id) = "/credentials/{client_id}";
        /// Editing it.
        edit_credential(client_id) = "/credentials/{client_id}/edit";
        /// Rotating its secret or key.
        rotate_credential(client_id) = "/credentials/{client_id}/rotate";
        /// Finishing, extending or cancelling the rotation.
        rotation(client_id) = "/credentials/{client_id}/rotation";
        /// Disabling it.
        disable_credential(client_id) = "/credentials/{client_id}/disable";
        /// Enabling it.
        enable_credential(client_id) = "/credentials/{client_id}/enable";
        /// Revoking it.
        revoke_credential(client_id) = "/credentials/{client_id}/revoke";
        /// Adding a key to it.
        new_key(client_id) = "/credentials/{client_id}/keys/new";
        /// Adding an identity to it.
        new_identity(client_id) = "/credentials/{client_id}/identities/new";
        /// An MCP server.
        server(id) = "/servers/{id}";
        /// A team.
        team(team_id) = "/teams/{team_id}";
        /// Inviting a person into it.
        rename_team(team_id) = "/teams/{team_id}/name";
        /// A person's role in it.
        invite_to_team(team_id) = "/teams/{team_id}/invite";
        /// Somebody's role in it.
        team_member(team_id, person_id) = "/teams/{team_id}/members/{person_id}";
        /// A person.
        person(person_id) = "/people/{person_id}";
        /// Changing them.
        change_person(person_id) = "/people/{person_id}/change";
        /// Putting them into a team.
        person_teams(person_id) = "/people/{person_id}/teams";
        /// A webhook.
        webhook(id) = "/settings/webhooks/{id}";
        /// Editing it.
        edit_webhook(id) = "/settings/webhooks/{id}/edit";
        /// Replacing its signing secret.
        webhook_secret(id) = "/settings/webhooks/{id}/secret";
        /// Asking before it is removed.
        remove_webhook(id) = "/settings/webhooks/{id}/remove";
        /// A client. The identifier of one may be an address.
        client(id) = "/apps/clients/{id}";
        /// Editing it.
        edit_client(id) = "/apps/clients/{id}/edit";
        /// Replacing its secret.
        client_secret(id) = "/apps/clients/{id}/secret";
        /// Removing a passkey.
        remove_passkey(id) = "/account/passkeys/{id}/remove";
    }
}

/// Credentials with this status.
pub fn credentials_with_status(status: &str) -> String {
    with_query(CREDENTIALS, &[("status", status)])
}

/// Credentials of this team.
pub fn credentials_of_team(team_id: impl Display) -> String {
    with_query(CREDENTIALS, &[("team", &team_id.to_string())])
}

/// Generating a credential with the settings of this one.
pub fn credential_like(client_id: impl Display) -> String {
    with_query(NEW_CREDENTIAL, &[("from", &client_id.to_string())])
}

/// The entries of the audit log about this.
pub fn activity_of(target: impl Display) -> String {
    with_query(ACTIVITY, &[("target", &target.to_string())])
}

/// The sign-in page. After the sign-in it leads to this address of ours.
pub fn sign_in_on_the_way_to(next: &str) -> String {
    with_query(SIGN_IN, &[("next", next)])
}

/// An address with a query of the parameters that have a value.
pub fn with_query(path: &str, parameters: &[(&str, &str)]) -> String {
    let query = query_string(parameters);
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// A query string of the parameters that have a value.
pub fn query_string(parameters: &[(&str, &str)]) -> String {
    let parts: Vec<String> = parameters
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
        .collect();
    parts.join("&")
}

/// Percent-encodes everything but letters, digits, `-`, `.`, `_` and `~` (RFC 3986 §2.3).
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
