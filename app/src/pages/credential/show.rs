//! One credential: its settings, its use, how to connect, how to stop it.

use domain::audit;
use domain::base::clock::Timestamp;
use domain::credential::federated;
use domain::credential::inspect;
use domain::credential::keys;
use domain::credential::usage::{self, RecentExchange};
use domain::incident::leak;
use domain::model::credential::federated::FederatedIdentity;
use domain::model::credential::key::ClientKey;
use domain::model::credential::usage::{Hour, RefusalHour, RefusalSummary, Whose};
use domain::model::credential::{AssertionRules, AuthMethod, ClientSecret, Credential, Impact, Status};
use domain::model::person::authority::Role;
use domain::model::person::team::Team;
use domain::model::server::{DEFAULT_TOKEN_LIFETIME, McpServer};
use domain::person::team;
use domain::server;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use crate::components::chart::{HourChart, grouped};
use crate::components::form::post_button::post_button;
use crate::components::icon::{Drawing, Icon};
use crate::components::notice::Receipt;
use crate::components::snippet::{Snippets, TryIt};
use crate::components::status::{ScopeTags, StatusChip};
use crate::components::table::{table, used_from};
use crate::components::time::{Moment, MomentOr, duration};
use crate::done::On;
use crate::error::ActionError;
use crate::links;
use crate::page::Page;
use crate::pages::audit::activity::{EntryLine, EntryView};
use crate::pages::credential::authenticators::{Identities, Keys};
use crate::pages::credential::find;
use crate::pages::credential::list::server_names;
use crate::pages::credential::usage::{Recent, Refused, impact_facts};
use crate::snippets::Connection;
use crate::visit::{Visit, signed_in};

