//! Credentials that members ask for, where a policy lets a manager approve them.

use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::id::{ClientId, PersonId, RequestId, TeamId};
use crate::base::word_enum::word_enum;
use crate::model::credential::draft::Draft;

/// For how long a member may generate what was approved.
const APPROVED_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// The longest reason and the longest answer, in characters.
pub(crate) const LONGEST_WORDS: usize = 500;
/// How many requests of one person may wait.
pub(crate) const MOST_WAITING: i64 = 20;

word_enum! {
    /// What became of a request.
    pub enum RequestState {
        /// No manager has decided yet.
        Waiting = "waiting",
        /// A manager approved it, and the member may generate the credential.
        Approved = "approved",
        /// A manager declined it.
        Declined = "declined",
        /// The member withdrew it, or a restore did.
        Withdrawn = "withdrawn",
        /// The member generated the credential.
        Used = "used",
    }
}

/// A credential that a member asked for. No secret exists before the member generates it.
#[derive(Debug, Clone)]
pub struct GenerationRequest {
    /// Identifier.
    pub id: RequestId,
    /// The team that will own the credential.
    pub team: TeamId,
    /// The name of the team.
    pub team_name: String,
    /// Who asked.
    pub person: PersonId,
    /// The name of who asked.
    pub person_name: String,
    /// The name of the credential.
    pub name: String,
    /// What was asked for.
    pub draft: Draft,
    /// Why, in the words of the member; may be empty.
    pub reason: String,
    /// What became of it.
    pub state: RequestState,
    /// When it was sent.
    pub created_at: Timestamp,
    /// When a manager decided.
    pub decided_at: Option<Timestamp>,
    /// The name of the manager who decided.
    pub decided_by: Option<String>,
    /// What the manager said; may be empty.
    pub answer: Option<String>,
    /// The credential that was generated.
    pub client_id: Option<ClientId>,
}

impl GenerationRequest {
    /// Until when the member may generate the credential; `None` unless it is approved.
    pub fn open_until(&self) -> Option<Timestamp> {
        self.decided_at.filter(|_| self.state == RequestState::Approved).map(|at| at.plus(APPROVED_FOR))
    }

    /// Whether the member may generate the credential now.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.open_until().is_some_and(|end| end > now)
    }
}
