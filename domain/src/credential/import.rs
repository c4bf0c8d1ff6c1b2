//! Importing many credentials from another system: one JSON object a line, with the identifiers and secrets that
//! clients hold already.
//!
//! A file is read twice:
//!
//! - First every line is checked. One bad line means that nothing is written.
//! - Then the lines are written in batches, each whole or not at all. After any interruption, an import of the same
//!   file continues where the last one ended, because lines whose credential exists already are left alone.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::json;

use crate::base::id::{ClientId, PersonId, SecretId, TeamId};
use crate::credential::not_open;
use crate::crypto::imported_secret::{ImportedHash, ImportedSecret};
use crate::crypto::secret::PlainSecret;
use crate::model::credential::draft::{Draft, Expiry};
use crate::model::credential::{AuthMethod, Credential, Owner};
use crate::model::operations::policy::{CredentialFacts, Policies};
use crate::model::server::McpServer;
use crate::prelude::{Action, Actor, Context, Event, Fault, FieldError, Timestamp, through_fault};
use crate::store;
use crate::store::credential::import::NewImported;

/// Secrets in clear with fewer bytes are imported only on request.
const SHORTEST: usize = 16;
/// Number of lines that are checked or written at once.
pub const BATCH: usize = 1000;

/// A line of the file. Only the name and one of the two secrets are needed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    client_id: Option<String>,
    client_secret: Option<String>,
    client_secret_hash: Option<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    notes: String,
    team: Option<String>,
    /// The email address or the ID of a person who sees the team.
    owner: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    mcp_servers: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
    token_lifetime: Option<u64>,
    #[serde(default)]
    ip_ranges: Vec<String>,
    /// RFC 3339. `null`: never. Absent: the default of a new secret.
    #[serde(default, deserialize_with = "present")]
    expires_at: Option<Option<String>>,
    #[serde(default)]
    disabled: bool,
}

/// Distinguishes `null` from an absent field.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The number of the line, from 1.
    pub line: u64,
    /// What to do about it. The message repeats no secret.
    pub message: String,
}

/// Why a batch was not written.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// These lines cannot be imported. Nothing of their batch was written.
    #[error("{} lines cannot be imported", .0.len())]
    Lines(Vec<Problem>),
    /// A fault of ours.
    #[error(transparent)]
    Fault(Fault),
}

through_fault!(ImportError);

/// The result of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Credentials that are new. In a check: that would be new.
    pub new: u64,
    /// Lines whose credential existed already.
    pub present: u64,
}

/// The secret of a line, checked.
enum CheckedSecret {
    /// The file holds the secret in a form that can be stored as it is.
    Stored { hash: String, hint: String },
    /// A person may have chosen this secret, so it needs a password hash when it is written.
    Chosen(ImportedSecret),
}

/// A person whom a line may name as owner.
#[derive(Clone)]
struct PersonOfImport {
    owner: Owner,
    /// The teams that the person sees; `None`: all.
    teams: Option<Vec<TeamId>>,
}

/// An import under way: what lines are checked against, and what the lines so far held.
pub struct Import<'context> {
    context: &'context Context,
    actor: &'context Actor,
    servers: Vec<McpServer>,
    policies: Policies,
    teams: HashMap<String, TeamId>,
    /// By the email address and by the ID.
    people: HashMap<String, PersonOfImport>,
    /// Fingerprints of the identifiers and secrets so far.
    seen: HashSet<u64>,
    allows_short_secrets: bool,
}

impl<'context> Import<'context> {
    /// Begins an import at the first line of a file.
    pub async fn begin(context: &'context Context, actor: &'context Actor) -> Result<Self, Fault> {
        let teams = store::person::team::list(&context.store, None).await?;
        let teams = teams
            .into_iter()
            .flat_map(|team| [(team.name.to_lowercase(), team.id.clone()), (team.id.as_str().to_lowercase(), team.id)]);
        Ok(Self {
            servers: store::server::list(&context.store).await?,
            policies: store::operations::policy::all(&context.store).await?,
            teams: teams.collect(),
            people: people(context).await?,
            seen: HashSet::new(),
            allows_short_secrets: false,
            context,
            actor,
        })
    }

