//! Giving a team another name.

use crate::pages::team::find;
use crate::prelude::*;

/// The form. It holds a name that was not accepted.
pub async fn page(id: String, form: Form<Option<String>>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let team = find(&visit, &id).await?;
    let Form { typed, errors, .. } = form;
    let value = typed.unwrap_or_else(|| team.name.clone());
    let page = FormPage::new(format!("Rename {}", team.name), links::rename_team(&team.id), "Save name")
        .back(links::team(&team.id), team.name.clone())
        .lead("Links, roles and credentials stay. Entries in the activity log keep the old name.");
    let field = view! { <TextField id="name" label="Name" value required=true error=errors.at("name")/> };
    Ok(page.panel("Name", field).page(errors))
}
