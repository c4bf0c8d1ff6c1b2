//! The list of people: who has an account, and in which teams.

use domain::base::id::PersonId;
use domain::model::person::authority::Authority;
use domain::person::manage::{self, Listed};
use domain::person::{invitation, team};

use crate::components::parts::toolbar;
use crate::pages::audit::receipt::receipt;
use crate::pages::team::invite::open_invitations;
use crate::pages::team::role::role_word;
use crate::prelude::*;

/// Whether the person may sign in.
pub(super) fn state(listed: &Listed) -> AnyView {
    match listed.person.disabled_at {
        Some(_) => chip("Disabled", "warn"),
        None => chip("Active", "ok"),
    }
}

/// The role of a person on the instance, in words.
pub(super) fn access(listed: &Listed) -> String {
    if listed.person.administrator_since.is_some() {
        return "Administrator".to_owned();
    }
    if listed.teams.is_empty() { "No team".to_owned() } else { team_roles(listed) }
}

/// The roles of a person in teams, in words.
pub(super) fn team_roles(listed: &Listed) -> String {
    let teams = listed.teams.iter().map(|own| format!("{} of {}", role_word(own.role), own.team.name));
    teams.collect::<Vec<_>>().join(", ")
}

/// Up to this number of people the list has no search.
const FEW: usize = 8;

/// The list of the people whose name or email address contains `q`.
pub async fn page(q: &str, done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let mut people = manage::list(&visit.context).await?;
    let sought = q.trim().to_lowercase();
    let search = (people.len() > FEW || !sought.is_empty()).then(|| {
        let field = view! {
            <div class="field">
                <label for="q">"Search"</label>
                <input id="q" name="q" type="search" placeholder="Name or email" autocomplete="off" value=q.to_owned()/>
            </div>
        };
        toolbar(links::PEOPLE, "People", field)
    });
    people.retain(|listed| {
        [&listed.person.name, &listed.person.email].iter().any(|text| text.to_lowercase().contains(&sought))
    });
    let invitations = invitation::list(&visit.context, None).await?;
    let teams = team::list(&visit.context, &Authority::Everything).await?;
    let rows = people.into_iter().map(|listed| {
        let href = links::person(&listed.person.id);
        cells![
            html! { <a class="name" href=href>{listed.person.name.clone()}</a>{sub(listed.person.email.clone())} },
            access(&listed),
            if listed.person.factors.any() {
                chip("On", "ok")
            } else {
                html! { <span class="chip">"Off"</span> }
            },
            distance_or(listed.seen_at, "Not recently"),
            state(&listed),
        ]
    });
    let rows = match rows.len() {
        0 => empty(view! { "No person matches. "<a href=links::PEOPLE>"Show all"</a> }),
        _ => table(["Name", "Roles", "Second factor", "Last active", "State"], rows),
    };
    let lead = "People who can sign in. Credentials belong to teams and stay when a person leaves.";
    let body = view! {
        {receipt(&visit, On::People, done, String::new(), None).await?}
        {head((), "People", lead, primary_link(links::INVITE, "Invite a person"))}
        <section class="panel" aria-label="People">{search}{rows}</section>
        {(!invitations.is_empty()).then(|| open_invitations(invitations, teams))}
    };
    Ok(Page::new("People", body))
}

/// The person at this address.
pub(super) async fn find(visit: &Visit, id: &str) -> Result<Listed, ActionError> {
    let id = PersonId::parse(id).ok_or(ActionError::NotFound)?;
    let people = manage::list(&visit.context).await?;
    people.into_iter().find(|listed| listed.person.id == id).ok_or(ActionError::NotFound)
}
