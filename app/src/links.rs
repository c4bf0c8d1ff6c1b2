//! Addresses of the dashboard. Every page, form and action has its name here once. The paths are those of the route
//! table.

use std::fmt::Display;

use domain::base::clock::Timestamp;

/// Builds a constant for each address without parameters, a function for each address with parameters, and the list of
/// all addresses.
macro_rules! links {
    (
        pages { $($page:ident = $page_path:literal: $page_doc:literal;)* }
        things { $($name:ident($($parameter:ident),+) = $path:literal: $doc:literal;)* }
    ) => {
        $(#[doc = $page_doc] pub const $page: &str = $page_path;)*

        $(
            #[doc = $doc]
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
        OVERVIEW = "/": "The overview.";
        SEARCH = "/search": "Searching everything.";
        HELP = "/docs": "Help, and the list of documents.";
        SETUP = "/setup": "Creating the first administrator.";
        INVITATION = "/invitation": "What an invitation's link opens.";
        HANDOVER = "/handover": "What the link of a handed-over secret opens.";
        SET_PASSWORD = "/password": "What a password link opens.";
        FORGOT_PASSWORD = "/password/forgot": "Asking for a password link by e-mail.";
        ACCOUNT_MAIL = "/account/mail": "Choosing e-mails.";
        SIGN_IN = "/login": "Signing in.";
        SIGN_IN_WITH_OPENID = "/login/openid": "Signing in with an OpenID provider.";
        SIGN_IN_WITH_PASSKEY = "/login/passkey": "Signing in with a passkey, and the challenge for it.";
        SECOND_STEP = "/login/second-factor": "The second step of a sign-in.";
        SIGN_OUT = "/logout": "Signing out.";
        CREDENTIALS = "/credentials": "The list of credentials.";
        NEW_CREDENTIAL = "/credentials/new": "Generating a credential.";
        RENEW_SEVERAL = "/credentials/renew": "New secrets for credentials of the list.";
        SEVERAL = "/credentials/several": "One action on several credentials.";
        RECEIPT = "/credentials/receipt": "What an action on several credentials did.";
        EXPORT_CREDENTIALS = "/credentials/export": "The list of credentials as a file.";
        SERVERS = "/servers": "The list of MCP servers.";
        NEW_SERVER = "/servers/new": "Registering an MCP server.";
        LEAKS = "/leaks": "Responding to a leak.";
        INCIDENTS = "/incidents": "The list of incidents.";
        REPORT = "/leaks/report": "Reporting a leaked secret, for anybody.";
        REPORTED = "/leaks/reported": "What a report of a leaked secret did.";
        EMERGENCY = "/emergency": "The emergency stop: what it selects, what it would end, and stops in force.";
        RENEW = "/leaks/renew": "New secrets for credentials that leaked.";
        REFUSALS = "/refusals": "Refused exchanges of some hours.";
        ACTIVITY = "/activity": "The audit log.";
        EXPORT_ACTIVITY = "/activity/export": "The audit log as a file.";
        TEAMS = "/teams": "The list of teams.";
        NEW_TEAM = "/teams/new": "Making a team.";
        PEOPLE = "/people": "The list of people.";
        INVITE = "/people/invite": "Inviting a person, into any team.";
        SETTINGS = "/settings": "The settings.";
        SIGNING_KEYS = "/settings/keys": "Replacing a signing key.";
        POLICIES = "/settings/policies": "What the installation allows.";
        REVIEWS = "/reviews": "Credentials that their teams confirm.";
        REQUESTS = "/requests": "Credentials that members ask for.";
        ABOUT = "/settings/about": "The instance, and the settings in force.";
        WEBHOOKS = "/settings/webhooks": "The list of webhooks.";
        NEW_WEBHOOK = "/settings/webhooks/new": "Adding a webhook.";
        APPS = "/apps": "Connected apps.";
        DEVICE = "/device": "Entering the code of a device.";
        CLIENTS = "/apps/clients": "The list of clients.";
        NEW_CLIENT = "/apps/clients/new": "Adding a client.";
        TOKENS = "/tokens": "Looking up a token.";
        ACCOUNT = "/account": "The account of the signed-in person.";
        ACCOUNT_NAME = "/account/name": "Changing the name of that account.";
        ACCOUNT_PASSWORD = "/account/password": "Changing the password of that account.";
        PERSONAL_TOKENS = "/account/tokens": "The personal tokens of the signed-in person.";
        CONNECT_OPENID = "/account/openid": "Connecting an OpenID account.";
        DISCONNECT_OPENID = "/account/openid/disconnect": "Disconnecting it.";
        AUTHENTICATOR = "/account/authenticator": "Setting up an authenticator app.";
        CONFIRM_AUTHENTICATOR = "/account/authenticator/confirm": "Its first code.";
        REMOVE_AUTHENTICATOR = "/account/authenticator/remove": "Removing it.";
        RECOVERY_CODES = "/account/recovery-codes": "New recovery codes.";
        NEW_PASSKEY = "/account/passkeys/new": "Adding a passkey.";
        PASSKEY_CHALLENGE = "/account/passkeys/challenge": "The challenge for a passkey of the signed-in person.";
        AUTHORIZE = "/mcp/oauth/authorize": "A client's request for a person's consent.";
        JWKS = "/mcp/oauth/jwks": "The public keys.";

        // Server functions.
        CHANGE_CHECKLIST = "/fn/change_checklist": "Ticks a step of the checklist, or dismisses it.";
        FIRST_EXCHANGE = "/fn/first_exchange": "Whether a credential was exchanged yet.";
        ENABLE_CREDENTIAL = "/fn/enable_credential": "Enables a credential.";
        DISABLE_CREDENTIAL = "/fn/disable_credential": "Disables a credential.";
        REVOKE_CREDENTIALS_NOW = "/fn/revoke_credentials": "Revokes one or several credentials.";
        REMOVE_SECRET = "/fn/remove_secret": "Removes a secret of a credential.";
        REMOVE_KEY = "/fn/remove_key": "Removes a key of a credential.";
        REMOVE_IDENTITY = "/fn/remove_identity": "Removes an identity of a credential.";
        WITHDRAW_INVITATION = "/fn/withdraw_invitation": "Withdraws an invitation.";
        REMOVE_MEMBER = "/fn/remove_member": "Takes a person out of a team.";
        REMOVE_TEAM = "/fn/remove_team": "Removes a team.";
        END_SESSIONS_OF = "/fn/end_sessions_of": "Ends sessions of a person.";
        WITHDRAW_PASSWORD_LINK = "/fn/withdraw_password_link": "Withdraws a password link.";
        UNDO_STOP = "/fn/undo_emergency_stop": "Undoes an emergency stop.";
        TEST_WEBHOOK = "/fn/test_webhook": "Sends a test message to a webhook.";
        PAUSE_WEBHOOK = "/fn/pause_webhook": "Pauses a webhook.";
        RESUME_WEBHOOK = "/fn/resume_webhook": "Resumes a webhook.";
        REMOVE_WEBHOOK = "/fn/remove_webhook": "Removes a webhook.";
        SEND_DELIVERY_AGAIN = "/fn/send_delivery_again": "Sends a delivery of a webhook again.";
        REMOVE_CLIENT = "/fn/remove_client": "Removes a client.";
        END_SESSION = "/fn/end_session": "Ends a session of the signed-in person.";
        REVOKE_TOKEN = "/fn/revoke_token": "Revokes one access token.";
        END_DEVICE = "/fn/end_device": "Ends the request of a device whose code leaked.";
        END_ACCESS = "/fn/end_grant": "Ends the access of a connected app.";
        REVOKE_PERSONAL_TOKEN = "/fn/revoke_personal_token": "Revokes a personal token.";
    }
    things {
        credential(client_id) = "/credentials/{client_id}": "A credential.";
        edit_credential(client_id) = "/credentials/{client_id}/edit": "Editing it.";
        rotate_credential(client_id) = "/credentials/{client_id}/rotate": "Rotating its secret or key.";
        rotation(client_id) = "/credentials/{client_id}/rotation": "Finishing, extending or cancelling the rotation.";
        disable_credential(client_id) = "/credentials/{client_id}/disable": "Disabling it.";
        enable_credential(client_id) = "/credentials/{client_id}/enable": "Enabling it.";
        revoke_credential(client_id) = "/credentials/{client_id}/revoke": "Revoking it.";
        test_credential(client_id) = "/credentials/{client_id}/test": "Testing it.";
        new_secret(client_id) = "/credentials/{client_id}/secrets/new": "Adding a secret to it.";
        new_key(client_id) = "/credentials/{client_id}/keys/new": "Adding a key to it.";
        new_identity(client_id) = "/credentials/{client_id}/identities/new": "Adding an identity to it.";
        handover_of(client_id) = "/credentials/{client_id}/handover": "Handing its secret over.";
        policy(policy) = "/settings/policies/{policy}": "A policy.";
        request(request_id) = "/requests/{request_id}": "A credential that a member asks for.";
        decide_request(request_id) = "/requests/{request_id}/decide": "Approving or declining it.";
        withdraw_request(request_id) = "/requests/{request_id}/withdraw": "Withdrawing it.";
        generate_request(request_id) = "/requests/{request_id}/generate": "Generating it.";
        server(id) = "/servers/{id}": "An MCP server.";
        server_access(id) = "/servers/{id}/access": "Which teams may use it.";
        edit_server(id) = "/servers/{id}/edit": "Editing it.";
        archive_server(id) = "/servers/{id}/archive": "Archiving it.";
        unarchive_server(id) = "/servers/{id}/unarchive": "Taking it back from the archive.";
        remove_server(id) = "/servers/{id}/remove": "Removing it.";
        check_server(id) = "/servers/{id}/check": "Checking whether it protects itself.";
        gateway_settings(id) = "/servers/{id}/gateway": "How the gateway calls it.";
        server_tools(id) = "/servers/{id}/tools": "Which scope allows which tool.";
        look_at_tools(id) = "/servers/{id}/tools/look": "Looking at its tools.";
        accept_tools(id) = "/servers/{id}/tools/accept": "Accepting the definitions of its tools.";
        ready_scope(id) = "/servers/{id}/tools/scope": "Adding a scope made of its tools.";
        incident(number) = "/incidents/{number}": "The record of a leak.";
        incident_note(number) = "/incidents/{number}/note": "Adding a note to it.";
        incident_state(number) = "/incidents/{number}/state": "Stopping what leaked, closing it, opening it again.";
        incident_json(number) = "/incidents/{number}/record.json": "It as JSON.";
        incident_markdown(number) = "/incidents/{number}/record.md": "It as Markdown.";
        team(team_id) = "/teams/{team_id}": "A team.";
        remove_team(team_id) = "/teams/{team_id}/remove": "Asking before it is removed.";
        rename_team(team_id) = "/teams/{team_id}/name": "Changing its name.";
        invite_to_team(team_id) = "/teams/{team_id}/invite": "Inviting a person into it.";
        team_member(team_id, person_id) = "/teams/{team_id}/members/{person_id}": "A person's role in it.";
        person(person_id) = "/people/{person_id}": "A person.";
        document(slug) = "/docs/{slug}": "A document, or a section of one.";
        change_person(person_id) = "/people/{person_id}/change": "Changing them.";
        rename_person(person_id) = "/people/{person_id}/name": "Giving them another name.";
        password_link_for(person_id) = "/people/{person_id}/password-link": "Making a password link for them.";
        person_teams(person_id) = "/people/{person_id}/teams": "Putting them into a team.";
        owned_by(person_id) = "/people/{person_id}/owned": "Giving the credentials that they own to somebody else.";
        webhook(id) = "/settings/webhooks/{id}": "A webhook.";
        edit_webhook(id) = "/settings/webhooks/{id}/edit": "Editing it.";
        webhook_secret(id) = "/settings/webhooks/{id}/secret": "Replacing its signing secret.";
        remove_webhook(id) = "/settings/webhooks/{id}/remove": "Asking before it is removed.";
        client(id) = "/apps/clients/{id}": "A client. The identifier of one may be an address.";
        edit_client(id) = "/apps/clients/{id}/edit": "Editing it.";
        disable_client(id) = "/apps/clients/{id}/disable": "Disabling it.";
        enable_client(id) = "/apps/clients/{id}/enable": "Enabling it.";
        client_secret(id) = "/apps/clients/{id}/secret": "Replacing its secret.";
        remove_passkey(id) = "/account/passkeys/{id}/remove": "Removing a passkey.";
    }
}

/// Credentials with this status.
pub(crate) fn credentials_with_status(status: &str) -> String {
    with_query(CREDENTIALS, &[("status", status)])
}

/// The list of credentials with this query, which another page carried.
pub(crate) fn credentials_of_query(query: &str) -> String {
    if query.is_empty() { CREDENTIALS.to_owned() } else { format!("{CREDENTIALS}?{query}") }
}

/// A credential that was opened from the list with this query. Its page leads back there.
pub(crate) fn credential_in_list(client_id: impl Display, list: &str) -> String {
    with_query(&credential(client_id), &[("list", list)])
}

/// One action on these credentials.
pub(crate) fn several(action: &str, client_ids: &[String]) -> String {
    let ids = client_ids.iter().map(|id| ("client_id", id.as_str()));
    with_query(SEVERAL, &[("do", action)].into_iter().chain(ids).collect::<Vec<_>>())
}

/// Reversing what these entries of the audit log did to these credentials.
pub(crate) fn undo(entries: &str, client_ids: &[String]) -> String {
    let ids = client_ids.iter().map(|id| ("client_id", id.as_str()));
    with_query(SEVERAL, &[("do", "undo"), ("entries", entries)].into_iter().chain(ids).collect::<Vec<_>>())
}

/// The entries of the audit log from this one back.
pub(crate) fn activity_from(entry: i64) -> String {
    with_query(ACTIVITY, &[("before", &(entry + 1).to_string())])
}

/// Credentials of this team that may call this MCP server.
pub(crate) fn credentials_of_team_for(team_id: impl Display, server_id: impl Display) -> String {
    with_query(CREDENTIALS, &[("team", &team_id.to_string()), ("server", &server_id.to_string())])
}

/// Credentials of this team.
pub(crate) fn credentials_of_team(team_id: impl Display) -> String {
    with_query(CREDENTIALS, &[("team", &team_id.to_string())])
}

/// A view of the page of an MCP server.
pub(crate) fn server_view(id: impl Display, parameters: &[(&str, &str)]) -> String {
    with_query(&server(id), parameters)
}

/// A view of the page of a person.
pub(crate) fn person_view(id: impl Display, parameters: &[(&str, &str)]) -> String {
    with_query(&person(id), parameters)
}

/// A view of the page of a team.
pub(crate) fn team_view(id: impl Display, parameters: &[(&str, &str)]) -> String {
    with_query(&team(id), parameters)
}

/// Archived MCP servers.
pub(crate) fn archived_servers() -> String {
    with_query(SERVERS, &[("status", "archived")])
}

/// Generating a credential for this MCP server.
pub(crate) fn credential_for_server(id: impl Display) -> String {
    with_query(NEW_CREDENTIAL, &[("server", &id.to_string())])
}

/// Generating a credential with the settings of this one.
pub(crate) fn credential_like(client_id: impl Display) -> String {
    with_query(NEW_CREDENTIAL, &[("from", &client_id.to_string())])
}

/// The closed incidents with a smaller number.
pub(crate) fn older_incidents(before: i64) -> String {
    with_query(INCIDENTS, &[("before", &before.to_string())])
}

/// One entry of the audit log.
pub(crate) fn entry(seq: i64) -> String {
    with_query(ACTIVITY, &[("entry", &seq.to_string())])
}

/// The same, to have another one of its kind beside it.
pub(crate) fn duplicate_of(client_id: impl Display) -> String {
    with_query(NEW_CREDENTIAL, &[("from", &client_id.to_string()), ("as", "duplicate")])
}

/// The view of a credential that connects a program.
pub fn connect(client_id: impl Display) -> String {
    with_query(&credential(client_id), &[("view", "connect")])
}

/// The view of a credential's secrets, keys or identities.
pub fn secrets_of(client_id: impl Display) -> String {
    with_query(&credential(client_id), &[("view", "secrets")])
}

/// The refused exchanges in `hours` hours from this hour on. `whose` is a credential or a team; without it, those of
/// all credentials.
pub(crate) fn refused_within(hour: i64, hours: i64, whose: &[(&'static str, String)]) -> String {
    let from = Timestamp::from_millis(hour.saturating_mul(3_600_000)).rfc3339();
    let hours = hours.to_string();
    let mut parameters = vec![("from", from.get(..13).unwrap_or_default()), ("hours", &hours)];
    parameters.extend(whose.iter().map(|(name, value)| (*name, value.as_str())));
    with_query(REFUSALS, &parameters)
}

/// The entries of the audit log about this.
pub(crate) fn activity_of(target: impl Display) -> String {
    with_query(ACTIVITY, &[("target", &target.to_string())])
}

/// The sign-in page. After the sign-in it leads to this address of ours.
pub fn sign_in_on_the_way_to(next: &str) -> String {
    on_the_way_to(next, SIGN_IN, &[])
}

/// The same for a person whose form was not saved, because nobody was signed in when it arrived.
pub fn sign_in_after_form(next: &str) -> String {
    on_the_way_to(if next == OVERVIEW { "" } else { next }, SIGN_IN, &[(UNSAVED, "yes")])
}

/// The field that says so.
pub const UNSAVED: &str = "unsaved";

/// A page of the sign-in, with a query of these parameters and of the address `next` of ours, which comes last.
///
/// The query of a client's request stays as it is. Encoded a second time, the `state` of some clients would become
/// longer than what servers and proxies read of an address. A cookie for it is the rejected alternative: a person can
/// sign in for two clients at the same time.
pub(crate) fn on_the_way_to(next: &str, page: &str, parameters: &[(&str, &str)]) -> String {
    let with = |next| with_query(page, &[parameters, &[("next", next)]].concat());
    match next.strip_prefix(AUTHORIZE).and_then(|rest| rest.strip_prefix('?')) {
        Some(request) => format!("{}&{request}", with(AUTHORIZE)),
        None => with(next),
    }
}

/// The client's request in an address that [`sign_in_on_the_way_to`] made.
pub fn request_on_the_way(target: &str) -> Option<String> {
    let (_, request) = target.split_once(&format!("{}&", query_string(&[("next", AUTHORIZE)])))?;
    Some(format!("{AUTHORIZE}?{request}"))
}

/// An address with a query of the parameters that have a value.
pub(crate) fn with_query(path: &str, parameters: &[(&str, &str)]) -> String {
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
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The sections about the pages of the dashboard: the beginning of an address, and the section. The first one counts.
pub(crate) const ABOUT_PAGES: [(&str, &str); 28] = [
    ("/credentials/new", "guide#the-first-credential"),
    ("/credentials", "guide#the-first-credential"),
    ("/refusals", "guide#the-first-credential"),
    ("/servers/new", "gateway#put-a-server-behind-the-gateway"),
    ("/servers", "guide#protect-your-own-mcp-server"),
    ("/apps", "guide#apps-that-act-for-people"),
    ("/device", "guide#apps-that-act-for-people"),
    ("/account/tokens", "guide#personal-tokens"),
    ("/account", "guide#second-factors-and-single-sign-on"),
    ("/leaks", "respond#answer-a-leak"),
    ("/incidents", "respond#handle-an-incident"),
    ("/emergency", "respond#stop-many-credentials"),
    ("/activity", "respond#what-the-record-shows-afterwards"),
    ("/tokens", "respond#answer-a-leak"),
    ("/teams", "guide#teams-and-people"),
    ("/people", "guide#teams-and-people"),
    ("/settings/keys", "respond#replace-a-signing-key"),
    ("/settings/webhooks", "webhooks"),
    ("/settings/policies", "policies"),
    ("/reviews", "policies#review-credentials"),
    ("/requests", "policies#let-a-manager-approve"),
    ("/settings/about", "operate#monitor"),
    ("/settings", "settings"),
    ("/search", "guide"),
    ("/docs", "guide"),
    ("/setup", "guide"),
    ("/login", "guide"),
    ("/", "guide#the-first-credential"),
];

/// The address of the section about the page at `path`.
pub(crate) fn about_page(path: &str) -> String {
    let found = ABOUT_PAGES.iter().find(|(beginning, _)| path.starts_with(beginning));
    let section = found.map_or("guide", |(_, section)| section);
    match section.split_once('#') {
        Some((slug, place)) => format!("{}#{place}", document(slug)),
        None => document(section),
    }
}
