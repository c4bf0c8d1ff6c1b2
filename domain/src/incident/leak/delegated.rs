//! Leaks of secrets and tokens that act for people: refresh and access tokens of apps, personal tokens, secrets of
//! clients, device codes.

use serde_json::json;

use crate::base::id::{PersonId, TokenId};
use crate::client;
use crate::client::consent;
use crate::client::device;
use crate::client::personal_token;
use crate::crypto::secret::{PlainSecret, SecretHash, SecretKind};
use crate::incident::leak::report::Outcome;
use crate::incident::record::filing::{Filing, Leaked};
use crate::model::client::consent::ListedConsent;
use crate::model::client::device::DeviceRequest;
use crate::model::client::personal_token::ListedToken;
use crate::model::client::{AppClient, ClientKind};
use crate::model::incident::Policy;
use crate::model::person::authority::Authority;
use crate::prelude::{Action, Actor, Context, Event, Fault, Target, Timestamp};
use crate::store;
use crate::store::client::consent::ConsentTokenRef;
use crate::store::incident::leak::Table;

/// What the text leaks.
#[derive(Debug, Clone)]
pub enum LeakSubject {
    /// A personal token.
    PersonalToken(ListedToken),
    /// A refresh token or an access token of a consent.
    Consent(ListedConsent),
    /// The secret of a client. Alone it gives no access: it only authenticates the client that redeems a code or a
    /// refresh token.
    Client(AppClient),
    /// The token with which this client manages its registration. It gives no access to an MCP server, but says where
    /// the client's answers go.
    Registration(AppClient),
    /// The device code of a request that was not redeemed, and its client, if that was ever read.
    Device(Box<DeviceRequest>, Option<AppClient>),
}

/// A leaked secret or token that acts for people.
#[derive(Debug, Clone)]
pub struct DelegatedLeak {
    /// What the secret or token belongs to.
    pub found: LeakSubject,
    /// Whether a reader of the text can use it.
    pub works: bool,
}

impl DelegatedLeak {
    /// The identifier of the thing that leaked.
    pub fn id(&self) -> &str {
        match &self.found {
            LeakSubject::PersonalToken(listed) => listed.token.id.as_str(),
            LeakSubject::Consent(listed) => listed.consent.id.as_str(),
            LeakSubject::Client(client) | LeakSubject::Registration(client) => client.id.as_str(),
            LeakSubject::Device(request, _) => request.client_id.as_str(),
        }
    }

    /// What distinguishes it from everything else that leaked: a client may have several requests.
    pub(super) fn key(&self) -> &str {
        match &self.found {
            LeakSubject::Device(request, _) => &request.hash,
            _ => self.id(),
        }
    }

    /// Whether `authority` may see and end it. Administrators may do so for everything, a person only for what acts for
    /// them.
    pub(crate) fn is_seen_by(&self, authority: &Authority) -> bool {
        authority.person().is_ok_and(|seen| seen.is_none() || seen == self.person())
    }

    /// For whom it acts.
    fn person(&self) -> Option<&PersonId> {
        match &self.found {
            LeakSubject::PersonalToken(listed) => Some(&listed.token.person),
            LeakSubject::Consent(listed) => Some(&listed.consent.person),
            LeakSubject::Device(request, _) => request.person.as_ref(),
            LeakSubject::Client(_) | LeakSubject::Registration(_) => None,
        }
    }
}

/// Finds what `secret` belongs to. It is not the secret of a credential.
pub(crate) async fn find(
    context: &Context,
    kind: SecretKind,
    secret: &PlainSecret,
    now: Timestamp,
) -> Result<Option<DelegatedLeak>, Fault> {
    let hash = secret.hash(&context.keys.pepper);
    Ok(match kind {
        SecretKind::Client => {
            let found = client::find_by_secret(context, &hash).await?;
            found.map(|client| DelegatedLeak { found: LeakSubject::Client(client), works: true })
        }
        SecretKind::PersonalToken => {
            store::client::personal_token::find_by_hash(&context.store, &hash).await?.map(|listed| DelegatedLeak {
                works: listed.token.is_live(now) && !listed.is_person_disabled,
                found: LeakSubject::PersonalToken(listed),
            })
        }
        SecretKind::RefreshToken => {
            let works = store::client::consent::is_usable(&context.store, &hash, now).await?;
            of_consent(context, ConsentTokenRef::RefreshToken(&hash), works).await?
        }
        SecretKind::RegistrationToken => {
            let found = store::client::find_by_registration(&context.store, &hash).await?;
            found.map(|client| DelegatedLeak { found: LeakSubject::Registration(client), works: true })
        }
        SecretKind::DeviceCode => of_device(context, &hash, now).await?,
        // A code is used up or expires within a minute.
        SecretKind::AuthorizationCode => None,
    })
}

