//! The status of a credential as a chip: word, colour and icon say the same.

use domain::base::clock::Timestamp;
use domain::model::credential::{Credential, Status};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::components::parts::chip;
use crate::components::time::distance;
use crate::html::html;

macro_rules! statuses {
    ($($status:ident $word:literal $tone:literal;)*) => {
        /// A status, as pages show it. See [`Status`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum StatusView {
            $(#[doc = $word] $status,)*
        }

        impl From<Status> for StatusView {
            fn from(status: Status) -> Self {
                match status {
                    $(Status::$status => Self::$status,)*
                }
            }
        }

        /// The chip.
        pub(crate) fn status_chip(status: impl Into<StatusView>) -> AnyView {
            match status.into() {
                $(StatusView::$status => chip($word, $tone),)*
            }
        }
    };
}

statuses! {
    Leaked "Leaked" "danger";
    Unverified "Unverified" "idle";
    InUse "In use" "ok";
    Expiring "Expiring" "warn";
    Disabled "Disabled" "warn";
    Expired "Expired" "idle";
    Revoked "Revoked" "idle";
}

/// The status, and whether a rotation is under way. A credential in a rotation is in use.
pub(crate) fn status_with_rotation(status: StatusView, is_rotating: bool) -> AnyView {
    let rotating = || chip("Rotating", "warn");
    match (is_rotating, status) {
        (false, _) | (_, StatusView::Revoked | StatusView::Expired) => status_chip(status),
        (true, StatusView::InUse) => rotating(),
        (true, _) => html! { {status_chip(status)}" "{rotating()} },
    }
}

/// The same for a credential.
pub(crate) fn credential_status(credential: &Credential, now: Timestamp) -> AnyView {
    status_with_rotation(credential.status(now).into(), credential.is_rotating(now))
}

/// Scopes as tags.
pub(crate) fn scope_tags(scopes: impl IntoIterator<Item = impl Into<String>>) -> AnyView {
    let tag = |scope: String| view! { <span class="scope">{scope}</span>" " };
    scopes.into_iter().map(|scope| tag(scope.into())).collect_view().into_any()
}

/// Says that a client is disabled.
pub(crate) fn disabled_chip(disabled_at: Option<Timestamp>) -> Option<AnyView> {
    disabled_at.map(|_| html! { " "{chip("Disabled", "warn")} })
}

/// Says that a token or client that acts for a person was reported as leaked and still works.
pub(crate) fn leaked_chip(leaked_at: Option<Timestamp>) -> AnyView {
    let chip = |at| view! { <div class="sub"><span class="chip" data-tone="danger">"Leaked"</span>" reported "{distance(at)}</div> };
    leaked_at.map(chip).into_any()
}
