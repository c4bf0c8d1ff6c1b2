//! Sends e-mails that are due. One that fails is tried again later.

use std::time::Duration;

use crate::base::text::printable;
use crate::incident::record;
use crate::model::ports::SendMail;
use crate::model::webhook::mail::{Mail, MailKind};
use crate::person::password_link;
use crate::prelude::{Context, Result};
use crate::store;
use crate::store::webhook::mail::{self, PASSWORD, WaitingMail};
use crate::webhook::mail::queue::{OLDEST, is_still_told};
use crate::webhook::mail::text;

/// How many are sent in one round.
const MOST_AT_ONCE: usize = 50;
/// The wait after each failed attempt. After the last one nobody is told.
const BACKOFF: [Duration; 5] = [
    Duration::from_secs(30),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(8 * 3600),
];
/// For this time no other server sends the e-mail: longer than an attempt can take.
const LEASE: Duration = Duration::from_secs(120);
/// Longest text that is stored about a failure, in characters.
const LONGEST_PROBLEM: usize = 200;

/// Sends the e-mails that are due, one after the other. Returns how many the mail server took. When one fails, the rest
/// waits for the next round: most failures concern the server, not the e-mail.
pub async fn send_due(context: &Context) -> Result<usize> {
    let Some(sender) = context.mail.clone() else { return Ok(0) };
    for sent in 0..MOST_AT_ONCE {
        let now = context.now();
        let Some(waiting) = mail::claim(&context.store, now, now.plus(LEASE)).await? else { return Ok(sent) };
        if !attempt(context, sender.as_ref(), &waiting).await? {
            return Ok(sent);
        }
    }
    Ok(MOST_AT_ONCE)
}

/// Makes one attempt; false when the mail server did not take it.
async fn attempt(context: &Context, sender: &dyn SendMail, waiting: &WaitingMail) -> Result<bool> {
    let Some(composed) = compose(context, waiting).await? else {
        mail::remove(&context.store, waiting).await?;
        return Ok(true);
    };
    let Err(problem) = sender.send(&composed).await else {
        mail::remove(&context.store, waiting).await?;
        mail::note_sent(&context.store, context.now()).await?;
        return Ok(true);
    };
    let problem: String = printable(&problem).chars().take(LONGEST_PROBLEM).collect();
    tracing::warn!(problem, kind = waiting.kind, "an e-mail was not taken by the mail server");
    let wait = usize::try_from(waiting.attempts - 1).ok().and_then(|attempt| BACKOFF.get(attempt));
    if waiting.kind == PASSWORD {
        password_link::end_mailed(context, &waiting.person).await?;
    }
    match wait {
        Some(wait) => mail::retry(&context.store, waiting, &problem, context.now().plus(*wait)).await?,
        None => {
            tracing::error!(kind = waiting.kind, "an e-mail was given up: the mail server never took it");
            mail::remove(&context.store, waiting).await?;
        }
    }
    Ok(false)
}

/// Writes the e-mail; `None`: its person, or what it tells about, is gone.
async fn compose(context: &Context, waiting: &WaitingMail) -> Result<Option<Mail>> {
    let person = store::person::find(&context.store, &waiting.person).await?;
    let Some(person) = person.filter(|person| person.disabled_at.is_none()) else { return Ok(None) };
    let longest = if waiting.kind == PASSWORD { password_link::MAILED_LINK_LIFETIME } else { OLDEST };
    if !waiting.created_at.is_recent(context.now(), longest) {
        return Ok(None);
    }
    let written = if waiting.kind == PASSWORD {
        match password_link::create_by_mail(context, &person).await? {
            Some((link, token)) => Some(text::password_link(&context.settings, &token, link.expires_at)),
            None => None,
        }
    } else {
        let entry = store::audit::find(&context.store, waiting.seq).await?;
        let kind = MailKind::parse(&waiting.kind);
        match kind.zip(entry) {
            Some((_, entry)) if !is_still_told(context, &entry, &person.id).await? => None,
            Some((MailKind::Incidents, entry)) => {
                // The name in the entry is that of the first thing which leaked. Each person reads of what they see.
                let authority = store::person::team::authority_of_person(&context.store, &person.id).await?;
                let (Some(authority), Ok(number)) = (authority, entry.target_id.parse()) else { return Ok(None) };
                let incident = record::find(context, &authority, number).await?;
                incident.map(|incident| text::of_incident(&context.settings, &entry, &incident.title()))
            }
            Some((kind, entry)) => {
                let team = store::person::team::name_of_owner(&context.store, &entry.target_id).await?;
                Some(text::of_entry(&context.settings, kind, &entry, team.as_deref(), &person))
            }
            None => None,
        }
    };
    Ok(written.map(|(subject, text)| Mail { to: person.email, subject, text }))
}
