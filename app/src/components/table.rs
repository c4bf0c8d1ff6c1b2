//! Tables of lists.

use std::fmt::Display;

use domain::base::clock::Timestamp;
use leptos::prelude::*;

use crate::components::parts::sub;
use crate::components::time::distance_or;
use crate::html::html;

/// A column of a [`table`]. A column of buttons has an empty title.
#[derive(Clone, Copy)]
pub struct Column {
    title: &'static str,
    label: &'static str,
    class: Option<&'static str>,
    shown: bool,
}

/// The class of a column of boxes.
const TICK: &str = "tick";

impl From<&'static str> for Column {
    fn from(title: &'static str) -> Self {
        let class = title.is_empty().then_some("corner");
        Self { title, label: title, class, shown: true }
    }
}

impl Column {
    /// A column of numbers.
    pub fn number(title: &'static str) -> Self {
        Self { class: Some("number"), ..title.into() }
    }

    /// A column whose cells have a shorter label than its title, for narrow screens.
    pub(crate) fn labelled(title: &'static str, label: &'static str) -> Self {
        Self { label, ..title.into() }
    }

    /// A column that only some people see.
    pub(crate) fn when(title: &'static str, shown: bool) -> Self {
        Self { shown, ..title.into() }
    }

    /// The first column, of boxes that select rows. The second column names the rows then.
    pub(crate) fn ticks(shown: bool) -> Self {
        Self { class: Some(TICK), label: "", shown, ..Self::from("") }
    }

    /// A column of buttons that stand beside the other cells on narrow screens, not in the corner.
    pub(crate) fn buttons_inline() -> Self {
        Self { class: None, ..Self::from("") }
    }

    fn head(self) -> AnyView {
        match (self.title, self.class) {
            (_, Some(TICK)) => html! { <td class=TICK>{tick_all()}</td> },
            ("", _) => html! { <td class="corner"><span class="vh">"Actions"</span></td> },
            (title, Some(class)) => html! { <th scope="col" class=class>{title}</th> },
            (title, None) => html! { <th scope="col">{title}</th> },
        }
    }

    fn cell(self, content: AnyView) -> AnyView {
        let label = (!self.label.is_empty()).then_some(self.label);
        match self.class {
            Some(class) => html! { <td data-label=label class=class>{content}</td> },
            None => html! { <td data-label=label>{content}</td> },
        }
    }
}

/// The box that ticks all rows. The script acts on it and counts in `#ticked`, in the form `#bulk`.
pub(crate) fn tick_all() -> AnyView {
    html! { <input type="checkbox" id="all" class="needs-script" aria-label="Select all"/> }
}

/// A table. Each row has a cell for every column, also for a column that is not shown. The first cell that is no box
/// names the row. A table that is wider than its card scrolls inside it.
pub fn table<C: Into<Column>>(
    columns: impl IntoIterator<Item = C>,
    rows: impl IntoIterator<Item = Vec<AnyView>>,
) -> AnyView {
    let columns: Vec<Column> = columns.into_iter().map(Into::into).collect();
    let row = |cells: Vec<AnyView>| {
        let mut cells = columns.iter().zip(cells).filter(|(column, _)| column.shown).peekable();
        let tick = cells.next_if(|(column, _)| column.class == Some(TICK)).map(|(column, tick)| column.cell(tick));
        let name = cells.next().map(|(_, name)| view! { <th scope="row">{name}</th> });
        view! { <tr>{tick}{name}{cells.map(|(column, content)| column.cell(content)).collect_view()}</tr> }
    };
    let rows = rows.into_iter().map(row).collect_view();
    let head = columns.iter().filter(|column| column.shown).map(|column| column.head()).collect_view();
    html! { <div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div> }
}

/// The cells of a row of a [`table`].
macro_rules! cells {
    ($($cell:expr),+ $(,)?) => { vec![$(::leptos::prelude::IntoAny::into_any($cell)),+] };
}

pub(crate) use cells;

/// The address of the last use, below its time.
pub(crate) fn used_from(address: Option<impl Display>) -> Option<AnyView> {
    address.map(|address| sub(format!("from {address}")))
}

/// When something was last used, and from where.
pub(crate) fn last_use(at: Option<Timestamp>, from: Option<impl Display>) -> AnyView {
    html! { {distance_or(at, "Never")}{used_from(from)} }
}
