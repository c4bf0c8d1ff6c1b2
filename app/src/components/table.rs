//! Tables of lists.

use std::fmt::Display;

use leptos::prelude::*;

/// A table with these columns. A column of buttons has an empty name.
pub fn table(columns: impl IntoIterator<Item = &'static str>, rows: impl IntoAny) -> AnyView {
    let head = columns
        .into_iter()
        .map(|column| match column {
            "" => view! { <td class="corner"><span class="vh">"Actions"</span></td> }.into_any(),
            column => view! { <th scope="col">{column}</th> }.into_any(),
        })
        .collect_view();
    view! { <table><thead><tr>{head}</tr></thead><tbody>{rows.into_any()}</tbody></table> }.into_any()
}

/// The address of the last use, below its time.
pub fn used_from(address: Option<impl Display>) -> Option<AnyView> {
    address.map(|address| view! { <div class="sub">{format!("from {address}")}</div> }.into_any())
}
