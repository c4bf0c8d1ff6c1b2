//! The content of a session: who signed in, when, from where, and when they last proved who they are. Each request
//! finds its viewer by it.

use std::collections::HashMap;
use std::net::IpAddr;

use app::visit::{Viewer, Visit};
use domain::base::clock::Timestamp;
use domain::base::id::{PersonId, SessionId};
use domain::context::Context;
use domain::model::actor::{Actor, ActorProof};
use domain::model::person::Person;
use domain::model::person::session::{CookieHash, Session};
use domain::operations::policy;
use domain::person::session;
use domain::person::{self, authority};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_sessions::session::{Error, Id};
use tower_sessions::session_store;

const KEY: &str = "signed_in";

/// The only value in a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SignedIn {
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
    pub(crate) fn new(visit: &Visit, person: &Person) -> Self {
        let now = visit.now().millis();
        Self {
            session: SessionId::generate(visit.context.random.as_ref()).to_string(),
            person: person.id.to_string(),
            started_at: now,
            proved_at: now,
            password_of: person.password_changed_at.millis(),
            address: visit.address,
            agent: visit.agent.as_ref().map(|agent| agent.chars().take(256).collect()),
        }
    }

    /// A person whom an OpenID provider identified. The first sensitive action asks for their password. A person
    /// without a password has no other proof than this one.
    pub(crate) fn by_provider(visit: &Visit, person: &Person) -> Self {
        let signed_in = Self::new(visit, person);
        if person.has_password() { Self { proved_at: 0, ..signed_in } } else { signed_in }
    }

    /// Reads the content of a session.
    pub(super) fn from_data(data: &HashMap<String, Value>) -> Option<Self> {
        serde_json::from_value(data.get(KEY)?.clone()).ok()
    }

    /// The row of the session. None when its identifiers are not valid. Signing in again under another cookie does not
    /// move the end of the session: `created_at` is the time of the sign-in.
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

    /// Stores this in the browser's session under a new cookie. So a cookie that an attacker planted before stays
    /// worthless, and the cookie of an earlier session of this browser does too.
    pub(crate) async fn store(&self, context: &Context, session: &tower_sessions::Session) -> Result<(), Error> {
        if let Some(id) = session.id() {
            session::detach(context, &cookie_hash(&id)).await.map_err(backend)?;
        }
        session.cycle_id().await?;
        session.insert(KEY, self).await
    }

    /// Records that the person proved again who they are, under a new cookie. The old cookie stays valid until an
    /// answer brings the new one; an answer with an internal error does not bring it. A failure here is only logged:
    /// the action is done, and the next sensitive action asks again.
    pub(crate) async fn renew(session: &tower_sessions::Session, now: Timestamp) {
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

    /// The signed-in person of this session. An error must never be treated as "not signed in".
    pub(crate) async fn viewer(context: &Context, session: &tower_sessions::Session) -> Result<Option<Viewer>, Error> {
        let Some(signed_in) = session.get::<Self>(KEY).await? else {
            return Ok(None);
        };
        let (Some(id), Some(session)) = (PersonId::parse(&signed_in.person), SessionId::parse(&signed_in.session))
        else {
            return Ok(None);
        };
        let person = person::find(context, &id).await.map_err(backend)?;
        let Some(person) = person.filter(|person| person.disabled_at.is_none()) else { return Ok(None) };
        let actor = Actor::person(person.id.clone(), &person.name, ActorProof::Session(session.clone()));
        let authority = authority::of(context, &actor).await.map_err(backend)?;
        // Whoever has a second factor owes none, so their requests do not ask for the policies.
        let owes_factor = !person.factors.any()
            && policy::all(context).await.map_err(backend)?.needs_second_factor(&person, &authority);
        Ok(Some(Viewer {
            owes_factor,
            has_password: person.has_password(),
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

/// The hash by which the database finds a cookie.
pub(super) fn cookie_hash(id: &Id) -> CookieHash {
    CookieHash::of(&id.0.to_le_bytes())
}

/// An error of the database, as an error of a session store.
pub(super) fn backend(error: impl std::fmt::Display) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}
