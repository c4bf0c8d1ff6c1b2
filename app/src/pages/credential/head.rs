//! The head of a credential's page, the same on each of its views: its place in the list, its name and state, what can
//! be done, and what people must know first.

use domain::audit;
use domain::base::clock::Timestamp;
use domain::incident::{leak, record};
use domain::model::audit::{Action, AuditEntry, Target};
use domain::model::credential::federated::FederatedIdentity;
use domain::model::credential::key::ClientKey;
use domain::model::credential::{AuthMethod, ClientSecret, Credential, Status};
use domain::model::person::authority::Role;
use domain::model::person::team::Team;
use domain::model::server::McpServer;

use crate::pages::credential::list::review;
use crate::pages::credential::list::{STATUSES, has_only_archived_servers, server_archived};
use crate::pages::team::who_may_act;
use crate::prelude::*;

/// The parameters of the list's address. Others are dropped: the address of a page is not to be trusted.
const OF_LIST: [&str; 11] =
    ["q", "status", "team", "server", "method", "owner", "tag", "sort", "after", "before", "column"];

/// The list from which the page was opened.
#[derive(Debug, Clone, Default)]
pub struct ListPlace(Vec<(String, String)>);

impl ListPlace {
    /// The place with these parameters.
    pub fn of(mut parameters: Vec<(String, String)>) -> Self {
        parameters.retain(|(name, value)| OF_LIST.contains(&name.as_str()) && value.len() <= 400);
        Self(parameters)
    }

    /// The query of the list's address.
    fn query(&self) -> String {
        let parameters: Vec<(&str, &str)> =
            self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        links::query_string(&parameters)
    }

    /// The breadcrumb: the address of the list, and its name.
    pub(crate) fn crumb(&self) -> (String, String) {
        let query = self.query();
        if query.is_empty() {
            return (links::CREDENTIALS.to_owned(), "Credentials".to_owned());
        }
        let status = self.0.iter().find(|(name, _)| name == "status").map(|(_, status)| status.as_str());
        let shown = STATUSES.iter().find(|(word, ..)| Some(*word) == status).map(|(_, label, _)| label.to_lowercase());
        let words = format!("Credentials ({})", shown.unwrap_or_else(|| "filtered".to_owned()));
        (format!("{}?{query}", links::CREDENTIALS), words)
    }

    /// The address of a view of this credential. It keeps the place.
    pub(crate) fn view(&self, credential: &Credential, view: &str) -> String {
        links::with_query(&links::credential(&credential.client_id), &[("view", view), ("list", &self.query())])
    }
}

/// What every view of the page knows.
pub(crate) struct Shown {
    pub visit: Visit,
    pub credential: Credential,
    pub team: Option<Team>,
    /// All MCP servers.
    pub servers: Vec<McpServer>,
    pub secrets: Vec<ClientSecret>,
    pub keys: Vec<ClientKey>,
    pub identities: Vec<FederatedIdentity>,
    pub list: ListPlace,
}

impl Shown {
    pub(crate) fn now(&self) -> Timestamp {
        self.visit.now()
    }

    pub(crate) fn status(&self) -> Status {
        self.credential.status(self.now())
    }

    /// Whether the person may generate, rotate and stop the credential.
    pub(crate) fn is_member(&self) -> bool {
        self.visit.may(&self.credential.team, Role::Member)
    }

    /// Whether the person may change what the credential may do, and the credential can still be changed.
    pub(crate) fn may_change(&self) -> bool {
        self.credential.revoked_at.is_none() && self.visit.may(&self.credential.team, Role::Manager)
    }

    /// How many secrets, keys or identities work.
    pub(crate) fn live_proofs(&self) -> usize {
        let now = self.now();
        match self.credential.auth_method {
            AuthMethod::ClientSecret => self.secrets.iter().filter(|secret| secret.end().is_live(now)).count(),
            AuthMethod::PrivateKeyJwt => self.keys.iter().filter(|key| key.end().is_live(now)).count(),
            AuthMethod::Federated => self.identities.iter().filter(|identity| identity.revoked_at.is_none()).count(),
        }
    }

