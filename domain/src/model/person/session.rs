//! Sessions of the dashboard.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::digest;
use crate::base::id::{PersonId, SessionId};

/// A session without a request for this long is over.
pub const IDLE_LIMIT: Duration = Duration::from_secs(30 * 60);

/// A session ends this long after sign-in, even if it is in use.
pub const ABSOLUTE_LIMIT: Duration = Duration::from_secs(12 * 3600);

/// After a person proved their password, sensitive actions do not ask for it again for this long.
pub const PROOF_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// The stored name of a cookie: its SHA-256. The database never holds the cookie itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieHash(String);

impl CookieHash {
    /// The hash of a cookie's identifier.
    pub fn of(cookie: &[u8]) -> Self {
        Self(digest::sha256(cookie))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// One session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Public handle.
    pub id: SessionId,
    /// Who is signed in.
    pub person: PersonId,
    /// When the password that the person signed in with was set, in milliseconds since the epoch. A session that began
    /// with an older password than the person's present one cannot be stored.
    pub password_of: i64,
    /// What the session store keeps, as JSON.
    pub data: String,
    /// Where the person signed in from.
    pub address: Option<IpAddr>,
    /// With which browser.
    pub agent: Option<String>,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When the session was last used, to the minute.
    pub seen_at: Timestamp,
}

impl Session {
    /// The moment at which the session ends, even if it is in use.
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.plus(ABSOLUTE_LIMIT)
    }
}