    /// Also imports secrets in clear that have fewer than 16 bytes.
    pub fn allowing_short_secrets(self, allows_short_secrets: bool) -> Self {
        Self { allows_short_secrets, ..self }
    }

    /// Checks a batch of lines with their numbers, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`ImportError::Lines`] with everything that is wrong in the batch.
    pub async fn check(&mut self, lines: &[(u64, String)]) -> Result<Imported, ImportError> {
        let checked = self.checked(lines)?;
        let mut connection = self.context.store.read_connection().await?;
        let (imported, _) = self.new_ones(&mut connection, checked).await?;
        Ok(imported)
    }

    /// Writes a batch of lines that were checked. Lines whose credential exists already are skipped.
    pub async fn write(&mut self, lines: &[(u64, String)], is_alone: bool) -> Result<Imported, ImportError> {
        let checked = self.checked(lines)?;
        let mut connection = self.context.store.read_connection().await?;
        let (_, new) = self.new_ones(&mut connection, checked).await?;
        drop(connection);
        // Hashed before the change begins: a password hash takes time, and other changes wait for this one.
        let mut batch = Vec::with_capacity(new.len());
        for (line, credential, secret) in new {
            let (hash, hint) = match secret {
                CheckedSecret::Stored { hash, hint } => (hash, hint),
                CheckedSecret::Chosen(secret) => {
                    let hash = self.context.secret_hashing.hash_imported(secret).await?;
                    (hash.stored(&credential.client_id), String::new())
                }
            };
            let secret = SecretId::generate(self.context.random.as_ref());
            batch.push((line, NewImported { credential, secret, hash, hint }));
        }
        self.commit(batch, lines.len() as u64, is_alone).await
    }

