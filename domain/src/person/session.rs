//! Sessions of signed-in browsers: what is stored, and when it ends. The server crate holds the cookie and the
//! middleware.

use std::time::Duration;

use crate::base::id::{PersonId, SessionId};
use crate::model::person::session::{CookieHash, IDLE_LIMIT, Session};
use crate::prelude::{Action, Actor, Context, Event, Fault, Target};
use crate::store;

/// A session's last use is written at most this often.
const TOUCH_INTERVAL: Duration = Duration::from_secs(60);

/// The result of storing a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// The session is stored under this cookie.
    Yes,
    /// The cookie's identifier exists already.
    Taken,
    /// The session ended in the meantime, or the person's password was changed. Nothing was stored.
    Ended,
}

/// Stores a session under a new cookie: after a sign-in, or when a new cookie replaces the old one.
///
/// A session that ended in the meantime stays ended: a password
/// confirmation that runs during the sign-out must not bring it back.
pub async fn attach(context: &Context, cookie: &CookieHash, session: &Session) -> Result<Stored, Fault> {
    match store::person::session::attach(&context.store, cookie, session).await {
        Ok(true) => Ok(Stored::Yes),
        Ok(false) => Ok(Stored::Ended),
        Err(store::StoreError::Conflict) => Ok(Stored::Taken),
        Err(error) => Err(error.into()),
    }
}

/// The session of this cookie, unless it ended, was idle too long or is too old. Stores the use.
pub async fn load(context: &Context, cookie: &CookieHash) -> Result<Option<Session>, Fault> {
    let now = context.now();
    let found = store::person::session::find_live(&context.store, cookie, now, now.minus(IDLE_LIMIT)).await?;
    let Some(session) = found else { return Ok(None) };
    if !session.seen_at.is_recent(now, TOUCH_INTERVAL) {
        store::person::session::touch(&context.store, cookie, now).await?;
    }
    Ok(Some(session))
}

/// Writes the data of a live session. Returns false when the session ended in the meantime. An ended session stays
/// ended: a request that runs during the sign-out must not undo it.
pub async fn save(context: &Context, cookie: &CookieHash, data: &str) -> Result<bool, Fault> {
    Ok(store::person::session::save(&context.store, cookie, data).await?)
}

/// Removes the cookie from its session: the cookie has no effect from now on.
pub async fn detach(context: &Context, cookie: &CookieHash) -> Result<(), Fault> {
    Ok(store::person::session::detach(&context.store, cookie).await?)
}

/// The person's live sessions, most recently used first.
pub async fn list(context: &Context, person: &PersonId) -> Result<Vec<Session>, Fault> {
    let now = context.now();
    Ok(store::person::session::list_live(&context.store, person, now, now.minus(IDLE_LIMIT)).await?)
}

/// Ends one of the person's sessions; false when there is no such live session.
pub async fn end(context: &Context, actor: &Actor, person: &PersonId, id: &SessionId) -> Result<bool, Fault> {
    let mut change = context.begin_change().await?;
    // This may end the session of the actor.
    change.require_live(actor).await?;
    if !store::person::session::end(&mut change, person, id, context.now()).await? {
        return Ok(false);
    }
    change.commit(actor, &Event::new(Action::SessionEnded, Target::Session, id.as_str(), actor.name())).await?;
    Ok(true)
}
