//! What is done when everything has to stop: many credentials at once, and signing keys that leaked.

use std::time::Duration;

use domain::audit;
use domain::base::clock::Timestamp;
use domain::context::Context;
use domain::credential::{CredentialError, disable, inspect};
use domain::crypto::keys::signing::TokenAlgorithm;
use domain::incident::emergency_stop;
use domain::model::audit::Filter;
use domain::model::credential::Status;
use domain::model::credential::draft::Draft;
use domain::model::incident::{Means, Preview, Selection, StopRequest};
use domain::model::person::authority::Authority;
use domain::model::server::ScopeDescription;
use domain::operations::key_rotation::{self, PUBLISHED_AHEAD, RotationError, RotationMode};
use domain::server::{self, ServerDraft};
use domain::testing::Instance;
use domain::token::verify::verify;

use crate::support::{RESOURCE, draft, exchanged, generated, operator};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn stop(
    context: &Context,
    selection: &Selection,
    means: Means,
    reason: &str,
) -> Result<(u64, Timestamp), CredentialError> {
    let order = StopRequest { selection, means, reason, incident: None };
    emergency_stop::stop(context, &operator(), &order, emergency_stop::BATCH_SIZE, |_| {}).await
}

#[tokio::test]
async fn a_stop_ends_what_it_counted_and_can_be_undone() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let docs = ServerDraft {
        name: "Docs".to_owned(),
        resource: "https://docs.example.com/mcp".to_owned(),
        scopes: vec![ScopeDescription {
            name: "docs:read".to_owned(),
            description: String::new(),
            implies: Vec::new(),
        }],
        ..ServerDraft::default()
    };
    let docs = server::add(context, &operator(), &docs).await.expect("adds");
    let old = generated(context, &draft("old")).await;
    let paused = generated(context, &draft("paused")).await;
    disable::disable(context, &operator(), &paused.credential.client_id).await.expect("disables");
    instance.clock.advance(DAY);
    let between = context.now();
    instance.clock.advance(DAY);
    let new = generated(context, &draft("new")).await;
    let mut for_docs = draft("for docs");
    for_docs.servers = vec![docs.resource.clone()];
    let for_docs = generated(context, &for_docs).await;
    let secret = |generated: &domain::credential::generate::Generated| {
        generated.secret.as_ref().expect("a secret").expose().to_owned()
    };
    let token = exchanged(context, &secret(&old), "").await.expect("a token").token;

    let all = Selection::default();
    let by_age = Selection { created_before: Some(between), ..Selection::default() };
    let by_server = Selection { server: Some(docs.id.clone()), ..Selection::default() };
    let count = async |selection: &Selection, means| {
        let Preview { credentials, live_tokens, .. } =
            emergency_stop::preview(context, selection, means).await.expect("counts");
        (credentials, live_tokens)
    };
    assert_eq!(count(&all, Means::Disable).await, (3, 1));
    assert_eq!(count(&all, Means::Revoke).await, (4, 1));
    assert_eq!(count(&by_age, Means::Disable).await, (1, 1));
    assert_eq!(count(&by_server, Means::Disable).await, (1, 0));

    let (stopped, at) = stop(context, &by_age, Means::Disable, "drill").await.expect("stops");
    assert_eq!(stopped, 1);
    assert!(exchanged(context, &secret(&old), "").await.is_err());
    assert!(verify(context, &token, RESOURCE, None).await.is_err());
    assert!(exchanged(context, &secret(&new), "").await.is_ok());
    assert_eq!(emergency_stop::undo(context, &operator(), at).await.expect("undoes"), 1);
    assert!(exchanged(context, &secret(&old), "").await.is_ok());
    let credential = inspect::find(context, &Authority::Everything, &paused.credential.client_id)
        .await
        .expect("reads")
        .expect("exists");
    assert_eq!(credential.status(context.now()), Status::Disabled, "what was disabled before stays so");
    assert!(emergency_stop::undo(context, &operator(), at).await.is_err(), "nothing is left to undo");

    let (stopped, _) = stop(context, &by_server, Means::Revoke, "").await.expect("stops");
    assert_eq!(stopped, 1);
    assert!(exchanged(context, &secret(&for_docs), "").await.is_err());
    assert!(exchanged(context, &secret(&new), "").await.is_ok());
    let (stopped, _) = stop(context, &all, Means::Revoke, "leaked").await.expect("stops");
    assert_eq!(stopped, 3);
    for generated in [&old, &new, &paused] {
        assert!(exchanged(context, &secret(generated), "").await.is_err());
        let secrets = inspect::secrets(context, &generated.credential.client_id).await.expect("reads");
        assert!(secrets.iter().all(|secret| secret.revoked_at.is_some()));
    }
    let of_one = Filter { target: Some(old.credential.client_id.to_string()), ..Filter::default() };
    let actions: Vec<String> = audit::list(context, &Authority::Everything, &of_one, 10)
        .await
        .expect("lists")
        .into_iter()
        .map(|entry| entry.action)
        .collect();
    assert_eq!(actions, ["credential.revoked", "credential.enabled", "credential.disabled", "credential.generated"]);
    let stops = Filter { action: Some("emergency.stopped".to_owned()), ..Filter::default() };
    assert_eq!(audit::list(context, &Authority::Everything, &stops, 10).await.expect("lists").len(), 3);
}

