//! Teams: their members, the members' roles, and how people join.

pub mod invite;
pub mod list;
pub mod member;
pub mod new;
pub mod role;
pub mod show;

use domain::base::id::TeamId;
use domain::model::person::team::Team;
use domain::person::team;

use crate::prelude::*;

/// The team at this address.
pub(crate) async fn find(visit: &Visit, id: &str) -> Result<Team, ActionError> {
    let id = TeamId::parse(id).ok_or(ActionError::NotFound)?;
    team::find(&visit.context, visit.authority()?, &id).await?.ok_or(ActionError::NotFound)
}
