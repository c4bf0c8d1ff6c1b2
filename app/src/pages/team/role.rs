//! Roles, as people read and choose them.

use domain::model::field_error::FieldError;
use domain::model::person::authority::{Authority, Role};

use crate::prelude::*;

/// The name of a role for people.
pub(crate) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "Viewer",
        Role::Member => "Member",
        Role::Manager => "Manager",
    }
}

/// The roles to choose from, the weakest first.
pub(crate) fn role_options() -> Vec<(String, String)> {
    options([
        (Role::Viewer.as_str(), "Viewer: sees credentials"),
        (Role::Member.as_str(), "Member: also generates, rotates, revokes"),
        (Role::Manager.as_str(), "Manager: also edits and invites"),
    ])
}

/// The choice of a role for a person who has none yet.
pub(crate) fn role_choice(chosen: String, errors: &Errors) -> AnyView {
    let otherwise = Role::Member.as_str();
    html! { <Select id="role" label="Role" options=role_options() chosen otherwise error=errors.at("role")/> }
}

/// Reads the choice of a role.
pub fn read_role(word: &str) -> Result<Role, FieldError> {
    Role::parse(word).ok_or_else(|| FieldError::new("role", "Choose one from the list."))
}

/// A person in a few words: "administrator", or the number of their teams.
pub(crate) fn membership_words(authority: &Authority) -> String {
    match authority {
        Authority::Person { roles, .. } => counted(roles.len(), "team", "teams"),
        Authority::Everything | Authority::Team(_) => "Administrator".to_owned(),
    }
}
