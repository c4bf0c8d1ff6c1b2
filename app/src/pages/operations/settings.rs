//! Settings of the instance: signing keys, and the emergency stop.

use domain::incident::emergency_stop;
use domain::model::incident::Preview;
use domain::operations::key_rotation;

use crate::pages::incident::emergency_stop::{ended_of_people, stop_panel, undoable};
use crate::pages::operations::signing_keys::keys_panel;
use crate::prelude::*;

/// The receipt in the address.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The word of the receipt.
    pub done: Option<String>,
    /// Number of credentials.
    pub count: String,
    /// Number of connected apps that ended with them.
    pub apps: String,
    /// Number of personal tokens that ended with them.
    pub personal_tokens: String,
    /// Number of clients that were removed.
    pub clients: String,
}

/// The page.
pub async fn page(outcome: Outcome) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let keys = key_rotation::list(&visit.context).await?;
    let stops = emergency_stop::undoable(&visit.context).await?;
    let emergency_stop_panel = stop_panel(&visit).await?;
    let webhooks = button_link(links::WEBHOOKS, "Webhooks");
    let body = view! {
        {Done::read(On::Settings, outcome.done.as_deref()).map(|done| receipt(done, &outcome))}
        {undoable(stops)}
        {head((), "Settings", "Signing keys, and what to do when everything has to stop.", webhooks)}
        {keys_panel(&keys, visit.now())}
        {emergency_stop_panel}
    };
    Ok(Page::new("Settings", body))
}

fn receipt(done: Done, outcome: &Outcome) -> AnyView {
    let number = |text: &str| text.parse::<i64>().unwrap_or(0);
    let credentials = counted(number(&outcome.count), "credential", "credentials");
    let of_people = ended_of_people(&Preview {
        credentials: 0,
        live_tokens: 0,
        grants: number(&outcome.apps),
        personal_tokens: number(&outcome.personal_tokens),
        clients: number(&outcome.clients),
    });
    let numbers = match done {
        Done::SettingsDisabled => format!("{credentials}, until they are enabled again.{of_people}"),
        Done::SettingsRevoked => format!("{credentials}, permanently.{of_people}"),
        Done::SettingsUndone => format!("{credentials}."),
        _ => String::new(),
    };
    html! { <DoneNotice text=format!("{}{numbers}", done.receipt())/> }
}
