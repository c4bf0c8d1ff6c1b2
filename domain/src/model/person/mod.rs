//! People and what they prove themselves with.

pub mod authority;
pub mod session;
pub mod team;

use crate::base::clock::Timestamp;
use crate::base::id::{OpenIdLinkId, PasskeyId, PersonId};
use crate::base::text::{check_visible_name, is_unprintable};
use crate::crypto::password::StoredPassword;
use crate::model::field_error::{AtField, FieldError};

/// A person.
#[derive(Debug, Clone)]
pub struct Person {
    /// Identifier.
    pub id: PersonId,
    /// Name as shown.
    pub name: String,
    /// What they sign in with, lower case.
    pub email: String,
    /// Stored password.
    pub password: StoredPassword,
    /// When it was set, or removed.
    pub password_changed_at: Timestamp,
    /// When it was proven that the person has the e-mail address; `None`: a team's manager made the account.
    pub address_proven_at: Option<Timestamp>,
    /// Since when they administer the instance.
    pub administrator_since: Option<Timestamp>,
    /// Since when they cannot sign in.
    pub disabled_at: Option<Timestamp>,
    /// What they prove themselves with besides the password.
    pub factors: Factors,
}

impl Person {
    /// Whether the person can sign in with a password.
    pub fn has_password(&self) -> bool {
        !self.password.is_none()
    }

    /// Whether the person signs in as they did when `earlier` was read: they may sign in, and have the same password
    /// and the same second factors.
    pub(crate) fn signs_in_like(&self, earlier: &Self) -> bool {
        self.disabled_at.is_none()
            && self.password_changed_at == earlier.password_changed_at
            && self.factors == earlier.factors
    }
}

/// Which second factors a person has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Factors {
    /// An authenticator app.
    pub app: bool,
    /// Passkeys.
    pub passkeys: bool,
}

impl Factors {
    /// Whether a password alone does not sign this person in.
    pub fn any(self) -> bool {
        self.app || self.passkeys
    }
}

/// What a person can use when they have lost a factor.
#[derive(Debug, Clone, Copy)]
pub struct Recovery {
    /// Since when they have an authenticator app.
    pub app_since: Option<Timestamp>,
    /// Recovery codes that were not used.
    pub codes_left: i64,
}

/// A passkey, as its owner sees it.
#[derive(Debug, Clone)]
pub struct Passkey {
    /// Identifier.
    pub id: PasskeyId,
    /// Whose it is.
    pub person: PersonId,
    /// What its owner calls it.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was used last.
    pub last_used_at: Option<Timestamp>,
}

/// An account that a person signs in with.
#[derive(Debug, Clone)]
pub struct Link {
    /// Identifier.
    pub id: OpenIdLinkId,
    /// The person.
    pub person: PersonId,
    /// The account, as the provider names it in tokens.
    pub subject: String,
    /// The account, by a name that its owner recognises; may be empty.
    pub account: String,
    /// When it was connected.
    pub connected_at: Timestamp,
    /// When the person last signed in with it.
    pub last_used_at: Option<Timestamp>,
}

const LONGEST_NAME: usize = 100;

const LONGEST_EMAIL: usize = 254;

/// An e-mail address as it is stored.
pub(crate) fn check_email(email: &str) -> Result<String, FieldError> {
    let email = email.trim().to_lowercase();
    let is_email = is_email(&email);
    is_email.then_some(email).ok_or("Enter an email address, such as ada@example.com.").at("email")
}

/// Checks a name. Returns it as it is stored.
pub(crate) fn check_name(name: &str) -> Result<String, String> {
    let name = check_visible_name(name, LONGEST_NAME)?;
    if name.is_empty() { Err("Enter a name.".to_owned()) } else { Ok(name) }
}

/// Catches typing mistakes: some text, one `@`, some text with a dot or `localhost`, no spaces. What cannot be seen is
/// refused, because two addresses that look alike must be one.
fn is_email(email: &str) -> bool {
    email.len() <= LONGEST_EMAIL
        && email.chars().all(|c| !c.is_whitespace() && !is_unprintable(c))
        && email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !domain.contains('@')
                && (domain == "localhost" || domain.split('.').filter(|label| !label.is_empty()).count() >= 2)
        })
}
