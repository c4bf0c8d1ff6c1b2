//! One credential: its settings, its use, how to connect, how to stop it.

use domain::audit;
use domain::base::clock::Timestamp;
use domain::credential::federated;
use domain::credential::inspect;
use domain::credential::keys;
use domain::incident::leak;
use domain::model::credential::usage::Period;
use domain::model::credential::{AssertionRules, AuthMethod, ClientSecret, Credential, Impact, Status};
use domain::model::person::authority::Role;
use domain::model::person::team::Team;
use domain::model::server::{DEFAULT_TOKEN_LIFETIME, McpServer};
use domain::person::team;
use domain::server;
use leptos::server_fn::codec::GetUrl;

use crate::components::snippet::{Snippets, TryIt};
use crate::pages::audit::entry::{EntryView, entry_list};
use crate::pages::credential::authenticators::{identities_panel, keys_panel};
use crate::pages::credential::find;
use crate::pages::credential::list::server_names;
use crate::pages::credential::tokens::tokens_view;
use crate::pages::credential::usage::{impact_facts, usage_view};
use crate::pages::token::trial::test_button;
use crate::prelude::*;
use crate::snippets::Connection;

/// Whether the credential was exchanged yet. The script of the waiting page polls it.
#[server(prefix = "/fn", endpoint = "first_exchange", input = GetUrl)]
pub(crate) async fn first_exchange(client_id: String) -> Result<bool, ActionError> {
    let visit = signed_in()?;
    Ok(find(&visit, &client_id).await?.verified_at.is_some())
}

/// The texts that connect a program to the credential's first server, without the secret.
pub fn connection(visit: &Visit, credential: &Credential, server: Option<&McpServer>) -> Connection {
    let settings = &visit.context.settings;
    Connection {
        client_id: credential.client_id.to_string(),
        name: credential.name.clone(),
        secret: None,
        token_endpoint: settings.token_endpoint(),
        mcp_server: server.map_or_else(|| settings.built_in_resource(), |server| server.resource.clone()),
        issuer: settings.public_url.clone(),
        scope: credential.scopes.to_string(),
        method: credential.auth_method,
        algorithm: "ES256",
        audience: settings.public_url.clone(),
    }
}

/// The page. `done` names the receipt.
pub async fn page(client_id: String, period: Period, done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, &client_id).await?;
    let (context, id, now) = (&visit.context, &credential.client_id, visit.now());
    let team = team::find(context, visit.authority()?, &credential.team).await?;
    let servers = server::list(context).await?;
    let secrets = inspect::secrets(context, id).await?;
    let keys = keys::list(context, id).await?;
    let identities = federated::list(context, id).await?;
    let shared = federated::is_shared(context, &identities).await?;
    let impact = inspect::impact(context, &credential).await?;
    let usage = usage_view(&visit, &credential, period, &links::credential(id)).await?;
    let changes: Vec<_> = audit::of_target(context, id.as_str(), 5).await?.iter().map(EntryView::of).collect();
    let status = credential.status(now);
    let server = servers.iter().find(|server| credential.servers.first() == Some(&server.id));
    let mut connection = connection(&visit, &credential, server);
    if let Some(key) = keys.iter().find(|key| key.revoked_at.is_none()) {
        connection.algorithm = key.key.algorithm().as_str();
    }
    if let Some(identity) = identities.iter().find(|identity| identity.revoked_at.is_none()) {
        connection.audience.clone_from(&identity.audience);
    }
    let address = links::credential(&client_id);
    let waiting =
        (status == Status::Unverified).then(|| view! { <TryIt connection=connection.clone() reload=Some(address)/> });
    let about = match credential.auth_method {
        AuthMethod::ClientSecret => "Add the secret you saved.",
        AuthMethod::PrivateKeyJwt => "The private key stays with the program.",
        AuthMethod::Federated => "The issuer gives the program its token.",
    };
    let connect =
        (!matches!(status, Status::Revoked | Status::Expired)).then(|| view! { <Snippets connection about=about/> });
    let changeable = status != Status::Revoked;
    let manages = changeable && visit.may(&credential.team, Role::Manager);
    let member = visit.may(&credential.team, Role::Member);
    let leaked = leaked(&secrets, !changeable, now);
    let imported = changeable.then(|| imported(&secrets)).flatten();
    let closed = connect.is_some().then(|| closed(&credential, team.as_ref(), &servers)).flatten();
    let proof = match credential.auth_method {
        AuthMethod::ClientSecret => secrets_panel(secrets, !changeable, now),
        AuthMethod::PrivateKeyJwt => keys_panel(keys, &client_id, manages, now),
        AuthMethod::Federated => identities_panel(identities, &client_id, manages, shared, now),
    };
    let tokens = tokens_view(&visit, &credential).await?;
    let body = view! {
        <Receipt on=On::Credential done/>
        {title_row(&credential, status, changeable && member, manages)}
        {ended(&credential, status, member)}
        {rotation(&credential, now, member)}
        {leaked}
        {imported}
        {closed}
        {waiting}
        {facts(&credential, team, &servers, &impact)}
        {proof}
        {tokens}
        {usage}
        {recent_changes(changes, &client_id)}
        {connect}
        {(status != Status::Revoked).then(|| if_leaked(&impact, member))}
    };
    Ok(Page::new(credential.name, body))
}

