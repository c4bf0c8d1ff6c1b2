//! What a person may ask for when they generate or edit a credential. It is checked here for the dashboard and the
//! command line.

use std::collections::BTreeSet;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::{AppClientId, ClientId, McpServerId, PersonId, TeamId};
use crate::base::text::{check_length, check_printable, check_visible_name, is_space, printable};
use crate::crypto::public_key::PublicKey;
use crate::model::credential::federated::{CheckedIdentity, FederatedDraft};
use crate::model::credential::key::{KeysAt, KeysDraft, NO_KEYS_ADDRESS, is_keys_address};
use crate::model::credential::{AssertionRules, AuthMethod, Credential, LONGEST_TAG, is_tag};
use crate::model::field_error::{Errors, FieldError};
use crate::model::server::resource;
use crate::model::server::scope::Scopes;
use crate::model::server::{LONGEST_TOKEN_LIFETIME, McpServer, SCOPE_INTROSPECT, SHORTEST_TOKEN_LIFETIME};
use crate::model::settings::Settings;

/// A new secret works this long unless asked otherwise.
pub const DEFAULT_EXPIRY: Duration = Duration::from_secs(90 * 24 * 3600);
/// The longest a secret may work, unless it never ends.
const LONGEST_EXPIRY: Duration = Duration::from_secs(3653 * 24 * 3600);
const LONGEST_NAME: usize = 100;
const LONGEST_DESCRIPTION: usize = 500;
const LONGEST_NOTES: usize = 2000;
const MOST_TAGS: usize = 10;
const MOST_RANGES: usize = 50;
/// The longest reason for a revocation, in characters.
pub(crate) const LONGEST_REASON: usize = 500;

/// When a new secret stops working.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiry {
    /// This long after generation.
    After(Duration),
    /// At this moment.
    At(Timestamp),
    /// Never.
    Never,
}

impl Default for Expiry {
    fn default() -> Self {
        Self::After(DEFAULT_EXPIRY)
    }
}

/// How the new credential proves itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub enum DraftProof {
    /// With a secret that is generated.
    #[default]
    Secret,
    /// With keys whose public halves are given.
    Keys(KeysDraft),
    /// With keys that the program publishes at this address (RFC 7591 §2, `jwks_uri`).
    KeysAt(String),
    /// With the keys of the client ID metadata document at this address. Only administrators approve a document.
    Document(String),
    /// With tokens of another issuer.
    Federated(FederatedDraft),
}

/// The credential that is asked for. Only the name is needed. A request to a manager is stored as JSON: see
/// [`GenerationRequest`](crate::model::credential::request::GenerationRequest).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Draft {
    /// The team that owns it; see [`generate`](crate::credential::generate::generate) for what happens without one.
    pub team: Option<TeamId>,
    /// Name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What people should know about it.
    pub notes: String,
    /// The person who answers for it, in the team that owns it. Absent: the person who generates it.
    pub owner: Option<PersonId>,
    /// Tags: see [`is_tag`].
    pub tags: Vec<String>,
    /// MCP servers, each by its resource identifier or its ID; the built-in one when empty.
    pub servers: Vec<String>,
    /// Scopes; the default scope of the servers when empty.
    pub scopes: Vec<String>,
    /// When the secret or the keys stop working. For a federated credential: when the whole credential ends.
    pub expiry: Expiry,
    /// How long tokens live; the server's rule when absent.
    pub token_lifetime: Option<Duration>,
    /// CIDR ranges or single addresses.
    pub ip_ranges: Vec<String>,
    /// How it proves itself.
    pub proof: DraftProof,
    /// The rules of its assertions.
    pub assertions: AssertionRules,
    /// The leaked credential that it replaces.
    pub replaces: Option<ClientId>,
}

/// A draft that passed the checks.
pub(crate) struct Checked {
    pub proof: CheckedProof,
    pub name: String,
    pub description: String,
    pub notes: String,
    pub tags: Vec<String>,
    pub servers: Vec<McpServer>,
    pub scopes: Scopes,
    pub expires_at: Option<Timestamp>,
    pub token_lifetime: Option<Duration>,
    pub ip_ranges: Vec<IpNet>,
}

