//! Which teams may use an MCP server: what its page says, and the form that changes it.

use std::collections::BTreeSet;

use domain::base::id::{McpServerId, TeamId};
use domain::model::field_error::FieldError;
use domain::model::person::team::Team;
use domain::model::server::McpServer;
use domain::model::server::access::{ServerAccess, ShutOut};
use domain::person::team;
use domain::server;

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
}

impl TypedAccess {
    fn of(access: &ServerAccess) -> Self {
        match access {
            ServerAccess::All => Self { access: ALL.to_owned(), teams: Vec::new() },
            ServerAccess::Teams(teams) => {
                Self { access: THESE.to_owned(), teams: teams.iter().map(ToString::to_string).collect() }
            }
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

/// The fields of the choice.
pub(super) async fn access_choice(visit: &Visit, typed: &TypedAccess, errors: &Errors) -> Result<AnyView, ActionError> {
    let teams = team::list(&visit.context, visit.authority()?).await?;
    let limited = typed.access == THESE;
    let kinds = [(ALL, !limited, "All teams"), (THESE, limited, "Only these teams")];
    let kinds = kinds.map(|(value, checked, words)| choice("radio", "access", value, checked, words));
    let boxes = teams.into_iter().map(|team| {
        let id = team.id.to_string();
        let checked = typed.teams.contains(&id);
        choice("checkbox", "team", id, checked, team.name)
    });
    let hint = "For “Only these teams”. If you choose none, no team may use the server. Administrators always may.";
    Ok(html! {
        {choices("access", "Access", Some("Teams whose credentials and people get tokens for this server."), kinds, errors.at("access"))}
        <div class="for-team">{choices("team", "Teams", Some(hint), boxes, errors.at("team"))}</div>
    })
}

/// The form that changes who may use the server. When nothing was sent it shows the present choice. Only a change that
/// lets more teams in needs a new proof of who the person is, so the form asks for it after it was sent.
pub async fn form(id: String, form: Form<Option<TypedAccess>>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let server = find(&visit, &id).await?;
    let Form { typed, errors, confirm } = form;
    let typed = typed.unwrap_or_else(|| TypedAccess::of(&server.access));
    let fields = access_choice(&visit, &typed, &errors).await?;
    let lead = "The choice counts from the next exchange, refresh, consent and use of a personal token. Tokens that were issued \
                before work until they expire. After you save, the page of the server says how many credentials, personal tokens and apps get no new tokens.";
    let page = FormPage::new(format!("Access to {}", server.name), links::server_access(&id), "Save access")
        .back(links::server(&id), server.name.clone())
        .lead(lead)
        .panel("Access", fields);
    Ok(page.confirm(confirm).page(errors))
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
    let shut_out = if administers { server::shut_out(&visit.context, server).await? } else { ShutOut::default() };
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
