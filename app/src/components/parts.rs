//! Small parts that many pages repeat: the head of a page, panels, notices, chips, and forms inside a panel.

use leptos::prelude::*;

use crate::components::icon::{Drawing, Icon};
use crate::components::layout::FormToken;
use crate::html::html;
use crate::number::grouped;

/// A part of a page that may be absent: nothing, a text, or a view.
#[derive(Default)]
pub struct Part(Option<AnyView>);

impl From<()> for Part {
    fn from((): ()) -> Self {
        Self(None)
    }
}

impl From<&'static str> for Part {
    fn from(text: &'static str) -> Self {
        Self(Some(text.into_any()))
    }
}

impl From<String> for Part {
    fn from(text: String) -> Self {
        Self(Some(text.into_any()))
    }
}

impl From<AnyView> for Part {
    fn from(view: AnyView) -> Self {
        Self(Some(view))
    }
}

/// A link to another page: its address and its words. `()` is none.
#[derive(Default)]
pub struct Back(pub Option<(String, String)>);

impl From<()> for Back {
    fn from((): ()) -> Self {
        Self(None)
    }
}

impl<Address: Into<String>, Words: Into<String>> From<(Address, Words)> for Back {
    fn from((address, words): (Address, Words)) -> Self {
        Self(Some((address.into(), words.into())))
    }
}

/// The head of a page: a breadcrumb, the heading, a line below it, and beside them what can be done.
pub fn head(back: impl Into<Back>, title: impl IntoAny, lead: impl Into<Part>, actions: impl IntoAny) -> AnyView {
    let crumb = |(href, words): (String, String)| {
        view! { <nav class="crumb" aria-label="Breadcrumb"><a href=href>{words}</a></nav> }
    };
    html! {
        <div class="head">
            <div>
                {back.into().0.map(crumb)}
                <h1>{title.into_any()}</h1>
                {lead.into().0.map(|lead| view! { <div class="lead">{lead}</div> })}
            </div>
            {actions.into_any()}
        </div>
    }
}

/// A view of a thing that has several views: its address, its name, and how many things it shows.
pub(crate) struct View {
    pub href: String,
    pub name: &'static str,
    pub count: Option<i64>,
    pub is_current: bool,
}

/// The links between the views of one thing, below the head of its page.
pub(crate) fn view_links(label: &'static str, views: impl IntoIterator<Item = View>) -> AnyView {
    let link = |View { href, name, count, is_current }: View| {
        let count = count.map(|count| view! { " "<b>{grouped(count)}</b> });
        view! { <a href=href aria-current=is_current.then_some("page")>{name}{count}</a> }
    };
    html! { <nav class="views" aria-label=label>{views.into_iter().map(link).collect_view()}</nav> }
}