    /// The newest entries of the audit log about the credential that the visitor sees, at most `limit`.
    pub(crate) async fn entries(&self, limit: u16) -> Result<Vec<AuditEntry>, ActionError> {
        let visit = &self.visit;
        let id = self.credential.client_id.as_str();
        Ok(audit::of_target(&visit.context, visit.authority()?, id, limit).await?)
    }

    /// Whether all secrets, keys or identities were removed. They may also have expired.
    fn lost_its_proofs(&self) -> bool {
        self.secrets.iter().all(|secret| secret.revoked_at.is_some())
            && self.keys.iter().all(|key| key.revoked_at.is_some())
            && self.identities.iter().all(|identity| identity.revoked_at.is_some())
    }

    /// The secret that was reported as leaked, and whether it works.
    fn leak(&self) -> Option<(&ClientSecret, bool)> {
        let secret = leak::reported(&self.secrets)?;
        let works = !matches!(self.status(), Status::Revoked | Status::Disabled) && secret.end().is_live(self.now());
        Some((secret, works))
    }
}

/// The state in one word, and its tone. A leak stands above everything else.
fn state(shown: &Shown) -> AnyView {
    let status = shown.status();
    match (shown.leak(), shown.credential.auth_method) {
        _ if status == Status::Revoked => status_chip(status),
        (Some((_, works)), _) if works || status == Status::Expired => chip("Leaked", "danger"),
        _ if status == Status::Disabled => status_chip(status),
        _ if !shown.lost_its_proofs() && has_only_archived_servers(&shown.credential, &shown.servers, shown.now()) => {
            server_archived()
        }
        _ if !shown.lost_its_proofs() => status_chip(status),
        (_, AuthMethod::ClientSecret) => chip("No secret", "danger"),
        (_, AuthMethod::PrivateKeyJwt) => chip("No key", "danger"),
        (_, AuthMethod::Federated) => chip("No identity", "danger"),
    }
}

/// The name, the identifier, and the actions. "Disable" and "Revoke" stay in sight.
pub(crate) fn title(shown: &Shown) -> AnyView {
    let Credential { client_id, name, description, tags, .. } = &shown.credential;
    let (href, words) = shown.list.crumb();
    let rotating = shown.credential.is_rotating(shown.now()).then(|| chip("Rotating", "warn"));
    let team = shown.team.as_ref().map(|team| {
        let href = links::team(&team.id);
        view! { <a href=href>{team.name.clone()}</a> }
    });
    let tag = |tag: &String| {
        let href = links::with_query(links::CREDENTIALS, &[("tag", tag)]);
        view! { <a class="scope" href=href>{tag.clone()}</a> }
    };
    html! {
        <div class="head" data-stays="">
            <div>
                <nav class="crumb" aria-label="Breadcrumb"><a href=href>{words}</a></nav>
                <div class="title"><h1>{name.clone()}</h1>{state(shown)}{rotating}</div>
                <div class="row muted">
                    <span class="id">
                        <code id="cid">{client_id.to_string()}</code>
                        <button type="button" class="button needs-script" data-kind="quiet" data-size="icon" data-copy="cid">
                            <Drawing icon=Icon::Copy/><span class="vh">"Copy client ID"</span>
                        </button>
                    </span>
                    {team}
                    {(!description.is_empty()).then(|| view! { <span>{description.clone()}</span> })}
                    {tags.iter().map(tag).collect_view()}
                </div>
            </div>
            {actions(shown)}
        </div>
    }
}

