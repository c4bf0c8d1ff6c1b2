//! The documents of the folder `docs`, in this binary: as pages with the addresses of this instance, and as sections in
//! which a word is found.

use std::collections::HashMap;
use std::sync::OnceLock;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// The address that stands in the documents for that of an instance.
const EXAMPLE: &str = "https://auth.example.com";

/// The beginning of code between words. Unlike an identifier on other pages, it may break: a narrow screen has no room
/// for a whole command.
const CODE: &str = "<code class=\"lines\">";

/// A document.
pub(super) struct Document {
    /// Its name in addresses.
    pub slug: &'static str,
    /// What it is about, in a few words.
    pub about: &'static str,
    text: &'static str,
}

macro_rules! documents {
    ($($slug:literal $file:literal $about:literal;)*) => {
        /// Every document, in the order of the list.
        pub(super) const DOCUMENTS: &[Document] = &[$(Document {
            slug: $slug,
            about: $about,
            text: include_str!(concat!("../../../../../docs/", $file)),
        }),*];
    };
}

documents! {
    "guide" "guide.md" "Credentials, programs, your own MCP servers, apps, people";
    "gateway" "gateway.md" "Put an MCP server behind Countersign, without code";
    "respond" "respond.md" "Leaks, rotation, emergency stop, keys";
    "policies" "policies.md" "What the installation allows, approval, reviews";
    "operate" "operate.md" "Service, backup, restore, upgrade, monitoring";
    "proxies" "proxies.md" "nginx, Caddy, HAProxy, Traefik";
    "concepts" "concepts.md" "The words of Countersign, and whom it trusts";
    "interoperability" "interoperability.md" "Which clients and libraries work";
    "cli" "reference/cli.md" "Each command with its options";
    "settings" "reference/settings.md" "Each setting with its default";
    "endpoints" "reference/endpoints.md" "Each address, for programs and for people";
    "webhooks" "reference/webhooks.md" "Messages, signatures, repetitions";
    "decisions" "decisions.md" "Why things are as they are";
}

/// A heading of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heading {
    pub level: HeadingLevel,
    pub id: String,
    pub text: String,
}

/// A document as HTML, without its title.
pub(super) struct Rendered {
    pub title: String,
    /// The parts below the headings of the second level, each with its heading. The first part has none.
    pub parts: Vec<(Option<Heading>, String)>,
    /// Every heading, with those inside of the parts.
    pub headings: Vec<Heading>,
}

/// A part of a document below one heading, as text.
pub(super) struct Section {
    pub document: &'static Document,
    pub heading: Heading,
    pub text: String,
}

fn events(text: &str) -> Vec<Event<'_>> {
    Parser::new_ext(text, Options::ENABLE_TABLES).collect()
}

/// The text up to the end of the element that begins before these events.
fn text_of(events: &[Event<'_>], end: impl Fn(&TagEnd) -> bool) -> String {
    let own = events.iter().take_while(|event| !matches!(event, Event::End(tag) if end(tag)));
    own.filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        Event::SoftBreak | Event::HardBreak => Some(" "),
        _ => None,
    })
    .collect()
}

/// The headings of a document get the identifiers that links to them have elsewhere, for example on GitHub.
#[derive(Default)]
struct Identifiers(HashMap<String, usize>);

impl Identifiers {
    fn of(&mut self, heading: &str) -> String {
        let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
        let id: String = kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect();
        let count = self.0.entry(id.clone()).and_modify(|count| *count += 1).or_insert(0);
        if *count == 0 { id } else { format!("{id}-{count}") }
    }
}

impl Document {
    pub(super) fn find(slug: &str) -> Option<&'static Self> {
        DOCUMENTS.iter().find(|document| document.slug == slug)
    }

    /// Its title.
    pub(super) fn title(&self) -> &'static str {
        self.text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or(self.slug)
    }

    /// Whether the document begins with a list of its sections.
    pub(super) fn has_contents(&self) -> bool {
        self.text.split("\n## ").next().is_some_and(|beginning| beginning.matches("](#").count() > 2)
    }

    /// The document as HTML. The addresses in it are those of the instance at `public_url`.
    pub(super) fn render(&self, public_url: &str) -> Rendered {
        let host = public_url.split_once("://").map_or(public_url, |(_, host)| host);
        let example = EXAMPLE.trim_start_matches("https://");
        let text = self.text.replace(EXAMPLE, public_url).replace(example, host);
        let events = events(&text);
        let mut writer = Writer::default();
        for (place, event) in events.iter().enumerate() {
            writer.take(event, &events[place + 1..]);
        }
        writer.end_part();
        Rendered { title: self.title().to_owned(), parts: writer.parts, headings: writer.headings }
    }
}

