//! The form that creates a team.

use crate::prelude::*;

/// The form that creates a team.
pub async fn page(form: Form<String>) -> Result<Page, ActionError> {
    signed_in()?;
    let Form { typed: name, errors, .. } = form;
    let fields = view! { <TextField id="name" label="Name" value=name required=true error=errors.at("name")/> };
    let page = FormPage::new("New team", links::NEW_TEAM, "Create team").back(links::TEAMS, "Teams");
    Ok(page.panel("Settings", fields).page(errors))
}
