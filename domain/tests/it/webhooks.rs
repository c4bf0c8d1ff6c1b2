//! Webhooks: what is told, to whom, when, and what happens when nobody listens.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::audit::{self, Verdict};
use domain::base::id::WebhookId;
use domain::client::{self, ClientDraft};
use domain::context::Context;
use domain::credential::generate::Generated;
use domain::credential::rotate::{self, Overlap};
use domain::credential::{disable, revoke};
use domain::incident::emergency_stop;
use domain::incident::leak;
use domain::model::actor::Actor;
use domain::model::audit::Filter;
use domain::model::credential::draft::Expiry;
use domain::model::incident::{Means, Policy, Selection, StopRequest};
use domain::model::person::authority::Authority;
use domain::model::webhook::{EventKind, Webhook, WebhookFormat};
use domain::testing::{Instance, Received, ReceiverAnswer};
use domain::webhook::dispatcher::Dispatcher;
use domain::webhook::outbox::enqueue;
use domain::webhook::sender::{attempt_due, send_again, test};
use domain::webhook::{self, WebhookDraft, WebhookError, alert};

use crate::support::{draft, exchanged, generated, operator};

const DAY: Duration = Duration::from_secs(24 * 3600);
const URL: &str = "https://alerts.example.com/hook?key=a-capability";

fn wanted(url: &str) -> WebhookDraft {
    WebhookDraft {
        name: "Alerts".to_owned(),
        url: url.to_owned(),
        events: EventKind::ALL.to_vec(),
        ..WebhookDraft::default()
    }
}

async fn added(context: &Context, url: &str) -> (Webhook, String) {
    let (webhook, secret) = webhook::add(context, &operator(), &wanted(url), None).await.expect("adds");
    (webhook, secret.expose().to_string())
}

/// Collects and sends until nothing is due; returns what arrived.
async fn sent(instance: &Instance, id: &WebhookId) -> Vec<Received> {
    enqueue(&instance.context).await.expect("collects");
    while attempt_due(&instance.context, id).await.expect("attempts") {}
    instance.receiver.take()
}

fn types(received: &[Received]) -> Vec<&str> {
    received.iter().map(|one| one.body["type"].as_str().expect("a type")).collect()
}

/// What whoever holds the secret computes, by the words of Standard Webhooks.
fn signature(secret: &str, received: &Received) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("the prefix")).expect("base64");
    let signed = format!("{}.{}.{}", received.id, received.timestamp, received.text);
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
    format!("v1,{}", STANDARD.encode(mac))
}

fn secret(generated: &Generated) -> &str {
    generated.secret.as_ref().expect("a secret").expose()
}

