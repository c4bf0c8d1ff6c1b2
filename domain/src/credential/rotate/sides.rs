//! What a credential proves itself with, sorted by the part that each secret or key has in a rotation.

use std::net::IpAddr;

use crate::base::clock::Timestamp;
use crate::base::id::AuthenticatorId;
use crate::credential::Result;
use crate::model::credential::key::ClientKey;
use crate::model::credential::{AuthMethod, AuthenticatorEnd, ClientSecret, Credential};
use crate::prelude::Context;
use crate::store::credential::authenticators;
use crate::store::{self, On};

/// A secret or key.
#[derive(Debug, Clone)]
pub struct Side {
    /// Its identifier.
    pub id: AuthenticatorId,
    /// The label of a key, or the end of a secret: `css_…abcd`.
    pub name: String,
    /// When it was generated or added.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
    /// Where it was last used from.
    pub last_used_from: Option<IpAddr>,
    /// When it ends, and why.
    pub end: AuthenticatorEnd,
}

/// The secrets or keys of a credential that work.
#[derive(Debug, Default)]
pub struct Sides {
    /// What is being replaced. Empty: no rotation is under way.
    pub old: Vec<Side>,
    /// What the rotation brought. Empty: it has ended.
    pub new: Vec<Side>,
    /// What is no part of the rotation.
    pub others: Vec<Side>,
}

/// How far the program has moved from the old secret or key to the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The new one has ended. If the old one ended too, the program would stop.
    Broken,
    /// The new one was not used yet.
    Unused,
    /// Both were used since the rotation began.
    Both,
    /// Only the new one was used since the rotation began.
    Moved,
}

impl Sides {
    /// Sorts `all`, as they are at `now`. `newest`: when the last of them that is not being replaced was made.
    pub(super) fn of(all: Vec<Side>, newest: Option<Timestamp>, now: Timestamp) -> Self {
        let live = all.into_iter().filter(|side| side.end.is_live(now));
        let (old, present): (Vec<_>, Vec<_>) = live.partition(|side| side.end.retires_at.is_some());
        let (new, others) = present.into_iter().partition(|side| Some(side.created_at) == newest);
        Self { old, new, others }
    }

    /// Whether a rotation is under way.
    pub fn is_rotating(&self) -> bool {
        !self.old.is_empty()
    }

    /// How far the program has moved.
    pub fn progress(&self) -> Progress {
        let began = self.new.iter().map(|side| side.created_at).max();
        let is_new_used = self.new.iter().any(|side| side.last_used_at.is_some());
        let is_old_used = self.old.iter().any(|side| side.last_used_at.is_some_and(|used| Some(used) >= began));
        match (self.new.is_empty(), is_new_used, is_old_used) {
            (true, ..) => Progress::Broken,
            (_, false, _) => Progress::Unused,
            (_, true, true) => Progress::Both,
            (_, true, false) => Progress::Moved,
        }
    }
}

/// The secrets or keys of a credential. A federated credential has none.
pub async fn sides(context: &Context, credential: &Credential) -> Result<Sides> {
    context.rollup.flush().await;
    let newest = newest(&context.store, credential).await?;
    Ok(Sides::of(all(&context.store, credential).await?, newest, context.now()))
}

/// When the last secret or key was made that is not being replaced. During a rotation nothing can be added. So the
/// rotation brought it, even if it has ended since.
pub(super) async fn newest(on: impl On<'_>, credential: &Credential) -> Result<Option<Timestamp>> {
    let [secrets, keys, _] = authenticators::TABLES;
    let table = match credential.auth_method {
        AuthMethod::ClientSecret => secrets,
        AuthMethod::PrivateKeyJwt => keys,
        AuthMethod::Federated => return Ok(None),
    };
    Ok(authenticators::newest_made(on, table, &credential.client_id).await?)
}

/// All secrets or keys, also what has ended.
pub(super) async fn all(on: impl On<'_>, credential: &Credential) -> Result<Vec<Side>> {
    let id = &credential.client_id;
    Ok(match credential.auth_method {
        AuthMethod::ClientSecret => {
            let side = |secret: ClientSecret| Side {
                end: secret.end(),
                id: AuthenticatorId::Secret(secret.id),
                name: format!("css_…{}", secret.hint),
                created_at: secret.created_at,
                last_used_at: secret.last_used_at,
                last_used_from: secret.last_used_from,
            };
            store::credential::secrets(on, id).await?.into_iter().map(side).collect()
        }
        AuthMethod::PrivateKeyJwt => {
            let side = |key: ClientKey| Side {
                end: key.end(),
                id: AuthenticatorId::Key(key.id),
                name: key.label,
                created_at: key.created_at,
                last_used_at: key.last_used_at,
                last_used_from: key.last_used_from,
            };
            authenticators::keys(on, id).await?.into_iter().map(side).collect()
        }
        AuthMethod::Federated => Vec::new(),
    })
}
