//! Forms that may be sent once: each has a token of its own, which is used up in the change that the form makes. A reload finds
//! what it made.

use crate::context::{Change, Context};
use crate::error::Fault;
use crate::fingerprint;
use crate::store::{self, StoreError};

/// The identifier of what the form with this token made when it was sent before.
pub(crate) async fn made_by(context: &Context, form_token: &str) -> Result<Option<String>, Fault> {
    let hash = fingerprint::of(form_token.as_bytes());
    Ok(store::forms::find(context.store.reads(), &hash).await?)
}

impl Change<'_> {
    /// Uses up the token of the form that makes or changes what has this identifier. If the form was sent before, the identifier
    /// of what it made then.
    pub(crate) async fn use_form(
        &mut self,
        form_token: Option<&str>,
        made: &str,
    ) -> Result<Option<String>, StoreError> {
        let Some(token) = form_token else { return Ok(None) };
        let (now, hash) = (self.now(), fingerprint::of(token.as_bytes()));
        if let Some(earlier) = store::forms::find(&mut **self.transaction(), &hash).await? {
            return Ok(Some(earlier));
        }
        store::forms::insert(self.transaction(), &hash, made, now).await?;
        Ok(None)
    }
}
