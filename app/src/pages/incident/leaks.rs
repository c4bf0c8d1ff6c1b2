//! Responding to a leak: paste a text, see which secrets it contains and what they reach, end them.
//!
//! The pasted text is in the request and nowhere else. So a handler of the server answers the form: a server function
//! would have to put the text into an address or a redirect.

use std::time::Duration;

use domain::base::id::TeamId;
use domain::credential::{inspect, list};
use domain::incident::leak::{self, DelegatedLeak, Evidence, Findings, Leak, LeakSubject, Reached};
use domain::model::credential::AuthMethod;
use domain::model::credential::query::{Query, Show};
use domain::model::person::authority::Role;
use domain::model::person::team::Team;
use domain::model::server::McpServer;
use domain::person::{manage, team};
use domain::server;

use crate::components::parts::address;
use crate::pages::credential::head::rotate_link;
use crate::pages::incident::list::unclosed;
use crate::pages::server::calls::blast_radius;
use crate::pages::team::who_may_act;
use crate::prelude::*;

/// The form.
pub async fn page(form: Form) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let status = form.errors.status();
    let error = form.errors.at("text");
    let body = view! {
        <ErrorSummary errors=form.errors/>
        {head((), "Leaks", LEAD, emergency())}
        {working(&visit).await?}
        {unclosed(&visit).await?}
        <section class="panel" aria-label="Search">{fields(error)}</section>
    };
    Ok(Page::new("Leaks", body).answering(status))
}

/// The most credentials that the page lists.
const LISTED: u16 = 100;

/// The leaked credentials that still work, with the links that stop each.
async fn working(visit: &Visit) -> Result<AnyView, ActionError> {
    let (context, authority) = (&visit.context, visit.authority()?);
    let query = Query { show: Show::Leaked, ..Query::default() };
    let found = list::list(context, authority, &query, LISTED).await?;
    let credentials = found.credentials;
    if credentials.is_empty() {
        return Ok(panel("working", "Leaked and working", (), empty("No leaked credential works.")));
    }
    let teams = team::list(context, authority).await?;
    let mut rows = Vec::new();
    for credential in credentials {
        let secrets = inspect::secrets(context, &credential.client_id).await?;
        let secret = leak::reported(&secrets);
        let helpers = match visit.may(&credential.team, Role::Member) {
            true => None,
            false => Some(who_may_act(visit, &credential.team).await?),
        };
        let team = teams.iter().find(|team| team.id == credential.team).map(|team| team.name.clone());
        let place = secret.and_then(|secret| secret.leaked_where.clone());
        let owner = credential.owner.as_ref().map(|owner| owner.name.clone());
        let name = format!(" {}", credential.name);
        let id = &credential.client_id;
        let actions = match helpers {
            Some(names) => html! { "Tell "<b>{names}</b>" now." },
            None => {
                let rotate = (credential.auth_method != AuthMethod::Federated)
                    .then(|| small_link(links::rotate_credential(id), one_of_many("Rotate", name.clone())));
                html! {
                    <div class="row">
                        {rotate}
                        <a class="button" data-kind="danger" data-size="small" href=links::revoke_credential(id)>
                            {one_of_many("Revoke", name)}
                        </a>
                    </div>
                }
            }
        };
        rows.push(cells![
            html! {
                <a class="name" href=links::credential(&credential.client_id)>{credential.name.clone()}</a>
                <div class="sub">{team}</div>
            },
            owner.map_or_else(|| muted("Nobody"), IntoAny::into_any),
            distance_or(secret.and_then(|secret| secret.leaked_at), "A token was reported"),
            place.map_or_else(|| muted("Not known"), |place| html! { <span class="lines">{place}</span> }),
            actions,
        ]);
    }
    let columns = ["Credential and team", "Owner", "Reported", "Found where"].map(Column::from);
    let more = found.next.map(|_| {
        let href = links::credentials_with_status("leaked");
        view! { <a href=href>{format!("See all: more than {LISTED}")}</a> }
    });
    let rows = table(columns.into_iter().chain([Column::buttons_inline()]), rows);
    Ok(danger_panel("working", "Leaked and working", html! { {rows}{more} }))
}

const LEAD: &str = "Paste what was found. It is searched for secrets, tokens and client IDs, and not stored.";

