//! Removing a team: what is lost with it, and what must move first.

use domain::base::id::TeamId;
use domain::credential::list;
use domain::model::credential::query::{Query, Show, Total};
use domain::model::person::team::Team;
use domain::model::server::access::ServerAccess;
use domain::person::{invitation, team};
use domain::server;

use crate::pages::audit::receipt::recorded;
use crate::pages::credential::MOST_AT_ONCE;
use crate::pages::team::find;
use crate::prelude::*;

/// Removes a team. The team must own nothing.
#[server(prefix = "/fn", endpoint = "remove_team")]
pub(crate) async fn remove_team(team: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = TeamId::parse(&team).ok_or(ActionError::NotFound)?;
    team::remove(&visit.context, &visit.actor()?, &id).await?;
    Ok(recorded(&visit, Done::TeamsRemoved.at(links::TEAMS), &id).await)
}

/// The page that asks. It has no button while the team owns credentials.
pub async fn page(id: String) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let team = find(&visit, &id).await?;
    let page = FormPage::new(format!("Remove {}?", team.name), links::REMOVE_TEAM, "Remove team")
        .back(links::team(&team.id), team.name.clone())
        .hidden("team", team.id.to_string());
    if team.id == TeamId::first() {
        let words = "The first team stays: the command line generates for it. You can rename it.";
        return Ok(page.above(notice("warn", view! { <p>{words}</p> })).without_button().page(Errors::default()));
    }
    let all = Query { team: Some(team.id.clone()), ..Query::default() };
    let revoked = Query { show: Show::Revoked, ..all.clone() };
    let authority = visit.authority()?;
    let total = list::total(&visit.context, authority, &all).await?;
    let revoked = list::total(&visit.context, authority, &revoked).await?;
    let facts = facts(&visit, &team, total, revoked).await?;
    let page = page.fields(view! { <section class="panel" aria-label="What happens">{facts}</section> });
    if total == Total::Exactly(0) {
        return Ok(page.danger().page(Errors::default()));
    }
    let found = list::list(&visit.context, authority, &all, MOST_AT_ONCE as u16).await?;
    let ids: Vec<String> = found.credentials.iter().map(|credential| credential.client_id.to_string()).collect();
    // One form takes only so many. The list with its filter is the way to move more.
    let move_them = match found.next.is_none() {
        true => links::several("move", &ids),
        false => links::credentials_of_team(&team.id),
    };
    let words = "Move its credentials to another team first, the revoked ones too. Entries that were written for this team stay in \
                 the activity log.";
    Ok(page
        .heading(format!("{} cannot be removed yet", team.name))
        .above(notice("warn", view! { <p>{words}" "<a href=move_them>"Move them"</a></p> }))
        .without_button()
        .page(Errors::default()))
}

/// What goes with the team.
async fn facts(visit: &Visit, team: &Team, total: Total, revoked: Total) -> Result<AnyView, ActionError> {
    let number = |total: Total| match total {
        Total::Exactly(count) => grouped(count),
        Total::MoreThan(count) => format!("more than {}", grouped(count)),
    };
    let credentials = match total {
        Total::Exactly(0) => muted("None"),
        _ => html! {
            <a href=links::credentials_of_team(&team.id)>{number(total)}</a>
            {sub(format!("{} of them revoked", number(revoked)))}
        },
    };
    let people = team::members(&visit.context, &team.id).await?.len();
    let invitations = invitation::list(&visit.context, Some(&team.id)).await?.len();
    let only = ServerAccess::Teams([team.id.clone()].into());
    let servers = server::list(&visit.context).await?.into_iter().filter(|server| server.access == only);
    let servers: Vec<AnyView> = servers
        .map(|server| view! { <div><a href=links::server(&server.id)>{server.name}</a></div> }.into_any())
        .collect();
    let closed = (!servers.is_empty()).then(|| {
        view! { <div><dt>"MCP servers that no other team may use"</dt><dd>{servers}</dd></div> }
    });
    Ok(html! {
        <dl class="facts">
            <div><dt>"Credentials"</dt><dd>{credentials}</dd></div>
            <div><dt>"People"</dt><dd>{grouped(people as i64)}{sub("lose their role in it")}</dd></div>
            <div><dt>"Open invitations"</dt><dd>{grouped(invitations as i64)}{sub("no longer work")}</dd></div>
            {closed}
        </dl>
    })
}
