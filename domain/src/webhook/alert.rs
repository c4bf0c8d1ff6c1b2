//! Events that no person causes by an action here: a credential ends soon, or a retired secret is tried. Each becomes
//! one entry of the audit log, and webhooks send it like every other entry.

use std::time::Duration;

use serde_json::json;

use crate::model::credential::Credential;
use crate::model::token::Refusal;
use crate::prelude::{Action, Actor, Change, Context, Event, Fault, Target, Timestamp};
use crate::store::{self, StoreError};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How many days before an end it is announced, and the name under which the alert is remembered. The nearest stage
/// comes first.
const STAGES: [(u32, &str); 3] = [(1, "expiring_1"), (3, "expiring_3"), (14, "expiring_14")];

/// How many credentials one transaction handles.
const BATCH_SIZE: i64 = 100;
/// How many transactions one run makes. The rest waits for the next run, so that an instance with very many credentials
/// does not spend its first minutes only on this.
const MOST_BATCHES: usize = 50;
/// How many hours back refusals are read. Counts of the last hour may have been written late.
const LOOK_BACK: i64 = 2;

/// Announces ends that are near. Each working credential gets only the nearest stage, once for each end. Returns how
/// many ends were announced.
pub async fn expiring(context: &Context) -> Result<usize, Fault> {
    let now = context.now();
    let (mut announced, mut batches) = (0, 0);
    let mut from = now;
    for (days, kind) in STAGES {
        let until = now.plus(DAY * days);
        // The exact moment belongs to the stage before.
        let mut after = (from.plus(Duration::from_millis(1)), String::new());
        while batches < MOST_BATCHES {
            batches += 1;
            let found = store::webhook::alert::ending(&context.store, kind, &after, until, BATCH_SIZE).await?;
            let Some((last, ends_at)) = found.last() else { break };
            after = (*ends_at, last.as_str().to_owned());
            let mut change = context.begin_change().await?;
            let mut events = Vec::new();
            for (client_id, ends_at) in &found {
                // The credential may have changed since it was read outside the transaction.
                let credential = store::credential::find(&mut change, client_id).await?;
                let works = |credential: &Credential| {
                    credential.ends_at == Some(*ends_at)
                        && *ends_at > now
                        && credential.revoked_at.is_none()
                        && credential.disabled_at.is_none()
                };
                let Some(credential) = credential.filter(works) else { continue };
                // Remembered even without an alert: if the end was near from the beginning, this stage need not be
                // checked again.
                let is_new = store::webhook::alert::remember(&mut change, client_id, kind, ends_at.millis(), now);
                if is_new.await? && made_at(&mut change, &credential).await? < ends_at.minus(DAY * days) {
                    let details = json!({ "days": days, "ends_at": ends_at.rfc3339() });
                    events.push(credential.event(Action::CredentialExpiring).with(details));
                }
            }
            announced += events.len();
            change.commit_all(&Actor::system(), &events).await?;
            if found.len() < BATCH_SIZE as usize {
                break;
            }
        }
        from = until;
    }
    Ok(announced)
}

/// When the present end was chosen: when the newest secret or key was made. A person who makes a secret for seven days
/// knows that it ends within fourteen days.
async fn made_at(change: &mut Change<'_>, credential: &Credential) -> Result<Timestamp, StoreError> {
    let id = &credential.client_id;
    let secrets = store::credential::secrets(&mut *change, id).await?;
    let secrets = secrets.iter().filter(|secret| secret.revoked_at.is_none()).map(|secret| secret.created_at);
    let newest = secrets.max();
    let keys = store::credential::authenticators::keys(change, id).await?;
    let keys = keys.iter().filter(|key| key.revoked_at.is_none()).map(|key| key.created_at).max();
    Ok([newest, keys].into_iter().flatten().fold(credential.created_at, Timestamp::max))
}

/// Reports retired secrets that were tried: once for each credential, cause and day (UTC). Returns how many were
/// reported.
pub async fn retired_secrets_tried(context: &Context) -> Result<usize, Fault> {
    let now = context.now();
    let mut told = 0;
    for _ in 0..MOST_BATCHES {
        let found =
            store::webhook::alert::tried(&context.store, &Refusal::AFTER_ITS_END, now.hour() - LOOK_BACK, BATCH_SIZE)
                .await?;
        if found.is_empty() {
            break;
        }
        let mut change = context.begin_change().await?;
        let mut events = Vec::new();
        for tried in &found {
            let cause = tried.cause.as_str();
            // Refusals in several hours of a day make one alert.
            if store::webhook::alert::remember(&mut change, &tried.client_id, cause, tried.day, now).await? {
                let id = tried.client_id.as_str();
                let event = Event::new(Action::CredentialRetiredSecretTried, Target::Credential, id, &tried.name);
                events.push(event.with(json!({
                    "cause": cause,
                    "tried_at": tried.last_at.rfc3339(),
                    "address": tried.last_address,
                    "agent": tried.last_agent,
                })));
            }
        }
        told += events.len();
        change.commit_all(&Actor::system(), &events).await?;
    }
    Ok(told)
}
