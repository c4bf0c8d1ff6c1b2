//! The page that asks before one action on several credentials: the facts, what the action needs, and the button.

use domain::model::credential::{Credential, Impact};
use domain::model::field_error::FieldError;
use domain::person::team;

use crate::pages::credential::fields::owners_of;
use crate::pages::credential::list::ticked::{Typed, form_page};
use crate::pages::credential::list::{moving, replacing, rotations};
use crate::pages::credential::stop::WHO_REFUSES;
use crate::pages::credential::usage::impact_facts;
use crate::pages::credential::{renew, stop};
use crate::prelude::*;

/// What is wrong when nothing is ticked. The list shows it.
pub fn nothing_ticked() -> Errors {
    refused("Nothing is selected. Tick the credentials first.")
}

/// Why the action does not fit what is ticked.
pub fn refused(message: impl Into<String>) -> Errors {
    Errors(vec![FieldError::new("list", message)])
}

/// The page. Of a revocation and a rotation, the pages stand elsewhere.
pub async fn page(form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed, errors, confirm } = form;
    let ids = typed.ids()?;
    if typed.action == "rotate" {
        return renew::page(Form::new(renew::Typed {
            client_ids: typed.client_ids.join(" "),
            how: "rotate".to_owned(),
            list: Some(typed.list),
            ..renew::Typed::default()
        }))
        .await;
    }
    let (credentials, impact) = stop::read(&visit, &ids).await?;
    match typed.action.as_str() {
        "move" => return moving::page(&visit, typed, errors, confirm, credentials).await,
        "unassign" => return replacing::page(&visit, typed, errors, confirm, credentials).await,
        "finish" => return rotations::finish_page(&visit, typed, errors, credentials).await,
        "deadline" => return rotations::deadline_page(&visit, typed, errors, confirm, credentials).await,
        _ => {}
    }
    let count = counted(credentials.len(), "credential", "credentials");
    let (title, lead, verb) = match typed.action.as_str() {
        "revoke" => (format!("Revoke {count}?"), "", "Revoke credentials"),
        "disable" => (
            format!("Disable {count}?"),
            "You can enable them again at any time, with the same secrets.",
            "Disable credentials",
        ),
        "enable" => (format!("Enable {count}?"), "Their secrets work again at once.", "Enable credentials"),
        "owner" => (
            format!("Give {count} to another owner"),
            "The owner is the person to ask about a credential. A credential keeps its owner if the new owner is not in its team.",
            "Change owner",
        ),
        "undo" => (
            format!("Undo this for {count}?"),
            "Each credential gets back the team, the owner, the MCP servers or the tags that it had. One that was changed since stays as it is.",
            "Undo",
        ),
        "tag" => (format!("Tag {count}"), "Tags group credentials, for example by environment: env:prod.", "Save tags"),
        _ => return Err(ActionError::NotFound),
    };
    let (fields, fields_below) = match fields(&visit, &typed, &credentials, &errors).await? {
        fields if typed.action == "revoke" => (fields, None),
        fields => (None, fields),
    };
    let page = form_page(&typed, title, verb).lead(lead).hidden("entries", typed.entries.clone());
    let selected = names(&visit, credentials, &typed.action).await?;
    let page = match typed.action.as_str() {
        "revoke" => page.fields(revocation(&impact, selected, fields)).danger(),
        "disable" => page.fields(view! {
            <section class="panel" aria-label="What is selected">
                {impact_facts(&impact, "Tokens that are refused while disabled")}{selected}
            </section>
        }),
        _ => page.fields(view! { <section class="panel" aria-label="What is selected">{selected}</section> }),
    };
    let page = match fields_below {
        Some(fields) => page.panel("What the action needs", fields),
        None => page,
    };
    let page = if typed.action == "disable" { page.quiet() } else { page };
    Ok(page.confirm(confirm || typed.needs_proof() && visit.must_confirm()).page(errors))
}

/// The fields of the action, if it has some.
async fn fields(
    visit: &Visit,
    typed: &Typed,
    credentials: &[Credential],
    errors: &Errors,
) -> Result<Option<AnyView>, ActionError> {
    Ok(Some(match typed.action.as_str() {
        "revoke" => html! {
            <TextField id="reason" label="Reason" hint="Optional. Stays in the audit log." value=typed.reason.clone()
                error=errors.at("reason")/>
        },
        "owner" => {
            let (chosen, error) = (typed.owner.clone(), errors.at("owner"));
            let options = options_after("Choose a person", owners_of(visit, credentials).await?);
            let hint = "The number is how many of these credentials the person can own.";
            html! { <Select id="owner" label="Owner" options chosen error hint/> }
        }
        "tag" => html! {
            <TextField id="add" label="Add tags" hint="Separated by spaces. Use lower-case letters, digits and : _ . -"
                value=typed.add.clone() error=errors.at("add")/>
            <TextField id="remove" label="Remove tags" value=typed.remove.clone() error=errors.at("remove")/>
        },
        _ => return Ok(None),
    }))
}

/// The panel of a revocation, as the page of one credential has it: what depends on them, the credentials, the reason.
fn revocation(impact: &Impact, selected: AnyView, fields: Option<AnyView>) -> AnyView {
    let title = html! { <Drawing icon=Icon::Warning/>"This cannot be undone." };
    let facts = impact_facts(impact, "Live tokens that end");
    let below = view! {
        <div class="body">
            <p>"Every secret of these credentials stops working."</p>
            <p class="muted">{WHO_REFUSES}</p>
            {fields}
        </div>
    };
    html! {
        <section class="panel" data-tone="danger" aria-labelledby="final">
            <header><h2 id="final" class="row">{title}</h2></header>
            {facts}{selected}{below}
        </section>
    }
}

/// The credentials, each with its team and its state. An action that changes the team or the owner shows the present
/// one.
async fn names(visit: &Visit, credentials: Vec<Credential>, action: &str) -> Result<AnyView, ActionError> {
    let now = visit.now();
    let teams = team::list(&visit.context, visit.authority()?).await?;
    let line = |credential: Credential| {
        let status = credential_status(&credential, now);
        let team = teams.iter().find(|team| team.id == credential.team).map(|team| team.name.clone());
        let owner = credential.owner.map(|owner| owner.name);
        cells![
            html! { <a class="name" href=links::credential(&credential.client_id)>{credential.name}</a> },
            team,
            owner.unwrap_or_else(|| "Nobody".to_owned()),
            html! { <code>{credential.client_id.to_string()}</code> },
            status,
            distance_or(credential.last_used_at, "Never used"),
        ]
    };
    let columns = [
        "Name".into(),
        "Team".into(),
        Column::when("Current owner", action == "owner"),
        "Client ID".into(),
        "Status".into(),
        "Last used".into(),
    ];
    Ok(table(columns, credentials.into_iter().map(line)))
}
