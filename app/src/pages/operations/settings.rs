//! Settings of the instance: signing keys, and the emergency stop.

use domain::incident::emergency_stop;
use domain::model::incident::Preview;
use domain::operations::key_rotation;
use leptos::prelude::*;

use crate::components::chart::counted;
use crate::components::notice::DoneNotice;
use crate::done::{Done, On};
use crate::error::ActionError;
use crate::links;
use crate::page::Page;
use crate::pages::incident::emergency_stop::{ended_of_people, panel, undoable};
use crate::pages::operations::signing_keys::SigningKeys;
use crate::visit::signed_in;

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
    let body = view! {
        {Done::read(On::Settings, outcome.done.as_deref()).map(|done| receipt(done, &outcome))}
        {undoable(emergency_stop::undoable(&visit.context).await?)}
        <div class="head"><div><h1>"Settings"</h1><p>"Signing keys, and what to do when everything has to stop."</p></div>
            <a class="button" href=links::WEBHOOKS>"Webhooks"</a>
        </div>
        <SigningKeys keys now=visit.now()/>
        {panel(&visit).await?}
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
    view! { <DoneNotice text=format!("{}{numbers}", done.receipt())/> }.into_any()
}
