//! Assertions (RFC 7521, RFC 7523): JWTs that authenticate a client, or that are the grant. One function verifies both
//! kinds: assertions that a client signs with its own key, and tokens that another issuer (a CI system, a cluster, a
//! cloud) signed for a workload.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::base::id::{AppClientId, AuthenticatorId, ClientId};
use crate::crypto::jws::{UncheckedJws, numeric_date, text};
use crate::crypto::public_key::PublicKey;
use crate::model::client::AppClient;
use crate::model::client::keys::KeySource;
use crate::model::credential::federated::FederatedIdentity;
use crate::model::credential::key::KeysAt;
use crate::model::token::SingleUse;
use crate::prelude::{Context, Fault, Timestamp, through_fault};
use crate::services::issuer_keys::{ClientKeys, IssuerKeysError};
use crate::store;
use crate::token::published_keys::Signer;

/// The largest accepted difference between two clocks.
const SKEW: Duration = Duration::from_secs(30);
/// The furthest end of an assertion that a client signs. We must remember its use until then.
const LONGEST_LIFE: Duration = Duration::from_secs(600);
/// The longest life of an assertion of another issuer.
const LONGEST_FEDERATED_LIFE: Duration = Duration::from_secs(24 * 3600);
/// The longest `jti` that is remembered.
const LONGEST_JTI: usize = 128;
/// Keys that ended within this time are still recognised, so that the refusal can say why the key ended.
const ENDED_KEYS: Duration = Duration::from_secs(30 * 24 * 3600);

/// How an assertion is used in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssertionPurpose {
    /// As `client_assertion`: it authenticates the client (RFC 7523 §2.2).
    ClientAuthentication,
    /// As `assertion`: it is the grant (RFC 7523 §2.1).
    Grant,
}

/// A verified assertion. The issuing transaction decides whether its client may do anything.
#[derive(Debug)]
pub struct VerifiedAssertion {
    /// The client.
    pub client_id: ClientId,
    /// The key or the identity that it was made with.
    pub authenticator: AuthenticatorId,
    /// The identifier that must not be used twice. Absent for tokens of other issuers, which may be used several times.
    pub single_use: Option<SingleUse>,
}

/// Why an assertion proves nothing.
#[derive(Debug)]
pub enum AssertionError {
    /// The request's `client_id` is not the assertion's subject.
    OtherClient,
    /// The assertion is not acceptable.
    Rejected {
        /// The credential that the assertion concerns, if it is known.
        client_id: Option<ClientId>,
        /// What was wrong: names of claims and the expected values, but nothing of the assertion itself.
        detail: String,
        /// What is told besides. Only after the signature was verified.
        mismatch: Option<ClaimMismatch>,
    },
    /// The assertion was used before.
    Replayed {
        /// The credential that it is of.
        client_id: ClientId,
    },
    /// The keys of the issuer are not available, so the assertion cannot be checked.
    NoKeys {
        /// The credential that the assertion concerns.
        client_id: ClientId,
        /// Why there are no keys.
        detail: String,
    },
    /// A fault of ours.
    Fault(Fault),
}

through_fault!(AssertionError);

/// A claim of an assertion with a good signature that is not what it must be.
#[derive(Debug)]
pub enum ClaimMismatch {
    /// The audience must be this server's issuer, which is public. The client may be told.
    Audience,
    /// The same, and the audience was the token endpoint. The credential can accept it, if its managers choose so.
    TokenEndpoint,
    /// The assertion ends too late. The limit is public. The client may be told.
    Lifetime,
    /// Several credentials have the subject, so `client_id` is needed. The client may be told.
    ClientId,
    /// The subject or a condition. The text is what the token says of them, for the managers of the credential.
    Claims(String),
}

fn rejected(client_id: Option<&ClientId>, detail: impl Into<String>) -> AssertionError {
    AssertionError::Rejected { client_id: client_id.cloned(), detail: detail.into(), mismatch: None }
}

