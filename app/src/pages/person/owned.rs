//! Giving the credentials that a person owns to somebody else: for when the person leaves.

use domain::credential::inspect;
use domain::credential::several::MOST_GIVEN;
use domain::model::credential::Credential;

use crate::pages::credential::fields::owners_of;
use crate::pages::person::people::find;
use crate::prelude::*;

/// How many credentials the page names.
const NAMED: usize = 20;

/// The form. `typed` is the identifier of the new owner.
pub async fn page(id: String, form: Form<String>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let person = find(&visit, &id).await?.person;
    let Form { typed, errors, .. } = form;
    let (credentials, total) = inspect::owned_by(&visit.context, &person.id, MOST_GIVEN).await?;
    let count = counted(total, "credential", "credentials");
    let back = links::person_view(&person.id, &[("view", "credentials")]);
    let page = FormPage::new(
        format!("Give {count} of {} to somebody else", person.name),
        links::owned_by(&id),
        "Give credentials",
    )
    .back(back, person.name.clone())
    .lead(
        "The owner is the person to ask about a credential. The owner has no extra rights, and nothing stops working.",
    );
    if credentials.is_empty() {
        let words = format!("{} owns no credential.", person.name);
        return Ok(page.without_button().panel("What is given", view! { <p>{words}</p> }).page(errors));
    }
    let able = owners_of(&visit, &credentials).await?.into_iter().filter(|(id, _)| id != person.id.as_str());
    let options = options_after("Choose a person", able);
    let hint = "The number is how many of these credentials the person can own. A credential keeps its owner if the new owner is \
                not in its team. People in none of the teams are not listed.";
    let fields =
        view! { <Select id="new_owner" label="New owner" options chosen=typed error=errors.at("new_owner") hint/> };
    let at_once = (total > i64::from(MOST_GIVEN)).then(|| {
        let words = format!("The newest {} are given at once. Then come back for the rest.", grouped(MOST_GIVEN));
        view! { <p>{words}</p> }
    });
    let selected = view! {
        <section class="panel" aria-label="What is given">{rows(&visit, credentials, total).await?}{at_once}</section>
    };
    Ok(page.panel("New owner", fields).below(selected).page(errors))
}

async fn rows(visit: &Visit, credentials: Vec<Credential>, total: i64) -> Result<AnyView, ActionError> {
    let now = visit.now();
    let teams = domain::person::team::list(&visit.context, visit.authority()?).await?;
    let rest = total - credentials.len().min(NAMED) as i64;
    let row = |credential: Credential| {
        let team = teams.iter().find(|team| team.id == credential.team).map(|team| team.name.clone());
        cells![
            html! { <a class="name" href=links::credential(&credential.client_id)>{credential.name.clone()}</a> },
            team,
            credential_status(&credential, now),
            distance_or(credential.last_used_at, "Never used"),
        ]
    };
    let table = table(["Name", "Team", "Status", "Last used"], credentials.into_iter().take(NAMED).map(row));
    let rest =
        (rest > 0).then(|| view! { <div class="body"><p>{muted(format!("And {} more.", grouped(rest)))}</p></div> });
    Ok(html! { {table}{rest} })
}