#[tokio::test]
async fn every_change_is_told_once_signed_and_without_secrets() {
    let instance = Instance::new().await;
    let context = &instance.context;
    generated(context, &draft("before")).await;
    let (webhook, signing) = added(context, URL).await;
    let job = generated(context, &draft("nightly-index")).await;
    let id = &job.credential.client_id;
    let received = sent(&instance, &webhook.id).await;
    assert_eq!(types(&received), ["credential.generated"], "nothing from before it was added");
    let one = &received[0];
    assert_eq!((one.url.as_str(), one.timestamp), (URL, context.now().seconds()));
    assert!(one.id.starts_with("msg_"));
    assert_eq!(one.signature, signature(&signing, one));
    assert_eq!(one.body["timestamp"], context.now().rfc3339());
    let data = &one.body["data"];
    assert_eq!(data["client_id"], id.as_str());
    assert_eq!(data["name"], "nightly-index");
    assert_eq!(data["url"], format!("http://localhost:8080/credentials/{id}"));
    assert_eq!(data["actor"], serde_json::json!({ "kind": "command_line", "name": "operator" }));
    assert_eq!(data["scopes"], "mcp:read");
    let entries = audit::list(context, &Authority::Everything, &Filter::default(), 1).await.expect("lists");
    assert_eq!(data["entry"], entries[0].seq);

    let rotated = rotate::secret(context, &operator(), id, Overlap::Nothing, None, None).await.expect("rotates");
    disable::disable(context, &operator(), id).await.expect("disables");
    disable::enable(context, &operator(), id).await.expect("enables");
    leak::report(context, &operator(), secret(&rotated), Some("https://paste.example/1"), Policy::Revoke)
        .await
        .expect("reports");
    revoke::revoke(context, &operator(), id, "found in a log").await.expect("revokes");
    let received = sent(&instance, &webhook.id).await;
    let expected =
        ["credential.rotated", "credential.leaked", "incident.opened", "incident.contained", "credential.revoked"];
    assert_eq!(types(&received), expected);
    assert_eq!(received[0].body["data"]["old_works_until"], "now");
    assert_eq!(received[1].body["data"]["found_at"], "https://paste.example/1");
    let data = &received[2].body["data"];
    assert_eq!((&data["number"], &data["source"]), (&1.into(), &"report".into()));
    assert_eq!(
        (&data["title"], &data["url"]),
        (&"Secret of nightly-index leaked".into(), &"http://localhost:8080/incidents/1".into())
    );
    assert_eq!(received[4].body["data"]["reason"], "found in a log");
    for one in &received {
        assert_eq!(one.signature, signature(&signing, one));
        for hidden in [secret(&job), secret(&rotated), signing.as_str()] {
            assert!(!one.text.contains(hidden));
        }
    }
    assert_eq!(sent(&instance, &webhook.id).await.len(), 0);
    let deliveries = webhook::deliveries(context, &webhook.id, 50).await.expect("lists");
    assert_eq!(deliveries.len(), 6);
    assert!(deliveries.iter().all(|one| one.delivered_at.is_some() && one.last_status == Some(204)));
}

#[tokio::test]
async fn a_leak_of_what_is_no_credential_is_told_once_whatever_becomes_of_it() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let (webhook, _) = added(context, URL).await;
    for (policy, revoked) in [(Policy::Alert, false), (Policy::Revoke, true)] {
        let portal = ClientDraft {
            name: "Portal".to_owned(),
            redirect_uris: vec!["https://portal.example/callback".to_owned()],
            confidential: true,
            ..ClientDraft::default()
        };
        let (_, secret) = client::create(context, &operator(), &portal, None).await.expect("made");
        let secret = secret.expect("a secret");
        for _ in 0..2 {
            let place = Some("https://paste.example/1");
            leak::report(context, &operator(), secret.expose(), place, policy).await.expect("reports");
        }
        let received = sent(&instance, &webhook.id).await;
        let expected: &[&str] = match policy {
            Policy::Alert => &["leak.reported", "incident.opened"],
            Policy::Revoke => &["leak.reported", "incident.opened", "incident.contained"],
        };
        assert_eq!(types(&received), expected);
        assert!(!received[0].text.contains(secret.expose()));
        let data = &received[0].body["data"];
        assert_eq!((data["kind"].as_str(), data["name"].as_str()), (Some("client"), Some("Portal")));
        assert_eq!(
            (data["revoked"].as_bool(), data["found_at"].as_str()),
            (Some(revoked), Some("https://paste.example/1"))
        );
        assert_eq!(data["url"], "http://localhost:8080/apps");
    }
}

#[tokio::test]
async fn a_webhook_hears_only_what_it_asked_for() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let only = WebhookDraft { events: vec![EventKind::Revoked], ..wanted(URL) };
    let (webhook, _) = webhook::add(context, &operator(), &only, None).await.expect("adds");
    let job = generated(context, &draft("job")).await;
    revoke::revoke(context, &operator(), &job.credential.client_id, "").await.expect("revokes");
    assert_eq!(types(&sent(&instance, &webhook.id).await), ["credential.revoked"]);
    generated(context, &draft("other")).await;
    let selection = Selection::default();
    let order = StopRequest { selection: &selection, means: Means::Revoke, reason: "drill", incident: None };
    emergency_stop::stop(context, &operator(), &order, emergency_stop::BATCH_SIZE, |_| {}).await.expect("stops");
    let received = sent(&instance, &webhook.id).await;
    assert_eq!(types(&received), ["credential.revoked", "emergency.stopped"]);
    assert_eq!(received[1].body["data"]["credentials"], 1);
    assert_eq!(received[1].body["data"]["grants"], 0);
    assert_eq!(received[1].body["data"]["url"], "http://localhost:8080/activity");
    assert_eq!(received[1].body["data"]["client_id"], serde_json::Value::Null);
}

