//! Which teams may use an MCP server.

use std::collections::BTreeSet;

use crate::base::id::TeamId;
use crate::model::person::authority::Authority;

/// The teams whose credentials and people may use an MCP server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ServerAccess {
    /// All teams, and people without a team.
    #[default]
    All,
    /// Only these teams. An empty list means no team.
    Teams(BTreeSet<TeamId>),
}

impl ServerAccess {
    /// Whether the credentials of this team may use the server.
    pub fn admits_team(&self, team: &TeamId) -> bool {
        match self {
            Self::All => true,
            Self::Teams(teams) => teams.contains(team),
        }
    }

    /// Whether an actor with this authority may use the server. Administrators may use every server. A person may use
    /// it with any role in one of its teams.
    pub fn admits(&self, authority: &Authority) -> bool {
        match (self, authority) {
            (Self::All, _) | (_, Authority::Everything) => true,
            (Self::Teams(teams), Authority::Person { roles, .. }) => teams.iter().any(|team| roles.contains_key(team)),
            (Self::Teams(teams), Authority::Team(team)) => teams.contains(team),
        }
    }

    /// Whether nobody gains access when this replaces `before`.
    pub fn is_within(&self, before: &Self) -> bool {
        match (self, before) {
            (_, Self::All) => true,
            (Self::All, Self::Teams(_)) => false,
            (Self::Teams(teams), Self::Teams(before)) => teams.is_subset(before),
        }
    }

    /// The teams that both admit.
    pub(crate) fn in_both(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, access) | (access, Self::All) => access.clone(),
            (Self::Teams(teams), Self::Teams(others)) => Self::Teams(teams.intersection(others).cloned().collect()),
        }
    }
}

/// What exists for an MCP server and gets no new tokens, because the server is not open to its team.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShutOut {
    /// Credentials that are neither revoked nor over.
    pub credentials: i64,
    /// Live personal tokens. They are refused at each use.
    pub personal_tokens: i64,
    /// Live consents of connected apps.
    pub apps: i64,
}

/// What a change of the teams of an MCP server shuts out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closing {
    /// The teams whose credentials lose the server, each with the number of those credentials.
    pub teams: Vec<(TeamId, i64)>,
    /// How much loses the server.
    pub shut_out: ShutOut,
}

impl Closing {
    /// Whether nothing loses the server.
    pub fn is_empty(&self) -> bool {
        self.shut_out == ShutOut::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::id::PersonId;
    use crate::model::person::authority::Role;
    use crate::testing::SeededRandom;

    #[test]
    fn an_empty_list_admits_nobody_and_one_team_of_several_is_enough() {
        let random = SeededRandom::new(1);
        let [a, b, c] = [(); 3].map(|()| TeamId::generate(&random));
        let only = |teams: &[&TeamId]| ServerAccess::Teams(teams.iter().map(|team| (*team).clone()).collect());
        let person = |teams: &[&TeamId]| Authority::Person {
            id: PersonId::generate(&random),
            roles: teams.iter().map(|team| ((*team).clone(), Role::Viewer)).collect::<BTreeMap<_, _>>(),
        };
        for (access, authority, expected) in [
            (ServerAccess::All, person(&[]), true),
            (only(&[]), person(&[&a]), false),
            (only(&[]), Authority::Team(a.clone()), false),
            (only(&[]), Authority::Everything, true),
            (only(&[&a]), person(&[]), false),
            (only(&[&a]), person(&[&b, &a]), true),
            (only(&[&a]), person(&[&b, &c]), false),
            (only(&[&a]), Authority::Team(a.clone()), true),
            (only(&[&a]), Authority::Team(b.clone()), false),
        ] {
            assert_eq!(access.admits(&authority), expected, "{access:?} {authority:?}");
        }
        assert!(only(&[&a]).is_within(&ServerAccess::All) && only(&[]).is_within(&only(&[&a])));
        assert!(!ServerAccess::All.is_within(&only(&[&a])) && !only(&[&b]).is_within(&only(&[&a])));
        assert_eq!(only(&[&a, &b]).in_both(&only(&[&b, &c])), only(&[&b]));
        assert_eq!(only(&[&a]).in_both(&ServerAccess::All), only(&[&a]));
        assert_eq!(only(&[&a]).in_both(&only(&[&b])), only(&[]), "never all");
    }
}