    async fn commit(
        &self,
        batch: Vec<(u64, NewImported)>,
        lines: u64,
        is_alone: bool,
    ) -> Result<Imported, ImportError> {
        let store = &self.context.store;
        let mut change = self.context.begin_change().await?;
        // Another import may have added some of them since they were read.
        let ids: Vec<&str> = batch.iter().map(|(_, new)| new.credential.client_id.as_str()).collect();
        let (present, _) = store::credential::import::present(store, &mut change, &ids, &[]).await?;
        let is_new = |new: &NewImported| !present.contains(new.credential.client_id.as_str());
        let batch: Vec<_> = batch.into_iter().map(|(_, new)| new).filter(is_new).collect();
        let imported = Imported { new: batch.len() as u64, present: lines - batch.len() as u64 };
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(imported) };
        store::credential::import::insert(store, &mut change, &batch, self.actor.id()).await?;
        let events = if is_alone {
            batch.iter().map(|new| event_of_one(&new.credential)).collect()
        } else {
            // One audit entry for each credential would make the log of a large import larger than the import.
            vec![Event::of_instance(Action::CredentialImported).with(json!({
                "credentials": batch.len(),
                "first": first.credential.client_id.as_str(),
                "last": last.credential.client_id.as_str(),
            }))]
        };
        change.commit_all(self.actor, &events).await?;
        Ok(imported)
    }

    fn checked(&mut self, lines: &[(u64, String)]) -> Result<Vec<(u64, Credential, CheckedSecret)>, ImportError> {
        let (mut checked, mut problems) = (Vec::with_capacity(lines.len()), Vec::new());
        for (number, line) in lines {
            match self.line(line) {
                Ok((credential, secret)) => checked.push((*number, credential, secret)),
                Err(message) => problems.push(Problem { line: *number, message }),
            }
        }
        if problems.is_empty() { Ok(checked) } else { Err(ImportError::Lines(problems)) }
    }

    /// Leaves out the credentials that exist already, and finds secrets that belong to other credentials.
    async fn new_ones(
        &self,
        connection: &mut sqlx::AnyConnection,
        checked: Vec<(u64, Credential, CheckedSecret)>,
    ) -> Result<(Imported, Vec<(u64, Credential, CheckedSecret)>), ImportError> {
        let ids: Vec<&str> = checked.iter().map(|(_, credential, _)| credential.client_id.as_str()).collect();
        let hashes = checked.iter().filter_map(|(_, _, secret)| match secret {
            CheckedSecret::Stored { hash, .. } => Some(hash.as_str()),
            CheckedSecret::Chosen(_) => None,
        });
        let hashes: Vec<&str> = hashes.collect();
        let (present, taken) =
            store::credential::import::present(&self.context.store, connection, &ids, &hashes).await?;
        let (mut new, mut problems) = (Vec::new(), Vec::new());
        let mut imported = Imported::default();
        for (line, credential, secret) in checked {
            if present.contains(credential.client_id.as_str()) {
                imported.present += 1;
                continue;
            }
            if matches!(&secret, CheckedSecret::Stored { hash, .. } if taken.contains(hash)) {
                let message = "client_secret: another credential has it already".to_owned();
                problems.push(Problem { line, message });
            }
            imported.new += 1;
            new.push((line, credential, secret));
        }
        if problems.is_empty() { Ok((imported, new)) } else { Err(ImportError::Lines(problems)) }
    }

    fn line(&mut self, text: &str) -> Result<(Credential, CheckedSecret), String> {
        let line: Line = serde_json::from_str(text).map_err(|error| said_without_values(&error))?;
        let client_id = match &line.client_id {
            Some(id) => ClientId::parse(id).ok_or(
                "client_id: use 4 to 128 letters, digits and . _ - ~ @, beginning with a letter or digit; what begins \
                 with csc_ must be one of ours",
            )?,
            // The same line gets the same identifier when the file is imported again. It is derived with the pepper,
            // because the line holds a secret and the identifier is public.
            None => ClientId::following_from(&self.context.keys.pepper.mac(text.as_bytes())),
        };
        if !self.seen.insert(short(client_id.as_str())) {
            return Err("client_id: an earlier line has it, or is the same".to_owned());
        }
        let draft = Draft {
            name: line.name,
            description: line.description,
            notes: line.notes,
            tags: line.tags,
            servers: line.mcp_servers,
            scopes: line.scopes,
            expiry: match &line.expires_at {
                None => self.policies.within(AuthMethod::ClientSecret, Expiry::default()),
                Some(None) => Expiry::Never,
                Some(Some(text)) => Expiry::At(
                    Timestamp::parse_rfc3339(text).ok_or("expires_at: use the form 2027-01-31T00:00:00Z, or null")?,
                ),
            },
            token_lifetime: line.token_lifetime.map(Duration::from_secs),
            ip_ranges: line.ip_ranges,
            ..Draft::default()
        };
        let now = self.context.now();
        let said = |errors: Vec<FieldError>| {
            errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect::<Vec<_>>().join(" ")
        };
        let checked = draft.check(&self.context.settings, &self.servers, now).map_err(said)?;
        let secret = self.secret(&client_id, line.client_secret, line.client_secret_hash)?;
        let team = match &line.team {
            None => TeamId::first(),
            Some(team) => {
                let found = self.teams.get(&team.to_lowercase()).cloned();
                found.ok_or("team: there is no such team; make it first, or leave it out")?
            }
        };
        let mut closed = checked.servers.clone();
        closed.retain(|server| !server.access.admits_team(&team));
        if !closed.is_empty() {
            let name = line.team.as_deref().unwrap_or("that the command line generates for");
            return Err(format!("mcp_servers: {}", not_open(&closed, name)));
        }
        let owner = line.owner.map(|owner| self.owner(&owner, &team)).transpose()?;
        let credential = Credential {
            owner,
            disabled_at: line.disabled.then_some(now),
            ..checked.credential(client_id, team, self.actor.name(), now)
        };
        self.policies.check(&CredentialFacts::of(&credential, &self.servers), None).map_err(said)?;
        let life = self.policies.check_life(AuthMethod::ClientSecret, now, checked.expires_at);
        life.map_err(|error| format!("expires_at: {}", error.message))?;
        Ok((credential, secret))
    }

    /// The person who shall answer for a credential of the team.
    fn owner(&self, named: &str, team: &TeamId) -> Result<Owner, String> {
        let person = self.people.get(&named.to_lowercase());
        let person = person.ok_or("owner: there is no person with this email address who can sign in")?;
        let sees_team = person.teams.as_ref().is_none_or(|teams| teams.contains(team));
        sees_team.then(|| person.owner.clone()).ok_or_else(|| "owner: the person is not in the team".to_owned())
    }

    fn secret(
        &mut self,
        client_id: &ClientId,
        plain: Option<String>,
        hash: Option<String>,
    ) -> Result<CheckedSecret, String> {
        let secret = match (plain, hash) {
            (Some(plain), None) => match PlainSecret::parse(&plain) {
                Some(secret) => CheckedSecret::Stored {
                    hash: secret.hash(&self.context.keys.pepper).as_str().to_owned(),
                    hint: secret.hint(),
                },
                None if plain.starts_with(PlainSecret::PREFIX) => {
                    return Err("client_secret: begins like one of ours, but its checksum is wrong".to_owned());
                }
                None if plain.len() < SHORTEST && !self.allows_short_secrets => {
                    return Err(
                        "client_secret: has fewer than 16 bytes, so somebody may guess it. Give the program a \
                                longer one first, or import with --allow-short-secrets and rotate it soon"
                            .to_owned(),
                    );
                }
                None => CheckedSecret::Chosen(
                    ImportedSecret::parse(&plain).ok_or("client_secret: use 8 to 256 bytes that can be typed")?,
                ),
            },
            (None, Some(hash)) => {
                let hash = ImportedHash::parse(&hash).map_err(|problem| format!("client_secret_hash: {problem}"))?;
                CheckedSecret::Stored { hash: hash.stored(client_id), hint: String::new() }
            }
            _ => return Err("needs either client_secret or client_secret_hash".to_owned()),
        };
        match &secret {
            CheckedSecret::Stored { hash, .. } if !self.seen.insert(short(hash)) => {
                Err("client_secret: an earlier line has it".to_owned())
            }
            _ => Ok(secret),
        }
    }
}

