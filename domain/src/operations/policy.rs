//! Policies: reading and changing them, who does not comply, and the review of credentials by their teams.

use serde_json::json;

use crate::base::id::ClientId;
use crate::model::actor::Actor;
use crate::model::operations::policy::{
    Policies, Policy, PolicyMode, PolicyName, PolicyTerms, Words, lacks_second_factor,
};
use crate::model::person::Person;
use crate::model::person::authority::{Authority, Role};
use crate::person::manage;
use crate::prelude::{
    Action, Changes, Context, Event, Fault, FieldError, Target, Timestamp, operation_error, through_denied,
};
use crate::store;
use crate::store::operations::policy;

pub use crate::store::operations::policy::Affected;

/// How many credentials or people a page lists.
const MOST_LISTED: i64 = 50;
/// How many credentials one run of the server disables, in one change each.
const MOST_AT_ONCE: i64 = 100;

operation_error! {
    /// Why a policy was not changed, or a credential not confirmed.
    pub enum PolicyError: Invalid {
        /// There is no such thing, or the actor may not see it.
        #[error("there is no such policy or credential")]
        NotFound,
        /// The actor may see it, but lacks the role.
        #[error("the role does not allow it")]
        Forbidden,
    }
}

through_denied!(PolicyError);

/// What does not comply with a policy.
#[derive(Debug, Default)]
pub struct NotComplying {
    /// The first of the credentials.
    pub credentials: Vec<Affected>,
    /// The first of the people.
    pub people: Vec<Person>,
    /// How many there are. Credentials are counted up to 1,000; a larger number means more than that.
    pub count: i64,
}

/// All policies.
///
/// # Errors
///
/// The database does not answer.
pub async fn all(context: &Context) -> Result<Policies, Fault> {
    Ok(policy::all(&context.store).await?)
}

/// What does not comply with this policy, whether it holds or not: the credentials that work, or the people who may
/// sign in. For reviews: the credentials that their teams should have confirmed by now.
///
/// # Errors
///
/// The database does not answer.
pub async fn not_complying(context: &Context, policy: &Policy) -> Result<NotComplying, Fault> {
    let is_concerned = |person: &Person, authority: &Authority| match policy.name {
        PolicyName::SecondFactor => lacks_second_factor(&policy.terms, person, authority),
        PolicyName::Generation => {
            matches!(authority, Authority::Person { roles, .. } if roles.values().any(|role| *role == Role::Member))
        }
        _ => false,
    };
    if matches!(policy.name, PolicyName::SecondFactor | PolicyName::Generation) {
        let mut people = Vec::new();
        for listed in manage::list(context).await?.into_iter().filter(|one| one.person.disabled_at.is_none()) {
            let authority = match listed.person.administrator_since {
                Some(_) => Authority::Everything,
                None => Authority::Person {
                    id: listed.person.id.clone(),
                    roles: listed.teams.into_iter().map(|own| (own.team.id, own.role)).collect(),
                },
            };
            if is_concerned(&listed.person, &authority) {
                people.push(listed.person);
            }
        }
        let count = i64::try_from(people.len()).unwrap_or(i64::MAX);
        people.truncate(MOST_LISTED as usize);
        return Ok(NotComplying { credentials: Vec::new(), people, count });
    }
    let mut asked = policy.clone();
    if policy.name == PolicyName::AddressRanges {
        // A scope that implies one of these gives it too.
        for server in store::server::list(&context.store).await? {
            let giving = policy
                .terms
                .words
                .iter()
                .flat_map(|word| server.giving(word).iter().map(str::to_owned).collect::<Vec<_>>());
            asked.terms.words.extend(giving);
        }
    }
    let (credentials, count) = policy::affected(&context.store, &asked, context.now(), MOST_LISTED).await?;
    Ok(NotComplying { credentials, people: Vec::new(), count })
}

/// What an administrator wants of a policy.
#[derive(Debug, Clone)]
pub struct PolicyEdit {
    /// Which one.
    pub name: PolicyName,
    /// Whether it holds.
    pub mode: PolicyMode,
    /// What it says.
    pub terms: PolicyTerms,
    /// Whether the administrator has read what does not comply.
    pub accepts: bool,
}

