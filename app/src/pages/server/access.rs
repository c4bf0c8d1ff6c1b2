//! Which teams may use an MCP server: what its page says, and the form that changes it.

use std::collections::BTreeSet;
use std::fmt::Display;

use domain::base::id::{McpServerId, TeamId};
use domain::model::field_error::FieldError;
use domain::model::person::team::Team;
use domain::model::server::McpServer;
use domain::model::server::access::{Closing, ServerAccess, ShutOut};
use domain::person::team;
use domain::server::{self, access};

use crate::prelude::*;

const ALL: &str = "all";
const THESE: &str = "teams";

/// What was chosen.
#[derive(Debug, Clone, Default)]
pub struct TypedAccess {
    /// `all` or `teams`.
    pub access: String,
    /// Identifiers of the ticked teams. They count with `teams` only.
    pub teams: Vec<String>,
    /// Not empty: what gets tokens now may be shut out.
    pub closes: String,
    /// Not empty: the query of the action on several credentials that waits for this choice.
    pub then: String,
}

impl TypedAccess {
    /// The present choice, and this team besides.
    fn with(access: &ServerAccess, team: &str) -> Self {
        let mut typed = Self::of(access);
        if !team.is_empty() && typed.access == THESE && !typed.teams.iter().any(|own| own == team) {
            typed.teams.push(team.to_owned());
        }
        typed
    }

    fn of(access: &ServerAccess) -> Self {
        match access {
            ServerAccess::All => Self { access: ALL.to_owned(), ..Self::default() },
            ServerAccess::Teams(teams) => Self {
                access: THESE.to_owned(),
                teams: teams.iter().map(ToString::to_string).collect(),
                ..Self::default()
            },
        }
    }

    /// Where the form leads: to the server, or back to the action that waits for it.
    pub fn next(&self, id: impl Display) -> String {
        match self.then.as_str() {
            query if !query.is_empty() && query.bytes().all(|byte| byte.is_ascii_graphic()) => {
                format!("{}?{query}", links::SEVERAL)
            }
            _ => links::server(id),
        }
    }

    /// Converts the fields to the input of the domain rules. No tick means no team, and never all of them.
    pub fn chosen(&self) -> Result<ServerAccess, FieldError> {
        match self.access.as_str() {
            ALL => Ok(ServerAccess::All),
            THESE => {
                let teams: Option<BTreeSet<TeamId>> = self.teams.iter().map(|id| TeamId::parse(id)).collect();
                teams.map(ServerAccess::Teams).ok_or_else(|| FieldError::new("team", "Choose teams of the list."))
            }
            _ => Err(FieldError::new("access", "Choose who may use the server.")),
        }
    }
}

/// The fields of the choice among `teams`. For a server that exists, each team names the number of its `credentials`
/// that may call the server.
pub(super) fn access_choice(
    teams: &[Team],
    credentials: Option<&[(TeamId, i64)]>,
    typed: &TypedAccess,
    errors: &Errors,
) -> AnyView {
    let limited = typed.access == THESE;
    let kinds = [(ALL, !limited, "All teams"), (THESE, limited, "Only these teams")];
    let kinds = kinds.map(|(value, checked, words)| choice("radio", "access", value, checked, words));
    let boxes = teams.iter().map(|team| {
        let id = team.id.to_string();
        let checked = typed.teams.contains(&id);
        let count = credentials.map(|credentials| {
            let count = credentials.iter().find(|(own, _)| *own == team.id).map_or(0, |(_, count)| *count);
            muted(format!(" {}", counted(count, "credential", "credentials")))
        });
        choice("checkbox", "team", id, checked, view! { <span>{team.name.clone()}{count}</span> })
    });
    let hint = match credentials {
        None => "For “Only these teams”. If you choose none, no team may use the server. Administrators always may.",
        Some(_) => {
            "For “Only these teams”. If you choose none, no team may use the server. Administrators always may. \
             The numbers are credentials for this server that are neither revoked nor expired."
        }
    };
    html! {
        {choices("access", "Access", Some("Teams whose credentials and people get tokens for this server."), kinds, errors.at("access"))}
        <div class="for-team">{choices("team", "Teams", Some(hint), boxes, errors.at("team"))}</div>
    }
}

/// The form with the present choice. `open` is a team that is ticked besides, because a link asks to let it in. `then`
/// is the query of the action that waits for it.
pub async fn present(id: String, open: &str, then: String) -> Result<Page, ActionError> {
    let server = find(&signed_in()?, &id).await?;
    let typed = TypedAccess { then, ..TypedAccess::with(&server.access, open) };
    form(id, Form::new(Some(typed))).await
}

