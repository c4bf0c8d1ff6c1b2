//! The page that asks before the list, or what is ticked in it, becomes a file.

use domain::credential::list::total;
use domain::model::credential::query::Total;

use crate::pages::credential::list::CredentialsQuery;
use crate::prelude::*;

/// What becomes a file.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// The query of the list.
    pub query: CredentialsQuery,
    /// The ticked credentials; none: the whole list.
    pub client_ids: Vec<String>,
}

/// The page.
pub async fn page(form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed, errors, confirm } = form;
    let count = match typed.client_ids.len() {
        0 => match total(&visit.context, visit.authority()?, &typed.query.selection()?).await? {
            Total::Exactly(count) => counted(count, "credential", "credentials"),
            Total::MoreThan(count) => format!("more than {} credentials", grouped(count)),
        },
        ticked => counted(ticked, "credential", "credentials"),
    };
    let list = typed.query.first_page().to_text();
    let format = choices(
        "format",
        "Format",
        None,
        [
            choice("radio", "format", "csv", true, "CSV, for a spreadsheet"),
            choice("radio", "format", "json", false, "JSON, for a program"),
        ],
        errors.at("format"),
    );
    let words = "The file has names, client IDs, states and times. It holds no secret. The export is in the audit log.";
    let page = FormPage::new(format!("Export {count}"), links::EXPORT_CREDENTIALS, "Export")
        .back(links::credentials_of_query(&list), "Credentials")
        .lead(words)
        .hidden("list", list)
        .panel("Format", format);
    let page = typed.client_ids.iter().fold(page, |page, id| page.hidden("client_id", id.clone()));
    Ok(page.confirm(confirm).page(errors))
}
