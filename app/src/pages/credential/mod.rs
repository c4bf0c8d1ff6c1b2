//! Credentials: the list, the page of one credential, and all actions on it.

pub mod authenticators;
pub mod edit;
pub mod fields;
pub mod head;
pub mod list;
pub mod new;
pub mod refused;
pub mod renew;
pub mod reveal;
pub mod rotate;
pub mod show;
pub mod stop;
pub mod tokens;
pub mod usage;

use domain::base::id::ClientId;
use domain::credential::inspect;
use domain::model::credential::Credential;

use crate::prelude::*;

/// The credential with this client ID.
pub(crate) async fn find(visit: &Visit, client_id: &str) -> Result<Credential, ActionError> {
    let id = ClientId::parse(client_id).ok_or(ActionError::NotFound)?;
    inspect::find(&visit.context, visit.authority()?, &id).await?.ok_or(ActionError::NotFound)
}

/// Maximum number of credentials in one form.
pub(crate) const MOST_AT_ONCE: usize = 50;

/// Reads client IDs, up to the maximum of one form.
pub fn read_ids<'id>(ids: impl Iterator<Item = &'id str>) -> Result<Vec<ClientId>, ActionError> {
    let ids: Vec<ClientId> = ids.map(ClientId::parse).collect::<Option<_>>().ok_or(ActionError::NotFound)?;
    if ids.len() > MOST_AT_ONCE {
        return Err(ActionError::Invalid(format!("Select at most {MOST_AT_ONCE} credentials.")));
    }
    Ok(ids)
}
