//! Reports of leaks from outside, and records of searches. Everybody may send a report, so it is bounded: what it looks
//! at, and what it writes. Both lead to an incident.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::base::id::{AuthenticatorId, ClientId, TokenId};
use crate::credential::{CredentialError, Result, update_ends};
use crate::crypto::secret::SecretHash;
use crate::incident::leak::delegated::{self, Report};
use crate::incident::leak::{MOST_CANDIDATES, known, scan, secret_of_credential};
use crate::incident::record::filing::{Filing, Leaked};
use crate::model::credential::ClientSecret;
use crate::model::incident::Policy;
use crate::model::incident::record::Source;
use crate::model::person::authority::{Authority, Role};
use crate::prelude::{Action, Actor, Context, Event, Target, Timestamp};
use crate::store;
use crate::store::incident::record as records;
use crate::token::verify::{self, SignedToken};

/// Most secrets and tokens that one report handles.
const MOST_REPORTED: usize = 50;

/// What a report found, and what it did. It does not say whose the secrets and tokens are: the reporter may be anybody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reported {
    /// Secrets and tokens that this report stopped.
    pub stopped: usize,
    /// Secrets and tokens of this instance that did not work any more.
    pub ended_before: usize,
    /// Secrets and tokens that still work: the report is written down, and people decide ([`Policy::Alert`]).
    pub left_to_people: usize,
    /// Secrets of the right form, and tokens, that this instance does not know.
    pub unknown: usize,
    /// Texts that look like a secret but are cut off, or have a typing error.
    pub damaged: usize,
    /// Whether the text holds more secrets and tokens than one report handles. The rest was not looked at.
    pub more: bool,
    /// The number of the incident that the text belongs to; `None`: it leaked nothing that people handle.
    pub incident: Option<i64>,
}

/// What a report did about one secret or token of this instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Stopped,
    EndedBefore,
    LeftToPeople,
}

impl Reported {
    /// Whether the text holds anything of this instance, even if nothing was changed.
    pub fn is_known(&self) -> bool {
        self.stopped + self.ended_before + self.left_to_people > 0
    }

    fn add(&mut self, outcome: Outcome, count: usize) {
        *match outcome {
            Outcome::Stopped => &mut self.stopped,
            Outcome::EndedBefore => &mut self.ended_before,
            Outcome::LeftToPeople => &mut self.left_to_people,
        } += count;
    }
}

/// Takes a report of a leak. Anyone who holds a secret may end it in this way; tokens in the text end too. A credential
/// gets one audit entry, whatever the text holds of it.
///
/// `place` is where the text was found, as the reporter says.
pub async fn report(
    context: &Context,
    actor: &Actor,
    text: &str,
    place: Option<&str>,
    policy: Policy,
) -> Result<Reported> {
    let (place, filing) = (place.and_then(super::place), Filing::new(Source::Report, ""));
    let report = Report { context, actor, place: place.as_deref(), policy, within: None, filing: &filing };
    handle(report, text, MOST_REPORTED).await
}

/// Records what a search found in a text: what leaked is marked, and belongs to an incident. Nothing ends. What
/// `authority` may not end is left out. Returns the number of the incident; `None` when there is none.
pub async fn record(
    context: &Context,
    actor: &Actor,
    authority: &Authority,
    text: &str,
    source: Source,
) -> Result<Option<i64>> {
    let filing = Filing::new(source, actor.name());
    let (place, within) = (None, Some(authority));
    let report = Report { context, actor, place, policy: Policy::Alert, within, filing: &filing };
    Ok(handle(report, text, MOST_CANDIDATES).await?.incident)
}

async fn handle(report: Report<'_>, text: &str, most: usize) -> Result<Reported> {
    let Report { context, policy, .. } = report;
    let found = scan(text);
    let mut reported = Reported {
        damaged: found.damaged,
        more: found.secrets.len() + found.tokens.len() > most,
        ..Reported::default()
    };
    let ends = if policy == Policy::Revoke { Outcome::Stopped } else { Outcome::LeftToPeople };
    let secrets = &found.secrets[..found.secrets.len().min(most)];
    let known = known(context, secrets).await?;
    let mut of_credentials: BTreeMap<ClientId, CredentialFinds> = BTreeMap::new();
    for (kind, secret) in secrets {
        let hash = secret.hash(&context.keys.pepper);
        if !known.contains(hash.as_str()) {
            reported.unknown += 1;
            continue;
        }
        match secret_of_credential(context, *kind, secret).await? {
            Some((client_id, stored)) => {
                let works = stored.end().is_live(context.now());
                reported.add(if works { ends } else { Outcome::EndedBefore }, 1);
                let finds = of_credentials.entry(client_id).or_default();
                finds.works |= works;
                finds.secrets.extend(report.says_something_of(&stored).then_some(hash));
            }
            None => match delegated::report(report, *kind, secret).await? {
                Some(outcome) => reported.add(outcome, 1),
                None => reported.unknown += 1,
            },
        }
    }
    for token in found.tokens.iter().take(most - secrets.len()) {
        let Some((signed, expires_at)) = verify::signed(context, token).await? else {
            reported.unknown += 1;
            continue;
        };
        if expires_at <= context.now() {
            reported.add(Outcome::EndedBefore, 1);
            continue;
        }
        match signed {
            SignedToken::OfCredential(client_id, jti) => {
                of_credentials.entry(client_id).or_default().tokens.push((jti, expires_at));
            }
            SignedToken::OfGrant(jti) => reported.add(delegated::report_token(report, &jti).await?, 1),
        }
    }
    for (client_id, finds) in &of_credentials {
        let tokens = report_of_credential(report, client_id, finds).await?;
        let before = if policy == Policy::Revoke { Outcome::EndedBefore } else { Outcome::LeftToPeople };
        reported.add(ends, tokens);
        reported.add(before, finds.tokens.len() - tokens);
    }
    reported.incident = report.filing.number();
    Ok(reported)
}

