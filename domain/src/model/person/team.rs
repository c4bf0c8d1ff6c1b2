//! Teams, their members, invitations.

use crate::base::clock::Timestamp;
use crate::base::id::{InvitationId, PersonId, TeamId};
use crate::model::person::authority::Role;

/// A team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Identifier.
    pub id: TeamId,
    /// Name. It is unique without regard to upper and lower case.
    pub name: String,
}

/// A team with its numbers of people and credentials.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The team.
    pub team: Team,
    /// How many people are in it.
    pub people: i64,
    /// How many of its credentials work.
    pub credentials: i64,
}

/// A person in a team.
#[derive(Debug, Clone)]
pub struct Member {
    /// Who.
    pub person: PersonId,
    /// Name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// What they may do in it.
    pub role: Role,
    /// Whether they cannot sign in.
    pub disabled: bool,
}

/// A team that a person is in.
#[derive(Debug, Clone)]
pub struct PersonsTeam {
    /// The team.
    pub team: Team,
    /// What they may do in it.
    pub role: Role,
}

/// What an invitation gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvitedRole {
    /// The administration of the instance.
    Administrator,
    /// A role in a team.
    Team(TeamId, Role),
}

/// An invitation. It holds nothing of its link.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Identifier.
    pub id: InvitationId,
    /// Whom it is for, lower case.
    pub email: String,
    /// The role or the administration that it gives.
    pub role: InvitedRole,
    /// Name of the person who sent the invitation.
    pub invited_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When its link stops working.
    pub expires_at: Timestamp,
}
