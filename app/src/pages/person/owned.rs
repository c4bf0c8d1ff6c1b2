//! The credentials that a person owns, and a way to give them to somebody else: for when the person leaves.

use domain::credential::inspect;
use domain::model::credential::Credential;
use domain::model::person::Person;
use domain::person::manage;

use crate::prelude::*;

/// The numbers of the receipt, as the address of the page has them.
#[derive(Debug, Clone, Default)]
pub struct GivenNumbers {
    /// Credentials that have another owner now.
    pub given: String,
    /// Credentials that stay.
    pub stay: String,
}

impl GivenNumbers {
    /// The end of the receipt. Empty when the address has no numbers.
    pub(crate) fn words(&self) -> String {
        let number = |text: &str| text.parse::<u32>().unwrap_or_default();
        let Ok(given) = self.given.parse::<u32>() else { return String::new() };
        let stay = match number(&self.stay) {
            0 => String::new(),
            stay => {
                format!(" {} stayed: the new owner is not in their teams.", counted(stay, "credential", "credentials"))
            }
        };
        format!("{} given.{stay}", counted(given, "credential", "credentials"))
    }
}

/// How many credentials the page of a person names.
const NAMED: u16 = 5;

/// The panel. Nothing for a person who owns no credential.
pub(crate) async fn panel_of(visit: &Visit, person: &Person, errors: &Errors) -> Result<Option<AnyView>, ActionError> {
    let (credentials, total) = inspect::owned_by(&visit.context, &person.id, NAMED).await?;
    if total == 0 {
        return Ok(None);
    }
    let others = manage::list(&visit.context).await?.into_iter().map(|listed| listed.person);
    let others = others.filter(|other| other.id != person.id && other.disabled_at.is_none());
    let options = options_after("Choose a person", others.map(|other| (other.id.to_string(), other.name)));
    let now = visit.now();
    let row = |credential: Credential| {
        let href = links::credential(&credential.client_id);
        cells![
            html! { <a class="name" href=href>{credential.name.clone()}</a> },
            status_chip(credential.status(now)),
            distance_or(credential.last_used_at, "Never"),
        ]
    };
    let rows = table(["Credential", "Status", "Last used"], credentials.into_iter().map(row));
    let owns = format!("Owns {}", counted(total, "credential", "credentials"));
    let all = links::with_query(links::CREDENTIALS, &[("owner", person.id.as_str())]);
    let all = (total > i64::from(NAMED)).then(|| view! { <a href=all>"See all"</a> });
    let form = post_form(
        links::owned_by(&person.id),
        "body",
        view! {
            <Select id="new_owner" label="New owner" options chosen="" error=errors.at("new_owner")
                hint="A credential keeps its owner if the new owner is not in its team."/>
            {submit(None, "Give all to this person")}
        },
    );
    Ok(Some(panel("owned", owns, all, view! { {rows}{form} })))
}