#[tokio::test]
async fn many_entries_are_told_completely_and_in_order_whoever_collects() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let (webhook, _) = added(context, URL).await;
    for number in 0..230 {
        generated(context, &draft(&format!("job-{number}"))).await;
    }
    let (one, other) = tokio::join!(enqueue(context), enqueue(context));
    assert_eq!(one.expect("collects") + other.expect("collects"), 230);
    let received = sent(&instance, &webhook.id).await;
    let entries: Vec<i64> = received.iter().filter_map(|one| one.body["data"]["entry"].as_i64()).collect();
    assert_eq!(entries.len(), 230);
    assert!(entries.is_sorted() && entries.windows(2).all(|pair| pair[0] < pair[1]));
}

#[tokio::test]
async fn a_failed_attempt_is_repeated_ever_more_rarely_and_then_given_up() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let (webhook, signing) = added(context, URL).await;
    instance.receiver.answer(URL, ReceiverAnswer::Status(500));
    generated(context, &draft("job")).await;
    let began = context.now();
    let first = sent(&instance, &webhook.id).await;
    let mut ids = vec![first[0].id.clone()];
    for seconds in [5, 30, 120, 600, 3600, 3 * 3600, 8 * 3600] {
        let backoff = Duration::from_secs(seconds);
        instance.clock.advance(backoff - Duration::from_secs(1));
        assert!(sent(&instance, &webhook.id).await.is_empty(), "not before {seconds} s");
        instance.clock.advance(backoff / 10 + Duration::from_secs(1));
        let again = sent(&instance, &webhook.id).await;
        assert_eq!(again.len(), 1, "after {seconds} s");
        assert_eq!(again[0].timestamp, context.now().seconds());
        assert_eq!(again[0].text, first[0].text);
        assert_eq!(again[0].signature, signature(&signing, &again[0]));
        ids.push(again[0].id.clone());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "the receiver can tell that it is the same");
    instance.clock.advance(DAY * 10);
    assert!(sent(&instance, &webhook.id).await.is_empty());
    let delivery = webhook::deliveries(context, &webhook.id, 1).await.expect("lists").remove(0);
    assert_eq!((delivery.attempts, delivery.next_attempt_at, delivery.delivered_at), (8, None, None));
    assert_eq!(delivery.last_problem.as_deref(), Some("Receiver returned 500."));
    let failing = webhook::find(context, &webhook.id).await.expect("reads").expect("exists");
    assert_eq!((failing.failing_since, failing.last_status), (Some(began), Some(500)));

    instance.receiver.answer(URL, ReceiverAnswer::Status(200));
    send_again(context, &operator(), &webhook.id, &delivery.id).await.expect("sends again");
    assert_eq!(sent(&instance, &webhook.id).await[0].id, ids[0]);
    let well = webhook::find(context, &webhook.id).await.expect("reads").expect("exists");
    assert_eq!((well.failing_since, well.last_problem), (None, None));
    let other = webhook::add(context, &operator(), &wanted(URL), None).await.expect("adds").0;
    assert!(matches!(send_again(context, &operator(), &other.id, &delivery.id).await, Err(WebhookError::NotFound)));
}

