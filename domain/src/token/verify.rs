//! The check of a token that a protected resource received. First: form, signature, type, issuer, audience, time (RFC
//! 9068 §4). Then the database is asked, so that a revocation counts at once.

use std::net::IpAddr;

use jsonwebtoken::Validation;

use crate::base::id::{AppClientId, ClientId, PersonId, PersonalTokenId, TokenId};
use crate::client::personal_token;
use crate::crypto::keys::KeyError;
use crate::crypto::secret::{PlainSecret, SecretKind};
use crate::model::actor::ActorProof;
use crate::model::client::personal_token::ListedToken;
use crate::model::server::gateway::call::CallerKey;
use crate::model::server::scope::Scopes;
use crate::model::token::claims::{Claims, SignatureCheck};
use crate::prelude::{Actor, Context, Fault, Timestamp, operation_error};
use crate::store;

/// Longest token that is read, in bytes.
const LONGEST_TOKEN: usize = 8 * 1024;

/// Who acts with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A credential, for itself.
    Credential(ClientId),
    /// A client, for a person.
    Person {
        /// The person.
        id: PersonId,
        /// Their present name.
        name: String,
        /// The client.
        client_id: AppClientId,
    },
    /// A program with a personal token, for the person of the token.
    PersonalToken {
        /// The person.
        person: PersonId,
        /// Their present name.
        person_name: String,
        /// The personal token.
        id: PersonalTokenId,
    },
}

/// The caller behind a valid token.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The subject that acts.
    pub subject: Subject,
    /// The token itself, which each change of the caller asks about again.
    proof: ActorProof,
    /// The present name of the credential, the client or the personal token.
    pub name: String,
    /// What the token allows.
    pub scopes: Scopes,
    /// When the token ends, in seconds since the epoch.
    pub expires_at: i64,
    /// The number of the newest audit entry when the state of the token was read, if it was read with it.
    pub seq: Option<i64>,
}

impl Caller {
    /// Whose calls are counted together with those of this caller.
    pub fn key(&self) -> CallerKey {
        let of = |id: &str, person: &str| CallerKey { id: id.to_owned(), person: person.to_owned() };
        match &self.subject {
            Subject::Credential(id) => of(id.as_str(), ""),
            Subject::Person { id, client_id, .. } => of(client_id.as_str(), id.as_str()),
            Subject::PersonalToken { id, .. } => of(id.as_str(), ""),
        }
    }

    /// The caller as the actor of changes.
    pub fn actor(&self) -> Actor {
        let proof = self.proof.clone();
        match &self.subject {
            Subject::Credential(client_id) => Actor::credential(client_id.clone(), &self.name, proof),
            // The audit log must not look as if the person made the change themselves.
            Subject::Person { id, name, .. } => {
                Actor::person(id.clone(), format!("{name} through {}", self.name), proof)
            }
            Subject::PersonalToken { person, person_name, .. } => {
                Actor::person(person.clone(), format!("{person_name} through the token {}", self.name), proof)
            }
        }
    }
}

/// Whether the token of this caller is still accepted: for an answer that takes long.
pub async fn is_live(context: &Context, caller: &Caller) -> Result<bool, Fault> {
    let now = context.now();
    if caller.expires_at <= now.seconds() {
        return Ok(false);
    }
    let mut transaction = context.store.begin_read().await?;
    Ok(store::person::proof::is_live(&mut transaction, &caller.actor(), &caller.proof, now).await?)
}

