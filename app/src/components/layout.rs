//! The document around a page.

use leptos::prelude::*;

use crate::assets;
use crate::components::icon::{Brand, Drawing, Icon};
use crate::html::html;
use crate::links;
use crate::number::grouped;
use crate::page::{Alerts, Frame, Page};
use crate::visit::{Viewer, Visit};

/// The whole document. The `Title` of Leptos does not escape its text. A child of an element of our own would bring a
/// marker with it, which the browser's tab would show: so the title is written as HTML.
pub(crate) fn document(page: Page, alerts: Alerts) -> impl IntoView {
    let Page { title, frame, body, .. } = page;
    let viewer = Visit::current().viewer;
    let framed = match viewer {
        Some(viewer) if frame != Frame::Gate => {
            let width = (frame != Frame::Wide).then_some("narrow");
            let guard = (frame == Frame::Guarded).then_some("");
            html! {
                <div class="frame">
                    <Rail viewer incidents=alerts.incidents/>
                    <main id="main" tabindex="-1" data-width=width data-guard=guard>{alerts.lines}{body}</main>
                </div>
            }
        }
        _ => html! {
            <main id="main" class="gate" tabindex="-1" data-guard=(frame == Frame::Guarded).then_some("")><p class="brand"><Brand/></p>{body}</main>
        },
    };
    view! {
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <title>{format!("{title} · Countersign")}</title>
                <link rel="icon" href=assets::ICON.path.as_str() type="image/svg+xml"/>
                <link rel="stylesheet" href=assets::STYLE.path.as_str()/>
                <script src=assets::SCRIPT.path.as_str()></script>
            </head>
            <body>
                <a class="skip" href="#main">"Skip to content"</a>
                {framed}
                <p id="announce" class="vh" role="status"></p>
            </body>
        </html>
    }
}

/// The navigation, the search, and the menus of the person and of the help.
///
/// The menus are popovers: they open without script, and Escape closes them. On narrow screens the whole navigation is
/// one popover behind a button. "Sign out" is outside the person's menu, so that one click always ends the session.
#[component]
fn Rail(viewer: Viewer, incidents: i64) -> AnyView {
    let administers = viewer.authority.is_administrator();
    html! {
        <header class="rail">
            <a class="brand" href=links::OVERVIEW><Brand/></a>
            <a class="find" href=links::SEARCH data-search="" aria-keyshortcuts="Control+K /">
                <Drawing icon=Icon::Search/><span>"Search…"</span><kbd aria-hidden="true">"Ctrl K"</kbd>
            </a>
            <button class="bars" type="button" popovertarget="menu" aria-label="Menu">
                <Drawing icon=Icon::Menu/>
            </button>
            <div id="menu" popover="">
                <nav aria-label="Main">
                    {group("Use", [
                        item(links::OVERVIEW, Icon::Overview, "Overview", 0),
                        item(links::CREDENTIALS, Icon::Credentials, "Credentials", 0),
                        item(links::SERVERS, Icon::Server, "MCP servers", 0),
                        item(links::APPS, Icon::Apps, "Apps", 0),
                    ])}
                    {group("Respond", [
                        item(links::LEAKS, Icon::Warning, "Leaks", incidents),
                        administers.then(|| item(links::EMERGENCY, Icon::Stop, "Emergency stop", 0)).into_any(),
                        item(links::ACTIVITY, Icon::Activity, "Activity", 0),
                    ])}
                    {group("Organise", [
                        item(links::TEAMS, Icon::Teams, "Teams", 0),
                        administers.then(|| item(links::PEOPLE, Icon::Person, "People", 0)).into_any(),
                    ])}
                    {administers.then(|| group("System", [item(links::SETTINGS, Icon::Settings, "Settings", 0)]))}
                </nav>
                <Foot viewer/>
            </div>
        </header>
    }
}

fn group<const N: usize>(title: &'static str, items: [AnyView; N]) -> AnyView {
    html! { <div role="group" aria-label=title><p aria-hidden="true">{title}</p>{items.into_iter().collect_view()}</div> }
}

/// A link of the navigation. It shows whether the present page is this page or below it, and how many incidents
/// wait there.
fn item(href: &'static str, icon: Icon, label: &'static str, incidents: i64) -> AnyView {
    let path = Visit::current().path;
    let page = path.split('?').next().unwrap_or_default();
    let is_under = |href: &str| page.strip_prefix(href).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    // The records of leaks belong to "Leaks", requests and reviews to "Credentials".
    let is_record = href == links::LEAKS && is_under(links::INCIDENTS);
    let is_asked = href == links::CREDENTIALS && (is_under(links::REQUESTS) || is_under(links::REVIEWS));
    let below = (href != links::OVERVIEW && is_under(href)) || is_record || is_asked;
    let current = if page == href { Some("page") } else { below.then_some("true") };
    let count = (incidents > 0).then(|| {
        let words = if incidents == 1 { " incident" } else { " incidents" };
        view! { " "<b>{grouped(incidents)}<span class="vh">{words}</span></b> }
    });
    html! { <a class="item" href=href aria-current=current><Drawing icon/><span>{label}</span>{count}</a> }
}

/// The lower end of the navigation.
#[component]
fn Foot(viewer: Viewer) -> AnyView {
    let part = |anchor: &str, words: &'static str| {
        view! { <a class="item" href=format!("{}{anchor}", links::HELP)>{words}</a> }
    };
    let about = links::about_page(&Visit::current().path);
    html! {
        <div class="foot">
            <button class="item" type="button" popovertarget="person-menu">
                <Drawing icon=Icon::Person/><span>{viewer.name}</span>
            </button>
            <button class="item" type="button" popovertarget="help-menu" aria-label="Help"><Drawing icon=Icon::Help/></button>
            <form method="post" action=links::SIGN_OUT>
                <FormToken/>
                <button class="item" aria-label="Sign out" title="Sign out"><Drawing icon=Icon::SignOut/></button>
            </form>
            <div id="person-menu" class="pop" popover="">
                <p>{viewer.email}</p>
                {item(links::ACCOUNT, Icon::Person, "Account", 0)}
                {item(links::PERSONAL_TOKENS, Icon::Credentials, "Personal tokens", 0)}
                <button class="item needs-script" type="button" data-shade="">
                    <Drawing icon=Icon::Theme/><span>"Theme: system"</span>
                </button>
            </div>
            <div id="help-menu" class="pop" popover="">
                <a class="item" href=about>"About this page"</a>
                {part("#documents", "Documentation")}
                {part("#start", "Quick start")}
                {part("#endpoints", "Endpoints")}
                {part("#commands", "Command line")}
                {part("#statuses", "Statuses and errors")}
                {part("#shortcuts", "Keyboard shortcuts")}
                <p>{concat!("Countersign ", env!("CARGO_PKG_VERSION"))}</p>
            </div>
        </div>
    }
}

/// The hidden field with the form token. It proves that a page of this session sent the form. Where a form may be sent
/// only once, the token also identifies the form.
#[component]
pub(crate) fn FormToken() -> AnyView {
    html! { <input type="hidden" name="form_token" value=Visit::current().form_token/> }
}