#[tokio::test]
async fn nobody_else_makes_an_attempt_that_is_under_way_unless_it_is_never_heard_of_again() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let (webhook, _) = added(context, URL).await;
    instance.receiver.answer(URL, ReceiverAnswer::Never);
    generated(context, &draft("job")).await;
    enqueue(context).await.expect("collects");
    let crashed = tokio::spawn({
        let (context, id) = (context.clone(), webhook.id.clone());
        async move { attempt_due(&context, &id).await }
    });
    while instance.receiver.take().is_empty() {
        tokio::task::yield_now().await;
    }
    instance.receiver.answer(URL, ReceiverAnswer::Status(204));
    assert!(!attempt_due(context, &webhook.id).await.expect("looks"), "it is taken");
    crashed.abort();
    instance.clock.advance(Duration::from_secs(59));
    assert!(!attempt_due(context, &webhook.id).await.expect("looks"));
    instance.clock.advance(Duration::from_secs(1));
    assert!(attempt_due(context, &webhook.id).await.expect("attempts"));
    let delivery = webhook::deliveries(context, &webhook.id, 1).await.expect("lists").remove(0);
    assert_eq!((delivery.attempts, delivery.delivered_at), (2, Some(context.now())));
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_nobody_else() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let slow = "https://slow.example.com/";
    added(context, slow).await;
    let (quick, _) = added(context, URL).await;
    instance.receiver.answer(slow, ReceiverAnswer::Never);
    let mut dispatcher = Dispatcher::new(context.clone());
    for round in 0..3 {
        for number in 0..10 {
            generated(context, &draft(&format!("job-{round}-{number}"))).await;
        }
        dispatcher.send_due().await.expect("a turn");
        let quick_one = tokio::time::timeout(Duration::from_secs(20), dispatcher.finish(&quick.id));
        quick_one.await.expect("it does not wait for the one that hangs");
        let arrived = instance.receiver.take().iter().filter(|one| one.url == URL).count();
        let waiting = webhook::waiting(context, &quick.id).await.expect("counts");
        assert_eq!((arrived, waiting), (10, 0), "round {round}");
    }
}

#[tokio::test]
async fn a_paused_webhook_hears_nothing_and_goes_on_from_the_present() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let (webhook, _) = added(context, URL).await;
    generated(context, &draft("waits")).await;
    enqueue(context).await.expect("collects");
    webhook::pause(context, &operator(), &webhook.id, false).await.expect("pauses");
    webhook::pause(context, &operator(), &webhook.id, false).await.expect("is paused");
    generated(context, &draft("missed")).await;
    assert!(sent(&instance, &webhook.id).await.is_empty());
    let delivery = webhook::deliveries(context, &webhook.id, 5).await.expect("lists").remove(0);
    assert!(matches!(send_again(context, &operator(), &webhook.id, &delivery.id).await, Err(WebhookError::Paused)));
    webhook::resume(context, &operator(), &webhook.id).await.expect("resumes");
    generated(context, &draft("heard")).await;
    let names: Vec<String> = sent(&instance, &webhook.id)
        .await
        .iter()
        .map(|one| one.body["data"]["name"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(names, ["waits", "heard"]);

    instance.receiver.answer(URL, ReceiverAnswer::Status(410));
    generated(context, &draft("gone")).await;
    assert_eq!(sent(&instance, &webhook.id).await.len(), 1);
    let gone = webhook::find(context, &webhook.id).await.expect("reads").expect("exists");
    assert_eq!((gone.paused_at, gone.gone_at), (Some(context.now()), Some(context.now())));
    let delivery = webhook::deliveries(context, &webhook.id, 1).await.expect("lists").remove(0);
    assert_eq!((delivery.attempts, delivery.next_attempt_at), (1, None));
    let entry = audit::list(context, &Authority::Everything, &Filter::default(), 1).await.expect("lists").remove(0);
    assert_eq!((entry.action.as_str(), entry.actor_kind.as_str()), ("webhook.paused", "system"));

    webhook::remove(context, &operator(), &webhook.id).await.expect("removes");
    assert!(webhook::list(context).await.expect("lists").is_empty());
    assert!(webhook::deliveries(context, &webhook.id, 5).await.expect("lists").is_empty());
    assert!(matches!(audit::verify(context).await, Ok(Verdict::Intact { .. })));
}

#[tokio::test]
async fn a_test_is_sent_once_and_says_what_became_of_it() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let (webhook, signing) = added(context, URL).await;
    let outcome = async |answer: ReceiverAnswer| {
        instance.receiver.answer(URL, answer);
        let id = test(context, &operator(), &webhook.id).await.expect("tests");
        let all = webhook::deliveries(context, &webhook.id, 50).await.expect("lists");
        let one = all.into_iter().find(|one| one.id == id).expect("is there");
        assert_eq!((one.event.as_str(), one.attempts, one.next_attempt_at), ("webhook.test", 1, None));
        (one.last_status, one.last_problem)
    };
    assert_eq!(outcome(ReceiverAnswer::Status(202)).await, (Some(202), None));
    let received = instance.receiver.take().remove(0);
    assert_eq!(received.signature, signature(&signing, &received));
    assert_eq!(received.body["data"]["url"], format!("http://localhost:8080/settings/webhooks/{}", webhook.id));
    assert_eq!(outcome(ReceiverAnswer::Problem("no\u{1b}[1m".repeat(100))).await.1.map(|text| text.len()), Some(200));
    let (status, problem) = outcome(ReceiverAnswer::Status(302)).await;
    assert_eq!((status, problem.expect("a problem").contains("not followed")), (Some(302), true));
    assert_eq!(instance.receiver.take().len(), 2, "it is not repeated");
}

