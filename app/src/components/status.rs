//! The status of a credential as a chip: word, colour and icon say the same.

use domain::base::clock::Timestamp;
use domain::model::credential::Status;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::components::time::Moment;

/// A status, as pages show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatusView {
    /// See [`Status::Unverified`].
    Unverified,
    /// See [`Status::InUse`].
    InUse,
    /// See [`Status::Expiring`].
    Expiring,
    /// See [`Status::Disabled`].
    Disabled,
    /// See [`Status::Expired`].
    Expired,
    /// See [`Status::Revoked`].
    Revoked,
}

impl From<Status> for StatusView {
    fn from(status: Status) -> Self {
        match status {
            Status::Unverified => Self::Unverified,
            Status::InUse => Self::InUse,
            Status::Expiring => Self::Expiring,
            Status::Disabled => Self::Disabled,
            Status::Expired => Self::Expired,
            Status::Revoked => Self::Revoked,
        }
    }
}

/// The chip.
#[component]
pub fn StatusChip(status: StatusView) -> AnyView {
    let (word, tone) = match status {
        StatusView::Unverified => ("Unverified", "idle"),
        StatusView::InUse => ("In use", "ok"),
        StatusView::Expiring => ("Expiring", "warn"),
        StatusView::Disabled => ("Disabled", "warn"),
        StatusView::Expired => ("Expired", "danger"),
        StatusView::Revoked => ("Revoked", "danger"),
    };
    view! { <span class="chip" data-tone=tone>{word}</span> }.into_any()
}

/// Scopes as tags.
#[component]
pub fn ScopeTags(scopes: Vec<String>) -> AnyView {
    scopes.into_iter().map(|scope| view! { <span class="scope">{scope}</span>" " }).collect_view().into_any()
}

/// Says that a token or client that acts for a person was reported as leaked and still works.
pub fn leaked_chip(leaked_at: Option<Timestamp>) -> AnyView {
    let chip = |at| view! { <div class="sub"><span class="chip" data-tone="danger">"Leaked"</span>" reported "<Moment at/></div> };
    leaked_at.map(chip).into_any()
}
