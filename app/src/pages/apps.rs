//! Connected apps: what people have allowed, and the clients that may ask them.

use std::time::Duration;

use domain::clock::Timestamp;
use domain::error::FieldError;
use domain::id::{GrantId, InteractiveClientId};
use domain::interactive::client::{self, ClientDraft, ClientError, ClientKind, ClientQuery, InteractiveClient};
use domain::interactive::grant::{self, Grant, GrantError, ListedGrant};
use domain::interactive::prune;
use domain::interactive::redirect_uri::RedirectUri;
use domain::mcp_server;
use domain::personal_token::{self, ListedToken};
use domain::place::Place;
use leptos::prelude::*;

use crate::action::ActionError;
use crate::components::field::{ConfirmPassword, Errors, Select, TextArea, TextField};
use crate::components::icon::{Drawing, Icon};
use crate::components::layout::FormToken;
use crate::components::notice::{Done, ErrorSummary};
use crate::components::status::ScopeTags;
use crate::components::time::{Moment, MomentOr};
use crate::pages::message::message;
use crate::pages::personal_tokens::token_table;
use crate::pages::{percent_encoded, query_string};
use crate::render::{Frame, Page};
use crate::visit::signed_in;

/// Most grants and clients that a page lists.
const PAGE_SIZE: u16 = 200;

impl From<GrantError> for ActionError {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::NotFound => Self::NotFound,
            GrantError::Fault(fault) => fault.into(),
        }
    }
}

impl From<ClientError> for ActionError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::NotFound => Self::NotFound,
            ClientError::Invalid(errors) => {
                Self::Invalid(errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join(" "))
            }
            ClientError::AlreadySubmitted(_) => Self::Invalid("This form was sent before.".to_owned()),
            ClientError::Fault(fault) => fault.into(),
        }
    }
}

/// The page of a client. The identifier of one may be an address.
pub fn client_path(id: &InteractiveClientId) -> String {
    format!("/apps/clients/{}", percent_encoded(id.as_str()))
}

/// Ends a grant.
#[server(prefix = "/fn", endpoint = "end_grant")]
pub async fn end_grant(grant: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = GrantId::parse(&grant).ok_or(ActionError::NotFound)?;
    grant::end(&visit.context, &visit.actor()?, &id).await?;
    Ok("/apps?done=ended".to_owned())
}

/// Removes a client and ends its grants.
#[server(prefix = "/fn", endpoint = "remove_client")]
pub async fn remove_client(client: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = InteractiveClientId::parse(&client).ok_or(ActionError::NotFound)?;
    client::remove(&visit.context, &visit.actor()?, &id).await?;
    Ok("/apps/clients?done=removed".to_owned())
}

/// Where the two lists of the page go on.
#[derive(Debug, Clone, Default)]
pub struct AppsQuery {
    /// After which grant.
    pub after: String,
    /// After which personal token.
    pub tokens_after: String,
}

