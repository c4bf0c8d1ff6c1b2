//! The list of credentials: its query, its rows, and the page.
//!
//! | module | part of the page |
//! |---|---|
//! | [`filters`] | search, filters, pills, the choice of columns, and what is said when nothing matches |
//! | [`table`] | the table, the tools of its rows, and the bar for what is ticked |
//! | [`ticked`] | what was ticked, and the form around it |
//! | [`several`], [`moving`], [`replacing`], [`rotations`] | the questions before an action on several credentials |
//! | [`receipt`], [`outcome`] | what it did |
//! | [`export`] | the list as a file |

pub mod export;
mod filters;
mod moving;
mod outcome;
pub mod receipt;
mod replacing;
pub mod review;
mod rotations;
pub mod several;
mod table;
pub mod ticked;

use domain::base::clock::Timestamp;
use domain::base::id::{McpServerId, TeamId};
use domain::credential::list::{self, counts, counts_of, leaked, total};
use domain::model::credential::query::{OwnedBy, Query, Show, Sort, Total};
use domain::model::credential::{AuthMethod, Credential, Status};
use domain::model::operations::policy::{PolicyMode, PolicyName};
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::Team;
use domain::model::server::McpServer;
use domain::operations::policy;
use domain::person::team;
use domain::server;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::components::status::StatusView;
use crate::prelude::*;

pub use table::remembered;
pub(crate) use table::several_button;

pub(crate) const PAGE_SIZE: u16 = 50;

/// The parameters in the list's address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CredentialsQuery {
    /// Part of a name, a client ID or a tag, or the end of a secret.
    pub q: String,
    /// Filter: one of [`STATUSES`].
    pub status: String,
    /// Identifier of a team.
    pub team: String,
    /// Identifier of an MCP server.
    pub server: String,
    /// How the credential proves itself: the word of an [`AuthMethod`].
    pub method: String,
    /// Identifier of an owner, or `none`.
    pub owner: String,
    /// A tag.
    pub tag: String,
    /// Sort order: one of [`SORTS`].
    pub sort: String,
    /// Cursor of the page before, whose last row comes before this page.
    pub after: String,
    /// Cursor of the page after, whose first row comes after this page.
    pub before: String,
    /// The columns, when they are chosen here.
    pub column: Vec<String>,
}

/// The filters of the status: word, label, what is shown.
pub const STATUSES: [(&str, &str, Show); 12] = [
    ("", "All", Show::All),
    ("leaked", "Leaked", Show::Leaked),
    ("expiring", "Expiring", Show::Expiring),
    ("rotating", "Rotating", Show::Rotating),
    ("idle", "Never used or idle", Show::Idle),
    ("never_expires", "Never expires", Show::NeverExpires),
    ("imported", "Imported secret", Show::Imported),
    ("in_use", "In use", Show::InUse),
    ("unverified", "Unverified", Show::Unverified),
    ("disabled", "Disabled", Show::Disabled),
    ("expired", "Expired", Show::Expired),
    ("revoked", "Revoked", Show::Revoked),
];

/// The orders: word, order, whether it is the opposite one.
pub const SORTS: [(&str, Sort, bool); 8] = [
    ("", Sort::Created, false),
    ("oldest", Sort::Created, true),
    ("name", Sort::Name, false),
    ("name_desc", Sort::Name, true),
    ("last_used", Sort::LastUsed, false),
    ("last_used_asc", Sort::LastUsed, true),
    ("expires", Sort::Ends, false),
    ("expires_desc", Sort::Ends, true),
];

/// The ways to prove oneself, in one word.
const PROOFS: [(AuthMethod, &str); 3] =
    [(AuthMethod::ClientSecret, "Secret"), (AuthMethod::PrivateKeyJwt, "Key"), (AuthMethod::Federated, "Federated")];

