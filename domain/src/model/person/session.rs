//! Sessions of the dashboard.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::digest;
use crate::base::id::{PersonId, SessionId};

/// A session without a request for this long is over.
pub const IDLE_LIMIT: Duration = Duration::from_secs(30 * 60);

/// A session is over this long after sign-in, whatever happens.
pub const ABSOLUTE_LIMIT: Duration = Duration::from_secs(12 * 3600);

/// After a password was proved, sensitive actions ask for none for this long.
pub const PROOF_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// The stored name of a cookie: its SHA-256. The cookie itself is nowhere in the database.
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
    /// When the password was set that the person signed in with, in milliseconds since the epoch. A session that was
    /// begun with an older password than the person's present one cannot be stored.
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
    /// The moment at which it ends whatever happens.
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.plus(ABSOLUTE_LIMIT)
    }
}
