//! The token endpoint: the error matrix, the tolerances that real clients need, and what must never differ.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::base::id::ClientId;
use domain::credential::generate::generate;
use domain::credential::import::Import;
use domain::credential::{disable, revoke};
use domain::crypto::secret::PlainSecret;
use domain::model::actor::Actor;
use domain::model::credential::draft::{Draft, Expiry};
use domain::model::server::ScopeDescription;
use domain::operations::backup;
use domain::server::{ServerDraft, add};
use domain::testing::Instance;
use serde_json::Value;
use sqlx::{Connection, Executor};

use crate::interactive::is_accepted;
use crate::support::{App, FORM, basic, basic_of, until};

const GRANT: &str = "grant_type=client_credentials";

#[tokio::test]
async fn a_secret_is_exchanged_in_every_way_that_clients_use() {
    let app = App::new().await;
    let generated = app.generated("job", &[]).await;
    let (id, secret) = (generated.credential.client_id.as_str(), generated.secret.as_ref().expect("a secret").expose());
    let encoded = basic_of(&id.replace('_', "%5F"), &secret.replace('_', "%5F"));
    let header = basic(&generated);
    let post = format!("{GRANT}&client_id={id}&client_secret={secret}");
    for (headers, body) in [
        (vec![("authorization", header.as_str())], GRANT.to_owned()),
        (vec![("authorization", encoded.as_str())], GRANT.to_owned()),
        (vec![("authorization", header.as_str())], format!("{GRANT}&client_id={id}")),
        (vec![], post.clone()),
        (vec![], format!("{GRANT}&client_secret={secret}")),
        (vec![("authorization", header.as_str())], format!("{GRANT}&scope=&resource=&foo=1&foo=2")),
        (
            vec![("authorization", header.as_str())],
            format!("{GRANT}&resource=http://localhost:8080/mcp&scope=mcp:read"),
        ),
    ] {
        let answer = app.token(&headers, body.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{headers:?} {body}: {}", answer.body);
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("content-type"), "application/json");
        let json = answer.json();
        assert_eq!(json["token_type"], "Bearer");
        assert_eq!(json["expires_in"], 600);
        assert_eq!(json["scope"], "mcp:read");
        assert_eq!(json.as_object().expect("an object").len(), 4, "no refresh token: {json}");
    }
    let charset = Request::post("/mcp/oauth/token")
        .header(header::CONTENT_TYPE, format!("{FORM};charset=UTF-8"))
        .body(Body::from(post))
        .expect("a request");
    assert_eq!(app.send(charset).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_token_is_an_rfc_9068_jwt_that_the_published_key_verifies() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let app = App::new().await;
    let (generated, token) = app.access_token(&["mcp:read", "credentials:read"]).await;
    let part = |index: usize| -> serde_json::Value {
        let part = token.split('.').nth(index).expect("three parts");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
    };
    let jwks = app.get("/mcp/oauth/jwks").await;
    let key = &jwks.json()["keys"][0];
    assert_eq!(part(0), serde_json::json!({ "alg": "ES256", "typ": "at+jwt", "kid": key["kid"] }));
    let claims = part(1);
    let id = generated.credential.client_id.as_str();
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&"http://localhost:8080".into(), &"http://localhost:8080/mcp".into())
    );
    assert_eq!((&claims["sub"], &claims["client_id"]), (&id.into(), &id.into()));
    assert_eq!(claims["scope"], "mcp:read credentials:read");
    assert_eq!(claims["exp"].as_i64().expect("a number") - claims["iat"].as_i64().expect("a number"), 600);
    assert_eq!(claims["iat"], app.instance.context.now().seconds());
    assert!(claims["jti"].as_str().expect("a text").starts_with("tok_"));

    assert_eq!((&key["use"], &key["alg"], &key["kty"]), (&"sig".into(), &"ES256".into(), &"EC".into()));
    for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
        assert!(key.get(private).is_none(), "{private}");
    }
    assert!(jwks.header("cache-control").contains("max-age"));
}