/// What people have allowed: one's own, and everybody's for administrators.
pub async fn page(query: AppsQuery, done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let done = done.map(|done| match done {
        "revoked" => "Token revoked. It is refused from now on.",
        _ => "Access ended. What it had is refused from now on.",
    });
    let authority = visit.authority()?;
    let administers = authority.is_administrator();
    let after = Place::parse(&query.after);
    let grants = grant::list(&visit.context, authority, after.as_ref(), PAGE_SIZE + 1).await?;
    let (grants, next) = page_of(grants, ListedGrant::place);
    let after = Place::parse(&query.tokens_after);
    let tokens = personal_token::list(&visit.context, authority, after.as_ref(), PAGE_SIZE + 1).await?;
    let (tokens, next_tokens) = page_of(tokens, ListedToken::place);
    let client_of = |grant: &Grant, name: &str| match administers {
        true => view! { <a class="name" href=client_path(&grant.client_id)>{name.to_owned()}</a> }.into_any(),
        false => name.to_owned().into_any(),
    };
    let servers = mcp_server::list(&visit.context).await?;
    let is_empty = grants.is_empty();
    let rows = grants
        .into_iter()
        .map(|ListedGrant { grant, person_name, client_name, client_kind }| {
            let server = servers.iter().find(|server| server.id == grant.server_id).map(|server| server.name.clone());
            let scopes = grant.scopes.iter().map(str::to_owned).collect();
            let name = client_of(&grant, &client_name);
            let from = grant.last_used_from.map(|address| view! { <div class="sub">{format!("from {address}")}</div> });
            let leaked = leaked_chip(grant.leaked_at);
            let unchecked =
                (client_kind != ClientKind::Registered).then(|| view! { <div class="sub">"name not checked"</div> });
            view! {
                <tr>
                    <th scope="row">{name}{leaked}</th>
                    <td data-label="Access goes to">{grant.redirect_host}{unchecked}</td>
                    {administers.then(|| view! { <td data-label="Person">{person_name.clone()}</td> })}
                    <td data-label="MCP server">{server}<div class="sub"><ScopeTags scopes/></div></td>
                    <td data-label="Allowed"><Moment at=grant.created_at/></td>
                    <td data-label="Last token"><Moment at=grant.last_used_at/>{from}</td>
                    <td class="corner">
                        <form method="post" action="/fn/end_grant">
                            <FormToken/>
                            <input type="hidden" name="grant" value=grant.id.to_string()/>
                            <button class="button" data-size="small">
                                "End access"<span class="vh">{format!(" of {client_name} for {person_name}")}</span>
                            </button>
                        </form>
                    </td>
                </tr>
            }
        })
        .collect_view();
    let list = if is_empty {
        view! { <div class="body"><p>"No app is connected. When a desktop client, a command line or a website asks to act for you and you allow it, it appears here."</p></div> }
            .into_any()
    } else {
        view! {
            <table>
                <thead><tr>
                    <th scope="col">"App"</th><th scope="col">"Access goes to"</th>
                    {administers.then(|| view! { <th scope="col">"Person"</th> })}
                    <th scope="col">"MCP server and scopes"</th><th scope="col">"Allowed"</th>
                    <th scope="col">"Last token"</th><td class="corner"><span class="vh">"Actions"</span></td>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        }
        .into_any()
    };
    let body = view! {
        {done.map(|text| view! { <Done text=text.to_owned()/> })}
        <div class="head">
            <div><h1>"Connected apps"</h1><p>{if administers {
                "Programs that act for people, by their consent."
            } else {
                "Programs that act for you, by your consent."
            }}</p></div>
            {administers.then(|| view! { <a class="button" href="/apps/clients">"Clients"</a> })}
        </div>
        <section class="panel" aria-label="Connected apps">{list}</section>
        {pager("/apps", &[("after", next)], !query.after.is_empty())}
        <section class="panel" aria-labelledby="tokens">
            <header><h2 id="tokens">"Personal tokens"</h2><a href="/account/tokens">"Generate a token"</a></header>
            {token_table(tokens, &servers, administers)}
        </section>
        {pager("/apps", &[("tokens_after", next_tokens)], !query.tokens_after.is_empty())}
    };
    Ok(Page::new("Connected apps", body))
}

/// Says of what acts for a person that somebody reported it as leaked, and that it works all the same.
pub(super) fn leaked_chip(leaked_at: Option<Timestamp>) -> AnyView {
    let chip = |at| view! { <div class="sub"><span class="chip" data-tone="danger">"Leaked"</span>" reported "<Moment at/></div> };
    leaked_at.map(chip).into_any()
}

/// The rows of a page, and where the next one begins, of rows that were asked for with one more.
fn page_of<Row>(mut rows: Vec<Row>, place: impl Fn(&Row) -> Place) -> (Vec<Row>, Option<String>) {
    let more = rows.len() > usize::from(PAGE_SIZE);
    rows.truncate(usize::from(PAGE_SIZE));
    let next = rows.last().filter(|_| more).map(|row| place(row).to_text());
    (rows, next)
}

