//! What gives access to a person's account besides the password: sessions, personal tokens, connected apps, passkeys.
//! Whoever had the account for a while may have made some of them. So a person, or an administrator, can end all of
//! them together with the password, the OpenID account or the sessions.

use serde_json::{Value, json};

use crate::base::id::{PersonId, SessionId};
use crate::model::client::consent::EndCause;
use crate::model::person::Person;
use crate::model::person::session::IDLE_LIMIT;
use crate::person::second_factor;
use crate::prelude::{Change, Context, Fault};
use crate::store::client::consent::ConsentSelection;
use crate::store::client::personal_token::PersonalTokenSelection;
use crate::store::{self, StoreError};

/// How many of each kind a person has now, besides sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Access {
    /// Personal tokens.
    pub personal_tokens: u64,
    /// Connected apps.
    pub apps: u64,
    /// Passkeys.
    pub passkeys: u64,
}

/// The kinds that end together with the sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EndAlso {
    /// End the personal tokens.
    pub personal_tokens: bool,
    /// End the access of connected apps.
    pub apps: bool,
    /// Remove the passkeys.
    pub passkeys: bool,
}

impl EndAlso {
    /// Every kind.
    pub const ALL: Self = Self { personal_tokens: true, apps: true, passkeys: true };
}

/// What ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EndedAccess {
    /// Sessions.
    pub sessions: u64,
    /// Password links for the person, or made by them.
    pub password_links: u64,
    /// The other kinds. A kind that was not to end counts zero.
    pub also: Access,
}

impl EndedAccess {
    /// The details of the audit entry.
    pub(crate) fn details(&self) -> Value {
        json!({
            "sessions_ended": self.sessions,
            "password_links_withdrawn": self.password_links,
            "personal_tokens_ended": self.also.personal_tokens,
            "grants_ended": self.also.apps,
            "passkeys_removed": self.also.passkeys,
        })
    }

    /// Whether nothing ended.
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// How many of each kind the person has now.
pub async fn count(context: &Context, person: &PersonId) -> Result<Access, Fault> {
    let now = context.now();
    let store = &context.store;
    Ok(Access {
        personal_tokens: store::client::personal_token::count_live(store, person, now).await?.unsigned_abs(),
        apps: store::client::consent::count_live(store, person, now).await?.unsigned_abs(),
        passkeys: store::person::passkey::of_person(store, person).await?.len() as u64,
    })
}

/// Ends the person's sessions except `keep`, and the kinds in `also`. Sign-ins that wait for their second step end too,
/// and so do password links for the person or made by them: whoever had the account for a while may have made some.
/// With the last second factor the recovery codes are removed.
pub(crate) async fn end(
    change: &mut Change<'_>,
    person: &Person,
    keep: Option<&SessionId>,
    also: EndAlso,
    cause: EndCause,
) -> Result<EndedAccess, StoreError> {
    let (id, now) = (&person.id, change.now());
    let mut ended = EndedAccess {
        sessions: store::person::session::end_all(change, id, keep, now, now.minus(IDLE_LIMIT)).await?,
        ..EndedAccess::default()
    };
    store::person::second_factor::remove_pending(change, id).await?;
    store::webhook::mail::forget_requests(change, id).await?;
    ended.password_links = store::person::password_link::remove_of(change, id).await?
        + store::person::password_link::remove_made_by(change, id).await?;
    if also.personal_tokens {
        let own = PersonalTokenSelection::OfPerson(id);
        ended.also.personal_tokens = store::client::personal_token::end(change, own, now, cause).await?;
    }
    if also.apps {
        let own = ConsentSelection::OfPerson(id);
        ended.also.apps = store::client::consent::end(change, own, now, cause).await?;
        store::client::consent::forget_codes_of_person(change, id).await?;
        store::client::device::end_of_person(change, id, now).await?;
    }
    if also.passkeys {
        ended.also.passkeys = store::person::passkey::remove(change, id, None, now).await?;
        second_factor::forget_codes_of_nothing(change, person).await?;
    }
    Ok(ended)
}
