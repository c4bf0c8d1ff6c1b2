//! Signing keys: their table, and the page that replaces one.

use domain::base::clock::Timestamp;
use domain::crypto::keys::signing::TokenAlgorithm;
use domain::model::field_error::FieldError;
use domain::operations::key_rotation::{RotationError, RotationMode, SigningKeyState};
use leptos::prelude::*;

use crate::components::field::{ConfirmPassword, Errors};
use crate::components::layout::FormToken;
use crate::components::notice::ErrorSummary;
use crate::components::time::{Moment, MomentOr};
use crate::error::ActionError;
use crate::page::{Frame, Page};
use crate::visit::signed_in;

impl From<RotationError> for ActionError {
    fn from(error: RotationError) -> Self {
        match error {
            RotationError::NoSuchKey => Self::NotFound,
            RotationError::UnderWay => Self::Invalid(
                "A new key is published already and signs within a day. In an emergency, replace the key instead."
                    .to_owned(),
            ),
            RotationError::Fault(fault) => fault.into(),
        }
    }
}

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
        let href = format!("/settings/keys?algorithm={algorithm}&haste={haste}");
        view! { <a class="button" href=href>{word}</a> }
    };
    let ordered = algorithms.iter().map(|alg| link(alg, "ordered", format!("Rotate {alg}"))).collect_view();
    let emergency = algorithms.iter().map(|alg| link(alg, "emergency", format!("Replace {alg}"))).collect_view();
    view! {
        <section class="panel" aria-labelledby="keys">
            <header><h2 id="keys">"Signing keys"</h2><a href="/mcp/oauth/jwks">"JWKS"</a></header>
            <table>
                <thead><tr>
                    <th scope="col">"Key"</th><th scope="col">"Made"</th><th scope="col">"Signs from"</th>
                    <th scope="col">"Leaves the JWKS"</th><th scope="col">"State"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
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

/// Reads how a key is replaced.
pub fn read_haste(word: &str) -> Option<RotationMode> {
    match word {
        "ordered" => Some(RotationMode::Ordered),
        "emergency" => Some(RotationMode::Emergency),
        _ => None,
    }
}

/// Asks before a signing key is replaced.
pub async fn page(
    algorithm: String,
    haste: String,
    errors: Vec<FieldError>,
    ask_password: bool,
) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let (Some(chosen), Some(how)) = (TokenAlgorithm::parse(&algorithm), read_haste(&haste)) else {
        return Err(ActionError::NotFound);
    };
    let name = chosen.as_str();
    let (title, kind, words) = match how {
        RotationMode::Ordered => (
            format!("Rotate {name}"),
            "primary",
            "A new key is published now and signs in 24 hours. The present one leaves when its last token has ended. Nobody notices.",
        ),
        RotationMode::Emergency => (
            format!("Replace {name} now"),
            "danger",
            "The old key leaves the JWKS now. This server refuses the tokens that it signed at once. A server that verifies \
             tokens itself still trusts the key until it reads the JWKS again: within five minutes with the programs \
             shown here. Programs get new tokens by themselves.",
        ),
    };
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div><a href="/settings">"Back to the settings"</a><h1>{format!("{title}?")}</h1></div></div>
        <form method="post" action="/settings/keys" class="stack">
            <FormToken/>
            <input type="hidden" name="algorithm" value=algorithm/>
            <input type="hidden" name="haste" value=haste/>
            <section class="panel body" aria-label="What happens"><p>{words}</p></section>
            <ConfirmPassword asked={ask_password || !visit.is_fresh()} errors=of.clone()/>
            <div class="row">
                <button class="button" data-kind=kind>{title.clone()}</button>
                <a class="button" data-kind="quiet" href="/settings">"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new(title, body).framed(Frame::Narrow).answering(status))
}