/// What can be done, as the state and the role of the person allow.
fn actions(shown: &Shown) -> Option<AnyView> {
    let status = shown.status();
    let id = &shown.credential.client_id;
    if status == Status::Revoked || !shown.is_member() {
        return None;
    }
    let stop = match status {
        Status::Disabled => {
            post_button(links::ENABLE_CREDENTIAL, [("client_id", id.to_string())], Some("primary"), false, "Enable")
        }
        _ => button_link(links::disable_credential(id), "Disable"),
    };
    Some(html! {
        <div class="row">
            {test_button(&shown.credential)}
            {shown.may_change().then(|| button_link(links::edit_credential(id), "Edit"))}
            {rotate_link(&shown.credential)}
            {stop}
            <a class="button" data-kind="danger" href=links::revoke_credential(id)>"Revoke"</a>
        </div>
    })
}

/// The button on the page of a credential.
fn test_button(credential: &Credential) -> AnyView {
    let action = links::test_credential(&credential.client_id);
    html! { <form method="get" action=action><button class="button">"Test now"</button></form> }
}

/// The link to a rotation, for a credential that has something to rotate.
pub(crate) fn rotate_link(credential: &Credential) -> Option<AnyView> {
    if !credential.can_rotate() {
        return None;
    }
    let words = if credential.auth_method == AuthMethod::PrivateKeyJwt { "Rotate key" } else { "Rotate secret" };
    Some(button_link(links::rotate_credential(&credential.client_id), words))
}

/// What people must know before anything else: why the credential does not work, what leaked, what is under way.
pub(crate) async fn notices(shown: &Shown) -> Result<AnyView, ActionError> {
    let open = shown.credential.revoked_at.is_none();
    let context = &shown.visit.context;
    let incident = record::of_item(context, Target::Credential, shown.credential.client_id.as_str()).await?;
    let revoked = match shown.credential.revoked_at {
        Some(at) => Some(revoked(shown, at, incident).await?),
        None => None,
    };
    let leaked = if open { leaked(shown, incident).await? } else { None };
    let review = review::notice_of(&shown.visit, &shown.credential).await?;
    Ok(html! {
        {revoked}
        {open.then(|| view! { {leaked}{stopped(shown)}{rotation(shown)}{imported(shown)}{closed(shown)}{archived(shown)}{review} })}
    })
}

/// "Leaked and revoked 5 days ago by Ada."
async fn revoked(shown: &Shown, at: Timestamp, incident: Option<i64>) -> Result<AnyView, ActionError> {
    let credential = &shown.credential;
    let entries = shown.entries(50).await?;
    let revoking = entries.into_iter().find(|entry| entry.action == Action::CredentialRevoked.as_str());
    let by = revoking.map(|entry| format!(" by {}", entry.actor_name));
    let what = if leak::reported(&shown.secrets).is_some() { "Leaked and revoked " } else { "Revoked " };
    let reason = credential.revoke_reason.as_ref().map(|reason| format!(" Reason: {reason}."));
    let entry = links::activity_of(&credential.client_id);
    Ok(notice(
        "idle",
        view! {
            <p><b>{what}{distance(at)}{by}"."</b>" This cannot be undone."{reason}</p>
            <p class="row"><a href=entry>"See the audit entry"</a>{incident.map(incident_link)}{replacement(shown)}</p>
        },
    ))
}

fn incident_link(number: i64) -> AnyView {
    html! { <a href=links::incident(number)>{format!("See incident #{number}")}</a> }
}

/// The link to a new credential with the same settings, for those who may generate it.
fn replacement(shown: &Shown) -> Option<AnyView> {
    let href = links::credential_like(&shown.credential.client_id);
    shown.is_member().then(|| html! { <a href=href>"Generate a replacement with the same settings"</a> })
}