fn title_row(credential: &Credential, status: Status, works: bool, manages: bool) -> AnyView {
    let id = &credential.client_id;
    let actions = works.then(|| {
        let stop = match status {
            Status::Disabled => {
                let fields = [("client_id", id.to_string())];
                post_button(links::ENABLE_CREDENTIAL, fields, Some("primary"), false, "Enable")
            }
            _ => button_link(links::disable_credential(id), "Disable"),
        };
        view! {
            <div class="row">
                {test_button(credential)}
                {rotate_link(credential)}
                {manages.then(|| button_link(links::edit_credential(id), "Edit"))}
                {stop}
                <a class="button" data-kind="danger" href=links::revoke_credential(id)>"Revoke"</a>
            </div>
        }
    });
    html! {
        <div class="head">
            <div>
                <a href=links::CREDENTIALS>"Back to the list"</a>
                <div class="title"><h1>{credential.name.clone()}</h1>{status_chip(status)}</div>
                <span class="row">
                    <code id="cid">{id.to_string()}</code>
                    <button type="button" class="button needs-script" data-kind="quiet" data-size="icon" data-copy="cid">
                        <Drawing icon=Icon::Copy/><span class="vh">"Copy client ID"</span>
                    </button>
                </span>
                {(!credential.description.is_empty()).then(|| view! { <p>{credential.description.clone()}</p> })}
            </div>
            {actions}
        </div>
    }
}

/// The link to a rotation, for a credential that has something to rotate.
pub(crate) fn rotate_link(credential: &Credential) -> Option<AnyView> {
    let words = match credential.auth_method {
        AuthMethod::ClientSecret => "Rotate secret",
        AuthMethod::PrivateKeyJwt => "Rotate key",
        AuthMethod::Federated => return None,
    };
    Some(button_link(links::rotate_credential(&credential.client_id), words))
}

/// Why the credential does not work. Nothing when it works.
fn ended(credential: &Credential, status: Status, member: bool) -> AnyView {
    let replace = member.then(|| {
        let href = links::credential_like(&credential.client_id);
        view! { <a href=href>"Generate a replacement with the same settings"</a> }
    });
    match (status, credential.revoked_at, credential.disabled_at) {
        (Status::Revoked, Some(at), _) => {
            let reason = credential.revoke_reason.as_ref().map(|reason| format!(" Reason: {reason}."));
            let entry = links::activity_of(&credential.client_id);
            let words = view! {
                <p><b>"This is final since "{moment(at)}"."</b>{reason.unwrap_or_default()}</p>
                <p class="row"><a href=entry>"See the audit entry"</a>{replace}</p>
            };
            notice("danger", words)
        }
        (Status::Disabled, _, Some(at)) => {
            let words = " Exchanges and live tokens are refused until it is enabled again.";
            notice("warn", view! { <p>"Stopped "{distance(at)}"."{words}</p> })
        }
        (Status::Expired, ..) => {
            notice("danger", view! { <p>"This credential has expired. None of its secrets works."</p><p>{replace}</p> })
        }
        _ => ().into_any(),
    }
}

