//! Reading pages as text, and what the browser's tab shows.

use crate::support::App;

/// The token in the first form of a page.
pub(crate) fn form_token(html: &str) -> String {
    between(html, r#"name="form_token" value=""#, "\"").to_owned()
}

/// What stands between two texts.
pub(crate) fn between<'text>(text: &'text str, before: &str, after: &str) -> &'text str {
    let start = text.find(before).unwrap_or_else(|| panic!("no {before} in {text}")) + before.len();
    let length = text[start..].find(after).unwrap_or_else(|| panic!("no {after} after {before}"));
    &text[start..start + length]
}

/// What the browser's tab shows: the text between the tags, as it is.
pub(crate) fn title(html: &str) -> &str {
    between(html, "<title>", "</title>")
}

#[tokio::test]
async fn the_tab_shows_plain_text() {
    let app = App::new().await;
    let generated = app.generated("a <b>&\"job\"</title>", &[]).await;
    assert_eq!(title(&app.get("/login").await.body), "Sign in · Countersign");
    let browser = app.signed_in().await;
    let credential = format!("/credentials/{}", generated.credential.client_id);
    for (path, expected) in [
        ("/", "Overview · Countersign"),
        ("/activity", "Activity · Countersign"),
        ("/leaks", "Leaks · Countersign"),
        ("/people", "People · Countersign"),
        ("/settings/webhooks/new", "New webhook · Countersign"),
        ("/nowhere", "Not found · Countersign"),
        (credential.as_str(), "a &lt;b&gt;&amp;\"job\"&lt;/title&gt; · Countersign"),
    ] {
        assert_eq!(title(&browser.get(path).await.body), expected, "{path}");
    }
    let refused = browser.submit("/teams/new", "/teams/new", &[("name", "")]).await;
    assert_eq!(title(&refused.body), "Error: New team · Countersign");
}

/// The words of a page: without tags and references to characters.
pub(crate) fn text(html: &str) -> String {
    let mut words = String::new();
    for part in html.replace("<!>", "").split('<') {
        words.push_str(part.split_once('>').map_or(part, |(_, text)| text));
    }
    let words = words.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
