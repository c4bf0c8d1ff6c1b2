//! Credentials whose program describes itself: an administrator approves its client ID metadata document, and nobody
//! copies a secret or a key.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::base::id::{AppClientId, ClientId, TeamId};
use domain::credential::generate::generate;
use domain::credential::{CredentialError, keys, revoke};
use domain::model::actor::Actor;
use domain::model::credential::draft::{Draft, DraftProof};
use domain::model::credential::federated::FederatedDraft;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use domain::person::manage;
use serde_json::{Value, json};

use crate::assertions::{CLIENT_ASSERTION, Signer};
use crate::client_documents::{DOCUMENT, document};
use crate::client_keys::{KEYS, assertion, set};
use crate::interactive::{code, is_accepted, redemption, text};
use crate::roles::{joined, operator, signed_in_as};
use crate::support::{Answer, App, claims_of};

/// The document of a program that gets tokens for itself, with these members in place of the usual ones.
fn program(changes: Value) -> String {
    let mut members = json!({
        "grant_types": ["client_credentials"], "token_endpoint_auth_method": "private_key_jwt", "redirect_uris": null,
        "response_types": null, "jwks_uri": KEYS,
    });
    members.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
    document(members)
}

/// An exchange by which the program proves itself, and names itself by the address of its document.
async fn exchange(app: &App, signer: &Signer, kid: &str, jti: &str) -> Answer {
    let proof = assertion(app, signer, kid, jti, &json!({}));
    let client_id = DOCUMENT.replace(':', "%3A").replace('/', "%2F");
    app.token(&[], format!("grant_type=client_credentials&client_id={client_id}&{CLIENT_ASSERTION}{proof}")).await
}

/// Approves the document, as the command line does.
async fn approve(app: &App, address: &str) -> Result<ClientId, CredentialError> {
    let proof = DraftProof::Document(address.to_owned());
    let draft = Draft { name: "reports".to_owned(), proof, ..Draft::default() };
    let made = generate(&app.instance.context, &Actor::command_line("operator"), &draft, None).await?;
    Ok(made.credential.client_id)
}

/// A program whose document was approved, and whose key `one` is at the address that the document names.
async fn approved_with(signer: &Signer) -> (App, ClientId) {
    let app = App::new().await;
    app.instance.issuers.publish(DOCUMENT, &program(json!({})));
    app.instance.issuers.publish(KEYS, &set(&[("one", signer)]).to_string());
    let id = approve(&app, DOCUMENT).await.expect("approved");
    (app, id)
}

