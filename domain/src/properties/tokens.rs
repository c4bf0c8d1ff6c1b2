//! Strict JSON against `serde_json`, and compact JWS against `jsonwebtoken`.

use std::fmt;
use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{damaged, soup};
use crate::base::strict_json;
use crate::crypto::jws::{UncheckedJws, numeric_date};
use crate::crypto::public_key::PublicKey;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Halves and quarters, which no decimal text rounds. The library reads other fractions to the last bit but one.
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 4.0)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-c\\PC]{0,3}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn json() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"a\"",
        "\"b\"",
        "\"\\u0061\"",
        "\"",
        "1",
        "-0",
        "1e400",
        "1.5",
        "true",
        "null",
        " ",
        "{\"a\":1}",
        "\"a\":1,",
        "\\ud800",
    ];
    prop_oneof![
        soup(PIECES, 16).prop_map(String::into_bytes),
        damaged(value().prop_map(|value| value.to_string().into_bytes())),
    ]
}

/// How many members the text has, each counted where it stands.
struct Members(usize);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Count).map(Self)
    }
}

struct Count;

impl<'de> Visitor<'de> for Count {
    type Value = usize;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_i64<E>(self, _: i64) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_u64<E>(self, _: u64) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_f64<E>(self, _: f64) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_str<E>(self, _: &str) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_unit<E>(self) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<usize, A::Error> {
        let mut members = 0;
        while let Some(Members(inner)) = list.next_element()? {
            members += inner;
        }
        Ok(members)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
        let mut members = 0;
        while let Some((IgnoredAny, Members(inner))) = map.next_entry()? {
            members += 1 + inner;
        }
        Ok(members)
    }
}

fn members_of(value: &Value) -> usize {
    match value {
        Value::Array(list) => list.iter().map(members_of).sum(),
        Value::Object(object) => object.values().map(|value| 1 + members_of(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

static PAIR: LazyLock<EcdsaKeyPair> =
    LazyLock::new(|| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key pair"));
static KEY: LazyLock<PublicKey> =
    LazyLock::new(|| PublicKey::of_p256_point(PAIR.public_key().as_ref()).expect("a key on the curve"));

fn signed(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = PAIR.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

fn claims() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-z]{1,5}", value(), 0..5)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn date(number: &str) -> Option<i64> {
    let value = strict_json::parse(number.as_bytes())?;
    let claims = Map::from_iter([("exp".to_owned(), value)]);
    numeric_date(&claims, "exp").ok().flatten().map(|date| date.millis())
}

proptest! {
    #[test]
    fn json_that_a_program_writes_is_read_back(value in value()) {
        prop_assert_eq!(strict_json::parse(value.to_string().as_bytes()), Some(value));
    }

    /// It differs from `serde_json` only where a member is repeated.
    #[test]
    fn json_is_read_as_the_library_reads_it_but_for_repeated_members(text in json()) {
        let theirs = serde_json::from_slice::<Value>(&text).ok();
        let members = serde_json::from_slice::<Members>(&text).ok().map(|members| members.0);
        let repeats = members != theirs.as_ref().map(members_of);
        prop_assert_eq!(strict_json::parse(&text), theirs.filter(|_| !repeats));
    }

    #[test]
    fn deep_json_is_refused_without_using_up_the_stack(depth in 200..60_000usize, open in prop::sample::select(&["[", "{\"a\":"][..])) {
        prop_assert_eq!(strict_json::parse(open.repeat(depth).as_bytes()), None);
    }

    /// A token that is read holds what `jsonwebtoken` reads from it.
    #[test]
    fn a_token_is_read_as_the_library_reads_it(
        header in prop_oneof![
            Just(r#"{"alg":"ES256"}"#.to_owned()),
            soup(&["{\"alg\":\"ES256\"", "{", "}", "\"typ\":\"JWT\"", "\"kid\":\"a\"", "\"alg\":\"RS256\"", ",", ",", "\"crit\":[]"], 8),
        ],
        claims in prop_oneof![claims().prop_map(|claims| claims.to_string()), json().prop_map(|json| String::from_utf8_lossy(&json).into_owned())],
    ) {
        let token = signed(&header, &claims);
        if let Ok(ours) = UncheckedJws::parse(&token) {
            let theirs = jsonwebtoken::dangerous::insecure_decode::<Value>(&token)
                .map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(&Value::Object(ours.unchecked_claims().clone()), &theirs.claims);
            prop_assert_eq!(ours.kid(), theirs.header.kid.as_deref());
        }
    }

    #[test]
    fn a_token_verifies_as_it_was_signed_and_in_no_other_form(
        claims in claims(),
        place in any::<prop::sample::Index>(),
        other in any::<u8>(),
    ) {
        let token = signed(r#"{"alg":"ES256"}"#, &claims.to_string());
        let verifies = |token: &str| {
            UncheckedJws::parse(token).is_ok_and(|token| token.signed_by([((), &*KEY)].into_iter()).is_some())
        };
        prop_assert!(verifies(&token));
        let mut changed = token.clone().into_bytes();
        changed[place.index(token.len())] = other;
        if let Ok(changed) = String::from_utf8(changed)
            && changed != token
        {
            prop_assert!(!verifies(&changed));
        }
    }

    #[test]
    fn what_is_no_token_is_refused(text in soup(&[".", ".", "eyJhbGciOiJFUzI1NiJ9", "e30", "=", "A", "-", "_", "%"], 12)) {
        if let Ok(token) = UncheckedJws::parse(&text) {
            prop_assert_eq!(text.matches('.').count(), 2);
            prop_assert!(token.signed_by([((), &*KEY)].into_iter()).is_none());
        }
    }

    /// A date is exact to the millisecond for as long as people will use it, however it is written.
    #[test]
    fn a_date_is_exact(seconds in 0..253_402_300_800i64, millis in 0..1000i64) {
        prop_assert_eq!(date(&format!("{seconds}")), Some(seconds * 1000));
        prop_assert_eq!(date(&format!("{seconds}.{millis:03}")), Some(seconds * 1000 + millis));
        prop_assert_eq!(date(&format!("{seconds}{millis:03}e-3")), Some(seconds * 1000 + millis));
    }

    #[test]
    fn a_later_date_is_never_read_as_an_earlier_one(one in any::<u64>(), other in any::<u64>()) {
        let (early, late) = (one.min(other), one.max(other));
        prop_assert!(date(&early.to_string()) <= date(&late.to_string()));
        let half = |seconds| date(&format!("{seconds}.5"));
        prop_assert!(half(early) <= half(late));
    }
}
