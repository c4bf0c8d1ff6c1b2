//! What a session holds: who signed in, when, from where, and when they last proved it.

use std::collections::HashMap;
use std::net::IpAddr;

use app::visit::Viewer;
use domain::base::clock::Timestamp;
use domain::base::id::{PersonId, SessionId};
use domain::context::Context;
use domain::error::Fault;
use domain::model::actor::Actor;
use domain::model::person::Person;
use domain::model::person::session::{CookieHash, Session};
use domain::person::session;
use domain::person::{self, authority};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_sessions::session::{Error, Id};
use tower_sessions::session_store;

const KEY: &str = "signed_in";

/// The one value in a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignedIn {
    session: String,
    person: String,
    started_at: i64,
    proved_at: i64,
    password_of: i64,
    address: Option<IpAddr>,
    agent: Option<String>,
}

impl SignedIn {
    /// A person who just proved who they are.
    pub fn new(context: &Context, person: &Person, address: Option<IpAddr>, agent: Option<String>) -> Self {
        let now = context.now().millis();
        Self {
            session: SessionId::generate(context.random.as_ref()).to_string(),
            person: person.id.to_string(),
            started_at: now,
            proved_at: now,
            password_of: person.password_changed_at.millis(),
            address,
            agent: agent.map(|agent| agent.chars().take(256).collect()),
        }
    }

    /// A person whom somebody else vouches for: their password is asked for before the first sensitive action.
    pub fn without_password(
        context: &Context,
        person: &Person,
        address: Option<IpAddr>,
        agent: Option<String>,
    ) -> Self {
        Self { proved_at: 0, ..Self::new(context, person, address, agent) }
    }

    /// Reads what a session holds.
    pub(super) fn from_data(data: &HashMap<String, Value>) -> Option<Self> {
        serde_json::from_value(data.get(KEY)?.clone()).ok()
    }

    /// The row of the session; none when its identifiers are not identifiers. Signing in again under another cookie
    /// does not move its end: `created_at` is the sign-in.
    pub(super) fn session(&self, data: String, now: Timestamp) -> Option<Session> {
        Some(Session {
            id: SessionId::parse(&self.session)?,
            person: PersonId::parse(&self.person)?,
            password_of: self.password_of,
            data,
            address: self.address,
            agent: self.agent.clone(),
            created_at: Timestamp::from_millis(self.started_at),
            seen_at: now,
        })
    }

    /// Puts this into the browser's session under a new cookie: a cookie planted before stays worthless, and so does
    /// that of a session which this browser had.
    pub async fn store(&self, context: &Context, session: &tower_sessions::Session) -> Result<(), Error> {
        if let Some(id) = session.id() {
            session::detach(context, &cookie_hash(&id)).await.map_err(backend)?;
        }
        session.cycle_id().await?;
        session.insert(KEY, self).await
    }

    /// Notes that the password was proved again, under a new cookie. The old one is good until the answer takes the new
    /// one along, which no answer of a fault of ours does. A failure is logged: what was asked for is done all the
    /// same, and the next sensitive action asks again.
    pub async fn renew(session: &tower_sessions::Session, now: Timestamp) {
        let renewed = async {
            if let Some(mut signed_in) = session.get::<Self>(KEY).await? {
                signed_in.proved_at = now.millis();
                session.cycle_id().await?;
                session.insert(KEY, signed_in).await?;
            }
            Ok::<(), Error>(())
        };
        if let Err(error) = renewed.await {
            tracing::error!(%error, "a session could not be renewed");
        }
    }

    /// Who is signed in with this session.
    pub async fn viewer(context: &Context, session: &tower_sessions::Session) -> Result<Option<Viewer>, ViewerError> {
        let Some(signed_in) = session.get::<Self>(KEY).await? else {
            return Ok(None);
        };
        let (Some(id), Some(session)) = (PersonId::parse(&signed_in.person), SessionId::parse(&signed_in.session))
        else {
            return Ok(None);
        };
        let Some(person) = person::find(context, &id).await?.filter(|person| person.disabled_at.is_none()) else {
            return Ok(None);
        };
        let authority = authority::of(context, &Actor::person(person.id.clone(), person.name.clone())).await?;
        Ok(Some(Viewer {
            id: person.id,
            name: person.name,
            email: person.email,
            authority,
            session,
            proved_at: Timestamp::from_millis(signed_in.proved_at),
            factors: person.factors,
        }))
    }
}

/// Why it cannot be told who is signed in. A fault of ours: never taken for "nobody".
#[derive(Debug, thiserror::Error)]
pub enum ViewerError {
    /// The session could not be read.
    #[error(transparent)]
    Session(#[from] Error),
    /// The person could not be read.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// By what the database knows a cookie.
pub(super) fn cookie_hash(id: &Id) -> CookieHash {
    CookieHash::of(&id.0.to_le_bytes())
}

/// An error of the database, as a store of sessions says it.
pub(super) fn backend(error: impl std::fmt::Display) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}