/// The form that changes who may use the server. When nothing was sent it shows the present choice. Only a change that
/// lets more teams in needs a new proof of who the person is, so the form asks for it after it was sent. A change that
/// shuts out what gets tokens now is saved after it was confirmed.
pub async fn form(id: String, form: Form<Option<TypedAccess>>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let server = find(&visit, &id).await?;
    let Form { typed, errors, confirm } = form;
    let typed = typed.unwrap_or_else(|| TypedAccess::of(&server.access));
    let context = &visit.context;
    let teams = team::list(context, visit.authority()?).await?;
    let credentials = access::credentials_by_team(context, &server).await?;
    let closing = match typed.chosen() {
        Ok(chosen) => access::closing(context, &server, &chosen).await?,
        Err(_) => Closing::default(),
    };
    let fields = access_choice(&teams, Some(&credentials), &typed, &errors);
    let lead = "The choice applies from the next exchange, refresh, consent and use of a personal token. Tokens that were issued \
                before work until they expire.";
    let back = if typed.then.is_empty() { server.name.clone() } else { "Move credentials".to_owned() };
    let page = FormPage::new(format!("Access to {}", server.name), links::server_access(&id), "Save access")
        .back(typed.next(&id), back)
        .lead(lead)
        .hidden("then", typed.then.clone())
        .panel("Access", fields);
    let page = match closing.is_empty() {
        true => page,
        false => page.fields(confirmation(&server, &closing, &teams, !typed.closes.is_empty(), errors.at("closes"))),
    };
    Ok(page.confirm(confirm).page(errors))
}

/// What loses access, and the box that confirms it.
fn confirmation(
    server: &McpServer,
    closing: &Closing,
    teams: &[Team],
    is_confirmed: bool,
    error: Option<String>,
) -> AnyView {
    let ShutOut { credentials, apps, personal_tokens } = closing.shut_out;
    let list = |kind: &'static str| links::server_view(&server.id, &[("view", "access"), ("kind", kind)]);
    let lost = [
        ("credentials", credentials, "credential", "credentials"),
        ("apps", apps, "connected app", "connected apps"),
        ("tokens", personal_tokens, "personal token", "personal tokens"),
    ];
    let lost =
        lost.into_iter().filter(|(_, count, ..)| *count > 0).enumerate().map(|(place, (kind, count, one, many))| {
            let comma = if place == 0 { "" } else { ", " };
            view! { {comma}<a href=list(kind)>{counted(count, one, many)}</a> }
        });
    let of = closing.teams.iter().filter_map(|(id, count)| {
        let name = &teams.iter().find(|team| team.id == *id)?.name;
        Some(format!("{name} ({})", grouped(*count)))
    });
    let of = of.collect::<Vec<_>>().join(", ");
    let of = (!of.is_empty()).then(|| view! { <p>{format!("Credentials by team: {of}.")}</p> });
    let people = (apps + personal_tokens > 0).then(|| {
        view! { <p>"The apps and personal tokens act for people who are in none of the teams that stay."</p> }
    });
    let boxes = [choice("checkbox", "closes", "yes", is_confirmed, "Close it to them")];
    html! {
        <section class="panel body" aria-label="What loses access">
            {notice("warn", view! {
                <p><b>"This choice shuts out what may call the server now: "</b>{lost.collect_view()}</p>
                {of}
                {people}
                <p>"They get no new tokens. They stay listed, and work again when their team is added."</p>
            })}
            {choices("closes", "Confirm", None, boxes, error)}
        </section>
    }
}

/// The server with this identifier.
pub(super) async fn find(visit: &Visit, id: &str) -> Result<McpServer, ActionError> {
    let id = McpServerId::parse(id).ok_or(ActionError::NotFound)?;
    server::find(&visit.context, &id).await?.ok_or(ActionError::NotFound)
}

/// What the page of the server says about access. People read the names of their own teams only.
pub(super) async fn access_panel(visit: &Visit, server: &McpServer) -> Result<AnyView, ActionError> {
    let authority = visit.authority()?;
    let administers = authority.is_administrator();
    let mut teams = team::list(&visit.context, authority).await?;
    teams.retain(|team| server.access.admits_team(&team.id));
    let shut_out = if administers { access::shut_out(&visit.context, server).await? } else { ShutOut::default() };
    let words = who(&server.access, administers, &teams);
    let change = administers.then(|| small_link(links::server_access(&server.id), "Change access"));
    let content = html! { <div class="body"><p>{words}</p>{consequence(shut_out)}</div> };
    Ok(panel("access", "Access", change, content))
}

/// Who may use the server, for a person who sees these `teams` of its list.
fn who(access: &ServerAccess, administers: bool, teams: &[Team]) -> String {
    let names = teams.iter().map(|team| team.name.as_str()).collect::<Vec<_>>().join(", ");
    match (access, administers, teams) {
        (ServerAccess::All, ..) => "All teams may use this server, and people without a team.".to_owned(),
        (_, true, []) => "No team may use this server. Only administrators can.".to_owned(),
        (_, true, _) => format!("Only these teams may use this server: {names}. Administrators can too."),
        (_, false, []) => "Only some teams may use this server, and none of yours.".to_owned(),
        (_, false, _) => format!("Only some teams may use this server. Of yours: {names}."),
    }
}

/// What gets no tokens because its team is not on the list.
fn consequence(shut_out: ShutOut) -> Option<AnyView> {
    if shut_out == ShutOut::default() {
        return None;
    }
    let words = format!(
        "{}, {} and {} of other teams get no tokens for this server. They stay listed, and work again when their team is added.",
        counted(shut_out.credentials, "credential", "credentials"),
        counted(shut_out.personal_tokens, "personal token", "personal tokens"),
        counted(shut_out.apps, "connected app", "connected apps"),
    );
    Some(notice("warn", view! { <p>{words}</p> }))
}
