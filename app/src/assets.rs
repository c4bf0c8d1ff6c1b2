//! Style sheet, script and icon, embedded in the program. Their names contain a hash of their content. So browsers may
//! cache them without a time limit and never show an old version.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

/// A file that pages link to.
pub struct Asset {
    /// Its path: `/assets/NAME-HASH.EXTENSION`.
    pub path: String,
    /// Its media type.
    pub media_type: &'static str,
    /// Its content.
    pub content: String,
}

impl Asset {
    fn new(name: &str, extension: &str, media_type: &'static str, content: String) -> Self {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        Self { path: format!("/assets/{name}-{:016x}.{extension}", hasher.finish()), media_type, content }
    }
}

/// Builds a static for each asset, and the function that finds one.
macro_rules! assets {
    ($($(#[$doc:meta])* $asset:ident = $name:literal $extension:literal $media_type:literal: $content:expr;)*) => {
        $(
            $(#[$doc])*
            pub static $asset: LazyLock<Asset> =
                LazyLock::new(|| Asset::new($name, $extension, $media_type, $content));
        )*

        /// The asset at `path`.
        pub fn find(path: &str) -> Option<&'static Asset> {
            [$(&*$asset),*].into_iter().find(|asset| asset.path == path)
        }
    };
}

assets! {
    /// The style sheet.
    STYLE = "style" "css" "text/css; charset=utf-8": compact(concat!(
        include_str!("../../style/tokens.css"),
        include_str!("../../style/base.css"),
        include_str!("../../style/layout.css"),
        include_str!("../../style/components.css"),
        include_str!("../../style/respond.css"),
        include_str!("../../style/object.css"),
        include_str!("../../style/chart.css"),
        include_str!("../../style/tables.css"),
    ));
    /// The script: copy buttons, the search, and other conveniences. Every task works without it. It runs before the
    /// first paint, so the page does not flicker when the person chose a theme. Pages have one script and not one for
    /// each of these files: browsers keep it, and no page makes more than three requests.
    SCRIPT = "enhance" "js" "text/javascript; charset=utf-8": lines_of(concat!(
        include_str!("../../style/enhance.js"),
        include_str!("../../style/search.js"),
        include_str!("../../style/list.js"),
        include_str!("../../style/keys.js"),
        include_str!("../../style/passkey.js"),
        include_str!("../../style/reveal.js"),
    ));
    /// The icon.
    ICON = "icon" "svg" "image/svg+xml": include_str!("../../style/favicon.svg").to_owned();
}

/// The script without comments and indentation. A comment is a line of its own.
fn lines_of(script: &str) -> String {
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The style sheet without comments and without the spaces that only people need. The style adds no lengths: in `calc`
/// the spaces around a plus sign have a meaning.
fn compact(style: &str) -> String {
    let mut rules = String::with_capacity(style.len());
    let mut rest = style;
    while let Some((before, comment)) = rest.split_once("/*") {
        rules.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, rest)| rest);
    }
    rules.push_str(rest);
    let mut text = rules.split_whitespace().collect::<Vec<_>>().join(" ");
    for (long, short) in [
        ("{ ", "{"),
        (" {", "{"),
        ("; ", ";"),
        ("} ", "}"),
        (" }", "}"),
        (";}", "}"),
        (": ", ":"),
        (", ", ","),
        (" > ", ">"),
        ("(> ", "(>"),
        (" + ", "+"),
        (" ~ ", "~"),
        (" !", "!"),
        // The same colour, in fewer bytes.
        ("transparent", "#0000"),
    ] {
        text = text.replace(long, short);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_and_script_stay_small() {
        assert!(STYLE.content.len() < 32_000, "{} bytes of style", STYLE.content.len());
        assert!(SCRIPT.content.len() < 12_000, "{} bytes of script", SCRIPT.content.len());
    }

    #[test]
    fn the_style_keeps_its_meaning() {
        let style = "/* A */\n.a :is(b, i)::before {\n  content: \"x\"; color: red;\n}\n@media (hover: none) { .c > d { top: 0; } }";
        let expected = ".a :is(b,i)::before{content:\"x\";color:red}@media (hover:none){.c>d{top:0}}";
        assert_eq!(compact(style), expected);
    }
}