/// Changes a policy. Returns the policy, and whether anything changed.
///
/// # Errors
///
/// [`PolicyError::NotFound`] unless the actor is an administrator. An error at `accept` when the policy is enforced,
/// something does not comply, and the administrator has not said that they know.
pub async fn set(context: &Context, actor: &Actor, edit: &PolicyEdit) -> Result<(Policy, bool), PolicyError> {
    let mut change = context.begin_change().await?;
    change.authority(actor).await?.require_administrator()?;
    let before = policy::all(&mut change).await?.get(edit.name);
    let now = change.now();
    let mut terms = edit.terms.clone();
    if edit.mode == PolicyMode::Off && terms.check(edit.name, &store::server::list(&mut change).await?).is_err() {
        // A policy that is off keeps what it said: nobody need put right what does not hold.
        terms = before.terms.clone();
    }
    if edit.mode != PolicyMode::Off {
        terms.check(edit.name, &store::server::list(&mut change).await?)?;
        let teams = store::person::team::list(&mut change, None).await?;
        // The rule of a team that was removed since hinders no other change.
        terms.teams.retain(|team, _| teams.iter().any(|known| known.id == *team));
    }
    let enforced_at = match (edit.mode, before.mode) {
        // What a shorter review disables has its days of grace from now on, too.
        (PolicyMode::Enforce, PolicyMode::Enforce) if before.terms == terms => before.enforced_at,
        (PolicyMode::Enforce, _) => Some(now),
        _ => None,
    };
    let after =
        Policy { name: edit.name, mode: edit.mode, terms, enforced_at, changed: Some((now, actor.name().to_owned())) };
    if (before.mode, &before.terms) == (after.mode, &after.terms) {
        return Ok((before, false));
    }
    let mut details = changes(&before, &after);
    if after.mode == PolicyMode::Enforce {
        let found = not_complying(context, &after).await?;
        if found.count > 0 && !edit.accepts {
            let message = format!("{} Confirm that you have read this.", consequence(&after, found.count));
            return Err(FieldError::new("accept", message).into());
        }
        details.add("not_complying", json!(found.count));
    }
    policy::set(&mut change, &after, actor.name(), now).await?;
    let event = Event::new(Action::PolicyChanged, Target::Policy, edit.name.as_str(), edit.name.as_str());
    change.commit(actor, &event.with(details.into())).await?;
    Ok((after, true))
}

/// What enforcing means for what does not comply, in words.
pub fn consequence(policy: &Policy, count: i64) -> String {
    let many =
        if count > policy::MOST_COUNTED { format!("More than {}", policy::MOST_COUNTED) } else { count.to_string() };
    let one_or = |one: &'static str, several: &'static str| if count == 1 { one } else { several };
    match policy.name {
        PolicyName::SecondFactor => format!(
            "{many} {} no second factor, and must add one at the next page that they open. Their apps and personal \
             tokens go on working.",
            one_or("person has", "people have")
        ),
        PolicyName::Generation => format!(
            "{many} {}, and must ask a manager from now on.",
            one_or("person is a member of a team", "people are members of a team")
        ),
        PolicyName::Review => format!(
            "{many} {} confirmed in time. Each is disabled in 14 days unless its team confirms it.",
            one_or("credential was not", "credentials were not")
        ),
        _ => format!(
            "{many} {}. The policy refuses what is generated, rotated or changed from now on.",
            one_or("credential does not comply. It keeps working", "credentials do not comply. They keep working")
        ),
    }
}

/// What changes of a policy, for the audit log.
fn changes(before: &Policy, after: &Policy) -> Changes {
    let mut changes = Changes::default();
    changes.note("mode", before.mode.as_str(), after.mode.as_str());
    if after.name.limits().is_some() {
        changes.note("limit", before.terms.limit, after.terms.limit);
    }
    if after.name.words() != Words::None {
        changes.note("words", &before.terms.words, &after.terms.words);
    }
    let by_team = |policy: &Policy| {
        let line = |(team, words): (&_, &std::collections::BTreeSet<String>)| {
            format!("{team}: {}", words.iter().map(String::as_str).collect::<Vec<_>>().join(" "))
        };
        policy.terms.teams.iter().map(line).collect::<Vec<_>>()
    };
    changes.note("teams", by_team(before), by_team(after));
    changes
}

/// What a team still has to confirm.
#[derive(Debug, Default)]
pub struct ReviewState {
    /// The policy, unless it is off.
    pub policy: Option<Policy>,
    /// The credentials that work and were not confirmed in time, those of long ago first.
    pub due: Vec<Affected>,
    /// Whether there are more.
    pub more: bool,
}

/// The credentials of the teams that `authority` sees and that were not confirmed in time.
///
/// # Errors
///
/// The database does not answer.
pub async fn review(context: &Context, authority: &Authority) -> Result<ReviewState, Fault> {
    let policy = policy::all(&context.store).await?.get(PolicyName::Review);
    if policy.mode == PolicyMode::Off {
        return Ok(ReviewState::default());
    }
    // The page shows the last use.
    context.rollup.flush().await;
    let now = context.now();
    let most = MOST_LISTED * 2;
    let mut due = policy::unconfirmed(&context.store, authority.key(), latest(&policy, now), now, most + 1).await?;
    let more = due.len() > most as usize;
    due.truncate(most as usize);
    Ok(ReviewState { policy: Some(policy), due, more })
}

