//! `password_links`.

use crate::base::clock::Timestamp;
use crate::base::id::PersonId;
use crate::store::{On, Result, Transaction, row, sql};

/// A link that works, unless its person was disabled or has another password by now.
pub(crate) struct PasswordLinkRow {
    pub person: PersonId,
    /// When the password was set that the link replaces.
    pub password_of: Timestamp,
    /// The identifier of the person who made it; empty for the command line.
    pub made_by: String,
    pub made_by_name: String,
    pub expires_at: Timestamp,
}

impl PasswordLinkRow {
    /// Whether the person asked for it by e-mail.
    pub(crate) fn is_by_mail(&self) -> bool {
        self.made_by.is_empty() && self.made_by_name.is_empty()
    }
}

row! { "password_links" => PasswordLinkRow { person = "person_id", password_of, made_by, made_by_name, expires_at } }

/// Stores a link in place of the earlier links of its person.
pub(crate) async fn replace(transaction: &mut Transaction, token_hash: &str, link: &PasswordLinkRow) -> Result<()> {
    remove_of(transaction, &link.person).await?;
    sql!(
        "INSERT INTO password_links (token_hash, person_id, password_of, made_by, made_by_name, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)";
        token_hash, link.person, link.password_of, link.made_by, link.made_by_name, link.expires_at
    )
    .execute(transaction)
    .await
}

pub(crate) async fn find(on: impl On<'_>, token_hash: &str, now: Timestamp) -> Result<Option<PasswordLinkRow>> {
    let sql = "SELECT person_id, password_of, made_by, made_by_name, expires_at FROM password_links
         WHERE token_hash = $1 AND expires_at > $2";
    sql!(sql; token_hash, now).optional(on).await
}

/// The link of this person that works, unless they have another password by now.
pub(crate) async fn of_person(on: impl On<'_>, id: &PersonId, now: Timestamp) -> Result<Option<PasswordLinkRow>> {
    let sql = "SELECT person_id, password_of, made_by, made_by_name, expires_at FROM password_links
         WHERE person_id = $1 AND expires_at > $2";
    sql!(sql; id, now).optional(on).await
}

/// Removes the links of this person. Returns how many.
pub(crate) async fn remove_of(transaction: &mut Transaction, person: &PersonId) -> Result<u64> {
    sql!("DELETE FROM password_links WHERE person_id = $1"; person).affected(transaction).await
}

/// Removes the links that this person made. Returns how many.
pub(crate) async fn remove_made_by(transaction: &mut Transaction, person: &PersonId) -> Result<u64> {
    sql!("DELETE FROM password_links WHERE made_by = $1"; person).affected(transaction).await
}
