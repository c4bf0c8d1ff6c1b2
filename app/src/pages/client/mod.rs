//! Clients that act for people: connected apps, consent, personal tokens, and the clients themselves.

pub mod connected_apps;
pub mod consent;
pub mod device;
pub mod edit;
pub mod list;
pub mod new;
pub mod personal_tokens;
mod refusals;
pub mod secret;
pub mod show;
pub mod stop;

use crate::components::parts::{View, view_links};
use crate::prelude::*;

/// The views of what acts for people: the access that they gave, the clients that have it, and their own tokens.
fn app_views(current: &'static str, administers: bool) -> AnyView {
    let view =
        |href: &'static str, name| View { href: href.to_owned(), name, count: None, is_current: href == current };
    let clients = administers.then(|| view(links::CLIENTS, "Clients"));
    let views = [view(links::APPS, "Access")].into_iter().chain(clients);
    view_links("Views of apps", views.chain([view(links::PERSONAL_TOKENS, "Personal tokens")]))
}
