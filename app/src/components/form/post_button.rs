//! A form that is one button.

use leptos::prelude::*;

use crate::components::layout::FormToken;

/// A form that is one button: these fields are sent to `action`.
pub fn post_button(
    action: &'static str,
    fields: impl IntoIterator<Item = (&'static str, String)>,
    kind: Option<&'static str>,
    small: bool,
    words: impl IntoAny,
) -> AnyView {
    let fields =
        fields.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value/> }).collect_view();
    view! {
        <form method="post" action=action>
            <FormToken/>
            {fields}
            <button class="button" data-kind=kind data-size=small.then_some("small")>{words.into_any()}</button>
        </form>
    }
    .into_any()
}

/// The words of a button among many of its kind; `of` says to those who do not see the table which one it is.
pub fn one_of_many(words: &'static str, of: String) -> AnyView {
    view! { {words}<span class="vh">{of}</span> }.into_any()
}
