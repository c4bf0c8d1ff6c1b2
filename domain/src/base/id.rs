//! Typed, prefixed identifiers. The prefix says what a value is wherever it turns up, and keeps the `sub` of a
//! credential (`csc_…`) and of a person (`usr_…`) apart (RFC 9068 §5).

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

use crate::base::clock::Timestamp;
use crate::base::encoding::base62;
use crate::base::random::Random;
use crate::base::text::debug_as;

/// Gives identifiers, which hold a text, the ways in which the text is read.
macro_rules! as_text {
    ($($name:ident),+) => {
        $(
            impl $name {
                /// The identifier as text.
                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    formatter.write_str(&self.0)
                }
            }

            debug_as!($name, |id| "{id}");
        )+
    };
}

/// Defines kinds of identifiers, each beside its prefix.
macro_rules! identifiers {
    ($($(#[$meta:meta])* $name:ident = $prefix:literal,)+) => {
        $(
            $(#[$meta])*
            #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
            pub struct $name(String);

            impl $name {
                /// What every identifier of this kind begins with.
                pub(crate) const PREFIX: &'static str = $prefix;

                /// A new identifier: the prefix and 22 random characters (131 bits).
                pub fn generate(random: &dyn Random) -> Self {
                    Self(format!("{}{}", Self::PREFIX, base62::random(random, 22)))
                }

                /// Reads an identifier; `None` when the prefix, the length or a character is wrong.
                pub fn parse(text: &str) -> Option<Self> {
                    let rest = text.strip_prefix(Self::PREFIX)?;
                    base62::is_valid(rest, 22).then(|| Self(text.to_owned()))
                }
            }
        )+

        as_text!($($name),+);
    };
}

/// A credential: the OAuth `client_id` (RFC 6749 §2.2). It is public, not a secret. An imported credential keeps the
/// identifier that it had in the other system.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(String);

impl ClientId {
    /// What every identifier that we generate begins with.
    pub(crate) const PREFIX: &'static str = "csc_";
    const IMPORTED_LENGTHS: std::ops::RangeInclusive<usize> = 4..=128;

    /// A new identifier: the prefix and 22 random characters (131 bits).
    pub fn generate(random: &dyn Random) -> Self {
        Self(format!("{}{}", Self::PREFIX, base62::random(random, 22)))
    }

    /// The identifier that is derived from these bytes: 128 bits of them. The same bytes always give the same
    /// identifier.
    pub(crate) fn following_from(bytes: &[u8]) -> Self {
        let number = |bytes: &[u8]| bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        let (first, rest) = bytes.split_at(bytes.len() / 2);
        let characters = base62::fixed_width(number(first), 11) + &base62::fixed_width(number(rest), 11);
        Self(format!("{}{characters}", Self::PREFIX))
    }

    /// Reads an identifier, generated or imported.
    ///
    /// An imported identifier has 4 to 128 letters, digits and `.` `_` `-` `~` `@`, and begins with a letter or digit.
    /// A URL and HTTP Basic leave these characters as they are. It must not look like an identifier that we generate:
    /// the `sub` of a credential and of a person stay apart (RFC 9068 §5).
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with(Self::PREFIX) {
            return Self::parse_generated(text);
        }
        let is_usable = Self::IMPORTED_LENGTHS.contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-~@".contains(&byte))
            && !text.starts_with(PersonId::PREFIX);
        is_usable.then(|| Self(text.to_owned()))
    }

    /// Reads an identifier that we generated.
    pub(crate) fn parse_generated(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(Self::PREFIX)?;
        base62::is_valid(rest, 22).then(|| Self(text.to_owned()))
    }
}

/// A client that acts for people (a connected app): its OAuth `client_id`. A credential has a [`ClientId`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppClientId(String);

impl AppClientId {
    /// A new identifier, of the same form as a credential's.
    pub fn generate(random: &dyn Random) -> Self {
        Self(ClientId::generate(random).0)
    }

    /// Reads an identifier: a generated one, or the address of a client ID metadata document.
    pub fn parse(text: &str) -> Option<Self> {
        ClientId::parse_generated(text).map(|id| Self(id.0)).or_else(|| Self::parse_document(text))
    }

    /// Reads the address of a client ID metadata document (draft-ietf-oauth-client-id-metadata-document §3). It is
    /// https, with a path, without user information or fragment. Of several URLs with the same meaning only the normal
    /// form is accepted, so that two clients never differ only in how their address is written.
    fn parse_document(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok().filter(|url| url.as_str() == text && text.len() <= Self::LONGEST_DOCUMENT)?;
        let names_document = url.scheme() == "https" && url.path() != "/" && url.fragment().is_none();
        let is_plain = url.username().is_empty() && url.password().is_none();
        (names_document && is_plain).then(|| Self(text.to_owned()))
    }

    /// Longest address of a client ID metadata document, in bytes.
    const LONGEST_DOCUMENT: usize = 500;

    /// The address of the document that describes the client; `None` when no document does.
    pub fn document(&self) -> Option<&str> {
        self.0.starts_with("https://").then_some(self.as_str())
    }
}

identifiers! {
    /// One client secret of a credential: names it in pages and the audit log without revealing it.
    SecretId = "sec_",
    /// A token that a person generated: names it in pages, tokens' claims and the audit log without revealing it.
    PersonalTokenId = "ptk_",
    /// One public key of a credential.
    KeyId = "key_",
    /// One identity of another issuer that stands for a credential.
    FederatedIdentityId = "fed_",
    /// A person who signs in to the dashboard.
    PersonId = "usr_",
    /// A team, which owns credentials.
    TeamId = "team_",
    /// A credential that a member asked a manager for.
    RequestId = "req_",
    /// An invitation. Public: the link holds another value.
    InvitationId = "inv_",
    /// A signed-in browser. Public: the cookie holds another value.
    SessionId = "ses_",
    /// An account at an OpenID provider that a person signs in with.
    OpenIdLinkId = "oid_",
    /// A passkey of a person.
    PasskeyId = "pky_",
    /// What a person lets a client do.
    ConsentId = "gra_",
    /// An MCP server (protected resource, RFC 9728).
    McpServerId = "srv_",
    /// A webhook: where alerts are sent.
    WebhookId = "whk_",
    /// A message to a webhook: the `webhook-id` of Standard Webhooks, the same for every attempt.
    DeliveryId = "msg_",
}

as_text!(ClientId, AppClientId, TokenId);

/// Reads and writes identifiers in JSON, as texts.
macro_rules! in_json {
    ($($name:ident),+) => {
        $(
            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.serialize_str(&self.0)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let text = String::deserialize(deserializer)?;
                    Self::parse(&text).ok_or_else(|| D::Error::custom(concat!("no ", stringify!($name))))
                }
            }
        )+
    };
}