/// Turns the events of a document into those of its page.
#[derive(Default)]
struct Writer<'text> {
    parts: Vec<(Option<Heading>, String)>,
    /// The heading of the present part.
    heading: Option<Heading>,
    /// The events of the present part.
    out: Vec<Event<'text>>,
    headings: Vec<Heading>,
    identifiers: Identifiers,
    is_in_title: bool,
    /// For each link around this place: whether it leads anywhere in the product.
    links: Vec<bool>,
    /// The heads of the columns of the table around this place.
    columns: Vec<String>,
    is_in_head: bool,
    cell: usize,
    examples: usize,
}

impl<'text> Writer<'text> {
    fn end_part(&mut self) {
        let mut out = String::new();
        html::push_html(&mut out, std::mem::take(&mut self.out).into_iter());
        let heading = self.heading.take();
        if heading.is_some() || !out.is_empty() {
            self.parts.push((heading, out));
        }
    }

    fn html(&mut self, text: impl Into<String>) {
        self.out.push(Event::Html(text.into().into()));
    }

    fn take(&mut self, event: &Event<'text>, rest: &[Event<'text>]) {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) => self.is_in_title = true,
            Event::End(TagEnd::Heading(HeadingLevel::H1 | HeadingLevel::H2)) => self.is_in_title = false,
            _ if self.is_in_title => {}
            Event::Start(Tag::Heading { level, classes, attrs, .. }) => {
                let text = text_of(rest, |end| matches!(end, TagEnd::Heading(_)));
                let id = self.identifiers.of(&text);
                let (level, classes, attrs) = (*level, classes.clone(), attrs.clone());
                let heading = Heading { level, id: id.clone(), text };
                self.headings.push(heading.clone());
                if level == HeadingLevel::H2 {
                    self.end_part();
                    (self.heading, self.is_in_title) = (Some(heading), true);
                    return;
                }
                self.out.push(Event::Start(Tag::Heading { level, id: Some(id.into()), classes, attrs }));
            }
            // Comments say which test runs an example.
            Event::Html(text) | Event::InlineHtml(text) if text.trim_start().starts_with("<!--") => {}
            Event::Html(text) | Event::InlineHtml(text) => self.html(text.replace("<code>", CODE)),
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let target = target(dest_url);
                self.links.push(target.is_some());
                if let Some(target) = target {
                    let (link_type, dest_url) = (*link_type, target.into());
                    let (title, id) = (title.clone(), id.clone());
                    self.out.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
                }
            }
            Event::End(TagEnd::Link) => {
                if self.links.pop() == Some(true) {
                    self.out.push(event.clone());
                }
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented)) => {
                self.examples += 1;
                let label = format!("Example {}", self.examples);
                self.html(format!("<pre tabindex=\"0\" role=\"region\" aria-label=\"{label}\"><code>"));
            }
            Event::End(TagEnd::CodeBlock) => self.html("</code></pre>"),
            Event::Code(text) => {
                self.out.push(Event::InlineHtml(format!("{CODE}{}</code>", escaped(text)).into()));
            }
            event => self.take_table(event, rest),
        }
    }

    /// A narrow screen shows the cells of a row below each other, each with the head of its column.
    fn take_table(&mut self, event: &Event<'text>, rest: &[Event<'text>]) {
        match event {
            Event::Start(Tag::Table(_)) => {
                self.columns.clear();
                self.html("<div class=\"scroll\"><table>");
            }
            Event::End(TagEnd::Table) => self.html("</tbody></table></div>"),
            Event::Start(Tag::TableHead) => {
                self.is_in_head = true;
                self.html("<thead><tr>");
            }
            Event::End(TagEnd::TableHead) => {
                self.is_in_head = false;
                self.html("</tr></thead><tbody>");
            }
            Event::Start(Tag::TableRow) => {
                self.cell = 0;
                self.html("<tr>");
            }
            Event::End(TagEnd::TableRow) => self.html("</tr>"),
            Event::Start(Tag::TableCell) if self.is_in_head => {
                let head = text_of(rest, |end| matches!(end, TagEnd::TableCell));
                // The corner of a table with two kinds of heads is no head.
                self.html(if head.is_empty() { "<td>" } else { "<th scope=\"col\">" });
                self.columns.push(head);
            }
            Event::Start(Tag::TableCell) => {
                let head = self.columns.get(self.cell).cloned().unwrap_or_default();
                self.cell += 1;
                match self.cell {
                    1 => self.html("<th scope=\"row\">"),
                    _ => self.html(format!("<td data-label=\"{}\">", escaped(&head))),
                }
            }
            Event::End(TagEnd::TableCell) => {
                let is_corner = self.is_in_head && self.columns.last().is_some_and(String::is_empty);
                let is_head = !is_corner && (self.is_in_head || self.cell == 1);
                self.html(if is_head { "</th>" } else { "</td>" });
            }
            event => self.out.push(event.clone()),
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Where a link of a document leads in the product: to a place of the same page, to another document, or to another
/// website. A link to a file of the source leads nowhere.
fn target(url: &str) -> Option<String> {
    if url.starts_with('#') || url.starts_with("https://") {
        return Some(url.to_owned());
    }
    let (path, anchor) =
        url.split_once('#').map_or((url, String::new()), |(path, anchor)| (path, format!("#{anchor}")));
    let slug = path.rsplit('/').next()?.strip_suffix(".md")?;
    Document::find(slug).map(|document| format!("/docs/{}{anchor}", document.slug))
}

/// Every section of every document.
pub(super) fn sections() -> &'static [Section] {
    static SECTIONS: OnceLock<Vec<Section>> = OnceLock::new();
    SECTIONS.get_or_init(|| DOCUMENTS.iter().flat_map(sections_of).collect())
}

fn sections_of(document: &'static Document) -> Vec<Section> {
    let events = events(document.text);
    let (mut found, mut identifiers) = (Vec::<Section>::new(), Identifiers::default());
    let mut is_in_heading = false;
    for (place, event) in events.iter().enumerate() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                is_in_heading = true;
                let text = text_of(&events[place + 1..], |end| matches!(end, TagEnd::Heading(_)));
                // The title is no place of the page: its section is the beginning.
                let id = if *level == HeadingLevel::H1 { String::new() } else { identifiers.of(&text) };
                found.push(Section { document, heading: Heading { level: *level, id, text }, text: String::new() });
            }
            Event::End(TagEnd::Heading(_)) => is_in_heading = false,
            Event::Text(text) | Event::Code(text) if !is_in_heading => {
                if let Some(section) = found.last_mut() {
                    section.text += text;
                }
            }
            Event::SoftBreak | Event::HardBreak | Event::End(_) => {
                if let Some(section) = found.last_mut()
                    && !section.text.is_empty()
                    && !section.text.ends_with(' ')
                {
                    section.text.push(' ');
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn h2(headings: &[Heading]) -> usize {
        headings.iter().filter(|heading| heading.level == HeadingLevel::H2).count()
    }

    #[test]
    fn each_document_has_the_addresses_of_the_instance_and_no_comments() {
        for document in DOCUMENTS {
            let Rendered { title, parts, headings } = document.render("https://tokens.internal:8443");
            let html: String = parts.iter().map(|(_, html)| html.as_str()).collect();
            assert!(!title.is_empty() && !headings.is_empty(), "{}", document.slug);
            assert!(!html.contains("auth.example.com") && !html.contains("<!--"), "{}", document.slug);
            assert!(!html.contains("<h1") && !html.contains("<h2"), "{}: the page has them", document.slug);
            assert_eq!(
                parts.iter().filter_map(|(heading, _)| heading.as_ref()).count(),
                h2(&headings),
                "{}",
                document.slug
            );
            for heading in headings.iter().filter(|heading| heading.level != HeadingLevel::H2) {
                assert!(html.contains(&format!("id=\"{}\"", heading.id)), "{}: {heading:?}", document.slug);
            }
        }
        let guide = Document::find("guide").expect("the guide").render("https://tokens.internal:8443");
        assert!(guide.parts.iter().any(|(_, html)| html.contains("https://tokens.internal:8443/mcp/oauth/token")));
    }

    #[test]
    fn each_link_of_a_page_leads_to_a_place_that_is_there() {
        let rendered: Vec<_> = DOCUMENTS.iter().map(|document| (document.slug, document.render(EXAMPLE))).collect();
        let mut checked = 0;
        for (slug, page) in &rendered {
            let html: String = page.parts.iter().map(|(_, html)| html.as_str()).collect();
            for link in html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default()) {
                let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
                let other = match path {
                    "" => slug,
                    path => match path.strip_prefix("/docs/") {
                        Some(other) => other,
                        None => continue,
                    },
                };
                let (_, page) = rendered.iter().find(|(slug, _)| *slug == other).expect("a document");
                assert!(
                    anchor.is_empty() || page.headings.iter().any(|heading| heading.id == anchor),
                    "{slug}: {link}"
                );
                checked += 1;
            }
        }
        assert!(checked > 40, "{checked}");
    }

    #[test]
    fn a_link_to_the_source_is_text() {
        assert_eq!(target("../Dockerfile"), None);
        assert_eq!(target("reference/cli.md#countersign-connect").as_deref(), Some("/docs/cli#countersign-connect"));
        assert_eq!(target("../operate.md").as_deref(), Some("/docs/operate"));
        assert_eq!(target("../CHANGELOG.md"), None);
        assert_eq!(target("javascript:alert(1)"), None);
    }

    #[test]
    fn sections_hold_the_text_below_their_heading() {
        let section = sections().iter().find(|section| section.heading.id == "countersign-connect").expect("a section");
        assert!(section.document.slug == "cli" && section.text.contains("MCP_CLIENT_ID"), "{}", section.text);
        assert!(sections().len() > 100);
    }
}