/// Links to the first page and the next; nothing when there is one page. `parameters` lead to the next.
fn pager(path: &'static str, parameters: &[(&str, Option<String>)], is_later: bool) -> AnyView {
    let given: Vec<_> = parameters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
    let has_next = parameters.last().is_some_and(|(_, next)| next.is_some());
    let next = has_next.then(|| format!("{path}?{}", query_string(&given)));
    let first = is_later.then(|| {
        let rest = given.get(..parameters.len() - 1).unwrap_or_default();
        format!("{path}?{}", query_string(rest))
    });
    (next.is_some() || first.is_some())
        .then(|| {
            view! {
                <div class="pager">
                    <nav class="row" aria-label="Pages">
                        {first.map(|href| view! { <a class="button" href=href>"First page"</a> })}
                        {next.map(|href| view! { <a class="button" href=href>"Next page"</a> })}
                    </nav>
                </div>
            }
        })
        .into_any()
}

/// Which clients are shown: the fields of the address.
#[derive(Debug, Clone, Default)]
pub struct ClientsQuery {
    /// Part of the name or the client ID.
    pub q: String,
    /// A kind, as stored; empty: every one.
    pub kind: String,
    /// After which client.
    pub after: String,
}

/// The clients that may ask people.
pub async fn clients(query: ClientsQuery, done: bool) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let search = Some(query.q.trim().to_owned()).filter(|search| !search.is_empty());
    let asked = ClientQuery { kind: ClientKind::parse(&query.kind), search, after: Place::parse(&query.after) };
    let clients = client::list(&visit.context, &asked, PAGE_SIZE + 1).await?;
    let place = |client: &InteractiveClient| Place { at: client.created_at, id: client.id.to_string() };
    let (clients, next) = page_of(clients, place);
    let is_empty = clients.is_empty();
    let is_filtered = asked.search.is_some() || asked.kind.is_some() || asked.after.is_some();
    let kinds = [
        ("", "Every kind"),
        (ClientKind::Registered.as_str(), "Added by an administrator"),
        (ClientKind::Dynamic.as_str(), "Registered themselves"),
        (ClientKind::Document.as_str(), "Described by their host"),
    ];
    let kinds = kinds.map(|(value, word)| (value.to_owned(), word.to_owned())).into();
    let toolbar = (is_filtered || !is_empty).then(|| {
        view! {
            <form class="toolbar" method="get" action="/apps/clients" role="search" aria-label="Clients">
                <div class="field">
                    <label for="q">"Search"</label>
                    <input id="q" name="q" type="search" placeholder="Name or client ID" autocomplete="off" value=query.q.clone()/>
                </div>
                <Select id="kind" label="Kind" options=kinds chosen=query.kind.clone()/>
                <button class="button"><Drawing icon=Icon::Search/>"Apply"</button>
            </form>
        }
    });
    let given = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
    let pages = pager(
        "/apps/clients",
        &[("q", given(&query.q)), ("kind", given(&query.kind)), ("after", next)],
        !query.after.is_empty(),
    );
    let rows = clients
        .into_iter()
        .map(|client| {
            let path = client_path(&client.id);
            let hosts: Vec<String> = client.redirect_uris.iter().map(RedirectUri::host).collect();
            view! {
                <tr>
                    <th scope="row"><a class="name" href=path>{client.name.clone()}</a><code>{client.id.to_string()}</code></th>
                    <td data-label="Kind">{kind_words(&client)}</td>
                    <td data-label="Answers go to">{hosts.join(", ")}</td>
                    <td data-label="Made"><Moment at=client.created_at/></td>
                    <td data-label="Last token"><MomentOr at=client.last_used_at otherwise="Never"/></td>
                </tr>
            }
        })
        .collect_view();
    let list = if is_empty && is_filtered {
        view! { <div class="body"><p>"No client matches. "<a href="/apps/clients">"Show all"</a></p></div> }.into_any()
    } else if is_empty {
        view! { <div class="body"><p>"There is no client yet. Clients that can register themselves do so when somebody connects them; for others, add one."</p></div> }
            .into_any()
    } else {
        view! {
            <table>
                <thead><tr>
                    <th scope="col">"Name and client ID"</th><th scope="col">"Kind"</th>
                    <th scope="col">"Answers go to"</th><th scope="col">"Made"</th><th scope="col">"Last token"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        }
        .into_any()
    };
    let body = view! {
        {done.then(|| view! { <Done text="Client removed. The access that people gave it ended with it.".to_owned()/> })}
        <div class="head">
            <div><a href="/apps">"Back to connected apps"</a><h1>"Clients"</h1><p>{format!(
                "Programs that may ask people for access. Those that made themselves known go by themselves: after {} days if nobody \
                 allowed them anything, otherwise after {} days without use, when the record of the access that people gave them is gone.",
                days(prune::NEVER_USED), days(prune::IDLE)
            )}</p></div>
            <a class="button" data-kind="primary" href="/apps/clients/new">"Add a client"</a>
        </div>
        <section class="panel" aria-label="List">{toolbar}{list}</section>
        {pages}
    };
    Ok(Page::new("Clients", body))
}

