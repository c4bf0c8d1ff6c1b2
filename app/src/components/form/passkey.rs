//! The button that asks for a passkey. It is hidden until its script finds that the browser has passkeys.

use leptos::prelude::*;

use crate::assets;

/// The button and the hidden fields that carry the answer, inside a form. The script is a module, which a page runs
/// once even where it has two such buttons. `challenge` is where the script gets what the passkey is to sign.
#[component]
pub fn PasskeyButton(
    #[prop(into)] challenge: String,
    words: &'static str,
    #[prop(default = None)] kind: Option<&'static str>,
) -> AnyView {
    view! {
        <script type="module" src=assets::PASSKEY.path.as_str()></script>
        <input type="hidden" name="passkey_state"/>
        <input type="hidden" name="passkey_answer"/>
        <div class="stack" data-passkeys="" hidden=true>
            <button type="button" class="button" data-kind=kind data-passkey=challenge>{words}</button>
            <span class="muted" role="status"></span>
        </div>
    }
    .into_any()
}
