//! Which credentials a list shows, and in which order.

use crate::base::clock::Timestamp;
use crate::base::id::TeamId;
use crate::base::word_enum::word_enum;
use crate::model::credential::{EXPIRING_WITHIN, IDLE_AFTER};

/// A filter of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Show {
    /// All of them.
    #[default]
    All,
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

/// A position in the list: after the row with this key. Clients get it and send it back as an authenticated text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialCursor {
    pub(crate) key: String,
    pub(crate) client_id: String,
}

/// The query of a list.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Part of the name or the client ID.
    pub search: Option<String>,
    /// Only the credentials of this team.
    pub team: Option<TeamId>,
    /// The filter.
    pub show: Show,
    /// The order.
    pub sort: Sort,
    /// Where the list continues: the `next` of the page before.
    pub cursor: Option<String>,
}

/// The moments that filters compare with.
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
}
