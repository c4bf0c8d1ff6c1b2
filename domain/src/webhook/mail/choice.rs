//! Which e-mails a person wants.

use serde_json::{Value, json};

use crate::base::id::PersonId;
use crate::model::audit::AuditEntry;
use crate::model::webhook::mail::{MailKind, default_choice};
use crate::person::PersonError;
use crate::prelude::{Action, Actor, Context, Result};
use crate::store;
use crate::store::webhook::mail;

/// The kinds of e-mails that this person wants.
pub async fn choice(context: &Context, person: &PersonId) -> Result<Vec<MailKind>> {
    Ok(read_choice(mail::choice(&context.store, person).await?))
}

fn read_choice(chosen: Option<String>) -> Vec<MailKind> {
    chosen.map_or_else(default_choice, |words| words.split(',').filter_map(MailKind::parse).collect())
}

/// Stores which kinds the acting person wants.
///
/// # Errors
///
/// [`PersonError::NotFound`] when no person acts.
pub async fn choose(context: &Context, actor: &Actor, kinds: &[MailKind]) -> Result<(), PersonError> {
    let id = actor.person_id().ok_or(PersonError::NotFound)?;
    let mut change = context.begin_change().await?;
    let person = store::person::find(&mut change, id).await?.ok_or(PersonError::NotFound)?;
    let before = read_choice(mail::choice(&mut change, id).await?);
    let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    mail::set_choice(&mut change, id, &words.join(",")).await?;
    let ends = before.contains(&MailKind::SignIn) && !kinds.contains(&MailKind::SignIn);
    let details = json!({ "mails": words, "sign_in_ended": ends });
    change.commit(actor, &person.event(Action::PersonMailChosen).with(details)).await?;
    Ok(())
}

/// Whether somebody chose to be told of no more sign-ins. That is told in any case: whoever got into an account would
/// choose it first.
pub(super) fn ends_sign_in_mails(entry: &AuditEntry) -> bool {
    Action::parse(&entry.action) == Some(Action::PersonMailChosen)
        && serde_json::from_str::<Value>(&entry.details).is_ok_and(|details| details["sign_in_ended"] == true)
}
