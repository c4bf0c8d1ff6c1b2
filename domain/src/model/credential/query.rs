//! Which credentials a list shows, and in which order.

use crate::base::clock::Timestamp;
use crate::base::id::{McpServerId, PersonId, TeamId};
use crate::base::word_enum::word_enum;
use crate::model::credential::{AuthMethod, EXPIRING_WITHIN, IDLE_AFTER};

/// A filter of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Show {
    /// All of them.
    #[default]
    All,
    /// Working, with a secret or token that was reported as leaked and works.
    Leaked,
    /// Working, exchanged at least once.
    InUse,
    /// Working, never exchanged.
    Unverified,
    /// Working, and ending within [`EXPIRING_WITHIN`].
    Expiring,
    /// Working, with a secret or key that is being replaced.
    Rotating,
    /// Working, with a secret of another system that was not rotated.
    Imported,
    /// Working, without an end.
    NeverExpires,
    /// Working, and never used or not for [`IDLE_AFTER`].
    Idle,
    /// Stopped.
    Disabled,
    /// Ended by time.
    Expired,
    /// Ended by revocation.
    Revoked,
}

/// Who owns the credentials of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnedBy {
    /// This person.
    Person(PersonId),
    /// Nobody.
    Nobody,
}

impl OwnedBy {
    /// The value of [`OwnedBy::Nobody`] in forms and addresses.
    pub const NOBODY: &str = "none";

    /// Reads a value of a form or address: the identifier of a person, or [`OwnedBy::NOBODY`].
    pub fn parse(text: &str) -> Option<Self> {
        if text == Self::NOBODY { Some(Self::Nobody) } else { PersonId::parse(text).map(Self::Person) }
    }
}

word_enum! {
    /// The order of the list.
    #[derive(Default)]
    pub enum Sort {
        /// Newest first.
        #[default]
        Created = "created",
        /// By name, A to Z.
        Name = "name",
        /// Last used first; credentials that were never used come last.
        LastUsed = "last_used",
        /// The next to end first; credentials without an end come last.
        Ends = "ends",
    }
}

/// The part of a list in which a row stands. In the default order, leaked credentials that work come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// Leaked credentials that work.
    Leaked,
    /// All others.
    Others,
}

/// A row of the list, beside which a page begins or ends. Clients get it and send it back as an authenticated text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialCursor {
    pub(crate) section: Section,
    pub(crate) key: String,
    pub(crate) client_id: String,
    /// The number of the row in the list, from 1.
    pub(crate) position: i64,
}

/// The query of a list.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Part of the name, the client ID or a tag, or the last characters of a secret.
    pub search: Option<String>,
    /// Only the credentials of this team.
    pub team: Option<TeamId>,
    /// Only the credentials that may call this MCP server.
    pub server: Option<McpServerId>,
    /// Only the credentials that prove themselves in this way.
    pub method: Option<AuthMethod>,
    /// Only the credentials of this owner, or of nobody.
    pub owner: Option<OwnedBy>,
    /// Only the credentials with this tag.
    pub tag: Option<String>,
    /// The filter.
    pub show: Show,
    /// The order.
    pub sort: Sort,
    /// Whether the order is the opposite one.
    pub reversed: bool,
    /// Where the list continues: the `next` of the page before, or the `previous` of the page after.
    pub cursor: Option<String>,
    /// Whether `cursor` is the `previous` of the page after.
    pub backward: bool,
}

impl Query {
    /// Whether nothing but [`Self::show`] restricts the list.
    pub fn has_only_show(&self) -> bool {
        let Self { search, team, server, method, owner, tag, .. } = self;
        search.is_none() && team.is_none() && server.is_none() && method.is_none() && owner.is_none() && tag.is_none()
    }
}

/// How many credentials a list has, on all of its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    /// So many.
    Exactly(i64),
    /// More than so many. To count all of them would take too long.
    MoreThan(i64),
}

/// The moments that filters compare with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moments {
    pub now: Timestamp,
    pub soon: Timestamp,
    pub idle_since: Timestamp,
}

impl Moments {
    pub(crate) fn at(now: Timestamp) -> Self {
        Self { now, soon: now.plus(EXPIRING_WITHIN), idle_since: now.minus(IDLE_AFTER) }
    }
}

/// How many credentials work, and how many of these need attention.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All credentials, ended ones too.
    pub all: i64,
    /// Credentials that work.
    pub working: i64,
    /// See [`Show::Leaked`].
    pub leaked: i64,
    /// See [`Show::InUse`].
    pub in_use: i64,
    /// See [`Show::Expiring`].
    pub expiring: i64,
    /// See [`Show::Idle`].
    pub idle: i64,
    /// See [`Show::NeverExpires`].
    pub never_expires: i64,
    /// See [`Show::Unverified`].
    pub unverified: i64,
    /// See [`Show::Rotating`].
    pub rotating: i64,
    /// See [`Show::Imported`].
    pub imported: i64,
    /// See [`Show::Disabled`].
    pub disabled: i64,
    /// See [`Show::Expired`].
    pub expired: i64,
    /// See [`Show::Revoked`].
    pub revoked: i64,
}

impl Counts {
    /// How many a filter shows.
    pub fn of(&self, show: Show) -> i64 {
        match show {
            Show::All => self.all,
            Show::Leaked => self.leaked,
            Show::InUse => self.in_use,
            Show::Unverified => self.unverified,
            Show::Expiring => self.expiring,
            Show::Rotating => self.rotating,
            Show::Imported => self.imported,
            Show::NeverExpires => self.never_expires,
            Show::Idle => self.idle,
            Show::Disabled => self.disabled,
            Show::Expired => self.expired,
            Show::Revoked => self.revoked,
        }
    }
}
