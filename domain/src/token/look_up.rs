//! What is known about a token that a person has: whose it is, what it is for, whether it is accepted, and why not.
//!
//! The token is neither stored nor logged. Whose it is, and why it is not accepted, is told only to people who may see
//! the credential, the app or the personal token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::base::id::{AppClientId, ClientId, PersonId, TokenId};
use crate::base::text::printable;
use crate::crypto::secret::{PlainSecret, SecretKind};
use crate::model::client::consent::EndCause;
use crate::model::client::personal_token::ListedToken;
use crate::model::credential::Credential;
use crate::model::person::authority::{Authority, Role};
use crate::model::token::claims::SignatureCheck;
use crate::prelude::{Context, Fault, Timestamp};
use crate::store;
use crate::store::client::consent::ConsentTokenRef;
use crate::store::token::ledger::LedgerToken;
use crate::token::verify::{check_signature, if_valid};

/// The most claims of a foreign token that are shown.
const MOST_CLAIMS: usize = 40;
/// The longest claim that is shown, in characters.
const LONGEST_CLAIM: usize = 300;

/// What a pasted text is.
pub enum LookUp {
    /// No token. When it is another secret of ours, its kind.
    NoToken(Option<SecretKind>),
    /// A JWT that this instance did not issue, or whose signature it cannot check.
    Foreign(ForeignToken),
    /// A token of this instance.
    Ours(Box<TokenReport>),
}

/// A JWT that this instance did not issue.
pub struct ForeignToken {
    /// Its claims as it states them. Nobody checked them.
    pub claims: Vec<(String, String)>,
    /// When it expires, as it states.
    pub expires_at: Option<Timestamp>,
    /// Whether it names this instance as its issuer. Then its key is gone, or somebody made it up.
    pub claims_to_be_ours: bool,
}

/// A token of this instance.
pub struct TokenReport {
    /// Its identifier.
    pub id: String,
    /// Whose it is.
    pub owner: TokenOwner,
    /// The resource identifier of the MCP server that it is for.
    pub audience: String,
    /// The granted scopes, separated by spaces.
    pub scope: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The address that asked for it.
    pub issued_to: Option<String>,
    /// The name and the algorithm of the key that signed it. A personal token has no signature.
    pub key: Option<(String, &'static str)>,
    /// Why it is not accepted. `None` when it is accepted.
    pub end: Option<TokenEnd>,
    /// Whether the person may end it.
    pub may_end: bool,
}

/// Whose a token is.
pub enum TokenOwner {
    /// A credential.
    Credential {
        /// The credential.
        client_id: ClientId,
        /// Its name.
        name: String,
        /// What was exchanged for the token: the last characters of the secret, the label of the key, or the subject of
        /// the identity.
        exchanged: String,
    },
    /// An app that acts for a person.
    App {
        /// The app.
        client_id: AppClientId,
        /// Its name.
        name: String,
        /// For whom it acts.
        person: String,
    },
    /// A personal token.
    Person {
        /// The name of the token.
        name: String,
        /// For whom it acts.
        person: String,
    },
    /// A credential of a team that the person is not in.
    AnotherTeam,
    /// Another person, or an app that acts for one.
    AnotherPerson,
}

/// Why a token is not accepted, and since when.
pub struct TokenEnd {
    /// Since when, where that is known.
    pub at: Option<Timestamp>,
    /// Why.
    pub cause: TokenEndCause,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenEndCause {
    /// Its time is over.
    Expired,
    /// It was revoked alone.
    Revoked,
    /// Its credential was revoked, for this reason.
    CredentialRevoked(Option<String>),
    /// Its credential is disabled.
    CredentialDisabled,
    /// Its credential has expired.
    CredentialEnded,
    /// The secret, key or identity was revoked.
    AuthenticatorRevoked,
    /// The secret or key was replaced, and its overlap is over.
    AuthenticatorReplaced,
    /// What the person allowed has ended.
    AccessEnded(Option<EndCause>),
    /// The personal token was ended.
    TokenEnded(Option<EndCause>),
    /// The app was removed.
    AppRemoved,
    /// The app is disabled.
    AppDisabled,
    /// The person is disabled.
    PersonDisabled,
    /// The MCP server is not open to the teams of the person.
    ServerClosed,
    /// It was issued under this address, which this instance had before.
    FormerIssuer(String),
    /// It is not in the ledger: the database was restored from a backup.
    NotRecorded,
    /// A cause that this person may not see.
    Withheld,
}

/// Says what is known about the pasted `text`, to a person with this `authority`.
pub async fn look_up(context: &Context, authority: &Authority, text: &str) -> Result<LookUp, Fault> {
    let text = text.trim();
    let text = text.strip_prefix("Bearer ").or_else(|| text.strip_prefix("bearer ")).unwrap_or(text);
    let token = zeroize::Zeroizing::new(text.split_whitespace().collect::<String>());
    if let Some((kind, secret)) = PlainSecret::parse_any(&token) {
        return match kind {
            SecretKind::PersonalToken => of_personal_token(context, authority, &secret).await,
            kind => Ok(LookUp::NoToken(Some(kind))),
        };
    }
    match if_valid(check_signature(context, &token).await)? {
        Some(check) => of_signed(context, authority, check).await,
        None => Ok(foreign(context, &token)),
    }
}

/// A JWT whose signature no key of ours made.
fn foreign(context: &Context, token: &str) -> LookUp {
    let part = |number: usize| {
        let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(number)?.trim_end_matches('=')).ok()?;
        serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
    };
    let (Some(_), Some(claims), 3) = (part(0), part(1), token.split('.').count()) else {
        return LookUp::NoToken(None);
    };
    let shown = |value: &Value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        printable(&text.chars().take(LONGEST_CLAIM).collect::<String>())
    };
    let expires_at = claims.get("exp").and_then(Value::as_i64);
    LookUp::Foreign(ForeignToken {
        expires_at: expires_at.map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1000))),
        claims_to_be_ours: claims.get("iss").and_then(Value::as_str) == Some(&context.settings.public_url),
        claims: claims.iter().take(MOST_CLAIMS).map(|(name, value)| (printable(name), shown(value))).collect(),
    })
}