/// The link to the emergency stop, for those who may use it.
fn emergency() -> Option<AnyView> {
    let viewer = Visit::current().viewer?;
    viewer.authority.is_administrator().then(|| button_link(links::EMERGENCY, "Emergency stop"))
}

/// The periods in which the use of a leaked credential is counted: days, and the heads of the columns.
const PERIODS: [(u32, &str); 4] = [(90, "90 days"), (30, "30 days"), (7, "7 days"), (1, "24 hours")];

/// Finds the secrets in `text`, and shows how the credentials were used. `incident` is the number of its incident.
pub async fn result(text: String, incident: Option<i64>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let (context, authority) = (&visit.context, visit.authority()?);
    let since = PERIODS.map(|(days, _)| visit.now().minus(Duration::from_secs(24 * 3600) * days));
    let findings = leak::find(context, authority, &text, since).await?;
    let names = Names::read(&visit, &findings).await?;
    let is_empty = findings.leaks.is_empty() && findings.delegated.is_empty() && findings.elsewhere == 0;
    let summary = summary(&findings);
    let search = if is_empty {
        html! { <section class="panel" aria-label="Search">{advice()}{fields(None)}</section> }
    } else {
        html! {
            <section class="panel" aria-label="Search another text">
                <details class="more"><summary>"Search another text"</summary>{fields(None)}</details>
            </section>
        }
    };
    let body = view! {
        {head((), "Leaks", (), emergency())}
        {notice(
            if is_empty { "warn" } else { "danger" },
            view! {
                {summary}
                {incident.map(recorded)}
                {all_at_once(&visit, &findings, incident)}
                {stop_elsewhere(&visit, &findings).await?}
            },
        )}
        {findings.delegated.into_iter().map(|leak| one_of_people(&visit, leak)).collect_view()}
        {findings.leaks.into_iter().map(|leak| one(&visit, leak, &names, incident)).collect_view()}
        {search}
    };
    Ok(Page::new("Leaks", body))
}

fn fields(error: Option<String>) -> AnyView {
    html! {
        <form method="post" action=links::LEAKS class="body" autocomplete="off">
            <FormToken/>
            <TextArea id="text" label="Leaked text" value="" placeholder="css_…" error autofocus=true
                hint="A secret, a token, a client ID, a .env file or a part of a log, up to 20 kB. For larger files: countersign leak FILE."/>
            <div class="row">
                <button class="button" data-kind="primary">"Find credential"</button>
                <span class="muted needs-script">"Ctrl + Enter"</span>
            </div>
        </form>
    }
}

/// Says that the leak has a record.
fn recorded(number: i64) -> AnyView {
    html! { <p>"The leak is recorded as "<a href=links::incident(number)>{format!("incident #{number}")}</a>"."</p> }
}

/// What to do when nothing was found.
fn advice() -> AnyView {
    html! {
        <div class="body">
            <p>"What can be found:"</p>
            <ul>
                <li>"A whole secret: "<code>"css_"</code>" and 49 characters. Check that none is missing at the end."</li>
                <li>"A personal token: "<code>"csp_"</code>" and 49 characters."</li>
                <li>"An access token: it begins with "<code>"eyJ"</code>" and has two dots."</li>
                <li>"A client ID: "<code>"csc_"</code>" and 22 characters."</li>
            </ul>
            <p>
                "If you know only the name or the last characters of a secret, look for it in the "
                <a href=links::CREDENTIALS>"list of credentials"</a>"."
            </p>
        </div>
    }
}