/// Whether the credential was exchanged yet. The script of the waiting page polls it.
#[server(prefix = "/fn", endpoint = "first_exchange", input = GetUrl)]
pub async fn first_exchange(client_id: String) -> Result<bool, ActionError> {
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

/// All data of the page. It is read before anything is rendered.
struct Details {
    credential: Credential,
    team: Option<Team>,
    servers: Vec<McpServer>,
    secrets: Vec<ClientSecret>,
    keys: Vec<ClientKey>,
    identities: Vec<FederatedIdentity>,
    shared: bool,
    impact: Impact,
    hours: Vec<Hour>,
    exchanges: Vec<RecentExchange>,
    refusals: Vec<RefusalSummary>,
    refusal_hours: Vec<RefusalHour>,
    changes: Vec<EntryView>,
}

async fn read(visit: &Visit, client_id: &str) -> Result<Details, ActionError> {
    let credential = find(visit, client_id).await?;
    let (context, id) = (&visit.context, credential.client_id.clone());
    let identities = federated::list(context, &id).await?;
    Ok(Details {
        shared: federated::is_shared(context, &identities).await?,
        identities,
        team: team::find(context, visit.authority()?, &credential.team).await?,
        servers: server::list(context).await?,
        secrets: inspect::secrets(context, &id).await?,
        keys: keys::list(context, &id).await?,
        impact: inspect::impact(context, &credential).await?,
        hours: usage::hours(context, Whose::Credential(&id), 72).await?,
        exchanges: usage::recent_exchanges(context, &id).await?,
        refusals: usage::refusals(context, &id).await?,
        refusal_hours: usage::refusals_by_hour(context, &id, 72).await?,
        changes: audit::of_target(context, id.as_str(), 5).await?.iter().map(EntryView::of).collect(),
        credential,
    })
}

/// The page. `done` names the receipt.
pub async fn page(client_id: String, done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let details = read(&visit, &client_id).await?;
    let status = details.credential.status(visit.now());
    let server = details.servers.iter().find(|server| details.credential.servers.first() == Some(&server.id));
    let mut connection = connection(&visit, &details.credential, server);
    if let Some(key) = details.keys.iter().find(|key| key.revoked_at.is_none()) {
        connection.algorithm = key.key.algorithm().as_str();
    }
    if let Some(identity) = details.identities.iter().find(|identity| identity.revoked_at.is_none()) {
        connection.audience.clone_from(&identity.audience);
    }
    let title = details.credential.name.clone();
    let address = links::credential(&client_id);
    let Details {
        credential,
        team,
        servers,
        secrets,
        keys,
        identities,
        shared,
        impact,
        hours,
        exchanges,
        refusals,
        refusal_hours,
        changes,
    } = details;
    let now = visit.now();
    let waiting = (status == Status::Unverified)
        .then(|| view! { <TryIt connection=connection.clone() reload=Some(address.clone())/> });
    let about = match credential.auth_method {
        AuthMethod::ClientSecret => "Without the secret: it was shown once.",
        AuthMethod::PrivateKeyJwt => "The private key stays with the program.",
        AuthMethod::Federated => "The issuer gives the program its token.",
    };
    let connect =
        (!matches!(status, Status::Revoked | Status::Expired)).then(|| view! { <Snippets connection about=about/> });
    let changeable = status != Status::Revoked;
    let manages = changeable && visit.may(&credential.team, Role::Manager);
    let member = visit.may(&credential.team, Role::Member);
    let leaked = leaked(&secrets, !changeable, visit.now());
    let proof = match credential.auth_method {
        AuthMethod::ClientSecret => view! { <Secrets secrets revoked={!changeable} now/> }.into_any(),
        AuthMethod::PrivateKeyJwt => {
            view! { <Keys keys client_id=client_id.clone() changeable=manages now/> }.into_any()
        }
        AuthMethod::Federated => {
            view! { <Identities identities client_id=client_id.clone() changeable=manages shared now/> }.into_any()
        }
    };
    let body = view! {
        <Receipt on=On::Credential done/>
        <Head credential=credential.clone() status works={changeable && member} manages/>
        <Ended credential=credential.clone() status member/>
        <Rotation credential=credential.clone() now member/>
        {leaked}
        {waiting}
        <Facts credential=credential.clone() team servers=servers.clone() impact=impact.clone()/>
        {proof}
        <section class="panel" aria-labelledby="exchanges">
            <header><h2 id="exchanges">"Exchanges"</h2><span class="muted">"last 72 hours, by hour"</span></header>
            <HourChart hours caption="Exchanges by hour" issued=["exchange", "exchanges"] refused=["refused"; 2]/>
        </section>
        <div class="split">
            <Recent exchanges servers/>
            <Changes changes client_id/>
        </div>
        <Refused refusals hours=refusal_hours/>
        {connect}
        <StopFacts impact status member/>
    };
    Ok(Page::new(title, body))
}

#[component]
fn Head(credential: Credential, status: Status, works: bool, manages: bool) -> AnyView {
    let stop = match status {
        Status::Disabled => post_button(
            links::ENABLE_CREDENTIAL,
            [("client_id", credential.client_id.to_string())],
            Some("primary"),
            false,
            "Enable",
        ),
        _ => view! { <a class="button" href=links::disable_credential(&credential.client_id)>"Disable"</a> }.into_any(),
    };
    let rotate = match credential.auth_method {
        AuthMethod::ClientSecret => Some("Rotate secret"),
        AuthMethod::PrivateKeyJwt => Some("Rotate key"),
        AuthMethod::Federated => None,
    };
    let rotate =
        rotate.map(|word| view! { <a class="button" href=links::rotate_credential(&credential.client_id)>{word}</a> });
    let actions = works.then(|| {
        view! {
            <div class="row">
                {rotate}
                {manages.then(|| view! { <a class="button" href=links::edit_credential(&credential.client_id)>"Edit"</a> })}
                {stop}
                <a class="button" data-kind="danger" href=links::revoke_credential(&credential.client_id)>"Revoke"</a>
            </div>
        }
    });
    view! {
        <div class="head">
            <div>
                <a href=links::CREDENTIALS>"Back to the list"</a>
                <div class="title"><h1>{credential.name}</h1><StatusChip status=status.into()/></div>
                <span class="row">
                    <code id="cid">{credential.client_id.to_string()}</code>
                    <button type="button" class="button needs-script" data-kind="quiet" data-size="icon" data-copy="cid">
                        <Drawing icon=Icon::Copy/><span class="vh">"Copy client ID"</span>
                    </button>
                </span>
                {(!credential.description.is_empty()).then(|| view! { <p>{credential.description}</p> })}
            </div>
            {actions}
        </div>
    }
    .into_any()
}

/// Why the credential does not work. Nothing when it works.
#[component]
fn Ended(credential: Credential, status: Status, member: bool) -> AnyView {
    let replacement = links::credential_like(&credential.client_id);
    let replace =
        move || member.then(|| view! { <a href=replacement>"Generate a replacement with the same settings"</a> });
    let entry = links::activity_of(&credential.client_id);
    match (status, credential.revoked_at, credential.disabled_at) {
        (Status::Revoked, Some(at), _) => {
            let reason = match &credential.revoke_reason {
                Some(reason) => format!(" Reason: {reason}."),
                None => String::new(),
            };
            view! {
                <div class="notice" data-tone="danger">
                    <Drawing icon=Icon::Warning/>
                    <div>
                        <p><b>"This is final since "<Moment at/>"."</b>{reason}</p>
                        <p class="row">
                            <a href=entry>"See the audit entry"</a>
                            {replace()}
                        </p>
                    </div>
                </div>
            }
            .into_any()
        }
        (Status::Disabled, _, Some(at)) => view! {
            <div class="notice" data-tone="warn">
                <Drawing icon=Icon::Warning/>
                <div><p>"Stopped "<Moment at/>". Exchanges and live tokens are refused until it is enabled again."</p></div>
            </div>
        }
        .into_any(),
        (Status::Expired, ..) => view! {
            <div class="notice" data-tone="danger">
                <Drawing icon=Icon::Warning/>
                <div>
                    <p>"Its time is over: no secret of it works any more."</p>
                    <p>{replace()}</p>
                </div>
            </div>
        }
        .into_any(),
        _ => ().into_any(),
    }
    .into_any()
}

/// The notice that a secret was reported as leaked.
fn leaked(secrets: &[ClientSecret], revoked: bool, now: Timestamp) -> AnyView {
    leak::reported(secrets)
        .map(|secret| {
            let works = !revoked && secret.end().is_live(now);
            let ended = if works { "It still works: rotate or revoke it." } else { "It does not work any more." };
            let place = secret.leaked_where.as_ref().map(|place| format!(" Found at {place}."));
            view! {
                <div class="notice" data-tone="danger">
                    <Drawing icon=Icon::Warning/>
                    <div><p>
                        <b>{format!("The secret css_…{} was reported as leaked ", secret.hint)}
                        {secret.leaked_at.map(|at| view! { <Moment at/> })}". "</b>{ended}{place}
                    </p></div>
                </div>
            }
        })
        .into_any()
}

/// The rotation in progress.
#[component]
fn Rotation(credential: Credential, now: Timestamp, member: bool) -> AnyView {
    let until = credential.rotation_ends_at.filter(|_| credential.is_rotating(now));
    until
        .map(|at| {
            view! {
                <div class="notice" data-tone="warn">
                    <Drawing icon=Icon::Warning/>
                    <div>
                        <p><b>"Rotation in progress. "</b>"The old one stops working "<Moment at/>"."</p>
                        {member.then(|| {
                            let href = links::rotate_credential(&credential.client_id);
                            view! { <p><a href=href>"Finish, extend or cancel"</a></p> }
                        })}
                    </div>
                </div>
            }
        })
        .into_any()
}

#[component]
fn Facts(credential: Credential, team: Option<Team>, servers: Vec<McpServer>, impact: Impact) -> AnyView {
    let first = servers.iter().find(|server| credential.servers.first() == Some(&server.id));
    let lifetime =
        credential.token_lifetime.or(first.map(|server| server.token_lifetime)).unwrap_or(DEFAULT_TOKEN_LIFETIME);
    let live = match (impact.live_tokens, impact.last_token_ends_at) {
        (count @ 1.., Some(at)) => {
            view! { {grouped(count)}" "<span class="muted">"the last ends "</span><Moment at/> }.into_any()
        }
        _ => view! { <span class="muted">"None"</span> }.into_any(),
    };
    let ranges: Vec<String> = credential.ip_ranges.iter().map(ToString::to_string).collect();
    let ranges = if ranges.is_empty() {
        view! { <span class="muted">"Every address"</span> }.into_any()
    } else {
        view! { <code>{ranges.join(", ")}</code> }.into_any()
    };
    let used_from =
        credential.last_used_from.map(|address| view! { " "<span class="muted">{format!("from {address}")}</span> });
    let used_with = credential.last_used_agent.as_ref().map(|agent| view! { <div class="sub">{agent.clone()}</div> });
    view! {
        <dl class="panel facts">
            {team.map(|team| {
                let href = links::team(&team.id);
                view! { <div><dt>"Team"</dt><dd><a href=href>{team.name}</a></dd></div> }
            })}
            <div><dt>"MCP server"</dt><dd>{server_names(&credential, &servers).join(", ")}</dd></div>
            <div><dt>"Scopes"</dt><dd><ScopeTags scopes=credential.scopes.iter().map(str::to_owned).collect()/></dd></div>
            <div><dt>"Last used"</dt><dd><MomentOr at=credential.last_used_at otherwise="Never"/>{used_from}{used_with}</dd></div>
            <div><dt>"Live tokens"</dt><dd>{live}</dd></div>
            <div><dt>"Token lifetime"</dt><dd>{duration(lifetime)}</dd></div>
            <div><dt>"Expires"</dt><dd><MomentOr at=credential.ends_at otherwise="Never"/></dd></div>
            <div><dt>"Allowed IP ranges"</dt><dd>{ranges}</dd></div>
            {exceptions(credential.assertions).map(|text| view! { <div><dt>"Exceptions"</dt><dd>{text}</dd></div> })}
            <div><dt>"Generated"</dt><dd><Moment at=credential.created_at/>" "
                <span class="muted">{format!("by {}", credential.created_by)}</span></dd></div>
        </dl>
    }
    .into_any()
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

#[component]
fn Secrets(secrets: Vec<ClientSecret>, revoked: bool, now: Timestamp) -> AnyView {
    let rows = secrets
        .into_iter()
        .map(|secret| {
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
            let from = used_from(secret.last_used_from);
            view! {
                <tr>
                    <th scope="row"><code>{format!("css_…{}", secret.hint)}</code></th>
                    <td data-label="Generated"><Moment at=secret.created_at/></td>
                    <td data-label="Last used"><MomentOr at=secret.last_used_at otherwise="Never"/>{from}</td>
                    <td data-label="Ends"><MomentOr at=end.moment() otherwise="Never"/></td>
                    <td data-label="State"><span class="chip" data-tone=tone>{word}</span></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="panel" aria-labelledby="secrets">
            <header><h2 id="secrets">"Secrets"</h2><span class="muted">"Known by their last characters."</span></header>
            {table(["Secret", "Generated", "Last used", "Ends", "State"], rows)}
        </section>
    }
    .into_any()
}

#[component]
fn Changes(changes: Vec<EntryView>, client_id: String) -> AnyView {
    let rows = changes
        .into_iter()
        .map(|mut entry| {
            entry.target_name.clear();
            view! { <li class="entry"><EntryLine entry/></li> }
        })
        .collect_view();
    view! {
        <section class="panel" aria-labelledby="changes">
            <header><h2 id="changes">"Recent changes"</h2><a href=links::activity_of(&client_id)>"See all entries"</a></header>
            <ol class="list">{rows}</ol>
        </section>
    }
    .into_any()
}

#[component]
fn StopFacts(impact: Impact, status: Status, member: bool) -> AnyView {
    let whereabouts = if member {
        view! { "Both are at the "<a href="#main">"top of this page"</a>"." }.into_any()
    } else {
        "Your role lets you look: tell a member of the team or an administrator at once.".into_any()
    };
    (status != Status::Revoked).then(|| view! {
        <section class="panel" data-tone="danger" aria-labelledby="danger">
            <header><h2 id="danger">"If it leaked"</h2></header>
            {impact_facts(&impact)}
            <div class="body"><p class="muted">
                "Disabling refuses exchanges and live tokens until it is undone. Revoking is final. "{whereabouts}" The built-in MCP server refuses the live tokens at once, a server "
                "that reads the status list within seconds; one that only checks signatures accepts them until they end."
            </p></div>
        </section>
    })
    .into_any()
}
