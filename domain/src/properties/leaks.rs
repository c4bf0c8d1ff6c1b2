//! The scanner for leaked secrets: it finds what is there, and nothing else.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use proptest::prelude::*;

use super::soup;
use crate::crypto::secret::{PlainSecret, SecretKind};
use crate::incident::leak::scan;
use crate::testing::SeededRandom;

const PIECES: &[&str] = &[
    "css_",
    "csr_",
    "csp_",
    "csc_",
    "cs",
    "eyJ",
    ".",
    "..",
    "/",
    "=",
    "+",
    "\"",
    "\\n",
    " ",
    "\n",
    "Basic ",
    "Bearer ",
    "eyJhbGciOiJFUzI1NiJ9",
    "0123456789ABCDEFGHIJabcdefghij",
    "ä",
    "%20",
];

fn secret() -> impl Strategy<Value = (SecretKind, String)> {
    (prop::sample::select(&SecretKind::ALL[..]), any::<u64>())
        .prop_map(|(kind, seed)| (kind, PlainSecret::generate_of(kind, &SeededRandom::new(seed)).expose().to_owned()))
}

fn finds(text: &str, secret: &str) -> bool {
    scan(text).secrets.iter().any(|(_, found)| found.expose() == secret)
}

proptest! {
    /// A secret is found whatever stands before it. A letter or digit behind it would make it another word.
    #[test]
    fn a_secret_is_found_in_any_text(
        before in soup(PIECES, 40),
        (_, secret) in secret(),
        after in prop_oneof![Just(String::new()), "[^0-9A-Za-z].{0,20}"],
    ) {
        let text = format!("{before}{secret}{after}");
        prop_assert!(finds(&text, &secret));
    }

    #[test]
    fn a_secret_is_found_inside_basic_authorization(
        before in "[a-z]{0,20} ",
        id in "csc_[0-9A-Za-z]{22}",
        (_, secret) in secret(),
        pads in any::<bool>(),
    ) {
        let pair = format!("{id}:{secret}");
        let encoded = if pads { STANDARD.encode(pair) } else { STANDARD_NO_PAD.encode(pair) };
        let text = format!("{before}Authorization: Basic {encoded}\r\n");
        prop_assert!(finds(&text, &secret));
    }

    /// What is found stands in the text, or in base64 that stands in it, and is listed once.
    #[test]
    fn nothing_else_is_found(text in prop_oneof![soup(PIECES, 60), any::<String>()]) {
        let found = scan(&text);
        for (kind, secret) in &found.secrets {
            prop_assert!(PlainSecret::parse_of(*kind, secret.expose()).is_some());
        }
        for token in &found.tokens {
            prop_assert!(text.contains(token.as_str()));
            prop_assert_eq!(found.tokens.iter().filter(|other| *other == token).count(), 1);
        }
        for id in &found.client_ids {
            prop_assert!(text.contains(id.as_str()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.div_ceil(64)))]

    /// Long texts of what the scanner looks for. With a scanner whose time grows with the square of the text, each of
    /// them takes minutes.
    #[test]
    fn a_long_text_is_scanned(piece in prop::sample::select(PIECES), other in soup(PIECES, 3), tail in soup(PIECES, 3)) {
        let text = format!("{piece}{other}").repeat(256 * 1024 / (piece.len() + other.len())) + &tail;
        let found = scan(&text);
        prop_assert!(found.secrets.len() + found.tokens.len() + found.client_ids.len() <= text.len() / 20);
    }
}
