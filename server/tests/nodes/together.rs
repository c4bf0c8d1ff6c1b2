//! What one server does, the other knows.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::base::clock::{Clock, SystemClock};
use serde_json::json;

use crate::support::{Answer, Browser, Credential, ISSUER, Node, PASSWORD, Site, Stop, between, form_token};

#[test]
fn a_credential_made_at_one_works_at_the_other_and_ends_at_both() {
    let site = Site::new();
    site.administrator();
    let (a, b) = (site.serve(), site.serve());
    let mut browser = Browser::default();
    assert_eq!(browser.sign_in(&a, PASSWORD).status, 303);
    let page = browser.get(&a, "/credentials/new");
    assert_eq!(page.status, 200, "signed in at A");
    assert_eq!(browser.get(&b, "/credentials").status, 200, "and so at B");

    let fields = [("form_token", form_token(&page.body)), ("name", "nightly".to_owned())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let reveal = browser.post(&a, "/credentials/new", &fields);
    let credential = Credential {
        id: format!("csc_{}", between(&reveal.body, r#"value="csc_"#, "\"")),
        secret: format!("css_{}", between(&reveal.body, r#"value="css_"#, "\"")),
    };
    let token = b.exchange(&credential).token();
    assert_eq!(a.tools(&token).status, 200);
    let again = browser.post(&b, "/credentials/new", &fields);
    assert!(!again.body.contains("css_") && again.body.contains(&credential.id), "the form was used up at A");

    let page = format!("/credentials/{}/revoke", credential.id);
    let stopping = AtomicBool::new(false);
    let (refusal, refused) = mpsc::channel();
    let running = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let (stop, refusal) = (Stop(&running), refusal);
        for node in [&a, &b] {
            let (credential, stopping, running, refusal) = (&credential, &stopping, &running, refusal.clone());
            scope.spawn(move || {
                while running.load(Ordering::SeqCst) {
                    let began_after = stopping.load(Ordering::SeqCst);
                    let answer = node.exchange(credential);
                    assert!(matches!(answer.status, 200 | 401), "{answer:?}");
                    if began_after {
                        assert_eq!(answer.status, 401, "it began after the answer to the revocation");
                        let _ = refusal.send(());
                    }
                }
            });
        }
        let fields = [("client_ids", credential.id.as_str()), ("reason", "leaked")];
        let answer = browser.submit(&a, &page, "/fn/revoke_credentials", &fields);
        stopping.store(answer.status == 303, Ordering::SeqCst);
        for _ in 0..if answer.status == 303 { 200 } else { 0 } {
            refused.recv().expect("they go on asking");
        }
        drop(stop);
        assert_eq!(answer.status, 303, "{}", answer.body);
    });
    for node in [&a, &b] {
        assert_eq!(node.tools(&token).status, 401, "its tokens ended everywhere");
    }

    browser.submit(&b, "/account", "/logout", &[]);
    assert_eq!(browser.get(&a, "/credentials").status, 303, "signed out at B is signed out at A");
}

#[test]
fn guesses_at_both_are_counted_together() {
    let site = Site::new();
    site.administrator();
    let nodes = [site.serve(), site.serve()];
    let mut throttled = 0;
    for number in 0..40 {
        let answer = Browser::default().sign_in(&nodes[number % 2], "guess guess guess");
        throttled += usize::from(answer.status == 429);
    }
    assert!(throttled > 0, "either alone has seen too few to stop them");
    for node in &nodes {
        assert_eq!(Browser::default().sign_in(node, PASSWORD).status, 429);
    }
}

#[test]
fn an_assertion_is_good_for_one_token_at_one_of_them() {
    let site = Site::new();
    let nodes = [site.serve(), site.serve()];
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).expect("a key");
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) });
    let file = site.folder.join("key.jwk.json");
    std::fs::write(&file, jwk.to_string()).expect("writes");
    let file = file.to_str().expect("a path");
    let created = site.json(&["credential", "create", "--name", "job", "--public-key", file, "--format", "json"]);
    let id = created["client_id"].as_str().expect("a text");

    for round in 0..20 {
        let now = SystemClock::default().now().seconds();
        let claims = json!({
            "iss": id, "sub": id, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": format!("round {round}"),
        });
        let encode = |part: &str| URL_SAFE_NO_PAD.encode(part);
        let signed = format!("{}.{}", encode(r#"{"alg":"ES256"}"#), encode(&claims.to_string()));
        let signature = key.sign(&random, signed.as_bytes()).expect("signs");
        let body = format!(
            "grant_type=client_credentials&client_assertion_type=\
             urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={signed}.{}",
            URL_SAFE_NO_PAD.encode(signature.as_ref())
        );
        let granted = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for number in 0..50 {
                let (node, body, granted) = (&nodes[number % 2], &body, &granted);
                scope.spawn(move || match node.post("/mcp/oauth/token", body) {
                    answer if answer.status == 200 => drop(granted.fetch_add(1, Ordering::SeqCst)),
                    answer => assert_eq!(answer.status, 401, "{answer:?}"),
                });
            }
        });
        assert_eq!(granted.into_inner(), 1, "round {round}");
    }
}