/// How many credentials of the teams that `authority` sees were not confirmed in time, up to 1,001.
///
/// # Errors
///
/// The database does not answer.
pub async fn count_unconfirmed(context: &Context, authority: &Authority) -> Result<i64, Fault> {
    let policy = policy::all(&context.store).await?.get(PolicyName::Review);
    if policy.mode == PolicyMode::Off {
        return Ok(0);
    }
    // Where all of very many credentials were confirmed, the count reads all of them. Each confirmation writes an audit
    // entry, so the count is kept until the next one.
    let (seq, _) = store::audit::head(&context.store).await?;
    let (store, now, key) = (context.store.clone(), context.now(), authority.key().map(str::to_owned));
    let before = latest(&policy, now);
    let kept = format!("{seq} {}", key.as_deref().unwrap_or_default());
    let count = async move { policy::count_unconfirmed(&store, key.as_deref(), before, now).await };
    Ok(context.unconfirmed.get(&kept, now, count).await?)
}

/// Credentials that were confirmed or generated up to this moment are due.
fn latest(policy: &Policy, now: Timestamp) -> Timestamp {
    now.minus(policy.review_due(now).since(now))
}

/// The review of one credential; `None` while the policy is off.
pub struct ReviewOf {
    /// When its team should have confirmed it, or should confirm it.
    pub due: Timestamp,
    /// When it is disabled unless the team confirms it; `None`: it is not.
    pub disabled_at: Option<Timestamp>,
    /// When it was confirmed last, and by whom.
    pub confirmed: Option<(Timestamp, String)>,
}

/// The review of this credential, which was generated at that moment.
///
/// # Errors
///
/// The database does not answer.
pub async fn review_of(
    context: &Context,
    client_id: &ClientId,
    created_at: Timestamp,
) -> Result<Option<ReviewOf>, Fault> {
    let policy = policy::all(&context.store).await?.get(PolicyName::Review);
    if policy.mode == PolicyMode::Off {
        return Ok(None);
    }
    let confirmed = policy::confirmation(&context.store, client_id).await?;
    let due = policy.review_due(confirmed.as_ref().map_or(created_at, |(at, _)| *at));
    Ok(Some(ReviewOf { due, disabled_at: policy.disabled_at(due), confirmed }))
}

/// Confirms that these credentials are still needed. Returns how many were confirmed: revoked ones are left out.
///
/// # Errors
///
/// [`PolicyError::NotFound`] or [`PolicyError::Forbidden`] when the actor is not a member of the team of one of them;
/// then nothing is changed.
pub async fn confirm(context: &Context, actor: &Actor, ids: &[ClientId]) -> Result<usize, PolicyError> {
    if ids.is_empty() {
        return Err(FieldError::new("credentials", "Choose at least one credential.").into());
    }
    let mut change = context.begin_change().await?;
    let authority = change.authority(actor).await?;
    let now = change.now();
    let mut events = Vec::new();
    for id in ids {
        let credential = store::credential::find(&mut change, id).await?.ok_or(PolicyError::NotFound)?;
        authority.require(&credential.team, Role::Member)?;
        if credential.revoked_at.is_none() {
            policy::confirm(&mut change, id, actor.name(), now).await?;
            events.push(credential.event(Action::CredentialConfirmed));
        }
    }
    change.commit_all(actor, &events).await?;
    Ok(events.len())
}

/// Disables the credentials that nobody confirmed in time and within the days of grace until `now`, if the policy is
/// enforced. Returns how many.
///
/// # Errors
///
/// The database does not answer. What was disabled before stays disabled.
pub(crate) async fn disable_unconfirmed(context: &Context, now: Timestamp) -> Result<usize, Fault> {
    let policy = policy::all(&context.store).await?.get(PolicyName::Review);
    let Some(earliest) = policy.disabled_at(Timestamp::from_millis(0)) else { return Ok(0) };
    if earliest > now {
        return Ok(0);
    }
    let before = latest(&policy, now.minus(crate::model::operations::policy::GRACE));
    let mut disabled = 0;
    for found in policy::unconfirmed(&context.store, None, before, now, MOST_AT_ONCE).await? {
        let mut change = context.begin_change().await?;
        // Somebody may have confirmed or stopped it since, or changed the policy.
        let still = policy::all(&mut change).await?.get(PolicyName::Review) == policy;
        let confirmed = policy::confirmation(&mut change, &found.client_id).await?;
        let credential = store::credential::find(&mut change, &found.client_id).await?;
        let credential = credential.filter(|one| one.revoked_at.is_none() && one.disabled_at.is_none());
        let Some(credential) = credential.filter(|_| still && confirmed.is_none_or(|(at, _)| at <= before)) else {
            continue;
        };
        store::credential::set_disabled(&mut change, &credential.client_id, Some(now)).await?;
        let details = json!({ "cause": "unconfirmed", "confirmed_at": found.confirmed_at.rfc3339() });
        change.commit(&Actor::system(), &credential.event(Action::CredentialDisabled).with(details)).await?;
        disabled += 1;
    }
    Ok(disabled)
}
