//! Buttons: one that is a form of its own, and the one that asks for a passkey.

use leptos::prelude::*;

use crate::components::layout::FormToken;
use crate::components::parts::hidden;
use crate::html::html;

/// A form that consists of one button. It sends these fields to `action`.
pub(crate) fn post_button(
    action: &'static str,
    fields: impl IntoIterator<Item = (&'static str, String)>,
    kind: Option<&'static str>,
    small: bool,
    words: impl IntoAny,
) -> AnyView {
    let fields = fields.into_iter().map(|(name, value)| hidden(name, value)).collect_view();
    html! {
        <form method="post" action=action>
            <FormToken/>
            {fields}
            <button class="button" data-kind=kind data-size=small.then_some("small")>{words.into_any()}</button>
        </form>
    }
}

/// A button that asks before it acts. It opens the question, and below it the form with the real button. This is for
/// small final things; a big one has a page with facts.
pub(crate) fn ask(small: bool, words: impl IntoAny, question: impl IntoAny, form: impl IntoAny) -> AnyView {
    html! {
        <details class="ask">
            <summary class="button" data-size=small.then_some("small")>{words.into_any()}</summary>
            <div><p>{question.into_any()}</p>{form.into_any()}</div>
        </details>
    }
}

/// A small action that cannot be undone: a button that opens a question, and behind it the button that acts. It works
/// without script.
pub(crate) fn asking_button(
    action: &'static str,
    fields: impl IntoIterator<Item = (&'static str, String)>,
    small: bool,
    words: (&'static str, String),
    question: impl IntoAny,
) -> AnyView {
    let fields = fields.into_iter().map(|(name, value)| hidden(name, value)).collect_view();
    let (verb, of) = words;
    let form = html! {
        <form method="post" action=action>
            <FormToken/>
            {fields}
            <button class="button" data-kind="danger" data-size="small">{verb}" now"<span class="vh">{of.clone()}</span></button>
        </form>
    };
    ask(small, one_of_many(verb, of), question, form)
}

/// The text of a button that is repeated in each row of a table. `of` names the row for people who do not see the
/// table.
pub(crate) fn one_of_many(words: &'static str, of: String) -> AnyView {
    html! { {words}<span class="vh">{of}</span> }
}

/// The button that asks for a passkey, and the hidden fields that carry its answer, inside a form. It stays hidden
/// until its script finds that the browser supports passkeys. The script is a module, so a page runs it once even when
/// it has two such buttons. It gets the challenge to sign from the address `challenge`.
#[component]
pub(crate) fn PasskeyButton(
    #[prop(into)] challenge: String,
    words: &'static str,
    #[prop(default = None)] kind: Option<&'static str>,
) -> AnyView {
    html! {
        <input type="hidden" name="passkey_state"/>
        <input type="hidden" name="passkey_answer"/>
        <div class="stack" data-passkeys="" hidden=true>
            <button type="button" class="button" data-kind=kind data-passkey=challenge>{words}</button>
            <span class="muted" role="status"></span>
        </div>
    }
}
