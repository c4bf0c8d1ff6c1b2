//! Puts what a text leaks into an incident. Several secrets of one text are one incident.

use std::sync::OnceLock;

use serde_json::json;

use crate::base::id::PersonId;
use crate::model::incident::record::Source;
use crate::prelude::{Action, Change, Event, Fault, Target};
use crate::store::incident::record::{self as records, NewItem};

/// The incident of one text.
pub(crate) struct Filing<'text> {
    source: Source,
    /// The name of who found it; empty for a report from outside.
    found_by: &'text str,
    /// Its number, as soon as it has one.
    number: OnceLock<i64>,
}

/// A thing of which something leaked.
pub(crate) struct Leaked<'thing> {
    pub kind: Target,
    pub id: &'thing str,
    pub name: &'thing str,
    /// For whom it acts.
    pub person: Option<&'thing PersonId>,
    /// `secret` or `token`.
    pub what: &'static str,
}

impl<'text> Filing<'text> {
    pub(crate) fn new(source: Source, found_by: &'text str) -> Self {
        Self { source, found_by, number: OnceLock::new() }
    }

    /// The number of the incident; `None`: the text leaked nothing.
    pub(crate) fn number(&self) -> Option<i64> {
        self.number.get().copied()
    }

    /// Adds a thing to the incident of this text. An incident of the same thing that is not closed goes on, because the
    /// people who handle it must know about this text too. Otherwise the first thing opens an incident.
    ///
    /// The caller does this after the other statements of the change: it locks the head of the audit log. Returns the
    /// number of the incident, and the event of its opening.
    pub(crate) async fn add(
        &self,
        change: &mut Change<'_>,
        place: Option<&str>,
        thing: &Leaked<'_>,
    ) -> Result<(i64, Option<Event>), Fault> {
        let Leaked { kind, id, name, person, what } = *thing;
        let now = change.now();
        let (number, is_new) = match (self.number(), records::of_item(&mut *change, kind, id).await?) {
            (Some(number), _) | (None, Some((number, false))) => (number, false),
            (None, _) => (records::insert(change, self.source, self.found_by, place, now).await?, true),
        };
        records::add_item(change, &NewItem { incident: number, kind, id, name, person, what }, now).await?;
        // It has a value already when this is not the first thing.
        let _ = self.number.set(number);
        if !is_new {
            return Ok((number, None));
        }
        let Some(mut incident) = records::find(&mut *change, None, number).await? else { return Err(Fault::Damaged) };
        incident.items = records::items(&mut *change, number, now).await?;
        let details = json!({ "source": self.source.as_str(), "found_at": place });
        Ok((number, Some(incident.event(Action::IncidentOpened).with(details))))
    }

    /// Remembers the incident of a thing that was reported before, for the answer to this text.
    pub(crate) async fn remember(&self, on: &crate::store::Store, kind: Target, id: &str) -> Result<(), Fault> {
        if self.number.get().is_none()
            && let Some((number, _)) = records::of_item(on, kind, id).await?
        {
            let _ = self.number.set(number);
        }
        Ok(())
    }
}