fn secret_words(hint: &str, ended: bool) -> String {
    match ended {
        false => format!("ends in {hint}"),
        true => {
            format!("ended in {hint}; it was reported as leaked and works no more: remove this client and add it anew")
        }
    }
}

fn days(time: Duration) -> u64 {
    time.as_secs() / (24 * 3600)
}

fn kind_words(client: &InteractiveClient) -> &'static str {
    match (client.kind, client.is_confidential()) {
        (ClientKind::Registered, true) => "Added by an administrator, confidential",
        (ClientKind::Registered, false) => "Added by an administrator, public",
        (ClientKind::Dynamic, _) => "Registered itself",
        (ClientKind::Document, _) => "Described by its host",
    }
}

/// What was typed.
#[derive(Debug, Clone, Default)]
pub struct TypedClient {
    /// Name.
    pub name: String,
    /// One redirect URI a line.
    pub redirect_uris: String,
    /// `public` or `confidential`.
    pub kind: String,
}

impl TypedClient {
    fn of(client: &InteractiveClient) -> Self {
        let uris: Vec<&str> = client.redirect_uris.iter().map(RedirectUri::as_str).collect();
        Self { name: client.name.clone(), redirect_uris: uris.join("\n"), kind: String::new() }
    }

    /// What the rules understand.
    pub fn draft(&self) -> ClientDraft {
        ClientDraft {
            name: self.name.clone(),
            redirect_uris: self.redirect_uris.lines().map(str::to_owned).collect(),
            confidential: self.kind == "confidential",
        }
    }
}

/// The form with what was typed and what is wrong with it.
pub async fn client_form(typed: TypedClient, errors: Vec<FieldError>, ask_password: bool) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let kinds = [
        ("public", "Public: runs on people’s computers, has no secret"),
        ("confidential", "Confidential: runs on a server, keeps a secret"),
    ];
    let options = kinds.map(|(value, word)| (value.to_owned(), word.to_owned())).into();
    let chosen = if typed.kind.is_empty() { "public".to_owned() } else { typed.kind };
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div><a href="/apps/clients">"Back to the list"</a><h1>"New client"</h1></div></div>
        <form method="post" action="/apps/clients/new" class="stack">
            <FormToken/>
            <section class="panel body" aria-label="Settings">
                {description_fields(typed.name, typed.redirect_uris, &of)}
                <Select id="kind" label="Kind" options chosen
                    hint="People who allowed a confidential client once are not asked again."/>
            </section>
            <ConfirmPassword asked={ask_password || !visit.is_fresh()} errors=of.clone()/>
            <div class="row">
                <button class="button" data-kind="primary">"Add client"</button>
                <a class="button" data-kind="quiet" href="/apps/clients">"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new("New client", body).framed(Frame::Narrow).answering(status))
}

