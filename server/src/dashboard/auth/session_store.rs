//! Sessions of tower-sessions in our own table.
//!
//! The ready-made SQL store keeps the cookie's value as its key, so a stolen backup holds live sessions, and its `save`
//! inserts what is not there, so a request in flight during sign-out brings the session back. This one keeps a hash,
//! saves only what is still alive, and moves a session to a new cookie only while nobody has ended it.

use std::collections::HashMap;

use async_trait::async_trait;
use domain::context::Context;
use domain::model::person::session::Session;
use domain::person::session::{self, Stored};
use serde_json::Value;
use time::OffsetDateTime;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

use crate::dashboard::auth::signed_in::{SignedIn, backend, cookie_hash};

/// How often a new identifier is tried when one is taken. Identifiers have 128 random bits.
const TRIES: usize = 3;

/// The store.
#[derive(Clone)]
pub struct Sessions {
    context: Context,
}

impl Sessions {
    /// The sessions of this database.
    pub fn new(context: Context) -> Self {
        Self { context }
    }
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Sessions")
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let data = serde_json::to_string(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
        let session: Session = SignedIn::from_data(&record.data)
            .and_then(|signed_in| signed_in.session(data, self.context.now()))
            .ok_or_else(|| backend("only sign-ins are stored"))?;
        for _ in 0..TRIES {
            match session::attach(&self.context, &cookie_hash(&record.id), &session).await.map_err(backend)? {
                // Ended: the browser gets a cookie that opens nothing, and is asked to sign in.
                Stored::Yes | Stored::Ended => return Ok(()),
                Stored::Taken => record.id = Id::default(),
            }
        }
        Err(backend("no free session identifier"))
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let data = serde_json::to_string(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
        // False: the session was ended meanwhile. There is nothing to save then, and nothing to complain about.
        session::save(&self.context, &cookie_hash(&record.id), &data).await.map(drop).map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Some(session) = session::load(&self.context, &cookie_hash(id)).await.map_err(backend)? else {
            return Ok(None);
        };
        let data: HashMap<String, Value> =
            serde_json::from_str(&session.data).map_err(|error| Error::Decode(error.to_string()))?;
        // The store decides what is alive, with its own clock; the record's date only has to be one.
        let expiry_date = OffsetDateTime::from_unix_timestamp(session.expires_at().seconds()).map_err(backend)?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    /// Nothing to do: signing out ended the session before this, and a new cookie takes the place of the old one when
    /// it is stored. Were it taken away here, an answer that brings no new one, because something failed, would sign
    /// the person out.
    async fn delete(&self, _: &Id) -> Result<()> {
        Ok(())
    }
}