/// The request of this device code. After it was redeemed: the consent, which ends when the code is used again.
async fn of_device(context: &Context, hash: &SecretHash, now: Timestamp) -> Result<Option<DelegatedLeak>, Fault> {
    let Some(request) = store::client::device::find(&context.store, hash.as_str()).await? else { return Ok(None) };
    if request.consent.is_some() {
        return of_consent(context, ConsentTokenRef::DeviceCode(hash), true).await;
    }
    let client = client::find(context, &request.client_id).await?;
    let works = request.is_live(now);
    Ok(Some(DelegatedLeak { found: LeakSubject::Device(Box::new(request), client), works }))
}

/// Whether the secret is an authorization code that is still stored. Such a code is ours, and expires within its
/// minute.
pub(crate) async fn is_code(context: &Context, kind: SecretKind, secret: &PlainSecret) -> Result<bool, Fault> {
    Ok(kind == SecretKind::AuthorizationCode
        && store::client::consent::is_known(&context.store, &secret.hash(&context.keys.pepper)).await?)
}

/// The consent of this token; `works` says whether the token itself is still accepted.
pub(crate) async fn of_consent(
    context: &Context,
    token: ConsentTokenRef<'_>,
    works: bool,
) -> Result<Option<DelegatedLeak>, Fault> {
    let found = store::client::consent::find_by(&context.store, token).await?;
    let now = context.now();
    Ok(found.map(|listed| DelegatedLeak {
        works: works && listed.consent.is_live(now),
        found: LeakSubject::Consent(listed),
    }))
}

/// A report or a search of a text, and the record that it leads to.
#[derive(Clone, Copy)]
pub(crate) struct Report<'report> {
    pub context: &'report Context,
    /// Who reports it.
    pub actor: &'report Actor,
    /// Where the text was found, as the reporter says.
    pub place: Option<&'report str>,
    /// What happens to what works.
    pub policy: Policy,
    /// Whose findings are left out: what this authority may not end. `None`: of nobody, because possession is proof.
    pub within: Option<&'report Authority>,
    /// The incident of the text.
    pub filing: &'report Filing<'report>,
}

/// Takes a report of an access token of a consent; the token has not expired. Only this token ends; the app can get
/// another.
pub(crate) async fn report_token(report: Report<'_>, jti: &TokenId) -> Result<Outcome, Fault> {
    let Report { context, actor, place, policy, .. } = report;
    let leak = of_consent(context, ConsentTokenRef::AccessToken(jti), true).await?.filter(|leak| leak.works);
    if !leak.as_ref().is_none_or(|leak| report.concerns(leak)) {
        return Ok(Outcome::LeftToPeople);
    }
    let says_something = match policy {
        Policy::Revoke => consent::end_token(context, actor, jti, place).await?,
        Policy::Alert => true,
    };
    if let Some(leak) = leak.filter(|_| says_something) {
        note(report, &leak, Some(jti)).await?;
    }
    tracing::warn!(revoked = policy == Policy::Revoke, "a token of an app was reported as leaked");
    Ok(match policy {
        Policy::Revoke if says_something => Outcome::Stopped,
        Policy::Revoke => Outcome::EndedBefore,
        Policy::Alert => Outcome::LeftToPeople,
    })
}

/// Takes a report of `secret`, which is not the secret of a credential. `None` when it is not ours.
pub(crate) async fn report(
    report: Report<'_>,
    kind: SecretKind,
    secret: &PlainSecret,
) -> Result<Option<Outcome>, Fault> {
    let Report { context, actor, place, policy, within, .. } = report;
    let Some(leak) = find(context, kind, secret, context.now()).await? else {
        // A code ends by itself within its minute.
        return Ok(is_code(context, kind, secret).await?.then_some(Outcome::EndedBefore));
    };
    if !leak.works {
        return Ok(Some(Outcome::EndedBefore));
    }
    if !report.concerns(&leak) {
        return Ok(Some(Outcome::LeftToPeople));
    }
    // A registration token ends whatever the policy is. Programs need it to manage the registration and for nothing
    // else. Rejected: to mark it as leaked. It would need a mark of its own: the mark of a client is about its secret.
    // The request of a device ends too. It lives for ten minutes, and its person can start again. A search ends
    // nothing.
    let ends = within.is_none() && matches!(leak.found, LeakSubject::Registration(_) | LeakSubject::Device(..));
    let policy = if ends { Policy::Revoke } else { policy };
    note(Report { policy, ..report }, &leak, None).await?;
    let revoked = policy == Policy::Revoke;
    if revoked {
        end(context, actor, &leak, place).await?;
    }
    tracing::warn!(id = leak.id(), revoked, "something that acts for people was reported as leaked");
    Ok(Some(if revoked { Outcome::Stopped } else { Outcome::LeftToPeople }))
}