operation_error! {
    /// Why a token is not accepted.
    pub enum VerifyError {
        /// The token is not valid here and now. The detail is for the log.
        #[error("the token is not valid: {0}")]
        Invalid(&'static str),
        /// We did not issue the token. An honest client never sends such a token, so it counts as a failed
        /// authentication. An expired or revoked token does not.
        #[error("the token is not ours: {0}")]
        Foreign(&'static str),
    }
}

/// What was verified; `None` when the token is not valid.
pub(crate) fn if_valid<T>(verified: Result<T, VerifyError>) -> Result<Option<T>, Fault> {
    match verified {
        Ok(verified) => Ok(Some(verified)),
        Err(VerifyError::Invalid(_) | VerifyError::Foreign(_)) => Ok(None),
        Err(VerifyError::Fault(fault)) => Err(fault),
    }
}

/// The owner of this token, when the token ends, and whether it is accepted now. `None` when we did not issue it.
pub(crate) async fn whose(context: &Context, token: &str) -> Result<Option<(SignedToken, Timestamp, bool)>, Fault> {
    let Some((signed, ends_at)) = signed(context, token).await? else { return Ok(None) };
    let works = if_valid(verify_for_any(context, token).await)?.is_some();
    Ok(Some((signed, ends_at, works)))
}

/// A token that we signed, by the kind of its owner.
pub(crate) enum SignedToken {
    /// The token of a credential.
    OfCredential(ClientId, TokenId),
    /// The token of a consent, which a client holds.
    OfGrant(TokenId),
}

impl SignedToken {
    fn of(claims: &Claims) -> Option<Self> {
        let jti = TokenId::parse(&claims.jti)?;
        if is_of_person(claims) {
            return Some(Self::OfGrant(jti));
        }
        ClientId::parse(&claims.client_id).map(|client_id| Self::OfCredential(client_id, jti))
    }
}

/// The owner of this token, and when the token ends. `None` when we did not issue it. Ended and revoked tokens are
/// recognised too: their signature says who owned them.
pub(crate) async fn signed(context: &Context, token: &str) -> Result<Option<(SignedToken, Timestamp)>, Fault> {
    let claims = if_valid(verify_signature(context, token).await)?;
    let expiry = |claims: &Claims| Timestamp::from_millis(claims.exp.saturating_mul(1000));
    Ok(claims.and_then(|claims| Some((SignedToken::of(&claims)?, expiry(&claims)))))
}

fn is_of_person(claims: &Claims) -> bool {
    claims.sub.starts_with(PersonId::PREFIX)
}

/// A token that is valid at this moment, for any audience.
pub(crate) struct VerifiedToken {
    pub claims: Claims,
    pub jti: TokenId,
    pub subject: Subject,
    /// The present name of the credential or the client.
    pub client_name: String,
    /// See [`Caller`].
    pub seq: i64,
}

/// Verifies `token`, which came from `address`, for the protected resource `audience`.
pub async fn verify(
    context: &Context,
    token: &str,
    audience: &str,
    address: Option<IpAddr>,
) -> Result<Caller, VerifyError> {
    if let Some(secret) = PlainSecret::parse_of(SecretKind::PersonalToken, token) {
        return of_personal_token(context, &secret, audience, address).await;
    }
    let verified = verify_for_any(context, token).await?;
    if verified.claims.aud != audience {
        return Err(VerifyError::Invalid("for another audience"));
    }
    let scopes = Scopes::parse(&verified.claims.scope).ok_or(VerifyError::Invalid("scope"))?;
    let VerifiedToken { claims, jti, subject, client_name, seq } = verified;
    let proof = match &subject {
        Subject::Credential(_) => ActorProof::CredentialToken(jti),
        _ => ActorProof::ConsentToken(jti),
    };
    Ok(Caller { subject, proof, name: client_name, scopes, expires_at: claims.exp, seq: Some(seq) })
}

/// The caller with a personal token that is still live.
async fn of_personal_token(
    context: &Context,
    secret: &PlainSecret,
    audience: &str,
    address: Option<IpAddr>,
) -> Result<Caller, VerifyError> {
    let accepted = personal_token::find_live(context, secret).await?;
    let (ListedToken { token, person_name, .. }, server) =
        accepted.ok_or(VerifyError::Invalid("a personal token that is unknown or over"))?;
    if server.resource != audience {
        return Err(VerifyError::Invalid("for another audience"));
    }
    personal_token::note_use(context, &token, address).await;
    Ok(Caller {
        proof: ActorProof::PersonalToken(token.id.clone()),
        subject: Subject::PersonalToken { person: token.person, person_name, id: token.id },
        name: token.name,
        scopes: token.scopes.intersection(&server.scope_names()),
        expires_at: token.expires_at.seconds(),
        seq: None,
    })
}

/// Checks everything except the audience.
pub(crate) async fn verify_for_any(context: &Context, token: &str) -> Result<VerifiedToken, VerifyError> {
    let claims = verify_signature(context, token).await?;
    let now = context.now();
    if claims.iss != context.settings.public_url {
        return Err(VerifyError::Invalid("another issuer"));
    }
    // No leeway: the clock that issued the token is the one that checks it.
    if claims.exp <= now.seconds() {
        return Err(VerifyError::Invalid("expired"));
    }
    let jti = TokenId::parse(&claims.jti).ok_or(VerifyError::Invalid("jti"))?;
    if is_of_person(&claims) {
        let (subject, client_name, seq) = of_person(context, &jti).await?;
        return Ok(VerifiedToken { claims, jti, subject, client_name, seq });
    }
    let client_id = ClientId::parse(&claims.client_id).ok_or(VerifyError::Invalid("client_id"))?;
    let (client_name, seq) = of_credential(context, &jti, now).await?;
    Ok(VerifiedToken { claims, jti, subject: Subject::Credential(client_id), client_name, seq })
}

/// The name of the credential of a token that is still live, and the number of the newest audit entry.
async fn of_credential(context: &Context, jti: &TokenId, now: Timestamp) -> Result<(String, i64), VerifyError> {
    let found = store::token::ledger::token_state(&context.store, jti).await?;
    let state = found.ok_or(VerifyError::Invalid("not in the ledger"))?;
    match state.end_cause(now) {
        Some(cause) => Err(VerifyError::Invalid(cause)),
        None => Ok((state.credential_name, state.seq)),
    }
}

/// The person and the client of a consent's token that is still live, and the number of the newest audit entry.
async fn of_person(context: &Context, jti: &TokenId) -> Result<(Subject, String, i64), VerifyError> {
    let found = store::client::consent::token_state(&context.store, jti).await?;
    let state = found.ok_or(VerifyError::Invalid("of no grant"))?;
    if let Some(cause) = state.end_cause() {
        return Err(VerifyError::Invalid(cause));
    }
    let subject = Subject::Person { id: state.person, name: state.person_name, client_id: state.client_id };
    Ok((subject, state.client_name, state.seq))
}

async fn verify_signature(context: &Context, token: &str) -> Result<Claims, VerifyError> {
    Ok(check_signature(context, token).await?.claims)
}

/// Checks form, type, key and signature. We choose the algorithm, never the token. The `kid` only selects one of our
/// published keys.
pub(crate) async fn check_signature(context: &Context, token: &str) -> Result<SignatureCheck, VerifyError> {
    if let Some(check) = context.signatures.get(token) {
        // The key may have been retired since.
        context.keys.signing.get(&context.store, &check.kid, context.now()).await.map_err(unknown_key)?;
        return Ok(check);
    }
    if token.len() > LONGEST_TOKEN || token.bytes().filter(|byte| *byte == b'.').count() != 2 {
        return Err(VerifyError::Foreign("not a compact JWS"));
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| VerifyError::Foreign("unreadable header"))?;
    if header.typ.as_deref() != Some("at+jwt") {
        return Err(VerifyError::Foreign("not an access token"));
    }
    let kid = header.kid.ok_or(VerifyError::Foreign("no kid"))?;
    // An invented `kid` costs a read; many at once share one.
    let key = context.keys.signing.get(&context.store, &kid, context.now()).await.map_err(unknown_key)?;
    let mut validation = Validation::new(key.algorithm());
    // The caller compares issuer, audience and time, against exact strings and our own clock.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let data = jsonwebtoken::decode::<Claims>(token, key.decoding(), &validation);
    let data = data.map_err(|_| VerifyError::Foreign("bad signature"))?;
    let check = SignatureCheck { claims: data.claims, kid, algorithm: key.algorithm_name() };
    context.signatures.insert(token, check.clone());
    Ok(check)
}

fn unknown_key(fault: Fault) -> VerifyError {
    match fault {
        Fault::Keys(KeyError::Missing(_)) => VerifyError::Foreign("unknown kid"),
        fault => VerifyError::Fault(fault),
    }
}