/// The earliest of these moments that is over, with its cause.
fn first(causes: impl IntoIterator<Item = (Option<Timestamp>, TokenEndCause)>, now: Timestamp) -> Option<TokenEnd> {
    let over = causes.into_iter().filter(|(at, _)| at.is_some_and(|at| at <= now));
    over.min_by_key(|(at, _)| *at).map(|(at, cause)| TokenEnd { at, cause })
}

async fn of_signed(context: &Context, authority: &Authority, check: SignatureCheck) -> Result<LookUp, Fault> {
    let SignatureCheck { claims, kid, algorithm } = check;
    let at = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
    let mut report = TokenReport {
        id: claims.jti.clone(),
        owner: TokenOwner::AnotherTeam,
        audience: claims.aud,
        scope: claims.scope,
        issued_at: at(claims.iat),
        expires_at: at(claims.exp),
        issued_to: None,
        key: Some((kid, algorithm)),
        end: None,
        may_end: false,
    };
    let jti = TokenId::parse(&claims.jti);
    let found = match &jti {
        Some(jti) if claims.sub.starts_with(PersonId::PREFIX) => {
            of_consent(context, authority, jti, &mut report).await?
        }
        Some(jti) => of_credential(context, authority, jti, &mut report).await?,
        None => false,
    };
    if !found {
        report.end = Some(TokenEnd { at: None, cause: TokenEndCause::NotRecorded });
    }
    if claims.iss != context.settings.public_url {
        report.end = Some(TokenEnd { at: None, cause: TokenEndCause::FormerIssuer(claims.iss) });
    }
    Ok(LookUp::Ours(Box::new(report)))
}

/// Fills the report of a credential's token. Returns whether the ledger has the token.
async fn of_credential(
    context: &Context,
    authority: &Authority,
    jti: &TokenId,
    report: &mut TokenReport,
) -> Result<bool, Fault> {
    let Some(token) = store::token::ledger::find_token(&context.store, jti).await? else { return Ok(false) };
    let found = store::credential::find(&context.store, &token.client_id).await?;
    let credential = found.ok_or(Fault::Damaged)?;
    report.end = end_of_credential(&token, &credential, context.now());
    if authority.role_in(&credential.team).is_none() {
        withhold(report);
        return Ok(true);
    }
    report.may_end = report.end.is_none() && authority.require(&credential.team, Role::Member).is_ok();
    let exchanged = token.exchanged();
    report.issued_to = token.address;
    report.owner = TokenOwner::Credential { client_id: credential.client_id, name: credential.name, exchanged };
    Ok(true)
}

