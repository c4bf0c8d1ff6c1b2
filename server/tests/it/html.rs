//! Reading pages as text.

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
