//! Makes e-mails of new audit entries: who gets one.

use std::time::Duration;

use crate::base::id::{ClientId, PersonId, RequestId};
use crate::model::audit::{AuditEntry, Filter};
use crate::model::person::authority::Role;
use crate::model::webhook::mail::MailKind;
use crate::prelude::{Action, Context, Result, Target};
use crate::store;
use crate::store::webhook::mail;
use crate::webhook::mail::choice::{choice, ends_sign_in_mails};

/// How many entries one transaction handles.
const BATCH_SIZE: i64 = 100;
/// How many entries about an incident are looked at.
const MOST_STEPS: i64 = 50;
/// Of older entries nobody is told: the mail server was not set, or did not answer, for so long.
pub(super) const OLDEST: Duration = Duration::from_secs(24 * 3600);
/// How long an entry of the audit log waits before an e-mail tells it.
const SETTLING: Duration = Duration::from_secs(3);
/// Of an incident that opens again and again, people are told once in this time.
const AGAIN_AFTER: Duration = Duration::from_secs(3600);
/// How many earlier sign-ins are looked at to know a browser.
const MOST_SIGN_INS: i64 = 50;

/// Makes e-mails of the audit entries that are new since the last time. Returns how many. Does nothing without a mail
/// server.
pub async fn enqueue(context: &Context) -> Result<usize> {
    if context.mail.is_none() {
        return Ok(0);
    }
    let Some(mut after) = mail::cursor(&context.store).await? else {
        // Nobody is told of what happened before there was a mail server.
        let (head, _) = store::audit::head(&context.store).await?;
        let mut transaction = context.store.begin().await?;
        mail::begin(&mut transaction, head).await?;
        transaction.commit().await?;
        return Ok(0);
    };
    let mut made = 0;
    loop {
        let now = context.now();
        let mut entries = store::audit::walk(&context.store, after, BATCH_SIZE).await?;
        // A report of several things writes one entry after the other. All of them are told, or none yet.
        let settled = entries.iter().position(|entry| entry.at.is_recent(now, SETTLING)).unwrap_or(entries.len());
        entries.truncate(settled);
        let Some(last) = entries.last().map(|entry| entry.seq) else { return Ok(made) };
        let mut mails: Vec<(PersonId, MailKind, i64)> = Vec::new();
        for entry in entries.iter().filter(|entry| entry.at.is_recent(now, OLDEST)) {
            let Some(kind) = kind_of(entry) else { continue };
            let mut people = recipients(context, entry, kind).await?;
            people.sort();
            people.dedup();
            for person in people {
                if is_wanted(context, entry, kind, &person).await? {
                    mails.push((person, kind, entry.seq));
                }
            }
        }
        let mut transaction = context.store.begin().await?;
        if !mail::advance(&mut transaction, after, last).await? {
            return Ok(made);
        }
        for (person, kind, seq) in &mails {
            mail::insert(&mut transaction, person, kind.as_str(), *seq, now).await?;
        }
        transaction.commit().await?;
        (after, made) = (last, made + mails.len());
    }
}

/// The kind of e-mail that tells about an entry.
fn kind_of(entry: &AuditEntry) -> Option<MailKind> {
    Some(match Action::parse(&entry.action)? {
        Action::IncidentOpened | Action::IncidentReopened => MailKind::Incidents,
        Action::CredentialExpiring => MailKind::Expiring,
        Action::CredentialGenerated | Action::CredentialRequested | Action::CredentialRequestDecided => {
            MailKind::Generated
        }
        Action::SessionStarted => MailKind::SignIn,
        Action::PersonMailChosen if ends_sign_in_mails(entry) => MailKind::SignIn,
        _ => return None,
    })
}

/// Whether this person wants an e-mail of this kind.
async fn is_wanted(context: &Context, entry: &AuditEntry, kind: MailKind, person: &PersonId) -> Result<bool> {
    Ok(ends_sign_in_mails(entry) || choice(context, person).await?.contains(&kind))
}

/// Whether the person is still to be told, at the moment in which the e-mail is sent.
pub(super) async fn is_still_told(context: &Context, entry: &AuditEntry, person: &PersonId) -> Result<bool> {
    let Some(kind) = kind_of(entry) else { return Ok(false) };
    Ok(is_wanted(context, entry, kind, person).await? && recipients(context, entry, kind).await?.contains(person))
}

