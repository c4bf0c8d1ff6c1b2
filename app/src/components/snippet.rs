//! Texts to copy or download, one tab each. The tabs are radio buttons, so they work without script.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use leptos::prelude::*;

use crate::components::icon::{Drawing, Icon};
use crate::components::parts::{muted, panel};
use crate::html::html;
use crate::links;
use crate::snippets::{Connection, Snippet};

/// The tabs of a connection.
#[component]
pub(crate) fn Snippets(connection: Connection, about: &'static str) -> AnyView {
    let secret = connection.secret.clone();
    html! { <Texts title="Connect" about=about.to_owned() texts=connection.snippets() secret/> }
}

/// The number of texts that have a tab from the beginning. The others get theirs behind "More".
const FIRST: usize = 4;

/// Tabs of texts.
#[component]
pub(crate) fn Texts(
    title: &'static str,
    about: String,
    texts: Vec<Snippet>,
    #[prop(default = None)] secret: Option<String>,
) -> AnyView {
    let has_more = texts.len() > FIRST + 1;
    let more = || view! { <details><summary>"More"</summary></details> };
    let tabs = texts.into_iter().enumerate().map(|(position, snippet)| {
        let is_more = has_more && position >= FIRST;
        view! { {(is_more && position == FIRST).then(more)}{tab(snippet, position == 0, is_more, secret.as_deref())} }
    });
    let tabs = view! { <fieldset class="tabs"><legend class="vh">"Format"</legend>{tabs.collect_view()}</fieldset> };
    panel("connect", title, muted(about), tabs)
}

fn tab(snippet: Snippet, first: bool, is_more: bool, secret: Option<&str>) -> impl IntoView + use<> {
    let (tab_id, code_id) = (format!("tab-{}", snippet.id), format!("code-{}", snippet.id));
    // The download is part of the page. To fetch it later, the server would have to still know the secret.
    let href = format!("data:text/plain;charset=utf-8;base64,{}", STANDARD.encode(&snippet.text));
    let shown = marked(&snippet.text, secret);
    view! {
        <input type="radio" name="format" id=tab_id.clone() checked=first data-more=is_more.then_some("")/>
        <label for=tab_id>{snippet.tab}</label>
        <div>
            <div class="row">
                <span class="muted">{snippet.about}</span>
                {small_copy_button(code_id.clone(), format!("Copy {}", snippet.tab))}
                <a class="button" data-size="small" download=snippet.file href=href>
                    <Drawing icon=Icon::Download/>{format!("Download {}", snippet.file)}
                </a>
            </div>
            <pre id=code_id tabindex="0" role="region" aria-label=format!("{} text", snippet.tab)>{shown}</pre>
        </div>
    }
}

/// The text, with each occurrence of the secret in an element of its own. The script masks these elements.
fn marked(text: &str, secret: Option<&str>) -> AnyView {
    let text = text.trim_end();
    let Some(secret) = secret else { return text.to_owned().into_any() };
    let part = |(position, part): (usize, &str)| {
        let before = (position > 0).then(|| view! { <span data-secret="">{secret.to_owned()}</span> });
        view! { {before}{part.to_owned()} }
    };
    text.split(secret).enumerate().map(part).collect_view().into_any()
}

/// Waits for the first exchange. With script the page notices it without help; without script the person follows a link
/// to check again.
#[component]
pub(crate) fn TryIt(connection: Connection, reload: Option<String>) -> AnyView {
    let poll = links::with_query(links::FIRST_EXCHANGE, &[("client_id", &connection.client_id)]);
    let again =
        reload.map(|href| view! { <a class="button" data-kind="quiet" data-size="small" href=href>"Check again"</a> });
    let content = view! {
        <div class="body">
            <p class="wait" data-poll=poll data-done="It works. The first exchange arrived.">
                "Waiting for the first exchange…"
            </p>
            <p class="muted">"Run the curl lines under Connect, start the program, or use Test now."</p>
        </div>
    };
    panel("try", "Try it", again, content)
}

fn small_copy_button(id: impl Into<String>, words: impl IntoAny) -> AnyView {
    let id: String = id.into();
    html! {
        <button type="button" class="button needs-script" data-size="small" data-copy=id>
            <Drawing icon=Icon::Copy/><span>{words.into_any()}</span>
        </button>
    }
}
