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
    /// Uses up the token of the form that makes or changes what has this identifier. If the form was sent before, the
    /// identifier of what it made then.
    pub(crate) async fn use_form_token(
        &mut self,
        form_token: Option<&str>,
        made: &str,
    ) -> Result<Option<String>, StoreError> {
        let Some(token) = form_token else { return Ok(None) };
        let (now, hash) = (self.now(), digest::sha256(token.as_bytes()));
        if let Some(earlier) = store::operations::idempotency::find(self.transaction(), &hash).await? {
            return Ok(Some(earlier));
        }
        store::operations::idempotency::insert(self.transaction(), &hash, made, now).await?;
        Ok(None)
    }
}
