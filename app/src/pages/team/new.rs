//! The form that makes a team.

use leptos::prelude::*;

use crate::components::form::field::TextField;
use crate::components::form::form_page::FormPage;
use crate::error::ActionError;
use crate::form::Form;
use crate::links;
use crate::page::Page;
use crate::visit::signed_in;

/// The form that makes a team.
pub async fn page(form: Form<String>) -> Result<Page, ActionError> {
    signed_in()?;
    let Form { typed: name, errors, .. } = form;
    let fields = view! { <TextField id="name" label="Name" value=name required=true error=errors.at("name")/> };
    let page = FormPage::new("New team", links::NEW_TEAM, "Create team").back(links::TEAMS, "Back to the list");
    Ok(page.panel("Settings", fields).page(errors))
}
