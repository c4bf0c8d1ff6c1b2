//! What the grants of clients that act for people have in common. Both redeem in a [`Change`]: one
//! request at a time, and the change is on disk before the answer leaves. So a used code or token stays used.

use crate::base::form_body::TokenForm;
use crate::base::id::{AppClientId, ConsentId, McpServerId, PersonId, TokenId};
use crate::crypto::keys::KeyError;
use crate::crypto::secret::{PlainSecret, SecretHash, SecretKind};
use crate::model::client::consent::{ABSOLUTE_LIMIT, Consent, IDLE_LIMIT};
use crate::model::client::refusal::AppRefusal;
use crate::model::origin::Origin;
use crate::model::server::McpServer;
use crate::model::server::resource;
use crate::model::server::scope::Scopes;
use crate::model::token::StatusReference;
use crate::model::token::claims::Claims;
use crate::model::token::oauth_error::{OAuthError, OAuthErrorCode, Result};
use crate::prelude::{Change, Context, Fault};
use crate::store;
use crate::store::client::consent::ConsentToken;
use crate::token::access_token::{self, AccessToken};

/// The answer is the same for every problem with a code or token. Only the log gets the detail.
pub(super) fn invalid_grant(cause: AppRefusal, detail: &'static str) -> OAuthError {
    OAuthError {
        detail: detail.into(),
        of_app: Some(cause),
        ..OAuthError::new(OAuthErrorCode::InvalidGrant, "The code or refresh token is not valid.")
    }
}

/// The error for an MCP server that the client may not call.
fn invalid_target(cause: AppRefusal, description: &'static str) -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidTarget, description).of_app(cause)
}

/// Refuses a code or token that was never issued, before the request waits for a write permit.
pub(super) async fn check_known(context: &Context, hash: &SecretHash, unknown: AppRefusal) -> Result<()> {
    match store::client::consent::is_known(&context.store, hash).await? {
        true => Ok(()),
        false => Err(invalid_grant(unknown, "unknown")),
    }
}

/// Checks that the person is not disabled, that the server is not archived, and that one of the person's teams may use
/// it.
///
/// The code or refresh token stays good: when the server is opened again, the client goes on. So the error is not
/// `invalid_grant`, after which client libraries forget the token and send the person round again.
pub(super) async fn check_person(change: &mut Change<'_>, id: &PersonId, server: &McpServer) -> Result<()> {
    let authority = store::person::team::authority_of_person(change, id).await?;
    let authority = authority.ok_or(invalid_grant(AppRefusal::PersonDisabled, "the person is disabled"))?;
    if server.is_archived() {
        return Err(invalid_target(AppRefusal::ServerArchived, "This MCP server is archived."));
    }
    if server.access.admits(&authority) {
        return Ok(());
    }
    Err(invalid_target(AppRefusal::TeamsNotAllowed, "This MCP server is not open to the teams of the person."))
}

pub(super) async fn server(change: &mut Change<'_>, id: &McpServerId) -> Result<McpServer> {
    let servers = store::server::list(change).await?;
    servers
        .into_iter()
        .find(|server| server.id == *id)
        .ok_or(invalid_grant(AppRefusal::ServerRemoved, "the MCP server was removed"))
}

/// A `resource` in the request must be the one that the client asked for at the start (RFC 8707 §2.2).
pub(super) fn check_resource(form: &TokenForm, server: &McpServer) -> Result<()> {
    if form.resources().all(|asked| resource::names(asked, &server.resource)) {
        return Ok(());
    }
    Err(invalid_target(AppRefusal::OtherServer, "resource must be the one that was authorized."))
}

/// What a person allowed, before the client has its first token.
pub(super) struct Allowed {
    pub person: PersonId,
    pub client_id: AppClientId,
    pub scopes: Scopes,
    /// See [`Consent::redirect_host`].
    pub redirect_host: String,
}

