//! Credentials and what proves them: secrets, their expiry, their states.

pub mod draft;
pub mod federated;
pub mod key;
pub mod query;
pub mod request;
pub mod usage;

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::base::clock::Timestamp;
use crate::base::id::{ClientId, McpServerId, PersonId, SecretId, TeamId};
use crate::base::word_enum::word_enum;
use crate::model::credential::key::KeysAt;
use crate::model::server::scope::Scopes;

/// A credential that ends within this time counts as expiring.
pub(crate) const EXPIRING_WITHIN: Duration = Duration::from_secs(14 * 24 * 3600);

/// The longest tag, in characters.
pub(crate) const LONGEST_TAG: usize = 32;

/// A credential that was not used for this long counts as idle.
pub(crate) const IDLE_AFTER: Duration = Duration::from_secs(90 * 24 * 3600);

word_enum! {
    /// How a credential proves itself. Chosen when it is generated; a client of one method cannot use another.
    #[derive(Default)]
    pub enum AuthMethod {
        /// A generated secret (`client_secret_basic`, `client_secret_post`).
        #[default]
        ClientSecret = "client_secret",
        /// An assertion signed with its own key (RFC 7523).
        PrivateKeyJwt = "private_key_jwt",
        /// A token of another issuer.
        Federated = "federated",
    }
}

/// What a credential's assertions may do besides the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct AssertionRules {
    /// The token endpoint's URL is accepted as `aud` besides the issuer (RFC 7523 §3 before its revision).
    pub token_endpoint_audience: bool,
    /// The same assertion is accepted until it expires.
    pub reusable: bool,
    /// An assertion may be the grant (RFC 7523 §2.1).
    pub jwt_bearer: bool,
}

/// The person who answers for a credential: whom to ask, and who is told. Owning a credential gives no right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Identifier of the person.
    pub id: PersonId,
    /// Name of the person.
    pub name: String,
    /// Whether the person is disabled. Then somebody else should answer for the credential.
    pub disabled: bool,
}

/// A credential. It holds no secret, hashed or not.
#[derive(Debug, Clone)]
pub struct Credential {
    /// OAuth client identifier.
    pub client_id: ClientId,
    /// The team that owns it.
    pub team: TeamId,
    /// Name for people.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// What people should know about it; may be empty.
    pub notes: String,
    /// The person who answers for it.
    pub owner: Option<Owner>,
    /// Its tags, sorted: see [`is_tag`].
    pub tags: Vec<String>,
    /// How it proves itself.
    pub auth_method: AuthMethod,
    /// Where the program publishes its keys; `None`: its keys were given, or it has none.
    pub keys_at: Option<KeysAt>,
    /// The rules of its assertions.
    pub assertions: AssertionRules,
    /// The scopes that its tokens may have at most.
    pub scopes: Scopes,
    /// The MCP servers it may call; the first is the audience when a request names none.
    pub servers: Vec<McpServerId>,
    /// How long its tokens live; the server's rule when absent.
    pub token_lifetime: Option<Duration>,
    /// The networks from which it may be exchanged; any address when empty.
    pub ip_ranges: Vec<IpNet>,
    /// Name of who generated it.
    pub created_by: String,
    /// When it was generated.
    pub created_at: Timestamp,
    /// A moment that ends the whole credential, even if its secrets would work longer.
    pub expires_at: Option<Timestamp>,
    /// The moment after which no secret of it works; `None`: never.
    pub ends_at: Option<Timestamp>,
    /// Since when it is disabled. It can be enabled again.
    pub disabled_at: Option<Timestamp>,
    /// Since when it is revoked. It cannot be enabled again.
    pub revoked_at: Option<Timestamp>,
    /// Why it was revoked.
    pub revoke_reason: Option<String>,
    /// Its first exchange.
    pub verified_at: Option<Timestamp>,
    /// Its last exchange, to ten seconds.
    pub last_used_at: Option<Timestamp>,
    /// Where its last exchange came from.
    pub last_used_from: Option<IpAddr>,
    /// The program of its last exchange, as that names itself.
    pub last_used_agent: Option<String>,
    /// When the last of the secrets or keys that are being replaced stops working.
    pub rotation_ends_at: Option<Timestamp>,
    /// The moment until which a secret or token that was reported as leaked still works, at the latest.
    pub leak_ends_at: Option<Timestamp>,
}

