//! Identities of other issuers that stand for a credential: nothing secret is stored anywhere.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use url::Url;

use super::CredentialError;
use crate::actor::Actor;
use crate::audit::Event;
use crate::authority::Role;
use crate::clock::Timestamp;
use crate::context::{Change, Context};
use crate::error::{Fault, FieldError};
use crate::id::{ClientId, FederatedIdentityId, TeamId};
use crate::public_key::{PRIVATE_KEY, PublicKey, holds_private_key};
use crate::store;
use crate::strict_json;
use crate::text::is_pasteable;

const LONGEST_TEXT: usize = 500;
const MOST_CLAIMS: usize = 10;
const MOST_IDENTITIES: usize = 10;

/// A registered identity.
#[derive(Debug, Clone)]
pub struct FederatedIdentity {
    /// Its identifier.
    pub id: FederatedIdentityId,
    /// The credential it stands for.
    pub client_id: ClientId,
    /// The `iss` of its tokens, exactly.
    pub issuer: String,
    /// Their `sub`: exact, or a pattern in which `*` stands for any text.
    pub subject: String,
    /// Their `aud`.
    pub audience: String,
    /// Further claims and what they must be, exact or as patterns.
    pub claims: BTreeMap<String, String>,
    /// The issuer's keys, when they were pasted. Otherwise they are fetched from the issuer.
    pub jwks: Option<Value>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was removed.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
    /// From where.
    pub last_used_from: Option<std::net::IpAddr>,
}

impl FederatedIdentity {
    /// Whether its subject is, or is like, this one.
    pub fn has_subject(&self, subject: &str) -> bool {
        is_like(subject, &self.subject)
    }

    fn accepts_the_same_as(&self, other: &Self) -> bool {
        let of = |identity: &Self| {
            (identity.issuer.clone(), identity.subject.clone(), identity.audience.clone(), identity.claims.clone())
        };
        of(self) == of(other)
    }

    /// The first claim that is not as registered, and what it must be.
    pub fn first_mismatch(&self, claims: &Map<String, Value>) -> Option<(&str, &str)> {
        let expected = self.claims.iter().map(|(name, expected)| (name.as_str(), expected.as_str()));
        [("sub", self.subject.as_str())].into_iter().chain(expected).find(|(name, expected)| {
            !claims.get(*name).and_then(claim_text).is_some_and(|actual| is_like(&actual, expected))
        })
    }
}

/// The claim as text: issuers write booleans and numbers both ways.
fn claim_text(claim: &Value) -> Option<String> {
    match claim {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(claim.to_string()),
        _ => None,
    }
}

/// Whether `text` is `pattern`, in which each `*` stands for any text. No other character is special.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(position) => rest = &rest[position + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// What stands at the beginning of subjects whatever they are of; the owner comes after it.
const SUBJECT_KINDS: [&str; 3] = ["repo:", "project_path:", "system:serviceaccount:"];
/// Claims that say whose a token is.
const OWNER_CLAIMS: [&str; 9] = [
    "repository_owner",
    "repository_owner_id",
    "repository",
    "repository_id",
    "namespace_path",
    "namespace_id",
    "project_path",
    "project_id",
    "email",
];

/// Whether a pattern is of one owner: issuers such as GitHub sign for everybody.
fn names_somebody(pattern: &str, claims: &[(String, String)]) -> bool {
    let is_exact = |(name, value): &(String, String)| {
        OWNER_CLAIMS.contains(&name.trim()) && !value.trim().is_empty() && !value.contains('*')
    };
    let start = pattern.split('*').next().unwrap_or_default();
    let starts_with_owner = match SUBJECT_KINDS.iter().find_map(|kind| start.strip_prefix(kind)) {
        Some(rest) => rest.find(['/', ':']).is_some_and(|end| end > 0),
        None => start.chars().filter(|character| character.is_alphanumeric()).count() >= 3,
    };
    starts_with_owner || claims.iter().any(is_exact)
}

/// What a form or a command says of an identity.
#[derive(Debug, Clone, Default)]
pub struct FederatedDraft {
    /// The issuer's identifier: an https URL (or http, where the operator allowed the host).
    pub issuer: String,
    /// Exact subject, or a pattern.
    pub subject: String,
    /// The audience; the issuer of this server when empty.
    pub audience: String,
    /// Further conditions.
    pub claims: Vec<(String, String)>,
    /// A pasted JWKS; empty: fetched from the issuer.
    pub jwks: String,
}

/// A draft that passed.
#[derive(Debug)]
pub(crate) struct CheckedIdentity {
    pub issuer: String,
    pub subject: String,
    pub audience: String,
    pub claims: BTreeMap<String, String>,
    pub jwks: Option<Value>,
}

