//! Rotation: two secrets for a while, and every way in which it ends.

use std::time::Duration;

use domain::base::id::ClientId;
use domain::context::Context;
use domain::credential::generate::Generated;
use domain::credential::list::{counts, list};
use domain::credential::rotate::{self, Overlap};
use domain::credential::{CredentialError, Outcome, inspect, revoke};
use domain::incident::leak;
use domain::model::credential::Status;
use domain::model::credential::draft::{Draft, Expiry};
use domain::model::credential::query::{Query, Show};
use domain::model::incident::Policy;
use domain::model::person::authority::Authority;
use domain::model::token::Refusal;
use domain::testing::Instance;
use domain::token::verify::verify;

use crate::support::{RESOURCE, draft, exchanged, generated, operator};

const HOUR: Duration = Duration::from_secs(3600);

fn secret(generated: &Generated) -> &str {
    generated.secret.as_ref().expect("a secret").expose()
}

async fn rotated(context: &Context, id: &ClientId, overlap: Overlap) -> Generated {
    rotate::secret(context, &operator(), id, overlap, None, None).await.expect("rotates")
}

async fn works(context: &Context, generated: &Generated) -> Result<String, String> {
    exchanged(context, secret(generated), "").await.map(|token| token.token).map_err(|error| error.detail.into_owned())
}

async fn is_accepted(context: &Context, token: &str) -> bool {
    verify(context, token, RESOURCE, None).await.is_ok()
}

#[tokio::test]
async fn both_secrets_work_until_the_deadline() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let old = generated(context, &draft("nightly-index")).await;
    let id = &old.credential.client_id;
    let before = works(context, &old).await.expect("the only one");
    let new = rotated(context, id, Overlap::For(HOUR)).await;
    assert_eq!(new.expires_at, old.expires_at, "as long as the old one was meant to");
    let (by_old, by_new) = (works(context, &old).await.expect("old"), works(context, &new).await.expect("new"));

    let credential = inspect::find(context, &Authority::Everything, id).await.expect("reads").expect("exists");
    assert!(credential.is_rotating(context.now()));
    assert_eq!(credential.status(context.now()), Status::InUse);
    assert_eq!(counts(context, &Authority::Everything).await.expect("counts").rotating, 1);
    let query = Query { show: Show::Rotating, ..Query::default() };
    assert_eq!(list(context, &Authority::Everything, &query, 10).await.expect("lists").credentials.len(), 1);
    let third = rotate::secret(context, &operator(), id, Overlap::default(), None, None).await;
    assert!(matches!(third, Err(CredentialError::RotationUnderWay)), "at most two");

    instance.clock.advance(HOUR - Duration::from_secs(1));
    assert!(works(context, &old).await.is_ok());
    let last = works(context, &old).await.expect("a second before the end");
    instance.clock.advance(Duration::from_secs(1));
    assert_eq!(works(context, &old).await, Err(Refusal::SecretRetired.as_str().to_owned()));
    assert!(works(context, &new).await.is_ok());
    for token in [before, by_old, last] {
        assert!(!is_accepted(context, &token).await, "no token outlives what made it");
    }
    assert!(!is_accepted(context, &by_new).await, "ten minutes are over");
    let credential = inspect::find(context, &Authority::Everything, id).await.expect("reads").expect("exists");
    assert!(!credential.is_rotating(context.now()));
    assert_eq!(counts(context, &Authority::Everything).await.expect("counts").rotating, 0);
    rotated(context, id, Overlap::For(HOUR)).await;
}

#[tokio::test]
async fn finishing_ends_the_old_secret_and_its_tokens_alone() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let old = generated(context, &draft("nightly-index")).await;
    let id = &old.credential.client_id;
    let new = rotated(context, id, Overlap::default()).await;
    let (by_old, by_new) = (works(context, &old).await.expect("old"), works(context, &new).await.expect("new"));
    assert!(matches!(rotate::finish(context, &operator(), id).await, Ok(Outcome::Changed(_))));
    assert_eq!(works(context, &old).await, Err(Refusal::SecretRevoked.as_str().to_owned()));
    assert!(works(context, &new).await.is_ok());
    assert_eq!((is_accepted(context, &by_old).await, is_accepted(context, &by_new).await), (false, true));
    assert!(matches!(rotate::finish(context, &operator(), id).await, Ok(Outcome::Unchanged)));
    assert!(matches!(rotate::cancel(context, &operator(), id).await, Ok(Outcome::Unchanged)));
}

#[tokio::test]
async fn cancelling_ends_the_new_secret_and_keeps_the_old_one() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let old = generated(context, &draft("nightly-index")).await;
    let id = &old.credential.client_id;
    let new = rotated(context, id, Overlap::For(HOUR)).await;
    let by_new = works(context, &new).await.expect("new");
    rotate::cancel(context, &operator(), id).await.expect("cancels");
    assert!(!is_accepted(context, &by_new).await);
    assert_eq!(works(context, &new).await, Err(Refusal::SecretRevoked.as_str().to_owned()));
    instance.clock.advance(HOUR * 2);
    assert!(works(context, &old).await.is_ok());
    let credential = inspect::find(context, &Authority::Everything, id).await.expect("reads").expect("exists");
    assert_eq!(credential.ends_at, old.expires_at);
}