/// Whether the text is a tag: 1 to 32 characters of `a-z 0-9 : _ . -`, of which the first is a letter or a digit.
pub(crate) fn is_tag(text: &str) -> bool {
    let is_letter_or_digit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= LONGEST_TAG
        && text.bytes().next().is_some_and(is_letter_or_digit)
        && text.bytes().all(|byte| is_letter_or_digit(byte) || b":_.-".contains(&byte))
}

/// The status of a credential at a moment. It is derived and never stored, so no job is needed to let a credential
/// expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It works, and a secret or token of it that works was reported as leaked.
    Leaked,
    /// It works, and was never exchanged.
    Unverified,
    /// It works, and was exchanged.
    InUse,
    /// It works, and ends within [`EXPIRING_WITHIN`].
    Expiring,
    /// It is disabled, and can be enabled again.
    Disabled,
    /// It has expired.
    Expired,
    /// It is revoked, and cannot be enabled again.
    Revoked,
}

impl Credential {
    /// Whether nobody has disabled or revoked it.
    pub(crate) fn is_open(&self) -> bool {
        self.revoked_at.is_none() && self.disabled_at.is_none()
    }

    /// The status at `now`. If several apply, the most important one is returned: final before reversible, ended before
    /// ending.
    pub fn status(&self, now: Timestamp) -> Status {
        if self.revoked_at.is_some() {
            Status::Revoked
        } else if self.ends_at.is_some_and(|end| end <= now) {
            Status::Expired
        } else if self.disabled_at.is_some() {
            Status::Disabled
        } else if self.leak_ends_at.is_some_and(|end| end > now) {
            Status::Leaked
        } else if self.verified_at.is_none() {
            Status::Unverified
        } else if self.ends_soon(now) {
            Status::Expiring
        } else {
            Status::InUse
        }
    }

    /// Whether it ends within [`EXPIRING_WITHIN`], or has ended.
    pub fn ends_soon(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|end| end <= now.plus(EXPIRING_WITHIN))
    }

    /// Whether people replace its secret or key. A program that publishes its keys replaces them itself.
    pub fn can_rotate(&self) -> bool {
        self.auth_method != AuthMethod::Federated && self.keys_at.is_none()
    }

    /// Whether a secret or key of it is being replaced.
    pub fn is_rotating(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.rotation_ends_at.is_some_and(|end| end > now)
    }
}

/// One client secret. People know it by its hint. A secret of another system has none.
#[derive(Debug, Clone)]
pub struct ClientSecret {
    /// Its identifier.
    pub id: SecretId,
    /// The last characters of the secret.
    pub hint: String,
    /// When it was generated.
    pub created_at: Timestamp,
    /// When it stops working; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// When it stops working because another secret replaced it.
    pub retires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last exchanged.
    pub last_used_at: Option<Timestamp>,
    /// The address from which it was last exchanged.
    pub last_used_from: Option<IpAddr>,
    /// When a person reported it as leaked.
    pub leaked_at: Option<Timestamp>,
    /// Where it was found.
    pub leaked_where: Option<String>,
}

impl ClientSecret {
    /// The moments that end it.
    pub fn end(&self) -> AuthenticatorEnd {
        AuthenticatorEnd {
            expires_at: self.expires_at,
            retires_at: self.retires_at,
            revoked: self.revoked_at.is_some(),
            leaked: self.leaked_at.is_some(),
        }
    }
}