impl Checked {
    /// The credential of the draft, which proves itself by a secret and was never used.
    pub(crate) fn credential(&self, client_id: ClientId, team: TeamId, created_by: &str, now: Timestamp) -> Credential {
        Credential {
            client_id,
            team,
            name: self.name.clone(),
            description: self.description.clone(),
            notes: self.notes.clone(),
            owner: None,
            tags: self.tags.clone(),
            auth_method: AuthMethod::ClientSecret,
            keys_at: None,
            assertions: AssertionRules::default(),
            scopes: self.scopes.clone(),
            servers: self.servers.iter().map(|server| server.id.clone()).collect(),
            token_lifetime: self.token_lifetime,
            ip_ranges: self.ip_ranges.clone(),
            created_by: created_by.to_owned(),
            created_at: now,
            expires_at: None,
            ends_at: self.expires_at,
            disabled_at: None,
            revoked_at: None,
            revoke_reason: None,
            verified_at: None,
            last_used_at: None,
            last_used_from: None,
            last_used_agent: None,
            rotation_ends_at: None,
            leak_ends_at: None,
        }
    }
}

/// How the credential proves itself, checked.
pub(crate) enum CheckedProof {
    Secret,
    Keys(Vec<(String, PublicKey)>),
    KeysAt(KeysAt),
    Federated(Box<CheckedIdentity>),
}

impl CheckedProof {
    pub(crate) fn method(&self) -> AuthMethod {
        match self {
            Self::Secret => AuthMethod::ClientSecret,
            Self::Keys(_) | Self::KeysAt(_) => AuthMethod::PrivateKeyJwt,
            Self::Federated(_) => AuthMethod::Federated,
        }
    }
}

impl Draft {
    pub(crate) fn check(
        &self,
        settings: &Settings,
        known: &[McpServer],
        now: Timestamp,
    ) -> Result<Checked, Vec<FieldError>> {
        let mut errors = Errors::default();
        let proof = match &self.proof {
            DraftProof::Secret => Ok(CheckedProof::Secret),
            DraftProof::Keys(keys) => keys.check().map(CheckedProof::Keys),
            DraftProof::KeysAt(address) => match is_keys_address(address) {
                true => Ok(CheckedProof::KeysAt(KeysAt::Address(address.clone()))),
                false => Err(vec![FieldError::new("jwks_uri", NO_KEYS_ADDRESS)]),
            },
            DraftProof::Document(address) => match AppClientId::parse(address).filter(|id| id.document().is_some()) {
                Some(id) => Ok(CheckedProof::KeysAt(KeysAt::Document(id))),
                None => Err(vec![FieldError::new(
                    "document",
                    "Enter the https address of the document, such as https://app.example.com/oauth/client.json.",
                )]),
            },
            DraftProof::Federated(identity) => identity.check(settings).map(Box::new).map(CheckedProof::Federated),
        };
        let proof = proof.map_err(|wrong| errors.0.extend(wrong)).ok();
        let name = errors.take("name", check_name(&self.name));
        let description = errors.take("description", check_description(&self.description));
        let notes = errors.take("notes", check_notes(&self.notes));
        let tags = errors.take("tags", check_tags(&self.tags));
        let servers = errors.take("server", check_servers(&self.servers, known, &[])).unwrap_or_default();
        let scopes = if servers.is_empty() {
            None
        } else {
            errors.take("scopes", check_scopes(&self.scopes, &servers, &Scopes::default()))
        };
        let expires_at = errors.take("expiry", check_expiry(self.expiry, now));
        let token_lifetime = errors.take("token_lifetime", check_token_lifetime(self.token_lifetime));
        let ip_ranges = errors.take("ip_ranges", check_ip_ranges(&self.ip_ranges));
        match (proof, name, description, notes, tags, scopes, expires_at, token_lifetime, ip_ranges) {
            (
                Some(proof),
                Some(name),
                Some(description),
                Some(notes),
                Some(tags),
                Some(scopes),
                Some(expires_at),
                Some(token_lifetime),
                Some(ip_ranges),
            ) => Ok(Checked {
                proof,
                name,
                description,
                notes,
                tags,
                servers,
                scopes,
                expires_at,
                token_lifetime,
                ip_ranges,
            }),
            _ => Err(errors.0),
        }
    }
}