fn description_fields(name: String, redirect_uris: String, of: &Errors) -> AnyView {
    view! {
        <TextField id="name" label="Name" value=name required=true error=of.at("name")
            hint="People see it when the client asks them."/>
        <TextArea id="redirect_uris" label="Redirect URIs" value=redirect_uris error=of.at("redirect_uris")
            placeholder="https://app.example.com/oauth/callback"
            hint="One a line. On localhost and 127.0.0.1 any port is allowed."/>
    }
    .into_any()
}

/// The form that changes a client, with what was typed if it was sent before.
pub async fn edit_form(
    id: String,
    typed: Option<TypedClient>,
    errors: Vec<FieldError>,
    ask_password: bool,
) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let id = InteractiveClientId::parse(&id).ok_or(ActionError::NotFound)?;
    let client = client::find(&visit.context, &id).await?.filter(InteractiveClient::is_editable);
    let client = client.ok_or(ActionError::NotFound)?;
    let TypedClient { name, redirect_uris, .. } = typed.unwrap_or_else(|| TypedClient::of(&client));
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let address = client_path(&id);
    let action = format!("{address}/edit");
    let title = format!("Edit {}", client.name);
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div><a href=address.clone()>{format!("Back to {}", client.name)}</a><h1>{title.clone()}</h1></div></div>
        <form method="post" action=action class="stack">
            <FormToken/>
            <section class="panel body" aria-label="Settings">
                {description_fields(name, redirect_uris, &of)}
                <p class="muted">"What people allowed goes on. Answers go to the new addresses only."</p>
            </section>
            <ConfirmPassword asked={ask_password || !visit.is_fresh()} errors=of.clone()/>
            <div class="row">
                <button class="button" data-kind="primary">"Save changes"</button>
                <a class="button" data-kind="quiet" href=address>"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new(title, body).framed(Frame::Narrow).answering(status))
}

/// The answer to the form of a confidential client: the only time its secret is shown.
pub fn reveal(client: InteractiveClient, secret: String) -> Page {
    let body = view! {
        <div class="head"><div>
            <h1>"Save your client secret"</h1>
            <p>"For "<b>{client.name}</b>". This is the only time it is shown."</p>
        </div></div>
        <section class="panel body" aria-label="Client ID and secret">
            <div class="field">
                <label for="client-id">"Client ID"</label>
                <input id="client-id" type="text" readonly=true value=client.id.to_string()/>
            </div>
            <div class="field">
                <label for="client-secret">"Client secret"</label>
                <input id="client-secret" type="text" readonly=true data-secret="" autocomplete="off" spellcheck="false" value=secret/>
                <div class="row">
                    <button type="button" class="button needs-script" data-kind="primary" data-copy="client-secret">
                        <Drawing icon=Icon::Copy/><span>"Copy client secret"</span>
                    </button>
                    <button type="button" class="button needs-script" data-unmask=""><span>"Show client secret"</span></button>
                </div>
            </div>
            <div class="row">
                <a class="button" data-stored="" href=client_path(&client.id)>
                    <Drawing icon=Icon::Check/>"I have stored this secret"
                </a>
            </div>
        </section>
    };
    let mut page = Page::new("Save your client secret", body).framed(Frame::Guarded);
    page.secret = true;
    page
}