impl CredentialsQuery {
    /// The parameters that say which credentials the list has, and in which order.
    fn parameters(&self) -> [(&'static str, &str); 8] {
        [
            ("q", &self.q),
            ("status", &self.status),
            ("team", &self.team),
            ("server", &self.server),
            ("method", &self.method),
            ("owner", &self.owner),
            ("tag", &self.tag),
            ("sort", &self.sort),
        ]
    }

    /// The query of this page of the list, as other pages carry it to lead back.
    pub fn to_text(&self) -> String {
        let page = [("after", self.after.as_str()), ("before", self.before.as_str())];
        links::query_string(&[self.parameters().as_slice(), &page].concat())
    }

    /// The address of this page of the list.
    pub fn address(&self) -> String {
        links::credentials_of_query(&self.to_text())
    }

    /// The address of the first page with another value of a parameter.
    fn with(&self, name: &str, value: &str) -> String {
        let changed = self.parameters().map(|(own, present)| (own, if own == name { value } else { present }));
        links::with_query(links::CREDENTIALS, &changed)
    }

    /// The same without the place of the page.
    fn first_page(&self) -> Self {
        Self { after: String::new(), before: String::new(), ..self.clone() }
    }

    /// The query in the terms of the domain.
    pub fn selection(&self) -> Result<Query, ActionError> {
        let unknown = || ActionError::Invalid("This filter does not exist.".to_owned());
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let show = STATUSES.iter().find(|(word, ..)| *word == self.status).ok_or_else(unknown)?.2;
        let (_, sort, reversed) = *SORTS.iter().find(|(word, ..)| *word == self.sort).ok_or_else(unknown)?;
        Ok(Query {
            search: given(&self.q),
            team: given(&self.team).map(|id| TeamId::parse(&id).ok_or_else(unknown)).transpose()?,
            server: given(&self.server).map(|id| McpServerId::parse(&id).ok_or_else(unknown)).transpose()?,
            method: given(&self.method).map(|word| AuthMethod::parse(&word).ok_or_else(unknown)).transpose()?,
            owner: given(&self.owner).map(|id| OwnedBy::parse(&id).ok_or_else(unknown)).transpose()?,
            tag: given(&self.tag),
            show,
            sort,
            reversed,
            cursor: given(&self.before).or_else(|| given(&self.after)),
            backward: !self.before.is_empty(),
        })
    }
}

/// One credential in the list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CredentialRow {
    /// Client ID.
    pub client_id: String,
    /// Name.
    pub name: String,
    /// Name of its team.
    pub team: String,
    /// Names of its MCP servers.
    pub servers: Vec<String>,
    /// Scopes.
    pub scopes: Vec<String>,
    /// Status.
    pub status: StatusView,
    /// Whether it gets no token, because each of its MCP servers is archived.
    pub only_archived: bool,
    /// Whether its secret or key is being replaced.
    pub rotating: bool,
    /// How it proves itself, in one word.
    pub proof: String,
    /// Name of the person who answers for it.
    pub owner: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// What the person who looks may do to it: words of the row's menu.
    pub actions: Vec<String>,
    /// When it was last used, in milliseconds since the epoch.
    pub last_used_at: Option<i64>,
    /// When its last secret or key ends.
    pub ends_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
    /// Whether the end is soon, or never.
    pub end_needs_attention: bool,
    /// When it was generated.
    pub created_at: i64,
}

/// One page of the list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CredentialsView {
    /// The rows.
    pub rows: Vec<CredentialRow>,
    /// The number of the first row in the list, from 1.
    pub first: i64,
    /// Cursor of the page before.
    pub previous: Option<String>,
    /// Cursor of the next page.
    pub next: Option<String>,
}

impl CredentialsView {
    /// The number of the last row in the list; 0: the list is empty.
    fn last(&self) -> i64 {
        self.first + self.rows.len() as i64 - 1
    }
}

/// A resource identifier without the scheme.
pub(crate) fn short_resource(resource: &str) -> String {
    resource.split_once("://").map_or(resource, |(_, rest)| rest).to_owned()
}

/// The credential's servers, in short form.
pub(crate) fn server_names(credential: &Credential, servers: &[McpServer]) -> Vec<String> {
    servers_of(credential, servers).map(|server| short_resource(&server.resource)).collect()
}

fn servers_of<'server>(
    credential: &'server Credential,
    servers: &'server [McpServer],
) -> impl Iterator<Item = &'server McpServer> {
    credential.servers.iter().filter_map(|id| servers.iter().find(|server| server.id == *id))
}

/// Whether the credential would work and gets no token, because each of its MCP servers is archived.
pub(crate) fn has_only_archived_servers(credential: &Credential, servers: &[McpServer], now: Timestamp) -> bool {
    let works = matches!(credential.status(now), Status::Unverified | Status::InUse | Status::Expiring);
    let is_archived = |id: &McpServerId| servers.iter().any(|server| server.id == *id && server.is_archived());
    works && credential.servers.iter().all(is_archived)
}

