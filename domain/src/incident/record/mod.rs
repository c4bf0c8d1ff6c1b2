//! Incidents: the records of leaks.
//!
//! | module | what it does |
//! |---|---|
//! | `filing` | puts what a text leaks into an incident, and opens one if there is none |
//! | [`handle`] | owner, start of the exposure, notes, closing |
//! | [`export`] | the record as JSON and as Markdown, and the text for the owner of a server |
//! | [`story`] | what happened, who used it, and what is left to do |
//!
//! The states *open* and *contained* follow from what leaked. Nobody sets them: see
//! [`Change`](crate::change::Change).

pub mod export;
pub(crate) mod filing;
pub mod handle;
pub mod story;

use crate::model::audit::Target;
use crate::model::incident::record::{Incident, Item, Note};
use crate::model::person::authority::{Authority, Role};
use crate::prelude::{Actor, Context, Result};
use crate::store::incident::record as records;

/// Most incidents that are listed although they are not closed.
const MOST_UNCLOSED: i64 = 200;

/// The incident with this number, with what `authority` may see of it; `None` when it may see nothing of it.
pub async fn find(context: &Context, authority: &Authority, number: i64) -> Result<Option<Incident>> {
    let Some(incident) = records::find(&context.store, authority.key(), number).await? else { return Ok(None) };
    let items = records::items(&context.store, number, context.now()).await?;
    Ok(Some(with_items(incident, items, authority)))
}

/// The incidents that are not closed: open ones first, then the newest.
pub async fn unclosed(context: &Context, authority: &Authority) -> Result<Vec<Incident>> {
    let found = records::unclosed(&context.store, authority.key(), MOST_UNCLOSED).await?;
    with_all_items(context, authority, found).await
}

/// The closed incidents with a number below `before`, the newest first, at most `limit`.
pub async fn closed(context: &Context, authority: &Authority, before: i64, limit: u16) -> Result<Vec<Incident>> {
    let found = records::closed(&context.store, authority.key(), before, i64::from(limit)).await?;
    with_all_items(context, authority, found).await
}

/// How many incidents are open, and how many are contained but not closed.
pub async fn count(context: &Context, authority: &Authority) -> Result<(i64, i64)> {
    Ok(records::count(&context.store, authority.key()).await?)
}

/// The newest incident in which this thing leaked; `None` when there is none.
pub async fn of_item(context: &Context, kind: Target, id: &str) -> Result<Option<i64>> {
    Ok(records::of_item(&context.store, kind, id).await?.map(|(number, _)| number))
}

/// The notes of an incident that was found with [`find`], oldest first.
pub async fn notes(context: &Context, incident: &Incident) -> Result<Vec<Note>> {
    Ok(records::notes(&context.store, incident.number).await?)
}

/// Contains the incidents of which nothing works any more because time has passed: a token expired, or an old secret
/// reached its deadline. Returns whether there was such an incident.
///
/// Also opens an incident for a credential that leaked and works without one: a restored backup may be older than the
/// incident.
pub async fn settle_due(context: &Context) -> Result<bool> {
    filing::file_forgotten(context).await?;
    if records::turns(&context.store, context.now()).await?.is_empty() {
        return Ok(false);
    }
    context.begin_change().await?.settle_incidents(&Actor::system()).await?;
    Ok(true)
}

async fn with_all_items(context: &Context, authority: &Authority, found: Vec<Incident>) -> Result<Vec<Incident>> {
    let numbers: Vec<i64> = found.iter().map(|incident| incident.number).collect();
    let items = records::items_of_all(&context.store, &numbers, context.now()).await?;
    Ok(found
        .into_iter()
        .map(|incident| {
            let own = items.iter().filter(|item| item.incident == incident.number).cloned().collect();
            with_items(incident, own, authority)
        })
        .collect())
}

fn with_items(mut incident: Incident, items: Vec<Item>, authority: &Authority) -> Incident {
    let (seen, unseen): (Vec<Item>, Vec<Item>) = items.into_iter().partition(|item| item.is_seen_by(authority));
    incident.unseen_working = unseen.iter().filter(|item| item.works).count();
    (incident.items, incident.unseen) = (seen, unseen.len());
    incident
}

impl Item {
    /// Whether `authority` may see it.
    fn is_seen_by(&self, authority: &Authority) -> bool {
        self.role_of(authority).is_some()
    }

    /// What `authority` may do with it, as a role in the team of a credential.
    pub fn role_of(&self, authority: &Authority) -> Option<Role> {
        match (&self.team, &self.person) {
            _ if authority.is_administrator() => Some(Role::Manager),
            (Some(team), _) => authority.role_in(team),
            (None, Some(person)) => {
                matches!(authority, Authority::Person { id, .. } if id == person).then_some(Role::Member)
            }
            (None, None) => None,
        }
    }
}

impl Incident {
    /// Whether `authority` may change the record: the owner, and people who may revoke something that leaked.
    pub fn may_be_changed_by(&self, authority: &Authority) -> bool {
        let is_owner =
            matches!((authority, &self.owner), (Authority::Person { id, .. }, Some(owner)) if *id == owner.id);
        authority.is_administrator()
            || is_owner
            || self.items.iter().any(|item| item.role_of(authority) >= Some(Role::Member))
    }
}