/// Asks before a client's secret is replaced.
pub async fn secret_form(id: String, errors: Vec<FieldError>, ask_password: bool) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let id = InteractiveClientId::parse(&id).ok_or(ActionError::NotFound)?;
    let client = client::find(&visit.context, &id).await?.filter(InteractiveClient::takes_secret);
    let client = client.ok_or(ActionError::NotFound)?;
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let address = client_path(&id);
    let action = format!("{address}/secret");
    let title = "Replace the secret?";
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div><a href=address.clone()>{format!("Back to {}", client.name)}</a><h1>{title}</h1></div></div>
        <form method="post" action=action class="stack">
            <FormToken/>
            <section class="panel body" aria-label="What happens">
                <p>
                    "The old secret ends now: until the client has the new one it can neither take up what people allow nor "
                    "refresh its tokens. The access that people gave it stays."
                </p>
            </section>
            <ConfirmPassword asked={ask_password || !visit.is_fresh()} errors=of/>
            <div class="row">
                <button class="button" data-kind="primary">"Replace secret"</button>
                <a class="button" data-kind="quiet" href=address>"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new(title, body).framed(Frame::Narrow).answering(status))
}

/// The form of a client was sent again.
pub fn already_added(id: &InteractiveClientId) -> Page {
    message(
        409,
        "Already done",
        "This form was sent before, and nothing was made a second time. The client’s secret was shown once and cannot be shown \
         again: if it is lost, replace it on the client’s page.",
        Some((client_path(id), "Open the client")),
    )
}

/// The page of one client.
pub async fn one_client(id: String, done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let id = InteractiveClientId::parse(&id).ok_or(ActionError::NotFound)?;
    let client = client::find(&visit.context, &id).await?.ok_or(ActionError::NotFound)?;
    let issuer = visit.context.settings.public_url.clone();
    let uris = client.redirect_uris.iter().map(|uri| view! { <div>{uri.as_str().to_owned()}</div> }).collect_view();
    let title = client.name.clone();
    let action = match client.removed_at {
        Some(at) => view! { <p>"Removed "<Moment at/>"."</p> }.into_any(),
        None => view! {
            {client.takes_secret().then(|| view! {
                <section class="panel body" aria-labelledby="replace">
                    <h2 id="replace">"Replace the secret"</h2>
                    <p class="muted">"If it leaked, or you lost it. The old one ends at once; what people allowed goes on."</p>
                    <div class="row"><a class="button" href=format!("{}/secret", client_path(&client.id))>"Replace secret"</a></div>
                </section>
            })}
            <section class="panel body" aria-labelledby="remove">
                <h2 id="remove">"Remove this client"</h2>
                <p class="muted">"It cannot ask anybody any more, and all access that people gave it ends now. This is final."</p>
                <form method="post" action="/fn/remove_client">
                    <FormToken/>
                    <input type="hidden" name="client" value=client.id.to_string()/>
                    <div class="row"><button class="button" data-kind="danger">"Remove client"</button></div>
                </form>
            </section>
        }
        .into_any(),
    };
    let kind = kind_words(&client);
    let body = view! {
        {done.map(|done| {
            let text = if done == "edited" { "Changes saved." } else { "Client added." };
            view! { <Done text=text.to_owned()/> }
        })}
        <div class="head">
            <div><a href="/apps/clients">"Back to the list"</a><h1>{client.name.clone()}</h1></div>
            {client.is_editable().then(|| view! { <a class="button" href=format!("{}/edit", client_path(&client.id))>"Edit"</a> })}
        </div>
        <dl class="panel facts">
            <div><dt>"Client ID"</dt><dd><code>{client.id.to_string()}</code></dd></div>
            <div><dt>"Kind"</dt><dd>{kind}</dd></div>
            <div><dt>"Redirect URIs"</dt><dd>{uris}</dd></div>
            {client.secret_hint.clone().map(|hint| view! {
                <div><dt>"Secret"</dt><dd>{secret_words(&hint, client.secret_ended)}{leaked_chip(client.leaked_at)}</dd></div>
            })}
            <div><dt>"Issuer"</dt><dd>{issuer}</dd></div>
            <div><dt>"Made"</dt><dd><Moment at=client.created_at/>" by "{client.created_by.clone()}</dd></div>
            <div><dt>"Last token"</dt><dd><MomentOr at=client.last_used_at otherwise="Never"/></dd></div>
        </dl>
        {action}
    };
    Ok(Page::new(title, body))
}