#[tokio::test]
async fn addresses_and_secrets_are_in_the_database_under_the_master_key_only() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let (webhook, first) = added(context, URL).await;
    let form = "the token of a form";
    let (_, second) = webhook::replace_secret(context, &operator(), &webhook.id, Some(form)).await.expect("replaces");
    let second = second.expose().to_string();
    let again = webhook::replace_secret(context, &operator(), &webhook.id, Some(form)).await;
    assert!(matches!(again, Err(WebhookError::AlreadySubmitted(id)) if id == webhook.id));
    let again = webhook::add(context, &operator(), &wanted(URL), Some(form)).await;
    assert!(matches!(again, Err(WebhookError::AlreadySubmitted(_))));
    assert_eq!(webhook::list(context).await.expect("lists").len(), 1);

    generated(context, &draft("job")).await;
    let both = sent(&instance, &webhook.id).await.remove(0);
    assert_eq!(both.signature, format!("{} {}", signature(&second, &both), signature(&first, &both)));
    instance.clock.advance(DAY);
    generated(context, &draft("other")).await;
    let one = sent(&instance, &webhook.id).await.remove(0);
    assert_eq!(one.signature, signature(&second, &one));

    webhook::edit(context, &operator(), &webhook.id, &wanted(&format!("{URL}-2"))).await.expect("edits");
    assert_eq!(webhook::address(context, &webhook.id).await.expect("opens"), format!("{URL}-2"));
    let copy = instance.folder().join("copy.db");
    context.store.backup(&copy, &mut |_, _| {}).await.expect("copies");
    let stored = String::from_utf8_lossy(&std::fs::read(copy).expect("reads")).into_owned();
    assert!(stored.contains("alerts.example.com") && stored.contains("credential.generated"));
    for hidden in [first.trim_start_matches("whsec_"), second.trim_start_matches("whsec_"), "a-capability"] {
        assert!(!stored.contains(hidden), "{hidden}");
    }
}

#[tokio::test]
async fn a_webhook_that_cannot_work_is_not_added() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let wrong = WebhookDraft {
        name: " ".to_owned(),
        url: "http://alerts.example.com".to_owned(),
        events: vec![],
        ..WebhookDraft::default()
    };
    let Err(WebhookError::Invalid(errors)) = webhook::add(context, &operator(), &wrong, None).await else {
        panic!("it was added");
    };
    assert_eq!(errors.iter().map(|error| error.field).collect::<Vec<_>>(), ["name", "url", "events"]);
    for _ in 0..webhook::MOST {
        added(context, URL).await;
    }
    assert!(matches!(webhook::add(context, &operator(), &wanted(URL), None).await, Err(WebhookError::Invalid(_))));
}

