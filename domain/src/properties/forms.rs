//! Form bodies against the URL standard, and HTTP Basic.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use url::form_urlencoded;

use super::soup;
use crate::base::form_body::TokenForm;
use crate::crypto::secret::PlainSecret;
use crate::testing::SeededRandom;
use crate::token::client_authentication::presented::{Presented, SecretValue};

const NAMES: [&str; 7] = ["grant_type", "client_id", "client_secret", "scope", "code", "refresh_token", "state"];

fn body() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&str] = &[
        "grant_type",
        "client_id",
        "client_secret",
        "scope",
        "code",
        "resource",
        "=",
        "=",
        "&",
        "&",
        "+",
        "%",
        "%20",
        "%41",
        "%zz",
        "%00",
        "%c3%a4",
        "%ff",
        "%26",
        "%3d",
        "gr%61nt_type",
        "ä",
    ];
    prop_oneof![
        4 => soup(PIECES, 24).prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => soup(PIECES, 4000).prop_map(String::into_bytes),
    ]
}

/// A value as people and programs send it: no control characters.
fn value() -> impl Strategy<Value = String> {
    "[^\\p{Cc}]{1,40}"
}

fn standard(body: &[u8], name: &str) -> Vec<String> {
    let pairs = form_urlencoded::parse(body);
    pairs.filter(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.into_owned()).collect()
}

proptest! {
    #[test]
    fn a_body_that_is_read_is_read_as_the_url_standard_reads_it(body in body()) {
        if let Ok(form) = TokenForm::parse(&body) {
            for name in NAMES {
                let theirs = standard(&body, name);
                prop_assert!(theirs.len() <= 1);
                prop_assert_eq!(form.get(name), theirs.first().map(String::as_str));
            }
            prop_assert_eq!(form.resources().collect::<Vec<_>>(), standard(&body, "resource"));
        }
    }

    #[test]
    fn a_body_that_a_program_writes_is_read_back(
        values in prop::collection::btree_map(prop::sample::select(&NAMES[..]), value(), 0..NAMES.len()),
        resources in prop::collection::vec(value(), 0..4),
        unknown in prop::collection::vec(("x_[a-z]{1,6}", value()), 0..4),
    ) {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(&values).extend_pairs(&unknown);
        body.extend_pairs(resources.iter().map(|resource| ("resource", resource)));
        let form = TokenForm::parse(body.finish().as_bytes()).map_err(|error| TestCaseError::fail(error.to_string()))?;
        for name in NAMES {
            prop_assert_eq!(form.get(name), values.get(name).map(String::as_str));
        }
        prop_assert_eq!(form.resources().collect::<Vec<_>>(), resources);
    }

    #[test]
    fn basic_is_read_back_encoded_or_not(seed in any::<u64>(), id in "csc_[0-9A-Za-z]{22}", encodes in any::<bool>()) {
        let secret = PlainSecret::generate(&SeededRandom::new(seed));
        let encode = |text: &str| match encodes {
            true => form_urlencoded::byte_serialize(text.as_bytes()).collect(),
            false => text.to_owned(),
        };
        let header = format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(&id), encode(secret.expose()))));
        match Presented::read(&[header.as_bytes()], &TokenForm::parse(b"").expect("an empty form")) {
            Ok(Presented::Secret(presented)) => {
                prop_assert_eq!(presented.client_id.as_ref().map(|id| id.as_str()), Some(id.as_str()));
                match presented.value {
                    SecretValue::Generated(read) => prop_assert_eq!(read.expose(), secret.expose()),
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    /// Only base64 of an identifier and a secret, both well formed, proves a client.
    #[test]
    fn no_other_header_presents_a_secret(
        header in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..80),
            soup(&["Basic", "basic", "BASIC", "Bearer", " ", " ", "=", "==", "Y3NjOmNzcw==", "OmE=", "YTo=", "\t", ","], 6)
                .prop_map(String::into_bytes),
        ],
    ) {
        let presented = Presented::read(&[&header], &TokenForm::parse(b"").expect("an empty form"));
        if let Ok(Presented::Secret(_)) = presented {
            let text = String::from_utf8(header).map_err(|error| TestCaseError::fail(error.to_string()))?;
            let (scheme, encoded) = text.split_at(6);
            prop_assert!(scheme.eq_ignore_ascii_case("basic "));
            let decoded = STANDARD.decode(encoded).map_err(|error| TestCaseError::fail(error.to_string()))?;
            let colon = decoded.iter().position(|byte| *byte == b':').unwrap_or_default();
            prop_assert!(colon > 0 && colon + 1 < decoded.len());
        }
    }

    /// One mechanism a request: a second one is refused, whatever both hold (RFC 6749 §2.3).
    #[test]
    fn two_mechanisms_are_refused(header in prop::collection::vec(any::<u8>(), 0..40), secret in value()) {
        let body = form_urlencoded::Serializer::new(String::new()).append_pair("client_secret", &secret).finish();
        let form = TokenForm::parse(body.as_bytes()).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(Presented::read(&[&header], &form).is_err());
        let empty = TokenForm::parse(b"").expect("an empty form");
        prop_assert!(Presented::read(&[&header, &header], &empty).is_err());
    }
}
