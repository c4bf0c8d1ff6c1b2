//! The metadata by which clients find everything.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};

use crate::support::App;

#[tokio::test]
async fn the_authorization_server_describes_itself() {
    let app = App::new().await;
    let answer = app.get("/.well-known/oauth-authorization-server").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"));
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
    let with_none = [&methods[..], &["none"]].concat();
    let algorithms = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"];
    assert_eq!(
        answer.json(),
        serde_json::json!({
            "issuer": "http://localhost:8080",
            "authorization_endpoint": "http://localhost:8080/mcp/oauth/authorize",
            "device_authorization_endpoint": "http://localhost:8080/mcp/oauth/device_authorization",
            "token_endpoint": "http://localhost:8080/mcp/oauth/token",
            "jwks_uri": "http://localhost:8080/mcp/oauth/jwks",
            "response_types_supported": ["code"],
            "registration_endpoint": "http://localhost:8080/mcp/oauth/register",
            "grant_types_supported": [
                "client_credentials", "authorization_code", "refresh_token",
                "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:jwt-bearer",
            ],
            "token_endpoint_auth_methods_supported": with_none,
            "token_endpoint_auth_signing_alg_values_supported": algorithms,
            "introspection_endpoint": "http://localhost:8080/mcp/oauth/introspect",
            "introspection_endpoint_auth_methods_supported": methods,
            "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
            "revocation_endpoint": "http://localhost:8080/mcp/oauth/revoke",
            "revocation_endpoint_auth_methods_supported": with_none,
            "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "client_id_metadata_document_supported": true,
            "client_id_metadata_document_auth_methods_supported": ["none", "private_key_jwt"],
            "scopes_supported": ["mcp:read", "offline_access"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256", "EdDSA", "PS256", "RS256"],
        })
    );
}

#[tokio::test]
async fn the_authorization_server_is_described_in_all_places_where_clients_look() {
    let app = App::new().await;
    let known = app.get("/.well-known/oauth-authorization-server").await;
    for path in [
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/mcp",
        "/mcp/.well-known/openid-configuration",
    ] {
        let answer = app.get(path).await;
        assert_eq!((answer.status, &answer.body), (StatusCode::OK, &known.body), "{path}");
        for header in ["content-type", "cache-control", "access-control-allow-origin"] {
            assert_eq!(answer.header(header), known.header(header), "{header} of {path}");
        }
        let preflight = Request::options(path).header("origin", "https://client.example");
        let preflight = preflight.header("access-control-request-headers", "mcp-protocol-version");
        let answer = app.send(preflight.body(Body::empty()).expect("a request")).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (StatusCode::NO_CONTENT, "*"));
        assert_eq!(answer.header("access-control-allow-headers"), "mcp-protocol-version", "{path}");
    }
    assert!(known.header("cache-control").contains("max-age"));
}

#[tokio::test]
async fn the_page_for_people_is_not_for_pages_of_other_origins() {
    let app = App::new().await;
    let answer = app.get("/mcp/oauth/authorize").await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
    let preflight = Request::builder()
        .method(Method::OPTIONS)
        .uri("/mcp/oauth/authorize")
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "GET");
    let answer = app.send(preflight.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn the_mcp_server_is_described_in_both_places() {
    let app = App::new().await;
    let with_path = app.get("/.well-known/oauth-protected-resource/mcp").await;
    let root = app.get("/.well-known/oauth-protected-resource").await;
    assert_eq!(with_path.json(), root.json());
    assert_eq!(root.json()["resource"], "http://localhost:8080/mcp");
    assert_eq!(root.json()["authorization_servers"], serde_json::json!(["http://localhost:8080"]));
    assert_eq!(root.json()["scopes_supported"], serde_json::json!(["mcp:read"]));
}

#[tokio::test]
async fn urls_come_from_the_configuration_and_never_from_the_request() {
    let app = App::new().await;
    let plain = app.get("/.well-known/oauth-authorization-server").await.body;
    let request = Request::get("/.well-known/oauth-authorization-server")
        .header("host", "evil.example")
        .header("x-forwarded-host", "evil.example")
        .header("x-forwarded-proto", "https")
        .header("forwarded", "host=evil.example;proto=https")
        .body(Body::empty())
        .expect("a request");
    assert_eq!(app.send(request).await.body, plain);
}

#[tokio::test]
async fn every_other_well_known_address_is_404_in_json() {
    let app = App::new().await;
    for path in [
        "/.well-known/openid-configuration/other",
        "/.well-known/oauth-authorization-server/other",
        "/.well-known/oauth-protected-resource/other",
        "/.well-known/security.txt",
    ] {
        let answer = app.get(path).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (StatusCode::NOT_FOUND, "application/json"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn browser_clients_may_ask_first_and_read_the_answer() {
    let app = App::new().await;
    for path in ["/mcp/oauth/token", "/mcp/oauth/jwks", "/.well-known/oauth-authorization-server"] {
        let request = Request::builder()
            .method(Method::OPTIONS)
            .uri(path)
            .header("origin", "https://client.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,mcp-protocol-version")
            .body(Body::empty())
            .expect("a request");
        let answer = app.send(request).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("access-control-allow-headers"), "authorization,mcp-protocol-version");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
    let preflight =
        Request::builder().method(Method::OPTIONS).uri("/credentials").header("origin", "https://client.example");
    let answer = app.send(preflight.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.header("access-control-allow-origin"), "", "the dashboard is for nobody else's pages");
}

#[tokio::test]
async fn the_authorization_endpoint_sends_nobody_to_a_stranger() {
    let app = App::new().await;
    let answer = app.get("/mcp/oauth/authorize?response_type=code&client_id=x&redirect_uri=https://evil.example").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.header("location"), "");
    assert!(answer.body.contains("<h1") && answer.body.contains("No client with this client_id"));
    assert!(!answer.body.contains("evil.example"));
}
