//! The list of teams, and what each role may do.

use domain::model::person::authority::Authority;
use domain::model::person::team::Summary;
use domain::person::team;
use leptos::prelude::*;

use crate::components::chart::grouped;
use crate::components::notice::Receipt;
use crate::components::table::table;
use crate::done::On;
use crate::error::ActionError;
use crate::links;
use crate::page::Page;
use crate::pages::team::role::role_word;
use crate::visit::signed_in;

/// The list.
pub async fn page(done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let authority = visit.authority()?;
    let summaries = team::summaries(&visit.context, authority).await?;
    let administers = authority.is_administrator();
    let list = if summaries.is_empty() {
        view! {
            <div class="body"><p>"You are in no team yet. Ask an administrator or a manager for an invitation."</p></div>
        }
        .into_any()
    } else {
        team_table(summaries, authority)
    };
    let body = view! {
        <Receipt on=On::Teams done/>
        <div class="head">
            <div><h1>"Teams"</h1><p>"Each credential belongs to one. Who is not in it does not see it."</p></div>
            {administers.then(|| view! { <a class="button" data-kind="primary" href=links::NEW_TEAM>"New team"</a> })}
        </div>
        <section class="panel" aria-label="Teams">{list}</section>
        <Roles/>
    };
    Ok(Page::new("Teams", body))
}

fn team_table(summaries: Vec<Summary>, authority: &Authority) -> AnyView {
    let rows = summaries
        .into_iter()
        .map(|Summary { team, people, credentials }| {
            let role = match authority {
                Authority::Everything => "Administrator",
                authority => authority.role_in(&team.id).map_or("None", role_word),
            };
            view! {
                <tr>
                    <th scope="row"><a class="name" href=links::team(&team.id)>{team.name}</a></th>
                    <td data-label="You are">{role}</td>
                    <td class="number" data-label="People">{grouped(people)}</td>
                    <td class="number" data-label="Working credentials">
                        <a href=links::credentials_of_team(&team.id)>{grouped(credentials)}</a>
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <table>
            <thead><tr>
                <th scope="col">"Name"</th><th scope="col">"You are"</th><th scope="col" class="number">"People"</th>
                <th scope="col" class="number">"Working credentials"</th>
            </tr></thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

/// What each role may do.
#[component]
fn Roles() -> AnyView {
    let role = |name: &'static str, may: &'static str| {
        view! { <tr><th scope="row">{name}</th><td data-label="May">{may}</td></tr> }
    };
    let roles = [
        role("Viewer", "Look at the team’s credentials, their use and their history."),
        role("Member", "Also generate, rotate, disable, enable and revoke them."),
        role("Manager", "Also edit what they may do, their keys and identities, and invite people to the team."),
        role("Administrator", "Everything, in every team: people, MCP servers, settings, the emergency stop."),
    ]
    .collect_view();
    view! {
        <section class="panel" aria-labelledby="roles">
            <header><h2 id="roles">"Roles"</h2></header>
            {table(["Role", "May"], roles)}
        </section>
    }
    .into_any()
}
