//! Handing a secret over: a link with which somebody without an account opens it once, within a time, and with a word
//! if one was told to them separately.
//!
//! The secret is stored encrypted. The key follows from the token of the link, the word, and a key of the instance:
//! whoever has the database and not the link reads nothing, and neither do we. If nobody opens the secret in time, it
//! ends.

use std::time::Duration;

use serde_json::json;
use zeroize::Zeroizing;

use crate::base::digest;
use crate::base::encoding::base62;
use crate::base::id::{AuthenticatorId, ClientId};
use crate::base::text::{check_length, printable};
use crate::credential::{Result, find_for, update_ends};
use crate::crypto::keys::MasterKey;
use crate::crypto::keys::master::MASTER_KEY_BYTES;
use crate::crypto::keys::purpose::HANDOVER;
use crate::crypto::secret::{PlainSecret, SecretKind};
use crate::model::credential::Credential;
use crate::model::person::authority::Role;
use crate::model::server::McpServer;
use crate::prelude::{Action, Actor, AtField, Change, Context, Fault, FieldError, Timestamp};
use crate::store::credential::authenticators;
use crate::store::credential::handover::{self as handovers, HandoverRow};
use crate::{server, store};

/// Longest time within which the secret must be opened.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// Shortest and longest word, in characters.
const WORD: [usize; 2] = [4, 100];
/// Longest text that says for whom the secret is.
const LONGEST_NAME: usize = 100;
/// After so many wrong words the secret ends.
const MOST_WRONG: i64 = 5;

/// What a person wants to hand over, and how.
pub struct Wanted<'form> {
    /// The secret, which its page shows at this moment.
    pub secret: &'form str,
    /// Within which time it must be opened.
    pub within: Duration,
    /// A word that the receiver needs; may be empty.
    pub word: &'form str,
    /// For whom it is; may be empty.
    pub made_for: &'form str,
}

/// A link, without its token.
#[derive(Debug, Clone)]
pub struct Handover {
    /// Name of who made it.
    pub made_by: String,
    /// For whom it is, in words; may be empty.
    pub made_for: String,
    /// Whether the receiver needs a word.
    pub has_word: bool,
    /// Until when the secret can be opened.
    pub expires_at: Timestamp,
    /// When it was opened.
    pub opened_at: Option<Timestamp>,
}

