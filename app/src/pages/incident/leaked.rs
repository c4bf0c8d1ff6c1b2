//! What leaked in an incident: whose it is, what of it, and whether it works.

use domain::credential::inspect;
use domain::model::audit::Target;
use domain::model::incident::record::{Incident, Item};
use domain::model::person::team::Team;
use domain::person::team;

use crate::pages::credential::find;
use crate::prelude::*;

/// Most credentials of which the panel says what leaked and whom to ask.
const MOST_DESCRIBED: usize = 20;

/// The end of the leaked secret of an item, and its team and owner.
async fn described(visit: &Visit, item: &Item, teams: &[Team]) -> Result<Option<(String, String)>, ActionError> {
    if item.kind != Target::Credential {
        return Ok(None);
    }
    let Ok(credential) = find(visit, &item.id).await else { return Ok(None) };
    let secrets = inspect::secrets(&visit.context, &credential.client_id).await?;
    let leaked = secrets.iter().filter(|secret| secret.leaked_at.is_some() && !secret.hint.is_empty());
    let hints: Vec<String> = leaked.map(|secret| format!("css_…{}", secret.hint)).collect();
    let team = teams.iter().find(|team| team.id == credential.team).map(|team| team.name.clone());
    let owner = credential.owner.map_or_else(|| "no owner".to_owned(), |owner| owner.name);
    Ok(Some((hints.join(", "), format!("{} · {owner}", team.unwrap_or_default()))))
}

/// The panel.
pub(crate) async fn leaked_panel(visit: &Visit, incident: &Incident) -> Result<AnyView, ActionError> {
    let teams = team::list(&visit.context, visit.authority()?).await?;
    let mut items = Vec::with_capacity(incident.items.len());
    for (place, item) in incident.items.iter().enumerate() {
        let about = if place < MOST_DESCRIBED { described(visit, item, &teams).await? } else { None };
        items.push((item, about));
    }
    let rows = items.into_iter().map(|(item, about)| {
        let (hint, whose) = about.unwrap_or_default();
        let name = match item.kind {
            Target::Credential => {
                html! { <a class="name" href=links::credential(&item.id)>{item.name.clone()}</a> }
            }
            Target::Client if visit.viewer.as_ref().is_some_and(|viewer| viewer.authority.is_administrator()) => {
                html! { <a class="name" href=links::client(&item.id)>{item.name.clone()}</a> }
            }
            _ => item.name.clone().into_any(),
        };
        let kind = match item.kind {
            Target::Credential if !whose.is_empty() => whose.as_str(),
            Target::Credential => "Credential",
            Target::PersonalToken => "Personal token",
            Target::Consent => "Access of an app",
            _ => "Client",
        };
        let state = match (item.works, item.revoked) {
            (true, _) => chip("Works", "danger"),
            (false, true) => chip("Revoked", "ok"),
            (false, false) => chip("Does not work", "ok"),
        };
        let hint = (!hint.is_empty()).then(|| sub(html! { <code>{hint}</code> }));
        cells![html! { {name}{sub(kind.to_owned())} }, html! { {item.what.clone()}{hint} }, state]
    });
    let unseen = (incident.unseen > 0).then(|| {
        let more = counted(incident.unseen as i64, "more thing leaked", "more things leaked");
        view! { <div class="body"><p class="muted">{format!("{more}. You have no access to it.")}</p></div> }
    });
    let place = incident.found_at.clone().map(|place| {
        view! { <div class="body"><p class="muted">"Found where: "<span class="lines">{place}</span></p></div> }
    });
    let columns = ["Whose", "What leaked", "State"].map(Column::from);
    Ok(panel("leaked", "What leaked", (), html! { {table(columns, rows)}{unseen}{place} }))
}