#[tokio::test]
async fn many_are_stopped_in_batches_and_enabled_together() {
    let instance = Instance::new().await;
    let context = &instance.context;
    for number in 0..5 {
        generated(context, &draft(&format!("job {number}"))).await;
    }
    let selection = Selection::default();
    let order = StopRequest { selection: &selection, means: Means::Disable, reason: "drill", incident: None };
    let mut told = Vec::new();
    let stopped = emergency_stop::stop(context, &operator(), &order, 2, |count| told.push(count)).await.expect("stops");
    assert_eq!((stopped.0, told), (5, vec![2, 4, 5]));
    let stops = Filter { action: Some("emergency.stopped".to_owned()), ..Filter::default() };
    let entries = audit::list(context, &Authority::Everything, &stops, 10).await.expect("lists");
    assert_eq!(entries.len(), 3, "an entry a batch");
    assert_eq!(emergency_stop::undoable(context).await.expect("reads"), [(stopped.1, 5)]);
    assert_eq!(emergency_stop::undo(context, &operator(), stopped.1).await.expect("undoes"), 5);
    let order = StopRequest { means: Means::Revoke, ..order };
    let (revoked, _) = emergency_stop::stop(context, &operator(), &order, 2, |_| {}).await.expect("revokes");
    let left = emergency_stop::preview(context, &selection, Means::Revoke).await.expect("counts");
    assert_eq!((revoked, left.credentials), (5, 0));
    // The built-in server, five credentials, three batches, the undoing with an entry a credential, three batches.
    let entries = 1 + 5 + 3 + (5 + 1) + 3;
    assert_eq!(audit::verify(context).await.expect("verifies"), audit::Verdict::Intact { entries });
}

fn kid(token: &str) -> String {
    use base64::Engine;
    let header = token.split('.').next().expect("a header");
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).expect("base64url");
    let header: serde_json::Value = serde_json::from_slice(&header).expect("JSON");
    header["kid"].as_str().expect("a kid").to_owned()
}