/// Why the credential does not work, if it is not revoked.
fn stopped(shown: &Shown) -> Option<AnyView> {
    let credential = &shown.credential;
    if let (Status::Disabled, Some(at)) = (shown.status(), credential.disabled_at) {
        let words = ". Exchanges and live tokens are refused until somebody enables it.";
        return Some(notice("warn", view! { <p><b>"Disabled "{distance(at)}</b>{words}</p> }));
    }
    let id = &credential.client_id;
    let is_lost = shown.live_proofs() == 0 && shown.lost_its_proofs();
    let may = shown.is_member();
    let add = |href: String, words: &'static str, shown: bool| shown.then(|| view! { <a href=href>{words}</a> });
    let (words, act) = match credential.auth_method {
        _ if !is_lost && shown.status() != Status::Expired => return None,
        // See `leaked`.
        AuthMethod::ClientSecret if is_lost && shown.leak().is_some() => return None,
        _ if credential.expires_at.is_some_and(|end| end <= shown.now()) => {
            let at = credential.expires_at.map(moment);
            let words = html! { "The last day of the credential is over: it gets no tokens since "{at}"." };
            (words, add(links::edit_credential(id), "Change its last day", shown.may_change()))
        }
        AuthMethod::PrivateKeyJwt if is_lost => (
            "No key: add one. Until then every assertion is refused.".into_any(),
            add(links::new_key(id), "Add a key", shown.may_change()),
        ),
        AuthMethod::Federated => (
            "No identity: add one. Until then every token of an issuer is refused.".into_any(),
            add(links::new_identity(id), "Add an identity", shown.may_change()),
        ),
        AuthMethod::ClientSecret if is_lost => {
            ("No secret works: add one.".into_any(), add(links::new_secret(id), "Add a secret", may))
        }
        AuthMethod::ClientSecret => {
            ("All secrets have expired.".into_any(), add(links::rotate_credential(id), "Rotate now", may))
        }
        AuthMethod::PrivateKeyJwt => {
            ("All keys have expired.".into_any(), add(links::rotate_credential(id), "Rotate now", may))
        }
    };
    let tone = if is_lost { "danger" } else { "warn" };
    Some(notice(tone, view! { <p>{words}</p><p class="row">{act}{replacement(shown)}</p> }))
}

/// Asks to rotate an imported secret.
fn imported(shown: &Shown) -> Option<AnyView> {
    let is_left =
        |secret: &ClientSecret| secret.hint.is_empty() && secret.revoked_at.is_none() && secret.retires_at.is_none();
    shown.secrets.iter().any(is_left).then(|| {
        let text = "The secret was imported: rotate it. A person may have chosen it, so somebody may guess it. \
                    Countersign limits wrong guesses until then.";
        notice("warn", view! { <p>{text}</p> })
    })
}

/// Says for which of its MCP servers the credential gets no token, because they are not open to its team.
fn closed(shown: &Shown) -> Option<AnyView> {
    let credential = &shown.credential;
    let is_closed = |server: &&McpServer| {
        credential.servers.contains(&server.id) && !server.is_archived() && !server.access.admits_team(&credential.team)
    };
    let closed: Vec<&McpServer> = shown.servers.iter().filter(is_closed).collect();
    if closed.is_empty() || shown.status() == Status::Expired {
        return None;
    }
    let names: Vec<&str> = closed.iter().map(|server| server.name.as_str()).collect();
    let is = if names.len() == 1 { "is" } else { "are" };
    let team = shown.team.as_ref().map_or("its team", |team| team.name.as_str());
    let words = format!("{} {is} not open to the team {team}: the credential gets no token there. ", names.join(", "));
    let open = |server: &&McpServer| {
        let address = links::server_access(&server.id);
        let href = links::with_query(&address, &[("open", shown.credential.team.as_str())]);
        view! { <a href=href>{format!("Open {} to {team}", server.name)}</a>" " }
    };
    let act = match Visit::current().viewer.is_some_and(|viewer| viewer.authority.is_administrator()) {
        true => closed.iter().map(open).collect_view().into_any(),
        false => "An administrator can add the team on the page of the MCP server.".into_any(),
    };
    Some(notice("warn", view! { <p>{words}{act}</p> }))
}

