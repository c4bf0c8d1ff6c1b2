//! The form that adds a person to a team.

use domain::model::person::authority::Authority;
use domain::person::team;

use crate::pages::person::people::find;
use crate::pages::team::role::role_choice;
use crate::prelude::*;

/// What was chosen to add a person to a team.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Identifier of the team.
    pub team: String,
    /// A word of [`Role`].
    pub role: String,
}

/// The form, with what was chosen and what is wrong with it.
pub async fn page(id: String, form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let listed = find(&visit, &id).await?;
    let Form { typed, errors, .. } = form;
    let teams = team::list(&visit.context, &Authority::Everything).await?;
    let others = teams.into_iter().filter(|team| !listed.teams.iter().any(|own| own.team.id == team.id));
    let others = options_after("Choose a team", others.map(|team| (team.id.to_string(), team.name)));
    let title = format!("Add {} to a team", listed.person.name);
    let page = FormPage::new(title, links::person_teams(&id), "Add to team")
        .back(links::person(&id), listed.person.name.clone())
        .lead("They see the team’s credentials at once.");
    let fields = view! {
        <Select id="team" label="Team" options=others chosen=typed.team error=errors.at("team")/>
        {role_choice(typed.role, &errors)}
    };
    Ok(page.panel("Team", fields).confirm(visit.must_confirm()).page(errors))
}