/// A name that may be empty.
pub(crate) fn check_label(label: &str) -> Result<String, String> {
    if label.trim().is_empty() { Ok(String::new()) } else { check_name(label) }
}

pub(crate) fn check_name(name: &str) -> Result<String, String> {
    let name = name.trim();
    if name.is_empty() {
        return Err("Enter a name, such as the job or service that will use it.".to_owned());
    }
    check_visible_name(name, LONGEST_NAME)
}

pub(crate) fn check_description(description: &str) -> Result<String, String> {
    check_lines(description, LONGEST_DESCRIPTION)
}

pub(crate) fn check_notes(notes: &str) -> Result<String, String> {
    check_lines(notes, LONGEST_NOTES)
}

/// Checks a text of several lines. It may be empty.
fn check_lines(text: &str, longest: usize) -> Result<String, String> {
    let text = text.trim().replace("\r\n", "\n").replace(is_space, " ");
    check_length(&text, longest)?;
    text.split('\n').try_for_each(|line| check_printable(line, longest))?;
    Ok(text)
}

/// The tags, sorted, each once. Capital letters become small ones: `Prod` and `prod` are one tag.
pub(crate) fn check_tags(tags: &[String]) -> Result<Vec<String>, String> {
    let tags = tags.iter().map(|tag| tag.trim().to_ascii_lowercase()).filter(|tag| !tag.is_empty());
    let tags: BTreeSet<String> = tags.collect();
    if let Some(wrong) = tags.iter().find(|tag| !is_tag(tag)) {
        let shown: String = wrong.chars().take(60).collect();
        return Err(format!(
            "“{shown}” is not a tag. Use at most {LONGEST_TAG} of a-z, 0-9 and : _ . - and begin with a letter or digit."
        ));
    }
    if tags.len() > MOST_TAGS {
        return Err(format!("Use at most {MOST_TAGS} tags."));
    }
    Ok(tags.into_iter().collect())
}

/// The MCP servers that these resource identifiers or IDs name, each once. `held` are the servers of the
/// credential: an archived server among them does not hinder other edits, and any other archived server is refused.
pub(crate) fn check_servers(
    asked: &[String],
    known: &[McpServer],
    held: &[McpServerId],
) -> Result<Vec<McpServer>, String> {
    if asked.is_empty() {
        let built_in = known.iter().find(|server| server.built_in).ok_or("Choose an MCP server.")?;
        return Ok(vec![built_in.clone()]);
    }
    let mut found: Vec<McpServer> = Vec::with_capacity(asked.len());
    for asked in asked {
        let named = known.iter().find(|server| server.id.as_str() == asked).or_else(|| resource::server(asked, known));
        let server = named.ok_or_else(|| format!("There is no MCP server {asked}. Choose one that is registered."))?;
        if server.is_archived() && !held.contains(&server.id) {
            return Err(format!("The MCP server {asked} is archived. Choose another one."));
        }
        if !found.iter().any(|other| other.id == server.id) {
            found.push(server.clone());
        }
    }
    Ok(found)
}

/// The scopes that are asked for; without one, the default of each server. `held` are the scopes of the credential. A
/// scope among them may be one that its server lost: the scope stays, and works again when the server has it again.
pub(crate) fn check_scopes(asked: &[String], servers: &[McpServer], held: &Scopes) -> Result<Scopes, String> {
    if asked.is_empty() {
        return Ok(servers.iter().flat_map(McpServer::default_scope_names).collect());
    }
    for scope in asked {
        // The credential of an MCP server may ask about tokens, and this does not depend on the servers that it may
        // call.
        let is_known = scope == SCOPE_INTROSPECT
            || held.contains(scope)
            || servers.iter().any(|server| server.scope_names().contains(scope));
        if !is_known {
            return Err(format!("The MCP server has no scope {scope}. Choose from those it lists."));
        }
    }
    Ok(asked.iter().map(String::as_str).collect())
}

