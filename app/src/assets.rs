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
    pub content: &'static str,
}

impl Asset {
    fn new(name: &str, extension: &str, media_type: &'static str, content: &'static str) -> Self {
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
    STYLE = "style" "css" "text/css; charset=utf-8": concat!(
        include_str!("../../style/tokens.css"),
        include_str!("../../style/base.css"),
        include_str!("../../style/layout.css"),
        include_str!("../../style/components.css"),
        include_str!("../../style/respond.css"),
        include_str!("../../style/object.css"),
        include_str!("../../style/chart.css"),
        include_str!("../../style/tables.css"),
    );
    /// The script: copy buttons and other conveniences. Every task works without it. It runs before the first paint, so
    /// the page does not flicker when the person chose a theme.
    SCRIPT = "enhance" "js" "text/javascript; charset=utf-8": concat!(
        include_str!("../../style/enhance.js"),
        include_str!("../../style/search.js"),
    );
    /// The script of the pages that show a value once.
    REVEAL = "reveal" "js" "text/javascript; charset=utf-8": include_str!("../../style/reveal.js");
    /// The script of the list of credentials.
    LIST = "list" "js" "text/javascript; charset=utf-8": include_str!("../../style/list.js");
    /// The script of the pages that take public keys.
    KEYS = "keys" "js" "text/javascript; charset=utf-8": include_str!("../../style/keys.js");
    /// The script of the pages that ask for a passkey.
    PASSKEY = "passkey" "js" "text/javascript; charset=utf-8": include_str!("../../style/passkey.js");
    /// The icon.
    ICON = "icon" "svg" "image/svg+xml": include_str!("../../style/favicon.svg");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_and_script_stay_small() {
        assert!(STYLE.content.len() < 32_000, "{} bytes of style", STYLE.content.len());
        let scripts = [&SCRIPT, &KEYS, &LIST, &PASSKEY, &REVEAL].map(|script| script.content.len());
        assert!(scripts.iter().sum::<usize>() < 12_000, "{scripts:?} bytes of scripts");
    }
}
