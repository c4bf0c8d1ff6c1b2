//! What a person, a credential or the command line may see and do.

use std::collections::BTreeMap;

use crate::base::id::{PersonId, TeamId};

/// What a person may do in a team. Each role may do what the one before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Generates, rotates, disables, enables and revokes the team's credentials.
    Member,
    /// Everything in the team: what its credentials may do, its keys and identities, its people.
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

/// What somebody may see and do at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authority {
    /// All of it: instance administrators, the command line, Countersign itself.
    Everything,
    /// A person's roles. None for a team means that it and all it owns is not there.
    Person {
        /// Who.
        id: PersonId,
        /// Where and as what.
        roles: BTreeMap<TeamId, Role>,
    },
    /// A credential, which acts within its team.
    Team(TeamId),
}

/// Why something is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// It is not there for whoever asks.
    Unseen,
    /// It can be looked at, and needs a role that is missing.
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

    /// Whether this is an instance administrator, or as good as one.
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

    /// Passes whoever has `role` in the team.
    pub fn require(&self, team: &TeamId, role: Role) -> Result<(), Denied> {
        match self.role_in(team) {
            None => Err(Denied::Unseen),
            Some(held) if held < role => Err(Denied::TooLittle),
            Some(_) => Ok(()),
        }
    }

    /// Passes administrators. To others what is theirs alone is not there.
    pub fn require_administrator(&self) -> Result<(), Denied> {
        if self.is_administrator() { Ok(()) } else { Err(Denied::Unseen) }
    }

    /// What statements limit themselves by: nothing, a person's identifier or a team's. See
    /// [`store::person::team::of!`](crate::store).
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::Everything => None,
            Self::Person { id, .. } => Some(id.as_str()),
            Self::Team(team) => Some(team.as_str()),
        }
    }
}
