//! Federated identities: subjects of other issuers whose tokens prove a credential.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use url::Url;

use crate::base::clock::Timestamp;
use crate::base::id::{ClientId, FederatedIdentityId};
use crate::base::random::Random;
use crate::base::strict_json;
use crate::base::text::{is_pasteable, printable};
use crate::crypto::public_key::{PRIVATE_KEY, PublicKey, holds_private_key};
use crate::model::field_error::{Errors, FieldError};
use crate::model::settings::Settings;

pub(crate) const LONGEST_TEXT: usize = 500;

pub(crate) const MOST_CLAIMS: usize = 10;

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
    /// Whether its subject equals this one, or is a pattern that matches it.
    pub(crate) fn has_subject(&self, subject: &str) -> bool {
        is_like(subject, &self.subject)
    }

    pub(crate) fn accepts_the_same_as(&self, other: &Self) -> bool {
        let of = |identity: &Self| {
            (identity.issuer.clone(), identity.subject.clone(), identity.audience.clone(), identity.claims.clone())
        };
        of(self) == of(other)
    }

    /// The first claim whose value is not the registered one, with the registered value.
    pub(crate) fn first_mismatch(&self, claims: &Map<String, Value>) -> Option<(&str, &str)> {
        let expected = self.claims.iter().map(|(name, expected)| (name.as_str(), expected.as_str()));
        [("sub", self.subject.as_str())].into_iter().chain(expected).find(|(name, expected)| {
            !claims.get(*name).and_then(claim_text).is_some_and(|actual| is_like(&actual, expected))
        })
    }
}

/// The longest value of a claim that is shown, in characters.
const LONGEST_SHOWN: usize = 120;

impl FederatedIdentity {
    /// What a token says of the subject and of each condition, for the people who manage the identity. Only for a token
    /// whose signature was verified: otherwise anybody could write there.
    pub(crate) fn received(&self, claims: &Map<String, Value>) -> String {
        let names = ["sub"].into_iter().chain(self.claims.keys().map(String::as_str));
        let shown = names.map(|name| {
            let value = claims.get(name).map_or_else(
                || "absent".to_owned(),
                |claim| {
                    let text = claim_text(claim).unwrap_or_else(|| "neither text, number nor boolean".to_owned());
                    let short: String = text.chars().take(LONGEST_SHOWN).collect();
                    if short.len() < text.len() { format!("{short}…") } else { short }
                },
            );
            format!("{name} is {value}")
        });
        printable(&shown.collect::<Vec<_>>().join("; "))
    }
}

/// The claim as text. Some issuers write booleans and numbers as text, others do not.
pub(crate) fn claim_text(claim: &Value) -> Option<String> {
    match claim {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(claim.to_string()),
        _ => None,
    }
}

/// Whether `text` matches `pattern`, in which each `*` stands for any text. No other character is special.
pub(crate) fn is_like(text: &str, pattern: &str) -> bool {
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

/// The subjects of Kubernetes say what kind of thing the subject is in two parts. Others say it in one.
const KIND_OF_KUBERNETES: &str = "system:serviceaccount:";

/// Claims that name the owner of a token.
pub(crate) const OWNER_CLAIMS: [&str; 9] = [
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

/// Whether a pattern names one owner. Without an owner it would match tokens of strangers: issuers such as GitHub sign
/// tokens for all their users. The kind of the subject comes first, up to a `:` or `/`, and then the owner. A list of
/// kinds is the rejected alternative: a kind that is not in it would be anybody's.
pub(crate) fn names_somebody(pattern: &str, claims: &[(String, String)]) -> bool {
    let is_exact = |(name, value): &(String, String)| {
        OWNER_CLAIMS.contains(&name.trim()) && !value.trim().is_empty() && !value.contains('*')
    };
    let start = pattern.split('*').next().unwrap_or_default();
    let after_kind = start.strip_prefix(KIND_OF_KUBERNETES).or_else(|| Some(start.split_once([':', '/'])?.1));
    // The name must be complete: `repo:ac*` also stands for strangers whose name begins in the same way.
    let is_complete = |rest: &str| rest.trim_start_matches(['/', ':']).find(['/', ':']).is_some_and(|end| end > 0);
    let starts_with_owner = after_kind.is_some_and(is_complete);
    starts_with_owner || claims.iter().any(is_exact)
}

/// An identity, as a form or a command describes it.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
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

/// A draft that passed the checks.
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

    pub(crate) fn check(&self, settings: &Settings) -> Result<CheckedIdentity, Vec<FieldError>> {
        let mut errors = Errors::default();
        let mut wrong = |field, message: &str| errors.push(field, message);
        let (issuer, subject) = (self.issuer.trim(), self.subject.trim());
        let is_url = Url::parse(issuer).is_ok_and(|url| {
            matches!(url.scheme(), "https" | "http")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        if !is_url || issuer.len() > LONGEST_TEXT || issuer == settings.public_url {
            let message =
                "Enter the issuer as its tokens name it, such as https://token.actions.githubusercontent.com.";
            wrong("issuer", message);
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
            "" => settings.public_url.clone(),
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
            wrong("claims", "Write one condition per line, such as ref=refs/heads/main; at most ten, each claim once.");
        }
        let jwks = check_jwks(self.jwks.trim()).map_err(|problem| errors.push("jwks", problem)).unwrap_or_default();
        errors.none()?;
        Ok(CheckedIdentity { issuer: issuer.to_owned(), subject: subject.to_owned(), audience, claims, jwks })
    }
}

/// The usable keys of a pasted JWKS. `None` when nothing was pasted.
fn check_jwks(text: &str) -> Result<Option<Value>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    if holds_private_key(text) {
        return Err(PRIVATE_KEY.to_owned());
    }
    let keys =
        strict_json::parse(text.as_bytes()).map_or_else(|| Ok(Vec::new()), |jwks| PublicKey::read_jwks(&jwks))?;
    if keys.is_empty() {
        return Err("Paste the issuer’s JWKS: {\"keys\":[…]} with its public keys.".to_owned());
    }
    // Keys with which nothing can be verified are not kept.
    Ok(Some(json!({ "keys": keys.iter().map(PublicKey::to_jwk).collect::<Vec<_>>() })))
}

impl CheckedIdentity {
    pub(crate) fn into_identity(self, client_id: &ClientId, now: Timestamp, random: &dyn Random) -> FederatedIdentity {
        FederatedIdentity {
            id: FederatedIdentityId::generate(random),
            client_id: client_id.clone(),
            issuer: self.issuer,
            subject: self.subject,
            audience: self.audience,
            claims: self.claims,
            jwks: self.jwks,
            created_at: now,
            revoked_at: None,
            last_used_at: None,
            last_used_from: None,
        }
    }
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
            ("organization:acme:pipeline:*", none, true),
            ("organization:acme:project:p:workspace:*", none, true),
            ("repo:acme@1/app@2:*", none, true),
            ("org/acme/*", none, true),
            ("spiffe://acme.example/ns/*", none, true),
            ("job-*", none, false),
            ("organization:*", none, false),
            ("organization:ac*", none, false),
            ("org/*", none, false),
            ("enterprise:*", none, false),
            ("job_workflow_ref:*", none, false),
            ("repository_owner_id:*", none, false),
            ("spiffe://*", none, false),
            ("repo:/*", none, false),
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
