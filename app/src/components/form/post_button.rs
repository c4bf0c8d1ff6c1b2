//! A form that consists of one button.

use leptos::prelude::*;

use crate::components::layout::FormToken;
use crate::components::parts::hidden;
use crate::html::html;

/// A form that consists of one button. It sends these fields to `action`.
pub fn post_button(
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

/// The text of a button that is repeated in each row of a table. `of` names the row for people who do not see the
/// table.
pub fn one_of_many(words: &'static str, of: String) -> AnyView {
    html! { {words}<span class="vh">{of}</span> }
}