#[test]
fn a_signing_key_is_replaced_under_load_and_every_token_verifies_everywhere() {
    let site = Site::new();
    let nodes = [site.serve(), site.serve()];
    let credential = site.credential("job");
    let running = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let stop = Stop(&running);
        for (node, other) in [(&nodes[0], &nodes[1]), (&nodes[1], &nodes[0])] {
            let (credential, running) = (&credential, &running);
            scope.spawn(move || {
                while running.load(Ordering::SeqCst) {
                    let token = node.exchange(credential).token();
                    let answer = other.tools(&token);
                    assert_eq!(answer.status, 200, "{answer:?}");
                    assert!(other.get("/mcp/oauth/jwks").body.contains(&kid(&token)), "published before it is used");
                }
            });
        }
        let before = kid(&nodes[0].exchange(&credential).token());
        let rotated = site.run(&["keys", "rotate"]);
        assert!(rotated.status.success());
        // In good order the new key is published a day before it signs: that day is over now.
        site.sql("UPDATE signing_keys SET active_from = created_at + 1 WHERE active_from > created_at");
        while nodes.iter().any(|node| kid(&node.exchange(&credential).token()) == before) {}
        for _ in 0..50 {
            assert_ne!(kid(&nodes[1].exchange(&credential).token()), before);
        }
        drop(stop);
    });
}

/// The key that a token names.
fn kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().expect("a header")).expect("base64url");
    let header: serde_json::Value = serde_json::from_slice(&header).expect("JSON");
    header["kid"].as_str().expect("a key").to_owned()
}