/// Verifies `assertion`. `client_id` is the request's parameter, if the request has one.
pub async fn verify(
    context: &Context,
    assertion: &str,
    client_id: Option<&str>,
    purpose: AssertionPurpose,
) -> Result<VerifiedAssertion, AssertionError> {
    let jws = UncheckedJws::parse(assertion).map_err(|problem| rejected(None, problem))?;
    let claims = jws.unchecked_claims();
    let (Some(iss), Some(sub)) = (text(claims, "iss"), text(claims, "sub")) else {
        return Err(rejected(None, "iss and sub must be text"));
    };
    // A client signs an assertion about itself. The name of another issuer may look like a client ID.
    let own = match ClientId::parse(iss).filter(|_| iss == sub || iss.starts_with(ClientId::PREFIX)) {
        None if iss == sub => of_document(context, iss).await?,
        own => own,
    };
    match own {
        Some(issuer) => by_own_key(context, &jws, issuer, client_id, purpose).await,
        None => by_other_issuer(context, &jws, iss, sub, client_id).await,
    }
}

/// The credential whose program publishes the document at the address `iss`.
async fn of_document(context: &Context, iss: &str) -> Result<Option<ClientId>, Fault> {
    match AppClientId::parse(iss).filter(|id| id.document().is_some()) {
        Some(id) => Ok(store::credential::of_document(&context.store, &id).await?),
        None => Ok(None),
    }
}

/// An assertion that the client signed with a registered key. Its `iss` names the client.
async fn by_own_key(
    context: &Context,
    jws: &UncheckedJws<'_>,
    client_id: ClientId,
    named: Option<&str>,
    purpose: AssertionPurpose,
) -> Result<VerifiedAssertion, AssertionError> {
    let reject = |detail: &str| rejected(Some(&client_id), detail);
    let now = context.now();
    let Some(owner) = context.ledger.keys(client_id.clone(), now.minus(ENDED_KEYS)).await? else {
        return Err(rejected(None, "no such client"));
    };
    // A credential that gets no tokens makes this server ask nobody. Its stored keys say whose assertion it is.
    let signer = match owner.keys_at.as_ref().filter(|_| !owner.is_stopped(now)) {
        Some(keys_at) => Signer::find(context, jws, &client_id, keys_at, &owner.keys).await?,
        None => jws.signed_by(owner.keys.iter().map(|(id, key)| (id, key))).cloned().map(Signer::Stored),
    };
    let unsigned = || reject("the signature is by none of the registered keys");
    let signer = signer.ok_or_else(unsigned)?;
    let claims = jws.unchecked_claims();
    // Only after the signature was verified: a stranger does not learn which documents are approved here.
    let is_name = |named: &str| named == client_id.as_str() || text(claims, "iss") == Some(named);
    if named.is_some_and(|named| !is_name(named)) {
        return Err(AssertionError::OtherClient);
    }
    // In the JWT bearer grant the assertion may name any subject. The token's subject is still the client.
    if purpose == AssertionPurpose::ClientAuthentication && claims.get("sub") != claims.get("iss") {
        return Err(reject("sub must be the client ID"));
    }
    let settings = &context.settings;
    let mut audiences = HashSet::from([settings.public_url.clone(), format!("{}/", settings.public_url)]);
    if owner.token_endpoint_audience {
        audiences.insert(settings.token_endpoint());
    }
    let audience = single_audience(claims);
    if !audience.is_some_and(|audience| audiences.contains(audience)) {
        let is_endpoint = audience == Some(settings.token_endpoint().as_str());
        return Err(AssertionError::Rejected {
            client_id: Some(client_id),
            detail: format!("aud must be {}", settings.public_url),
            mismatch: Some(if is_endpoint { ClaimMismatch::TokenEndpoint } else { ClaimMismatch::Audience }),
        });
    }
    let end = check_times(claims, now).map_err(|problem| reject(&problem))?;
    if let Err(problem) = check_lifetime(end, now) {
        let mismatch = Some(ClaimMismatch::Lifetime);
        return Err(AssertionError::Rejected { client_id: Some(client_id), detail: problem.to_owned(), mismatch });
    }
    let mut single_use = match owner.reusable_assertions {
        true => None,
        false => Some(single_use(claims, end, owner.restored_at).map_err(reject)?),
    };
    // A document may describe a client that acts for people too, or have been approved before: its assertions are used
    // up under its address, for all of these together.
    if let Some(document) = owner.keys_at.as_ref().and_then(KeysAt::document)
        && let Some(once) = single_use.take()
        && !use_up(context, document, &once).await?
    {
        return Err(AssertionError::Replayed { client_id });
    }
    let key = signer.stored(context, &client_id).await?.ok_or_else(unsigned)?;
    Ok(VerifiedAssertion { authenticator: AuthenticatorId::Key(key), client_id, single_use })
}

