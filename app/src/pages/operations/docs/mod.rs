//! The documentation, in the product: the documents of this version, with the addresses of this instance.

mod markdown;

use pulldown_cmark::HeadingLevel;

use crate::pages::operations::docs::markdown::{DOCUMENTS, Document, Heading, Section, sections};
use crate::prelude::*;

/// One document.
pub async fn page(slug: String) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let document = Document::find(&slug).ok_or(ActionError::NotFound)?;
    let rendered = document.render(&visit.context.settings.public_url);
    let places = rendered.headings.iter().filter(|heading| heading.level == HeadingLevel::H2);
    let places = places.map(|heading| view! { <li><a href=format!("#{}", heading.id)>{heading.text.clone()}</a></li> });
    let places = html! { <div class="body"><ul>{places.collect_view()}</ul></div> };
    let contents = (!document.has_contents()).then(|| panel("contents", "On this page", (), places));
    let body = view! {
        {head((links::HELP, "Help"), rendered.title.clone(), document.about, ())}
        {contents}
        <article class="stack" aria-label=rendered.title.clone()>{rendered.parts.into_iter().map(part).collect_view()}</article>
    };
    Ok(Page::new(rendered.title, body).framed(Frame::Narrow))
}

/// A part of a document: what stands below one heading.
fn part((heading, text): (Option<Heading>, String)) -> AnyView {
    match heading {
        Some(Heading { id, text: title, .. }) => {
            let label = id.clone();
            html! {
                <section class="panel" aria-labelledby=label>
                    <header><h2 id=id>{title}</h2></header>
                    <div class="body" inner_html=text></div>
                </section>
            }
        }
        None => html! { <div class="panel body" inner_html=text></div> },
    }
}

/// The panel with the documents, and the search in them.
pub(super) fn panels(words: &str) -> AnyView {
    let field = view! {
        <form method="get" action=links::HELP class="toolbar" role="search">
            <div class="field">
                <label class="vh" for="q">"Search the documentation"</label>
                <input id="q" name="q" type="search" value=words.to_owned() placeholder="Search the documentation"/>
            </div>
            <button class="button">"Search"</button>
        </form>
    };
    let rows = DOCUMENTS.iter().map(|document| {
        cells![html! { <a href=links::document(document.slug)>{document.title()}</a> }, document.about]
    });
    let documents = table(["Document", "About"], rows);
    html! {
        {(!words.is_empty()).then(|| panel("found", "Found", muted(format!("for “{words}”")), found_list(words)))}
        {panel("documents", "Documentation", (), html! { {field}{documents} })}
    }
}

/// The most sections that one search shows.
const MOST_FOUND: usize = 30;
/// How much of a section is shown, in characters.
const SHOWN: usize = 160;

fn found_list(words: &str) -> AnyView {
    let found = found(words, MOST_FOUND);
    if found.is_empty() {
        return empty("No section has all of these words.");
    }
    let rows = found.into_iter().map(|section| {
        let excerpt = excerpt(&section.text, words);
        cells![
            html! { <a href=address_of(section)>{section.heading.text.clone()}</a>{sub(section.document.title())} },
            excerpt,
        ]
    });
    table(["Section", "Text"], rows)
}

/// The address of a section.
fn address_of(section: &Section) -> String {
    let page = links::document(section.document.slug);
    if section.heading.id.is_empty() { page } else { format!("{page}#{}", section.heading.id) }
}

/// The sections that hold all of these words. Those with a word in their heading come first.
fn found(words: &str, most: usize) -> Vec<&'static Section> {
    let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    if words.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<(usize, &Section)> = sections()
        .iter()
        .filter_map(|section| {
            let (heading, text) = (section.heading.text.to_lowercase(), section.text.to_lowercase());
            let holds = |word: &String| heading.contains(word) || text.contains(word);
            words.iter().all(holds).then(|| {
                let in_heading = words.iter().filter(|word| heading.contains(*word)).count();
                (words.len() - in_heading, section)
            })
        })
        .collect();
    found.sort_by_key(|(missing, _)| *missing);
    found.into_iter().take(most).map(|(_, section)| section).collect()
}

/// The text around the first of these words.
fn excerpt(text: &str, words: &str) -> String {
    let lower = text.to_lowercase();
    let first = words.split_whitespace().filter_map(|word| lower.find(&word.to_lowercase())).min().unwrap_or(0);
    let before = lower[..first].chars().count().saturating_sub(SHOWN / 4);
    let shown: String = text.chars().skip(before).take(SHOWN).collect();
    let (begins, ends) = (before == 0, before + SHOWN >= text.chars().count());
    format!("{}{}{}", if begins { "" } else { "…" }, shown.trim(), if ends { "" } else { "…" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_leads_to_a_section_that_is_there() {
        for (path, section) in links::ABOUT_PAGES {
            let (slug, id) = section.split_once('#').unwrap_or((section, ""));
            let there =
                sections().iter().any(|one| one.document.slug == slug && (id.is_empty() || one.heading.id == id));
            assert!(there, "{path}: {section}");
            assert_eq!(links::about_page(path), format!("/docs/{section}"));
        }
        assert_eq!(links::about_page("/credentials/csc_1/rotate?x=1"), "/docs/guide#the-first-credential");
    }

    #[test]
    fn sections_are_found_by_their_words() {
        let headings = |words| found(words, 5).iter().map(|section| section.heading.text.as_str()).collect::<Vec<_>>();
        assert_eq!(headings("countersign connect")[0], "countersign connect");
        assert!(headings("leak_policy").iter().any(|heading| heading.contains("Leak") || heading.contains("leak")));
        assert!(headings("zebra crossing").is_empty() && headings(" ").is_empty());
        let text = "a".repeat(300) + " ÄRGER im Text";
        assert!(excerpt(&text, "ärger").contains("ÄRGER"), "{}", excerpt(&text, "ärger"));
    }
}
