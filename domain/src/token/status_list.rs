//! Token status lists (draft-ietf-oauth-status-list): one bit for each secret, key and identity, published as signed lists.
//! A server that verifies tokens itself reads the list every few seconds instead of asking about each token, and refuses
//! the tokens of what was revoked, replaced or disabled. Bits belong to authenticators, not to tokens: a leaked secret
//! takes down what was made with it and nothing else, and the lists stay small however many tokens there are.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::clock::Timestamp;
use crate::context::{Context, Settings};
use crate::error::Fault;
use crate::fingerprint;
use crate::keys::{KeyError, TokenAlgorithm};
use crate::store;

/// Bits of a list: 16 KiB before compression.
pub const SIZE: i64 = 1 << 17;
/// A list that did not change is signed anew after this time, so that its end stays far away.
const SIGNED_FOR: Duration = Duration::from_secs(60);
/// How long a list can be believed while we cannot be reached.
const LIFE: Duration = Duration::from_secs(300);
/// The type of the signed list.
const TYPE: &str = "statuslist+jwt";

/// The `status` claim of a token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatusReference {
    /// Its bit.
    pub status_list: Bit,
}

/// A bit of a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bit {
    /// Position in the list.
    pub idx: i64,
    /// Address of the list.
    pub uri: String,
}

impl StatusReference {
    /// The bit with this number over all lists.
    pub(crate) fn of(settings: &Settings, index: i64) -> Self {
        Self { status_list: Bit { idx: index % SIZE, uri: uri(settings, index / SIZE) } }
    }
}

fn uri(settings: &Settings, number: i64) -> String {
    format!("{}/mcp/oauth/status/{number}", settings.public_url)
}

/// A signed list.
#[derive(Debug)]
pub struct StatusList {
    /// The JWT.
    pub token: String,
    /// Changes when the JWT does.
    pub etag: String,
    /// The audit entry up to which it is true.
    seq: i64,
    signed_at: Timestamp,
    /// When a bit changes by the clock.
    changes_at: Option<Timestamp>,
}

impl StatusList {
    fn is_true(&self, seq: i64, now: Timestamp) -> bool {
        self.seq == seq && now.since(self.signed_at) < SIGNED_FOR && self.changes_at.is_none_or(|moment| moment > now)
    }
}

/// The lists as they were signed last. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct StatusLists(Arc<Mutex<HashMap<i64, Arc<StatusList>>>>);

/// The list with this number; `None` when there is none yet.
///
/// Every revocation is a change with an audit entry, so the number of the newest entry says whether a list that was
/// signed before is still true. The bits are read after it: they can only be newer.
pub async fn publish(context: &Context, number: i64) -> Result<Option<Arc<StatusList>>, Fault> {
    let (seq, _) = store::audit::head(&context.store).await?;
    let now = context.now();
    let lists = &context.status_lists.0;
    let signed = lists.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned();
    if let Some(list) = signed.filter(|list| list.is_true(seq, now)) {
        return Ok(Some(list));
    }
    let taken = store::status_lists::taken(&context.store).await?;
    // The first list is there before the first credential is.
    if number < 0 || number > (taken - 1).max(0) / SIZE {
        return Ok(None);
    }
    let list = Arc::new(sign(context, number, seq, now).await?);
    lists.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::clone(&list));
    Ok(Some(list))
}

async fn sign(context: &Context, number: i64, seq: i64, now: Timestamp) -> Result<StatusList, Fault> {
    let first = number * SIZE;
    let mut bits = vec![0_u8; SIZE as usize / 8];
    for index in store::status_lists::invalid(&context.store, first, first + SIZE, now).await? {
        let position = (index - first) as usize;
        // The lowest bit of a byte comes first.
        bits[position / 8] |= 1 << (position % 8);
    }
    let changes_at = store::status_lists::next_change(&context.store, first, first + SIZE, now).await?;
    let active = store::keys::active_signing_keys(context.store.reads(), now).await?;
    let kid = active.get(TokenAlgorithm::default().as_str()).ok_or(KeyError::Missing("signing key"))?;
    let key = context.keys.signing.get(&context.store, kid, now).await?;
    let claims = json!({
        "sub": uri(&context.settings, number),
        "iat": now.seconds(),
        "exp": now.plus(LIFE).seconds(),
        "ttl": context.settings.status_list_ttl.as_secs(),
        "status_list": { "bits": 1, "lst": URL_SAFE_NO_PAD.encode(compress(&bits)?) },
    });
    let token = key.sign(TYPE, claims.to_string().as_bytes())?;
    let etag = format!("\"{}\"", fingerprint::of(token.as_bytes()));
    Ok(StatusList { token, etag, seq, signed_at: now, changes_at })
}

/// DEFLATE in the ZLIB format, as the draft has it.
fn compress(bits: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(bits).and_then(|()| encoder.finish());
    written.map_err(|_| KeyError::Crypto("compressing a status list"))
}