#[tokio::test]
async fn malformed_requests_get_a_clear_error_and_no_challenge() {
    let app = App::new().await;
    let generated = app.generated("job", &[]).await;
    let (id, secret) = (generated.credential.client_id.as_str(), generated.secret.as_ref().expect("a secret").expose());
    let header = basic(&generated);
    let good = [("authorization", header.as_str())];
    let twice = [good[0], good[0]];
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let cases: Vec<(&str, Headers<'_>, String, &str)> = vec![
        ("empty body", &good, String::new(), "invalid_request"),
        ("grant_type missing", &good, "scope=mcp:read".into(), "invalid_request"),
        ("grant_type without a value", &good, "grant_type=".into(), "invalid_request"),
        ("a repeated parameter", &good, format!("{GRANT}&{GRANT}"), "invalid_request"),
        ("a repeated parameter with one value", &good, format!("{GRANT}&scope=a&scope=a"), "invalid_request"),
        ("a bad percent escape", &good, format!("{GRANT}&scope=%zz"), "invalid_request"),
        ("invalid UTF-8", &good, format!("{GRANT}&scope=%ff%fe"), "invalid_request"),
        ("NUL", &good, format!("{GRANT}&scope=%00"), "invalid_request"),
        ("a control character in an unknown parameter", &good, format!("{GRANT}&other=%0a"), "invalid_request"),
        ("grant_type password", &good, "grant_type=password".into(), "unsupported_grant_type"),
        (
            "a grant that is not offered",
            &good,
            "grant_type=urn:ietf:params:oauth:grant-type:token-exchange".into(),
            "unsupported_grant_type",
        ),
        ("grant_type in other letters", &good, "grant_type=CLIENT_CREDENTIALS".into(), "unsupported_grant_type"),
        ("Basic and the secret in the body", &good, format!("{GRANT}&client_secret={secret}"), "invalid_request"),
        ("Basic and a wrong secret in the body", &good, format!("{GRANT}&client_secret=wrong"), "invalid_request"),
        (
            "Basic and an assertion",
            &good,
            format!("{GRANT}&client_assertion=x&client_assertion_type=y"),
            "invalid_request",
        ),
        (
            "Basic and another client_id in the body",
            &good,
            format!("{GRANT}&client_id={}", ClientId::generate(app.instance.context.random.as_ref())),
            "invalid_request",
        ),
        (
            "secret and assertion",
            &[],
            format!("{GRANT}&client_secret={secret}&client_assertion=x&client_assertion_type=y"),
            "invalid_request",
        ),
        ("assertion without its type", &[], format!("{GRANT}&client_id={id}&client_assertion=x"), "invalid_request"),
        ("two Authorization headers", &twice, GRANT.into(), "invalid_request"),
        ("a malformed scope", &good, format!("{GRANT}&scope=a\"b"), "invalid_scope"),
        ("a scope that is not allowed at all", &good, format!("{GRANT}&scope=credentials:write"), "invalid_scope"),
        ("an unknown resource", &good, format!("{GRANT}&resource=https://evil.example/mcp"), "invalid_target"),
        ("a relative resource", &good, format!("{GRANT}&resource=/mcp"), "invalid_target"),
        (
            "a resource with a fragment",
            &good,
            format!("{GRANT}&resource=http://localhost:8080/mcp%23a"),
            "invalid_target",
        ),
        (
            "two resources",
            &good,
            format!("{GRANT}&resource=http://localhost:8080/mcp&resource=http://localhost:8080/mcp"),
            "invalid_target",
        ),
    ];
    for (what, headers, body, error) in cases {
        let answer = app.token(headers, body).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (StatusCode::BAD_REQUEST, Some(error)), "{what}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("www-authenticate"), "", "{what}");
        let description = answer.json()["error_description"].as_str().expect("a description").to_owned();
        assert!(
            description.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E)),
            "{description}"
        );
    }
}

