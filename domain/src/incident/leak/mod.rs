//! Leaks: finds secrets, tokens and client IDs in a text by their form and checksum, and looks them up by hash or
//! signature. The text itself is neither stored nor sent.
//!
//! This module finds leaks in a text. [`report`](mod@report) takes reports of leaks. [`delegated`] handles leaks of
//! secrets and tokens that act for people.

pub mod delegated;
pub mod report;

use std::collections::{BTreeMap, HashSet};

use aws_lc_rs::digest;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine, alphabet};
use url::Url;
use zeroize::Zeroizing;

use crate::base::id::ClientId;
use crate::base::text::printable;
use crate::credential::{Result, inspect};
use crate::crypto::secret::{PlainSecret, SecretKind, secret_like};
use crate::model::credential::{ClientSecret, Credential, Impact};
use crate::model::person::authority::Authority;
use crate::model::server::gateway::call::{CallSum, CalledFrom};
use crate::prelude::{Context, Fault, Timestamp};
use crate::server::gateway::usage;
use crate::store;
use crate::store::client::consent::ConsentTokenRef;
use crate::token::verify::{self, SignedToken};

pub use crate::store::token::ledger::{Reach, Reached};
pub use delegated::{DelegatedLeak, LeakSubject, end as end_delegated};
pub use report::{Reported, record, report};

/// Most credentials that are listed for one text.
pub(crate) const MOST_CREDENTIALS: usize = 50;
/// Most secrets, and most tokens, that are looked up for a person who signed in.
const MOST_CANDIDATES: usize = 2000;
/// Most addresses that are listed for a credential.
const MOST_ADDRESSES: i64 = 20;
/// Longest text for the place of a leak, in characters.
const LONGEST_PLACE: usize = 500;
/// Length of a secret of any kind: its prefix and the rest.
const SECRET_LENGTH: usize = 53;
/// Length of a client ID: `csc_` and the rest.
const CLIENT_ID_LENGTH: usize = 26;

/// Secrets, tokens and client IDs in a text that may be ours, each only once.
#[derive(Default)]
pub(crate) struct Scan {
    pub secrets: Vec<(SecretKind, PlainSecret)>,
    pub tokens: Vec<Zeroizing<String>>,
    pub client_ids: Vec<ClientId>,
    /// How many texts begin like a secret but are cut off or have a typing error.
    pub damaged: usize,
    seen: HashSet<String>,
}

impl Scan {
    /// Whether `found` was not found before. Only hashes are remembered.
    fn is_new(&mut self, found: &str) -> bool {
        self.seen.insert(hash(found))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.secrets.is_empty() && self.tokens.is_empty()
    }
}

/// Logs of HTTP clients hold `Authorization: Basic` in base64, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(crate) fn scan(text: &str) -> Scan {
    let mut found = Scan::default();
    scan_secrets(text, &mut found);
    for (position, _) in text.match_indices(ClientId::PREFIX) {
        let id = text.get(position..position + CLIENT_ID_LENGTH).and_then(ClientId::parse_generated);
        if let Some(id) = id.filter(|id| found.is_new(id.as_str())) {
            found.client_ids.push(id);
        }
    }
    scan_encoded(text, &mut found);
    let is_token = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    for word in text.split(|character| !is_token(character)) {
        // A JSON header begins with {", which is eyJ in base64.
        if let Some(start) = word.find("eyJ")
            && word[start..].matches('.').count() >= 2
        {
            let token = Zeroizing::new(word[start..].splitn(4, '.').take(3).collect::<Vec<_>>().join("."));
            if found.is_new(&token) {
                found.tokens.push(token);
            }
        }
    }
    found
}

fn scan_secrets(text: &str, found: &mut Scan) {
    // All prefixes begin with these letters.
    for (position, _) in text.match_indices("cs") {
        let rest = &text[position..];
        let secret = text.get(position..position + SECRET_LENGTH).and_then(PlainSecret::parse_any);
        // A secret ends at a word boundary, as in the published pattern. A longer word is another text.
        let ends = !rest.chars().nth(SECRET_LENGTH).is_some_and(|next| next.is_ascii_alphanumeric());
        match secret {
            Some(secret) if ends => {
                if found.is_new(secret.1.expose()) {
                    found.secrets.push(secret);
                }
            }
            Some(_) | None => {
                if let Some(part) = secret_like(rest)
                    && found.is_new(part)
                {
                    found.damaged += 1;
                }
            }
        }
    }
}

