//! Incidents: the records of leaks.

use crate::base::clock::Timestamp;
use crate::base::id::{PersonId, TeamId};
use crate::base::word_enum::word_enum;
use crate::model::audit::{Action, Event, Target};
use crate::model::credential::Owner;

word_enum! {
    /// How the leak of an incident became known.
    pub enum Source {
        /// A report from outside: a form, a program, or secret scanning.
        Report = "report",
        /// A person searched a text on the dashboard.
        Search = "search",
        /// `countersign leak`.
        CommandLine = "command_line",
        /// The leak was known before there were incidents.
        Earlier = "earlier",
    }
}

word_enum! {
    /// How far an incident is handled.
    pub enum State {
        /// Something that leaked works.
        Open = "open",
        /// Nothing that leaked works. A person has not closed it yet.
        Contained = "contained",
        /// A person closed it.
        Closed = "closed",
    }
}

/// The record of a leak. Several secrets of one text are one incident.
#[derive(Debug, Clone)]
pub struct Incident {
    /// Its number, from 1.
    pub number: i64,
    /// How it became known.
    pub source: Source,
    /// When.
    pub opened_at: Timestamp,
    /// The name of who opened it; empty for a report from outside.
    pub opened_by: String,
    /// Where the text was found, as its finder says.
    pub found_at: Option<String>,
    /// Since when others could read what leaked, if a person knows it.
    pub exposed_at: Option<Timestamp>,
    /// The person who handles it.
    pub owner: Option<Owner>,
    /// When nothing of it worked any more.
    pub contained_at: Option<Timestamp>,
    /// When a person closed it.
    pub closed_at: Option<Timestamp>,
    /// The name of that person.
    pub closed_by: Option<String>,
    /// Whether it was closed because nothing had leaked.
    pub dismissed: bool,
    /// What leaked, as far as the reader may see it.
    pub items: Vec<Item>,
    /// How many further things leaked that the reader may not see.
    pub unseen: usize,
    /// How many of those work.
    pub unseen_working: usize,
}

/// A thing of which something leaked.
#[derive(Debug, Clone)]
pub struct Item {
    /// The number of the incident.
    pub(crate) incident: i64,
    /// A credential, a client, a consent or a personal token.
    pub kind: Target,
    /// Its identifier.
    pub id: String,
    /// Its name when it leaked.
    pub name: String,
    /// The team that owns the credential now; `None` for other things.
    pub team: Option<TeamId>,
    /// For whom it acts; `None` for credentials and clients.
    pub person: Option<PersonId>,
    /// What of it leaked: `secret`, `token`, or both.
    pub what: String,
    /// Whether what leaked works.
    pub works: bool,
    /// Whether it is a credential that was revoked.
    pub revoked: bool,
    /// When what leaked of a credential was stopped, if it was.
    pub(crate) stopped_at: Option<Timestamp>,
    /// The credential that was generated in place of this one.
    pub(crate) replaced_by: Option<String>,
}

/// What a person wrote down.
#[derive(Debug, Clone)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// Who, by name.
    pub author: String,
    /// The identifier of the MCP server whose owner was told; otherwise empty.
    pub about: String,
    /// The text.
    pub text: String,
}

/// An incident whose state changed because something that leaked ended, or works again.
pub(crate) struct Turn {
    pub number: i64,
    /// Whether nothing of it works now.
    pub is_contained: bool,
}

impl Incident {
    /// How far it is handled.
    pub fn state(&self) -> State {
        match (self.closed_at, self.contained_at) {
            (Some(_), _) => State::Closed,
            (None, Some(_)) => State::Contained,
            (None, None) => State::Open,
        }
    }

    /// Since when what leaked could be read by others, as far as is known.
    pub fn exposed_since(&self) -> Timestamp {
        self.exposed_at.unwrap_or(self.opened_at).min(self.opened_at)
    }

    /// What leaked, as a heading.
    pub fn title(&self) -> String {
        match self.items.as_slice() {
            [] => format!("Incident {}", self.number),
            [only] if self.unseen == 0 => format!("{} of {} leaked", only.thing(), only.name),
            [first, rest @ ..] => {
                let others = rest.len() + self.unseen;
                format!("{} of {} and {others} more leaked", first.thing(), first.name)
            }
        }
    }

    /// The title, if everybody who sees a part of the incident sees all of it; otherwise only its number.
    pub(crate) fn common_title(&self) -> String {
        let one_reader = self.items.iter().all(|item| {
            self.items.first().is_some_and(|first| (&first.team, &first.person) == (&item.team, &item.person))
        });
        if one_reader { self.title() } else { format!("Incident {}", self.number) }
    }

    /// An event about it, without details.
    pub(crate) fn event(&self, action: Action) -> Event {
        Event::new(action, Target::Incident, &self.number.to_string(), &self.common_title())
    }

    /// The credentials of it.
    pub fn credentials(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.kind == Target::Credential)
    }
}

impl Item {
    /// What leaked, in a word.
    fn thing(&self) -> &'static str {
        match (self.kind, self.what.as_str()) {
            (Target::Credential | Target::Client, "token") => "Token",
            (Target::Credential | Target::Client, _) => "Secret",
            _ => "Token",
        }
    }
}