/// Asks to rotate an imported secret.
fn imported(secrets: &[ClientSecret]) -> Option<AnyView> {
    let is_left =
        |secret: &ClientSecret| secret.hint.is_empty() && secret.revoked_at.is_none() && secret.retires_at.is_none();
    secrets.iter().any(is_left).then(|| {
        let text = "The secret was imported: rotate it. A person may have chosen it, so somebody may guess it. \
                    Countersign limits wrong guesses until then.";
        notice("warn", view! { <p>{text}</p> })
    })
}

/// Says for which of its MCP servers the credential gets no token, because they are not open to its team.
fn closed(credential: &Credential, team: Option<&Team>, servers: &[McpServer]) -> Option<AnyView> {
    let is_closed =
        |server: &&McpServer| credential.servers.contains(&server.id) && !server.access.admits_team(&credential.team);
    let names: Vec<&str> = servers.iter().filter(is_closed).map(|server| server.name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let is = if names.len() == 1 { "is" } else { "are" };
    let team = team.map_or("its team", |team| team.name.as_str());
    let words = format!(
        "{} {is} not open to the team {team}: the credential gets no token there. An administrator can add the team on the \
         page of the MCP server.",
        names.join(", ")
    );
    Some(notice("warn", view! { <p>{words}</p> }))
}

/// The notice that a secret was reported as leaked.
fn leaked(secrets: &[ClientSecret], revoked: bool, now: Timestamp) -> Option<AnyView> {
    let secret = leak::reported(secrets)?;
    let works = !revoked && secret.end().is_live(now);
    let ended = if works { "It still works: rotate or revoke it." } else { "It does not work any more." };
    let place = secret.leaked_where.as_ref().map(|place| format!(" Found at {place}."));
    let what = format!("The secret css_…{} was reported as leaked ", secret.hint);
    Some(notice("danger", view! { <p><b>{what}{secret.leaked_at.map(distance)}". "</b>{ended}{place}</p> }))
}

/// The rotation in progress.
fn rotation(credential: &Credential, now: Timestamp, member: bool) -> Option<AnyView> {
    let at = credential.rotation_ends_at.filter(|_| credential.is_rotating(now))?;
    let href = links::rotate_credential(&credential.client_id);
    let act = member.then(|| view! { <p><a href=href>"Finish, extend or cancel"</a></p> });
    let words = view! { <p><b>"Rotation in progress. "</b>"The old one stops working "{distance(at)}"."</p>{act} };
    Some(notice("warn", words))
}

fn facts(credential: &Credential, team: Option<Team>, servers: &[McpServer], impact: &Impact) -> AnyView {
    let first = servers.iter().find(|server| credential.servers.first() == Some(&server.id));
    let lifetime =
        credential.token_lifetime.or(first.map(|server| server.token_lifetime)).unwrap_or(DEFAULT_TOKEN_LIFETIME);
    let live = match (impact.live_tokens, impact.last_token_ends_at) {
        (count @ 1.., Some(at)) => html! { {grouped(count)}" "{muted("the last ends ")}{distance(at)} },
        _ => muted("None"),
    };
    let ranges: Vec<String> = credential.ip_ranges.iter().map(ToString::to_string).collect();
    let ranges = if ranges.is_empty() {
        muted("Every address")
    } else {
        html! { <code>{ranges.join(", ")}</code> }
    };
    let from = credential.last_used_from.map(|address| view! { " "{muted(format!("from {address}"))} });
    html! {
        <dl class="panel facts">
            {team.map(|team| {
                let href = links::team(&team.id);
                view! { <div><dt>"Team"</dt><dd><a href=href>{team.name}</a></dd></div> }
            })}
            <div><dt>"MCP server"</dt><dd>{server_names(credential, servers).join(", ")}</dd></div>
            <div><dt>"Scopes"</dt><dd>{scope_tags(credential.scopes.iter())}</dd></div>
            <div><dt>"Last used"</dt><dd>
                {distance_or(credential.last_used_at, "Never")}{from}{credential.last_used_agent.clone().map(sub)}
            </dd></div>
            <div><dt>"Live tokens"</dt><dd>{live}</dd></div>
            <div><dt>"Token lifetime"</dt><dd>{duration(lifetime)}</dd></div>
            <div><dt>"Expires"</dt><dd>{distance_or(credential.ends_at, "Never")}</dd></div>
            <div><dt>"Allowed IP ranges"</dt><dd>{ranges}</dd></div>
            {exceptions(credential.assertions).map(|text| view! { <div><dt>"Exceptions"</dt><dd>{text}</dd></div> })}
            <div><dt>"Generated"</dt><dd>
                {distance(credential.created_at)}" "{muted(format!("by {}", credential.created_by))}
            </dd></div>
        </dl>
    }
}

/// The exceptions that its assertions may use.
fn exceptions(rules: AssertionRules) -> Option<String> {
    let words = [
        (rules.token_endpoint_audience, "token endpoint as audience"),
        (rules.reusable, "assertions can be used again"),
        (rules.jwt_bearer, "JWT bearer grant"),
    ];
    let words: Vec<&str> = words.into_iter().filter(|(on, _)| *on).map(|(_, word)| word).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn secrets_panel(secrets: Vec<ClientSecret>, revoked: bool, now: Timestamp) -> AnyView {
    let rows = secrets.into_iter().map(|secret| {
        let end = secret.end();
        let (word, tone) = if revoked || secret.revoked_at.is_some() {
            ("Ended", "danger")
        } else if !end.is_live(now) {
            ("Over", "danger")
        } else if secret.retires_at.is_some() {
            ("Retiring", "warn")
        } else if secret.last_used_at.is_some() {
            ("Current", "ok")
        } else {
            ("Unused", "idle")
        };
        cells![
            html! { <code>{format!("css_…{}", secret.hint)}</code> },
            distance(secret.created_at),
            last_use(secret.last_used_at, secret.last_used_from),
            distance_or(end.moment(), "Never"),
            chip(word, tone),
        ]
    });
    let rows = table(["Secret", "Generated", "Last used", "Ends", "State"], rows);
    panel("secrets", "Secrets", muted("Known by their last characters."), rows)
}

fn recent_changes(changes: Vec<EntryView>, client_id: &str) -> AnyView {
    let unnamed = changes.into_iter().map(|entry| EntryView { target_name: String::new(), ..entry });
    let all = view! { <a href=links::activity_of(client_id)>"See all entries"</a> };
    panel("changes", "Recent changes", all, entry_list(unnamed))
}

fn if_leaked(impact: &Impact, member: bool) -> AnyView {
    let whereabouts = if member {
        html! { "Both are at the "<a href="#main">"top of this page"</a>"." }
    } else {
        "Your role lets you look: tell a member of the team or an administrator at once.".into_any()
    };
    let facts = view! {
        {impact_facts(impact)}
        <div class="body"><p class="muted">
            "Disabling refuses exchanges and live tokens until it is undone. Revoking is final. "{whereabouts}" The built-in MCP server refuses the live tokens at once, a server "
            "that reads the status list within seconds; one that only checks signatures accepts them until they end."
        </p></div>
    };
    danger_panel("danger", "If it leaked", facts)
}