/// A strip of the most important facts of a page. Each has a label, a value, and a note in small type.
pub(crate) fn key_figures(figures: impl IntoIterator<Item = (&'static str, AnyView, AnyView)>) -> AnyView {
    let figure = |(label, value, note)| {
        view! { <div><dt>{label}</dt><dd>{value}" "<small>{note}</small></dd></div> }
    };
    html! { <dl class="panel figures">{figures.into_iter().map(figure).collect_view()}</dl> }
}

/// Facts below each other: a label and a value in each row.
pub(crate) fn pairs(facts: impl IntoIterator<Item = (&'static str, AnyView)>) -> AnyView {
    let fact = |(label, value)| view! { <dt>{label}</dt><dd>{value}</dd> };
    html! { <dl class="pairs">{facts.into_iter().map(fact).collect_view()}</dl> }
}

/// An identifier that can be copied. `id` is that of its element.
pub(crate) fn copied_code(id: &'static str, value: impl Into<String>, words: &'static str) -> AnyView {
    let value: String = value.into();
    html! {
        <code id=id>{value}</code>
        <button type="button" class="button needs-script" data-kind="quiet" data-size="icon" data-copy=id>
            <Drawing icon=Icon::Copy/><span class="vh">{words}</span>
        </button>
    }
}

/// A link that turns a filter on or off. `count` says how many things it shows.
pub(crate) fn pill(href: String, words: impl IntoAny, count: Option<i64>, is_on: bool) -> AnyView {
    toned_pill(None, href, words.into_any(), count, is_on)
}

/// The same in the colour of danger.
pub(crate) fn danger_pill(href: String, words: impl IntoAny, count: Option<i64>, is_on: bool) -> AnyView {
    toned_pill(Some("danger"), href, words.into_any(), count, is_on)
}

fn toned_pill(tone: Option<&'static str>, href: String, words: AnyView, count: Option<i64>, is_on: bool) -> AnyView {
    let count = count.map(|count| view! { " "<b>{grouped(count)}</b> });
    html! { <a class="pill" data-tone=tone href=href aria-current=is_on.then_some("true")>{words}{count}</a> }
}

/// A panel with a heading. `aside` stands beside the heading.
pub(crate) fn panel(id: &'static str, title: impl IntoAny, aside: impl IntoAny, content: impl IntoAny) -> AnyView {
    toned_panel(None, id, title, aside, content)
}

/// The same for what stops things, in the colour of danger.
pub(crate) fn danger_panel(id: &'static str, title: impl IntoAny, content: impl IntoAny) -> AnyView {
    toned_panel(Some("danger"), id, title, (), content)
}

fn toned_panel(
    tone: Option<&'static str>,
    id: &'static str,
    title: impl IntoAny,
    aside: impl IntoAny,
    content: impl IntoAny,
) -> AnyView {
    html! {
        <section class="panel" data-tone=tone aria-labelledby=id>
            <header><h2 id=id>{title.into_any()}</h2>{aside.into_any()}</header>
            {content.into_any()}
        </section>
    }
}

/// A panel whose heading stands inside its body.
pub(crate) fn body_panel(id: &'static str, title: &'static str, content: impl IntoAny) -> AnyView {
    html! { <section class="panel body" aria-labelledby=id><h2 id=id>{title}</h2>{content.into_any()}</section> }
}

/// The panel of a page for people who are not signed in: a heading, a sentence, and a form.
pub(crate) fn gate_panel(title: &'static str, words: impl IntoAny, form: AnyView) -> AnyView {
    html! {
        <section class="panel body" aria-labelledby="title">
            <div class="stack"><h1 id="title">{title}</h1><p class="muted">{words.into_any()}</p></div>
            {form}
        </section>
    }
}

/// What a panel says in place of an empty list.
pub fn empty(words: impl IntoAny) -> AnyView {
    html! { <div class="body"><p>{words.into_any()}</p></div> }
}

/// A notice. Its icon follows from its tone: `ok`, `warn` or `danger`.
pub(crate) fn notice(tone: &'static str, content: impl IntoAny) -> AnyView {
    let icon = if tone == "ok" { Icon::Check } else { Icon::Warning };
    html! { <div class="notice" data-tone=tone><Drawing icon/><div>{content.into_any()}</div></div> }
}

/// A state as a word in its colour.
pub(crate) fn chip(word: &'static str, tone: &'static str) -> AnyView {
    html! { <span class="chip" data-tone=tone>{word}</span> }
}

/// Text that matters less.
pub(crate) fn muted(text: impl IntoAny) -> AnyView {
    html! { <span class="muted">{text.into_any()}</span> }
}

/// An address or another identifier with slashes. A line may break after a slash and nowhere else.
pub(crate) fn address(text: &str) -> AnyView {
    html! { <code>{breaking_at_slashes(text)}</code> }
}

/// The text of an address, of which a line may break after a slash, and not at a hyphen.
pub(crate) fn breaking_at_slashes(address: &str) -> AnyView {
    address
        .split_inclusive('/')
        .map(|part| view! { <span class="part">{part.to_owned()}</span> })
        .collect_view()
        .into_any()
}

/// The second line of a cell.
pub fn sub(text: impl IntoAny) -> AnyView {
    html! { <div class="sub">{text.into_any()}</div> }
}

/// A link that looks like a button.
pub(crate) fn button_link(href: impl Into<String>, words: impl IntoAny) -> AnyView {
    let href: String = href.into();
    html! { <a class="button" href=href>{words.into_any()}</a> }
}

/// The same for the first action of a page.
pub(crate) fn primary_link(href: impl Into<String>, words: impl IntoAny) -> AnyView {
    let href: String = href.into();
    html! { <a class="button" data-kind="primary" href=href>{words.into_any()}</a> }
}

/// The same in a row of a table or beside a heading.
pub(crate) fn small_link(href: impl Into<String>, words: impl IntoAny) -> AnyView {
    let href: String = href.into();
    html! { <a class="button" data-size="small" href=href>{words.into_any()}</a> }
}

/// A form inside a panel. `content` includes its button.
pub(crate) fn post_form(action: impl Into<String>, class: &'static str, content: impl IntoAny) -> AnyView {
    let action: String = action.into();
    html! { <form method="post" action=action class=class><FormToken/>{content.into_any()}</form> }
}

/// The row with the button of a form.
pub fn submit(kind: Option<&'static str>, words: impl IntoAny) -> AnyView {
    html! { <div class="row"><button class="button" data-kind=kind>{words.into_any()}</button></div> }
}

/// A hidden field.
pub fn hidden(name: &'static str, value: impl Into<String>) -> AnyView {
    let value: String = value.into();
    html! { <input type="hidden" name=name value=value/> }
}

/// A button that copies the field or text `id`.
pub(crate) fn copy_button(id: impl Into<String>, words: impl IntoAny) -> AnyView {
    let id: String = id.into();
    html! {
        <button type="button" class="button needs-script" data-copy=id>
            <Drawing icon=Icon::Copy/><span>{words.into_any()}</span>
        </button>
    }
}

/// The links to the first page of a list and to the next page.
pub(crate) fn page_links(first: Option<String>, next: Option<String>) -> AnyView {
    html! {
        <nav class="row" aria-label="Pages">
            {first.map(|href| button_link(href, "First page"))}
            {next.map(|href| button_link(href, "Next page"))}
        </nav>
    }
}

/// The form above a list that searches and filters it.
pub(crate) fn toolbar(action: &'static str, label: &'static str, fields: impl IntoAny) -> AnyView {
    html! {
        <form class="toolbar" method="get" action=action role="search" aria-label=label>
            {fields.into_any()}
            <button class="button"><Drawing icon=Icon::Search/>"Apply"</button>
        </form>
    }
}
