//! What an actor may see and do: everything, or what a person's roles in teams allow.
//!
//! Pages call [`of`] once a request. A change asks again inside its own transaction (`Change::authority`). So it sees a
//! role that was taken away, a person who was disabled, or a session that ended, a moment before.

use crate::model::person::authority::Authority;
use crate::prelude::{Actor, Change, Context, Fault};
use crate::store;

/// What `actor` may see and do now. This is nothing when the person is disabled or the credential is revoked.
pub async fn of(context: &Context, actor: &Actor) -> Result<Authority, Fault> {
    Ok(store::person::team::authority(&context.store, actor).await?)
}

impl Change<'_> {
    /// What `actor` may see and do at this point of the transaction.
    ///
    /// # Errors
    ///
    /// [`Fault::ActorEnded`] when the session or token with which the actor acts has ended.
    pub(crate) async fn authority(&mut self, actor: &Actor) -> Result<Authority, Fault> {
        self.require_live(actor).await?;
        Ok(store::person::team::authority(&mut *self, actor).await?)
    }

    /// Succeeds for administrators. For all others it fails with `unseen`.
    pub(crate) async fn require_administrator<Error: From<Fault>>(
        &mut self,
        actor: &Actor,
        unseen: Error,
    ) -> Result<(), Error> {
        self.authority(actor).await?.require_administrator().map_err(|_| unseen)
    }
}