/// Finds secrets inside base64. The start of the base64 is not certain: `Basic%20` may precede it, or a path may
/// surround it. So each word is decoded from four positions, as a whole and in its parts between slashes.
fn scan_encoded(text: &str, found: &mut Scan) {
    let is_encoded = |character: char| character.is_ascii_alphanumeric() || matches!(character, '+' | '/');
    for word in text.split(|character| !is_encoded(character)).filter(|word| word.len() > SECRET_LENGTH) {
        let parts = word.split('/').filter(|part| part.len() > SECRET_LENGTH && part.len() < word.len());
        for part in parts.chain([word]) {
            for start in 0..4 {
                let part = &part[start..];
                let whole = part.len() - usize::from(part.len() % 4 == 1);
                if let Ok(decoded) = BASE64.decode(&part[..whole]).map(Zeroizing::new) {
                    scan_secrets(&Zeroizing::new(String::from_utf8_lossy(&decoded).into_owned()), found);
                }
            }
        }
    }
}

/// The place of a leak, without the leaked value: an address may hold the value in its query, in its path or before the
/// host.
pub(crate) fn place(text: &str) -> Option<String> {
    let text: String = printable(&text.chars().take(LONGEST_PLACE).collect::<String>()).trim().to_owned();
    if text.is_empty() {
        return None;
    }
    let without = match Url::parse(&text) {
        Ok(url) if url.has_host() => {
            let origin = url.origin().ascii_serialization();
            let whole = format!("{origin}{}", url.path());
            if holds_something(&whole) { origin } else { whole }
        }
        _ => text,
    };
    Some(if holds_something(&without) { "(withheld: it held what was found)".to_owned() } else { without })
}

fn holds_something(text: &str) -> bool {
    !scan(text).is_empty() || SecretKind::ALL.iter().any(|kind| text.contains(kind.prefix()))
}

/// What the text holds of a credential.
#[derive(Debug, Clone)]
pub enum Evidence {
    /// A secret of the credential, and whether it works.
    Secret {
        /// The last characters of the secret.
        hint: String,
        /// Whether the secret can be exchanged for a token.
        works: bool,
    },
    /// An access token of the credential, and when it expires.
    Token {
        /// When the token expires.
        ends_at: Timestamp,
        /// Whether the token would be accepted now.
        works: bool,
    },
    /// The client ID, which is not secret.
    ClientId,
}

/// A credential that the text leaks, and what can be reached with it.
pub struct Leak {
    /// The credential.
    pub credential: Credential,
    /// What the text holds of the credential.
    pub evidence: Vec<Evidence>,
    /// Its live tokens, and its use in the last 24 hours.
    pub impact: Impact,
    /// Its use since each of the moments that were asked for.
    pub reach: Reach,
    /// What it called through the gateway since the earliest of these moments.
    pub calls: Vec<CallSum>,
    /// What its latest calls called, by address.
    pub called_from: Vec<CalledFrom>,
}

/// The result of the search in a text.
pub struct Findings {
    /// The credentials. Credentials with a working secret or token come first.
    pub leaks: Vec<Leak>,
    /// Secrets and tokens that act for people. Working ones come first.
    pub delegated: Vec<DelegatedLeak>,
    /// Secrets of the right form that this instance does not know.
    pub unknown: usize,
    /// Texts that look like a secret but are cut off, or have a typing error.
    pub damaged: usize,
    /// A count of two kinds: credentials whose secrets or tokens are in the text but whose teams `authority` does not
    /// see, and secrets and tokens that act for other people.
    pub elsewhere: usize,
    /// Those of these secrets and tokens that work, so that whoever pasted them can report them.
    pub to_report: Vec<Zeroizing<String>>,
    /// Whether the text holds more than is looked up at once.
    pub more: bool,
}