#[tokio::test]
async fn a_program_whose_document_was_approved_gets_tokens_without_a_secret() {
    let app = App::new().await;
    let (issuers, first, second) = (&app.instance.issuers, Signer::new(), Signer::new());
    issuers.publish(DOCUMENT, &program(json!({})));
    issuers.publish(KEYS, &set(&[("one", &first)]).to_string());
    assert_eq!(exchange(&app, &first, "one", "a").await.status, StatusCode::UNAUTHORIZED, "nobody approved it");
    assert_eq!((issuers.asked(DOCUMENT), issuers.asked(KEYS)), (0, 0), "a stranger makes us ask nobody");

    let browser = app.signed_in().await;
    let form = browser.get(&format!("/credentials/new?document={DOCUMENT}")).await.body;
    assert!(form.contains("Client metadata document") && form.contains(DOCUMENT), "{form}");
    let fields = [("name", "reports"), ("method", "private_key_jwt"), ("document", DOCUMENT), ("scope", "mcp:read")];
    let made = browser.submit("/credentials/new", "/credentials/new", &fields).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.body);
    let id = made.header("location").trim_start_matches("/credentials/").split('?').next().expect("an ID").to_owned();

    let answer = exchange(&app, &first, "one", "b").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let token = text(&answer, "access_token");
    assert!(is_accepted(&app, &token).await);
    let claims = claims_of(&token);
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(id), &json!(id)), "the credential's own name");
    assert_eq!(exchange(&app, &first, "one", "b").await.status, StatusCode::UNAUTHORIZED, "an assertion is good once");
    // The credential has two names. An assertion may have either one, and the request that one or none.
    let own = assertion(&app, &first, "one", "c", &json!({ "iss": id, "sub": id }));
    let answer = app.token(&[], format!("grant_type=client_credentials&{CLIENT_ASSERTION}{own}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let other = assertion(&app, &first, "one", "d", &json!({}));
    let answer =
        app.token(&[], format!("grant_type=client_credentials&client_id=csc_other&{CLIENT_ASSERTION}{other}")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
    assert_eq!((issuers.asked(DOCUMENT), issuers.asked(KEYS)), (1, 1));

    // The program replaces its key.
    issuers.publish(KEYS, &set(&[("two", &second)]).to_string());
    app.instance.clock.advance(Duration::from_secs(60));
    assert_eq!(exchange(&app, &second, "two", "e").await.status, StatusCode::OK);
    assert_eq!(exchange(&app, &first, "one", "f").await.status, StatusCode::UNAUTHORIZED);

    let page = browser.get(&format!("/credentials/{id}?view=secrets")).await.words();
    for shown in [DOCUMENT, "two, ES256", "Fetched ", "Next fetch: not before", "An administrator approved this"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("Add a key") && !page.contains("Rotate key"), "{page}");
}

#[tokio::test]
async fn a_program_that_takes_its_document_or_keys_away_gets_no_token() {
    let (hour, day) = (Duration::from_secs(3600), Duration::from_secs(24 * 3600));
    let signer = Signer::new();
    let listed = json!({ "jwks_uri": null, "jwks": set(&[("one", &signer)]) });
    let cases = [
        ("other grants", Some(json!({ "grant_types": ["authorization_code"] })), "do not hold client_credentials"),
        ("no keys", Some(json!({ "token_endpoint_auth_method": "none" })), "is not private_key_jwt"),
        ("another client", Some(json!({ "client_id": "https://editor.example/x" })), "not its own address"),
        ("no document", None, "no document any more"),
    ];
    for (case, change, shown) in cases {
        let app = App::new().await;
        let issuers = &app.instance.issuers;
        issuers.publish(DOCUMENT, &program(listed.clone()));
        let id = approve(&app, DOCUMENT).await.expect("approved");
        assert_eq!(exchange(&app, &signer, "one", "a").await.status, StatusCode::OK, "{case}");

        // The host is away for less than a day: what was read counts.
        issuers.withdraw(DOCUMENT);
        app.instance.clock.advance(hour);
        assert_eq!(exchange(&app, &signer, "one", "b").await.status, StatusCode::OK, "{case}");
        // For longer: the program is told to come back.
        app.instance.clock.advance(day);
        assert_eq!(exchange(&app, &signer, "one", "c").await.status, StatusCode::SERVICE_UNAVAILABLE, "{case}");

        match change {
            Some(members) => {
                let mut changed = listed.clone();
                changed.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
                issuers.publish(DOCUMENT, &program(changed));
            }
            None => issuers.take_away(DOCUMENT),
        }
        app.instance.clock.advance(hour);
        assert_eq!(exchange(&app, &signer, "one", "d").await.status, StatusCode::UNAUTHORIZED, "{case}");
        let page = app.signed_in().await.get(&format!("/credentials/{id}?view=secrets")).await.body;
        assert!(page.contains(shown), "{case}: {page}");

        issuers.publish(DOCUMENT, &program(listed.clone()));
        app.instance.clock.advance(hour);
        assert_eq!(exchange(&app, &signer, "one", "e").await.status, StatusCode::OK, "{case}: it is back");
    }
}

#[tokio::test]
async fn a_document_is_approved_once_by_an_administrator_and_only_if_it_can_be_used() {
    let app = App::new().await;
    let (issuers, signer) = (&app.instance.issuers, Signer::new());
    issuers.publish(KEYS, &set(&[("one", &signer)]).to_string());
    let at = |name: &str| format!("https://{name}.example/client.json");
    let publish = |name: &str, changes: Value| {
        issuers.publish(&at(name), &program(changes).replace(DOCUMENT, &at(name)));
    };
    publish("people", json!({ "grant_types": ["authorization_code"] }));
    publish("silent", json!({ "grant_types": null }));
    publish("open", json!({ "token_endpoint_auth_method": "none" }));
    publish("secret", json!({ "client_secret": "s" }));
    publish("bare", json!({ "jwks_uri": null }));
    for (address, problem) in [
        ("http://editor.example/client.json".to_owned(), "Enter the https address"),
        ("https://editor.example".to_owned(), "Enter the https address"),
        ("csc_program".to_owned(), "Enter the https address"),
        (at("nowhere"), "The keys cannot be used."),
        (at("people"), "do not hold client_credentials"),
        (at("silent"), "do not hold client_credentials"),
        (at("open"), "is not private_key_jwt"),
        (at("secret"), "holds a client_secret"),
        (at("bare"), "names no keys"),
    ] {
        let Err(CredentialError::Invalid(errors)) = approve(&app, &address).await else { panic!("{address}: made") };
        assert!(errors[0].field == "document" && errors[0].message.contains(problem), "{address}: {errors:?}");
    }

    // Who is no administrator makes us ask nobody, and takes the document of nobody.
    issuers.publish(DOCUMENT, &program(json!({})));
    let member =
        signed_in_as(&app, &joined(&app, "mei@example.com", InvitedRole::Team(TeamId::first(), Role::Manager)).await)
            .await;
    let fields = [("name", "reports"), ("method", "private_key_jwt"), ("document", DOCUMENT), ("scope", "mcp:read")];
    assert!(!member.get("/credentials/new").await.body.contains("Client metadata document"));
    let refused = member.submit("/credentials/new", "/credentials/new", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    assert!(refused.body.contains("Only an administrator approves a document."), "{}", refused.body);
    assert_eq!(issuers.asked(DOCUMENT), 0);

    let id = approve(&app, DOCUMENT).await.expect("approved");
    let Err(CredentialError::Invalid(errors)) = approve(&app, DOCUMENT).await else { panic!("it was made twice") };
    assert!(errors[0].message.contains("reports has this document already"), "{errors:?}");
    // Two ways at once are no way.
    let both = [fields.as_slice(), &[("jwks_uri", KEYS)]].concat();
    let refused = app.signed_in().await.submit("/credentials/new", "/credentials/new", &both).await;
    assert!(refused.body.contains("Give one of these"), "{}", refused.body);

    // A revoked credential does not keep the document.
    let context = &app.instance.context;
    assert_eq!(exchange(&app, &signer, "one", "a").await.status, StatusCode::OK);
    revoke::revoke(context, &Actor::command_line("operator"), &id, "").await.expect("revoked");
    assert_eq!(exchange(&app, &signer, "one", "b").await.status, StatusCode::UNAUTHORIZED);
    let document = AppClientId::parse(DOCUMENT).expect("a document");
    assert!(keys::of_document(context, &Authority::Everything, &document).await.expect("reads").is_none());
    let next = approve(&app, DOCUMENT).await.expect("approved");
    assert_eq!(exchange(&app, &signer, "one", "c").await.status, StatusCode::OK);
    let found = keys::of_document(context, &Authority::Everything, &document).await.expect("reads");
    assert_eq!(found.expect("a credential").client_id, next);
}

#[tokio::test]
async fn a_program_may_work_for_people_and_for_itself() {
    let app = App::new().await;
    let (issuers, signer) = (&app.instance.issuers, Signer::new());
    issuers.publish(
        DOCUMENT,
        &document(json!({
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
            "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": KEYS,
        })),
    );
    issuers.publish(KEYS, &set(&[("one", &signer)]).to_string());
    let browser = app.signed_in().await;
    let begun = code(&browser, DOCUMENT, &[]).await;
    let proof = assertion(&app, &signer, "one", "a", &json!({}));
    let answer = app.token(&[], format!("{}&{CLIENT_ASSERTION}{proof}", redemption(DOCUMENT, &begun, &[]))).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let for_person = text(&answer, "access_token");
    assert_eq!(exchange(&app, &signer, "one", "b").await.status, StatusCode::UNAUTHORIZED, "nobody approved that");

    let client = "/apps/clients/https%3A%2F%2Feditor.example%2Foauth%2Fclient.json";
    assert!(browser.get(client).await.body.contains("Generate a credential for its document"));
    let id = approve(&app, DOCUMENT).await.expect("approved");
    let page = browser.get(client).await.body;
    assert!(
        page.contains(&format!("/credentials/{id}")) && page.contains("A credential works with the keys"),
        "{page}"
    );

    let stop = browser.get(&format!("{client}/disable")).await.body.replace("<!>", "");
    assert!(stop.contains("has the same document and keeps working") && stop.contains(id.as_str()), "{stop}");

    let answer = exchange(&app, &signer, "one", "c").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let own = text(&answer, "access_token");
    let revoke = async |token: &str, jti: &str| {
        let proof = assertion(&app, &signer, "one", jti, &json!({}));
        let request = Request::post("/mcp/oauth/revoke").header("content-type", "application/x-www-form-urlencoded");
        let body = format!("token={token}&{CLIENT_ASSERTION}{proof}");
        app.send(request.body(Body::from(body)).expect("a request")).await.status
    };
    // It ends the one token and the other, each alone.
    assert_eq!(revoke(&own, "d").await, StatusCode::OK);
    assert!(!is_accepted(&app, &own).await && is_accepted(&app, &for_person).await);
    assert_eq!(revoke(&for_person, "e").await, StatusCode::OK);
    assert!(!is_accepted(&app, &for_person).await);
}

#[tokio::test]
async fn an_assertion_is_good_for_one_of_the_roles_of_a_document() {
    let app = App::new().await;
    let (context, issuers, signer) = (&app.instance.context, &app.instance.issuers, Signer::new());
    let both = json!({
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt", "jwks": set(&[("one", &signer)]),
    });
    issuers.publish(DOCUMENT, &document(both));
    let browser = app.signed_in().await;
    let id = approve(&app, DOCUMENT).await.expect("approved");
    let redeem = async |proof: &str| {
        let begun = code(&browser, DOCUMENT, &[]).await;
        app.token(&[], format!("{}&{CLIENT_ASSERTION}{proof}", redemption(DOCUMENT, &begun, &[]))).await.status
    };
    let exchange = async |proof: &str| {
        app.token(&[], format!("grant_type=client_credentials&{CLIENT_ASSERTION}{proof}")).await.status
    };
    let first = assertion(&app, &signer, "one", "a", &json!({}));
    assert_eq!(redeem(&first).await, StatusCode::OK);
    assert_eq!(exchange(&first).await, StatusCode::UNAUTHORIZED, "it was used for a person");
    let second = assertion(&app, &signer, "one", "b", &json!({}));
    assert_eq!(exchange(&second).await, StatusCode::OK);
    assert_eq!(redeem(&second).await, StatusCode::UNAUTHORIZED, "it was used by the credential");
    // The other name of the credential, and the next credential with the document, do not make it new.
    let named = assertion(&app, &signer, "one", "b", &json!({ "iss": id.as_str(), "sub": id.as_str() }));
    assert_eq!(exchange(&named).await, StatusCode::UNAUTHORIZED);
    revoke::revoke(context, &Actor::command_line("operator"), &id, "").await.expect("revoked");
    approve(&app, DOCUMENT).await.expect("approved again");
    assert_eq!(exchange(&second).await, StatusCode::UNAUTHORIZED);
    let third = assertion(&app, &signer, "one", "c", &json!({}));
    assert_eq!(exchange(&third).await, StatusCode::OK);
}

#[tokio::test]
async fn a_stranger_does_not_learn_which_documents_are_approved() {
    let app = App::new().await;
    let (issuers, signer) = (&app.instance.issuers, Signer::new());
    issuers.publish(DOCUMENT, &program(json!({ "jwks_uri": null, "jwks": set(&[("one", &signer)]) })));
    let answer = async || {
        let proof = assertion(&app, &Signer::new(), "one", "a", &json!({}));
        let body = format!("grant_type=client_credentials&client_id=somebody&{CLIENT_ASSERTION}{proof}");
        app.token(&[], body).await.fingerprint()
    };
    let before = answer().await;
    approve(&app, DOCUMENT).await.expect("approved");
    assert_eq!(answer().await, before);
}

#[tokio::test]
async fn a_document_and_a_federated_identity_do_not_share_an_address() {
    let app = App::new().await;
    let (context, issuers, signer) = (&app.instance.context, &app.instance.issuers, Signer::new());
    issuers.publish(DOCUMENT, &program(json!({ "jwks_uri": null, "jwks": set(&[("one", &signer)]) })));
    let identity = || {
        DraftProof::Federated(FederatedDraft {
            issuer: DOCUMENT.to_owned(),
            subject: DOCUMENT.to_owned(),
            jwks: set(&[("one", &signer)]).to_string(),
            ..FederatedDraft::default()
        })
    };
    let generate = async |name: &str, proof: DraftProof| {
        let draft = Draft { name: name.to_owned(), proof, ..Draft::default() };
        generate(context, &Actor::command_line("operator"), &draft, None).await
    };
    let id = approve(&app, DOCUMENT).await.expect("approved");
    let Err(CredentialError::Invalid(errors)) = generate("job", identity()).await else { panic!("both") };
    assert!(errors[0].field == "issuer" && errors[0].message.contains("client metadata document"), "{errors:?}");
    revoke::revoke(context, &Actor::command_line("operator"), &id, "").await.expect("revoked");
    let job = generate("job", identity()).await.expect("made").credential.client_id;
    // The revoked credential does not stand before the identity.
    let proof = assertion(&app, &signer, "one", "a", &json!({}));
    let answer = app.token(&[], format!("grant_type=client_credentials&{CLIENT_ASSERTION}{proof}")).await;
    assert_eq!(claims_of(&text(&answer, "access_token"))["sub"], json!(job.as_str()));
    let Err(CredentialError::Invalid(errors)) = approve(&app, DOCUMENT).await else { panic!("both") };
    assert!(errors[0].message.contains("issuer of a federated identity"), "{errors:?}");
}

#[tokio::test]
async fn a_stopped_credential_makes_this_server_ask_nobody_and_stores_no_key() {
    let (first, second) = (Signer::new(), Signer::new());
    let (app, id) = approved_with(&first).await;
    let (context, issuers) = (&app.instance.context, &app.instance.issuers);
    assert_eq!(exchange(&app, &first, "one", "a").await.status, StatusCode::OK);
    revoke::revoke(context, &Actor::command_line("operator"), &id, "").await.expect("revoked");
    issuers.publish(KEYS, &set(&[("two", &second)]).to_string());
    app.instance.clock.advance(Duration::from_secs(2 * 3600));
    let asked = (issuers.asked(DOCUMENT), issuers.asked(KEYS));
    for (signer, kid, jti) in [(&second, "two", "b"), (&first, "one", "c")] {
        assert_eq!(exchange(&app, signer, kid, jti).await.status, StatusCode::UNAUTHORIZED, "{kid}");
    }
    assert_eq!((issuers.asked(DOCUMENT), issuers.asked(KEYS)), asked);
    assert_eq!(keys::list(context, &id).await.expect("reads").len(), 1);
    context.refusals.flush().await;
    let page = app.signed_in().await.get(&format!("/credentials/{id}?view=usage")).await.body;
    assert!(page.contains("Tried after it was revoked"), "{page}");
}

#[tokio::test]
async fn an_earlier_key_works_when_it_is_published_again_unless_a_person_removed_it() {
    let (first, second) = (Signer::new(), Signer::new());
    let (app, id) = approved_with(&first).await;
    let (context, issuers) = (&app.instance.context, &app.instance.issuers);
    let publish = |kid: &str, signer: &Signer| {
        issuers.publish(KEYS, &set(&[(kid, signer)]).to_string());
        app.instance.clock.advance(Duration::from_secs(60));
    };
    let old = text(&exchange(&app, &first, "one", "a").await, "access_token");
    publish("two", &second);
    assert_eq!(exchange(&app, &second, "two", "b").await.status, StatusCode::OK);
    assert!(!is_accepted(&app, &old).await);
    publish("one", &first);
    assert_eq!(exchange(&app, &first, "one", "c").await.status, StatusCode::OK, "the change was taken back");
    assert!(!is_accepted(&app, &old).await, "what ended stays ended");
    let live = keys::list(context, &id).await.expect("reads").into_iter().find(|key| key.revoked_at.is_none());
    keys::remove(context, &Actor::command_line("operator"), &id, &live.expect("a key").id).await.expect("removed");
    publish("two", &second);
    assert_eq!(exchange(&app, &second, "two", "d").await.status, StatusCode::OK);
    publish("one", &first);
    assert_eq!(exchange(&app, &first, "one", "e").await.status, StatusCode::UNAUTHORIZED, "a person removed it");
}

#[tokio::test]
async fn many_unknown_keys_do_not_keep_known_programs_out() {
    let app = App::new().await;
    let (issuers, signer) = (&app.instance.issuers, Signer::new());
    let addresses: Vec<String> = (0..25).map(|number| format!("https://editor.example/{number}.json")).collect();
    for (number, address) in addresses.iter().enumerate() {
        let keys = json!({ "jwks_uri": null, "jwks": set(&[("one", &signer)]) });
        issuers.publish(address, &program(keys).replace(DOCUMENT, address));
        let proof = DraftProof::Document(address.clone());
        let draft = Draft { name: format!("program {number}"), proof, ..Draft::default() };
        let operator = Actor::command_line("operator");
        generate(&app.instance.context, &operator, &draft, None).await.expect("approved");
        app.instance.clock.advance(Duration::from_secs(10));
    }
    let attempt = async |address: &str, signer: &Signer, kid: &str, jti: &str| {
        let proof = assertion(&app, signer, kid, jti, &json!({ "iss": address, "sub": address }));
        app.token(&[], format!("grant_type=client_credentials&{CLIENT_ASSERTION}{proof}")).await.status
    };
    // All keys are too old to serve. A stranger makes this server look for keys that nobody has.
    app.instance.clock.advance(Duration::from_secs(25 * 3600));
    for number in 0..30 {
        let address = &addresses[number % 12];
        let status = attempt(address, &Signer::new(), &format!("none-{number}"), &format!("x{number}")).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    for (number, address) in addresses.iter().enumerate() {
        assert_eq!(attempt(address, &signer, "one", &format!("y{number}")).await, StatusCode::OK, "{address}");
    }
}

#[tokio::test]
async fn a_program_that_only_names_itself_ends_no_token_of_the_credential() {
    let app = App::new().await;
    let (issuers, signer) = (&app.instance.issuers, Signer::new());
    issuers.publish(DOCUMENT, &document(json!({})));
    let browser = app.signed_in().await;
    // A person met it while it was public.
    let _ = code(&browser, DOCUMENT, &[]).await;
    issuers.publish(DOCUMENT, &program(json!({ "jwks_uri": null, "jwks": set(&[("one", &signer)]) })));
    approve(&app, DOCUMENT).await.expect("approved");
    let token = text(&exchange(&app, &signer, "one", "a").await, "access_token");
    let client_id = DOCUMENT.replace(':', "%3A").replace('/', "%2F");
    let request = Request::post("/mcp/oauth/revoke").header("content-type", "application/x-www-form-urlencoded");
    let body = format!("token={token}&client_id={client_id}");
    app.send(request.body(Body::from(body)).expect("a request")).await;
    assert!(is_accepted(&app, &token).await);
}

#[tokio::test]
async fn an_administrator_who_lost_the_role_while_the_document_was_fetched_approves_nothing() {
    let app = App::new().await;
    let (context, issuers, signer) = (&app.instance.context, &app.instance.issuers, Signer::new());
    issuers.publish(DOCUMENT, &program(json!({ "jwks_uri": null, "jwks": set(&[("one", &signer)]) })));
    // Somebody else stays an administrator.
    let _ada = app.signed_in().await;
    let role = InvitedRole::Team(TeamId::first(), Role::Manager);
    let grace = joined(&app, "grace@example.com", role).await;
    manage::set_administrator(context, &operator(), &grace.id, true).await.expect("promoted");
    let browser = signed_in_as(&app, &grace).await;
    let slow = issuers.hold(DOCUMENT);
    let fields = [("name", "reports"), ("method", "private_key_jwt"), ("document", DOCUMENT), ("scope", "mcp:read")];
    let (refused, ()) = tokio::join!(browser.submit("/credentials/new", "/credentials/new", &fields), async {
        slow.asked().await;
        manage::set_administrator(context, &operator(), &grace.id, false).await.expect("demoted");
        slow.answer();
    });
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    assert!(refused.body.contains("Only an administrator approves a document."), "{}", refused.body);
    assert_eq!(exchange(&app, &signer, "one", "a").await.status, StatusCode::UNAUTHORIZED);
}