/// The status of such a credential.
pub(crate) fn server_archived() -> AnyView {
    chip("Server archived", "warn")
}

/// How the credential proves itself, in one word.
pub(crate) fn proof_word(method: AuthMethod) -> &'static str {
    PROOFS.iter().find(|(own, _)| *own == method).map_or("", |(_, word)| word)
}

/// What the visitor may do to the credential, in the order of the menu.
fn actions(visit: &Visit, credential: &Credential) -> Vec<String> {
    let (team, revoked) = (&credential.team, credential.revoked_at.is_some());
    let (member, manager) = (visit.may(team, Role::Member), visit.may(team, Role::Manager));
    let disabled = credential.disabled_at.is_some();
    let all = [
        ("edit", manager && !revoked),
        ("rotate", member && !revoked && credential.can_rotate()),
        ("disable", member && !revoked && !disabled),
        ("enable", member && !revoked && disabled),
        ("duplicate", member),
        ("revoke", member && !revoked),
    ];
    all.into_iter().filter(|(_, may)| *may).map(|(action, _)| action.to_owned()).collect()
}

/// Credentials that match a query.
#[server(prefix = "/fn", endpoint = "credentials", input = GetUrl)]
pub(crate) async fn list_credentials(query: CredentialsQuery) -> Result<CredentialsView, ActionError> {
    let visit = signed_in()?;
    let query = query.selection()?;
    let authority = visit.authority()?;
    let page = list::list(&visit.context, authority, &query, PAGE_SIZE).await?;
    let teams = team::list(&visit.context, authority).await?;
    let servers = server::list(&visit.context).await?;
    let rows = page.credentials.into_iter().map(|credential| row(&visit, credential, &teams, &servers)).collect();
    Ok(CredentialsView { rows, first: page.first, previous: page.previous, next: page.next })
}

/// The name of a server, and whether it gets no tokens any more.
fn server_name(server: &McpServer) -> String {
    let archived = if server.is_archived() { " (archived)" } else { "" };
    format!("{}{archived}", server.name)
}

fn row(visit: &Visit, credential: Credential, teams: &[Team], servers: &[McpServer]) -> CredentialRow {
    let now = visit.now();
    let team = teams.iter().find(|team| team.id == credential.team);
    let status = credential.status(now);
    let works = !matches!(status, Status::Revoked | Status::Expired);
    CredentialRow {
        team: team.map(|team| team.name.clone()).unwrap_or_default(),
        servers: servers_of(&credential, servers).map(server_name).collect(),
        scopes: credential.scopes.iter().map(str::to_owned).collect(),
        status: status.into(),
        only_archived: has_only_archived_servers(&credential, servers, now),
        rotating: works && credential.is_rotating(now),
        proof: proof_word(credential.auth_method).to_owned(),
        actions: actions(visit, &credential),
        last_used_at: credential.last_used_at.map(Timestamp::millis),
        ends_at: credential.ends_at.map(Timestamp::millis),
        revoked_at: credential.revoked_at.map(Timestamp::millis),
        end_needs_attention: works && credential.ends_at.is_none_or(|_| credential.ends_soon(now)),
        created_at: credential.created_at.millis(),
        owner: credential.owner.map(|owner| owner.name),
        client_id: credential.client_id.to_string(),
        name: credential.name,
        tags: credential.tags,
    }
}

/// The address of the page that exports this list.
fn export_address(query: &CredentialsQuery) -> String {
    links::with_query(links::EXPORT_CREDENTIALS, &[("list", &query.first_page().to_text())])
}