/// Searches a text for leaks, and counts how the leaked credentials were used since each of the moments `since`, the
/// earliest first. What `authority` does not
/// see is only counted, and only when the text holds a secret or token of it: anyone who holds a secret may end it with
/// [`report()`].
pub async fn find(
    context: &Context,
    authority: &Authority,
    text: &str,
    since: [Timestamp; 4],
) -> Result<Findings, Fault> {
    let found = scan(text);
    let now = context.now();
    let mut more = found.secrets.len() + found.tokens.len() > MOST_CANDIDATES;
    let mut evidence: BTreeMap<ClientId, Vec<Evidence>> = BTreeMap::new();
    let mut texts: BTreeMap<ClientId, Vec<Zeroizing<String>>> = BTreeMap::new();
    let mut delegated = Vec::new();
    let secrets = &found.secrets[..found.secrets.len().min(MOST_CANDIDATES)];
    let known = known(context, secrets).await?;
    let mut unknown = 0;
    for (kind, secret) in secrets {
        if !known.contains(secret.hash(&context.keys.pepper).as_str()) {
            unknown += 1;
            continue;
        }
        let text_of = || Zeroizing::new(secret.expose().to_owned());
        if let Some((client_id, stored)) = secret_of_credential(context, *kind, secret).await? {
            let works = stored.end().is_live(now);
            texts.entry(client_id.clone()).or_default().push(text_of());
            evidence.entry(client_id).or_default().push(Evidence::Secret { hint: stored.hint, works });
            continue;
        }
        match delegated::find(context, *kind, secret, now).await? {
            Some(leak) => delegated.push((leak, text_of())),
            None if delegated::is_code(context, *kind, secret).await? => {}
            None => unknown += 1,
        }
    }
    for token in found.tokens.iter().take(MOST_CANDIDATES) {
        match verify::whose(context, token).await? {
            Some((SignedToken::OfCredential(client_id, _), ends_at, works)) => {
                texts.entry(client_id.clone()).or_default().push(token.clone());
                evidence.entry(client_id).or_default().push(Evidence::Token { ends_at, works });
            }
            Some((SignedToken::OfGrant(jti), _, works)) => {
                let leak = delegated::of_consent(context, ConsentTokenRef::AccessToken(&jti), works).await?;
                delegated.extend(leak.map(|leak| (leak, token.clone())));
            }
            None => {}
        }
    }
    let (delegated, others): (Vec<_>, Vec<_>) =
        each_once(delegated).into_iter().partition(|(leak, _)| leak.is_seen_by(authority));
    let delegated = delegated.into_iter().map(|(leak, _)| leak).collect();
    // A client ID is no secret. So client IDs come last, and only as many as the page shows.
    for client_id in found.client_ids {
        if evidence.len() > MOST_CREDENTIALS {
            more = true;
            break;
        }
        evidence.entry(client_id).or_insert_with(|| vec![Evidence::ClientId]);
    }
    let (mut given_away, mut elsewhere) = (Vec::new(), others.len());
    // What has ended is not sent again: a report handles only so many.
    let mut to_report: Vec<_> = others.into_iter().filter(|(leak, _)| leak.works).map(|(_, text)| text).collect();
    for (client_id, evidence) in evidence {
        match inspect::find(context, authority, &client_id).await? {
            Some(credential) => given_away.push((credential, evidence)),
            None if evidence.iter().any(Evidence::is_proof) => {
                elsewhere += 1;
                to_report.extend(working(texts.remove(&client_id), &evidence));
            }
            None => {}
        }
    }
    given_away.sort_by_key(|(credential, evidence)| {
        !(credential.revoked_at.is_none() && evidence.iter().any(Evidence::works))
    });
    more |= given_away.len() > MOST_CREDENTIALS;
    let mut leaks = Vec::new();
    for (credential, evidence) in given_away.into_iter().take(MOST_CREDENTIALS) {
        leaks.push(leak_of(context, credential, evidence, since).await?);
    }
    Ok(Findings { leaks, delegated, unknown, damaged: found.damaged, elsewhere, to_report, more })
}

/// The texts whose evidence works; each text has one.
fn working(texts: Option<Vec<Zeroizing<String>>>, evidence: &[Evidence]) -> impl Iterator<Item = Zeroizing<String>> {
    let each = texts.unwrap_or_default().into_iter().zip(evidence);
    each.filter(|(_, evidence)| evidence.works()).map(|(text, _)| text)
}

/// One thing may be found several times. The working evidence comes first, and only the first is kept.
fn each_once(mut found: Vec<(DelegatedLeak, Zeroizing<String>)>) -> Vec<(DelegatedLeak, Zeroizing<String>)> {
    found.sort_by_key(|(leak, _)| !leak.works);
    let mut known = HashSet::new();
    found.retain(|(leak, _)| known.insert(leak.key().to_owned()));
    found
}

/// What can be reached with this credential.
async fn leak_of(
    context: &Context,
    credential: Credential,
    evidence: Vec<Evidence>,
    since: [Timestamp; 4],
) -> Result<Leak, Fault> {
    let impact = inspect::impact(context, &credential).await?;
    let reach = store::token::ledger::reach(&context.store, &credential.client_id, since, MOST_ADDRESSES).await?;
    let caller = credential.client_id.as_str();
    let calls = usage::of_caller(context, caller, "", since[0].hour()).await?;
    let called_from = usage::by_address(context, caller, "").await?;
    Ok(Leak { credential, evidence, impact, reach, calls, called_from })
}

/// The hashes of those secrets that are stored here.
async fn known(context: &Context, secrets: &[(SecretKind, PlainSecret)]) -> Result<HashSet<String>, Fault> {
    if secrets.is_empty() {
        return Ok(HashSet::new());
    }
    let hashes: Vec<_> = secrets.iter().map(|(_, secret)| secret.hash(&context.keys.pepper)).collect();
    Ok(store::incident::leak::known(&context.store, &hashes).await?)
}

/// The credential and the stored secret, if `secret` belongs to a credential.
async fn secret_of_credential(
    context: &Context,
    kind: SecretKind,
    secret: &PlainSecret,
) -> Result<Option<(ClientId, ClientSecret)>, Fault> {
    if kind != SecretKind::Client {
        return Ok(None);
    }
    let hash = secret.hash(&context.keys.pepper);
    Ok(store::credential::secret_by_hash(&context.store, &hash).await?)
}

