use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

const ISSUER: &str = "__ISSUER__";
const RESOURCE: &str = "__RESOURCE__";
const METADATA: &str = "__METADATA__";
const METADATA_PATH: &str = "__METADATA_PATH__";
const SCOPE: &str = "__SCOPE__";

/// What a token says. A tool finds it in the extensions of the request's parts.
#[derive(Clone, Deserialize)]
pub struct Claims {
    pub client_id: String,
    pub scope: String,
}

/// Keys are fetched again after this time: one that the issuer withdrew is not believed for longer.
const FRESH: Duration = Duration::from_secs(300);
/// The issuer is asked at most this often, whatever tokens arrive.
const RETRY: Duration = Duration::from_secs(30);

/// The issuer's keys with the moment of their arrival, and when they were last asked for.
#[derive(Default)]
struct Keys {
    fetched: Mutex<Option<(Instant, JwkSet)>>,
    asked: Mutex<Option<Instant>>,
}

/// Lets requests with a valid token through to `mcp`, and tells the others where tokens come from (RFC 9728).
pub fn protect(mcp: Router) -> Router {
    let document = json!({
        "resource": RESOURCE,
        "authorization_servers": [ISSUER],
        "scopes_supported": SCOPE.split(' ').collect::<Vec<_>>(),
        "bearer_methods_supported": ["header"],
    });
    mcp.layer(from_fn_with_state(Arc::new(Keys::default()), authorize))
        .route(METADATA_PATH, get(async move || Json(document)))
}

async fn authorize(State(keys): State<Arc<Keys>>, mut request: Request, next: Next) -> Response {
    let value = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(token) = value.and_then(|value| value.strip_prefix("Bearer ")) else {
        return refuse(StatusCode::UNAUTHORIZED, "");
    };
    let Some(claims) = keys.verify(token).await else {
        return refuse(StatusCode::UNAUTHORIZED, ", error=\"invalid_token\"");
    };
    if !SCOPE.split(' ').all(|needed| claims.scope.split(' ').any(|scope| scope == needed)) {
        return refuse(StatusCode::FORBIDDEN, ", error=\"insufficient_scope\"");
    }
    request.extensions_mut().insert(claims);
    next.run(request).await
}

fn refuse(status: StatusCode, error: &str) -> Response {
    let challenge = format!("Bearer resource_metadata=\"{METADATA}\", scope=\"{SCOPE}\"{error}");
    (status, [(header::WWW_AUTHENTICATE, challenge)]).into_response()
}

impl Keys {
    async fn verify(&self, token: &str) -> Option<Claims> {
        let head = decode_header(token).ok()?;
        if head.typ.as_deref() != Some("at+jwt") {
            return None;
        }
        let mut validation = Validation::new(Algorithm::__ALG__);
        validation.leeway = 0;
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[RESOURCE]);
        let key = self.find(&head.kid?).await?;
        Some(decode(token, &key, &validation).ok()?.claims)
    }

    /// The key of this name. When there is none the issuer is asked; requests with a known key do not wait for that.
    async fn find(&self, kid: &str) -> Option<DecodingKey> {
        if let Some(key) = self.known(kid).await {
            return Some(key);
        }
        let mut asked = self.asked.lock().await;
        if asked.is_none_or(|asked| asked.elapsed() > RETRY) {
            *asked = Some(Instant::now());
            let set = fetch().await?;
            *self.fetched.lock().await = Some((Instant::now(), set));
        }
        self.known(kid).await
    }

    async fn known(&self, kid: &str) -> Option<DecodingKey> {
        let fetched = self.fetched.lock().await;
        let (at, set) = fetched.as_ref()?;
        if at.elapsed() < FRESH { DecodingKey::from_jwk(set.find(kid)?).ok() } else { None }
    }
}

async fn fetch() -> Option<JwkSet> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().ok()?;
    let answer = client.get(format!("{ISSUER}/mcp/oauth/jwks")).send().await.ok()?;
    answer.error_for_status().ok()?.json().await.ok()
}