#[test]
fn each_prints_a_setup_link_and_the_first_to_be_used_is_the_only_one() {
    let site = Site::new();
    let mut nodes = [site.serve(), site.serve()];
    let links = [nodes[0].setup_link(), nodes[1].setup_link()];
    let (made, nodes, links) = (AtomicUsize::new(0), &nodes, &links);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let made = &made;
            scope.spawn(move || {
                let (node, link) = (&nodes[number % 2], &links[number / 2 % 2]);
                let mut browser = Browser::default();
                let page = browser.get(node, link);
                if page.body.contains("Create administrator") {
                    let fields = [
                        ("form_token", form_token(&page.body)),
                        ("token", link.split_once("token=").expect("a token").1.to_owned()),
                        ("name", "Ada".to_owned()),
                        ("email", format!("ada{number}@example.com")),
                        ("password", PASSWORD.to_owned()),
                    ];
                    let fields: Vec<(&str, &str)> =
                        fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                    made.fetch_add(usize::from(browser.post(node, "/setup", &fields).status == 303), Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(made.load(Ordering::SeqCst), 1);
    assert_eq!(site.sql("SELECT COUNT(*) FROM people").trim(), "1");
}

#[test]
fn an_exchange_that_was_decided_before_a_revocation_is_not_recorded_after_it() {
    let site = Site::new();
    let credential = site.credential("job");
    let node = site.serve();
    assert_eq!(node.exchange(&credential).status, 200);
    // A change that takes its time: whoever revokes has the lock and has not written yet.
    let mut change = site.session();
    change.run("BEGIN; SELECT pg_advisory_xact_lock(CAST(CAST('audit_head' AS REGCLASS) AS OID)::BIGINT);");
    std::thread::scope(|scope| {
        let exchange = scope.spawn(|| node.exchange(&credential));
        // It has read that the credential works, and waits for its turn to write.
        let waiting = "SELECT COUNT(*) FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.objid
                       WHERE l.locktype = 'advisory' AND NOT l.granted AND c.relname = 'audit_head'
                         AND c.relnamespace = CAST(current_schema() AS REGNAMESPACE)";
        while site.sql(waiting).trim() == "0" {}
        change.run("UPDATE credentials SET revoked_at = 1; UPDATE client_secrets SET revoked_at = 1;");
        change.run("UPDATE audit_head SET seq = seq + 1; COMMIT;");
        assert_eq!(exchange.join().expect("ends").status, 401);
    });
    assert_eq!(site.sql("SELECT COUNT(*) FROM ledger").trim(), "1");
}

/// Sends the body to both token endpoints twenty times at once, and returns the answers that hold a token; all others
/// say `invalid_grant`.
fn redeemed_at_both(nodes: [&Node; 2], body: &str) -> Vec<Answer> {
    let answers = std::thread::scope(|scope| {
        let calls: Vec<_> =
            (0..20).map(|number| scope.spawn(move || nodes[number % 2].post("/mcp/oauth/token", body))).collect();
        calls.into_iter().map(|call| call.join().expect("an answer")).collect::<Vec<_>>()
    });
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert!(bad.iter().all(|answer| answer.json()["error"] == "invalid_grant"), "{bad:?}");
    good
}

#[test]
fn what_a_person_allows_at_one_is_taken_up_once_at_either_and_ends_at_both() {
    let site = Site::new();
    site.administrator();
    let (a, b) = (site.serve(), site.serve());
    let callback = "http://localhost/callback";
    let client = site.json(&["client", "create", "--name", "CLI", "--redirect-uri", callback, "--format", "json"]);
    let client_id = client["client_id"].as_str().expect("an identifier");
    let mut browser = Browser::default();
    assert_eq!(browser.sign_in(&a, PASSWORD).status, 303);
    // The pair of RFC 7636 Appendix B.
    let query = format!(
        "response_type=code&client_id={client_id}&redirect_uri=http%3A%2F%2Flocalhost%2Fcallback\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    );
    let path = "/mcp/oauth/authorize";
    let page = format!("{path}?{query}");
    let allowed = browser.submit(&a, &page, path, &[("request", &query), ("decision", "allow")]);
    let code = allowed.header("location").expect("back to the client").to_owned();
    let code = code.split(['?', '&']).find_map(|pair| pair.strip_prefix("code=")).expect("a code");
    let body = format!(
        "grant_type=authorization_code&code={code}&redirect_uri=http%3A%2F%2Flocalhost%2Fcallback&client_id={client_id}\
         &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let first = redeemed_at_both([&a, &b], &body);
    assert_eq!(first.len(), 1);
    // Whoever was second brought a right code again: what the first got is over.
    assert_eq!(a.tools(&first[0].token()).status, 401);

    let mut grant = || {
        let allowed = browser.submit(&b, &page, path, &[("request", &query), ("decision", "allow")]);
        let location = allowed.header("location").expect("back to the client").to_owned();
        let fresh = location.split(['?', '&']).find_map(|pair| pair.strip_prefix("code=")).expect("a code");
        a.post("/mcp/oauth/token", &body.replace(code, fresh))
    };
    let granted = grant();
    let refresh = granted.json()["refresh_token"].as_str().expect("a refresh token").to_owned();
    let body = format!("grant_type=refresh_token&refresh_token={refresh}&client_id={client_id}");
    let refreshed = redeemed_at_both([&a, &b], &body);
    let next: HashSet<_> = refreshed.iter().map(|answer| answer.json()["refresh_token"].to_string()).collect();
    assert_eq!((refreshed.len(), next.len()), (20, 1), "a client may repeat itself at either; there is one successor");
    let token = grant().token();
    let list = browser.get(&a, "/apps").body;
    let id = format!("gra_{}", between(&list, "value=\"gra_", "\""));
    assert_eq!(b.tools(&token).status, 200);
    assert_eq!(browser.submit(&a, "/apps", "/fn/end_grant", &[("grant", &id)]).status, 303);
    assert_eq!(b.tools(&token).status, 401, "the newest is the first of the list, and has ended at both");

    let reveal = browser.submit(&a, "/account/tokens", "/account/tokens", &[("name", "laptop")]);
    let personal = format!("csp_{}", between(&reveal.body, "value=\"csp_", "\""));
    assert_eq!(b.tools(&personal).status, 200);
    let list = browser.get(&b, "/account/tokens").body;
    let id = format!("ptk_{}", between(&list, "value=\"ptk_", "\""));
    assert_eq!(browser.submit(&b, "/account/tokens", "/fn/revoke_personal_token", &[("token", &id)]).status, 303);
    assert_eq!(a.tools(&personal).status, 401);
}

#[test]
fn a_device_gets_its_token_once_at_either_and_asks_both_no_more_often_than_one() {
    let site = Site::new();
    site.administrator();
    let (a, b) = (site.serve(), site.serve());
    let client = site.json(&["client", "create", "--name", "CLI", "--device", "--format", "json"]);
    let client_id = client["client_id"].as_str().expect("an identifier");
    let mut browser = Browser::default();
    assert_eq!(browser.sign_in(&a, PASSWORD).status, 303);
    let endpoint = client["device_authorization_endpoint"].as_str().expect("an address");
    let asked = a.post(&endpoint[endpoint.find("/mcp").expect("a path")..], &format!("client_id={client_id}")).json();
    let text = |member: &str| asked[member].as_str().expect("a text").to_owned();
    let body = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id={client_id}&device_code={}",
        text("device_code")
    );
    let ask = |node: &Node| node.post("/mcp/oauth/token", &body).json()["error"].as_str().expect("a word").to_owned();
    assert_eq!((ask(&a), ask(&b)), ("authorization_pending".to_owned(), "slow_down".to_owned()));
    let code = text("user_code");
    let page = browser.submit(&b, "/device", "/device", &[("user_code", &code)]).body;
    let server = between(&page, "name=\"server\" value=\"", "\"");
    let fields = [("user_code", code.as_str()), ("server", server), ("decision", "allow")];
    assert_eq!(browser.submit(&a, "/device", "/device", &fields).status, 200);
    let first = redeemed_at_both([&a, &b], &body);
    assert_eq!(first.len(), 1);
    // Whoever was second brought a right code again: what the first got is over.
    assert_eq!(b.tools(&first[0].token()).status, 401);
}