/// When a secret or key stops working.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuthenticatorEnd {
    /// By its own expiry.
    pub expires_at: Option<Timestamp>,
    /// Because another one replaced it.
    pub retires_at: Option<Timestamp>,
    /// Whether it was revoked before these moments.
    pub revoked: bool,
    /// Whether it was reported as leaked.
    pub leaked: bool,
}

impl AuthenticatorEnd {
    /// The first of the moments; `None`: never.
    pub fn moment(self) -> Option<Timestamp> {
        [self.expires_at, self.retires_at].into_iter().flatten().min()
    }

    /// Whether it works at `now`.
    pub fn is_live(self, now: Timestamp) -> bool {
        !self.revoked && self.moment().is_none_or(|end| end > now)
    }
}

/// The moment after which no authenticator of a credential works, computed from their `ends` and the credential's own
/// end. It is stored with the credential, so that lists need no join.
pub(crate) fn end_of(
    method: AuthMethod,
    expires_at: Option<Timestamp>,
    ends: &[AuthenticatorEnd],
    now: Timestamp,
) -> Option<Timestamp> {
    let live = ends.iter().filter(|end| !end.revoked);
    let last = match method {
        AuthMethod::Federated => None,
        // A credential without an authenticator has ended. With a new authenticator it works again.
        _ if live.clone().count() == 0 => Some(now),
        _ => live.map(|end| end.moment()).collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().max()),
    };
    [expires_at, last].into_iter().flatten().min()
}

/// The latest moment until which a leaked authenticator among these works. Without an end of its own, that is a moment
/// that never comes.
pub(crate) fn leak_end_of(ends: &[AuthenticatorEnd]) -> Option<Timestamp> {
    let leaked = ends.iter().filter(|end| end.leaked && !end.revoked);
    leaked.map(|end| end.moment().unwrap_or(Timestamp::from_millis(i64::MAX))).max()
}

/// What depends on a credential. A person should read it before they stop the credential.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Impact {
    /// Exchanges in the last 24 hours.
    pub exchanges: i64,
    /// Number of different addresses that the exchanges came from.
    pub addresses: i64,
    /// Tokens that would still be accepted.
    pub live_tokens: i64,
    /// When the last of them ends by itself.
    pub last_token_ends_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_few_characters() {
        for tag in ["prod", "env:prod", "a", "0", "team_a.b-c", &"x".repeat(32)] {
            assert!(is_tag(tag), "{tag}");
        }
        for text in ["", "Prod", ":prod", "-a", "a b", "ä", "a/b", &"x".repeat(33)] {
            assert!(!is_tag(text), "{text}");
        }
    }

    #[test]
    fn the_end_is_the_latest_secret_cut_by_the_hard_end() {
        let at = |millis| Some(Timestamp::from_millis(millis));
        let now = Timestamp::from_millis(1);
        let end = |hard: Option<Timestamp>, ends: &[(Option<Timestamp>, Option<Timestamp>, bool)]| {
            let ends: Vec<_> = ends
                .iter()
                .map(|&(expires_at, retires_at, revoked)| AuthenticatorEnd {
                    expires_at,
                    retires_at,
                    revoked,
                    leaked: false,
                })
                .collect();
            end_of(AuthMethod::ClientSecret, hard, &ends, now)
        };
        assert_eq!(end(None, &[(at(5), None, false), (at(9), None, false)]), at(9));
        assert_eq!(end(None, &[(at(5), None, false), (None, None, false)]), None);
        assert_eq!(end(at(7), &[(at(5), None, false), (None, None, false)]), at(7));
        assert_eq!(end(at(7), &[(at(5), None, false), (at(9), None, true)]), at(5));
        assert_eq!(end(None, &[(None, at(4), false)]), at(4));
        assert_eq!(end(None, &[(None, None, true)]), at(1));
        assert_eq!(end_of(AuthMethod::Federated, None, &[], now), None);
    }
}