/// Ends the leaked secret or token, and everything that can be obtained with it.
pub async fn end(context: &Context, actor: &Actor, leak: &DelegatedLeak, place: Option<&str>) -> Result<(), Fault> {
    match &leak.found {
        LeakSubject::PersonalToken(listed) => personal_token::end_leaked(context, actor, &listed.token, place).await,
        LeakSubject::Consent(listed) => consent::end_leaked(context, actor, listed, place).await,
        LeakSubject::Client(client) => client::end_secret(context, actor, &client.id, place).await,
        LeakSubject::Registration(client) => client::end_registration(context, actor, &client.id, place).await,
        LeakSubject::Device(request, _) => device::end_leaked(context, actor, request, place).await,
    }
}

/// Records that a working secret or token leaked. With [`Policy::Alert`] people decide what to do: the thing is marked
/// as leaked, and a second report adds no entry. With [`Policy::Revoke`] the thing ends, so a second report finds that
/// it does not work.
async fn note(report: Report<'_>, leak: &DelegatedLeak, jti: Option<&TokenId>) -> Result<(), Fault> {
    let Report { context, actor, place, policy, filing, .. } = report;
    let person = leak.person();
    let (target, name, table) = match &leak.found {
        LeakSubject::PersonalToken(listed) => (Target::PersonalToken, &listed.token.name, Table::PersonalTokens),
        LeakSubject::Consent(listed) => (Target::Consent, &listed.client_name, Table::Consents),
        LeakSubject::Client(client) | LeakSubject::Registration(client) | LeakSubject::Device(_, Some(client)) => {
            (Target::Client, &client.name, Table::Clients)
        }
        // Anybody can ask for such a code, in the name of any document: it tells nobody anything.
        LeakSubject::Device(_, None) => return Ok(()),
    };
    let mut change = context.begin_change().await?;
    let now = change.now();
    let of = person.map_or("", PersonId::as_str);
    let thing =
        leak.what_people_handle().map(|what| Leaked { kind: target, id: leak.id(), name, of, person, what, jti });
    // What has an incident is marked also when it ends in the next change: until then it works, and the incident is
    // open. A token that ended alone marks nothing: the rest of the access stays.
    let unmarked = policy == Policy::Revoke && (jti.is_some() || thing.is_none());
    let is_new = unmarked || store::incident::leak::mark(&mut change, table, leak.id(), now).await?;
    if policy == Policy::Alert && !is_new {
        let Some(thing) = &thing else { return Ok(()) };
        let opened = filing.add_again(&mut change, place, thing).await?;
        let events: Vec<Event> = opened.into_iter().collect();
        return change.commit_all(actor, &events).await.map(drop);
    }
    let (mut incident, mut opened) = (None, None);
    if let Some(thing) = &thing {
        let (number, event) = filing.add(&mut change, place, thing).await?;
        (incident, opened) = (Some(number), event);
    }
    let mut event = Event::new(Action::LeakReported, target, leak.id(), name).with(json!({
        "person": person.map(PersonId::as_str),
        "found_at": place,
        "revoked": policy == Policy::Revoke,
        "incident": incident,
    }));
    event.person = person.cloned();
    match &leak.found {
        LeakSubject::Client(client) | LeakSubject::Registration(client) | LeakSubject::Device(_, Some(client))
            if opened.is_none() =>
        {
            client::commit(change, actor, client, &event).await
        }
        _ => {
            let events: Vec<Event> = [event].into_iter().chain(opened).collect();
            change.commit_all(actor, &events).await.map(drop)
        }
    }
}

impl DelegatedLeak {
    /// What of it leaked, as an incident names it. `None`: it opens no incident. Anybody can register a client or begin
    /// the request of a device, and report their own secret: such reports must not fill the list of incidents.
    fn what_people_handle(&self) -> Option<&'static str> {
        match &self.found {
            LeakSubject::PersonalToken(_) | LeakSubject::Consent(_) => Some("token"),
            LeakSubject::Client(client) if client.kind != ClientKind::Dynamic => Some("secret"),
            LeakSubject::Client(_) | LeakSubject::Registration(_) | LeakSubject::Device(..) => None,
        }
    }
}

impl Report<'_> {
    /// Whether it concerns this leak: a search leaves out what the person may not end.
    fn concerns(&self, leak: &DelegatedLeak) -> bool {
        self.within.is_none_or(|authority| leak.is_seen_by(authority))
    }
}