/// Uses an assertion of the client `name` up, in a transaction of its own. False: it was used before.
pub(crate) async fn use_up(context: &Context, name: &str, once: &SingleUse) -> Result<bool, Fault> {
    let mut transaction = context.store.begin_exchange().await?;
    let is_new = store::token::batch::use_assertion(&mut transaction, name, once).await?;
    transaction.commit().await?;
    Ok(is_new)
}

/// Checks the end of an assertion that a client signed.
fn check_lifetime(end: Timestamp, now: Timestamp) -> Result<(), &'static str> {
    match end.millis() > now.plus(LONGEST_LIFE).millis() {
        true => Err("exp must be within 10 minutes"),
        false => Ok(()),
    }
}

/// What must be remembered, so that the assertion is good once. `restored_at`: when a backup was restored, if one was.
fn single_use(
    claims: &Map<String, Value>,
    end: Timestamp,
    restored_at: Option<Timestamp>,
) -> Result<SingleUse, &'static str> {
    // After a restore, the database may not know any more that the assertion was used.
    let issued = numeric_date(claims, "iat").ok().flatten().unwrap_or(end.minus(LONGEST_LIFE));
    if restored_at.is_some_and(|restored| issued.seconds() < restored.seconds()) {
        return Err("it was issued before a backup was restored");
    }
    match text(claims, "jti") {
        Some(jti) if !jti.is_empty() && jti.len() <= LONGEST_JTI && !jti.contains(char::is_control) => {
            Ok(SingleUse { jti: jti.to_owned(), until: end.plus(SKEW) })
        }
        _ => Err("jti must be text of at most 128 printable characters"),
    }
}

/// Why the assertion of a client that acts for people proves nothing.
#[derive(Debug)]
pub enum AppAssertionError {
    /// The assertion is not acceptable. The text is for the log: it says nothing of the assertion itself.
    Rejected(String),
    /// The keys of the client are not available, so the assertion cannot be checked.
    NoKeys(String),
    /// A fault of ours.
    Fault(Fault),
}

through_fault!(AppAssertionError);

impl From<&str> for AppAssertionError {
    fn from(problem: &str) -> Self {
        Self::Rejected(problem.to_owned())
    }
}