fn end_of_credential(token: &LedgerToken, credential: &Credential, now: Timestamp) -> Option<TokenEnd> {
    let causes = [
        (token.revoked_at, TokenEndCause::Revoked),
        (credential.revoked_at, TokenEndCause::CredentialRevoked(credential.revoke_reason.clone())),
        (token.authenticator_revoked_at, TokenEndCause::AuthenticatorRevoked),
        (Some(token.expires_at), TokenEndCause::Expired),
        (token.authenticator_retires_at, TokenEndCause::AuthenticatorReplaced),
        (credential.disabled_at, TokenEndCause::CredentialDisabled),
        (credential.expires_at, TokenEndCause::CredentialEnded),
    ];
    first(causes, now)
}

/// Fills the report of a consent's token. Returns whether the token is recorded.
async fn of_consent(
    context: &Context,
    authority: &Authority,
    jti: &TokenId,
    report: &mut TokenReport,
) -> Result<bool, Fault> {
    report.owner = TokenOwner::AnotherPerson;
    let Some(state) = store::client::consent::token_state(&context.store, jti).await? else { return Ok(false) };
    let consent = store::client::consent::find_by(&context.store, ConsentTokenRef::AccessToken(jti)).await?;
    let causes = [
        (state.token_revoked_at, TokenEndCause::Revoked),
        (state.client_removed_at, TokenEndCause::AppRemoved),
        (state.client_disabled_at, TokenEndCause::AppDisabled),
        (state.grant_ended_at, TokenEndCause::AccessEnded(consent.and_then(|listed| listed.consent.end_cause))),
        (state.person_disabled_at, TokenEndCause::PersonDisabled),
        (Some(report.expires_at), TokenEndCause::Expired),
    ];
    report.end = first(causes, context.now());
    if !sees(authority, &state.person) {
        withhold(report);
        return Ok(true);
    }
    report.may_end = report.end.is_none();
    report.owner = TokenOwner::App { client_id: state.client_id, name: state.client_name, person: state.person_name };
    Ok(true)
}

async fn of_personal_token(context: &Context, authority: &Authority, secret: &PlainSecret) -> Result<LookUp, Fault> {
    let hash = secret.hash(&context.keys.pepper);
    let found = store::client::personal_token::find_by_hash(&context.store, &hash).await?;
    let Some(ListedToken { token, person_name, is_person_disabled }) = found else {
        return Ok(LookUp::NoToken(Some(SecretKind::PersonalToken)));
    };
    let servers = store::server::list(&context.store).await?;
    let server = servers.into_iter().find(|server| server.id == token.server_id);
    let causes = [
        (token.ended_at, TokenEndCause::TokenEnded(token.end_cause)),
        (Some(token.expires_at), TokenEndCause::Expired),
    ];
    let mut end = first(causes, context.now());
    if end.is_none() && is_person_disabled {
        end = Some(TokenEnd { at: None, cause: TokenEndCause::PersonDisabled });
    }
    if end.is_none() {
        let person = store::person::team::authority_of_person(&context.store, &token.person).await?;
        let admits = server.as_ref().zip(person).is_some_and(|(server, person)| server.admits(&person));
        end = (!admits).then_some(TokenEnd { at: None, cause: TokenEndCause::ServerClosed });
    }
    let is_seen = sees(authority, &token.person);
    let mut report = TokenReport {
        id: token.id.to_string(),
        owner: TokenOwner::Person { name: token.name, person: person_name },
        audience: server.map(|server| server.resource).unwrap_or_default(),
        scope: token.scopes.to_string(),
        issued_at: token.created_at,
        expires_at: token.expires_at,
        issued_to: None,
        key: None,
        may_end: end.is_none(),
        end,
    };
    if !is_seen {
        (report.owner, report.may_end) = (TokenOwner::AnotherPerson, false);
        withhold(&mut report);
    }
    Ok(LookUp::Ours(Box::new(report)))
}

/// Whether the authority reaches what acts for `person`.
fn sees(authority: &Authority, person: &PersonId) -> bool {
    authority.person().is_ok_and(|seen| seen.is_none_or(|seen| seen == person))
}

/// Leaves only what the token itself says: that it has expired.
fn withhold(report: &mut TokenReport) {
    let end = report.end.take();
    report.end = end.map(|end| match end.cause {
        TokenEndCause::Expired => end,
        _ => TokenEnd { at: None, cause: TokenEndCause::Withheld },
    });
}
