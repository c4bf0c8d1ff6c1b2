//! The button that asks for a passkey. It stays hidden until its script finds that the browser supports passkeys.

use leptos::prelude::*;

use crate::assets;
use crate::html::html;

/// The button, and the hidden fields that carry the passkey's answer, inside a form. The script is a module, so a page
/// runs it once even when it has two such buttons. The script gets the challenge to sign from the address `challenge`.
#[component]
pub fn PasskeyButton(
    #[prop(into)] challenge: String,
    words: &'static str,
    #[prop(default = None)] kind: Option<&'static str>,
) -> AnyView {
    html! {
        <script type="module" src=assets::PASSKEY.path.as_str()></script>
        <input type="hidden" name="passkey_state"/>
        <input type="hidden" name="passkey_answer"/>
        <div class="stack" data-passkeys="" hidden=true>
            <button type="button" class="button" data-kind=kind data-passkey=challenge>{words}</button>
            <span class="muted" role="status"></span>
        </div>
    }
}