/// A secret that was just opened.
pub struct Opened {
    /// The credential that it belongs to.
    pub credential: Credential,
    /// The secret.
    pub secret: PlainSecret,
    /// When it stops working; `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// Why a link does not open.
#[derive(Debug)]
pub enum Unopened {
    /// It was opened or replaced, its time is over, or its secret ended.
    Gone,
    /// The word is wrong. The number says how often another one may be tried.
    WrongWord(i64),
    /// A fault of ours.
    Fault(Fault),
}

impl<Error: Into<Fault>> From<Error> for Unopened {
    fn from(fault: Error) -> Self {
        Self::Fault(fault.into())
    }
}

/// Makes a link for a secret of this credential that works, and returns its token. An earlier link for the same secret
/// stops working.
///
/// # Errors
///
/// [`CredentialError`](crate::credential::CredentialError), also errors at `client_secret`, `word` and `made_for`.
pub async fn create(
    context: &Context,
    actor: &Actor,
    client_id: &ClientId,
    wanted: &Wanted<'_>,
) -> Result<(Handover, String)> {
    let word = wanted.word.trim();
    if !word.is_empty() && !(WORD[0]..=WORD[1]).contains(&word.chars().count()) {
        return Err(
            FieldError::new("word", format!("Use {} to {} characters, or leave it empty.", WORD[0], WORD[1])).into()
        );
    }
    check_length(wanted.made_for.trim(), LONGEST_NAME).at("made_for")?;
    let not_ours = || FieldError::new("client_secret", "This is not a working secret of this credential.");
    let secret = PlainSecret::parse_of(SecretKind::Client, wanted.secret).ok_or_else(not_ours)?;
    let hash = secret.hash(&context.keys.pepper);
    let token = base62::random(context.random.as_ref(), 43);
    let mut change = context.begin_change().await?;
    let now = change.now();
    let credential = find_for(&mut change, actor, client_id, Role::Member).await?;
    let found = store::credential::secret_by_hash(&mut change, &hash).await?;
    let Some((_, stored)) = found.filter(|(of, stored)| of == client_id && stored.end().is_live(now)) else {
        return Err(not_ours().into());
    };
    let token_hash = digest::sha256(token.as_bytes());
    let key = key_of(context, &token, word);
    let row = HandoverRow {
        sealed: Some(key.wrap(HANDOVER, &token_hash, secret.expose().as_bytes(), context.random.as_ref())?),
        token_hash,
        client_id: client_id.clone(),
        secret: stored.id.clone(),
        has_word: !word.is_empty(),
        wrong: 0,
        made_for: printable(wanted.made_for.trim()),
        made_by: actor.name().to_owned(),
        expires_at: now.plus(wanted.within.min(LONGEST)),
        opened_at: None,
    };
    handovers::replace(&mut change, &row, now).await?;
    let details = json!({
        "secret": stored.id.as_str(), "for": row.made_for, "expires_at": row.expires_at.rfc3339(), "word": row.has_word,
    });
    change.commit(actor, &credential.event(Action::CredentialHandoverCreated).with(details)).await?;
    Ok((shown(row), token))
}

/// The link with this token, if its secret can be opened now.
pub async fn look(context: &Context, token: &str) -> Result<Option<Handover>, Fault> {
    let row = handovers::find(&context.store, &digest::sha256(token.as_bytes())).await?;
    Ok(row.filter(|row| is_open(row, context.now())).map(shown))
}

/// The links for secrets of a credential that the caller may see, the newest first.
pub async fn list(context: &Context, id: &ClientId) -> Result<Vec<Handover>, Fault> {
    Ok(handovers::of_credential(&context.store, id).await?.into_iter().map(shown).collect())
}

/// Opens the secret. Nobody can open it a second time. After five wrong words the secret ends: somebody else has the
/// link. `actor` is Countersign itself, at the address of the request.
///
/// # Errors
///
/// See [`Unopened`].
pub async fn open(context: &Context, actor: &Actor, token: &str, word: &str) -> Result<Opened, Unopened> {
    let token_hash = digest::sha256(token.as_bytes());
    let mut change = context.begin_change().await?;
    let now = change.now();
    let row = handovers::find(&mut change, &token_hash).await?.filter(|row| is_open(row, now));
    let Some(row) = row else { return Err(Unopened::Gone) };
    let Some(credential) = store::credential::find(&mut change, &row.client_id).await? else {
        return Err(Unopened::Gone);
    };
    let stored =
        store::credential::secrets(&mut change, &row.client_id).await?.into_iter().find(|one| one.id == row.secret);
    let Some(stored) = stored.filter(|one| one.end().is_live(now) && credential.is_open()) else {
        return Err(Unopened::Gone);
    };
    let Some(secret) = unsealed(context, &row, token, word) else {
        handovers::count_wrong(&mut change, &token_hash).await?;
        let left = MOST_WRONG - row.wrong - 1;
        if left <= 0 {
            end_unopened(change, actor, &row, "wrong_words").await?;
            return Err(Unopened::Gone);
        }
        change.commit_without_event().await?;
        return Err(Unopened::WrongWord(left));
    };
    if !handovers::open(&mut change, &token_hash, now).await? {
        return Err(Unopened::Gone);
    }
    let details = json!({ "secret": row.secret.as_str(), "for": row.made_for });
    change.commit(actor, &credential.event(Action::CredentialSecretOpened).with(details)).await?;
    Ok(Opened { credential, secret, expires_at: stored.expires_at })
}

/// Ends secrets that nobody opened in time. Returns how many.
pub async fn end_due(context: &Context) -> Result<usize, Fault> {
    let mut ended = 0;
    loop {
        let mut change = context.begin_change().await?;
        let now = change.now();
        let Some(row) = handovers::unopened(&mut change, now).await? else { return Ok(ended) };
        end_unopened(change, &Actor::system(), &row, "time").await?;
        ended += 1;
    }
}

/// Ends the secret of a link that nobody opened, and forgets the link.
async fn end_unopened(mut change: Change<'_>, actor: &Actor, row: &HandoverRow, cause: &str) -> Result<(), Fault> {
    let now = change.now();
    handovers::remove(&mut change, &row.token_hash).await?;
    let mut events = Vec::new();
    if let Some(credential) = store::credential::find(&mut change, &row.client_id).await? {
        let id = AuthenticatorId::Secret(row.secret.clone());
        if authenticators::revoke(&mut change, &row.client_id, &id, now).await? {
            update_ends(&mut change, &credential).await?;
            let details = json!({ "secret": row.secret.as_str(), "for": row.made_for, "cause": cause });
            events.push(credential.event(Action::CredentialSecretUnopened).with(details.clone()));
            events.push(credential.event(Action::CredentialSecretRemoved).with(details));
        }
    }
    change.commit_all(actor, &events).await.map(drop)
}

/// The first MCP server that the credential of an opened secret may call.
pub async fn server_of(context: &Context, credential: &Credential) -> Result<Option<McpServer>, Fault> {
    let servers = server::list(context).await?;
    Ok(servers.into_iter().find(|server| credential.servers.contains(&server.id)))
}

fn is_open(row: &HandoverRow, now: Timestamp) -> bool {
    row.opened_at.is_none() && row.sealed.is_some() && row.expires_at > now
}

fn shown(row: HandoverRow) -> Handover {
    let HandoverRow { made_by, made_for, has_word, expires_at, opened_at, .. } = row;
    Handover { made_by, made_for, has_word, expires_at, opened_at }
}

/// The key that opens the secret. It is made of the token and the word under a key of the instance.
fn key_of(context: &Context, token: &str, word: &str) -> MasterKey {
    let mac = Zeroizing::new(context.keys.pepper.mac_of(&[HANDOVER, token, word.trim()]));
    let mut bytes = Zeroizing::new([0; MASTER_KEY_BYTES]);
    bytes.iter_mut().zip(mac.iter()).for_each(|(byte, of_mac)| *byte = *of_mac);
    MasterKey::new(&bytes)
}

fn unsealed(context: &Context, row: &HandoverRow, token: &str, word: &str) -> Option<PlainSecret> {
    let plain = key_of(context, token, word).unwrap(HANDOVER, &row.token_hash, row.sealed.as_deref()?).ok()?;
    PlainSecret::parse_of(SecretKind::Client, std::str::from_utf8(&plain).ok()?)
}
