//! What a person, a credential or the command line may see and do.

use std::collections::BTreeMap;

use crate::base::id::{PersonId, TeamId};
use crate::base::word_enum::word_enum;
use crate::model::actor::Actor;
use crate::model::client::consent::EndCause;

word_enum! {
    /// What a person may do in a team. Each role may do what the one before it may.
    #[derive(PartialOrd, Ord)]
    pub enum Role {
        /// Reads the team's credentials.
        Viewer = "viewer",
        /// Generates, rotates, disables, enables and revokes the team's credentials.
        Member = "member",
        /// May do everything in the team: decide what its credentials may do, and manage its keys, identities and
        /// people.
        Manager = "manager",
    }
}

/// What an actor may see and do at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authority {
    /// Everything: instance administrators, the command line, Countersign itself.
    Everything,
    /// A person's roles. Without a role in a team the person does not see the team and what it owns.
    Person {
        /// Who.
        id: PersonId,
        /// The person's role in each team.
        roles: BTreeMap<TeamId, Role>,
    },
    /// A credential, which acts within its team.
    Team(TeamId),
}

/// Why something is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The actor cannot see the thing, so it is reported as not found.
    Unseen,
    /// The actor can see the thing, but lacks the role that the action needs.
    TooLittle,
}

impl Authority {
    /// The role in this team.
    pub fn role_in(&self, team: &TeamId) -> Option<Role> {
        match self {
            Self::Everything => Some(Role::Manager),
            Self::Person { roles, .. } => roles.get(team).copied(),
            Self::Team(own) => (own == team).then_some(Role::Member),
        }
    }

    /// Whether this actor is an instance administrator, or has the same authority.
    pub fn is_administrator(&self) -> bool {
        matches!(self, Self::Everything)
    }

    /// The person whose consents and personal tokens the actor may list; `None` means all people. A credential sees
    /// none.
    pub(crate) fn person(&self) -> Result<Option<&PersonId>, Denied> {
        match self {
            Self::Everything => Ok(None),
            Self::Person { id, .. } => Ok(Some(id)),
            Self::Team(_) => Err(Denied::Unseen),
        }
    }

    /// The cause to record when `actor` with this authority ends a consent or token of `person`; `None` when that is
    /// not allowed.
    pub(crate) fn end_cause(&self, actor: &Actor, person: &PersonId) -> Option<EndCause> {
        match actor.person_id() {
            Some(own) if own == person => Some(EndCause::Person),
            _ => self.is_administrator().then_some(EndCause::Administrator),
        }
    }

    /// Whether the role is held in any team.
    pub fn has_anywhere(&self, role: Role) -> bool {
        match self {
            Self::Everything => true,
            Self::Person { roles, .. } => roles.values().any(|held| *held >= role),
            Self::Team(_) => Role::Member >= role,
        }
    }

    /// Succeeds if the actor has `role` in the team.
    pub fn require(&self, team: &TeamId, role: Role) -> Result<(), Denied> {
        match self.role_in(team) {
            None => Err(Denied::Unseen),
            Some(held) if held < role => Err(Denied::TooLittle),
            Some(_) => Ok(()),
        }
    }

    /// Succeeds for administrators. To all other actors, things that only administrators see are reported as not found.
    pub(crate) fn require_administrator(&self) -> Result<(), Denied> {
        if self.is_administrator() { Ok(()) } else { Err(Denied::Unseen) }
    }

    /// The team, when the authority sees what one team owns and nothing else.
    pub(crate) fn only_team(&self) -> Option<&TeamId> {
        match self {
            Self::Everything => None,
            Self::Person { roles, .. } => roles.keys().next().filter(|_| roles.len() == 1),
            Self::Team(team) => Some(team),
        }
    }

    /// The key by which statements restrict their rows: none, a person's identifier or a team's. See
    /// [`store::person::team::of!`](crate::store).
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::Everything => None,
            Self::Person { id, .. } => Some(id.as_str()),
            Self::Team(team) => Some(team.as_str()),
        }
    }
}