/// What a report holds of one credential.
#[derive(Default)]
struct CredentialFinds {
    secrets: Vec<SecretHash>,
    /// Access tokens, and when they expire.
    tokens: Vec<(TokenId, Timestamp)>,
    /// Whether one of its secrets is live.
    works: bool,
}

impl Report<'_> {
    /// Whether a report of this secret has a consequence: most reports of a known secret repeat an earlier one, and
    /// need no write permit.
    fn says_something_of(&self, secret: &ClientSecret) -> bool {
        let is_done = secret.revoked_at.is_some() || self.policy == Policy::Alert;
        let says_nothing_new = self.place.is_none() || secret.leaked_where.is_some();
        !(secret.leaked_at.is_some() && is_done && says_nothing_new)
    }
}

/// Whether a credential that was reported before works and is in no incident that is not closed. Otherwise there is
/// nothing to write, and the answer names its incident.
async fn is_forgotten(report: Report<'_>, client_id: &ClientId, finds: &CredentialFinds) -> Result<bool> {
    let store = &report.context.store;
    let Some(credential) = store::credential::find(store, client_id).await? else { return Ok(false) };
    if report.within.is_some_and(|authority| authority.require(&credential.team, Role::Member).is_err()) {
        return Ok(false);
    }
    let works = finds.works && credential.is_open();
    Ok(match records::of_item(store, Target::Credential, client_id.as_str()).await? {
        Some((number, is_closed)) if !works || !is_closed => {
            report.filing.show(number);
            false
        }
        _ => works,
    })
}

/// Handles what a report holds of one credential. Its tokens end in the ledger, also while the credential is disabled.
/// Where people decide, nothing ends, and a token that was reported before adds nothing. Returns how many of the tokens
/// were not reported or ended before.
async fn report_of_credential(report: Report<'_>, client_id: &ClientId, finds: &CredentialFinds) -> Result<usize> {
    let Report { context, actor, place, policy, within, filing } = report;
    if finds.secrets.is_empty() && finds.tokens.is_empty() && !is_forgotten(report, client_id, finds).await? {
        return Ok(0);
    }
    let ends = policy == Policy::Revoke;
    let mut change = context.begin_change().await?;
    let now = change.now();
    let credential = store::credential::find(&mut change, client_id).await?.ok_or(CredentialError::NotFound)?;
    if within.is_some() && change.authority(actor).await?.require(&credential.team, Role::Member).is_err() {
        return Ok(0);
    }
    let (mut secrets, mut tokens, mut revoked) = (Vec::new(), Vec::new(), false);
    for hash in &finds.secrets {
        let found = store::credential::secret_by_hash(&mut change, hash).await?;
        let Some((_, secret)) = found.filter(|(_, secret)| report.says_something_of(secret)) else { continue };
        store::credential::mark_leaked(&mut change, &secret.id, place, now).await?;
        if ends && secret.revoked_at.is_none() {
            let id = AuthenticatorId::Secret(secret.id.clone());
            store::credential::authenticators::end(&mut change, &id, now).await?;
            revoked = true;
        }
        secrets.push(secret.id.to_string());
    }
    for (jti, expires_at) in &finds.tokens {
        let is_new = match policy {
            Policy::Revoke => store::token::ledger::revoke_token(&mut change, jti, now).await?,
            Policy::Alert => store::incident::leak::mark_token(&mut change, jti, *expires_at).await?,
        };
        tokens.extend(is_new.then(|| jti.to_string()));
        revoked |= is_new && ends;
    }
    if secrets.is_empty() && tokens.is_empty() {
        let (thing, works) = (Leaked::of(&credential, "secret"), finds.works && credential.is_open());
        if let Some(opened) = filing.add_if_forgotten(&mut change, place, &thing, works).await? {
            change.commit(actor, &opened).await?;
        }
        return Ok(0);
    }
    let what = match (secrets.is_empty(), tokens.is_empty()) {
        (false, false) => "secret and token",
        (false, true) => "secret",
        (true, _) => "token",
    };
    let new_tokens = tokens.len();
    update_ends(&mut change, &credential).await?;
    let (incident, opened) = filing.add(&mut change, place, &Leaked::of(&credential, what)).await?;
    for (kind, ids) in [("secret", &secrets), ("token", &tokens)] {
        for id in ids {
            records::add_mark(&mut change, incident, kind, id).await?;
        }
    }
    let mut details = Map::new();
    for (one, all, ids) in [("secret", "secrets", secrets), ("token", "tokens", tokens)] {
        if let Some(first) = ids.first() {
            details.insert(one.to_owned(), json!(first));
        }
        if ids.len() > 1 {
            details.insert(all.to_owned(), json!(ids));
        }
    }
    details.insert("found_at".to_owned(), json!(place));
    details.insert("revoked".to_owned(), json!(revoked));
    details.insert("incident".to_owned(), json!(incident));
    let leaked = credential.event(Action::CredentialLeaked).with(Value::Object(details));
    let events: Vec<Event> = [leaked].into_iter().chain(opened).collect();
    change.commit_all(actor, &events).await?;
    tracing::warn!(%client_id, revoked, "secrets or tokens of a credential were reported as leaked");
    Ok(new_tokens)
}