/// What was found, in sentences.
fn summary(findings: &Findings) -> AnyView {
    let evidence = || findings.leaks.iter().flat_map(|leak| &leak.evidence).filter(|evidence| evidence.works());
    let of_people = || findings.delegated.iter().filter(|leak| leak.works);
    let is_secret = |leak: &&DelegatedLeak| matches!(leak.found, LeakSubject::Client(_));
    let secrets = evidence().filter(|evidence| matches!(evidence, Evidence::Secret { .. })).count()
        + of_people().filter(is_secret).count();
    let tokens = evidence().count() + of_people().count() - secrets;
    let found: Vec<String> =
        [(secrets, "working secret", "working secrets"), (tokens, "working token", "working tokens")]
            .into_iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, many)| counted(count, one, many))
            .collect();
    let first = if !found.is_empty() {
        format!("Found {}.", found.join(" and "))
    } else if !findings.leaks.is_empty() || !findings.delegated.is_empty() {
        "Nothing in the text still works.".to_owned()
    } else if findings.elsewhere > 0 {
        "You can see nothing of what was found.".to_owned()
    } else {
        "No Countersign secret, token or client ID found.".to_owned()
    };
    let more = [
        (findings.damaged > 0).then(|| {
            let texts = counted(findings.damaged, "text looks", "texts look");
            format!("{texts} like a Countersign secret that is cut off or mistyped.")
        }),
        (findings.unknown > 0).then(|| {
            let secrets = counted(findings.unknown, "secret is", "secrets are");
            format!("{secrets} not known here: they may belong to another Countersign.")
        }),
        (findings.elsewhere > 0).then(|| {
            let one = "more secret or token belongs";
            let secrets = counted(findings.elsewhere, one, "more secrets and tokens belong");
            format!("{secrets} to teams or people outside your teams.")
        }),
        findings.more.then(|| "The text holds more than one search shows. Handle these, then search again.".to_owned()),
    ];
    let more: Vec<String> = more.into_iter().flatten().collect();
    html! { <p><b>{first}</b>" "{more.join(" ")}</p> }
}

/// What the panels name: teams, the people who may revoke, and MCP servers.
struct Names {
    teams: Vec<Team>,
    helpers: Vec<(TeamId, String)>,
    servers: Vec<McpServer>,
}

impl Names {
    async fn read(visit: &Visit, findings: &Findings) -> Result<Self, ActionError> {
        let teams = team::list(&visit.context, visit.authority()?).await?;
        let mut helpers = Vec::new();
        for Leak { credential, .. } in &findings.leaks {
            let team = &credential.team;
            if !visit.may(team, Role::Member) && !helpers.iter().any(|(known, _)| known == team) {
                helpers.push((team.clone(), who_may_act(visit, team).await?));
            }
        }
        Ok(Self { teams, helpers, servers: server::list(&visit.context).await? })
    }

    fn team(&self, id: &TeamId) -> AnyView {
        let team = self.teams.iter().find(|team| team.id == *id);
        let link = |team: &Team| view! { <a href=links::team(&team.id)>{team.name.clone()}</a> };
        team.map(link).into_any()
    }

    /// Who can revoke the credentials of this team.
    fn helpers(&self, id: &TeamId) -> String {
        let names = self.helpers.iter().find(|(team, _)| team == id);
        names.map(|(_, names)| names.clone()).unwrap_or_default()
    }

    fn server(&self, id: &str) -> String {
        let server = self.servers.iter().find(|server| server.id.as_str() == id);
        server.map_or_else(|| "A removed server".to_owned(), |server| server.resource.clone())
    }
}

const REASON: &str = "Leaked";

fn revoke_form(client_ids: String, verb: String, incident: Option<i64>) -> AnyView {
    let incident = incident.map(|number| ("incident", number.to_string()));
    post_button(
        links::REVOKE_CREDENTIALS_NOW,
        [("client_ids", client_ids), ("reason", REASON.to_owned())].into_iter().chain(incident),
        Some("danger"),
        false,
        verb,
    )
}

/// The actions on everything that still works, together.
fn all_at_once(visit: &Visit, findings: &Findings, incident: Option<i64>) -> AnyView {
    let usable: Vec<_> = findings
        .leaks
        .iter()
        .filter(|leak| leak.credential.revoked_at.is_none() && leak.evidence.iter().any(Evidence::works))
        .filter(|leak| visit.may(&leak.credential.team, Role::Member))
        .map(|leak| &leak.credential)
        .collect();
    let joined = |method: Option<AuthMethod>| {
        let ids = usable.iter().filter(|credential| method.is_none_or(|method| credential.auth_method == method));
        ids.map(|credential| credential.client_id.as_str()).collect::<Vec<_>>()
    };
    let (ids, secrets) = (joined(None), joined(Some(AuthMethod::ClientSecret)));
    let renew = |how: &'static str, verb: String| {
        post_button(links::RENEW, [("client_ids", secrets.join(" ")), ("how", how.to_owned())], None, false, verb)
    };
    let renewals = (secrets.len() > 1).then(|| {
        view! {
            {renew("rotate", format!("Rotate all {}", secrets.len()))}
            {renew("replace", format!("Generate {} replacements", secrets.len()))}
        }
    });
    let words = view! {
        <p>"This text contains the secrets of several credentials. Anyone who has it can use them."</p>
        <div class="row">{revoke_form(ids.join(" "), format!("Revoke all {}", ids.len()), incident)}{renewals}</div>
    };
    (ids.len() > 1).then_some(words).into_any()
}