impl Allowed {
    /// Stores the consent that begins with the first token.
    pub(super) async fn begin(self, change: &mut Change<'_>, server: &McpServer, origin: &Origin) -> Result<Consent> {
        let Self { person, client_id, scopes, redirect_host } = self;
        let now = change.now();
        let consent = Consent {
            id: ConsentId::generate(change.context().random.as_ref()),
            person,
            client_id,
            server_id: server.id.clone(),
            scopes,
            redirect_host,
            status_index: store::token::status_list::take(change, 1).await?,
            created_at: now,
            expires_at: now.plus(ABSOLUTE_LIMIT),
            last_used_at: now,
            last_used_from: origin.address.map(|address| address.to_string()),
            leaked_at: None,
            ended_at: None,
            end_cause: None,
        };
        store::client::consent::insert(change, &consent).await?;
        Ok(consent)
    }
}

/// The refresh token that an answer contains.
pub(super) enum NextRefreshToken<'redeemed> {
    /// The first one of a consent: the request redeems a code.
    First,
    /// The successor of the token with the hash `used`, which is used up.
    Successor { used: &'redeemed SecretHash, token: PlainSecret },
    /// A token that an earlier answer contained. The request is a repetition.
    Again(PlainSecret),
}

/// A code or refresh token that may be redeemed for an access token and the next refresh token.
pub(super) struct Redemption<'redeemed> {
    /// What the person allowed.
    pub consent: &'redeemed Consent,
    pub server: &'redeemed McpServer,
    /// The scopes of the access token.
    pub scopes: Scopes,
    /// The refresh token of the answer.
    pub next: NextRefreshToken<'redeemed>,
    pub origin: &'redeemed Origin,
}

impl Redemption<'_> {
    /// Records an access token and the next refresh token, commits, and signs.
    pub(super) async fn issue(self, mut change: Change<'_>) -> Result<AccessToken> {
        let Self { consent, server, scopes, next, origin } = self;
        if scopes.is_empty() {
            return Err(OAuthError::no_scope(Some(&server.scope_names())).of_app(AppRefusal::ScopeNotAllowed));
        }
        let (context, now) = (change.context(), change.now());
        let jti = TokenId::generate(context.random.as_ref(), now);
        let expires_at = now.plus(server.token_lifetime).min(consent.expires_at);
        let address = origin.address.map(|address| address.to_string());
        let token = ConsentToken {
            jti: &jti,
            consent: &consent.id,
            scope: &scopes,
            issued_at: now,
            expires_at,
            address: address.as_deref(),
        };
        let refresh_token = next.store(&mut change, consent).await?;
        store::client::consent::insert_token(&mut change, &token).await?;
        store::client::consent::mark_used(&mut change, &consent.id, now, address.as_deref()).await?;
        store::client::mark_used(&mut change, &consent.client_id, now).await?;
        let mut signing = store::operations::keys::active_signing_keys(&mut change, now).await?;
        // The key is taken before the commit: if signing is not possible, the code or token is not used up.
        let missing = || Fault::from(KeyError::Missing("signing key"));
        let kid = signing.remove(server.alg.as_str()).ok_or_else(missing)?;
        context.keys.signing.get(&context.store, &kid, now).await?;
        change.commit_without_event().await?;
        let claims = Claims {
            iss: context.settings.public_url.clone(),
            sub: consent.person.to_string(),
            aud: server.resource.clone(),
            client_id: consent.client_id.to_string(),
            scope: scopes.to_string(),
            jti: jti.as_str().to_owned(),
            iat: now.seconds(),
            exp: expires_at.seconds(),
            status: Some(StatusReference::of(&context.settings, consent.status_index)),
        };
        let token = access_token::sign_claims(context, &kid, claims).await?;
        Ok(AccessToken { refresh_token: Some(refresh_token), ..token })
    }
}

impl NextRefreshToken<'_> {
    /// Stores the token of a consent, unless an earlier request stored it. Returns the token.
    async fn store(self, change: &mut Change<'_>, consent: &Consent) -> Result<PlainSecret> {
        let (context, now) = (change.context(), change.now());
        let (used, token) = match self {
            Self::First => (None, PlainSecret::generate_of(SecretKind::RefreshToken, context.random.as_ref())),
            Self::Successor { used, token } => (Some(used), token),
            Self::Again(token) => return Ok(token),
        };
        let hash = token.hash(&context.keys.pepper);
        if let Some(used) = used {
            store::client::consent::use_refresh_token(change, used, &hash, now).await?;
        }
        let ends = now.plus(IDLE_LIMIT).min(consent.expires_at);
        store::client::consent::insert_refresh_token(change, &hash, &consent.id, ends).await?;
        Ok(token)
    }
}
