//! A session store for tower-sessions that uses our own table.
//!
//! The ready-made SQL store has two problems. It uses the cookie's value as its key, so a stolen backup holds live
//! sessions. Its `save` inserts a missing row, so a request that runs during sign-out brings the session back. This
//! store keeps a hash, saves only live sessions, and moves a session to a new cookie only while it has not ended.

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

/// How many new identifiers are tried when an identifier is taken. Identifiers have 128 random bits.
const TRIES: usize = 3;

/// The store.
#[derive(Clone)]
pub(crate) struct Sessions {
    context: Context,
}

impl Sessions {
    /// The sessions in this database.
    pub(crate) fn new(context: Context) -> Self {
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
                // The session has ended. The browser gets a cookie without a session, and the person must sign in
                // again.
                Stored::Yes | Stored::Ended => return Ok(()),
                Stored::Taken => record.id = Id::default(),
            }
        }
        Err(backend("no free session identifier"))
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let data = serde_json::to_string(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
        // False means that the session ended meanwhile. Then there is nothing to save, and it is no error.
        session::save(&self.context, &cookie_hash(&record.id), &data).await.map(drop).map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Some(session) = session::load(&self.context, &cookie_hash(id)).await.map_err(backend)? else {
            return Ok(None);
        };
        let data: HashMap<String, Value> =
            serde_json::from_str(&session.data).map_err(|error| Error::Decode(error.to_string()))?;
        // The store decides with its own clock which sessions live. The record only needs some valid date.
        let expiry_date = OffsetDateTime::from_unix_timestamp(session.expires_at().seconds()).map_err(backend)?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    /// Does nothing. Signing out has already ended the session, and a new cookie replaces the old one when it is
    /// stored. If the session were deleted here, a failed request, whose answer brings no new cookie, would sign the
    /// person out.
    async fn delete(&self, _: &Id) -> Result<()> {
        Ok(())
    }
}