#[tokio::test]
async fn only_a_form_in_a_post_is_read() {
    let app = App::new().await;
    let generated = app.generated("job", &[]).await;
    let body = format!("{GRANT}&client_secret={}", generated.secret.as_ref().expect("a secret").expose());
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH, Method::HEAD, Method::TRACE] {
        let request = Request::builder().method(method.clone()).uri(format!("/mcp/oauth/token?{body}"));
        let answer = app.send(request.body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.header("allow"), "POST");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(!answer.body.contains("access_token"));
    }
    for content_type in ["application/json", "multipart/form-data; boundary=x", "text/plain", ""] {
        let mut request = Request::post("/mcp/oauth/token");
        if !content_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let answer = app.send(request.body(Body::from(body.clone())).expect("a request")).await;
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (StatusCode::BAD_REQUEST, Some("invalid_request"))
        );
    }
    for (query, sent) in [(body.as_str(), ""), ("scope=mcp:read", body.as_str())] {
        let request = Request::post(format!("/mcp/oauth/token?{query}")).header(header::CONTENT_TYPE, FORM);
        let answer = app.send(request.body(Body::from(sent.to_owned())).expect("a request")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "credentials do not belong into an address");
    }
    let large = format!("{body}&padding={}", "x".repeat(16 * 1024));
    let answer = app.token(&[], large).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.json()["error"], "invalid_request");
    assert_eq!(answer.header("connection"), "close");
}