impl Evidence {
    /// Whether this evidence is a secret or token, not only public information.
    fn is_proof(&self) -> bool {
        !matches!(self, Self::ClientId)
    }

    /// Whether a finder of the text can use this.
    pub fn works(&self) -> bool {
        match self {
            Self::Secret { works, .. } | Self::Token { works, .. } => *works,
            Self::ClientId => false,
        }
    }
}

/// SHA-256 in base64: GitHub names a token in this way, so that neither side repeats the token.
pub fn hash(token: &str) -> String {
    STANDARD.encode(digest::digest(&digest::SHA256, token.as_bytes()))
}

/// The secret of the credential that was reported last, if any.
pub fn reported(secrets: &[ClientSecret]) -> Option<&ClientSecret> {
    secrets.iter().filter(|secret| secret.leaked_at.is_some()).max_by_key(|secret| secret.leaked_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededRandom;

    #[test]
    fn secrets_are_found_wherever_they_stand() {
        let random = SeededRandom::new(5);
        let secret = PlainSecret::generate(&random);
        let id = ClientId::generate(&random);
        let plain = secret.expose();
        for text in [
            plain.to_owned(),
            format!("MCP_CLIENT_SECRET={plain}\n"),
            format!("{{\"client_secret\":\"{plain}\"}}"),
            format!("log\\ncss_ {plain}, and more"),
            format!("https://x/?client_secret={plain}&grant_type=y"),
            format!("ünïcödé {plain}…"),
            format!("Authorization: Basic {}", STANDARD.encode(format!("{id}:{plain}"))),
            STANDARD.encode(format!("{id}:{plain}")).trim_end_matches('=').to_owned(),
            format!("MCP_BASIC_AUTH={}", STANDARD.encode(format!("{id}:{plain}"))),
            format!("Basic%20{}", STANDARD.encode(format!("{id}:{plain}"))),
            format!("/a/path/{}/b", STANDARD.encode(format!("{id}:{plain}"))),
            format!("{plain}\n").repeat(700),
        ] {
            let found = scan(&text);
            assert_eq!(found.secrets.len(), 1, "{text}");
            assert_eq!(found.secrets[0].1.expose(), plain);
        }
        for text in [format!("{plain}x"), plain[1..].to_owned(), plain.replace("css_", "css-"), "css_".repeat(100)] {
            assert!(scan(&text).secrets.is_empty(), "{text}");
        }
        for (text, damaged) in [
            (plain[..30].to_owned(), 1),
            (format!("{}A", &plain[..plain.len() - 1]), usize::from(!plain.ends_with('A'))),
            (format!("{plain} {plain}"), 0),
            (format!("css_class_name css_stylesheetfiles css_ {}", &plain[..10]), 0),
            (format!("a={0} b={0}", &plain[..20]), 1),
        ] {
            assert_eq!(scan(&text).damaged, damaged, "{text}");
        }
        let found = scan(&format!("{id} {id} csc_short eyJhbGciOi.eyJ4.c2ln, Bearer eyJa.b.c.d"));
        assert_eq!(found.client_ids, [id]);
        let tokens: Vec<&str> = found.tokens.iter().map(|token| token.as_str()).collect();
        assert_eq!(tokens, ["eyJhbGciOi.eyJ4.c2ln", "eyJa.b.c"]);
    }

    #[test]
    fn every_kind_of_secret_is_found() {
        for kind in SecretKind::ALL {
            let secret = PlainSecret::generate_of(kind, &SeededRandom::new(6));
            let found = scan(&format!("csp_x token={} css_", secret.expose()));
            assert_eq!(found.secrets.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [kind]);
        }
    }

    #[test]
    fn a_place_does_not_hold_what_was_found() {
        let secret = PlainSecret::generate(&SeededRandom::new(5));
        let plain = secret.expose();
        let encoded = STANDARD.encode(format!("csc_x:{plain}"));
        for (text, expected) in [
            ("https://paste.example/1".to_owned(), Some("https://paste.example/1")),
            (format!("https://h.example/cb?client_secret={plain}"), Some("https://h.example/cb")),
            (format!("https://csc_x:{plain}@h.example/a#b"), Some("https://h.example/a")),
            (format!("https://h.example/{plain}/x"), Some("https://h.example")),
            (format!("https://h.example/{encoded}"), Some("https://h.example")),
            (format!("commit {plain}"), Some("(withheld: it held what was found)")),
            (format!("commit {encoded}"), Some("(withheld: it held what was found)")),
            ("content".to_owned(), Some("content")),
            (" ".to_owned(), None),
        ] {
            assert_eq!(place(&text).as_deref(), expected, "{text}");
        }
    }
}
