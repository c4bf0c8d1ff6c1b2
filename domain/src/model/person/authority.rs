//! What a person, a credential or the command line may see and do.

use std::collections::BTreeMap;

use crate::base::id::{PersonId, TeamId};

/// What a person may do in a team. Each role may do what the one before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads the team's credentials.
    Viewer,
    /// Generates, rotates, disables, enables and revokes the team's credentials.
    Member,
    /// May do everything in the team: decide what its credentials may do, and manage its keys, identities and people.
    Manager,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Member, Self::Manager];

    /// The role as stored and as forms name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Manager => "manager",
        }
    }

    /// Reads what [`Role::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
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
    pub fn require_administrator(&self) -> Result<(), Denied> {
        if self.is_administrator() { Ok(()) } else { Err(Denied::Unseen) }
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
