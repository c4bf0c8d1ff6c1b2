//! Settings of the instance: signing keys, and the views beside them.

use domain::operations::key_rotation;

use crate::components::parts::{View, view_links};
use crate::pages::operations::signing_keys::keys_panel;
use crate::prelude::*;

/// The views of the settings. `current` is the address of the page.
pub(crate) fn settings_views(current: &'static str) -> AnyView {
    let views = [
        (links::SETTINGS, "Signing keys"),
        (links::POLICIES, "Policies"),
        (links::WEBHOOKS, "Webhooks"),
        (links::ABOUT, "About"),
    ];
    let view = |(href, name): (&'static str, _)| View {
        href: href.to_owned(),
        name,
        count: None,
        is_current: href == current,
    };
    view_links("Settings", views.map(view))
}

/// The page. `done` names the receipt.
pub async fn page(done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let keys = key_rotation::list(&visit.context).await?;
    let body = view! {
        <Receipt on=On::Settings done/>
        {head((), "Settings", "Keys that sign access tokens.", ())}
        {settings_views(links::SETTINGS)}
        {keys_panel(&keys, visit.now())}
    };
    Ok(Page::new("Settings", body))
}
