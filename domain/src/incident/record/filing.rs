//! Puts what a text leaks into an incident. Several secrets of one text are one incident.

use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::json;

use crate::base::id::{PersonId, TokenId};
use crate::model::credential::Credential;
use crate::model::incident::record::Source;
use crate::prelude::{Action, Actor, Change, Context, Event, Fault, Result, Target};
use crate::store;
use crate::store::incident::record::{self as records, NewItem};

/// The incidents of one text.
pub(crate) struct Filing<'text> {
    source: Source,
    /// The name of who found it; empty for a report from outside.
    found_by: &'text str,
    /// The incidents that this text opened, and whose things each is for.
    opened: Mutex<Vec<(String, i64)>>,
    /// The incident that the answer names.
    shown: OnceLock<i64>,
}

/// A thing of which something leaked.
#[derive(Clone, Copy)]
pub(crate) struct Leaked<'thing> {
    pub kind: Target,
    pub id: &'thing str,
    pub name: &'thing str,
    /// The team that owns it, or the person for whom it acts.
    pub of: &'thing str,
    /// For whom it acts.
    pub person: Option<&'thing PersonId>,
    /// `secret` or `token`.
    pub what: &'static str,
    /// The only access token of an app that leaked.
    pub jti: Option<&'thing TokenId>,
}

impl<'thing> Leaked<'thing> {
    /// Something of a credential.
    pub(crate) fn of(credential: &'thing Credential, what: &'static str) -> Self {
        let (id, of) = (credential.client_id.as_str(), credential.team.as_str());
        Self { kind: Target::Credential, id, name: &credential.name, of, person: None, what, jti: None }
    }
}

impl<'text> Filing<'text> {
    pub(crate) fn new(source: Source, found_by: &'text str) -> Self {
        Self { source, found_by, opened: Mutex::default(), shown: OnceLock::new() }
    }

    /// The number of the incident; `None`: the text leaked nothing.
    pub(crate) fn number(&self) -> Option<i64> {
        self.shown.get().copied()
    }

    /// Lets the answer name this incident, unless it names one already.
    pub(crate) fn show(&self, number: i64) {
        // It has a value already when this is not the first thing.
        let _ = self.shown.set(number);
    }

    /// Adds a thing to an incident. If the thing already has an incident that is not closed, the thing stays there: the
    /// people who handle that incident must know about this text too. Otherwise the text opens one incident for all of
    /// its things.
    ///
    /// A report from outside opens one incident for each team, because its sender chose what stands in the text: with a
    /// secret of their own beside it, they would get to read and write the record of another team.
    ///
    /// The caller does this after the other statements of the change: it locks the head of the audit log. Returns the
    /// number of the incident, and the event of its opening.
    pub(crate) async fn add(
        &self,
        change: &mut Change<'_>,
        place: Option<&str>,
        thing: &Leaked<'_>,
    ) -> Result<(i64, Option<Event>)> {
        let Leaked { kind, id, name, of, person, what, jti } = *thing;
        let now = change.now();
        let whose = if self.source == Source::Report { of } else { "" };
        let opened = || self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let of_this_text = opened().iter().find(|(known, _)| known == whose).map(|(_, number)| *number);
        let of_person = match person {
            Some(person) => records::of_person(&mut *change, person).await?,
            None => None,
        };
        let (number, is_new) = match (records::of_item(&mut *change, kind, id).await?, of_person, of_this_text) {
            (Some((number, false)), ..) | (_, Some(number), _) | (.., Some(number)) => (number, false),
            _ => (records::insert(change, self.source, self.found_by, place, now).await?, true),
        };
        records::add_item(change, &NewItem { incident: number, kind, id, name, person, what, jti }, now).await?;
        self.show(number);
        if !is_new {
            return Ok((number, None));
        }
        opened().push((whose.to_owned(), number));
        let Some(mut incident) = records::find(&mut *change, None, number).await? else { return Err(Fault::Damaged) };
        incident.items = records::items(&mut *change, number, now).await?;
        let details = json!({ "source": self.source.as_str(), "found_at": place });
        Ok((number, Some(incident.event(Action::IncidentOpened).with(details))))
    }

    /// The same for a thing that was marked before and works. An incident that has it already learns what else of it
    /// leaked: another token, or the token that renews it.
    pub(crate) async fn add_again(
        &self,
        change: &mut Change<'_>,
        place: Option<&str>,
        thing: &Leaked<'_>,
    ) -> Result<Option<Event>> {
        let Leaked { kind, id, name, person, what, jti, .. } = *thing;
        if let Some((incident, false)) = records::of_item(&mut *change, kind, id).await? {
            let now = change.now();
            records::add_item(change, &NewItem { incident, kind, id, name, person, what, jti }, now).await?;
            self.show(incident);
            return Ok(None);
        }
        Ok(self.add(change, place, thing).await?.1)
    }

    /// The same for a thing that was marked before, if it works and no incident that is not closed has it. The answer
    /// names the incident of the thing in any case.
    pub(crate) async fn add_if_forgotten(
        &self,
        change: &mut Change<'_>,
        place: Option<&str>,
        thing: &Leaked<'_>,
        works: bool,
    ) -> Result<Option<Event>> {
        match records::of_item(&mut *change, thing.kind, thing.id).await? {
            Some((number, is_closed)) if !works || !is_closed => {
                self.show(number);
                Ok(None)
            }
            None if !works => Ok(None),
            _ => Ok(self.add(change, place, thing).await?.1),
        }
    }
}

/// Opens an incident for each credential that leaked and works without one.
pub(super) async fn file_forgotten(context: &Context) -> Result<()> {
    while let Some(id) = records::without_incident(&context.store, context.now()).await? {
        let mut change = context.begin_change().await?;
        let Some(credential) = store::credential::find(&mut change, &id).await? else { return Ok(()) };
        let filing = Filing::new(Source::Earlier, "");
        let (number, opened) = filing.add(&mut change, None, &Leaked::of(&credential, "secret")).await?;
        for secret in store::credential::secrets(&mut change, &id).await? {
            if secret.leaked_at.is_some() {
                records::add_mark(&mut change, number, "secret", secret.id.as_str()).await?;
            }
        }
        let events: Vec<Event> = opened.into_iter().collect();
        change.commit_all(&Actor::system(), &events).await?;
    }
    Ok(())
}