in_json!(ClientId, PersonId, TeamId);

impl TeamId {
    /// The team that every instance has.
    pub fn first() -> Self {
        Self(format!("{}{}", Self::PREFIX, "0".repeat(22)))
    }
}

impl PersonId {
    /// A placeholder where there is no person. No person is ever generated with this identifier, because identifiers
    /// are random.
    pub(crate) fn nobody() -> Self {
        Self(format!("{}{}", Self::PREFIX, "0".repeat(22)))
    }
}

/// What proved a client: one of its secrets, keys or federated identities.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum AuthenticatorId {
    /// A client secret.
    Secret(SecretId),
    /// A public key, by an assertion.
    Key(KeyId),
    /// An identity of another issuer.
    Federated(FederatedIdentityId),
}

impl AuthenticatorId {
    /// Reads an identifier of any of the three kinds.
    pub fn parse(text: &str) -> Option<Self> {
        let secret = SecretId::parse(text).map(Self::Secret);
        let key = || KeyId::parse(text).map(Self::Key);
        let federated = || FederatedIdentityId::parse(text).map(Self::Federated);
        secret.or_else(key).or_else(federated)
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Secret(id) => id.as_str(),
            Self::Key(id) => id.as_str(),
            Self::Federated(id) => id.as_str(),
        }
    }
}

/// The `jti` of an access token (RFC 7519 §4.1.7): its key in the ledger.
///
/// It begins with the moment of issue so that the ledger's index grows at one end; wholly random keys cost a
/// third of the exchange rate.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId(String);

impl TokenId {
    /// A new token identifier: `tok_`, the moment in nine characters, 17 random ones (101 bits).
    pub fn generate(random: &dyn Random, now: Timestamp) -> Self {
        let moment = base62::fixed_width(u64::try_from(now.millis()).unwrap_or(0), 9);
        Self(format!("tok_{moment}{}", base62::random(random, 17)))
    }

    /// Reads a token identifier; `None` when it cannot be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("tok_")?;
        base62::is_valid(rest, 26).then(|| Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededRandom;

    #[test]
    fn only_well_formed_identifiers_are_read() {
        let random = SeededRandom::new(1);
        let id = ClientId::generate(&random);
        assert_eq!(ClientId::parse(id.as_str()), Some(id.clone()));
        assert_eq!(ClientId::parse(&id.as_str()[..25]), None);
        assert_eq!(ClientId::parse(&format!("{id}x")), None);
        assert_eq!(ClientId::parse_generated(&id.as_str().replace("csc_", "usr_")), None);
        assert_eq!(ClientId::parse("csc_../../../../../etc/passw"), None);
        assert_eq!(PersonId::parse(id.as_str()), None);
        for imported in ["nightly-index", "Xy9", "a.b_c-d~e@f", "1234567890"] {
            assert_eq!(ClientId::parse(imported).is_some(), imported.len() > 3, "{imported}");
            assert_eq!(ClientId::parse_generated(imported), None);
        }
        for wrong in
            ["new", "..//", "a:bcd", "a+bcd", "a bcd", "-abc", "ä-bcd", "usr_0000000000000000000000", &"x".repeat(129)]
        {
            assert_eq!(ClientId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn addresses_of_documents_are_read_in_one_form() {
        for good in
            ["https://app.example.com/client.json", "https://app.example.com:8443/a?b=c", "https://[2001:db8::1]/c"]
        {
            assert_eq!(AppClientId::parse(good).expect(good).document(), Some(good));
        }
        let generated = AppClientId::generate(&SeededRandom::new(1));
        assert_eq!(AppClientId::parse(generated.as_str()), Some(generated.clone()));
        assert_eq!(generated.document(), None);
        for wrong in [
            "https://app.example.com",
            "https://app.example.com/",
            "http://app.example.com/client.json",
            "https://user@app.example.com/client.json",
            "https://app.example.com/client.json#x",
            "https://app.example.com/a/../client.json",
            "https://app.example.com/a/%2e%2e/client.json",
            "https://app.example.com:443/client.json",
            "https://APP.example.com/client.json",
            " https://app.example.com/client.json",
            "https://2130706433/client.json",
            "https:/app.example.com/client.json",
            &format!("https://app.example.com/{}", "x".repeat(500)),
        ] {
            assert_eq!(AppClientId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn token_identifiers_sort_by_time() {
        let random = SeededRandom::new(1);
        let earlier = TokenId::generate(&random, Timestamp::from_millis(1_800_000_000_000));
        let later = TokenId::generate(&random, Timestamp::from_millis(1_800_000_000_001));
        assert!(earlier < later);
        assert_eq!(TokenId::parse(later.as_str()), Some(later));
    }
}
