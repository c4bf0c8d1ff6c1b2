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
            ("Gone", "danger")
        } else if key.active_from > now {
            ("Next", "idle")
        } else if keys.iter().any(newer) {
            ("Leaving", "warn")
        } else {
            ("Signs", "ok")
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
        {table(["Key", "Made", "Signs from", "Leaves the JWKS", "State"], rows)}
        <div class="body">
            <p class="muted">"In good order: a new key is published now and signs in 24 hours. Nobody notices."</p>
            {links_for("ordered", "Rotate")}
            <p class="muted">"When a key has leaked: the old key leaves the JWKS at once."</p>
            {links_for("emergency", "Replace")}
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
    let (title, words) = match how {
        RotationMode::Ordered => (
            format!("Rotate {name}"),
            "A new key is published now and signs in 24 hours. The present one leaves when its last token has ended. Nobody notices.",
        ),
        RotationMode::Emergency => (
            format!("Replace {name} now"),
            "The old key leaves the JWKS now. This server refuses the tokens that it signed at once. A server that verifies \
             tokens itself still trusts the key until it reads the JWKS again: within five minutes with the programs \
             shown here. Programs get new tokens by themselves.",
        ),
    };
    let page = FormPage::new(title.clone(), links::SIGNING_KEYS, title.clone())
        .heading(format!("{title}?"))
        .back(links::SETTINGS, "Back to the settings")
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
