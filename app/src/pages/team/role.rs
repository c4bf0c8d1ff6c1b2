//! Roles, as people read and choose them.

use domain::model::field_error::FieldError;
use domain::model::person::authority::{Authority, Role};

use crate::components::chart::counted;

/// The name of a role for people.
pub fn role_word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "Viewer",
        Role::Member => "Member",
        Role::Manager => "Manager",
    }
}

/// The roles to choose from, the weakest first.
pub fn role_options() -> Vec<(String, String)> {
    [
        (Role::Viewer, "Viewer: looks"),
        (Role::Member, "Member: generates, rotates, revokes"),
        (Role::Manager, "Manager: everything in the team"),
    ]
    .map(|(role, words)| (role.as_str().to_owned(), words.to_owned()))
    .into()
}

/// Reads the choice of a role.
pub fn read_role(word: &str) -> Result<Role, FieldError> {
    Role::parse(word).ok_or_else(|| FieldError::new("role", "Choose one of the list."))
}

/// A person in a few words: "administrator", or the number of their teams.
pub fn membership_words(authority: &Authority) -> String {
    match authority {
        Authority::Person { roles, .. } => counted(i64::try_from(roles.len()).unwrap_or(i64::MAX), "team", "teams"),
        Authority::Everything | Authority::Team(_) => "Administrator".to_owned(),
    }
}
