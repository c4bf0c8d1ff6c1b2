//! Signing keys: their table, and the page that replaces one.

use domain::base::clock::Timestamp;
use domain::crypto::keys::signing::TokenAlgorithm;
use domain::operations::key_rotation::{RotationMode, SigningKeyState};

use crate::prelude::*;

/// The table of the signing keys, with their actions.
pub(crate) fn keys_panel(keys: &[SigningKeyState], now: Timestamp) -> AnyView {
    let mut algorithms: Vec<&str> = keys.iter().map(|key| key.alg.as_str()).collect();
    algorithms.dedup();
    let rows = keys.iter().map(|key| {
        let newer = |other: &SigningKeyState| {
            other.alg == key.alg && other.active_from <= now && other.active_from > key.active_from
        };
        let (word, tone) = if key.retired_at.is_some_and(|at| at <= now) {
            ("Removed", "idle")
        } else if key.active_from > now {
            ("Upcoming", "idle")
        } else if keys.iter().any(newer) {
            ("Retiring", "warn")
        } else {
            ("Active", "ok")
        };
        let print: String = key.kid.chars().take(12).collect();
        cells![
            html! { <code>{format!("{print}…")}</code>{sub(key.alg.clone())} },
            distance(key.created_at),
            distance(key.active_from),
            distance_or(key.retired_at, "Not planned"),
            chip(word, tone),
        ]
    });
    let links_for = |haste: &'static str, verb: &'static str| {
        let link = |algorithm: &&str| {
            let href = links::with_query(links::SIGNING_KEYS, &[("algorithm", algorithm), ("haste", haste)]);
            button_link(href, format!("{verb} {algorithm}"))
        };
        view! { <div class="row">{algorithms.iter().map(link).collect_view()}</div> }
    };
    let content = view! {
        {table(["Key", "Created", "Active from", "Removed from JWKS", "State"], rows)}
        <div class="body">
            <p class="muted">"Planned rotation: the new key is published now and used after 24 hours. No downtime."</p>
            {links_for("ordered", "Rotate")}
            <p class="muted">"Leaked key: the old key is removed from the JWKS at once, and the tokens that it signed are refused."</p>
            {links_for("emergency", "Replace leaked")}
        </div>
    };
    panel("keys", "Signing keys", view! { <a href=links::JWKS>"JWKS"</a> }, content)
}

/// Reads how the key is replaced.
pub fn read_haste(word: &str) -> Option<RotationMode> {
    match word {
        "ordered" => Some(RotationMode::Ordered),
        "emergency" => Some(RotationMode::Emergency),
        _ => None,
    }
}

/// The page that asks before a signing key is replaced.
pub async fn page(form: Form<TypedRotation>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed: TypedRotation { algorithm, haste }, errors, .. } = form;
    let (Some(chosen), Some(how)) = (TokenAlgorithm::parse(&algorithm), read_haste(&haste)) else {
        return Err(ActionError::NotFound);
    };
    let name = chosen.as_str();
    let ((title, question), words) = match how {
        RotationMode::Ordered => (
            (format!("Rotate {name}"), format!("Rotate the {name} key?")),
            "The new key is published now and used after 24 hours. The current key is removed from the JWKS when its last token \
             has expired. No downtime.",
        ),
        RotationMode::Emergency => (
            (format!("Replace {name}"), format!("Replace the leaked {name} key?")),
            "The old key is removed from the JWKS now, and Countersign refuses the tokens that the key signed. An MCP server that \
             verifies tokens itself trusts the key until it reads the JWKS again: within five minutes with the code shown \
             here. Programs get new tokens by themselves.",
        ),
    };
    let page = FormPage::new(title.clone(), links::SIGNING_KEYS, title.clone())
        .heading(question)
        .back(links::SETTINGS, "Settings")
        .hidden("algorithm", algorithm)
        .hidden("haste", haste)
        .question(words);
    let page = if how == RotationMode::Emergency { page.danger() } else { page };
    Ok(page.confirm(visit.must_confirm()).page(errors))
}

/// What was chosen.
#[derive(Debug, Clone, Default)]
pub struct TypedRotation {
    /// `ES256`, …
    pub algorithm: String,
    /// `ordered` or `emergency`.
    pub haste: String,
}