/// The people who can sign in, by the email address and by the ID.
async fn people(context: &Context) -> Result<HashMap<String, PersonOfImport>, Fault> {
    let mut teams: HashMap<PersonId, Vec<TeamId>> = HashMap::new();
    for (person, own) in store::person::team::of_people(&context.store).await? {
        teams.entry(person).or_default().push(own.team.id);
    }
    let mut people = HashMap::new();
    for (person, _) in store::person::list(&context.store).await? {
        if person.disabled_at.is_some() {
            continue;
        }
        let of_person = teams.remove(&person.id).unwrap_or_default();
        let found = PersonOfImport {
            teams: person.administrator_since.is_none().then_some(of_person),
            owner: Owner { id: person.id, name: person.name, disabled: false },
        };
        people.insert(found.owner.id.as_str().to_lowercase(), found.clone());
        people.insert(person.email, found);
    }
    Ok(people)
}

fn event_of_one(credential: &Credential) -> Event {
    credential.event(Action::CredentialImported).with(json!({
        "team": credential.team.as_str(),
        "scopes": credential.scopes.to_string(),
        "expires_at": credential.ends_at.map(Timestamp::rfc3339),
    }))
}

/// A fingerprint that finds repetitions in a file. It has only eight bytes, because a file may have millions of lines.
fn short(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The message of JSON's parser without the value that it found: the value may be a secret.
fn said_without_values(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let is_about_fields =
        ["unknown", "missing", "duplicate"].iter().any(|kind| said.starts_with(&format!("{kind} field")));
    if error.is_data() && !is_about_fields {
        return format!("is not as expected at column {}: a field has a value of the wrong kind", error.column());
    }
    match said.split_once(", expected one of") {
        Some((_, known)) => format!("has a field that is not known at column {}; known are{known}", error.column()),
        None if said.starts_with("unknown field") => {
            format!("has a field that is not known at column {}", error.column())
        }
        None => said,
    }
}