/// The button that stops what belongs to others: whoever holds a secret may end it. The page sends the secrets back,
/// and nothing else of the text, because the report needs them and no server keeps them.
async fn stop_elsewhere(visit: &Visit, findings: &Findings) -> Result<Option<AnyView>, ActionError> {
    if findings.to_report.is_empty() {
        return Ok(None);
    }
    let people = manage::list(&visit.context).await?.into_iter().map(|listed| listed.person);
    let administrators = people.filter(|person| person.administrator_since.is_some() && person.disabled_at.is_none());
    let names = administrators.map(|person| format!("{} ({})", person.name, person.email)).collect::<Vec<_>>();
    let texts = findings.to_report.iter().map(|text| text.as_str()).collect::<Vec<_>>().join(" ");
    let button = post_button(links::REPORTED, [("token", texts)], Some("danger"), false, "Report and stop it");
    Ok(Some(html! {
        <p>"Whoever has a secret may stop it, so you may. Then tell "<b>{names.join(", ")}</b>"."</p>
        <div class="row">{button}</div>
    }))
}

fn evidence_words(evidence: &Evidence) -> AnyView {
    match evidence {
        Evidence::Secret { hint, works: true } => {
            html! { <p>"Contains the secret "<code>{format!("css_…{hint}")}</code>", which "<b>"works"</b>"."</p> }
        }
        Evidence::Secret { hint, works: false } => {
            html! { <p>"Contains the secret "<code>{format!("css_…{hint}")}</code>", which no longer works."</p> }
        }
        Evidence::Token { ends_at, works: true } => {
            html! { <p>"Contains a "<b>"live access token"</b>", which works until "{moment(*ends_at)}"."</p> }
        }
        Evidence::Token { ends_at, works: false } => {
            html! { <p>"Contains an access token that no longer works. Its expiry: "{moment(*ends_at)}"."</p> }
        }
        Evidence::ClientId => {
            html! { <p>"Contains only the client ID. It is not secret: nobody can use it without a secret."</p> }
        }
    }
}

/// A client or token that acts for a person, with the button that ends it.
fn one_of_people(visit: &Visit, leak: DelegatedLeak) -> AnyView {
    let DelegatedLeak { found, works } = leak;
    let (name, what) = match &found {
        LeakSubject::PersonalToken(listed) => {
            (listed.token.name.clone(), format!("Personal token of {}", listed.person_name))
        }
        LeakSubject::Consent(listed) => {
            (listed.client_name.clone(), format!("Token with which this app acts for {}", listed.person_name))
        }
        LeakSubject::Client(client) => (client.name.clone(), "Secret of this client".to_owned()),
        LeakSubject::Registration(client) => {
            (client.name.clone(), "Token with which this client manages its registration".to_owned())
        }
        LeakSubject::Device(request, client) => {
            let name = client.as_ref().map_or_else(|| request.client_id.to_string(), |client| client.name.clone());
            (name, "Code with which a device of this app waits for its access".to_owned())
        }
    };
    let state = if works { "works." } else { "no longer works." };
    let button = |action: &'static str, field: &'static str, value: String, verb: &'static str| {
        post_button(action, [(field, value)], Some("danger"), false, verb)
    };
    let action = match found {
        _ if !works => html! { <p class="muted">"There is nothing left to do."</p> },
        LeakSubject::PersonalToken(listed) => {
            let own = visit.viewer.as_ref().is_some_and(|viewer| viewer.id == listed.token.person);
            let verb = if own { "Revoke token" } else { "Revoke their token" };
            button(links::REVOKE_PERSONAL_TOKEN, "token", listed.token.id.to_string(), verb)
        }
        LeakSubject::Consent(listed) => button(links::END_ACCESS, "grant", listed.consent.id.to_string(), "End access"),
        LeakSubject::Device(request, _) => button(links::END_DEVICE, "device", request.hash, "End its request"),
        LeakSubject::Client(client) | LeakSubject::Registration(client) => html! {
            <a class="button" href=links::client(&client.id)>"Open the client"</a>
            <p class="muted">
                "Remove the client to end its secret and the access that people gave it. Then add it again, or let it register again."
            </p>
        },
    };
    html! {
        <section class="panel" aria-label=name.clone()>
            <header><h2>{name.clone()}</h2></header>
            <div class="body"><p><b>{what}</b>" "{state}</p><div class="row">{action}</div></div>
        </section>
    }
}

