//! QR codes as inline SVG. The browser fetches nothing, so no other server learns the content.

use leptos::prelude::*;

use crate::html::html;

/// Width of the light margin around a code, in modules (ISO/IEC 18004 §5.3.8).
const QUIET: i32 = 4;
/// Maximum width of a code in pixels. It fits the narrowest screens.
const WIDEST: i32 = 248;

/// The QR code of a text. Nothing if the text is too long for a code.
#[component]
pub(crate) fn QrCode(text: String, label: &'static str) -> AnyView {
    let Ok(code) = qrcodegen::QrCode::encode_text(&text, qrcodegen::QrCodeEcc::Low) else {
        return ().into_any();
    };
    let modules = code.size() + 2 * QUIET;
    // A whole number of pixels per module keeps the edges sharp.
    let pixels = modules * (WIDEST / modules).max(1);
    html! {
        <svg width=pixels height=pixels viewBox=format!("0 0 {modules} {modules}") role="img" aria-label=label>
            <rect width=modules height=modules fill="#fff"/>
            <path d=dark_modules(&code) fill="#000"/>
        </svg>
    }
}

/// The dark modules as one path, row by row. Neighbours in a row become one piece.
fn dark_modules(code: &qrcodegen::QrCode) -> String {
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let dark = (x..code.size()).take_while(|x| code.get_module(*x, y)).count() as i32;
            if dark > 0 {
                path.push_str(&format!("M{} {}h{dark}v1h-{dark}z", x + QUIET, y + QUIET));
            }
            x += dark + 1;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dark_module_is_drawn_once() {
        let code =
            qrcodegen::QrCode::encode_text("otpauth://totp/a?secret=b", qrcodegen::QrCodeEcc::Low).expect("fits");
        let dark = (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (x, y)));
        let dark = dark.filter(|(x, y)| code.get_module(*x, *y)).count();
        let path = dark_modules(&code);
        let drawn = path.split('h').skip(1).filter_map(|part| part.split('v').next()?.parse::<usize>().ok());
        assert_eq!(drawn.sum::<usize>(), dark);
    }
}
