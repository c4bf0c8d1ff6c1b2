//! Token status lists (draft-ietf-oauth-status-list): one bit for each secret, key, identity and consent, published as
//! signed lists. A server that verifies tokens itself reads the list every few seconds instead of asking about each
//! token. It then refuses tokens whose authenticator or consent was revoked, replaced, disabled or ended. Bits belong
//! to authenticators and consents, not to tokens. So a leaked secret invalidates only the tokens that it made, and the
//! lists stay small for any number of tokens.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::json;

use crate::base::clock::Timestamp;
use crate::base::digest;
use crate::crypto::keys::{KeyError, TokenAlgorithm};
use crate::error::Fault;
use crate::model::settings::Settings;
use crate::model::token::{STATUS_LIST_SIZE, status_list_uri};
use crate::services::keyring::Keys;
use crate::store::{self, Store};

/// A list that did not change is signed again after this time, so that its expiry stays far away.
const SIGNED_FOR: Duration = Duration::from_secs(60);
/// How long verifiers may trust a list while they cannot reach us.
const LIFE: Duration = Duration::from_secs(300);
/// The type of the signed list.
const TYPE: &str = "statuslist+jwt";

/// A signed list.
#[derive(Debug)]
pub struct StatusList {
    /// The JWT.
    pub token: String,
    /// Identifies this JWT: it differs when the JWT differs.
    pub etag: String,
    /// The number of the audit entry up to which the list is true.
    seq: i64,
    signed_at: Timestamp,
    /// The next moment at which a bit changes because of the time.
    changes_at: Option<Timestamp>,
}

impl StatusList {
    fn is_true(&self, seq: i64, now: Timestamp) -> bool {
        self.seq == seq && self.is_usable(now, SIGNED_FOR)
    }

    /// Whether the list was signed recently and no bit has changed because of the time.
    fn is_usable(&self, now: Timestamp, age: Duration) -> bool {
        self.signed_at.is_recent(now, age) && self.changes_at.is_none_or(|moment| moment > now)
    }
}

/// Publishes the lists, and keeps each as it was last signed. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StatusLists {
    store: Store,
    keys: Arc<Keys>,
    settings: Arc<Settings>,
    signed: Arc<Mutex<HashMap<i64, Arc<StatusList>>>>,
}

impl StatusLists {
    pub(crate) fn new(store: Store, keys: Arc<Keys>, settings: Arc<Settings>) -> Self {
        Self { store, keys, settings, signed: Arc::default() }
    }

    /// The list with this number as it is at `now`; `None` when it does not exist yet.
    ///
    /// Every revocation is a change with an audit entry, so the number of the newest entry says whether a list that was
    /// signed before is still true. The bits are read after that number, so they can only be newer.
    ///
    /// While the database is away, the list that was signed last is published until it expires: verifiers that have
    /// this list use it as long if they get no answer.
    ///
    /// # Errors
    ///
    /// The database or the signing key is not available, and there is no such list.
    pub async fn publish(&self, number: i64, now: Timestamp) -> Result<Option<Arc<StatusList>>, Fault> {
        let signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned();
        match self.publish_now(number, now, signed.as_ref()).await {
            Err(Fault::Store(error)) => match signed.filter(|list| list.is_usable(now, LIFE)) {
                Some(list) => Ok(Some(list)),
                None => Err(error.into()),
            },
            published => published,
        }
    }

    async fn publish_now(
        &self,
        number: i64,
        now: Timestamp,
        signed: Option<&Arc<StatusList>>,
    ) -> Result<Option<Arc<StatusList>>, Fault> {
        let (seq, _) = store::audit::head(&self.store).await?;
        if let Some(list) = signed.filter(|list| list.is_true(seq, now)) {
            return Ok(Some(Arc::clone(list)));
        }
        let taken = store::token::status_list::taken(&self.store).await?;
        // The first list exists before the first credential does.
        if number < 0 || number > (taken - 1).max(0) / STATUS_LIST_SIZE {
            return Ok(None);
        }
        let list = Arc::new(self.sign(number, seq, now).await?);
        self.signed.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::clone(&list));
        Ok(Some(list))
    }

    async fn sign(&self, number: i64, seq: i64, now: Timestamp) -> Result<StatusList, Fault> {
        let first = number * STATUS_LIST_SIZE;
        let mut bits = vec![0_u8; STATUS_LIST_SIZE as usize / 8];
        for index in store::token::status_list::invalid(&self.store, first, first + STATUS_LIST_SIZE, now).await? {
            let position = (index - first) as usize;
            // The lowest bit of a byte comes first.
            bits[position / 8] |= 1 << (position % 8);
        }
        let changes_at =
            store::token::status_list::next_change(&self.store, first, first + STATUS_LIST_SIZE, now).await?;
        let active = store::operations::keys::active_signing_keys(&self.store, now).await?;
        let kid = active.get(TokenAlgorithm::default().as_str()).ok_or(KeyError::Missing("signing key"))?;
        let key = self.keys.signing.get(&self.store, kid, now).await?;
        let claims = json!({
            "sub": status_list_uri(&self.settings, number),
            "iat": now.seconds(),
            "exp": now.plus(LIFE).seconds(),
            "ttl": self.settings.status_list_ttl.as_secs(),
            "status_list": { "bits": 1, "lst": URL_SAFE_NO_PAD.encode(compress(&bits)?) },
        });
        let token = key.sign(TYPE, claims.to_string().as_bytes())?;
        let etag = format!("\"{}\"", digest::sha256(token.as_bytes()));
        Ok(StatusList { token, etag, seq, signed_at: now, changes_at })
    }
}

/// DEFLATE in the ZLIB format, as the draft requires.
fn compress(bits: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(bits).and_then(|()| encoder.finish());
    written.map_err(|_| KeyError::Crypto("compressing a status list"))
}
