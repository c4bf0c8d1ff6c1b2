//! Signing keys: their table, and the page that replaces one.

use domain::base::clock::Timestamp;
use domain::crypto::keys::signing::TokenAlgorithm;
use domain::operations::key_rotation::{RotationMode, SigningKeyState};
use leptos::prelude::*;

use crate::components::form::form_page::FormPage;
use crate::components::table::table;
use crate::components::time::{Moment, MomentOr};
use crate::error::ActionError;
use crate::form::Form;
use crate::links;
use crate::page::Page;
use crate::visit::signed_in;

/// The table of the signing keys, with their actions.
#[component]
pub fn SigningKeys(keys: Vec<SigningKeyState>, now: Timestamp) -> AnyView {
    let mut algorithms: Vec<String> = keys.iter().map(|key| key.alg.clone()).collect();
    algorithms.dedup();
    let rows = keys
        .iter()
        .map(|key| {
            let newer = |other: &&SigningKeyState| {
                other.alg == key.alg && other.active_from <= now && other.active_from > key.active_from
            };
            let (word, tone) = if key.retired_at.is_some_and(|at| at <= now) {
                ("Gone", "danger")
            } else if key.active_from > now {
                ("Next", "idle")
            } else if keys.iter().any(|other| newer(&other)) {
                ("Leaving", "warn")
            } else {
                ("Signs", "ok")
            };
            let print: String = key.kid.chars().take(12).collect();
            view! {
                <tr>
                    <th scope="row"><code>{format!("{print}…")}</code><div class="sub">{key.alg.clone()}</div></th>
                    <td data-label="Made"><Moment at=key.created_at/></td>
                    <td data-label="Signs from"><Moment at=key.active_from/></td>
                    <td data-label="Leaves the JWKS"><MomentOr at=key.retired_at otherwise="Not planned"/></td>
                    <td data-label="State"><span class="chip" data-tone=tone>{word}</span></td>
                </tr>
            }
        })
        .collect_view();
    let link = |algorithm: &str, haste: &'static str, word: String| {
        let href = links::with_query(links::SIGNING_KEYS, &[("algorithm", algorithm), ("haste", haste)]);
        view! { <a class="button" href=href>{word}</a> }
    };
    let ordered = algorithms.iter().map(|alg| link(alg, "ordered", format!("Rotate {alg}"))).collect_view();
    let emergency = algorithms.iter().map(|alg| link(alg, "emergency", format!("Replace {alg}"))).collect_view();
    view! {
        <section class="panel" aria-labelledby="keys">
            <header><h2 id="keys">"Signing keys"</h2><a href=links::JWKS>"JWKS"</a></header>
            {table(["Key", "Made", "Signs from", "Leaves the JWKS", "State"], rows)}
            <div class="body">
                <p class="muted">"In good order: a new key is published now and signs in 24 hours. Nobody notices."</p>
                <div class="row">{ordered}</div>
                <p class="muted">"When a key has leaked: the old key leaves the JWKS at once."</p>
                <div class="row">{emergency}</div>
            </div>
        </section>
    }
    .into_any()
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