/// One credential: what was found of it, the actions, and how it was used.
fn one(visit: &Visit, leak: Leak, names: &Names, incident: Option<i64>) -> AnyView {
    let Leak { credential, evidence, impact, reach, calls, called_from } = leak;
    let status = credential.status(visit.now());
    let page = links::credential(&credential.client_id);
    let like = links::credential_like(&credential.client_id);
    let actions = if !visit.may(&credential.team, Role::Member) {
        let helpers = names.helpers(&credential.team);
        html! { <p>"You can look at this team, not change it. Tell "<b>{helpers}</b>" now."</p> }
    } else if credential.revoked_at.is_some() {
        primary_link(like, "Generate a replacement")
    } else {
        html! {
            {revoke_form(credential.client_id.to_string(), "Revoke credential".to_owned(), incident)}
            {rotate_link(&credential)}
            {button_link(like, "Generate a replacement")}
        }
    };
    let id = format!("id-{}", credential.client_id);
    let server = |of: &Reached| address(&names.server(&of.name));
    let address_of = |of: &Reached| match of.name.as_str() {
        "" => muted("Unknown address"),
        name => html! { <code>{name.to_owned()}</code> },
    };
    let description =
        (!credential.description.is_empty()).then(|| view! { <p class="muted">{credential.description.clone()}</p> });
    html! {
        <section class="panel" aria-label=credential.name.clone()>
            <header>
                <h2 class="row"><a href=page>{credential.name.clone()}</a>{status_chip(status)}</h2>
                <span class="row">
                    <code id=id.clone()>{credential.client_id.to_string()}</code>
                    {copy_button(id, "Copy client ID")}
                </span>
            </header>
            <div class="body">
                {description}
                {evidence.iter().map(evidence_words).collect_view()}
                <div class="row">{actions}</div>
            </div>
            <dl class="facts">
                <div><dt>"Team"</dt><dd>{names.team(&credential.team)}</dd></div>
                {credential.owner.clone().map(|owner| view! {
                    <div><dt>"Owner"</dt><dd>{owner.name}{owner.disabled.then_some(" (disabled)")}</dd></div>
                })}
                <div><dt>"Generated by"</dt>
                    <dd>{credential.created_by.clone()}", "{distance(credential.created_at)}</dd></div>
                <div><dt>"First used"</dt><dd>{distance_or(credential.verified_at, "Never")}</dd></div>
                <div><dt>"Last used"</dt><dd>{distance_or(credential.last_used_at, "Never")}</dd></div>
                <div><dt>"Live tokens"</dt><dd>{grouped(impact.live_tokens)}</dd></div>
                <div><dt>"Scopes"</dt><dd>{scope_tags(credential.scopes.iter())}</dd></div>
            </dl>
            {use_table("Used from", "From", &reach.addresses, address_of)}
            {use_table("MCP servers used", "MCP server", &reach.servers, server)}
            {blast_radius(calls, called_from, &names.servers)}
        </section>
    }
}

/// Exchanges by address or by MCP server: the first and the last one, and how many in each period.
fn use_table(
    title: &'static str,
    column: &'static str,
    rows: &[Reached],
    name: impl Fn(&Reached) -> AnyView,
) -> AnyView {
    if rows.is_empty() {
        return ().into_any();
    }
    let [longest, month, week, today] = PERIODS.map(|(_, words)| Column::number(words));
    let columns = [column.into(), "First exchange".into(), "Last exchange".into(), today, week, month, longest];
    let rows = rows.iter().map(|row| {
        let [longest, month, week, today] = row.exchanges.map(grouped);
        cells![name(row), moment(row.first_at), moment(row.last_at), today, week, month, longest]
    });
    html! { <h3 class="under">{title}</h3>{table(columns, rows)} }
}