pub(crate) fn check_expiry(expiry: Expiry, now: Timestamp) -> Result<Option<Timestamp>, String> {
    match expiry {
        Expiry::Never => Ok(None),
        Expiry::After(duration) if duration < Duration::from_secs(60) => Err("Choose at least one minute.".to_owned()),
        Expiry::After(duration) if duration <= LONGEST_EXPIRY => Ok(Some(now.plus(duration))),
        Expiry::At(moment) if moment > now && moment <= now.plus(LONGEST_EXPIRY) => Ok(Some(moment)),
        Expiry::After(_) => Err("Choose at most ten years, or never.".to_owned()),
        Expiry::At(moment) if moment > now => Err("Choose a day within ten years, or never.".to_owned()),
        Expiry::At(_) => Err("Choose a day in the future.".to_owned()),
    }
}

pub(crate) fn check_token_lifetime(lifetime: Option<Duration>) -> Result<Option<Duration>, String> {
    match lifetime {
        Some(lifetime) if !(SHORTEST_TOKEN_LIFETIME..=LONGEST_TOKEN_LIFETIME).contains(&lifetime) => Err(format!(
            "Choose between {} and {} minutes.",
            SHORTEST_TOKEN_LIFETIME.as_secs() / 60,
            LONGEST_TOKEN_LIFETIME.as_secs() / 60
        )),
        lifetime => Ok(lifetime),
    }
}

pub(crate) fn check_ip_ranges(ranges: &[String]) -> Result<Vec<IpNet>, String> {
    if ranges.len() > MOST_RANGES {
        return Err(format!("Enter at most {MOST_RANGES} ranges."));
    }
    let mut nets: Vec<IpNet> = Vec::new();
    for range in ranges.iter().map(|range| range.trim()).filter(|range| !range.is_empty()) {
        let net = range
            .parse::<IpNet>()
            .or_else(|_| range.parse().map(|address: std::net::IpAddr| IpNet::from(address.to_canonical())))
            .map_err(|_| {
                let shown: String = range.chars().take(60).collect();
                format!("“{shown}” is not an address range. Write one like 10.0.0.0/8 or 2001:db8::/32 on each line.")
            })?;
        if !nets.contains(&net.trunc()) {
            nets.push(net.trunc());
        }
    }
    Ok(nets)
}

pub(crate) fn check_reason(reason: &str) -> Result<Option<String>, String> {
    let reason = reason.trim();
    check_length(reason, LONGEST_REASON)?;
    Ok((!reason.is_empty()).then(|| printable(reason)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(lines: &[&str]) -> Result<Vec<String>, String> {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        check_ip_ranges(&lines).map(|nets| nets.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn address_ranges_are_normalised() {
        assert_eq!(
            ranges(&["10.1.2.3/8", "", " 192.0.2.7 ", "2001:db8::1/32", "10.0.0.0/8"]),
            Ok(vec!["10.0.0.0/8".into(), "192.0.2.7/32".into(), "2001:db8::/32".into()])
        );
        assert!(ranges(&["10.0.0.0/33"]).expect_err("too long a prefix").contains("10.0.0.0/33"));
        assert!(ranges(&["example.com"]).is_err());
    }

    #[test]
    fn tags_are_sorted_and_each_stands_once() {
        let tags = |tags: &[&str]| check_tags(&tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>());
        assert_eq!(tags(&[" prod ", "Nightly", "prod", ""]), Ok(vec!["nightly".to_owned(), "prod".to_owned()]));
        assert!(tags(&["env prod"]).expect_err("a space").contains("env prod"));
        let many: Vec<String> = (0..11).map(|number| number.to_string()).collect();
        assert!(check_tags(&many[..10]).is_ok());
        assert!(check_tags(&many).is_err());
    }

    #[test]
    fn names_are_printable() {
        assert_eq!(check_name("  nightly index "), Ok("nightly index".to_owned()));
        for wrong in ["", "   ", "a\nb", "evil\u{202E}txt", &"x".repeat(101)] {
            assert!(check_name(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn token_lifetimes_stay_within_an_hour() {
        assert_eq!(check_token_lifetime(None), Ok(None));
        assert!(check_token_lifetime(Some(Duration::from_secs(59))).is_err());
        assert!(check_token_lifetime(Some(Duration::from_secs(3601))).is_err());
        assert!(check_token_lifetime(Some(Duration::from_secs(60))).is_ok());
    }
}
