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

/// The style sheet.
pub static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    const SHEET: &str = concat!(
        include_str!("../../style/tokens.css"),
        include_str!("../../style/base.css"),
        include_str!("../../style/layout.css"),
        include_str!("../../style/components.css"),
    );
    Asset::new("style", "css", "text/css; charset=utf-8", SHEET)
});

/// The script: copy buttons and other conveniences. Every task works without it. It runs before the first paint, so the
/// page does not flicker when the person chose a theme.
pub static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("enhance", "js", "text/javascript; charset=utf-8", include_str!("../../style/enhance.js"))
});

/// The script of the pages that take public keys.
pub static KEYS: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("keys", "js", "text/javascript; charset=utf-8", include_str!("../../style/keys.js")));

/// The script of the pages that ask for a passkey.
pub static PASSKEY: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("passkey", "js", "text/javascript; charset=utf-8", include_str!("../../style/passkey.js"))
});

/// The icon.
pub static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("../../style/favicon.svg")));

/// The asset at `path`.
pub fn find(path: &str) -> Option<&'static Asset> {
    [&*STYLE, &*SCRIPT, &*KEYS, &*PASSKEY, &*ICON].into_iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_and_script_stay_small() {
        assert!(STYLE.content.len() < 20_000, "{} bytes of style", STYLE.content.len());
        for script in [&SCRIPT, &KEYS, &PASSKEY] {
            assert!(script.content.len() < 3_000, "{} bytes of script", script.content.len());
        }
    }
}
