//! Settings of the instance: signing keys, and the emergency stop.

use domain::incident::emergency_stop;
use domain::model::incident::Preview;
use domain::operations::key_rotation;
use leptos::prelude::*;

use crate::components::chart::counted;
use crate::components::notice::Done;
use crate::error::ActionError;
use crate::page::Page;
use crate::pages::incident::emergency_stop::{ended_of_people, panel, undoable};
use crate::pages::operations::signing_keys::SigningKeys;
use crate::visit::signed_in;

/// What the address says was done.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// A word.
    pub done: String,
    /// How many credentials.
    pub count: String,
    /// How many connected apps ended with them.
    pub apps: String,
    /// How many personal tokens did.
    pub personal_tokens: String,
    /// How many clients were removed.
    pub clients: String,
}

/// The page.
pub async fn page(outcome: Outcome) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let keys = key_rotation::list(&visit.context).await?;
    let body = view! {
        {done(&outcome)}
        {undoable(emergency_stop::undoable(&visit.context).await?)}
        <div class="head"><div><h1>"Settings"</h1><p>"Signing keys, and what to do when everything has to stop."</p></div>
            <a class="button" href="/settings/webhooks">"Webhooks"</a>
        </div>
        <SigningKeys keys now=visit.now()/>
        {panel(&visit).await?}
    };
    Ok(Page::new("Settings", body))
}

fn done(outcome: &Outcome) -> AnyView {
    let number = |text: &str| text.parse::<i64>().unwrap_or(0);
    let credentials = counted(number(&outcome.count), "credential", "credentials");
    let of_people = ended_of_people(&Preview {
        credentials: 0,
        live_tokens: 0,
        grants: number(&outcome.apps),
        personal_tokens: number(&outcome.personal_tokens),
        clients: number(&outcome.clients),
    });
    let text = match outcome.done.as_str() {
        "rotated" => {
            "A new key is published. It signs in 24 hours; the present one leaves when its last token has ended."
                .to_owned()
        }
        "replaced" => {
            "The key is replaced. The old one left the JWKS, and the tokens that it signed are refused.".to_owned()
        }
        "disabled" => format!("Stopped: {credentials}, until they are enabled again.{of_people}"),
        "revoked" => format!("Revoked: {credentials}, for ever.{of_people}"),
        "undone" => format!("Enabled again: {credentials}."),
        _ => return ().into_any(),
    };
    view! { <Done text/> }.into_any()
}