#[tokio::test]
async fn a_new_signing_key_is_published_long_before_it_signs_and_the_old_one_leaves_long_after() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let job = generated(context, &draft("job")).await;
    let secret = job.secret.as_ref().expect("a secret").expose().to_owned();
    let token = async || exchanged(context, &secret, "").await.expect("a token").token;
    let published = async || {
        let jwks = context.keys.signing.jwks(&context.store, context.now()).await.expect("keys");
        let keys = jwks["keys"].as_array().expect("a list").clone();
        keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect::<Vec<_>>()
    };
    let old = kid(&token().await);
    let from = key_rotation::rotate(context, &operator(), TokenAlgorithm::Es256, RotationMode::Ordered)
        .await
        .expect("rotates");
    assert_eq!(from, context.now().plus(PUBLISHED_AHEAD));
    let again = key_rotation::rotate(context, &operator(), TokenAlgorithm::Es256, RotationMode::Ordered).await;
    assert!(matches!(again, Err(RotationError::UnderWay)));
    let none = key_rotation::rotate(context, &operator(), TokenAlgorithm::Rs256, RotationMode::Ordered).await;
    assert!(matches!(none, Err(RotationError::NoSuchKey)));
    assert_eq!((published().await.len(), kid(&token().await)), (2, old.clone()), "published, not in use");
    instance.clock.advance(PUBLISHED_AHEAD - Duration::from_secs(1));
    let last = token().await;
    assert_eq!(kid(&last), old);
    instance.clock.advance(Duration::from_secs(1));
    let first = token().await;
    assert_ne!(kid(&first), old);
    for token in [&last, &first] {
        assert!(verify(context, token, RESOURCE, None).await.is_ok(), "both verify");
    }
    instance.clock.advance(Duration::from_secs(7200));
    assert_eq!(published().await, [kid(&first)], "the old one has left");
}

#[tokio::test]
async fn a_leaked_signing_key_is_dropped_at_once_with_the_tokens_that_it_signed() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let job = generated(context, &draft("job")).await;
    let secret = job.secret.as_ref().expect("a secret").expose().to_owned();
    let token = exchanged(context, &secret, "").await.expect("a token").token;
    key_rotation::rotate(context, &operator(), TokenAlgorithm::Es256, RotationMode::Ordered).await.expect("rotates");
    key_rotation::rotate(context, &operator(), TokenAlgorithm::Es256, RotationMode::Emergency).await.expect("replaces");
    assert!(verify(context, &token, RESOURCE, None).await.is_err());
    let fresh = exchanged(context, &secret, "").await.expect("a token").token;
    assert_ne!(kid(&fresh), kid(&token));
    assert!(verify(context, &fresh, RESOURCE, None).await.is_ok());
    let jwks = context.keys.signing.jwks(&context.store, context.now()).await.expect("keys");
    assert_eq!(jwks["keys"].as_array().map(Vec::len), Some(1));
    instance.clock.advance(PUBLISHED_AHEAD);
    let later = exchanged(context, &secret, "").await.expect("a token").token;
    assert_eq!(kid(&later), kid(&fresh), "the key that was to come next is gone too");
}

#[tokio::test]
async fn a_stop_of_a_tag_leaves_everything_else() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let tagged = generated(context, &Draft { tags: vec!["prod".to_owned()], ..draft("tagged") }).await;
    let other = generated(context, &Draft { tags: vec!["production".to_owned()], ..draft("other") }).await;
    let works = async |generated: &domain::credential::generate::Generated| {
        exchanged(context, generated.secret.as_ref().expect("a secret").expose(), "").await.is_ok()
    };
    let selection = |tag: &str| Selection { tag: Some(tag.to_owned()), ..Selection::default() };
    for (tag, count) in [("prod", 1), ("pro", 0), ("%", 0)] {
        let preview = emergency_stop::preview(context, &selection(tag), Means::Disable).await.expect("counts");
        assert_eq!((preview.credentials, preview.grants, preview.personal_tokens), (count, 0, 0), "{tag}");
    }
    let (stopped, at) = stop(context, &selection("prod"), Means::Disable, "").await.expect("stops");
    assert_eq!((stopped, works(&tagged).await, works(&other).await), (1, false, true));
    assert_eq!(emergency_stop::undo(context, &operator(), at).await.expect("undoes"), 1);
    assert_eq!(stop(context, &selection("prod"), Means::Revoke, "").await.expect("stops").0, 1);
    assert_eq!((works(&tagged).await, works(&other).await), (false, true));
}