/// The days of the alerts about ends that were written, newest first.
async fn announced(context: &Context, generated: &Generated) -> Vec<i64> {
    let filter = Filter {
        action: Some("credential.expiring".to_owned()),
        target: Some(generated.credential.client_id.to_string()),
        ..Filter::default()
    };
    let entries = audit::list(context, &Authority::Everything, &filter, 50).await.expect("lists");
    let details = entries.iter().map(|entry| serde_json::from_str(&entry.details).expect("JSON"));
    details.map(|details: serde_json::Value| details["days"].as_i64().expect("days")).collect()
}

#[tokio::test]
async fn an_end_is_announced_once_at_each_stage() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let (webhook, _) = added(context, URL).await;
    let ending = async |name: &str, days: u32| {
        let mut wanted = draft(name);
        wanted.expiry = Expiry::After(DAY * days);
        generated(context, &wanted).await
    };
    let (long, short, tiny) = (ending("long", 30).await, ending("short", 7).await, ending("tiny", 1).await);
    let (disabled, revoked, late) = (ending("off", 30).await, ending("ended", 30).await, ending("late", 30).await);
    let mut endless = draft("endless");
    endless.expiry = Expiry::Never;
    let endless = generated(context, &endless).await;
    disable::disable(context, &operator(), &disabled.credential.client_id).await.expect("disables");
    revoke::revoke(context, &operator(), &revoked.credential.client_id, "").await.expect("revokes");
    disable::disable(context, &operator(), &late.credential.client_id).await.expect("disables");
    let mut told = 0;
    // Every six hours for 31 days.
    for hours in 0..124 {
        if hours == 4 * 28 {
            disable::enable(context, &operator(), &late.credential.client_id).await.expect("enables");
        }
        told += alert::expiring(context).await.expect("looks");
        assert_eq!(alert::expiring(context).await.expect("looks"), 0, "once each");
        instance.clock.advance(Duration::from_secs(6 * 3600));
    }
    assert_eq!(announced(context, &long).await, [1, 3, 14]);
    assert_eq!(announced(context, &short).await, [1, 3], "within 14 days from the beginning");
    assert_eq!(announced(context, &late).await, [1, 3], "only the nearest when it works again");
    for silent in [&tiny, &disabled, &revoked, &endless] {
        assert!(announced(context, silent).await.is_empty(), "{}", silent.credential.name);
    }
    assert_eq!(told, 7);
    let received = sent(&instance, &webhook.id).await;
    let expiring: Vec<&Received> = received.iter().filter(|one| one.body["type"] == "credential.expiring").collect();
    assert_eq!(expiring.len(), 7);
    let data = &expiring[0].body["data"];
    assert_eq!(data["actor"]["kind"], "system");
    assert!(data["days"].is_i64() && data["ends_at"].as_str().is_some_and(|end| end.ends_with('Z')));
}

#[tokio::test]
async fn a_new_end_is_announced_again_but_not_to_whoever_just_chose_it() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let mut wanted = draft("job");
    wanted.expiry = Expiry::After(DAY * 30);
    let job = generated(context, &wanted).await;
    let id = &job.credential.client_id;
    instance.clock.advance(DAY * 17);
    assert_eq!(alert::expiring(context).await.expect("looks"), 1);
    let expiry = Some(Expiry::After(DAY * 10));
    rotate::secret(context, &operator(), id, Overlap::Nothing, expiry, None).await.expect("rotates");
    assert_eq!(alert::expiring(context).await.expect("looks"), 0, "ten days were chosen a moment ago");
    instance.clock.advance(DAY * 8);
    assert_eq!(alert::expiring(context).await.expect("looks"), 1);
    assert_eq!(announced(context, &job).await, [3, 14]);
}