/// Verifies an assertion with which a client that acts for people proves itself, by its keys. `jws` names the client in
/// `iss` and `sub`.
///
/// The audience may be our issuer or the token endpoint: the programs of other companies cannot be told which one we
/// like. A credential is stricter, because whoever made it can be told.
pub(crate) async fn verify_of_app(
    context: &Context,
    client: &AppClient,
    jws: &UncheckedJws<'_>,
) -> Result<SingleUse, AppAssertionError> {
    let now = context.now();
    let is_signed = match client.key_source() {
        None => return Err("the client has no keys".into()),
        Some(KeySource::Listed(set)) => {
            let keys = PublicKey::read_jwks(set).map_err(AppAssertionError::Rejected)?;
            jws.is_signed_by(&keys)
        }
        Some(KeySource::At(address)) => {
            let signed =
                context.issuer_keys.of_client_have_signed(&ClientKeys::of_client(client, address), jws, now).await;
            signed.map_err(|error| AppAssertionError::NoKeys(error.to_string()))?
        }
    };
    if !is_signed {
        return Err("the signature is by none of the keys of the client".into());
    }
    let claims = jws.unchecked_claims();
    if ["iss", "sub"].iter().any(|name| text(claims, name) != Some(client.id.as_str())) {
        return Err("iss and sub must be the client ID".into());
    }
    let settings = &context.settings;
    let accepted = [settings.public_url.clone(), format!("{}/", settings.public_url), settings.token_endpoint()];
    if !single_audience(claims).is_some_and(|audience| accepted.iter().any(|own| own == audience)) {
        return Err(AppAssertionError::Rejected(format!("aud must be {}", settings.public_url)));
    }
    let end = check_times(claims, now).map_err(AppAssertionError::Rejected)?;
    check_lifetime(end, now)?;
    // A restore ends every code and every consent, so an assertion from before it redeems nothing.
    Ok(single_use(claims, end, None)?)
}

/// A token that another issuer signed. With a `client_id`, the token must match an identity of that credential. Without
/// one, exactly one credential of all teams must have an identity with exactly this subject.
///
/// Rejected: to prefer the team that registered the subject first. That team may be the wrong one, and then it got the
/// programs of the other team: they acted with a credential that its managers control. Now they are refused.
async fn by_other_issuer(
    context: &Context,
    jws: &UncheckedJws<'_>,
    iss: &str,
    sub: &str,
    client_id: Option<&str>,
) -> Result<VerifiedAssertion, AssertionError> {
    let named = match client_id {
        Some(text) => Some(ClientId::parse(text).ok_or_else(|| rejected(None, "no such client"))?),
        None => None,
    };
    let candidates = match &named {
        Some(client_id) => store::credential::authenticators::identities_of(&context.store, client_id, iss).await?,
        None => {
            store::credential::authenticators::identities_with_subject(&context.store, iss, sub, context.now()).await?
        }
    };
    let mut owners: Vec<&ClientId> = candidates.iter().map(|identity| &identity.client_id).collect();
    owners.dedup();
    let owner = match owners.as_slice() {
        [owner] => *owner,
        [] => {
            return Err(rejected(named.as_ref(), "iss is none of the registered issuers, or sub none of its subjects"));
        }
        _ => return Err(ambiguous(context, jws, &candidates).await),
    };
    // The token is meant for the identity whose subject matches.
    let is_meant = |identity: &&FederatedIdentity| identity.has_subject(sub);
    let (meant, others): (Vec<_>, Vec<_>) = candidates.iter().partition(is_meant);
    let (mut problem, mut unavailable) = (None, None);
    for identity in meant.into_iter().chain(others) {
        match matches(context, jws, identity).await {
            Ok(()) => {
                let authenticator = AuthenticatorId::Federated(identity.id.clone());
                return Ok(VerifiedAssertion { client_id: owner.clone(), authenticator, single_use: None });
            }
            Err(Mismatch::Detail(detail, mismatch)) => problem = problem.or(Some((detail, mismatch))),
            Err(Mismatch::NoKeys(detail)) => unavailable = unavailable.or(Some(detail)),
        }
    }
    match unavailable {
        Some(detail) => Err(AssertionError::NoKeys { client_id: owner.clone(), detail }),
        None => {
            let (detail, mismatch) = problem.unwrap_or_default();
            Err(AssertionError::Rejected { client_id: Some(owner.clone()), detail, mismatch })
        }
    }
}