#[tokio::test]
async fn every_failed_authentication_is_byte_for_byte_the_same() {
    let app = App::new().await;
    let context = &app.instance.context;
    let operator = Actor::command_line("operator");
    let [revoked, disabled, good] =
        [app.generated("a", &[]).await, app.generated("b", &[]).await, app.generated("c", &[]).await];
    let short = Draft { name: "d".into(), expiry: Expiry::After(Duration::from_secs(60)), ..Draft::default() };
    let expired = generate(context, &operator, &short, None).await.expect("generates");
    let elsewhere = Draft { name: "e".into(), ip_ranges: vec!["10.0.0.0/8".into()], ..Draft::default() };
    let elsewhere = generate(context, &operator, &elsewhere, None).await.expect("generates");
    revoke::revoke(context, &operator, &revoked.credential.client_id, "").await.expect("revokes");
    disable::disable(context, &operator, &disabled.credential.client_id).await.expect("disables");
    app.instance.clock.advance(Duration::from_secs(60));

    let unknown_id = ClientId::generate(context.random.as_ref());
    let unknown_secret = PlainSecret::generate(context.random.as_ref());
    let good_id = good.credential.client_id.as_str();
    let pairs = [
        ("an unknown client", unknown_id.as_str(), unknown_secret.expose()),
        ("an unknown secret", good_id, unknown_secret.expose()),
        ("a malformed secret", good_id, "wrong"),
        ("a malformed client_id", "wrong", good.secret.as_ref().expect("a secret").expose()),
        ("another client's secret", good_id, revoked.secret.as_ref().expect("a secret").expose()),
        (
            "a revoked credential",
            revoked.credential.client_id.as_str(),
            revoked.secret.as_ref().expect("a secret").expose(),
        ),
        (
            "a disabled credential",
            disabled.credential.client_id.as_str(),
            disabled.secret.as_ref().expect("a secret").expose(),
        ),
        (
            "an expired secret",
            expired.credential.client_id.as_str(),
            expired.secret.as_ref().expect("a secret").expose(),
        ),
        (
            "an address that is not allowed",
            elsewhere.credential.client_id.as_str(),
            elsewhere.secret.as_ref().expect("a secret").expose(),
        ),
    ];
    let mut by_header = Vec::new();
    let mut by_body = Vec::new();
    for (what, id, secret) in pairs {
        by_header.push((what, app.token(&[("authorization", &basic_of(id, secret))], GRANT).await.fingerprint()));
        let body = format!("{GRANT}&client_id={id}&client_secret={secret}");
        by_body.push((what, app.token(&[], body).await.fingerprint()));
    }
    for malformed in ["Basic", "Basic !", "Basic  eDp5", "Bearer x", "Digest x", "Basic eDo=", "Basic Ong="] {
        by_header.push((malformed, app.token(&[("authorization", malformed)], GRANT).await.fingerprint()));
    }
    for (what, none) in [
        ("no client authentication", GRANT.to_owned()),
        ("client_id alone", format!("{GRANT}&client_id={good_id}")),
        ("a secret without a value", format!("{GRANT}&client_secret=")),
    ] {
        by_body.push((what, app.token(&[], none).await.fingerprint()));
    }
    for (answers, challenge) in [(&by_header, true), (&by_body, false)] {
        let (_, first) = &answers[0];
        for (what, answer) in answers {
            assert_eq!(answer, first, "{what}");
        }
        assert_eq!(first.0, StatusCode::UNAUTHORIZED);
        assert!(first.2.contains(r#""error":"invalid_client""#));
        let has_challenge =
            first.1.iter().any(|(name, value)| name == "www-authenticate" && value.contains("Basic realm"));
        assert_eq!(has_challenge, challenge);
    }
}

#[tokio::test]
async fn a_fault_of_ours_is_503_and_never_a_wrong_password() {
    let app = App::new().await;
    let generated = app.generated("job", &[]).await;
    let header = basic(&generated);
    let mut connection = sqlx::AnyConnection::connect(app.instance.database_url()).await.expect("opens");
    assert_eq!(app.get("/readyz").await.status, StatusCode::OK);

    connection.execute("ALTER TABLE signing_keys RENAME TO hidden").await.expect("renames");
    let answer = app.token(&[("authorization", &header)], GRANT).await;
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("temporarily_unavailable"))
    );
    assert_eq!(answer.header("retry-after"), "1");
    assert!(!answer.body.contains("signing_keys"), "{}", answer.body);
    connection.execute("ALTER TABLE hidden RENAME TO signing_keys").await.expect("renames");
    assert_eq!(app.token(&[("authorization", &header)], GRANT).await.status, StatusCode::OK);

    connection.execute("DELETE FROM signing_keys").await.expect("deletes");
    let answer = app.token(&[("authorization", &header)], GRANT).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "a lost signing key is not replaced silently");
    // A finding is believed for a second.
    let answer = until(async || Some(app.get("/readyz").await).filter(|answer| answer.status != StatusCode::OK)).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "key"));
    assert_eq!(app.get("/mcp/oauth/jwks").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(app.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn guessing_is_slowed_down_and_valid_credentials_are_not() {
    let app = App::new().await;
    let generated = app.generated("job", &[]).await;
    let wrong = basic_of(generated.credential.client_id.as_str(), "wrong");
    let mut limited = None;
    for _ in 0..2000 {
        let answer = app.token(&[("authorization", &wrong)], GRANT).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            limited = Some(answer);
            break;
        }
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let limited = limited.expect("a source that only fails is limited");
    assert_eq!(limited.json()["error"], "temporarily_unavailable");
    assert!(limited.header("retry-after").parse::<u64>().expect("seconds") >= 1);
    assert_eq!(app.token(&[("authorization", &basic(&generated))], GRANT).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_unknown_address_is_in_no_address_range() {
    use server::http::accept::Peer;
    let app = App::trusting(&["10.0.0.0/8"]).await;
    let context = &app.instance.context;
    // The range holds the proxy, as the range of a company's own network does.
    let ip_ranges = vec!["10.0.0.0/8".into(), "203.0.113.0/24".into()];
    let draft = Draft { name: "a".into(), ip_ranges, ..Draft::default() };
    let generated = generate(context, &Actor::command_line("operator"), &draft, None).await.expect("generates");
    for (forwarded, status) in [
        (&["203.0.113.5:4711"][..], StatusCode::OK),
        (&["\u{e9}, 203.0.113.5"], StatusCode::OK),
        (&["\u{e9}, 198.51.100.1"], StatusCode::UNAUTHORIZED),
        (&["198.51.100.1:4711"], StatusCode::UNAUTHORIZED),
        (&["203.0.113.5, unknown"], StatusCode::UNAUTHORIZED),
        (&["203.0.113.5, "], StatusCode::UNAUTHORIZED),
        (&["203.0.113.5", "[2001:db8::1]"], StatusCode::UNAUTHORIZED),
        (&["fe80::1%eth0"], StatusCode::UNAUTHORIZED),
        (&["\u{e9}"], StatusCode::UNAUTHORIZED),
        (&[], StatusCode::UNAUTHORIZED),
    ] {
        let mut request = Request::post("/mcp/oauth/token")
            .header(header::CONTENT_TYPE, FORM)
            .header(header::AUTHORIZATION, basic(&generated));
        for line in forwarded {
            request = request.header("x-forwarded-for", line.as_bytes());
        }
        let mut request = request.body(Body::from(GRANT)).expect("a request");
        request.extensions_mut().insert(Peer("10.0.0.1:1".parse().expect("an address")));
        assert_eq!(app.send(request).await.status, status, "{forwarded:?}");
    }
}

#[tokio::test]
async fn the_address_is_the_one_that_trusted_proxies_vouch_for() {
    use server::http::accept::Peer;
    let app = App::trusting(&["10.0.0.0/8"]).await;
    let context = &app.instance.context;
    let draft = Draft { name: "a".into(), ip_ranges: vec!["203.0.113.0/24".into()], ..Draft::default() };
    let generated = generate(context, &Actor::command_line("operator"), &draft, None).await.expect("generates");
    for (peer, forwarded, status) in [
        ("10.0.0.1:1", "203.0.113.5", StatusCode::OK),
        ("10.0.0.1:1", "203.0.113.5, 198.51.100.1", StatusCode::UNAUTHORIZED),
        ("198.51.100.1:1", "203.0.113.5", StatusCode::UNAUTHORIZED),
        ("203.0.113.9:1", "198.51.100.1", StatusCode::OK),
    ] {
        let mut request = Request::post("/mcp/oauth/token")
            .header(header::CONTENT_TYPE, FORM)
            .header(header::AUTHORIZATION, basic(&generated))
            .header("x-forwarded-for", forwarded)
            .body(Body::from(GRANT))
            .expect("a request");
        request.extensions_mut().insert(Peer(peer.parse().expect("an address")));
        assert_eq!(app.send(request).await.status, status, "{peer} {forwarded}");
    }
}

#[tokio::test]
async fn one_slash_at_the_end_names_the_same_server_and_the_audience_is_as_registered() {
    let app = App::new().await;
    let operator = Actor::command_line("operator");
    let context = &app.instance.context;
    for (resource, asked) in
        [("https://a.example/mcp/", "https://a.example/mcp"), ("https://b.example/mcp", "https://b.example/mcp/")]
    {
        let draft = |resource: &str| ServerDraft {
            name: resource.to_owned(),
            resource: resource.to_owned(),
            scopes: vec![ScopeDescription {
                name: "docs:read".to_owned(),
                description: String::new(),
                implies: Vec::new(),
            }],
            ..ServerDraft::default()
        };
        let server = add(context, &operator, &draft(resource)).await.expect("added");
        assert!(add(context, &operator, &draft(asked)).await.is_err(), "they are one server");
        let draft = Draft {
            name: "job".to_owned(),
            servers: vec![server.resource],
            scopes: vec!["docs:read".to_owned()],
            ..Draft::default()
        };
        let generated = generate(context, &operator, &draft, None).await.expect("generates");
        let header = basic(&generated);
        for named in [resource, asked] {
            let body = format!("{GRANT}&resource={named}");
            let answer = app.token(&[("authorization", &header)], body).await;
            assert_eq!(answer.status, StatusCode::OK, "{named}: {}", answer.body);
            let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
            let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).expect("claims")).expect("base64url");
            let claims: Value = serde_json::from_slice(&claims).expect("JSON");
            assert_eq!(claims["aud"], resource, "{named}");
        }
        let unknown = app.token(&[("authorization", &header)], format!("{GRANT}&resource={resource}/x")).await;
        assert_eq!(unknown.json()["error"], "invalid_target");
        let unscoped = app.token(&[("authorization", &header)], format!("{GRANT}&scope=nothing")).await;
        assert_eq!(unscoped.json()["error"], "invalid_scope");
        let description = unscoped.json()["error_description"].to_string();
        assert!(description.contains("The scopes of this server are: docs:read."), "{description}");
    }
}

#[tokio::test]
async fn a_public_key_that_somebody_wrote_into_the_database_is_neither_published_nor_believed() {
    let app = App::new().await;
    let (_, token) = app.access_token(&[]).await;
    assert!(is_accepted(&app, &token).await);
    let jwks = app.get("/mcp/oauth/jwks").await.json();
    let kid = jwks["keys"][0]["kid"].as_str().expect("a kid").to_owned();

    // The key of whoever can write to the database and has no master key.
    let thief = Instance::new().await;
    let thief = thief.context.keys.signing.jwks(&thief.context.store, app.instance.context.now()).await.expect("keys");
    let mut planted = thief["keys"][0].clone();
    let own_kid = planted["kid"].as_str().expect("a kid").to_owned();
    for kid_of_it in [kid.as_str(), own_kid.as_str()] {
        planted["kid"] = Value::from(kid_of_it);
        let mut transaction = app.instance.context.store.begin().await.expect("begins");
        let sql = "UPDATE signing_keys SET public_jwk = $1 WHERE kid = $2";
        sqlx::query(sql).bind(planted.to_string()).bind(&kid).execute(&mut *transaction).await.expect("writes");
        transaction.commit().await.expect("commits");
        app.instance.clock.advance(Duration::from_secs(6));
        let jwks = app.get("/mcp/oauth/jwks").await;
        assert!(jwks.status.is_server_error(), "{}", jwks.body);
        assert!(!jwks.body.contains(planted["x"].as_str().expect("a coordinate")));
        assert_eq!(app.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
        let call = Request::post("/mcp").header("authorization", format!("Bearer {token}"));
        let call = call.header("content-type", "application/json").body(Body::from("{}")).expect("a request");
        assert_eq!(app.send(call).await.status, StatusCode::SERVICE_UNAVAILABLE);
        let file = app.instance.folder().join(format!("{}.db", planted["kid"].as_str().expect("a kid")));
        let backup = backup::write(&app.instance.context, &file, &mut |_, _| {}).await;
        assert!(backup.is_err_and(|error| error.to_string().contains(&kid)));
    }
}

#[tokio::test]
async fn a_right_guess_after_too_many_wrong_ones_gets_429() {
    let app = App::new().await;
    let (context, actor) = (&app.instance.context, Actor::command_line("operator"));
    let line = r#"{"name":"old","client_id":"old-client","client_secret":"summer2019-summer"}"#.to_owned();
    Import::begin(context, &actor).await.expect("begins").write(&[(1, line)], true).await.expect("imports");
    let ask = async |secret: &str| app.token(&[("authorization", &basic_of("old-client", secret))], GRANT).await;
    for _ in 0..30 {
        assert_eq!(ask("winter2019-winter").await.status, StatusCode::UNAUTHORIZED);
    }
    let (wrong, right) = (ask("winter2019-winter").await, ask("summer2019-summer").await);
    assert_eq!(right.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(right.json()["error"], "temporarily_unavailable");
    assert!(right.header("retry-after").parse::<u64>().is_ok_and(|seconds| (1..=900).contains(&seconds)));
    assert_eq!(wrong.fingerprint(), right.fingerprint());

    let browser = app.signed_in().await;
    assert!(browser.get("/").await.body.contains("uses an imported secret: rotate it"));
    assert!(browser.get("/credentials?status=imported").await.body.contains("old-client"));
    assert!(browser.get("/credentials/old-client").await.body.contains("The secret was imported: rotate it."));
}

/// A machine often starts before its clock is set.
#[tokio::test]
async fn an_instance_that_was_made_while_the_clock_was_ahead_issues_tokens() {
    let app = App::new().await;
    app.instance.clock.set_back(Duration::from_secs(12 * 3600));
    assert_eq!(app.get("/readyz").await.status, StatusCode::OK);
    let (_, token) = app.access_token(&[]).await;
    assert!(is_accepted(&app, &token).await);
    let jwks = app.get("/mcp/oauth/jwks").await.json();
    assert!(jwks["keys"].as_array().is_some_and(|keys| !keys.is_empty()));
}