/// The page. `remembered` are the columns that the browser remembers.
pub async fn page(query: CredentialsQuery, remembered: String, errors: Errors) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let (context, authority) = (&visit.context, visit.authority()?);
    let selection = query.selection()?;
    let view = list_credentials(query.clone()).await?;
    let can_generate = authority.has_anywhere(Role::Member);
    let is_plain = query == CredentialsQuery::default() && errors.0.is_empty();
    if view.rows.is_empty() && is_plain && counts(context, authority).await?.all == 0 {
        return Ok(Page::new("Credentials", no_credentials(list_head(&visit, false).await?, can_generate)));
    }
    let total = match &view.next {
        // The last page knows how many there are.
        None => Total::Exactly(view.last()),
        Some(_) => total(context, authority, &selection).await?,
    };
    let counts = counts_of(context, authority, &selection).await?;
    let leaked = leaked(context, authority).await?;
    let choices = filters::choices(&visit).await?;
    let columns = table::columns(&query, &remembered, choices.teams.len() > 1);
    let footer = footer(&query, &view, total);
    let found = if view.rows.is_empty() {
        filters::nothing_found(&query, &choices)
    } else {
        table::table(&query, view.rows, &columns)
    };
    let status = errors.status();
    // Who manages one team alone has no other team to give a credential to.
    let can_move = match authority {
        Authority::Person { roles, .. } => roles.values().filter(|role| **role >= Role::Manager).count() > 1,
        Authority::Everything | Authority::Team(_) => true,
    };
    let body = view! {
        {list_head(&visit, can_generate).await?}
        <ErrorSummary errors/>
        <div>
            <section class="panel" aria-label="List">
                {filters::bar(&query, choices)}
                <div id="found">
                    <div class="bar">
                        {filters::pills(&query, counts, leaked)}
                        {filters::columns(&query, &columns)}
                        <a class="pill" href=export_address(&query)>"Export"</a>
                    </div>
                    {found}
                    {footer}
                </div>
            </section>
            {can_generate.then(|| table::bulk_bar(&query, authority.has_anywhere(Role::Manager), can_move))}
        </div>
        {table::script()}
    };
    Ok(Page::new("Credentials", body).answering(status))
}

/// Which part of the list this is, and the links to the pages beside it.
fn footer(query: &CredentialsQuery, view: &CredentialsView, total: Total) -> AnyView {
    let first = query.first_page();
    let page = |cursor: &Option<String>, name: &'static str, rel: &'static str, words: &'static str| {
        let query = [first.parameters().as_slice(), &[(name, cursor.as_deref()?)]].concat();
        let href = links::with_query(links::CREDENTIALS, &query);
        Some(view! { <a class="button" data-size="small" rel=rel href=href>{words}</a> })
    };
    let last = view.last();
    let of = match total {
        Total::Exactly(count) => grouped(count.max(last)),
        Total::MoreThan(count) => format!("more than {}", grouped(count.max(last))),
    };
    let words = match view.rows.len() {
        0 => "0 credentials".to_owned(),
        _ => format!("{}–{} of {of}", grouped(view.first), grouped(last)),
    };
    html! {
        <div class="bar pages">
            <span class="muted" id="total">{words}</span>
            <nav class="row" aria-label="Pages">
                {page(&view.previous, "before", "prev", "Previous page")}
                {page(&view.next, "after", "next", "Next page")}
            </nav>
        </div>
    }
}

/// The heading, with the pages that policies bring.
async fn list_head(visit: &Visit, can_generate: bool) -> Result<AnyView, ActionError> {
    let policies = policy::all(&visit.context).await?;
    let link = |name, href, words: &'static str| {
        (policies.get(name).mode != PolicyMode::Off).then(|| button_link(href, words))
    };
    let requests = link(PolicyName::Generation, links::REQUESTS, "Requests");
    let review = link(PolicyName::Review, links::REVIEWS, "Review");
    let actions = view! { <div class="row">{requests}{review}{can_generate.then(generate)}</div> };
    Ok(head((), "Credentials", (), actions))
}

fn generate() -> AnyView {
    primary_link(links::NEW_CREDENTIAL, "Generate credentials")
}

/// The empty list: one sentence, one button, the three steps.
fn no_credentials(head: AnyView, can_generate: bool) -> AnyView {
    let step = |icon: Icon, title: &'static str, text: &'static str| {
        view! { <li><Drawing icon/><h2>{title}</h2><p class="muted">{text}</p></li> }
    };
    let start = match can_generate {
        true => generate(),
        false => {
            html! { <p class="muted">"Your teams have no credentials yet. You can look at them here once they do."</p> }
        }
    };
    html! {
        {head}
        <section class="panel empty" aria-label="Get started">
            <p>"A credential lets one program exchange its secret for short-lived access tokens."</p>
            {start}
            <ol class="flow">
                {step(Icon::Credentials, "1. Generate", "Name the program. You get a client ID and a secret, shown once.")}
                {step(Icon::Activity, "2. Exchange", "The program trades the secret for a token that lasts 10 minutes.")}
                {step(Icon::Check, "3. Connect", "The program calls your MCP server with the token. You see every use here.")}
            </ol>
        </section>
    }
}