#[tokio::test]
async fn the_deadline_moves_but_never_past_the_secrets_own_end() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let short = Draft { expiry: Expiry::After(HOUR * 2), ..draft("short") };
    let old = generated(context, &short).await;
    let id = &old.credential.client_id;
    let new = rotate::secret(context, &operator(), id, Overlap::For(HOUR), Some(Expiry::Never), None).await;
    let new = new.expect("rotates");
    rotate::extend(context, &operator(), id, Overlap::For(HOUR * 24)).await.expect("extends");
    instance.clock.advance(HOUR + Duration::from_secs(1));
    assert!(works(context, &old).await.is_ok());
    instance.clock.advance(HOUR);
    assert_eq!(works(context, &old).await, Err(Refusal::SecretExpired.as_str().to_owned()));
    assert!(works(context, &new).await.is_ok());
    let credential = inspect::find(context, &Authority::Everything, id).await.expect("reads").expect("exists");
    assert_eq!(credential.ends_at, None, "the new one never ends");
}

#[tokio::test]
async fn without_an_overlap_the_old_secret_ends_at_once() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let old = generated(context, &draft("leaked")).await;
    let by_old = works(context, &old).await.expect("old");
    let new = rotated(context, &old.credential.client_id, Overlap::Nothing).await;
    assert_eq!(works(context, &old).await, Err(Refusal::SecretRevoked.as_str().to_owned()));
    assert!(!is_accepted(context, &by_old).await);
    assert!(works(context, &new).await.is_ok());
    assert_eq!(new.credential.rotation_ends_at, None);
}

#[tokio::test]
async fn what_cannot_be_rotated_is_refused_and_changes_nothing() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let old = generated(context, &draft("nightly-index")).await;
    let id = &old.credential.client_id;
    for overlap in [Overlap::For(HOUR * 24 * 91), Overlap::Until(context.now())] {
        let result = rotate::secret(context, &operator(), id, overlap, None, None).await;
        assert!(matches!(result, Err(CredentialError::Invalid(_))), "{overlap:?}");
    }
    let first = rotate::secret(context, &operator(), id, Overlap::default(), None, Some("form")).await;
    assert!(first.is_ok());
    rotate::finish(context, &operator(), id).await.expect("finishes");
    let again = rotate::secret(context, &operator(), id, Overlap::default(), None, Some("form")).await;
    assert!(matches!(again, Err(CredentialError::AlreadySubmitted(_))), "a reload rotates nothing");
    revoke::revoke(context, &operator(), id, "").await.expect("revokes");
    let result = rotate::secret(context, &operator(), id, Overlap::default(), None, None).await;
    assert!(matches!(result, Err(CredentialError::Revoked)));
    assert!(matches!(rotate::finish(context, &operator(), id).await, Err(CredentialError::Revoked)));
    assert_eq!(inspect::secrets(context, id).await.expect("reads").len(), 2);
}

#[tokio::test]
async fn a_rotation_whose_new_secret_ended_goes_on() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let old = generated(context, &draft("nightly-index")).await;
    let id = &old.credential.client_id;
    let new = rotated(context, id, Overlap::For(HOUR)).await;
    leak::report(context, &operator(), secret(&new), None, Policy::Revoke).await.expect("reports");
    assert!(matches!(rotate::finish(context, &operator(), id).await, Err(CredentialError::Invalid(_))));
    assert!(works(context, &old).await.is_ok(), "nothing was ended");
    let newer = rotated(context, id, Overlap::For(HOUR * 2)).await;
    instance.clock.advance(HOUR + Duration::from_secs(60));
    assert!(works(context, &old).await.is_ok(), "the later deadline counts");
    assert!(works(context, &newer).await.is_ok());
    instance.clock.advance(HOUR);
    assert!(works(context, &old).await.is_err());
}

#[tokio::test]
async fn every_use_of_what_is_being_replaced_is_noted() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let old = generated(context, &draft("nightly-index")).await;
    let id = &old.credential.client_id;
    works(context, &old).await.expect("a use before the rotation");
    instance.clock.advance(Duration::from_secs(5));
    rotated(context, id, Overlap::default()).await;
    instance.clock.advance(Duration::from_secs(1));
    works(context, &old).await.expect("and a moment after it");
    let secrets = inspect::secrets(context, id).await.expect("reads");
    let retiring = secrets.iter().find(|secret| secret.retires_at.is_some()).expect("the old one");
    assert_eq!(retiring.last_used_at, Some(context.now()));
}