impl FederatedDraft {
    /// Whether nothing was filled in.
    pub fn is_empty(&self) -> bool {
        self.issuer.trim().is_empty() && self.subject.trim().is_empty()
    }

    pub(crate) fn check(&self, context: &Context) -> Result<CheckedIdentity, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut wrong = |field, message: &str| errors.push(FieldError::new(field, message));
        let (issuer, subject) = (self.issuer.trim(), self.subject.trim());
        let is_url = Url::parse(issuer).is_ok_and(|url| {
            matches!(url.scheme(), "https" | "http")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        if !is_url || issuer.len() > LONGEST_TEXT || issuer == context.settings.public_url {
            wrong(
                "issuer",
                "Enter the issuer as its tokens name it, such as https://token.actions.githubusercontent.com.",
            );
        }
        if subject.is_empty() || subject.len() > LONGEST_TEXT || subject.chars().any(char::is_control) {
            wrong("subject", "Enter the subject of the tokens, such as repo:example/app:ref:refs/heads/main.");
        } else if subject.contains('*') && !names_somebody(subject, &self.claims) {
            wrong(
                "subject",
                "This pattern would let strangers in. Begin it with whose it is, such as repo:example/*, or name the \
                 owner under further conditions.",
            );
        }
        let audience = match self.audience.trim() {
            "" => context.settings.public_url.clone(),
            audience => audience.to_owned(),
        };
        if audience.len() > LONGEST_TEXT || !is_pasteable(&audience) {
            wrong("audience", "Enter the audience that the tokens are asked for, such as https://auth.example.com.");
        }
        let claims: BTreeMap<String, String> = self
            .claims
            .iter()
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .filter(|(name, value)| !name.is_empty() || !value.is_empty())
            .collect();
        let is_condition = |(name, value): (&String, &String)| {
            !name.is_empty() && !value.is_empty() && name.len() + value.len() <= LONGEST_TEXT
        };
        let written = self.claims.iter().filter(|(name, value)| !name.trim().is_empty() || !value.trim().is_empty());
        if claims.len() > MOST_CLAIMS || !claims.iter().all(is_condition) || written.count() != claims.len() {
            wrong("claims", "Write one condition a line, such as ref=refs/heads/main; at most ten, each claim once.");
        }
        let jwks = match self.jwks.trim() {
            "" => None,
            text => {
                let jwks = strict_json::parse(text.as_bytes()).filter(|jwks| !PublicKey::read_jwks(jwks).is_empty());
                if holds_private_key(text) {
                    wrong("jwks", PRIVATE_KEY);
                } else if jwks.is_none() {
                    wrong("jwks", "Paste the issuer’s JWKS: {\"keys\":[…]} with its public keys.");
                }
                // Only what verifies is kept.
                jwks.map(|jwks| json!({ "keys": PublicKey::read_jwks(&jwks).iter().map(PublicKey::to_jwk).collect::<Vec<_>>() }))
            }
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(CheckedIdentity { issuer: issuer.to_owned(), subject: subject.to_owned(), audience, claims, jwks })
    }
}

impl CheckedIdentity {
    pub(super) fn into_identity(self, context: &Context, client_id: &ClientId) -> FederatedIdentity {
        FederatedIdentity {
            id: FederatedIdentityId::generate(context.random.as_ref()),
            client_id: client_id.clone(),
            issuer: self.issuer,
            subject: self.subject,
            audience: self.audience,
            claims: self.claims,
            jwks: self.jwks,
            created_at: context.now(),
            revoked_at: None,
            last_used_at: None,
            last_used_from: None,
        }
    }
}

/// The identities of a credential, removed ones too, newest first.
pub async fn list(context: &Context, client_id: &ClientId) -> Result<Vec<FederatedIdentity>, Fault> {
    context.filing.settle().await;
    Ok(store::authenticators::all_identities(&context.store, client_id).await?)
}

/// Whether another working credential has an identity for exactly the issuer and subject of one of these. A program that
/// does not send its client ID is refused then: nobody could tell which of them it means.
pub async fn is_shared(context: &Context, identities: &[FederatedIdentity]) -> Result<bool, Fault> {
    for own in identities.iter().filter(|own| own.revoked_at.is_none() && !own.subject.contains('*')) {
        let all =
            store::authenticators::identities_with_subject(&context.store, &own.issuer, &own.subject, context.now());
        if all.await?.iter().any(|other| other.client_id != own.client_id) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Adds an identity to a federated credential.
pub async fn add(
    context: &Context,
    actor: &Actor,
    client_id: &ClientId,
    draft: &FederatedDraft,
) -> Result<FederatedIdentityId, CredentialError> {
    let checked = draft.check(context).map_err(CredentialError::Invalid)?;
    let mut change = context.begin_change().await?;
    let credential =
        super::find_changeable(&mut change, actor, client_id, super::AuthMethod::Federated, Role::Manager).await?;
    let live = store::authenticators::live_identities_in(change.transaction(), client_id).await?;
    if live.len() >= MOST_IDENTITIES {
        let message = format!("A credential has at most {MOST_IDENTITIES} identities. Remove one first.");
        return Err(CredentialError::Invalid(vec![FieldError::new("issuer", message)]));
    }
    let identity = checked.into_identity(context, client_id);
    check_owner(&mut change, actor, &credential.team, &identity).await?;
    // Registered twice, it would go on working after it was removed.
    if live.iter().any(|other| other.accepts_the_same_as(&identity)) {
        let message = "This identity is there already.";
        return Err(CredentialError::Invalid(vec![FieldError::new("subject", message)]));
    }
    store::authenticators::insert_identity(change.transaction(), &identity, actor.id()).await?;
    let event = Event::new("credential.identity_added", "credential", client_id.as_str(), &credential.name)
        .with(describe(&identity));
    change.commit(actor, &event).await?;
    Ok(identity.id)
}

/// A program that sends no client ID is refused when two credentials have its exact subject: nobody but an administrator may
/// do that to a credential of another team.
pub(super) async fn check_owner(
    change: &mut Change<'_>,
    actor: &Actor,
    team: &TeamId,
    identity: &FederatedIdentity,
) -> Result<(), CredentialError> {
    let FederatedIdentity { issuer, subject, .. } = identity;
    let taken = store::authenticators::is_of_another_team(change.transaction(), issuer, subject, team).await?;
    if taken && !change.authority(actor).await?.is_administrator() {
        let message = "This subject stands for a credential of another team. Ask an administrator.";
        return Err(CredentialError::Invalid(vec![FieldError::new("subject", message)]));
    }
    Ok(())
}

/// Removes an identity: its tokens are refused from now on.
pub async fn remove(
    context: &Context,
    actor: &Actor,
    client_id: &ClientId,
    id: &FederatedIdentityId,
) -> Result<(), CredentialError> {
    let mut change = context.begin_change().await?;
    let credential =
        super::find_changeable(&mut change, actor, client_id, super::AuthMethod::Federated, Role::Manager).await?;
    if !store::authenticators::revoke_identity(change.transaction(), client_id, id, context.now()).await? {
        return Err(CredentialError::NotFound);
    }
    let event = Event::new("credential.identity_removed", "credential", client_id.as_str(), &credential.name)
        .with(json!({ "identity": id.as_str() }));
    change.commit(actor, &event).await?;
    Ok(())
}

/// What the audit entry says of an identity.
pub(super) fn describe(identity: &FederatedIdentity) -> Value {
    json!({
        "identity": identity.id.as_str(),
        "issuer": identity.issuer,
        "subject": identity.subject,
        "audience": identity.audience,
        "claims": identity.claims,
        "keys": if identity.jwks.is_some() { "pasted" } else { "fetched from the issuer" },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_its_owner() {
        let none: &[(&str, &str)] = &[];
        for (pattern, claims, expected) in [
            ("repo:acme/*", none, true),
            ("repo:acme/*:ref:refs/heads/main", none, true),
            ("system:serviceaccount:jobs:*", none, true),
            ("job-*", none, true),
            ("repo:*", none, false),
            ("repo:ac*", none, false),
            ("repo:*", &[("repository_owner", "acme")], true),
            ("repo:*", &[("repository_owner", "a*")], false),
            ("repo:*", &[("ref", "refs/heads/main")], false),
            ("*:ref:refs/heads/main", none, false),
            ("project_path:*", &[("ref_protected", "true")], false),
            ("project_path:*", &[("namespace_path", "acme")], true),
            ("system:serviceaccount:*", none, false),
            ("*", none, false),
        ] {
            let claims: Vec<_> = claims.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(names_somebody(pattern, &claims), expected, "{pattern} {claims:?}");
        }
    }

    #[test]
    fn only_the_asterisk_is_special() {
        for (text, pattern, expected) in [
            ("repo:acme/app:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/main", true),
            ("repo:acme/app:ref:refs/heads/main", "repo:acme/*:ref:refs/heads/main", true),
            ("repo:acme/app:ref:refs/heads/main", "repo:acme/*", true),
            ("repo:acme/app:ref:refs/heads/main", "*:ref:refs/heads/main", true),
            ("repo:acme-evil/app", "repo:acme/*", false),
            ("repo:acme/app:ref:refs/heads/main2", "repo:acme/*:ref:refs/heads/main", false),
            ("abc", "a.c", false),
            ("a", "a*a", false),
            ("aa", "a*a", true),
            ("", "", true),
            ("x", "", false),
        ] {
            assert_eq!(is_like(text, pattern), expected, "{text} {pattern}");
        }
    }
}