#[tokio::test]
async fn a_retired_secret_that_is_tried_is_told_once_a_day() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let (webhook, _) = added(context, URL).await;
    let job = generated(context, &draft("job")).await;
    let id = &job.credential.client_id;
    rotate::secret(context, &operator(), id, Overlap::Nothing, None, None).await.expect("rotates");
    let other = generated(context, &draft("other")).await;
    sent(&instance, &webhook.id).await;
    let tried = async |hours: u64| {
        instance.clock.advance(Duration::from_secs(hours * 3600));
        for _ in 0..3 {
            exchanged(context, secret(&job), "").await.expect_err("it is over");
        }
        context.refusals.flush().await;
        alert::retired_secrets_tried(context).await.expect("looks")
    };
    let wrong = exchanged(context, secret(&other), "&scope=nothing%3Aof%3Athe%3Akind").await;
    assert!(wrong.is_err());
    // The clock starts at nine o'clock.
    for (hours, expected) in [(0, 1), (0, 0), (1, 0), (3, 0), (12, 1), (24, 1)] {
        assert_eq!(tried(hours).await, expected, "{hours} hours later");
    }
    let received = sent(&instance, &webhook.id).await;
    assert_eq!(types(&received), ["credential.retired_secret_tried"; 3]);
    let data = &received[0].body["data"];
    assert_eq!((data["client_id"].as_str(), data["cause"].as_str()), (Some(id.as_str()), Some("secret_revoked")));
    assert_eq!(data["address"], "192.0.2.1");
    assert!(!received[0].text.contains(secret(&job)));

    revoke::revoke(context, &operator(), id, "").await.expect("revokes");
    assert_eq!(tried(0).await, 1, "another cause");
}

#[tokio::test]
async fn old_deliveries_are_forgotten_and_nothing_is_told_again() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let (webhook, _) = added(context, URL).await;
    let mut wanted = draft("job");
    wanted.expiry = Expiry::After(DAY * 20);
    generated(context, &wanted).await;
    for _ in 0..19 {
        instance.clock.advance(DAY);
        alert::expiring(context).await.expect("looks");
    }
    assert_eq!(sent(&instance, &webhook.id).await.len(), 4);
    instance.clock.advance(DAY * 12);
    generated(context, &draft("new")).await;
    enqueue(context).await.expect("collects");
    instance.clock.advance(DAY * 18 + Duration::from_secs(1));
    instance.tidy().await;
    alert::expiring(context).await.expect("looks");
    let left = webhook::deliveries(context, &webhook.id, 50).await.expect("lists");
    assert_eq!(left.iter().map(|one| one.subject.as_str()).collect::<Vec<_>>(), ["new"]);
    assert_eq!(types(&sent(&instance, &webhook.id).await), ["credential.generated"]);
}

#[tokio::test]
async fn actors_of_every_kind_are_named() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let (webhook, _) = added(context, URL).await;
    let actor = Actor::system();
    let draft = draft("job");
    domain::credential::generate::generate(context, &actor, &draft, None).await.expect("generates");
    let received = sent(&instance, &webhook.id).await;
    assert_eq!(received[0].body["data"]["actor"], serde_json::json!({ "kind": "system", "name": "Countersign" }));
}

#[tokio::test]
async fn a_webhook_for_slack_gets_a_text_without_secrets() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let draft_of = WebhookDraft { format: WebhookFormat::Slack, ..wanted(URL) };
    let (webhook, _) = webhook::add(context, &operator(), &draft_of, None).await.expect("added");
    let job = generated(context, &draft("nightly-index")).await;
    leak::report(context, &operator(), secret(&job), Some("https://paste.example/1"), Policy::Revoke)
        .await
        .expect("reports");
    let received = sent(&instance, &webhook.id).await;
    let texts: Vec<&str> = received.iter().filter_map(|one| one.body["text"].as_str()).collect();
    let id = &job.credential.client_id;
    let page = format!("<http://localhost:8080/credentials/{id}|Open>");
    assert_eq!(texts[0], format!("*Credential generated*: nightly-index, team Default, by operator. {page}"));
    assert_eq!(
        texts[1],
        format!(
            "*Credential leaked*: nightly-index, team Default, found at https://paste.example/1, by operator. {page}"
        )
    );
    assert_eq!(received.len(), texts.len());
    assert!(received.iter().all(|one| !one.text.contains(secret(&job))));
}
