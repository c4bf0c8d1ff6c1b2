//! Redirect URIs against the URL standard, and what clients say about themselves.

use proptest::prelude::*;
use serde_json::{Value, json};
use url::{Host, Url};

use super::{damaged, soup};
use crate::base::clock::Timestamp;
use crate::base::id::AppClientId;
use crate::client::{metadata_document, registration};
use crate::model::client::DynamicRegistration;
use crate::model::client::redirect_uri::{Destination, RedirectUri};

fn uri() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "https:",
        "http:",
        "//",
        "/",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "example.com",
        "EXAMPLE.com",
        "evil.example",
        "@",
        ":",
        ":8080",
        ":0",
        ":65536",
        ".",
        "..",
        "?",
        "&",
        "=",
        "#",
        "%2f",
        "%",
        "\\",
        "com.example.app:",
        "cursor:",
        "javascript:",
        "data:",
        "file:",
        "\t",
        "*",
        "xn--",
        "0x7f.1",
        "2130706433",
        "127.1",
        "a",
    ];
    let usual = (
        prop::sample::select(
            &[
                "https://example.com",
                "http://localhost",
                "http://127.0.0.1",
                "http://[::1]",
                "com.example.app:",
                "cursor://x",
            ][..],
        ),
        soup(&["/", ":", "8080", "65536", "@", ".", "evil.example", "?", "a=b", "&", "%20", "cb", "%"], 6),
    )
        .prop_map(|(start, rest)| format!("{start}{rest}"));
    prop_oneof![2 => soup(PIECES, 8), 3 => usual]
}

const DOCUMENT: &str = "https://app.example.com/client.json";

/// What a client says about itself: members of the standard with fitting and other values, sometimes damaged.
fn description() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![3 => "[A-Za-z ]{1,20}", 1 => any::<String>()].prop_map(Value::from);
    let other = prop_oneof![
        Just(Value::Null),
        any::<i32>().prop_map(Value::from),
        uri().prop_map(Value::from),
        prop::collection::vec(uri(), 0..3).prop_map(Value::from),
        Just(json!({ "a": ["b"] })),
    ];
    let uris = prop::collection::vec(prop_oneof![2 => Just("http://127.0.0.1:1/cb".to_owned()), 1 => uri()], 0..14);
    let members = prop::collection::vec(
        (
            prop::sample::select(&["client_uri", "logo_uri", "grant_types", "scope", "contacts", "jwks_uri", "x"][..]),
            other,
        ),
        0..4,
    );
    let method = prop::sample::select(&["none", "client_secret_basic", "private_key_jwt", ""][..]);
    let text = (name, uris, members, method).prop_map(|(name, uris, members, method)| {
        let mut document = json!({ "client_id": DOCUMENT, "client_name": name, "redirect_uris": uris });
        if !method.is_empty() {
            document["token_endpoint_auth_method"] = json!(method);
        }
        for (member, value) in members {
            document[member] = value;
        }
        document.to_string().into_bytes()
    });
    let text = text.boxed();
    prop_oneof![4 => text.clone(), 1 => damaged(text)]
}

/// Whether each address is one that may be registered, and the name is one line that people can see.
fn is_presentable(name: &str, uris: &[RedirectUri]) -> bool {
    let is_name = !name.chars().any(char::is_control) && name.chars().any(char::is_alphanumeric);
    is_name && !uris.is_empty() && uris.iter().all(|uri| RedirectUri::parse(uri.as_str()).is_some())
}

fn parameter() -> impl Strategy<Value = String> {
    any::<String>()
}

