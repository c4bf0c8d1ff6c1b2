//! Settings of the instance: signing keys, and the way to its other settings.

use domain::operations::key_rotation;

use crate::pages::operations::signing_keys::keys_panel;
use crate::prelude::*;

/// The page. `done` names the receipt.
pub async fn page(done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let keys = key_rotation::list(&visit.context).await?;
    let body = view! {
        <Receipt on=On::Settings done/>
        {head((), "Settings", "Keys that sign access tokens.", button_link(links::WEBHOOKS, "Webhooks"))}
        {keys_panel(&keys, visit.now())}
    };
    Ok(Page::new("Settings", body))
}
