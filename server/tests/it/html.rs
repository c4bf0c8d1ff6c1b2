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

/// The words of a page, without its tags. An address on a page has tags inside: a line may break after a slash.
pub(crate) fn words_of(html: &str) -> String {
    html.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, words)| words)).collect()
}