proptest! {
    /// A browser goes where the consent page says that the answer goes.
    #[test]
    fn a_browser_goes_where_the_page_says(text in uri()) {
        if let Some(uri) = RedirectUri::parse(&text) {
            let url = Url::parse(uri.as_str()).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
            match uri.destination() {
                Destination::Loopback => {
                    prop_assert_eq!(url.scheme(), "http");
                    let is_own = match url.host() {
                        Some(Host::Domain(name)) => name == "localhost",
                        Some(Host::Ipv4(address)) => address.is_loopback(),
                        Some(Host::Ipv6(address)) => address.is_loopback(),
                        None => false,
                    };
                    prop_assert!(is_own, "{}", url);
                }
                Destination::Website(authority) => {
                    prop_assert_eq!(url.scheme(), "https");
                    let host = url.host_str().unwrap_or_default();
                    let port = authority.strip_prefix(host).map(|port| port.trim_start_matches(':'));
                    let port = port.ok_or_else(|| TestCaseError::fail(format!("{authority} is not {host}")))?;
                    let port = if port.is_empty() { Some(443) } else { port.parse().ok() };
                    prop_assert_eq!(url.port_or_known_default(), port);
                }
                Destination::Scheme(scheme) => {
                    prop_assert_eq!(url.scheme(), scheme);
                    prop_assert!(!["http", "https", "javascript", "data", "file", "blob", "about"].contains(&scheme));
                }
            }
        }
    }

    #[test]
    fn the_answer_is_read_back_from_the_query(text in uri(), code in parameter(), state in parameter()) {
        if let Some(uri) = RedirectUri::parse(&text) {
            let before = Url::parse(uri.as_str()).map_err(|error| TestCaseError::fail(error.to_string()))?;
            let answer = Url::parse(&uri.with(&[("code", &code), ("state", &state)]))
                .map_err(|error| TestCaseError::fail(error.to_string()))?;
            let mut pairs: Vec<(String, String)> = before.query_pairs().into_owned().collect();
            pairs.extend([("code".to_owned(), code), ("state".to_owned(), state)]);
            prop_assert_eq!(answer.query_pairs().into_owned().collect::<Vec<_>>(), pairs);
            prop_assert_eq!((answer.scheme(), answer.host(), answer.port()), (before.scheme(), before.host(), before.port()));
            prop_assert_eq!(answer.path(), before.path());
        }
    }

    /// The answer goes to the text that was registered. On the person's own computer the port may differ, nothing else.
    #[test]
    fn no_other_address_gets_the_answer(registered in uri(), asked in uri()) {
        if let Some(uri) = RedirectUri::parse(&registered) {
            prop_assert!(uri.allows(&registered));
            if uri.allows(&asked) && asked != registered {
                let parse = |text: &str| Url::parse(text).map_err(|error| TestCaseError::fail(error.to_string()));
                let (mut own, mut other) = (parse(&registered)?, parse(&asked)?);
                prop_assert_eq!(uri.destination(), Destination::Loopback);
                prop_assert!(own.set_port(None).is_ok() && other.set_port(None).is_ok());
                prop_assert_eq!(own, other);
            }
        }
    }

    #[test]
    fn the_port_of_the_own_computer_is_free(port in 1..=u16::MAX, other in 1..=u16::MAX, path in "/[a-z]{0,8}") {
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            let uri = RedirectUri::parse(&format!("http://{host}:{port}{path}")).expect("a loopback URI");
            let (same, longer) = (format!("http://{host}:{other}{path}"), format!("http://{host}:{other}{path}x"));
            prop_assert!(uri.allows(&same));
            prop_assert!(!uri.allows(&longer));
        }
    }

    #[test]
    fn a_registration_holds_only_what_it_may(
        document in description(),
        mode in prop::sample::select(&[DynamicRegistration::Loopback, DynamicRegistration::On][..]),
    ) {
        if let Ok(described) = registration::read(&document).and_then(|asked| registration::describe(&asked, mode, true)) {
            prop_assert!(is_presentable(&described.name, &described.redirect_uris));
            let is_own = |uri: &RedirectUri| uri.destination() == Destination::Loopback;
            prop_assert!(mode == DynamicRegistration::On || described.redirect_uris.iter().all(is_own));
            // What the answer states is what was registered, and stating it again changes nothing.
            let stated = Value::Object(described.metadata.clone());
            let uris: Vec<_> = described.redirect_uris.iter().map(RedirectUri::as_str).collect();
            prop_assert_eq!(&stated["redirect_uris"], &json!(uris));
            let method = stated["token_endpoint_auth_method"].as_str().unwrap_or_default();
            prop_assert_eq!(method != "none", described.is_confidential);
            let again = registration::read(stated.to_string().as_bytes());
            let again = again.and_then(|asked| registration::describe(&asked, mode, true));
            prop_assert_eq!(again.ok().map(|again| Value::Object(again.metadata)), Some(stated));
        }
    }

    #[test]
    fn a_document_describes_the_client_at_its_address_or_none(document in description()) {
        let id = AppClientId::parse(DOCUMENT).expect("the address of a document");
        if let Ok(client) = metadata_document::read(&id, &document, Timestamp::from_millis(0)) {
            prop_assert_eq!(&client.id, &id);
            prop_assert!(is_presentable(&client.name, &client.redirect_uris));
            prop_assert!(!client.is_confidential());
        }
    }
}
