//! Secrets that another system issued. A person may have chosen such a secret, so guesses are limited before they are
//! evaluated, as at sign-in: a right guess after too many wrong ones is refused like a wrong one. Counts are in the
//! database, so all servers share them.
//!
//! A network from which the credential proved itself has a count of its own: wrong guesses from elsewhere do not lock
//! its programs out. If the credential has address ranges, guesses from other addresses are not evaluated and not
//! counted, and each network within the ranges has a count of its own.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::base::id::{ClientId, SecretId};
use crate::base::network::network_of;
use crate::crypto::imported_secret::{ImportedHash, ImportedSecret};
use crate::crypto::secret::SecretHash;
use crate::model::origin::Origin;
use crate::model::token::oauth_error::{OAuthError, OAuthErrorCode, Result};
use crate::model::token::{Refusal, is_allowed_from};
use crate::prelude::{Context, Fault, Timestamp};
use crate::store;

/// The time over which wrong guesses are counted.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Wrong guesses of one network at one credential within [`WINDOW`].
const NETWORK_LIMIT: i64 = 30;
/// Wrong guesses at one credential within [`WINDOW`], of all networks from which it never proved itself. Somebody may
/// have very many networks. A list of ten million passwords takes a year.
const STRANGERS_LIMIT: i64 = 300;
/// A network is remembered again after this time, so that most exchanges write nothing.
const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3600);

/// Finds the hash under which the client has this secret of another system, or why it is refused. At its first use, our
/// own hash replaces the imported one.
///
/// # Errors
///
/// [`OAuthErrorCode::TooManyGuesses`] when there were too many wrong guesses before, and nothing was evaluated.
pub(super) async fn find(
    context: &Context,
    client_id: &ClientId,
    secret: ImportedSecret,
    origin: &Origin,
) -> Result<Result<SecretHash, Refusal>> {
    let stored = store::credential::secret_hashes(&context.store, client_id).await.map_err(Fault::from)?;
    let is_imported = |hash: &str| SecretHash::is_of_imported(hash) || ImportedHash::from_stored(hash).is_some();
    // Where no secret was imported, no guess can be right, and nothing is counted.
    let Some((_, _, ranges)) = stored.iter().find(|(_, hash, _)| is_imported(hash)) else {
        return Ok(Err(Refusal::WrongSecret));
    };
    // Not even the right secret works from there.
    if !is_allowed_from(ranges, origin.address) {
        return Ok(Err(Refusal::AddressNotAllowed));
    }
    let guess = Guess::begin(context, client_id, origin.address, ranges).await?;
    let ours = secret.hash(client_id, &context.keys.pepper);
    if stored.iter().any(|(_, hash, _)| hash == ours.as_str()) {
        guess.was_right(context, None).await?;
        return Ok(Ok(ours));
    }
    let secret = Arc::new(secret);
    for (id, hash, _) in &stored {
        let Some(hash) = ImportedHash::from_stored(hash) else { continue };
        let verified = context.secret_hashing.verify_imported(Arc::clone(&secret), hash, origin.address).await;
        if verified.map_err(Fault::from)? {
            guess.was_right(context, Some((id, &ours))).await?;
            return Ok(Ok(ours));
        }
    }
    guess.was_wrong(context).await?;
    Ok(Err(Refusal::WrongSecret))
}

/// A guess that may be evaluated.
struct Guess {
    /// What it is counted in, with their limits.
    buckets: Vec<(String, i64)>,
    /// The client and its network; [`None`] without an address.
    network: Option<String>,
    /// When the client last proved itself there.
    known_since: Option<Timestamp>,
}

impl Guess {
    /// Refuses the guess if there were too many wrong ones. A guess from a network that is not known counts from now
    /// on: many guesses at the same moment are no more than many in turn. A guess from a known network counts when it
    /// was wrong, so that programs there may exchange at the same moment.
    ///
    /// Address ranges keep strangers out, so the count of all networks is only for credentials that accept every
    /// address. There, somebody with many networks can lock out a program that comes from a new network.
    async fn begin(context: &Context, client_id: &ClientId, address: Option<IpAddr>, ranges: &[IpNet]) -> Result<Self> {
        let now = context.now();
        let network = address.map(|address| format!("{client_id} {}", network_of(address)));
        let known_since = match &network {
            Some(network) => store::credential::known_network(&context.store, network).await.map_err(Fault::from)?,
            None => None,
        };
        let own = network.as_ref().map(|network| (format!("imported:{network}"), NETWORK_LIMIT));
        let is_open = ranges.is_empty() || ranges.iter().any(|range| range.prefix_len() == 0);
        let all = (known_since.is_none() && is_open).then(|| (format!("imported:{client_id}"), STRANGERS_LIMIT));
        let guess = Self { buckets: own.into_iter().chain(all).collect(), network, known_since };
        // Read first, without a write permit: a flood of guesses must not delay a revocation.
        for (bucket, limit) in &guess.buckets {
            let count = store::person::sign_in_count(&context.store, bucket, now, WINDOW).await;
            if let Some((failures, started_at)) = count.map_err(Fault::from)?
                && failures >= *limit
            {
                return Err(too_many(started_at, now));
            }
        }
        if guess.known_since.is_none() {
            guess.count(context).await?;
        }
        Ok(guess)
    }

    async fn count(&self, context: &Context) -> Result<()> {
        let now = context.now();
        let mut transaction = context.store.begin_exchange().await.map_err(Fault::from)?;
        for (bucket, limit) in &self.buckets {
            let counted = store::person::count_sign_in(&mut transaction, bucket, now, WINDOW).await;
            let (failures, started_at) = counted.map_err(Fault::from)?;
            // Nothing of this transaction is kept then: the count is full as it is.
            if failures > *limit {
                return Err(too_many(started_at, now));
            }
        }
        Ok(transaction.commit().await.map_err(Fault::from)?)
    }

    async fn was_wrong(&self, context: &Context) -> Result<()> {
        match self.known_since {
            Some(_) => self.count(context).await,
            None => Ok(()),
        }
    }

    /// Takes the count back, remembers the network, and replaces another system's hash by ours.
    async fn was_right(&self, context: &Context, replaced: Option<(&SecretId, &SecretHash)>) -> Result<(), Fault> {
        let now = context.now();
        let is_remembered = self.known_since.is_some_and(|known| known.is_recent(now, REMEMBERED_FOR));
        if is_remembered && replaced.is_none() {
            return Ok(());
        }
        let mut transaction = context.store.begin_exchange().await?;
        if let Some((id, ours)) = replaced {
            store::credential::replace_hash(&mut transaction, id, ours).await?;
        }
        if self.known_since.is_none() {
            for (bucket, _) in &self.buckets {
                store::person::uncount_sign_in(&mut transaction, bucket).await?;
            }
        }
        if let Some(network) = self.network.as_ref().filter(|_| !is_remembered) {
            store::credential::remember_network(&mut transaction, network, now).await?;
        }
        Ok(transaction.commit().await?)
    }
}

fn too_many(started_at: Timestamp, now: Timestamp) -> OAuthError {
    let seconds = started_at.plus(WINDOW).since(now).as_secs().max(1);
    OAuthError {
        detail: "too many wrong guesses at an imported secret".into(),
        ..OAuthError::new(OAuthErrorCode::TooManyGuesses { seconds }, "Too many failed attempts. Wait a little.")
    }
}