/// Says for which of its MCP servers the credential gets no token, because they are archived.
fn archived(shown: &Shown) -> Option<AnyView> {
    let is_archived = |server: &&McpServer| shown.credential.servers.contains(&server.id) && server.is_archived();
    let names: Vec<&str> = shown.servers.iter().filter(is_archived).map(|server| server.name.as_str()).collect();
    if names.is_empty() || shown.credential.revoked_at.is_some() {
        return None;
    }
    let is = if names.len() == 1 { "is" } else { "are" };
    let words = format!("{} {is} archived: the credential gets no token there. ", names.join(", "));
    let other = shown.may_change().then(|| {
        let href = links::edit_credential(&shown.credential.client_id);
        view! { <a href=href>"Choose another MCP server"</a> }
    });
    Some(notice("warn", view! { <p>{words}{other}</p> }))
}

/// The notice that a secret was reported as leaked, with the links that stop it, or with the people who may.
async fn leaked(shown: &Shown, incident: Option<i64>) -> Result<Option<AnyView>, ActionError> {
    let Some((secret, works)) = shown.leak() else { return Ok(None) };
    let hint = &secret.hint;
    let place = secret.leaked_where.as_ref().map(|place| format!(" Found at {place}."));
    let id = &shown.credential.client_id;
    let act = match (works, shown.is_member()) {
        (true, true) => html! {
            <p class="row">{rotate_link(&shown.credential)}{button_link(links::revoke_credential(id), "Revoke")}</p>
        },
        (true, false) => {
            let names = who_may_act(&shown.visit, &shown.credential.team).await?;
            html! { <p>"You cannot stop it. Tell "<b>{names}</b>" to rotate or revoke it now."</p> }
        }
        // Then nothing else says what to do.
        (false, true) if shown.live_proofs() == 0 => {
            let add = links::new_secret(id);
            html! { <p class="row"><a href=add>"Add a secret"</a>{replacement(shown)}</p> }
        }
        (false, _) => ().into_any(),
    };
    let (title, rest) = match (works, secret.revoked_at) {
        (true, _) => (
            html! { "Leaked. The secret css_…"{hint.clone()}" was reported as leaked "{secret.leaked_at.map(distance)}" and still works." },
            if shown.is_member() { " Rotate or revoke the credential now." } else { "" },
        ),
        (false, Some(at)) => (
            html! { "Leaked and revoked "{distance(at)}". " },
            "The secret was reported as leaked and no longer works.",
        ),
        (false, None) => (
            html! { "The secret css_…"{hint.clone()}" was reported as leaked "{secret.leaked_at.map(distance)}"." },
            " The secret does not work now.",
        ),
    };
    Ok(Some(notice("danger", view! { <p><b>{title}</b>{rest}{place}" "{incident.map(incident_link)}</p>{act} })))
}

/// The rotation in progress: how the old secret is used, and when it stops.
fn rotation(shown: &Shown) -> Option<AnyView> {
    let credential = &shown.credential;
    let now = shown.now();
    let at = credential.rotation_ends_at.filter(|_| credential.is_rotating(now))?;
    let href = links::rotate_credential(&credential.client_id);
    let act = shown.is_member().then(|| small_link(href, "Finish, extend or cancel"));
    let old = shown.secrets.iter().find(|secret| secret.end().is_live(now) && secret.retires_at.is_some());
    let (name, used, from) = match old {
        Some(secret) => (
            format!("The old secret (…{}) ", secret.hint),
            secret.last_used_at,
            secret.last_used_from.map(|address| format!(" from {address}")),
        ),
        None => ("The old key ".to_owned(), None, None),
    };
    let used = used.map(|at| view! { "was last used "{distance(at)}{from}" and " });
    let words = view! { <p><b>"Rotation in progress. "</b>{name}{used}"stops working on "{moment(at)}"."</p> };
    Some(notice("warn", view! { <div class="row" data-spread="">{words}{act}</div> }))
}