/// The refusal of a token that fits several credentials. Who has no such token does not learn that they exist.
async fn ambiguous(context: &Context, jws: &UncheckedJws<'_>, candidates: &[FederatedIdentity]) -> AssertionError {
    let mut mismatch = None;
    for identity in candidates {
        if mismatch.is_none() && is_signed(context, jws, identity).await.unwrap_or(false) {
            mismatch = Some(ClaimMismatch::ClientId);
        }
    }
    let detail = "several credentials have this iss and sub: send client_id".to_owned();
    AssertionError::Rejected { client_id: None, detail, mismatch }
}

enum Mismatch {
    Detail(String, Option<ClaimMismatch>),
    NoKeys(String),
}

async fn matches(context: &Context, jws: &UncheckedJws<'_>, identity: &FederatedIdentity) -> Result<(), Mismatch> {
    let signature = is_signed(context, jws, identity).await?;
    let wrong = |detail: String| Err(Mismatch::Detail(detail, None));
    if !signature {
        return wrong(format!("the signature is by none of the keys of {}", identity.issuer));
    }
    let claims = jws.unchecked_claims();
    if single_audience(claims) != Some(identity.audience.as_str()) {
        // Another audience than our issuer is known to the managers of the credential only.
        let is_public = identity.audience == context.settings.public_url;
        let detail = format!("aud must be {}", identity.audience);
        return Err(Mismatch::Detail(detail, is_public.then_some(ClaimMismatch::Audience)));
    }
    let now = context.now();
    let end = check_times(claims, now).map_err(|problem| Mismatch::Detail(problem, None))?;
    if end.millis() > now.plus(LONGEST_FEDERATED_LIFE).millis() {
        return wrong("exp must be within 24 hours".to_owned());
    }
    match identity.first_mismatch(claims) {
        Some((claim, expected)) => {
            let received = ClaimMismatch::Claims(identity.received(claims));
            Err(Mismatch::Detail(format!("{claim} must be {expected}"), Some(received)))
        }
        None => Ok(()),
    }
}

async fn is_signed(context: &Context, jws: &UncheckedJws<'_>, identity: &FederatedIdentity) -> Result<bool, Mismatch> {
    let issuer = &identity.issuer;
    // Every viewer of the credential reads this. What the network answered stands only in the log.
    let fault = |error: IssuerKeysError| {
        Mismatch::NoKeys(match error {
            IssuerKeysError::Unreached(_) => {
                format!("no keys of {issuer}: they could not be fetched, and the log of the server says why")
            }
            IssuerKeysError::Unusable(problem) => format!("no keys of {issuer}: {problem}"),
        })
    };
    if let Some(jwks) = &identity.jwks {
        return Ok(jws.is_signed_by(&context.issuer_keys.pasted(&identity.id, jwks).map_err(fault)?));
    }
    context.issuer_keys.have_signed(issuer, jws, context.now()).await.map_err(fault)
}

/// The `aud` when it holds one value: a text, or a list with one text.
fn single_audience(claims: &Map<String, Value>) -> Option<&str> {
    match claims.get("aud")? {
        Value::String(audience) => Some(audience),
        Value::Array(list) => match list.as_slice() {
            [Value::String(audience)] => Some(audience),
            _ => None,
        },
        _ => None,
    }
}

/// Checks `exp`, `nbf` and `iat`. Returns the end.
pub(crate) fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<Timestamp, String> {
    let read = |name: &str| numeric_date(claims, name).map_err(|()| format!("{name} must be a number of seconds"));
    let (exp, nbf, iat) = (read("exp")?, read("nbf")?, read("iat")?);
    let exp = exp.ok_or("exp is missing")?;
    if exp <= now.minus(SKEW) {
        return Err("exp is over".to_owned());
    }
    for (name, moment) in [("nbf", nbf), ("iat", iat)] {
        if moment.is_some_and(|moment| moment > now.plus(SKEW)) {
            return Err(format!("{name} is in the future"));
        }
    }
    Ok(exp)
}
