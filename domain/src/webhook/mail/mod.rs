//! E-mails to people: about incidents, credentials that expire or were generated, sign-ins from unknown browsers, and
//! the link for a person who forgot the password. Without a mail server none is made.
//!
//! | module | what it does |
//! |---|---|
//! | `queue` | makes e-mails of new audit entries |
//! | `send` | sends those that are due |
//! | `text` | what they say |

mod queue;
mod send;
mod text;

use std::time::Duration;

use serde_json::json;

use crate::base::id::PersonId;
use crate::model::webhook::mail::{Mail, MailKind, default_choice};
use crate::person::{PersonError, password_link};
use crate::prelude::{Action, Actor, Context, Result, Timestamp};
use crate::store;
use crate::store::webhook::mail;

pub use queue::enqueue;
pub use send::send_due;

/// The kind of an e-mail with a link for a person who forgot the password.
const PASSWORD: &str = "password";
/// How long after a link by e-mail the person may ask for another one.
const AGAIN_AFTER: Duration = Duration::from_secs(15 * 60);

/// How e-mails are going.
pub struct Health {
    /// When the last one was sent.
    pub sent_at: Option<Timestamp>,
    /// How many wait.
    pub waiting: i64,
    /// Why the last attempt of one of them failed.
    pub problem: Option<String>,
}

/// How e-mails are going; `None` without a mail server.
pub async fn health(context: &Context) -> Result<Option<Health>> {
    if context.mail.is_none() {
        return Ok(None);
    }
    let (sent_at, waiting, problem) = mail::health(&context.store).await?;
    Ok(Some(Health { sent_at, waiting, problem }))
}

/// The kinds of e-mails that this person wants.
pub async fn choice(context: &Context, person: &PersonId) -> Result<Vec<MailKind>> {
    let chosen = mail::choice(&context.store, person).await?;
    Ok(chosen.map_or_else(default_choice, |words| words.split(',').filter_map(MailKind::parse).collect()))
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
    let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    mail::set_choice(&mut change, id, &words.join(",")).await?;
    change.commit(actor, &person.event(Action::PersonMailChosen).with(json!({ "mails": words }))).await?;
    Ok(())
}

/// Makes an e-mail with a link for the person with this address, if there is such a person who signs in with a
/// password. The answer does not depend on it: the page must not tell which addresses have an account.
pub async fn ask_for_password_link(context: &Context, email: &str) -> Result<()> {
    if context.mail.is_none() {
        return Ok(());
    }
    let found = store::person::find_by_email(&context.store, &email.trim().to_lowercase()).await?;
    let Some(person) = found.filter(|person| person.disabled_at.is_none() && person.has_password()) else {
        return Ok(());
    };
    // A link that an administrator made is not replaced, and a mailed one only after some minutes: strangers could
    // otherwise end it again and again, or fill somebody's mailbox.
    let now = context.now();
    if let Some(link) = password_link::of_person(context, &person).await? {
        let sent_at = link.expires_at.minus(password_link::MAILED_LINK_LIFETIME);
        if !link.is_by_mail() || sent_at.is_recent(now, AGAIN_AFTER) {
            return Ok(());
        }
    }
    let mut transaction = context.store.begin().await?;
    mail::insert(&mut transaction, &person.id, PASSWORD, 0, now).await?;
    Ok(transaction.commit().await?)
}

/// Sends the link of an invitation now. The error says why the mail server did not take it. `None` without a mail
/// server. The link goes through no table, because no table may hold it.
pub async fn send_invitation(
    context: &Context,
    to: &str,
    invited_by: &str,
    link: &str,
    expires_at: Timestamp,
) -> Option<Result<(), String>> {
    let sender = context.mail.as_ref()?;
    let (subject, text) = text::invitation(&context.settings, invited_by, link, expires_at);
    let mail = Mail { to: to.to_owned(), subject, text };
    Some(sender.send(&mail).await)
}
