use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::read::ZlibDecoder;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
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
    status: Status,
}

#[derive(Clone, Deserialize)]
struct Status {
    status_list: Bit,
}

#[derive(Clone, Deserialize)]
struct Bit {
    idx: usize,
    uri: String,
}

/// A signed list of which tokens were revoked.
#[derive(Deserialize)]
struct ListClaims {
    sub: String,
    exp: u64,
    ttl: u64,
    status_list: Packed,
}

#[derive(Deserialize)]
struct Packed {
    lst: String,
}

struct List {
    bits: Vec<u8>,
    fresh_until: Instant,
    end: u64,
}

/// Keys are fetched again after this time: one that the issuer withdrew is not believed for longer.
const FRESH: Duration = Duration::from_secs(300);
/// The issuer is asked for keys at most this often, whatever tokens arrive.
const RETRY: Duration = Duration::from_secs(30);

/// What was fetched from the issuer.
#[derive(Default)]
struct Issuer {
    keys: Mutex<Option<(Instant, JwkSet)>>,
    asked_for_keys: Mutex<Option<Instant>>,
    lists: Mutex<HashMap<String, List>>,
    asking_for_list: Mutex<()>,
}

/// Lets requests with a valid token through to `mcp`, and tells the others where tokens come from (RFC 9728).
pub fn protect(mcp: Router) -> Router {
    let document = json!({
        "resource": RESOURCE,
        "authorization_servers": [ISSUER],
        "scopes_supported": SCOPE.split(' ').collect::<Vec<_>>(),
        "bearer_methods_supported": ["header"],
    });
    mcp.layer(from_fn_with_state(Arc::new(Issuer::default()), authorize))
        .route(METADATA_PATH, get(async move || Json(document)))
}

async fn authorize(State(issuer): State<Arc<Issuer>>, mut request: Request, next: Next) -> Response {
    let value = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(token) = value.and_then(|value| value.strip_prefix("Bearer ")) else {
        return refuse(StatusCode::UNAUTHORIZED, "");
    };
    let Some(claims) = issuer.verify(token).await else {
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

impl Issuer {
    async fn verify(&self, token: &str) -> Option<Claims> {
        let mut validation = Validation::new(Algorithm::__ALG__);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[RESOURCE]);
        let claims: Claims = self.decode(token, "at+jwt", validation).await?;
        if self.is_revoked(&claims.status.status_list).await? { None } else { Some(claims) }
    }

    async fn decode<T: DeserializeOwned>(&self, token: &str, typ: &str, mut validation: Validation) -> Option<T> {
        let head = decode_header(token).ok()?;
        if head.typ.as_deref() != Some(typ) {
            return None;
        }
        validation.leeway = 0;
        let key = self.key(&head.kid?).await?;
        Some(decode(token, &key, &validation).ok()?.claims)
    }

    /// The bit of a token. Its list is fetched again when its time to live is over; while the issuer cannot be reached,
    /// the last one is believed until its end.
    async fn is_revoked(&self, bit: &Bit) -> Option<bool> {
        if !self.has_fresh_list(&bit.uri).await {
            // One request asks, the others wait for what it learns.
            let _turn = self.asking_for_list.lock().await;
            if !self.has_fresh_list(&bit.uri).await {
                self.refresh_list(&bit.uri).await;
            }
        }
        let lists = self.lists.lock().await;
        let list = lists.get(&bit.uri)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        if list.end <= now {
            return None;
        }
        Some(list.bits.get(bit.idx / 8)? >> (bit.idx % 8) & 1 == 1)
    }

    async fn has_fresh_list(&self, uri: &str) -> bool {
        self.lists.lock().await.get(uri).is_some_and(|list| list.fresh_until > Instant::now())
    }

    async fn refresh_list(&self, uri: &str) {
        let fetched = self.fetch_list(uri).await;
        let mut lists = self.lists.lock().await;
        match fetched {
            Some(list) => drop(lists.insert(uri.to_owned(), list)),
            None => {
                let list = lists.entry(uri.to_owned()).or_insert_with(|| List {
                    bits: Vec::new(),
                    fresh_until: Instant::now(),
                    end: 0,
                });
                list.fresh_until = Instant::now() + Duration::from_secs(5);
            }
        }
    }

    async fn fetch_list(&self, uri: &str) -> Option<List> {
        let token = fetch(uri).await?.text().await.ok()?;
        let claims: ListClaims = self.decode(&token, "statuslist+jwt", Validation::new(Algorithm::ES256)).await?;
        let mut bits = Vec::new();
        ZlibDecoder::new(URL_SAFE_NO_PAD.decode(&claims.status_list.lst).ok()?.as_slice())
            .read_to_end(&mut bits)
            .ok()?;
        let fresh_until = Instant::now() + Duration::from_secs(claims.ttl);
        if claims.sub == uri { Some(List { bits, fresh_until, end: claims.exp }) } else { None }
    }

    /// The key of this name. When there is none the issuer is asked; requests with a known key do not wait for that.
    async fn key(&self, kid: &str) -> Option<DecodingKey> {
        if let Some(key) = self.known_key(kid).await {
            return Some(key);
        }
        let mut asked = self.asked_for_keys.lock().await;
        if asked.is_none_or(|asked| asked.elapsed() > RETRY) {
            *asked = Some(Instant::now());
            let set = fetch(&format!("{ISSUER}/mcp/oauth/jwks")).await?.json().await.ok()?;
            *self.keys.lock().await = Some((Instant::now(), set));
        }
        self.known_key(kid).await
    }

    async fn known_key(&self, kid: &str) -> Option<DecodingKey> {
        let keys = self.keys.lock().await;
        let (at, set) = keys.as_ref()?;
        if at.elapsed() < FRESH { DecodingKey::from_jwk(set.find(kid)?).ok() } else { None }
    }
}

async fn fetch(url: &str) -> Option<reqwest::Response> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).build().ok()?;
    client.get(url).send().await.ok()?.error_for_status().ok()
}
