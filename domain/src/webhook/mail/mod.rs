//! E-mails to people: about incidents, credentials that expire or were generated, sign-ins from unknown browsers, and
//! the link for a person who forgot the password. Without a mail server none is made.
//!
//! | module | what it does |
//! |---|---|
//! | `choice` | which ones a person wants |
//! | `queue` | makes e-mails of new audit entries |
//! | `send` | sends the e-mails that are due |
//! | `text` | what they say |

mod choice;
mod queue;
mod send;
mod text;

use std::time::Duration;

use crate::model::webhook::mail::Mail;
use crate::person::password_link;
use crate::prelude::{Context, Result, Timestamp};
use crate::store;
use crate::store::webhook::mail::{self, PASSWORD};

pub use choice::{choice, choose};
pub use queue::enqueue;
pub use send::send_due;

/// How long the page of an invitation waits for the mail server.
const PATIENCE: Duration = Duration::from_secs(5);
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
    let now = context.now();
    let mut transaction = context.store.begin().await?;
    // The e-mail is added before the link is read. In the other order, a link that is sent between the two would be
    // missed, and a second e-mail would end it.
    let waits = !mail::insert(&mut transaction, &person.id, PASSWORD, 0, now).await?;
    // A link that an administrator made is not replaced, and a mailed one only after some minutes: strangers could
    // otherwise end it again and again, or fill somebody's mailbox.
    if let Some(link) = password_link::working(&mut transaction, &person, now).await? {
        let sent_at = link.expires_at.minus(password_link::MAILED_LINK_LIFETIME);
        if !link.is_by_mail() || sent_at.is_recent(now, AGAIN_AFTER) {
            return Ok(());
        }
    }
    if waits {
        mail::try_again(&mut transaction, &person.id, PASSWORD, now).await?;
    }
    Ok(transaction.commit().await?)
}

/// What became of an e-mail that is sent at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mailed {
    /// There is no mail server.
    No,
    /// The same address got one a few minutes ago.
    NotAgain,
    /// The mail server took it.
    Yes,
    /// The mail server has not answered yet. The e-mail is still being sent.
    UnderWay,
    /// The mail server did not take it, for this cause.
    Refused(String),
}

/// Sends the link of an invitation now. The link goes through no table, because no table may hold it. The page with the
/// link does not wait for a slow mail server: it is the only one that shows the link.
pub async fn send_invitation(
    context: &Context,
    to: &str,
    invited_by: &str,
    link: &str,
    expires_at: Timestamp,
) -> Mailed {
    let Some(sender) = context.mail.clone() else { return Mailed::No };
    let since = context.now().minus(AGAIN_AFTER);
    // A fault of the database is no reason to keep the e-mail back: the invitation was stored a moment ago.
    if store::person::invitation::count_since(&context.store, to, since).await.is_ok_and(|count| count > 1) {
        return Mailed::NotAgain;
    }
    let (subject, text) = text::invitation(&context.settings, invited_by, link, expires_at);
    let mail = Mail { to: to.to_owned(), subject, text };
    let sending = tokio::spawn(async move { sender.send(&mail).await });
    match tokio::time::timeout(PATIENCE, sending).await {
        Ok(Ok(Ok(()))) => Mailed::Yes,
        Ok(Ok(Err(problem))) => Mailed::Refused(problem),
        Ok(Err(_)) => Mailed::Refused("the server could not send it".to_owned()),
        Err(_) => Mailed::UnderWay,
    }
}
