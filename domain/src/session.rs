//! Sessions of signed-in browsers: what is stored and when it ends. The cookie and the middleware are the server's.

use std::net::IpAddr;
use std::time::Duration;

use crate::actor::Actor;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::error::Fault;
use crate::fingerprint;
use crate::id::{PersonId, SessionId};
use crate::store;

/// A session without a request for this long is over.
pub const IDLE_LIMIT: Duration = Duration::from_secs(30 * 60);
/// A session is over this long after sign-in, whatever happens.
pub const ABSOLUTE_LIMIT: Duration = Duration::from_secs(12 * 3600);
/// After a password was proved, sensitive actions ask for none for this long.
pub const PROOF_LIFETIME: Duration = Duration::from_secs(5 * 60);
/// A session's last use is written at most this often.
const TOUCH_INTERVAL: Duration = Duration::from_secs(60);

/// The stored name of a cookie: its SHA-256. The cookie itself is nowhere in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieHash(String);

impl CookieHash {
    /// The hash of a cookie's identifier.
    pub fn of(cookie: &[u8]) -> Self {
        Self(fingerprint::of(cookie))
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
    pub fn ends_at(&self) -> Timestamp {
        self.created_at.plus(ABSOLUTE_LIMIT)
    }
}

/// What became of a session that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is stored under this cookie.
    Yes,
    /// The cookie's identifier is taken.
    Taken,
    /// It was ended meanwhile, or the person's password was changed: there is nothing to store.
    Ended,
}

/// Stores a session under a new cookie: that of a sign-in, or one that takes the place of the cookie it had.
///
/// A session that was ended in between stays ended: a step-up in flight during sign-out must not bring it back.
pub async fn attach(context: &Context, cookie: &CookieHash, session: &Session) -> Result<Stored, Fault> {
    match store::sessions::attach(&context.store, cookie, session).await {
        Ok(true) => Ok(Stored::Yes),
        Ok(false) => Ok(Stored::Ended),
        Err(store::StoreError::Conflict) => Ok(Stored::Taken),
        Err(error) => Err(error.into()),
    }
}

/// The session of this cookie, unless it was ended, is idle too long or too old. Marks it as used.
pub async fn load(context: &Context, cookie: &CookieHash) -> Result<Option<Session>, Fault> {
    let now = context.now();
    let Some(session) = store::sessions::find_live(&context.store, cookie, now, now.minus(IDLE_LIMIT)).await? else {
        return Ok(None);
    };
    if now.since(session.seen_at) >= TOUCH_INTERVAL {
        store::sessions::touch(&context.store, cookie, now).await?;
    }
    Ok(Some(session))
}

/// Writes the data of a session that is still alive; false when it was ended meanwhile. It never brings one back:
/// a request in flight during sign-out must not undo it.
pub async fn save(context: &Context, cookie: &CookieHash, data: &str) -> Result<bool, Fault> {
    Ok(store::sessions::save(&context.store, cookie, data).await?)
}

/// Takes the cookie from its session: the cookie is worthless from now on.
pub async fn detach(context: &Context, cookie: &CookieHash) -> Result<(), Fault> {
    Ok(store::sessions::detach(&context.store, cookie).await?)
}

/// The person's live sessions, most recently used first.
pub async fn list(context: &Context, person: &PersonId) -> Result<Vec<Session>, Fault> {
    let now = context.now();
    Ok(store::sessions::list_live(&context.store, person, now, now.minus(IDLE_LIMIT)).await?)
}

/// Ends one of the person's sessions; false when there is no such live session.
pub async fn end(context: &Context, actor: &Actor, person: &PersonId, id: &SessionId) -> Result<bool, Fault> {
    let mut change = context.begin_change().await?;
    if !store::sessions::end(change.transaction(), person, id, context.now()).await? {
        return Ok(false);
    }
    change.commit(actor, &Event::new("session.ended", "session", id.as_str(), actor.name())).await?;
    Ok(true)
}