/// Who is concerned, whether or not they want to be told.
async fn recipients(context: &Context, entry: &AuditEntry, kind: MailKind) -> Result<Vec<PersonId>> {
    let store = &context.store;
    Ok(match kind {
        MailKind::Incidents => {
            let Ok(number) = entry.target_id.parse() else { return Ok(Vec::new()) };
            if was_told(context, entry).await? {
                return Ok(Vec::new());
            }
            let (teams, mut people) = mail::of_incident(store, number).await?;
            for team in &teams {
                people.extend(mail::of_team(store, team, Role::Member).await?);
            }
            people.extend(mail::administrators(store).await?);
            people
        }
        MailKind::Expiring => {
            let Some(credential) = credential(context, entry).await? else { return Ok(Vec::new()) };
            match credential.owner.filter(|owner| !owner.disabled) {
                Some(owner) => vec![owner.id],
                None => match mail::of_team(store, &credential.team, Role::Manager).await? {
                    managers if managers.is_empty() => mail::administrators(store).await?,
                    managers => managers,
                },
            }
        }
        MailKind::Generated if entry.target_kind == Target::Request.as_str() => {
            let Some(id) = RequestId::parse(&entry.target_id) else { return Ok(Vec::new()) };
            let Some(request) = store::credential::request::find(store, &id).await? else { return Ok(Vec::new()) };
            if entry.action == Action::CredentialRequestDecided.as_str() {
                return Ok(vec![request.person]);
            }
            match mail::of_team(store, &request.team, Role::Manager).await? {
                managers if managers.is_empty() => mail::administrators(store).await?,
                managers => managers,
            }
        }
        MailKind::Generated => {
            let Some(credential) = credential(context, entry).await? else { return Ok(Vec::new()) };
            let mut managers = mail::of_team(store, &credential.team, Role::Manager).await?;
            managers.retain(|manager| manager.as_str() != entry.actor_id);
            managers
        }
        MailKind::SignIn if ends_sign_in_mails(entry) => PersonId::parse(&entry.target_id).into_iter().collect(),
        MailKind::SignIn => match PersonId::parse(&entry.target_id) {
            Some(person) if is_of_unknown_browser(context, entry, &person).await? => vec![person],
            _ => Vec::new(),
        },
    })
}

/// Whether people were told within the last hour that this incident is open.
async fn was_told(context: &Context, entry: &AuditEntry) -> Result<bool> {
    let earlier = store::audit::of_target(&context.store, None, &entry.target_id, MOST_STEPS).await?;
    Ok(earlier.iter().any(|one| {
        one.seq < entry.seq
            && one.target_kind == entry.target_kind
            && one.at.is_recent(entry.at, AGAIN_AFTER)
            && kind_of(one) == Some(MailKind::Incidents)
    }))
}

async fn credential(context: &Context, entry: &AuditEntry) -> Result<Option<crate::model::credential::Credential>> {
    let Some(id) = ClientId::parse(&entry.target_id) else { return Ok(None) };
    Ok(store::credential::find(&context.store, &id).await?)
}

/// Whether the person signed in before, and never with this browser. The name of a browser is all that is known of it:
/// a cookie that marks browsers would be one more secret for the same answer.
async fn is_of_unknown_browser(context: &Context, entry: &AuditEntry, person: &PersonId) -> Result<bool> {
    let filter = Filter {
        action: Some(Action::SessionStarted.as_str().to_owned()),
        before: Some(entry.seq),
        ..Filter::default()
    };
    let earlier = store::audit::list(&context.store, Some(person.as_str()), &filter, MOST_SIGN_INS).await?;
    let mut own = earlier.iter().filter(|one| one.target_id == person.as_str()).peekable();
    let name = browser(entry);
    Ok(own.peek().is_some() && !own.any(|one| browser(one) == name))
}

/// The name of the browser without its version, which changes every few weeks.
fn browser(entry: &AuditEntry) -> String {
    let agent = entry.agent.as_deref().unwrap_or_default();
    agent.chars().filter(|character| !character.is_ascii_digit() && *character != '.').collect()
}
