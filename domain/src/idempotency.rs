//! Forms that may be sent once. Each form has a token, which the change that the form makes uses up. A form that is
//! sent again finds what it made before.

use crate::base::digest;
use crate::change::Change;
use crate::context::Context;
use crate::error::Fault;
use crate::store::{self, StoreError};

/// The identifier of what the form with this token made when it was sent before.
pub(crate) async fn result_of(context: &Context, form_token: &str) -> Result<Option<String>, Fault> {
    let hash = digest::sha256(form_token.as_bytes());
    Ok(store::operations::idempotency::find(&context.store, &hash).await?)
}

impl Change<'_> {
    /// Marks the token of a form as used. `made` identifies the thing that the form makes or changes.
    ///
    /// # Errors
    ///
    /// If the form was sent before: the error that `sent_before` returns for the thing that the form made then.
    pub(crate) async fn use_form_token<Error: From<StoreError> + From<Fault>>(
        &mut self,
        form_token: Option<&str>,
        made: &str,
        sent_before: impl FnOnce(&str) -> Option<Error>,
    ) -> Result<(), Error> {
        let Some(token) = form_token else { return Ok(()) };
        match self.use_once(token, made).await? {
            None => Ok(()),
            Some(earlier) => Err(sent_before(&earlier).unwrap_or_else(|| Fault::Damaged.into())),
        }
    }

    /// Marks the token as used. Returns the identifier of the earlier result if the token was used before.
    pub(crate) async fn use_once(&mut self, token: &str, made: &str) -> Result<Option<String>, StoreError> {
        let (now, hash) = (self.now(), digest::sha256(token.as_bytes()));
        let earlier = store::operations::idempotency::find(&mut *self, &hash).await?;
        if earlier.is_none() {
            store::operations::idempotency::insert(self, &hash, made, now).await?;
        }
        Ok(earlier)
    }
}
