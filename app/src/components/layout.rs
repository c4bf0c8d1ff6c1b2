//! The document around a page.

use leptos::prelude::*;

use crate::assets;
use crate::components::icon::{Brand, Drawing, Icon};
use crate::html::{escaped, html};
use crate::links;
use crate::page::{Frame, Page};
use crate::visit::{Viewer, Visit};

/// The whole document. The `Title` of Leptos does not escape its text. A child of an element of our own would bring a
/// marker with it, which the browser's tab would show: so the title is written as HTML.
#[component]
pub fn Document(page: Page) -> impl IntoView {
    let Page { title, frame, body, secret, .. } = page;
    let viewer = Visit::current().viewer;
    let framed = match viewer {
        Some(viewer) if frame != Frame::Gate => {
            let width = (frame != Frame::Wide).then_some("narrow");
            let guard = (frame == Frame::Guarded).then_some("");
            html! {
                <div class="frame">
                    <Rail viewer/>
                    <main id="main" tabindex="-1" data-width=width data-guard=guard>{body}</main>
                </div>
            }
        }
        _ => html! {
            <main id="main" class="gate" tabindex="-1"><p class="brand"><Brand/></p>{body}</main>
        },
    };
    view! {
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <title inner_html=escaped(&format!("{title} · Countersign"))></title>
                <link rel="icon" href=assets::ICON.path.as_str() type="image/svg+xml"/>
                <link rel="stylesheet" href=assets::STYLE.path.as_str()/>
                <script src=assets::SCRIPT.path.as_str()></script>
                {secret.then(|| view! { <script src=assets::REVEAL.path.as_str()></script> })}
            </head>
            <body>
                <a class="skip" href="#main">"Skip to content"</a>
                {framed}
                <p id="announce" class="vh" role="status"></p>
            </body>
        </html>
    }
}

/// The navigation, the name of the person, and the button to sign out.
#[component]
fn Rail(viewer: Viewer) -> AnyView {
    let path = Visit::current().path;
    let administers = viewer.authority.is_administrator();
    let item = move |href: &'static str, icon: Icon, label: &'static str| {
        let page = path.split('?').next().unwrap_or_default();
        let below = href != links::OVERVIEW && page.starts_with(&format!("{href}/"));
        let current = if page == href { Some("page") } else { below.then_some("true") };
        view! { <a class="item" href=href aria-current=current><Drawing icon/><span>{label}</span></a> }
    };
    html! {
        <header class="rail">
            <a class="brand" href=links::OVERVIEW><Brand/></a>
            <nav aria-label="Main">
                {item(links::OVERVIEW, Icon::Overview, "Overview")}
                {item(links::CREDENTIALS, Icon::Credentials, "Credentials")}
                {item(links::SERVERS, Icon::Server, "MCP servers")}
                {item(links::APPS, Icon::Apps, "Connected apps")}
                {item(links::LEAKS, Icon::Warning, "Respond to a leak")}
                {item(links::ACTIVITY, Icon::Activity, "Activity")}
                {item(links::TEAMS, Icon::Teams, "Teams")}
                {administers.then(|| item(links::PEOPLE, Icon::Person, "People"))}
            </nav>
            <div class="foot">
                {administers.then(|| view! {
                    <a class="item" href=links::SETTINGS><Drawing icon=Icon::Settings/><span>"Settings"</span></a>
                })}
                <a class="item" href=links::ACCOUNT><Drawing icon=Icon::Person/><span>{viewer.name}</span></a>
                <button class="item needs-script" type="button" data-shade="">
                    <Drawing icon=Icon::Theme/><span>"Theme: system"</span>
                </button>
                <form method="post" action=links::SIGN_OUT>
                    <FormToken/>
                    <button class="item"><Drawing icon=Icon::SignOut/><span>"Sign out"</span></button>
                </form>
            </div>
        </header>
    }
}

/// The hidden field with the form token. It proves that a page of this session sent the form. Where a form may be sent
/// only once, the token also identifies the form.
#[component]
pub(crate) fn FormToken() -> AnyView {
    html! { <input type="hidden" name="form_token" value=Visit::current().form_token/> }
}
