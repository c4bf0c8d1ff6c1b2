//! Icons: 16 units wide, in the colour of the text. An icon only repeats what the text beside it says.

use leptos::prelude::*;

use crate::html::html;

macro_rules! icons {
    ($($icon:ident $means:literal { $($shape:tt)* })*) => {
        /// The drawings.
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub enum Icon {
            $(#[doc = $means] $icon,)*
        }

        /// One icon, hidden from assistive technology.
        #[component]
        pub(crate) fn Drawing(icon: Icon) -> AnyView {
            let shape = match icon {
                $(Icon::$icon => html! { $($shape)* },)*
            };
            html! {
                <svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5"
                    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{shape}</svg>
            }
        }
    };
}

icons! {
    Overview "Overview." {
        <rect x="2" y="2" width="5" height="5" rx="1.2"/><rect x="9" y="2" width="5" height="5" rx="1.2"/>
        <rect x="2" y="9" width="5" height="5" rx="1.2"/><path d="M9.5 13.5v-2M11.5 13.5v-4M13.5 13.5v-3"/>
    }
    Credentials "Credentials." { <circle cx="5" cy="8" r="3"/><path d="M8 8h6v2.5M11.3 8v2"/> }
    Activity "Activity." { <path d="M1.8 8.5h2.7l2-5.5 3 10 1.8-4.5h2.9"/> }
    Server "MCP servers." {
        <rect x="2" y="2.5" width="12" height="4.5" rx="1"/><rect x="2" y="9" width="12" height="4.5" rx="1"/>
        <path d="M4.5 4.8h.01M4.5 11.3h.01"/>
    }
    Apps "Connected apps." {
        <rect x="2" y="2" width="12" height="12" rx="2"/><path d="M5 5.5l2.5 2.5L5 10.5M8.5 10.5h3"/>
    }
    Teams "Teams." {
        <circle cx="5.5" cy="5.5" r="2.5"/><path d="M1 13.5c.5-2.6 2.2-3.8 4.5-3.8s4 1.2 4.5 3.8"/>
        <path d="M10.5 3.2a2.4 2.4 0 010 4.6M12 10c1.7.5 2.7 1.7 3 3.5"/>
    }
    Person "A person." { <circle cx="8" cy="5.3" r="2.8"/><path d="M2.6 14c.6-2.9 2.7-4.3 5.4-4.3s4.8 1.4 5.4 4.3"/> }
    SignOut "Sign out." { <path d="M6 2.5H3.2v11H6M7 8h6.8M11 5.2L13.8 8 11 10.8"/> }
    Theme "Light and dark." {
        <circle cx="8" cy="8" r="5.8"/><path d="M8 2.2v11.6a5.8 5.8 0 000-11.6z" fill="currentColor"/>
    }
    Copy "Copy." {
        <rect x="5.5" y="5.5" width="8" height="8.5" rx="1.5"/>
        <path d="M10.5 5.5V3.4c0-.8-.6-1.4-1.4-1.4H3.9c-.8 0-1.4.6-1.4 1.4v5.7c0 .8.6 1.4 1.4 1.4h1.6"/>
    }
    Search "Search." { <circle cx="7" cy="7" r="4.5"/><path d="M10.5 10.5L14 14"/> }
    Check "Done." { <path d="M3 8.6l3.3 3.3L13 4.6"/> }
    Warning "Attention." { <path d="M8 2.2l6.2 11.3H1.8z"/><path d="M8 6.6v3.2M8 11.6v.1"/> }
    More "More actions." { <path d="M3.2 8h.01M8 8h.01M12.8 8h.01" stroke-width="2.4"/> }
    Download "Download." { <path d="M8 2v8.2M4.8 7.2L8 10.4l3.2-3.2M2.5 13.8h11"/> }
    Settings "Settings." {
        <circle cx="8" cy="8" r="2.2"/>
        <path d="M8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6l1.4 1.4M11 11l1.4 1.4M12.4 3.6L11 5M5 11l-1.4 1.4"/>
    }
    Stop "Emergency stop." { <path d="M5.3 2h5.4L14 5.3v5.4L10.7 14H5.3L2 10.7V5.3z"/><path d="M6 6l4 4M10 6l-4 4"/> }
    Menu "The menu." { <path d="M2.5 4.5h11M2.5 8h11M2.5 11.5h11"/> }
    Help "Help." { <circle cx="8" cy="8" r="6.2"/><path d="M6.2 6.3a1.8 1.8 0 113 1.5c-.8.5-1.2.9-1.2 1.7M8 11.6v.1"/> }
    Open "Opens a menu." { <path d="M4.5 6.5L8 10l3.5-3.5"/> }
    Circle "Not done yet." { <circle cx="8" cy="8" r="5.5"/> }
}

/// The mark of the product.
#[component]
pub(crate) fn Brand() -> AnyView {
    html! {
        <svg width="24" height="24" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="9" fill="var(--accent-fill)"/>
            <path d="M8.5 15.5l5 5.5L21 10.5" fill="none" stroke="#fff" stroke-width="3.2" stroke-linecap="round"
                stroke-linejoin="round"/>
            <path d="M20 21.5h4.5" stroke="#a3b1ff" stroke-width="3.2" stroke-linecap="round"/>
        </svg>
        "Countersign"
    }
}
